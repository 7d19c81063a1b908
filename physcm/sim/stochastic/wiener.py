"""Wiener processes on a base grid, and inside its steps.

The increment over base step k is a function of (seed, sample, k, source). Inside a step W is a
Brownian bridge, built by halving: the midpoint of an interval of length L lies at the mean of
its ends, plus a normal draw of variance L/4 that belongs to that midpoint alone (Levy's
construction). So W is one fixed function of time, whatever it is asked for: neither a saved
time nor an intervention inside a step moves it anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.randomness import step_normals
from physcm.sim.stochastic.schemes import Increments

_HALVINGS = 24
_NODES = 32


@dataclass(frozen=True)
class Wiener:
    """Independent Wiener processes.

    Attributes:
        seed: of all draws.
        sources: the names of the processes.
        samples: the numbers of the samples.
        step: the length of a base step.
        areas: whether the integrals of W are asked for; else they are left at their means.
        given: the increments over the base steps, (sources, samples, steps), if they are known.
    """

    seed: int
    sources: Sequence[str]
    samples: NDArray[np.int64]
    step: float
    areas: bool
    given: Floats | None = None

    def increments(self, k: int, columns: NDArray[np.int64]) -> Increments:
        """Return the increments over base step k."""
        w = self._whole(k, columns)
        return self._with_areas(w, self.step, "Z({})", columns, k)

    def piece(self, k: int, columns: NDArray[np.int64], begin: float, end: float) -> Increments:
        """Return the increments between two fractions of base step k.

        Given W at both ends, the integral of W over the piece is a normal draw of its own.
        """
        if (begin, end) == (0.0, 1.0):
            return self.increments(k, columns)
        h = (end - begin) * self.step
        w = self._inside(k, columns, end) - self._inside(k, columns, begin)
        node = k << _NODES | int(begin * 2**_NODES)
        return self._with_areas(w, h, "Z({})/piece", columns, node)

    def _with_areas(
        self, w: Floats, h: float, source: str, columns: NDArray[np.int64], node: int
    ) -> Increments:
        if not self.areas:
            return Increments(w, h / 2 * w)
        z = math.sqrt(h) * self._normals(source, columns, node)
        return Increments(w, h / 2 * (w + z / math.sqrt(3)))

    def _whole(self, k: int, columns: NDArray[np.int64]) -> Floats:
        if self.given is not None:
            return np.asarray(self.given[:, columns, k])
        return math.sqrt(self.step) * self._normals("W({})", columns, k)

    def _inside(self, k: int, columns: NDArray[np.int64], at: float) -> Floats:
        """Return W at a fraction of base step k, less W at its start."""
        whole = self._whole(k, columns)
        if at in (0.0, 1.0):
            return whole * at
        low, high, length, node = np.zeros_like(whole), whole, 1.0, 1
        left = 0.0
        for _ in range(_HALVINGS):
            deviation = math.sqrt(length * self.step) / 2
            draw = self._normals("W({})/bridge", columns, k << _NODES | node)
            middle = (low + high) / 2 + deviation * draw
            length /= 2
            if at == left + length:
                return middle
            if at < left + length:
                high, node = middle, 2 * node
            else:
                low, node, left = middle, 2 * node + 1, left + length
        return low + (high - low) * (at - left) / length

    def _normals(self, source: str, columns: NDArray[np.int64], step: int) -> Floats:
        samples = self.samples[columns]
        names = [source.format(name) for name in self.sources]
        rows = [step_normals(self.seed, name, samples, step) for name in names]
        return np.asarray(np.array(rows, float).reshape(len(self.sources), columns.size))
