"""Distributions as values: what a noise source, a parameter or an initial value is drawn from.

A distribution is its quantile function, the inverse of its cumulative distribution function F:

    Q(u) = inf {x : u <= F(x)},    X = Q(U) has the distribution F for uniform U on (0, 1)

Together with the counter-based uniforms of `physcm.mechanism.randomness`, every draw is a
function of (seed, sample, source), and two distributions of one source are coupled: the same
U goes through both, so that an intervened sample differs from the observed one only by what
was changed (Devroye, "Non-Uniform Random Variate Generation", 1986, section II.2).

Distributions are immutable, equal by value, and have a form in plain dictionaries for files.
"""

from __future__ import annotations

import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache, cached_property
from numbers import Real
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import natural, uniforms

Floats: TypeAlias = NDArray[np.float64]


class Distribution(ABC):
    """What a single random number is drawn from.

    A distribution of your own needs the three abstract methods; `sample` follows from them.
    """

    @abstractmethod
    def quantile(self, u: Floats) -> Floats:
        """Return the inverse cumulative distribution function.

        Args:
            u: probabilities in [0, 1], of any shape.

        Returns:
            The quantiles, in the shape of `u`.

        >>> Uniform(low=0, high=10).quantile(np.array([0.25, 0.5])).tolist()
        [2.5, 5.0]
        """

    @property
    @abstractmethod
    def mean(self) -> float:
        """The expected value; NaN where there is none.

        >>> Gamma(shape=3, rate=2).mean
        1.5
        """

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """The bounds that every draw lies between, themselves included.

        >>> Exponential(rate=1).support
        (0.0, inf)
        """

    def sample(self, n: int, *, seed: int = 0, source: str = "draw") -> Floats:
        """Return draws for the samples 0 to n - 1, shape (n,).

        Args:
            n: the number of draws.
            seed: a non-negative integer; other seeds give independent draws.
            source: the name of what is drawn; other names give independent draws.

        Raises:
            InvalidValue: if `n` or the seed is not a non-negative integer.

        >>> Bernoulli(0.5).sample(4, seed=1).tolist()
        [1.0, 1.0, 0.0, 1.0]
        """
        samples = np.arange(natural(n, "the number of draws"))
        return self.quantile(uniforms(seed, source, samples))


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
        _check(self, mean=_FINITE, sd=_POSITIVE)

    def quantile(self, u: Floats) -> Floats:
        """Return mean + sd ndtri(u), with ndtri the standard normal quantile."""
        return np.asarray(self.mean + self.sd * special.ndtri(u))

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
        _check(self, mu=_FINITE, sigma=_POSITIVE)

    def quantile(self, u: Floats) -> Floats:
        """Return exp(mu + sigma ndtri(u))."""
        return np.asarray(np.exp(self.mu + self.sigma * special.ndtri(u)))

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
        _check(self, low=_FINITE, high=_FINITE)
        if not 0 < self.high - self.low < math.inf:
            raise InvalidValue(
                f"Uniform: low is `{self.low}` and high is `{self.high}`; give low < high, with a "
                "finite difference (for a fixed value use Constant)"
            )

    def quantile(self, u: Floats) -> Floats:
        """Return low + (high - low) u."""
        # Rounding can carry the sum past the upper bound.
        return np.minimum(self.low + (self.high - self.low) * u, self.high)

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
        _check(self, rate=_POSITIVE)

    def quantile(self, u: Floats) -> Floats:
        """Return -log(1 - u) / rate."""
        return np.asarray(-special.log1p(-u) / self.rate)

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
        _check(self, shape=_POSITIVE, rate=_POSITIVE)

    def quantile(self, u: Floats) -> Floats:
        """Return the inverse of the regularized lower incomplete gamma function, over the rate."""
        return np.asarray(special.gammaincinv(self.shape, u) / self.rate)

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
        _check(self, a=_POSITIVE, b=_POSITIVE)

    def quantile(self, u: Floats) -> Floats:
        """Return the inverse of the regularized incomplete beta function."""
        return np.asarray(special.betaincinv(self.a, self.b, u))

    @property
    def mean(self) -> float:
        """Return a / (a + b)."""
        return self.a / (self.a + self.b)

    @property
    def support(self) -> tuple[float, float]:
        """Return zero and one."""
        return 0.0, 1.0


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
        _check(self, p=_PROBABILITY)

    def quantile(self, u: Floats) -> Floats:
        """Return one where u > 1 - p, and zero elsewhere."""
        return np.where(u > 1 - self.p, 1.0, 0.0)

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
        _check_rows(self, values=_FINITE, probabilities=_PROBABILITY)
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
        _check(self, value=_FINITE)

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
        _check_rows(self, values=_FINITE)

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
        name = _catalog_name(self.distribution.dist)
        if name is None:
            return id(self.distribution)
        args, kwds = _arguments(self.distribution)
        return name, tuple(args), tuple(kwds.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frozen) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        dist = self.distribution.dist
        args, kwds = _arguments(self.distribution)
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


def to_dict(distribution: Distribution) -> dict[str, Any]:
    """Return a distribution as plain dictionaries, lists and numbers.

    Raises:
        InvalidValue: for a distribution of your own, or a frozen one that scipy.stats does not
            have under a name.

    >>> to_dict(Normal(mean=0, sd=1))
    {'Normal': {'mean': 0.0, 'sd': 1.0}}
    """
    if isinstance(distribution, Frozen):
        return {_SCIPY: _frozen_to_dict(distribution)}
    kind = type(distribution)
    if _KINDS.get(kind.__name__) is not kind:
        raise InvalidValue(
            f"`{distribution}` has no form in files; use one of {_known()}, such as Empirical with "
            "draws from it"
        )
    entries = {f.name: getattr(distribution, f.name) for f in fields(_KINDS[kind.__name__])}
    return {kind.__name__: {k: list(v) if isinstance(v, tuple) else v for k, v in entries.items()}}


def from_dict(mapping: Mapping[str, Any]) -> Distribution:
    """Return the distribution that `to_dict` wrote, or that a user wrote in the same form.

    Args:
        mapping: one entry: the name of a distribution, and the mapping of its fields.

    Raises:
        InvalidValue: for an unknown name, an unknown or missing field, or a value that the
            field does not allow.

    >>> from_dict({"Uniform": {"low": 0, "high": 2}})
    Uniform(low=0.0, high=2.0)
    >>> from_dict({"scipy": {"name": "weibull_min", "args": [1.5], "kwds": {"scale": 2.0}}})
    Frozen(stats.weibull_min(1.5, scale=2.0))
    """
    if not isinstance(mapping, Mapping) or len(mapping) != 1:
        raise InvalidValue(
            f"`{mapping}` is not a distribution; give one entry with its name and its fields, "
            "such as {Normal: {mean: 0, sd: 1}}"
        )
    ((name, entries),) = mapping.items()
    if name not in _KINDS and name != _SCIPY:
        raise InvalidValue(f"`{name}` is not a distribution; use one of {_known()}")
    if not isinstance(entries, Mapping):
        raise InvalidValue(f"{name}: `{entries}` is not a table; give its fields by name")
    if name == _SCIPY:
        return _frozen_from_dict(entries)
    required = {f.name: f.default is MISSING for f in fields(_KINDS[name])}
    _check_fields(name, entries, required)
    distribution: Distribution = _KINDS[name](**entries)
    return distribution


def _frozen_to_dict(frozen: Frozen) -> dict[str, Any]:
    name = _catalog_name(frozen.distribution.dist)
    if name is None:
        raise InvalidValue(
            f"`{frozen}` is not in scipy.stats by name and has no form in files; use Empirical "
            "with draws from it"
        )
    args, kwds = _arguments(frozen.distribution)
    return {"name": name, "args": args, "kwds": kwds}


def _frozen_from_dict(entries: Mapping[str, Any]) -> Frozen:
    _check_fields(_SCIPY, entries, {"name": True, "args": False, "kwds": False})
    name, args, kwds = entries["name"], entries.get("args", []), entries.get("kwds", {})
    if not isinstance(name, str) or name not in _catalog():
        near = difflib.get_close_matches(str(name), _catalog()) or ["norm", "weibull_min"]
        raise InvalidValue(
            f"scipy: `{name}` is not a distribution of scipy.stats; use one such as "
            f"{', '.join(near)}"
        )
    if not isinstance(args, list | tuple) or not isinstance(kwds, Mapping):
        raise InvalidValue(
            f"scipy: args `{args}` with kwds `{kwds}`; give args as a list and kwds by name"
        )
    for argument in (*args, *kwds.values()):
        if not math.isfinite(_number(argument)):
            raise InvalidValue(f"scipy: {name} has the argument `{argument}`; give finite numbers")
    try:
        return Frozen(_catalog()[name](*args, **kwds))
    except (TypeError, ValueError) as error:
        raise InvalidValue(
            f"scipy: {name} does not take args `{args}` with kwds `{kwds}` ({error}); give the "
            "parameters that scipy.stats documents"
        ) from None


@cache
def _catalog() -> dict[str, Any]:
    """Return the distributions of scipy.stats by name."""
    from scipy import stats  # slow to import, and most models do without

    kinds = stats.rv_continuous, stats.rv_discrete
    return {name: dist for name, dist in vars(stats).items() if isinstance(dist, kinds)}


def _catalog_name(dist: Any) -> str | None:
    """Return the name of an unfrozen distribution in scipy.stats, if it has one."""
    name = dist.name
    return name if name in _catalog() and type(_catalog()[name]) is type(dist) else None


def _is_frozen(value: Any) -> bool:
    from scipy.stats.distributions import rv_frozen  # slow to import, as in _catalog

    return isinstance(value, rv_frozen)


def _arguments(frozen: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a frozen distribution as plain Python numbers, names sorted."""
    plain = [np.asarray(argument).tolist() for argument in frozen.args]
    return plain, {name: np.asarray(frozen.kwds[name]).tolist() for name in sorted(frozen.kwds)}


_SCIPY = "scipy"
_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Normal, LogNormal, Uniform, Exponential, Gamma,
        Beta, Bernoulli, Categorical, Constant, Empirical,
    )
}  # fmt: skip


def _known() -> str:
    return ", ".join([*_KINDS, _SCIPY])


class _Allowed(NamedTuple):
    """What a field may be: the words for it, and the test that a finite number must pass."""

    words: str
    test: Callable[[float], bool]


_FINITE = _Allowed("a finite number", math.isfinite)
_POSITIVE = _Allowed("a finite number above 0", lambda number: number > 0)
_PROBABILITY = _Allowed("a probability from 0 to 1", lambda number: 0 <= number <= 1)


def _check(distribution: Distribution, **allowed: _Allowed) -> None:
    """Make fields floats, or say which of them is not allowed."""
    kind = type(distribution).__name__
    for name, rule in allowed.items():
        number = _checked(getattr(distribution, name), f"{kind}: {name}", rule)
        object.__setattr__(distribution, name, number)


def _check_rows(distribution: Distribution, **allowed: _Allowed) -> None:
    """Make fields tuples of floats, or say which number in them is not allowed."""
    kind = type(distribution).__name__
    for name, rule in allowed.items():
        raw = getattr(distribution, name)
        row = np.asarray(raw, dtype=object)
        if row.ndim != 1 or row.size == 0:
            raise InvalidValue(f"{kind}: {name} is `{raw}`; give a list of at least one number")
        numbers = tuple(_checked(r, f"{kind}: {name}[{i}]", rule) for i, r in enumerate(row))
        object.__setattr__(distribution, name, numbers)


def _checked(raw: Any, place: str, rule: _Allowed) -> float:
    number = _number(raw)
    if not (math.isfinite(number) and rule.test(number)):
        raise InvalidValue(f"{place} is `{raw}`; give {rule.words}")
    return number


def _number(raw: Any) -> float:
    """Return a real number as a float, and NaN for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, Real):
        return math.nan
    try:
        return float(raw)
    except OverflowError:
        return math.inf


def _check_fields(name: str, entries: Mapping[str, Any], required: Mapping[str, bool]) -> None:
    """Say which field is unknown or missing; `required` tells it for every known field."""
    known = ", ".join(required)
    for field in entries:
        if field not in required:
            raise InvalidValue(f"{name}: `{field}` is not one of its fields; give {known}")
    for field, needed in required.items():
        if needed and field not in entries:
            raise InvalidValue(f"{name}: the field `{field}` is missing; give {known}")
