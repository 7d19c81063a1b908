"""States of rest in closed form from all equations at once, nonlinear laws among them.

All equations stay: where the gradient of a law vanishes it tells less than the equation that it
would replace. Polynomial laws are eliminated with the equations. A logarithmic one gives an unknown
that all others leave open, by Lambert's function W(z) e^W(z) = z:

    a y + b log y + c = 0:   y = (b/a) W((a/b) e^(-c/b))

The final size of an epidemic S' = -b S I, I' = b S I - g I is an example (Kermack & McKendrick,
Proc. R. Soc. A 115, 1927): S + I - (g/b) log S keeps its value, and I comes to 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sympy as sp

from physcm.abstraction.elimination import Forms, eliminated
from physcm.abstraction.laws import Law
from physcm.mechanism.expression import initial_symbol, substitute, symbol
from physcm.sim import FirstIntegral, System, conservation_laws
from physcm.sim.conservation import known_parameters

_MOST_STATES = 5


def answers_on_levels(system: System, curved: Sequence[FirstIntegral]) -> Iterator[Forms]:
    """Yield candidates for the state of rest of a small system of polynomials or their quotients.

    They are in the parameters if the laws hold for all values of these, else for their numbers.
    """
    states = [symbol(name) for name in system.states]
    if len(states) > _MOST_STATES:
        return
    known = known_parameters(system) if any(law.values is None for law in curved) else {}
    laws: list[Law] = [*conservation_laws(system), *curved]
    levels = [_rise(law.expression.xreplace(known), states) for law in laws]
    written = [
        substitute(symbol(k), system.derived, system.derived).xreplace(known)
        for k in system.derived
    ]
    drift = (substitute(f, system.derived, system.derived) for f in system.drift.values())
    polynomials = [e for e in levels if not e.has(sp.log)]
    if any(e.atoms(sp.Function) - e.atoms(sp.log) for e in levels):
        return
    residuals = [sp.numer(sp.together(e.xreplace(known))) for e in (*drift, *polynomials)]
    if not all(r.is_polynomial(*states) for r in residuals):
        return
    for forms in eliminated(residuals, states):
        for found in _completed(forms, states, [e for e in levels if e.has(sp.log)]):
            values = (e.xreplace(found) for e in written)
            yield found | dict(zip(map(symbol, system.derived), values, strict=True))


def _rise(law: sp.Expr, states: Sequence[sp.Symbol]) -> sp.Expr:
    return law - law.xreplace({x: initial_symbol(x.name) for x in states})


def _completed(
    forms: Forms, states: Sequence[sp.Symbol], laws: Sequence[sp.Expr]
) -> Iterator[Forms]:
    """Yield forms of all states, of those that are left open by one logarithmic law each."""
    left = {x for x in states if x not in forms}
    if not left:
        yield forms
        return
    for place, law in enumerate(laws):
        rise = law.xreplace(forms)
        unknown = rise.free_symbols & left
        if len(unknown) == 1 and not rise.has(sp.zoo, sp.nan):
            (x,) = unknown
            for root in _logarithmic_roots(rise, x):
                found = {y: form.xreplace({x: root}) for y, form in forms.items()} | {x: root}
                yield from _completed(found, states, [*laws[:place], *laws[place + 1 :]])
            return


def _logarithmic_roots(e: sp.Expr, x: sp.Symbol) -> Iterator[sp.Expr]:
    """Yield the roots of a y + b log y + c, with y linear in x.

    >>> x = symbol("x")
    >>> list(_logarithmic_roots(2 * x + sp.log(x) - 3, x))
    [LambertW(2*exp(3))/2, LambertW(2*exp(3), -1)/2]
    >>> list(_logarithmic_roots(sp.log(1 - x) - 3, x))
    [1 - exp(3)]
    """
    logarithms = [part for part in e.atoms(sp.log) if part.has(x)]
    if len(logarithms) != 1 or sp.degree(inside := logarithms[0].args[0], x) != 1:
        return
    y, told = sp.Dummy(positive=True), sp.Dummy()
    slope = inside.coeff(x)
    of_y = e.xreplace({logarithms[0]: told}).xreplace(
        {x: (y - inside.xreplace({x: sp.S.Zero})) / slope}
    )
    line = sp.Poly(sp.expand(of_y), y, told)
    a, b, c = line.coeff_monomial(y), line.coeff_monomial(told), line.coeff_monomial(1)
    if sp.expand(line.as_expr() - a * y - b * told - c) != 0:
        return
    fall = sp.exp(sp.expand(-c / b))
    roots = [fall] if a == 0 else [b / a * sp.LambertW(sp.expand(a / b) * fall, k) for k in (0, -1)]
    yield from ((root - inside.xreplace({x: sp.S.Zero})) / slope for root in roots)
