"""Tests of conditional independence: calibrated, powerful, and counted in reports."""

import numpy as np
import pytest
import scipy
import xarray as xr

from physcm.mechanism import Normal
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.scm import SCM, MixedGraph, separations
from physcm.scm.independence import (
    Kernel,
    Neighbors,
    PartialCorrelation,
    holm,
    test_separations,
)
from physcm.scm.independence.neighbors import information

TESTS = {
    "partial correlation": PartialCorrelation(),
    "kernel": Kernel(),
    "neighbors": Neighbors(permutations=99),
}
NOTHING = np.empty((200, 0))


def linear(rng, slope=0.0):
    """Draw x <- z -> y with linear mechanisms, and slope from x to y."""
    z, e, u = rng.normal(size=(3, 200))
    return z + e, z + u + slope * e, z[:, None]


def curved(rng, slope=0.0):
    """Draw x <- z -> y where x and y are uncorrelated, and a parabola from x to y."""
    z, e, u = rng.normal(size=(3, 200))
    return np.tanh(2 * z) + 0.5 * e, z**2 + 0.5 * u + slope * e**2, z[:, None]


def false_alarms(test, draw, runs: int) -> int:
    rng = np.random.default_rng(1)
    return sum(test.p_value(*draw(rng), rng) <= 0.1 for _ in range(runs))


def assert_calibrated(count: int, runs: int) -> None:
    """Refuse a count that alarms with chance 0.1 would give once in a thousand times."""
    low, high = scipy.stats.binom.ppf([0.0005, 0.9995], runs, 0.1)
    assert low <= count <= high


def test_partial_correlation_is_calibrated_on_gaussian_data():
    assert_calibrated(false_alarms(TESTS["partial correlation"], linear, 500), 500)


def test_the_kernel_test_is_calibrated_where_partial_correlation_is_not():
    assert_calibrated(false_alarms(TESTS["kernel"], curved, 40), 40)
    assert false_alarms(PartialCorrelation(), curved, 200) > 40


def test_the_nearest_neighbor_test_is_calibrated():
    assert_calibrated(false_alarms(Neighbors(permutations=19), curved, 20), 20)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kernel", "neighbors"])
@pytest.mark.parametrize("draw", [linear, curved])
def test_the_false_alarm_rate_is_alpha_over_many_runs(name, draw):
    runs = 300 if name == "kernel" else 100
    assert_calibrated(false_alarms(TESTS[name], draw, runs), runs)


@pytest.mark.parametrize("name", TESTS)
def test_a_linear_dependence_given_z_is_found(name):
    rng = np.random.default_rng(2)
    assert TESTS[name].p_value(*linear(rng, 0.8), rng) <= 0.01


@pytest.mark.parametrize("name", ["kernel", "neighbors"])
def test_a_parabola_given_z_is_found_by_all_but_partial_correlation(name):
    rng = np.random.default_rng(3)
    found = [TESTS[name].p_value(*curved(rng, 2.0), rng) <= 0.05 for _ in range(5)]
    assert sum(found) >= 4
    missed = [PartialCorrelation().p_value(*curved(rng, 2.0), rng) > 0.05 for _ in range(50)]
    assert sum(missed) > 25


def test_without_conditioning_partial_correlation_is_pearsons_test():
    x, y = np.random.default_rng(4).normal(size=(2, 200))
    p = PartialCorrelation().p_value(x, y, NOTHING, np.random.default_rng(0))
    assert p == pytest.approx(scipy.stats.pearsonr(x, y).pvalue, rel=1e-9)


def test_partial_correlation_is_the_t_test_of_the_slope_in_a_regression():
    rng = np.random.default_rng(5)
    x, y, z = linear(rng, 0.1)
    regressors = np.column_stack([np.ones(200), x, z])
    slopes, left, *_ = np.linalg.lstsq(regressors, y, rcond=None)
    spread = np.sqrt(left[0] / 197 * np.linalg.inv(regressors.T @ regressors)[1, 1])
    expected = 2 * scipy.stats.t.sf(abs(slopes[1]) / spread, 197)
    assert PartialCorrelation().p_value(x, y, z, rng) == pytest.approx(expected, rel=1e-9)


def test_the_information_of_gaussian_variables_is_its_closed_form():
    rng = np.random.default_rng(6)
    z, e, u = rng.normal(size=(3, 5000, 1))
    x, y = z + e, z + 0.75 * e + u
    exact = 0.5 * np.log(1 + 0.75**2)
    assert information(x, y, z, k=10) == pytest.approx(exact, abs=0.05)
    assert information(x, z + u, z, k=10) == pytest.approx(0, abs=0.05)


def test_the_same_seed_gives_the_same_p_value():
    x, y, z = curved(np.random.default_rng(7), 0.2)
    first, again = (
        Neighbors(permutations=19).p_value(x, y, z, np.random.default_rng(1)) for _ in range(2)
    )
    assert first == again


def test_holms_correction_is_its_definition():
    p = np.array([0.001, 0.02, 0.01, 0.5, 0.011])
    assert holm(p) == pytest.approx([0.005, 0.04, 0.04, 0.5, 0.04])
    assert holm(np.array([])).size == 0
    assert holm(np.array([0.9, 0.9])).tolist() == [1, 1]


NOISE = {name: Normal(0, 1) for name in "efgh"}
LOOP = SCM(
    {"a": "e", "b": "f", "x": "0.6*y + a + g", "y": "-0.5*x + b + h"}, exogenous=NOISE, name="loop"
)


def test_a_linear_loop_is_independent_where_only_sigma_separation_connects():
    report = test_separations(LOOP.graph(), LOOP.sample(2000))
    assert (report.claims, report.false_claims) == (1, 0)
    assert (report.connections, report.missed) == (23, 1)
    missed = report.table.where(~report.table.separated & ~report.table.dependent, drop=True)
    assert [missed[name].item() for name in ("x", "y", "given")] == ["a", "b", "x, y"]
    plain = test_separations(LOOP.graph(), LOOP.sample(2000), sigma=False)
    assert (plain.claims, plain.false_claims, plain.missed) == (2, 0, 0)


def test_a_graph_with_an_edge_missing_makes_a_false_claim_that_is_named():
    graph = MixedGraph(LOOP.graph().directed - {("a", "x")}, nodes=[*"abxy"])
    report = test_separations(graph, LOOP.sample(2000))
    assert not report.ok
    assert report.false_claims > 0
    assert "false: a ⊥ x, p = " in str(report)
    found = report.table.where(report.table.dependent & report.table.separated, drop=True)
    assert set(found.x.values) == {"a"}


# Bongers, Forré, Peters & Mooij (2021), section 6: p(a, b | x, y) has the factor |1 - a*b|.
def test_in_a_non_linear_loop_a_d_separation_is_false_and_no_sigma_separation_is():
    model = SCM(
        {"a": "0.9*tanh(3*e)", "b": "0.9*tanh(3*f)", "x": "a*y + g", "y": "b*x + h"},
        exogenous=NOISE,
    )
    sample, test = model.sample(200), Kernel()
    sigma = test_separations(model.graph(), sample, test=test)
    plain = test_separations(model.graph(), sample, test=test, sigma=False)
    assert (sigma.claims, sigma.false_claims) == (1, 0)
    assert (plain.claims, plain.false_claims) == (2, 1)
    assert "false: a ⊥ b | x, y" in str(plain)


def contraction(graph: MixedGraph, rng) -> SCM:
    """Draw a model with a graph, non-linear, and with one solution since it is a contraction."""
    noise = {f"e_{name}": Normal(0, 1) for name in graph.nodes}
    shared = {f"u_{a}_{b}": Normal(0, 1) for a, b in sorted(graph.bidirected)}
    mechanisms = {}
    for name in graph.nodes:
        parents = graph.parents(name)
        share = 0.9 / max(1, len(parents))
        terms = [f"{share * rng.choice([-1, 1]):.3f}*tanh({p})" for p in parents]
        terms += [f"0.7*{u}" for u in shared if name in u.split("_")[1:]]
        mechanisms[name] = " + ".join([*terms, f"e_{name}"])
    return SCM(mechanisms, exogenous=noise | shared)


@pytest.mark.slow
def test_sigma_separations_hold_in_random_non_linear_models_with_loops(random_graph):
    rng = np.random.default_rng(9)
    claims = models = false = 0
    while models < 12:
        drawn = random_graph(rng, 4)
        loops = {(name, name) for name in drawn.nodes}
        graph = MixedGraph(drawn.directed - loops, drawn.bidirected, drawn.nodes)
        if graph.is_acyclic or not separations(graph):
            continue
        models += 1
        sample = contraction(graph, rng).sample(200, seed=models)
        report = test_separations(graph, sample, test=Kernel(), alpha=0.05)
        claims += report.claims
        false += not report.ok
    assert claims > 30
    assert false <= scipy.stats.binom.ppf(0.999, models, 0.05)


def test_a_dependence_that_cancels_is_reported_as_missed():
    model = SCM(
        {"x": "e", "m": "x + f", "y": "m - x + g"},
        exogenous={name: Normal(0, 1) for name in "efg"},
    )
    report = test_separations(model.graph(), model.sample(1000))
    assert report.ok
    assert report.missed == 1


def test_with_all_claims_true_few_reports_have_a_false_claim():
    graph = MixedGraph(nodes=[*"abcde"])
    rng = np.random.default_rng(8)
    bad = 0
    for _ in range(100):
        columns = {name: ("sample", rng.normal(size=50)) for name in graph.nodes}
        bad += not test_separations(graph, xr.Dataset(columns), alpha=0.1).ok
    assert bad <= scipy.stats.binom.ppf(0.9995, 100, 0.1)


def test_a_graph_of_one_node_claims_nothing():
    report = test_separations(MixedGraph(nodes="a"), LOOP.sample(10))
    assert str(report) == (
        "0 independences claimed, 0 of them false; 0 dependences, 0 of them missed"
    )


DATA = LOOP.sample(100)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((MixedGraph(nodes=["a", "q"]), DATA), {}, UnknownVariable, "`q` is no variable of the"),
        ((LOOP.graph(), DATA), {"alpha": 2}, InvalidValue, "alpha is `2`; give a number between"),
        ((LOOP.graph(), DATA[{"sample": slice(3)}]), {}, InvalidValue, "`3` samples, and the tes"),
        ((LOOP.graph(), LOOP.do(x=1).sample(10)), {}, InvalidValue, "`x` is `1` in all samples"),
        (
            (LOOP.graph(), DATA.where(DATA.x > 0)),
            {},
            InvalidValue,
            r"is missing or infinite in `\d+` samples; decide .* dataset\.dropna",
        ),
        (
            (LOOP.graph(), DATA.expand_dims(time=2)),
            {},
            InvalidValue,
            "has the dimensions `.*`; give one value per `sample`",
        ),
        (
            (LOOP.graph(), DATA),
            {"test": Neighbors(permutations=99)},
            InvalidValue,
            "at least `0.01` can reject nothing among 23 questions .* more permutations",
        ),
        ((LOOP.graph(), DATA), {"largest_given": -1}, InvalidValue, "largest_given is `-1`"),
    ],
)
def test_data_and_options_that_make_no_sense_are_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        test_separations(*arguments, **options)
