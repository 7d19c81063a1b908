"""omega: what an intervention below is above, or why it is nothing at all.

Interventions are ordered: i <= j if j sets all that i sets, at the same values (Rubenstein et
al., UAI 2017, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.interventions import (
    Hold,
    Intervention,
    Interventions,
    SetParameter,
    each_of,
    is_permanent,
    label,
)

FROM_TAU: Literal["from tau"] = "from tau"


@dataclass(frozen=True)
class Undefined:
    """No intervention above is what one below is.

    Attributes:
        reason: why, in a clause.
    """

    reason: str

    def __str__(self) -> str:
        return f"undefined: {self.reason}"


Image: TypeAlias = "Interventions | Undefined"
Omega: TypeAlias = Callable[[Interventions], Image]
Together: TypeAlias = "Intervention | Sequence[Intervention]"
GivenOmega: TypeAlias = (
    "Callable[[Interventions], Any] | Mapping[Any, Together] "
    "| Sequence[tuple[Together, Together]] | Literal['from tau']"
)


def content(do: Iterable[Intervention]) -> dict[str, Any]:
    """Return what interventions set, and to which value.

    >>> content([Hold("x", 1), SetParameter(k=2), Hold("x", 3)])
    {'do(x)': 3.0, 'k': 2.0}
    """
    parts: dict[str, Any] = {}
    for one in do:
        if is_permanent(one) and isinstance(one, Hold):
            parts[f"do({one.name})"] = _comparable(one.value)
        elif is_permanent(one) and isinstance(one, SetParameter):
            parts |= {name: _comparable(value) for name, value in one.values.items()}
        else:
            parts[repr(one)] = True
    return parts


def same(first: Image, second: Image) -> bool:
    """Say whether two images are one intervention."""
    if isinstance(first, Undefined) or isinstance(second, Undefined):
        return False
    return content(first) == content(second)


def part_of(first: Iterable[Intervention], second: Iterable[Intervention]) -> bool:
    """Say whether first <= second: the second sets all that the first sets, at the same values.

    >>> part_of([Hold("x", 1)], [Hold("x", 1), Hold("y", 2)]), part_of([Hold("x", 1)], [])
    (True, False)
    """
    return content(first).items() <= content(second).items()


def listed_omega(given: Mapping[Any, Together] | Sequence[tuple[Together, Together]]) -> Omega:
    """Return a list of pairs, or a mapping, of interventions below and above as a function.

    Doing nothing is doing nothing, unless the list says otherwise.

    Raises:
        InvalidValue: for what is no list of pairs.

    >>> omega = listed_omega([(Hold("x", 1), Hold("X", 2))])
    >>> omega((Hold("x", 1.0),))
    (Hold('X', 2),)
    >>> print(omega((Hold("x", 5),)))
    undefined: omega lists nothing for do(x = 5)
    """
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    listed = isinstance(pairs, list | tuple)
    if not listed or any(not isinstance(pair, tuple) or len(pair) != 2 for pair in pairs):
        raise InvalidValue(
            f"omega is `{given!r}`; give a function, a mapping or a list of pairs such as "
            f"(Hold('x', 1), Hold('X', 2)), or '{FROM_TAU}'"
        )
    table = [each_of(pair) for pair in pairs]

    def omega(do: Interventions) -> Image:
        for below, above in table:
            if content(below) == content(do):
                return above
        return Undefined(f"omega lists nothing for {label(do)}") if do else ()

    return omega


def _comparable(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return repr(value)
