"""`settle`: what a system does in the long run, sample by sample.

The run is followed over windows [0, T], T doubling. It has *settled* when it has come close
to a root of the equilibrium equations, with the conserved totals of its own start, whose
eigenvalues all have negative real parts; where the linearization cannot tell, when two
doublings of time no longer move it. It is *periodic* when its excursions and their timing
repeat over many periods, *diverged* when it leaves every bound, be it in finite time, *broken
off* where the mechanisms have no finite value, and *still moving* otherwise (slow,
quasi-periodic or chaotic).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import Unsupported
from physcm.sim.engine import Trajectory, integrate
from physcm.sim.equilibrium import EquilibriumEquations, stability
from physcm.sim.escape import escapes
from physcm.sim.extension import extended
from physcm.sim.period import is_closed, period_of
from physcm.sim.provenance import provenance
from physcm.sim.status import LimitStatus, RunStatus, flags
from physcm.sim.system import System

_RTOL = 1e-8
_NEAR = 1e-6
_NEAR_ZERO = 1e-9
_STILL = 1e-7
_SLOW = 1e-2
_WINDOWS = 64
_POINTS = 1024
_GROWING_WINDOWS = 20
_GREW = 10
_PAST = 100.0
_PERIODS = 40
_MOST_STEPS = 300_000
_TINY = 1e-300
_TRIED = (("LSODA", 100), ("BDF", 2), ("LSODA", 10_000))
"""Methods to follow a window by, each if those before take more steps than so many per point."""


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


def settle(system: System, n: int = 1, seed: int = 0, *, progress: bool = False) -> xr.Dataset:
    """Return the long-time limit of each sample, with a status.

    Args:
        system: autonomous and without noise.
        n: number of samples.
        seed: as in `simulate`.
        progress: show a progress bar.

    Returns:
        A dataset over `sample`: each state and derived variable at its limit (NaN unless
        settled), the parameters, `status` (settled, periodic, diverged, still_moving, broken_off),
        `period` and `settling_time`, and attributes that suffice to repeat it.

    Raises:
        Unsupported: for a system with noise or explicit time, which has no such limit.

    >>> decay = System({"x": "1 - k*x"}, parameters={"k": 2}, initial={"x": 1})
    >>> float(settle(decay).x[0])
    0.5
    """
    require_autonomous(system)
    equations = EquilibriumEquations(system)
    samples = np.arange(n)
    x0, p = system.draw(samples, seed)
    limits = [long_run(equations, x0[:, k], p[:, k]) for k in _tracked(samples, progress)]
    return _dataset(system, limits, p).assign_attrs(provenance(system), seed=int(seed))


def require_autonomous(system: System) -> None:
    """Refuse systems that noise, explicit time or sudden changes keep from resting."""
    if system.noise:
        raise Unsupported(
            f"{system.in_words} has noise in `{next(iter(system.noise))[0]}`, so that "
            "its states never rest; remove the noise, or ask for its stationary law"
        )
    if not system.is_autonomous:
        raise Unsupported(
            f"{system.in_words} reads time `t` in a mechanism, so that it has no "
            "equilibrium of its own; replace `t` by a parameter"
        )
    sudden = {"schedule": "interventions over time", "events": "events", "jumps": "jumps"}
    for field, what in sudden.items():
        if getattr(system, field):
            raise Unsupported(
                f"{system.in_words} has {what}, so that its state does not follow its "
                "drift alone; remove them, or look at it with `simulate`"
            )


def long_run(equations: EquilibriumEquations, x0: Floats, p: Floats) -> Limit:
    """Follow one sample until its fate is known."""
    if not len(x0):
        return Limit(LimitStatus.SETTLED, x0, 0.0, x0)
    watch = _Watch(equations, x0, p)
    return watch.run()


class _Watch:
    """One sample on its way, with what has been seen of it so far."""

    def __init__(self, equations: EquilibriumEquations, x0: Floats, p: Floats) -> None:
        self.equations, self.p = equations, p
        self.system = equations.system
        self.total = equations.weights @ x0
        self.x, self.time = x0, 0.0
        self.scale = np.abs(x0)
        self.growing = np.zeros(len(x0), dtype=int)
        self.still = self.steps = 0

    def run(self) -> Limit:
        limit = self.rest_at_start()
        window = self.first_window()
        for _ in range(_WINDOWS):
            if limit or self.steps > _MOST_STEPS:
                break
            limit = self.advance(window)
            window *= 2 if self.time > window else 1
        return limit or self.ended(LimitStatus.STILL_MOVING)

    def ended(self, status: LimitStatus, period: float = np.nan) -> Limit:
        return Limit(status, self.x, self.time, self.scale, period)

    def first_window(self) -> float:
        """Return the fastest time scale in sight, so that no transient is stepped over."""
        rates = self.equations.system.rates.jacobian.dense(0.0, self.x, self.p)
        fastest = np.nanmax(np.abs(np.diag(rates)), initial=0.0)
        return float(1.0 / fastest) if 0 < fastest < np.inf else 1.0

    def rest_at_start(self) -> Limit | None:
        """A start that already solves the equations stays, stable or not."""
        if self.equations.rests(self.x, self.p, self.total):
            return self.ended(LimitStatus.SETTLED)
        return None

    def advance(self, window: float) -> Limit | None:
        times = np.linspace(0.0, window, _POINTS)
        run = self.follow(times, self.x)
        if run.status is not RunStatus.COMPLETE:
            diverged = run.status is RunStatus.DIVERGED or self.outgrows(_GREW)
            last = int(np.isfinite(run.states).all(axis=0).sum()) - 1
            if diverged or self.escaped(run.states[:, last], times[-1] - times[last]):
                return self.ended(LimitStatus.DIVERGED)
            if self.system is self.equations.system and self.in_bounds(run.states[:, last]):
                self.system = extended(self.system)
                return self.advance(window)
            return self.ended(LimitStatus.BROKEN_OFF)
        before, self.x = self.x, run.states[:, -1]
        self.time += window
        self.scale = np.maximum(self.scale, np.abs(run.states).max(axis=1))
        return (
            self.settled(run.states)
            or self.at_rest(run.states)
            or self.periodic(times, run.states)
            or self.diverged(before)
        )

    def escaped(self, x: Floats, within: float) -> bool:
        """Say whether a run that broke off was on its way to infinity."""
        return escapes(self.system, x, self.p, within)

    def in_bounds(self, x: Floats) -> bool:
        """Say whether there are bounds and a state lies within them."""
        return bool(self.system.bounds) and self.equations.is_feasible(x, self.positive_scale())

    def follow(self, times: Floats, x: Floats) -> Trajectory:
        """Integrate from a state at time 0.

        Begun on a slow manifold, LSODA can creep along it with small explicit steps, as nothing
        there tells it that larger ones would be unstable; BDF takes large ones. Where that is
        not it, the motion is fast and small steps are what it needs.
        """
        atol = 1e-3 * _RTOL * np.where(self.scale > 0, self.scale, 1e-20)
        run = self.tried(times, x, atol)
        crossing = self.crossing(run.states)
        if crossing.any() and not self.crossing(x[:, np.newaxis]).any():
            again = self.tried(times, x, np.where(crossing, _TINY, atol))
            if again.status is RunStatus.COMPLETE and not self.crossing(again.states).any():
                return again
        return run

    def tried(self, times: Floats, x: Floats, atol: Floats) -> Trajectory:
        """Integrate by the first method that does not creep."""
        for method, most_steps in _TRIED:
            run = integrate(
                self.system, times, x, self.p, _RTOL, atol, method, most_steps=most_steps
            )
            if run.status is RunStatus.COMPLETE:
                break
        self.steps += run.steps
        return run

    def crossing(self, states: Floats) -> NDArray[np.bool_]:
        """Say which states pass a bound at 0.

        What all but dies out before it returns, as an infection between epidemics, is smaller
        than any absolute error, which may give it the wrong sign.
        """
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
        near = _NEAR * np.abs(root) + _NEAR_ZERO * self.positive_scale()
        if (np.abs(self.x - root) > near).any():
            return None
        kind = stability(self.equations.eigenvalues(root, self.p, self.positive_scale()))
        return self.ended(LimitStatus.SETTLED) if kind == "stable" else None

    def at_rest(self, states: Floats) -> Limit | None:
        """Certify a limit that doubling the time no longer moves, past every time scale.

        In time t^-a, towards a marginal equilibrium of x' = -x^m, the rate m x^(m-1) stays
        above 1/t; what is slower than that has not begun to move.
        """
        self.still = self.still + 1 if self.moved(states) < _STILL else 0
        resting = self.still >= 3 and self.time * self.slowest() > 1
        return self.ended(LimitStatus.SETTLED) if resting else None

    def periodic(self, times: Floats, states: Floats) -> Limit | None:
        scale = self.positive_scale()
        period = period_of(times, states, scale, self.path)
        if period is None:
            return None
        cycles = np.linspace(0.0, _PERIODS * period, 200 * _PERIODS)
        run = self.follow(cycles, self.x)
        complete = run.status is RunStatus.COMPLETE
        if complete and is_closed(cycles, run.states, scale, self.path):
            return self.ended(LimitStatus.PERIODIC, period)
        return None

    def path(self, times: Floats, x: Floats) -> Floats:
        """Return the states at some times from a state at time 0."""
        return self.follow(times, x).states

    def diverged(self, before: Floats) -> Limit | None:
        """Growth without bound: some state keeps growing in proportion with doubled time."""
        grows = np.abs(self.x) > 1.2 * np.abs(before)
        self.growing = np.where(grows, self.growing + 1, 0)
        if self.outgrows(_GROWING_WINDOWS):
            return self.ended(LimitStatus.DIVERGED)
        return None

    def outgrows(self, windows: int) -> bool:
        """Say whether growth has gone on for so many doublings, and past every time scale."""
        if (self.growing < windows).all():
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


def _tracked(samples: NDArray[np.int64], progress: bool) -> Any:
    if not progress:
        return samples.tolist()
    from rich.progress import track

    return track(samples.tolist(), description="settling", transient=True)


def _dataset(system: System, limits: list[Limit], p: Floats) -> xr.Dataset:
    states = np.array([
        limit.state if limit.status is LimitStatus.SETTLED else np.full(len(system.states), np.nan)
        for limit in limits
    ]).T.reshape(len(system.states), len(limits))  # fmt: skip
    derived = system.outputs.vector(0.0, states, p)
    variables: dict[str, Any] = {}
    for names, rows in ((system.states, states), (tuple(system.derived), derived)):
        variables |= {name: ("sample", row) for name, row in zip(names, rows, strict=True)}
    variables |= {name: ("sample", p[i]) for i, name in enumerate(system.parameters)}
    variables["status"] = flags([limit.status for limit in limits], LimitStatus)
    variables["period"] = ("sample", [limit.period for limit in limits])
    variables["settling_time"] = ("sample", [limit.time for limit in limits])
    return xr.Dataset(variables, coords={"sample": np.arange(len(limits))})
