"""The two ways round the square, intervention by intervention.

Down: the intervened system is simulated until its fate is known, and tau reads the causal
model's variables off the state in which it rests. Across: the intervened causal model is
solved. Both use the same draws of parameters and initial states, column by column. Each
solution is also asked whether it attracts, by the eigenvalues of the intervened dynamics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.equations import is_random
from physcm.abstraction.laws import selecting_laws
from physcm.abstraction.outcome import CONTINUUM, UNKNOWN, Outcome
from physcm.abstraction.population.samples import values_of
from physcm.abstraction.rests import rests_together
from physcm.abstraction.selection import level_kinds, on_levels
from physcm.abstraction.sizes import carried, reached
from physcm.abstraction.tau import Tau
from physcm.abstraction.together import Families
from physcm.abstraction.turns import repeated, turns_above
from physcm.mechanism.codegen import Floats
from physcm.mechanism.expression import symbol
from physcm.mechanism.interventions import Interventions, SetParameter
from physcm.scm import SCM
from physcm.sim import FirstIntegral, System
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import Ensemble, Limit, long_runs
from physcm.sim.periodicity import turned
from physcm.sim.settle import require_autonomous
from physcm.sim.starts import spread_starts
from physcm.sim.status import LimitStatus

_ROUNDING = 1e-12
_MANY = 4000
"""From so many states of runs on, it pays to make machine code that follows all runs at once."""

Causal: TypeAlias = "SCM | CausalConstraintsModel"


class _Solved(NamedTuple):
    """What the causal model says of runs, in the words of `Outcome`."""

    solutions: Floats
    answers: tuple[str, ...]
    kinds: NDArray[np.str_]
    rates: Floats
    unread: tuple[str, ...]


def variables_of(model: Causal) -> tuple[str, ...]:
    """Return the endogenous variables of a causal model."""
    return model.variables


def compare(
    low: System, high: Causal, families: Sequence[tuple[Interventions, Interventions]], *, n: int,
    seed: int, starts: int, tolerance: float, tau: Tau,
    done: Callable[[int], None] = lambda _: None,
) -> list[Outcome]:  # fmt: skip
    """Run both ways under each of some interventions.

    Where there are many runs, those under interventions that agree plainly are done together, and
    of the others those that come to rest.

    Args:
        low: the system.
        high: the causal model.
        families: what to do to the one, and to the other.
        n: number of samples.
        seed: of all draws.
        starts: number of initial states per sample.
        tolerance: the largest relative difference that counts as agreement.
        tau: takes values of the system to values of the causal model.
        done: called with the number of runs each time that the fate of some is known.

    Raises:
        Unsupported: for a system that does not follow a drift without time, under some of these.
    """
    require_autonomous(low)
    together: dict[int, Outcome | Floats] = {}
    runs = n * starts
    if _are_many(low, len(families) * runs) and isinstance(high, SCM):
        together = Families.of(
            low, high, families, tau, n=n, seed=seed, starts=starts, tolerance=tolerance
        ).agreeing(done)
    outcomes = {k: found for k, found in together.items() if isinstance(found, Outcome)}
    left = [place for place in range(len(families)) if place not in outcomes]
    systems = [low.do(*families[place][0]) for place in left]
    for system in systems:
        require_autonomous(system)
    equations = [EquilibriumEquations(system) for system in systems]
    begins = [(own, *spread_starts(own, n, seed, starts)) for own in equations]
    doing = [families[place][0] for place in left]
    limits = _limits(low, doing, begins, done, many=_are_many(low, len(left) * runs))
    for place, (own, x0, p), fates in zip(left, begins, limits, strict=True):
        solutions = together.get(place)
        if isinstance(solutions, np.ndarray):
            solved = _judged(own, (), tau, solutions[:, :, np.newaxis], ("unique",) * runs, x0, p)
        else:
            solved = _solved(own, high.do(*families[place][1]), x0, p, tau, n, seed, starts)
        outcomes[place] = _outcome(own, p, fates, solved, seed, starts, tolerance, tau)
    return [outcomes[place] for place in range(len(families))]


def _are_many(low: System, runs: int) -> bool:
    return len(low.states) * runs >= _MANY


def _limits(
    low: System, families: Sequence[Interventions], begins: Sequence[Ensemble],
    done: Callable[[int], None], *, many: bool,
) -> list[tuple[Limit, ...]]:  # fmt: skip
    """Follow all runs until their fate is known, of many those that come to rest together."""
    if not many:
        return [tuple(fates) for fates in long_runs(begins, done)]
    known = rests_together(low, families, begins)
    missing = [np.array([limit is None for limit in limits], dtype=bool) for limits in known]
    done(int(sum((~none).sum() for none in missing)))
    rest = [
        (own, x0[:, none], p[:, none]) for (own, x0, p), none in zip(begins, missing, strict=True)
    ]
    later = [iter(fates) for fates in long_runs(rest, done)]
    return [
        tuple(limit or next(fates) for limit in limits)
        for limits, fates in zip(known, later, strict=True)
    ]


def _solved(
    equations: EquilibriumEquations, high: Causal, x0: Floats, p: Floats, tau: Tau, n: int,
    seed: int, starts: int,
) -> _Solved:  # fmt: skip
    """Return all solutions of the causal model for the draws of runs."""
    low = equations.system
    high = high.do(SetParameter(_drawn_values(low, high, p)))
    curved = high.curved if isinstance(high, CausalConstraintsModel) else ()
    if isinstance(high, CausalConstraintsModel):
        x0 = _alike(equations, curved, x0, p, starts)
    solved = high.solve(_initial_values(low, high, x0), n=n * starts, seed=seed)
    solutions = [solved[name].transpose("sample", "solution").values for name in tau.names]
    return _judged(equations, curved, tau, np.array(solutions), _answers(solved), x0, p)


def _judged(
    equations: EquilibriumEquations, curved: Sequence[FirstIntegral], tau: Tau, solutions: Floats,
    answers: tuple[str, ...], x0: Floats, p: Floats,
) -> _Solved:  # fmt: skip
    """Return solutions with what the dynamics say of each."""
    kinds, rates = _kinds(equations, curved, tau, solutions, x0, p)
    unread = selecting_laws(equations.system) if CONTINUUM in answers and not curved else ()
    return _Solved(solutions, answers, kinds, rates, tuple(map(str, unread)))


def _outcome(
    equations: EquilibriumEquations, p: Floats, limits: tuple[Limit, ...],
    solved: _Solved, seed: int, starts: int, tolerance: float, tau: Tau,
) -> Outcome:  # fmt: skip
    """Hold the limits of runs against the solutions."""
    low = equations.system
    settled = np.array([limit.status is LimitStatus.SETTLED for limit in limits])
    x, scale = (
        np.array(rows).reshape(len(limits), -1).T
        for rows in ([run.state for run in limits], [run.scale for run in limits])
    )
    simulated = np.where(settled, tau.of(values_of(low, x, p)), np.nan)
    solved = _once_per_turn(solved, simulated, turns_above(equations, tau))
    return Outcome(
        tau.names,
        limits,
        simulated,
        solved.solutions,
        solved.kinds,
        solved.rates,
        solved.answers,
        starts,
        tolerance,
        seed,
        reached(low, tau, scale, p),
        carried(low, tau, x, p, settled),
        solved.unread,
    )


def _once_per_turn(solved: _Solved, simulated: Floats, turns: Floats) -> _Solved:
    """Return each solution once, with angles next to where runs ended, or to 0 if they did not."""
    if not np.isfinite(turns).any():
        return solved
    near = np.where(np.isfinite(simulated), simulated, 0.0)[:, :, np.newaxis]
    solutions = turned(solved.solutions, near, turns[:, np.newaxis, np.newaxis])
    # Copies many turns away are less precise.
    way = np.abs(solutions - solved.solutions).max(axis=0, initial=0.0)
    solved = _picked(solved._replace(solutions=solutions), np.argsort(way, axis=1))
    gone = repeated(solved.solutions, turns) | (solved.kinds == "")
    solved = solved._replace(
        solutions=np.where(gone, np.nan, solved.solutions),
        kinds=np.where(gone, "", solved.kinds),
        rates=np.where(gone, np.nan, solved.rates),
    )
    most = int((~gone).sum(axis=1).max(initial=0))
    return _picked(solved, np.argsort(gone, axis=1, kind="stable")[:, :most])


def _picked(solved: _Solved, order: NDArray[np.int64]) -> _Solved:
    """Return the solutions of each column at some places, (columns, solutions)."""
    return solved._replace(
        solutions=np.take_along_axis(solved.solutions, order[np.newaxis], axis=2),
        kinds=np.take_along_axis(solved.kinds, order, axis=1),
        rates=np.take_along_axis(solved.rates, order, axis=1),
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


def _alike(
    equations: EquilibriumEquations, curved: Sequence[FirstIntegral], x0: Floats, p: Floats,
    starts: int,
) -> Floats:  # fmt: skip
    """Return one start of a sample for all that have its parameters and values of all laws.

    Initial values enter constraints by these alone, so that such starts are one problem.
    """
    first = np.repeat(np.arange(0, x0.shape[1], starts), starts)
    totals, sizes = equations.weights @ x0, np.abs(equations.weights) @ np.abs(x0)
    same = (np.abs(totals - totals[:, first]) <= _ROUNDING * sizes).all(axis=0)
    same &= (p == p[:, first]).all(axis=0)
    same &= on_levels(equations, curved, x0, x0[:, first], p, _ROUNDING)
    return np.where(same, x0[:, first], x0)


def _initial_values(low: System, high: Causal, x0: Floats) -> dict[str, Floats]:
    """Return the initial values that the causal model reads, for it to share."""
    wanted = high.scm.exogenous if isinstance(high, CausalConstraintsModel) else high.exogenous
    drawn = {f"{name}(0)": row for name, row in zip(low.states, x0, strict=True)}
    return {name: row for name, row in drawn.items() if name in wanted}


def _kinds(
    equations: EquilibriumEquations, curved: Sequence[FirstIntegral], tau: Tau, solutions: Floats,
    x0: Floats, p: Floats,
) -> tuple[NDArray[np.str_], Floats]:  # fmt: skip
    """Say of each solution whether the dynamics stay near it, where it names all states.

    Returns:
        The kinds, and the rates at which the slowest disturbances die out, at least.
    """
    kinds = np.full(solutions.shape[1:], "", dtype="<U8")
    rates = np.full(solutions.shape[1:], np.nan)
    states = equations.system.states
    given = dict(zip(tau.names, tau.expressions, strict=False))
    columns, which = np.nonzero(np.isfinite(solutions).all(axis=0))
    if not all(given.get(name) == symbol(name) for name in states):
        kinds[columns, which] = UNKNOWN
    elif columns.size:
        rows = np.array([tau.names.index(name) for name in states], dtype=np.int64)
        x = solutions[rows[:, np.newaxis], columns, which]
        told = level_kinds(equations, curved, x, x0[:, columns], p[:, columns])
        kinds[columns, which], rates[columns, which] = told
    return kinds, rates


def _answers(solved: xr.Dataset) -> tuple[str, ...]:
    status: Any = solved["status"]
    words = status.attrs["flag_meanings"].split()
    meaning = dict(zip(list(status.attrs["flag_values"]), words, strict=True))
    return tuple(meaning[int(value)] for value in status.values)
