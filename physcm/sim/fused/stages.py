"""Stages of a method: the numbers k_j of each state, which a step and what lies inside it combine.

The stages k of a block are (stages, n, LANES).
"""

from __future__ import annotations

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES, over_lanes, over_rows, sequence
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
    offset = v.emit(f"add i64 {v.emit(f'mul i64 {size}, {stage}')}, {at}")
    return v.load("%k", 0, offset, 1)


def mix(weights: Floats, rates: bool, d: set[str]) -> list[str]:
    """Return what writes the states at t + theta h to y.

    That is x + sum_j w_j(theta) k_j, taken as the chord to the new state z and a bulge,

        x + theta (z - x) + theta (1 - theta) sum_j v_j(theta) k_j,

    so that rounding does not show at the ends, nor, with k_j - k_0 instead of k_j where stages
    are rates of change, on a straight line.

    Args:
        weights: the coefficients of theta, theta^2, ... in each w_j.
        rates: whether stages are rates of change, to be multiplied by h.
        d: the declarations of the module.
    """
    bulge = _bulge(weights)
    used = [j for j, row in enumerate(bulge) if row.any() and not (rates and j == 0)]

    def weigh(v: Vectors, lane: int) -> None:
        theta = read(v, Row.THETA, lane)
        scale = v.mul(theta, v.sub(v.number(1.0), theta))
        scale = v.mul(scale, read(v, Row.STEP, lane)) if rates else scale
        for j in used:
            value = v.number(0.0)
            for coefficient in bulge[j, ::-1]:
                value = v.fma(value, theta, v.number(coefficient))
            v.store(v.mul(value, scale), "%w", j, str(lane), LANES)

    def blend(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        x, new = v.load("%x", 0, at, 1), v.load("%z", 0, at, 1)
        first = stage_at(v, 0, at, size)
        parts = []
        for j in used:
            k = stage_at(v, j, at, size)
            k = v.sub(k, first) if rates else k
            parts.append(v.mul(v.load("%w", j, str(lane), LANES), k))
        chord = v.fma(read(v, Row.THETA, lane), v.sub(new, x), x)
        v.store(v.add(chord, v.add(*parts)), "%y", 0, at, 1)

    calls = [
        "call void @weigh(ptr %l, ptr %w)",
        "call void @blend(i64 %n, ptr %l, ptr %x, ptr %z, ptr %k, ptr %w, ptr %y)",
    ]
    return [
        over_lanes("weigh", "l w", weigh, d),
        over_rows("blend", "l x z k w y", blend, d),
        sequence("mix", "i64 %n, ptr %l, ptr %x, ptr %z, ptr %k, ptr %w, ptr %y", calls),
    ]


def _bulge(weights: Floats) -> Floats:
    """Return the coefficients of 1, theta, ... in v_j = (w_j - theta w_j(1)) / (theta (1 - theta)).

    >>> _bulge(np.array([[2.0, -1.0, 0.0]]))  # 2 theta - theta^2 = theta + theta (1 - theta)
    array([[1., 0.]])
    """
    straight = weights.copy()
    straight[:, 0] -= weights.sum(axis=1)
    return np.asarray(np.cumsum(straight, axis=1)[:, :-1])
