"""What each sample of a block keeps to itself: one row of numbers each, `LANES` side by side."""

from __future__ import annotations

from enum import IntEnum

from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.vectors import Vectors


class Row(IntEnum):
    """The rows of the block `l`, the ledger that methods and kernels share."""

    TIME = 0
    STEP = 1
    END = 2
    LONGEST = 3
    RTOL = 4
    COUNT = 5
    FRESH = 6
    AT = 7
    THETA = 8
    SIZE = 9
    OTHER = 10
    ABOVE = 11
    BELOW = 12
    STEEP = 13
    NEXT = 14
    REACHED = 15
    SCALE = 16
    DRIFT = 17
    FIRST = 18
    LAST = 19
    DUE = 20
    NEAR = 21
    FAR = 22
    CALL = 23
    TRIED = 24
    MOST = 25
    STEEPS = 26
    MILD = 27
    ENDED = 28


def read(v: Vectors, row: Row, lane: int) -> str:
    """Return a row of the ledger, from a lane on."""
    return v.load("%l", row, str(lane), LANES, row.name.lower())


def write(v: Vectors, row: Row, lane: int, value: str) -> None:
    """Write to a row of the ledger, from a lane on."""
    v.store(value, "%l", row, str(lane), LANES)


def place(row: Row, register: str) -> str:
    """Return the instruction that lets a register point to a row of the ledger."""
    return f"%{register} = getelementptr double, ptr %l, i64 {row * LANES}"


def accumulate(v: Vectors, row: Row, lane: int, value: str) -> None:
    """Add the square of a value to a row of the ledger."""
    write(v, row, lane, v.fma(value, value, read(v, row, lane)))


def look_at(v: Vectors, lane: int, time: str) -> None:
    """Let functions be evaluated at a time, but not outside of the piece that is integrated.

    At its ends they are taken just inside, so that what switches there by the clock has the
    value that it has in between.
    """
    first, last = read(v, Row.FIRST, lane), read(v, Row.LAST, lane)
    time = v.select(v.compare(">", time, first), time, first)
    write(v, Row.AT, lane, v.select(v.compare("<", time, last), time, last))
