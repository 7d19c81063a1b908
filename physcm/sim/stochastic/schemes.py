"""Steps of stochastic differential equations, in Ito form dX = f dt + sum_s g_s dW_s.

With dW_s the increments over a step of length h, and I_s0 = h/2 (dW_s + dZ_s / sqrt(3)) the
integral of W_s - W_s(t) over it, dZ_s another increment:

Euler-Maruyama    X + f h + sum_s g_s dW_s
                  strong order 1/2 (1 for additive noise), weak order 1, any noise
Milstein          ... + 1/2 sum_sr (L_s g_r) (dW_s dW_r - h if s = r)
                  strong order 1, commutative noise
SRA1              Y = X + 3/4 f h + 3/2 sum_s g_s(t+h) I_s0 / h
                  X + (f/3 + 2/3 f(t + 3/4 h, Y)) h
                    + sum_s g_s(t+h) dW_s + (g_s(t) - g_s(t+h)) I_s0 / h
                  strong order 3/2, additive noise

A scheme writes the new state as expressions in the old one and in these numbers. The program of
a step therefore runs wherever programs do: in NumPy, and in blocks of samples as machine code.

References: Kloeden & Platen 1992, sections 10.2 and 10.3; Roessler, SIAM J. Numer. Anal. 48,
2010, Table 6.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.expression import TIME, symbol
from physcm.sim.reflection import folded
from physcm.sim.stochastic.structure import (
    NoiseStructure,
    along,
    ito_drift,
    noise_structure,
    written_out,
)
from physcm.sim.system import System

H = symbol("(h)")
_HALF, _THIRD = sp.Rational(1, 2), sp.Rational(1, 3)
New = tuple[dict[str, sp.Expr], dict[str, sp.Expr]]


@dataclass(frozen=True)
class Increments:
    """What the Wiener processes do in one step.

    Attributes:
        w: dW, (sources, columns).
        i0: I_s0, (sources, columns).
    """

    w: Floats
    i0: Floats


def _w(source: str) -> sp.Symbol:
    return symbol(f"dW({source})")


def _i0(source: str) -> sp.Symbol:
    return symbol(f"I({source})")


def _diffused(system: System, g: Mapping[tuple[str, str], sp.Expr]) -> dict[str, sp.Expr]:
    """Return sum_s g_is dW_s of each state i."""
    return {
        state: sp.Add(*(c * _w(source) for (its, source), c in g.items() if its == state))
        for state in system.states
    }


def euler_maruyama(system: System) -> New:
    """Return the new states, and definitions that they read: X + f h + sum_s g_s dW_s."""
    noise = _diffused(system, system.noise)
    return {
        state: symbol(state) + H * f + noise[state] for state, f in ito_drift(system).items()
    }, {}


def milstein(system: System) -> New:
    """Return those of Euler-Maruyama with the terms of order h of commutative noise."""
    new, _ = euler_maruyama(system)
    g = written_out(system)
    sources = sorted({source for _, source in g})
    for state, r in g:
        for s in sources:
            product = _w(s) * _w(r) - (H if s == r else 0)
            new[state] += _HALF * along(g, s, (state, r)) * product
    return new, {}


def sra1(system: System) -> New:
    """Return those of the stochastic Runge-Kutta method of order 3/2 for additive noise."""
    f, before = ito_drift(system), written_out(system)
    after = {key: g.xreplace({TIME: TIME + H}) for key, g in before.items()}
    at_stage = {symbol(name): symbol(f"Y({name})") for name in system.variables}
    later = at_stage | {TIME: TIME + sp.Rational(3, 4) * H}
    defined = {f"Y({name})": e.xreplace(later) for name, e in system.derived.items()}
    new = {}
    for state in system.states:
        mine = [source for its, source in before if its == state]
        lean = sp.Add(*(after[state, s] * _i0(s) / H for s in mine))
        defined[f"Y({state})"] = (
            symbol(state) + sp.Rational(3, 4) * H * f[state] + sp.Rational(3, 2) * lean
        )
        slope = _THIRD * f[state] + 2 * _THIRD * f[state].xreplace(later)
        turn = [(before[state, s] - after[state, s]) * _i0(s) / H for s in mine]
        kick = [after[state, s] * _w(s) for s in mine]
        new[state] = symbol(state) + H * slope + sp.Add(*kick, *turn)
    return new, defined


@dataclass(frozen=True)
class Method:
    """A scheme.

    Attributes:
        new: returns the new states of a system, and definitions that they read.
        structures: the noise that it is for.
        areas: whether it reads the integrals I_s0.
    """

    new: Callable[[System], New]
    structures: tuple[NoiseStructure, ...]
    areas: bool = False


SCHEMES: Mapping[str, Method] = MappingProxyType(
    {
        "euler-maruyama": Method(euler_maruyama, tuple(NoiseStructure)),
        "milstein": Method(milstein, (NoiseStructure.COMMUTATIVE, NoiseStructure.ADDITIVE)),
        "sra1": Method(sra1, (NoiseStructure.ADDITIVE,), areas=True),
    }
)


class Scheme:
    """A way of stepping one mode of a system.

    Attributes:
        program: the new states over the old ones, the increments dW of the sources and, where
            the scheme reads them, their integrals I; parameters, then the step h.
    """

    def __init__(self, name: str, system: System, sources: Sequence[str]) -> None:
        """Compile the mode; `sources` names the rows of the increments.

        Raises:
            Unsupported: for noise that the scheme is not for.
        """
        method, structure = SCHEMES[name], noise_structure(system)
        if structure not in method.structures:
            good = " or ".join(s.value for s in method.structures)
            raise Unsupported(
                f"the scheme `{name}` is for {good} noise, and this is {structure.value}; "
                'use engine="auto"'
            )
        self.areas = method.areas
        new, defined = method.new(system)
        outputs = [_reflected(system, state, x, defined) for state, x in new.items()]
        increments = [_w(s).name for s in sources]
        increments += [_i0(s).name for s in sources] if self.areas else []
        self.program = Program.over(
            (*system.states, *increments),
            (*system.parameters, H.name),
            {**system.derived, **defined},
            outputs,
        )

    def step(self, t: float, h: float, x: Floats, p: Floats, d: Increments) -> Floats:
        """Return the states after a step of length h from time t; x, p and d over columns."""
        rows = [x, d.w, d.i0] if self.areas else [x, d.w]
        lengths = np.full((1, x.shape[1]), h)
        return self.program.vector(t, np.concatenate(rows), np.concatenate([p, lengths]))


def _reflected(system: System, state: str, x: sp.Expr, defined: dict[str, sp.Expr]) -> sp.Expr:
    """Return a new state folded back into its bounds, however far it has left them."""
    if state not in system.reflected:
        return x
    defined[f"new({state})"] = x
    return folded(symbol(f"new({state})"), *system.bounds[state])


def scheme_for(engine: Any, modes: Sequence[System]) -> str:
    """Return the scheme that "auto" stands for: the most accurate one that all modes allow.

    >>> walk = System({"x": "-x"}, noise={"x": 1}, initial={"x": 0})
    >>> scheme_for("auto", [walk])
    'sra1'
    """
    if engine != "auto":
        if engine not in SCHEMES:
            names = ", ".join(map(repr, SCHEMES))
            raise InvalidValue(
                f"engine is `{engine!r}`, and the system has noise; use 'auto', {names}"
            )
        return str(engine)
    found = {noise_structure(system) for system in modes}
    if found == {NoiseStructure.ADDITIVE}:
        return "sra1"
    return "euler-maruyama" if NoiseStructure.GENERAL in found else "milstein"
