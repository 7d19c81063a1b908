"""Simulated trajectories as a labelled dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.instants import Instants
from physcm.sim.provenance import provenance
from physcm.sim.status import RunStatus, flags
from physcm.sim.system import System
from physcm.sim.trouble import LIMITS, limit, listed

_BLOCK = 65536
_NOTHING: Mapping[int, str] = MappingProxyType({})


def completed(system: System, times: Floats, states: Floats, p: Floats) -> Floats:
    """Return all variables, (variables, samples, times), from the states in the same shape."""
    values = np.empty((len(system.variables), *states.shape[1:]))
    values[: len(states)] = states
    complete(system, times, values, p)
    return values


def complete(system: System, times: Floats, values: Floats, p: Floats) -> None:
    """Fill in the derived variables below the states, a few samples at a time."""
    first = len(system.states)
    _, samples, length = values.shape
    if first == len(values):
        return
    many = max(1, _BLOCK // length)
    for low in range(0, samples, many):
        own = slice(low, min(low + many, samples))
        count = values[:, own].shape[1]
        flat = values[:first, own].reshape(first, count * length)
        derived = system.outputs.vector(
            np.tile(times, count), flat, np.repeat(p[:, own], length, axis=1)
        )
        values[first:, own] = derived.reshape(-1, count, length)


def as_dataset(
    system: System,
    samples: NDArray[np.int64],
    times: Floats,
    values: Floats,
    parameters: Mapping[str, Floats],
    ended: Sequence[RunStatus],
    settings: Mapping[str, Any],
    instants: Instants | None = None,
    why: Mapping[int, str] = _NOTHING,
) -> xr.Dataset:
    """Return the dataset of a run; from where a sample has ended early on, nothing counts.

    Args:
        system: what was simulated.
        samples: their numbers.
        times: the saved times.
        values: the variables at these times, (variables, samples, times), handed over.
        parameters: their values, each over the samples.
        ended: how each sample ended.
        settings: what it takes to repeat the run, besides the system.
        instants: what was done to each sample at once, if anything could be.
        why: why samples ended early, as far as the engine knows.
    """
    told = dict(why)
    bad = ~_finite(values)
    if bad.any():
        lost = np.flatnonzero(bad).tolist()
        told = {k: _lost(system, times, values[:, k], ended[k]) for k in lost} | told
        values[:, bad] = while_finite(values[:, bad], len(system.states))
    variables: dict[str, Any] = {
        name: (("sample", "time"), row) for name, row in zip(system.variables, values, strict=True)
    }
    variables |= {name: ("sample", row) for name, row in parameters.items()}
    variables["status"] = flags(ended, RunStatus)
    if instants is not None:
        variables |= _instants(system, instants)
    attributes = {**provenance(system), **settings}
    if told:
        attributes["trouble"] = listed({int(samples[k]): what for k, what in told.items()})
    # What is an index already is not looked at for arrays of other libraries, whose import is slow.
    coordinates = {"sample": pd.Index(samples), "time": pd.Index(times)}
    return xr.Dataset(variables, coords=coordinates, attrs=attributes)


def while_finite(values: Floats, states: int) -> Floats:
    """Return the values while all states are finite, and NaN afterwards."""
    finite = np.isfinite(values[:states]).all(axis=0)
    return np.where(np.logical_and.accumulate(finite, axis=-1), values, np.nan)


def _finite(values: Floats) -> NDArray[np.bool_]:
    """Return which samples have no value that is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(values.sum(axis=-1)).all(axis=0)
    # The sum of large numbers may overflow.
    finite[~finite] = np.isfinite(values[:, ~finite]).all(axis=(0, 2))
    return np.asarray(finite)


def _lost(system: System, times: Floats, values: Floats, status: RunStatus) -> str:
    """Say which variable of a sample first has no finite value, and when, or what limit it met."""
    bad = ~np.isfinite(values)
    at = int(bad.any(axis=0).argmax())
    if status in LIMITS:
        return limit(status, times[max(at - 1, 0)])
    name = system.variables[int(bad[:, at].argmax())]
    return f"at t = {times[at]:.6g} `{name}` has no finite value"


def _instants(system: System, instants: Instants) -> dict[str, Any]:
    """Return when something was done, and each variable before and after, over (sample, instant).

    Samples with fewer instants are filled up with NaN.
    """
    when, *sides = instants.over_samples(len(system.variables))
    over = ("sample", "instant")
    columns: dict[str, Any] = {"instant_time": (over, when)}
    for side, values in zip(("before", "after"), sides, strict=True):
        for name, row in zip(system.variables, values, strict=True):
            columns[f"{side}({name})"] = over, row
    return columns
