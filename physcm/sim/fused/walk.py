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
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.native import Kernel, block, inlined, invoke

Integers = NDArray[np.int64]

WENT, CALLED, LOST = 0, 1, 2
"""How a walk ended: at its last step, or before one in which a condition changes or a jump comes,
or one after which a state is no finite number."""

AT, UNTIL, STATUS, COLUMN, NUMBER = range(5)
"""What is known of a sample: the step to take next, there and then here, the first that it is not
to take, how its walk ended, its column in `given` and `out`, and its number."""

_ROW = 8 * LANES
_SAMPLE, _NUMBER, _STEP, _END, _PAIR, _PAUSE, _TAKES, _ENDED = range(8)
_BAD, _STATE = 1, 2


def walk(
    code: tuple[int, int, int, int], keys: Integers, shape: tuple[int, int, int], state: Floats,
    own: Integers, rows: Integers, given: Floats, begin: float, h: float, first: int,
    slots: Integers, out: Floats, low: int, high: int, stop: Integers,
) -> None:  # fmt: skip
    """Take base steps with the samples low, ..., high - 1.

    Args:
        code: the addresses of the code of a step, of normal draws, of conditions, each 1 or 0,
            and of the intensities of jumps; 0 for none.
        keys: of the draws of dW and then of the further ones of I, (draws, LANES).
        shape: how many parameters, conditions and jumps there are.
        state: parameters, the last one h; what the conditions are; what is left on the clocks of
            jumps, there and then here; the states, likewise; (all of these, samples).
        own: what is known of each sample, (5, samples).
        rows: where the states are in `out`.
        given: dW of all steps, (sources, all samples, steps); with no steps they are drawn.
        begin: the time of step 0.
        h: the length of a step.
        first: the step of the first entry of `slots`.
        slots: where to save the state at the end of each step in `out`, -1 for nowhere; the next
            step from each on at whose end a state is saved; (2, steps).
        out: saved variables, (variables, all samples, times).
        low: the first sample.
        high: the first beyond.
        stop: the walk breaks off when this is not 0, (1).
    """
    _, conditions, jumps = shape
    b = block(_STATE + len(state) + rows.size + conditions + jumps + 3 * len(keys))
    w = np.full((8, LANES), -1)
    _walk(
        code, keys, shape, state, own, rows, given, begin, h, first, slots, out, low, high, stop,
        b, w,
    )  # fmt: skip


@Kernel
def _walk(
    code: Any, keys: Any, shape: Any, state: Any, own: Any, rows: Any, given: Any, begin: float,
    h: float, first: int, slots: Any, out: Any, low: int, high: int, stop: Any, b: Any, w: Any,
) -> None:  # fmt: skip
    # The rows of b: time, a sum that shows what is not finite, a sample's rows of `state`, noise,
    # new states, conditions, intensities, and draws for an even step and the odd one after it;
    # of w: what lane has which sample, and where that is.
    step, normals, watch, rates = code
    parameters, conditions, jumps = shape
    n, sources = rows.size, keys.shape[0]
    known = _STATE + parameters
    clock = known + conditions
    x = clock + jumps
    noise = x + n
    new = noise + sources
    seen = new + n
    rate = seen + conditions
    draws = rate + jumps
    t, p = b.ctypes.data, b.ctypes.data + _ROW * _STATE
    at_x, at_new = t + _ROW * x, t + _ROW * new
    waiting, active = low, 0
    while stop[0] == 0:
        if active < LANES and waiting < high:
            waiting, active = _take_in(waiting, active, high, state, own, first, slots, b, w)
        if active == 0:
            break
        if given.shape[2] == 0:
            _draw(normals, keys, draws, b, w)
        for parity in range(2):
            if not _set_out(parity, begin, h, b, w):
                continue
            _drive(noise, draws + parity * sources, sources, h, own, given, b, w)
            invoke(step, (t, at_x, p, at_new))
            if rates != 0:
                invoke(rates, (t, at_x, p, t + _ROW * rate))
                _await_jumps(rate, clock, jumps, h, b, w)
            if watch != 0:
                _look_at_end(begin, h, b, w)
                invoke(watch, (t, at_new, p, t + _ROW * seen))
                _await_changes(seen, known, conditions, b, w)
            _await_loss(new, n, b, w)
            _move(x, new, n, clock, rate, jumps, b, w)
            if not _is_quiet(w):
                _save(x, rows, own, first, slots, out, b, w)
                active -= _let_out(clock, jumps + n, state, own, b, w)


@inlined
def _take_in(
    waiting: int, active: int, high: int, state: Any, own: Any, first: int, slots: Any, b: Any,
    w: Any,
) -> tuple[int, int]:  # fmt: skip
    """Put samples that wait into free lanes; return the next one, and how many are on their way."""
    for i in range(LANES):
        while w[_SAMPLE, i] < 0 and waiting < high:
            s, waiting = waiting, waiting + 1
            if own[AT, s] >= own[UNTIL, s]:
                continue
            w[_SAMPLE, i], w[_NUMBER, i], w[_STEP, i] = s, own[NUMBER, s], own[AT, s]
            w[_END, i] = own[UNTIL, s]
            w[_PAUSE, i] = min(w[_END, i] - 1, slots[1, w[_STEP, i] - first])
            for r in range(state.shape[0]):
                b[_STATE + r, i] = state[r, s]
            active += 1
    return waiting, active


@inlined
def _draw(normals: int, keys: Any, draws: int, b: Any, w: Any) -> None:
    """Draw from the normal distribution for the pair of steps in which each lane is."""
    for i in range(LANES):
        w[_PAIR, i] = w[_STEP, i] // 2
    ours, theirs, odd = b.ctypes.data + _ROW * draws, w.ctypes.data, _ROW * keys.shape[0]
    for s in range(keys.shape[0]):
        key, even = keys.ctypes.data + s * _ROW, ours + s * _ROW
        invoke(normals, (key, theirs + _ROW * _NUMBER, theirs + _ROW * _PAIR, even, even + odd))


@inlined
def _set_out(parity: int, begin: float, h: float, b: Any, w: Any) -> bool:
    """Let the lanes take part that are at an even step, or an odd one; say whether any is."""
    some = False
    for i in range(LANES):
        k = w[_STEP, i]
        takes = w[_SAMPLE, i] >= 0 and k % 2 == parity and k < w[_END, i]
        w[_TAKES, i] = takes
        some |= takes
        b[0, i] = begin + k * h
    return some


@inlined
def _drive(
    noise: int, draws: int, sources: int, h: float, own: Any, given: Any, b: Any, w: Any
) -> None:
    """Write dW and I over a step."""
    many, root, side = given.shape[0], np.sqrt(h), 1 / np.sqrt(3.0)
    for s in range(many):
        for i in range(LANES):
            b[noise + s, i] = root * b[draws + s, i]
    for s in range(sources - many):
        for i in range(LANES):
            lean = root * (b[draws + s, i] + b[draws + many + s, i] * side)
            b[noise + many + s, i] = 0.5 * h * lean
    if given.shape[2] > 0:
        for i in range(LANES):
            for s in range(many):
                if w[_TAKES, i]:
                    b[noise + s, i] = given[s, own[COLUMN, w[_SAMPLE, i]], w[_STEP, i]]


@inlined
def _await_jumps(rate: int, clock: int, jumps: int, h: float, b: Any, w: Any) -> None:
    """Stop before a step in which a clock runs out at these intensities."""
    for r in range(jumps):
        for i in range(LANES):
            b[rate + r, i] = max(b[rate + r, i], 0.0) * h
            if w[_TAKES, i] and b[clock + r, i] <= b[rate + r, i]:
                w[_ENDED, i], w[_TAKES, i] = CALLED, 0


@inlined
def _look_at_end(begin: float, h: float, b: Any, w: Any) -> None:
    for i in range(LANES):
        b[0, i] = begin + (w[_STEP, i] + 1) * h


@inlined
def _await_changes(seen: int, known: int, conditions: int, b: Any, w: Any) -> None:
    """Stop before a step after which a condition is no longer what it was."""
    for r in range(conditions):
        for i in range(LANES):
            if b[seen + r, i] != b[known + r, i] and w[_TAKES, i]:
                w[_ENDED, i], w[_TAKES, i] = CALLED, 0


@inlined
def _await_loss(new: int, n: int, b: Any, w: Any) -> None:
    """Stop before a step after which a state is no finite number."""
    for i in range(LANES):
        b[_BAD, i] = 0.0
    for r in range(n):
        for i in range(LANES):
            b[_BAD, i] += 0.0 * b[new + r, i]
    for i in range(LANES):
        if b[_BAD, i] != 0.0 and w[_TAKES, i]:
            w[_ENDED, i], w[_TAKES, i] = LOST, 0


@inlined
def _move(x: int, new: int, n: int, clock: int, rate: int, jumps: int, b: Any, w: Any) -> None:
    """Go to the end of the step."""
    for r in range(n):
        for i in range(LANES):
            b[x + r, i] = b[new + r, i] if w[_TAKES, i] else b[x + r, i]
    for r in range(jumps):
        for i in range(LANES):
            b[clock + r, i] -= b[rate + r, i] if w[_TAKES, i] else 0.0


@inlined
def _is_quiet(w: Any) -> bool:
    """Count the step; say whether nothing is to be saved and no lane has ended."""
    quiet = True
    for i in range(LANES):
        quiet &= w[_ENDED, i] < 0 and (not w[_TAKES, i] or w[_STEP, i] < w[_PAUSE, i])
        w[_STEP, i] += w[_TAKES, i]
    return quiet


@inlined
def _save(x: int, rows: Any, own: Any, first: int, slots: Any, out: Any, b: Any, w: Any) -> None:
    """Save the states of lanes that have come to where they are to be saved or to their end."""
    for i in range(LANES):
        k = w[_STEP, i]
        if not w[_TAKES, i] or k <= w[_PAUSE, i]:
            continue
        slot = slots[0, k - 1 - first]
        if slot >= 0:
            for r in range(rows.size):
                out[rows[r], own[COLUMN, w[_SAMPLE, i]], slot] = b[x + r, i]
        if k < w[_END, i]:
            w[_PAUSE, i] = min(w[_END, i] - 1, slots[1, k - first])
        else:
            w[_ENDED, i] = WENT


@inlined
def _let_out(moving: int, count: int, state: Any, own: Any, b: Any, w: Any) -> int:
    """Take samples that have ended out of their lanes; return how many."""
    out = 0
    for i in range(LANES):
        if w[_ENDED, i] >= 0:
            s = w[_SAMPLE, i]
            own[AT, s], own[STATUS, s] = w[_STEP, i], w[_ENDED, i]
            for r in range(count):
                state[moving - _STATE + r, s] = b[moving + r, i]
            w[_SAMPLE, i], w[_ENDED, i] = -1, -1
            out += 1
    return out
