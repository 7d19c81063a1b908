"""How the run of one sample ended, as integers with CF `flag_values` and `flag_meanings`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import xarray as xr
from numpy.typing import NDArray


class RunStatus(IntEnum):
    """How a simulated sample ended.

    It reached the last time, grew without bound, had no value or no step that the solver could
    take, or came to the limit of time or of steps (firings, instants).
    """

    COMPLETE = 0
    DIVERGED = 1
    STOPPED = 2
    TIME_LIMIT = 3
    STEP_LIMIT = 4


class LimitStatus(IntEnum):
    """What a simulated sample did in the long run."""

    SETTLED = 0
    PERIODIC = 1
    DIVERGED = 2
    STILL_MOVING = 3
    BROKEN_OFF = 4


class RestStatus(IntEnum):
    """What is known of a sample's equilibrium.

    The flow from the start comes to rest there; there is one, but the flow was not seen to come
    to it; or none was found, and the flow repeats, grows without bound, moves on, or ends where
    the mechanisms have no finite value.
    """

    REACHED = 0
    FOUND = 1
    PERIODIC = 2
    DIVERGED = 3
    STILL_MOVING = 4
    BROKEN_OFF = 5


def flags(values: Sequence[IntEnum] | NDArray[np.integer], kind: type[IntEnum]) -> xr.Variable:
    """Return statuses over `sample`, with their meanings as attributes.

    >>> flags([RunStatus.DIVERGED], RunStatus).attrs["flag_meanings"]
    'complete diverged stopped time_limit step_limit'
    """
    attributes = {
        "flag_values": [int(member) for member in kind],
        "flag_meanings": " ".join(member.name.lower() for member in kind),
    }
    return xr.Variable("sample", np.array(values, dtype=np.int8), attributes)
