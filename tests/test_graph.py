"""Mixed graphs and their transformations: do, acyclification, latent projection, moral graph."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from physcm.mechanism import Normal
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.scm import SCM, MixedGraph, acyclification, latent_projection, moralize

GRAPH = MixedGraph(
    [("a", "b"), ("b", "a"), ("b", "c"), ("c", "c")], [("c", "a"), ("d", "c")], nodes=["d"]
)


def test_nodes_come_in_the_order_given_then_as_edges_mention_them():
    assert GRAPH.nodes == ("d", "a", "b", "c")
    assert repr(GRAPH) == "MixedGraph(a -> b, b -> a, b -> c, c -> c, a <-> c, c <-> d)"


def test_graphs_are_equal_iff_they_have_the_same_nodes_and_edges():
    again = MixedGraph(GRAPH.directed, [("a", "c"), ("c", "d")], ["c", "d"])
    assert again == GRAPH
    assert hash(again) == hash(GRAPH)
    assert MixedGraph(GRAPH.directed, [("a", "c")], ["d"]) != GRAPH
    assert MixedGraph(GRAPH.directed, GRAPH.bidirected, ["e"]) != GRAPH
    assert GRAPH != "graph"


def test_neighbors_by_kind_of_edge():
    assert GRAPH.parents("c") == ("b", "c")
    assert GRAPH.children("b") == ("a", "c")
    assert GRAPH.spouses("c") == ("d", "a")
    assert GRAPH.spouses("b") == ()


def test_ancestors_and_descendants_contain_the_nodes_themselves():
    assert GRAPH.ancestors("c") == {"a", "b", "c"}
    assert GRAPH.descendants(["b", "d"]) == {"a", "b", "c", "d"}
    assert GRAPH.descendants([]) == frozenset()


def test_components_and_districts():
    assert GRAPH.sccs() == (("d",), ("a", "b"), ("c",))
    assert GRAPH.scc("a") == ("a", "b")
    assert GRAPH.districts() == (("d", "a", "c"), ("b",))


def test_a_self_cycle_is_a_cycle():
    assert not MixedGraph([("x", "x")]).is_acyclic
    assert not MixedGraph([("x", "y"), ("y", "x")]).is_acyclic
    assert MixedGraph([("x", "y")], [("x", "y")]).is_acyclic


def test_the_adjacency_matrix_names_cause_and_effect():
    matrix = GRAPH.adjacency()
    assert matrix.dims == ("cause", "effect")
    assert matrix.sel(cause="b", effect="c") == 1
    assert matrix.sel(cause="c", effect="b") == 0
    assert int(matrix.sum()) == 4


def test_a_subgraph_keeps_the_edges_between_its_nodes():
    assert GRAPH.subgraph(["c", "a"]) == MixedGraph([("c", "c")], [("a", "c")])


def test_holding_removes_every_arrowhead_at_the_variable():
    assert GRAPH.do("c") == MixedGraph([("a", "b"), ("b", "a")], nodes=["c", "d"])


def test_the_graph_of_a_model_after_do_is_do_of_its_graph():
    model = SCM(
        {"x": "0.5*y + e", "y": "tanh(x) + e*u", "z": "x*y + u"},
        exogenous={"e": Normal(0, 1), "u": Normal(0, 1)},
    )
    for held in ({"x": 1}, {"y": 2}, {"x": 1, "z": 3}):
        assert model.do(**held).graph() == model.graph().do(held)


def test_latent_projection_does_not_depend_on_the_order_and_commutes_with_do(random_graph):
    rng = np.random.default_rng(1)
    for _ in range(300):
        graph = random_graph(rng, 7)
        latent = [name for name in graph.nodes if rng.random() < 0.5]
        at_once = latent_projection(graph, latent)
        one_by_one = graph
        for name in rng.permutation(latent):
            one_by_one = latent_projection(one_by_one, name)
        assert one_by_one == at_once
        held = [name for name in at_once.nodes if rng.random() < 0.4]
        assert latent_projection(graph.do(held), latent) == at_once.do(held)


def test_projecting_a_loop_leaves_a_self_cycle_and_projecting_a_cause_a_bidirected_edge():
    assert latent_projection(MixedGraph([("x", "l"), ("l", "x")]), "l") == MixedGraph([("x", "x")])
    causes = MixedGraph([("l", "x"), ("m", "y")], [("l", "m")])
    assert latent_projection(causes, ["l", "m"]) == MixedGraph(bidirected=[("x", "y")])
    assert latent_projection(causes, []) == causes


# Bongers, Forré, Peters & Mooij (2021): every node of a component gets all parents from outside.
def test_the_acyclification_of_a_component_with_a_bidirected_edge_from_outside():
    graph = MixedGraph([("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("d", "d")], [("b", "e")])
    assert acyclification(graph) == MixedGraph(
        [("a", "b"), ("a", "c"), ("c", "d")], [("b", "c"), ("b", "e"), ("c", "e")]
    )


def test_an_acyclic_graph_is_its_own_acyclification(random_graph):
    rng = np.random.default_rng(2)
    for _ in range(100):
        graph = random_graph(rng, acyclic=True)
        assert acyclification(graph) == graph


def test_the_moral_graph_of_a_directed_graph_is_that_of_networkx(random_graph):
    rng = np.random.default_rng(3)
    for _ in range(100):
        graph = random_graph(rng)
        directed = MixedGraph(graph.directed, nodes=graph.nodes)
        loops = [(a, b) for a, b in directed.directed if a != b]
        expected = nx.moral_graph(nx.DiGraph(loops))
        assert {frozenset(e) for e in moralize(directed).edges} == set(
            map(frozenset, expected.edges)
        )


def test_the_moral_graph_joins_a_district_and_its_parents():
    graph = MixedGraph([("p", "a"), ("q", "c")], [("a", "b"), ("b", "c")])
    assert {frozenset(e) for e in moralize(graph).edges} == {
        frozenset(pair) for pair in combinations("abcpq", 2)
    }


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MixedGraph(["ab"]), InvalidValue, "`ab` is not an edge; give a pair"),
        (lambda: MixedGraph([("a", "b", "c")]), InvalidValue, "is not an edge"),
        (lambda: MixedGraph([], [("a", "a")]), InvalidValue, "joins a node to itself"),
        (lambda: MixedGraph([("a", 1)]), InvalidValue, "the node `1` is not a text"),
        (lambda: MixedGraph(nodes=[2]), InvalidValue, "the node `2` is not a text"),
        (lambda: GRAPH.parents("z"), UnknownVariable, "`z` is not in the graph; known names"),
        (lambda: GRAPH.children("z"), UnknownVariable, "`z` is not in the graph"),
        (lambda: GRAPH.scc("z"), UnknownVariable, "`z` is not in the graph"),
        (lambda: GRAPH.do(["a", "z"]), UnknownVariable, "`z` is not in the graph"),
        (lambda: GRAPH.subgraph("z"), UnknownVariable, "`z` is not in the graph"),
        (lambda: latent_projection(GRAPH, "z"), UnknownVariable, "`z` is not in the graph"),
    ],
)
def test_bad_graphs_and_unknown_nodes_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
