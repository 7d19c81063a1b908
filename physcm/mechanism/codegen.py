"""Code generation: from expressions to fast functions of (t, x, p).

A `Program` is a list of named definitions followed by outputs, over time t, a vector x of
variables and a vector p of parameters. Three targets share one printer:

- `scalar`: one sample, plain Python floats and `math`, for solvers that call back point by
  point. Where `math` raises (a pole, an overflow) the point is evaluated again by `vector`,
  which returns the IEEE value instead.
- `vector`: many samples at once, x of shape (variables, samples), in NumPy.
- `torch`: likewise in PyTorch, on any device, with gradients by automatic differentiation.

The Jacobian is exact: each definition and output is differentiated symbolically and the
chain rule runs through the definitions, so that nothing is substituted and blown up.
Common subexpressions are shared over values and derivatives alike. Generated source holds
only indices and numbers, never a name that a user wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.logic.boolalg import Boolean
from sympy.simplify.cse_main import tree_cse

from physcm.mechanism.expression import TIME, derivative, ordered, symbol
from physcm.mechanism.source import SCALAR, VECTOR, Printer, Target
from physcm.mechanism.tensors import TORCH, TensorFunction, stacked

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
        written: the program before its common subexpressions were shared, if they were. It is
            what is differentiated, since its expressions stay the same from one intervention
            to the next, so that their derivatives are known.

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
    written: Program | None = field(default=None, compare=False, repr=False)

    @classmethod
    def over(
        cls,
        variables: Sequence[str],
        parameters: Sequence[str],
        definitions: Mapping[str, sp.Expr],
        outputs: Sequence[sp.Expr],
    ) -> Program:
        """Return the program of some outputs, with only the definitions that they need."""
        return _shared(cls.as_written(variables, parameters, definitions, outputs))

    @classmethod
    def as_written(
        cls,
        variables: Sequence[str],
        parameters: Sequence[str],
        definitions: Mapping[str, sp.Expr],
        outputs: Sequence[sp.Expr],
    ) -> Program:
        """Return the same with subexpressions where they stand.

        To find those that occur twice takes longer than to compute them a few times.
        """
        needed = sp.Tuple(*outputs).free_symbols
        chosen: list[tuple[str, sp.Expr]] = []
        for name in reversed(ordered(definitions, "derived variables")):
            if symbol(name) in needed:
                chosen.append((name, definitions[name]))
                needed = needed | definitions[name].free_symbols
        return cls(tuple(variables), tuple(parameters), tuple(chosen[::-1]), (*outputs,))

    @cached_property
    def scalar(self) -> Callable[[float, Vector, Vector], list[float]]:
        """The outputs at one point, as a list of floats."""
        fast = generated(self, SCALAR)

        def evaluate(t: float, x: Vector, p: Vector) -> list[float]:
            x = x.tolist() if isinstance(x, np.ndarray) else x
            p = p.tolist() if isinstance(p, np.ndarray) else p
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
        fast = generated(self, VECTOR)

        def evaluate(t: float | Floats, x: Floats, p: Floats) -> Floats:
            samples = np.broadcast_shapes(np.shape(t), x.shape[1:], p.shape[1:])
            values = np.empty((len(self.outputs), *samples))
            with np.errstate(all="ignore"):
                for row, value in enumerate(fast(t, x, p)):
                    values[row] = value
            return values

        return evaluate

    @cached_property
    def torch(self) -> TensorFunction:
        """The outputs for many samples as a tensor (outputs, samples), differentiable.

        x (variables, samples) gives the floating type and the device. See
        `physcm.mechanism.tensors` for what is differentiable.

        Raises:
            Unsupported: where PyTorch is not installed, or lacks a function.

        >>> import torch
        >>> program = Program(("x",), ("k",), (), (symbol("k") * symbol("x") ** 2,))
        >>> k = torch.tensor([[3.0]], requires_grad=True)
        >>> program.torch(0.0, torch.tensor([[1.0, 2.0]]), k).sum().backward()
        >>> k.grad
        tensor([[5.]])
        """
        return stacked(generated(self, TORCH))

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
        definitions, entries = derivatives(program.written or program, program.variables)
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


def derivatives(
    program: Program, names: Sequence[str]
) -> tuple[dict[str, sp.Expr], list[tuple[int, int, sp.Expr]]]:
    """Differentiate a program by some of the names that it reads, time `t` among them if wanted.

    Returns:
        The definitions of the program and of what the chain rule needs, and the derivatives that
        do not vanish identically as (output, place of the name, expression).

    >>> x, t = symbol("x"), TIME
    >>> derivatives(Program(("x",), (), (), (x * t**2,)), ("x", "t"))[1]
    [(0, 1, 2*t*x), (0, 0, t**2)]
    """
    definitions = dict(program.definitions)
    slopes: dict[str, dict[str, sp.Expr]] = {name: {name: sp.S.One} for name in names}
    for name, expression in program.definitions:
        slopes[name] = {}
        for variable, slope in _slopes(expression, slopes).items():
            label = f"d({name})/d({variable})"
            definitions[label] = slope
            slopes[name][variable] = slope if slope.is_number else symbol(label)
    index = {name: i for i, name in enumerate(names)}
    entries = [
        (row, index[variable], slope)
        for row, output in enumerate(program.outputs)
        for variable, slope in _slopes(output, slopes).items()
    ]
    return definitions, entries


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


@lru_cache(maxsize=2048)
def _shared(program: Program) -> Program:
    """Give every subexpression that occurs twice a definition of its own, but no condition.

    The same program always comes back as the same object, with all that was made of it: holding
    a variable at another value changes a parameter only.
    """
    names, expressions = zip(*program.definitions, strict=True) if program.definitions else ((), ())
    taken = [symbol(name) for name in names]
    marks = sp.numbered_symbols("_c", exclude=taken, real=True)
    common, reduced = tree_cse([*expressions, *program.outputs], marks, order="none")
    conditions: dict[sp.Symbol, Boolean] = {}
    definitions: dict[str, sp.Expr] = {}
    for mark, expression in common:
        whole = expression.xreplace(conditions)
        if isinstance(whole, Boolean):
            conditions[mark] = whole
        else:
            definitions[mark.name] = whole
    reduced = [expression.xreplace(conditions) for expression in reduced]
    definitions |= dict(zip(names, reduced, strict=False))
    order = ordered(definitions, "derived variables")
    return Program(
        program.variables,
        program.parameters,
        tuple((name, definitions[name]) for name in order),
        tuple(reduced[len(names) :]),
        written=program,
    )


@lru_cache(maxsize=512)
def generated(program: Program, target: Target) -> Callable[..., Any]:
    """Generate and compile `f(t, x, p)`, which returns the list of outputs."""
    printer = Printer(target)
    printer.local[TIME] = "t"
    lines = ["def f(t, x, p):"]
    for vector, names in (("x", program.variables), ("p", program.parameters)):
        used = [f"{vector}{i}" for i in range(len(names))]
        printer.local |= dict(zip(map(symbol, names), used, strict=True))
        if used:
            lines.append(f"    {', '.join(used)}, = {vector}")
    for i, (name, expression) in enumerate(program.definitions):
        lines.append(f"    d{i} = {printer.text(expression)}")
        printer.local[symbol(name)] = f"d{i}"
        printer.definitions[symbol(name)] = expression
    lines.append(f"    return [{', '.join(printer.text(o) for o in program.outputs)}]")
    space = {**target.functions, **printer.opaque}
    exec(compile("\n".join(lines), "<generated by physcm>", "exec"), space)  # noqa: S102
    return space["f"]  # type: ignore[no-any-return]
