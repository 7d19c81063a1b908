"""Evidence: what was observed of some units, as one row of numbers per variable."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.declarations import require_mapping
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.parser import closest

_NOT_OBSERVED = frozenset({"status", "count"})


def as_evidence(
    evidence: Mapping[str, Any] | xr.Dataset,
    names: Collection[str],
    in_words: str,
    ignored: Collection[str] = (),
) -> dict[str, Floats]:
    """Return observed values by name, each (units,).

    Args:
        evidence: a number per name, or one per unit; a dataset as from `sample`.
        names: what can be observed.
        in_words: how messages name the model.
        ignored: names that a dataset may hold as well, such as constants.

    Raises:
        UnknownVariable: for a name that cannot be observed.
        InvalidValue: for values that are not finite, and for different numbers of units.

    >>> as_evidence({"x": 1, "y": [2, 3]}, {"x", "y"}, "the model")
    {'x': array([1., 1.]), 'y': array([2., 3.])}
    """
    if isinstance(evidence, xr.Dataset):
        skipped = _NOT_OBSERVED | set(ignored)
        evidence = {str(k): evidence[k] for k in evidence.data_vars if k not in skipped}
    require_mapping("evidence", evidence)
    rows = {}
    for name, raw in evidence.items():
        if name not in names:
            raise UnknownVariable(
                f"evidence: `{name}` cannot be observed in {in_words}; {closest(name, names)}"
            )
        rows[name] = _row(name, raw)
    units = {row.size for row in rows.values()} - {1}
    if len(units) > 1:
        raise InvalidValue(
            f"evidence: values for `{sorted(units)}` units; give as many of each variable"
        )
    count = units.pop() if units else 1
    return {name: np.broadcast_to(row, count).copy() for name, row in rows.items()}


def units(rows: Mapping[str, Floats]) -> int:
    """Return how many units were observed; one, of whom nothing is known, without evidence.

    >>> units({})
    1
    """
    return next((row.size for row in rows.values()), 1)


def _row(name: str, raw: Any) -> Floats:
    try:
        row = np.atleast_1d(np.asarray(raw, dtype=float))
    except (TypeError, ValueError):
        raise InvalidValue(f"evidence: `{name}` is `{raw}`; give numbers") from None
    if row.ndim != 1 or row.size == 0:
        raise InvalidValue(
            f"evidence: `{name}` has shape `{row.shape}`; give one number, or one per unit"
        )
    if not np.isfinite(row).all():
        raise InvalidValue(
            f"evidence: `{name}` is `{row[~np.isfinite(row)][0]}` for some unit; leave out what "
            "was not observed, unit by unit"
        )
    return row
