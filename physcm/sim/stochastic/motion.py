"""How a model moves at random between the instants at which something is done to it.

A run (`physcm.sim.stochastic.run`) takes base steps, whole or in pieces; what a step is belongs
to the kind of model. That of a system follows one of `SCHEMES`.
"""

from __future__ import annotations

import contextlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NotCompiled, Unsupported
from physcm.sim.fused.pool import cores
from physcm.sim.fused.stretch import Stretch
from physcm.sim.modes import SystemView, View
from physcm.sim.plan import SystemPlan
from physcm.sim.stochastic.losses import why
from physcm.sim.stochastic.schemes import SCHEMES, Scheme
from physcm.sim.stochastic.wiener import Wiener
from physcm.sim.transitions import Jump

ItsView = TypeVar("ItsView", bound=View)
Columns = NDArray[np.int64]
Leap: TypeAlias = Callable[[Columns, Floats, float, int, int, Columns, Floats, float], bool]
"""Takes many base steps at once: of the samples (columns), from states that it changes in place,
the time of step 0, the first step and the first beyond, where to save each step, into what, and
for how many seconds at most. It says whether there was time for it."""


class Motion(ABC, Generic[ItsView]):
    """The random motion of all samples of a run."""

    @property
    @abstractmethod
    def jumps(self) -> Mapping[str, Jump]:
        """The jumps at random times."""

    @property
    @abstractmethod
    def leaps(self) -> bool:
        """Whether many steps may be taken at once."""

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
    def leap(self, view: ItsView) -> Leap | None:
        """Return what takes many base steps at once, None where nothing does."""

    @abstractmethod
    def why(self, view: ItsView, column: int, t: float, x: Floats, grew: bool) -> str:
        """Say why a sample is lost in the step from time t and states x, as far as it is known."""


class SystemMotion(Motion[SystemView]):
    """The motion of a system by a scheme."""

    def __init__(
        self, plan: SystemPlan, step: float, scheme: str, noise: Floats | None = None,
        fast: bool = True, threads: int | None = None,
    ) -> None:  # fmt: skip
        """Take steps of one length by one of `SCHEMES`.

        Args:
            plan: of the system.
            step: the base step.
            scheme: one of `SCHEMES`.
            noise: the increments of the sources, in the order of their names, if they are known:
                (sources, samples, steps).
            fast: whether steps between which nothing happens are taken by machine code.
            threads: how many do that at once, as many as there are cores unless told.
        """
        self.plan, self.system, self.scheme = plan, plan.modes.system, scheme
        self.sources = sorted({source for _, source in self.system.noise})
        known = None if noise is None else lambda k, columns: np.asarray(noise[:, columns, k])
        self.wiener = Wiener(
            plan.seed, self.sources, plan.samples, step, SCHEMES[scheme].areas, known
        )
        self.fast = fast and noise is None and not plan.triggers and not self.system.jumps
        self.threads = threads or cores()
        self.schemes: dict[int, Scheme] = {}
        self.stretches: dict[int, Leap | None] = {}

    @property
    def jumps(self) -> Mapping[str, Jump]:
        """The jumps of the system."""
        return self.system.jumps

    @property
    def leaps(self) -> bool:
        """Whether machine code may take many steps at once."""
        return self.fast

    def step(
        self, view: SystemView, columns: Columns, t: float, x: Floats, k: int, begin: float,
        end: float,
    ) -> Floats:  # fmt: skip
        """Return the states as the scheme has them."""
        h = self.wiener.step
        increments = self.wiener.piece(k, columns, begin, end)
        return self._scheme(view).step(
            t + begin * h, (end - begin) * h, x, view.p[:, columns], increments
        )

    def leap(self, view: SystemView) -> Leap | None:
        """Return the machine code of a mode."""
        if id(view) not in self.stretches:
            self.stretches[id(view)] = None
            with contextlib.suppress(Unsupported):
                self.stretches[id(view)] = self._compiled(view)
        return self.stretches[id(view)]

    def why(self, view: SystemView, column: int, t: float, x: Floats, grew: bool) -> str:
        """Name the mechanism that has no finite value."""
        return why(view, t, x, view.p[:, column], grew, self.wiener.step)

    def _compiled(self, view: SystemView) -> Leap | None:
        try:
            stretch = Stretch(self._scheme(view), self.wiener, self.system.name)
        except NotCompiled as error:
            warnings.warn(f"{error}; NumPy takes the steps instead", stacklevel=2)
            return None

        def leap(
            columns: Columns, x: Floats, t: float, k: int, last: int, slots: Columns, out: Floats,
            seconds: float,
        ) -> bool:  # fmt: skip
            return stretch.go(
                x, view.p[:, columns], self.plan.samples[columns], t, k, last, slots, out,
                seconds, self.threads,
            )  # fmt: skip

        return leap

    def _scheme(self, view: SystemView) -> Scheme:
        if id(view) not in self.schemes:
            self.schemes[id(view)] = Scheme(self.scheme, view.system, self.sources)
        return self.schemes[id(view)]
