"""What samples do in the long run, seen by following them over windows [0, T], T doubling.

A sample has *settled* when it has come close to a root of the equilibrium equations, with the
conserved totals of its own start, whose eigenvalues all have negative real parts; where the
linearization cannot tell, when two doublings of time no longer move it. It is *periodic* when
its excursions and their timing repeat over many periods, angles up to full turns, *diverged*
when it leaves every bound, be it in finite time, *broken off* where the mechanisms have no
finite value, and *still moving* otherwise (slow, quasi-periodic or chaotic). Light damping is
waited for, up to ten times as many steps as all else; where it takes longer, it is told how long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.engine import Trajectory
from physcm.sim.equilibrium import EquilibriumEquations, stability
from physcm.sim.escape import escapes
from physcm.sim.inquiry import Inquiry, Motion, findings
from physcm.sim.period import closed_period, period_of
from physcm.sim.periodicity import on_circles
from physcm.sim.pursuit import MOST_STEPS, Runs, pursue_within
from physcm.sim.root_nearby import has_root_nearby
from physcm.sim.rounding import fastest_time, rounding
from physcm.sim.status import LimitStatus, RunStatus

RTOL = 1e-8
"""The relative tolerance with which samples are followed."""
_ABSOLUTE = 1e-3
"""The absolute tolerance, as a share of the relative one times the size of a state."""
_NEAR_ZERO = 1e-9
_STILL = 1e-7
_SLOW = 1e-2
_FAINT = 1e-3
_STEADY = 0.1
_WINDOWS = 64
_WAITING = 1000
"""By how much longer to follow what does not move and yet is at no root."""
_POINTS = 1024
_AT_ONCE = 2**22
_GROWING_WINDOWS = 20
_GREW = 10
_PAST, _PATIENCE = 100.0, 10
_PERIODS, _PER_PERIOD = 40, 200
_DECADES_MORE = 3
_EACH = slice(None)
_FINEST = 1e-5
NEAR, _LOOSE = 1e-6, 1e-3
"""How close to an equilibrium a run counts as settled, relative to the size of each state."""
_TINY, _BOUNDLESS = 1e-300, 1e150
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
        expected: when it settles at the rate of the stable equilibrium about which it moves with
            less and less swing, if it is still moving so, else NaN.
    """

    status: LimitStatus
    state: Floats
    time: float
    scale: Floats
    period: float = np.nan
    expected: float = np.nan


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
            x = np.column_stack([watch.x for watch in group])
            runs = _follow(group, times, x, RTOL)
            told = zip(group, times, runs.each, strict=True)
            seen = [(watch, own, run.states) for watch, own, run in told if watch.advance(own, run)]
            _look_for_rest(seen)
            _look_for_periods(seen)
            for watch, own, states in seen:
                watch.look_ahead(own, states)
        still = [watch for watch in moving if watch.goes_on]
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


def _look_for_rest(seen: Sequence[_Seen]) -> None:
    """Find out which samples have come to rest, those with the same equations together."""
    groups: dict[int, list[_Watch]] = {}
    for watch, _, _ in seen:
        if watch.moved <= _SLOW:
            groups.setdefault(id(watch.equations), []).append(watch)
    for group in groups.values():
        _look_for_equilibria(group[0].equations, group)
    for watch, times, states in seen:
        if watch.is_open:
            watch.look_for_stillness(times, states)


def _look_for_equilibria(equations: EquilibriumEquations, watches: Sequence[_Watch]) -> None:
    """Certify limits by the stable equilibria that samples have come close to."""
    x, p, total, scale = (
        np.column_stack(rows)
        for rows in zip(*((w.x, w.p, w.total, w.scale) for w in watches), strict=True)
    )
    roots, converged = equations.roots(x, p, total)
    found = np.flatnonzero(converged & equations.are_feasible(roots, scale))
    slopes = equations.system.rates.jacobian.batch(0.0, roots[:, found], p[:, found])
    balance = np.where(scale > 0, scale, 1.0)[:, found]
    for k, values in zip(found.tolist(), equations.spectra(slopes, balance), strict=True):
        watches[k].look_at_equilibrium(roots[:, k], values)


def _look_for_periods(seen: Sequence[_Seen]) -> None:
    """Certify motions that repeat, of so many samples together as memory should hold."""
    restless = [one for one in seen if one[0].is_open]
    many = max(1, _AT_ONCE // (_PERIODS * _PER_PERIOD * len(seen[0][2]))) if seen else 1
    for low in range(0, len(restless), many):
        some = restless[low : low + many]
        watches = [watch for watch, _, _ in some]
        inquiries = [watch.period(times, states) for watch, times, states in some]
        periods = findings(inquiries, partial(_motions, watches))
        for watch, period in zip(watches, periods, strict=True):
            if period is not None:
                watch.limit = watch.ended(LimitStatus.PERIODIC, period)


def _motions(watches: Sequence[_Watch], asked: Mapping[int, Motion]) -> dict[int, Floats]:
    """Return the states, (rows, starts, times), of motions asked for by the place of a sample."""
    alike: dict[tuple[float, int], list[int]] = {}
    for place, motion in asked.items():
        alike.setdefault((motion.rtol, motion.times.size), []).append(place)
    found: dict[int, Floats] = {}
    for (rtol, _), places in alike.items():
        motions = [asked[place] for place in places]
        counts = [motion.x.shape[1] for motion in motions]
        x = np.hstack([motion.x[: len(watches[0].x)] for motion in motions])
        times = np.repeat([motion.times for motion in motions], counts, axis=0)
        which = np.repeat(np.arange(len(places)), counts)
        states = _follow([watches[place] for place in places], times, x, rtol, which).states
        parts = np.split(states, np.cumsum(counts[:-1]), axis=1)
        for place, motion, own in zip(places, motions, parts, strict=True):
            found[place] = own if motion.turns is None else on_circles(own, motion.turns)
    return found


def _follow(
    watches: Sequence[_Watch], times: Floats, x: Floats, rtol: float,
    which: NDArray[np.int64] | slice = _EACH,
) -> Runs:  # fmt: skip
    """Integrate runs of samples from states (states, runs) at time 0 over times (runs, times).

    The runs are those of the samples at the places `which`.
    """
    p, atol = (
        np.column_stack(rows)[:, which]
        for rows in zip(*((watch.p, watch.tolerance(rtol)) for watch in watches), strict=True)
    )
    bounds = np.stack([watch.equations.bounds for watch in watches], axis=2)[:, :, which]
    return pursue_within(bounds, watches[0].system, times, x, p, rtol, atol)


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
        self.window = min(self.window, 1 / max(float(np.abs(here).max(initial=0.0)), _TINY))
        self.scale = np.maximum(self.scale, _FAINT * self.natural(x0, here))
        self.growing = np.zeros(len(x0), dtype=int)
        self.still = self.steps = 0
        self.moved = np.inf
        self.expected = np.nan
        self.limit: Limit | None = None

    def tolerance(self, rtol: float) -> Floats:
        """Return the absolute tolerance of each state that goes with a relative one."""
        return np.maximum(
            _ABSOLUTE * rtol * np.where(self.scale > 0, self.scale, 1e-20), self.rounding
        )

    @property
    def is_open(self) -> bool:
        """Whether its fate is not known."""
        return self.limit is None

    @property
    def goes_on(self) -> bool:
        """Whether its fate is open and it is not given up."""
        return self.is_open and self.steps < self.most_steps

    def fate(self) -> Limit:
        """Return what it has come to."""
        moving = LimitStatus.STILL_MOVING
        return self.limit or replace(self.ended(moving), expected=self.expected)

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
        rests = self.equations.rests(self.x, self.p, self.total)
        if not len(self.x) or (rests and self.has_root_nearby()):
            self.limit = self.ended(LimitStatus.SETTLED)
        return self.limit is not None

    def advance(self, times: Floats, run: Trajectory) -> bool:
        """Take note of a run over a window; say whether it is to be looked at."""
        states, status = run.states, run.status
        last = int(np.isfinite(states).all(axis=0).sum()) - 1
        if status not in (RunStatus.COMPLETE, RunStatus.STEP_LIMIT):
            self.interrupted(status, states[:, last], times[-1] - times[last])
            return False
        before, self.x = self.scale, states[:, last]
        self.time += times[last]
        self.scale = np.maximum(self.scale, np.abs(states[:, : last + 1]).max(axis=1))
        self.steps += run.steps
        self.window *= 2 if self.time > self.window and run.steps < MOST_STEPS / 3 else 1
        if self.is_astray():
            self.limit = self.ended(LimitStatus.STILL_MOVING)
        elif status is RunStatus.COMPLETE:
            self.limit = self.diverged(before)
            # Since a quarter of the window.
            self.moved = self.distance(states[:, states.shape[1] // 4 :], self.x[:, np.newaxis])
        return status is RunStatus.COMPLETE and self.is_open

    def interrupted(self, status: RunStatus, x: Floats, ahead: float) -> None:
        """Say why a run broke off, or let it go on with extended mechanisms."""
        diverged = status is RunStatus.DIVERGED or self.outgrows(_GREW)
        if diverged or escapes(self.system, x, self.p, ahead):
            self.limit = self.ended(LimitStatus.DIVERGED)
        elif self.system is self.equations.system and self.in_bounds(x):
            self.system = self.equations.extended
        else:
            self.limit = self.ended(LimitStatus.BROKEN_OFF)

    def in_bounds(self, x: Floats) -> bool:
        """Say whether there are bounds and a state lies within them."""
        return bool(self.system.bounds) and self.equations.is_feasible(x, self.positive_scale())

    def look_at_equilibrium(self, root: Floats, values: NDArray[np.complex128]) -> None:
        """Certify a limit by a stable equilibrium, with its eigenvalues, that is close.

        Light damping leaves a velocity where the errors of its forces keep it: that is taken to
        be at its limit.
        """
        near, size = _nearness(values), np.abs(root)
        off, faint = np.abs(self.x - root), _NEAR_ZERO * self.positive_scale()
        late = off > NEAR * size + faint
        if near > NEAR:
            size = np.maximum(size, self.natural(root, values))
        if (off > near * size + faint).any() or stability(values) != "stable":
            return
        self.x = np.where(late, root, self.x)
        self.limit = self.ended(LimitStatus.SETTLED)

    def look_for_stillness(self, times: Floats, states: Floats) -> None:
        """Certify a limit that doubling the time no longer moves, past every time scale.

        In time t^-a, towards a marginal equilibrium of x' = -x^m, the rate m x^(m-1) stays
        above 1/t; what is slower than that has not begun to move. What drifts at a constant rate
        does not rest, however little that is beside its size, nor does what has all but died out
        where it would grow again, as between the saddles of a heteroclinic cycle (May & Leonard,
        SIAM J. Appl. Math. 29, 1975), nor what is fast and waits for something slow.
        """
        self.still = self.still + 1 if self.moved < _STILL else 0
        resting = self.still >= 3 and self.time * self.slowest() > 1
        resting = resting and not self.drifts(times, states).any() and not self.regrows()
        if resting and self.has_root_nearby():
            self.limit = self.ended(LimitStatus.SETTLED)
        elif resting:
            self.window *= _WAITING

    def has_root_nearby(self) -> bool:
        """Say whether the equations nearly hold here, and not up to rounding alone."""
        scale = self.positive_scale()
        return has_root_nearby(self.equations, self.x, self.p, self.total, scale)

    def look_ahead(self, times: Floats, states: Floats) -> None:
        """Tell a motion at the end of its steps when damping stops it; go on if that is soon."""
        if not self.is_open or self.goes_on:
            return
        middle = states.mean(axis=1)[:, np.newaxis]
        root, converged = self.equations.roots(middle, self.p, self.total)
        if not converged[0] or not self.equations.is_feasible(root[:, 0], self.scale):
            return
        values = self.equations.eigenvalues(root[:, 0], self.p, self.positive_scale())
        if stability(values) != "stable":
            return
        quarter, rate = times.size // 4, -float(values.real.max(initial=-np.inf))
        before = self.distance(states[:, :quarter], root)
        after = self.distance(states[:, -quarter:], root)
        if after >= before * np.exp(-rate * times[-quarter] / 2):
            return
        ahead = max(np.log(after / NEAR), 0.0) / rate
        steps = ahead * self.steps / self.time
        if np.isnan(self.expected) and steps < _PATIENCE * self.most_steps:
            self.most_steps += int(2 * steps)
        self.expected = self.time + ahead

    def regrows(self) -> bool:
        """Say whether states too small for their motion to be seen would grow from here."""
        gone = (np.abs(self.x) <= _STILL * self.positive_scale()) & (self.start != 0)
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

    def period(self, times: Floats, states: Floats) -> Inquiry[float | None]:
        """Find the period of a motion that repeats, angles up to full turns."""
        turns, swing = self.equations.turns, np.ptp(states, axis=1)
        turns = np.where(swing > turns, turns, np.nan)
        round_ = np.isfinite(turns)
        size = np.where(round_, np.inf, self.positive_scale())
        scale = np.append(size, np.ones(2 * round_.sum()))
        ask = partial(Motion, rtol=RTOL, turns=turns)
        guess = yield from period_of(times, on_circles(states, turns), scale, ask)
        if guess is None:
            return None
        # Beside a small swing the usual error of integration can keep up what dies out.
        seen = swing > _STILL * size
        share = (swing / (np.abs(states).max(axis=1) + _ABSOLUTE * self.positive_scale()))[seen]
        decades = np.ceil(np.log10(np.clip(share.min(initial=1.0), _FINEST, 1.0)))
        cycles = np.linspace(0.0, _PERIODS * guess, _PERIODS * _PER_PERIOD)
        # Errors of integration take a motion along its family of closed orbits: they shrink.
        for rtol in RTOL * 10.0 ** np.array([decades, decades - _DECADES_MORE]):
            ask = partial(ask, rtol=float(rtol))
            orbit = (yield ask(cycles, self.x[:, np.newaxis]))[:, 0]
            if not np.isfinite(orbit).all():
                return None
            returns = yield from closed_period(cycles, orbit, scale, ask)
            if returns is None or not returns.spirals:
                return None if returns is None else returns.period
        return None

    def is_astray(self) -> bool:
        """Say whether rounding took a state through 0, which its mechanism keeps it from passing.

        A population may all but die out until numbers end, and grow again with the wrong sign.
        One that has not yet done so gets its sign back.
        """
        across = self.x * np.sign(self.start) < 0
        if not across.any():
            return False
        across &= self.equations.stay_at_zero
        gone = np.abs(self.x) <= _STILL * self.positive_scale()
        self.x = np.where(across & gone, -self.x, self.x)
        return bool((across & ~gone).any())

    def diverged(self, before: Floats) -> Limit | None:
        """Growth without bound: some state keeps outgrowing what it was before (states,)."""
        grows = np.abs(self.x) > 1.2 * before
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

    def distance(self, a: Floats, b: Floats) -> float:
        """Return the largest difference, each state on its own scale."""
        scale = self.positive_scale().reshape(-1, *[1] * (np.ndim(a) - 1))
        return float(np.max(np.abs(a - b) / scale))

    def positive_scale(self) -> Floats:
        return np.where(self.scale > 0, self.scale, 1.0)


_Seen: TypeAlias = tuple[_Watch, Floats, Floats]
"""A sample with the times (times,) and the states (states, times) of a window."""


def _nearness(eigenvalues: NDArray[np.complex128]) -> float:
    """Return how close a run comes to an equilibrium with these eigenvalues, relative to its size.

    Each turn about it brings in the error of integration, of which light damping takes away a
    small part, Re(l) / |l|.
    """
    slowest = eigenvalues[:1]
    turns = np.abs(slowest) / np.maximum(np.abs(slowest.real), _TINY)
    return float(np.clip(RTOL * turns.max(initial=0.0), NEAR, _LOOSE))
