"""What equations and their slopes can be while everything in them moves in intervals."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program, derivatives
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.enclosure import Enclosures, Range
from physcm.mechanism.expression import symbol
from physcm.mechanism.values import Value
from physcm.scm.block import Block

EVERYTHING = (-np.inf, np.inf)


def range_of(value: Value) -> tuple[float, float]:
    """Return the lowest and the highest number that a value can be, over all samples.

    >>> range_of(2.0), range_of((3.0, 1.0))
    ((2.0, 2.0), (1.0, 3.0))
    """
    if isinstance(value, Distribution):
        return value.support
    if isinstance(value, tuple):
        return min(value), max(value)
    return EVERYTHING if isinstance(value, sp.Basic) else (value, value)


def jacobian(block: Block, ranges: Mapping[sp.Symbol, Range]) -> tuple[Floats, Floats]:
    """Return the ends of [J], (columns, equations, unknowns); NaN where F may have jumps.

    Args:
        block: the equations.
        ranges: of unknowns and known values, each over the columns or the same for all.
    """
    values, slopes = Enclosures(ranges), Enclosures(ranges, slopes=True)
    n, columns = len(block.unknowns), max(one.low.size for one in ranges.values())
    low, high = np.zeros((2, columns, n, n))
    for i, residual in enumerate(block.residuals):
        low[np.isnan(np.broadcast_to(values.of(residual).low, columns)), i] = np.nan
    if not np.isnan(low).all(axis=0).any():
        for i, j, slope in _slopes(block.unknowns, block.known, block.residuals):
            own = slopes.of(slope)
            low[:, i, j] += own.low
            high[:, i, j] = own.high
    return low, high


def inverses(matrices: Floats) -> Floats:
    """Return inverses, NaN of matrices that are singular or not defined."""
    defined = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
    matrices = np.where(defined[:, np.newaxis, np.newaxis], matrices, 0.0)
    regular = np.asarray(np.linalg.slogdet(matrices).sign != 0)
    found = np.full(matrices.shape, np.nan)
    found[regular] = np.linalg.inv(matrices[regular])
    return found


@lru_cache(maxsize=256)
def _slopes(
    unknowns: tuple[str, ...], known: tuple[str, ...], residuals: tuple[sp.Expr, ...]
) -> list[tuple[int, int, sp.Expr]]:
    residuals = tuple(r.replace(_is_logistic, _through_tanh) for r in residuals)
    return derivatives(Program(unknowns, known, (), residuals), unknowns)[1]


def _is_logistic(e: sp.Basic) -> bool:
    """Say whether an expression is 1 / (1 + exp(u)), whose slope intervals do not bound."""
    inverse = 1 / e if isinstance(e, sp.Pow) and e.exp == -1 else None
    return inverse is not None and isinstance(inverse - 1, sp.exp)


def _through_tanh(e: sp.Expr) -> sp.Expr:
    return (1 - sp.tanh((1 / e - 1).args[0] / 2)) / 2


def ranges_in(block: Block, known: Mapping[str, Range]) -> dict[sp.Symbol, Range]:
    """Return the ranges of a block's unknowns, their domains, and of its known values."""
    own = {name: Range.of(*d) for name, d in zip(block.unknowns, block.domains, strict=True)}
    return {symbol(name): one for name, one in {**known, **own}.items()}
