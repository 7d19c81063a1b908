"""The plan of a run: what all its samples share, triggers and schedule, compiled.

It is the same for whatever has modes between which it passes, a system or a network. An `Agenda`
carries it out for one sample, `Agendas` for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program, Vector
from physcm.mechanism.interventions import EdgeIntervention, Intervention
from physcm.sim.modes import Modes, SystemView, View
from physcm.sim.schedule import impulses, in_order, meet
from physcm.sim.switching import comparisons_with_time, crossing
from physcm.sim.triggers import Trigger, triggers, watched

AnyView = TypeVar("AnyView", bound=View, covariant=True)


class Reading(Protocol):
    """Expressions as functions of time, the full vector and the parameters of a view."""

    @property
    def outputs(self) -> tuple[sp.Expr, ...]:
        """The expressions."""

    @property
    def scalar(self) -> Callable[[float, Vector, Vector], list[float]]:
        """Their values at one point."""

    @property
    def vector(self) -> Callable[[float | Floats, Floats, Floats], Floats]:
        """Their values at many points, (outputs, columns)."""


class Plan(ABC, Generic[AnyView]):
    """What all samples of a run share."""

    @property
    @abstractmethod
    def samples(self) -> NDArray[np.int64]:
        """The numbers of the samples."""

    @property
    @abstractmethod
    def seed(self) -> int:
        """The seed of all draws."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """The variables, in the order of the full vector."""

    @property
    @abstractmethod
    def schedule(self) -> tuple[Intervention | EdgeIntervention, ...]:
        """The interventions that do not act at all times."""

    @property
    @abstractmethod
    def triggers(self) -> tuple[Trigger, ...]:
        """All triggers."""

    @property
    @abstractmethod
    def impulses(self) -> Mapping[int, tuple[str, sp.Expr]]:
        """The state that each impulse changes and what it adds, by its place."""

    @property
    @abstractmethod
    def derived(self) -> Mapping[str, sp.Expr]:
        """The definitions of the derived variables that conditions may read."""

    @abstractmethod
    def view(self, acting: Iterable[int] = ()) -> AnyView:
        """Return the mode in which scheduled interventions act, done in the order of the places."""

    @abstractmethod
    def program(self, outputs: list[sp.Expr]) -> Reading:
        """Return expressions over the full vector and the parameters of a view."""

    @abstractmethod
    def meet(self, one: int, other: int) -> bool:
        """Say whether two scheduled interventions have a target in common."""

    @abstractmethod
    def start(self, t: float) -> Floats:
        """Return the full vectors at the start, time t, before any scheduled intervention."""

    def in_order(self, acting: Sequence[int]) -> tuple[int, ...]:
        """Return the places of interventions in the order in which they are done."""
        return in_order(self.schedule, self.meet, acting)

    @cached_property
    def watch(self) -> Reading:
        """The conditions of all triggers, those for arming them again, and their comparisons."""
        return self.program(watched(self.triggers))

    @cached_property
    def is_restless(self) -> bool:
        """Whether time alone may turn a condition on and off, as in sin(t) > 0.9."""
        comparisons = comparisons_with_time(watched(self.triggers), self.derived)
        return any(crossing(comparison) is None for comparison in comparisons)

    def value(self, expression: sp.Expr, t: float, values: Floats, p: Floats) -> float:
        """Return an expression's value at one point of the full vector."""
        return self.reading(expression).scalar(t, values, p)[0]

    def reading(self, *expressions: sp.Expr) -> Reading:
        """Return the program of some expressions, made when it is first asked for."""
        if expressions not in self._programs:
            self._programs[expressions] = self.program([*expressions])
        return self._programs[expressions]

    @cached_property
    def _programs(self) -> dict[tuple[sp.Expr, ...], Reading]:
        return {}


@dataclass(frozen=True)
class SystemPlan(Plan[SystemView]):
    """The plan of a system.

    Attributes:
        modes: the modes of the system.
    """

    modes: Modes

    @property
    def samples(self) -> NDArray[np.int64]:
        """The numbers of the samples."""
        return self.modes.samples

    @property
    def seed(self) -> int:
        """The seed of all draws."""
        return self.modes.seed

    @property
    def names(self) -> tuple[str, ...]:
        """The variables, in the order of the full vector."""
        return self.modes.names

    @property
    def schedule(self) -> tuple[Intervention, ...]:
        """The schedule of the system."""
        return self.modes.system.schedule

    @cached_property
    def triggers(self) -> tuple[Trigger, ...]:
        """The triggers of its events and of its schedule."""
        return triggers(self.modes.system)

    @cached_property
    def impulses(self) -> dict[int, tuple[str, sp.Expr]]:
        """The impulses on its schedule."""
        return impulses(self.modes.system.schedule, self.modes.system.parameters)

    @property
    def derived(self) -> Mapping[str, sp.Expr]:
        """Its held and derived variables."""
        return self.modes.system.derived

    def view(self, acting: Iterable[int] = ()) -> SystemView:
        """Return a mode of the system."""
        return self.modes.view(acting)

    def program(self, outputs: list[sp.Expr]) -> Program:
        """Return the program of expressions over the full vector and all parameters."""
        return self.modes.program(outputs)

    def meet(self, one: int, other: int) -> bool:
        """Say whether two scheduled interventions have a target in common."""
        return meet(self.modes.system, one, other)

    def start(self, t: float) -> Floats:
        """Return the full vectors at the start."""
        return self.modes.start(t)
