"""What the signs of parameters and amounts grant: the part of an inequality that is left open.

k1 (n - k0/k2)/k3 > 0    for positive k's says no more than    n k2 - k0 > 0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import sympy as sp

from physcm.mechanism.expression import initial_symbol, symbol
from physcm.sim import System


@dataclass(frozen=True)
class Signs:
    """Stand-ins that know the signs of what a system reads.

    Attributes:
        dummies: a stand-in for each symbol of known sign.
    """

    dummies: dict[sp.Symbol, sp.Dummy]

    @classmethod
    def of(cls, system: System, at: Mapping[sp.Symbol, float] = MappingProxyType({})) -> Signs:
        """Return the signs of parameters and of states that cannot be negative.

        Args:
            system: the system.
            at: values of parameters and states, of which nothing but their signs is used;
                parameters left out have the sign of their first draw.
        """
        dummies: dict[sp.Symbol, sp.Dummy] = {}
        for name, (low, _) in system.bounds.items():
            if low >= 0:
                for s in (symbol(name), initial_symbol(name)):
                    dummies[s] = sp.Dummy(s.name, nonnegative=True)
        drawn = system.draw(np.array([0]), 0)[1][:, 0]
        values = dict(zip(map(symbol, system.parameters), drawn, strict=True)) | dict(at)
        for s, value in values.items():
            if value:
                sign = {"positive": True} if value > 0 else {"negative": True}
                dummies[s] = sp.Dummy(s.name, **sign)
        return cls(dummies)

    def known(self, expression: sp.Expr) -> sp.Expr:
        """Return an expression with stand-ins, of which SymPy can tell the sign."""
        return expression.xreplace(self.dummies)

    def open_part(self, expression: sp.Expr, *, strict: bool = False) -> tuple[sp.Expr, bool]:
        """Return what decides whether an expression is at least zero, or positive if `strict`.

        It is 1 where the signs grant it. The second value says whether the expression divides by
        some of it.

        >>> system = System({"x": "-k*x"}, parameters={"k": 2}, initial={"x": 1})
        >>> k, x = map(symbol, "kx")
        >>> Signs.of(system).open_part(k / (k * x - k**2))
        (-k + x, True)
        >>> Signs.of(system).open_part(k**2 + 1)
        (1, False)
        """
        factored = sp.factor(self.known(expression))
        if factored.is_positive or (factored.is_nonnegative and not strict):
            return sp.S.One, False
        parts = [f for f in sp.Mul.make_args(factored) if not f.is_positive]
        divides = any(f.is_Pow and f.exp.is_negative for f in parts)
        back = {dummy: s for s, dummy in self.dummies.items()}
        return sp.expand(sp.Mul(*map(_upright, parts))).xreplace(back), divides


def _upright(factor: sp.Expr) -> sp.Expr:
    """Return x for 1/x, which has the same sign."""
    return 1 / factor if factor.is_Pow and factor.exp == -1 else factor
