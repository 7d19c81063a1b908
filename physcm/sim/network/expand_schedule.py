"""The schedule of a network in the names of its expanded system.

Where an intervention cuts or rescales an edge for a while, what the edge contributes is
multiplied by a parameter of its own, 1 outside of that window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import sympy as sp

from physcm.mechanism.distributions import Distribution
from physcm.mechanism.expression import symbol
from physcm.mechanism.interventions import (
    CutEdge,
    EdgeIntervention,
    Hold,
    Impulse,
    Intervention,
    Replace,
    RescaleEdge,
    ScaleNoise,
    SetParameter,
    Shift,
    When,
)
from physcm.sim.network.column import Column, Datum
from physcm.sim.network.intervene import CONTENT, label_of, variable_at
from physcm.sim.network.names import ARROW, flat, labelled
from physcm.sim.network.scope import parts
from physcm.sim.schedule import unwrapped

if TYPE_CHECKING:
    from physcm.sim.network.network import Network

At = TypeVar("At", bound=Hold | Shift | ScaleNoise | Replace | Impulse)
AtNode: TypeAlias = Callable[[int], dict[sp.Basic, sp.Basic]]


def factors(network: Network) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield the factors that scheduled interventions put on edges: their names, and the edge."""
    for place, entry in enumerate(map(unwrapped, network.schedule)):
        if isinstance(entry, EdgeIntervention):
            yield _factor(entry, place), (entry.cause, entry.effect)


def expanded_schedule(
    network: Network, at_node: AtNode, n: int | None, seed: int
) -> list[Intervention]:
    """Return the schedule of the expanded system.

    Args:
        network: with its schedule.
        at_node: what the symbols at the node of some position stand for.
        n: for how many samples what is random is drawn, if it is.
        seed: the seed of these samples.
    """
    renaming = _Renaming(network, at_node, n, seed)
    return [renaming.entry(place, entry) for place, entry in enumerate(network.schedule)]


class _Renaming:
    def __init__(self, network: Network, at_node: AtNode, n: int | None, seed: int) -> None:
        self.network, self.at_node, self.seed = network, at_node, seed
        self.samples = None if n is None else np.arange(n)

    def entry(self, place: int, entry: Intervention | EdgeIntervention) -> Intervention:
        match entry:
            case When(condition, inner, rearm=rearm):
                return replace(
                    entry,
                    condition=_flat(condition),
                    rearm=_flat(rearm),
                    intervention=self.entry(place, inner),
                )
            case Impulse():
                return replace(self.at(place, entry), at=_flat(entry.at))
            case CutEdge() | RescaleEdge():
                factor = entry.factor if isinstance(entry, RescaleEdge) else 0.0
                return SetParameter({_factor(entry, place): factor}, during=_window(entry))
            case SetParameter(values=values):
                pairs = (pair for item in values.items() for pair in self.parameter(*item))
                return SetParameter(dict(pairs), during=_window(entry))
            case _:
                return replace(self.at(place, entry), during=_window(entry))

    def at(self, place: int, entry: At) -> At:
        """Return what is done at a node in the names of the system."""
        variable, node = variable_at(self.network, entry.name)
        content = CONTENT[type(entry).__name__]
        value, name = getattr(entry, content), self.network.nodes[node]
        if isinstance(value, sp.Basic):
            value = value.xreplace(self.at_node(node))
        else:
            number = self.network.numbers[place]
            value = self.drawn(value, labelled(label_of(entry, variable, number), name))
        changes: dict[str, Any] = {"name": flat(variable, name), content: value}
        return replace(entry, **changes)

    def parameter(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        """Yield the parameters of the system that a parameter of the network stands for."""
        network, found = self.network, parts(name)
        if name in network.parameters:
            yield name, value
        elif found:
            yield flat(found[0], *found[1].split(ARROW)), self.drawn(value, name)
        else:
            own = name in network.node_parameters
            items = [str(node) for node in network.nodes] if own else network.wiring.texts
            values: list[Any] = [value] * len(items)
            if isinstance(value, Column):
                values = value.values()
            for item, one in zip(items, values, strict=True):
                yield flat(name, *item.split(ARROW)), self.drawn(one, labelled(name, item))

    def drawn(self, value: Datum, label: str) -> Datum:
        if self.samples is None or not isinstance(value, Distribution | tuple):
            return value
        return tuple(Column.constant(value, 1).draw([label], self.samples, self.seed)[0].tolist())


def _factor(entry: EdgeIntervention, place: int) -> str:
    return f"{flat('factor', entry.cause, entry.effect)}_{place}"


def _window(entry: Any) -> tuple[Any, Any] | None:
    return None if entry.during is None else (_flat(entry.during[0]), _flat(entry.during[1]))


def _flat(value: Any) -> Any:
    """Return an expression with `x_gene7` for `x[gene7]`; anything else as it is."""
    if not isinstance(value, sp.Basic):
        return value
    names = {s: parts(s.name) for s in value.free_symbols if isinstance(s, sp.Symbol)}
    return value.xreplace(
        {s: symbol(flat(found[0], *found[1].split(ARROW))) for s, found in names.items() if found}
    )
