"""What was done to a dataset, in its attribute `observation`, as JSON.

    {"variables": [...], "steps": [{"step": "AdditiveNoise", "seed": 0, "arguments": {...}}, ...]}

`variables` are the measured ones, as they were before any step; a step that hides some leaves
the list as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr

from physcm.mechanism.errors import InvalidValue

ATTRIBUTE = "observation"


def begun(dataset: xr.Dataset, variables: Iterable[str]) -> xr.Dataset:
    """Return the dataset with an empty record.

    >>> begun(xr.Dataset(), ["x"]).attrs["observation"]
    '{"variables": ["x"], "steps": []}'
    """
    return _with(dataset, {"variables": list(variables), "steps": []})


def appended(dataset: xr.Dataset, entry: Mapping[str, Any]) -> xr.Dataset:
    """Return the dataset with one more step in its record.

    >>> once = appended(begun(xr.Dataset(), ["x"]), {"step": "Standardize"})
    >>> read(once.attrs["observation"])["steps"]
    [{'step': 'Standardize'}]
    """
    record = read(dataset.attrs[ATTRIBUTE])
    return _with(dataset, {**record, "steps": [*record["steps"], dict(entry)]})


def read(text: str) -> dict[str, Any]:
    """Return a record from its JSON.

    Raises:
        InvalidValue: for text that is no record.

    >>> read("[]")
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: `[]` is no record of observe; give the attribute ...
    """
    try:
        record = json.loads(text)
    except (TypeError, ValueError):
        record = None
    if not isinstance(record, dict) or not all(
        isinstance(record.get(key), list) for key in ("variables", "steps")
    ):
        raise InvalidValue(
            f"`{text}` is no record of observe; give the attribute `{ATTRIBUTE}` of a dataset "
            "that it returned"
        )
    return record


def measured(dataset: xr.Dataset) -> tuple[str, ...]:
    """Return the measured variables that the dataset still has.

    >>> measured(begun(xr.Dataset({"x": 0, "k": 1}), ["x", "y"]))
    ('x',)
    """
    names = read(dataset.attrs[ATTRIBUTE])["variables"]
    return tuple(name for name in names if name in dataset.data_vars)


def _with(dataset: xr.Dataset, record: dict[str, Any]) -> xr.Dataset:
    return dataset.assign_attrs({ATTRIBUTE: json.dumps(record, allow_nan=False)})
