"""Datasets moved to other times of measurement, and how many of them there are."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.distributions import Distribution, as_distribution
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import Integers
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.times import OBSERVED_TIME

Move = Callable[[NDArray[Any]], NDArray[Any]]


def as_count(raw: Any, kind: str) -> int | Distribution:
    """Return a number of measurements, or the Distribution of it.

    Raises:
        InvalidValue: for anything else.

    >>> as_count(-1, "IrregularTimes")
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: IrregularTimes: count is `-1`; give a whole number ...
    """
    law = as_distribution(raw)
    whole = isinstance(raw, Integral) and not isinstance(raw, bool)
    if law.support[0] < 0 if law is not None else not whole or raw < 1:
        raise InvalidValue(
            f"{kind}: count is `{raw}`; give a whole number of at least 1, or a Distribution "
            "over numbers that are not negative"
        )
    return int(raw) if law is None else law


def samples_timed(dataset: xr.Dataset, common: bool) -> Integers:
    """Return the numbers of the samples that times are drawn for, shape (rows, 1)."""
    samples = np.zeros(1, np.int64) if common else dataset["sample"].values
    return samples[:, np.newaxis]


def counts_drawn(count: int | Distribution, rows: Integers, most: Any, draws: Draws) -> Integers:
    """Return the number of measurements of each row, shape (rows, 1), at most `most`."""
    numbers = (
        np.full(rows.shape, float(count))
        if isinstance(count, int)
        else (count.quantile(draws.at("count", rows)))
    )
    return np.asarray(np.minimum(np.rint(numbers), most).astype(np.int64))


def retimed(dataset: xr.Dataset, times: Floats, move: Move, *, common: bool) -> xr.Dataset:
    """Return a dataset at other times.

    Args:
        dataset: with dimension `time`.
        times: the new times, shape (rows, measurements); NaN at the end where there are fewer.
        move: turns an array over (samples, times, ...) into one over the new times.
        common: whether the one row of times is that of all samples.

    Returns:
        The dataset, with coordinate `time` if common, else with `observed_time`.
    """
    kept = dataset.drop_dims("time").drop_vars(OBSERVED_TIME, errors="ignore")
    over_time = {
        name: _moved(dataset, str(name), move)
        for name, variable in dataset.variables.items()
        if "time" in variable.dims and name not in ("time", OBSERVED_TIME)
    }
    kept = kept.assign(over_time)
    if common:
        kept = kept.assign_coords(time=("time", times[0], dataset["time"].attrs))
    else:
        own = xr.Variable(("sample", "time"), times, {"long_name": "time of measurement"})
        kept = kept.assign_coords({"time": np.arange(times.shape[1]), OBSERVED_TIME: own})
    return kept[list(dataset.data_vars)]


def _moved(dataset: xr.Dataset, name: str, move: Move) -> xr.Variable:
    variable = dataset[name].broadcast_like(dataset["sample"]).variable
    first = variable.transpose("sample", "time", ...)
    moved = xr.Variable(first.dims, move(first.values), dataset[name].attrs)
    return moved.transpose(*variable.dims)
