"""Events: when conditions of every form turn true, and what they do then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from physcm.mechanism import InvalidValue
from physcm.sim import Event, System, simulate

TIMES = np.linspace(0, 10, 11)
RISING = System({"x": "1", "n": "0"}, initial={"x": 0, "n": 0})

TURNS = {
    "t == 5.3": [5.3],
    "t >= 5 and t <= 5": [5],
    "x == 5": [5],
    "not (x != 5)": [5],
    "mod(floor(t), 2) > 0.5": [1, 3, 5, 7, 9],
    "where(x > 2, 1, 0) + where(x > 3, 1, 0) > 1.5": [3],
    "where(where(x > 2, t, -1) > 2.5, 1, 0) == 1": [2.5],
    "sin(10*t) > 0.999": [(np.pi / 2 - np.arccos(0.999) + 2 * np.pi * k) / 10 for k in range(16)],
    "t > 7.001 and t < 7.002": [7.001],
}


@pytest.mark.parametrize("condition", TURNS)
def test_an_event_happens_each_time_that_its_condition_turns_true(condition: str) -> None:
    run = simulate(RISING.replace(events={"e": Event(condition, {"n": "n + 1"})}), TIMES)
    np.testing.assert_allclose(run.instant_time[0], TURNS[condition], rtol=1e-6)
    assert run.n[0, -1] == len(TURNS[condition])


def test_no_time_is_stepped_over_by_a_step_with_fewer_numbers_in_it() -> None:
    times = tuple(np.random.default_rng(0).uniform(0.1, 9.9, 200))
    alarm = Event("t == alarm", {"n": "n + 1"})
    run = simulate(RISING.replace(parameters={"alarm": times}, events={"e": alarm}), TIMES, n=200)
    assert (run.n[:, -1] == 1).all()


CHOICES = [
    "where(where(x > 0.5, 1, -1)*x > 0.5, 1, 0)",
    "where(mod(floor(t), 2) > 0.5, 1, 0)",
    "where(where(x > 1, x, where(t > 1, 2, 3)) >= 2, 1, -1)",
]


@pytest.mark.parametrize("choice", CHOICES)
def test_a_choice_that_compares_choices_is_written_and_read_back(
    choice: str, tmp_path: Path
) -> None:
    system = System({"x": choice}, initial={"x": 0.4}, events={"e": Event(f"{choice} > 0", {})})
    system.to_toml(tmp_path / "model.toml")
    assert System.from_toml(tmp_path / "model.toml") == system


def test_a_choice_that_compares_a_derived_choice_is_simulated() -> None:
    square = System(
        {"x": "where(w > 0.5, 1, 0)"},
        initial={"x": 0},
        algebraic={"w": "where(t > 2 and t < 5, 1, 0)"},
    )
    np.testing.assert_allclose(simulate(square, [0, 2, 4, 9]).x[0], [0, 0, 2, 3], atol=1e-6)


def test_a_delay_below_zero_is_refused() -> None:
    early = Event("x > 1", {"x": "0"}, delay=-1)
    with pytest.raises(InvalidValue, match="event `reset`, delay is `-1`; give a time of at least"):
        System({"x": "1"}, initial={"x": 0}, events={"reset": early})
