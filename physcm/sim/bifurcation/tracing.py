"""A branch: a curve of equilibria, followed both ways from one of its points.

Steps grow while they are easy, and shrink where the curve bends or the correction fails. A way
ends at the end of the range or of what a state can physically take, where it closes or has no
bound, or where it can be followed no further; it always says which.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.sim.bifurcation.crossing import directions
from physcm.sim.bifurcation.curve import Curve, Point, Units
from physcm.sim.bifurcation.pieces import Piece, Pieces
from physcm.sim.bifurcation.special import ENDINGS, Event, Step, decides

_FIRST, _SHORTEST, _LONGEST = 0.01, 1e-8, 0.05
_BEND, _GENTLE = 0.95, 0.99
_QUICK = 4
_SHRINK = 0.6
_OFF = 0.5
_SAME, _SMOOTH = 1e-5, 1e-3
_MOST_POINTS = 4000
_BOUNDLESS = 1e6
_MOST_FLIPS = 8


@dataclass(frozen=True, eq=False)
class Passed:
    """An event on a branch, with the stability on its two sides ("" beyond an end)."""

    event: Event
    before: str
    after: str


@dataclass(frozen=True, eq=False)
class Branch:
    """A curve of equilibria in order, from one end to the other.

    Attributes:
        points: its points.
        passed: what happens on it.
        ends: why it begins and ends where it does: range, bound, closed, unbounded, lost (it
            can be followed no further) or stopped (it is too long).
    """

    points: tuple[Point, ...]
    passed: tuple[Passed, ...]
    ends: tuple[str, str]

    def place(self, u: Floats, tracer: Tracer, within: float = _SAME) -> int | None:
        """Return after which of its points the branch passes through a point, if it does."""
        states = np.array([point.u for point in self.points])
        low, high = np.minimum(states[1:], states[:-1]), np.maximum(states[1:], states[:-1])
        slack = 0.5 * (high - low) + 0.02 * tracer.units.at(u)
        inside = ((u >= low - slack) & (u <= high + slack)).all(axis=1)
        for k in np.flatnonzero(inside).tolist():
            a, b = self.points[k : k + 2]
            if passes(tracer.on(a.piece), a, b.u, u, within):
                return int(k)
        return None

    def stays_stable(self, one: int, other: int) -> bool:
        """Say whether no point between two places is unstable."""
        between = self.points[min(one, other) : max(one, other) + 2]
        return all(point.stability != "unstable" for point in between)


def passes(curve: Curve, a: Point, end: Floats, u: Floats, within: float = _SAME) -> bool:
    """Say whether the curve from one of its points to another passes through a third."""
    across = a.tangent / a.size
    along, length = float(across @ (u - a.u)), float(across @ (end - a.u))
    if not -within <= along <= length + within or length <= 0:
        return a.distance(u) <= within
    found, _ = curve.ahead(a, along, a.u + along / length * (end - a.u))
    return found is not None and a.distance(a.u + found - u) <= within


@dataclass(eq=False)
class Way:
    """A curve followed one way, as far as it has been followed."""

    curve: Curve
    points: list[Point]
    passed: list[Passed] = field(default_factory=list)
    end: str = ""
    length: float = _FIRST
    flips: int = 0

    @property
    def last(self) -> Point:
        """The point that it has come to."""
        return self.points[-1]


class Tracer:
    """Follows curves of equilibria through all pieces of the equations."""

    def __init__(self, pieces: Pieces, units: Units) -> None:
        self.pieces, self.units, self.sweep = pieces, units, pieces.sweep

    def curve(self, u: Floats) -> Curve:
        """Return the curve of the piece that a point lies in."""
        return self.on(self.pieces.at(u))

    def on(self, piece: Piece) -> Curve:
        """Return the curve of a piece."""
        return Curve(self.sweep, piece, self.units)

    def feasible(self, u: Floats) -> bool:
        """Say whether a point lies within the range and every state within its bounds."""
        sweep, slack = self.sweep, 1e-9 * self.units.typical
        within = sweep.low - slack[-1] <= u[-1] <= sweep.high + slack[-1]
        return bool(within) and sweep.equations.is_feasible(u[:-1], self.units.typical[:-1])

    def branch(self, u: Floats, direction: Floats, special: str) -> Branch:
        """Return the branch through a point, in a direction and against it.

        What the point itself is, if it is special, is known already.
        """
        curve = self.curve(u)
        start = replace(curve.start(u, direction), special=special)
        there = self.way(curve, start)
        if there.end == "closed":
            return Branch((*there.points,), (*there.passed,), ("closed", "closed"))
        back = self.way(curve, start.reversed())
        points = [point.reversed() for point in reversed(back.points[1:])]
        passed = [Passed(p.event, p.after, p.before) for p in reversed(back.passed)]
        return Branch((*points, *there.points), (*passed, *there.passed), (back.end, there.end))

    def way(self, curve: Curve, start: Point) -> Way:
        """Follow a curve one way, as far as it goes."""
        way = Way(curve, [start])
        while not way.end:
            step = self._step(way)
            if step is None:
                self._lost(way)
            else:
                self._advance(way, step)
            if not way.end and len(way.points) >= _MOST_POINTS:
                way.end = "stopped"
        return way

    def _step(self, way: Way) -> Step | None:
        """Return the next step, as long as the curve allows."""
        a, length = way.last, way.length
        while length >= _SHORTEST:
            guess = a.u + length * a.direction
            u, iterations = way.curve.ahead(a, length, guess)
            if u is not None and a.distance(a.u + u - guess) <= _OFF * length:
                b = way.curve.point(u, a.direction)
                ahead = b.direction / a.size
                bend = float(a.tangent @ ahead / np.linalg.norm(ahead))
                if bend > _BEND and (decides(a, b) or length < way.length / 2):
                    easy = iterations <= _QUICK and bend > _GENTLE
                    way.length = min(length * 1.5, _LONGEST) if easy else length
                    return Step(way.curve, a, b, length)
            length *= _SHRINK
        return None

    def _advance(self, way: Way, step: Step) -> None:
        """Go on by a step, up to what happens on it."""
        first, beyond = way.points[0], self._without_corner(step)
        events = step.events(smooth=beyond is not None)
        ending = events.pop() if events and events[-1].kind in ENDINGS else None
        if first.special:  # and known
            events = [event for event in events if first.distance(event.u) > _SAME]
        way.passed += _with_sides(step, events)
        way.points += [_special(step, event) for event in events]
        if ending is None:
            self._go_on(way, beyond or step.b)
        else:
            self._stop(way, step, ending, events)

    def _go_on(self, way: Way, b: Point) -> None:
        """Take the end of a step as the next point, unless the curve has closed before it."""
        first = way.points[0]
        way.curve, way.flips = self.on(b.piece), 0
        if len(way.points) > 3 and passes(way.curve, way.last, b.u, first.u):
            way.points.append(first)
            way.end = "closed"
        else:
            way.points.append(b)
            way.end = "unbounded" if self._boundless(b) else ""

    def _stop(self, way: Way, step: Step, ending: Event, events: list[Event]) -> None:
        """End where the range or a state does, or turn at a boundary."""
        crossing = [e for e in events if abs(e.at - ending.at) <= 1e-5 * step.length]
        u = crossing[0].u if crossing else ending.u
        b = way.curve.point(u, step.a.direction)
        if not crossing and step.a.distance(u) > 1e-9:
            way.points.append(b)
        if ending.kind == "kink":
            self._turn(way, b, ending)
        else:
            way.end = ending.kind
            if ending.kind == "bound" and not crossing and len(way.points) > 1:
                way.passed.append(Passed(ending, step.a.stability, ""))

    def _without_corner(self, step: Step) -> Point | None:
        """Return the end of a step on the piece that it really lies in, if that is no other curve.

        A quotient that is filled in where it is 0/0 has boundaries, and no corner.
        """
        b = step.b
        if not b.piece.beyond(b.u).any():
            return None
        there = self.on(self.pieces.at(b.u)).along(b)
        return there if there is not None and there.goes_on_like(b, _SMOOTH) else None

    def _turn(self, way: Way, b: Point, kink: Event) -> None:
        """Go on with the piece on the other side of a boundary, deeper into it."""
        sides = list(b.piece.sides)
        sides[kink.what] = not sides[kink.what]
        curve = self.on(self.pieces.piece(tuple(sides)))
        tangents = directions(curve, b.u)
        way.flips += 1
        if way.flips > _MOST_FLIPS or len(tangents) != 1:
            way.end = "lost"
            return
        start = curve.start(b.u, tangents[0])
        deeper = float(curve.piece.gradient(kink.what, b.u) @ start.direction)
        if (deeper > 0) != sides[kink.what]:
            start = start.reversed()
        way.passed.append(Passed(kink, b.stability, start.stability))
        way.curve, way.length = curve, _FIRST
        way.points.append(start)

    def _lost(self, way: Way) -> None:
        """Say why there is no further step: a bound next to the last point, or nothing known."""
        a = way.last
        low, high = self.sweep.equations.bounds
        for i in range(len(low)):
            for end in (low[i], high[i]):
                if abs(a.u[i] - end) <= 1e-4 * a.size[i] and a.direction[i] * (end - a.u[i]) >= 0:
                    found = way.curve.where(i, end, a.u)
                    u = a.u if found is None else found
                    way.passed.append(Passed(Event("bound", 0.0, u, i), a.stability, ""))
                    way.end = "bound"
                    return
        way.end = "unbounded" if self._boundless(a) else "lost"

    def _boundless(self, point: Point) -> bool:
        return bool((np.abs(point.u[:-1]) > _BOUNDLESS * self.units.typical[:-1]).any())


def _special(step: Step, event: Event) -> Point:
    """Return a special point as a point of the branch; where branches cross none is tangent."""
    make = step.curve.start if event.crosses else step.curve.point
    return replace(make(event.u, step.b.u - step.a.u), special=event.kind)


def _with_sides(step: Step, events: list[Event]) -> list[Passed]:
    """Return events with the stability between each and its neighbors."""
    between = [(a.at + b.at) / 2 for a, b in pairwise(events)]
    kinds = [step.a.stability]
    kinds += [step.curve.stability(step.between(at)) for at in between]
    kinds.append(step.b.stability)
    return [Passed(e, *sides) for e, sides in zip(events, pairwise(kinds), strict=False)]
