"""Interventions on a structural causal model: from a model to a model.

    Hold          X = x, whatever X's own equation says (Pearl, Causality, 2009, section 3.2.3)
    Shift         X = h + a for X = h
    ScaleNoise    X = h with c E in place of every exogenous variable E that h reads
    Replace       X = g, where g may read `natural(X)`
    SetParameter  another value, or distribution, of a parameter or an exogenous variable

A `Hold` takes X out of the dynamics from which the model came; a new parameter leaves them
alone, and the others say nothing of dynamics, so that none are left.

`natural(X)` is the natural value of X: what its equation gives for the values that its parents
have under the intervention (Díaz & van der Laan 2012). It is written out where X = h does not
read X; otherwise it is a variable of its own, `X_natural`, with the old equation of X.

A number, a value per sample or a distribution becomes a parameter called after the
intervention, `do(X)`, `shift(X)` or `scale(X)`; a second shift or scale is `shift(X, 2)`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import sympy as sp

from physcm.mechanism.declarations import require_scale, require_within
from physcm.mechanism.errors import InvalidValue, UnknownVariable, Unsupported
from physcm.mechanism.expression import held_symbol, names_in, natural_symbol, symbol
from physcm.mechanism.interventions import (
    EdgeIntervention,
    Hold,
    Intervention,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
    is_permanent,
)
from physcm.mechanism.parser import closest
from physcm.mechanism.values import Value, as_value
from physcm.scm import validation

if TYPE_CHECKING:
    from physcm.scm.scm import SCM


def intervene(model: SCM, intervention: Intervention | EdgeIntervention) -> SCM:
    """Return the model under one intervention.

    Raises:
        InvalidValue: for an intervention that needs time, a parameter that is held, and noise
            that is scaled where there is none.
        UnknownVariable: for a name that the model does not define.
        Infeasible: for a held value outside of the variable's domain.
        Unsupported: for a shift of what is given by an equation.
    """
    require_timeless(intervention)
    match intervention:
        case Hold(name, value):
            return _without_rate(model, name, _hold(model, name, value))
        case Shift(name, amount):
            return _shift(model, name, amount)
        case ScaleNoise(name, factor):
            return _scale_noise(model, name, factor)
        case Replace(name, mechanism):
            return _replace(model, name, mechanism)
        case SetParameter(values=values):
            return _set(model, values)
    raise AssertionError


def require_timeless(intervention: Intervention | EdgeIntervention) -> None:
    """Refuse what happens at a time, which a causal model without time does not have.

    >>> require_timeless(Hold("x", 1, during=(0, 2)))
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: `Hold('x', 1, during=(0, 2))` needs a model over time; ...
    """
    if not is_permanent(intervention):
        raise InvalidValue(
            f"`{intervention!r}` needs a model over time; a causal model without time takes Hold, "
            "Shift, ScaleNoise, Replace and SetParameter, each without `during`"
        )


def free_label(taken: Collection[str], verb: str, name: str) -> str:
    """Return the name of a parameter that adds to those of earlier interventions.

    >>> free_label({"shift(x)"}, "shift", "x")
    'shift(x, 2)'
    """
    label, count = f"{verb}({name})", 1
    while label in taken:
        count += 1
        label = f"{verb}({name}, {count})"
    return label


def new_name(taken: Collection[str], name: str) -> str:
    """Return a name that is needed, unless it is taken.

    >>> new_name({"x_twin"}, "x_twin")
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: the name `x_twin` is needed here and taken; rename it
    """
    if name in taken:
        raise InvalidValue(f"the name `{name}` is needed here and taken; rename it")
    return name


def _hold(model: SCM, name: str, value: Any) -> SCM:
    _require_variable(model, name)
    require_within(model.domains.get(name, (-math.inf, math.inf)), name, value)
    held = as_value(value, _names(model) - {name}, f"do({name})")
    own = held_symbol(name)
    if isinstance(held, sp.Basic) and held != own:
        return _with_mechanism(model, name, held)
    parameters = dict(model.parameters) if held == own else {**model.parameters, own.name: held}
    return model.replace(mechanisms={**model.mechanisms, name: own}, parameters=parameters)


def _without_rate(before: SCM, name: str, model: SCM) -> SCM:
    """Return a model with the dynamics that it had, but for what is held."""
    if before.dynamics is None:
        return model
    return model.replace(dynamics={k: f for k, f in before.dynamics.items() if k != name})


def _shift(model: SCM, name: str, amount: Any) -> SCM:
    _require_variable(model, name)
    mechanism = model.mechanisms[name]
    if mechanism == held_symbol(name):
        return model
    if isinstance(mechanism, sp.Eq):
        raise Unsupported(
            f"`{name}` is given by an equation, whose sides say not what to add `{amount}` to; "
            f"use Replace({name!r}, 'natural({name}) + {amount}')"
        )
    offset, parameters = _with_value(model, free_label(model.parameters, "shift", name), amount)
    return model.replace(
        mechanisms={**model.mechanisms, name: mechanism + offset}, parameters=parameters
    )


def _scale_noise(model: SCM, name: str, factor: Any) -> SCM:
    _require_variable(model, name)
    mechanism = model.mechanisms[name]
    if mechanism == held_symbol(name):
        return model
    noise = sorted(names_in(mechanism) & model.exogenous.keys())
    if not noise:
        raise InvalidValue(
            f"`{name}` has no noise to scale: its equation reads no exogenous variable; "
            "use SetParameter(...) for random parameters"
        )
    label = free_label(model.parameters, "scale", name)
    scale, parameters = _with_value(model, label, factor)
    require_scale(label, parameters.get(label, 0.0))
    scaled = mechanism.xreplace({symbol(e): scale * symbol(e) for e in noise})
    return model.replace(mechanisms={**model.mechanisms, name: scaled}, parameters=parameters)


def _replace(model: SCM, name: str, mechanism: Any) -> SCM:
    _require_variable(model, name)
    natural = natural_symbol(name)
    new = validation.mechanism(mechanism, {*_names(model), natural.name}, name)
    old = model.mechanisms[name]
    if natural not in new.free_symbols:
        return _with_mechanism(model, name, new)
    if not isinstance(old, sp.Eq) and name not in names_in(old):
        return _with_mechanism(model, name, new.xreplace({natural: old}))
    own = new_name(_names(model), f"{name}_natural")
    domains = {own: model.domains[name]} if name in model.domains else {}
    return model.replace(
        mechanisms={
            **model.mechanisms,
            name: new.xreplace({natural: symbol(own)}),
            own: old.xreplace({symbol(name): symbol(own)}),
        },
        domains={**model.domains, **domains},
    )


def _set(model: SCM, values: Mapping[str, Any]) -> SCM:
    exogenous, parameters = dict(model.exogenous), dict(model.parameters)
    for name, value in values.items():
        place = exogenous if name in exogenous else parameters
        if name not in place:
            remedy = closest(name, {*parameters, *exogenous})
            if name in model.variables:
                remedy = f"it is a variable: use Hold({name!r}, ...)"
            raise UnknownVariable(f"`{name}` is no parameter of {model.in_words}; {remedy}")
        place[name] = value
    return model.replace(exogenous=exogenous, parameters=parameters)


def _with_mechanism(model: SCM, name: str, mechanism: sp.Basic) -> SCM:
    """Put a mechanism in the place of another, whose held value goes unless something reads it."""
    mechanisms, parameters = {**model.mechanisms, name: mechanism}, dict(model.parameters)
    own = held_symbol(name)
    values = (*mechanisms.values(), *parameters.values(), *model.exogenous.values())
    if not any(isinstance(v, sp.Basic) and own in v.free_symbols for v in values):
        parameters.pop(own.name, None)
    return model.replace(mechanisms=mechanisms, parameters=parameters)


def _with_value(model: SCM, label: str, raw: Any) -> tuple[sp.Expr, dict[str, Value]]:
    """Return a value as an expression, and the parameters with it where it became one."""
    value = as_value(raw, _names(model), label)
    if isinstance(value, sp.Expr):
        return value, dict(model.parameters)
    return symbol(label), {**model.parameters, label: value}


def _require_variable(model: SCM, name: str) -> None:
    if name in model.parameters or name in model.exogenous:
        kind = "a parameter" if name in model.parameters else "an exogenous variable"
        raise InvalidValue(
            f"`{name}` is {kind}, not a variable with a mechanism; use SetParameter({name}=...)"
        )
    if name not in model.mechanisms:
        raise UnknownVariable(
            f"`{name}` is no variable of {model.in_words}; {closest(name, model.variables)}"
        )


def _names(model: SCM) -> set[str]:
    return {*model.variables, *model.exogenous, *model.parameters}
