"""Causal constraints models: equilibria that depend on conserved totals.

Where a conservation law holds, the equilibrium depends on the initial state through the
conserved total, and no structural causal model represents all intervened equilibria (Blom,
Bongers & Mooij, UAI 2019, section 3). A causal constraints model is a set of constraints,
each with the interventions under which it is active:

- 0 = f_i(X) is active unless X_i is held,
- c . X = c . X(0) is active unless a variable that takes part in it is held.

Under any one intervention the active constraints are again a set of structural equations. An
active linear law takes the place of an equation that follows from the others. A nonlinear one
cannot: where its gradient vanishes it tells less. Where the other equations leave a continuum of
states, it stands beside them with a multiplier (`physcm.abstraction.unfolding`); where these are
isolated, it says which of them can be reached (`physcm.abstraction.selection`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
import xarray as xr

from physcm.abstraction.answer import Answer, answer
from physcm.abstraction.equations import equilibrium_scm, starts_read
from physcm.abstraction.laws import Law, LawChange, curved_laws, is_special, law_change, laws_of
from physcm.abstraction.selection import only_solution, selected
from physcm.mechanism.expression import initial_symbol, symbol, to_text
from physcm.mechanism.interventions import Hold, Intervention, label
from physcm.scm import SCM, MixedGraph, latent_projection
from physcm.scm.status import SolutionStatus
from physcm.sim import ConservationLaw, FirstIntegral, System, conservation_laws
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.settle import require_autonomous


@dataclass(frozen=True)
class Constraint:
    """An equation between endogenous variables, with the variables whose hold lifts it.

    Attributes:
        equation: the constraint.
        lifted_by: holding any of these makes it inactive.
        special: whether it holds for the given values of the parameters alone.
    """

    equation: sp.Eq
    lifted_by: frozenset[str]
    special: bool = False

    def is_active(self, held: Collection[str]) -> bool:
        """Say whether the constraint is active while some variables are held.

        >>> Constraint(sp.Eq(symbol("E"), 1), frozenset({"E", "C"})).is_active({"S"})
        True
        """
        return self.lifted_by.isdisjoint(held)

    def __str__(self) -> str:
        sides = f"{to_text(self.equation.lhs)} = {to_text(self.equation.rhs)}"
        told = f"{sides}   unless {' or '.join(sorted(self.lifted_by))} is held"
        return f"{told}, for these values of the parameters alone" if self.special else told


@dataclass(frozen=True)
class CausalConstraintsModel:
    """The equilibria of a system with conservation laws, under every perfect intervention.

    Attributes:
        system: the system, which may be intervened on already.
        generic: the conservation laws of the system before any intervention.
        degree: the largest degree of the laws to look for after an intervention.

    >>> swap = System(
    ...     {"A": "-k*A + B", "B": "k*A - B"}, parameters={"k": 1}, initial={"A": 2, "B": 0}
    ... )
    >>> model = CausalConstraintsModel(swap, conservation_laws(swap))
    >>> float(model.sample(1).A[0]), float(model.do(A=5).sample(1).B[0])
    (1.0, 5.0)
    """

    system: System
    generic: tuple[Law, ...]
    degree: int = 1

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
            Constraint(_conservation(law), frozenset(law.states), is_special(law))
            for law in self.generic
            if isinstance(law, FirstIntegral) or not law.is_trivial
        ]
        return (*equations, *laws)

    @property
    def active(self) -> tuple[Constraint, ...]:
        """The constraints that are active under the interventions made so far."""
        return tuple(c for c in self.constraints if c.is_active(self.system.held))

    @cached_property
    def curved(self) -> tuple[FirstIntegral, ...]:
        """The nonlinear laws under the interventions made so far, in parameters if they can be."""
        return curved_laws(self.system, self.degree)

    @property
    def variables(self) -> tuple[str, ...]:
        """The endogenous variables."""
        return self.system.variables

    @cached_property
    def scm(self) -> SCM:
        """The active constraints as structural equations, for this intervention alone.

        Nonlinear laws are among them, each with a multiplier that is 0 in every solution, if the
        other equations leave a continuum of states.
        """
        if not self.curved:
            return self._without_curved
        levels = starts_read(self.system, [law.level for law in self.curved])
        plain = self._without_curved.replace(exogenous={**self._without_curved.exogenous, **levels})
        if (plain.solve().status != SolutionStatus.CONTINUUM).all():
            return plain
        return equilibrium_scm(self.system, conservation_laws(self.system), self.curved)

    @cached_property
    def _without_curved(self) -> SCM:
        return equilibrium_scm(self.system, conservation_laws(self.system))

    def do(self, *interventions: Intervention, **holds: Any) -> CausalConstraintsModel:
        """Return the model under interventions; the keywords are `Hold`s."""
        return replace(self, system=self.system.do(*interventions, **holds))

    def breaks(self, *interventions: Intervention, **holds: Any) -> LawChange:
        """Return what interventions do to the conservation laws; the keywords are `Hold`s.

        >>> chain = System({"A": "-A", "B": "A - B", "C": "B"}, initial=dict.fromkeys("ABC", 1))
        >>> print(constraints_model(chain).breaks(B=2))
        do(B = 2): lifts A + B + C
        """
        done = (*interventions, *(Hold(name, value) for name, value in holds.items()))
        return law_change(label(done), self.generic, self.system.do(*done), self.degree)

    def law_changes(self) -> tuple[LawChange, ...]:
        """Return what holding each state in turn does, at a value that has no special meaning.

        Members of a group after the first move with it and are not held on their own.

        >>> swap = System({"A": "B - A", "B": "A - B", "C": "A"}, initial=dict.fromkeys("ABC", 1))
        >>> [str(change) for change in constraints_model(swap).law_changes()]
        ['do(A): lifts A + B', 'do(B): lifts A + B', 'do(C): keeps A + B']
        """
        followers = {name for _, *rest in self.system.held_together for name in rest}
        return tuple(
            law_change(f"do({name})", self.generic, self.system.do(Hold(name, value)), self.degree)
            for name, value in _no_special(self.system).items()
            if name not in followers
        )

    def answer(self) -> Answer:
        """Return the state of rest as a function of parameters and the initial state.

        Raises:
            NoEquilibrium: if the system does not come to rest from its initial state.
            NotSolvable: if no closed form is found; `solve` has numbers.

        >>> swap = System(
        ...     {"A": "B - k*A", "B": "k*A - B"}, parameters={"k": 2}, initial={"A": 3, "B": 0}
        ... )
        >>> print(constraints_model(swap).answer())
        A = (A(0) + B(0))/(k + 1)
        B = k*(A(0) + B(0))/(k + 1)
        """
        return answer(self.system, self._without_curved, self.curved)

    def sample(self, n: int, seed: int = 0, *, stable: bool = False) -> xr.Dataset:
        """Return the equilibrium of each sample, as `SCM.sample` does.

        >>> epidemic = System(
        ...     {"S": "-2*S*I", "I": "2*S*I - I"}, initial={"S": 0.99, "I": 0.01}, name="SIR"
        ... )
        >>> float(constraints_model(epidemic, degree=2).sample(1, stable=True).S[0].round(6))
        0.199796
        """
        if not self.curved:
            return self.scm.sample(n, seed, stable=stable)
        return only_solution(self.solve(n=n, seed=seed), stable=stable)

    def solve(self, exogenous: Mapping[str, Any] | None = None, **options: Any) -> xr.Dataset:
        """Return all solutions of the active constraints, as `SCM.solve` does."""
        found = self.scm.solve(exogenous, **options)
        if not self.curved:
            return found
        own = [name for name in self.scm.variables if name not in self.variables]
        return selected(found.drop_vars(own), EquilibriumEquations(self.system), self.curved)

    def graph(self) -> MixedGraph:
        """Return the graph of the active constraints as structural equations.

        Multipliers, which stand for nonlinear laws, are projected out.

        >>> sleigh = System({"v": "w**2", "w": "-v*w"}, initial={"v": 1, "w": 1})
        >>> sorted(constraints_model(sleigh, degree=2).graph().nodes)
        ['v', 'w']
        """
        own = {*self.scm.variables} - {*self.variables}
        return latent_projection(self.scm.graph(), own)

    def __str__(self) -> str:
        return "\n".join(str(constraint) for constraint in self.constraints)


def constraints_model(system: System, degree: int = 1) -> CausalConstraintsModel:
    """Return the constraints model of a system with its conservation laws up to a degree.

    Raises:
        Unsupported: for a system with noise or explicit time, and as `first_integrals`.

    >>> spring = System({"x": "v", "v": "-x"}, initial={"x": 1, "v": 0})
    >>> print(constraints_model(spring, degree=2))
    0 = v   unless x is held
    0 = -x   unless v is held
    v**2 + x**2 = v(0)**2 + x(0)**2   unless v or x is held
    """
    require_autonomous(system)
    return CausalConstraintsModel(system, laws_of(system, degree), degree)


def _conservation(law: Law) -> sp.Eq:
    total = law.total if isinstance(law, ConservationLaw) else law.expression
    at_start = {symbol(name): initial_symbol(name) for name in law.states}
    return sp.Eq(total, total.xreplace(at_start), evaluate=False)


def _no_special(system: System) -> dict[str, float]:
    """Return a value of each state near its start and within its bounds, with no cancellations.

    It has three digits, so that coefficients of laws under it stay short.
    """
    x = system.draw(np.array([0]), 0)[0][:, 0]
    size = np.where(x != 0, np.abs(x), 1.0)
    bounds = [system.bounds.get(name, (-np.inf, np.inf)) for name in system.states]
    low, high = np.array(bounds, dtype=float).reshape(-1, 2).T
    low, high = np.maximum(low, x - size), np.minimum(high, x + size)
    share = 0.3 + 0.4 * (np.sqrt(np.arange(2, 2 + x.size)) % 1)
    values = np.array([float(f"{value:.3g}") for value in low + share * (high - low)])
    return dict(zip(system.states, np.clip(values, low, high).tolist(), strict=True))
