"""Ensembles of smooth systems: all samples of a run, each with its own draw of the parameters."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import Code
from physcm.mechanism.lanes.pool import share
from physcm.sim.engine import ROUGH, roughly, scaled
from physcm.sim.fused import adaptive, progress, steppers
from physcm.sim.fused.choice import explicit
from physcm.sim.fused.numba_engine import RODAS5P, Numba
from physcm.sim.fused.steppers import Stepper
from physcm.sim.rounding import least_moves
from physcm.sim.status import RunStatus
from physcm.sim.stepping import FEWEST_STEPS, HUGE
from physcm.sim.system import System

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
_MOST_STEPS = 1_000_000


def follow(
    system: System, times: Floats, x0: Floats, p: Floats, rtol: float, atol: Floats | None,
    engine: Numba, out: Floats, *, seconds: float = np.inf,
    done: Callable[[int], None] = lambda _: None,
) -> tuple[Floats, list[RunStatus]]:  # fmt: skip
    """Integrate all samples of X' = f(t, X, p) from X(times[0]) = x0.

    Args:
        system: the dynamics.
        times: to save, increasing.
        x0: (states, samples).
        p: (parameters, samples).
        rtol: relative tolerance.
        atol: absolute tolerance per state; if `None`, as `physcm.sim.engine.tolerances` has it.
        engine: the method and the number of threads.
        out: the states at these times are written here, (states, samples, times), and NaN from
            where a run ended early.
        seconds: how long all of it may take.
        done: called with the number of samples each time that some have arrived.

    Returns:
        The absolute tolerances, and how each sample ended.
    """
    if not len(x0) or len(times) == 1:
        out[:] = x0[:, :, np.newaxis]
        return np.ones(len(x0)), [RunStatus.COMPLETE] * x0.shape[1]
    if atol is None:
        rough = np.empty((len(x0), 1, len(times)))
        scale, least = np.abs(x0[:, 0]), least_moves(system, times[0], x0[:, 0], p[:, 0])
        start = roughly(scale, least)
        follow(system, times, x0[:, :1], p[:, :1], ROUGH, start, engine, rough, seconds=seconds)
        atol = scaled(rough[:, 0], scale, rtol, least)
    run = _Run(system, times, x0, p, rtol, atol, engine, out)
    run.to_the_end(seconds, done)
    return atol, run.ended()


class _Run:
    """All samples of a run; the last axis of each array is over them."""

    def __init__(
        self, system: System, times: Floats, x0: Floats, p: Floats, rtol: float, atol: Floats,
        engine: Numba, out: Floats,
    ) -> None:  # fmt: skip
        self.x0, self.batch = x0, Batch(
            system, engine, rtol, atol, np.full(x0.shape[1], times[0]), x0, p, times, out,
            span=times[-1] - times[0],
        )  # fmt: skip

    def to_the_end(self, seconds: float, done: Callable[[int], None]) -> None:
        """Go on to the last time, in pieces between the times at which mechanisms switch."""
        batch, deadline = self.batch, time.monotonic() + seconds
        last = np.full(batch.time.size, batch.times[0, -1])
        while (batch.alive & (batch.time < last)).any() and time.monotonic() < deadline:
            end = np.minimum(next_switches(batch.system, batch.time, batch.p), last)
            count = done if (end >= last).all() else lambda _: None
            batch.advance(end, deadline - time.monotonic(), count)
        early = np.flatnonzero(batch.time < last)
        missing = batch.times[0] > batch.time[early, np.newaxis]
        batch.out[:, early] = np.where(missing, np.nan, batch.out[:, early])
        # Earlier this would be the first to touch all of the memory, on one core.
        batch.out[:, :, 0] = self.x0

    def ended(self) -> list[RunStatus]:
        """Say how each sample ended."""
        return endings(self.batch.status, self.batch.x, self.x0)


def endings(status: Integers, x: Floats, x0: Floats) -> list[RunStatus]:
    """Say how samples ended that began with states x0 and came to x."""
    largest = np.abs(x).max(axis=0, initial=0.0), np.abs(x0).max(axis=0, initial=0.0)
    with np.errstate(invalid="ignore"):
        grew = largest[0] / HUGE > np.maximum(1.0, largest[1])
    arrived = {progress.ARRIVED: RunStatus.COMPLETE, 0: RunStatus.TIME_LIMIT}
    lost = {progress.LOST: RunStatus.STOPPED, progress.TIRED: RunStatus.STEP_LIMIT}
    return [
        arrived[kind] if kind in arrived else RunStatus.DIVERGED if far else lost[kind]
        for kind, far in zip(status.tolist(), grew.tolist(), strict=True)
    ]


def next_switches(system: System, now: Floats, p: Floats) -> Floats:
    """Return when a mechanism of each sample switches by the clock next, infinite if never."""
    never = np.full(now.size, np.inf)
    if system.is_autonomous or not system.switches.outputs:
        return never
    switches = system.switches.vector(0.0, np.empty((0, now.size)), p)
    later = np.where(switches > now, switches, np.inf)
    return np.asarray(np.min([never, *later], axis=0))


class Batch:
    """Samples of one system on their way; the last axis of each array is over them.

    Attributes:
        time: where they are.
        x: the states there.
        status: how the last advance ended, as in `progress`.
        steps: how many steps were tried.
    """

    def __init__(
        self, system: System, engine: Numba, rtol: float, atol: Floats, begin: Floats, x: Floats,
        p: Floats, times: Floats, out: Floats, *, span: float, stiff: Flags | None = None,
        watch: Watch | None = None, looks_apart: float = np.inf, most_steps: int | None = None,
    ) -> None:  # fmt: skip
        """Take samples, and what to save of them.

        Args:
            system: the dynamics, with one state at least.
            engine: the method and the number of threads.
            rtol: relative tolerance.
            atol: absolute tolerance per state, (states) or, with one per sample, (states, samples).
            begin: the time of each.
            x: the states there.
            p: the parameters.
            times: to save, increasing, (times) or, with a row per sample, (samples, times).
            out: the states at these times, (states, samples, times).
            span: of the whole run.
            stiff: which samples are known to be stiff.
            watch: conditions at whose change a sample is to stop.
            looks_apart: the longest time between two looks at them.
            most_steps: of a sample in one advance.
        """
        if not out.flags.c_contiguous:
            raise ValueError("machine code writes to `out` in C order; make it contiguous")
        count = begin.size
        self.system, self.engine, self.rtol, self.out = system, engine, rtol, out
        self.times = np.ascontiguousarray(np.atleast_2d(times))
        self.time, self.x = begin.copy(), np.array(x, order="C")
        self.p = np.ascontiguousarray(p)
        self.tolerance = np.ascontiguousarray(atol).reshape(len(x), -1)
        self.most_steps = _MOST_STEPS if most_steps is None else most_steps
        self.status, self.steps = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.stiff = np.zeros(count, dtype=bool) if stiff is None else stiff
        self.watch = watch or Watch(None, np.zeros((0, count)), np.zeros(count))
        self.longest = np.inf if system.is_autonomous else span / FEWEST_STEPS
        self.longest = min(self.longest, looks_apart * adaptive.LOOKS)

    @property
    def alive(self) -> Flags:
        """Which samples can go on."""
        lost, tired = (self.status == kind for kind in (progress.LOST, progress.TIRED))
        return np.asarray(~(lost | tired))

    def advance(
        self, end: Floats, seconds: float, done: Callable[[int], None] = lambda _: None
    ) -> None:
        """Go on to a time of each sample, explicitly until that turns out to be too stiff.

        Raises:
            Unsupported: for a function that lanes do not have.
        """
        arrived = np.where(self.time >= end, progress.ARRIVED, 0)
        self.status[:] = np.where(self.alive, arrived, self.status)
        step = np.zeros_like(self.time)
        if self.engine.method != RODAS5P:
            waiting = self.stiff & (self.status == 0)
            self.status[waiting] = progress.STIFF
            self._step_explicitly(end, step, seconds, done)
            self.stiff |= self.status == progress.STIFF
            self.status[self.status == progress.STIFF] = 0
            done = lambda _: None  # noqa: E731
        if (self.status == 0).any():
            stepper = steppers.stiff(self.system.name, self.system.rates)
            self._step(stepper, end, step, seconds, done)

    def _step_explicitly(
        self, end: Floats, step: Floats, seconds: float, done: Callable[[int], None]
    ) -> None:
        before, name, rates = self.status.copy(), self.system.name, self.system.rates
        watched = self.watch.code is not None
        for stepper in explicit(name, rates, self.engine.method, self.rtol, watched=watched):
            self._step(stepper, end, step, seconds, done)
            lost = (self.status == progress.LOST) & (before == 0)
            if not lost.any():
                return
            self.status[lost], step[lost] = 0, 0.0
        self.status[lost] = progress.LOST

    def _step(
        self, stepper: Stepper, end: Floats, step: Floats, seconds: float,
        done: Callable[[int], None],
    ) -> None:  # fmt: skip
        inside = np.array([np.nextafter(self.time, end), np.nextafter(end, self.time)])

        def work(low: int, high: int, stop: Integers) -> None:
            adaptive.run(
                stepper, self.tolerance, self.rtol, self.time, end, inside, self.x, self.p,
                self.longest, step, self.status, self.steps, self.times, self.out, low, high,
                self.most_steps, stop, self.watch.address, self.watch.truth, self.watch.blind,
            )  # fmt: skip

        count = self.time.size if (self.status == 0).any() else 0
        share(
            work, count, threads=self.engine.workers, grain=LANES, seconds=seconds, done=done
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Watch:
    """Conditions that are watched in all samples.

    Attributes:
        code: of `watch(t, x, p, out)`, or None if there are none.
        truth: what they were when last looked at, 1 or 0, (conditions, samples).
        blind: up to which time nothing is looked at, (samples).
    """

    code: Code | None
    truth: Floats
    blind: Floats

    @property
    def address(self) -> int | None:
        """Where the code is, if there is any."""
        return self.code.address("watch") if self.code else None
