"""Samples of what a model says in the long run: of solutions, a state of rest, a stationary law.

A structural model is solved, and may have several solutions in a sample, or none. A system without
noise is followed, sample by sample, until it
rests. A system with noise is followed over windows [0, T], T doubling, until the laws of its
states at T/2 and at T are no longer told apart, twice in a row, nor then those at T and at 8 T.
There samples are read: a rest of the transient too small to be seen at T, say exp(-2), has become
as good as none, exp(-16).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.population.two_sample import two_sample
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import Unsupported
from physcm.scm import SCM, LinearSCM
from physcm.scm.status import SolutionStatus
from physcm.sim import System, simulate
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import NEAR, long_runs
from physcm.sim.options import positive_number
from physcm.sim.settle import require_autonomous
from physcm.sim.status import LimitStatus, RunStatus

Low: TypeAlias = System | SCM | LinearSCM
High: TypeAlias = SCM | LinearSCM | CausalConstraintsModel

STATIONARY, MOVING = "stationary", "still moving"
ONE = "one solution"
ENDLESS, UNFOUND = "infinitely many", "none found"
_UNSOLVED = {SolutionStatus.CONTINUUM: ENDLESS, SolutionStatus.NOT_FOUND: UNFOUND}
_STEPS_PER_TIME_SCALE = 20
_WINDOWS = 32
_MOST_STEPS = 2**22
_LEVEL, _SEEN = 0.05, 500
_LONG_AFTER = 5
_RESOLVED = 1e-8
_BOUNDLESS = 1e150


@dataclass(frozen=True, eq=False)
class Population:
    """Values of variables and parameters over samples, of which each has none, one or several.

    Attributes:
        values: by name, each (samples, solutions), NaN where a sample has fewer.
        fates: what became of each sample, (samples,), such as "settled" or "2 solutions".
        time: the time of a system with noise at which they were read, else 0.
        searched: whether solutions were searched for, so that there may be more than were found.
    """

    values: Mapping[str, Floats]
    fates: NDArray[np.str_]
    time: float = 0.0
    searched: bool = False

    @property
    def alone(self) -> dict[str, Floats]:
        """The values of each sample that has just one, (samples,), NaN for all others."""
        one = self.present.sum(axis=1) == 1
        where = self.present.argmax(axis=1)[:, np.newaxis]
        return {
            name: np.where(one, np.take_along_axis(rows, where, axis=1)[:, 0], np.nan)
            for name, rows in self.values.items()
        }

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which solutions there are, (samples, solutions)."""
        return np.asarray(np.all([~np.isnan(rows) for rows in self.values.values()], axis=0))


def shares_in_words(fates: NDArray[np.str_]) -> str:
    """Say what became of samples, the most frequent fate first.

    >>> shares_in_words(np.array(["diverged", *["settled"] * 49]))
    'settled 98%, diverged 2%'
    """
    counts = Counter(fates.tolist()).most_common()
    if len(counts) == 1:
        return str(counts[0][0])
    return ", ".join(f"{fate} {share(k, fates.size)}" for fate, k in counts)


def share(part: int, total: int) -> str:
    """Return a share in percent, which says none and all only where it is none or all.

    >>> share(1, 1000), share(9999, 10000), share(17, 40), share(150, 1000), share(0, 10)
    ('0.1%', '99.99%', '42.5%', '15%', '0%')
    """
    percent = 100 * part / total
    rare = min(percent, 100 - percent)
    digits = math.ceil(-math.log10(rare)) if 0 < rare < 1 else 1
    return f"{percent:.{digits}f}".removesuffix(".0") + "%"


def population(
    model: Low | High, n: int, seed: int, step: float | None = None, *, attracting: bool = False
) -> Population:
    """Return samples of a model in the long run.

    Args:
        model: what to sample.
        n: number of samples.
        seed: of all draws.
        step: of a system with noise; unless told a twentieth of its fastest time scale.
        attracting: of a structural model that knows dynamics take those solutions alone that
            attract; one that may is taken where no other does.

    Raises:
        Unsupported: for a system that reads time, or is intervened on for a while.
        InvalidValue: for a step that is no positive number.

    >>> two = population(SCM({"x": "x**2 == e"}, exogenous={"e": (4, -1)}), 2, 0)
    >>> two.values["x"].tolist(), two.fates.tolist()
    ([[-2.0, 2.0], [nan, nan]], ['2 solutions', 'no solution'])
    """
    if isinstance(model, System):
        if model.noise or model.jumps:
            _require_stationary_form(model)
            step = None if step is None else positive_number(step, "step")
            return _stationary(model, n, seed, step)
        require_autonomous(model)
        return _settled(model, n, seed)
    if isinstance(model, LinearSCM):
        data = model.sample(n, seed)
        columns = {str(k): v.values[:, np.newaxis] for k, v in data.data_vars.items()}
        return Population(columns, np.full(n, ONE))
    return _solved(model.solve(n=n, seed=seed), attracting=attracting)


def _require_stationary_form(system: System) -> None:
    if not system.is_autonomous:
        raise Unsupported(
            f"{system.in_words} reads time `t` in a mechanism, so that it has no stationary law; "
            "replace `t` by a parameter"
        )
    if system.schedule:
        raise Unsupported(
            f"{system.in_words} has interventions over time, so that its law does not last; "
            "remove them, or make them permanent"
        )


def _solved(data: xr.Dataset, *, attracting: bool) -> Population:
    """Return all solutions of a structural model, or those that attract."""
    solutions = {str(k): v.values for k, v in data.data_vars.items() if "solution" in v.dims}
    kinds, shape = solutions.pop("stability", None), (data.sizes["sample"], data.sizes["solution"])
    kept = np.arange(shape[1]) < data["count"].values[:, np.newaxis]
    kept &= (data.status.values != SolutionStatus.CONTINUUM)[:, np.newaxis]
    told = ""
    if attracting and kinds is not None:
        stable = kinds == "stable"
        kept &= stable | ((kinds == "marginal") & ~stable.any(axis=1, keepdims=True))
        told = "attracting "
    given = {str(k): v.values for k, v in data.data_vars.items() if v.dims == ("sample",)}
    columns = {k: np.broadcast_to(row[:, np.newaxis], shape) for k, row in given.items()}
    values = {k: np.where(kept, rows, np.nan) for k, rows in (columns | solutions).items()}
    number = kept.sum(axis=1)
    fates = [
        _UNSOLVED.get(status) or _solutions(k, told)
        for status, k in zip(data.status.values.tolist(), number.tolist(), strict=True)
    ]
    return Population(values, np.array(fates), searched="search" in data.attrs["solved_by"])


def _solutions(number: int, told: str) -> str:
    counted = {0: "no", 1: "one"}.get(number, str(number))
    return f"{counted} {told}solution{'s' * (number > 1)}"


def _settled(system: System, n: int, seed: int) -> Population:
    x0, p = system.draw(np.arange(n), seed)
    equations = EquilibriumEquations(system)
    (limits,) = long_runs([(equations, x0, p)])
    settled = np.array([limit.status is LimitStatus.SETTLED for limit in limits])
    x, scale = (
        np.array(rows).reshape(n, -1).T
        for rows in ([run.state for run in limits], [run.scale for run in limits])
    )
    if settled.any():
        x[:, settled] = _exact(equations, *(v[:, settled] for v in (x, scale, x0, p)))
    fates = np.array([limit.status.name.lower().replace("_", " ") for limit in limits])
    return Population(_columns(values_of(system, x, p), settled), fates)


def _exact(
    equations: EquilibriumEquations, x: Floats, scale: Floats, x0: Floats, p: Floats
) -> Floats:
    """Return the equilibria next to limits, which lie up to a millionth apart from these.

    Where a variable is the same in all samples that would make it vary.
    """
    roots, converged = equations.roots(x, p, equations.conserved(x0))
    near = np.abs(roots - x) <= 2 * NEAR * np.abs(x) + _RESOLVED * scale
    return np.where(converged & near.all(axis=0), roots, x)


def _columns(values: Mapping[str, Floats], present: NDArray[np.bool_]) -> dict[str, Floats]:
    """Return values (samples,) as those of one solution, NaN where there is none."""
    return {name: np.where(present, row, np.nan)[:, np.newaxis] for name, row in values.items()}


def values_of(system: System, x: Floats, p: Floats) -> dict[str, Floats]:
    """Return all variables and parameters by name at states (states, samples)."""
    rows = (*x, *system.outputs.vector(0.0, x, p), *p)
    return dict(zip((*system.states, *system.derived, *system.parameters), rows, strict=True))


def _stationary(system: System, n: int, seed: int, step: float | None) -> Population:
    ends = list[xr.Dataset]()
    alike = 0
    for end in _ends(system, n, seed, step):
        ends.append(end)
        if alike < 2:
            alike = alike + 1 if len(ends) > 1 and not _differ(system, ends[-2], end, seed) else 0
        elif alike < _LONG_AFTER - 1:
            alike += 1
        else:
            alike = 0 if _differ(system, ends[-4], end, seed) else _LONG_AFTER
        if alike == _LONG_AFTER:
            break
    last, rests = ends[-1], alike == _LONG_AFTER
    complete = last.status.values == RunStatus.COMPLETE
    names = [RunStatus(s).name.lower().replace("_", " ") for s in last.status.values]
    fates = np.where(complete, STATIONARY if rests else MOVING, names)
    values = {name: last[name].values for name in (*system.variables, *system.parameters)}
    return Population(_columns(values, complete & rests), fates, float(last.time))


def _ends(system: System, n: int, seed: int, step: float | None) -> Iterator[xr.Dataset]:
    """Yield the samples at the ends of windows [0, T], T doubling."""
    x, p = system.draw(np.arange(n), seed)
    window = _STEPS_PER_TIME_SCALE * (step or _step(system, x, p))
    for _ in range(_WINDOWS):
        h = step or min(_step(system, x, p), window)
        if window / h > _MOST_STEPS:
            return
        end = simulate(system, [0, window], n=n, seed=seed, step=h).isel(time=-1)
        yield end
        moved = np.array([end[name].values for name in system.states])
        finite = np.isfinite(moved).all(axis=0)
        if not finite.any():
            return
        x, p = moved[:, finite], system.draw(np.flatnonzero(finite), seed)[1]
        window *= 2


def _step(system: System, x: Floats, p: Floats) -> float:
    """Return a fraction of the fastest time scale that the drift has at some states."""
    some = slice(None, None, max(1, x.shape[1] // 64))
    slopes = system.rates.jacobian.batch(0.0, x[:, some], p[:, some])
    fastest = np.nanmax(np.abs(slopes).sum(axis=2), initial=0.0)
    return 1 / (_STEPS_PER_TIME_SCALE * fastest) if 0 < fastest < np.inf else 1e-2


def _differ(system: System, early: xr.Dataset, late: xr.Dataset, seed: int) -> bool:
    """Say whether the law of the states differs between two times.

    States of one sample that resemble each other make the test err on the side of no difference.
    """
    x, y = (np.array([at[name].values for name in system.states]) for at in (early, late))
    x, y = (part[:, (np.abs(part) < _BOUNDLESS).all(axis=0)][:, :_SEEN] for part in (x, y))
    if min(x.shape[1], y.shape[1]) < 2:
        return True
    found = two_sample(system.states, x, y, seed=seed, smallest=_LEVEL)
    return found.p_value <= _LEVEL
