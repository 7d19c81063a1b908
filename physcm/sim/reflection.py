"""Reflection at the ends of an interval: what would leave it comes back by as much."""

from __future__ import annotations

import math

import sympy as sp

from physcm.mechanism.expression import exact


def folded(x: sp.Expr, low: float, high: float) -> sp.Expr:
    """Return a value folded back into an interval at its ends, however far it has left it.

    >>> [folded(sp.Float(x), 0.0, 1.0) for x in (-0.5, 0.5, 1.25, 3.25)]
    [0.5, 0.5, 0.75, 0.75]
    >>> folded(sp.Float(-0.5), 0.0, math.inf)
    0.5
    """
    if math.isinf(high):
        return x if math.isinf(low) else exact(low) + sp.Abs(x - exact(low))
    if math.isinf(low):
        return exact(high) - sp.Abs(x - exact(high))
    width = exact(high) - exact(low)
    inside = sp.And(x >= exact(low), x <= exact(high))
    away = sp.Abs(sp.Mod(x - exact(low), 2 * width) - width)
    return sp.Piecewise((x, inside), (exact(high) - away, True))
