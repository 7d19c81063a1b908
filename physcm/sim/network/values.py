"""The numbers of some samples: each parameter of the whole, of the nodes and of the edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.declarations import require_finite
from physcm.mechanism.values import draw as draw_values
from physcm.sim.network.names import labelled

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

    def one(self, place: int) -> Values:
        """Return the values of one sample, by its position."""
        return Values(
            *(
                {name: _one(values, place) for name, values in mapping.items()}
                for mapping in (self.whole, self.nodes, self.edges)
            )
        )


def draw(network: Network, samples: NDArray[np.int64], seed: int) -> Values:
    """Return the values of some samples; (seed, sample, name) determine each draw.

    Raises:
        InvalidValue: if a value per sample has too few entries, or a constant is not finite.
    """
    whole = draw_values(network.parameters, samples, seed)
    require_finite(whole)
    for name, value in network.parameters.items():
        whole[name] = whole[name][:1] if isinstance(value, float) else whole[name]
    nodes, edges = network.wiring.nodes.names, network.wiring.texts
    return Values(
        whole,
        {
            name: column.draw([labelled(name, node) for node in nodes], samples, seed)
            for name, column in network.node_parameters.items()
        },
        {
            name: column.draw([labelled(name, edge) for edge in edges], samples, seed)
            for name, column in network.edge_parameters.items()
        },
    )


def _one(values: Floats, place: int) -> Floats:
    return values if values.shape[-1] == 1 else values[..., place : place + 1].copy()
