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
from physcm.mechanism.lanes.native import Kernel, invoke
from physcm.mechanism.lanes.pool import cores, share

_ITERATIONS, _CLOSE, _STALLED, _SHORTEST = 100, 1e-8, 1e-6, 2.0**-20
_TINY = 1e-300
_WHOLE = 2.0**300
"""A step in time so long that a linearly implicit step along -r is Newton's."""


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


@Kernel
def descend(
    system: Any, storage: int, parameters: Any, state: Any, bounds: Any, low: int, high: int,
    stop: Any,
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
    n = state.shape[0]
    x, u, z = np.zeros((n, LANES)), np.zeros((n, LANES)), np.zeros((n, LANES))
    f, q = np.zeros((n, LANES)), np.zeros((storage, LANES))
    p = np.zeros((parameters.shape[0], LANES))
    t, s, d = np.zeros(LANES), np.full(LANES, _WHOLE), np.zeros(LANES)
    share, least = np.zeros(LANES), np.zeros(LANES)
    sample, tally = np.full(LANES, -1), np.zeros(LANES, np.int64)
    waiting, active = low, 0
    while stop[0] == 0:
        for i in range(LANES):
            if sample[i] < 0 and waiting < high:
                sample[i], tally[i], share[i], least[i] = waiting, 0, 0.0, np.inf
                for r in range(n):
                    x[r, i], u[r, i] = state[r, waiting], 0.0
                for r in range(parameters.shape[0]):
                    p[r, i] = parameters[r, waiting]
                waiting += 1
                active += 1
        if active == 0:
            break
        for r in range(n):
            for i in range(LANES):
                x[r, i] += share[i] * u[r, i]
        prepare = t.ctypes.data, x.ctypes.data, p.ctypes.data, s.ctypes.data
        invoke(system[0], (*prepare, f.ctypes.data, q.ctypes.data))
        z[:] = 0.0
        solve = s.ctypes.data, d.ctypes.data, f.ctypes.data, q.ctypes.data
        invoke(system[1], (*solve, z.ctypes.data))
        for i in range(LANES):
            if sample[i] < 0:
                continue
            size, moved, largest, close = 0.0, 0.0, 0.0, True
            for r in range(n):
                size = max(size, abs(f[r, i])) if abs(f[r, i]) < np.inf else np.inf
                moved, largest = max(moved, abs(u[r, i])), max(largest, abs(x[r, i]))
            tally[i] += 1
            ended = tally[i] >= _ITERATIONS
            if size < least[i] or size == 0.0:
                least[i], share[i] = size, 1.0
                for r in range(n):
                    new, end, u[r, i] = x[r, i] + z[r, i], bounds[0, r], z[r, i]
                    if new > bounds[1, r]:
                        end = bounds[1, r]
                    if new < bounds[0, r] or new > bounds[1, r]:
                        share[i] = min(share[i], 0.9 * (end - x[r, i]) / z[r, i])
                    close = close and abs(z[r, i]) <= _CLOSE * abs(x[r, i]) + _TINY
                if close and share[i] == 1.0:
                    for r in range(n):
                        x[r, i] += u[r, i]
                    ended = True
            else:
                back = 0.5 * share[i]
                for r in range(n):
                    x[r, i] -= share[i] * u[r, i]
                if moved * share[i] <= _STALLED * largest or back < _SHORTEST:
                    ended = True
                share[i] = back
            if ended:
                for r in range(n):
                    state[r, sample[i]] = x[r, i]
                sample[i], share[i] = -1, 0.0
                active -= 1
