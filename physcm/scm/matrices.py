"""Labelled matrices: from what a user wrote, and whether they are singular."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import sympy as sp
import xarray as xr
from sympy.polys.matrices import DomainMatrix

from physcm.mechanism.codegen import Floats
from physcm.mechanism.declarations import require_mapping
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.expression import exact
from physcm.mechanism.linearization import EPSILON
from physcm.mechanism.parser import closest

Rows: TypeAlias = Mapping[str, Mapping[str, float]]
_CLEARLY_REGULAR = 1e-9


def labelled(values: Floats, causes: Sequence[str], effects: Sequence[str]) -> xr.DataArray:
    """Return a matrix over `cause` and `effect` from one over (effect, cause).

    >>> labelled(np.array([[1.0, 2.0]]), ["x", "y"], ["z"]).sel(cause="y", effect="z").item()
    2.0
    """
    coords = {"cause": list(causes), "effect": list(effects)}
    return xr.DataArray(np.asarray(values).T, coords, ("cause", "effect"))


def as_rows(raw: Any, what: str) -> Rows:
    """Return a matrix as one mapping of causes to numbers per effect, zeros left out.

    >>> as_rows(labelled(np.array([[0.0, 2.0]]), ["x", "y"], ["z"]), "coefficients")
    {'z': {'y': 2.0}}
    """
    if not isinstance(raw, xr.DataArray):
        require_mapping(what, raw)
        for effect, row in raw.items():
            require_mapping(f"`{effect}` in {what}", row)
        return {effect: dict(row) for effect, row in raw.items()}
    if set(raw.dims) != {"cause", "effect"} or not {"cause", "effect"} <= set(raw.coords):
        raise InvalidValue(
            f"{what} has dimensions `{raw.dims}`; name them `cause` and `effect`, with the "
            "variables as coordinates"
        )
    matrix = raw.transpose("effect", "cause")
    causes = [str(cause) for cause in matrix["cause"].values]
    return {
        str(effect): {c: float(a) for c, a in zip(causes, row, strict=True) if a != 0}
        for effect, row in zip(matrix["effect"].values, matrix.values, strict=True)
    }


def matrix(rows: Rows, causes: Sequence[str], effects: Sequence[str], what: str) -> xr.DataArray:
    """Return rows as a matrix over `cause` and `effect`.

    Raises:
        UnknownVariable: for a cause that is not listed.
        InvalidValue: for what is no finite number.
    """
    place = {cause: j for j, cause in enumerate(causes)}
    values = np.zeros((len(effects), len(causes)))
    for i, effect in enumerate(effects):
        for cause, number in rows.get(effect, {}).items():
            require_known([cause], causes, f"{what} of `{effect}`")
            if not isinstance(number, int | float | np.number) or not np.isfinite(number):
                raise InvalidValue(
                    f"{what} of `{cause}` in `{effect}` is `{number}`; give a finite number"
                )
            values[i, place[cause]] = number
    return labelled(values, causes, effects)


def require_known(names: Collection[str], known: Collection[str], what: str) -> None:
    """Refuse names that are not declared."""
    for name in names:
        if name not in known:
            raise UnknownVariable(f"{what}: `{name}` is not declared; {closest(name, known)}")


def is_singular(b: Floats) -> bool:
    """Say whether I - B is singular: exactly, for B in decimals, or up to rounding.

    >>> is_singular(np.array([[0.9, 0.2], [0.3, 0.4]])), is_singular(np.array([[0.9]]))
    (True, False)
    """
    square = np.eye(len(b)) - b
    sizes = np.abs(square).sum(axis=1)
    if (sizes == 0).any():
        return True
    values = np.linalg.svd(square / sizes[:, np.newaxis], compute_uv=False)
    if not b.size or values[-1] > _CLEARLY_REGULAR:
        return False
    if values[-1] <= 8 * len(b) * EPSILON:
        return True
    exactly = [[sp.QQ.from_sympy(exact(float(i == j)) - exact(float(number)))
                for j, number in enumerate(row)] for i, row in enumerate(b)]  # fmt: skip
    return bool(DomainMatrix(exactly, b.shape, sp.QQ).det() == 0)
