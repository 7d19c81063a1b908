"""Expressions as Python source: one printer, and the spellings of `math` and NumPy.

`math` is for one sample, NumPy for many. The spelling of PyTorch is in
`physcm.mechanism.tensors`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
import sympy as sp
from sympy.core.relational import Relational

from physcm.mechanism.errors import Unsupported
from physcm.mechanism.expression import chosen
from physcm.mechanism.opaque import Opaque


@dataclass(frozen=True, eq=False)
class Target:
    """The spelling of one target language.

    Attributes:
        load: returns what each name in generated source stands for; it is called when the
            target is first used, so that no library is imported before.
        cases: the pattern of a choice between two values; besides these it may name `{reads}`,
            the local names that the values read.
        words: the patterns of and, or, not.
        has_branches: whether the two values are functions of what they read, which compute
            anew the definitions that they need.
        calls_python: whether it can call any function of arrays.
    """

    load: Callable[[], Mapping[str, Any]]
    cases: str
    words: Mapping[str, str]
    has_branches: bool = False
    calls_python: bool = False

    @cached_property
    def functions(self) -> Mapping[str, Any]:
        """What each name in generated source stands for."""
        return self.load()


def _real_power(base: float, exponent: float) -> float:
    """Power in the reals: a negative base to a fractional exponent has no value."""
    return math.nan if base < 0 and exponent != int(exponent) else base**exponent


_NAMES = "sqrt exp log sin cos tan sinh cosh tanh floor atan2".split()
_INVERSES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
_INVERSES |= {"asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"}

SCALAR = Target(
    lambda: (
        {name: getattr(math, name) for name in (*_NAMES, *_INVERSES)}
        | {
            "ceiling": math.ceil,
            "Abs": abs,
            "sign": lambda x: (x > 0) - (x < 0),
            "minimum": min,
            "maximum": max,
            "power": _real_power,
            "Mod": lambda a, b: a % b,
            "gamma": lambda x: float(scipy.special.gamma(x)),
            "polygamma": lambda n, x: float(scipy.special.polygamma(int(n), x)),
            "nan": math.nan,
            "inf": math.inf,
        }
    ),
    "({value} if {condition} else {otherwise})",
    {"and": "({} and {})", "or": "({} or {})", "not": "(not {})"},
    calls_python=True,
)
VECTOR = Target(
    lambda: (
        {name: getattr(np, name) for name in _NAMES if name != "atan2"}
        | {name: getattr(np, other) for name, other in _INVERSES.items()}
        | {
            "atan2": np.arctan2,
            "ceiling": np.ceil,
            "Abs": np.abs,
            "sign": np.sign,
            "minimum": np.minimum,
            "maximum": np.maximum,
            "power": np.power,
            "Mod": np.mod,
            "gamma": scipy.special.gamma,
            "polygamma": lambda n, x: scipy.special.polygamma(int(n), x),
            "where": np.where,
            "logical_and": np.logical_and,
            "logical_or": np.logical_or,
            "logical_not": np.logical_not,
            "nan": np.nan,
            "inf": np.inf,
        }
    ),
    "where({condition}, {value}, {otherwise})",
    {"and": "logical_and({}, {})", "or": "logical_or({}, {})", "not": "logical_not({})"},
    calls_python=True,
)
REWRITTEN = {
    sp.sec: lambda x: 1 / sp.cos(x),
    sp.csc: lambda x: 1 / sp.sin(x),
    sp.cot: lambda x: sp.cos(x) / sp.sin(x),
    sp.sech: lambda x: 1 / sp.cosh(x),
    sp.csch: lambda x: 1 / sp.sinh(x),
    sp.coth: lambda x: sp.cosh(x) / sp.sinh(x),
    sp.asec: lambda x: sp.acos(1 / x),
    sp.acsc: lambda x: sp.asin(1 / x),
    sp.acot: lambda x: sp.atan(1 / x),
    sp.asech: lambda x: sp.acosh(1 / x),
    sp.acsch: lambda x: sp.asinh(1 / x),
    sp.acoth: lambda x: sp.atanh(1 / x),
    sp.factorial: lambda x: sp.gamma(x + 1),
}


class Printer:
    """Expressions as Python source, with every symbol replaced by a local name."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.local: dict[sp.Symbol, str] = {}
        self.definitions: dict[sp.Symbol, sp.Expr] = {}
        self.opaque: dict[str, Callable[..., Any]] = {}

    def text(self, e: sp.Basic) -> str:
        """Return the source of an expression or a condition.

        Raises:
            Unsupported: for a function that the target does not have.
        """
        if isinstance(e, sp.Symbol):
            return self.local[e]
        if e.is_Number or isinstance(e, sp.NumberSymbol):
            return self._number(e)
        if isinstance(e, sp.Add):
            return f"({' + '.join(self.text(a) for a in e.args)})"
        if isinstance(e, sp.Mul):
            return self._product(e)
        if isinstance(e, sp.Pow):
            return self._power(*e.args)
        return self._special(e)

    def _number(self, e: sp.Basic) -> str:
        try:
            value = float(e)
        except OverflowError:
            value = math.copysign(math.inf, e)
        return f"({value!r})" if value < 0 else repr(value)

    def _product(self, e: sp.Mul) -> str:
        above, below = [], []
        for factor in e.args:
            base, exponent = factor.as_base_exp() if factor.is_Pow else (factor, sp.S.One)
            if exponent.is_Number and exponent.is_negative:
                below.append(self._power(base, -exponent))
            else:
                above.append(self.text(factor))
        top = "*".join(above) or "1.0"
        return f"({top}/({'*'.join(below)}))" if below else f"({top})"

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        if exponent == 1:
            return self.text(base)
        if base is sp.E:
            return f"exp({self.text(exponent)})"
        if exponent == sp.Rational(1, 2):
            return f"sqrt({self.text(base)})"
        if exponent.is_Number and exponent.is_negative:
            return f"(1.0/{self._power(base, -exponent)})"
        if isinstance(exponent, sp.Integer) and exponent <= 3:
            return f"({'*'.join([self.text(base)] * int(exponent))})"
        if isinstance(exponent, sp.Integer):
            return f"({self.text(base)}**{int(exponent)})"
        return f"power({self.text(base)}, {self.text(exponent)})"

    def _special(self, e: sp.Basic) -> str:
        words = self.target.words
        if isinstance(e, sp.Piecewise):
            return self._cases(e)
        if isinstance(e, Relational):
            return f"({self.text(e.lhs)} {e.rel_op} {self.text(e.rhs)})"
        if isinstance(e, sp.And | sp.Or):
            return self._folded(e.args, words["and" if isinstance(e, sp.And) else "or"])
        if isinstance(e, sp.Not):
            return words["not"].format(self.text(e.args[0]))
        if isinstance(e, sp.ITE):
            return self.text(chosen(*e.args))
        if isinstance(e, sp.Max | sp.Min):
            name = "maximum" if isinstance(e, sp.Max) else "minimum"
            return self._folded(e.args, name + "({}, {})")
        if e in (sp.true, sp.false):
            return str(bool(e))
        if type(e) in REWRITTEN:
            return self.text(REWRITTEN[type(e)](*e.args))
        name = type(e).__name__
        if e.is_Function and name in self.target.functions:
            return f"{name}({', '.join(self.text(a) for a in e.args)})"
        if isinstance(e, Opaque) and self.target.calls_python:
            own = f"opaque{len(self.opaque)}"
            self.opaque[own] = type(e).evaluate
            return f"{own}({', '.join(self.text(a) for a in e.args)})"
        raise Unsupported(
            f"no code can be generated for `{e}`: the function `{name}` is not known; "
            "write it through exp, log, powers and where"
        )

    def _cases(self, e: sp.Piecewise) -> str:
        text, reads = "nan", set()
        for value, condition in reversed(e.args):
            branch, read = self._branch(value)
            reads |= read
            if condition == sp.true:
                text = branch
            else:
                parts = {"condition": self.text(condition), "value": branch, "otherwise": text}
                text = self.target.cases.format(reads=", ".join(sorted(reads)), **parts)
        return text

    def _branch(self, value: sp.Expr) -> tuple[str, set[str]]:
        """Return the source of one value of a choice, and the local names that it reads."""
        own = self._recomputed(value) if self.target.has_branches else {}
        text = self.text(value)
        if own:
            steps = [f"{self.local[name]} := {self.text(e)}" for name, e in own.items()]
            text = f"({', '.join(steps)}, {text})[-1]"
        symbols = sp.Tuple(value, *own.values()).free_symbols - own.keys()
        return text, {self.local[s] for s in symbols}

    def _recomputed(self, value: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
        """Return the definitions that a value needs, but for those that are choices themselves."""
        own: dict[sp.Symbol, sp.Expr] = {}
        needed = value.free_symbols
        for name, definition in reversed(self.definitions.items()):
            if name in needed and not definition.has(sp.Piecewise):
                own[name] = definition
                needed = needed | definition.free_symbols
        return dict(reversed(own.items()))

    def _folded(self, arguments: Sequence[sp.Basic], pattern: str) -> str:
        text = self.text(arguments[0])
        for argument in arguments[1:]:
            text = pattern.format(text, self.text(argument))
        return text
