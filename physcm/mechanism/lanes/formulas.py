"""Formulas over rows of samples, each of which may read the rows of earlier ones.

The source that was generated for NumPy is run on lanes, and so writes the same operations in the
same order as vector instructions. Only what is rounded alike everywhere is taken: arithmetic,
square roots, conditions and the like, but no exponential function. So the rows are those of
NumPy to the last bit, and whether to compile is a matter of time alone.

The code of a formula names neither rows nor numbers, which it finds in a table. So a hundred
mechanisms that are linear in three others share a few functions, with those of all other models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ctypes import CFUNCTYPE, c_int64
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from physcm.mechanism.codegen import Floats, Program, generated
from physcm.mechanism.errors import Unsupported
from physcm.mechanism.lanes.blocks import LOOP, loop
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.module import assembled
from physcm.mechanism.lanes.spelling import TRACED
from physcm.mechanism.lanes.tracing import Lane, text
from physcm.mechanism.lanes.vectors import WIDTH, Vectors
from physcm.mechanism.linearization import Flags

_CHUNK = 512
_NAME, _NUMBER = r"%name(\d+)", r"splat \(double 0x([0-9A-F]{16})\)"


@dataclass(frozen=True)
class Formula:
    """The code of an expression.

    Attributes:
        text: a module with `formula(n, low, table, doubt)`, which reads from the table where rows
            begin, that which is written the last of them, and numbers; it evaluates n samples, a
            multiple of 8, from `low` on, and makes `doubt` NaN where a value is not finite.
        read: the names of the rows that it reads, in the order of the table.
        numbers: likewise.
    """

    text: str
    read: tuple[str, ...]
    numbers: tuple[float, ...]


class Formulas:
    """Formulas over some rows, to be evaluated one after the other.

    >>> import sympy as sp
    >>> a, b = sp.symbols("a b", real=True)
    >>> programs = [Program((), ("a",), (), (a / 2,)), Program((), ("a", "b"), (), (a + b,))]
    >>> rows = {"a": np.arange(16.0), "b": np.empty(16), "c": np.empty(16)}
    >>> both = Formulas({"b": formula(programs[0]), "c": formula(programs[1])}, rows)
    >>> bool(both(slice(0, 16)).all()), rows["c"][:3].tolist()
    (True, [0.0, 1.5, 3.0])
    """

    def __init__(self, formulas: Mapping[str, Formula], rows: Mapping[str, Floats]) -> None:
        """Take the formulas of the rows to write, which are contiguous, and the rows."""
        named = dict.fromkeys(name for to, own in formulas.items() for name in (*own.read, to))
        kept = {name: np.ascontiguousarray(rows[name], np.float64) for name in named}
        begin = {name: row.ctypes.data for name, row in kept.items()}
        codes = [compiled(formula.text) for formula in formulas.values()]
        places = ([begin[name] for name in (*own.read, to)] for to, own in formulas.items())
        numbers = (np.array(own.numbers, float).view(np.int64) for own in formulas.values())
        tables = [np.append(np.array(p, np.int64), n) for p, n in zip(places, numbers, strict=True)]
        self._functions = np.array([code.address("formula") for code in codes], np.int64)
        self._tables = np.array([table.ctypes.data for table in tables], np.int64)
        self._kept = codes, tables, kept  # as long as there are pointers to them
        self._call = CFUNCTYPE(None, *[c_int64] * 6)(_chunks().address("chunks"))

    def __call__(self, piece: slice) -> Flags:
        """Evaluate them on some samples, a multiple of 8; return where all values are finite."""
        doubt = np.zeros(piece.stop - piece.start)
        if doubt.size:
            arrays = (a.ctypes.data for a in (self._functions, self._tables, doubt))
            self._call(doubt.size, piece.start, self._tables.size, *arrays)
        return np.asarray(doubt == 0)


@lru_cache(maxsize=4096)
def formula(program: Program) -> Formula | None:
    """Return the code of a program of parameters, `None` if it would be rounded otherwise.

    >>> import sympy as sp
    >>> a, b = sp.symbols("a b", real=True)
    >>> half, third, other = (
    ...     formula(Program((), ("a", "b"), (), (e,))) for e in (a / 2 + b, b / 3 + a, sp.exp(a))
    ... )
    >>> third.numbers, half.text == third.text, other
    ((0.3333333333333333,), True, None)
    """
    v = Vectors(set(), LOOP)
    try:
        names = [Lane(v, f"%name{i}") for i in range(len(program.parameters))]
        (value,) = generated(program, TRACED)(0.0, (), names)
    except Unsupported:
        return None
    x = Lane(v, text(v, value))
    v.store(x.register, "%written", 0, "%lane", 1)
    # 0 if the value is finite, and else NaN.
    doubt = Lane(v, v.load("%doubt", 0, "%lane", 1)) + (x - x)
    v.store(doubt.register, "%doubt", 0, "%lane", 1)
    lines = "\n".join(v.lines)
    read = list(dict.fromkeys(re.findall(_NAME, lines)))
    numbers = re.findall(_NUMBER, lines)
    return Formula(
        assembled("formula", [_function(v, len(read), len(numbers))], v.declarations),
        tuple(program.parameters[int(name)] for name in read),
        tuple(float(np.uint64(int(bits, 16)).view(np.float64)) for bits in numbers),
    )


def _function(v: Vectors, read: int, numbers: int) -> str:
    """Return the function whose body was written with names and numbers in it."""
    body, v.lines = "\n".join(v.lines), []
    rows = [_row(v, i) for i in range(read + 1)]
    places = (read + 1 + i for i in range(numbers))
    spread = iter([v.floats(v.spread(v.emit(f"load i64, ptr {_at(v, i)}"))) for i in places])
    before, v.lines = v.lines, []
    names = dict.fromkeys(re.findall(_NAME, body))
    loaded = {n: v.load(row, 0, "%lane", 1) for n, row in zip(names, rows, strict=False)}
    body = re.sub(_NAME, lambda found: loaded[found[1]], body)
    body = re.sub(_NUMBER, lambda _: next(spread), body)
    v.lines += body.replace("%written", rows[-1]).splitlines()
    arguments = "i64 %n, i64 %low, ptr %table, ptr %doubt"
    return loop("formula", arguments, v, "%lane", WIDTH, "%n", before)


def _row(v: Vectors, place: int) -> str:
    """Return where the samples from `low` on stand in a row of the table."""
    begin = v.emit(f"load ptr, ptr {_at(v, place)}")
    return v.emit(f"getelementptr double, ptr {begin}, i64 %low")


def _at(v: Vectors, place: int) -> str:
    return v.emit(f"getelementptr i64, ptr %table, i64 {place}")


# All formulas on a chunk before the next, so that most of what they read is in the cache.
_CHUNKS = f"""\
define void @chunks(i64 %n, i64 %start, i64 %count, ptr %functions, ptr %tables, ptr %doubt) {{
entry:
  br label %chunk
chunk:
  %done = phi i64 [ 0, %entry ], [ %after, %next ]
  %after = add i64 %done, {_CHUNK}
  %rest = sub i64 %n, %done
  %size = call i64 @llvm.umin.i64(i64 %rest, i64 {_CHUNK})
  %low = add i64 %start, %done
  %own = getelementptr double, ptr %doubt, i64 %done
  br label %formula
formula:
  %i = phi i64 [ 0, %chunk ], [ %j, %formula ]
  %function_at = getelementptr ptr, ptr %functions, i64 %i
  %table_at = getelementptr ptr, ptr %tables, i64 %i
  %function = load ptr, ptr %function_at
  %table = load ptr, ptr %table_at
  call void %function(i64 %size, i64 %low, ptr %table, ptr %own)
  %j = add i64 %i, 1
  %more = icmp ult i64 %j, %count
  br i1 %more, label %formula, label %next
next:
  %on = icmp ult i64 %after, %n
  br i1 %on, label %chunk, label %end
end:
  ret void
}}
declare i64 @llvm.umin.i64(i64, i64)"""


@lru_cache(maxsize=1)
def _chunks() -> Code:
    """Return the code of `chunks`, which runs formulas on n samples from `start` on."""
    return compiled(assembled("formulas in chunks", [_CHUNKS], set()))
