"""Can any structural causal model on a system's variables have its states of rest?

The answer of an SCM is a function of its exogenous variables and parameters. If two runs of a
system, with the same parameters and under the same intervention, come to rest in different states,
no such function exists: what tells the two apart is the initial state alone.

Nor does it help to let an SCM read conserved totals as exogenous variables. Holding all variables
but X_i fixes what its equation of X_i must say, X_i = h_i(X_others), and while any member of a
law is held the total means nothing: if the simulated X_i then ends at the same value from every
start, h_i is the equilibrium equation 0 = f_i and knows no total. With nothing held both states
of rest solve these equations, so that one SCM would have two solutions where the system, given its
total, has one (Blom, Bongers & Mooij, UAI 2019, section 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from physcm.abstraction.continuum import continuum
from physcm.abstraction.family import families_of, hold_each
from physcm.abstraction.laws import Law, laws_of, selecting_laws
from physcm.abstraction.trial import Trial, limits_of
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NoEquilibrium, PhyscmError
from physcm.mechanism.interventions import Family, Hold, label
from physcm.sim import System
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import Limit, long_runs
from physcm.sim.settle import require_autonomous
from physcm.sim.starts import spread_starts
from physcm.sim.status import LimitStatus

_DIFFERENT = 1e-4
_NEGLIGIBLE = 1e-9
_RESOLVED = 1e-3
_FACTORS = (1.25, 0.8)
_SPREAD = 3


@dataclass(frozen=True)
class Pair:
    """Two runs with the same parameters, under the same intervention, that end differently.

    Attributes:
        intervention: what is done in both.
        starts: the two initial states.
        ends: the two states of rest.
        laws: the conserved quantities that differ between the starts, with both values; empty
            where all known ones are the same, so that several states attract.
    """

    intervention: str
    starts: tuple[Mapping[str, float], Mapping[str, float]]
    ends: tuple[Mapping[str, float], Mapping[str, float]]
    laws: Mapping[str, tuple[float, float]]

    @property
    def difference(self) -> Mapping[str, float]:
        """How far the second state of rest lies from the first."""
        first, second = self.ends
        return {name: second[name] - first[name] for name in first}

    def __str__(self) -> str:
        runs = [
            f"  the run from {_written(start)} comes to rest at {_written(end, start)};"
            for start, end in zip(self.starts, self.ends, strict=True)
        ]
        lines = [f"With {_done(self.intervention)} and the same parameters", *runs]
        stays = (f"{law}, which stays {a:.6g} and {b:.6g}" for law, (a, b) in self.laws.items())
        told = [f"What tells them apart is {'; and '.join(stays)}."] if self.laws else []
        return "\n".join([*lines, *told])


@dataclass(frozen=True)
class Existence:
    """Whether an SCM on the variables of a system can have its states of rest.

    It is true or false like its `holds`.

    Attributes:
        holds: whether no two runs were seen that rule it out.
        variables: of the system.
        pair: two runs that rule it out.
        even_with_totals: whether an SCM that reads conserved totals is ruled out as well, since
            both states of rest solve any equations that have the right answer while all variables
            but one are held.
        examined: the interventions looked at.
        restless: those of them under which no run came to rest, which rule out nothing: an SCM
            may have no solution there.
    """

    holds: bool
    variables: tuple[str, ...]
    pair: Pair | None
    even_with_totals: bool
    examined: tuple[str, ...]
    restless: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        names = ", ".join(self.variables)
        if self.pair is None:
            rest = (
                f"; under {', '.join(self.restless)} no run comes to rest" if self.restless else ""
            )
            return (
                f"Nothing seen rules out an SCM on {names}: under each of {len(self.examined)} "
                f"interventions all runs that come to rest do so in one state{rest}."
            )
        if not self.pair.laws:
            return (
                f"No SCM on {names} has one solution where the system rests: several states "
                f"attract.\n{self.pair}"
            )
        lines = [
            f"No SCM on {names} can have the states of rest of this system.",
            str(self.pair),
            "The answer of an SCM is a function of its parameters and exogenous variables, which "
            "are the same in both runs.",
        ]
        if self.even_with_totals:
            lines.append(
                f"Nor can an SCM that reads {', '.join(self.pair.laws)} as exogenous: with all "
                "variables but one held, each returns to its value in either state from every "
                "start, so that both states solve the equations of any SCM that is right there, "
                "where the system has one answer for each total."
            )
        return "\n".join(lines)

    __repr__ = __str__


def scm_exists(
    system: System, interventions: Family | None = None, *, degree: int = 1, seed: int = 0,
    sample: int = 0,
) -> Existence:  # fmt: skip
    """Look for two initial states which prove that no SCM can have a system's states of rest.

    Under each intervention the system is run from its own initial state, from others with the same
    conserved totals, and from some in which the members of one law are larger or smaller. States
    that nothing moves are inputs, which an SCM may read, and the same in all runs. If nothing comes
    to rest from these, runs start at states of rest of which there is a continuum.

    The verdict is about all variables of the system. Of fewer there may be an SCM: that of the
    active kinases of a cascade alone reads the totals, and no hold of an active kinase lifts one
    that it needs.

    Args:
        system: autonomous and without noise.
        interventions: what to do, besides nothing; unless told, holds of each state in turn.
        degree: the largest degree of conservation laws to vary; nonlinear ones of low degree are
            named as well where nothing else tells two runs apart.
        seed: as in `simulate`.
        sample: whose parameters and initial values to take.

    Raises:
        NoEquilibrium: if no run comes to rest under any of the interventions.
        Unsupported: for a system with noise or explicit time.

    >>> swap = System(
    ...     {"A": "B - k*A", "B": "k*A - B"}, parameters={"k": 2}, initial={"A": 3, "B": 0}
    ... )
    >>> verdict = scm_exists(swap)
    >>> bool(verdict), verdict.pair.laws
    (False, {'A + B': (3.0, 5.0)})
    """
    require_autonomous(system)
    families = families_of(hold_each(system, seed=seed) if interventions is None else interventions)
    cases = [_Case.of(system.do(*do), label(do), degree, seed, sample) for do in families]
    ended = _ended(cases)
    restless = tuple(case.trial.name for case, own in ended if not any(map(_rests, own)))
    if len(restless) == len(cases):
        ended = _ended([case.at_rest() for case in cases])
    examined = tuple(case.trial.name for case in cases)
    for case, own in ended:
        which = _different(own)
        if which is not None:
            pair = case.pair(own, which)
            strong = bool(pair.laws) and case.is_solved_by_both(pair)
            return Existence(False, system.variables, pair, strong, examined, restless)
    if len(restless) == len(cases):
        raise NoEquilibrium(
            f"{system.in_words} comes to rest under none of `{len(cases)}` interventions, so that "
            "there is nothing to be a model of; simulate it to see what it does instead"
        )
    return Existence(True, system.variables, None, False, examined, restless)


@dataclass(frozen=True, eq=False)
class _Case:
    """What is done, with starts among which conserved quantities differ.

    Attributes:
        trial: the runs.
        laws: the conservation laws of the intervened system.
    """

    trial: Trial
    laws: tuple[Law, ...]

    @classmethod
    def of(cls, done: System, name: str, degree: int, seed: int, sample: int) -> _Case:
        equations = EquilibriumEquations(done)
        laws = tuple(law for law in laws_of(done, degree) if len(law.states) > 1)
        x0, p = done.draw(np.array([sample]), seed)
        low, high = equations.bounds[:, :, np.newaxis]
        starts = [x0]
        for law in laws:
            members = np.isin(done.states, law.states)[:, np.newaxis]
            sizes = np.where(x0 == 0, 1.0, x0)
            starts += [np.where(members, factor * sizes, x0) for factor in _FACTORS]
        starts.append(spread_starts(equations, sample + 1, seed, _SPREAD)[0][:, -_SPREAD + 1 :])
        begin = np.clip(np.concatenate(starts, axis=1), low, high)
        trial = Trial(name, equations, begin, np.repeat(p, begin.shape[1], axis=1))
        return cls(trial, laws)

    def at_rest(self) -> _Case:
        """Return what is done with starts at rest in a continuum of states, if there are any."""
        trial = self.trial
        x0, p = continuum(trial.equations, trial.x0, trial.p)
        return replace(self, trial=replace(trial, x0=x0, p=p))

    def pair(self, limits: Sequence[Limit], which: tuple[int, int]) -> Pair:
        """Return two runs in words."""
        system = self.trial.system
        columns = self.trial.x0[:, which]
        laws = self.differing(self.laws, which)
        laws = laws or self.differing(selecting_laws(system), which)
        first, second = (dict(zip(system.states, x.tolist(), strict=True)) for x in columns.T)
        ends = [self.state(_without_remains(limits[k])) for k in which]
        return Pair(self.trial.name, (first, second), (ends[0], ends[1]), laws)

    def differing(
        self, laws: Sequence[Law], which: tuple[int, int]
    ) -> dict[str, tuple[float, float]]:
        """Return the laws that have different values at the starts of two runs, and the values."""
        program = self.trial.system.program(tuple(law.expression for law in laws))
        values = program.vector(0.0, self.trial.x0[:, which], self.trial.p[:, which])
        return {
            str(law): (float(a), float(b))
            for law, (a, b) in zip(laws, values, strict=True)
            if abs(a - b) > _DIFFERENT * max(abs(a), abs(b))
        }

    def state(self, x: Floats) -> dict[str, float]:
        """Return all variables at a state."""
        system = self.trial.system
        derived = system.outputs.vector(0.0, x[:, np.newaxis], self.trial.p[:, :1])[:, 0]
        return dict(zip(system.variables, [*x.tolist(), *derived.tolist()], strict=True))

    def is_solved_by_both(self, pair: Pair) -> bool:
        """Say whether each state, while all others are held at either end, returns to that end."""
        system = self.trial.system
        runs, expected = [], []
        for end in pair.ends:
            for place, name in enumerate(system.states):
                others = [Hold(x, end[x]) for x in system.states if x != name]
                try:
                    alone = system.do(*others)
                except PhyscmError:
                    return False
                if alone.states != (name,):
                    return False
                begin = self.trial.x0[place : place + 1]
                runs.append((EquilibriumEquations(alone), begin, self.parameters_of(alone)))
                expected.append(end[name])
        return all(
            _rests(limit) and abs(limit.state[0] - value) <= _DIFFERENT * _size(limit)
            for limits, value in zip(long_runs(runs), expected, strict=True)
            for limit in limits
        )

    def parameters_of(self, alone: System) -> Floats:
        """Return the parameters of this trial for a system in which more is held."""
        own = dict(zip(self.trial.system.parameters, self.trial.p, strict=True))
        held = alone.draw(np.array([0]), 0)[1]
        pairs = zip(alone.parameters, held, strict=True)
        rows = [own.get(name, np.repeat(value, self.trial.x0.shape[1])) for name, value in pairs]
        return np.array(rows).reshape(len(rows), self.trial.x0.shape[1])


def _done(intervention: str) -> str:
    return f"{intervention} done" if intervention == label(()) else intervention


def _rests(limit: Limit) -> bool:
    return limit.status is LimitStatus.SETTLED


def _ended(cases: Sequence[_Case]) -> list[tuple[_Case, list[Limit]]]:
    """Return how the runs of each case end that has any."""
    cases = [case for case in cases if case.trial.x0.shape[1]]
    return list(zip(cases, limits_of([case.trial for case in cases]), strict=True))


def _without_remains(limit: Limit) -> Floats:
    """Return where a run rests, with 0 for what a run leaves of what dies out."""
    return np.where(np.abs(limit.state) > _NEGLIGIBLE * limit.scale, limit.state, 0.0)


def _size(limit: Limit) -> Floats:
    """Return the size by which differences of each state count."""
    size = np.maximum(np.abs(limit.state), _RESOLVED * limit.scale)
    return np.where(size > 0, size, 1.0)


def _different(limits: Sequence[Limit]) -> tuple[int, int] | None:
    """Return two runs that came to rest in different states, if there are any."""
    settled = [k for k, limit in enumerate(limits) if _rests(limit)]
    for k, other in combinations(settled, 2):
        gap = np.abs(limits[k].state - limits[other].state)
        if (gap > _DIFFERENT * np.maximum(_size(limits[k]), _size(limits[other]))).any():
            return k, other
    return None


def _written(state: Mapping[str, float], names: Iterable[str] | None = None) -> str:
    """Return some of the values of a state, all unless told."""
    return ", ".join(f"{name} = {state[name]:.6g}" for name in (names or state))
