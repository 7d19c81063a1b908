"""What the fields of a distribution may be: finite, positive or probabilities, stored as floats."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from physcm.mechanism.distributions.distribution import Distribution
from physcm.mechanism.errors import InvalidValue


class Allowed(NamedTuple):
    """What a field may be: the words for it, and the test that a finite number must pass."""

    words: str
    test: Callable[[float], bool]


FINITE = Allowed("a finite number", math.isfinite)
POSITIVE = Allowed("a finite number above 0", lambda number: number > 0)
PROBABILITY = Allowed("a probability from 0 to 1", lambda number: 0 <= number <= 1)


def check(distribution: Distribution, **allowed: Allowed) -> None:
    """Make fields floats, or say which of them is not allowed."""
    kind = type(distribution).__name__
    for name, rule in allowed.items():
        number = _checked(getattr(distribution, name), f"{kind}: {name}", rule)
        object.__setattr__(distribution, name, number)


def check_rows(distribution: Distribution, **allowed: Allowed) -> None:
    """Make fields tuples of floats, or say which number in them is not allowed."""
    kind = type(distribution).__name__
    for name, rule in allowed.items():
        raw = getattr(distribution, name)
        row = np.asarray(raw, dtype=object)
        if row.ndim != 1 or row.size == 0:
            raise InvalidValue(f"{kind}: {name} is `{raw}`; give a list of at least one number")
        numbers = tuple(_checked(r, f"{kind}: {name}[{i}]", rule) for i, r in enumerate(row))
        object.__setattr__(distribution, name, numbers)


def _checked(raw: Any, place: str, rule: Allowed) -> float:
    number = as_float(raw)
    if not (math.isfinite(number) and rule.test(number)):
        raise InvalidValue(f"{place} is `{raw}`; give {rule.words}")
    return number


def as_float(raw: Any) -> float:
    """Return a real number as a float, and NaN for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, Real):
        return math.nan
    try:
        return float(raw)
    except OverflowError:
        return math.inf
