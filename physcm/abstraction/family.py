"""Families of interventions to check, by default a hold of each state in turn."""

from __future__ import annotations

import numpy as np

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.interventions import (
    Family,
    Hold,
    Interventions,
    SetParameter,
    each_of,
    is_permanent,
    label,
)
from physcm.sim import System
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import long_run
from physcm.sim.status import LimitStatus

_FACTORS = (0.5, 1.1, 2.0)
_NEGLIGIBLE = 1e-6


def families_of(interventions: Family) -> list[Interventions]:
    """Return what to do as tuples without repetition, doing nothing first.

    >>> families_of([Hold("x", 1), [Hold("x", 1), Hold("y", 2)], Hold("x", 1)])
    [(), (Hold('x', 1),), (Hold('x', 1), Hold('y', 2))]
    """
    families: dict[str, Interventions] = {label(()): ()}
    for family in each_of(interventions):
        families.setdefault(label(family), family)
    return list(families.values())


def require_alike(interventions: Interventions) -> None:
    """Refuse what changes a drift: to a structural equation it would do something else.

    >>> from physcm.mechanism import Shift
    >>> require_alike((Shift("x", 1),))
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: `Shift('x', 1)` acts on a drift, and on a structural ...
    """
    for one in interventions:
        if is_permanent(one) and not isinstance(one, Hold | SetParameter):
            raise InvalidValue(
                f"`{one!r}` acts on a drift, and on a structural equation it is something else; "
                "use Hold or SetParameter, or an Abstraction whose `omega` says what it becomes"
            )


def hold_each(system: System, *, seed: int = 0) -> list[Hold]:
    """Return holds of each state at half, 1.1 times and twice its equilibrium.

    Where the system does not settle its last state takes the place of the equilibrium, and
    where that is zero, or as little as a run leaves of what dies out, its initial size.
    Members of a group after the first move with it and are not held on their own.

    >>> tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    >>> [hold.value for hold in hold_each(tank)]
    [0.25, 0.55, 1.0]
    """
    x0, p = system.draw(np.array([0]), seed)
    limit = long_run(EquilibriumEquations(system), x0[:, 0], p[:, 0])
    state = limit.state if limit.status is not LimitStatus.DIVERGED else x0[:, 0]
    followers = {name for _, *rest in system.held_together for name in rest}
    holds = []
    state = np.where(np.abs(state) > _NEGLIGIBLE * limit.scale, state, 0.0)
    for name, value, start in zip(system.states, state, x0[:, 0], strict=True):
        if name not in followers:
            holds += _holds(system, name, float(value), abs(float(start)))
    return holds


def _holds(system: System, name: str, value: float, size: float) -> list[Hold]:
    low, high = system.bounds.get(name, (-np.inf, np.inf))
    if not np.isfinite(value) or value == 0:
        value = size or 1.0
    return [
        Hold(name, float(f"{factor * value:.6g}"))
        for factor in _FACTORS
        if low <= factor * value <= high
    ]
