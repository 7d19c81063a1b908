"""`settle`: what a system does in the long run, sample by sample; see `physcm.sim.long_run`."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import Unsupported
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import Limit, long_runs
from physcm.sim.options import counted
from physcm.sim.provenance import provenance
from physcm.sim.status import LimitStatus, flags
from physcm.sim.system import System


def settle(system: System, n: int = 1, seed: int = 0, *, progress: bool = False) -> xr.Dataset:
    """Return the long-time limit of each sample, with a status.

    Args:
        system: autonomous and without noise.
        n: number of samples.
        seed: as in `simulate`.
        progress: show a progress bar.

    Returns:
        A dataset over `sample`: each state and derived variable at its limit (NaN unless
        settled), the parameters, `status` (settled, periodic, diverged, still_moving, broken_off),
        `period` (in which angles may go full turns), `settling_time`, `expected_time` (when
        damping that is too light to wait for will have stopped what still moves, NaN for all
        else), and attributes that suffice to repeat it.

    Raises:
        Unsupported: for a system with noise or explicit time, which has no such limit.

    >>> decay = System({"x": "1 - k*x"}, parameters={"k": 2}, initial={"x": 1})
    >>> float(settle(decay).x[0])
    0.5
    """
    require_autonomous(system)
    x0, p = system.draw(np.arange(n), seed)
    with counted(n, progress, "settling") as done:
        (limits,) = long_runs([(EquilibriumEquations(system), x0, p)], done)
    return _dataset(system, limits, p).assign_attrs(provenance(system), seed=int(seed))


def require_autonomous(system: System) -> None:
    """Refuse systems that noise, explicit time or sudden changes keep from resting."""
    if system.noise:
        raise Unsupported(
            f"{system.in_words} has noise in `{next(iter(system.noise))[0]}`, so that "
            "its states never rest; remove the noise, or ask for its stationary law"
        )
    if not system.is_autonomous:
        raise Unsupported(
            f"{system.in_words} reads time `t` in a mechanism, so that it has no "
            "equilibrium of its own; replace `t` by a parameter"
        )
    sudden = {"schedule": "interventions over time", "events": "events", "jumps": "jumps"}
    for field, what in sudden.items():
        if getattr(system, field):
            raise Unsupported(
                f"{system.in_words} has {what}, so that its state does not follow its "
                "drift alone; remove them, or look at it with `simulate`"
            )


def _dataset(system: System, limits: list[Limit], p: Floats) -> xr.Dataset:
    states = np.array([
        limit.state if limit.status is LimitStatus.SETTLED else np.full(len(system.states), np.nan)
        for limit in limits
    ]).T.reshape(len(system.states), len(limits))  # fmt: skip
    derived = system.outputs.vector(0.0, states, p)
    variables: dict[str, Any] = {}
    for names, rows in ((system.states, states), (tuple(system.derived), derived)):
        variables |= {name: ("sample", row) for name, row in zip(names, rows, strict=True)}
    variables |= {name: ("sample", p[i]) for i, name in enumerate(system.parameters)}
    variables["status"] = flags([limit.status for limit in limits], LimitStatus)
    variables["period"] = ("sample", [limit.period for limit in limits])
    variables["settling_time"] = ("sample", [limit.time for limit in limits])
    variables["expected_time"] = ("sample", [limit.expected for limit in limits])
    return xr.Dataset(variables, coords={"sample": np.arange(len(limits))})
