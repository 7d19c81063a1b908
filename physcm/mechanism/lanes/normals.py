"""Standard normal draws for a block of samples, as LLVM functions.

Two uniform draws make two independent normal draws, one for an even step and one for the odd
step after it (Box and Muller 1958):

    sqrt(-2 log u) cos(2 pi v),   sqrt(-2 log u) sin(2 pi v)

These are the draws of `physcm.mechanism.randomness.step_normals`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.elementary import log, sine_series
from physcm.mechanism.lanes.module import assembled
from physcm.mechanism.lanes.uniforms import uniform_pair
from physcm.mechanism.lanes.vectors import WIDTH, WORDS, Vectors


def normals_functions(declarations: set[str]) -> list[str]:
    """Return the texts of `normals(keys, samples, pair, even, odd)` and of `normals_each`.

    They read the keys of sources and the numbers of samples (LANES each) and write the draws for
    the steps 2 pair and 2 pair + 1, (LANES) each. The pair is one number; `normals_each` reads
    one for each sample.
    """
    return [
        _function("normals", "i64 %pair", lambda v, _: v.spread("%pair"), declarations),
        _function(
            "normals_each",
            "ptr %pairs",
            lambda v, place: v.load("%pairs", 0, place, LANES, kind=WORDS),
            declarations,
        ),
    ]


def _function(
    name: str, argument: str, pair: Callable[[Vectors, str], str], declarations: set[str]
) -> str:
    v = Vectors(declarations)
    # All vectors of the block side by side, so that the long chains of one hide those of others.
    places = [str(WIDTH * i) for i in range(LANES // WIDTH)]
    uniform = [
        uniform_pair(
            v,
            v.load("%keys", 0, place, LANES, kind=WORDS),
            v.load("%samples", 0, place, LANES, kind=WORDS),
            pair(v, place),
        )
        for place in places
    ]
    for place, (first, second) in zip(places, uniform, strict=True):
        radius = v.intrinsic("sqrt", v.mul(v.number(-2.0), log(v, first)))
        cosine, sine = _circle(v, second)
        v.store(v.mul(radius, cosine), "%even", 0, place, LANES)
        v.store(v.mul(radius, sine), "%odd", 0, place, LANES)
    arguments = f"ptr %keys, ptr %samples, {argument}, ptr %even, ptr %odd"
    return "\n".join(
        [f"define void @{name}({arguments}) {{", "entry:", *v.lines, "  ret void", "}"]
    )


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


@lru_cache(maxsize=1)
def normals_code() -> Code:
    """Return the machine code of `normals` and `normals_each`."""
    declarations: set[str] = set()
    text = assembled("normal draws", normals_functions(declarations), declarations)
    return compiled(text)
