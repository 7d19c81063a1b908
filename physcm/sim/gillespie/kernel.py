"""The loop of the direct method over blocks of samples, for machine code from `code`.

A block holds `LANES` samples. In each turn one reaction of each of them fires, at a time of its
own; what they have in common is the code alone. A sample that has ended, or to which something
is to be done, makes room for the next one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.native import Kernel, invoke, part
from physcm.mechanism.lanes.vectors import WIDTH
from physcm.sim.gillespie.code import End, Row

_NOW, _LEFT, _NUMBER, _MOST = Row.NOW.value, Row.LEFT.value, Row.NUMBER.value, Row.MOST.value
_UNTIL, _DUE, _TOTAL = Row.UNTIL.value, Row.DUE.value, Row.TOTAL.value
_LEAST, _REACHED, _NEXT = Row.LEAST.value, Row.REACHED.value, Row.NEXT.value
_SAVE, _END = Row.SAVE.value, Row.END.value
_ARRIVED, _ACT, _TURNED = End.ARRIVED.value, End.DUE.value, End.TURNED.value
_BROKEN, _TIRED = End.BROKEN.value, End.TIRED.value
_AT_ONCE = np.finfo(float).tiny
_SHIFT = WIDTH.bit_length() - 1


@Kernel
def run(
    code: Any, key: int, shape: Any, state: Any, going: Any, columns: Any, times: Any,
    order: Any, saved: Any, most: int, low: int, high: int, stop: Any,
) -> None:  # fmt: skip
    """Let the samples `going[low:high]` fire, until each leaves the loop.

    `code` holds the addresses of `look`, `fire` and `outputs`; `shape` the first and last row of
    `truth` and the first of `seen`, of `x` and of `out`, the numbers of states and of derived
    variables, and of all rows. `state` holds the rows that a sample keeps.
    """
    look, fire, outputs = code
    truth, end, seen, x, n, out, derived, rows = shape
    b, alert = np.zeros((rows, LANES)), np.zeros(LANES // WIDTH, np.int64)
    place, block = np.full(LANES, -1), b.ctypes.data
    waiting, active = low, 0
    while stop[0] == 0:
        if active < LANES and waiting < high:
            fresh = waiting
            for i in range(LANES):
                if place[i] < 0 and waiting < high:
                    place[i] = going[waiting]
                    _copy(state, place[i], b, i, state.shape[0])
                    waiting += 1
                    active += 1
            invoke(look, (block, alert.ctypes.data))
            for i in range(LANES):
                for k in range(fresh, waiting):
                    if place[i] == going[k]:
                        for r in range(end - truth):
                            b[truth + r, i] = b[seen + r, i]
                        alert[i >> _SHIFT] |= 1 << (i & (WIDTH - 1))
        elif active > 0:
            invoke(fire, (block, key))
            invoke(look, (block, alert.ctypes.data))
        else:
            break
        if alert[0] | alert[1] == 0:
            continue
        for i in range(LANES):
            if (alert[i >> _SHIFT] >> (i & (WIDTH - 1))) & 1 == 0 or place[i] < 0:
                b[_END, i] = -1.0
            else:
                b[_END, i] = _trouble(b, i, truth, end, seen)
        while _saving(b):
            invoke(outputs, (block,))
            for i in range(LANES):
                if b[_SAVE, i] == b[_SAVE, i]:
                    k, s = int(b[_REACHED, i]), columns[place[i]]
                    for r in range(n):
                        saved[order[r], s, k] = b[x + r, i]
                    for r in range(derived):
                        saved[order[n + r], s, k] = b[out + r, i]
                    b[_REACHED, i], b[_NEXT, i] = k + 1, times[k + 1]
                    b[_MOST, i] = b[_NUMBER, i] + most
        for i in range(LANES):
            if b[_END, i] == 0.0:
                b[_END, i] = _pause(b, i)
            if b[_END, i] > 0.0:
                _copy(b, i, state, place[i], state.shape[0])
                place[i] = -1
                active -= 1


@part
def _copy(source: Any, i: int, target: Any, j: int, rows: int) -> None:
    for r in range(rows):
        target[r, j] = source[r, i]


@part
def _trouble(b: Any, i: int, truth: int, end: int, seen: int) -> int:
    """Return why nothing may happen to a sample as it stands, 0 if there is nothing."""
    for r in range(end - truth):
        if b[truth + r, i] != b[seen + r, i]:
            return _TURNED
    if not (b[_LEAST, i] >= 0.0 and b[_TOTAL, i] < np.inf):
        return _BROKEN
    return _TIRED if b[_NUMBER, i] >= b[_MOST, i] else 0


@part
def _saving(b: Any) -> bool:
    """Find the next time to save of each sample, if there is one before anything happens."""
    some = False
    for i in range(LANES):
        b[_SAVE, i] = np.nan
        if b[_END, i] == 0.0 and b[_NEXT, i] < min(b[_DUE, i], b[_UNTIL, i]):
            b[_SAVE, i] = b[_NEXT, i]
            some = True
    return some


@part
def _pause(b: Any, i: int) -> int:
    """Return why a sample may not go on to its next firing, 0 if it may."""
    if b[_NEXT, i] == np.inf:
        return _ARRIVED
    if b[_DUE, i] < b[_UNTIL, i]:
        return 0
    used = b[_TOTAL, i] * (b[_UNTIL, i] - b[_NOW, i])
    b[_LEFT, i] = max(b[_LEFT, i] - used, _AT_ONCE)
    b[_NOW, i] = b[_UNTIL, i]
    return _ACT
