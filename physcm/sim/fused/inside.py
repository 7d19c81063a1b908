"""Base steps of a stochastic system in which something happens, one sample at a time.

The sample goes on in pieces, as in `stochastic.pieces`, which see. It has the first lane of a
block to itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.native import Kernel, block, invoke, part
from physcm.sim.fused.bridge import find_roots, follow
from physcm.sim.stochastic.grid import MOST_PIECES, SNAP
from physcm.sim.stochastic.wiener import HALVINGS, between

Integers = NDArray[np.int64]

DONE, DUE, LOST, ENDLESS, RINGS = 0, 1, 2, 3, 4
"""How a sample went: to the end of the step; to where something is to be done; a state has no
finite value; after too many pieces; to a random jump, RINGS + its number."""

_between = part(between)


def go_on(
    code: tuple[int, int, int], normals: int, quantile: int, keys: Integers, sources: Integers,
    samples: Integers, columns: Integers, rows: Integers, x: Floats, p: Floats, given: Floats,
    begin: float, h: float, areas: bool, step: Integers, position: Floats, due: Floats,
    either: NDArray[np.bool_], armed: Floats, truth: Floats, left: Floats, inside: Floats,
    slots: Integers, out: Floats, status: Integers, low: int, high: int, stop: Integers,
) -> None:  # fmt: skip
    """Go on inside a base step of each of the samples low, ..., high - 1.

    Args:
        code: addresses of the code of a step, of conditions and of intensities of jumps; 0 for
            none.
        normals: the address of the code of normal draws.
        quantile: the address of the quantile function of the normal distribution.
        keys: of the draws over whole steps of W and of H, (2, sources, LANES).
        sources: the keys of the draws inside of steps, (sources).
        samples: their numbers.
        columns: where they are in `given` and `out`.
        rows: where their states are in `out`.
        x: the states there and then here, (states, samples).
        p: parameters and at last the length of a piece, (parameters, samples).
        given: dW of all steps, (sources, all samples, steps); with no steps they are drawn.
        begin: the time of step 0.
        h: the length of a step.
        areas: whether the scheme reads the integrals I.
        step: the number of the step of each sample.
        position: the fraction of it that is behind, there and then here.
        due: when the agenda has something next.
        either: which triggers fire also when their conditions turn false, (triggers).
        armed: which triggers may fire, there and then here, (triggers, samples).
        truth: what the conditions are, likewise, (conditions, samples).
        left: what is left on the clocks of jumps, likewise, (jumps, samples).
        inside: the saved times inside of steps, in steps.
        slots: where to save them in `out`.
        out: saved variables, (variables, all samples, times).
        status: how each sample went.
        low: the first sample.
        high: the first beyond.
        stop: it breaks off when this is not 0, (1).
    """
    n, many = len(x), sources.size
    sizes = n + many * (1 + areas), len(p), n, n, len(truth), len(left)
    room = (
        block(1)[0], *map(block, sizes), np.zeros(LANES, np.int64), block(2), np.zeros(n),
    )  # fmt: skip
    nodes, numbers = np.zeros((many, HALVINGS, 2)), np.zeros((many, HALVINGS), np.int64)
    paths = (*np.zeros((4, 2, many)), nodes, numbers, np.zeros((HALVINGS, 3)))
    _go_on(
        code, normals, quantile, keys, sources, samples, columns, rows, x, p, given, begin, h,
        areas, step, position, due, either, armed, truth, left, inside, slots, out, status, low,
        high, stop, room, paths,
    )  # fmt: skip


@Kernel
def _go_on(
    code: Any, normals: int, quantile: int, keys: Any, sources: Any, samples: Any, columns: Any,
    rows: Any, x: Any, p: Any, given: Any, begin: float, h: float, areas: bool, step: Any,
    position: Any, due: Any, either: Any, armed: Any, truth: Any, left: Any, inside: Any,
    slots: Any, out: Any, status: Any, low: int, high: int, stop: Any, room: Any, paths: Any,
) -> None:  # fmt: skip
    t, y, q, new, line, seen, rate, number, draws, old = room
    whole, behind, ahead, aside, nodes, numbers, roots = paths
    find_roots(h, roots)
    for s in range(low, high):
        if stop[0] != 0:
            return
        k, start, reached = step[s], begin + step[s] * h, position[s]
        _enter(s, samples, x, p, number, q, old)
        _draw(normals, keys, number, k, h, draws, whole)
        _take(given, columns[s], k, whole)
        numbers[:] = 0
        noise = (quantile, sources, roots, samples[s], k, h, whole, nodes, numbers)
        follow(noise, reached, behind)
        known = armed[:, s], truth[:, s], either
        for _ in range(MOST_PIECES):
            end, ring = (due[s] - start) / h, -1
            end = 1.0 if end > 1.0 - SNAP else max(end, reached)
            if code[2] != 0:
                _put(old, start + reached * h, line, t)
                invoke(code[2], (t.ctypes.data, line.ctypes.data, q.ctypes.data, rate.ctypes.data))
                end, ring = _next_jump(rate, left[:, s], reached, end, h)
            piece_end, origin = end, (code[0], start, h, areas, old, reached, behind, y, q, t)
            follow(noise, end, ahead)
            _advance(origin, end, ahead, new)
            if code[1] != 0 and end > reached:
                end = _first_call(code[1], origin, noise, known, end, ahead, new, line, seen)
            _run_down(left[:, s], rate, (end - reached) * h)
            _save(noise, origin, end, aside, line, inside, slots, rows, columns[s], out)
            reached, finite = end, _arrive(old, new, behind, ahead)
            ended = _ending(
                code[1], start + reached * h, due[s] - SNAP * h, old, line, q, t, seen, known
            )  # fmt: skip
            ring = ring if reached == piece_end else -1
            status[s] = _outcome(finite, ring, ended, reached)
            if status[s] != ENDLESS:
                break
        for r in range(old.size):
            x[r, s] = old[r]
        position[s] = reached


@part
def _enter(s: int, samples: Any, x: Any, p: Any, number: Any, q: Any, old: Any) -> None:
    """Put a sample into all lanes."""
    for i in range(LANES):
        number[i] = samples[s]
        for r in range(q.shape[0]):
            q[r, i] = p[r, s]
    for r in range(old.size):
        old[r] = x[r, s]


@part
def _take(given: Any, column: int, k: int, whole: Any) -> None:
    """Take W over a base step from what is given, if anything is."""
    if given.shape[2] > 0:
        for w in range(whole.shape[1]):
            whole[0, w] = given[w, column, k]


@part
def _run_down(left: Any, rate: Any, span: float) -> None:
    """Let the clocks of jumps run for a time."""
    for r in range(left.size):
        left[r] -= max(rate[r, 0], 0.0) * span


@part
def _save(
    noise: Any, origin: Any, end: float, aside: Any, line: Any, inside: Any, slots: Any,
    rows: Any, column: int, out: Any,
) -> None:  # fmt: skip
    """Save the states at times in a piece, by steps to the side."""
    k, reached = noise[4], origin[5]
    for place in range(np.searchsorted(inside, k + reached, "right"), inside.size):
        if inside[place] >= k + end:
            break
        follow(noise, inside[place] - k, aside)
        _advance(origin, inside[place] - k, aside, line)
        for r in range(rows.size):
            out[rows[r], column, slots[place]] = line[r, 0]


@part
def _arrive(old: Any, new: Any, behind: Any, ahead: Any) -> bool:
    """Be at the end of a piece; say whether all states are finite."""
    finite = True
    for r in range(old.size):
        old[r] = new[r, 0]
        finite &= np.isfinite(old[r])
    for w in range(behind.shape[1]):
        behind[0, w], behind[1, w] = ahead[0, w], ahead[1, w]
    return finite


@part
def _outcome(finite: bool, ring: int, ended: bool, reached: float) -> int:
    """Return how a sample has gone so far, ENDLESS if it goes on."""
    if not finite:
        return LOST
    if ring >= 0:
        return RINGS + ring
    if ended:
        return DUE
    return DONE if reached >= 1.0 else ENDLESS


@part
def _draw(
    normals: int, keys: Any, number: Any, k: int, h: float, draws: Any, whole: Any
) -> None:  # fmt: skip
    """Draw W over a base step, and the mean of the path's distance from its chord."""
    even, odd = draws[0].ctypes.data, draws[1].ctypes.data
    for w in range(whole.shape[1]):
        for letter in range(2):
            place = keys[letter, w].ctypes.data
            invoke(normals, (place, number.ctypes.data, k // 2, even, odd))
            whole[letter, w] = draws[k % 2, 0] * np.sqrt(h if letter == 0 else h / 12)


@part
def _next_jump(rate: Any, left: Any, reached: float, end: float, h: float) -> Any:
    """Return where a piece ends and which jump ends it, if any, at these intensities."""
    wait, which = np.inf, -1
    for r in range(left.size):
        if rate[r, 0] > 0.0 and left[r] / rate[r, 0] < wait:
            wait, which = left[r] / rate[r, 0], r
    if reached + wait / h < end:
        return reached + max(wait, 0.0) / h, which
    return end, -1


@part
def _put(x: Any, now: float, line: Any, t: Any) -> None:
    """Put one point where lanes are looked at."""
    for i in range(LANES):
        t[i] = now
        for r in range(x.size):
            line[r, i] = x[r]


@part
def _advance(origin: Any, end: float, ahead: Any, new: Any) -> None:
    """Go from one fraction of a base step to another, with the path at both."""
    step, start, h, areas, old, reached, behind, y, q, t = origin
    n, many = old.size, behind.shape[1]
    for r in range(n):
        new[r, 0] = y[r, 0] = old[r]
    if end <= reached:
        return
    for w in range(many):
        y[n + w, 0] = ahead[0, w] - behind[0, w]
        if areas:
            lean = ahead[1, w] - behind[1, w] - (end - reached) * h * behind[0, w]
            y[n + many + w, 0] = lean
    t[0], q[q.shape[0] - 1, 0] = start + reached * h, (end - reached) * h
    invoke(step, (t.ctypes.data, y.ctypes.data, q.ctypes.data, new.ctypes.data))


@part
def _first_call(
    watch: int, origin: Any, noise: Any, known: Any, end: float, ahead: Any, new: Any, line: Any,
    seen: Any,
) -> float:  # fmt: skip
    """Return where a piece ends since something is to be done there, with the path up to there."""
    low, reached = origin[5], end
    while _changed(watch, origin, end, new, seen, known):
        reached = end
        while reached - low > SNAP:
            middle = _between(low, reached)
            follow(noise, middle, ahead)
            _advance(origin, middle, ahead, line)
            if _changed(watch, origin, middle, line, seen, known):
                reached = middle
            else:
                low = middle
        follow(noise, reached, ahead)
        _advance(origin, reached, ahead, line)
        _changed(watch, origin, reached, line, seen, known)
        if reached >= end or _fires(seen, known):
            for r in range(new.shape[0]):
                new[r, 0] = line[r, 0]
            return reached
        _note(seen, known)
        low = reached
    follow(noise, end, ahead)
    return end


@part
def _changed(
    watch: int, origin: Any, at: float, x: Any, seen: Any, known: Any
) -> bool:  # fmt: skip
    """Look at the conditions at a fraction of a base step; say whether any has changed."""
    t, truth = origin[9], known[1]
    t[0] = origin[1] + at * origin[2]
    invoke(watch, (t.ctypes.data, x.ctypes.data, origin[8].ctypes.data, seen.ctypes.data))
    some = False
    for r in range(truth.size):
        some |= seen[r, 0] != truth[r]
    return some


@part
def _fires(seen: Any, known: Any) -> bool:
    """Say whether a trigger fires where conditions are as seen in the first lane."""
    armed, truth, either = known
    for r in range(armed.size):
        turned = seen[r, 0] != truth[r] if either[r] else seen[r, 0] > truth[r]
        if turned and armed[r] > 0.0:
            return True
    return False


@part
def _note(seen: Any, known: Any) -> None:
    """Take note of conditions that have changed where nothing is to be done."""
    armed, truth, _ = known
    for r in range(armed.size):
        armed[r] = max(armed[r], seen[armed.size + r, 0])
    for r in range(truth.size):
        truth[r] = seen[r, 0]


@part
def _ending(
    watch: int, now: float, due: float, x: Any, line: Any, q: Any, t: Any, seen: Any, known: Any
) -> bool:  # fmt: skip
    """Say whether anything is to be done at the end of a piece; else take note of conditions."""
    if due <= now:
        return True
    if watch == 0:
        return False
    _put(x, now, line, t)
    invoke(watch, (t.ctypes.data, line.ctypes.data, q.ctypes.data, seen.ctypes.data))
    if _fires(seen, known):
        return True
    _note(seen, known)
    return False
