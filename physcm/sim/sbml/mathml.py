"""SBML's mathematics as SymPy: a walk over libsbml's syntax tree.

The tree is the same for MathML (levels 2 and 3) and for the text formulas of level 1.
Functions that the file defines are written out in place; numbers stay exact. In SBML a
condition may stand for a number (true is 1) and a number for a condition (0 is false), so
that every operation says which of the two it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import pairwise
from typing import Any

import libsbml
import sympy as sp
from sympy.logic.boolalg import Boolean

from physcm.mechanism.errors import InvalidFile, UnknownVariable, Unsupported
from physcm.mechanism.expression import TIME, cases, compared, exact, symbol
from physcm.mechanism.parser import closest

AVOGADRO = sp.Rational("6.02214179e23")
"""The value that SBML Level 3 prescribes."""


@dataclass(frozen=True)
class Scope:
    """What names mean at one place of the file.

    Attributes:
        symbols: what each identifier stands for.
        functions: the function definitions of the file, libsbml elements by identifier.
        place: where the formula stands, to begin error messages with.
        inside: the functions being written out, to notice one that calls itself.
    """

    symbols: Mapping[str, sp.Basic]
    functions: Mapping[str, Any] = field(default_factory=dict)
    place: str = "formula"
    inside: tuple[str, ...] = ()


def to_sympy(node: Any, scope: Scope) -> sp.Expr:
    """Return the number that a formula denotes.

    `rateOf(x)` becomes a symbol of that name, which the dynamics give a meaning.

    Raises:
        UnknownVariable: for a name that the file does not define.
        InvalidFile: for a formula that is not well formed.
        Unsupported: for `delay`, and functions that packages define.

    >>> to_sympy(libsbml.parseL3Formula("k*S/(0.5 + S)"), Scope({x: symbol(x) for x in "kS"}))
    S*k/(S + 1/2)
    """
    return _number(_walk(node, scope))


def to_condition(node: Any, scope: Scope) -> Boolean:
    """Return the condition that a formula denotes; a number stands for being other than 0.

    Raises:
        UnknownVariable, InvalidFile, Unsupported: as `to_sympy`.

    >>> to_condition(libsbml.parseL3Formula("S < 2"), Scope({"S": symbol("S")}))
    S < 2
    """
    return _condition(_walk(node, scope))


def rate_symbol(name: str) -> sp.Symbol:
    """Return the symbol for the rate of change of a variable."""
    return symbol(f"rateOf({name})")


def _walk(node: Any, scope: Scope) -> sp.Basic:
    kind = node.getType()
    if kind in _LEAVES:
        return _LEAVES[kind](node)
    if kind == libsbml.AST_NAME:
        return _named(node.getName(), scope)
    if kind in _REFUSED:
        raise Unsupported(
            f"{scope.place} uses `{node.getName()}`, {_REFUSED[kind]}; rewrite the model without"
        )
    arguments = [_walk(node.getChild(i), scope) for i in range(node.getNumChildren())]
    if kind == libsbml.AST_FUNCTION:
        return _called(node.getName(), arguments, scope)
    if kind == libsbml.AST_FUNCTION_RATE_OF and len(arguments) == 1:
        return _rate_of(arguments[0], scope)
    operation = _OPERATIONS.get(kind)
    if operation is None:
        raise InvalidFile(
            f"{scope.place} holds `{libsbml.formulaToL3String(node) or node.getName()}`, "
            "which is no formula of SBML; correct its <math>"
        )
    if not operation.least <= len(arguments) <= operation.most:
        raise InvalidFile(
            f"{scope.place}: the function in `{libsbml.formulaToL3String(node)}` takes "
            f"{operation.wanted} arguments, not {len(arguments)}; correct its <math>"
        )
    return operation(arguments)


def _named(name: str, scope: Scope) -> sp.Basic:
    if name not in scope.symbols:
        raise UnknownVariable(
            f"{scope.place} reads `{name}`, which the model does not define; "
            f"{closest(name, scope.symbols)}"
        )
    return scope.symbols[name]


def _rate_of(variable: sp.Basic, scope: Scope) -> sp.Expr:
    if variable == TIME or variable.is_number:
        return sp.S.One if variable == TIME else sp.S.Zero
    if not isinstance(variable, sp.Symbol):
        raise InvalidFile(
            f"{scope.place}: rateOf is asked of `{variable}`; give it the name of a variable"
        )
    return rate_symbol(variable.name)


def _called(name: str, arguments: list[sp.Basic], scope: Scope) -> sp.Basic:
    """Write out a call: the function's body, with its arguments in place of their names."""
    definition = scope.functions.get(name)
    if definition is None:
        raise UnknownVariable(
            f"{scope.place} calls `{name}`, which the model does not define; "
            f"{closest(name, scope.functions)}"
        )
    if name in scope.inside or definition.getBody() is None:
        problem = "calls itself" if name in scope.inside else "has no formula"
        raise InvalidFile(f"{scope.place}: function `{name}` {problem}; correct its <lambda>")
    names = [definition.getArgument(i).getName() for i in range(definition.getNumArguments())]
    if len(names) != len(arguments):
        raise InvalidFile(
            f"{scope.place}: the function `{name}` takes {len(names)} arguments, "
            f"not {len(arguments)}; correct the call"
        )
    inner = Scope(
        dict(zip(names, arguments, strict=True)),
        scope.functions,
        f"{scope.place}, function `{name}`",
        (*scope.inside, name),
    )
    return _walk(definition.getBody(), inner)


def _number(e: sp.Basic) -> sp.Expr:
    """Return a condition as 1 or 0, anything else as it is."""
    if isinstance(e, Boolean) and not isinstance(e, sp.Symbol):
        return _cases([sp.S.One, e, sp.S.Zero])
    return e


def _condition(e: sp.Basic) -> Boolean:
    """Return a number as the condition that it is not 0, a condition as it is."""
    if isinstance(e, Boolean) and not isinstance(e, sp.Symbol):
        return e
    return compared(sp.Ne, e, sp.S.Zero)


def _cases(arguments: list[sp.Basic]) -> sp.Expr:
    """Return value, condition, value, condition, ..., value as cases; without the last, NaN."""
    pairs = []
    for value, condition in zip(arguments[::2], map(_condition, arguments[1::2]), strict=False):
        if condition != sp.false:
            pairs.append((_number(value), condition))
    if len(arguments) % 2:
        pairs.append((_number(arguments[-1]), sp.true))
    if not pairs:
        return sp.nan
    return pairs[0][0] if pairs[0][1] == sp.true else cases(*pairs)


def _chained(relation: Callable[..., Any]) -> Callable[..., Boolean]:
    return lambda *a: sp.And(*(compared(relation, x, y) for x, y in pairwise(a)))


def _either(a: Boolean, b: Boolean) -> Boolean:
    return sp.Or(sp.And(a, sp.Not(b)), sp.And(sp.Not(a), b))


def _divided(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    if b == 0:
        return sp.nan if a == 0 or not a.is_number else sp.sign(a) * sp.oo
    return a / b


def _power(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """Return a power; of numbers, one whose digits would fill the memory is infinite or 0."""
    if a.is_Rational and b.is_Integer and a not in (0, 1, -1):
        bits = abs(sp.log(abs(a), 2).evalf()) * b
        if abs(bits) > 4096:
            return sp.S.Zero if (abs(a) > 1) == (b < 0) else sp.sign(a) ** (b % 2) * sp.oo
    return a**b


def _truncated(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """Return the quotient without its fraction, rounded towards 0."""
    ratio = _divided(a, b)
    return _cases([sp.floor(ratio), compared(sp.Ge, ratio, sp.S.Zero), sp.ceiling(ratio)])


def _root(degree: sp.Expr, a: sp.Expr) -> sp.Expr:
    return a ** _divided(sp.S.One, degree)


def _real(value: sp.Basic) -> sp.Basic:
    """Return a constant as IEEE arithmetic has it: no complex numbers, poles at infinity."""
    if isinstance(value, Boolean) or not value.is_number or value in (sp.oo, -sp.oo):
        return value
    if value.has(sp.zoo):
        return sp.oo
    return sp.nan if value.has(sp.I) or value.is_real is False else value


@dataclass(frozen=True)
class _Operation:
    """A function of SBML: what to apply, to how many arguments, each a number or a condition."""

    apply: Callable[..., sp.Basic]
    least: int = 1
    most: float = 1
    takes: Callable[[sp.Basic], sp.Basic] = _number

    def __call__(self, arguments: list[sp.Basic]) -> sp.Basic:
        return _real(self.apply(*map(self.takes, arguments)))

    @property
    def wanted(self) -> str:
        if self.least == self.most:
            return str(self.least)
        return f"{self.least} or {'more' if self.most == _MANY else self.most}"


_MANY = float("inf")
_FUNCTIONS = {
    **{name.upper(): getattr(sp, name) for name in "exp floor ceiling".split()},
    **{
        prefix.upper() + name.upper(): getattr(sp, prefix[:1] + name)
        for name in "sin cos tan sec csc cot sinh cosh tanh sech csch coth".split()
        for prefix in ("", "arc")
    },
    "ABS": sp.Abs,
    "FACTORIAL": lambda a: sp.oo if a.is_number and a > 170 else sp.factorial(a),
    "LN": lambda a: -sp.oo if a == 0 else sp.log(a),
}
_COMPARISONS = {"EQ": sp.Eq, "LT": sp.Lt, "LEQ": sp.Le, "GT": sp.Gt, "GEQ": sp.Ge}
_OPERATIONS: dict[int, _Operation] = {
    **{getattr(libsbml, f"AST_FUNCTION_{n}"): _Operation(f) for n, f in _FUNCTIONS.items()},
    **{
        getattr(libsbml, f"AST_RELATIONAL_{n}"): _Operation(_chained(f), 2, _MANY)
        for n, f in _COMPARISONS.items()
    },
    libsbml.AST_RELATIONAL_NEQ: _Operation(partial(compared, sp.Ne), 2, 2),
    libsbml.AST_LOGICAL_AND: _Operation(sp.And, 0, _MANY, _condition),
    libsbml.AST_LOGICAL_OR: _Operation(sp.Or, 0, _MANY, _condition),
    libsbml.AST_LOGICAL_NOT: _Operation(sp.Not, 1, 1, _condition),
    libsbml.AST_LOGICAL_IMPLIES: _Operation(lambda a, b: sp.Or(sp.Not(a), b), 2, 2, _condition),
    libsbml.AST_LOGICAL_XOR: _Operation(
        lambda *a: reduce(_either, a, sp.false), 0, _MANY, _condition
    ),
    libsbml.AST_PLUS: _Operation(sp.Add, 0, _MANY),
    libsbml.AST_TIMES: _Operation(sp.Mul, 0, _MANY),
    libsbml.AST_MINUS: _Operation(lambda a, *b: a - b[0] if b else -a, 1, 2),
    libsbml.AST_DIVIDE: _Operation(_divided, 2, 2),
    libsbml.AST_POWER: _Operation(_power, 2, 2),
    libsbml.AST_FUNCTION_POWER: _Operation(_power, 2, 2),
    libsbml.AST_FUNCTION_ROOT: _Operation(_root, 2, 2),
    libsbml.AST_FUNCTION_LOG: _Operation(
        lambda base, a: -sp.oo if a == 0 else sp.log(a) / sp.log(base), 2, 2
    ),
    libsbml.AST_FUNCTION_MAX: _Operation(sp.Max, 1, _MANY),
    libsbml.AST_FUNCTION_MIN: _Operation(sp.Min, 1, _MANY),
    libsbml.AST_FUNCTION_QUOTIENT: _Operation(_truncated, 2, 2),
    libsbml.AST_FUNCTION_REM: _Operation(lambda a, b: a - b * _truncated(a, b), 2, 2),
    libsbml.AST_FUNCTION_PIECEWISE: _Operation(lambda *a: _cases(list(a)), 0, _MANY, lambda e: e),
}


_LEAVES: dict[int, Callable[[Any], sp.Basic]] = {
    libsbml.AST_INTEGER: lambda node: sp.Integer(node.getInteger()),
    libsbml.AST_REAL: lambda node: exact(node.getReal()),
    libsbml.AST_REAL_E: lambda node: exact(float(f"{node.getMantissa()!r}e{node.getExponent()}")),
    libsbml.AST_RATIONAL: lambda node: sp.Rational(node.getNumerator(), node.getDenominator()),
    libsbml.AST_CONSTANT_E: lambda node: sp.E,
    libsbml.AST_CONSTANT_PI: lambda node: sp.pi,
    libsbml.AST_CONSTANT_TRUE: lambda node: sp.true,
    libsbml.AST_CONSTANT_FALSE: lambda node: sp.false,
    libsbml.AST_NAME_TIME: lambda node: TIME,
    libsbml.AST_NAME_AVOGADRO: lambda node: AVOGADRO,
}
_REFUSED = {
    libsbml.AST_FUNCTION_DELAY: "a value from the past (a delay differential equation)",
    libsbml.AST_CSYMBOL_FUNCTION: "a function that an SBML package defines",
}
