"""Variables: who reads whom as it is written, and sets of them that are solved together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import combinations

import networkx as nx
import sympy as sp

from physcm.mechanism.errors import InvalidValue, UnknownVariable, Unsupported
from physcm.mechanism.expression import names_in
from physcm.mechanism.parser import closest
from physcm.scm.graph import components

LARGEST_COMPONENT = 12


def selected(
    variables: Collection[str], names: str | Iterable[str], in_words: str
) -> tuple[str, ...]:
    """Return one name or several in the order of the variables.

    >>> selected(("x", "y", "z"), ["z", "x"], "the model")
    ('x', 'z')
    """
    chosen = {names} if isinstance(names, str) else set(names)
    for name in chosen - set(variables):
        raise UnknownVariable(f"`{name}` is no variable of {in_words}; {closest(name, variables)}")
    if not chosen:
        raise InvalidValue("`names` is empty; give at least one variable")
    return tuple(name for name in variables if name in chosen)


def reading(mechanisms: Mapping[str, sp.Basic]) -> nx.DiGraph:
    """Return the graph of who stands in whose mechanism, whether it matters there or not.

    >>> reading({"x": sp.Symbol("y") + 1, "y": sp.Symbol("e")}).edges
    OutEdgeView([('y', 'x')])
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(mechanisms)
    for name, mechanism in mechanisms.items():
        read = names_in(mechanism) & mechanisms.keys()
        graph.add_edges_from((cause, name) for cause in sorted(read))
    return graph


def connected_subsets(graph: nx.DiGraph) -> Iterator[tuple[str, ...]]:
    """Yield every set of nodes that is strongly connected by itself, small ones first.

    A model is uniquely solvable with respect to all sets if it is with respect to these: any
    other set is solved one strongly connected part after another.

    Raises:
        Unsupported: for a component of more than 12 nodes, which has too many subsets.

    >>> list(connected_subsets(nx.DiGraph([("x", "y"), ("y", "x"), ("y", "z")])))
    [('x',), ('y',), ('x', 'y'), ('z',)]
    """
    for component in components(graph):
        if len(component) > LARGEST_COMPONENT:
            raise Unsupported(
                f"the feedback loops of `{', '.join(component[:3])}, ...` join {len(component)} "
                f"variables, and {LARGEST_COMPONENT} have {2**LARGEST_COMPONENT - 1} subsets to "
                "look at; ask is_uniquely_solvable for the sets that matter"
            )
        for size in range(1, len(component) + 1):
            for subset in combinations(component, size):
                if size == 1 or nx.is_strongly_connected(graph.subgraph(subset)):
                    yield subset
