"""Interventions over time: what each does, when, and the laws that all obey."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.mechanism import (
    Hold,
    Impulse,
    Infeasible,
    Intervention,
    InvalidValue,
    Normal,
    PhyscmError,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
    UnknownVariable,
    Unsupported,
    When,
    sampled,
)
from physcm.mechanism.interventions import label
from physcm.sim import Event, System, equilibria, settle, simulate

CHAIN = System(
    {"x": "-k*x + 1", "y": "x - y", "z": "y**2 - 2*z"},
    parameters={"k": 0.5},
    initial={"x": 0.2, "y": 1, "z": 0},
    algebraic={"total": "x + y + z"},
)
NOISY = CHAIN.replace(noise={"x": "0.3", ("y", "x"): "0.2*y", "z": "0.1"})
BALL = System({"h": "v", "v": "-9.81"}, initial={"h": 1, "v": 0})
TIMES = np.linspace(0, 4, 17)


def run(system: System, times: Any = TIMES, **options: Any) -> xr.Dataset:
    if system.noise:
        options = {"step": 0.125, "engine": "euler-maruyama", "n": 2, **options}
    return simulate(system, times, **options)


def same(a: xr.Dataset, b: xr.Dataset, names: Any = ("x", "y", "z", "total")) -> None:
    for name in names:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-6, atol=1e-8, err_msg=name)


# Kinds


def test_a_window_holds_inside_and_releases_where_it_held() -> None:
    data = run(System({"x": "-x"}, initial={"x": 1}).do(Hold("x", 2, during=(1, 3))))
    t = data.time.values
    expected = np.where(t < 1, np.exp(-t), np.where(t < 3, 2, 2 * np.exp(3 - t)))
    np.testing.assert_allclose(data.x[0], expected, rtol=1e-7)


def test_the_value_saved_at_an_instant_is_the_one_after_and_the_one_before_is_kept() -> None:
    data = run(System({"x": "0"}, initial={"x": 1}).do(Impulse("x", 5, at=2)), [0, 2, 4])
    assert data.x[0].values.tolist() == [1, 6, 6]
    assert data.instant_time.values.tolist() == [[2]]
    assert (data["before(x)"].item(), data["after(x)"].item()) == (1, 6)


def test_derived_variables_see_an_intervention_at_once() -> None:
    data = run(CHAIN.do(Hold("y", 7, during=(1, 2))), [0, 1, 2])
    np.testing.assert_allclose(data.total, data.x + data.y + data.z)
    assert data.y[0, 1] == 7


def test_a_hold_follows_a_trajectory_and_other_variables() -> None:
    data = run(CHAIN.do(Hold("x", "sin(t)", during=(1, 3)), Hold("z", "2*x", during=(2, 4))))
    t, inside = data.time.values, slice(4, 12)
    np.testing.assert_allclose(data.x[0, inside], np.sin(t[inside]))
    np.testing.assert_allclose(data.z[0, 8:16], 2 * data.x[0, 8:16])


def test_a_hold_follows_a_sampled_trajectory() -> None:
    times = np.linspace(1, 3, 41)
    x = np.sin(3 * times)
    data = run(CHAIN.do(Hold("x", sampled(times, x), during=(1, 3))), times)
    np.testing.assert_allclose(data.x[0, :-1], x[:-1], atol=1e-12)
    exact = run(CHAIN.do(Hold("x", "sin(3*t)", during=(1, 3))), times)
    np.testing.assert_allclose(data.y, exact.y, atol=1e-3)


def test_a_hold_takes_one_value_per_sample_or_draws_it() -> None:
    given_ = run(CHAIN.do(Hold("x", [1.0, 3.0], during=(1, 2))), [0, 1], n=2)
    assert given_.x[:, 1].values.tolist() == [1, 3]
    drawn = run(CHAIN.do(Hold("x", Normal(0, 1), during=(1, 2))), [0, 1], n=3)
    assert len(set(drawn.x[:, 1].values.tolist())) == 3
    np.testing.assert_array_equal(drawn["do(x)"], drawn.x[:, 1])


def test_a_shift_adds_a_force_while_it_acts() -> None:
    data = run(
        System({"x": "0"}, initial={"x": 0}).do(Shift("x", 2, during=(1, 3))), [0, 1, 2, 3, 4]
    )
    np.testing.assert_allclose(data.x[0], [0, 0, 2, 4, 4], atol=1e-9)


def test_shifts_and_factors_add_up() -> None:
    system = System({"x": "1"}, initial={"x": 0}, noise={"x": 1})
    twice = system.do(
        Shift("x", 1), Shift("x", 2), Shift("x", 4, during=(0, 1)), ScaleNoise("x", 0)
    )
    assert simulate(twice, [0, 1, 2], step=0.5).x[0].values == pytest.approx([0, 8, 12])
    halved = system.do(ScaleNoise("x", 0.5), ScaleNoise("x", [0.5, 0.25]))
    free = simulate(system, [0, 1], n=2, step=0.5).x[:, 1] - 1
    done = simulate(halved, [0, 1], n=2, step=0.5).x[:, 1] - 1
    np.testing.assert_allclose(done, free * [0.25, 0.125])


def test_a_parameter_changes_in_a_window() -> None:
    system = System({"x": "k"}, parameters={"k": 1}, initial={"x": 0})
    data = run(system.do(SetParameter(k=3, during=(1, 2))), [0, 1, 2, 3])
    np.testing.assert_allclose(data.x[0], [0, 1, 4, 5], atol=1e-8)


@pytest.mark.parametrize("engine", ["numba", "scipy"])
def test_a_window_leaves_alone_what_reads_the_initial_value(engine: str) -> None:
    system = System({"x": "0", "z": "c"}, parameters={"c": "2*x(0)"}, initial={"x": 1, "z": 0})
    data = simulate(system.do(Hold("x", 5, during=(1, 2))), [0, 1, 2, 3], engine=engine)
    np.testing.assert_allclose(data.z[0], [0, 2, 4, 6])


@pytest.mark.parametrize("engine", ["numba", "scipy"])
def test_in_a_window_a_variable_can_be_held_at_one_that_began_from_it(engine: str) -> None:
    system = System({"x": "-x", "y": "0"}, initial={"x": 1, "y": "x(0) + 1"})
    data = simulate(system.do(Hold("x", "y/2", during=(1, 2))), [0, 1, 2], engine=engine)
    np.testing.assert_allclose(data.x[0], [1, 1, 1])
    np.testing.assert_allclose(data.y[0], [2, 2, 2])


def test_a_hold_at_all_times_is_what_reads_the_initial_value() -> None:
    system = System({"x": "0", "z": "c"}, parameters={"c": "2*x(0)"}, initial={"x": 1, "z": 0})
    np.testing.assert_allclose(run(system.do(x=5), [0, 1, 2]).z[0], [0, 10, 20])


def test_a_parameter_called_during_can_be_set() -> None:
    system = System({"x": "during"}, parameters={"during": 1}, initial={"x": 0})
    assert run(system.do(SetParameter({"during": 2})), [0, 1]).x[0, 1] == pytest.approx(2)


def test_a_mechanism_is_replaced_in_a_window() -> None:
    system = System({"x": "1"}, initial={"x": 0}, algebraic={"d": "2*x"})
    data = run(
        system.do(Replace("x", "-1", during=(1, 2)), Replace("d", "x", during=(1, 2))), [0, 1, 2]
    )
    np.testing.assert_allclose(data.x[0], [0, 1, 0], atol=1e-8)
    np.testing.assert_allclose(data.d[0], [0, 1, 0], atol=1e-8)


def test_scaling_noise_to_zero_leaves_the_drift() -> None:
    quiet = run(
        NOISY.do(ScaleNoise("x", 0), ScaleNoise("y", 0), ScaleNoise("z", 0)), n=1, step=1e-3
    )
    np.testing.assert_allclose(quiet.x, run(CHAIN).x, atol=2e-3)


def test_window_ends_may_be_parameters_that_differ_between_samples() -> None:
    system = System({"x": "1"}, parameters={"stop": (1.0, 2.0)}, initial={"x": 0})
    data = run(system.do(Hold("x", 0, during=(0, "stop"))), [0, 1, 2, 3], n=2)
    np.testing.assert_allclose(data.x, [[0, 0, 1, 2], [0, 0, 0, 1]], atol=1e-8)


def test_holding_a_velocity_in_a_window_stops_the_position_where_it_is() -> None:
    mass = System({"q": "p", "p": "-q"}, initial={"q": 0, "p": 1}, held_together=[("q", "p")])
    data = run(mass.do(Hold("p", 0, during=(1, 2))), [0, 1, 1.5, 2])
    np.testing.assert_allclose(data.q[0, 1:], np.sin(1), rtol=1e-6)
    assert (data.p[0, 1:] == 0).all()


# Triggers


def test_a_trigger_is_located_to_rounding() -> None:
    data = run(BALL.do(When("h < 0", Impulse("v", "-2*v"))), [0, 1])
    assert data.instant_time.values[0, 0] == pytest.approx(np.sqrt(2 / 9.81), rel=1e-9)


def test_a_trigger_fires_once_unless_it_is_armed_again() -> None:
    times = np.linspace(0, 20, 201)
    counter = System({"x": "cos(t)", "n": "0"}, initial={"x": 0, "n": 0})
    for rearm, count in ((None, 1), (0, 4), ("x < -0.5", 4), (2, 1)):
        system = counter.do(When("x > 0.5", Impulse("n", 1), rearm=rearm))
        assert run(system, times).n[0, -1] == count, rearm


def test_directions_tell_rising_from_falling() -> None:
    counter = System({"x": "cos(t)", "n": "0"}, initial={"x": 0, "n": 0})
    found = {
        direction: run(
            counter.do(When("x - 0.5", Impulse("n", 1), direction=direction, rearm=0)), [0, 7]
        )
        for direction in ("up", "down", "both")
    }
    assert {k: float(v.n[0, -1]) for k, v in found.items()} == {"up": 2, "down": 1, "both": 3}
    assert found["down"].instant_time.values[0, 0] == pytest.approx(5 * np.pi / 6)


def test_hysteresis_ignores_what_stays_within_its_band() -> None:
    counter = System({"x": "cos(t)", "n": "0"}, initial={"x": 0, "n": 0})
    times = [0, 20]
    narrow = run(counter.do(When("x > 0", Impulse("n", 1), rearm=0.9)), times)
    wide = run(counter.do(When("x > 0", Impulse("n", 1), rearm=1.1)), times)
    assert (narrow.n[0, -1], wide.n[0, -1]) == (4, 1)


def test_a_window_inside_when_counts_from_the_instant() -> None:
    system = System({"x": "1"}, initial={"x": 0})
    data = run(system.do(When("x > 1", Hold("x", 5, during=(0.5, 1)))), [0, 1.25, 1.75, 3])
    np.testing.assert_allclose(data.x[0], [0, 1.25, 5, 6], rtol=1e-7)


def test_a_condition_that_holds_at_the_start_has_to_turn_true_anew() -> None:
    data = run(System({"x": "1"}, initial={"x": 3}).do(When("x > 1", Impulse("x", 9))), [0, 1])
    assert data.x[0, -1] == pytest.approx(4)


def test_rounding_at_the_threshold_fires_no_trigger() -> None:
    counter = System({"x": "-1", "n": "0"}, initial={"x": 1, "n": 0})
    for condition in ("x >= 1", "x > 1"):
        done = counter.do(When(condition, Impulse("n", 1), rearm=0))
        assert run(done, [0, 1]).n[0, -1] == 0


def test_a_condition_that_holds_for_a_moment_only_is_seen() -> None:
    counter = System({"x": "1", "n": "0"}, initial={"x": 0, "n": 0})
    moment = When("x > 5 and x < 5.001", Impulse("n", 1))
    assert run(counter.do(moment), [0, 100]).n[0, -1] == 1


def test_a_late_event_acts_with_the_values_of_its_trigger_or_of_its_time() -> None:
    for at_trigger, expected in ((True, 1), (False, 3)):
        event = Event("x >= 1", {"y": "x"}, delay=2, at_trigger=at_trigger)
        system = System({"x": "1", "y": "0"}, initial={"x": 0, "y": 0}, events={"e": event})
        assert run(system, [0, 2.9, 3.1]).y[0].values == pytest.approx([0, 0, expected])


# Order


def test_of_two_holds_the_later_in_order_wins_and_the_earlier_has_it_back() -> None:
    system = System({"x": "0"}, initial={"x": 0})
    done = system.do(Hold("x", 1, during=(0, 4)), Hold("x", 2, during=(1, 2)))
    assert run(done, [0, 1, 2, 3]).x[0].values.tolist() == [1, 2, 1, 1]
    other = system.do(Hold("x", 2, during=(1, 2)), Hold("x", 1, during=(0, 4)))
    assert run(other, [0, 1, 2, 3]).x[0].values.tolist() == [1, 1, 1, 1]


def test_impulses_at_one_time_are_done_in_order() -> None:
    system = System({"x": "0"}, initial={"x": 1})
    double, add = Impulse("x", "x", at=1), Impulse("x", 1, at=1)
    assert run(system.do(double, add), [0, 1]).x[0, 1] == 3
    assert run(system.do(add, double), [0, 1]).x[0, 1] == 4


def test_events_at_one_time_are_done_by_priority() -> None:
    events = {
        "low": Event("t >= 1", {"x": "2*x"}, priority=1, at_trigger=False),
        "high": Event("t >= 1", {"x": "x + 1"}, priority=2, at_trigger=False),
    }
    system = System({"x": "0"}, initial={"x": 1}, events=events)
    assert run(system, [0, 1]).x[0, 1] == 4


# Laws

numbers = st.floats(-2, 2).map(lambda x: round(x, 3))
windows = st.tuples(st.floats(0.1, 1.9), st.floats(2, 3.9)).map(
    lambda w: (round(w[0], 2), round(w[1], 2))
)


def interventions(name: str, parameter: str = "") -> st.SearchStrategy[Intervention]:
    during = st.none() | windows
    kinds = [
        st.builds(Hold, st.just(name), numbers, during=during),
        st.builds(Shift, st.just(name), numbers, during=during),
        st.builds(Replace, st.just(name), st.just(f"1 - {name}"), during=during),
        st.builds(Impulse, st.just(name), numbers, at=st.floats(0.1, 3.9)),
    ]
    return st.one_of(kinds)


@pytest.mark.parametrize("system", [CHAIN, NOISY], ids=["ode", "sde"])
@settings(max_examples=8)
@given(interventions("x"), interventions("y"), interventions("z"))
def test_interventions_on_disjoint_targets_commute(
    system: System, a: Intervention, b: Intervention, c: Intervention
) -> None:
    first, *others = (run(system.do(*order)) for order in permutations((a, b, c)))
    for other in others[:2]:
        same(first, other)


@settings(max_examples=8)
@given(interventions("x"), interventions("x"), interventions("y"))
def test_doing_one_after_the_other_is_doing_both(
    a: Intervention, b: Intervention, c: Intervention
) -> None:
    same(run(CHAIN.do(a, b, c)), run(CHAIN.do(a).do(b).do(c)))


@pytest.mark.parametrize("system", [CHAIN, NOISY], ids=["ode", "sde"])
@settings(max_examples=8)
@given(numbers, numbers, windows)
def test_the_later_of_two_holds_wins(
    system: System, a: float, b: float, window: tuple[float, float]
) -> None:
    both = run(system.do(Hold("x", a, during=window), Hold("x", b, during=window)))
    same(both, run(system.do(Hold("x", b, during=window))))


@pytest.mark.parametrize("system", [CHAIN, NOISY], ids=["ode", "sde"])
@settings(max_examples=8)
@given(numbers.filter(lambda v: abs(v) > 0.1), windows)
def test_nothing_differs_before_a_window_and_something_after(
    system: System, amount: float, window: tuple[float, float]
) -> None:
    begin, end = (round(8 * edge) / 8 for edge in window)  # on the grid of the noise
    free, done = run(system), run(system.do(Shift("y", amount, during=(begin, end))))
    before, after = begin > TIMES, end < TIMES
    np.testing.assert_allclose(done.y[:, before], free.y[:, before], rtol=1e-7, atol=1e-9)
    assert (abs(done.y - free.y)[:, after] > 1e-6).all()
    np.testing.assert_allclose(done.x, free.x, rtol=1e-6, atol=1e-8)


@settings(max_examples=10)
@given(numbers, st.sampled_from(["0", "5*x", "-y"]), st.floats(0, 3))
def test_the_mechanism_and_noise_of_a_held_variable_have_no_influence(
    value: float, mechanism: str, factor: float
) -> None:
    changed = NOISY.do(Replace("x", mechanism), ScaleNoise("x", factor)).do(x=value)
    same(run(changed), run(NOISY.do(x=value)))


def test_a_hold_for_all_time_is_a_window_without_end() -> None:
    forever = run(NOISY.do(Hold("x", 1.5)), engine="euler-maruyama")
    window = run(NOISY.do(Hold("x", 1.5, during=(0, np.inf))), engine="euler-maruyama")
    same(forever, window)


def test_noise_is_shared_with_the_observational_run_sample_by_sample() -> None:
    free, done = run(NOISY), run(NOISY.do(Hold("z", 3, during=(1, 2))))
    np.testing.assert_allclose(free.x, done.x, rtol=1e-12)
    np.testing.assert_allclose(free.y, done.y, rtol=1e-12)


# Files and refusals


def test_a_schedule_survives_toml(tmp_path: Path) -> None:
    system = NOISY.do(
        Hold("x", Normal(0, 1), during=(1, "2*k")),
        Shift("y", "sin(t)", during=(0, 2)),
        ScaleNoise("z", [1.0, 2.0], during=(1, 3)),
        Replace("y", "-y", during=(1, np.inf)),
        SetParameter({"k": 2.0}, during=(1, 2)),
        Impulse("z", "-z/2", at=3),
        When("x > 1", Hold("z", 1, during=(0, 1)), rearm=0.5, direction="both"),
        Hold("x", 3),
    )
    system.to_toml(tmp_path / "system.toml")
    assert System.from_toml(tmp_path / "system.toml") == system


@pytest.mark.parametrize(
    ("do", "error", "message"),
    [
        (Hold("w", 1, during=(0, 1)), UnknownVariable, "`w` is no variable of the system"),
        (Hold("x", 1, during=(2, 1)), InvalidValue, r"during is `\(2, 1\)`; the window must end"),
        (Hold("x", 1, during=3), InvalidValue, "during is `3`; give the two ends"),
        (Hold("x", 1, during=(0, "q")), UnknownVariable, "unknown name `q`"),
        (Impulse("total", 1, at=2), UnknownVariable, "impulse on `total`, which is no state"),
        (Impulse("x", 1), InvalidValue, "impulse on `x` has no time; give `at`"),
        (ScaleNoise("x", 2), InvalidValue, "`x` has no noise to scale"),
        (Shift("k", 1), InvalidValue, "`k` is a parameter, not a variable; use SetParameter"),
        (Hold("total", 1), InvalidValue, "`total` is derived from `x`, `y`, `z`"),
        (SetParameter(q=1, during=(0, 1)), UnknownVariable, "`q` is no parameter"),
        (SetParameter(k="x"), InvalidValue, "`k` cannot be `x`, since `x` changes with time"),
        (SetParameter(k="x", during=(0, 1)), InvalidValue, "`k` cannot be `x`, since `x` changes"),
        (SetParameter(k=np.nan), InvalidValue, "parameter `k`: `nan` is not a finite number"),
        (Hold(3, 1), InvalidValue, "`3` is no name; hold a variable by its name"),  # type: ignore[arg-type]
        (Hold("x", 1, during=(np.int64(2), np.int64(1))), InvalidValue, "must end after it begins"),
        (Hold("x", 1, during=(0, np.nan)), InvalidValue, "give two times"),
        (Hold("x", [1, np.nan]), InvalidValue, "sample 1: `nan` is not a finite number"),
        (Shift("x", np.inf), InvalidValue, r"shift\(x\): `inf` is not a finite number"),
        (Impulse("x", 1, at=np.nan), InvalidValue, "impulse on `x` at `nan`; give a finite time"),
        (Impulse("x", np.nan, at=1), InvalidValue, "impulse on `x`: `nan` is not a finite"),
        (When("1 > 0", Hold("x", 1)), InvalidValue, "When `1 > 0`: it never changes"),
        (When("x > 1", Hold("x", 1), rearm=np.nan), InvalidValue, "rearm is `nan`"),
        (When("x > 1", Hold("x", 1, during=(2, 1))), InvalidValue, "must end after it begins"),
        (When("w > 1", Hold("x", 1)), UnknownVariable, "unknown name `w`"),
        (When("x > 1", Hold("x", 1), rearm=-1), InvalidValue, "rearm is `-1`"),
        (When("x>1 and y>1", Hold("x", 1), rearm=2), InvalidValue, "no single quantity"),
    ],
)
def test_an_intervention_that_makes_no_sense_is_refused(
    do: Intervention, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        CHAIN.do(do)


def test_a_trigger_takes_no_trigger_and_no_time() -> None:
    with pytest.raises(InvalidValue, match="cannot be triggered"):
        When("x > 1", When("y > 1", Hold("x", 1)))
    with pytest.raises(InvalidValue, match="has a time of its own; leave out `at`"):
        When("x > 1", Impulse("x", 1, at=2))
    with pytest.raises(InvalidValue, match="direction is `left`"):
        When("x > 1", Hold("x", 1), direction="left")


@pytest.mark.parametrize("factor", [-1, np.int64(-1), "-1", [1.0, -1.0], Normal(-5, 0.1)])
@pytest.mark.parametrize("during", [None, (0, 1)])
def test_noise_has_no_negative_scale(factor: Any, during: Any) -> None:
    with pytest.raises(InvalidValue, match=r"`scale\(x\)` is `-.*`; give a factor of at least 0"):
        run(NOISY.do(ScaleNoise("x", factor, during=during)))


@pytest.mark.parametrize("system", [CHAIN, NOISY], ids=["ode", "sde"])
@pytest.mark.parametrize("wrap", [lambda hold: hold, lambda hold: When("x > 1", hold)])
def test_a_window_whose_ends_are_computed_must_end_after_it_begins(system: Any, wrap: Any) -> None:
    done = system.replace(parameters={"k": [0.5, -0.5]}).do(wrap(Hold("y", 1, during=("k", "2*k"))))
    with pytest.raises(InvalidValue, match=r"during is `\(-0.5, -1.0\)` in sample 1; the window"):
        run(done, n=2)


@pytest.mark.parametrize("system", [CHAIN, NOISY], ids=["ode", "sde"])
def test_an_impulse_before_the_run_begins_is_an_error_and_one_after_its_end_has_not_come(
    system: System,
) -> None:
    done = system.do(Impulse("y", 1, at=2))
    with pytest.raises(InvalidValue, match="impulse on `y` at `2.0` is before the run, which beg"):
        run(done, [3, 4])
    same(run(done, [0, 1]), run(system, [0, 1]))


def test_values_per_sample_must_be_as_many_as_there_are_samples() -> None:
    with pytest.raises(InvalidValue, match=r"`do\(x\)` has values for 2 samples, but sample 2"):
        run(CHAIN.do(Hold("x", [1.0, 2.0], during=(0, 1))), n=3)


@pytest.mark.parametrize(
    ("system", "name"),
    [
        (CHAIN.do(x=[1, 2, 3]), "do(x)"),
        (CHAIN.do(Shift("x", [1, 2, 3], during=(0, 1))), "shift(x)"),
        (CHAIN.do(Impulse("x", [1, 2, 3], at=1)), "impulse(x)"),
        (CHAIN.do(When("x > 1", SetParameter(k=[1, 2, 3]))), "k"),
        (CHAIN.replace(initial={"x": [1, 2, 3], "y": 0, "z": 0}), "x(0)"),
    ],
)
def test_more_values_than_samples_are_refused(system: System, name: str) -> None:
    with pytest.raises(
        InvalidValue, match=rf"`{re.escape(name)}` has values for 3 samples, and n is 2"
    ):
        run(system, n=2)


def test_a_bound_is_respected_in_a_window() -> None:
    tank = System({"h": "-h"}, initial={"h": 1}, bounds={"h": (0, np.inf)})
    with pytest.raises(Infeasible, match="`h` cannot be held at `-1"):
        tank.do(Hold("h", -1, during=(0, 1)))


@pytest.mark.parametrize("verb", [settle, equilibria])
def test_equilibria_are_refused_where_something_happens_at_once(verb: Any) -> None:
    with pytest.raises(Unsupported, match="the system has interventions over time"):
        verb(CHAIN.do(Hold("x", 1, during=(0, 1))))


def test_events_that_trigger_each_other_for_ever_are_an_error() -> None:
    events = {
        "up": Event("x > 0", {"x": -1}),
        "down": Event("x < 0", {"x": 1}),
    }
    system = System({"x": "1"}, initial={"x": 0}, events=events)
    with pytest.raises(PhyscmError, match="trigger each other without end"):
        run(system, [0, 1])


def test_labels_read_like_the_field_writes() -> None:
    shown = [
        Shift("x", 1.0, during=(0, 2)),
        ScaleNoise("x", 0),
        Replace("x", "-x"),
        SetParameter(k=2),
        Impulse("x", 1, at=3),
        When("x > 1", Hold("y", 2)),
    ]
    assert list(map(label, shown)) == [
        "f_x += 1 for t in [0, 2)",
        "noise of x times 0",
        "f_x := -x",
        "k = 2",
        "x += 1 at t = 3",
        "when x > 1: do(y = 2)",
    ]
