"""Quantile functions that come out the same to the last bit in NumPy and in machine code.

They are written once, over any arithmetic, from operations that IEEE 754 rounds correctly
(+, -, *, /, square root), selection and scaling by powers of 2, in a fixed order and without
fused products. So a draw does not depend on which of the two made it.

The standard normal quantile of u is an odd function of q = u - 1/2, and with w = -log(4 u (1 - u))

    q (sqrt(2 pi) + w A(w) / B(w))     up to w = 5.5, and beyond
    +- (r + C(r) / D(r)),              r = sqrt(-log min(u, 1 - u)),

with other C and D from r = 6 on. The rational functions are minimax fits (Remez's algorithm in
45 digits, relative error below 1e-16) with positive coefficients only, so that rounding stays
small: below 2.5 units in the last place. Compare M. J. Wichura, Applied Statistics 37 (1988),
algorithm AS 241, and M. Giles, "Approximating the erfinv function", GPU Computing Gems, 2010,
for w.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CENTER, _TINY = math.exp(-5.5), 2.0**-900
_SQRT_2_PI = 2.5066282746310007
_CENTER_ABOVE = (
    0.6562337477384341, 0.12215454125644687, 0.03603112163205271, 0.0047926948092583905,
    0.0005965646272148819, 4.994207066371632e-05, 2.8234549784908193e-06, 9.124449109168904e-08,
)  # fmt: skip
_CENTER_BELOW = (
    1.0, 0.13636614890780077, 0.0581822948923121, 0.006331430426871034, 0.0010538366064342434,
    8.337543980566955e-05, 5.740879212112115e-06, 2.513155103453929e-07, 2.0511259289520957e-09,
)  # fmt: skip
_TAIL = 2.6
_TAIL_ABOVE = (
    0.44608039420193163, 1.1687247712625046, 1.0249283722639102, 0.4050414882974657,
    0.0770466256036018, 0.006654951572022171, 0.00019883275072668044,
)  # fmt: skip
_TAIL_BELOW = (
    1.0, 1.3568557744245038, 0.6765642093710881, 0.1518808074185255, 0.014836481099827215,
    0.0004798106974068794, 2.1303589164575223e-09,
)  # fmt: skip
_FAR = 6.0
_FAR_ABOVE = (
    2.1205947679050237, 1.5627130911015519, 0.45425196883486924, 0.06697556126793433,
    0.005333410210544893, 0.00022429357604707446, 4.456141264236396e-06, 3.0616623994030404e-08,
)  # fmt: skip
_FAR_BELOW = (
    1.0, 0.5217631394034458, 0.10455592958471696, 0.010086743508845843, 0.000480480847717256,
    1.0315177678143759e-05, 7.391355527488853e-08, 3.2232948918512162e-15,
)  # fmt: skip
# log((1 + s)/(1 - s)) = 2 s + s z P(z), z = s^2 <= 0.0295, and e^r = 1 + r + r^2 P(r) for
# |r| <= (log 2)/2, fitted likewise.
_LOG = (
    0.666666666666667, 0.3999999999989912, 0.2857142862613177, 0.22222211111539142,
    0.18182890683593841, 0.153316735506143, 0.14617004806564973,
)  # fmt: skip
_EXP = (
    0.5000000000000001, 0.16666666666666644, 0.041666666666624344, 0.008333333333356169,
    0.001388888891712174, 0.00019841269784725212, 2.480152142051679e-05, 2.7557355469804962e-06,
    2.762003568667218e-07, 2.5068173726550728e-08,
)  # fmt: skip
# log 2 in two parts, of which the first has trailing zeros: its products with exponents are exact.
_LOG_2 = (0.693147180369123816490, 1.90821492927058770002e-10)
_LARGEST = 750.0
Law: TypeAlias = "tuple[Callable[..., Any], tuple[float, ...]]"
"""A quantile function of (arithmetic, u, parameters...), and the parameters."""


class Arithmetic(Protocol):
    """What quantile functions are written in, besides +, -, *, / and comparisons."""

    def sqrt(self, x: Any) -> Any:
        """Return the square root."""

    def rint(self, x: Any) -> Any:
        """Return the nearest integer, of two the even one."""

    def where(self, condition: Any, value: Any, otherwise: Any) -> Any:
        """Choose between two values."""

    def rarely(self, condition: Any, function: Callable[..., Any], x: Any, value: Any) -> Any:
        """Return function(self, x) where a condition holds, which is seldom, else the value."""

    def split(self, x: Any) -> tuple[Any, Any]:
        """Return e and m with x = 2^e m and sqrt(1/2) <= m < sqrt(2), for finite x > 0."""

    def scaled(self, x: Any, exponent: Any) -> Any:
        """Return x 2^exponent for an integer exponent and x in [1/2, 2]."""


def log(a: Arithmetic, x: Any) -> Any:
    """Return the natural logarithm of a finite x > 0."""
    e, m = a.split(x)
    f = m - 1.0
    s = f / (m + 1.0)
    z = s * s
    # log m = 2 s + s R, where 2 s = f - s f, and s f = f^2/2 - s f^2/2.
    half = 0.5 * f * f
    return e * _LOG_2[0] - ((half - (s * (half + z * _polynomial(_LOG, z)) + e * _LOG_2[1])) - f)


def exp(a: Arithmetic, x: Any) -> Any:
    """Return e^x, infinite above 750 and 0 below -750."""
    x = a.where(x < _LARGEST, a.where(x > -_LARGEST, x, -_LARGEST), _LARGEST)
    n = a.rint(x * (1 / math.log(2)))
    r = (x - n * _LOG_2[0]) - n * _LOG_2[1]
    return a.scaled(1.0 + (r + r * r * _polynomial(_EXP, r)), n)


def standard_normal(a: Arithmetic, u: Any) -> Any:
    """Return the standard normal quantile of u, 0 <= u <= 1."""
    spread = 4.0 * u * (1.0 - u)
    w = -log(a, spread)
    bend = _polynomial(_CENTER_ABOVE, w) / _polynomial(_CENTER_BELOW, w)
    center = (u - 0.5) * (_SQRT_2_PI + w * bend)
    return a.rarely(spread < _CENTER, normal_tail, u, center)


def normal_tail(a: Arithmetic, u: Any) -> Any:
    """Return the standard normal quantile of u near 0 or near 1."""
    low = u < 0.5
    p = a.where(low, u, 1.0 - u)
    tiny = p < _TINY
    log_p = log(a, a.where(tiny, p / _TINY, p)) + a.where(tiny, math.log(_TINY), 0.0)
    r = a.sqrt(-log_p)
    near = _polynomial(_TAIL_ABOVE, r - _TAIL) / _polynomial(_TAIL_BELOW, r - _TAIL)
    far = _polynomial(_FAR_ABOVE, r - _FAR) / _polynomial(_FAR_BELOW, r - _FAR)
    x = a.where(p > 0.0, r + a.where(r < _FAR, near, far), math.inf)
    return a.where(low, -x, x)


def plain(a: Arithmetic, u: Any) -> Any:
    """Return u itself."""
    return u


def normal(a: Arithmetic, u: Any, mean: Any, sd: Any) -> Any:
    """Return the quantile of a normal distribution."""
    return mean + sd * standard_normal(a, u)


def log_normal(a: Arithmetic, u: Any, mu: Any, sigma: Any) -> Any:
    """Return the quantile of exp(Z) for a normal Z."""
    return exp(a, normal(a, u, mu, sigma))


def uniform(a: Arithmetic, u: Any, low: Any, high: Any) -> Any:
    """Return the quantile of a uniform distribution."""
    x = low + (high - low) * u
    # Rounding can carry the sum past the upper bound.
    return a.where(x > high, high, x)


def exponential(a: Arithmetic, u: Any, rate: Any) -> Any:
    """Return the quantile -log(1 - u) / rate of an exponential distribution."""
    rest = 1.0 - u
    # What rounding took from 1 - u; nothing, if u is a draw.
    lost = (1.0 - rest) - u
    return a.where(u < 1.0, 0.0 - (log(a, rest) + lost / rest), math.inf) / rate


def bernoulli(a: Arithmetic, u: Any, p: Any) -> Any:
    """Return 1 where u > 1 - p and 0 elsewhere."""
    return a.where(u > 1.0 - p, 1.0, 0.0)


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Return c_0 + c_1 x + c_2 x^2 + ..., by Estrin's scheme, in which little waits on itself."""
    terms: list[Any] = list(coefficients)
    while len(terms) > 1:
        pairs = [terms[i] + x * terms[i + 1] for i in range(0, len(terms) - 1, 2)]
        terms = pairs + terms[2 * len(pairs) :]
        x = x * x if len(terms) > 1 else x
    return terms[0]


class _Arrays:
    """The arithmetic of NumPy."""

    sqrt, rint, where = staticmethod(np.sqrt), staticmethod(np.rint), staticmethod(np.where)

    def rarely(
        self, condition: Any, function: Callable[..., Floats], x: Floats, value: Floats
    ) -> Floats:
        if condition.any():
            value = np.array(value)
            value[condition] = function(self, x[condition])
        return value

    def split(self, x: Floats) -> tuple[Floats, Floats]:
        m, e = np.frexp(x)
        low = m < math.sqrt(0.5)
        return np.where(low, e - 1, e).astype(float), np.where(low, 2 * m, m)

    def scaled(self, x: Floats, exponent: Floats) -> Floats:
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(np.ldexp(x, exponent.astype(np.int64)))


ARRAYS = _Arrays()
MANY = 2048
"""From how many numbers on machine code pays, though its compiler may have to be loaded."""


def evaluated(function: Callable[..., Any], u: Floats, *parameters: float) -> Floats:
    """Return the quantiles of probabilities, in machine code if they are many; NaN for others.

    >>> evaluated(standard_normal, np.array([0.025, 0.5, 2])).round(2).tolist()
    [-1.96, 0.0, nan]
    """
    u = np.asarray(u, float)
    sound = (u >= 0) & (u <= 1)
    if not sound.all():
        return np.where(sound, evaluated(function, np.where(sound, u, 0.5), *parameters), np.nan)
    if u.size < MANY:
        with np.errstate(all="ignore"):
            return np.asarray(function(ARRAYS, u, *parameters))
    from physcm.mechanism.lanes.draws import quantile  # brings the compiler

    return quantile((function, parameters), u.ravel()).reshape(u.shape)
