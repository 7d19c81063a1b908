"""The kernel test of conditional independence: dependence of any form (Zhang et al., UAI 2011).

A Gaussian kernel stands for features of (x, z) and of y. With A and B the matrices of the inner
products of what ridge regressions on z leave of them, tr(A B) is small iff no feature of one
goes with one of the other. Under independence it is distributed as a sum of squared normals
weighted by the eigenvalues of the product A_ij B_ij taken entry by entry, and so about as a
gamma variable with mean sum_i A_ii B_ii and variance 2 sum_ij (A_ij B_ij)^2. Without z it is the
Hilbert-Schmidt criterion (Gretton et al. 2008).

Width and ridge of each regression are those with the smallest leave-one-out error: too stiff a
regression would leave dependence through z in both parts, and raise false alarms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from physcm.mechanism.codegen import Floats

_WIDTHS = (0.25, 0.5, 1.0, 2.0)
_RIDGES = 10.0 ** np.arange(-5, 2)
_NEGLIGIBLE = 1e-6  # the share of a kernel that is left out with its smallest eigenvalues


@dataclass(frozen=True)
class Kernel:
    """The kernel test of independence of x and y given z.

    Args:
        most: how many samples are used, the first ones; time grows with their cube.
    """

    most: int = 400

    smallest = 0.0
    """The smallest p-value that the test can give."""

    def p_value(self, x: Floats, y: Floats, z: Floats, rng: np.random.Generator) -> float:
        """Return the p-value for x (n,) and y (n,) given z (n, k); nothing is drawn.

        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=200)
        >>> parabola = x**2 + 0.5 * rng.normal(size=200)
        >>> Kernel().p_value(x, parabola, np.empty((200, 0)), rng) < 1e-6
        True
        """
        x, y, z = (_standardized(part[: self.most]) for part in (x[:, None], y[:, None], z))
        of_x, of_y = _features(np.column_stack([x, z / 2])), _features(y)
        if z.shape[1]:
            spectra = [np.linalg.eigh(_gram(z, width)) for width in _WIDTHS]
            of_x, of_y = _left(of_x, spectra), _left(of_y, spectra)
        product = (of_x @ of_x.T) * (of_y @ of_y.T)
        mean, variance = np.trace(product), 2 * np.sum(product**2)
        return float(scipy.stats.gamma.sf(product.sum(), mean**2 / variance, scale=variance / mean))


def _standardized(columns: Floats) -> Floats:
    return np.asarray((columns - columns.mean(axis=0)) / columns.std(axis=0))


def _gram(columns: Floats, width: float = 0.5) -> Floats:
    """Return the centered kernel matrix; the width is in units of the median distance."""
    squared = scipy.spatial.distance.pdist(columns, "sqeuclidean")
    scaled = scipy.spatial.distance.squareform(squared / np.median(squared))
    gram = np.exp(-scaled / (2 * width**2))
    rows = gram.mean(axis=0)
    return np.asarray(gram - rows - rows[:, None] + rows.mean())


def _features(columns: Floats) -> Floats:
    """Return the features (n, r) behind a kernel matrix."""
    values, vectors = np.linalg.eigh(_gram(columns))
    kept = values > _NEGLIGIBLE * values.sum()
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def _left(features: Floats, spectra: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Return what the best ridge regression on z leaves of features."""
    best, smallest = features, np.inf
    for values, vectors in spectra:
        inside, squares = vectors.T @ features, vectors**2
        for ridge in _RIDGES * len(features):
            shrink = ridge / (np.maximum(values, 0) + ridge)
            left = vectors @ (shrink[:, None] * inside)
            error = np.sum((left / (squares @ shrink)[:, None]) ** 2)
            if error < smallest:
                best, smallest = left, error
    return np.asarray(best)
