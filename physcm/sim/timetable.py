"""What is due when, for all samples at once, where nothing but the clock decides.

Windows and impulses come at times that are known beforehand, so that whole ensembles can be
taken through them together. At one instant things happen in the order of `physcm.sim.agenda`:
windows end and begin, then impulses are added in the order of the schedule.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Generic

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.expression import symbol
from physcm.mechanism.interventions import Impulse, require_window
from physcm.sim.agenda import require_in_run
from physcm.sim.instants import Instant
from physcm.sim.plan import AnyView, Plan
from physcm.sim.schedule import unwrapped

Columns = NDArray[np.int64]


class Timetable(Generic[AnyView]):
    """The windows and impulses of all samples; it changes as time goes on."""

    def __init__(self, plan: Plan[AnyView]) -> None:
        """Read the times of all samples.

        Raises:
            InvalidValue: for a window that ends before it begins.
        """
        self.plan, self.count = plan, plan.samples.size
        schedule = list(enumerate(plan.schedule))
        self.impulses = {k: self._times(e.at) for k, e in schedule if isinstance(e, Impulse)}
        self.windows = {
            k: tuple(map(self._times, unwrapped(e).during or (-math.inf, math.inf)))  # type: ignore[union-attr]
            for k, e in schedule
            if not isinstance(e, Impulse)
        }
        for begin, end in self.windows.values():
            for k in np.flatnonzero(~(begin < end))[:1]:
                where = f" in sample {self.plan.samples[k]}"
                require_window(float(begin[k]), float(end[k]), where)
        self.acting = np.zeros((len(self.windows), self.count), dtype=bool)
        self.left = {k: np.ones(self.count, dtype=bool) for k in self.impulses}
        self._instants: list[tuple[Floats, Columns, Floats, Floats]] = []

    def _times(self, value: float | sp.Expr) -> Floats:
        """Return a time of each sample."""
        if not isinstance(value, sp.Expr):
            return np.full(self.count, float(value))
        nowhere = np.zeros((len(self.plan.names), self.count))
        everything = self.plan.view().everything
        times: Floats = self.plan.program([value]).vector(0.0, nowhere, everything)[0]
        return times

    def begin(self, t: float, full: Floats) -> Floats:
        """Start with all samples at time t.

        Raises:
            InvalidValue: for an impulse before that.
        """
        for place, at in self.impulses.items():
            for k in np.flatnonzero(~((at >= t) & (at < math.inf)))[:1]:
                require_in_run(self.plan.impulses[place][0], float(at[k]), t)
        everyone = np.arange(self.count)
        return self.act(np.full(self.count, t), everyone, full)

    def next_time(self, t: Floats, columns: Columns) -> Floats:
        """Return the next times after t at which something is due."""
        edges = [edge[columns] for window in self.windows.values() for edge in window]
        times = [*edges, *(at[columns] for at in self.impulses.values())]
        later = [np.where(time > t, time, math.inf) for time in times]
        nothing = np.full(columns.size, math.inf)
        return np.asarray(np.min([nothing, *later], axis=0))

    def views(self, columns: Columns) -> Iterator[tuple[AnyView, Columns]]:
        """Yield the modes that act, each with the positions among the columns that have it."""
        patterns, which = np.unique(self.acting[:, columns], axis=1, return_inverse=True)
        places = np.array(list(self.windows), dtype=np.int64)
        for i, pattern in enumerate(patterns.T):
            yield self.plan.view(places[pattern].tolist()), np.flatnonzero(which.ravel() == i)

    def act(self, t: Floats, columns: Columns, full: Floats) -> Floats:
        """Do all that is due with some samples, each at its own time t.

        Args:
            t: (columns).
            columns: of the samples.
            full: their full vectors, (variables, columns).
        """
        now = [(begin[columns] <= t) & (t < end[columns]) for begin, end in self.windows.values()]
        now_acting = np.array(now, dtype=bool).reshape(len(now), columns.size)
        acted = (now_acting != self.acting[:, columns]).any(axis=0)
        self.acting[:, columns] = now_acting
        after = self._completed(t, columns, full)
        for place in sorted(self.impulses):
            hit = self.left[place][columns] & (self.impulses[place][columns] <= t)
            if hit.any():
                self.left[place][columns[hit]] = False
                after[:, hit] = self._kicked(place, t[hit], columns[hit], after[:, hit])
                acted |= hit
        if acted.any():
            self._instants.append((t[acted], columns[acted], full[:, acted], after[:, acted]))
        return after

    def instants(self) -> tuple[tuple[Instant, ...], ...]:
        """Return what has been done to each sample, in order."""
        own: list[list[Instant]] = [[] for _ in range(self.count)]
        for times, columns, before, after in self._instants:
            for i, column in enumerate(columns):
                own[column].append(Instant(float(times[i]), before[:, i], after[:, i]))
        return tuple(map(tuple, own))

    def _completed(self, t: Floats, columns: Columns, full: Floats) -> Floats:
        """Return full vectors with derived and held variables as the modes have them."""
        result = np.empty_like(full)
        for view, at in self.views(columns):
            states = full[np.ix_(view.rows, at)]
            result[:, at] = view.completed(t[at], states, columns[at])
        return result

    def _kicked(self, place: int, t: Floats, columns: Columns, full: Floats) -> Floats:
        name, amount = self.plan.impulses[place]
        row, changed = self.plan.names.index(name), full.copy()
        for view, at in self.views(columns):
            if view.evolves(name):
                kicked = view.folded(name, symbol(name) + amount)
                values = self.plan.program([kicked]).vector(
                    t[at], full[:, at], view.everything[:, columns[at]]
                )
                changed[row, at] = values[0]
        return self._completed(t, columns, changed)
