"""The steps of a SciPy solver, one by one, each with its interpolant, and never without end."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeAlias

import numpy as np
import scipy

from physcm.mechanism.codegen import Floats
from physcm.sim.switching import switch_times
from physcm.sim.system import System

MOST_STEPS = 100_000
"""Between two saved times a run takes at most so many steps."""

HUGE = 1e6
"""A run that ends early with a state so many times larger than at its start has diverged."""

FEWEST_STEPS = 100
"""A system that reads time takes at least so many, so that it steps over nothing."""

METHODS = ("LSODA", "RK45", "RK23", "DOP853", "Radau", "BDF")
_IMPLICIT = ("LSODA", "Radau", "BDF")
_MOST_STUCK = 10
Path: TypeAlias = Callable[[Any], Floats]
Begun: TypeAlias = Callable[[float, Floats, float], Any]


@dataclass(frozen=True)
class Solver:
    """How to integrate.

    Attributes:
        rtol: relative tolerance.
        atol: absolute tolerance of each state.
        method: SciPy's.
        most_steps: after so many a run is broken off;
        deadline: or at this time on the monotonic clock.
    """

    rtol: float
    atol: Floats
    method: str
    most_steps: int = MOST_STEPS
    deadline: float = math.inf

    def steps(
        self, system: System, p: list[float], t: float, x: Floats, stop: float
    ) -> Iterator[tuple[float, float, Path]]:
        """Yield the steps of a system from state x at time t on, as `through` does."""
        begun = partial(self._begun, system, p)
        return self.through(begun, switch_times(system, p), t, x, stop)

    def through(
        self, begun: Begun, switches: Floats, t: float, x: Floats, stop: float
    ) -> Iterator[tuple[float, float, Path]]:
        """Yield the steps from state x at time t on: begin, end, interpolant.

        The interpolant is for use before the next step. The last step reaches the stop. Where the
        solver cannot go on, or has taken too long, that is one on which nothing is finite:
        infinite where the state grows without bound, else NaN.

        Args:
            begun: makes SciPy's solver from (t, x, stop).
            switches: the times at which it is made anew.
            t: the first time.
            x: the states there.
            stop: the last time.
        """
        left, start = self.most_steps, x
        for end in (*switches[(switches > t) & (switches < stop)], stop):
            if not len(x):
                yield t, end, lambda at: np.empty((0, *np.shape(at)))
            else:
                solver, stuck = begun(t, x, end), 0
                while solver.status == "running":
                    before = solver.t
                    can_go_on = _stepped(solver)
                    left, stuck = left - 1, 0 if solver.t > before else stuck + 1
                    late = left < 0 or stuck > _MOST_STUCK or time.monotonic() > self.deadline
                    if late or not can_go_on:
                        yield before, stop, _nowhere(start, solver.y)
                        return
                    yield solver.t_old, solver.t, _interpolant(solver)
                x = solver.y
            t = end

    def _begun(self, system: System, p: list[float], t: float, x: Floats, stop: float) -> Any:
        rates = system.rates
        implicit = {"jac": lambda t, x: rates.jacobian.dense(t, x, p)}
        with np.errstate(all="ignore"):
            return getattr(scipy.integrate, self.method)(
                lambda t, x: np.array(rates.scalar(t, x, p)),
                t,
                x,
                stop,
                rtol=self.rtol,
                atol=self.atol,
                max_step=math.inf if system.is_autonomous else (stop - t) / FEWEST_STEPS,
                **(implicit if self.method in _IMPLICIT else {}),
            )


def _stepped(solver: Any) -> bool:
    """Take a step; say whether it led to where a further one can begin."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            solver.step()
        except (ValueError, FloatingPointError, RuntimeError):  # no finite, regular Jacobian
            return False
    return solver.status != "failed" and bool(np.isfinite(solver.y).all())


def _interpolant(solver: Any) -> Path:
    """Return the interpolant of the last step, which costs further rates, made when first used."""
    made = cache(solver.dense_output)
    return lambda t: np.asarray(made()(t))


def read_off(
    steps: Iterable[tuple[float, float, Path]], times: Floats, x: Floats
) -> tuple[Floats, int]:
    """Return the states at some times, x at the first, from the steps, and how many these are."""
    states, count = np.full((len(x), len(times)), np.nan), 0
    states[:, 0] = x
    for begin, end, path in steps:
        inside = (times > begin) & (times <= end)
        if inside.any():
            states[:, inside] = path(times[inside])
        count += 1
    return states, count


def grown(start: Floats, end: Floats) -> bool:
    """Say whether a state has grown so much that it counts as diverged."""
    largest = np.abs(end).max(initial=0.0)
    return bool(np.isinf(largest) or largest / HUGE > max(1.0, np.abs(start).max(initial=0.0)))


def _nowhere(start: Floats, end: Floats) -> Path:
    value = np.inf if grown(start, end) else np.nan
    return lambda t: np.full((start.size, *np.shape(t)), value)
