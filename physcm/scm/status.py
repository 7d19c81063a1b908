"""How many solutions the equations of one sample have, as CF flags.

X1 = X2, X2 = X1 has infinitely many solutions, X1 = X2 + 1, X2 = X1 has none, and an iteration
that finds nothing has proved nothing: three different answers (Bongers, Forré, Peters & Mooij,
Annals of Statistics 2021, section 3).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import xarray as xr
from numpy.typing import NDArray


class SolutionStatus(IntEnum):
    """What is known about the solutions of one sample.

    - `UNIQUE`: exactly one was found.
    - `NONE`: there is none.
    - `SEVERAL`: more than one was found.
    - `CONTINUUM`: there are infinitely many; the equations are singular but consistent.
    - `NOT_FOUND`: iteration found none, which does not prove that there is none.
    """

    UNIQUE = 0
    NONE = 1
    SEVERAL = 2
    CONTINUUM = 3
    NOT_FOUND = 4


def flags(values: NDArray[np.int8]) -> xr.Variable:
    """Return statuses over `sample`, with their meanings as attributes.

    >>> flags(np.array([0, 4], dtype=np.int8)).attrs["flag_meanings"]
    'unique none several continuum not_found'
    """
    attributes = {
        "flag_values": [int(member) for member in SolutionStatus],
        "flag_meanings": " ".join(member.name.lower() for member in SolutionStatus),
    }
    return xr.Variable("sample", values, attributes)
