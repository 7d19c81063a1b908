"""Families of interventions to check, and holds of each state in turn."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from physcm.abstraction.population.samples import Low
from physcm.mechanism.interventions import (
    Family,
    Hold,
    Interventions,
    each_of,
)
from physcm.scm import LinearSCM
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
    families: dict[str, Interventions] = {key(()): ()}
    for family in each_of(interventions):
        families.setdefault(key(family), family)
    return list(families.values())


def key(interventions: Interventions) -> str:
    """Return a text that is the same for the same interventions, to the last digit.

    >>> key((Hold("x", 0.1 + 0.2),)) == key((Hold("x", 0.3),))
    False
    >>> long = np.zeros(2000)
    >>> key((Hold("x", long),)) == key((Hold("x", long + np.eye(1, 2000, 1000)[0]),))
    False
    """
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        return repr(interventions)


def hold_each(system: System, factors: Sequence[float] = _FACTORS, *, seed: int = 0) -> list[Hold]:
    """Return holds of each state at some multiples of its equilibrium.

    Where the system does not settle its last state takes the place of the equilibrium, and
    where that is zero, or as little as a run leaves of what dies out, its initial size. Angles are
    taken without full turns.
    Members of a group after the first move with it and are not held on their own.

    Args:
        system: autonomous and without noise.
        factors: the multiples, those left out that take a state past its bounds.
        seed: of the draw at which the equilibrium is looked for.

    >>> tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    >>> [hold.value for hold in hold_each(tank)]
    [0.25, 0.55, 1.0]
    """
    return [
        Hold(name, rounded(factor * size))
        for name, size in sizes_at_rest(system, seed).items()
        for factor in factors
        if fits(system, name, factor * size)
    ]


def clipped(model: Low, name: str, value: float) -> float:
    """Return a value that a variable can take, of six digits."""
    low, high = bounds_of(model, name)
    return min(max(rounded(value), low), high)


def rounded(value: float) -> float:
    """Return a number of six digits.

    >>> rounded(1 / 3)
    0.333333
    """
    return float(f"{value:.6g}")


def fits(model: Low, name: str, value: float) -> bool:
    """Say whether a variable can take a value."""
    low, high = bounds_of(model, name)
    return low <= value <= high


def bounds_of(model: Low, name: str) -> tuple[float, float]:
    """Return the lowest and the highest value of a variable."""
    if isinstance(model, LinearSCM):
        return -np.inf, np.inf
    known = model.bounds if isinstance(model, System) else model.domains
    return known.get(name, (-np.inf, np.inf))


def sizes_at_rest(system: System, seed: int) -> dict[str, float]:
    """Return the state at rest of all that can be held on its own, in place of 0 its size."""
    x0, p = system.draw(np.array([0]), seed)
    equations = EquilibriumEquations(system)
    limit = long_run(equations, x0[:, 0], p[:, 0])
    state = limit.state if limit.status is not LimitStatus.DIVERGED else x0[:, 0]
    followers = {name for _, *rest in system.held_together for name in rest}
    turns = equations.turns
    state = np.where(np.isnan(turns), state, state - turns * np.round(state / turns))
    state = np.where(np.abs(state) > _NEGLIGIBLE * limit.scale, state, 0.0)
    sizes = {}
    for name, value, start in zip(system.states, state, x0[:, 0], strict=True):
        if name not in followers:
            some = np.isfinite(value) and value != 0
            sizes[name] = float(value) if some else abs(float(start)) or 1.0
    return sizes
