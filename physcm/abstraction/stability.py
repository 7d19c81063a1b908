"""Structural stability: does a system come to one state of rest under each of some interventions?

A system is structurally stable for a family of interventions if each intervened system has one
equilibrium that attracts every admissible initial state with the same conserved totals (Mooij,
Janzing & Schölkopf, UAI 2013, definition 3). Each answer says on what it rests:

- certificate: contraction over the bounds, which proves it (`physcm.abstraction.contraction`);
- eigenvalues: of the Jacobian at the equilibrium, which prove that its neighborhood is attracted;
  where no more than four states feed back into each other also as inequalities in the parameters
  (`physcm.abstraction.routh`);
- starts: runs from many initial states, which suggest that nothing else attracts. That there is no
  second equilibrium may be proved beside (interval Newton).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
import xarray as xr

from physcm.abstraction.answer import closed_forms
from physcm.abstraction.contraction import Box
from physcm.abstraction.equations import equilibrium_scm
from physcm.abstraction.family import families_of, hold_each
from physcm.abstraction.routh import Condition, routh_conditions
from physcm.abstraction.trial import Trial, limits_of
from physcm.mechanism.expression import symbol
from physcm.mechanism.interventions import Family, label
from physcm.sim import System
from physcm.sim.equilibria import Equilibrium, find
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import Limit
from physcm.sim.options import positive_count
from physcm.sim.settle import require_autonomous
from physcm.sim.starts import spread_starts
from physcm.sim.status import LimitStatus

_NEAR, _RESOLVED = 1e-4, 1e-3
_SEARCHED = 100
_LONG = 60
_ROUNDING, _SHOWN = 1e-12, 6
STABLE, SEVERAL, UNSTABLE, NONE, UNDECIDED = (
    "stable", "several", "unstable", "none", "undecided",
)  # fmt: skip
_WORDS = {
    STABLE: "one state attracts all",
    SEVERAL: "several states attract",
    UNSTABLE: "no equilibrium attracts",
    NONE: "no equilibrium found",
    UNDECIDED: "not every start comes to rest",
}


@dataclass(frozen=True, eq=False)
class Stability:
    """What is known of the states of rest under one intervention.

    It is true or false like `verdict == "stable"`.

    Attributes:
        intervention: what is done.
        verdict: stable, several (states attract), unstable (there are equilibria, and none
            attracts), none (was found), or undecided.
        equilibria: those found, with eigenvalues.
        conditions: the Routh-Hurwitz inequalities for the equilibrium, if there is one only and no
            more than four states feed back into each other; empty where the signs of parameters
            and states grant them all.
        exact: whether the conditions are in parameters and initial values alone.
        rate: at which all trajectories approach each other, if a contraction is proved.
        unique: whether it is proved that there is at most one equilibrium.
        fates: how many of the starts did what, such as settled.
    """

    intervention: str
    verdict: str
    equilibria: tuple[Equilibrium, ...]
    conditions: tuple[Condition, ...] | None
    exact: bool
    rate: float | None
    unique: bool
    fates: Mapping[LimitStatus, int]

    def __bool__(self) -> bool:
        return self.verdict == STABLE

    @property
    def rests_on(self) -> tuple[str, ...]:
        """The grounds of the verdict: "certificate", or "eigenvalues" and "starts".

        That the one equilibrium repels is certain where a condition in the parameters fails.
        """
        fails = self.conditions is not None and any(c.value < 0 for c in self.conditions)
        repels = self.verdict == UNSTABLE and self.unique and self.exact and fails
        if self.rate is not None or repels:
            return ("certificate",)
        return ("eigenvalues", "starts") if self.equilibria else ("starts",)

    @property
    def evidence(self) -> tuple[str, ...]:
        """What is known, a sentence each."""
        told = []
        if self.rate is not None:
            told.append(f"certificate: all trajectories approach as exp(-{self.rate:.3g} t)")
        elif self.unique:
            told.append("certificate: at most one equilibrium (interval Newton)")
        if self.conditions is not None:
            listed = "; ".join(map(str, self.conditions)) or "granted by signs"
            place = "" if self.exact else " at the equilibrium found"
            told.append(f"Routh-Hurwitz{place}: {listed}")
        told += [self._eigenvalues(one) for one in self.equilibria]
        counts = ", ".join(f"{n} {s.name.lower().replace('_', ' ')}" for s, n in self.fates.items())
        return (*told, f"starts: {counts}")

    def _eigenvalues(self, one: Equilibrium) -> str:
        largest = one.eigenvalues.real.max(initial=-np.inf)
        size = np.abs(one.eigenvalues).max(initial=0.0)
        largest = 0.0 if abs(largest) <= _ROUNDING * size else largest
        values = ", ".join(f"{value:.3g}" for value in one.state[:_SHOWN])
        more = ", ..." if len(one.state) > _SHOWN else ""
        place = f" at ({values}{more})" if len(self.equilibria) > 1 else ""
        return f"eigenvalues{place}: {one.stability}, largest real part {largest:.3g}"

    def __str__(self) -> str:
        head = f"{self.intervention}: {_WORDS[self.verdict]} ({' and '.join(self.rests_on)})"
        return "\n".join([head, *(f"  {line}" for line in self.evidence)])


@dataclass(frozen=True, eq=False)
class StabilityReport:
    """Structural stability of a system for a family of interventions.

    Attributes:
        system: what the system is called.
        rows: one per intervention, doing nothing first.
    """

    system: str
    rows: tuple[Stability, ...]

    def __bool__(self) -> bool:
        return all(self.rows)

    @property
    def table(self) -> xr.Dataset:
        """Over `intervention`: `verdict`, `rests_on`, `largest_real_part`, `equilibria`, `settled`.

        The largest real part is that of the eigenvalues of the equilibrium that attracts most, NaN
        where none was found; `settled` is the share of the starts that came to rest.
        """
        leading = [
            min((e.eigenvalues.real.max(initial=-np.inf) for e in row.equilibria), default=np.nan)
            for row in self.rows
        ]
        columns = {
            "verdict": [row.verdict for row in self.rows],
            "rests_on": [" and ".join(row.rests_on) for row in self.rows],
            "largest_real_part": leading,
            "equilibria": [len(row.equilibria) for row in self.rows],
            "settled": [
                row.fates.get(LimitStatus.SETTLED, 0) / sum(row.fates.values()) for row in self.rows
            ],
        }
        return xr.Dataset(
            {name: ("intervention", values) for name, values in columns.items()},
            {"intervention": [row.intervention for row in self.rows]},
        )

    def __str__(self) -> str:
        count = sum(map(bool, self.rows))
        proved = sum(bool(row) and row.rests_on == ("certificate",) for row in self.rows)
        head = (
            f"{self.system}: one state attracts all under {count} of {len(self.rows)} "
            f"interventions, proved for {proved}"
        )
        return "\n".join([head, *map(str, self.rows)])

    __repr__ = __str__


def structural_stability(
    system: System, interventions: Family | None = None, *, starts: int = 8, seed: int = 0,
    sample: int = 0,
) -> StabilityReport:  # fmt: skip
    """Say whether a system comes to one state of rest under each of some interventions.

    Args:
        system: autonomous and without noise.
        interventions: what to do, besides nothing; unless told, holds of each state in turn.
        starts: from how many initial states to run, all with the same conserved totals.
        seed: as in `simulate`.
        sample: whose parameters and initial values to take.

    Raises:
        Unsupported: for a system with noise or explicit time.
        InvalidValue: for a number of starts that is none.

    >>> spring = System(
    ...     {"x": "v", "v": "-x - (d - c)*v"}, parameters={"c": 1, "d": 3}, initial={"x": 1, "v": 0}
    ... )
    >>> from physcm.mechanism import SetParameter
    >>> print(structural_stability(spring, [SetParameter(d=0.5)], starts=2))
    the system: one state attracts all under 1 of 2 interventions, proved for 1
    nothing: one state attracts all (certificate)
      certificate: all trajectories approach as exp(-0.293 t)
      Routh-Hurwitz: -c + d > 0 (holds)
      eigenvalues: stable, largest real part -1
      starts: 2 settled
    d = 0.5: no equilibrium attracts (certificate)
      certificate: at most one equilibrium (interval Newton)
      Routh-Hurwitz: -c + d > 0 (fails)
      eigenvalues: unstable, largest real part 0.25
      starts: 2 diverged
    """
    require_autonomous(system)
    positive_count(starts, "starts")
    families = families_of(hold_each(system, seed=seed) if interventions is None else interventions)
    cases = [_Case.of(system.do(*do), label(do), starts, seed, sample) for do in families]
    limits = limits_of([case.trial for case in cases])
    rows = tuple(case.judged(own) for case, own in zip(cases, limits, strict=True))
    return StabilityReport(system.in_words, rows)


@dataclass(frozen=True, eq=False)
class _Case:
    """What is done, with starts that have the same conserved totals.

    Attributes:
        trial: the runs.
        seed: of their draw.
        sample: whose they are.
    """

    trial: Trial
    seed: int
    sample: int

    @classmethod
    def of(cls, done: System, name: str, starts: int, seed: int, sample: int) -> _Case:
        equations = EquilibriumEquations(done)
        x0, p = (
            v[:, sample * starts :] for v in spread_starts(equations, sample + 1, seed, starts)
        )
        trial = Trial(name, equations, x0, np.repeat(p[:, :1], starts, axis=1))
        return cls(trial, seed, sample)

    def judged(self, limits: list[Limit]) -> Stability:
        """Return what is known, given how the runs ended."""
        x0, p = self.trial.x0[:, 0], self.trial.p[:, 0]
        found = tuple(find(self.trial.equations, x0, p, _SEARCHED))
        box = Box(self.trial.equations, p, self.trial.equations.weights @ x0)
        rate = box.contraction_rate()
        conditions, exact = self.conditions(found)
        return Stability(
            self.trial.name,
            STABLE if rate is not None else self.verdict(found, limits),
            found,
            conditions,
            exact,
            rate,
            rate is not None or box.has_one_root_at_most(),
            Counter(limit.status for limit in limits),
        )

    def verdict(self, found: tuple[Equilibrium, ...], limits: list[Limit]) -> str:
        """Return the verdict by eigenvalues and starts."""
        attracting = [e.state for e in found if e.stability == "stable"]
        resting = [limit for limit in limits if limit.status is LimitStatus.SETTLED]
        states = [*attracting, *(limit.state for limit in resting)]
        sizes = [np.abs(s) for s in states] + [_RESOLVED * limit.scale for limit in resting]
        scale = np.max(sizes, axis=0) if sizes else 0.0
        if any((np.abs(state - states[0]) > _NEAR * scale).any() for state in states[1:]):
            return SEVERAL
        if attracting:
            return STABLE if len(resting) == len(limits) else UNDECIDED
        moving = any(limit.status is LimitStatus.STILL_MOVING for limit in limits)
        if resting or (moving and any(e.stability == "marginal" for e in found)):
            return UNDECIDED
        return UNSTABLE if found else NONE

    def conditions(
        self, found: tuple[Equilibrium, ...]
    ) -> tuple[tuple[Condition, ...] | None, bool]:
        """Return the Routh conditions, and whether the equilibrium in them is in closed form."""
        system = self.trial.system
        if len(found) != 1:
            return None, False
        names = (*system.parameters, *(f"{name}(0)" for name in system.states))
        values = [*self.trial.p[:, 0].tolist(), *self.trial.x0[:, 0].tolist()]
        numbers = dict(zip(map(symbol, names), values, strict=True))
        state, states = found[0].state, [symbol(name) for name in system.states]
        here = routh_conditions(system, dict(zip(states, state.tolist(), strict=True)), numbers)
        if here is None or not any(c.expression.has(*states) for c in here):
            return here, here is not None
        equations = equilibrium_scm(system, self.trial.equations.laws)
        scale = np.maximum(np.abs(self.trial.x0).max(axis=1), np.abs(state))
        forms = closed_forms(system, equations, state, scale, sample=self.sample, seed=self.seed)
        closed = routh_conditions(system, forms, numbers) if forms else None
        if closed is None or any(sp.count_ops(c.expression) > _LONG for c in closed):
            return here, False
        return closed, True
