"""`Standardize`: variables with mean 0 and standard deviation 1, and the way back.

Standardizing takes away that causes often vary less than their effects, which lets methods
guess the order of variables in simulated data from their variances (Reisach, Seiler &
Weichwald, "Beware of the simulated DAG!", NeurIPS 2021).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.parser import closest
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.standardization import ATTRIBUTE, Standardization
from physcm.sim.observation.step import Step, as_names, changed, chosen


@dataclass(frozen=True)
class Standardize(Step):
    """Bring each variable to mean 0 and standard deviation 1: z = (x - mean) / sd.

    Means and standard deviations are those of all present values, over samples and times (the
    standard deviation divides by their number). A variable that is constant has no scale of its
    own: it becomes 0, and counts with the standard deviation 1. `Standardization.of(dataset)`
    gives them back and carries a ground truth over. Data under interventions belong on the scale
    of the observational data: `Standardize(by=Standardization.of(observational))`.

    Attributes:
        by: means and standard deviations to use; those of the data unless told.
        variables: which variables; all that are measured unless told.

    Raises:
        InvalidValue: for a variable without any finite value, or with an infinite one.
        UnknownVariable: for a variable that `by` does not have.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "1"}, initial={"x": 3}), [0, 1, 2])
    >>> observe(run, Standardize()).x.values.round(3).tolist()
    [[-1.225, 0.0, 1.225]]
    """

    by: Standardization | None = None
    variables: Iterable[str] | None = None

    def __post_init__(self) -> None:
        if self.by is not None and not isinstance(self.by, Standardization):
            raise InvalidValue(
                f"Standardize: by is `{self.by}`; give Standardization.of(dataset) or None"
            )
        object.__setattr__(self, "variables", as_names(self.variables, "Standardize"))

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset in standard units, with these in the attributes."""
        means, sds = {}, {}
        for name in chosen(dataset, self.variables):
            means[name], sds[name] = self._moments(dataset, name)
            values = (dataset[name].values - means[name]) / sds[name]
            dataset = changed(dataset, name, values)
        units = Standardization(means, sds).after(Standardization.of(dataset))
        return dataset.assign_attrs({ATTRIBUTE: json.dumps(units.to_dict())})

    def _moments(self, dataset: xr.Dataset, name: str) -> tuple[float, float]:
        if self.by is None:
            return _moments_of(dataset, name)
        if name not in self.by.mean:
            raise UnknownVariable(
                f"Standardize: `by` has no mean of `{name}`; {closest(name, self.by.mean)}; "
                "or leave it out by variables=[...]"
            )
        return self.by.mean[name], self.by.sd[name]


def _moments_of(dataset: xr.Dataset, name: str) -> tuple[float, float]:
    values = dataset[name].values
    values = values[~np.isnan(values)]
    if not values.size or not np.isfinite(values).all():
        found = f"takes the values `{sorted(set(values.tolist()))[:3]}`"
        raise InvalidValue(
            f"Standardize: `{name}` {found} and has no standard deviation to divide by; "
            "leave it out by variables=[...], or give the scale in by=Standardization(...)"
        )
    if values.min() == values.max():
        return float(values[0]), 1.0
    return float(values.mean()), float(values.std())


@dataclass(frozen=True)
class Unstandardize(Step):
    """Bring all standardized variables back to their original units: x = mean + sd z.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "1"}, initial={"x": 3}), [0, 1, 2])
    >>> observe(run, Standardize(), Unstandardize()).x.values.tolist()
    [[3.0, 4.0, 5.0]]
    """

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset in original units, without any in the attributes."""
        units = Standardization.of(dataset)
        if not units.mean:
            raise InvalidValue(
                f"Unstandardize: the attribute `{ATTRIBUTE}` is not there; put the step after "
                "Standardize, or leave it out"
            )
        for name in units.mean.keys() & dataset.data_vars.keys():
            dataset = changed(dataset, name, units.original(name, dataset[name].values))
        attrs = {key: value for key, value in dataset.attrs.items() if key != ATTRIBUTE}
        return xr.Dataset(dataset.data_vars, dataset.coords, attrs)
