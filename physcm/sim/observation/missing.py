"""Values that are missing for reasons of their own: one by one, or in blocks.

Both are "missing completely at random": whether a value is missing has nothing to do with any
value (Rubin, "Inference and missing data", Biometrika 1976). `MissingByValue` is for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.layout import laid_out
from physcm.sim.observation.step import Step, as_names, chosen, removed
from physcm.sim.observation.times import require_time


@dataclass(frozen=True)
class MissingCompletelyAtRandom(Step):
    """Lose each value with the same probability, independently of everything.

    Attributes:
        fraction: the probability, from 0 to 1.
        variables: which variables; all that are measured unless told.
        together: whether they go missing together (a lost record) or each on its own.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "0"}, initial={"x": 1}), [0, 1], n=10_000)
    >>> round(float(observe(run, MissingCompletelyAtRandom(0.3)).x.isnull().mean()), 2)
    0.30
    """

    fraction: float
    variables: Iterable[str] | None = None
    together: bool = False

    def __post_init__(self) -> None:
        _require_fraction(self.fraction, "MissingCompletelyAtRandom")
        names = as_names(self.variables, "MissingCompletelyAtRandom")
        object.__setattr__(self, "variables", names)

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset with values removed."""
        for name in chosen(dataset, self.variables):
            u = draws.like(dataset, name, "" if self.together else name)
            dataset = removed(dataset, name, u < self.fraction)
        return dataset


@dataclass(frozen=True)
class MissingBlocks(Step):
    """Lose runs of consecutive measurements: an instrument is off, and comes back.

    At any present value a block begins with the probability that makes `fraction` the chance
    of being missing at every time, the first included. Blocks that follow each other at once
    read as one of twice the length; the first and the last may be cut by the ends of the run.

    Attributes:
        fraction: the expected fraction of missing values, from 0 to 1.
        length: how many measurements in a row a block takes.
        variables: which variables; all that are measured unless told.
        together: whether they share their blocks (a power cut) or have each its own.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "0"}, initial={"x": 1}), range(12))
    >>> seen = observe(run, MissingBlocks(0.5, length=3), seed=1)
    >>> "".join("." if np.isnan(value) else "x" for value in seen.x.values[0])
    'xxxxxxx...xx'
    """

    fraction: float
    length: int
    variables: Iterable[str] | None = None
    together: bool = False

    def __post_init__(self) -> None:
        _require_fraction(self.fraction, "MissingBlocks")
        whole = isinstance(self.length, Integral) and not isinstance(self.length, bool)
        if not whole or self.length < 1:
            raise InvalidValue(
                f"MissingBlocks: length is `{self.length}`; give a whole number of at least 1"
            )
        object.__setattr__(self, "variables", as_names(self.variables, "MissingBlocks"))

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset with blocks removed."""
        require_time(dataset)
        for name in chosen(dataset, self.variables):
            what = "" if self.together else name
            first = draws.at(f"{what}/first", dataset["sample"].values)
            missing = self._blocks(first, draws.grid(dataset, what))
            missing = laid_out(missing, ("sample", "time"), dataset[name].dims)
            dataset = removed(dataset, name, missing)
        return dataset

    def _blocks(self, first: Floats, u: Floats) -> NDArray[np.bool_]:
        """Return what is missing, shape (samples, times); `left` is what remains of a block."""
        begins = self.fraction / (self.length * (1 - self.fraction) + self.fraction)
        inside = first < self.fraction
        scaled = np.divide(first, self.fraction, out=np.zeros_like(first), where=inside)
        left = np.where(inside, np.ceil(scaled * self.length).astype(int), 0)
        missing = np.empty(u.shape, dtype=bool)
        for k in range(u.shape[1]):
            if k > 0:
                left = np.where(left > 0, left, np.where(u[:, k] < begins, self.length, 0))
            missing[:, k] = left > 0
            left = np.maximum(left - 1, 0)
        return missing


def _require_fraction(raw: Any, kind: str) -> None:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 <= raw <= 1:
        raise InvalidValue(f"{kind}: fraction is `{raw}`; give a number from 0 to 1")
