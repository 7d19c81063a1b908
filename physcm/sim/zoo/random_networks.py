"""Random networks: systems drawn from a seed, the same for the same sizes and seed.

Each node reads `links` others, drawn without replacement; every number is drawn by its own
name (see `physcm.mechanism.randomness`) and rounded to three digits.

`random_linear_network` is dx_i/dt = b_i - x_i + sum_j a_ij x_j with sum_j |a_ij| < 1: by
Gershgorin's theorem all eigenvalues have negative real parts, and so have those of every system
in which some nodes are held.

`random_gene_network` is that of Mendes, Sha & Ye (2003): gene i is made at the rate V_i, times
K^h/(K^h + x_j^h) for each gene j that represses it and 1 + x_j^h/(K^h + x_j^h) for each that
activates it, and degraded at the rate d_i x_i.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from physcm.mechanism.randomness import uniforms

SIZES: Mapping[str, int] = MappingProxyType({"nodes": 5, "links": 2, "seed": 0})
"""The sizes of every random network, and their defaults."""

_LARGEST_ROW = 0.9


def random_linear_network(nodes: int, links: int, seed: int) -> dict[str, Any]:
    """Return a random stable linear network, laid out as a model file.

    >>> random_linear_network(nodes=2, links=1, seed=0)["drift"]
    {'x1': 'b1 - x1 + a1_2*x2', 'x2': 'b2 - x2 + a2_1*x1'}
    """
    causes = _wiring(nodes, links, seed)
    parameters = {f"b{i}": _between(seed, f"b{i}", -1, 1) for i in causes}
    for i, row in causes.items():
        largest = _LARGEST_ROW / max(1, len(row))
        for j in row:
            sign = 1 if _uniform(seed, f"sign{i}_{j}") < 0.5 else -1
            parameters[f"a{i}_{j}"] = sign * _between(seed, f"a{i}_{j}", largest / 3, largest)
    return {
        "name": "Random linear network",
        "description": (
            "Each node is drawn to a level that depends linearly on a few others, chosen at "
            "random, with cycles; a2_1 is the effect of x1 on x2. The influences on each node "
            "add up to less than its self-limitation, so that the one equilibrium, the solution "
            "of x = b + A x, is stable, and stays so whatever is held. The sizes are nodes, links "
            "into each node, and the seed."
        ),
        "source": (
            "May, Will a large complex system be stable?, Nature 238, 413-414 (1972), for random "
            "linear networks with self-limitation; the bound on the rows, by Gershgorin's theorem "
            "(1931), and the distributions are physcm's own."
        ),
        "parameters": parameters,
        "initial": {f"x{i}": 0.0 for i in causes},
        "drift": {
            f"x{i}": " + ".join([f"b{i} - x{i}", *(f"a{i}_{j}*x{j}" for j in row)])
            for i, row in causes.items()
        },
    }


def random_gene_network(nodes: int, links: int, seed: int) -> dict[str, Any]:
    """Return a random network of genes with Hill functions, laid out as a model file.

    >>> random_gene_network(nodes=2, links=1, seed=0)["drift"]["x2"]
    'V2*(1 + x1**h/(K2_1**h + x1**h)) - d2*x2'
    """
    causes = _wiring(nodes, links, seed)
    parameters = {"h": 2.0}
    for i, row in causes.items():
        parameters[f"V{i}"] = _between(seed, f"V{i}", 0.5, 2)
        parameters[f"d{i}"] = _between(seed, f"d{i}", 0.5, 1.5)
        parameters |= {f"K{i}_{j}": _between(seed, f"K{i}_{j}", 0.5, 2) for j in row}
    return {
        "name": "Random gene network",
        "description": (
            "Genes that activate or repress one another by Hill functions, with cycles; K2_1 is "
            "the level of x1 at which its effect on x2 is half of the largest. Levels stay "
            "between 0 and V 2^links/d, so that an equilibrium exists; it need not be the only "
            "one, nor stable. The sizes are nodes, links into each node, and the seed."
        ),
        "source": (
            "Mendes, Sha & Ye, Artificial gene networks for objective comparison of analysis "
            "algorithms, Bioinformatics 19 (suppl. 2), ii122-ii129 (2003). The distributions of "
            "the parameters, and the same number of links into each gene, are physcm's own."
        ),
        "parameters": parameters,
        "initial": {f"x{i}": _between(seed, f"x{i}", 0, 2) for i in causes},
        "drift": {
            f"x{i}": "*".join([f"V{i}", *(_regulation(seed, i, j) for j in row)]) + f" - d{i}*x{i}"
            for i, row in causes.items()
        },
        "bounds": {f"x{i}": [0.0, np.inf] for i in causes},
    }


NETWORKS: Mapping[str, Callable[..., dict[str, Any]]] = MappingProxyType(
    {made.__name__: made for made in (random_linear_network, random_gene_network)}
)


def _regulation(seed: int, gene: int, by: int) -> str:
    level, half = f"x{by}**h", f"K{gene}_{by}**h"
    if _uniform(seed, f"sign{gene}_{by}") < 0.5:
        return f"(1 + {level}/({half} + {level}))"
    return f"{half}/({half} + {level})"


def _wiring(nodes: int, links: int, seed: int) -> dict[int, list[int]]:
    """Return which others each node reads, nodes numbered from 1."""

    def drawn(i: int) -> Iterator[tuple[float, int]]:
        yield from ((_uniform(seed, f"link{i}_{j}"), j) for j in range(1, nodes + 1) if j != i)

    return {i: sorted(j for _, j in sorted(drawn(i))[:links]) for i in range(1, nodes + 1)}


def _between(seed: int, name: str, low: float, high: float) -> float:
    return round(low + (high - low) * _uniform(seed, name), 3)


def _uniform(seed: int, name: str) -> float:
    return float(uniforms(seed, name, np.arange(1))[0])
