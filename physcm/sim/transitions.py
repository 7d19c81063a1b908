"""What changes a state at once: events, random jumps, and reactions one molecule at a time.

Between such instants the state follows its drift and noise. Each is declared as data; the
engines carry them out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import sympy as sp

from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.expression import names_in
from physcm.mechanism.parser import closest, parse
from physcm.mechanism.values import Value, as_value

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Event:
    """When a condition turns true, some variables take new values.

    The semantics are those of SBML Level 3 Version 2, section 4.11: the event triggers when
    its condition turns from false to true, and is executed after `delay`; of several events
    that are due at one instant the one with the highest priority comes first, and priorities
    and conditions are computed anew after each.

    Args:
        trigger: a condition on time, variables and parameters.
        assign: the new values, expressions; all are computed before any takes effect.
        delay: the time from triggering to execution, an expression.
        priority: larger is earlier, an expression; an event without one is in no hurry.
        persistent: if not, an event whose condition turns false before its execution is off.
        initially: what the condition counts as before the start; if False, an event whose
            condition holds at the start triggers then.
        at_trigger: whether the values are computed when it triggers, or when it is executed.

    >>> Event("x > 2", {"x": "x/2"}).delay
    0
    """

    trigger: Any
    assign: Mapping[str, Any]
    delay: Any = 0
    priority: Any = None
    persistent: bool = True
    initially: bool = True
    at_trigger: bool = True

    def reads(self) -> list[tuple[str, frozenset[str]]]:
        """Return each state that it changes with the names that the change reads."""
        parts = [self.trigger, self.delay, *filter(None, [self.priority])]
        always = frozenset().union(*map(names_in, parts))
        return [(name, always | names_in(value)) for name, value in self.assign.items()]


@dataclass(frozen=True)
class Jump:
    """Jumps at random times, with an intensity: a compound Poisson process.

    Args:
        rate: the expected number of jumps per time, an expression; at 0 or below there are none.
        changes: what each jump adds to a state: a number, an expression in the state just
            before, or a distribution of which each jump takes a draw of its own.

    >>> from physcm.mechanism import Normal
    >>> Jump("2*k", {"x": Normal(0, 1)}).rate
    '2*k'
    """

    rate: Any
    changes: Mapping[str, Any] = field(default_factory=dict)

    def reads(self) -> list[tuple[str, frozenset[str]]]:
        """Return each state that it changes with the names that the change reads."""
        always = names_in(self.rate)
        sizes = {k: v for k, v in self.changes.items() if isinstance(v, sp.Basic)}
        return [
            (name, always | (names_in(sizes[name]) if name in sizes else frozenset()))
            for name in self.changes
        ]


def checked_event(
    event: Event, name: str, names: Collection[str], states: Collection[str]
) -> Event:
    """Return an event with its expressions parsed.

    Raises:
        InvalidValue, UnknownVariable, ParseError: for what makes no sense.
    """
    place = f"event `{name}`"
    if not isinstance(event, Event):
        raise InvalidValue(f"{place} is `{event!r}`; give an Event(trigger, assign)")
    _require_states(event.assign, states, place)
    priority = event.priority
    return replace(
        event,
        trigger=condition(event.trigger, names, f"{place}, trigger"),
        assign=_expressions(event.assign, names, f"{place}, new value"),
        delay=_delay(event.delay, names, f"{place}, delay"),
        priority=priority if priority is None else parse(priority, names, f"{place}, priority"),
    )


def condition(raw: Any, names: Collection[str], place: str) -> sp.Basic:
    """Return a condition as a SymPy Boolean.

    >>> condition("x > 1", {"x"}, "trigger")
    x > 1
    """
    read = parse(raw, names, place)
    if not isinstance(read, sp.logic.boolalg.Boolean) or isinstance(read, sp.Symbol):
        raise InvalidValue(f"{place}: `{raw}` is no condition; write a comparison, such as x > 1")
    return read


def checked_jump(jump: Jump, name: str, names: Collection[str], states: Collection[str]) -> Jump:
    """Return a jump with its expressions parsed.

    Raises:
        InvalidValue, UnknownVariable, ParseError: for what makes no sense.
    """
    place = f"jump `{name}`"
    if not isinstance(jump, Jump):
        raise InvalidValue(f"{place} is `{jump!r}`; give a Jump(rate, changes)")
    _require_states(jump.changes, states, place)
    sizes: dict[str, Value] = {
        state: as_value(size, names, f"{place}, change of `{state}`")
        for state, size in jump.changes.items()
    }
    for state, size in sizes.items():
        if isinstance(size, tuple):
            raise InvalidValue(
                f"{place}, change of `{state}`: one number per sample is given; give a number, "
                "an expression or a distribution"
            )
    return Jump(parse(jump.rate, names, f"{place}, rate"), MappingProxyType(sizes))


def checked_reaction(
    changes: Mapping[str, Any], name: str, names: Collection[str], states: Collection[str]
) -> Mapping[str, sp.Expr]:
    """Return what one firing of a reaction adds to each state, parsed.

    Raises:
        InvalidValue, UnknownVariable, ParseError: for what makes no sense.
    """
    place = f"reaction `{name}`"
    if not isinstance(changes, Mapping):
        raise InvalidValue(f"{place} is `{changes!r}`; give the change of each state")
    _require_states(changes, states, place)
    return _expressions(changes, names, f"{place}, change")


def _expressions(
    given: Mapping[str, Any], names: Collection[str], place: str
) -> Mapping[str, sp.Expr]:
    return MappingProxyType({k: parse(v, names, f"{place} of `{k}`") for k, v in given.items()})


def _require_states(given: Mapping[str, Any], states: Collection[str], place: str) -> None:
    for state in given:
        if state not in states:
            raise UnknownVariable(
                f"{place} changes `{state}`, which is no state; {closest(state, states)}"
            )


def _delay(raw: Any, names: Collection[str], place: str) -> sp.Expr:
    delay: sp.Expr = parse(raw, names, place)
    if delay.is_number and delay.is_negative:
        raise InvalidValue(f"{place} is `{raw}`; give a time of at least 0")
    return delay
