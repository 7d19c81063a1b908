"""Counter-based randomness: the draw for (seed, sample, step, source) is a function of the four.

A counter-based generator keeps no state. It is a keyed bijection of 128-bit blocks, so any
draw can be made alone, in any order and on any number of workers:

    block = Philox4x32-10(counter = (sample, step), key = hash(seed, source))

The seed and the *name* of a source make the key, so that adding, removing or replacing one
source moves no other draw. Philox and its constants are from Salmon, Moraes, Dror & Shaw,
"Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from hashlib import blake2b
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.quantiles import evaluated, standard_normal

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]
Block: TypeAlias = tuple[Words, Words, Words, Words]

ROUNDS = 10
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
_WORD = 0xFFFFFFFF
_LOW = np.uint64(_WORD)
_32 = np.uint64(32)


def uniforms(seed: int, source: str, samples: Integers, step: int | Integers = 0) -> Floats:
    """Return uniform draws strictly inside (0, 1).

    A draw is an odd multiple of 2^-53, so that u and 1 - u are both exact, equally likely and
    never 0.

    Args:
        seed: a non-negative integer of any size.
        source: the name of what is drawn.
        samples: the numbers of the samples.
        step: the number of the step, or an array of them that broadcasts with `samples`.

    Returns:
        Draws in the broadcast shape of `samples` and `step`.

    Raises:
        InvalidValue: if the seed is not a non-negative integer, or samples or steps are not
            integers.

    >>> uniforms(0, "k", np.arange(3)).round(3).tolist()
    [0.986, 0.854, 0.668]
    >>> uniforms(0, "k", np.array([2])).round(3).tolist()
    [0.668]
    """
    low, high, _, _ = _block(seed, source, samples, step)
    return uniform(low, high)


def uniform_pairs(
    seed: int, source: str, samples: Integers, step: int | Integers = 0
) -> tuple[Floats, Floats]:
    """Return two independent uniform draws: those of `uniforms`, which see, and one more each.

    A block has bits enough for both, so that the second costs next to nothing.

    >>> u, v = uniform_pairs(0, "k", np.arange(3))
    >>> bool((u == uniforms(0, "k", np.arange(3))).all()), v.round(3).tolist()
    (True, [0.495, 0.375, 0.824])
    """
    first, second, third, fourth = _block(seed, source, samples, step)
    return uniform(first, second), uniform(third, fourth)


def normals(seed: int, source: str, samples: Integers, step: int | Integers = 0) -> Floats:
    """Return standard normal draws: the normal quantiles of `uniforms`, which see.

    >>> normals(0, "k", np.arange(3)).round(3).tolist()
    [2.198, 1.053, 0.435]
    """
    return evaluated(standard_normal, uniforms(seed, source, samples, step))


def step_normals(seed: int, source: str, samples: Integers, step: int | Integers) -> Floats:
    """Return the standard normal draws of the steps of a process.

    The block numbered by a pair of steps holds two uniform draws u and v, which make the normal
    draws of both: sqrt(-2 log u) cos(2 pi v) of the even step and sqrt(-2 log u) sin(2 pi v) of
    the odd one after it (Box & Muller, Ann. Math. Stat. 29, 1958).

    >>> step_normals(0, "k", np.arange(2), np.array([[6], [7]])).round(3).tolist()
    [[-0.705, -0.392], [0.091, -2.488]]
    """
    return of_pair(*uniform_pairs(seed, source, samples, np.asarray(step) >> 1), step)


def of_pair(u: Floats, v: Floats, step: int | Integers) -> Floats:
    """Return the normal draws of steps from the uniform draws of their pairs of steps."""
    wave = np.where(np.asarray(step) & 1, np.sin(2 * np.pi * v), np.cos(2 * np.pi * v))
    return np.asarray(np.sqrt(-2 * np.log(u)) * wave)


def key(seed: int, source: str) -> int:
    """Return the 64-bit key of a source under a seed.

    Raises:
        InvalidValue: if the seed is not a non-negative integer.

    >>> key(0, "k") == key(0, "k"), key(0, "k") == key(1, "k"), key(0, "k") == key(0, "m")
    (True, False, False)
    """
    # Hexadecimal, since Python refuses to write long integers in decimal.
    text = f"{natural(seed, 'the seed'):x}:{source}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def natural(number: Any, what: str) -> int:
    """Return a non-negative integer, or say what should have been one.

    Raises:
        InvalidValue: for anything else.

    >>> natural(-1, "the seed")
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: the seed `-1` is not valid; give an integer from 0 up
    """
    if isinstance(number, bool) or not isinstance(number, Integral) or number < 0:
        raise InvalidValue(f"{what} `{number}` is not valid; give an integer from 0 up")
    return int(number)


def philox(counter: Block, key: int) -> Block:
    """Return the Philox4x32-10 block for a counter and a key.

    Args:
        counter: four 32-bit words, lowest first, as arrays of uint64 that broadcast.
        key: 64 bits.

    Returns:
        Four 32-bit words, lowest first, as arrays of uint64.

    >>> zero = np.zeros(1, np.uint64)
    >>> [f"{word.item():08x}" for word in philox((zero, zero, zero, zero), 0)]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    for turn in range(ROUNDS):
        k0 = np.uint64((key + turn * WEYL[0]) & _WORD)
        k1 = np.uint64(((key >> 32) + turn * WEYL[1]) & _WORD)
        # A product of two 32-bit words fits 64 bits: nothing here ever overflows.
        a, b = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (b >> _32) ^ c1 ^ k0, b & _LOW, (a >> _32) ^ c3 ^ k1, a & _LOW
    return c0, c1, c2, c3


def _block(seed: int, source: str, samples: Integers, step: int | Integers) -> Block:
    counter = *_halves(samples, "samples"), *_halves(step, "step")
    return philox(counter, key(seed, source))


def uniform(low: Words, high: Words) -> Floats:
    """Return the uniform draw of two words."""
    bits = ((high << _32 | low) >> np.uint64(11)) | np.uint64(1)
    return np.asarray(bits * 2.0**-53)


def _halves(numbers: Any, what: str) -> tuple[Words, Words]:
    """Return the low and high 32-bit words of 64-bit integers."""
    array = np.asarray(numbers)
    if array.dtype.kind not in "iu":
        raise InvalidValue(f"`{what}` is of type `{array.dtype}`; give 64-bit integers")
    words = array.astype(np.uint64)
    return words & _LOW, words >> _32
