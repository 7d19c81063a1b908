"""Which variables of a dataset are measured: the endogenous ones.

Parameters, exogenous variables and statuses are ground truth. The dataset itself tells: its
attribute `system` (states, held and derived variables) or `scm` (the labels of the equations),
and without these its dimensions, since only endogenous variables are over `time` or `solution`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable

import xarray as xr

from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.parser import closest

_LABEL = re.compile(r"0 = .*  \(labelled (.*)\)")


def endogenous(dataset: xr.Dataset, variables: Iterable[str] | None = None) -> tuple[str, ...]:
    """Return the names of the variables to measure.

    Args:
        dataset: with dimension `sample`.
        variables: the names, where the user knows better.

    Raises:
        UnknownVariable: for a name that the dataset does not have.
        InvalidValue: for a variable that is not numbers over `sample`, and where nothing tells
            the endogenous variables from the parameters.

    >>> run = xr.Dataset({"x": (("sample", "time"), [[1.0]]), "k": ("sample", [2.0])})
    >>> endogenous(run), endogenous(run, ["k"])
    (('x',), ('k',))
    """
    if variables is not None:
        return tuple(_checked(dataset, name) for name in variables)
    told = _labels(dataset)
    if told is None:
        told = {str(name) for name, v in dataset.data_vars.items() if _varies(v)}
    names = tuple(str(name) for name in dataset.data_vars if name in told)
    if not names:
        raise InvalidValue(
            f"nothing tells which of the variables `{', '.join(map(str, dataset.data_vars))}` are "
            "measured and which are parameters; name the measured ones in variables=[...]"
        )
    return tuple(_checked(dataset, name) for name in names)


def _labels(dataset: xr.Dataset) -> set[str] | None:
    """Return the variables of the model that made the dataset, if it names one."""
    if isinstance(dataset.attrs.get("scm"), str):
        lines = dataset.attrs["scm"].splitlines()
        implicit = [_LABEL.fullmatch(line) for line in lines]
        return {
            match[1] if match else line.partition(" = ")[0]
            for match, line in zip(implicit, lines, strict=True)
        }
    try:
        model = tomllib.loads(dataset.attrs.get("system", ""))
    except (TypeError, tomllib.TOMLDecodeError):
        return None
    tables = (model.get(table, {}) for table in ("drift", "held", "algebraic"))
    return {name for table in tables for name in table} or None


def _varies(variable: xr.DataArray) -> bool:
    return variable.dtype.kind == "f" and not {"time", "solution"}.isdisjoint(variable.dims)


def _checked(dataset: xr.Dataset, name: str) -> str:
    if name not in dataset.data_vars:
        known = [str(n) for n in dataset.data_vars]
        raise UnknownVariable(f"`{name}` is no variable of the dataset; {closest(name, known)}")
    variable = dataset[name]
    if "sample" not in variable.dims or variable.dtype.kind not in "fiu":
        raise InvalidValue(
            f"`{name}` is of type `{variable.dtype}` over `{', '.join(map(str, variable.dims))}`; "
            "name variables that are numbers over `sample`"
        )
    return name
