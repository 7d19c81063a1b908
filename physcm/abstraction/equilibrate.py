"""`equilibrate`: from a system to the causal model of its equilibria.

The result is a structural causal model where equilibria do not depend on the initial state
(Mooij, Janzing & Schölkopf, UAI 2013), and a causal constraints model where conservation laws
make them do so (Blom, Bongers & Mooij, UAI 2019).
"""

from __future__ import annotations

import numpy as np

from physcm.abstraction.compare import Causal, compare, variables_of
from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.equations import equilibrium_scm
from physcm.abstraction.explain import reason_for
from physcm.abstraction.family import families_of
from physcm.abstraction.laws import laws_of
from physcm.abstraction.likewise import likewise
from physcm.abstraction.outcome import Outcome
from physcm.abstraction.requirements import require_system
from physcm.abstraction.tau import Tau
from physcm.mechanism.errors import (
    NoEquilibrium,
    NotConverged,
    NotStable,
    NotUnique,
    PhyscmError,
)
from physcm.mechanism.interventions import Family, label
from physcm.scm import SCM
from physcm.sim import System
from physcm.sim.settle import require_autonomous
from physcm.sim.status import LimitStatus

_STARTS = 4


def equilibrate(
    system: System,
    interventions: Family = (),
    *,
    degree: int = 1,
    seed: int = 0,
) -> Causal:
    """Return the causal model of a system's equilibria, having checked that there is one.

    The system must come to rest at one and the same stable state (given its conserved totals)
    from several initial states, and so must the system under each of `interventions`.

    Args:
        system: autonomous and without noise.
        interventions: a family under which the system must be stable as well.
        degree: the largest degree of conservation laws to look for, as in `constraints_model`.
        seed: for random parameters and for the initial states tried.

    Raises:
        NoEquilibrium: if it oscillates or diverges, or moves where no equilibrium is.
        NotStable: if its only equilibria repel.
        NotUnique: if several states attract, or the limit depends on the initial state in
            ways that no conservation law of the degree accounts for.
        NotConverged: if no solution of the equations was found though the system settles, or
            a run was given up on its way while there may be an equilibrium.
        Unsupported: for a system with noise or explicit time.

    >>> tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    >>> print(equilibrate(tank).mechanisms["h"])
    q/k
    """
    model = equilibrium_model(system, degree)
    families = families_of(interventions)
    tau = Tau.given(None, system.variables, variables_of(model))
    both = [(do, likewise(system, model, do) if isinstance(model, SCM) else do) for do in families]
    outcomes = compare(system, model, both, n=1, seed=seed, starts=_STARTS, tolerance=1e-5, tau=tau)
    for do, outcome in zip(families, outcomes, strict=True):
        if not (outcome.agrees & outcome.settled).all():
            raise _failure(system, outcome, label(do) if do else "")
    return model


def equilibrium_model(system: System, degree: int = 1) -> Causal:
    """Return the causal model of a system's equilibrium equations, stable or not.

    Raises:
        Unsupported: for a system with noise or explicit time.
        InvalidValue: for what is no system.
    """
    require_system(system)
    require_autonomous(system)
    laws = laws_of(system, degree)
    if any(len(law.states) > 1 for law in laws):
        return CausalConstraintsModel(system, laws, degree)
    return equilibrium_scm(system, ())


def _failure(system: System, outcome: Outcome, under: str) -> PhyscmError:
    """Name what is wrong with the equilibria of a system."""
    name = system.in_words + (f" under {under}" if under else "")
    column = int(np.flatnonzero(~(outcome.agrees & outcome.settled))[0])
    kind = _kind_of_failure(outcome, column)
    lead = "is not known to have an" if kind is NotConverged else "has no"
    remedy = "ask `commutes` for the interventions under which it does settle"
    if kind is NotUnique:
        remedy = "choose the initial state to select one"
        if outcome.selecting:
            remedy = "give `degree=3`, so that nonlinear laws are read"
    reason = reason_for(outcome, column).rstrip(".")
    return kind(f"{name} {lead} equilibrium SCM: {reason}; {remedy}")


def _kind_of_failure(outcome: Outcome, column: int) -> type[PhyscmError]:
    unfound = outcome.answers[column] == "not_found"
    if outcome.settled[column]:
        return NotConverged if unfound else NotUnique
    if set(outcome.kinds[column]) - {""} == {"unstable"}:
        return NotStable
    moving = outcome.statuses[column] == LimitStatus.STILL_MOVING
    possible = unfound or outcome.attracting[column].any()
    return NotConverged if moving and possible else NoEquilibrium
