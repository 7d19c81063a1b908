"""All branches that can be found: from equilibria at some values, and across branch points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.sim.bifurcation.crossing import directions
from physcm.sim.bifurcation.curve import Point, Units
from physcm.sim.bifurcation.pieces import Pieces
from physcm.sim.bifurcation.sweep import Sweep
from physcm.sim.bifurcation.tracing import Branch, Tracer
from physcm.sim.equilibria import find
from physcm.sim.multistart import every_root
from physcm.sim.periodicity import turned

_INSIDE = (0.145898, 0.381966, 0.618034, 0.854102)
"""Shares of the range that no special value is likely to lie at, by the golden ratio."""
_MOST_BRANCHES = 100
_LEVEL, _EDGE = 1e-9, 1e-3
NUDGE = 0.01
"""How far along a curve to look, in units, to see which curve it is."""


@dataclass(frozen=True, eq=False)
class Explored:
    """What was found.

    Attributes:
        tracer: what followed the branches.
        branches: the branches.
        complete: whether all that showed itself was followed: not where there are too many
            branches, or equilibria that are not isolated.
    """

    tracer: Tracer
    branches: tuple[Branch, ...]
    complete: bool


def explore(sweep: Sweep, starts: int) -> Explored:
    """Return the branches of a sweep.

    Equilibria are sought as by `equilibria` at both ends of the range, and by Newton's method
    alone at some values inside, so that branches that reach neither end are seen too.

    Args:
        sweep: what is swept.
        starts: from how many points Newton's method sets out at each value.
    """
    ends = [(value, *sweep.at(value)) for value in (sweep.low, sweep.high)]
    start, angles = ends[0][1], np.isfinite(sweep.turns)
    known = [
        np.append(turned(equilibrium.state, start, sweep.turns), value)
        for value, x0, p in ends
        for equilibrium in find(sweep.equations, x0, p, starts)
    ]
    sizes = np.abs([u[:-1] for u in known] + [x0 for _, x0, _ in ends]).max(axis=0)
    typical = float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 1.0
    units = Units.of(sweep, np.where(sizes > 0, sizes, typical))
    explorer = _Explorer(Tracer(Pieces(sweep), units))
    inside = _inside(sweep, units, starts)
    seen = [*known, *(np.append(turned(x, start, sweep.turns), value) for x, value in inside)]
    for u in sorted(seen, key=lambda u: float(np.abs(u[:-1] - start)[angles].sum())):
        explorer.begin(u)
    complete = explorer.complete and explorer.isolated
    return Explored(explorer.tracer, tuple(explorer.branches), complete)


def _inside(sweep: Sweep, units: Units, starts: int) -> Iterator[tuple[Floats, float]]:
    """Yield equilibria and the values at which they are, inside the range."""
    for share in _INSIDE:
        value = sweep.low + share * (sweep.high - sweep.low)
        x0, p = sweep.at(value)
        equations = sweep.equations
        total = equations.weights @ x0
        typical = units.typical[:-1]
        roots = every_root(equations, x0[:, np.newaxis], p, total, typical, starts)
        yield from ((x, value) for x in roots.T)


class _Explorer:
    """The branches found so far."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self.branches: list[Branch] = []
        self.complete = self.isolated = True

    def begin(self, u: Floats) -> None:
        """Follow what passes through an equilibrium, and whatever crosses that, and so on."""
        waiting = [u]
        while waiting and self.complete:
            u = waiting.pop()
            ways = directions(self.tracer.curve(u), u)
            self.isolated &= bool(ways)
            for direction in ways:
                if self._is_new(u, direction):
                    waiting += self._follow(u, direction, "branch point" if len(ways) > 1 else "")
            self.complete = len(self.branches) < _MOST_BRANCHES

    def _follow(self, u: Floats, direction: Floats, special: str) -> list[Floats]:
        """Follow a branch; return where others cross it."""
        branch = self.tracer.branch(u, direction, special)
        if len(branch.points) == 1:
            return []
        self.branches.append(branch)
        return [passed.event.u for passed in branch.passed if passed.event.crosses]

    def _is_new(self, u: Floats, direction: Floats) -> bool:
        """Say whether a curve through a point is none of the branches that are known."""
        curve = self.tracer.curve(u)
        start = curve.start(u, direction)
        for way in (start, start.reversed()):
            near, _ = curve.ahead(way, NUDGE, u + NUDGE * way.direction)
            if near is not None and self.tracer.feasible(near):
                if is_upright(curve.point(near, way.direction)):
                    self.isolated = False
                    return False
                return not any(self._is_on(branch, near) for branch in self.branches)
        return False

    def _is_on(self, branch: Branch, u: Floats) -> bool:
        """Say whether a branch passes through a point, or a point whole turns away."""
        turns = np.append(self.tracer.sweep.turns, np.inf)
        points = [point.u for point in branch.points]
        least = np.ceil((np.min(points, axis=0) - u) / turns - _EDGE)
        most = np.floor((np.max(points, axis=0) - u) / turns + _EDGE)
        ways = (range(int(a), int(b) + 1) for a, b in zip(least, most, strict=True))
        copies = (u + np.where(np.isfinite(turns), turns, 0.0) * way for way in product(*ways))
        return any(branch.place(copy, self.tracer) is not None for copy in copies)


def is_upright(point: Point) -> bool:
    """Say whether a curve stands still in the swept number next to where it sets out.

    That is a line of equilibria at one value, which are not isolated.
    """
    return bool(abs(point.tangent[-1]) <= _LEVEL)
