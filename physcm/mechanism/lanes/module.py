"""Programs as LLVM modules: a system's functions over a block of samples, as readable text.

A function `f(t, x, p, out)` reads `LANES` samples side by side: time t (LANES), variables x
(variables, LANES), parameters p (parameters, LANES), and writes out (outputs, LANES). It goes
over them eight at a time, one sample per lane of a vector register.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import chain, starmap

import sympy as sp

from physcm.mechanism.codegen import Program
from physcm.mechanism.expression import TIME, symbol
from physcm.mechanism.lanes.blocks import LANE, LANES, in_parts
from physcm.mechanism.lanes.elementary import ARITY, FUNCTIONS
from physcm.mechanism.lanes.expressions import Expressions
from physcm.mechanism.lanes.vectors import FLOATS, Vectors


def module(name: str, programs: Mapping[str, Program]) -> str:
    """Return the text of a module with one function per program.

    Args:
        name: what the code is for, such as the name of a system.
        programs: by the names of the functions.

    Raises:
        Unsupported: for a function that lanes do not have.
    """
    declarations: set[str] = set()
    bodies = [function(label, program, declarations) for label, program in programs.items()]
    return assembled(name, [*chain.from_iterable(bodies)], declarations)


def assembled(name: str, bodies: list[str], declarations: set[str]) -> str:
    """Return the text of a module of some functions, with all that they call."""
    bodies = bodies + _library("\n".join(bodies), declarations)
    head = f"; {' '.join(name.split()) or 'a system'}: {LANES} samples at a time\n"
    return "\n\n".join([head, *bodies, "\n".join(sorted(declarations))]) + "\n"


def function(label: str, program: Program, declarations: set[str]) -> list[str]:
    """Return the text of `label(t, x, p, out)`, which writes a program's outputs."""
    reader = Reader(program)

    def store(i: int, output: sp.Expr) -> Callable[[Vectors], None]:
        def write(v: Vectors) -> None:
            v.comment(f"out[{i}] = {output}")
            v.store(reader.value(v, output), "%out", i, LANE, LANES)

        return write

    return in_parts(label, "t x p out", starmap(store, enumerate(program.outputs)), declarations)


class Reader:
    """Writes expressions that read what a program reads and defines, and first that, if need be."""

    def __init__(self, program: Program) -> None:
        self._definitions = {symbol(name): e for name, e in program.definitions}
        self._order = {name: i for i, name in enumerate(self._definitions)}
        self._rows = {TIME: ("%t", 0)}
        for pointer, names in (("%x", program.variables), ("%p", program.parameters)):
            self._rows |= {symbol(name): (pointer, i) for i, name in enumerate(names)}
        self._expressions: Expressions | None = None

    def value(self, v: Vectors, e: sp.Expr) -> str:
        """Write the value of an expression into a function of (t, x, p)."""
        if self._expressions is None or self._expressions.v is not v:
            self._expressions = Expressions(v)
        self._prepare(e, self._expressions)
        return self._expressions.value(e)

    def _prepare(self, e: sp.Expr, written: Expressions) -> None:
        """Write all that an expression reads and that is not written yet."""
        needed: set[sp.Symbol] = set()
        waiting = [e]
        while waiting:
            new = waiting.pop().free_symbols - written.known.keys() - needed
            needed |= new
            waiting += [self._definitions[name] for name in new if name in self._definitions]
        for name in sorted(needed & self._rows.keys(), key=self._rows.__getitem__):
            written.read(name, *self._rows[name], LANE, LANES)
        for name in sorted(needed & self._order.keys(), key=self._order.__getitem__):
            written.define(name, self._definitions[name])


def _library(text: str, declarations: set[str]) -> list[str]:
    """Return the elementary functions that a text calls, and those that they call."""
    written: dict[str, str] = {}
    waiting = set(re.findall(r"@lanes_(\w+)\(", text))
    while waiting:
        name = min(waiting)
        written[name] = _elementary(name, declarations)
        waiting |= set(re.findall(r"call [^@]*@lanes_(\w+)\(", written[name]))
        waiting -= written.keys()
    return [written[name] for name in sorted(written)]


def _elementary(name: str, declarations: set[str]) -> str:
    v = Vectors(declarations)
    arguments = ["%x", "%y"][: ARITY.get(name, 1)]
    result = FUNCTIONS[name](v, *arguments)
    given = ", ".join(f"{FLOATS} {a}" for a in arguments)
    return "\n".join(
        [
            f"define internal {FLOATS} @lanes_{name}({given}) {{",
            "entry:",
            *v.lines,
            f"  ret {FLOATS} {result}",
            "}",
        ]
    )
