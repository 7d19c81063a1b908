"""Counterfactuals in simulation: what would have happened to this very trajectory.

Abduction, action, prediction (Pearl, Causality, 2009, section 7.1), for a system with additive
noise dX = f(X, p, t) dt + g(p, t) dW observed at all steps of a grid: the Euler-Maruyama step

    X_{k+1} = X_k + f(X_k) h + g dW_k

is solved for dW_k, and the run is repeated with these increments under an intervention. Doing
nothing gives the trajectory back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.errors import InvalidValue, NotUnique, UnknownVariable, Unsupported
from physcm.mechanism.interventions import Intervention
from physcm.sim.modes import Modes
from physcm.sim.plan import SystemPlan
from physcm.sim.stochastic.run import run
from physcm.sim.stochastic.structure import NoiseStructure, ito_drift, noise_structure
from physcm.sim.system import System
from physcm.sim.trajectories import as_dataset

_GAP = 1e-6


def abduct(system: System, trajectory: xr.Dataset) -> xr.DataArray:
    """Return the increments of the Wiener processes behind observed trajectories.

    Args:
        system: with additive noise, and without schedule, events and jumps.
        trajectory: all states over `sample` and an even grid of `time` (one trajectory needs no
            `sample`), and the parameters over `sample` where they differ between samples.

    Returns:
        The increments over `source`, `sample` and `time`, where each step begins. A source that
        moves nothing in a step has the increment 0 there, its mean.

    Raises:
        Unsupported: for noise that is not additive, and for what happens at once.
        NotUnique: if different increments give the same trajectory.
        InvalidValue: if no increments give it, or the grid is not even.
        UnknownVariable: for a state, or a random parameter, that was not observed.

    >>> from physcm.sim import simulate
    >>> walk = System({"x": "-x"}, noise={"x": 0.5}, initial={"x": 1})
    >>> seen = simulate(walk, [0, 0.1, 0.2], step=0.1, engine="euler-maruyama")
    >>> bool(np.allclose(seen.x[0, 1], 0.9 + 0.5 * abduct(walk, seen)[0, 0, 0]))
    True
    """
    trajectory = _by_sample(trajectory)
    times, x, p, step = _observed(system, trajectory)
    sources = sorted({source for _, source in system.noise})
    rates = system.program(tuple(ito_drift(system).values()))
    coefficients = system.program(tuple(system.noise.values()))
    rows = [system.states.index(state) for state, _ in system.noise]
    columns = [sources.index(source) for _, source in system.noise]
    samples, count = x.shape[1], len(times) - 1
    increments = np.empty((len(sources), samples, count))
    for k in range(count):
        now = times[k], x[:, :, k], p
        moved = x[:, :, k + 1] - x[:, :, k] - step * rates.vector(*now)
        g = np.zeros((samples, len(x), len(sources)))
        g[:, rows, columns] = coefficients.vector(*now).T
        increments[:, :, k] = _solved(system, g, moved)
        _require_possible(system, g, increments[:, :, k], moved, x[:, :, k : k + 2], times[k])
    coords = {"source": sources, "sample": trajectory["sample"].values, "time": times[:-1]}
    return xr.DataArray(increments, coords=coords, dims=("source", "sample", "time"))


def counterfactual(
    system: System, trajectory: xr.Dataset, *interventions: Intervention, **holds: Any
) -> xr.Dataset:
    """Return what observed trajectories would have been under interventions.

    The noise is abducted from them; parameters and initial values are those observed. What is
    computed from others (an initial value from a parameter, say) is so in the counterfactual, too.
    Samples keep their numbers, so that some of them are as they are among all.

    Args:
        system: as in `abduct`.
        trajectory: as in `abduct`.
        interventions: what would have been done.
        holds: `Hold`s by keyword.

    Raises:
        Unsupported, NotUnique, InvalidValue, UnknownVariable: as `abduct`.

    >>> from physcm.sim import simulate
    >>> walk = System({"x": "-x"}, noise={"x": 0.5}, initial={"x": 1})
    >>> seen = simulate(walk, [0, 0.1, 0.2], step=0.1, engine="euler-maruyama")
    >>> bool(np.allclose(counterfactual(walk, seen).x, seen.x))
    True
    """
    trajectory = _by_sample(trajectory)
    noise = abduct(system, trajectory)
    times, x, p, step = _observed(system, trajectory)
    samples = _numbers(trajectory)
    seen = _as_observed(system, x[:, :, 0], p, samples).do(*interventions, **holds)
    plan = SystemPlan(Modes(seen, samples, int(trajectory.attrs.get("seed", 0))))
    sources = sorted({source for _, source in seen.noise})
    kept = noise.sel(source=sources).values
    result = run(plan, times, step, "euler-maruyama", noise=kept)
    settings = {"engine": "euler-maruyama", "step": step, "noise": "abducted"}
    data = as_dataset(
        seen, samples, times, result.values, plan.modes.parameters, result.ended, settings,
        result.instants, result.why,
    )  # fmt: skip
    return data.assign_coords(sample=trajectory["sample"].values)


def _by_sample(trajectory: xr.Dataset) -> xr.Dataset:
    return trajectory if "sample" in trajectory.dims else trajectory.expand_dims("sample")


def _numbers(trajectory: xr.Dataset) -> NDArray[np.int64]:
    """Return the numbers of the samples; their places where the coordinate holds no numbers.

    Each draw belongs to the number of a sample, so that some of the samples are as in the whole.

    >>> (
    ...     _numbers(xr.Dataset(coords={"sample": [4, 7]})),
    ...     _numbers(xr.Dataset(coords={"sample": ["a"]})),
    ... )
    (array([4, 7]), array([0]))
    """
    given = trajectory["sample"].values
    numbered = np.issubdtype(given.dtype, np.integer) and (given >= 0).all()
    return given.astype(np.int64) if numbered else np.arange(given.size)


def _by_number(values: Floats, samples: NDArray[np.int64]) -> tuple[float, ...]:
    """Return one value for each number up to the largest; those that are no sample do not count."""
    everywhere = np.full(samples.max() + 1, values[0])
    everywhere[samples] = values
    return tuple(everywhere)


def _as_observed(system: System, x0: Floats, p: Floats, samples: NDArray[np.int64]) -> System:
    """Return the system with the values observed, per sample, in place of what is not computed.

    An initial value that is computed, but was observed to be another, is the one observed.
    """
    seen = {
        name: value if isinstance(value, sp.Basic) else _by_number(row, samples)
        for (name, value), row in zip(system.parameters.items(), p, strict=True)
    }
    rows = dict(zip(system.states, x0, strict=True))
    given = {
        name: value if isinstance(value, sp.Basic) else _by_number(rows[name], samples)
        for name, value in system.initial.items()
    }
    computed = system.replace(parameters=seen, initial=given)
    start, _ = computed.draw(samples, 0)
    for name, row in zip(system.states, start, strict=True):
        if not np.allclose(row, rows[name], rtol=_GAP, atol=0):
            given[name] = _by_number(rows[name], samples)
    return computed.replace(initial=given)


def _observed(system: System, trajectory: xr.Dataset) -> tuple[Floats, Floats, Floats, float]:
    """Return times, states (states, samples, times), parameters and step of an observation."""
    for what in ("schedule", "events", "jumps"):
        if getattr(system, what):
            raise Unsupported(
                f"{system.in_words} has {what}, which abduction cannot tell from noise; "
                "abduct with the system as it was before"
            )
    if noise_structure(system) is not NoiseStructure.ADDITIVE:
        raise Unsupported(
            f"the noise of {system.in_words} depends on its state; abduction is for additive noise"
        )
    for name in system.states:
        if name not in trajectory:
            raise UnknownVariable(f"the state `{name}` was not observed; observe every state")
    times = trajectory["time"].values.astype(float)
    steps = np.diff(times)
    if not len(steps) or np.ptp(steps) > _GAP * steps.mean():
        raise InvalidValue(
            f"the observed times {times[:3]}... are no even grid; observe the state at every step"
        )
    x = np.stack([trajectory[name].transpose("sample", "time").values for name in system.states])
    samples = _numbers(trajectory)
    for name, value in system.parameters.items():
        if name not in trajectory and isinstance(value, Distribution):
            raise UnknownVariable(
                f"the random parameter `{name}` was not observed; give it in the dataset, over "
                "`sample`"
            )
    drawn = system.draw(samples, int(trajectory.attrs.get("seed", 0)))[1]
    p = np.array(
        [
            trajectory[name].values if name in trajectory else row
            for name, row in zip(system.parameters, drawn, strict=True)
        ]
    ).reshape(-1, samples.size)
    if not np.isfinite(x).all():
        raise InvalidValue("the observed trajectories have missing values; observe every value")
    return times, x, p, float(steps.mean())


def _solved(system: System, g: Floats, moved: Floats) -> Floats:
    """Return the increments dW of g dW = moved, (sources, samples).

    Args:
        system: whose sources these are.
        g: (samples, states, sources).
        moved: (states, samples).

    Raises:
        NotUnique: if several increments move the states alike.
    """
    rows = np.abs(g).max(axis=2, keepdims=True)
    rows[rows == 0] = 1.0
    scaled = g / rows  # states differ in their units, which say nothing about rank
    columns = np.abs(scaled).max(axis=1, keepdims=True)
    still = columns[:, 0] == 0
    columns[columns == 0] = 1.0
    scaled = scaled / columns
    if (np.linalg.matrix_rank(scaled) < g.shape[2] - still.sum(axis=1)).any():
        raise NotUnique(
            f"the noise sources of {system.in_words} cannot be told apart by its states: "
            f"there are {g.shape[2]} and fewer independent effects; give each state at most one"
        )
    found = np.linalg.pinv(scaled) @ (moved.T[:, :, np.newaxis] / rows)
    return np.asarray((found[:, :, 0] / columns[:, 0]).T)


def _require_possible(
    system: System, g: Floats, increments: Floats, moved: Floats, x: Floats, t: float
) -> None:
    """Refuse a trajectory that the system cannot have taken."""
    gap = np.abs(np.einsum("kis,sk->ik", g, increments) - moved)
    size = np.abs(x).max(axis=(1, 2))[:, np.newaxis] + np.abs(moved).max(axis=1, keepdims=True)
    wrong = np.flatnonzero((gap > _GAP * size).any(axis=1))
    if wrong.size:
        raise InvalidValue(
            f"no noise moves `{system.states[wrong[0]]}` as observed at t = {t:g}: it has no noise "
            "of its own, and its drift does not explain the step; check system, step and scheme"
        )
