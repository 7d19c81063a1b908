"""How fast is a causal ordering, and how does it grow with the number of equations?

Question: how long does it take to order n equations, written in random order, of which each
contains its own variable and two others: matching, clusters, parts, and the effects of one
equation? In "layered" structures the others come from before the variable, but for a fifth of
them, so that clusters are small; in "tangled" ones from anywhere, so that most equations make one
cluster. The baseline is networkx alone: `hopcroft_karp_matching`, then the condensation of the
oriented bipartite graph with partners joined; its matching recurses, and fails (`-`) where
Python's stack ends. Equations written as texts take longer, since each is parsed and tested for
what occurs in it by meaning, and for what follows from others.

Run: python -m benchmarks.ordering

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, while other work ran beside
it): seconds

              equations  clusters  largest   physcm  networkx
    layered       1,000       972        5     0.04      0.30
    layered      10,000     9,849        7      0.7       3.0
    layered     100,000    98,358        6       22         -
    tangled       1,000       197      804     0.03      0.06
    tangled      10,000     1,984    8,017      0.7       2.9
    tangled     100,000    20,228   79,773       16        58
    texts            10                        0.05
    texts           100                         0.5
    texts         1,000                          26
"""

from __future__ import annotations

import networkx as nx
import numpy as np

from benchmarks.timing import best, machine
from physcm.abstraction import CausalOrdering, causal_ordering

SIZES = (10, 100, 1_000, 10_000, 100_000)
WRITTEN = (10, 100, 1_000)

Structure = dict[str, list[str]]


def layered(size: int) -> Structure:
    rng = np.random.default_rng(size)
    own = rng.permutation(size)
    near = np.maximum(0, own - rng.integers(1, 20, size))
    far = np.where(rng.random(size) < 0.2, own + 1, own - rng.integers(1, size + 1, size))
    return named(own, near, np.clip(far, 0, size - 1))


def tangled(size: int) -> Structure:
    rng = np.random.default_rng(size)
    return named(rng.permutation(size), *rng.integers(0, size, (2, size)))


def named(*columns: np.ndarray) -> Structure:
    return {
        f"f{i}": [f"x{j}" for j in {*row.tolist()}] for i, row in enumerate(np.array(columns).T)
    }


def written(seed: int, names: list[str]) -> str:
    weights = np.random.default_rng(seed).uniform(1, 2, len(names))
    terms = (f"{weight:.3f}*{name}" for weight, name in zip(weights, names, strict=True))
    return " - ".join((*terms, "a"))


def ordered(occurs: Structure) -> CausalOrdering:
    ordering = causal_ordering(occurs)
    assert ordering.decomposition.is_determined
    assert ordering.clusters
    assert ordering.effects("f0")
    return ordering


def by_networkx(occurs: Structure) -> int | None:
    """Return the number of clusters."""
    graph = nx.Graph((f, v) for f, names in occurs.items() for v in names)
    try:
        partner = nx.bipartite.hopcroft_karp_matching(graph, top_nodes=occurs)
    except RecursionError:
        return None
    oriented = nx.DiGraph((v, f) for f, names in occurs.items() for v in names)
    oriented.add_edges_from((f, partner[f]) for f in occurs)
    return nx.condensation(oriented).number_of_nodes()


def main() -> None:
    print(machine())
    print(f"{'':9}{'equations':>10}{'clusters':>10}{'largest':>9}{'physcm':>9}{'networkx':>10}")
    for kind in (layered, tangled):
        for size in SIZES:
            occurs = kind(size)
            ordering, ours = best(lambda o=occurs: ordered(o))
            count, theirs = best(lambda o=occurs: by_networkx(o), repeats=1)
            assert count in (None, len(ordering.clusters))
            largest = max(len(c.variables) for c in ordering.clusters)
            sizes = f"{size:10,}{len(ordering.clusters):10,}{largest:9,}"
            peer = "-" if count is None else f"{theirs:.3f}"
            print(f"{kind.__name__:9}{sizes}{ours:9.3f}{peer:>10}", flush=True)
    for size in WRITTEN:
        texts = {f: written(i, names) for i, (f, names) in enumerate(layered(size).items())}
        variables = [f"x{i}" for i in range(size)]
        _, seconds = best(lambda t=texts, v=variables: causal_ordering(t, variables=v), repeats=1)
        print(f"{'texts':9}{size:10,}{seconds:28.3f}", flush=True)


if __name__ == "__main__":
    main()
