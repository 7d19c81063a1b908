"""Ensembles of hybrid systems: smooth pieces in blocks of samples, between instants.

In each turn every sample goes on, in the mode that acts on it, to the next time on its own
agenda, or to where a watched condition changes: that is noticed and located by the machine
code, to neighboring floating point numbers. What is then to be done is done by the agendas of
all samples that have come to something, together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import Unsupported
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.module import module
from physcm.mechanism.lanes.pool import missing
from physcm.sim.agendas import agendas
from physcm.sim.engine import ROUGH, roughly, scaled
from physcm.sim.fused import progress
from physcm.sim.fused.ensemble import Batch, Watch, endings, next_switches
from physcm.sim.fused.numba_engine import Numba
from physcm.sim.hybrid import (
    GUARD,
    LOOKS_AT_CLOCK,
    MOST_INSTANTS,
    ROUGH_INSTANTS,
)
from physcm.sim.modes import Modes, SystemView
from physcm.sim.plan import SystemPlan
from physcm.sim.status import RunStatus
from physcm.sim.trajectories import while_finite
from physcm.sim.triggers import watched
from physcm.sim.trouble import limit, trouble

Columns = NDArray[np.int64]
_AT_ONCE = 2**19


def follow(
    plan: SystemPlan, times: Floats, rtol: float, atol: Floats | None, engine: Numba,
    seconds: float, done: Callable[[int], None],
) -> tuple[Floats, HybridEnsemble]:  # fmt: skip
    """Run all samples of a system with a schedule or events.

    Args:
        plan: of the system.
        times: to save, increasing.
        rtol: relative tolerance.
        atol: absolute tolerance of each variable; if `None`, as `hybrid.tolerances` has it.
        engine: the method and the number of threads.
        seconds: how long all of it may take.
        done: called with the number of samples each time that some have arrived.

    Returns:
        The absolute tolerances, and the samples at the last time.

    Raises:
        Unsupported: for a function that lanes do not have, and a mode without states.
    """
    if atol is None:
        modes = plan.modes
        first = SystemPlan(Modes(modes.system, modes.samples[:1], modes.seed))
        start = first.modes.start(times[0])
        scale, least = np.abs(start[:, 0]), first.modes.view().rounding(times[0], start[:, 0])
        grid = np.union1d(times, np.linspace(times[0], times[-1], 50))
        rough = HybridEnsemble(
            first, grid, start, ROUGH, roughly(scale, least), engine, ROUGH_INSTANTS
        )
        rough.run(seconds)
        known = while_finite(rough.saved[:, 0], len(modes.system.states))
        atol = scaled(known, scale, rtol, least)
    ensemble = HybridEnsemble(plan, times, plan.modes.start(times[0]), rtol, atol, engine)
    ensemble.run(seconds, done)
    return atol, ensemble


class HybridEnsemble:
    """All samples of a run of a system with a schedule or events."""

    def __init__(
        self, plan: SystemPlan, times: Floats, start: Floats, rtol: float, atol: Floats,
        engine: Numba, most_instants: int = MOST_INSTANTS,
    ) -> None:  # fmt: skip
        """Take the full vectors at the first time, before anything is done.

        Args:
            plan: of the system.
            times: to save, increasing.
            start: the full vectors, (variables, samples), handed over.
            rtol: relative tolerance.
            atol: absolute tolerance of each variable.
            engine: the method and the number of threads.
            most_instants: after so many the run of a sample is broken off.
        """
        self.most_instants = most_instants
        count, self.plan, self.times = start.shape[1], plan, times
        self.rtol, self.atol, self.engine = rtol, atol, engine
        self.everyone, begin = np.arange(count), float(times[0])
        self.span, self.last = float(times[-1]) - begin, float(times[-1])
        self.time, self.blind = np.full(count, begin), np.full(count, begin + GUARD * self.span)
        self.over: dict[int, tuple[RunStatus, str]] = {}
        self.stiff = np.zeros(count, dtype=bool)
        self.codes: dict[int, Code] = {}
        self.full = start
        self.largest = np.abs(start[plan.modes.view().rows]).max(axis=0, initial=0.0)
        self.agendas = agendas(plan)
        self.agendas.begin(self.everyone, self.time, self.full)
        self.saved = missing((*start.shape, times.size))
        self.saved[:, :, 0] = self.full

    def run(self, seconds: float, done: Callable[[int], None] = lambda _: None) -> None:
        """Go on to the last time.

        Raises:
            Unsupported: for a function that lanes do not have, and a mode without states.
        """
        deadline = time.monotonic() + seconds
        moving = self.everyone
        while moving.size and time.monotonic() < deadline:
            for view, columns in list(self.agendas.by_mode(moving)):
                size = view.rows.size * columns.size * self.times.size
                parts = min(max(1, -(-size // _AT_ONCE)), columns.size)
                for part in np.array_split(columns, parts):
                    self._piece(view, part, deadline - time.monotonic())
            still = self._moving()
            done(moving.size - still.size)
            moving = still
        for k in moving:
            late = RunStatus.TIME_LIMIT
            self.over[int(k)] = late, limit(late, self.time[k])

    def ended(self) -> list[RunStatus]:
        """Say how each sample ended."""
        nothing = RunStatus.COMPLETE, ""
        return [self.over.get(k, nothing)[0] for k in self.everyone.tolist()]

    def _moving(self) -> Columns:
        on = self.time < self.last
        on[list(self.over)] = False
        return np.flatnonzero(on)

    def _piece(self, view: SystemView, columns: Columns, seconds: float) -> None:
        """Take samples of one mode to what comes next for each of them, and do it."""
        if not view.rows.size:
            raise Unsupported("a mode without states has nothing for the numba engine to integrate")
        begin, p = self.time[columns], view.p[:, columns]
        due = np.minimum(self.agendas.next_times(columns, begin), self.last)
        stop = np.minimum(due, next_switches(view.system, begin, p))
        inside = np.flatnonzero((self.times > begin.min()) & (self.times <= stop.max()))
        out = np.full((view.rows.size, columns.size, inside.size), np.nan)
        batch = Batch(
            view.system, self.engine, self.rtol, self.atol[view.rows], begin,
            self.full[np.ix_(view.rows, columns)], p, self.times[inside], out, span=self.span,
            stiff=self.stiff[columns], watch=self._watch(view, columns),
            looks_apart=self.span / LOOKS_AT_CLOCK if self.plan.is_restless else math.inf,
        )  # fmt: skip
        batch.advance(stop, seconds)
        self.stiff[columns] = batch.stiff
        self._save(view, columns, begin, batch, inside)
        self.time[columns] = batch.time
        self.full[:, columns] = view.completed(batch.time, batch.x, columns)
        for i in np.flatnonzero(~batch.alive):
            self._lost(view, int(columns[i]), batch, int(i), float(stop[i]))
        self._act(columns, batch.status, due)

    def _watch(self, view: SystemView, columns: Columns) -> Watch | None:
        if not self.plan.triggers:
            return None
        truth = np.ascontiguousarray(self.agendas.seen(columns), dtype=float)
        if id(view) not in self.codes:
            conditions = _conditions(self.plan, view)
            self.codes[id(view)] = _watch_code(conditions, self.plan.modes.system.name)
        return Watch(self.codes[id(view)], truth, self.blind[columns])

    def _save(
        self, view: SystemView, columns: Columns, begin: Floats, batch: Batch, inside: Columns
    ) -> None:
        """Save full vectors at the times that the samples have passed."""
        times = self.times[inside]
        passed = (times > begin[:, np.newaxis]) & (times <= batch.time[:, np.newaxis])
        which, when = np.nonzero(passed)
        if which.size:
            full = view.completed(times[when], batch.out[:, which, when], columns[which])
            self.saved[:, columns[which], inside[when]] = full

    def _lost(self, view: SystemView, k: int, batch: Batch, i: int, stop: float) -> None:
        """Take note of a sample that cannot go on, and why."""
        one = slice(i, i + 1)
        (status,) = endings(batch.status[one], batch.x[:, one], self.largest[np.newaxis, k : k + 1])
        why = trouble(view.system, float(batch.time[i]), batch.x[:, i], batch.p[:, i], stop, status)
        self.over[k] = status, why

    def _act(self, columns: Columns, status: NDArray[np.int64], edges: Floats) -> None:
        """Do what is due with the samples that have come to it."""
        here = (status == progress.ARRIVED) & (self.time[columns] >= edges)
        called = columns[status == progress.CALLED]
        self.blind[called] = self.time[called] + GUARD * self.span
        due = self.agendas.look(called, self.time[called], self.full)
        at = np.concatenate([columns[here], called[due]])
        if not at.size:
            return
        self.blind[at] = self.time[at] + GUARD * self.span
        self.agendas.act(at, self.time[at], self.full)
        self._acted(at)
        for k in at[self.agendas.crowded(at, self.span, self.most_instants)].tolist():
            why = f"after t = {self.time[k]:.6g} something happens again and again without end"
            self.over[k] = RunStatus.STEP_LIMIT, why

    def _acted(self, columns: Columns) -> None:
        """Save what is after an instant at a saved time, and see whether it can go on."""
        place = np.searchsorted(self.times, self.time[columns])
        at = np.flatnonzero(
            self.times[np.minimum(place, self.times.size - 1)] == self.time[columns]
        )
        self.saved[:, columns[at], place[at]] = self.full[:, columns[at]]
        for k in columns[~np.isfinite(self.full[:, columns]).all(axis=0)].tolist():
            bad = np.flatnonzero(~np.isfinite(self.full[:, k]))[0]
            if not np.isfinite(self.full[self.plan.modes.view().rows, k]).all():
                name = self.plan.modes.names[bad]
                why = f"at t = {self.time[k]:.6g} `{name}` has no finite value"
                self.over[k] = RunStatus.STOPPED, why


def _conditions(plan: SystemPlan, view: SystemView) -> Program:
    """Return what is watched, as a program over the states and parameters of a mode."""
    system = view.system
    return Program.over(
        system.states, tuple(system.parameters), system.derived, watched(plan.triggers)
    )


@lru_cache(maxsize=256)
def _watch_code(program: Program, name: str) -> Code:
    return compiled(module(name, {"watch": program}))
