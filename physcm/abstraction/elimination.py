"""Roots of small systems of polynomials as expressions, by eliminating unknowns in turn.

Products of unknowns are cancelled against each other as far as they can. Then what stands in lowest
degree is solved for and put into the rest; of a quadratic, or of a product, each root is followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sympy as sp

_HIGHEST_DEGREE, _LONGEST = 2, 100
Forms = dict[sp.Symbol, sp.Expr]


def eliminated(residuals: Sequence[sp.Expr], unknowns: Sequence[sp.Symbol]) -> Iterator[Forms]:
    """Yield what may be roots of polynomials; unknowns that they leave open are not among them.

    Of more equations than unknowns not all need hold.

    >>> x, y = sp.symbols("x y", real=True)
    >>> list(eliminated([x * y, x - 1], [x, y])), list(eliminated([x * y, x], [x, y]))
    ([{x: 1, y: 0}], [{x: 0}])
    >>> list(eliminated([x * y], [x, y]))
    [{x: 0}, {y: 0}]
    """
    residuals = _combined(residuals, unknowns) if unknowns else []
    ways = [
        (sp.degree(r, x), sum(r.has(y) for y in unknowns), sp.count_ops(r), i)
        for i, r in enumerate(residuals)
        for x in unknowns
        if r.has(x)
    ]
    if not ways:
        yield {}
        return
    degree, _, length, i = min(ways)
    if degree > _HIGHEST_DEGREE or length > _LONGEST:
        return
    rest = [r for k, r in enumerate(residuals) if k != i]
    for factor, _ in sp.factor_list(residuals[i])[1]:
        members = [y for y in unknowns if factor.has(y)]
        for x in sorted(members, key=lambda y: sp.degree(factor, y))[:1]:
            others = [y for y in unknowns if y != x]
            for root in sp.roots(factor, x):
                yield from _followed(rest, x, root, others)


def _followed(
    rest: Sequence[sp.Expr], x: sp.Symbol, root: sp.Expr, others: Sequence[sp.Symbol]
) -> Iterator[Forms]:
    """Yield what may be roots of the rest of polynomials where one unknown is known."""
    left = [sp.numer(sp.together(r.xreplace({x: root}))) for r in rest]
    if all(r.is_polynomial(*others) for r in left):
        for forms in eliminated(left, others):
            yield {x: root.xreplace(forms), **forms}


def _combined(residuals: Sequence[sp.Expr], unknowns: Sequence[sp.Symbol]) -> list[sp.Expr]:
    """Return combinations in which products of unknowns cancel as far as they can.

    Each product counts as an unknown of its own, to be eliminated before single ones are.
    """
    terms = [dict(sp.Poly(r, *unknowns).terms()) for r in residuals]
    order = sorted({powers for row in terms for powers in row}, key=lambda p: (-sum(p), p))
    matrix = sp.Matrix([[row.get(powers, 0) for powers in order] for row in terms])
    reduced, _ = matrix.rref(simplify=True)
    monomials = sp.Matrix([sp.prod(x**e for x, e in zip(unknowns, p, strict=True)) for p in order])
    return [sp.numer(sp.together(e)) for e in reduced * monomials]
