"""Interventions, events and jumps as plain data: what stands in a file, and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from physcm.mechanism.errors import InvalidFile, PhyscmError
from physcm.mechanism.interventions import (
    CutEdge,
    EdgeIntervention,
    Hold,
    Impulse,
    Intervention,
    Replace,
    RescaleEdge,
    ScaleNoise,
    SetParameter,
    Shift,
    When,
)
from physcm.mechanism.parser import closest
from physcm.mechanism.values import from_plain, to_plain
from physcm.sim.transitions import Event, Jump

_KINDS = {
    kind.__name__: kind
    for kind in (
        Hold, Shift, ScaleNoise, Replace, SetParameter, Impulse, When, CutEdge, RescaleEdge,
    )
}  # fmt: skip


def record(
    item: Intervention | EdgeIntervention | Event | Jump, taken: Collection[str] = ()
) -> dict[str, Any]:
    """Return the fields of an intervention, event or jump that are not as by default.

    Args:
        item: what is written down.
        taken: the names that the model gives, as in `to_plain`.

    >>> record(Hold("x", 1.0, during=(0, 2)))
    {'name': 'x', 'value': 1.0, 'during': [0, 2]}
    """
    return {
        field.name: _plain(getattr(item, field.name), taken)
        for field in fields(item)
        if getattr(item, field.name) != _default(field)
    }


def intervention_record(
    entry: Intervention | EdgeIntervention, taken: Collection[str] = ()
) -> dict[str, Any]:
    """Return an intervention as plain data, by its kind; see `record`.

    >>> intervention_record(Impulse("x", -1.0, at=3))
    {'Impulse': {'name': 'x', 'amount': -1.0, 'at': 3}}
    """
    return {type(entry).__name__: record(entry, taken)}


def read_intervention(mapping: Any, place: str) -> Intervention | EdgeIntervention:
    """Return the intervention of plain data.

    Raises:
        InvalidFile: for an unknown kind, and for unknown or missing fields.

    >>> read_intervention({"Hold": {"name": "x", "value": 1, "during": [0, 2]}}, "file")
    Hold('x', 1, during=(0, 2))
    """
    if not isinstance(mapping, Mapping) or len(mapping) != 1:
        raise InvalidFile(f"{place}: `{mapping!r}` is no intervention; write {{Hold = {{...}}}}")
    ((kind, content),) = mapping.items()
    if kind not in _KINDS:
        raise InvalidFile(f"{place}: no intervention is called `{kind}`; {closest(kind, _KINDS)}")
    given = _known(_KINDS[kind], content, f"{place}, {kind}")
    _require(given, "name", str, "text", place)
    _require(given, "during", list | tuple, "two times, [from, to]", place)
    _require(given, "values", Mapping, "a table", place)
    if "during" in given:
        given["during"] = tuple(given["during"])
    if kind == "SetParameter":
        return SetParameter(_values(given.pop("values", {}), place), **given)
    if "intervention" in given:
        given["intervention"] = read_intervention(given["intervention"], place)
    made: Intervention | EdgeIntervention = _made(
        _KINDS[kind], _values(given, place) if kind != "When" else given, place
    )
    return made


def read_event(mapping: Any, place: str) -> Event:
    """Return the event of plain data.

    Raises:
        InvalidFile: for unknown or missing fields.
    """
    given = _known(Event, mapping, place)
    _require(given, "assign", Mapping, "a table", place)
    for flag in ("persistent", "initially", "at_trigger"):
        _require(given, flag, bool, "true or false", place)
    made: Event = _made(Event, given, place)
    return made


def read_jump(mapping: Any, place: str) -> Jump:
    """Return the jump of plain data.

    Raises:
        InvalidFile: for unknown or missing fields.
    """
    given = _known(Jump, mapping, place)
    _require(given, "changes", Mapping, "a table", place)
    if "changes" in given:
        given["changes"] = _values(given["changes"], place)
    made: Jump = _made(Jump, given, place)
    return made


def _plain(value: Any, taken: Collection[str]) -> Any:
    if isinstance(value, Intervention | EdgeIntervention):
        return intervention_record(value, taken)
    if isinstance(value, Mapping):
        return {k: to_plain(v, taken) for k, v in value.items()}
    if isinstance(value, tuple):
        return [to_plain(v, taken) for v in value]
    return to_plain(value, taken)


def _default(field: Field[Any]) -> Any:
    return None if field.default is MISSING else field.default


def _values(mapping: Mapping[str, Any], place: str) -> dict[str, Any]:
    try:
        return {name: from_plain(value) for name, value in mapping.items()}
    except PhyscmError as error:
        raise InvalidFile(f"{place}: {error}") from None


def _known(kind: type[Any], content: Any, place: str) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise InvalidFile(f"{place}: `{content!r}` is no table; write its fields")
    names = [field.name for field in fields(kind)]
    for name in content:
        if name not in names:
            raise InvalidFile(f"{place}: unknown field `{name}`; {closest(name, names)}")
    return dict(content)


def _require(given: Mapping[str, Any], field: str, kind: Any, words: str, place: str) -> None:
    if field in given and not isinstance(given[field], kind):
        raise InvalidFile(f"{place}: `{field}` is `{given[field]!r}`; write it as {words}")


def _made(kind: type[Any], given: Mapping[str, Any], place: str) -> Any:
    try:
        return kind(**given)
    except TypeError:
        missing = [
            field.name
            for field in fields(kind)
            if field.name not in given and field.default is MISSING
        ]
        raise InvalidFile(f"{place}: `{missing[0]}` is missing; add it") from None
    except PhyscmError as error:
        raise InvalidFile(f"{place}: {error}") from None
