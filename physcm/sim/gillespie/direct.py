"""The inner loop of the direct method: samples of one mode that fire in step.

Each turn of the loop is one firing of every sample that is still on its way, so that all share
the cost of a turn. What a sample does depends on its own numbers alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.sim.agendas import Agendas
from physcm.sim.gillespie.firing import Firings
from physcm.sim.gillespie.front import Front, Integers, Mask, Record, draws
from physcm.sim.gillespie.waiting import Waiting
from physcm.sim.modes import SystemView
from physcm.sim.status import RunStatus

MOST_FIRINGS = 10_000_000
_AHEAD = 4096
_PORTION = 2**18
_AT_ONCE = np.finfo(float).tiny


@dataclass(frozen=True)
class DirectMethod:
    """The reactions of one mode, firing.

    Attributes:
        firings: the reactions.
        record: of all samples.
        agendas: of the samples.
        saved: which samples and which of the saved times have been in this mode.
    """

    firings: Firings
    record: Record
    agendas: Agendas[SystemView]
    saved: list[tuple[Integers, Integers]] = field(default_factory=list)

    def advance(self, columns: Integers, edges: Floats) -> None:
        """Fire until all times of a sample are saved, or something is to be done to it.

        Args:
            columns: which samples.
            edges: when their agendas have something next, (samples,).

        Raises:
            InvalidValue: for a negative propensity.
        """
        with np.errstate(all="ignore"):
            front = self._started(columns, edges)
            while front.columns.size:
                due = front.due
                self._save(front, np.minimum(due, front.until))
                going = (due < front.until) & (front.until > front.now)
                going &= self.record.ahead(front.reached)
                if not going.all():
                    self._put_back(front.kept(~going))
                    front, due = front.kept(going), due[going]
                if due.size:
                    self._fire(front, due)
        self._complete()

    def _complete(self) -> None:
        """Add the held and derived variables to the states that have been saved."""
        view, record = self.firings.view, self.record
        for columns, places in _portions(self.saved):
            x = record.saved[view.rows[:, np.newaxis], columns, places]
            record.saved[:, columns, places] = view.completed(record.times[places], x, columns)
        self.saved.clear()

    def _started(self, columns: Integers, edges: Floats) -> Front:
        record, view = self.record, self.firings.view
        p = np.ascontiguousarray(view.p[:, columns])
        x = record.values[view.rows[:, np.newaxis], columns]
        x0, unit, count = self.firings.lattice.place(x, p)
        number, now = record.number[columns], record.now[columns]
        none, zero = np.empty((0, columns.size)), np.zeros(columns.size)
        front = Front(
            columns, x0, unit, count, p, now, record.left[columns], record.pick[columns],
            number, record.reached[columns], edges, edges.copy(), none, zero + np.inf, zero,
            none > 0, none, none, number + MOST_FIRINGS,
        )  # fmt: skip
        front.truth = self.firings.watch.vector(now, front.x, p) > 0
        self._look(front, front.x)
        return front

    def _save(self, front: Front, limit: Floats) -> None:
        """Save the states at the times before anything changes."""
        times = self.record.times
        late = np.flatnonzero(times[front.reached] < limit)
        if not late.size:
            return
        front.most[late] = front.number[late] + MOST_FIRINGS
        rows, x = self.firings.view.rows[:, np.newaxis], front.x[:, late]
        while late.size:
            columns, places = front.columns[late], front.reached[late]
            self.record.saved[rows, columns, places] = x
            self.saved.append((columns, places))
            front.reached[late] += 1
            again = times[front.reached[late]] < limit[late]
            late, x = late[again], x[:, again]

    def _put_back(self, front: Front) -> None:
        """Record where samples stand at the time at which something is to be done to them."""
        record, columns = self.record, front.columns
        waiting = np.isfinite(front.until) & (front.until > front.now)
        rest = np.maximum(front.left - front.used, _AT_ONCE)
        front.left = np.where(waiting, rest, front.left)
        front.now = np.where(waiting, front.until, front.now)
        record.now[columns], record.left[columns] = front.now, front.left
        record.pick[columns], record.number[columns] = front.pick, front.number
        record.reached[columns] = front.reached
        record.values[:, columns] = self.firings.view.completed(front.now, front.x, columns)

    def _fire(self, front: Front, due: Floats) -> None:
        """Let one reaction of each sample fire."""
        lattice, x = self.firings.lattice, front.x
        chosen = (front.heights <= front.pick * front.heights[-1]).sum(axis=0)
        front.count = front.count + np.take(lattice.steps, chosen, axis=1)
        for state, reaction, change in lattice.own:
            fires = chosen == reaction
            front.x0[state, fires] += change.vector(due, x, front.p)[0, fires]
        front.now = due
        self._draw(front)
        self._look(front, front.x)

    def _draw(self, front: Front) -> None:
        """Take the draws for the next firing; stop what fires without end."""
        front.number = front.number + 1
        if not len(front.waits):
            record, count = self.record, max(1, _AHEAD // front.columns.size)
            samples = record.modes.samples[front.columns]
            front.waits, front.picks = draws(record.modes.seed, samples, front.number, count)
            self._end(front, front.number >= front.most, RunStatus.STEP_LIMIT)
            if time.monotonic() > record.deadline:
                self._end(front, front.columns >= 0, RunStatus.TIME_LIMIT)
        front.left, front.waits = front.waits[0], front.waits[1:]
        front.pick, front.picks = front.picks[0], front.picks[1:]

    def _look(self, front: Front, x: Floats) -> None:
        """See what may happen next: conditions that have turned, or may, and propensities."""
        firings = self.firings
        if firings.clock.outputs:
            front.until = np.minimum(front.edge, firings.next_turn(front.now, x, front.p))
        if firings.watch.outputs:
            self._watch(front, x)
        if firings.names:
            propensities = self._wait(front, x)
            if not (propensities.min() >= 0 and front.heights[-1].max() < np.inf):
                self._check(front, propensities)

    def _wait(self, front: Front, x: Floats) -> Floats:
        """Find when the next reaction of each sample fires; return the propensities there."""
        if self.firings.timed:
            return self._wait_by_the_clock(front, x)
        propensities = self.firings.propensities.vector(0.0, x, front.p)
        front.heights = np.add.accumulate(propensities)
        total = front.heights[-1]
        front.due, front.used = front.now + front.left / total, total * (front.until - front.now)
        return propensities

    def _wait_by_the_clock(self, front: Front, x: Floats) -> Floats:
        stop = np.minimum(front.until, self.record.times[-2])
        due, front.used, broken = self._waiting.ends(front.now, front.left, stop, x, front.p)
        self._save(front, np.where(broken, due, -np.inf))
        fires = np.isfinite(due)
        at = np.where(fires, due, front.now)
        propensities = self.firings.propensities.vector(at, x, front.p)
        propensities[:, ~fires] = 0.0
        front.due, front.heights = due, np.add.accumulate(propensities)
        return propensities

    @cached_property
    def _waiting(self) -> Waiting:
        times = self.record.times
        span = times[-2] - times[0]
        return Waiting(self.firings.view.system, self.firings.propensities, span)

    def _watch(self, front: Front, x: Floats) -> None:
        """Take note of conditions that have turned; pause where something is to be done."""
        truth = self.firings.watch.vector(front.now, x, front.p) > 0
        turned = np.flatnonzero((truth != front.truth).any(axis=0))
        due = turned[self.agendas.notice(front.columns[turned], truth[:, turned])]
        front.until[due] = front.now[due]
        front.truth = truth

    def _check(self, front: Front, propensities: Floats) -> None:
        """Refuse negative propensities, and end what has others that are no numbers."""
        firing = front.until > front.now
        at = front.due if self.firings.timed else front.now
        samples = self.record.modes.samples[front.columns]
        self.firings.refuse_negative(np.where(firing, propensities, 0.0), at, samples)
        self._end(front, firing & ~np.isfinite(front.heights[-1]), RunStatus.DIVERGED)

    def _end(self, front: Front, which: Mask, status: RunStatus) -> None:
        self.record.status[front.columns[which]] = status
        front.reached[which] = self.record.times.size - 1


def _portions(saved: list[tuple[Integers, Integers]]) -> Iterator[tuple[Integers, Integers]]:
    """Yield what is listed in portions that fit into memory."""
    if saved:
        columns, places = map(np.concatenate, zip(*saved, strict=True))
        for first in range(0, columns.size, _PORTION):
            yield columns[first : first + _PORTION], places[first : first + _PORTION]
