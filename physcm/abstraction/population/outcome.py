"""What two models say under one intervention, compared as laws of sets of values.

The law of a set is the probability of each number of values it may have, or of each way to have
none, and for each number the law of the list of values (see `physcm.abstraction.population.sets`).
The shares of the one are compared by Fisher's exact test, the lists by `two_sample`; each has half
of the level of an intervention, and lists of several lengths share theirs (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from physcm.abstraction.population.coupling import Coupling
from physcm.abstraction.population.sets import NOTHING, SAME, Sets, same_draw_by_draw
from physcm.abstraction.population.shares import detectable_difference, shares_apart
from physcm.abstraction.population.strata import Stratum, largest
from physcm.mechanism.codegen import Floats

_FEWEST = 2


@dataclass(frozen=True, eq=False)
class PopulationOutcome:
    """Samples of both sides under one intervention, and whether their laws differ.

    Attributes:
        below: the sets of values that tau gives.
        above: those of the causal model.
        paired: whether both sides shared all draws and agree draw by draw.
        strata: the samples that have equally many values on both sides, with their tests.
        shares: p-values of Fisher's exact test, by the number of values or why there is none.
        level: the chance of any false alarm in the whole report.
        p_value: corrected for the number of interventions (Holm, 1979), as `corrected` does.
        tests: how many interventions there are.
        seed: of all draws.
        step: of a system with noise, where one was asked for.
        coupling: how samples with the same draws differ, None where there were none.
    """

    below: Sets
    above: Sets
    paired: bool
    strata: tuple[Stratum, ...]
    shares: Mapping[str, float]
    level: float
    seed: int
    p_value: float = math.nan
    tests: int = 1
    step: float | None = None
    coupling: Coupling | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The variables compared."""
        return self.below.names

    @property
    def simulated(self) -> Floats:
        """Tau of the samples below that have one value, (variables, samples), NaN for others."""
        return self.below.alone

    @property
    def predicted(self) -> Floats:
        """The samples above that have one value, (variables, samples), NaN for others."""
        return self.above.alone

    @property
    def fates(self) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
        """What became of the samples below and above, in words."""
        return self.below.fates, self.above.fates

    @property
    def sets(self) -> tuple[Floats, Floats]:
        """All values below and above, (variables, samples, values)."""
        return self.below.points, self.above.points

    @property
    def uncompared(self) -> tuple[int, int]:
        """How many samples of each side have a number of values too rare to compare values."""
        known = [0, *(part.count for part in self.strata)]
        below, above = ((~np.isin(side.counts, known)).sum() for side in (self.below, self.above))
        return int(below), int(above)

    @property
    def shares_p_value(self) -> float:
        """The p-value of all shares together (Bonferroni, where there are more than two)."""
        return min(1.0, self._tests_of_shares * min(self.shares.values()))

    @property
    def lists_p_value(self) -> float:
        """The p-value of the lists of values, 1 where there are none to compare."""
        tested = [stratum.test.p_value for stratum in self.strata if stratum.test]
        return min(1.0, len(tested) * min(tested)) if tested else 1.0

    @property
    def raw_p_value(self) -> float:
        """The p-value of this intervention alone: that of the lists or of the shares, twice."""
        if self.paired:
            return 1.0
        return min(1.0, 2 * min(self.lists_p_value, self.shares_p_value))

    @property
    def agree(self) -> bool:
        """Whether nothing tells the two laws apart, and there is something to compare."""
        return self.decided and (self.paired or self.p_value > self.level)

    @property
    def decided(self) -> bool:
        """Whether something is known of some samples of each side.

        That is a value of samples of both, or that they have none.
        """
        known = [(side.counts > 0) | (side.kinds == NOTHING) for side in (self.below, self.above)]
        return all(map(np.any, known)) and (bool(self.strata) or not self.some_values)

    @property
    def some_values(self) -> bool:
        """Whether a sample of either side has a value."""
        return bool((self.below.counts > 0).any() or (self.above.counts > 0).any())

    @property
    def has_equilibrium(self) -> bool:
        """Whether both sides have values that agree."""
        return self.agree and bool(self.strata)

    @cached_property
    def difference(self) -> Floats:
        """The Wasserstein distance of each variable in standard deviations, (variables,).

        The largest one of all entries of the lists. Where both sides share their draws, the
        largest difference of a draw, relative to the largest size.
        """
        return largest(self.strata, [part.shifts for part in self.strata], len(self.names))

    @property
    def scale(self) -> Floats:
        """The standard deviation of each variable below, 1 where it does not vary."""
        points = self.below.points.reshape(len(self.names), -1)
        known = [row[np.isfinite(row)] for row in points]
        spread = np.array([np.std(row) if row.size else 0.0 for row in known])
        return np.where(spread > 0, spread, 1.0)

    @cached_property
    def detectable(self) -> Floats:
        """The shift of each variable that would have been found with a probability of 95 %.

        By the test of that variable alone, at the level that is left for it when that of the
        report is shared among all interventions and statistics; in the lists in which it would be
        found last.
        """
        level = self.level_of_lists
        shifts = [part.detectable(level, self.seed) for part in self.strata]
        return largest(self.strata, shifts, len(self.names))

    @cached_property
    def detectable_share(self) -> float:
        """The difference of shares that would have been found with a probability of 95 %.

        By Fisher's exact test, at the level that is left for it; of the kind of samples of which
        it would be found last, 0 where no shares are tested.
        """
        level = self.level / (2 * self.tests * self._tests_of_shares)
        kinds = np.concatenate([self.below.kinds, self.above.kinds])
        n, m = self.below.kinds.size, self.above.kinds.size
        shares = [float((kinds == kind).mean()) for kind in self.shares]
        return max((detectable_difference(one, n, m, level) for one in shares), default=0.0)

    @property
    def _tests_of_shares(self) -> int:
        """How many tests of shares there are; those of two kinds are the same."""
        return len(self.shares) if len(self.shares) > 2 else 1

    @property
    def level_of_lists(self) -> float:
        """The level that is left for lists of one length."""
        return self.level / (2 * self.tests * max(1, len(self.strata)))

    @property
    def tolerance(self) -> float:
        """The smallest difference that would have been found in every variable."""
        return float(np.nanmax(self.detectable, initial=0.0)) or SAME

    @property
    def starts(self) -> int:
        """One: every sample has a start of its own."""
        return 1

    @property
    def settled(self) -> NDArray[np.bool_]:
        """Which samples below have a value."""
        return np.asarray(self.below.counts > 0)


def compared(below: Sets, above: Sets, *, level: float, tests: int, seed: int) -> PopulationOutcome:
    """Compare the sets of both sides; they need no test where they agree draw by draw.

    Args:
        below: what tau gives.
        above: what the causal model says.
        level: the chance of any false alarm over all interventions.
        tests: how many interventions there are.
        seed: of the test.
    """
    paired = same_draw_by_draw(below, above)
    shares = {} if paired else shares_apart(below.kinds, above.kinds)
    fewest = 1 if paired else _FEWEST
    strata = tuple(
        Stratum.of(below, above, int(count))
        for count in np.intersect1d(below.counts, above.counts)
        if count and min((side.counts == count).sum() for side in (below, above)) >= fewest
    )
    found = PopulationOutcome(below, above, paired, strata, shares, level, seed, tests=tests)
    if paired:
        return found
    tested = (part.tested(seed=seed, smallest=found.level_of_lists) for part in strata)
    return replace(found, strata=tuple(tested))


def corrected(outcomes: Sequence[PopulationOutcome], tests: int = 0) -> list[PopulationOutcome]:
    """Return outcomes with p-values by Holm's method: the chance of any false alarm is kept.

    Args:
        outcomes: of interventions.
        tests: how many there are in all, where that is more.
    """
    tests = max(tests, len(outcomes))
    values = holm([outcome.raw_p_value for outcome in outcomes], tests)
    return [replace(o, p_value=p, tests=tests) for o, p in zip(outcomes, values, strict=True)]


def holm(p_values: Sequence[float], tests: int = 0) -> list[float]:
    """Return p-values that may be held against a level all together (Holm, 1979).

    >>> holm([0.01, 0.04, 0.03]), holm([0.01], tests=3)
    ([0.03, 0.06, 0.06], [0.03])
    """
    tests = max(tests, len(p_values))
    order, largest = np.argsort(p_values, kind="stable"), 0.0
    adjusted = [0.0] * len(p_values)
    for rank, place in enumerate(order.tolist()):
        largest = max(largest, min(1.0, (tests - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted
