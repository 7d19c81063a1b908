"""A frozen distribution of scipy.stats is a distribution: scipy.stats has its quantile function.

scipy.stats is slow to import, and most models do without; so nothing here imports it before an
object of scipy.stats, or the name of one, is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from physcm.mechanism.distributions.distribution import Distribution
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import Floats


@dataclass(frozen=True, eq=False, repr=False)
class Frozen(Distribution):
    """A frozen distribution of scipy.stats, continuous or discrete.

    Two are equal if they are the same distribution of scipy.stats, frozen with the same
    arguments; others, such as frozen histograms, are equal only to themselves.

    Attributes:
        distribution: what scipy.stats returns for a distribution with its parameters.

    >>> from scipy import stats
    >>> Frozen(stats.weibull_min(1, scale=2)).mean
    2.0
    """

    distribution: Any

    def __post_init__(self) -> None:
        if not _is_frozen(self.distribution):
            raise InvalidValue(
                f"`{self.distribution}` is not a frozen distribution of one number; give one such "
                "as scipy.stats.norm(0, 1)"
            )
        with np.errstate(all="ignore"):
            median = np.asarray(self.distribution.ppf(0.5))
        if median.ndim or not np.isfinite(median):
            raise InvalidValue(
                f"{self}: its median is `{median}`; give single numbers as parameters, from the "
                "range that scipy.stats documents"
            )

    def quantile(self, u: Floats) -> Floats:
        """Return what scipy.stats calls `ppf`."""
        return np.asarray(self.distribution.ppf(u), dtype=np.float64)

    @property
    def mean(self) -> float:
        """Return what scipy.stats gives, which may be NaN."""
        return float(self.distribution.mean())

    @property
    def support(self) -> tuple[float, float]:
        """Return what scipy.stats gives."""
        low, high = self.distribution.support()
        return float(low), float(high)

    @property
    def _identity(self) -> Any:
        name = catalog_name(self.distribution.dist)
        if name is None:
            return id(self.distribution)
        args, kwds = arguments(self.distribution)
        return name, tuple(args), tuple(kwds.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frozen) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        dist = self.distribution.dist
        args, kwds = arguments(self.distribution)
        inside = [f"{a}" for a in args] + [f"{name}={a}" for name, a in kwds.items()]
        return f"Frozen(stats.{dist.name or type(dist).__name__}({', '.join(inside)}))"


def as_distribution(value: Any) -> Distribution | None:
    """Return a value as a distribution, and `None` if it is not one.

    Args:
        value: anything; a `Distribution` is returned as it is, and a frozen distribution of
            scipy.stats becomes a `Frozen`.

    Raises:
        InvalidValue: for an object of scipy.stats other than a frozen distribution of one
            number, or for one whose parameters are arrays or out of range.

    >>> from scipy import stats
    >>> as_distribution(stats.expon(scale=2)), as_distribution("k")
    (Frozen(stats.expon(scale=2)), None)
    """
    if isinstance(value, Distribution):
        return value
    # Asking for the module first spares everything else the slow import of scipy.stats.
    return Frozen(value) if type(value).__module__.startswith("scipy.stats") else None


@cache
def catalog() -> dict[str, Any]:
    """Return the distributions of scipy.stats by name."""
    from scipy import stats

    kinds = stats.rv_continuous, stats.rv_discrete
    return {name: dist for name, dist in vars(stats).items() if isinstance(dist, kinds)}


def catalog_name(dist: Any) -> str | None:
    """Return the name of an unfrozen distribution in scipy.stats, if it has one."""
    name = dist.name
    return name if name in catalog() and type(catalog()[name]) is type(dist) else None


def _is_frozen(value: Any) -> bool:
    from scipy.stats.distributions import rv_frozen

    return isinstance(value, rv_frozen)


def arguments(frozen: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a frozen distribution as plain Python numbers, names sorted."""
    plain = [np.asarray(argument).tolist() for argument in frozen.args]
    return plain, {name: np.asarray(frozen.kwds[name]).tolist() for name in sorted(frozen.kwds)}
