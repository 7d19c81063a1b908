"""Samples of a structural causal model: draw the noise, solve, and give back what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import physcm
from physcm.mechanism.codegen import Floats
from physcm.mechanism.declarations import require_finite, require_mapping
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.parser import closest
from physcm.mechanism.values import Value, as_value, draw, finite
from physcm.scm import validation
from physcm.scm.solve import Solutions, solve
from physcm.scm.stability import only_ones, stability, stable_ones
from physcm.scm.status import flags
from physcm.scm.subsets import selected

if TYPE_CHECKING:
    from physcm.scm.scm import SCM


def sample(model: SCM, n: int, seed: int, near: Mapping[str, float], *, stable: bool) -> xr.Dataset:
    """Return the only or selected solution of each of n samples, as `SCM.sample` says."""
    samples = validation.count(n)
    point = _near(model, near)
    values = _drawn(model, {}, samples, seed)
    solutions = solve(model.blocks, values, samples)
    found = _selected(model, solutions, values, point, stable=stable)
    columns = {name: ("sample", found[name]) for name in model.variables}
    return _dataset(model, columns, values, solutions, seed)


def solved(model: SCM, exogenous: Mapping[str, Any], n: int, seed: int) -> xr.Dataset:
    """Return all solutions that can be found, as `SCM.solve` says."""
    fixed = given(model, exogenous)
    samples = _length(fixed, validation.count(n))
    values = _drawn(model, fixed, samples, seed)
    solutions = solve(model.blocks, values, samples)
    rank = np.arange(solutions.sample.size) - np.searchsorted(solutions.sample, solutions.sample)
    shape = samples, max(1, int(solutions.count.max()))
    columns: dict[str, Any] = {}
    for name in model.variables:
        table = np.full(shape, np.nan)
        table[solutions.sample, rank] = solutions.values[name]
        columns[name] = (("sample", "solution"), table)
    if model.dynamics is not None:
        kinds = np.full(shape, "", dtype="<U8")
        kinds[solutions.sample, rank] = stability(model, solutions, values)
        columns["stability"] = (("sample", "solution"), kinds)
    columns["count"] = ("sample", solutions.count)
    return _dataset(model, columns, values, solutions, seed)


def given(model: SCM, exogenous: Mapping[str, Any]) -> dict[str, Value]:
    """Return given exogenous values: numbers, or tuples with one number per sample.

    Raises:
        UnknownVariable: for a name that is no exogenous variable.
        InvalidValue: for a value that is none.
    """
    require_mapping("exogenous", exogenous)
    for name in exogenous:
        if name not in model.exogenous:
            remedy = closest(name, model.exogenous)
            if name in model.parameters:
                remedy = f"it is a parameter: use .do(SetParameter({name}=...))"
            elif name in model.mechanisms:
                remedy = f"it is a variable: use .do({name}=...)"
            raise UnknownVariable(
                f"`{name}` is no exogenous variable of {model.in_words}; {remedy}"
            )
    return {name: as_value(v, (), f"exogenous `{name}`") for name, v in exogenous.items()}


def _near(model: SCM, near: Mapping[str, float]) -> dict[str, float]:
    require_mapping("near", near)
    if near:
        selected(model.variables, near, model.in_words)
    return {name: finite(value, f"near `{name}`") for name, value in near.items()}


def _selected(
    model: SCM, solutions: Solutions, values: Mapping[str, Floats], point: Mapping[str, float],
    *, stable: bool,
) -> Mapping[str, Floats]:  # fmt: skip
    if stable:
        solutions = stable_ones(solutions, stability(model, solutions, values))
    if point:
        return solutions.nearest(point)
    return only_ones(solutions) if stable else solutions.unique()


def _drawn(model: SCM, fixed: Mapping[str, Value], samples: int, seed: int) -> dict[str, Floats]:
    values = {**model.exogenous, **model.parameters, **fixed}
    drawn = draw(values, np.arange(samples), seed)
    require_finite(drawn)
    return drawn


def _dataset(
    model: SCM, columns: Mapping[str, Any], values: Mapping[str, Floats], solutions: Solutions,
    seed: int,
) -> xr.Dataset:  # fmt: skip
    drawn = {name: ("sample", values[name]) for name in (*model.exogenous, *model.parameters)}
    return xr.Dataset(
        {**columns, **drawn, "status": flags(solutions.status)},
        coords={"sample": np.arange(solutions.status.size)},
        attrs={
            "title": model.name,
            "scm": str(model),
            "solved_by": solutions.in_words(),
            "seed": int(seed),
            "physcm_version": physcm.__version__,
        },
    )


def _length(fixed: Mapping[str, Value], n: int) -> int:
    """Return the number of samples that arrays of given values tell, or n."""
    lengths = {name: len(value) for name, value in fixed.items() if isinstance(value, tuple)}
    for name, length in lengths.items():
        first = next(iter(lengths))
        if length != lengths[first] or n not in (1, length):
            other = f"n is {n}" if length == lengths[first] else f"`{first}` {lengths[first]}"
            raise InvalidValue(
                f"`{name}` has values for {length} samples, but {other}; "
                "give one number per sample, or a single number"
            )
    return next(iter(lengths.values()), n)
