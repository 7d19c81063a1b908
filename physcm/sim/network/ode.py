"""Deterministic networks by SciPy's solvers, one sample at a time, with an exact Jacobian.

Small networks go to LSODA, which switches between stiff and non-stiff formulas. Larger ones go
to DOP853 (Hairer, Nørsett & Wanner 1993, section II.5) where the time span times the norm of
the Jacobian at the start is moderate, so that stability does not hold up an explicit method, and
else to BDF, whose linear systems are sparse.
"""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy

from physcm.mechanism.codegen import Floats
from physcm.sim.engine import Trajectory, ended, scaled
from physcm.sim.network.clock import is_autonomous, switch_times
from physcm.sim.network.field import Field
from physcm.sim.status import RunStatus
from physcm.sim.stepping import FEWEST_STEPS, MOST_STEPS, grown

_SMALL = 200
_STIFF = 1e4


@dataclass(frozen=True, eq=False)
class Solver:
    """How to solve dy/dt = f(t, y).

    Attributes:
        method: one of SciPy's.
        rtol: relative tolerance of each step.
        atol: absolute tolerance of each step, one or one per state.
        seconds: how long one sample may take.
    """

    method: str
    rtol: float
    atol: float | Floats
    seconds: float = math.inf

    def run(self, field: Field, times: Floats) -> Trajectory:
        """Return the states of one sample at the saved times, shape (states, times)."""
        y = field.start(1)[:, 0]
        states = np.full((y.size, times.size), np.nan)
        states[:, 0] = y
        steps, most = 0, MOST_STEPS * (times.size - 1)
        deadline = time.monotonic() + self.seconds
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for solver in self._steps(field, times, y, most, deadline):
                steps += 1
                passed = (times > solver.t_old) & (times <= solver.t)
                if passed.any():
                    states[:, passed] = solver.dense_output()(times[passed])
                y = solver.y
        unsaved = np.flatnonzero(np.isnan(states).any(axis=0))
        if unsaved.size and grown(states[:, 0], y):
            states[:, unsaved[0]] = np.inf
        result = ended(states, steps, steps == most)
        late = result.status is RunStatus.STOPPED and time.monotonic() > deadline
        return replace(result, status=RunStatus.TIME_LIMIT) if late else result

    def _steps(
        self, field: Field, times: Floats, y: Floats, most: int, deadline: float
    ) -> Iterator[Any]:
        """Yield SciPy's solver after each step, begun anew at each switch by the clock."""
        switches = switch_times(field)
        between = switches[(switches > times[0]) & (switches < times[-1])]
        edges = np.unique([times[0], *between, times[-1]]) if y.size else times[:0]
        for begin, end in itertools.pairwise(edges):
            solver = self._begin(field, begin, y, end, times[-1] - times[0])
            while solver.status == "running":
                try:
                    solver.step()
                except (FloatingPointError, RuntimeError):  # no finite, regular Jacobian
                    return
                late = time.monotonic() > deadline
                if late or solver.status == "failed" or solver.t == solver.t_old:
                    return
                yield solver
                most -= 1
                if not most:
                    return
            y = solver.y

    def _begin(self, field: Field, begin: float, y: Floats, end: float, span: float) -> Any:
        options: dict[str, Any] = {"rtol": self.rtol, "atol": self.atol}
        if not is_autonomous(field.structure):
            options["max_step"] = span / FEWEST_STEPS
        if self.method in ("Radau", "BDF"):
            options["jac"] = lambda t, y: scipy.sparse.csc_array(_finite(field, t, y))
        if self.method == "LSODA":
            options["jac"] = lambda t, y: _finite(field, t, y).toarray()
        kind = getattr(scipy.integrate, self.method)
        return kind(lambda t, y: field.rates(t, y[:, np.newaxis])[:, 0], begin, y, end, **options)


def chosen_method(field: Field, times: Floats) -> str:
    """Return the method that suits a network."""
    y = field.start(1)[:, 0]
    if y.size <= _SMALL:
        return "LSODA"
    stiffness = scipy.sparse.linalg.norm(field.jacobian(times[0], y), np.inf) * (
        times[-1] - times[0]
    )
    return "DOP853" if stiffness < _STIFF else "BDF"


def tolerances(
    field: Field, times: Floats, rtol: float, method: str, seconds: float = math.inf
) -> Floats:
    """Return an absolute tolerance per evolving variable: a thousandth of rtol on its own scale.

    The scale of a variable is the largest value that it takes at any node in a rough run.
    """
    scale = _largest(field, field.start(1))[:, 0]
    start = np.where(scale > 0, 1e-9 * scale, 1e-30)[field.structure.kind_of_state]
    grid = np.union1d(times, np.linspace(times[0], times[-1], 50))
    rough = Solver(method, 1e-5, start, seconds).run(field, grid).states
    return scaled(_largest(field, rough), scale, rtol)


def _largest(field: Field, states: Floats) -> Floats:
    """Return the largest size of each evolving variable among the nodes, (variables, columns)."""
    largest = np.zeros((field.structure.kinds.size, states.shape[1]))
    np.fmax.at(largest, field.structure.kind_of_state, np.abs(states))
    return largest


def _finite(field: Field, t: float, y: Floats) -> Any:
    slopes = field.jacobian(t, y)
    if not np.isfinite(slopes.data).all():
        raise FloatingPointError
    return slopes
