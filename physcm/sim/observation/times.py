"""When the values of a dataset were measured: at times common to all samples, or each at its own.

Common times are the coordinate `time`. Where every sample has times of its own, `time` merely
counts the measurements, from 0, and the coordinate `observed_time` over (sample, time) tells
when each was made, NaN where a sample has fewer (the incomplete multidimensional array of the
CF conventions, section 9.3.2).
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import Integers

OBSERVED_TIME = "observed_time"


def times_of(dataset: xr.Dataset) -> Floats:
    """Return the times of measurement, shape (1, times) if common, else (samples, times).

    Raises:
        InvalidValue: if the dataset has no dimension `time`.

    >>> times_of(xr.Dataset(coords={"time": [0.0, 2.0]})).tolist()
    [[0.0, 2.0]]
    """
    require_time(dataset)
    if has_own_times(dataset):
        return dataset[OBSERVED_TIME].transpose("sample", "time").values.astype(float)
    return dataset["time"].values.astype(float).reshape(1, -1)


def has_own_times(dataset: xr.Dataset) -> bool:
    """Say whether each sample was measured at times of its own."""
    return OBSERVED_TIME in dataset.coords


def require_time(dataset: xr.Dataset) -> None:
    """Refuse a dataset without time.

    >>> require_time(xr.Dataset(coords={"sample": [0]}))
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: ...
    """
    if "time" not in dataset.dims:
        dims = ", ".join(f"`{dim}`" for dim in dataset.dims)
        raise InvalidValue(
            f"the dataset has dimensions {dims or '`()`'}, but the step needs `time`; "
            "leave the step out, or give a dataset of `simulate`"
        )


def bits(times: Floats) -> Integers:
    """Return the bits of times as integers, to count draws by; -0 is 0.

    >>> bits(np.array([0.0, -0.0, 1.0])).tolist()
    [0, 0, 4607182418800017408]
    """
    return np.ascontiguousarray(times + 0.0).view(np.int64)
