"""Runs of stochastic systems on a base grid, with whatever happens inside its steps.

All samples take the same base steps from the first time on. A sample to which something happens
inside a step (a window edge, an impulse, a located trigger, a random jump) takes that step in
pieces that end exactly there. A saved time inside a step is reached by a step to the side, of
which the run itself takes no notice.

A trigger is located on the straight line between the ends of a piece; then the path is asked
where it is at that time, and the search goes on in the part before or after. An intensity of
jumps counts as constant within a piece.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.agenda import Agenda
from physcm.sim.instants import Instants
from physcm.sim.located import first_change
from physcm.sim.plan import Plan, SystemPlan
from physcm.sim.status import RunStatus
from physcm.sim.stochastic.clocks import Clocks
from physcm.sim.stochastic.losses import Losses
from physcm.sim.stochastic.motion import ItsView, Leap, Motion, SystemMotion
from physcm.sim.timetable import Timetable

Columns = NDArray[np.int64]
_SNAP = 1e-9
_MOST_PIECES = 10_000
_REFINEMENTS = 30
_MOST_AT_ONCE = 100_000


@dataclass(frozen=True)
class StochasticRun:
    """All samples of a run.

    Attributes:
        values: the full vectors at the saved times, (variables, samples, times).
        ended: how each sample ended.
        instants: what was done to samples at once; None if nothing could be.
        why: why samples ended early, of the first few.
    """

    values: Floats
    ended: tuple[RunStatus, ...]
    instants: Instants | None
    why: Mapping[int, str]


def run(
    plan: SystemPlan,
    times: Floats,
    step: float,
    scheme: str,
    *,
    noise: Floats | None = None,
    seconds: float = math.inf,
    fast: bool = True,
    threads: int | None = None,
) -> StochasticRun:
    """Return all samples of a system with noise or random jumps.

    Args:
        plan: of the system.
        times: to save, increasing.
        step: the base step.
        scheme: one of `SCHEMES`.
        noise: the increments of the sources, in the order of their names, if they are known:
            (sources, samples, steps).
        seconds: how long the run may take.
        fast: whether steps between which nothing happens are taken by machine code.
        threads: how many do that at once, as many as there are cores unless told.
    """
    motion = SystemMotion(plan, step, scheme, noise, fast, threads)
    return follow(plan, times, step, motion, seconds)


def follow(
    plan: Plan[ItsView],
    times: Floats,
    step: float,
    motion: Motion[ItsView],
    seconds: float = math.inf,
) -> StochasticRun:
    """Return all samples of whatever moves at random.

    Args:
        plan: of the system or network.
        times: to save, increasing.
        step: the base step.
        motion: how it moves in a step.
        seconds: how long the run may take.
    """
    deadline = time.monotonic() + seconds
    runner, k = _Runner(plan, times, step, motion), 0
    while k < runner.steps:
        if time.monotonic() > deadline:
            return runner.result(RunStatus.TIME_LIMIT)
        k = runner.advance(k, deadline)
    late = time.monotonic() > deadline
    return runner.result(RunStatus.TIME_LIMIT if late else RunStatus.STOPPED)


class _Runner(Generic[ItsView]):
    def __init__(
        self, plan: Plan[ItsView], times: Floats, step: float, motion: Motion[ItsView]
    ) -> None:
        self.plan, self.times, self.step, self.motion = plan, times, step, motion
        n = plan.samples.size
        self.clocks = Clocks(plan, motion.jumps)
        self.full = plan.start(float(times[0]))
        self.rows = plan.view().rows
        self.lost, self.losses = np.zeros(n, dtype=bool), Losses(self.full[self.rows], motion.why)
        self.saved = np.full((*self.full.shape, times.size), np.nan)
        self.everyone = np.arange(n)
        place = (times - times[0]) / step
        self.edge = np.where(np.abs(place - np.rint(place)) < 1e-6, np.rint(place), -1)
        self.fraction = place
        self.steps = math.ceil(place[-1] - 1e-6)
        self._begin()

    def _begin(self) -> None:
        """Start with what can be done to the samples: for all together, or one by one."""
        self.agendas: list[Agenda[ItsView]] = []
        self.timetable: Timetable[ItsView] | None = None
        self.due, t = np.full(self.everyone.size, np.inf), float(self.times[0])
        if self.plan.triggers or self.motion.jumps:
            self.agendas = [Agenda(self.plan, int(k)) for k in self.everyone]
            for k, agenda in enumerate(self.agendas):
                self.full[:, k] = agenda.begin(t, self.full[:, k])
                self.due[k] = agenda.next_time(t)
        elif self.plan.schedule:
            self.timetable = Timetable(self.plan)
            self.full = self.timetable.begin(t, self.full)
            self.due = self.timetable.next_time(np.full_like(self.due, t), self.everyone)
        self.saved[:, :, 0] = self.full

    def result(self, why: RunStatus) -> StochasticRun:
        """Return what has been saved, and why it is not complete where it is not."""
        good = np.ones(self.everyone.size, dtype=bool)
        for row in self.rows:
            good &= np.isfinite(self.saved[row]).all(axis=-1)
        known = np.where(self.losses.status, self.losses.status, why)
        ended = tuple(map(RunStatus, np.where(good, RunStatus.COMPLETE, known).tolist()))
        instants = None
        if self.agendas:
            instants = Instants.of([agenda.instants for agenda in self.agendas])
        if self.timetable:
            instants = Instants.of(self.timetable.instants())
        why_lost = {k: text for k, text in self.losses.why.items() if not good[k]}
        return StochasticRun(self.saved, ended, instants, why_lost)

    def advance(self, k: int, deadline: float) -> int:
        """Take base steps from k on, many at once where that is possible; return the next."""
        last = self._quiet_until(k)
        groups = self._groups()
        if last <= k or any(self.motion.leap(view) is None for view, _ in groups):
            self.base_step(k)
            return k + 1
        for view, columns in groups:
            self._save_inside(k, view, columns, self.full[:, columns], 0.0, 1.0)
            if not self._stretched(k, last, view, columns, deadline):
                return int(self.steps)
        self.full = self._while_finite(self.full, slice(None))
        return last

    def _quiet_until(self, k: int) -> int:
        """Return up to which step nothing happens to any sample, nor is anything saved inside.

        What is saved inside of step k itself does not matter.
        """
        if not self.motion.leaps:
            return k
        due = (self.due.min() - self.times[0]) / self.step
        end = self.steps if due == math.inf else math.ceil(due - _SNAP) - 1
        inside = self.fraction[(self.edge < 0) & (self.fraction > k + 1)]
        return int(min(self.steps, end, k + _MOST_AT_ONCE, *inside[:1]))

    def _stretched(
        self, k: int, last: int, view: ItsView, columns: Columns, deadline: float
    ) -> bool:
        """Take the steps k, ..., last - 1 with samples of one mode, if there is time for it."""
        leap = self.motion.leap(view)
        saved = np.flatnonzero((self.edge > k) & (self.edge <= last))
        slots = np.full(last - k, -1)
        x = self.full[np.ix_(view.rows, columns)]
        whole = columns.size == self.everyone.size and (view.rows == np.arange(len(x))).all()
        out = self.saved[: len(x)] if whole else np.empty((len(x), columns.size, saved.size))
        slots[self.edge[saved].astype(int) - k - 1] = saved if whole else np.arange(saved.size)
        assert leap is not None  # noqa: S101 - by the caller
        seconds = deadline - time.monotonic()
        in_time = leap(columns, x, float(self.times[0]), k, last, slots, out, seconds)
        if not whole or len(self.full) > len(x):
            for place, at in enumerate(saved):
                states = out[:, :, at if whole else place]
                full = view.completed(float(self.times[at]), states, columns)
                self.saved[:, columns, at] = full
        gone = ~np.isfinite(x).all(axis=0) & ~self.lost[columns]
        if in_time and gone.any():
            start = self.full[np.ix_(view.rows, columns[gone])]
            self._locate(leap, view, columns[gone], start, k, last)
        self.full[:, columns] = view.completed(self._time(last), x, columns)
        return in_time

    def _locate(
        self, leap: Leap, view: ItsView, columns: Columns, x: Floats, k: int, last: int
    ) -> None:
        """Find the step in which each of some samples is lost, by halves."""
        if not columns.size:
            return
        if last - k == 1:
            return self.losses.note(view, columns, self._time(k), x)
        middle, at = (k + last) // 2, x.copy()
        slots, out = np.full(middle - k, -1), np.empty((len(x), columns.size, 0))
        leap(columns, at, float(self.times[0]), k, middle, slots, out, math.inf)
        gone = ~np.isfinite(at).all(axis=0)
        self._locate(leap, view, columns[gone], x[:, gone], k, middle)
        self._locate(leap, view, columns[~gone], at[:, ~gone], middle, last)

    def base_step(self, k: int) -> None:
        """Take one base step with all samples."""
        begin, end = self._time(k), self._time(k + 1)
        before, after, lost = self.full, self.full.copy(), self.lost.copy()
        groups = self._groups()
        for view, columns in groups:
            after[:, columns] = self._advanced(k, view, columns, before[:, columns], 0.0, 1.0)
            self._save_inside(k, view, columns, before[:, columns], 0.0, 1.0)
        busy = (self.due < end - _SNAP * self.step) | self._disturbed(begin, end, before, after)
        turning = ~busy & (self.due <= end + _SNAP * self.step)
        if self.timetable:
            due = np.flatnonzero(busy | turning)
            after[:, due] = self._in_pieces_together(k, due, before[:, due], 0.0)
        else:
            for column in np.flatnonzero(busy):
                after[:, column] = self._in_pieces(k, int(column), before[:, column])
            for column in np.flatnonzero(turning):
                after[:, column] = self._acted(int(column), end, after[:, column])
        self.full = self._while_finite(after, slice(None))
        self.saved[:, :, self.edge == k + 1] = self.full[:, :, np.newaxis]
        for view, columns in groups if (lost != self.lost).any() else ():
            new = columns[(lost != self.lost)[columns]]
            self.losses.note(view, new, begin, before[np.ix_(view.rows, new)])

    def _while_finite(self, full: Floats, columns: Columns | slice) -> Floats:
        """Return the full vectors, NaN for good where a state has ever not been finite."""
        self.lost[columns] |= ~np.isfinite(full[self.rows]).all(axis=0)
        return np.where(self.lost[columns], np.nan, full)

    def _time(self, k: int) -> float:
        return float(self.times[0] + k * self.step)

    def _groups(self) -> list[tuple[ItsView, Columns]]:
        """Return the samples by the mode that acts on them."""
        if self.timetable:
            return list(self.timetable.views(self.everyone))
        if not self.agendas:
            return [(self.plan.view(), self.everyone)]
        members: dict[int, tuple[ItsView, list[int]]] = {}
        for column, agenda in enumerate(self.agendas):
            members.setdefault(id(agenda.view), (agenda.view, []))[1].append(column)
        return [(view, np.array(columns)) for view, columns in members.values()]

    def _advanced(
        self, k: int, view: ItsView, columns: Columns, full: Floats, begin: float, end: float
    ) -> Floats:
        """Return the full vectors at one fraction of a base step from those at another."""
        x = self.motion.step(view, columns, self._time(k), full[view.rows], k, begin, end)
        t, h = self._time(k) + begin * self.step, (end - begin) * self.step
        return view.completed(t + h, x, columns)

    def _save_inside(
        self, k: int, view: ItsView, columns: Columns, full: Floats, begin: float, end: float
    ) -> None:
        """Save the times strictly between two fractions of a base step, by steps to the side."""
        off = (self.edge < 0) & (self.fraction > k + begin) & (self.fraction < k + end)
        for place in np.flatnonzero(off):
            at = float(self.fraction[place]) - k
            self.saved[:, columns, place] = self._advanced(k, view, columns, full, begin, at)

    def _disturbed(self, begin: float, end: float, before: Floats, after: Floats) -> Columns:
        """Mark the samples that a trigger or a random jump interrupts in a step."""
        marks = np.zeros(self.everyone.size, dtype=bool)
        if not self.agendas:
            return marks
        for view, columns in self._groups():
            p = view.everything[:, columns]
            if self.plan.triggers:
                truth = self.plan.watch.vector(end, after[:, columns], p) > 0
                for column, own in zip(columns, truth.T, strict=True):
                    marks[column] = self.agendas[column].changed(own[:, np.newaxis])[0]
            if self.motion.jumps:
                rates = self.clocks.rates(begin, before[:, columns], p)
                rings = (self.clocks.left[:, columns] <= rates * self.step).any(axis=0)
                marks[columns] |= rings
                quiet = ~marks[columns] & (self.due[columns] >= end - _SNAP * self.step)
                self.clocks.run(rates[:, quiet], self.step, columns[quiet])
        return marks

    def _in_pieces_together(
        self, k: int, columns: Columns, full: Floats, position: float
    ) -> Floats:
        """Take the rest of a base step with samples whose windows or impulses fall in it."""
        assert self.timetable is not None  # noqa: S101 - by the caller
        after = full.copy()
        for due in np.unique(self.due[columns]):
            at = np.flatnonzero(self.due[columns] == due)
            end = min(max((due - self._time(k)) / self.step, position), 1.0)
            end = 1.0 if end > 1.0 - _SNAP else end
            new = self._moved(k, columns[at], full[:, at], position, end)
            new = self._while_finite(new, columns[at])
            t = self._time(k + 1) if end == 1.0 else self._time(k) + end * self.step
            if due <= t + _SNAP * self.step:
                now = np.full(at.size, max(t, due))
                new = self.timetable.act(now, columns[at], new)
                self.due[columns[at]] = self.timetable.next_time(now, columns[at])
            if end < 1.0:
                new = self._in_pieces_together(k, columns[at], new, end)
            after[:, at] = new
        return after

    def _moved(self, k: int, columns: Columns, full: Floats, begin: float, end: float) -> Floats:
        """Return samples on a timetable at one fraction of a base step from those at another."""
        if end <= begin:
            return full
        after = full.copy()
        assert self.timetable is not None  # noqa: S101 - by the caller
        for view, at in self.timetable.views(columns):
            after[:, at] = self._advanced(k, view, columns[at], full[:, at], begin, end)
            self._save_inside(k, view, columns[at], full[:, at], begin, end)
        return after

    def _in_pieces(self, k: int, column: int, full: Floats) -> Floats:
        """Take a base step with one sample to which something happens on the way."""
        agenda, position = self.agendas[column], 0.0
        for _ in range(_MOST_PIECES):
            rates = self._rates(k, column, position, full)
            end, ring = self._piece_end(k, column, position, rates)
            reached, new = self._piece(k, column, full, position, end)
            self.clocks.run(rates, (reached - position) * self.step, np.array([column]))
            position, full, t = reached, new, self._time(k) + reached * self.step
            if not np.isfinite(full[self.rows]).all():
                break
            if ring >= 0 and reached == end:
                p = agenda.view.everything[:, column]
                full = agenda.jump(t, full, self.clocks.changes(ring, column, t, full, p))
            full = self._acted(column, t, full)
            if position >= 1.0:
                return full
        else:
            self.losses.status[column] = RunStatus.STEP_LIMIT
        return np.full_like(full, np.nan)

    def _rates(self, k: int, column: int, position: float, full: Floats) -> Floats:
        """Return the intensities of all jumps of one sample, (jumps, 1)."""
        p = self.agendas[column].view.everything[:, [column]]
        return self.clocks.rates(self._time(k) + position * self.step, full[:, np.newaxis], p)

    def _piece_end(self, k: int, column: int, position: float, rates: Floats) -> tuple[float, int]:
        """Return the fraction at which the next piece ends, and which jump ends it, if any."""
        end, ring = (self.due[column] - self._time(k)) / self.step, -1
        end = 1.0 if end > 1.0 - _SNAP else max(end, position)
        if self.motion.jumps:
            wait, which = self.clocks.first(rates[:, 0], column)
            if position + wait / self.step < end:
                end, ring = position + max(wait, 0.0) / self.step, which
        return end, ring

    def _piece(
        self, k: int, column: int, full: Floats, begin: float, end: float
    ) -> tuple[float, Floats]:
        """Go from one fraction of a base step to another, or to where a trigger fires before."""
        agenda, one = self.agendas[column], np.array([column])
        view, start = agenda.view, full[:, np.newaxis]
        new = self._advanced(k, view, one, start, begin, end) if end > begin else start
        for _ in range(_REFINEMENTS):
            call = self._called(k, agenda, full, new[:, 0], begin, end)
            if call is None or call >= end:
                break
            end, new = call, self._advanced(k, view, one, start, begin, call)
        self._save_inside(k, view, one, start, begin, end)
        return end, new[:, 0]

    def _called(
        self, k: int, agenda: Agenda[ItsView], old: Floats, new: Floats, begin: float, end: float
    ) -> float | None:
        """Return the fraction at which a trigger first calls, on the line between two states."""
        if not self.plan.triggers or end <= begin:
            return None

        def truth(at: Floats) -> NDArray[np.bool_]:
            share = (at - begin) / (end - begin)
            between = old[:, np.newaxis] * (1 - share) + new[:, np.newaxis] * share
            return agenda.watch(self._time(k) + at * self.step, between)

        return first_change(agenda, truth, begin, end, guard=_SNAP, resolution=_SNAP)

    def _acted(self, column: int, t: float, full: Floats) -> Floats:
        agenda = self.agendas[column]
        t = max(t, self.due[column]) if self.due[column] <= t + _SNAP * self.step else t
        full = agenda.act(t, full)
        self.due[column] = agenda.next_time(t)
        return full
