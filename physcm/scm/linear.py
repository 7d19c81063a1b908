"""Blocks whose equations are linear in their unknowns: A x + c = 0, one system per column.

A and c depend on known values only. The matrix is equilibrated (rows, then columns, brought
to largest entry 1), which makes amounts of 1e-16 and 1e3 equals, and its rank is tested: a
singular system has no solution, or infinitely many if c lies in the range of A (Golub & Van
Loan, Matrix Computations, 4th ed., sections 3.5.2 and 5.5).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.expression import symbol
from physcm.mechanism.linearization import EPSILON, Flags
from physcm.mechanism.magnitude import size_of_terms
from physcm.scm.block import Answer, Block, confined

Form = tuple[dict[sp.Symbol, sp.Expr], sp.Expr]
_CHUNK = 2**22


def linear_form(expression: sp.Expr, unknowns: Collection[sp.Symbol]) -> Form | None:
    """Return coefficients a_j and constant c of sum_j a_j x_j + c, or None if it is not linear.

    Only what is written as a sum of products is recognized; nothing is expanded.

    >>> x, y, k = sp.symbols("x y k", real=True)
    >>> linear_form(k * (x - 2 * y) + 3, {x, y})
    ({x: k, y: -2*k}, 3)
    >>> linear_form(x * y, {x, y}) is None
    True
    """
    coefficients: dict[sp.Symbol, list[sp.Expr]] = {}
    constants: list[sp.Expr] = []
    for term in sp.Add.make_args(expression):
        if term in unknowns:
            coefficients.setdefault(term, []).append(sp.S.One)
        elif term.free_symbols.isdisjoint(unknowns):
            constants.append(term)
        else:
            inner = _factored(term, unknowns)
            if inner is None:
                return None
            factor, (slopes, constant) = inner
            constants.append(factor * constant)
            for unknown, slope in slopes.items():
                coefficients.setdefault(unknown, []).append(factor * slope)
    sums = {unknown: sp.Add(*parts) for unknown, parts in coefficients.items()}
    return {unknown: total for unknown, total in sums.items() if total != 0}, sp.Add(*constants)


def _factored(term: sp.Expr, unknowns: Collection[sp.Symbol]) -> tuple[sp.Expr, Form] | None:
    """Return a product as (factor free of unknowns, linear form of the rest)."""
    if not term.is_Mul:
        return None
    reading = [a for a in term.args if not a.free_symbols.isdisjoint(unknowns)]
    form = linear_form(reading[0], unknowns) if len(reading) == 1 else None
    return None if form is None else (sp.Mul(*(a for a in term.args if a != reading[0])), form)


@dataclass(frozen=True, eq=False)
class _System:
    """A x + c = 0 with numbers where there are numbers and a program for everything else."""

    numbers: Floats
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    entries: Program
    constants: Program

    def matrices(self, p: Floats) -> Floats:
        """Return A for each column of known values, or once if it is the same for all."""
        values = self.entries.vector(0.0, np.empty((0, p.shape[1])), p)
        if (values == values[:, :1]).all():
            values = values[:, :1]
        matrices = np.repeat(self.numbers[np.newaxis], values.shape[1], axis=0)
        matrices[:, self.rows, self.columns] += values.T
        return matrices

    def sides(self, p: Floats) -> tuple[Floats, Floats]:
        """Return c and the sizes of its terms, each (columns, equations)."""
        both = self.constants.vector(0.0, np.empty((0, p.shape[1])), p)
        return both[: len(both) // 2].T, both[len(both) // 2 :].T


@lru_cache(maxsize=256)
def _system(block: Block) -> _System | None:
    forms = [linear_form(residual, block.symbols) for residual in block.residuals]
    if any(form is None for form in forms):
        return None
    index = {symbol(name): j for j, name in enumerate(block.unknowns)}
    numbers = np.zeros((len(index), len(index)))
    entries = []
    for i, (slopes, _) in enumerate(form for form in forms if form is not None):
        for unknown, slope in slopes.items():
            if slope.is_number:
                numbers[i, index[unknown]] = float(slope)
            else:
                entries.append((i, index[unknown], slope))
    rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
    constants = [form[1] for form in forms if form is not None]
    sides = Program.over((), block.known, {}, [*constants, *map(size_of_terms, constants)])
    return _System(numbers, rows, columns, Program.over((), block.known, {}, values), sides)


def solve(block: Block, p: Floats) -> Answer | None:
    """Return the solutions of a linear block, or None if it is not linear."""
    system = _system(block)
    if system is None:
        return None
    step = max(1, _CHUNK // system.numbers.size)
    parts = []
    for first in range(0, p.shape[1], step):
        own = p[:, first : first + step]
        which = np.arange(first, first + own.shape[1])
        parts.append((which, _solve(block, system.matrices(own), *system.sides(own))))
    return Answer.joined(p.shape[1], parts).by("linear algebra")


def _solve(block: Block, matrix: Floats, side: Floats, size: Floats) -> Answer:
    """Solve A x + c = 0 for A of shape (columns or 1, n, n), c of shape (columns, n)."""
    defined = np.asarray(np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(side).all(axis=1))
    matrix = np.where(np.isfinite(matrix), matrix, 0.0)
    side, size = (np.where(defined[:, np.newaxis], v, 0.0) for v in (side, size))
    row, column = _equilibration(matrix)
    scaled = matrix * row[:, :, np.newaxis] * column[:, np.newaxis, :]
    inverse, singular = _inverses(scaled)
    goal = -side * row
    x = _times(inverse, goal)
    x += _times(inverse, goal - _times(scaled, x))
    noise = EPSILON * (_times(np.abs(scaled), np.abs(x)) + size * row)
    error = 4 * _times(np.abs(inverse), noise)
    values, inside = confined(block, (x * column).T, (error * column).T)
    singular = np.broadcast_to(singular, defined.shape)
    answer = Answer.one_each(values, defined & inside & ~singular)
    consistent = defined & singular
    consistent[consistent] = _consistent(scaled, consistent, goal, size * row)
    return Answer(answer.x, answer.column, consistent, answer.unfound)


def _times(matrix: Floats, vectors: Floats) -> Floats:
    """Multiply one vector per column by its own matrix, so that columns never mix."""
    return np.asarray((matrix @ vectors[:, :, np.newaxis])[:, :, 0])


def _equilibration(matrix: Floats) -> tuple[Floats, Floats]:
    """Return powers of two by which rows and columns come to largest entry near 1."""
    sizes = np.abs(matrix)
    row = _reciprocal(sizes.max(axis=2))
    column = _reciprocal((sizes * row[:, :, np.newaxis]).max(axis=1))
    return row, column


def _reciprocal(largest: Floats) -> Floats:
    powers = np.frexp(np.where(largest > 0, largest, 1.0))[1]
    return np.asarray(np.ldexp(1.0, -powers))


def _inverses(matrix: Floats) -> tuple[Floats, Flags]:
    """Return inverses, and mark matrices that are singular up to rounding."""
    n = matrix.shape[1]
    singular = np.zeros(len(matrix), bool)
    try:
        inverse = np.asarray(np.linalg.inv(matrix), dtype=float)
    except np.linalg.LinAlgError:
        singular = np.asarray(np.linalg.slogdet(matrix).sign == 0)
        regular = np.where(singular[:, np.newaxis, np.newaxis], np.eye(n), matrix)
        inverse = np.asarray(np.linalg.inv(regular), dtype=float)
    sizes = [np.abs(m).sum(axis=2).max(axis=1) for m in (matrix, inverse)]
    singular = singular | ~(sizes[0] * sizes[1] < 1 / (8 * n * EPSILON))
    return inverse, np.asarray(singular)


def _consistent(matrix: Floats, which: Flags, goal: Floats, size: Floats) -> Flags:
    """Say of singular systems whether the right side lies in the range of the matrix."""
    own = matrix if len(matrix) == 1 else matrix[which]
    if not which.any():
        return np.zeros(0, bool)
    left, values, _ = np.linalg.svd(own)
    lost = values <= np.maximum(values[:, :1] * 64 * matrix.shape[1] * EPSILON, values[:, -1:])
    outside = np.abs(_times(left.transpose(0, 2, 1), goal[which]))
    noise = _times(np.abs(left).transpose(0, 2, 1), size[which])
    return np.asarray(((outside <= 1e-12 * noise) | ~lost).all(axis=1))
