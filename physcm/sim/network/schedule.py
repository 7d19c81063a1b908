"""The schedule of a network: what does not act at all times, for a simulation to carry out.

As in `physcm.sim.schedule`, whatever acts at an instant makes a *mode*, which is a network
without schedule. Between two changes of mode a simulation is that of an ordinary network.

On the schedule a name says which node: `x[gene7]`, whichever way it was given. Conditions and
times read the whole network (`physcm.sim.network.scope`), what is done at a node is in its terms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from physcm.mechanism.distributions import as_distribution
from physcm.mechanism.errors import UnknownVariable, Unsupported
from physcm.mechanism.expression import TIME, names_in, symbol
from physcm.mechanism.interventions import (
    CutEdge,
    EdgeIntervention,
    Hold,
    Impulse,
    Intervention,
    Mode,
    RescaleEdge,
    ScaleNoise,
    SetParameter,
    Shift,
    When,
)
from physcm.mechanism.parser import closest
from physcm.mechanism.values import as_value, finite
from physcm.sim.network.column import Column, as_datum
from physcm.sim.network.intervene import CONTENT, intervene, separated, variable_at, whole_column
from physcm.sim.network.names import Node, labelled
from physcm.sim.network.scope import full_name, parts, read
from physcm.sim.schedule import Content, require_time, unwrapped, watching, with_number, with_times
from physcm.sim.system import System

if TYPE_CHECKING:
    from physcm.sim.network.network import Network


def scheduled(network: Network, entries: Iterable[Intervention | EdgeIntervention]) -> Network:
    """Return the network with more interventions on its schedule, each tried on its own.

    Raises:
        ParseError: for an expression that cannot be read.
        UnknownVariable: for a node, edge, variable or parameter that is not there.
        InvalidValue: for a value that makes no sense, and an impulse that comes at no time.
    """
    first = len(network.schedule)
    more = [_read(network, entry) for entry in entries]
    result = replace(network, schedule=(*network.schedule, *more)) if more else network
    for place in range(first, first + len(more)):
        _check(result, place)
    return result


def mode(network: Network, acting: tuple[int, ...]) -> Network:
    """Return the network in which scheduled interventions act at all times.

    Args:
        network: with its schedule.
        acting: their places, in the order in which they are done.
    """
    acts: list[tuple[Mode | EdgeIntervention, str | None]] = []
    for place in acting:
        entry = unwrapped(network.schedule[place])
        if not isinstance(entry, Impulse):
            acts.append((entry, network.numbers[place]))
    # Others may name an edge that is cut, so that it goes last; the order of the two is no matter.
    # Nor is how often an edge is cut.
    others = [act for act in acts if not isinstance(act[0], CutEdge)]
    cuts = {frozenset(_targets(act[0])): act for act in acts if isinstance(act[0], CutEdge)}
    return intervene(replace(network, schedule=()), [*others, *cuts.values()])


def brought(network: Network) -> dict[str, Column]:
    """Return the node parameters that scheduled interventions bring, such as `do(x)`."""
    columns: dict[str, Column] = {}
    for place, entry in enumerate(map(unwrapped, network.schedule)):
        if isinstance(entry, Hold | Shift | ScaleNoise):
            variable, node = variable_at(network, entry.name)
            number = network.numbers[place]
            for name, value in separated(replace(entry, name=variable), number)[1].items():
                known = columns.get(name) or network.node_parameters.get(name)
                empty = Column.empty(len(network.nodes))
                columns[name] = (known or empty).put(node, value)
    return columns


def numbers(network: Network) -> tuple[str, ...]:
    """Return the number of each scheduled intervention among those of its kind, as in `do(x, 2)`.

    Those that act at all times count before all on the schedule.
    """
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for entry in map(unwrapped, network.schedule):
        taken: list[str] = []
        if not isinstance(entry, SetParameter | EdgeIntervention):
            _, place = variable_at(network, entry.name)
            form = network.forms[network.form[place]]
            taken = [labelled(name, network.nodes[place]) for name in form.parameters]
        kind = type(entry).__name__, getattr(entry, "name", "")
        seen[kind] += 1
        found.append(with_number(entry, seen[kind], taken))
    return tuple(found)


def meet(network: Network, *places: int) -> bool:
    """Say whether two scheduled interventions have a target in common."""
    one, other = (_targets(unwrapped(network.schedule[place])) for place in places)
    if one & other:
        return True
    stems = [{name.partition("[")[0] for name in names} for names in (one, other)]
    return bool(one & stems[1] or other & stems[0])


def in_full(network: Network, entry: Impulse) -> Impulse:
    """Return an impulse whose amount reads `x[gene7]` where it stands for `x`."""
    if not isinstance(entry.amount, sp.Basic):
        return entry
    _, place = variable_at(network, entry.name)
    return replace(entry, amount=entry.amount.xreplace(own_names(network, network.nodes[place])))


def form_at(network: Network, node: Node) -> System:
    """Return the form of a node."""
    return network.forms[int(network.form[network.wiring.nodes.place(node)])]


def own_names(network: Network, node: Node) -> dict[sp.Basic, sp.Basic]:
    """Return what stands for `x[gene7]` in the terms of a node, and that."""
    return {symbol(name): symbol(labelled(name, node)) for name in _own(network)}


def _own(network: Network) -> list[str]:
    """Return the variables and parameters of a node."""
    return [*network.variables, *(k for k in network.node_parameters if not k.endswith("(0)"))]


def _targets(entry: Content) -> set[str]:
    match entry:
        case SetParameter(values=values):
            return {*values}
        case CutEdge(cause, effect) | RescaleEdge(cause, effect):
            return {f"{cause} -> {effect}"}
        case _:
            return {entry.name}


def _read(network: Network, entry: Intervention | EdgeIntervention) -> Any:
    """Return an intervention with its expressions parsed and its nodes called by their names."""
    if isinstance(entry, When):
        watched = watching(entry, lambda text, place: read(network, text, place))
        return replace(watched, intervention=_read(network, entry.intervention))
    timed = with_times(entry, lambda text, place: read(network, text, place, variables=False))
    match timed:
        case CutEdge(cause, effect) | RescaleEdge(cause, effect):
            return _on_edge(network, timed, network.wiring.place(cause, effect))
        case SetParameter(values=values):
            new = {_full(network, k): _value(network, k, value) for k, value in values.items()}
            return SetParameter(new, during=timed.during)
        case _:
            return _on_node(network, timed)


def _on_edge(network: Network, entry: CutEdge | RescaleEdge, place: int) -> EdgeIntervention:
    wiring, names = network.wiring, network.nodes
    ends = names[wiring.causes[place]], names[wiring.effects[place]]
    if isinstance(entry, RescaleEdge):
        factor = finite(entry.factor, "factor of RescaleEdge")
        if factor:
            return RescaleEdge(*ends, factor, during=entry.during)
    return CutEdge(*ends, during=entry.during)


def _on_node(network: Network, entry: Any) -> Any:
    variable, place = variable_at(network, entry.name)
    kind = type(entry).__name__
    content, names = CONTENT[kind], None
    if kind == "Impulse":
        names = {*_own(network), *network.parameters, TIME.name, *network.inputs}
    value = as_value(getattr(entry, content), names, f"{kind} of `{entry.name}`")
    fields: dict[str, Any] = {"name": labelled(variable, network.nodes[place]), content: value}
    return replace(entry, **fields)


def _full(network: Network, name: str) -> str:
    """Return the name of a parameter with the node's or edge's own name in it."""
    found = parts(name)
    known = {*network.node_parameters, *network.edge_parameters}
    return full_name(network, name) if found and found[0] in known else name


def _value(network: Network, name: str, value: Any) -> Any:
    place = f"parameter `{name}`"
    if name in network.parameters:
        return as_value(value, network.parameters, place)
    if isinstance(value, int | float | np.number) or as_distribution(value) is not None:
        return as_datum(value, place)
    column = whole_column(network, name, value)
    return as_datum(value, place) if column is None else column


def _check(network: Network, place: int) -> None:
    """Try a scheduled intervention on its own."""
    entry = network.schedule[place]
    content = unwrapped(entry)
    if not isinstance(content, Impulse):
        mode(network, (place,))
        return
    require_time(entry)
    variable, node = variable_at(network, content.name)
    form = network.forms[network.form[node]]
    if variable not in form.drift and variable not in form.held:
        states = [labelled(name, network.nodes[node]) for name in form.drift]
        raise UnknownVariable(
            f"impulse on `{content.name}`, which is no state; {closest(content.name, states)}"
        )
    reads = names_in(content.amount) if isinstance(content.amount, sp.Basic) else set()
    for name in sorted(reads & {*network.inputs}):
        raise Unsupported(
            f"the impulse on `{content.name}` reads the input `{name}`; only drift and noise can: "
            "let it read variables and parameters of the node"
        )
