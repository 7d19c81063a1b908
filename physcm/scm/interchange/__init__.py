"""Graphs in and out: to and from the graphs, arrays and files of other packages."""

from physcm.scm.interchange.causal_learn import from_causal_learn, to_causal_learn
from physcm.scm.interchange.dagitty import MarkedGraph, from_dagitty, to_dagitty
from physcm.scm.interchange.graphml import from_graphml, to_graphml
from physcm.scm.interchange.json_text import from_json, to_json
from physcm.scm.interchange.networkx_graphs import from_networkx, to_digraph, to_networkx
from physcm.scm.interchange.tigramite import from_tigramite, to_tigramite

__all__ = [
    "MarkedGraph",
    "from_causal_learn",
    "from_dagitty",
    "from_graphml",
    "from_json",
    "from_networkx",
    "from_tigramite",
    "to_causal_learn",
    "to_dagitty",
    "to_digraph",
    "to_graphml",
    "to_json",
    "to_networkx",
    "to_tigramite",
]
