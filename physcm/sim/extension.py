"""Mechanisms beyond the bounds of states: what they are on the bound goes on outside of it.

An amount that dies out, or a tank that runs dry in finite time, comes to 0 and stays; a solver
that looks a rounding error further finds the square root of a negative number. With sqrt(x)
read as sqrt(max(x, 0)) the solution within the bounds is the same, and the solver gets there.
"""

from __future__ import annotations

import math

import sympy as sp

from physcm.mechanism.expression import exact, symbol
from physcm.sim.system import System


def extended(system: System) -> System:
    """Return a system whose mechanisms read each state at the nearest value within its bounds.

    >>> tank = System({"h": "-sqrt(h)"}, initial={"h": 1}, bounds={"h": (0, float("inf"))})
    >>> print(extended(tank).drift["h"])
    -sqrt(Max(0, h))
    """
    nearest: dict[sp.Symbol, sp.Expr] = {}
    for name in system.states:
        low, high = system.bounds.get(name, (-math.inf, math.inf))
        x = symbol(name)
        x = sp.Max(x, exact(low)) if low > -math.inf else x
        nearest[symbol(name)] = sp.Min(x, exact(high)) if high < math.inf else x
    return system.replace(
        drift={name: f.xreplace(nearest) for name, f in system.drift.items()},
        algebraic={name: e.xreplace(nearest) for name, e in system.algebraic.items()},
    )
