"""A network is what its expanded system is, and never expanded."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.linalg import expm

from physcm.mechanism import (
    Hold,
    InvalidFile,
    InvalidValue,
    MissingInitialValue,
    Normal,
    ParseError,
    PhyscmError,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
    Uniform,
    UnknownVariable,
    Unsupported,
)
from physcm.sim import AdditiveNoise, Scipy, System, observe, simulate
from physcm.sim.network import CutEdge, Network, RescaleEdge, simulate_network
from physcm.sim.network.field import Field
from physcm.sim.network.names import flat
from physcm.sim.network.values import draw

NAMES = ("a", "b", "c", "d", "e")


def field(network: Network, samples: int = 1, seed: int = 0) -> Field:
    return Field(network.structure, draw(network, np.arange(samples), seed))


def ring(**options: Any) -> Network:
    """Three genes, each activating the next; c also acts on itself."""
    graph = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "a"), ("c", "c")])
    given: dict[str, Any] = {
        "node": {"x": "k*inputs - d*x", "y": "x - y"},
        "edge": "weight*x_cause**2/(1 + x_cause**2) - 0.1*y_effect",
        "adjacency": graph,
        "initial": {"x": [1, 2, 3], "y": "x/2"},
        "node_parameters": {"k": {"a": 1, "b": 2, "c": Uniform(1, 3)}},
        "parameters": {"d": 0.5},
        "name": "ring",
    }
    return System.from_network(**(given | options))


# Random networks: what their expanded system does, they do.

TYPES: dict[str, dict[str, str]] = {
    "leaky": {"x": "k*tanh(inputs) - x + r", "y": "x - y*d"},
    "driven": {"x": "inputs*d - x*k", "y": "sin(t) - 2*y + brake"},
}
EDGES = {"inputs": "weight*sin(r_cause - x_effect) + s", "brake": "-k_effect*y_cause*y_effect"}


@st.composite
def networks(draw: st.DrawFn, noise: bool = False) -> Network:
    nodes = NAMES[: draw(st.integers(1, 5))]
    pairs = draw(st.sets(st.tuples(st.sampled_from(nodes), st.sampled_from(nodes)), max_size=8))
    number = st.floats(-2, 2, allow_subnormal=False).map(lambda v: round(v, 3))
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_weighted_edges_from((i, j, draw(number.filter(bool))) for i, j in sorted(pairs))
    return System.from_network(
        TYPES,
        EDGES,
        graph,
        types=[draw(st.sampled_from(sorted(TYPES))) for _ in nodes],
        node_parameters={"k": [draw(number) for _ in nodes]},
        edge_parameters={"s": Normal(0, 1)},
        parameters={"d": Uniform(0.5, 1.5)},
        algebraic={"r": "x*y + k"},
        initial={"x": Normal(0, 1), "y": "x + k"},
        noise={"leaky": {"x": "0.1*y"}, "driven": {"x": "0.2", "y": "0.1*inputs"}} if noise else {},
    )


def on_node(kind: Callable[..., Any], variables: str, *contents: Any) -> st.SearchStrategy[Any]:
    names = st.sampled_from([f"{v}[a]" for v in variables])
    return st.builds(kind, names, st.sampled_from(contents))


interventions = st.lists(
    st.one_of(
        on_node(Hold, "xy", 0.5, -1, "1 + k*t", [0.1, 0.2, 0.3], Normal(1, 2)),
        on_node(Shift, "xyr", 0.5, "cos(t)"),
        st.builds(Replace, st.just("x[a]"), st.sampled_from(["-2*x + d", "y - x + inputs"])),
        st.builds(SetParameter, st.sampled_from([{"d": 0.7}, {"k[a]": 3}, {"k": 0.3}, {"s": -1}])),
    ),
    max_size=3,
    unique_by=lambda one: type(one),
)


def as_on_a_system(one: Any, network: Network) -> Any:
    """Return an intervention in the names of the expanded system."""

    def renamed(text: Any) -> Any:
        if not isinstance(text, str):
            return text
        for name in ("x", "y", "k"):
            text = text.replace(name, f"{name}_a")
        return text

    if isinstance(one, SetParameter):
        ((name, value),) = one.values.items()
        if "[" in name:
            return SetParameter({flat("k", "a"): value})
        own = [p for p in network.expanded().parameters if p.startswith(f"{name}_")]
        return SetParameter({p: value for p in ([name] if name in network.parameters else own)})
    if isinstance(one, Replace):
        return None if "inputs" in one.mechanism else Replace("x_a", renamed(one.mechanism))
    content = "value" if isinstance(one, Hold) else "amount"
    return type(one)(flat(one.name[0], "a"), renamed(getattr(one, content)))


@settings(max_examples=60)
@given(networks(noise=True), interventions)
def test_intervening_and_expanding_commute(network: Network, do: list[Any]) -> None:
    renamed = [as_on_a_system(one, network) for one in do]
    if None not in renamed:
        assert network.do(*do).expanded() == network.expanded().do(*renamed)


@settings(max_examples=60)
@given(networks(), interventions)
def test_the_rates_and_their_jacobian_are_those_of_the_expanded_system(
    network: Network, do: list[Any]
) -> None:
    network = network.do(*do)
    system, own = network.expanded(3), field(network, 3)
    x, p = system.draw(np.arange(3), 0)
    order = [system.states.index(name) for name in state_names(network)]
    np.testing.assert_allclose(own.start(3), x[order], rtol=1e-12)
    rates = own.rates(0.3, x[order])
    np.testing.assert_allclose(rates, system.rates.vector(0.3, x, p)[order], rtol=1e-9, atol=1e-12)
    slopes = own.of(np.array([0])).jacobian(0.3, x[order, 0]).toarray()
    expected = system.rates.jacobian.dense(0.3, x[:, 0], p[:, 0])[np.ix_(order, order)]
    np.testing.assert_allclose(slopes, expected, rtol=1e-9, atol=1e-12)


def state_names(network: Network) -> list[str]:
    rows, columns = np.nonzero(network.structure.evolving)
    pairs = zip(rows, columns, strict=True)
    return [flat(network.variables[i], network.nodes[j]) for i, j in pairs]


@settings(max_examples=60)
@given(networks(), interventions)
def test_the_graph_is_that_of_the_expanded_system(network: Network, do: list[Any]) -> None:
    network = network.do(*do)
    names = {f"{v}[{node}]": flat(v, node) for v in network.variables for node in network.nodes}
    graph = nx.relabel_nodes(network.graph(), names)
    system = network.expanded()
    assert set(graph.edges) == set(system.graph().edges)
    assert set(graph.nodes) == set(system.variables)


@settings(max_examples=15)
@given(networks(), interventions)
def test_trajectories_are_those_of_the_expanded_system(network: Network, do: list[Any]) -> None:
    network = network.do(*do)
    t = [0.2, 0.5, 1]
    run, expected = (
        simulate_network(network, t, n=3, seed=3),
        simulate(network.expanded(3, seed=3), t, n=3, seed=3),
    )
    for v in network.variables:
        for node in network.nodes:
            values = run[v].sel(node=node)
            np.testing.assert_allclose(values, expected[flat(v, node)], rtol=1e-5, atol=1e-6)


@settings(max_examples=15)
@given(networks(noise=True), interventions)
def test_noisy_trajectories_are_those_of_the_expanded_system_draw_by_draw(
    network: Network, do: list[Any]
) -> None:
    network = network.do(*do)
    system = network.expanded(3, seed=3)
    if not system.noise:
        return
    run = simulate_network(network, [0, 0.5, 1], n=3, seed=3, step=0.1)
    expected = simulate(system, [0, 0.5, 1], n=3, seed=3, step=0.1, engine="euler-maruyama")
    for v in network.variables:
        for node in network.nodes:
            values = run[v].sel(node=node)
            np.testing.assert_allclose(values, expected[flat(v, node)], rtol=1e-8, atol=1e-10)


@settings(max_examples=30)
@given(networks(noise=True), interventions)
def test_a_network_survives_its_text(network: Network, do: list[Any]) -> None:
    network = network.do(*do)
    again = Network.from_json(network.to_json())
    assert again.expanded() == network.expanded()
    assert again.to_json() == network.to_json()


# Closed forms.


@pytest.mark.parametrize("method", ["LSODA", "DOP853", "Radau", "BDF"])
def test_diffusion_on_a_graph_is_the_exponential_of_its_laplacian(method: str) -> None:
    graph = nx.gnm_random_graph(20, 40, seed=1)
    start = np.random.default_rng(0).normal(size=20)
    network = System.from_network(
        {"x": "inputs"}, "x_cause - x_effect", graph, initial={"x": start}
    )
    run = simulate_network(network, [0, 0.3, 2], engine=Scipy(method), rtol=1e-7)
    laplacian = nx.laplacian_matrix(graph).toarray()
    for k, t in enumerate([0, 0.3, 2]):
        np.testing.assert_allclose(run.x[0, k], expm(-laplacian * t) @ start, atol=1e-5)


def test_advection_runs_from_cause_to_effect() -> None:
    a = np.triu(np.random.default_rng(0).uniform(size=(6, 6)), 1)
    network = System.from_network({"x": "inputs - x"}, "weight*x_cause", a, initial={"x": 1})
    run = simulate_network(network, [0, 1])
    exact = expm(a.T - np.eye(6)) @ np.ones(6)
    np.testing.assert_allclose(run.x[0, -1], exact, rtol=1e-6)


def test_the_phase_difference_of_two_kuramoto_nodes_has_its_closed_form() -> None:
    K, gap = 1.5, 1.0
    pair = System.from_network(
        {"theta": "omega + inputs"},
        "K*sin(theta_cause - theta_effect)",
        nx.complete_graph(2),
        node_parameters={"omega": [gap, 0]},
        parameters={"K": K},
        initial={"theta": [2.0, 0.5]},
    )
    t = np.linspace(0, 3, 7)
    theta = simulate_network(pair, t).theta[0]
    # Adler's equation phi' = gap - 2 K sin(phi), solved through u = tan(phi / 2).
    r = np.sqrt(4 * K**2 - gap**2)
    low, high = (2 * K - r) / gap, (2 * K + r) / gap
    u0 = np.tan(0.75)
    ratio = (u0 - low) / (u0 - high) * np.exp(-r * t)
    phi = 2 * np.arctan((low - high * ratio) / (1 - ratio))
    np.testing.assert_allclose(theta[:, 0] - theta[:, 1], phi, atol=1e-6)


def test_the_mean_phase_moves_at_the_mean_frequency() -> None:
    omega = np.random.default_rng(1).normal(size=50)
    network = System.from_network(
        {"theta": "omega + inputs"},
        "0.1*sin(theta_cause - theta_effect)",
        nx.erdos_renyi_graph(50, 0.2, seed=1),
        node_parameters={"omega": omega},
        initial={"theta": Uniform(0, 6)},
    )
    mean = simulate_network(network, [0, 2], n=2).theta.mean("node")
    np.testing.assert_allclose(mean[:, 1] - mean[:, 0], 2 * omega.mean(), atol=1e-6)


def test_independent_noise_at_each_node_has_the_variance_of_its_process() -> None:
    network = System.from_network(
        {"x": "inputs - x"},
        "x_cause",
        sparse.csr_array((4000, 4000)),
        initial={"x": 0},
        noise={"x": "s"},
        parameters={"s": 0.5},
    )
    x = simulate_network(network, [0, 1], seed=1, step=0.01).x[0, -1]
    assert float(x.var()) == pytest.approx(0.125 * (1 - np.exp(-2)), rel=0.06)
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 0.05


# What a network is written as.


def test_all_ways_to_write_an_adjacency_mean_the_same() -> None:
    a = np.array([[0, 2.0, 0], [0, 0, 0.5], [0, 0, 3]])
    names = ["a", "b", "c"]
    graph = nx.relabel_nodes(
        nx.from_numpy_array(a, create_using=nx.DiGraph), dict(enumerate(names))
    )
    labelled = xr.DataArray(a, dims=("cause", "effect"), coords={"cause": names, "effect": names})
    shuffled = labelled.isel(effect=[2, 0, 1]).transpose("effect", "cause")
    ways: list[tuple[Any, dict[str, Any]]] = [
        (graph, {}),
        (labelled, {}),
        (shuffled, {}),
        (a, {"nodes": names}),
        (a.T, {"nodes": names, "rows": "effect"}),
        (sparse.coo_array(a), {"nodes": names}),
        (sparse.csr_matrix(a), {"nodes": names}),
        (a.tolist(), {"nodes": names}),
    ]
    systems = [ring(adjacency=adjacency, **more).expanded() for adjacency, more in ways]
    assert all(system == systems[0] for system in systems)
    assert systems[0].parameters["weight_a_b"] == 2


def test_an_undirected_graph_has_edges_both_ways() -> None:
    network = ring(adjacency=nx.path_graph(["a", "b", "c"]))
    assert network.wiring.texts == ["b -> a", "a -> b", "c -> b", "b -> c"]


def test_an_edge_of_weight_0_is_no_edge() -> None:
    graph = nx.DiGraph([("a", "b"), ("b", "c")])
    graph.edges["a", "b"]["weight"] = 0
    assert ring(adjacency=graph).wiring.texts == ["b -> c"]
    stored = sparse.csr_array(([0.0, 1.0], ([0, 1], [1, 2])), shape=(3, 3))
    assert ring(adjacency=stored, nodes="abc").wiring.texts == ["b -> c"]


def test_all_ways_to_write_values_per_node_mean_the_same() -> None:
    ways = [
        [1, 2, 3],
        np.array([1, 2, 3]),
        {"c": 3, "a": 1, "b": 2.0},
        xr.DataArray([2, 3, 1], dims="node", coords={"node": ["b", "c", "a"]}),
        xr.DataArray([1, 2, 3], dims="node"),
    ]
    systems = [ring(node_parameters={"k": k}).expanded() for k in ways]
    assert all(system == systems[0] for system in systems)
    assert systems[0].parameters["k_c"] == 3


def test_all_ways_to_write_values_per_edge_mean_the_same() -> None:
    values = {("a", "b"): 1, ("b", "c"): 2, ("c", "a"): 3, ("c", "c"): 4.0}
    matrix = np.array([[0, 1, 0], [0, 0, 2], [3, 0, 4]])
    names = {"cause": ["a", "b", "c"], "effect": ["a", "b", "c"]}
    labelled = xr.DataArray(matrix, dims=("cause", "effect"), coords=names)
    ways = [values, matrix, sparse.csr_array(matrix), labelled, labelled.isel(cause=[2, 1, 0])]
    systems = [ring(edge="h*x_cause", edge_parameters={"h": h}).expanded() for h in ways]
    assert all(system == systems[0] for system in systems)
    assert systems[0].parameters["h_c_a"] == 3


def test_a_node_is_given_by_name_or_by_position() -> None:
    by_name, by_place = (ring().do(Hold(name, 2)).expanded() for name in ("x[b]", "x[1]"))
    assert by_name == by_place
    numbered = ring(adjacency=nx.cycle_graph([10, 20, 30]), node_parameters={"k": 1})
    assert "x_20" in numbered.do(Hold("x[20]", 2)).expanded().held
    with pytest.raises(UnknownVariable, match="no node `1`; did you mean `10`"):
        numbered.do(Hold("x[1]", 2))


def test_a_row_of_values_at_a_node_is_one_per_sample() -> None:
    network = ring(initial={"x": [[1, 2], 5, 6], "y": 0})
    assert simulate_network(network, [0], n=2).x[:, 0].values.tolist() == [[1, 5, 6], [2, 5, 6]]
    with pytest.raises(InvalidValue, match=r"`x\[a\]\(0\)` has values for 2 samples"):
        simulate_network(network, [0], n=3)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"node": {"x": "inputs - q", "y": "1"}}, UnknownVariable, "drift of `x`: .*`q`"),
        ({"node": {"x": "inputs -", "y": "1"}}, ParseError, "drift of `x`"),
        ({"node": {"x": "1", "y": "1"}}, InvalidValue, "no drift reads the input `inputs`"),
        ({"edge": "weight*x"}, UnknownVariable, "edge form `inputs`: .* written `x_cause` and"),
        ({"edge": "weight*x_source"}, UnknownVariable, "`x_source`.* written `x_cause` and"),
        ({"edge": "weight < 1"}, InvalidValue, "`inputs`: `weight < 1` is a condition"),
        ({"edge": "weight/0.0 + inf"}, PhyscmError, "edge form `inputs`"),
        ({"initial": {"x": 1}}, MissingInitialValue, "`y` has no initial value"),
        ({"initial": {"x": 1, "y": [1, 2]}}, InvalidValue, "`y`: `2` values for 3 nodes"),
        ({"initial": {"x": 1, "y": "inputs"}}, Unsupported, r"`y\(0\)` reads the input `inputs`"),
        ({"initial": {"x": 1, "y": "1/0*k"}}, ParseError, "division by zero"),
        ({"algebraic": {"r": "2*inputs"}}, Unsupported, "`r` reads the input `inputs`"),
        ({"node_parameters": {"k": {"a": 1}}}, InvalidValue, "`k` has no value at the node `b`"),
        ({"node_parameters": {"k": {"q": 1}}}, UnknownVariable, "there is no node `q`"),
        ({"node_parameters": {"k": np.nan}}, InvalidValue, "parameter `k`: `nan` is not a finite"),
        ({"node_parameters": {"k": np.ones((3, 3, 2))}}, InvalidValue, "shape `\\(3, 2\\)`"),
        (
            {"node_parameters": {"k": 1, "node": 1}},
            InvalidValue,
            "`node` in node_parameters is reserved",
        ),
        ({"node_parameters": {"k": 1, "d": 2}}, InvalidValue, "`d` stands in"),
        ({"node_parameters": {"k": 1, "weight": 2}}, InvalidValue, "`weight` stands in"),
        ({"parameters": {"x_cause": 1, "d": 1}}, InvalidValue, "`x_cause` stands in parameters"),
        ({"parameters": {"d": "f"}}, UnknownVariable, "parameter `d`: unknown name `f`"),
        ({"edge_parameters": {"h": [1, 2]}}, InvalidValue, "edges have no order"),
        ({"edge_parameters": {"h": {"a": 1}}}, InvalidValue, "`'a'` is no edge"),
        ({"edge_parameters": {"h": {("b", "a"): 1}}}, UnknownVariable, "did you mean `a -> b`"),
        ({"edge_parameters": {"h": {("a", "a"): 1}}}, UnknownVariable, "`a` come from `c`"),
        ({"edge_parameters": {"h": np.eye(2)}}, InvalidValue, "shape `\\(2, 2\\)` for 3 nodes"),
        (
            {"edge_parameters": {"h": {("a", "b"): 1}}, "edge": "h*x_cause"},
            InvalidValue,
            "`h` has no value at the edge `c -> a`",
        ),
        ({"types": ["a", "b", "c"]}, InvalidValue, "but node has one form; leave it out"),
        ({"adjacency": np.ones((2, 3))}, InvalidValue, "shape `\\(2, 3\\)`"),
        ({"adjacency": np.ones(3)}, InvalidValue, "`ndarray` is no matrix"),
        ({"adjacency": "ring"}, InvalidValue, "`str` is no matrix"),
        ({"adjacency": np.empty((0, 0))}, InvalidValue, "`0` nodes"),
        ({"adjacency": np.full((3, 3), np.nan)}, InvalidValue, "weight of `0 -> 0` is `nan`"),
        ({"adjacency": np.eye(3), "nodes": ["a", "b"]}, InvalidValue, "`2` names for 3 nodes"),
        ({"adjacency": np.eye(3), "nodes": "aba"}, InvalidValue, "two nodes are called `a`"),
        ({"adjacency": np.eye(3), "nodes": ["a", 1, 2]}, InvalidValue, "`1` is no name"),
        ({"adjacency": np.eye(3), "rows": "source"}, InvalidValue, "rows is `source`"),
        ({"nodes": ["a", "b", "c"]}, InvalidValue, "the adjacency names them"),
        ({"adjacency": nx.grid_2d_graph(2, 2)}, InvalidValue, "convert_node_labels_to_integers"),
        ({"adjacency": nx.MultiDiGraph([("a", "b")])}, InvalidValue, "give a DiGraph"),
        ({"adjacency": nx.DiGraph([("a", "b", {"weight": "x"})])}, InvalidValue, "is `'x'`"),
        ({"adjacency": xr.DataArray(np.eye(3), dims=("i", "j"))}, InvalidValue, "are `i, j`"),
        (
            {"adjacency": 2 * np.ones((3, 3)), "edge": "x_cause", "node_parameters": {"k": 1}},
            InvalidValue,
            "weights such as `2.0` that no edge form reads",
        ),
        ({"noise": {"w": "1"}}, UnknownVariable, "noise of `w`"),
        (
            {"noise": {"x": "inputs"}, "calculus": "stratonovich"},
            Unsupported,
            "`noise of x` reads the input",
        ),
    ],
)
def test_a_malformed_network_is_refused_by_name(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ring(**changes)


def typed(**changes: Any) -> Network:
    given: dict[str, Any] = {
        "node": {"slow": {"x": "inputs - x"}, "fast": {"x": "inputs - 9*x"}},
        "types": {"a": "slow", "b": "fast", "c": "slow"},
        "initial": {"x": 1},
        "edge": "weight*x_cause",
        "node_parameters": {},
        "parameters": {},
    }
    return ring(**(given | changes))


def test_each_node_has_the_drift_of_its_type() -> None:
    drift = typed().expanded().drift
    assert str(drift["x_b"]) == "weight_a_b*x_a - 9*x_b"
    assert str(drift["x_a"]) == "weight_c_a*x_c - x_a"
    by_row = typed(types=["slow", "fast", "slow"]).expanded()
    by_label = xr.DataArray(["fast", "slow", "slow"], dims="node", coords={"node": ["b", "a", "c"]})
    assert typed(types=by_label).expanded() == by_row == typed().expanded()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"types": ["slow", "fast"]}, InvalidValue, "types has `2` entries for 3 nodes"),
        ({"types": None}, InvalidValue, "types is `None`, but node has types 'slow', 'fast'"),
        ({"types": {"a": "slow"}}, InvalidValue, "types has `1` entries for 3 nodes"),
        ({"types": ["slow", "fist", "slow"]}, UnknownVariable, "type `fist` .* mean `fast`"),
        ({"noise": {"slow": {"x": 1}, "fist": {"x": 1}}}, UnknownVariable, "mean `fast`"),
        (
            {"node": {"slow": {"x": "inputs"}, "fast": {"y": "inputs"}}, "initial": {"x": 1}},
            PhyscmError,
            "no such state|no initial value",
        ),
        (
            {
                "node": {"slow": {"x": "inputs"}, "fast": {"x": "inputs"}},
                "algebraic": {"slow": {"r": "x"}},
            },
            InvalidValue,
            "`r` is not a variable of every type",
        ),
    ],
)
def test_malformed_types_are_refused(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        typed(**changes)


# Interventions.


def test_a_held_node_has_no_incoming_edges_and_keeps_its_outgoing_ones() -> None:
    network = ring().do(Hold("x[b]", 1), Hold("y[b]", 1))
    graph = network.graph(of="nodes")
    assert list(graph.predecessors("b")) == []
    assert list(graph.successors("b")) == ["c"]
    run = simulate_network(network, [0, 1])
    edges = set(zip(run.cause.values.tolist(), run.effect.values.tolist(), strict=True))
    assert edges == {("b", "c"), ("c", "a"), ("c", "c")}
    assert (run.x.sel(node="b") == 1).all()


def test_a_cut_edge_is_gone_and_all_others_are_as_before() -> None:
    cut = ring().do(CutEdge("b", "c"))
    assert set(ring().graph(of="nodes").edges) - set(cut.graph(of="nodes").edges) == {("b", "c")}
    without = ring(adjacency=nx.DiGraph([("a", "b"), ("c", "a"), ("c", "c")]))
    assert cut.expanded() == without.expanded()


def test_cutting_an_edge_changes_what_is_downstream_and_nothing_else() -> None:
    chain = ring(adjacency=nx.DiGraph([("a", "b"), ("b", "c")]))
    before, after = (simulate_network(n, [0, 1]) for n in (chain, chain.do(CutEdge("b", "c"))))
    assert np.allclose(before.x.sel(node=["a", "b"]), after.x.sel(node=["a", "b"]), rtol=1e-7)
    assert not np.allclose(before.x.sel(node="c"), after.x.sel(node="c"), rtol=1e-2)


def test_rescaling_an_edge_multiplies_its_contribution() -> None:
    once, twice = (
        ring().do(RescaleEdge("b", "c", 6)),
        ring().do(RescaleEdge("b", "c", 2), RescaleEdge(1, 2, 3)),
    )
    assert once.expanded() == twice.expanded()
    by_weight = ring(edge="weight*x_cause").do(SetParameter({"weight[b -> c]": 6.0}))
    rescaled = ring(edge="weight*x_cause").do(RescaleEdge("b", "c", 6))
    y = np.arange(6.0)[:, np.newaxis]
    assert np.allclose(field(by_weight).rates(0, y), field(rescaled).rates(0, y))


def test_rescaling_by_0_is_cutting() -> None:
    zero, cut = RescaleEdge("b", "c", 0), CutEdge("b", "c")
    assert ring().do(zero).expanded() == ring().do(cut).expanded()


def test_an_edge_between_a_node_and_itself_acts_only_where_the_ends_differ() -> None:
    loops = nx.DiGraph([("a", "a"), ("a", "b")])
    diffusive, additive = (
        System.from_network({"x": "inputs"}, edge, loops, initial={"x": 1}).graph(of="nodes")
        for edge in ("x_cause - x_effect", "x_cause")
    )
    assert set(diffusive.edges) == {("a", "b"), ("b", "b")}
    assert set(additive.edges) == {("a", "a"), ("a", "b")}


def test_a_parameter_is_set_for_all_or_for_one() -> None:
    network = ring().do(
        SetParameter({"d": 2, "k": 7, "k[b]": 8, "weight": 9, "weight[c -> a]": 10})
    )
    parameters = network.expanded().parameters
    wanted = {"d": 2, "k_a": 7, "k_b": 8, "k_c": 7, "weight_a_b": 9, "weight_c_a": 10}
    assert {name: parameters[name] for name in wanted} == wanted


def test_shifts_and_scalings_of_one_variable_add_up() -> None:
    noisy = ring(noise={"x": 1})
    network = noisy.do(Shift("x[a]", 1), Shift("x[a]", 2), ScaleNoise("x[a]", 2))
    network = network.do(ScaleNoise("x[a]", 3))
    y = field(noisy).start(1)
    (drift, (g,)), (shifted, (h, scaled)) = (field(n).moves(0, y) for n in (noisy, network))
    assert np.allclose(shifted - drift, np.array([3, 0, 0, 0, 0, 0])[:, np.newaxis])
    assert g.ravel().tolist() == [1, 1, 1]
    assert sorted([*h.ravel(), *scaled.ravel()]) == [1, 1, 6]


def test_a_mechanism_can_be_put_in_place_of_a_hold() -> None:
    network = ring().do(Hold("x[b]", 5), Replace("x[b]", "inputs"))
    assert float(simulate_network(network, [0]).x.sel(node="b")[0, 0]) == 5
    assert ("a", "b") in network.graph(of="nodes").edges


def test_of_two_holds_the_later_wins() -> None:
    network = ring(initial={"x": 1, "y": 0})
    both = network.do(Hold("x[b]", "2 + t*y"), Hold("x[b]", 5))
    assert both.expanded() == network.do(Hold("x[b]", 5)).expanded()


def test_holding_a_node_moves_no_other_draw() -> None:
    noisy = ring(noise={"x": 0.1, "y": 0.1}, initial={"x": Normal(0, 1), "y": 0})
    runs = [simulate_network(n, [0, 1], n=3, step=0.1) for n in (noisy, noisy.do(Hold("x[a]", 0)))]
    assert runs[0].k.equals(runs[1].k)
    assert runs[0].x[:, 0, 1:].equals(runs[1].x[:, 0, 1:])
    alone = ring(adjacency=sparse.csr_array((3, 3)), nodes="abc", noise={"x": 0.1})
    runs = [simulate_network(n, [0, 1], n=3, step=0.1) for n in (alone, alone.do(Hold("x[a]", 0)))]
    assert runs[0].x[..., 1:].equals(runs[1].x[..., 1:])


@pytest.mark.parametrize("factor", [-1, [1, -1], Normal(-9, 1)])
def test_noise_has_no_negative_scale_at_a_node(factor: Any) -> None:
    with pytest.raises(InvalidValue, match=r"give a factor of at least 0"):
        simulate_network(ring(noise={"x": 1}).do(ScaleNoise("x[a]", factor)), [0, 1], n=2, step=0.1)


def test_a_network_is_never_changed() -> None:
    network = ring()
    text = network.to_json()
    network.do(Hold("x[a]", 1), CutEdge("a", "b"), SetParameter({"k[b]": 2}), Shift("y[c]", 1))
    assert network.to_json() == text
    with pytest.raises(AttributeError, match="cannot assign"):
        network.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("do", "error", "message"),
    [
        (Hold("x", 1), InvalidValue, r"`x` does not say which node; write `x\[a\]`"),
        (Hold("a", 1), InvalidValue, r"`a` does not say which node; write `x\[a\]`"),
        (Hold("x[q]", 1), UnknownVariable, "there is no node `q`; known names: `a`, `b`, `c`"),
        (Hold("x[7]", 1), UnknownVariable, "there is no node `7`"),
        (Hold("z[a]", 1), UnknownVariable, r"`z\[a\]`: there is no `z` at a node"),
        (Hold("k[a]", 1), InvalidValue, r"SetParameter\(\{'k\[a\]': ...\}\)"),
        (Hold("x[a]", "q"), UnknownVariable, "unknown name `q`"),
        (Hold("x[a]", "2*inputs"), Unsupported, "`x` reads the input `inputs`"),
        (Hold("x[a]", np.nan), InvalidValue, "`nan`"),
        (ScaleNoise("x[a]", 1), InvalidValue, "`x` has no noise to scale"),
        (SetParameter(q=1), UnknownVariable, "`q` is no parameter of the network"),
        (SetParameter(x=1), UnknownVariable, r"variable: use Hold\('x\[a\]', \.\.\.\)"),
        (SetParameter({"k[q]": 1}), UnknownVariable, "there is no node `q`"),
        (SetParameter({"weight[a]": 1}), InvalidValue, r"write `weight\[cause -> effect\]`"),
        (SetParameter({"weight[a -> c]": 1}), UnknownVariable, "no edge `a -> c`"),
        (CutEdge("b", "a"), UnknownVariable, "no edge `b -> a`; did you mean `a -> b`"),
        (RescaleEdge("a", "b", np.inf), InvalidValue, "`inf` is not a finite number"),
        ("x", InvalidValue, "`'x'` is not an intervention"),
    ],
)
def test_an_intervention_that_makes_no_sense_is_refused(
    do: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ring().do(do)


def test_a_new_mechanism_needs_the_values_that_it_reads() -> None:
    network = ring(node_parameters={"k": 1, "tau": {"a": 2}})
    assert network.do(Replace("x[a]", "-x/tau"))
    with pytest.raises(InvalidValue, match="`tau` has no value at the node `b`"):
        network.do(Replace("x[b]", "-x/tau"))


# Runs.


def test_a_run_has_the_nodes_the_edges_and_their_parameters_by_name() -> None:
    run = simulate_network(typed(), [0, 1], n=2)
    assert run.x.dims == ("sample", "time", "node")
    assert run.node.values.tolist() == ["a", "b", "c"]
    assert run.type.sel(node="b") == "fast"
    assert run.weight.dims == ("edge",)
    assert run.cause.values.tolist() == ["c", "a", "b", "c"]
    assert ring().variables == ("x", "y")
    random = simulate_network(ring(), [0, 1], n=2)
    assert random.k.dims == ("sample", "node")
    assert random.k[0, 2] != random.k[1, 2]
    assert random.d.dims == ("sample",)


@pytest.mark.parametrize("noise", [{}, {"x": "0.1*x"}])
def test_sample_k_of_a_larger_run_is_sample_k_of_a_smaller_one(
    noise: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = ring(
        noise=noise, initial={"x": Normal(2, 1), "y": 0}, edge="exp(-x_cause**2)*tanh(weight**1.3)"
    )
    network = network.do(Hold("x[b]", "sin(t + k**0.7)"), SetParameter(weight=Uniform(1, 2)))
    large, small, one = (
        simulate_network(network, [0, 1], n=n, seed=5, step=0.1) for n in (7, 3, 1)
    )
    assert large.isel(sample=slice(3)).equals(small)
    assert large.isel(sample=slice(1)).equals(one)
    monkeypatch.setattr("physcm.sim.network.simulate._AT_ONCE", 8)
    assert simulate_network(network, [0, 1], n=7, seed=5, step=0.1).identical(large)


@pytest.mark.parametrize("noise", [{}, {"x": "0.1*x"}])
def test_the_attributes_suffice_to_repeat_the_run(noise: dict[str, str]) -> None:
    run = simulate_network(ring(noise=noise), [0, 1], n=2, seed=9, step=0.1)
    told = run.attrs
    options: dict[str, Any] = {"engine": told["engine"], "step": told.get("step")}
    if not noise:
        options = {"engine": Scipy(told["method"]), "rtol": told["rtol"]}
        options["atol"] = json.loads(told["atol"])
    again = simulate_network(
        Network.from_json(told["network"]), run.time, n=2, seed=told["seed"], **options
    )
    assert again.identical(run)


def test_a_text_that_is_no_network_is_refused() -> None:
    for text in ("{}", "[1]", "nothing"):
        with pytest.raises(InvalidFile, match="is not the text of a network"):
            Network.from_json(text)


def test_saving_more_times_moves_no_noise() -> None:
    network = ring(noise={"x": "0.1*x"})
    few, many = (simulate_network(network, t, step=0.1) for t in ([0, 1], [0, 0.5, 1]))
    assert few.x[:, 1].equals(many.x[:, 2].assign_coords(time=few.time[1]))


def test_a_source_that_two_variables_name_is_shared_within_a_node() -> None:
    network = System.from_network(
        {"x": "0", "y": "inputs"},
        "0*x_cause",
        nx.path_graph(3),
        initial={"x": 0, "y": 0},
        noise={("x", "w"): 1, ("y", "w"): 2},
    )
    run = simulate_network(network, [0, 1], n=2, step=0.1)
    np.testing.assert_allclose(run.y, 2 * run.x)
    assert len(np.unique(run.x[:, 1])) == 6


def test_stratonovich_noise_is_that_of_the_expanded_system() -> None:
    network = ring(noise={"x": "0.3*x*k", ("y", "x"): "x"}, calculus="stratonovich")
    run = simulate_network(network, [0, 1], n=2, step=0.1)
    expected = simulate(network.expanded(2), [0, 1], n=2, step=0.1, engine="euler-maruyama")
    for node in "abc":
        np.testing.assert_allclose(run.x.sel(node=node), expected[f"x_{node}"], rtol=1e-9)


def test_a_sample_that_diverges_is_marked_and_kept() -> None:
    network = ring(node={"x": "x**2 + inputs", "y": "-y"}, edge="0.1*x_cause")
    network = network.do(SetParameter(k=1)).do(Hold("x[b]", 0), Hold("x[c]", 0))
    blow_up = simulate_network(network, [0, 0.5, 2])
    assert int(blow_up.status[0]) == 1
    assert np.isnan(blow_up.x[0, -1, 0])
    assert np.isfinite(blow_up.x[0, 1]).all()
    noisy = ring(node={"x": "x**3 + inputs", "y": "-y"}, edge="x_cause", noise={"y": 1})
    assert int(simulate_network(noisy, [0, 9], step=0.5).status[0]) == 1


@pytest.mark.parametrize("method", ["LSODA", "RK45", "BDF"])
def test_a_short_pulse_at_one_node_is_never_stepped_over(method: str) -> None:
    network = System.from_network(
        {"x": "where(t >= start and t < start + 0.01, 100, 0) + inputs"},
        "where(t > late and t < late + 0.01, 100, 0)*weight",
        nx.DiGraph([(0, 1)]),
        node_parameters={"start": [37.03, 1e9]},
        edge_parameters={"late": 80},
        initial={"x": 0},
    )
    run = simulate_network(network, [0, 120], engine=Scipy(method))
    np.testing.assert_allclose(run.x[0, -1], [1, 1], rtol=1e-5)


@pytest.mark.parametrize(("rate", "method"), [(1, "DOP853"), (1e5, "BDF")], ids=["slow", "stiff"])
def test_large_networks_are_solved_explicitly_unless_they_are_stiff(
    rate: float, method: str
) -> None:
    start = np.random.default_rng(0).normal(size=300)
    network = System.from_network(
        {"x": "inputs"},
        "D*(x_cause - x_effect)",
        nx.cycle_graph(300),
        initial={"x": start},
        parameters={"D": rate},
    )
    run = simulate_network(network, [0, 1], rtol=1e-5)
    assert run.attrs["method"] == method
    np.testing.assert_allclose(run.x[0, 1].mean(), start.mean(), rtol=1e-4)


def test_a_network_with_nothing_left_to_move_stays() -> None:
    network = ring().do(*(Hold(f"{v}[{node}]", 2) for v in "xy" for node in "abc"))
    run = simulate_network(network, [0, 1])
    assert (run.x == 2).all()
    assert run.sizes["edge"] == 0
    assert int(run.status[0]) == 0


def test_a_single_time_is_the_start() -> None:
    assert simulate_network(ring(), [3.0]).x.values.tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"t": [0, 2, 1]}, "do not increase at entry 2, `1.0`"),
        ({"t": [[0, 1]]}, "have shape"),
        ({"t": ["a"]}, "are not numbers"),
        ({"n": 0}, "n is `0`"),
        ({"engine": "fast"}, "engine is `'fast'`"),
        ({"rtol": 0}, "rtol is `0`"),
        ({"atol": [-1, 1]}, "atol is `.*-1"),
        ({"atol": [1, 1, 1]}, "give a number, or 2 of them"),
        ({"seed": -1}, "seed"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    arguments = {"t": [0, 1]} | options
    with pytest.raises(InvalidValue, match=message):
        simulate_network(ring(), arguments.pop("t"), **arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "step is `None` and the network has noise"),
        ({"step": 0.1, "engine": "scipy"}, "for noise use 'auto' or 'euler-maruyama'"),
    ],
)
def test_noise_needs_a_step(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        simulate_network(ring(noise={"x": 1}), [0, 1], **options)


def test_a_start_that_is_not_finite_is_refused_by_name() -> None:
    with pytest.raises(InvalidValue, match=r"`y\[a\]\(0\)` is `inf`"):
        simulate_network(ring(initial={"x": [0, 1, 2], "y": "1/x"}), [0, 1])


def test_nodes_that_would_get_one_name_cannot_be_expanded() -> None:
    network = ring(
        adjacency=nx.DiGraph([("a b", "a_b")]), node_parameters={"k": 1}, initial={"x": 1, "y": 0}
    )
    assert simulate_network(network, [0, 1]).x.sel(node="a b").size == 2
    with pytest.raises(InvalidValue, match="would be called `x_a_b`"):
        network.expanded()


# Size.


def test_five_thousand_nodes_with_fifty_thousand_edges_are_ready_at_once() -> None:
    graph = nx.gnm_random_graph(5000, 50_000, seed=1, directed=True)
    begin = time.perf_counter()
    network = System.from_network(
        {"x": "basal + inputs - decay*x"},
        "weight*x_cause**h/(K_effect**h + x_cause**h)",
        graph,
        node_parameters={"basal": Uniform(0.1, 1), "K": Uniform(1, 3), "decay": 1},
        parameters={"h": 2},
        initial={"x": 1},
    ).do(Hold("x[7]", 1.5), CutEdge(*next(iter(graph.edges))))
    own = field(network)
    y = own.start(1)
    rates = own.rates(0.0, y)
    assert own.jacobian(0.0, y[:, 0]).shape == (4999, 4999)
    assert time.perf_counter() - begin < 2
    assert rates.shape == (4999, 1)
    assert len(network.forms) == 2
    run = simulate_network(network, [0, 1], rtol=1e-4)
    assert int(run.status[0]) == 0
    assert run.sizes["edge"] == 49_999 - graph.in_degree(7)
    assert (run.x.sel(node=7) == 1.5).all()


def test_each_node_is_measured_with_an_error_of_its_own() -> None:
    ring = System.from_network(
        {"x": "-x + inputs"}, "(x_cause - x_effect)/2", nx.cycle_graph(4), initial={"x": 1}
    )
    run = simulate(ring, [0, 1], n=3)
    error = observe(run, AdditiveNoise(0.1)).x - run.x
    assert np.unique(error.values.round(12)).size == error.size
