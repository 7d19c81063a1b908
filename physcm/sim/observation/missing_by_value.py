"""`MissingByValue`: values whose chance of being missing depends on values.

If the chance reads only what is always seen, the values are missing at random; if it reads
the value itself or something hidden, they are missing not at random, and what is left is a
biased selection (Rubin, Biometrika 1976; Mohan & Pearl, JASA 2021).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
import xarray as xr

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import TIME, names_in, to_text
from physcm.mechanism.parser import parse
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.layout import laid_out
from physcm.sim.observation.step import Step, as_names, chosen, removed
from physcm.sim.observation.times import has_own_times, times_of


@dataclass(frozen=True)
class MissingByValue(Step):
    """Lose each value with a probability that is computed from the dataset.

    Attributes:
        probability: an expression in variables of the dataset (as they are before this step,
            parameters included) and time `t`; its values must lie between 0 and 1.
        variables: which variables go missing by it; all that are measured unless told.

    Raises:
        ParseError, UnknownVariable: for an expression that cannot be read.
        InvalidValue: for a probability that is no number from 0 to 1.

    >>> from physcm.mechanism import Normal
    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "0"}, initial={"x": Normal(0, 1)}), [0, 1], n=10_000)
    >>> seen = observe(run, MissingByValue("1/(1 + exp(-(x - 2)))", ["x"]))
    >>> float(seen.x.mean()) < float(run.x.mean()) - 0.1
    True
    """

    probability: str
    variables: Iterable[str] | None = None

    def __post_init__(self) -> None:
        expression = parse(self.probability, None, "MissingByValue")
        if not isinstance(expression, sp.Expr):
            raise InvalidValue(
                f"MissingByValue: the probability `{self.probability}` is a condition; "
                f"write where({self.probability}, 1, 0)"
            )
        if not isinstance(self.probability, str):
            object.__setattr__(self, "probability", to_text(expression))
        object.__setattr__(self, "variables", as_names(self.variables, "MissingByValue"))

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset with values removed."""
        lost = dataset
        for name in chosen(dataset, self.variables):
            u = draws.like(dataset, name, name)
            lost = removed(lost, name, u < self._chance(dataset, name))
        return lost

    def _chance(self, dataset: xr.Dataset, name: str) -> Floats:
        """Return the probability at every value of one variable, in its shape."""
        target = dataset[name]
        known = {str(n) for n, v in dataset.data_vars.items() if v.dtype.kind in "fiu"}
        expression = parse(self.probability, {*known, TIME.name}, "MissingByValue")
        reads = sorted(names_in(expression) & known)
        columns = [self._spread(dataset[n], n, target) for n in reads]
        x = np.array(columns).reshape(len(reads), target.size)
        t: Any = 0.0
        if TIME.name in names_in(expression) - known:
            t = self._spread(_clock(dataset), TIME.name, target)
        program = Program.over(tuple(reads), (), {}, (expression,))
        values = program.vector(t, x, np.empty((0, target.size)))[0]
        self._check(values, target)
        return np.reshape(values, target.shape)

    def _spread(self, read: xr.DataArray, what: str, target: xr.DataArray) -> Floats:
        if not set(read.dims) <= set(target.dims):
            raise InvalidValue(
                f"MissingByValue: `{target.name}` is not over `{', '.join(map(str, read.dims))}`, "
                f"as `{what}` in `{self.probability}` has; read variables over the same dimensions"
            )
        values = laid_out(read.values.astype(float), read.dims, target.dims)
        return np.broadcast_to(values, target.shape).ravel()

    def _check(self, values: Floats, target: xr.DataArray) -> None:
        present = ~np.isnan(target.values.ravel())
        wrong = np.flatnonzero(present & ~((values >= 0) & (values <= 1)))
        if not wrong.size:
            return
        value = values[wrong[0]]
        remedy = "write it so that it lies between 0 and 1, such as min(1, max(0, ...))"
        if np.isnan(value):
            remedy = "put the step before those that make missing what it reads"
        raise InvalidValue(
            f"MissingByValue: the probability `{self.probability}` is `{value}` at a value of "
            f"`{target.name}`; {remedy}"
        )


def _clock(dataset: xr.Dataset) -> xr.DataArray:
    times = times_of(dataset)
    if has_own_times(dataset):
        return xr.DataArray(times, dims=("sample", "time"))
    return xr.DataArray(times[0], dims="time")
