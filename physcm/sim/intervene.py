"""Interventions on a system that act at all times: from a system to a system.

    Hold          X = x: drift, noise, initial value and all transitions of X are gone
    Shift         dX = (f + a) dt + ...
    ScaleNoise    dX = f dt + c g dW
    Replace       dX = h dt + ...
    SetParameter  another value of a constant, and of all that is computed from it

A number, a value per sample or a distribution becomes a parameter of the new system, called
after the intervention: `do(X)`, `shift(X)`, `scale(X)`; the second of its kind is `shift(X, 2)`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sympy as sp

from physcm.mechanism.declarations import require_scale, require_within
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.expression import TIME, initial_symbol, names_in, symbol
from physcm.mechanism.interventions import (
    Hold,
    Mode,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
)
from physcm.mechanism.parser import closest, parse
from physcm.mechanism.values import Value, as_value

if TYPE_CHECKING:
    from physcm.sim.system import System


def intervene(system: System, intervention: Mode, number: str | None = None) -> System:
    """Return the system in which an intervention acts at all times.

    Args:
        system: what to intervene on.
        intervention: what to do; its window is not looked at.
        number: for one on a schedule, what to put behind the variable in the names of new
            parameters, as in `do(X, 2)`. What reads the initial value of a variable goes on
            reading it there; at all times a held variable has its held value from the start.

    Raises:
        UnknownVariable: for a name that the system does not define.
        Infeasible: for a held value that the variable cannot physically take.
        InvalidValue: for a parameter that is held, a group held at odds with itself, and
            noise that is scaled where there is none.
    """
    match intervention:
        case Hold(name, value):
            for member, its in _with_group(system, name, value, number is None).items():
                system = _hold(system, member, its, number)
            return system
        case SetParameter(values=values):
            return _set(system, values)
        case Shift(name, amount):
            return _shift(system, name, amount, number or "")
        case ScaleNoise(name, factor):
            return _scale_noise(system, name, factor, number or "")
        case Replace(name, mechanism):
            return _replace(system, name, mechanism)


def _set(system: System, values: Mapping[str, Any]) -> System:
    for name, value in values.items():
        read = isinstance(value, str | sp.Basic) and names_in(parse(value)) & {*system.variables}
        if read:
            state = min(read)
            raise InvalidValue(
                f"parameter `{name}` cannot be `{value}`, since `{state}` changes with time; give "
                f"a constant, `{state}(0)` for the value at the start, or use Replace(...)"
            )
        if name not in system.parameters:
            remedy = closest(name, system.parameters)
            if name in system.variables:
                remedy = f"it is a variable: use Hold({name!r}, ...)"
            raise UnknownVariable(
                f"`{name}` is no parameter of the system{_named(system)}; {remedy}"
            )
    return system.replace(parameters={**system.parameters, **values})


def _hold(system: System, name: str, value: Any, number: str | None) -> System:
    _require_variable(system, name, "hold")
    read = names_in(system.algebraic.get(name, sp.S.Zero)) & {*system.variables}
    if read:
        names = ", ".join(f"`{other}`" for other in sorted(read))
        raise InvalidValue(
            f"`{name}` is derived from {names} and has no dynamics to hold; hold what it is "
            f"derived from, or use Replace({name!r}, ...)"
        )
    require_within(system.bounds.get(name, (-math.inf, math.inf)), name, value)
    label = f"do({name}{number or ''})"
    mechanism, parameters = _with_value(system, label, value, exclude=name)
    initial = _without(system.initial, name)
    if number is None:
        start = mechanism.xreplace({TIME: sp.S.Zero}).xreplace(
            {symbol(state): initial_symbol(state) for state in system.drift}
        )
        initial = _with_start(initial, name, start)
        parameters = _with_start(parameters, name, start)
    elif name in system.initial and _reads_start({**initial, **parameters}, name):
        parameters = {**parameters, initial_symbol(name).name: system.initial[name]}
    return system.replace(
        drift=_without(system.drift, name),
        noise={key: g for key, g in system.noise.items() if key[0] != name},
        algebraic=_without(system.algebraic, name),
        initial=initial,
        parameters=parameters,
        held={**system.held, name: mechanism},
        reactions={k: _without(changes, name) for k, changes in system.reactions.items()},
        events={
            k: replace(event, assign=_without(event.assign, name))
            for k, event in system.events.items()
        },
        jumps={
            k: replace(jump, changes=_without(jump.changes, name))
            for k, jump in system.jumps.items()
        },
        reflected=tuple(state for state in system.reflected if state != name),
    )


def _with_start(values: Mapping[str, Value], name: str, start: sp.Expr) -> dict[str, Value]:
    """Return values with an expression in place of the initial value of a variable."""
    return {
        k: v.xreplace({initial_symbol(name): start}) if isinstance(v, sp.Basic) else v
        for k, v in values.items()
    }


def _reads_start(values: Mapping[str, Value], name: str) -> bool:
    """Say whether a value reads the initial value of a variable."""
    start = initial_symbol(name)
    return any(isinstance(v, sp.Basic) and start in v.free_symbols for v in values.values())


def _shift(system: System, name: str, amount: Any, number: str) -> System:
    _require_variable(system, name, "shift")
    if name in system.held:
        return system
    label = _free_label(system, "shift", name, number)
    force, parameters = _with_value(system, label, amount)
    kind, mechanisms = _mechanisms(system, name)
    return system.replace(
        **{kind: {**mechanisms, name: mechanisms[name] + force}}, parameters=parameters
    )


def _scale_noise(system: System, name: str, factor: Any, number: str) -> System:
    _require_variable(system, name, "scale the noise of")
    if name in system.held:
        return system
    if not any(state == name for state, _ in system.noise):
        raise InvalidValue(f"`{name}` has no noise to scale; give it some with `noise`")
    label = _free_label(system, "scale", name, number)
    scale, parameters = _with_value(system, label, factor)
    require_scale(label, parameters.get(label, 0.0))
    noise = {key: g * scale if key[0] == name else g for key, g in system.noise.items()}
    return system.replace(noise=noise, parameters=parameters)


def _replace(system: System, name: str, mechanism: Any) -> System:
    _require_variable(system, name, "replace the mechanism of")
    names = {*system.variables, *system.parameters, TIME.name}
    new = parse(mechanism, names, f"new mechanism of `{name}`")
    if name not in system.held:
        kind, mechanisms = _mechanisms(system, name)
        return system.replace(**{kind: {**mechanisms, name: new}})
    start = system.held[name].xreplace({TIME: sp.S.Zero})
    return system.replace(
        held=_without(system.held, name),
        drift={**system.drift, name: new},
        initial={**system.initial, name: start},
    )


def _mechanisms(system: System, name: str) -> tuple[str, Mapping[str, sp.Expr]]:
    return ("drift", system.drift) if name in system.drift else ("algebraic", system.algebraic)


def _free_label(system: System, verb: str, name: str, number: str) -> str:
    """Return the name of a parameter that adds to those of earlier interventions."""
    label, count = f"{verb}({name}{number})", 1
    while label in system.parameters:
        count += 1
        label = f"{verb}({name}, {count})"
    return label


def _with_value(
    system: System, name: str, raw: Any, exclude: str = ""
) -> tuple[sp.Expr, dict[str, Value]]:
    """Return a value as an expression, and the parameters with it where it became one."""
    names = {*system.variables, *system.parameters, TIME.name} - {exclude}
    value = as_value(raw, names, name)
    others = _without(system.parameters, name)
    if isinstance(value, sp.Expr):
        return value, others
    return symbol(name), {**others, name: value}


def _require_variable(system: System, name: str, verb: str) -> None:
    if not isinstance(name, str):
        raise InvalidValue(f"`{name!r}` is no name; {verb} a variable by its name")
    if name in system.parameters:
        raise InvalidValue(f"`{name}` is a parameter, not a variable; use SetParameter({name}=...)")
    if name.startswith(("amount(", "concentration(")):
        species = name.partition("(")[2][:-1]
        raise InvalidValue(f"`{name}` is computed from `{species}`; {verb} `{species}` instead")
    if name not in system.variables:
        raise UnknownVariable(
            f"`{name}` is no variable of the system{_named(system)}; "
            f"{closest(name, system.variables)}"
        )


def _with_group(system: System, name: str, value: Any, from_start: bool) -> dict[str, Any]:
    """Return what is held where groups are: a fixed position has velocity 0.

    At velocity 0 a position is held at its initial value, in a window where it is by then.
    """
    group = next((group for group in system.held_together if name in group), (name,))
    leader, *followers = group
    if not followers:
        return {name: value}
    place = as_value(value, None, f"do({name})")
    if isinstance(place, sp.Basic) or (name != leader and place != 0):
        raise InvalidValue(
            f"`{leader}` and `{', '.join(followers)}` are held together: `{leader}` at a constant "
            f"and the others at 0, not do({name} = {value}); hold `{leader}` at a number"
        )
    held: dict[str, Any] = dict.fromkeys(followers, 0.0)
    if name == leader:
        held[leader] = value
    elif leader in system.initial and from_start:
        held[leader] = system.initial[leader]
    return held


def _without(mapping: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in mapping.items() if k != name}


def _named(system: System) -> str:
    return f" `{system.name}`" if system.name else ""
