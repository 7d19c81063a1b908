"""Where the nodes of a graph stand in a picture: in layers, causes to the left of effects.

Strongly connected components are blocks: one node, two nodes above each other, or a circle.
Blocks stand in the layer after their last cause (Sugiyama, Tagawa & Toda 1981). An edge across
layers holds a place in each of them, so that it can pass between the nodes. Sweeps move blocks
toward the mean height of their neighbors; within a layer, the nearest heights that keep their
order and their distance are an isotonic regression.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import networkx as nx
import numpy as np
import scipy

from physcm.scm.graph.mixed import Edge, MixedGraph

Point = tuple[float, float]

_GAP, _ROW, _PASSING = 1.0, 0.85, 0.45  # inches: between layers, between nodes, for an edge
_SWEEPS = 24


@dataclass(frozen=True)
class Layout:
    """A place for every node, and the places between which long edges pass.

    Attributes:
        places: the center of every node, in inches.
        routes: for every directed edge across more than one layer, points on its way.
    """

    places: Mapping[str, Point]
    routes: Mapping[Edge, Sequence[Point]]


@dataclass
class _Block:
    """A component, or the place that an edge holds in a layer."""

    layer: int
    names: tuple[str, ...] = ()
    offsets: tuple[Point, ...] = ()
    width: float = 0.0
    height: float = _PASSING
    y: float = 0.0
    neighbors: list[_Block] = field(default_factory=list)


def layered(graph: MixedGraph, widths: Mapping[str, float]) -> Layout:
    """Return the layout of a graph whose nodes have some widths, in inches.

    >>> places = layered(MixedGraph([("x", "y")]), {"x": 0.4, "y": 0.4}).places
    >>> places["x"][0] < places["y"][0], places["x"][1] == places["y"][1]
    (True, True)
    """
    depths = _depths(graph)
    block_of: dict[str, _Block] = {}
    blocks = []
    for names in graph.sccs():
        block = _block(graph, names, depths[names], widths)
        blocks.append(block)
        block_of |= dict.fromkeys(names, block)
    passing = _join(graph, block_of)
    layers = _in_layers([*blocks, *(block for way in passing.values() for block in way)])
    _arrange(layers)
    middles = _middles(layers)
    places = {
        name: (middles[block.layer] + dx, block.y + dy)
        for block in blocks
        for name, (dx, dy) in zip(block.names, block.offsets, strict=True)
    }
    routes = {edge: [(middles[b.layer], b.y) for b in way] for edge, way in passing.items()}
    return Layout(places, routes)


def _depths(graph: MixedGraph) -> dict[tuple[str, ...], int]:
    """Return the layer of every component: after its last cause, or just before its effects."""
    condensed = nx.DiGraph()
    condensed.add_nodes_from(graph.sccs())
    scc = graph.scc_of
    condensed.add_edges_from((scc[a], scc[b]) for a, b in graph.directed if scc[a] is not scc[b])
    depths: dict[tuple[str, ...], int] = {}
    for names in nx.topological_sort(condensed):
        depths[names] = 1 + max((depths[cause] for cause in condensed.pred[names]), default=-1)
    for names in condensed:
        if not condensed.pred[names] and condensed.succ[names]:
            depths[names] = min(depths[effect] for effect in condensed.succ[names]) - 1
        elif not condensed.pred[names]:  # beside what shares a hidden cause with it
            beside = [depths[scc[spouse]] for name in names for spouse in graph.spouses_of[name]]
            depths[names] = round(float(np.mean(beside))) if beside else 0
    return depths


def _block(
    graph: MixedGraph, names: tuple[str, ...], layer: int, widths: Mapping[str, float]
) -> _Block:
    width = max(widths[name] for name in names)
    if len(names) < 3:
        heights = [0.0] if len(names) == 1 else [0.6 * _ROW, -0.6 * _ROW]
        offsets = tuple((0.0, height) for height in heights)
        return _Block(layer, names, offsets, width, _ROW * (1.3 * len(names) - 0.3))
    # A circle, in the order of a walk along the edges.
    inside = graph.digraph.subgraph(names)
    ring = tuple(nx.dfs_preorder_nodes(inside, names[0]))
    radius = max(0.9, (max(width, _ROW) + 0.3) * len(ring) / (2 * math.pi))
    angles = [math.pi / 2 - 2 * math.pi * i / len(ring) for i in range(len(ring))]
    offsets = tuple((radius * math.cos(a), radius * math.sin(a)) for a in angles)
    return _Block(layer, ring, offsets, 2 * radius + width, 2 * radius + _ROW)


def _join(graph: MixedGraph, block_of: Mapping[str, _Block]) -> dict[Edge, list[_Block]]:
    """Make blocks neighbors along the edges; return the places that long edges hold."""
    passing: dict[Edge, list[_Block]] = {}
    for cause, effect in sorted(graph.directed):
        first, last = block_of[cause], block_of[effect]
        way = [_Block(layer) for layer in range(first.layer + 1, last.layer)]
        if way:
            passing[cause, effect] = way
        chain = [first, *way, last] if first is not last else []
        for a, b in pairwise(chain):
            a.neighbors.append(b)
            b.neighbors.append(a)
    for cause, effect in sorted(graph.bidirected):
        a, b = block_of[cause], block_of[effect]
        if a is not b:
            a.neighbors.append(b)
            b.neighbors.append(a)
    return passing


def _in_layers(blocks: Sequence[_Block]) -> list[list[_Block]]:
    layers: list[list[_Block]] = [[] for _ in range(1 + max((b.layer for b in blocks), default=-1))]
    for block in blocks:
        layers[block.layer].append(block)
    return layers


def _arrange(layers: list[list[_Block]]) -> None:
    """Give every block its height, by sweeps that go to the right and to the left in turn."""
    for layer in layers:
        _settle(layer, [0.0] * len(layer))
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [
                float(np.mean([n.y for n in block.neighbors])) if block.neighbors else block.y
                for block in layer
            ]
            order = sorted(range(len(layer)), key=lambda i: -wanted[i])
            layer[:] = [layer[i] for i in order]
            _settle(layer, [wanted[i] for i in order])


def _settle(layer: list[_Block], wanted: Sequence[float]) -> None:
    """Set heights that fall in this order and keep the blocks apart, nearest to those wanted."""
    if not layer:
        return
    heights = np.array([block.height for block in layer])
    below = np.cumsum(heights) - heights / 2  # how far each is below the top of the first
    settled = scipy.optimize.isotonic_regression(np.asarray(wanted) + below, increasing=False)
    for block, y in zip(layer, settled.x - below, strict=True):
        block.y = float(y)


def _middles(layers: list[list[_Block]]) -> list[float]:
    """Return the horizontal middle of every layer."""
    middles, right = [], 0.0
    for layer in layers:
        width = max((block.width for block in layer), default=0.0)
        middles.append(right + width / 2)
        right += width + _GAP
    return middles
