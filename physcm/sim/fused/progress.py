"""What becomes of a sample after a step: it goes on, or its run has ended.

A sample is given up as stiff where h times the slope of f between the two states last seen at
the step's end stays beyond what the method is stable for, with many such steps ahead (Hairer &
Wanner, Solving Ordinary Differential Equations II, 1996, section IV.2).
"""

from __future__ import annotations

import math

from physcm.mechanism.lanes.blocks import over_lanes
from physcm.mechanism.lanes.vectors import Vectors
from physcm.sim.fused.rows import Row, read, write

ARRIVED, STIFF, LOST, TIRED, CALLED = 1, 2, 3, 4, 5
"""How a sample's run ended: at its end, given up as stiff, without a step that it can take,
after too many, or where a watched condition changed; 0 where it was interrupted."""

_STIFF_STEPS, _MILD_STEPS, _STEPS_AHEAD = 15, 6, 200
_SHORTEST, _TINY = 1e-14, 1e-300


def advance(stability: float, d: set[str]) -> str:
    """Return what goes on to the time that is reached, and says in ENDED how a run ended, else 0.

    Args:
        stability: how far |h lambda| may reach, infinite for implicit methods.
        d: the declarations of the module.
    """

    def go_on(v: Vectors, lane: int) -> None:
        reached, further = read(v, Row.REACHED, lane), read(v, Row.NEXT, lane)
        ahead = v.sub(read(v, Row.END, lane), reached)
        tried = v.add(read(v, Row.TRIED, lane), v.number(1.0))
        shortest = v.mul(v.number(_SHORTEST), v.intrinsic("fabs", reached))
        tiny = v.compare(">", v.number(_TINY), shortest)
        shortest = v.select(tiny, v.number(_TINY), shortest)
        ended = v.number(0.0) if math.isinf(stability) else _stiff(v, lane, ahead, stability)
        for kind, so in (
            (TIRED, v.compare(">=", tried, read(v, Row.MOST, lane))),
            (LOST, v.compare("<", further, shortest)),
            (ARRIVED, v.compare("<=", ahead, v.number(0.0))),
            (CALLED, v.compare(">", read(v, Row.CALL, lane), v.number(0.0))),
        ):
            ended = v.select(so, v.number(float(kind)), ended)
        write(v, Row.ENDED, lane, ended)
        write(v, Row.TRIED, lane, tried)
        write(v, Row.TIME, lane, reached)
        write(v, Row.STEP, lane, v.select(v.compare(">", further, ahead), ahead, further))

    return over_lanes("advance", "l", go_on, d)


def _stiff(v: Vectors, lane: int, ahead: str, stability: float) -> str:
    """Count steep and mild steps; return STIFF where there were many steep ones, else 0."""
    good = v.compare("<=", read(v, Row.SIZE, lane), v.number(1.0))
    steep = v.compare(">", read(v, Row.STEEP, lane), v.number(stability))
    steep, one = v.flag("and", good, steep), v.number(1.0)
    mild = read(v, Row.MILD, lane)
    mild = v.select(steep, v.number(0.0), v.select(good, v.add(mild, one), mild))
    many = read(v, Row.STEEPS, lane)
    many = v.select(steep, v.add(many, one), many)
    calm = v.compare(">=", mild, v.number(float(_MILD_STEPS)))
    many = v.select(calm, v.number(0.0), many)
    write(v, Row.MILD, lane, mild)
    write(v, Row.STEEPS, lane, many)
    span = v.mul(v.number(float(_STEPS_AHEAD)), read(v, Row.STEP, lane))
    far = v.flag("and", steep, v.compare(">", ahead, span))
    enough = v.compare(">=", many, v.number(float(_STIFF_STEPS)))
    return v.select(v.flag("and", far, enough), v.number(float(STIFF)), v.number(0.0))
