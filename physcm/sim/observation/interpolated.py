"""`InterpolatedTimes`: measurements at random times that were not saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.retime import as_count, counts_drawn, retimed, samples_timed
from physcm.sim.observation.step import Step, has_flag
from physcm.sim.observation.times import has_own_times, times_of


@dataclass(frozen=True)
class InterpolatedTimes(Step):
    """Measure at times drawn uniformly between the first and the last saved one.

    The values there are *interpolated* between the saved points: piecewise linear, or by a
    cubic spline through them; NaN where one of the two neighbors is missing. The error is of
    order h^2 or h^4 in the distance h of saved times where a trajectory is smooth; the noise
    that a stochastic system has between them is lost. Save finely, and before other steps.
    Datasets look as `IrregularTimes` leaves them.

    Attributes:
        count: how many measurements; or a Distribution, drawn per sample and rounded: with
            `scipy.stats.poisson(10)` the times are a Poisson process.
        common: whether all samples are measured at the same times.
        method: "linear" or "cubic".

    Raises:
        InvalidValue: for a count that is no positive number, and for fewer than two saved times.
        Unsupported: for values that were censored before.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "1"}, initial={"x": 0}), [0, 1, 2, 3, 4], n=2)
    >>> seen = observe(run, InterpolatedTimes(3))
    >>> bool(abs(seen.x - seen.observed_time).max() < 1e-6)
    True
    """

    count: int | Distribution
    common: bool = False
    method: str = "linear"

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", as_count(self.count, "InterpolatedTimes"))
        if self.method not in ("linear", "cubic"):
            raise InvalidValue(
                f"InterpolatedTimes: method is `{self.method}`; use 'linear' or 'cubic'"
            )

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset at the random times."""
        saved = times_of(dataset)
        _check(dataset, saved)
        rows = samples_timed(dataset, self.common)
        counts = counts_drawn(self.count, rows, np.inf, draws)
        numbers = np.arange(max(1, counts.max()))
        spread = saved[0, 0] + np.ptp(saved) * draws.at("times", rows, numbers)
        times = np.sort(np.where(numbers < counts, spread, np.nan), axis=1)
        if self.common:
            times = times[:, : counts[0, 0]]

        def move(values: NDArray[Any]) -> NDArray[Any]:
            everyone = np.broadcast_to(times, (len(values), times.shape[1]))
            return np.stack([
                _between(saved[0], row.astype(float), at, self.method)
                for row, at in zip(values, everyone, strict=True)
            ])  # fmt: skip

        return retimed(dataset, times, move, common=self.common)


def _check(dataset: xr.Dataset, saved: Floats) -> None:
    if has_own_times(dataset) or saved.size < 2:
        raise InvalidValue(
            f"InterpolatedTimes: the saved times have shape `{saved.shape}`; it needs two or "
            "more, common to all samples: put the step before those that thin them out"
        )
    for name in map(str, dataset.data_vars):
        if has_flag(dataset, name):
            raise Unsupported(
                f"InterpolatedTimes: `{name}` is censored, and nothing is known between censored "
                "values; put the step before Censor"
            )


def _between(saved: Floats, values: Floats, times: Floats, method: str) -> Floats:
    """Return values at times between the saved ones, NaN beside a missing value."""
    right = np.clip(np.searchsorted(saved, times), 1, saved.size - 1)
    weight = (times - saved[right - 1]) / (saved[right] - saved[right - 1])
    linear = (1 - weight) * values[right - 1] + weight * values[right]
    present = np.isfinite(values)
    if method == "linear" or present.sum() < 2:
        return np.asarray(linear)
    cubic = scipy.interpolate.CubicSpline(saved[present], values[present])(times)
    return np.where(np.isfinite(linear), cubic, np.nan)
