"""Agendas of all samples together, where nothing that falls due is put off.

At one instant things happen in the order of `physcm.sim.agenda`, in as many turns as the sample
with most to do needs; each turn does one thing with each sample that has any left.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import NotConverged
from physcm.mechanism.expression import symbol
from physcm.mechanism.interventions import Impulse
from physcm.mechanism.randomness import uniforms
from physcm.sim.agenda import MOST_AT_ONCE, hurried, require_in_run
from physcm.sim.instants import Instants
from physcm.sim.modes import View
from physcm.sim.plan import AnyView, Plan, Reading
from physcm.sim.schedule import unwrapped
from physcm.sim.windows import Windows, clock_times

Columns = NDArray[np.int64]
Mask = NDArray[np.bool_]
_PORTION = 8192
"""So many samples are acted on at once: what is computed on the way takes little memory."""


@dataclass
class _Due:
    """What is due to some samples at one instant.

    Attributes:
        turn: when each trigger has fired, counted from 1; 0 where it is not due,
            (triggers, columns).
        assigned: the new values that a trigger computed as it fired, (variables, columns).
        count: of the firings.
    """

    turn: Columns
    assigned: dict[int, Floats] = field(default_factory=dict)
    count: int = 0


class Together(Generic[AnyView]):
    """The agendas of all samples; they change as time goes on."""

    def __init__(self, plan: Plan[AnyView]) -> None:
        """Read the times of windows and impulses.

        Raises:
            InvalidValue: for a window that ends before it begins.
        """
        self.plan, self.windows = plan, Windows(plan)
        given, count = plan.triggers, plan.samples.size
        self.impulses = {
            k: clock_times(plan, e.at)
            for k, e in enumerate(plan.schedule)
            if isinstance(e, Impulse)
        }
        self.either = np.array([[trigger.either] for trigger in given], dtype=bool).reshape(-1, 1)
        stays = [trigger.event is None or trigger.event.persistent for trigger in given]
        self.persistent = np.array(stays, dtype=bool)[:, np.newaxis]
        self.armed = np.ones((len(given), count), dtype=bool)
        self.truth = np.zeros((len(plan.watch.outputs), count), dtype=bool)
        self._fired_at = np.full(self.armed.shape, -math.inf)
        self._pauses = np.full((2, *self.armed.shape), math.inf)
        self._tossed = np.zeros(count, dtype=np.int64)
        self._done = Instants(count)

    def begin(self, columns: Columns, now: Floats, values: Floats) -> None:
        """Start: look at the triggers of some samples for the first time, and act.

        Raises:
            InvalidValue: for an impulse before that.
        """
        for place, at in self.impulses.items():
            early = ~((at[columns] >= now) & (at[columns] < math.inf))
            for i in np.flatnonzero(early)[:1]:
                name = self.plan.impulses[place][0]
                require_in_run(name, float(at[columns[i]]), float(now[i]))
        self.truth[:, columns] = self._watch(columns, now, values[:, columns])
        for i, trigger in enumerate(self.plan.triggers):
            if trigger.event is not None:
                self.truth[i, columns] = trigger.event.initially
        self.act(columns, now, values)

    def act(self, columns: Columns, now: Floats, values: Floats) -> None:
        """Do all that is due to some samples, each at its own time."""
        for low in range(0, columns.size, _PORTION):
            own = slice(low, low + _PORTION)
            self._act(columns[own], now[own], values)

    def _act(self, columns: Columns, now: Floats, values: Floats) -> None:
        before = values[:, columns]
        acted = self.windows.turn(columns, now)
        full = self._completed(columns, now, before)
        for place, at in sorted(self.impulses.items()):
            hit = np.flatnonzero(at[columns] <= now)
            if hit.size:
                at[columns[hit]] = math.inf
                full[:, hit] = self._kicked(place, columns[hit], now[hit], full[:, hit])
                acted[hit] = True
        if self.plan.triggers:
            acted |= self._follow_triggers(columns, now, full)
        values[:, columns] = full
        self._note(columns[acted], now[acted], before[:, acted], full[:, acted])

    def jump(
        self, columns: Columns, now: Floats, values: Floats, changes: Mapping[str, Floats]
    ) -> None:
        """Add to states at a random instant of each sample; what is held stays."""
        before = values[:, columns]
        new = {name: before[self._row(name)] + change for name, change in changes.items()}
        values[:, columns] = self._assigned(columns, now, before, new)
        self._note(columns, now, before, values[:, columns])

    def notice(self, columns: Columns, truth: Mask) -> Mask:
        """Take note of conditions (conditions, samples); say where anything is to be done."""
        due = self._fired(columns, truth).any(axis=0)
        those, seen = columns[~due], truth[:, ~due]
        self.truth[:, those] = seen
        self.armed[:, those] |= self._arming(seen)
        return np.asarray(due)

    def look(self, columns: Columns, now: Floats, values: Floats) -> Mask:
        """Look at the conditions, and say where anything is to be done."""
        return self.notice(columns, self._watch(columns, now, values[:, columns]))

    def next_times(self, columns: Columns, now: Floats) -> Floats:
        """Return the next times after now at which something is due."""
        times = [self.windows.next_times(columns, now)]
        times += [
            np.where(at[columns] > now, at[columns], math.inf) for at in self.impulses.values()
        ]
        return np.asarray(np.min(times, axis=0))

    def by_mode(self, columns: Columns) -> Iterator[tuple[AnyView, Columns]]:
        """Yield the modes that act now, each with its samples."""
        for view, at in self.windows.views(columns):
            yield view, columns[at]

    def instants(self) -> Instants:
        """Return what has been done."""
        return self._done

    def seen(self, columns: Columns) -> Mask:
        """Return what the conditions were when they were last looked at."""
        return np.asarray(self.truth[:, columns])

    def crowded(self, columns: Columns, span: float, most: int) -> Mask:
        """Say to which samples too much has happened, in all or within a moment."""
        hurries = hurried(self._pauses[:, :, columns], span).any(axis=0)
        return np.asarray(self._done.crowded(columns, span, most) | hurries)

    def _follow_triggers(self, columns: Columns, now: Floats, full: Floats) -> Mask:
        """Do what triggers call for, in place; say where anything was done."""
        due = _Due(np.zeros((len(self.plan.triggers), columns.size), dtype=np.int64))
        acted, left = np.zeros(columns.size, dtype=bool), np.arange(columns.size)
        for _ in range(MOST_AT_ONCE):
            self._fire(columns, now, full, due, left)
            left = np.flatnonzero(due.turn.any(axis=0))
            if not left.size:
                return acted
            first = self._first(columns[left], now[left], full[:, left], due.turn[:, left])
            for i in np.unique(first).tolist():
                at = left[first == i]
                full[:, at] = self._do(i, columns[at], now[at], full[:, at], due, at)
                due.turn[i, at] = 0
            acted[left] = True
        raise NotConverged(
            f"events at t = {now[left[0]]:g} trigger each other without end; look at their "
            "conditions"
        )

    def _fire(self, columns: Columns, now: Floats, full: Floats, due: _Due, at: Columns) -> None:
        """Look at the triggers of some of the columns, and put down what has fired."""
        own, t, values, count = columns[at], now[at], full[:, at], len(self.plan.triggers)
        truth = self._watch(own, t, values)
        fired = self._fired(own, truth)
        self.armed[:, own] = (self.armed[:, own] & ~fired) | self._arming(truth)
        self.truth[:, own] = truth
        for i in np.flatnonzero(fired.any(axis=1)).tolist():
            hit, due.count = np.flatnonzero(fired[i]), due.count + 1
            due.turn[i, at[hit]] = due.count
            event = self.plan.triggers[i].event
            if event is None:
                self._measure_pause(i, own[hit], t[hit])
            elif event.at_trigger:
                new = due.assigned.setdefault(i, np.empty((len(event.assign), columns.size)))
                new[:, at[hit]] = self._new_values(i, own[hit], t[hit], values[:, hit])
        due.turn[:, at] *= truth[:count] | self.persistent

    def _measure_pause(self, i: int, columns: Columns, now: Floats) -> None:
        pause = now - self._fired_at[i, columns]
        later = pause > 0
        those = columns[later]
        self._pauses[0, i, those] = self._pauses[1, i, those]
        self._pauses[1, i, those] = pause[later]
        self._fired_at[i, those] = now[later]

    def _first(self, columns: Columns, now: Floats, full: Floats, turn: Columns) -> Columns:
        """Return which of the due triggers comes first in each sample."""
        first = (turn > 0).argmax(axis=0)
        several = np.flatnonzero((turn > 0).sum(axis=0) > 1)
        if several.size:
            own = columns[several], now[several], full[:, several], turn[:, several]
            first[several] = np.lexsort(self._ranks(*own), axis=0)[0]
        return np.asarray(first)

    def _ranks(
        self, columns: Columns, now: Floats, full: Floats, turn: Columns
    ) -> tuple[Floats, Floats]:
        """Return keys of the due triggers, the last the primary one: the least comes first."""
        second, priority = np.full((2, *turn.shape), math.inf)
        tossed = np.zeros(turn.shape, dtype=bool)
        for i, trigger in enumerate(self.plan.triggers):
            if trigger.event is None or trigger.event.priority is None:
                second[i] = np.where(turn[i] > 0, i, math.inf)
            else:
                tossed[i] = turn[i] > 0
                urgent = self._value(trigger.event.priority, columns, now, full)
                priority[i] = np.where(tossed[i], -urgent, math.inf)
        for i in np.flatnonzero(tossed.any(axis=1)).tolist():
            number = self._tossed[columns] + 1 + (tossed & (turn < turn[i])).sum(axis=0)
            coin = uniforms(self.plan.seed, f"order/{i}", self.plan.samples[columns], number)
            second[i] = np.where(tossed[i], coin, second[i])
        self._tossed[columns] += tossed.sum(axis=0)
        return second, priority

    def _do(
        self, i: int, columns: Columns, now: Floats, full: Floats, due: _Due, at: Columns
    ) -> Floats:
        """Return the full vectors after what a trigger stands for."""
        trigger = self.plan.triggers[i]
        if trigger.event is not None:
            new = due.assigned[i][:, at] if i in due.assigned else None
            if new is None:
                new = self._new_values(i, columns, now, full)
            return self._assigned(
                columns, now, full, dict(zip(trigger.event.assign, new, strict=True))
            )
        entry = unwrapped(self.plan.schedule[trigger.place])
        if isinstance(entry, Impulse):
            return self._kicked(trigger.place, columns, now, full)
        during = entry.during or (0.0, math.inf)
        begin, end = (now + self._length(time, columns, now, full) for time in during)
        self.windows.reopen(trigger.place, columns, begin, end)
        self.windows.turn(columns, now)
        return self._completed(columns, now, full)

    def _watch(self, columns: Columns, now: Floats, full: Floats) -> Mask:
        return np.asarray(self._computed(self.plan.watch, columns, now, full) > 0)

    def _fired(self, columns: Columns, truth: Mask) -> Mask:
        """Return which triggers fire, (triggers, columns)."""
        count = len(self.plan.triggers)
        now, before = truth[:count], self.truth[:count, columns]
        return np.asarray(
            self.armed[:, columns] & np.where(self.either, now != before, now & ~before)
        )

    def _arming(self, truth: Mask) -> Mask:
        """Return which triggers are armed again, (triggers, columns)."""
        count = len(self.plan.triggers)
        return truth[count : 2 * count]

    def _new_values(self, i: int, columns: Columns, now: Floats, full: Floats) -> Floats:
        """Return the values that an event assigns."""
        event = self.plan.triggers[i].event
        assert event is not None  # noqa: S101 - by the callers
        return self._computed(self.plan.reading(*event.assign.values()), columns, now, full)

    def _length(
        self, value: float | sp.Expr, columns: Columns, now: Floats, full: Floats
    ) -> float | Floats:
        return self._value(value, columns, now, full) if isinstance(value, sp.Expr) else value

    def _value(self, expression: sp.Expr, columns: Columns, now: Floats, full: Floats) -> Floats:
        return np.asarray(self._computed(self.plan.reading(expression), columns, now, full)[0])

    def _computed(self, program: Reading, columns: Columns, now: Floats, full: Floats) -> Floats:
        """Return the outputs of a program of the full vector, in the mode of each sample."""
        result = np.empty((len(program.outputs), columns.size))
        for view, at in self.windows.views(columns):
            p = view.everything[:, columns[at]]
            result[:, at] = program.vector(now[at], full[:, at], p)
        return result

    def _kicked(self, place: int, columns: Columns, now: Floats, full: Floats) -> Floats:
        """Return the full vectors after an impulse."""
        name, amount = self.plan.impulses[place]
        added = self._value(amount, columns, now, full)
        return self._assigned(columns, now, full, {name: full[self._row(name)] + added})

    def _assigned(
        self, columns: Columns, now: Floats, full: Floats, new: Mapping[str, Floats]
    ) -> Floats:
        """Return the full vectors with new values of states; what is held stays."""
        changed = full.copy()
        for view, at in self.windows.views(columns):
            for name, values in new.items():
                if view.evolves(name):
                    changed[self._row(name), at] = self._folded(view, name, values[at])
        return self._completed(columns, now, changed)

    def _folded(self, view: View, name: str, values: Floats) -> Floats:
        inside = view.folded(name, symbol(name))
        if inside == symbol(name):
            return values
        program = Program.over((name,), (), {}, [inside])
        return np.asarray(program.vector(0.0, values[np.newaxis], np.empty((0, values.size)))[0])

    def _completed(self, columns: Columns, now: Floats, full: Floats) -> Floats:
        """Return full vectors with derived and held variables as the modes have them."""
        result = np.empty_like(full)
        for view, at in self.windows.views(columns):
            result[:, at] = view.completed(now[at], full[np.ix_(view.rows, at)], columns[at])
        return result

    def _row(self, name: str) -> int:
        return self.plan.names.index(name)

    def _note(self, columns: Columns, now: Floats, before: Floats, after: Floats) -> None:
        if columns.size:
            self._done.note(columns, now, before, after)
