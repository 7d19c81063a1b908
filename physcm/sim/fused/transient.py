"""Pseudo-transient continuation over lanes: samples follow a flow until they rest.

A step h of the method that is accepted counts for the time average with the states at its ends,

    integral <- integral + h (x + x') / 2,

which begins anew with each step of the first half of those that a sample may try. It rests when
nothing has changed any more in some steps, each at least half as long as all before together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.native import Kernel, block, inlined, invoke
from physcm.sim.fused.rows import Row
from physcm.sim.fused.steppers import METHOD, Stepper

Integers = NDArray[np.int64]

RESTS, MOVES, LOST = 1, 2, 3
"""What became of a sample: it came to rest, kept moving, or had no step that it could take."""

_ATOL, _FLOOR = 1e-3, 1e-12
"""Tolerances: of each state's largest value, beside the relative one, and of the largest of all at
the start."""
_STILL_WITHIN, _STILL_STEPS, _NOTHING = 1e-7, 3, 1e-9
_FIRST, _SHORTEST, _TINY = 1e-2, 1e-14, 1e-300
_TIME, _STEP, _END, _LAST = Row.TIME.value, Row.STEP.value, Row.END.value, Row.LAST.value
_LONGEST, _RELATIVE, _COUNT = Row.LONGEST.value, Row.RTOL.value, Row.COUNT.value
_SIZE, _NEXT, _REACHED = Row.SIZE.value, Row.NEXT.value, Row.REACHED.value
_ATTEMPT, _COMMIT = METHOD.index("attempt"), METHOD.index("commit")
_SINCE, _MOVED, _WEIGHT, _LEAST, _X = range(len(Row), len(Row) + 5)
_SAMPLE, _TALLY, _STILL = range(3)
_ROW = 8 * LANES


def follow(
    stepper: Stepper, parameters: Floats, state: Floats, mean: Floats, scale: Floats,
    time: Floats, status: Integers, low: int, high: int, most: int, rtol: float, stop: Integers,
) -> None:  # fmt: skip
    """Follow the samples low, ..., high - 1 until they rest.

    Args:
        stepper: the method, made for the system.
        parameters: (parameters, samples).
        state: at first and then at the end, (states, samples).
        mean: the time average, in the same form.
        scale: the largest absolute values, in the same form.
        time: at the end, (samples).
        status: what became of each, (samples).
        low: the first sample.
        high: the first beyond.
        most: steps of a sample at the most.
        rtol: the relative tolerance.
        stop: the work breaks off when this is not 0, (1).
    """
    n = len(state)
    b = block(_X + (6 + stepper.stages) * n + len(parameters) + stepper.storage)
    b[_COUNT], b[_RELATIVE], b[[_END, _LAST, _LONGEST]] = n, rtol, np.inf
    _follow(
        stepper.method, stepper.system, stepper.stages, parameters, state, mean, scale, time,
        status, low, high, most, rtol, stop, b, np.full((3, LANES), -1),
    )  # fmt: skip


@Kernel
def _follow(
    code: Any, system: Any, stages: int, parameters: Any, state: Any, mean: Any, scale: Any,
    time: Any, status: Any, low: int, high: int, most: int, rtol: float, stop: Any, b: Any, w: Any,
) -> None:  # fmt: skip
    # The rows of b: the ledger and four more, then states, two blocks for the method, tolerances,
    # largest values, integrals, parameters, stages and what the method keeps; of w: what lane has
    # which sample, how many steps it has tried, and in how many it was still.
    n, m = state.shape[0], parameters.shape[0]
    y = _X + n
    z = y + n
    unit = z + n
    p = unit + 3 * n
    k = p + m
    l = b.ctypes.data
    at_x, at_y, at_z = l + _ROW * _X, l + _ROW * y, l + _ROW * z
    at_p, at_k, at_q = l + _ROW * p, l + _ROW * k, l + _ROW * (k + stages * n)
    everything = (
        n, system.ctypes.data, l, at_x, at_p, at_k, at_y, at_z, at_q, l + _ROW * unit,
    )  # fmt: skip
    waiting, active = low, 0
    while stop[0] == 0:
        if active < LANES and waiting < high:
            for i in range(LANES):
                if w[_SAMPLE, i] < 0 and waiting < high:
                    _enter(i, waiting, rtol, state, scale, parameters, b, w)
                    waiting += 1
                    active += 1
            invoke(system[0], (l + _ROW * _TIME, at_x, at_p, at_y))
            _first_steps(n, b)
        if active == 0:
            break
        invoke(code[_ATTEMPT], everything)
        _weigh(n, rtol, b, w)
        invoke(code[_COMMIT], (n, l, at_x, at_k, at_z))
        for i in range(LANES):
            if w[_SAMPLE, i] >= 0:
                ended = _ending(i, most, b, w)
                if ended != 0:
                    _leave(i, ended, state, mean, scale, time, status, b, w)
                    active -= 1
                elif b[_WEIGHT, i] > 0.0 and w[_TALLY, i] <= most // 2:
                    _average_anew(i, n, b)


@inlined
def _enter(
    i: int, s: int, rtol: float, state: Any, scale: Any, parameters: Any, b: Any, w: Any
) -> None:
    """Put a sample into a lane."""
    n, least = state.shape[0], 0.0
    unit = _X + 3 * n
    largest, integral, p = unit + n, unit + 2 * n, unit + 3 * n
    for r in range(n):
        b[_X + r, i], b[integral + r, i], b[largest + r, i] = state[r, s], 0.0, scale[r, s]
        least = max(least, _FLOOR * scale[r, s])
    for r in range(parameters.shape[0]):
        b[p + r, i] = parameters[r, s]
    b[_LEAST, i] = least if least > 0.0 else _FLOOR
    for r in range(n):
        b[unit + r, i] = _ATOL * rtol * b[largest + r, i] + b[_LEAST, i]
    b[_TIME, i], b[_STEP, i], b[_SINCE, i] = 0.0, 0.0, 0.0
    w[_SAMPLE, i], w[_TALLY, i], w[_STILL, i] = s, 0, 0


@inlined
def _first_steps(n: int, b: Any) -> None:
    """Begin where there is no step yet with one that changes the states by a hundredth."""
    for i in range(LANES):
        if b[_STEP, i] > 0.0:
            continue
        size, fastest = 0.0, 0.0
        for r in range(n):
            size = max(size, abs(b[_X + r, i]))
        for r in range(n):
            near = abs(b[_X + r, i]) + _FIRST * (size if size > 0.0 else 1.0)
            fastest = max(fastest, abs(b[_X + n + r, i]) / near)
        b[_STEP, i] = _FIRST / fastest if fastest > 0.0 else 1.0


@inlined
def _weigh(n: int, rtol: float, b: Any, w: Any) -> None:
    """Add what was accepted to the integrals, and see how far the states have moved."""
    z = _X + 2 * n
    unit, largest, integral = z + n, z + 2 * n, z + 3 * n
    for i in range(LANES):
        good = w[_SAMPLE, i] >= 0 and b[_SIZE, i] <= 1.0
        b[_WEIGHT, i] = 0.5 * b[_STEP, i] if good else 0.0
        b[_MOVED, i] = 0.0
    for r in range(n):
        for i in range(LANES):
            x, new = b[_X + r, i], b[z + r, i]
            size = abs(new)
            if b[_WEIGHT, i] > 0.0:
                b[integral + r, i] += b[_WEIGHT, i] * (x + new)
                b[largest + r, i] = max(b[largest + r, i], size)
                b[unit + r, i] = _ATOL * rtol * b[largest + r, i] + b[_LEAST, i]
            change = abs(new - x) / (size + _NOTHING * b[largest + r, i] + _TINY)
            b[_MOVED, i] = max(b[_MOVED, i], change)


@inlined
def _ending(i: int, most: int, b: Any, w: Any) -> int:
    """Count the step of a lane; return what has become of its sample, 0 if it goes on."""
    w[_TALLY, i] += 1
    if b[_WEIGHT, i] > 0.0:
        longer = b[_STEP, i] >= 0.5 * b[_TIME, i]
        w[_STILL, i] = w[_STILL, i] + 1 if b[_MOVED, i] <= _STILL_WITHIN and longer else 0
        b[_TIME, i] = b[_REACHED, i]
    b[_STEP, i] = b[_NEXT, i]
    if w[_STILL, i] >= _STILL_STEPS:
        return RESTS
    if not b[_STEP, i] > max(_SHORTEST * b[_TIME, i], _TINY):
        return LOST
    return MOVES if w[_TALLY, i] >= most else 0


@inlined
def _leave(
    i: int, ended: int, state: Any, mean: Any, scale: Any, time: Any, status: Any, b: Any, w: Any
) -> None:
    """Take a sample out of a lane."""
    n, s, span = state.shape[0], w[_SAMPLE, i], b[_TIME, i] - b[_SINCE, i]
    largest, integral = _X + 4 * n, _X + 5 * n
    status[s], time[s] = ended, b[_TIME, i]
    for r in range(n):
        state[r, s], scale[r, s] = b[_X + r, i], b[largest + r, i]
        mean[r, s] = b[integral + r, i] / span if span > 0.0 else b[_X + r, i]
    w[_SAMPLE, i] = -1


@inlined
def _average_anew(i: int, n: int, b: Any) -> None:
    b[_SINCE, i] = b[_TIME, i]
    for r in range(n):
        b[_X + 5 * n + r, i] = 0.0
