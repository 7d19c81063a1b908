"""Where samples come to rest: pseudo-transient continuation, and Newton's method.

Continuation follows the flow by Rodas5P, unless told with a rough tolerance. As a sample comes to
rest its error vanishes and its steps grow; since the method is L-stable, long steps are steps of
Newton's method, and the end is approached faster than exponentially. What keeps moving, on a cycle
for instance, is given up after a number of steps; its time average is where Newton's method sets
out, as steps of the linearly implicit Euler method,

    (1 - s J) u = s f(x),   x <- x + a u,

with s growing, and a <= 1 such that x stays within its bounds. Both keep all linear combinations
of states that the flow keeps, up to rounding, so that no conservation law need be known here.

Reference: Kelley & Keyes, Convergence analysis of pseudo-transient continuation, SIAM J. Numer.
Anal. 35, 1998.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.native import Kernel, invoke, part
from physcm.mechanism.lanes.pool import share
from physcm.sim.fused import steppers
from physcm.sim.fused.local import load
from physcm.sim.fused.rows import Row
from physcm.sim.fused.steppers import METHOD

RESTS, MOVES, LOST = 1, 2, 3
"""What became of a sample: it came to rest, kept moving, or had no step that it could take."""

ROUGH = 1e-3
"""A relative tolerance with which the flow is followed."""
_ATOL, _FLOOR = 1e-3, 1e-12
"""Tolerances: of each state's largest value, beside the relative one, and of the largest of all at
the start."""
_STILL, _STILL_STEPS, _NOTHING = 1e-7, 3, 1e-9
_FIRST, _SHORTEST, _TINY = 1e-2, 1e-14, 1e-300
_ITERATIONS, _LONGER, _CLOSE = 50, 2.0, 1e-9
_TIME, _STEP, _END, _LAST = Row.TIME.value, Row.STEP.value, Row.END.value, Row.LAST.value
_LONGEST, _RELATIVE, _COUNT = Row.LONGEST.value, Row.RTOL.value, Row.COUNT.value
_SIZE, _NEXT, _REACHED = Row.SIZE.value, Row.NEXT.value, Row.REACHED.value
_ATTEMPT, _COMMIT = METHOD.index("attempt"), METHOD.index("commit")
_ROWS = len(Row)


@dataclass(frozen=True, eq=False)
class Paths:
    """Samples on their way, the last axis of each array over them.

    Attributes:
        x: where they are, (states, samples).
        mean: the average over at least the last half of the time, in the same form.
        scale: the largest value that each state took, in the same form.
        time: how long they have been followed.
        status: what became of them; 0 where that was not looked at.
    """

    x: Floats
    mean: Floats
    scale: Floats
    time: Floats
    status: NDArray[np.int64]


def followed(
    name: str, rates: Program, x0: Floats, p: Floats, *, most_steps: int, threads: int,
    rtol: float = ROUGH,
) -> Paths:  # fmt: skip
    """Follow an autonomous flow from each sample's state until it rests.

    Args:
        name: of the system.
        rates: of its states, one at least.
        x0: (states, samples).
        p: (parameters, samples).
        most_steps: how many steps a sample may try.
        threads: how many run at once.
        rtol: the relative tolerance.

    Raises:
        Unsupported: for a function that lanes do not have.
    """
    stepper, count = steppers.stiff(name, rates, inside=False), x0.shape[1]
    x, p = np.array(x0, order="C"), np.ascontiguousarray(p)
    paths = Paths(x, x.copy(), np.abs(x), np.zeros(count), np.zeros(count, np.int64))

    def work(low: int, high: int, stop: NDArray[np.int64]) -> None:
        follow(
            stepper.method, stepper.system, stepper.stages, stepper.storage, p, paths.x,
            paths.mean, paths.scale, paths.time, paths.status, low, high, most_steps, rtol, stop,
        )  # fmt: skip

    if count:
        share(work, count, threads=threads, grain=LANES)
    return paths


def sought(
    name: str, rates: Program, x0: Floats, p: Floats, bounds: Floats, s: Floats, *, threads: int
) -> Floats:
    """Return where Newton's method leads from each sample's state, NaN where nowhere.

    Args:
        name: of the system.
        rates: of its states, one at least.
        x0: (states, samples).
        p: (parameters, samples).
        bounds: between which each state stays, (2, states).
        s: the length of the first step in time.
        threads: how many run at once.
    """
    stepper = steppers.stiff(name, rates, inside=False)
    x, p, s = np.array(x0, order="C"), np.ascontiguousarray(p), np.ascontiguousarray(s)

    def work(low: int, high: int, stop: NDArray[np.int64]) -> None:
        seek(stepper.system, stepper.storage, p, x, bounds, s, low, high, stop)

    if s.size:
        share(work, s.size, threads=threads, grain=LANES)
    return x


@Kernel
def follow(
    code: Any, system: Any, stages: int, storage: int, parameters: Any, state: Any, mean: Any,
    scale: Any, time: Any, status: Any, low: int, high: int, most: int, rtol: float, stop: Any,
) -> None:  # fmt: skip
    """Follow the samples low, ..., high - 1 until they rest.

    Args:
        code: addresses of the method's functions, in the order of `METHOD`.
        system: addresses of the system's drift, prepare and solve.
        stages: how many stages of the method are kept.
        storage: how many rows of its own the method needs.
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
    n = state.shape[0]
    l, x = np.zeros((_ROWS, LANES)), np.zeros((n, LANES))
    y, z = np.zeros((n, LANES)), np.zeros((n, LANES))
    k, q = np.zeros((stages, n, LANES)), np.zeros((storage, LANES))
    p, tolerance = np.zeros((parameters.shape[0], LANES)), np.zeros((n, LANES))
    largest, integral = np.zeros((n, LANES)), np.zeros((n, LANES))
    since, moved = np.zeros(LANES), np.zeros(LANES)
    weight, floor = np.zeros(LANES), np.zeros(LANES)
    sample, tally, still = np.full(LANES, -1), np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    for i in range(LANES):
        l[_COUNT, i], l[_RELATIVE, i] = n, rtol
        l[_END, i], l[_LAST, i], l[_LONGEST, i] = np.inf, np.inf, np.inf
    everything = (
        n, system.ctypes.data, l.ctypes.data, x.ctypes.data, p.ctypes.data, k.ctypes.data,
        y.ctypes.data, z.ctypes.data, q.ctypes.data, tolerance.ctypes.data,
    )  # fmt: skip
    waiting, active = low, 0
    while stop[0] == 0:
        fresh = False
        for i in range(LANES):
            if sample[i] < 0 and waiting < high:
                sample[i], fresh = waiting, True
                load(x, p, state, parameters, i, waiting)
                floor[i] = 0.0
                for r in range(n):
                    integral[r, i], largest[r, i] = 0.0, scale[r, waiting]
                    floor[i] = max(floor[i], _FLOOR * largest[r, i])
                floor[i] = floor[i] if floor[i] > 0.0 else _FLOOR
                for r in range(n):
                    tolerance[r, i] = _ATOL * rtol * largest[r, i] + floor[i]
                l[_TIME, i], l[_STEP, i], since[i], tally[i], still[i] = 0.0, 0.0, 0.0, 0, 0
                waiting += 1
                active += 1
        if active == 0:
            break
        if fresh:
            invoke(system[0], (l[_TIME].ctypes.data, x.ctypes.data, p.ctypes.data, y.ctypes.data))
            _first_steps(l, x, y)
        invoke(code[_ATTEMPT], everything)
        for i in range(LANES):
            good = sample[i] >= 0 and l[_SIZE, i] <= 1.0
            weight[i] = 0.5 * l[_STEP, i] if good else 0.0
            moved[i] = 0.0
        for r in range(n):
            for i in range(LANES):
                size = abs(z[r, i])
                if weight[i] > 0.0:
                    integral[r, i] += weight[i] * (x[r, i] + z[r, i])
                    largest[r, i] = max(largest[r, i], size)
                    tolerance[r, i] = _ATOL * rtol * largest[r, i] + floor[i]
                change = abs(z[r, i] - x[r, i]) / (size + _NOTHING * largest[r, i] + _TINY)
                moved[i] = max(moved[i], change)
        invoke(code[_COMMIT], (n, l.ctypes.data, x.ctypes.data, k.ctypes.data, z.ctypes.data))
        for i in range(LANES):
            s, h, ended = sample[i], l[_STEP, i], 0
            if s < 0:
                continue
            tally[i] += 1
            if weight[i] > 0.0:
                longer = h >= 0.5 * l[_TIME, i]
                still[i] = still[i] + 1 if moved[i] <= _STILL and longer else 0
                l[_TIME, i] = l[_REACHED, i]
            l[_STEP, i] = l[_NEXT, i]
            if still[i] >= _STILL_STEPS:
                ended = RESTS
            elif not l[_STEP, i] > max(_SHORTEST * l[_TIME, i], _TINY):
                ended = LOST
            elif tally[i] >= most:
                ended = MOVES
            span = l[_TIME, i] - since[i]
            if ended != 0:
                status[s], time[s] = ended, l[_TIME, i]
                for r in range(n):
                    state[r, s], scale[r, s] = x[r, i], largest[r, i]
                    mean[r, s] = integral[r, i] / span if span > 0.0 else x[r, i]
                sample[i] = -1
                active -= 1
            elif weight[i] > 0.0 and tally[i] <= most // 2:
                since[i] = l[_TIME, i]
                for r in range(n):
                    integral[r, i] = 0.0


@Kernel
def seek(
    system: Any, storage: int, parameters: Any, state: Any, bounds: Any, first: Any,
    low: int, high: int, stop: Any,
) -> None:  # fmt: skip
    """Let Newton's method set out from the samples low, ..., high - 1.

    Args:
        system: addresses of the system's drift, prepare and solve.
        storage: how many rows `prepare` needs.
        parameters: (parameters, samples).
        state: at first and then at the end, NaN where there is none, (states, samples).
        bounds: between which each state stays, (2, states).
        first: the length of the first step in time, (samples).
        low: the first sample.
        high: the first beyond.
        stop: the work breaks off when this is not 0, (1).
    """
    n = state.shape[0]
    x, p = np.zeros((n, LANES)), np.zeros((parameters.shape[0], LANES))
    f, u, q = np.zeros((n, LANES)), np.zeros((n, LANES)), np.zeros((storage, LANES))
    t, s, d = np.zeros(LANES), np.zeros(LANES), np.zeros(LANES)
    sample, tally = np.full(LANES, -1), np.zeros(LANES, np.int64)
    waiting, active = low, 0
    while stop[0] == 0:
        for i in range(LANES):
            if sample[i] < 0 and waiting < high:
                sample[i], s[i], tally[i] = waiting, first[waiting], 0
                load(x, p, state, parameters, i, waiting)
                waiting += 1
                active += 1
        if active == 0:
            break
        invoke(
            system[1],
            (t.ctypes.data, x.ctypes.data, p.ctypes.data, s.ctypes.data, f.ctypes.data,
             q.ctypes.data),
        )  # fmt: skip
        u[:] = 0.0
        invoke(
            system[2],
            (s.ctypes.data, d.ctypes.data, f.ctypes.data, q.ctypes.data, u.ctypes.data),
        )
        for i in range(LANES):
            if sample[i] < 0:
                continue
            share, moved = 1.0, 0.0
            for r in range(n):
                new, end = x[r, i] + u[r, i], bounds[0, r]
                if new > bounds[1, r]:
                    end = bounds[1, r]
                if new < bounds[0, r] or new > bounds[1, r]:
                    share = min(share, 0.9 * (end - x[r, i]) / u[r, i])
                moved = max(moved, abs(u[r, i]) / (abs(new) + _TINY))
                if not np.isfinite(new):
                    moved = np.nan
            for r in range(n):
                x[r, i] += share * u[r, i]
            s[i] *= _LONGER
            tally[i] += 1
            found = moved <= _CLOSE
            if found or tally[i] == _ITERATIONS or not moved < np.inf:
                for r in range(n):
                    state[r, sample[i]] = x[r, i] if found else np.nan
                sample[i] = -1
                active -= 1


@part
def _first_steps(l: Any, x: Any, f: Any) -> None:
    """Begin where there is no step yet with one that changes the states by a hundredth."""
    for i in range(LANES):
        if l[_STEP, i] > 0.0:
            continue
        size, fastest = 0.0, 0.0
        for r in range(x.shape[0]):
            size = max(size, abs(x[r, i]))
        for r in range(x.shape[0]):
            near = abs(x[r, i]) + _FIRST * (size if size > 0.0 else 1.0)
            fastest = max(fastest, abs(f[r, i]) / near)
        l[_STEP, i] = _FIRST / fastest if fastest > 0.0 else 1.0
