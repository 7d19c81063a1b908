"""Interval arithmetic: what values an expression can take while its symbols move in intervals.

An interval [a, b] holds all numbers from a to b, either of which may be infinite, and

    [a, b] + [c, d] = [a + c, b + d],    [a, b] [c, d] = [least product of ends, largest],

and so on: the result holds every value of the expression, and more where a symbol occurs twice.
Ends are arrays, one interval per column, and are rounded outward. An expression that may be
undefined or may jump within the intervals has no enclosure there: NaN.

Reference: Moore, Kearfott & Cloud, Introduction to Interval Analysis, SIAM 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from physcm.mechanism.codegen import Floats

_ROUNDING = 4 * float(np.finfo(float).eps)
_TINY = float(np.finfo(float).tiny)
_LARGEST = float(np.finfo(float).max)
_INCREASING = {
    sp.exp: np.exp, sp.log: np.log, sp.sinh: np.sinh, sp.tanh: np.tanh, sp.atan: np.arctan,
    sp.asinh: np.arcsinh,
}  # fmt: skip
_ODD = {np.sinh, np.tanh, np.arctan, np.arcsinh}
_BETWEEN: Mapping[object, tuple[float, float]] = {np.exp: (0.0, np.inf), np.tanh: (-1.0, 1.0)}


@dataclass(frozen=True)
class Range:
    """Intervals [low, high], one per column."""

    low: Floats
    high: Floats

    @classmethod
    def of(cls, low: ArrayLike, high: ArrayLike) -> Range:
        """Return intervals from their ends, in any shapes that broadcast."""
        a, b = np.broadcast_arrays(np.asarray(low, float), np.asarray(high, float))
        return cls(a, b)

    def rounded(self) -> Range:
        """Return the next larger intervals, by a few roundings."""
        low = self.low - _ROUNDING * np.abs(self.low) - _TINY
        high = self.high + _ROUNDING * np.abs(self.high) + _TINY
        return Range(np.minimum(low, _LARGEST), np.maximum(high, -_LARGEST))

    def where(self, condition: NDArray[np.bool_]) -> Range:
        """Return NaN where a condition does not hold."""
        return Range(np.where(condition, self.low, np.nan), np.where(condition, self.high, np.nan))

    def __add__(self, other: Range) -> Range:
        sums = Range(self.low + other.low, self.high + other.high)
        wider = sums.rounded()  # a sum that vanishes is exact
        return Range(
            np.where(sums.low == 0, 0.0, wider.low), np.where(sums.high == 0, 0.0, wider.high)
        )

    def __neg__(self) -> Range:
        return Range(-self.high, -self.low)

    def __mul__(self, other: Range) -> Range:
        ends = [_product(a, b) for a in (self.low, self.high) for b in (other.low, other.high)]
        product = Range(reduce(np.minimum, ends), reduce(np.maximum, ends)).rounded()
        alike = (self.low >= 0) & (other.low >= 0) | (self.high <= 0) & (other.high <= 0)
        unlike = (self.low >= 0) & (other.high <= 0) | (self.high <= 0) & (other.low >= 0)
        return product.within(np.where(alike, 0.0, -np.inf), np.where(unlike, 0.0, np.inf))

    def inverse(self) -> Range:
        """Return 1 / x, NaN where x may vanish."""
        return Range(1 / self.high, 1 / self.low).rounded().where((self.low > 0) | (self.high < 0))

    def power(self, exponent: int) -> Range:
        """Return x^n for n > 0."""
        low, high = self.low**exponent, self.high**exponent
        if exponent % 2:
            return Range(low, high).rounded()
        crossing = (self.low < 0) & (self.high > 0)
        least = np.where(crossing, 0.0, np.minimum(low, high))
        return Range(least, np.maximum(low, high)).rounded().within(0.0, np.inf)

    def within(self, least: ArrayLike, largest: ArrayLike) -> Range:
        """Return what lies between two numbers that all values are known to lie between."""
        return Range(np.maximum(self.low, least), np.minimum(self.high, largest))

    def join(self, other: Range) -> Range:
        """Return the smallest intervals that hold both."""
        return Range(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


class Enclosures:
    """The ranges of expressions, given those of their symbols.

    Args:
        known: the range of each symbol.
        slopes: whether expressions are slopes of functions that have no jumps, so that a step or
            a case in them may take any of its values: what is enclosed then is the generalized
            derivative (Clarke, Optimization and Nonsmooth Analysis, 1983).

    >>> x = sp.Symbol("x", real=True)
    >>> Enclosures({x: Range.of([-np.inf, 1], [np.inf, 2])}).of(1 - sp.tanh(x) ** 2).high.round(2)
    array([1.  , 0.42])
    """

    def __init__(self, known: Mapping[sp.Symbol, Range], *, slopes: bool = False) -> None:
        self._ranges: dict[sp.Basic, Range] = dict(known)
        self._slopes = slopes

    def of(self, e: sp.Basic) -> Range:
        """Return the range of an expression."""
        if e not in self._ranges:
            with np.errstate(all="ignore"):
                self._ranges[e] = self._range(e)
        return self._ranges[e]

    def _range(self, e: sp.Basic) -> Range:
        if e.is_Number or isinstance(e, sp.NumberSymbol):
            return Range.of(float(e), float(e)).rounded()
        if isinstance(e, sp.Add):
            return reduce(Range.__add__, map(self.of, e.args))
        if isinstance(e, sp.Mul):
            return reduce(Range.__mul__, map(self.of, e.args))
        if isinstance(e, sp.Pow):
            return self._power(*e.args)
        if isinstance(e, sp.Abs | sp.Max | sp.Min):
            return self._corner(e)
        if type(e) in _INCREASING:
            return self._increasing(_INCREASING[type(e)], self.of(e.args[0]))
        if isinstance(e, sp.sin | sp.cos):
            shift = sp.pi / 2 if isinstance(e, sp.sin) else sp.S.Zero
            return _cosine(self.of(e.args[0] - shift))
        if isinstance(e, sp.cosh):
            return _even(np.cosh, self.of(e.args[0]))
        if self._slopes and isinstance(e, sp.sign):
            x = self.of(e.args[0])
            return Range(np.where(x.low > 0, 1.0, -1.0), np.where(x.high < 0, -1.0, 1.0))
        if self._slopes and isinstance(e, sp.Piecewise):
            return reduce(Range.join, (self.of(branch) for branch, _ in e.args))
        return Range.of(np.nan, np.nan)

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> Range:
        if base is sp.E:
            return self._increasing(np.exp, self.of(exponent))
        if exponent.is_number and exponent.is_negative:
            return self.of(sp.Pow(base, -exponent)).inverse()
        if exponent.is_Integer:
            return self.of(base).power(int(exponent))
        own = self.of(base)
        if exponent.is_number:
            n = float(exponent)
            return Range(own.low**n, own.high**n).rounded().where(own.low >= 0)
        return self.of(sp.exp(exponent * sp.log(base)))

    def _increasing(self, function: Callable[[Floats], Floats], x: Range) -> Range:
        result = Range(function(x.low), function(x.high)).rounded()
        if function in _ODD:
            low, high = np.where(x.low >= 0, 0.0, -np.inf), np.where(x.high <= 0, 0.0, np.inf)
            result = result.within(low, high)
        return result.within(*_BETWEEN.get(function, (-np.inf, np.inf)))

    def _corner(self, e: sp.Expr) -> Range:
        if isinstance(e, sp.Abs):
            return _even(np.abs, self.of(e.args[0]))
        ranges = [self.of(a) for a in e.args]
        extreme = np.maximum if isinstance(e, sp.Max) else np.minimum
        return Range(
            reduce(extreme, (r.low for r in ranges)), reduce(extreme, (r.high for r in ranges))
        )


def _product(a: Floats, b: Floats) -> Floats:
    """Return a product of ends, in which zero times infinity is zero: no number is infinite."""
    product = a * b
    return np.where(((a == 0) & np.isinf(b)) | ((b == 0) & np.isinf(a)), 0.0, product)


def _even(function: Callable[[Floats], Floats], x: Range) -> Range:
    """Return the range of an even function that increases with |x|."""
    a, b = function(x.low), function(x.high)
    crossing = (x.low < 0) & (x.high > 0)
    least = np.where(crossing, function(np.zeros(())), np.minimum(a, b))
    return Range(least, np.maximum(a, b)).rounded()


def _cosine(x: Range) -> Range:
    """Return the range of cos x, from the multiples of pi that x may hold."""
    finite = np.isfinite(x.low) & np.isfinite(x.high)
    low, high = np.where(finite, x.low, 0.0), np.where(finite, x.high, 4 * np.pi)
    slack = 1e-12 * (1 + np.abs(low) + np.abs(high))
    first, last = (low - slack) / (2 * np.pi), (high + slack) / (2 * np.pi)
    top = np.floor(last) >= first
    bottom = np.floor(last - 0.5) >= first - 0.5
    a, b = np.cos(low), np.cos(high)
    ends = Range(np.minimum(a, b), np.maximum(a, b)).rounded()
    defined = ~(np.isnan(x.low) | np.isnan(x.high))
    found = Range(np.where(bottom, -1.0, ends.low), np.where(top, 1.0, ends.high))
    return found.within(-1.0, 1.0).where(defined)
