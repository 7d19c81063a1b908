"""Hopf points: the first Lyapunov coefficient, which tells how the cycle is born.

At an equilibrium with eigenvalues +-i w, A q = i w q, A^T p = -i w p, <p, q> = <q, q> = 1,

    l_1 = Re( <p, C(q, q, q')> - 2 <p, B(q, A^-1 B(q, q'))>
              + <p, B(q', (2 i w - A)^-1 B(q, q))> ) / (2 w),

q' the complex conjugate of q, B and C the second and third derivatives of the drift. Where
l_1 < 0 the Hopf point is supercritical: a stable cycle grows out of it; where l_1 > 0 it is
subcritical: an unstable cycle shrinks onto it, and the state jumps.

Reference: Kuznetsov, Elements of Applied Bifurcation Theory, 3rd ed., Springer 2004, equation
5.62.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.bifurcation.curve import Curve

_ROUNDING = 1e-9

Complex = NDArray[np.complex128]


def first_lyapunov(curve: Curve, u: Floats, omega: float) -> float:
    """Return the first Lyapunov coefficient at a Hopf point, on the conserved subspace.

    It is 0 where rounding cannot tell its sign.

    Args:
        curve: through the point.
        u: the states and the swept number.
        omega: the angular frequency, whose eigenvalues are +-i omega.
    """
    free, lift = curve.sweep.equations.free, _lift(curve)

    def full(a: NDArray[Any]) -> Complex:
        return np.append(lift @ a, 0.0)

    def form(*along: NDArray[Any]) -> Complex:
        return np.asarray(curve.piece.derivative(u, *map(full, along))[free])

    matrix = curve.piece.jacobian(u)[free, :-1] @ lift
    q, p = _eigenvector(matrix, 1j * omega), _eigenvector(matrix.T, -1j * omega)
    p = p / np.vdot(q, p)
    bar, one = q.conj(), np.eye(len(q))
    cubic = form(q, q, bar)
    slow = form(q, np.linalg.solve(matrix, form(q, bar)))
    fast = form(bar, np.linalg.solve(2j * omega * one - matrix, form(q, q)))
    terms = np.array([np.vdot(p, term) for term in (cubic, -2 * slow, fast)])
    if abs(terms.sum().real) <= _ROUNDING * np.abs(terms).sum():
        return 0.0
    return float(terms.sum().real / (2 * omega))


def _lift(curve: Curve) -> Floats:
    """Return how all states move with those that no law determines, shape (states, free)."""
    equations = curve.sweep.equations
    out = np.zeros((len(equations.system.states), len(equations.free)))
    out[equations.free, np.arange(len(equations.free))] = 1.0
    own = np.diag(equations.weights[:, equations.dependent])
    out[equations.dependent] = -equations.weights[:, equations.free] / own[:, np.newaxis]
    return out


def _eigenvector(matrix: Floats, value: complex) -> Complex:
    values, vectors = np.linalg.eig(matrix)
    return np.asarray(vectors[:, np.argmin(np.abs(values - value))], dtype=np.complex128)
