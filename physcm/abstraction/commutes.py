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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral

import sympy as sp

from physcm.abstraction.compare import Causal, compare
from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.family import families_of, require_alike
from physcm.abstraction.report import Report
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.interventions import Family, Hold, Interventions
from physcm.mechanism.parser import Expression, closest, parse
from physcm.scm import SCM
from physcm.sim import System
from physcm.sim.options import counted

TOLERANCE = 1e-5
_STARTS = 3


def commutes(
    low: System,
    high: Causal,
    interventions: Family,
    *,
    n: int = 1,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    starts: int = _STARTS,
    progress: bool = False,
) -> Report:
    """Compare, per intervention, the long run of a system with the solution of a causal model.

    Args:
        low: the system that is simulated.
        high: the causal model that is solved.
        interventions: what to do, each an intervention or several at once; the undisturbed
            system is always looked at first.
        n: number of samples, each with its own draw of parameters and initial state.
        seed: both sides draw by (seed, sample, name).
        tolerance: the largest difference that counts as agreement, relative to the size of
            each variable.
        starts: how many initial states each sample is run from.
        progress: show a progress bar.

    Returns:
        A report with a row per intervention.

    Raises:
        UnknownVariable, Infeasible: for an intervention that the models do not admit.

    >>> from physcm.abstraction import equilibrate
    >>> from physcm.mechanism import SetParameter
    >>> tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    >>> commutes(tank, equilibrate(tank), [SetParameter(q=3)]).ok
    True
    """
    return Abstraction(low, high).commutes(
        interventions, n=n, seed=seed, tolerance=tolerance, starts=starts, progress=progress
    )


@dataclass(frozen=True)
class Abstraction:
    """A causal model that claims to stand for a system, by maps of states and of interventions.

    Attributes:
        low: the system.
        high: the causal model.
        tau: variables of the causal model as expressions in those of the system, which are
            read in its long run; unless told each variable that both name is itself.
        omega: takes interventions on the system to interventions on the causal model; unless
            told, what is done below is done above, to all members of a group held together.

    >>> from physcm.scm import SCM
    >>> tanks = System({"x": "1 - x", "y": "x - y"}, initial={"x": 0, "y": 0})
    >>> whole = SCM({"total": "2"})
    >>> Abstraction(tanks, whole, tau={"total": "x + y"}).commutes([]).ok
    True
    """

    low: System
    high: Causal
    tau: Mapping[str, Expression] | None = None
    omega: Callable[[Interventions], Interventions] | None = None

    def commutes(
        self,
        interventions: Family,
        *,
        n: int = 1,
        seed: int = 0,
        tolerance: float = TOLERANCE,
        starts: int = _STARTS,
        progress: bool = False,
    ) -> Report:
        """Walk the square both ways for every intervention; see `commutes`."""
        self._check_sides()
        _check(tolerance, n=n, starts=starts)
        tau = self._parsed_tau()
        families = families_of(interventions)
        omega = self.omega or self._likewise
        squares = [(self.low.do(*do), self.high.do(*omega(do))) for do in families]
        with counted(len(squares) * n * starts, progress, "walking the square") as done:
            outcomes = compare(
                squares, n=n, seed=seed, starts=starts, tolerance=tolerance, tau=tau, done=done
            )
        return Report.of(self.low, self.high, families, outcomes)

    def _check_sides(self) -> None:
        for side, kind in (("low", System), ("high", SCM | CausalConstraintsModel)):
            if not isinstance(getattr(self, side), kind):
                raise InvalidValue(
                    f"`{side}` is a `{type(getattr(self, side)).__name__}`; give the System as "
                    "`low` and its causal model as `high`"
                )

    def _likewise(self, do: Interventions) -> Interventions:
        """Return interventions with holds of all that is held together with what they hold."""
        if isinstance(self.high, CausalConstraintsModel):
            return do
        require_alike(do)
        done = self.low.do(*do)
        named = {one.name for one in do if isinstance(one, Hold)}
        followers = (done.held.keys() - self.low.held.keys() - named) & {*self.high.variables}
        values = {name: done.parameters.get(f"do({name})", done.held[name]) for name in followers}
        return (*do, *(Hold(name, values[name]) for name in sorted(followers)))

    def _parsed_tau(self) -> dict[str, sp.Expr] | None:
        if self.tau is None:
            return None
        names = {*self.low.variables, *self.low.parameters}
        above = self.high.scm if isinstance(self.high, CausalConstraintsModel) else self.high
        for name in self.tau.keys() - set(above.variables):
            raise UnknownVariable(
                f"tau: the causal model has no variable `{name}`; {closest(name, above.variables)}"
            )
        return {name: parse(text, names, f"tau of `{name}`") for name, text in self.tau.items()}


def _check(tolerance: float, **counts: int) -> None:
    for name, count in counts.items():
        if not isinstance(count, Integral) or count < 1:
            raise InvalidValue(f"{name} is `{count}`; give a whole number of at least 1")
    if not 0 < tolerance < 1:
        raise InvalidValue(f"tolerance is `{tolerance}`; give a number between 0 and 1")
