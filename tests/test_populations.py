"""Models compared in law: which differences are found, how often, and what the report says."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from physcm.abstraction import Abstraction, commutes
from physcm.abstraction.population import samples
from physcm.abstraction.population.outcome import PopulationOutcome, holm
from physcm.abstraction.population.samples import population
from physcm.abstraction.population.statistics import JOINT, Statistics
from physcm.abstraction.population.two_sample import detectable_shifts, two_sample
from physcm.mechanism import Hold, InvalidValue, Normal, PhyscmError, SetParameter, Shift, Uniform
from physcm.scm import SCM, LinearSCM
from physcm.sim import System

Floats = NDArray[np.float64]

# Ornstein-Uhlenbeck: dX = A (X - m) dt + S dW with its mean and covariance under holds.
A = np.array([[-1.0, 0.5, 0.0], [0.8, -2.0, 0.3], [0.0, 0.9, -1.5]])
S = np.diag([0.5, 1.0, 0.7])
NAMES = ("x", "y", "z")
OU = System(
    {
        i: " + ".join(f"({A[r, c]})*({j} - 1)" for c, j in enumerate(NAMES))
        for r, i in enumerate(NAMES)
    },
    initial=dict.fromkeys(NAMES, 0),
    noise={i: S[r, r] for r, i in enumerate(NAMES)},
    name="Ornstein-Uhlenbeck",
)


def stationary(held: dict[str, float]) -> tuple[Floats, Floats]:
    """The mean and covariance of all variables under holds, by Lyapunov's equation."""
    free = [i for i, name in enumerate(NAMES) if name not in held]
    fixed = [i for i, name in enumerate(NAMES) if name in held]
    mean, cov = np.ones(3), np.zeros((3, 3))
    mean[fixed] = [held[NAMES[i]] for i in fixed]
    own = A[np.ix_(free, free)]
    mean[free] = 1 - np.linalg.solve(own, A[np.ix_(free, fixed)] @ (mean[fixed] - 1))
    noise = S[np.ix_(free, free)]
    cov[np.ix_(free, free)] = scipy.linalg.solve_continuous_lyapunov(own, -noise @ noise.T)
    return mean, cov


# The statistics, each against its definition or SciPy.

generators = st.integers(0, 10_000).map(np.random.default_rng)


@given(generators, st.integers(2, 9), st.integers(2, 9))
@settings(max_examples=30, deadline=None)
def test_the_energy_distance_is_its_definition(rng: np.random.Generator, n: int, m: int) -> None:
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(m, 2))

    def mean(a: Floats, b: Floats) -> float:
        return float(np.linalg.norm(a[:, None] - b[None], axis=2).mean())

    weights = np.repeat([1 / n, -1 / m], [n, m])[:, None]
    energy = Statistics(np.concatenate([x, y]), rng).of(weights)[0, 0]
    assert energy == pytest.approx(2 * mean(x, y) - mean(x, x) - mean(y, y))


@given(generators, st.integers(2, 9), st.integers(2, 9))
@settings(max_examples=30, deadline=None)
def test_distances_of_one_variable_are_those_of_scipy(
    rng: np.random.Generator, n: int, m: int
) -> None:
    x, y = rng.integers(5, size=n) / 2, rng.integers(5, size=m) / 2
    weights = np.repeat([1 / n, -1 / m], [n, m])[:, None]
    statistics = Statistics(np.concatenate([x, y])[:, None], rng)
    area = scipy.stats.wasserstein_distance(x, y)
    assert statistics.areas(weights)[0, 0] == pytest.approx(area)
    assert statistics.of(weights)[2, 0] == pytest.approx(area)
    assert statistics.of(weights)[3, 0] == pytest.approx(
        scipy.stats.ks_2samp(x, y, method="asymp").statistic
    )


@pytest.mark.slow
def test_the_test_keeps_its_level() -> None:
    rng = np.random.default_rng(0)
    p = np.array([
        two_sample(("a", "b"), *rng.gamma(1, size=(2, 2, 60)), seed=i).p_value for i in range(600)
    ])  # fmt: skip
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() <= level + 3 * math.sqrt(level / 600)
    assert (p <= 0.5).mean() > 0.4


@pytest.mark.parametrize(
    "other",
    [
        lambda rng: rng.normal([[0.4], [0]], 1, size=(2, 400)),
        lambda rng: rng.normal(size=(2, 400)) * [[1.5], [1]],
        lambda rng: rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 400).T,
        lambda rng: np.sign(rng.normal(size=(2, 400))) + 0.1 * rng.normal(size=(2, 400)),
    ],
    ids=["mean", "variance", "correlation", "shape"],
)
def test_a_difference_is_found(other: Any) -> None:
    rng = np.random.default_rng(1)
    assert two_sample(("a", "b"), rng.normal(size=(2, 400)), other(rng)).p_value < 0.01


def test_copies_of_a_constant_that_differ_by_rounding_are_equal() -> None:
    x = np.full((2, 60), 5.0)
    assert two_sample(("a", "b"), x, x + 1e-15).p_value == 1


@pytest.mark.parametrize("name", ["normal", "standard_exponential"])
def test_a_shift_that_would_be_found_is_found_in_95_percent(name: str) -> None:
    rng = np.random.default_rng(2)
    draw = getattr(rng, name)
    (shift,) = detectable_shifts(draw(size=(1, 300)), draw(size=(1, 300)), 0.05)

    def found(by: float) -> float:
        tests = [
            scipy.stats.ks_2samp(draw(size=300), draw(size=300) + by, method="asymp").pvalue
            for _ in range(400)
        ]
        return float(np.mean(np.array(tests) <= 0.05))

    assert found(shift) > 0.93
    assert found(shift / 2) < 0.9


def test_a_change_of_probability_that_would_be_found_is_found() -> None:
    """No shift off 0 and 1 counts, however small it may be: the share of ones has to change."""
    rng = np.random.default_rng(3)
    x, y = rng.random((2, 1, 300)) < 0.3
    (shift,) = detectable_shifts(x.astype(float), y.astype(float), 0.05)
    more = 0.3 + shift * math.sqrt(0.21)
    tests = [
        scipy.stats.ks_2samp(rng.random(300) < 0.3, rng.random(300) < more, method="asymp").pvalue
        for _ in range(400)
    ]
    assert 0.1 < shift < 0.8
    assert np.mean(np.array(tests) <= 0.05) > 0.93


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300])
def test_values_of_any_size_are_told_apart(size: float) -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 1, 100))
    assert two_sample(("x",), size * x, size * (y + 2)).p_value < 0.01


def test_what_varies_little_beside_its_size_is_compared_by_how_it_varies() -> None:
    model = SCM({"x": "1e9 + a*e"}, {"e": Normal(0, 1)}, {"a": 1})
    assert commutes(model, model, [SetParameter(a=2)], n=200).ok
    assert not commutes(model, model.do(SetParameter(a=2)), [], n=200).rows[0].agree


def test_a_variable_that_rests_at_one_value_is_that_value_whatever_the_start() -> None:
    cooling = System(
        {"x": "2 - x**3", "y": "e - y"}, parameters={"e": Normal(0, 1)},
        initial={"x": Uniform(0, 3), "y": 0},
    )  # fmt: skip
    rest = SCM({"x": "2**(1/3)", "y": "f"}, {"f": Normal(0, 1)})
    report = commutes(cooling, rest, [Hold("y", 1)], n=60)
    assert report.ok, report


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_his_steps_reject(p: list[float]) -> None:
    rejected = set()
    for k, place in enumerate(np.argsort(p, kind="stable")):
        if p[place] * (len(p) - k) > 0.05:
            break
        rejected.add(int(place))
    assert {i for i, value in enumerate(holm(p)) if value <= 0.05} == rejected


# Stationary laws.


def test_samples_of_a_stationary_law_have_its_moments() -> None:
    found = population(OU, 2000, 0)
    mean, cov = stationary({})
    points = np.array([found.alone[name] for name in NAMES])
    assert set(found.fates) == {"stationary"}
    error = np.sqrt(np.diag(cov) / 2000)
    np.testing.assert_allclose(points.mean(axis=1), mean, atol=4 * error.max())
    np.testing.assert_allclose(np.cov(points), cov, atol=5 * cov.max() * math.sqrt(2 / 2000))


def test_noise_without_a_stationary_law_is_still_moving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_MOST_STEPS", 2**14)
    walk = System({"x": "-x", "y": "0"}, initial={"x": 0, "y": 0}, noise={"x": 1, "y": 1})
    assert population(walk, 100, 0, step=1.0).fates.tolist() == ["still moving"] * 100


def test_noise_that_grows_without_bound_is_diverged() -> None:
    away = System({"x": "x"}, initial={"x": 1}, noise={"x": 0.1})
    assert population(away, 100, 0).fates.tolist() == ["diverged"] * 100


def gaussian(cov_of: Any) -> Any:
    """A causal model of the means, whose noise has the covariance of each intervention."""
    mean, cov = stationary({})
    root = np.linalg.cholesky(cov_of(cov) + 1e-12 * np.eye(3))
    mechanisms = {
        name: " + ".join([f"{mean[r]}", *(f"({root[r, c]})*e{c}" for c in range(r + 1))])
        for r, name in enumerate(NAMES)
    }
    return SCM(mechanisms, {f"e{c}": Normal(0, 1) for c in range(3)})


def test_the_exact_stationary_law_passes() -> None:
    report = commutes(OU, gaussian(lambda cov: cov), [], n=1000)
    assert report.all_agree, report
    assert "no evidence for a causal model" in report.verdict
    assert not report.ok
    assert "would have been found" in report.verdict


def test_the_right_margins_without_their_correlations_fail() -> None:
    report = commutes(OU, gaussian(lambda cov: np.diag(np.diag(cov))), [], n=1000)
    assert not report.ok
    assert "are correlated by" in report.rows[0].why


def test_an_equilibrium_model_with_noise_of_its_own_gets_means_right_and_covariances_wrong() -> (
    None
):
    # X_i = sum_j A_ij / -A_ii X_j + noise of the variance that i has when all others are held.
    own = -np.diag(A)
    B = {
        i: {j: A[r, c] / own[r] for c, j in enumerate(NAMES) if c != r and A[r, c]}
        for r, i in enumerate(NAMES)
    }
    noise = {i: Normal(0, S[r, r] / math.sqrt(2 * own[r])) for r, i in enumerate(NAMES)}
    offset = {i: 1 - sum(B[i].values()) for i in NAMES}
    model = LinearSCM(B, noise, constants=offset)
    report = commutes(OU, model, [Hold("y", 2), [Hold("x", 0), Hold("y", 0)]], n=1000)
    assert [row.agree for row in report.rows] == [False, True, True], report
    means = report.table.simulated.mean(("sample", "start")).values
    np.testing.assert_allclose(means[1], stationary({"y": 2})[0], atol=0.1)
    predicted = report.table.predicted.mean(("sample", "start")).values
    np.testing.assert_allclose(means, predicted, atol=0.1)


# Structural models on both sides.

FINE = SCM(
    {"a": "e1", "b": "a/2 + e2", "c": "a + b + e3"},
    {"e1": Normal(0, 1), "e2": Normal(1, 1), "e3": Uniform(0, 1)},
)


def test_a_marginalized_model_agrees_draw_by_draw() -> None:
    report = commutes(FINE, FINE.marginalize("b"), [Hold("a", 2), Shift("a", 1)], n=200)
    assert report.ok
    assert all(row.prediction == "equal draw by draw" for row in report.rows)


def test_a_model_with_other_noise_of_the_same_law_agrees_in_law() -> None:
    other = SCM(
        {"a": "u1", "c": "3*a/2 + u2 + u3"},
        {"u1": Normal(0, 1), "u2": Normal(1, 1), "u3": Uniform(0, 1)},
    )
    report = commutes(FINE, other, [Hold("a", 2)], n=800)
    assert report.ok, report
    outcome = report.rows[1].outcome
    assert isinstance(outcome, PopulationOutcome)
    assert not outcome.paired
    (all_of_them,) = outcome.strata
    assert set(all_of_them.test.p_values if all_of_them.test else ()) == {*JOINT, "a", "c"}


def test_what_agrees_on_observations_alone_fails_under_an_intervention() -> None:
    # b -> a has the observational law of a -> b.
    one = LinearSCM({"a": {}, "b": {"a": 1}}, {"a": Normal(0, 1), "b": Normal(0, 1)})
    other = LinearSCM(
        {"b": {}, "a": {"b": 0.5}}, {"b": Normal(0, 2**0.5), "a": Normal(0, 0.5**0.5)}
    )
    report = commutes(one, other, [Hold("a", 3)], n=1000)
    assert [row.agree for row in report.rows] == [True, False], report


def test_samples_without_a_solution_are_counted() -> None:
    below = SCM({"x": "x**2 == e"}, {"e": Uniform(0, 1)}, domains={"x": (0, 10)})
    above = SCM({"x": "x**2 == e"}, {"e": Uniform(-0.2, 0.8)}, domains={"x": (0, 10)})
    report = commutes(below, above, [], n=500)
    assert not report.ok
    assert "no solution 17.8%" in report.rows[0].prediction


def test_a_function_can_be_tau() -> None:
    fine = SCM({f"w{i}": f"e{i}" for i in range(4)}, {f"e{i}": Normal(i, 1) for i in range(4)})
    coarse = SCM({"mean": "u"}, {"u": Normal(1.5, 0.5)})
    means = Abstraction(
        fine, coarse, tau=lambda v: {"mean": np.mean([v[f"w{i}"] for i in range(4)], axis=0)}
    )
    assert means.commutes([], n=500).all_agree
    wrong = Abstraction(fine, coarse, tau=lambda v: {"mean": v["w0"]})
    assert not wrong.commutes([], n=500).all_agree


def test_a_function_that_gives_other_shapes_is_an_error() -> None:
    broken = Abstraction(FINE, SCM({"m": "1"}), tau=lambda v: {"m": np.array(1.0)})
    with pytest.raises(InvalidValue, match=r"tau gives `m` the shape \(\); return one number per"):
        broken.commutes([], n=100)


def test_a_tau_that_is_no_map_is_an_error() -> None:
    with pytest.raises(InvalidValue, match="tau is `5`; give expressions by variable above"):
        Abstraction(FINE, FINE, tau=5).commutes([], n=100)  # type: ignore[arg-type]


def test_a_handful_of_samples_is_an_error() -> None:
    with pytest.raises(InvalidValue, match="n is `3`; laws are compared by samples"):
        commutes(FINE, FINE, [], n=3)


@pytest.mark.parametrize(
    ("system", "options", "message"),
    [
        (System({"x": "sin(t) - x"}, initial={"x": 0}, noise={"x": 1}), {}, "reads time `t`"),
        (
            System({"x": "-x"}, initial={"x": 0}, noise={"x": 1}).do(Hold("x", 1, during=(1, 2))),
            {},
            "has interventions over time",
        ),
        (System({"x": "-x"}, initial={"x": 0}, noise={"x": 1}), {"step": -1}, "step is `-1`"),
        (System({"x": "-x"}, initial={"x": 0}, noise={"x": 1}), {"step": "a"}, "step is `'a'`"),
    ],
)
def test_what_has_no_stationary_law_is_an_error(system: Any, options: Any, message: str) -> None:
    with pytest.raises(PhyscmError, match=re.escape(message)):
        commutes(system, SCM({"x": "e"}, {"e": Normal(0, 1)}), [], n=60, **options)


def test_a_report_on_laws_says_which_step_was_asked_for() -> None:
    noisy = System({"x": "1 - x"}, initial={"x": 0}, noise={"x": 1})
    model = SCM({"x": "1 + e"}, {"e": Normal(0, 0.5**0.5)})
    assert commutes(noisy, model, [], n=60, step=0.1).repeat.startswith(
        "commutes(low, high, [], n=60, seed=0, step=0.1)"
    )


def test_a_report_on_laws_is_a_page_and_a_picture(tmp_path: Any) -> None:
    report = commutes(OU, gaussian(lambda cov: np.diag(np.diag(cov))), [Hold("x", 2)], n=200)
    report.to_html(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "energy distance" in text
    assert "false alarms" in text
    assert [axes.get_label() for axes in report.plot().axes] == ["states", "differences"]
    assert report.table.simulated.sizes == {
        "intervention": 2, "variable": 3, "sample": 200, "start": 1
    }  # fmt: skip


def test_a_difference_of_correlations_alone_is_found_among_many_interventions() -> None:
    """Each statistic is largest in some permutation, which must not hide the one that matters."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 3, 700))
    x[1] = 0.8 * x[0] + 0.6 * x[1]
    found = two_sample(("a", "b", "c"), x, y, smallest=0.05 / 100)
    assert found.p_value <= 0.05 / 100


def test_values_that_print_alike_are_interventions_of_their_own() -> None:
    model = SCM({"x": "e"}, {"e": Normal(0, 1)})
    report = commutes(model, model, [Hold("x", 1.0), Hold("x", 1.0 + 1e-9)], n=60)
    assert [float(row.outcome.simulated[0, 0]) for row in report.rows[1:]] == [1.0, 1.0 + 1e-9]
