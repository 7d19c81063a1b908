"""How long to follow a system when nobody says: until it has settled, or five periods.

Where neither is known it is forty times the slowest time scale 1/|eigenvalue| at the start.
"""

from __future__ import annotations

import numpy as np

from physcm.mechanism import Unsupported
from physcm.sim import System, settle
from physcm.sim.status import LimitStatus

_PERIODS, _SCALES = 5, 40


def horizon(system: System, seed: int) -> float:
    """Return a time by which a system has shown what it does, to two digits.

    >>> tank = System({"h": "1 - k*h"}, parameters={"k": 2}, initial={"h": 1})
    >>> 1 < horizon(tank, seed=0) < 20
    True
    """
    return float(f"{_known(system, seed) or _SCALES * _slowest(system, seed):.2g}")


def _known(system: System, seed: int) -> float:
    """Return the settling time or five periods, 0 where there is neither."""
    try:
        limit = settle(system, seed=seed)
    except Unsupported:
        return 0.0
    status = LimitStatus(int(limit["status"][0]))
    if status is LimitStatus.PERIODIC:
        return _PERIODS * float(limit["period"][0])
    return float(limit["settling_time"][0]) if status is LimitStatus.SETTLED else 0.0


def _slowest(system: System, seed: int) -> float:
    x, p = system.draw(np.array([0]), seed)
    matrix = system.rates.jacobian.dense(0.0, x[:, 0], p[:, 0])
    if not np.isfinite(matrix).all():
        return 1.0
    sizes = np.abs(np.linalg.eigvals(matrix))
    sizes = sizes[sizes > 1e-9 * sizes.max(initial=0.0)]
    return float(1 / sizes.min()) if sizes.size else 1.0
