"""`simulate`: a system over time, as a labelled dataset."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.sim import hybrid
from physcm.sim.agenda import Plan
from physcm.sim.engine import Scipy, integrate, tolerances
from physcm.sim.modes import Modes
from physcm.sim.schedule import mode
from physcm.sim.stochastic.run import run as stochastic_run
from physcm.sim.stochastic.schemes import scheme_for
from physcm.sim.system import System
from physcm.sim.trajectories import as_dataset, completed

RTOL = 1e-8


def simulate(
    system: System,
    t: ArrayLike,
    *,
    n: int = 1,
    seed: int = 0,
    engine: str | Scipy = "auto",
    rtol: float | None = None,
    atol: float | Sequence[float] | None = None,
    step: float | None = None,
    progress: bool = False,
) -> xr.Dataset:
    """Return trajectories of a system.

    Solves dX/dt = f(X, p, t) from X(t[0]), or its stochastic form where there is noise, once
    per sample, each with its own draw of the random parameters and initial values.

    Args:
        system: what to simulate.
        t: times to save, increasing; the run starts at the first.
        n: number of samples.
        seed: the seed; (seed, sample, step, name) determine each draw.
        engine: without noise "auto" or "scipy", or `Scipy(method)`; with noise "auto" or one of
            `physcm.sim.stochastic.SCHEMES`: "euler-maruyama", "milstein" (commutative noise),
            "sra1" (additive noise). "auto" takes the most accurate that the noise allows; to
            compare runs draw by draw, name one.
        rtol: relative tolerance of each step, 1e-8 unless told.
        atol: absolute tolerance of each step, one number or one per state; unless told a
            thousandth of rtol times the largest value of each state in a rough run.
        step: the step where there is noise or jumps; needed there.
        progress: show a progress bar.

    Returns:
        A dataset with dimensions `sample` and `time`: each state and derived variable over
        both, each parameter over `sample`, a `status` over `sample` (complete, diverged,
        stopped: NaN from the end of the run on), and attributes that suffice to repeat it.
        A saved value at an instant at which something is done is the one afterwards. Where
        something can be done (a schedule, events, jumps), `instant_time` over sample and
        instant, with `before(X)` and `after(X)` of each variable X.

    Raises:
        InvalidValue: for times that do not increase, and options outside of their range.

    >>> decay = System({"x": "-k*x"}, parameters={"k": 2}, initial={"x": 1})
    >>> float(simulate(decay, [0, 1]).x[0, -1])  # doctest: +ELLIPSIS
    0.13533528...
    """
    times = _checked_times(t)
    samples = np.arange(_positive(n, "n"))
    if system.noise or system.jumps:
        return _stochastic(system, times, samples, seed, engine, step)
    method = _method(engine)
    relative = RTOL if rtol is None else _positive_number(rtol, "rtol")
    if system.schedule or system.events:
        return _hybrid(system, times, samples, seed, relative, atol, method, progress)
    return _smooth(system, times, samples, seed, relative, atol, method, progress)


def _smooth(
    system: System, times: Floats, samples: NDArray[np.int64], seed: int, rtol: float,
    atol: float | Sequence[float] | None, method: str, progress: bool,
) -> xr.Dataset:  # fmt: skip
    """Run a system that follows its drift alone, one sample after the other."""
    x0, p = system.draw(samples, seed)
    absolute = _absolute(system, atol, times, x0[:, 0], p[:, 0], rtol)
    runs = [
        integrate(system, times, x0[:, k], p[:, k], rtol, absolute, method)
        for k in _tracked(samples, progress)
    ]
    states = np.stack([run.states for run in runs], axis=1)
    return as_dataset(
        system,
        times,
        completed(system, times, states, p),
        dict(zip(system.parameters, p, strict=True)),
        [run.status for run in runs],
        _settings(seed, method, rtol, absolute),
    )


def _settings(seed: int, method: str, rtol: float, atol: Floats) -> dict[str, Any]:
    return {
        "seed": int(seed), "engine": "scipy", "method": method, "rtol": rtol,
        "atol": json.dumps(atol.tolist()),
    }  # fmt: skip


def _stochastic(
    system: System, times: Floats, samples: NDArray[np.int64], seed: int,
    engine: str | Scipy, step: float | None,
) -> xr.Dataset:  # fmt: skip
    """Run a system with noise or random jumps, all samples together."""
    if step is None or not 0 < step < np.inf:
        raise InvalidValue(
            f"step is `{step}` and the system has noise or jumps; give a positive time step"
        )
    plan = Plan(Modes(system, samples, seed))
    places = range(len(system.schedule))
    scheme = scheme_for(engine, [mode(system, ()), *(mode(system, [i]) for i in places)])
    result = stochastic_run(plan, times, float(step), scheme)
    settings = {"seed": int(seed), "engine": scheme, "step": float(step)}
    return as_dataset(
        system, times, result.values, plan.modes.parameters, result.ended, settings, result.instants
    )


def _hybrid(
    system: System, times: Floats, samples: NDArray[np.int64], seed: int, rtol: float,
    atol: float | Sequence[float] | None, method: str, progress: bool,
) -> xr.Dataset:  # fmt: skip
    """Run a system with a schedule or events, one sample after the other."""
    plan = Plan(Modes(system, samples, seed))
    start = plan.modes.start(times[0])
    if atol is None:
        absolute = hybrid.tolerances(plan, times, start[:, 0], rtol, method)
    else:
        absolute = np.zeros(len(start))
        absolute[: len(system.states)] = _given(atol, len(system.states))
    settings = hybrid.Settings(rtol, absolute, method)
    runs = [hybrid.run(plan, k, times, start[:, k], settings) for k in _tracked(samples, progress)]
    return as_dataset(
        system,
        times,
        np.stack([run.values for run in runs], axis=1),
        plan.modes.parameters,
        [run.status for run in runs],
        _settings(seed, method, rtol, absolute),
        [run.instants for run in runs],
    )


def _checked_times(t: ArrayLike) -> Floats:
    try:
        times = np.asarray(t, dtype=float)
    except (TypeError, ValueError):
        raise InvalidValue(f"the times `{t!r}` are not numbers; give increasing times") from None
    if times.ndim != 1 or times.size == 0:
        raise InvalidValue(f"the times have shape `{times.shape}`; give a row of times")
    wrong = np.flatnonzero(~(np.diff(times) > 0))
    if not np.isfinite(times).all() or wrong.size:
        place = int(wrong[0]) + 1 if wrong.size else 0
        raise InvalidValue(
            f"the times do not increase at entry {place}, `{times[place]}`; sort them"
        )
    return times


def _positive(n: int, name: str) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InvalidValue(f"{name} is `{n!r}`; give a whole number of at least 1")
    return int(n)


def _positive_number(value: float, name: str) -> float:
    if not 0 < value < np.inf:
        raise InvalidValue(f"{name} is `{value!r}`; give a positive number")
    return float(value)


def _method(engine: str | Scipy) -> str:
    if isinstance(engine, Scipy):
        return engine.method
    if engine not in ("auto", "scipy"):
        raise InvalidValue(f"engine is `{engine!r}`; use 'auto', 'scipy' or Scipy(method)")
    return Scipy().method


def _absolute(
    system: System, atol: float | Sequence[float] | None, times: Floats, x0: Floats, p: Floats,
    rtol: float,
) -> Floats:  # fmt: skip
    if atol is None:
        return tolerances(system, times, x0, p, rtol)
    return _given(atol, len(x0))


def _given(atol: float | Sequence[float], states: int) -> Floats:
    given = np.broadcast_to(np.asarray(atol, dtype=float), (states,))
    if not (given >= 0).all():
        raise InvalidValue(f"atol is `{atol!r}`; give numbers that are not negative")
    return given


def _tracked(samples: NDArray[np.int64], progress: bool) -> Iterable[int]:
    if not progress:
        return samples.tolist()  # type: ignore[no-any-return]
    from rich.progress import track

    return track(samples.tolist(), description="simulating", transient=True)
