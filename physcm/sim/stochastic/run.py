"""Runs of whatever moves at random, on a base grid, with whatever happens inside its steps."""

from __future__ import annotations

import math
import time
import warnings

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NotCompiled
from physcm.mechanism.lanes.pool import cores
from physcm.sim.fused.stochastic import Walkers
from physcm.sim.plan import Plan, SystemPlan
from physcm.sim.status import RunStatus
from physcm.sim.stochastic import pieces
from physcm.sim.stochastic.ensemble import Ensemble, StochasticRun
from physcm.sim.stochastic.grid import Grid
from physcm.sim.stochastic.motion import ItsView, Motion, SystemMotion


def run(
    plan: SystemPlan,
    times: Floats,
    step: float,
    scheme: str,
    *,
    noise: Floats | None = None,
    seconds: float = math.inf,
    fast: bool = True,
    threads: int | None = None,
) -> StochasticRun:
    """Return all samples of a system with noise or random jumps.

    Args:
        plan: of the system.
        times: to save, increasing.
        step: the base step.
        scheme: one of `SCHEMES`.
        noise: the increments of the sources, in the order of their names, if they are known:
            (sources, samples, steps).
        seconds: how long the run may take.
        fast: whether to run machine code, as far as there is some for the system.
        threads: how many run that at once, as many as there are cores unless told.
    """
    deadline = time.monotonic() + seconds
    motion = SystemMotion(plan, step, scheme, noise)
    ensemble = Ensemble(plan, Grid(times, step), motion)
    walkers = Walkers(ensemble, motion, threads or cores(), deadline)
    if fast and walkers.can_go:
        try:
            walkers.go()
            return _result(ensemble, deadline)
        except NotCompiled as error:
            warnings.warn(f"{error}; NumPy takes the steps instead", stacklevel=2)
            ensemble = Ensemble(plan, Grid(times, step), motion)
    return _followed(ensemble, deadline)


def follow(
    plan: Plan[ItsView], times: Floats, step: float, motion: Motion[ItsView],
    seconds: float = math.inf,
) -> StochasticRun:  # fmt: skip
    """Return all samples of whatever moves at random, in NumPy.

    Args:
        plan: of the system or network.
        times: to save, increasing.
        step: the base step.
        motion: how it moves in a step.
        seconds: how long the run may take.
    """
    deadline = time.monotonic() + seconds
    return _followed(Ensemble(plan, Grid(times, step), motion), deadline)


def _followed(ensemble: Ensemble[ItsView], deadline: float) -> StochasticRun:
    for k in range(ensemble.grid.steps):
        if time.monotonic() > deadline:
            break
        pieces.take_step(ensemble, k)
    return _result(ensemble, deadline)


def _result(ensemble: Ensemble[ItsView], deadline: float) -> StochasticRun:
    late = time.monotonic() > deadline
    return ensemble.result(RunStatus.TIME_LIMIT if late else RunStatus.STOPPED)
