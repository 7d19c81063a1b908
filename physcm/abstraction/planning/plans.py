"""Plans: what to do, what it costs, and what the causal model makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy.stats import binomtest

from physcm.abstraction.planning.action import Action
from physcm.abstraction.planning.conditions import Conditions
from physcm.mechanism.errors import Infeasible
from physcm.mechanism.interventions import Hold, Interventions, SetParameter, label
from physcm.sim import System

if TYPE_CHECKING:
    from physcm.abstraction.planning.check import Check


@dataclass(frozen=True, eq=False)
class Plan:
    """Interventions, and what a causal model makes of them.

    Attributes:
        target: what is to be met.
        sizes: of its conditions, relative to which they are met up to rounding.
        actions: what is done.
        values: at which value each.
        cost: what it costs.
        imagined: the solution of the model, over `sample`: of several the one that meets the
            target least, or best if one was enough.
        solutions: the largest number of solutions that a sample has (of stable ones, where the
            model tells these).
        every: whether every solution meets the target.
        knows_stability: whether the model tells stable solutions from others.
        searched: whether solutions were searched for, so that there may be more.
        met: the number of fresh samples that meet the target.
        fresh: the number of fresh samples.
        asked: the share of samples that has to meet the target.
        seed: of the draws.
        held: the actions that hold a variable.
    """

    target: Conditions
    sizes: tuple[float, ...]
    actions: tuple[Action, ...]
    values: tuple[float, ...]
    cost: float
    imagined: xr.Dataset
    solutions: int
    every: bool
    knows_stability: bool
    searched: bool
    met: int
    fresh: int
    asked: float
    seed: int
    held: frozenset[str]

    @cached_property
    def interventions(self) -> Interventions:
        """What is done, for `do` and `commutes`."""
        pairs = [(action.name, v) for action, v in zip(self.actions, self.values, strict=True)]
        holds = tuple(Hold(name, value) for name, value in pairs if name in self.held)
        settings = {name: value for name, value in pairs if name not in self.held}
        return (*holds, SetParameter(settings)) if settings else holds

    @property
    def probability(self) -> tuple[float, float, float]:
        """The share of samples that meet the target, by fresh draws, with its 95 % interval.

        (Wilson, J. Am. Stat. Assoc. 22, 209-212, 1927.)
        """
        ends = binomtest(self.met, self.fresh).proportion_ci(method="wilson")
        return self.met / self.fresh, float(ends.low), float(ends.high)

    def check(self, system: System, constraints: str = "", **options: Any) -> Check:
        """Perform the plan in the simulator; see `physcm.abstraction.planning.check`."""
        from physcm.abstraction.planning.check import check

        return check(self, system, constraints, **options)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What the plan rests on."""
        found = []
        if not self.knows_stability:
            found.append("the model has no dynamics and does not tell whether this is stable")
        if self.searched:
            found.append("solutions were searched for by numbers, and there may be more")
        if self.solutions > 1:
            all_or_one = "all of them meet" if self.every else "not all of them need meet"
            found.append(f"there are {self.solutions} solutions, and {all_or_one} the target")
        return tuple(found)

    def __str__(self) -> str:
        return label(self.interventions)

    __repr__ = __str__


@dataclass(frozen=True)
class Unmet:
    """Where a condition comes to that no action meets, or none together with the others.

    Attributes:
        condition: the condition, as text.
        left: its left side.
        nearest: the value of that, at the nearest; the median of samples.
        by: the interventions by which it comes so near.
    """

    condition: str
    left: str
    nearest: float
    by: str

    def __str__(self) -> str:
        if np.isnan(self.nearest):
            return f"{self.condition}: no action leaves a solution to look at"
        return f"{self.condition}: {self.left} = {self.nearest:.6g} is the nearest, by {self.by}"


@dataclass(frozen=True, eq=False)
class Plans:
    """Plans in the order of their costs, or why there is none.

    Attributes:
        target: what is to be met.
        plans: the plans.
        unmet: if there is none, the conditions that cannot be met.
        together: whether each of these can be met on its own, and not all together.
        hope: the cheapest plan by which at least one solution of several meets the target, where
            every one had to and none does.
        asked: the share of samples that has to meet the target, None where there is but one.
    """

    target: Conditions
    plans: tuple[Plan, ...]
    unmet: tuple[Unmet, ...] = ()
    together: bool = False
    hope: Plan | None = None
    asked: float | None = None

    @property
    def best(self) -> Plan:
        """The cheapest plan.

        Raises:
            Infeasible: if there is none.
        """
        if not self.plans:
            raise Infeasible(f"{self}; give other actions, or another target".replace("\n", " "))
        return self.plans[0]

    def __iter__(self) -> Iterator[Plan]:
        return iter(self.plans)

    def __len__(self) -> int:
        return len(self.plans)

    def __getitem__(self, place: int) -> Plan:
        return self.plans[place]

    def __str__(self) -> str:
        if not self.plans:
            why = "" if self.asked is None else f" in {self.asked:.0%} of samples"
            why += ", though each condition can be on its own" if self.together else ""
            lines = [f"{self.target} is not met by any action{why}:", *map(str, self.unmet)]
            if self.hope is not None:
                hopeful = f"by {self.hope} one of several solutions meets it"
                lines += [f"{hopeful}: allow that by every=False"]
            return "\n  ".join(lines)
        texts, costs = [str(one) for one in self], [f"cost {one.cost:.4g}" for one in self]
        wide, dear = max(map(len, texts)), max(map(len, costs))
        lines = [f"{self.target} is met at least cost by"]
        for place, (one, text, cost) in enumerate(zip(self, texts, costs, strict=True), 1):
            seen = self._seen(one)
            lines.append(f"  {place}. {text:{wide}}   {cost:{dear}}   {seen}")
            lines += [f"     {caveat}" for caveat in one.caveats if caveat not in self._shared]
        lines += [f"  {caveat}" for caveat in self._shared]
        return "\n".join(lines)

    __repr__ = __str__

    @property
    def _shared(self) -> tuple[str, ...]:
        """What all plans rest on."""
        return tuple(c for c in self[0].caveats if all(c in one.caveats for one in self))

    def _seen(self, one: Plan) -> str:
        """Say what the target's variables come to."""
        names = [name for name in self.target.names if name in one.imagined]
        words = ", ".join(f"{name} = {float(one.imagined[name].median()):.4g}" for name in names)
        if one.fresh == 1:
            return words
        share, low, high = one.probability
        return f"{words} (medians); met in {share:.1%} ({low:.1%} to {high:.1%}) of fresh samples"
