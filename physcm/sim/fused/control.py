"""Step sizes: the first one, and after each step the next, from an estimate of the error.

The error is measured in units of atol + rtol max(|x|, |x'|), as a root mean square over the
states. Methods share this code; it works on the ledger `l` and on blocks (n, LANES).

Reference: Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, 1993, section II.4.
"""

from __future__ import annotations

import math

from physcm.mechanism.lanes.blocks import over_lanes, over_rows, sequence
from physcm.mechanism.lanes.vectors import Vectors
from physcm.sim.fused.rows import Row, accumulate, look_at, place, read, write
from physcm.sim.fused.stages import ARGUMENTS

_SAFETY, _SHRINK, _GROW, _AFTER_REJECTION = 0.8, 0.2, 10.0, 0.9
_SHORTEST = 1e-10
"""The shortest first step, as a share of the run; the error of it is judged like any other."""

CLEAR = "call void @clear(ptr %l)"
JUDGE = "call void @judge(ptr %l)"
STEEP = "call void @steep(ptr %l)"


def begin(order: int, d: set[str]) -> list[str]:
    """Return what finds the first step of samples that are new; f there goes into k_0."""
    calls = [
        "%f = load ptr, ptr %system",
        place(Row.AT, "at"),
        CLEAR,
        "call void @start(ptr %l)",
        "call void %f(ptr %at, ptr %x, ptr %p, ptr %y)",
        "call void @adopt(i64 %n, ptr %l, ptr %x, ptr %k, ptr %y, ptr %tolerance)",
        "call void @guess(ptr %l)",
        "call void @euler(i64 %n, ptr %l, ptr %x, ptr %k, ptr %y)",
        "call void %f(ptr %at, ptr %y, ptr %p, ptr %z)",
        "call void @bend(i64 %n, ptr %l, ptr %x, ptr %k, ptr %z, ptr %tolerance)",
        "call void @first(ptr %l)",
    ]
    return [
        over_lanes("clear", "l", _clear, d),
        over_lanes("start", "l", _start, d),
        over_rows("adopt", "l x k y tolerance", _adopt, d),
        over_lanes("guess", "l", _guess, d),
        over_rows("euler", "l x k y", _euler, d),
        over_rows("bend", "l x k z tolerance", _bend, d),
        over_lanes("first", "l", lambda v, lane: _first(v, lane, order), d),
        sequence("begin", ARGUMENTS, calls),
    ]


def _start(v: Vectors, lane: int) -> None:
    look_at(v, lane, read(v, Row.TIME, lane))


def _adopt(v: Vectors, at: str, lane: int) -> None:
    """Write f of new samples to k_0, and add up d0^2 and d1^2, the squares of x and f."""
    fresh = v.compare(">", read(v, Row.FRESH, lane), v.number(0.0))
    slope = v.select(fresh, v.load("%y", 0, at, 1), v.load("%k", 0, at, 1))
    v.store(slope, "%k", 0, at, 1)
    x = v.load("%x", 0, at, 1)
    unit = tolerated(v, at, lane, x)
    accumulate(v, Row.ABOVE, lane, v.div(x, unit))
    accumulate(v, Row.BELOW, lane, v.div(slope, unit))


def _guess(v: Vectors, lane: int) -> None:
    """Write h0 = 0.01 d0 / d1 as the next step, and look at its end."""
    count = read(v, Row.COUNT, lane)
    d0 = v.intrinsic("sqrt", v.div(read(v, Row.ABOVE, lane), count))
    d1 = v.intrinsic("sqrt", v.div(read(v, Row.BELOW, lane), count))
    span = v.sub(read(v, Row.END, lane), read(v, Row.TIME, lane))
    small = v.mul(v.number(1e-6), span)
    clear = v.flag("and", v.compare(">", d0, v.number(1e-5)), v.compare(">", d1, v.number(1e-5)))
    h = v.select(clear, v.div(v.mul(v.number(0.01), d0), d1), small)
    h = smaller(v, h, span)
    write(v, Row.NEXT, lane, h)
    look_at(v, lane, v.add(read(v, Row.TIME, lane), h))
    write(v, Row.SIZE, lane, v.number(0.0))


def _euler(v: Vectors, at: str, lane: int) -> None:
    step = v.mul(read(v, Row.NEXT, lane), v.load("%k", 0, at, 1))
    v.store(v.add(v.load("%x", 0, at, 1), step), "%y", 0, at, 1)


def _bend(v: Vectors, at: str, lane: int) -> None:
    """Add up the square of the change of f along Euler's step."""
    change = v.sub(v.load("%z", 0, at, 1), v.load("%k", 0, at, 1))
    unit = tolerated(v, at, lane, v.load("%x", 0, at, 1))
    accumulate(v, Row.SIZE, lane, v.div(change, unit))


def _first(v: Vectors, lane: int, order: int) -> None:
    """Write min(100 h0, (0.01 / max(d1, d2))^(1 / (order + 1))), d2 the change of f in time."""
    count, h = read(v, Row.COUNT, lane), read(v, Row.NEXT, lane)
    d1 = v.intrinsic("sqrt", v.div(read(v, Row.BELOW, lane), count))
    d2 = v.div(v.intrinsic("sqrt", v.div(read(v, Row.SIZE, lane), count)), h)
    most = v.select(v.compare(">", d1, d2), d1, d2)
    largest = v.mul(v.number(100.0), h)
    root = _power(v, v.div(v.number(0.01), most), 1 / (order + 1))
    # No curvature, or none that is finite: stay with the guess.
    chosen = v.select(v.compare(">", most, v.number(1e-15)), smaller(v, root, largest), h)
    chosen = v.select(v.compare("<", chosen, v.number(math.inf)), chosen, h)
    own = read(v, Row.STEP, lane)
    known = v.compare(">", own, v.number(0.0))
    span = v.sub(read(v, Row.END, lane), read(v, Row.TIME, lane))
    # What starts at next to nothing, such as 1e-15, would set a step that is as short.
    shortest = v.mul(v.number(_SHORTEST), span)
    chosen = v.select(v.compare(">", chosen, shortest), chosen, shortest)
    new = v.select(known, own, chosen)
    new = smaller(v, new, read(v, Row.LONGEST, lane))
    fresh = v.compare(">", read(v, Row.FRESH, lane), v.number(0.0))
    write(v, Row.STEP, lane, v.select(fresh, smaller(v, new, span), own))
    write(v, Row.FRESH, lane, v.number(0.0))


def _clear(v: Vectors, lane: int) -> None:
    for row in (Row.SIZE, Row.OTHER, Row.ABOVE, Row.BELOW):
        write(v, row, lane, v.number(0.0))


def judge(order: int, errors: int, d: set[str]) -> str:
    """Return what accepts or rejects a step and chooses the next.

    Args:
        order: of the error estimate.
        errors: how many estimates there are; their squares are in the rows SIZE and OTHER.
        d: the declarations of the module.
    """

    def decide(v: Vectors, lane: int) -> None:
        h, size = read(v, Row.STEP, lane), _size(v, lane, errors)
        good = v.compare("<=", size, v.number(1.0))
        factor = v.mul(v.number(_SAFETY), _power(v, size, -1 / (order + 1)))
        factor = smaller(v, factor, v.number(_GROW))
        factor = v.select(v.compare(">", factor, v.number(_SHRINK)), factor, v.number(_SHRINK))
        factor = v.select(good, factor, smaller(v, factor, v.number(_AFTER_REJECTION)))
        conclude(v, lane, size, v.mul(h, factor))

    return over_lanes("judge", "l", decide, d)


def conclude(v: Vectors, lane: int, size: str, further: str) -> None:
    """Write the error of a step, the next step, and what time is reached."""
    h, t, end = (read(v, row, lane) for row in (Row.STEP, Row.TIME, Row.END))
    write(v, Row.SIZE, lane, size)
    write(v, Row.NEXT, lane, smaller(v, further, read(v, Row.LONGEST, lane)))
    arrived = v.compare(">=", h, v.sub(end, t))
    reached = v.select(arrived, end, v.add(t, h))
    good = v.compare("<=", size, v.number(1.0))
    write(v, Row.REACHED, lane, v.select(good, reached, t))


def steep(d: set[str]) -> str:
    """Return what finds h times the slope of f between two states at the end of the step.

    The squares of the differences of f and of the states are in the rows ABOVE and BELOW.
    """

    def slope(v: Vectors, lane: int) -> None:
        h, above, below = (read(v, row, lane) for row in (Row.STEP, Row.ABOVE, Row.BELOW))
        steepness = v.mul(h, v.intrinsic("sqrt", v.div(above, below)))
        some = v.compare(">", below, v.number(0.0))
        write(v, Row.STEEP, lane, v.select(some, steepness, v.number(0.0)))

    return over_lanes("steep", "l", slope, d)


def _size(v: Vectors, lane: int, errors: int) -> str:
    """Return the error of a step in units of the tolerance, infinite where it is not a number.

    Of two estimates e and d it is |e|^2 / sqrt(|e|^2 + 0.01 |d|^2), as in Hairer, Norsett &
    Wanner 1993, section II.10.
    """
    total, count = read(v, Row.SIZE, lane), read(v, Row.COUNT, lane)
    if errors == 1:
        size = v.intrinsic("sqrt", v.div(total, count))
    else:
        below = v.fma(v.number(0.01), read(v, Row.OTHER, lane), total)
        size = v.div(total, v.intrinsic("sqrt", v.mul(below, count)))
        size = v.select(v.compare("==", below, v.number(0.0)), v.number(0.0), size)
    return finite(v, size)


def finite(v: Vectors, x: str) -> str:
    """Return a number, infinite where it is none."""
    return v.select(v.compare("<", x, v.number(math.inf)), x, v.number(math.inf))


def tolerated(v: Vectors, at: str, lane: int, *states: str) -> str:
    """Return atol + rtol max |x|."""
    sizes = [v.intrinsic("fabs", x) for x in states]
    largest = sizes[0] if len(sizes) == 1 else v.select(v.compare(">", *sizes), *sizes)
    return v.fma(read(v, Row.RTOL, lane), largest, v.load("%tolerance", 0, at, 1))


def _power(v: Vectors, x: str, exponent: float) -> str:
    return v.call("lanes_exp", v.mul(v.number(exponent), v.call("lanes_log", x)))


def smaller(v: Vectors, a: str, b: str) -> str:
    """Return the smaller of two numbers, the second where the first is NaN."""
    return v.select(v.compare("<", a, b), a, b)
