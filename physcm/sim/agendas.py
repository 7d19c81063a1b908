"""What is due when, for many samples: their agendas, all together or one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.instants import Instants
from physcm.sim.one_by_one import OneByOne
from physcm.sim.plan import AnyView, Plan
from physcm.sim.together import Together

Columns = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Agendas(Protocol[AnyView]):
    """The agendas of the samples of a run; values are full vectors of all, changed in place."""

    def begin(self, columns: Columns, now: Floats, values: Floats) -> None:
        """Start: look at the triggers of some samples for the first time, and act."""

    def act(self, columns: Columns, now: Floats, values: Floats) -> None:
        """Do all that is due to some samples, each at its own time."""

    def jump(
        self, columns: Columns, now: Floats, values: Floats, changes: Mapping[str, Floats]
    ) -> None:
        """Add to states at a random instant of each sample; what is held stays."""

    def notice(self, columns: Columns, truth: Mask) -> Mask:
        """Take note of conditions (conditions, samples); say where anything is to be done."""

    def look(self, columns: Columns, now: Floats, values: Floats) -> Mask:
        """Look at the conditions, and say where anything is to be done."""

    def seen(self, columns: Columns) -> Mask:
        """Return what the conditions were when they were last looked at."""

    def next_times(self, columns: Columns, now: Floats) -> Floats:
        """Return the next times after now at which something is due."""

    def by_mode(self, columns: Columns) -> Iterator[tuple[AnyView, Columns]]:
        """Yield the modes that act now, each with its samples."""

    def crowded(self, columns: Columns, span: float, most: int) -> Mask:
        """Say to which samples too much has happened, in all or within a moment."""

    def instants(self) -> Instants:
        """Return what has been done."""


def agendas(plan: Plan[AnyView]) -> Agendas[AnyView]:
    """Return the agendas of all samples of a run.

    Events with a delay may be open many times over from one instant to the next: samples with
    such events are looked at one by one.
    """
    late = any(trigger.event is not None and trigger.event.delay != 0 for trigger in plan.triggers)
    return OneByOne(plan) if late else Together(plan)
