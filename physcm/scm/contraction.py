"""Blocks that have exactly one solution whatever they read, and the bound that proves it.

Where `physcm.scm.regular` finds that every matrix in an interval matrix [J] of the slopes of
F is invertible, x - C F(x) contracts, with C the inverse of the midpoint of [J]. So F = 0 has
exactly one solution if [J] holds on the whole space (Banach). Within narrower domains D it has
one if the mechanisms x = h(x) map D into D, and contract or have bounded values (Brouwer).
One equation on the line may have slopes without bound, if they are bounded away from zero.

The bound is named by the simplest condition that is met: contraction, |h'| <= H with spectral
radius of H below 1; strict diagonal dominance of [J]; or else regularity of [J].

Reference: Neumaier, Interval Methods for Systems of Equations, Cambridge 1990, sections 3.7,
4.1 and 5.1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.enclosure import Enclosures, Range
from physcm.scm.block import Block
from physcm.scm.regular import inverse_bound
from physcm.scm.slopes import jacobian, ranges_in


def one_solution(block: Block, known: Mapping[str, Range]) -> str | None:
    """Return why a block has exactly one solution for all known values, or None if it may not.

    Args:
        block: the equations.
        known: the range of each known value.

    >>> import sympy as sp
    >>> x, y = sp.symbols("x y", real=True)
    >>> everywhere = ((-np.inf, np.inf),) * 2
    >>> residuals, mechanisms = (x - y / 2, y - sp.sin(x)), (y / 2, sp.sin(x))
    >>> one_solution(Block(("x", "y"), residuals, mechanisms, everywhere, (0, 0)), {})
    'the mechanisms of x, y contract, with slopes bounded by a matrix of spectral radius 0.707'
    """
    low, high = (ends[0] for ends in jacobian(block, ranges_in(block, known)))
    names = ", ".join(block.unknowns)
    if len(low) == 1 and (low > 0 or high < 0) and _is_unbounded(block):
        return f"the equation of {names} is monotone in it, with slopes away from zero"
    if np.isnan(inverse_bound(block, [known[name] for name in block.known])).any():
        return None
    radius = _spectral_radius(block, low, high)
    if not _exists(block, known, contracts=radius is not None):
        return None
    if len(low) == 1 and radius is not None:
        return f"the mechanism of {names} keeps to its domain"
    if radius is not None:
        return (
            f"the mechanisms of {names} contract, with slopes bounded by a matrix of spectral "
            f"radius {radius:.3g}"
        )
    if _is_dominant(low, high):
        return f"the slopes of the equations of {names} are diagonally dominant"
    return f"interval bounds on the slopes of the equations of {names} hold no singular matrix"


def _spectral_radius(block: Block, low: Floats, high: Floats) -> float | None:
    """Return the spectral radius of the bound on the slopes of mechanisms, None if not below 1."""
    if None in block.explicit:
        return None
    one = np.eye(len(low))
    bound = np.maximum(np.abs(one - low), np.abs(one - high))
    radius = float(np.abs(np.linalg.eigvals(bound)).max())
    # A vector w > 0 with H w < w proves that the spectral radius of H >= 0 is below 1.
    w = np.linalg.solve(one - bound, np.ones(len(one))) if radius < 1 else np.zeros(len(one))
    return radius if (w > 0).all() and (w - bound @ w > 0.5).all() else None


def _is_dominant(low: Floats, high: Floats) -> bool:
    largest = np.maximum(np.abs(low), np.abs(high))
    least = np.where((low > 0) | (high < 0), np.minimum(np.abs(low), np.abs(high)), 0.0)
    own = np.diagonal(least)
    return bool((own > (1 + 1e-12) * (largest.sum(axis=1) - np.diagonal(largest))).all())


def _exists(block: Block, known: Mapping[str, Range], *, contracts: bool) -> bool:
    if _is_unbounded(block):
        return True
    if None in block.explicit:
        return False
    values = Enclosures(ranges_in(block, known))
    images = [values.of(h) for h in block.explicit_ones]
    low = np.array([float(np.min(image.low)) for image in images])
    high = np.array([float(np.max(image.high)) for image in images])
    kept = bool(((low >= block.lower) & (high <= block.upper)).all())
    return kept and (contracts or bool(np.isfinite([low, high]).all()))


def _is_unbounded(block: Block) -> bool:
    return bool(np.isinf([block.lower, block.upper]).all())
