"""The base steps of a run, and the times that are saved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats

SNAP = 1e-9
"""So small a part of a step does not count."""

MOST_PIECES = 10_000
"""Of one base step."""

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Base steps of one length from the first saved time on.

    Attributes:
        times: to save, increasing.
        step: the length of a step.

    >>> grid = Grid(np.array([0.0, 0.15, 0.2]), 0.1)
    >>> grid.steps, grid.edge.tolist(), grid.inside.round(6).tolist()
    (2, [0, -1, 2], [1.5])
    """

    times: Floats
    step: float

    @property
    def begin(self) -> float:
        """The time at which the first step begins."""
        return float(self.times[0])

    def time(self, k: int) -> float:
        """Return when step k begins."""
        return self.begin + k * self.step

    def times_of(self, steps: Integers) -> Floats:
        """Return when each of some steps begins."""
        return np.asarray(self.begin + steps * self.step)

    @cached_property
    def place(self) -> Floats:
        """The saved times, in steps."""
        return np.asarray((self.times - self.times[0]) / self.step)

    @cached_property
    def steps(self) -> int:
        """The number of steps."""
        return math.ceil(float(self.place[-1]) - 1e-6)

    @cached_property
    def edge(self) -> Integers:
        """The steps that begin at the saved times, -1 for a time inside of a step."""
        nearest = np.rint(self.place)
        return np.where(np.abs(self.place - nearest) < 1e-6, nearest, -1).astype(np.int64)

    @cached_property
    def inside_slots(self) -> Integers:
        """Which saved times are inside of steps."""
        return np.flatnonzero(self.edge < 0)

    @cached_property
    def inside(self) -> Floats:
        """The saved times inside of steps, in steps."""
        return np.asarray(self.place[self.inside_slots])

    def slots(self, first: int, last: int) -> Integers:
        """Return what is saved at the end of each of the steps first, ..., last - 1, (2, steps).

        That is the place of the saved time, -1 for none; and the next step at whose end there is
        one, which is beyond the last if there is none.
        """
        slots = np.full(last - first, -1)
        saved = np.flatnonzero((self.edge > first) & (self.edge <= last))
        slots[self.edge[saved] - first - 1] = saved
        steps = np.where(slots >= 0, np.arange(first, last), last)
        return np.array([slots, np.minimum.accumulate(steps[::-1])[::-1]])
