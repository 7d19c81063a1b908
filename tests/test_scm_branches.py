"""All solutions against an intervention, and the choice of one of several."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from physcm.mechanism import Normal
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.scm import SCM, SolutionStatus, branches, plot_branches

HYSTERESIS = SCM({"x": "2*x - x**3/3 + u + 0.1*e", "y": "x**2"}, {"u": 0, "e": Normal(0, 1)})


def test_a_fold_has_three_branches_between_its_two_turning_points():
    """0 = x - x**3 / 3 + u turns at x = -1 and 1, where u = 2/3 and -2/3."""
    found = branches(HYSTERESIS, "u", [-0.7, -0.6, 0, 0.6, 0.7], e=0.0)
    assert found["count"].values.tolist() == [1, 3, 3, 3, 1]
    assert found.x.values[2] == pytest.approx([-np.sqrt(3), 0, np.sqrt(3)])
    assert found.value.values.tolist() == [-0.7, -0.6, 0, 0.6, 0.7]


def test_all_values_share_the_noise():
    found = branches(HYSTERESIS, "u", [0, 1, 2], seed=4)
    assert found.e.values.tolist() == [HYSTERESIS.sample(1, seed=4).e.values[0]] * 3


def test_what_is_computed_from_a_parameter_follows_it():
    model = SCM({"x": "k"}, {}, {"k": "2*m", "m": 1})
    assert branches(model, "m", [1, 5]).x.values[:, 0].tolist() == [2, 10]


def test_a_variable_is_held():
    """y = y**2 + x has solutions for x up to 1/4."""
    found = branches(SCM({"x": "1", "y": "y**2 + x"}), "x", [-2, 0.25, 1])
    assert found["count"].values.tolist() == [2, 1, 0]
    assert found.y.values[0] == pytest.approx([-1, 2])


def test_an_unknown_name_is_refused():
    with pytest.raises(InvalidValue, match="`w` is not defined in the model; "):
        branches(HYSTERESIS, "w", [1])


def test_a_picture_has_axes_for_each_variable_and_shades_where_there_is_nothing():
    figure = plot_branches(SCM({"x": "x**2 == u", "y": "x"}, {"u": 0}), "u", np.linspace(-1, 1, 21))
    axes: list[Axes] = figure.get_axes()
    assert [a.get_ylabel() for a in axes] == ["x", "y"]
    (strip,) = axes[0].patches
    assert (strip.get_x(), strip.get_x() + strip.get_width()) == pytest.approx((-1, -0.05))
    assert axes[0].get_legend().get_texts()[0].get_text() == "none"
    marks = axes[0].lines[0].get_xydata()
    assert len(marks[np.isfinite(marks).all(axis=1)]) == 21


# One of several


def test_the_nearest_solution_is_chosen():
    model = SCM({"x": "x**2 == e", "y": "x + 1"}, {"e": [4.0, 9.0, -1.0]})
    assert model.sample(3, near={"y": 9}).x.values[:2] == pytest.approx([2, 3])
    data = model.sample(3, near={"y": -9})
    assert data.x.values[:2] == pytest.approx([-2, -3])
    assert np.isnan(data.x.values[2])
    wanted = [SolutionStatus.SEVERAL, SolutionStatus.SEVERAL, SolutionStatus.NONE]
    assert data.status.values.tolist() == wanted


def test_nothing_is_chosen_of_a_continuum():
    data = SCM({"x": "y", "y": "x"}).sample(1, near={"x": 0})
    assert np.isnan(data.x.values[0])


def test_a_reference_is_checked():
    with pytest.raises(UnknownVariable, match="`z` is no variable of the model; "):
        HYSTERESIS.sample(1, near={"z": 1})
    with pytest.raises(InvalidValue, match="near `x`: `nan` is not a finite number; give one"):
        HYSTERESIS.sample(1, near={"x": np.nan})
