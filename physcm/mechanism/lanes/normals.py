"""Standard normal draws for a block of samples, as an LLVM function.

A block of Philox4x32-10 holds two uniform draws, and they make two independent normal draws,
one for an even step and one for the odd step after it (Box and Muller 1958):

    sqrt(-2 log u) cos(2 pi v),   sqrt(-2 log u) sin(2 pi v)

These are the draws of `physcm.mechanism.randomness.normals`.
"""

from __future__ import annotations

import math

from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.elementary import log, sine_series
from physcm.mechanism.lanes.vectors import WIDTH, WORDS, Vectors
from physcm.mechanism.randomness import MULTIPLIERS, ROUNDS, WEYL

_LOW = 0xFFFFFFFF


def normals_function(declarations: set[str]) -> str:
    """Return the text of `normals(key, samples, pair, even, odd)`.

    It reads the numbers of the samples (LANES) and writes their draws for the steps 2 pair and
    2 pair + 1, (LANES) each.
    """
    v = Vectors(declarations)
    # All vectors of the block side by side, so that the long chains of one hide those of others.
    places = [str(WIDTH * i) for i in range(LANES // WIDTH)]
    uniform = [_uniforms(v, v.load("%samples", 0, place, LANES, kind=WORDS)) for place in places]
    for place, (first, second) in zip(places, uniform, strict=True):
        radius = v.intrinsic("sqrt", v.mul(v.number(-2.0), log(v, first)))
        cosine, sine = _circle(v, second)
        v.store(v.mul(radius, cosine), "%even", 0, place, LANES)
        v.store(v.mul(radius, sine), "%odd", 0, place, LANES)
    arguments = "i64 %key, ptr %samples, i64 %pair, ptr %even, ptr %odd"
    return "\n".join(
        [f"define void @normals({arguments}) {{", "entry:", *v.lines, "  ret void", "}"]
    )


def _uniforms(v: Vectors, sample: str) -> tuple[str, str]:
    """Return two uniform draws, odd multiples of 2^-53, of a counter (sample, pair) and a key."""
    low, shift = v.word(_LOW), v.word(32)
    pair, key = _spread(v, "%pair"), _spread(v, "%key")
    c = [v.integer("and", sample, low), v.integer("lshr", sample, shift)]
    c += [v.integer("and", pair, low), v.integer("lshr", pair, shift)]
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


def _circle(v: Vectors, u: str) -> tuple[str, str]:
    """Return cos(2 pi u) and sin(2 pi u); the quadrant of u is found without rounding."""
    turns = v.mul(u, v.number(4.0))
    nearest = v.intrinsic("rint", turns)
    r = v.mul(v.sub(turns, nearest), v.number(math.pi / 2))
    sine, cosine = sine_series(v, r)
    quadrant = v.emit(f"fptosi <{WIDTH} x double> {nearest} to {WORDS}")
    odd = v.emit(f"icmp ne {WORDS} {v.integer('and', quadrant, v.word(1))}, {v.word(0)}")
    return (
        _signed(v, v.select(odd, sine, cosine), v.integer("add", quadrant, v.word(1))),
        _signed(v, v.select(odd, cosine, sine), quadrant),
    )


def _signed(v: Vectors, value: str, quadrant: str) -> str:
    sign = v.integer("shl", v.integer("and", quadrant, v.word(2)), v.word(62))
    return v.floats(v.integer("xor", v.words(value), sign))


def _spread(v: Vectors, word: str) -> str:
    one = v.emit(f"insertelement {WORDS} poison, i64 {word}, i32 0")
    return v.emit(f"shufflevector {WORDS} {one}, {WORDS} poison, <{WIDTH} x i32> zeroinitializer")
