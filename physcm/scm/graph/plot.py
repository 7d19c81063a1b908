"""Pictures of graphs for papers: layers from causes to effects, and every loop to be seen.

A directed edge is a line with a head at the effect; two nodes that cause each other are joined
by a pair of bows, and a self-cycle is a loop. A bidirected edge is dashed, with two heads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.scm.graph.curves import RADIUS, Stadium, between, loop
from physcm.scm.graph.layout import Layout, layered
from physcm.scm.graph.mixed import Edge, MixedGraph

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _HIDDEN, _PAPER = "#1b2733", "#0072b2", "#ffffff"
_SIZE, _MARGIN = 11.0, 0.25  # points of a label, inches around the graph
_PAIR = (0.16, 0.24, 0.34)
_SHARED = (0.22, -0.22, 0.32, -0.32, 0.45, -0.45, 0.6, -0.6, 0.8, -0.8)


def plot_graph(graph: MixedGraph) -> Figure:
    """Return a picture of a graph, as large as it needs to be.

    The figure can be saved (`figure.savefig("graph.pdf")`) and is shown by notebooks.

    >>> plot_graph(MixedGraph([("x", "y"), ("y", "x")], [("x", "y")])).get_axes()
    [<Axes: >]
    """
    from matplotlib.figure import Figure

    widths = {name: _width(name) for name in graph.nodes}
    layout = layered(graph, widths)
    nodes = {name: Stadium(place, widths[name]) for name, place in layout.places.items()}
    curves = {edge: _directed(graph, layout, nodes, edge) for edge in sorted(graph.directed)}
    hidden = {edge: _bidirected(nodes, edge) for edge in sorted(graph.bidirected)}
    left, bottom, right, top = _frame(nodes, [*curves.values(), *hidden.values()])
    figure = Figure(figsize=(right - left, top - bottom), dpi=150)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axes.set_axis_off()
    for curve in curves.values():
        _draw(axes, curve, color=_INK, arrowstyle="-|>")
    for curve in hidden.values():
        _draw(axes, curve, color=_HIDDEN, arrowstyle="<|-|>", linestyle=(0, (4, 2.5)))
    for name, node in nodes.items():
        _draw_node(axes, name, node)
    return figure


def _width(name: str) -> float:
    """Return the width of a node in inches: a circle for a short label, else wider."""
    from matplotlib.textpath import TextPath

    text = TextPath((0, 0), name.replace("$", r"\$") or " ", size=_SIZE)
    return max(2 * RADIUS, float(text.get_extents().width) / 72 + 0.2)


def _directed(graph: MixedGraph, layout: Layout, nodes: dict[str, Stadium], edge: Edge) -> Floats:
    first, last = (nodes[name] for name in edge)
    if first is last:
        peers = [nodes[name].center for name in graph.scc_of[edge[0]]]
        return loop(first, tuple(np.mean(peers, axis=0)))
    others = [node for name, node in nodes.items() if name not in edge]
    if edge[::-1] in graph.directed:  # both bow to their own left, and so apart
        return between(first, last, others, bows=_PAIR)
    return between(first, last, others, route=layout.routes.get(edge, ()))


def _bidirected(nodes: dict[str, Stadium], edge: Edge) -> Floats:
    others = [node for name, node in nodes.items() if name not in edge]
    return between(nodes[edge[0]], nodes[edge[1]], others, bows=_SHARED)


def _frame(nodes: dict[str, Stadium], curves: list[Floats]) -> tuple[float, float, float, float]:
    corners = [
        np.add(node.center, (sign * node.width / 2, sign * RADIUS))
        for node in nodes.values()
        for sign in (-1, 1)
    ]
    points = np.concatenate([np.reshape(corners, (-1, 2)), np.zeros((int(not nodes), 2)), *curves])
    (left, bottom), (right, top) = points.min(axis=0) - _MARGIN, points.max(axis=0) + _MARGIN
    return left, bottom, right, top


def _draw(axes: Axes, curve: Floats, **style: Any) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    axes.add_patch(
        FancyArrowPatch(
            path=Path(curve), mutation_scale=11, linewidth=1.1, shrinkA=0, shrinkB=0, **style
        )
    )


def _draw_node(axes: Axes, name: str, node: Stadium) -> None:
    from matplotlib.patches import Polygon

    outline = Polygon(node.outline(), facecolor=_PAPER, edgecolor=_INK, linewidth=1.0, zorder=2)
    axes.add_patch(outline)
    style: dict[str, Any] = {"size": _SIZE, "color": _INK, "ha": "center", "va": "center_baseline"}
    axes.text(*node.center, name, parse_math=False, zorder=3, **style)
