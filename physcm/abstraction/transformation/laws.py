"""The law of the variables above, read off either model: exact, or by samples.

It is exact where tau is linear and both models are linear with normal noise. Samples of both
sides share their draws as far as the models do; tests take draws of their own for one side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.stats import ks_2samp

from physcm.abstraction.equations import is_random
from physcm.abstraction.population.samples import Low, population
from physcm.abstraction.population.two_sample import two_sample
from physcm.abstraction.transformation.linear import (
    ROUNDING,
    GaussianLaw,
    LinearEquations,
    LinearMap,
)
from physcm.abstraction.transformation.omega import Image, Undefined
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import Unsupported
from physcm.mechanism.interventions import Interventions
from physcm.sim import System

if TYPE_CHECKING:
    from physcm.abstraction.abstraction import Abstraction

LEVEL = 0.001
SAMPLES = 500
_SETTLED = 1e-5
_ANOTHER = 2**31


@dataclass(frozen=True, eq=False)
class SampledLaw:
    """A law of which samples can be drawn.

    Attributes:
        names: the variables.
        draw: takes a seed to values, (variables, samples), NaN where a sample has none.
        seed: of all draws.
        tolerance: relative, up to which values are known.
    """

    names: tuple[str, ...]
    draw: Callable[[int], Floats]
    seed: int
    tolerance: float

    @cached_property
    def values(self) -> Floats:
        """Samples that share their draws with those of other laws of this seed."""
        return self.draw(self.seed)

    @cached_property
    def fresh(self) -> Floats:
        """Samples that share none."""
        return self.draw(self.seed + _ANOTHER)


Law: TypeAlias = GaussianLaw | SampledLaw


@dataclass(frozen=True, eq=False)
class Sides:
    """Laws of the variables above under interventions.

    Attributes:
        below: those that tau gives, per intervention below.
        above: those of the causal model under the images; None where there is none.
        sampled: why laws are compared by samples; empty where they are exact.
    """

    below: tuple[Law, ...]
    above: tuple[Law | None, ...]
    sampled: str = ""


def sides(
    abstraction: Abstraction, below: Sequence[Interventions], above: Sequence[Image],
    *, n: int, seed: int, step: float | None = None,
) -> Sides:  # fmt: skip
    """Return the laws of both sides: exact if all can be, else by samples.

    Raises:
        NotSolvable: for a linear model that an intervention leaves without a solution.
    """
    try:
        pushed = tuple(_pushed(abstraction, do) for do in below)
        return Sides(pushed, tuple(_above(abstraction, image) for image in above))
    except Unsupported as no:
        drawn = Draws(abstraction, n, seed, step)
        images = tuple(None if isinstance(i, Undefined) else drawn.above(i) for i in above)
        return Sides(tuple(map(drawn.below, below)), images, str(no).partition(";")[0])


def _pushed(abstraction: Abstraction, do: Interventions) -> GaussianLaw:
    below = LinearEquations.of(abstraction.low.do(*do))
    return below.image(linear_tau(abstraction), abstraction.map.names)


def _above(abstraction: Abstraction, image: Image) -> GaussianLaw | None:
    if isinstance(image, Undefined):
        return None
    return LinearEquations.of(abstraction.high.do(*image)).law(abstraction.map.names)


def linear_tau(abstraction: Abstraction) -> LinearMap:
    """Return tau as a linear map of the variables below.

    Raises:
        Unsupported: if it is none.
    """
    if abstraction.map.function is not None:
        raise Unsupported("tau is a function, of which no formula is known; compare by samples")
    return LinearMap.of(abstraction.written_out, [*abstraction.low.variables])


@dataclass(frozen=True)
class Draws:
    """How laws are sampled.

    Attributes:
        abstraction: both models and the maps.
        n: number of samples.
        seed: of all draws.
        step: of a system with noise.
    """

    abstraction: Abstraction
    n: int
    seed: int
    step: float | None = None

    def below(self, do: Interventions) -> SampledLaw:
        """Return tau of the law below under an intervention."""
        low, tau = self.abstraction.low.do(*do), self.abstraction.map

        return self._law(lambda seed: tau.of(replace(self, seed=seed).values(low)))

    def values(self, low: Low) -> dict[str, Floats]:
        """Return samples of a model below; all are as the first where nothing is random."""
        n = 1 if isinstance(low, System) and not _is_random(low) else self.n
        values = population(low, n, self.seed, self.step).alone
        return {k: np.broadcast_to(row, self.n) for k, row in values.items()}

    def above(self, image: Interventions) -> SampledLaw:
        """Return the law above under an intervention there."""
        high = self.abstraction.causal_model.do(*image)

        def draw(seed: int) -> Floats:
            values = population(high, self.n, seed, self.step).alone
            return np.array([values[name] for name in self.abstraction.map.names])

        return self._law(draw)

    def _law(self, draw: Callable[[int], Floats]) -> SampledLaw:
        simulated = isinstance(self.abstraction.low, System)
        tolerance = _SETTLED if simulated else ROUNDING**0.75
        return SampledLaw(self.abstraction.map.names, draw, self.seed, tolerance)


def _is_random(system: System) -> bool:
    values = (*system.parameters.values(), *system.initial.values())
    return bool(system.noise or system.jumps) or any(map(is_random, values))


@dataclass(frozen=True)
class Difference:
    """What tells two laws apart.

    Attributes:
        name: the variable in which they differ most.
        what: "mean", "standard deviation", "covariance" or "law".
        first: its value under the one law.
        second: under the other.
        size: of the difference, relative.
        note: the evidence.
    """

    name: str
    what: str
    first: float
    second: float
    size: float
    note: str = ""

    def __str__(self) -> str:
        numbers = f"{self.first:.6g} against {self.second:.6g}"
        return f"{self.what} of `{self.name}` {numbers}{self.note}"


def difference(first: Law, second: Law, level: float = LEVEL) -> Difference | None:
    """Say what tells two laws apart, None if nothing does.

    Exact ones differ if a mean or covariance does by more than decimals may be off; of sampled
    ones a test tells at a level, unless they agree draw by draw.
    """
    if isinstance(first, GaussianLaw) and isinstance(second, GaussianLaw):
        return None if same_up_to_rounding(first, second) else _largest(_moments(first, second))
    assert isinstance(first, SampledLaw)
    assert isinstance(second, SampledLaw)
    x, y = first.values, second.values
    scale = np.nanmax(np.abs([x, y]), axis=(0, 2), initial=0.0)[:, np.newaxis]
    if (np.abs(x - y) <= first.tolerance * scale).all():
        return None
    if (np.ptp(x, axis=1) == 0).all() and (np.ptp(y, axis=1) == 0).all():
        return _largest(_sample_moments(first.names, x, y))
    x, y = (part[:, np.isfinite(part).all(axis=0)] for part in (x, second.fresh))
    if min(x.shape[1], y.shape[1]) < 2:
        return Difference(first.names[0], "law", math.nan, math.nan, math.inf, " (too few values)")
    p = _p_value(first.names, x, y, level, first.seed)
    return None if p > level else _largest(_sample_moments(first.names, x, y), f" (p = {p:.2g})")


def _p_value(names: tuple[str, ...], x: Floats, y: Floats, level: float, seed: int) -> float:
    """Return the p-value of two tests, by margins and by permutations where margins are alike.

    Margins that are far apart need no thousands of permutations to be told so.
    """
    margins = [float(ks_2samp(a, b).pvalue) for a, b in zip(x, y, strict=True)]
    by_margins = 2 * len(margins) * min(margins)
    if by_margins <= level:
        return by_margins
    return min(1.0, 2 * two_sample(names, x, y, seed=seed, smallest=level / 2).p_value)


def gap(first: GaussianLaw, second: GaussianLaw) -> float:
    """Return the largest difference of means and covariances, relative to their sizes."""
    return max((found.size for found in _moments(first, second)), default=0.0)


def same_up_to_rounding(first: GaussianLaw, second: GaussianLaw) -> bool:
    """Say whether two laws are equal, or as good as equal for decimals that stand for fractions."""
    return first == second or gap(first, second) <= ROUNDING


def _moments(first: GaussianLaw, second: GaussianLaw) -> list[Difference]:
    return _differences(first.names, first.floats, second.floats)


def _sample_moments(names: tuple[str, ...], x: Floats, y: Floats) -> list[Difference]:
    laws = []
    for part in (x, y):
        off = part - part[:, :1]  # of a constant that is 0, and not rounding
        laws.append((part[:, 0] + off.mean(axis=1), np.atleast_2d(np.cov(off, bias=True))))
    return _differences(names, laws[0], laws[1])


def _differences(
    names: tuple[str, ...], first: tuple[Floats, Floats], second: tuple[Floats, Floats]
) -> list[Difference]:
    """Return all differences of moments, relative to the size of what is compared."""
    (m, s), (n, t) = first, second
    sd, td = np.sqrt(np.diag(s)), np.sqrt(np.diag(t))
    spread = _positive(np.maximum(sd, td))
    means = np.abs(m - n) / _positive(np.maximum.reduce([np.abs(m), np.abs(n), sd, td]))
    covariances = np.abs(s - t) / np.outer(spread, spread)
    found = []
    for i, name in enumerate(names):
        found.append(Difference(name, "mean", m[i], n[i], means[i]))
        found.append(Difference(name, "standard deviation", sd[i], td[i], covariances[i, i]))
        found += [
            Difference(f"{names[j]}, {name}", "covariance", s[i, j], t[i, j], covariances[i, j])
            for j in range(i)
        ]
    return found


def _positive(sizes: Floats) -> Floats:
    return np.where(sizes > 0, sizes, 1.0)


def _largest(found: Sequence[Difference], note: str = "") -> Difference:
    return replace(max(found, key=lambda one: one.size), note=note)


def wasserstein(first: GaussianLaw, second: GaussianLaw) -> float:
    """Return the 2-Wasserstein distance of two normal laws (Gelbrich, 1990).

    W^2 = |m - n|^2 + tr(S + T - 2 (S^1/2 T S^1/2)^1/2),   0 if they are equal up to rounding
    """
    if same_up_to_rounding(first, second):
        return 0.0
    (m, s), (n, t) = first.floats, second.floats
    root = _root(s)
    cross = np.trace(_root(root @ t @ root))
    squared = float(((m - n) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * cross)
    return math.sqrt(max(squared, 0.0))


def _root(matrix: Floats) -> Floats:
    """Return the square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
