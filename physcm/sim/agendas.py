"""What is due when, for many samples: their agendas, one by one or all together.

Events without delay leave nothing open from one instant to the next but whether each trigger
is armed, and what its conditions were. So where nothing else is on the schedule, all samples
are looked at together; only one in which several events meet gets an `Agenda` for the instant.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.agenda import Agenda, Instant
from physcm.sim.modes import SystemView
from physcm.sim.plan import SystemPlan

Columns = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Agendas(ABC):
    """The agendas of the samples of a run; values are full vectors of all, changed in place."""

    @abstractmethod
    def begin(self, columns: Columns, now: Floats, values: Floats) -> None:
        """Start: look at the triggers of some samples for the first time, and act."""

    @abstractmethod
    def act(self, columns: Columns, now: Floats, values: Floats) -> None:
        """Do all that is due to some samples, each at its own time."""

    @abstractmethod
    def notice(self, columns: Columns, truth: Mask) -> Mask:
        """Take note of conditions (conditions, samples); say where anything is to be done."""

    @abstractmethod
    def next_times(self, columns: Columns, now: Floats) -> Floats:
        """Return the next times after now at which something is due."""

    @abstractmethod
    def by_mode(self, columns: Columns) -> Iterator[tuple[SystemView, Columns]]:
        """Yield the modes that act now, each with its samples."""

    @abstractmethod
    def instants(self, count: int) -> list[tuple[Instant, ...]]:
        """Return what has been done to each of so many samples."""


def agendas(plan: SystemPlan) -> Agendas:
    """Return the agendas of all samples of a run."""
    system = plan.modes.system
    late = any(event.delay != 0 for event in system.events.values())
    if system.schedule or system.reflected or late:
        return _OneByOne(plan)
    return _AllTogether(plan)


class _OneByOne(Agendas):
    def __init__(self, plan: SystemPlan) -> None:
        self.plan = plan
        self.agendas: dict[int, Agenda[SystemView]] = {}

    def begin(self, columns: Columns, now: Floats, values: Floats) -> None:
        for k, t in zip(columns.tolist(), now.tolist(), strict=True):
            self.agendas[k] = Agenda(self.plan, k)
            values[:, k] = self.agendas[k].begin(t, values[:, k])

    def act(self, columns: Columns, now: Floats, values: Floats) -> None:
        for k, t in zip(columns.tolist(), now.tolist(), strict=True):
            values[:, k] = self.agendas[k].act(t, values[:, k])

    def notice(self, columns: Columns, truth: Mask) -> Mask:
        pairs = zip(columns.tolist(), truth.T, strict=True)
        return np.array([self.agendas[k].notice(own) for k, own in pairs], dtype=bool)

    def next_times(self, columns: Columns, now: Floats) -> Floats:
        pairs = zip(columns.tolist(), now.tolist(), strict=True)
        return np.array([self.agendas[k].next_time(t) for k, t in pairs])

    def by_mode(self, columns: Columns) -> Iterator[tuple[SystemView, Columns]]:
        groups: dict[int, list[int]] = {}
        for k in columns.tolist():
            groups.setdefault(id(self.agendas[k].view), []).append(k)
        for group in groups.values():
            yield self.agendas[group[0]].view, np.array(group)

    def instants(self, count: int) -> list[tuple[Instant, ...]]:
        return [tuple(self.agendas[k].instants) for k in range(count)]


class _AllTogether(Agendas):
    def __init__(self, plan: SystemPlan) -> None:
        self.plan, self.view = plan, plan.modes.view()
        self.events = tuple(plan.modes.system.events.values())
        self.assign = [plan.modes.program([*event.assign.values()]) for event in self.events]
        count = plan.modes.samples.size
        self.armed = np.ones((len(self.events), count), dtype=bool)
        self.truth = np.zeros((len(plan.watch.outputs), count), dtype=bool)
        self.tossed = np.zeros(count, dtype=np.int64)
        self.done: dict[int, list[Instant]] = {}

    def begin(self, columns: Columns, now: Floats, values: Floats) -> None:
        self.truth[:, columns] = self._watch(columns, now, values[:, columns])
        for i, event in enumerate(self.events):
            self.truth[i, columns] = event.initially
        self.act(columns, now, values)

    def act(self, columns: Columns, now: Floats, values: Floats) -> None:
        before = values[:, columns]
        full = self.view.completed(now, before[self.view.rows], columns)
        truth = self._watch(columns, now, full)
        fired = self._fired(columns, truth)
        armed = (self.armed[:, columns] & ~fired) | self._arming(truth)
        count = fired.sum(axis=0)
        after, later = full.copy(), truth.copy()
        for i in range(len(self.events)):
            own = np.flatnonzero(fired[i] & (count == 1))
            if own.size:
                after[:, own] = self._assigned(i, columns[own], now[own], full[:, own])
                later[:, own] = self._watch(columns[own], now[own], after[:, own])
        again = armed & later[: len(self.events)] & ~truth[: len(self.events)]
        simple = (count < 2) & ~again.any(axis=0)
        for k in np.flatnonzero(~simple).tolist():
            self._act_alone(int(columns[k]), float(now[k]), values)
        for k in np.flatnonzero(simple & (count == 1)).tolist():
            self._note(int(columns[k]), Instant(float(now[k]), before[:, k], after[:, k]))
        those = columns[simple]
        values[:, those], self.truth[:, those] = after[:, simple], later[:, simple]
        self.armed[:, those] = (armed | self._arming(later))[:, simple]

    def notice(self, columns: Columns, truth: Mask) -> Mask:
        due = self._fired(columns, truth).any(axis=0)
        those, seen = columns[~due], truth[:, ~due]
        self.truth[:, those] = seen
        self.armed[:, those] |= self._arming(seen)
        return np.asarray(due)

    def next_times(self, columns: Columns, now: Floats) -> Floats:
        return np.full(columns.size, np.inf)

    def by_mode(self, columns: Columns) -> Iterator[tuple[SystemView, Columns]]:
        yield self.view, columns

    def instants(self, count: int) -> list[tuple[Instant, ...]]:
        return [tuple(self.done.get(k, ())) for k in range(count)] if self.events else []

    def _watch(self, columns: Columns, now: Floats, values: Floats) -> Mask:
        return np.asarray(self.plan.watch.vector(now, values, self.view.everything[:, columns]) > 0)

    def _fired(self, columns: Columns, truth: Mask) -> Mask:
        """Return which triggers fire, (triggers, samples)."""
        count = len(self.events)
        return self.armed[:, columns] & truth[:count] & ~self.truth[:count, columns]

    def _arming(self, truth: Mask) -> Mask:
        """Return which triggers are armed again, (triggers, samples)."""
        return truth[len(self.events) : 2 * len(self.events)]

    def _assigned(self, i: int, columns: Columns, now: Floats, values: Floats) -> Floats:
        """Return the full vectors after an event."""
        names, changed = self.plan.modes.names, values.copy()
        new = self.assign[i].vector(now, values, self.view.everything[:, columns])
        for name, row in zip(self.events[i].assign, new, strict=True):
            if name in self.view.system.drift:
                changed[names.index(name)] = row
        return self.view.completed(now, changed[self.view.rows], columns)

    def _act_alone(self, k: int, t: float, values: Floats) -> None:
        """Act on a sample in which several events meet."""
        agenda = Agenda(self.plan, k)
        agenda.armed, agenda.truth = self.armed[:, k], self.truth[:, k]
        agenda.tossed = int(self.tossed[k])
        values[:, k] = agenda.act(t, values[:, k])
        self.armed[:, k], self.truth[:, k] = agenda.armed, agenda.truth
        self.tossed[k] = agenda.tossed
        for instant in agenda.instants:
            self._note(k, instant)

    def _note(self, k: int, instant: Instant) -> None:
        self.done.setdefault(k, []).append(instant)
