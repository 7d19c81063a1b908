"""How the edges of a picture run: straight if they can, else in the flattest bow past the nodes.

A curve is an array (points, 2) in inches. Nodes are stadiums: all points within a radius of a
horizontal segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.scm.graph.layout import Point

RADIUS = 0.19  # of a node's ends, half its height
_CLEAR, _TOUCH = 0.10, 0.02  # between an edge and another node, and its own
_BOWS = (0.0, 0.06, -0.06, 0.12, -0.12, 0.22, -0.22, 0.35, -0.35, 0.5, -0.5, 0.7, -0.7)
_STEPS = np.linspace(0, 1, 241)[:, None]


@dataclass(frozen=True)
class Stadium:
    """A node: its center and its width."""

    center: Point
    width: float

    def distance(self, points: Floats) -> Floats:
        """Return how far points (n, 2) are from its outline, negative inside."""
        away = np.abs(points - self.center)
        away[:, 0] = np.maximum(0, away[:, 0] - (self.width / 2 - RADIUS))
        return np.asarray(np.hypot(away[:, 0], away[:, 1]) - RADIUS)

    def outline(self) -> Floats:
        """Return points (n, 2) around it."""
        angles = np.linspace(-np.pi / 2, np.pi / 2, 33)
        half = np.column_stack([np.cos(angles), np.sin(angles)]) * RADIUS
        half[:, 0] += self.width / 2 - RADIUS
        return np.asarray(np.concatenate([half, -half]) + self.center)


def between(
    first: Stadium,
    last: Stadium,
    others: Iterable[Stadium],
    *,
    route: Sequence[Point] = (),
    bows: Sequence[float] = _BOWS,
) -> Floats:
    """Return the curve from one node to another that keeps clear of the others.

    Args:
        first: where it begins.
        last: where it ends.
        others: the nodes in the way.
        route: points between them that the curve may take.
        bows: the heights of bows that may be tried, in units of the distance, positive ones to
            the left of the way; the first that is clear is taken.
    """
    others = list(others)
    crossings = np.inf
    for curve in _candidates(np.array(first.center), np.array(last.center), route, bows):
        cut = _outside(curve, first, last)
        hits = sum(float(np.maximum(0, _CLEAR - node.distance(cut)).max()) for node in others)
        if hits < crossings - 1e-9:
            best, crossings = cut, hits
        if crossings == 0:
            break
    return best


def loop(node: Stadium, away_from: Point) -> Floats:
    """Return the curve of a self-cycle, above or below its node, away from a point."""
    up = 1.0 if node.center[1] >= away_from[1] else -1.0
    x, y = node.center
    corners = np.array([(x, y), (x - 0.55, y + up * 0.85), (x + 0.55, y + up * 0.85), (x, y)])
    weights = np.hstack(
        [
            (1 - _STEPS) ** 3,
            3 * _STEPS * (1 - _STEPS) ** 2,
            3 * _STEPS**2 * (1 - _STEPS),
            _STEPS**3,
        ]
    )
    return _outside(weights @ corners, node, node)


def _candidates(
    first: Floats, last: Floats, route: Sequence[Point], bows: Sequence[float]
) -> Iterator[Floats]:
    chord = last - first
    normal = np.array([-chord[1], chord[0]])
    for i, bow in enumerate(bows):
        if i == 1 and len(route):
            yield _through([first, *map(np.array, route), last])
        control = (first + last) / 2 + 2 * bow * normal
        yield np.asarray(
            (1 - _STEPS) ** 2 * first + 2 * _STEPS * (1 - _STEPS) * control + _STEPS**2 * last
        )


def _through(points: list[Floats]) -> Floats:
    """Return a smooth curve through points (Catmull & Rom 1974)."""
    ends = [2 * points[0] - points[1], *points, 2 * points[-1] - points[-2]]
    pieces = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        t = _STEPS
        pieces.append(
            b
            + t * (c - a) / 2
            + t**2 * (a - 2.5 * b + 2 * c - d / 2)
            + t**3 * (1.5 * (b - c) + (d - a) / 2)
        )
    return np.concatenate(pieces)


def _outside(curve: Floats, first: Stadium, last: Stadium) -> Floats:
    """Return the part of a curve between two nodes."""
    leaves = np.flatnonzero(first.distance(curve) > _TOUCH)
    begin = leaves[0] if leaves.size else 0
    enters = np.flatnonzero(last.distance(curve[begin:]) <= _TOUCH)
    end = begin + (enters[0] if enters.size else len(curve) - 1)
    return curve[begin : max(end, begin + 2)]
