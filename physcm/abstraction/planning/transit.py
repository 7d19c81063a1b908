"""The way to a state of rest: when it is reached for good, and what is broken before.

Margins over time are known at saved times, and by a line between these: times are added until no
variable moves by more than a hundredth of its range from one to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim import System, simulate

_LINEAR, _EARLY = 1001, 400
_MOVED, _PIECES, _ROUNDS, _MOST_VALUES = 0.01, 64, 3, 4e6


@dataclass(frozen=True)
class Breach:
    """A constraint that is broken on the way.

    Attributes:
        condition: the constraint.
        runs: the number of runs that break it.
        first: when the first one does.
        worst: by how much it is broken at the worst.
        at: when that is.
    """

    condition: str
    runs: int
    first: float
    worst: float
    at: float

    @classmethod
    def of(cls, text: str, margins: Floats, times: Floats) -> Breach:
        """Return when and by how much runs (samples, times) break a constraint."""
        broken = margins < 0
        first = int(broken.any(axis=0).argmax())
        when = times[first]
        if first:
            before, after = margins[broken[:, first], first - 1 : first + 1].T
            share = (before / (before - after)).min()
            when = times[first - 1] + share * (times[first] - times[first - 1])
        worst = np.unravel_index(np.nanargmin(margins), margins.shape)
        runs = int(broken.any(axis=1).sum())
        at = _lowest(margins[worst[0]], times, int(worst[1]))
        return cls(text, runs, float(when), float(-margins[worst]), at)

    def __str__(self) -> str:
        return (
            f"{self.condition} broken from t = {self.first:.4g} on, "
            f"by {self.worst:.4g} at t = {self.at:.4g}"
        )


def _lowest(row: Floats, times: Floats, k: int) -> float:
    """Return when a row that is lowest at k is so between times, by a parabola.

    >>> _lowest(np.array([4.0, 0.0, 1.0]), np.array([-2.0, 0.0, 1.0]), 1)
    0.0
    >>> _lowest(np.array([9.0, 1.0, 4.0]), np.array([-2.0, 0.0, 3.0]), 1)
    1.0
    """
    if not 0 < k < times.size - 1 or not np.isfinite(row[k - 1 : k + 2]).all():
        return float(times[k])
    before, after = np.diff(times[k - 1 : k + 2])
    fall, rise = (row[k] - row[k - 1]) / before, (row[k + 1] - row[k]) / after
    if rise == fall:
        return float(times[k])
    return float(times[k] - before / 2 - fall / (rise - fall) * (before + after) / 2)


def watched(system: System, horizon: float, *, n: int, seed: int) -> xr.Dataset:
    """Return runs with as many saved times as it takes to see how far each variable goes."""
    early = np.geomspace(1e-6, 1, _EARLY)
    times = horizon * np.union1d(np.linspace(0, 1, _LINEAR), early)
    runs = simulate(system, times, n=n, seed=seed)
    for _ in range(_ROUNDS):
        rows = [runs[name].values for name in system.variables]
        pieces = _pieces(np.array(rows).reshape(-1, n, times.size))
        if pieces.max() == 1 or pieces.sum() * n * len(system.variables) > _MOST_VALUES:
            break
        place = np.repeat(np.arange(pieces.size), pieces)
        within = np.arange(place.size) - (np.cumsum(pieces) - pieces)[place]
        steps = np.diff(times)[place] * within / pieces[place]
        times = np.append(times[place] + steps, times[-1])
        runs = simulate(system, times, n=n, seed=seed)
    return runs


def _pieces(values: Floats) -> NDArray[np.int64]:
    """Return into how many parts to cut each time between two, of values (variables, runs, times).

    >>> _pieces(np.array([[[0.0, 0.0, 0.5, 1.0, 0.995]]])).tolist()
    [1, 50, 50, 1]
    """
    rows = np.where(np.isfinite(values), values, np.nan)
    reach = np.nan_to_num(np.fmax.reduce(rows, (1, 2)) - np.fmin.reduce(rows, (1, 2)))
    shares = np.abs(np.diff(rows)) / np.where(reach > 0, reach, np.inf)[:, np.newaxis, np.newaxis]
    farthest = np.nan_to_num(shares).max(axis=(0, 1), initial=0.0)
    return np.asarray(np.clip(np.ceil(farthest / _MOVED - 1e-9), 1, _PIECES), dtype=np.int64)


def last_below(excess: Floats, times: Floats) -> Floats:
    """Return when each row (..., times) rises above 0 for good, between times by a line."""
    below = excess < 0
    last = np.where(below.any(axis=-1), below.shape[-1] - 1 - below[..., ::-1].argmax(axis=-1), -1)
    after = np.minimum(last + 1, times.size - 1)
    a = np.take_along_axis(excess, np.maximum(last, 0)[..., None], -1)[..., 0]
    b = np.take_along_axis(excess, after[..., None], -1)[..., 0]
    share = np.divide(a, a - b, out=np.ones_like(a), where=a != b)
    return np.where(last < 0, 0.0, times[last] + share * (times[after] - times[last]))
