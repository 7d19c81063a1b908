"""The modes of a system with a schedule, and the passage from one to the next.

Every mode has the same variables; which of them are states, and which are held or derived,
differs. So between modes all values are kept in one *full vector* over the variables, from
which a mode takes its states, and which it completes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.values import draw
from physcm.sim.schedule import impulse_values, mode
from physcm.sim.system import System


@dataclass(frozen=True)
class View:
    """One mode, with the parameters of all samples in it.

    Attributes:
        system: the mode, a system without schedule.
        p: its parameters, (parameters, samples).
        everything: its parameters among those of all modes, (all parameters, samples).
        rows: the places of its states in the full vector.
        order: the places of its states and derived variables in the full vector.
    """

    system: System
    p: Floats
    everything: Floats
    rows: NDArray[np.int64]
    order: NDArray[np.int64]

    def completed(self, t: float | Floats, x: Floats, columns: NDArray[np.int64]) -> Floats:
        """Return the full vector from the states, both (variables, columns)."""
        derived = self.system.outputs.vector(t, x, self.p[:, columns])
        full = np.empty((len(self.order), x.shape[1]))
        full[self.order] = np.concatenate([x, derived])
        return full


@dataclass(frozen=True)
class Modes:
    """All modes of a system, for the samples of one run.

    Attributes:
        system: with its schedule.
        samples: the numbers of the samples.
        seed: of all draws.
    """

    system: System
    samples: NDArray[np.int64]
    seed: int

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The variables, in the order of the full vector."""
        return self.system.variables

    @cached_property
    def parameters(self) -> Mapping[str, Floats]:
        """The parameters of the system and of all interventions on its schedule, by name."""
        values = draw(impulse_values(self.system), self.samples, self.seed)
        for place in range(len(self.system.schedule)):
            values |= self._drawn(mode(self.system, [place]))
        return values | self._drawn(mode(self.system, ()))

    @cached_property
    def _views(self) -> dict[tuple[int, ...], View]:
        return {}

    def view(self, acting: Iterable[int] = ()) -> View:
        """Return the mode in which scheduled interventions act, done in the order of the places."""
        places = tuple(acting)
        if places not in self._views:
            self._views[places] = self._view(places)
        return self._views[places]

    def program(self, outputs: list[sp.Expr]) -> Program:
        """Return the program of expressions over the full vector and all parameters."""
        return Program.over(self.names, tuple(self.parameters), {}, outputs)

    def start(self, t: float) -> Floats:
        """Return the full vector at the start, time t, before any scheduled intervention."""
        view = self.view()
        x = view.system.draw(self.samples, self.seed)[0]
        return view.completed(t, x, np.arange(self.samples.size))

    def _drawn(self, system: System) -> dict[str, Floats]:
        p = system.draw(self.samples, self.seed)[1]
        return dict(zip(system.parameters, p, strict=True))

    def _view(self, acting: tuple[int, ...]) -> View:
        system = mode(self.system, acting)
        own = self._drawn(system)
        now = {**self.parameters, **own}
        p = np.array([own[name] for name in system.parameters]).reshape(-1, self.samples.size)
        place = {name: i for i, name in enumerate(self.names)}
        return View(
            system,
            p,
            np.array(list(now.values())).reshape(len(now), self.samples.size),
            np.array([place[name] for name in system.states], dtype=np.int64),
            np.array([place[name] for name in system.variables], dtype=np.int64),
        )
