"""Where the samples of a run stand: all of them in a `Record`, those on their way in a `Front`.

The exponential and the uniform draw of a firing depend on (seed, sample, number of the firing)
alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.pool import missing
from physcm.mechanism.randomness import uniform_pairs
from physcm.sim.modes import Modes
from physcm.sim.status import RunStatus

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

SOURCE = "direct method"


@dataclass(frozen=True)
class Record:
    """Where all samples stand and what has been saved; the arrays are written as time goes on.

    Attributes:
        modes: of the system, with its samples.
        times: to save, and infinity behind them.
        values: the full vector, (variables, samples).
        now: when a sample last changed.
        left: the part of the exponential draw that is still to be waited for.
        pick: the uniform draw that will choose the reaction.
        number: the number of that firing.
        reached: how many times are saved.
        status: how the run ended, as far as it has.
        saved: the full vector at the saved times, (variables, samples, times).
        deadline: on the monotonic clock; what is on its way then is broken off.
    """

    modes: Modes
    times: Floats
    values: Floats
    now: Floats
    left: Floats
    pick: Floats
    number: Integers
    reached: Integers
    status: Integers
    saved: Floats
    deadline: float

    @classmethod
    def start(cls, modes: Modes, times: Floats, deadline: float) -> Record:
        """Return all samples at the first time, before anything is done."""
        count = modes.samples.size
        zeros = np.zeros(count, dtype=np.int64)
        left, pick = draws(modes.seed, modes.samples, zeros, 1)
        return cls(
            modes,
            np.append(times, np.inf),
            modes.start(times[0]),
            np.full(count, times[0]),
            left[0],
            pick[0],
            zeros,
            zeros.copy(),
            np.full(count, RunStatus.COMPLETE, dtype=np.int64),
            missing((len(modes.names), count, times.size)),
            deadline,
        )

    def ahead(self, reached: Integers) -> Mask:
        """Say where there are times to save yet."""
        return np.asarray(reached < self.times.size - 1)


def draws(seed: int, samples: Integers, first: Integers, count: int) -> tuple[Floats, Floats]:
    """Return exponential and uniform draws for some firings of each sample, (firings, samples)."""
    steps = first + np.arange(count)[:, np.newaxis]
    u, v = uniform_pairs(seed, SOURCE, samples, steps)
    return -np.log(u), v


@dataclass
class Front:
    """Samples on their way; every array has them along its last axis.

    Attributes:
        columns: which samples they are.
        x0, unit, count: their states, x0 + unit * count.
        p: their parameters.
        now, left, pick, number, reached: as in `Record`.
        until: when something is to be done.
        edge: when the agenda has something.
        heights: the propensities summed up, (reactions, samples), as they are when one fires.
        due: when the next reaction fires; never if nothing can before anything else is to be done.
        used: what of `left` is used up until that, or until something is to be done.
        truth: which conditions hold.
        waits, picks: draws for the firings to come, (firings, samples).
        most: the number of the firing before which a sample is stopped.
    """

    columns: Integers
    x0: Floats
    unit: Floats
    count: Floats
    p: Floats
    now: Floats
    left: Floats
    pick: Floats
    number: Integers
    reached: Integers
    edge: Floats
    until: Floats
    heights: Floats
    due: Floats
    used: Floats
    truth: Mask
    waits: Floats
    picks: Floats
    most: Integers

    @property
    def x(self) -> Floats:
        """The states."""
        return self.x0 + self.unit * self.count

    def kept(self, mask: Mask) -> Front:
        """Return some of the samples."""
        return Front(**{f.name: getattr(self, f.name)[..., mask] for f in fields(self)})
