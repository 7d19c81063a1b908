"""Random jumps: when the next one comes, and how large it is.

A jump of intensity r(t, X) comes when the integral of r since the last one reaches a standard
exponential draw. That draw, and those of the sizes, belong to (seed, sample, number of the
jump, name), so that an intervention elsewhere leaves the draws of a jump as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.randomness import uniforms
from physcm.sim.plan import Plan, Reading
from physcm.sim.transitions import Jump


class Clocks:
    """The clocks of all jumps of all samples; they change as time goes on."""

    def __init__(self, plan: Plan[Any], jumps: Mapping[str, Jump]) -> None:
        """Set all clocks to the wait for their first jump."""
        self.plan, self.jumps = plan, dict(jumps)
        samples = plan.samples
        self.count = np.zeros((len(self.jumps), samples.size), dtype=np.int64)
        self.left = np.array(
            [self._wait(name, samples, np.zeros_like(samples)) for name in self.jumps]
        ).reshape(self.count.shape)

    @cached_property
    def intensities(self) -> Reading:
        """The intensity of each jump over the full vector."""
        return self.plan.program([jump.rate for jump in self.jumps.values()])

    def rates(self, t: float, full: Floats, p: Floats) -> Floats:
        """Return the intensities, (jumps, columns)."""
        return np.maximum(self.intensities.vector(t, full, p), 0.0)

    def _wait(self, name: str, samples: NDArray[np.int64], number: NDArray[np.int64]) -> Floats:
        u = uniforms(self.plan.seed, f"jump/{name}", samples, number)
        return np.asarray(-np.log(u))

    def first(self, rates: Floats, column: int) -> tuple[float, int]:
        """Return how long from now the first jump of a sample comes at these rates, and which."""
        with np.errstate(divide="ignore"):
            waits = self.left[:, column] / rates
        which = int(np.argmin(waits))
        return float(waits[which]), which

    def run(self, rates: Floats, time: float, columns: NDArray[np.int64]) -> None:
        """Let the clocks of some samples run for a time."""
        self.left[:, columns] -= rates * time

    def ring(
        self, which: int, columns: NDArray[np.int64], now: Floats, full: Floats, p: Floats
    ) -> dict[str, Floats]:
        """Return what a jump of some samples adds to each state, and wind up its clock again."""
        name, jump = list(self.jumps.items())[which]
        seed, samples = self.plan.seed, self.plan.samples[columns]
        number = self.count[which, columns]
        self.count[which, columns] += 1
        self.left[which, columns] = self._wait(name, samples, number + 1)
        sizes: dict[str, Floats] = {}
        for state, size in jump.changes.items():
            if isinstance(size, Distribution):
                u = uniforms(seed, f"jump/{name}/{state}", samples, number)
                sizes[state] = np.asarray(size.quantile(u), dtype=float)
            else:
                sizes[state] = self.plan.reading(sp.sympify(size)).vector(now, full, p)[0]
        return sizes
