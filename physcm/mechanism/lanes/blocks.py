"""Functions over blocks of rows, each row `LANES` samples side by side.

A block (rows, LANES) of doubles is given by a pointer to its first number.
"""

from __future__ import annotations

from collections.abc import Callable

from physcm.mechanism.lanes.vectors import WIDTH, Vectors

LANES = 16
"""How many samples a block holds: enough to keep several vector operations in flight."""

LOOP = "loop"
Write = Callable[[Vectors, int], None]
WriteRow = Callable[[Vectors, str, int], None]


def loop(label: str, arguments: str, v: Vectors, index: str, step: int, size: str) -> str:
    """Return a function that runs code for index = 0, step, 2 step, ... below a size > 0."""
    return "\n".join(
        [
            f"define void @{label}({arguments}) {{",
            "entry:",
            f"  br label %{LOOP}",
            f"{LOOP}:",
            f"  {index} = phi i64 [ 0, %entry ], [ %next, %{v.block} ]",
            *v.lines,
            f"  %next = add i64 {index}, {step}",
            f"  %more = icmp ult i64 %next, {size}",
            f"  br i1 %more, label %{LOOP}, label %done",
            "done:",
            "  ret void",
            "}",
        ]
    )


def over_lanes(label: str, pointers: str, write: Write, declarations: set[str]) -> str:
    """Return a function of some pointers that does the same with all lanes of a row.

    `write` is called with the first lane of each vector. They stand side by side in one
    stretch of code, so that the long chains of one hide those of others.
    """
    v = Vectors(declarations)
    for lane in range(0, LANES, WIDTH):
        write(v, lane)
    return "\n".join(
        [f"define void @{label}({_typed(pointers)}) {{", "entry:", *v.lines, "  ret void", "}"]
    )


def over_rows(label: str, pointers: str, write: WriteRow, declarations: set[str]) -> str:
    """Return a function `f(n, pointers...)` that does the same with n > 0 rows.

    `write` is called with the offset of each vector from the pointers, and its first lane.
    """
    v = Vectors(declarations, LOOP)
    size = v.emit(f"mul i64 %n, {LANES}", "size")
    for lane in range(0, LANES, WIDTH):
        write(v, v.emit(f"add i64 %row, {lane}"), lane)
    return loop(label, f"i64 %n, {_typed(pointers)}", v, "%row", LANES, size)


def sequence(label: str, arguments: str, lines: list[str]) -> str:
    """Return a function of instructions without a result, such as calls, one after the other."""
    body = [f"  {line}" for line in lines]
    return "\n".join([f"define void @{label}({arguments}) {{", "entry:", *body, "  ret void", "}"])


def _typed(pointers: str) -> str:
    return ", ".join(f"ptr noalias %{name}" for name in pointers.split())
