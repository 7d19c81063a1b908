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

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.linearization import EPSILON, Flags, Function, Linearized, Problem, inverses

_RESIDUAL = 1e-9
_STEP = 1e-7
_UNCERTAIN = 1e-3
_SLACK = 100.0
_GROWTH = 10.0
_FRACTIONS = tuple(0.5 ** np.arange(first, last) for first, last in ((0, 1), (1, 3), (3, 10)))
_SETTLING = 12
_WIGGLE, _SHRUNK = 1e-3, 1e-3
_TINY = float(np.finfo(float).tiny)
_MULTIPLES = tuple(10.0**power for power in (-3, *range(3, 40, 6)))
_ABOUT_ZERO = (0.0, 0.38, -0.62)


@dataclass(frozen=True)
class Roots:
    """Where Newton's method led from each start.

    Attributes:
        x: the last points, shape (unknowns, starts).
        converged: whether each is a root.
        error: how far from the true root rounding may have left it, shape of x; NaN elsewhere.
        singular: whether the Jacobian loses rank there, so that the root may not be isolated.
    """

    x: Floats
    converged: Flags
    error: Floats
    singular: Flags


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
    equations = Problem(function, jacobian, magnitude, parameters)
    return _roots(equations, begin, low, high, iterations)


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
    equations = Problem(function, jacobian, magnitude, parameters)
    found = np.zeros(roots.shape[1], bool)
    local = Linearized.at(equations, roots)
    free = np.full((len(roots), 1), np.inf)
    usable = np.flatnonzero(np.isfinite(local.matrix).all(axis=(1, 2)))
    _, directions, _ = inverses(local.matrix[usable])
    for direction in directions.transpose(1, 0, 2):
        direction = np.where(np.abs(direction) > _STEP, direction, 0.0)
        wiggle = _WIGGLE * direction * local.column[:, usable]
        tried = np.flatnonzero((direction != 0).any(axis=0) & ~found[usable])
        there = equations.of(usable[tried])
        for way in (wiggle[:, tried], -wiggle[:, tried]) if tried.size else ():
            begin = roots[:, usable[tried]]
            end = _roots(there, begin + way, -free, free, 2 * _SETTLING)
            back = np.abs(end.x - begin) <= 0.1 * np.abs(way)
            found[usable[tried]] |= end.converged & ~back.all(axis=0)
    return found


def inside(x: Floats, step: Floats, low: Floats, high: Floats) -> Floats:
    """Return x + step, a component that would leave its range stopped short of the end.

    >>> inside(
    ...     np.array([[1.0, 1.0]]), np.array([[-3.0, 2.0]]), np.zeros((1, 1)), np.full((1, 1), 9)
    ... )
    array([[0.1, 3. ]])
    """
    end = x + step
    with np.errstate(invalid="ignore"):
        end = np.where(end < low, x + 0.9 * (low - x), end)
        return np.where(end > high, x + 0.9 * (high - x), end)


def _column(end: ArrayLike, unknowns: int) -> Floats:
    flat = np.broadcast_to(np.asarray(end, dtype=float), (unknowns,))
    return flat[:, np.newaxis]


def _roots(equations: Problem, begin: Floats, low: Floats, high: Floats, iterations: int) -> Roots:
    """Iterate, judge, and judge again what goes to zero."""
    roots = _judged(equations, _iterate(equations, begin.copy(), low, high, iterations))
    blurred = _blurred(equations, roots)
    roots.converged[blurred.any(axis=0)] = False
    _pull_to_zero(equations, roots, begin, low, high, blurred)
    return roots


def _blurred(equations: Problem, roots: Roots) -> Flags:
    """Mark, in singular roots, the unknowns that rounding cannot tell from zero.

    They no longer move some equation, or no longer by what makes 0 a root of its own, such as
    a square; so that rank seems lost. The equations hold at 0 and on both sides of it as well,
    which about a multiple root they do not, and fail at large multiples or small fractions,
    which on a line of roots they do not.
    """
    marks = np.zeros(roots.x.shape, bool)
    which = np.flatnonzero(roots.converged & roots.singular)
    if which.size:
        x, there = roots.x[:, which], equations.of(which)
        local = Linearized.at(there, x)
        pull = np.abs(local.matrix).max(axis=2, initial=0.0)
        faint = ((pull > 0) & (pull < _SLACK * EPSILON)).any(axis=1)
        directions = np.abs(inverses(local.matrix)[1]).max(axis=1, initial=0.0)
        idle = (directions > _STEP) & (x != 0)
        for fraction in _ABOUT_ZERO:
            with np.errstate(all="ignore"):
                left = np.abs(there.residual(np.where(idle, fraction * x, x)) * local.row)
            idle &= (left <= _SLACK * EPSILON).all(axis=0)
        idle &= faint | ~_scales(there, x, idle)
        marks[:, which] = idle
    return marks


def _iterate(equations: Problem, x: Floats, low: Floats, high: Floats, iterations: int) -> Floats:
    """Iterate in place from all points until each has settled or failed."""
    moving = np.flatnonzero(np.isfinite(x).all(axis=0))
    for _ in range(iterations):
        if not moving.size:
            break
        x[:, moving], going = _advanced(equations.of(moving), x[:, moving], low, high)
        moving = moving[going]
    return x


def _advanced(equations: Problem, x: Floats, low: Floats, high: Floats) -> tuple[Floats, Flags]:
    """Make one damped step from each point; say which points still make progress."""
    local = Linearized.at(equations, x)
    scaled = local.step()
    longest = np.abs(scaled).max(axis=0, initial=0.0)
    step = local.column * scaled * np.minimum(1.0, _GROWTH / np.maximum(longest, 1e-300))
    with np.errstate(over="ignore", invalid="ignore"):
        merit = (local.residual**2).sum(axis=0)
    going = np.isfinite(merit) & np.isfinite(step).all(axis=0)
    going &= (merit > 0) & (longest > 4 * EPSILON)
    reached, stuck = _damped(equations, local, x, step, low, high, np.flatnonzero(going))
    going[stuck] = False
    return reached, going


def _damped(
    equations: Problem, local: Linearized, x: Floats, step: Floats, low: Floats, high: Floats,
    waiting: NDArray[np.intp],
) -> tuple[Floats, NDArray[np.intp]]:  # fmt: skip
    """Go the largest fraction of each step that brings equations nearer; say who is stuck.

    Fractions are tried a few at a time, since few points cost hardly more than one.
    """
    reached = x.copy()
    for fractions in _FRACTIONS:
        if not waiting.size:
            break
        trial = inside(
            x[:, waiting, np.newaxis], step[:, waiting, np.newaxis] * fractions,
            low[:, np.newaxis], high[:, np.newaxis],
        )  # fmt: skip
        each = np.repeat(waiting, fractions.size)
        with np.errstate(all="ignore"):
            before = (local.residual[:, waiting] ** 2).sum(axis=0)[:, np.newaxis]
            left = equations.of(each).residual(trial.reshape(len(x), -1)) * local.row[:, each]
            after = (left**2).sum(axis=0).reshape(-1, fractions.size)
            better = after < (1 - 1e-4 * fractions) * before
        some, first = better.any(axis=1), better.argmax(axis=1)
        reached[:, waiting[some]] = trial[:, some, first[some]]
        waiting = waiting[~some]
    return reached, waiting


def _scales(equations: Problem, x: Floats, which: Flags) -> Flags:
    """Say which roots (unknowns, points) stay roots when some unknowns change in proportion."""
    stay = np.ones(x.shape[1], bool)
    for factor in _MULTIPLES:
        scaled = np.where(which, factor * x, x)
        with np.errstate(all="ignore"):
            left = equations.residual(scaled) / equations.magnitude(*equations.arguments(scaled))
        stay &= ~(np.abs(left) > _RESIDUAL).any(axis=0)
    return stay


def _judged(equations: Problem, x: Floats) -> Roots:
    """Say which points are roots."""
    local = Linearized.at(equations, x)
    with np.errstate(invalid="ignore"):
        small = (np.abs(local.residual) <= _RESIDUAL).all(axis=0) & ~local.empty
    small &= np.isfinite(x).all(axis=0) & np.isfinite(local.matrix).all(axis=(1, 2))
    which = np.flatnonzero(small)
    converged, singular = np.zeros((2, x.shape[1]), bool)
    errors = np.full(x.shape, np.nan)
    inverse, _, singular[which] = inverses(local.matrix[which])
    column, size = local.column[:, which], np.abs(x[:, which])
    step = _times(inverse, local.residual[:, which]) * column
    error = _times(np.abs(inverse), local.noise[:, which]) * column
    certain = (error <= _UNCERTAIN * size) | (size == 0)
    near = np.abs(step) <= _STEP * size + _SLACK * error
    converged[which] = (certain & near).all(axis=0)
    errors[:, which] = error
    steep = _solved_where_steep(equations, x, local)
    converged[steep], errors[:, steep] = True, 0.0
    return Roots(x, converged, errors, singular)


def _solved_where_steep(equations: Problem, x: Floats, local: Linearized) -> Flags:
    """Say which points are exact roots with an infinite slope, as sqrt(x) = 0 has."""
    steep: Flags = np.asarray(np.isfinite(x).all(axis=0))
    steep &= np.isinf(local.slopes).any(axis=(1, 2)) & ~np.isnan(local.slopes).any(axis=(1, 2))
    which = np.flatnonzero(steep)
    if which.size:
        with np.errstate(all="ignore"):
            steep[which] = (equations.of(which).residual(x[:, which]) == 0).all(axis=0)
    return steep


def _times(matrix: Floats, vectors: Floats) -> Floats:
    """Multiply the vector of each point by its own matrix, so that points never mix."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray((matrix @ vectors.T[:, :, np.newaxis])[:, :, 0].T)


def _pull_to_zero(
    equations: Problem, roots: Roots, begin: Floats, low: Floats, high: Floats, blurred: Flags
) -> None:
    """Give the points that are no roots a second chance with their vanishing unknowns at 0.

    Towards a root at x_j = 0 an iterate shrinks for ever, and beside its own size it never
    gets closer.
    """
    open_ = np.flatnonzero(~roots.converged & np.isfinite(roots.x).all(axis=0))
    if not open_.size:
        return
    x, there = roots.x[:, open_], equations.of(open_)
    local = Linearized.at(there, x)
    with np.errstate(invalid="ignore"):
        vanishing = np.abs(x + local.step() * local.column) <= 0.01 * np.abs(x)
        vanishing |= np.abs(x) <= np.maximum(_SHRUNK * np.abs(begin[:, open_]), _TINY)
        vanishing |= roots.error[:, open_] > _UNCERTAIN * np.abs(x)
        vanishing |= blurred[:, open_]
    vanishing &= (low <= 0) & (high >= 0)
    x = _iterate(there, np.where(vanishing, 0.0, x), low, high, _SETTLING)
    # Iteration leaves on them what the rounding of other terms makes of zero.
    x[vanishing & blurred[:, open_]] = 0.0
    again = _judged(there, x)
    won = open_[again.converged]
    for field in ("x", "error"):
        getattr(roots, field)[:, won] = getattr(again, field)[:, again.converged]
    roots.singular[won], roots.converged[won] = again.singular[again.converged], True
