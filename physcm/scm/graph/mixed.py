"""Mixed graphs: who causes whom, and who shares a hidden cause.

A directed edge runs cause -> effect: the cause occurs in the effect's mechanism. A directed
edge from a variable to itself is a self-cycle: the variable's own equation does not determine
it. A bidirected edge joins two variables whose mechanisms read the same exogenous variable.
Cycles are allowed (Bongers, Forré, Peters & Mooij, Annals of Statistics 2021, definition 2.7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
import xarray as xr

from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.parser import closest
from physcm.scm.graph.components import components

Edge = tuple[str, str]
Names = str | Iterable[str]
"""One name or several."""

Neighbors = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, init=False, eq=False)
class MixedGraph:
    """A graph of directed and bidirected edges.

    Methods that take `names` take one name or several, and raise UnknownVariable for a name
    that is no node.

    Args:
        directed: (cause, effect) pairs.
        bidirected: pairs in any order.
        nodes: names in the order of display; those that only edges mention follow.

    Raises:
        InvalidValue: for an edge that is not a pair of texts, or a bidirected edge from a node
            to itself.

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
        nodes: Names = (),
    ) -> None:
        directed, bidirected = ([_edge(e) for e in kind] for kind in (directed, bidirected))
        ends = (end for edge in (*directed, *bidirected) for end in edge)
        names = tuple(dict.fromkeys((*map(_name, listed(nodes)), *ends)))
        object.__setattr__(self, "nodes", names)
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

        >>> MixedGraph([("x", "y"), ("y", "y")]).parents("y")
        ('x', 'y')
        """
        self.select(name)
        return self.parents_of[name]

    def children(self, name: str) -> tuple[str, ...]:
        """Return the direct effects of a variable.

        >>> MixedGraph([("x", "y"), ("x", "z")]).children("x")
        ('y', 'z')
        """
        self.select(name)
        return self.children_of[name]

    def spouses(self, name: str) -> tuple[str, ...]:
        """Return the variables that share a hidden cause with a variable.

        >>> MixedGraph(bidirected=[("x", "y")]).spouses("y")
        ('x',)
        """
        self.select(name)
        return self.spouses_of[name]

    def ancestors(self, names: Names) -> frozenset[str]:
        """Return the nodes with a directed path to a name, the names themselves included.

        >>> sorted(MixedGraph([("x", "y"), ("y", "z")]).ancestors("y"))
        ['x', 'y']
        """
        return _reach(self.select(names), self.parents_of)

    def descendants(self, names: Names) -> frozenset[str]:
        """Return the nodes with a directed path from a name, the names themselves included.

        >>> sorted(MixedGraph([("x", "y"), ("y", "z")]).descendants("y"))
        ['y', 'z']
        """
        return _reach(self.select(names), self.children_of)

    def sccs(self) -> tuple[tuple[str, ...], ...]:
        """Return the strongly connected components, causes before effects."""
        return components(self.digraph)

    def scc(self, name: str) -> tuple[str, ...]:
        """Return the strongly connected component of a variable: itself and its feedback loops.

        >>> MixedGraph([("x", "y"), ("y", "x"), ("y", "z")]).scc("y")
        ('x', 'y')
        """
        self.select(name)
        return self.scc_of[name]

    def districts(self) -> tuple[tuple[str, ...], ...]:
        """Return the sets of variables joined by paths of bidirected edges (Richardson 2003).

        >>> MixedGraph(bidirected=[("a", "b"), ("c", "b")], nodes=["a", "d"]).districts()
        (('a', 'b', 'c'), ('d',))
        """
        found: dict[frozenset[str], tuple[str, ...]] = {}
        seen: set[str] = set()
        for name in self.nodes:
            if name not in seen:
                district = _reach({name}, self.spouses_of)
                seen |= district
                found[district] = tuple(n for n in self.nodes if n in district)
        return tuple(found.values())

    @property
    def is_acyclic(self) -> bool:
        """Whether no variable causes itself, directly or by way of others."""
        return bool(nx.is_directed_acyclic_graph(self.digraph))

    def subgraph(self, names: Names) -> MixedGraph:
        """Return the graph of some nodes and of the edges between them.

        >>> MixedGraph([("x", "y"), ("y", "z")], [("x", "z")]).subgraph(["x", "z"])
        MixedGraph(x <-> z)
        """
        kept = self.select(names)
        return MixedGraph(
            (edge for edge in self.directed if kept.issuperset(edge)),
            (edge for edge in self.bidirected if kept.issuperset(edge)),
            [name for name in self.nodes if name in kept],
        )

    def do(self, names: Names) -> MixedGraph:
        """Return the graph after holding some variables: no edge has an arrowhead at them.

        That is every directed edge into them, self-cycles included, and every bidirected edge
        at them (Bongers, Forré, Peters & Mooij 2021, section 2).

        >>> MixedGraph([("x", "y"), ("y", "x"), ("y", "z")], [("x", "y"), ("y", "z")]).do("y")
        MixedGraph(y -> x, y -> z)
        """
        held = self.select(names)
        return MixedGraph(
            (edge for edge in self.directed if edge[1] not in held),
            (edge for edge in self.bidirected if held.isdisjoint(edge)),
            self.nodes,
        )

    def adjacency(self) -> xr.DataArray:
        """Return the directed edges as a matrix of 0 and 1 over `cause` and `effect`.

        >>> int(MixedGraph([("x", "y")]).adjacency().sel(cause="x", effect="y"))
        1
        """
        matrix = np.zeros((len(self.nodes), len(self.nodes)), dtype=np.int8)
        for cause, effect in self.directed:
            matrix[self._place[cause], self._place[effect]] = 1
        names = list(self.nodes)
        return xr.DataArray(
            matrix, dims=("cause", "effect"), coords={"cause": names, "effect": names}
        )

    def select(self, names: Names) -> frozenset[str]:
        """Return one name or several as a set.

        Raises:
            UnknownVariable: if one of them is no node.
        """
        chosen = frozenset(listed(names))
        for name in chosen - self._place.keys():
            raise UnknownVariable(f"`{name}` is not in the graph; {closest(name, self.nodes)}")
        return chosen

    @cached_property
    def parents_of(self) -> Neighbors:
        """The direct causes of every variable."""
        return self._neighbors((b, a) for a, b in self.directed)

    @cached_property
    def children_of(self) -> Neighbors:
        """The direct effects of every variable."""
        return self._neighbors(self.directed)

    @cached_property
    def spouses_of(self) -> Neighbors:
        """The variables that share a hidden cause with every variable."""
        return self._neighbors(end for a, b in self.bidirected for end in ((a, b), (b, a)))

    @cached_property
    def scc_of(self) -> Neighbors:
        """The strongly connected component of every variable, one tuple for all its members."""
        parts = nx.strongly_connected_components(self.digraph)
        ordered = (tuple(sorted(part, key=self._place.__getitem__)) for part in parts)
        return {name: part for part in ordered for name in part}

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return {name: i for i, name in enumerate(self.nodes)}

    def _neighbors(self, edges: Iterable[Edge]) -> Neighbors:
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for name, neighbor in self._in_order(edges):
            found[name].append(neighbor)
        return {name: tuple(neighbors) for name, neighbors in found.items()}

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
        return sorted(edges, key=lambda edge: (self._place[edge[0]], self._place[edge[1]]))


def listed(names: Names) -> tuple[str, ...]:
    """Return one name or several as a tuple: a text is one name, not a list of letters.

    >>> listed("xy"), listed(["x", "y"])
    (('xy',), ('x', 'y'))
    """
    return (names,) if isinstance(names, str) else tuple(names)


def _reach(start: Iterable[str], neighbors: Neighbors) -> frozenset[str]:
    found = set(start)
    waiting = list(found)
    while waiting:
        new = [name for name in neighbors[waiting.pop()] if name not in found]
        found.update(new)
        waiting += new
    return frozenset(found)


def _edge(edge: Iterable[str]) -> Edge:
    pair = tuple(edge)
    if len(pair) != 2 or isinstance(edge, str):
        raise InvalidValue(f"`{edge}` is not an edge; give a pair of names")
    return _name(pair[0]), _name(pair[1])


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise InvalidValue(f"the node `{name!r}` is not a text; name nodes by texts")
    return name


def _unordered(edge: Edge) -> Edge:
    if edge[0] == edge[1]:
        raise InvalidValue(
            f"the bidirected edge `{edge}` joins a node to itself; give two different nodes"
        )
    return min(edge), max(edge)
