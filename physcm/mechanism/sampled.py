"""Sampled trajectories as expressions in time."""

from __future__ import annotations

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import TIME, exact


def sampled(times: ArrayLike, values: ArrayLike) -> sp.Expr:
    """Return the piecewise linear function of time through some points.

    With slopes s_i from point i to the next, and 0 before the first point and after the last,

        x(t) = x_0 + sum_i (s_i - s_{i-1}) max(0, t - t_i).

    Args:
        times: increasing, at least two, shape (points,).
        values: the value at each, shape (points,).

    Raises:
        InvalidValue: for times that do not increase, and values that are not finite or not as
            many as the times.

    >>> sampled([0, 1, 3], [0, 2, 2])
    2*Max(0, t) - 2*Max(0, t - 1)
    """
    t, x = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    if t.ndim != 1 or t.shape != x.shape or len(t) < 2:
        raise InvalidValue(
            f"sampled: times of shape `{t.shape}` and values of shape `{x.shape}`; give two rows "
            "of the same length, at least 2"
        )
    if not (np.diff(t) > 0).all() or not np.isfinite([t, x]).all():
        raise InvalidValue(
            f"sampled: times `{t}` or values `{x}` are not finite, or times do not increase; "
            "give increasing times"
        )
    at, to = [exact(time) for time in t], [exact(value) for value in x]
    slopes = [(to[i + 1] - to[i]) / (at[i + 1] - at[i]) for i in range(len(at) - 1)]
    bends = [after - before for before, after in zip([0, *slopes], [*slopes, 0], strict=True)]
    hinges = (
        bend * sp.Max(0, TIME - time) for bend, time in zip(bends, at, strict=True) if bend != 0
    )
    return to[0] + sp.Add(*hinges)
