"""Adjustment sets against true effects in linear models, and against published examples."""

from itertools import combinations

import numpy as np
import pytest

from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.scm import MixedGraph, adjustment_sets, is_adjustment_set

CONFOUNDED = MixedGraph([("z", "x"), ("z", "y"), ("x", "y")])


def linear_model(rng, graph: MixedGraph) -> tuple[np.ndarray, np.ndarray]:
    """Draw well-conditioned coefficients B (row: effect) and the noise covariance of an SCM."""
    place = {name: i for i, name in enumerate(graph.nodes)}
    size = len(place)
    weights = np.full((size, size), np.inf)
    while np.isinf(weights).any() or np.linalg.cond(np.eye(size) - weights) > 100:
        weights = rng.choice([-1, 1], (size, size)) * rng.uniform(0.3, 0.9, (size, size))
        weights *= graph.adjacency().values.T
    loadings = np.diag(rng.uniform(0.5, 1.5, size))
    for a, b in sorted(graph.bidirected):
        column = np.zeros((size, 1))
        column[[place[a], place[b]], 0] = rng.choice([-1, 1], 2) * rng.uniform(0.5, 1.5, 2)
        loadings = np.hstack([loadings, column])
    return weights, loadings @ loadings.T


def moments(weights, noise):
    """Return the total effects and the covariance of X = B X + E."""
    total = np.linalg.inv(np.eye(len(weights)) - weights)
    return total, total @ noise @ total.T


def performed(weights, noise, x, y):
    """Return the slopes and the covariance of y under do(x)."""
    weights, noise = weights.copy(), noise.copy()
    weights[x] = 0
    noise[x] = noise[:, x] = 0
    total, covariance = moments(weights, noise)
    return total[np.ix_(y, x)], covariance[np.ix_(y, y)]


def adjusted(weights, noise, x, y, z):
    """Return the same from observations, by the integral of p(y | x, z) p(z) over z."""
    _, covariance = moments(weights, noise)
    xz = [*x, *z]
    slopes = covariance[np.ix_(y, xz)] @ np.linalg.inv(covariance[np.ix_(xz, xz)])
    left = covariance[np.ix_(y, y)] - slopes @ covariance[np.ix_(xz, y)]
    of_z = slopes[:, len(x) :]
    return slopes[:, : len(x)], left + of_z @ covariance[np.ix_(z, z)] @ of_z.T


def adjusts(rng, graph: MixedGraph, x, y, given) -> bool:
    """Return whether adjustment gives the true effects in a random linear model."""
    place = {name: i for i, name in enumerate(graph.nodes)}
    xs, ys, zs = ([place[name] for name in names] for names in (x, y, given))
    model = linear_model(rng, graph)
    pairs = zip(performed(*model, xs, ys), adjusted(*model, xs, ys, zs), strict=True)
    return all(np.allclose(a, b, rtol=1e-6, atol=1e-8) for a, b in pairs)


def random_question(rng, graph: MixedGraph) -> tuple[list[str], list[str], list[str]]:
    names = list(rng.permutation(list(graph.nodes)))
    several = len(names) > 3 and rng.random() < 0.4
    x, rest = (names[:2], names[2:]) if several else (names[:1], names[1:])
    return x, rest[:1], rest[1:]


def test_without_cycles_a_set_adjusts_in_linear_models_iff_the_criterion_says_so(random_graph):
    rng = np.random.default_rng(1)
    counts = {True: 0, False: 0}
    for _ in range(300):
        graph = random_graph(rng, 7, acyclic=True)
        x, y, others = random_question(rng, graph)
        given = [name for name in others if rng.random() < 0.5]
        expected = adjusts(rng, graph, x, y, given)
        counts[expected] += 1
        assert is_adjustment_set(graph, x, y, given) == expected, (graph, x, y, given)
    assert min(counts.values()) > 80


def test_with_cycles_every_set_that_the_back_door_criterion_gives_adjusts(random_graph):
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(400):
        graph = random_graph(rng, 7)
        if graph.is_acyclic:
            continue
        x, y, _ = random_question(rng, graph)
        for given in adjustment_sets(graph, x, y, minimal=False):
            found += len(given) > 0
            assert adjusts(rng, graph, x, y, given), (graph, x, y, given)
    assert found > 200


@pytest.mark.parametrize("acyclic", [True, False])
def test_the_minimal_sets_are_the_valid_sets_without_valid_subsets(random_graph, acyclic):
    rng = np.random.default_rng(3)
    for _ in range(200):
        graph = random_graph(rng, 7, acyclic=acyclic)
        x, y, others = random_question(rng, graph)
        valid = [
            frozenset(given)
            for size in range(len(others) + 1)
            for given in combinations(others, size)
            if is_adjustment_set(graph, x, y, given)
        ]
        assert set(map(frozenset, adjustment_sets(graph, x, y, minimal=False))) == set(valid)
        minimal = {given for given in valid if not any(other < given for other in valid)}
        assert set(map(frozenset, adjustment_sets(graph, x, y))) == minimal


def test_a_mediator_a_descendant_and_a_collider_do_not_adjust():
    graph = MixedGraph([*CONFOUNDED.directed, ("x", "m"), ("m", "y"), ("y", "d"), ("m", "e")])
    assert is_adjustment_set(graph, "x", "y", "z")
    for name in "mde":
        assert not is_adjustment_set(graph, "x", "y", ["z", name])


def test_hidden_confounding_of_cause_and_effect_cannot_be_adjusted_for():
    assert adjustment_sets(MixedGraph([("x", "y")], [("x", "y")]), "x", "y") == ()
    assert adjustment_sets(CONFOUNDED, "x", "y", candidates=["x", "y"]) == ()
    assert adjustment_sets(MixedGraph([("x", "y")]), "x", "y") == ((),)


def test_a_loop_between_cause_and_effect_cannot_be_adjusted_for():
    assert adjustment_sets(MixedGraph([("x", "y"), ("y", "x")]), "x", "y") == ()


def test_controlling_for_a_loop_connects_its_causes():
    graph = MixedGraph(
        [("c", "x"), ("c", "a"), ("a", "b"), ("b", "a"), ("d", "b"), ("d", "y"), ("x", "y")]
    )
    assert adjustment_sets(graph, "x", "y") == ((),)
    assert not is_adjustment_set(graph, "x", "y", ["a", "b"])
    assert is_adjustment_set(graph, "x", "y", ["a", "b", "c"])


def edges(text: str) -> list[tuple[str, str]]:
    """Read lines of a cause and its effects."""
    lines = (line.split() for line in text.strip().splitlines())
    return [(cause, effect) for cause, *effects in lines for effect in effects]


# Shrier & Platt, BMC Medical Research Methodology 8:70 (2008), as in the examples of dagitty.
SHRIER = MixedGraph(
    edges("""
    Coach FitnessLevel TeamMotivation
    Genetics FitnessLevel NeuromuscularFatigue ConnectiveTissueDisorder
    TeamMotivation PreviousInjury WarmUpExercises
    PreGameProprioception WarmUpExercises
    ConnectiveTissueDisorder TissueWeakness NeuromuscularFatigue
    ContactSport IntraGameProprioception PreviousInjury
    TissueWeakness Injury
    IntraGameProprioception Injury
    FitnessLevel PreGameProprioception NeuromuscularFatigue
    NeuromuscularFatigue IntraGameProprioception Injury
    WarmUpExercises IntraGameProprioception
    """)
)


def test_shrier_and_platts_set_of_fatigue_and_weakness_adjusts_until_an_injury_moves_exercise():
    question = "WarmUpExercises", "Injury"
    given = ("NeuromuscularFatigue", "TissueWeakness")
    assert given in {tuple(sorted(names)) for names in adjustment_sets(SHRIER, *question)}
    assert not is_adjustment_set(SHRIER, *question, [*given, "PreviousInjury"])
    figure_6a = MixedGraph([*SHRIER.directed, ("PreviousInjury", "PreGameProprioception")])
    assert not is_adjustment_set(figure_6a, *question, given)


# The adjustment tests of dagitty (test/test/adjustment-dags.js), with its published answers.
def test_dagittys_two_exposures_have_a_set_of_descendants_of_one_of_them():
    graph = MixedGraph(
        edges("""
        C Y1 m
        X1 X2 Y2 m2
        Y2 Y1
        X2 Y1
        m2 m
        m X2
        """)
    )
    found = adjustment_sets(graph, ["X1", "X2"], ["Y1", "Y2"])
    assert {frozenset(names) for names in found} == {frozenset({"C"}), frozenset({"m", "m2"})}


def test_dagittys_answers_on_m_bias_and_hidden_causes():
    m_bias = MixedGraph(edges("a x m\nb m y"))
    assert adjustment_sets(m_bias, "x", "y") == ((),)
    assert not is_adjustment_set(m_bias, "x", "y", "m")
    assert is_adjustment_set(m_bias, "x", "y", ["a", "m"])
    hidden = MixedGraph([("x", "y")], [("x", "m"), ("m", "y")])
    assert not is_adjustment_set(hidden, "x", "y", "m")
    chain = MixedGraph(edges("Z a b c\na b\nb c"))
    assert is_adjustment_set(chain, "a", "c", "Z")


def test_dagittys_answers_on_polzer_2012():
    names = (
        "ToothLoss Mortality Periodontitis Caries Diabetes Obesity Hypertension Psychosocial Age"
        " Sex Alcohol Smoking Sport Lipids"
    ).split()
    rows = (
        "01000000000000 00000000000000 10000000000000 10000000000000 01100010000001 01101010000001"
        " 01000000000000 11111110001111 11111111001111 11111111001111 11001110000101"
        " 11101110000010 01101110000001 01000000000000"
    ).split()
    graph = MixedGraph(
        (cause, effect)
        for cause, row in zip(names, rows, strict=True)
        for effect, mark in zip(names, row, strict=True)
        if mark == "1"
    )
    found = adjustment_sets(graph, "ToothLoss", "Mortality")
    assert {" ".join(sorted(given)) for given in found} == {
        "Age Alcohol Diabetes Obesity Psychosocial Sex Smoking Sport",
        "Age Alcohol Periodontitis Psychosocial Sex Smoking",
    }


def test_minimal_sets_of_a_graph_of_two_hundred_nodes_are_found():
    chain = [(f"z{i}", f"z{i + 1}") for i in range(197)]
    graph = MixedGraph([*chain, ("z0", "x"), ("z197", "y"), ("x", "y")])
    assert adjustment_sets(graph, "x", "y") == tuple((f"z{i}",) for i in range(198))


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda: adjustment_sets(CONFOUNDED, "x", "u"), UnknownVariable, "`u` is not in the"),
        (lambda: adjustment_sets(CONFOUNDED, "x", "x"), InvalidValue, "`x` is in both `x` and"),
        (lambda: adjustment_sets(CONFOUNDED, [], "x"), InvalidValue, "the set `x` is empty"),
        (lambda: is_adjustment_set(CONFOUNDED, "x", "y", "y"), InvalidValue, "both `y` and"),
        (
            lambda: adjustment_sets(
                MixedGraph(nodes=[f"v{i}" for i in range(20)]), "v0", "v1", minimal=False
            ),
            InvalidValue,
            "2^`18` sets to try, more than 100000; name fewer `candidates`",
        ),
    ],
)
def test_undefined_questions_raise(ask, error, message):
    with pytest.raises(error, match=message.replace("^", r"\^")):
        ask()
