"""From what a user writes to a `Network`, checked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import names_in, ordered
from physcm.mechanism.parser import parse
from physcm.mechanism.values import Value, as_value
from physcm.sim.network.column import Column, at_edges, at_nodes
from physcm.sim.network.forms import (
    INPUT,
    check_scope,
    check_types,
    edge_forms,
    node_forms,
)
from physcm.sim.network.given import check_given
from physcm.sim.network.names import Nodes
from physcm.sim.network.network import Network
from physcm.sim.network.wiring import Places, Wiring, read

_NONE: Mapping[str, Any] = MappingProxyType({})


def from_network(
    node: Mapping[str, Any],
    edge: Any,
    adjacency: Any,
    *,
    initial: Mapping[str, Any] = _NONE,
    node_parameters: Mapping[str, Any] = _NONE,
    edge_parameters: Mapping[str, Any] = _NONE,
    parameters: Mapping[str, Any] = _NONE,
    types: Any = None,
    algebraic: Mapping[str, Any] = _NONE,
    noise: Mapping[Any, Any] = _NONE,
    calculus: str = "ito",
    nodes: Iterable[Any] | None = None,
    rows: str = "cause",
    name: str = "",
) -> Network:
    """Return a network of nodes of one form, coupled by edges of one form.

        dx_i = f(x_i, I_i, k_i, p, t) dt + g(x_i, I_i, k_i, p, t) dW_i,
        I_i = sum over the edges j -> i of h(x_j, x_i, w_ji, p, t)

    Args:
        node: the drift f of each variable of a node, an expression in the node's variables and
            parameters, its inputs, the parameters of the whole and `t`. For nodes of several
            types, such a mapping for each type, all with the same variables.
        edge: the contribution h of an edge to the input `inputs` of its effect, an expression
            in `x_cause` and `x_effect` for each variable and parameter x of a node, in
            parameters of the edge and of the whole, and in `t`. For several inputs, a mapping
            from their names. A node without edges into it has input 0.
        adjacency: the edges, cause -> effect: a networkx graph, a DataArray over `cause` and
            `effect`, or a NumPy or scipy.sparse matrix A in which A[i, j] != 0 is an edge from i
            to j. Its numbers are the edge parameter `weight`.
        initial: the value of each variable at the start, like a node parameter, or an expression
            in node parameters, parameters of the whole and other initial values.
        node_parameters: each a number or a distribution for all nodes (one draw per node and
            sample), a mapping from node names, a sequence in the order of the nodes, or a
            DataArray over `node`.
        edge_parameters: each a number or a distribution for all edges, a mapping from pairs
            (cause, effect), or a matrix like `adjacency`.
        parameters: constants of the whole network, as in a `System`.
        types: the type of each node, like a node parameter, where `node` has several.
        algebraic: derived variables of a node, each an expression like a drift, without inputs;
            edges can read them.
        noise: the diffusion coefficient g of each variable, with a Wiener process of its own
            at each node; (variable, source) pairs share the process of that source within a
            node. Per type, if `node` is.
        calculus: how noise is to be read, "ito" or "stratonovich".
        nodes: the names of the nodes of a bare matrix; 0, 1, ... unless given.
        rows: what the rows of a bare adjacency matrix are, "cause" or "effect".
        name: what the network is called in tables and files.

    Raises:
        ParseError, UnknownVariable: for an expression that cannot be read.
        MissingInitialValue: for a variable without one.
        InvalidValue: for values that are missing where they are read or not finite, names given
            twice, an input that no drift reads, and weights that no edge form reads.

    >>> import networkx as nx
    >>> pair = from_network(
    ...     {"theta": "omega + inputs"},
    ...     "K*sin(theta_cause - theta_effect)",
    ...     nx.complete_graph(2),
    ...     node_parameters={"omega": [1, 2]},
    ...     parameters={"K": 3},
    ...     initial={"theta": 0},
    ... )
    >>> pair.nodes, pair.variables, pair.wiring.texts
    ((0, 1), ('theta',), ['1 -> 0', '0 -> 1'])
    """
    wiring, weights = read(adjacency, nodes, rows)
    contributions = dict(edge) if isinstance(edge, Mapping) else {INPUT: edge}
    edge_names = {"weight": None, **edge_parameters}
    starts = _starts(initial)
    forms = node_forms(
        node,
        (*contributions, *node_parameters, *parameters),
        contributions,
        initial=starts,
        noise=noise,
        algebraic=algebraic,
        calculus=calculus,
    )
    variables = tuple(next(iter(forms.values())).variables)
    check_scope(variables, contributions, node_parameters, edge_names, parameters)
    kinds = _types(types, forms, wiring.nodes)
    columns = {
        name: at_nodes(value, wiring.nodes, f"node parameter `{name}`")
        for name, value in node_parameters.items()
    }
    columns |= {
        f"{name}(0)": at_nodes(initial[name], wiring.nodes, f"initial value of `{name}`")
        for name, start in starts.items()
        if isinstance(start, float)
    }
    network = Network(
        wiring,
        variables,
        tuple(forms.values()),
        _form(kinds, list(forms), wiring.nodes),
        edge_forms(contributions, [*variables, *node_parameters], [*edge_names, *parameters]),
        columns,
        _edge_columns(edge_parameters, wiring, weights),
        _parameters(parameters),
        kinds,
        name,
    )
    _check_read(network, "weight" not in edge_parameters)
    check_given(network)
    return network


def _starts(initial: Mapping[str, Any]) -> dict[str, Any]:
    """Return initial values that are expressions, and the placeholder 0 for those that are data."""
    starts: dict[str, Any] = {}
    for name, raw in initial.items():
        is_text = isinstance(raw, str | sp.Basic)
        has_names = is_text and parse(raw, None, f"initial value of `{name}`").free_symbols
        starts[name] = raw if has_names else 0.0
    return starts


def _types(types: Any, forms: Mapping[str, Any], nodes: Nodes) -> tuple[str, ...] | None:
    typed = "" not in forms
    if types is None or not typed:
        if typed or types is not None:
            raise InvalidValue(
                f"types is `{types!r}`, but node has "
                f"{'types ' + ', '.join(map(repr, forms)) if typed else 'one form'}; "
                f"{'give the type of each node' if typed else 'leave it out'}"
            )
        return None
    if isinstance(types, xr.DataArray) and "node" in types.coords:
        types = dict(zip(types.coords["node"].values.tolist(), types.values.tolist(), strict=True))
    if isinstance(types, Mapping):
        by_place = {nodes.place(name): kind for name, kind in types.items()}
        types = [by_place.get(place) for place in range(len(nodes))]
    kinds = tuple(types if isinstance(types, Sequence) else np.asarray(types).tolist())
    if len(kinds) != len(nodes) or None in kinds:
        count = len(kinds) - kinds.count(None)
        raise InvalidValue(f"types has `{count}` entries for {len(nodes)} nodes; give one per node")
    check_types(kinds, forms)
    return kinds


def _form(kinds: tuple[str, ...] | None, forms: list[str], nodes: Nodes) -> Places:
    if kinds is None:
        return np.zeros(len(nodes), dtype=np.int64)
    index = {kind: k for k, kind in enumerate(forms)}
    return np.array([index[kind] for kind in kinds], dtype=np.int64)


def _edge_columns(given: Mapping[str, Any], wiring: Wiring, weights: Floats) -> dict[str, Column]:
    columns = {"weight": Column(weights)}
    return columns | {
        name: at_edges(value, wiring, f"edge parameter `{name}`") for name, value in given.items()
    }


def _parameters(given: Mapping[str, Any]) -> dict[str, Value]:
    values = {name: as_value(value, given, f"parameter `{name}`") for name, value in given.items()}
    ordered({k: v for k, v in values.items() if isinstance(v, sp.Basic)}, "values")
    return values


def _check_read(network: Network, weighted: bool) -> None:
    """Refuse couplings that have no effect by mistake."""
    reads = set().union(
        *(
            names_in(mechanism)
            for form in network.forms
            for mechanism in (*form.drift.values(), *form.noise.values())
        )
    )
    for name in network.inputs:
        if name not in reads:
            raise InvalidValue(
                f"no drift reads the input `{name}`, so that edges have no effect; add it, for "
                f"example {network.variables[0]} = ... + {name}"
            )
    weights = network.edge_parameters["weight"].numbers
    contributions = set().union(*map(names_in, network.edge.values()))
    if weighted and (weights != 1).any() and "weight" not in contributions:
        raise InvalidValue(
            f"the adjacency has weights such as `{weights[weights != 1][0]}` that no edge form "
            "reads; multiply by `weight`, or give an adjacency of zeros and ones"
        )
