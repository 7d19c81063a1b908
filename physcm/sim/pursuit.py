"""Samples of an autonomous system, each followed from a state of its own over times of its own.

They go together on the fast engine; what that lacks is done by the reference engine, one after
the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NotCompiled, Unsupported
from physcm.sim.engine import Trajectory, integrate
from physcm.sim.fused.numba_engine import Numba
from physcm.sim.status import RunStatus
from physcm.sim.system import System

MOST_STEPS = 100_000
"""A sample takes at most so many, on the reference engine between two saved times."""

_BROKE = (RunStatus.DIVERGED, RunStatus.STOPPED)
_TINY, _AGAIN = 1e-300, 3
"""A state smaller than the one is as good as 0."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Samples that were followed.

    Attributes:
        states: at the times of each, NaN from where a run ended early, (states, samples, times).
        status: how each ended.
        steps: how many steps each took, as far as the solver tells.
    """

    states: Floats
    status: list[RunStatus]
    steps: list[int]

    @property
    def each(self) -> Iterator[Trajectory]:
        """The samples one by one."""
        yield from map(Trajectory, self.states.swapaxes(0, 1), self.status, self.steps)


def pursue(system: System, times: Floats, x: Floats, p: Floats, rtol: float, atol: Floats) -> Runs:
    """Return the solution of X' = f(X, p) from each state at time 0.

    Args:
        system: the dynamics, with one state at least, which do not read time.
        times: increasing from 0, shape (samples, times).
        x: shape (states, samples).
        p: shape (parameters, samples).
        rtol: relative tolerance.
        atol: absolute tolerance of each state, shape (states, samples).

    >>> decay = System({"x": "-x"}, initial={"x": 1})
    >>> times = np.array([[0, np.log(2)], [0, np.log(4)]])
    >>> runs = pursue(decay, times, np.ones((1, 2)), np.empty((0, 2)), 1e-8, np.full((1, 2), 1e-8))
    >>> runs.states.round(6)
    array([[[1.  , 0.5 ],
            [1.  , 0.25]]])
    """
    try:
        return _together(system, times, x, p, rtol, atol)
    except (Unsupported, NotCompiled):
        runs = [
            integrate(system, t, x[:, k], p[:, k], rtol, atol[:, k], most_steps=MOST_STEPS)
            for k, t in enumerate(times)
        ]
        states = np.stack([run.states for run in runs], axis=1)
        return Runs(states, [run.status for run in runs], [run.steps for run in runs])


def pursue_within(
    bounds: Floats, system: System, times: Floats, x: Floats, p: Floats, rtol: float, atol: Floats
) -> Runs:
    """Return the same for states that stay within bounds, (2, states, samples).

    What all but dies out before it returns, as an infection between epidemics, is smaller than
    any absolute error, which may give it the wrong sign, with which it may grow without bound;
    that is done again without one.
    """
    runs = pursue(system, times, x, p, rtol, atol)
    inside = ~_crossing(bounds, x[:, :, np.newaxis]).any(axis=0)
    ends_at_zero = (bounds == 0).any(axis=0)
    for _ in range(_AGAIN):
        broke = np.array([status in _BROKE for status in runs.status], dtype=bool)
        wrong = _crossing(bounds, runs.states) | (ends_at_zero & broke)
        wrong &= inside & (atol > _TINY)
        atol = np.where(wrong, _TINY, atol)
        columns = np.flatnonzero(wrong.any(axis=0))
        if not columns.size:
            break
        again = pursue(system, times[columns], x[:, columns], p[:, columns], rtol, atol[:, columns])
        for k, place in enumerate(columns.tolist()):
            if again.status[k] is RunStatus.COMPLETE:
                runs.states[:, place], runs.steps[place] = again.states[:, k], again.steps[k]
                runs.status[place] = RunStatus.COMPLETE
    return runs


def _crossing(bounds: Floats, states: Floats) -> NDArray[np.bool_]:
    """Say which states, (states, samples, times), pass a bound at 0."""
    floor, ceiling = bounds == 0
    wrong = np.zeros(floor.shape, dtype=bool)
    if floor.any():
        wrong |= floor & (np.fmin.reduce(states, axis=2) < 0)
    if ceiling.any():
        wrong |= ceiling & (np.fmax.reduce(states, axis=2) > 0)
    return wrong


def _together(
    system: System, times: Floats, x: Floats, p: Floats, rtol: float, atol: Floats
) -> Runs:
    from physcm.sim.fused.ensemble import Batch, endings

    out = np.full((*x.shape, times.shape[1]), np.nan)
    out[:, :, 0] = x
    batch = Batch(
        system, Numba(), rtol, atol, times[:, 0], x, p, times, out, span=np.inf,
        most_steps=MOST_STEPS,
    )  # fmt: skip
    batch.advance(times[:, -1], np.inf)
    return Runs(out, endings(batch.status, batch.x, x), batch.steps.tolist())
