"""Whether there is a root next to a point, as far as Newton's method tells.

Where Newton's equations lose rank in doubles, some balance may be hidden below the rounding of
larger terms, rather than hold: see `physcm.mechanism.precise`. Then the step is computed with
many digits. From what rounding has made a root it leads away; from a multiple root and along a
line of roots it does not, and on the top of a fold, where it has no direction, it comes back
from next to it.
"""

from __future__ import annotations

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import Unsupported
from physcm.mechanism.linearization import Linearized, inverses
from physcm.mechanism.precise import exact, linearized, many_digits, solved
from physcm.sim.equilibrium import NEGLIGIBLE, EquilibriumEquations

_AWAY, _BESIDE = 1e-3, 1e-6
_GOLDEN = 0.6180339887


def has_root_nearby(
    equations: EquilibriumEquations, x: Floats, p: Floats, total: Floats, scale: Floats
) -> bool:
    """Say whether the Newton step from x is short; where it has no value, believe it is.

    Args:
        equations: the equilibrium equations.
        x: where they hold as far as doubles tell, (states,).
        p: the parameters, (parameters,).
        total: the conserved totals, (laws,).
        scale: the size of each state, (states,).

    >>> from physcm.sim import System
    >>> tank = System(
    ...     {"x": "-x + 0.3*(1 - x)*exp(T)", "T": "4.2*(1 - x)*exp(T) - 3*T"},
    ...     initial={"x": 0, "T": 0},
    ... )
    >>> equations, none = EquilibriumEquations(tank), np.empty(0)
    >>> has_root_nearby(equations, np.array([1, 171.6]), none, none, np.ones(2))
    False
    >>> has_root_nearby(equations, np.array([0.964294, 4.500036]), none, none, np.ones(2))
    True
    """
    problem = equations.problem(p[:, np.newaxis], total[:, np.newaxis])
    local = Linearized.at(problem, x[:, np.newaxis])
    if not np.isfinite(local.matrix).all():
        return True
    size = np.maximum(np.abs(x), scale)
    if not inverses(local.matrix)[2][0]:
        steps = [(local.step() * local.column)[:, 0]]
    else:
        share = _BESIDE * (1 + _GOLDEN * np.arange(len(x)) % 1)
        beside = np.where(np.abs(x) > NEGLIGIBLE * scale, (1 - share) * x, share * scale)
        try:
            steps = [_precise_step(equations, point, p, total, size) for point in (x, beside)]
        except (Unsupported, ArithmeticError, ValueError, TypeError):
            return True  # a function without a real value, or without so many digits
    return bool(min(np.abs(step / size).max(initial=0.0) for step in steps) <= _AWAY)


def _precise_step(
    equations: EquilibriumEquations, x: Floats, p: Floats, total: Floats, size: Floats
) -> Floats:
    """Return the Newton step from x with many digits, (states,)."""
    with many_digits():
        residual, slopes = linearized(equations.system.rates, x, p)
        weights = exact(equations.weights)
        residual[equations.dependent] = weights @ exact(x) - exact(total)
        slopes[equations.dependent] = weights
        return solved(slopes, -residual, size)
