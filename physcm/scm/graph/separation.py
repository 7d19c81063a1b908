"""Sigma- and d-separation: the independences that a graph claims.

C separates A and B iff every path between them is blocked by C. A path is blocked iff an end is
in C, or a collider on it is no ancestor of C, or a non-collider in C blocks it: for d-separation
always, for sigma-separation only if it has an outgoing edge on the path to a node outside its
own strongly connected component (Forré & Mooij 2017). On acyclic graphs the two are one.

Sigma-separation is valid for all simple SCMs, d-separation for acyclic ones and, with cycles,
for linear ones and for discrete ones under conditions (Bongers, Forré, Peters & Mooij, Annals of
Statistics 2021, section 6). A non-linear model with cycles can be dependent where d-separation
claims independence.

Two algorithms that share nothing but the graph answer each question, and are tested against each
other: a search for open walks, and a search of the moral graph of ancestors, for
sigma-separation that of the acyclification.
"""

from __future__ import annotations

from itertools import combinations
from typing import Literal

from physcm.mechanism.errors import InvalidValue
from physcm.scm.graph.acyclification import acyclification
from physcm.scm.graph.mixed import MixedGraph, Names
from physcm.scm.graph.moralization import separated_in_moral_graph
from physcm.scm.graph.walks import connected

Method = Literal["walks", "moral"]


def sigma_separated(
    graph: MixedGraph, x: Names, y: Names, given: Names = (), *, method: Method = "walks"
) -> bool:
    """Return whether `given` sigma-separates two sets of nodes.

    Args:
        graph: any mixed graph.
        x: one name or several.
        y: one name or several.
        given: the names conditioned on; may be empty.
        method: "walks" searches open walks, in time linear in nodes and edges; "moral" searches
            the moral graph of the acyclification.

    Raises:
        UnknownVariable: for a name that is no node.
        InvalidValue: if x or y is empty, if sets overlap, or for another method.

    >>> loop = MixedGraph([("1", "3"), ("2", "4"), ("3", "4"), ("4", "3")])
    >>> sigma_separated(loop, "1", "2"), sigma_separated(loop, "1", "2", ["3", "4"])
    (True, False)
    """
    query = question(graph, x, y, given)
    if _by_walks(method):
        return query[1].isdisjoint(connected(graph, query[0], query[2], sigma=True))
    return separated_in_moral_graph(acyclification(graph), *query)


def d_separated(
    graph: MixedGraph, x: Names, y: Names, given: Names = (), *, method: Method = "walks"
) -> bool:
    """Return whether `given` d-separates two sets of nodes.

    Args:
        graph: any mixed graph; with cycles, see above for the models in which this means
            independence.
        x: one name or several.
        y: one name or several.
        given: the names conditioned on; may be empty.
        method: "walks" searches open walks, in time linear in nodes and edges; "moral" searches
            the moral graph.

    Raises:
        UnknownVariable: for a name that is no node.
        InvalidValue: if x or y is empty, if sets overlap, or for another method.

    >>> loop = MixedGraph([("1", "3"), ("2", "4"), ("3", "4"), ("4", "3")])
    >>> d_separated(loop, "1", "2"), d_separated(loop, "1", "2", ["3", "4"])
    (True, True)
    """
    query = question(graph, x, y, given)
    if _by_walks(method):
        return query[1].isdisjoint(connected(graph, query[0], query[2], sigma=False))
    return separated_in_moral_graph(graph, *query)


def question(
    graph: MixedGraph, x: Names, y: Names, given: Names
) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the three sets of a query, after checks.

    Raises:
        UnknownVariable: for a name that is no node.
        InvalidValue: if x or y is empty, or if sets overlap.
    """
    sets = {"x": graph.select(x), "y": graph.select(y), "given": graph.select(given)}
    for name in ("x", "y"):
        if not sets[name]:
            raise InvalidValue(f"the set `{name}` is empty; name at least one node")
    for (a, first), (b, second) in combinations(sets.items(), 2):
        if first & second:
            shared = ", ".join(f"`{name}`" for name in sorted(first & second))
            raise InvalidValue(f"{shared} is in both `{a}` and `{b}`; give disjoint sets")
    return sets["x"], sets["y"], sets["given"]


def _by_walks(method: str) -> bool:
    if method not in ("walks", "moral"):
        raise InvalidValue(f'the method is `{method}`; give "walks" or "moral"')
    return method == "walks"
