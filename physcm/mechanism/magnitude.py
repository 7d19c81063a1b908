"""The size of the terms of an expression: what a zero has to be compared with.

A residual of 1e-20 is large in an equation whose terms are 1e-20, and nothing in one whose
terms are 1. `size_of_terms` gives the number to divide by.

Reference: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002,
section 3.3 (running error analysis).
"""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from physcm.mechanism.expression import derivative

_BOUNDED = (sp.sin, sp.cos, sp.tanh)


@lru_cache(maxsize=65536)
def size_of_terms(expression: sp.Expr) -> sp.Expr:
    """Return the sum of the absolute values of an expression's terms.

    It is what the expression would be if nothing in it cancelled, and to first order by how
    much it changes when all numbers in it change by the fraction 1: |f| + |f'(u)| size(u).

    >>> x, y = sp.symbols("x y", real=True)
    >>> size_of_terms(x * (1 - y) - 3)
    (Abs(y) + 1)*Abs(x) + 3
    """
    if expression.is_Number or not expression.args:
        return sp.Abs(expression)
    if isinstance(expression, sp.Piecewise):
        return sp.Piecewise(*((size_of_terms(value), case) for value, case in expression.args))
    sizes = [size_of_terms(part) for part in expression.args]
    if isinstance(expression, sp.Abs):
        return sizes[0]
    if isinstance(expression, sp.Add | sp.Max | sp.Min):
        return sp.Add(*sizes)
    if isinstance(expression, sp.Mul):
        return sp.Mul(*sizes)
    if expression.is_Pow and expression.exp.is_Number:
        return _size_of_power(expression.base, expression.exp, sizes[0])
    size = sp.Abs(expression) + _first_order(expression, sizes)
    return sp.Min(size, 1, evaluate=False) if isinstance(expression, _BOUNDED) else size


def _size_of_power(base: sp.Expr, exponent: sp.Expr, size: sp.Expr) -> sp.Expr:
    if exponent.is_Integer and exponent.is_positive:
        return size**exponent
    whole = sp.Abs(base)
    if size == whole:
        return whole**exponent
    return whole**exponent * (1 + sp.Abs(exponent) * size / whole)


def _first_order(expression: sp.Expr, sizes: list[sp.Expr]) -> sp.Expr:
    """Return the sum of |f_i'(u)| size(u_i) over the arguments; whole numbers are exact."""
    places = [
        part if part.is_Integer else sp.Symbol(f"_place{i}", real=True)
        for i, part in enumerate(expression.args)
    ]
    outer = expression.func(*places)
    inner = dict(zip(places, expression.args, strict=True))
    return sp.Add(*(
        sp.Abs(derivative(outer, place).xreplace(inner)) * size
        for place, size in zip(places, sizes, strict=True)
        if place.is_Symbol
    ))  # fmt: skip
