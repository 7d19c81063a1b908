"""The numbers of some samples: each parameter of the whole, of the nodes and of the edges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.declarations import require_finite, require_scale
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.interventions import Impulse, SetParameter
from physcm.mechanism.values import draw as draw_values
from physcm.sim.network.column import Column
from physcm.sim.network.names import labelled
from physcm.sim.network.schedule import brought
from physcm.sim.schedule import unwrapped

if TYPE_CHECKING:
    from physcm.sim.network.network import Network


@dataclass(frozen=True, eq=False)
class Values:
    """Parameters as numbers; a last axis of length 1 stands for all samples.

    Attributes:
        whole: constants of the network, each of shape (samples,) or (1,).
        nodes: each of shape (nodes, samples) or (nodes, 1).
        edges: each of shape (edges, samples) or (edges, 1).
    """

    whole: Mapping[str, Floats]
    nodes: Mapping[str, Floats]
    edges: Mapping[str, Floats]

    def of(self, columns: NDArray[np.int64]) -> Values:
        """Return the values of some samples, by their positions."""
        return Values(
            *(
                {name: _of(values, columns) for name, values in mapping.items()}
                for mapping in (self.whole, self.nodes, self.edges)
            )
        )

    @cached_property
    def are_shared(self) -> bool:
        """Whether all samples have the same values."""
        mappings = (self.whole, self.nodes, self.edges)
        return all(values.shape[-1] == 1 for mapping in mappings for values in mapping.values())


def draw(network: Network, samples: NDArray[np.int64], seed: int) -> Values:
    """Return the values of some samples; (seed, sample, name) determine each draw.

    Raises:
        InvalidValue: if a value per sample has too few entries, or a constant is not finite.
    """
    whole = draw_values(network.parameters, samples, seed)
    require_finite(whole)
    for name, value in network.parameters.items():
        whole[name] = whole[name][:1] if isinstance(value, float) else whole[name]
    return Values(
        whole,
        drawn(network.node_parameters, network.nodes, samples, seed),
        drawn(network.edge_parameters, network.wiring.texts, samples, seed),
    )


def drawn(
    columns: Mapping[str, Column], items: Sequence[Any], samples: NDArray[np.int64], seed: int
) -> dict[str, Floats]:
    """Return the values of columns over some items, each (items, samples) or (items, 1).

    Raises:
        InvalidValue: for a negative factor of noise, and a value per sample with too few entries.
    """
    values = {
        name: column.draw(
            [labelled(name, item) for item in items] if column.random else (), samples, seed
        )
        for name, column in columns.items()
    }
    for name, rows in values.items():
        if name.startswith("scale("):
            require_scale(name, rows[~np.isnan(rows)])
    return values


def require_one_per_sample(network: Network, n: int) -> None:
    """Refuse values per sample that are more than there are samples.

    Raises:
        InvalidValue: for values that are too many. (Of those too few there is none to draw.)
    """
    for name, value in _given(network):
        if isinstance(value, tuple) and len(value) > n:
            raise InvalidValue(
                f"`{name}` has values for {len(value)} samples, and n is {n}; give as many values "
                f"as there are samples, or ask for n={len(value)}"
            )


def _given(network: Network) -> Iterator[tuple[str, Any]]:
    """Yield the values that may be one per sample."""
    yield from network.parameters.items()
    columns = {**network.node_parameters, **brought(network), **network.edge_parameters}
    for name, column in columns.items():
        yield from ((name, value) for value, _ in column.random)
    for entry in map(unwrapped, network.schedule):
        if isinstance(entry, SetParameter):
            yield from entry.values.items()
        elif isinstance(entry, Impulse):
            yield f"impulse({entry.name})", entry.amount


def _of(values: Floats, columns: NDArray[np.int64]) -> Floats:
    return values if values.shape[-1] == 1 else values[..., columns]
