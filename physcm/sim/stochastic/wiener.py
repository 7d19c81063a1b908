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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.draws import keys, normals, uniform_pairs
from physcm.sim.stochastic.schemes import Increments

HALVINGS = 24
NODES = 32


def between(low: float, high: float) -> float:
    """Return the coarsest multiple of a power of 1/2 that is strictly between two fractions.

    >>> between(0.0, 1.0), between(0.3, 0.9), between(0.26, 0.37)
    (0.5, 0.5, 0.3125)
    """
    parts = 1.0
    while True:
        middle = (math.floor(low * parts) + 1) / parts
        if middle < high:
            return middle
        parts *= 2.0


@dataclass(frozen=True)
class Wiener:
    """Independent Wiener processes.

    Attributes:
        seed: of all draws.
        sources: the names of the processes.
        samples: the numbers of the samples.
        step: the length of a base step.
        areas: whether the integrals of W are asked for; else they are left at their means.
        known: returns the increments (sources, columns) over a base step for some columns, if
            they are known or drawn elsewhere.
    """

    seed: int
    sources: Sequence[str]
    samples: NDArray[np.int64]
    step: float
    areas: bool
    known: Callable[[int, NDArray[np.int64]], Floats] | None = None

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
        if self.known is not None:
            return self.known(k, columns)
        return math.sqrt(self.step) * normals(self._keys("W({})"), self.samples[columns], k)

    def _distance(self, k: int, columns: NDArray[np.int64]) -> Floats:
        return math.sqrt(self.step / 12) * normals(self._keys("Z({})"), self.samples[columns], k)

    def _path(self, k: int, columns: NDArray[np.int64], at: float) -> tuple[Floats, Floats]:
        """Return W from the start of base step k to a fraction of it, and its integral so far."""
        if at == 0.0:
            nothing = np.zeros((len(self.sources), columns.size))
            return nothing, nothing
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
        place = int(at * 2**HALVINGS)
        nodes = np.array(
            [(1 << level) | (place >> (HALVINGS - level)) for level in range(HALVINGS)]
        )
        numbers, samples = k << NODES | nodes[:, np.newaxis], self.samples[columns]
        own = self._keys("W({})/bridge")[:, np.newaxis]
        draws = np.array(uniform_pairs(own, samples, numbers))
        return np.asarray(np.moveaxis(scipy.special.ndtri(draws), 1, 2))

    def _keys(self, source: str) -> NDArray[np.uint64]:
        """Return the keys of all processes, (sources, 1)."""
        if source not in self._known_keys:
            self._known_keys[source] = keys(self.seed, map(source.format, self.sources))
        return self._known_keys[source]

    @cached_property
    def _known_keys(self) -> dict[str, NDArray[np.uint64]]:
        return {}
