"""Expressions as vector instructions."""

from __future__ import annotations

import math

import sympy as sp
from sympy.core.relational import Relational

from physcm.mechanism.errors import Unsupported
from physcm.mechanism.lanes.elementary import FUNCTIONS
from physcm.mechanism.lanes.vectors import Vectors
from physcm.mechanism.source import REWRITTEN

_NAMED = {
    sp.exp: "exp", sp.log: "log", sp.sin: "sin", sp.cos: "cos", sp.tan: "tan",
    sp.sinh: "sinh", sp.cosh: "cosh", sp.tanh: "tanh", sp.asin: "asin", sp.acos: "acos",
    sp.atan: "atan", sp.atan2: "atan2", sp.asinh: "asinh", sp.acosh: "acosh", sp.atanh: "atanh",
    sp.gamma: "gamma", sp.Mod: "mod", sp.sign: "sign",
}  # fmt: skip
_INTRINSIC = {sp.Abs: "fabs", sp.floor: "floor", sp.ceiling: "ceil"}
_MOST_SQUARINGS = 64


class Expressions:
    """Writes the values of expressions, given what their symbols stand for."""

    def __init__(self, vectors: Vectors) -> None:
        self.v = vectors
        self.known: dict[sp.Basic, str] = {}

    def read(self, name: sp.Symbol, pointer: str, row: int, offset: str, stride: int) -> None:
        """Let a name stand for a row of a block."""
        self.v.comment(f"{name} = {pointer[1:]}[{row}]")
        self.known[name] = self.v.load(pointer, row, offset, stride, pointer[1:])

    def define(self, name: sp.Symbol, expression: sp.Expr) -> None:
        """Let a name stand for the value of an expression."""
        self.v.comment(f"{name} = {expression}")
        self.known[name] = self.value(expression)

    def value(self, e: sp.Basic) -> str:
        """Write the value of an expression.

        Raises:
            Unsupported: for a function that lanes do not have.
        """
        if e not in self.known:
            self.known[e] = self._value(e)
        return self.known[e]

    def _value(self, e: sp.Basic) -> str:
        if e.is_Number or isinstance(e, sp.NumberSymbol):
            return self.v.number(_float(e))
        if isinstance(e, sp.Add):
            return self._sum(e)
        if isinstance(e, sp.Mul):
            return self._product(e)
        if isinstance(e, sp.Pow):
            return self._power(*e.args)
        if isinstance(e, sp.Piecewise):
            return self._cases(e)
        return self._function(e)

    def _sum(self, e: sp.Add) -> str:
        plus: list[str] = []
        minus: list[str] = []
        for term in e.args:
            negative = term.could_extract_minus_sign() and term.is_Mul
            (minus if negative else plus).append(self.value(-term if negative else term))
        if not plus:
            plus = [self.v.number(0.0)]
        total = self.v.add(*plus)
        return self.v.sub(total, self.v.add(*minus)) if minus else total

    def _product(self, e: sp.Mul) -> str:
        above, below = [], []
        for factor in e.args:
            base, exponent = factor.as_base_exp() if factor.is_Pow else (factor, sp.S.One)
            if exponent.is_Number and exponent.is_negative:
                below.append(self.value(sp.Pow(base, -exponent)))
            elif isinstance(factor, sp.Rational) and factor.p in (1, -1) and factor.q != 1:
                above.append(self.v.number(_float(factor)))
            else:
                above.append(self.value(factor))
        top = self.v.mul(*above) if above else self.v.number(1.0)
        return self.v.div(top, self.v.mul(*below)) if below else top

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        if base is sp.E:
            return self.v.call("lanes_exp", self.value(exponent))
        if exponent.is_Number and exponent.is_negative:
            return self.v.div(self.v.number(1.0), self.value(sp.Pow(base, -exponent)))
        if isinstance(exponent, sp.Rational) and exponent.q <= 2 and exponent.p <= _MOST_SQUARINGS:
            whole, half = divmod(exponent.p, 2) if exponent.q == 2 else (exponent.p, 0)
            root = [self.v.intrinsic("sqrt", self.value(base))] if half else []
            return self.v.mul(*self._integer_power(base, whole), *root)
        return self.v.call("lanes_power", self.value(base), self.value(exponent))

    def _integer_power(self, base: sp.Expr, exponent: int) -> list[str]:
        """Return factors of a positive integer power, by repeated squaring."""
        factors, square = [], self.value(base)
        while exponent:
            if exponent % 2:
                factors.append(square)
            exponent //= 2
            square = self.v.mul(square, square) if exponent else square
        return factors

    def _cases(self, e: sp.Piecewise) -> str:
        value = self.v.number(math.nan)
        for branch, condition in reversed(e.args):
            inside = self.value(branch)
            value = (
                inside
                if condition == sp.true
                else self.v.select(self.condition(condition), inside, value)
            )
        return value

    def _function(self, e: sp.Basic) -> str:
        if type(e) in REWRITTEN:
            return self.value(REWRITTEN[type(e)](*e.args))
        if type(e) in _INTRINSIC:
            return self.v.intrinsic(_INTRINSIC[type(e)], self.value(e.args[0]))
        if isinstance(e, sp.Max | sp.Min):
            return self._extreme(e)
        name = _NAMED.get(type(e))
        if name is None or name not in FUNCTIONS:
            raise Unsupported(
                f"the numba engine has no function for `{e}`; use engine='scipy', or write it "
                "through exp, log, powers and where"
            )
        return self.v.call(f"lanes_{name}", *map(self.value, e.args))

    def _extreme(self, e: sp.Basic) -> str:
        name = "maximum" if isinstance(e, sp.Max) else "minimum"
        best, *others = map(self.value, e.args)
        for other in others:
            best = self.v.call(f"lanes_{name}", best, other)
        return best

    def condition(self, e: sp.Basic) -> str:
        """Write whether a condition holds."""
        if isinstance(e, Relational):
            return self.v.compare(e.rel_op, self.value(e.lhs), self.value(e.rhs))
        if isinstance(e, sp.And | sp.Or):
            result, *others = map(self.condition, e.args)
            for other in others:
                result = self.v.flag("and" if isinstance(e, sp.And) else "or", result, other)
            return result
        if isinstance(e, sp.Not):
            return self.v.flag("xor", self.condition(e.args[0]), "splat (i1 true)")
        if e in (sp.true, sp.false):
            return f"splat (i1 {'true' if e == sp.true else 'false'})"
        raise Unsupported(f"the numba engine has no code for the condition `{e}`")


def _float(e: sp.Basic) -> float:
    try:
        return float(e)
    except OverflowError:
        return math.copysign(math.inf, e)
