"""What runs do that do not reach a target, and what the imagined state is in the plant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from physcm.abstraction.planning.plans import Plan
from physcm.sim import System
from physcm.sim.equilibrium import EquilibriumEquations, stability
from physcm.sim.status import LimitStatus

TOLERANCE = 1e-5


def long_run(status: LimitStatus, limits: xr.Dataset, names: tuple[str, ...]) -> str:
    """Say what runs do in place of reaching the target."""
    match status:
        case LimitStatus.SETTLED:
            return f"the plant rests at {values_in_words(limits, names)}"
        case LimitStatus.PERIODIC:
            return f"the plant oscillates with the period {float(limits.period.median()):.4g}"
        case LimitStatus.DIVERGED:
            return "the plant grows without bound"
        case LimitStatus.STILL_MOVING:
            return "the plant never comes to rest"
        case _:
            return "the mechanisms of the plant have no finite value any more"


def imagined_state(plan: Plan, acted: System, limits: xr.Dataset, k: int) -> str:
    """Say what the state that the model imagines for a run is in the plant."""
    plant, imagined = EquilibriumEquations(acted), plan.imagined
    if k >= imagined.sizes["sample"] or not {*acted.states} <= {*imagined.data_vars}:
        return "what the model imagines of this run is not known"
    x0, p = (row[:, k] for row in acted.draw(np.arange(k + 1), plan.seed))
    x, end = (
        np.array([float(found[name][k]) for name in acted.states]) for found in (imagined, limits)
    )
    size = np.maximum(np.abs(x), np.abs(x0))
    size = np.where(size > 0, size, 1.0)
    if (np.abs(end - x) <= TOLERANCE * size).all():
        return "that is what the model imagines of this run, which the plan leaves out"
    if not plant.rests(x, p, plant.conserved(x[:, np.newaxis])[:, 0]):
        return "the imagined state is no equilibrium of the plant"
    if not plant.rests(x, p, plant.conserved(x0[:, np.newaxis])[:, 0]):
        return "the imagined state has other conserved totals than the plant"
    kind = stability(plant.eigenvalues(x, p, size))
    if kind == "stable":
        moving = limits.status[k] == LimitStatus.STILL_MOVING
        but = "too slowly to be seen to arrive" if moving else "but not from this start"
        return f"the imagined state is an equilibrium that attracts, {but}"
    how = "repels" if kind == "unstable" else "may not attract (its linearization cannot tell)"
    return f"the imagined state is an equilibrium that {how}"


def values_in_words(found: xr.Dataset | Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the medians of some variables as text."""
    parts = []
    for name in names:
        if name in found:
            values = np.asarray(found[name])
            known = values[np.isfinite(values)]
            parts.append(
                f"{name} = {np.median(known):.4g}" if known.size else f"{name} not at rest"
            )
    return ", ".join(parts)
