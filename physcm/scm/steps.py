"""Steps: floor, ceiling and sign, which are constant but for their jumps.

With every step frozen at its value the rest of an equation is smooth, and a solution of that is
one of the equation if the steps keep their values there. What comes close to a jump from the
side on which the equation is not met is none: x = floor(x) + 1 has no solution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.expression import symbol
from physcm.mechanism.linearization import EPSILON, Flags
from physcm.mechanism.magnitude import size_of_terms

Ints = NDArray[np.int64]
_KINDS = {sp.floor: np.floor, sp.ceiling: np.ceil, sp.sign: np.sign}
_ROUNDING = 64 * EPSILON


@dataclass(frozen=True)
class Steps:
    """The steps in some expressions that read unknowns.

    Attributes:
        steps: each of them.
        arguments: what they are steps of, over the unknowns and known values.
        sizes: the sizes of the terms of that.
    """

    steps: tuple[sp.Expr, ...]
    arguments: Program
    sizes: Program

    @classmethod
    def of(
        cls, expressions: Sequence[sp.Expr], unknowns: tuple[str, ...], known: tuple[str, ...]
    ) -> Steps:
        """Return the steps in expressions."""
        reading = set(map(symbol, unknowns))
        found = _with_floors(expressions).atoms(*_KINDS)
        own = {step for step in found if not step.free_symbols.isdisjoint(reading)}
        steps = tuple(sorted(own, key=sp.default_sort_key))
        arguments = tuple(step.args[0] for step in steps)
        return cls(
            steps,
            Program.over(unknowns, known, {}, arguments),
            Program.over(unknowns, known, {}, tuple(map(size_of_terms, arguments))),
        )

    def frozen(self, expressions: Sequence[sp.Expr]) -> tuple[tuple[sp.Expr, ...], list[str]]:
        """Return expressions with a name in place of each step, and these names.

        >>> x = sp.Symbol("x", real=True)
        >>> floors = [x - sp.floor(x / 2) - 1]
        >>> Steps.of(floors, ("x",), ()).frozen(floors)
        ((-step(0) + x - 1,), ['step(0)'])
        """
        names = [f"step({i})" for i in range(len(self.steps))]
        marks = dict(zip(self.steps, map(symbol, names), strict=True))
        return tuple(_with_floors(expressions).xreplace(marks)), names

    def tried(self, x: Floats, column: Ints, p: Floats) -> tuple[Floats, Ints, Floats]:
        """Return points, their columns and the values at which to freeze the steps there.

        Where there are steps each point is tried with those that they have, and with those on
        the next tread below and above, since a grid may miss some treads.
        """
        values = self._values(self.arguments.vector(0.0, x, p[:, column]))
        if not self.steps:
            return x, column, values
        treads = np.tile([0, -1, 1], column.size)
        x, values = np.repeat(x, 3, axis=1), np.repeat(values, 3, axis=1) + treads
        return x, np.repeat(column, 3), values

    def stay(self, values: Floats, x: Floats, p: Floats) -> Flags:
        """Say at which points the steps have given values, up to rounding of what they step by."""
        given = self.arguments.vector(0.0, x, p)
        with np.errstate(invalid="ignore"):
            whole = np.round(given)
            near = np.abs(given - whole) <= _ROUNDING * self.sizes.vector(0.0, x, p)
        return np.asarray((self._values(np.where(near, whole, given)) == values).all(axis=0))

    def _values(self, arguments: Floats) -> Floats:
        rows = zip(self.steps, arguments, strict=True)
        return np.array([_KINDS[step.func](row) for step, row in rows]).reshape(arguments.shape)


def _with_floors(expressions: Sequence[sp.Expr]) -> sp.Tuple:
    """Return expressions in which x mod y is written by a floor."""
    return sp.Tuple(*expressions).replace(sp.Mod, lambda a, b: a - b * sp.floor(a / b))
