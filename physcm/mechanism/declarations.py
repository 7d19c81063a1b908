"""What every kind of model declares: names, and intervals that variables lie in."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import Infeasible, InvalidValue, UnknownVariable
from physcm.mechanism.expression import RESERVED
from physcm.mechanism.lanes.pool import cores, share
from physcm.mechanism.parser import closest

Interval = tuple[float, float]
_MANY = 1_000_000

_NAME = re.compile(
    r"[^\W\d]\w*(\(0\))?"
    r"|(do|shift|scale)\([^\W\d]\w*(, \d+)?\)"
    r"|(amount|concentration)\([^\W\d]\w*\)"
)


def check_names(taken: Collection[str] = RESERVED, **kinds: Mapping[str, Any]) -> None:
    """Refuse what is no name, is reserved, or stands for two things.

    Args:
        taken: the reserved names.
        kinds: what is declared, by the name of its kind.

    >>> check_names(drift={"x": 1}, parameters={"x": 2})
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: `x` stands in drift and in parameters; keep one of them
    """
    seen: dict[str, str] = {}
    for kind, mapping in kinds.items():
        require_mapping(kind, mapping)
        for name in mapping:
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise InvalidValue(
                    f"`{name}` in {kind} is not a name; use letters, digits and underscores"
                )
            if name in taken:
                raise InvalidValue(f"`{name}` in {kind} is reserved; call it `{name}_`")
            if name in seen:
                raise InvalidValue(
                    f"`{name}` stands in {seen[name]} and in {kind}; keep one of them"
                )
            seen[name] = kind


def require_mapping(kind: str, given: Any) -> None:
    """Refuse what does not tell values by names.

    >>> require_mapping("parameters", 5)
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: parameters is `5`; give a mapping of names to values
    """
    if not isinstance(given, Mapping):
        raise InvalidValue(f"{kind} is `{given!r}`; give a mapping of names to values")


def as_interval(name: str, pair: Any, names: Collection[str], what: str) -> Interval:
    """Return (lowest, highest) value of a variable from what a user wrote.

    >>> as_interval("x", (0, float("inf")), {"x"}, "domain")
    (0.0, inf)
    """
    if name not in names:
        raise UnknownVariable(f"{what} of `{name}`: no such variable; {closest(name, names)}")
    try:
        low, high = (float(end) for end in pair)
    except (TypeError, ValueError):
        low = high = math.nan
    if not low < high:
        raise InvalidValue(f"{what} of `{name}` is `{pair}`; give two numbers, the lower first")
    return low, high


def require_within(interval: Interval, name: str, value: Any) -> None:
    """Refuse to hold a variable at a number that it cannot take.

    >>> require_within((0, 1), "x", 2)
    Traceback (most recent call last):
    physcm.mechanism.errors.Infeasible: `x` cannot be held at `2`: it lies between 0 and 1; ...
    """
    low, high = interval
    if isinstance(value, int | float) and not low <= value <= high and math.isfinite(value):
        raise Infeasible(
            f"`{name}` cannot be held at `{value}`: it lies between {low:g} and {high:g}; "
            "choose a value in that range"
        )


def require_finite(drawn: Mapping[str, Floats]) -> None:
    """Refuse drawn values that came out as NaN or infinity."""
    named = list(drawn.items())
    bad: list[int] = []

    def work(low: int, high: int, stop: object) -> None:
        bad.extend(i for i in range(low, high) if not np.isfinite(named[i][1]).all())

    if sum(values.size for values in drawn.values()) < _MANY:
        work(0, len(named), None)
    else:
        share(work, len(named), threads=cores(), grain=1)
    if bad:
        name, values = named[min(bad)]
        sample = np.flatnonzero(~np.isfinite(values))[0]
        raise InvalidValue(
            f"`{name}` is `{values[sample]}` in sample {sample}; "
            "check its definition and the values that it reads"
        )


def require_scale(name: str, value: Any) -> None:
    """Refuse negative factors of noise, numbers or one per sample.

    >>> require_scale("scale(x)", -1.0)
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: `scale(x)` is `-1.0`; give a factor of at least 0
    """
    if isinstance(value, float | tuple | np.ndarray) and (least := np.min(value, initial=0)) < 0:
        raise InvalidValue(f"`{name}` is `{least}`; give a factor of at least 0")
