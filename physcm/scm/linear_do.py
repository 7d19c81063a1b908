"""Interventions on linear models, equation by equation: X = sum_j a_j Y_j + c.

The Y_j are variables and noise alike; `SCM` says in general what each intervention does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from physcm.mechanism.distributions import Distribution
from physcm.mechanism.errors import InvalidValue, UnknownVariable, Unsupported
from physcm.mechanism.expression import names_in, natural_symbol, symbol, to_text
from physcm.mechanism.interventions import (
    EdgeIntervention,
    Hold,
    Intervention,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
)
from physcm.mechanism.parser import closest
from physcm.mechanism.values import as_value
from physcm.scm.constants import constants_in
from physcm.scm.intervene import free_label, require_timeless
from physcm.scm.linear import linear_form
from physcm.scm.matrices import as_rows

if TYPE_CHECKING:
    from physcm.scm.linear_scm import LinearSCM
    from physcm.scm.scm import SCM


@dataclass(frozen=True)
class Row:
    """One equation: the coefficient of each name that it reads, and the constant."""

    terms: Mapping[str, float]
    constant: float = 0.0

    def __add__(self, other: Row) -> Row:
        names = {**self.terms, **other.terms}
        sums = {name: self.terms.get(name, 0.0) + other.terms.get(name, 0.0) for name in names}
        return Row(sums, self.constant + other.constant)

    def scaled(self, factor: float, names: Collection[str] | None = None) -> Row:
        """Return the row times a factor; only the terms of some names, if they are told."""
        terms = {k: a * factor if names is None or k in names else a for k, a in self.terms.items()}
        return Row(terms, self.constant * factor if names is None else self.constant)

    def without(self, name: str) -> Row:
        """Return the row without one of its terms."""
        return Row({k: a for k, a in self.terms.items() if k != name}, self.constant)


def rows_of(model: LinearSCM) -> dict[str, Row]:
    """Return the equations of a model."""
    causes, sources = (as_rows(matrix, "") for matrix in (model.coefficients, model.loadings))
    constants = model.constants.values.tolist()
    return {
        effect: Row({**causes[effect], **sources[effect]}, constant)
        for effect, constant in zip(model.variables, constants, strict=True)
    }


def intervene(model: LinearSCM, intervention: Intervention | EdgeIntervention) -> LinearSCM:
    """Return the model under one intervention."""
    require_timeless(intervention)
    if isinstance(intervention, SetParameter):
        return _with_noise(model, intervention.values)
    assert isinstance(intervention, Hold | Shift | ScaleNoise | Replace)
    name, rows, noise = intervention.name, rows_of(model), dict(model.noise)
    if name not in rows:
        raise UnknownVariable(f"`{name}` is no variable of {model.in_words}; {closest(name, rows)}")
    old, known = rows[name], {*rows, *noise}
    match intervention:
        case Hold(_, value):
            rows[name], more = _row(value, known - {name}, f"do({name})")
        case Shift(_, amount):
            added, more = _row(amount, known, free_label(noise, "shift", name))
            rows[name] = old + added
        case ScaleNoise(_, factor):
            rows[name], more = _scaled(old, factor, noise, name), {}
        case Replace(_, mechanism):
            natural = natural_symbol(name).name
            new, more = _row(mechanism, known | {natural}, f"mechanism of `{name}`")
            weight = new.terms.get(natural, 0.0)
            rows[name] = new.without(natural)
            rows[name] += _natural(model, name, old).scaled(weight) if weight else Row({})
    return _model(type(model), rows, noise | more, model.name)


def from_scm(kind: type[LinearSCM], scm: SCM) -> LinearSCM:
    """Return an SCM with linear equations as a linear model."""
    values = {**scm.exogenous, **scm.parameters}
    noise = {k: v for k, v in values.items() if isinstance(v, Distribution)}
    for name, value in values.items():
        if isinstance(value, tuple):
            raise Unsupported(f"`{name}` has a value per sample; give one number or a distribution")
    rows = {
        name: _as_row(constants_in(symbol(name) - residual, values), f"the equation of `{name}`")
        for name, residual in scm.residuals.items()
    }
    return _model(kind, rows, noise, scm.name)


def _model(
    kind: type[LinearSCM], rows: Mapping[str, Row], noise: Mapping[str, Any], name: str
) -> LinearSCM:
    parts = [
        {effect: {k: a for k, a in row.terms.items() if k in part} for effect, row in rows.items()}
        for part in (rows, noise)
    ]
    constants = {effect: row.constant for effect, row in rows.items()}
    return kind(parts[0], noise, parts[1], constants, name)


def _row(raw: Any, known: set[str], label: str) -> tuple[Row, dict[str, Any]]:
    """Return what a user wrote as an equation, and the noise that it brings with it."""
    value = as_value(raw, known, label)
    if isinstance(value, Distribution):
        return Row({label: 1.0}), {label: value}
    if isinstance(value, tuple):
        raise Unsupported(
            f"{label}: a linear model has the same numbers in all samples; use to_scm().do"
        )
    if isinstance(value, sp.Basic):
        return _as_row(value, label), {}
    return Row({}, value), {}


def _as_row(expression: sp.Expr, place: str) -> Row:
    form = linear_form(sp.expand(expression), {symbol(name) for name in names_in(expression)})
    if form is None:
        raise Unsupported(f"{place}: `{to_text(expression)}` is not linear; use an SCM")
    return Row({cause.name: float(a) for cause, a in form[0].items()}, float(form[1]))


def _scaled(old: Row, factor: Any, noise: Mapping[str, Any], name: str) -> Row:
    value = as_value(factor, (), f"scale({name})")
    if not isinstance(value, float) or value < 0:
        raise InvalidValue(f"scale({name}) is `{factor}`; give a number of at least 0")
    if not noise.keys() & old.terms.keys():
        raise InvalidValue(f"`{name}` has no noise to scale; give it some with `noise`")
    return old.scaled(value, noise.keys())


def _natural(model: LinearSCM, name: str, old: Row) -> Row:
    own = old.terms.get(name, 0.0)
    if own == 1:
        raise Unsupported(
            f"`{name}` has no natural value: its own equation does not determine it; "
            "replace it by an expression without `natural`"
        )
    return old.without(name).scaled(1 / (1 - own))


def _with_noise(model: LinearSCM, values: Mapping[str, Any]) -> LinearSCM:
    for name in values:
        if name not in model.noise:
            raise UnknownVariable(
                f"`{name}` is no noise of {model.in_words}; {closest(name, model.noise)}"
            )
    return _model(type(model), rows_of(model), {**model.noise, **values}, model.name)
