"""A ground truth moves into standard units with the data: values, equations, coefficients."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st

from physcm.mechanism import Hold, InvalidValue, Normal, Uniform, UnknownVariable
from physcm.scm import SCM
from physcm.sim import Hide, Standardization, Standardize, System, observe, simulate, unstandardize

FINITE = st.floats(-1e9, 1e9)


def of(values: Any) -> xr.Dataset:
    """A dataset of one sample with the values of x."""
    return xr.Dataset({"x": (("sample", "time"), np.atleast_2d(values))})


@given(st.lists(st.integers(-(10**9), 10**9), min_size=2), st.lists(FINITE, min_size=2))
def test_unstandardizing_gives_back(x: list[int], more: list[float]) -> None:
    assume(max(x) - min(x) > 1e-3 * max(map(abs, x)))
    run = of(np.array(x) / 1000)
    seen = observe(run, Standardize())
    assert float(seen.x.mean()) == pytest.approx(0, abs=1e-9)
    assert float(seen.x.std()) == pytest.approx(1)
    twice = observe(seen, Standardize(Standardization({"x": 3}, {"x": 2})))
    for standardized in (seen, twice):
        back = unstandardize(standardized)
        np.testing.assert_allclose(back.x, run.x, atol=1e-12 * np.abs(x).max())
        assert "standardization" not in back.attrs
    units = Standardization.of(twice)
    np.testing.assert_allclose(units.value("x", run.x.values), twice.x, atol=1e-9)
    np.testing.assert_allclose(units.original("x", units.value("x", more)), more, atol=1e-6)


PAIR = System(
    {"x": "a*(3 - x) - x*y/4", "y": "b*x - y"},
    parameters={"a": Uniform(1, 2), "b": 4},
    initial={"x": Normal(5, 1), "y": "2*x(0)"},
)


def test_a_constant_variable_is_centered_on_the_scale_1_and_comes_back() -> None:
    arrivals = System.from_reactions({"arrive": ("3", {"X": 1})}, initial={"X": 0})
    run = simulate(arrivals, [0, 1, 2], n=4, engine="gillespie")
    seen = observe(run, Standardize())
    units = Standardization.of(seen)
    assert (seen.arrive == 0).all()
    assert (units.mean["arrive"], units.sd["arrive"]) == (3.0, 1.0)
    assert (unstandardize(seen).arrive == 3).all()


def test_the_equations_in_standard_units_give_the_standardized_trajectories() -> None:
    run = simulate(PAIR, np.linspace(0, 10, 41), n=3)
    seen = observe(run, Standardize())
    units = Standardization.of(seen)
    standard = System(
        {name: units.amount(name, drift) for name, drift in PAIR.drift.items()},
        parameters=PAIR.parameters,
        initial={
            "x": tuple(units.value("x", run.x[:, 0].values)),
            "y": units.value("y", PAIR.initial["y"]),
        },
    )
    again = simulate(standard, np.linspace(0, 10, 41), n=3)
    np.testing.assert_allclose(again.x, seen.x, atol=1e-6)
    np.testing.assert_allclose(again.y, seen.y, atol=1e-6)


LOOP = SCM(
    {"x": "0.5*y + e", "y": "-2*x + 30*u + 7"},
    exogenous={"e": Normal(3, 1), "u": Normal(0, 1)},
)


def test_interventions_and_mechanisms_in_standard_units_agree_with_standardized_data() -> None:
    units = Standardization.of(observe(LOOP.sample(200), Standardize()))
    standard = SCM(
        {name: units.value(name, mechanism) for name, mechanism in LOOP.mechanisms.items()},
        exogenous=LOOP.exogenous,
    )
    for held in ({}, {"x": 4.0}, {"y": -50.0}):
        seen = observe(LOOP.do(**held).sample(200), Standardize(by=units))
        moved = [Hold(name, units.value(name, value)) for name, value in held.items()]
        again = standard.do(*moved).sample(200)
        np.testing.assert_allclose(again.x, seen.x, atol=1e-9)
        np.testing.assert_allclose(again.y, seen.y, atol=1e-9)


def test_linear_coefficients_in_standard_units_are_the_slopes_of_standardized_data() -> None:
    chain = SCM({"x": "10*e", "y": "3*x + u"}, exogenous={"e": Normal(), "u": Normal()})
    seen = observe(chain.sample(2000), Standardize())
    names = ["x", "y"]
    truth = xr.DataArray([[0.0, 3.0], [0.0, 0.0]], {"cause": names, "effect": names})
    moved = Standardization.of(seen).coefficients(truth)
    slope = float((seen.x * seen.y).mean())
    assert float(moved.sel(cause="x", effect="y")) == pytest.approx(slope, rel=1e-2)
    assert Standardization({}, {}).coefficients(truth).equals(truth)


def test_a_hidden_variable_keeps_its_units() -> None:
    seen = observe(LOOP.sample(50), Standardize(), Hide("x"))
    assert set(Standardization.of(seen).mean) == {"x", "y"}


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Standardization({"x": 0}, {}), InvalidValue, "`x` has only one of mean and sd"),
        (lambda: Standardization({"x": 0}, {"x": 0}), InvalidValue, "sd of `x` is `0.0`; give a"),
        (lambda: Standardization({"x": "a"}, {"x": 1}), InvalidValue, "mean of `x`: `a` is not"),
        (lambda: UNITS.value("y", 1), UnknownVariable, "`y` is not standardized; known names"),
        (lambda: UNITS.value("x", Normal()), InvalidValue, "is a distribution; standardize num"),
        (lambda: UNITS.coefficients(xr.DataArray([1])), InvalidValue, "give a DataArray with"),
        (lambda: observe(of([2.0, np.inf]), Standardize()), InvalidValue, r"`\[2.0, inf\]` and"),
        (lambda: observe(of([np.nan]), Standardize()), InvalidValue, r"the values `\[\]` and has"),
    ],
)  # fmt: skip
def test_units_that_make_no_sense_are_refused(
    make: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        make()


UNITS = Standardization({"x": 1}, {"x": 2})
