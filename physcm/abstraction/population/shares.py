"""Have two sides equally many samples of each kind? Fisher's exact test, and what it would find.

With a of n samples of a kind on one side, b of m on the other and both sums given, a has the
hypergeometric law if the shares are equal; the p-value is the probability of all counts that are
no more probable than a (Fisher, Statistical Methods for Research Workers, 1934, section 21.02).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import binom, fisher_exact

from physcm.mechanism.codegen import Floats

Counts = NDArray[np.int64]

_SURE = 0.95
_QUANTILES = 99
_EQUAL = 1e-9
_HALVINGS = 14


def shares_apart(below: NDArray[np.str_], above: NDArray[np.str_]) -> dict[str, float]:
    """Return the p-value of Fisher's exact test for each kind of sample.

    >>> shares_apart(np.array(["a"] * 9 + ["b"]), np.array(["a"] * 9 + ["b"]))
    {'a': 1.0, 'b': 1.0}
    """
    found = {}
    for kind in np.union1d(below, above).tolist():
        counts = [[(side == kind).sum(), (side != kind).sum()] for side in (below, above)]
        found[kind] = float(fisher_exact(counts).pvalue)
    return found


def detectable_difference(share: float, n: int, m: int, level: float) -> float:
    """Return the smallest difference of shares that is seen with a probability of 95 %.

    That is the smallest d so that Fisher's test of a ~ Bin(n, s) and b ~ Bin(m, s + d) rejects
    with that probability, s being the share or its complement, whichever is smaller. Infinite if
    there is none.

    Args:
        share: of samples of a kind on the one side.
        n: the number of samples of that side.
        m: that of the other.
        level: of the test.

    >>> round(detectable_difference(0.0, 1000, 1000, 0.05), 4)
    0.0105
    """
    rare = min(share, 1 - share)
    quantiles = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    first = _first_rejected(binom.ppf(quantiles, n, rare).astype(np.int64), n, m, level)

    def seen(d: float) -> bool:
        return bool(binom.sf(first - 1, m, rare + d).mean() >= _SURE)

    low, high = 0.0, 1 - rare
    if not seen(high):
        return math.inf
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high


def _first_rejected(a: Counts, n: int, m: int, level: float) -> Counts:
    """Return the smallest count b above a m/n that is too large for each a, m + 1 if none is."""
    low, high = a * m // n, np.full(a.shape, m + 1)
    while (high - low > 1).any():
        middle = (low + high) // 2
        rejected = p_values(a, middle, n, m) <= level
        low, high = np.where(rejected, low, middle), np.where(rejected, middle, high)
    return high


def p_values(a: Counts, b: Counts, n: int, m: int) -> Floats:
    """Return the p-values of many pairs of counts.

    >>> p_values(np.array([1, 8]), np.array([9, 2]), 10, 12).round(4).tolist()
    [0.0037, 0.0083]
    """
    logs = gammaln(np.arange(n + m + 1) + 1.0)
    k, total = np.arange(n + 1), (a + b)[:, np.newaxis]
    rest, beyond = total - k, m - total + k
    weights = -(logs[k] + logs[n - k] + logs[np.maximum(rest, 0)] + logs[np.maximum(beyond, 0)])
    weights = np.where((rest >= 0) & (beyond >= 0), weights, -np.inf)
    chances = np.exp(weights - weights.max(axis=1, keepdims=True))
    own = np.take_along_axis(chances, a[:, np.newaxis], axis=1)
    as_rare = np.where(chances <= own * (1 + _EQUAL), chances, 0.0)
    return np.asarray(as_rare.sum(axis=1) / chances.sum(axis=1))
