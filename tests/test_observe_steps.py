"""Each step of an observation does what it says: moments, fractions, lengths, limits, units."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats

from physcm.mechanism import InvalidValue, LogNormal, Normal, Uniform
from physcm.mechanism.distributions import Distribution
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
    Subsample,
    observe,
)

T = np.linspace(0, 10, 41)
FINITE = st.floats(-1e9, 1e9)


def panel(n: int, t: NDArray[Any] = T, **functions: Any) -> xr.Dataset:
    """A dataset of n samples in which each variable is a function of time."""
    shape = (n, len(t))
    values = {k: (("sample", "time"), np.broadcast_to(f(t), shape)) for k, f in functions.items()}
    return xr.Dataset(values, {"sample": np.arange(n), "time": t})


def flat(n: int, value: float = 0.0) -> xr.Dataset:
    return panel(n, x=lambda t: value + 0 * t, y=lambda t: value + 0 * t)


def of(values: Any) -> xr.Dataset:
    """A dataset of one sample with the values of x."""
    return xr.Dataset({"x": (("sample", "time"), np.atleast_2d(values))})


# Noise


def test_additive_noise_is_normal_with_the_stated_standard_deviation() -> None:
    errors = observe(flat(500, 3), AdditiveNoise(0.5)).x.values - 3
    assert stats.kstest(errors.ravel() / 0.5, "norm").pvalue > 1e-3


@pytest.mark.parametrize("law", [Uniform(-1, 3), LogNormal(0, 0.3), Normal(0.2, 1)])
def test_noise_has_the_stated_distribution(law: Distribution) -> None:
    errors = observe(flat(300), AdditiveNoise(law)).x.values
    factors = observe(flat(300, 2), MultiplicativeNoise(law)).x.values / 2
    assert float(errors.mean()) == pytest.approx(law.mean, abs=0.05)
    np.testing.assert_allclose(np.sort(factors.ravel()).mean(), law.mean, atol=0.05)
    low, high = law.support
    assert ((errors >= low) & (errors <= high)).all()


def test_multiplicative_noise_scales_with_the_value() -> None:
    seen = observe(panel(2000, x=lambda t: t - 5), MultiplicativeNoise(0.1)).x
    np.testing.assert_allclose(seen.std("sample"), 0.1 * abs(T - 5), rtol=0.08)
    np.testing.assert_allclose(seen.mean("sample"), T - 5, atol=0.05)


def test_noise_is_independent_over_variables_samples_and_times() -> None:
    seen = observe(flat(400), AdditiveNoise(1))
    x, y = seen.x.values, seen.y.values
    for a, b in [(x, y), (x[:, 1:], x[:, :-1]), (x[1:], x[:-1])]:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)


def test_noise_of_scale_zero_changes_nothing() -> None:
    assert observe(flat(3, 2), AdditiveNoise(0), MultiplicativeNoise(0)).equals(flat(3, 2))


# Times


def test_a_random_subset_of_times_has_saved_values_only() -> None:
    run = panel(300, x=np.sin)
    seen = observe(run, IrregularTimes(7))
    assert seen.sizes == {"sample": 300, "time": 7}
    assert set(np.unique(seen.observed_time)) <= set(T)
    assert (seen.observed_time.diff("time") > 0).all()
    np.testing.assert_array_equal(seen.x, np.sin(seen.observed_time))
    used = np.array([(seen.observed_time == t).sum() for t in T])
    assert stats.chisquare(used).pvalue > 1e-3
    assert len({tuple(row) for row in seen.observed_time.values.tolist()}) > 290


def test_samples_with_fewer_measurements_are_filled_up_with_nan() -> None:
    seen = observe(panel(200, x=np.sin), IrregularTimes(stats.poisson(6)), Censor(high=0))
    there = seen.observed_time.notnull()
    counts = there.sum("time").values
    assert counts.mean() == pytest.approx(6, abs=4 * np.sqrt(6 / 200))
    assert counts.max() == seen.sizes["time"]
    assert (there.values == (np.arange(counts.max()) < counts[:, np.newaxis])).all()
    assert (seen.x.notnull() == there).all()
    moved = observe(panel(200, x=np.sin), Censor(high=0), IrregularTimes(stats.poisson(6)))
    assert moved.equals(seen)
    assert moved.x_censored.dtype == np.int8


def test_common_times_stay_the_coordinate() -> None:
    for step in (IrregularTimes(5, common=True), InterpolatedTimes(5, common=True)):
        seen = observe(panel(3, x=lambda t: 2 * t), step)
        assert seen.x.dims == ("sample", "time")
        assert "observed_time" not in seen.coords
        np.testing.assert_allclose(seen.x, 2 * seen.time.broadcast_like(seen.x))


@pytest.mark.parametrize(("method", "error"), [("linear", 8e-3), ("cubic", 1e-3)])
def test_interpolated_times_are_uniform_and_values_between_neighbors(
    method: str, error: float
) -> None:
    seen = observe(panel(200, x=np.sin), InterpolatedTimes(10, method=method))
    assert stats.kstest(seen.observed_time.values.ravel() / 10, "uniform").pvalue > 1e-3
    np.testing.assert_allclose(seen.x, np.sin(seen.observed_time), atol=error)


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_nothing_is_interpolated_beside_a_missing_value(method: str) -> None:
    run = panel(50, x=np.sin).copy(deep=True)
    run.x[:, 20] = np.nan
    run.x[0] = np.nan
    seen = observe(run, InterpolatedTimes(30, method=method))
    beside = (abs(seen.observed_time - T[20]) < 0.25) | (seen.sample == 0)
    assert (seen.x.isnull() == beside).all()


def test_times_of_their_own_can_be_thinned_out_again() -> None:
    seen = observe(panel(4, x=np.sin), IrregularTimes(9), Subsample(every=2), IrregularTimes(3))
    assert seen.sizes["time"] == 3
    np.testing.assert_array_equal(seen.x, np.sin(seen.observed_time))


# Missing values


@pytest.mark.parametrize("fraction", [0, 0.1, 0.6, 1])
def test_the_stated_fraction_is_missing_at_every_time(fraction: float) -> None:
    n = 3000
    bound = 4.5 * np.sqrt(fraction * (1 - fraction) / n)
    for step in (MissingCompletelyAtRandom(fraction), MissingBlocks(fraction, 4)):
        missing = observe(flat(n), step).x.isnull().mean("sample")
        assert float(abs(missing - fraction).max()) <= bound


@given(st.floats(0.05, 0.9), st.integers(1, 9), st.integers(0, 99))
def test_blocks_have_the_stated_length(fraction: float, length: int, seed: int) -> None:
    seen = observe(flat(5), MissingBlocks(fraction, length), seed=seed)
    for row in seen.x.isnull().values:
        edges = np.flatnonzero(np.diff(row)) + 1
        inner = np.diff(edges)[0 if not row[0] else 1 :: 2]
        assert (inner % length == 0).all()


def test_variables_go_missing_together_only_if_told() -> None:
    for kind in (MissingCompletelyAtRandom, lambda f, **k: MissingBlocks(f, 3, **k)):
        apart, joint = (observe(flat(50), kind(0.5, together=b)) for b in (False, True))
        assert (joint.x.isnull() == joint.y.isnull()).all()
        assert 0.3 < float((apart.x.isnull() == apart.y.isnull()).mean()) < 0.7


def test_missingness_depends_on_the_value_as_stated() -> None:
    run = observe(flat(2000), AdditiveNoise(2))
    step = MissingByValue("1/(1 + exp(-(x - 1)))", ["x"])
    seen = observe(run, step)
    assert seen.y.notnull().all()
    x, missing = run.x.values.ravel(), seen.x.isnull().values.ravel()
    for low in range(-4, 4):
        bin_ = (x > low) & (x < low + 1)
        expected = special.expit(x[bin_] - 1)
        spread = np.sqrt((expected * (1 - expected)).sum())
        assert abs(missing[bin_].sum() - expected.sum()) < 4.5 * spread


def test_missingness_can_depend_on_parameters_time_and_what_is_hidden_later() -> None:
    run = flat(4).assign(k=("sample", [0.0, 0, 1, 1])).assign(y=flat(4).y + 1)
    seen = observe(run, MissingByValue("where(t > 5, k*y, 0)", ["x"]), Hide("y"))
    assert (seen.x.isnull() == (run.k == 1) & (run.time > 5)).all()
    late = observe(flat(4), IrregularTimes(9), MissingByValue("where(t > 5, 1, 0)"))
    assert (late.x.isnull() == (late.observed_time > 5)).all()


def test_missingness_is_decided_by_the_values_before_the_step() -> None:
    run = flat(1, 2)
    seen = observe(run, MissingByValue("where(x > 1 and y > 1, 1, 0)"))
    assert seen.x.isnull().all()
    assert seen.y.isnull().all()


def test_missingness_cannot_depend_on_what_varies_along_other_dimensions() -> None:
    wide = of([1.0]).assign(w=(("sample", "solution"), [[1.0, 2.0]]))
    with pytest.raises(InvalidValue, match="`x` is not over `sample, solution`, as `w` in `w` has"):
        observe(wide, MissingByValue("w"), variables=["x"])


# Resolution and limits


@given(st.lists(FINITE, min_size=1), st.floats(1e-3, 1e3))
def test_the_quantization_error_is_at_most_half_a_step(values: list[float], step: float) -> None:
    seen = observe(of(values), Quantize(step))
    error = abs(seen.x.values - values).max()
    assert error <= step / 2 + 1e-15 * np.abs(values).max()
    multiples = seen.x.values / step
    np.testing.assert_allclose(multiples, np.round(multiples), rtol=1e-12)


def test_huge_values_survive_a_tiny_quantization_step() -> None:
    assert observe(of([1e300, np.nan]), Quantize(1e-300)).equals(of([1e300, np.nan]))


@given(st.lists(FINITE | st.just(np.nan), min_size=1), FINITE, st.floats(1e-3, 1e9))
def test_censored_values_stay_at_the_limit_and_are_flagged(
    values: list[float], low: float, width: float
) -> None:
    seen = observe(of(values), Censor(low, low + width))
    x, flag = np.array(values), seen.x_censored.values[0]
    np.testing.assert_array_equal(seen.x[0], np.clip(x, low, low + width))
    np.testing.assert_array_equal(flag, 1 * (x > low + width) - (x < low))
    assert observe(of(values), Censor(low=low), Censor(high=low + width)).equals(seen)


def test_flags_follow_their_variable() -> None:
    seen = observe(panel(9, x=np.sin), Censor(high=0.5), MissingCompletelyAtRandom(0.5))
    assert seen.x.attrs["ancillary_variables"] == "x_censored"
    assert seen.x_censored.attrs["flag_meanings"].split()[2] == "right_censored"
    assert (seen.x_censored.where(seen.x.isnull(), 0) == 0).all()
    assert (seen.x_censored == 1).equals(seen.x == 0.5)
    assert "x_censored" not in observe(seen, Hide("x")).data_vars
    with pytest.raises(InvalidValue, match="has a variable `x_censored` already; rename it"):
        observe(flat(1).assign(x_censored=0), Censor(high=1))
