"""Expressions: SymPy trees over real symbols, with a text form that the parser reads back.

A symbol stands for a state, a parameter, a derived variable or time `t`. The written forms
below are symbols as well, so that they can never collide with a user's own names:

- `X(0)`              the value of X at the start,
- `do(X)`             the value at which X is held; `shift(X)` and `scale(X)` likewise,
- `natural(X)`        what X would be by its own mechanism, in a mechanism put in its place,
- `amount(S)`         the amount of the chemical species S,
- `concentration(S)`  its concentration.

Numbers are exact: the decimal 0.1 is the rational 1/10, so that conservation laws and
Jacobians are found by exact algebra and turn into floating point only in generated code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.core.relational import Relational
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.str import StrPrinter

from physcm.mechanism.errors import CyclicDefinition

TIME = sp.Symbol("t", real=True)
WORDS = frozenset({"and", "or", "not", "if", "else", "True", "False"})
"""The words of the text form, where variables called so stand in quotes."""
QUOTED = re.compile(rf"(.*\W)?({'|'.join(sorted(WORDS))})(\W.*)?")
"""Names that stand in quotes: the words, and `and(0)`, `do(and)` and the like."""
RESERVED = frozenset(
    "t time sample status solution equilibrium variable mode instant instant_time period "
    "settling_time stability found_by eigenvalue_real eigenvalue_imag".split()
)
"""Names that no variable or parameter can have: time, and what our datasets hold."""


def symbol(name: str) -> sp.Symbol:
    """Return the real symbol called `name`.

    >>> symbol("x").is_real
    True
    """
    return sp.Symbol(name, real=True)


def initial_symbol(name: str) -> sp.Symbol:
    """Return the symbol `name(0)`, the value of a state at the start.

    >>> initial_symbol("x")
    x(0)
    """
    return symbol(f"{name}(0)")


def held_symbol(name: str) -> sp.Symbol:
    """Return the symbol `do(name)`, the value at which a variable is held.

    >>> held_symbol("x")
    do(x)
    """
    return symbol(f"do({name})")


def natural_symbol(name: str) -> sp.Symbol:
    """Return the symbol `natural(name)`, what a variable would be by its own mechanism.

    >>> natural_symbol("x")
    natural(x)
    """
    return symbol(f"natural({name})")


def names_in(expression: sp.Basic) -> frozenset[str]:
    """Return the names of all symbols in an expression.

    >>> sorted(names_in(symbol("x") * symbol("k") + 1))
    ['k', 'x']
    """
    return frozenset(s.name for s in expression.free_symbols if isinstance(s, sp.Symbol))


def exact(number: float) -> sp.Expr:
    """Return a float as the rational that its shortest decimal form denotes.

    >>> exact(0.1)
    1/10
    >>> exact(float("inf"))
    oo
    """
    if number != number or number in (float("inf"), float("-inf")):
        return sp.Float(number) if number != number else sp.oo * (1 if number > 0 else -1)
    return sp.Rational(repr(float(number)))


def normalize(expression: sp.Basic) -> Any:
    """Return a SymPy expression over our real symbols, with floats made exact.

    >>> normalize(sp.Symbol("x") * sp.Float("0.5"))
    x/2
    """
    replacements: dict[sp.Basic, sp.Basic] = {
        s: symbol(s.name) for s in expression.free_symbols if isinstance(s, sp.Symbol)
    }
    replacements |= {f: exact(float(f)) for f in expression.atoms(sp.Float)}
    return with_plain_cases(expression.xreplace(replacements))


def compared(relation: Callable[..., Any], a: sp.Expr, b: sp.Expr) -> Any:
    """Return a comparison after IEEE 754: NaN differs from everything, itself included.

    What is given by cases is compared case by case.

    >>> x, y = map(symbol, "xy")
    >>> compared(sp.Gt, 1 + sp.Piecewise((x, y > 0)), y)
    (y > 0) & (x + 1 > y)
    """
    with_nan = sp.true if relation is sp.Ne else sp.false
    if sp.nan in (a, b):
        return with_nan
    for place, side in enumerate((a, b)):
        cases = sp.piecewise_fold(side) if side.has(sp.Piecewise) else side
        if isinstance(cases, sp.Piecewise):
            result = with_nan
            for value, condition in reversed(cases.args):
                sides = (a, value) if place else (value, b)
                result = chosen(condition, compared(relation, *sides), result)
            return result
    plain = relation is sp.Eq and not (a.is_Number and b.is_Number)
    return relation(a, b, evaluate=False) if plain else relation(a, b)


def with_plain_cases(expression: Any) -> Any:
    """Return an expression with its case distinctions in the one form that texts can tell.

    Cases within the last case are further cases, and NaN as the last is none. Where cases
    stand inside a condition, SymPy puts an if-then-else of conditions, for which neither
    texts nor generated code have a word.

    >>> x, y = map(symbol, "xy")
    >>> inner = sp.Piecewise((x, y > 0), (0, True))
    >>> with_plain_cases(sp.Piecewise((1, inner > 2), (inner, True)))
    Piecewise((1, (x > 2) & (y > 0)), (x, y > 0), (0, True))
    """
    if expression.has(sp.Piecewise):
        expression = expression.replace(sp.Piecewise, _spread)
    return expression.replace(sp.ITE, chosen) if expression.has(sp.ITE) else expression


def _spread(*cases: Any) -> sp.Expr:
    *first, (value, condition) = cases
    if condition == sp.true and first:
        if value is sp.nan:
            return sp.Piecewise(*first)
        if isinstance(value, sp.Piecewise):
            return sp.Piecewise(*first, *value.args)
    return sp.Piecewise(*cases)


def ordered(definitions: Mapping[str, sp.Basic], what: str) -> list[str]:
    """Return the defined names so that each comes after those that its definition reads.

    Names that `definitions` does not define are taken as given.

    Raises:
        CyclicDefinition: if definitions read each other in a circle.

    >>> ordered({"b": symbol("a") + 1, "a": symbol("x")}, "derived variables")
    ['a', 'b']
    """
    waiting = {name: names_in(d) & definitions.keys() for name, d in definitions.items()}
    done: dict[str, None] = {}
    while waiting:
        ready = [name for name, reads in waiting.items() if reads <= done.keys()]
        if not ready:
            circle = ", ".join(f"`{name}`" for name in _circle(waiting))
            raise CyclicDefinition(
                f"the {what} {circle} are defined in terms of each other; "
                "give one of them a definition that reads none of the others"
            )
        for name in ready:
            del waiting[name]
        done.update(dict.fromkeys(ready))
    return list(done)


def _circle(waiting: Mapping[str, frozenset[str]]) -> list[str]:
    """Follow unmet definitions until a name repeats; return the names from there on."""
    path = [next(iter(waiting))]
    while True:
        following = min(waiting[path[-1]] & waiting.keys())
        if following in path:
            return path[path.index(following) :]
        path.append(following)


def substitute(
    expression: sp.Expr, definitions: Mapping[str, sp.Expr], order: Iterable[str]
) -> sp.Expr:
    """Return the expression with defined names written out, `order` as from `ordered`.

    >>> a, b, x = map(symbol, "abx")
    >>> substitute(b * x, {"a": x + 1, "b": 2 * a}, ["a", "b"])
    2*x*(x + 1)
    """
    for name in reversed(list(order)):
        expression = expression.xreplace({symbol(name): definitions[name]})
    return with_plain_cases(expression)


def cases(*pairs: tuple[Any, Any]) -> Any:
    """Return the first value whose condition holds, from pairs of a value and a condition.

    >>> x = symbol("x")
    >>> cases((1, cases((x, x > 2), (3, True)) < 2.5), (0, True))
    Piecewise((1, (x < 2.5) & (x > 2)), (0, True))
    """
    return with_plain_cases(sp.Piecewise(*pairs))


def chosen(test: Any, then: Any, otherwise: Any) -> Any:
    """Return the condition `then` where a test holds, else another, without ITE."""
    return sp.Or(sp.And(test, then), sp.And(sp.Not(test), otherwise))


@lru_cache(maxsize=65536)
def derivative(expression: sp.Expr, variable: sp.Symbol) -> sp.Expr:
    """Return the derivative, almost everywhere: steps count as constant, corners as one side.

    >>> x = symbol("x")
    >>> derivative(sp.floor(x) * x, x)
    floor(x)
    """
    smooth = _without_corners(expression)
    steps = {step: sp.Dummy(real=True) for step in smooth.atoms(sp.floor, sp.ceiling, sp.sign)}
    # Term by term, since SymPy takes long over those that do not read the variable.
    terms = [e for e in sp.Add.make_args(smooth.xreplace(steps)) if variable in e.free_symbols]
    flat = sp.Add(*(_with_powers(e).diff(variable) for e in terms)).replace(_Power, sp.Pow)
    return flat.xreplace({dummy: step for step, dummy in steps.items()})


class _Power(sp.Function):  # type: ignore[misc]
    """x**n whose derivative is n*x**(n - 1), which has a value at x = 0, as n*x**n/x has not."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Return the derivative by the base or by the exponent."""
        base, exponent = self.args
        if argindex == 1:
            return exponent * _Power(base, exponent - 1)
        return sp.log(base) * self


def _with_powers(expression: sp.Expr) -> sp.Expr:
    """Write powers whose exponent is no number as `_Power`."""
    return expression.replace(lambda e: e.is_Pow and not e.exp.is_number, lambda e: _Power(*e.args))


def _without_corners(expression: sp.Expr) -> sp.Expr:
    """Write min, max, |x| and x mod y through steps and cases, which differentiate simply."""
    rules: list[tuple[Any, Any]] = [
        (sp.Mod, lambda a, b: a - b * sp.floor(a / b)),
        (sp.Abs, lambda a: sp.sign(a) * a),
        (sp.factorial, lambda a: sp.gamma(a + 1)),
        (sp.Max, lambda *a: _extreme(a, sp.Ge)),
        (sp.Min, lambda *a: _extreme(a, sp.Le)),
    ]
    for kind, rule in rules:
        if expression.has(kind):
            expression = expression.replace(kind, rule)
    return with_plain_cases(expression)


def _extreme(arguments: tuple[sp.Expr, ...], beats: type[Relational]) -> sp.Expr:
    best = arguments[0]
    for other in arguments[1:]:
        best = cases((best, beats(best, other)), (other, True))
    return best


def to_text(expression: sp.Basic, taken: Collection[str] = ()) -> str:
    """Return the text of an expression, which the parser reads back to the same tree.

    Args:
        expression: over our symbols.
        taken: names that the model gives, which stand for nothing else. The number pi beside a
            variable that is called so is the arc whose cosine is -1.

    >>> to_text(sp.Max(0, exact(0.1) * symbol("x") / symbol("k")))
    'max(0, 0.1*x/k)'
    >>> to_text(2 * sp.pi * symbol("pi"))
    '2*acos(-1)*pi'
    """
    if "pi" in taken or "pi" in names_in(expression):
        expression = expression.xreplace({sp.pi: symbol("acos(-1)")})
    return str(_TextPrinter().doprint(expression))


class _TextPrinter(StrPrinter):  # type: ignore[misc]
    """SymPy's text form in the spelling of our parser, with short decimals as decimals."""

    def _print_Symbol(self, expr: sp.Symbol) -> str:
        return f"'{expr.name}'" if QUOTED.fullmatch(expr.name) else str(expr.name)

    def _print_Integer(self, expr: sp.Integer) -> str:
        return _decimal(expr) or str(expr.p)

    def _print_Rational(self, expr: sp.Rational) -> str:
        return _decimal(expr) or f"{expr.p}/{expr.q}"

    def _print_Mul(self, expr: sp.Mul) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        if coefficient != 1 and rest.is_Mul and (text := self._print(rest)).startswith("("):
            # Read back from left to right, a number would be multiplied into the sum.
            return f"-({text})" if coefficient == -1 else f"{self._print(coefficient)}*({text})"
        number = _decimal(coefficient) if isinstance(coefficient, sp.Rational) else None
        if number is None and any(f.is_Add for f in sp.fraction(rest)[1].as_ordered_factors()):
            # Likewise for a number that would stand beside a sum below the line.
            number = self._print(coefficient)
        if number is None or (isinstance(coefficient, sp.Integer) and "e" not in number):
            return str(super()._print_Mul(expr))
        text = self._print(rest) if rest.is_Mul else self.parenthesize(rest, PRECEDENCE["Mul"])
        return number + (text[1:] if text.startswith("1/") else f"*{text}")

    def _call(self, name: str, *arguments: sp.Basic) -> str:
        return f"{name}({', '.join(self._print(a) for a in arguments)})"

    def _print_Max(self, expr: sp.Max) -> str:
        return self._call("max", *sorted(expr.args, key=sp.default_sort_key))

    def _print_Min(self, expr: sp.Min) -> str:
        return self._call("min", *sorted(expr.args, key=sp.default_sort_key))

    def _print_Abs(self, expr: sp.Abs) -> str:
        return self._call("abs", *expr.args)

    def _print_ceiling(self, expr: sp.ceiling) -> str:
        return self._call("ceil", *expr.args)

    def _print_Mod(self, expr: sp.Mod) -> str:
        return self._call("mod", *expr.args)

    def _print_Exp1(self, expr: sp.Basic) -> str:
        return "exp(1)"

    def _print_NaN(self, expr: sp.Basic) -> str:
        return "nan"

    def _print_Infinity(self, expr: sp.Basic) -> str:
        return "inf"

    def _print_NegativeInfinity(self, expr: sp.Basic) -> str:
        return "-inf"

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        text = "nan"
        for value, condition in reversed(expr.args):
            if condition == sp.true:
                text = self._print(value)
            else:
                text = f"where({self._print(condition)}, {self._print(value)}, {text})"
        return text

    def _print_ITE(self, expr: sp.ITE) -> str:
        return str(self._print(chosen(*expr.args)))

    def _print_Relational(self, expr: Relational) -> str:
        sign = {"==": "==", "!=": "!="}.get(expr.rel_op, expr.rel_op)
        left, right = (self.parenthesize(side, precedence(expr)) for side in expr.args)
        return f"{left} {sign} {right}"

    def _print_And(self, expr: sp.And) -> str:
        return self._joined(expr, " and ")

    def _print_Or(self, expr: sp.Or) -> str:
        return self._joined(expr, " or ")

    def _print_Not(self, expr: sp.Not) -> str:
        return f"not ({self._print(expr.args[0])})"

    def _joined(self, expr: sp.Basic, word: str) -> str:
        return word.join(f"({self._print(a)})" for a in sorted(expr.args, key=sp.default_sort_key))


def _decimal(number: sp.Rational) -> str | None:
    """Return the shortest decimal text of a rational that a float denotes, if it has one."""
    if isinstance(number, sp.Integer) and abs(number) < 10**6:
        return str(number)
    try:
        text = repr(float(number))
    except OverflowError:
        return None
    return text if sp.Rational(text) == number else None
