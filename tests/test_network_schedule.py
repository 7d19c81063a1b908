"""Interventions over time on a network: what they do to its expanded system, they do to it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import expm

from physcm.mechanism import (
    Hold,
    Impulse,
    InvalidValue,
    Normal,
    ParseError,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
    Uniform,
    UnknownVariable,
    Unsupported,
    When,
)
from physcm.mechanism.interventions import label
from physcm.scm import SCM
from physcm.sim import CutEdge, Network, RescaleEdge, Scipy, System, simulate
from physcm.sim.network import simulate_network
from physcm.sim.network.names import flat
from physcm.sim.status import RunStatus

Floats = NDArray[np.float64]

# A ring of three with a shortcut; c also acts on itself.
EDGES = [("a", "b"), ("b", "c"), ("c", "a"), ("a", "c"), ("c", "c")]
FORM = {"x": "k*tanh(inputs) - x + r/4", "y": "x - d*y"}
NOISE: dict[Any, str] = {"x": "0.2 + 0.1*y", ("y", "x"): "0.1"}
TIMES = np.linspace(0, 4, 17)


def ring(**options: Any) -> Network:
    graph = nx.DiGraph()
    graph.add_nodes_from("abc")
    graph.add_weighted_edges_from((i, j, 1 + 0.5 * n) for n, (i, j) in enumerate(EDGES))
    given: dict[str, Any] = {
        "initial": {"x": Normal(0, 1), "y": "x + k"},
        "node_parameters": {"k": [1, -1, Uniform(1, 2)]},
        "parameters": {"d": Uniform(0.5, 1.5)},
        "algebraic": {"r": "x*y/(1 + x**2 + y**2) + k"},
    }
    return System.from_network(FORM, "weight*sin(r_cause - x_effect)", graph, **given | options)


# Windows, impulses and triggers of all kinds.

quarters = st.integers(0, 15).map(lambda n: n / 4)
edges = st.sampled_from(["0.3", "d", "k[c]/2"]) | st.floats(0.1, 3.9).map(lambda v: round(v, 2))
windows = st.tuples(edges, st.floats(0.3, 4).map(lambda v: round(v, 2))).map(
    lambda w: (w[0], f"{w[0]} + {w[1]}")
)
nodes = st.sampled_from("abc")
pairs = st.sampled_from(EDGES)


def at(variables: str) -> st.SearchStrategy[str]:
    return st.builds(lambda v, node: f"{v}[{node}]", st.sampled_from(variables), nodes)


def acting(during: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What may act in a window."""
    content = st.sampled_from([0.5, -1, "1 + k*t/4", "y/2", [0.1, 0.2], Normal(1, 2)])
    parameters: list[dict[str, Any]] = [
        {"d": 0.7}, {"k[a]": 2}, {"k": 0.3}, {"k": [1, 2, Normal(0, 1)]}, {"weight": -1},
        {"weight[a -> b]": Uniform(0, 1)},
    ]  # fmt: skip
    return st.one_of(
        st.builds(Hold, at("x"), content, during=during),
        st.builds(Hold, at("y"), st.sampled_from([0.5, "sin(t)", Normal(0, 1)]), during=during),
        st.builds(Shift, at("xyr"), st.sampled_from([0.5, "cos(t)", [1, 2]]), during=during),
        st.builds(
            Replace, at("x"), st.sampled_from(["-2*x + d", "y - x + inputs/2"]), during=during
        ),
        st.builds(SetParameter, st.sampled_from(parameters), during=during),
        st.builds(lambda pair, during: CutEdge(*pair, during=during), pairs, during),
        st.builds(lambda pair, during: RescaleEdge(*pair, -2, during=during), pairs, during),
    )


impulses = st.builds(
    Impulse, at("xy"), st.sampled_from([1, "x/2 - k", Normal(0, 1), [1, -1]]), at=edges
)
conditions = st.sampled_from(["x[a] > 0.3", "x[b] - y[c]", "r[c] < 1 and t > d", "sin(3*t) > 0.5"])
triggers = st.builds(
    When,
    conditions,
    acting(st.just((0, 0.6)) | st.none()) | st.builds(Impulse, at("xy"), st.just("-x/2")),
    direction=st.sampled_from(["up", "down", "both"]),
    rearm=st.none() | st.just(0),
)
schedules = st.lists(
    st.one_of(acting(windows), acting(windows), impulses, acting(st.none())), min_size=1, max_size=5
)


def as_expanded(network: Network, run: xr.Dataset) -> dict[str, Floats]:
    """Return the trajectories of a network by their names in its expanded system."""
    return {
        flat(v, node): run[v].sel(node=node).values
        for v in network.variables
        for node in network.nodes
    }


def assert_same(network: Network, run: xr.Dataset, expected: xr.Dataset, tolerance: float) -> None:
    """Compare a run to that of the expanded system, instants included."""
    for name, values in as_expanded(network, run).items():
        np.testing.assert_allclose(values, expected[name], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(run.instant_time, expected.instant_time, atol=tolerance)
    for side in ("before", "after"):
        for v in network.variables:
            for node in network.nodes:
                values = run[f"{side}({v})"].sel(node=node)
                name = f"{side}({flat(v, node)})"
                np.testing.assert_allclose(values, expected[name], rtol=tolerance, atol=tolerance)


@settings(max_examples=6, deadline=None)
@given(schedules)
def test_a_run_is_that_of_the_expanded_system(do: list[Any]) -> None:
    network = ring().do(Shift("x[a]", 0.1, during=(0, 1)), *do)
    system = network.expanded(2, seed=3)
    run = simulate_network(network, TIMES, n=2, seed=3)
    assert_same(network, run, simulate(system, TIMES, n=2, seed=3, engine="scipy"), 1e-5)


@settings(max_examples=6, deadline=None)
@given(schedules, st.sampled_from([0.25, 0.1]))
def test_a_noisy_run_is_that_of_the_expanded_system_draw_by_draw(
    do: list[Any], step: float
) -> None:
    scaled = ScaleNoise("x[b]", 0.5, during=(0.6, 2.2))
    network = ring(noise=NOISE).do(scaled, *do)
    system = network.expanded(2, seed=3)
    options: dict[str, Any] = {"n": 2, "seed": 3, "step": step, "engine": "euler-maruyama"}
    run = simulate_network(network, TIMES, **options)
    assert_same(network, run, simulate(system, TIMES, **options), 1e-8)


@pytest.mark.parametrize("noise", [{}, NOISE], ids=["ode", "sde"])
@settings(max_examples=4, deadline=None)
@given(triggers, triggers, schedules)
def test_triggers_are_those_of_the_expanded_system(
    noise: dict[Any, str], one: When, other: When, do: list[Any]
) -> None:
    network = ring(noise=noise).do(one, *do[:2], other)
    options: dict[str, Any] = {"n": 2, "seed": 3}
    engine: dict[str, Any] = {"engine": "scipy"}
    if noise:
        options["step"], engine["engine"] = 0.1, "euler-maruyama"
    run = simulate_network(network, TIMES, **options)
    expected = simulate(network.expanded(2, seed=3), TIMES, **options, **engine)
    assert_same(network, run, expected, 1e-6 if noise else 2e-5)


@settings(max_examples=6, deadline=None)
@given(schedules, triggers)
def test_a_schedule_survives_its_text(do: list[Any], trigger: When) -> None:
    network = ring(noise=NOISE).do(*do, trigger)
    again = Network.from_json(network.to_json())
    assert again.to_json() == network.to_json()
    assert again.expanded() == network.expanded()


@settings(max_examples=6, deadline=None)
@given(schedules)
def test_a_schedule_changes_no_graph(do: list[Any]) -> None:
    permanent = [one for one in do if not isinstance(one, Impulse) and one.during is None]
    network = ring().do(Shift("x[a]", 0.1, during=(0, 1)), *do)
    names = {f"{v}[{node}]": flat(v, node) for v in network.variables for node in network.nodes}
    graph = nx.relabel_nodes(network.graph(), names)
    assert set(graph.edges) == set(network.expanded().graph().edges)
    if not permanent:
        assert set(network.graph().edges) == set(ring().graph().edges)


# Closed forms.

GRAPH = nx.gnm_random_graph(8, 14, seed=3)
LAPLACIAN = nx.laplacian_matrix(GRAPH).toarray().astype(float)
START = np.random.default_rng(0).normal(size=8)


def consensus(**options: Any) -> Network:
    """x' = -L x."""
    return System.from_network(
        {"x": "inputs"}, "x_cause - x_effect", GRAPH, initial={"x": START}, **options
    )


@pytest.mark.parametrize("method", ["LSODA", "DOP853", "BDF"])
def test_a_node_held_in_a_window_pulls_the_others_and_is_released_where_it_was(method: str) -> None:
    network = consensus().do(Hold("x[2]", 3, during=(0.5, 1.5)))
    times = np.array([0, 0.3, 0.5, 1, 1.5, 3])
    run = simulate_network(network, times, engine=Scipy(method), rtol=1e-9)
    held = LAPLACIAN.copy()
    held[2] = 0
    begin = expm(-LAPLACIAN * 0.5) @ START
    begin[2] = 3
    end = expm(-held) @ begin
    exact = [
        START,
        expm(-LAPLACIAN * 0.3) @ START,
        begin,
        expm(-held * 0.5) @ begin,
        end,
        expm(-LAPLACIAN * 1.5) @ end,
    ]
    np.testing.assert_allclose(run.x[0], exact, rtol=1e-6, atol=1e-7)


def test_an_impulse_at_a_node_decays_along_the_eigenmodes() -> None:
    amount, at_time, times = 2.5, 0.75, np.array([0, 0.5, 0.75, 1, 2, 5])
    kicked = simulate_network(consensus().do(Impulse("x[4]", amount, at=at_time)), times, rtol=1e-9)
    values, modes = np.linalg.eigh(LAPLACIAN)
    for k, t in enumerate(times):
        free = modes @ (np.exp(-values * t) * (modes.T @ START))
        added = modes @ (np.exp(-values * (t - at_time)) * modes[4]) * amount
        exact = free + (added if t >= at_time else 0)
        np.testing.assert_allclose(kicked.x[0, k], exact, rtol=1e-6, atol=1e-7)


def test_an_edge_is_cut_or_rescaled_while_its_window_lasts() -> None:
    a = np.array([[0, 2.0, 1], [0, 0, 3], [1, 0, 0]])
    network = System.from_network(
        {"x": "inputs - x"}, "weight*x_cause", a, initial={"x": [1, 2, 3]}
    )
    network = network.do(CutEdge(0, 1, during=(0.5, 2)), RescaleEdge(1, 2, 0.5, during=(1, 2)))
    run = simulate_network(network, [0, 0.5, 1, 2, 3], rtol=1e-9)
    cut, both = a.copy(), a.copy()
    cut[0, 1] = both[0, 1] = 0
    both[1, 2] /= 2
    x = np.array([1.0, 2, 3])
    for k, (span, now) in enumerate([(0.5, a), (0.5, cut), (1, both), (1, a)]):
        x = expm((now.T - np.eye(3)) * span) @ x
        np.testing.assert_allclose(run.x[0, k + 1], x, rtol=1e-6)


def test_an_edge_that_is_cut_twice_at_once_is_cut() -> None:
    cuts = [CutEdge("a", "b", during=window) for window in ((1, 3), (2, 4))]
    twice, once = (
        simulate_network(ring().do(*do), [0, 2.5, 4, 5])
        for do in (cuts, [CutEdge("a", "b", during=(1, 4))])
    )
    np.testing.assert_allclose(twice.x, once.x, rtol=1e-6)


def test_a_node_that_integrates_and_fires_has_its_period_and_kicks_its_neighbor() -> None:
    """V' = 1.5 - V from 0 reaches 1 after log 3; each firing adds 0.1 to the neighbor."""
    network = System.from_network(
        {"V": "drive - V + inputs"},
        "0",
        nx.path_graph(["one", "two"]),
        node_parameters={"drive": [1.5, 0]},
        initial={"V": 0},
    )
    fires = When("V[one] > 1", Impulse("V[one]", -1), rearm=0)
    reached = When("V[one] > 1", Impulse("V[two]", 0.1), rearm=0)
    run = simulate_network(network.do(reached, fires), [0, 10], rtol=1e-10)
    period, count = math.log(3), math.floor(10 / math.log(3))
    times = period * np.arange(1, count + 1)
    np.testing.assert_allclose(run.instant_time[0], times, rtol=1e-7)
    exact = 0.1 * np.exp(-(10 - times)).sum()
    assert float(run.V[0, -1, 1]) == pytest.approx(exact, rel=1e-6)


def test_a_thermostat_at_a_node_switches_with_hysteresis_when_the_closed_form_says() -> None:
    """T' = (5 - T)/10 + 3u between 19 and 21, as `tests/test_triggers.py` has it."""
    network = System.from_network(
        {"T": "(5 - T)/10 + 3*u + inputs"},
        "0",
        nx.path_graph(3),
        node_parameters={"u": 1},
        initial={"T": 10},
    )
    off = When("T[1] > 21", SetParameter({"u[1]": 0}), rearm=1)
    on = When("T[1] < 19", SetParameter({"u[1]": 1}), rearm=1)
    run = simulate_network(network.do(off, on), [0, 60])
    first, swing = 10 * math.log(25 / 14), 10 * math.log(16 / 14)
    expected = first + swing * np.arange(run.sizes["instant"])
    np.testing.assert_allclose(run.instant_time[0], expected, rtol=1e-6)
    assert run.sizes["instant"] == 1 + math.floor((60 - first) / swing)
    untouched = 35 - 25 * math.exp(-6)
    np.testing.assert_allclose(run["T"][0, -1, [0, 2]], untouched, rtol=1e-6)


# Instants, order and noise.


def test_the_value_saved_at_an_instant_is_the_one_after_and_the_one_before_is_kept() -> None:
    network = consensus(algebraic={"double": "2*x"}).do(
        Hold("x[0]", 7, during=(1, 2)), Impulse("x[1]", 1, at=1)
    )
    run = simulate_network(network, [0, 1, 3])
    assert run.x[0, 1, 0] == 7
    assert run.double[0, 1, 0] == 14
    assert run.instant_time.values.tolist() == [[1, 2]]
    assert run["before(x)"].dims == ("sample", "instant", "node")
    assert run["after(x)"][0, 0, 0] == 7
    free = simulate_network(consensus(), [0, 1])
    np.testing.assert_allclose(run["before(x)"][0, 0], free.x[0, 1], rtol=1e-7)
    np.testing.assert_allclose(run.x[0, 1, 1] - run["before(x)"][0, 0, 1], 1, rtol=1e-7)


def test_of_two_holds_of_a_node_the_later_wins_and_the_earlier_has_it_back() -> None:
    network = consensus().do(Hold("x[0]", 1, during=(0, 3)), Hold("x[0]", 2, during=(1, 2)))
    run = simulate_network(network, [0, 0.5, 1, 1.5, 2, 2.5])
    assert run.x[0, :, 0].values.tolist() == [1, 1, 2, 2, 1, 1]
    assert run["do(x, 2)"].dims == ("node",)


def test_triggered_parameters_of_all_and_of_one_node_are_done_in_the_order_of_triggering() -> None:
    """The parameter of one node is set first, then that of all, and then again."""
    network = System.from_network(
        {"x": "k + inputs"}, "0", nx.path_graph(2), node_parameters={"k": 0},
        initial={"x": 0},
    ).do(
        When("t > 2", SetParameter(k=1)),
        When("(t > 1 and t < 1.5) or t > 3", SetParameter({"k[0]": 10}), rearm=0),
    )  # fmt: skip
    run = simulate_network(network, [0, 1, 2, 3, 4], rtol=1e-9)
    np.testing.assert_allclose(run.x[0, :, 0], [0, 0, 10, 11, 21], atol=1e-6)
    np.testing.assert_allclose(run.x[0, :, 1], [0, 0, 0, 1, 2], atol=1e-6)


def test_a_node_is_held_by_name_or_by_position() -> None:
    runs = [
        simulate_network(ring().do(Hold(name, 1, during=(1, 2))), TIMES)
        for name in ("x[b]", "x[1]")
    ]
    assert runs[0].identical(runs[1])


def test_what_is_permanent_and_comes_first_changes_the_mechanisms() -> None:
    network = ring().do(Hold("x[a]", 1), CutEdge("b", "c"), Hold("x[b]", 1, during=(0, 1)))
    assert network.schedule == (Hold("x[b]", 1.0, during=(0, 1)),)
    assert network.do(Hold("x[c]", 2)).schedule[-1] == Hold("x[c]", 2.0)
    assert len(network.wiring) == len(EDGES) - 1


@pytest.mark.parametrize("begin", [1, 1.03], ids=["on the grid", "inside a step"])
@pytest.mark.parametrize(
    "do",
    [
        lambda window: Hold("x[b]", 1, during=window),
        lambda window: CutEdge("a", "b", during=window),
        lambda window: Impulse("y[a]", 1, at=window[0]),
    ],
    ids=["hold", "cut", "impulse"],
)
def test_before_a_window_all_is_exactly_as_without_it(do: Callable[..., Any], begin: float) -> None:
    network = ring(noise=NOISE, initial={"x": Normal(0, 1), "y": 1})
    free = simulate_network(network, TIMES, n=4, step=0.05)
    done = simulate_network(network.do(do((begin, 2))), TIMES, n=4, step=0.05)
    before, after = begin > TIMES, TIMES > 1.5
    for v in ("x", "y"):
        assert free[v][:, before].equals(done[v][:, before])
        assert (free[v] != done[v])[:, after].any("node").all()


def test_an_instant_at_which_nothing_changes_moves_no_noise() -> None:
    network = ring(noise={"x": "0.3"}, node_parameters={"k": 1})
    free = simulate_network(network, TIMES, n=2, step=0.05)
    nothing = simulate_network(
        network.do(Impulse("x[a]", 0, at=0.333), Impulse("x[a]", 0, at=1)), TIMES, n=2, step=0.05
    )
    # The step around 0.333 is taken in two pieces; all noise is as it was.
    np.testing.assert_allclose(free.x, nothing.x, atol=2e-2)
    later = np.abs(free.x - nothing.x).max(["sample", "node"])
    assert later[-1] < 1e-3


def test_the_noise_and_mechanism_of_a_held_node_have_no_influence_while_it_is_held() -> None:
    hold = Hold("x[b]", 1, during=(0, 5))
    one, other = (
        simulate_network(ring(noise=NOISE).do(*more, hold), TIMES, n=2, step=0.1)
        for more in ([], [Replace("x[b]", "7*x"), ScaleNoise("x[b]", 9)])
    )
    for v in ("x", "r"):
        np.testing.assert_allclose(one[v], other[v], rtol=1e-12)


def test_times_between_the_steps_can_be_saved() -> None:
    network = ring(noise=NOISE)
    few, many = (
        simulate_network(network, t, n=2, step=0.1) for t in ([0, 1, 2], [0, 0.512, 1, 1.77, 2])
    )
    assert few.x.equals(many.x.sel(time=[0, 1, 2]))
    expected = simulate(network.expanded(2), many.time, n=2, step=0.1, engine="euler-maruyama")
    np.testing.assert_allclose(many.x.sel(node="b"), expected.x_b, rtol=1e-9)


@pytest.mark.parametrize("noise", [{}, NOISE], ids=["ode", "sde"])
def test_sample_k_of_a_larger_run_under_a_schedule_is_that_of_a_smaller_one(
    noise: dict[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = ring(noise=noise).do(
        Hold("x[b]", Normal(0, 1), during=("0.3", "d + 1")),
        Impulse("y[c]", Normal(0, 1), at="k[c]"),
        SetParameter(weight=Uniform(1, 2), during=(1, 2)),
        When("x[a] > 0", Shift("x[c]", 1, during=(0, 0.5)), rearm=0.1),
    )
    large, small = (simulate_network(network, TIMES, n=n, seed=5, step=0.1) for n in (5, 2))
    for name in ("x", "y", "r", "do(x)", "impulse(y[c])"):
        assert large[name].isel(sample=slice(2)).equals(small[name])
    monkeypatch.setattr("physcm.sim.network.simulate._AT_ONCE", 8)
    assert simulate_network(network, TIMES, n=5, seed=5, step=0.1).identical(large)


@pytest.mark.parametrize("noise", [{}, NOISE], ids=["ode", "sde"])
def test_the_attributes_suffice_to_repeat_a_run_under_a_schedule(noise: dict[Any, str]) -> None:
    network = ring(noise=noise).do(
        SetParameter({"k": [1, 2, Normal(0, 1)]}, during=(1, 2)), CutEdge("a", "b", during=(1, 3))
    )
    run = simulate_network(network, TIMES, n=2, seed=9, step=0.1)
    told = run.attrs
    options: dict[str, Any] = {"engine": told["engine"], "step": told.get("step")}
    if not noise:
        options = {"engine": Scipy(told["method"]), "rtol": told["rtol"]}
        options["atol"] = json.loads(told["atol"])
    again = Network.from_json(told["network"])
    assert simulate_network(again, TIMES, n=2, seed=told["seed"], **options).identical(run)


def test_a_node_without_states_in_a_window_waits() -> None:
    network = System.from_network({"x": "1 + inputs"}, "0", np.eye(1), initial={"x": 0})
    run = simulate_network(network.do(Hold("x[0]", 5, during=(1, 2))), [0, 1, 1.5, 2, 3])
    np.testing.assert_allclose(run.x[0, :, 0], [0, 5, 5, 5, 6], rtol=1e-7)


def test_a_replaced_mechanism_lets_a_held_node_go_from_where_it_is() -> None:
    network = consensus().do(Hold("x[0]", 2)).do(Replace("x[0]", "-x", during=(1, 2)))
    run = simulate_network(network, [0, 1, 1.5, 2])
    np.testing.assert_allclose(run.x[0, :, 0], [2, 2, 2 * math.exp(-0.5), 2], rtol=1e-6)


def test_an_impulse_that_lifts_a_node_out_of_the_domain_is_reported_by_name() -> None:
    network = System.from_network(
        {"x": "sqrt(x) - 1 + inputs/9"}, "x_cause", nx.path_graph(["a", "b"]), initial={"x": 1}
    ).do(Impulse("x[b]", "log(-x)", at=1))
    run = simulate_network(network, [0, 0.5, 1, 2])
    assert run.status.item() == RunStatus.STOPPED
    assert "sample 0: at t = 1 `x[b]` has no finite value" in run.attrs["trouble"]


def test_what_happens_again_and_again_meets_the_step_limit() -> None:
    network = System.from_network(
        {"h": "v + inputs", "v": "-10"}, "0", nx.path_graph(2), initial={"h": 5, "v": 0}
    ).do(When("h[0] < 0", Impulse("v[0]", "-1.5*v"), rearm=0))
    run = simulate_network(network, [0, 1, 10])
    assert run.status.item() == RunStatus.STEP_LIMIT
    assert "again and again without end" in run.attrs["trouble"]


# Misuse.


@pytest.mark.parametrize(
    ("do", "error", "message"),
    [
        (Hold("x[a]", 1, during=(2, 1)), InvalidValue, r"during is `\(2, 1\)`; the window must"),
        (CutEdge("a", "b", during=(2, 1)), InvalidValue, r"during is `\(2, 1\)`; the window must"),
        (Hold("x[a]", 1, during=3), InvalidValue, "during is `3`; give the two ends"),  # type: ignore[arg-type]
        (Hold("x[a]", 1, during=(0, "q")), UnknownVariable, "unknown name `q`"),
        (Hold("x[a]", 1, during=(0, "k")), UnknownVariable, r"write `k\[a\]` for that of a node"),
        (Hold("x[a]", 1, during=(0, "k[q]")), UnknownVariable, "there is no node `q`"),
        (Hold("x[a]", 1, during=(0, "x[a]")), InvalidValue, r"`x\[a\]` changes with time"),
        (Hold("x[a]", 1, during=(0, "t")), UnknownVariable, "unknown name `t`"),
        (Hold("x[a]", 1, during=(0, np.nan)), InvalidValue, "give two times"),
        (Hold("x[q]", 1, during=(0, 1)), UnknownVariable, "there is no node `q`"),
        (Hold("x[9]", 1, during=(0, 1)), UnknownVariable, "there is no node `9`"),
        (Hold("x", 1, during=(0, 1)), InvalidValue, r"does not say which node; write `x\[a\]`"),
        (Hold("k[a]", 1, during=(0, 1)), InvalidValue, r"use SetParameter\(\{'k\[a\]': ...\}\)"),
        (Hold("r[a]", 1, during=(0, 1)), InvalidValue, "`r` is derived from `x`, `y`"),
        (Hold("x[a]", "2*inputs", during=(0, 1)), Unsupported, "`x` reads the input `inputs`"),
        (Hold("x[a]", "q", during=(0, 1)), UnknownVariable, "unknown name `q`"),
        (Hold("x[a]", np.nan, during=(0, 1)), InvalidValue, "`nan` is not a finite number"),
        (Hold(3, 1, during=(0, 1)), InvalidValue, "`3` is no name"),  # type: ignore[arg-type]
        (ScaleNoise("x[a]", 2, during=(0, 1)), InvalidValue, "`x` has no noise to scale"),
        (ScaleNoise("x[a]", -2, during=(0, 1)), InvalidValue, "give a factor of at least 0"),
        (SetParameter(q=1, during=(0, 1)), UnknownVariable, "`q` is no parameter of the network"),
        (SetParameter(x=1, during=(0, 1)), UnknownVariable, r"use Hold\('x\[a\]', ...\)"),
        (SetParameter(d="x", during=(0, 1)), UnknownVariable, "unknown name `x`"),
        (SetParameter({"k[q]": 1}, during=(0, 1)), UnknownVariable, "there is no node `q`"),
        (SetParameter({"k": [1, 2]}, during=(0, 1)), InvalidValue, "`2` values for 3 nodes"),
        (SetParameter({"weight[a]": 1}, during=(0, 1)), InvalidValue, "does not say which edge"),
        (SetParameter({"weight[b -> a]": 1}, during=(0, 1)), UnknownVariable, "no edge `b -> a`"),
        (CutEdge("b", "a", during=(0, 1)), UnknownVariable, "did you mean `a -> b`"),
        (CutEdge("b", "q", during=(0, 1)), UnknownVariable, "there is no node `q`"),
        (RescaleEdge("a", "b", np.inf, during=(0, 1)), InvalidValue, "`inf` is not a finite"),
        (Impulse("x[a]", 1), InvalidValue, r"impulse on `x\[a\]` has no time; give `at`"),
        (Impulse("x[a]", 1, at=np.nan), InvalidValue, "at `nan`; give a finite time"),
        (Impulse("x[a]", np.nan, at=1), InvalidValue, "`nan` is not a finite"),
        (Impulse("k[a]", 1, at=1), InvalidValue, "is a parameter, not a variable"),
        (Impulse("r[a]", 1, at=1), UnknownVariable, r"impulse on `r\[a\]`, which is no state"),
        (Impulse("x[a]", "inputs", at=1), Unsupported, "reads the input `inputs`"),
        (Impulse("x[a]", "q", at=1), UnknownVariable, "unknown name `q`"),
        (When("z[a] > 1", Hold("x[a]", 1)), UnknownVariable, r"`z\[a\]`: there is no `z`"),
        (When("x[q] > 1", Hold("x[a]", 1)), UnknownVariable, "there is no node `q`"),
        (When("x > 1", Hold("x[a]", 1)), UnknownVariable, r"write `x\[a\]` for that of a node"),
        (When("q > x[a]", Hold("x[a]", 1)), UnknownVariable, r"`q` at column 1 of `q > x\[a\]`"),
        (When("x[a] >", Hold("x[a]", 1)), ParseError, r"at column 7 of `x\[a\] >`"),
        (When("1 > 0", Hold("x[a]", 1)), InvalidValue, "it never changes"),
        (When("x[a] > 1", Hold("x[q]", 1)), UnknownVariable, "there is no node `q`"),
        (When("x[a] > 1", CutEdge("b", "a")), UnknownVariable, "no edge `b -> a`"),
        (When("x[a] > 1", Hold("x[a]", 1), rearm=-1), InvalidValue, "rearm is `-1`"),
        (When("x[a] > 1", Hold("x[a]", 1, during=(2, 1))), InvalidValue, "must end after"),
        (When("weight[a] > x[a]", Hold("x[a]", 1)), InvalidValue, "does not say which edge"),
    ],
)
def test_an_intervention_over_time_that_makes_no_sense_is_refused(
    do: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ring().do(do)


def test_an_impulse_before_the_run_begins_is_an_error() -> None:
    with pytest.raises(InvalidValue, match=r"impulse on `x\[a\]` at `2.0` is before the run"):
        simulate_network(ring().do(Impulse("x[a]", 1, at=2)), [3, 4])


@pytest.mark.parametrize("noise", [{}, NOISE], ids=["ode", "sde"])
def test_a_window_whose_ends_are_computed_must_end_after_it_begins(noise: Any) -> None:
    network = ring(noise=noise, parameters={"d": (1.0, -1.0)})
    with pytest.raises(InvalidValue, match=r"during is `\(-1.0, -2.0\)` in sample 1; the window"):
        simulate_network(network.do(Hold("x[a]", 1, during=("d", "2*d"))), [0, 1], n=2, step=0.1)


@pytest.mark.parametrize(
    ("do", "name"),
    [
        (Hold("x[a]", [1, 2], during=(0, 1)), r"do\(x\)"),
        (Impulse("x[a]", [1, 2], at=0), r"impulse\(x\[a\]\)"),
        (SetParameter({"k[a]": [1, 2]}, during=(0, 1)), r"k\[a\]"),
    ],
)
def test_values_per_sample_must_be_as_many_as_there_are_samples(do: Any, name: str) -> None:
    network = ring().do(do)
    assert simulate_network(network, [0, 1], n=2).sizes["sample"] == 2
    with pytest.raises(InvalidValue, match=f"`{name}` has values for 2 samples, and n is 1"):
        simulate_network(network, [0, 1])
    with pytest.raises(InvalidValue, match="has values for 2 samples, but sample 2 is asked for"):
        simulate_network(network, [0, 1], n=3)


def test_an_edge_is_nothing_that_a_system_or_causal_model_has() -> None:
    system = System({"x": "-x"}, initial={"x": 1})
    for do in (CutEdge("a", "b"), When("x < 0.5", CutEdge("a", "b"))):
        with pytest.raises(Unsupported, match=r"acts on an edge, and a system has none; intervene"):
            system.do(do)
    with pytest.raises(InvalidValue, match="needs a model over time; a causal model without time"):
        SCM({"x": "e"}, {"e": 1}).do(CutEdge("a", "b"))


def test_labels_of_edges_read_like_the_field_writes() -> None:
    do = [CutEdge("a", "b", during=(0, 1)), RescaleEdge("a", "b", 2.0)]
    assert label(do) == "a -> b cut for t in [0, 1), a -> b times 2"


# Size.


def test_a_window_on_a_large_network_writes_nothing_out_per_node_or_edge() -> None:
    graph = nx.gnm_random_graph(2000, 8000, seed=0, directed=True)
    network = System.from_network(
        {"theta": "omega + 0.5*inputs"},
        "sin(theta_cause - theta_effect)",
        graph,
        node_parameters={"omega": Normal(0, 1)},
        initial={"theta": Uniform(-3, 3)},
    )
    edge = next(iter(graph.edges))
    done = network.do(Hold("theta[7]", 0, during=(0.5, 1)), CutEdge(*edge, during=(0.5, 1)))
    mode = done.mode((0, 1))
    assert len(mode.forms) == 2
    assert mode.edge == network.edge
    assert mode.structure.coupling is network.structure.coupling
    run = simulate_network(done, [0, 0.5, 1, 2], rtol=1e-6)
    assert run.theta.sel(node=7)[0, 1:3].values.tolist() == [0, 0]
    assert run.status.item() == RunStatus.COMPLETE
