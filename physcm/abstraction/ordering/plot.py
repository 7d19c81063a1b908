"""Pictures of equations: who occurs where, and the causal ordering with clusters as boxes.

Variables are circles and equations squares, as in Blom, van Diepen & Mooij (JMLR 22, 2021). In
the bipartite graph a matched pair stands above each other, joined by a thick line; in the
causal ordering an edge runs from a variable to the box of a cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.scm.graph import MixedGraph
from physcm.scm.graph.curves import RADIUS, Stadium, between
from physcm.scm.graph.layout import Point, layered

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from physcm.abstraction.ordering.bipartite import BipartiteGraph
    from physcm.abstraction.ordering.causal_ordering import CausalOrdering
    from physcm.abstraction.ordering.clusters import Cluster

_INK, _PALE, _BOX, _PAPER = "#1b2733", "#7a8894", "#eef2f5", "#ffffff"
_SIZE, _MARGIN, _SPACE, _INNER, _CORNER = 10.0, 0.25, 0.08, 0.14, 0.14


def plot_ordering(ordering: CausalOrdering) -> Figure:
    """Return a picture of the causal ordering graph, inputs to the left of what they cause."""
    boxes = {f"{i}": _Box(cluster) for i, cluster in enumerate(ordering.clusters)}
    home = {v: key for key, box in boxes.items() for v in box.cluster.variables}
    inputs = dict.fromkeys(p for p, _ in ordering.edges if p not in home)
    arrows = [(p, key) for key, box in boxes.items() for p in box.cluster.parents]
    nodes = [*(f"in {name}" for name in inputs), *boxes]
    edges = [(home.get(p, f"in {p}"), key) for p, key in arrows]
    widths = {f"in {name}": _width(name) for name in inputs}
    widths |= {key: box.width for key, box in boxes.items()}
    places = layered(MixedGraph(edges, nodes=nodes), widths).places
    stadiums = {key: Stadium(places[key], widths[key]) for key in nodes}
    starts = {name: stadiums[f"in {name}"] for name in inputs}
    for key, box in boxes.items():
        starts |= box.variables_at(places[key])
    curves = [
        between(
            starts[p],
            stadiums[key],
            [other for k, other in stadiums.items() if k not in (key, home.get(p, f"in {p}"))],
        )
        for p, key in arrows
    ]
    figure, axes = _canvas(list(stadiums.values()), curves)
    for curve in curves:
        _arrow(axes, curve)
    for name in inputs:
        _text(axes, places[f"in {name}"], name, _PALE)
    for key, box in boxes.items():
        box.draw(axes, places[key])
    return figure


def plot_bipartite(graph: BipartiteGraph) -> Figure:
    """Return a picture of the bipartite graph with a matching, equations above variables.

    >>> from physcm.abstraction.ordering.bipartite import BipartiteGraph
    >>> plot_bipartite(BipartiteGraph({"f": ["x"], "g": ["x", "y"]}, "xy")).get_axes()
    [<Axes: >]
    """
    matching = graph.matching
    above = [*matching, *(f for f in graph.equations if f not in matching)]
    below = [*matching.values(), *(v for v in graph.variables if v not in matching.values())]
    step = max([0.7, *(_width(name) + 0.2 for name in (*above, *below))])
    where = {("f", f): (i * step, 1.0) for i, f in enumerate(above)}
    where |= {("v", v): (i * step, 0.0) for i, v in enumerate(below)}
    figure, axes = _canvas([Stadium(place, 2 * RADIUS) for place in where.values()], [])
    for f, names in graph.occurs.items():
        for v in names:
            (x0, y0), (x1, y1) = where["f", f], where["v", v]
            thick = matching.get(f) == v
            style: dict[str, Any] = {
                "color": _INK if thick else _PALE,
                "linewidth": 2.4 if thick else 0.9,
            }
            axes.plot([x0, x1], [y0, y1], zorder=1, **style)
    for (kind, name), place in where.items():
        (_square if kind == "f" else _circle)(axes, place, _width(name))
        _text(axes, place, name, _INK)
    return figure


class _Box:
    """A cluster as a row: its equations, where edges come in, and its variables, where they go."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.items = [(name, False) for name in cluster.equations]
        self.items += [(name, True) for name in cluster.variables]
        self.widths = [_width(name, _INNER) for name, _ in self.items]
        self.width = _CORNER + sum(self.widths) + _SPACE * len(self.items)

    def centers(self, place: Point) -> list[Point]:
        """Return where each item stands when the box stands at a place."""
        ends = np.cumsum([w + _SPACE for w in self.widths]) - _SPACE
        left = place[0] - self.width / 2 + _CORNER
        pairs = zip(ends.tolist(), self.widths, strict=True)
        return [(left + end - width / 2, place[1]) for end, width in pairs]

    def variables_at(self, place: Point) -> dict[str, Stadium]:
        """Return where edges from the variables begin."""
        items = zip(self.items, self.centers(place), self.widths, strict=True)
        return {
            name: Stadium(at, width + 2 * (RADIUS - _INNER))
            for (name, is_variable), at, width in items
            if is_variable
        }

    def draw(self, axes: Axes, place: Point) -> None:
        """Draw the box with its items."""
        from matplotlib.patches import Polygon

        outline = Stadium(place, self.width).outline()
        axes.add_patch(Polygon(outline, facecolor=_BOX, edgecolor=_PALE, linewidth=0.8, zorder=2))
        for (name, is_variable), at, width in zip(
            self.items, self.centers(place), self.widths, strict=True
        ):
            (_circle if is_variable else _square)(axes, at, width, _INNER)
            _text(axes, at, name, _INK if is_variable else _PALE)


def _width(name: str, radius: float = RADIUS) -> float:
    from matplotlib.textpath import TextPath

    text = TextPath((0, 0), name.replace("$", r"\$") or " ", size=_SIZE)
    return max(2 * radius, float(text.get_extents().width) / 72 + radius)


def _circle(axes: Axes, at: Point, width: float, radius: float = RADIUS) -> None:
    _shape(axes, Stadium((0, 0), width * RADIUS / radius).outline() * radius / RADIUS + at, _INK)


def _square(axes: Axes, at: Point, width: float, radius: float = RADIUS) -> None:
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (width / 2, radius)
    _shape(axes, corners + at, _PALE)


def _shape(axes: Axes, outline: Floats, color: str) -> None:
    from matplotlib.patches import Polygon

    axes.add_patch(Polygon(outline, facecolor=_PAPER, edgecolor=color, linewidth=0.9, zorder=3))


def _text(axes: Axes, at: Point, name: str, color: str) -> None:
    style: dict[str, Any] = {"size": _SIZE, "color": color, "ha": "center", "va": "center_baseline"}
    axes.text(*at, name, parse_math=False, zorder=4, **style)


def _arrow(axes: Axes, curve: Floats) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    style: dict[str, Any] = {"arrowstyle": "-|>", "color": _INK, "mutation_scale": 10}
    axes.add_patch(FancyArrowPatch(path=Path(curve), shrinkA=0, shrinkB=0, linewidth=1.0, **style))


def _canvas(nodes: list[Stadium], curves: list[Floats]) -> tuple[Figure, Axes]:
    """Return a figure whose axes, in inches, hold nodes and curves."""
    from matplotlib.figure import Figure

    outlines = [node.outline() for node in nodes] or [np.zeros((1, 2))]
    points = np.concatenate([*outlines, *curves])
    (left, bottom), (right, top) = points.min(axis=0) - _MARGIN, points.max(axis=0) + _MARGIN
    figure = Figure(figsize=(right - left, top - bottom), dpi=150)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axes.set_axis_off()
    return figure, axes
