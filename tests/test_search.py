"""Interventions that are made up: random ones, grids, and the worst that can be found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.abstraction import (
    Abstraction,
    equilibrium_model,
    hold_each,
    random_interventions,
    search,
)
from physcm.abstraction.population import words
from physcm.abstraction.population.outcome import PopulationOutcome, holm
from physcm.abstraction.random_family import KINDS
from physcm.mechanism import Hold, InvalidValue, Normal, ScaleNoise, SetParameter
from physcm.scm import SCM, LinearSCM
from physcm.sim import System, zoo

PREY = System({"x": "x*(r - x - y)", "y": "1 - 2*y"}, parameters={"r": 1}, initial={"x": 1, "y": 0})


def test_a_grid_of_holds_has_the_multiples_asked_for() -> None:
    tank = System({"h": "1 - h"}, initial={"h": 0}, bounds={"h": (0, 3)})
    assert [hold.value for hold in hold_each(tank, (0, 1, 2, 3, 4))] == [0, 1, 2, 3]


def test_an_angle_is_held_within_a_turn_however_far_it_went() -> None:
    rotor = System({"th": "w", "w": "2 - sin(th) - 0.1*w"}, initial={"th": 1, "w": 0})
    assert all(abs(hold.value) <= 2 * np.pi for hold in hold_each(rotor) if hold.name == "th")


@pytest.mark.parametrize("name", ["seir", "four_tanks", "coupled_oscillators", "mapk_cascade"])
@given(seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_random_interventions_can_be_done(name: str, seed: int) -> None:
    system = zoo.load(name)
    family = random_interventions(system, 8, most=3, seed=seed)
    assert len(family) == 8
    for do in family:
        assert 1 <= len(do) <= 3
        assert system.do(*do).parameters.keys() >= {*system.parameters}


def test_random_interventions_on_a_structural_model_have_its_sizes() -> None:
    model = LinearSCM({"x": {}, "y": {"x": 100}}, {"x": Normal(0, 1), "y": Normal(0, 1)})
    values = [abs(do.value) for (do,) in random_interventions(model, 60, most=1) if do.name == "y"]
    assert 10 <= min(values) < max(values) <= 2000


def test_random_interventions_have_both_kinds() -> None:
    kinds = {type(one) for do in random_interventions(PREY, 30) for one in do}
    assert kinds == {Hold, SetParameter}


def test_the_search_finds_the_extinction_that_a_linear_model_misses() -> None:
    linear = SCM({"x": "r - y", "y": "1/2"}, parameters={"r": 1})
    report = Abstraction(PREY, linear).search(40, seed=1)
    assert len(report.rows) == 41
    assert report.rows[0].agree
    assert not report.rows[1].agree
    flags = [row.agree for row in report.rows[1:]]
    assert flags == sorted(flags)


def test_the_search_nears_what_its_first_guesses_miss() -> None:
    # Past h = 1.155 the flow diverges: h^3/8 outgrows h, and no random value of r is needed.
    tank = System({"h": "r - h", "g": "h - g + g**3/8"}, parameters={"r": 0.3},
                  initial={"h": 0.3, "g": 0.3})  # fmt: skip
    report = Abstraction(tank, equilibrium_model(tank)).search(30, most=1, starts=1)
    rates = [float(row.outcome.rates.min()) for row in report.rows[1:] if row.agree and
             row.outcome.settled.all()]  # fmt: skip
    assert min(rates) < 0.3 * float(report.rows[0].outcome.rates[0, 0])


def test_the_search_keeps_to_its_budget() -> None:
    assert len(Abstraction(PREY, equilibrium_model(PREY)).search(7).rows) == 8


def test_random_interventions_on_what_is_no_model_are_an_error() -> None:
    with pytest.raises(InvalidValue, match="`'tank'` is no System, SCM or LinearSCM"):
        random_interventions("tank", 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 2.5, "many"])
def test_a_budget_that_is_no_count_is_an_error(count: object) -> None:
    with pytest.raises(InvalidValue, match="count is `"):
        Abstraction(PREY, equilibrium_model(PREY)).search(count)  # type: ignore[arg-type]


STRUCTURAL = SCM(
    {"x": "e", "y": "x + a*f", "z": "z**3 + z == y"},
    {"e": Normal(0, 1), "f": Normal(0, 1)}, {"a": 1},
)  # fmt: skip


def test_random_interventions_have_all_kinds_that_are_asked_for() -> None:
    noisy = System({"x": "a - x"}, parameters={"a": 1}, initial={"x": 0}, noise={"x": 1})
    for model in (noisy, STRUCTURAL):
        family = random_interventions(model, 60, kinds=KINDS)
        assert {type(one) for do in family for one in do} == {*KINDS}
        for do in family:
            model.do(*do)


def test_nothing_is_added_to_what_an_equation_gives() -> None:
    family = random_interventions(STRUCTURAL, 80, kinds=KINDS)
    assert {type(one) for do in family for one in do if getattr(one, "name", "") == "z"} == {Hold}


def test_the_search_draws_all_kinds_that_both_models_can_perform() -> None:
    def kinds(square: Abstraction) -> set[type]:
        report = square.search(30, n=60)
        return {type(one) for row in report.rows for one in row.do}

    assert kinds(Abstraction(STRUCTURAL, STRUCTURAL)) == {*KINDS}
    assert kinds(Abstraction(PREY, equilibrium_model(PREY))) == {*KINDS} - {ScaleNoise}


def test_values_that_print_alike_are_trials_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    close = [(Hold("y", 0.25 + k * 1e-9),) for k in range(6)]
    monkeypatch.setattr(search, "random_interventions", lambda *_, **__: close)
    assert len(Abstraction(PREY, equilibrium_model(PREY)).search(6).rows) == 7


def test_models_that_share_no_intervention_are_an_error() -> None:
    total = Abstraction(PREY, SCM({"all": "x0"}, {"x0": 1}), {"all": "x + y"})
    with pytest.raises(InvalidValue, match="none can be performed by both models"):
        total.search(5)


def test_a_kind_that_is_none_is_an_error() -> None:
    with pytest.raises(InvalidValue, match="kinds has `'Hold'`; give some of Hold, SetParameter"):
        random_interventions(PREY, 3, kinds=["Hold"])  # type: ignore[list-item]


# Disagreement that is planted.

NOISE = {name: Normal(0, 1) for name in "efg"}
PLAIN = SCM({"x": "e", "y": "x + f", "z": "y + g"}, NOISE)


def test_the_search_goes_where_the_same_draws_differ_and_not_where_chance_makes_laws_look_apart():
    beyond = PLAIN.replace(mechanisms={**PLAIN.mechanisms, "y": "x + f if x < 3 else x + f + 2"})
    report = Abstraction(beyond, PLAIN).search(30, most=1, n=100, seed=3)
    assert report.rows[0].agree
    assert not report.rows[1].agree
    assert "x" in str(report.rows[1].intervention)


def test_the_search_finds_a_difference_that_no_random_intervention_meets():
    """Only where |x - 0.7| < 0.05 does z jump: in 3 of 100 samples, and under do(x = 0.7)."""
    narrow = "y + g + (5 if abs(x - 0.7) < 0.05 else 0)"
    needle = PLAIN.replace(mechanisms={**PLAIN.mechanisms, "z": narrow})
    report = Abstraction(needle, PLAIN).search(20, most=1, n=100)
    assert report.rows[0].agree
    assert "with the same draws" in words.why(report.rows[0].outcome)
    worst = report.rows[1]
    assert not worst.agree
    (held,) = worst.do
    assert isinstance(held, Hold)
    assert held.name == "x"
    assert abs(held.value - 0.7) < 0.05


def test_models_that_share_no_draws_are_not_said_to_differ_in_some():
    other = SCM({"x": "u", "y": "x + v", "z": "y + w"}, {name: Normal(0, 1) for name in "uvw"})
    report = Abstraction(PLAIN, other).commutes([Hold("x", 1)], n=100)
    assert report.all_agree
    assert "with the same draws" not in report.verdict


def test_laws_are_told_apart_at_a_level_for_all_rounds_of_a_search_together():
    other = SCM({"x": "u", "y": "x + v", "z": "y + w"}, {name: Normal(0, 1) for name in "uvw"})
    rows = Abstraction(PLAIN, other).search(12, n=60).rows
    outcomes = [row.outcome for row in rows if isinstance(row.outcome, PopulationOutcome)]
    assert [one.tests for one in outcomes] == 13 * [13]
    assert [one.p_value for one in outcomes] == holm([one.raw_p_value for one in outcomes])
