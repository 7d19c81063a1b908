"""The modes of a model with a schedule, and the passage from one to the next.

Every mode has the same variables; which of them are states, and which are held or derived,
differs. So between modes all values are kept in one *full vector* over the variables, from
which a mode takes its states, and which it completes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.values import draw
from physcm.sim.engine import integrate
from physcm.sim.reflection import folded
from physcm.sim.rounding import least_moves
from physcm.sim.schedule import impulse_values, mode
from physcm.sim.status import RunStatus
from physcm.sim.stepping import Path, Solver
from physcm.sim.system import System
from physcm.sim.trouble import trouble


@dataclass(frozen=True, eq=False)
class View(ABC):
    """One mode, with the parameters of all samples in it.

    Attributes:
        everything: the parameters that the schedule may read, (parameters, samples).
        rows: the places of its states in the full vector.
    """

    everything: Floats
    rows: NDArray[np.int64]

    @abstractmethod
    def evolves(self, name: str) -> bool:
        """Say whether a variable is a state of the mode."""

    @abstractmethod
    def folded(self, name: str, value: sp.Expr) -> sp.Expr:
        """Return a value of a state folded back into its bounds, if it is reflected there."""

    @abstractmethod
    def completed(self, t: float | Floats, x: Floats, columns: NDArray[np.int64]) -> Floats:
        """Return the full vector from the states, both (variables, columns)."""

    @abstractmethod
    def steps(
        self, solver: Solver, column: int, t: float, x: Floats, stop: float
    ) -> Iterator[tuple[float, float, Path]]:
        """Yield the steps of a sample from states x at time t on, as `Solver.steps` does."""

    @abstractmethod
    def integrated(
        self, solver: Solver, column: int, grid: Floats, x: Floats
    ) -> tuple[Floats, bool]:
        """Return the states of a sample on a grid of times, from x at the first on.

        The last says whether the solver came to the limit of steps.
        """

    @abstractmethod
    def trouble(self, column: int, t: float, x: Floats, stop: float, status: RunStatus) -> str:
        """Say why the run of a sample ended early, as far as it is known."""


@dataclass(frozen=True, eq=False)
class SystemView(View):
    """One mode of a system.

    Attributes:
        system: the mode, a system without schedule.
        p: its parameters, (parameters, samples).
        order: the places of its states and derived variables in the full vector.
    """

    system: System
    p: Floats
    order: NDArray[np.int64]

    def evolves(self, name: str) -> bool:
        """Say whether a variable has a drift."""
        return name in self.system.drift

    def folded(self, name: str, value: sp.Expr) -> sp.Expr:
        """Return a value folded back into the bounds of a state that is reflected."""
        if name not in self.system.reflected:
            return value
        return folded(value, *self.system.bounds[name])

    def steps(
        self, solver: Solver, column: int, t: float, x: Floats, stop: float
    ) -> Iterator[tuple[float, float, Path]]:
        """Yield the steps that SciPy takes."""
        return solver.steps(self.system, self.p[:, column].tolist(), t, x, stop)

    def integrated(
        self, solver: Solver, column: int, grid: Floats, x: Floats
    ) -> tuple[Floats, bool]:
        """Return the states as `engine.integrate` has them."""
        run = integrate(
            self.system, grid, x, self.p[:, column], solver.rtol, np.asarray(solver.atol),
            solver.method, solver.most_steps,
        )  # fmt: skip
        diverged, states = run.status is RunStatus.DIVERGED, run.states
        states = np.where(np.isnan(states), np.inf, states) if diverged else states
        return states, run.status is RunStatus.STEP_LIMIT

    def rounding(self, t: float, full: Floats) -> Floats:
        """Return what rounding makes of each variable of the first sample; see `least_moves`."""
        least = np.zeros(full.size)
        least[self.rows] = least_moves(self.system, t, full[self.rows], self.p[:, 0])
        return least

    def trouble(self, column: int, t: float, x: Floats, stop: float, status: RunStatus) -> str:
        """Name the mechanism that has no finite value."""
        return trouble(self.system, t, x, self.p[:, column], stop, status)

    def completed(self, t: float | Floats, x: Floats, columns: NDArray[np.int64]) -> Floats:
        """Return the full vector, with held and derived variables."""
        derived = self.system.outputs.vector(t, x, self.p[:, columns])
        full = np.empty((len(self.order), x.shape[1]))
        full[self.order[: len(x)]], full[self.order[len(x) :]] = x, derived
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
        values = draw(
            impulse_values(self.system.schedule, self.system.parameters), self.samples, self.seed
        )
        for place in range(len(self.system.schedule)):
            values |= self._drawn(mode(self.system, [place]))
        return values | self._drawn(mode(self.system, ()))

    @cached_property
    def _views(self) -> dict[tuple[int, ...], SystemView]:
        return {}

    def view(self, acting: Iterable[int] = ()) -> SystemView:
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

    def _view(self, acting: tuple[int, ...]) -> SystemView:
        system = mode(self.system, acting)
        own = self._drawn(system)
        now = {**self.parameters, **own}
        p = np.array([own[name] for name in system.parameters]).reshape(-1, self.samples.size)
        place = {name: i for i, name in enumerate(self.names)}
        return SystemView(
            np.array(list(now.values())).reshape(len(now), self.samples.size),
            np.array([place[name] for name in system.states], dtype=np.int64),
            system,
            p,
            np.array([place[name] for name in system.variables], dtype=np.int64),
        )
