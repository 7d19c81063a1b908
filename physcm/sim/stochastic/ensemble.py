"""All samples of a stochastic run on their way: where they are, and what is done to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.pool import missing
from physcm.sim.agendas import agendas
from physcm.sim.instants import Instants
from physcm.sim.plan import Plan
from physcm.sim.status import RunStatus
from physcm.sim.stochastic.clocks import Clocks
from physcm.sim.stochastic.grid import SNAP, Grid
from physcm.sim.stochastic.losses import Losses
from physcm.sim.stochastic.motion import ItsView, Motion

Columns = NDArray[np.int64]


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


class Ensemble(Generic[ItsView]):
    """The samples of a run.

    Attributes:
        full: the full vectors, (variables, samples), NaN for good once a state has no value.
        at: the step that each sample takes next.
        due: when the agenda of each sample has something next.
        lost: which samples are lost.
        saved: the full vectors at the saved times, (variables, samples, times).
    """

    def __init__(self, plan: Plan[ItsView], grid: Grid, motion: Motion[ItsView]) -> None:
        """Begin at the first time, and do what is to be done there."""
        count = plan.samples.size
        self.plan, self.grid, self.motion = plan, grid, motion
        self.agendas, self.clocks = agendas(plan), Clocks(plan, motion.jumps)
        self.rows = plan.view().rows
        self.full = plan.start(grid.begin)
        self.at, self.due = np.zeros(count, dtype=np.int64), np.full(count, np.inf)
        self.lost, self.losses = (
            np.zeros(count, dtype=bool),
            Losses(self.full[self.rows], motion.why),
        )
        self.saved = missing((*self.full.shape, grid.times.size))
        everyone, now = np.arange(count), np.full(count, grid.begin)
        self.agendas.begin(everyone, now, self.full)
        self.due = self.agendas.next_times(everyone, now)
        self.saved[:, :, 0] = self.full

    @property
    def going(self) -> Columns:
        """The samples that are not lost."""
        return np.flatnonzero(~self.lost)

    def advanced(
        self, k: int, view: ItsView, columns: Columns, full: Floats, begin: float, end: float
    ) -> Floats:
        """Return the full vectors at one fraction of a base step from those at another."""
        t, step = self.grid.time(k), self.grid.step
        x = self.motion.step(view, columns, t, full[view.rows], k, begin, end)
        return view.completed(t + begin * step + (end - begin) * step, x, columns)

    def save_inside(
        self, k: int, view: ItsView, columns: Columns, full: Floats, begin: float, end: float
    ) -> None:
        """Save the times strictly between two fractions of a base step, by steps to the side."""
        grid = self.grid
        first = np.searchsorted(grid.inside, k + begin, "right")
        last = np.searchsorted(grid.inside, k + end, "left")
        for place in range(int(first), int(last)):
            at, slot = float(grid.inside[place]) - k, grid.inside_slots[place]
            self.saved[:, columns, slot] = self.advanced(k, view, columns, full, begin, at)

    def act(self, columns: Columns, now: Floats) -> None:
        """Do what is due to some samples, each at its own time or a moment later."""
        soon = self.due[columns] <= now + SNAP * self.grid.step
        now = np.where(soon, np.maximum(now, self.due[columns]), now)
        self.agendas.act(columns, now, self.full)
        self.due[columns] = self.agendas.next_times(columns, now)
        bad = ~np.isfinite(self.full[np.ix_(self.rows, columns)])
        for i in np.flatnonzero(bad.any(axis=0)).tolist():
            name = self.plan.names[int(self.rows[bad[:, i].argmax()])]
            self.losses.struck(int(columns[i]), float(now[i]), name)
        self.lose(columns[bad.any(axis=0)])

    def jump(self, which: int, columns: Columns, now: Floats) -> None:
        """Let a random jump of some samples happen, each at its own time."""
        for view, at in list(self.agendas.by_mode(columns)):
            t = now[np.searchsorted(columns, at)]
            changes = self.clocks.ring(which, at, t, self.full[:, at], view.everything[:, at])
            self.agendas.jump(at, t, self.full, changes)

    def lose(self, columns: Columns) -> None:
        """Let samples have no values any more."""
        self.lost[columns] = True
        self.full[:, columns] = np.nan

    def save_edges(self, columns: Columns, k: int) -> None:
        """Save samples that are where step k begins."""
        for slot in np.flatnonzero(self.grid.edge == k):
            self.saved[:, columns, slot] = self.full[:, columns]

    def result(self, why: RunStatus) -> StochasticRun:
        """Return what has been saved, and why it is not complete where it is not."""
        good = np.ones(self.lost.size, dtype=bool)
        for row in self.rows:
            good &= np.isfinite(self.saved[row]).all(axis=-1)
        known = np.where(self.losses.status, self.losses.status, why)
        ended = tuple(map(RunStatus, np.where(good, RunStatus.COMPLETE, known).tolist()))
        abrupt = self.plan.triggers or self.plan.schedule or self.motion.jumps
        instants = self.agendas.instants() if abrupt else None
        told = {k: text for k, text in self.losses.why.items() if not good[k]}
        return StochasticRun(self.saved, ended, instants, told)
