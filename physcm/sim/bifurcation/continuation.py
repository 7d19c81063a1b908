"""`continuation`: equilibria followed along a parameter or the value of an intervention.

Where the answer of a causal model of equilibria jumps, ends or loses its stability is told by
the folds, Hopf points, crossings and kinks of the branches of equilibria, which are followed by
pseudo-arclength continuation and located exactly (Keller 1977; Kuznetsov, Elements of Applied
Bifurcation Theory, 3rd ed., Springer 2004, chapter 10).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.expression import to_text
from physcm.sim.bifurcation.crossing import directions
from physcm.sim.bifurcation.curve import Curve, Point
from physcm.sim.bifurcation.explore import NUDGE, explore, is_upright
from physcm.sim.bifurcation.found import Continuation, SpecialPoint
from physcm.sim.bifurcation.hopf import first_lyapunov
from physcm.sim.bifurcation.special import Event
from physcm.sim.bifurcation.sweep import swept
from physcm.sim.bifurcation.tracing import Passed
from physcm.sim.system import System

_SAME = 1e-5
_UPRIGHT = 1e-4
# Where branches meet, one of them may turn or leave its bounds as well.
_CROSSING = ("branch point", "fold", "bound")
_ORDER = (*_CROSSING, "Hopf", "kink")
_LOOSE_ENDS = ("unbounded", "lost", "stopped")


def continuation(
    system: System,
    over: str,
    between: tuple[float, float],
    *,
    seed: int = 0,
    sample: int = 0,
    starts: int = 200,
) -> Continuation:
    """Return the equilibria of a system as functions of one number, with all special points.

    Branches are followed from the equilibria at both ends of the range and at some values inside,
    and from every crossing of branches that they lead to. Conserved totals are those of the initial
    state, which may move with the number.

    Args:
        system: autonomous and without noise.
        over: what is swept: a parameter `k`, `do(X)` for the value at which X is held (`X` will
            do), or `shift(X)` for an amount that is added to its drift.
        between: the lowest and the highest value.
        seed: as in `simulate`.
        sample: whose parameters and initial values to take.
        starts: from how many points Newton's method sets out at each of the values.

    Returns:
        Branches, special points, `intervals` and `switches`; see `Continuation`.

    Raises:
        InvalidValue: for a name that cannot be swept, or values that are no range.
        Infeasible: for values at which the variable cannot be held.
        Unsupported: for a system with noise or explicit time, and where a conservation law
            holds at some values only.

    >>> fold = System({"x": "r + x**2"}, parameters={"r": -1}, initial={"x": -1})
    >>> print(continuation(fold, "r", (-2, 1)))
    the system, r from -2 to 1: 1 branches of equilibria, ... points
      r = 0: fold at x = 0
    in the long run:
      -2 < r < 0: one stable equilibrium, 1 unstable
      0 < r < 1: no stable equilibrium; from its start the system grows without bound
    switches:
      r = 0, fold: a stable equilibrium ends where it meets an unstable one; none is left
    """
    sweep = swept(system, over, between, seed, sample)
    explored = explore(sweep, starts)
    found = Continuation(sweep, (), explored.tracer, explored.branches, complete=explored.complete)
    points = [_described(found, group) for group in _groups(found)]
    points += _loose_ends(found)
    return replace(found, points=tuple(sorted(points, key=lambda p: (p.value, p.kind))))


Seen: TypeAlias = tuple[int, Passed]
"""On which branch something was passed."""


def _groups(found: Continuation) -> list[list[Seen]]:
    """Return what was passed on the branches, each special point in a group of its own."""
    groups: list[list[Seen]] = []
    for k, branch in enumerate(found.curves):
        for passed in branch.passed:
            own = next((g for g in groups if _agree(found, g[0][1].event, passed.event)), None)
            if own is None:
                groups.append([(k, passed)])
            else:
                own.append((k, passed))
    return groups


def _agree(found: Continuation, one: Event, other: Event) -> bool:
    """Say whether two events are the same special point."""
    alike = one.kind == other.kind or {one.kind, other.kind} <= {*_CROSSING}
    gap = (one.u - other.u) / found.tracer.units.at(one.u)
    return alike and bool(np.linalg.norm(gap) <= _SAME)


def _described(found: Continuation, group: list[Seen]) -> SpecialPoint:
    """Return a special point in the terms of the model."""
    event = min((p.event for _, p in group), key=lambda e: _ORDER.index(e.kind))
    curve = found.tracer.curve(event.u)
    point = SpecialPoint(
        event.kind,
        found.value(event.u),
        MappingProxyType(found.values(event.u)),
        tuple(dict.fromkeys(k for k, _ in group)),
        tuple(side for _, p in group for side in (p.before, p.after) if side),
    )
    match event.kind:
        case "Hopf":
            l1 = first_lyapunov(curve, event.u, event.omega)
            return replace(point, period=2 * np.pi / event.omega, first_lyapunov=l1)
        case "branch point":
            return _crossing(curve, event.u, point)
        case "bound":
            return replace(point, what=found.sweep.system.states[event.what])
        case "kink":
            return replace(point, what=to_text(found.tracer.pieces.boundaries[event.what]))
    return point


def _crossing(curve: Curve, u: Floats, point: SpecialPoint) -> SpecialPoint:
    """Say how branches cross: with one of them upright, both slanted, or not known."""
    ways = [curve.start(u, direction) for direction in directions(curve, u)]
    if len(ways) < 2:
        return point
    upright = next((way for way in ways if abs(way.tangent[-1]) <= _UPRIGHT), None)
    if upright is None:
        return replace(point, kind="transcritical")
    sides = [side for way in ways for side in _sides(curve, way)]
    if any(is_upright(side) for side in _sides(curve, upright)):
        return replace(point, kind="line")
    return replace(point, kind="pitchfork", stability=tuple(side.stability for side in sides))


def _sides(curve: Curve, point: Point) -> Iterator[Point]:
    """Yield the points of a curve next to one of its points."""
    for way in (point, point.reversed()):
        near, _ = curve.ahead(way, NUDGE, point.u + NUDGE * way.direction)
        if near is not None:
            yield curve.point(near, way.direction)


def _loose_ends(found: Continuation) -> Iterator[SpecialPoint]:
    """Yield where a branch is not followed to an end that explains itself."""
    for k, branch in enumerate(found.curves):
        for end, (last, next_) in zip(
            branch.ends, (branch.points[:2], branch.points[:-3:-1]), strict=True
        ):
            if end in _LOOSE_ENDS:
                state = MappingProxyType(found.values(last.u))
                yield SpecialPoint(end, found.value(last.u), state, (k,), (next_.stability,))
