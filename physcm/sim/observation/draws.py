"""The random numbers of a step: functions of seed, step, variable, sample and time.

    u = uniforms(seed, "observe/{kind}/{number}/{variable}", sample, time)

`number` counts the steps of one kind, so that a step of another kind moves no draw. The
counter is the time itself (the bits of the float), not its place among the saved times: the
error of the measurement at t = 2 is the same whatever else was saved, hidden or subsampled.
All solutions of one sample share its draws, since only one of them can be measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.randomness import Integers, uniforms
from physcm.sim.observation.layout import laid_out
from physcm.sim.observation.times import bits, times_of


@dataclass(frozen=True)
class Draws:
    """The draws of one step.

    Attributes:
        seed: a non-negative integer.
        source: the name of the step, unique in its pipeline.

    >>> run = xr.Dataset({"x": ("sample", [0.0, 0.0])}, coords={"sample": [0, 1]})
    >>> Draws(0, "observe/AdditiveNoise/0").like(run, "x", "x").round(3).tolist()
    [0.013, 0.829]
    """

    seed: int
    source: str

    def like(self, dataset: xr.Dataset, name: str, what: str) -> Floats:
        """Return one draw per sample, and per time and node if the variable is over these.

        Args:
            dataset: has the samples and times.
            name: the variable whose values the draws are for.
            what: what is drawn; draws for other names are independent.

        Returns:
            The draws, in a shape that broadcasts against the values of the variable.
        """
        dims = dataset[name].dims
        if "time" not in dims:
            return laid_out(self.at(what, dataset["sample"].values), ("sample",), dims)
        if "node" not in dims:
            return laid_out(self.grid(dataset, what), ("sample", "time"), dims)
        nodes = [self.grid(dataset, f"{what}[{node}]") for node in dataset["node"].values]
        return laid_out(np.stack(nodes, axis=-1), ("sample", "time", "node"), dims)

    def grid(self, dataset: xr.Dataset, what: str) -> Floats:
        """Return one draw per sample and time, shape (samples, times)."""
        samples = dataset["sample"].values[:, np.newaxis]
        return self.at(what, samples, bits(times_of(dataset)))

    def at(self, what: str, samples: Integers, steps: int | Integers = 0) -> Floats:
        """Return draws for chosen samples and steps, in their broadcast shape."""
        return uniforms(self.seed, f"{self.source}/{what}", samples, steps)
