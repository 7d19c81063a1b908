"""Elementary functions on vectors, from arithmetic alone.

Each reduces its argument to a small interval and takes a series there, cut where its next term
drops below rounding:

    exp x   = 2^n e^r,          x = n ln 2 + r,  |r| <= (ln 2)/2
    log x   = e ln 2 + 2 artanh s,  x = 2^e m,   s = (m - 1)/(m + 1),  |s| < 0.172
    sin x, cos x                x = n pi/2 + r,  |r| <= pi/4

The reductions take ln 2 and pi/2 as sums of two and three doubles, after W. J. Cody and
W. Waite, Software Manual for the Elementary Functions, 1980. Errors stay below 2 units in the
last place, of `power` below 3, unless the text says otherwise. Functions that models seldom use
are those of the C library, lane by lane.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from physcm.mechanism.lanes.tracing import traced
from physcm.mechanism.lanes.vectors import Vectors
from physcm.mechanism.quantiles import normal_tail

Function = Callable[..., str]

# ln 2 and pi/2, each as doubles that add up to it; the leading ones have trailing zeros, so
# that their products with a small integer are exact.
_LN2 = (0.693147180369123816490, 1.90821492927058770002e-10)
_HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
_LARGEST_ANGLE = 1e5
_MAGIC = 6755399441055744.0  # 1.5 * 2^52: added to a double it leaves the nearest integer behind


def _split(v: Vectors, x: str, period: float) -> tuple[str, str]:
    """Return the integer nearest to x / period, as a double, and shifted into the low bits."""
    shifted = v.fma(x, v.number(1 / period), v.number(_MAGIC))
    return v.sub(shifted, v.number(_MAGIC)), v.words(shifted)


def _exp_parts(v: Vectors, x: str) -> tuple[str, str, str]:
    """Return e^r - 1 and two powers of 2 whose product is 2^n, for -750 < x < 750."""
    n, bits = _split(v, x, math.log(2))
    r = v.fma(n, v.number(-_LN2[0]), x)
    r = v.fma(n, v.number(-_LN2[1]), r)
    series = v.polynomial(r, [1 / math.factorial(k) for k in range(2, 14)])
    less_one = v.fma(v.mul(r, r), series, r)
    # 2^n in two factors, each within range also where 2^n is not.
    low = v.integer("shl", bits, v.word(32))
    n_word = v.integer("ashr", low, v.word(32))
    half = v.integer("ashr", n_word, v.word(1))
    rest = v.integer("sub", n_word, half)
    factors = [
        v.floats(v.integer("shl", v.integer("add", k, v.word(1023)), v.word(52)))
        for k in (half, rest)
    ]
    return less_one, factors[0], factors[1]


def exp(v: Vectors, x: str) -> str:
    """Return e^x; 0 below -750, infinite above 750."""
    inside = _clamped(v, x, 750.0)
    less_one, first, second = _exp_parts(v, inside)
    value = v.fma(less_one, first, first)
    return _keep_nan(v, x, v.mul(value, second))


def expm1(v: Vectors, x: str) -> str:
    """Return e^x - 1, also where that is small."""
    inside = _clamped(v, x, 750.0)
    less_one, first, second = _exp_parts(v, inside)
    scale = v.mul(first, second)
    large = v.sub(v.mul(v.fma(less_one, first, first), second), v.number(1.0))
    small = v.fma(less_one, scale, v.sub(scale, v.number(1.0)))
    result = v.select(v.compare("<", inside, v.number(700.0)), small, large)
    return _keep_nan(v, x, result)


def tanh(v: Vectors, x: str) -> str:
    """Return tanh x = (e^2x - 1) / (e^2x + 1)."""
    twice = _clamped(v, v.mul(x, v.number(2.0)), 40.0)
    less_one, first, second = _exp_parts(v, twice)
    scale = v.mul(first, second)
    m = v.fma(less_one, scale, v.sub(scale, v.number(1.0)))
    return _keep_nan(v, x, v.div(m, v.add(m, v.number(2.0))))


def sinh(v: Vectors, x: str) -> str:
    """Return sinh x."""
    size = v.intrinsic("fabs", x)
    m = v.call("lanes_expm1", size)
    small = v.mul(v.number(0.5), v.add(m, v.div(m, v.add(m, v.number(1.0)))))
    # Above 700 e^x may overflow where sinh x does not.
    half = v.call("lanes_exp", v.mul(size, v.number(0.5)))
    large = v.mul(v.mul(half, v.number(0.5)), half)
    return v.intrinsic("copysign", v.select(v.compare("<", size, v.number(700.0)), small, large), x)


def cosh(v: Vectors, x: str) -> str:
    """Return cosh x."""
    half = v.call("lanes_exp", v.mul(v.intrinsic("fabs", x), v.number(0.5)))
    whole = v.mul(half, half)
    large = v.mul(v.mul(half, v.number(0.5)), half)
    return v.add(large, v.div(v.number(0.5), whole))


def _log_parts(v: Vectors, x: str) -> tuple[str, str, str]:
    """Return e, s and log(m) - 2 s as doubles, for x = 2^e m > 0; s = (m - 1)/(m + 1)."""
    tiny = v.compare("<", x, v.number(2.0**-1000))
    normal = v.select(tiny, v.mul(x, v.number(2.0**60)), x)
    # Counted from the bits of sqrt(1/2), the exponent is that of m in [sqrt(1/2), sqrt(2)).
    low = 0x3FE6A09E667F3BCD
    shifted = v.integer("sub", v.words(normal), v.word(low))
    exponent = v.integer("ashr", shifted, v.word(52))
    mantissa = v.integer("and", shifted, v.word((1 << 52) - 1))
    m = v.floats(v.integer("add", mantissa, v.word(low)))
    e = v.emit(f"sitofp <8 x i64> {exponent} to <8 x double>")
    e = v.select(tiny, v.sub(e, v.number(60.0)), e)
    s = v.div(v.sub(m, v.number(1.0)), v.add(m, v.number(1.0)))
    square = v.mul(s, s)
    series = v.polynomial(square, [2 / (2 * k + 1) for k in range(1, 12)])
    return e, m, v.mul(v.mul(s, square), series)


def log(v: Vectors, x: str) -> str:
    """Return the natural logarithm; -inf at 0, NaN below."""
    e, m, rest = _log_parts(v, x)
    # With f = m - 1 and 2 s = f - f s, what is rounded is small beside the result.
    f = v.sub(m, v.number(1.0))
    s = v.div(f, v.add(m, v.number(1.0)))
    tail = v.fma(e, v.number(_LN2[1]), v.sub(rest, v.mul(f, s)))
    value = v.fma(e, v.number(_LN2[0]), v.add(f, tail))
    value = v.select(v.compare("==", x, v.number(0.0)), v.number(-math.inf), value)
    value = v.select(v.compare("==", x, v.number(math.inf)), x, value)
    return v.select(v.compare(">=", x, v.number(0.0)), value, v.number(math.nan))


def power(v: Vectors, x: str, y: str) -> str:
    """Return x^y in the reals: NaN for a negative base and a fractional exponent.

    log x is taken as a sum of two doubles, since its rounding is multiplied by y.
    """
    size = v.intrinsic("fabs", x)
    e, m, rest = _log_parts(v, size)
    one, two = v.number(1.0), v.number(2.0)
    below = v.add(m, one)
    f = v.sub(m, one)
    s = v.div(f, below)
    # s = f / (m + 1) rounded, and what the division left over.
    missing = v.fma(v.emit(f"fneg <8 x double> {s}"), below, f)
    carry = v.sub(m, v.sub(below, one))
    missing = v.fma(v.emit(f"fneg <8 x double> {s}"), carry, missing)
    s_low = v.div(missing, below)
    head = v.mul(e, v.number(_LN2[0]))
    twice = v.mul(s, two)
    high, low = _two_sum(v, head, twice)
    low = v.add(low, v.add(v.fma(s_low, two, v.mul(e, v.number(_LN2[1]))), rest))
    high, low = _two_sum(v, high, low)
    product = v.mul(high, y)
    error = v.fma(high, y, v.emit(f"fneg <8 x double> {product}"))
    error = v.fma(low, y, error)
    error = v.select(v.compare("<", v.intrinsic("fabs", error), one), error, v.number(0.0))
    value = v.call("lanes_exp", product)
    value = v.select(
        v.compare("<", v.intrinsic("fabs", product), v.number(700.0)),
        v.fma(value, error, value),
        value,
    )
    return _power_cases(v, x, y, size, value)


def _power_cases(v: Vectors, x: str, y: str, size: str, value: str) -> str:
    """Return x^y from |x|^y at finite |x| > 0: signs, zeros and infinities."""
    zero, one = v.number(0.0), v.number(1.0)
    growing = v.select(v.compare(">", y, zero), v.number(math.inf), zero)
    fading = v.select(v.compare(">", y, zero), zero, v.number(math.inf))
    value = v.select(v.compare("==", size, zero), fading, value)
    value = v.select(v.compare("==", size, v.number(math.inf)), growing, value)
    floor, half = v.intrinsic("floor", y), v.mul(y, v.number(0.5))
    whole = v.compare("==", floor, y)
    odd = v.flag("and", whole, v.compare("!=", v.intrinsic("floor", half), half))
    value = v.select(odd, v.intrinsic("copysign", value, x), value)
    inside = v.compare(">", x, v.number(-math.inf))
    negative = v.flag("and", v.compare("<", x, zero), inside)
    fractional = v.flag("and", negative, v.compare("!=", floor, y))
    value = v.select(fractional, v.number(math.nan), value)
    value = _keep_nan(v, x, _keep_nan(v, y, value))
    endless = v.compare("==", v.intrinsic("fabs", y), v.number(math.inf))
    unit = v.flag("and", v.compare("==", size, one), endless)
    trivial = v.flag("or", v.compare("==", y, zero), v.compare("==", x, one))
    return v.select(v.flag("or", trivial, unit), one, value)


def _two_sum(v: Vectors, a: str, b: str) -> tuple[str, str]:
    """Return a + b rounded, and what rounding left over, exactly (Knuth)."""
    # No contraction here: these identities are about single roundings.
    total = v.emit(f"fadd <8 x double> {a}, {b}")
    virtual = v.emit(f"fsub <8 x double> {total}, {a}")
    back = v.emit(f"fsub <8 x double> {total}, {virtual}")
    left = v.emit(f"fsub <8 x double> {a}, {back}")
    right = v.emit(f"fsub <8 x double> {b}, {virtual}")
    return total, v.emit(f"fadd <8 x double> {left}, {right}")


def _reduced(v: Vectors, x: str) -> tuple[str, str, str]:
    """Return r and the quadrant's bits of x = n pi/2 + r, and whether x is too large for that."""
    n, bits = _split(v, x, math.pi / 2)
    r = x
    for part in _HALF_PI:
        r = v.fma(n, v.number(-part), r)
    return r, bits, v.compare(">", v.intrinsic("fabs", x), v.number(_LARGEST_ANGLE))


def sine_series(v: Vectors, r: str) -> tuple[str, str]:
    """Return sin r and cos r for |r| <= pi/4."""
    square = v.mul(r, r)
    odd = v.polynomial(square, [(-1) ** k / math.factorial(2 * k + 1) for k in range(1, 9)])
    even = v.polynomial(square, [(-1) ** k / math.factorial(2 * k) for k in range(2, 10)])
    sine = v.fma(v.mul(r, square), odd, r)
    one = v.number(1.0)
    head = v.fma(square, v.number(-0.5), one)
    lost = v.fma(square, v.number(-0.5), v.sub(one, head))
    return sine, v.add(head, v.fma(v.mul(square, square), even, lost))


def _wave(v: Vectors, x: str, quarter: int, fallback: str) -> str:
    """Return sin(x + quarter pi/2), far out from the C library."""
    r, bits, far = _reduced(v, x)
    sine, cosine = sine_series(v, r)
    turned = v.integer("add", bits, v.word(quarter))
    odd = v.integer("and", turned, v.word(1))
    swap = v.emit(f"icmp ne <8 x i64> {odd}, splat (i64 0)")
    value = v.select(swap, cosine, sine)
    sign = v.integer("shl", v.integer("and", turned, v.word(2)), v.word(62))
    value = v.floats(v.integer("xor", v.words(value), sign))
    return v.rarely(far, f"lanes_far_{fallback}", x, value)


def sin(v: Vectors, x: str) -> str:
    """Return the sine."""
    return _wave(v, x, 0, "sin")


def cos(v: Vectors, x: str) -> str:
    """Return the cosine."""
    return _wave(v, x, 1, "cos")


def tan(v: Vectors, x: str) -> str:
    """Return the tangent, below 4 units in the last place."""
    return v.div(v.call("lanes_sin", x), v.call("lanes_cos", x))


def floor_mod(v: Vectors, a: str, b: str) -> str:
    """Return a - b floor(a / b), of the sign of b, as Python's `%`."""
    rest = v.emit(f"frem <8 x double> {a}, {b}")
    zero = v.number(0.0)
    wrong = v.flag("xor", v.compare("<", rest, zero), v.compare("<", b, zero))
    wrong = v.flag("and", wrong, v.compare("!=", rest, zero))
    return v.select(wrong, v.add(rest, b), rest)


def sign(v: Vectors, x: str) -> str:
    """Return -1, 0 or 1."""
    unit = v.intrinsic("copysign", v.number(1.0), x)
    return v.select(v.compare("==", x, v.number(0.0)), v.number(0.0), _keep_nan(v, x, unit))


def smaller(v: Vectors, a: str, b: str) -> str:
    """Return the minimum, NaN if either is."""
    return v.select(v.compare("<", a, b), a, _keep_nan(v, a, b))


def larger(v: Vectors, a: str, b: str) -> str:
    """Return the maximum, NaN if either is."""
    return v.select(v.compare(">", a, b), a, _keep_nan(v, a, b))


def _clamped(v: Vectors, x: str, bound: float) -> str:
    below = v.select(v.compare("<", x, v.number(bound)), x, v.number(bound))
    return v.select(v.compare(">", below, v.number(-bound)), below, v.number(-bound))


def _keep_nan(v: Vectors, x: str, value: str) -> str:
    return v.select(v.emit(f"fcmp ord <8 x double> {x}, {x}"), value, x)


def _from_library(name: str) -> Function:
    def write(v: Vectors, *arguments: str) -> str:
        return v.each(name, *arguments)

    return write


OWN: Mapping[str, Function] = MappingProxyType(
    {
        "exp": exp, "expm1": expm1, "log": log, "power": power, "sin": sin, "cos": cos,
        "tan": tan, "sinh": sinh, "cosh": cosh, "tanh": tanh, "mod": floor_mod, "sign": sign,
        "minimum": smaller, "maximum": larger,
    }
)  # fmt: skip
LIBRARY = {name: name for name in "asin acos atan atan2 asinh acosh atanh".split()}
LIBRARY |= {"gamma": "tgamma", "far_sin": "sin", "far_cos": "cos"}
FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        **OWN,
        **{name: _from_library(c) for name, c in LIBRARY.items()},
        "normal_tail": traced(normal_tail),
    }
)
ARITY = {"power": 2, "mod": 2, "minimum": 2, "maximum": 2, "atan2": 2}
