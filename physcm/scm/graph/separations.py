"""All separations of a small graph: every independence between two variables that it claims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

from physcm.mechanism.errors import InvalidValue
from physcm.scm.graph.mixed import MixedGraph
from physcm.scm.graph.walks import connected

MOST_QUESTIONS = 200_000


@dataclass(frozen=True)
class Separation:
    """Whether a graph separates two nodes given others.

    Attributes:
        x: the node that comes first in the graph.
        y: the other.
        given: the nodes conditioned on, in the order of the graph.
        separated: what the graph claims.
    """

    x: str
    y: str
    given: tuple[str, ...]
    separated: bool = True

    def __str__(self) -> str:
        condition = f" | {', '.join(self.given)}" if self.given else ""
        return f"{self.x} {'⊥' if self.separated else '⊥̸'} {self.y}{condition}"


def separations(
    graph: MixedGraph, *, sigma: bool = True, largest_given: int | None = None
) -> tuple[Separation, ...]:
    """Return every separation of two nodes given a set of others, the small sets first.

    Args:
        graph: any mixed graph with at most MOST_QUESTIONS (200,000) pairs and sets to ask
            about: with all sets, at most 13 nodes; with sets of at most one node, at most 74.
        sigma: sigma-separation, or else d-separation.
        largest_given: the largest size of the sets; without it, all other nodes.

    Raises:
        InvalidValue: if there are more pairs and sets, or for a negative size.

    >>> fork = MixedGraph([("x", "y"), ("x", "z")])
    >>> [str(separation) for separation in separations(fork)]
    ['y ⊥ z | x']
    """
    asked = questions(graph, sigma=sigma, largest_given=largest_given)
    return tuple(answer for answer in asked if answer.separated)


def questions(
    graph: MixedGraph, *, sigma: bool = True, largest_given: int | None = None
) -> Iterator[Separation]:
    """Return an iterator over all pairs and sets, separated or not; see `separations`."""
    others = len(graph.nodes) - 2
    largest = others if largest_given is None else largest_given
    if largest < 0 <= others:
        raise InvalidValue(f"largest_given is `{largest}`; give 0 or more")
    count = comb(others + 2, 2) * sum(comb(others, k) for k in range(min(largest, others) + 1))
    if count > MOST_QUESTIONS:
        raise InvalidValue(
            f"there are `{count}` pairs and sets to ask about, more than {MOST_QUESTIONS}; "
            "lower `largest_given`"
        )
    return _answers(graph, sigma, largest)


def _answers(graph: MixedGraph, sigma: bool, largest: int) -> Iterator[Separation]:
    for size in range(largest + 1):
        for given in combinations(graph.nodes, size):
            condition = frozenset(given)
            free = [name for name in graph.nodes if name not in condition]
            for i, x in enumerate(free):
                reached = connected(graph, [x], condition, sigma=sigma)
                for y in free[i + 1 :]:
                    yield Separation(x, y, given, y not in reached)
