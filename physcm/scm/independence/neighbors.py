"""Conditional mutual information by nearest neighbors, tested by local permutation.

With n_s(i) the number of samples strictly nearer to sample i in the variables s than its k-th
neighbor is in all of them, in the largest-coordinate distance, itself counted,
I(x; y | z) = psi(k) + mean_i[psi(n_z) - psi(n_xz) - psi(n_yz)]
(Frenzel & Pompe 2007; without z: Kraskov, Stögbauer & Grassberger 2004). Under independence, x
may be exchanged between samples with nearly the same z: the p-value is the rank of the estimate
among those after such exchanges (Runge, AISTATS 2018). All variables are made uniform by ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from physcm.mechanism.codegen import Floats


@dataclass(frozen=True)
class Neighbors:
    """The nearest-neighbor test of independence of x and y given z: dependence of any form.

    Args:
        share: k as a share of the samples, at least 3 of them.
        near: how many samples with nearly the same z one may be exchanged with.
        permutations: how many exchanges; the p-value is a multiple of 1/(permutations + 1).
        most: how many samples are used, the first ones.
    """

    share: float = 0.1
    near: int = 5
    permutations: int = 199
    most: int = 500

    @property
    def smallest(self) -> float:
        """The smallest p-value that the test can give."""
        return 1 / (self.permutations + 1)

    def p_value(self, x: Floats, y: Floats, z: Floats, rng: np.random.Generator) -> float:
        """Return the p-value for x (n,) and y (n,) given z (n, k); exchanges are drawn from rng.

        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=200)
        >>> parabola = x**2 + 0.5 * rng.normal(size=200)
        >>> Neighbors().p_value(x, parabola, np.empty((200, 0)), rng)
        0.005
        """
        x, y, z = (_ranks(part[: self.most]) for part in (x[:, None], y[:, None], z))
        k = max(3, round(self.share * len(x)))
        near = _nearest(z, self.near) if z.shape[1] else None
        seen = information(x, y, z, k)
        exceeding = 0
        for _ in range(self.permutations):
            order = rng.permutation(len(x)) if near is None else _exchanged(near, rng)
            exceeding += information(x[order], y, z, k) >= seen
        return (1 + exceeding) / (1 + self.permutations)


def information(x: Floats, y: Floats, z: Floats, k: int) -> float:
    """Return the estimate of I(x; y | z) in nats for columns (n, 1), (n, 1) and (n, m).

    >>> rng = np.random.default_rng(0)
    >>> x, e = rng.normal(size=(2, 4000, 1))
    >>> y = 0.6 * x + 0.8 * e
    >>> nats, exact = information(x, y, np.empty((4000, 0)), k=5), -0.5 * np.log(1 - 0.6**2)
    >>> bool(abs(nats - exact) < 0.03)
    True
    """
    everything = np.column_stack([x, y, z])
    distances, _ = scipy.spatial.cKDTree(everything).query(everything, k + 1, p=np.inf)
    radius = np.nextafter(distances[:, -1], 0)
    psi = scipy.special.digamma
    with_x, with_y = (_within(np.column_stack([part, z]), radius) for part in (x, y))
    of_z = psi(_within(z, radius)) if z.shape[1] else psi(len(x))
    return float(psi(k) + np.mean(of_z - psi(with_x) - psi(with_y)))


def _within(columns: Floats, radius: Floats) -> Floats:
    """Return how many samples are within each sample's radius, itself counted."""
    tree = scipy.spatial.cKDTree(columns)
    return np.asarray(tree.query_ball_point(columns, radius, p=np.inf, return_length=True))


def _ranks(columns: Floats) -> Floats:
    return np.asarray(scipy.stats.rankdata(columns, axis=0) / len(columns))


def _nearest(z: Floats, count: int) -> Floats:
    _, places = scipy.spatial.cKDTree(z).query(z, min(count, len(z)), p=np.inf)
    return np.asarray(places).reshape(len(z), -1)


def _exchanged(near: Floats, rng: np.random.Generator) -> list[int]:
    """Return for each sample one with nearly the same z, each used once where that is possible."""
    choices = rng.permuted(near, axis=1).tolist()
    order, used = [0] * len(choices), set()
    for i in rng.permutation(len(choices)).tolist():
        order[i] = next((j for j in choices[i] if j not in used), choices[i][-1])
        used.add(order[i])
    return order
