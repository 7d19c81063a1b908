"""Ensembles by one-step methods, with a step of its own for each sample.

A block holds `LANES` samples. In each turn all of them try a step, of their own length from
their own time; what they have in common is the code alone. A sample that has arrived makes room
for the next one. Which method it is, explicit or implicit, is in the code that is called.

"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.native import Kernel, block, inlined, invoke
from physcm.mechanism.lanes.vectors import WIDTH
from physcm.sim.fused.rows import Row
from physcm.sim.fused.steppers import METHOD, Stepper

Integers = NDArray[np.int64]
_COUNT, _RTOL, _LONGEST, _MOST = (
    Row.COUNT.value,
    Row.RTOL.value,
    Row.LONGEST.value,
    Row.MOST.value,
)
_TIME, _STEP, _END, _AT = Row.TIME.value, Row.STEP.value, Row.END.value, Row.AT.value
_FIRST, _LAST, _FRESH = Row.FIRST.value, Row.LAST.value, Row.FRESH.value
_THETA, _SIZE, _NEXT, _REACHED = Row.THETA.value, Row.SIZE.value, Row.NEXT.value, Row.REACHED.value
_DUE, _NEAR, _FAR, _CALL = Row.DUE.value, Row.NEAR.value, Row.FAR.value, Row.CALL.value
_TRIED, _STEEPS, _MILD, _ENDED = (
    Row.TRIED.value,
    Row.STEEPS.value,
    Row.MILD.value,
    Row.ENDED.value,
)
_BEGIN, _ATTEMPT, _EXTEND, _SHAPE, _MIX, _SAVE, _COMMIT, _ADVANCE = range(len(METHOD))
_SAMPLE, _PLACE = range(2)
LOOKS, _HALVINGS = 8, 60
_ROWS, _ROW = len(Row), 8 * LANES


def run(
    stepper: Stepper, tolerance: Floats, rtol: float, begin: Floats, end: Floats, inside: Floats,
    start: Floats, parameters: Floats, longest: float, step: Floats, status: Integers,
    steps: Integers, times: Floats, out: Floats, low: int, high: int, most: int, stop: Integers,
    watch: int | None, truth: Floats, blind: Floats,
) -> None:  # fmt: skip
    """Integrate the samples low, ..., high - 1 from `begin` to `end`.

    Args:
        stepper: the method, made for the system.
        tolerance: absolute tolerances, (states, 1 or samples).
        rtol: relative tolerance.
        begin: the time of each sample there, and then here.
        end: the time to go to.
        inside: the first number after `begin` and the last before `end`, (2, samples).
        start: the states there and then here, (states, samples).
        parameters: (parameters, samples).
        longest: no step is longer.
        step: the first step to try, 0 for one found here; then the one to try next.
        status: how each sample's run ended; one that is not 0 at first is left alone.
        steps: how many steps each has tried, added up.
        times: to save, increasing, (1 or samples, times).
        out: the states at those in (begin, end], (states, samples, times).
        low: the first sample.
        high: the first beyond.
        most: steps of a sample at the most.
        stop: the run breaks off when this is not 0, (1).
        watch: the address of the code of conditions, each 1 or 0; without any it is None.
        truth: what they were when last looked at, (conditions, samples).
        blind: up to which time nothing is looked at, (samples).
    """
    n, m = len(start), len(parameters)
    rows = _ROWS + (4 + 2 * stepper.stages) * n + m + len(truth) + stepper.storage
    b = block(rows)
    b[_COUNT], b[_RTOL], b[_LONGEST], b[_MOST], b[_DUE] = n, rtol, longest, most, np.inf
    _run(
        stepper.method, stepper.system, stepper.stages, tolerance, begin, end, inside, start,
        parameters, step, status, steps, times, out, low, high, stop, watch, truth, blind, b,
        np.full((2, LANES), -1),
    )  # fmt: skip


@Kernel
def _run(
    code: Any, system: Any, stages: int, tolerance: Any, begin: Any, end: Any, inside: Any,
    start: Any, parameters: Any, step: Any, status: Any, steps: Any, times: Any, out: Any,
    low: int, high: int, stop: Any, watch: int | None, truth: Any, blind: Any, b: Any, w: Any,
) -> None:  # fmt: skip
    # The rows of b: the ledger, states, tolerances, new states, parameters, conditions, stages,
    # coefficients of the interpolant and what the method keeps; of w: what lane has which sample.
    n = start.shape[0]
    x, unit, y, z, p = _ROWS, _ROWS + n, _ROWS + 2 * n, _ROWS + 3 * n, _ROWS + 4 * n
    seen = p + parameters.shape[0]
    k = seen + truth.shape[0]
    c = k + stages * n
    q = c + stages * n
    l = b.ctypes.data
    at_x, at_z, at_k, at_c = l + _ROW * x, l + _ROW * z, l + _ROW * k, l + _ROW * c
    at_y, at_p = l + _ROW * y, l + _ROW * p
    everything = (
        n, system.ctypes.data, l, at_x, at_p, at_k, at_y, at_z, l + _ROW * q, l + _ROW * unit,
    )  # fmt: skip
    mixed = n, l, at_x, at_z, at_k, at_c, at_y
    moving = n, l, at_x, at_k, at_z
    saving = n, l, at_x, at_z, at_k, at_c, out.ctypes.data, out.shape[1] * out.shape[2]
    waiting, active = low, 0
    while stop[0] == 0:
        if active < LANES and waiting < high:
            for i in range(LANES):
                while waiting < high and status[waiting] != 0:
                    waiting += 1
                if w[_SAMPLE, i] < 0 and waiting < high:
                    _set_clock(i, waiting, begin, end, step, inside, b)
                    _enter(i, waiting, x, start, unit, tolerance, p, parameters, times, b, w)
                    waiting += 1
                    active += 1
            invoke(code[_BEGIN], everything)
        if active == 0:
            break
        invoke(code[_ATTEMPT], everything)
        if watch is not None or _is_due(b):
            invoke(code[_EXTEND], everything)
            invoke(code[_SHAPE], mixed)
        if watch is not None:
            _look(code[_MIX], watch, mixed, at_p, seen, truth, blind, b, w)
        for i in range(LANES):
            if b[_SIZE, i] <= 1.0 and b[_DUE, i] <= b[_REACHED, i]:
                _save(code[_SAVE], saving, i, times, b, w)
        if watch is not None:
            _stop(code[_MIX], mixed, n, y, z, b)
        invoke(code[_COMMIT], moving)
        invoke(code[_ADVANCE], (l,))
        for i in range(LANES):
            if w[_SAMPLE, i] >= 0 and b[_ENDED, i] > 0.0:
                _leave(i, x, start, begin, step, status, steps, b, w)
                active -= 1
    for i in range(LANES):
        if w[_SAMPLE, i] >= 0:
            _leave(i, x, start, begin, step, status, steps, b, w)


@inlined
def _set_clock(i: int, s: int, begin: Any, end: Any, step: Any, inside: Any, b: Any) -> None:
    """Write to a lane when its sample begins and ends, and its step."""
    b[_TIME, i], b[_END, i], b[_STEP, i] = begin[s], end[s], step[s]
    b[_FIRST, i], b[_LAST, i] = inside[0, s], inside[1, s]


@inlined
def _enter(
    i: int, s: int, x: int, start: Any, unit: int, tolerance: Any, p: int, parameters: Any,
    times: Any, b: Any, w: Any,
) -> None:  # fmt: skip
    """Put a sample into a lane, whose clock is set; find the first time to save."""
    for r in range(start.shape[0]):
        b[x + r, i] = start[r, s]
        b[unit + r, i] = tolerance[r, min(s, tolerance.shape[1] - 1)]
    for r in range(parameters.shape[0]):
        b[p + r, i] = parameters[r, s]
    row, first, last = min(s, times.shape[0] - 1), 0, times.shape[1]
    while first < last:
        middle = (first + last) >> 1
        if times[row, middle] <= b[_TIME, i]:
            first = middle + 1
        else:
            last = middle
    w[_SAMPLE, i], w[_PLACE, i] = s, first
    b[_DUE, i] = times[row, first] if first < times.shape[1] else np.inf
    b[_FRESH, i] = 1.0
    b[_TRIED, i] = b[_STEEPS, i] = b[_MILD, i] = 0.0


@inlined
def _is_due(b: Any) -> bool:
    """Say whether anything is to be saved within the steps just tried."""
    some = False
    for i in range(LANES):
        some |= b[_SIZE, i] <= 1.0 and b[_DUE, i] <= b[_REACHED, i]
    return some


@inlined
def _save(code: int, saving: Any, i: int, times: Any, b: Any, w: Any) -> None:
    """Save the states of a lane at the times up to what is reached, some times at once."""
    n, l, x, z, k, c, out, apart = saving
    count, own, s, j = times.shape[1], 8 * i, w[_SAMPLE, i], w[_PLACE, i]
    row, reached = min(s, times.shape[0] - 1), b[_REACHED, i]
    while j < count and times[row, j] <= reached:
        first, j = j, j + 1
        while j < min(first + WIDTH, count) and times[row, j] <= reached:
            j += 1
        lane = l + own, x + own, z + own, k + own, c + own
        at = times.ctypes.data + 8 * (row * count + first)
        invoke(code, (n, *lane, at, j - first, out + 8 * (s * count + first), apart))
    b[_DUE, i], w[_PLACE, i] = times[row, j] if j < count else np.inf, j


@inlined
def _leave(
    i: int, x: int, start: Any, begin: Any, step: Any, status: Any, steps: Any, b: Any, w: Any
) -> None:
    """Take a sample out of a lane."""
    s = w[_SAMPLE, i]
    status[s], begin[s], step[s] = int(b[_ENDED, i]), b[_TIME, i], b[_NEXT, i]
    steps[s] += int(b[_TRIED, i])
    for r in range(start.shape[0]):
        start[r, s] = b[x + r, i]
    w[_SAMPLE, i], b[_DUE, i], b[_CALL, i] = -1, np.inf, 0.0


@inlined
def _look(
    mix: int, watch: int, mixed: Any, parameters: int, seen: int, truth: Any, blind: Any,
    b: Any, w: Any,
) -> None:  # fmt: skip
    """Look for changes of watched conditions in the steps just tried, and locate the first.

    Each step is looked at in a few places; then the part in which something has changed is
    halved until its ends are neighboring numbers.
    """
    some, l, states = False, mixed[1], mixed[6]
    looking = l + _ROW * _AT, states, parameters, l + _ROW * seen
    for i in range(LANES):
        b[_CALL, i], b[_NEAR, i], b[_FAR, i] = 0.0, 0.0, 1.0
    for turn in range(LOOKS + _HALVINGS):
        if turn == LOOKS and not some:
            return
        for i in range(LANES):
            middle = 0.5 * (b[_NEAR, i] + b[_FAR, i])
            b[_THETA, i] = middle if b[_CALL, i] > 0.0 else min((turn + 1.0) / LOOKS, 1.0)
            b[_AT, i] = b[_TIME, i] + b[_THETA, i] * b[_STEP, i]
        invoke(mix, mixed)
        invoke(watch, looking)
        for i in range(LANES):
            s = w[_SAMPLE, i]
            if s < 0 or b[_SIZE, i] > 1.0 or (turn >= LOOKS and b[_CALL, i] == 0.0):
                continue
            if _has_changed(i, s, seen, truth, blind, b):
                if b[_CALL, i] == 0.0:
                    b[_NEAR, i] = turn / LOOKS
                b[_CALL, i], b[_FAR, i], some = 1.0, b[_THETA, i], True
            elif b[_CALL, i] > 0.0:
                b[_NEAR, i] = b[_THETA, i]
    # Neighboring places of a long step may have a time between them, such as that of `t == 5.3`.
    for i in range(LANES):
        if b[_CALL, i] > 0.0:
            before = b[_TIME, i] + b[_NEAR, i] * b[_STEP, i]
            b[_REACHED, i], b[_THETA, i] = b[_TIME, i] + b[_FAR, i] * b[_STEP, i], b[_FAR, i]
            b[_NEAR, i], b[_AT, i] = before, 0.5 * (before + b[_REACHED, i])
    invoke(mix, mixed)
    invoke(watch, looking)
    for i in range(LANES):
        between = b[_CALL, i] > 0.0 and b[_AT, i] > b[_NEAR, i]
        if between and _has_changed(i, w[_SAMPLE, i], seen, truth, blind, b):
            b[_REACHED, i] = b[_AT, i]


@inlined
def _has_changed(i: int, s: int, seen: int, truth: Any, blind: Any, b: Any) -> bool:
    """Say whether a condition of a lane's sample is not what it was, where it is looked at."""
    changed = False
    if b[_AT, i] > blind[s]:
        for r in range(truth.shape[0]):
            changed |= (b[seen + r, i] > 0.0) != (truth[r, s] > 0.0)
    return changed


@inlined
def _stop(mix: int, mixed: Any, n: int, y: int, z: int, b: Any) -> None:
    """Let steps in which a watched condition changes end there."""
    for i in range(LANES):
        b[_THETA, i] = b[_FAR, i]
    invoke(mix, mixed)
    for i in range(LANES):
        if b[_CALL, i] > 0.0:
            for r in range(n):
                b[z + r, i] = b[y + r, i]
