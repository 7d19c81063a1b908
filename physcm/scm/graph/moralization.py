"""The moral graph: undirected separation that says what d-separation says.

Two sets are d-separated given a third iff the third separates them in the moral graph of the
subgraph of the ancestors of all three (Lauritzen, Dawid, Larsen & Leimer 1990 for acyclic
graphs, Spirtes 1995 with cycles, Richardson 2003 with bidirected edges).
"""

from __future__ import annotations

from itertools import combinations

import networkx as nx

from physcm.scm.graph.mixed import MixedGraph


def moralize(graph: MixedGraph) -> nx.Graph:
    """Return the moral (augmented) graph: nodes joined by an edge or by a path of colliders.

    These are the pairs within a district and its parents.

    >>> sorted(map(sorted, moralize(MixedGraph([("x", "z"), ("y", "z")])).edges))
    [['x', 'y'], ['x', 'z'], ['y', 'z']]
    """
    moral = nx.Graph()
    moral.add_nodes_from(graph.nodes)
    for district in graph.districts():
        parents = (cause for name in district for cause in graph.parents_of[name])
        moral.add_edges_from(combinations(dict.fromkeys((*district, *parents)), 2))
    return moral


def separated_in_moral_graph(
    graph: MixedGraph, x: frozenset[str], y: frozenset[str], given: frozenset[str]
) -> bool:
    """Return whether disjoint sets are d-separated, by a search of the moral graph.

    >>> chain = MixedGraph([("x", "z"), ("z", "y")])
    >>> separated_in_moral_graph(chain, frozenset("x"), frozenset("y"), frozenset("z"))
    True
    """
    moral = moralize(graph.subgraph(graph.ancestors(x | y | given)))
    moral.remove_nodes_from(given)
    return not any(y & part for part in nx.connected_components(moral) if x & part)
