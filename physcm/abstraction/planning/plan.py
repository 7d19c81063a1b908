"""`plan`: the interventions of least cost by which a causal model meets a target.

    minimize   sum_j c_j(x_j)   over sets J of at most so many actions and their values x_J
    such that  the target is met by the solution of the model under do(X_J = x_J)

It is met if every solution meets it: every stable one, where the model knows the dynamics that it
came from. Where the model is random, so many of the samples have to meet it as is asked for (a
sample approximation of a chance constraint: Luedtke & Ahmed, SIAM J. Optim. 19, 674-699, 2008),
and how many do is told by fresh draws, as those on which the plan was made flatter it.

A causal model knows where a system rests. It says nothing of the way there, which is what
`check` performs in the simulator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
import xarray as xr

from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.equations import is_random
from physcm.abstraction.planning.action import Action
from physcm.abstraction.planning.conditions import Conditions
from physcm.abstraction.planning.imagined import Causal, Imagined
from physcm.abstraction.planning.least import SLACK, Optimum, least
from physcm.abstraction.planning.natural import Natural
from physcm.abstraction.planning.plans import Plan, Plans, Unmet
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import to_text
from physcm.scm import SCM, LinearSCM
from physcm.scm.together import SEARCH
from physcm.sim import System
from physcm.sim.options import positive_count

_MANY, _FRESH = 200, 1000
_WORTH = 1e-3
"""The share of the costs that one more action has to save to be worth mentioning."""


def plan(
    model: Causal | LinearSCM,
    target: str,
    actions: Iterable[Action] | None = None,
    *,
    most: int = 2,
    probability: float = 0.95,
    every: bool = True,
    n: int | None = None,
    seed: int = 0,
) -> Plans:
    """Return the interventions of least cost under which a causal model meets a target.

    Args:
        model: the causal model.
        target: conditions on its variables and parameters, `2 <= P <= 3 and C < 1`, in words
            `P between 2 and 3, C below 1`.
        actions: what can be done; unless told, holds of all variables (of those that have dynamics,
            where the model knows them) and settings of all parameters, a decade up and down from
            where they are, save what is 0, values at the start, and what the target names.
        most: the largest number of actions at once.
        probability: the share of samples that have to meet the target, where a model is random.
        every: of several solutions every one has to meet the target, not just one of them.
        n: number of samples, unless told 1 for a model that is not random and else 200.
        seed: of the draws.

    Returns:
        For each set of actions by which the target can be met its cheapest values, the cheapest
        first; nothing, where that is enough. A set is left out if some of its actions alone do
        as well. If there is no plan, which condition stands in the way, and how near it comes.

    Raises:
        UnknownVariable, ParseError, InvalidValue: for a target or actions that cannot be read.
        NotUnique: for a variable to hold of which the model does not tell the natural value.

    >>> chain = SCM({"x": "a", "y": "2*x + b"}, parameters={"a": 1, "b": 1})
    >>> print(plan(chain, "y >= 6", [Action("x", (0, 9)), Action("b", (0, 9))]))
    y >= 6 is met at least cost by
      1. do(x = 2.5)   cost 1.5   y = 6
      2. b = 4         cost 3     y = 6
      the model has no dynamics and does not tell whether this is stable
    >>> print(plan(chain, "y >= 6", [Action("x", (0, 2))]))
    y >= 6 is not met by any action:
      y >= 6: y = 5 is the nearest, by do(x = 2)
    """
    if isinstance(model, LinearSCM):
        model = model.to_scm()
    if not isinstance(model, SCM | CausalConstraintsModel):
        remedy = "derive one by equilibrium_model" if isinstance(model, System) else "give an SCM"
        raise InvalidValue(f"plan: `{type(model).__name__}` is no causal model; {remedy}")
    if not 0 < probability <= 1:
        raise InvalidValue(f"probability is `{probability}`; give one above 0 and at most 1")
    scm = model if isinstance(model, SCM) else model.scm
    random = any(map(is_random, (*scm.exogenous.values(), *scm.parameters.values())))
    count = positive_count(n, "n") if n is not None else (_MANY if random else 1)
    natural = Natural(model, count, seed)
    goal = Conditions.read(target, natural.names, "target")
    able = natural.actions(actions, goal.names)
    task = _Task(natural, goal, able, positive_count(most, "most"), probability, every, count, seed)
    return task.plans()


@dataclass(frozen=True, eq=False)
class _Task:
    """One question to the planner."""

    natural: Natural
    goal: Conditions
    able: tuple[Action, ...]
    most: int
    probability: float
    every: bool
    n: int
    seed: int

    def plans(self) -> Plans:
        """Return the plans, or what stands in their way."""
        found = self.found()
        return Plans(self.goal, found) if found else self.unmet()

    def found(self) -> tuple[Plan, ...]:
        """Look at sets of actions, small ones first."""
        found: dict[frozenset[str], Plan] = {}
        for some in self.sets:
            optimum = self.least(some)
            names = frozenset(action.name for action in some)
            below = [own.cost for subset, own in found.items() if subset < names]
            spare = min(below, default=np.inf) * (1 - _WORTH)
            if optimum.violation == 0 and optimum.cost < spare:
                found[names] = self.plan(some, optimum)
        return tuple(sorted(found.values(), key=lambda one: one.cost))

    @property
    def sets(self) -> Iterator[tuple[Action, ...]]:
        """Sets of actions, small ones first, beginning with none at all."""
        for size in range(min(self.most, len(self.able)) + 1):
            yield from combinations(self.able, size)

    @cached_property
    def sizes(self) -> Floats:
        """The size of each condition, (conditions, 1, 1)."""
        values = {name: self.natural.typical(name) for name in self.goal.names}
        return self.goal.sizes(values)[:, np.newaxis, np.newaxis]

    def world(self, some: tuple[Action, ...], n: int, seed: int) -> Imagined:
        """Return the model with some actions open."""
        variables = self.natural.scm.variables
        held = {a.name: float(a.within[0]) for a in some if a.name in variables}
        set_to = [a.name for a in some if a.name not in variables]
        return Imagined(self.natural.model, held, set_to, n, seed)

    def least(self, some: tuple[Action, ...], aim: Sequence[int] = ()) -> Optimum:
        """Return the cheapest values of actions, or those that come nearest to some conditions."""
        world = self.world(some, self.n, self.seed)

        def evaluate(points: Floats) -> tuple[Floats, Floats]:
            margins = self.margins(world, points)
            if not aim:
                return self.costs(some, points), self.met_by_most(margins)
            margin = self.met_by_most(margins[aim]).min(axis=0)
            return np.where(np.isfinite(margin), -margin, 0.0), self.met_by_most(margins[-1:])

        return least(evaluate, [a.within for a in some], [float(a.natural or 0) for a in some])

    def margins(self, world: Imagined, points: Floats) -> Floats:
        """Return margins relative to the sizes of conditions, the last one that of stability."""
        margins = world.margins(points, self.goal, every=self.every)
        return np.asarray(margins / np.concatenate([self.sizes, [[[1.0]]]]))

    def costs(self, some: tuple[Action, ...], points: Floats) -> Floats:
        """Return the costs of points (actions, points)."""
        costs = np.zeros(points.shape[1])
        for action, row in zip(some, points, strict=True):
            costs += action.total(row, float(action.natural or 0))
        return costs

    def met_by_most(self, margins: Floats) -> Floats:
        """Return the margins that as many samples have as are asked for, (conditions, points).

        Of one sample each condition has its own. Of several the worst condition of each counts.
        """
        if self.n == 1:
            return margins[:, :, 0]
        needed = int(np.ceil(self.probability * self.n * (1 - SLACK)))
        return np.sort(margins.min(axis=0), axis=1)[np.newaxis, :, self.n - needed]

    def plan(self, some: tuple[Action, ...], optimum: Optimum) -> Plan:
        """Return the plan of an optimum, with what the model makes of it."""
        point = optimum.point[:, np.newaxis]
        found, steady = self.world(some, self.n, self.seed).solve(point)
        margins = np.nan_to_num(self.goal.margins(found) / self.sizes, nan=-np.inf).min(axis=0)
        counts = steady >= 0
        order = np.where(counts, margins if self.every else -margins, np.inf)
        order = np.where(counts.any(axis=1, keepdims=True), order, -steady)  # the steadiest
        imagined = found.isel(solution=xr.DataArray(order.argmin(axis=1), dims="sample"))
        fresh = self.n if self.n == 1 else _FRESH
        again = self.world(some, fresh, self.seed + (self.n > 1))
        met = (self.margins(again, point) >= -SLACK).all(axis=0)
        return Plan(
            target=self.goal,
            sizes=tuple(self.sizes.ravel().tolist()),
            actions=some,
            values=tuple(optimum.point.tolist()),
            cost=optimum.cost,
            imagined=imagined,
            solutions=int(counts.sum(axis=1).max()),
            every=self.every,
            knows_stability=self.natural.scm.dynamics is not None,
            searched=SEARCH in found.attrs["solved_by"],
            met=int(met.sum()),
            fresh=fresh,
            asked=self.probability,
            seed=self.seed,
            held=frozenset(a.name for a in some if a.name in self.natural.scm.variables),
        )

    def unmet(self) -> Plans:
        """Return which conditions no action meets, or where all are nearest to it together."""
        every = range(len(self.goal.parts))
        hope = next(iter(replace(self, every=False).found()), None) if self.every else None
        alone = [(k, self.nearest([k])) for k in every]
        missed = [self.shortfall(k, *at) for k, at in alone if at[0].rank > (0.0, SLACK)]
        if missed:
            return Plans(self.goal, (), tuple(missed), hope=hope, asked=self.asked)
        at = self.nearest([*every])
        together = tuple(self.shortfall(k, *at) for k in every)
        return Plans(self.goal, (), together, together=True, hope=hope, asked=self.asked)

    @property
    def asked(self) -> float | None:
        """The share of samples that has to meet the target, None where there is but one."""
        return self.probability if self.n > 1 else None

    def nearest(self, aim: Sequence[int]) -> tuple[Optimum, tuple[Action, ...]]:
        """Return the actions by which some conditions come nearest to being met."""
        optima = [(self.least(some, aim), some) for some in self.sets]
        return min(optima, key=lambda pair: pair[0].rank)

    def shortfall(self, k: int, optimum: Optimum, some: tuple[Action, ...]) -> Unmet:
        """Say where a condition is under some actions."""
        text, left = self.goal.texts()[k], to_text(self.goal.parts[k].lhs)
        if not np.isfinite(optimum.violation):
            return Unmet(text, left, np.nan, "")
        plan = self.plan(some, optimum)
        values = self.goal.sides(plan.imagined)[0][k]
        return Unmet(text, left, float(np.median(values)), str(plan))
