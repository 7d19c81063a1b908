"""`simulate_network`: a network over time, as a labelled dataset."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.sim import hybrid
from physcm.sim.engine import Scipy
from physcm.sim.instants import Instants
from physcm.sim.network.network import Network
from physcm.sim.network.ode import chosen_method
from physcm.sim.network.plan import NetworkPlan
from physcm.sim.network.sde import NetworkMotion
from physcm.sim.network.tolerances import tolerances
from physcm.sim.network.trajectories import Piece, as_dataset
from physcm.sim.network.values import require_one_per_sample
from physcm.sim.options import (
    checked_times,
    checked_tolerances,
    positive_count,
    positive_number,
    positive_step,
    scipy_method,
    tracked,
)
from physcm.sim.stochastic.run import follow
from physcm.sim.streaming import streamed

RTOL = 1e-8
_SCHEME = "euler-maruyama"
_AT_ONCE = 2**20

Samples = NDArray[np.int64]
Run = Callable[[NetworkPlan], Piece]


def simulate_network(
    network: Network,
    t: ArrayLike,
    *,
    n: int = 1,
    seed: int = 0,
    engine: str | Scipy = "auto",
    rtol: float | None = None,
    atol: float | Sequence[float] | None = None,
    step: float | None = None,
    time_limit: float | None = None,
    progress: bool = False,
    to: str | os.PathLike[str] | None = None,
) -> xr.Dataset:
    """Return trajectories of a network.

    Args:
        network: what to simulate.
        t: times to save, increasing; the run starts at the first.
        n: number of samples.
        seed: the seed; (seed, sample, step, name) determine each draw.
        engine: without noise "auto" or "scipy", or `Scipy(method)`; unless a method is named,
            LSODA for small networks, and for larger ones DOP853 or, where they are stiff at the
            start, BDF. With noise "auto" or "euler-maruyama".
        rtol: relative tolerance of each step, 1e-8 unless told.
        atol: absolute tolerance of each step, one number or one per variable that evolves; unless
            told a thousandth of rtol times the largest value of each variable in a rough run.
        step: the step of the Euler-Maruyama method; needed where there is noise.
        time_limit: the seconds that a sample may take; where there is noise, all together.
        progress: show a progress bar.
        to: a folder for a zarr store, written some samples at a time.

    Returns:
        A dataset with dimensions `sample`, `time`, `node` and `edge`: each variable over the first
        three; parameters over `node` or `edge`, and over `sample` where samples differ; the edges
        that act, as coordinates `cause` and `effect` of `edge`; a `status` over `sample`
        (complete, diverged, stopped, time_limit, step_limit: NaN from the end of the run on), and
        attributes that suffice to repeat it; where values are missing, `trouble` says from when
        on, and which variable it was.
        A saved value at an instant at which something is done is the one afterwards. Under a
        schedule, `instant_time` over sample and instant, with `before(x)` and `after(x)` of each
        variable x over sample, instant and node; what interventions brought is a parameter, such
        as `do(x)` over `node`.

    Raises:
        InvalidValue: for times that do not increase, and options outside of their range.

    >>> import networkx as nx
    >>> from physcm.sim.network import from_network
    >>> chain = from_network(
    ...     {"x": "inputs"}, "x_cause - x_effect", nx.path_graph(["a", "b"]), initial={"x": [1, 0]}
    ... )
    >>> simulate_network(chain, [0, 1]).x.sel(node="b").values
    array([[0.  , 0.432332...]])
    """
    times = checked_times(t)
    samples = np.arange(positive_count(n, "n"))
    require_one_per_sample(network, samples.size)
    seconds = math.inf if time_limit is None else positive_number(time_limit, "time_limit")
    if to is None:
        return _run(network, times, samples, seed, engine, rtol, atol, step, seconds, progress)
    if time_limit is not None:
        raise InvalidValue(f"time_limit is `{time_limit!r}`, and `to` is given; leave out one")

    def some(samples: Samples, atol: float | Sequence[float] | None) -> xr.Dataset:
        return _run(network, times, samples, seed, engine, rtol, atol, step, seconds, False)

    numbers = len(network.variables) * len(network.nodes) * times.size
    return streamed(some, samples, atol, numbers, to, progress)


def _run(
    network: Network, times: Floats, samples: Samples, seed: int, engine: str | Scipy,
    rtol: float | None, atol: float | Sequence[float] | None, step: float | None, seconds: float,
    progress: bool,
) -> xr.Dataset:  # fmt: skip
    """Run some samples; the method and the tolerances are those that suit the first of all."""
    settings: dict[str, Any] = {"seed": int(seed)}
    if any(group.form.noise for group in network.structure.groups):
        step = positive_step(step, "network")
        if engine not in ("auto", _SCHEME):
            raise InvalidValue(f"engine is `{engine!r}`; for noise use 'auto' or '{_SCHEME}'")
        settings |= {"engine": _SCHEME, "step": step}
        go = _stochastic(times, step, time.monotonic() + seconds)
    else:
        first = NetworkPlan(network, np.zeros(1, dtype=np.int64), seed)
        method = scipy_method(engine) or chosen_method(first.view().field, times)
        relative = RTOL if rtol is None else positive_number(rtol, "rtol")
        kinds = first.kinds
        absolute = _absolute(first, atol, times, relative, method, seconds)
        settings |= {"engine": "scipy", "method": method, "rtol": relative}
        settings["atol"] = json.dumps(absolute[kinds].tolist())
        spread = np.repeat(absolute, len(network.nodes))
        go = _deterministic(times, hybrid.Settings(relative, spread, method, seconds))
    pieces = []
    for chunk in tracked(_chunks(network, samples), progress):
        pieces.append(go(NetworkPlan(network, chunk, seed)))
    return as_dataset(network, times, pieces, settings)


def _stochastic(times: Floats, step: float, deadline: float) -> Run:
    def run(plan: NetworkPlan) -> Piece:
        left = deadline - time.monotonic()
        result = follow(plan, times, step, NetworkMotion(plan, step), left)
        why = [result.why.get(k, "") for k in range(plan.samples.size)]
        return Piece(plan, result.values, result.ended, result.instants, why)

    return run


def _deterministic(times: Floats, settings: hybrid.Settings) -> Run:
    def run(plan: NetworkPlan) -> Piece:
        start = plan.start(times[0])
        runs = [hybrid.run(plan, k, times, start[:, k], settings) for k in range(plan.samples.size)]
        return Piece(
            plan,
            np.stack([one.values for one in runs], axis=1),
            [one.status for one in runs],
            Instants.of([one.instants for one in runs]),
            [one.trouble for one in runs],
        )

    return run


def _absolute(
    plan: NetworkPlan, atol: float | Sequence[float] | None, times: Floats, rtol: float,
    method: str, seconds: float,
) -> Floats:  # fmt: skip
    """Return an absolute tolerance for each variable; of one that never evolves it is 0."""
    if atol is None:
        return tolerances(plan, times, rtol, method, seconds)
    absolute = np.zeros(len(plan.network.variables))
    absolute[plan.kinds] = checked_tolerances(atol, plan.kinds.size)
    return absolute


def _chunks(network: Network, samples: Samples) -> list[Samples]:
    """Return the samples in parts of a size that fits the memory."""
    items = max(len(network.wiring), len(network.nodes) * len(network.variables))
    return np.array_split(samples, min(samples.size, -(-samples.size * items // _AT_ONCE)))
