"""The acyclification: an acyclic graph that claims what a cyclic one does.

Sigma-separation in a graph is d-separation in its acyclification (Forré & Mooij 2017;
Bongers, Forré, Peters & Mooij, Annals of Statistics 2021, appendix A).
"""

from __future__ import annotations

from itertools import combinations, product

from physcm.scm.graph.mixed import MixedGraph


def acyclification(graph: MixedGraph) -> MixedGraph:
    """Return the acyclic graph whose d-separations are a graph's sigma-separations.

    For every strongly connected component S: each node of S gets all parents that nodes of S
    have outside S; the nodes of S are joined pairwise by bidirected edges; a bidirected edge
    u <-> v becomes bidirected edges between all of SCC(u) and all of SCC(v); directed edges
    inside S, self-cycles included, are dropped. An acyclic graph stays as it is.

    >>> acyclification(MixedGraph([("1", "3"), ("2", "4"), ("3", "4"), ("4", "3")]))
    MixedGraph(1 -> 3, 1 -> 4, 2 -> 3, 2 -> 4, 3 <-> 4)
    """
    component = graph.scc_of
    directed = {
        (cause, member)
        for cause, effect in graph.directed
        if cause not in component[effect]
        for member in component[effect]
    }
    bidirected = [edge for members in graph.sccs() for edge in combinations(members, 2)]
    bidirected += [
        edge
        for a, b in graph.bidirected
        if a not in component[b]
        for edge in product(component[a], component[b])
    ]
    return MixedGraph(directed, bidirected, graph.nodes)
