"""The two ways round the square, for one intervention.

Down: the intervened system is simulated until its fate is known. Across: the intervened
causal model is solved. Both use the same draws of parameters and initial states, column by
column; columns run over samples and, within a sample, over several initial states. Each
solution is also asked whether it attracts, by the eigenvalues of the intervened dynamics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.equations import is_random
from physcm.mechanism.codegen import Floats
from physcm.mechanism.interventions import SetParameter
from physcm.scm import SCM
from physcm.sim import System
from physcm.sim.equilibrium import EquilibriumEquations, stability
from physcm.sim.settle import Limit, long_run
from physcm.sim.starts import spread_starts
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
        kinds: "stable", "unstable", "marginal" or "" per (column, solution).
        answers: the causal model's status per column, in words.
        starts: the number of initial states per sample.
        tolerance: the largest relative difference that counts as agreement.
        seed: what the draws were made with.
        reached: the largest value that each variable took along the runs, (variables,).
    """

    names: tuple[str, ...]
    limits: tuple[Limit, ...]
    simulated: Floats
    solutions: Floats
    kinds: NDArray[np.str_]
    answers: tuple[str, ...]
    starts: int
    tolerance: float
    seed: int
    reached: Floats

    @property
    def statuses(self) -> NDArray[np.int64]:
        """The `LimitStatus` of each column."""
        return np.array([limit.status for limit in self.limits])

    @property
    def settled(self) -> NDArray[np.bool_]:
        """Which columns settled."""
        return np.asarray(self.statuses == LimitStatus.SETTLED)

    @property
    def attracting(self) -> NDArray[np.bool_]:
        """Which solutions do not repel, shape (columns, solutions)."""
        return np.asarray((self.kinds != "") & (self.kinds != "unstable"))

    @cached_property
    def scale(self) -> Floats:
        """The size by which differences of each variable are judged.

        It is the variable's size at rest, or a thousandth of its size on the way there where
        that is larger, since no run tells zero from less.
        """
        everything = np.concatenate([self.simulated, self._flat(self.solutions)], axis=1)
        size = np.nanmax(np.abs(everything), axis=1, initial=0.0)
        size = np.maximum(size, _RESOLVED * self.reached)
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
        restless = ~self.settled & (attracting == 0) & ~self._answered("continuum")
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


def compare(
    low: System, high: Causal, *, n: int, seed: int, starts: int, tolerance: float
) -> Outcome:
    """Run both ways for a system and a causal model that carry the same intervention."""
    equations = EquilibriumEquations(low)
    x0, p = spread_starts(equations, n, seed, starts)
    limits = tuple(long_run(equations, x, q) for x, q in zip(x0.T, p.T, strict=True))
    high = high.do(SetParameter(**_drawn_values(low, high, p)))
    solved = high.solve(_initial_values(low, high, x0), n=n * starts, seed=seed)
    names = tuple(name for name in low.variables if name in solved)
    solutions = np.array([solved[name].transpose("sample", "solution").values for name in names])
    return Outcome(
        names,
        limits,
        _simulated(low, names, limits, p),
        solutions,
        _kinds(equations, names, solutions, p),
        _answers(solved),
        starts,
        tolerance,
        seed,
        _reached(low, names, limits, p),
    )


def _drawn_values(low: System, high: Causal, p: Floats) -> dict[str, tuple[float, ...]]:
    """Return what the system drew for its random parameters, for the causal model to share."""
    model = high.system if isinstance(high, CausalConstraintsModel) else high
    known = {*model.parameters, *getattr(model, "exogenous", ())}
    return {
        name: tuple(row)
        for (name, value), row in zip(low.parameters.items(), p, strict=True)
        if is_random(value) and name in known
    }


def _initial_values(low: System, high: Causal, x0: Floats) -> dict[str, Floats]:
    """Return the initial values that the causal model reads, for it to share."""
    wanted = high.scm.exogenous if isinstance(high, CausalConstraintsModel) else high.exogenous
    drawn = {f"{name}(0)": row for name, row in zip(low.states, x0, strict=True)}
    return {name: row for name, row in drawn.items() if name in wanted}


def _simulated(low: System, names: Sequence[str], limits: Sequence[Limit], p: Floats) -> Floats:
    settled = [limit.status is LimitStatus.SETTLED for limit in limits]
    x = np.array([limit.state for limit in limits]).reshape(len(limits), -1).T
    x = np.where(settled, x, np.nan)
    derived = low.outputs.vector(0.0, x, p)
    rows = dict(zip((*low.states, *low.derived), [*x, *derived], strict=True))
    return np.where(settled, np.array([rows[name] for name in names]), np.nan)


def _reached(low: System, names: Sequence[str], limits: Sequence[Limit], p: Floats) -> Floats:
    """Return the sizes of states along the runs, and of derived variables at these."""
    x = np.array([limit.scale for limit in limits]).reshape(len(limits), -1).T
    derived = low.outputs.vector(0.0, x, p)
    rows = dict(zip((*low.states, *low.derived), [*x, *derived], strict=True))
    sizes = np.abs(np.array([rows[name] for name in names])).max(axis=1, initial=0.0)
    return np.where(np.isfinite(sizes), sizes, 0.0)


def _kinds(
    equations: EquilibriumEquations, names: Sequence[str], solutions: Floats, p: Floats
) -> NDArray[np.str_]:
    """Say of each solution whether the dynamics stay near it."""
    kinds = np.full(solutions.shape[1:], "", dtype="<U8")
    rows = [names.index(name) for name in equations.system.states]
    states = solutions[rows]
    for column, which in np.argwhere(np.isfinite(solutions).all(axis=0)):
        x = states[:, column, which]
        scale = np.where(x != 0, np.abs(x), 1.0)
        kinds[column, which] = stability(equations.eigenvalues(x, p[:, column], scale))
    return kinds


def _answers(solved: xr.Dataset) -> tuple[str, ...]:
    status: Any = solved["status"]
    words = status.attrs["flag_meanings"].split()
    meaning = dict(zip(list(status.attrs["flag_values"]), words, strict=True))
    return tuple(meaning[int(value)] for value in status.values)
