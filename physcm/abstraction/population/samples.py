"""Samples of what a model says in the long run: of a solution, a state of rest, a stationary law.

A structural model is sampled. A system without noise is followed, sample by sample, until it
rests. A system with noise is followed over windows [0, T], T doubling, until the laws of its
states at T/2 and at T are no longer told apart, twice in a row, nor then those at T and at 8 T.
There samples are read: a rest of the transient too small to be seen at T, say exp(-2), has become
as good as none, exp(-16).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import xarray as xr

from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.population.two_sample import two_sample
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import Unsupported
from physcm.scm import SCM, LinearSCM
from physcm.sim import System, simulate
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import long_runs
from physcm.sim.options import positive_number
from physcm.sim.settle import require_autonomous
from physcm.sim.status import LimitStatus, RunStatus

Low: TypeAlias = System | SCM | LinearSCM
High: TypeAlias = SCM | LinearSCM | CausalConstraintsModel

STATIONARY, MOVING = "stationary", "still moving"
_STEPS_PER_TIME_SCALE = 20
_WINDOWS = 32
_MOST_STEPS = 2**22
_LEVEL, _SEEN = 0.05, 500
_LONG_AFTER = 5
_BOUNDLESS = 1e150


@dataclass(frozen=True, eq=False)
class Population:
    """Values of variables and parameters over samples, NaN where a sample has none.

    Attributes:
        values: by name, each (samples,).
        fates: what became of the samples, and of how many.
        time: the time of a system with noise at which they were read, else 0.
    """

    values: Mapping[str, Floats]
    fates: Mapping[str, int]
    time: float = 0.0

    @property
    def in_words(self) -> str:
        """Say what became of the samples, such as "settled 98 %, diverged 2 %"."""
        total = sum(self.fates.values())
        parts = [f"{fate} {n / total:.0%}" for fate, n in self.fates.items()]
        text = ", ".join(parts) if len(parts) > 1 else next(iter(self.fates))
        return f"{text} by t = {self.time:.3g}" if text == STATIONARY else text


def population(model: Low | High, n: int, seed: int, step: float | None = None) -> Population:
    """Return samples of a model in the long run.

    Args:
        model: what to sample.
        n: number of samples.
        seed: of all draws.
        step: of a system with noise; unless told a twentieth of its fastest time scale.

    Raises:
        Unsupported: for a system that reads time, or is intervened on for a while.
        InvalidValue: for a step that is no positive number.

    >>> population(SCM({"x": "e**2"}, exogenous={"e": 2}), 3, 0).values["x"].tolist()
    [4.0, 4.0, 4.0]
    """
    if not isinstance(model, System):
        return _sampled(model.sample(n, seed))
    if model.noise or model.jumps:
        _require_stationary_form(model)
        return _stationary(model, n, seed, None if step is None else positive_number(step, "step"))
    require_autonomous(model)
    return _settled(model, n, seed)


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


def _sampled(data: xr.Dataset) -> Population:
    values = {str(name): data[name].values for name in data.data_vars if name != "status"}
    if "status" not in data:
        return Population(values, {"unique": data.sizes["sample"]})
    meanings = data.status.attrs["flag_meanings"].split()
    counts = Counter(data.status.values.tolist())
    fates = {
        meanings[list(data.status.attrs["flag_values"]).index(k)]: c for k, c in counts.items()
    }
    return Population(values, fates)


def _settled(system: System, n: int, seed: int) -> Population:
    x0, p = system.draw(np.arange(n), seed)
    (limits,) = long_runs([(EquilibriumEquations(system), x0, p)])
    settled = np.array([limit.status is LimitStatus.SETTLED for limit in limits])
    x = np.array([limit.state for limit in limits]).reshape(n, -1).T
    fates = Counter(limit.status.name.lower().replace("_", " ") for limit in limits)
    return Population(values_of(system, np.where(settled, x, np.nan), p), fates)


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
    complete = ends[-1].status.values == RunStatus.COMPLETE
    fates = Counter({STATIONARY if alike == _LONG_AFTER else MOVING: int(complete.sum())})
    fates += Counter(RunStatus(s).name.lower() for s in ends[-1].status.values[~complete])
    values = {name: ends[-1][name].values for name in (*system.variables, *system.parameters)}
    return Population(values, fates, float(ends[-1].time))


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
