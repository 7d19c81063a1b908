"""Samples of an autonomous system, each followed from a state of its own over times of its own.

They go together on the fast engine; what that lacks is done by the reference engine, one after
the other.
"""

from __future__ import annotations

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NotCompiled, Unsupported
from physcm.sim.engine import Trajectory, integrate
from physcm.sim.fused.numba_engine import Numba
from physcm.sim.system import System

MOST_STEPS = 100_000
"""A sample takes at most so many, on the reference engine between two saved times."""


def pursue(
    system: System, times: Floats, x: Floats, p: Floats, rtol: float, atol: Floats
) -> list[Trajectory]:
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
    >>> [run.states.round(6).tolist() for run in runs]
    [[[1.0, 0.5]], [[1.0, 0.25]]]
    """
    try:
        return _together(system, times, x, p, rtol, atol)
    except (Unsupported, NotCompiled):
        return [
            integrate(system, t, x[:, k], p[:, k], rtol, atol[:, k], most_steps=MOST_STEPS)
            for k, t in enumerate(times)
        ]


def _together(
    system: System, times: Floats, x: Floats, p: Floats, rtol: float, atol: Floats
) -> list[Trajectory]:
    from physcm.sim.fused.ensemble import Batch, endings

    out = np.full((*x.shape, times.shape[1]), np.nan)
    out[:, :, 0] = x
    batch = Batch(
        system, Numba(), rtol, atol, times[:, 0], x, p, times, out, span=np.inf,
        most_steps=MOST_STEPS,
    )  # fmt: skip
    batch.advance(times[:, -1], np.inf)
    ended = endings(batch.status, batch.x, x)
    return [Trajectory(out[:, k], status, int(batch.steps[k])) for k, status in enumerate(ended)]
