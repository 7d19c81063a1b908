"""`observe`: what instruments and circumstances make of a dataset.

The simulated world is complete and exact; what is seen of it is not. An observation is a
sequence of steps, each of which does one thing to the measured variables and leaves the ground
truth (parameters, exogenous variables, statuses, the model in the attributes) alone. Measured
are the endogenous variables: states and derived variables over (sample, time) or (sample),
and over (sample, solution) where an `SCM` has several solutions. Derived variables are measured
as states are, each with errors of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

import xarray as xr

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import natural
from physcm.sim.observation.draws import Draws
from physcm.sim.observation.endogenous import endogenous
from physcm.sim.observation.record import ATTRIBUTE, appended, begun, read
from physcm.sim.observation.standardize import Unstandardize
from physcm.sim.observation.step import Step, as_names
from physcm.sim.observation.steps import from_entry, to_entry


def observe(
    dataset: xr.Dataset,
    *steps: Step,
    seed: int = 0,
    variables: Iterable[str] | None = None,
) -> xr.Dataset:
    """Return what is observed of a dataset, by some steps in their order.

    Draws are functions of (seed, kind and number of the step, variable, sample, time): hiding a
    variable or taking a subset of samples or times moves no other draw, and two equal
    steps draw independently. Samples are counted by the coordinate `sample`. Observing in two
    calls is observing in one: `observe(observe(d, a), b)` equals `observe(d, a, b)`.

    Args:
        dataset: what `simulate`, `settle`, `equilibria`, `SCM.sample` or `SCM.solve` returned, or
            `observe`; each equilibrium counts as a sample.
        steps: such as `AdditiveNoise(0.1)`; see `physcm.sim.observation`.
        seed: a non-negative integer.
        variables: the measured variables, where the dataset does not tell them.

    Returns:
        The dataset as observed. Missing values are NaN, and what was NaN stays so. The
        attribute `observation` has all steps with arguments and seeds as JSON, from which
        `replay` repeats them.

    Raises:
        InvalidValue: for a dataset without samples, something that is no step, and as steps say.
        UnknownVariable: for a variable that the dataset does not have.

    >>> from physcm.sim import AdditiveNoise, Subsample, System, simulate
    >>> decay = System({"x": "-k*x"}, parameters={"k": 1}, initial={"x": 1})
    >>> run = simulate(decay, [0, 1, 2, 3], n=2)
    >>> observe(run, Subsample(every=3), AdditiveNoise(0.01)).x.values.round(3).tolist()
    [[..., ...], [..., ...]]
    """
    if _counts_equilibria(dataset):
        renamed = dataset.rename_dims(equilibrium="sample")
        seen = observe(renamed, *steps, seed=seed, variables=variables)
        return seen.rename_dims(sample="equilibrium")
    seed = natural(seed, "the seed")
    observed = _begun(dataset, variables)
    for step in steps:
        observed = _performed(observed, step, seed)
    return observed


def replay(dataset: xr.Dataset, record: str) -> xr.Dataset:
    """Return a dataset after the steps of a record, each with the seed that it had.

    Args:
        dataset: not yet observed: that of the record, or another with the same variables.
        record: the attribute `observation` of an observed dataset.

    Raises:
        InvalidValue: for text that is no record, and for a dataset that was observed already.

    >>> from physcm.sim import AdditiveNoise, System, simulate
    >>> run = simulate(System({"x": "-x"}, initial={"x": 1}), [0, 1, 2, 3], n=2)
    >>> seen = observe(run, AdditiveNoise(0.01), seed=3)
    >>> replay(run, seen.attrs["observation"]).identical(seen)
    True
    """
    if _counts_equilibria(dataset):
        seen = replay(dataset.rename_dims(equilibrium="sample"), record)
        return seen.rename_dims(sample="equilibrium")
    contents = read(record)
    observed = _begun(dataset, contents["variables"])
    for entry in contents["steps"]:
        observed = _performed(observed, *from_entry(entry))
    return observed


def unstandardize(dataset: xr.Dataset) -> xr.Dataset:
    """Return a standardized dataset in its original units.

    Raises:
        InvalidValue: for a dataset that is not standardized.

    >>> from physcm.sim import Standardize, System, simulate
    >>> run = simulate(System({"x": "1"}, initial={"x": 3}), [0, 1, 2])
    >>> unstandardize(observe(run, Standardize())).x.values.tolist()
    [[3.0, 4.0, 5.0]]
    """
    return observe(dataset, Unstandardize())


def _counts_equilibria(dataset: xr.Dataset) -> bool:
    """Say whether a dataset is one of `equilibria`, which has them in the place of samples."""
    return (
        isinstance(dataset, xr.Dataset)
        and "equilibrium" in dataset.dims
        and "sample" not in dataset.dims
    )


def _begun(dataset: xr.Dataset, variables: Iterable[str] | None) -> xr.Dataset:
    """Return a dataset with a record: its own, or a new one."""
    if not isinstance(dataset, xr.Dataset):
        raise InvalidValue(f"`{type(dataset).__name__}` is no dataset; give an xarray.Dataset")
    if "sample" not in dataset.dims:
        dims = ", ".join(map(str, dataset.dims))
        raise InvalidValue(
            f"the dataset has dimensions `{dims}`, without `sample`; keep it, as by "
            "isel(sample=[0])"
        )
    if ATTRIBUTE not in dataset.attrs:
        return begun(dataset, endogenous(dataset, as_names(variables, "observe")))
    if variables is not None:
        raise InvalidValue(
            f"variables is `{list(variables)}`, but the dataset was observed before and its record "
            "names them; leave variables out, or start from the original dataset"
        )
    return dataset


def _performed(dataset: xr.Dataset, step: Step, seed: int) -> xr.Dataset:
    entry = to_entry(step, seed)
    done = [earlier["step"] for earlier in read(dataset.attrs[ATTRIBUTE])["steps"]]
    kind = entry["step"]
    draws = Draws(seed, f"observe/{kind}/{done.count(kind)}")
    return appended(step.apply(dataset, draws), entry)
