"""Ensembles of stochastic systems, in machine code but for what is done at instants.

Samples walk whole base steps, each as far as nothing happens to it. Those to which something
happens take that step in pieces, and what is to be done is done with all of them at once; then
they walk on. Samples do not wait for each other but where times inside of a step are saved.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NotCompiled, Unsupported
from physcm.sim.fused.stretch import Stretch
from physcm.sim.modes import SystemView
from physcm.sim.status import RunStatus
from physcm.sim.stochastic.ensemble import Ensemble
from physcm.sim.stochastic.grid import MOST_PIECES, SNAP
from physcm.sim.stochastic.motion import SystemMotion
from physcm.sim.stochastic.pieces import note_losses, take_in_pieces
from physcm.sim.together import Together

Columns = NDArray[np.int64]
_MOST_STEPS, _PORTION = 100_000, 16_384


class Walkers:
    """The samples of a run on their way."""

    def __init__(
        self, ensemble: Ensemble[SystemView], motion: SystemMotion, threads: int, deadline: float
    ) -> None:
        """Take samples at the first time, and the time at which to break off."""
        self.e, self.motion = ensemble, motion
        self.threads, self.deadline = threads, deadline
        self.position = np.zeros(ensemble.lost.size)
        self._stretches: dict[int, Stretch | None] = {}

    @cached_property
    def can_go(self) -> bool:
        """Whether there is machine code for the modes in which the samples begin."""
        groups = self.e.agendas.by_mode(np.arange(self.e.lost.size))
        return all(self._stretch(view) for view, _ in groups)

    def go(self) -> None:
        """Go to the last time, if there is time for it."""
        e, k = self.e, 0
        crossed = np.floor(e.grid.inside).astype(np.int64)
        while k < e.grid.steps and self._seconds() > 0:
            last = min([e.grid.steps, k + _MOST_STEPS, *crossed[crossed > k][:1]])
            if (crossed == k).any():
                for view, columns in e.agendas.by_mode(e.going):
                    e.save_inside(k, view, columns, e.full[:, columns], 0.0, 1.0)
            self._go_to(k, last)
            k = last

    def _go_to(self, first: int, last: int) -> None:
        """Take all samples from one step to another."""
        e, slots = self.e, self.e.grid.slots(first, last)
        while self._seconds() > 0:
            moving = np.flatnonzero((e.at < last) & ~e.lost)
            if not moving.size:
                return
            for view, columns in list(e.agendas.by_mode(moving)):
                stretch = self._stretch(view)
                if stretch is not None:
                    for low in range(0, columns.size, _PORTION):
                        self._walk(stretch, columns[low : low + _PORTION], first, last, slots)
            stopped = moving[(e.at[moving] < last) & ~e.lost[moving]]
            self._take_in_pieces(stopped)
            slot = slots[0][e.at[stopped] - 1 - first]
            here = (slot >= 0) & ~e.lost[stopped]
            e.saved[:, stopped[here], slot[here]] = e.full[:, stopped[here]]

    def _walk(
        self, stretch: Stretch, columns: Columns, first: int, last: int, slots: Columns
    ) -> None:
        """Let samples of one mode walk as far as nothing happens to them."""
        from physcm.sim.fused.walk import LOST

        e, view = self.e, stretch.view
        begun = e.at[columns]
        due = np.ceil((e.due[columns] - e.grid.begin) / e.grid.step - SNAP) - 1
        until = np.clip(due, begun, last).astype(np.int64)
        x, left, at, status = stretch.walk(columns, until, first, slots, self._seconds())
        e.at[columns], e.clocks.left[:, columns] = at, left
        self._complete(view, columns, begun, at)
        e.full[:, columns] = view.completed(e.grid.times_of(at), x, columns)
        gone = status == LOST
        e.losses.note(view, columns[gone], e.grid.times_of(at[gone]), x[:, gone])
        e.lose(columns[gone])

    def _complete(self, view: SystemView, columns: Columns, begun: Columns, at: Columns) -> None:
        """Add held and derived variables to the states that were saved on the way."""
        if len(view.order) == len(view.rows):
            return
        e, slots = self.e, np.flatnonzero(self.e.grid.edge >= 0)
        low, high = (np.searchsorted(e.grid.edge[slots], k, "right") for k in (begun, at))
        which = np.repeat(np.arange(columns.size), high - low)
        place = np.arange(which.size) - np.repeat(np.cumsum(high - low) - high, high - low)
        for first in range(0, which.size, _PORTION):
            own = columns[which[first : first + _PORTION]]
            slot = slots[place[first : first + _PORTION]]
            x = e.saved[view.rows[:, np.newaxis], own, slot]
            e.saved[:, own, slot] = view.completed(e.grid.times[slot], x, own)

    def _take_in_pieces(self, columns: Columns) -> None:
        """Take one base step with samples to which something happens on the way."""
        e, left = self.e, columns
        before, self.position[columns] = e.full.copy(), 0.0
        for _ in range(MOST_PIECES):
            if not left.size or self._seconds() <= 0:
                break
            for view, own in list(e.agendas.by_mode(left)):
                stretch = self._stretch(view)
                if stretch is not None and isinstance(e.agendas, Together):
                    self._go_on(stretch, e.agendas, own, before)
                else:
                    self._in_numpy(own, before)
            left = left[(self.position[left] < 1.0) & ~e.lost[left]]
        else:
            e.losses.status[left] = RunStatus.STEP_LIMIT
            e.lose(left)
        e.at[columns] += 1

    def _in_numpy(self, columns: Columns, before: Floats) -> None:
        e = self.e
        for column in columns.tolist():
            one, k = np.array([column]), int(e.at[column])
            groups = list(e.agendas.by_mode(one))
            take_in_pieces(e, k, column, self.position[column])
            note_losses(e, k, groups, before)
        self.position[columns] = 1.0

    def _go_on(
        self, stretch: Stretch, agendas: Together[SystemView], columns: Columns, before: Floats
    ) -> None:
        """Go on inside a base step to where something is to be done, and do it."""
        from physcm.sim.fused.inside import DUE, ENDLESS, LOST, RINGS

        e, view = self.e, stretch.view
        x, status = e.full[np.ix_(view.rows, columns)], np.zeros(columns.size, dtype=np.int64)
        armed, truth = agendas.armed[:, columns].astype(float), agendas.seen(columns).astype(float)
        left, position, begun = (
            e.clocks.left[:, columns],
            self.position[columns],
            self.position[columns],
        )
        stretch.go_on(columns, x, position, status, armed, truth, left, self._seconds())
        agendas.armed[:, columns], agendas.truth[:, columns] = armed > 0, truth > 0
        e.clocks.left[:, columns], self.position[columns] = left, position
        now = e.grid.times_of(e.at[columns]) + position * e.grid.step
        e.full[:, columns] = view.completed(now, x, columns)
        self._complete_inside(view, columns, begun)
        gone = columns[status == LOST]
        e.losses.note(view, gone, e.grid.times_of(e.at[gone]), before[np.ix_(view.rows, gone)])
        e.losses.status[columns[status == ENDLESS]] = RunStatus.STEP_LIMIT
        e.lose(columns[(status == LOST) | (status == ENDLESS)])
        for which in np.unique(status[status >= RINGS]).tolist():
            ring = status == which
            e.jump(which - RINGS, columns[ring], now[ring])
        acts = (status == DUE) | (status >= RINGS)
        e.act(columns[acts], now[acts])

    def _complete_inside(self, view: SystemView, columns: Columns, begun: Floats) -> None:
        """Add held and derived variables to the states that were saved inside of a step."""
        e, grid = self.e, self.e.grid
        if len(view.order) == len(view.rows) or not grid.inside.size:
            return
        low = np.searchsorted(grid.inside, e.at[columns] + begun, "right")
        high = np.searchsorted(grid.inside, e.at[columns] + self.position[columns], "left")
        for place in range(int(low.min()), int(high.max())):
            own, slot = columns[(low <= place) & (place < high)], grid.inside_slots[place]
            x = e.saved[view.rows[:, np.newaxis], own, slot]
            e.saved[:, own, slot] = view.completed(float(grid.times[slot]), x, own)

    def _seconds(self) -> float:
        return self.deadline - time.monotonic()

    def _stretch(self, view: SystemView) -> Stretch | None:
        """Return the machine code of a mode, None where there is none."""
        if id(view) not in self._stretches:
            self._stretches[id(view)] = None
            with contextlib.suppress(Unsupported):
                self._stretches[id(view)] = self._compiled(view)
        return self._stretches[id(view)]

    def _compiled(self, view: SystemView) -> Stretch | None:
        try:
            return Stretch(self.e, self.motion, view, self.threads)
        except NotCompiled as error:
            warnings.warn(f"{error}; NumPy takes the steps instead", stacklevel=2)
            return None
