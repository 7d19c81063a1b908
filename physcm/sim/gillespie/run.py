"""The direct method: reactions one firing at a time, exactly.

With the propensities a_r(X) and their sum a, the state waits for a time that is exponentially
distributed with mean 1/a, and then reaction r fires with probability a_r / a:

    tau = E / a,    E ~ Exp(1),
    r = min { r : a_1 + ... + a_r > U a },    U uniform on (0, 1)

(Gillespie, J. Phys. Chem. 81, 1977). E and U depend on (seed, sample, number of the firing)
alone, so that sample k of many is sample k alone, and an intervened run is the observational
one up to the intervention.

The state waits without memory: where a window ends, an impulse comes or a condition turns while
it waits, the part of E that is not used up is what is left to wait for, at the propensities
from there on. So nothing is drawn twice, and what changes no propensity changes no firing.
Where propensities read time, the wait ends as their integral reaches E (see `waiting`).
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NotCompiled, Unsupported
from physcm.sim.agendas import Agendas, agendas
from physcm.sim.gillespie.direct import DirectMethod
from physcm.sim.gillespie.fast import FastMethod
from physcm.sim.gillespie.firing import Firings
from physcm.sim.gillespie.front import Integers, Record
from physcm.sim.instants import Instants
from physcm.sim.modes import Modes, SystemView
from physcm.sim.plan import SystemPlan
from physcm.sim.status import RunStatus
from physcm.sim.system import System
from physcm.sim.trajectories import as_dataset

_TOGETHER = 4096


@dataclass(frozen=True)
class Histories:
    """How the samples went.

    Attributes:
        values: the variables at the saved times, (variables, samples, times); at a time at
            which something fires, afterwards. NaN from where a run ended early.
        parameters: each over the samples.
        ended: how each sample ended.
        instants: what a schedule or events did to the samples; nothing for other systems.
    """

    values: Floats
    parameters: Mapping[str, Floats]
    ended: list[RunStatus]
    instants: Instants | None


def gillespie(
    system: System, times: Floats, samples: Integers, seed: int, seconds: float = math.inf
) -> xr.Dataset:
    """Return samples of a reaction system as a Markov jump process.

    Args:
        system: its states are amounts, or whatever else its reactions change by steps.
        times: to save, increasing; the run starts at the first. At a saved time at which
            something fires, the state afterwards is saved.
        samples: the numbers of the samples.
        seed: of all draws.
        seconds: how long the run may take.

    Returns:
        A dataset like that of `simulate`. A sample whose propensities are no numbers any more
        has diverged; one that fires ten million times between two saved times
        has come to the limit of steps.

    Raises:
        Unsupported: for a system in which something else than reactions moves the state.
        InvalidValue: for a propensity that turns out negative.

    >>> decay = System.from_reactions(
    ...     {"decay": ("k*X", {"X": -1})}, parameters={"k": 1}, initial={"X": 5}
    ... )
    >>> gillespie(decay, np.array([0.0, 1.0, 9.0]), np.arange(2), 0).X.values
    array([[5., 4., 0.],
           [5., 1., 0.]])
    """
    try:
        result = histories(system, times, samples, seed, seconds=seconds)
    except NotCompiled as error:
        warnings.warn(f"{error}; NumPy fires the reactions instead", stacklevel=2)
        result = histories(system, times, samples, seed, seconds=seconds, fast=False)
    settings = {"seed": int(seed), "engine": "gillespie"}
    return as_dataset(
        system, samples, times, result.values, result.parameters, result.ended, settings,
        result.instants,
    )  # fmt: skip


def histories(
    system: System, times: Floats, samples: Integers, seed: int, *, together: int = _TOGETHER,
    seconds: float = math.inf, fast: bool = True,
) -> Histories:  # fmt: skip
    """Return what `gillespie` does.

    Neither how many samples run together nor whether it is fast, in machine code, changes it.
    """
    plan = SystemPlan(Modes(system, samples, seed))
    record = Record.start(plan.modes, times, time.monotonic() + seconds)
    engine = _Engine(plan, record, agendas(plan), fast)
    engine.refuse_early()
    for first in range(0, samples.size, together):
        engine.run(np.arange(first, min(first + together, samples.size)))
    return Histories(
        engine.record.saved,
        plan.modes.parameters,
        engine.ended(),
        engine.agendas.instants() if system.schedule or system.events else None,
    )


@dataclass(frozen=True)
class _Engine:
    """The direct method in each mode, and the passage from one to the next."""

    plan: SystemPlan
    record: Record
    agendas: Agendas[SystemView]
    fast: bool
    firings: dict[int, Firings] = field(default_factory=dict)
    methods: dict[int, DirectMethod | FastMethod] = field(default_factory=dict)

    def refuse_early(self) -> None:
        """Refuse the system, or it under any one intervention, before anything has run."""
        places = range(len(self.plan.modes.system.schedule))
        for acting in ([], *([place] for place in places)):
            self._firings(self.plan.modes.view(frozenset(acting)))

    def run(self, columns: Integers) -> None:
        """Run some samples from one instant at which something is done to the next."""
        record = self.record
        self.agendas.begin(columns, record.now[columns], record.values)
        going = columns
        while going.size:
            for view, group in self.agendas.by_mode(going):
                edges = self.agendas.next_times(group, record.now[group])
                self._method(view).advance(group, edges)
            going = going[record.ahead(record.reached[going])]
            self.agendas.act(going, record.now[going], record.values)

    def ended(self) -> list[RunStatus]:
        """Return how each sample ended; one that has lost a number on the way has diverged."""
        states = self.record.saved[self.plan.modes.view(frozenset()).rows]
        broken = (self.record.status == RunStatus.COMPLETE) & ~np.isfinite(states).all(axis=(0, 2))
        ended = np.where(broken, RunStatus.DIVERGED, self.record.status)
        return [RunStatus(status) for status in ended.tolist()]

    def _firings(self, view: SystemView) -> Firings:
        if id(view) not in self.firings:
            self.firings[id(view)] = Firings.of(self.plan, view)
        return self.firings[id(view)]

    def _method(self, view: SystemView) -> DirectMethod | FastMethod:
        if id(view) not in self.methods:
            given = self._firings(view), self.record, self.agendas
            self.methods[id(view)] = DirectMethod(*given)
            if self.fast and not self._firings(view).timed:
                with contextlib.suppress(Unsupported):
                    self.methods[id(view)] = FastMethod.of(*given)
        return self.methods[id(view)]
