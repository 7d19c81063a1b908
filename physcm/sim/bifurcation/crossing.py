"""Where branches cross: the crossing point made exact, and the directions that leave it.

At a simple branch point [F_x F_p] has a null space of dimension 2, with basis a, b, and a left
null vector psi. Curves through it have tangents y a + z b with

    psi . B(a, a) y^2 + 2 psi . B(a, b) y z + psi . B(b, b) z^2 = 0,

B the second derivative of F (the algebraic branching equation). The point itself is a regular
zero of the extended system (Moore 1980)

    F(u) + beta psi = 0,   F_u(u)^T psi = 0,   psi . psi = 1.

References: Kuznetsov, Elements of Applied Bifurcation Theory, 3rd ed., Springer 2004, section
10.2; Moore, The numerical treatment of non-trivial bifurcation points, Numerical Functional
Analysis and Optimization 2, 1980.
"""

from __future__ import annotations

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.sim.bifurcation.curve import Curve

_ITERATIONS = 20
_CLOSE, _FAR = 1e-12, 0.1
_LOST_RANK = 1e-6
_FLAT = 1e-9


def exact_crossing(curve: Curve, u: Floats) -> Floats:
    """Return the branch point next to a point, by Newton's method; the point where that fails."""
    size, row, matrix = curve.linearized(u)
    left, _, _ = np.linalg.svd(matrix)
    psi, beta, x = left[:, -1], 0.0, u.copy()
    equations = len(psi)
    for _ in range(_ITERATIONS):
        slopes = row[:, np.newaxis] * curve.piece.jacobian(x) * size
        residual = row * curve.piece.residual(x) + beta * psi
        side = -np.concatenate([residual, slopes.T @ psi, [psi @ psi - 1]])
        bent = curve.piece.curvature(x, psi * row) * np.outer(size, size)
        whole = np.zeros((len(side), len(side)))
        whole[:equations, : len(u)] = slopes
        whole[:equations, len(u)] = psi
        whole[:equations, len(u) + 1 :] = beta * np.eye(equations)
        whole[equations:-1, : len(u)] = bent
        whole[equations:-1, len(u) + 1 :] = slopes.T
        whole[-1, len(u) + 1 :] = 2 * psi
        if not (np.isfinite(whole).all() and np.isfinite(side).all()):
            return u
        step = np.linalg.lstsq(whole, side)[0]
        x = x + step[: len(u)] * size
        beta, psi = beta + step[len(u)], psi + step[len(u) + 1 :]
        if np.linalg.norm(step) <= _CLOSE:
            break
    near = bool(np.linalg.norm((x - u) / size) <= _FAR and abs(beta) <= _CLOSE)
    return x if near else u


def directions(curve: Curve, u: Floats) -> list[Floats]:
    """Return the tangents of the curves through a point, in the coordinates' own units.

    One at an ordinary point, two at a simple branch point, none where more is degenerate.
    """
    size, row, matrix = curve.linearized(u)
    if not np.isfinite(matrix).all():
        return []
    left, values, right = np.linalg.svd(matrix)
    lost = int((values <= _LOST_RANK).sum())
    if lost == 0:
        return [right[-1] * size]
    if lost > 1:
        return []
    a, b = right[-2] * size, right[-1] * size
    psi = left[:, -1] * row
    aa, ab, bb = (
        float(psi @ curve.piece.derivative(u, *pair)) for pair in ((a, a), (a, b), (b, b))
    )
    return [(y * a + z * b) for y, z in _null_lines(aa, ab, bb)]


def _null_lines(aa: float, ab: float, bb: float) -> list[tuple[float, float]]:
    """Return the two directions in which a quadratic form vanishes, where they differ.

    The form is in units, so that what is much smaller than 1 is 0; a form that is 0 altogether is
    that of equilibria that are not isolated.

    >>> [sorted(map(abs, line)) for line in _null_lines(0.0, 1.0, 0.0)]
    [[0.0, 1.0], [0.0, 1.0]]
    """
    (low, high), vectors = np.linalg.eigh(np.array([[aa, ab], [ab, bb]]))
    if not low < -_FLAT < _FLAT < high:
        return []
    parts = np.sqrt(high), np.sqrt(-low)
    both = [parts[0] * vectors[:, 0] + way * parts[1] * vectors[:, 1] for way in (1, -1)]
    return [(float(y), float(z)) for y, z in (line / np.linalg.norm(line) for line in both)]
