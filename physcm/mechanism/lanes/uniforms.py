"""Uniform draws as vector instructions: those of `physcm.mechanism.randomness.uniform_pairs`.

A block of Philox4x32-10, whose counter is (sample, step), holds two of them.
"""

from __future__ import annotations

from physcm.mechanism.lanes.vectors import Vectors
from physcm.mechanism.randomness import MULTIPLIERS, ROUNDS, WEYL

_LOW = 0xFFFFFFFF


def uniform_pair(v: Vectors, key: str, sample: str, step: str) -> tuple[str, str]:
    """Return two uniform draws, odd multiples of 2^-53, of a key and a counter, all of words."""
    low, shift = v.word(_LOW), v.word(32)
    c = [v.integer("and", sample, low), v.integer("lshr", sample, shift)]
    c += [v.integer("and", step, low), v.integer("lshr", step, shift)]
    k = [v.integer("and", key, low), v.integer("lshr", key, shift)]
    for turn in range(ROUNDS):
        keys = [
            v.integer("and", v.integer("add", k[i], v.word(turn * WEYL[i] & _LOW)), low)
            for i in range(2)
        ]
        a = v.integer("mul", c[0], v.word(MULTIPLIERS[0]))
        b = v.integer("mul", c[2], v.word(MULTIPLIERS[1]))
        c = [
            v.integer("xor", v.integer("xor", v.integer("lshr", b, shift), c[1]), keys[0]),
            v.integer("and", b, low),
            v.integer("xor", v.integer("xor", v.integer("lshr", a, shift), c[3]), keys[1]),
            v.integer("and", a, low),
        ]
    return _uniform(v, c[0], c[1]), _uniform(v, c[2], c[3])


def _uniform(v: Vectors, low: str, high: str) -> str:
    word = v.integer("or", v.integer("shl", high, v.word(32)), low)
    # The leading 52 bits as the fraction of a number in [1, 2).
    mantissa = v.integer("or", v.integer("lshr", word, v.word(12)), v.word(0x3FF << 52))
    return v.sub(v.floats(mantissa), v.number(1.0 - 2.0**-53))
