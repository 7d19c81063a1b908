"""Distributions of finitely many values, whose quantile functions are steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from physcm.mechanism import quantiles
from physcm.mechanism.distributions.checks import FINITE, PROBABILITY, check, check_rows
from physcm.mechanism.distributions.distribution import Distribution
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import Floats


@dataclass(frozen=True)
class Bernoulli(Distribution):
    """One with probability p, otherwise zero.

    Attributes:
        p: a probability, 0 and 1 included.

    >>> Bernoulli(p=0.25).quantile(np.array([0.75, 0.76])).tolist()
    [0.0, 1.0]
    """

    p: float

    def __post_init__(self) -> None:
        check(self, p=PROBABILITY)

    def quantile(self, u: Floats) -> Floats:
        """Return one where u > 1 - p, and zero elsewhere."""
        return quantiles.evaluated(quantiles.bernoulli, u, self.p)

    @property
    def mean(self) -> float:
        """Return p."""
        return self.p

    @property
    def support(self) -> tuple[float, float]:
        """Return zero and one."""
        return 0.0, 1.0


@dataclass(frozen=True)
class Categorical(Distribution):
    """Finitely many numbers, each with its probability.

    Attributes:
        values: the numbers, in any order; a list or array becomes a tuple.
        probabilities: one per value, with sum 1.

    >>> Categorical(values=[10, 20], probabilities=[0.25, 0.75]).quantile(np.array([0.2, 0.3]))
    array([10., 20.])
    """

    values: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        check_rows(self, values=FINITE, probabilities=PROBABILITY)
        counts = len(self.values), len(self.probabilities)
        if counts[0] != counts[1]:
            raise InvalidValue(
                f"Categorical: `{counts[0]}` values, but `{counts[1]}` probabilities; give one "
                "probability per value"
            )
        total = math.fsum(self.probabilities)
        if not math.isclose(total, 1, abs_tol=1e-9):
            raise InvalidValue(
                f"Categorical: the probabilities sum to `{total}`; divide them by their sum"
            )

    def quantile(self, u: Floats) -> Floats:
        """Return the smallest value whose cumulative probability reaches u."""
        values, edges = self._steps
        return values[np.searchsorted(edges, u)]

    @cached_property
    def _steps(self) -> tuple[Floats, Floats]:
        """The possible values in ascending order, and the probabilities at which they change."""
        possible = sorted(
            (v, p) for v, p in zip(self.values, self.probabilities, strict=True) if p > 0
        )
        values, probabilities = np.array(possible).T
        return values, np.cumsum(probabilities)[:-1]

    @property
    def mean(self) -> float:
        """Return the sum of value times probability."""
        return math.fsum(v * p for v, p in zip(self.values, self.probabilities, strict=True))

    @property
    def support(self) -> tuple[float, float]:
        """Return the smallest and the largest value."""
        return min(self.values), max(self.values)


@dataclass(frozen=True)
class Constant(Distribution):
    """Always the same number.

    Attributes:
        value: the number.

    >>> Constant(3).sample(2).tolist()
    [3.0, 3.0]
    """

    value: float

    def __post_init__(self) -> None:
        check(self, value=FINITE)

    def quantile(self, u: Floats) -> Floats:
        """Return the value, whatever u."""
        return np.full(np.shape(u), self.value)

    @property
    def mean(self) -> float:
        """Return the value."""
        return self.value

    @property
    def support(self) -> tuple[float, float]:
        """Return the value, twice."""
        return self.value, self.value


@dataclass(frozen=True)
class Empirical(Distribution):
    """Numbers that were observed, each equally likely.

    Attributes:
        values: the observations; a list or array becomes a tuple.

    >>> Empirical(values=[3, 1, 2]).quantile(np.array([0.5])).tolist()
    [2.0]
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        check_rows(self, values=FINITE)

    def quantile(self, u: Floats) -> Floats:
        """Return the smallest value that a fraction u of the values does not exceed."""
        rank = np.ceil(len(self.values) * np.asarray(u)).astype(np.int64)
        return self._ascending[np.maximum(rank - 1, 0)]

    @cached_property
    def _ascending(self) -> Floats:
        return np.sort(np.array(self.values))

    @property
    def mean(self) -> float:
        """Return the average of the values."""
        return math.fsum(self.values) / len(self.values)

    @property
    def support(self) -> tuple[float, float]:
        """Return the smallest and the largest value."""
        return float(self._ascending[0]), float(self._ascending[-1])
