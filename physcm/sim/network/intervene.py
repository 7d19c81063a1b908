"""Interventions on a network that act at all times: from a network to a network.

    Hold, Shift, ScaleNoise, Replace     `x[gene7]`: the node moves to the form that results
    SetParameter                         `k[gene7]`, `weight[a -> b]`, or `k` of all
    CutEdge, RescaleEdge                 one edge

A number, a value per sample or a distribution becomes a node parameter, called as in a `System`:
`do(x)`, `shift(x)`, `scale(x)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import sympy as sp

from physcm.mechanism.declarations import require_scale
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.expression import symbol
from physcm.mechanism.interventions import (
    CutEdge,
    EdgeIntervention,
    Hold,
    Impulse,
    Mode,
    Replace,
    RescaleEdge,
    ScaleNoise,
    SetParameter,
    Shift,
)
from physcm.mechanism.parser import closest
from physcm.mechanism.values import as_value, finite
from physcm.sim.intervene import intervene as intervene_on_system
from physcm.sim.network.column import Column, Datum, as_datum, at_edges, at_nodes
from physcm.sim.network.forms import RESCALED, check_inputs
from physcm.sim.network.given import check_given
from physcm.sim.network.names import has_brackets, labelled, split
from physcm.sim.network.scope import edge_place
from physcm.sim.system import System

if TYPE_CHECKING:
    from physcm.sim.network.network import Network

_OnNode: TypeAlias = Hold | Shift | ScaleNoise | Replace
_Seen: TypeAlias = dict[Any, tuple[int, dict[str, float]]]

CONTENT = {
    "Hold": "value",
    "Shift": "amount",
    "ScaleNoise": "factor",
    "Replace": "mechanism",
    "Impulse": "amount",
}
_LABELS = {"Hold": "do", "Shift": "shift", "ScaleNoise": "scale", "Impulse": "impulse"}


def intervene(
    network: Network, interventions: Iterable[tuple[Mode | EdgeIntervention, str | None]]
) -> Network:
    """Return the network in which interventions act at all times, done in the order given.

    Args:
        network: what to intervene on.
        interventions: what to do, one after the other; windows are not looked at. Beside each
            what to put behind the variable in the names of new parameters, as in `do(x, 2)`,
            for one on a schedule.

    Raises:
        UnknownVariable: for a node, edge, variable or parameter that is not there.
        InvalidValue: for a value that makes no sense, or is missing where it is read.
    """
    seen: _Seen = {}
    for intervention, number in interventions:
        match intervention:
            case CutEdge(cause, effect):
                network = _cut(network, network.wiring.place(cause, effect))
            case RescaleEdge(cause, effect, factor):
                network = _rescale(network, network.wiring.place(cause, effect), factor)
            case SetParameter(values=values):
                for name, value in values.items():
                    network = _set(network, name, value)
            case _:
                variable, place = variable_at(network, intervention.name)
                on_node = replace(intervention, name=variable)
                network = _on_node(network, place, on_node, number, seen)
    check_given(network)
    return network


def variable_at(network: Network, name: str) -> tuple[str, int]:
    """Return the variable and the position of the node of a name such as `x[gene7]`.

    Raises:
        UnknownVariable: for a variable or node that is not there.
        InvalidValue: for a parameter, and for a name that does not say which node.
    """
    if not isinstance(name, str):
        raise InvalidValue(f"`{name!r}` is no name; give that of a variable of a node")
    stem = name.partition("[")[0]
    if stem in {*network.parameters, *network.node_parameters, *network.edge_parameters}:
        raise InvalidValue(
            f"`{name}` is a parameter, not a variable; use SetParameter({{{name!r}: ...}})"
        )
    variable, node = split(name, network.variables, network.nodes[0])
    return variable, network.wiring.nodes.place(node)


def _on_node(
    network: Network, place: int, intervention: _OnNode, number: str | None, seen: _Seen
) -> Network:
    """Move a node to the form that results; what is data goes to a column, not to the form."""
    old = int(network.form[place])
    mark = _number(network.forms[old], intervention) if number is None else number
    intervention, data = separated(intervention, mark)
    key = old, intervention, number
    if key not in seen:
        move = _moved if number is None else _moved_for_a_while
        form, starts = move(network.forms[old], intervention, mark)
        check_inputs(form, network.inputs)
        if form not in network.forms:
            network = replace(network, forms=(*network.forms, form))
        seen[key] = network.forms.index(form), starts
    new, starts = seen[key]
    read = {k: value for k, value in data.items() if k in network.forms[new].parameters}
    columns = dict(network.node_parameters)
    for name, value in {**read, **starts}.items():
        columns[name] = columns.get(name, Column.empty(len(network.nodes))).put(place, value)
    form_of = network.form.copy()
    form_of[place] = new
    return replace(network, form=form_of, node_parameters=columns)


def separated(intervention: _OnNode, number: str) -> tuple[_OnNode, dict[str, Datum]]:
    """Return an intervention with a placeholder for its value, and the value by its name."""
    if isinstance(intervention, Replace):
        return intervention, {}
    kind = type(intervention).__name__
    value = as_value(getattr(intervention, CONTENT[kind]), None, repr(intervention))
    if isinstance(value, sp.Basic):
        return intervention, {}
    label = label_of(intervention, intervention.name, number)
    if kind == "ScaleNoise":
        require_scale(label, value)
    placeholder: dict[str, Any] = {CONTENT[kind]: 0.0}
    data = {label: value}
    return replace(intervention, **placeholder), data


def label_of(intervention: _OnNode | Impulse, variable: str, number: str) -> str:
    """Return the name of the value that an intervention brings to a node, such as `do(x, 2)`."""
    return f"{_LABELS[type(intervention).__name__]}({variable}{number})"


def _moved_for_a_while(
    form: System, intervention: _OnNode, number: str
) -> tuple[System, dict[str, float]]:
    """Return the form under an intervention in a window: what reads initial values is settled."""
    settled = form.replace(initial=dict.fromkeys(form.initial, 0.0))
    return intervene_on_system(settled, intervention, number), {}


def _moved(form: System, intervention: _OnNode, number: str) -> tuple[System, dict[str, float]]:
    """Return the form under an intervention, and initial values that became numbers by it."""
    new = intervene_on_system(form, intervention, number or None)
    starts = {
        name: value
        for name, value in new.initial.items()
        if isinstance(value, float) and not isinstance(form.initial.get(name), float)
    }
    initial = {**new.initial, **dict.fromkeys(starts, 0.0)}
    return new.replace(initial=initial), {f"{k}(0)": v for k, v in starts.items()}


def _number(form: System, intervention: _OnNode) -> str:
    """Return the number of a shift or scaling among those of its kind, as in `shift(x, 2)`."""
    if isinstance(intervention, Hold | Replace):
        return ""
    label = _LABELS[type(intervention).__name__]
    count = 1
    while f"{label}({intervention.name}{f', {count}' if count > 1 else ''})" in form.parameters:
        count += 1
    return f", {count}" if count > 1 else ""


def _set(network: Network, name: str, value: Any) -> Network:
    place = f"parameter `{name}`"
    if name in network.parameters:
        new = as_value(value, network.parameters, place)
        return replace(network, parameters={**network.parameters, name: new})
    column = whole_column(network, name, value)
    if column is None:
        return _set_one(network, name, as_datum(value, place))
    if name in network.node_parameters:
        return replace(network, node_parameters={**network.node_parameters, name: column})
    return replace(network, edge_parameters={**network.edge_parameters, name: column})


def _set_one(network: Network, name: str, value: Datum) -> Network:
    stem, _, item = name.removesuffix("]").partition("[")
    if not has_brackets(name) or stem not in {*network.node_parameters, *network.edge_parameters}:
        raise UnknownVariable(f"`{name}` is no parameter of the network; {_remedy(network, stem)}")
    if stem in network.edge_parameters:
        column = network.edge_parameters[stem].put(edge_place(network, stem, item), value)
        return replace(network, edge_parameters={**network.edge_parameters, stem: column})
    column = network.node_parameters[stem].put(network.wiring.nodes.place(item), value)
    return replace(network, node_parameters={**network.node_parameters, stem: column})


def whole_column(network: Network, name: str, value: Any) -> Column | None:
    """Return the values of a parameter of all nodes or of all edges, nothing for another name."""
    if isinstance(value, Column):
        return value
    if name in network.node_parameters and name.isidentifier():
        return at_nodes(value, network.wiring.nodes, f"parameter `{name}`")
    if name in network.edge_parameters:
        return at_edges(value, network.wiring, f"parameter `{name}`")
    return None


def _remedy(network: Network, stem: str) -> str:
    if stem in network.variables:
        example = labelled(stem, network.nodes[0])
        return f"`{stem}` is a variable: use Hold({example!r}, ...)"
    own = [name for name in network.node_parameters if name.isidentifier()]
    return closest(stem, [*network.parameters, *own, *network.edge_parameters])


def _cut(network: Network, place: int) -> Network:
    kept = np.arange(len(network.wiring)) != place
    return replace(
        network,
        wiring=network.wiring.keep(kept),
        edge_parameters={k: column.keep(kept) for k, column in network.edge_parameters.items()},
    )


def _rescale(network: Network, place: int, factor: float) -> Network:
    number = finite(factor, "factor of RescaleEdge")
    if number == 0:
        return _cut(network, place)
    columns, edge = network.edge_parameters, network.edge
    if RESCALED not in columns:
        columns = {**columns, RESCALED: Column.constant(1.0, len(network.wiring))}
        edge = {name: form * symbol(RESCALED) for name, form in edge.items()}
    columns = {**columns, RESCALED: columns[RESCALED].scale(place, number)}
    return replace(network, edge=edge, edge_parameters=columns)
