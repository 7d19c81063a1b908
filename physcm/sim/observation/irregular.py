"""`IrregularTimes`: a random subset of the saved times, of each sample or common to all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import Integers
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.retime import as_count, counts_drawn, retimed, samples_timed
from physcm.sim.observation.step import Step
from physcm.sim.observation.times import bits, has_own_times, times_of


@dataclass(frozen=True)
class IrregularTimes(Step):
    """Measure at a random subset of the saved times, each subset of that size equally likely.

    Nothing is interpolated (see `InterpolatedTimes`). If each sample has times of its own,
    `time` becomes the number of the measurement, and the coordinate `observed_time` over
    (sample, time) says when it was made; samples with fewer measurements than others are
    filled up with NaN at the end.

    Attributes:
        count: how many measurements; or a Distribution, drawn per sample and rounded, such as
            `scipy.stats.poisson(10)`, where no more than all saved times can be had.
        common: whether all samples are measured at the same times.

    Raises:
        InvalidValue: for a count that is no positive number, or larger than there are times.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "1"}, initial={"x": 0}), [0, 1, 2, 3, 4], n=2)
    >>> seen = observe(run, IrregularTimes(2))
    >>> seen.observed_time.values.tolist(), seen.time.values.tolist()
    ([[0.0, 4.0], [2.0, 3.0]], [0, 1])
    """

    count: int | Distribution
    common: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", as_count(self.count, "IrregularTimes"))

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset at the random times."""
        times = times_of(dataset)
        self._check(dataset, times.shape[1])
        rows = samples_timed(dataset, self.common)
        saved = np.isfinite(times)
        counts = counts_drawn(self.count, rows, saved.sum(axis=1, keepdims=True), draws)
        u = np.where(saved, draws.at("times", rows, bits(times)), np.inf)
        places = _smallest(u, counts)
        if self.common:
            return dataset.isel(time=places[0, : counts[0, 0]])
        return _gathered(dataset, times, places)

    def _check(self, dataset: xr.Dataset, saved: int) -> None:
        if isinstance(self.count, int) and self.count > saved:
            raise InvalidValue(
                f"IrregularTimes: count is `{self.count}`, but {saved} times were saved; "
                "give a smaller count, or use InterpolatedTimes"
            )
        if self.common and has_own_times(dataset):
            raise InvalidValue(
                f"IrregularTimes: common is `{self.common}`, but each sample has times of its "
                "own already; put the step before the one that gave them"
            )


def _smallest(u: Floats, counts: Integers) -> Integers:
    """Return where the smallest entries of each row stand, in order, filled up with the width."""
    width = u.shape[1]
    rank = u.argsort(axis=1).argsort(axis=1)
    places = np.sort(np.where(rank < counts, np.arange(width), width), axis=1)
    return places[:, : max(1, counts.max())]


def _gathered(dataset: xr.Dataset, times: Floats, places: Integers) -> xr.Dataset:
    """Return the dataset with chosen times of each sample."""
    there = places < times.shape[1]
    source = np.where(there, places, 0)

    def move(values: NDArray[Any]) -> NDArray[Any]:
        extra = tuple(range(2, values.ndim))
        taken = np.take_along_axis(values, np.expand_dims(source, extra), axis=1)
        filler = np.nan if values.dtype.kind == "f" else 0
        return np.where(np.expand_dims(there, extra), taken, np.array(filler, values.dtype))

    all_times = np.broadcast_to(times, (len(places), times.shape[1]))
    own = np.where(there, np.take_along_axis(all_times, source, axis=1), np.nan)
    return retimed(dataset, own, move, common=False)
