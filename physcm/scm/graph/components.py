"""Strongly connected components: the feedback loops of a graph, in causal order.

Two nodes are in one component iff each is an ancestor of the other. Contracting every component
to one node leaves an acyclic graph, in whose order equations can be solved one after another.
"""

from __future__ import annotations

import networkx as nx


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
