"""Functions at random points, and which of their combinations vanish, in exact arithmetic.

Coefficients c annihilate functions f_k, sum_k c_k f_k = 0 identically, iff they annihilate the
values of f_k at enough points (Schwartz 1980; Zippel 1979). The values are computed modulo a
large prime, in which sums, products and quotients hold as they do among the rationals; every
other function of some arguments, such as exp(x), becomes one random number per argument.
Hyperbolic functions are quotients of exp(x), and circular ones of tan(x/2). What is found is lifted
back to the rationals, and is to come out the same from two sets of points.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import reduce
from math import isqrt
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.expression import symbol

PRIME, LARGE_PRIME = 2**127 - 1, 2**521 - 1


class Values:
    """Expressions at many random points, modulo a prime.

    Args:
        salt: points are drawn anew for each.
        points: how many.
        states: the names of what differs between points.
        prime: the modulus.

    States take a new value at each point, unknown parameters one value for all points. What is
    the same at all points is kept as one integer, else as an array of integers of any size.
    """

    def __init__(self, salt: int, points: int, states: Iterable[str], prime: int = PRIME) -> None:
        self.salt, self.points, self.prime = salt, points, prime
        self.known: dict[sp.Basic, Any] = {
            s: _integers([self.random("state", s, point) for point in range(points)])
            for s in map(symbol, states)
        }

    def random(self, *key: object) -> int:
        """Return the random number of a key."""
        digest = hashlib.blake2b(repr((self.salt, key)).encode(), digest_size=64).digest()
        return int.from_bytes(digest, "big") % self.prime

    def row(self, e: sp.Basic) -> list[int]:
        """Return the value at every point."""
        return self.spread(self.of(e))

    def spread(self, value: Any) -> list[int]:
        """Return a value that `of` gave as one number per point."""
        return [value] * self.points if isinstance(value, int) else list(value)

    def of(self, e: sp.Basic) -> Any:
        """Return the values of an expression: an integer, or an array with one per point."""
        if e not in self.known:
            self.known[e] = self._computed(e)
        return self.known[e]

    def _computed(self, e: sp.Basic) -> Any:
        if isinstance(e, sp.Rational):
            return int(e.p) * pow(int(e.q), -1, self.prime) % self.prime
        if isinstance(e, sp.Add):
            return sum(self.of(a) for a in e.args) % self.prime
        if isinstance(e, sp.Mul):
            return reduce(lambda a, b: a * b % self.prime, (self.of(a) for a in e.args))
        if isinstance(e, sp.Pow) and isinstance(e.exp, sp.Integer):
            return self._power(self.of(e.base), int(e.exp))
        if not e.args:
            return self.random("constant", str(e))
        if isinstance(e, sp.exp):
            return self._exponential(e.args[0])
        if type(e) in _OF_EXPONENTIAL:
            return self._quotient(_OF_EXPONENTIAL[type(e)], self._exponential(e.args[0]))
        if type(e) in _OF_HALF:
            return self._quotient(_OF_HALF[type(e)], self._half(e.args[0]))
        kind = type(e).__name__
        return self.each(lambda *a: self.random(kind, *a), *(self.of(a) for a in e.args))

    def _exponential(self, u: sp.Expr) -> Any:
        """Return exp(u), as a product over the terms of u."""
        factors = (
            self._power(self.each(lambda a: self.random("exp", a), self.of(term / c.q)), int(c.p))
            for term, c in sp.expand(u).as_coefficients_dict().items()
        )
        return reduce(lambda a, b: a * b % self.prime, factors, 1)

    def _half(self, u: sp.Expr) -> Any:
        """Return tan(u/2)."""
        return self.each(lambda a: self.random("half", a), self.of(u))

    def _quotient(self, parts: Callable[[int], tuple[int, int]], value: Any) -> Any:
        """Return the quotient of two functions of a value."""

        def divided(a: int) -> int:
            above, below = parts(a)
            return above * pow(below, -1, self.prime) % self.prime

        return self.each(divided, value)

    def _power(self, base: Any, power: int) -> Any:
        return self.each(lambda a: pow(a, power, self.prime), base)

    def each(self, function: Callable[..., int], *arguments: Any) -> Any:
        """Apply a function of integers at every point."""
        if all(isinstance(a, int) for a in arguments):
            return function(*arguments)
        return _integers(map(function, *map(self.spread, arguments)))


_OF_EXPONENTIAL: dict[type, Callable[[int], tuple[int, int]]] = {
    sp.sinh: lambda g: (g * g - 1, 2 * g),
    sp.cosh: lambda g: (g * g + 1, 2 * g),
    sp.tanh: lambda g: (g * g - 1, g * g + 1),
}
_OF_HALF: dict[type, Callable[[int], tuple[int, int]]] = {
    sp.sin: lambda t: (2 * t, 1 + t * t),
    sp.cos: lambda t: (1 - t * t, 1 + t * t),
    sp.tan: lambda t: (2 * t, 1 - t * t),
}


def _integers(values: Iterable[int]) -> NDArray[np.object_]:
    return np.array(list(values), dtype=object)


def left_null_space(rows: Sequence[Sequence[int]], prime: int = PRIME) -> list[list[int]]:
    """Return the reduced basis of all c with c M = 0, modulo a prime.

    Elimination runs over [M | I]: where a row of M vanishes, the row of I holds its law.

    >>> left_null_space([[1, 2], [2, 4], [0, 1]], 7)
    [[1, 3, 0]]
    """
    size, width = len(rows), len(rows[0]) if rows else 0
    table = [[*row, *(int(i == k) for k in range(size))] for i, row in enumerate(rows)]
    rank = reduce_rows(table, range(width), prime, above=False)
    laws = [row[width:] for row in table[rank:]]
    return reduced_rows(laws, prime)


def reduced_rows(rows: Sequence[Sequence[int]], prime: int = PRIME) -> list[list[int]]:
    """Return the reduced row echelon form of a matrix modulo a prime, without rows of zeros.

    >>> reduced_rows([[2, 4], [1, 2]], 7)
    [[1, 2]]
    """
    table = [list(row) for row in rows]
    rank = reduce_rows(table, range(len(table[0]) if table else 0), prime)
    return table[:rank]


def reduce_rows(
    table: list[list[int]], columns: Iterable[int], prime: int = PRIME, *, above: bool = True
) -> int:
    """Eliminate below the pivots of some columns, in place, and above unless told; return the rank.

    >>> reduce_rows([[2, 4], [1, 2]], range(2), 7)
    1
    """
    rank = 0
    for column in columns:
        pivot = next((r for r in range(rank, len(table)) if table[r][column]), None)
        if pivot is None:
            continue
        table[rank], table[pivot] = table[pivot], table[rank]
        inverse = pow(table[rank][column], -1, prime)
        table[rank] = [v * inverse % prime if v else 0 for v in table[rank]]
        terms = [(k, v) for k, v in enumerate(table[rank]) if v]
        for row in table[: rank if above else 0] + table[rank + 1 :]:
            factor = row[column]
            if factor:
                for k, v in terms:
                    row[k] = (row[k] - factor * v) % prime
        rank += 1
    return rank


def lift(residue: int, prime: int = PRIME) -> Fraction | None:
    """Return the fraction of small terms with this residue (Wang 1981), if there is one."""
    limit = isqrt(prime // 2)
    previous, current = (prime, 0), (residue, 1)
    while current[0] > limit:
        quotient = previous[0] // current[0]
        previous, current = (
            current,
            (
                previous[0] - quotient * current[0],
                previous[1] - quotient * current[1],
            ),
        )
    numerator, denominator = current
    if denominator == 0 or abs(denominator) >> prime.bit_length() // 3:
        return None
    return Fraction(numerator, denominator)
