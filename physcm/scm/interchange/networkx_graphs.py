"""networkx, and what reads its graphs: DoWhy with its gcm, and pgmpy.

A mixed graph becomes a MultiDiGraph whose edges carry `bidirected`, True or False. Packages that
know directed edges only get a DiGraph in which every bidirected edge is a hidden common cause.
"""

from __future__ import annotations

import networkx as nx

from physcm.mechanism.errors import InvalidValue
from physcm.scm.graph import MixedGraph


def to_networkx(graph: MixedGraph) -> nx.MultiDiGraph:
    """Return the edges with an attribute `bidirected`; a bidirected edge is there once.

    >>> list(to_networkx(MixedGraph([("x", "y")], [("x", "y")])).edges(data="bidirected"))
    [('x', 'y', False), ('x', 'y', True)]
    """
    theirs = nx.MultiDiGraph()
    theirs.add_nodes_from(graph.nodes)
    theirs.add_edges_from(sorted(graph.directed), bidirected=False)
    theirs.add_edges_from(sorted(graph.bidirected), bidirected=True)
    return theirs


def from_networkx(graph: nx.DiGraph) -> MixedGraph:
    """Return a mixed graph from a directed graph or multigraph whose nodes are texts.

    Edges are directed unless their attribute `bidirected` is True; other attributes are left
    behind.

    Raises:
        InvalidValue: for an undirected graph, or for a node that is not a text.

    >>> from_networkx(nx.DiGraph([("x", "y")]))
    MixedGraph(x -> y)
    """
    if not graph.is_directed():
        raise InvalidValue(
            f"`{graph}` is undirected, and its edges name no cause; give a DiGraph or MultiDiGraph"
        )
    edges = list(graph.edges(data="bidirected", default=False))
    return MixedGraph(
        ((a, b) for a, b, bidirected in edges if not bidirected),
        ((a, b) for a, b, bidirected in edges if bidirected),
        graph.nodes,
    )


def to_digraph(graph: MixedGraph) -> nx.DiGraph:
    """Return a directed graph in which every bidirected edge is a hidden common cause.

    This is all that other packages need, where the graph is acyclic: DoWhy's `CausalModel` reads
    the graph with its attribute `observed`, "yes" or "no"; `dowhy.gcm.StructuralCausalModel`
    takes it (a graph without hidden nodes, since it fits every node to data); pgmpy's
    `DiscreteBayesianNetwork(graph.edges, latents=...)` takes its edges and hidden nodes.

    >>> theirs = to_digraph(MixedGraph([("x", "y")], [("x", "y")]))
    >>> dict(theirs.nodes(data="observed"))
    {'x': 'yes', 'y': 'yes', 'U(x, y)': 'no'}
    """
    theirs = nx.DiGraph()
    theirs.add_nodes_from(graph.nodes, observed="yes")
    theirs.add_edges_from(sorted(graph.directed))
    for a, b in sorted(graph.bidirected):
        hidden = f"U({a}, {b})"
        while hidden in theirs:
            hidden += "'"
        theirs.add_node(hidden, observed="no")
        theirs.add_edges_from([(hidden, a), (hidden, b)])
    return theirs
