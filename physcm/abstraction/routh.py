"""Routh-Hurwitz: when all eigenvalues have negative real parts, as inequalities in the parameters.

The roots of  z^n + a_1 z^(n-1) + ... + a_n  all have negative real parts iff the leading principal
minors of the Hurwitz matrix H_ij = a_(2i - j), with a_0 = 1, are positive (Hurwitz, Math. Annalen
46, 1895):

    n = 2:  a_1 > 0, a_2 > 0          n = 3:  a_1 > 0, a_1 a_2 - a_3 > 0, a_3 > 0

The polynomials are those of the diagonal blocks of the Jacobian on the conserved subspace, one for
each strongly connected component. At an equilibrium in closed form
the minors are expressions of the parameters alone, and their signs are decided in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp
from sympy.polys.matrices import DomainMatrix
from sympy.polys.rings import PolyElement, PolyRing, sring

from physcm.abstraction.signs import Signs
from physcm.abstraction.triangular import diagonal_blocks
from physcm.mechanism.expression import derivative, substitute, symbol, to_text
from physcm.sim import ConservationLaw, System, conservation_laws
from physcm.sim.conservation import known_parameters

_LARGEST = 4
_LONGEST_JACOBIAN, _LONGEST_CONDITION, _LONGEST_TEXT = 60, 400, 120


@dataclass(frozen=True)
class Condition:
    """An expression that has to be positive.

    Attributes:
        expression: its part that the signs of the parameters leave open.
        value: at the given parameters.
        name: which condition it is, told in place of an expression that is long.
    """

    expression: sp.Expr
    value: float
    name: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is positive."""
        return self.value > 0

    def __str__(self) -> str:
        text, fate = to_text(self.expression), "holds" if self.holds else "fails"
        if len(text) > _LONGEST_TEXT and self.name:
            return f"{self.name} > 0 ({fate})"
        return f"{text} > 0 ({fate})"


def hurwitz_conditions(matrix: sp.Matrix) -> list[sp.Expr]:
    """Return what has to be positive: the minors, a_n in place of the last.

    The last minor is a_n times the one before it. Determinants are taken without division
    (Berkowitz), over the polynomials in whatever the entries are made of.

    >>> a, b, c = map(symbol, "abc")
    >>> hurwitz_conditions(sp.Matrix([[0, 1, 0], [0, 0, 1], [-c, -b, -a]]))
    [a, a*b - c, c]
    """
    n = matrix.rows
    ring, entries = sring(list(matrix))
    a = _charpoly(ring, [entries[i * n : (i + 1) * n] for i in range(n)])

    def entry(i: int, j: int) -> PolyElement:
        k = 2 * (i + 1) - (j + 1)
        return a[k] if 0 <= k <= n else ring.zero

    minors = [
        (-1) ** k * _charpoly(ring, [[entry(i, j) for j in range(k)] for i in range(k)])[-1]
        for k in range(1, n)
    ]
    return [polynomial.as_expr() for polynomial in [*minors, a[n]]]


def _charpoly(ring: PolyRing, rows: list[list[PolyElement]]) -> list[PolyElement]:
    """Return 1, a_1, ..., a_n of the characteristic polynomial."""
    found: list[PolyElement] = DomainMatrix(rows, (len(rows),) * 2, ring.to_domain()).charpoly()
    return found


def reduced_jacobian(system: System) -> sp.Matrix:
    """Return the Jacobian on the conserved subspace, with states and parameters as symbols.

    >>> swap = System(
    ...     {"A": "B - k*A", "B": "k*A - B"}, parameters={"k": 2}, initial={"A": 1, "B": 1}
    ... )
    >>> reduced_jacobian(swap)
    Matrix([[-k - 1]])
    """
    laws = conservation_laws(system)
    free = _free(system, laws)
    drift = [substitute(system.drift[name], system.derived, system.derived) for name in free]
    full = {name: [derivative(f, symbol(name)) for f in drift] for name in system.states}
    columns = {name: sp.Matrix(full[name]) for name in free}
    for law in laws:
        (first, weight), *others = law.coefficients
        for name, c in others:
            if name in columns:
                columns[name] -= sp.Rational(str(c / weight)) * sp.Matrix(full[first])
    return sp.Matrix.hstack(*columns.values()) if free else sp.zeros(0, 0)


def routh_conditions(
    system: System,
    at: Mapping[sp.Symbol, sp.Expr | float],
    numbers: Mapping[sp.Symbol, float],
) -> tuple[Condition, ...] | None:
    """Return what has to be positive for an equilibrium to attract, None where that is too long.

    Conditions that the signs of parameters and states grant are left out.

    Args:
        system: the system.
        at: the equilibrium: each state in closed form, or as a number, of which nothing is used
            in the conditions but its sign.
        numbers: the values of parameters and initial values.

    >>> swap = System(
    ...     {"x": "v", "v": "-k*x - (d - c)*v"},
    ...     parameters={"k": 2, "d": 1, "c": 3},
    ...     initial={"x": 1, "v": 1},
    ... )
    >>> values = {symbol(name): value for name, value in swap.parameters.items()}
    >>> [str(condition) for condition in routh_conditions(swap, {}, values)]
    ['-c + d > 0 (fails)']
    """
    closed = {s: e for s, e in at.items() if isinstance(e, sp.Basic)}
    found = {s: float(e) for s, e in at.items() if not isinstance(e, sp.Basic)}
    matrix = reduced_jacobian(system).xreplace(closed)
    if not matrix.rows or sp.count_ops(matrix) > _LONGEST_JACOBIAN:
        return None
    places = [rows.tolist() for rows in diagonal_blocks(matrix)]
    if max(map(len, places)) > _LARGEST:
        return None
    free = _free(system, conservation_laws(system))
    positive = [
        (name, condition)
        for rows in places
        for name, condition in _named(matrix.extract(rows, rows), [free[i] for i in rows])
    ]
    if max(sp.count_ops(e) for _, e in positive) > _LONGEST_CONDITION:
        return None
    signs, known = Signs.of(system, {**numbers, **found}), known_parameters(system)
    names = {signs.open_part(e): name for name, e in reversed(positive)}
    return tuple(
        Condition(e, float(e.xreplace(known).xreplace({**numbers, **found})), name)
        for e, name in reversed(names.items())
        if e != sp.S.One
    )


def _free(system: System, laws: Sequence[ConservationLaw]) -> list[str]:
    """Return the states that no law determines."""
    determined = {law.determines for law in laws}
    return [name for name in system.states if name not in determined]


def _named(block: sp.Matrix, states: Sequence[str]) -> Iterator[tuple[str, sp.Expr]]:
    """Yield the conditions of a block of the Jacobian, with what they are."""
    conditions, listed = hurwitz_conditions(block), ", ".join(states)
    for k, condition in enumerate(conditions, start=1):
        which = "det(-J)" if k == len(conditions) else f"Hurwitz determinant {k}"
        yield f"{which} of {listed}", condition
