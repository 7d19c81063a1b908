"""Dividing equations by what never vanishes: 0 = q r says 0 = r.

A factor that may vanish at the bounds of variables alone, such as an amount X in 0 = X g, gives
branches: X > 0, where 0 = g, unless X is named in `zero`, and then X = 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from physcm.abstraction.ordering.equations import Equations
from physcm.abstraction.ordering.signs import Signs
from physcm.mechanism.errors import InvalidValue, NotSolvable
from physcm.mechanism.expression import names_in, symbol, to_text

_LARGEST = 400


@dataclass(frozen=True)
class Divided:
    """An equation without the factors that do not vanish.

    Attributes:
        residual: r.
        factor: q.
        positive: the variables that are not zero on the branch.
        vanishing: those that are.
        notes: what was assumed, in sentences.
    """

    residual: sp.Expr
    factor: sp.Expr = sp.S.One
    positive: tuple[str, ...] = ()
    vanishing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def divide(equations: Equations) -> dict[str, Divided]:
    """Return all equations but definitions without the factors that do not vanish.

    Raises:
        NotSolvable: if an equation has no solution on the branch looked at.
        InvalidValue: if no equation allows a variable in `zero` to be zero.
    """
    signs = Signs(equations.bounds, equations.values, equations.variables)
    divided = {
        label: _divided(label, residual, equations, signs)
        for label, residual in equations.residuals.items()
        if label not in equations.defined_by
    }
    _require_zero(equations, divided)
    return divided


def _divided(label: str, f: sp.Expr, equations: Equations, signs: Signs) -> Divided:
    if _is_irreducible(f):
        return Divided(f)
    numerator, denominator = sp.fraction(sp.together(f))
    small = numerator.count_ops() < _LARGEST
    numerator = (sp.factor if small else sp.factor_terms)(numerator)
    if numerator == 0:
        return Divided(sp.S.Zero)
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
        zero = symbol(vanishing[0])
        note = f"0 = {to_text(f)} (`{label}`) holds with `{zero}` = 0, the branch looked at"
        return Divided(zero, f / zero, (), tuple(vanishing), (note,))
    residual = sp.Mul(*kept)
    if names_in(residual) == names_in(f) and not positive:
        return Divided(f)
    notes = [
        f"with `{name}` not 0, 0 = {to_text(f)} (`{label}`) says 0 = {to_text(residual)}; "
        f"`{name}` = 0 is another branch (`zero=[{name!r}]`)"
        for name in dict.fromkeys(positive)
    ]
    return Divided(residual, factor, tuple(positive), (), tuple(notes))


def _is_irreducible(f: sp.Expr) -> bool:
    """Say whether some name occurs once, alone with a number: then nothing divides f."""
    terms = sp.Add.make_args(f)
    count = Counter(s for term in terms for s in term.free_symbols)
    alone = (term.as_coeff_Mul()[1] for term in terms)
    return len(terms) > 1 and any(count[s] == 1 for s in alone if s.is_Symbol)


def _require_zero(equations: Equations, divided: Mapping[str, Divided]) -> None:
    found = {name for one in divided.values() for name in one.vanishing}
    for name in equations.zero:
        if name not in found:
            raise InvalidValue(
                f"`{name}` is named in zero, and no equation has the factor `{name}`; name "
                "variables whose equation allows them to be zero"
            )
