"""The safe parser: text to expression, by an allow-list over Python's own syntax tree.

Nothing is ever evaluated: the text is parsed with `ast`, and only arithmetic, comparisons,
conditions, numbers, declared names and the functions listed here become SymPy. Everything
else is an error that says in which column it stands.

Written forms: `+ - * / **`, `a if c else b` or `where(c, a, b)`, `< <= > >= == !=`,
`and or not`, the symbols `X(0)`, `do(X)`, `shift(X)`, `scale(X)`, `natural(X)`, `amount(S)`,
`concentration(S)`, and the names `pi`, `inf`, `nan` and `True`, `False` unless the model
declares them itself. A variable that is called like one of the words `and or not if else True
False` stands in quotes: `'not' + 1`, `'not(0)'`.
"""

from __future__ import annotations

import ast
import difflib
import keyword
import math
import re
from collections.abc import Callable, Collection
from typing import Any, TypeAlias

import sympy as sp

from physcm.mechanism.errors import InvalidValue, ParseError, UnknownVariable
from physcm.mechanism.expression import QUOTED, WORDS, cases, compared, exact, normalize, symbol

Expression: TypeAlias = "str | int | float | sp.Basic"

_RESERVED = re.compile(rf"\b({'|'.join(sorted(set(keyword.kwlist) - WORDS))})\b")
_LARGEST_BITS = 4096
_GROWING = ("factorial", "gamma")
_LARGEST_FACTORIAL = 170
"""170! is the largest that is a floating-point number."""

_FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    **{
        name: (getattr(sp, name), 1, 1)
        for name in (
            "exp sqrt sin cos tan asin acos atan sec csc cot asec acsc acot sinh cosh tanh "
            "asinh acosh atanh sech csch coth asech acsch acoth sign floor gamma factorial"
        ).split()
    },
    "log": (sp.log, 1, 2),
    "log10": (lambda x: sp.log(x) / sp.log(10), 1, 1),
    "log2": (lambda x: sp.log(x) / sp.log(2), 1, 1),
    "atan2": (sp.atan2, 2, 2),
    "abs": (sp.Abs, 1, 1),
    "ceil": (sp.ceiling, 1, 1),
    "ceiling": (sp.ceiling, 1, 1),
    "mod": (sp.Mod, 2, 2),
    "min": (sp.Min, 1, 1000),
    "max": (sp.Max, 1, 1000),
    "where": (lambda condition, a, b: cases((a, condition), (b, True)), 3, 3),
}
_CONSTANTS = {"pi": sp.pi, "inf": sp.oo, "nan": sp.nan}
_NUMBERED = ("do", "shift", "scale")
_FORMS = (*_NUMBERED, "natural", "amount", "concentration")
_COMPARISONS: dict[type[ast.cmpop], Callable[..., Any]] = {
    ast.Lt: sp.Lt,
    ast.LtE: sp.Le,
    ast.Gt: sp.Gt,
    ast.GtE: sp.Ge,
    ast.Eq: sp.Eq,
    ast.NotEq: sp.Ne,
}


def parse(text: Expression, names: Collection[str] | None = None, place: str = "") -> Any:
    """Return the SymPy expression of a text, a number or a SymPy expression.

    Args:
        text: what to read; SymPy input is brought to our real symbols and exact numbers.
        names: the names that may occur; `None` lets every name stand for a variable.
        place: where the text stands, to begin error messages with.

    Raises:
        ParseError: for anything but the forms that this module lists, with the column.
        UnknownVariable: for a name that is not in `names`, with the column.
        InvalidValue: for something that is neither text, number nor SymPy expression.

    >>> parse("k*S/(K + S)", names={"k", "K", "S"})
    S*k/(K + S)
    >>> parse("x.__class__")
    Traceback (most recent call last):
    physcm.mechanism.errors.ParseError: attributes are not allowed, at column 1 of `x.__class__`
    """
    place = f"{place}: " if place else ""
    if isinstance(text, str):
        return _Reader(text, names, place).read(_Reader.convert)
    if isinstance(text, bool) or not isinstance(text, int | float | sp.Basic):
        raise InvalidValue(
            f"{place}`{text!r}` is neither a number nor an expression; write it as a string"
        )
    expression = exact(text) if isinstance(text, int | float) else normalize(text)
    for name in sorted(s.name for s in expression.free_symbols):
        if names is not None and name not in names:
            raise UnknownVariable(place + _unknown(name, names, str(text)))
    return expression


def parse_mechanism(text: Expression, names: Collection[str] | None = None, place: str = "") -> Any:
    """Return an equation `left == right` between numbers as it stands, all else as `parse` does.

    As a condition, an equation becomes true or false where its sides say so, and one with
    cases becomes several; as a mechanism it has two sides, whatever they are.

    >>> parse_mechanism("x - x == 1"), parse("x - x == 1")
    (Eq(0, 1), False)
    """
    if isinstance(text, sp.Eq):
        return sp.Eq(*(parse(side, names, place) for side in text.args), evaluate=False)
    if isinstance(text, str):
        return _Reader(text, names, f"{place}: " if place else "").read(_Reader.mechanism)
    return parse(text, names, place)


def closest(name: str, names: Collection[str]) -> str:
    """Return a remedy for an unknown name: the closest known one, or all of them.

    >>> closest("sped", ["speed", "mass"])
    'did you mean `speed`?'
    """
    near = difflib.get_close_matches(name, [n for n in names if n], n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    listed = ", ".join(f"`{n}`" for n in sorted(names)[:20])
    return f"known names: {listed}" if listed else "no names are defined here"


def _unknown(name: str, names: Collection[str], text: str, column: int | None = None) -> str:
    place = f"at column {column} of" if column else "in"
    return f"unknown name `{name}` {place} `{text}`; {closest(name, names)}"


class _Reader:
    """One text on its way to SymPy."""

    def __init__(self, text: str, names: Collection[str] | None, place: str) -> None:
        self.text, self.names, self.place = text, names, place
        # A Python keyword such as `lambda` is a fine variable: spelled with a full-width
        # first letter it is an identifier, which Python itself normalizes back.
        self.source = _RESERVED.sub(
            lambda m: chr(ord(m[0][0]) + 0xFEE0) + m[0][1:], text.replace("\n", " ").strip()
        )

    def read(self, convert: Callable[[_Reader, ast.AST], Any]) -> Any:
        if not self.source:
            raise self.error("the expression is empty")
        try:
            tree = ast.parse(self.source, mode="eval")
            return convert(self, tree.body)
        except SyntaxError as error:
            raise self.error(error.msg, error.offset or len(self.source) + 1) from None
        except (RecursionError, MemoryError):
            raise self.error("the expression is nested too deeply") from None
        except ValueError as error:
            raise self.error(str(error)) from None

    def error(self, problem: str, column: int = 1) -> ParseError:
        text = self.text if len(self.text) <= 200 else self.text[:200] + "..."
        return ParseError(text, column, problem, self.place)

    def fail(self, node: ast.AST, problem: str) -> ParseError:
        return self.error(problem, self.column(node))

    def column(self, node: ast.AST) -> int:
        offset: int = getattr(node, "col_offset", 0)
        return len(self.source.encode()[:offset].decode()) + 1

    def convert(self, node: ast.AST) -> Any:
        method = getattr(self, f"_{type(node).__name__}", None)
        if method is None:
            raise self.fail(node, f"{_describe(node)} are not allowed")
        return method(node)

    def mechanism(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Compare) and [type(operator) for operator in node.ops] == [ast.Eq]:
            left, right = self.number(node.left), self.number(node.comparators[0])
            return sp.Eq(left, right, evaluate=False)
        return self.convert(node)

    def number(self, node: ast.AST) -> Any:
        value = self.convert(node)
        if isinstance(value, sp.logic.boolalg.Boolean) and not isinstance(value, sp.Symbol):
            raise self.fail(node, "a condition stands where a number is needed")
        return value

    def condition(self, node: ast.AST) -> Any:
        value = self.convert(node)
        if not isinstance(value, sp.logic.boolalg.Boolean) or isinstance(value, sp.Symbol):
            raise self.fail(node, "a number stands where a condition is needed")
        return value

    def _Constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, bool):
            return sp.true if node.value else sp.false
        if isinstance(node.value, str) and QUOTED.fullmatch(node.value):
            return self.named(node.value, node)
        if not isinstance(node.value, int | float):
            raise self.fail(node, f"`{node.value!r}` is not a real number")
        if isinstance(node.value, float) and math.isinf(node.value):
            raise self.fail(node, "the number is too large")
        return sp.Integer(node.value) if isinstance(node.value, int) else exact(node.value)

    def _Name(self, node: ast.Name) -> Any:
        return self.named(node.id, node)

    def named(self, name: str, node: ast.AST) -> Any:
        if name in _CONSTANTS and (self.names is None or name not in self.names):
            return _CONSTANTS[name]
        if self.names is not None and name not in self.names:
            where = self.column(node)
            raise UnknownVariable(self.place + _unknown(name, self.names, self.text, where))
        return symbol(name)

    def _UnaryOp(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return sp.Not(self.condition(node.operand))
        if isinstance(node.op, ast.Invert):
            raise self.fail(node, "`~` is not allowed; write `not`")
        value = self.number(node.operand)
        return -value if isinstance(node.op, ast.USub) else value

    def _BinOp(self, node: ast.BinOp) -> Any:
        if isinstance(node.op, ast.Add | ast.Sub):
            return self.sum(node)
        left, right = self.number(node.left), self.number(node.right)
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            if right == 0:
                raise self.fail(node.right, "division by zero")
            return left / right
        if isinstance(node.op, ast.Pow):
            return self.power(node, left, right)
        if isinstance(node.op, ast.Mod):
            return sp.Mod(left, right)
        hint = "; powers are written `**`" if isinstance(node.op, ast.BitXor) else ""
        raise self.fail(node, f"{_describe(node.op)} is not allowed{hint}")

    def sum(self, node: ast.AST) -> Any:
        """Walk a chain of + and - without recursion: sums of thousands of terms are usual."""
        terms = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            term = self.number(node.right)
            terms.append(term if isinstance(node.op, ast.Add) else -term)
            node = node.left
        return sp.Add(self.number(node), *reversed(terms))

    def power(self, node: ast.BinOp, base: sp.Expr, exponent: sp.Expr) -> Any:
        if base.is_number and exponent.is_number:
            magnitude = abs(math.log2(abs(float(base)) or 1.0)) + 1.0
            if magnitude * abs(float(exponent)) > _LARGEST_BITS:
                raise self.fail(node, "the power is too large")
        return base**exponent

    def _BoolOp(self, node: ast.BoolOp) -> Any:
        parts = [self.condition(value) for value in node.values]
        return sp.And(*parts) if isinstance(node.op, ast.And) else sp.Or(*parts)

    def _Compare(self, node: ast.Compare) -> Any:
        sides = [self.number(side) for side in (node.left, *node.comparators)]
        parts = []
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if type(operator) not in _COMPARISONS:
                raise self.fail(node, f"{_describe(operator)} is not allowed")
            parts.append(compared(_COMPARISONS[type(operator)], left, right))
        return parts[0] if len(parts) == 1 else sp.And(*parts)

    def _IfExp(self, node: ast.IfExp) -> Any:
        condition = self.condition(node.test)
        return cases((self.number(node.body), condition), (self.number(node.orelse), True))

    def _Call(self, node: ast.Call) -> Any:
        if not isinstance(node.func, ast.Name):
            raise self.fail(node, "only functions can be called")
        name = node.func.id
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            raise self.fail(node, f"`{name}` takes plain arguments only")
        form = self.form(name, node)
        if form is not None:
            return form
        if name not in _FUNCTIONS:
            remedy = closest(name, _FUNCTIONS)
            raise self.fail(node, f"`{name}` is not a function; {remedy}")
        function, least, most = _FUNCTIONS[name]
        if not least <= len(node.args) <= most:
            wanted = str(least) if least == most else f"{least} or more"
            raise self.fail(node, f"`{name}` takes {wanted} arguments, not {len(node.args)}")
        if name == "where":
            values = [self.condition(node.args[0]), *map(self.number, node.args[1:])]
        else:
            values = [self.number(a) for a in node.args]
        if name in _GROWING and values[0].is_number and values[0] > _LARGEST_FACTORIAL:
            raise self.fail(node, "the number is too large")
        return function(*values)

    def form(self, name: str, node: ast.Call) -> Any:
        """Return the symbol of `do(X)`, `do(X, 2)`, `amount(S)` and the like, or of `X(0)`."""
        if not 1 <= len(node.args) <= 2:
            return None
        argument = node.args[0]
        if len(node.args) == 2:
            number = node.args[1]
            is_whole = isinstance(number, ast.Constant) and isinstance(number.value, int)
            if name in _NUMBERED and isinstance(argument, ast.Name) and is_whole:
                return self.named(f"{name}({argument.id}, {ast.unparse(number)})", node)
            return None
        if name in _FORMS and isinstance(argument, ast.Name):
            return self.named(f"{name}({argument.id})", node)
        is_zero = isinstance(argument, ast.Constant) and argument.value == 0
        if is_zero and name not in _FUNCTIONS:
            return self.named(f"{name}(0)", node)
        return None


def _describe(node: ast.AST) -> str:
    """Say what a piece of Python is, in words: `ListComp` becomes "list comps"."""
    known = {"Attribute": "attributes", "Subscript": "subscripts", "Lambda": "lambdas"}
    kind = type(node).__name__
    return known.get(
        kind, f"`{kind}`" if isinstance(node, ast.operator | ast.cmpop) else f"{kind}s"
    )
