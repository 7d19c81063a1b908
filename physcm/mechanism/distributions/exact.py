"""Variances, densities and atoms: what exact inference needs to know of a distribution.

Those of distributions with a density are scipy.stats', which is slow to import and is imported
when one of them is asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from physcm.mechanism.distributions.continuous import (
    Beta,
    Exponential,
    Gamma,
    LogNormal,
    Normal,
    Uniform,
)
from physcm.mechanism.distributions.discrete import Bernoulli, Categorical, Constant, Empirical
from physcm.mechanism.distributions.distribution import Distribution
from physcm.mechanism.distributions.frozen import Frozen
from physcm.mechanism.errors import Unsupported
from physcm.mechanism.randomness import Floats

_MOST_ATOMS = 10_000


def atoms(distribution: Distribution) -> tuple[Floats, Floats] | None:
    """Return the values of a discrete distribution and their probabilities, else None.

    Of infinitely many values those beyond the quantiles 1e-12 and 1 - 1e-12 are left out.

    Raises:
        Unsupported: for more than 10,000 values.

    >>> atoms(Bernoulli(0.25))
    (array([0., 1.]), array([0.75, 0.25]))
    """
    match distribution:
        case Bernoulli(p):
            return np.array([0.0, 1.0]), np.array([1 - p, p])
        case Constant(value):
            return np.array([value]), np.ones(1)
        case Empirical(values):
            different, counts = np.unique(values, return_counts=True)
            return different, counts / counts.sum()
        case Categorical(values, probabilities):
            return np.array(values), np.array(probabilities)
        case Frozen(frozen) if not hasattr(frozen.dist, "pdf"):
            low, high = frozen.ppf([1e-12, 1 - 1e-12])
            if high - low > _MOST_ATOMS:
                raise Unsupported(f"`{distribution}` has too many values to list; use Empirical")
            listed = np.arange(low, high + 1)
            return listed, np.asarray(frozen.pmf(listed))
    return None


def variance(distribution: Distribution) -> float:
    """Return the variance, which may be infinite.

    Raises:
        Unsupported: for a distribution of your own.

    >>> variance(Uniform(0, 12)), variance(Bernoulli(0.5))
    (12.0, 0.25)
    """
    listed = atoms(distribution)
    if listed is None:
        return float(_in_scipy(distribution).var())
    values, probabilities = listed
    mean = (values * probabilities).sum()
    return float(((values - mean) ** 2 * probabilities).sum())


def log_density(distribution: Distribution, x: Floats) -> Floats:
    """Return the logarithm of the density of a distribution that has one.

    Raises:
        Unsupported: for a distribution of your own.

    >>> log_density(Exponential(rate=2), np.array([0.0, 1.0, -1.0])).round(3).tolist()
    [0.693, -1.307, -inf]
    """
    return np.asarray(_in_scipy(distribution).logpdf(x), dtype=float)


def _in_scipy(distribution: Distribution) -> Any:
    from scipy import stats

    match distribution:
        case Normal(mean, sd):
            return stats.norm(mean, sd)
        case LogNormal(mu, sigma):
            return stats.lognorm(sigma, scale=np.exp(mu))
        case Uniform(low, high):
            return stats.uniform(low, high - low)
        case Exponential(rate):
            return stats.expon(scale=1 / rate)
        case Gamma(shape, rate):
            return stats.gamma(shape, scale=1 / rate)
        case Beta(a, b):
            return stats.beta(a, b)
        case Frozen(frozen):
            return frozen
    raise Unsupported(
        f"`{distribution}` has no known density; use a frozen distribution of scipy.stats"
    )
