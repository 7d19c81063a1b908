"""What came of an intervention on both sides of the square, and whether it agrees.

Columns run over samples and, within a sample, over several initial states.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.mechanism.codegen import Floats
from physcm.scm import SCM
from physcm.sim.long_run import Limit
from physcm.sim.status import LimitStatus

Causal = SCM | CausalConstraintsModel


@dataclass(frozen=True, eq=False)
class Outcome:
    """What simulation did and what the causal model says, under one intervention.

    Attributes:
        names: the variables compared.
        limits: how each column ended, length `columns`.
        simulated: the limits, shape (variables, columns), NaN where nothing settled.
        solutions: shape (variables, columns, solutions), NaN where there are fewer.
        kinds: "stable", "unstable", "marginal", "unknown" or "" per (column, solution).
        rates: how fast the slowest disturbance of a solution dies out at least, (columns,
            solutions), NaN where the kind is not known from the dynamics.
        answers: the causal model's status per column, in words.
        starts: the number of initial states per sample.
        tolerance: the largest relative difference that counts as agreement.
        seed: what the draws were made with.
        reached: the largest value that each variable took along the runs, (variables,).
        carried: what uncertainty of the states at rest, each of its own size, would do to each
            variable, (variables,).
        selecting: nonlinear laws of the system that the causal model does not read, looked for
            where its equations leave a continuum of states.
    """

    names: tuple[str, ...]
    limits: tuple[Limit, ...]
    simulated: Floats
    solutions: Floats
    kinds: NDArray[np.str_]
    rates: Floats
    answers: tuple[str, ...]
    starts: int
    tolerance: float
    seed: int
    reached: Floats
    carried: Floats
    selecting: tuple[str, ...] = ()

    @property
    def statuses(self) -> NDArray[np.int64]:
        """The `LimitStatus` of each column."""
        return np.array([limit.status for limit in self.limits])

    @property
    def fates(self) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
        """What became of the columns below and above, in words."""
        below = [LimitStatus(s).name.lower().replace("_", " ") for s in self.statuses]
        return np.array(below), np.array(self.answers)

    @property
    def sets(self) -> tuple[Floats, Floats]:
        """All values below and above, (variables, columns, values)."""
        return self.simulated[:, :, np.newaxis], self.solutions

    @property
    def settled(self) -> NDArray[np.bool_]:
        """Which columns settled."""
        return np.asarray(self.statuses == LimitStatus.SETTLED)

    @property
    def attracting(self) -> NDArray[np.bool_]:
        """Which solutions attract, shape (columns, solutions).

        Marginal ones may; that they do is claimed only where no other does. A population of
        zero, from which growth begins as the square of the population, is marginal and repels.
        """
        stable = (self.kinds == "stable") | (self.kinds == UNKNOWN)
        lone = ~stable.any(axis=1, keepdims=True)
        return np.asarray(stable | ((self.kinds == "marginal") & lone))

    @cached_property
    def scale(self) -> Floats:
        """The size by which differences of each variable are judged.

        It is the variable's size at rest, or a thousandth of its size on the way there where
        that is larger, since no run tells zero from less. Towards a marginal equilibrium a run
        creeps, and is stopped where it hardly moves beside its size on the way.
        """
        everything = np.concatenate([self.simulated, self._flat(self.solutions)], axis=1)
        size = np.nanmax(np.abs(everything), axis=1, initial=0.0)
        resolved = 1.0 if (self.kinds == "marginal").any() else _RESOLVED
        size = np.maximum.reduce([size, self.carried, resolved * self.reached])
        return np.where(size > 0, size, 1.0)

    @cached_property
    def distances(self) -> Floats:
        """How far each solution lies from the limit, relative, (variables, columns, solutions)."""
        gap = np.abs(self.solutions - self.simulated[:, :, np.newaxis])
        return gap / self.scale[:, np.newaxis, np.newaxis]

    @property
    def matches(self) -> NDArray[np.bool_]:
        """Which solutions the simulation ended at, shape (columns, solutions)."""
        with np.errstate(invalid="ignore"):
            return np.asarray((self.distances <= self.tolerance).all(axis=0))

    @cached_property
    def predicted(self) -> Floats:
        """The one solution that attracts, (variables, columns); NaN where there is not one."""
        picked = np.full(self.simulated.shape, np.nan)
        for column in np.flatnonzero(self.attracting.sum(axis=1) == 1):
            picked[:, column] = self.solutions[:, column, self.attracting[column].argmax()]
        return picked

    @property
    def agrees(self) -> NDArray[np.bool_]:
        """Which columns agree: both at the same state, or neither with a state to rest in."""
        attracting = self.attracting.sum(axis=1)
        same = self.settled & (attracting == 1) & (self.matches & self.attracting).any(axis=1)
        restless = ~self.settled & (attracting == 0) & ~self._answered(CONTINUUM)
        undecided = self._answered("not_found") & (self.statuses != LimitStatus.DIVERGED)
        broken_off = self.statuses == LimitStatus.BROKEN_OFF
        return np.asarray(same | (restless & ~undecided & ~broken_off))

    def _answered(self, answer: str) -> NDArray[np.bool_]:
        return np.array([given == answer for given in self.answers])

    @property
    def difference(self) -> Floats:
        """The largest relative difference of each variable over the columns, (variables,)."""
        gap = np.abs(self.simulated - self.predicted) / self.scale[:, np.newaxis]
        seen = np.isfinite(gap)
        return np.where(seen.any(axis=1), np.where(seen, gap, 0).max(axis=1, initial=0.0), np.nan)

    @staticmethod
    def _flat(solutions: Floats) -> Floats:
        return solutions.reshape(solutions.shape[0], -1)


_RESOLVED = 1e-3
CONTINUUM = "continuum"
"""The answer of a causal model whose equations have infinitely many solutions."""
UNKNOWN = "unknown"
"""The kind of a solution that does not say where all states of the system are."""
