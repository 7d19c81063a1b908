"""A network as an ordinary system, with one expression per variable and node.

For small networks: to look at the equations, to use what takes a `System`, and to check. What
the network calls `x[gene7]` and `weight[a -> b]` is called `x_gene7` and `weight_a_b` here.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import symbol
from physcm.sim.network.column import Column, Datum
from physcm.sim.network.expand_schedule import expanded_schedule, factors
from physcm.sim.network.names import flat, labelled
from physcm.sim.network.structure import ENDS
from physcm.sim.network.values import draw
from physcm.sim.system import System

if TYPE_CHECKING:
    from physcm.sim.network.network import Network

Names = dict[sp.Basic, sp.Basic]

_MECHANISMS = ("drift", "algebraic", "held")


def expand(network: Network, n: int | None, seed: int) -> System:
    """Return the system of a network; see `Network.expanded`."""
    nodes, edges = _columns(network, n, seed)
    parameters = {**network.parameters, **_by_node(network, nodes), **_by_edge(network, edges)}
    parameters |= dict.fromkeys((name for name, _ in factors(network)), 1.0)
    _require_distinct(network, list(parameters))

    def at_node(place: int) -> Names:
        return _at_node(network, network.nodes[place]) | _inputs(network, place)

    parts: dict[str, dict[Any, Any]] = {part: {} for part in (*_MECHANISMS, "noise", "initial")}
    for place, node in enumerate(network.nodes):
        form = network.forms[network.form[place]]
        names, read = _at_node(network, node), at_node(place)
        for part in _MECHANISMS:
            for variable, mechanism in getattr(form, part).items():
                parts[part][flat(variable, node)] = mechanism.xreplace(read)
        for (variable, source), g in form.noise.items():
            parts["noise"][flat(variable, node), labelled(source, node)] = g.xreplace(read)
        for variable, value in form.initial.items():
            is_text = isinstance(value, sp.Basic)
            start = value.xreplace(names) if is_text else nodes[f"{variable}(0)"][place]
            parts["initial"][flat(variable, node)] = start
    given: dict[str, Any] = {**parts, "parameters": parameters, "name": network.name}

    schedule = expanded_schedule(network, at_node, n, seed)
    return System(**given, calculus=network.forms[0].calculus, schedule=schedule)


def _at_node(network: Network, node: Any) -> Names:
    """Return what the symbols of a node's form stand for."""
    names = (*network.variables, *(f"{v}(0)" for v in network.variables), *network.node_parameters)
    return {symbol(name): symbol(flat(name, node)) for name in names}


def _inputs(network: Network, place: int) -> Names:
    """Return the inputs of a node, each the sum over the edges into it."""
    wiring = network.wiring
    into = np.flatnonzero(wiring.effects == place)
    along = [_along(network, wiring.causes[e], wiring.effects[e]) for e in into]
    scale = [_factor(network, wiring.causes[e], wiring.effects[e]) for e in into]
    return {
        symbol(name): sp.Add(
            *(factor * form.xreplace(own) for own, factor in zip(along, scale, strict=True))
        )
        for name, form in network.edge.items()
    }


def _factor(network: Network, cause: int, effect: int) -> sp.Expr:
    """Return the product of the factors that scheduled interventions put on an edge."""
    ends = network.nodes[cause], network.nodes[effect]
    return sp.Mul(*(symbol(name) for name, edge in factors(network) if edge == ends))


def _along(network: Network, cause: int, effect: int) -> Names:
    """Return what the symbols of an edge form stand for on one edge."""
    pair = network.nodes[cause], network.nodes[effect]
    at_ends = {
        symbol(f"{name}_{end}"): symbol(flat(name, node))
        for name in (*network.variables, *network.node_parameters)
        for end, node in zip(ENDS, pair, strict=True)
    }
    own = {symbol(name): symbol(flat(name, *pair)) for name in network.edge_parameters}
    return at_ends | own


def _columns(
    network: Network, n: int | None, seed: int
) -> tuple[dict[str, list[Datum | None]], dict[str, list[Datum | None]]]:
    """Return the values of all columns, what is random drawn for n samples if any."""
    values = None if n is None else draw(network, np.arange(n), seed)

    def listed(name: str, column: Column, drawn: Any) -> list[Datum | None]:
        given = column.values()
        if drawn is None:
            return given
        return [
            v if v is None or isinstance(v, float) else tuple(drawn[name][place].tolist())
            for place, v in enumerate(given)
        ]

    nodes, edges = (values.nodes, values.edges) if values else (None, None)
    return (
        {k: listed(k, column, nodes) for k, column in network.node_parameters.items()},
        {k: listed(k, column, edges) for k, column in network.edge_parameters.items()},
    )


def _by_node(network: Network, columns: dict[str, list[Datum | None]]) -> dict[str, Datum]:
    return {
        flat(name, node): value
        for name, values in columns.items()
        if not name.endswith("(0)")
        for node, value in zip(network.nodes, values, strict=True)
        if value is not None
    }


def _by_edge(network: Network, columns: dict[str, list[Datum | None]]) -> dict[str, Datum]:
    ends = zip(network.wiring.causes, network.wiring.effects, strict=True)
    pairs = [(network.nodes[i], network.nodes[j]) for i, j in ends]
    return {
        flat(name, *pair): value
        for name, values in columns.items()
        for pair, value in zip(pairs, values, strict=True)
        if value is not None
    }


def _require_distinct(network: Network, parameters: list[str]) -> None:
    """Refuse node names that give two things one name."""
    variables = [flat(v, node) for v in network.variables for node in network.nodes]
    columns = [*network.node_parameters.items(), *network.edge_parameters.items()]
    given = sum(int((~c.missing).sum()) for name, c in columns if not name.endswith("(0)"))
    twice = [name for name, count in Counter([*variables, *parameters]).items() if count > 1]
    if twice or len(parameters) < given + len(network.parameters):
        raise InvalidValue(
            f"two things would be called `{twice[0] if twice else '...'}` in one system; rename "
            "nodes so that their names differ in letters, digits or underscores"
        )
