"""Newton's method over lanes, one start per sample, for equations r(x, p) = 0.

    x <- x + a u,   J(x) u = -r(x),   a = 1, 1/2, 1/4, ...   until max |r| has decreased

J is factored in an order that its pattern fixes, without a search for pivots, which equations
that are regular in an interval sense do not need as a rule; what comes out has to be judged.

Reference: Deuflhard, Newton Methods for Nonlinear Problems, Springer 2011, chapter 3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.implicit import implicit
from physcm.mechanism.lanes.native import Kernel, block, inlined, invoke
from physcm.mechanism.lanes.pool import cores, share

_ITERATIONS, _CLOSE, _STALLED, _SHORTEST = 100, 1e-8, 1e-6, 2.0**-20
_TINY = 1e-300
_WHOLE = 2.0**300
"""A step in time so long that a linearly implicit step along -r is Newton's."""
_STEP, _SLOPE, _SHARE, _LEAST, _X = range(1, 6)
_SAMPLE, _TALLY = range(2)
_ROW = 8 * LANES


def newton(name: str, downhill: Program, starts: Floats, p: Floats, bounds: Floats) -> Floats:
    """Return where Newton's method ends from one start per sample, (unknowns, samples).

    Args:
        name: what the equations are of.
        downhill: -r, one output per variable.
        starts: (unknowns, samples).
        p: (parameters, samples).
        bounds: between which each unknown stays, (2, unknowns).

    Raises:
        Unsupported: for a function that lanes do not have.

    >>> import sympy as sp
    >>> x, a = sp.symbols("x a", real=True)
    >>> root = Program(("x",), ("a",), (), (a - x**3,))
    >>> newton("a cube", root, np.ones((1, 2)), np.array([[8.0, 27.0]]), np.array([[0.0], [9.0]]))
    array([[2., 3.]])
    """
    code, addresses, rows = _system(name, downhill)
    x, p = np.array(starts, order="C"), np.ascontiguousarray(p)

    def work(low: int, high: int, stop: NDArray[np.int64]) -> None:
        descend(addresses, rows, p, x, bounds, low, high, stop)

    if x.shape[1]:
        share(work, x.shape[1], threads=cores(), grain=LANES)
    del code  # The addresses are good as long as the code lives.
    return x


@lru_cache(maxsize=256)
def _system(name: str, downhill: Program) -> tuple[Code, NDArray[np.int64], int]:
    equations = implicit(name, downhill)
    code = compiled(equations.text)
    addresses = np.array([code.address(function) for function in ("prepare", "solve")])
    return code, addresses, equations.rows


def descend(
    system: NDArray[np.int64], storage: int, parameters: Floats, state: Floats, bounds: Floats,
    low: int, high: int, stop: NDArray[np.int64],
) -> None:  # fmt: skip
    """Let Newton's method set out from the samples low, ..., high - 1.

    Args:
        system: addresses of the equations' prepare and solve.
        storage: how many rows `prepare` needs.
        parameters: (parameters, samples).
        state: at first and then at the end, (unknowns, samples).
        bounds: between which each unknown stays, (2, unknowns).
        low: the first sample.
        high: the first beyond.
        stop: the work breaks off when this is not 0, (1).
    """
    b = block(_X + 4 * len(state) + len(parameters) + storage)
    b[_STEP] = _WHOLE
    _descend(system, parameters, state, bounds, low, high, stop, b, np.full((2, LANES), -1))


@Kernel
def _descend(
    system: Any, parameters: Any, state: Any, bounds: Any, low: int, high: int, stop: Any,
    b: Any, w: Any,
) -> None:  # fmt: skip
    # The rows of b: time, step and slope in time, the share a, the least |r| so far, x, the step
    # u and the next one z, -r, parameters, and what `prepare` keeps; of w: what lane has which
    # sample, and how often it has been looked at.
    n = state.shape[0]
    z = _X + 2 * n
    f = z + n
    p = f + n
    t = b.ctypes.data
    at_x, at_z, at_f, at_p = t + _ROW * _X, t + _ROW * z, t + _ROW * f, t + _ROW * p
    at_s, at_d, at_q = t + _ROW * _STEP, t + _ROW * _SLOPE, at_p + _ROW * parameters.shape[0]
    waiting, active = low, 0
    while stop[0] == 0:
        for i in range(LANES):
            if w[_SAMPLE, i] < 0 and waiting < high:
                _enter(i, waiting, state, parameters, b, w)
                waiting += 1
                active += 1
        if active == 0:
            break
        _step(n, b)
        invoke(system[0], (t, at_x, at_p, at_s, at_f, at_q))
        for r in range(n):
            for i in range(LANES):
                b[z + r, i] = 0.0
        invoke(system[1], (at_s, at_d, at_f, at_q, at_z))
        for i in range(LANES):
            if w[_SAMPLE, i] >= 0:
                w[_TALLY, i] += 1
                size = _size(i, n, b)
                if size < b[_LEAST, i] or size == 0.0:
                    b[_LEAST, i] = size
                    ended = _go_on(i, bounds, b)
                else:
                    ended = _turn_back(i, n, b)
                if ended or w[_TALLY, i] >= _ITERATIONS:
                    _leave(i, state, b, w)
                    active -= 1


@inlined
def _enter(i: int, s: int, state: Any, parameters: Any, b: Any, w: Any) -> None:
    """Put a sample into a lane."""
    n = state.shape[0]
    for r in range(n):
        b[_X + r, i], b[_X + n + r, i] = state[r, s], 0.0
    for r in range(parameters.shape[0]):
        b[_X + 4 * n + r, i] = parameters[r, s]
    w[_SAMPLE, i], w[_TALLY, i], b[_SHARE, i], b[_LEAST, i] = s, 0, 0.0, np.inf


@inlined
def _step(n: int, b: Any) -> None:
    """Replace x by x + a u."""
    for r in range(n):
        for i in range(LANES):
            b[_X + r, i] += b[_SHARE, i] * b[_X + n + r, i]


@inlined
def _size(i: int, n: int, b: Any) -> float:
    """Return max |r|."""
    size = 0.0
    for r in range(n):
        one = abs(b[_X + 3 * n + r, i])
        size = max(size, one) if one < np.inf else np.inf
    return size


@inlined
def _go_on(i: int, bounds: Any, b: Any) -> bool:
    """Take the next step as a whole, or as far as the bounds are; say whether it is the last."""
    n, share, close = bounds.shape[1], 1.0, True
    for r in range(n):
        x, u, end = b[_X + r, i], b[_X + 2 * n + r, i], bounds[0, r]
        b[_X + n + r, i], new = u, x + u
        if new > bounds[1, r]:
            end = bounds[1, r]
        if new < bounds[0, r] or new > bounds[1, r]:
            share = min(share, 0.9 * (end - x) / u)
        close = close and abs(u) <= _CLOSE * abs(x) + _TINY
    b[_SHARE, i] = share
    if close and share == 1.0:
        for r in range(n):
            b[_X + r, i] += b[_X + n + r, i]
        return True
    return False


@inlined
def _turn_back(i: int, n: int, b: Any) -> bool:
    """Go back and take half the step; say whether it is too short for that."""
    share, moved, largest = b[_SHARE, i], 0.0, 0.0
    for r in range(n):
        u = b[_X + n + r, i]
        moved, largest = max(moved, abs(u)), max(largest, abs(b[_X + r, i]))
        b[_X + r, i] -= share * u
    b[_SHARE, i] = 0.5 * share
    return bool(moved * share <= _STALLED * largest or 0.5 * share < _SHORTEST)


@inlined
def _leave(i: int, state: Any, b: Any, w: Any) -> None:
    """Take a sample out of a lane."""
    for r in range(state.shape[0]):
        state[r, w[_SAMPLE, i]] = b[_X + r, i]
    w[_SAMPLE, i], b[_SHARE, i] = -1, 0.0
