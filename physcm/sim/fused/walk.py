"""Ensembles of stochastic systems: whole stretches of base steps, a block of samples at a time.

The program of a scheme's step is machine code over the rows of a block,

    X (states), dW (sources), I (sources, where the scheme reads them),

and the normal draws behind dW and I are made by the block as well, for two steps at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from physcm.mechanism.lanes.blocks import LANES
from physcm.sim.fused.native import Kernel, invoke


@Kernel
def walk(
    step: int, normals: int, keys: Any, area_keys: Any, samples: Any, x: Any, p: Any,
    begin: float, h: float, first: int, last: int, slots: Any, out: Any,
    low: int, high: int, stop: Any,
) -> None:  # fmt: skip
    """Take the base steps first, ..., last - 1 with the samples low, ..., high - 1.

    Args:
        step: the address of the code of a step.
        normals: the address of the code of normal draws.
        keys: of the draws of dW, (sources, LANES).
        area_keys: of the further draws of I, likewise, or none.
        samples: their numbers.
        x: the states there and then here, (states, samples).
        p: parameters and at last h, (parameters, samples).
        begin: the time of step 0.
        h: the length of a step.
        first: the first step.
        last: the first beyond.
        slots: where to save the state at the end of each step in `out`, -1 for nowhere.
        out: saved states, (states, samples, times).
        low: the first sample, a multiple of `LANES`.
        high: the first beyond.
        stop: the walk breaks off when this is not 0, (1).
    """
    n, m, many, areas = x.shape[0], p.shape[0], keys.shape[0], area_keys.shape[0]
    rows, new = np.zeros((n + many + areas, LANES)), np.zeros((n, LANES))
    q, t, number = np.zeros((m, LANES)), np.zeros(LANES), np.zeros(LANES, np.int64)
    draws = np.zeros((2, many + areas, LANES))
    root, side = np.sqrt(h), 1 / np.sqrt(3.0)
    for block in range(low, high, LANES):
        for i in range(LANES):
            s = min(block + i, high - 1)
            number[i] = samples[s]
            for r in range(n):
                rows[r, i] = x[r, s]
            for r in range(m):
                q[r, i] = p[r, s]
        for k in range(first, last):
            if stop[0] != 0:
                return
            if k % 2 == 0 or k == first:
                for s in range(many + areas):
                    key = keys[s].ctypes.data if s < many else area_keys[s - many].ctypes.data
                    even, odd = draws[0, s].ctypes.data, draws[1, s].ctypes.data
                    invoke(normals, (key, number.ctypes.data, k // 2, even, odd))
            z = draws[k % 2]
            for s in range(many):
                for i in range(LANES):
                    rows[n + s, i] = root * z[s, i]
            for s in range(areas):
                for i in range(LANES):
                    lean = root * (z[s, i] + z[many + s, i] * side)
                    rows[n + many + s, i] = 0.5 * h * lean
            for i in range(LANES):
                t[i] = begin + k * h
            invoke(step, (t.ctypes.data, rows.ctypes.data, q.ctypes.data, new.ctypes.data))
            for r in range(n):
                for i in range(LANES):
                    rows[r, i] = new[r, i]
            slot = slots[k - first]
            if slot >= 0:
                for i in range(min(LANES, high - block)):
                    for r in range(n):
                        out[r, block + i, slot] = new[r, i]
        for i in range(min(LANES, high - block)):
            for r in range(n):
                x[r, block + i] = rows[r, i]
