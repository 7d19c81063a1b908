"""Code generation: from expressions to fast functions of (t, x, p).

A `Program` is a list of named definitions followed by outputs, over time t, a vector x of
variables and a vector p of parameters. Two targets share one printer:

- `scalar`: one sample, plain Python floats and `math`, for solvers that call back point by
  point. Where `math` raises (a pole, an overflow) the point is evaluated again by `vector`,
  which returns the IEEE value instead.
- `vector`: many samples at once, x of shape (variables, samples), in NumPy.

The Jacobian is exact: each definition and output is differentiated symbolically and the
chain rule runs through the definitions, so that nothing is substituted and blown up.
Common subexpressions are shared over values and derivatives alike. Generated source holds
only indices and numbers, never a name that a user wrote.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy import special
from sympy.core.relational import Relational
from sympy.simplify.cse_main import tree_cse

from physcm.mechanism.errors import Unsupported
from physcm.mechanism.expression import TIME, derivative, ordered, symbol

Floats = NDArray[np.float64]
Vector = Sequence[float] | Floats


@dataclass(frozen=True)
class Program:
    """Outputs as functions of time, variables and parameters, through named definitions.

    Attributes:
        variables: the names that make up x.
        parameters: the names that make up p.
        definitions: (name, expression) pairs in an order in which each reads only earlier ones.
        outputs: the expressions to compute.

    >>> x, k, v = map(symbol, "xkv")
    >>> program = Program(("x",), ("k",), (("v", k * x),), (v**2, -v))
    >>> program.scalar(0.0, [2.0], [3.0])
    [36.0, -6.0]
    >>> program.vector(0.0, np.array([[1.0, 2.0]]), np.array([[3.0, 3.0]])).tolist()
    [[9.0, 36.0], [-3.0, -6.0]]
    >>> program.jacobian.dense(0.0, [2.0], [3.0]).tolist()
    [[36.0], [-3.0]]
    """

    variables: tuple[str, ...]
    parameters: tuple[str, ...]
    definitions: tuple[tuple[str, sp.Expr], ...]
    outputs: tuple[sp.Expr, ...]

    @classmethod
    def over(
        cls,
        variables: Sequence[str],
        parameters: Sequence[str],
        definitions: Mapping[str, sp.Expr],
        outputs: Sequence[sp.Expr],
    ) -> Program:
        """Return the program of some outputs, with only the definitions that they need."""
        needed = sp.Tuple(*outputs).free_symbols
        chosen: list[tuple[str, sp.Expr]] = []
        for name in reversed(ordered(definitions, "derived variables")):
            if symbol(name) in needed:
                chosen.append((name, definitions[name]))
                needed = needed | definitions[name].free_symbols
        return _shared(cls(tuple(variables), tuple(parameters), tuple(chosen[::-1]), (*outputs,)))

    @cached_property
    def scalar(self) -> Callable[[float, Vector, Vector], list[float]]:
        """The outputs at one point, as a list of floats."""
        fast = _compile(self, _SCALAR)

        def evaluate(t: float, x: Vector, p: Vector) -> list[float]:
            x, p = (v.tolist() if isinstance(v, np.ndarray) else v for v in (x, p))
            try:
                values: list[float] = fast(t, x, p)
                return values
            except (ValueError, ZeroDivisionError, OverflowError):
                columns = (np.asarray(v, float)[:, np.newaxis] for v in (x, p))
                point: list[float] = self.vector(t, *columns)[:, 0].tolist()
                return point

        return evaluate

    @cached_property
    def vector(self) -> Callable[[float | Floats, Floats, Floats], Floats]:
        """The outputs for many samples, of shape (outputs, samples)."""
        fast = _compile(self, _VECTOR)

        def evaluate(t: float | Floats, x: Floats, p: Floats) -> Floats:
            samples = np.broadcast_shapes(np.shape(t), *(v.shape[1:] for v in (x, p) if len(v)))
            values = np.empty((len(self.outputs), *(samples or (1,))))
            with np.errstate(all="ignore"):
                for row, value in enumerate(fast(t, x, p)):
                    values[row] = value
            return values

        return evaluate

    @cached_property
    def jacobian(self) -> Jacobian:
        """The exact derivatives of the outputs with respect to the variables."""
        return Jacobian.of(self)


@dataclass(frozen=True)
class Jacobian:
    """The derivatives that do not vanish identically, and where they stand.

    Attributes:
        rows: the output of each entry.
        columns: the variable of each entry.
        program: computes the entries.
        shape: the number of outputs and of variables.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    program: Program
    shape: tuple[int, int]

    @classmethod
    def of(cls, program: Program) -> Jacobian:
        """Differentiate a program by the chain rule through its definitions."""
        definitions = dict(program.definitions)
        slopes: dict[str, dict[str, sp.Expr]] = {v: {v: sp.S.One} for v in program.variables}
        for name, expression in program.definitions:
            slopes[name] = {}
            for variable, slope in _slopes(expression, slopes).items():
                label = f"d({name})/d({variable})"
                definitions[label] = slope
                slopes[name][variable] = slope if slope.is_number else symbol(label)
        index = {v: i for i, v in enumerate(program.variables)}
        entries = [
            (row, index[variable], slope)
            for row, output in enumerate(program.outputs)
            for variable, slope in _slopes(output, slopes).items()
        ]
        rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
        return cls(
            rows,
            columns,
            Program.over(program.variables, program.parameters, definitions, values),
            (len(program.outputs), len(program.variables)),
        )

    def dense(self, t: float, x: Vector, p: Vector) -> Floats:
        """Return the matrix (outputs, variables) at one point."""
        matrix = np.zeros(self.shape)
        matrix[self.rows, self.columns] = self.program.scalar(t, x, p)
        return matrix

    def batch(self, t: float | Floats, x: Floats, p: Floats) -> Floats:
        """Return the matrices (samples, outputs, variables) of many samples."""
        values = self.program.vector(t, x, p)
        matrices = np.zeros((values.shape[1], *self.shape))
        matrices[:, self.rows, self.columns] = values.T
        return matrices


def _slopes(expression: sp.Expr, known: Mapping[str, Mapping[str, sp.Expr]]) -> dict[str, sp.Expr]:
    """Differentiate an expression of names whose own slopes are known."""
    terms: dict[str, list[sp.Expr]] = {}
    for read in sorted(expression.free_symbols, key=lambda s: str(s.name)):
        inner = known.get(read.name)
        outer = derivative(expression, read) if inner else sp.S.Zero
        if inner and outer != 0:
            for variable, slope in inner.items():
                terms.setdefault(variable, []).append(outer * slope)
    sums = {variable: sp.Add(*parts) for variable, parts in terms.items()}
    return {variable: total for variable, total in sums.items() if total != 0}


def _shared(program: Program) -> Program:
    """Give every subexpression that occurs twice a definition of its own."""
    names, expressions = zip(*program.definitions, strict=True) if program.definitions else ((), ())
    taken = [symbol(name) for name in names]
    marks = sp.numbered_symbols("_c", exclude=taken, real=True)
    common, reduced = tree_cse([*expressions, *program.outputs], marks, order="none")
    definitions = {mark.name: expression for mark, expression in common}
    definitions |= dict(zip(names, reduced, strict=False))
    order = ordered(definitions, "derived variables")
    return Program(
        program.variables,
        program.parameters,
        tuple((name, definitions[name]) for name in order),
        tuple(reduced[len(names) :]),
    )


@lru_cache(maxsize=512)
def _compile(program: Program, target: _Target) -> Callable[..., Any]:
    """Generate and compile `f(t, x, p)`, which returns the list of outputs."""
    local = {TIME: "t"}
    lines = ["def f(t, x, p):"]
    for vector, names in (("x", program.variables), ("p", program.parameters)):
        used = [f"{vector}{i}" for i in range(len(names))]
        local |= dict(zip(map(symbol, names), used, strict=True))
        if used:
            lines.append(f"    {', '.join(used)}, = {vector}")
    printer = _Printer(local, target)
    for i, (name, expression) in enumerate(program.definitions):
        lines.append(f"    d{i} = {printer.text(expression)}")
        local[symbol(name)] = f"d{i}"
    lines.append(f"    return [{', '.join(printer.text(o) for o in program.outputs)}]")
    space = dict(target.functions)
    exec(compile("\n".join(lines), "<generated by physcm>", "exec"), space)  # noqa: S102
    return space["f"]  # type: ignore[no-any-return]


class _Target:
    """The spelling of functions, powers and cases in one target language."""

    def __init__(self, functions: Mapping[str, Any], cases: str, words: Mapping[str, str]) -> None:
        self.functions, self.cases, self.words = functions, cases, words


def _real_power(base: float, exponent: float) -> float:
    """Power in the reals: a negative base to a fractional exponent has no value."""
    return math.nan if base < 0 and exponent != int(exponent) else base**exponent


_NAMES = "sqrt exp log sin cos tan sinh cosh tanh floor atan2".split()
_INVERSES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
_INVERSES |= {"asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"}

_SCALAR = _Target(
    {name: getattr(math, name) for name in (*_NAMES, *_INVERSES)}
    | {
        "ceiling": math.ceil,
        "Abs": abs,
        "sign": lambda x: (x > 0) - (x < 0),
        "minimum": min,
        "maximum": max,
        "power": _real_power,
        "Mod": lambda a, b: a % b,
        "gamma": lambda x: float(special.gamma(x)),
        "polygamma": lambda n, x: float(special.polygamma(int(n), x)),
        "nan": math.nan,
        "inf": math.inf,
    },
    "({value} if {condition} else {otherwise})",
    {"and": "({} and {})", "or": "({} or {})", "not": "(not {})"},
)
_VECTOR = _Target(
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
        "gamma": special.gamma,
        "polygamma": lambda n, x: special.polygamma(int(n), x),
        "where": np.where,
        "logical_and": np.logical_and,
        "logical_or": np.logical_or,
        "logical_not": np.logical_not,
        "nan": np.nan,
        "inf": np.inf,
    },
    "where({condition}, {value}, {otherwise})",
    {"and": "logical_and({}, {})", "or": "logical_or({}, {})", "not": "logical_not({})"},
)
_REWRITTEN = {
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


class _Printer:
    """Expressions as Python source, with every symbol replaced by a local name."""

    def __init__(self, local: Mapping[sp.Symbol, str], target: _Target) -> None:
        self.local, self.target = local, target

    def text(self, e: sp.Basic) -> str:
        if isinstance(e, sp.Symbol):
            return self.local[e]
        if e.is_Number or isinstance(e, sp.NumberSymbol):
            return self.number(e)
        if isinstance(e, sp.Add):
            return f"({' + '.join(self.text(a) for a in e.args)})"
        if isinstance(e, sp.Mul):
            return self.product(e)
        if isinstance(e, sp.Pow):
            return self.power(*e.args)
        return self.special(e)

    def number(self, e: sp.Basic) -> str:
        try:
            value = float(e)
        except OverflowError:
            value = math.copysign(math.inf, e)
        return f"({value!r})" if value < 0 else repr(value)

    def product(self, e: sp.Mul) -> str:
        above, below = [], []
        for factor in e.args:
            base, exponent = factor.as_base_exp() if factor.is_Pow else (factor, sp.S.One)
            if exponent.is_Number and exponent.is_negative:
                below.append(self.power(base, -exponent))
            else:
                above.append(self.text(factor))
        top = "*".join(above) or "1.0"
        return f"({top}/({'*'.join(below)}))" if below else f"({top})"

    def power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        if exponent == 1:
            return self.text(base)
        if base is sp.E:
            return f"exp({self.text(exponent)})"
        if exponent == sp.Rational(1, 2):
            return f"sqrt({self.text(base)})"
        if exponent.is_Number and exponent.is_negative:
            return f"(1.0/{self.power(base, -exponent)})"
        if isinstance(exponent, sp.Integer) and exponent <= 3:
            return f"({'*'.join([self.text(base)] * int(exponent))})"
        if isinstance(exponent, sp.Integer):
            return f"({self.text(base)}**{int(exponent)})"
        return f"power({self.text(base)}, {self.text(exponent)})"

    def special(self, e: sp.Basic) -> str:
        words = self.target.words
        if isinstance(e, sp.Piecewise):
            return self.cases(e)
        if isinstance(e, Relational):
            return f"({self.text(e.lhs)} {e.rel_op} {self.text(e.rhs)})"
        if isinstance(e, sp.And | sp.Or):
            return self.folded(e.args, words["and" if isinstance(e, sp.And) else "or"])
        if isinstance(e, sp.Not):
            return words["not"].format(self.text(e.args[0]))
        if isinstance(e, sp.Max | sp.Min):
            name = "maximum" if isinstance(e, sp.Max) else "minimum"
            return self.folded(e.args, name + "({}, {})")
        if e in (sp.true, sp.false):
            return str(bool(e))
        if type(e) in _REWRITTEN:
            return self.text(_REWRITTEN[type(e)](*e.args))
        name = type(e).__name__
        if e.is_Function and name in self.target.functions:
            return f"{name}({', '.join(self.text(a) for a in e.args)})"
        raise Unsupported(
            f"no code can be generated for `{e}`: the function `{name}` is not known; "
            "write it through exp, log, powers and where"
        )

    def cases(self, e: sp.Piecewise) -> str:
        text = "nan"
        for value, condition in reversed(e.args):
            if condition == sp.true:
                text = self.text(value)
            else:
                parts = {"condition": self.text(condition), "value": self.text(value)}
                text = self.target.cases.format(otherwise=text, **parts)
        return text

    def folded(self, arguments: Sequence[sp.Basic], pattern: str) -> str:
        text = self.text(arguments[0])
        for argument in arguments[1:]:
            text = pattern.format(text, self.text(argument))
        return text
