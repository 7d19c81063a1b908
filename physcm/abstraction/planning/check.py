"""`check`: what becomes of a plan in the simulated system.

The plan is performed on the system at rest (or, where it does not rest, from its initial state),
and followed until its fate is known. A condition of the target counts as reached for good when

    m(t) >= min(0, m(end)) - w |m(0) - m(end)|   from then on,

with m its margin and w = 0.02 unless told: the 2 % settling time of control (Åström & Murray,
Feedback Systems, 2008, chapter 6), for targets. A constraint is a condition on the way there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.abstraction.planning.conditions import Conditions
from physcm.abstraction.planning.plans import Plan
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.sim import System, settle, simulate
from physcm.sim.equilibrium import EquilibriumEquations, stability
from physcm.sim.options import positive_count
from physcm.sim.status import LimitStatus

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WITHIN = 0.02
_MANY = 100
_TOLERANCE = 1e-5
_LINEAR, _EARLY = 1001, 400


def check(
    plan: Plan,
    system: System,
    constraints: str = "",
    *,
    n: int | None = None,
    within: float = WITHIN,
    from_rest: bool = True,
) -> Check:
    """Perform a plan in the simulator.

    Args:
        plan: as `plan` makes it.
        system: autonomous and without noise.
        constraints: conditions that must not be broken on the way, such as `T < 400 and P > 0`.
        n: number of samples, unless told 1 for a plan of one sample and else 100.
        within: the share of the way by which a target may still be missed on arrival.
        from_rest: let the system come to rest before, if it does.

    Returns:
        What happened; see `Check`.

    Raises:
        UnknownVariable, ParseError, InvalidValue: for constraints that cannot be read.
        Unsupported: for a system with noise or explicit time, which never rests.

    >>> from physcm.abstraction import equilibrium_model
    >>> from physcm.abstraction.planning.action import Action
    >>> from physcm.abstraction.planning.plan import plan
    >>> tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    >>> plans = plan(equilibrium_model(tank), "h >= 2", [Action("q", (0, 9))])
    >>> print(plans.best.check(tank, "h < 5"))
    WORKS IN THE PLANT: q = 4
      target       reached, within 2 % of the way at t = 1.96
      imagined     h = 2
      in the plant h = 2, from rest at h = 0.5
      constraints  h < 5 kept
      cost         3
    """
    if not 0 < within < 1:
        raise InvalidValue(f"within is `{within}`; give a share between 0 and 1")
    count = positive_count(n, "n") if n is not None else (1 if plan.fresh == 1 else _MANY)
    names = {*system.variables, *system.parameters}
    kept = Conditions.read(constraints, names, "constraints") if constraints else Conditions(())
    before = settle(system, count, plan.seed)
    rested = from_rest and bool((before.status == LimitStatus.SETTLED).all())
    start = _starting_at(system, before) if rested else system
    acted = start.do(*plan.interventions)
    limits = settle(acted, count, plan.seed)
    horizon = float(limits.settling_time.max()) or 1.0
    runs = simulate(acted, _times(horizon), n=count, seed=plan.seed)
    begin = before if rested else simulate(system, [0.0], n=count, seed=plan.seed).isel(time=0)
    return Check(plan, system, acted, kept, within, rested, begin, limits, runs)


@dataclass(frozen=True)
class Breach:
    """A constraint that is broken on the way.

    Attributes:
        condition: the constraint.
        runs: the number of runs that break it.
        first: when the first one does.
        worst: by how much it is broken at the worst.
        at: when that is.
    """

    condition: str
    runs: int
    first: float
    worst: float
    at: float

    def __str__(self) -> str:
        return (
            f"{self.condition} broken from t = {self.first:.4g} on, "
            f"by {self.worst:.4g} at t = {self.at:.4g}"
        )


@dataclass(frozen=True, eq=False)
class Check:
    """A plan beside what became of it.

    Attributes:
        plan: the plan.
        system: the plant.
        acted: the plant under the plan, at its start.
        constraints: what must not be broken on the way.
        within: the share of the way by which a target may be missed on arrival.
        rested: whether the plant was at rest before.
        before: its state before.
        limits: what it does in the long run, as `settle` tells.
        runs: the trajectories, over `sample` and `time`.
    """

    plan: Plan
    system: System
    acted: System
    constraints: Conditions
    within: float
    rested: bool
    before: xr.Dataset
    limits: xr.Dataset
    runs: xr.Dataset

    @property
    def ok(self) -> bool:
        """Whether as many runs reach the target as were asked for, and none breaks a constraint."""
        return bool(self.reached.mean() >= self.plan.asked) and not self.breaches

    @cached_property
    def reached(self) -> NDArray[np.bool_]:
        """The runs that come to rest where the target is met, (samples,)."""
        settled = self.limits.status.values == LimitStatus.SETTLED
        target = self.plan.target
        margins = target.margins(self.limits)
        sizes = [target.sizes(dict(zip(target.names, row, strict=True)))
                 for row in np.array([self.limits[name] for name in target.names]).T]  # fmt: skip
        return np.asarray(settled & (margins >= -_TOLERANCE * np.transpose(sizes)).all(axis=0))

    @cached_property
    def arrival(self) -> Floats:
        """When each run has reached the target for good, NaN if it does not, (samples,)."""
        margins = self.plan.target.margins(self.runs)
        end = self.plan.target.margins(self.limits)[:, :, np.newaxis]
        allowed = np.minimum(end, 0) - self.within * np.abs(margins[:, :, :1] - end)
        late = _last_below((margins - allowed), self.runs.time.values).max(axis=0, initial=0.0)
        return np.where(self.reached, late, np.nan)

    @cached_property
    def breaches(self) -> tuple[Breach, ...]:
        """The constraints that are broken on the way."""
        if not self.constraints.parts:
            return ()
        times, margins = self.runs.time.values, self.constraints.margins(self.runs)
        pairs = zip(self.constraints.texts(), margins, strict=True)
        return tuple(_breach(text, m, times) for text, m in pairs if (m < 0).any())

    @cached_property
    def cost(self) -> float:
        """What the plan costs from where the plant was, on average over the runs."""
        known = {**self.before.data_vars}
        pairs = zip(self.plan.actions, self.plan.values, strict=True)
        costs = [
            action.total(np.array([value]), float(natural))[0]
            for action, value in pairs
            for natural in np.atleast_1d(known[action.name])
        ]
        return float(np.sum(costs)) / self.before.sizes["sample"]

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why runs do not reach the target, and how many each."""
        why = [self._why(k) for k in np.flatnonzero(~self.reached).tolist()]
        return tuple(f"{text}{self._share(why.count(text))}" for text in dict.fromkeys(why))

    def plot(self) -> Figure:
        """Return a picture of the way: targets, constraints, and where they are broken first."""
        from physcm.abstraction.planning.picture import picture

        return picture(self)

    def __str__(self) -> str:
        verdict = "WORKS" if self.ok else "FAILS"
        names = self.plan.target.names
        start = "from rest" if self.rested else "from the initial state"
        broken = [f"{breach}{self._share(breach.runs)}" for breach in self.breaches]
        texts = self.constraints.texts()
        kept = [
            f"{text} kept" for text in texts if text not in {b.condition for b in self.breaches}
        ]
        begin = f"{start} at {_values(self.before, names)}"
        lines = [("target", self._arrived())] if self.reached.any() else []
        lines += [("target" if not lines else "", f"not reached: {why}") for why in self.trouble]
        lines += [("imagined", _values(self.plan.imagined, names))]
        lines += [("in the plant", f"{_values(self.limits, names)}, {begin}")]
        said = zip(["constraints", *[""] * len(texts)], [*broken, *kept], strict=False)
        lines += [*said, ("cost", f"{self.cost:.4g}")]
        lines += [("rests on", caveat) for caveat in self.plan.caveats]
        return "\n".join([
            f"{verdict} IN THE PLANT: {self.plan}", *(f"  {a:12} {b}" for a, b in lines)
        ])  # fmt: skip

    def _arrived(self) -> str:
        when = f"within {100 * self.within:g} % of the way at t = {np.nanmedian(self.arrival):.3g}"
        return f"reached, {when}{self._share(int(self.reached.sum()))}"

    def _share(self, runs: int) -> str:
        every = self.reached.size
        return "" if every == 1 else f" ({runs} of {every} runs)"

    def _why(self, k: int) -> str:
        """Say what a run does in place of reaching the target."""
        status = LimitStatus(int(self.limits.status[k]))
        if status is LimitStatus.SETTLED:
            does = f"the plant rests at {_values(self.limits.isel(sample=[k]), self._names)}"
        elif status is LimitStatus.PERIODIC:
            does = f"the plant oscillates with the period {float(self.limits.period[k]):.4g}"
        else:
            does = {
                LimitStatus.DIVERGED: "the plant grows without bound",
                LimitStatus.STILL_MOVING: "the plant never comes to rest",
            }.get(status, "the mechanisms of the plant have no finite value any more")
        return f"{does}; {self._imagined(k)}"

    @property
    def _names(self) -> tuple[str, ...]:
        return self.plan.target.names

    def _imagined(self, k: int) -> str:
        """Say what the imagined state is in the plant."""
        plant, imagined = EquilibriumEquations(self.acted), self.plan.imagined
        x0, p = (row[:, k] for row in self.acted.draw(np.arange(k + 1), self.plan.seed))
        if k >= imagined.sizes["sample"] or not {*self.acted.states} <= {*imagined.data_vars}:
            return "the model does not tell the whole state that it imagines"
        x = np.array([float(imagined[name][k]) for name in self.acted.states])
        if not plant.rests(x, p, plant.conserved(x0[:, np.newaxis])[:, 0]):
            return "the imagined state is no equilibrium of the plant"
        values = plant.eigenvalues(x, p, np.where(x != 0, np.abs(x), 1.0))
        if stability(values) == "unstable":
            rate = f"{values[0].real:.3g}"
            return f"the imagined state is an equilibrium that repels, at the rate {rate}"
        return "the imagined state is an equilibrium that attracts, but not from this start"


def _starting_at(system: System, rest: xr.Dataset) -> System:
    """Return the system with its states of rest as initial values."""
    return system.replace(initial={name: tuple(rest[name].values) for name in system.states})


def _times(horizon: float) -> Floats:
    """Return times that are close to each other early on."""
    early = np.geomspace(1e-6, 1, _EARLY)
    return horizon * np.union1d(np.linspace(0, 1, _LINEAR), early)


def _last_below(excess: Floats, times: Floats) -> Floats:
    """Return when each row (..., times) rises above 0 for good, between times by a line."""
    below = excess < 0
    last = np.where(below.any(axis=-1), below.shape[-1] - 1 - below[..., ::-1].argmax(axis=-1), -1)
    after = np.minimum(last + 1, times.size - 1)
    a = np.take_along_axis(excess, np.maximum(last, 0)[..., None], -1)[..., 0]
    b = np.take_along_axis(excess, after[..., None], -1)[..., 0]
    share = np.divide(a, a - b, out=np.ones_like(a), where=a != b)
    return np.where(last < 0, 0.0, times[last] + share * (times[after] - times[last]))


def _breach(text: str, margins: Floats, times: Floats) -> Breach:
    """Return when and by how much runs (samples, times) break a constraint."""
    broken = margins < 0
    first = int(broken.any(axis=0).argmax())
    which = int(margins[:, first].argmin())
    run = margins[which]
    when = times[first]
    if first:
        share = run[first - 1] / (run[first - 1] - run[first])
        when = times[first - 1] + share * (times[first] - times[first - 1])
    worst = np.unravel_index(np.nanargmin(margins), margins.shape)
    runs = int(broken.any(axis=1).sum())
    return Breach(text, runs, float(when), float(-margins[worst]), float(times[worst[1]]))


def _values(found: xr.Dataset | Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the medians of some variables as text."""
    parts = []
    for name in names:
        if name in found:
            values = np.asarray(found[name])
            known = values[np.isfinite(values)]
            parts.append(
                f"{name} = {np.median(known):.4g}" if known.size else f"{name} not at rest"
            )
    return ", ".join(parts)
