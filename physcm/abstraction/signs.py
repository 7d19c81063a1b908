"""What the signs of parameters and amounts grant: the part of an inequality that is left open.

k1 (n - k0/k2)/k3 > 0    for positive k's says no more than    n k2 - k0 > 0
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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

    def open_part(self, expression: sp.Expr) -> sp.Expr:
        """Return what decides whether an expression is positive, 1 where the signs grant it.

        >>> system = System({"x": "-k*x"}, parameters={"k": 2}, initial={"x": 1})
        >>> k, x = map(symbol, "kx")
        >>> Signs.of(system).open_part(k / (k * x - k**2)), Signs.of(system).open_part(k**2 + 1)
        (-k + x, 1)
        """
        factored = sp.factor(self.known(expression))
        if factored.is_positive:
            return sp.S.One
        parts = [f for f in sp.Mul.make_args(factored) if not f.is_positive]
        return self.written(sp.expand(sp.Mul(*map(_upright, parts))))

    def asked(
        self, expression: sp.Expr, granted: Collection[sp.Expr] = ()
    ) -> dict[sp.Expr, type[sp.Rel]]:
        """Return what has to be at least zero, or above it, for an expression to be at least zero.

        What it is divided by has to be above or below zero. Beside the signs of symbols it is known
        that what is granted is above zero.

        >>> system = System({"x": "-k*x"}, parameters={"k": 2}, initial={"x": 1})
        >>> a, b, k = map(symbol, "abk")
        >>> Signs.of(system).asked(k * a / (a - b))
        {a**2 - a*b: <class 'sympy.core.relational.StrictGreaterThan'>}
        >>> Signs.of(system).asked(k * a / (a - b), [a - b])
        {a: <class 'sympy.core.relational.GreaterThan'>}
        """
        above, below = map(sp.Mul.make_args, sp.fraction(sp.factor(self.known(expression))))
        known = {self.known(e) for e in granted}
        turns = sum(-f in known for f in (*above, *below))
        known |= {-e for e in known}
        left = [f for f in above if not f.is_nonnegative and f not in known]
        under = [f for f in below if not f.is_positive and f not in known]
        unsigned = [f for f in under if not f.is_nonnegative]
        whole = sp.Mul((-1) ** turns, *left, *unsigned)
        if whole.is_nonnegative:
            return {self.written(sp.expand(f)): sp.Gt for f in under}
        return {self.written(sp.expand(whole)): sp.Gt if unsigned else sp.Ge}

    def written(self, known: sp.Expr) -> sp.Expr:
        """Return an expression with symbols in place of stand-ins."""
        return known.xreplace({dummy: s for s, dummy in self.dummies.items()})


def _upright(factor: sp.Expr) -> sp.Expr:
    """Return x for 1/x, which has the same sign."""
    return 1 / factor if factor.is_Pow and factor.exp == -1 else factor
