"""Nonlinear laws in the parameters of a system, where they hold for all values of these.

Of a law that was found for numbers, the terms m_k are known. Their coefficients for any values of
the parameters solve the linear equations

    sum_k c_k grad m_k . f = 0    for each monomial in the states.

    S' = -b S I, I' = b S I - g I     of the terms S, I, log S:    b S + b I - g log S
"""

from __future__ import annotations

import sympy as sp

from physcm.mechanism.expression import derivative, substitute, symbol
from physcm.sim import FirstIntegral, System
from physcm.sim.conservation import known_parameters

_LONGEST = 400


def in_parameters(system: System, law: FirstIntegral) -> FirstIntegral | None:
    """Return a law with parameters in place of their values, None if it holds for these alone.

    >>> spring = System(
    ...     {"x": "v/m", "v": "-k*x"}, parameters={"k": 3, "m": 2}, initial={"x": 1, "v": 0}
    ... )
    >>> print(in_parameters(spring, FirstIntegral(3 * symbol("x") ** 2 + symbol("v") ** 2 / 2)))
    x**2 + v**2/(k*m)
    """
    terms = sorted(sp.expand(law.expression).as_coefficients_dict(), key=_logarithms_first)
    states = [symbol(name) for name in system.states]
    drift = {symbol(x): substitute(f, system.derived, system.derived)
             for x, f in system.drift.items()}  # fmt: skip
    weights = sp.symbols(f"c:{len(terms)}", cls=sp.Dummy)
    rates = (
        c * derivative(term, x) * drift[x]
        for c, term in zip(weights, terms, strict=True)
        for x in states
        if term.has(x)
    )
    rate = sp.numer(sp.together(sp.Add(*rates)))
    if not rate.is_polynomial(*states) or sp.count_ops(rate) > _LONGEST:
        return None
    equations = sp.Poly(rate, *states).coeffs()
    matrix = sp.Matrix([[sp.expand(e).coeff(c) for c in weights] for e in equations])
    space = matrix.nullspace(simplify=True)
    if len(space) != 1:
        return None
    general = sp.Add(*(sp.cancel(c) * t for c, t in zip(space[0], terms, strict=True)))
    known = known_parameters(system)
    parameters = sorted(general.free_symbols - {*states}, key=str)
    return FirstIntegral(general, tuple((s.name, known[s]) for s in parameters))


def _logarithms_first(term: sp.Expr) -> tuple[bool, object]:
    return term.func != sp.log, sp.default_sort_key(term)
