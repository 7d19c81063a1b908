"""The machine code of an explicit Runge-Kutta method, for blocks of samples.

Its functions work on blocks of states (n, LANES) and on the ledger. They know neither the
system, whose f they call by its address, nor which samples they work for.
"""

from __future__ import annotations

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES, over_lanes, over_rows, sequence
from physcm.mechanism.lanes.module import assembled
from physcm.mechanism.lanes.vectors import Vectors
from physcm.sim.fused.control import CLEAR, JUDGE, STEEP, begin, judge, steep, tolerated
from physcm.sim.fused.progress import advance
from physcm.sim.fused.rows import Row, accumulate, look_at, place, read
from physcm.sim.fused.runge_kutta import RungeKutta
from physcm.sim.fused.stages import ARGUMENTS, combination, interpolation, stage_at, stage_places


def method_code(method: RungeKutta) -> str:
    """Return the text of a module with a method's `begin`, `attempt`, `extend`, `mix`, `commit`.

    The only function of the system that they call is f.
    """
    d: set[str] = set()
    bodies = [*begin(method.order, d), *_attempt(method, d), *_extend(method, d)]
    bodies += [*interpolation(method.weights, True, d), _commit(method, d)]
    bodies += [advance(method.stability, d)]
    return assembled(method.name, bodies, d)


def _attempt(method: RungeKutta, d: set[str]) -> list[str]:
    """Return one step of all samples: the new state in z, f there as last stage, its error."""
    bodies, calls = [], [*_places(method), CLEAR]
    for i, (row, c) in enumerate(zip(method.a, method.c, strict=True), start=1):
        out = "%z" if i == len(method.a) else "%y"
        bodies += _stage(i, row, c, d)
        calls += _stage_calls(i, out)
    errors = method.errors

    def measure(v: Vectors, at: str, lane: int) -> None:
        new, h = v.load("%z", 0, at, 1), read(v, Row.STEP, lane)
        size = v.emit(f"mul i64 %n, {LANES}")
        unit = tolerated(v, at, lane, v.load("%x", 0, at, 1), new)
        weight = v.div(v.number(1.0), unit)
        for row, coefficients in zip((Row.SIZE, Row.OTHER), errors, strict=False):
            estimate = v.mul(h, combination(v, coefficients, at, size))
            accumulate(v, row, lane, v.mul(estimate, weight))
        last = len(method.a)
        slopes = [stage_at(v, i, at, size) for i in (last, last - 1)]
        accumulate(v, Row.ABOVE, lane, v.mul(v.sub(*slopes), weight))
        apart = v.sub(new, v.load("%y", 0, at, 1))
        accumulate(v, Row.BELOW, lane, v.mul(apart, weight))

    calls += [
        "call void @measure(i64 %n, ptr %l, ptr %x, ptr %k, ptr %y, ptr %z, ptr %tolerance)",
        STEEP,
        JUDGE,
    ]
    bodies += [
        over_rows("measure", "l x k y z tolerance", measure, d),
        steep(d),
        judge(method.order, len(errors), d),
        sequence("attempt", ARGUMENTS, calls),
    ]
    return bodies


def _extend(method: RungeKutta, d: set[str]) -> list[str]:
    """Return the further stages that interpolation needs; y is overwritten."""
    bodies, calls = [], _places(method)
    first = len(method.a) + 1
    for i, (row, c) in enumerate(zip(method.extra, method.extra_c, strict=True), start=first):
        bodies += _stage(i, row, c, d)
        calls += _stage_calls(i, "%y")
    return [*bodies, sequence("extend", ARGUMENTS, calls)]


def _commit(method: RungeKutta, d: set[str]) -> str:
    """Return what moves on to the new state where the step is accurate enough."""

    def move(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        good = v.compare("<=", read(v, Row.SIZE, lane), v.number(1.0))
        new = v.select(good, v.load("%z", 0, at, 1), v.load("%x", 0, at, 1))
        v.store(new, "%x", 0, at, 1)
        last = stage_at(v, len(method.a), at, size)
        v.store(v.select(good, last, v.load("%k", 0, at, 1)), "%k", 0, at, 1)

    return over_rows("commit", "l x k z", move, d)


def _stage(i: int, row: Floats, c: float, d: set[str]) -> list[str]:
    """Return what leads up to a stage: where it is evaluated, and when."""

    def state(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        change = combination(v, row, at, size)
        new = v.fma(read(v, Row.STEP, lane), change, v.load("%x", 0, at, 1))
        v.store(new, "%y", 0, at, 1)

    def time(v: Vectors, lane: int) -> None:
        h, t = read(v, Row.STEP, lane), read(v, Row.TIME, lane)
        look_at(v, lane, v.fma(h, v.number(float(c)), t))

    return [
        over_rows(f"stage_{i}", "l x k y", state, d),
        over_lanes(f"time_{i}", "l", time, d),
    ]


def _places(method: RungeKutta) -> list[str]:
    return ["%f = load ptr, ptr %system", place(Row.AT, "at"), *stage_places(len(method.weights))]


def _stage_calls(i: int, out: str) -> list[str]:
    return [
        f"call void @stage_{i}(i64 %n, ptr %l, ptr %x, ptr %k, ptr {out})",
        f"call void @time_{i}(ptr %l)",
        f"call void %f(ptr %at, ptr {out}, ptr %p, ptr %k{i})",
    ]
