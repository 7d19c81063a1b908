"""`check`: what becomes of a plan in the simulated system.

The plan is performed on the system at rest (or, where it does not rest, from its initial state),
and followed until its fate is known. A condition of the target counts as reached for good when

    m(t) >= min(0, m(end)) - w |m(0) - m(end)|   from then on,

with m its margin and w = 0.02 unless told: the 2 % settling time of control (Åström & Murray,
Feedback Systems, 2008, section 5.3), for targets. A constraint is a condition on the way there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.abstraction.planning.conditions import Conditions
from physcm.abstraction.planning.fate import TOLERANCE, imagined_state, long_run, values_in_words
from physcm.abstraction.planning.plans import Plan
from physcm.abstraction.planning.transit import Breach, last_below, watched
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.sim import System, settle, simulate, steady_states
from physcm.sim.options import positive_count
from physcm.sim.status import LimitStatus, RestStatus

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WITHIN = 0.02
_MANY, _BEYOND = 100, 4


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
    rest = steady_states(system, n=count, seed=plan.seed)
    rested = from_rest and bool((rest.status == RestStatus.REACHED).all())
    start = _starting_at(system, rest) if rested else system
    before = simulate(start, [0.0], n=count, seed=plan.seed).isel(time=0)
    acted = start.do(*plan.interventions)
    limits = settle(acted, count, plan.seed)
    ends_early = (limits.status == LimitStatus.DIVERGED).any()  # it is known before it is seen
    horizon = (float(limits.settling_time.max()) or 1.0) * (_BEYOND if ends_early else 1)
    runs = watched(acted, horizon, n=count, seed=plan.seed)
    return Check(plan, system, acted, kept, within, rested, before, limits, runs)


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
        there = [target.sizes(dict(zip(target.names, row, strict=True)))
                 for row in np.array([self.limits[name] for name in target.names]).T]  # fmt: skip
        sizes = np.maximum(there, self.plan.sizes).T
        return np.asarray(settled & (margins >= -TOLERANCE * sizes).all(axis=0))

    @cached_property
    def arrival(self) -> Floats:
        """When each run has reached the target for good, NaN if it does not, (samples,)."""
        margins = self.plan.target.margins(self.runs)
        end = self.plan.target.margins(self.limits)[:, :, np.newaxis]
        allowed = np.minimum(end, 0) - self.within * np.abs(margins[:, :, :1] - end)
        late = last_below(margins - allowed, self.runs.time.values).max(axis=0, initial=0.0)
        return np.where(self.reached, late, np.nan)

    @cached_property
    def breaches(self) -> tuple[Breach, ...]:
        """The constraints that are broken on the way."""
        if not self.constraints.parts:
            return ()
        times, margins = self.runs.time.values, self.constraints.margins(self.runs)
        pairs = zip(self.constraints.texts(), margins, strict=True)
        return tuple(Breach.of(text, m, times) for text, m in pairs if (m < 0).any())

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
        groups: dict[tuple[LimitStatus, str], list[int]] = {}
        for k in np.flatnonzero(~self.reached).tolist():
            status = LimitStatus(int(self.limits.status[k]))
            imagined = imagined_state(self.plan, self.acted, self.limits, k)
            groups.setdefault((status, imagined), []).append(k)
        return tuple(
            f"{self._long_run(status, runs)}; {imagined}{self._share(len(runs))}"
            for (status, imagined), runs in groups.items()
        )

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
        begin = f"{start} at {values_in_words(self.before, names)}"
        lines = [("target", self._arrived())] if self.reached.any() else []
        lines += [("target" if not lines else "", f"not reached: {why}") for why in self.trouble]
        lines += [("imagined", values_in_words(self.plan.imagined, names))]
        lines += [("in the plant", f"{values_in_words(self.limits, names)}, {begin}")]
        said = zip(["constraints", *[""] * len(texts)], [*broken, *kept], strict=False)
        lines += [*said, ("cost", f"{self.cost:.4g}")]
        lines += [("rests on", caveat) for caveat in self.plan.caveats]
        return "\n".join([
            f"{verdict} IN THE PLANT: {self.plan}", *(f"  {a:12} {b}" for a, b in lines)
        ])  # fmt: skip

    __repr__ = __str__

    def _arrived(self) -> str:
        when = f"within {100 * self.within:g} % of the way at t = {np.nanmedian(self.arrival):.3g}"
        return f"reached, {when}{self._share(int(self.reached.sum()))}"

    def _long_run(self, status: LimitStatus, runs: list[int]) -> str:
        return long_run(status, self.limits.isel(sample=runs), self.plan.target.names)

    def _share(self, runs: int) -> str:
        every = self.reached.size
        return "" if every == 1 else f" ({runs} of {every} runs)"


def _starting_at(system: System, rest: xr.Dataset) -> System:
    """Return the system with its states of rest as initial values."""
    return system.replace(initial={name: tuple(rest[name].values) for name in system.states})
