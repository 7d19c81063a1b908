"""Stochastic systems: structure, orders of convergence, noise inside steps, jumps, boundaries."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_continuous_lyapunov

from physcm.mechanism import (
    Hold,
    Impulse,
    InvalidValue,
    Normal,
    NotUnique,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
    Uniform,
    UnknownVariable,
    Unsupported,
    When,
)
from physcm.sim import Jump, System, simulate
from physcm.sim.abduction import abduct, counterfactual
from physcm.sim.modes import Modes
from physcm.sim.plan import SystemPlan
from physcm.sim.stochastic import NoiseStructure, noise_structure, scheme_for
from physcm.sim.stochastic.run import run
from physcm.sim.stochastic.schemes import Increments, Scheme
from physcm.sim.stochastic.wiener import Wiener

GEOMETRIC = System(
    {"x": "a*x"}, parameters={"a": 0.5, "b": 0.8}, noise={"x": "b*x"}, initial={"x": 1}
)
PENDULUM = System({"q": "p", "p": "-sin(q) - p/5"}, noise={"p": "0.4"}, initial={"q": 1, "p": 0})
RELAXING = System(
    {"x": "-x", "y": "x - y"},
    noise={("x", "a"): 0.5, ("y", "a"): 0.2, ("y", "b"): 0.3},
    initial={"x": 1, "y": 0},
)
ROTATING = System(
    {"x": "0", "y": "0"}, noise={("x", "a"): "y", ("y", "b"): "x"}, initial={"x": 1, "y": 1}
)


# Structure


@pytest.mark.parametrize(
    ("noise", "structure", "scheme"),
    [
        ({"x": "1 + sin(t)", ("y", "x"): "k"}, NoiseStructure.ADDITIVE, "sra1"),
        ({"x": "x", "y": "y**2"}, NoiseStructure.COMMUTATIVE, "milstein"),
        ({("x", "w"): "x*y", ("y", "w"): "x"}, NoiseStructure.COMMUTATIVE, "milstein"),
        ({("x", "a"): "y", ("y", "b"): "x"}, NoiseStructure.GENERAL, "euler-maruyama"),
        ({"x": "d"}, NoiseStructure.COMMUTATIVE, "milstein"),
    ],
)
def test_the_structure_of_the_noise_chooses_the_scheme(
    noise: Any, structure: NoiseStructure, scheme: str
) -> None:
    system = System(
        {"x": "0", "y": "0"},
        parameters={"k": 1},
        noise=noise,
        initial={"x": 1, "y": 1},
        algebraic={"d": "2*x"},
    )
    assert noise_structure(system) is structure
    assert scheme_for("auto", [system]) == scheme


@pytest.mark.parametrize("engine", ["milstein", "sra1"])
def test_a_scheme_refuses_noise_that_it_is_not_for(engine: str) -> None:
    with pytest.raises(Unsupported, match="noise, and this is general"):
        simulate(ROTATING, [0, 1], step=0.1, engine=engine)


# Order


def strong_errors(system: System, exact: Any, engine: str, steps: list[float]) -> np.ndarray:
    """Root mean square error at t = 1 with the noise of one fixed path, cut ever finer.

    A run with a small step has other draws than one with a large one; the large one is given
    sums of the small increments instead.
    """
    n, fine = 400, 2**-10
    samples = np.arange(n)
    sources = sorted({source for _, source in system.noise})
    w = Wiener(0, sources, samples, fine, areas=False)
    small = np.stack([w.increments(k, samples).w for k in range(round(1 / fine))], axis=-1)
    reference = exact(small, fine)
    errors = []
    for step in steps:
        many = round(step / fine)
        given_ = small.reshape(len(sources), n, -1, many).sum(axis=-1)
        plan = SystemPlan(Modes(system, samples, 0))
        values = run(plan, np.array([0.0, 1.0]), step, engine, noise=given_).values[:, :, -1]
        errors.append(math.sqrt(((values - reference) ** 2).mean()))
    return np.array(errors)


def geometric_at_1(small: np.ndarray, fine: float) -> np.ndarray:
    w = small.sum(axis=-1)
    return np.exp(0.5 - 0.8**2 / 2 + 0.8 * w)


@pytest.mark.parametrize(("engine", "order"), [("euler-maruyama", 0.5), ("milstein", 1.0)])
def test_the_strong_order_on_geometric_brownian_motion(engine: str, order: float) -> None:
    steps = [2**-3, 2**-5, 2**-7]
    errors = strong_errors(GEOMETRIC, geometric_at_1, engine, steps)
    measured = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert measured == pytest.approx(order, abs=0.15)


def joint_errors(system: System, engine: str, steps: list[float]) -> list[float]:
    """Strong errors at t = 1 against a run with a far smaller step on the same Wiener path.

    The path and its integrals over large steps are put together from those over small ones.
    """
    n, fine, sources = 300, 2**-9, sorted({source for _, source in system.noise})
    samples = np.arange(n)
    wiener = Wiener(1, sources, samples, fine, areas=True)
    parts = [wiener.increments(k, samples) for k in range(round(1 / fine))]
    scheme = Scheme(engine, system, sources)
    x0, p = system.draw(samples, 0)

    def end(step: float) -> np.ndarray:
        many, x = round(step / fine), x0
        for k in range(round(1 / step)):
            w, i0 = np.zeros((2, len(sources), n))
            for part in parts[k * many : (k + 1) * many]:
                i0 = i0 + w * fine + part.i0
                w = w + part.w
            x = scheme.step(k * step, step, x, p, Increments(w, i0))
        return x

    reference = end(fine)
    return [math.sqrt(((end(step) - reference) ** 2).mean()) for step in steps]


@pytest.mark.parametrize(("engine", "order"), [("euler-maruyama", 1.0), ("sra1", 1.5)])
def test_the_strong_order_with_additive_noise(engine: str, order: float) -> None:
    steps = [2**-2, 2**-3, 2**-4, 2**-5]
    errors = joint_errors(PENDULUM, engine, steps)
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] >= order - 0.15


def test_the_weak_order_of_euler_maruyama_is_one() -> None:
    """E X(1) = exp(a); the scheme gives (1 + a h)^(1/h), which is off by O(h)."""
    means = []
    for step in (0.5, 0.25):
        data = simulate(GEOMETRIC, [0, 1], n=200_000, step=step, engine="euler-maruyama")
        means.append(float(data.x[:, -1].mean()))
    bias = [abs(mean - math.exp(0.5)) for mean in means]
    assert bias[0] / bias[1] == pytest.approx(2, abs=0.5)


def test_the_stationary_variance_is_that_of_the_lyapunov_equation() -> None:
    data = simulate(RELAXING, [0, 12], n=20_000, step=0.05)
    a, s = np.array([[-1, 0], [1, -1.0]]), np.array([[0.5, 0], [0.2, 0.3]])
    expected = solve_continuous_lyapunov(a, -s @ s.T)
    found = np.cov(data.x[:, -1], data.y[:, -1])
    np.testing.assert_allclose(found, expected, atol=0.006)


def test_stratonovich_and_its_ito_form_agree() -> None:
    """dX = X o dW is dX = X/2 dt + X dW, and X = exp(W)."""
    strat = System({"x": "0"}, noise={"x": "x"}, initial={"x": 1}, calculus="stratonovich")
    ito = System({"x": "x/2"}, noise={"x": "x"}, initial={"x": 1})
    options: dict[str, Any] = {"n": 5, "step": 0.01}
    a, b = simulate(strat, [0, 1], **options), simulate(ito, [0, 1], **options)
    np.testing.assert_allclose(a.x, b.x, rtol=1e-12)
    w = Wiener(0, ["x"], np.arange(5), 0.01, areas=False)
    total = sum(w.increments(k, np.arange(5)).w[0] for k in range(100))
    np.testing.assert_allclose(a.x[:, -1], np.exp(total), rtol=0.1)


# Noise inside steps


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
@settings(max_examples=25)
def test_pieces_of_a_step_add_up(a: float, b: float) -> None:
    a, b = sorted((a, b))
    w = Wiener(3, ["s"], np.arange(4), 0.5, areas=False)
    columns = np.arange(4)
    parts = [w.piece(7, columns, u, v).w for u, v in ((0.0, a), (a, b), (b, 1.0)) if u < v]
    np.testing.assert_allclose(sum(parts), w.increments(7, columns).w, atol=1e-12)


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=4, unique=True))
@settings(max_examples=25)
def test_the_integrals_over_pieces_of_a_step_add_up(cuts: list[float]) -> None:
    wiener, columns = Wiener(3, ["s", "r"], np.arange(4), 0.5, areas=True), np.arange(4)
    w, integral = np.zeros((2, 2, 4))
    for begin, end in itertools.pairwise([0.0, *sorted(cuts), 1.0]):
        part = wiener.piece(7, columns, begin, end)
        integral = integral + (end - begin) * 0.5 * w + part.i0
        w = w + part.w
    whole = wiener.increments(7, columns)
    np.testing.assert_allclose(w, whole.w, atol=1e-12)
    np.testing.assert_allclose(integral, whole.i0, atol=1e-12)


def test_the_integral_over_a_piece_has_the_law_of_a_wiener_process() -> None:
    """I = h/2 W + h H with Var H = h/12, H independent of W."""
    samples = np.arange(40_000)
    part = Wiener(0, ["s"], samples, 2.0, areas=True).piece(0, samples, 0.3, 0.7)
    distance = part.i0[0] / 0.8 - part.w[0] / 2
    assert distance.var() == pytest.approx(0.8 / 12, rel=0.03)
    assert np.corrcoef(distance, part.w[0])[0, 1] == pytest.approx(0, abs=0.015)


def test_an_intervention_inside_a_step_leaves_what_it_does_not_reach_alone() -> None:
    """The scheme for additive noise integrates y' = x exactly, in one piece or in several."""
    system = System(
        {"x": "0", "y": "x", "z": "-z"}, noise={"x": 1}, initial={"x": 0, "y": 0, "z": 1}
    )
    cut = system.do(Impulse("z", 1, at=0.61), Hold("z", 2, during=(0.66, 1.13)))
    free, done = (simulate(s, [0, 1, 2], n=3, step=0.25, engine="sra1") for s in (system, cut))
    np.testing.assert_allclose(done.y, free.y, rtol=1e-12)
    np.testing.assert_allclose(done.x, free.x, rtol=1e-12)


def test_a_path_inside_a_step_is_a_brownian_bridge() -> None:
    samples = np.arange(40_000)
    w = Wiener(0, ["s"], samples, 2.0, areas=False)
    third = w.piece(0, samples, 0.0, 1 / 3).w[0]
    rest = w.piece(0, samples, 1 / 3, 1.0).w[0]
    assert third.var() == pytest.approx(2 / 3, rel=0.03)
    assert rest.var() == pytest.approx(4 / 3, rel=0.03)
    assert np.corrcoef(third, rest)[0, 1] == pytest.approx(0, abs=0.015)


def test_saving_more_often_changes_nothing() -> None:
    few = simulate(PENDULUM, [0, 1, 2], n=3, step=0.1)
    many = simulate(PENDULUM, [0, 0.33, 0.5, 1, 1.77, 2], n=3, step=0.1)
    np.testing.assert_array_equal(few.q, many.q.sel(time=[0, 1, 2]))


def test_sample_k_of_many_is_sample_k_alone() -> None:
    many = simulate(RELAXING, [0, 1], n=6, step=0.1)
    few = simulate(RELAXING, [0, 1], n=2, step=0.1)
    np.testing.assert_array_equal(many.x[:2], few.x)


def test_an_intervention_inside_a_step_leaves_later_noise_alone() -> None:
    walk = System({"x": "0"}, noise={"x": 1}, initial={"x": 0})
    free = simulate(walk, [0, 1, 2], n=3, step=0.25)
    kicked = simulate(walk.do(Impulse("x", 5, at=0.6)), [0, 1, 2], n=3, step=0.25)
    np.testing.assert_allclose(kicked.x - free.x, [[0, 5, 5]] * 3, atol=1e-12)


def test_steps_end_exactly_where_windows_and_impulses_are() -> None:
    held = RELAXING.do(Hold("x", 3, during=(0.333, 0.777)), Impulse("y", 1, at=0.5))
    data = simulate(held, [0, 0.333, 0.5, 0.776, 1], n=2, step=0.1)
    assert (data.x[:, 1:4] == 3).all()
    np.testing.assert_allclose(data.instant_time, [[0.333, 0.5, 0.777]] * 2)
    np.testing.assert_allclose(data["after(y)"][:, 1] - data["before(y)"][:, 1], 1)


def test_a_window_may_hold_the_only_state() -> None:
    walk = System({"x": "-x"}, noise={"x": 1}, initial={"x": 2})
    data = simulate(walk.do(Hold("x", 1, during=(0.3, 0.5))), [0, 0.2, 0.4, 0.6], n=20, step=0.1)
    assert (data.x[:, 2] == 1).all()
    assert len(np.unique(data.x[:, 1])) == len(np.unique(data.x[:, 3])) == 20


def test_a_trigger_is_located_on_the_path() -> None:
    walk = System({"x": "1"}, noise={"x": 0.5}, initial={"x": 0})
    data = simulate(walk.do(When("x > 1", Impulse("x", -1), rearm=0)), [0, 4], n=5, step=0.1)
    before = data["before(x)"].values
    np.testing.assert_allclose(before[np.isfinite(before)], 1, atol=1e-4)


# Jumps and boundaries


def test_a_compound_poisson_process_has_its_moments() -> None:
    jumps = {"claim": Jump("r", {"x": Normal(2, 1)})}
    system = System({"x": "0"}, parameters={"r": 3}, initial={"x": 0}, jumps=jumps)
    x = simulate(system, [0, 4], n=1000, step=1).x[:, -1]
    count = 3 * 4
    assert float(x.mean()) == pytest.approx(2 * count, abs=4 * math.sqrt(5 * count / 1000))
    assert float(x.var()) == pytest.approx(5 * count, rel=0.15)


def test_jumps_come_at_exponential_intervals_and_are_shared_with_an_intervened_run() -> None:
    jumps = {"claim": Jump("2", {"x": Normal(0, 1)})}
    system = System({"x": "-x", "y": "x"}, initial={"x": 0, "y": 0}, jumps=jumps)
    free = simulate(system, [0, 50], n=20, step=0.5)
    gaps = np.diff(free.instant_time, axis=1, prepend=0).ravel()
    gaps = gaps[np.isfinite(gaps)]
    assert gaps.mean() == pytest.approx(0.5, rel=0.05)
    assert gaps.std() == pytest.approx(0.5, rel=0.07)
    done = simulate(system.do(Shift("y", 1)), [0, 50], n=20, step=0.5)
    np.testing.assert_allclose(free["after(x)"], done["after(x)"])


def test_a_rate_that_depends_on_the_state_stops_the_jumps_where_it_is_zero() -> None:
    jumps = {"decay": Jump("x", {"x": -1})}
    system = System({"x": "0"}, initial={"x": 5}, jumps=jumps)
    data = simulate(system, [0, 1, 30], n=500, step=0.1)
    assert float(data.x[:, 1].mean()) == pytest.approx(5 * math.exp(-1), rel=0.1)
    assert (data.x[:, 2] == 0).all()


def test_a_reflected_state_stays_in_its_bounds_with_its_own_law() -> None:
    system = System(
        {"x": "0"}, noise={"x": 1}, initial={"x": 0.2}, bounds={"x": (0, 1)}, reflected=["x"]
    )
    x = simulate(system, np.linspace(0, 4, 41), n=4000, step=0.01).x.values
    assert x.min() >= 0
    assert x.max() <= 1
    assert x[:, -1].mean() == pytest.approx(0.5, abs=0.02)
    assert x[:, -1].var() == pytest.approx(1 / 12, rel=0.05)


def test_nothing_is_clipped_in_silence() -> None:
    system = System({"x": "0"}, noise={"x": 1}, initial={"x": 0.2}, bounds={"x": (0, 1)})
    assert simulate(system, [0, 4], n=50, step=0.1).x.min() < 0


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"reflected": ["x"]}, InvalidValue, "`x` has no bounds to be reflected at"),
        ({"reflected": ["w"]}, UnknownVariable, "reflected: `w` is no state"),
        ({"jumps": {"j": Jump("w", {"x": 1})}}, UnknownVariable, "jump `j`, rate: unknown name"),
        ({"jumps": {"j": Jump("1", {"w": 1})}}, UnknownVariable, "jump `j` changes `w`"),
        ({"jumps": {"j": 3}}, InvalidValue, r"jump `j` is `3`; give a Jump"),
    ],
)
def test_what_makes_no_sense_is_refused(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        System({"x": "0"}, initial={"x": 1}, **change)


def test_a_sample_that_is_lost_is_not_revived_by_an_intervention() -> None:
    system = System({"x": "log(0.5 - t)"}, noise={"x": 0.1}, initial={"x": 1})
    revived = system.do(Hold("x", 1, during=(0.93, 1.3)), Hold("x", 2, during=(1.5, 9)))
    for step in (0.1, 1.0):
        run = simulate(revived, [0, 0.5, 1, 2], step=step)
        assert np.isnan(run.x.values[0]).tolist()[2:] == [True, True]
        assert run.status.item() != 0


# Abduction


def seen(system: System, n: int = 3) -> Any:
    return simulate(system, np.linspace(0, 2, 41), n=n, step=0.05, engine="euler-maruyama")


def test_abduction_recovers_the_noise() -> None:
    noise = abduct(RELAXING, seen(RELAXING))
    w = Wiener(0, ["a", "b"], np.arange(3), 0.05, areas=False)
    for k in range(40):
        np.testing.assert_allclose(
            noise[:, :, k], w.increments(k, np.arange(3)).w, rtol=1e-9, atol=1e-12
        )


def test_doing_nothing_reproduces_the_trajectory_to_rounding() -> None:
    data = seen(RELAXING)
    again = counterfactual(RELAXING, data)
    np.testing.assert_allclose(again.x, data.x, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(again.y, data.y, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "do", [Hold("x", 2), Hold("x", 2, during=(0.5, 1)), ScaleNoise("y", 0.5), Impulse("x", 1, at=1)]
)
def test_a_counterfactual_is_the_run_that_the_same_noise_would_have_given(do: Any) -> None:
    data = seen(RELAXING)
    imagined, performed = counterfactual(RELAXING, data, do), seen(RELAXING.do(do))
    np.testing.assert_allclose(imagined.y, performed.y, rtol=1e-9, atol=1e-11)


COMPUTED = System(
    {"x": "m - k*x", "y": "x - y**3"},
    parameters={"k": Uniform(0.5, 2), "m": "2*k"},
    initial={"x": "m", "y": Normal(0, 1)},
    noise={("x", "a"): "0.3*m", ("y", "a"): 0.1, ("y", "b"): "0.2*sin(t)"},
)


@pytest.mark.parametrize(
    "do",
    [
        SetParameter(k=3),
        SetParameter(k=3, during=(0.512, 1.033)),
        SetParameter(m=[1, 2, 3]),
        Hold("y", "x + sin(t)", during=(0.512, 1.033)),
        Hold("y", Normal(0, 1)),
        Replace("x", "-x"),
        Shift("x", [1, 2, 3]),
        ScaleNoise("x", 0),
        When("x > 2.5", Impulse("x", -1), rearm=0),
    ],
)
def test_in_a_counterfactual_what_is_computed_from_a_changed_value_follows(do: Any) -> None:
    """The noise of y by b vanishes at t = 0, and the parameters differ between samples."""
    imagined, performed = counterfactual(COMPUTED, seen(COMPUTED), do), seen(COMPUTED.do(do))
    for name in ("x", "y", "m"):
        np.testing.assert_allclose(imagined[name], performed[name], rtol=1e-9, atol=1e-11)


def test_states_of_very_different_size_are_no_obstacle_to_abduction() -> None:
    system = System(
        {"x": "-x", "y": "-y"}, initial={"x": 1e-16, "y": 1e3}, noise={"x": 1e-17, "y": 10}
    )
    data = seen(system)
    np.testing.assert_allclose(counterfactual(system, data).x, data.x, rtol=1e-12)


def test_one_observed_trajectory_needs_no_sample_dimension() -> None:
    data = seen(RELAXING)
    alone = counterfactual(RELAXING, data.isel(sample=1, drop=True), x=2)
    np.testing.assert_allclose(alone.y[0], seen(RELAXING.do(x=2)).y[1], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "do",
    [
        Hold("x", Normal(1, 1), during=(0.213, 1.037)),
        Impulse("y", (1.0, 2.0, 3.0, 4.0), at=0.777),
        SetParameter(k=Uniform(1, 2)),
    ],
    ids=repr,
)
def test_some_samples_of_a_counterfactual_are_what_they_are_among_all(do: Any) -> None:
    data = seen(COMPUTED, n=4)
    whole = counterfactual(COMPUTED, data, do)
    some = counterfactual(COMPUTED, data.isel(sample=[3, 1]), do)
    for name in ("x", "y"):
        np.testing.assert_allclose(some[name], whole[name][[3, 1]], rtol=1e-12)
    assert some.sample.values.tolist() == [3, 1]


def test_abduction_says_what_it_cannot_tell() -> None:
    with pytest.raises(Unsupported, match="depends on its state"):
        abduct(GEOMETRIC, seen(GEOMETRIC))
    twice = System({"x": "0"}, noise={("x", "a"): 1, ("x", "b"): 1}, initial={"x": 0})
    with pytest.raises(NotUnique, match="cannot be told apart"):
        abduct(twice, seen(twice))
    data = seen(PENDULUM)
    with pytest.raises(InvalidValue, match="no noise moves `q` as observed"):
        abduct(PENDULUM, data.assign(q=data.q + data.time**2))
    with pytest.raises(InvalidValue, match="no even grid"):
        abduct(PENDULUM, data.isel(time=[0, 1, 3]))
    with pytest.raises(UnknownVariable, match="`p` was not observed"):
        abduct(PENDULUM, data.drop_vars("p"))
    with pytest.raises(UnknownVariable, match="random parameter `k` was not observed"):
        abduct(COMPUTED, seen(COMPUTED).drop_vars("k"))
