"""A distribution in a file is one entry, its name and its fields: {Normal: {mean: 0, sd: 1}}.

A frozen distribution of scipy.stats is the entry {scipy: {name: ..., args: ..., kwds: ...}}.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from physcm.mechanism.distributions.checks import as_float
from physcm.mechanism.distributions.continuous import (
    Beta,
    Exponential,
    Gamma,
    LogNormal,
    Normal,
    Uniform,
)
from physcm.mechanism.distributions.discrete import Bernoulli, Categorical, Constant, Empirical
from physcm.mechanism.distributions.distribution import Distribution
from physcm.mechanism.distributions.frozen import Frozen, arguments, catalog, catalog_name
from physcm.mechanism.errors import InvalidValue

_SCIPY = "scipy"
_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Normal, LogNormal, Uniform, Exponential, Gamma,
        Beta, Bernoulli, Categorical, Constant, Empirical,
    )
}  # fmt: skip
_KNOWN = ", ".join([*_KINDS, _SCIPY])


def to_dict(distribution: Distribution) -> dict[str, Any]:
    """Return a distribution as plain dictionaries, lists and numbers.

    Raises:
        InvalidValue: for a distribution of your own, or a frozen one that scipy.stats does not
            have under a name.

    >>> to_dict(Normal(mean=0, sd=1))
    {'Normal': {'mean': 0.0, 'sd': 1.0}}
    """
    if isinstance(distribution, Frozen):
        return {_SCIPY: _frozen_to_dict(distribution)}
    kind = type(distribution)
    if _KINDS.get(kind.__name__) is not kind:
        raise InvalidValue(
            f"`{distribution}` has no form in files; use one of {_KNOWN}, such as Empirical with "
            "draws from it"
        )
    entries = {f.name: getattr(distribution, f.name) for f in fields(_KINDS[kind.__name__])}
    return {kind.__name__: {k: list(v) if isinstance(v, tuple) else v for k, v in entries.items()}}


def from_dict(mapping: Mapping[str, Any]) -> Distribution:
    """Return the distribution that `to_dict` wrote, or that a user wrote in the same form.

    Args:
        mapping: one entry: the name of a distribution, and the mapping of its fields.

    Raises:
        InvalidValue: for an unknown name, an unknown or missing field, or a value that the
            field does not allow.

    >>> from_dict({"Uniform": {"low": 0, "high": 2}})
    Uniform(low=0.0, high=2.0)
    >>> from_dict({"scipy": {"name": "weibull_min", "args": [1.5], "kwds": {"scale": 2.0}}})
    Frozen(stats.weibull_min(1.5, scale=2.0))
    """
    if not isinstance(mapping, Mapping) or len(mapping) != 1:
        raise InvalidValue(
            f"`{mapping}` is not a distribution; give one entry with its name and its fields, "
            "such as {Normal: {mean: 0, sd: 1}}"
        )
    ((name, entries),) = mapping.items()
    if name not in _KINDS and name != _SCIPY:
        raise InvalidValue(f"`{name}` is not a distribution; use one of {_KNOWN}")
    if not isinstance(entries, Mapping):
        raise InvalidValue(f"{name}: `{entries}` is not a table; give its fields by name")
    if name == _SCIPY:
        return _frozen_from_dict(entries)
    required = {f.name: f.default is MISSING for f in fields(_KINDS[name])}
    _check_fields(name, entries, required)
    distribution: Distribution = _KINDS[name](**entries)
    return distribution


def _frozen_to_dict(frozen: Frozen) -> dict[str, Any]:
    name = catalog_name(frozen.distribution.dist)
    if name is None:
        raise InvalidValue(
            f"`{frozen}` is not in scipy.stats by name and has no form in files; use Empirical "
            "with draws from it"
        )
    args, kwds = arguments(frozen.distribution)
    return {"name": name, "args": args, "kwds": kwds}


def _frozen_from_dict(entries: Mapping[str, Any]) -> Frozen:
    _check_fields(_SCIPY, entries, {"name": True, "args": False, "kwds": False})
    name, args, kwds = entries["name"], entries.get("args", []), entries.get("kwds", {})
    if not isinstance(name, str) or name not in catalog():
        near = difflib.get_close_matches(str(name), catalog()) or ["norm", "weibull_min"]
        raise InvalidValue(
            f"scipy: `{name}` is not a distribution of scipy.stats; use one such as "
            f"{', '.join(near)}"
        )
    if not isinstance(args, list | tuple) or not isinstance(kwds, Mapping):
        raise InvalidValue(
            f"scipy: args `{args}` with kwds `{kwds}`; give args as a list and kwds by name"
        )
    for argument in (*args, *kwds.values()):
        if not math.isfinite(as_float(argument)):
            raise InvalidValue(f"scipy: {name} has the argument `{argument}`; give finite numbers")
    try:
        return Frozen(catalog()[name](*args, **kwds))
    except (TypeError, ValueError) as error:
        raise InvalidValue(
            f"scipy: {name} does not take args `{args}` with kwds `{kwds}` ({error}); give the "
            "parameters that scipy.stats documents"
        ) from None


def _check_fields(name: str, entries: Mapping[str, Any], required: Mapping[str, bool]) -> None:
    """Say which field is unknown or missing; `required` tells it for every known field."""
    known = ", ".join(required)
    for field in entries:
        if field not in required:
            raise InvalidValue(f"{name}: `{field}` is not one of its fields; give {known}")
    for field, needed in required.items():
        if needed and field not in entries:
            raise InvalidValue(f"{name}: the field `{field}` is missing; give {known}")
