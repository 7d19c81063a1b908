"""Equilibrium equations F(x, p) = 0 as functions of u = (x, p), smooth piece by smooth piece.

Mechanisms with min, max, |x| or cases are smooth on each side of the boundaries g(u) = 0 at
which a case is decided. On its own side each piece is a smooth function that goes on beyond the
boundary, so that a curve of equilibria can be followed up to the boundary and past it, and where
it crosses can be located like any other zero. On the other side the next piece takes over
(di Bernardo, Budd, Champneys & Kowalczyk, Piecewise-smooth Dynamical Systems, Springer 2008).

All derivatives are exact: the Jacobian is a program, and so has a Jacobian of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.core.relational import Relational

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.expression import with_plain_cases
from physcm.mechanism.magnitude import size_of_terms
from physcm.sim.bifurcation.sweep import Sweep

Places: TypeAlias = NDArray[np.int64]
Sides: TypeAlias = tuple[bool, ...]
"""For each boundary whether g > 0."""

_DECIDED = 1e-9


@dataclass(frozen=True, eq=False)
class Piece:
    """The equations on one side of every boundary.

    Attributes:
        program: F over (states, swept parameter).
        sizes: the sizes of the terms of F.
        boundaries: the functions g, and behind them the sizes of their terms.
        given: the other numbers, shape (given, 1).
        sides: on which side of each boundary the piece lies.
    """

    program: Program
    sizes: Program
    boundaries: Program
    given: Floats
    sides: Sides

    def residual(self, u: Floats) -> Floats:
        """Return F(u), shape (equations,)."""
        return np.array(self.program.scalar(0.0, u, self.given[:, 0]))

    def jacobian(self, u: Floats) -> Floats:
        """Return dF/du, shape (equations, equations + 1)."""
        return self.program.jacobian.dense(0.0, u, self.given[:, 0])

    def size(self, u: Floats) -> Floats:
        """Return the sizes of the terms of F, shape (equations,)."""
        return np.array(self.sizes.scalar(0.0, u, self.given[:, 0]))

    def beyond(self, u: Floats) -> NDArray[np.bool_]:
        """Say of which boundaries a point lies decidedly on the other side."""
        g, size = self.boundary(u)
        return np.asarray((np.abs(g) > _DECIDED * size) & ((g > 0) != np.array(self.sides, bool)))

    def boundary(self, u: Floats) -> tuple[Floats, Floats]:
        """Return the boundary functions at a point, and the sizes of their terms."""
        g, size = self.boundaries.vector(0.0, u[:, np.newaxis], self.given)[:, 0].reshape(2, -1)
        return g, size

    def gradient(self, which: int, u: Floats) -> Floats:
        """Return dg/du of one boundary."""
        return np.asarray(self.boundaries.jacobian.dense(0.0, u, self.given[:, 0])[which])

    def derivative(self, u: Floats, *along: NDArray[Any]) -> NDArray[Any]:
        """Return the derivative of F along as many directions, D^k F(u)[a, b, ...]."""
        program, rows, columns = self._tensor(len(along))
        terms = np.array(program.scalar(0.0, u, self.given[:, 0]))
        for direction, column in zip(along, columns, strict=True):
            terms = terms * direction[column]
        out = np.zeros(len(self.program.outputs), terms.dtype)
        np.add.at(out, rows, terms)
        return out

    def curvature(self, u: Floats, weights: Floats) -> Floats:
        """Return the second derivatives of weights . F, shape (equations + 1, equations + 1)."""
        program, rows, (j, k) = self._tensor(2)
        out = np.zeros((len(u), len(u)))
        np.add.at(out, (j, k), weights[rows] * np.array(program.scalar(0.0, u, self.given[:, 0])))
        return out

    def _tensor(self, order: int) -> tuple[Program, Places, list[Places]]:
        """Return the entries of a derivative that do not vanish identically, and their places."""
        program, columns = self.program, list[Places]()
        rows = np.arange(len(program.outputs))
        for _ in range(order):
            jacobian = program.jacobian
            entry = np.array(jacobian.rows, dtype=np.int64)
            rows, columns = rows[entry], [column[entry] for column in columns]
            columns.append(np.array(jacobian.columns, dtype=np.int64))
            program = jacobian.program
        return program, rows, columns


class Pieces:
    """All pieces of the equilibrium equations of a sweep."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        derived = {**sweep.system.derived, **sweep.computed}
        self.definitions = {name: _in_cases(e) for name, e in derived.items()}
        self.left_sides = tuple(map(_in_cases, sweep.left_sides))
        decided: dict[sp.Expr, None] = {}
        for expression in (*self.definitions.values(), *self.left_sides):
            for relation in sorted(expression.atoms(*_INEQUALITIES), key=sp.default_sort_key):
                decided[_boundary(relation)[0]] = None
        self.boundaries = tuple(decided)
        self._known: dict[Sides, Piece] = {}

    def at(self, u: Floats) -> Piece:
        """Return the piece that a point lies in; on a boundary, the one with g <= 0.

        A boundary may read what others decide, so that sides are settled over and over.
        """
        sides: Sides = (False,) * len(self.boundaries)
        for _ in range(len(self.boundaries) + 1):
            piece = self.piece(sides)
            g, size = piece.boundary(u)
            found = tuple((g > _DECIDED * size).tolist())
            if found == sides:
                break
            sides = found
        return piece

    def piece(self, sides: Sides) -> Piece:
        """Return the piece on given sides of the boundaries."""
        if sides not in self._known:
            self._known[sides] = self._made(sides)
        return self._known[sides]

    def _made(self, sides: Sides) -> Piece:
        positive = dict(zip(self.boundaries, sides, strict=True))
        names = (*self.sweep.system.states, self.sweep.name), tuple(self.sweep.given)
        definitions = {name: _decided(e, positive) for name, e in self.definitions.items()}
        left = tuple(_decided(e, positive) for e in self.left_sides)
        g = tuple(_decided(e, positive) for e in self.boundaries)
        sizes = tuple(map(size_of_terms, g))
        return Piece(
            Program.over(*names, definitions, left),
            Program.over(*names, definitions, tuple(map(size_of_terms, left))),
            Program.over(*names, definitions, (*g, *sizes)),
            self.sweep.column,
            sides,
        )


_INEQUALITIES = (sp.Gt, sp.Ge, sp.Lt, sp.Le)


def _in_cases(expression: sp.Expr) -> sp.Expr:
    """Return an expression with min, max, |x| and sign(x) written as cases."""
    for kind in (sp.Max, sp.Min, sp.Abs, sp.sign):
        if expression.has(kind):
            expression = expression.replace(kind, lambda *a, f=kind: f(*a).rewrite(sp.Piecewise))
    return with_plain_cases(expression)


def _boundary(relation: Relational) -> tuple[sp.Expr, bool]:
    """Return the function g of an inequality, and whether this holds where g > 0."""
    g = relation.lhs - relation.rhs
    holds_above = isinstance(relation, sp.Gt | sp.Ge)
    return (-g, not holds_above) if g.could_extract_minus_sign() else (g, holds_above)


def _decided(expression: sp.Expr, positive: dict[sp.Expr, bool]) -> sp.Expr:
    """Return an expression with its inequalities decided by the sides of their boundaries."""
    relations = sorted(expression.atoms(*_INEQUALITIES), key=sp.default_sort_key)
    verdicts = {}
    for relation in relations:
        g, holds_above = _boundary(relation)
        verdicts[relation] = sp.true if positive[g] == holds_above else sp.false
    return expression.xreplace(verdicts)
