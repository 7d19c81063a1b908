"""Python code run on vectors of samples instead of arrays, which writes its instructions.

A `Lane` stands for a vector and adds, multiplies and compares as an array does, so that a
function written for NumPy writes its own vector code when it is called with lanes. Each
operation is one instruction, rounded once; nothing is reordered or fused, and so the results
are those of NumPy to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from physcm.mechanism.errors import Unsupported
from physcm.mechanism.lanes.vectors import FLOATS, WORDS, Vectors


@dataclass(frozen=True, eq=False)
class Flag:
    """A condition, lane by lane."""

    v: Vectors
    register: str


@dataclass(frozen=True, eq=False)
class Lane:
    """Numbers, lane by lane; plain numbers beside them stand in all lanes."""

    v: Vectors
    register: str

    __array_ufunc__ = None  # NumPy's numbers leave operations to this class

    def _operation(self, name: str, a: Any, b: Any) -> Lane:
        given = f"{text(self.v, a)}, {text(self.v, b)}"
        return Lane(self.v, self.v.emit(f"{name} {FLOATS} {given}"))

    def _relation(self, sign: str, other: Any) -> Flag:
        return Flag(self.v, self.v.compare(sign, self.register, text(self.v, other)))

    def __add__(self, other: Any) -> Lane:
        return self._operation("fadd", self, other)

    def __radd__(self, other: Any) -> Lane:
        return self._operation("fadd", other, self)

    def __sub__(self, other: Any) -> Lane:
        return self._operation("fsub", self, other)

    def __rsub__(self, other: Any) -> Lane:
        return self._operation("fsub", other, self)

    def __mul__(self, other: Any) -> Lane:
        return self._operation("fmul", self, other)

    def __rmul__(self, other: Any) -> Lane:
        return self._operation("fmul", other, self)

    def __truediv__(self, other: Any) -> Lane:
        return self._operation("fdiv", self, other)

    def __rtruediv__(self, other: Any) -> Lane:
        return self._operation("fdiv", other, self)

    def __neg__(self) -> Lane:
        return Lane(self.v, self.v.negative(self.register))

    def __lt__(self, other: Any) -> Flag:
        return self._relation("<", other)

    def __le__(self, other: Any) -> Flag:
        return self._relation("<=", other)

    def __gt__(self, other: Any) -> Flag:
        return self._relation(">", other)

    def __ge__(self, other: Any) -> Flag:
        return self._relation(">=", other)

    def __eq__(self, other: Any) -> Any:
        return self._relation("==", other)

    def __ne__(self, other: Any) -> Any:
        return self._relation("!=", other)

    def __pow__(self, other: Any) -> Any:
        raise Unsupported(
            f"a power `{other}` is not rounded alike everywhere; write it as products"
        )

    __hash__ = None  # type: ignore[assignment]


def text(v: Vectors, value: Any) -> str:
    """Return the text of a vector, or of a number in all lanes."""
    return value.register if isinstance(value, Lane) else v.number(float(value))


_SQRT_HALF = 0x3FE6A09E667F3BCD


@dataclass(frozen=True)
class Lanes:
    """The arithmetic of lanes, as `physcm.mechanism.quantiles.Arithmetic`."""

    v: Vectors

    def sqrt(self, x: Lane) -> Lane:
        """Return the square root."""
        return self._intrinsic("sqrt", x)

    def rint(self, x: Lane) -> Lane:
        """Return the nearest integer, of two the even one."""
        return self._intrinsic("rint", x)

    def where(self, condition: Flag, value: Any, otherwise: Any) -> Lane:
        """Choose between two values."""
        values = text(self.v, value), text(self.v, otherwise)
        return Lane(self.v, self.v.select(condition.register, *values))

    def rarely(self, condition: Flag, function: Callable[..., Any], x: Lane, value: Lane) -> Lane:
        """Return function(self, x) where a condition holds, else a value.

        `physcm.mechanism.lanes.elementary.FUNCTIONS` has the function.
        """
        name = f"lanes_{function.__name__}"
        return Lane(self.v, self.v.rarely(condition.register, name, x.register, value.register))

    def split(self, x: Lane) -> tuple[Lane, Lane]:
        """Return e and m with x = 2^e m and sqrt(1/2) <= m < sqrt(2), for x > 2^-1000."""
        v = self.v
        # Counted from the bits of sqrt(1/2), the exponent is that of m.
        low = v.word(_SQRT_HALF)
        shifted = v.integer("sub", v.words(x.register), low)
        exponent = v.integer("ashr", shifted, v.word(52))
        mantissa = v.integer("and", shifted, v.word((1 << 52) - 1))
        m = v.floats(v.integer("add", mantissa, low))
        return Lane(v, v.emit(f"sitofp {WORDS} {exponent} to {FLOATS}")), Lane(v, m)

    def scaled(self, x: Lane, exponent: Lane) -> Lane:
        """Return x 2^exponent: by two factors, each within range also where 2^exponent is not."""
        v = self.v
        whole = v.emit(f"fptosi {FLOATS} {exponent.register} to {WORDS}")
        half = v.integer("ashr", whole, v.word(1))
        for part in (half, v.integer("sub", whole, half)):
            power = v.integer("shl", v.integer("add", part, v.word(1023)), v.word(52))
            x = x * Lane(v, v.floats(power))
        return x

    def _intrinsic(self, name: str, x: Lane) -> Lane:
        return Lane(self.v, self.v.intrinsic(name, x.register))


def traced(function: Callable[..., Any]) -> Callable[..., str]:
    r"""Return what writes a function of an arithmetic and some numbers.

    >>> v = Vectors(set())
    >>> traced(lambda a, x: a.sqrt(x) + 1.0)(v, "%x")
    '%v2'
    >>> print(*v.lines, sep="\n")
      %v1 = call <8 x double> @llvm.sqrt.v8f64(<8 x double> %x)
      %v2 = fadd <8 x double> %v1, splat (double 0x3FF0000000000000)
    """

    def write(v: Vectors, *arguments: str) -> str:
        return text(v, function(Lanes(v), *(Lane(v, x) for x in arguments)))

    return write
