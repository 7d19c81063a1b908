"""The square, walked both ways for every intervention: sample by sample, or in law."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from physcm.abstraction.compare import Causal, compare
from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.equations import is_random
from physcm.abstraction.outcome import Outcome
from physcm.abstraction.population.outcome import PopulationOutcome
from physcm.abstraction.population.samples import Low
from physcm.abstraction.population.walk import populations
from physcm.abstraction.reporting.report import Report
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.interventions import (
    Interventions,
)
from physcm.scm import SCM, LinearSCM
from physcm.sim import System
from physcm.sim.long_run import NEAR
from physcm.sim.options import counted

if TYPE_CHECKING:
    from physcm.abstraction.abstraction import Abstraction

TOLERANCE = 10 * NEAR
STARTS = 3
_MANY = 1000
_DOING = "walking the square"


def walk(
    abstraction: Abstraction, families: Sequence[Interventions],
    *, n: int | None = None, seed: int = 0, tolerance: float = TOLERANCE, starts: int = STARTS,
    step: float | None = None, progress: bool = False, tests: int = 0,
) -> Report:  # fmt: skip
    """Return the report of an abstraction on interventions; see `commutes`.

    Laws are told apart at a level for as many `tests` in all, where that is more than these.
    """
    low, above, tau = abstraction.low, abstraction.causal_model, abstraction.map
    system = _shares_draws(low, above)
    n = (_MANY if system is None else 1) if n is None else n
    _check(tolerance, n=n, starts=starts)
    both = [(do, abstraction.defined_image(do)) for do in families]
    outcomes: list[Outcome] | list[PopulationOutcome]
    runs = len(families) * n * (1 if system is None else starts)
    with counted(runs, progress, _DOING) as done:
        if system is None:
            squares = [(low.do(*do), above.do(*image)) for do, image in both]
            outcomes = populations(squares, tau, n=n, seed=seed, step=step, tests=tests, done=done)
        else:
            outcomes = compare(
                system, above, both, n=n, seed=seed, starts=starts, tolerance=tolerance, tau=tau,
                done=done,
            )  # fmt: skip
    given = {"tau": abstraction.tau, "omega": abstraction.omega}
    maps = tuple(name for name, value in given.items() if value is not None)
    return Report.of(low, above, families, outcomes, maps)


def require_models(low: Any, high: Any) -> None:
    """Refuse sides of the square that are no models of their kind."""
    kinds = {"low": (System, SCM, LinearSCM), "high": (SCM, LinearSCM, CausalConstraintsModel)}
    for (side, kind), model in zip(kinds.items(), (low, high), strict=True):
        if not isinstance(model, kind):
            raise InvalidValue(
                f"`{side}` is a `{type(model).__name__}`; give the System or the finer SCM as "
                "`low` and its causal model as `high`"
            )


def _shares_draws(low: Low, high: Causal) -> System | None:
    """Return the system, where it has no noise and the causal model reads its draws alone."""
    if not isinstance(low, System) or low.noise or low.jumps:
        return None
    own = {} if isinstance(high, CausalConstraintsModel) else high.exogenous
    shared = {*low.parameters, *(f"{name}(0)" for name in low.states)}
    foreign = any(is_random(value) for name, value in own.items() if name not in shared)
    return None if foreign else low


def _check(tolerance: float, **counts: int) -> None:
    for name, count in counts.items():
        if not isinstance(count, Integral) or count < 1:
            raise InvalidValue(f"{name} is `{count}`; give a whole number of at least 1")
    if not 0 < tolerance < 1:
        raise InvalidValue(f"tolerance is `{tolerance}`; give a number between 0 and 1")
