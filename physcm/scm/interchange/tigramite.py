"""tigramite's graph arrays, without time lags.

graph[i, j] is the edge as it is written from i to j: "-->" says i -> j, "<--" says j -> i, "<->"
a bidirected edge, "+->" and "<-+" both a directed and a bidirected one, "" none; graph[j, i] is
the same edge read from j (tigramite.graphs, graph types "dag" and "admg").
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from physcm.mechanism.errors import Unsupported
from physcm.scm.graph import MixedGraph
from physcm.scm.graph.mixed import Names
from physcm.scm.interchange.arrays import Marks, from_array, to_array

_MARKS: Marks = {
    (False, False, False): ("", ""),
    (True, False, False): ("-->", "<--"),
    (False, True, False): ("<--", "-->"),
    (False, False, True): ("<->", "<->"),
    (True, False, True): ("+->", "<-+"),
    (False, True, True): ("<-+", "+->"),
}


def to_tigramite(graph: MixedGraph) -> xr.DataArray:
    """Return tigramite's array over `left` and `right`; `.values` is what tigramite takes.

    Raises:
        Unsupported: for a self-cycle, or for two nodes that cause each other.

    >>> to_tigramite(MixedGraph([("x", "y")], [("x", "y")])).sel(left="x", right="y").item()
    '+->'
    """
    return to_array(graph, _MARKS, ("left", "right"), "tigramite")


def from_tigramite(array: Any, names: Names | None = None) -> MixedGraph:
    """Return the graph of an array (nodes, nodes) or (nodes, nodes, lags) of tigramite.

    Args:
        array: text marks; of lags, only lag 0 may have edges.
        names: of the nodes; without it those of a DataArray, or "0", "1", ...

    Raises:
        InvalidValue: for an array that is not square, or without names that fit it.
        Unsupported: for edges with a lag, or for marks such as "o->" that leave an end open.

    >>> from_tigramite([["", "-->"], ["<--", ""]], names=["x", "y"])
    MixedGraph(x -> y)
    """
    entries = np.asarray(array)
    if entries.ndim == 3:
        if (entries[:, :, 1:] != "").any():
            raise Unsupported(
                "the array has edges with a lag above `0`, and a mixed graph has no time; "
                "unroll it to one node per variable and lag"
            )
        array = array[:, :, 0] if isinstance(array, xr.DataArray) else entries[:, :, 0]
    return from_array(array, names, _MARKS, "tigramite")
