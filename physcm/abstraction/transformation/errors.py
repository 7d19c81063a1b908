"""How far an abstraction is off, per intervention, at most, and on average over interventions.

The error under i is the 2-Wasserstein distance between the law that tau gives and that of the
causal model under omega(i), so that an abstraction is approximate to a degree (Beckers, Eberhardt &
Halpern, UAI 2019). It is a closed form for normal laws, without uncertainty. Else it is the
distance of the best matching of samples of both sides,

    W^2 = min over permutations p of 1/n sum_k |tau(x_k) - y_p(k)|^2,

with the same draws on both sides as far as the models share any. Two samples of one law that share
no draws are apart, too, an excess that the basic bootstrap, 2 W - W*, takes off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from physcm.abstraction.transformation.laws import Law, SampledLaw, sides, wasserstein
from physcm.abstraction.transformation.linear import GaussianLaw
from physcm.abstraction.transformation.omega import Undefined
from physcm.abstraction.transformation.order import named
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.interventions import Family, Intervention, Interventions, each_of, label

if TYPE_CHECKING:
    from physcm.abstraction.commutes import Abstraction

PAIRS = 200
_RESAMPLES = 200

Interval: TypeAlias = tuple[float, float]
Drawn: TypeAlias = Callable[[np.random.Generator], "Intervention | Sequence[Intervention]"]
"""A distribution of interventions, as a function that draws one."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number with the interval that it lies in.

    Attributes:
        value: the number.
        interval: its ends; both are the value where it is exact.
    """

    value: float
    interval: Interval

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.4g}" + ("" if low == high else f" ({low:.4g} to {high:.4g})")


@dataclass(frozen=True, eq=False)
class Errors:
    """The errors of an abstraction over interventions.

    Attributes:
        interventions: below.
        images: what they are above.
        errors: the 2-Wasserstein distance of each.
        relative: the same in units of the root mean square of tau's values under each.
        average: over the distribution of interventions.
        largest: of the interventions looked at.
        confidence: of the intervals.
        method: how errors and intervals came about.
        beyond: with this confidence no larger share of the distribution of interventions has
            errors beyond the largest; 0 where all interventions were looked at.
    """

    interventions: tuple[Interventions, ...]
    images: tuple[Interventions, ...]
    errors: tuple[Estimate, ...]
    relative: tuple[float, ...]
    average: Estimate
    largest: Estimate
    confidence: float
    method: str
    beyond: float

    def __str__(self) -> str:
        rows = [
            f"{label(do)} -> {named(to)}: {error}, {relative:.2%}"
            for do, to, error, relative in zip(
                self.interventions, self.images, self.errors, self.relative, strict=True
            )
        ]
        tail = f", exceeded by at most {self.beyond:.2%} of interventions" if self.beyond else ""
        return "\n".join(
            [
                f"error {self.average} on average, {self.largest} at most{tail}",
                *rows,
                f"2-Wasserstein distances, {self.method}",
            ]
        )


def errors(
    abstraction: Abstraction, interventions: Family | Drawn,
    *, weights: Sequence[float] | None = None, draws: int = 100, n: int = PAIRS, seed: int = 0,
    step: float | None = None, confidence: float = 0.95,
) -> Errors:  # fmt: skip
    """Measure the errors; see `Abstraction.errors`."""
    rng = np.random.default_rng(seed)
    family, drawn = _family(interventions, draws, rng)
    shares = _shares(weights, len(family), drawn)
    if not 0 < confidence < 1:
        raise InvalidValue(f"confidence is `{confidence}`; give a number between 0 and 1")
    images = [_defined(abstraction, do) for do in family]
    both = sides(abstraction, family, images, n=n, seed=seed, step=step)
    pairs = list(zip(both.below, both.above, strict=True))
    resampled = [_distances(below, above, seed) for below, above in pairs]
    values = np.array([row[0] for row in resampled])
    again = np.array([row[1:] for row in resampled])
    picks = rng.integers(len(family), size=(len(family), again.shape[1]))
    mixed = np.take_along_axis(again, picks, axis=0) if drawn else again
    ends = _Ends(confidence)
    ground = (
        f"of the best matching of {n} samples, with a basic bootstrap"
        if both.sampled
        else "in closed form"
    )
    return Errors(
        tuple(family),
        tuple(images),
        tuple(ends.of(value, row) for value, row in zip(values, again, strict=True)),
        tuple(_relative(v, law) for v, law in zip(values.tolist(), both.below, strict=True)),
        ends.of(float(shares @ values), shares @ mixed),
        ends.of(float(values.max()), again.max(axis=0)),
        confidence,
        ground + (f"; {len(family)} interventions drawn" if drawn else ""),
        1 - (1 - confidence) ** (1 / len(family)) if drawn else 0.0,
    )


def _family(
    interventions: Family | Drawn, draws: int, rng: np.random.Generator
) -> tuple[list[Interventions], bool]:
    drawn = callable(interventions)
    if callable(interventions):
        family = each_of([interventions(rng) for _ in range(draws)])
    else:
        family = each_of(interventions)
    if not family:
        raise InvalidValue("the family of interventions is `[]`; give some")
    return family, drawn


def _shares(weights: Sequence[float] | None, size: int, drawn: bool) -> Floats:
    shares = np.full(size, 1 / size) if weights is None else np.asarray(weights, dtype=float)
    if drawn and weights is not None:
        raise InvalidValue("weights: interventions that are drawn weigh the same; leave them out")
    if shares.shape != (size,) or not (shares >= 0).all() or not shares.sum() > 0:
        raise InvalidValue(
            f"weights are `{weights}`; give {size} numbers of at least 0, one per intervention"
        )
    return np.asarray(shares / shares.sum())


def _defined(abstraction: Abstraction, do: Interventions) -> Interventions:
    image = abstraction.image(do)
    if isinstance(image, Undefined):
        raise InvalidValue(f"{label(do)} is {image}; leave it out, since it has no error")
    return image


def _distances(below: Law, above: Law | None, seed: int) -> Floats:
    """Return the distance, and that of resamples of pairs of draws."""
    if isinstance(below, GaussianLaw):
        assert isinstance(above, GaussianLaw)
        return np.full(1 + _RESAMPLES, wasserstein(below, above))
    assert isinstance(above, SampledLaw)
    x, y = below.values, above.values
    there = np.isfinite(x).all(axis=0)
    if (there != np.isfinite(y).all(axis=0)).any() or not there.any():
        return np.full(1 + _RESAMPLES, math.inf)
    x, y = x[:, there], y[:, there]
    x = np.where(np.abs(x - y) <= below.tolerance * np.abs(y), y, x)
    rng = np.random.default_rng((seed, x.shape[1]))
    picks = rng.integers(x.shape[1], size=(_RESAMPLES, x.shape[1]))
    return np.array([matched(x, y), *(matched(x[:, k], y[:, k]) for k in picks)])


def matched(x: Floats, y: Floats) -> float:
    """Return the 2-Wasserstein distance of two samples of one size, (variables, points).

    >>> matched(np.array([[0.0, 5.0]]), np.array([[6.0, 1.0]]))
    1.0
    """
    if len(x) == 1:
        squares = (np.sort(x[0]) - np.sort(y[0])) ** 2
    else:
        costs = cdist(x.T, y.T, "sqeuclidean")
        squares = costs[linear_sum_assignment(costs)]
    return float(np.sqrt(squares.mean()))


def _relative(error: float, law: Law) -> float:
    if isinstance(law, GaussianLaw):
        mean, covariance = law.floats
        size = math.sqrt(float((mean**2).sum() + np.trace(covariance)))
    else:
        size = math.sqrt(float(np.nanmean((law.values**2).sum(axis=0))))
    return error / size if size else math.copysign(math.inf, error) if error else 0.0


@dataclass(frozen=True)
class _Ends:
    confidence: float

    def of(self, value: float, again: Floats) -> Estimate:
        """Return the basic bootstrap interval, which is the value where nothing varies."""
        if not np.isfinite(value) or (again == value).all():
            return Estimate(float(value), (float(value), float(value)))
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(again, [tail, 1 - tail])
        return Estimate(float(value), (max(0.0, 2 * value - high), max(0.0, 2 * value - low)))
