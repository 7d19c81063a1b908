"""What kind of noise a system has, which decides how accurately it can be stepped.

With diffusion coefficients g_is of state i and source s, and L_s = sum_k g_ks d/dx_k:

- additive: no g_is depends on a state;
- commutative: L_s g_ir = L_r g_is for all i, s, r, as it is with one source, or with one source
  per state whose coefficient reads that state alone;
- general: anything else.

Reference: Kloeden & Platen, Numerical Solution of SDEs, 1992, sections 10.3 and 10.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import sympy as sp

from physcm.mechanism.expression import derivative, names_in, substitute, symbol
from physcm.sim.system import System

Coefficients = Mapping[tuple[str, str], sp.Expr]


class NoiseStructure(Enum):
    """How the diffusion coefficients depend on the states."""

    ADDITIVE = "additive"
    COMMUTATIVE = "commutative"
    GENERAL = "general"


def noise_structure(system: System) -> NoiseStructure:
    """Return the structure of a system's noise.

    >>> geometric = System({"x": "x"}, noise={"x": "x"}, initial={"x": 1})
    >>> noise_structure(geometric)
    <NoiseStructure.COMMUTATIVE: 'commutative'>
    """
    g = written_out(system)
    if not any(names_in(coefficient) & {*system.states} for coefficient in g.values()):
        return NoiseStructure.ADDITIVE
    sources = sorted({source for _, source in g})
    for i, s in enumerate(sources):
        for r in sources[:i]:
            for state in system.states:
                gap = along(g, s, (state, r)) - along(g, r, (state, s))
                if gap != 0 and sp.simplify(gap) != 0:
                    return NoiseStructure.GENERAL
    return NoiseStructure.COMMUTATIVE


def written_out(system: System) -> dict[tuple[str, str], sp.Expr]:
    """Return the diffusion coefficients in terms of states, parameters and time alone."""
    order = list(system.derived)
    return {key: substitute(g, system.derived, order) for key, g in system.noise.items()}


def along(g: Coefficients, source: str, key: tuple[str, str]) -> sp.Expr:
    """Return L_s g_ir, the derivative of a coefficient along the noise of a source."""
    coefficient = g.get(key, sp.S.Zero)
    return sp.Add(
        *(
            other * derivative(coefficient, symbol(state))
            for (state, its), other in g.items()
            if its == source and symbol(state) in coefficient.free_symbols
        )
    )


def ito_drift(system: System) -> dict[str, sp.Expr]:
    """Return the drift in Ito form: for a Stratonovich system f_i + 1/2 sum_s L_s g_is.

    >>> system = System({"x": "0"}, noise={"x": "2*x"}, initial={"x": 1}, calculus="stratonovich")
    >>> ito_drift(system)
    {'x': 2*x}
    """
    if system.calculus == "ito":
        return dict(system.drift)
    g = written_out(system)
    sources = sorted({source for _, source in g})
    half = sp.Rational(1, 2)
    return {
        state: f + half * sp.Add(*(along(g, s, (state, s)) for s in sources))
        for state, f in system.drift.items()
    }
