"""`Subsample`: some of the saved times, the same for all samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.values import finite
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.step import Step
from physcm.sim.observation.times import has_own_times, require_time

_CLOSE = 1e-9


@dataclass(frozen=True)
class Subsample(Step):
    """Keep every k-th saved time, the first included, or chosen saved times.

    Nothing is interpolated: a time that was not saved is an error (see `InterpolatedTimes`).

    Attributes:
        every: keep one in so many.
        times: keep these, in increasing order; each must have been saved, up to rounding.

    Raises:
        InvalidValue: unless exactly one of both is given; for times that were not saved.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "-x"}, initial={"x": 1}), [0, 1, 2, 3, 4])
    >>> observe(run, Subsample(every=2)).time.values.tolist()
    [0.0, 2.0, 4.0]
    >>> observe(run, Subsample(times=[1, 4])).time.values.tolist()
    [1.0, 4.0]
    """

    every: int | None = None
    times: Iterable[float] | None = None

    def __post_init__(self) -> None:
        if (self.every is None) == (self.times is None):
            raise InvalidValue(
                f"Subsample: every is `{self.every}` and times is `{self.times}`; give one of both"
            )
        if self.times is not None:
            given = np.atleast_1d(np.array(self.times, dtype=object))
            times = tuple(finite(time, "Subsample: times") for time in given)
            object.__setattr__(self, "times", times)
            if not times or (np.diff(times) <= 0).any():
                raise InvalidValue(f"Subsample: times is `{times}`; give increasing times")
        elif isinstance(self.every, bool) or not isinstance(self.every, Integral) or self.every < 1:
            raise InvalidValue(
                f"Subsample: every is `{self.every}`; give a whole number of at least 1"
            )

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset at the kept times."""
        require_time(dataset)
        if self.times is None:
            return dataset.isel(time=slice(None, None, self.every))
        if has_own_times(dataset):
            raise InvalidValue(
                f"Subsample: times is `{self.times}`, but each sample has times of its own; "
                "give every=..., or put the step before IrregularTimes"
            )
        return dataset.isel(time=_places(dataset["time"].values, np.array(self.times)))


def _places(saved: Floats, wanted: Floats) -> list[int]:
    """Return where the wanted times stand among the saved ones."""
    places = np.abs(saved[:, np.newaxis] - wanted).argmin(axis=0)
    near = _CLOSE * np.maximum(np.abs(wanted), np.ptp(saved))
    for time, place, tolerance in zip(wanted, places, near, strict=True):
        if abs(saved[place] - time) > tolerance:
            raise InvalidValue(
                f"Subsample: the time `{time}` was not saved; the closest one is {saved[place]}, "
                "or use InterpolatedTimes"
            )
    return [int(place) for place in places]
