"""What is known of the signs of variables and parameters, and which factors never vanish."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import sympy as sp

from physcm.mechanism.declarations import Interval
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.values import Value


@dataclass(frozen=True)
class Signs:
    """The ranges of names.

    Of a parameter no more than its sign is used, so that what follows holds at other values of
    that sign too. A parameter without a value is generic: it is not zero.

    Attributes:
        bounds: the lowest and highest value of variables.
        values: parameters.
        variables: the names that are variables.
    """

    bounds: Mapping[str, Interval]
    values: Mapping[str, Value]
    variables: Collection[str]

    def never_vanishes(self, expression: sp.Expr, inside: Collection[str] = ()) -> bool:
        """Say whether an expression is known not to be zero.

        Args:
            expression: over names.
            inside: variables that are not at a bound, such as amounts that are not 0.

        >>> x, k = sp.symbols("x k", real=True)
        >>> signs = Signs({"x": (0, math.inf)}, {"k": 2.0}, ["x"])
        >>> signs.never_vanishes(x + k), signs.never_vanishes(x), signs.never_vanishes(x, ["x"])
        (True, False, True)
        """
        known = self.stand_ins(expression.free_symbols, inside)
        return expression.xreplace(known).is_zero is False

    def stand_ins(
        self, symbols: Iterable[sp.Symbol], inside: Collection[str] = ()
    ) -> dict[sp.Symbol, sp.Expr]:
        """Return symbols that know their signs, one for each symbol."""
        return {s: self._dummy(s.name, inside) for s in symbols}

    def _dummy(self, name: str, inside: Collection[str]) -> sp.Expr:
        low, high = self._range(name)
        if low == high == 0:
            return sp.S.Zero
        if low > 0 or (low == 0 and name in inside):
            return sp.Dummy(name, positive=True)
        if high < 0 or (high == 0 and name in inside):
            return sp.Dummy(name, negative=True)
        if low == 0:
            return sp.Dummy(name, nonnegative=True)
        known = name in self.variables or name in self.values
        return sp.Dummy(name, real=True) if known else sp.Dummy(name, real=True, nonzero=True)

    def _range(self, name: str) -> Interval:
        value = self.values.get(name)
        if isinstance(value, float):
            return value, value
        if isinstance(value, Distribution):
            return value.support
        if isinstance(value, tuple):
            return min(value), max(value)
        return self.bounds.get(name, (-math.inf, math.inf))
