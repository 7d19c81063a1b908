"""Linear models: closed forms against textbook numbers, against sampling, and against SCM."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from physcm.mechanism import (
    Exponential,
    Hold,
    InvalidValue,
    Normal,
    NotSolvable,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
    Uniform,
    UnknownVariable,
    Unsupported,
)
from physcm.scm import SCM, LinearSCM, MixedGraph

LOOP = LinearSCM(
    {"x": {"y": 0.5}, "y": {"x": -0.8}}, {"x": Normal(0, 1), "y": Normal(0, 1)}, name="loop"
)
MARKET = LinearSCM(
    {"D": {"P": -1.5}, "S": {"P": 0.5}, "P": {"P": 1, "D": 1, "S": -1}},
    {"D": Normal(3, 1), "S": Normal(0, 1)},
)
NAMES = ("a", "b", "c", "d")
SOME = settings(max_examples=30)


@st.composite
def linear_models(draw):
    """Four variables, any loops, two shared and four own sources."""
    number = st.sampled_from([0, 0, -1.5, -0.75, -0.5, 0.25, 0.5, 0.8, 2])
    rows = {i: {j: draw(number) for j in NAMES if i != j} for i in NAMES}
    loadings = {i: {"u": draw(number), "v": draw(number), f"w{i}": 1} for i in NAMES}
    noise = {"u": Normal(1, 2), "v": Normal(0, 1)} | {f"w{i}": Normal(0, 0.5) for i in NAMES}
    constants = {i: draw(number) for i in NAMES}
    return LinearSCM(rows, noise, loadings, constants)


def values(model, n=20):
    data = model.sample(n)
    return np.array([data[name].values for name in model.variables])


def test_the_two_cycle_has_its_published_covariance():
    expected = [[0.637755, -0.153061], [-0.153061, 0.836735]]
    np.testing.assert_allclose(LOOP.covariance(), expected, atol=1e-6)
    assert LOOP.covariance().dims == ("variable", "other")


def test_matrices_run_from_cause_to_effect():
    assert LOOP.coefficients.sel(cause="y", effect="x").item() == 0.5
    same = LinearSCM(LOOP.coefficients, LOOP.noise, LOOP.loadings, name="loop")
    assert str(same) == str(LOOP) == "x = e_x + 0.5*y\ny = e_y - 0.8*x"
    turned = LinearSCM(LOOP.coefficients.T, LOOP.noise, LOOP.loadings.T)
    xr.testing.assert_equal(turned.covariance(), LOOP.covariance())


def test_a_source_may_load_on_several_variables():
    shared = LinearSCM({"x": {}, "y": {}}, {"u": Normal(1, 2)}, {"x": {"u": 1}, "y": {"u": 3}})
    np.testing.assert_allclose(shared.covariance(), [[4, 12], [12, 36]])
    np.testing.assert_allclose(shared.mean(), [1, 3])
    assert shared.graph() == MixedGraph([], [("x", "y")])


def test_moments_hold_for_noise_that_is_not_normal():
    model = LinearSCM({"x": {}, "y": {"x": 2}}, {"x": Exponential(2), "y": Uniform(0, 6)})
    np.testing.assert_allclose(model.mean(), [0.5, 4])
    np.testing.assert_allclose(model.covariance(), [[0.25, 0.5], [0.5, 4]])


@SOME
@given(linear_models())
def test_a_linear_model_is_an_scm_with_the_same_samples(model):
    assume(model.is_uniquely_solvable())
    scm = model.to_scm()
    np.testing.assert_allclose(values(model), values(scm), rtol=1e-7, atol=1e-9)
    assert str(LinearSCM.from_scm(scm).to_scm()) == str(scm)


@SOME
@given(linear_models(), st.data())
def test_interventions_on_the_linear_model_and_on_the_scm_agree(model, data):
    name = data.draw(st.sampled_from(NAMES))
    one = data.draw(
        st.sampled_from(
            [
                Hold(name, 2.5),
                Hold(name, Normal(1, 3)),
                Shift(name, -0.5),
                Shift(name, "2*u + 1"),
                ScaleNoise(name, 0.5),
                Replace(name, f"natural({name})/2 + v"),
                Replace(name, "3*u - 1"),
                SetParameter(u=Normal(0, 7)),
            ]
        )
    )
    done = model.do(one)
    assume(done.is_uniquely_solvable())
    np.testing.assert_allclose(values(done), values(model.to_scm().do(one)), rtol=1e-7, atol=1e-9)


@SOME
@given(linear_models())
def test_closed_forms_agree_with_a_plain_inverse(model):
    assume(model.is_uniquely_solvable())
    b = model.coefficients.transpose("effect", "cause").values
    g = model.loadings.transpose("effect", "cause").values
    sd = np.array([one.sd for one in model.noise.values()])
    mu = np.array([one.mean for one in model.noise.values()])
    t = np.linalg.inv(np.eye(4) - b)
    np.testing.assert_allclose(model.mean(), t @ (g @ mu + model.constants.values), atol=1e-9)
    np.testing.assert_allclose(
        model.covariance(), t @ g @ np.diag(sd**2) @ g.T @ t.T, rtol=1e-7, atol=1e-9
    )


@SOME
@given(linear_models())
def test_a_total_effect_is_the_slope_of_the_held_mean(model):
    effects = model.total_effects()
    for cause in NAMES:
        if not model.do(Hold(cause, 0)).is_uniquely_solvable():
            assert np.isnan(effects.sel(cause=cause).drop_sel(effect=cause)).all()
            continue
        low, high = (model.do(Hold(cause, value)).mean() for value in (0, 1))
        np.testing.assert_allclose(effects.sel(cause=cause), high - low, rtol=1e-7, atol=1e-7)


@SOME
@given(linear_models(), st.sets(st.sampled_from(NAMES), min_size=1, max_size=3))
def test_marginalizing_leaves_the_law_of_the_others(model, gone):
    assume(model.is_uniquely_solvable(gone) and model.is_uniquely_solvable())
    small = model.marginalize(gone)
    kept = list(small.variables)
    assert set(kept) == set(NAMES) - gone
    assume(small.is_uniquely_solvable())
    np.testing.assert_allclose(
        values(small), model.sample(20)[kept].to_array(), rtol=1e-6, atol=1e-8
    )


@SOME
@given(linear_models())
def test_marginalizing_commutes_with_do_off_the_margin_and_with_itself(model):
    assume(model.is_simple())
    one, other = model.marginalize("b").do(a=2), model.do(a=2).marginalize("b")
    np.testing.assert_allclose(one.coefficients, other.coefficients, atol=1e-9)
    np.testing.assert_allclose(one.loadings.sel(cause=["u", "v"]),
                               other.loadings.sel(cause=["u", "v"]), atol=1e-9)  # fmt: skip
    np.testing.assert_allclose(one.constants, other.constants, atol=1e-9)
    first, second, both = (
        model.marginalize("b").marginalize("c"),
        model.marginalize("c").marginalize("b"),
        model.marginalize(["b", "c"]),
    )
    np.testing.assert_allclose(first.coefficients, second.coefficients, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(first.coefficients, both.coefficients, rtol=1e-7, atol=1e-9)


@SOME
@given(linear_models())
def test_simple_means_that_every_principal_minor_is_not_zero(model):
    b = model.coefficients.transpose("effect", "cause").values
    minors = [
        np.linalg.det(np.eye(len(place)) - b[np.ix_(place, place)])
        for mask in range(1, 16)
        for place in [[i for i in range(4) if mask >> i & 1]]
    ]
    assert bool(model.is_simple()) == (np.min(np.abs(minors)) > 1e-12)


def test_the_market_is_uniquely_solvable_and_not_simple():
    assert MARKET.is_uniquely_solvable()
    verdict = MARKET.is_simple()
    assert not verdict
    assert verdict.names == ("P",)
    assert str(verdict) == "no: I - B is singular for P"


def test_an_acyclic_model_of_any_size_is_simple():
    chain = {f"v{i}": ({f"v{i - 1}": 2} if i else {}) for i in range(60)}
    assert LinearSCM(chain).is_simple()


def test_a_large_loop_is_too_much_for_is_simple():
    ring = LinearSCM({f"v{i}": {f"v{(i + 1) % 13}": 0.5} for i in range(13)})
    with pytest.raises(Unsupported, match="join 13 variables, and 12 have 4095 subsets"):
        ring.is_simple()


def test_singular_decimals_are_recognized_exactly():
    assert not LinearSCM(
        {"x": {"x": 0.9, "y": 0.2}, "y": {"x": 0.3, "y": 0.4}}
    ).is_uniquely_solvable()
    assert LinearSCM({"x": {"x": 1 - 1e-9}}).is_uniquely_solvable()


def test_a_counterfactual_price():
    would = MARKET.counterfactual({"S": [2, 2.5], "P": [1, 0.5]}, S=5)
    price = would["mean"].sel(variable="P")
    np.testing.assert_allclose(price, [1 + (5 - 2) / -1.5, 0.5 + (5 - 2.5) / -1.5])
    np.testing.assert_allclose(would.covariance, 0, atol=1e-12)


def test_without_evidence_the_counterfactual_is_the_intervention():
    would = LOOP.counterfactual({}, x=2)
    np.testing.assert_allclose(would["mean"][0], LOOP.do(x=2).mean())
    np.testing.assert_allclose(would.covariance, LOOP.do(x=2).covariance())


def test_without_intervention_the_counterfactual_is_the_conditional():
    seen, cov = LOOP.counterfactual({"x": 1.5}), LOOP.covariance()
    slope = float(cov[0, 1] / cov[0, 0])
    np.testing.assert_allclose(seen["mean"][0], [1.5, 1.5 * slope])
    np.testing.assert_allclose(seen.covariance, [[0, 0], [0, cov[1, 1] - slope * cov[0, 1]]],
                               atol=1e-12)  # fmt: skip


def test_noise_that_changes_is_drawn_anew():
    would = LOOP.counterfactual({"x": 1, "y": 2}, SetParameter(e_y=Normal(0, 3)), x=0)
    np.testing.assert_allclose(would.covariance, [[0, 0], [0, 9]], atol=1e-12)


@SOME
@given(linear_models(), st.floats(-2, 2))
def test_the_counterfactual_is_the_conditional_of_the_twin(model, seen):
    """Balke & Pearl: stack both worlds over one noise and condition with the textbook formula."""
    would = model.do(Hold("b", 0.5))
    assume(model.is_uniquely_solvable() and would.is_uniquely_solvable())
    a, cov = model.solution().transpose("effect", "cause").values, model.covariance().values
    a2 = would.solution().transpose("effect", "cause").values
    v = np.diag([one.sd**2 for one in model.noise.values()])
    cross = a2 @ v @ a[[0]].T / cov[0, 0]
    gap = seen - model.mean().values[0]
    expected = would.mean().values + cross[:, 0] * gap
    law = model.counterfactual({"a": seen}, b=0.5)
    np.testing.assert_allclose(law["mean"][0], expected, rtol=1e-6, atol=1e-7)
    rest = a2 @ v @ a2.T - cross @ cross.T * cov[0, 0]
    np.testing.assert_allclose(law.covariance, rest, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: LinearSCM({"x": {"y": 1}}), UnknownVariable, "coefficient of `x`: `y` is not"),
        (lambda: LinearSCM({"x": {"x": "q"}}), InvalidValue, "is `q`; give a finite number"),
        (lambda: LinearSCM({"x": 3}), InvalidValue, "`x` in coefficients is `3`; give a mapping"),
        (lambda: LinearSCM({"x": {}}, {"x": 3}), InvalidValue, "the noise `e_x` is `3`; give a d"),
        (lambda: LinearSCM({"x": {}}, {"y": Normal(0, 1)}), UnknownVariable, "noise: `y` is not"),
        (lambda: LinearSCM({"x": {}}, {"e": Normal(0, 1)}, {"x": {"f": 1}}), UnknownVariable,
         "loading of `x`: `f` is not declared; known names: `e`"),
        (lambda: LinearSCM({"x": {}}, constants={"z": 1}), UnknownVariable, "constants: `z`"),
        (lambda: LinearSCM({"x": {}}, constants={"x": np.inf}), InvalidValue, "`x`: `inf`"),
        (lambda: LinearSCM(xr.DataArray(np.eye(2))), InvalidValue, "name them `cause`"),
        (lambda: LinearSCM({"x": {}}).do(y=1), UnknownVariable, "`y` is no variable of the model"),
        (lambda: LinearSCM({"x": {}}).do(x=[1, 2]), Unsupported, r"use to_scm\(\).do"),
        (lambda: LOOP.do(x="y**2"), Unsupported, r"do\(x\): `y\*\*2` is not linear; use an SCM"),
        (lambda: LOOP.do(Hold("x", 1, during=(0, 1))), InvalidValue, "needs a model over time"),
        (lambda: LOOP.do(SetParameter(k=1)), UnknownVariable, "`k` is no noise of the mod"),
        (lambda: LOOP.do(ScaleNoise("x", -1)), InvalidValue, r"scale\(x\) is `-1`; give a number"),
        (lambda: MARKET.do(ScaleNoise("P", 2)), InvalidValue, "`P` has no noise to scale"),
        (lambda: MARKET.do(Replace("P", "natural(P)")), Unsupported, "`P` has no natural value"),
        (lambda: MARKET.marginalize("P"), NotSolvable, "`P` cannot be written out of the model"),
        (lambda: MARKET.marginalize([]), InvalidValue, "`names` is empty"),
        (lambda: MARKET.do(S=1, D=1).mean(), NotSolvable, "the model is not uniquely solvable"),
        (lambda: LinearSCM({"x": {}}, {"x": Uniform(0, 1)}).counterfactual({"x": 1}), Unsupported,
         r"the noise `e_x` is `Uniform\(low=0.0, high=1.0\)`, and only normal noise"),
        (lambda: MARKET.counterfactual({"S": 1, "D": 2}), NotSolvable, "cannot give the evidence"),
        (lambda: MARKET.counterfactual({"q": 1}), UnknownVariable, "evidence: `q` cannot be obser"),
        (lambda: MARKET.counterfactual({"S": [1, 2], "P": [1, 2, 3]}), InvalidValue,
         r"values for `\[2, 3\]` units"),
        (lambda: MARKET.counterfactual({"S": np.nan}), InvalidValue, "`S` is `nan` for some unit"),
        (lambda: LinearSCM.from_scm(SCM({"x": "y**2", "y": "1"})), Unsupported, "is not linear"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
