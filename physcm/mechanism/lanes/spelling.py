"""The spelling of generated source for lanes: what its names stand for.

The source is that for NumPy. Functions that processors and libraries round differently, such as
exp, are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from physcm.mechanism.errors import Unsupported
from physcm.mechanism.lanes import elementary
from physcm.mechanism.lanes.tracing import Flag, Lane, text
from physcm.mechanism.lanes.vectors import Vectors
from physcm.mechanism.source import VECTOR, Target


def _functions() -> Mapping[str, Any]:
    numbers = VECTOR.functions
    functions = {
        name: _refusing(name, function) for name, function in numbers.items() if callable(function)
    }
    for name, other in {"sqrt": "sqrt", "Abs": "fabs", "floor": "floor", "ceiling": "ceil"}.items():
        functions[name] = _mixed(numbers[name], lambda v, x, other=other: v.intrinsic(other, x))
    for name in ("sign", "minimum", "maximum"):
        functions[name] = _mixed(numbers[name], elementary.OWN[name])
    return (
        {"nan": np.nan, "inf": np.inf}
        | functions
        | {
            "where": _where,
            "logical_and": _logical("and", numbers["logical_and"]),
            "logical_or": _logical("or", numbers["logical_or"]),
            "logical_not": _not,
        }
    )


TRACED = Target(_functions, VECTOR.cases, VECTOR.words)


def _mixed(number: Callable[..., Any], write: Callable[..., str]) -> Callable[..., Any]:
    """Return a function of lanes and numbers, which of numbers alone is a number."""

    def call(*arguments: Any) -> Any:
        v = next((a.v for a in arguments if isinstance(a, Lane)), None)
        if v is None:
            with np.errstate(all="ignore"):
                return float(number(*arguments))
        return Lane(v, write(v, *(text(v, a) for a in arguments)))

    return call


def _refusing(name: str, number: Callable[..., Any]) -> Callable[..., Any]:
    def write(v: Vectors, *arguments: str) -> str:
        raise Unsupported(f"`{name}` is not rounded alike everywhere; evaluate it in NumPy")

    return _mixed(number, write)


def _where(condition: Any, value: Any, otherwise: Any) -> Any:
    if not isinstance(condition, Flag):
        return value if condition else otherwise
    v = condition.v
    return Lane(v, v.select(condition.register, text(v, value), text(v, otherwise)))


def _logical(word: str, number: Callable[..., Any]) -> Callable[..., Any]:
    def call(a: Any, b: Any) -> Any:
        v = next((x.v for x in (a, b) if isinstance(x, Flag)), None)
        if v is None:
            return bool(number(a, b))
        return Flag(v, v.flag(word, *(_flag(x) for x in (a, b))))

    return call


def _not(a: Any) -> Any:
    return Flag(a.v, a.v.flag("xor", a.register, _flag(True))) if isinstance(a, Flag) else not a


def _flag(a: Any) -> str:
    return a.register if isinstance(a, Flag) else f"splat (i1 {'true' if a else 'false'})"
