"""How a model moves at random between the instants at which something is done to it.

A run (`physcm.sim.stochastic.run`) takes base steps, whole or in pieces; what a step is belongs
to the kind of model. That of a system follows one of `SCHEMES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.modes import SystemView, View
from physcm.sim.plan import SystemPlan
from physcm.sim.stochastic.losses import why
from physcm.sim.stochastic.schemes import SCHEMES, Scheme
from physcm.sim.stochastic.wiener import Wiener
from physcm.sim.transitions import Jump

ItsView = TypeVar("ItsView", bound=View)
Columns = NDArray[np.int64]


class Motion(ABC, Generic[ItsView]):
    """The random motion of all samples of a run."""

    @property
    @abstractmethod
    def jumps(self) -> Mapping[str, Jump]:
        """The jumps at random times."""

    @abstractmethod
    def step(
        self, view: ItsView, columns: Columns, t: float, x: Floats, k: int, begin: float, end: float
    ) -> Floats:
        """Return the states at one fraction of a base step from those at another.

        Args:
            view: the mode.
            columns: the samples.
            t: the time at which the step k begins.
            x: their states, (states, columns).
            k: the number of the base step.
            begin: the fraction of it that has passed.
            end: the fraction to go to.
        """

    @abstractmethod
    def why(self, view: ItsView, column: int, t: float, x: Floats, grew: bool) -> str:
        """Say why a sample is lost in the step from time t and states x, as far as it is known."""


class SystemMotion(Motion[SystemView]):
    """The motion of a system by a scheme."""

    def __init__(
        self, plan: SystemPlan, step: float, scheme: str, noise: Floats | None = None
    ) -> None:
        """Take steps of one length by one of `SCHEMES`.

        Args:
            plan: of the system.
            step: the base step.
            scheme: one of `SCHEMES`.
            noise: the increments of the sources, in the order of their names, if they are known:
                (sources, samples, steps).
        """
        self.system, self.noise, self._name = plan.modes.system, noise, scheme
        sources = sorted({source for _, source in self.system.noise})
        known = None if noise is None else lambda k, columns: np.asarray(noise[:, columns, k])
        self.wiener = Wiener(plan.seed, sources, plan.samples, step, SCHEMES[scheme].areas, known)
        self._schemes: dict[int, Scheme] = {}

    @property
    def jumps(self) -> Mapping[str, Jump]:
        """The jumps of the system."""
        return self.system.jumps

    def step(
        self, view: SystemView, columns: Columns, t: float, x: Floats, k: int, begin: float,
        end: float,
    ) -> Floats:  # fmt: skip
        """Return the states as the scheme has them."""
        h = self.wiener.step
        increments = self.wiener.piece(k, columns, begin, end)
        return self.scheme(view).step(
            t + begin * h, (end - begin) * h, x, view.p[:, columns], increments
        )

    def why(self, view: SystemView, column: int, t: float, x: Floats, grew: bool) -> str:
        """Name the mechanism that has no finite value."""
        return why(view, t, x, view.p[:, column], grew, self.wiener.step)

    def scheme(self, view: SystemView) -> Scheme:
        """Return the scheme of a mode.

        Raises:
            Unsupported: for noise that it is not for.
        """
        if id(view) not in self._schemes:
            self._schemes[id(view)] = Scheme(self._name, view.system, self.wiener.sources)
        return self._schemes[id(view)]
