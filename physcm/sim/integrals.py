"""First integrals: nonlinear c(X) with grad c . f(X) = 0 identically, found exactly.

Among the polynomials of degree d in the states, with logarithms of amounts and integrated terms of
the drift beside them (`physcm.sim.potentials`), these are the left null space of the matrix of
values grad m_k(X) . f(X), over all monomials m_k and other terms and at generic points X (see
`physcm.sim.modular`). The drift f need not be a polynomial: its quotients are exact, and of any
other function nothing but its arguments matters.

Products and sums of conserved quantities are conserved again. Only what is no polynomial in
others is returned, beside the linear laws of `conservation_laws`.

    oscillator           x' = v, v' = -w^2 x           w^2 x^2 + v^2
    pendulum             x' = v, v' = -w^2 sin x       v^2 - 2 w^2 cos x
    free rigid body      I1 w1' = (I2 - I3) w2 w3      energy and the square of the momentum
    epidemic             S' = -b S I, I' = b S I - g I    S + I - (g/b) log S
    predator and prey    x' = x (a - b y), y' = y (d x - c)    d x - c log x + b y - a log y

A law whose gradient does not vanish where the system rests makes states of rest depend on the
initial state, as a linear one does. One whose gradient does, such as energy at the bottom of a
well, says that nothing comes to rest there that has another value of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import prod
from typing import TypeAlias

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.expression import initial_symbol, symbol, to_text
from physcm.sim.conservation import conservation_laws, numbered
from physcm.sim.modular import LARGE_PRIME, Values, left_null_space, lift, reduced_rows
from physcm.sim.potentials import potentials
from physcm.sim.system import System

_MOST = 150
Powers: TypeAlias = tuple[int, ...]
Points: TypeAlias = NDArray[np.object_]


@dataclass(frozen=True)
class FirstIntegral:
    """A function of the states that keeps its initial value.

    Attributes:
        expression: a polynomial, with logarithms of states beside it where these are positive, and
            potentials.
        values: of the parameters in it, which decide signs, if it holds for all of their values;
            None if it holds for the given values alone, as numbers.

    >>> FirstIntegral(symbol("x") ** 2 + symbol("v") ** 2).states
    ('v', 'x')
    """

    expression: sp.Expr
    values: tuple[tuple[str, sp.Expr], ...] | None = None

    @property
    def states(self) -> tuple[str, ...]:
        """The states that take part."""
        parameters = {name for name, _ in self.values or ()}
        return tuple(sorted({s.name for s in self.expression.free_symbols} - parameters))

    @property
    def amounts(self) -> tuple[sp.Symbol, ...]:
        """The states of which it has the logarithm, which stay positive or stay zero."""
        logarithms = (e.args[0] for e in self.expression.atoms(sp.log))
        return tuple(sorted((x for x in logarithms if x.is_Symbol), key=str))

    @property
    def level(self) -> sp.Expr:
        """What vanishes where the law has its value at the start, as far as amounts of zero.

        P(x) + sum_i c_i log x_i keeps its value where x^a e^h x0^b = x^b e^-h x0^a, with a the
        positive and b the negative c_i, without their sign, h half of P(x) - P(x0), and all in
        units of the smallest c_i.

        >>> x = symbol("x")
        >>> FirstIntegral(x - 2 * sp.log(x)).level
        -x*exp(-x/4 + x(0)/4) + x(0)*exp(x/4 - x(0)/4)
        """
        at_start = {symbol(name): initial_symbol(name) for name in self.states}
        whole = expanded(self.expression)
        powers = {x: whole.coeff(sp.log(x)) for x in self.amounts}
        rest = whole - expanded(sp.Add(*(c * sp.log(x) for x, c in powers.items())))
        rise = rest - rest.xreplace(at_start)
        if not powers:
            return rise
        numbers = {symbol(name): value for name, value in self.values or ()}
        signed = {x: c * sp.sign(c.xreplace(numbers)) for x, c in powers.items()}
        unit = min(signed.values(), key=lambda c: float(c.xreplace(numbers)))
        up, down = (
            sp.Mul(*(x ** (signed[x] / unit) for x, c in powers.items() if c == sign * signed[x]))
            for sign in (1, -1)
        )
        half = sp.exp(rise / unit / 2)
        return up * down.xreplace(at_start) * half - down * up.xreplace(at_start) / half

    def __str__(self) -> str:
        return to_text(self.expression)


def first_integrals(
    system: System, degree: int = 2, *, beyond: Sequence[sp.Expr] = ()
) -> tuple[FirstIntegral, ...]:
    """Return the first integrals of a system that are no polynomials in others.

    They are polynomials in the states, and sums of these with multiples of other terms: logarithms
    of amounts, which are states that cannot be negative, or begin positive, and the `potentials` of
    the drift, whatever their degree. The linear ones are not among them: these are the
    `conservation_laws`. What is found holds for the given values of the parameters.

    Args:
        system: without noise; explicit time may not occur.
        degree: the largest degree to look for, of the other polynomials.
        beyond: further expressions of that kind that are known to be conserved.

    Raises:
        InvalidValue: for a degree below 2.
        Unsupported: if a law has coefficients that depend on a parameter drawn at random, and if
            there are more than 150 monomials, as 16 states have at degree 2.

    >>> spring = System({"x": "v", "v": "-4*x"}, initial={"x": 1, "v": 0})
    >>> [str(law) for law in first_integrals(spring)]
    ['v**2 + 4*x**2']
    >>> planet = System(
    ...     {"x": "u", "y": "v", "u": "-x/(x**2 + y**2)**1.5", "v": "-y/(x**2 + y**2)**1.5"},
    ...     initial={"x": 1, "y": 0, "u": 0, "v": 1.1},
    ... )
    >>> [str(law) for law in first_integrals(planet)]
    ['u**2 + v**2 - 2/sqrt(x**2 + y**2)', '-u*y + v*x']
    """
    if not isinstance(degree, int) or degree < 2:
        raise InvalidValue(
            f"degree is `{degree!r}`; give a whole number of at least 2: "
            "those of degree 1 are `conservation_laws`"
        )
    size = sum(1 for _ in _monomials(len(system.states), degree))
    if size > _MOST:
        raise Unsupported(
            f"{system.in_words} has {len(system.states)} states, and thus `{size}` monomials up to "
            f"degree {degree}, more than {_MOST}; ask for a lower degree"
        )
    known = [*(law.expression for law in conservation_laws(system)), *beyond]
    found: list[sp.Expr] = []
    for d in range(2, degree + 1):
        found += _new(system, d, [*known, *found])
    return tuple(map(FirstIntegral, found))


def is_conserved(system: System, expression: sp.Expr) -> bool:
    """Say whether a polynomial in the states, with logarithms beside it, is a first integral.

    >>> is_conserved(System({"x": "y", "y": "-x"}, initial={"x": 1, "y": 0}), symbol("x") ** 2)
    False
    """
    weights = weights_of(expression)
    values = _rates(system, 1, tuple(weights))
    residues = [_residue(c) for c in weights.values()]
    return not any(
        sum(w * v for w, v in zip(residues, column, strict=True)) % LARGE_PRIME
        for column in zip(*values, strict=True)
    )


def _new(system: System, degree: int, known: Sequence[sp.Expr]) -> list[sp.Expr]:
    """Return the first integrals of a degree beyond all products of known ones.

    Potentials and logarithms come first and are eliminated first, so that laws without any come
    out as such.
    """
    states = [symbol(name) for name in system.states]
    monomials = [_product(states, powers) for powers in _monomials(len(states), degree)]
    amounts = amounts_of(system)
    others = [term for term in potentials(system, amounts) if term not in monomials]
    terms = (*others, *map(sp.log, amounts), *monomials)
    top = max([degree, *(_degree(e) for e in others if e.is_polynomial(*states))])
    first, second = (_beyond(system, salt, terms, top, known) for salt in (1, 2))
    if first is None or first != second:
        raise Unsupported(
            f"a first integral of {system.in_words} has coefficients that depend on parameters "
            "drawn at random; give those parameters fixed values"
        )
    return [_law(dict(zip(terms, row, strict=True))) for row in first]


def _law(weights: Mapping[sp.Expr, sp.Rational]) -> sp.Expr:
    """Return the sum of weighted terms; of logarithms alone, the monomial of which it is the log.

    >>> x, y = map(symbol, "xy")
    >>> _law({sp.log(x): sp.Integer(1), sp.log(y): sp.Integer(2), x: sp.Integer(0)})
    x*y**2
    """
    told = {term: c for term, c in weights.items() if c}
    logarithms = {term.args[0]: c for term, c in told.items() if term.func == sp.log}
    if len(logarithms) == len(told) and all(c.is_Integer and c > 0 for c in told.values()):
        return sp.Mul(*(x**c for x, c in logarithms.items()))
    plain = {term: c for term, c in told.items() if term.func != sp.log}
    squares = sum(sp.sign(c) for term, c in plain.items() if term.is_Pow and term.exp == 2)
    downward = all(c < 0 for c in plain.values()) and len(plain) > 0
    sign = -1 if squares < 0 or downward else 1
    return sp.Add(*(sign * c * term for term, c in told.items()))


def amounts_of(system: System) -> list[sp.Symbol]:
    """Return the states whose logarithm can be part of a law."""
    begin = system.draw(np.array([0]), 0)[0][:, 0]
    return [
        symbol(name)
        for name, value in zip(system.states, begin, strict=True)
        if value > 0 or system.bounds.get(name, (-np.inf,))[0] >= 0
    ]


def _beyond(
    system: System, salt: int, terms: tuple[sp.Expr, ...], degree: int, known: Sequence[sp.Expr]
) -> list[list[sp.Rational]] | None:
    """Return coefficients found from one set of points; None if they are not rational.

    Known laws and constants are left out.
    """
    place = {term: k for k, term in enumerate(terms)}
    products = []
    for expression in _products(known, degree):
        weights = weights_of(expression)
        if weights.keys() <= place.keys():
            residues = {place[term]: _residue(c) for term, c in weights.items()}
            products.append([residues.get(k, 0) for k in range(len(terms))])
    products += _constants(system, salt, terms)
    laws = left_null_space(_rates(system, salt, terms), LARGE_PRIME)
    for row in reduced_rows(products, LARGE_PRIME):
        pivot = next(k for k, v in enumerate(row) if v)
        laws = [
            [(v - law[pivot] * w) % LARGE_PRIME for v, w in zip(law, row, strict=True)]
            for law in laws
        ]
    lifted = [_lifted(law) for law in reduced_rows(laws, LARGE_PRIME)]
    found = [law for law in lifted if law is not None]
    return found if len(found) == len(lifted) else None


def _constants(system: System, salt: int, terms: tuple[sp.Expr, ...]) -> list[list[int]]:
    """Return the combinations of terms that are the same at all points, as sin^2 + cos^2 is.

    Monomials, and logarithms of states, have none.
    """
    others = (term for term in terms if not term.is_polynomial(*term.free_symbols))
    if all(term.func == sp.log and term.args[0].is_Symbol for term in others):
        return []
    values = Values(salt, len(terms) + 4, system.states, LARGE_PRIME)
    rows = [values.row(term) for term in terms]
    return left_null_space([[v - row[0] for v in row[1:]] for row in rows], LARGE_PRIME)


def _lifted(law: Sequence[int]) -> list[sp.Rational] | None:
    """Return rational coefficients, as whole numbers where these are small."""
    fractions = [lift(c, LARGE_PRIME) for c in law]
    known = [sp.Rational(c.numerator, c.denominator) for c in fractions if c is not None]
    if len(known) < len(law):
        return None
    common = sp.ilcm(*(c.q for c in known))
    return [c * common for c in known] if common < 1000 else known


def _monomials(states: int, degree: int) -> Iterator[Powers]:
    """Yield the exponents of all monomials of degree 1 to `degree`, the highest first.

    Mixed ones come before powers, and are eliminated before these, so that energies are told as
    sums of squares.
    """
    for d in range(degree, 0, -1):
        chosen = combinations_with_replacement(range(states), d)
        powers = [tuple(one.count(i) for i in range(states)) for one in chosen]
        yield from sorted(powers, key=max)


def _product(states: Sequence[sp.Symbol], powers: Powers) -> sp.Expr:
    return sp.Mul(*(x**e for x, e in zip(states, powers, strict=True)))


def _products(known: Sequence[sp.Expr], degree: int) -> Iterator[sp.Expr]:
    """Yield known laws, logarithms of monomials, and all products of polynomials up to a degree."""
    polynomials = [(e, _degree(e)) for e in known if e.is_polynomial(*e.free_symbols)]
    yield from (e for e in known if not e.is_polynomial(*e.free_symbols))
    yield from (sp.expand_log(sp.log(e), force=True) for e in known if not e.is_Add)
    most = [degree // max(1, d) for _, d in polynomials]
    for count in range(1, max(most, default=0) + 1):
        for chosen in combinations_with_replacement(polynomials, count):
            if sum(d for _, d in chosen) <= degree:
                yield sp.expand(prod(e for e, _ in chosen))


def _degree(expression: sp.Expr) -> int:
    return int(sp.Poly(expression, *expression.free_symbols).total_degree())


def expanded(expression: sp.Expr) -> sp.Expr:
    """Return the sum of the terms of a law, each function of states as it is.

    >>> x, y = map(symbol, "xy")
    >>> expanded(2 * (x + sp.exp(x - y)))
    2*x + 2*exp(x - y)
    """
    return sp.expand_mul(expression, deep=False)


def weights_of(expression: sp.Expr) -> dict[sp.Expr, sp.Rational]:
    """Return the coefficient of each term of a law but the constant one."""
    weights = expanded(expression).as_coefficients_dict()
    return {term: c for term, c in weights.items() if not term.is_number}


def _rates(system: System, salt: int, terms: tuple[sp.Expr, ...]) -> list[list[int]]:
    """Return grad m_k . f of terms m_k at random points, modulo the prime, (terms, points)."""
    derived, drift = numbered(system)
    values = Values(salt, len(terms) + 4, system.states, LARGE_PRIME)
    for name, expression in derived:
        values.known[name] = values.of(expression)
    f = {
        symbol(name): np.array(values.row(e), dtype=object)
        for name, e in zip(system.states, drift, strict=True)
    }
    return [values.spread(_rate(term, values, f)) for term in terms]


def _rate(term: sp.Expr, values: Values, f: Mapping[sp.Symbol, Points]) -> Points:
    """Return sum_i dm/dx_i f_i of a monomial or a logarithm m at points."""
    members = sorted(term.free_symbols, key=str)
    slopes = (np.asarray(values.of(sp.diff(term, x)), dtype=object) * f[x] for x in members)
    return np.asarray(sum(slopes, start=0 * f[members[0]]) % LARGE_PRIME)


def _residue(c: sp.Rational) -> int:
    return int(c.p) * pow(int(c.q), -1, LARGE_PRIME) % LARGE_PRIME
