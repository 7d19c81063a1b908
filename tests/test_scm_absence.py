"""That equations have no solution is said where intervals prove it, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physcm.abstraction import commutes, equilibrium_model
from physcm.mechanism import SetParameter
from physcm.scm import SCM
from physcm.scm.status import SolutionStatus
from physcm.sim import System


@pytest.mark.parametrize(
    "mechanisms",
    [
        {"x": "x**2 + y**2 + 1 == 0", "y": "sin(x) + cos(y)"},
        {"x": "sqrt(1 + x**2) + exp(y) == 0", "y": "sin(x) + cos(y)*x"},
        {"x": "tanh(x) + sin(y) == 3", "y": "cos(x*y)"},
    ],
)
def test_an_equation_that_holds_nowhere_leaves_no_solution(mechanisms: dict[str, str]) -> None:
    assert SCM(mechanisms).solve().status.values.tolist() == [SolutionStatus.NONE]


def test_what_no_interval_excludes_stays_open() -> None:
    """sin(x) cos(x) = sin(2 x)/2 is at most 1/2, which intervals of the factors do not see."""
    model = SCM({"x": "sin(x)*cos(x) == 0.6"})
    assert model.solve().status.values.tolist() == [SolutionStatus.NOT_FOUND]


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6))
def test_a_wave_has_solutions_exactly_between_its_ends(levels: list[float]) -> None:
    model = SCM({"x": "sin(x) + cos(x) == a"}, exogenous={"a": tuple(levels)})
    found = model.solve(n=len(levels)).status.values
    for level, status in zip(levels, found, strict=True):
        if status == SolutionStatus.NONE:
            assert abs(level) > 2
        if abs(level) > 2.001:
            assert status == SolutionStatus.NONE


def test_a_pendulum_that_is_driven_round_has_no_rest_on_either_side() -> None:
    """sin(theta) = u has no solution above 1, where the pendulum whirls."""
    pendulum = System(
        {"theta": "omega", "omega": "u - sin(theta) - omega/2"},
        parameters={"u": 0.2},
        initial={"theta": 1, "omega": 0},
    )
    report = commutes(pendulum, equilibrium_model(pendulum), [SetParameter(u=2)])
    assert report.ok
    assert report.rows[1].prediction == "no solution"
    assert np.isclose(report.rows[1].outcome.limits[0].period, 1.574, rtol=1e-3)
