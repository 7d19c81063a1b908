"""Triggers: conditions that are watched, and what follows when one turns true.

A trigger fires when its condition turns from false to true while it is armed. Firing disarms
it; it is armed again once its condition for that is met. A trigger fires once at a crossing:
the state just after the crossing, where the condition holds, cannot fire it a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp
from sympy.core.relational import Relational

from physcm.mechanism.expression import cases
from physcm.mechanism.interventions import When
from physcm.sim.schedule import Schedule, is_condition, quantity
from physcm.sim.system import System
from physcm.sim.transitions import Event


@dataclass(frozen=True)
class Trigger:
    """A condition, and what follows when it turns true.

    Attributes:
        condition: what is watched.
        rearm: what has to hold before it can fire again; `false` for never.
        either: whether turning false fires as well.
        event: what follows, an event of the system;
        place: or the scheduled intervention at this place.
    """

    condition: sp.Basic
    rearm: sp.Basic
    either: bool = False
    event: Event | None = None
    place: int = -1


def triggers(system: System) -> tuple[Trigger, ...]:
    """Return all triggers of a system: those of its events, then those on its schedule."""
    events = [Trigger(e.trigger, sp.Not(e.trigger), event=e) for e in system.events.values()]
    return (*events, *scheduled_triggers(system.schedule))


def scheduled_triggers(schedule: Schedule) -> tuple[Trigger, ...]:
    """Return the triggers on a schedule."""
    entries = enumerate(schedule)
    return tuple(_when(entry, place) for place, entry in entries if isinstance(entry, When))


def _when(entry: When, place: int) -> Trigger:
    watched, direction = entry.condition, entry.direction
    upwards = watched if is_condition(watched) else watched > 0
    condition = sp.Not(upwards) if direction == "down" else upwards
    q = quantity(watched)
    if direction == "down" and q is not None:
        condition = q < 0
    return Trigger(condition, _rearm(entry, condition), either=direction == "both", place=place)


def _rearm(entry: When, condition: sp.Basic) -> sp.Basic:
    """Return what has to hold after firing before a trigger can fire again."""
    rearm, q = entry.rearm, quantity(entry.condition)
    if rearm is None:
        return sp.false
    if is_condition(rearm):
        return rearm
    if entry.direction == "both":
        return sp.true if q is None or rearm == 0 else sp.Abs(q) > rearm
    if q is None or rearm == 0:
        return sp.Not(condition)
    return q < -rearm if entry.direction == "up" else q > rearm


def watched(given: Sequence[Trigger]) -> list[sp.Expr]:
    """Return the conditions, those for arming again, then each comparison in them, as 1 or 0.

    A condition such as `x > 1 and x < 1.1` may hold for too short a time to be seen; that its
    comparisons have changed stays to be seen. So does, of `t == 5`, that t is not below 5 now.

    >>> x = sp.Symbol("x", real=True)
    >>> watched([Trigger(x > 1, sp.false)])
    [Piecewise((1, x > 1), (0, True)), 0, Piecewise((1, x > 1), (0, True))]
    """
    conditions = [trigger.condition for trigger in given] + [trigger.rearm for trigger in given]
    atoms = set().union(*(condition.atoms(Relational) for condition in conditions))
    equal = [atom for atom in atoms if isinstance(atom, sp.Eq | sp.Ne)]
    atoms |= {side(*atom.args) for atom in equal for side in (sp.Lt, sp.Gt)} - {sp.true, sp.false}
    conditions += sorted(atoms, key=sp.default_sort_key)
    return [cases((1, condition), (0, True)) for condition in conditions]
