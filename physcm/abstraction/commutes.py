"""`commutes`: does imagining an intervention and performing it give the same answer?

          do
  low ----------> low under do
   |                   |
   | tau: long run     | tau: long run
   v                   v
  high ---------> high under do
        omega(do)

For every intervention the square is walked both ways with common draws (Rubenstein et al.,
UAI 2017, definition 3; for equilibria Mooij, Janzing & Schölkopf, UAI 2013, theorem 2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

from physcm.abstraction.compare import compare, variables_of
from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.equations import is_random
from physcm.abstraction.family import families_of, require_alike
from physcm.abstraction.outcome import Outcome
from physcm.abstraction.population.outcome import PopulationOutcome
from physcm.abstraction.population.samples import High, Low
from physcm.abstraction.population.walk import populations
from physcm.abstraction.reporting.report import Report
from physcm.abstraction.search import search
from physcm.abstraction.tau import Given, Tau
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.interventions import Family, Hold, Interventions
from physcm.scm import SCM, LinearSCM
from physcm.sim import System
from physcm.sim.long_run import NEAR
from physcm.sim.options import counted

TOLERANCE = 10 * NEAR
_STARTS = 3
_MANY = 1000


def commutes(
    low: Low,
    high: High,
    interventions: Family,
    *,
    n: int | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    starts: int = _STARTS,
    step: float | None = None,
    progress: bool = False,
) -> Report:
    """Compare, per intervention, the long run of a model with the solution of a causal model.

    A system without noise and a causal model that reads nothing but the system's draws are
    compared sample by sample, with common draws. All else is compared in law, by samples of both
    sides (see `physcm.abstraction.population`).

    Args:
        low: the system that is simulated, or a structural model.
        high: the causal model that is solved.
        interventions: what to do, each an intervention or several at once; the undisturbed
            system is always looked at first.
        n: number of samples, each with its own draw of parameters and initial state; unless
            told 1 sample by sample, and 1,000 in law.
        seed: both sides draw by (seed, sample, name).
        tolerance: the largest difference that counts as agreement sample by sample, relative to
            the size of each variable; unless told ten times the distance from rest, so measured,
            at which a run is broken off.
        starts: how many initial states each sample is run from, where samples are compared.
        step: of a system with noise; unless told a twentieth of its fastest time scale.
        progress: show a progress bar.

    Returns:
        A report with a row per intervention.

    Raises:
        UnknownVariable, Infeasible: for an intervention that the models do not admit.

    >>> from physcm.abstraction import equilibrate
    >>> from physcm.mechanism import Normal, SetParameter
    >>> tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    >>> commutes(tank, equilibrate(tank), [SetParameter(q=3)]).ok
    True
    >>> rough = System({"x": "1 - x"}, initial={"x": 0}, noise={"x": 1})
    >>> commutes(rough, SCM({"x": "1 + e"}, {"e": Normal(0, 0.5**0.5)}), [], n=200).ok
    True
    """
    return Abstraction(low, high).commutes(
        interventions, n=n, seed=seed, tolerance=tolerance, starts=starts, step=step,
        progress=progress,
    )  # fmt: skip


@dataclass(frozen=True)
class Abstraction:
    """A causal model that claims to stand for another model, by maps of states and interventions.

    Attributes:
        low: a system, of which the long run counts, or a structural model.
        high: the causal model.
        tau: variables of the causal model as expressions in those below, or a function that
            takes values by name, each (samples,), to values by name; unless told each variable
            that both name is itself.
        omega: takes interventions below to interventions above; unless told, what is done below
            is done above, to all members of a group held together.

    >>> from physcm.scm import SCM
    >>> tanks = System({"x": "1 - x", "y": "x - y"}, initial={"x": 0, "y": 0})
    >>> whole = SCM({"total": "2"})
    >>> Abstraction(tanks, whole, tau={"total": "x + y"}).commutes([]).ok
    True
    """

    low: Low
    high: High
    tau: Given | None = None
    omega: Callable[[Interventions], Interventions] | None = None

    def commutes(
        self,
        interventions: Family,
        *,
        n: int | None = None,
        seed: int = 0,
        tolerance: float = TOLERANCE,
        starts: int = _STARTS,
        step: float | None = None,
        progress: bool = False,
    ) -> Report:
        """Walk the square both ways for every intervention; see `commutes`."""
        self._check_sides()
        in_law = self._system is None
        n = (_MANY if in_law else 1) if n is None else n
        _check(tolerance, n=n, starts=starts)
        families = families_of(interventions)
        both = [(do, tuple((self.omega or self._likewise)(do))) for do in families]
        outcomes: list[Outcome] | list[PopulationOutcome]
        with counted(len(families) * n * (1 if in_law else starts), progress, _DOING) as done:
            if self._system is None:
                squares = [(self.low.do(*do), self._high.do(*above)) for do, above in both]
                outcomes = populations(squares, self.map, n=n, seed=seed, step=step, done=done)
            else:
                outcomes = compare(
                    self._system, self._high, both, n=n, seed=seed, starts=starts,
                    tolerance=tolerance, tau=self.map, done=done,
                )  # fmt: skip
        return Report.of(self.low, self._high, families, outcomes)

    def search(self, count: int = 100, *, most: int = 2, seed: int = 0, **options: Any) -> Report:
        """Return a report on those of `count` interventions under which the models disagree most.

        They are random holds and values of parameters, `most` of them at once, and such as lie
        near the worst of these; see `physcm.abstraction.search`.

        Args:
            count: how many interventions to try.
            most: the largest number of them at once.
            seed: of the interventions and of all draws.
            options: as `commutes` takes them.

        >>> prey = System({"x": "x*(1 - x - y)", "y": "1 - 2*y"}, initial={"x": 1, "y": 0})
        >>> found = Abstraction(prey, SCM({"x": "1 - y", "y": "1/2"})).search(16, most=1)
        >>> found.rows[0].agree, found.rows[1].agree  # where y is above 1 the prey dies out
        (True, False)
        """
        return search(self, count, most=most, seed=seed, **options)

    @cached_property
    def map(self) -> Tau:
        """The map of states, read."""
        below = [*self.low.variables]
        below += () if isinstance(self.low, LinearSCM) else self.low.parameters
        return Tau.given(self.tau, below, variables_of(self._high))

    @cached_property
    def _high(self) -> SCM | CausalConstraintsModel:
        return self.high.to_scm() if isinstance(self.high, LinearSCM) else self.high

    @property
    def _system(self) -> System | None:
        """The system, where it has no noise and the causal model reads its draws alone."""
        low, high = self.low, self._high
        if not isinstance(low, System) or low.noise or low.jumps:
            return None
        own = {} if isinstance(high, CausalConstraintsModel) else high.exogenous
        shared = {*low.parameters, *(f"{name}(0)" for name in low.states)}
        foreign = any(is_random(value) for name, value in own.items() if name not in shared)
        return None if foreign else low

    def _check_sides(self) -> None:
        sides = {"low": (System, SCM, LinearSCM), "high": (SCM, LinearSCM, CausalConstraintsModel)}
        for side, kinds in sides.items():
            if not isinstance(getattr(self, side), kinds):
                raise InvalidValue(
                    f"`{side}` is a `{type(getattr(self, side)).__name__}`; give the System or "
                    "the finer SCM as `low` and its causal model as `high`"
                )

    def _likewise(self, do: Interventions) -> Interventions:
        """Return interventions with holds of all that is held together with what they hold."""
        if isinstance(self.high, CausalConstraintsModel) or not isinstance(self.low, System):
            return do
        require_alike(do)
        done = self.low.do(*do)
        named = {one.name for one in do if isinstance(one, Hold)}
        followers = (done.held.keys() - self.low.held.keys() - named) & {*variables_of(self._high)}
        values = {name: done.parameters.get(f"do({name})", done.held[name]) for name in followers}
        return (*do, *(Hold(name, values[name]) for name in sorted(followers)))


_DOING = "walking the square"


def _check(tolerance: float, **counts: int) -> None:
    for name, count in counts.items():
        if not isinstance(count, Integral) or count < 1:
            raise InvalidValue(f"{name} is `{count}`; give a whole number of at least 1")
    if not 0 < tolerance < 1:
        raise InvalidValue(f"tolerance is `{tolerance}`; give a number between 0 and 1")
