"""Which explicit method integrates a system, by counting what a step of each costs.

A step of the Taylor method is longer: as a rule half as many are needed at equal error. The
counts were compared with the times of 41 systems (docs/notes/taylor.md): where a step costs up to
0.9 times what one of Dormand and Prince's order 8 does, it took less time for all of them at
errors of 1e-6 and 1e-8. For loose tolerances the competitor is their method of order 5.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache

from physcm.mechanism.codegen import Program
from physcm.mechanism.errors import Unsupported
from physcm.mechanism.lanes.series import expansion
from physcm.sim.fused import steppers
from physcm.sim.fused.numba_engine import AUTO, DORMAND_PRINCE_5, DORMAND_PRINCE_8, TAYLOR
from physcm.sim.fused.runge_kutta import dormand_prince_5, dormand_prince_8
from physcm.sim.fused.steppers import Stepper
from physcm.sim.fused.taylor_code import ORDER

_LOOSE, _SHARE, _LOOSE_SHARE = 1e-5, 0.9, 0.75
_MOST_STATES, _MOST_LINES = 60, 2000
_OPERATIONS = {
    r" = (?:fadd|fsub|fmul|fneg|fcmp|select) |@llvm\.fma": 1,
    r" = fdiv |@llvm\.sqrt": 8,
    r"call [^@]*@lanes_": 30,
}
"""Instructions, and what they cost in units of an addition."""

_EVALUATIONS, _PER_STATE, _PER_SERIES = 15, 200, 60
"""How often Dormand-Prince 8 evaluates f, what else it does for each state, and what the Taylor
method does for each beside the series."""


def explicit(
    name: str, rates: Program, method: str, rtol: float, *, watched: bool
) -> Iterator[Stepper]:
    """Yield the steppers for a system of some name, each for samples that those before gave up.

    Where rates are not analytic, such as the square root of x at x = 0, there is no series. Nor
    is one taken where conditions are watched: they are looked at in a few places of each step,
    and a series may go through the whole flight of a ball, and the floor, in one.

    Args:
        name: of the system.
        rates: of the system.
        method: as in `Numba`.
        rtol: relative tolerance.
        watched: whether conditions are.

    Raises:
        Unsupported: for a function that lanes do not have; if the Taylor method was asked for,
            also for one without a series, and where conditions are watched.
    """
    if method == TAYLOR and watched:
        raise Unsupported(
            f"Numba(`{TAYLOR}`) does not watch the conditions of events and triggers; use "
            "engine='numba', which takes another method"
        )
    limit = _LOOSE_SHARE if rtol > _LOOSE else _SHARE
    if method == TAYLOR or (method == AUTO and not watched and _share(rates) <= limit):
        yield steppers.taylor(name, rates)
    loose = method == DORMAND_PRINCE_5 or (method != DORMAND_PRINCE_8 and rtol > _LOOSE)
    yield steppers.explicit(name, rates, dormand_prince_5() if loose else dormand_prince_8())


@lru_cache(maxsize=256)
def _share(rates: Program) -> float:
    """Return the cost of a step of the Taylor method as a share of one of Dormand-Prince 8.

    It is infinite where there is no series, and for systems whose code would be too long.
    """
    count = len(rates.outputs)
    if count > _MOST_STATES:
        return math.inf
    try:
        own = expansion(rates, ORDER)
    except Unsupported:
        return math.inf
    series, drift = "\n".join(own.series), "\n".join(own.drift)
    if series.count("\n") > _MOST_LINES:
        return math.inf
    ours = _cost(series) + _PER_SERIES * count
    return ours / (_EVALUATIONS * _cost(drift) + _PER_STATE * count)


def _cost(text: str) -> int:
    return sum(cost * len(re.findall(kind, text)) for kind, cost in _OPERATIONS.items())
