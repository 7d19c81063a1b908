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

References: Kloeden & Platen 1992, sections 10.2 and 10.3; Roessler, SIAM J. Numer. Anal. 48,
2010, Table 6.3.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.sim.stochastic.structure import (
    NoiseStructure,
    along,
    ito_drift,
    noise_structure,
    written_out,
)
from physcm.sim.system import System


@dataclass(frozen=True)
class Increments:
    """What the Wiener processes do in one step.

    Attributes:
        w: dW, (sources, columns).
        i0: I_s0, (sources, columns).
    """

    w: Floats
    i0: Floats


class Scheme(ABC):
    """A way of stepping one mode of a system."""

    structures: tuple[NoiseStructure, ...] = tuple(NoiseStructure)

    def __init__(self, system: System, sources: Sequence[str]) -> None:
        """Compile the mode; `sources` names the rows of the increments."""
        self._require(noise_structure(system))
        self.shape = len(system.states), len(sources)
        self.drift = system.program(tuple(ito_drift(system).values()))
        self.noise = system.program(tuple(system.noise.values()))
        self.rows = [system.states.index(state) for state, _ in system.noise]
        self.columns = [sources.index(source) for _, source in system.noise]

    def _require(self, structure: NoiseStructure) -> None:
        if structure not in self.structures:
            good = " or ".join(s.value for s in self.structures)
            raise Unsupported(
                f"the scheme `{type(self).__name__}` is for {good} noise, and this is "
                f'{structure.value}; use engine="auto"'
            )

    def g(self, t: float, x: Floats, p: Floats) -> Floats:
        """Return the diffusion coefficients, (states, sources, columns)."""
        matrix = np.zeros((*self.shape, x.shape[1]))
        matrix[self.rows, self.columns] = self.noise.vector(t, x, p)
        return matrix

    @abstractmethod
    def step(self, t: float, h: float, x: Floats, p: Floats, d: Increments) -> Floats:
        """Return the states after a step of length h from time t; x, p and d over columns."""


class EulerMaruyama(Scheme):
    """X + f h + sum_s g_s dW_s."""

    def step(self, t: float, h: float, x: Floats, p: Floats, d: Increments) -> Floats:
        """Return the states after a step."""
        return x + h * self.drift.vector(t, x, p) + _sum(self.g(t, x, p), d.w)


class Milstein(Scheme):
    """Euler-Maruyama and the terms of order h of commutative noise."""

    structures = (NoiseStructure.COMMUTATIVE, NoiseStructure.ADDITIVE)

    def __init__(self, system: System, sources: Sequence[str]) -> None:
        """Compile the mode, and L_s g_ir wherever that does not vanish."""
        super().__init__(system, sources)
        g = written_out(system)
        terms = {
            (system.states.index(state), sources.index(s), sources.index(r)): slope
            for state, r in g
            for s in sorted({source for _, source in g})
            if (slope := along(g, s, (state, r))) != 0
        }
        self.places = list(terms)
        self.slopes = system.program(tuple(terms.values()))

    def step(self, t: float, h: float, x: Floats, p: Floats, d: Increments) -> Floats:
        """Return the states after a step."""
        new = x + h * self.drift.vector(t, x, p) + _sum(self.g(t, x, p), d.w)
        for (i, s, r), slope in zip(self.places, self.slopes.vector(t, x, p), strict=True):
            new[i] += slope * (d.w[s] * d.w[r] - (h if s == r else 0.0)) / 2
        return new


class SRA1(Scheme):
    """The stochastic Runge-Kutta method of strong order 3/2 for additive noise."""

    structures = (NoiseStructure.ADDITIVE,)

    def step(self, t: float, h: float, x: Floats, p: Floats, d: Increments) -> Floats:
        """Return the states after a step."""
        mean = d.i0 / h
        before, after = self.g(t, x, p), self.g(t + h, x, p)
        f = self.drift.vector(t, x, p)
        y = x + 0.75 * h * f + 1.5 * _sum(after, mean)
        slope = f / 3 + 2 * self.drift.vector(t + 0.75 * h, y, p) / 3
        return x + h * slope + _sum(after, d.w) + _sum(before - after, mean)


SCHEMES: Mapping[str, type[Scheme]] = MappingProxyType(
    {"euler-maruyama": EulerMaruyama, "milstein": Milstein, "sra1": SRA1}
)


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


def _sum(g: Floats, increments: Floats) -> Floats:
    return np.asarray(np.einsum("isk,sk->ik", g, increments))
