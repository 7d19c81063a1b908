"""GraphML: the XML files that Gephi, yEd, Cytoscape and igraph read.

Each edge carries the data `bidirected`. A file of another program is read by its node ids and
directions; without that data its edges are directed.
"""

from __future__ import annotations

from xml.etree.ElementTree import ParseError as XMLError

import networkx as nx

from physcm.mechanism.errors import InvalidFile, Unsupported
from physcm.scm.graph import MixedGraph
from physcm.scm.interchange.networkx_graphs import from_networkx, to_networkx


def to_graphml(graph: MixedGraph) -> str:
    r"""Return a graph as the text of a GraphML file.

    Raises:
        Unsupported: for a name with a character that XML cannot hold.

    >>> text = to_graphml(MixedGraph([("x", "y"), ("y", "x")], [("x", "y")]))
    >>> from_graphml(text)
    MixedGraph(x -> y, y -> x, x <-> y)
    """
    for name in graph.nodes:
        if not name.isprintable():
            raise Unsupported(f"XML cannot hold the name `{name!r}`; rename it, or use `to_json`")
    return "\n".join(nx.generate_graphml(to_networkx(graph)))


def from_graphml(text: str) -> MixedGraph:
    """Return the graph in the text of a GraphML file.

    Raises:
        InvalidFile: for text that is not GraphML, or that declares its own entities.
        InvalidValue: for an undirected graph.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InvalidFile("the text declares `<!DOCTYPE`, which GraphML has no use for; remove it")
    try:
        return from_networkx(nx.parse_graphml(text))
    except (XMLError, nx.NetworkXError, KeyError, ValueError) as error:
        raise InvalidFile(f"the text is not GraphML: `{error}`; export it once more") from error
