"""Where to look for further roots of a system of equations: about those that are known.

    x = a + theta (b - a), -1 < theta < 2,   or   x_i = one of a_i, b_i, c_i, ...,

shaken by 1 to 100 percent, with a, b, c any known roots: between two attractors lies a third
root, beyond it in line with them another, and of switches that hardly feel each other every
combination.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy

from physcm.mechanism.codegen import Floats

_SEED = 20
_SHAKEN = -2.0
_FAINT = 1e-3


def about(
    roots: Floats, low: Floats, high: Floats, scale: Floats, count: int, again: int = 0
) -> Floats:
    """Return points (unknowns, count) about some roots (unknowns, roots), within bounds.

    Amounts, which are never negative, are shaken by factors.

    Args:
        roots: the roots known, at least one.
        low: the least value of each unknown.
        high: the largest.
        scale: the size of each unknown, where the roots do not tell it.
        count: how many points.
        again: the round, each of which has other points.

    >>> points = about(np.array([[1.0, 3.0]]), np.zeros(1), np.full(1, 9.0), np.ones(1), 100)
    >>> [int(((points > low) & (points < low + 1)).sum() > 0) for low in range(6)]
    [1, 1, 1, 1, 1, 1]
    """
    size, known = roots.shape
    draws = uniforms(2 * size + 4, count, again)
    a, b, theta, strength = draws[2 * size :]
    one, other = (roots[:, (known * u).astype(int)] for u in (a, b))
    line = one + (3 * theta - 1) * (other - one)
    mixed = np.take_along_axis(roots, (known * draws[:size]).astype(int), axis=1)
    x = np.where(np.arange(count) % 2, line, mixed)
    shake = scipy.special.ndtri(draws[size : 2 * size]) * 10 ** (_SHAKEN * strength)
    wide = np.maximum(np.ptp(roots, axis=1), scale)[:, np.newaxis]
    amounts = np.maximum(np.abs(x), _FAINT * scale[:, np.newaxis]) * np.exp(2 * shake)
    low, high = low[:, np.newaxis], high[:, np.newaxis]
    return np.asarray(np.clip(np.where(low >= 0, amounts, x + shake * wide), low, high))


@lru_cache(maxsize=64)
def uniforms(size: int, count: int, again: int = 0) -> Floats:
    """Return evenly spread numbers between 0 and 1, (size, count), other ones each round."""
    return np.asarray(scipy.stats.qmc.Halton(size, seed=_SEED + again).random(count).T)
