"""Minimal separators: every smallest wall between two parts of an undirected graph.

A set is a minimal separator of a and b iff it separates them and no proper subset does. Starting
from the one nearest to a, moving the wall past one of its nodes at a time reaches all of them,
each in polynomial time (Shen & Liang 1997; Berry, Bordat & Cogis 2000).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import networkx as nx

_A, _B = 0, 1  # no name of a node, since those are texts


def minimal_separators(
    graph: nx.Graph, a: frozenset[str], b: frozenset[str], allowed: frozenset[str]
) -> Iterator[frozenset[str]]:
    """Yield the minimal sets of allowed nodes that separate two sets of nodes.

    Args:
        graph: undirected.
        a: one set; none of its nodes is allowed.
        b: the other.
        allowed: the nodes that separators may consist of.

    >>> diamond = nx.Graph([("a", "x"), ("a", "y"), ("x", "b"), ("y", "z"), ("z", "b")])
    >>> found = minimal_separators(diamond, frozenset("a"), frozenset("b"), frozenset("xyz"))
    >>> sorted(map(sorted, found))
    [['x', 'y'], ['x', 'z']]
    """
    contracted = _contract(graph, a, b, allowed)
    if contracted.has_edge(_A, _B):
        return
    waiting = [_beyond(contracted, {_A})]
    found = set(waiting)
    while waiting:
        separator = waiting.pop()
        yield separator
        side = _component(contracted, _A, separator)
        for name in separator:
            if not contracted.has_edge(name, _B):
                moved = _beyond(contracted, side | {name})
                if moved not in found:
                    found.add(moved)
                    waiting.append(moved)


def _contract(
    graph: nx.Graph, a: frozenset[str], b: frozenset[str], allowed: frozenset[str]
) -> nx.Graph:
    """Make each set one node, and join the neighbors of nodes that may not be used."""
    ends = {name: _A for name in a} | {name: _B for name in b}
    contracted = nx.Graph()
    contracted.add_nodes_from((_A, _B))
    contracted.add_edges_from((ends.get(u, u), ends.get(v, v)) for u, v in graph.edges)
    for name in set(contracted) - allowed - {_A, _B}:
        contracted.add_edges_from(combinations(contracted[name], 2))
        contracted.remove_node(name)
    return contracted


def _beyond(graph: nx.Graph, side: set[object]) -> frozenset[str]:
    """Return the part of a side's border that b's side touches."""
    border = {n for name in side for n in graph[name]} - side
    far = _component(graph, _B, border | side)
    return frozenset(n for name in far for n in graph[name] if n in border)


def _component(
    graph: nx.Graph, start: object, without: set[object] | frozenset[str]
) -> set[object]:
    kept = graph.subgraph(set(graph) - without)
    return set(nx.node_connected_component(kept, start))
