"""States of rest that are not isolated.

A body that turns freely about an axis rests, in its own frame, at any speed: its equations of rest
leave lines of states, none of which attracts. Newton's method with the least step,
dX = -J^+ f(X), leads from anywhere near to one of them (Ben-Israel, J. Math. Anal. Appl. 15, 1966).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.equilibrium import EquilibriumEquations

_STEPS, _RANK, _ZERO = 60, 1e-8, 1e-12


def continuum(equations: EquilibriumEquations, x0: Floats, p: Floats) -> tuple[Floats, Floats]:
    """Return states of rest in a continuum, and their parameters, (., points).

    A continuum is what is left while all linear conservation laws keep their totals. It is looked
    for near states in which one alone of those that move is not 0.

    Args:
        equations: of a system.
        x0: states whose sizes are taken, (states, points).
        p: the parameters, (parameters, points).

    >>> from physcm.sim import System
    >>> gyroscope = System({"u": "v*w", "v": "-u*w", "w": "0*u"}, initial=dict.fromkeys("uvw", 1))
    >>> body = System({"a": "b*c", "b": "-2*a*c", "c": "a*b"}, initial=dict.fromkeys("abc", 1))
    >>> start, none = np.array([[3.0], [2.0], [1.0]]), np.empty((0, 1))
    >>> continuum(EquilibriumEquations(gyroscope), start, none)[0].shape
    (3, 0)
    >>> continuum(EquilibriumEquations(body), start, none)[0].tolist()
    [[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]]
    """
    moving = np.array([drift != 0 for drift in equations.system.drift.values()])
    x, p = _axes(x0, moving), np.repeat(p, moving.sum(), axis=1)
    total, size = equations.conserved(x), np.maximum(np.abs(x).max(axis=0, initial=0.0), _ZERO)
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            x = x - _least_step(equations.jacobian(x, p), equations.residual(x, p, total))
        x = np.where(np.abs(x) > _ZERO * size, x, 0.0)
        left, terms = np.abs(equations.residual(x, p, total)), equations.magnitude(x, p, total)
    low, high = equations.bounds[:, :, np.newaxis]
    rests = ((left <= _ZERO * terms) & (low <= x) & (x <= high) & np.isfinite(x)).all(axis=0)
    x, p = x[:, rests], p[:, rests]
    values = np.linalg.svd(equations.jacobian(x, p), compute_uv=False)
    largest = values.max(axis=1, initial=0.0, keepdims=True)
    singular = ((values <= _RANK * largest) & (largest > 0)).any(axis=1)
    return x[:, singular], p[:, singular]


def _axes(x0: Floats, moving: NDArray[np.bool_]) -> Floats:
    """Return states with all moving states but one at 0, (states, points times moving states).

    >>> _axes(np.array([[3.0], [2.0], [1.0]]), np.array([True, False, True])).tolist()
    [[3.0, 0.0], [2.0, 2.0], [0.0, 1.0]]
    """
    kept = np.eye(len(moving), dtype=bool)[moving] | ~moving
    return np.asarray((x0[:, :, np.newaxis] * kept.T[:, np.newaxis, :]).reshape(len(moving), -1))


def _least_step(jacobian: Floats, f: Floats) -> Floats:
    """Return J^+ f, 0 where J is not finite, (states, points)."""
    sound = np.nan_to_num(jacobian, posinf=0.0, neginf=0.0)
    inverse = np.linalg.pinv(sound, rcond=_RANK)
    return np.asarray((inverse @ np.nan_to_num(f).T[:, :, np.newaxis])[:, :, 0].T)
