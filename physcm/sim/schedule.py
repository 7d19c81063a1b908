"""The schedule: interventions that do not act at all times, for a simulation to carry out.

At each instant some of the scheduled interventions act. Together with the mechanisms of the
system they make a *mode*, which is a system without schedule: between two changes of mode a
simulation is that of an ordinary system. They are done in the order of the schedule, each to
what the earlier ones have left, so that of two holds of one variable the later wins while both
act, and the earlier has it back afterwards. A triggered one is done as often as it is triggered,
each time to what the other triggered ones have left: so two of them can switch something back
and forth. One that is not triggered keeps its place among them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import numpy as np
import sympy as sp

from physcm.mechanism.distributions import Distribution
from physcm.mechanism.errors import InvalidValue, UnknownVariable, Unsupported
from physcm.mechanism.expression import exact, symbol
from physcm.mechanism.interventions import (
    EdgeIntervention,
    Impulse,
    Intervention,
    Mode,
    SetParameter,
    When,
)
from physcm.mechanism.parser import closest, parse
from physcm.mechanism.values import Value, as_value
from physcm.sim.intervene import intervene

if TYPE_CHECKING:
    from physcm.sim.system import System

Schedule: TypeAlias = "Sequence[Intervention | EdgeIntervention]"
Content: TypeAlias = Mode | Impulse | EdgeIntervention
"""What is done, without the trigger."""
Reader: TypeAlias = "Callable[[Any, str], Any]"
"""Reads an expression; the second argument is where it stands, to begin error messages with."""
Timed = TypeVar("Timed", bound=Content)

_LABELS = {"Hold": "do", "Shift": "shift", "ScaleNoise": "scale", "Impulse": "impulse"}
_CONTENT = {
    "Hold": "value",
    "Shift": "amount",
    "ScaleNoise": "factor",
    "Replace": "mechanism",
    "Impulse": "amount",
}


def scheduled(
    entry: Intervention | EdgeIntervention, names: Collection[str], parameters: Collection[str]
) -> Intervention:
    """Return an intervention with its expressions parsed.

    Args:
        entry: what is scheduled.
        names: what its expressions may read.
        parameters: what its times may read.

    Raises:
        ParseError, UnknownVariable, InvalidValue: for what cannot be read.
        Unsupported: for an intervention on an edge.
    """
    if isinstance(entry, EdgeIntervention):
        raise Unsupported(
            f"`{entry!r}` acts on an edge, and a system has none; intervene on a network "
            "(System.from_network), or use Replace(...)"
        )
    if isinstance(entry, When):
        inner = scheduled(entry.intervention, names, parameters)
        return replace(
            watching(entry, lambda text, place: parse(text, names, place)), intervention=inner
        )
    timed = with_times(entry, lambda text, place: parse(text, parameters, place))
    if isinstance(timed, SetParameter):
        known = {*names, *(f"{name}(0)" for name in names)}
        return SetParameter(
            {k: as_value(v, known, f"parameter `{k}`") for k, v in timed.values.items()},
            during=timed.during,
        )
    kind = type(timed).__name__
    content = _CONTENT[kind]
    place = (
        f"impulse on `{timed.name}`" if isinstance(timed, Impulse) else f"{kind} of `{timed.name}`"
    )
    value: dict[str, Any] = {content: as_value(getattr(timed, content), names, place)}
    return replace(timed, **value)


def with_times(entry: Timed, read: Reader) -> Timed:
    """Return an intervention with the times at which it acts parsed."""
    if isinstance(entry, Impulse):
        at = None if entry.at is None else _time(entry.at, read, f"impulse on `{entry.name}`, at")
        return replace(entry, at=at)
    if entry.during is None:
        return entry
    begin, end = (_time(time, read, f"during of `{entry!r}`") for time in entry.during)
    given: Any = entry
    during: dict[str, Any] = {"during": (begin, end)}
    is_set = isinstance(entry, SetParameter)
    timed: Any = SetParameter(given.values, **during) if is_set else replace(given, **during)
    return cast(Timed, timed)


def _time(raw: Any, read: Reader, place: str) -> float | sp.Expr:
    if isinstance(raw, np.number):
        raw = raw.item()
    expression = read(raw, place)
    return float(expression) if expression.is_number else expression


def watching(entry: When, read: Reader) -> When:
    """Return a triggered intervention with its condition, and that for arming it again, parsed."""
    place = f"When `{entry.condition}`"
    rearm = entry.rearm
    if rearm is not None:
        rearm = read(rearm, f"{place}, rearm")
        if rearm.is_number and not (rearm.is_finite and rearm >= 0):
            raise InvalidValue(f"{place}: rearm is `{entry.rearm}`; give a number of at least 0")
    watched = read(entry.condition, place)
    if not watched.free_symbols:
        raise InvalidValue(f"{place}: it never changes; give a condition on variables or time")
    if rearm is not None and not is_condition(rearm) and rearm != 0 and quantity(watched) is None:
        raise InvalidValue(
            f"{place}: it has no single quantity for `rearm={entry.rearm}` to measure; give a "
            "comparison, or a condition as `rearm`"
        )
    return replace(entry, condition=watched, rearm=rearm)


def is_condition(read: sp.Basic) -> bool:
    """Say whether an expression is true or false, rather than a number.

    >>> x = sp.Symbol("x", real=True)
    >>> is_condition(x > 1), is_condition(x)  # a symbol may stand for either, and is a number here
    (True, False)
    """
    return isinstance(read, sp.logic.boolalg.Boolean) and not isinstance(read, sp.Symbol)


def quantity(watched: sp.Basic) -> sp.Expr | None:
    """Return what crosses zero upwards when a condition turns true, if it is one quantity.

    >>> x = sp.Symbol("x", real=True)
    >>> quantity(x < 2), quantity(x - 1), quantity((x > 1) & (x < 2))
    (2 - x, x - 1, None)
    """
    if isinstance(watched, sp.StrictGreaterThan | sp.GreaterThan):
        return watched.lhs - watched.rhs
    if isinstance(watched, sp.StrictLessThan | sp.LessThan):
        return watched.rhs - watched.lhs
    return None if is_condition(watched) else watched


def mode(system: System, acting: Iterable[int]) -> System:
    """Return the system in which the scheduled interventions of some places act at all times.

    Args:
        system: with its schedule.
        acting: the places, in the order in which they are done.

    >>> from physcm.sim import System
    >>> from physcm.mechanism import Hold
    >>> decay = System({"x": "-x"}, initial={"x": 1}).do(Hold("x", 2, during=(1, 3)))
    >>> mode(decay, [0]).held
    mappingproxy({'x': do(x)})
    """
    result = system.replace(schedule=())
    for place in acting:
        entry = unwrapped(system.schedule[place])
        if isinstance(entry, Mode):
            result = intervene(result, entry, numbered(system.schedule, place, system.parameters))
    return result


def in_order(
    schedule: Schedule, meet: Callable[[int, int], bool], acting: Sequence[int]
) -> tuple[int, ...]:
    """Return the places of interventions in the order in which they are done.

    That is the order of the schedule, but where two have a target in common: of two triggered
    ones that which was triggered last is done last; one that is not triggered is done after all
    before it on the schedule, and before all after it.

    Args:
        schedule: all interventions.
        meet: says whether those at two places have a target in common.
        acting: the places, in the order in which the triggered ones were triggered.

    >>> from physcm.sim import System
    >>> from physcm.mechanism import SetParameter
    >>> heater = System({"T": "u - T"}, parameters={"u": 1}, initial={"T": 0}).do(
    ...     When("T > 0.9", SetParameter(u=0), rearm=0), When("T < 0.1", SetParameter(u=1), rearm=0)
    ... )
    >>> orders = [0, 1], [1, 0]
    >>> [in_order(heater.schedule, lambda i, j: meet(heater, i, j), order) for order in orders]
    [(0, 1), (1, 0)]
    """
    fixed = [place for place in acting if not isinstance(schedule[place], When)]

    def rank(place: int) -> tuple[int, int]:
        if place in fixed:
            return place, -1
        below = [other for other in fixed if other < place and meet(other, place)]
        return max(below, default=-1), acting.index(place)

    left, order = sorted(acting, key=rank), list[int]()
    while left:
        free = (b for k, b in enumerate(left) if not any(meet(a, b) for a in left[:k]))
        order.append(min(free))
        left.remove(order[-1])
    return tuple(order)


def meet(system: System, *places: int) -> bool:
    """Say whether two scheduled interventions have a target in common."""
    one, other = (_targets(system, unwrapped(system.schedule[place])) for place in places)
    return bool(one & other)


def _targets(system: System, entry: Content) -> set[str]:
    if isinstance(entry, SetParameter):
        return {*entry.values}
    assert not isinstance(entry, EdgeIntervention)  # noqa: S101 - `scheduled` refuses it
    return {entry.name}.union(*(group for group in system.held_together if entry.name in group))


def check(system: System) -> None:
    """Try each scheduled intervention on its own.

    Raises:
        UnknownVariable, InvalidValue, Infeasible: for one that the system does not admit.
    """
    for place, given in enumerate(system.schedule):
        entry = unwrapped(given)
        if not isinstance(entry, Impulse):
            mode(system, [place])
            continue
        require_time(given)
        if entry.name not in system.drift and entry.name not in system.held:
            raise UnknownVariable(
                f"impulse on `{entry.name}`, which is no state; {closest(entry.name, system.drift)}"
            )


def require_time(entry: Intervention | EdgeIntervention) -> None:
    """Refuse an impulse that comes at no time."""
    if isinstance(entry, Impulse) and entry.at is None:
        raise InvalidValue(f"impulse on `{entry.name}` has no time; give `at`, such as at=1")


def require_one_per_sample(system: System, n: int) -> None:
    """Refuse values per sample that are more than there are samples.

    Raises:
        InvalidValue: for an array that is too long. (One that is too short has no value to draw.)
    """
    given: dict[str, Any] = {**system.parameters}
    given |= {f"{name}(0)": value for name, value in system.initial.items()}
    for entry in map(unwrapped, system.schedule):
        if isinstance(entry, SetParameter):
            given |= entry.values
        elif not isinstance(entry, EdgeIntervention):
            kind = type(entry).__name__
            given[f"{_LABELS.get(kind, kind)}({entry.name})"] = getattr(entry, _CONTENT[kind])
    for name, value in given.items():
        if isinstance(value, tuple) and len(value) > n:
            raise InvalidValue(
                f"`{name}` has values for {len(value)} samples, and n is {n}; give as many values "
                f"as there are samples, or ask for n={len(value)}"
            )


def unwrapped(entry: Intervention | EdgeIntervention) -> Content:
    """Return what is done, without the trigger."""
    inner = entry.intervention if isinstance(entry, When) else entry
    assert not isinstance(inner, When)  # noqa: S101 - `When` refuses it
    return inner


def numbered(schedule: Schedule, place: int, taken: Iterable[str]) -> str:
    """Return the number of a scheduled intervention among those of its kind, as in `do(X, 2)`.

    Args:
        schedule: all interventions.
        place: of this one.
        taken: the parameters that the model has without them.
    """
    entry = unwrapped(schedule[place])
    alike = [unwrapped(other) for other in schedule[: place + 1]]
    return with_number(entry, sum(_same_kind(entry, other) for other in alike), taken)


def with_number(entry: Content, count: int, taken: Iterable[str]) -> str:
    """Return the number of an intervention that is that many-th of its kind on the schedule."""
    if isinstance(entry, SetParameter | EdgeIntervention):
        return ""
    label = _LABELS.get(type(entry).__name__, "")
    own = (f"{label}({entry.name})", f"{label}({entry.name}, ")
    count += sum(name == own[0] or name.startswith(own[1]) for name in taken)
    return f", {count}" if count > 1 else ""


def _same_kind(one: Content, other: Content) -> bool:
    if isinstance(one, SetParameter | EdgeIntervention) or type(one) is not type(other):
        return False
    return one.name == getattr(other, "name", "")


def impulses(schedule: Schedule, taken: Collection[str]) -> dict[int, tuple[str, sp.Expr]]:
    """Return the state that each scheduled impulse changes and what it adds, by its place.

    What is drawn, or differs between samples, is the symbol `impulse(X)` of `impulse_values`.

    Args:
        schedule: all interventions.
        taken: the parameters that the model has without them.
    """
    return {
        place: (entry.name, _amount(schedule, place, entry, taken))
        for place, entry in enumerate(map(unwrapped, schedule))
        if isinstance(entry, Impulse)
    }


def impulse_values(schedule: Schedule, taken: Collection[str]) -> dict[str, Value]:
    """Return the amounts of impulses that are drawn or differ between samples, by name."""
    return {
        _impulse_name(schedule, place, entry, taken): entry.amount
        for place, entry in enumerate(map(unwrapped, schedule))
        if isinstance(entry, Impulse) and isinstance(entry.amount, Distribution | tuple)
    }


def _amount(schedule: Schedule, place: int, entry: Impulse, taken: Collection[str]) -> sp.Expr:
    amount = entry.amount
    if isinstance(amount, Distribution | tuple):
        return symbol(_impulse_name(schedule, place, entry, taken))
    return amount if isinstance(amount, sp.Expr) else exact(amount)


def _impulse_name(schedule: Schedule, place: int, entry: Impulse, taken: Collection[str]) -> str:
    return f"impulse({entry.name}{numbered(schedule, place, taken)})"
