"""Graphs to and from other packages: round trips, and their documented conventions."""

import contextlib
import json

import networkx as nx
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from physcm.mechanism.errors import (
    InvalidFile,
    InvalidValue,
    ParseError,
    PhyscmError,
    UnknownVariable,
    Unsupported,
)
from physcm.scm import MixedGraph
from physcm.scm.interchange import (
    from_causal_learn,
    from_dagitty,
    from_graphml,
    from_json,
    from_networkx,
    from_tigramite,
    to_causal_learn,
    to_dagitty,
    to_digraph,
    to_graphml,
    to_json,
    to_networkx,
    to_tigramite,
)

LOOPY = MixedGraph(
    [("x", "y"), ("y", "x"), ("y", "y"), ("amount(S)", "x")], [("x", "y"), ("z", "x")], nodes=["é"]
)
TEXTS = {
    "json": (to_json, from_json),
    "graphml": (to_graphml, from_graphml),
    "networkx": (to_networkx, from_networkx),
    "dagitty": (to_dagitty, lambda text: from_dagitty(text).graph),
}
ARRAYS = {
    "tigramite": (to_tigramite, from_tigramite),
    "causal-learn": (to_causal_learn, from_causal_learn),
}


@st.composite
def graphs(draw, names):
    nodes = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    pairs = st.tuples(st.sampled_from(nodes), st.sampled_from(nodes))
    shared = [pair for pair in draw(st.lists(pairs, max_size=5)) if pair[0] != pair[1]]
    return MixedGraph(draw(st.lists(pairs, max_size=8)), shared, nodes)


@pytest.mark.parametrize("way", TEXTS)
def test_every_mixed_graph_comes_back_with_its_nodes_in_order(way, random_graph):
    there, back = TEXTS[way]
    rng = np.random.default_rng(1)
    for graph in (LOOPY, MixedGraph(), *(random_graph(rng) for _ in range(50))):
        again = back(there(graph))
        assert again == graph
        assert again.nodes == graph.nodes


@given(graphs(st.text()))
def test_json_is_lossless_for_any_name(graph):
    again = from_json(to_json(graph))
    assert (again, again.nodes) == (graph, graph.nodes)


@pytest.mark.parametrize("way", ["graphml", "dagitty"])
@given(graph=graphs(st.text()))
def test_text_formats_are_lossless_or_refuse_a_name(way, graph):
    there, back = TEXTS[way]
    try:
        text = there(graph)
    except Unsupported:
        return
    assert (back(text), back(text).nodes) == (graph, graph.nodes)


@pytest.mark.parametrize("way", ARRAYS)
def test_every_acyclic_graph_comes_back_from_an_array(way, random_graph):
    there, back = ARRAYS[way]
    rng = np.random.default_rng(2)
    for _ in range(50):
        graph = random_graph(rng, acyclic=True)
        array = there(graph)
        assert isinstance(array, xr.DataArray)
        assert back(array) == graph
        assert back(array.values, names=graph.nodes) == graph
    ring = MixedGraph([("a", "b"), ("b", "c"), ("c", "a")])
    assert back(there(ring)) == ring


# tigramite.graphs: "-->" at [i, j] is i -> j, and "<--" at [j, i] the same edge.
def test_tigramites_arrays_read_from_row_to_column():
    array = to_tigramite(MixedGraph([("x", "y"), ("z", "y")], [("x", "z"), ("z", "y")]))
    assert array.values.tolist() == [["", "-->", "<->"], ["<--", "", "<-+"], ["<->", "+->", ""]]


def test_tigramites_arrays_with_lags_are_read_at_lag_zero_alone():
    lags = np.full((2, 2, 2), "", dtype="<U3")
    lags[0, 1, 0], lags[1, 0, 0] = "-->", "<--"
    assert from_tigramite(lags, names=[*"xy"]) == MixedGraph([("x", "y")])
    lags[0, 0, 1] = "-->"
    with pytest.raises(Unsupported, match="edges with a lag above `0`"):
        from_tigramite(lags, names=[*"xy"])


# causal-learn's documentation: graph[j, i] = 1 and graph[i, j] = -1 indicate i --> j.
def test_causal_learns_arrays_hold_the_mark_at_the_row():
    array = to_causal_learn(MixedGraph([("x", "y")], [("y", "z")]))
    assert array.values.tolist() == [[0, -1, 0], [1, 0, 1], [0, 1, 0]]


def test_causal_learn_itself_reads_and_writes_these_arrays(random_graph):
    causallearn = pytest.importorskip(
        "causallearn.graph.GeneralGraph", reason="the package is not installed"
    )
    from causallearn.graph.Edge import Edge
    from causallearn.graph.Endpoint import Endpoint
    from causallearn.graph.GraphNode import GraphNode

    rng = np.random.default_rng(3)
    for _ in range(50):
        graph = random_graph(rng, acyclic=True)
        nodes = {name: GraphNode(name) for name in graph.nodes}
        theirs = causallearn.GeneralGraph(list(nodes.values()))
        for a, b in graph.bidirected:
            theirs.add_edge(Edge(nodes[a], nodes[b], Endpoint.ARROW, Endpoint.ARROW))
        for a, b in graph.directed:
            theirs.add_edge(Edge(nodes[a], nodes[b], Endpoint.TAIL, Endpoint.ARROW))
        assert (theirs.graph == to_causal_learn(graph).values).all()
        assert from_causal_learn(theirs.graph, graph.nodes) == graph


def test_tigramite_itself_finds_the_same_parents_in_these_arrays(random_graph):
    tigramite = pytest.importorskip("tigramite.graphs", reason="the package is not installed")
    rng = np.random.default_rng(4)
    for _ in range(20):
        graph = random_graph(rng, acyclic=True)
        theirs = tigramite.Graphs(to_tigramite(graph).values, "admg")
        for i, name in enumerate(graph.nodes):
            parents = {graph.nodes[j] for j, _ in theirs._get_parents((i, 0))} - {name}
            assert parents == set(graph.parents(name))


@pytest.mark.parametrize("way", ARRAYS)
def test_loops_that_an_array_cannot_hold_are_refused(way):
    there, _ = ARRAYS[way]
    with pytest.raises(Unsupported, match=f"the self-cycle at `x` has no place .* {way}"):
        there(MixedGraph([("x", "x")]))
    with pytest.raises(Unsupported, match="the cycle of `.` and `.` has no place"):
        there(MixedGraph([("x", "y"), ("y", "x")]))


@pytest.mark.parametrize(
    ("read", "error", "message"),
    [
        (lambda: from_causal_learn([[0, 2], [1, 0]]), Unsupported, "`(2, 1)` between `0` and `1`"),
        (lambda: from_causal_learn([[0, -1], [-1, 0]]), Unsupported, "orient every edge first"),
        (lambda: from_tigramite([["", "o->"], ["<-o", ""]]), Unsupported, "('o->', '<-o')"),
        (lambda: from_tigramite([["", "-->"], ["-->", ""]]), Unsupported, "no edge of a mixed"),
        (lambda: from_tigramite([["", "-->"]]), InvalidValue, "shape `(1, 2)` for `1` names"),
        (lambda: from_causal_learn([[0]], names=[*"xy"]), InvalidValue, "`(1, 1)` for `2` names"),
    ],
)
def test_other_marks_and_shapes_are_refused(read, error, message):
    with pytest.raises(error) as caught:
        read()
    assert message in str(caught.value)


def test_directed_networkx_graphs_are_read_and_undirected_ones_refused():
    assert from_networkx(nx.DiGraph([("x", "y"), ("y", "y")])) == MixedGraph(
        [("x", "y"), ("y", "y")]
    )
    with pytest.raises(InvalidValue, match="is undirected, and its edges name no cause"):
        from_networkx(nx.Graph([("x", "y")]))
    with pytest.raises(InvalidValue, match="the node `1` is not a text"):
        from_networkx(nx.DiGraph([(1, 2)]))


def test_a_directed_graph_for_other_packages_has_a_hidden_node_per_bidirected_edge():
    theirs = to_digraph(MixedGraph([("x", "y"), ("U(x, y)", "x")], [("x", "y")]))
    assert set(theirs.edges) == {
        ("x", "y"),
        ("U(x, y)", "x"),
        ("U(x, y)'", "x"),
        ("U(x, y)'", "y"),
    }
    assert [n for n, seen in theirs.nodes(data="observed") if seen == "no"] == ["U(x, y)'"]


# The examples of dagitty's own tests and manual (jslib/parser/parser-tests.js).
@pytest.mark.parametrize(
    ("text", "graph"),
    [
        ("dag{ U -> {a b c} }", MixedGraph([("U", "a"), ("U", "b"), ("U", "c")])),
        (" strict Dag { x y ; z \n q }", MixedGraph(nodes=["x", "y", "z", "q"])),
        ('dag {\n bb = "0,0,1,1" \n}', MixedGraph()),
        ("dag G { a <-> b }", MixedGraph(bidirected=[("a", "b")])),
        ("dag{ {x} <- a -> m <- b -> {y} }", MixedGraph([*zip("aabb", "xmmy", strict=True)])),
    ],
)
def test_dagittys_examples_are_read(text, graph):
    assert from_dagitty(text).graph == graph


def test_dagittys_digraph_with_a_self_cycle_and_attributes_is_read():
    text = 'digraph { a -> b[label="0.2",weight="0.2"]; e -> e [pos="1,-1"] }'
    assert from_dagitty(text).graph == MixedGraph([("a", "b"), ("e", "e")])


# The M-bias graph and Didelez et al. (2010), as dagitty.net saves them.
def test_dagittys_saved_models_keep_their_marks():
    m_bias = from_dagitty(
        'dag { \nbb="-3,-0.5,2,1.2"D [outcome,pos="1,1"] E [exposure,pos="-2,1"] '
        'Z [pos="-0.5,0.5"] D <-> Z [pos="1,-1"] E -> D E <-> Z [pos="-2,-1"] }'
    )
    assert m_bias.graph == MixedGraph([("E", "D")], [("D", "Z"), ("E", "Z")])
    assert (m_bias.exposure, m_bias.outcome) == ({"E"}, {"D"})
    didelez = from_dagitty(
        'dag {\nAge [adjusted,pos="-1.973,-0.123"]\nS [selected,pos="0.925,-0.500"]\n'
        'Age -> S [pos="-0.945,-0.571"]\n}'
    )
    assert (didelez.adjusted, didelez.selected) == ({"Age"}, {"S"})


def test_latent_marks_of_dagitty_survive_and_project():
    text = to_dagitty(MixedGraph([("u", "x"), ("u", "y")]), latent="u", outcome=["y"])
    marked = from_dagitty(text)
    assert (marked.latent, marked.outcome) == ({"u"}, {"y"})
    assert marked.observed() == MixedGraph(bidirected=[("x", "y")])
    assert from_dagitty("dag { u [unobserved] v [l] w [u] }").latent == {"u", "v", "w"}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("x -> y", ParseError, "does not begin with `dag {` or `digraph {`, at column 1"),
        ("dag { x -> }", ParseError, "`}` stands where a node should, at column 12"),
        ("dag { x -> y", ParseError, "ends too early"),
        ("dag { x [latent }", ParseError, "ends too early"),
        ("dag { x } y", ParseError, "goes on after its closing brace, at column 11"),
        ("dag { x ! y }", ParseError, "`!` is not understood, at column 9"),
        ("dag { node -> y }", ParseError, "`node` stands where a node should"),
        ("dag { x -- y }", Unsupported, "the edge `--` leaves its direction open"),
        ("dag { x @-> y }", Unsupported, "the edge `@->` leaves its direction open"),
        ("pdag { x -> y }", Unsupported, "a `pdag` may leave directions open"),
        ("dag" + "{" * 10_000, ParseError, "nested too deep"),
    ],
)
def test_text_that_is_not_dagittys_is_refused(text, error, message):
    with pytest.raises(error) as caught:
        from_dagitty(text)
    assert message in str(caught.value)


@given(st.text(alphabet='dag{}[]<->@=;," xyz\n'))
def test_any_text_is_read_as_dagitty_or_refused_by_an_error_of_physcm(text):
    with contextlib.suppress(PhyscmError):
        from_dagitty("dag {" + text)


@pytest.mark.parametrize("name", ['a"b', "graph", "a\nb"])
def test_names_that_dagitty_cannot_write_are_refused(name):
    with pytest.raises(Unsupported, match="dagitty cannot write the name"):
        to_dagitty(MixedGraph(nodes=[name]))
    with pytest.raises(UnknownVariable, match="`u` is not in the graph"):
        to_dagitty(MixedGraph(nodes=["x"]), latent="u")


def altered(**changes):
    content = json.loads(to_json(MixedGraph([("x", "y")])))
    content.update(changes)
    return json.dumps({key: value for key, value in content.items() if value is not None})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the text is not JSON"),
        ("[" * 100_000, "the text is not JSON"),
        ("[]", 'its "format" must be `physcm.graph`'),
        (altered(format="other"), 'its "format" must be `physcm.graph`'),
        (altered(version=2), "the version is `2`, and this physcm reads 1; upgrade physcm"),
        (altered(nodes=None), "the key `nodes` is missing"),
        (altered(color="red"), "the key `color` is unknown"),
        (altered(nodes="xy"), "`nodes` is `xy`; give a list"),
        (altered(nodes=["x"]), "name every node once"),
        (altered(nodes=["x", "y", "y"]), "name every node once"),
        (altered(nodes=["x", 1]), "the node `1` is not a text"),
        (altered(directed=[["x"]]), "is not an edge"),
        (altered(directed=[3]), "the graph is malformed"),
        (altered(bidirected=[["x", "x"]]), "joins a node to itself"),
    ],
)
def test_malformed_json_is_refused(text, message):
    with pytest.raises(InvalidFile) as caught:
        from_json(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("<graph", InvalidFile, "the text is not GraphML"),
        ("<a/>", InvalidFile, "the text is not GraphML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><graphml/>', InvalidFile, "declares `<!DOCTYPE`"),
    ],
)
def test_malformed_graphml_is_refused(text, error, message):
    with pytest.raises(error, match=message):
        from_graphml(text)


def test_graphml_of_other_programs_is_read_by_ids_and_directions():
    theirs = "\n".join(nx.generate_graphml(nx.DiGraph([("x", "y")])))
    assert from_graphml(theirs) == MixedGraph([("x", "y")])
    undirected = "\n".join(nx.generate_graphml(nx.Graph([("x", "y")])))
    with pytest.raises(InvalidValue, match="is undirected"):
        from_graphml(undirected)
