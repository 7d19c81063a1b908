"""Ensembles of stochastic systems: whole base steps, one sample per lane.

The program of a scheme's step is machine code over the rows of a block,

    X (states), dW (sources), I (sources, where the scheme reads them),

and the normal draws behind dW and I are made by the block as well, for two steps at once. Each
lane is at a step of its own. A sample to which something happens in a step stops before it; one
that stops makes room for the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.native import Kernel, invoke

WENT, CALLED, LOST = 0, 1, 2
"""How a walk ended: at its last step, or before one in which a condition changes or a jump comes,
or one after which a state is no finite number."""

_ROW = 8 * LANES


@Kernel
def walk(
    step: int, normals: int, watch: int, rates: int, keys: Any, area_keys: Any, samples: Any,
    columns: Any, rows: Any, x: Any, p: Any, given: Any, begin: float, h: float, at: Any,
    until: Any, status: Any, truth: Any, left: Any, first: int, slots: Any, next_slot: Any,
    out: Any, low: int, high: int, stop: Any,
) -> None:  # fmt: skip
    """Take base steps with the samples low, ..., high - 1.

    Args:
        step: the address of the code of a step.
        normals: the address of the code of normal draws.
        watch: the address of the code of conditions, each 1 or 0; without any it is 0.
        rates: the address of the code of the intensities of jumps; without any it is 0.
        keys: of the draws of dW, (sources, LANES).
        area_keys: of the further draws of I, likewise, or none.
        samples: their numbers.
        columns: where they are in `given` and `out`.
        rows: where their states are in `out`.
        x: the states there and then here, (states, samples).
        p: parameters and at last h, (parameters, samples).
        given: dW of all steps, (sources, all samples, steps); with no steps they are drawn.
        begin: the time of step 0.
        h: the length of a step.
        at: the step that each sample is to take next, there and then here.
        until: the first step that it is not to take.
        status: how each walk ended.
        truth: what the conditions are, (conditions, samples).
        left: what is left on the clocks of jumps, there and then here, (jumps, samples).
        first: the step of the first entry of `slots`.
        slots: where to save the state at the end of each step in `out`, -1 for nowhere.
        next_slot: the next step from each on at whose end a state is saved.
        out: saved variables, (variables, all samples, times).
        low: the first sample.
        high: the first beyond.
        stop: the walk breaks off when this is not 0, (1).
    """
    n, m, many, areas = x.shape[0], p.shape[0], keys.shape[0], area_keys.shape[0]
    jumps, conditions, drawn = left.shape[0], truth.shape[0], given.shape[2] == 0
    y, new = np.zeros((n + many + areas, LANES)), np.zeros((n, LANES))
    q, t, number = np.zeros((m, LANES)), np.zeros(LANES), np.zeros(LANES, np.int64)
    draws = np.zeros((2, many + areas, LANES))
    seen, known = np.zeros((conditions, LANES)), np.zeros((conditions, LANES))
    rate, clock = np.zeros((jumps, LANES)), np.full((jumps, LANES), np.inf)
    sample, k, end = np.full(LANES, -1), np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    pair, pause = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    takes, ended, bad = np.zeros(LANES, np.bool_), np.full(LANES, -1), np.zeros(LANES)
    root, side = np.sqrt(h), 1 / np.sqrt(3.0)
    stepping = t.ctypes.data, y.ctypes.data, q.ctypes.data, new.ctypes.data
    rating = t.ctypes.data, y.ctypes.data, q.ctypes.data, rate.ctypes.data
    looking = t.ctypes.data, new.ctypes.data, q.ctypes.data, seen.ctypes.data
    who, pairs, evens, odds = (
        number.ctypes.data, pair.ctypes.data, draws.ctypes.data, draws[1].ctypes.data,
    )  # fmt: skip
    first_keys, more_keys = keys.ctypes.data, area_keys.ctypes.data
    waiting, active = low, 0
    while stop[0] == 0:
        if active < LANES and waiting < high:
            for i in range(LANES):
                while sample[i] < 0 and waiting < high:
                    s, waiting = waiting, waiting + 1
                    status[s] = WENT
                    if at[s] >= until[s]:
                        continue
                    sample[i], k[i], end[i], number[i] = s, at[s], until[s], samples[s]
                    pause[i] = min(end[i] - 1, next_slot[k[i] - first])
                    active += 1
                    for r in range(n):
                        y[r, i] = x[r, s]
                    for r in range(m):
                        q[r, i] = p[r, s]
                    for r in range(conditions):
                        known[r, i] = truth[r, s]
                    for r in range(jumps):
                        clock[r, i] = left[r, s]
        if active == 0:
            break
        if drawn:
            for i in range(LANES):
                pair[i] = k[i] // 2
            for s in range(many + areas):
                key = first_keys + s * _ROW if s < many else more_keys + (s - many) * _ROW
                invoke(normals, (key, who, pairs, evens + s * _ROW, odds + s * _ROW))
        for parity in range(2):
            going = 0
            for i in range(LANES):
                takes[i] = sample[i] >= 0 and k[i] % 2 == parity and k[i] < end[i]
                going += takes[i]
                t[i] = begin + k[i] * h
            if going == 0:
                continue
            for s in range(many):
                for i in range(LANES):
                    y[n + s, i] = root * draws[parity, s, i]
            for s in range(areas):
                for i in range(LANES):
                    lean = root * (draws[parity, s, i] + draws[parity, many + s, i] * side)
                    y[n + many + s, i] = 0.5 * h * lean
            if not drawn:
                for i in range(LANES):
                    for s in range(many):
                        if takes[i]:
                            y[n + s, i] = given[s, columns[sample[i]], k[i]]
            invoke(step, stepping)
            if rates != 0:
                invoke(rates, rating)
                for r in range(jumps):
                    for i in range(LANES):
                        rate[r, i] = max(rate[r, i], 0.0) * h
                        if takes[i] and clock[r, i] <= rate[r, i]:
                            ended[i], takes[i] = CALLED, False
            if watch != 0:
                for i in range(LANES):
                    t[i] = begin + (k[i] + 1) * h
                invoke(watch, looking)
                for r in range(conditions):
                    for i in range(LANES):
                        if seen[r, i] != known[r, i] and takes[i]:
                            ended[i], takes[i] = CALLED, False
            for i in range(LANES):
                bad[i] = 0.0
            for r in range(n):
                for i in range(LANES):
                    bad[i] += 0.0 * new[r, i]
            for i in range(LANES):
                if bad[i] != 0.0 and takes[i]:
                    ended[i], takes[i] = LOST, False
            for r in range(n):
                for i in range(LANES):
                    y[r, i] = new[r, i] if takes[i] else y[r, i]
            for r in range(jumps):
                for i in range(LANES):
                    clock[r, i] -= rate[r, i] if takes[i] else 0.0
            quiet = True
            for i in range(LANES):
                quiet &= ended[i] < 0 and (not takes[i] or k[i] < pause[i])
                k[i] += takes[i]
            if quiet:
                continue
            for i in range(LANES):
                if takes[i] and k[i] > pause[i]:
                    slot = slots[k[i] - 1 - first]
                    if slot >= 0:
                        for r in range(n):
                            out[rows[r], columns[sample[i]], slot] = y[r, i]
                    if k[i] < end[i]:
                        pause[i] = min(end[i] - 1, next_slot[k[i] - first])
                    else:
                        ended[i] = WENT
                if ended[i] >= 0:
                    s = sample[i]
                    at[s], status[s] = k[i], ended[i]
                    for r in range(n):
                        x[r, s] = y[r, i]
                    for r in range(jumps):
                        left[r, s] = clock[r, i]
                    sample[i], ended[i] = -1, -1
                    active -= 1
