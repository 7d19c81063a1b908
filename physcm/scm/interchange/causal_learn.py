"""causal-learn's graph arrays.

graph[i, j] is the mark at i of the edge between i and j: -1 a tail, 1 an arrowhead, 0 no edge. So
i -> j is graph[i, j] = -1 with graph[j, i] = 1, and i <-> j is 1 with 1. A directed and a
bidirected edge between the same nodes are 4 at the tail's end and 5 at the other
(causallearn.graph.Endpoint: TAIL_AND_ARROW, ARROW_AND_ARROW).
"""

from __future__ import annotations

from typing import Any

import xarray as xr

from physcm.scm.graph import MixedGraph
from physcm.scm.graph.mixed import Names
from physcm.scm.interchange.arrays import Marks, from_array, to_array

_MARKS: Marks = {
    (False, False, False): (0, 0),
    (True, False, False): (-1, 1),
    (False, True, False): (1, -1),
    (False, False, True): (1, 1),
    (True, False, True): (4, 5),
    (False, True, True): (5, 4),
}


def to_causal_learn(graph: MixedGraph) -> xr.DataArray:
    """Return causal-learn's array over `at` and `toward`; `.values` is a `GeneralGraph.graph`.

    Raises:
        Unsupported: for a self-cycle, or for two nodes that cause each other.

    >>> array = to_causal_learn(MixedGraph([("x", "y")]))
    >>> array.sel(at="x", toward="y").item(), array.sel(at="y", toward="x").item()
    (-1, 1)
    """
    return to_array(graph, _MARKS, ("at", "toward"), "causal-learn")


def from_causal_learn(array: Any, names: Names | None = None) -> MixedGraph:
    """Return the graph of an array (nodes, nodes) of causal-learn, as in `GeneralGraph.graph`.

    Args:
        array: whole numbers.
        names: of the nodes; without it those of a DataArray, or "0", "1", ...

    Raises:
        InvalidValue: for an array that is not square, or without names that fit it.
        Unsupported: for undirected edges and for circles, which leave an end open.

    >>> from_causal_learn([[0, -1], [1, 0]], names=["x", "y"])
    MixedGraph(x -> y)
    """
    return from_array(array, names, _MARKS, "causal-learn")
