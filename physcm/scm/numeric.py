"""Searching for roots where no formula gives them all.

One unknown: the equation is evaluated on a grid that is even in the logarithm of |x|, on both
sides of zero, so that roots of 1e-16 and of 1e3 are found alike. Each change of sign brackets a
root (or a pole, which the check of the residual tells apart) and is bisected; each point where
the residual comes closest to zero without changing sign is a start for Newton's method, and
where it turns back beyond zero next to that, both roots are bisected.

Several unknowns: damped Newton iteration from the most promising of thousands of points that a
low-discrepancy sequence (Richtmyer 1951: multiples of square roots of primes) spreads over
orders of magnitude and signs, in the same way for every column, so that the answer for one
sample does not depend on others. That finds what it finds: an empty answer proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats
from physcm.mechanism.linearization import Flags
from physcm.mechanism.roots import newton
from physcm.scm.block import Block, Equations, Ints

_FINE, _COARSE = 24, 4
_BISECTIONS = 40
_STARTS = 128
_POOL, _SMALL_POOL = 4096, 512
_LARGE = 8
_CHUNK = 2**21
_MOST_PER_COLUMN = 48


def scan(equations: Equations, domain: tuple[float, float], p: Floats) -> tuple[Floats, Ints]:
    """Return points near roots of one equation in one unknown, and the column of each.

    Args:
        equations: one residual of one unknown.
        domain: the lowest and highest value of the unknown.
        p: the known values, (known, columns).
    """
    grid = _grid(*domain)
    step = max(1, _CHUNK // grid.size)
    found = [
        _scanned(equations, grid, p[:, first : first + step], first)
        for first in range(0, p.shape[1], step)
    ]
    nothing = [(np.empty(0), np.zeros(0, np.int64))]
    x, column = (np.concatenate(part) for part in zip(*(found or nothing), strict=True))
    order = np.argsort(column, kind="stable")
    return x[np.newaxis, order], column[order]


def multistart(
    equations: Equations, lower: Floats, upper: Floats, guess: Floats, p: Floats
) -> tuple[Floats, Ints]:
    """Return the roots that Newton's method leads to, and the column of each.

    Of a large pool of points, those start where the equations are nearest to being met, beside
    the sizes of their terms; a quarter of the starts are taken as they come. Columns with the
    same known values are one problem.
    """
    p, place = np.unique(p, axis=1, return_inverse=True)
    x, column = _searched(equations, lower, upper, guess, p)
    back, root = np.nonzero(place[:, np.newaxis] == column)
    return x[:, root], back


def _searched(
    equations: Equations, lower: Floats, upper: Floats, guess: Floats, p: Floats
) -> tuple[Floats, Ints]:
    """Return the roots from the starts of each column, a few columns at a time."""
    unknowns = len(lower)
    pool = _POOL if unknowns > _LARGE else _SMALL_POOL
    step = max(1, _CHUNK // max(_STARTS * unknowns**2, pool * unknowns))
    found = []
    for first in range(0, p.shape[1], step):
        own = p[:, first : first + step]
        starts, column = _promising(equations, _points(lower, upper, guess, own, pool), own)
        roots = newton(
            equations.residual, equations.jacobian, starts,
            magnitude=equations.size, lower=lower, upper=upper, parameters=own[:, column],
        )  # fmt: skip
        found.append((roots.x[:, roots.converged], column[roots.converged] + first))
    nothing = [(np.empty((unknowns, 0)), np.zeros(0, np.int64))]
    x, columns = zip(*(found or nothing), strict=True)
    return np.concatenate(x, axis=1), np.concatenate(columns)


def candidates(block: Block, p: Floats) -> tuple[Floats, Ints]:
    """Return points near solutions of a block, without reducing it."""
    if len(block.unknowns) == 1:
        return scan(block.equations, block.domains[0], p)
    return multistart(block.equations, block.lower, block.upper, np.array(block.guess), p)


def _promising(equations: Equations, points: Floats, p: Floats) -> tuple[Floats, Ints]:
    """Return the points (unknowns, columns, pool) to start from, and the column of each."""
    unknowns, columns, pool = points.shape
    flat, own = points.reshape(unknowns, -1), np.repeat(p, pool, axis=1)
    with np.errstate(all="ignore"):
        relative = equations.residual(flat, own) / equations.size(flat, own)
        merit = (relative**2).sum(axis=0).reshape(columns, pool)
    merit = np.where(np.isfinite(merit), merit, np.inf)
    merit[:, : _STARTS // 4] = np.where(np.isfinite(merit[:, : _STARTS // 4]), -1.0, np.inf)
    best = np.argsort(merit, axis=1, kind="stable")[:, :_STARTS]
    usable = np.isfinite(np.take_along_axis(merit, best, axis=1))
    column = np.repeat(np.arange(columns), best.shape[1]).reshape(best.shape)[usable]
    return points[:, column, best[usable]], column


@lru_cache(maxsize=64)
def _grid(low: float, high: float) -> Floats:
    """Return points from low to high, even in the logarithm; fine around 1."""
    sizes = np.concatenate(
        [
            np.logspace(-24, -4, 20 * _COARSE, endpoint=False),
            np.logspace(-4, 4, 8 * _FINE, endpoint=False),
            np.logspace(4, 16, 12 * _COARSE + 1),
        ]
    )
    ends = [end for end in (low, high) if np.isfinite(end)]
    between = np.linspace(low, high, 200) if len(ends) == 2 else np.empty(0)
    shifted = [end + sign * sizes for end in ends for sign in (1, -1)]
    points = np.unique(np.concatenate([-sizes, [0.0], sizes, ends, between, *shifted]))
    return points[(points >= low) & (points <= high)]


def _scanned(equations: Equations, grid: Floats, p: Floats, first: int) -> tuple[Floats, Ints]:
    columns = p.shape[1]
    x, own = np.tile(grid, columns)[np.newaxis], np.repeat(p, grid.size, axis=1)
    with np.errstate(all="ignore"):
        residual = equations.residual(x, own)
        size = equations.size(x, own)
        relative = np.where(size > 0, residual / size, residual).reshape(columns, grid.size)
        column, place = np.nonzero(relative[:, :-1] * relative[:, 1:] < 0)
    touching, there = np.nonzero(_touches(relative))
    low, high = (grid[np.clip(there + side, 0, grid.size - 1)] for side in (-1, 1))
    turn, beyond = _turned(equations, low, high, p[:, touching])
    a = np.concatenate([grid[place], low[beyond], high[beyond]])
    b = np.concatenate([grid[place + 1], turn[beyond], turn[beyond]])
    column = np.concatenate([column, touching[beyond], touching[beyond]])
    bisected = _halved(equations.residual, a, b, p[:, column])
    return (
        np.concatenate([bisected, grid[there]]),
        np.concatenate([column, touching]) + first,
    )


def _turned(equations: Equations, a: Floats, b: Floats, p: Floats) -> tuple[Floats, Flags]:
    """Return where residuals turn back between a and b, and which do so beyond zero.

    Those have two roots, however close, where both ends are on one side of zero.
    """

    def slope(x: Floats, p: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return equations.jacobian(x, p)[:, 0].T

    turn = _halved(slope, a, b, p)
    with np.errstate(all="ignore"):
        signs = [np.sign(equations.residual(x[np.newaxis], p)[0]) for x in (a, turn, b)]
    return turn, (signs[0] * signs[1] < 0) & (signs[1] * signs[2] < 0)


def _touches(relative: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Mark where a residual comes closest to zero without changing sign, or vanishes.

    Of many such places, as a sawtooth has, these are the ones that come closest.
    """
    size = np.pad(np.abs(relative), ((0, 0), (1, 1)), constant_values=np.inf)
    size = np.where(np.isnan(size), np.inf, size)
    here = size[:, 1:-1]
    lowest = (here < size[:, :-2]) & (here <= size[:, 2:]) | (here == 0)
    gap = np.where(lowest & np.isfinite(here), here, np.inf)
    last = np.partition(gap, _MOST_PER_COLUMN - 1, axis=1)[:, _MOST_PER_COLUMN - 1, np.newaxis]
    return np.asarray((gap <= last) & np.isfinite(gap))


def _halved(
    function: Callable[[Floats, Floats], Floats], a: Floats, b: Floats, p: Floats
) -> Floats:
    """Halve intervals [a, b] in which a function (1, points) of (1, points) changes sign."""
    left = np.sign(function(a[np.newaxis], p)[0])
    for _ in range(_BISECTIONS if a.size else 0):
        middle = a + (b - a) / 2
        sign = np.sign(function(middle[np.newaxis], p)[0])
        a, b = np.where(sign == left, middle, a), np.where(sign == left, b, middle)
    return a + (b - a) / 2


def _points(lower: Floats, upper: Floats, guess: Floats, p: Floats, count: int) -> Floats:
    """Return points for each column, (unknowns, columns, count).

    Of three points, one spreads each unknown over 1e-3 to 1e3; one spreads it over the orders
    of magnitude of the column's known values; one gives all unknowns about the same size.
    Where there is a guess, every fourth point is about that, the first of them exactly.
    """
    unknowns = len(lower)
    u = _spread(2 * unknowns + 1, count)[:, np.newaxis, :]
    own, signs, common = u[:unknowns], u[unknowns:-1], u[-1:]
    small, large = _orders(p)
    wide = small + (large - small) * own
    alike = small + (large - small) * common + (own - 0.5)
    kind = np.arange(count) % 3
    order = np.where(kind == 0, 6 * own - 3, np.where(kind == 1, wide, alike))
    low, high = lower[:, np.newaxis, np.newaxis], upper[:, np.newaxis, np.newaxis]
    positive = ((signs < 0.5) | (np.arange(count) % 2 == 0) | (low >= 0)) & (high > 0)
    points = np.where(positive, 1.0, -1.0) * 10.0**order
    with np.errstate(invalid="ignore"):
        between = low + (high - low) * own
    finite = np.isfinite(between) & (kind != 1)
    points = np.where(finite, between, np.clip(points, low, high))
    about = np.zeros((unknowns, 1, count), bool)
    about[np.isfinite(guess), :, ::4] = True
    near = guess[:, np.newaxis, np.newaxis] * 10.0 ** np.where(
        np.arange(count) == 0, 0.0, own - 0.5
    )
    return np.where(about, np.clip(near, low, high), points)


def _orders(p: Floats) -> tuple[Floats, Floats]:
    """Return the orders of magnitude that known values span, each (columns, 1)."""
    with np.errstate(divide="ignore"):
        orders = np.log10(np.abs(p))
    usual = np.zeros((1, p.shape[1]))
    orders = np.clip(np.concatenate([usual, np.where(np.isfinite(orders), orders, 0.0)]), -30, 30)
    return orders.min(axis=0)[:, np.newaxis] - 1, orders.max(axis=0)[:, np.newaxis] + 1


@lru_cache(maxsize=64)
def _spread(dimensions: int, count: int) -> Floats:
    """Return evenly spread points of the unit cube: the multiples of square roots of primes."""
    steps = np.sqrt([sp.prime(j) for j in range(1, dimensions + 1)])
    return np.asarray(np.outer(steps, np.arange(1, count + 1)) % 1.0)
