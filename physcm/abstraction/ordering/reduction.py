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

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from physcm.abstraction.ordering.dependence import laws_of, vanishing_combinations
from physcm.abstraction.ordering.equations import Equations
from physcm.abstraction.ordering.signs import Signs
from physcm.mechanism.errors import InvalidValue, NotSolvable
from physcm.mechanism.expression import names_in, symbol, to_text
from physcm.scm.structure import Structure
from physcm.sim import ConservationLaw

_LARGEST = 400


@dataclass(frozen=True)
class Reduced:
    """Equations by their meaning.

    Attributes:
        source: the equations as written.
        residuals: what vanishes, by label; none follows from the others linearly.
        factors: what a written equation is divided by to give its residual.
        reads: the variables and inputs that occur in each residual, also in those left out.
        laws: the conserved totals that take the place of drifts left out.
        positive: variables assumed to be not zero, where equations allow both.
        notes: what was done, in sentences.
    """

    source: Equations
    residuals: Mapping[str, sp.Expr]
    factors: Mapping[str, sp.Expr]
    reads: Mapping[str, frozenset[str]]
    laws: tuple[ConservationLaw, ...]
    positive: tuple[str, ...]
    notes: tuple[str, ...]


def reduce(equations: Equations) -> Reduced:
    """Return equations by their meaning.

    Raises:
        NotSolvable: if an equation has no solution on the branch looked at, or some contradict
            each other.
        InvalidValue: if no equation allows a variable in `zero` to be zero.
    """
    signs = Signs(equations.bounds, equations.values, equations.variables)
    divided = {
        label: _divided(label, residual, equations, signs)
        for label, residual in equations.residuals.items()
        if label not in equations.defined_by
    }
    _require_zero(equations, divided)
    residuals = {
        label: divided[label].residual if label in divided else residual
        for label, residual in equations.residuals.items()
    }
    notes = [note for one in divided.values() for note in one.notes]
    reads = _occurrence(equations, residuals)
    for written in (equations.residuals, residuals):
        for left_out, others in _dependent(equations, written, residuals, reads):
            notes.append(_about(left_out, others))
            del residuals[left_out]
    _require_consistent(equations, residuals)
    totals = {}
    laws = _laws(equations)
    for law in laws:
        label = f"total({law})"
        total = sum(
            sp.Rational(weight.numerator, weight.denominator) * equations.starts[name]
            for name, weight in law.coefficients
        )
        totals[label] = law.expression - total
        notes.append(f"`{law}` is conserved: its total, set by the initial state, is an equation")
    positive = dict.fromkeys(name for one in divided.values() for name in one.positive)
    return Reduced(
        equations,
        residuals | totals,
        {label: one.factor for label, one in divided.items()},
        reads | _occurrence(equations, totals),
        laws,
        tuple(positive),
        tuple(notes),
    )


@dataclass(frozen=True)
class _Divided:
    """An equation without the factors that do not vanish."""

    residual: sp.Expr
    factor: sp.Expr = sp.S.One
    positive: tuple[str, ...] = ()
    vanishing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _divided(label: str, f: sp.Expr, equations: Equations, signs: Signs) -> _Divided:
    numerator, denominator = sp.fraction(sp.together(f))
    small = numerator.count_ops() < _LARGEST
    numerator = (sp.factor if small else sp.factor_terms)(numerator)
    if numerator == 0:
        return _Divided(sp.S.Zero, notes=(f"`{label}` vanishes identically",))
    inside = {*equations.variables} - {*equations.zero}
    kept, factor, positive, vanishing = [], 1 / denominator, [], []
    for one in sp.Mul.make_args(numerator):
        base, exponent = one.as_base_exp()
        if one.free_symbols == set() or signs.never_vanishes(base):
            factor *= one
        elif signs.never_vanishes(base, inside):
            factor *= one
            positive += sorted(names_in(base) & inside & signs.bounds.keys())
        else:
            kept.append(base)
            factor *= base ** (exponent - 1)
            vanishing += [base.name] if base in map(symbol, equations.zero) else []
    if not kept:
        raise NotSolvable(
            f"0 = {to_text(f)} (`{label}`) has no solution unless one of "
            f"{', '.join(f'`{name}`' for name in positive) or 'its factors'} is zero; name those "
            "that are in `zero`"
        )
    if vanishing:
        return _Divided(symbol(vanishing[0]), f / symbol(vanishing[0]), (), tuple(vanishing))
    residual = sp.Mul(*kept)
    if names_in(residual) == names_in(f):
        return _Divided(f)
    notes = [
        f"0 = {to_text(f)} (`{label}`) is divided by `{name}` > 0 and says "
        f"0 = {to_text(residual)}; `{name}` = 0 is another branch (`zero=[{name!r}]`)"
        for name in dict.fromkeys(positive)
    ]
    return _Divided(residual, factor, tuple(positive), (), tuple(notes))


def _require_zero(equations: Equations, divided: Mapping[str, _Divided]) -> None:
    found = {name for one in divided.values() for name in one.vanishing}
    for name in equations.zero:
        if name not in found:
            raise InvalidValue(
                f"`{name}` is named in zero, and no equation has the factor `{name}`; name "
                "variables whose equation allows them to be zero"
            )


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


def _dependent(
    equations: Equations,
    written: Mapping[str, sp.Expr],
    residuals: Mapping[str, sp.Expr],
    reads: Mapping[str, frozenset[str]],
) -> list[tuple[str, list[str]]]:
    """Return equations that follow from others, with these."""
    labels = [label for label in residuals if label not in equations.defined_by]
    labels.sort(key=lambda label: -len(reads[label] & {*equations.variables}))
    expressions = [written[label].xreplace(equations.known) for label in labels]
    combinations = vanishing_combinations(expressions, *_scope(equations))
    return [(labels[first], [labels[i] for i in others]) for first, *others in combinations]


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
    return laws_of(drift, *_scope(equations))
