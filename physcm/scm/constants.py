"""Constants of a model written into its expressions."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from physcm.mechanism.expression import exact, symbol
from physcm.mechanism.values import Value


def constants_in(expression: sp.Expr, values: Mapping[str, Value]) -> sp.Expr:
    """Return an expression with numbers, and what is computed from others, written in.

    >>> x, a, b = map(symbol, "xab")
    >>> constants_in(a * x, {"a": 2 * b, "b": 0.5})
    x
    """
    given = {
        symbol(name): value if isinstance(value, sp.Basic) else exact(value)
        for name, value in values.items()
        if isinstance(value, float | sp.Basic)
    }
    while not expression.free_symbols.isdisjoint(given):
        expression = expression.xreplace(given)
    return expression
