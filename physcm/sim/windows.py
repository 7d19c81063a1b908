"""The windows of all samples, and the modes that act on them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Generic

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.interventions import Impulse, When, require_window
from physcm.sim.modes import View
from physcm.sim.plan import AnyView, Plan
from physcm.sim.schedule import unwrapped

Columns = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Windows(Generic[AnyView]):
    """When which scheduled intervention acts, [begin, end), for all samples.

    Attributes:
        begin: by place among those that act for some time, (places, samples).
        end: likewise.
    """

    def __init__(self, plan: Plan[AnyView]) -> None:
        """Read the windows that do not wait for a trigger.

        Raises:
            InvalidValue: for a window that ends before it begins.
        """
        self.plan, schedule = plan, plan.schedule
        count = plan.samples.size
        entries = {place: unwrapped(entry) for place, entry in enumerate(schedule)}
        self.places = [k for k, entry in entries.items() if not isinstance(entry, Impulse)]
        self.begin, self.end = np.full((2, len(self.places), count), math.inf)
        for row, place in enumerate(self.places):
            during = entries[place].during or (-math.inf, math.inf)  # type: ignore[union-attr]
            begin, end = (clock_times(plan, time) for time in during)
            for k in np.flatnonzero(~(begin < end))[:1]:
                where = f" in sample {plan.samples[k]}"
                require_window(float(begin[k]), float(end[k]), where)
            if not isinstance(schedule[place], When):
                self.begin[row], self.end[row] = begin, end
        self._order = np.repeat(np.arange(len(self.places))[:, np.newaxis], count, axis=1)
        self._turned = np.full(self._order.shape, -1)
        self._views = [plan.view()]
        self._mode = np.zeros(count, dtype=np.int64)
        self._numbers: dict[tuple[int, ...], int] = {(): 0}

    def next_times(self, columns: Columns, now: Floats) -> Floats:
        """Return when the next window begins or ends, infinite if none does."""
        later = [
            np.where(e > now, e, math.inf) for e in (*self.begin[:, columns], *self.end[:, columns])
        ]
        return np.asarray(np.min([np.full(columns.size, math.inf), *later], axis=0))

    def reopen(self, place: int, columns: Columns, begin: Floats, end: Floats) -> None:
        """Let a triggered intervention act in a new window, after all others."""
        row = self.places.index(place)
        self.begin[row, columns], self.end[row, columns] = begin, end
        order = self._order[:, columns]
        order -= order > order[row]
        order[row] = len(self.places) - 1
        self._order[:, columns] = order

    def turn(self, columns: Columns, now: Floats) -> Mask:
        """Let windows begin and end, for each sample at its own time; say where any has."""
        acts = (self.begin[:, columns] <= now) & (now < self.end[:, columns])
        pattern = np.where(acts, self._order[:, columns], -1)
        differs = np.flatnonzero((pattern != self._turned[:, columns]).any(axis=0))
        before = self._mode[columns]
        if differs.size:
            self._turned[:, columns[differs]] = pattern[:, differs]
            found, which = np.unique(pattern[:, differs], axis=1, return_inverse=True)
            numbers = np.array([self._number(own) for own in found.T])
            self._mode[columns[differs]] = numbers[which.ravel()]
        return np.asarray(self._mode[columns] != before)

    def views(self, columns: Columns) -> Iterator[tuple[AnyView, Columns]]:
        """Yield the modes that act, each with the positions among the columns that have it."""
        if len(self._views) == 1:
            if columns.size:
                yield self._views[0], np.arange(columns.size)
            return
        mode = self._mode[columns]
        for number in np.unique(mode):
            yield self._views[number], np.flatnonzero(mode == number)

    def _number(self, pattern: NDArray[np.int64]) -> int:
        """Return the number of a mode, given the order of each window that acts, -1 for others."""
        rows = [row for row in np.argsort(pattern).tolist() if pattern[row] >= 0]
        acting = self.plan.in_order([self.places[row] for row in rows])
        if acting not in self._numbers:
            self._numbers[acting] = len(self._views)
            self._views.append(self.plan.view(acting))
        return self._numbers[acting]


def clock_times(plan: Plan[View], value: float | sp.Expr) -> Floats:
    """Return a time of each sample, given as a number or in terms of parameters."""
    count = plan.samples.size
    if not isinstance(value, sp.Expr):
        return np.full(count, float(value))
    nowhere = np.zeros((len(plan.names), count))
    times: Floats = plan.reading(value).vector(0.0, nowhere, plan.view().everything)[0]
    return times
