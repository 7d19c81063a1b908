"""Stable solutions of models that came from dynamics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physcm.abstraction import equilibrate, equilibrium_model
from physcm.mechanism import (
    InvalidValue,
    Replace,
    SetParameter,
    Shift,
    UnknownVariable,
    Unsupported,
)
from physcm.scm import SCM, SolutionStatus, branches, plot_branches
from physcm.sim import System, equilibria, settle, zoo

WELL = SCM({"x": "x**3 - x == e"}, {"e": 0}, dynamics={"x": "x - x**3 + e"})
NUMBERS = st.integers(-30, 30).map(lambda k: k / 10)


def told(system):
    """The equilibria of a system with their stability, by its causal model and by itself."""
    model = equilibrium_model(system)
    solved, found = (getattr(model, "scm", model)).solve(), equilibria(system)
    names = system.states
    ours = np.array([solved[name].values[0] for name in names]).T
    theirs = np.array([found[name].values for name in names]).T
    kinds = solved.stability.values[0]
    return (
        sorted((*row.round(3) + 0.0, kind) for row, kind in zip(ours, kinds, strict=True) if kind),
        sorted(
            (*row.round(3) + 0.0, kind)
            for row, kind in zip(theirs, found.stability.values, strict=True)
        ),
    )


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("toggle_switch", {}), ("toggle_switch", {"v": 1.2}), ("energy_balance_climate", {}),
        ("wilson_cowan", {}), ("chemostat", {}), ("viral_infection", {}), ("lorenz", {}),
        ("lorenz", {"z": 5}), ("lotka_volterra", {}), ("lotka_volterra", {"X2": 1}),
        ("repressilator", {}), ("mapk_single", {}),
    ],
)  # fmt: skip
def test_the_causal_model_knows_which_equilibria_of_a_system_are_stable(name, holds):
    ours, theirs = told(zoo.load(name).do(**holds))
    assert ours == theirs


@pytest.mark.parametrize("start", [{"u": 2.0, "v": 1.0}, {"u": 1.0, "v": 2.0}, {"u": 9, "v": 8}])
def test_the_switch_comes_to_rest_in_the_stable_solution_on_its_side(start):
    switch = zoo.load("toggle_switch")
    reached = settle(switch.replace(initial=start))
    model = equilibrium_model(switch)
    chosen = model.sample(1, near=start, stable=True)
    for name in ("u", "v"):
        assert float(chosen[name][0]) == pytest.approx(float(reached[name][0]), rel=1e-6)


def test_a_hold_takes_the_row_of_the_variable_out_of_the_dynamics():
    """Without v the switch has one state, whose only eigenvalue is -1."""
    model = equilibrium_model(zoo.load("toggle_switch"))
    held = model.do(v=1.2)
    assert (set(model.dynamics), set(held.dynamics)) == ({"u", "v"}, {"u"})
    assert held.solve().stability.values.tolist() == [["stable"]]
    assert model.do(u=1, v="u**2").solve().stability.values.tolist() == [["stable"]]


def test_a_hold_may_stabilize_what_was_unstable():
    """x' = y, y' = x is a saddle; y' = x - 2y at x held is stable."""
    model = SCM({"x": "y == 0", "y": "x - 2*y == 0"}, dynamics={"x": "y", "y": "x - 2*y"})
    assert model.solve().stability.values.tolist() == [["unstable"]]
    assert model.do(x=1).sample(1, stable=True).y.values.tolist() == [0.5]
    assert np.isnan(model.sample(1, stable=True).y.values[0])


@given(a=NUMBERS, b=NUMBERS, c=NUMBERS, d=NUMBERS)
def test_what_follows_at_once_is_part_of_the_rate(a, b, c, d):
    """x' = a x + b y + 1 with y = c x + d y has the eigenvalue a + b c/(1 - d)."""
    if d == 1:
        return
    rate = f"{a}*x + {b}*y + 1"
    model = SCM({"x": f"{rate} == 0", "y": f"{c}*x + {d}*y"}, dynamics={"x": rate})
    eigenvalue = a + b * c / (1 - d)
    if abs(eigenvalue) > 1e-9:
        kind = "stable" if eigenvalue < 0 else "unstable"
        assert model.solve().stability.values.tolist() == [[kind]]


def test_of_several_solutions_the_only_stable_one_is_returned():
    model = SCM({"x": "x*(1 - x) == 0"}, dynamics={"x": "x*(1 - x)"})
    data = model.sample(1, stable=True)
    assert data.x.values.tolist() == [1.0]
    assert data.status.values.tolist() == [SolutionStatus.SEVERAL]


def test_of_two_stable_solutions_a_reference_selects():
    assert np.isnan(WELL.sample(1, stable=True).x.values[0])
    assert WELL.sample(1, stable=True, near={"x": -0.1}).x.values.tolist() == [-1.0]
    assert WELL.sample(1, near={"x": -0.1}).x.values.tolist() == [0.0]


def test_where_the_linearization_cannot_tell_a_solution_does_not_count_as_stable():
    flat = SCM({"x": "x**3 == 0"}, dynamics={"x": "-x**3"})
    assert flat.solve().stability.values.tolist() == [["marginal"]]
    assert np.isnan(flat.sample(1, stable=True).x.values[0])


def test_samples_without_solution_and_several_samples_stand_side_by_side():
    model = WELL.replace(exogenous={"e": (0.0, 1.0)})
    assert model.solve(n=2).stability.values.tolist() == [
        ["stable", "unstable", "stable"], ["stable", "", ""],
    ]  # fmt: skip
    assert SCM({"x": "x**2 + 1 == 0"}, dynamics={"x": "-1 - x**2"}).solve().stability.shape == (
        1,
        1,
    )


def test_equilibrate_gives_the_dynamics_of_what_moves():
    tanks = System({"h": "q - k*h", "still": "0"}, parameters={"q": 1, "k": 2},
                   initial={"h": 0, "still": 3})  # fmt: skip
    model = equilibrate(tanks)
    assert {k: str(f) for k, f in model.dynamics.items()} == {"h": "-h*k + q"}
    assert model.sample(1, stable=True).h.values.tolist() == [0.5]


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.do(Replace("y", "x")),
        lambda m: m.do(Shift("y", 1)),
        lambda m: m.twin(),
        lambda m: m.marginalize("y"),
        lambda m: m.acyclify(),
    ],
)
def test_what_changes_mechanisms_forgets_the_dynamics(change):
    model = SCM({"x": "y/2", "y": "x/2 + 1"}, dynamics={"x": "y - 2*x", "y": "x + 2 - 2*y"})
    assert model.do(SetParameter({})).dynamics == model.dynamics
    with pytest.raises(Unsupported, match="knows no dynamics; give `dynamics`, or derive"):
        change(model).sample(1, stable=True)


def test_dynamics_are_read_back_from_json():
    assert SCM.from_json(WELL.to_json()) == WELL
    assert SCM.from_json(WELL.to_json()).dynamics == WELL.dynamics


def test_dynamics_are_of_variables_by_what_the_model_names():
    with pytest.raises(UnknownVariable, match="rate of change of `y`: no such variable"):
        SCM({"x": "1"}, dynamics={"y": "1"})
    with pytest.raises(UnknownVariable, match="rate of change of `x`"):
        SCM({"x": "1"}, dynamics={"x": "1 - z"})
    with pytest.raises(InvalidValue, match="dynamics is `3`; give a mapping"):
        SCM({"x": "1"}, dynamics=3)


def test_branches_tell_stable_solutions_and_the_picture_marks_others_hollow():
    found = branches(WELL, "e", [0, 1])
    assert found.stability.values[0].tolist() == ["stable", "unstable", "stable"]
    (axes,) = plot_branches(WELL, "e", [0, 1]).get_axes()
    counts = [np.isfinite(line.get_ydata()).sum() for line in axes.lines]
    assert counts == [3, 1]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["stable", "not stable"]
