"""Roots of several equations in several unknowns: Newton's method from many starts.

Damped Newton iteration sets out from the most promising of many points that a low-discrepancy
sequence (Richtmyer 1951: multiples of square roots of primes) spreads over orders of magnitude
and signs. Then, in rounds of more and more starts, it sets out from further ones and from points
about the roots found (see `physcm.mechanism.multistart`), until a round brings nothing new. All
that happens in the same way for every column, so that the answer for one sample does not depend
on others. It finds what it finds: an empty answer proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats
from physcm.mechanism.linearization import Flags
from physcm.mechanism.multistart import about
from physcm.mechanism.roots import newton
from physcm.scm.block import Equations, Ints, first_of_each

_STARTS, _GROWTH, _ROUNDS, _PER_ROOT = 64, 4, 5, 16
_ITERATIONS = 20
_POOL, _SMALL_POOL = 4096, 512
_LARGE = 8
_AS_THEY_COME = 4
_CHUNK = 2**21


@dataclass(frozen=True)
class Problem:
    """Equations to solve for columns of known values, and where to look.

    Attributes:
        equations: one per unknown.
        lower: the least value of each unknown.
        upper: the largest.
        guess: a value near which to look for each, NaN where there is none.
        p: the known values, (known, columns).
    """

    equations: Equations
    lower: Floats
    upper: Floats
    guess: Floats
    p: Floats

    @property
    def columns(self) -> int:
        """The number of columns."""
        return int(self.p.shape[1])

    def of(self, which: Ints | slice) -> Problem:
        """Return the problem for some of its columns."""
        return replace(self, p=self.p[:, which])


@dataclass(frozen=True)
class _Found:
    """Roots (unknowns, roots), ordered by column, and what `first_of_each` reads of them."""

    x: Floats
    column: Ints
    error: Floats
    singular: Flags

    @classmethod
    def of(cls, x: Floats, column: Ints) -> _Found:
        return cls(x, column, np.zeros(x.shape), np.zeros(column.size, bool))

    def which(self, kept: Ints | Flags) -> _Found:
        return _Found(self.x[:, kept], self.column[kept], self.error[:, kept], self.singular[kept])

    @classmethod
    def joined(cls, *parts: _Found) -> _Found:
        return cls(
            np.concatenate([part.x for part in parts], axis=1),
            np.concatenate([part.column for part in parts]),
            np.concatenate([part.error for part in parts], axis=1),
            np.concatenate([part.singular for part in parts]),
        )


def multistart(problem: Problem) -> tuple[Floats, Ints]:
    """Return the roots that Newton's method leads to, each once, and the column of each.

    Of a large pool of points, those start first where the equations are nearest to being met,
    beside the sizes of their terms; every fourth is taken as it comes.
    """
    pool = _POOL if len(problem.lower) > _LARGE else _SMALL_POOL
    nothing = _Found.of(np.empty((len(problem.lower), 0)), np.zeros(0, np.int64))
    return _each_once(problem, nothing, pool)


def further(problem: Problem, x: Floats, column: Ints) -> tuple[Floats, Ints]:
    """Return roots that are known and those that Newton's method leads to from about them.

    Args:
        problem: the equations.
        x: roots, (unknowns, roots).
        column: the column of each, ascending.
    """
    return _each_once(problem, _Found.of(x, column), 0)


def _each_once(problem: Problem, known: _Found, pool: int) -> tuple[Floats, Ints]:
    """Search columns with the same known values as one, a few columns at a time."""
    _, first, place = np.unique(problem.p, axis=1, return_index=True, return_inverse=True)
    once = np.full(problem.columns, -1)
    once[first] = np.arange(first.size)
    known = replace(known, column=once[known.column])
    known = known.which(known.column >= 0)
    known = known.which(np.argsort(known.column, kind="stable"))
    x, column = _searched(problem.of(first), known, pool)
    first, last = np.searchsorted(column, [place, place + 1])
    count = last - first
    rank = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return x[:, np.repeat(first, count) + rank], np.repeat(np.arange(place.size), count)


def _searched(problem: Problem, known: _Found, pool: int) -> tuple[Floats, Ints]:
    unknowns = len(problem.lower)
    step = max(1, _CHUNK // max(2 * _STARTS * unknowns**2, pool * unknowns))
    parts = [known.which(np.zeros(0, np.int64))]
    for begin in range(0, problem.columns, step):
        own = problem.of(slice(begin, begin + step))
        here = known.which((known.column >= begin) & (known.column < begin + step))
        here = _in_rounds(own, replace(here, column=here.column - begin), pool)
        parts.append(replace(here, column=here.column + begin))
    found = _Found.joined(*parts)
    return found.x, found.column


def _in_rounds(problem: Problem, found: _Found, pool: int) -> _Found:
    """Search until no column has a new root.

    Each is searched until a round of enough starts, beside the number of its roots, brings none.
    """
    points = _promising(problem, pool)
    open_ = np.arange(problem.columns) if pool else np.unique(found.column)
    begun = 0
    for again in range(_ROUNDS):
        if not open_.size:
            break
        count = _STARTS * _GROWTH ** max(0, again - 1)
        starts = [
            _starts(problem, points[column][:, begun : begun + count], roots, count, again)
            for column, roots in zip(open_, _split(found, open_), strict=True)
        ]
        begun += count
        column = np.repeat(open_, [own.shape[1] for own in starts])
        found, grown = _merged(found, _roots(problem, np.concatenate(starts, axis=1), column))
        known = np.bincount(found.column, minlength=problem.columns)[open_]
        open_ = open_[(again == 0 < pool) | np.isin(open_, grown) | (count < _PER_ROOT * known)]
    return found


def _split(found: _Found, columns: Ints) -> list[Floats]:
    """Return the roots of each of some columns, (unknowns, roots)."""
    ends = np.searchsorted(found.column, [columns, columns + 1]).T
    return [found.x[:, first:last] for first, last in ends]


def _starts(problem: Problem, fresh: Floats, roots: Floats, count: int, again: int) -> Floats:
    """Return where to set out: where roots are known, half of the points lie about these."""
    if not roots.shape[1]:
        return fresh
    sizes = np.abs(roots).max(axis=1)
    scale = np.where(sizes > 0, sizes, sizes.max() or 1.0)
    near = about(roots, problem.lower, problem.upper, scale, count // 2, again)
    return np.concatenate([fresh[:, : count // 2], near], axis=1)


def _roots(problem: Problem, starts: Floats, column: Ints) -> _Found:
    """Return where Newton's method leads, some starts at a time."""
    parts = [_Found.of(starts[:, :0], column[:0])]
    equations, step = problem.equations, max(1, _CHUNK // len(starts) ** 2)
    for begin in range(0, column.size, step):
        own = column[begin : begin + step]
        roots = newton(
            equations.residual, equations.jacobian, starts[:, begin : begin + step],
            magnitude=equations.size, lower=problem.lower, upper=problem.upper,
            parameters=problem.p[:, own], iterations=_ITERATIONS,
        )  # fmt: skip
        parts.append(_Found(roots.x, own, roots.error, roots.singular).which(roots.converged))
    return _Found.joined(*parts)


def _merged(old: _Found, new: _Found) -> tuple[_Found, Ints]:
    """Return old and new roots, each once, and the columns with a new one that is isolated."""
    both = _Found.joined(old, new)
    order = np.argsort(both.column, kind="stable")
    both, is_new = both.which(order), order >= old.column.size
    kept = first_of_each(both.x, both.error, both.singular, both.column, ~np.isnan(both.x[0]))
    return both.which(kept), np.unique(both.column[kept & is_new & ~both.singular])


def _promising(problem: Problem, pool: int) -> list[Floats]:
    """Return for each column the points (unknowns, points) of a pool in the order to start from."""
    p, columns = problem.p, problem.columns
    points = _points(problem.lower, problem.upper, problem.guess, p, pool)
    flat, own = points.reshape(len(points), -1), np.repeat(p, pool, axis=1)
    with np.errstate(all="ignore"):
        relative = problem.equations.residual(flat, own) / problem.equations.size(flat, own)
        merit = (relative**2).sum(axis=0).reshape(columns, pool)
    usable = np.isfinite(merit)
    rank = np.argsort(np.argsort(np.where(usable, merit, np.inf), axis=1, kind="stable"), axis=1)
    turn = np.minimum(rank / (_AS_THEY_COME - 1), np.arange(pool))
    order = np.argsort(np.where(usable, turn, np.inf), axis=1, kind="stable")
    return [points[:, column, order[column, : usable[column].sum()]] for column in range(columns)]


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
