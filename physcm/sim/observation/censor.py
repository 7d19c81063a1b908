"""`Censor`: an instrument that saturates, or cannot see below its limit of detection.

A censored value is known to lie beyond the limit, no more. It stays at the limit, as the
instrument reads, and a companion variable `x_censored` says so: -1 for left-censored (below
`low`), 1 for right-censored (above `high`), 0 for values that are seen, or missing. The
companion follows the CF conventions (flag_values, flag_meanings; the variable names it in
ancillary_variables); with it the data go into a likelihood for censored data as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.values import finite
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.step import Step, as_names, changed, chosen, flag_of, has_flag


@dataclass(frozen=True)
class Censor(Step):
    """Put values beyond a limit at the limit, and flag them in `{name}_censored`.

    Attributes:
        low: the lower limit, in the units of the variable.
        high: the upper limit.
        variables: which variables; all that are measured unless told.

    Raises:
        InvalidValue: without any limit, or with low not below high.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "1"}, initial={"x": 0}), [0, 1, 2, 3])
    >>> seen = observe(run, Censor(low=0.5, high=2.5))
    >>> seen.x.values.round(6).tolist(), seen.x_censored.values.tolist()
    ([[0.5, 1.0, 2.0, 2.5]], [[-1, 0, 0, 1]])
    """

    low: float | None = None
    high: float | None = None
    variables: Iterable[str] | None = None

    def __post_init__(self) -> None:
        given = {
            side: finite(limit, f"Censor: {side}")
            for side, limit in (("low", self.low), ("high", self.high))
            if limit is not None
        }
        if not given or not given.get("low", -np.inf) < given.get("high", np.inf):
            raise InvalidValue(
                f"Censor: low is `{self.low}` and high is `{self.high}`; give one limit, or low "
                "< high"
            )
        for side, limit in given.items():
            object.__setattr__(self, side, limit)
        object.__setattr__(self, "variables", as_names(self.variables, "Censor"))

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset with values at the limits and flags beside them."""
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        for name in chosen(dataset, self.variables):
            values = dataset[name].values
            flags = (values > high).astype(np.int8) - (values < low).astype(np.int8)
            dataset = _flagged(dataset, name, flags)
            dataset = changed(dataset, name, np.clip(values, low, high))
        return dataset


def _flagged(dataset: xr.Dataset, name: str, flags: NDArray[np.int8]) -> xr.Dataset:
    """Return the dataset with flags beside a variable; newer flags outdo those from before."""
    flag, values = flag_of(name), dataset[name]
    if has_flag(dataset, name):
        flags = np.where(flags != 0, flags, dataset[flag].values)
    elif flag in dataset.variables:
        raise InvalidValue(
            f"Censor: the dataset has a variable `{flag}` already; rename it before `{name}` is "
            "censored"
        )
    attributes = {
        "flag_values": np.array([-1, 0, 1], dtype=np.int8),
        "flag_meanings": "left_censored not_censored right_censored",
    }
    return dataset.assign(
        {
            name: (values.dims, values.values, {**values.attrs, "ancillary_variables": flag}),
            flag: (values.dims, flags, attributes),
        }
    )
