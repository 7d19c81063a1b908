"""Forces on a system, and new drifts, are new equations at rest of the model of its equilibria."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.abstraction import (
    Abstraction,
    Report,
    commutes,
    equilibrate,
    equilibrium_model,
    random_interventions,
)
from physcm.mechanism import Hold, InvalidValue, Normal, Replace, SetParameter, Shift
from physcm.scm import SCM
from physcm.sim import System, zoo

TANK = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})


def at_rest(report: Report) -> list[float]:
    """Return what was predicted of the first variable under each intervention, all agreeing."""
    assert report.ok
    return report.table.predicted.values[:, 0, 0, 0].tolist()


def test_a_force_adds_to_the_rate_and_not_to_the_structural_equation() -> None:
    model = equilibrate(TANK, [Shift("h", 1)])
    report = commutes(TANK, model, [Shift("h", 1), Replace("h", "3 - h")])
    assert at_rest(report) == pytest.approx([1 / 2, (1 + 1) / 2, 3])
    assert model.do(Shift("h", 1)).sample(1).h.item() == pytest.approx(1 / 2 + 1)


def test_omega_tells_the_new_equation() -> None:
    square = Abstraction(TANK, equilibrium_model(TANK))
    (one,) = square.image(Shift("h", "3*q"))
    assert (one.name, str(one.mechanism)) == ("h", "4*q/k")
    assert square.image([Shift("h", 1), Hold("h", 5)]) == (Hold("h", 5),)


def test_immigration_saves_a_population_from_extinction() -> None:
    """x' = x (r - x) + m rests at r/2 + sqrt(r^2/4 + m), also where r < 0."""
    prey = System(
        {"x": "x*(r - x)"}, parameters={"r": -1}, initial={"x": 1}, bounds={"x": (0, np.inf)}
    )
    report = commutes(prey, equilibrium_model(prey), [Shift("x", 0.5)])
    assert at_rest(report) == pytest.approx([0, -1 / 2 + np.sqrt(1 / 4 + 0.5)])


def test_other_equations_stay_and_new_parameters_are_read() -> None:
    cascade = System(
        {"x": "u - x**3", "y": "x - 2*y"}, parameters={"u": 8}, initial={"x": 1, "y": 0}
    )
    family = [[Shift("x", 19), Hold("y", 4)], [SetParameter(u=1), Shift("x", "u*7")]]
    report = commutes(cascade, equilibrium_model(cascade), family)
    assert at_rest(report) == pytest.approx([2, 3, 2])


@settings(max_examples=5)
@given(st.integers(0, 10**6))
def test_linear_systems_commute_under_random_interventions_of_all_kinds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = ["x", "y", "z"]
    slopes = rng.normal(size=(3, 3)).round(2) / 3 - 2 * np.eye(3)
    low = System(
        {
            name: " + ".join(f"{a}*{other}" for a, other in zip(row, names, strict=True)) + " + u"
            for name, row in zip(names, slopes, strict=True)
        },
        parameters={"u": 1},
        initial=dict.fromkeys(names, 0.0),
    )
    family = random_interventions(low, 5, seed=seed, kinds=[Hold, SetParameter, Shift, Replace])
    assert commutes(low, equilibrium_model(low), family).ok
    forced = commutes(low, equilibrium_model(low), [Shift("y", 2)])
    expected = -np.linalg.solve(slopes, [1, 1 + 2, 1])
    np.testing.assert_allclose(forced.table.predicted.values[1, :, 0, 0], expected, rtol=1e-9)


def test_a_model_without_these_dynamics_takes_no_forces() -> None:
    with pytest.raises(InvalidValue, match=r"`Shift\('h', 1\)` acts on a drift, and the equation"):
        commutes(TANK, SCM({"h": "1/2"}), [Shift("h", 1)])
    oscillators = zoo.load("coupled_oscillators")
    with pytest.raises(InvalidValue, match=r"`Shift\('P1', 1\)` acts on a drift"):
        commutes(oscillators, equilibrium_model(oscillators), [Shift("P1", 1)])


def test_a_random_force_is_refused_since_the_model_lacks_it() -> None:
    with pytest.raises(
        InvalidValue, match=r"depend on `shift\(h\)`, which the causal model does not"
    ):
        commutes(TANK, equilibrium_model(TANK), [Shift("h", Normal(0, 1))])
