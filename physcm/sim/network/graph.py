"""The causal graph of a network: which variable acts on which, and which node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import names_in, symbol
from physcm.sim.network.names import labelled
from physcm.sim.network.structure import ENDS, Group
from physcm.sim.network.wiring import Places

if TYPE_CHECKING:
    import networkx as nx

    from physcm.sim.network.network import Network

Links = tuple[Places, Places]


def graph(network: Network, of: str) -> nx.DiGraph:
    """Return the graph of the variables, or that of the nodes."""
    import networkx as nx  # slow to import

    if of not in ("variables", "nodes"):
        raise InvalidValue(f"of is `{of}`; use 'variables' or 'nodes'")
    nodes = len(network.nodes)
    causes, effects = links(network)
    if of == "nodes":
        names = [*network.nodes]
        causes, effects = causes % nodes, effects % nodes
    else:
        names = [labelled(v, node) for v in network.variables for node in network.nodes]
    result = nx.DiGraph()
    result.add_nodes_from(names)
    result.add_edges_from(
        (names[i], names[j]) for i, j in zip(causes.tolist(), effects.tolist(), strict=True)
    )
    return result


def links(network: Network) -> Links:
    """Return which variable acts on which, as positions among (variables, nodes).

    A variable acts on another where the other's mechanism reads it: within a node, or through an
    input along an edge.
    """
    parts = [_within(network, group) for group in network.structure.groups]
    parts += [_along_edges(network, group) for group in network.structure.groups]
    causes, effects = (np.concatenate(side) for side in zip(*parts, strict=True))
    size = len(network.variables) * len(network.nodes)
    pairs = np.unique(effects * size + causes)
    return pairs % size, pairs // size


def acting(network: Network) -> NDArray[np.bool_]:
    """Return which edges act: those whose effect reads an input that reads their cause."""
    acts = np.zeros(len(network.wiring), dtype=bool)
    for group in network.structure.groups:
        for between, edges in _kinds(network, group):
            if any(end == "cause" for _, _, end in _received(network, group, between)):
                acts[edges] = True
    return acts


def _within(network: Network, group: Group) -> Links:
    """Return the links within nodes: what a mechanism reads of its own node."""
    pairs = [
        (network.variables.index(cause), network.variables.index(effect))
        for effect, mechanism in {**group.form.drift, **group.form.derived}.items()
        for cause in names_in(mechanism) & {*network.variables}
    ]
    return _spread(pairs, group.nodes, group.nodes, len(network.nodes))


def _along_edges(network: Network, group: Group) -> Links:
    """Return the links through the edges into a group's nodes."""
    parts = [_spread([], group.nodes, group.nodes, 0)]
    for between, edges in _kinds(network, group):
        ends = {end: network.structure.ends(end)[edges] for end in ENDS}
        for cause, effect, end in _received(network, group, between):
            parts.append(_spread([(cause, effect)], ends[end], ends["effect"], len(network.nodes)))
    causes, effects = (np.concatenate(side) for side in zip(*parts, strict=True))
    return causes, effects


def _kinds(network: Network, group: Group) -> Iterator[tuple[bool, Places]]:
    """Yield the edges into a group's nodes that are between two nodes, and those that are not."""
    wiring = network.wiring
    into = np.isin(wiring.effects, group.nodes)
    for between in (True, False):
        yield between, np.flatnonzero(into & ((wiring.causes != wiring.effects) == between))


def _received(network: Network, group: Group, between: bool) -> Iterator[tuple[int, int, str]]:
    """Yield which variable, at which end of an edge, acts on which variable of a group's node."""
    for variable, mechanism in group.form.drift.items():
        for name in names_in(mechanism) & {*network.inputs}:
            form = network.edge[name] if between else _at_one_node(network, name)
            for read in network.structure.reads:
                if read.name in names_in(form):
                    cause = network.variables.index(read.what)
                    yield cause, network.variables.index(variable), read.end


def _at_one_node(network: Network, name: str) -> sp.Expr:
    """Return the contribution of an edge from a node to itself, in which differences vanish."""
    reads = (*network.structure.reads, *network.structure.edge_reads)
    same = {symbol(read.name): symbol(f"{read.what}_cause") for read in reads}
    return network.edge[name].xreplace(same)


def _spread(pairs: list[tuple[int, int]], causes: Places, effects: Places, nodes: int) -> Links:
    """Return links between pairs of variables at all of some pairs of nodes."""
    nothing = np.empty(0, np.int64)
    return (
        np.concatenate([nothing, *(cause * nodes + causes for cause, _ in pairs)]),
        np.concatenate([nothing, *(effect * nodes + effects for _, effect in pairs)]),
    )
