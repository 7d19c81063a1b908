"""What tau does not see, moved: does anything that tau does see move with it?

A variable that tau does not read is held at two values in turn. One that tau reads is moved
together with what else makes up the same variable Y_k above, along the level set of

    Y_k = tau_k(X_J),   x -> x + P e_a,   P = I - G^+ G,   G = d tau / d x_J,

by a standard deviation of X_a, Newton's steps G^+ leading back to the level; where samples of the
model hold another x_J with the same Y_k, that one is taken, which serves discrete variables. Both
holds are one and the same intervention above. If they move another variable there, all samples
sharing their draws, then tau drops something that matters (by the definition of an abstraction,
Beckers & Halpern, AAAI 2019), however well observations agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from physcm.abstraction.transformation.laws import LEVEL, Draws, SampledLaw, difference
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import UnknownVariable
from physcm.mechanism.expression import names_in
from physcm.mechanism.interventions import Hold, Interventions, label
from physcm.mechanism.parser import closest
from physcm.sim import System

if TYPE_CHECKING:
    from physcm.abstraction.abstraction import Abstraction

DRAWS = 200
_BASES = 2
_STEP = 1e-4
_NEWTON = 8
_ON_LEVEL = 1e-10
_STILL = 1e-6


@dataclass(frozen=True)
class Dropped:
    """A variable below that moves one above although tau's image of the interventions is one.

    Attributes:
        variable: the one below.
        first: what is done.
        second: what is done instead, with the same image.
        fixed: the variables above that both determine, at the same values.
        output: the variable above that moves most.
        shift: the mean change of the output, from first to second.
        size: the root mean square of the change.
        relative: the size in standard deviations of the output, undisturbed; infinite where it
            has none.
    """

    variable: str
    first: Interventions
    second: Interventions
    fixed: Mapping[str, float]
    output: str
    shift: float
    size: float
    relative: float

    def __str__(self) -> str:
        level = ", ".join(f"{name} = {value:.6g}" for name, value in self.fixed.items())
        kept = f"with {level} in both" if level else "which tau does not read"
        varies = np.isfinite(self.relative)
        beside = (
            f"{self.relative:.2g} standard deviations" if varies else "otherwise it is constant"
        )
        return (
            f"tau drops `{self.variable}`, which matters: {label(self.second)} in place of "
            f"{label(self.first)}, {kept}, moves `{self.output}` by {self.shift:.4g} on average "
            f"(root mean square {self.size:.4g}, {beside})"
        )


@dataclass(frozen=True)
class Perturbations:
    """What became of perturbing each variable below with tau's image fixed.

    Attributes:
        relevant: what moved a variable above, the largest effect of each variable below.
        tested: the variables that could be moved.
        unmoved: those that could not, since tau's image of them says where they are, or since no
            other value was found that has it.
    """

    relevant: tuple[Dropped, ...]
    tested: tuple[str, ...]
    unmoved: tuple[str, ...]

    def __str__(self) -> str:
        if self.relevant:
            return "\n".join(f"{one}." for one in self.relevant)
        if not self.tested:
            return "tau drops nothing: no variable can be moved with its image fixed."
        return f"Moving {', '.join(self.tested)} with tau's image fixed moves nothing above."


def perturb(
    abstraction: Abstraction, *, n: int, seed: int, step: float | None = None,
    names: Sequence[str] | None = None,
) -> Perturbations:  # fmt: skip
    """Perturb variables below, all unless told; see `Abstraction.dropped`."""
    probe = _Probe(abstraction, n, seed, step)
    for name in names or ():
        if name not in probe.variables:
            known = closest(name, probe.variables)
            raise UnknownVariable(f"`{name}` cannot be held on its own below; {known}")
    relevant, tested, unmoved = list[Dropped](), list[str](), list[str]()
    for name in probe.variables if names is None else names:
        pairs = list(probe.pairs(name))
        (tested if pairs else unmoved).append(name)
        found = [d for pair in pairs if (d := probe.effect(name, *pair, len(pairs))) is not None]
        relevant += [max(found, key=lambda d: d.relative)] if found else []
    return Perturbations(tuple(relevant), tuple(tested), tuple(unmoved))


Point = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class _Probe:
    abstraction: Abstraction
    n: int
    seed: int
    step: float | None

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """What can be held: members of a group after the first move with it."""
        low = self.abstraction.low
        if not isinstance(low, System):
            return tuple(low.variables)
        followers = {name for _, *rest in low.held_together for name in rest}
        return tuple(name for name in low.states if name not in followers)

    @cached_property
    def samples(self) -> Mapping[str, Floats]:
        """Values below where nothing is done, those of samples that have them."""
        values = Draws(self.abstraction, self.n, self.seed, self.step).values(self.abstraction.low)
        there = np.isfinite([values[name] for name in self.variables]).all(axis=0)
        return {name: row[there] for name, row in values.items()}

    @cached_property
    def above(self) -> Floats:
        """Tau of the samples."""
        return self.abstraction.map.of(self.samples)

    @cached_property
    def spread(self) -> Mapping[str, float]:
        """A standard deviation of each variable below, or the size of a constant, or 1."""
        rows = {name: self.samples[name] for name in self.variables}
        return {k: float(_deviation(x)) or float(np.abs(x).max()) or 1.0 for k, x in rows.items()}

    @cached_property
    def reads(self) -> tuple[frozenset[str], ...]:
        """The variables below that each variable above reads."""
        tau, own = self.abstraction.map, {*self.abstraction.low.variables}
        if tau.function is None:
            return tuple(names_in(e) & own for e in self.abstraction.written_out)
        moved = {name: self._moves(name) for name in self.variables}
        return tuple(
            frozenset(name for name, row in moved.items() if row[k]) for k in range(len(tau.names))
        )

    def _moves(self, name: str) -> NDArray[np.bool_]:
        """Say which variables above change as one below takes values of other samples."""
        row = self.samples[name]
        moved = np.zeros(len(self.above), bool)
        for other in (np.roll(row, 1), row + self.spread[name]):
            moved |= (self.abstraction.map.of({**self.samples, name: other}) != self.above).any(1)
        return moved

    def pairs(self, name: str) -> Iterator[tuple[Point, Point, list[int]]]:
        """Yield two points at which to hold variables, and the variables above that both fix."""
        groups = {reads for reads in self.reads if name in reads} or {frozenset({name})}
        for group in sorted((g for g in groups if g <= {*self.variables}), key=sorted):
            fixed = [k for k, reads in enumerate(self.reads) if reads and reads <= group]
            held = sorted(group)
            for base in range(min(_BASES, self.above.shape[1])):
                first = {one: float(self.samples[one][base]) for one in held}
                second = self._observed(name, first, fixed) or self._level(name, first, fixed)
                if second is not None:
                    yield first, second, fixed

    def _images(self, points: Mapping[str, Floats], fixed: list[int]) -> Floats:
        """Return what tau makes of points, everything else being as in the first sample."""
        size = len(next(iter(points.values())))
        rest = {name: np.repeat(row[:1], size) for name, row in self.samples.items()}
        return self.abstraction.map.of({**rest, **points})[fixed]

    def _observed(self, name: str, first: Point, fixed: list[int]) -> Point | None:
        """Return a point among the samples with the same image and another value of a variable."""
        points = {one: self.samples[one] for one in first}
        wanted = self._images({one: np.array([x]) for one, x in first.items()}, fixed)
        same = np.isclose(self._images(points, fixed), wanted, 1e-12, 0).all(axis=0)
        found = np.flatnonzero(same & (points[name] != first[name]))
        return {one: float(row[found[0]]) for one, row in points.items()} if found.size else None

    def _level(self, name: str, first: Point, fixed: list[int]) -> Point | None:
        """Return a point on the same level of tau, one standard deviation of a variable away."""
        names = list(first)
        start = np.array([first[one] for one in names])
        unit = np.array([self.spread[one] for one in names])

        def at(u: Floats) -> Floats:
            points = (start[:, np.newaxis] + unit[:, np.newaxis] * u).reshape(len(names), -1)
            return self._images(dict(zip(names, points, strict=True)), fixed)

        for sign in (1.0, -1.0):
            u = _along(at, np.zeros(len(names)), names.index(name), sign)
            if u is None:
                continue
            point = dict(zip(names, (start + unit * u).tolist(), strict=True))
            if self._inside(point):
                return point
        return None

    def _inside(self, point: Point) -> bool:
        domains = self.abstraction.domains
        ends = {name: domains.get(name, (-np.inf, np.inf)) for name in point}
        return all(low <= point[name] <= high for name, (low, high) in ends.items())

    def effect(
        self, name: str, first: Point, second: Point, fixed: list[int], tests: int
    ) -> Dropped | None:
        """Return what the second of two holds moves, or None."""
        one, two = (tuple(Hold(k, x) for k, x in point.items()) for point in (first, second))
        laws = [self._law(one), self._law(two)]
        x, y = (law.values for law in laws)
        moved = self._moved(laws[0], laws[1], tests * len(self.variables))
        moved[fixed] = False
        if not moved.any():
            return None
        shift = np.nanmean(y, axis=1) - np.nanmean(x, axis=1)
        size = np.abs(shift) if self._noisy else np.sqrt(np.nanmean((y - x) ** 2, axis=1))
        spread = _deviation(self.above)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(moved, np.nan_to_num(size / spread, nan=0.0, posinf=np.inf), -1.0)
        k = int(relative.argmax())
        tau = self.abstraction.map.names
        level = self._images({name: np.array([v]) for name, v in first.items()}, fixed)[:, 0]
        at = {tau[j]: float(v) for j, v in zip(fixed, level, strict=True)}
        return Dropped(
            name, one, two, at, tau[k], float(shift[k]), float(size[k]), float(relative[k])
        )

    @property
    def _noisy(self) -> bool:
        low = self.abstraction.low
        return isinstance(low, System) and bool(low.noise or low.jumps)

    def _law(self, do: Interventions) -> SampledLaw:
        return Draws(self.abstraction, self.n, self.seed, self.step).below(do)

    def _moved(self, first: SampledLaw, second: SampledLaw, tests: int) -> NDArray[np.bool_]:
        """Say which variables above differ: draw by draw, or in law where noise moves states."""
        if self._noisy:
            found = difference(first, second, LEVEL / tests)
            return np.array([found is not None and name == found.name for name in first.names])
        x, y = first.values, second.values
        scale = np.nanmax(np.abs(np.concatenate([x, y], axis=1)), axis=1, initial=0.0)
        same = np.abs(x - y) <= first.tolerance * scale[:, np.newaxis]
        return np.asarray(~(same | (np.isnan(x) & np.isnan(y))).all(axis=1))


def _deviation(rows: Floats) -> Floats:
    """Return standard deviations, 0 of equal numbers, whose mean may be rounded."""
    varies = np.nanmax(rows, axis=-1) > np.nanmin(rows, axis=-1)
    return np.where(varies, np.nanstd(rows, axis=-1), 0.0)


def _along(at: Callable[[Floats], Floats], u: Floats, place: int, sign: float) -> Floats | None:
    """Return a point on the level set through u, farther by 1 in one coordinate, or None."""
    level = at(u[:, np.newaxis])
    slopes = _slopes(at, u)
    direction = (np.eye(u.size) - np.linalg.pinv(slopes) @ slopes)[:, place]
    if direction[place] < _STILL:
        return None
    moved = u + sign * direction / direction[place]
    for _ in range(_NEWTON):
        off = at(moved[:, np.newaxis]) - level
        moved = moved - (np.linalg.pinv(_slopes(at, moved)) @ off)[:, 0]
    off = at(moved[:, np.newaxis]) - level
    there = (np.abs(off) <= _ON_LEVEL * (1 + np.abs(level))).all()
    return moved if there and abs(moved[place] - u[place]) > _STILL else None


def _slopes(at: Callable[[Floats], Floats], u: Floats) -> Floats:
    """Return the derivatives by central differences, (values, coordinates)."""
    steps = _STEP * np.eye(u.size)
    values = at(np.concatenate([u[:, np.newaxis] + steps, u[:, np.newaxis] - steps], axis=1))
    return np.asarray((values[:, : u.size] - values[:, u.size :]) / (2 * _STEP))
