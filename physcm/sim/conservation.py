"""Linear conservation laws: the vectors c with c . f(x) = 0 identically, found exactly.

The laws are the left null space of the matrix [f(x_1), f(x_2), ...] at generic points, since
c annihilates the function f iff it annihilates its values at enough points; see
`physcm.sim.modular`. Nonlinear laws are found by `physcm.sim.integrals`.

A law c holds the total c . X at its initial value. That makes equilibria depend on the
initial state (Blom, Bongers & Mooij, UAI 2019), and makes the Jacobian of f singular.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import Unsupported
from physcm.mechanism.expression import exact, symbol, to_text
from physcm.sim.modular import LARGE_PRIME, PRIME, Values, left_null_space, lift
from physcm.sim.system import System

Given: TypeAlias = tuple[tuple[str, float | sp.Expr], ...]
"""Parameters and initial values that are numbers or computed from others, by name."""


@dataclass(frozen=True)
class ConservationLaw:
    """A linear combination of states that keeps its initial value.

    Attributes:
        coefficients: the weight of each state that takes part; the first one is the state
            that the law determines when all others are known.
        general: the total with parameters in place of their values; None if the law holds for
            these alone, or if that is not known.

    >>> str(ConservationLaw((("E", Fraction(1)), ("C", Fraction(1)))))
    'C + E'
    """

    coefficients: tuple[tuple[str, Fraction], ...]
    general: sp.Expr | None = None

    @property
    def determines(self) -> str:
        """The state that the law gives in terms of the others and the total."""
        return self.coefficients[0][0]

    @property
    def states(self) -> tuple[str, ...]:
        """The states that take part."""
        return tuple(name for name, _ in self.coefficients)

    @property
    def expression(self) -> sp.Expr:
        """The conserved total, as an expression in the states."""
        return sp.Add(
            *(sp.Rational(c.numerator, c.denominator) * symbol(x) for x, c in self.coefficients)
        )

    @property
    def total(self) -> sp.Expr:
        """The conserved total, in the parameters if it can be."""
        return self.expression if self.general is None else self.general

    @property
    def is_trivial(self) -> bool:
        """Whether a single state is conserved, having no dynamics of its own."""
        return len(self.coefficients) == 1

    def __str__(self) -> str:
        return to_text(self.total)


def conservation_laws(system: System, varied: Collection[str] = ()) -> tuple[ConservationLaw, ...]:
    """Return a basis of the linear conservation laws of a system, in reduced form.

    Each law determines a state that no other law contains. The laws hold for the given
    values of the parameters, and for any of those that are varied.

    Raises:
        Unsupported: if a law has weights that depend on a parameter that is varied or drawn at
            random.

    >>> swap = System(
    ...     {"A": "-k*A + B", "B": "k*A - B"}, parameters={"k": 2}, initial={"A": 1, "B": 0}
    ... )
    >>> [str(law) for law in conservation_laws(swap)]
    ['A + B']
    """
    derived, drift = numbered(system, varied)
    states = dict(zip(system.states, drift, strict=True))
    return laws_among(states, system.states, derived, system.in_words)


def laws_among(
    drift: Mapping[str, sp.Expr],
    variables: tuple[str, ...],
    definitions: tuple[tuple[sp.Symbol, sp.Expr], ...],
    of: str,
) -> tuple[ConservationLaw, ...]:
    """Return a basis of the linear conservation laws among some states.

    Args:
        drift: of the states that may take part, with all known constants as numbers.
        variables: all names that are not constant, the defined ones aside.
        definitions: of further names, each after those that its definition reads.
        of: what messages call the model.

    Raises:
        Unsupported: if a law has weights that depend on a constant that is not known.
    """
    for prime in (PRIME, LARGE_PRIME):
        first, second = (
            _laws_modulo(salt, prime, variables, definitions, tuple(drift.items()))
            for salt in (1, 2)
        )
        if first is not None and first == second:
            return first
    raise Unsupported(
        f"a conservation law of {of} has weights that depend on "
        "parameters drawn at random; give those parameters fixed values"
    )


def under_holds(
    laws: Sequence[ConservationLaw], held: Sequence[str]
) -> tuple[ConservationLaw, ...]:
    """Return the laws that are left when some states are held, whose own values are laws then.

    What is left of the others are the combinations that no held state takes part in. Laws that
    a system has only while a state is held are not among them.

    >>> chain = ConservationLaw((("A", Fraction(1)), ("B", Fraction(1))))
    >>> [str(law) for law in under_holds([chain], ["B"])]
    ['B']
    """
    left = [dict(law.coefficients) for law in laws]
    for name in held:
        pivot = next((law for law in left if name in law), None)
        if pivot is not None:
            left = [_without(law, pivot, name) for law in left if law is not pivot]
    own = [ConservationLaw(((name, Fraction(1)),)) for name in held]
    return (*own, *(ConservationLaw(tuple(law.items())) for law in left))


def _without(
    law: dict[str, Fraction], pivot: Mapping[str, Fraction], name: str
) -> dict[str, Fraction]:
    """Return a law that a state takes no part in, by subtracting a multiple of another."""
    factor = law.get(name, Fraction(0)) / pivot[name]
    names = {**law, **pivot}
    zero = Fraction(0)
    mixed = {key: law.get(key, zero) - factor * pivot.get(key, zero) for key in names}
    return {key: weight for key, weight in mixed.items() if weight}


def law_matrix(laws: Sequence[ConservationLaw], states: Sequence[str]) -> Floats:
    """Return the weights as a matrix of shape (laws, states)."""
    matrix = np.zeros((len(laws), len(states)))
    for row, law in enumerate(laws):
        for name, weight in law.coefficients:
            matrix[row, states.index(name)] = float(weight)
    return matrix


def known_parameters(system: System, varied: Collection[str] = ()) -> dict[sp.Symbol, sp.Expr]:
    """Return each parameter that is a number, or computed from numbers, as an exact number.

    Those that are varied are not known.
    """
    return dict(_known(_given(system, varied)))


def numbered(
    system: System, varied: Collection[str] = ()
) -> tuple[tuple[tuple[sp.Symbol, sp.Expr], ...], tuple[sp.Expr, ...]]:
    """Return derived variables and drifts with all known parameters as numbers."""
    derived, drift = tuple(system.derived.items()), tuple(system.drift.items())
    return _numbered(_given(system, varied), derived, drift)


def _given(system: System, varied: Collection[str]) -> Given:
    """Return the parameters that do not vary and initial values that are numbers or computed."""
    values = [(name, v) for name, v in system.parameters.items() if name not in varied]
    values += [(f"{name}(0)", v) for name, v in system.initial.items()]
    return tuple((name, v) for name, v in values if isinstance(v, float | sp.Expr))


@lru_cache(maxsize=256)
def _known(given: Given) -> tuple[tuple[sp.Symbol, sp.Expr], ...]:
    known = {symbol(name): exact(v) for name, v in given if isinstance(v, float)}
    waiting = {symbol(name): v for name, v in given if isinstance(v, sp.Expr)}
    while ready := {k: v for k, v in waiting.items() if v.free_symbols <= known.keys()}:
        known |= {k: v.xreplace(known) for k, v in ready.items()}
        waiting = {k: v for k, v in waiting.items() if k not in ready}
    return tuple(known.items())


@lru_cache(maxsize=256)
def _numbered(
    given: Given, derived: tuple[tuple[str, sp.Expr], ...], drift: tuple[tuple[str, sp.Expr], ...]
) -> tuple[tuple[tuple[sp.Symbol, sp.Expr], ...], tuple[sp.Expr, ...]]:
    numbers = dict(_known(given))
    definitions = tuple((symbol(name), e.xreplace(numbers)) for name, e in derived)
    return definitions, tuple(e.xreplace(numbers) for _, e in drift)


@lru_cache(maxsize=256)
def _laws_modulo(
    salt: int,
    prime: int,
    variables: tuple[str, ...],
    definitions: tuple[tuple[sp.Symbol, sp.Expr], ...],
    drift: tuple[tuple[str, sp.Expr], ...],
) -> tuple[ConservationLaw, ...] | None:
    """Find the laws from one set of points; None if they are no fractions of terms that small."""
    values = Values(salt, len(drift) + 4, variables, prime)
    for name, expression in definitions:
        values.known[name] = values.of(expression)
    rows = left_null_space([values.row(f) for _, f in drift], prime)
    laws = []
    for row in rows:
        weights = [(name, lift(c, prime)) for (name, _), c in zip(drift, row, strict=True) if c]
        if any(weight is None for _, weight in weights):
            return None
        laws.append(ConservationLaw(_integral(weights)))
    return tuple(laws)


def _integral(weights: Sequence[tuple[str, Fraction | None]]) -> tuple[tuple[str, Fraction], ...]:
    """Scale weights to the smallest integers where these are small."""
    fractions = [(name, weight) for name, weight in weights if weight is not None]
    common = int(np.lcm.reduce([w.denominator for _, w in fractions]))
    return tuple((name, w * common if common < 1000 else w) for name, w in fractions)


def totals(laws: Sequence[ConservationLaw], values: Mapping[str, Floats]) -> list[Floats]:
    """Return the conserved totals at given states."""
    return [
        np.asarray(sum(float(c) * values[name] for name, c in law.coefficients)) for law in laws
    ]
