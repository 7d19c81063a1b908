"""Interventions: what can be done to a model, as values that every kind of model understands.

`Hold` is the perfect intervention do(X = x) (Mooij, Janzing & Schölkopf, UAI 2013): the
mechanism of X is replaced by the value x for all time, its noise and initial value are gone,
and every other mechanism is untouched and reads x. `SetParameter` changes constants and
leaves every mechanism in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from physcm.mechanism.errors import InvalidValue


@dataclass(frozen=True)
class Hold:
    """Hold a variable: its mechanism is replaced by a value.

    Attributes:
        name: the variable.
        value: a number, an expression in time and other variables, a distribution (one draw
            per sample), or a sequence with one number per sample.

    >>> Hold("S", 1.5)
    Hold(name='S', value=1.5)
    """

    name: str
    value: Any


@dataclass(frozen=True, init=False)
class SetParameter:
    """Change parameters: every mechanism stays and reads the new values.

    Initial values and parameters that are computed from a changed one follow it. A parameter
    that is itself computed and is set here keeps the value set.

    >>> SetParameter(k=2.0)
    SetParameter(k=2.0)
    """

    values: Mapping[str, Any]

    def __init__(self, **values: Any) -> None:
        object.__setattr__(self, "values", MappingProxyType(values))

    def __repr__(self) -> str:
        return f"SetParameter({', '.join(f'{k}={v!r}' for k, v in self.values.items())})"


Intervention: TypeAlias = "Hold | SetParameter"


def collect(
    interventions: Iterable[Intervention], holds: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the held values and the parameter values of one `do`; the later wins.

    Raises:
        InvalidValue: for something that is no intervention.

    >>> collect([Hold("x", 1), SetParameter(k=2)], {"x": 3})
    ({'x': 3}, {'k': 2})
    """
    held: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    for intervention in interventions:
        if isinstance(intervention, Hold):
            held[intervention.name] = intervention.value
        elif isinstance(intervention, SetParameter):
            parameters |= intervention.values
        else:
            raise InvalidValue(
                f"`{intervention!r}` is not an intervention; use Hold(...) or SetParameter(...)"
            )
    return held | dict(holds), parameters


def label(intervention: Intervention | Iterable[Intervention]) -> str:
    """Return interventions in the notation of the field.

    >>> label([Hold("x", 1.0), SetParameter(k=0.25)])
    'do(x = 1), k = 0.25'
    >>> label([])
    'nothing'
    """
    given = [intervention] if isinstance(intervention, Hold | SetParameter) else intervention
    held, parameters = collect(given, {})
    holds = ", ".join(f"{name} = {_short(value)}" for name, value in held.items())
    parts = [f"do({holds})"] if holds else []
    parts += [f"{name} = {_short(value)}" for name, value in parameters.items()]
    return ", ".join(parts) or "nothing"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)
