"""Hybrid systems on the reference engine: smooth pieces between instants at which things happen.

Each piece is integrated to exactly the next time on the agenda. Where conditions are watched,
every step is looked at in a few places between its ends, and the first change is located by
section of the solver's own interpolant, down to neighboring floating point numbers. The
piece ends at the later of the two, where the change has happened.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.agenda import Agenda
from physcm.sim.engine import ROUGH, ended, roughly, scaled
from physcm.sim.instants import Instant
from physcm.sim.located import first_change
from physcm.sim.modes import View
from physcm.sim.plan import Plan
from physcm.sim.status import RunStatus
from physcm.sim.stepping import MOST_STEPS, Path, Solver

MOST_INSTANTS = 100_000
"""A run of one sample with more instants than that is broken off."""

GUARD = 1e-12
"""For so much of the span of a run nothing is looked at after something was done."""

LOOKS_AT_CLOCK = 20_000
"""How often conditions are looked at that time alone may turn on and off."""

ROUGH_INSTANTS, _ROUGH_STEPS = 200, 2_000
_CROWD, _CROWDED = 1_000, 1e-8


@dataclass(frozen=True)
class Settings:
    """How to integrate.

    Attributes:
        rtol: relative tolerance.
        atol: absolute tolerance of each variable.
        method: SciPy's.
        seconds: how long one sample may take.
        most_steps: between two saved times or instants.
        most_instants: after so many the run is broken off.
    """

    rtol: float
    atol: Floats
    method: str
    seconds: float = math.inf
    most_steps: int = MOST_STEPS
    most_instants: int = MOST_INSTANTS


@dataclass(frozen=True)
class HybridRun:
    """One sample: the full vector at the saved times, and what was done when.

    Attributes:
        values: (variables, times), NaN from where the run ended early.
        status: how it ended.
        instants: what was done, in order.
        trouble: why it ended early, if it did.
    """

    values: Floats
    status: RunStatus
    instants: tuple[Instant, ...]
    trouble: str = ""


def run(
    plan: Plan[View], column: int, times: Floats, start: Floats, settings: Settings
) -> HybridRun:
    """Return one sample of a system or network with a schedule or events.

    Args:
        plan: of the system or network.
        column: which of its samples.
        times: to save, increasing.
        start: the full vector at the first time, before anything is done.
        settings: of the solver.
    """
    agenda, deadline = Agenda(plan, column), time.monotonic() + settings.seconds
    saved = np.full((start.size, times.size), np.nan)
    t, last = float(times[0]), float(times[-1])
    values, guard = agenda.begin(t, start), GUARD * (last - t)
    apart = (last - t) / LOOKS_AT_CLOCK if plan.is_restless else math.inf
    saved[:, 0] = values
    good, view, worn = (t, values), agenda.view, False
    while t < last and np.isfinite(values[agenda.view.rows]).all():
        if crowded(agenda, last - times[0], settings.most_instants):
            worn = True
            break
        good, view = (t, values), agenda.view
        stop = min(agenda.next_time(t), last)
        piece = _Piece(agenda, column, settings, t, stop, deadline, guard, apart)
        inside = np.flatnonzero((times > t) & (times <= piece.stop))
        t, at, worn = piece.follow(values[view.rows], times[inside])
        inside = inside[: at.shape[1] - 1]
        saved[:, inside] = at[:, :-1]
        fine = inside[np.isfinite(at[view.rows, :-1]).all(axis=0)]
        good = (float(times[fine[-1]]), saved[:, fine[-1]]) if fine.size else good
        values = at[:, -1]
        if np.isfinite(values[view.rows]).all():
            values = agenda.act(t, values)
            saved[:, times == t] = values[:, np.newaxis]
            good, view = (t, values), agenda.view
    rows = plan.view().rows
    status = ended(saved[rows], 0, worn).status
    why = ""
    if status:
        saved = np.where(np.isfinite(saved[rows]).all(axis=0), saved, np.nan)
        status = RunStatus.TIME_LIMIT if time.monotonic() > deadline else status
        if np.isfinite(values[view.rows]).all():
            why = f"after t = {t:.6g} something happens again and again without end"
        else:
            why = view.trouble(column, good[0], good[1][view.rows], t, status)
    return HybridRun(saved, status, tuple(agenda.instants), why)


def crowded(agenda: Agenda[Any], span: float, most: int = MOST_INSTANTS) -> bool:
    """Say whether too much has happened, in all or within a moment, as a bouncing ball does."""
    times = [instant.time for instant in agenda.instants[-_CROWD:]]
    crowd = len(times) == _CROWD and times[-1] - times[0] < _CROWDED * span
    return crowd or len(agenda.instants) >= most or agenda.hurries(span)


def tolerances(
    plan: Plan[View],
    times: Floats,
    start: Floats,
    least: Floats,
    rtol: float,
    method: str,
    seconds: float = math.inf,
) -> Floats:
    """Return an absolute tolerance per variable, as `engine.tolerances` does for its states."""
    scale = np.abs(start)
    near = roughly(scale, least)
    grid = np.union1d(times, np.linspace(times[0], times[-1], 50))
    seen = run(plan, 0, grid, start, rough(near, method, seconds)).values
    return scaled(seen, scale, rtol, least)


def rough(atol: Floats, method: str, seconds: float) -> Settings:
    """Return the settings of a run that only looks how large the variables become."""
    return Settings(ROUGH, atol, method, seconds, _ROUGH_STEPS, ROUGH_INSTANTS)


@dataclass(frozen=True)
class _Piece:
    """A stretch of time in one mode, up to a stop or to the first change of a condition."""

    agenda: Agenda[View]
    column: int
    settings: Settings
    begin: float
    stop: float
    deadline: float
    guard: float
    apart: float

    def follow(self, x: Floats, times: Floats) -> tuple[float, Floats, bool]:
        """Return where the piece ends, and the full vector at the saved times and there.

        The last says whether the solver came to the limit of steps.
        """
        view, settings = self.agenda.view, self.settings
        solver = Solver(
            settings.rtol, settings.atol[view.rows], settings.method, settings.most_steps,
            self.deadline,
        )  # fmt: skip
        if not self.agenda.plan.triggers and self.deadline == math.inf:
            grid = np.unique([self.begin, *times, self.stop])
            states, worn = view.integrated(solver, self.column, grid, x)
            at = states[:, [*np.searchsorted(grid, times), -1]]
            return self.stop, self._completed(np.append(times, self.stop), at), worn
        parts, count = [], 0
        solver = replace(solver, most_steps=settings.most_steps * (times.size + 1))
        for begin, end, path in view.steps(solver, self.column, self.begin, x, self.stop):
            call, count = self._first_call(begin, end, path), count + 1
            reached = end if call is None else call
            now = times[(times > begin) & (times <= reached)]
            if call is not None or reached >= self.stop or not np.isfinite(path(end)).all():
                now = np.append(now, reached)
                parts.append(self._completed(now, path(now)))
                return reached, np.concatenate(parts, axis=1), count > solver.most_steps
            parts.append(self._completed(now, path(now)))
        raise AssertionError("the steps end at the stop")

    def _completed(self, t: Floats, states: Floats) -> Floats:
        return self.agenda.view.completed(t, states, np.full(states.shape[1], self.column))

    def _first_call(self, begin: float, end: float, path: Path) -> float | None:
        def truth(t: Floats) -> NDArray[np.bool_]:
            return self.agenda.watch(t, self._completed(t, path(t)))

        return first_change(self.agenda, truth, begin, end, guard=self.guard, apart=self.apart)
