"""Trajectories agree with closed forms and are the same however they are asked for."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from physcm.mechanism import InvalidValue, Normal, Uniform
from physcm.sim import Numba, Scipy, System, simulate
from physcm.sim.status import RunStatus

decay = System({"x": "-k*x"}, parameters={"k": 2}, initial={"x": 3})
swing = System(
    {"q": "p", "p": "-q*w**2"},
    parameters={"w": Uniform(1, 3)},
    initial={"q": Normal(0, 1), "p": 0},
)


@pytest.mark.parametrize("method", ["LSODA", "RK45", "RK23", "DOP853", "Radau", "BDF"])
def test_every_method_follows_the_closed_form(method: str) -> None:
    t = np.linspace(0, 3, 7)
    run = simulate(decay, t, engine=Scipy(method), rtol=1e-7)
    np.testing.assert_allclose(run.x[0], 3 * np.exp(-2 * t), rtol=1e-4)


def test_the_default_tolerance_is_tight() -> None:
    t = np.linspace(0, 10, 11)
    run = simulate(swing, t, n=3, seed=1)
    exact = run.q[:, :1] * np.cos(run.w.values[:, np.newaxis] * t)
    np.testing.assert_allclose(run.q, exact, atol=1e-6)


def test_a_linear_system_follows_the_matrix_exponential() -> None:
    a = np.array([[-1, 0.5, 0], [0.2, -2, 1], [0, 0.3, -0.5]])
    drift = {f"x{i}": " + ".join(f"{a[i, j]}*x{j}" for j in range(3)) for i in range(3)}
    run = simulate(System(drift, initial={"x0": 1, "x1": -1, "x2": 2}), [0, 0.7, 2.5])
    for k, t in enumerate([0, 0.7, 2.5]):
        states = [float(run[f"x{i}"][0, k]) for i in range(3)]
        np.testing.assert_allclose(states, expm(a * t) @ [1, -1, 2], rtol=1e-6)


def test_amounts_of_1e_16_beside_1e3_are_both_accurate() -> None:
    system = System({"a": "-a", "b": "-2*b"}, initial={"a": 1e-16, "b": 1e3})
    run = simulate(system, [0, 1])
    assert float(run.a[0, -1]) == pytest.approx(1e-16 * np.exp(-1), rel=1e-6)
    assert float(run.b[0, -1]) == pytest.approx(1e3 * np.exp(-2), rel=1e-6)


@pytest.mark.parametrize("engine", ["numba", "scipy"])
def test_what_starts_at_next_to_nothing_is_followed(engine: str) -> None:
    system = System({"a": "-50*a", "b": "50*a"}, initial={"a": 1, "b": 1.5e-15})
    assert float(simulate(system, [0, 1], engine=engine).b[0, -1]) == pytest.approx(1, rel=1e-6)


def test_what_grows_by_decades_is_accurate_while_it_is_small() -> None:
    t = np.linspace(0, 2, 9)
    run = simulate(System({"x": "12*x"}, initial={"x": 1}), t)
    np.testing.assert_allclose(run.x[0], np.exp(12 * t), rtol=1e-5)


def test_a_stiff_system_is_followed() -> None:
    robertson = System(
        {
            "a": "-0.04*a + 1e4*b*c",
            "b": "0.04*a - 1e4*b*c - 3e7*b**2",
            "c": "3e7*b**2",
        },
        initial={"a": 1, "b": 0, "c": 0},
    )
    run = simulate(robertson, [0, 40, 4e5])
    np.testing.assert_allclose(run.a[0, 1:], [0.7158, 4.9383e-3], rtol=2e-4)
    np.testing.assert_allclose(run.b[0, 1:], [9.185e-6, 1.985e-8], rtol=2e-3)


def test_sample_k_of_a_larger_run_is_sample_k_of_a_smaller_one() -> None:
    large, small = (simulate(swing, [0, 1, 2], n=n, seed=5) for n in (6, 3))
    assert large.isel(sample=slice(3)).equals(small)


def test_holding_a_variable_moves_no_other_draw() -> None:
    free, held = (simulate(s, [0, 1], n=4, seed=5) for s in (swing, swing.do(q=1)))
    assert free.w.equals(held.w)


def test_a_value_per_sample_is_used_sample_by_sample() -> None:
    run = simulate(decay.do(x=[1.0, 2.0, 3.0]), [0, 1], n=3)
    assert run.x[:, 0].values.tolist() == [1, 2, 3]
    with pytest.raises(InvalidValue, match=r"`do\(x\)` has values for 3 samples"):
        simulate(decay.do(x=[1.0, 2.0, 3.0]), [0, 1], n=4)


def test_a_sample_that_diverges_is_marked_and_kept() -> None:
    blow_up = System({"x": "x**2"}, initial={"x": [1.0, -1.0]})
    run = simulate(blow_up, np.linspace(0, 2, 5), n=2)
    meaning = run.status.attrs["flag_meanings"].split()
    assert [meaning[int(s)] for s in run.status] == ["diverged", "complete"]
    assert np.isnan(run.x[0, -1])
    assert np.isfinite(run.x[0, 1])
    np.testing.assert_allclose(run.x[1, -1], -1 / 3, rtol=1e-6)


@pytest.mark.parametrize("engine", ["auto", "scipy", Scipy("Radau"), Numba("dormand-prince-5")])
def test_the_attributes_suffice_to_repeat_the_run(engine: Any) -> None:
    import json
    import tomllib

    run = simulate(swing, [0, 1, 2], n=2, seed=9, engine=engine)
    again = simulate(
        System.from_dict(tomllib.loads(run.attrs["system"])),
        run.time.values,
        n=run.sizes["sample"],
        seed=run.attrs["seed"],
        rtol=run.attrs["rtol"],
        atol=json.loads(run.attrs["atol"]),
        engine={"numba": Numba, "scipy": Scipy}[run.attrs["engine"]](run.attrs["method"]),
    )
    assert again.identical(run)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"t": [0, 2, 1]}, "do not increase at entry 2, `1.0`"),
        ({"t": []}, "have shape"),
        ({"t": [[0, 1]]}, "have shape"),
        ({"t": ["a"]}, "are not numbers"),
        ({"t": [0, np.nan]}, "do not increase"),
        ({"n": 0}, "n is `0`"),
        ({"n": 1.5}, "n is `1.5`"),
        ({"seed": -1}, "seed"),
        ({"engine": "fast"}, "engine is `'fast'`"),
        ({"rtol": 0}, "rtol is `0`"),
        ({"atol": -1}, "atol is `-1`"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    arguments = {"t": [0, 1]} | options
    with pytest.raises(InvalidValue, match=message):
        simulate(swing, arguments.pop("t"), **arguments)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InvalidValue, match="`Euler` is no method"):
        Scipy("Euler")


ornstein_uhlenbeck = System({"x": "-x"}, initial={"x": 1}, noise={"x": "s"}, parameters={"s": 0.5})


def test_euler_maruyama_has_the_moments_of_the_ornstein_uhlenbeck_process() -> None:
    run = simulate(ornstein_uhlenbeck, [0, 1], n=20_000, step=0.005)
    assert float(run.x[:, -1].mean()) == pytest.approx(np.exp(-1), abs=0.01)
    assert float(run.x[:, -1].var()) == pytest.approx(0.125 * (1 - np.exp(-2)), rel=0.03)


def test_stratonovich_noise_is_converted_to_ito() -> None:
    geometric = System({"x": "0"}, initial={"x": 1}, noise={"x": "x"}, calculus="stratonovich")
    run = simulate(geometric, [0, 1], n=20_000, step=0.01)
    assert float(run.x[:, -1].mean()) == pytest.approx(np.exp(0.5), rel=0.05)
    assert float(np.log(run.x[:, -1]).mean()) == pytest.approx(0, abs=0.05)


def test_a_noise_source_that_two_states_name_is_shared() -> None:
    pair = System(
        {"x": "0", "y": "0"}, initial={"x": 0, "y": 0}, noise={("x", "w"): 1, ("y", "w"): 2}
    )
    run = simulate(pair, [0, 1], n=5, step=0.1)
    np.testing.assert_allclose(run.y, 2 * run.x)


def test_noise_needs_a_step() -> None:
    with pytest.raises(InvalidValue, match="step is `None` and the system has noise"):
        simulate(ornstein_uhlenbeck, [0, 1])


@pytest.mark.parametrize("start", [0.5, 37.03, 99.0])
def test_a_short_pulse_is_never_stepped_over(start: float) -> None:
    pulse = System(
        {"x": "where(t >= a and t < a + 0.01, 100, 0)"}, parameters={"a": start}, initial={"x": 0}
    )
    run = simulate(pulse, [0, 120])
    assert float(run.x[0, -1]) == pytest.approx(1, rel=1e-6)


def test_what_has_no_value_is_reported_with_sample_time_and_variable() -> None:
    system = System({"x": "-1", "y": "log(x)"}, initial={"x": (5.0, 1.0), "y": 0})
    run = simulate(system, [0, 0.5, 2], n=2)
    assert run.status.values.tolist() == [RunStatus.COMPLETE, RunStatus.STOPPED]
    assert np.isnan(run.y[1, 2])
    told = r"sample 1: at t = 1\.0\S* the drift of `y`, `log\(x\)`, has no finite value \(x = -"
    assert re.match(told, run.attrs["trouble"])


def test_growth_without_bound_is_reported() -> None:
    run = simulate(System({"x": "x**2", "y": "0"}, initial={"x": 1, "y": 0}), [0, 0.5, 2])
    assert run.status.item() == RunStatus.DIVERGED
    told = "sample 0: after t = 0.5 the state grows without bound, `x` the most"
    assert run.attrs["trouble"] == told


SLOW = System({"x": "sin(1000*x) + cos(t)"}, initial={"x": 0.1})


@pytest.mark.parametrize("noise", [{}, {"x": 0.1}])
def test_a_time_limit_ends_a_run_and_what_was_reached_is_kept(noise: Any) -> None:
    began = time.monotonic()
    run = simulate(SLOW.replace(noise=noise), np.linspace(0, 1e7, 11), step=1e-2, time_limit=0.3)
    assert time.monotonic() - began < 10
    assert run.status.item() == RunStatus.TIME_LIMIT
    assert run.x[0, 0] == 0.1
    assert np.isnan(run.x[0, -1])


@pytest.mark.parametrize("noise", ["", ", noise={'x': 0.1}"])
def test_ctrl_c_ends_a_long_run_at_once(noise: str) -> None:
    code = (
        "from physcm.sim import System, simulate\n"
        f"s = System({{'x': 'sin(1000*x) + cos(t)'}}, initial={{'x': 0.1}}{noise})\n"
        "print('begun', flush=True)\n"
        "try:\n    simulate(s, [0, 1e7], step=1e-3)\n"
        "except KeyboardInterrupt:\n    print('ended')"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        assert process.stdout.readline() == "ended\n"
        assert time.monotonic() - sent < 2  # a second, and what a busy machine takes


@pytest.mark.parametrize("method", ["LSODA", "BDF", "Radau"])
def test_a_slope_that_is_not_finite_stops_implicit_methods_too(method: str) -> None:
    falling = System({"x": "-sqrt(x) - 1"}, initial={"x": 1})
    run = simulate(falling, [0, 5], engine=Scipy(method))
    assert run.status.values.tolist() == [RunStatus.STOPPED]
