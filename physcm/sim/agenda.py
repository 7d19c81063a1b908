"""What is due when, for one sample: windows, impulses, triggers and events.

At one instant, in this order:

1. windows that end there end, and windows that begin there begin;
2. impulses are added, in the order of the schedule;
3. triggers whose condition has turned true fire: what they stand for falls due, an event
   after its delay;
4. what is due is done one by one, the highest priority first, those of equal priority in a
   random order and those without one last, in the order of the system; after each the
   triggers are looked at again.

So the value at an instant is the one after all that happens there. A window [t0, t1) acts at
t0 and no longer at t1. The rules for events are those of SBML Level 3, section 4.11.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue, NotConverged
from physcm.mechanism.expression import exact
from physcm.mechanism.interventions import Impulse, require_window
from physcm.mechanism.randomness import uniforms
from physcm.sim.instants import Instant
from physcm.sim.plan import AnyView, Plan
from physcm.sim.schedule import unwrapped
from physcm.sim.triggers import Trigger

MOST_AT_ONCE = 10_000


@dataclass
class _Due:
    """A trigger that has fired: when it is to be done, and with which values if computed then."""

    trigger: int
    time: float
    assigned: dict[str, float] | None


def require_in_run(name: str, at: float, begin: float) -> None:
    """Refuse an impulse on a state before the run begins."""
    if not begin <= at < math.inf:
        raise InvalidValue(
            f"the impulse on `{name}` at `{at}` is before the run, which begins at {begin:g}; "
            "choose a later time, or begin earlier"
        )


class Agenda(Generic[AnyView]):
    """The agenda of one sample; it changes as time goes on.

    Attributes:
        view: the mode that acts now.
        instants: what has been done.
        armed: which triggers may fire.
        truth: which conditions held when they were last looked at.
        tossed: how often the order of events has been drawn.
    """

    def __init__(self, plan: Plan[AnyView], column: int) -> None:
        self.plan, self.column = plan, column
        self.instants: list[Instant] = []
        self._due: list[_Due] = []
        self._windows: dict[int, tuple[float, float]] = {}
        self._impulses: dict[int, float] = {}
        self._acting: tuple[int, ...] = ()
        self.tossed = 0
        self.armed = np.ones(len(plan.triggers), dtype=bool)
        self.truth = np.zeros(len(plan.watch.outputs), dtype=bool)
        self._fired = np.full(len(plan.triggers), -np.inf)
        self._pauses = np.full((2, len(plan.triggers)), np.inf)
        self._read_times()

    @property
    def view(self) -> AnyView:
        """The mode that acts now."""
        return self.plan.view(self._acting)

    @property
    def columns(self) -> NDArray[np.int64]:
        """The column of the sample, as an index."""
        return np.array([self.column])

    def _read_times(self) -> None:
        nowhere = np.zeros(len(self.plan.names))

        def time(value: float | sp.Expr) -> float:
            return self._number(value, 0.0, nowhere)

        for place, entry in enumerate(self.plan.schedule):
            if isinstance(entry, Impulse):
                self._impulses[place] = time(entry.at)
                continue
            acts = unwrapped(entry)
            if isinstance(acts, Impulse):
                continue
            begin, end = map(time, acts.during or (-math.inf, math.inf))
            require_window(begin, end, f" in sample {self.plan.samples[self.column]}")
            if acts is entry:
                self._windows[place] = begin, end

    def _parameters(self) -> Floats:
        return self.view.everything[:, self.column]

    def begin(self, t: float, values: Floats) -> Floats:
        """Start at time t: look at the triggers for the first time, and act."""
        self.truth = self.watch(t, values[:, np.newaxis])[:, 0]
        for i, trigger in enumerate(self.plan.triggers):
            if trigger.event is not None:
                self.truth[i] = trigger.event.initially
        for place, at in self._impulses.items():
            require_in_run(self.plan.impulses[place][0], at, t)
        return self.act(t, values)

    def watch(self, t: float | Floats, values: Floats) -> NDArray[np.bool_]:
        """Return which conditions hold, (conditions, times), from full vectors at these times."""
        return self.plan.watch.vector(t, values, self._parameters()[:, np.newaxis]) > 0

    def next_time(self, t: float) -> float:
        """Return the next time after t at which something is due."""
        edges = [edge for window in self._windows.values() for edge in window]
        times = [*edges, *self._impulses.values(), *(due.time for due in self._due)]
        return min((time for time in times if time > t), default=math.inf)

    def notice(self, truth: NDArray[np.bool_]) -> bool:
        """Take note of conditions that have changed; say whether anything is to be done."""
        count = len(self.plan.triggers)
        now, before, arming = truth[:count], self.truth[:count], truth[count : 2 * count]
        either = np.array([trigger.either for trigger in self.plan.triggers], dtype=bool)
        fired = self.armed & np.where(either, now != before, now & ~before)
        if fired.any():
            return True
        self.armed |= arming
        self._due = [due for due in self._due if now[due.trigger] or self._persists(due)]
        self.truth = truth
        return False

    def changed(self, truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say at which times any condition differs from when it was last looked at."""
        return np.asarray((truth != self.truth[:, np.newaxis]).any(axis=0))

    def hurries(self, span: float) -> bool:
        """Say whether a `When` is met ever faster, as a ball bounces that comes to rest.

        Its last three firings lie ever closer together, within a small part of the span of time.
        Events of a model are left to go on beyond such a point, as simulators of SBML do.
        """
        return bool(hurried(self._pauses, span).any())

    def act(self, t: float, values: Floats) -> Floats:
        """Do all that is due at time t; return the full vector afterwards."""
        before, acted = values.copy(), self._turn_windows(t)
        values = self._completed(t, values)
        for place, at in sorted(self._impulses.items()):
            if at <= t:
                del self._impulses[place]
                values, acted = self._kick(place, t, values), True
        self._fire(t, values)
        for _ in range(MOST_AT_ONCE):
            due = self._first_due(t, values)
            if due is None:
                break
            self._due.remove(due)
            values, acted = self._do(due, t, values), True
            self._fire(t, values)
        else:
            raise NotConverged(
                f"events at t = {t:g} trigger each other without end; look at their conditions"
            )
        if acted:
            self.instants.append(Instant(t, before, values))
        return values

    def jump(self, t: float, values: Floats, changes: Mapping[str, float]) -> Floats:
        """Add to states at a random instant; what is held stays."""
        new = {name: self._of(values, name) + change for name, change in changes.items()}
        after = self._assigned(t, values, new)
        self.instants.append(Instant(t, values, after))
        return after

    def _turn_windows(self, t: float) -> bool:
        now = [k for k, (begin, end) in self._windows.items() if begin <= t < end]
        acting = self.plan.in_order(now)
        turned = acting != self._acting
        self._acting = acting
        return turned

    def _completed(self, t: float, values: Floats) -> Floats:
        """Return the full vector with derived and held variables as the mode has them."""
        states = values[self.view.rows][:, np.newaxis]
        return self.view.completed(t, states, self.columns)[:, 0]

    def _number(self, value: float | sp.Expr, t: float, values: Floats) -> float:
        if isinstance(value, sp.Expr):
            return self.plan.value(value, t, values, self._parameters())
        return value

    def _kick(self, place: int, t: float, values: Floats) -> Floats:
        name, amount = self.plan.impulses[place]
        added = self.plan.value(amount, t, values, self._parameters())
        return self._assigned(t, values, {name: self._of(values, name) + added})

    def _of(self, values: Floats, name: str) -> float:
        return float(values[self.plan.names.index(name)])

    def _assigned(self, t: float, values: Floats, new: dict[str, float]) -> Floats:
        """Return the full vector with new values of states; what is held stays."""
        changed, view = values.copy(), self.view
        for name, value in new.items():
            if view.evolves(name):
                if math.isfinite(value):
                    value = float(view.folded(name, exact(value)))
                changed[self.plan.names.index(name)] = value
        return self._completed(t, changed)

    def _fire(self, t: float, values: Floats) -> None:
        """Look at the triggers, and put on the agenda what has fired."""
        truth = self.watch(t, values[:, np.newaxis])[:, 0]
        while self.notice(truth):
            for i, trigger in enumerate(self.plan.triggers):
                turned = truth[i] != self.truth[i] if trigger.either else truth[i] > self.truth[i]
                if turned and self.armed[i]:
                    self.armed[i] = False
                    if t > self._fired[i] and trigger.event is None:
                        self._pauses[:, i] = self._pauses[1, i], t - self._fired[i]
                        self._fired[i] = t
                    self._due.append(self._planned(i, trigger, t, values))
            self.truth = truth

    def _planned(self, i: int, trigger: Trigger, t: float, values: Floats) -> _Due:
        event = trigger.event
        if event is None:
            return _Due(i, t, None)
        delay = self.plan.value(event.delay, t, values, self._parameters())
        assigned = self._new_values(trigger, t, values) if event.at_trigger else None
        return _Due(i, t + max(delay, 0.0), assigned)

    def _new_values(self, trigger: Trigger, t: float, values: Floats) -> dict[str, float]:
        event, p = trigger.event, self._parameters()
        assign = {} if event is None else event.assign
        return {name: self.plan.value(e, t, values, p) for name, e in assign.items()}

    def _persists(self, due: _Due) -> bool:
        event = self.plan.triggers[due.trigger].event
        return event is None or event.persistent

    def _first_due(self, t: float, values: Floats) -> _Due | None:
        ready = [due for due in self._due if due.time <= t]

        def rank(due: _Due) -> tuple[float, float]:
            event = self.plan.triggers[due.trigger].event
            if event is None or event.priority is None:
                return math.inf, due.trigger
            priority = self.plan.value(event.priority, t, values, self._parameters())
            return -priority, self._coin(due.trigger)

        return min(ready, key=rank) if len(ready) > 1 else next(iter(ready), None)

    def _coin(self, trigger: int) -> float:
        """Return the draw that decides between events of the same priority."""
        self.tossed += 1
        sample = self.plan.samples[self.columns]
        return float(uniforms(self.plan.seed, f"order/{trigger}", sample, self.tossed)[0])

    def _do(self, due: _Due, t: float, values: Floats) -> Floats:
        trigger = self.plan.triggers[due.trigger]
        if trigger.event is not None:
            new = due.assigned
            if new is None:
                new = self._new_values(trigger, t, values)
            return self._assigned(t, values, new)
        entry = unwrapped(self.plan.schedule[trigger.place])
        if isinstance(entry, Impulse):
            return self._kick(trigger.place, t, values)
        begin, end = entry.during or (0.0, math.inf)
        self._windows.pop(trigger.place, None)
        self._windows[trigger.place] = (
            t + self._number(begin, t, values),
            t + self._number(end, t, values),
        )
        self._turn_windows(t)
        return self._completed(t, values)


def hurried(pauses: Floats, span: float) -> NDArray[np.bool_]:
    """Say where the pauses (2, ...) between the last three firings grow ever shorter."""
    before, last = pauses
    return np.asarray((last < before) & (before < 1e-3 * span) & (last < 1e-6 * span))
