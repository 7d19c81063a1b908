"""Identification: which effects follow from observations, and by which formula.

The ID algorithm decides this for acyclic graphs with hidden causes: it finds a formula for
p(y | do(x)) or p(y | do(x), given) in terms of the observed distribution, or there is none
(Shpitser & Pearl, AAAI and UAI 2006). It is y0's (Hoyt et al.); `pip install "physcm[identify]"`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import networkx as nx

from physcm.mechanism.errors import NotIdentifiable, Unsupported
from physcm.scm.graph.mixed import MixedGraph, Names
from physcm.scm.graph.separation import question


@dataclass(frozen=True)
class Estimand:
    """A formula for an effect in terms of the observed distribution.

    Attributes:
        text: the formula as text.
        latex: the formula in LaTeX.
        expression: the formula as an expression of y0.
    """

    text: str
    latex: str
    expression: Any

    def __str__(self) -> str:
        return self.text


def identify(graph: MixedGraph, x: Names, y: Names, given: Names = ()) -> Estimand:
    """Return a formula for p(y | do(x)), or for p(y | do(x), given), from observations.

    Args:
        graph: acyclic; every node is observed, hidden causes are bidirected edges.
        x: the causes that are held.
        y: the effects.
        given: the names conditioned on after the intervention.

    Raises:
        UnknownVariable: for a name that is no node.
        InvalidValue: if x or y is empty, or if sets overlap.
        NotIdentifiable: if observations do not determine the effect.
        Unsupported: for a graph with cycles, or if y0 is not installed.
    """
    causes, effects, conditions = question(graph, x, y, given)
    if not graph.is_acyclic:
        name = nx.find_cycle(graph.digraph)[0][0]
        raise Unsupported(
            f"the graph has a cycle through `{name}`, and identification is for acyclic "
            "graphs; ask `adjustment_sets`, which knows cycles"
        )
    expression = _expression(graph, causes, effects, conditions)
    if expression is None:
        raise NotIdentifiable(
            f"the effect of `{', '.join(sorted(causes))}` on `{', '.join(sorted(effects))}` does "
            "not follow from observations in this graph; measure a hidden cause, or intervene"
        )
    return Estimand(str(expression), expression.to_latex(), expression)


def _expression(
    graph: MixedGraph, x: frozenset[str], y: frozenset[str], given: frozenset[str]
) -> Any:
    try:
        from y0.algorithm.identify import identify_outcomes
        from y0.dsl import Variable
        from y0.graph import NxMixedGraph
    except ImportError as error:
        raise Unsupported('`y0` is not installed; pip install "physcm[identify]"') from error
    theirs = NxMixedGraph.from_str_edges(
        nodes=graph.nodes, directed=sorted(graph.directed), undirected=sorted(graph.bidirected)
    )
    causes, effects, conditions = ({Variable(name) for name in names} for names in (x, y, given))
    return identify_outcomes(theirs, causes, effects, conditions or None)
