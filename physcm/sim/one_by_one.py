"""Agendas of all samples, one after the other, whatever is put off on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.agenda import Agenda
from physcm.sim.hybrid import crowded
from physcm.sim.instants import Instants
from physcm.sim.plan import AnyView, Plan

Columns = NDArray[np.int64]
Mask = NDArray[np.bool_]


class OneByOne(Generic[AnyView]):
    """An `Agenda` for each sample."""

    def __init__(self, plan: Plan[AnyView]) -> None:
        """Begin with none; each is made as its sample begins."""
        self.plan = plan
        self.agendas: dict[int, Agenda[AnyView]] = {}

    def begin(self, columns: Columns, now: Floats, values: Floats) -> None:
        """Start: look at the triggers of some samples for the first time, and act."""
        for k, t in zip(columns.tolist(), now.tolist(), strict=True):
            self.agendas[k] = Agenda(self.plan, k)
            values[:, k] = self.agendas[k].begin(t, values[:, k])

    def act(self, columns: Columns, now: Floats, values: Floats) -> None:
        """Do all that is due to some samples, each at its own time."""
        for k, t in zip(columns.tolist(), now.tolist(), strict=True):
            values[:, k] = self.agendas[k].act(t, values[:, k])

    def jump(
        self, columns: Columns, now: Floats, values: Floats, changes: Mapping[str, Floats]
    ) -> None:
        """Add to states at a random instant of each sample; what is held stays."""
        for i, k in enumerate(columns.tolist()):
            own = {name: float(change[i]) for name, change in changes.items()}
            values[:, k] = self.agendas[k].jump(float(now[i]), values[:, k].copy(), own)

    def notice(self, columns: Columns, truth: Mask) -> Mask:
        """Take note of conditions (conditions, samples); say where anything is to be done."""
        pairs = zip(columns.tolist(), truth.T, strict=True)
        return np.array([self.agendas[k].notice(own) for k, own in pairs], dtype=bool)

    def look(self, columns: Columns, now: Floats, values: Floats) -> Mask:
        """Look at the conditions, and say where anything is to be done."""
        truth = np.empty((len(self.plan.watch.outputs), columns.size), dtype=bool)
        for i, k in enumerate(columns.tolist()):
            truth[:, i] = self.agendas[k].watch(now[i], values[:, [k]])[:, 0]
        return self.notice(columns, truth)

    def seen(self, columns: Columns) -> Mask:
        """Return what the conditions were when they were last looked at."""
        return np.array([self.agendas[k].truth for k in columns.tolist()], dtype=bool).T

    def next_times(self, columns: Columns, now: Floats) -> Floats:
        """Return the next times after now at which something is due."""
        pairs = zip(columns.tolist(), now.tolist(), strict=True)
        return np.array([self.agendas[k].next_time(t) for k, t in pairs])

    def by_mode(self, columns: Columns) -> Iterator[tuple[AnyView, Columns]]:
        """Yield the modes that act now, each with its samples."""
        groups: dict[int, list[int]] = {}
        for k in columns.tolist():
            groups.setdefault(id(self.agendas[k].view), []).append(k)
        for group in groups.values():
            yield self.agendas[group[0]].view, np.array(group)

    def crowded(self, columns: Columns, span: float, most: int) -> Mask:
        """Say to which samples too much has happened, in all or within a moment."""
        return np.array([crowded(self.agendas[k], span, most) for k in columns.tolist()], bool)

    def instants(self) -> Instants:
        """Return what has been done."""
        count = self.plan.samples.size
        return Instants.of([self.agendas[k].instants for k in range(count)])
