"""How far an abstraction is off, per intervention, at most, and on average over interventions.

The error under i is the 2-Wasserstein distance W between the law that tau gives and that of the
causal model under omega(i), so that an abstraction is approximate to a degree (Beckers, Eberhardt &
Halpern, UAI 2019). It is a closed form for normal laws, without uncertainty. Else it comes from
samples x of tau and y of the causal model, with the same draws as far as the models share any.
Matching two samples of one law finds them apart, an excess that is taken off crosswise, by halves

    D = (w(x1, y2) + w(x2, y1) - w(x1, x2) - w(y1, y2)) / 2,
    w(x, y) = min over permutations p of 1/n sum_k |x_k - y_p(k)|^2  ->  W^2,

which has no bias for laws that differ by a shift, and no variance where draws are shared. The
interval is Student's over batches of samples, and reaches as much farther as D of the batches is
from D of the whole: what is left of the bias is less than what larger samples have taken off. Of
laws with gaps, such as discrete ones, D takes off too much; but the mean of w between samples is
never below W^2, and so the interval reaches up to that of the halves crosswise as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import t as student

from physcm.abstraction.transformation.laws import Law, SampledLaw, sides, wasserstein
from physcm.abstraction.transformation.linear import GaussianLaw
from physcm.abstraction.transformation.order import named
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.interventions import Family, Intervention, Interventions, each_of, label

if TYPE_CHECKING:
    from physcm.abstraction.abstraction import Abstraction

PAIRS = 1000
_BATCHES = 20
_SHOWN = 12

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
        if math.isinf(self.value):
            return "infinite, as some samples have a value on one side alone"
        return f"{self.value:.4g}" + ("" if low == high else f" ({low:.4g} to {high:.4g})")


@dataclass(frozen=True, eq=False)
class Errors:
    """The errors of an abstraction over interventions.

    Attributes:
        interventions: below.
        images: what they are above.
        errors: the 2-Wasserstein distance of each.
        relative: the same in units of the root mean square of tau's values under each; infinite
            where these are 0.
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

    @property
    def table(self) -> xr.Dataset:
        """All numbers over `intervention`: `error`, its interval `low` and `high`, `relative`."""
        columns = {
            "error": [one.value for one in self.errors],
            "low": [one.interval[0] for one in self.errors],
            "high": [one.interval[1] for one in self.errors],
            "relative": list(self.relative),
            "image": list(map(named, self.images)),
        }
        return xr.Dataset(
            {key: ("intervention", column) for key, column in columns.items()},
            {"intervention": list(map(label, self.interventions))},
            {"average": self.average.value, "largest": self.largest.value, "method": self.method,
             "confidence": self.confidence},
        )  # fmt: skip

    def __str__(self) -> str:
        shown, rest = [*range(len(self.errors))], len(self.errors) - _SHOWN
        if rest > 0:
            shown = sorted(shown, key=lambda k: -self.errors[k].value)[:_SHOWN]
        rows = [*map(self._row, shown)]
        rows += [f"and {rest} of which the error is no larger"] if rest > 0 else []
        tail = f", exceeded by at most {self.beyond:.2%} of interventions" if self.beyond else ""
        return "\n".join(
            [
                f"error {self.average} on average, {self.largest} at most{tail}",
                *rows,
                f"2-Wasserstein distances, {self.method}",
            ]
        )

    def _row(self, k: int) -> str:
        relative = f", {self.relative[k]:.2%}" if math.isfinite(self.relative[k]) else ""
        return (
            f"{label(self.interventions[k])} -> {named(self.images[k])}: {self.errors[k]}{relative}"
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
    if n < 2 * _BATCHES:
        raise InvalidValue(f"n is `{n}`; give at least {2 * _BATCHES}, two per batch")
    images = [abstraction.defined_image(do) for do in family]
    both = sides(abstraction, family, images, n=n, seed=seed, step=step)
    found = [distance(below, above) for below, above in zip(both.below, both.above, strict=True)]
    values = np.array([one.value for one in found])
    rest = (1 - confidence) / (2 if drawn else 1)
    lows, highs = np.array([one.interval(1 - rest / len(found)) for one in found]).T
    room = _spread_of_mean(values, 1 - rest) if drawn else 0.0
    mean = float(shares @ values)
    return Errors(
        tuple(family),
        tuple(images),
        tuple(Estimate(one.value, one.interval(confidence)) for one in found),
        tuple(_relative(v, law) for v, law in zip(values.tolist(), both.below, strict=True)),
        Estimate(mean, (max(0.0, float(shares @ lows) - room), float(shares @ highs) + room)),
        Estimate(float(values.max()), (float(lows.max()), float(highs.max()))),
        confidence,
        (f"by matching {n} samples" if both.sampled else "in closed form")
        + (f"; {len(family)} interventions drawn" if drawn else ""),
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


@dataclass(frozen=True, eq=False)
class Distance:
    """A distance of two laws, as the root of D.

    Attributes:
        squared: D.
        batches: D of batches of samples; none where it is certain.
        across: w between halves of the samples crosswise, the mean of which is never too small.
    """

    squared: float
    batches: Floats
    across: float = 0.0

    @property
    def value(self) -> float:
        """The distance."""
        return math.sqrt(max(0.0, self.squared))

    def interval(self, confidence: float) -> Interval:
        """Return the interval that holds it with some confidence."""
        if not self.batches.size:
            return self.value, self.value
        mean = float(self.batches.mean())
        spread, off = _spread_of_mean(self.batches, confidence), abs(self.squared - mean)
        low, high = min(self.squared, mean) - spread, max(self.squared, mean) + spread + off
        high = max(high, self.across + spread)
        return math.sqrt(max(0.0, low)), math.sqrt(max(0.0, high))


def distance(below: Law, above: Law | None) -> Distance:
    """Return how far two laws lie apart; infinite where samples have values on one side alone."""
    if isinstance(below, GaussianLaw):
        assert isinstance(above, GaussianLaw)
        return Distance(wasserstein(below, above) ** 2, np.empty(0))
    assert isinstance(above, SampledLaw)
    x, y = below.values, above.values
    there = np.isfinite(x).all(axis=0)
    if (there != np.isfinite(y).all(axis=0)).any() or there.sum() < 2:
        return Distance(math.inf, np.empty(0))
    x, y = x[:, there], y[:, there]
    x = np.where(np.abs(x - y) <= below.tolerance * np.abs(y), y, x)
    count = min(_BATCHES, x.shape[1] // 2)
    parts = zip(np.array_split(x, count, axis=1), np.array_split(y, count, axis=1), strict=True)
    across, within = _across_and_within(x, y)
    return Distance(across - within, np.array([crosswise(*part) for part in parts]), across)


def crosswise(x: Floats, y: Floats) -> float:
    """Return D of two samples of one size, (variables, points), at least 2.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 2, 400))
    >>> round(matched(x, y), 1), round(crosswise(x, y), 1), round(crosswise(x, x + 3), 6)
    (0.1, 0.0, 18.0)
    """
    across, within = _across_and_within(x, y)
    return across - within


def _across_and_within(x: Floats, y: Floats) -> tuple[float, float]:
    """Return the mean of w between the halves of both samples crosswise, and within each."""
    half = x.shape[1] // 2
    (x1, x2), (y1, y2) = ((z[:, :half], z[:, half : 2 * half]) for z in (x, y))
    across = (matched(x1, y2) + matched(x2, y1)) / 2
    return across, (matched(x1, x2) + matched(y1, y2)) / 2


def matched(x: Floats, y: Floats) -> float:
    """Return the square of the 2-Wasserstein distance of two samples of one size.

    >>> matched(np.array([[0.0, 5.0]]), np.array([[6.0, 1.0]]))
    1.0
    """
    if len(x) == 1:
        squares = (np.sort(x[0]) - np.sort(y[0])) ** 2
    else:
        costs = cdist(x.T, y.T, "sqeuclidean")
        squares = costs[linear_sum_assignment(costs)]
    return float(squares.mean())


def _spread_of_mean(values: Floats, confidence: float) -> float:
    """Return half the length of Student's interval for a mean."""
    if values.size < 2:
        return math.inf
    quantile = float(student.ppf((1 + confidence) / 2, values.size - 1))
    return quantile * float(values.std(ddof=1)) / math.sqrt(values.size)


def _relative(error: float, law: Law) -> float:
    if math.isinf(error):
        return error
    if isinstance(law, GaussianLaw):
        mean, covariance = law.floats
        size = math.sqrt(float((mean**2).sum() + np.trace(covariance)))
    else:
        size = math.sqrt(float(np.nanmean((law.values**2).sum(axis=0))))
    return error / size if size else math.copysign(math.inf, error) if error else 0.0
