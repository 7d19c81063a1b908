"""Unique solvability, simple models, twins, margins and acyclic equivalents.

Definitions and examples: Bongers, Forré, Peters & Mooij, Annals of Statistics 2021.
"""

import re
from itertools import combinations

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.mechanism import (
    Bernoulli,
    Hold,
    InvalidValue,
    Normal,
    NotSolvable,
    Uniform,
    UnknownVariable,
    Unsupported,
)
from physcm.scm import SCM, MixedGraph, acyclification, latent_projection

NOISE = {f"e{i}": Normal(0, 1) for i in range(1, 5)}
PRODUCT = SCM({"x1": "e1", "x2": "e2", "x3": "x1*x4 + e3", "x4": "x2*x3 + e4"}, NOISE)
MARKET = SCM(
    {"D": "bD*P + eD", "S": "bS*P + eS", "P": "P + (D - S)"},
    {"eD": Normal(3, 1), "eS": Normal(0, 1)},
    {"bD": -1.5, "bS": 0.5},
)
SOME = settings(max_examples=20)
NAMES = ("a", "b", "c", "d")


@st.composite
def simple_models(draw):
    """Four variables, loops that are contractions (hence simple), products and shared noise."""
    weight = st.sampled_from([0, 0, 0, 0.2, -0.3, 0.4, -0.15])
    mechanisms = {}
    for name in NAMES:
        terms = [f"{draw(weight)}*{other}" for other in NAMES if other != name]
        own = draw(
            st.sampled_from([f"e_{name}", f"e_{name} + u", f"2*u*e_{name}", f"u**2 - e_{name}"])
        )
        mechanisms[name] = " + ".join([*terms, own])
    noise = {f"e_{name}": Normal(0, 1) for name in NAMES} | {"u": Uniform(0, 1)}
    return SCM(mechanisms, noise)


def solutions(model, names=None, n=15):
    data = model.sample(n)
    assert (data.status == 0).all()
    return np.array([data[name].values for name in names or model.variables])


# Unique solvability


@pytest.mark.parametrize(
    ("model", "names", "holds", "proved", "reason"),
    [
        (MARKET, None, True, True, "the solution divides by 2, which is not zero"),
        (MARKET, "P", False, True, "the equations have no solution at D = "),
        (MARKET, ["D", "S"], True, True, "each equation gives its variable"),
        (MARKET, ["D", "P"], True, True, "divides by 1.5"),
        (PRODUCT, ["x3", "x4"], False, True, r"-x1\*x2 \+ 1 vanishes at"),
        (PRODUCT, None, True, True, r"-e1\*e2 \+ 1, which is not zero"),
        (SCM({"x": "x + 1"}), None, False, True, "the equations have no solution"),
        (SCM({"x": "y", "y": "x"}), None, False, True, "infinitely many solutions"),
        (SCM({"x": "y + 1", "y": "x"}), None, False, True, "no solution"),
        (SCM({"x": "x**2 == e"}, {"e": Uniform(1, 2)}), None, False, True, "several solutions at"),
        (SCM({"x": "x**3 == y", "y": "1"}), "x", True, True, "each equation gives its variable"),
        (SCM({"x": "exp(x) == y", "y": "1"}), "x", False, True, "have no solution at y = -"),
        (SCM({"x": "x + x**3 == y", "y": "1"}), "x", True, True, "of x is a monotone polynomial"),
        (SCM({"x": "x**3 - x == y", "y": "1"}), "x", False, True, "several solutions at y = "),
        (SCM({"x": "x + sin(x) == y", "y": "1"}), "x", True, False, "at 200 random points"),
        (SCM({"x": "(1 + y**2)*x == 1", "y": "1"}), "x", True, True, r"y\*\*2 \+ 1, which is not"),
        (SCM({"x": "b*x == 1"}, {"b": Bernoulli(0.5)}), None, False, True, "no solution at b = 0"),
        (SCM({"x": "k*x + 1"}, {}, {"k": "2*h", "h": 0.5}), None, False, True, "singular"),
        (SCM({"x": "2*y + e", "y": "2*x + e"}, {"e": 1}), None, True, True, "divides by -3"),
    ],
)  # fmt: skip
def test_a_verdict_says_on_what_it_rests(model, names, holds, proved, reason):
    verdict = model.is_uniquely_solvable(names)
    assert (bool(verdict), verdict.proved) == (holds, proved)
    assert re.search(reason, verdict.reason)


LOOP = {"e": Normal(0, 1)}


@pytest.mark.parametrize(
    ("mechanisms", "exogenous", "domains", "reason"),
    [
        ({"x": "tanh(y)/2 + e", "y": "tanh(x)/2"}, LOOP, {}, "of x, y contract, .* radius 0.5$"),
        ({"x": "a*tanh(y) + e", "y": "x/2"}, {**LOOP, "a": Uniform(0, 1.5)}, {}, "radius 0.866$"),
        ({"x": "1/(1 + exp(-y)) + e", "y": "2*x"}, LOOP, {}, "contract, .* radius 0.707$"),
        ({"x": "3*x + sin(y) == e", "y": "4*y + cos(x) == 0"}, LOOP, {}, "diagonally dominant"),
        ({"x": "3*y + tanh(x)/9 + e", "y": "2*x + cos(y)/9"}, LOOP, {}, "hold no singular matrix"),
        ({"x": "exp(-y)", "y": "x/2"}, {}, {"x": (0, 9), "y": (0, 9)}, "contract, .* radius 0.707"),
        ({"x": "exp(-y)", "y": "x/2"}, {}, {"x": (0, np.inf), "y": (0, np.inf)}, "contract"),
        ({"x": "tanh(e)", "y": "x"}, LOOP, {"x": (-1, 1)}, "of x keeps to its domain"),
        ({"x": "x + exp(x) == e"}, LOOP, {}, "of x is monotone in it, with slopes away from zero"),
        ({"c": "sin(e)", "x": "c*tanh(y)/2", "y": "x + c"}, LOOP, {}, "contract, .* radius 0.707"),
    ],
)  # fmt: skip
def test_bounds_prove_what_no_formula_solves(mechanisms, exogenous, domains, reason):
    verdict = SCM(mechanisms, exogenous, domains=domains).is_uniquely_solvable()
    assert (bool(verdict), verdict.proved) == (True, True)
    assert re.search(reason, verdict.reason)


@pytest.mark.parametrize(
    ("mechanisms", "domains"),
    [
        ({"x": "tanh(y) + e", "y": "tanh(x)"}, {}),  # at e = 0 the slopes reach 1
        ({"x": "x + sin(x) == e"}, {}),  # whose slope vanishes at pi
        (
            {"x": "1 + y/2", "y": "tanh(x)"},
            {"x": (0, 1.2), "y": (-9, 9)},
        ),  # leads out of the domain
        ({"x": "floor(y)/9 + e", "y": "tanh(x)"}, {}),
    ],
)
def test_bounds_that_are_not_met_prove_nothing(mechanisms, domains):
    verdict = SCM(mechanisms, {"e": Uniform(0.2, 0.3)}, domains=domains).is_uniquely_solvable()
    assert not (verdict and verdict.proved)


@SOME
@given(seed=st.integers(0, 2**32), gain=st.floats(0.2, 1.2), e=st.floats(-3, 3))
def test_where_a_bound_proves_one_solution_every_search_ends_there(seed, gain, e):
    rng = np.random.default_rng(seed)
    (a, b), (c, d) = rng.uniform(-gain, gain, (2, 2)).round(3).tolist()
    model = SCM({"x": f"{a}*sin(x) + {b}*tanh(y) + e", "y": f"{c}*sin(x) + {d}*tanh(y)"}, LOOP)
    verdict = model.is_uniquely_solvable()
    if not (verdict and verdict.proved):
        return

    def gap(z):
        x, y = np.sin(z[0]), np.tanh(z[1])
        return [z[0] - a * x - b * y - e, z[1] - c * x - d * y]

    found = [scipy.optimize.root(gap, start, tol=1e-12) for start in rng.uniform(-5, 5, (20, 2))]
    roots = np.array([one.x for one in found if np.abs(one.fun).max() < 1e-10])
    assert len(roots)
    assert np.ptp(roots, axis=0).max() < 1e-8


def test_loops_that_bounds_decide_are_simple():
    assert SCM({"x": "tanh(y)/2 + e", "y": "tanh(x)/2"}, LOOP).is_simple().proved


def test_the_counterexample_can_be_checked():
    at = PRODUCT.is_uniquely_solvable(["x3", "x4"]).at
    assert at["x1"] * at["x2"] == pytest.approx(1)
    assert PRODUCT.do(x1=at["x1"], x2=at["x2"]).sample(3).status.values.tolist() == [1, 1, 1]


def test_the_counterexample_leaves_out_what_is_constant():
    verdict = SCM({"x": "x**2 == k*y", "y": "1"}, {}, {"k": 2}).is_uniquely_solvable("x")
    assert verdict.at.keys() == {"y"}


def test_a_domain_may_keep_what_vanishes_away():
    narrow = PRODUCT.replace(domains={"x1": (-0.9, 0.9), "x2": (-0.9, 0.9)})
    verdict = narrow.is_uniquely_solvable(["x3", "x4"])
    assert verdict
    assert not verdict.proved


def test_simple_models_are_told_from_solvable_ones():
    assert not MARKET.is_simple()
    assert MARKET.is_simple().names == ("P",)
    assert not PRODUCT.is_simple()
    assert SCM({"x": "2*y + e1", "y": "2*x + e2"}, {"e1": 1, "e2": 1}).is_simple().proved
    chain = {f"v{i}": f"sin(v{i - 1})" if i else "1" for i in range(40)}
    assert SCM(chain).is_simple().proved


def test_contraction_is_not_needed_for_the_solution():
    steep = SCM({"x": "2*y + e1", "y": "2*x + e2"}, {"e1": 1, "e2": 1})
    assert solutions(steep, n=1).ravel() == pytest.approx([-1, -1])


@SOME
@given(simple_models(), st.dictionaries(st.sampled_from(NAMES), st.floats(-2, 2), max_size=3))
def test_simple_models_stay_simple_under_do(model, holds):
    assert model.is_simple()
    assert model.do(**holds).is_simple()


def test_questions_about_unknown_or_no_variables_are_refused():
    with pytest.raises(UnknownVariable, match="`Q` is no variable of the model; known names"):
        MARKET.is_uniquely_solvable("Q")
    with pytest.raises(InvalidValue, match="`names` is empty"):
        MARKET.is_uniquely_solvable([])
    ring = SCM({f"v{i}": f"v{(i + 1) % 13}/2 + 1" for i in range(13)})
    with pytest.raises(Unsupported, match="join 13 variables"):
        ring.is_simple()


# Graphs and interventions


@SOME
@given(simple_models(), st.sets(st.sampled_from(NAMES), max_size=3))
def test_the_graph_after_do_is_do_of_the_graph(model, held):
    assert model.do(**dict.fromkeys(held, 1.5)).graph() == model.graph().do(held)


# Twins


def test_the_twin_shares_the_noise():
    data = PRODUCT.twin().sample(10)
    for name in PRODUCT.variables:
        np.testing.assert_allclose(data[name], data[f"{name}_twin"], rtol=1e-9)
    graph = SCM({"x": "e", "y": "x"}, {"e": Normal(0, 1)}).twin().graph()
    assert graph == MixedGraph([("x", "y"), ("x_twin", "y_twin")], [("x", "x_twin")])


@SOME
@given(simple_models(), st.dictionaries(st.sampled_from(NAMES), st.floats(-2, 2), max_size=3))
def test_twinning_commutes_with_do(model, holds):
    both = {**holds, **{f"{name}_twin": value for name, value in holds.items()}}
    one, other = model.do(**holds).twin(), model.twin().do(**both)
    assert one.variables == other.variables
    np.testing.assert_allclose(solutions(one), solutions(other), rtol=1e-8, atol=1e-10)
    assert one.graph() == other.graph()


def test_the_twin_answers_the_market_question():
    """Having seen (s, p), at the supply s' the price had been p + (s' - s)/bD."""
    data = MARKET.twin().do(S_twin=5).sample(20)
    np.testing.assert_allclose(data.P_twin, data.P + (5 - data.S) / -1.5)


def test_a_twin_needs_its_names():
    with pytest.raises(InvalidValue, match="the name `x_twin` is needed here and taken"):
        SCM({"x": "1", "x_twin": "2"}).twin()


# Margins


def test_the_product_loop_solves_to_its_published_form():
    small = Uniform(-0.9, 0.9)
    narrow = PRODUCT.replace(
        domains={"x1": (-0.9, 0.9), "x2": (-0.9, 0.9)},
        exogenous={**NOISE, "e1": small, "e2": small},
    )
    data, solved = narrow.sample(50), narrow.acyclify()
    assert solved.graph().is_acyclic
    np.testing.assert_allclose(data.x3, (data.x1 * data.e4 + data.e3) / (1 - data.x1 * data.x2))
    np.testing.assert_allclose(solutions(solved), solutions(narrow), rtol=1e-9)


@SOME
@given(simple_models(), st.sets(st.sampled_from(NAMES), min_size=1, max_size=3))
def test_marginalizing_keeps_the_solutions_of_the_others(model, gone):
    small = model.marginalize(gone)
    assert set(small.variables) == set(NAMES) - gone
    np.testing.assert_allclose(
        solutions(small), solutions(model, small.variables), rtol=1e-8, atol=1e-10
    )


@SOME
@given(simple_models())
def test_marginalizing_does_not_depend_on_the_order(model):
    one, other, both = (
        model.marginalize("b").marginalize("c"),
        model.marginalize("c").marginalize("b"),
        model.marginalize(["b", "c"]),
    )
    np.testing.assert_allclose(solutions(one), solutions(other), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(solutions(one), solutions(both), rtol=1e-8, atol=1e-10)


@SOME
@given(simple_models(), st.floats(-2, 2))
def test_marginalizing_commutes_with_do_off_the_margin(model, value):
    one, other = (
        model.do(a=value).marginalize(["b", "d"]),
        model.marginalize(["b", "d"]).do(a=value),
    )
    np.testing.assert_allclose(solutions(one), solutions(other), rtol=1e-8, atol=1e-10)


@SOME
@given(simple_models())
def test_the_graph_of_a_margin_is_inside_the_latent_projection(model):
    projection, graph = latent_projection(model.graph(), "b"), model.marginalize("b").graph()
    assert graph.directed <= projection.directed
    assert graph.bidirected <= projection.bidirected


@SOME
@given(simple_models())
def test_the_acyclic_model_has_the_same_solutions_and_the_acyclified_graph(model):
    solved = model.acyclify()
    assert solved.graph().is_acyclic
    np.testing.assert_allclose(solutions(solved), solutions(model), rtol=1e-8, atol=1e-10)
    claimed = acyclification(model.graph())
    assert solved.graph().directed <= claimed.directed
    assert solved.graph().bidirected <= claimed.bidirected


def test_non_linear_equations_are_written_out_where_they_can_be_undone():
    model = SCM({"x": "2*x**3 + 1 == y", "y": "e", "z": "x + y"}, {"e": Normal(0, 2)})
    np.testing.assert_allclose(solutions(model.acyclify()), solutions(model), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(
        solutions(model.marginalize("x")), solutions(model, ["y", "z"]), rtol=1e-8, atol=1e-9
    )
    cobweb = SCM({"x": "y**2 + e", "y": "log(x)/4", "z": "x*y"}, {"e": Uniform(1, 2)})
    with pytest.raises(Unsupported, match="the equations of `x, y` have no closed form"):
        cobweb.acyclify()


def test_an_implicit_equation_keeps_its_two_sides():
    model = SCM({"x": "x**5 + x == y", "y": "2*w", "w": "e"}, {"e": Normal(0, 1)})
    small = model.marginalize("y")
    assert str(small) == "0 = -2*w + x**5 + x  (labelled x)\nw = e"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MARKET.marginalize("P"), NotSolvable, "not uniquely solvable with respect to `P`"),
        (lambda: PRODUCT.marginalize(["x3", "x4"]), NotSolvable, r"-x1\*x2 \+ 1 vanishes at"),
        (lambda: PRODUCT.acyclify(), NotSolvable, "narrow `domains` to where they are"),
        (lambda: MARKET.marginalize("Q"), UnknownVariable, "`Q` is no variable of the model"),
        (lambda: MARKET.marginalize(["D", "S", "P"]), InvalidValue, "are all variables; keep"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_out_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_market_without_quantities_is_a_market_price():
    price = MARKET.marginalize(["D", "S"])
    np.testing.assert_allclose(solutions(price), solutions(MARKET, ["P"]))
    assert price.graph() == MixedGraph(nodes=["P"])


def test_solvability_is_closed_neither_under_subsets_nor_under_unions():
    """All pairs of MARKET with P are solvable, P alone is not; x = y, y = x is the converse."""
    answers = {
        names: bool(MARKET.is_uniquely_solvable(names))
        for size in (1, 2, 3)
        for names in combinations(MARKET.variables, size)
    }
    assert answers == {
        ("D",): True, ("S",): True, ("P",): False,
        ("D", "S"): True, ("D", "P"): True, ("S", "P"): True, ("D", "S", "P"): True,
    }  # fmt: skip
    copy = SCM({"x": "y", "y": "x"})
    assert copy.is_uniquely_solvable("x")
    assert copy.is_uniquely_solvable("y")
    assert not copy.is_uniquely_solvable(["x", "y"])


def test_holding_can_destroy_and_restore_solvability():
    assert MARKET.is_uniquely_solvable()
    assert not MARKET.do(S=1, D=2).is_uniquely_solvable()
    assert MARKET.do(S=1, D=2, P=0).is_uniquely_solvable()
    assert MARKET.do(Hold("P", Normal(0, 1))).is_simple()
