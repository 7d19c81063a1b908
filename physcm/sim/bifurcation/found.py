"""What a continuation finds: branches of equilibria, special points, and what they amount to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.sim.bifurcation.curve import Point
from physcm.sim.bifurcation.cycles import cycles
from physcm.sim.bifurcation.sweep import Sweep
from physcm.sim.bifurcation.tracing import Branch, Tracer
from physcm.sim.bifurcation.verdict import Interval, Switch, intervals, switches
from physcm.sim.provenance import provenance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CYCLES = 14
_INCOMPLETE = (
    "  not all is followed: there are too many branches, or equilibria that are not isolated"
)
_SAME, _NEGLIGIBLE = 1e-6, 1e-12


@dataclass(frozen=True)
class SpecialPoint:
    """A point at which something happens to a branch of equilibria.

    Attributes:
        kind: "fold", "Hopf", "transcritical" or "pitchfork" (branches cross), "line" (one of
            them stays at one value, and is not followed), "branch point" (they cross in a more
            degenerate way, and what crosses is not followed), "kink" (a case of min, max, |x| or
            a piecewise mechanism is decided), "bound" (a state comes to the end of what it can
            physically take), "unbounded" (a state has outgrown every size), "lost" or "stopped"
            (the branch is followed no further).
        value: of what is swept.
        state: every state and derived variable.
        branches: the branches that meet here, as positions.
        stability: on the sides of the point, on all of these branches.
        period: at a Hopf point, 2 pi / omega, of the cycle that is born; else NaN.
        first_lyapunov: at a Hopf point (see `physcm.sim.bifurcation.hopf`); else NaN.
        what: the variable that comes to its bound, or the function that is 0 at a kink.
    """

    kind: str
    value: float
    state: Mapping[str, float]
    branches: tuple[int, ...]
    stability: tuple[str, ...]
    period: float = np.nan
    first_lyapunov: float = np.nan
    what: str = ""

    @property
    def concerns_stable(self) -> bool:
        """Whether a stable equilibrium is next to it."""
        return "stable" in self.stability

    @property
    def criticality(self) -> str:
        """Supercritical, subcritical or degenerate, or "" where that is not known or not asked.

        A Hopf point is told by its first Lyapunov coefficient, a pitchfork by whether the
        symmetric pair is stable (three of four sides are) or not (one of four).
        """
        names = {-1: "supercritical", 0: "degenerate", 1: "subcritical"}
        if not np.isnan(self.first_lyapunov):
            return names[int(np.sign(self.first_lyapunov))]
        stable = sum(side == "stable" for side in self.stability)
        sides = (stable, len(self.stability) - stable)
        sign = {(3, 1): -1, (1, 3): 1}.get(sides) if self.kind == "pitchfork" else None
        return "" if sign is None else names[sign]

    def __str__(self) -> str:
        state = ", ".join(f"{name} = {value:.6g}" for name, value in self.state.items())
        more = {"bound": f" of {self.what}", "kink": f" where {self.what} = 0"}.get(self.kind, "")
        if self.kind in ("Hopf", "pitchfork"):
            period = f"period {self.period:.6g}" if self.kind == "Hopf" else ""
            words = ", ".join(word for word in (self.criticality, period) if word)
            more = f" ({words})" if words else ""
        return f"{self.kind}{more} at {state}"


@dataclass(frozen=True, eq=False)
class Continuation:
    """The equilibria of a system as functions of one number.

    Attributes:
        sweep: the system, what is swept and between what.
        points: the special points, in order of the value.
        tracer: what followed the branches.
        curves: the branches as they were followed; `branches` has them as datasets.
        complete: whether all that showed itself was followed: not where there are more than 100
            branches, equilibria that are not isolated, or crossings too degenerate to tell apart.
    """

    sweep: Sweep
    points: tuple[SpecialPoint, ...]
    tracer: Tracer
    curves: tuple[Branch, ...]
    complete: bool

    @property
    def name(self) -> str:
        """What is swept: a parameter, `do(X)` or `shift(X)`."""
        return self.sweep.name

    @cached_property
    def branches(self) -> tuple[xr.Dataset, ...]:
        """The branches, each over `point` in the order of the curve.

        Each has the swept number, every state and derived variable, `stability`, `special` (the
        kind of a special point, else "") and over `mode` the eigenvalues, `eigenvalue_real` and
        `eigenvalue_imag`; the attributes `begins` and `ends` say why it goes no further.
        """
        return tuple(
            self._dataset("point", branch.points).assign_attrs(
                begins=branch.ends[0], ends=branch.ends[1]
            )
            for branch in self.curves
        )

    def at(self, value: float) -> xr.Dataset:
        """Return the equilibria at a value, in the form of `equilibria`, with their `branch`.

        They are in order of the states.

        Raises:
            InvalidValue: for a value outside of the range.
        """
        if not self.sweep.low <= value <= self.sweep.high:
            raise InvalidValue(
                f"`{value}` is outside of [{self.sweep.low:g}, {self.sweep.high:g}], over which "
                f"`{self.name}` was swept; choose a value inside, or sweep a longer range"
            )
        found = sorted(self._equilibria(value), key=lambda pair: tuple(pair[1].u))
        dataset = self._dataset("equilibrium", [point for _, point in found])
        return dataset.assign(branch=("equilibrium", [branch for branch, _ in found]))

    @cached_property
    def intervals(self) -> tuple[Interval, ...]:
        """The values between which the number of stable equilibria stays the same."""
        return intervals(self)

    @cached_property
    def switches(self) -> tuple[Switch, ...]:
        """The values at which a stable equilibrium jumps, ends, loses stability or bends."""
        return switches(self)

    def cycles(self, values: Iterable[float] | None = None) -> xr.Dataset:
        """Return limit cycles by simulation (see `physcm.sim.bifurcation.cycles`).

        Args:
            values: of what is swept; unless given, some of each interval without any stable
                equilibrium.
        """
        if values is None:
            restless = [interval for interval in self.intervals if not interval.stable]
            values = [v for one in restless for v in np.linspace(one.low, one.high, _CYCLES)[1:-1]]
        return cycles(self, values)

    def plot(self, names: Sequence[str] = (), *, cycles: bool = False) -> Figure:
        """Return the bifurcation diagram (see `physcm.sim.bifurcation.plot`).

        Args:
            names: the variables to draw, one below the other; every one that moves unless given.
            cycles: draw how far limit cycles swing, which are simulated, as well.
        """
        from physcm.sim.bifurcation.plot import diagram

        return diagram(self, names, self.cycles() if cycles else None)

    def __str__(self) -> str:
        sweep = self.sweep
        count = sum(len(branch.points) for branch in self.curves)
        lines = [
            f"{sweep.system.in_words}, {sweep.name} from {sweep.low:g} to {sweep.high:g}: "
            f"{len(self.curves)} branches of equilibria, {count} points"
        ]
        lines += [] if self.complete else [_INCOMPLETE]
        lines += [
            f"  the equations repeat in `{name}` with the period {turn:.6g}: what is whole turns "
            "apart counts once"
            for name, turn in zip(sweep.system.states, sweep.turns, strict=True)
            if np.isfinite(turn)
        ]
        lines += [f"  {sweep.name} = {point.value:.8g}: {point}" for point in self.points]
        lines += ["in the long run:"]
        lines += [f"  {interval}" for interval in self.intervals]
        lines += ["switches:"] if self.switches else ["no switches"]
        lines += [f"  {switch}" for switch in self.switches]
        return "\n".join(lines)

    __repr__ = __str__

    def _equilibria(self, value: float) -> Iterator[tuple[int, Point]]:
        """Yield the equilibria at a value, and on which branch each lies."""
        last = len(self.sweep.system.states)
        for k, branch in enumerate(self.curves):
            seen: list[Point] = []
            for a, b in pairwise(branch.points):
                low, high = sorted((a.u[-1], b.u[-1]))
                if not low <= value <= high or low == high:
                    continue
                share = (value - a.u[-1]) / (b.u[-1] - a.u[-1])
                guess = a.u + share * (b.u - a.u)
                curve = self.tracer.on(b.piece)
                u = curve.where(last, value, guess)
                if u is not None and all(point.distance(u) > _SAME for point in seen):
                    seen.append(curve.point(u, b.u - a.u))
            yield from ((k, point) for point in seen)

    def value(self, u: Floats) -> float:
        """Return the swept number at a point, a rounding error of 0 as 0."""
        small = abs(u[-1]) <= _NEGLIGIBLE * self.tracer.units.typical[-1]
        return 0.0 if small else float(u[-1])

    def values(self, u: Floats) -> dict[str, float]:
        """Return every state and derived variable at a point, rounding errors of 0 as 0."""
        negligible = np.abs(u) <= _NEGLIGIBLE * self.tracer.units.typical
        u = np.where(negligible, 0.0, u)
        derived = self._derived(u[:-1, np.newaxis], u[-1:])
        values = (*u[:-1], *derived[:, 0])
        return dict(zip(self.sweep.system.variables, map(float, values), strict=True))

    def _derived(self, states: Floats, values: Floats) -> Floats:
        p = self.sweep.parameters(values)
        return self.sweep.system.outputs.vector(0.0, states, p)

    def _dataset(self, dim: str, points: Sequence[Point]) -> xr.Dataset:
        system, count = self.sweep.system, len(points)
        u = np.array([point.u for point in points]).reshape(count, len(system.states) + 1).T
        rows = (*u[:-1], *self._derived(u[:-1], u[-1]))
        modes = len(self.sweep.equations.free)
        eigenvalues = np.array([point.eigenvalues for point in points]).reshape(count, modes)
        data: dict[str, Any] = {self.name: (dim, u[-1])}
        data |= {name: (dim, row) for name, row in zip(system.variables, rows, strict=True)}
        data["stability"] = (dim, np.array([point.stability for point in points], dtype=str))
        data["special"] = (dim, np.array([point.special for point in points], dtype=str))
        data["eigenvalue_real"] = ((dim, "mode"), eigenvalues.real)
        data["eigenvalue_imag"] = ((dim, "mode"), eigenvalues.imag)
        settings = {"seed": self.sweep.seed, "sample": self.sweep.sample}
        return xr.Dataset(data).assign_attrs(provenance(system), **settings)
