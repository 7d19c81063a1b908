"""Causal ordering: published examples, independence of the matching, interventions by equation."""

from itertools import permutations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physcm.abstraction import CausalOrdering, causal_ordering, input_effects
from physcm.abstraction.ordering import BipartiteGraph, decompose, plot_bipartite
from physcm.mechanism import (
    Infeasible,
    InvalidValue,
    NotSolvable,
    NotUnique,
    ParseError,
    UnknownVariable,
    Unsupported,
)
from physcm.scm import MixedGraph, d_separated
from physcm.sim import System, settle, zoo

POSITIVE = {name: (0, np.inf) for name in "DPO"}
TORRICELLI = {"f1": "I - O", "f2": "K*sqrt(P) - O", "f3": "g*D - P"}
NUMBERS = {"I": 5, "K": 0.7, "g": 9.8}


def clusters(ordering: CausalOrdering) -> set[tuple[frozenset[str], frozenset[str]]]:
    return {(frozenset(c.equations), frozenset(c.variables)) for c in ordering.clusters}


def edges(ordering: CausalOrdering) -> set[tuple[str, frozenset[str]]]:
    return {(name, frozenset(c.variables)) for name, c in ordering.edges}


def torricelli() -> CausalOrdering:
    return causal_ordering(TORRICELLI, parameters=NUMBERS, bounds=POSITIVE)


# Published examples


def test_simon_1953_weather_causes_crops_and_crops_cause_the_price() -> None:
    ordering = causal_ordering(
        {"f1": "a11*x1 - a10", "f2": "a21*x1 + a22*x2 - a20", "f3": "a32*x2 + a33*x3 - a30"},
        variables=["x1", "x2", "x3"],
    )
    assert ordering.markov_ordering(()) == MixedGraph([("x1", "x2"), ("x2", "x3")])


def test_simon_1953_structure_of_seven_equations_has_three_orders() -> None:
    ordering = causal_ordering(
        {
            "f1": ["x1"],
            "f2": ["x2"],
            "f3": ["x3"],
            "f4": ["x1", "x2", "x4", "x5"],
            "f5": ["x3", "x4", "x5"],
            "f6": ["x4", "x6"],
            "f7": ["x5", "x7"],
        }
    )
    two = frozenset({"x4", "x5"})
    assert (frozenset({"f4", "f5"}), two) in clusters(ordering)
    assert edges(ordering) == {
        ("x1", two),
        ("x2", two),
        ("x3", two),
        ("x4", frozenset({"x6"})),
        ("x5", frozenset({"x7"})),
    }


def test_iwasaki_simon_bathtub_has_the_order_inflow_outflow_pressure_depth() -> None:
    """Artificial Intelligence 67 (1994), section 2: Qin, Qout, pressure, depth and valve."""
    ordering = causal_ordering(
        {
            "inflow": ["Q_in"],
            "valve": ["K"],
            "balance": ["Q_in", "Q_out"],
            "outflow": ["Q_out", "K", "P"],
            "pressure": ["P", "D"],
        }
    )
    assert ordering.markov_ordering() == MixedGraph(
        [("Q_in", "Q_out"), ("Q_out", "P"), ("K", "P"), ("P", "D")]
    )


@pytest.mark.parametrize("stable", [True, False])
def test_filling_bathtub_has_the_published_ordering_stable_or_not(stable: bool) -> None:
    system = zoo.load("filling_bathtub")
    if not stable:
        ones = {f"U{i}": 1.0 for i in range(1, 6)}
        system = system.replace(parameters={**system.parameters, **ones})
    ordering = causal_ordering(system)
    assert clusters(ordering) == {
        (frozenset({f"f_{f}"}), frozenset({v})) for f, v in zip("IKDOP", "IKOPD", strict=True)
    }
    assert ordering.markov_ordering(()) == MixedGraph(
        [("I", "O"), ("O", "P"), ("K", "P"), ("P", "D")]
    )
    assert ordering.effects("U_K") == ("D", "P", "K")
    assert ordering.effects("f_D") == ("D", "P", "O")


def test_filling_bathtub_solved_in_order_has_the_known_equilibrium() -> None:
    found = causal_ordering(zoo.load("filling_bathtub")).scm().sample(1)
    assert float(found.O[0]) == pytest.approx(5)
    assert float(found.P[0]) == pytest.approx(23.8095, abs=5e-5)
    assert float(found.D[0]) == pytest.approx(12.1477, abs=5e-5)


def test_viral_infection_has_the_order_infected_targets_response() -> None:
    ordering = causal_ordering(zoo.load("viral_infection"))
    assert ordering.markov_ordering(()) == MixedGraph([("I", "T"), ("T", "E"), ("I", "T")])
    assert ordering.effects("s") == ("T", "E")
    assert ordering.effects("f_E") == ("T", "I", "E")
    assert ordering.positive == ("I", "E")
    assert any("`I` = 0 is another branch" in note for note in ordering.notes)


def test_viral_infection_solved_in_order_is_the_closed_form() -> None:
    system = zoo.load("viral_infection")
    p = system.parameters
    infected = p["dE"] / p["a"]
    targets = p["s"] / (p["dT"] + p["beta"] * infected)
    response = (p["f"] * p["beta"] * targets - p["dI"]) / p["k"]
    found = causal_ordering(system).scm().sample(1)
    assert float(found.I[0]) == pytest.approx(infected)
    assert float(found["T"][0]) == pytest.approx(targets)
    assert float(found.E[0]) == pytest.approx(response)


def test_viral_infection_without_infected_cells_is_another_branch() -> None:
    ordering = causal_ordering(zoo.load("viral_infection"), zero=["I", "E"])
    found = ordering.scm().sample(1)
    assert (float(found.I[0]), float(found.E[0])) == (0, 0)
    assert float(found["T"][0]) == pytest.approx(3.0 / 0.1)
    assert ordering.effects("s") == ("T",)
    assert any("holds with `I` = 0, the branch looked at" in note for note in ordering.notes)


def test_saturated_buffer_fixes_the_output_whatever_the_input() -> None:
    """Ma et al. 2009: where B's enzymes are saturated, C* = FB kFB/kCB."""
    system = zoo.load("negative_feedback_buffer")
    drift = {**system.drift, "B": "C*kCB - FB*kFB"}
    ordering = causal_ordering(system.replace(drift=drift))
    assert ordering.effects("U") == ("A", "B")
    found = ordering.scm().sample(1)
    assert float(found.C[0]) == pytest.approx(0.4)
    unsaturated = causal_ordering(system)
    assert unsaturated.effects("U") == ("A", "B", "C")


# Interventions that name the equation


def test_torricelli_bathtub_is_solved_in_the_order_outflow_pressure_depth() -> None:
    ordering = torricelli()
    assert [c.variables for c in ordering.clusters] == [("O",), ("P",), ("D",)]
    found = ordering.scm().sample(1)
    assert float(found.O[0]) == pytest.approx(5)
    assert float(found.P[0]) == pytest.approx(25 / 0.49)
    assert float(found.D[0]) == pytest.approx(25 / 0.49 / 9.8)


def test_holding_the_depth_for_the_balance_lets_it_determine_pressure_and_outflow() -> None:
    ordering = torricelli().do("f1", D=4)
    assert ordering.markov_ordering(()) == MixedGraph([("D", "P"), ("P", "O")])
    found = ordering.scm().sample(1)
    assert float(found.D[0]) == 4
    assert float(found.P[0]) == pytest.approx(9.8 * 4)
    assert float(found.O[0]) == pytest.approx(0.7 * np.sqrt(9.8 * 4))


def test_holding_one_variable_through_different_equations_gives_different_answers() -> None:
    by_balance = torricelli().do("f1", P=30).scm().sample(1)
    by_outflow = torricelli().do("f2", P=30).scm().sample(1)
    assert float(by_balance.O[0]) == pytest.approx(0.7 * np.sqrt(30))
    assert float(by_outflow.O[0]) == pytest.approx(5)


def test_holding_the_depth_agrees_with_the_simulated_bathtub() -> None:
    system = zoo.load("torricelli_bathtub")
    found = causal_ordering(system).do("f_D", D=3).scm().sample(1)
    held = settle(system.do(D=3))
    assert float(found.P[0]) == pytest.approx(float(held.P[0]), rel=1e-6)
    assert float(found.O[0]) == pytest.approx(float(held.O[0]), rel=1e-6)


def test_an_infeasible_hold_names_what_is_left_over() -> None:
    with pytest.raises(Infeasible) as caught:
        torricelli().do("f3", O=2)
    message = str(caught.value)
    assert "over-determined: 2 equations (`f1`, `f3`) for 1 variable (`O`)" in message
    assert "under-determined: no equation for 1 variable (`D`)" in message
    assert message.endswith("to hold `O`, replace `f1`")


def test_a_hold_that_names_no_equation_is_refused_with_the_choices() -> None:
    with pytest.raises(NotUnique, match=r"choose `do\('f1', P=...\)` or `do\('f2', P=...\)`"):
        torricelli().do(P=30)
    with pytest.raises(NotUnique, match="its own, `f_O`, determines another variable"):
        causal_ordering(zoo.load("torricelli_bathtub")).do(O=3)


def test_a_hold_of_what_its_own_equation_determines_needs_no_name() -> None:
    ordering = causal_ordering(zoo.load("rc_ladder"))
    assert ordering.do(V2=1.0) == ordering.do("f_V2", V2=1.0)


def test_holding_a_position_replaces_the_balance_of_forces_of_its_group() -> None:
    ordering = causal_ordering(zoo.load("coupled_oscillators"))
    assert ordering.do(Q1=0.5) == ordering.do("f_P1", Q1=0.5)


def test_a_rate_with_a_name_of_its_own_does_not_take_a_label_away() -> None:
    """In SBML the drift of A is a sum of rates, which are derived variables that read A."""
    ordering = causal_ordering(zoo.load("feedback_pathway"))
    assert "A" not in ordering.structure.occurs["f_A"]
    assert ordering.do(A=1.0) == ordering.do("f_A", A=1.0)


def test_a_held_value_may_be_random_or_one_per_sample() -> None:
    found = torricelli().do("f1", D=[1, 2]).scm().sample(2)
    assert found.O.values == pytest.approx(0.7 * np.sqrt(9.8 * np.array([1, 2])))


def test_two_equations_are_replaced_together() -> None:
    ordering = torricelli().do("f1", "f2", D=2, O=1)
    found = ordering.scm().sample(1)
    assert (float(found.D[0]), float(found.O[0])) == (2, 1)
    assert float(found.P[0]) == pytest.approx(19.6)


@given(st.data())
def test_a_hold_is_feasible_iff_the_variable_is_among_the_effects(data: st.DataObject) -> None:
    ordering = causal_ordering(data.draw(matched_structures()))
    equation = data.draw(st.sampled_from(ordering.equations))
    name = data.draw(st.sampled_from(ordering.variables))
    after = ordering.replaced(equation, name, 0.0)
    assert has_perfect_matching(after.structure) == (name in ordering.effects(equation))


# The ordering does not depend on the matching


@st.composite
def matched_structures(draw: st.DrawFn) -> dict[str, list[str]]:
    """Structures with a perfect matching, whose order is shuffled."""
    size = draw(st.integers(1, 6))
    extra = draw(st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))))
    own = draw(st.permutations(range(size)))
    occurs = {f"f{i}": [f"x{own[i]}"] for i in range(size)}
    for i, j in sorted(extra):
        if f"x{j}" not in occurs[f"f{i}"]:
            occurs[f"f{i}"].append(f"x{j}")
    return {label: sorted(names) for label, names in occurs.items()}


@st.composite
def structures(draw: st.DrawFn) -> BipartiteGraph:
    equations = [f"f{i}" for i in range(draw(st.integers(0, 6)))]
    variables = [f"x{i}" for i in range(draw(st.integers(0, 6)))]
    names = st.sets(st.sampled_from(variables)) if variables else st.just(set())
    return BipartiteGraph({f: sorted(draw(names)) for f in equations}, variables)


def has_perfect_matching(graph: BipartiteGraph) -> bool:
    """By trying all assignments of variables to equations."""
    if len(graph.equations) != len(graph.variables):
        return False
    return any(
        all(v in graph.occurs[f] for f, v in zip(graph.equations, order, strict=True))
        for order in permutations(graph.variables)
    )


@given(matched_structures())
def test_clusters_are_those_of_any_perfect_matching(occurs: dict[str, list[str]]) -> None:
    """Each perfect matching, by brute force, oriented and condensed as in the definition."""
    ordering = causal_ordering(occurs)
    for order in permutations(ordering.variables):
        pairs = dict(zip(occurs, order, strict=True))
        if not all(v in occurs[f] for f, v in pairs.items()):
            continue
        graph = nx.DiGraph()
        graph.add_nodes_from([*occurs, *order])
        for f, names in occurs.items():
            graph.add_edges_from((f, v) if pairs[f] == v else (v, f) for v in names)
        components = {frozenset(part) for part in nx.strongly_connected_components(graph)}
        pairings = {
            frozenset().union(*(part for part in components if part & {f, pairs[f]}))
            for f in occurs
        }
        assert {equations | variables for equations, variables in clusters(ordering)} == pairings


@given(structures())
def test_matching_is_as_large_as_networkx_finds(graph: BipartiteGraph) -> None:
    plain = nx.Graph()
    plain.add_nodes_from(graph.equations)
    plain.add_nodes_from(graph.variables)
    plain.add_edges_from((f, v) for f, names in graph.occurs.items() for v in names)
    theirs = nx.bipartite.hopcroft_karp_matching(plain, top_nodes=graph.equations)
    assert 2 * len(graph.matching) == len(theirs)
    assert all(v in graph.occurs[f] for f, v in graph.matching.items())
    assert len({*graph.matching.values()}) == len(graph.matching)


@given(structures())
def test_parts_tell_who_can_be_left_without_a_partner(graph: BipartiteGraph) -> None:
    """An equation is over-determined iff some largest matching leaves it out, and so on."""
    parts = decompose(graph)
    size = len(graph.matching)

    def largest(equations: set[str], variables: set[str]) -> int:
        kept = {f: [v for v in graph.occurs[f] if v in variables] for f in equations}
        return len(BipartiteGraph(kept, sorted(variables)).matching)

    every, names = {*graph.equations}, {*graph.variables}
    assert {*parts.over.equations} == {f for f in every if largest(every - {f}, names) == size}
    assert {*parts.under.variables} == {v for v in names if largest(every, names - {v}) == size}
    together = [*parts.over.equations, *parts.well.equations, *parts.under.equations]
    assert sorted(together) == sorted(every)
    assert len(parts.well.equations) == len(parts.well.variables)


def test_order_in_which_equations_are_written_does_not_matter() -> None:
    turned = dict(reversed(TORRICELLI.items()))
    one, other = (causal_ordering(e, variables=["D", "P", "O"]) for e in (TORRICELLI, turned))
    assert clusters(one) == clusters(other)
    assert edges(one) == edges(other)


# What equations mean


def test_factors_that_never_vanish_make_nothing_occur() -> None:
    ordering = causal_ordering(
        {"f": "u*(a - x)/(k + y)", "g": "y - b*x"},
        parameters={"u": 2, "a": 1, "k": 1, "b": 3},
        bounds={"y": (0, np.inf)},
    )
    assert [c.variables for c in ordering.clusters] == [("x",), ("y",)]
    assert ordering.inputs.keys() == {"a", "b"}


def test_letters_that_cancel_do_not_occur() -> None:
    ordering = causal_ordering(
        {"f": "(x + y)**2 - x**2 - 2*x*y - a", "g": "x - y"}, variables=["x", "y"]
    )
    assert ordering.structure.occurs["f"] == ("y",)


def test_prey_and_predator_determine_each_other_once_divided_by_themselves() -> None:
    ordering = causal_ordering(zoo.load("lotka_volterra"))
    assert ordering.effects("f_X1") == ("X2",)
    assert ordering.effects("f_X2") == ("X1",)
    with pytest.raises(NotUnique, match=r"choose `do\('f_X2', X1=...\)`"):
        ordering.do(X1=1)


def test_competitors_that_limit_themselves_are_divided_by_themselves() -> None:
    """Generalized Lotka-Volterra: A x = -r where all survive, one solution of eight."""
    system = zoo.load("generalized_lotka_volterra")
    ordering = causal_ordering(system)
    assert ordering.positive == ("x1", "x2", "x3")
    found, limit = ordering.scm().sample(1), settle(system)
    for name in ordering.positive:
        assert float(found[name][0]) == pytest.approx(float(limit[name][0]), rel=1e-6)


def test_two_copies_of_an_equation_count_once() -> None:
    ordering = causal_ordering({"f": "x - a", "g": "2*x - 2*a", "h": "x - y"}, variables=["x", "y"])
    assert ordering.is_determined
    assert ordering.notes == ("`f` follows from `g` and is left out",)


def test_copies_that_appear_after_division_leave_competitors_undetermined() -> None:
    """Two species limited by one resource: both equations say S = m."""
    ordering = causal_ordering(
        {"f": "x*(S - m)", "g": "y*(2*S - 2*m)", "h": "a - S*x - S*y"},
        variables=["S", "x", "y"],
        bounds={"x": (0, np.inf), "y": (0, np.inf)},
    )
    assert not ordering.is_determined
    assert "under-determined: 1 equation (`h`) for 2 variables (`x`, `y`)" in str(ordering)


def test_a_copy_times_a_variable_follows_too() -> None:
    """SIRS: S' + I' + R' = 0, where I' = I (b S - g) is read as b S = g."""
    system = System(
        {"S": "-b*S*I + w*R", "I": "b*S*I - g*I", "R": "g*I - w*R"},
        parameters={"b": 2, "g": 0.5, "w": 0.1},
        initial={"S": 0.9, "I": 0.1, "R": 0},
        bounds={name: (0, 1) for name in "SIR"},
    )
    ordering = causal_ordering(system)
    assert ordering.is_determined
    found, limit = ordering.scm().sample(1), settle(system)
    for name in "SIR":
        assert float(found[name][0]) == pytest.approx(float(limit[name][0]), rel=1e-6)


def test_conserved_totals_are_equations_set_by_the_initial_state() -> None:
    ordering = causal_ordering(zoo.load("basic_enzyme"))
    assert "total(C + E)" in ordering.equations
    assert "E" in ordering.effects("e0")
    assert "E" in ordering.effects("c0")
    found = ordering.scm().sample(1)
    assert float(found.C[0]) == pytest.approx(1 / 1.5)
    assert float(found.P[0]) == pytest.approx(1 / 0.7)
    assert float(found.E[0]) == pytest.approx(1.5 - 1 / 1.5)


def test_holding_the_enzyme_lifts_the_conservation_law() -> None:
    ordering = causal_ordering(zoo.load("basic_enzyme")).do("f_E", E=0.3)
    assert ordering == causal_ordering(zoo.load("basic_enzyme")).do(E=0.3)
    assert "total(C + E)" not in ordering.equations
    found = ordering.scm().sample(1)
    assert float(found.S[0]) == pytest.approx((1 + 0.5 / 1.5) / (2 * 0.3))


def test_an_equation_that_says_nothing_leaves_the_initial_value() -> None:
    system = System({"x": "0", "y": "x - y"}, initial={"x": 2, "y": 0})
    ordering = causal_ordering(system)
    assert ordering.effects("x(0)") == ("x", "y")
    assert "`f_x` vanishes identically and is left out" in ordering.notes


def test_an_epidemic_without_births_has_no_equilibrium_with_infected() -> None:
    with pytest.raises(NotSolvable, match=r"has no solution unless one of `I`, `S` is zero"):
        causal_ordering(zoo.load("sir"))
    ordering = causal_ordering(zoo.load("sir"), zero=["I"])
    assert "under-determined: 1 equation (`total(I + R + S)`) for 2 variables" in str(ordering)


def test_equations_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(NotSolvable, match="`f`, `g` contradict each other"):
        causal_ordering({"f": "x - y", "g": "2*x - 2*y - 1"})


# Independences


def test_markov_ordering_graph_separates_outflow_and_drain_of_the_bathtub() -> None:
    graph = causal_ordering(zoo.load("filling_bathtub")).markov_ordering()
    assert d_separated(graph, "O", "K")
    assert not d_separated(graph, "O", "K", given="P")
    assert d_separated(graph, "O", "D", given=["P"])


# Pictures


def test_pictures_show_every_equation_and_variable() -> None:
    ordering = causal_ordering(zoo.load("basic_enzyme"))
    for figure in (ordering.plot(), plot_bipartite(ordering.structure)):
        shown = {text.get_text() for text in figure.get_axes()[0].texts}
        assert shown >= {*ordering.equations, *ordering.variables}
    assert {*ordering.inputs} <= {text.get_text() for text in ordering.plot().get_axes()[0].texts}


def test_picture_of_no_equations_is_empty() -> None:
    assert not causal_ordering({}).plot().get_axes()[0].texts


# Misuse


@pytest.mark.parametrize(
    ("given", "options", "error", "message"),
    [
        (3, {}, InvalidValue, "a `int` is neither a System nor a mapping"),
        ({1: "x"}, {}, InvalidValue, "`1` is no label of an equation"),
        ({"f": "x"}, {"variables": 3}, InvalidValue, "variables is `3`; give a name or several"),
        ({"f": "x +"}, {}, ParseError, "equation `f`"),
        ({"f": "x > 1"}, {}, InvalidValue, "`x > 1` is a condition"),
        ({"f": "x", "g": ["x"]}, {}, InvalidValue, "give all in one way"),
        ({"f": [1]}, {}, InvalidValue, "`f` is `\\[1\\]`; give a text, or the names in it"),
        ({"f": ["x"]}, {"zero": ["x"]}, InvalidValue, "write the equations as texts"),
        ({"f": "x"}, {"zero": ["y"]}, UnknownVariable, "`y` in zero is no variable"),
        ({"f": "x - 1"}, {"zero": ["x"]}, InvalidValue, "no equation has the factor `x`"),
        ({"f": "x"}, {"parameters": 5}, InvalidValue, "parameters is `5`; give a mapping"),
        ({"f": "x"}, {"bounds": {"x": 1}}, InvalidValue, "bounds of `x` is `1`"),
        ({"f": "x"}, {"bounds": {"y": (0, 1)}}, UnknownVariable, "bounds of `y`"),
    ],
)
def test_misuse_is_named(
    given: object, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        causal_ordering(given, **options)  # type: ignore[arg-type]


def test_a_system_has_its_own_variables() -> None:
    with pytest.raises(InvalidValue, match="of its own; leave them out"):
        causal_ordering(zoo.load("rc_ladder"), variables=["V1"])


def test_noise_is_refused() -> None:
    with pytest.raises(Unsupported, match="has noise"):
        causal_ordering(zoo.load("double_well"))


@pytest.mark.parametrize(
    ("equations", "holds", "error", "message"),
    [
        (("f9",), {"D": 1}, UnknownVariable, "`f9` is no equation that can be replaced"),
        (("f1",), {"X": 1}, UnknownVariable, "`X` is no variable"),
        ((), {"X": 1}, UnknownVariable, "`X` is no variable"),
        (("f1",), {}, InvalidValue, "no variable is held"),
        (("f1",), {"D": 1, "P": 2}, InvalidValue, "as many different equations as variables"),
        (("f1", "f1"), {"D": 1, "P": 2}, InvalidValue, "as many different equations as variables"),
        (("f1",), {"D": -1}, Infeasible, "`D` cannot be held at `-1"),
        (("f1",), {"D": "nan"}, InvalidValue, "`nan`"),
        ((1,), {"D": 1}, InvalidValue, "`1` is no label of an equation"),
    ],
)
def test_misuse_of_interventions_is_named(
    equations: tuple[str, ...], holds: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        torricelli().do(*equations, **holds)


def test_effects_of_what_is_no_equation_are_refused() -> None:
    ordering = causal_ordering(zoo.load("basic_enzyme"))
    with pytest.raises(UnknownVariable, match="`S` is no equation and no input; it is a variable"):
        ordering.effects("S")
    with pytest.raises(UnknownVariable, match="`nothing` is no equation and no input"):
        ordering.effects("nothing")
    with pytest.raises(InvalidValue, match="`f_E` follows from other equations"):
        ordering.effects("f_E")
    with pytest.raises(InvalidValue, match="`None` is no label of an equation"):
        ordering.effects(None)  # type: ignore[arg-type]
    with pytest.raises(UnknownVariable, match="`q` is no input"):
        ordering.markov_ordering(["q"])


def test_without_a_perfect_matching_there_are_no_effects() -> None:
    ordering = causal_ordering({"f": ["x", "y"]})
    with pytest.raises(NotSolvable, match="under-determined: 1 equation"):
        ordering.effects("f")


def test_a_structure_cannot_be_solved_and_unknown_values_are_asked_for() -> None:
    with pytest.raises(Unsupported, match="only the names in each equation are known"):
        causal_ordering({"f": ["x"]}).scm()
    with pytest.raises(InvalidValue, match="`a` has no value; give one in `parameters`"):
        causal_ordering({"f": "x - a"}, variables=["x"]).scm()


def test_a_network_is_refused_with_the_system_of_its_nodes_as_remedy() -> None:
    ring = System.from_network(
        {"x": "inputs - x"}, "tanh(x_cause)", nx.DiGraph([(0, 1), (1, 0)]), initial={"x": 1}
    )
    for asked in (causal_ordering, input_effects):
        with pytest.raises(InvalidValue, match=r"give `network\.expanded\(\)`"):
            asked(ring)  # type: ignore[arg-type]
    assert len(causal_ordering(ring.expanded()).variables) == 2
