"""Reactions one firing at a time: closed forms, laws of the draws, interventions, refusals.

The stochastic cases of the SBML Test Suite give the exact mean mu and standard deviation sigma.
From n runs with mean X and standard deviation S, Z = sqrt(n) (X - mu) / sigma and
Y = sqrt(n/2) (S^2 / sigma^2 - 1) have to lie in the ranges of a case but for one time.
"""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.linalg import expm

from physcm.mechanism import (
    Hold,
    Impulse,
    InvalidValue,
    MissingInitialValue,
    Normal,
    PhyscmError,
    Replace,
    SetParameter,
    Shift,
    Uniform,
    UnknownVariable,
    Unsupported,
    When,
)
from physcm.mechanism.errors import NotCompiled
from physcm.sim import Event, Jump, System, simulate
from physcm.sim.gillespie import direct, fast, histories
from physcm.sim.gillespie.direct import DirectMethod
from physcm.sim.status import RunStatus

IMMIGRATION = System.from_reactions(
    {"birth": ("b", {"X": 1}), "death": ("d*X", {"X": -1})},
    parameters={"b": 10, "d": 1},
    initial={"X": 0},
    algebraic={"double": "2*X"},
)
LINEAR = System.from_reactions(
    {"birth": ("b*X", {"X": 1}), "death": ("d*X", {"X": -1})},
    parameters={"b": 0.4, "d": 0.7},
    initial={"X": 30},
)
DIMER = System.from_reactions(
    {"bind": ("k1*P*(P - 1)/2", {"P": -2, "D": 1}), "break_": ("k2*D", {"P": 2, "D": -1})},
    parameters={"k1": 0.02, "k2": 0.1},
    initial={"P": 40, "D": 0},
)
RANDOM = IMMIGRATION.replace(
    parameters={"b": Uniform(5, 15), "d": Uniform(0.5, 2)}, initial={"X": 4}
)
TIMES = np.linspace(0, 4, 17)


def run(system: System, times: Any = TIMES, n: int = 1, seed: int = 0) -> xr.Dataset:
    return simulate(system, times, n=n, seed=seed, engine="gillespie")


def z_of_mean(x: np.ndarray, mean: Any, variance: Any) -> np.ndarray:
    return np.asarray(np.sqrt(len(x)) * (x.mean(axis=0) - mean) / np.sqrt(variance))


def z_of_variance(x: np.ndarray, mean: Any, variance: Any, kurtosis: Any) -> np.ndarray:
    measured = ((x - mean) ** 2).mean(axis=0)
    return np.asarray(np.sqrt(len(x) / (kurtosis - 1)) * (measured / variance - 1))


def probabilities(rates: np.ndarray, times: np.ndarray, start: int) -> np.ndarray:
    """Return the solution of the master equation, (times, states), from rates i -> j."""
    generator = rates - np.diag(rates.sum(axis=1))
    return np.array([expm(generator * t)[start] for t in times])


def same(a: xr.Dataset, b: xr.Dataset) -> None:
    for name in a.data_vars:
        np.testing.assert_array_equal(a[name], b[name], err_msg=str(name))


# Laws of the process


def test_a_linear_birth_death_process_has_its_mean_and_variance() -> None:
    x, t = run(LINEAR, TIMES, n=4000).X.values[:, 1:], TIMES[1:]
    b, d, growth = 0.4, 0.7, np.exp((0.4 - 0.7) * t)
    mean, variance = 30 * growth, 30 * (b + d) / (b - d) * growth * (growth - 1)
    assert (np.abs(z_of_mean(x, mean, variance)) < 4).all()
    assert (np.abs(z_of_variance(x, mean, variance, stats.kurtosis(x) + 3)) < 4).all()


def test_immigration_and_death_are_poisson_at_all_times() -> None:
    x, t = run(IMMIGRATION, TIMES, n=4000).X.values[:, 1:], TIMES[1:]
    law = stats.poisson(10 * (1 - np.exp(-t)))
    assert (np.abs(z_of_mean(x, law.mean(), law.var())) < 4).all()
    assert (np.abs(z_of_variance(x, law.mean(), law.var(), 3 + 1 / law.mean())) < 4).all()


def test_the_stationary_law_of_immigration_and_death_is_poisson() -> None:
    x = run(IMMIGRATION, [0, 30], n=4000).X.values[:, 1]
    cells = [0, *range(5, 17), 100]
    expected = np.diff(stats.poisson(10).cdf(np.array(cells) - 1)) * len(x)
    observed = np.histogram(x, cells)[0]
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-4


def test_a_dimer_follows_its_master_equation() -> None:
    rates = np.zeros((21, 21))
    for d in range(21):
        p = 40 - 2 * d
        if d < 20:
            rates[d, d + 1] = 0.02 * p * (p - 1) / 2
        if d > 0:
            rates[d, d - 1] = 0.1 * d
    law, n = probabilities(rates, TIMES[1:], start=0), 4000
    data = run(DIMER, TIMES, n=n)
    np.testing.assert_array_equal(data.P + 2 * data.D, 40)
    for k, exact in enumerate(law, start=1):
        counts = np.bincount(data.D.values[:, k].astype(int), minlength=21)
        usual = exact * n > 20
        z = (counts - n * exact)[usual] / np.sqrt(n * exact * (1 - exact))[usual]
        assert np.abs(z).max() < 4.5


def test_times_between_firings_are_exponential() -> None:
    clock = System.from_reactions({"tick": ("3", {"N": 1})}, initial={"N": 0})
    first = np.linspace(0, 4, 2001)
    ticked = run(clock, first, n=2000).N.values > 0
    waits = first[ticked.argmax(axis=1)]
    assert stats.kstest(waits, stats.expon(scale=1 / 3).cdf).pvalue > 1e-4


def test_each_reaction_fires_in_proportion_to_its_propensity() -> None:
    names = {f"r{i}": (str(i), {f"N{i}": 1}) for i in range(1, 6)}
    system = System.from_reactions(names, initial={f"N{i}": 0 for i in range(1, 6)})
    data = run(system, [0, 2], n=2000)
    for i in range(1, 6):
        x = data[f"N{i}"].values[:, 1]
        assert abs(z_of_mean(x, 2 * i, 2 * i)) < 4
    assert abs(np.corrcoef(data.N4[:, 1], data.N5[:, 1])[0, 1]) < 0.1


@pytest.mark.parametrize(("V", "count"), [(3, 25), (49, 18), (11, 41), (7e-16, 40), (0.1, 43)])
def test_a_used_up_concentration_is_exactly_zero_in_any_volume(V: float, count: int) -> None:
    system = System.from_reactions(
        {"bind": ("A*B*V**2", {"A": "-1/V", "B": "-1/V", "C": "1/V"})},
        parameters={"V": V},
        initial={"A": count / V, "B": 60 / V, "C": 0},
    )
    data = run(system, [0, 1e6], n=20)
    assert (data.A[:, 1] == 0).all()
    np.testing.assert_allclose(data.C[:, 1] * V, count, rtol=1e-14)


def test_a_concentration_is_the_amount_over_the_volume_firing_by_firing() -> None:
    dense = System.from_reactions(
        {
            "bind": ("k1*V*P*(V*P - 1)/2", {"P": "-2/V", "D": "1/V"}),
            "break_": ("k2*D*V", {"P": "2/V", "D": "-1/V"}),
        },
        parameters={"k1": 0.02, "k2": 0.1, "V": Uniform(0.1, 10)},
        initial={"P": "40/V", "D": 0},
    )
    amounts, densities = run(DIMER, n=50), run(dense, n=50)
    np.testing.assert_allclose(densities.P * densities.V, amounts.P, rtol=1e-12)


def test_changes_may_depend_on_the_state_and_be_no_multiples_of_each_other() -> None:
    halving = System.from_reactions(
        {
            "halve": ("1", {"x": "-x/2"}),
            "kick": ("1", {"y": "sqrt(2)"}),
            "back": ("max(y, 0)", {"y": -1}),
        },
        initial={"x": 1024, "y": 0},
    )
    data = run(halving, [0, 1, 2], n=500)
    halved = np.log2(1024 / data.x.values)
    np.testing.assert_array_equal(halved, np.rint(halved))
    assert (np.abs(z_of_mean(halved[:, 1:], [1, 2], [1, 2])) < 4).all()


def test_a_batch_comes_as_a_whole() -> None:
    batches = System.from_reactions(
        {"arrive": ("1", {"X": 100}), "leave": ("4*X", {"X": -1})}, initial={"X": 0}
    )
    x = run(batches, [0, 50], n=3000).X.values[:, 1]
    assert abs(z_of_mean(x, 25, 25 * 51.5 - 12.5)) < 4


def test_what_nothing_changes_stays_as_it_is_drawn() -> None:
    system = IMMIGRATION.replace(
        drift={**IMMIGRATION.drift, "tiny": 0}, initial={"X": 0.3, "tiny": 1e-300}
    )
    data = run(system.replace(parameters={"b": 3, "d": 0}))
    assert (data.tiny == 1e-300).all()
    np.testing.assert_allclose(data.X % 1, 0.3, rtol=1e-12)


# Propensities that read time

SEASONS = System.from_reactions(
    {"birth": ("b*(1 + sin(t))", {"X": 1}), "death": ("X", {"X": -1})},
    parameters={"b": 5},
    initial={"X": 0},
)


def test_immigration_with_seasons_is_poisson_at_all_times() -> None:
    """Its mean m solves m' = 5 (1 + sin t) - m."""
    times, n = np.linspace(0, 10, 11), 10_000
    x, t = run(SEASONS, times, n=n).X.values[:, 1:], times[1:]
    law = stats.poisson(5 * (1 - np.exp(-t)) + 2.5 * (np.sin(t) - np.cos(t) + np.exp(-t)))
    assert (np.abs(z_of_mean(x, law.mean(), law.var())) < 4).all()
    assert (np.abs(z_of_variance(x, law.mean(), law.var(), 3 + 1 / law.mean())) < 4).all()


CLOCKS: dict[str, tuple[str, Any]] = {
    "linear": ("2*t", lambda t: t**2),
    "short pulse": (
        "where(t > 0.7 and t < 0.7001, 1e4, 0)",
        lambda t: np.clip(1e4 * t - 7e3, 0, 1),
    ),
    "switch by a wave": (
        "where(sin(pi*t) > 0, 3, 1)",
        lambda t: t + 2 * (np.floor(t / 2) + np.minimum(t % 2, 1)),
    ),
    "pole": ("1/sqrt(abs(t - 0.3))", lambda t: 2 * np.sqrt(0.3) + 2 * np.sqrt(t - 0.3)),
}


@pytest.mark.parametrize("kind", CLOCKS)
def test_a_reaction_on_a_clock_fires_as_a_poisson_process_of_its_rate(kind: str) -> None:
    rate, integral = CLOCKS[kind]
    system = System.from_reactions({"tick": (rate, {"N": 1})}, initial={"N": 0})
    exact = integral(np.array([0.5, 2]))
    x = run(system, [0, 0.5, 2], n=4000).N.values[:, 1:]
    assert (np.abs(z_of_mean(x, exact, exact + 1e-9)) < 4).all()


def test_a_rate_that_is_constant_written_with_time_fires_at_the_same_times() -> None:
    plain = run(IMMIGRATION, n=20)
    written = run(IMMIGRATION.do(Replace("birth", "b*(1 + t)/(1 + t)")), n=20)
    timed = run(IMMIGRATION.do(Replace("birth", "b*(sin(t)**2 + cos(t)**2)")), n=20)
    np.testing.assert_array_equal(written.X, plain.X)
    np.testing.assert_array_equal(timed.X, plain.X)


@pytest.mark.parametrize("together", [1, 3, 7])
def test_a_run_with_seasons_is_the_same_however_many_samples_run_together(together: int) -> None:
    system = SEASONS.do(Hold("X", 5, during=(1, 2)), When("X > 9", Impulse("X", -6), rearm=0))
    whole, parts = (
        histories(system, TIMES, np.arange(20), 3, together=number) for number in (4096, together)
    )
    np.testing.assert_array_equal(whole.values, parts.values)


def test_what_changes_no_rate_moves_no_firing_with_seasons() -> None:
    plain = run(SEASONS, n=20)
    done = run(SEASONS.do(SetParameter(b=5, during=(1, "b/2")), Impulse("X", 0, at=1.7)), n=20)
    np.testing.assert_array_equal(plain.X, done.X)


def test_a_species_held_along_a_path_reacts_at_the_rate_along_it() -> None:
    """D'  = k1 P (P - 1) / 2 with P = 10 + t, while D does not break."""
    data = run(DIMER.do(Replace("break_", 0), P="10 + t"), [0, 2], n=4000)
    mean = 0.01 * ((12**3 - 10**3) / 3 - (12**2 - 10**2) / 2)
    assert abs(z_of_mean(data.D.values[:, 1], mean, mean)) < 4
    np.testing.assert_array_equal(data.P[0], [10, 12])


def test_a_change_that_reads_time_is_that_of_the_firing() -> None:
    """A Poisson process of rate 1 that adds t at each firing has mean and variance t^2/2, t^3/3."""
    system = System.from_reactions({"up": ("1", {"X": "t"})}, initial={"X": 0})
    x = run(system, [0, 3], n=4000).X.values[:, 1]
    assert abs(z_of_mean(x, 4.5, 9)) < 4
    slow = histories(system, np.array([0.0, 3.0]), np.arange(20), 0, fast=False).values
    quick = histories(system, np.array([0.0, 3.0]), np.arange(20), 0).values
    np.testing.assert_allclose(quick, slow, rtol=1e-12)


def test_a_rate_that_turns_negative_by_the_clock_is_refused_with_that_time() -> None:
    system = System.from_reactions({"net": ("2 - t", {"X": 1})}, initial={"X": 0})
    assert run(system, [0, 2]).status.item() == 0
    with pytest.raises(InvalidValue, match="`net` has the negative propensity `-.*` at t = 2 in s"):
        run(system)


def test_a_rate_that_ends_to_exist_ends_the_sample_there() -> None:
    system = System.from_reactions({"net": ("sqrt(2 - t)", {"X": 1})}, initial={"X": 0})
    data = run(system, n=5)
    assert (data.status != RunStatus.COMPLETE).all()
    np.testing.assert_array_equal(np.isnan(data.X[0]), TIMES > 2)


# Laws of the draws


@pytest.mark.parametrize("together", [1, 3, 7, 64])
@pytest.mark.parametrize("kind", ["plain", "scheduled", "event"])
def test_a_run_is_the_same_to_the_last_bit_however_many_samples_run_together(
    together: int, kind: str
) -> None:
    system = {
        "plain": RANDOM,
        "scheduled": RANDOM.do(Hold("X", 5, during=("b/10", 2)), Impulse("X", Normal(9, 2), at=3)),
        "event": RANDOM.replace(events={"cull": Event("X > 8 and t > b/20", {"X": "X*exp(-d)"})}),
    }[kind]
    whole, parts = (
        histories(system, TIMES, np.arange(20), 3, together=number) for number in (4096, together)
    )
    np.testing.assert_array_equal(whole.values, parts.values)


@settings(max_examples=15)
@given(sample=st.integers(0, 2**40), seed=st.integers(0, 2**70))
def test_a_sample_of_many_is_that_sample_alone(sample: int, seed: int) -> None:
    samples = np.array([0, 5, sample, sample + 1])
    many = histories(RANDOM, TIMES, samples, seed)
    alone = histories(RANDOM, TIMES, np.array([sample]), seed)
    np.testing.assert_array_equal(many.values[:, 2], alone.values[:, 0])


MANY = {
    "plain": RANDOM,
    "dimer": DIMER,
    "random volume": System.from_reactions(
        {"in_": ("k*V", {"X": "1/V"}), "out": ("V*X*(X + 1)", {"X": "-1/V"})},
        parameters={"k": 3, "V": Uniform(0.1, 10)},
        initial={"X": "5/V"},
        algebraic={"clock": "t*X", "shape": "exp(-X)/(1 + X**2)"},
    ),
    "own changes": System.from_reactions(
        {"halve": ("1", {"x": "-x/2"}), "kick": ("2", {"y": "sqrt(2)"}), "back": ("y", {"y": -1})},
        initial={"x": 1024, "y": 3},
    ).replace(events={"low": Event("y < 1", {"y": 4})}),
    "window": RANDOM.do(Hold("X", 5, during=("b/10", 2))),
    "rate window": RANDOM.do(SetParameter(b=40, during=(1, "1 + d"))),
    "impulse": RANDOM.do(Impulse("X", Normal(9, 2), at="d")),
    "trigger": RANDOM.do(When("X >= 6", Impulse("X", -6), rearm=0)),
    "event": RANDOM.replace(
        events={"cull": Event("X > 8 and t > b/20", {"X": "floor(X*exp(-d))"})}
    ),
    "delay": RANDOM.replace(events={"late": Event("X > 3", {"X": "X + 10"}, delay="d/7")}),
    "clock": RANDOM.replace(events={"tick": Event("2*t >= X/9 + d", {"X": 0})}),
}


@pytest.mark.parametrize("kind", MANY)
def test_machine_code_and_numpy_fire_the_same_reactions(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = np.array([0, 3, 2**40, *range(5, 50)])
    slow = histories(MANY[kind], TIMES, samples, 7, fast=False)
    monkeypatch.setattr(DirectMethod, "advance", lambda *_: pytest.fail("NumPy ran"))
    quick = histories(MANY[kind], TIMES, samples, 7)
    np.testing.assert_allclose(quick.values, slow.values, rtol=1e-12)
    assert quick.ended == slow.ended
    if quick.instants is None or slow.instants is None:
        assert quick.instants is slow.instants
        return
    variables = len(quick.values)
    one, other = (done.over_samples(variables) for done in (quick.instants, slow.instants))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


TIE = Event("X > 8", {"X": "X - 3", "hits": "2*hits + 1"}, priority=1)
EVENTS: dict[str, dict[str, Event]] = {
    "one": {"cull": Event("X > 8", {"X": 2})},
    "by the clock": {"tick": Event("t > b/10", {"X": 0}), "tock": Event("t >= 2", {"X": "X + b"})},
    "equal priorities": {"a": TIE, "b": replace(TIE, assign={"hits": "2*hits"})},
    "priorities": {"a": TIE, "b": replace(TIE, priority="b", assign={"X": "X + 1"})},
    "chain": {"a": TIE, "b": Event("hits > 0", {"hits": 0, "X": "X + 2"})},
    "of both at the start": {"a": replace(TIE, initially=False, trigger="X < 8")},
    "switched off by another": {"a": TIE, "b": replace(TIE, persistent=False, priority=0)},
    "computed when done": {"a": TIE, "b": replace(TIE, at_trigger=False, priority=0)},
}


@pytest.mark.parametrize("kind", EVENTS)
def test_looking_at_all_samples_together_is_looking_at_each(kind: str) -> None:
    """With an event that has a delay, each sample keeps an agenda of its own."""
    system = RANDOM.replace(
        drift={**RANDOM.drift, "hits": 0}, initial={"X": 4, "hits": 0}, events=EVENTS[kind]
    )
    never = Event("X < -1", {"X": 0}, delay=1)
    together = run(system, n=40)
    each = run(system.replace(events={**EVENTS[kind], "never": never}), n=40)
    assert each.sizes["instant"] > 0
    same(together, each)


def test_neither_the_number_of_threads_nor_the_order_of_samples_changes_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = histories(RANDOM, TIMES, np.arange(300), 3).values
    monkeypatch.setattr(fast, "cores", lambda: 7)
    np.testing.assert_array_equal(histories(RANDOM, TIMES, np.arange(300), 3).values, whole)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(histories(RANDOM, TIMES, order, 3).values, whole[:, order])


def test_samples_and_seeds_differ() -> None:
    x, other = run(IMMIGRATION, n=3).X.values, run(IMMIGRATION, n=3, seed=1).X.values
    assert len({row.tobytes() for row in (*x, *other)}) == 6


def test_saving_moves_no_firing() -> None:
    often, seldom = run(RANDOM, np.linspace(0, 4, 401), n=5), run(RANDOM, [0, 2, 4], n=5)
    np.testing.assert_array_equal(often.X.sel(time=[0, 2, 4]), seldom.X)


def test_a_run_goes_on_where_one_saved_time_ends_it() -> None:
    assert run(IMMIGRATION, [3.0]).X.values.tolist() == [[0.0]]


# Interventions


def test_a_hold_removes_the_noise_of_what_is_held_and_of_nothing_else() -> None:
    data = run(DIMER.do(P=10), n=200)
    assert (data.P == 10).all()
    assert data.D[:, -1].std() > 1


def test_where_all_that_moves_is_held_nothing_moves() -> None:
    assert (run(LINEAR.do(X=7)).X == 7).all()


def test_a_held_rate_is_the_rate_at_which_its_reaction_fires() -> None:
    data = run(IMMIGRATION.do(Replace("death", 0), birth=4), [0, 2], n=3000)
    assert abs(z_of_mean(data.X.values[:, 1], 8, 8)) < 4
    assert (data.birth == 4).all()


def test_a_parameter_that_is_set_and_a_rate_that_is_replaced_act_on_the_firings() -> None:
    times = [0, 30]
    for system in (IMMIGRATION.do(SetParameter(b=20)), IMMIGRATION.do(Replace("birth", "2*b"))):
        assert abs(z_of_mean(run(system, times, n=3000).X.values[:, 1], 20, 20)) < 4


@pytest.mark.parametrize(
    "intervention",
    [
        Hold("X", 0, during=(2, 3)),
        Hold("birth", 90, during=(2, 3)),
        Replace("death", 0, during=(2, 3)),
        SetParameter(b=200, during=(2, 3)),
        Replace("birth", "5*b", during=(2, 3)),
        Shift("birth", 40, during=(2, 3)),
        Impulse("X", 50, at=2),
        When("t > 2", Impulse("X", 50)),
        When("t >= 2", SetParameter(b=200)),
    ],
    ids=repr,
)
def test_an_intervention_changes_nothing_before_and_something_after(intervention: Any) -> None:
    plain, done = run(IMMIGRATION, n=20), run(IMMIGRATION.do(intervention), n=20)
    np.testing.assert_array_equal(plain.X.sel(time=slice(0, 1.9)), done.X.sel(time=slice(0, 1.9)))
    after = slice(2.3, 4)
    assert (plain.X.sel(time=after) != done.X.sel(time=after)).any("time").all()


@pytest.mark.parametrize(
    "intervention",
    [
        SetParameter(b=10, during=(1, 2)),
        Hold("birth", "b", during=("1/3", "b/7")),
        Impulse("X", 0, at=1.7),
        When("X > 5", Impulse("X", 0), rearm=0),
    ],
    ids=repr,
)
def test_an_intervention_that_changes_no_rate_moves_no_firing(intervention: Any) -> None:
    plain, done = run(IMMIGRATION, n=20), run(IMMIGRATION.do(intervention), n=20)
    np.testing.assert_array_equal(plain.X, done.X)


def test_a_window_holds_from_its_begin_and_releases_at_its_end_where_it_held() -> None:
    data = run(IMMIGRATION.do(Hold("X", 40, during=(1, 2))), n=2000)
    assert (data.X.sel(time=slice(1, 1.99)) == 40).all()
    assert (data.double.sel(time=slice(1, 1.99)) == 80).all()
    x, p = data.X.sel(time=3).values, np.exp(-1)
    assert abs(z_of_mean(x, 40 * p + 10 * (1 - p), 40 * p * (1 - p) + 10 * (1 - p))) < 4


def test_two_windows_make_the_law_of_their_pieces() -> None:
    system = IMMIGRATION.do(SetParameter(b=30, during=(1, 3)), SetParameter(d=3, during=(2, 4)))
    mean = np.array([0.0])
    for b, d in ((10, 1), (30, 1), (30, 3), (10, 3)):
        mean = np.append(mean, b / d + (mean[-1] - b / d) * np.exp(-d))
    x, mean = run(system, np.arange(5.0), n=4000).X.values[:, 1:], mean[1:]
    assert (np.abs(z_of_mean(x, mean, mean)) < 4).all()
    assert (np.abs(z_of_variance(x, mean, mean, 3 + 1 / mean)) < 4).all()


def test_each_sample_has_the_window_that_its_own_parameters_give_it() -> None:
    data = run(RANDOM.do(Hold("X", 99, during=("d", "d + 1"))), np.linspace(0, 4, 81), n=30)
    inside = (data.time >= data.d) & (data.time < data.d + 1)
    np.testing.assert_array_equal((data.X == 99).where(inside, True), True)
    assert not (data.X == 99).where(data.time < data.d, False).any()


def test_an_impulse_is_added_once_at_its_time() -> None:
    system = IMMIGRATION.replace(parameters={"b": 0, "d": 0}).do(Impulse("X", 7, at=2))
    data = run(system, [0, 1.999, 2, 4])
    assert data.X.values.tolist() == [[0, 0, 7, 7]]
    assert data.instant_time.values.tolist() == [[2]]
    assert data["after(X)"].values.tolist() == [[7]]


def test_a_trigger_acts_after_the_firing_that_meets_its_condition() -> None:
    data = run(IMMIGRATION.do(When("X >= 6", Impulse("X", -6), rearm=0)), np.linspace(0, 4, 401), 9)
    assert data.X.max() == 5
    assert (data["before(X)"].where(data["before(X)"].notnull(), 6) == 6).all()
    assert (data["after(X)"].where(data["after(X)"].notnull(), 0) == 0).all()


def test_an_event_follows_the_master_equation_with_resets() -> None:
    times = np.array([4.0, 8, 12])
    law = reset_law(times, k1=0.002, k2=0.02)
    mean = law @ np.arange(31)
    variance = law @ np.arange(31) ** 2 - mean**2
    system = DIMER.replace(
        parameters={"k1": 0.002, "k2": 0.02},
        initial={"P": 100, "D": 0},
        events={"reset": Event("D > 30", {"P": 100, "D": 0})},
    )
    x = run(system, [0, *times], n=3000).D.values[:, 1:]
    assert (np.abs(z_of_mean(x, mean, variance)) < 4).all()
    assert x.max() == 30


@pytest.mark.parametrize(("trigger", "late"), [("t >= 1", 1), ("t > 1", 1), ("2*t >= X/500", 1)])
def test_an_event_that_waits_for_a_time_happens_then(trigger: str, late: float) -> None:
    still = IMMIGRATION.replace(parameters={"b": 0, "d": 0}, initial={"X": 1000})
    data = run(still.replace(events={"e": Event(trigger, {"X": 5})}), [0, 0.999, 1.001, 2])
    assert data.X.values.tolist() == [[1000, 1000, 5, 5]]
    np.testing.assert_allclose(data.instant_time, late, rtol=1e-15)


def test_an_event_may_be_delayed() -> None:
    still = IMMIGRATION.replace(parameters={"b": 0, "d": 0}, initial={"X": 8})
    data = run(still.replace(events={"e": Event("t > 1", {"X": "2*X"}, delay=1.5)}), [0, 2.4, 2.6])
    assert data.X.values.tolist() == [[8, 8, 16]]


def test_a_run_says_how_it_was_made() -> None:
    data = run(RANDOM, n=3)
    assert data.attrs["engine"] == "gillespie"
    assert set(data.data_vars) == {"X", "birth", "death", "double", "b", "d", "status"}
    np.testing.assert_array_equal(data.death, data.d * data.X)
    same(data, run(System(**_reread(data.attrs["system"])), n=3))


def _reread(text: str) -> dict[str, Any]:
    import tomllib

    from physcm.sim.toml import constructor_arguments

    return constructor_arguments(tomllib.loads(text), "attribute")


# Where it ends


def test_a_propensity_without_bound_ends_a_sample_and_no_other() -> None:
    system = System.from_reactions(
        {"up": ("k/(3 - X)", {"X": 1})}, parameters={"k": (0, 1, 100)}, initial={"X": 0}
    )
    data = run(system, [0, 1, 9], n=3)
    assert data.status.values.tolist() == [0, 1, 1]
    assert data.X[0].values.tolist() == [0, 0, 0]
    assert np.isnan(data.X[1:, 2]).all()


@pytest.mark.parametrize("amount", ["log(-1 - X)", "exp(1000 + X)"])
def test_a_state_that_is_no_number_any_more_has_diverged(amount: str) -> None:
    data = run(IMMIGRATION.do(Impulse("X", amount, at=2)))
    assert data.status.values.tolist() == [1]
    np.testing.assert_array_equal(np.isnan(data.X[0]), TIMES >= 2)


@pytest.mark.parametrize("rate", ["X**2", "X**2*(1 + t/1e6)"], ids=["machine code", "NumPy"])
def test_a_sample_that_fires_without_end_meets_the_step_limit(
    rate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "MOST_FIRINGS", 5_000)
    explosive = System.from_reactions({"up": (rate, {"X": 1})}, initial={"X": 1})
    data = run(explosive, [0, 1e-9, 100])
    assert data.status.values.tolist() == [RunStatus.STEP_LIMIT]
    assert data.attrs["trouble"] == "sample 0: the step limit was reached after t = 1e-09"
    assert np.isnan(data.X.values).tolist() == [[False, False, True]]


def test_a_time_limit_keeps_what_was_reached() -> None:
    clock = System.from_reactions({"tick": ("1e6", {"N": 1})}, initial={"N": 0})
    simulate(clock, [0, 1e-6], engine="gillespie")  # compiles
    began = time.monotonic()
    data = simulate(clock, [0, 0.1, 1e9], n=40, engine="gillespie", time_limit=0.5)
    assert time.monotonic() - began < 10
    assert (data.status[:16] == RunStatus.TIME_LIMIT).all()
    np.testing.assert_array_equal(data.N[:16, :2] > [-1, 9e4], True)
    assert np.isnan(data.N[:, 2]).all()


def test_ctrl_c_ends_a_run_at_once() -> None:
    code = (
        "from physcm.sim import System, simulate\n"
        "s = System.from_reactions({'tick': ('1e6', {'N': 1})}, initial={'N': 0})\n"
        "simulate(s, [0, 0.1], engine='gillespie')\n"
        "print('begun', flush=True)\n"
        "try:\n    simulate(s, [0, 1e9], n=1000, engine='gillespie')\n"
        "except KeyboardInterrupt:\n    print('ended')"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        assert process.stdout.readline() == "ended\n"
        assert time.monotonic() - sent < 2  # a second, and what a busy machine takes


def test_what_cannot_be_compiled_is_run_by_numpy_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(text: str) -> None:
        raise NotCompiled("LLVM refuses the code of `it`")

    expected = run(RANDOM, n=5)
    monkeypatch.setattr(fast, "compiled", refuse)
    with pytest.warns(UserWarning, match="code of `it`; NumPy fires the reactions instead"):
        same(run(RANDOM, n=5), expected)


def test_functions_that_machine_code_lacks_are_run_by_numpy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lack(firings: object) -> str:
        raise Unsupported("no function for it")

    expected = run(RANDOM, n=5)
    monkeypatch.setattr(fast, "module", lack)
    same(run(RANDOM, n=5), expected)


def test_a_law_that_does_not_vanish_leads_below_zero_as_it_is_written() -> None:
    data = run(System.from_reactions({"out": ("1", {"X": -1})}, initial={"X": 0}), [0, 50])
    assert data.X[0, 1] < 0


# Refusals


REFUSED: dict[str, tuple[System, str]] = {
    "no reactions": (System({"x": "-x"}, initial={"x": 1}, name="decay"), "`decay` has no rea"),
    "noise": (IMMIGRATION.replace(noise={"X": 1}), "`X` has noise from `X`"),
    "jumps": (IMMIGRATION.replace(jumps={"boost": Jump(1, {"X": 1})}), "jump `boost` is no rea"),
    "rate rule": (
        IMMIGRATION.replace(drift={**IMMIGRATION.drift, "Y": "X"}, initial={"X": 0, "Y": 0}),
        "`Y` is not moved by reactions alone: its drift is `X`",
    ),
    "shift": (IMMIGRATION.do(Shift("X", 2)), "`X` is not moved by reactions alone"),
    "replaced drift": (IMMIGRATION.do(Replace("X", "-X")), "`X` is not moved by"),
    "shift in a window": (IMMIGRATION.do(Shift("X", 2, during=(1, 2))), "`X` is not moved by"),
    "shift after the end": (IMMIGRATION.do(Shift("X", 2, during=(1e10, 1e11))), "`X` is not mo"),
    "drift that is the sum below 100": (
        IMMIGRATION.replace(drift={"X": "where(X < 100, b - d*X, 0)"}),
        "`X` is not moved by reactions alone",
    ),
    "time in a condition": (
        IMMIGRATION.do(When("sin(t) > 0.5", Impulse("X", 1))),
        "condition `sin\\(t\\) > 1/2` does not tell",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_moved_by_reactions_alone_is_refused_by_name(case: str) -> None:
    system, message = REFUSED[case]
    with pytest.raises(Unsupported, match=message):
        run(system, [0, 1])


def test_a_negative_propensity_is_refused_with_its_reaction_value_and_time() -> None:
    system = System.from_reactions({"net": ("2 - X", {"X": 3})}, initial={"X": 0})
    with pytest.raises(InvalidValue, match="`net` has the negative propensity `-1` at t = .* in s"):
        run(system)


def test_a_propensity_that_an_event_keeps_from_being_negative_is_none() -> None:
    system = System.from_reactions({"net": ("2 - X", {"X": 3})}, initial={"X": 0})
    data = run(system.replace(events={"back": Event("X > 2", {"X": 0})}), n=5)
    assert (data.X == 0).all()
    assert (data["before(X)"].isel(instant=0) == 3).all()


def test_a_drift_that_is_written_out_counts_as_the_sum_of_its_reactions() -> None:
    written = LINEAR.replace(drift={"X": "X*(b - d)"})
    same(run(written, n=3), run(LINEAR, n=3))


# Reactions


def test_the_drift_is_the_sum_of_changes_times_rates() -> None:
    assert str(DIMER.drift["P"]) == "-2*bind + 2*break_"
    assert DIMER.reactions["bind"] == {"P": -2, "D": 1}
    means = simulate(IMMIGRATION, TIMES)
    np.testing.assert_allclose(means.X[0], 10 * (1 - np.exp(-TIMES)), rtol=1e-6)


def test_reactions_are_written_to_a_file_and_read_back(tmp_path: Path) -> None:
    for system in (DIMER, IMMIGRATION.do(X=3)):
        system.to_toml(tmp_path / "model.toml")
        assert System.from_toml(tmp_path / "model.toml") == system


MALFORMED: dict[str, tuple[dict[str, Any], type[PhyscmError], str]] = {
    "no pair": ({"r": "k*X"}, InvalidValue, r"reaction `r` is `'k\*X'`; give its rate"),
    "unknown": ({"r": ("q*X", {"X": 1})}, UnknownVariable, "unknown name `q`"),
    "no start": ({"r": ("X", {"X": 1, "Y": 1})}, MissingInitialValue, "state `Y` has no initial"),
    "twice": ({"v": ("X", {"X": 1})}, InvalidValue, "`v` is a reaction and a derived variable"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_reactions_are_refused(case: str) -> None:
    reactions, error, message = MALFORMED[case]
    with pytest.raises(error, match=message):
        System.from_reactions(reactions, initial={"X": 1}, algebraic={"v": "X"})


def test_the_drift_of_what_reactions_change_is_their_sum_in_sbml(shared_data: Path) -> None:
    models = sorted((shared_data / "biomodels").glob("*.xml"))
    assert models
    for system in map(System.from_sbml, models):
        for state in system.states:
            flow = [
                changes[state] * sp.Symbol(name, real=True)
                for name, changes in system.reactions.items()
                if state in changes
            ]
            if flow:
                assert sp.expand(system.drift[state] - sp.Add(*flow)) == 0, (system.name, state)


# The SBML Test Suite


def reset_law(times: np.ndarray, k1: float, k2: float) -> np.ndarray:
    """Return P(D = d) for a dimer of 100 monomers that starts anew as soon as D > 30."""
    rates = np.zeros((31, 31))
    for d in range(31):
        p = 100 - 2 * d
        rates[d, d + 1 if d < 30 else 0] += k1 * p * (p - 1) / 2
        if d > 0:
            rates[d, d - 1] += k2 * d
    return probabilities(rates, times, start=0)


def spread_of_variances(case: str, times: np.ndarray) -> np.ndarray:
    """Return the standard deviation of Y: 1 for the normal law that the rule presumes.

    In case 33 a few samples are reset from 30 to 0 while all others stay together, so that the
    kurtosis is 17 and chance alone takes Y out of (-5, 5) at such times. There it is measured
    by its own standard deviation.
    """
    if case != "00033":
        return np.ones(times.size)
    law, d = reset_law(times, 0.001, 0.01), np.arange(31)
    centered = d - (law @ d)[:, np.newaxis]
    second, fourth = (law * centered**2).sum(axis=1), (law * centered**4).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt((fourth / second**2 - 1) / 2))


CASES = (
    "00001 00002 00006 00007 00008 00011 00012 00013 00014 00016 00017 00018 00019 00021 00022 "
    "00026 00030 00032 00033 00035 00039"
).split()


def settings_of(case: Path) -> dict[str, str]:
    lines = (case / "settings.txt").read_text(encoding="utf-8").splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def expected_of(case: Path) -> dict[str, np.ndarray]:
    with (case / "results.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = [row for row in csv.reader(file) if row]
    return dict(zip(map(str.strip, head), np.array(rows, dtype=float).T, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_stochastic_case_has_its_mean_and_deviation(name: str, shared_data: Path) -> None:
    case = shared_data / "sbml-stochastic" / name
    if not case.is_dir():
        pytest.skip(f"no case {case}")
    wanted, expected, n = settings_of(case), expected_of(case), 10_000
    times = np.linspace(0, float(wanted["duration"]), int(wanted["steps"]) + 1)
    ranges = [
        tuple(map(float, re.findall(r"-?[\d.]+", wanted[key]))) for key in ("meanRange", "sdRange")
    ]
    data = run(System.from_sbml(case / "model.xml"), times, n=n)
    assert (data.status == 0).all()
    missed = np.zeros(times.size, dtype=bool)
    for variable in re.findall(r"\w+", wanted["variables"]):
        x = data[f"amount({variable})"].values
        mu, sigma = expected[f"{variable}-mean"], expected[f"{variable}-sd"]
        sure = sigma == 0
        np.testing.assert_array_equal(x[:, sure], np.broadcast_to(mu[sure], (n, sure.sum())))
        with np.errstate(all="ignore"):
            z = np.sqrt(n) * (x.mean(axis=0) - mu) / sigma
            y = np.sqrt(n / 2) * (x.var(axis=0, ddof=1) / sigma**2 - 1)
        for measured, (low, high) in zip(
            (z, y / spread_of_variances(name, times)), ranges, strict=True
        ):
            missed |= ~sure & ~((low < measured) & (measured < high))
    assert missed.sum() <= 1
