"""Polynomial first integrals: nonlinear c(X) with grad c . f(X) = 0 identically, found exactly.

Among the polynomials of degree d in the states these are the left null space of the matrix of
values grad m_k(X) . f(X), over all monomials m_k and at generic points X (see
`physcm.sim.modular`). The drift f need not be a polynomial: its quotients are exact, and of any
other function nothing but its arguments matters.

Products and sums of conserved quantities are conserved again. Only what is no polynomial in
others is returned, beside the linear laws of `conservation_laws`.

    oscillator           x' = v, v' = -w^2 x         w^2 x^2 + v^2
    free rigid body      I1 w1' = (I2 - I3) w2 w3    energy and the square of the momentum
    predator and prey    only a logarithmic one, which is no polynomial

A law whose gradient does not vanish where the system rests makes states of rest depend on the
initial state, as a linear one does. One whose gradient does, such as energy at the bottom of a
well, says that nothing comes to rest there that has another value of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import prod
from typing import TypeAlias

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.expression import symbol, to_text
from physcm.sim.conservation import conservation_laws, numbered
from physcm.sim.modular import Values, left_null_space, lift, reduced_rows
from physcm.sim.system import System

_PRIME = 2**521 - 1
_MOST = 150
Powers: TypeAlias = tuple[int, ...]
Points: TypeAlias = NDArray[np.object_]


@dataclass(frozen=True)
class FirstIntegral:
    """A polynomial in the states that keeps its initial value.

    Attributes:
        expression: the polynomial, for the given values of the parameters.

    >>> FirstIntegral(symbol("x") ** 2 + symbol("v") ** 2).states
    ('v', 'x')
    """

    expression: sp.Expr

    @property
    def states(self) -> tuple[str, ...]:
        """The states that take part."""
        return tuple(sorted(s.name for s in self.expression.free_symbols))

    def __str__(self) -> str:
        return to_text(self.expression)


def first_integrals(
    system: System, degree: int = 2, *, beyond: Sequence[sp.Expr] = ()
) -> tuple[FirstIntegral, ...]:
    """Return the polynomial first integrals of a system that are no polynomials in others.

    The linear ones are not among them: these are the `conservation_laws`. What is found holds for
    the given values of the parameters.

    Args:
        system: without noise; explicit time may not occur.
        degree: the largest degree to look for.
        beyond: further polynomials that are known to be conserved.

    Raises:
        InvalidValue: for a degree below 2.
        Unsupported: if a law has coefficients that depend on a parameter drawn at random, and if
            there are more than 150 monomials, as 16 states have at degree 2.

    >>> spring = System({"x": "v", "v": "-4*x"}, initial={"x": 1, "v": 0})
    >>> [str(law) for law in first_integrals(spring)]
    ['v**2 + 4*x**2']
    """
    if degree < 2:
        raise InvalidValue(f"degree is `{degree}`; give at least 2, conservation_laws are degree 1")
    size = sum(1 for _ in _monomials(len(system.states), degree))
    if size > _MOST:
        raise Unsupported(
            f"{system.in_words} has {len(system.states)} states, and thus `{size}` monomials up to "
            f"degree {degree}, more than {_MOST}; ask for a lower degree"
        )
    known = [law.expression for law in conservation_laws(system)]
    known = [sp.Poly(e, *map(symbol, system.states)) for e in (*known, *beyond)]
    found: list[sp.Poly] = []
    for d in range(2, degree + 1):
        found += _new(system, d, [*known, *found])
    return tuple(FirstIntegral(poly.as_expr()) for poly in found)


def is_conserved(system: System, expression: sp.Expr) -> bool:
    """Say whether a polynomial in the states is a first integral.

    >>> is_conserved(System({"x": "y", "y": "-x"}, initial={"x": 1, "y": 0}), symbol("x") ** 2)
    False
    """
    poly = sp.Poly(expression, *map(symbol, system.states))
    values = _rates(system, 1, tuple(poly.monoms()))
    weights = [_residue(c) for c in poly.coeffs()]
    return not any(
        sum(w * v for w, v in zip(weights, column, strict=True)) % _PRIME
        for column in zip(*values, strict=True)
    )


def _new(system: System, degree: int, known: Sequence[sp.Poly]) -> list[sp.Poly]:
    """Return the first integrals of a degree beyond all products of known ones."""
    monomials = tuple(_monomials(len(system.states), degree))
    first, second = (_beyond(system, salt, monomials, degree, known) for salt in (1, 2))
    if first is None or first != second:
        raise Unsupported(
            f"a first integral of {system.in_words} has coefficients that depend on parameters "
            "drawn at random; give those parameters fixed values"
        )
    symbols = tuple(map(symbol, system.states))
    return [sp.Poly(dict(zip(monomials, row, strict=True)), *symbols) for row in first]


def _beyond(
    system: System, salt: int, monomials: tuple[Powers, ...], degree: int, known: Sequence[sp.Poly]
) -> list[list[sp.Rational]] | None:
    """Return coefficients found from one set of points; None if they are not rational."""
    place = {powers: k for k, powers in enumerate(monomials)}
    products = []
    for poly in _products(known, degree):
        row = [0] * len(monomials)
        for powers, coefficient in poly.terms():
            if any(powers):
                row[place[powers]] = _residue(coefficient)
        products.append(row)
    columns = range(len(monomials))
    laws = left_null_space(_rates(system, salt, monomials), _PRIME)
    for row in reduced_rows(products, _PRIME):
        pivot = next(k for k in columns if row[k])
        laws = [
            [(v - law[pivot] * w) % _PRIME for v, w in zip(law, row, strict=True)] for law in laws
        ]
    lifted = [_lifted(law) for law in reduced_rows(laws, _PRIME)]
    found = [law for law in lifted if law is not None]
    return found if len(found) == len(lifted) else None


def _lifted(law: Sequence[int]) -> list[sp.Rational] | None:
    """Return rational coefficients, as whole numbers where these are small."""
    fractions = [lift(c, _PRIME) for c in law]
    known = [sp.Rational(c.numerator, c.denominator) for c in fractions if c is not None]
    if len(known) < len(law):
        return None
    common = sp.ilcm(*(c.q for c in known))
    return [c * common for c in known] if common < 1000 else known


def _monomials(states: int, degree: int) -> Iterator[Powers]:
    """Yield the exponents of all monomials of degree 1 to `degree`, the highest first."""
    for d in range(degree, 0, -1):
        for chosen in combinations_with_replacement(range(states), d):
            yield tuple(chosen.count(i) for i in range(states))


def _products(known: Sequence[sp.Poly], degree: int) -> Iterator[sp.Poly]:
    """Yield all products of known polynomials up to a degree."""
    most = [degree // max(1, poly.total_degree()) for poly in known]
    for count in range(1, max(most, default=0) + 1):
        for chosen in combinations_with_replacement(known, count):
            if sum(poly.total_degree() for poly in chosen) <= degree:
                yield prod(chosen[1:], start=chosen[0])


def _rates(system: System, salt: int, monomials: tuple[Powers, ...]) -> list[list[int]]:
    """Return grad m_k . f of monomials at random points, modulo the prime, (monomials, points)."""
    derived, drift = numbered(system)
    values = Values(salt, len(monomials) + 4, system.states, _PRIME)
    for name, expression in derived:
        values.known[name] = values.of(expression)
    x = [values.row(symbol(name)) for name in system.states]
    f = [np.array(values.row(e), dtype=object) for e in drift]
    largest = max(max(powers) for powers in monomials)
    powered = [
        [np.array([pow(v, e, _PRIME) for v in row], dtype=object) for e in range(largest + 1)]
        for row in x
    ]
    return [list(_rate(powers, powered, f)) for powers in monomials]


def _rate(powers: Powers, powered: Sequence[Sequence[Points]], f: Sequence[Points]) -> Points:
    """Return sum_i e_i m/x_i f_i of the monomial m with exponents e, at points."""
    total: Points = 0 * f[0]
    members = [i for i, power in enumerate(powers) if power]
    for i in members:
        others = prod(powered[j][powers[j]] for j in members if j != i)
        total = total + powers[i] * powered[i][powers[i] - 1] * others % _PRIME * f[i]
    return np.asarray(total % _PRIME)


def _residue(c: sp.Rational) -> int:
    return int(c.p) * pow(int(c.q), -1, _PRIME) % _PRIME
