"""A step of an observation: from a dataset to what an instrument makes of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.parser import closest
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.record import measured

Names: TypeAlias = "Iterable[str] | None"


class Step(ABC):
    """One thing that happens to data between nature and the file.

    Every step is a frozen dataclass, listed in `physcm.sim.observation.steps`.
    """

    @abstractmethod
    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset after the step; `observe` calls this and records it."""


def as_names(raw: Any, place: str) -> tuple[str, ...] | None:
    """Return names as a tuple; one name may stand for itself, and None for all.

    Raises:
        InvalidValue: for anything but texts.

    >>> as_names("S", "Quantize"), as_names(["S", "P"], "Quantize"), as_names(None, "Quantize")
    (('S',), ('S', 'P'), None)
    """
    if raw is None:
        return None
    names = (raw,) if isinstance(raw, str) else tuple(raw) if isinstance(raw, Iterable) else ()
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidValue(f"{place}: variables is `{raw!r}`; give a list of names")
    return tuple(dict.fromkeys(names))


def chosen(dataset: xr.Dataset, variables: Names) -> tuple[str, ...]:
    """Return the measured variables that a step is for: those named, or all.

    Raises:
        UnknownVariable: for a name that is not measured.
    """
    names = measured(dataset)
    if variables is None:
        return names
    for name in variables:
        if name not in names:
            remedy = closest(name, names)
            if name in dataset.data_vars:
                remedy = f"to measure it too, name all in observe(..., variables=[{name!r}, ...])"
            raise UnknownVariable(f"`{name}` is no measured variable of the dataset; {remedy}")
    return tuple(variables)


def flag_of(name: str) -> str:
    """Return the name of the variable that flags censored values.

    >>> flag_of("S")
    'S_censored'
    """
    return f"{name}_censored"


def has_flag(dataset: xr.Dataset, name: str) -> bool:
    """Say whether censored values of a variable are flagged beside it."""
    flag = flag_of(name)
    linked = dataset[name].attrs.get("ancillary_variables") == flag
    return linked and flag in dataset.data_vars


def changed(dataset: xr.Dataset, name: str, values: NDArray[Any]) -> xr.Dataset:
    """Return the dataset with other values of one variable, in the same layout."""
    old = dataset[name]
    return dataset.assign({name: (old.dims, values, old.attrs)})


def removed(dataset: xr.Dataset, name: str, missing: NDArray[np.bool_]) -> xr.Dataset:
    """Return the dataset with NaN where a variable is missing, and no flag there either."""
    dataset = changed(dataset, name, np.where(missing, np.nan, dataset[name].values))
    if not has_flag(dataset, name):
        return dataset
    flag = flag_of(name)
    flags = dataset[flag].values
    return changed(dataset, flag, np.where(missing, np.zeros_like(flags), flags))
