"""Monotone polynomials: equations in one unknown that have exactly one real root."""

from __future__ import annotations

import sympy as sp

from physcm.mechanism.expression import derivative, symbol


def is_monotone(residual: sp.Expr, unknowns: tuple[str, ...]) -> bool:
    """Say whether a residual is a polynomial in one unknown that takes every value once.

    So it is if its degree is odd and its derivative, free of all else, never changes sign: if
    every real root of the derivative is a multiple one of even order (Sturm's theorem).

    >>> x, y = symbol("x"), symbol("y")
    >>> is_monotone(x**3 + x - y, ("x",)), is_monotone(x**3 - x - y, ("x",))
    (True, False)
    """
    x = symbol(unknowns[0])
    slope = sp.expand(derivative(residual, x))
    if len(unknowns) > 1 or slope.free_symbols != {x} or not slope.is_polynomial(x):
        return False
    polynomial = sp.Poly(slope, x)
    if not all(c.is_Rational for c in polynomial.all_coeffs()) or polynomial.degree() % 2:
        return False
    _, factors = polynomial.sqf_list()
    return all(order % 2 == 0 or factor.count_roots() == 0 for factor, order in factors)
