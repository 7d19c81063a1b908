"""Interventions on edges, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class CutEdge:
    """Remove an edge: its effect receives nothing along it.

    Attributes:
        cause: the node that the edge starts at, by name or position.
        effect: the node that it ends at.

    >>> CutEdge("gene1", "gene7")
    CutEdge(cause='gene1', effect='gene7')
    """

    cause: int | str
    effect: int | str


@dataclass(frozen=True)
class RescaleEdge:
    """Multiply all that an edge contributes by a factor.

    Attributes:
        cause: the node that the edge starts at, by name or position.
        effect: the node that it ends at.
        factor: a number; 0 cuts the edge.

    >>> RescaleEdge("gene1", "gene7", 0.5)
    RescaleEdge(cause='gene1', effect='gene7', factor=0.5)
    """

    cause: int | str
    effect: int | str
    factor: float


EdgeIntervention: TypeAlias = CutEdge | RescaleEdge
