"""Identification by do-calculus: published verdicts, and agreement with adjustment."""

import sys

import numpy as np
import pytest

from physcm.mechanism.errors import InvalidValue, NotIdentifiable, UnknownVariable, Unsupported
from physcm.scm import MixedGraph, adjustment_sets, identify

FRONT_DOOR = MixedGraph([("x", "m"), ("m", "y")], [("x", "y")])


@pytest.fixture
def y0():
    return pytest.importorskip("y0", reason='needs pip install "physcm[identify]"')


# Pearl, Causality (2009), theorem 3.3.4.
def test_the_front_door_formula(y0):
    estimand = identify(FRONT_DOOR, "x", "y")
    assert str(estimand) == "Sum[m](P(m | x) * Sum[x](P(x) * P(y | m, x)))"
    assert estimand.latex.startswith(r"\sum\limits_{m} P(m | x)")


# Shpitser & Pearl (2006): the bow, and graphs that contain a hedge.
@pytest.mark.parametrize(
    "graph",
    [
        MixedGraph([("x", "y")], [("x", "y")]),
        MixedGraph([("x", "z"), ("z", "y")], [("x", "z")]),
        MixedGraph([("x", "y"), ("z", "y")], [("x", "z"), ("z", "y")]),
    ],
)
def test_effects_confounded_with_a_child_on_the_way_are_not_identifiable(y0, graph):
    with pytest.raises(NotIdentifiable, match="the effect of `x` on `y` does not follow from obs"):
        identify(graph, "x", "y")


def test_an_effect_with_an_adjustment_set_is_identifiable(y0, random_graph):
    rng = np.random.default_rng(1)
    counts = {True: 0, False: 0}
    for _ in range(150):
        graph = random_graph(rng, 6, acyclic=True)
        x, y = rng.permutation(list(graph.nodes))[:2].tolist()
        adjustable = bool(adjustment_sets(graph, x, y))
        counts[adjustable] += 1
        if adjustable:
            assert "P(" in identify(graph, x, y).text
    assert min(counts.values()) > 10


def test_a_conditional_effect_is_identified(y0):
    graph = MixedGraph([("z", "x"), ("z", "y"), ("x", "y")])
    assert str(identify(graph, "x", "y", "z")).count("P(") >= 1


def test_without_y0_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "y0.algorithm.identify", None)
    with pytest.raises(Unsupported, match=r'`y0` is not installed; pip install "physcm\[identify'):
        identify(FRONT_DOOR, "x", "y")


@pytest.mark.parametrize(
    ("graph", "query", "error", "message"),
    [
        (FRONT_DOOR, ("x", "u"), UnknownVariable, "`u` is not in the graph"),
        (FRONT_DOOR, ("x", "y", "x"), InvalidValue, "`x` is in both `x` and `given`"),
        (MixedGraph([("x", "y"), ("y", "x")]), ("x", "y"), Unsupported, "a cycle through `x`"),
        (MixedGraph([("x", "y"), ("y", "y")]), ("x", "y"), Unsupported, "a cycle through `y`"),
    ],
)
def test_undefined_questions_raise(graph, query, error, message):
    with pytest.raises(error, match=message):
        identify(graph, *query)
