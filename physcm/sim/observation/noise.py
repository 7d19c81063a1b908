"""Measurement noise: errors that are independent over samples, times and variables.

    additive:        y = x + e,   e from a distribution of mean 0
    multiplicative:  y = x * f,   f from a distribution of mean 1

(Carroll, Ruppert, Stefanski & Crainiceanu, Measurement Error in Nonlinear Models, 2006,
section 1.2.) Noise of measurement comes after the fact: it never enters the dynamics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import xarray as xr

from physcm.mechanism.distributions import Constant, Distribution, Normal, as_distribution
from physcm.mechanism.errors import InvalidValue
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.step import Step, as_names, changed, chosen


@dataclass(frozen=True)
class AdditiveNoise(Step):
    """Add an error to every value: y = x + e.

    Attributes:
        error: the standard deviation of a normal error with mean 0, in the units of the
            variable; or the Distribution of the error, whose mean is the bias.
        variables: for which variables; all that are measured unless told.

    Raises:
        InvalidValue: for a negative standard deviation.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "0"}, initial={"x": 1}), [0, 1], n=10_000)
    >>> round(float(observe(run, AdditiveNoise(0.5)).x.std()), 2)
    0.50
    """

    error: float | Distribution
    variables: Iterable[str] | None = None

    def __post_init__(self) -> None:
        _law(self.error, 0.0, "AdditiveNoise: error")
        object.__setattr__(self, "error", as_distribution(self.error) or self.error)
        object.__setattr__(self, "variables", as_names(self.variables, "AdditiveNoise"))

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset with errors added."""
        law = _law(self.error, 0.0, "AdditiveNoise: error")
        for name in chosen(dataset, self.variables):
            errors = law.quantile(draws.like(dataset, name, name))
            dataset = changed(dataset, name, dataset[name].values + errors)
        return dataset


@dataclass(frozen=True)
class MultiplicativeNoise(Step):
    """Multiply every value by a factor: y = x * f.

    Attributes:
        factor: the relative standard deviation, for a normal factor with mean 1 (0.05 is an
            error of 5 %); or the Distribution of the factor, such as `LogNormal(0, 0.05)`,
            which leaves positive values positive.
        variables: for which variables; all that are measured unless told.

    Raises:
        InvalidValue: for a negative standard deviation.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "0"}, initial={"x": 10}), [0, 1], n=10_000)
    >>> round(float(observe(run, MultiplicativeNoise(0.05)).x.std()), 2)
    0.50
    """

    factor: float | Distribution
    variables: Iterable[str] | None = None

    def __post_init__(self) -> None:
        _law(self.factor, 1.0, "MultiplicativeNoise: factor")
        object.__setattr__(self, "factor", as_distribution(self.factor) or self.factor)
        object.__setattr__(self, "variables", as_names(self.variables, "MultiplicativeNoise"))

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset with values multiplied."""
        law = _law(self.factor, 1.0, "MultiplicativeNoise: factor")
        for name in chosen(dataset, self.variables):
            factors = law.quantile(draws.like(dataset, name, name))
            dataset = changed(dataset, name, dataset[name].values * factors)
        return dataset


def _law(raw: Any, mean: float, place: str) -> Distribution:
    """Return a distribution, or the normal one that a standard deviation stands for."""
    distribution = as_distribution(raw)
    if distribution is not None:
        return distribution
    is_number = isinstance(raw, Real) and not isinstance(raw, bool) and math.isfinite(raw)
    if not is_number or raw < 0:
        raise InvalidValue(
            f"{place} is `{raw}`; give a standard deviation of at least 0, or a Distribution"
        )
    return Normal(mean, raw) if raw > 0 else Constant(mean)
