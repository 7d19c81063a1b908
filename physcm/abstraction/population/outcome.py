"""What two models say under one intervention, compared as laws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from physcm.abstraction.population.samples import Population
from physcm.abstraction.population.two_sample import TwoSample, detectable_shifts, two_sample
from physcm.mechanism.codegen import Floats

_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class PopulationOutcome:
    """Samples of both sides under one intervention, and whether their laws differ.

    Attributes:
        names: the variables compared.
        simulated: tau of the samples below, (variables, samples), NaN where there is no value.
        predicted: the samples above, likewise.
        fates: what became of the samples below and above.
        paired: whether both sides shared all draws and agree draw by draw.
        test: of the values, None where a side has too few of them, or all are equal.
        fates_p_value: of Fisher's exact test whether as many samples have values on both sides.
        level: the chance of any false alarm in the whole report.
        p_value: corrected for the number of interventions (Holm, 1979), as `corrected` does.
        tests: how many interventions there are.
        seed: of all draws.
        step: of a system with noise, where one was asked for.
    """

    names: tuple[str, ...]
    simulated: Floats
    predicted: Floats
    fates: tuple[Population, Population]
    paired: bool
    test: TwoSample | None
    fates_p_value: float
    level: float
    seed: int
    p_value: float = math.nan
    tests: int = 1
    step: float | None = None

    @property
    def raw_p_value(self) -> float:
        """The p-value of this intervention alone: that of the values or of the counts, twice."""
        if self.paired:
            return 1.0
        values = self.test.p_value if self.test else 1.0
        return min(1.0, 2 * min(values, self.fates_p_value))

    @property
    def agree(self) -> bool:
        """Whether nothing tells the two laws apart, and there is something to compare."""
        return self.paired or (self.test is not None and self.p_value > self.level)

    @property
    def has_equilibrium(self) -> bool:
        """Whether both sides have values that agree."""
        return self.agree

    @cached_property
    def difference(self) -> Floats:
        """The Wasserstein distance of each variable in standard deviations, (variables,).

        Where both sides share their draws, the largest difference of a draw in these.
        """
        if self.paired:
            gap = np.abs(self.simulated - self.predicted)
            largest: Floats = np.nanmax(gap, axis=1, initial=0.0) / _scale(self.simulated)
            return largest
        return self.test.shifts if self.test else np.full(len(self.names), np.nan)

    @property
    def scale(self) -> Floats:
        """The standard deviation of each variable below, 1 where it does not vary."""
        spread = np.array([np.std(row[np.isfinite(row)]) if np.isfinite(row).any() else 0.0
                           for row in self.simulated])  # fmt: skip
        return np.where(spread > 0, spread, 1.0)

    @cached_property
    def detectable(self) -> Floats:
        """The shift of each variable that would have been found with a probability of 95 %.

        By the test of that variable alone, at the level that is left for it when that of the
        report is shared among all interventions and statistics.
        """
        if self.paired or self.test is None:
            return np.full(len(self.names), np.nan)
        level = self.level / (2 * self.tests * len(self.test.p_values))
        x, y = (_present(side) for side in (self.simulated, self.predicted))
        return detectable_shifts(x, y, level, seed=self.seed)

    @property
    def tolerance(self) -> float:
        """The smallest difference that would have been found in every variable."""
        return float(np.nanmax(self.detectable, initial=0.0)) or _SAME

    @property
    def starts(self) -> int:
        """One: every sample has a start of its own."""
        return 1

    @property
    def settled(self) -> NDArray[np.bool_]:
        """Which samples below have a value."""
        return np.asarray(np.isfinite(self.simulated).all(axis=0))


def compared(
    names: tuple[str, ...], simulated: Floats, predicted: Floats,
    fates: tuple[Population, Population], *, level: float, tests: int, seed: int,
) -> PopulationOutcome:  # fmt: skip
    """Compare samples of both sides, (variables, samples).

    They need no test where they agree draw by draw.

    Args:
        names: of the variables.
        simulated: of the side below.
        predicted: of the side above.
        fates: what became of both.
        level: the chance of any false alarm over all interventions.
        tests: how many interventions there are.
        seed: of the test.
    """
    below, above = _present(simulated), _present(predicted)
    paired = agree_draw_by_draw(simulated, predicted)
    test = None
    if not paired and min(below.shape[1], above.shape[1]) > 1:
        test = two_sample(names, below, above, seed=seed, smallest=level / (2 * tests))
    counts = [[part.shape[1], side.shape[1] - part.shape[1]]
              for part, side in ((below, simulated), (above, predicted))]  # fmt: skip
    p = 1.0 if paired else float(fisher_exact(counts).pvalue)
    return PopulationOutcome(
        names, simulated, predicted, fates, paired, test, p, level, seed, tests=tests
    )


def corrected(outcomes: Sequence[PopulationOutcome]) -> list[PopulationOutcome]:
    """Return outcomes with p-values by Holm's method: the chance of any false alarm is kept.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values = holm([outcome.raw_p_value for outcome in outcomes])
    return [replace(o, p_value=p, tests=len(values)) for o, p in zip(outcomes, values, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that may be held against a level all together (Holm, 1979).

    >>> holm([0.5, 0.001])
    [0.5, 0.002]
    """
    order, largest = np.argsort(p_values, kind="stable"), 0.0
    adjusted = [0.0] * len(p_values)
    for rank, place in enumerate(order.tolist()):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def _present(side: Floats) -> Floats:
    return side[:, np.isfinite(side).all(axis=0)]


def agree_draw_by_draw(simulated: Floats, predicted: Floats) -> bool:
    """Say whether two sides agree draw by draw, up to rounding, and in where values are missing."""
    scale = _scale(simulated)[:, np.newaxis]
    some = np.isfinite(simulated).all(axis=0).any()
    same = np.allclose(simulated / scale, predicted / scale, 0, _SAME, equal_nan=True)
    return bool(some and same)


def _scale(values: Floats) -> Floats:
    size = np.nanmax(np.abs(values), axis=1, initial=0.0)
    return np.where(size > 0, size, 1.0)
