"""What samples do in the long run, seen by following them over windows [0, T], T doubling.

A sample has *settled* when it has come close to a root of the equilibrium equations, with the
conserved totals of its own start, whose eigenvalues all have negative real parts; where the
linearization cannot tell, when two doublings of time no longer move it. It is *periodic* when
its excursions and their timing repeat over many periods, angles up to full turns, *diverged*
when it leaves every bound, be it in finite time, *broken off* where the mechanisms have no
finite value, and *still moving* otherwise (slow, quasi-periodic or chaotic).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.engine import Trajectory
from physcm.sim.equilibrium import EquilibriumEquations, stability
from physcm.sim.escape import escapes
from physcm.sim.period import closed_period, period_of
from physcm.sim.periodicity import on_circles
from physcm.sim.pursuit import MOST_STEPS, pursue
from physcm.sim.rounding import fastest_time, rounding
from physcm.sim.status import LimitStatus, RunStatus

RTOL = 1e-8
"""The relative tolerance with which samples are followed."""
_NEAR_ZERO = 1e-9
_STILL = 1e-7
_SLOW = 1e-2
_FAINT = 1e-3
_STEADY = 0.1
_WINDOWS = 64
_POINTS = 1024
_AT_ONCE = 2**22
_GROWING_WINDOWS = 20
_GREW = 10
_PAST = 100.0
_PERIODS = 40
_FINEST = 1e-5
NEAR, _LOOSE = 1e-6, 1e-3
"""How close to an equilibrium a run counts as settled, relative to the size of each state."""
_TINY, _BOUNDLESS, _GONE, _AGAIN = 1e-300, 1e150, 1e-20, 3
"""A state smaller than the one is as good as 0; one beyond the other has no square."""


@dataclass(frozen=True)
class Limit:
    """What one sample does in the long run.

    Attributes:
        status: settled, periodic, diverged, still moving or broken off.
        state: the limit if settled, else the last state; shape (states,).
        time: the time at which that was known.
        scale: the largest value that each state took on the way, shape (states,).
        period: the period if periodic, else NaN.
    """

    status: LimitStatus
    state: Floats
    time: float
    scale: Floats
    period: float = np.nan


Ensemble: TypeAlias = tuple[EquilibriumEquations, Floats, Floats]


def long_runs(
    ensembles: Sequence[Ensemble], done: Callable[[int], None] = lambda _: None, *,
    most_steps: int = MOST_STEPS,
) -> list[list[Limit]]:  # fmt: skip
    """Follow samples until the fate of each is known, those of one form all together.

    Args:
        ensembles: the equations of systems, where samples of each start, (states, samples), and
            their parameters, (parameters, samples).
        done: called with the number of samples each time that the fate of some is known.
        most_steps: after how many steps a sample is given up as still moving.

    Returns:
        For each ensemble the limits of its samples.
    """
    watches = [
        [_Watch(equations, x, q, most_steps) for x, q in zip(x0.T, p.T, strict=True)]
        for equations, x0, p in ensembles
    ]
    _watch([watch for group in watches for watch in group], done)
    return [[watch.fate() for watch in group] for group in watches]


def long_run(equations: EquilibriumEquations, x0: Floats, p: Floats) -> Limit:
    """Follow one sample, from x0 (states,) with p (parameters,), until its fate is known."""
    ((limit,),) = long_runs([(equations, x0[:, np.newaxis], p[:, np.newaxis])])
    return limit


def _watch(watches: Sequence[_Watch], done: Callable[[int], None]) -> None:
    """Take samples from window to window."""
    moving = [watch for watch in watches if not watch.rests_at_start()]
    done(len(watches) - len(moving))
    for _ in range(_WINDOWS):
        for group in _together(moving):
            times = np.linspace(0.0, [watch.window for watch in group], _POINTS, axis=1)
            runs = _follow(group, times, np.column_stack([watch.x for watch in group]))
            for watch, own, run in zip(group, times, runs, strict=True):
                watch.advance(own, run)
        still = [watch for watch in moving if watch.limit is None]
        done(len(moving) - len(still))
        moving = still
    done(len(moving))


def _together(watches: Sequence[_Watch]) -> Iterator[list[_Watch]]:
    """Yield samples that follow the same program, as many at once as memory should hold.

    A system and the same under other values of what is held have one program.
    """
    groups: dict[int, list[_Watch]] = {}
    for watch in watches:
        groups.setdefault(id(watch.system.rates), []).append(watch)
    for group in groups.values():
        many = max(1, _AT_ONCE // (len(group[0].x) * _POINTS))
        for low in range(0, len(group), many):
            yield group[low : low + many]


def _follow(
    watches: Sequence[_Watch], times: Floats, x: Floats, rtol: float = RTOL
) -> list[Trajectory]:
    """Integrate samples from states (states, samples) at time 0 over times (samples, times).

    What all but dies out before it returns, as an infection between epidemics, is smaller than
    any absolute error, which may give it the wrong sign; that is done again without one.
    """
    system = watches[0].system
    p = np.column_stack([watch.p for watch in watches])
    atol = np.column_stack([watch.tolerance for watch in watches])
    runs = pursue(system, times, x, p, rtol, atol)
    for _ in range(_AGAIN):
        wrong = np.column_stack([
            watch.crossing(run.states) & ~watch.crossing(start[:, np.newaxis]).any()
            for watch, run, start in zip(watches, runs, x.T, strict=True)
        ])  # fmt: skip
        wrong &= atol > _TINY
        atol = np.where(wrong, _TINY, atol)
        columns = np.flatnonzero(wrong.any(axis=0))
        if not columns.size:
            break
        again = pursue(system, times[columns], x[:, columns], p[:, columns], rtol, atol[:, columns])
        for k, run in zip(columns.tolist(), again, strict=True):
            if run.status is RunStatus.COMPLETE:
                runs[k] = run
    return runs


class _Watch:
    """One sample on its way, with what has been seen of it so far."""

    def __init__(
        self, equations: EquilibriumEquations, x0: Floats, p: Floats, most_steps: int
    ) -> None:
        self.equations, self.p, self.most_steps = equations, p, most_steps
        self.system = equations.system
        self.total = equations.weights @ x0
        self.start = self.x = x0
        self.time = 0.0
        self.window = fastest_time(self.system, 0.0, x0, p)
        self.rounding = rounding(self.system, 0.0, x0, p)
        self.scale = np.abs(x0)
        here = equations.eigenvalues(x0, p, self.positive_scale())
        self.scale = np.maximum(self.scale, _FAINT * self.natural(x0, here))
        self.growing = np.zeros(len(x0), dtype=int)
        self.still = self.steps = 0
        self.limit: Limit | None = None

    @property
    def tolerance(self) -> Floats:
        """The absolute tolerance of each state."""
        return np.maximum(1e-3 * RTOL * np.where(self.scale > 0, self.scale, 1e-20), self.rounding)

    def fate(self) -> Limit:
        """Return what it has come to."""
        return self.limit or self.ended(LimitStatus.STILL_MOVING)

    def ended(self, status: LimitStatus, period: float = np.nan) -> Limit:
        return Limit(status, self.x, self.time, self.scale, period)

    def natural(self, x: Floats, eigenvalues: NDArray[np.complex128]) -> Floats:
        """Return how far the terms of each rate would take a state in the shortest time in sight.

        Those of x' = r x are no larger than r x, which may be tiny and grow; those of a velocity
        are forces, by whose rounding it moves even at rest.
        """
        sizes = self.system.sizes.vector(0.0, x[:, np.newaxis], self.p[:, np.newaxis])[:, 0]
        fastest = np.abs(eigenvalues).max(initial=0.0)
        return np.where(np.isfinite(sizes), sizes, 0.0) / (fastest if fastest > 0 else np.inf)

    def rests_at_start(self) -> bool:
        """A start that already solves the equations stays, stable or not."""
        if not len(self.x) or self.equations.rests(self.x, self.p, self.total):
            self.limit = self.ended(LimitStatus.SETTLED)
        return self.limit is not None

    def advance(self, times: Floats, run: Trajectory) -> None:
        """Take note of a run over a window."""
        last = int(np.isfinite(run.states).all(axis=0).sum()) - 1
        if run.status not in (RunStatus.COMPLETE, RunStatus.STEP_LIMIT):
            self.interrupted(run, last, times[-1] - times[last])
            return
        before, self.x = self.x, run.states[:, last]
        self.time += times[last]
        self.scale = np.maximum(self.scale, np.abs(run.states[:, : last + 1]).max(axis=1))
        self.steps += run.steps
        if run.status is RunStatus.COMPLETE:
            self.limit = (
                self.diverged(before)
                or self.settled(run.states)
                or self.at_rest(times, run.states)
                or self.periodic(times, run.states)
            )
        if self.limit is None and self.steps >= self.most_steps:
            self.limit = self.ended(LimitStatus.STILL_MOVING)
        self.window *= 2 if self.time > self.window else 1

    def interrupted(self, run: Trajectory, last: int, ahead: float) -> None:
        """Say why a run broke off, or let it go on with extended mechanisms."""
        x = run.states[:, last]
        diverged = run.status is RunStatus.DIVERGED or self.outgrows(_GREW)
        if diverged or escapes(self.system, x, self.p, ahead):
            self.limit = self.ended(LimitStatus.DIVERGED)
        elif self.system is self.equations.system and self.in_bounds(x):
            self.system = self.equations.extended
        else:
            self.limit = self.ended(LimitStatus.BROKEN_OFF)

    def in_bounds(self, x: Floats) -> bool:
        """Say whether there are bounds and a state lies within them."""
        return bool(self.system.bounds) and self.equations.is_feasible(x, self.positive_scale())

    def crossing(self, states: Floats) -> NDArray[np.bool_]:
        """Say which states pass a bound at 0."""
        low, high = (end[:, np.newaxis] for end in self.equations.bounds)
        wrong = ((low == 0) & (states < 0)) | ((high == 0) & (states > 0))
        return np.asarray(wrong.any(axis=1))

    def settled(self, states: Floats) -> Limit | None:
        """Certify a limit by the stable equilibrium that the run has come close to."""
        if self.moved(states) > _SLOW:
            return None
        roots, converged = self.equations.roots(self.x[:, np.newaxis], self.p, self.total)
        root = roots[:, 0]
        if not converged[0] or not self.equations.is_feasible(root, self.scale):
            return None
        values = self.equations.eigenvalues(root, self.p, self.positive_scale())
        size = np.maximum(np.abs(root), self.natural(root, values))
        off, faint = np.abs(self.x - root), _NEAR_ZERO * self.positive_scale()
        if (off > _nearness(values) * size + faint).any() or stability(values) != "stable":
            return None
        # What integration alone keeps from its limit, as a velocity from 0, is taken to be there.
        self.x = np.where(off > NEAR * np.abs(root) + faint, root, self.x)
        return self.ended(LimitStatus.SETTLED)

    def at_rest(self, times: Floats, states: Floats) -> Limit | None:
        """Certify a limit that doubling the time no longer moves, past every time scale.

        In time t^-a, towards a marginal equilibrium of x' = -x^m, the rate m x^(m-1) stays
        above 1/t; what is slower than that has not begun to move. What drifts at a constant rate
        does not rest, however little that is beside its size, nor does what has all but died out
        where it would grow again, as between the saddles of a heteroclinic cycle (May & Leonard,
        SIAM J. Appl. Math. 29, 1975).
        """
        self.still = self.still + 1 if self.moved(states) < _STILL else 0
        resting = self.still >= 3 and self.time * self.slowest() > 1
        resting = resting and not self.drifts(times, states).any() and not self.regrows()
        return self.ended(LimitStatus.SETTLED) if resting else None

    def regrows(self) -> bool:
        """Say whether states that have all but died out would grow from here."""
        gone = (np.abs(self.x) <= _GONE * self.positive_scale()) & (self.start != 0)
        slopes = self.system.rates.jacobian.dense(0.0, self.x, self.p)[np.ix_(gone, gone)]
        if not gone.any() or not np.isfinite(slopes).all():
            return False
        return bool(np.linalg.eigvals(slopes).real.max() > 1e-9 * np.abs(slopes).max())

    def drifts(self, times: Floats, states: Floats) -> NDArray[np.bool_]:
        """Say which states end with the rate that they had on average since a quarter of the run.

        Neither do so in an approach, be it as slow as t^-a, nor where they rest, rounding aside.
        """
        begin = times.size // 4
        mean = (states[:, -1] - states[:, begin]) / (times[-1] - times[begin])
        now = self.system.rates.vector(0.0, states[:, -1:], self.p[:, np.newaxis])[:, 0]
        return np.asarray((mean != 0) & (np.abs(now - mean) < _STEADY * np.abs(mean)))

    def periodic(self, times: Floats, states: Floats) -> Limit | None:
        """Certify a motion that repeats, angles up to full turns."""
        turns, swing = self.equations.turns, np.ptp(states, axis=1)
        turns = np.where(swing > turns, turns, np.nan)
        round_ = np.isfinite(turns)
        size = np.where(round_, np.inf, self.positive_scale())
        scale = np.append(size, np.ones(2 * round_.sum()))
        paths = partial(self.paths, turns=turns)
        guess = period_of(times, on_circles(states, turns), scale, paths)
        if guess is None:
            return None
        # Beside a small swing the usual error of integration can keep up what dies out.
        share = swing[swing > _STILL * size] / size[swing > _STILL * size]
        rtol = RTOL * float(np.clip(share.min(initial=1.0), _FINEST, 1.0))
        paths = partial(paths, rtol=rtol)
        cycles = np.linspace(0.0, _PERIODS * guess, 200 * _PERIODS)
        orbit = paths(cycles, self.x[:, np.newaxis])[:, 0]
        if not np.isfinite(orbit).all():
            return None
        period = closed_period(cycles, orbit, scale, paths)
        return None if period is None else self.ended(LimitStatus.PERIODIC, period)

    def paths(self, times: Floats, x: Floats, *, turns: Floats, rtol: float = RTOL) -> Floats:
        """Return the motion (rows, starts, times) from some states (rows, starts) at time 0.

        The rows are those of `on_circles`, of which the states alone begin it.
        """
        x = x[: len(self.x)]
        count = x.shape[1]
        runs = _follow([self] * count, np.tile(times, (count, 1)), x, rtol)
        return on_circles(np.stack([run.states for run in runs], axis=1), turns)

    def diverged(self, before: Floats) -> Limit | None:
        """Growth without bound: some state keeps growing in proportion with doubled time."""
        grows = np.abs(self.x) > 1.2 * np.abs(before)
        self.growing = np.where(grows, self.growing + 1, 0)
        if self.scale.max() > _BOUNDLESS or self.outgrows(_GROWING_WINDOWS):
            return self.ended(LimitStatus.DIVERGED)
        return None

    def outgrows(self, windows: int) -> bool:
        """Say whether growth has gone on for so many doublings, and past every time scale.

        An angle that goes round and round does not grow.
        """
        grown = self.growing >= windows
        if not grown.any() or np.isfinite(self.equations.turns[grown]).all():
            return False
        return self.time * self.slowest() > _PAST

    def slowest(self) -> float:
        """Return the smallest rate here that is not zero."""
        rates = np.abs(self.equations.eigenvalues(self.x, self.p, self.positive_scale()))
        return float(rates[rates > 1e-12 * rates.max(initial=0.0)].min(initial=np.inf))

    def moved(self, states: Floats) -> float:
        """Return how far the run still was from where it is now, since a quarter of the window."""
        return self.distance(states[:, states.shape[1] // 4 :], self.x[:, np.newaxis])

    def distance(self, a: Floats, b: Floats) -> float:
        """Return the largest difference, each state on its own scale."""
        scale = self.positive_scale().reshape(-1, *[1] * (np.ndim(a) - 1))
        return float(np.max(np.abs(a - b) / scale))

    def positive_scale(self) -> Floats:
        return np.where(self.scale > 0, self.scale, 1.0)


def _nearness(eigenvalues: NDArray[np.complex128]) -> float:
    """Return how close a run comes to an equilibrium with these eigenvalues, relative to its size.

    Each turn about it brings in the error of integration, of which light damping takes away a
    small part, Re(l) / |l|.
    """
    slowest = eigenvalues[:1]
    turns = np.abs(slowest) / np.maximum(np.abs(slowest.real), _TINY)
    return float(np.clip(RTOL * turns.max(initial=0.0), NEAR, _LOOSE))
