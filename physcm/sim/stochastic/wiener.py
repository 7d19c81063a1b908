"""Wiener processes on a base grid, and inside its steps.

The increment over base step k is a function of (seed, sample, k, source). Inside a step W is a
Brownian bridge, built by halving. Over an interval of length h let W be the increment and H the
mean of the path's distance from its chord, H ~ N(0, h/12), independent of W. Then its halves have

    W_l = W/2 + 3/2 H + sqrt(h)/4 X,            W_r = W - W_l,
    H_l, H_r = H/4 - sqrt(h)/8 X +- sqrt(h/48) Y,

X and Y standard normal draws that belong to the midpoint alone. So W and its integral are fixed
functions of time, whatever they are asked for: neither a saved time nor an intervention inside
a step moves them anywhere.

References: Levy's construction; with H: Foster, Lyons & Oberhauser, An optimal polynomial
approximation of Brownian motion, SIAM J. Numer. Anal. 58, 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.randomness import step_normals, uniform_pairs
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
        if not self.areas:
            return Increments(w, self.step / 2 * w)
        return Increments(w, self.step * (w / 2 + self._distance(k, columns)))

    def piece(self, k: int, columns: NDArray[np.int64], begin: float, end: float) -> Increments:
        """Return the increments between two fractions of base step k."""
        if (begin, end) == (0.0, 1.0):
            return self.increments(k, columns)
        w, integral = self._path(k, columns, begin)
        later, total = self._path(k, columns, end)
        return Increments(later - w, total - integral - (end - begin) * self.step * w)

    def _whole(self, k: int, columns: NDArray[np.int64]) -> Floats:
        if self.given is not None:
            return np.asarray(self.given[:, columns, k])
        return math.sqrt(self.step) * self._normals("W({})", columns, k)

    def _distance(self, k: int, columns: NDArray[np.int64]) -> Floats:
        return math.sqrt(self.step / 12) * self._normals("Z({})", columns, k)

    def _path(self, k: int, columns: NDArray[np.int64], at: float) -> tuple[Floats, Floats]:
        """Return W from the start of base step k to a fraction of it, and its integral so far."""
        w, distance = self._whole(k, columns), self._distance(k, columns)
        h, left = self.step, 0.0
        reached, integral = np.zeros_like(w), np.zeros_like(w)
        if at == 1.0:
            return w, h * (w / 2 + distance)
        for x, y in zip(*self._bridge(k, columns, at), strict=True):
            if at == left:
                break
            first = w / 2 + 1.5 * distance + math.sqrt(h) / 4 * x
            near, apart = distance / 4 - math.sqrt(h) / 8 * x, math.sqrt(h / 48) * y
            h /= 2
            if at < left + h / self.step:
                w, distance = first, near + apart
            else:
                integral = integral + h * (reached + first / 2 + near + apart)
                reached, left = reached + first, left + h / self.step
                w, distance = w - first, near - apart
        part = (at - left) * self.step
        return reached + w * part / h, integral + part * (reached + w * part / h / 2)

    def _bridge(self, k: int, columns: NDArray[np.int64], at: float) -> Floats:
        """Return the draws X and Y of all midpoints on the way to a fraction of a step."""
        place = int(at * 2**_HALVINGS)
        nodes = np.array(
            [(1 << level) | (place >> (_HALVINGS - level)) for level in range(_HALVINGS)]
        )
        numbers, samples = k << _NODES | nodes[:, np.newaxis], self.samples[columns]
        draws = [
            uniform_pairs(self.seed, f"W({name})/bridge", samples, numbers) for name in self.sources
        ]
        shape = (len(self.sources), 2, _HALVINGS, columns.size)
        return np.asarray(np.moveaxis(scipy.special.ndtri(np.array(draws).reshape(shape)), 0, 2))

    def _normals(self, source: str, columns: NDArray[np.int64], step: int) -> Floats:
        samples = self.samples[columns]
        names = [source.format(name) for name in self.sources]
        rows = [step_normals(self.seed, name, samples, step) for name in names]
        return np.asarray(np.array(rows, float).reshape(len(self.sources), columns.size))
