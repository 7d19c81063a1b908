"""Distributions with a density: the quantile function in closed form or from scipy.special."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy

from physcm.mechanism import quantiles
from physcm.mechanism.distributions.checks import FINITE, POSITIVE, check
from physcm.mechanism.distributions.distribution import Distribution
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import Floats


@dataclass(frozen=True)
class Normal(Distribution):
    """The normal distribution: density exp(-(x - mean)^2 / (2 sd^2)) / (sd sqrt(2 pi)).

    Attributes:
        mean: the expected value.
        sd: the standard deviation, positive.

    >>> Normal(mean=1, sd=2).quantile(np.array([0.5])).tolist()
    [1.0]
    """

    mean: float = 0.0
    sd: float = 1.0

    def __post_init__(self) -> None:
        check(self, mean=FINITE, sd=POSITIVE)

    def quantile(self, u: Floats) -> Floats:
        """Return mean + sd z(u), with z the standard normal quantile."""
        return quantiles.evaluated(quantiles.normal, u, self.mean, self.sd)

    @property
    def support(self) -> tuple[float, float]:
        """Return minus and plus infinity."""
        return -math.inf, math.inf


@dataclass(frozen=True)
class LogNormal(Distribution):
    """The distribution of exp(Z) with Z normal of mean mu and standard deviation sigma.

    Attributes:
        mu: the mean of the logarithm; the median is exp(mu).
        sigma: the standard deviation of the logarithm, positive.

    >>> LogNormal(mu=0, sigma=1).quantile(np.array([0.5])).tolist()
    [1.0]
    """

    mu: float
    sigma: float

    def __post_init__(self) -> None:
        check(self, mu=FINITE, sigma=POSITIVE)

    def quantile(self, u: Floats) -> Floats:
        """Return exp(mu + sigma z(u)), with z the standard normal quantile."""
        return quantiles.evaluated(quantiles.log_normal, u, self.mu, self.sigma)

    @property
    def mean(self) -> float:
        """Return exp(mu + sigma^2 / 2)."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.mu + self.sigma * self.sigma / 2))

    @property
    def support(self) -> tuple[float, float]:
        """Return zero and infinity."""
        return 0.0, math.inf


@dataclass(frozen=True)
class Uniform(Distribution):
    """The uniform distribution between two bounds.

    Attributes:
        low: the lower bound.
        high: the upper bound, above `low`.

    >>> Uniform(low=-1, high=3).mean
    1.0
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        check(self, low=FINITE, high=FINITE)
        if not 0 < self.high - self.low < math.inf:
            raise InvalidValue(
                f"Uniform: low is `{self.low}` and high is `{self.high}`; give low < high, with a "
                "finite difference (for a fixed value use Constant)"
            )

    def quantile(self, u: Floats) -> Floats:
        """Return low + (high - low) u."""
        return quantiles.evaluated(quantiles.uniform, u, self.low, self.high)

    @property
    def mean(self) -> float:
        """Return the middle."""
        return self.low + (self.high - self.low) / 2

    @property
    def support(self) -> tuple[float, float]:
        """Return `low` and `high`."""
        return self.low, self.high


@dataclass(frozen=True)
class Exponential(Distribution):
    """The exponential distribution: density rate exp(-rate x) for x >= 0.

    Attributes:
        rate: one over the mean, positive.

    >>> Exponential(rate=4).mean
    0.25
    """

    rate: float

    def __post_init__(self) -> None:
        check(self, rate=POSITIVE)

    def quantile(self, u: Floats) -> Floats:
        """Return -log(1 - u) / rate."""
        return quantiles.evaluated(quantiles.exponential, u, self.rate)

    @property
    def mean(self) -> float:
        """Return 1 / rate."""
        return 1 / self.rate

    @property
    def support(self) -> tuple[float, float]:
        """Return zero and infinity."""
        return 0.0, math.inf


@dataclass(frozen=True)
class Gamma(Distribution):
    """The gamma distribution: density proportional to x^(shape - 1) exp(-rate x) for x >= 0.

    Attributes:
        shape: positive.
        rate: one over the scale, positive.

    >>> Gamma(shape=2, rate=4).mean
    0.5
    """

    shape: float
    rate: float

    def __post_init__(self) -> None:
        check(self, shape=POSITIVE, rate=POSITIVE)

    def quantile(self, u: Floats) -> Floats:
        """Return the inverse of the regularized lower incomplete gamma function, over the rate."""
        return np.asarray(scipy.special.gammaincinv(self.shape, u) / self.rate)

    @property
    def mean(self) -> float:
        """Return shape / rate."""
        return self.shape / self.rate

    @property
    def support(self) -> tuple[float, float]:
        """Return zero and infinity."""
        return 0.0, math.inf


@dataclass(frozen=True)
class Beta(Distribution):
    """The beta distribution: density proportional to x^(a - 1) (1 - x)^(b - 1) on [0, 1].

    Attributes:
        a: positive.
        b: positive.

    >>> Beta(a=1, b=3).mean
    0.25
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        check(self, a=POSITIVE, b=POSITIVE)

    def quantile(self, u: Floats) -> Floats:
        """Return the inverse of the regularized incomplete beta function."""
        return np.asarray(scipy.special.betaincinv(self.a, self.b, u))

    @property
    def mean(self) -> float:
        """Return a / (a + b)."""
        return self.a / (self.a + self.b)

    @property
    def support(self) -> tuple[float, float]:
        """Return zero and one."""
        return 0.0, 1.0
