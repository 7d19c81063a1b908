"""Roots of systems of equations by damped Newton iteration, from many starts at once.

    x <- x + a d,   J(x) d = -F(x),   a = 1, 1/2, 1/4, ...   until |F| has decreased

Real models carry amounts of 1e-16 beside 1e3, so nothing here is measured in absolute terms.
Equation i is measured in the size of its terms,

    |F|_i = sum of the absolute values of the terms of F_i,

which is what rounding makes of a zero, up to the factor 2^-53; variable j is measured in its
own value. A point is a root if the Newton step from it is small beside the point itself, or
no larger than the error that rounding makes, |J^-1| (2^-52 |F|). A value that rounding cannot
tell from zero is zero, or the point is no root.

Reference: Deuflhard, Newton Methods for Nonlinear Problems, Springer 2011, chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.expression import derivative

Flags: TypeAlias = NDArray[np.bool_]
Function: TypeAlias = Callable[..., Floats]

EPSILON = float(np.finfo(float).eps)
_RESIDUAL = 1e-9
_STEP = 1e-7
_UNCERTAIN = 1e-3
_SLACK = 100.0
_GROWTH = 10.0
_HALVINGS = 10
_SETTLING = 12
_WIGGLE = 1e-3


@dataclass(frozen=True)
class Roots:
    """Where Newton's method led from each start.

    Attributes:
        x: the last points, shape (unknowns, starts).
        converged: whether each is a root.
        error: how far from the true root rounding may have left it, shape of x.
        singular: whether the Jacobian loses rank there, so that the root may not be isolated.
    """

    x: Floats
    converged: Flags
    error: Floats
    singular: Flags


@dataclass(frozen=True)
class _Equations:
    """The callables of `newton`, with the parameters of each start where there are any."""

    function: Function
    derivative: Function
    magnitude: Function
    parameters: Floats | None

    def residual(self, x: Floats) -> Floats:
        return self.function(*self.arguments(x))

    def arguments(self, x: Floats) -> tuple[Floats, ...]:
        return (x,) if self.parameters is None else (x, self.parameters)

    def of(self, which: NDArray[Any]) -> _Equations:
        if self.parameters is None:
            return self
        own = self.parameters[:, which]
        return _Equations(self.function, self.derivative, self.magnitude, own)


@dataclass(frozen=True)
class _Linearized:
    """F at points x, scaled: row i by the size of F_i, column j by the size of x_j.

    Attributes:
        residual: the scaled residuals, (equations, points).
        weight: the factor of each row.
        step: the Newton step in units of x, (unknowns, points).
        longest: its largest component, beside the sizes of the variables.
        error: what rounding makes of the step.
        null: the direction in which F does not change, in units of x; zero where regular.
        singular: where the scaled Jacobian loses rank.
    """

    residual: Floats
    weight: Floats
    step: Floats
    longest: Floats
    error: Floats
    null: Floats
    singular: Flags

    @classmethod
    def at(cls, equations: _Equations, x: Floats) -> _Linearized:
        with np.errstate(all="ignore"):
            arguments = equations.arguments(x)
            matrix = equations.derivative(*arguments)
            size = equations.magnitude(*arguments)
            row, column = _scales(size, matrix, x)
            residual = equations.residual(x) * row
            matrix = matrix * row.T[:, :, np.newaxis] * column.T[:, np.newaxis, :]
            inverse, null, singular = _inverses(matrix)
            scaled = -np.einsum("kij,jk->ik", inverse, residual)
            noise = EPSILON * np.nan_to_num(size * row, nan=1.0, posinf=1.0)
            error = np.einsum("kij,jk->ik", np.abs(inverse), noise) * column
            return cls(
                residual, row, scaled * column, np.abs(scaled).max(axis=0, initial=0.0), error,
                null * column, singular,
            )  # fmt: skip


def newton(
    function: Function,
    jacobian: Function,
    starts: Floats,
    *,
    magnitude: Function,
    lower: ArrayLike = -np.inf,
    upper: ArrayLike = np.inf,
    parameters: Floats | None = None,
    iterations: int = 60,
) -> Roots:
    """Return where damped Newton iteration leads from each start.

    Each start is a problem of its own: its result does not depend on the others. A start at
    which the equations have no finite value fails, quietly.

    Args:
        function: F, from points (unknowns, points) to residuals (equations, points).
        jacobian: its derivatives, (points, equations, unknowns).
        starts: where to begin, (unknowns, starts).
        magnitude: the sum of the absolute values of the terms of each equation, in the shape
            of the residuals; see `size_of_terms`.
        lower: the least value of the unknowns, one number or (unknowns,). An iterate that
            would cross it goes nine tenths of the way; a root that lies on it is reached.
        upper: the largest value, likewise.
        parameters: what differs between starts, (any, starts). Where given, the three
            functions are called with the parameters of their points as second argument.
        iterations: the most steps from a start.

    >>> square = newton(
    ...     lambda x: x**2 - 2,
    ...     lambda x: 2 * x[:, :, None].transpose(1, 0, 2),
    ...     np.array([[1.0, -5.0, np.nan]]),
    ...     magnitude=lambda x: x**2 + 2,
    ... )
    >>> square.x.round(6).tolist(), square.converged.tolist()
    ([[1.414214, -1.414214, nan]], [True, True, False])
    """
    begin = np.array(starts, dtype=float)
    low, high = (_column(end, len(begin)) for end in (lower, upper))
    begin = np.clip(begin, low, high)
    equations = _Equations(function, jacobian, magnitude, parameters)
    x = _iterate(equations, begin.copy(), low, high, iterations)
    roots = _judged(equations, x)
    _pull_to_zero(equations, roots, begin, low, high)
    return roots


def distinct(x: Floats, scale: Floats, rtol: float = 1e-6, valid: Flags | None = None) -> Flags:
    """Mark the first of each group of roots that agree.

    Two roots agree if they differ by no more than rtol times the larger of their scales, in
    every unknown.

    Args:
        x: roots, (unknowns, ..., roots); axes between the two are problems of their own.
        scale: the size of each unknown in each root, which broadcasts with x.
        rtol: the tolerance.
        valid: which to consider, (..., roots); the others are never marked.

    >>> distinct(np.array([[1.0, 2.0, 1.0 + 1e-9]]), np.ones(1)).tolist()
    [True, True, False]
    """
    size = np.broadcast_to(scale, x.shape)
    kept = np.ones(x.shape[1:], bool) if valid is None else valid.copy()
    for first in range(x.shape[-1] - 1):
        if not kept[..., first].any():
            continue
        gap = np.abs(x[..., first + 1 :] - x[..., first, np.newaxis])
        near = gap <= rtol * np.maximum(size[..., first + 1 :], size[..., first, np.newaxis])
        kept[..., first + 1 :] &= ~(near.all(axis=0) & kept[..., first, np.newaxis])
    return kept


def in_continuum(
    function: Function,
    jacobian: Function,
    roots: Floats,
    *,
    magnitude: Function,
    parameters: Floats | None = None,
) -> Flags:
    """Say which roots lie on a curve of roots rather than alone.

    Where the Jacobian loses rank, the root is moved a thousandth of its size along the
    direction in which F does not change, both ways. Newton's method from there comes back to
    an isolated (multiple) root; on a continuum it stays near where it was put.

    >>> line = in_continuum(
    ...     lambda x: x[:1] - x[1:],
    ...     lambda x: np.array([[[1.0, -1.0]]]),
    ...     np.array([[3.0], [3.0]]),
    ...     magnitude=lambda x: np.abs(x).sum(0)[None],
    ... )
    >>> line.tolist()
    [True]
    """
    equations = _Equations(function, jacobian, magnitude, parameters)
    found = np.zeros(roots.shape[1], bool)
    which = np.flatnonzero(np.isfinite(roots).all(axis=0))
    local = _Linearized.at(equations.of(which), roots[:, which])
    which, null = which[local.singular], local.null[:, local.singular]
    there = equations.of(which)
    for way in (_WIGGLE, -_WIGGLE) if which.size else ():
        moved = roots[:, which] + way * null
        free = np.full((len(roots), 1), np.inf)
        end = _iterate(there, moved.copy(), -free, free, _SETTLING * 2)
        back = np.abs(end - roots[:, which]) <= 0.1 * np.abs(way * null)
        found[which] |= _judged(there, end).converged & ~back.all(axis=0)
    return found


@lru_cache(maxsize=65536)
def size_of_terms(expression: sp.Expr) -> sp.Expr:
    """Return the sum of the absolute values of an expression's terms.

    It is what the expression would be if nothing in it cancelled, and to first order by how
    much it changes when all numbers in it change by the fraction 1: |f| + |f'(u)| size(u).

    >>> x, y = sp.symbols("x y", real=True)
    >>> size_of_terms(x * (1 - y) - 3)
    (Abs(y) + 1)*Abs(x) + 3
    """
    if expression.is_Number or not expression.args:
        return sp.Abs(expression)
    if isinstance(expression, sp.Piecewise):
        return sp.Piecewise(*((size_of_terms(value), case) for value, case in expression.args))
    sizes = [size_of_terms(part) for part in expression.args]
    if isinstance(expression, sp.Abs):
        return sizes[0]
    if isinstance(expression, sp.Add | sp.Max | sp.Min):
        return sp.Add(*sizes)
    if isinstance(expression, sp.Mul):
        return sp.Mul(*sizes)
    if expression.is_Pow and expression.exp.is_Number:
        return _size_of_power(expression.base, expression.exp, sizes[0])
    return sp.Abs(expression) + _first_order(expression, sizes)


def _size_of_power(base: sp.Expr, exponent: sp.Expr, size: sp.Expr) -> sp.Expr:
    if exponent.is_Integer and exponent.is_positive:
        return size**exponent
    whole = sp.Abs(base)
    if size == whole:
        return whole**exponent
    return whole**exponent * (1 + sp.Abs(exponent) * size / whole)


def _first_order(expression: sp.Expr, sizes: list[sp.Expr]) -> sp.Expr:
    places = [sp.Symbol(f"_place{i}", real=True) for i in range(len(sizes))]
    outer = expression.func(*places)
    inner = dict(zip(places, expression.args, strict=True))
    slopes = [derivative(outer, place).xreplace(inner) for place in places]
    return sp.Add(*(sp.Abs(slope) * size for slope, size in zip(slopes, sizes, strict=True)))


def _column(end: ArrayLike, unknowns: int) -> Floats:
    flat = np.broadcast_to(np.asarray(end, dtype=float), (unknowns,))
    return flat[:, np.newaxis]


def _scales(size: Floats, matrix: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Return the factors of rows and columns that bring the Jacobian's entries near 1."""
    usable = (size > 0) & np.isfinite(size)
    row = np.where(usable, 1 / np.where(usable, size, 1.0), 1.0)
    entries = np.abs(matrix).transpose(1, 2, 0)
    steepest = (entries * row[:, np.newaxis]).max(axis=0, initial=0.0)
    natural = np.where(steepest > 0, 1 / np.where(steepest > 0, steepest, 1.0), 1.0)
    column = np.where(x != 0, np.abs(x), natural)
    # An equation whose terms all vanish here is measured by its slope instead.
    slope = (entries * column).max(axis=1, initial=0.0)
    flat = ~usable & (slope > 0)
    return np.where(flat, 1 / np.where(flat, slope, 1.0), row), column


def _inverses(matrix: Floats) -> tuple[Floats, Floats, Flags]:
    """Return the (pseudo-)inverses, the null directions, and where rank is lost."""
    points, equations, unknowns = matrix.shape
    undefined = np.asarray(~np.isfinite(matrix).all(axis=(1, 2)))
    matrix = np.where(undefined[:, np.newaxis, np.newaxis], 0.0, matrix)
    null = np.zeros((unknowns, points))
    cut = 32 * max(equations, unknowns) * EPSILON
    inverse, suspect = _plain_inverses(matrix)
    suspect |= np.abs(inverse).sum(axis=2).max(axis=1, initial=0.0) >= 1 / cut
    suspect &= ~undefined
    if suspect.any():
        left, values, right = np.linalg.svd(matrix[suspect], full_matrices=True)
        lost = values <= cut
        deficient = np.asarray(lost.any(axis=1) | (unknowns > equations))
        kept = np.where(lost, 0.0, 1 / np.where(lost, 1.0, values))[:, :, np.newaxis]
        few = values.shape[1]
        inverse[suspect] = right[:, :few].transpose(0, 2, 1) @ (
            kept * left[:, :, :few].transpose(0, 2, 1)
        )
        suspect[suspect] = deficient
        null[:, suspect] = right[deficient, -1].T
    inverse[undefined] = np.nan
    return inverse, null, suspect


def _plain_inverses(matrix: Floats) -> tuple[Floats, Flags]:
    """Return the inverses of the square matrices that have one, and mark the others."""
    points, equations, unknowns = matrix.shape
    if equations != unknowns:
        return np.zeros((points, unknowns, equations)), np.ones(points, bool)
    try:
        return np.asarray(np.linalg.inv(matrix), dtype=float), np.zeros(points, bool)
    except np.linalg.LinAlgError:
        singular: Flags = np.linalg.slogdet(matrix).sign == 0
        matrix = np.where(singular[:, np.newaxis, np.newaxis], np.eye(unknowns), matrix)
        return np.asarray(np.linalg.inv(matrix), dtype=float), singular


def _iterate(
    equations: _Equations, x: Floats, low: Floats, high: Floats, iterations: int
) -> Floats:
    """Iterate in place from all points until each has settled or failed."""
    moving = np.flatnonzero(np.isfinite(x).all(axis=0))
    for _ in range(iterations):
        if not moving.size:
            break
        x[:, moving], going = _advanced(equations.of(moving), x[:, moving], low, high)
        moving = moving[going]
    return x


def _advanced(equations: _Equations, x: Floats, low: Floats, high: Floats) -> tuple[Floats, Flags]:
    """Make one damped step from each point; say which points still make progress."""
    local = _Linearized.at(equations, x)
    merit = (local.residual**2).sum(axis=0)
    step = local.step * np.minimum(1.0, _GROWTH / np.maximum(local.longest, 1e-300))
    going = np.isfinite(merit) & np.isfinite(step).all(axis=0)
    going &= (merit > 0) & (local.longest > 4 * EPSILON)
    waiting = np.flatnonzero(going)
    reached = x.copy()
    fraction = 1.0
    for _ in range(_HALVINGS):
        if not waiting.size:
            break
        trial = _inside(x[:, waiting], fraction * step[:, waiting], low, high)
        with np.errstate(all="ignore"):
            residual = equations.of(waiting).residual(trial) * local.weight[:, waiting]
            better = (residual**2).sum(axis=0) < (1 - 1e-4 * fraction) * merit[waiting]
        reached[:, waiting[better]] = trial[:, better]
        waiting = waiting[~better]
        fraction /= 2
    going[waiting] = False
    return reached, going


def _inside(x: Floats, step: Floats, low: Floats, high: Floats) -> Floats:
    """Take a step, stopping a component that would leave its range short of the end."""
    end = x + step
    with np.errstate(invalid="ignore"):
        end = np.where(end < low, x + 0.9 * (low - x), end)
        return np.where(end > high, x + 0.9 * (high - x), end)


def _judged(equations: _Equations, x: Floats) -> Roots:
    """Say which points are roots."""
    local = _Linearized.at(equations, x)
    with np.errstate(invalid="ignore"):
        small = (np.abs(local.residual) <= _RESIDUAL).all(axis=0)
        certain = (local.error <= _UNCERTAIN * np.abs(x)) | (x == 0)
        near = np.abs(local.step) <= _STEP * np.abs(x) + _SLACK * local.error
    converged = small & (certain & near).all(axis=0) & np.isfinite(x).all(axis=0)
    return Roots(x, converged, local.error, local.singular)


def _pull_to_zero(
    equations: _Equations, roots: Roots, begin: Floats, low: Floats, high: Floats
) -> None:
    """Give the points that are no roots a second chance with their vanishing unknowns at 0.

    Towards a root at x_j = 0 an iterate shrinks for ever, and beside its own size it never
    gets closer.
    """
    open_ = np.flatnonzero(~roots.converged & np.isfinite(roots.x).all(axis=0))
    if not open_.size:
        return
    x, there = roots.x[:, open_], equations.of(open_)
    local = _Linearized.at(there, x)
    with np.errstate(invalid="ignore"):
        vanishing = np.abs(x + local.step) <= 0.01 * np.abs(x)
        vanishing |= np.abs(x) <= 1e-9 * np.abs(begin[:, open_])
        vanishing |= local.error > _UNCERTAIN * np.abs(x)
    vanishing &= (low <= 0) & (high >= 0)
    x = _iterate(there, np.where(vanishing, 0.0, x), low, high, _SETTLING)
    again = _judged(there, x)
    won = open_[again.converged]
    for field in ("x", "error"):
        getattr(roots, field)[:, won] = getattr(again, field)[:, again.converged]
    roots.singular[won], roots.converged[won] = again.singular[again.converged], True
