"""Functions over blocks of rows, each row `LANES` samples side by side.

A block (rows, LANES) of doubles is given by a pointer to its first number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from physcm.mechanism.lanes.vectors import WIDTH, Vectors

LANES = 16
"""How many samples a block holds: enough to keep several vector operations in flight."""

LOOP, LANE = "loop", "%lane"
_LONGEST = 2000
Write = Callable[[Vectors, int], None]
WriteRow = Callable[[Vectors, str, int], None]


def loop(
    label: str, arguments: str, v: Vectors, index: str, step: int, size: str,
    before: Iterable[str] = (),
) -> str:  # fmt: skip
    """Return a function that runs code for index = 0, step, 2 step, ... below a size > 0.

    The instructions `before` run once.
    """
    return "\n".join(
        [
            f"define void @{label}({arguments}) {{",
            "entry:",
            *before,
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
        [f"define void @{label}({typed(pointers)}) {{", "entry:", *v.lines, "  ret void", "}"]
    )


def over_rows(label: str, pointers: str, write: WriteRow, declarations: set[str]) -> str:
    """Return a function `f(n, pointers...)` that does the same with n > 0 rows.

    `write` is called with the offset of each vector from the pointers, and its first lane.
    """
    v = Vectors(declarations, LOOP)
    size = v.emit(f"mul i64 %n, {LANES}", "size")
    for lane in range(0, LANES, WIDTH):
        write(v, v.emit(f"add i64 %row, {lane}"), lane)
    return loop(label, f"i64 %n, {typed(pointers)}", v, "%row", LANES, size)


def in_parts(
    label: str, pointers: str, writers: Iterable[Callable[[Vectors], None]], declarations: set[str]
) -> list[str]:
    """Return a function of some pointers that goes over the lanes of rows, vector by vector.

    Its code is written by one writer after the other, and cut into functions of moderate length,
    which compile in a time that grows with their number only. No register lives on from one
    writer to the next.
    """
    parts = [Vectors(declarations, LOOP)]
    for write in writers:
        if len(parts[-1].lines) > _LONGEST:
            parts.append(Vectors(declarations, LOOP))
        write(parts[-1])
    arguments = typed(pointers)
    if len(parts) == 1:
        return [loop(label, arguments, parts[0], LANE, WIDTH, str(LANES))]
    given = ", ".join(f"ptr %{name}" for name in pointers.split())
    names = [f"{label}_{i}" for i in range(len(parts))]
    return [
        *(
            loop(name, arguments, v, LANE, WIDTH, str(LANES))
            for name, v in zip(names, parts, strict=True)
        ),
        sequence(label, arguments, [f"call void @{name}({given})" for name in names]),
    ]


def sequence(label: str, arguments: str, lines: list[str]) -> str:
    """Return a function of instructions without a result, such as calls, one after the other."""
    body = [f"  {line}" for line in lines]
    return "\n".join([f"define void @{label}({arguments}) {{", "entry:", *body, "  ret void", "}"])


def typed(pointers: str) -> str:
    """Return the arguments of a function of some pointers, of which no two overlap."""
    return ", ".join(f"ptr noalias %{name}" for name in pointers.split())
