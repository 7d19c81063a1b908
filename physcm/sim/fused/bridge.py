"""Wiener processes inside a base step, for one sample: the paths of `stochastic.wiener`."""

from __future__ import annotations

from typing import Any

import numpy as np

from physcm.mechanism.lanes.native import computed, part
from physcm.mechanism.randomness import MULTIPLIERS, ROUNDS, WEYL
from physcm.sim.stochastic.wiener import HALVINGS, NODES

_LOW = np.uint64(0xFFFFFFFF)
_M0, _M1 = map(np.uint64, MULTIPLIERS)
_W0, _W1 = map(np.uint64, WEYL)
_32, _11, _1 = np.uint64(32), np.uint64(11), np.uint64(1)


@part
def _uniform_pair(key: Any, sample: Any, number: Any) -> Any:
    """Return the draws of `randomness.uniform_pairs`."""
    s, step = np.uint64(sample), np.uint64(number)
    c0, c1, c2, c3 = s & _LOW, s >> _32, step & _LOW, step >> _32
    k0, k1 = np.uint64(key) & _LOW, np.uint64(key) >> _32
    for _ in range(ROUNDS):
        a, b = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = (b >> _32) ^ c1 ^ k0, b & _LOW, (a >> _32) ^ c3 ^ k1, a & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    u = np.float64(((c1 << _32 | c0) >> _11) | _1) * 2.0**-53
    v = np.float64(((c3 << _32 | c2) >> _11) | _1) * 2.0**-53
    return u, v


@part
def find_roots(step: float, roots: Any) -> None:
    """Write sqrt(h)/4, sqrt(h)/8 and sqrt(h/48) of each halving of a step, (HALVINGS, 3)."""
    for level in range(HALVINGS):
        h = step / 2.0**level
        roots[level, 0], roots[level, 1] = np.sqrt(h) / 4, np.sqrt(h) / 8
        roots[level, 2] = np.sqrt(h / 48)


@part
def follow(noise: Any, at: float, path: Any) -> None:
    """Find W from the start of a base step to a fraction of it, and its integral so far.

    Args:
        noise: the address of the quantile function of the normal distribution; the keys of the
            draws at midpoints (sources); what `find_roots` finds; the number of the sample; that
            of the base step, and its length; W over it and the mean of the path's distance
            from its chord, (2, sources); the draws X and Y of the midpoints last asked for,
            (sources, HALVINGS, 2), and the numbers of these midpoints (sources, HALVINGS), 0
            for none.
        at: the fraction.
        path: W and its integral there, (2, sources).
    """
    quantile, keys, roots, sample, k, step, whole, nodes, numbers = noise
    place = int(at * 2**HALVINGS)
    for s in range(keys.size):
        w, distance = whole[0, s], whole[1, s]
        if at == 1.0:
            path[0, s], path[1, s] = w, step * (w / 2 + distance)
            continue
        h, left, reached, integral = step, 0.0, 0.0, 0.0
        for level in range(HALVINGS):
            if at == left:
                break
            number = (1 << level) | (place >> (HALVINGS - level))
            if numbers[s, level] != number:
                u, v = _uniform_pair(keys[s], sample, k << NODES | number)
                nodes[s, level, 0] = computed(quantile, u)
                nodes[s, level, 1] = computed(quantile, v)
                numbers[s, level] = number
            x, y = nodes[s, level, 0], nodes[s, level, 1]
            first = w / 2 + 1.5 * distance + roots[level, 0] * x
            near, apart = distance / 4 - roots[level, 1] * x, roots[level, 2] * y
            h /= 2
            if at < left + h / step:
                w, distance = first, near + apart
            else:
                integral = integral + h * (reached + first / 2 + near + apart)
                reached, left = reached + first, left + h / step
                w, distance = w - first, near - apart
        rest = (at - left) * step
        path[0, s] = reached + w * rest / h
        path[1, s] = integral + rest * (reached + w * rest / h / 2)
