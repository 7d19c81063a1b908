"""The machine code of a Rosenbrock method, for blocks of samples.

Of a system it calls `drift`, `prepare` and `solve` of `physcm.mechanism.lanes.implicit`. While a
step is tried, y holds the state at a stage and z the rates there.
"""

from __future__ import annotations

import math

import numpy as np

from physcm.mechanism.lanes.blocks import LANES, over_lanes, over_rows, sequence
from physcm.mechanism.lanes.module import assembled
from physcm.mechanism.lanes.vectors import Vectors
from physcm.sim.fused.control import CLEAR, JUDGE, begin, judge, tolerated
from physcm.sim.fused.progress import advance
from physcm.sim.fused.rosenbrock import Rosenbrock
from physcm.sim.fused.rows import Row, accumulate, look_at, place, read, write
from physcm.sim.fused.stages import ARGUMENTS, combination, commit, interpolation, stage_places


def method_code(method: Rosenbrock, inside: bool) -> str:
    """Return the text of a module with a method's `begin`, `attempt`, `extend`, `mix`, `commit`.

    Args:
        method: the method.
        inside: whether steps are to be accurate inside as well, and not at their ends alone.
    """
    d: set[str] = set()
    bodies = [*begin(method.order, d), *_attempt(method, inside, d)]
    bodies += [
        sequence("extend", ARGUMENTS, []),
        *interpolation(method.weights, False, d),
        commit(d),
        advance(math.inf, d),
    ]
    return assembled(method.name, bodies, d)


def stages(method: Rosenbrock) -> int:
    """Return how many blocks of stages the code of a method writes to."""
    return len(method.b) + 2


def _attempt(method: Rosenbrock, inside: bool, d: set[str]) -> list[str]:
    """Return one step of all samples: the new state in z, and its error."""
    bodies = [over_rows("origin", "x k y", _origin, d)]
    calls = [*_places(stages(method)), CLEAR]
    calls += ["call void @origin(i64 %n, ptr %x, ptr %k, ptr %y)"]
    for i in range(len(method.b)):
        bodies += _stage(method, i, d)
        calls += _stage_calls(i)

    def measure(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        x, y = v.load("%x", 0, at, 1), v.load("%y", 0, at, 1)
        new = v.add(y, combination(v, method.b - method.a[-1], at, size))
        v.store(new, "%z", 0, at, 1)
        estimate = combination(v, method.error, at, size)
        accumulate(v, Row.SIZE, lane, v.div(estimate, tolerated(v, at, lane, x, new)))

    calls += ["call void @measure(i64 %n, ptr %l, ptr %x, ptr %k, ptr %y, ptr %z, ptr %tolerance)"]
    bodies += [over_rows("measure", "l x k y z tolerance", measure, d)]
    if inside:
        bodies += _inside(method, d)
        calls += _inside_calls(len(method.b))
    calls += [JUDGE]
    return [*bodies, judge(method.order, 1, d), sequence("attempt", ARGUMENTS, calls)]


def _inside(method: Rosenbrock, d: set[str]) -> list[str]:
    """Return what finds the error of the interpolant X in the middle of the step.

    X' differs from f(t, X) by what an error e would bring about: (1 - g h J) e = g h (f - X').
    States that follow time, or a simple motion, closely may be exact at the end of the longest
    step, whatever happens inside. So the larger of the two errors counts.
    """
    count, degree = len(method.b), np.arange(method.weights.shape[1])
    value = method.weights @ 0.5 ** (degree + 1)
    slope = method.weights @ ((degree + 1) * 0.5**degree)

    def middle(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        state = v.add(v.load("%x", 0, at, 1), combination(v, value, at, size))
        v.store(state, "%y", 0, at, 1)
        v.store(combination(v, -method.gamma * slope, at, size), "%k", 0, _own(v, count, at), 1)

    def half(v: Vectors, lane: int) -> None:
        h, t = read(v, Row.STEP, lane), read(v, Row.TIME, lane)
        look_at(v, lane, v.fma(h, v.number(0.5), t))
        write(v, Row.DRIFT, lane, v.number(0.0))

    def compare(v: Vectors, at: str, lane: int) -> None:
        estimate = v.load("%k", 0, _own(v, count, at), 1)
        x, new = v.load("%x", 0, at, 1), v.load("%z", 0, at, 1)
        accumulate(v, Row.OTHER, lane, v.div(estimate, tolerated(v, at, lane, x, new)))

    def larger(v: Vectors, lane: int) -> None:
        size, other = read(v, Row.SIZE, lane), read(v, Row.OTHER, lane)
        write(v, Row.SIZE, lane, v.select(v.compare("<", other, size), size, other))

    return [
        over_rows("middle", "x k y", middle, d),
        over_lanes("half", "l", half, d),
        over_rows("compare", "l x k z tolerance", compare, d),
        over_lanes("larger", "l", larger, d),
    ]


def _inside_calls(count: int) -> list[str]:
    return [
        "call void @middle(i64 %n, ptr %x, ptr %k, ptr %y)",
        "call void @half(ptr %l)",
        f"call void %drift(ptr %at, ptr %y, ptr %p, ptr %k{count + 1})",
        f"call void %solve(ptr %scale, ptr %slope, ptr %k{count + 1}, ptr %q, ptr %k{count})",
        "call void @compare(i64 %n, ptr %l, ptr %x, ptr %k, ptr %z, ptr %tolerance)",
        "call void @larger(ptr %l)",
    ]


def _own(v: Vectors, stage: int, at: str) -> str:
    return v.emit(f"add i64 {v.emit(f'mul i64 %n, {stage * LANES}')}, {at}")


def _origin(v: Vectors, at: str, lane: int) -> None:
    v.store(v.load("%x", 0, at, 1), "%y", 0, at, 1)
    v.store(v.number(0.0), "%k", 0, at, 1)


def _stage(method: Rosenbrock, i: int, d: set[str]) -> list[str]:
    """Return what leads up to a stage: its state, its right-hand side, and its time."""
    further = method.a[i] - method.a[i - 1]

    def state(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        # Some stages go on from the state of the one before.
        short = np.count_nonzero(further) < np.count_nonzero(method.a[i])
        origin, row = ("%y", further) if short else ("%x", method.a[i])
        new = v.add(v.load(origin, 0, at, 1), combination(v, row, at, size))
        v.store(new, "%y", 0, at, 1)
        right = combination(v, method.gamma * method.couplings[i], at, size)
        v.store(right, "%k", 0, _own(v, i, at), 1)

    def time(v: Vectors, lane: int) -> None:
        h, t = read(v, Row.STEP, lane), read(v, Row.TIME, lane)
        scale = v.mul(v.number(method.gamma), h)
        write(v, Row.SCALE, lane, scale)
        look_at(v, lane, v.fma(h, v.number(float(method.c[i])), t))
        write(v, Row.DRIFT, lane, v.mul(scale, h, v.number(float(method.d[i]))))

    own = [over_rows(f"stage_{i}", "x k y", state, d)] if i else []
    return [*own, over_lanes(f"time_{i}", "l", time, d)]


def _stage_calls(i: int) -> list[str]:
    rates = (
        "call void %drift(ptr %at, ptr %y, ptr %p, ptr %z)"
        if i
        else "call void %prepare(ptr %at, ptr %y, ptr %p, ptr %scale, ptr %z, ptr %q)"
    )
    own = [f"call void @stage_{i}(i64 %n, ptr %x, ptr %k, ptr %y)"] if i else []
    return [
        *own,
        f"call void @time_{i}(ptr %l)",
        rates,
        f"call void %solve(ptr %scale, ptr %slope, ptr %z, ptr %q, ptr %k{i})",
    ]


def _places(stages: int) -> list[str]:
    lines = [place(Row.AT, "at"), place(Row.SCALE, "scale"), place(Row.DRIFT, "slope")]
    for i, name in enumerate(("drift", "prepare", "solve")):
        lines += [f"%{name}_at = getelementptr ptr, ptr %system, i64 {i}"]
        lines += [f"%{name} = load ptr, ptr %{name}_at"]
    return [*lines, *stage_places(stages)]
