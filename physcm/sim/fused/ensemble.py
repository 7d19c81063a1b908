"""Ensembles of smooth systems: all samples of a run, each with its own draw of the parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES
from physcm.sim.engine import scaled
from physcm.sim.fused import adaptive, steppers
from physcm.sim.fused.numba_engine import AUTO, DORMAND_PRINCE_5, DORMAND_PRINCE_8, RODAS5P, Numba
from physcm.sim.fused.pool import share
from physcm.sim.fused.runge_kutta import dormand_prince_5, dormand_prince_8
from physcm.sim.fused.steppers import Stepper
from physcm.sim.status import RunStatus
from physcm.sim.stepping import HUGE
from physcm.sim.system import System

Integers = NDArray[np.int64]
_FEWEST_STEPS = 100
_MOST_STEPS = 1_000_000
_ROUGH = 1e-5
_LOOSE = 1e-5


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
        start = np.where(np.abs(x0[:, 0]) > 0, 1e-9 * np.abs(x0[:, 0]), 1e-30)
        follow(system, times, x0[:, :1], p[:, :1], _ROUGH, start, engine, rough, seconds=seconds)
        atol = scaled(rough[:, 0], np.abs(x0[:, 0]), rtol)
    run = _Run(system, times, x0, p, rtol, atol, engine, out)
    run.to_the_end(seconds, done)
    return atol, run.ended()


class _Run:
    """All samples on their way; the last axis of each array is over them."""

    def __init__(
        self, system: System, times: Floats, x0: Floats, p: Floats, rtol: float, atol: Floats,
        engine: Numba, out: Floats,
    ) -> None:  # fmt: skip
        count = x0.shape[1]
        self.system, self.times, self.x0, self.p, self.out = system, times, x0, p, out
        self.rtol, self.atol, self.engine = rtol, atol, engine
        self.x, self.time = np.ascontiguousarray(x0).copy(), np.full(count, times[0])
        self.step = np.zeros(count)
        self.status, self.steps = np.zeros(count, np.int64), np.zeros(count, np.int64)
        span = times[-1] - times[0]
        self.longest = np.inf if system.is_autonomous else span / _FEWEST_STEPS
        out[:, :, 1:] = np.nan
        out[:, :, 0] = x0

    def to_the_end(self, seconds: float, done: Callable[[int], None]) -> None:
        """Go on to the last time, in pieces between the times at which mechanisms switch."""
        pieces = self._edges()
        for end in pieces:
            self.status[:] = np.where(self.time >= end, adaptive.ARRIVED, 0)
            count = done if end is pieces[-1] else lambda _: None
            if self.engine.method != RODAS5P:
                self._advance(self._explicit(), end, seconds, count)
                # Samples that are stiff go on from where that was seen.
                self.status[self.status == adaptive.STIFF] = 0
                count = lambda _: None  # noqa: E731
            if (self.status == 0).any():
                self._advance(self._stiff(), end, seconds, count)
            self.step[:] = 0.0

    def _advance(
        self, stepper: Stepper, end: Floats, seconds: float, done: Callable[[int], None]
    ) -> None:
        """Step the samples that have not ended, up to a time of each."""
        tolerance = np.repeat(self.atol[:, np.newaxis], LANES, axis=1)
        parameters = np.ascontiguousarray(self.p)

        def work(low: int, high: int, stop: Integers) -> None:
            adaptive.run(
                stepper.method, stepper.system, stepper.stages, stepper.storage,
                stepper.stability, tolerance, self.rtol, self.time, end, self.x, parameters,
                self.longest, self.step, self.status, self.steps, self.times, self.out, low,
                high, _MOST_STEPS, stop,
            )  # fmt: skip

        moving = (self.status == 0).any()
        share(
            work, moving and self.time.size, threads=self.engine.workers, grain=LANES,
            seconds=seconds, done=done,
        )  # fmt: skip

    def _explicit(self) -> Stepper:
        name = self.engine.method
        if name == AUTO:
            name = DORMAND_PRINCE_5 if self.rtol > _LOOSE else DORMAND_PRINCE_8
        method = {DORMAND_PRINCE_5: dormand_prince_5, DORMAND_PRINCE_8: dormand_prince_8}[name]()
        return steppers.explicit(self.system.name, self.system.rates, method)

    def _stiff(self) -> Stepper:
        return steppers.stiff(self.system.name, self.system.rates)

    def _edges(self) -> list[Floats]:
        """Return the ends of the pieces, each over the samples; the last is the last time."""
        count, last = self.time.size, np.full(self.time.size, self.times[-1])
        if self.system.is_autonomous or not self.system.switches.outputs:
            return [last]
        switches = self.system.switches.vector(0.0, np.empty((0, count)), self.p)
        inside = (switches > self.times[0]) & (switches < self.times[-1])
        edges = np.sort(np.where(inside, switches, last), axis=0)
        return [edge for edge in edges if (edge < last).any()] + [last]

    def ended(self) -> list[RunStatus]:
        """Say how each sample ended."""
        largest = np.abs(self.x).max(axis=0), np.abs(self.x0).max(axis=0)
        with np.errstate(invalid="ignore"):
            grew = largest[0] / HUGE > np.maximum(1.0, largest[1])
        lost = np.where(grew, RunStatus.DIVERGED, RunStatus.STOPPED)
        kinds = {adaptive.ARRIVED: RunStatus.COMPLETE, 0: RunStatus.TIME_LIMIT}
        return [
            kinds.get(status, RunStatus(how))
            for status, how in zip(self.status.tolist(), lost.tolist(), strict=True)
        ]
