"""Closed forms: the one solution of a block of equations as expressions, where there is one.

Linear blocks are solved by exact algebra. Others need a way to write every unknown in terms of
what is known, one equation at a time: an equation in which the unknown stands once is undone
step by step, through sums, products, odd powers, and functions that have an inverse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from physcm.mechanism.expression import substitute, symbol
from physcm.scm.block import Block
from physcm.scm.elimination import Reduced, reduced
from physcm.scm.linear import linear_form

_LARGEST_LINEAR = 12
_LONGEST = 20_000
_INVERSES = {
    sp.exp: sp.log,
    sp.log: sp.exp,
    sp.sinh: sp.asinh,
    sp.asinh: sp.sinh,
    sp.tanh: sp.atanh,
}
_RANGES = {sp.exp: (0.0, math.inf), sp.tanh: (-1.0, 1.0)}


@dataclass(frozen=True)
class ClosedForm:
    """A solution written out.

    Attributes:
        solution: each unknown of a block in terms of what the block reads.
        pivots: what must not vanish for it to be the one solution.
        ranges: (what, low, high), all of which must lie strictly between the two for it to
            exist: the values that an inverse function takes.
    """

    solution: dict[sp.Symbol, sp.Expr]
    pivots: tuple[sp.Expr, ...] = ()
    ranges: tuple[tuple[sp.Expr, float, float], ...] = ()


@lru_cache(maxsize=256)
def closed_form(block: Block) -> ClosedForm | None:
    """Return the solution of a block in closed form, or None if none is found.

    >>> x, y, k = sp.symbols("x y k", real=True)
    >>> nowhere = ((-sp.oo, sp.oo),) * 2
    >>> form = closed_form(Block(("x", "y"), (x - k * y - 1, y - x), (None, None), nowhere, (0, 0)))
    >>> form.solution[x], form.pivots
    (-1/(k - 1), (1 - k,))
    """
    if len(block.unknowns) == 1 and block.explicit[0] is not None:
        return ClosedForm({symbol(block.unknowns[0]): block.explicit[0]})
    return _linear(block) or _eliminated(block)


def _linear(block: Block) -> ClosedForm | None:
    forms = [linear_form(residual, block.symbols) for residual in block.residuals]
    if len(forms) > _LARGEST_LINEAR:
        return None
    known = [form for form in forms if form is not None]
    if len(known) < len(forms):
        return None
    unknowns = [symbol(name) for name in block.unknowns]
    matrix = sp.Matrix([[slopes.get(x, sp.S.Zero) for x in unknowns] for slopes, _ in known])
    side = sp.Matrix([-constant for _, constant in known])
    found = list(sp.linsolve((matrix, side), *unknowns))
    if len(found) != 1 or not found[0].free_symbols.isdisjoint(unknowns):
        return None
    return ClosedForm(
        dict(zip(unknowns, found[0], strict=True)), (sp.expand(matrix.det(method="berkowitz")),)
    )


def _eliminated(block: Block) -> ClosedForm | None:
    small = reduced(block)
    if small is None or len(small.tears) > 1:
        return None
    definitions = dict(small.definitions)
    order = list(definitions)
    if _length_written_out(small) > _LONGEST:
        return None
    tears: dict[sp.Symbol, sp.Expr] = {}
    pivots = small.pivots
    ranges: tuple[tuple[sp.Expr, float, float], ...] = ()
    if small.tears:
        tear = symbol(small.tears[0])
        residual = substitute(small.residuals[0], definitions, order)
        one = _undone(residual, tear)
        if one is None:
            return None
        tears, pivots, ranges = one.solution, (*pivots, *one.pivots), one.ranges
    written = {
        symbol(name): substitute(symbol(name), definitions, order).xreplace(tears)
        for name in definitions
    }
    return ClosedForm({**tears, **written}, pivots, ranges)


def _length_written_out(small: Reduced) -> int:
    """Return how long the longest expression is in terms of the tear and known values.

    Where each of a chain of definitions reads the one before twice, it doubles with each.
    """
    lengths: dict[sp.Basic, int] = {}
    named = [(symbol(name), expression) for name, expression in small.definitions]
    for name, expression in [*named, *((sp.Dummy(), r) for r in small.residuals)]:
        lengths[name] = sum(lengths.get(part, 1) for part in sp.preorder_traversal(expression))
    return max(lengths.values(), default=0)


def _undone(residual: sp.Expr, x: sp.Symbol) -> ClosedForm | None:
    """Solve residual = 0 for x: linear in x, or with x standing once."""
    left, right = residual, sp.S.Zero
    pivots: list[sp.Expr] = []
    ranges: list[tuple[sp.Expr, float, float]] = []
    while left != x:
        form = linear_form(left, {x})
        if form is not None:
            slope, constant = form[0].get(x, sp.S.Zero), form[1]
            if slope == 0:
                return None
            left, right = x, (right - constant) / slope
            pivots.append(slope)
            continue
        if left.is_Add or left.is_Mul:
            free, moving = left.as_independent(x, as_Add=left.is_Add)
            if free == left.identity:
                return None
            right = right - free if left.is_Add else right / free
            pivots += [] if left.is_Add else [free]
            left = moving
        elif left.is_Pow and left.exp.is_Integer and left.exp.is_odd and left.exp > 0:
            left, right = left.base, sp.sign(right) * sp.Abs(right) ** (1 / left.exp)
        elif left.func in _INVERSES:
            if left.func in _RANGES:
                ranges.append((right, *_RANGES[left.func]))
            left, right = left.args[0], _INVERSES[left.func](right)
            if right.has(sp.I, sp.zoo, sp.oo, sp.nan):
                return None
        else:
            return None
    needed = tuple(pivot for pivot in pivots if not pivot.is_nonzero)
    return ClosedForm({x: right}, needed, tuple(ranges))
