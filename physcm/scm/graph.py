"""Mixed graphs: who causes whom, and who shares a hidden cause.

A directed edge runs cause -> effect: the cause occurs in the effect's mechanism. A directed
edge from a variable to itself is a self-cycle: the variable's own equation does not determine
it. A bidirected edge joins two variables whose mechanisms read the same exogenous variable.
Cycles are allowed (Bongers, Forré, Peters & Mooij, Annals of Statistics 2021, definition 2.7).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
import xarray as xr

from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.parser import closest

Edge = tuple[str, str]


@dataclass(frozen=True, init=False, eq=False)
class MixedGraph:
    """A graph of directed and bidirected edges.

    Args:
        directed: (cause, effect) pairs.
        bidirected: pairs in any order.
        nodes: names in the order of display; those that only edges mention follow.

    Raises:
        InvalidValue: for an edge that is not a pair, or a bidirected edge from a node to itself.

    >>> graph = MixedGraph(directed=[("x", "y"), ("y", "x"), ("x", "z")], bidirected=[("z", "y")])
    >>> graph
    MixedGraph(x -> y, x -> z, y -> x, y <-> z)
    >>> graph.sccs()
    (('x', 'y'), ('z',))
    """

    directed: frozenset[Edge]
    bidirected: frozenset[Edge]
    nodes: tuple[str, ...]

    def __init__(
        self,
        directed: Iterable[Edge] = (),
        bidirected: Iterable[Edge] = (),
        nodes: Iterable[str] = (),
    ) -> None:
        directed, bidirected = ([_edge(e) for e in kind] for kind in (directed, bidirected))
        ends = (end for edge in (*directed, *bidirected) for end in edge)
        object.__setattr__(self, "nodes", tuple(dict.fromkeys((*nodes, *ends))))
        object.__setattr__(self, "directed", frozenset(directed))
        object.__setattr__(self, "bidirected", frozenset(map(_unordered, bidirected)))

    @cached_property
    def digraph(self) -> nx.DiGraph:
        """The directed edges as a networkx graph, which cannot be changed."""
        graph = nx.DiGraph()
        graph.add_nodes_from(self.nodes)
        graph.add_edges_from(self._in_order(self.directed))
        return nx.freeze(graph)

    def parents(self, name: str) -> tuple[str, ...]:
        """Return the direct causes of a variable.

        Raises:
            UnknownVariable: if there is no such node.

        >>> MixedGraph([("x", "y"), ("y", "y")]).parents("y")
        ('x', 'y')
        """
        if name not in self.nodes:
            raise UnknownVariable(f"`{name}` is not in the graph; {closest(name, self.nodes)}")
        return tuple(cause for cause in self.nodes if (cause, name) in self.directed)

    def sccs(self) -> tuple[tuple[str, ...], ...]:
        """Return the strongly connected components, causes before effects."""
        condensed = nx.condensation(self.digraph)
        place = {name: i for i, name in enumerate(self.nodes)}
        members = [
            sorted(condensed.nodes[c]["members"], key=place.__getitem__)
            for c in nx.lexicographical_topological_sort(
                condensed, key=lambda c: min(map(place.__getitem__, condensed.nodes[c]["members"]))
            )
        ]
        return tuple(map(tuple, members))

    def adjacency(self) -> xr.DataArray:
        """Return the directed edges as a matrix of 0 and 1 over `cause` and `effect`.

        >>> int(MixedGraph([("x", "y")]).adjacency().sel(cause="x", effect="y"))
        1
        """
        matrix = np.zeros((len(self.nodes), len(self.nodes)), dtype=np.int8)
        place = {name: i for i, name in enumerate(self.nodes)}
        for cause, effect in self.directed:
            matrix[place[cause], place[effect]] = 1
        names = list(self.nodes)
        return xr.DataArray(
            matrix, dims=("cause", "effect"), coords={"cause": names, "effect": names}
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MixedGraph):
            return NotImplemented
        return self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def __repr__(self) -> str:
        parts = [f"{a} -> {b}" for a, b in self._in_order(self.directed)]
        parts += [f"{a} <-> {b}" for a, b in self._in_order(self.bidirected)]
        joined = {end for edge in (*self.directed, *self.bidirected) for end in edge}
        parts += [name for name in self.nodes if name not in joined]
        return f"MixedGraph({', '.join(parts)})"

    def _content(self) -> tuple[frozenset[str], frozenset[Edge], frozenset[Edge]]:
        return frozenset(self.nodes), self.directed, self.bidirected

    def _in_order(self, edges: Iterable[Edge]) -> list[Edge]:
        place = {name: i for i, name in enumerate(self.nodes)}
        return sorted(edges, key=lambda edge: (place[edge[0]], place[edge[1]]))


def components(graph: nx.DiGraph) -> tuple[tuple[str, ...], ...]:
    """Return the strongly connected components, causes before effects, else in node order.

    >>> components(nx.DiGraph([("x", "y"), ("z", "x"), ("x", "z")]))
    (('x', 'z'), ('y',))
    """
    place = {name: i for i, name in enumerate(graph)}
    condensed = nx.condensation(graph)
    members = {c: sorted(condensed.nodes[c]["members"], key=place.__getitem__) for c in condensed}
    order = nx.lexicographical_topological_sort(condensed, key=lambda c: place[members[c][0]])
    return tuple(tuple(members[c]) for c in order)


def _edge(edge: Iterable[str]) -> Edge:
    pair = tuple(edge)
    if len(pair) != 2 or isinstance(edge, str):
        raise InvalidValue(f"`{edge}` is not an edge; give a pair of names")
    return pair


def _unordered(edge: Edge) -> Edge:
    if edge[0] == edge[1]:
        raise InvalidValue(
            f"the bidirected edge `{edge}` joins a node to itself; give two different nodes"
        )
    return min(edge), max(edge)
