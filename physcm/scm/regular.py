"""Blocks that have at most one solution, which interval bounds prove, and the solution.

For any two points a, b of the domain

    F(a) - F(b) = S (a - b),   S = the average of the Jacobian J on the way from b to a.

If an interval matrix [J] holds J on the whole domain it holds S. With C the inverse of its
midpoint M and R its radius, every matrix in it is invertible if

    G = |1 - C M| + |C| R   has spectral radius < 1,   and then   |S^-1| <= B = (1 - G)^-1 |C|.

So F(a) = F(b) only for a = b, and a root is no farther from x than B |F(x)|; where that lies in
the domain there is one. Contraction and diagonal dominance are special cases.

Reference: Neumaier, Interval Methods for Systems of Equations, Cambridge 1990, sections 4.1
and 5.1.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.enclosure import Range
from physcm.mechanism.errors import NotCompiled, Unsupported
from physcm.mechanism.linearization import EPSILON, Flags
from physcm.mechanism.magnitude import size_of_terms
from physcm.scm.block import Answer, Block, Ints, confined
from physcm.scm.slopes import inverses, jacobian, ranges_in

_CHUNK, _PIECE = 2**20, 512
_ROUNDING = 16 * EPSILON
_RTOL = 1e-9
_NAME, _WAY = "a feedback loop", "interval bounds"
_SLACK = 100.0


def solve(block: Block, p: Floats) -> Answer:
    """Return the solution of each column that provably has no other one, if it is found.

    Args:
        block: the equations.
        p: the known values, (known, columns).
    """
    bound = inverse_bound(block, _hull(p)) if p.shape[1] else np.empty((0, 1, 1))
    if not np.isnan(bound).any():
        return _searched(block, np.arange(p.shape[1]), p, bound)
    if (p == p[:, :1]).all():
        return _searched(block, np.arange(0), p, bound)
    parts = []
    step = max(1, _CHUNK // len(block.unknowns) ** 2)
    for first in range(0, p.shape[1], step):
        own = p[:, first : first + step]
        bound = inverse_bound(block, [Range.of(row, row) for row in own])
        sure = np.flatnonzero(~np.isnan(bound).any(axis=(1, 2)))
        found = _searched(block, sure, own, bound[sure])
        parts.append((np.arange(first, first + own.shape[1]), found))
    return Answer.joined(p.shape[1], parts)


def inverse_bound(block: Block, known: Sequence[Range]) -> Floats:
    """Return bounds on |S^-1| over the domain, (columns, unknowns, equations), NaN where none.

    Args:
        block: the equations.
        known: the ranges of the known values, in the order of `block.known`, one per column.

    >>> import sympy as sp
    >>> x, y = sp.symbols("x y", real=True)
    >>> everywhere = ((-np.inf, np.inf),) * 2
    >>> residuals = x - sp.tanh(y) / 2, y - sp.sin(x) / 2
    >>> loop = Block(("x", "y"), residuals, (None,) * 2, everywhere, (0, 0))
    >>> inverse_bound(loop, []).round(3)
    array([[[1.333, 0.667],
            [0.667, 1.333]]])
    """
    own = dict(zip(block.known, known, strict=True))
    low, high = jacobian(block, ranges_in(block, own))
    bound = np.full(low.shape, np.nan)
    usable = np.isfinite(low).all(axis=(1, 2)) & np.isfinite(high).all(axis=(1, 2))
    middle = (low[usable] + high[usable]) / 2
    radius = np.maximum(high[usable] - middle, middle - low[usable]) * (1 + _ROUNDING)
    one = np.eye(len(block.unknowns))
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond all numbers proves nothing
        C = inverses(middle)
        noise = _ROUNDING * len(one) * (np.abs(C) @ np.abs(middle))
        G = np.abs(one - C @ middle) + np.abs(C) @ radius + noise
        inverse = inverses(one - G)
        # A vector w > 0 with G w < w proves that the spectral radius of G >= 0 is below 1.
        w = inverse.sum(axis=2, keepdims=True)
        proved = (w > 0).all(axis=(1, 2)) & (w - G @ w > 0.5).all(axis=(1, 2))
        bound[usable] = np.where(proved[:, np.newaxis, np.newaxis], inverse @ np.abs(C), np.nan)
    return bound


def _hull(p: Floats) -> list[Range]:
    return [Range.of([row.min()], [row.max()]) for row in p]


def _searched(block: Block, which: Ints, p: Floats, bound: Floats) -> Answer:
    """Return the roots that Newton's method finds for some columns, given bounds for them."""
    from physcm.mechanism.lanes.evaluation import evaluated  # bring Numba
    from physcm.mechanism.lanes.newton import newton

    none = np.zeros(p.shape[1], bool)
    if not which.size:
        return Answer(np.empty((len(block.unknowns), 0)), which, none, none)
    guess = np.where(np.isfinite(block.guess), block.guess, 0.0)
    starts = np.repeat(np.clip(guess, block.lower, block.upper)[:, np.newaxis], which.size, axis=1)
    own, box = p[:, which], np.stack([block.lower, block.upper])
    try:
        x = newton(_NAME, _downhill(block), starts, own, box)
        terms = evaluated(_NAME, _terms(block), x, own)
    except (Unsupported, NotCompiled) as error:
        if isinstance(error, NotCompiled):
            warnings.warn(f"{error}; NumPy solves the equations instead", stacklevel=2)
        return Answer(starts[:, :0], which[:0], none, none)
    found = np.zeros(which.size, bool)
    for first in range(0, which.size, _PIECE):
        piece = slice(first, first + _PIECE)
        own_bound = bound if len(bound) == 1 else bound[piece]
        x[:, piece], found[piece] = _judged(block, x[:, piece], terms[:, piece], own_bound)
    ways = (_WAY,) if found.any() else ()
    if found.all():
        return Answer(x, which, none, none, ways)
    return Answer(x[:, found], which[found], none, none, ways)


def _judged(block: Block, x: Floats, terms: Floats, bound: Floats) -> tuple[Floats, Flags]:
    """Return points, moved into the domain by rounding errors, and which are roots."""
    residual, size = np.split(terms, 2)
    with np.errstate(invalid="ignore"):
        noise = _times(bound, _ROUNDING * size)
        error = _times(bound, np.abs(residual)) + noise
        good = (error <= np.maximum(_RTOL * np.abs(x), _SLACK * noise)).all(axis=0)
    x, inside = confined(block, x, error)
    return x, inside & good & np.isfinite(x).all(axis=0)


@lru_cache(maxsize=256)
def _downhill(block: Block) -> Program:
    return Program.over(block.unknowns, block.known, {}, tuple(-r for r in block.residuals))


@lru_cache(maxsize=256)
def _terms(block: Block) -> Program:
    """Return what computes the residuals and the sizes of their terms."""
    outputs = (*block.residuals, *map(size_of_terms, block.residuals))
    return Program.over(block.unknowns, block.known, {}, outputs)


def _times(matrices: Floats, vectors: Floats) -> Floats:
    """Multiply vectors (n, columns) by a matrix each, or by the same one."""
    if len(matrices) == 1:
        return np.asarray(matrices[0] @ vectors)
    return np.asarray((matrices @ vectors.T[:, :, np.newaxis])[:, :, 0].T)
