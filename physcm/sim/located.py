"""Where on a path a watched condition changes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.agenda import Agenda
from physcm.sim.modes import View

_LOOKS, _PARTS = 8, 64


def first_change(
    agenda: Agenda[View],
    truth: Callable[[Floats], NDArray[np.bool_]],
    begin: float,
    end: float,
    *,
    guard: float,
    resolution: float = 0.0,
    apart: float = math.inf,
) -> float | None:
    """Return when a condition first changes such that something is to be done, or None.

    Changes that call for nothing are noted on the agenda and passed over.

    Args:
        agenda: what conditions mean for the sample.
        truth: the conditions at some times, (conditions, times).
        begin: the path begins here, and nothing has changed yet.
        end: it ends here.
        guard: for so long after the beginning and after a change nothing is looked at, since
            right there rounding turns a condition on and off.
        resolution: how closely to locate; unless given, to neighboring floats.
        apart: the longest time between two looks.
    """
    begin = begin + guard if begin + guard < end else begin
    while (change := _located(agenda, truth, begin, end, resolution, apart)) is not None:
        if agenda.notice(truth(np.array([change]))[:, 0]):
            return change
        begin = change + guard
    return None


def _located(
    agenda: Agenda[View],
    truth: Callable[[Floats], NDArray[np.bool_]],
    low: float,
    high: float,
    resolution: float,
    apart: float,
) -> float | None:
    """Return the first time in (low, high] at which a condition has changed, as far as seen.

    The interval is cut into equal parts, and the first at whose end something has changed is
    cut again.
    """
    parts, found = max(_LOOKS, math.ceil((high - low) / apart)), None
    while low < high:
        looks = np.unique(np.linspace(low, high, parts + 1))[1:]
        changed = np.flatnonzero(agenda.changed(truth(looks)))
        if not changed.size:
            return found
        first = int(changed[0])
        low, high = (float(looks[first - 1]) if first else low), float(looks[first])
        if high - low <= resolution or np.nextafter(low, high) == high:
            return high
        parts, found = _PARTS, high
    return found
