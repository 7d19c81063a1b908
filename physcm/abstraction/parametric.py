"""Conservation laws in the parameters of a system, where they hold for all values of these.

Of a law that was found for numbers, the terms m_k are known. Their coefficients for any values of
the parameters solve the linear equations

    sum_k c_k grad m_k . f = 0    for each monomial in the states and in functions of them.

    S' = -b S I, I' = b S I - g I               of the terms S, I, log S:    b S + b I - g log S
    h1' = (h2 - h1)/a1, h2' = (h1 - h2)/a2      of the terms h1, h2:         a1 h1 + a2 h2
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import sympy as sp

from physcm.mechanism.expression import derivative, substitute, symbol
from physcm.sim import ConservationLaw, FirstIntegral, System
from physcm.sim.conservation import known_parameters
from physcm.sim.integrals import amounts_of, weights_of
from physcm.sim.modular import Values
from physcm.sim.potentials import potentials

_LONGEST = 400
Numbers = Mapping[sp.Symbol, sp.Expr]


def in_parameters(system: System, law: FirstIntegral) -> FirstIntegral | None:
    """Return a law with parameters in place of their values, None if it holds for these alone.

    >>> spring = System(
    ...     {"x": "v/m", "v": "-k*x"}, parameters={"k": 3, "m": 2}, initial={"x": 1, "v": 0}
    ... )
    >>> print(in_parameters(spring, FirstIntegral(3 * symbol("x") ** 2 + symbol("v") ** 2 / 2)))
    k*m*x**2 + v**2
    """
    known = known_parameters(system)
    written = potentials(system, amounts_of(system))
    terms = sorted(
        (written.get(term, term) for term in weights_of(law.expression)), key=_logarithms_first
    )
    drift = {symbol(x): substitute(f, system.derived, system.derived)
             for x, f in system.drift.items()}  # fmt: skip
    general = _general(terms, law.expression, drift, known)
    if general is None:
        return None
    parameters = sorted(general.free_symbols - drift.keys(), key=str)
    return FirstIntegral(general, tuple((s.name, known[s]) for s in parameters))


def total_in_parameters(
    law: ConservationLaw, drift: Mapping[str, sp.Expr], definitions: Mapping[str, sp.Expr],
    known: Numbers,
) -> sp.Expr | None:  # fmt: skip
    """Return a conserved total with parameters in place of their values.

    It is None if the law holds for the given values alone.

    Args:
        law: as it was found for the given values.
        drift: of the states.
        definitions: of derived variables, each after those that its definition reads.
        known: the values of parameters.

    >>> from physcm.sim import conservation_laws
    >>> tanks = System(
    ...     {"h": "(l - h)/A", "l": "(h - l)/B"},
    ...     parameters={"A": 2, "B": 3},
    ...     initial={"h": 1, "l": 0},
    ... )
    >>> (law,) = conservation_laws(tanks)
    >>> total_in_parameters(law, tanks.drift, {}, known_parameters(tanks))
    A*h + B*l
    """
    if _holds_for_all(law, drift, definitions):
        return law.expression
    own = {symbol(x): substitute(drift[x], definitions, definitions) for x in law.states}
    return _general([*own], law.expression, own, known, [*map(symbol, drift)])


def linear_in_parameters(
    system: System, laws: Sequence[ConservationLaw]
) -> tuple[ConservationLaw, ...]:
    """Return linear laws with what they are in the parameters, if they can be."""
    known = known_parameters(system)
    return tuple(
        replace(law, general=total_in_parameters(law, system.drift, system.derived, known))
        for law in laws
    )


def breaking(system: System, law: ConservationLaw | FirstIntegral) -> tuple[str, ...]:
    """Return the parameters a change of which breaks a law as it is, with its weights in numbers.

    >>> tuned = System(
    ...     {"A": "B*(k - l)", "B": "-u*B"},
    ...     parameters={"k": 1, "l": 1, "u": 3},
    ...     initial={"A": 1, "B": 1},
    ... )
    >>> from physcm.sim import conservation_laws
    >>> [breaking(tuned, law) for law in conservation_laws(tuned)]
    [('k', 'l')]
    """
    known = known_parameters(system)
    drift = {x: substitute(system.drift[x], system.derived, system.derived) for x in law.states}
    slopes = {x: derivative(law.expression, symbol(x)) for x in law.states}
    rate = sp.Add(*(slopes[x] * f for x, f in drift.items()), evaluate=False)
    read = {s.name for f in drift.values() for s in f.free_symbols}
    return tuple(
        name
        for name in system.parameters
        if name in read and _moves(rate, {k: v for k, v in known.items() if k.name != name}, system)
    )


def _moves(rate: sp.Expr, known: Numbers, system: System) -> bool:
    values = Values(1, len(system.states) + 4, system.states)
    return any(values.row(rate.xreplace(known)))


def _holds_for_all(
    law: ConservationLaw, drift: Mapping[str, sp.Expr], definitions: Mapping[str, sp.Expr]
) -> bool:
    """Say whether a law keeps its weights whatever the values of parameters are."""
    rate = sp.Add(
        *(sp.Rational(str(c)) * drift[name] for name, c in law.coefficients), evaluate=False
    )
    read, needed = [], rate.free_symbols
    for name, expression in reversed(tuple(definitions.items())):
        if symbol(name) in needed:
            read.append((name, expression))
            needed = needed | expression.free_symbols
    return _vanishes(rate, len(law.states), tuple(drift), tuple(reversed(read)))


@lru_cache(maxsize=1024)
def _vanishes(
    rate: sp.Expr,
    members: int,
    states: tuple[str, ...],
    definitions: tuple[tuple[str, sp.Expr], ...],
) -> bool:
    """Say whether a rate of change is 0 at all states and parameters, which most holds leave."""
    values = Values(1, members + 4, states)
    for name, expression in definitions:
        values.known[symbol(name)] = values.of(expression)
    return not any(values.row(rate))


def _general(
    terms: Sequence[sp.Expr], law: sp.Expr, drift: Mapping[sp.Symbol, sp.Expr], known: Numbers,
    states: Sequence[sp.Symbol] = (),
) -> sp.Expr | None:  # fmt: skip
    """Return the one law of some terms for all values of parameters, None if there is none.

    Args:
        terms: of the law.
        law: what it is for the given values, which decides the sign.
        drift: of the states in the terms.
        known: the given values.
        states: all states, unless they are those of `drift`.
    """
    weights = sp.symbols(f"c:{len(terms)}", cls=sp.Dummy)
    rates = (
        c * derivative(term, x) * drift[x]
        for c, term in zip(weights, terms, strict=True)
        for x in drift
        if term.has(x)
    )
    states = states or [*drift]
    rate, functions = _without_functions(sp.Add(*rates), states)
    rate, moving = sp.numer(sp.together(rate)), [*states, *functions]
    if not rate.is_polynomial(*moving) or sp.count_ops(rate) > _LONGEST:
        return None
    equations = sp.Poly(rate, *moving).coeffs()
    matrix = sp.Matrix([[sp.expand(e).coeff(c) for c in weights] for e in equations])
    space = matrix.nullspace(simplify=True)
    if len(space) != 1:
        return None
    general = _shortest(space[0], terms)
    now, before = (weights_of(e.xreplace(known)) for e in (general, law))
    ratios = {now.get(term, sp.S.Zero) / c for term, c in before.items()}
    if len(ratios) != 1 or not (ratio := ratios.pop()):
        return None
    return general if ratio > 0 else sp.Add(*(-term for term in sp.Add.make_args(general)))


def _shortest(weights: Sequence[sp.Expr], terms: Sequence[sp.Expr]) -> sp.Expr:
    """Return a weighted sum, or what is left of it without denominators, which tells the same.

    >>> a, b, x, y = map(symbol, "abxy")
    >>> _shortest([a / b, sp.S.One], [x, y])
    a*x + b*y
    >>> _shortest([sp.S.One, sp.S.One, -a / b], [x, y, sp.log(x)])
    -a*log(x)/b + x + y
    """
    common = sp.lcm_list([sp.denom(sp.cancel(c)) for c in weights])
    ways = [sp.Add(*(sp.factor(k * c) * t for c, t in zip(weights, terms, strict=True)))
            for k in (common, 1)]  # fmt: skip
    return min(ways, key=sp.count_ops)


def _without_functions(
    rate: sp.Expr, states: Sequence[sp.Symbol]
) -> tuple[sp.Expr, list[sp.Dummy]]:
    """Return an expression with unknowns in place of functions and roots of states."""
    inner = [
        part
        for part in rate.atoms(sp.Function, sp.Pow)
        if not part.free_symbols.isdisjoint(states) and not (part.is_Pow and part.exp.is_Integer)
    ]
    alike = {part: part.func(*map(sp.expand, part.args)) for part in inner}
    unknowns = {part: sp.Dummy() for part in alike.values()}
    replaced = rate.xreplace({part: unknowns[same] for part, same in alike.items()})
    return replaced, [dummy for dummy in unknowns.values() if replaced.has(dummy)]


def _logarithms_first(term: sp.Expr) -> tuple[bool, object]:
    return term.func != sp.log, sp.default_sort_key(term)
