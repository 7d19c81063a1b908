"""Whether a network has all values that its mechanisms read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from physcm.mechanism.errors import InvalidValue
from physcm.sim.network.wiring import Places

if TYPE_CHECKING:
    from physcm.sim.network.network import Network


def check_given(network: Network) -> None:
    """Refuse a network in which a value is missing at a node or edge that reads it.

    Raises:
        InvalidValue: naming the parameter and the node or edge.
    """
    for name, places in _read_at(network).items():
        absent = places[network.node_parameters[name].missing[places]]
        if absent.size:
            _missing(name, f"node `{network.nodes[absent.min()]}`", "nodes")
    for name in network.structure.edge_parameters:
        if name in network.edge_parameters:
            absent = np.flatnonzero(network.edge_parameters[name].missing)
            if absent.size:
                _missing(name, f"edge `{network.wiring.texts[absent[0]]}`", "edges")


def _read_at(network: Network) -> dict[str, Places]:
    """Return at which nodes each node parameter is read."""
    structure = network.structure
    found: dict[str, list[Places]] = {name: [] for name in network.node_parameters}
    for group in structure.groups:
        for name in {*group.parameters, *group.given} & found.keys():
            found[name].append(group.nodes)
    for read in structure.edge_reads:
        found[read.what].append(structure.ends(read.end))
    return {name: np.concatenate([np.empty(0, np.int64), *some]) for name, some in found.items()}


def _missing(name: str, item: str, items: str) -> None:
    raise InvalidValue(
        f"`{name}` has no value at the {item}, which reads it; give one for all {items}"
    )
