"""The machine code of the Taylor method of order p, for blocks of samples.

In each step the solution is its Taylor polynomial P about the beginning. The step is as long as
the last two terms allow: |c_j| h^j <= 2 in units of the tolerance, of which the first term left
out is less than half if also |c_j| h^j <= 2^-p |x|, so that terms fall at least by half. What was
left out is then measured at the end: (p + 1) c_{p+1} h^{p+1} is about h (f(t + h, P) - P'), and
the step is tried again at half its length where that is too much.

The functions work on blocks of states (n, LANES), on the ledger, and on coefficients
c (n, p + 1, LANES), in the place of stages; these are in units of the step h' tried before:
P = sum_j c_j (s/h')^j.

Reference: Jorba & Zou, Experimental Mathematics 14, 2005.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from physcm.mechanism.lanes.blocks import LANES, over_lanes, over_rows, sequence
from physcm.mechanism.lanes.module import assembled
from physcm.mechanism.lanes.vectors import Vectors
from physcm.sim.fused.control import (
    CLEAR,
    JUDGE,
    STEEP,
    begin,
    conclude,
    finite,
    smaller,
    steep,
    tolerated,
)
from physcm.sim.fused.progress import advance
from physcm.sim.fused.rows import Row, accumulate, look_at, place, read, write
from physcm.sim.fused.stages import ARGUMENTS, commit, one, save

ORDER = 14
STABILITY = 5.5
STAGES = ORDER + 4
"""Coefficients, and then h' P', f at P, and f at what P is without its last term."""

_LAST_TERMS, _GROW, _SHRINK = 2.0, 10.0, 0.5


def method_code() -> str:
    """Return the text of a module with the method's `begin`, `attempt`, ..., `commit`.

    The functions of the system that they call are f and the one that writes the series.
    """
    d: set[str] = set()
    bodies = [*begin(ORDER, d), *_attempt(d), sequence("extend", ARGUMENTS, [])]
    bodies += [*_inside(d), commit(d), advance(STABILITY, d)]
    return assembled(f"Taylor series of order {ORDER}", bodies, d)


def _attempt(d: set[str]) -> list[str]:
    """Return one step of all samples: the new state in z, and its error."""
    bodies = [
        over_lanes("now", "l", lambda v, lane: look_at(v, lane, read(v, Row.TIME, lane)), d),
        over_rows("terms", "l x k tolerance", _terms, d),
        over_lanes("choose", "l", _choose, d),
        over_rows("arrive", "l k y z slope", _arrive, d),
        over_rows("measure", "l x y z slope above below tolerance", _measure, d),
        steep(d),
        over_lanes("judge", "l", _judge, d),
    ]
    calls = [
        *_PLACES,
        CLEAR,
        "call void @now(ptr %l)",
        "call void %series(ptr %at, ptr %x, ptr %p, ptr %step, ptr %k)",
        "call void @terms(i64 %n, ptr %l, ptr %x, ptr %k, ptr %tolerance)",
        "call void @choose(ptr %l)",
        CLEAR,
        "call void @arrive(i64 %n, ptr %l, ptr %k, ptr %y, ptr %z, ptr %slope)",
        "call void %f(ptr %at, ptr %z, ptr %p, ptr %above)",
        "call void %f(ptr %at, ptr %y, ptr %p, ptr %below)",
        "call void @measure(i64 %n, ptr %l, ptr %x, ptr %y, ptr %z, ptr %slope, ptr %above, "
        "ptr %below, ptr %tolerance)",
        STEEP,
        JUDGE,
    ]
    return [*bodies, sequence("attempt", ARGUMENTS, calls)]


_PLACES = [
    "%f = load ptr, ptr %system",
    "%series_at = getelementptr ptr, ptr %system, i64 1",
    "%series = load ptr, ptr %series_at",
    place(Row.AT, "at"),
    place(Row.STEP, "step"),
    *(
        line
        for i, name in enumerate(("slope", "above", "below"), start=ORDER + 1)
        for line in (
            f"%{name}_from = mul i64 %n, {i * LANES}",
            f"%{name} = getelementptr double, ptr %k, i64 %{name}_from",
        )
    ),
]


def _term(v: Vectors, j: int, at: str, lane: int) -> str:
    """Return c_j at a place of blocks of states."""
    row = v.emit(f"mul i64 {v.emit(f'sub i64 {at}, {lane}')}, {ORDER + 1}")
    return v.load("%k", j, v.emit(f"add i64 {row}, {lane}"), LANES)


def _terms(v: Vectors, at: str, lane: int) -> None:
    """Add up the squares of the last two coefficients."""
    weight = v.div(v.number(1.0), tolerated(v, at, lane, v.load("%x", 0, at, 1)))
    for row, j in ((Row.ABOVE, ORDER), (Row.BELOW, ORDER - 1)):
        accumulate(v, row, lane, v.mul(_term(v, j, at, lane), weight))


def _choose(v: Vectors, lane: int) -> None:
    """Choose the step, and what it is in units of the one before; 0 where there is no series."""
    before, count = read(v, Row.STEP, lane), read(v, Row.COUNT, lane)
    largest = v.div(v.number(0.5**ORDER), read(v, Row.RTOL, lane))
    largest = smaller(v, largest, v.number(_LAST_TERMS))
    allowed = v.mul(count, largest, largest)
    last = [read(v, row, lane) for row in (Row.ABOVE, Row.BELOW)]
    logs = [
        v.mul(v.number(-0.5 / j), v.call("lanes_log", v.div(size, allowed)))
        for size, j in zip(last, (ORDER, ORDER - 1), strict=True)
    ]
    theta = smaller(v, v.call("lanes_exp", smaller(v, *logs)), v.number(_GROW))
    span = v.sub(read(v, Row.END, lane), read(v, Row.TIME, lane))
    h = smaller(v, smaller(v, v.mul(theta, before), span), read(v, Row.LONGEST, lane))
    known = v.compare("<", v.add(*last), v.number(math.inf))
    h = v.select(known, h, v.number(0.0))
    write(v, Row.SCALE, lane, before)
    write(v, Row.THETA, lane, v.div(h, before))
    write(v, Row.STEP, lane, h)
    look_at(v, lane, v.add(read(v, Row.TIME, lane), h))


def _arrive(v: Vectors, at: str, lane: int) -> None:
    """Write P to z, P without its last term to y, and h P', all at the end of the step."""
    theta = read(v, Row.THETA, lane)
    *others, before, last = (_term(v, j, at, lane) for j in range(ORDER + 1))
    value, slope = v.fma(last, theta, before), last
    for term in reversed(others):
        slope = v.fma(slope, theta, value)
        value = v.fma(value, theta, term)
    v.store(value, "%z", 0, at, 1)
    v.store(v.sub(value, v.mul(last, *[theta] * ORDER)), "%y", 0, at, 1)
    v.store(v.mul(slope, theta), "%slope", 0, at, 1)


def _measure(v: Vectors, at: str, lane: int) -> None:
    h = read(v, Row.STEP, lane)
    x, y, z, slope, above, below = (
        v.load(f"%{name}", 0, at, 1) for name in ("x", "y", "z", "slope", "above", "below")
    )
    weight = v.div(v.number(1.0), tolerated(v, at, lane, x, z))
    accumulate(v, Row.SIZE, lane, v.mul(v.sub(v.mul(h, above), slope), weight))
    accumulate(v, Row.ABOVE, lane, v.mul(v.sub(above, below), weight))
    accumulate(v, Row.BELOW, lane, v.mul(v.sub(z, y), weight))


def _judge(v: Vectors, lane: int) -> None:
    total = v.intrinsic("sqrt", v.div(read(v, Row.SIZE, lane), read(v, Row.COUNT, lane)))
    size = finite(v, v.mul(total, v.number(1 / (ORDER + 1))))
    h, good = read(v, Row.STEP, lane), v.compare("<=", size, v.number(1.0))
    # The next step is chosen from its own terms, up to this many times the one given here.
    shorter = v.mul(h, v.number(_SHRINK / _GROW))
    conclude(v, lane, size, v.select(good, h, shorter))


def _inside(d: set[str]) -> list[str]:
    """Return what evaluates P at the THETA of each lane, or in one lane at up to `WIDTH` times."""

    def polynomial(v: Vectors, at: str, lane: int) -> None:
        h, unit = read(v, Row.STEP, lane), read(v, Row.SCALE, lane)
        theta = v.div(v.mul(read(v, Row.THETA, lane), h), unit)
        v.store(
            _horner(v, theta, [_term(v, j, at, lane) for j in range(ORDER + 1)]), "%y", 0, at, 1
        )

    def inside(v: Vectors, theta: str) -> str:
        start = v.emit(f"mul i64 %row, {ORDER + 1}")
        places = [v.emit(f"add i64 {start}, {j * LANES}") for j in range(ORDER + 1)]
        return _horner(v, theta, [one(v, "%k", place) for place in places])

    arguments = "i64 %n, ptr %l, ptr %x, ptr %z, ptr %k, ptr %c, ptr %y"
    return [
        over_rows("polynomial", "l k y", polynomial, d),
        save(Row.SCALE, inside, d),
        sequence("shape", arguments, []),
        sequence("mix", arguments, ["call void @polynomial(i64 %n, ptr %l, ptr %k, ptr %y)"]),
    ]


def _horner(v: Vectors, theta: str, terms: Sequence[str]) -> str:
    """Return sum_j c_j theta^j."""
    value = terms[-1]
    for term in reversed(terms[:-1]):
        value = v.fma(value, theta, term)
    return value
