"""Absolute tolerances of a network: one for each variable, the same at all nodes."""

from __future__ import annotations

import math

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.sim import hybrid
from physcm.sim.engine import roughly, scaled
from physcm.sim.network.plan import NetworkPlan


def tolerances(
    plan: NetworkPlan, times: Floats, rtol: float, method: str, seconds: float = math.inf
) -> Floats:
    """Return an absolute tolerance per variable: a thousandth of rtol on its own scale.

    The scale of a variable is the largest value that it takes at any node, where it evolves, in a
    rough run of the first sample.
    """
    start = plan.start(times[0])[:, 0]
    scale = _largest(plan, start[:, np.newaxis])[:, 0]
    near = np.repeat(roughly(scale), len(plan.network.nodes))
    rough = hybrid.rough(near, method, seconds)
    grid = np.union1d(times, np.linspace(times[0], times[-1], 50))
    run = hybrid.run(plan, 0, grid, start, rough)
    return scaled(_largest(plan, run.values), scale, rtol)


def _largest(plan: NetworkPlan, full: Floats) -> Floats:
    """Return the largest size of each variable among the nodes, (variables, columns)."""
    evolving = plan.network.structure.evolving
    sizes = np.abs(full).reshape(*evolving.shape, -1)
    counted = evolving | ~evolving.any(axis=1, keepdims=True)
    seen = np.where(counted[..., np.newaxis], sizes, -np.inf)
    return np.asarray(np.fmax.reduce(seen, axis=1))
