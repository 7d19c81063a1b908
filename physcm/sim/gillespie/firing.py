"""What the reactions of one mode do: their propensities, and what a firing changes, compiled.

Where all changes of a state are whole multiples of one unit u, its value is kept as

    x = x_0 + u m,      m a whole number that a firing changes by a whole number,

which no number of firings can round away from: a species that is used up is at exactly 0, also
where it is a concentration and u = 1/V. The unit may differ between samples and pieces.
Changes that are no multiples of each other, or that a firing or time alters, are computed from
the state just before each firing.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.core.relational import Relational

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.expression import TIME, names_in, symbol
from physcm.sim.modes import SystemView
from physcm.sim.plan import SystemPlan
from physcm.sim.reactions import reads_time, require_reactions_alone
from physcm.sim.switching import comparisons_with_time, crossing
from physcm.sim.system import System
from physcm.sim.triggers import watched

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Lattice:
    """The whole numbers in terms of which reactions change the states.

    Attributes:
        units: by how much one step changes each state; 0 where there are no steps.
        steps: how many steps a firing is, (states, reactions).
        own: changes that are no multiples of a unit: state, reaction and what it adds.
    """

    units: Program
    steps: Floats
    own: tuple[tuple[int, int, Program], ...]

    def place(self, x: Floats, p: Floats) -> tuple[Floats, Floats, Floats]:
        """Return x_0, u and m of x = x_0 + u m, all (states, samples).

        What is within rounding of a whole number of units has x_0 = 0.
        """
        unit = self.units.vector(0.0, x, p)
        with np.errstate(all="ignore"):
            count = np.rint(x / unit)
            count[~np.isfinite(count)] = 0.0
            rest = x - unit * count
        rounding = 1e-9 * np.abs(unit) + 1e-15 * np.abs(x)
        on_it = np.isfinite(x) & (np.abs(rest) <= rounding)
        return np.where(on_it, 0.0, rest), unit, count


@dataclass(frozen=True)
class Firings:
    """The reactions of one mode.

    Attributes:
        view: the mode.
        names: the reactions that change anything.
        propensities: their rates, (reactions, samples).
        lattice: what they change.
        watch: the conditions that may turn after a firing, each as 1 or 0.
        clock: the times at which a condition may turn between firings.
        timed: whether propensities read time, so that they change between firings.
    """

    view: SystemView
    names: tuple[str, ...]
    propensities: Program
    lattice: Lattice
    watch: Program
    clock: Program
    timed: bool

    @classmethod
    def of(cls, plan: SystemPlan, view: SystemView) -> Firings:
        """Return the reactions of a mode.

        Raises:
            Unsupported: where something else than reactions moves the state, or a condition
                reads time in a way that does not tell when it turns.
        """
        system = view.system
        require_reactions_alone(system)
        reactions = {name: changes for name, changes in system.reactions.items() if changes}
        conditions = watched(plan.triggers)
        return cls(
            view,
            tuple(reactions),
            system.program(tuple(map(symbol, reactions))),
            lattice(system, reactions),
            system.program(tuple(conditions)),
            system.program(tuple(turning_times(system, conditions))),
            reads_time(system, map(symbol, reactions)),
        )

    def refuse_negative(self, propensities: Floats, now: Floats, samples: Integers) -> None:
        """Refuse propensities (reactions, samples) that are negative.

        Raises:
            InvalidValue: if there is one.
        """
        for k, reaction in np.argwhere(propensities.T < 0)[:1]:
            raise InvalidValue(
                f"reaction `{self.names[reaction]}` has the negative propensity "
                f"`{propensities[reaction, k]:g}` at t = {now[k]:g} in sample {samples[k]}; give "
                "it a rate that cannot turn negative, or write it as two reactions, forth and back"
            )

    def next_turn(self, now: Floats, x: Floats, p: Floats) -> Floats:
        """Return when after `now` a condition may turn, if nothing fires until then.

        That is at the instant at which the two sides of a comparison are equal, and at the
        next floating point number, where `t > 2` is true and `t >= 2` was so already.
        """
        times = self.clock.vector(now, x, p)
        later = np.nextafter(times, np.inf)
        ahead = np.where(times > now, times, np.where(later > now, later, np.inf))
        return np.asarray(ahead.min(axis=0))


def lattice(system: System, reactions: Mapping[str, Mapping[str, sp.Expr]]) -> Lattice:
    """Return the units of the states of a system, and its reactions in terms of them.

    >>> dimer = System.from_reactions(
    ...     {"bind": ("k*P*(P - 1/V)*V", {"P": "-2/V", "D": "1/V"})},
    ...     parameters={"k": 1, "V": 3},
    ...     initial={"P": 2, "D": 0},
    ... )
    >>> lattice(dimer, dimer.reactions).steps.tolist()
    [[1.0], [1.0]]
    >>> lattice(dimer, dimer.reactions).units.scalar(0.0, [0.0, 0.0], [1.0, 3.0])
    [-0.6666666666666666, 0.3333333333333333]
    """
    moving = {TIME.name} | {state for changes in reactions.values() for state in changes}
    for name, definition in system.derived.items():
        if names_in(definition) & moving:
            moving.add(name)
    units: list[sp.Expr] = []
    steps = np.zeros((len(system.states), len(reactions)))
    own: list[tuple[int, int, Program]] = []
    for row, state in enumerate(system.states):
        changes = {
            column: changes[state]
            for column, changes in enumerate(reactions.values())
            if state in changes
        }
        unit = _unit([*changes.values()])
        if unit is None or names_in(unit) & moving:
            own += [(row, column, system.program((e,))) for column, e in changes.items()]
            unit, changes = sp.S.Zero, {}
        units.append(unit)
        for column, change in changes.items():
            steps[row, column] = change / unit
    return Lattice(system.program(tuple(units)), steps, tuple(own))


def _unit(changes: list[sp.Expr]) -> sp.Expr | None:
    """Return the largest expression of which all are whole multiples, if there is one.

    >>> V = symbol("V")
    >>> _unit([2 / V, -3 / V]), _unit([sp.Integer(4), sp.Integer(6)]), _unit([1 / V, V])
    (1/V, 2, None)
    """
    if not changes:
        return sp.S.Zero
    first = changes[0]
    ratios = [change / first for change in changes] if first != 0 else [sp.nan]
    if not all(isinstance(ratio, sp.Rational) for ratio in ratios):
        return None
    return abs(functools.reduce(sp.gcd, ratios)) * first


def turning_times(system: System, conditions: list[sp.Expr]) -> list[sp.Expr]:
    """Return when comparisons turn while the state is at rest.

    Raises:
        Unsupported: for a comparison that reads time other than linearly.

    >>> from physcm.mechanism.expression import TIME
    >>> x = symbol("x")
    >>> still = System({"x": "0"}, initial={"x": 1})
    >>> turning_times(still, [sp.Piecewise((1, (2 * TIME >= x) & (x > 3)), (0, True))])
    [x/2]
    """
    written = comparisons_with_time(conditions, system.derived)
    return list(dict.fromkeys(map(_turning_time, written)))


def _turning_time(comparison: Relational) -> sp.Expr:
    time = crossing(comparison)
    if time is None:
        raise Unsupported(
            f"the condition `{comparison}` does not tell the Gillespie engine when it turns; "
            "compare the time `t` itself with an expression, such as t > 2*k"
        )
    return time
