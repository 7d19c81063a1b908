"""Counterfactuals: published examples, closed forms, and the laws that hold for all of them."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from physcm.mechanism import (
    Bernoulli,
    Categorical,
    Exponential,
    Gamma,
    Hold,
    InvalidValue,
    Normal,
    SetParameter,
    Shift,
    Uniform,
    UnknownVariable,
    Unsupported,
)
from physcm.scm import SCM, LinearSCM

MARKET = SCM(
    {"D": "bD*P + eD", "S": "bS*P + eS", "P": "P + (D - S)"},
    {"eD": Normal(3, 1), "eS": Normal(0, 1)},
    {"bD": -1.5, "bS": 0.5},
)
SQUAD = SCM(
    {"C": "U", "A": "max(C, W)", "B": "C", "D": "max(A, B)"},
    {"U": Bernoulli(0.7), "W": Bernoulli(0.2)},
)
LOOP = SCM(
    {"x": "0.5*y + e + u", "y": "-0.8*x + f + 2*u", "z": "x + y + g"},
    {name: Normal(0, 1) for name in "efgu"},
)


def mean(data, name):
    """Return the weighted mean of a variable, by unit."""
    if "draw" not in data.dims:
        return data[name].values
    return (data[name] * data.evidence_weight).where(data.evidence_weight > 0).sum("draw").values


# Exact abduction


def test_a_counterfactual_price():
    """Having seen (s, p), had supply been s' the price had been p + (s' - s)/bD."""
    data = MARKET.counterfactual({"S": [2, 2.5], "P": [1, 0.5]}, S=5)
    np.testing.assert_allclose(data.P, [1 + 3 / -1.5, 0.5 + 2.5 / -1.5])
    assert data.P.dims == ("sample",)
    assert data.status.values.tolist() == [0, 0]
    np.testing.assert_allclose(data.eD, [3.5, 3.25])


def test_the_eye_disease_of_a_patient_who_was_treated():
    """Peters, Janzing & Schölkopf, Elements of Causal Inference, 2017, example 3.4.

    T = N_T, B = T N_B + (1 - T)(1 - N_B) with N_B ~ Ber(0.01): treatment blinds 1 % of
    patients, and cures the others. One who was treated (T = 1) and went blind (B = 1) has
    N_B = 1, and would have been cured without treatment.
    """
    eyes = SCM(
        {"T": "nT", "B": "T*nB + (1 - T)*(1 - nB)"}, {"nT": Bernoulli(0.5), "nB": Bernoulli(0.01)}
    )
    data = eyes.counterfactual({"B": 1, "T": 1}, T=0)
    assert (data.nB.item(), data.B.item()) == (1, 0)
    blind = eyes.do(T=0).counterfactual({})
    np.testing.assert_allclose(mean(blind, "B"), 0.99)


def test_the_firing_squad():
    """Pearl, Causality, 2009, section 7.1.2: p = P(court orders), q = P(rifleman A is nervous).

    P(D would be alive had A not shot | D is dead) = (1 - p) q / (1 - (1 - p)(1 - q)).
    """
    p, q = 0.7, 0.2
    data = SQUAD.counterfactual({"D": 1}, A=0)
    np.testing.assert_allclose(1 - mean(data, "D"), (1 - p) * q / (1 - (1 - p) * (1 - q)))
    np.testing.assert_allclose(mean(SQUAD.counterfactual({"A": 1, "C": 0}, A=0), "D"), 0)


def test_a_non_linear_cycle_is_abducted_unit_by_unit():
    model = SCM(
        {"x": "tanh(y) + exp(e)", "y": "sin(x)/2 + f**3"}, {"e": Normal(0, 1), "f": Normal(0, 1)}
    )
    seen = model.sample(40)
    back = model.counterfactual(seen[["x", "y"]])
    np.testing.assert_allclose(back.e, seen.e, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(back.x, seen.x, rtol=1e-7)
    held, would = model.do(y=0.3).sample(40), model.counterfactual(seen[["x", "y"]], y=0.3)
    np.testing.assert_allclose(would.x, held.x, rtol=1e-7)


@settings(max_examples=25)
@given(st.sets(st.sampled_from("xyz"), min_size=1), st.floats(-2, 2))
def test_a_unit_fully_known_is_the_same_sample_under_the_intervention(held, value):
    """Abducting from sample k and holding gives sample k of the held model: one noise."""
    seen = LOOP.sample(6, seed=3)
    holds = dict.fromkeys(held, value)
    would = LOOP.counterfactual(seen[["x", "y", "z", "u"]], **holds)
    truth = LOOP.do(**holds).sample(6, seed=3)
    for name in "xyz":
        np.testing.assert_allclose(would[name], truth[name], rtol=1e-9, atol=1e-9)


def test_a_dataset_of_samples_is_evidence_as_it_is():
    seen = MARKET.sample(5, seed=1)
    would = MARKET.counterfactual(seen, Shift("S", 1))
    np.testing.assert_allclose(would.P, MARKET.do(Shift("S", 1)).sample(5, seed=1).P)
    assert MARKET.counterfactual(seen.isel(sample=[3, 1])).sample.values.tolist() == [3, 1]


def test_the_support_of_the_noise_picks_the_root():
    model = SCM({"x": "e**2"}, {"e": Exponential(1)})
    assert model.counterfactual({"x": 4}, x="e").x.item() == pytest.approx(2)


def test_several_settings_are_weighed_by_their_density():
    """x = e^2 with e ~ N(1, 1): e = 2 and e = -2 have weights phi(1) and phi(-3)."""
    data = SCM({"x": "e**2", "y": "e"}, {"e": Normal(1, 1)}).counterfactual({"x": 4})
    weights = dict(zip(data.e.values[0].round(6), data.evidence_weight.values[0], strict=True))
    density = {2: stats.norm.pdf(1), -2: stats.norm.pdf(-3)}
    for e, share in density.items():
        assert weights[e] == pytest.approx(share / sum(density.values()))


def test_evidence_that_no_noise_explains_has_the_status_none():
    model = SCM({"x": "e", "y": "2*x"}, {"e": Normal(0, 1)})
    data = model.counterfactual({"x": [1, 1], "y": [2, 3]}, x=0)
    assert data.status.values.tolist() == [0, 1]
    np.testing.assert_array_equal(data.y, [0, np.nan])


def test_what_is_computed_follows_what_is_abducted():
    model = SCM({"x": "v", "y": "x + w"}, {"u": Normal(0, 1), "v": "3*u"}, {"w": "u + k", "k": 1})
    data = model.counterfactual({"x": 6}, x=0)
    assert (data.u.item(), data.v.item(), data.w.item()) == pytest.approx((2, 6, 3))
    assert data.y.item() == pytest.approx(3)


def test_random_parameters_and_values_per_sample_belong_to_the_unit():
    model = SCM({"x": "k*e + c"}, {"e": Normal(0, 1)}, {"k": Uniform(1, 2), "c": [10.0, 20.0]})
    data = model.counterfactual({"x": [13, 23], "k": 1.5}, SetParameter(k=1))
    np.testing.assert_allclose(data.x, [12, 22])


# Conditioning


def test_without_evidence_the_counterfactual_is_the_intervention():
    would, done = LOOP.counterfactual({}, x=2, n=50, seed=4), LOOP.do(x=2).sample(50, seed=4)
    for name in ("x", "y", "z", "e", "u"):
        np.testing.assert_array_equal(would[name][0], done[name])
    np.testing.assert_allclose(would.effective_sample_size, 50)


def test_nothing_has_to_be_solvable_of_which_nothing_is_seen():
    model = SCM(
        {"x": "x**3 - x == e", "y": "y + 1 + x", "z": "f"}, {"e": Uniform(-1, 1), "f": Normal(0, 1)}
    )
    would, done = model.counterfactual({}, x=2, y=3, n=20), model.do(x=2, y=3).sample(20)
    np.testing.assert_array_equal(would.z[0], done.z)
    assert model.counterfactual({"z": 1}, x=2, y=3, n=5).status.values.tolist() == [[0] * 5]
    both = model.counterfactual({"x": 0.5, "z": 1}, x="e + 1", y=0)
    assert both.x.item() == pytest.approx(0.125 - 0.5 + 1)


def test_partial_evidence_agrees_with_the_closed_form_of_the_linear_model():
    linear = LinearSCM.from_scm(LOOP)
    for evidence, do in [
        ({"x": 1.5}, {"y": 1}),
        ({"x": 1, "z": -1}, {"x": 0}),
        ({"y": 2, "z": 1}, {}),
    ]:
        law = linear.counterfactual(evidence, **do)
        data = LOOP.counterfactual(evidence, **do, n=40_000)
        assert (data.effective_sample_size > 4000).all()
        for name in "xyz":
            error = np.sqrt(
                law.covariance.sel(variable=name, other=name).clip(0) / data.effective_sample_size
            )
            gap = abs(mean(data, name) - law["mean"].sel(variable=name))
            assert (gap <= 4 * error + 1e-9).all(), (evidence, name)
        centered = data.z - mean(data, "z")[:, np.newaxis]
        spread = (data.evidence_weight * centered**2).sum("draw")
        np.testing.assert_allclose(
            spread, law.covariance.sel(variable="z", other="z"), rtol=0.1, atol=1e-9
        )


def test_the_noise_solved_for_is_that_of_what_was_seen():
    """Solving for noise far upstream would leave few effective draws."""
    chain = SCM(
        {f"v{i}": f"0.8*v{i - 1} + e{i}" if i else "e0" for i in range(12)},
        {f"e{i}": Normal(0, 1) for i in range(12)},
    )
    seen = {"v11": 3, "v6": -1}
    data = chain.counterfactual(seen, v3=0, n=4000)
    law = LinearSCM.from_scm(chain).counterfactual(seen, v3=0)
    assert data.effective_sample_size.item() > 200
    np.testing.assert_allclose(mean(data, "v8"), law["mean"].sel(variable="v8"), atol=0.2)


def test_noise_that_is_not_normal_is_weighed_by_its_own_density():
    """x = a + b with a ~ Exp(1), b ~ Gamma(2, 1): a given x = 3 has the density of 3 Beta(1, 2)."""
    model = SCM({"x": "a + b", "y": "a"}, {"a": Exponential(1), "b": Gamma(2, 1)})
    data = model.counterfactual({"x": 3}, n=20_000)
    np.testing.assert_allclose(mean(data, "y"), 1, atol=0.03)
    shares = [float(data.evidence_weight.where(data.y < q).sum()) for q in (0.5, 1, 2)]
    np.testing.assert_allclose(shares, stats.beta(1, 2).cdf(np.array([0.5, 1, 2]) / 3), atol=0.02)


def test_a_product_of_noise_brings_its_jacobian():
    """x = a b, both U(1, 2): given x = 2, a has the density (1/a)/log 2 on (1, 2)."""
    model = SCM({"x": "a*b", "y": "a"}, {"a": Uniform(1, 2), "b": Uniform(1, 2)})
    data = model.counterfactual({"x": 2}, n=20_000)
    np.testing.assert_allclose(mean(data, "y"), 1 / np.log(2), atol=0.01)


def test_a_threshold_is_met_by_rejection():
    """y = 1 iff x + e > 0 with x, e ~ N(0, 1): E[x | y = 1] = 1/sqrt(pi)."""
    model = SCM({"x": "u", "y": "where(x + e > 0, 1, 0)"}, {"u": Normal(0, 1), "e": Normal(0, 1)})
    data = model.counterfactual({"y": 1}, n=20_000)
    np.testing.assert_allclose(mean(data, "x"), 1 / np.sqrt(np.pi), atol=0.02)
    np.testing.assert_allclose(data.effective_sample_size, 10_000, rtol=0.05)


def test_a_censored_value_is_met_by_rejection_and_any_other_by_solving():
    """y = max(0, x + e), x and e ~ N(0, 1): E[x | y = 0] = -1/sqrt(pi), E[x | y = 1] = 1/2."""
    model = SCM({"x": "u", "y": "max(0, x + e)"}, {"u": Normal(0, 1), "e": Normal(0, 1)})
    data = model.counterfactual({"y": [0, 1]}, n=5000)
    np.testing.assert_allclose(mean(data, "x"), [-1 / np.sqrt(np.pi), 0.5], atol=0.05)
    assert (data.effective_sample_size > 2000).all()
    alone = model.counterfactual({"y": [1, 1]}, n=5000).isel(sample=[1])
    np.testing.assert_array_equal(alone.x, data.x.isel(sample=[1]))


def test_discrete_and_continuous_noise_mix():
    """A mixture: x = m + e, m in {0, 3} with probabilities 3/4, 1/4; Bayes gives P(m = 3 | x)."""
    model = SCM(
        {"x": "m + e", "y": "m"}, {"m": Categorical([0, 3], [0.75, 0.25]), "e": Normal(0, 1)}
    )
    data = model.counterfactual({"x": [1, 2]})
    at = np.array([1, 2])
    odds = 0.25 * stats.norm.pdf(at - 3) / (0.75 * stats.norm.pdf(at))
    np.testing.assert_allclose(mean(data, "y"), 3 * odds / (1 + odds))
    assert dict(data.sizes) == {"sample": 2, "draw": 2}


def test_the_counterfactual_is_the_conditional_of_the_twin():
    """Rejection on the twin of a discrete model, by brute force, against abduction."""
    twin = SQUAD.twin().do(A_twin=0).sample(20_000)
    dead = twin.D == 1
    data = SQUAD.counterfactual({"D": 1}, A=0)
    np.testing.assert_allclose(
        mean(data, "D"), twin.D_twin.where(dead, drop=True).mean(), atol=0.01
    )


def test_new_and_changed_noise_is_drawn_anew():
    data = MARKET.counterfactual({"S": np.full(4000, 2.0), "P": 1}, SetParameter(eS=Normal(1, 2)))
    np.testing.assert_allclose([data.eS.mean(), data.eS.std()], [1, 2], atol=0.1)
    np.testing.assert_allclose(data.eD, 3.5)
    drawn = MARKET.counterfactual({"S": np.full(4000, 2.0), "P": 1}, Hold("P", Normal(5, 2)))
    np.testing.assert_allclose([drawn.P.mean(), drawn.P.std()], [5, 2], atol=0.1)


def test_a_unit_does_not_depend_on_the_others():
    both = LOOP.counterfactual({"x": [1, 2]}, y=0, n=20, seed=2)
    alone = LOOP.counterfactual({"x": 1}, y=0, n=20, seed=2)
    xr.testing.assert_equal(both.isel(sample=[0]), alone)


def test_impossible_evidence_has_no_effective_draws():
    data = SQUAD.counterfactual({"D": [1, 0.5]}, B=1)
    assert data.effective_sample_size.values[1] == 0
    assert data.status.values.tolist() == [[0, 0, 0], [1, 1, 1]]
    rare = SCM({"x": "where(e > 6, 1, 0)"}, {"e": Normal(0, 1)}).counterfactual({"x": 1}, n=10)
    assert (rare.status.item(), rare.effective_sample_size.item()) == (4, 0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MARKET.counterfactual({"Q": 1}), UnknownVariable, "`Q` cannot be observed in the"),
        (lambda: MARKET.counterfactual({"bD": 1}), UnknownVariable, "`bD` cannot be observed"),
        (lambda: MARKET.counterfactual(3), InvalidValue, "evidence is `3`; give a mapping"),
        (lambda: MARKET.counterfactual({"S": "many"}), InvalidValue, "`S` is `many`; give numbers"),
        (lambda: MARKET.counterfactual({"S": 1}, n=0), InvalidValue, "n is `0`; give a whole"),
        (lambda: MARKET.counterfactual({"S": 1}, Q=0), UnknownVariable, "`Q` is no variable"),
        (lambda: SCM({"x": "c"}, {"c": [1.0]}).counterfactual({"x": [1, 2]}), InvalidValue,
         "`c` has values for 1 samples, but there is evidence on 2 units"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_distribution_of_your_own_needs_a_density_to_be_weighed():
    class Own(Normal):
        pass

    model = SCM({"x": "a + b"}, {"a": Normal(0, 1), "b": stats.norm(0, 1)})
    assert model.counterfactual({"x": 1}, n=5).effective_sample_size.item() > 1
    with pytest.raises(Unsupported, match="has too many values to list"):
        SCM({"x": "a"}, {"a": stats.poisson(1e9)}).counterfactual({"x": 1})
