"""Which effects cancel exactly, so that the structure of the equations promises too much.

Where 0 = r(X, theta), dX/dtheta = -(dr/dX)^-1 dr/dtheta. The causal ordering tells which entries
vanish because of where variables occur. Others vanish because of what the equations are: in
S E = a, S E = b + C the product S E cancels, and with it every effect of what sets S or E on C.

Entries are computed at a generic solution, in exact arithmetic modulo a large prime. Clusters that
are linear in their variables are solved for them. In others variables are taken at random, and
each equation is solved for a name of which it is a quotient of linear functions, such as a rate by
a Michaelis constant: a variable that has no value yet, or else an input that no other equation
reads. Inputs are generic too (exponents aside), for at special
values, such as 0, the solutions may fall into branches. An equation without such a
name stays unsolved; what vanishes even so vanishes at solutions too. If dr/dX is singular, the
equations do not determine their variables although each could have one of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial

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
        blocks = tuple(blocks)
        self.residuals, self.inputs = reduced.residuals, tuple(inputs)
        self.equations = tuple(f for equations, _ in blocks for f in equations)
        self.variables = tuple(v for _, variables in blocks for v in variables)
        self.reads = {f: names_in(reduced.residuals[f]) for f in self.equations}
        count = Counter(name for reads in self.reads.values() for name in reads)
        self.own = [name for name in self.inputs if count[name] == 1]
        powers = (one for r in reduced.residuals.values() for one in r.atoms(sp.Pow))
        exponents = frozenset().union(*(one.exp.free_symbols for one in powers))
        self.known = {s: v for s, v in reduced.source.known.items() if s in exponents}
        self.values, self.valued = Values(1, 1, ()), frozenset[str]()
        for equations, variables in blocks:
            if not self._solve_together(equations, variables):
                for f in sorted(equations, key=lambda f: not self.reads[f].isdisjoint(self.own)):
                    self._solve(f)

    def is_singular(self, equations: Sequence[str], variables: Sequence[str]) -> bool:
        """Say whether equations fail to determine as many variables."""
        table = [self._slopes(f, variables) for f in equations]
        return reduce_rows(table, range(len(variables))) < len(variables)

    def value(self, expression: sp.Expr) -> int:
        """Return the value of an expression at the solution, modulo the prime."""
        return int(self.values.of(expression.xreplace(self.known)))

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
        residual = self.residuals[equation]
        return [self.value(derivative(residual, symbol(name))) for name in names]

    def _solve_together(self, equations: Sequence[str], variables: Sequence[str]) -> bool:
        """Give variables the values that solve equations, if these are linear in them."""
        unknowns = dict.fromkeys(map(symbol, variables), sp.S.Zero)
        table = []
        for f in equations:
            residual = self.residuals[f]
            slopes = [derivative(residual, x) for x in unknowns]
            if any(not unknowns.keys().isdisjoint(slope.free_symbols) for slope in slopes):
                return False
            rest = self.value(residual.xreplace(unknowns))
            table.append([*map(self.value, slopes), -rest % PRIME])
        if reduce_rows(table, range(len(variables))) < len(variables):
            return False
        self.values.known |= {x: row[-1] for x, row in zip(unknowns, table, strict=True)}
        self.valued |= {*variables}
        return True

    def _solve(self, equation: str) -> None:
        """Give a name the value with which an equation holds."""
        residual = self.residuals[equation]
        for name in self._open(equation):
            root = _root(partial(self._tried, residual, symbol(name)))
            if root is not None:
                self.values.known = {**self._given, symbol(name): root}
                self.known.pop(symbol(name), None)
                break
        self.valued |= self.reads[equation]

    @property
    def _given(self) -> dict[sp.Basic, int]:
        """The values of names, without those of expressions that follow from them."""
        return {s: value for s, value in self.values.known.items() if s.is_Symbol}

    def _tried(self, residual: sp.Expr, x: sp.Symbol, at: int) -> int:
        """Return the value of a residual with some value of a name."""
        values = Values(1, 1, ())
        values.known = {**self._given, x: at}
        return int(values.of(residual.xreplace({s: v for s, v in self.known.items() if s != x})))

    def _open(self, equation: str) -> list[str]:
        """Return the names that an equation can be solved for: variables, then own inputs."""
        reads = self.reads[equation]
        variables = [v for v in self.variables if v in reads - self.valued]
        return [*variables, *(name for name in self.own if name in reads)]


def _root(function: Callable[[int], int]) -> int | None:
    """Return the root of a quotient of two linear functions, modulo the prime; None for others.

    With y = x - 1, (a + b y)/(1 + d y) is known from its values at y = 0, 1 and 2; at x = 0 what
    divides by x has none.

    >>> _root(lambda x: (x - 5) * pow(3 + 2 * x, -1, PRIME) % PRIME)
    5
    >>> _root(lambda x: (x - 5) ** 2 % PRIME)
    """
    a, one, two = (function(x) for x in (1, 2, 3))
    twist = 2 * (two - one) % PRIME
    d = (2 * one - a - two) * pow(twist, -1, PRIME) if twist else 0
    b = (one * (1 + d) - a) % PRIME
    if not b:
        return None
    x = (1 - a * pow(b, -1, PRIME)) % PRIME
    return x if function(x) == 0 else None
