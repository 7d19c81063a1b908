"""Interventions on structural causal models other than holds: what each does to an equation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physcm.mechanism import (
    Hold,
    Impulse,
    InvalidValue,
    Normal,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
    UnknownVariable,
    Unsupported,
    When,
)
from physcm.mechanism.randomness import normals
from physcm.scm import SCM

LOOP = SCM(
    {"x": "a*y + e", "y": "b*x + f"},
    exogenous={"e": Normal(1, 1), "f": Normal(0, 2)},
    parameters={"a": 0.5, "b": -0.8},
    name="loop",
)
CUBE = SCM({"x": "x**3 + x == y", "y": "e"}, exogenous={"e": Normal(0, 1)})


def test_a_shift_adds_to_the_mechanism_and_the_loop_carries_it_round():
    before, after = LOOP.sample(50), LOOP.do(Shift("x", 0.7)).sample(50)
    np.testing.assert_allclose(after.x - before.x, 0.7 / 1.4)
    np.testing.assert_allclose(after.y - before.y, -0.8 * 0.7 / 1.4)


def test_shifts_add_up_and_may_be_drawn_or_given_per_sample():
    both = LOOP.do(Shift("x", 0.5), Shift("x", 0.25))
    assert both.parameters["shift(x)"] == 0.5
    assert both.parameters["shift(x, 2)"] == 0.25
    np.testing.assert_allclose(both.sample(5).x, LOOP.do(Shift("x", 0.75)).sample(5).x)
    drawn = LOOP.do(Shift("y", Normal(0, 1))).sample(4)
    given = LOOP.do(Shift("y", normals(0, "shift(y)", np.arange(4)))).sample(4)
    assert drawn.y.values.tolist() == given.y.values.tolist()
    assert str(LOOP.do(Shift("x", "2*f")).mechanisms["x"]) == "a*y + e + 2*f"


def test_a_held_variable_is_neither_shifted_nor_noisy():
    held = LOOP.do(x=2)
    assert held.do(Shift("x", 1)) == held == held.do(ScaleNoise("x", 3))


def test_scaling_noise_moves_one_mechanism_only():
    shared = SCM({"x": "e", "y": "e + f"}, {"e": Normal(0, 1), "f": Normal(0, 1)})
    before, after = shared.sample(20), shared.do(ScaleNoise("y", 0.5)).sample(20)
    assert (after.x == before.x).all()
    np.testing.assert_allclose(after.y, before.y / 2)
    assert shared.do(ScaleNoise("x", 0)).sample(3).x.values.tolist() == [0, 0, 0]


def test_a_change_of_noise_keeps_the_quantile_of_every_sample():
    before, after = LOOP.sample(20), LOOP.do(SetParameter(e=Normal(1, 3))).sample(20)
    np.testing.assert_allclose(after.e - 1, 3 * (before.e - 1))


def test_a_replaced_mechanism_is_the_whole_mechanism():
    assert str(LOOP.do(Replace("x", "2*y"))) == "x = 2*y\ny = b*x + f"
    assert LOOP.do(x=1).do(Replace("x", "2*y")) == LOOP.do(Replace("x", "2*y"))
    assert str(LOOP.do(Replace("x", "x**3 == y"))).startswith("0 = x**3 - y  (labelled x)")


def test_the_natural_value_is_what_the_old_mechanism_gives_in_the_new_world():
    soft = LOOP.do(Replace("x", "min(natural(x), 1)"))
    data = soft.sample(200)
    assert (data.status == 0).all()
    np.testing.assert_allclose(data.x, np.minimum(0.5 * data.y + data.e, 1), atol=1e-9)


def test_a_function_of_the_natural_value_can_be_nested():
    twice = LOOP.do(Replace("x", "natural(x) + 1"), Replace("x", "2*natural(x)"))
    np.testing.assert_allclose(
        twice.sample(9).x, LOOP.do(Replace("x", "a*y*2 + 2*e + 2")).sample(9).x
    )
    assert str(LOOP.do(x=3).do(Replace("x", "natural(x) + 1")).mechanisms["x"]) == "do(x) + 1"


def test_the_natural_value_of_an_implicit_equation_is_a_variable():
    soft = CUBE.do(Replace("x", "natural(x) + 10"))
    assert soft.variables == ("x", "y", "x_natural")
    np.testing.assert_allclose(soft.sample(9).x, CUBE.sample(9).x + 10)


@pytest.mark.parametrize("model", [LOOP, CUBE, SCM({"d": "3 - x", "x": "x + d - 1"})])
def test_the_natural_value_in_place_of_the_mechanism_changes_nothing(model):
    same = model.do(Replace("x", "natural(x)"))
    np.testing.assert_allclose(same.sample(9).x, model.sample(9).x)


@pytest.mark.parametrize(
    ("intervention", "error", "message"),
    [
        (Hold("x", 1, during=(0, 1)), InvalidValue, "needs a model over time; a causal model wit"),
        (Shift("x", 1, during=(0, 1)), InvalidValue, "each without `during`"),
        (Impulse("x", 1, at=2), InvalidValue, r"`Impulse\('x', 1, at=2\)` needs a model over time"),
        (When("x > 1", Hold("x", 1)), InvalidValue, "needs a model over time"),
        (Shift("q", 1), UnknownVariable, "`q` is no variable of the model `loop`; known"),
        (Shift("a", 1), InvalidValue, "`a` is a parameter, not a variable"),
        (ScaleNoise("x", -1), InvalidValue, r"`scale\(x\)` is `-1.0`; give a factor of at least 0"),
        (Replace("x", "natural(y)"), UnknownVariable, r"unknown name `natural\(y\)`"),
        (Hold("x", "natural(x)"), UnknownVariable, r"unknown name `natural\(x\)`"),
        (Replace("x", "x > 1"), InvalidValue, "is a condition"),
    ],
)  # fmt: skip
def test_an_intervention_without_meaning_is_refused_with_a_remedy(intervention, error, message):
    with pytest.raises(error, match=message):
        LOOP.do(intervention)


def test_a_shift_of_an_equation_names_what_to_write_instead():
    with pytest.raises(Unsupported, match=r"use Replace\('x', 'natural\(x\) \+ 2'\)"):
        CUBE.do(Shift("x", 2))


def test_there_is_no_noise_to_scale_in_a_mechanism_without():
    with pytest.raises(InvalidValue, match="`x` has no noise to scale"):
        SCM({"x": "1"}).do(ScaleNoise("x", 2))


def test_a_name_needed_for_the_natural_value_must_be_free():
    taken = SCM({"x": "x**3 + x == 1", "x_natural": "2"})
    with pytest.raises(InvalidValue, match="the name `x_natural` is needed here and taken"):
        taken.do(Replace("x", "2*natural(x)"))


INTERVENTIONS = st.one_of(
    st.builds(Hold, st.sampled_from("xy"), st.floats(-3, 3)),
    st.builds(Shift, st.sampled_from("xy"), st.floats(-3, 3)),
    st.builds(ScaleNoise, st.sampled_from("xy"), st.floats(0, 3)),
    st.builds(Replace, st.sampled_from("xy"), st.sampled_from(["1", "natural(x)/2", "natural(y)"])),
)


@given(INTERVENTIONS, INTERVENTIONS)
def test_interventions_on_different_variables_commute(first, second):
    if first.name == second.name or any(
        isinstance(one, Replace) and one.name not in one.mechanism and one.mechanism != "1"
        for one in (first, second)
    ):
        return
    assert LOOP.do(first).do(second) == LOOP.do(second).do(first) == LOOP.do(first, second)
