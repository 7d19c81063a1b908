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

from physcm.abstraction.abstraction import Abstraction
from physcm.abstraction.population.samples import High, Low
from physcm.abstraction.reporting.report import Report
from physcm.abstraction.square import STARTS, TOLERANCE
from physcm.mechanism.interventions import (
    Family,
)


def commutes(
    low: Low,
    high: High,
    interventions: Family,
    *,
    n: int | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    starts: int = STARTS,
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
            system is always looked at first, and alone is no evidence.
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
    >>> from physcm.mechanism import Hold, Normal, SetParameter
    >>> from physcm.scm import SCM
    >>> from physcm.sim import System
    >>> tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    >>> commutes(tank, equilibrate(tank), [SetParameter(q=3)]).ok
    True
    >>> rough = System({"x": "1 - x"}, initial={"x": 0}, noise={"x": 1})
    >>> law = SCM({"x": "1 + e"}, {"e": Normal(0, 0.5**0.5)})
    >>> commutes(rough, law, [Hold("x", 2)], n=200).ok
    True
    """
    return Abstraction(low, high).commutes(
        interventions, n=n, seed=seed, tolerance=tolerance, starts=starts, step=step,
        progress=progress,
    )  # fmt: skip
