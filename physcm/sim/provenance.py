"""Where a dataset comes from: the attributes that say which model made it, and by which version."""

from __future__ import annotations

import physcm
from physcm.sim.system import System


def provenance(system: System) -> dict[str, str]:
    """Return the attributes of a dataset that a system made.

    >>> list(provenance(System({"x": "-x"}, initial={"x": 1})))
    ['title', 'system', 'physcm_version']
    """
    return {
        "title": system.name,
        "system": system.to_toml(),
        "physcm_version": physcm.__version__,
    }
