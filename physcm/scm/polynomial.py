"""All real roots of one rational equation in one unknown.

The equation is read as a quotient of polynomials in the unknown, with one set of coefficients
per column of known values: sums, products and integer powers of expressions become sums and
convolutions of coefficient arrays, and a chain of definitions is followed without ever being
written out. The real roots of the numerator are eigenvalues of its companion matrix; those of
the reversed polynomial give the small roots with the same relative accuracy as the large ones.

Reference: Edelman & Murakami, Polynomial roots from companion matrix eigenvalues, Mathematics
of Computation 64 (1995).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.expression import symbol
from physcm.mechanism.linearization import EPSILON, Flags
from physcm.scm.block import Ints
from physcm.scm.elimination import Reduced

HIGHEST_DEGREE = 30
_NEARLY_REAL = 1e-3


@dataclass(frozen=True)
class Polynomial:
    """Coefficients by ascending power, (degree + 1, columns), with the sizes of their terms."""

    values: Floats
    sizes: Floats

    @classmethod
    def constant(cls, values: Floats) -> Polynomial:
        """Return a polynomial of degree 0 in each column."""
        return cls(values[np.newaxis], np.abs(values)[np.newaxis])

    def __add__(self, other: Polynomial) -> Polynomial:
        return self._with(other, lambda a, b: _padded(a, len(b)) + _padded(b, len(a)))

    def __mul__(self, other: Polynomial) -> Polynomial:
        if len(self.values) + len(other.values) - 2 > HIGHEST_DEGREE:
            raise _NotRational
        return self._with(other, _convolved)

    def __pow__(self, exponent: int) -> Polynomial:
        power = Polynomial.constant(np.ones(self.values.shape[1]))
        for _ in range(exponent):
            power = power * self
        return power

    def trimmed(self) -> Floats:
        """Return the coefficients, those that are zero but for rounding set to zero."""
        with np.errstate(invalid="ignore"):
            noise = 16 * len(self.values) * EPSILON * self.sizes
            return np.where(np.abs(self.values) <= noise, 0.0, self.values)

    def _with(self, other: Polynomial, combine: Callable[[Floats, Floats], Floats]) -> Polynomial:
        with np.errstate(all="ignore"):
            return Polynomial(combine(self.values, other.values), combine(self.sizes, other.sizes))


def numerator(reduced: Reduced, p: Floats) -> Floats | None:
    """Return the numerator of the one remaining equation, (degree + 1, columns).

    None stands for an equation that is not rational in the unknown, or of too high a degree.
    """
    try:
        return _Reader(reduced, p).fraction(reduced.residuals[0]).numerator.trimmed()
    except _NotRational:
        return None


def is_sound(coefficients: Floats) -> Flags:
    """Say in which columns the coefficients and their quotients are finite numbers."""
    sizes = np.abs(coefficients)
    with np.errstate(all="ignore"):
        spread = sizes.max(axis=0) / np.where(sizes > 0, sizes, np.inf).min(axis=0)
    return np.asarray(np.isfinite(spread) & np.isfinite(sizes).all(axis=0))


def real_roots(coefficients: Floats) -> tuple[Floats, Ints]:
    """Return the real parts of all nearly real roots, and the column of each, ascending.

    >>> roots, column = real_roots(np.array([[2.0, 0.0], [-3.0, 1.0], [1.0, 0.0]]))
    >>> sorted({*zip(column.tolist(), roots.round(6).tolist())})
    [(0, 1.0), (0, 2.0), (1, 0.0)]
    """
    found: list[Floats] = []
    columns: list[Ints] = []
    for low, high, which in _by_degree(coefficients):
        inner = coefficients[low : high + 1, which]
        with np.errstate(divide="ignore", invalid="ignore"):
            groups = [_eigenvalues(inner), 1 / _eigenvalues(inner[::-1])] if high > low else []
        groups += [np.zeros((which.size, 1), complex)] if low else []
        for roots in groups:
            with np.errstate(invalid="ignore"):
                place, root = np.nonzero(np.abs(roots.imag) <= _NEARLY_REAL * np.abs(roots.real))
            found.append(roots.real[place, root])
            columns.append(which[place])
    column = np.concatenate([np.empty(0, np.int64), *columns])
    order = np.argsort(column, kind="stable")
    return np.concatenate([np.empty(0), *found])[order], column[order]


class _NotRational(Exception):
    """The equation is no quotient of polynomials of moderate degree."""


@dataclass(frozen=True)
class _Fraction:
    """A numerator over a product of powers of denominators, which are known by name."""

    numerator: Polynomial
    denominators: Counter[sp.Expr]


class _Reader:
    """Expressions of the unknown on their way to fractions."""

    def __init__(self, reduced: Reduced, p: Floats) -> None:
        self.columns = p.shape[1]
        self.definitions = dict(reduced.definitions)
        self.moving = {symbol(name) for name in (*reduced.tears, *self.definitions)}
        one, tear = Polynomial.constant(np.ones(self.columns)), symbol(reduced.tears[0])
        shifted = np.concatenate([np.zeros((1, self.columns)), one.values])
        self.known: dict[sp.Expr, _Fraction] = {
            tear: _Fraction(Polynomial(shifted, shifted), Counter())
        }
        self.bases: dict[sp.Expr, Polynomial] = {}
        expressions = (*self.definitions.values(), *reduced.residuals)
        fixed = list(dict.fromkeys(e for root in expressions for e in self.fixed_parts(root)))
        program = Program.over((), reduced.block.known, {}, fixed)
        values = program.vector(0.0, np.empty((0, self.columns)), p)
        for expression, row in zip(fixed, values, strict=True):
            self.known[expression] = _Fraction(Polynomial.constant(row), Counter())

    def fixed_parts(self, expression: sp.Expr) -> Iterator[sp.Expr]:
        """Yield the largest parts free of the unknown; refuse what is not rational."""
        if expression.free_symbols.isdisjoint(self.moving):
            yield expression
        elif expression.is_Add or expression.is_Mul:
            for part in expression.args:
                yield from self.fixed_parts(part)
        elif expression.is_Pow and expression.exp.is_Integer:
            yield from self.fixed_parts(expression.base)
        elif expression not in self.moving:
            raise _NotRational

    def fraction(self, expression: sp.Expr) -> _Fraction:
        if expression not in self.known:
            self.known[expression] = self.combined(expression)
        return self.known[expression]

    def combined(self, expression: sp.Expr) -> _Fraction:
        if expression.is_Symbol:
            return self.fraction(self.definitions[expression.name])
        if expression.is_Pow:
            return self.power(expression.base, int(expression.exp))
        parts = [self.fraction(part) for part in expression.args]
        if expression.is_Add:
            return self.sum(parts)
        product = parts[0]
        for part in parts[1:]:
            product = _Fraction(
                product.numerator * part.numerator, product.denominators + part.denominators
            )
        return product

    def sum(self, parts: list[_Fraction]) -> _Fraction:
        common: Counter[sp.Expr] = Counter()
        for part in parts:
            common |= part.denominators
        total = self.raised(parts[0].numerator, common - parts[0].denominators)
        for part in parts[1:]:
            total = total + self.raised(part.numerator, common - part.denominators)
        return _Fraction(total, common)

    def power(self, base: sp.Expr, exponent: int) -> _Fraction:
        inner = self.fraction(base)
        if exponent > 0:
            powers = Counter({b: n * exponent for b, n in inner.denominators.items()})
            return _Fraction(inner.numerator**exponent, powers)
        one = Polynomial.constant(np.ones(self.columns))
        above = self.raised(one, Counter({b: n * -exponent for b, n in inner.denominators.items()}))
        self.bases[base] = inner.numerator
        return _Fraction(above, Counter({base: -exponent}))

    def raised(self, numerator: Polynomial, factors: Counter[sp.Expr]) -> Polynomial:
        for base, exponent in factors.items():
            numerator = numerator * self.bases[base] ** exponent
        return numerator


def _padded(values: Floats, length: int) -> Floats:
    missing = max(0, length - len(values))
    return np.pad(values, ((0, missing), (0, 0)))


def _convolved(a: Floats, b: Floats) -> Floats:
    product = np.zeros((len(a) + len(b) - 1, a.shape[1]))
    for i, row in enumerate(a):
        product[i : i + len(b)] += row * b
    return product


def _by_degree(coefficients: Floats) -> Iterator[tuple[int, int, Ints]]:
    """Yield lowest and highest power that occur, with the columns in which they do."""
    present: Flags = coefficients != 0
    usable = present.any(axis=0) & np.isfinite(coefficients).all(axis=0)
    low = present.argmax(axis=0)
    high = len(coefficients) - 1 - present[::-1].argmax(axis=0)
    for pair in sorted(set(zip(low[usable].tolist(), high[usable].tolist(), strict=True))):
        yield *pair, np.flatnonzero(usable & (low == pair[0]) & (high == pair[1]))


def _eigenvalues(coefficients: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
    """Return the roots of polynomials whose first and last coefficients do not vanish."""
    degree, columns = len(coefficients) - 1, coefficients.shape[1]
    companion = np.zeros((columns, degree, degree))
    companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1.0
    with np.errstate(all="ignore"):
        companion[:, 0, :] = (-coefficients[-2::-1] / coefficients[-1]).T
    undefined = ~np.isfinite(companion).all(axis=(1, 2))
    companion[undefined] = 0.0
    roots = np.linalg.eigvals(companion).astype(np.complex128)
    roots[undefined] = np.nan
    return roots
