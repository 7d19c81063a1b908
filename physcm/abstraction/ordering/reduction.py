"""What equations mean, as against how they are written: which variable occurs in which.

v occurs in 0 = f iff no equivalent equation omits v. Read off the letters, too much occurs:

- A factor that never vanishes divides out: 0 = U (I - O) and 0 = (a - x)/(K + y) say I = O and
  a = x.
- 0 = X g with X >= 0 has two branches, X = 0 and g = 0. The branch looked at is X > 0, unless X
  is named in `zero`. What is divided out is said, for it is an assumption.
- Equations that follow from others, such as two copies of one equation, determine nothing. Of
  equations a linear combination of which vanishes identically, one is left out. If they are
  drifts, this combination of the states is conserved, and its total is an equation instead.
- Equations that vanish identically determine nothing either.

Left out is the equation in which most variables occur. Dependences are found in exact
arithmetic (see `physcm.abstraction.ordering.dependence`), and occurrence by derivatives at
generic points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from physcm.abstraction.ordering.dependence import (
    are_independent,
    vanishing_combinations,
)
from physcm.abstraction.ordering.division import divide
from physcm.abstraction.ordering.equations import Equations
from physcm.abstraction.parametric import total_in_parameters
from physcm.mechanism.errors import NotSolvable
from physcm.mechanism.expression import names_in, symbol, to_text
from physcm.scm.structure import Structure
from physcm.sim.conservation import ConservationLaw, laws_among


@dataclass(frozen=True)
class Reduced:
    """Equations by their meaning.

    Attributes:
        source: the equations as written.
        residuals: what vanishes, by label; none follows from the others linearly.
        factors: what a written equation is divided by to give its residual.
        reads: the variables and inputs that occur in each residual, also in those left out.
        left_out: equations that follow from others, with these.
        laws: those whose totals take the place of drifts left out, by the label of the total.
        positive: variables assumed to be not zero, where equations allow both.
        notes: what was done, in sentences.
    """

    source: Equations
    residuals: Mapping[str, sp.Expr]
    factors: Mapping[str, sp.Expr]
    reads: Mapping[str, frozenset[str]]
    left_out: Mapping[str, Sequence[str]]
    laws: Mapping[str, ConservationLaw]
    positive: tuple[str, ...]
    notes: tuple[str, ...]


def reduce(equations: Equations) -> Reduced:
    """Return equations by their meaning.

    Raises:
        NotSolvable: if an equation has no solution on the branch looked at, or some contradict
            each other.
        InvalidValue: if no equation allows a variable in `zero` to be zero.
    """
    divided = divide(equations)
    residuals = {**equations.residuals, **{label: one.residual for label, one in divided.items()}}
    reads = _occurrence(equations, residuals)
    laws = () if _independent(equations, equations.residuals) else _laws(equations)
    left_out = _left_out(equations, residuals, reads)
    conserved = [_in_parameters(equations, law) for law in laws]
    at_start = {symbol(name): value for name, value in equations.starts.items()}
    labels = [f"total({to_text(total)})" for total in conserved]
    totals = {
        label: total - total.xreplace(at_start)
        for label, total in zip(labels, conserved, strict=True)
    }
    notes = [
        *(note for one in divided.values() for note in one.notes),
        *(_about(label, others) for label, others in left_out.items()),
        *(f"`{to_text(e)}` is conserved: its total at the start is an equation" for e in conserved),
    ]
    return Reduced(
        equations,
        {label: r for label, r in residuals.items() if label not in left_out} | totals,
        {label: one.factor for label, one in divided.items()},
        reads | _occurrence(equations, totals),
        left_out,
        dict(zip(labels, laws, strict=True)),
        tuple(dict.fromkeys(name for one in divided.values() for name in one.positive)),
        tuple(notes),
    )


def _left_out(
    equations: Equations, residuals: Mapping[str, sp.Expr], reads: Mapping[str, frozenset[str]]
) -> dict[str, list[str]]:
    """Return the equations that follow from others, with these: as written, or once divided."""
    left_out: dict[str, list[str]] = {}
    for written in (equations.residuals, residuals):
        kept = {label: r for label, r in written.items() if label not in left_out}
        if not _independent(equations, kept):
            left_out |= _dependent(equations, kept, reads)
    kept = {label: r for label, r in residuals.items() if label not in left_out}
    if not _independent(equations, kept):
        _require_consistent(equations, kept)
    return left_out


def _in_parameters(equations: Equations, law: ConservationLaw) -> sp.Expr:
    drift = {x: equations.residuals[label] for label, x in equations.state_of.items()}
    general = total_in_parameters(law, drift, equations.definitions, equations.known)
    return law.expression if general is None else general


def _occurrence(
    equations: Equations, residuals: Mapping[str, sp.Expr]
) -> dict[str, frozenset[str]]:
    """Return which names occur in each equation, at the values of inputs that are known."""
    free = frozenset().union(*map(names_in, residuals.values())) - equations.values.keys()
    known = {k: v for k, v in equations.values.items() if k not in free}
    structure = Structure(
        {name: symbol(name) for name in sorted(free | {*equations.variables})},
        {},
        known,
        dict(equations.bounds),
    )
    return {label: structure.depends_on(residual) for label, residual in residuals.items()}


def _independent(equations: Equations, residuals: Mapping[str, sp.Expr]) -> bool:
    return are_independent(tuple(residuals.values()), equations.variables, equations.known)


def _dependent(
    equations: Equations, residuals: Mapping[str, sp.Expr], reads: Mapping[str, frozenset[str]]
) -> dict[str, list[str]]:
    """Return equations that follow from others, with these."""
    labels = [label for label in residuals if label not in equations.defined_by]
    labels.sort(key=lambda label: -len(reads[label] & {*equations.variables}))
    expressions = [residuals[label].xreplace(equations.known) for label in labels]
    combinations = vanishing_combinations(expressions, *_scope(equations))
    return {labels[first]: [labels[i] for i in others] for first, *others in combinations}


def _require_consistent(equations: Equations, residuals: Mapping[str, sp.Expr]) -> None:
    """Refuse equations of which a combination is a constant, whatever the inputs are."""
    labels = [label for label in residuals if label not in equations.defined_by]
    variables, definitions = _scope(equations)
    inputs = frozenset().union(*map(names_in, residuals.values())) - {*equations.variables}
    expressions = [*(residuals[label] for label in labels), sp.S.One]
    given = [*variables, *sorted(inputs)]
    for combination in vanishing_combinations(expressions, given, definitions):
        if combination[-1] == len(labels):
            names = ", ".join(f"`{labels[i]}`" for i in combination[:-1])
            raise NotSolvable(
                f"the equations {names} contradict each other: a combination of them is a "
                "constant other than 0; correct one of them, or name in `zero` what is zero"
            )


def _scope(equations: Equations) -> tuple[list[str], dict[sp.Symbol, sp.Expr]]:
    """Return what varies, and what is defined by it."""
    definitions = equations.definitions
    return (
        [name for name in equations.variables if name not in definitions],
        {symbol(name): e.xreplace(equations.known) for name, e in definitions.items()},
    )


def _about(left_out: str, others: list[str]) -> str:
    if not others:
        return f"`{left_out}` vanishes identically and is left out"
    names = ", ".join(f"`{name}`" for name in others)
    return f"`{left_out}` follows from {names} and is left out"


def _laws(equations: Equations) -> tuple[ConservationLaw, ...]:
    drift = {
        x: equations.residuals[label].xreplace(equations.known)
        for label, x in equations.state_of.items()
    }
    variables, definitions = _scope(equations)
    name = f"the system `{equations.name}`" if equations.name else "the equations"
    return laws_among(drift, tuple(variables), tuple(definitions.items()), name)
