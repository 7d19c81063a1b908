"""Stages of a method: the numbers k_j of each state, which a step and what lies inside it combine.

The stages k of a block are (stages, n, LANES).
"""

from __future__ import annotations

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES, over_rows, sequence
from physcm.mechanism.lanes.vectors import Vectors
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
    once for a step; `mix` takes the polynomial.

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
        theta = read(v, Row.THETA, lane)
        x, new = v.load("%x", 0, at, 1), v.load("%z", 0, at, 1)
        value = v.number(0.0)
        for m in reversed(degrees):
            value = v.fma(value, theta, v.load("%c", 0, _block_at(v, m, at, size), 1))
        within = v.mul(theta, v.sub(v.number(1.0), theta))
        chord = v.fma(theta, v.sub(new, x), x)
        v.store(v.fma(within, value, chord), "%y", 0, at, 1)

    arguments = "i64 %n, ptr %l, ptr %x, ptr %z, ptr %k, ptr %c, ptr %y"
    return [
        over_rows("coefficients", "l k c", coefficients, d),
        over_rows("polynomial", "l x z c y", polynomial, d),
        sequence("shape", arguments, ["call void @coefficients(i64 %n, ptr %l, ptr %k, ptr %c)"]),
        sequence(
            "mix",
            arguments,
            ["call void @polynomial(i64 %n, ptr %l, ptr %x, ptr %z, ptr %c, ptr %y)"],
        ),
    ]


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
