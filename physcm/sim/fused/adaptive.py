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
from physcm.sim.fused.native import Kernel, invoke
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
        code: addresses of the method's begin, attempt, extend, shape, mix and commit.
        system: addresses of the system's functions that the method calls.
        stages: how many stages of the method are kept.
        storage: how many rows of its own the method needs.
        stability: how far |h lambda| may reach, infinite for implicit methods.
        tolerance: absolute tolerances, (states, LANES).
        rtol: relative tolerance.
        begin: the time of each sample there, and then here.
        end: the time to go to.
        start: the states there and then here, (states, samples).
        parameters: (parameters, samples).
        longest: no step is longer.
        step: the first step to try, 0 for one found here; then the one to try next.
        status: how each sample's run ended; one that is not 0 at first is left alone.
        steps: how many steps each has tried, added up.
        times: to save, increasing.
        out: the states at those in (begin, end], (states, samples, times).
        low: the first sample.
        high: the first beyond.
        most: steps of a sample at the most.
        stop: the run breaks off when this is not 0, (1).
        watch: the address of the code of conditions, each 1 or 0; without any it is 0.
        truth: what they were when last looked at, (conditions, samples).
        blind: up to which time nothing is looked at, (samples).
    """
    n, m = start.shape[0], parameters.shape[0]
    l = np.zeros((_ROWS, LANES))
    x, y, z = np.zeros((n, LANES)), np.zeros((n, LANES)), np.zeros((n, LANES))
    k, w, p = np.zeros((stages, n, LANES)), np.zeros((stages, n, LANES)), np.zeros((m, LANES))
    q = np.zeros((storage, LANES))
    sample, place = np.full(LANES, -1), np.zeros(LANES, np.int64)
    count, stiff, mild = (
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
    )
    for i in range(LANES):
        l[_COUNT, i] = n
        l[_RTOL, i] = rtol
    called, near, far = np.zeros(LANES, np.bool_), np.zeros(LANES), np.zeros(LANES)
    seen = np.zeros((truth.shape[0], LANES))
    waiting, active = low, 0
    everything = (
        n, system.ctypes.data, l.ctypes.data, x.ctypes.data, p.ctypes.data, k.ctypes.data,
        y.ctypes.data, z.ctypes.data, q.ctypes.data, tolerance.ctypes.data,
    )  # fmt: skip
    mixed = (
        n, l.ctypes.data, x.ctypes.data, z.ctypes.data, k.ctypes.data, w.ctypes.data,
        y.ctypes.data,
    )  # fmt: skip
    while stop[0] == 0:
        if active < LANES and waiting < high:
            for i in range(LANES):
                while waiting < high and status[waiting] != 0:
                    waiting += 1
                if sample[i] < 0 and waiting < high:
                    s = waiting
                    waiting += 1
                    active += 1
                    sample[i] = s
                    l[_TIME, i], l[_END, i], l[_STEP, i] = begin[s], end[s], step[s]
                    l[_LONGEST, i], l[_FRESH, i] = longest, 1.0
                    l[_FIRST, i] = np.nextafter(begin[s], end[s])
                    l[_LAST, i] = np.nextafter(end[s], begin[s])
                    for r in range(n):
                        x[r, i] = start[r, s]
                    for r in range(m):
                        p[r, i] = parameters[r, s]
                    j = 0
                    while j < times.size and times[j] <= begin[s]:
                        j += 1
                    place[i] = j
                    count[i] = stiff[i] = mild[i] = 0
            invoke(code[0], everything)
        if active == 0:
            break
        invoke(code[1], everything)
        extended = watch != 0
        if watch != 0:
            invoke(code[2], everything)
            invoke(code[3], mixed)
            # Look at a few places between the ends of the step; then halve where one changes.
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
                invoke(
                    code[4],
                    mixed,
                )
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
        while True:
            some = False
            for i in range(LANES):
                l[_THETA, i] = -1.0
                if sample[i] >= 0 and l[_SIZE, i] <= 1.0 and place[i] < times.size:
                    now = times[place[i]]
                    if now <= l[_REACHED, i]:
                        l[_THETA, i] = (now - l[_TIME, i]) / l[_STEP, i]
                        some = True
            if not some:
                break
            if not extended:
                invoke(code[2], everything)
                invoke(code[3], mixed)
                extended = True
            invoke(
                code[4],
                mixed,
            )
            for i in range(LANES):
                if l[_THETA, i] >= 0.0:
                    for r in range(n):
                        out[r, sample[i], place[i]] = y[r, i]
                    place[i] += 1
        if watch != 0:
            for i in range(LANES):
                l[_THETA, i] = far[i]
            invoke(code[4], mixed)
            for i in range(LANES):
                if called[i]:
                    for r in range(n):
                        z[r, i] = y[r, i]
        invoke(code[5], (n, l.ctypes.data, x.ctypes.data, k.ctypes.data, z.ctypes.data))
        for i in range(LANES):
            s = sample[i]
            if s < 0:
                continue
            ended = 0
            count[i] += 1
            if l[_SIZE, i] <= 1.0:
                if l[_STEEP, i] > stability:
                    stiff[i] += 1
                    mild[i] = 0
                    if (
                        stiff[i] >= _STIFF_STEPS
                        and l[_END, i] - l[_REACHED, i] > _STEPS_AHEAD * l[_STEP, i]
                    ):
                        ended = STIFF
                else:
                    mild[i] += 1
                    if mild[i] == _MILD_STEPS:
                        stiff[i] = 0
            l[_TIME, i] = l[_REACHED, i]
            remaining = l[_END, i] - l[_TIME, i]
            l[_STEP, i] = l[_NEXT, i]
            if remaining <= 0.0:
                ended = ARRIVED
            elif l[_STEP, i] < max(_SHORTEST * abs(l[_TIME, i]), _TINY):
                ended = LOST
            elif count[i] >= most:
                ended = TIRED
            elif l[_STEP, i] > remaining:
                l[_STEP, i] = remaining
            if watch != 0 and called[i]:
                ended = CALLED
            if ended > 0:
                status[s] = ended
                steps[s] += count[i]
                begin[s], step[s] = l[_TIME, i], l[_NEXT, i]
                for r in range(n):
                    start[r, s] = x[r, i]
                sample[i] = -1
                active -= 1
