"""The map to standard units, for carrying a ground truth over to standardized data.

With means m and standard deviations s, z_i = (x_i - m_i) / s_i, and a ground truth moves along:

    a value, such as an intervention do(X_i = v):       (v - m_i) / s_i
    a structural equation x_i = h_i(x):                 z_i = (h_i(m + s z) - m_i) / s_i
    an amount, such as a drift dx_i/dt = f_i(x):        dz_i/dt = f_i(m + s z) / s_i
    a linear coefficient of the edge j -> i:            a_ij s_j / s_i
    the graph:                                          stays as it is
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp
import xarray as xr

from physcm.mechanism.distributions import as_distribution
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.expression import exact, initial_symbol, symbol
from physcm.mechanism.parser import closest, parse
from physcm.mechanism.values import finite

ATTRIBUTE = "standardization"


@dataclass(frozen=True)
class Standardization:
    """Means and standard deviations, and what a ground truth becomes under them.

    Attributes:
        mean: the mean of each standardized variable.
        sd: its standard deviation, positive.

    Raises:
        InvalidValue: for numbers that are not finite, or means without standard deviations.

    >>> units = Standardization(mean={"x": 1, "y": 0}, sd={"x": 2, "y": 4})
    >>> units.value("x", 5), units.value("y", "x + k"), units.amount("y", "x")
    (2.0, k/4 + x/2 + 1/4, x/2 + 1/4)
    >>> graph = xr.DataArray([[0, 1], [0, 0]], {"cause": ["x", "y"], "effect": ["x", "y"]})
    >>> units.coefficients(graph).values.tolist()
    [[0.0, 0.5], [0.0, 0.0]]
    """

    mean: Mapping[str, float]
    sd: Mapping[str, float]

    def __post_init__(self) -> None:
        if self.mean.keys() != self.sd.keys():
            odd = sorted(self.mean.keys() ^ self.sd.keys())
            raise InvalidValue(f"`{odd[0]}` has only one of mean and sd; give both")
        for place in ("mean", "sd"):
            numbers = {k: finite(v, f"{place} of `{k}`") for k, v in getattr(self, place).items()}
            object.__setattr__(self, place, MappingProxyType(numbers))
        for name, sd in self.sd.items():
            if sd <= 0:
                raise InvalidValue(f"sd of `{name}` is `{sd}`; give a positive number")

    @classmethod
    def of(cls, dataset: xr.Dataset) -> Standardization:
        """Return the map from original to present units of a dataset; empty if they are equal.

        >>> from physcm.sim import Standardize, System, observe, simulate
        >>> run = simulate(System({"x": "1"}, initial={"x": 0}), [0, 2])
        >>> Standardization.of(observe(run, Standardize())).value("x", 3)
        2.0
        """
        return cls(**json.loads(dataset.attrs.get(ATTRIBUTE, '{"mean": {}, "sd": {}}')))

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Return the constructor arguments as plain dictionaries."""
        return {"mean": dict(self.mean), "sd": dict(self.sd)}

    def value(self, name: str, value: Any) -> Any:
        """Return a value of a variable in standard units: (v - m) / s.

        Args:
            name: the variable; one that is not standardized is an `UnknownVariable`.
            value: a number, an array, or an expression in variables, parameters and time, such
                as the right-hand side of a structural equation, which becomes a SymPy
                expression over standardized variables.
        """
        return self._converted(name, value, self.mean.get(name, 0.0))

    def amount(self, name: str, value: Any) -> Any:
        """Return a change of a variable or its rate in standard units: v / s; see `value`."""
        return self._converted(name, value, 0.0)

    def original(self, name: str, value: Any) -> Any:
        """Return a number or an array of standard units in original ones.

        >>> Standardization({"x": 1}, {"x": 2}).original("x", 2.0)
        5.0
        """
        self._require(name)
        return self.mean[name] + self.sd[name] * value

    def coefficients(self, matrix: xr.DataArray) -> xr.DataArray:
        """Return linear coefficients over (cause, effect) in standard units: a_ij s_j / s_i."""
        for dim in ("cause", "effect"):
            if dim not in matrix.coords:
                raise InvalidValue(
                    f"the coefficients have dimensions `{matrix.dims}`; give a DataArray with "
                    "the names of variables along `cause` and `effect`"
                )
        scales = {
            dim: xr.DataArray([self.sd.get(str(n), 1.0) for n in matrix[dim].values], dims=dim)
            for dim in ("cause", "effect")
        }
        return matrix * scales["cause"] / scales["effect"]

    def after(self, first: Standardization) -> Standardization:
        """Return the map that standardizes first by another one, then by this one."""
        mean, sd = dict(first.mean), dict(first.sd)
        for name, m in self.mean.items():
            mean[name] = mean.get(name, 0.0) + sd.get(name, 1.0) * m
            sd[name] = sd.get(name, 1.0) * self.sd[name]
        return Standardization(mean, sd)

    def _require(self, name: str) -> None:
        if name not in self.mean:
            raise UnknownVariable(f"`{name}` is not standardized; {closest(name, self.mean)}")

    def _converted(self, name: str, value: Any, offset: float) -> Any:
        self._require(name)
        if isinstance(value, str | sp.Basic):
            return (self._in_standard_units(parse(value)) - exact(offset)) / exact(self.sd[name])
        if as_distribution(value) is not None:
            raise InvalidValue(f"`{value}` is a distribution; standardize numbers drawn from it")
        is_plain = isinstance(value, int | float | xr.DataArray)
        return ((value if is_plain else np.asarray(value)) - offset) / self.sd[name]

    def _in_standard_units(self, expression: sp.Expr) -> sp.Expr:
        """Write m + s z for every standardized variable, and for its value at the start."""
        units = {
            kind(name): exact(self.mean[name]) + exact(self.sd[name]) * kind(name)
            for name in self.mean
            for kind in (symbol, initial_symbol)
        }
        return expression.xreplace(units)
