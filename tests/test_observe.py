"""Observations compose, repeat and leave alone what they are not about, whatever their steps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from physcm.mechanism import (
    InvalidValue,
    LogNormal,
    Normal,
    PhyscmError,
    Uniform,
)
from physcm.scm import SCM
from physcm.sim import (
    AdditiveNoise,
    Censor,
    Hide,
    InterpolatedTimes,
    IrregularTimes,
    MissingBlocks,
    MissingByValue,
    MissingCompletelyAtRandom,
    MultiplicativeNoise,
    Quantize,
    Standardization,
    Standardize,
    Subsample,
    System,
    equilibria,
    observe,
    replay,
    settle,
    simulate,
    steps_from,
    zoo,
)
from physcm.sim.observation import Step

SYSTEM = System(
    {"x": "a - x*y", "y": "x - k*y"},
    algebraic={"z": "x*y"},
    parameters={"a": Uniform(1, 2), "k": 0.5},
    initial={"x": Normal(1, 0.1), "y": 0},
    name="pair",
)
MODEL = SCM(
    {"x": "e", "y": "y**3 == x + u"},
    exogenous={"e": Normal(1, 1), "u": Normal(0, 1)},
    parameters={"a": 2},
)
FOLD = SCM({"x": "x**2 == e", "y": "x + 1"}, exogenous={"e": Uniform(-1, 2)})
RUN = simulate(SYSTEM, np.linspace(0, 6, 13), n=5, seed=1)
STEPS: list[Step] = [
    Subsample(every=3),
    Subsample(times=[0, 1.5, 6]),
    IrregularTimes(4),
    IrregularTimes(stats.poisson(4)),
    IrregularTimes(4, common=True),
    InterpolatedTimes(5),
    InterpolatedTimes(stats.poisson(4), method="cubic"),
    InterpolatedTimes(3, common=True),
    AdditiveNoise(0.1),
    AdditiveNoise(stats.t(5), ["y"]),
    MultiplicativeNoise(LogNormal(0, 0.2)),
    MissingCompletelyAtRandom(0.3),
    MissingCompletelyAtRandom(0.3, together=True),
    MissingBlocks(0.4, 2),
    MissingBlocks(0.4, 2, ["x"], together=True),
    MissingByValue("where(t > 2, 1/(1 + exp(-k*x)), 0)", "y"),
    Hide("z"),
    Hide("a", "status"),
    Quantize(0.25),
    Censor(low=0.5, high=1.5),
    Censor(high=1, variables=["x"]),
    Standardize(),
    Standardize(Standardization({"x": 1, "y": 0}, {"x": 2, "y": 0.5}), ["x", "y"]),
]
ANY_STEPS = st.lists(st.sampled_from(STEPS), max_size=4)


def outcome(dataset: xr.Dataset, *steps: Step, seed: int = 0) -> Any:
    """An observed dataset, or the message of why it cannot be."""
    try:
        return observe(dataset, *steps, seed=seed)
    except PhyscmError as error:
        return str(error)


# Laws


@settings(max_examples=40)
@given(ANY_STEPS, ANY_STEPS)
def test_observing_in_two_calls_is_observing_in_one(first: list[Step], then: list[Step]) -> None:
    once, halfway = outcome(RUN, *first, *then), outcome(RUN, *first)
    if isinstance(once, xr.Dataset):
        assert observe(halfway, *then).identical(once)
    else:
        assert once in (halfway, None if isinstance(halfway, str) else outcome(halfway, *then))


@settings(max_examples=40)
@given(ANY_STEPS, st.integers(0, 2**70))
def test_the_record_repeats_the_observation(steps: list[Step], seed: int) -> None:
    seen = outcome(RUN, *steps, seed=seed)
    if isinstance(seen, xr.Dataset):
        record = seen.attrs["observation"]
        assert steps_from(record) == tuple(steps)
        assert observe(RUN, *steps_from(record), seed=seed).identical(seen)
        assert replay(RUN, record).identical(seen)


def test_a_record_keeps_the_seed_of_each_step() -> None:
    seen = observe(observe(RUN, AdditiveNoise(0.1), seed=3), AdditiveNoise(0.1), seed=4)
    assert [entry["seed"] for entry in json.loads(seen.attrs["observation"])["steps"]] == [3, 4]
    assert replay(RUN, seen.attrs["observation"]).identical(seen)


@settings(max_examples=40)
@given(ANY_STEPS)
def test_the_original_and_its_ground_truth_stay_as_they_are(steps: list[Step]) -> None:
    before = RUN.copy(deep=True)
    seen = outcome(RUN, *steps)
    assert RUN.identical(before)
    if isinstance(seen, xr.Dataset):
        for name in {"a", "k", "status"} & set(seen.data_vars):
            assert seen[name].identical(RUN[name])
        assert {key: seen.attrs[key] for key in RUN.attrs} == RUN.attrs
        assert {"x", "y"} <= set(seen.data_vars)


@pytest.mark.parametrize("step", [s for s in STEPS if s != Standardize()], ids=repr)
def test_sample_k_alone_is_sample_k_of_many(step: Step) -> None:
    many = observe(RUN, step)
    for k in range(RUN.sizes["sample"]):
        alone = observe(RUN.isel(sample=[k]), step)
        same, rest = many.isel(sample=[k]), None
        if "time" in many.dims:
            width = alone.sizes["time"]
            same, rest = same.isel(time=slice(width)), same.isel(time=slice(width, None))
        assert same.equals(alone)
        assert rest is None or all(rest[name].isnull().all() for name in ("x", "y"))


@pytest.mark.parametrize("step", [*STEPS[8:13], STEPS[15], *STEPS[18:21]], ids=repr)
@pytest.mark.parametrize("earlier", [Hide("z"), Subsample(every=2), IrregularTimes(4)], ids=repr)
def test_hiding_and_choosing_times_move_no_other_draw(earlier: Step, step: Step) -> None:
    assert observe(RUN, earlier, step).equals(observe(RUN, step, earlier))


@pytest.mark.parametrize("step", [AdditiveNoise(1), MissingCompletelyAtRandom(0.5)], ids=repr)
def test_draws_for_a_variable_do_not_depend_on_the_other_variables(step: Step) -> None:
    alone = observe(RUN[["x"]], step)
    assert alone.x.equals(observe(RUN, step).x)
    assert not alone.x.equals(observe(RUN[["x"]], step, seed=1).x)


def test_two_equal_steps_draw_independently() -> None:
    quiet = xr.Dataset({"x": (("sample", "time"), np.zeros((200, 50)))})
    once = observe(quiet, AdditiveNoise(1)).x
    second = observe(quiet, AdditiveNoise(1), AdditiveNoise(1)).x - once
    assert abs(np.corrcoef(once.values.ravel(), second.values.ravel())[0, 1]) < 0.04
    assert float(second.std()) == pytest.approx(1, abs=0.03)


def test_samples_are_counted_by_their_coordinate() -> None:
    late = RUN.assign_coords(sample=np.arange(5) + 100)
    noise = [observe(d, AdditiveNoise(1)).x - d.x for d in (RUN, late)]
    assert not np.isclose(noise[0].values, noise[1].values).any()


def test_draws_never_change_between_versions() -> None:
    """Stored observations are repeated from their record: these numbers are an interface."""
    quiet = xr.Dataset({"x": (("sample", "time"), np.zeros((1, 2)))}, {"time": [0.0, 0.5]})
    expected = [[-2.2344474893, -0.1169261205]]
    np.testing.assert_allclose(observe(quiet, AdditiveNoise(1)).x, expected, rtol=1e-6)


# Every dataset of ours


@settings(max_examples=40)
@given(ANY_STEPS, ANY_STEPS)
def test_an_observation_survives_its_netcdf_file(
    tmp_path_factory: pytest.TempPathFactory, first: list[Step], then: list[Step]
) -> None:
    seen = outcome(RUN, *first)
    if isinstance(seen, str):
        return
    path = Path(tmp_path_factory.mktemp("observed")) / "seen.nc"
    seen.to_netcdf(path, engine="netcdf4")
    with xr.open_dataset(path, engine="netcdf4") as file:
        read = file.load()
    assert read.identical(seen)
    again, straight = outcome(read, *then), outcome(RUN, *first, *then)
    assert again.equals(straight) if isinstance(again, xr.Dataset) else again == straight


TIMELESS = [AdditiveNoise(0.1), MissingCompletelyAtRandom(0.2), Quantize(0.1), Censor(low=0)]


@pytest.mark.parametrize(
    ("dataset", "measured"),
    [
        (RUN, ["x", "y", "z"]),
        (RUN.isel(time=-1), ["x", "y", "z"]),
        (simulate(SYSTEM.do(x=1), [0, 1], n=2), ["x", "y", "z"]),
        (settle(SYSTEM, n=3).assign_attrs(system=SYSTEM.to_toml()), ["x", "y", "z"]),
        (MODEL.sample(4), ["x", "y"]),
        (MODEL.do(y=1).sample(4), ["x", "y"]),
        (FOLD.solve(n=4), ["x", "y"]),
    ],
)
def test_the_endogenous_variables_are_measured(dataset: xr.Dataset, measured: list[str]) -> None:
    seen = observe(dataset, *TIMELESS, MissingByValue("where(x > 1, 0.5, 0)"))
    assert sorted(json.loads(seen.attrs["observation"])["variables"]) == measured
    for name in dataset.data_vars:
        assert seen[name].equals(dataset[name]) == (name not in measured)
        assert seen[name].isnull().where(dataset[name].isnull(), True).all()


def test_variables_that_the_dataset_does_not_tell_are_named() -> None:
    limits = settle(SYSTEM, n=3).drop_attrs()
    with pytest.raises(InvalidValue, match="nothing tells which of the variables `x, y, z, a"):
        observe(limits, AdditiveNoise(1))
    seen = observe(limits, AdditiveNoise(1), variables=["x", "a"])
    changed = [n for n in limits.data_vars if not seen[n].equals(limits[n])]
    assert changed == ["x", "a"]
    assert replay(limits, seen.attrs["observation"]).identical(seen)


def test_the_solutions_of_a_sample_share_its_error() -> None:
    found = FOLD.solve(n=20)
    error = (observe(found, AdditiveNoise(1)).x - found.x).dropna("sample")
    np.testing.assert_allclose(error[:, 0], error[:, 1])


def test_the_order_of_dimensions_does_not_matter() -> None:
    turned = RUN.transpose("time", "sample")
    for step in STEPS:
        expected = observe(RUN, step)
        xr.testing.assert_allclose(observe(turned, step).transpose(*expected.dims), expected)


def test_what_settles_and_the_equilibria_are_measured_without_being_told_what_they_are() -> None:
    enzyme = zoo.load("basic_enzyme")
    for data, unit in ((settle(enzyme, n=3), "sample"), (equilibria(enzyme), "equilibrium")):
        seen = observe(data, AdditiveNoise(0.1), seed=2)
        assert seen.S.dims == (unit,)
        assert (seen.S != data.S).all()
        assert replay(data, seen.attrs["observation"]).identical(seen)
        same = set(data.data_vars) - {"S", "E", "C", "P"}
        assert seen[sorted(same)].equals(data[sorted(same)])
