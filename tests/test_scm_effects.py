"""Effects of treatments: unit by unit, on average, and along chosen paths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.mechanism import (
    Bernoulli,
    Hold,
    InvalidValue,
    Normal,
    Replace,
    Shift,
    Uniform,
    UnknownVariable,
    Unsupported,
)
from physcm.scm import SCM, LinearSCM, average_effects, path_effects, unit_effects

MEDIATION = SCM(
    {"x": "ex", "m": "a*x + em", "y": "c*x + b*m + d*x*m + ey"},
    {"ex": Normal(0, 1), "em": Normal(1, 1), "ey": Normal(0, 1)},
    {"a": 2.0, "b": 0.5, "c": 3.0, "d": 1.5},
)
LOOP = SCM({"x": "0.5*y + e", "y": "-0.8*x + f"}, {"e": Normal(0, 1), "f": Normal(0, 1)})
DO, DONT = Hold("x", 1), Hold("x", 0)
DIRECT, INDIRECT = [("x", "y")], [("x", "m"), ("m", "y")]


def test_the_unit_effect_is_the_difference_of_two_worlds_with_one_noise():
    effects = unit_effects(MEDIATION, DO, DONT, n=100, seed=2)
    done, not_done = (MEDIATION.do(one).sample(100, seed=2) for one in (DO, DONT))
    np.testing.assert_array_equal(effects.y, done.y - not_done.y)
    np.testing.assert_allclose(effects.y, 3 + 0.5 * 2 + 1.5 * done.m)


def test_the_average_effect_of_a_treatment_has_its_closed_form_within_its_error():
    """E[y | do(x)] = c x + b (a x + 1) + d x (a x + 1)."""
    average = average_effects(unit_effects(MEDIATION, DO, DONT, n=20_000))
    effect, error = (average[k].sel(variable="y").item() for k in ("effect", "standard_error"))
    assert abs(effect - (3 + 0.5 * 2 + 1.5 * 3)) < 4 * error
    assert error == pytest.approx(1.5 / np.sqrt(20_000), rel=0.05)


def test_an_effect_may_be_that_of_any_intervention_beside_doing_nothing():
    effects = unit_effects(LOOP, Shift("x", 0.7), n=10)
    np.testing.assert_allclose(effects.x, 0.7 / 1.4)
    both = unit_effects(LOOP, [Hold("x", 1), Replace("y", "2*x")], [Hold("x", 0)], n=10)
    np.testing.assert_allclose(both.y, 2 - LOOP.do(x=0).sample(10).y)


def test_the_average_effect_in_a_linear_loop_is_its_total_effect():
    average = average_effects(unit_effects(LOOP, DO, DONT, n=10))
    total = LinearSCM.from_scm(LOOP).total_effects().sel(cause="x")
    np.testing.assert_allclose(average.effect, total)
    np.testing.assert_allclose(average.standard_error, 0, atol=1e-12)


def test_units_of_which_something_was_seen_have_effects_of_their_own():
    seen = MEDIATION.sample(30)[["x", "m", "y"]]
    effects = unit_effects(MEDIATION, DO, DONT, evidence=seen)
    np.testing.assert_allclose(effects.y, 4 + 1.5 * (2 + seen.m - 2 * seen.x))
    average = average_effects(unit_effects(MEDIATION, DO, DONT, evidence={"m": [0, 5]}, n=4000))
    exact = LinearSCM.from_scm(MEDIATION.marginalize("y")).counterfactual({"m": [0, 5]}, x=1)
    gap = average.effect.sel(variable="y") - (4 + 1.5 * exact["mean"].sel(variable="m"))
    assert (abs(gap) < 5 * average.standard_error.sel(variable="y")).all()


def test_samples_without_an_effect_are_counted():
    model = SCM(
        {"x": "1", "y": "y**2 == x - k"}, {}, {"k": Bernoulli(0.5)}, domains={"y": (0, np.inf)}
    )
    average = average_effects(unit_effects(model, DO, DONT, n=100))
    lost = int((model.sample(100).k == 1).sum())
    assert average.undefined.values.tolist() == [lost, lost]
    held = average_effects(unit_effects(model, Hold("x", 5), DO, n=100))
    assert held.undefined.sel(variable="y").item() == 0
    assert 0 < lost < 100


def test_direct_and_indirect_effects_have_their_closed_forms():
    """NDE = c + d m(0) and NIE = b a, m(0) = em (VanderWeele, Explanation in Causal Inference)."""
    em = MEDIATION.sample(50).em
    np.testing.assert_allclose(path_effects(MEDIATION, DO, DONT, DIRECT, n=50).y, 3 + 1.5 * em)
    np.testing.assert_allclose(path_effects(MEDIATION, DO, DONT, INDIRECT, n=50).y, 0.5 * 2)


@settings(max_examples=20)
@given(st.floats(-2, 2), st.floats(-2, 2))
def test_the_total_effect_is_the_direct_one_less_the_indirect_one_of_the_way_back(high, low):
    """TE(a, b) = NDE(a, b) - NIE(b, a) (Pearl, UAI 2001, equation 17)."""
    one, other = Hold("x", high), Hold("x", low)
    total = unit_effects(MEDIATION, one, other, n=8).y
    direct = path_effects(MEDIATION, one, other, DIRECT, n=8).y
    back = path_effects(MEDIATION, other, one, INDIRECT, n=8).y
    np.testing.assert_allclose(total, direct - back, atol=1e-9)


def test_along_all_edges_a_path_effect_is_the_unit_effect_and_along_none_it_is_none():
    edges = [("x", "m"), ("x", "y"), ("m", "y")]
    every = path_effects(MEDIATION, DO, DONT, edges, n=20)
    np.testing.assert_allclose(every.y, unit_effects(MEDIATION, DO, DONT, n=20).y)
    none = path_effects(MEDIATION, DO, DONT, [], n=20)
    assert none.y.values.tolist() == [0] * 20
    assert none.x.values.tolist() == [1] * 20


def test_an_effect_along_two_mediators_splits_by_path():
    model = SCM({"x": "0", "m": "2*x", "w": "3*m + 5*x", "y": "7*w + 11*m + 13*x"})

    def along(*edges):
        return path_effects(model, DO, DONT, edges, n=1).y.item()

    assert along(("x", "y")) == 13
    assert along(("x", "m"), ("m", "y")) == 22
    assert along(("x", "m"), ("m", "w"), ("w", "y")) == 42
    assert along(("x", "w"), ("w", "y")) == 35


def test_values_may_be_drawn_or_given_per_sample():
    drawn = path_effects(MEDIATION, Hold("x", Uniform(1, 2)), DONT, [("x", "m")], n=40)
    assert ((drawn.m / 2 >= 1) & (drawn.m / 2 <= 2)).all()
    listed = path_effects(MEDIATION, Hold("x", [1.0, 2.0]), DONT, [("x", "m")], n=2)
    np.testing.assert_allclose(listed.m, [2, 4])


def test_a_loop_before_the_treatment_does_not_matter_and_one_behind_it_does():
    before = SCM({"u": "v/2 + 1", "v": "u/2", "x": "u", "y": "x + v"})
    np.testing.assert_allclose(path_effects(before, DO, DONT, [("x", "y")], n=1).y, 1)
    behind = SCM({"x": "1", "y": "z/2 + x", "z": "y/2"})
    with pytest.raises(
        Unsupported, match="feedback loop of `y, z`, where an effect runs along all"
    ):
        path_effects(behind, DO, DONT, [("x", "y")], n=1)
    np.testing.assert_allclose(path_effects(LOOP, DO, DONT, [("x", "y")], n=3).y, -0.8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: path_effects(MEDIATION, DO, DONT, [("y", "x")]), UnknownVariable,
         "the model has no edge `y -> x`; give edges"),
        (lambda: path_effects(MEDIATION, DO, DONT, [("x", "q")]), UnknownVariable, "`x -> q`"),
        (lambda: path_effects(MEDIATION, DO, Hold("m", 0), DIRECT), Unsupported,
         "the treatment holds `x` and the control `m`"),
        (lambda: path_effects(SCM({"x": "1", "y": "x", "y_path": "2"}), DO, DONT, DIRECT),
         InvalidValue, "the name `y_path` is needed here and taken"),
        (lambda: unit_effects(MEDIATION, Hold("q", 1)), UnknownVariable, "`q` is no variable"),
        (lambda: unit_effects(MEDIATION, "x"), InvalidValue, "is not an intervention"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
