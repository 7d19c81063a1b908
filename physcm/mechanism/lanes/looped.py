"""Sparse linear equations of many unknowns, as loops that follow tables of places.

The arithmetic is that of `physcm.mechanism.lanes.written`; the loops are the same for all
systems, and all `LANES` samples of a block go through them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from physcm.mechanism.lanes.blocks import LANE, LANES, in_parts, sequence, typed
from physcm.mechanism.lanes.elimination import Elimination, Place
from physcm.mechanism.lanes.vectors import Vectors

_ROW = f"<{LANES} x double>"
_FMA = f"call {_ROW} @llvm.fma.v{LANES}f64"


def equations(
    elimination: Elimination,
    given: Collection[Place],
    right: Callable[[Vectors, int], str],
    declarations: set[str],
) -> list[str]:
    """Return the functions `factor(q)` and `solve(s, d, f, q, u)`, as `written.equations` does."""
    declarations.add(f"declare {_ROW} @llvm.fma.v{LANES}f64({_ROW}, {_ROW}, {_ROW})")
    size, filled = len(elimination.order), len(elimination.rows) - len(given)

    def begin(i: int) -> Callable[[Vectors], None]:
        return lambda v: v.store(right(v, i), "%u", i, LANE, LANES)

    calls = [
        "call void @begin(ptr %s, ptr %d, ptr %f, ptr %q, ptr %u)",
        f"call void @forward(ptr %q, ptr %u, i64 0, i64 {size})",
        f"call void @backward(ptr %q, ptr %u, i64 0, i64 {size})",
    ]
    return [
        *_tables(elimination, given),
        *_factoring(size, filled),
        _dot(),
        *_sweeps(size),
        *in_parts("begin", "s d f q u", map(begin, range(size)), declarations),
        sequence("solve", typed("s d f q u"), calls),
    ]


def _tables(e: Elimination, given: Collection[Place]) -> list[str]:
    """Return where things are: numbers of rows of q, by the order of elimination.

    Row i has its places of L from starts[i] on, then its pivot, then those of U to starts[i + 1];
    the updates of L and U that lead to it end with ends[i].
    """
    rows = e.rows
    updates = [
        [(rows[i, j], rows[i, k], rows[k, j]) for k in e.lower[i] for j in e.upper[k]]
        for i in e.order
    ]
    ends = [0]
    for own in updates:
        ends.append(ends[-1] + len(own))
    triples = [triple for own in updates for triple in own]
    return [
        _table("changed", [t for t, _, _ in triples]),
        _table("left", [a for _, a, _ in triples]),
        _table("above", [b for _, _, b in triples]),
        _table("ends", ends),
        _table("filled", [row for place, row in rows.items() if place not in given]),
        _table("starts", [*(rows[i, i] - len(e.lower[i]) for i in e.order), len(rows)]),
        _table("pivots", [rows[i, i] for i in e.order]),
        _table("columns", [j for _, j in rows]),
        _table("order", e.order),
    ]


def _factoring(size: int, filled: int) -> list[str]:
    clear = [
        *_look("row", "filled", "%i"),
        *_at("place", "%q", "%row"),
        f"store {_ROW} zeroinitializer, ptr %place, align 8",
    ]
    update = [
        *(line for table in ("changed", "left", "above") for line in _look(table, table, "%i")),
        *(
            line
            for name in ("changed", "left", "above")
            for line in _load(f"a_{name}", "%q", f"%{name}")
        ),
        f"%new = {_FMA}({_ROW} %a_left, {_ROW} %a_above, {_ROW} %a_changed)",
        f"store {_ROW} %new, ptr %a_changed_at, align 8",
    ]
    scale = [
        *_load("inverse", "%q", "%pivot"),
        *_load("a", "%q", "%i"),
        f"%minus = fneg {_ROW} %inverse",
        f"%new = fmul {_ROW} %a, %minus",
        f"store {_ROW} %new, ptr %a_at, align 8",
    ]
    row = [
        "%after = add i64 %i, 1",
        *_look("first", "ends", "%i"),
        *_look("last", "ends", "%after"),
        "call void @update(ptr %q, i64 %first, i64 %last)",
        *_look("pivot", "pivots", "%i"),
        *_load("a", "%q", "%pivot"),
        f"%inverse = fdiv {_ROW} splat (double 1.0), %a",
        f"store {_ROW} %inverse, ptr %a_at, align 8",
        "%beyond = add i64 %pivot, 1",
        *_look("end", "starts", "%after"),
        "call void @scale(ptr %q, i64 %pivot, i64 %beyond, i64 %end)",
    ]
    calls = [
        f"call void @clear_filled(ptr %q, i64 0, i64 {filled})",
        f"call void @eliminate(ptr %q, i64 0, i64 {size})",
    ]
    return [
        _loop("clear_filled", "ptr %q", clear),
        _loop("update", "ptr %q", update),
        _loop("scale", "ptr %q, i64 %pivot", scale),
        _loop("eliminate", "ptr %q", row),
        sequence("factor", typed("q"), calls),
    ]


def _sweeps(size: int) -> list[str]:
    """Return the loops that solve L y = b and U x = y."""
    forward = [
        *_look("own", "order", "%i"),
        *_look("start", "starts", "%i"),
        *_look("pivot", "pivots", "%i"),
        f"%sum = call {_ROW} @dot(ptr %q, ptr %u, i64 %start, i64 %pivot)",
        *_load("b", "%u", "%own"),
        *_load("inverse", "%q", "%pivot"),
        f"%rest = fsub {_ROW} %b, %sum",
        f"%new = fmul {_ROW} %rest, %inverse",
        f"store {_ROW} %new, ptr %b_at, align 8",
    ]
    backward = [
        f"%j = sub i64 {size - 1}, %i",
        "%after = add i64 %j, 1",
        *_look("own", "order", "%j"),
        *_look("pivot", "pivots", "%j"),
        *_look("end", "starts", "%after"),
        "%beyond = add i64 %pivot, 1",
        f"%sum = call {_ROW} @dot(ptr %q, ptr %u, i64 %beyond, i64 %end)",
        *_load("y", "%u", "%own"),
        f"%new = fadd {_ROW} %y, %sum",
        f"store {_ROW} %new, ptr %y_at, align 8",
    ]
    return [
        _loop("forward", "ptr noalias %q, ptr noalias %u", forward),
        _loop("backward", "ptr noalias %q, ptr noalias %u", backward),
    ]


def _dot() -> str:
    """Return the function that sums q[i] u[columns[i]] over i."""
    body = [
        f"%sum = phi {_ROW} [ zeroinitializer, %entry ], [ %new, %loop ]",
        *_look("column", "columns", "%i"),
        *_load("a", "%q", "%i"),
        *_load("x", "%u", "%column"),
        f"%new = {_FMA}({_ROW} %a, {_ROW} %x, {_ROW} %sum)",
    ]
    result = f"phi {_ROW} [ zeroinitializer, %entry ], [ %new, %loop ]"
    return _loop("dot", "ptr noalias %q, ptr noalias %u", body, _ROW, result)


def _loop(
    label: str, arguments: str, body: Sequence[str], kind: str = "void", result: str = ""
) -> str:
    """Return a function that goes through i = first, ..., last - 1, which may be none."""
    lines = [
        "%some = icmp ult i64 %first_i, %last_i",
        "br i1 %some, label %loop, label %done",
        "loop:",
        "%i = phi i64 [ %first_i, %entry ], [ %next_i, %loop ]",
        *body,
        "%next_i = add i64 %i, 1",
        "%more = icmp ult i64 %next_i, %last_i",
        "br i1 %more, label %loop, label %done",
        "done:",
        *([f"%result = {result}", f"ret {kind} %result"] if result else ["ret void"]),
    ]
    head = f"define {kind} @{label}({arguments}, i64 %first_i, i64 %last_i) {{"
    return "\n".join([head, "entry:", *(f"  {line}" for line in lines), "}"])


def _table(name: str, numbers: Sequence[int]) -> str:
    listed = ", ".join(f"i32 {n}" for n in (*numbers, 0))
    return f"@{name} = private constant [{len(numbers) + 1} x i32] [{listed}]"


def _look(name: str, table: str, index: str) -> list[str]:
    return [
        f"%{name}_in = getelementptr i32, ptr @{table}, i64 {index}",
        f"%{name}_32 = load i32, ptr %{name}_in",
        f"%{name} = zext i32 %{name}_32 to i64",
    ]


def _at(name: str, pointer: str, row: str) -> list[str]:
    return [f"%{name} = getelementptr [{LANES} x double], ptr {pointer}, i64 {row}"]


def _load(name: str, pointer: str, row: str) -> list[str]:
    return [*_at(f"{name}_at", pointer, row), f"%{name} = load {_ROW}, ptr %{name}_at, align 8"]
