"""Programs as LLVM modules: a system's functions over a block of samples, as readable text.

A function `f(t, x, p, out)` reads `LANES` samples side by side: time t (LANES), variables x
(variables, LANES), parameters p (parameters, LANES), and writes out (outputs, LANES). It goes
over them eight at a time, one sample per lane of a vector register.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from physcm.mechanism.codegen import Program
from physcm.mechanism.lanes.blocks import LANES, LOOP, loop
from physcm.mechanism.lanes.elementary import ARITY, FUNCTIONS
from physcm.mechanism.lanes.expressions import Expressions
from physcm.mechanism.lanes.vectors import FLOATS, WIDTH, Vectors


def module(name: str, programs: Mapping[str, Program]) -> str:
    """Return the text of a module with one function per program.

    Args:
        name: what the code is for, such as the name of a system.
        programs: by the names of the functions.

    Raises:
        Unsupported: for a function that lanes do not have.
    """
    declarations: set[str] = set()
    bodies = [_function(label, program, declarations) for label, program in programs.items()]
    return assembled(name, bodies, declarations)


def assembled(name: str, bodies: list[str], declarations: set[str]) -> str:
    """Return the text of a module of some functions, with all that they call."""
    bodies = bodies + _library("\n".join(bodies), declarations)
    head = f"; {' '.join(name.split()) or 'a system'}: {LANES} samples at a time\n"
    return "\n\n".join([head, *bodies, "\n".join(sorted(declarations))]) + "\n"


def _function(label: str, program: Program, declarations: set[str]) -> str:
    v = Vectors(declarations, LOOP)
    rows = Expressions(v)
    rows.read_time(v.load("%t", 0, "%lane", LANES, "t"))
    for pointer, names in (("%x", program.variables), ("%p", program.parameters)):
        rows.read_rows(pointer, names, LANES)
    for name, expression in program.definitions:
        rows.define(name, expression)
    for i, output in enumerate(program.outputs):
        v.comment(f"out[{i}] = {output}")
        v.store(rows.value(output), "%out", i, "%lane", LANES)
    arguments = ", ".join(f"ptr noalias %{name}" for name in ("t", "x", "p", "out"))
    return loop(label, arguments, v, "%lane", WIDTH, str(LANES))


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
