"""Clusters: the smallest sets of equations that have to be solved together.

With equations f -> v oriented towards the variables that a perfect matching gives them, and
v -> f elsewhere, they are the strongly connected components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from physcm.abstraction.ordering.bipartite import BipartiteGraph
from physcm.scm.graph import components


@dataclass(frozen=True)
class Cluster:
    """Equations that have to be solved together, and the variables that they determine.

    Attributes:
        equations: their labels.
        variables: as many.
        parents: variables of earlier clusters, and inputs, that occur in the equations.
    """

    equations: tuple[str, ...]
    variables: tuple[str, ...]
    parents: tuple[str, ...]

    def __str__(self) -> str:
        given = f"{', '.join(self.parents)} -> " if self.parents else ""
        return f"{given}{', '.join(self.variables)}   by {', '.join(self.equations)}"


def clusters_of(
    structure: BipartiteGraph, equations: Sequence[str], inputs: Mapping[str, Sequence[str]]
) -> tuple[Cluster, ...]:
    """Return the clusters of equations that are perfectly matched, causes before effects.

    Args:
        structure: which variable occurs in which equation.
        equations: those that determine as many variables.
        inputs: for each input the equations in which it occurs.

    >>> bathtub = BipartiteGraph({"f1": ["O"], "f2": ["O", "P"]}, ["O", "P"])
    >>> print(*clusters_of(bathtub, ["f1", "f2"], {"I": ["f1"]}), sep="; ")
    I -> O   by f1; O -> P   by f2
    """
    matching = structure.matching
    equation_of = {matching[f]: f for f in equations}
    graph = nx.DiGraph()
    graph.add_nodes_from(equations)
    graph.add_edges_from(
        (equation_of[v], f)
        for f in equations
        for v in structure.occurs[f]
        if v in equation_of and equation_of[v] != f
    )
    given: dict[str, list[str]] = {}
    for name, found in inputs.items():
        for f in found:
            given.setdefault(f, []).append(name)
    clusters = []
    for members in components(graph):
        variables = structure.in_order({matching[f] for f in members})
        read = {v for f in members for v in structure.occurs[f]} - {*variables}
        outside = dict.fromkeys(name for f in members for name in given.get(f, ()))
        clusters.append(Cluster(members, variables, (*outside, *structure.in_order(read))))
    return tuple(clusters)
