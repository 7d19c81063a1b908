"""What makes a system well formed, checked once when it is made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sympy as sp

from physcm.mechanism.declarations import as_interval, check_names
from physcm.mechanism.errors import InvalidValue, MissingInitialValue, UnknownVariable
from physcm.mechanism.expression import (
    TIME,
    initial_symbol,
    ordered,
    symbol,
)
from physcm.mechanism.interventions import Intervention, listed
from physcm.mechanism.parser import closest, parse
from physcm.mechanism.values import Value, as_value
from physcm.sim.schedule import scheduled
from physcm.sim.transitions import checked_event, checked_jump, checked_reaction

_CALCULI = ("ito", "stratonovich")


def check(
    *,
    drift: Mapping[str, Any],
    parameters: Mapping[str, Any],
    initial: Mapping[str, Any],
    noise: Mapping[Any, Any],
    calculus: str,
    algebraic: Mapping[str, Any],
    held_together: Iterable[Iterable[str]],
    bounds: Mapping[str, Any],
    held: Mapping[str, Any],
    reactions: Mapping[str, Any],
    events: Mapping[str, Any],
    jumps: Mapping[str, Any],
    reflected: Iterable[str],
    schedule: Iterable[Intervention],
) -> dict[str, Any]:
    """Return the fields of a system, parsed and consistent, or say what is wrong."""
    check_names(drift=drift, parameters=parameters, algebraic=algebraic, held=held)
    variables = {*drift, *algebraic, *held}
    names = {*variables, *parameters, TIME.name}

    def mechanisms(kind: str, given: Mapping[Any, Any]) -> dict[Any, sp.Expr]:
        return {
            key: _number(text, names, f"{kind} of {_quoted(key)}") for key, text in given.items()
        }

    definitions = {
        kind: mechanisms(kind, given)
        for kind, given in (("held value", held), ("definition", algebraic))
    }
    ordered({**definitions["held value"], **definitions["definition"]}, "derived variables")
    values = _values(drift, parameters, initial)
    return {
        "drift": mechanisms("drift", drift),
        **values,
        "noise": mechanisms("noise", _noise_pairs(noise, drift)),
        "calculus": _chosen(calculus, _CALCULI, "calculus"),
        "algebraic": definitions["definition"],
        "held": definitions["held value"],
        "held_together": tuple(_group(group, variables) for group in held_together),
        "reactions": {
            name: checked_reaction(changes, name, names, drift)
            for name, changes in _rated(reactions, algebraic, held).items()
        },
        "events": {
            name: checked_event(event, name, names, drift) for name, event in events.items()
        },
        "jumps": {name: checked_jump(jump, name, names, drift) for name, jump in jumps.items()},
        "reflected": _reflected(reflected, drift, bounds),
        "schedule": tuple(scheduled(entry, names, {*parameters}) for entry in listed(schedule)),
        "bounds": {name: as_interval(name, pair, names, "bounds") for name, pair in bounds.items()},
    }


def _number(text: Any, names: Collection[str], place: str) -> sp.Expr:
    expression = parse(text, names, place)
    if isinstance(expression, sp.logic.boolalg.Boolean) and not isinstance(expression, sp.Symbol):
        raise InvalidValue(f"{place}: `{text}` is a condition; write where(condition, a, b)")
    never_read = expression.is_Atom and place.startswith("definition")
    if expression.has(sp.I):
        raise InvalidValue(f"{place}: `{text}` is not a real number; give a real expression")
    if expression.has(sp.oo, -sp.oo, sp.zoo, sp.nan) and not never_read:
        raise InvalidValue(f"{place}: `{text}` is not finite; give a finite expression")
    return expression


def _values(
    drift: Mapping[str, Any], parameters: Mapping[str, Any], initial: Mapping[str, Any]
) -> dict[str, dict[str, Value]]:
    """Parse parameters and initial values, which form one acyclic set of definitions."""
    for name in initial:
        if name not in drift:
            raise UnknownVariable(
                f"initial value of `{name}`: no such state; {closest(name, drift)}"
            )
    for name in drift:
        if name not in initial:
            raise MissingInitialValue(
                f"state `{name}` has no initial value; add it to `initial`, for example {name} = 0"
            )
    names = {*parameters, *drift, *(f"{name}(0)" for name in drift)}
    at_start = {symbol(name): initial_symbol(name) for name in drift}

    def value(raw: Any, place: str) -> Value:
        read = as_value(raw, names, place)
        return read.xreplace(at_start) if isinstance(read, sp.Basic) else read

    values = {
        "parameters": {k: value(v, f"parameter `{k}`") for k, v in parameters.items()},
        "initial": {k: value(v, f"initial value of `{k}`") for k, v in initial.items()},
    }
    texts = values["parameters"] | {f"{k}(0)": v for k, v in values["initial"].items()}
    ordered({k: v for k, v in texts.items() if isinstance(v, sp.Basic)}, "values")
    return values


def _noise_pairs(noise: Mapping[Any, Any], drift: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    pairs = {}
    for key, coefficient in noise.items():
        pair = (key, key) if isinstance(key, str) else tuple(key)
        if len(pair) != 2 or pair[0] not in drift:
            raise UnknownVariable(
                f"noise of {_quoted(key)}: no such state; {closest(str(pair[0]), drift)}"
            )
        pairs[pair] = coefficient
    return pairs


def _chosen(value: str, allowed: tuple[str, ...], place: str) -> str:
    if value not in allowed:
        raise InvalidValue(f"{place} is `{value}`; use one of {', '.join(allowed)}")
    return value


def _group(group: Any, variables: Collection[str]) -> tuple[str, ...]:
    members = group if isinstance(group, list | tuple) else ()
    if not members or not all(isinstance(name, str) for name in members):
        raise InvalidValue(
            f'held_together: `{group!r}` is no group of names; write one such as ["Q", "P"]'
        )
    for name in members:
        if name not in variables:
            raise UnknownVariable(
                f"held_together: no variable `{name}`; {closest(name, variables)}"
            )
    return tuple(members)


def _quoted(key: Any) -> str:
    return f"`{key}`" if isinstance(key, str) else " by ".join(f"`{part}`" for part in key)


def _rated(reactions: Mapping[str, Any], *derived: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in reactions:
        if not any(name in definitions for definitions in derived):
            raise UnknownVariable(
                f"reaction `{name}` has no rate; add `{name}` to `algebraic`, for example "
                f"{name} = k*X"
            )
    return reactions


def _reflected(
    names: Iterable[str], drift: Mapping[str, Any], bounds: Mapping[str, Any]
) -> tuple[str, ...]:
    chosen = tuple(names)
    for name in chosen:
        if name not in drift:
            raise UnknownVariable(f"reflected: `{name}` is no state; {closest(str(name), drift)}")
        if name not in bounds:
            raise InvalidValue(
                f"reflected: `{name}` has no bounds to be reflected at; add bounds, for example "
                f"{name} = [0, inf]"
            )
    return chosen
