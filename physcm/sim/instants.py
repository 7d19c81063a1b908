"""What was done to samples at once: when, and the variables before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats

Columns = NDArray[np.int64]
_CROWD, _CROWDED = 1_000, 1e-8


@dataclass(frozen=True)
class Instant:
    """One instant at which something was done to a sample: the full vector before and after."""

    time: float
    before: Floats
    after: Floats


class Instants:
    """The instants of all samples, those of each sample in order.

    >>> done = Instants(2)
    >>> done.note(np.array([1]), np.array([0.5]), np.array([[1.0]]), np.array([[3.0]]))
    >>> done.count.tolist(), done.over_samples(1)[0].tolist()
    ([0, 1], [[nan], [0.5]])
    """

    def __init__(self, samples: int) -> None:
        """Begin with samples to which nothing has been done."""
        self.count = np.zeros(samples, dtype=np.int64)
        self._since, self._pace = np.full((2, samples), np.inf)
        self._noted: list[tuple[Columns, Columns, Floats, Floats, Floats]] = []

    @classmethod
    def of(cls, each: Sequence[Sequence[Instant]]) -> Instants:
        """Return the instants of samples of which each has a list of its own."""
        result = cls(len(each))
        for k, own in enumerate(each):
            for instant in own:
                time = np.array([instant.time])
                sides = instant.before[:, np.newaxis], instant.after[:, np.newaxis]
                result.note(np.array([k]), time, *sides)
        return result

    def note(self, columns: Columns, times: Floats, before: Floats, after: Floats) -> None:
        """Take note of one more instant of some samples, full vectors (variables, columns)."""
        self._noted.append((columns, self.count[columns], times, before, after))
        self.count[columns] += 1
        many = self.count[columns] % _CROWD == 0
        if many.any():
            self._pace[columns[many]] = times[many] - self._since[columns[many]]
        first = self.count[columns] % _CROWD == 1
        self._since[columns[first]] = times[first]

    def crowded(self, columns: Columns, span: float, most: int) -> NDArray[np.bool_]:
        """Say where so many have come in all, or a thousand within a moment of a span of time."""
        crowd = self._pace[columns] < _CROWDED * span
        return np.asarray(crowd | (self.count[columns] >= most))

    def over_samples(self, variables: int) -> tuple[Floats, Floats, Floats]:
        """Return the times (samples, instants), and before and after (variables, ...) likewise.

        Samples with fewer instants than others are filled up with NaN.
        """
        shape = self.count.size, int(self.count.max(initial=0))
        when = np.full(shape, np.nan)
        before, after = np.full((2, variables, *shape), np.nan)
        for columns, places, times, *sides in self._noted:
            when[columns, places] = times
            before[:, columns, places], after[:, columns, places] = sides
        return when, before, after
