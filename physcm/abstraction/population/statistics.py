"""How far two samples lie apart, for many ways to share their pooled points out between them.

A way is a vector w over the pooled points, 1/n for those of the one sample and -1/m for those of
the other. Each statistic is a function of it:

    energy distance       2 E|X - Y| - E|X - X'| - E|Y - Y'|    = -w' D w   Székely & Rizzo (2013)
    MMD squared           E k(X, X') + E k(Y, Y') - 2 E k(X, Y) =  w' K w   Gretton et al. (2012)
    sliced Wasserstein    the mean of int |F - G| over directions           Bonneel et al. (2015)
    Kolmogorov-Smirnov    max |F - G| of one variable

with the distances D between points, a Gaussian kernel K as wide as their median, and the
distribution functions F and G of the two samples along a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

from physcm.mechanism.codegen import Floats

JOINT = ("energy distance", "maximum mean discrepancy", "sliced Wasserstein")
"""The statistics of all variables together, in order."""

_DIRECTIONS = 32


class Statistics:
    """The statistics of pooled points (points, variables) whose variables have unit size.

    >>> apart = Statistics(np.array([[0.0], [1.0], [5.0], [6.0]]), np.random.default_rng(0))
    >>> apart.of(np.array([[0.5], [0.5], [-0.5], [-0.5]]))[[0, 2, 3], 0].tolist()
    [9.0, 5.0, 1.0]
    """

    def __init__(self, points: Floats, rng: np.random.Generator) -> None:
        """Prepare what all ways to share the points out have in common."""
        distances = pdist(points)
        width = np.median(distances[distances > 0]) if distances.any() else 1.0
        self._distances = squareform(distances)
        self._kernel = np.exp(-0.5 * (self._distances / width) ** 2)
        self._axes = [_Line.through(column) for column in points.T]
        self._slices = self._axes
        if len(self._axes) > 1:
            directions = rng.normal(size=(points.shape[1], _DIRECTIONS))
            directions /= np.linalg.norm(directions, axis=0)
            self._slices = [_Line.through(along) for along in (points @ directions).T]

    def of(self, weights: Floats) -> Floats:
        """Return the statistics (joint ones, then one per variable; ways) of ways as columns."""
        energy = -np.einsum("ib,ib->b", weights, self._distances @ weights)
        kernel = np.einsum("ib,ib->b", weights, self._kernel @ weights)
        sliced = np.mean([line.area(weights) for line in self._slices], axis=0)
        return np.array([energy, kernel, sliced, *(axis.gap(weights) for axis in self._axes)])

    def areas(self, weights: Floats) -> Floats:
        """Return the Wasserstein distance int |F - G| of each variable, (variables, ways)."""
        return np.array([axis.area(weights) for axis in self._axes])


@dataclass(frozen=True)
class _Line:
    """Points on a line.

    Attributes:
        order: the points from left to right.
        steps: the distance from each to the next.
    """

    order: NDArray[np.int64]
    steps: Floats

    @classmethod
    def through(cls, points: Floats) -> _Line:
        order = np.argsort(points, kind="stable")
        return cls(order, np.diff(points[order]))

    @cached_property
    def _apart(self) -> NDArray[np.bool_]:
        return self.steps > 0

    def _differences(self, weights: Floats) -> Floats:
        """Return F - G behind each point but the last, (points - 1, ways)."""
        return np.abs(np.cumsum(weights[self.order], axis=0)[:-1])

    def area(self, weights: Floats) -> Floats:
        """Return int |F - G|."""
        return np.asarray(self.steps @ self._differences(weights))

    def gap(self, weights: Floats) -> Floats:
        """Return max |F - G|, read off between points that differ."""
        return np.asarray(self._differences(weights)[self._apart].max(axis=0, initial=0.0))
