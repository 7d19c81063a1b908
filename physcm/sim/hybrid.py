"""Hybrid systems on the reference engine: smooth pieces between instants at which things happen.

Each piece is integrated to exactly the next time on the agenda. Where conditions are watched,
every step is looked at in a few places between its ends, and the first change is located by
section of the solver's own interpolant, down to neighboring floating point numbers. The
piece ends at the later of the two, where the change has happened.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import integrate as scipy_integrate

from physcm.mechanism.codegen import Floats
from physcm.sim.agenda import Agenda, Instant, Plan
from physcm.sim.engine import ended, integrate, scaled
from physcm.sim.located import first_change
from physcm.sim.status import RunStatus
from physcm.sim.switching import switch_times

_MOST_INSTANTS = 100_000
_MOST_ROUGH = 200
_GUARD = 1e-12
_LOOKS_AT_CLOCK = 20_000
_FEWEST_STEPS = 100
_SOLVERS = {
    "LSODA": scipy_integrate.LSODA,
    "RK45": scipy_integrate.RK45,
    "RK23": scipy_integrate.RK23,
    "DOP853": scipy_integrate.DOP853,
    "Radau": scipy_integrate.Radau,
    "BDF": scipy_integrate.BDF,
}
_IMPLICIT = ("LSODA", "Radau", "BDF")
Path: TypeAlias = Callable[[Any], Floats]


@dataclass(frozen=True)
class Settings:
    """How to integrate.

    Attributes:
        rtol: relative tolerance.
        atol: absolute tolerance of each variable.
        method: SciPy's.
        seconds: how long one sample may take.
    """

    rtol: float
    atol: Floats
    method: str
    seconds: float = math.inf


@dataclass(frozen=True)
class HybridRun:
    """One sample: the full vector at the saved times, and what was done when.

    Attributes:
        values: (variables, times), NaN from where the run ended early.
        status: how it ended.
        instants: what was done, in order.
    """

    values: Floats
    status: RunStatus
    instants: tuple[Instant, ...]


def run(
    plan: Plan,
    column: int,
    times: Floats,
    start: Floats,
    settings: Settings,
    most_instants: int = _MOST_INSTANTS,
) -> HybridRun:
    """Return one sample of a system with a schedule or events.

    Args:
        plan: of the system.
        column: which of its samples.
        times: to save, increasing.
        start: the full vector at the first time, before anything is done.
        settings: of the solver.
        most_instants: after so many the run ends, stopped.
    """
    agenda, deadline = Agenda(plan, column), time.monotonic() + settings.seconds
    saved = np.full((start.size, times.size), np.nan)
    t, last = float(times[0]), float(times[-1])
    values, guard = agenda.begin(t, start), _GUARD * (last - t)
    apart = (last - t) / _LOOKS_AT_CLOCK if plan.is_restless else math.inf
    saved[:, 0] = values
    while t < last and len(agenda.instants) < most_instants:
        stop = min(agenda.next_time(t), last)
        piece = _Piece(agenda, column, settings, t, stop, deadline, guard, apart)
        inside = np.flatnonzero((times > t) & (times <= piece.stop))
        t, at = piece.follow(values[agenda.view.rows], times[inside])
        saved[:, inside[: at.shape[1] - 1]] = at[:, :-1]
        if not np.isfinite(at[agenda.view.rows, -1]).all():
            break
        values = agenda.act(t, at[:, -1])
        saved[:, times == t] = values[:, np.newaxis]
    rows = plan.modes.view(frozenset()).rows
    status = ended(saved[rows], 0).status
    if status:
        saved = np.where(np.isfinite(saved[rows]).all(axis=0), saved, np.nan)
        status = RunStatus.TIME_LIMIT if time.monotonic() > deadline else status
    return HybridRun(saved, status, tuple(agenda.instants))


def tolerances(plan: Plan, times: Floats, start: Floats, rtol: float, method: str) -> Floats:
    """Return an absolute tolerance per variable, as `engine.tolerances` does for its states."""
    scale = np.abs(start)
    rough = Settings(1e-5, np.where(scale > 0, 1e-9 * scale, 1e-30), method)
    grid = np.union1d(times, np.linspace(times[0], times[-1], 50))
    return scaled(run(plan, 0, grid, start, rough, _MOST_ROUGH).values, scale, rtol)


@dataclass(frozen=True)
class _Piece:
    """A stretch of time in one mode, up to a stop or to the first change of a condition."""

    agenda: Agenda
    column: int
    settings: Settings
    begin: float
    stop: float
    deadline: float
    guard: float
    apart: float

    def follow(self, x: Floats, times: Floats) -> tuple[float, Floats]:
        """Return where the piece ends, and the full vector at the saved times and there."""
        if not self.agenda.plan.triggers and self.deadline == math.inf:
            grid = np.unique([self.begin, *times, self.stop])
            states = self._integrated(grid, x)
            return self.stop, self._completed(
                np.append(times, self.stop), states[:, [*np.searchsorted(grid, times), -1]]
            )
        parts = []
        for begin, end, path in self._steps(x):
            call = self._first_call(begin, end, path)
            reached = end if call is None else call
            now = times[(times > begin) & (times <= reached)]
            if call is not None or reached >= self.stop or not np.isfinite(path(end)).all():
                now = np.append(now, reached)
                parts.append(self._completed(now, path(now)))
                return reached, np.concatenate(parts, axis=1)
            parts.append(self._completed(now, path(now)))
        raise AssertionError("the steps end at the stop")

    def _integrated(self, grid: Floats, x: Floats) -> Floats:
        view, settings = self.agenda.view, self.settings
        return integrate(
            view.system, grid, x, view.p[:, self.column], settings.rtol,
            settings.atol[view.rows], settings.method,
        ).states  # fmt: skip

    def _completed(self, t: Floats, states: Floats) -> Floats:
        return self.agenda.view.completed(t, states, np.full(states.shape[1], self.column))

    def _steps(self, x: Floats) -> Iterator[tuple[float, float, Path]]:
        """Yield the solver's steps, each with its interpolant; the last reaches the stop."""
        view, t = self.agenda.view, self.begin
        switches = switch_times(view.system, view.p[:, self.column].tolist())
        for stop in (*switches[(switches > t) & (switches < self.stop)], self.stop):
            if not len(x):
                yield t, stop, lambda at: np.empty((0, *np.shape(at)))
            else:
                solver = self._solver(t, x, stop)
                while solver.status == "running":
                    with warnings.catch_warnings(), np.errstate(all="ignore"):
                        warnings.simplefilter("ignore")
                        solver.step()
                    if solver.status == "failed" or time.monotonic() > self.deadline:
                        yield solver.t, self.stop, _nowhere(len(x))
                        return
                    yield solver.t_old, solver.t, solver.dense_output()
                x = solver.y
            t = stop

    def _solver(self, t: float, x: Floats, stop: float) -> Any:
        view, settings = self.agenda.view, self.settings
        rates, p = view.system.rates, view.p[:, self.column].tolist()
        implicit = {"jac": lambda t, x: rates.jacobian.dense(t, x, p)}
        return _SOLVERS[settings.method](
            lambda t, x: np.array(rates.scalar(t, x, p)),
            t,
            x,
            stop,
            rtol=settings.rtol,
            atol=settings.atol[view.rows],
            max_step=math.inf if view.system.is_autonomous else (stop - t) / _FEWEST_STEPS,
            **(implicit if settings.method in _IMPLICIT else {}),
        )

    def _first_call(self, begin: float, end: float, path: Path) -> float | None:
        def truth(t: Floats) -> NDArray[np.bool_]:
            return self.agenda.watch(t, self._completed(t, path(t)))

        return first_change(self.agenda, truth, begin, end, guard=self.guard, apart=self.apart)


def _nowhere(states: int) -> Path:
    return lambda t: np.full((states, *np.shape(t)), np.nan)
