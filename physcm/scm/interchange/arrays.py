"""What the graph arrays of other packages share: names on both axes, and one mark per pair.

These arrays hold one entry per ordered pair of nodes, so that they have no place for a
self-cycle, nor for two nodes that cause each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.scm.graph import MixedGraph
from physcm.scm.graph.mixed import Names, listed

Marks = Mapping[tuple[bool, bool, bool], tuple[Any, Any]]
"""The entries [a, b] and [b, a] for: is there a -> b, b -> a, a <-> b?"""


def to_array(graph: MixedGraph, marks: Marks, dims: tuple[str, str], package: str) -> xr.DataArray:
    """Return a graph as an array of a package's marks.

    Raises:
        Unsupported: for a self-cycle, or for two nodes that cause each other.
    """
    place = {name: i for i, name in enumerate(graph.nodes)}
    nothing = marks[False, False, False][0]
    array = np.full(
        (len(place), len(place)), nothing, dtype=np.array(marks[True, False, True]).dtype
    )
    for a, b in graph.directed:
        if a == b or (b, a) in graph.directed:
            what = f"the self-cycle at `{a}`" if a == b else f"the cycle of `{a}` and `{b}`"
            raise Unsupported(f"{what} has no place in an array of {package}; use `to_json`")
    for a, b in {tuple(sorted(e)) for e in (*graph.directed, *graph.bidirected)}:
        key = ((a, b) in graph.directed, (b, a) in graph.directed, (a, b) in graph.bidirected)
        array[place[a], place[b]], array[place[b], place[a]] = marks[key]
    names = list(graph.nodes)
    return xr.DataArray(array, dims=dims, coords=dict.fromkeys(dims, names))


def from_array(array: Any, names: Names | None, marks: Marks, package: str) -> MixedGraph:
    """Return the graph of an array of a package's marks.

    Raises:
        InvalidValue: for an array that is not square, or without names that fit it.
        Unsupported: for a mark that no mixed graph has.
    """
    if names is None and isinstance(array, xr.DataArray):
        names = array.coords[array.dims[0]].values.tolist()
    entries = np.asarray(array)
    nodes = list(map(str, range(len(entries)))) if names is None else list(listed(names))
    if entries.shape != (len(nodes), len(nodes)) or len(set(nodes)) != len(nodes):
        raise InvalidValue(
            f"the array has the shape `{entries.shape}` for `{len(nodes)}` names; give a square "
            "array and one name per row"
        )
    meaning = {pair: key for key, pair in marks.items()}
    directed, bidirected = [], []
    for i, j in combinations(range(len(nodes)), 2):
        pair = entries[i, j].item(), entries[j, i].item()
        if pair not in meaning:
            raise Unsupported(
                f"the marks `{pair}` between `{nodes[i]}` and `{nodes[j]}` are no edge of a mixed "
                f"graph in {package}; orient every edge first"
            )
        forth, back, both = meaning[pair]
        directed += [(nodes[i], nodes[j])] * forth + [(nodes[j], nodes[i])] * back
        bidirected += [(nodes[i], nodes[j])] * both
    return MixedGraph(directed, bidirected, nodes)
