"""`Hide`: variables that nobody measured."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.parser import closest
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.step import Step, flag_of, has_flag


@dataclass(frozen=True, init=False)
class Hide(Step):
    """Take variables out of the dataset; the record keeps their names.

    A hidden common cause confounds what it causes. Any variable can be hidden, parameters and
    exogenous variables included; the model in the attributes stays, as the ground truth.

    Attributes:
        names: the hidden variables.

    Raises:
        UnknownVariable: for a name that the dataset does not have.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "-x", "y": "x"}, initial={"x": 1, "y": 0}), [0, 1])
    >>> list(observe(run, Hide("x")).data_vars)
    ['y', 'status']
    """

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        if not names or not all(isinstance(name, str) for name in names):
            raise InvalidValue(f'Hide: `{names!r}` are no names; write Hide("x", "y")')
        object.__setattr__(self, "names", names)

    def apply(self, dataset: xr.Dataset, draws: Draws) -> xr.Dataset:
        """Return the dataset without the variables, and without their flags."""
        known = [str(name) for name in dataset.data_vars]
        for name in self.names:
            if name not in known:
                raise UnknownVariable(f"`{name}` cannot be hidden; {closest(name, known)}")
        flags = {flag_of(name) for name in self.names if has_flag(dataset, name)}
        return dataset.drop_vars({*self.names, *flags})
