"""Samples of a stochastic run that are lost: when, and why.

A sample is lost in the step after which some state is no finite number. It has diverged where
the state before was far larger than at the start; else some expression has no value there, or
at the points at which the step looks ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.modes import SystemView
from physcm.sim.status import RunStatus
from physcm.sim.stepping import HUGE
from physcm.sim.trouble import broken

Why: TypeAlias = Callable[[Any, int, float, Floats, bool], str]

_MOST_TOLD = 10
_AHEAD = (0.0, 0.75, 1.0)


class Losses:
    """What is known of lost samples.

    Attributes:
        status: how each sample ended, as far as it is known.
        why: of the first few.
    """

    def __init__(self, start: Floats, why: Why) -> None:
        """Begin with states at the start, (states, samples), when none is lost.

        Why says why a sample is lost, from the mode, the column, the time, the states and whether
        they have grown.
        """
        self._why, self.largest = why, np.maximum(1.0, np.abs(start).max(axis=0, initial=0.0))
        self.status = np.full(start.shape[1], RunStatus.COMPLETE, dtype=np.int64)
        self.why: dict[int, str] = {}

    def note(self, view: Any, columns: NDArray[np.int64], t: float | Floats, x: Floats) -> None:
        """Take note of samples that are lost in the step from time t and states x."""
        begin = np.broadcast_to(t, columns.shape)
        grew = np.abs(x).max(axis=0, initial=0.0) / HUGE > self.largest[columns]
        unknown = self.status[columns] == RunStatus.COMPLETE
        why = np.where(grew, RunStatus.DIVERGED, RunStatus.STOPPED)
        self.status[columns[unknown]] = why[unknown]
        for i in np.flatnonzero(unknown)[: _MOST_TOLD - len(self.why)]:
            k = int(columns[i])
            self.why[k] = self._why(view, k, float(begin[i]), x[:, i], bool(grew[i]))

    def struck(self, column: int, t: float, name: str) -> None:
        """Take note of a sample whose state has no value after what was done to it at once."""
        if self.status[column] == RunStatus.COMPLETE:
            self.status[column] = RunStatus.STOPPED
            if len(self.why) < _MOST_TOLD:
                self.why[column] = f"at t = {t:.6g} `{name}` has no finite value"


def why(view: SystemView, t: float, x: Floats, p: Floats, grew: bool, step: float) -> str:
    """Say why a sample of a system is lost in the step from time t and states x.

    Args:
        view: the mode.
        t: the time.
        x: the states.
        p: the parameters.
        grew: whether the states are far larger than at the start.
        step: the length of a step.
    """
    system = view.system
    if grew:
        largest = system.states[int(np.argmax(np.abs(x)))]
        return f"after t = {t:.6g} the state grows without bound, `{largest}` the most"
    rates = system.rates.vector(t, x[:, np.newaxis], p[:, np.newaxis])[:, 0]
    for share in _AHEAD:
        h = share * step
        told = broken(system, t + h, x + h * rates if h else x, p)
        if told:
            return told
    return f"in the step from t = {t:.6g} a state gets no finite value"
