"""Ensembles by one-step methods, with a step of its own for each sample.

A block holds `LANES` samples. In each turn all of them try a step, of their own length from
their own time; what they have in common is the code alone. A sample that has arrived makes room
for the next one. Which method it is, explicit or implicit, is in the code that is called.

A sample is given up as stiff where h times the slope of f between the two states last seen at
the step's end stays beyond what the method is stable for, with many such steps ahead (Hairer &
Wanner, Solving Ordinary Differential Equations II, 1996, section IV.2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.native import Kernel, invoke, part
from physcm.mechanism.lanes.vectors import WIDTH
from physcm.sim.fused.rows import Row

ARRIVED, STIFF, LOST, TIRED, CALLED = 1, 2, 3, 4, 5
"""How a sample's run ended: at its end, given up as stiff, without a step that it can take,
after too many, or where a watched condition changed; 0 where it was interrupted."""

_STIFF_STEPS, _MILD_STEPS, _STEPS_AHEAD = 15, 6, 200
_SHORTEST, _TINY = 1e-14, 1e-300
_TIME, _STEP, _END, _LONGEST, _RTOL = (
    Row.TIME.value,
    Row.STEP.value,
    Row.END.value,
    Row.LONGEST.value,
    Row.RTOL.value,
)
_COUNT, _FRESH, _THETA, _SIZE = Row.COUNT.value, Row.FRESH.value, Row.THETA.value, Row.SIZE.value
_STEEP, _NEXT, _REACHED = Row.STEEP.value, Row.NEXT.value, Row.REACHED.value
_FIRST, _LAST, _AT = Row.FIRST.value, Row.LAST.value, Row.AT.value
_DUE = Row.DUE.value
_BEGIN, _ATTEMPT, _EXTEND, _SHAPE, _MIX, _SAVE, _COMMIT = range(7)
LOOKS, _HALVINGS = 8, 60
_ROWS = len(Row)


@Kernel
def run(
    code: Any, system: Any, stages: int, storage: int, stability: float,
    tolerance: Any, rtol: float,
    begin: Any, end: Any, start: Any, parameters: Any, longest: float, step: Any, status: Any,
    steps: Any, times: Any, out: Any, low: int, high: int, most: int, stop: Any,
    watch: int, truth: Any, blind: Any,
) -> None:  # fmt: skip
    """Integrate the samples low, ..., high - 1 from `begin` to `end`.

    Args:
        code: addresses of the method's begin, attempt, extend, shape, mix, save and commit.
        system: addresses of the system's functions that the method calls.
        stages: how many stages of the method are kept.
        storage: how many rows of its own the method needs.
        stability: how far |h lambda| may reach, infinite for implicit methods.
        tolerance: absolute tolerances, (states, 1 or samples).
        rtol: relative tolerance.
        begin: the time of each sample there, and then here.
        end: the time to go to.
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
        watch: the address of the code of conditions, each 1 or 0; without any it is 0.
        truth: what they were when last looked at, (conditions, samples).
        blind: up to which time nothing is looked at, (samples).
    """
    n = start.shape[0]
    l, x = np.zeros((_ROWS, LANES)), np.zeros((n, LANES))
    y, z, unit = np.zeros((n, LANES)), np.zeros((n, LANES)), np.zeros((n, LANES))
    k, c = np.zeros((stages, n, LANES)), np.zeros((stages, n, LANES))
    p, q = np.zeros((parameters.shape[0], LANES)), np.zeros((storage, LANES))
    sample, place = np.full(LANES, -1), np.zeros(LANES, np.int64)
    tally, seen = np.zeros((3, LANES), np.int64), np.zeros((truth.shape[0], LANES))
    called, near, far = np.zeros(LANES, np.bool_), np.zeros(LANES), np.zeros(LANES)
    for i in range(LANES):
        l[_COUNT, i], l[_RTOL, i], l[_LONGEST, i], l[_DUE, i] = n, rtol, longest, np.inf
    everything = (
        n, system.ctypes.data, l.ctypes.data, x.ctypes.data, p.ctypes.data, k.ctypes.data,
        y.ctypes.data, z.ctypes.data, q.ctypes.data, unit.ctypes.data,
    )  # fmt: skip
    mixed = (
        n, l.ctypes.data, x.ctypes.data, z.ctypes.data, k.ctypes.data, c.ctypes.data,
        y.ctypes.data,
    )  # fmt: skip
    waiting, active = low, 0
    rows, columns, count = times.shape[0] - 1, tolerance.shape[1] - 1, times.shape[1]
    while stop[0] == 0:
        if active < LANES and waiting < high:
            for i in range(LANES):
                while waiting < high and status[waiting] != 0:
                    waiting += 1
                if sample[i] < 0 and waiting < high:
                    s = sample[i] = waiting
                    l[_TIME, i], l[_END, i], l[_STEP, i] = begin[s], end[s], step[s]
                    l[_FIRST, i] = np.nextafter(begin[s], end[s])
                    l[_LAST, i] = np.nextafter(end[s], begin[s])
                    l[_FRESH, i] = 1.0
                    for r in range(n):
                        x[r, i] = start[r, s]
                        unit[r, i] = tolerance[r, min(s, columns)]
                    for r in range(p.shape[0]):
                        p[r, i] = parameters[r, s]
                    row = min(s, rows)
                    place[i] = np.searchsorted(times[row], begin[s], "right")
                    l[_DUE, i] = times[row, place[i]] if place[i] < count else np.inf
                    tally[0, i] = tally[1, i] = tally[2, i] = 0
                    waiting += 1
                    active += 1
            invoke(code[_BEGIN], everything)
        if active == 0:
            break
        invoke(code[_ATTEMPT], everything)
        if watch != 0:
            invoke(code[_EXTEND], everything)
            invoke(code[_SHAPE], mixed)
            _look(code[_MIX], watch, mixed, l, y, p, sample, truth, blind, seen, called, near, far)
        extended = watch != 0
        for i in range(LANES):
            reached, j, row = l[_REACHED, i], place[i], min(sample[i], rows)
            while l[_SIZE, i] <= 1.0 and l[_DUE, i] <= reached:
                if not extended:
                    invoke(code[_EXTEND], everything)
                    invoke(code[_SHAPE], mixed)
                    extended = True
                first, j = j, j + 1
                while j < min(first + WIDTH, count) and times[row, j] <= reached:
                    j += 1
                own = 8 * i
                invoke(
                    code[_SAVE],
                    (
                        n, l.ctypes.data + own, x.ctypes.data + own, z.ctypes.data + own,
                        k.ctypes.data + own, c.ctypes.data + own,
                        times.ctypes.data + 8 * (row * count + first), j - first,
                        out.ctypes.data + 8 * (sample[i] * count + first),
                        start.shape[1] * count,
                    ),
                )  # fmt: skip
                l[_DUE, i], place[i] = times[row, j] if j < count else np.inf, j
        if watch != 0:
            for i in range(LANES):
                l[_THETA, i] = far[i]
            invoke(code[_MIX], mixed)
            for i in range(LANES):
                if called[i]:
                    for r in range(n):
                        z[r, i] = y[r, i]
        invoke(code[_COMMIT], (n, l.ctypes.data, x.ctypes.data, k.ctypes.data, z.ctypes.data))
        for i in range(LANES):
            s = sample[i]
            if s >= 0:
                ended, ahead = 0, l[_END, i] - l[_REACHED, i]
                tally[0, i] += 1
                if l[_SIZE, i] <= 1.0 and l[_STEEP, i] > stability:
                    tally[1, i] += 1
                    tally[2, i] = 0
                    if tally[1, i] >= _STIFF_STEPS and ahead > _STEPS_AHEAD * l[_STEP, i]:
                        ended = STIFF
                elif l[_SIZE, i] <= 1.0:
                    tally[2, i] += 1
                    if tally[2, i] == _MILD_STEPS:
                        tally[1, i] = 0
                l[_TIME, i], l[_STEP, i] = l[_REACHED, i], l[_NEXT, i]
                if ahead <= 0.0:
                    ended = ARRIVED
                elif l[_STEP, i] < max(_SHORTEST * abs(l[_TIME, i]), _TINY):
                    ended = LOST
                elif tally[0, i] >= most:
                    ended = TIRED
                elif l[_STEP, i] > ahead:
                    l[_STEP, i] = ahead
                if called[i]:
                    ended = CALLED
                if ended > 0:
                    status[s], begin[s], step[s] = ended, l[_TIME, i], l[_NEXT, i]
                    steps[s] += tally[0, i]
                    for r in range(n):
                        start[r, s] = x[r, i]
                    sample[i] = -1
                    l[_DUE, i] = np.inf
                    called[i] = False
                    active -= 1
    for i in range(LANES):
        if sample[i] >= 0:
            begin[sample[i]] = l[_TIME, i]
            for r in range(n):
                start[r, sample[i]] = x[r, i]


@part
def _look(
    mix: int, watch: int, mixed: Any, l: Any, y: Any, p: Any, sample: Any, truth: Any,
    blind: Any, seen: Any, called: Any, near: Any, far: Any,
) -> None:  # fmt: skip
    """Look for changes of watched conditions in the steps just tried, and locate the first.

    Each step is looked at in a few places; then the part in which something has changed is
    halved until its ends are neighboring numbers.
    """
    some = False
    for i in range(LANES):
        called[i], near[i], far[i] = False, 0.0, 1.0
    for turn in range(LOOKS + _HALVINGS):
        if turn == LOOKS and not some:
            break
        for i in range(LANES):
            middle = 0.5 * (near[i] + far[i])
            l[_THETA, i] = middle if called[i] else min((turn + 1.0) / LOOKS, 1.0)
            l[_AT, i] = l[_TIME, i] + l[_THETA, i] * l[_STEP, i]
        invoke(mix, mixed)
        invoke(watch, (l[_AT].ctypes.data, y.ctypes.data, p.ctypes.data, seen.ctypes.data))
        for i in range(LANES):
            s = sample[i]
            if s < 0 or l[_SIZE, i] > 1.0 or (turn >= LOOKS and not called[i]):
                continue
            changed = False
            if l[_AT, i] > blind[s]:
                for r in range(truth.shape[0]):
                    changed |= (seen[r, i] > 0.0) != (truth[r, s] > 0.0)
            if changed:
                if not called[i]:
                    near[i] = turn / LOOKS
                called[i], far[i], some = True, l[_THETA, i], True
            elif called[i]:
                near[i] = l[_THETA, i]
    for i in range(LANES):
        if called[i]:
            l[_REACHED, i] = l[_TIME, i] + far[i] * l[_STEP, i]
