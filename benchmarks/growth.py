"""How does the time of a run grow with samples, states, saved times and edges?

Question: how long do a ring of genes (t = 50, 101 saved times), the same with noise (1,000
steps) and a network of coupled phases take, as there are more samples, states, saved times or
edges? A line of slope 1 is what the number of operations does.

The plot goes to benchmarks/results/growth.png.

Run: python -m benchmarks.growth
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import networkx as nx
import numpy as np
from matplotlib.figure import Figure

from benchmarks.timing import best, machine
from physcm.mechanism import Uniform
from physcm.sim import Network, System, simulate

RESULTS = Path(__file__).parent / "results"
TIMES = np.linspace(0, 50, 101)


def ring(n: int, noise: bool = False) -> System:
    return System(
        {f"x{i}": f"a/(1 + x{i - 1 if i else n - 1}**4) - x{i}" for i in range(n)},
        parameters={"a": Uniform(2.5, 3.5)},
        initial={f"x{i}": 0.1 + 0.2 * (i % 5) for i in range(n)},
        noise={f"x{i}": 0.05 for i in range(n)} if noise else {},
        name=f"ring of {n} genes",
    )


def by_samples(noise: bool) -> Callable[[int], object]:
    system, options = ring(6, noise), {"step": 0.05} if noise else {"rtol": 1e-6}
    return lambda n: simulate(system, TIMES, n=n, **options)


def by_states(noise: bool) -> Callable[[int], object]:
    options = {"step": 0.05} if noise else {"rtol": 1e-6}
    return lambda n: simulate(ring(n, noise), TIMES, n=64, **options)


def by_points(noise: bool) -> Callable[[int], object]:
    system, options = ring(6, noise), {"step": 0.05} if noise else {"rtol": 1e-6}
    grid = np.arange(1001) * 0.05
    return lambda n: simulate(system, grid[:: 1000 // n], n=1000, **options)


@lru_cache
def phases(edges: int) -> Network:
    nodes = edges // 10
    graph = nx.gnm_random_graph(nodes, edges, seed=1, directed=True)
    return System.from_network(
        {"phase": "w + inputs"},
        "k*sin(phase_cause - phase_effect)",
        graph,
        parameters={"k": 0.1},
        node_parameters={"w": np.linspace(-1, 1, nodes)},
        initial={"phase": np.linspace(0, 6, nodes)},
    )


def by_edges(edges: int) -> object:
    return simulate(phases(edges), np.linspace(0, 1, 11), rtol=1e-4)


SERIES = {
    "samples": ([1, 10, 100, 1_000, 10_000, 100_000], {
        "ring of 6 genes": by_samples(False), "with noise": by_samples(True),
    }),
    "states": ([4, 8, 16, 32, 64, 128], {
        "ring of genes, 64 samples": by_states(False), "with noise": by_states(True),
    }),
    "saved times": ([1, 10, 100, 1_000], {
        "ring of 6 genes, 1,000 samples": by_points(False), "with noise": by_points(True),
    }),
    "edges": ([1_000, 10_000, 100_000, 1_000_000], {"coupled phases": by_edges}),
}  # fmt: skip

if __name__ == "__main__":
    print(machine())
    figure = Figure(figsize=(9, 7), layout="constrained")
    for panel, (what, (sizes, lines)) in zip(
        figure.subplots(2, 2).ravel(), SERIES.items(), strict=True
    ):
        for title, run in lines.items():
            run(sizes[0])
            seconds = []
            for size in sizes:
                run(size)
                seconds.append(best(lambda run=run, size=size: run(size), 2)[1])
            print(f"{what}: {title}")
            print(
                "  " + ", ".join(f"{n:,}: {s:.3g} s" for n, s in zip(sizes, seconds, strict=True))
            )
            panel.loglog(sizes, seconds, "o-", label=title, markersize=3)
        line = seconds[-1] * np.array(sizes) / sizes[-1]
        panel.loglog(sizes, line, "--", color="0.6", linewidth=1, label="slope 1", zorder=0)
        panel.set_xlabel(f"number of {what}")
        panel.set_ylabel("seconds, all of a call")
        panel.legend(frameon=False, fontsize=8)
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "growth.png", dpi=120)
