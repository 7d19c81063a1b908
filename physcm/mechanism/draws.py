"""Draws for many sources at once: the same as `physcm.mechanism.randomness` makes one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.randomness import key, of_pair, philox, uniform

_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def keys(seed: int, sources: Iterable[str]) -> NDArray[np.uint64]:
    """Return the key of each source under a seed, shape (sources, 1)."""
    return np.array([key(seed, source) for source in sources], np.uint64).reshape(-1, 1)


def uniforms(
    seed: int, sources: Iterable[str], samples: NDArray[np.int64], step: int = 0
) -> Floats:
    """Return uniform draws inside (0, 1), shape (sources, samples).

    >>> from physcm.mechanism import randomness
    >>> many, one = uniforms(0, ["a", "b"], np.arange(3)), randomness.uniforms(0, "b", np.arange(3))
    >>> bool((many[1] == one).all())
    True
    """
    return uniform_pairs(keys(seed, sources), samples, step)[0]


def normals(keys: NDArray[np.uint64], samples: NDArray[np.int64], step: int) -> Floats:
    """Return the normal draws of a step for sources given by keys, (sources, samples)."""
    return of_pair(*uniform_pairs(keys, samples, step >> 1), step)


def uniform_pairs(
    keys: NDArray[np.uint64], samples: NDArray[np.int64], step: int | NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return two uniform draws inside (0, 1) for sources given by keys.

    Each has the shape to which keys, samples and steps broadcast.
    """
    numbers = samples.astype(np.uint64), np.atleast_1d(np.asarray(step)).astype(np.uint64)
    counter = tuple(half for n in numbers for half in (n & _LOW, n >> _32))
    # An array of keys goes through the same integer arithmetic as a single key.
    words = philox(cast(Any, counter), cast(Any, keys))
    return uniform(*words[:2]), uniform(*words[2:])
