"""Do two samples come from one law? A permutation test that looks in several ways at once.

Under the hypothesis that they do, all ways to share the pooled points out between the samples are
equally likely. The p-value of each statistic is the share of ways with at least its value, and
the test as a whole rests on the smallest of these p-values, whose own law under the hypothesis
comes from the same ways (Westfall & Young, 1993, section 2.3). It is exact whatever the law. Every
statistic is largest in some way, so that the smallest possible p-value is shared by as many ways as
there are statistics; among these the one farther out, in standard deviations, comes first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogi
from scipy.stats import rankdata

from physcm.abstraction.population.statistics import JOINT, Statistics
from physcm.mechanism.codegen import Floats

MOST_POINTS = 2000
"""How many points of a sample the test reads, the first ones: it takes all pairs of them."""

_FIRST, _WAYS = 199, 999
_ENOUGH, _LARGE = 20, 0.05
_FLAT, _CLOSE = 1e-11, 1e-9
_REPEATS = 200
_HALVINGS = 12
_SURE, _QUANTILE = 0.95, 1.645


@dataclass(frozen=True, eq=False)
class TwoSample:
    """What tells two samples apart.

    Attributes:
        p_value: of the test as a whole.
        p_values: of each statistic on its own; those of Kolmogorov and Smirnov are called by the
            variables.
        statistics: their values, in units of each variable's standard deviation.
        shifts: the Wasserstein distance of each variable in its standard deviations.
    """

    p_value: float
    p_values: Mapping[str, float]
    statistics: Mapping[str, float]
    shifts: Floats


def two_sample(
    names: tuple[str, ...], x: Floats, y: Floats, *, seed: int = 0, smallest: float = 0.01
) -> TwoSample:
    """Test whether two samples, (variables, points), come from one law.

    Args:
        names: of the variables.
        x: the one sample.
        y: the other, independent of it.
        seed: of the ways to share the points out.
        smallest: the p-value to be told from larger ones; the test goes on until it is, or until
            enough ways lie as far apart as the samples do.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 1, 300))
    >>> two_sample(("x",), x, y).p_value > 0.05, two_sample(("x",), x, y + 1).p_value < 0.01
    (True, True)
    """
    x, y = x[:, :MOST_POINTS], y[:, :MOST_POINTS]
    rng = np.random.default_rng((seed, x.shape[1], y.shape[1]))
    statistics = Statistics(standardized(np.concatenate([x, y], axis=1)).T, rng)
    weights = np.repeat([1 / x.shape[1], -1 / y.shape[1]], [x.shape[1], y.shape[1]])
    values = statistics.of(weights[:, np.newaxis])
    more, known = _FIRST, False
    while not known:
        ways = rng.permuted(np.tile(weights[:, np.newaxis], more), axis=0)
        values = np.concatenate([values, statistics.of(ways)], axis=1)
        p = _p_values(values)
        as_small = _as_far_out(p.min(axis=0), standardized(values).max(axis=0))
        whole = as_small / values.shape[1]
        known = whole > _LARGE or as_small > _ENOUGH or values.shape[1] > 2 / smallest
        more = _WAYS
    labels = (*JOINT, *names)
    return TwoSample(
        whole,
        dict(zip(labels, p[:, 0].tolist(), strict=True)),
        dict(zip(labels, values[:, 0].tolist(), strict=True)),
        statistics.areas(weights[:, np.newaxis])[:, 0],
    )


def _as_far_out(p: Floats, excess: Floats) -> int:
    """Return how many ways have a p-value as small as the first, or as far an excess if equal."""
    tied = (p == p[0]) & (excess >= excess[0] - _CLOSE)
    return int(((p < p[0]) | tied).sum())


def _p_values(values: Floats) -> Floats:
    """Return, for each statistic and way, the share of ways with at least its value.

    Values that differ by rounding alone are as large as each other.
    """
    size = np.abs(values).max(axis=1, keepdims=True, initial=0.0)
    rounded = np.round(values / np.where(size > 0, size, 1.0), 12)
    return np.asarray(rankdata(-rounded, method="max", axis=1) / values.shape[1])


def standardized(points: Floats) -> Floats:
    """Return points (variables, points) in standard deviations from the mean of each variable.

    What varies by rounding alone does not vary.

    >>> standardized(np.array([[1.0, 3.0], [0.1, 0.1 + 1e-16], [1e300, -1e300]])).tolist()
    [[-1.0, 1.0], [0.0, 0.0], [1.0, -1.0]]
    """
    size = np.abs(points).max(axis=1, keepdims=True, initial=0.0)
    points = points / np.where(size > 0, size, 1.0)  # squares neither overflow nor vanish
    mean, spread = points.mean(axis=1, keepdims=True), points.std(axis=1, keepdims=True)
    varies = spread > _FLAT
    return np.where(varies, (points - mean) / np.where(varies, spread, 1.0), 0.0)


def detectable_shifts(x: Floats, y: Floats, level: float, *, seed: int = 0) -> Floats:
    """Return the shift of each variable that would be seen with a probability of 95 %.

    That is the smallest d so that, in 95 % of pairs of samples drawn from the pooled points, of
    which one is shifted by d standard deviations, Kolmogorov and Smirnov's test of that variable
    alone rejects at a level (by its limiting law; Smirnov, 1948). NaN for what does not vary. A
    variable of which most values occur more than once is not shifted off them: its points
    move to the next values with the same probability, by d standard deviations in the mean.

    The pooled points have gaps and heaps of their own, by which a shift shows more than it would
    in the law that they come from: the distance is asked to be larger than it must by as much as a
    share of them is uncertain at 95 %.

    Args:
        x: the one sample, (variables, points).
        y: the other.
        level: of the test.
        seed: of the pairs drawn.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 1, 500))
    >>> bool(0.15 < detectable_shifts(x, y, 0.05)[0] < 0.35)
    True
    """
    n, m = min(x.shape[1], MOST_POINTS), min(y.shape[1], MOST_POINTS)
    rng = np.random.default_rng((seed, n, m))
    critical = float(kolmogi(level)) * math.sqrt((n + m) / (n * m))
    if critical < 1:
        critical += _QUANTILE * math.sqrt(critical * (1 - critical) / (n + m))
    pooled = standardized(np.concatenate([x, y], axis=1))
    draws = rng.integers(pooled.shape[1], size=(_REPEATS, n + m))
    found = []
    for row in pooled:
        values, counts = np.unique(row, return_counts=True)
        if not row.any():
            found.append(math.nan)
        elif counts[counts > 1].sum() > row.size / 2:
            found.append(_detectable_moves(row[draws], n, critical, values, rng))
        else:
            found.append(_detectable(row[draws], n, critical))
    return np.array(found)


def _detectable_moves(
    samples: Floats, n: int, critical: float, values: Floats, rng: np.random.Generator
) -> float:
    """Return the mean of the smallest number of moves to the next value that is seen in 95 %."""
    first, second = np.sort(samples[:, :n], axis=1), samples[:, n:]
    places, chance = np.searchsorted(values, second), rng.random(second.shape)

    def moved(steps: float) -> Floats:
        whole = int(steps)
        further = places + whole + (chance < steps - whole)
        return np.sort(values[np.minimum(further, values.size - 1)], axis=1)

    low, high = 0.0, float(values.size - 1)
    if critical >= 1 or not _power(first, moved(high), critical) >= _SURE:
        return math.inf
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        seen = _power(first, moved(middle), critical) >= _SURE
        low, high = (low, middle) if seen else (middle, high)
    return float((moved(high) - np.sort(second, axis=1)).mean())


def _detectable(samples: Floats, n: int, critical: float) -> float:
    """Return the smallest shift that is seen in 95 % of samples (samples, points)."""
    first, second = np.sort(samples[:, :n], axis=1), np.sort(samples[:, n:], axis=1)
    low, high = 0.0, 8.0
    if critical >= 1 or not _power(first, second + high, critical) >= _SURE:
        return math.inf
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        seen = _power(first, second + middle, critical) >= _SURE
        low, high = (low, middle) if seen else (middle, high)
    return high


def _power(first: Floats, second: Floats, critical: float) -> float:
    """Return the share of pairs of sorted samples with max |F - G| beyond a critical value."""
    gaps = [_gap(x, y) for x, y in zip(first, second, strict=True)]
    return float(np.mean(np.array(gaps) > critical))


def _gap(x: Floats, y: Floats) -> float:
    """Return max |F - G| of two sorted samples."""
    places: NDArray[np.float64] = np.concatenate([x, y])
    below = np.searchsorted(x, places, side="right") / x.size
    return float(np.abs(below - np.searchsorted(y, places, side="right") / y.size).max())
