"""Which effects cancel exactly, so that the structure of the equations promises too much.

Where 0 = r(X, theta), dX/dtheta = -(dr/dX)^-1 dr/dtheta. The causal ordering tells which entries
vanish because of where variables occur. Others vanish because of what the equations are: in
S E = a, S E = b + C the product S E cancels, and with it every effect of what sets S or E on C.
Entries are computed in exact arithmetic modulo a large prime at a generic solution, as far as
clusters are linear in their variables and can be solved, and else at a generic point. If dr/dX is
singular there, the equations do not determine their variables although each could have one of
its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sympy as sp

from physcm.abstraction.ordering.reduction import Reduced
from physcm.mechanism.expression import derivative, names_in, symbol
from physcm.sim.modular import PRIME, Values, reduce_rows

Block = tuple[Sequence[str], Sequence[str]]
"""Equations, and as many variables."""


class Responses:
    """The responses of all variables to all equations and inputs, at a generic solution.

    Args:
        reduced: the equations.
        blocks: clusters, causes before effects.
        inputs: what the equations read besides variables.
    """

    def __init__(self, reduced: Reduced, blocks: Iterable[Block], inputs: Sequence[str]) -> None:
        self.reduced, self.inputs, self.blocks = reduced, tuple(inputs), tuple(blocks)
        self.equations = tuple(f for equations, _ in self.blocks for f in equations)
        self.variables = tuple(v for _, variables in self.blocks for v in variables)
        self.values = Values(1, 1, ())
        for equations, variables in self.blocks:
            self._solve(equations, variables)

    def is_singular(self, equations: Sequence[str], variables: Sequence[str]) -> bool:
        """Say whether equations fail to determine as many variables."""
        table = [self._slopes(f, variables) for f in equations]
        return reduce_rows(table, range(len(variables))) < len(variables)

    def drives(self, name: str, equation: str) -> bool:
        """Say whether a change of an input disturbs an equation that is solved."""
        return any(self._slopes(equation, [name]))

    def vanishing(self) -> set[tuple[str, str]]:
        """Return the (equation or input, variable) pairs between which there is no effect."""
        table = [
            [
                *self._slopes(f, self.variables),
                *(int(f == g) for g in self.equations),
                *self._slopes(f, self.inputs),
            ]
            for f in self.equations
        ]
        size = len(self.variables)
        if reduce_rows(table, range(size)) < size:
            return set()
        return {
            (cause, variable)
            for variable, row in zip(self.variables, table, strict=True)
            for cause, entry in zip((*self.equations, *self.inputs), row[size:], strict=True)
            if entry == 0
        }

    def _slopes(self, equation: str, names: Sequence[str]) -> list[int]:
        residual = self.reduced.residuals[equation]
        return [self._value(derivative(residual, symbol(name))) for name in names]

    def _value(self, expression: sp.Expr) -> int:
        return int(self.values.of(expression.xreplace(self.reduced.source.known)))

    def _solve(self, equations: Sequence[str], variables: Sequence[str]) -> None:
        """Give variables the values that solve their equations, if these are linear in them."""
        at_zero = dict.fromkeys(map(symbol, variables), sp.S.Zero)
        table = []
        for f in equations:
            residual = self.reduced.residuals[f]
            slopes = [derivative(residual, x) for x in at_zero]
            if any(not names_in(slope).isdisjoint(variables) for slope in slopes):
                return
            rest = residual.xreplace(at_zero)
            table.append([*map(self._value, slopes), -self._value(rest) % PRIME])
        if reduce_rows(table, range(len(variables))) == len(variables):
            self.values.known |= {
                symbol(name): row[-1] for name, row in zip(variables, table, strict=True)
            }
