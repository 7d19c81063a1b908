"""What makes a structural causal model well formed, checked once when it is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import sympy as sp

from physcm.mechanism.declarations import Interval, as_interval, check_names, require_mapping
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.expression import RESERVED, ordered
from physcm.mechanism.parser import closest, parse, parse_mechanism
from physcm.mechanism.values import Value, as_value
from physcm.scm.subsets import selected

_TAKEN = RESERVED | {"count", "draw", "evidence_weight", "effective_sample_size", "stability"}


def check(
    mechanisms: Mapping[str, Any],
    exogenous: Mapping[str, Any],
    parameters: Mapping[str, Any],
    domains: Mapping[str, Any],
    guesses: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the fields of a model, parsed and consistent, or say what is wrong."""
    check_names(_TAKEN, mechanisms=mechanisms, exogenous=exogenous, parameters=parameters)
    require_mapping("domains", domains)
    require_mapping("guesses", guesses)
    if not mechanisms:
        raise InvalidValue("`mechanisms` is empty; give an equation for at least one variable")
    given = {*exogenous, *parameters}
    names = {*mechanisms, *given}
    values = {
        "exogenous": {k: as_value(v, given, f"exogenous `{k}`") for k, v in exogenous.items()},
        "parameters": {k: as_value(v, given, f"parameter `{k}`") for k, v in parameters.items()},
    }
    texts: dict[str, Value] = {**values["exogenous"], **values["parameters"]}
    ordered({k: v for k, v in texts.items() if isinstance(v, sp.Basic)}, "values")
    return {
        "mechanisms": {name: mechanism(m, names, name) for name, m in mechanisms.items()},
        **values,
        "domains": {
            name: as_interval(name, pair, names, "domain") for name, pair in domains.items()
        },
        "guesses": {name: _guess(name, value, mechanisms) for name, value in guesses.items()},
    }


def rates(dynamics: Any, model: Mapping[str, Mapping[str, Any]]) -> dict[str, sp.Expr]:
    """Return rates of change of variables, as expressions in all that the model names."""
    require_mapping("dynamics", dynamics)
    variables = model["mechanisms"]
    names = {*variables, *model["exogenous"], *model["parameters"]}
    for name in dynamics:
        if name not in variables:
            raise UnknownVariable(
                f"rate of change of `{name}`: no such variable; {closest(name, variables)}"
            )
    return {
        name: parse(raw, names, f"rate of change of `{name}`") for name, raw in dynamics.items()
    }


def mechanism(raw: Any, names: Collection[str], name: str) -> sp.Basic:
    """Return an explicit mechanism as an expression, an implicit one as an equation.

    >>> mechanism("a*x**2 == 3", {"a", "x"}, "x")
    Eq(a*x**2, 3)
    """
    place = f"mechanism of `{name}`"
    read = parse_mechanism(raw, names, place)
    if isinstance(read, sp.logic.boolalg.Boolean) and not isinstance(read, sp.Symbol | sp.Eq):
        raise InvalidValue(
            f"{place}: `{raw}` is a condition; give an expression, or an equation `left == right`"
        )
    if read.has(sp.oo, -sp.oo, sp.zoo, sp.nan):
        raise InvalidValue(f"{place}: `{raw}` is not finite; give a finite expression")
    return read


def count(n: Any) -> int:
    """Return a number of samples."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InvalidValue(f"n is `{n!r}`; give a whole number of at least 1")
    return int(n)


def bounds(box: Any, variables: Collection[str], in_words: str) -> dict[str, Interval]:
    """Return the ends, all finite, of a box of some variables.

    >>> bounds({"x": (0, float("inf"))}, ("x",), "the model")
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: box of `x` is `(0, inf)`; give two finite numbers
    """
    require_mapping("box", box)
    if not box:
        raise InvalidValue("`box` is empty; give an interval for at least one variable")
    found = {}
    for name in selected(variables, box, in_words):
        found[name] = as_interval(name, box[name], variables, "box")
        if not np.isfinite(found[name]).all():
            raise InvalidValue(f"box of `{name}` is `{box[name]}`; give two finite numbers")
    return found


def _guess(name: str, value: Any, names: Collection[str]) -> float:
    if name not in names:
        raise UnknownVariable(f"guess for `{name}`: no such variable; {closest(name, names)}")
    number = as_value(value, (), f"guess for `{name}`")
    if not isinstance(number, float):
        raise InvalidValue(f"guess for `{name}` is `{value}`; give a number")
    return number
