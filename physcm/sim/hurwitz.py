"""How fast a linear system x' = A x comes to rest at least, proved without its eigenvalues.

Two certificates, much cheaper than eigenvalues of a large matrix:

- *diagonal dominance*: weights d > 0 with a_ii d_i + sum_{j != i} |a_ij| d_j <= -r d_i for all i.
  Then max_i |x_i| / d_i shrinks at least as exp(-r t). The weights are sought by Jacobi's
  iteration for the comparison matrix, whose inverse is then nonnegative (Berman & Plemmons,
  Nonnegative Matrices in the Mathematical Sciences, 1994, theorem 6.2.3).
- *Lyapunov*: P > 0 with A' P + P A + 2 r P < 0, so that x' P x shrinks at least as exp(-2 r t).
  P is made for one matrix and proves it of others near it.

Both hold against the rounding of the tests themselves.
"""

from __future__ import annotations

import numpy as np
import scipy

from physcm.mechanism.codegen import Floats

_SWEEPS, _NEIGHBORS = 30, 8
_SHARE = 0.25
_EPSILON = float(np.finfo(float).eps)


def decay_rates(matrices: Floats) -> Floats:
    """Return r > 0 such that the real parts of all eigenvalues are at most -r, else NaN.

    Some of the matrices may be Hurwitz and not be proved to be so.

    Args:
        matrices: finite, shape (points, n, n).

    >>> decay_rates(np.array([[[-2.0, 1.0], [0.5, -2.0]], [[0.0, 1.0], [-1.0, -1.0]]])) > 0
    array([ True,  True])
    >>> decay_rates(np.array([[[1.0]]]))
    array([nan])
    """
    rates = _by_dominance(matrices)
    for _ in range(_NEIGHBORS):
        left = np.flatnonzero(np.isnan(rates))
        if not left.size:
            break
        rates[left] = _by_neighbor(matrices[left])
        if np.isnan(rates[left[0]]):
            break
    return rates


def _by_dominance(matrices: Floats) -> Floats:
    """Return the rates that weights of the unknowns prove."""
    size = np.abs(matrices)
    own = -np.diagonal(matrices, axis1=1, axis2=2)
    size *= 1.0 - np.eye(matrices.shape[1])
    rates = np.full(len(matrices), np.nan)
    going = np.flatnonzero((own > 0).all(axis=1))
    size, own, weights = size[going], own[going], 1.0 / own[going]
    slack = _rounding(matrices.shape[1])
    for _ in range(_SWEEPS):
        pulled = np.einsum("kij,kj->ki", size, weights)
        rate = (own - (1 + slack) * pulled / weights).min(axis=1)
        proved = rate > slack * own.max(axis=1)
        rates[going] = np.fmax(rates[going], np.where(proved, rate, np.nan))
        weights = (1.0 + pulled) / own
    return rates


def _by_neighbor(matrices: Floats) -> Floats:
    """Return the rates that the Lyapunov function of the first matrix proves."""
    rates = np.full(len(matrices), np.nan)
    first, unit = matrices[0], np.eye(matrices.shape[1])
    slowest = -float(np.linalg.eigvals(first).real.max())
    if slowest <= _rounding(len(unit)) * _norm(first):
        return rates
    rate = _SHARE * slowest
    form = scipy.linalg.solve_continuous_lyapunov((first + 2 * rate * unit).T, -unit)
    form = (form + form.T) / 2
    scale = _norm(form)
    if not _is_positive(form, scale):
        return rates
    for k, matrix in enumerate(matrices):
        product = form @ matrix
        if _is_positive(-(product + product.T) - 2 * rate * form, scale * _norm(matrix)):
            rates[k] = rate
    return rates


def _is_positive(form: Floats, size: float) -> bool:
    """Say whether a symmetric matrix, computed from terms of some size, is surely positive."""
    slack = _rounding(len(form)) * size
    _, failed = scipy.linalg.lapack.dpotrf(form - slack * np.eye(len(form)), lower=True)
    return bool(failed == 0)


def _norm(matrix: Floats) -> float:
    return float(np.linalg.norm(matrix))


def _rounding(n: int) -> float:
    """Return a bound on the relative rounding of sums of n terms, and of a factorization."""
    return 16 * n * _EPSILON
