"""Stages of a method: the numbers k_j of each state, which a step and what lies inside it combine.

The stages k of a block are (stages, n, LANES).
"""

from __future__ import annotations

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
    """Return what writes the states at t + theta h to y: x + sum_j w_j(theta) k_j.

    Args:
        weights: the coefficients of theta, theta^2, ... in each w_j.
        rates: whether stages are rates of change, to be multiplied by h.
        d: the declarations of the module.
    """
    used = [j for j, row in enumerate(weights) if row.any()]

    def weigh(v: Vectors, lane: int) -> None:
        theta = read(v, Row.THETA, lane)
        scale = v.mul(theta, read(v, Row.STEP, lane)) if rates else theta
        for j in used:
            value = v.number(0.0)
            for coefficient in weights[j, ::-1]:
                value = v.fma(value, theta, v.number(coefficient))
            v.store(v.mul(value, scale), "%w", j, str(lane), LANES)

    def blend(v: Vectors, at: str, lane: int) -> None:
        size = v.emit(f"mul i64 %n, {LANES}")
        parts = [v.mul(v.load("%w", j, str(lane), LANES), stage_at(v, j, at, size)) for j in used]
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
