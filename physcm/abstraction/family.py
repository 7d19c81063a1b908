"""Families of interventions to check: holds of each state in turn, or random ones."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from physcm.abstraction.population.samples import Low
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.interventions import (
    Family,
    Hold,
    Interventions,
    SetParameter,
    each_of,
    is_permanent,
)
from physcm.scm import SCM, LinearSCM
from physcm.sim import System
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import long_run
from physcm.sim.options import positive_count
from physcm.sim.status import LimitStatus

_FACTORS = (0.5, 1.1, 2.0)
_NEGLIGIBLE = 1e-6
_MANY = 256


def families_of(interventions: Family) -> list[Interventions]:
    """Return what to do as tuples without repetition, doing nothing first.

    >>> families_of([Hold("x", 1), [Hold("x", 1), Hold("y", 2)], Hold("x", 1)])
    [(), (Hold('x', 1),), (Hold('x', 1), Hold('y', 2))]
    """
    families: dict[str, Interventions] = {repr(()): ()}
    for family in each_of(interventions):
        families.setdefault(repr(family), family)
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


def hold_each(system: System, factors: Sequence[float] = _FACTORS, *, seed: int = 0) -> list[Hold]:
    """Return holds of each state at some multiples of its equilibrium.

    Where the system does not settle its last state takes the place of the equilibrium, and
    where that is zero, or as little as a run leaves of what dies out, its initial size.
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
        for name, size in _sizes(system, seed).items()
        for factor in factors
        if _fits(system, name, factor * size)
    ]


def random_interventions(
    model: Low, count: int, *, most: int = 2, seed: int = 0
) -> list[Interventions]:
    """Return random holds of variables and values of parameters, one to `most` at once.

    A value is drawn from a tenth to ten times the typical size, of either sign for a variable
    that may have both: for a system its equilibrium, as in `hold_each`, for a structural model
    its root mean square. Parameters move by a factor of three at most.

    Args:
        model: a system or a structural model.
        count: how many.
        most: the largest number of interventions at once.
        seed: of the draws.

    Raises:
        InvalidValue: for what is no model, or no count.

    >>> tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    >>> random_interventions(tank, 2)
    [(SetParameter(q=0.364735), SetParameter(k=0.691322)), (SetParameter(k=4.95335),)]
    """
    if not isinstance(model, System | SCM | LinearSCM):
        raise InvalidValue(f"`{model!r}` is no System, SCM or LinearSCM; give one to intervene on")
    count, most = positive_count(count, "count"), positive_count(most, "most")
    rng = np.random.default_rng(seed)
    sizes = _sizes(model, seed) if isinstance(model, System) else _spreads(model, seed)
    parameters = {} if isinstance(model, LinearSCM) else model.parameters
    moved = {k: v for k, v in parameters.items() if isinstance(v, float) and v != 0}
    targets = [*sizes, *moved]
    found = list[Interventions]()
    for _ in range(count):
        chosen = rng.choice(len(targets), rng.integers(1, min(most, len(targets)) + 1), False)
        names = [targets[place] for place in sorted(chosen)]
        found.append(tuple(_one(model, name, sizes, moved, rng) for name in names))
    return found


def _one(
    model: Low, name: str, sizes: Mapping[str, float], moved: Mapping[str, float],
    rng: np.random.Generator,
) -> Hold | SetParameter:  # fmt: skip
    if name not in sizes:
        return SetParameter({name: rounded(moved[name] * 3 ** rng.uniform(-1, 1))})
    value = sizes[name] * 10 ** rng.uniform(-1, 1)
    if rng.random() < 0.5 and _fits(model, name, -value):
        value = -value
    return Hold(name, clipped(model, name, value))


def clipped(model: Low, name: str, value: float) -> float:
    """Return a value that a variable can take, of six digits."""
    low, high = _bounds(model, name)
    return min(max(rounded(value), low), high)


def rounded(value: float) -> float:
    """Return a number of six digits.

    >>> rounded(1 / 3)
    0.333333
    """
    return float(f"{value:.6g}")


def _fits(model: Low, name: str, value: float) -> bool:
    low, high = _bounds(model, name)
    return low <= value <= high


def _bounds(model: Low, name: str) -> tuple[float, float]:
    if isinstance(model, LinearSCM):
        return -np.inf, np.inf
    known = model.bounds if isinstance(model, System) else model.domains
    return known.get(name, (-np.inf, np.inf))


def _sizes(system: System, seed: int) -> dict[str, float]:
    """Return the state at rest of all that can be held on its own, in place of 0 its size."""
    x0, p = system.draw(np.array([0]), seed)
    limit = long_run(EquilibriumEquations(system), x0[:, 0], p[:, 0])
    state = limit.state if limit.status is not LimitStatus.DIVERGED else x0[:, 0]
    followers = {name for _, *rest in system.held_together for name in rest}
    state = np.where(np.abs(state) > _NEGLIGIBLE * limit.scale, state, 0.0)
    sizes = {}
    for name, value, start in zip(system.states, state, x0[:, 0], strict=True):
        if name not in followers:
            some = np.isfinite(value) and value != 0
            sizes[name] = float(value) if some else abs(float(start)) or 1.0
    return sizes


def _spreads(model: SCM | LinearSCM, seed: int) -> dict[str, float]:
    """Return the root mean square of each variable, 1 where that is 0."""
    data = model.sample(_MANY, seed)
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        sizes = {v: float(np.sqrt(np.nanmean(data[v].values ** 2))) for v in model.variables}
    return {name: size if np.isfinite(size) and size > 0 else 1.0 for name, size in sizes.items()}
