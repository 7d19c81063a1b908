"""What interventions do to conservation laws: which they keep, which they lift, which they bring.

A law c(X) = c(X(0)) says that flows cancel between the mechanisms of its members. Holding a member
cuts its mechanism, and with it the law, while the others may come to balance anew: in the basic
enzyme reaction do(C = c) lifts E + C, and at c = k0/k2 alone, where S and E lose alike, E - S
becomes conserved (Blom, Bongers & Mooij, UAI 2019).

Linear laws form a vector space. Those kept are the intersection of the spaces before and after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import sympy as sp

from physcm.abstraction.parametric import in_parameters, linear_in_parameters
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.expression import symbol, to_text
from physcm.sim import ConservationLaw, FirstIntegral, System, conservation_laws, first_integrals
from physcm.sim.conservation import known_parameters
from physcm.sim.integrals import expanded, is_conserved

_LOW_DEGREES = (2, 3)
Law: TypeAlias = "ConservationLaw | FirstIntegral"


@dataclass(frozen=True)
class LawChange:
    """The conserved quantities of a system under an intervention.

    Attributes:
        intervention: what is done.
        kept: those of the system that it leaves alone.
        lifted: those of the system that it breaks.
        new: those that there are under it only.
    """

    intervention: str
    kept: tuple[sp.Expr, ...]
    lifted: tuple[sp.Expr, ...]
    new: tuple[sp.Expr, ...]

    def __str__(self) -> str:
        parts = {"keeps": self.kept, "lifts": self.lifted, "brings": self.new}
        told = [f"{verb} {', '.join(map(to_text, laws))}" for verb, laws in parts.items() if laws]
        return f"{self.intervention}: {'; '.join(told) or 'no laws before or after'}"


def laws_of(system: System, degree: int = 1) -> tuple[Law, ...]:
    """Return the conservation laws of a system up to a degree, the linear ones first.

    They are in the parameters, unless they hold for the given values of these alone.

    Raises:
        InvalidValue: for a degree that is no whole number of at least 1.

    >>> chain = System({"A": "-A", "B": "A"}, initial={"A": 1, "B": 0})
    >>> [str(law) for law in laws_of(chain, 2)]
    ['A + B']
    """
    if not isinstance(degree, int) or degree < 1:
        raise InvalidValue(f"degree is `{degree!r}`; give a whole number of at least 1")
    linear = linear_in_parameters(system, conservation_laws(system))
    return (*linear, *curved_laws(system, degree))


def curved_laws(system: System, degree: int) -> tuple[FirstIntegral, ...]:
    """Return the nonlinear laws of a system up to a degree, in the parameters if they can be."""
    found = first_integrals(system, degree) if degree > 1 else ()
    return tuple(in_parameters(system, law) or law for law in found)


def is_special(law: Law) -> bool:
    """Say whether a law of `laws_of` holds for the given values of the parameters alone.

    >>> balanced = System({"A": "-k*B", "B": "2*B"}, parameters={"k": 2}, initial={"A": 1, "B": 0})
    >>> [is_special(law) for law in laws_of(balanced)]
    [False]
    """
    known = law.general if isinstance(law, ConservationLaw) else law.values
    return known is None


def selecting_laws(system: System) -> tuple[FirstIntegral, ...]:
    """Return nonlinear laws of the lowest degree at which any are found, in parameters if they can.

    Laws of a degree above 3 are not looked for.

    >>> chase = System({"x": "-x*y", "y": "-y"}, initial={"x": 1, "y": 1})
    >>> [str(law) for law in selecting_laws(chase)]
    ['y - log(x)']
    """
    for degree in _LOW_DEGREES:
        try:
            found = curved_laws(system, degree)
        except Unsupported:
            return ()
        if found:
            return found
    return ()


def law_change(label: str, laws: Sequence[Law], done: System, degree: int = 1) -> LawChange:
    """Compare laws of a system with those that it has under an intervention.

    Args:
        label: what the intervention is called.
        laws: of the system before.
        done: the system after.
        degree: the largest degree of laws to look for after.

    >>> chain = System({"A": "-A", "B": "A - B", "C": "B"}, initial={"A": 1, "B": 0, "C": 0})
    >>> print(law_change("do(A = 2)", laws_of(chain), chain.do(A=2)))
    do(A = 2): lifts A + B + C
    """
    names = dict.fromkeys(name for law in laws for name in law.states)
    order = [*names, *(name for name in done.states if name not in names)]
    before = [law for law in laws if isinstance(law, ConservationLaw)]
    after = _rows(conservation_laws(done), order)
    kept = _intersection(_rows(before, order), after)
    lifted = [
        law.total
        for law, row in zip(before, _rows(before, order), strict=True)
        if not law.is_trivial and not _spans(kept, row)
    ]
    new = [_total(row, order, done) for row in _beyond(kept, after)]
    shown = [_total(row, order, done) for row in kept if sum(map(bool, row)) > 1]
    curved = [law.expression for law in laws if isinstance(law, FirstIntegral)]
    restricted = {law: _restricted(law, done) for law in curved}
    alive = {law: e for law, e in restricted.items() if _is_kept(e, done)}
    if degree > 1:
        found = first_integrals(done, degree, beyond=tuple(alive.values()))
        new += [_curved(law.expression, done) for law in found]
    return LawChange(
        label,
        (*shown, *(_curved(law, done) for law in alive.values())),
        (*lifted, *(law for law in curved if law not in alive)),
        tuple(new),
    )


def _rows(laws: Sequence[ConservationLaw], order: Sequence[str]) -> list[list[sp.Rational]]:
    return [[sp.Rational(str(dict(law.coefficients).get(x, 0))) for x in order] for law in laws]


def _total(row: Sequence[sp.Rational], order: Sequence[str], done: System) -> sp.Expr:
    """Return a law of a system in its parameters."""
    weights = tuple((x, Fraction(int(c.p), int(c.q))) for x, c in zip(order, row, strict=True) if c)
    return linear_in_parameters(done, [ConservationLaw(weights)])[0].total


def _curved(expression: sp.Expr, done: System) -> sp.Expr:
    law = FirstIntegral(expression)
    return (in_parameters(done, law) or law).expression


def _basis(rows: Sequence[Sequence[sp.Rational]]) -> list[list[sp.Rational]]:
    """Return the reduced basis of the space that rows span."""
    if not rows:
        return []
    matrix, pivots = sp.Matrix(rows).rref()
    return [list(matrix.row(i)) for i in range(len(pivots))]


def _spans(basis: Sequence[Sequence[sp.Rational]], row: Sequence[sp.Rational]) -> bool:
    return len(_basis([*basis, row])) == len(basis)


def _intersection(
    first: list[list[sp.Rational]], second: list[list[sp.Rational]]
) -> list[list[sp.Rational]]:
    """Return the reduced basis of what two spaces have in common: a F = b S."""
    if not first or not second:
        return []
    pairs = sp.Matrix([*first, *second]).T.nullspace()
    return _basis([list(pair[: len(first), :].T * sp.Matrix(first)) for pair in pairs])


def _beyond(
    known: list[list[sp.Rational]], rows: list[list[sp.Rational]]
) -> list[list[sp.Rational]]:
    """Return what rows span beside known ones, free of the known ones' leading names."""
    for row in known:
        pivot = next(k for k, c in enumerate(row) if c)
        rows = [[v - other[pivot] * c for v, c in zip(other, row, strict=True)] for other in rows]
    return _basis(rows)


def _restricted(expression: sp.Expr, done: System) -> sp.Expr:
    """Return a law with held values in place of what is held."""
    known = known_parameters(done)
    values: Mapping[sp.Symbol, sp.Expr] = {symbol(k): v for k, v in done.derived.items()}
    return expanded(expression.xreplace(values).xreplace(known))


def _is_kept(expression: sp.Expr, done: System) -> bool:
    moving = {symbol(name) for name in done.states} & expression.free_symbols
    return bool(moving) and moving == expression.free_symbols and is_conserved(done, expression)
