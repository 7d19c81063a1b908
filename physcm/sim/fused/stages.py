"""Stages of a method: the numbers k_j of each state, which a step and what lies inside it combine.

The stages k of a block are (stages, n, LANES).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES, LOOP, loop, over_rows, sequence, typed
from physcm.mechanism.lanes.vectors import FLAGS, FLOATS, WIDTH, WORDS, Vectors
from physcm.sim.fused.rows import Row, read

_NAMES = "system l x p k y z q tolerance".split()
ARGUMENTS = ", ".join(["i64 %n", *(f"ptr %{name}" for name in _NAMES)])
"""What `begin`, `attempt` and `extend` take: the number of states n, the addresses of the
system's functions, the ledger l, states x, parameters p, stages k, further blocks y and z of
states, rows q that the method keeps for itself, and absolute tolerances."""


def stage_places(count: int) -> list[str]:
    """Return what lets %k0, %k1, ... point to the stages."""
    lines = [f"%size = mul i64 %n, {LANES}"]
    for i in range(count):
        lines += [
            f"%offset{i} = mul i64 %size, {i}",
            f"%k{i} = getelementptr double, ptr %k, i64 %offset{i}",
        ]
    return lines


def combination(v: Vectors, row: Floats, at: str, size: str) -> str:
    """Return sum_j a_j k_j at a place of blocks of some size; not all a_j may vanish."""
    terms = [v.mul(v.number(float(a)), stage_at(v, j, at, size)) for j, a in enumerate(row) if a]
    return v.add(*terms)


def stage_at(v: Vectors, stage: int, at: str, size: str) -> str:
    """Return a stage at a place of blocks of some size."""
    return v.load("%k", 0, _block_at(v, stage, at, size), 1)


def interpolation(weights: Floats, rates: bool, d: set[str]) -> list[str]:
    """Return what writes the states at t + theta h, x + sum_j w_j(theta) k_j, to y.

    They are taken as the chord to the new state z and a bulge,

        x + theta (z - x) + theta (1 - theta) (c_0 + c_1 theta + ...),

    so that rounding does not show at the ends, nor, with k_j - k_0 instead of k_j where stages
    are rates of change, on a straight line. `shape` writes the coefficients c (degree, n, LANES),
    once for a step; `mix` takes the polynomial at the THETA of each lane, and `save` that of one
    lane at up to `WIDTH` times, which it writes to a dataset (states, ..., times).

    Args:
        weights: the coefficients of theta, theta^2, ... in each w_j.
        rates: whether stages are rates of change, to be multiplied by h.
        d: the declarations of the module.
    """
    bulge = _bulge(weights)
    degrees = range(bulge.shape[1])
    used = [j for j, row in enumerate(bulge) if row.any() and not (rates and j == 0)]

    def coefficients(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        ks = [stage_at(v, j, at, size) for j in used]
        if rates:
            first, h = stage_at(v, 0, at, size), read(v, Row.STEP, lane)
            ks = [v.mul(h, v.sub(k, first)) for k in ks]
        for m in degrees:
            parts = [v.mul(v.number(bulge[j, m]), k) for j, k in zip(used, ks, strict=True)]
            v.store(v.add(*parts), "%c", 0, _block_at(v, m, at, size), 1)

    def polynomial(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        x, new = v.load("%x", 0, at, 1), v.load("%z", 0, at, 1)
        c = [v.load("%c", 0, _block_at(v, m, at, size), 1) for m in degrees]
        v.store(_inside(v, read(v, Row.THETA, lane), x, new, c), "%y", 0, at, 1)

    def inside(v: Vectors, theta: str) -> str:
        size = v.emit(f"mul i64 %n, {LANES}")
        c = [one(v, "%c", _block_at(v, m, "%row", size)) for m in degrees]
        return _inside(v, theta, one(v, "%x", "%row"), one(v, "%z", "%row"), c)

    arguments = "i64 %n, ptr %l, ptr %x, ptr %z, ptr %k, ptr %c, ptr %y"
    return [
        over_rows("coefficients", "l k c", coefficients, d),
        over_rows("polynomial", "l x z c y", polynomial, d),
        save(Row.STEP, inside, d),
        sequence("shape", arguments, ["call void @coefficients(i64 %n, ptr %l, ptr %k, ptr %c)"]),
        sequence(
            "mix",
            arguments,
            ["call void @polynomial(i64 %n, ptr %l, ptr %x, ptr %z, ptr %c, ptr %y)"],
        ),
    ]


def _inside(v: Vectors, theta: str, x: str, new: str, c: Sequence[str]) -> str:
    """Return x + theta (new - x) + theta (1 - theta) (c_0 + c_1 theta + ...)."""
    value = c[-1]
    for m in reversed(range(len(c) - 1)):
        value = v.fma(value, theta, c[m])
    within = v.mul(theta, v.sub(v.number(1.0), theta))
    return v.fma(within, value, v.fma(theta, v.sub(new, x), x))


def save(unit: Row, inside: Callable[[Vectors, str], str], d: set[str]) -> str:
    """Return the function `save`, which goes from state to state and does all times at once.

    Args:
        unit: the row of the ledger with what times since the beginning of the step are divided by.
        inside: writes the states of one lane at several such times, given the place %row of a
            state in the blocks x, z, k and c.
        d: the declarations of the module.
    """
    v = Vectors(d, LOOP)
    places = f"<{', '.join(f'i64 {i}' for i in range(WIDTH))}>"
    some = v.emit(f"icmp ult {WORDS} {places}, {v.spread('%count')}", "some")
    load, store = f"llvm.masked.load.v{WIDTH}f64.p0", f"llvm.masked.store.v{WIDTH}f64.p0"
    d.add(f"declare {FLOATS} @{load}(ptr, i32, {FLAGS}, {FLOATS})")
    d.add(f"declare void @{store}({FLOATS}, ptr, i32, {FLAGS})")
    times = v.emit(
        f"call {FLOATS} @{load}(ptr %times, i32 8, {FLAGS} {some}, {FLOATS} zeroinitializer)"
    )
    t, h = (one(v, "%l", f"{row * LANES}") for row in (Row.TIME, unit))
    theta = v.div(v.sub(times, t), h)
    size = v.emit(f"mul i64 %n, {LANES}", "size")
    before = v.lines.copy()
    v.lines.clear()
    value = inside(v, theta)
    state = v.emit(f"udiv exact i64 %row, {LANES}")
    place = v.emit(f"getelementptr double, ptr %out, i64 {v.emit(f'mul i64 {state}, %apart')}")
    v.lines.append(f"  call void @{store}({FLOATS} {value}, ptr {place}, i32 8, {FLAGS} {some})")
    arguments = f"i64 %n, {typed('l x z k c times')}, i64 %count, ptr noalias %out, i64 %apart"
    return loop("save", arguments, v, "%row", LANES, size, before)


def commit(d: set[str]) -> str:
    """Return what moves on to the new state where the step is accurate enough."""

    def move(v: Vectors, at: str, lane: int) -> None:
        good = v.compare("<=", read(v, Row.SIZE, lane), v.number(1.0))
        new = v.select(good, v.load("%z", 0, at, 1), v.load("%x", 0, at, 1))
        v.store(new, "%x", 0, at, 1)

    return over_rows("commit", "l x k z", move, d)


def one(v: Vectors, pointer: str, offset: str) -> str:
    """Return the number at an offset, in all lanes."""
    place = v.emit(f"getelementptr double, ptr {pointer}, i64 {offset}")
    return v.floats(v.spread(v.emit(f"load i64, ptr {place}")))


def _block_at(v: Vectors, block: int, at: str, size: str) -> str:
    """Return the offset of a place in the given one of several blocks of some size."""
    return v.emit(f"add i64 {v.emit(f'mul i64 {size}, {block}')}, {at}")


def _bulge(weights: Floats) -> Floats:
    """Return the coefficients of 1, theta, ... in v_j = (w_j - theta w_j(1)) / (theta (1 - theta)).

    >>> _bulge(np.array([[2.0, -1.0, 0.0]]))  # 2 theta - theta^2 = theta + theta (1 - theta)
    array([[1., 0.]])
    """
    straight = weights.copy()
    straight[:, 0] -= weights.sum(axis=1)
    return np.asarray(np.cumsum(straight, axis=1)[:, :-1])
