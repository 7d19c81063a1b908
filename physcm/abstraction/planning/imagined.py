"""What a causal model says of many values of some actions at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import xarray as xr

from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.planning.conditions import Conditions
from physcm.mechanism.codegen import Floats
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.interventions import Hold
from physcm.scm import SCM
from physcm.scm.stability import growth
from physcm.scm.status import SolutionStatus

Causal: TypeAlias = "SCM | CausalConstraintsModel"
_TRIFLE = 1e-6
_UNTOLD = (SolutionStatus.CONTINUUM, SolutionStatus.NOT_FOUND)


@dataclass(frozen=True, eq=False)
class Imagined:
    """A model in which some actions are open.

    Attributes:
        model: the causal model.
        held: the variables that are held, with a value that each can take.
        set_to: the parameters that are set.
        n: number of samples.
        seed: of the draws, the same for all values.
    """

    model: Causal
    held: Mapping[str, float]
    set_to: Sequence[str]
    n: int
    seed: int

    def solve(self, points: Floats) -> tuple[xr.Dataset, Floats]:
        """Return the solutions at points (actions, points), holds first, and how steady they are.

        Both are over `sample`, of all samples of the first point, then of the second, and
        `solution`. A solution counts if its steadiness is at least 0: if it is stable, as far as
        the model can tell that, and none besides it is in doubt. Where there is none it is -inf.
        """
        found = self._found(points)
        return found, self._steadiness(found)

    def margins(self, points: Floats, target: Conditions, *, every: bool) -> Floats:
        """Return by how much conditions are met, (conditions + 1, points, samples).

        That is by the solution that meets them least, if every one has to, else by the one that
        meets them best. The last row is by how much a solution is stable; where none is, the
        others are about the one that is next to it. All are -inf where there is no solution.
        """
        found = self._found(points)
        steady = self._steadiness(found)
        margins = target.margins(found)
        margins = np.where(np.isnan(margins), -np.inf, margins)
        counts, all_of_them = steady >= 0, np.arange(len(steady))
        if every:
            met = np.where(counts, margins, np.inf).min(axis=2)
        else:
            best = np.where(counts, margins.min(axis=0), -np.inf).argmax(axis=1)
            met = margins[:, all_of_them, best]
        steadiest = margins[:, all_of_them, steady.argmax(axis=1)]
        rows = [*np.where(counts.any(axis=1), met, steadiest), steady.max(axis=1)]
        return np.reshape(rows, (len(rows), points.shape[1], self.n))

    def _found(self, points: Floats) -> xr.Dataset:
        count = points.shape[1]
        given = {name: np.tile(values, count) for name, values in self._drawn.items()}
        symbols = (*(f"do({name})" for name in self.held), *self.set_to)
        given |= {name: np.repeat(row, self.n) for name, row in zip(symbols, points, strict=True)}
        return self._open.solve(given or None, n=1 if given else count * self.n)

    def _steadiness(self, found: xr.Dataset) -> Floats:
        """Return by how much each solution is stable, -inf where there is none.

        It is the rate at which it attracts relative to the fastest rate there is, less a trifle;
        1 if the model does not tell.
        """
        there = np.arange(found.sizes["solution"]) < found["count"].values[:, np.newaxis]
        there &= ~np.isin(found.status.values, _UNTOLD)[:, np.newaxis]
        steady = np.where(there, 1.0, -np.inf)
        if self._open.dynamics is not None and there.any():
            sample = np.nonzero(there)[0]
            values = {name: found[name].values[there] for name in self._open.variables}
            given = {name: found[name].values[sample] for name in self._open.exogenous}
            rate, size = growth(self._open, values, given)
            told = np.divide(-rate, size, out=np.zeros_like(rate), where=size > 0) - _TRIFLE
            steady[there] = np.where(np.isnan(told), -np.inf, told)
        return steady

    @cached_property
    def _open(self) -> SCM:
        """The model under the holds, all numbers of which can be chosen."""
        done = self.model.do(*(Hold(name, value) for name, value in self.held.items()))
        scm = done if isinstance(done, SCM) else done.scm
        return scm.replace(exogenous={**scm.exogenous, **scm.parameters}, parameters={})

    @cached_property
    def _drawn(self) -> dict[str, Floats]:
        """What is random, (samples,) each."""
        random = [k for k, v in self._open.exogenous.items() if isinstance(v, Distribution | tuple)]
        drawn = self._open.solve(n=self.n, seed=self.seed) if random else {}
        return {name: np.asarray(drawn[name]) for name in random}
