"""Holm's correction: many tests, and still at most alpha chance of any false alarm."""

from __future__ import annotations

import numpy as np

from physcm.mechanism.codegen import Floats


def holm(p_values: Floats) -> Floats:
    """Return p-values adjusted for being many (Holm 1979), in the order given.

    With p_(1) <= ... <= p_(m), the adjusted p_(k) is the largest of min(1, (m - j + 1) p_(j)),
    j <= k. Rejecting those at most alpha makes any false alarm at most alpha likely, whatever
    the dependence between the tests.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * p_values[order]))
    return adjusted
