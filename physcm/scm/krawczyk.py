"""How many solutions a box holds, proved by Krawczyk's operator and bisection.

For equations F(x) = 0, a box X with midpoint m, an interval matrix [J] that holds the Jacobian
on X, and C the inverse of its midpoint,

    K(X) = m - C F(m) + (1 - C [J]) (X - m)

holds every solution in X. So X holds none if K(X) and X are disjoint, or if an enclosure of an
equation over X is free of zero, and exactly one, in K(X), if K(X) lies inside of X. Where
neither is so the box is cut in two. All intervals are rounded outward; known values that are
intervals themselves are allowed for, and the statement is then one for each value in them.

The operator is applied to boxes a little larger than the parts of the box, and then to an
enlarged K(X) (epsilon-inflation, Rump 1983), so that a solution on the border of two parts is
seen from both.

References: Krawczyk, Computing 4, 1969; Neumaier, Interval Methods for Systems of Equations,
Cambridge 1990, section 5.1; Moore, Kearfott & Cloud, Introduction to Interval Analysis, SIAM
2009, section 8.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import sympy as sp

from physcm.mechanism.enclosure import Enclosures, Range
from physcm.mechanism.expression import symbol
from physcm.mechanism.linearization import Flags
from physcm.scm.block import Block
from physcm.scm.slopes import inverses, jacobian

_INFLATION, _INFLATIONS = 0.1, 3
_REFINEMENTS, _NEWTON_STEPS = 100, 10
_SMALLEST = 1e-10


@dataclass(frozen=True)
class Limits:
    """What a solution has to obey beside its box: an expression within its ends."""

    expression: sp.Expr
    low: float
    high: float


@dataclass
class Search:
    """Boxes (unknowns, boxes) of equations, and what is proved of them.

    Attributes:
        block: the equations; its domains are the box.
        known: the ranges of what the equations read.
        limits: what else solutions obey.
        looked_at: the number of boxes so far.
        proved: boxes with exactly one solution each, and where in them it is.
        open: boxes too small to be cut.
    """

    block: Block
    known: Mapping[sp.Symbol, Range]
    limits: tuple[Limits, ...]
    looked_at: int = 0
    proved: list[tuple[Range, Range]] = field(default_factory=list)
    open: list[Range] = field(default_factory=list)

    def run(self, effort: int) -> Range:
        """Cut boxes until all are decided, or so many were looked at; return those left over."""
        waiting = Range(self.block.lower[:, np.newaxis], self.block.upper[:, np.newaxis])
        while waiting.low.shape[1] and self.looked_at < effort:
            self.looked_at += waiting.low.shape[1]
            waiting = self._halved(self._undecided(waiting))
        left = [waiting, *self.open]
        ends = (np.concatenate([getattr(one, end) for one in left], axis=1) for end in _ENDS)
        every = Range(*ends)
        return _chosen(every, ~self._is_done(every))

    def inside(self, x: Range) -> tuple[Flags, Flags]:
        """Say of intervals (unknowns, boxes) which lie within all limits, and which outside."""
        low, high = self.block.lower[:, np.newaxis], self.block.upper[:, np.newaxis]
        within = ((x.low >= low) & (x.high <= high)).all(axis=0)
        outside = ((x.high < low) | (x.low > high)).any(axis=0)
        values = Enclosures(self._ranges(x))
        for limit in self.limits:
            own = values.of(limit.expression)
            within &= (own.low >= limit.low) & (own.high <= limit.high)
            outside |= (own.high < limit.low) | (own.low > limit.high)
        return np.asarray(within), np.asarray(outside)

    def _undecided(self, x: Range) -> Range:
        """Return what is left of boxes, having recorded what is proved of them."""
        x = _chosen(x, ~(self._is_done(x) | self._is_free(x)))
        wide = x
        for _ in range(_INFLATIONS):
            wide = _inflated(wide)
            image = self._krawczyk(wide)
            empty = _holds(wide, x) & _are_apart(image, x)
            sure = _is_inside(image, wide) & ~empty
            self._record(_chosen(wide, sure), _chosen(image, sure))
            cut = _holds(wide, x)
            x = Range(
                np.where(cut, np.fmax(x.low, image.low), x.low),
                np.where(cut, np.fmin(x.high, image.high), x.high),
            )
            going = ~(empty | self._is_done(x))
            x, wide = _chosen(x, going), _chosen(image, going)
        return x

    def _halved(self, x: Range) -> Range:
        """Cut boxes across their longest side, in units of the whole box; set aside small ones."""
        width = (x.high - x.low) / (self.block.upper - self.block.lower)[:, np.newaxis]
        small = width.max(axis=0) < _SMALLEST
        self.open.append(_chosen(x, small))
        x, width = _chosen(x, ~small), width[:, ~small]
        place = width.argmax(axis=0), np.arange(width.shape[1])
        middle = x.low[place] + (x.high[place] - x.low[place]) / 2
        low, high = np.tile(x.low, 2), np.tile(x.high, 2)
        high[place], low[place[0], place[1] + middle.size] = middle, middle
        return Range(low, high)

    def _is_done(self, x: Range) -> Flags:
        """Say which boxes lie in one whose only solution is known."""
        done = np.zeros(x.low.shape[1], bool)
        for region, _ in self.proved:
            done |= _holds(region, x)
        return done

    def _is_free(self, x: Range) -> Flags:
        """Say in which boxes an equation has no zero, or no solution would count."""
        residuals = self.residuals(x)
        free = (residuals.low > 0) | (residuals.high < 0)
        return np.asarray(free.any(axis=0) | self.inside(x)[1])

    def residuals(self, x: Range) -> Range:
        """Return enclosures of the equations over boxes, (equations, boxes)."""
        values = Enclosures(self._ranges(x))
        found = [_repeated(values.of(r), x.low.shape[1]) for r in self.block.residuals]
        return Range(*(np.array([getattr(r, end) for r in found]) for end in _ENDS))

    def _krawczyk(self, x: Range) -> Range:
        """Return K(X) of boxes, NaN or infinite where it is not defined."""
        with np.errstate(all="ignore"):
            middle = x.low + (x.high - x.low) / 2
            slopes = Range(*jacobian(self.block, self._ranges(x)))
            inverse = inverses((slopes.low + slopes.high) / 2)
            F = self.residuals(Range(middle, middle))
            C, one = Range(inverse, inverse), Range.of(*(np.eye(len(middle)),) * 2)
            center = Range(middle.T, middle.T)
            spread = Range(x.low.T, x.high.T) + -center
            moved = _times(one + -_products(C, slopes), spread)
            image = center + -_times(C, Range(F.low.T, F.high.T)) + moved
        return Range(image.low.T, image.high.T)

    def _record(self, region: Range, image: Range) -> None:
        """Keep boxes that hold exactly one solution, each solution once."""
        image = self._closer(region, image)
        for _ in range(_REFINEMENTS):
            again, before = self._krawczyk(image), image
            image = Range(np.fmax(image.low, again.low), np.fmin(image.high, again.high))
            if not (image.high - image.low < 0.99 * (before.high - before.low)).any():
                break
        for k in range(region.low.shape[1]):
            box, own = (Range(x.low[:, [k]], x.high[:, [k]]) for x in (region, image))
            if not any(_holds(old, own) or _holds(box, root) for old, root in self.proved):
                self.proved.append((box, own))

    def _closer(self, region: Range, image: Range) -> Range:
        """Return small boxes to which Newton's method leads, if these prove to hold a solution."""
        point = image
        for _ in range(_NEWTON_STEPS):
            middle = point.low + (point.high - point.low) / 2
            point = self._krawczyk(Range(middle, middle))
        small = _inflated(point)
        again = self._krawczyk(small)
        proved = _is_inside(again, small) & _holds(region, small)
        return Range(
            np.where(proved, again.low, image.low), np.where(proved, again.high, image.high)
        )

    def _ranges(self, x: Range) -> dict[sp.Symbol, Range]:
        rows = zip(self.block.unknowns, x.low, x.high, strict=True)
        own = {symbol(name): Range(low, high) for name, low, high in rows}
        width = x.low.shape[1]
        return {**{s: _repeated(r, width) for s, r in self.known.items()}, **own}


_ENDS = ("low", "high")


def _repeated(x: Range, count: int) -> Range:
    return Range(np.broadcast_to(x.low, count), np.broadcast_to(x.high, count))


def _chosen(x: Range, which: Flags) -> Range:
    return Range(x.low[:, which], x.high[:, which])


def _inflated(x: Range) -> Range:
    with np.errstate(invalid="ignore"):
        slack = _INFLATION * (x.high - x.low) + _SMALLEST * (np.abs(x.low) + np.abs(x.high))
        return Range(x.low - slack, x.high + slack).rounded()


def _is_inside(x: Range, box: Range) -> Flags:
    return np.asarray(((x.low > box.low) & (x.high < box.high)).all(axis=0))


def _are_apart(x: Range, y: Range) -> Flags:
    return np.asarray(((x.high < y.low) | (x.low > y.high)).any(axis=0))


def _holds(box: Range, x: Range) -> Flags:
    return np.asarray(((x.low >= box.low) & (x.high <= box.high)).all(axis=0))


def _products(a: Range, b: Range) -> Range:
    """Multiply interval matrices, (boxes, n, n) each."""
    parts = (
        Range(a.low[:, :, k, np.newaxis], a.high[:, :, k, np.newaxis])
        * Range(b.low[:, k, np.newaxis, :], b.high[:, k, np.newaxis, :])
        for k in range(a.low.shape[2])
    )
    return reduce(Range.__add__, parts)


def _times(a: Range, x: Range) -> Range:
    """Multiply interval matrices (boxes, n, n) by interval vectors (boxes, n)."""
    product = _products(a, Range(x.low[:, :, np.newaxis], x.high[:, :, np.newaxis]))
    return Range(product.low[:, :, 0], product.high[:, :, 0])
