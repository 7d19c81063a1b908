"""`hysteresis`: a number swept up and down so slowly that the system keeps up with it.

From value to value the place of rest moves along. At each value the flow is followed from there,
pushed a little, since a real system does not stay on an equilibrium that has lost its stability.
Where the place of rest does not move continuously the sweep jumps: between the two values the
change is halved in again and again, and the gap stays. Where up and down jump at different
values the state depends on the past.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import normals
from physcm.sim.bifurcation.continuation import continuation
from physcm.sim.bifurcation.found import Continuation, SpecialPoint
from physcm.sim.equilibrium import brought_to_totals, stability
from physcm.sim.long_run import Limit, long_run
from physcm.sim.provenance import provenance
from physcm.sim.status import LimitStatus, flags
from physcm.sim.system import System

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HALVINGS, _PIECES = 12, 8
_BEYOND = 0.02
_NEAR = 0.1
_GAP, _SMALL, _CLOSE = 0.1, 1e-3, 1e-4
_WAYS = ("up", "down")


@dataclass(frozen=True)
class Jump:
    """A value at which a slow sweep leaves one place of rest for another, or for none.

    Attributes:
        way: "up" or "down".
        between: two values, close to each other, that enclose it.
        status: what the flow does after it: settled, or periodic, diverged, ... (see `settle`).
        cause: the special point of the equilibria that is nearest, None without any.
    """

    way: str
    between: tuple[float, float]
    status: str
    cause: SpecialPoint | None

    @property
    def value(self) -> float:
        """The middle of the two values."""
        return sum(self.between) / 2

    def __str__(self) -> str:
        after = "to another equilibrium" if self.status == "settled" else f"to none: {self.status}"
        cause = self.cause
        why = f"; {cause.kind} at {cause.value:.6g}" if cause else ""
        return f"{self.way}: at {self.value:.6g} {after}{why}"


@dataclass(frozen=True, eq=False)
class Hysteresis:
    """A sweep up and down.

    Attributes:
        table: over `way` (up, down) and `value`: every state and derived variable where the flow
            comes to rest, NaN where it does not, and `status` as from `settle`.
        jumps: where the state jumps.
        found: the continuation of the equilibria over the same range.
    """

    table: xr.Dataset
    jumps: tuple[Jump, ...]
    found: Continuation

    @cached_property
    def depends_on_past(self) -> bool:
        """Whether somewhere up and down come to rest in different states."""
        up, down = (self.table.sel(way=way) for way in _WAYS)
        for name in self.found.sweep.system.states:
            gap = np.abs(up[name].values - down[name].values)
            size = np.nanmax(np.abs(self.table[name].values), initial=0.0)
            if np.nanmax(gap, initial=0.0) > _SMALL * size:
                return True
        return bool((up.status.values != down.status.values).any())

    def plot(self, names: Iterable[str] = ()) -> Figure:
        """Return the bifurcation diagram with both ways drawn over it."""
        from physcm.sim.bifurcation.plot import hysteresis_loop

        return hysteresis_loop(self, tuple(names))

    def __str__(self) -> str:
        name = self.found.name
        past = "depends on the past" if self.depends_on_past else "does not depend on the past"
        low, high = (float(v) for v in self.table.value.values[[0, -1]])
        head = f"{name} from {low:g} to {high:g} and back: the state {past}"
        return "\n".join([head, *(f"  {jump}" for jump in self.jumps)])

    __repr__ = __str__


def hysteresis(
    system: System,
    over: str,
    values: Iterable[float],
    *,
    seed: int = 0,
    sample: int = 0,
    nudge: float = 1e-7,
) -> Hysteresis:
    """Return what a slow sweep up and down does, and where it jumps.

    Args:
        system: autonomous and without noise.
        over: what is swept, as in `continuation`.
        values: the values, at least two; they are taken in increasing order, then back.
        seed: as in `simulate`.
        sample: whose parameters and initial values to take.
        nudge: how far the state is pushed at each value, relative to its size.

    Raises:
        InvalidValue: for fewer than two values; also as `continuation`.

    >>> switch = System({"x": "r + x - x**3"}, parameters={"r": 0}, initial={"x": -1})
    >>> print(hysteresis(switch, "r", [-1, -0.5, 0, 0.5, 1]))
    r from -1 to 1 and back: the state depends on the past
      up: at 0.385 to another equilibrium; fold at 0.3849
      down: at -0.385 to another equilibrium; fold at -0.3849
    """
    levels = np.unique(np.array([float(value) for value in values]))
    if levels.size < 2:
        raise InvalidValue(
            f"`{levels.tolist()}` are too few values; give at least two, as np.linspace(0, 1, 50)"
        )
    between = (float(levels[0]), float(levels[-1]))
    found = continuation(system, over, between, seed=seed, sample=sample)
    slow = _Slow(found, nudge)
    up = slow.along(levels, slow.sweep.at(levels[0])[0])
    down = slow.along(levels[::-1], up[-1].state)
    jumps = [
        Jump(way, ends, after.status.name.lower(), _nearest(found, sum(ends) / 2))
        for way, at, rests in (("up", levels, up), ("down", levels[::-1], down))
        for ends, after in slow.jumps(at, rests)
    ]
    return Hysteresis(slow.table(levels, up, down[::-1]), tuple(jumps), found)


class _Slow:
    """A system that is followed from value to value."""

    def __init__(self, found: Continuation, nudge: float) -> None:
        self.found, self.sweep, self.nudge = found, found.sweep, nudge
        self.typical = found.tracer.units.typical[:-1]

    def along(self, values: Floats, x: Floats) -> list[Limit]:
        """Return where the flow goes at each value, from where it was at the one before."""
        out: list[Limit] = []
        last = float(values[0])
        for step, value in enumerate(values.tolist()):
            out.append(self.rest(value, self.kept_up(last, value, x), step))
            x = out[-1].state if np.isfinite(out[-1].state).all() else x
            last = value
        return out

    def kept_up(self, last: float, value: float, x: Floats) -> Floats:
        """Move a place of rest along with the number, as far as no step leads away from it.

        A focus that has lost its stability is still near to where it was.
        """
        equations = self.sweep.equations
        for between in np.linspace(last, value, _PIECES + 1)[1:]:
            own, p = self.sweep.at(float(between))
            roots, good = equations.roots(x[:, np.newaxis], p, equations.weights @ own)
            near = (np.abs(roots[:, 0] - x) <= _NEAR * self.typical).all()
            if not good[0] or not near:
                return x
            values = equations.eigenvalues(roots[:, 0], p, self.typical)
            if stability(values) != "stable" and not values[0].imag:
                return x
            x = roots[:, 0]
        return x

    def rest(self, value: float, x: Floats, step: int) -> Limit:
        """Return where the flow goes from next to a state."""
        equations = self.sweep.equations
        own, p = self.sweep.at(value)
        low, high = equations.bounds
        names = [f"nudge of {name}" for name in self.sweep.system.states]
        draws = [normals(self.sweep.seed, name, np.array([step]))[0] for name in names]
        push = self.nudge * np.array(draws) * self.typical
        push = np.where((x + push < low) | (x + push > high), -push, push)
        start = np.clip(x + push, low, high)[:, np.newaxis]
        start = brought_to_totals(equations, start, (equations.weights @ own)[:, np.newaxis])
        return long_run(equations, start[:, 0], p)

    def jumps(
        self, values: Floats, rests: list[Limit]
    ) -> Iterator[tuple[tuple[float, float], Limit]]:
        """Yield two close values on both sides of each jump, and what the flow does after it."""
        steps = zip(pairwise(values.tolist()), pairwise(rests), strict=True)
        for step, ((a, b), (before, after)) in enumerate(steps, start=1):
            if before.status is LimitStatus.SETTLED and not self._goes_on(a, b, before, after):
                found = self._enclosed(a, b, before, after, step)
                if found is not None:
                    yield found

    def _goes_on(self, a: float, b: float, before: Limit, after: Limit) -> bool:
        """Say whether one stable stretch of a branch joins two places of rest."""
        ends = np.append(before.state, a), np.append(after.state, b)
        for branch in self.found.curves:
            one, other = (branch.place(u, self.found.tracer, _CLOSE) for u in ends)
            if one is not None and other is not None and branch.stays_stable(one, other):
                return after.status is LimitStatus.SETTLED
        return False

    def _enclosed(
        self, a: float, b: float, before: Limit, after: Limit, step: int
    ) -> tuple[tuple[float, float], Limit] | None:
        """Halve the change from a to b again and again; None where every gap closes.

        What the flow does after it is read a small step beyond, since at the edge itself it leaves
        its place of rest so slowly that it need not be seen to arrive.
        """
        first, end = self._gaps(before, after), b
        for _ in range(_HALVINGS):
            middle = (a + b) / 2
            there = self.rest(middle, self.kept_up(a, middle, before.state), step)
            if self._gaps(before, there).max() <= self._gaps(there, after).max():
                a, before = middle, there
            else:
                b, after = middle, there
            left = self._gaps(before, after)
            if (left <= np.maximum(_GAP * first, _SMALL)).all():
                return None
        beyond = b + _BEYOND * (end - b)
        after = self.rest(beyond, self.kept_up(a, beyond, before.state), step)
        return (min(a, b), max(a, b)), after

    def _gaps(self, one: Limit, other: Limit) -> Floats:
        """Return how far each state is apart in two places of rest, relative to its size.

        1 if just one of the two is a place of rest, 0 if none is.
        """
        rest = [limit.status is LimitStatus.SETTLED for limit in (one, other)]
        if not all(rest):
            return np.full(len(self.typical), float(any(rest)))
        return np.asarray(np.abs(one.state - other.state) / self.typical)

    def table(self, values: Floats, up: list[Limit], down: list[Limit]) -> xr.Dataset:
        """Return both ways as a dataset."""
        system, p = self.sweep.system, self.sweep.parameters(values)
        both = []
        for limits in (up, down):
            settled = np.array([limit.status is LimitStatus.SETTLED for limit in limits])
            states = np.where(settled, np.array([limit.state for limit in limits]).T, np.nan)
            both.append(np.vstack([states, system.outputs.vector(0.0, states, p)]))
        data: dict[str, Any] = {
            name: (("way", "value"), rows)
            for name, rows in zip(system.variables, np.stack(both, axis=1), strict=True)
        }
        status = flags([limit.status for limit in (*up, *down)], LimitStatus)
        data["status"] = (("way", "value"), status.values.reshape(2, -1), status.attrs)
        made = xr.Dataset(data, coords={"way": list(_WAYS), "value": values})
        settings = {"seed": self.sweep.seed, "sample": self.sweep.sample, "swept": self.sweep.name}
        return made.assign_attrs(provenance(system), **settings)


def _nearest(found: Continuation, value: float) -> SpecialPoint | None:
    stable = [switch.cause for switch in found.switches]
    return min(stable, key=lambda point: abs(point.value - value), default=None)
