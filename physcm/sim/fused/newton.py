"""Newton's method over lanes, towards points at rest.

Its steps are those of the linearly implicit Euler method,

    (1 - s J) u = s f(x),   x <- x + a u,

with s growing, and a <= 1 such that x stays within its bounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.native import Kernel, block, inlined, invoke
from physcm.sim.fused.steppers import Stepper

_ITERATIONS, _LONGER, _CLOSE, _TINY = 50, 2.0, 1e-9, 1e-300
_TIME, _STEP, _SLOPE, _X = range(4)
_SAMPLE, _TALLY = range(2)
_ROW = 8 * LANES


def seek(
    stepper: Stepper, parameters: Floats, state: Floats, bounds: Floats, first: Floats,
    low: int, high: int, stop: NDArray[np.int64],
) -> None:  # fmt: skip
    """Let Newton's method set out from the samples low, ..., high - 1.

    Args:
        stepper: a stiff one, of whose code that of the system is used.
        parameters: (parameters, samples).
        state: at first and then at the end, NaN where there is none, (states, samples).
        bounds: between which each state stays, (2, states).
        first: the length of the first step in time, (samples).
        low: the first sample.
        high: the first beyond.
        stop: the work breaks off when this is not 0, (1).
    """
    b = block(_X + 3 * len(state) + len(parameters) + stepper.storage)
    w = np.full((2, LANES), -1)
    _seek(stepper.system, parameters, state, bounds, first, low, high, stop, b, w)


@Kernel
def _seek(
    system: Any, parameters: Any, state: Any, bounds: Any, first: Any, low: int, high: int,
    stop: Any, b: Any, w: Any,
) -> None:  # fmt: skip
    # The rows of b: time, step and slope in time, states, rates, steps u, parameters, and what
    # `prepare` keeps; of w: what lane has which sample, and how many steps it has made.
    n = state.shape[0]
    f = _X + n
    u = f + n
    p = u + n
    t = b.ctypes.data
    at_x, at_f, at_u, at_p = t + _ROW * _X, t + _ROW * f, t + _ROW * u, t + _ROW * p
    at_s, at_d, at_q = t + _ROW * _STEP, t + _ROW * _SLOPE, at_p + _ROW * parameters.shape[0]
    waiting, active = low, 0
    while stop[0] == 0:
        for i in range(LANES):
            if w[_SAMPLE, i] < 0 and waiting < high:
                _enter(i, waiting, state, parameters, first, b, w)
                waiting += 1
                active += 1
        if active == 0:
            break
        invoke(system[1], (t, at_x, at_p, at_s, at_f, at_q))
        for r in range(n):
            for i in range(LANES):
                b[u + r, i] = 0.0
        invoke(system[2], (at_s, at_d, at_f, at_q, at_u))
        for i in range(LANES):
            if w[_SAMPLE, i] >= 0:
                moved = _move(i, bounds, b)
                b[_STEP, i] *= _LONGER
                w[_TALLY, i] += 1
                if moved <= _CLOSE or w[_TALLY, i] == _ITERATIONS or not moved < np.inf:
                    _leave(i, moved <= _CLOSE, state, b, w)
                    active -= 1


@inlined
def _enter(i: int, s: int, state: Any, parameters: Any, first: Any, b: Any, w: Any) -> None:
    """Put a sample into a lane."""
    n = state.shape[0]
    for r in range(n):
        b[_X + r, i] = state[r, s]
    for r in range(parameters.shape[0]):
        b[_X + 3 * n + r, i] = parameters[r, s]
    w[_SAMPLE, i], w[_TALLY, i], b[_STEP, i] = s, 0, first[s]


@inlined
def _move(i: int, bounds: Any, b: Any) -> float:
    """Make a step as far as the bounds are; return how long it is beside the states."""
    n, share, moved = bounds.shape[1], 1.0, 0.0
    for r in range(n):
        x, u, end = b[_X + r, i], b[_X + 2 * n + r, i], bounds[0, r]
        new = x + u
        if new > bounds[1, r]:
            end = bounds[1, r]
        if new < bounds[0, r] or new > bounds[1, r]:
            share = min(share, 0.9 * (end - x) / u)
        moved = max(moved, abs(u) / (abs(new) + _TINY))
        if not np.isfinite(new):
            moved = np.nan
    for r in range(n):
        b[_X + r, i] += share * b[_X + 2 * n + r, i]
    return moved


@inlined
def _leave(i: int, found: bool, state: Any, b: Any, w: Any) -> None:
    """Take a sample out of a lane."""
    for r in range(state.shape[0]):
        state[r, w[_SAMPLE, i]] = b[_X + r, i] if found else np.nan
    w[_SAMPLE, i] = -1
