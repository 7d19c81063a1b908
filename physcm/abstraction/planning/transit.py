"""The way to a state of rest: when it is reached for good, and what is broken before.

Margins over time are known at saved times, and by a line between these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physcm.mechanism.codegen import Floats

_LINEAR, _EARLY = 1001, 400


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
        return cls(text, runs, float(when), float(-margins[worst]), float(times[worst[1]]))

    def __str__(self) -> str:
        return (
            f"{self.condition} broken from t = {self.first:.4g} on, "
            f"by {self.worst:.4g} at t = {self.at:.4g}"
        )


def saved_times(horizon: float) -> Floats:
    """Return times that are close to each other early on."""
    early = np.geomspace(1e-6, 1, _EARLY)
    return horizon * np.union1d(np.linspace(0, 1, _LINEAR), early)


def last_below(excess: Floats, times: Floats) -> Floats:
    """Return when each row (..., times) rises above 0 for good, between times by a line."""
    below = excess < 0
    last = np.where(below.any(axis=-1), below.shape[-1] - 1 - below[..., ::-1].argmax(axis=-1), -1)
    after = np.minimum(last + 1, times.size - 1)
    a = np.take_along_axis(excess, np.maximum(last, 0)[..., None], -1)[..., 0]
    b = np.take_along_axis(excess, after[..., None], -1)[..., 0]
    share = np.divide(a, a - b, out=np.ones_like(a), where=a != b)
    return np.where(last < 0, 0.0, times[last] + share * (times[after] - times[last]))
