"""Limit cycles where no equilibrium is stable: how far they swing, and how long they take.

They are found by following the flow from the system's own start at each value, all values at
once, until it repeats; a cycle that does not attract from there is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.sim.long_run import Limit, long_runs
from physcm.sim.provenance import provenance
from physcm.sim.pursuit import pursue
from physcm.sim.status import LimitStatus, flags

if TYPE_CHECKING:
    from physcm.sim.bifurcation.found import Continuation

_POINTS = 1000
_RTOL = 1e-8


def cycles(found: Continuation, values: Iterable[float]) -> xr.Dataset:
    """Return the cycle that the system comes to from its start, at each value.

    Args:
        found: the continuation, whose sweep is taken.
        values: of what is swept.

    Returns:
        A dataset over `value`: every state and derived variable over `end` (low, high), NaN where
        the flow does not repeat, the `period`, and `status` as from `settle`.
    """
    sweep, system = found.sweep, found.sweep.system
    at = np.array([float(value) for value in values])
    starts = [sweep.at(value) for value in at.tolist()]
    x, p = (np.array(rows).reshape(at.size, -1).T for rows in zip(*starts, strict=True))
    (limits,) = long_runs([(sweep.equations, x, p)])
    ends = np.full((len(system.variables), 2, at.size), np.nan)
    which = [k for k, limit in enumerate(limits) if limit.status is LimitStatus.PERIODIC]
    if which:
        ends[:, :, which] = _swings(found, [limits[k] for k in which], p[:, which])
    data: dict[str, Any] = {
        name: (("end", "value"), row) for name, row in zip(system.variables, ends, strict=True)
    }
    data["period"] = ("value", np.array([limit.period for limit in limits]))
    status = flags([limit.status for limit in limits], LimitStatus)
    data["status"] = ("value", status.values, status.attrs)
    coords = {"end": ["low", "high"], "value": at}
    settings = {"seed": sweep.seed, "sample": sweep.sample, "swept": sweep.name}
    return xr.Dataset(data, coords).assign_attrs(provenance(system), **settings)


def _swings(found: Continuation, limits: list[Limit], p: Floats) -> Floats:
    """Return the ends of each variable over one period, shape (variables, 2, cycles)."""
    system = found.sweep.system
    times = np.linspace(0.0, [limit.period for limit in limits], _POINTS, axis=1)
    x = np.column_stack([limit.state for limit in limits])
    scale = np.column_stack([np.where(limit.scale > 0, limit.scale, 1.0) for limit in limits])
    runs = pursue(system, times, x, p, _RTOL, 1e-3 * _RTOL * scale)
    out = []
    for run, q in zip(runs.each, p.T, strict=True):
        derived = system.outputs.vector(0.0, run.states, q[:, np.newaxis])
        rows = np.vstack([run.states, derived])
        out.append(np.array([rows.min(axis=1), rows.max(axis=1)]).T)
    return np.stack(out, axis=2)
