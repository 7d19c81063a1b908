"""Roots of one equation in one unknown: a scan for changes of sign.

The equation is evaluated on a grid that is even in the logarithm of |x|, on both sides of zero,
so that roots of 1e-16 and of 1e3 are found alike. Each change of sign brackets a root (or a
pole, which the check of the residual tells apart) and is bisected; each point where the
residual comes closest to zero without changing sign is a start for Newton's method, and where
it turns back beyond zero next to that, both roots are bisected.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.linearization import Flags
from physcm.scm.block import Equations, Ints

_FINE, _COARSE = 24, 4
_BISECTIONS = 40
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
