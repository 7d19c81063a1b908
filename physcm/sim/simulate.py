"""`simulate`: a system over time, as a labelled dataset."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue, NotCompiled, Unsupported
from physcm.sim import hybrid
from physcm.sim.differentiable import simulate_torch
from physcm.sim.engine import Scipy, integrate, tolerances
from physcm.sim.fused.numba_engine import Numba
from physcm.sim.gillespie import gillespie
from physcm.sim.instants import Instants
from physcm.sim.modes import Modes
from physcm.sim.network import Network, simulate_network
from physcm.sim.options import (
    checked_times,
    checked_tolerances,
    counted,
    ode_engine,
    positive_count,
    positive_number,
    positive_step,
    tracked,
)
from physcm.sim.plan import SystemPlan
from physcm.sim.schedule import mode, require_one_per_sample
from physcm.sim.status import RunStatus
from physcm.sim.stochastic.run import run as stochastic_run
from physcm.sim.stochastic.schemes import scheme_for
from physcm.sim.streaming import streamed
from physcm.sim.system import System
from physcm.sim.torch_engine import Torch
from physcm.sim.torch_losses import losses
from physcm.sim.trajectories import as_dataset, complete, completed
from physcm.sim.trouble import troubles

RTOL = 1e-8


def simulate(
    system: System | Network,
    t: ArrayLike,
    *,
    n: int = 1,
    seed: int = 0,
    engine: str | Numba | Scipy | Torch = "auto",
    rtol: float | None = None,
    atol: float | Sequence[float] | None = None,
    step: float | None = None,
    time_limit: float | None = None,
    progress: bool = False,
    to: str | os.PathLike[str] | None = None,
) -> xr.Dataset:
    """Return trajectories of a system.

    Solves dX/dt = f(X, p, t) from X(t[0]), or its stochastic form where there is noise, once
    per sample, each with its own draw of the random parameters and initial values.

    Args:
        system: what to simulate; a `Network` has a dataset of its own form (see
            `physcm.sim.network`).
        t: times to save, increasing; the run starts at the first.
        n: number of samples.
        seed: the seed; (seed, sample, step, name) determine each draw.
        engine: without noise "auto", "numba" or `Numba(method, threads)`, the fast engine for
            ensembles; "scipy" or `Scipy(method)`, the reference. With noise "auto", "numba",
            `Numba(threads=)` or one of `physcm.sim.stochastic.SCHEMES`: "euler-maruyama",
            "milstein" (commutative noise), "sra1" (additive noise); "auto" takes the most
            accurate that the noise allows; to compare runs draw by draw, name one. "gillespie"
            fires the reactions of a system one by one instead of following its drift
            (`physcm.sim.gillespie`). "torch" or `Torch(...)` solves by torchdiffeq and torchsde,
            on a GPU if told so.
        rtol: relative tolerance of each step, 1e-8 unless told.
        atol: absolute tolerance of each step, one number or one per state; unless told a
            thousandth of rtol times the largest value of each state in a rough run.
        step: the step where there is noise or jumps; needed there.
        time_limit: the seconds that a sample may take; where there is noise or the engine is
            "gillespie", all together.
        progress: show a progress bar.
        to: a folder for a zarr store, written some samples at a time, for what is larger than
            the memory; the dataset that is returned reads from it what is looked at.

    Returns:
        A dataset with dimensions `sample` and `time`: each state and derived variable over
        both, each parameter over `sample`, a `status` over `sample` (complete, diverged,
        stopped, time_limit, step_limit: NaN from the end of the run on), and attributes that
        suffice to repeat it; where values are missing, the attribute `trouble` says from when
        on, and which variable it was.
        A saved value at an instant at which something is done is the one afterwards. Where
        something can be done (a schedule, events, jumps), `instant_time` over sample and
        instant, with `before(X)` and `after(X)` of each variable X.

    Raises:
        InvalidValue: for times that do not increase, options outside of their range, and a
            folder that exists.

    >>> decay = System({"x": "-k*x"}, parameters={"k": 2}, initial={"x": 1})
    >>> float(simulate(decay, [0, 1]).x[0, -1])  # doctest: +ELLIPSIS
    0.13533528...
    """
    if isinstance(system, Network):
        if isinstance(engine, Torch | Numba):
            raise Unsupported(
                f"the {type(engine).__name__.lower()} engine has no networks; use engine='scipy'"
            )
        return simulate_network(
            system, t, n=n, seed=seed, engine=engine, rtol=rtol, atol=atol, step=step,
            time_limit=time_limit, progress=progress, to=to,
        )  # fmt: skip
    times = checked_times(t)
    samples = np.arange(positive_count(n, "n"))
    require_one_per_sample(system, samples.size)
    seconds = np.inf if time_limit is None else positive_number(time_limit, "time_limit")
    if to is None:
        return _run(system, times, samples, seed, engine, rtol, atol, step, seconds, progress)
    if time_limit is not None:
        raise InvalidValue(f"time_limit is `{time_limit!r}`, and `to` is given; leave out one")
    if engine == "torch" or isinstance(engine, Torch):
        raise Unsupported("samples share their steps on the torch engine; leave out `to`")

    def some(samples: NDArray[np.int64], atol: float | Sequence[float] | None) -> xr.Dataset:
        return _run(system, times, samples, seed, engine, rtol, atol, step, seconds, False)

    return streamed(some, samples, atol, len(system.variables) * times.size, to, progress)


def _run(
    system: System, times: Floats, samples: NDArray[np.int64], seed: int,
    engine: str | Numba | Scipy | Torch, rtol: float | None,
    atol: float | Sequence[float] | None, step: float | None, seconds: float, progress: bool,
) -> xr.Dataset:  # fmt: skip
    """Run some samples on the engine that is asked for."""
    if engine == "gillespie":
        return gillespie(system, times, samples, seed, seconds)
    if engine == "torch" or isinstance(engine, Torch):
        if seconds < np.inf:
            raise Unsupported("the torch engine has no time limit; leave out `time_limit`")
        torch = engine if isinstance(engine, Torch) else Torch()
        return _torch(system, times, samples, seed, torch, rtol, atol, step)
    if system.noise or system.jumps:
        return _stochastic(system, times, samples, seed, engine, step, seconds)
    if system.reflected:
        raise Unsupported(
            f"`{system.reflected[0]}` is reflected, and nothing random moves the system; without "
            "noise and jumps leave out `reflected`, or turn the state back by an Event"
        )
    chosen = ode_engine(engine)
    relative = RTOL if rtol is None else positive_number(rtol, "rtol")
    if isinstance(chosen, Numba):
        fused = _fused_hybrid if system.schedule or system.events else _fused
        try:
            return fused(system, times, samples, seed, relative, atol, chosen, seconds, progress)
        except Unsupported:
            if engine != "auto":
                raise
        except NotCompiled as error:
            warnings.warn(f"{error}; the reference engine runs instead", stacklevel=2)
    method = chosen.method if isinstance(chosen, Scipy) else Scipy().method
    if system.schedule or system.events or seconds < np.inf:
        return _hybrid(system, times, samples, seed, relative, atol, method, seconds, progress)
    return _smooth(system, times, samples, seed, relative, atol, method, progress)


def _torch(
    system: System, times: Floats, samples: NDArray[np.int64], seed: int, engine: Torch,
    rtol: float | None, atol: float | Sequence[float] | None, step: float | None,
) -> xr.Dataset:  # fmt: skip
    """Run a system with PyTorch, all samples together."""
    states = simulate_torch(
        system, times, samples.size, seed, engine, rtol=rtol, atol=atol, step=step
    )
    p = system.draw(samples, seed)[1]
    given = {"rtol": rtol, "atol": None if atol is None else str(atol), "step": step}
    settings = {"seed": int(seed), "engine": "torch", "method": engine.method_for(system)}
    settings |= {"device": engine.device, "dtype": engine.dtype}
    settings |= {name: value for name, value in given.items() if value is not None}
    ended, why = losses(system, times, states, samples, seed, step)
    parameters = dict(zip(system.parameters, p, strict=True))
    values = completed(system, times, states, p)
    return as_dataset(system, samples, times, values, parameters, ended, settings, why=why)


def _fused(
    system: System, times: Floats, samples: NDArray[np.int64], seed: int, rtol: float,
    atol: float | Sequence[float] | None, engine: Numba, seconds: float, progress: bool,
) -> xr.Dataset:  # fmt: skip
    """Run a system that follows its drift alone, in blocks of samples."""
    from physcm.sim.fused import outputs
    from physcm.sim.fused.ensemble import follow

    x0, p = system.draw(samples, seed)
    absolute = None if atol is None else checked_tolerances(atol, len(x0))
    values = np.empty((len(system.variables), samples.size, times.size))
    with counted(samples.size, progress) as done:
        absolute, ended = follow(
            system, times, x0, p, rtol, absolute, engine, values[: len(x0)],
            seconds=seconds, done=done,
        )  # fmt: skip
    outputs.complete(system, times, values, p, engine.workers)
    settings = _settings(seed, "numba", engine.method, rtol, absolute)
    return _smooth_dataset(system, samples, times, values, p, ended, settings)


def _fused_hybrid(
    system: System, times: Floats, samples: NDArray[np.int64], seed: int, rtol: float,
    atol: float | Sequence[float] | None, engine: Numba, seconds: float, progress: bool,
) -> xr.Dataset:  # fmt: skip
    """Run a system with a schedule or events, in blocks of samples."""
    from physcm.sim.fused.hybrid import follow

    plan = SystemPlan(Modes(system, samples, seed))
    absolute = None if atol is None else _spread(system, atol)
    with counted(samples.size, progress) as done:
        absolute, runs = follow(plan, times, rtol, absolute, engine, seconds, done)
    return as_dataset(
        system,
        samples,
        times,
        runs.saved,
        plan.modes.parameters,
        runs.ended(),
        _settings(seed, "numba", engine.method, rtol, absolute),
        runs.agendas.instants(),
        {k: why for k, (_, why) in sorted(runs.over.items())},
    )


def _smooth(
    system: System, times: Floats, samples: NDArray[np.int64], seed: int, rtol: float,
    atol: float | Sequence[float] | None, method: str, progress: bool,
) -> xr.Dataset:  # fmt: skip
    """Run a system that follows its drift alone, one sample after the other."""
    x0, p = system.draw(samples, seed)
    absolute = _absolute(system, atol, times, x0[:, 0], p[:, 0], rtol)
    values = np.empty((len(system.variables), samples.size, times.size))
    ended = []
    for k in tracked(range(samples.size), progress):
        run = integrate(system, times, x0[:, k], p[:, k], rtol, absolute, method)
        values[: len(x0), k] = run.states
        ended.append(run.status)
    complete(system, times, values, p)
    settings = _settings(seed, "scipy", method, rtol, absolute)
    return _smooth_dataset(system, samples, times, values, p, ended, settings)


def _smooth_dataset(
    system: System, samples: NDArray[np.int64], times: Floats, values: Floats, p: Floats,
    ended: Sequence[RunStatus], settings: dict[str, Any],
) -> xr.Dataset:  # fmt: skip
    """Return the dataset of all variables at the saved times."""
    why = troubles(system, times, values[: len(system.states)], p, ended)
    parameters = dict(zip(system.parameters, p, strict=True))
    return as_dataset(system, samples, times, values, parameters, ended, settings, why=why)


def _settings(seed: int, engine: str, method: str, rtol: float, atol: Floats) -> dict[str, Any]:
    return {
        "seed": int(seed), "engine": engine, "method": method, "rtol": rtol,
        "atol": json.dumps(atol.tolist()),
    }  # fmt: skip


def _stochastic(
    system: System, times: Floats, samples: NDArray[np.int64], seed: int,
    engine: str | Numba | Scipy, step: float | None, seconds: float,
) -> xr.Dataset:  # fmt: skip
    """Run a system with noise or random jumps, all samples together."""
    h = positive_step(step, "system")
    plan = SystemPlan(Modes(system, samples, seed))
    places = range(len(system.schedule))
    chosen = Numba() if engine == "numba" else engine
    named, threads = (
        (chosen.method, chosen.workers) if isinstance(chosen, Numba) else (chosen, None)
    )
    scheme = scheme_for(named, [mode(system, ()), *(mode(system, [i]) for i in places)])
    result = stochastic_run(plan, times, h, scheme, seconds=seconds, threads=threads)
    settings = {"seed": int(seed), "engine": scheme, "step": h}
    return as_dataset(
        system, samples, times, result.values, plan.modes.parameters, result.ended, settings,
        result.instants, result.why,
    )  # fmt: skip


def _hybrid(
    system: System, times: Floats, samples: NDArray[np.int64], seed: int, rtol: float,
    atol: float | Sequence[float] | None, method: str, seconds: float, progress: bool,
) -> xr.Dataset:  # fmt: skip
    """Run a system with a schedule or events, one sample after the other."""
    plan = SystemPlan(Modes(system, samples, seed))
    start = plan.modes.start(times[0])
    if atol is None:
        first = start[:, 0]
        least = plan.modes.view().rounding(times[0], first)
        absolute = hybrid.tolerances(plan, times, first, least, rtol, method, seconds)
    else:
        absolute = _spread(system, atol)
    settings = hybrid.Settings(rtol, absolute, method, seconds)
    runs = [
        hybrid.run(plan, k, times, start[:, k], settings)
        for k in tracked(range(samples.size), progress)
    ]
    return as_dataset(
        system,
        samples,
        times,
        np.stack([run.values for run in runs], axis=1),
        plan.modes.parameters,
        [run.status for run in runs],
        _settings(seed, "scipy", method, rtol, absolute),
        Instants.of([run.instants for run in runs]) if system.schedule or system.events else None,
        {k: run.trouble for k, run in enumerate(runs) if run.trouble},
    )


def _spread(system: System, atol: float | Sequence[float]) -> Floats:
    """Return an absolute tolerance of each variable; if those of states are given, 0 of others."""
    if np.size(atol) == len(system.variables):
        return checked_tolerances(atol, len(system.variables))
    absolute = np.zeros(len(system.variables))
    absolute[: len(system.states)] = checked_tolerances(atol, len(system.states))
    return absolute


def _absolute(
    system: System, atol: float | Sequence[float] | None, times: Floats, x0: Floats, p: Floats,
    rtol: float,
) -> Floats:  # fmt: skip
    if atol is None:
        return tolerances(system, times, x0, p, rtol)
    return checked_tolerances(atol, len(x0))
