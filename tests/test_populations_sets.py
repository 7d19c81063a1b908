"""Models with several solutions, or none, compared as laws of sets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy

from physcm.abstraction import Abstraction, commutes
from physcm.abstraction.population import words
from physcm.abstraction.population.outcome import PopulationOutcome, compared
from physcm.abstraction.population.samples import Population, population
from physcm.abstraction.population.sets import Sets
from physcm.abstraction.population.shares import detectable_difference, p_values
from physcm.abstraction.tau import Tau
from physcm.mechanism import Bernoulli, Hold, Normal, Uniform
from physcm.scm import SCM
from physcm.sim import System

EDGE = 2 / math.sqrt(27)  # x^3 - x = e has three roots where |e| is below it


def well(noise: str, spread: float = 0.5, cubic: float = 1) -> SCM:
    equations = {"x": f"{cubic}*x**3 - x == {noise}", "y": f"x + u{noise}"}
    return SCM(equations, {noise: Normal(0, spread), f"u{noise}": Normal(0, 1)})


def test_a_model_with_several_solutions_agrees_with_itself_draw_by_draw() -> None:
    report = commutes(well("e"), well("e"), [Hold("x", 1)], n=100)
    assert report.ok, report
    assert "the same set of values in every draw" in report.verdict


def test_sets_of_one_law_agree_and_the_report_says_what_was_compared() -> None:
    report = commutes(well("e"), well("f"), [], n=600)
    assert report.all_agree, report
    assert "The shares of samples with 3 values" in report.verdict
    assert "as lists in ascending order" in report.verdict


def test_shares_of_samples_with_three_solutions_are_those_of_the_discriminant() -> None:
    found = population(well("e"), 4000, 0)
    share = math.erf(EDGE / 0.5 / math.sqrt(2))
    assert (found.fates == "3 solutions").mean() == pytest.approx(share, abs=0.03)


def test_sets_that_differ_in_how_many_values_they_have_are_told_apart() -> None:
    report = commutes(well("e", 0.5), well("f", 0.9), [], n=600)
    assert not report.ok
    assert "of the samples have" in report.rows[0].why


def test_sets_that_differ_in_their_values_alone_are_told_apart() -> None:
    # x = +-r and x = +-r^2 are two values each; their means, sums and shares are the same.
    one = SCM({"x": "x**2 == r**2"}, {"r": Uniform(1, 2)})
    other = SCM({"x": "x**2 == s**2/2"}, {"s": Uniform(1, 2)})
    report = commutes(one, other, [], n=300)
    assert not report.ok
    assert "The laws of samples with 2 values differ" in report.rows[0].why
    assert "`x (1 of 2)`" in report.rows[0].why or "`x (2 of 2)`" in report.rows[0].why


def test_values_that_tau_makes_the_same_are_one() -> None:
    roots = SCM({"x": "x**2 == e"}, {"e": Uniform(0, 1)})
    square = Abstraction(roots, SCM({"z": "e"}, {"e": Uniform(0, 1)}), {"z": "x**2"})
    report = square.commutes([], n=100)
    assert report.all_agree, report
    assert report.rows[0].simulation == "1 value"


def test_no_solution_and_infinitely_many_are_different_answers() -> None:
    # x = x + b has no solution where b = 1, and any x where b = 0.
    one = SCM({"x": "x + b"}, {"b": Bernoulli(0.5)})
    other = SCM({"x": "x + c"}, {"c": Bernoulli(0.9)})
    report = commutes(one, other, [], n=300)
    assert not report.rows[0].agree
    assert "infinitely many" in report.rows[0].why


def test_models_without_any_value_leave_nothing_to_compare_before_they_are_intervened_on() -> None:
    report = commutes(
        SCM({"x": "x + 1 + e"}, {"e": Uniform(0, 1)}),
        SCM({"x": "x + 1 + f"}, {"f": Uniform(0, 1)}), [Hold("x", 1)], n=60,
    )  # fmt: skip
    assert [row.agree for row in report.rows] == [True, True]
    assert not report.ok
    assert report.verdict.startswith("There is nothing to compare before anything is done.")


def test_a_value_where_tau_has_none_is_counted() -> None:
    low, high = SCM({"x": "e"}, {"e": Uniform(-1, 1)}), SCM({"r": "f"}, {"f": Uniform(0, 1)})
    report = Abstraction(low, high, {"r": "sqrt(x)"}).commutes([], n=200)
    assert not report.ok
    assert "tau has no value" in report.rows[0].simulation


def test_a_bistable_system_is_not_told_by_a_model_of_both_states() -> None:
    switch = System(
        {"x": "e + x - x**3"}, parameters={"e": Normal(0, 0.2)}, initial={"x": Normal(0, 1)}
    )
    rest = SCM({"x": "x**3 - x == f"}, {"f": Normal(0, 0.2)}, dynamics={"x": "f + x - x**3"})
    report = commutes(switch, rest, [], n=60)
    assert not report.ok
    assert "which of several values it is the causal model leaves open" in report.verdict
    assert "2 attracting solutions" in report.rows[0].prediction


def test_unstable_solutions_do_not_count_against_the_model_of_a_system() -> None:
    # x = 0 repels and x = r attracts, from every positive start.
    growth = System({"x": "x*(r - x)"}, parameters={"r": Uniform(1, 2)}, initial={"x": 1})
    rest = SCM({"x": "x*(s - x) == 0"}, {"s": Uniform(1, 2)}, dynamics={"x": "x*(s - x)"})
    report = commutes(growth, rest, [], n=100)
    assert report.all_agree, report


def test_the_table_has_all_values_and_statuses() -> None:
    table = commutes(well("e"), well("e"), [], n=60).table
    several = table.predicted_status == "3 solutions"
    assert (
        np.isfinite(table.predicted_set).sum("solution").isel(variable=0) == 1 + 2 * several
    ).all()
    assert (np.isnan(table.predicted.sel(variable="x")) == several).all()
    assert (table.simulated_status == table.predicted_status).all()


@pytest.mark.slow
def test_the_comparison_of_sets_keeps_its_level() -> None:
    rng = np.random.default_rng(0)

    def side() -> Sets:
        points = rng.gamma(1, size=(60, 2))
        points[rng.random(60) < 0.4, 1] = np.nan
        return Sets.of(Population({"x": points}, np.full(60, "some")), tau)

    tau = Tau.given(None, ["x"], ["x"])
    outcomes = [compared(side(), side(), level=0.05, tests=1, seed=i) for i in range(150)]
    p = np.array([outcome.raw_p_value for outcome in outcomes])
    assert (p <= 0.05).mean() <= 0.05 + 3 * math.sqrt(0.05 / 150)
    assert (p <= 0.5).mean() > 0.2


# What a comparison of shares would have found.


def test_p_values_of_many_counts_are_those_of_fisher_s_exact_test() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        n, m = rng.integers(1, 40, 2)
        a, b = rng.integers(0, n + 1), rng.integers(0, m + 1)
        expected = scipy.stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue
        assert p_values(np.array([a]), np.array([b]), n, m)[0] == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.4, 0.9])
def test_a_difference_of_shares_that_would_be_found_is_found_in_95_percent(share: float) -> None:
    rng = np.random.default_rng(1)
    n, m, level, rare = 400, 300, 0.01, min(share, 1 - share)
    gap = detectable_difference(share, n, m, level)

    def found(by: float) -> float:
        a, b = rng.binomial(n, rare, 4000), rng.binomial(m, rare + by, 4000)
        return float((p_values(a, b, n, m) <= level).mean())

    assert found(gap) == pytest.approx(0.95, abs=0.02)
    assert found(0.7 * gap) < 0.85


def test_the_report_says_which_difference_of_shares_would_have_been_found() -> None:
    """Where all samples are of one kind, the count of others that is enough has a binomial law."""
    one, other = (SCM({"x": name}, {name: Normal(0, 1)}) for name in "ef")
    outcome = commutes(one, other, [], n=600).rows[0].outcome
    assert isinstance(outcome, PopulationOutcome)
    gap = outcome.detectable_share
    enough = next(k for k in range(1, 99) if fisher(k, 600) <= 0.05 / 2)
    assert scipy.stats.binom.sf(enough - 1, 600, gap) == pytest.approx(0.95, abs=1e-3)
    assert f"A difference of {100 * gap:.2g}% in how many samples have one value" in words.why(
        outcome
    )


def fisher(k: int, n: int) -> float:
    return float(scipy.stats.fisher_exact([[0, n], [k, n - k]]).pvalue)
