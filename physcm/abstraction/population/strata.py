"""Samples with equally many values on both sides, whose lists of values are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from physcm.abstraction.population.sets import Sets
from physcm.abstraction.population.two_sample import TwoSample, detectable_shifts, two_sample
from physcm.mechanism.codegen import Floats


@dataclass(frozen=True, eq=False)
class Stratum:
    """The lists of values of samples that have equally many, on both sides.

    Attributes:
        count: how many values each of the samples has.
        names: of the entries of a list, the variables of its first value first.
        below: (entries, samples).
        above: likewise, of as many or other samples.
        test: of the lists, None if both sides are the same draw by draw.
    """

    count: int
    names: tuple[str, ...]
    below: Floats
    above: Floats
    test: TwoSample | None = None

    @classmethod
    def of(cls, below: Sets, above: Sets, count: int) -> Stratum:
        """Return what two sides have of lists of some length, not yet tested."""
        names = [
            name if count == 1 else f"{name} ({place} of {count})"
            for place in range(1, count + 1)
            for name in below.names
        ]
        return cls(count, tuple(names), below.lists(count), above.lists(count))

    def tested(self, *, seed: int, smallest: float) -> Stratum:
        """Return it with a test, which tells p-values of a size from larger ones."""
        test = two_sample(self.names, self.below, self.above, seed=seed, smallest=smallest)
        return Stratum(self.count, self.names, self.below, self.above, test)

    @cached_property
    def shifts(self) -> Floats:
        """The Wasserstein distance of each entry in standard deviations, (entries,).

        Where both sides share their draws, the largest difference of a draw, relative.
        """
        if self.test is not None:
            return self.test.shifts
        size = np.abs(self.below).max(axis=1, initial=0.0)
        gap = np.abs(self.below - self.above).max(axis=1, initial=0.0)
        return np.asarray(gap / np.where(size > 0, size, 1.0))

    def detectable(self, level: float, seed: int) -> Floats:
        """Return the shift of each entry that a test at a level would find, (entries,)."""
        if self.test is None:
            return np.full(len(self.names), np.nan)
        own = level / len(self.test.p_values)
        return detectable_shifts(self.below, self.above, own, seed=seed)


def largest(strata: Sequence[Stratum], per_entry: Sequence[Floats], variables: int) -> Floats:
    """Return the largest of some numbers per entry for each variable, NaN where there is none.

    >>> pair = Stratum(2, ("x (1 of 2)", "x (2 of 2)"), np.zeros((2, 1)), np.zeros((2, 1)))
    >>> largest([pair], [np.array([1.0, 3.0])], 1).tolist()
    [3.0]
    """
    found = np.full(variables, np.nan)
    for stratum, numbers in zip(strata, per_entry, strict=True):
        found = np.fmax(found, np.fmax.reduce(numbers.reshape(stratum.count, variables), axis=0))
    return found
