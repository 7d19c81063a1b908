"""Pictures of graphs: nothing overlaps, causes stand left of effects, every loop is seen."""

import os
import subprocess
import sys
from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from physcm.scm import MixedGraph, plot_graph
from physcm.scm.graph.curves import RADIUS, Stadium, between, loop
from physcm.scm.graph.layout import layered

LOOPS = MixedGraph([("x", "y"), ("y", "x"), ("y", "y"), ("y", "z")], [("x", "y"), ("x", "z")])


def nodes(graph: MixedGraph, width: float = 0.5) -> dict[str, Stadium]:
    places = layered(graph, dict.fromkeys(graph.nodes, width)).places
    return {name: Stadium(places[name], width) for name in graph.nodes}


def large(random_graph, rng) -> MixedGraph:
    """Draw a graph of 3 to 30 nodes."""
    while True:
        graph = random_graph(rng, 30)
        if len(graph.nodes) >= 3:
            return graph


def test_no_two_nodes_overlap(random_graph):
    rng = np.random.default_rng(1)
    for _ in range(40):
        for a, b in combinations(nodes(large(random_graph, rng)).values(), 2):
            assert a.distance(b.outline()).min() > 0.05


def test_causes_stand_left_of_effects_outside_their_loops(random_graph):
    rng = np.random.default_rng(2)
    for _ in range(40):
        graph = large(random_graph, rng)
        drawn = nodes(graph)
        for cause, effect in graph.directed:
            if cause not in graph.scc(effect):
                assert drawn[cause].center[0] < drawn[effect].center[0]


def test_a_chain_is_a_straight_line():
    drawn = nodes(MixedGraph([*pairwise("abcde")]))
    assert len({node.center[1] for node in drawn.values()}) == 1


def test_a_layout_is_the_same_in_every_process():
    code = (
        "from physcm.scm import MixedGraph; from physcm.scm.graph.layout import layered;"
        "g = MixedGraph([(f'a{i}', f'a{i * 7 % 11}') for i in range(11)], [('a1', 'a5')]);"
        "print(layered(g, dict.fromkeys(g.nodes, 0.5)))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    graph = MixedGraph([(f"a{i}", f"a{i * 7 % 11}") for i in range(11)], [("a1", "a5")])
    assert other.stdout.strip() == str(layered(graph, dict.fromkeys(graph.nodes, 0.5)))


def test_an_edge_bows_around_a_node_in_its_way_and_ends_at_its_own():
    first, middle, last = (Stadium((x, 0.0), 0.4) for x in (0, 1, 2))
    straight = between(first, last, [])
    assert np.ptp(straight[:, 1]) == 0
    around = between(first, last, [middle])
    assert middle.distance(around).min() > 0.05
    for curve in (straight, around):
        assert 0 < first.distance(curve[:1])[0] < 0.05
        assert 0 <= last.distance(curve[-1:])[0] < 0.05


def test_edges_seldom_run_through_other_nodes(random_graph):
    rng = np.random.default_rng(3)
    crossed = edges = 0
    for _ in range(15):
        graph = large(random_graph, rng)
        layout = layered(graph, dict.fromkeys(graph.nodes, 0.5))
        drawn = {name: Stadium(place, 0.5) for name, place in layout.places.items()}
        for edge in graph.directed:
            if edge[0] != edge[1]:
                others = [node for name, node in drawn.items() if name not in edge]
                route = layout.routes.get(edge, ())
                curve = between(drawn[edge[0]], drawn[edge[1]], others, route=route)
                edges += 1
                crossed += min((node.distance(curve).min() for node in others), default=1) < 0
    assert edges > 300
    assert crossed < 0.03 * edges


def test_a_self_cycle_leaves_its_node_and_comes_back():
    node = Stadium((0, 0), 0.4)
    for middle, side in (((0, -1), 1), ((0, 1), -1)):
        curve = loop(node, middle)
        assert node.distance(curve).max() > 0.3
        assert np.sign(curve[:, 1].mean()) == side
        assert np.hypot(*(curve[0] - curve[-1])) < 2 * RADIUS


def test_two_nodes_that_cause_each_other_are_joined_by_two_bows():
    one, other = Stadium((0, 0), 0.4), Stadium((2, 0), 0.4)
    forth, back = between(one, other, [], bows=(0.16,)), between(other, one, [], bows=(0.16,))
    assert forth[:, 1].max() > 0.2
    assert back[:, 1].min() < -0.2


def test_a_figure_has_an_arrow_per_edge_and_dashes_for_hidden_causes():
    axes = plot_graph(LOOPS).axes[0]
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    dashed = [arrow for arrow in arrows if arrow.get_linestyle() != "solid"]
    assert (len(arrows), len(dashed)) == (6, 2)
    assert sorted(text.get_text() for text in axes.texts) == ["x", "y", "z"]


@pytest.mark.parametrize(
    "graph",
    [MixedGraph(), MixedGraph(nodes=["x"]), MixedGraph([("$a_1$", "amount(S)"), ("x$", "é")])],
)
def test_any_graph_and_any_name_can_be_saved(graph, tmp_path):
    figure = plot_graph(graph)
    for kind in ("png", "pdf", "svg"):
        figure.savefig(tmp_path / f"graph.{kind}")
        assert (tmp_path / f"graph.{kind}").stat().st_size > 200


def test_labels_fit_into_their_nodes():
    figure = plot_graph(MixedGraph([("a_rather_long_name", "W"), ("W", "iiiiii")]))
    axes = figure.axes[0]
    figure.canvas.draw()
    outlines = [p for p in axes.patches if not isinstance(p, FancyArrowPatch)]
    for outline, text in zip(outlines, axes.texts, strict=True):
        box, label = outline.get_window_extent(), text.get_window_extent()
        assert box.x0 < label.x0
        assert label.x1 < box.x1
