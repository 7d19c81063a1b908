"""Which nodes an open walk reaches: the search behind both kinds of separation.

A walk, which may come back to a node, is open given C iff every collider on it is in C and no
non-collider blocks it. For d-separation a non-collider blocks if it is in C; for sigma-separation
if it is in C and has an outgoing edge on the walk to a node outside its own strongly connected
component (Forré & Mooij 2017). Two nodes are joined by an open walk iff by an open path: on a path
a collider need only be an ancestor of C, and the walk goes down to C and back. So it suffices to
remember how each node was left: time and memory are linear in nodes and edges, as in the
Bayes-ball algorithm (Shachter 1998).
"""

from __future__ import annotations

from collections.abc import Collection

from physcm.scm.graph.mixed import MixedGraph


def connected(
    graph: MixedGraph, start: Collection[str], given: frozenset[str], *, sigma: bool
) -> set[str]:
    """Return the nodes outside `given` that an open walk from a start reaches.

    No start may be given.

    >>> collider = MixedGraph([("x", "z"), ("y", "z")])
    >>> sorted(connected(collider, ["x"], frozenset(), sigma=True))
    ['x', 'z']
    >>> sorted(connected(collider, ["x"], frozenset("z"), sigma=True))
    ['x', 'y']
    """
    onward: set[str] = set()  # left along outgoing edges
    anyhow = set(start)  # left along all edges
    waiting = list(anyhow)
    while waiting:
        name = waiting.pop()
        children = graph.children_of[name]  # the node is no collider, with an outgoing edge
        if name in given:
            children = _same_loop(graph, name, children) if sigma else ()
        heads = [*children]
        if name in anyhow:
            heads += graph.spouses_of[name]
            # Into a parent the walk comes by a tail: a non-collider, whatever follows.
            tails = [
                parent
                for parent in graph.parents_of[name]
                if parent not in anyhow
                and (parent not in given or (sigma and graph.scc_of[parent] is graph.scc_of[name]))
            ]
            anyhow.update(tails)
            waiting += tails
        # By a head: a collider, if it goes on along another edge that points to the node.
        for reached in heads:
            if reached not in anyhow and reached not in onward:
                (anyhow if reached in given else onward).add(reached)
                waiting.append(reached)
    return (onward | anyhow) - given


def _same_loop(graph: MixedGraph, name: str, others: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of some nodes that are in a node's strongly connected component."""
    return tuple(n for n in others if graph.scc_of[n] is graph.scc_of[name])
