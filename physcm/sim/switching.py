"""When a mechanism switches by the clock, so that no solver steps over a pulse.

A condition such as t < 5 or t >= start + 1 in a mechanism changes at one time. A solver at
rest takes steps so long that a pulse between two of them goes unseen; it is told these times
and steps exactly to each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import sympy as sp
from sympy.core.relational import Relational

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.expression import TIME, derivative, names_in, substitute
from physcm.sim.system import System


def switch_times(system: System, p: list[float]) -> Floats:
    """Return the times, in order, at which conditions on time alone change.

    Args:
        system: the dynamics.
        p: the parameters of one sample.

    >>> pulse = System(
    ...     {"x": "where(t > a and t < a + 0.1, 1, 0)"}, parameters={"a": 7}, initial={"x": 0}
    ... )
    >>> switch_times(pulse, [7.0]).tolist()
    [7.0, 7.1]
    """
    if system.is_autonomous:
        return np.empty(0)
    times = np.array(system.switches.scalar(0.0, [], p))
    return np.unique(times[np.isfinite(times)])


def switches(system: System) -> Program:
    """Return these times, in no order, as functions of the parameters.

    >>> pulse = System({"x": "where(t > a, 1, 0)"}, parameters={"a": 7}, initial={"x": 0})
    >>> switches(pulse).scalar(0.0, [], [7.0])
    [7.0]
    """
    crossings = [root for condition in _conditions(system) if (root := crossing(condition))]
    return Program.over((), tuple(system.parameters), {}, crossings)


def switch_parameters(system: System) -> frozenset[str]:
    """Return the parameters that these times are computed from.

    >>> pulse = System({"x": "where(t > a, k, 0)"}, parameters={"a": 7, "k": 1}, initial={"x": 0})
    >>> switch_parameters(pulse)
    frozenset({'a'})
    """
    conditions = [c for c in _conditions(system) if crossing(c)]
    return frozenset().union(*map(names_in, conditions)) & frozenset(system.parameters)


def crossing(condition: Relational) -> sp.Expr | None:
    """Return the time at which both sides are equal, where that is linear in time.

    >>> x = sp.Symbol("x", real=True)
    >>> crossing(2 * TIME > x), crossing(x > 1), crossing(sp.sin(TIME) > x)
    (x/2, None, None)
    """
    gap = condition.lhs - condition.rhs
    slope = derivative(gap, TIME)
    rest = sp.expand(gap - slope * TIME)
    if slope == 0 or TIME in slope.free_symbols | rest.free_symbols:
        return None
    return -rest / slope


def comparisons_with_time(
    conditions: Iterable[sp.Basic], derived: Mapping[str, sp.Expr]
) -> list[Relational]:
    """Return the comparisons in conditions that read time, be it through derived variables.

    >>> w = sp.Symbol("w", real=True)
    >>> comparisons_with_time([(w > 1) & (TIME < 2)], {"w": sp.cos(TIME)})
    [cos(t) > 1, t < 2]
    """
    order = list(derived)
    written = (substitute(condition, derived, order) for condition in conditions)
    atoms = set().union(*(condition.atoms(Relational) for condition in written))
    with_time = [atom for atom in atoms if TIME in atom.free_symbols]
    return sorted(with_time, key=sp.default_sort_key)


def _conditions(system: System) -> list[Relational]:
    known = {TIME.name, *system.parameters}
    mechanisms = (*system.drift.values(), *system.derived.values())
    atoms = set().union(*(mechanism.atoms(Relational) for mechanism in mechanisms))
    corners = set().union(*(mechanism.atoms(sp.Max, sp.Min) for mechanism in mechanisms))
    atoms |= {sp.Gt(*corner.args, evaluate=False) for corner in corners if len(corner.args) == 2}
    alone = [c for c in atoms if TIME in c.free_symbols and names_in(c) <= known]
    return sorted(alone, key=sp.default_sort_key)
