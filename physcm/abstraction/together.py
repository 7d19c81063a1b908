"""The square under many interventions at once, where everything is as it should be.

Holds at numbers and values of parameters leave the equations as they are, so that one machine
code follows all runs under all interventions to rest, and another solves the causal model for all
of them. The flow is followed with a tolerance of about 1e-3 to where it rests, and the state next
to that is made exact. An intervention under which every run comes to rest at a stable equilibrium,
and every solution is provably the only one and is that equilibrium, needs no second look; of all
others the solutions are kept where each is the only one, and the rest is looked at anew (see
`physcm.abstraction.compare`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from physcm.abstraction.equations import is_random
from physcm.abstraction.outcome import UNKNOWN, Outcome
from physcm.abstraction.population.samples import values_of
from physcm.abstraction.sizes import carried, reached
from physcm.abstraction.tau import Tau
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NotCompiled, Unsupported
from physcm.mechanism.expression import symbol
from physcm.mechanism.interventions import Hold, Interventions, SetParameter
from physcm.scm import SCM
from physcm.scm.together import solve_together
from physcm.sim import System
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.fused.numba_engine import Numba
from physcm.sim.long_run import Limit
from physcm.sim.resting import Answers, resting
from physcm.sim.stacked import Numbers, Stack, as_numbers, set_to
from physcm.sim.starts import spread_starts
from physcm.sim.status import LimitStatus, RestStatus

_AT_ONCE = 2**16


@dataclass(frozen=True, eq=False)
class Families:
    """A system and its causal model under interventions that are numbers on both sides.

    Attributes:
        low: the system.
        high: the causal model.
        below: by the place of an intervention, the numbers that it sets below.
        above: the numbers that it sets above.
        tau: the map of states.
        n: number of samples.
        seed: of all draws.
        starts: number of initial states per sample.
        tolerance: the largest relative difference that counts as agreement.
    """

    low: System
    high: SCM
    below: Mapping[int, Numbers]
    above: Mapping[int, Numbers]
    tau: Tau
    n: int
    seed: int
    starts: int
    tolerance: float

    @classmethod
    def of(
        cls, low: System, high: SCM, families: Sequence[tuple[Interventions, Interventions]],
        tau: Tau, *, n: int, seed: int, starts: int, tolerance: float,
    ) -> Families:  # fmt: skip
        """Return those interventions that are numbers on both sides."""
        below = as_numbers(low, [lower for lower, _ in families])
        above = {place: _numbers(high, families[place][1]) for place in below}
        known = {place: numbers for place, numbers in above.items() if numbers is not None}
        return cls(low, high, below, known, tau, n, seed, starts, tolerance)

    def agreeing(self, done: Callable[[int], None]) -> dict[int, Outcome | Floats]:
        """Return the outcomes of the interventions under which everything plainly agrees.

        In place of other outcomes there are the solutions, (variables, runs), where these are
        known and say nothing of where a run starts.
        """
        found: dict[int, Outcome | Floats] = {}
        each = max(1, _AT_ONCE // self.runs)
        places = list(self.above)
        for first in range(0, len(places), each):
            some = places[first : first + each]
            parts = self._outcomes(some)
            done(sum(isinstance(part, Outcome) for part in parts.values()) * self.runs)
            found |= parts
        return found

    @property
    def runs(self) -> int:
        """How many runs there are per intervention."""
        return self.n * self.starts

    @cached_property
    def _begins(self) -> tuple[Floats, Floats]:
        return spread_starts(EquilibriumEquations(self.low), self.n, self.seed, self.starts)

    @cached_property
    def _reads_start(self) -> bool:
        return any(name.endswith("(0)") for name in self.high.exogenous)

    def _outcomes(self, places: Sequence[int]) -> dict[int, Outcome | Floats]:
        stack = set_to(self.low, [self.below[place] for place in places], *self._begins)
        try:
            answers = resting(stack, Numba().workers, spectra=False)
        except (Unsupported, NotCompiled):
            return {}
        predicted = self._solved(places)
        if predicted is None:
            return {}
        found: dict[int, Outcome | Floats] = {}
        for k, place in enumerate(places):
            own = slice(k * self.runs, (k + 1) * self.runs)
            solutions = predicted[:, own]
            outcome = self._outcome(stack, answers, solutions, own)
            if outcome is not None:
                found[place] = outcome
            elif np.isfinite(solutions).all() and not self._reads_start:
                found[place] = solutions
        return found

    def _solved(self, places: Sequence[int]) -> Floats | None:
        """Return the solution of each run, (variables, runs), NaN where none is the only one."""
        x0, p = self._begins
        drawn = dict(zip(self.low.parameters, p, strict=True))
        drawn |= {f"{name}(0)": row for name, row in zip(self.low.states, x0, strict=True)}
        once = 1 if self._reads_start else self.starts
        each, settings = self.runs // once, [self.above[i] for i in places]

        def spread(name: str, base: Floats | float) -> Floats:
            rows = np.tile(np.broadcast_to(base, each), (len(settings), 1))
            for row, numbers in zip(rows, settings, strict=True):
                row[:] = numbers.get(name, row)
            return rows.ravel()

        given = {"(runs)": np.zeros(each * len(settings))}
        for name, value in {**self.high.exogenous, **self.high.parameters}.items():
            if is_random(value) or name.endswith("(0)"):
                given[name] = spread(name, drawn[name][::once])
            elif isinstance(value, float):
                given[name] = spread(name, value)
            else:
                return None
        names = {name for numbers in settings for name in numbers} & {*self.high.variables}
        held = {name: spread(name, np.nan) for name in names}
        found = solve_together(self.high, held, given)
        rows = [np.where(found.known, found.values[name], np.nan) for name in self.tau.names]
        return np.repeat(rows, once, axis=1)

    def _outcome(
        self, stack: Stack, answers: Answers, solutions: Floats, own: slice
    ) -> Outcome | None:
        """Return the outcome of one intervention, if everything agrees."""
        rests = (answers.status[own] == RestStatus.REACHED) & (answers.stability[own] == "stable")
        if not (rests.all() and np.isfinite(solutions).all()):
            return None
        p, scale = stack.p[:, own], answers.scale[:, own]
        x = np.where(stack.held[:, own], stack.x0[:, own], answers.x[:, own])
        told = {*map(symbol, self.low.states)} <= {*self.tau.expressions}
        slowest = -np.nanmax(answers.eigenvalues[own].real, axis=1, initial=-np.inf)
        outcome = Outcome(
            self.tau.names,
            tuple(
                Limit(LimitStatus.SETTLED, *run)
                for run in zip(x.T, answers.time[own].tolist(), scale.T, strict=True)
            ),
            self.tau.of(values_of(self.low, x, p)),
            solutions[:, :, np.newaxis],
            np.full((self.runs, 1), "stable" if told else UNKNOWN),
            slowest[:, np.newaxis],
            ("unique",) * self.runs,
            self.starts,
            self.tolerance,
            self.seed,
            reached(self.low, self.tau, scale, p),
            carried(self.low, self.tau, x, p, rests),
        )
        return outcome if outcome.agrees.all() else None


def _numbers(high: SCM, interventions: Interventions) -> Numbers | None:
    """Return the numbers that are set above, None if there is more to it."""
    numbers: dict[str, float] = {}
    for one in interventions:
        match one:
            case Hold(name, float() | int() as value, during=None) if (
                name in high.mechanisms and _is_within(value, high.domains.get(name))
            ):
                numbers[name] = float(value)
            case SetParameter(values=values, during=None) if all(
                isinstance(value, float | int) and name in high.parameters
                for name, value in values.items()
            ):
                numbers |= {name: float(value) for name, value in values.items()}
            case _:
                return None
    return numbers


def _is_within(value: float, domain: tuple[float, float] | None) -> bool:
    return domain is None or domain[0] <= value <= domain[1]
