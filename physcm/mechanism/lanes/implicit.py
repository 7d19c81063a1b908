"""What an implicit method needs of a system x' = f(t, x, p), over blocks of samples.

With J = df/dx and a number s per sample (the step times a constant of the method), the equations

    (1 - s J) u = s f + b + d df/dt

are solved for u, given right-hand sides b and a number d per sample. The order of elimination
is fixed by the pattern of J.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from physcm.mechanism.codegen import Program, derivatives
from physcm.mechanism.expression import TIME
from physcm.mechanism.lanes import looped, written
from physcm.mechanism.lanes.blocks import LANE, LANES, in_parts, sequence, typed
from physcm.mechanism.lanes.elimination import Place, elimination
from physcm.mechanism.lanes.module import Reader, assembled, function
from physcm.mechanism.lanes.vectors import Vectors

_MOST_WRITTEN = 2000


@dataclass(frozen=True)
class Implicit:
    """The code of three functions.

    `drift(t, x, p, f)` writes f; `prepare(t, x, p, s, f, q)` writes f and all that
    `solve(s, d, f, q, u)` needs of x and t, in which u holds b before and the solution after.

    Attributes:
        text: a module.
        rows: how many rows the block q has.
        places: the row and column of each slope in J, and the row of q in which `slopes`, the
            first part of `prepare`, puts that place of 1 - s J.
    """

    text: str
    rows: int
    places: Mapping[Place, int]


@lru_cache(maxsize=256)
def implicit(name: str, rates: Program) -> Implicit:
    """Return the code for the rates of a system.

    Raises:
        Unsupported: for a function that lanes do not have.
    """
    count, declarations = len(rates.outputs), set[str]()
    definitions, entries = derivatives(rates, (*rates.variables, str(TIME)))
    slopes = {(i, j): slope for i, j, slope in entries if j < count}
    moving = {i: slope for i, j, slope in entries if j == count}
    diagonal = {(i, i): sp.S.Zero for i in range(count)}
    slopes = diagonal | slopes
    order = elimination(count, slopes)
    beyond = {i: len(order.rows) + k for k, i in enumerate(moving)}
    rows = {place: order.rows[place] for place in slopes}
    values = (*rates.outputs, *slopes.values(), *moving.values())
    program = Program.over(rates.variables, rates.parameters, definitions, values)

    def right(v: Vectors, i: int) -> str:
        scale = v.load("%s", 0, LANE, LANES)
        value = v.fma(scale, v.load("%f", i, LANE, LANES), v.load("%u", i, LANE, LANES))
        if i not in moving:
            return value
        return v.fma(v.load("%d", 0, LANE, LANES), v.load("%q", beyond[i], LANE, LANES), value)

    way = written if order.updates <= _MOST_WRITTEN else looped
    calls = [
        "call void @slopes(ptr %t, ptr %x, ptr %p, ptr %s, ptr %f, ptr %q)",
        "call void @factor(ptr %q)",
    ]
    bodies = [
        *function("drift", rates, declarations),
        *_slopes(program, rows, beyond, declarations),
        *way.equations(order, slopes, right, declarations),
        sequence("prepare", typed("t x p s f q"), calls),
    ]
    text = assembled(name, bodies, declarations)
    return Implicit(text, len(order.rows) + len(moving), rows)


def _slopes(
    program: Program, slopes: Mapping[Place, int], moving: Mapping[int, int], declarations: set[str]
) -> list[str]:
    """Return what writes f, then 1 - s J and df/dt to rows of q.

    Args:
        program: computes f, the entries of J, and those of df/dt that do not vanish.
        slopes: the places in J and the rows for them.
        moving: the places in df/dt and the rows for them.
        declarations: the declarations of the module.
    """
    reader, count = Reader(program), len(program.variables)
    rates = program.outputs[:count]
    matrix = dict(zip(slopes, program.outputs[count:], strict=False))
    motion = dict(zip(moving, program.outputs[count + len(slopes) :], strict=True))

    def row(i: int) -> Callable[[Vectors], None]:
        def write(v: Vectors) -> None:
            v.comment(f"f[{i}] = {rates[i]}")
            v.store(reader.value(v, rates[i]), "%f", i, LANE, LANES)
            for j in columns[i]:
                v.comment(f"[{i}, {j}] of 1 - s J, J = {matrix[i, j]}")
                change = v.mul(v.load("%s", 0, LANE, LANES), reader.value(v, matrix[i, j]))
                v.store(v.sub(v.number(float(i == j)), change), "%q", slopes[i, j], LANE, LANES)
            if i in motion:
                v.comment(f"df[{i}]/dt = {motion[i]}")
                v.store(reader.value(v, motion[i]), "%q", moving[i], LANE, LANES)

        return write

    columns: list[list[int]] = [[] for _ in rates]
    for i, j in slopes:
        columns[i].append(j)
    return in_parts("slopes", "t x p s f q", map(row, range(count)), declarations)
