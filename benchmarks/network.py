"""How fast is a step of a large network, beside loops written by hand?

Question: what does one step of 10,000 phases coupled by 100,000 edges cost,

    d phase_i = (w_i + k sum_j sin(phase_j - phase_i)) dt + s dW_i,

by Euler and Maruyama's method, and what does a smooth run (s = 0, DOP853 at a tolerance of 1e-6)
cost? Peers are what a careful user writes for this network: a loop in Numba over the edges of
each node (compressed rows, all cores), and NumPy's `bincount` over the edges, both with normals
of NumPy's generator; for the smooth run SciPy's `solve_ivp` around the same two loops.
physcm draws noise that depends on the seed, the step and the node alone.

Run: python -m benchmarks.network

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, no other work): a step with noise
takes 1.2 ms, the loop in Numba 0.8 and `bincount` 1.6 times as long; a smooth run 1.1 s, and
`solve_ivp` around the two loops 1.1 and 2.1 times as long.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import networkx as nx
import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.sparse import csr_array

from benchmarks.timing import best, machine, table
from physcm.sim import Network, System, simulate

NODES, EDGES, K, S, H, STEPS = 10_000, 100_000, 0.1, 0.1, 0.01, 1_000
STOP = 100
W, START = np.linspace(-1, 1, NODES), np.linspace(0, 6, NODES)
GRAPH = nx.gnm_random_graph(NODES, EDGES, seed=1, directed=True)
CAUSE, EFFECT = np.array(list(GRAPH.edges)).T
Rates = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def phases(noise: bool) -> Network:
    """Return the network."""
    return System.from_network(
        {"phase": "w + inputs"},
        "k*sin(phase_cause - phase_effect)",
        GRAPH,
        parameters={"k": K},
        node_parameters={"w": W},
        initial={"phase": START},
        noise={"phase": S} if noise else {},
    )


def with_numpy(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rates at the nodes, as sums over the edges."""
    return W + K * np.bincount(EFFECT, np.sin(x[CAUSE] - x[EFFECT]), NODES)


def with_numba() -> Rates:
    """Return the function for the rates, compiled for the rows of the graph."""
    rows = csr_array((np.ones(EDGES), (EFFECT, CAUSE)), shape=(NODES, NODES))
    first, causes = rows.indptr, rows.indices

    @njit(parallel=True, fastmath=True)
    def rates(x: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.empty_like(x)
        for i in prange(len(x)):
            total = 0.0
            for j in range(first[i], first[i + 1]):
                total += np.sin(x[causes[j]] - x[i])
            out[i] = W[i] + K * total
        return out

    return rates  # type: ignore[no-any-return]


def euler(rates: Rates) -> None:
    """Take the steps with noise."""
    random, x = np.random.default_rng(0), START.copy()
    for _ in range(STEPS):
        x = x + H * rates(x) + S * np.sqrt(H) * random.standard_normal(NODES)


def solve(rates: Rates) -> None:
    """Solve the equations without noise."""
    solve_ivp(lambda _, x: rates(x), (0, STOP), START, method="DOP853", rtol=1e-6, atol=1e-8)


def compare(
    title: str, unit: float, ours: Callable[[], object], peer: Callable[[Rates], None]
) -> None:
    """Print what we take, and what the peer takes with each of the loops, in seconds / unit."""
    begin = time.perf_counter()
    ours()
    print(f"\nfirst run: {time.perf_counter() - begin:.2f} s")
    others = {name: best(partial(peer, rates), 2)[1] / unit for name, rates in LOOPS.items()}
    table(title, best(ours)[1] / unit, others, "ms")


LOOPS = {"Numba, loop over rows": with_numba(), "NumPy, bincount": with_numpy}

if __name__ == "__main__":
    print(machine())
    first, second = (rates(START) for rates in LOOPS.values())
    np.testing.assert_allclose(first, second, atol=1e-12)
    noisy, smooth = phases(noise=True), phases(noise=False)
    compare(
        "a step with noise", 1e-3 * STEPS, lambda: simulate(noisy, [0, STEPS * H], step=H), euler
    )
    compare(
        "a smooth run",
        1e-3,
        lambda: simulate(smooth, [0, STOP], rtol=1e-6, atol=1e-8),
        solve,
    )
