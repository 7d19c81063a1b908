"""The latent projection: the graph of a model of which some variables are not seen.

Verma (1993); for graphs with cycles Bongers, Forré, Peters & Mooij, Annals of Statistics 2021,
section 5. Separations among the variables that stay are kept, holding variables that stay
commutes with it, and the order in which variables are projected out does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, combinations, product

from physcm.scm.graph.mixed import Edge, MixedGraph, Names


def latent_projection(graph: MixedGraph, latent: Names) -> MixedGraph:
    """Return the graph over the other variables, with the latent ones marginalized out.

    u -> v iff there is a directed path from u to v with latent nodes only between them, u = v
    included: a loop through latent nodes leaves a self-cycle. u <-> v iff there is a path
    u <- ... -> v with an arrowhead at both ends and latent nodes only between them, of which
    none is a collider; it may contain one bidirected edge.

    Raises:
        UnknownVariable: if a latent name is no node.

    >>> latent_projection(MixedGraph([("l", "x"), ("l", "y"), ("x", "m"), ("m", "y")]), ["l", "m"])
    MixedGraph(x -> y, x <-> y)
    """
    hidden = graph.select(latent)
    seen = [name for name in graph.nodes if name not in hidden]
    # What a latent node moves by way of latent nodes alone; another node stands for itself.
    moved = {name: _first_seen(graph, name, hidden) for name in hidden}
    moved |= {name: frozenset([name]) for name in seen}
    directed = {
        (cause, effect)
        for cause in seen
        for child in graph.children_of[cause]
        for effect in moved[child]
    }
    together = {moved[name] for name in hidden}
    apart = {(moved[a], moved[b]) for a, b in graph.bidirected}
    forks = chain(
        chain.from_iterable(combinations(sorted(names), 2) for names in together),
        chain.from_iterable(product(*pair) for pair in apart),
    )
    return MixedGraph(directed, _between_two(forks), seen)


def _first_seen(graph: MixedGraph, start: str, hidden: frozenset[str]) -> frozenset[str]:
    found = {start}
    waiting = [start]
    while waiting:
        new = [name for name in graph.children_of[waiting.pop()] if name not in found]
        found.update(new)
        waiting += [name for name in new if name in hidden]
    return frozenset(found - hidden)


def _between_two(edges: Iterable[Edge]) -> Iterator[Edge]:
    return ((a, b) for a, b in edges if a != b)
