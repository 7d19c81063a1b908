"""dagitty's text: `dag { x -> y  x <-> y  u [latent] }`.

Statements are nodes with marks in brackets, and edges `->`, `<-` and `<->`, in chains and
between groups in braces (Textor et al., Int. J. Epidemiology 2016). Marks say which nodes are
latent, exposures, outcomes, adjusted for or selected on; positions and labels are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from physcm.mechanism.errors import Unsupported
from physcm.scm.graph import MixedGraph, latent_projection
from physcm.scm.graph.mixed import Names
from physcm.scm.interchange.dagitty_reader import MARKS, RESERVED, read


@dataclass(frozen=True)
class MarkedGraph:
    """A graph with the roles that dagitty gives to its nodes.

    Attributes:
        graph: all nodes, the latent ones included.
        latent: the nodes that are not observed.
        exposure: the causes whose effect is asked for.
        outcome: the effects asked for.
        adjusted: the nodes controlled for.
        selected: the nodes by whose values the sample was selected.
    """

    graph: MixedGraph
    latent: frozenset[str] = frozenset()
    exposure: frozenset[str] = frozenset()
    outcome: frozenset[str] = frozenset()
    adjusted: frozenset[str] = frozenset()
    selected: frozenset[str] = frozenset()

    def observed(self) -> MixedGraph:
        """Return the graph of the observed nodes, by latent projection."""
        return latent_projection(self.graph, self.latent)


def to_dagitty(
    graph: MixedGraph,
    *,
    latent: Names = (),
    exposure: Names = (),
    outcome: Names = (),
    adjusted: Names = (),
    selected: Names = (),
) -> str:
    """Return a graph as dagitty's text: a `dag`, or with cycles a `digraph`.

    Args:
        graph: any mixed graph.
        latent: see MarkedGraph for this and the other roles.
        exposure: see there.
        outcome: see there.
        adjusted: see there.
        selected: see there.

    Raises:
        UnknownVariable: for a name that is no node.
        Unsupported: for a name that dagitty cannot write: with a double quote or a line break,
            or `graph`, `node`, `edge` or `subgraph`.

    >>> print(to_dagitty(MixedGraph([("x", "y")], [("x", "y")]), exposure="x"))
    dag {
    x [exposure]
    y
    x -> y
    x <-> y
    }
    """
    roles = dict(zip(MARKS, (latent, exposure, outcome, adjusted, selected), strict=True))
    chosen = {mark: graph.select(names) for mark, names in roles.items()}
    lines = ["dag {" if graph.is_acyclic else "digraph {"]
    for name in graph.nodes:
        marks = ",".join(mark for mark, names in chosen.items() if name in names)
        lines.append(_quoted(name) + (f" [{marks}]" if marks else ""))
    lines += [f"{_quoted(a)} -> {_quoted(b)}" for a, b in sorted(graph.directed)]
    lines += [f"{_quoted(a)} <-> {_quoted(b)}" for a, b in sorted(graph.bidirected)]
    return "\n".join([*lines, "}"])


def from_dagitty(text: str) -> MarkedGraph:
    """Return the graph in dagitty's text, with its marks.

    Raises:
        ParseError: for text that is not dagitty's.
        Unsupported: for a graph with undirected or open-ended edges, such as a `pdag` or `pag`.

    >>> marked = from_dagitty("dag { u [latent] x <- u -> y  x -> { m y } }")
    >>> marked.latent, marked.observed()
    (frozenset({'u'}), MixedGraph(x -> y, x -> m, x <-> y))
    """
    content = read(text)
    roles = {
        mark: frozenset(name for name, marks in content.nodes.items() if mark in marks)
        for mark in MARKS
    }
    return MarkedGraph(MixedGraph(content.directed, content.bidirected, content.nodes), **roles)


def _quoted(name: str) -> str:
    if name in RESERVED or '"' in name or not name.isprintable():
        raise Unsupported(f"dagitty cannot write the name `{name}`; rename it, or use `to_json`")
    return name if re.fullmatch(r"[A-Za-z_][\w.]*", name) else f'"{name}"'
