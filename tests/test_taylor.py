"""The Taylor method: recurrences against SymPy, orders and closed forms, what it hands over."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from physcm.mechanism import Hold, Uniform
from physcm.mechanism.errors import Unsupported
from physcm.mechanism.expression import TIME, symbol
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import compiled
from physcm.mechanism.lanes.series import expansion
from physcm.sim import Event, Numba, System, simulate, zoo
from physcm.sim.fused import choice, progress, steppers
from physcm.sim.fused.ensemble import Batch
from physcm.sim.fused.taylor_code import ORDER
from physcm.sim.status import RunStatus

TAYLOR = Numba("taylor")
X = symbol("x")


def coefficients(system: System, t: float, x: list[float], h: float, order: int) -> np.ndarray:
    """Return the coefficients of (s/h)^k of the solution through (t, x), (states, order + 1)."""
    code = compiled(expansion(system.rates, order).module("test"))
    blocks = [np.repeat(np.array(values)[:, np.newaxis], LANES, 1) for values in ([t], x, [h])]
    time, states, scale = blocks
    out, parameters = np.empty((len(x), order + 1, LANES)), np.zeros((1, LANES))
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5)(code.address("series"))
    function(*(block.ctypes.data for block in (time, states, parameters, scale, out)))
    return out[:, :, -1]


RATES = [
    "3.5", "x**2", "x*t", "-x*(1-x)", "x**7", "1/(1+x**2)", "x**-3", "t/(1+x) - 2*x/t",
    "exp(-x)", "x**2*exp(-x)*t", "log(x)", "sin(x) + cos(t)", "1/(2+sin(t))", "tan(x/3)",
    "sinh(x/2)*cosh(x/2)", "tanh(x)", "asin(x/3)", "acos(x/3)", "atan(x)", "asinh(x)",
    "acosh(2+x)", "atanh(x/3)", "sqrt(x)", "x**2.5", "x**(1/3)", "2**x", "x**t", "(1+t)**x",
    "sec(x/2)", "x**4/(1+x**4)",
]  # fmt: skip


@pytest.mark.parametrize("text", RATES)
def test_coefficients_are_those_of_repeated_differentiation(text: str) -> None:
    system, t, x, h = System({"x": text}, initial={"x": 1}), 0.4, 0.7, 0.5
    rate = derivative = system.drift["x"]
    expected = [x]
    for k in range(1, 7):
        value = derivative.subs({X: sp.Float(x, 40), TIME: sp.Float(t, 40)})
        expected.append(float(sp.N(value, 30)) * h**k / math.factorial(k))
        derivative = sp.diff(derivative, TIME) + sp.diff(derivative, X) * rate
    found = coefficients(system, t, [x], h, 6)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("order", [3, 8, ORDER])
def test_halving_a_step_divides_its_error_by_two_to_the_order_plus_one(order: int) -> None:
    system = System({"x": "x**2"}, initial={"x": 1})  # 1/(1 - t)
    errors = [
        abs(coefficients(system, 0.0, [1.0], h, order).sum() - 1 / (1 - h)) for h in (0.2, 0.1)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order + 1, abs=0.2)


CLOSED: dict[str, tuple[System, Callable[[np.ndarray], np.ndarray]]] = {
    "oscillator": (System({"x": "v", "v": "-x"}, initial={"x": 0, "v": 1}), np.sin),
    "logistic": (System({"x": "x*(1-x)"}, initial={"x": 0.1}), lambda t: 1 / (1 + 9 * np.exp(-t))),
    "forced": (
        System({"x": "cos(t) - x"}, initial={"x": 0.5}),
        lambda t: (np.sin(t) + np.cos(t)) / 2,
    ),
    "line": (System({"x": "2"}, initial={"x": 1}), lambda t: 1 + 2 * t),
    "square": (System({"x": "2*t"}, initial={"x": 0}), lambda t: t**2),
    "root": (System({"x": "-x**1.5"}, initial={"x": 1}), lambda t: (1 + t / 2) ** -2),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-9, 1e-12])
def test_closed_forms_are_met_to_the_tolerance(name: str, rtol: float) -> None:
    system, solution = CLOSED[name]
    times = np.linspace(0, 20, 57)
    run = simulate(system, times, engine=TAYLOR, rtol=rtol, atol=rtol / 1e3)
    assert abs(run.x.values[0] - solution(times)).max() < 10 * rtol * abs(solution(times)).max()


LORENZ = System(
    {"x": "10*(y - x)", "y": "x*(r - z) - y", "z": "x*y - 8/3*z"},
    parameters={"r": Uniform(20, 30)},
    initial={"x": 1, "y": 1, "z": 20},
    name="Lorenz",
)
RING = System(
    {f"x{i}": f"a/(1 + x{i - 1 if i else 4}**4) - x{i}" for i in range(5)},
    parameters={"a": Uniform(2, 4)},
    initial={f"x{i}": 1 + 0.1 * i for i in range(5)},
)
SMOOTH = [
    name
    for name in zoo.names()
    if not (s := zoo.load(name)).noise and not s.jumps and not s.events and not s.schedule
]


def has_series(system: System) -> bool:
    try:
        return bool(expansion(system.rates, ORDER))
    except Unsupported:
        return False


ANALYTIC = [name for name in SMOOTH if has_series(zoo.load(name))]


@pytest.mark.parametrize("name", ANALYTIC)
@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_error_is_about_the_tolerance_on_the_zoo_under_interventions(
    name: str, data: Any
) -> None:
    system = zoo.load(name)
    x0, p = system.draw(np.arange(1), 0)
    jacobian = system.rates.jacobian.dense(0.0, x0[:, 0], p[:, 0])
    end = min(10 / max(np.abs(jacobian).sum(axis=1).max(), 1e-3), 100.0)
    for state in data.draw(st.sets(st.sampled_from(system.states), max_size=1)):
        value = float(x0[system.states.index(state), 0]) * data.draw(st.sampled_from([0.5, 1.5]))
        system = system.do(Hold(state, value))
    times, rtol = np.linspace(0, end, 11), 10.0 ** -data.draw(st.integers(4, 10))
    run = simulate(system, times, engine=TAYLOR, rtol=rtol)
    exact = simulate(system, times, engine="scipy", rtol=1e-13)
    for variable in system.variables:
        a, b = run[variable].values, exact[variable].values
        assert np.nanmax(abs(a - b), initial=0) <= 30 * rtol * np.nanmax(abs(b)) + 1e-12


def test_the_error_on_an_attractor_falls_with_the_tolerance() -> None:
    x0, p = LORENZ.draw(np.arange(1), 0)
    times = np.linspace(0, 2, 21)
    exact = solve_ivp(
        lambda t, x: LORENZ.rates.scalar(t, x, p[:, 0]), (0, 2), x0[:, 0], method="DOP853",
        t_eval=times, rtol=1e-13, atol=1e-13,
    ).y  # fmt: skip
    for rtol in (1e-4, 1e-6, 1e-8, 1e-10):
        run = simulate(LORENZ, times, engine=TAYLOR, rtol=rtol)
        found = np.array([run[name].values[0] for name in LORENZ.states])
        assert abs(found - exact).max() < 100 * rtol * abs(exact).max()


def test_a_sample_does_not_depend_on_others_nor_on_threads() -> None:
    runs = [
        simulate(LORENZ, [0, 1, 3], n=n, engine=Numba("taylor", threads))
        for n, threads in ((100, 1), (100, 2), (7, 1))
    ]
    assert runs[0].identical(runs[1])
    for name in LORENZ.states:
        assert (runs[0][name].values[:7] == runs[2][name].values).all()


@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-9])
def test_growth_without_bound_ends_as_diverged(rtol: float) -> None:
    run = simulate(System({"x": "x**2"}, initial={"x": 1}), [0, 0.5, 2], engine=TAYLOR, rtol=rtol)
    assert run.status.item() == RunStatus.DIVERGED
    assert run.x.values[0, 1] == pytest.approx(2, rel=10 * rtol)
    assert np.isnan(run.x.values[0, 2])


def test_where_there_is_no_series_another_method_goes_on() -> None:
    run = simulate(System({"x": "1 - sqrt(x)"}, initial={"x": 0}), [0, 50], engine=TAYLOR)
    assert run.status.item() == RunStatus.COMPLETE
    assert run.x.values[0, 1] == pytest.approx(1, rel=1e-5)


def batch(system: System, end: float, rtol: float, method: str) -> Batch:
    x, p = system.draw(np.arange(20), 0)
    times, atol = np.array([[0.0, end]]), np.full((len(x), 1), 1e-3 * rtol)
    out = np.empty((len(x), 20, 2))
    run = Batch(system, Numba(method), rtol, atol, np.zeros(20), x, p, times, out, span=end)
    run.advance(np.full(20, end), math.inf)
    return run


STIFF = {
    "van der Pol": (System({"x": "y", "y": "1000*(1-x**2)*y-x"}, initial={"x": 2, "y": 0}), 2000),
    "Robertson": (
        System(
            {"a": "-0.04*a+1e4*b*c", "b": "0.04*a-1e4*b*c-3e7*b**2", "c": "3e7*b**2"},
            initial={"a": 1, "b": 0, "c": 0},
        ),
        1e4,
    ),
    "relaxation": (System({"x": "-1000*(x-cos(t))"}, initial={"x": 1}), 10),
}


@pytest.mark.parametrize("name", STIFF)
@pytest.mark.parametrize("rtol", [1e-2, 1e-3, 1e-4, 1e-6, 1e-8])
def test_stiff_samples_are_handed_over(name: str, rtol: float) -> None:
    system, end = STIFF[name]
    run = batch(system, float(end), rtol, "taylor")
    assert run.stiff.all()
    assert (run.status == progress.ARRIVED).all()
    assert run.steps.max() < 3000


@pytest.mark.parametrize("system", [LORENZ, RING], ids=["Lorenz", "ring"])
@pytest.mark.parametrize("rtol", [1e-2, 1e-4, 1e-6, 1e-9])
def test_samples_that_are_not_stiff_are_kept(system: System, rtol: float) -> None:
    assert not batch(system, 50.0, rtol, "taylor").stiff.any()


def first(
    system: System, method: str = "auto", rtol: float = 1e-6, *, watched: bool = False
) -> Any:
    return next(choice.explicit(system.name, system.rates, method, rtol, watched=watched))


def test_series_are_taken_where_their_steps_are_cheap() -> None:
    taylor = steppers.taylor(LORENZ.name, LORENZ.rates)
    assert first(LORENZ) is taylor
    assert first(LORENZ, watched=True) is not taylor
    assert first(LORENZ, "dormand-prince-8") is not taylor
    assert first(RING) is not steppers.taylor(RING.name, RING.rates)
    assert first(RING, "taylor") is steppers.taylor(RING.name, RING.rates)
    switching = System({"x": "where(x > 1, -x, 1)"}, initial={"x": 0})
    assert len(first(switching).system) == 1


def test_what_has_no_series_is_refused_by_name() -> None:
    system = System({"x": "abs(x) - 1"}, initial={"x": 0})
    with pytest.raises(Unsupported, match=r"no recurrence for `Abs\(x\)`"):
        simulate(system, [0, 1], engine=TAYLOR)
    falling = System({"x": "-1"}, initial={"x": 1}, events={"e": Event("x < 0", {"x": 1})})
    with pytest.raises(Unsupported, match="does not watch the conditions"):
        simulate(falling, [0, 5], engine=TAYLOR)


def test_what_happens_by_the_clock_happens_between_series() -> None:
    system = System({"x": "v", "v": "-x"}, initial={"x": 0, "v": 1})
    run = simulate(system.do(Hold("v", 0, during=(1, 2))), [0, 1.5, 3], engine=TAYLOR, rtol=1e-10)
    held = math.sin(1)
    np.testing.assert_allclose(run.x.values[0], [0, held, held * math.cos(1)], atol=1e-8)
