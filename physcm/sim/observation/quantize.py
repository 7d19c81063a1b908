"""`Quantize`: an instrument with a finite resolution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.values import finite
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.step import Step, as_names, changed, chosen


@dataclass(frozen=True)
class Quantize(Step):
    """Round every value to the nearest multiple of the step: |y - x| <= step / 2.

    Attributes:
        step: the quantization step, positive, in the units of the variable.
        variables: which variables; all that are measured unless told.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "1"}, initial={"x": 0.3}), [0, 0.5, 1])
    >>> observe(run, Quantize(0.25)).x.values.tolist()
    [[0.25, 0.75, 1.25]]
    """

    step: float
    variables: Iterable[str] | None = None

    def __post_init__(self) -> None:
        step = finite(self.step, "Quantize: step")
        if step <= 0:
            raise InvalidValue(f"Quantize: step is `{self.step}`; give a positive number")
        object.__setattr__(self, "step", step)
        object.__setattr__(self, "variables", as_names(self.variables, "Quantize"))

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset with values rounded."""
        for name in chosen(dataset, self.variables):
            values = dataset[name].values
            with np.errstate(over="ignore"):  # a value so large that it is a multiple already
                rounded = np.round(values / self.step) * self.step
            dataset = changed(dataset, name, np.where(np.isfinite(rounded), rounded, values))
        return dataset
