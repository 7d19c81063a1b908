"""The machine code of an explicit Runge-Kutta method, for blocks of samples.

Its functions work on the ledger l (rows of `Row`), on states x, y, z and tolerances (n, LANES),
parameters p and stages k (stages, n, LANES). They know neither the system, whose f they call by
its address, nor which samples they work for.
"""

from __future__ import annotations

import math

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES, over_lanes, over_rows, sequence
from physcm.mechanism.lanes.module import assembled
from physcm.mechanism.lanes.vectors import Vectors
from physcm.sim.fused.rows import Row, accumulate, read, write
from physcm.sim.fused.runge_kutta import RungeKutta

_SAFETY, _SHRINK, _GROW, _AFTER_REJECTION = 0.9, 0.2, 10.0, 0.9
_ALL = "i64 %n, ptr %f, ptr %l, ptr %x, ptr %p, ptr %k, ptr %y, ptr %z, ptr %tolerance"


_SHORTEST = 1e-10
"""The shortest first step, as a share of the run; the error of it is judged like any other."""


def method_code(method: RungeKutta) -> str:
    """Return the text of a module with the functions of a method.

    `begin`, `attempt` and `extend` take (n, f, l, x, p, k, y, z, tolerance); `mix` takes
    (n, l, x, k, w, y) and `commit` takes (n, l, x, k, z).
    """
    d: set[str] = set()
    bodies = [*_begin(method, d), *_attempt(method, d), *_extend(method, d), *_mix(method, d)]
    bodies += [_commit(method, d)]
    return assembled(method.name, bodies, d)


def _begin(method: RungeKutta, d: set[str]) -> list[str]:
    """F at the start of samples that are new, and their first step.

    Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, 1993, section II.4.
    """

    def adopt(v: Vectors, at: str, lane: int) -> None:
        fresh = v.compare(">", read(v, Row.FRESH, lane), v.number(0.0))
        slope = v.select(fresh, v.load("%y", 0, at, 1), v.load("%k", 0, at, 1))
        v.store(slope, "%k", 0, at, 1)
        x = v.load("%x", 0, at, 1)
        unit = _unit(v, at, lane, x)
        accumulate(v, Row.ABOVE, lane, v.div(x, unit))
        accumulate(v, Row.BELOW, lane, v.div(slope, unit))

    def guess(v: Vectors, lane: int) -> None:
        count = read(v, Row.COUNT, lane)
        d0 = v.intrinsic("sqrt", v.div(read(v, Row.ABOVE, lane), count))
        d1 = v.intrinsic("sqrt", v.div(read(v, Row.BELOW, lane), count))
        span = v.sub(read(v, Row.END, lane), read(v, Row.TIME, lane))
        small = v.mul(v.number(1e-6), span)
        clear = v.flag(
            "and", v.compare(">", d0, v.number(1e-5)), v.compare(">", d1, v.number(1e-5))
        )
        h = v.select(clear, v.div(v.mul(v.number(0.01), d0), d1), small)
        h = smaller(v, h, span)
        write(v, Row.NEXT, lane, h)
        write(v, Row.AT, lane, v.add(read(v, Row.TIME, lane), h))
        write(v, Row.SIZE, lane, v.number(0.0))

    def euler(v: Vectors, at: str, lane: int) -> None:
        step = v.mul(read(v, Row.NEXT, lane), v.load("%k", 0, at, 1))
        v.store(v.add(v.load("%x", 0, at, 1), step), "%y", 0, at, 1)

    def bend(v: Vectors, at: str, lane: int) -> None:
        change = v.sub(v.load("%z", 0, at, 1), v.load("%k", 0, at, 1))
        unit = _unit(v, at, lane, v.load("%x", 0, at, 1))
        accumulate(v, Row.SIZE, lane, v.div(change, unit))

    def first(v: Vectors, lane: int) -> None:
        count, h = read(v, Row.COUNT, lane), read(v, Row.NEXT, lane)
        d1 = v.intrinsic("sqrt", v.div(read(v, Row.BELOW, lane), count))
        d2 = v.div(v.intrinsic("sqrt", v.div(read(v, Row.SIZE, lane), count)), h)
        most = v.select(v.compare(">", d1, d2), d1, d2)
        largest = v.mul(v.number(100.0), h)
        root = _power(v, v.div(v.number(0.01), most), 1 / (method.order + 1))
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

    calls = [
        *_at(Row.TIME, "%start"),
        *_at(Row.AT, "%at"),
        "call void @clear(ptr %l)",
        "call void %f(ptr %start, ptr %x, ptr %p, ptr %y)",
        "call void @adopt(i64 %n, ptr %l, ptr %x, ptr %k, ptr %y, ptr %tolerance)",
        "call void @guess(ptr %l)",
        "call void @euler(i64 %n, ptr %l, ptr %x, ptr %k, ptr %y)",
        "call void %f(ptr %at, ptr %y, ptr %p, ptr %z)",
        "call void @bend(i64 %n, ptr %l, ptr %x, ptr %k, ptr %z, ptr %tolerance)",
        "call void @first(ptr %l)",
    ]
    return [
        over_lanes("clear", "l", _clear, d),
        over_rows("adopt", "l x k y tolerance", adopt, d),
        over_lanes("guess", "l", guess, d),
        over_rows("euler", "l x k y", euler, d),
        over_rows("bend", "l x k z tolerance", bend, d),
        over_lanes("first", "l", first, d),
        sequence("begin", _ALL, calls),
    ]


def _attempt(method: RungeKutta, d: set[str]) -> list[str]:
    """Return one step of all samples: the new state in z, f there as last stage, its error."""
    bodies, calls = [], [*_at(Row.AT, "%at"), "call void @clear(ptr %l)", *_stage_places(method)]
    for i, (row, c) in enumerate(zip(method.a, method.c, strict=True), start=1):
        out = "%z" if i == len(method.a) else "%y"
        bodies += _stage(i, row, c, d)
        calls += _stage_calls(i, out)
    errors = method.errors

    def measure(v: Vectors, at: str, lane: int) -> None:
        new, h = v.load("%z", 0, at, 1), read(v, Row.STEP, lane)
        size = v.emit(f"mul i64 %n, {LANES}")
        unit = _unit(v, at, lane, v.load("%x", 0, at, 1), new)
        for row, coefficients in zip((Row.SIZE, Row.OTHER), errors, strict=False):
            estimate = v.mul(h, _combination(v, coefficients, at, size))
            accumulate(v, row, lane, v.div(estimate, unit))
        last = len(method.a)
        slopes = [_stage_at(v, i, at, size) for i in (last, last - 1)]
        accumulate(v, Row.ABOVE, lane, v.div(v.sub(*slopes), unit))
        apart = v.sub(new, v.load("%y", 0, at, 1))
        accumulate(v, Row.BELOW, lane, v.div(apart, unit))

    def judge(v: Vectors, lane: int) -> None:
        h, t, end = (read(v, row, lane) for row in (Row.STEP, Row.TIME, Row.END))
        size = _size(v, lane, len(errors))
        write(v, Row.SIZE, lane, size)
        good = v.compare("<=", size, v.number(1.0))
        factor = v.mul(v.number(_SAFETY), _power(v, size, -1 / (method.order + 1)))
        factor = smaller(v, factor, v.number(_GROW))
        factor = v.select(v.compare(">", factor, v.number(_SHRINK)), factor, v.number(_SHRINK))
        factor = v.select(good, factor, smaller(v, factor, v.number(_AFTER_REJECTION)))
        write(v, Row.NEXT, lane, smaller(v, v.mul(h, factor), read(v, Row.LONGEST, lane)))
        arrived = v.compare(">=", h, v.sub(end, t))
        reached = v.select(arrived, end, v.add(t, h))
        write(v, Row.REACHED, lane, v.select(good, reached, t))
        above, below = read(v, Row.ABOVE, lane), read(v, Row.BELOW, lane)
        steep = v.mul(h, v.intrinsic("sqrt", v.div(above, below)))
        some = v.compare(">", below, v.number(0.0))
        write(v, Row.STEEP, lane, v.select(some, steep, v.number(0.0)))

    calls += [
        "call void @measure(i64 %n, ptr %l, ptr %x, ptr %k, ptr %y, ptr %z, ptr %tolerance)",
        "call void @judge(ptr %l)",
    ]
    bodies += [
        over_rows("measure", "l x k y z tolerance", measure, d),
        over_lanes("judge", "l", judge, d),
        sequence("attempt", _ALL, calls),
    ]
    return bodies


def _extend(method: RungeKutta, d: set[str]) -> list[str]:
    """Return the further stages that interpolation needs; y is overwritten."""
    bodies, calls = [], [*_at(Row.AT, "%at"), *_stage_places(method)]
    first = len(method.a) + 1
    for i, (row, c) in enumerate(zip(method.extra, method.extra_c, strict=True), start=first):
        bodies += _stage(i, row, c, d)
        calls += _stage_calls(i, "%y")
    return [*bodies, sequence("extend", _ALL, calls)]


def _mix(method: RungeKutta, d: set[str]) -> list[str]:
    """Return what writes the states at t + theta h to y."""
    used = [j for j, row in enumerate(method.weights) if row.any()]

    def weigh(v: Vectors, lane: int) -> None:
        theta, h = read(v, Row.THETA, lane), read(v, Row.STEP, lane)
        for j in used:
            value = v.number(0.0)
            for coefficient in method.weights[j, ::-1]:
                value = v.fma(value, theta, v.number(coefficient))
            v.store(v.mul(value, v.mul(theta, h)), "%w", j, str(lane), LANES)

    def blend(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        parts = [v.mul(v.load("%w", j, str(lane), LANES), _stage_at(v, j, at, size)) for j in used]
        v.store(v.add(v.load("%x", 0, at, 1), v.add(*parts)), "%y", 0, at, 1)

    calls = [
        "call void @weigh(ptr %l, ptr %w)",
        "call void @blend(i64 %n, ptr %x, ptr %k, ptr %w, ptr %y)",
    ]
    return [
        over_lanes("weigh", "l w", weigh, d),
        over_rows("blend", "x k w y", blend, d),
        sequence("mix", "i64 %n, ptr %l, ptr %x, ptr %k, ptr %w, ptr %y", calls),
    ]


def _commit(method: RungeKutta, d: set[str]) -> str:
    """Return what moves on to the new state where the step is accurate enough."""

    def move(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        good = v.compare("<=", read(v, Row.SIZE, lane), v.number(1.0))
        new = v.select(good, v.load("%z", 0, at, 1), v.load("%x", 0, at, 1))
        v.store(new, "%x", 0, at, 1)
        last = _stage_at(v, len(method.a), at, size)
        v.store(v.select(good, last, v.load("%k", 0, at, 1)), "%k", 0, at, 1)

    return over_rows("commit", "l x k z", move, d)


def _clear(v: Vectors, lane: int) -> None:
    for row in (Row.SIZE, Row.OTHER, Row.ABOVE, Row.BELOW):
        write(v, row, lane, v.number(0.0))


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
    return v.select(v.compare("<", size, v.number(math.inf)), size, v.number(math.inf))


def _stage(i: int, row: Floats, c: float, d: set[str]) -> list[str]:
    """Return what leads up to a stage: where it is evaluated, and when."""

    def state(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        change = _combination(v, row, at, size)
        new = v.fma(read(v, Row.STEP, lane), change, v.load("%x", 0, at, 1))
        v.store(new, "%y", 0, at, 1)

    def time(v: Vectors, lane: int) -> None:
        h, t = read(v, Row.STEP, lane), read(v, Row.TIME, lane)
        write(v, Row.AT, lane, v.fma(h, v.number(float(c)), t))

    return [
        over_rows(f"stage_{i}", "l x k y", state, d),
        over_lanes(f"time_{i}", "l", time, d),
    ]


def _stage_calls(i: int, out: str) -> list[str]:
    return [
        f"call void @stage_{i}(i64 %n, ptr %l, ptr %x, ptr %k, ptr {out})",
        f"call void @time_{i}(ptr %l)",
        f"call void %f(ptr %at, ptr {out}, ptr %p, ptr %k{i})",
    ]


def _stage_places(method: RungeKutta) -> list[str]:
    lines = [f"%size = mul i64 %n, {LANES}"]
    for i in range(1, len(method.weights)):
        lines += [
            f"%offset{i} = mul i64 %size, {i}",
            f"%k{i} = getelementptr double, ptr %k, i64 %offset{i}",
        ]
    return lines


def _combination(v: Vectors, row: Floats, at: str, size: str) -> str:
    terms = [v.mul(v.number(float(a)), _stage_at(v, j, at, size)) for j, a in enumerate(row) if a]
    return v.add(*terms)


def _stage_at(v: Vectors, stage: int, at: str, size: str) -> str:
    offset = v.emit(f"add i64 {v.emit(f'mul i64 {size}, {stage}')}, {at}")
    return v.load("%k", 0, offset, 1)


def _unit(v: Vectors, at: str, lane: int, *states: str) -> str:
    """Return atol + rtol max |x|."""
    sizes = [v.intrinsic("fabs", x) for x in states]
    largest = sizes[0] if len(sizes) == 1 else v.select(v.compare(">", *sizes), *sizes)
    return v.fma(read(v, Row.RTOL, lane), largest, v.load("%tolerance", 0, at, 1))


def _power(v: Vectors, x: str, exponent: float) -> str:
    return v.call("lanes_exp", v.mul(v.number(exponent), v.call("lanes_log", x)))


def smaller(v: Vectors, a: str, b: str) -> str:
    """Return the smaller of two numbers, the second where the first is NaN."""
    return v.select(v.compare("<", a, b), a, b)


def _at(row: Row, register: str) -> list[str]:
    return [f"{register} = getelementptr double, ptr %l, i64 {row * LANES}"]
