"""How fast are separation queries, and how do they grow with the graph?

Question: how long does one query of random nodes x, y given as many others as a tenth of the
nodes take on random graphs with three edges per node? Sigma-separation is timed on graphs with
cycles and bidirected edges, d-separation on acyclic graphs beside networkx's `is_d_separator`
and, where it is installed, y0's `are_d_separated`; no peer has sigma-separation. The first query
of a graph, which finds its neighbors and components, is timed apart.

Run: python -m benchmarks.separation

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, while other work ran beside
it): milliseconds per query, and the peers' on the query of d-separation

     nodes    first    sigma        d    networkx      y0
        10      0.6    0.013    0.008       0.026    0.34
       100      1.0     0.13    0.078        0.25     6.9
     1,000       60      5.0      2.0         8.9      91
    10,000    1,140      121       81          69   1,750
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import networkx as nx
import numpy as np

from benchmarks.timing import best, machine
from physcm.scm import MixedGraph, d_separated, sigma_separated

SIZES = (10, 100, 1_000, 10_000)
QUERIES = 20

Query = tuple[str, str, set[str]]


def random_graph(size: int, *, acyclic: bool) -> MixedGraph:
    """Draw three edges per node; with cycles, one in ten of them is bidirected."""
    rng = np.random.default_rng(size)
    ends = rng.integers(0, size, (3 * size, 2))
    ends = ends[ends[:, 0] != ends[:, 1]]
    if acyclic:
        ends.sort(axis=1)
    edges = [(f"v{a}", f"v{b}") for a, b in ends]
    cut = 0 if acyclic else len(edges) // 10
    return MixedGraph(edges[cut:], edges[:cut], [f"v{i}" for i in range(size)])


def random_queries(graph: MixedGraph) -> list[Query]:
    rng = np.random.default_rng(1)
    drawn = (rng.permutation(list(graph.nodes)).tolist() for _ in range(QUERIES))
    return [(names[0], names[1], set(names[2 : 2 + len(names) // 10])) for names in drawn]


def milliseconds(ask: Callable[[str, str, set[str]], bool], queries: list[Query]) -> float:
    """Return the time of one query."""
    return best(lambda: [ask(*query) for query in queries])[1] / len(queries) * 1e3


def peers(graph: MixedGraph) -> dict[str, Callable[[str, str, set[str]], bool]]:
    """Return how each installed package answers a query on an acyclic graph."""
    digraph = nx.DiGraph(graph.digraph)
    found = {"networkx": lambda x, y, given: nx.is_d_separator(digraph, {x}, {y}, given)}
    if importlib.util.find_spec("y0"):
        from y0.algorithm.conditional_independencies import are_d_separated
        from y0.dsl import Variable
        from y0.graph import NxMixedGraph

        theirs = NxMixedGraph.from_str_edges(nodes=graph.nodes, directed=graph.directed)
        found["y0"] = lambda x, y, given: bool(
            are_d_separated(
                theirs, Variable(x), Variable(y), conditions=[Variable(name) for name in given]
            )
        )
    return found


def main() -> None:
    print(machine())
    print(f"{'nodes':>7}{'first':>9}{'sigma':>9}{'d':>9}   ms per query; then peers on the d query")
    for size in SIZES:
        cyclic, acyclic = (random_graph(size, acyclic=flag) for flag in (False, True))
        loops, plain = random_queries(cyclic), random_queries(acyclic)
        first = best(lambda g=cyclic, q=loops[0]: sigma_separated(g, *q), repeats=1)[1] * 1e3
        sigma = milliseconds(lambda *q, g=cyclic: sigma_separated(g, *q), loops)
        ours = milliseconds(lambda *q, g=acyclic: d_separated(g, *q), plain)
        line = f"{size:7}{first:9.3f}{sigma:9.3f}{ours:9.3f}"
        for name, ask in peers(acyclic).items():
            assert [ask(*q) for q in plain[:5]] == [d_separated(acyclic, *q) for q in plain[:5]]
            theirs = milliseconds(ask, plain[:5])
            line += f"   {name} {theirs:.3f} ({theirs / ours:.0f} times)"
        print(line)


if __name__ == "__main__":
    main()
