"""Taylor series of the solutions of x' = f(t, x, p), by recurrences over the expressions in f.

Let w_k be the coefficient of (s/H)^k in w(t + s). Those of the states follow from those of the
rates, x_{k+1} = H f_k / (k + 1), and those of what the rates are made of from

    w = u + v    w_k = u_k + v_k
    w = u v      w_k = sum_{j=0}^k u_j v_{k-j}
    w = u / v    w_k = (u_k - sum_{j=1}^k v_j w_{k-j}) / v_0
    w = F(u)     w_k = (1/k) sum_{j=1}^k j u_j g_{k-j},   g = F'(u)

A function needs nothing but its derivative, which may be written in terms of itself: F' = F for
the exponential, F' = a F / u for the power u^a.

References: Moore, Interval Analysis, 1966; Jorba & Zou, Experimental Mathematics 14, 2005.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from physcm.mechanism.codegen import Program
from physcm.mechanism.errors import Unsupported
from physcm.mechanism.expression import TIME, symbol
from physcm.mechanism.lanes.blocks import LANE, LANES, in_parts
from physcm.mechanism.lanes.expressions import Expressions
from physcm.mechanism.lanes.module import assembled, function
from physcm.mechanism.lanes.vectors import Vectors
from physcm.mechanism.source import REWRITTEN

_ANALYTIC = frozenset({
    sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.sinh, sp.cosh, sp.tanh,
    sp.asin, sp.acos, sp.atan, sp.asinh, sp.acosh, sp.atanh,
})  # fmt: skip


@dataclass(frozen=True)
class Expansion:
    """The code of two functions over blocks of samples.

    `drift(t, x, p, f)` writes f, and `series(t, x, p, h, c)` the coefficients of all states to
    c (states, order + 1, LANES), with H in h.

    Attributes:
        drift: the text of the one.
        series: that of the other.
        declarations: of what they call from outside.
    """

    drift: tuple[str, ...]
    series: tuple[str, ...]
    declarations: frozenset[str]

    def module(self, name: str) -> str:
        """Return the text of a module for a system of some name."""
        return assembled(name, [*self.drift, *self.series], set(self.declarations))


@lru_cache(maxsize=256)
def expansion(rates: Program, order: int) -> Expansion:
    """Return the code for the rates of a system.

    Raises:
        Unsupported: for what is not analytic, and for functions that lanes do not have.
    """
    declarations: set[str] = set()

    def write(v: Vectors) -> None:
        series = _Series(v, rates)
        for k in range(order + 1):
            for i, name in enumerate(rates.variables):
                v.comment(f"{name}[{k}]")
                value = series.coefficient(symbol(name), k) or v.number(0.0)
                v.store(value, "%c", i * (order + 1) + k, LANE, LANES)

    series = in_parts("series", "t x p h c", [write], declarations)
    drift = function("drift", rates, declarations)
    return Expansion(tuple(drift), tuple(series), frozenset(declarations))


class _Series:
    """Writes coefficients, each of them once; `None` stands for one that is always 0."""

    def __init__(self, v: Vectors, rates: Program) -> None:
        self.v = v
        self._rates = {symbol(name): rates.outputs[i] for i, name in enumerate(rates.variables)}
        self._definitions = {symbol(name): e for name, e in rates.definitions}
        self._rows = {TIME: ("%t", 0)}
        for pointer, names in (("%x", rates.variables), ("%p", rates.parameters)):
            self._rows |= {symbol(name): (pointer, i) for i, name in enumerate(names)}
        self._values = Expressions(v)
        self._known: dict[tuple[sp.Basic, int], str | None] = {}
        self._inverses: dict[sp.Basic, str] = {}
        self._steps: dict[int, str] = {1: v.load("%h", 0, LANE, LANES, "h")}

    def coefficient(self, e: sp.Expr, k: int) -> str | None:
        """Write coefficient k of an expression, for which all lower ones are written."""
        if (e, k) not in self._known:
            value = self._known[e, k] = self._coefficient(e, k)
            if k == 0 and value:
                self._values.known[e] = value
        return self._known[e, k]

    def _coefficient(self, e: sp.Expr, k: int) -> str | None:
        if e in self._definitions:
            return self.coefficient(self._definitions[e], k)
        if isinstance(e, _Weighted):
            value = self.coefficient(e.args[0], k)
            return self.v.mul(value, self.v.number(float(k))) if value and k > 1 else value
        if e.is_Symbol:
            return self._symbol(e, k)
        if e.is_number:
            return self._values.value(e) if k == 0 else None
        if e.is_Add:
            return self._sum(e, k)
        if e.is_Mul:
            return self._product(e, k)
        if e.is_Pow:
            return self._power(e, k)
        if type(e) in REWRITTEN:
            return self.coefficient(REWRITTEN[type(e)](*e.args), k)
        if type(e) not in _ANALYTIC:
            raise Unsupported(
                f"the Taylor method has no recurrence for `{e}`; use another method, such as "
                "Numba('dormand-prince-8')"
            )
        return self._function(e, e.args[0], e.fdiff(), k)

    def _symbol(self, e: sp.Symbol, k: int) -> str | None:
        if k == 0:
            pointer, row = self._rows[e]
            return self.v.load(pointer, row, LANE, LANES, pointer[1:])
        if e in self._rates:
            rate = self.coefficient(self._rates[e], k - 1)
            return self.v.mul(rate, self._step(k)) if rate else None
        return self._step(1) if e == TIME and k == 1 else None

    def _step(self, k: int) -> str:
        """Return H / k."""
        if k not in self._steps:
            self._steps[k] = self.v.mul(self._steps[1], self.v.number(1 / k))
        return self._steps[k]

    def _sum(self, e: sp.Add, k: int) -> str | None:
        plus: list[str] = []
        minus: list[str] = []
        for term in e.args:
            negative = term.is_Mul and term.could_extract_minus_sign()
            value = self.coefficient(-term if negative else term, k)
            if value:
                (minus if negative else plus).append(value)
        return self._difference(
            self.v.add(*plus) if plus else None, self.v.add(*minus) if minus else None
        )

    def _difference(self, a: str | None, b: str | None) -> str | None:
        if a is None or b is None:
            return a if b is None else self.v.negative(b)
        return self.v.sub(a, b)

    def _product(self, e: sp.Mul, k: int) -> str | None:
        above: list[sp.Expr] = []
        below: list[sp.Expr] = []
        for factor in e.args:
            base, exponent = factor.args if factor.is_Pow else (factor, sp.S.One)
            divides = exponent.is_Integer and exponent.is_negative
            (below if divides else above).append(base**-exponent if divides else factor)
        if below:
            return self._quotient(e, sp.Mul(*above), sp.Mul(*below), k)
        *others, last = above
        return self._convolution(sp.Mul(*others), last, k)

    def _power(self, e: sp.Pow, k: int) -> str | None:
        base, exponent = e.args
        if exponent.is_Integer and exponent.is_negative:
            return self._quotient(e, sp.S.One, base**-exponent, k)
        if exponent.is_Integer:
            half = base ** (exponent // 2)
            return self._convolution(half, base ** (exponent - exponent // 2), k)
        if self._moves(exponent):
            return self.coefficient(sp.exp(exponent * sp.log(base), evaluate=False), k)
        ratio = sp.Mul(e, 1 / base, evaluate=False)
        return self._function(e, base, sp.Mul(exponent, ratio, evaluate=False), k)

    def _moves(self, e: sp.Expr) -> bool:
        return any(
            self._moves(self._definitions[name]) if name in self._definitions
            else name in self._rates or name == TIME
            for name in e.free_symbols
        )  # fmt: skip

    def _function(self, e: sp.Expr, u: sp.Expr, slope: sp.Expr, k: int) -> str | None:
        """Write a coefficient of e = F(u), given F'(u)."""
        if k == 0:
            for argument in e.args:
                self.coefficient(argument, 0)
            return self._values.value(e)
        total = self._dot(_Weighted(u), slope, range(1, k + 1), k)
        return self.v.mul(total, self.v.number(1 / k)) if total else None

    def _convolution(self, a: sp.Expr, b: sp.Expr, k: int) -> str | None:
        """Write a coefficient of a b."""
        if a != b:
            return self._dot(a, b, range(k + 1), k)
        half = self._dot(a, a, range((k + 1) // 2), k)
        whole = self.v.add(half, half) if half else None
        middle = self.coefficient(a, k // 2) if k % 2 == 0 else None
        return self._accumulated(whole, middle, middle)

    def _quotient(self, e: sp.Expr, a: sp.Expr, b: sp.Expr, k: int) -> str | None:
        """Write a coefficient of e = a / b."""
        if b not in self._inverses:
            one, first = self.v.number(1.0), self.coefficient(b, 0)
            self._inverses[b] = self.v.div(one, first or self.v.number(0.0))
        total = self._difference(self.coefficient(a, k), self._dot(b, e, range(1, k + 1), k))
        return self.v.mul(total, self._inverses[b]) if total else None

    def _dot(self, a: sp.Expr, b: sp.Expr, places: range, k: int) -> str | None:
        """Write sum_j a_j b_{k-j}; the ends, with the newest coefficients, come last."""
        total = None
        for j in [*places[1:-1], *places[:1], *places[1:][-1:]]:
            total = self._accumulated(total, self.coefficient(a, j), self.coefficient(b, k - j))
        return total

    def _accumulated(self, total: str | None, a: str | None, b: str | None) -> str | None:
        if a is None or b is None:
            return total
        return self.v.fma(a, b, total) if total else self.v.mul(a, b)


class _Weighted(sp.Function):  # type: ignore[misc]
    """Stands for t w'(t), the coefficients of which are k w_k."""
