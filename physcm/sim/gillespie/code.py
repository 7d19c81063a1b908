"""The machine code of the direct method for the reactions of one mode, a block of samples at once.

Its functions work on a block b of rows, `LANES` samples side by side; see `Layout`. `look` finds
what the propensities are and when a reaction fires, `fire` lets it fire and draws for the next
one, `outputs` evaluates the derived variables.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import sympy as sp

from physcm.mechanism.codegen import Program
from physcm.mechanism.expression import TIME, symbol
from physcm.mechanism.lanes.blocks import LANES, LOOP, loop
from physcm.mechanism.lanes.expressions import Expressions
from physcm.mechanism.lanes.module import assembled
from physcm.mechanism.lanes.uniforms import uniform_pair
from physcm.mechanism.lanes.vectors import FLAGS, WIDTH, WORDS, Vectors
from physcm.sim.gillespie.firing import Firings

_TRUE = "splat (i1 true)"


class Row(IntEnum):
    """The first rows of a block; those without a comment are as in `front.Front`."""

    NOW = 0
    LEFT = 1
    PICK = 2
    NUMBER = 3
    MOST = 4
    EDGE = 5
    UNTIL = 6
    DUE = 7
    TOTAL = 8  # the sum of the propensities
    LEAST = 9  # the smallest of them, or 0
    REACHED = 10
    NEXT = 11  # the next time to save
    SAVE = 12  # the time that is being saved
    END = 13  # why the sample left the loop
    SAMPLE = 14  # its number, an integer


class End(IntEnum):
    """Why a sample left the loop; 0 where it was interrupted."""

    ARRIVED = 1  # all times are saved
    DUE = 2  # something is to be done, or the clock may have turned a condition
    TURNED = 3  # a condition has turned
    BROKEN = 4  # a propensity is negative, or their sum no number
    TIRED = 5  # it fires without end


@dataclass(frozen=True)
class Layout:
    """Where the rows of a block begin; first what a sample keeps, then what is computed anew.

    Attributes:
        x0, unit, count: of the states, x = x0 + unit * count.
        p: the parameters.
        truth, seen: the conditions as they were, and as they are.
        kept: the number of rows so far.
        x: the states.
        heights: the propensities summed up.
        own: changes that are no multiples of a unit.
        out: the derived variables.
        rows: the number of all rows.
    """

    x0: int
    unit: int
    count: int
    p: int
    truth: int
    seen: int
    kept: int
    x: int
    heights: int
    own: int
    out: int
    rows: int

    @classmethod
    def of(cls, firings: Firings) -> Layout:
        """Return the layout for the reactions of a mode."""
        system = firings.view.system
        n, conditions = len(system.states), len(firings.watch.outputs)
        sizes = [n, n, n, len(system.parameters), conditions, conditions, 0, n]
        sizes += [len(firings.names), len(firings.lattice.own), len(system.derived)]
        starts = [len(Row)]
        for size in sizes:
            starts.append(starts[-1] + size)
        return cls(*starts)


def module(firings: Firings) -> str:
    """Return the text of the module for the reactions of a mode.

    Raises:
        Unsupported: for a function that lanes do not have.
    """
    d: set[str] = set()
    layout = Layout.of(firings)
    bodies = [
        _look(_Block(d, firings, layout)),
        _fire(_Block(d, firings, layout)),
        _outputs(_Block(d, firings, layout)),
    ]
    return assembled(f"reactions of {firings.view.system.name or 'a system'}", bodies, d)


class _Block:
    """A writer of code that goes over the lanes of a block."""

    def __init__(self, declarations: set[str], firings: Firings, layout: Layout) -> None:
        self.v, self.firings, self.layout = Vectors(declarations, LOOP), firings, layout
        self.system = firings.view.system

    def read(self, row: int, kind: str | None = None) -> str:
        return self.v.load("%b", row, "%lane", LANES, **({"kind": kind} if kind else {}))

    def write(self, row: int, value: str) -> None:
        self.v.store(value, "%b", row, "%lane", LANES)

    def known(self, time: str, states: Iterable[str]) -> dict[sp.Basic, str]:
        """Return what time, states and parameters stand for."""
        p = [self.read(self.layout.p + i) for i in range(len(self.system.parameters))]
        names = [*self.system.states, *self.system.parameters]
        return {TIME: time} | dict(zip(map(symbol, names), [*states, *p], strict=True))

    def values(self, program: Program, known: dict[sp.Basic, str]) -> list[str]:
        """Write the values of a program."""
        rows = Expressions(self.v)
        rows.known |= known
        for name, expression in program.definitions:
            rows.define(symbol(name), expression)
        return [rows.value(output) for output in program.outputs]

    def function(self, label: str, arguments: str) -> str:
        return loop(label, arguments, self.v, "%lane", WIDTH, str(LANES))


def _look(b: _Block) -> str:
    """`look(b, alert)`: propensities, and when the next reaction fires.

    Sets a bit of `alert` for each sample that must not just go on to fire: a time is to be
    saved or something to be done before, a condition has turned, or a propensity is no number
    or negative.
    """
    v, layout, now = b.v, b.layout, b.read(Row.NOW)
    states = [
        v.fma(*(b.read(first + i) for first in (layout.unit, layout.count, layout.x0)))
        for i in range(len(b.system.states))
    ]
    for i, x in enumerate(states):
        b.write(layout.x + i, x)
    known = b.known(now, states)
    total, least = _sums(b, b.values(b.firings.propensities, known))
    due = v.add(now, v.div(b.read(Row.LEFT), total))
    until = _until(b, b.values(b.firings.clock, known), now)
    for row, value in ((Row.TOTAL, total), (Row.LEAST, least), (Row.DUE, due), (Row.UNTIL, until)):
        b.write(row, value)
    calm = [
        v.compare("<=", due, b.read(Row.NEXT)),
        v.compare("<", due, until),
        v.compare("<", total, v.number(math.inf)),
        v.compare(">=", least, v.number(0.0)),
        v.compare("<", b.read(Row.NUMBER), b.read(Row.MOST)),
    ]
    for i, value in enumerate(b.values(b.firings.watch, known)):
        b.write(layout.seen + i, value)
        calm.append(v.compare("==", value, b.read(layout.truth + i)))
    for i, (_, _, change) in enumerate(b.firings.lattice.own):
        b.write(layout.own + i, b.values(change, known | {TIME: due})[0])
    _alert(b, calm)
    return b.function("look", "ptr noalias %b, ptr noalias %alert")


def _sums(b: _Block, propensities: list[str]) -> tuple[str, str]:
    """Write the propensities summed up; return their sum, and the least of them or 0."""
    total = least = b.v.number(0.0)
    for i, propensity in enumerate(propensities):
        total = b.v.add(total, propensity) if i else propensity
        b.write(b.layout.heights + i, total)
        least = b.v.select(b.v.compare("<", propensity, least), propensity, least)
    return total, least


def _until(b: _Block, turns: list[str], now: str) -> str:
    """Return when something is to be done, or the clock may turn a condition."""
    v, until = b.v, b.read(Row.EDGE)
    for time in turns:
        for instant in (_next_float(v, time), time):
            ahead = v.flag("and", v.compare(">", instant, now), v.compare("<", instant, until))
            until = v.select(ahead, instant, until)
    return until


def _next_float(v: Vectors, x: str) -> str:
    """Return the next floating point number above x."""
    unsigned = v.add(x, v.number(0.0))  # -0 becomes 0
    bits = v.words(unsigned)
    up = v.floats(v.integer("add", bits, v.word(1)))
    down = v.floats(v.integer("sub", bits, v.word(1)))
    return v.select(v.compare("<", unsigned, v.number(0.0)), down, up)


def _alert(b: _Block, calm: list[str]) -> None:
    """Set a bit for each lane in which some condition does not hold, one word per vector."""
    v, every = b.v, calm[0]
    for other in calm[1:]:
        every = v.flag("and", every, other)
    bits = v.emit(f"bitcast {FLAGS} {v.flag('xor', every, _TRUE)} to i{WIDTH}")
    word = v.emit(f"zext i{WIDTH} {bits} to i64")
    place = v.emit(f"getelementptr i{64 // WIDTH}, ptr %alert, i64 %lane")
    v.lines.append(f"  store i64 {word}, ptr {place}, align 8")


def _fire(b: _Block) -> str:
    """`fire(b, key)`: one reaction of each sample, the first with a_1 + ... + a_r > U a."""
    v, layout, lattice = b.v, b.layout, b.firings.lattice
    mark = v.mul(b.read(Row.PICK), b.read(Row.TOTAL))
    fires, passed = [], _TRUE
    for r in range(len(b.firings.names)):
        beyond = v.compare(">", b.read(layout.heights + r), mark)
        fires.append(v.flag("and", passed, beyond))
        passed = v.flag("xor", beyond, _TRUE)
    zero = v.number(0.0)
    for state, row in enumerate(lattice.steps):
        steps = [v.select(fires[r], v.number(step), zero) for r, step in enumerate(row) if step]
        if steps:
            place = layout.count + state
            b.write(place, v.add(b.read(place), *steps))
    for i, (state, reaction, _) in enumerate(lattice.own):
        place = layout.x0 + state
        b.write(
            place, v.add(b.read(place), v.select(fires[reaction], b.read(layout.own + i), zero))
        )
    b.write(Row.NOW, b.read(Row.DUE))
    number = v.add(b.read(Row.NUMBER), v.number(1.0))
    step = v.emit(f"fptosi <{WIDTH} x double> {number} to {WORDS}")
    wait, pick = uniform_pair(v, v.spread("%key"), b.read(Row.SAMPLE, WORDS), step)
    b.write(Row.NUMBER, number)
    b.write(Row.LEFT, v.sub(zero, v.call("lanes_log", wait)))
    b.write(Row.PICK, pick)
    return b.function("fire", "ptr noalias %b, i64 %key")


def _outputs(b: _Block) -> str:
    """`outputs(b)`: the derived variables at the times that are being saved."""
    states = [b.read(b.layout.x + i) for i in range(len(b.system.states))]
    known = b.known(b.read(Row.SAVE), states)
    for i, value in enumerate(b.values(b.system.outputs, known)):
        b.write(b.layout.out + i, value)
    return b.function("outputs", "ptr noalias %b")
