"""Causal constraints models: equilibria that depend on conserved totals.

Where a conservation law holds, the equilibrium depends on the initial state through the
conserved total, and no structural causal model represents all intervened equilibria (Blom,
Bongers & Mooij, UAI 2019, section 3). A causal constraints model is a set of constraints,
each with the interventions under which it is active:

- 0 = f_i(X) is active unless X_i is held,
- c . X = c . X(0) is active unless a variable that takes part in it is held.

Under any one intervention the active constraints are again a set of structural equations:
each active law takes the place of an equation that follows from the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp
import xarray as xr

from physcm.abstraction.equations import equilibrium_scm
from physcm.mechanism.expression import initial_symbol, symbol, to_text
from physcm.mechanism.interventions import Intervention
from physcm.scm import SCM, MixedGraph
from physcm.sim import ConservationLaw, System, conservation_laws


@dataclass(frozen=True)
class Constraint:
    """An equation between endogenous variables, with the variables whose hold lifts it.

    Attributes:
        equation: the constraint.
        lifted_by: holding any of these makes it inactive.
    """

    equation: sp.Eq
    lifted_by: frozenset[str]

    def is_active(self, held: Collection[str]) -> bool:
        """Say whether the constraint is active while some variables are held.

        >>> Constraint(sp.Eq(symbol("E"), 1), frozenset({"E", "C"})).is_active({"S"})
        True
        """
        return self.lifted_by.isdisjoint(held)

    def __str__(self) -> str:
        sides = f"{to_text(self.equation.lhs)} = {to_text(self.equation.rhs)}"
        return f"{sides}   unless {' or '.join(sorted(self.lifted_by))} is held"


@dataclass(frozen=True)
class CausalConstraintsModel:
    """The equilibria of a system with conservation laws, under every perfect intervention.

    Attributes:
        system: the system, which may be intervened on already.
        generic: the conservation laws of the system before any intervention.

    >>> swap = System(
    ...     {"A": "-k*A + B", "B": "k*A - B"}, parameters={"k": 1}, initial={"A": 2, "B": 0}
    ... )
    >>> model = CausalConstraintsModel(swap, conservation_laws(swap))
    >>> float(model.sample(1).A[0]), float(model.do(A=5).sample(1).B[0])
    (1.0, 5.0)
    """

    system: System
    generic: tuple[ConservationLaw, ...]

    @property
    def name(self) -> str:
        """The name of the system."""
        return self.system.name

    @cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        """All constraints, active or not under the interventions made so far."""
        drift = {**self.system.drift}
        equations = [
            Constraint(sp.Eq(0, f, evaluate=False), frozenset({x})) for x, f in drift.items()
        ]
        laws = [
            Constraint(_conservation(law), frozenset(name for name, _ in law.coefficients))
            for law in self.generic
            if not law.is_trivial
        ]
        return (*equations, *laws)

    @property
    def active(self) -> tuple[Constraint, ...]:
        """The constraints that are active under the interventions made so far."""
        return tuple(c for c in self.constraints if c.is_active(self.system.held))

    @cached_property
    def scm(self) -> SCM:
        """The active constraints as structural equations, for this intervention alone."""
        return equilibrium_scm(self.system, conservation_laws(self.system))

    def do(self, *interventions: Intervention, **holds: Any) -> CausalConstraintsModel:
        """Return the model under interventions; the keywords are `Hold`s."""
        return CausalConstraintsModel(self.system.do(*interventions, **holds), self.generic)

    def sample(self, n: int, seed: int = 0) -> xr.Dataset:
        """Return the equilibrium of each sample, as `SCM.sample` does."""
        return self.scm.sample(n, seed)

    def solve(self, exogenous: Mapping[str, Any] | None = None, **options: Any) -> xr.Dataset:
        """Return all solutions of the active constraints, as `SCM.solve` does."""
        return self.scm.solve(exogenous, **options)

    def graph(self) -> MixedGraph:
        """Return the graph of the active constraints as structural equations."""
        return self.scm.graph()

    def __str__(self) -> str:
        return "\n".join(str(constraint) for constraint in self.constraints)


def _conservation(law: ConservationLaw) -> sp.Eq:
    at_start = {symbol(name): initial_symbol(name) for name, _ in law.coefficients}
    return sp.Eq(law.expression, law.expression.xreplace(at_start), evaluate=False)
