"""Runs of an intervened system from several starts, with the same parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from physcm.mechanism.codegen import Floats
from physcm.sim import System
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import Limit, long_runs


@dataclass(frozen=True, eq=False)
class Trial:
    """An intervened system and where its runs start.

    Attributes:
        name: what is done.
        equations: the intervened system.
        x0: the starts, (states, runs).
        p: the parameters, (parameters, runs).
    """

    name: str
    equations: EquilibriumEquations
    x0: Floats
    p: Floats

    @property
    def system(self) -> System:
        """The intervened system."""
        return self.equations.system


def limits_of(trials: Sequence[Trial]) -> list[list[Limit]]:
    """Return how each run of each trial ends."""
    return long_runs([(trial.equations, trial.x0, trial.p) for trial in trials])
