"""Blocks without a solution, which intervals prove: an equation that holds nowhere on the domain.

    2 - sin(x) = 0   has no solution, since   2 - [-1, 1] = [1, 3]   does not hold 0.

Reference: Moore, Kearfott & Cloud, Introduction to Interval Analysis, SIAM 2009, chapter 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats
from physcm.mechanism.enclosure import Enclosures, Range
from physcm.mechanism.expression import symbol
from physcm.mechanism.linearization import Flags
from physcm.scm.block import Block
from physcm.scm.elimination import reduced
from physcm.scm.slopes import ranges_in


def is_excluded(block: Block, p: Floats) -> Flags:
    """Say for which columns of known values, (known, columns), there is provably no solution.

    >>> x, a = sp.symbols("x a", real=True)
    >>> wave = Block(("x",), (a - sp.sin(x),), (None,), ((-np.inf, np.inf),), (0,))
    >>> is_excluded(wave, np.array([[0.5, 2.0]]))
    array([False,  True])
    """
    known = {k: Range.of(row, row) for k, row in zip(block.known, p, strict=True)}
    ranges = ranges_in(block, known)
    found = _excludes(ranges, block.residuals, p.shape[1])
    small = reduced(block)
    if small is not None:
        told = dict(ranges)
        for name, expression in small.definitions:
            told[symbol(name)] = Enclosures(told).of(expression)
        found |= small.is_sound(p) & _excludes(told, small.residuals, p.shape[1])
    return found


def _excludes(
    ranges: Mapping[sp.Symbol, Range], residuals: Sequence[sp.Expr], columns: int
) -> Flags:
    """Say where some residual cannot be 0."""
    values = Enclosures(ranges)
    found = np.zeros(columns, dtype=bool)
    for residual in residuals:
        own = values.of(residual)
        found |= (own.low > 0) | (own.high < 0)
    return found
