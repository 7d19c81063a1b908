"""Sigma- and d-separation against their definitions, against each other and against networkx."""

from collections.abc import Iterator
from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest

from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.scm import (
    MixedGraph,
    acyclification,
    d_separated,
    latent_projection,
    separations,
    sigma_separated,
)

BOTH = [sigma_separated, d_separated]
METHODS = ["walks", "moral"]

# The two-cycle of Bongers, Forré, Peters & Mooij (2021), section 6: 3 and 4 cause each other.
LOOP = MixedGraph([("1", "3"), ("2", "4"), ("3", "4"), ("4", "3")])

Step = tuple[str, bool, bool]  # the next node, and whether the edge has a head here and there


def steps(graph: MixedGraph, name: str) -> Iterator[Step]:
    yield from ((b, False, True) for a, b in graph.directed if a == name)
    yield from ((a, True, False) for a, b in graph.directed if b == name)
    for edge in graph.bidirected:
        if name in edge:
            yield (edge[0] if edge[1] == name else edge[1]), True, True


def paths(graph: MixedGraph, path: tuple[str, ...], taken: tuple[Step, ...]) -> Iterator:
    """Yield every path (no node twice) that begins with this one, as nodes and edges."""
    yield path, taken
    for step in steps(graph, path[-1]):
        if step[0] not in path:
            yield from paths(graph, (*path, step[0]), (*taken, step))


def is_open(graph: MixedGraph, path, taken, given: set[str], sigma: bool) -> bool:
    """Return whether a path is open, word for word as defined by Forré & Mooij (2017)."""
    reach = nx.transitive_closure(graph.digraph, reflexive=True)
    if path[0] in given or path[-1] in given:
        return False
    for i in range(1, len(path) - 1):
        before, name, after = path[i - 1 : i + 2]
        head_in, head_out = taken[i - 1][2], taken[i][1]
        if head_in and head_out:
            if not any(reach.has_edge(name, c) for c in given):
                return False
        elif name in given:
            left = [before] * (not head_in) + [after] * (not head_out)
            outside = [n for n in left if not (reach.has_edge(n, name) and reach.has_edge(name, n))]
            if outside or not sigma:
                return False
    return True


def separated_by_definition(graph: MixedGraph, x, y, given, sigma: bool) -> bool:
    return not any(
        path[-1] in y and is_open(graph, path, taken, given, sigma)
        for start in x
        for path, taken in paths(graph, (start,), ())
    )


def random_query(rng: np.random.Generator, graph: MixedGraph) -> tuple[set, set, set]:
    """Draw disjoint sets, of one node each or of several."""
    names = list(rng.permutation(list(graph.nodes)))
    several = len(names) > 3 and rng.random() < 0.3
    x, y, rest = (
        ({*names[:1]}, {*names[1:3]}, names[3:]) if several else ({names[0]}, {names[1]}, names[2:])
    )
    return x, y, {name for name in rest if rng.random() < 0.5}


def is_hard(graph: MixedGraph) -> bool:
    """Return whether a component of several nodes has edges to another such component."""
    large = [frozenset(scc) for scc in graph.sccs() if len(scc) > 1]
    return any(
        a in first and b in second
        for first in large
        for second in large
        if first != second
        for a, b in graph.directed
    )


def assert_methods_agree(random_graph, seed: int, graphs: int) -> int:
    """Compare the two algorithms on random graphs; return how many had linked components."""
    rng = np.random.default_rng(seed)
    hard = 0
    for _ in range(graphs):
        graph = random_graph(rng, 12)
        hard += is_hard(graph)
        for _ in range(3):
            query = random_query(rng, graph)
            for separated in BOTH:
                walks, moral = (separated(graph, *query, method=m) for m in METHODS)
                assert walks == moral, (separated, graph, query)
    return hard


@pytest.mark.parametrize("method", METHODS)
def test_a_conditioned_loop_connects_its_causes_by_sigma_separation_alone(method):
    assert sigma_separated(LOOP, "1", "2", method=method)
    assert d_separated(LOOP, "1", "2", method=method)
    assert not sigma_separated(LOOP, "1", "2", ["3", "4"], method=method)
    assert d_separated(LOOP, "1", "2", ["3", "4"], method=method)


@pytest.mark.parametrize("separated", BOTH)
@pytest.mark.parametrize("method", METHODS)
def test_a_descendant_of_a_collider_opens_it(separated, method):
    graph = MixedGraph([("x", "c"), ("y", "c"), ("c", "d"), ("d", "e")])
    assert separated(graph, "x", "y", method=method)
    assert not separated(graph, "x", "y", "e", method=method)


@pytest.mark.parametrize("method", METHODS)
def test_of_two_linked_loops_the_link_is_blocked_where_it_leaves_a_loop_not_where_it_enters(method):
    ring = [("c", "d"), ("d", "e"), ("e", "c")]
    graph = MixedGraph([("a", "b"), ("b", "a"), ("b", "c"), *ring])
    assert sigma_separated(graph, "a", "d", "b", method=method)
    assert not sigma_separated(graph, "a", "d", ["c", "e"], method=method)
    assert d_separated(graph, "a", "d", ["c", "e"], method=method)


@pytest.mark.parametrize("separated", BOTH)
@pytest.mark.parametrize("method", METHODS)
def test_self_loops_separate_and_connect_nothing(separated, method):
    graph = MixedGraph([("x", "z"), ("z", "z"), ("z", "y"), ("y", "y")])
    assert not separated(graph, "x", "y", method=method)
    assert separated(graph, "x", "y", "z", method=method)


@pytest.mark.parametrize("sigma", [True, False])
def test_separation_is_its_definition_on_small_graphs(random_graph, sigma):
    rng = np.random.default_rng(1)
    separated = sigma_separated if sigma else d_separated
    answers = {True: 0, False: 0}
    for _ in range(400):
        graph = random_graph(rng, 5)
        query = random_query(rng, graph)
        expected = separated_by_definition(graph, *query, sigma)
        answers[expected] += 1
        for method in METHODS:
            assert separated(graph, *query, method=method) == expected, (graph, query)
    assert min(answers.values()) > 80


def test_the_two_algorithms_agree_on_a_thousand_random_graphs(random_graph):
    assert assert_methods_agree(random_graph, seed=2, graphs=1_000) > 50


@pytest.mark.slow
def test_the_two_algorithms_agree_on_twenty_thousand_random_graphs(random_graph):
    assert assert_methods_agree(random_graph, seed=3, graphs=20_000) > 1_000


def test_on_acyclic_graphs_both_are_what_networkx_says(random_graph):
    rng = np.random.default_rng(4)
    for _ in range(500):
        graph = random_graph(rng, 10, acyclic=True)
        x, y, given = random_query(rng, graph)
        # A bidirected edge is a hidden common cause.
        canonical = nx.DiGraph(graph.digraph)
        for a, b in graph.bidirected:
            canonical.add_edges_from([((a, b), a), ((a, b), b)])
        expected = nx.is_d_separator(canonical, x, y, given)
        assert sigma_separated(graph, x, y, given) == expected
        assert d_separated(graph, x, y, given) == expected


def test_sigma_separation_is_d_separation_in_the_acyclification(random_graph):
    rng = np.random.default_rng(5)
    for _ in range(500):
        graph = random_graph(rng)
        query = random_query(rng, graph)
        acyclic = acyclification(graph)
        assert acyclic.is_acyclic
        assert d_separated(acyclic, *query) == sigma_separated(graph, *query)


@pytest.mark.parametrize("separated", BOTH)
def test_separation_is_symmetric_and_unchanged_by_self_loops(random_graph, separated):
    rng = np.random.default_rng(6)
    for _ in range(300):
        graph = random_graph(rng)
        x, y, given = random_query(rng, graph)
        loops = MixedGraph(
            graph.directed | {(n, n) for n in graph.nodes}, graph.bidirected, graph.nodes
        )
        expected = separated(graph, x, y, given)
        assert separated(graph, y, x, given) == expected
        assert separated(loops, x, y, given) == expected


@pytest.mark.parametrize("separated", BOTH)
def test_the_latent_projection_keeps_the_separations_of_what_is_seen(random_graph, separated):
    rng = np.random.default_rng(7)
    for i in range(200):
        graph = random_graph(rng, acyclic=i % 2 == 0)
        projected = latent_projection(graph, [n for n in graph.nodes if rng.random() < 0.4])
        for x, y in combinations(projected.nodes, 2):
            others = [name for name in projected.nodes if name not in (x, y)]
            for share in (0, 0.5):
                given = [name for name in others if rng.random() < share]
                assert separated(projected, x, y, given) == separated(graph, x, y, given)


def test_the_latent_projection_is_its_definition(random_graph):
    rng = np.random.default_rng(9)
    found = 0
    for _ in range(200):
        graph = random_graph(rng, 6)
        latent = {name for name in graph.nodes if rng.random() < 0.4}
        directed, shared = set(), set()
        for start in set(graph.nodes) - latent:
            for path, taken in paths(graph, (start,), ()):
                if len(path) > 1 and path[-1] not in latent and latent.issuperset(path[1:-1]):
                    colliders = [a[2] and b[1] for a, b in pairwise(taken)]
                    if not any(head_here for _, head_here, _ in taken):
                        directed.add((start, path[-1]))
                    if taken[0][1] and taken[-1][2] and not any(colliders):
                        shared.add((start, path[-1]))
        projected = latent_projection(graph, latent)
        assert {(a, b) for a, b in projected.directed if a != b} == directed
        assert projected.bidirected == {tuple(sorted(pair)) for pair in shared}
        found += len(projected.bidirected - graph.bidirected)
    assert found > 50


def test_all_separations_of_a_small_graph_are_the_separated_queries(random_graph):
    rng = np.random.default_rng(8)
    for sigma in (True, False):
        for _ in range(20):
            graph = random_graph(rng, 6)
            found = {(s.x, s.y, s.given) for s in separations(graph, sigma=sigma)}
            for x, y in combinations(graph.nodes, 2):
                others = [n for n in graph.nodes if n not in (x, y)]
                for size in range(len(others) + 1):
                    for given in combinations(others, size):
                        separated = (sigma_separated if sigma else d_separated)(graph, x, y, given)
                        assert ((x, y, given) in found) == separated


def test_separations_by_sigma_are_fewer_than_by_d_where_loops_are_conditioned_on():
    assert len(separations(LOOP)) == 1
    assert len(separations(LOOP, sigma=False)) == 2


def test_small_conditioning_sets_make_larger_graphs_askable():
    chain = MixedGraph([(f"x{i}", f"x{i + 1}") for i in range(20)])
    with pytest.raises(InvalidValue, match="more than 200000; lower `largest_given`"):
        separations(chain)
    found = separations(chain, largest_given=1)
    assert len(found) == sum(j - i - 1 for i in range(21) for j in range(i + 1, 21))
    assert separations(MixedGraph(nodes=["x"])) == ()
    with pytest.raises(InvalidValue, match="largest_given is `-1`; give 0 or more"):
        separations(chain, largest_given=-1)


@pytest.mark.parametrize("separated", BOTH)
@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        (("1", "5", ()), UnknownVariable, "`5` is not in the graph; known names: `1`"),
        (("1", "2", "six"), UnknownVariable, "`six` is not in the graph"),
        (("1", ["1", "2"], ()), InvalidValue, "`1` is in both `x` and `y`; give disjoint sets"),
        (("1", "2", ["3", "2"]), InvalidValue, "`2` is in both `y` and `given`"),
        (([], "2", ()), InvalidValue, "the set `x` is empty; name at least one node"),
        (("1", set(), ()), InvalidValue, "the set `y` is empty"),
    ],
)
def test_undefined_questions_raise(separated, query, error, message):
    with pytest.raises(error, match=message):
        separated(LOOP, *query)


def test_an_unknown_method_is_named():
    with pytest.raises(InvalidValue, match='the method is `fast`; give "walks" or "moral"'):
        sigma_separated(LOOP, "1", "2", method="fast")
