"""Systems of equations linearized at many points, in units in which everything is near 1.

    F(x + d) = F(x) + J(x) d

Row i is divided by the size of the terms of F_i, column j multiplied by the size of x_j. So
scaled, a Jacobian has entries near 1 whatever the units, a singular value of the order of 2^-52
means that rank is lost, and the rounding of F shifts a root by |J^-1| (2^-52 |F|).

Reference: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002,
sections 7.2 and 7.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats

Flags: TypeAlias = NDArray[np.bool_]
Function: TypeAlias = Callable[..., Floats]

EPSILON = float(np.finfo(float).eps)
WILD = 1e8
RIDGE = 1e-10


@dataclass(frozen=True)
class Problem:
    """F and its derivative, with the parameters of each point where there are any.

    Attributes:
        function: F, from points (unknowns, points) to residuals (equations, points).
        derivative: its derivatives, (points, equations, unknowns).
        magnitude: the sizes of the equations' terms, (equations, points).
        parameters: (any, points), the functions' second argument; None if they take none.
    """

    function: Function
    derivative: Function
    magnitude: Function
    parameters: Floats | None

    def residual(self, x: Floats) -> Floats:
        """Return F at points."""
        return self.function(*self.arguments(x))

    def arguments(self, x: Floats) -> tuple[Floats, ...]:
        """Return what to call the functions with."""
        return (x,) if self.parameters is None else (x, self.parameters)

    def of(self, which: NDArray[Any]) -> Problem:
        """Return the problem for some of its points."""
        if self.parameters is None:
            return self
        own = self.parameters[:, which]
        return Problem(self.function, self.derivative, self.magnitude, own)


@dataclass(frozen=True)
class Linearized:
    """F at points x, scaled.

    Attributes:
        residual: the scaled residuals, (equations, points).
        matrix: the scaled Jacobians, (points, equations, unknowns).
        row: the factor of each equation, (equations, points).
        column: the size of each unknown, (unknowns, points); a scaled step times it is a step.
        noise: what rounding makes of each scaled residual, (equations, points).
        empty: where an equation has no size though no unknown is zero: its terms are too small
            for floating point, which says nothing.
        slopes: the Jacobians as they are, (points, equations, unknowns).
    """

    residual: Floats
    matrix: Floats
    row: Floats
    column: Floats
    noise: Floats
    empty: Flags
    slopes: Floats

    @classmethod
    def at(cls, equations: Problem, x: Floats) -> Linearized:
        """Linearize F at points (unknowns, points)."""
        with np.errstate(all="ignore"):
            arguments = equations.arguments(x)
            matrix = equations.derivative(*arguments)
            size = equations.magnitude(*arguments)
            row, column = scales(size, matrix, x)
            return cls(
                residual=equations.residual(x) * row,
                matrix=matrix * row.T[:, :, np.newaxis] * column.T[:, np.newaxis, :],
                row=row,
                column=column,
                noise=EPSILON * np.nan_to_num(size * row, nan=1.0, posinf=1.0),
                empty=np.asarray((size == 0).any(axis=0) & (x != 0).all(axis=0)),
                slopes=matrix,
            )

    def step(self) -> Floats:
        """Return the scaled Newton steps, (unknowns, points)."""
        return solved(self.matrix, -self.residual)


def scales(size: Floats, matrix: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Return the factors of rows and columns that bring a Jacobian's entries near 1.

    Args:
        size: the sizes of the equations' terms, (equations, points).
        matrix: the Jacobians, (points, equations, unknowns).
        x: the points, (unknowns, points).
    """
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


def solved(matrix: Floats, side: Floats) -> Floats:
    """Return the solution z of M z = side of each point; of least squares where M is singular.

    Args:
        matrix: (points, equations, unknowns).
        side: (equations, points).
    """
    points, equations, unknowns = matrix.shape
    defined = np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(side).all(axis=0)
    undefined = np.asarray(~defined)
    right = np.where(undefined, 0.0, side).T[:, :, np.newaxis]
    matrix = np.where(undefined[:, np.newaxis, np.newaxis], np.eye(equations, unknowns), matrix)
    singular = np.ones(points, bool)
    z = np.zeros((points, unknowns, 1))
    if equations == unknowns:
        try:
            z = np.asarray(np.linalg.solve(matrix, right), dtype=float)
            singular = np.zeros(points, bool)
        except np.linalg.LinAlgError:
            regular, singular = _without_singular(matrix)
            z = np.asarray(np.linalg.solve(regular, right), dtype=float)
        singular |= np.abs(z[:, :, 0]).max(axis=1, initial=0.0) > WILD
    if singular.any():
        across = matrix[singular].transpose(0, 2, 1)
        normal = across @ matrix[singular]
        largest = np.abs(normal).max(axis=(1, 2), keepdims=True, initial=1.0)
        normal += RIDGE * largest * np.eye(unknowns)
        z[singular] = np.linalg.solve(normal, across @ right[singular])
    return np.where(undefined, np.nan, z[:, :, 0].T)


def inverses(matrix: Floats) -> tuple[Floats, Floats, Flags]:
    """Return the (pseudo-)inverses, the null directions, and where rank is lost.

    Args:
        matrix: scaled Jacobians, (points, equations, unknowns), finite.

    Returns:
        Inverses (points, unknowns, equations); orthonormal vectors (unknowns, unknowns,
        points) of which the matrix takes those that are not zero to zero; and which points
        lose rank.
    """
    points, equations, unknowns = matrix.shape
    null = np.zeros((unknowns, unknowns, points))
    cut = 32 * max(equations, unknowns, 1) * EPSILON
    inverse, suspect = np.zeros((points, unknowns, equations)), np.ones(points, bool)
    if equations == unknowns:
        regular, suspect = _without_singular(matrix)
        inverse = np.asarray(np.linalg.inv(regular), dtype=float)
        suspect |= np.abs(inverse).sum(axis=2).max(axis=1, initial=0.0) >= 1 / cut
    which = np.flatnonzero(suspect)
    if which.size:
        least = min(equations, unknowns)
        left, values, right = np.linalg.svd(matrix[which])
        kept = values > cut
        weights = np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)[:, np.newaxis]
        scaled = right[:, :least].transpose(0, 2, 1) * weights
        inverse[which] = scaled @ left[:, :, :least].transpose(0, 2, 1)
        lost = np.ones((which.size, unknowns), bool)
        lost[:, :least] = ~kept
        null[:, :, which] = (right * lost[..., np.newaxis]).transpose(2, 1, 0)
        suspect[which] = lost.any(axis=1)
    return inverse, null, suspect


def _without_singular(matrix: Floats) -> tuple[Floats, Flags]:
    """Return square matrices with 1 in place of those that are exactly singular."""
    singular = np.linalg.slogdet(matrix).sign == 0
    one = np.eye(matrix.shape[1])
    return np.where(singular[:, np.newaxis, np.newaxis], one, matrix), np.asarray(singular)
