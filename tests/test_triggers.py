"""Triggered interventions against closed forms: relays, bounces, spikes and doses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from physcm.mechanism import (
    Hold,
    Impulse,
    Intervention,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
    When,
)
from physcm.sim import System, simulate
from physcm.sim.status import RunStatus

BALL = System({"h": "v", "v": "-10"}, initial={"h": 5, "v": 0})
# A room at temperature T between 5 outside and 35 with the heater on, both with time constant 10.
ROOM = System(
    {"T": "-(T - 5)/10 + 3*u"},
    parameters={"u": 1},
    initial={"T": 10},
    algebraic={"power": "3*u"},
)
SWINGS = 10 * math.log(16 / 14)  # from 21 down to 19, and as long up again


def relay(off: Intervention, on: Intervention) -> tuple[When, When]:
    return When("T > 21", off, rearm=1), When("T < 19", on, rearm=1)


def test_a_thermostat_switches_for_ever_at_the_times_of_the_closed_form() -> None:
    room = ROOM.do(*relay(SetParameter(u=0), SetParameter(u=1)))
    run = simulate(room, np.linspace(0, 60, 121))
    first = 10 * math.log((35 - 10) / (35 - 21))
    expected = first + SWINGS * np.arange(run.sizes["instant"])
    np.testing.assert_allclose(run.instant_time[0], expected, rtol=1e-6)
    assert run.sizes["instant"] == 1 + math.floor((60 - first) / SWINGS)
    assert set(run["after(power)"].values.ravel().tolist()) == {0, 3}


@pytest.mark.parametrize(
    ("off", "on"),
    [
        (Replace("T", "-(T - 5)/10"), Replace("T", "-(T - 5)/10 + 3")),
        (Hold("power", 0), Hold("power", 3)),
    ],
)
def test_a_relay_of_any_kind_of_intervention_is_the_same_relay(
    off: Intervention, on: Intervention
) -> None:
    room = ROOM.replace(drift={"T": "-(T - 5)/10 + power"})
    runs = [
        simulate(room.do(*relay(*pair)), [0, 60])
        for pair in ((SetParameter(u=0), SetParameter(u=1)), (off, on))
    ]
    np.testing.assert_allclose(runs[0].instant_time, runs[1].instant_time, rtol=1e-7)


def test_a_relay_works_beside_interventions_on_other_targets_and_under_a_later_one() -> None:
    off, on = relay(SetParameter(u=0), SetParameter(u=1))
    alone = simulate(ROOM.do(off, on), [0, 30])
    beside = simulate(ROOM.do(off, Shift("T", 0, during=(1, 2)), on), [0, 30])
    np.testing.assert_allclose(
        alone.instant_time[0], np.setdiff1d(beside.instant_time, [1, 2]), rtol=1e-7
    )
    under = simulate(ROOM.do(off, on, SetParameter(u=1, during=(10, 99))), [0, 10, 30])
    assert under["T"][0, 2] == pytest.approx(35 - (35 - float(under["T"][0, 1])) * math.exp(-2))


def test_a_noisy_thermostat_keeps_within_its_band() -> None:
    room = ROOM.replace(noise={"T": 0.05}).do(*relay(SetParameter(u=0), SetParameter(u=1)))
    run = simulate(room, np.linspace(10, 60, 101), n=2, step=0.1)
    assert run["T"][:, 20:].min() > 18.9
    assert run["T"][:, 20:].max() < 21.1
    assert (run.instant_time.notnull().sum("instant") > 20).all()


def test_a_relay_oscillator_has_the_period_of_the_closed_form() -> None:
    """X' = -X + U with U switched at X = +-1/2 between -1 and 1 has the period 2 log 3."""
    system = System({"x": "-x + u"}, parameters={"u": 1}, initial={"x": 0})
    switched = system.do(
        When("x - 0.5", SetParameter(u=-1), rearm=0.2),
        When("x + 0.5", SetParameter(u=1), direction="down", rearm=0.2),
    )
    times = simulate(switched, [0, 30]).instant_time.values[0]
    np.testing.assert_allclose(np.diff(times), math.log(3), rtol=1e-7)


def test_a_bouncing_ball_bounces_when_the_closed_form_says() -> None:
    """It falls for 1, then flies for 2 e^k: 1.6, 1.28, ..."""
    run = simulate(BALL.do(When("h < 0", Impulse("v", "-1.8*v"), rearm=0)), [0, 8])
    expected = np.cumsum([1, *(2 * 0.8**k for k in range(1, 50))])
    np.testing.assert_allclose(run.instant_time[0], expected[expected < 8], rtol=1e-7)


@pytest.mark.parametrize("restitution", [0.9, 0.5, 0.1, 0.02])
def test_a_ball_that_comes_to_rest_ends_the_run_and_does_not_fall_through_the_floor(
    restitution: float,
) -> None:
    bounce = When("h < 0", Impulse("v", f"-(1 + {restitution})*v"), rearm=0)
    rest = 1 + 2 * restitution / (1 - restitution)
    run = simulate(BALL.do(bounce), [0, rest / 2, 2 * rest, 40])
    assert run.status.item() == RunStatus.STEP_LIMIT
    assert np.isnan(run.h[0, 2:]).all()
    assert "something happens again and again without end" in run.attrs["trouble"]
    assert run.instant_time[0, -1] == pytest.approx(rest, rel=1e-3)


def test_a_neuron_that_integrates_and_fires_has_its_period() -> None:
    """V' = I - V from 0 to the threshold 1 takes log(I/(I - 1))."""
    neuron = System({"V": "I - V"}, parameters={"I": (1.5, 3.0)}, initial={"V": 0})
    run = simulate(neuron.do(When("V > 1", Impulse("V", "-V"), rearm=0)), [0, 9], n=2)
    for current, times in zip((1.5, 3.0), run.instant_time.values, strict=True):
        period = math.log(current / (current - 1))
        times = times[np.isfinite(times)]
        np.testing.assert_allclose(times, period * np.arange(1, times.size + 1), rtol=1e-6)


def test_doses_add_up_to_the_steady_state_of_the_closed_form() -> None:
    """Bolus doses D every tau: just after the n-th the amount is D (1 - q^n)/(1 - q)."""
    doses = [Impulse("A", 100, at=6.0 * n) for n in range(40)]
    run = simulate(
        System({"A": "-k*A"}, parameters={"k": 0.2}, initial={"A": 0}).do(*doses), [0, 240]
    )
    q = math.exp(-0.2 * 6)
    expected = 100 * (1 - q ** np.arange(1, 41)) / (1 - q)
    np.testing.assert_allclose(run["after(A)"][0], expected, rtol=1e-7)
    np.testing.assert_allclose(run["before(A)"][0], expected - 100, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("noise", [{}, {"x": 0}], ids=["ode", "sde"])
@pytest.mark.parametrize(
    ("direction", "times"), [("up", [3.5]), ("down", [0.5, 4.5]), ("both", [0.5, 3.5, 4.5])]
)
def test_directions_hold_on_odes_and_sdes(noise: Any, direction: str, times: list[float]) -> None:
    """X goes down through 0, up through it, and down again, along straight lines."""
    line = "where(t < 2, -1, where(t < 4, 1, -1))"
    system = System({"x": line, "n": "0"}, initial={"x": 0.5, "n": 0}, noise=noise)
    fire = When("x", Impulse("n", 1), direction=direction, rearm=0)
    run = simulate(system.do(fire), [0, 8], step=0.125)
    np.testing.assert_allclose(run.instant_time[0], times, atol=1e-7)


def test_a_triggered_window_acts_anew_each_time() -> None:
    clock = System({"x": "1", "s": "0"}, initial={"x": 0, "s": 0}, noise={"s": 1})
    quiet = When("sin(pi*(x - 0.375))", ScaleNoise("s", 0, during=(0, 0.5)), rearm=0)
    run = simulate(clock.do(quiet), np.linspace(0, 6, 25), step=0.25)
    np.testing.assert_allclose(run.instant_time[0], [0.375, 0.875, 2.375, 2.875, 4.375, 4.875])
    assert np.flatnonzero(np.diff(run.s[0]) == 0).tolist() == [2, 10, 18]
