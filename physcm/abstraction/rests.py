"""Where runs under many interventions come to rest, as far as they do: all of them together.

They are followed as accurately as alone (see `physcm.sim.long_run`), but by one machine code, and
what comes next to a stable equilibrium rests there. Of all other runs nothing is said here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NotCompiled, Unsupported
from physcm.mechanism.interventions import Interventions
from physcm.sim import System
from physcm.sim.fused.numba_engine import Numba
from physcm.sim.long_run import RTOL, Ensemble, Limit
from physcm.sim.resting import resting
from physcm.sim.stacked import Numbers, Stack, as_numbers, set_to
from physcm.sim.status import LimitStatus, RestStatus

_AT_ONCE = 2**16

Limits = list[Limit | None]


def rests_together(
    low: System, families: Sequence[Interventions], begins: Sequence[Ensemble]
) -> list[Limits]:
    """Return the limits of runs that come to rest at a stable equilibrium, None for all others.

    Args:
        low: the system.
        families: what to do to it.
        begins: the equations under each of these, and where as many runs start.
    """
    runs = begins[0][1].shape[1] if begins else 0
    found: list[Limits] = [[None] * runs for _ in families]
    numbers = as_numbers(low, families)
    each = max(1, _AT_ONCE // max(1, runs))
    for first in range(0, len(numbers), each):
        places = list(numbers)[first : first + each]
        some = [begins[place] for place in places]
        stack = _stack(low, [numbers[place] for place in places], some)
        try:
            limits = _limits(stack)
        except (Unsupported, NotCompiled):
            return found
        for k, (place, (equations, _, _)) in enumerate(zip(places, some, strict=True)):
            rows = [low.states.index(name) for name in equations.system.states]
            own = limits[k * runs : (k + 1) * runs]
            found[place] = [limit and _of(limit, rows) for limit in own]
    return found


def _stack(low: System, numbers: Sequence[Numbers], begins: Sequence[Ensemble]) -> Stack:
    """Return the runs as columns in which what is held stands still."""
    runs = begins[0][1].shape[1]
    empty = (np.zeros((len(names), runs)) for names in (low.states, low.parameters))
    stack = set_to(low, numbers, *empty)
    x, p = stack.x0.copy(), stack.p.copy()
    for k, (equations, x0, q) in enumerate(begins):
        own, system = slice(k * runs, (k + 1) * runs), equations.system
        x[[low.states.index(name) for name in system.states], own] = x0
        known = [*system.parameters]
        p[:, own] = q[[known.index(name) for name in low.parameters]]
    return replace(stack, x0=x, p=p)


def _limits(stack: Stack) -> Limits:
    answers = resting(stack, Numba().workers, RTOL, spectra=False)
    rest = (answers.status == RestStatus.REACHED) & (answers.stability == "stable")
    return [
        Limit(LimitStatus.SETTLED, x, time, scale) if is_known else None
        for is_known, x, time, scale in zip(
            rest.tolist(), answers.x.T, answers.time.tolist(), answers.scale.T, strict=True
        )
    ]


def _of(limit: Limit, rows: list[int]) -> Limit:
    """Return a limit of some of the states."""
    state: Floats = limit.state[rows]
    return replace(limit, state=state, scale=limit.scale[rows])
