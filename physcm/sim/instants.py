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

    They lie as they are handed on, with room for up to twice as many.

    >>> done = Instants(2)
    >>> done.note(np.array([1]), np.array([0.5]), np.array([[1.0]]), np.array([[3.0]]))
    >>> done.count.tolist(), done.over_samples(1)[0].tolist()
    ([0, 1], [[nan], [0.5]])
    """

    def __init__(self, samples: int) -> None:
        """Begin with samples to which nothing has been done."""
        self.count = np.zeros(samples, dtype=np.int64)
        self._since, self._pace = np.full((2, samples), np.inf)
        self._when = np.empty((samples, 0))
        self._before, self._after = np.empty((2, 0, samples, 0))

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
        places = self.count[columns]
        if places.max(initial=0) == self._when.shape[1]:
            self._make_room(len(before))
        self._when[columns, places] = times
        self._before[:, columns, places], self._after[:, columns, places] = before, after
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
        most = self.count.max(initial=0)
        if not most:
            return self._when, *np.empty((2, variables, *self._when.shape))
        when, before, after = (
            np.ascontiguousarray(values[..., :most])
            for values in (self._when, self._before, self._after)
        )
        return when, before, after

    def _make_room(self, variables: int) -> None:
        """Make room for twice as many instants, without values."""
        shape = self.count.size, 2 * self._when.shape[1] or 1
        self._when = _filled_up(self._when, shape)
        self._before = _filled_up(self._before, (variables, *shape))
        self._after = _filled_up(self._after, (variables, *shape))


def _filled_up(values: Floats, shape: tuple[int, ...]) -> Floats:
    """Return values at the front of a larger array that has none behind."""
    larger = np.full(shape, np.nan)
    larger[..., : values.shape[-1]] = values if values.size else np.nan
    return larger
