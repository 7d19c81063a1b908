"""Cases: one block of equations as several simpler ones.

max(a, b) is a or b, |a| is a or -a, a piecewise expression is one of its pieces; a product is
zero where one of its factors is. Each combination is a block without corners, often a linear
one whose solutions are all known; a solution counts if it solves the equations as they were.
A linear complementarity problem, such as a community of species of which some die out, is
solved completely in this way (Cottle, Pang & Stone, The Linear Complementarity Problem, 1992).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice, product

import sympy as sp

from physcm.scm.block import Block
from physcm.scm.linear import linear_form

Residuals = tuple[sp.Expr, ...]

MOST_CASES = 64
_CORNERS = (sp.Max, sp.Min, sp.Abs, sp.Piecewise)


@lru_cache(maxsize=256)
def cases(block: Block) -> tuple[Block, ...] | None:
    """Return the simpler blocks, or None if there is nothing to split or too much.

    Products are split only where all cases come out linear.

    >>> x = sp.Symbol("x", real=True)
    >>> corner = Block(("x",), (x - sp.Max(0, 1 - x),), (None,), ((-9, 9),), (0,))
    >>> [case.residuals[0] for case in cases(corner)]
    [x, 2*x - 1]
    """
    smooth = _few(_smooth(block, block.residuals))
    if smooth is None:
        return None
    simple = _few(case for residuals in smooth for case in _factors(block, residuals))
    if simple is not None and all(_is_linear(block, residuals) for residuals in simple):
        smooth = simple
    if smooth == (block.residuals,):
        return None
    nothing = (None,) * len(block.unknowns)
    return tuple(replace(block, residuals=rs, explicit=nothing) for rs in smooth)


def _few(given: Iterable[Residuals]) -> tuple[Residuals, ...] | None:
    """Return different cases, or None if there are too many."""
    listed = list(islice(given, MOST_CASES + 1))
    return None if len(listed) > MOST_CASES else tuple(dict.fromkeys(listed))


def _smooth(block: Block, residuals: Residuals) -> Iterator[Residuals]:
    """Yield residuals with every corner replaced by one of its pieces."""
    corners = _corners(block, sp.Tuple(*residuals))
    if not corners:
        yield residuals
        return
    for piece in _pieces(corners[0]):
        yield from _smooth(block, tuple(r.xreplace({corners[0]: piece}) for r in residuals))


def _factors(block: Block, residuals: Residuals) -> Iterator[Residuals]:
    """Yield residuals with every product replaced by one of its factors in the unknowns."""
    options = []
    for residual in residuals:
        bases = [factor.as_base_exp() for factor in sp.Mul.make_args(residual)]
        reading = [
            base if exponent.is_positive and exponent.is_number else base**exponent
            for base, exponent in bases
            if not base.free_symbols.isdisjoint(block.symbols)
        ]
        options.append(reading if len(reading) > 1 else [residual])
    yield from product(*options)


def _is_linear(block: Block, residuals: Residuals) -> bool:
    return all(linear_form(residual, block.symbols) is not None for residual in residuals)


def _corners(block: Block, expression: sp.Basic) -> list[sp.Expr]:
    """Return the corners in the unknowns that hold no others, in a fixed order."""
    found = {e for e in expression.atoms(*_CORNERS) if not e.free_symbols.isdisjoint(block.symbols)}
    inner = [e for e in found if not any(other != e and e.has(other) for other in found)]
    return sorted(inner, key=sp.default_sort_key)


def _pieces(corner: sp.Expr) -> tuple[sp.Expr, ...]:
    if isinstance(corner, sp.Piecewise):
        return tuple(value for value, _ in corner.args)
    if isinstance(corner, sp.Abs):
        return corner.args[0], -corner.args[0]
    return tuple(corner.args)
