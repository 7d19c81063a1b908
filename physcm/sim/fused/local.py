"""Equations at one point of a block: linearized, scaled and solved, and their spectrum.

The same as `physcm.mechanism.linearization` and `EquilibriumEquations.spectra`, inside kernels.
What is known of a point is a tuple `local` of the matrix, with conservation laws in place of the
rows of the states that they determine, the residual, the sizes of its terms, the scales of rows
and columns, and the Newton step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.native import invoke, part

_WHOLE, _PART = 2.0**300, 2.0**-300
"""A step in time so long that 1 is nothing beside its product with a slope, and its inverse."""
_NO_VECTORS = ord("N")


def local_space(states: int) -> Any:
    """Return room for what is known of a point."""
    return (
        np.zeros((states, states)), np.zeros(states), np.zeros(states), np.zeros(states),
        np.zeros(states), np.zeros(states),
    )  # fmt: skip


def lapack_space(states: int, modes: int) -> Any:
    """Return room for LAPACK: a matrix by columns, a vector, workspace, and whole numbers.

    The whole numbers are the order of equations, 1, the order of the spectrum, the length of the
    workspace, what came of it, and the pivots.
    """
    whole = np.zeros(5 + states, np.int32)
    whole[0], whole[1], whole[2], whole[3] = states, 1, modes, 4 * states
    return np.zeros((states, states)), np.zeros(states), np.zeros(4 * states), whole


@part
def load(x: Any, p: Any, state: Any, parameters: Any, lane: int, sample: int) -> None:
    """Put a sample into a lane of blocks."""
    for r in range(x.shape[0]):
        x[r, lane] = state[r, sample]
    for r in range(p.shape[0]):
        p[r, lane] = parameters[r, sample]


@part
def evaluate(functions: Any, x: Any, p: Any, values: Any) -> None:
    """Write f, 1 - s J for a large negative s, and the sizes of the terms of f."""
    f, q, size, t, s = values
    for i in range(LANES):
        s[i] = -_WHOLE
    given = t.ctypes.data, x.ctypes.data, p.ctypes.data
    invoke(functions[0], (*given, s.ctypes.data, f.ctypes.data, q.ctypes.data))
    invoke(functions[1], (*given, size.ctypes.data))


@part
def linearize(
    places: Any, laws: Any, totals: Any, values: Any, x: Any, lane: int, point: int, local: Any
) -> None:
    """Write all that is known of a point, but for the step."""
    f, q, size, _, _ = values
    matrix, residual, sizes, row, column, _ = local
    n = residual.size
    matrix[:] = 0.0
    for r in range(n):
        residual[r], sizes[r] = f[r, lane], size[r, lane]
    for k in range(places.shape[0]):
        i, j = places[k, 0], places[k, 1]
        one = 1.0 if i == j else 0.0
        matrix[i, j] = (q[places[k, 2], lane] - one) * _PART
    weights, dependent, _, _ = laws
    for k in range(dependent.size):
        i, level, size_of_level = dependent[k], 0.0, 0.0
        for j in range(n):
            matrix[i, j] = weights[k, j]
            if weights[k, j] != 0.0:
                level += weights[k, j] * x[j, lane]
                size_of_level += abs(weights[k, j]) * abs(x[j, lane])
        residual[i], sizes[i] = level - totals[k, point], size_of_level + abs(totals[k, point])
    for i in range(n):
        row[i] = 1.0 / sizes[i] if 0.0 < sizes[i] < np.inf else 1.0
    for j in range(n):
        steepest = 0.0
        for i in range(n):
            steepest = max(steepest, abs(matrix[i, j]) * row[i])
        natural = 1.0 / steepest if steepest > 0.0 else 1.0
        column[j] = abs(x[j, lane]) if x[j, lane] != 0.0 else natural
    for i in range(n):
        if not 0.0 < sizes[i] < np.inf:
            slope = 0.0
            for j in range(n):
                slope = max(slope, abs(matrix[i, j]) * column[j])
            row[i] = 1.0 / slope if slope > 0.0 else row[i]


@part
def holds(local: Any, share: float) -> bool:
    """Say whether the equations hold up to a share of their terms."""
    _, residual, sizes, row, _, _ = local
    for i in range(residual.size):
        size = sizes[i] * row[i]
        size = size if size < np.inf else 1.0
        if not abs(residual[i] * row[i]) <= share * size:
            return False
    return True


@part
def solve(dgesv: int, local: Any, wild: float, ridge: float, work: Any) -> None:
    """Write the Newton step; of least squares where the matrix is singular, NaN if undefined."""
    matrix, residual, _, row, column, step = local
    a, z, _, whole = work
    n, defined, largest = residual.size, True, 0.0
    for i in range(n):
        z[i] = -residual[i] * row[i]
        defined = defined and abs(z[i]) < np.inf
        for j in range(n):
            a[j, i] = matrix[i, j] * row[i] * column[j]
            defined = defined and abs(a[j, i]) < np.inf
    if defined:
        _solve(dgesv, a, z, whole)
        for i in range(n):
            largest = max(largest, abs(z[i]))
        if whole[4] != 0 or largest > wild:
            _square(local, ridge, a, z)
            _solve(dgesv, a, z, whole)
            defined = whole[4] == 0
    for i in range(n):
        step[i] = z[i] * column[i] if defined else np.nan


@part
def _solve(dgesv: int, a: Any, z: Any, whole: Any) -> None:
    """Replace z by the solution u of a u = z."""
    order, one, info, pivots = whole, whole[1:], whole[4:], whole[5:]
    invoke(
        dgesv,
        (order.ctypes.data, one.ctypes.data, a.ctypes.data, order.ctypes.data, pivots.ctypes.data,
         z.ctypes.data, order.ctypes.data, info.ctypes.data),
    )  # fmt: skip


@part
def _square(local: Any, ridge: float, a: Any, z: Any) -> None:
    """Write the normal equations A' A u = A' b, with a ridge."""
    matrix, residual, _, row, column, _ = local
    n, largest = residual.size, 1.0
    for i in range(n):
        z[i] = 0.0
        for r in range(n):
            z[i] -= matrix[r, i] * row[r] * column[i] * (residual[r] * row[r])
        for j in range(n):
            a[j, i] = 0.0
            for r in range(n):
                a[j, i] += matrix[r, i] * row[r] * column[i] * (matrix[r, j] * row[r] * column[j])
            largest = max(largest, abs(a[j, i]))
    for i in range(n):
        a[i, i] += ridge * largest


@part
def no_longer(
    local: Any, share: float, least: float, scale: Any, x: Any, lane: int, point: int
) -> bool:
    """Say whether the step is small beside the point, or beside what a state was at its largest."""
    step = local[5]
    for r in range(step.size):
        if not abs(step[r]) <= share * abs(x[r, lane]) + least * scale[r, point]:
            return False
    return True


@part
def within(bounds: Any, slack: float, scale: Any, x: Any, lane: int, point: int) -> bool:
    """Say whether every state lies within its bounds, rounding aside."""
    for r in range(bounds.shape[1]):
        margin = slack * scale[r, point]
        if not bounds[0, r] - margin <= x[r, lane] <= bounds[1, r] + margin:
            return False
    return True


@part
def reduce(matrix: Any, laws: Any, steep: float, scale: Any, point: int, work: Any) -> None:
    """Write the balanced Jacobian on the conserved subspace, by columns."""
    _, _, free, lift = laws
    a, largest, finite = work[0], 1.0, True
    for i in free:
        for j in range(lift.shape[0]):
            size = abs(matrix[i, j])
            finite = finite and size < np.inf
            largest = max(largest, size if size < np.inf else 0.0)
    if not finite:
        for i in free:
            for j in range(lift.shape[0]):
                matrix[i, j] = _bounded(matrix[i, j], steep * largest)
    for r in range(free.size):
        below = scale[free[r], point] if scale[free[r], point] > 0.0 else 1.0
        for c in range(free.size):
            above = scale[free[c], point] if scale[free[c], point] > 0.0 else 1.0
            slope = 0.0
            for j in range(lift.shape[0]):
                slope += matrix[free[r], j] * lift[j, c]
            a[c, r] = slope * above / below


@part
def _bounded(slope: float, largest: float) -> float:
    """Return a large slope in place of an infinite one."""
    if abs(slope) < np.inf:
        return slope
    if slope > 0.0:
        return largest
    return -largest if slope < 0.0 else 0.0


@part
def spectrum(dgeev: int, work: Any, real: Any, imaginary: Any) -> bool:
    """Write the eigenvalues by LAPACK, in any order; say whether they were found."""
    a, _, room, whole = work
    job = np.full(1, _NO_VECTORS, np.uint8)
    order, leading, one, length, info = whole[2:], whole, whole[1:], whole[3:], whole[4:]
    invoke(
        dgeev,
        (job.ctypes.data, job.ctypes.data, order.ctypes.data, a.ctypes.data, leading.ctypes.data,
         real.ctypes.data, imaginary.ctypes.data, room.ctypes.data, one.ctypes.data,
         room.ctypes.data, one.ctypes.data, room.ctypes.data, length.ctypes.data,
         info.ctypes.data),
    )  # fmt: skip
    return bool(info[0] == 0)


@part
def sort(real: Any, imaginary: Any) -> None:
    """Put eigenvalues in order, the largest real part first."""
    for k in range(1, real.size):
        re, im, i = real[k], imaginary[k], k
        while i > 0 and real[i - 1] < re:
            real[i], imaginary[i] = real[i - 1], imaginary[i - 1]
            i -= 1
        real[i], imaginary[i] = re, im
