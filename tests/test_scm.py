"""Structural causal models: making them, intervening on them, their graphs and datasets."""

import numpy as np
import pytest
import sympy as sp
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from physcm.mechanism import (
    CyclicDefinition,
    Hold,
    Infeasible,
    InvalidValue,
    Normal,
    ParseError,
    SetParameter,
    Uniform,
    UnknownVariable,
)
from physcm.mechanism.randomness import normals
from physcm.scm import SCM, MixedGraph, SolutionStatus

CYCLE = SCM(
    {"x": "a*y + e1", "y": "b*x + e2"},
    exogenous={"e1": Normal(0, 1), "e2": Normal(0, 1)},
    parameters={"a": 0.5, "b": -0.8},
)
MARKET = SCM(
    {"D": "bD*P + eD", "S": "bS*P + eS", "P": "P + (D - S)"},
    exogenous={"eD": Normal(3, 1), "eS": Normal(0, 1)},
    parameters={"bD": -1.5, "bS": 0.5},
    name="market",
)


# Making


def test_mechanisms_are_explicit_or_labelled_equations():
    x, a = sp.symbols("x a")
    text = SCM({"x": "a*x**2 == 3"}, parameters={"a": 1})
    tree = SCM({"x": sp.Eq(a * x**2, 3)}, parameters={"a": 1})
    assert text == tree
    assert str(text.residuals["x"]) == "a*x**2 - 3"
    assert str(CYCLE.residuals["x"]) == "-a*y - e1 + x"


def test_a_model_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot assign"):
        CYCLE.name = "other"
    with pytest.raises(TypeError, match="does not support item assignment"):
        CYCLE.mechanisms["x"] = 0


def test_the_text_lists_the_structural_equations():
    model = SCM({"x": "y + 1", "y": "y**3 == 2*x", "z": "z + x"})
    assert str(model) == "x = y + 1\n0 = -2*x + y**3  (labelled y)\nz = x + z"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (({},), InvalidValue, "`mechanisms` is empty; give an equation"),
        (({"x": "y"},), UnknownVariable, "mechanism of `x`: unknown name `y` at column 1 of `y`"),
        (({"speed": "sped"},), UnknownVariable, "did you mean `speed`"),
        (({"x": "x = 3"},), ParseError, "mechanism of `x`: .* at column"),
        (({"x": "x.real"},), ParseError, "attributes are not allowed"),
        (({"x": "x > 3"},), InvalidValue, "`x > 3` is a condition; give an expression, or an eq"),
        (({"x": "1/0"},), ParseError, "division by zero"),
        (({"x": "inf"},), InvalidValue, "`inf` is not finite"),
        (({"x": "t"},), UnknownVariable, "unknown name `t`"),
        (({"t": "1"},), InvalidValue, "`t` in mechanisms is reserved; call it `t_`"),
        (({"count": "1"},), InvalidValue, "`count` in mechanisms is reserved"),
        (({"2x": "1"},), InvalidValue, "`2x` in mechanisms is not a name"),
        (({"x": "1"}, {"x": 2}), InvalidValue, "`x` stands in mechanisms and in exogenous; keep"),
        (({"x": "e"}, {"e": 1}, {"e": 2}), InvalidValue, "in exogenous and in parameters"),
        (({"x": "e"}, {"e": float("nan")}), InvalidValue, "exogenous `e`: `nan` is not a finite"),
        (({"x": "k"}, {}, {"k": "x"}), UnknownVariable, "parameter `k`: unknown name `x`"),
        (({"x": "k"}, {}, {"k": "l", "l": "k"}), CyclicDefinition, "`k`, `l` are defined in terms"),
        (("x",), InvalidValue, "mechanisms is `'x'`; give a mapping of names to values"),
        (({"x": "1"}, 3), InvalidValue, "exogenous is `3`; give a mapping"),
        (({"x": None},), InvalidValue, "`None` is neither a number nor an expression"),
    ],
)
def test_a_malformed_model_is_refused_with_its_place(arguments, error, message):
    with pytest.raises(error, match=message):
        SCM(*arguments)


@pytest.mark.parametrize(
    ("domains", "error", "message"),
    [
        ({"z": (0, 1)}, UnknownVariable, "domain of `z`: no such variable; known names"),
        ({"x": (1, 0)}, InvalidValue, r"domain of `x` is `\(1, 0\)`; give two numbers"),
        ({"x": 3}, InvalidValue, "domain of `x` is `3`; give two numbers"),
        ("x", InvalidValue, "domains is `'x'`; give a mapping"),
    ],
)
def test_a_malformed_domain_is_refused(domains, error, message):
    with pytest.raises(error, match=message):
        SCM({"x": "1"}, domains=domains)


@pytest.mark.parametrize(
    ("guesses", "error", "message"),
    [
        ({"z": 1}, UnknownVariable, "guess for `z`: no such variable; known names"),
        ({"x": "y"}, UnknownVariable, "guess for `x`: unknown name `y`"),
        ({"x": np.nan}, InvalidValue, "guess for `x`: `nan`"),
        ({"x": (1, 2)}, InvalidValue, r"guess for `x` is `\(1, 2\)`; give a number"),
    ],
)
def test_a_malformed_guess_is_refused(guesses, error, message):
    with pytest.raises(error, match=message):
        SCM({"x": "1"}, guesses=guesses)


# Intervening


def test_a_hold_replaces_the_mechanism_and_nothing_else():
    held = CYCLE.do(x=2)
    assert str(held.mechanisms["x"]) == "do(x)"
    assert held.parameters["do(x)"] == 2.0
    assert held.mechanisms["y"] == CYCLE.mechanisms["y"]
    before, after = CYCLE.sample(100), held.sample(100)
    assert (after.e2 == before.e2).all()
    np.testing.assert_allclose(after.y, -0.8 * 2 + before.e2)


def test_values_may_be_expressions_distributions_and_one_per_sample():
    assert CYCLE.do(x="a*y").mechanisms["x"] == CYCLE.do(x=1).do(x="a*y").mechanisms["x"]
    assert "do(x)" not in CYCLE.do(x=1).do(x="a*y").parameters
    assert CYCLE.do(x=[1.0, 2.0]).sample(2).x.values.tolist() == [1.0, 2.0]
    assert CYCLE.do(x=xr.DataArray([1.0, 2.0])) == CYCLE.do(x=(1.0, 2.0))
    assert CYCLE.do(x=xr.DataArray(3.0)) == CYCLE.do(x=3)
    drawn = CYCLE.do(x=Normal(0, 1)).sample(5)
    assert drawn.x.values.tolist() == normals(0, "do(x)", np.arange(5)).tolist()


def test_a_held_value_that_others_read_stays_known():
    model = CYCLE.do(x=1).do(y="do(x) + 1").do(x="2*y")
    assert model.sample(1).x.item() == pytest.approx(4)


def test_parameters_change_and_what_is_computed_from_them_follows():
    model = SCM({"x": "b"}, parameters={"a": 1, "b": "2*a"})
    assert model.do(SetParameter(a=5)).sample(1).x.item() == 10
    shifted = CYCLE.do(SetParameter(e1=0.0)).sample(3)
    assert (shifted.e1 == 0).all()
    assert (shifted.e2 == CYCLE.sample(3).e2).all()


@pytest.mark.parametrize(
    ("do", "error", "message"),
    [
        (lambda m: m.do(Q=1), UnknownVariable, "`Q` is no variable of the model `market`; known"),
        (lambda m: m.do(bD=1), InvalidValue, r"`bD` is a parameter, .* use SetParameter\(bD=...\)"),
        (lambda m: m.do(eS=1), InvalidValue, "`eS` is an exogenous variable, not"),
        (lambda m: m.do(SetParameter(P=1)), UnknownVariable, r"it is a variable: use Hold\('P'"),
        (lambda m: m.do(SetParameter(bT=1)), UnknownVariable, "`bT` is no parameter of the mo"),
        (lambda m: m.do(P=float("nan")), InvalidValue, r"do\(P\): `nan` is not a finite number"),
        (lambda m: m.do(P="P + 1"), UnknownVariable, r"do\(P\): unknown name `P`"),
        (lambda m: m.do("P"), InvalidValue, "`'P'` is not an intervention"),
        (lambda m: m.do(SetParameter(bD="oops")), UnknownVariable, "parameter `bD`: unknown name"),
    ],
)
def test_an_intervention_that_makes_no_sense_is_refused(do, error, message):
    with pytest.raises(error, match=message):
        do(MARKET)


def test_a_value_outside_of_the_domain_is_infeasible():
    model = SCM({"x": "1"}, domains={"x": (0, np.inf)})
    with pytest.raises(Infeasible, match="`x` cannot be held at `-1`: it lies between 0 and inf"):
        model.do(x=-1)


NAMES = st.sampled_from(["D", "S", "P"])
HOLDS = st.dictionaries(NAMES, st.floats(-5, 5), max_size=3)


@given(HOLDS, HOLDS)
def test_disjoint_interventions_commute(first, second):
    second = {name: value for name, value in second.items() if name not in first}
    assert MARKET.do(**first).do(**second) == MARKET.do(**second).do(**first)
    assert MARKET.do(**first).do(**second) == MARKET.do(**first, **second)


@given(HOLDS, HOLDS)
def test_the_later_intervention_wins(first, second):
    assert MARKET.do(**first).do(**second) == MARKET.do(**(first | second))


def test_a_change_of_parameter_commutes_with_a_hold():
    change, hold = SetParameter(bD=-3), Hold("S", 1)
    assert MARKET.do(change).do(hold) == MARKET.do(hold).do(change) == MARKET.do(change, hold)


# Sampling


def test_a_dataset_has_everything_over_sample():
    data = CYCLE.sample(3, seed=4)
    assert set(data) == {"x", "y", "e1", "e2", "a", "b", "status"}
    assert dict(data.sizes) == {"sample": 3}
    assert data.status.attrs["flag_values"] == [0, 1, 2, 3, 4]
    assert data.status.attrs["flag_meanings"] == "unique none several continuum not_found"
    assert data.attrs["seed"] == 4


@pytest.mark.parametrize(
    "model",
    [
        CYCLE,
        MARKET,
        SCM({"x": "a/(1 + y**2)", "y": "a/(1 + x**2)"}, {"a": Uniform(1, 4)}),
        SCM({"x": "a/(1 + y**2.5)", "y": "exp(x/a)"}, {"a": Uniform(1, 4)}),
        SCM({"x": "cos(y*z) + a", "y": "x**3 + sin(z)", "z": "z*exp(z) == x"}, {"a": Normal(0, 1)}),
        SCM({f"v{i}": f"b*v{(i + 1) % 9} + b*v{(i + 4) % 9} + {i}" for i in range(9)},
            parameters={"b": Normal(0, 1)}),
    ],
)  # fmt: skip
def test_sample_k_of_a_larger_run_is_sample_k(model):
    small, large = model.sample(3, seed=1), model.sample(40, seed=1)
    for name in small.variables:
        assert small[name].values.tobytes() == large[name].values[:3].tobytes(), name
    alone = model.solve({name: large[name].values[2] for name in model.exogenous}, seed=1)
    if not model.parameters or model is CYCLE or model is MARKET:
        for name in model.variables:
            if large.status[2] == SolutionStatus.UNIQUE:
                assert alone[name].values[0, 0] == large[name].values[2]


def test_the_two_cycle_has_the_covariance_of_its_closed_form():
    coefficients = np.array([[0, 0.5], [-0.8, 0]])
    inverse = np.linalg.inv(np.eye(2) - coefficients)
    expected = [[0.637755, -0.153061], [-0.153061, 0.836735]]
    np.testing.assert_allclose(inverse @ inverse.T, expected, atol=1e-6)
    data = CYCLE.sample(200_000)
    noise = np.array([data.e1, data.e2])
    np.testing.assert_allclose([data.x, data.y], inverse @ noise, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.cov(data.x, data.y), expected, atol=0.01)


def test_supply_and_demand_meet_at_the_price():
    data = MARKET.sample(500)
    np.testing.assert_allclose(data.P, (data.eS - data.eD) / (-1.5 - 0.5), rtol=1e-12)
    np.testing.assert_allclose(data.D, data.S)
    held = MARKET.do(S=1).sample(500)
    np.testing.assert_allclose(held.P, (1 - held.eD) / -1.5, rtol=1e-12)
    assert (MARKET.do(P=2).sample(5).status == SolutionStatus.UNIQUE).all()
    assert (MARKET.do(S=1, D=2).sample(5).status == SolutionStatus.NONE).all()
    assert (MARKET.do(S=1, D=1).sample(5).status == SolutionStatus.CONTINUUM).all()


# Solving


def test_given_exogenous_values_take_the_place_of_draws():
    data = CYCLE.solve({"e1": [1.0, 2.0, 3.0], "e2": 0.0})
    assert data.e1.values.tolist() == [1, 2, 3]
    np.testing.assert_allclose(data.x[:, 0], data.e1 / 1.4)
    drawn = CYCLE.solve({"e1": 1.0}, n=2, seed=3)
    assert drawn.e2.values.tolist() == CYCLE.sample(2, seed=3).e2.values.tolist()
    assert CYCLE.solve(dict(drawn[["e1", "e2"]])).x.values.tolist() == drawn.x.values.tolist()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: CYCLE.solve({"e3": 1}), UnknownVariable, "`e3` is no exogenous variable"),
        (lambda: CYCLE.solve({"a": 1}), UnknownVariable, r"use .do\(SetParameter\(a=...\)\)"),
        (lambda: CYCLE.solve({"x": 1}), UnknownVariable, r"it is a variable: use .do\(x=...\)"),
        (lambda: CYCLE.solve({"e1": np.nan}), InvalidValue, "`nan` is not a finite number"),
        (lambda: CYCLE.solve({"e1": [[1.0]]}), InvalidValue, r"array of shape `\(1, 1\)`"),
        (lambda: CYCLE.solve({"e1": [1, 2], "e2": [1, 2, 3]}), InvalidValue,
         "`e2` has values for 3 samples, but `e1` 2; give one"),
        (lambda: CYCLE.solve({"e1": [1, 2]}, n=5), InvalidValue, "2 samples, but n is 5"),
        (lambda: CYCLE.sample(0), InvalidValue, "n is `0`; give a whole number of at least 1"),
        (lambda: CYCLE.sample(2.5), InvalidValue, "n is `2.5`"),
        (lambda: CYCLE.sample(1, seed=-1), InvalidValue, "seed"),
        (lambda: SCM({"x": "e"}, {"e": [1, 2]}).sample(3), InvalidValue, "values for 2 samples"),
        (lambda: SCM({"x": "k"}, {"e": [1, 0]}, {"k": "1/e"}).sample(2), InvalidValue,
         "`k` is `inf` in sample 1; check its definition"),
    ],
)  # fmt: skip
def test_bad_requests_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# Graphs


@pytest.mark.parametrize(
    ("mechanisms", "directed"),
    [
        ({"x": "y - y + 0*z", "y": "1", "z": "y"}, [("y", "z")]),
        ({"x": "(y**2 - 1)/(y - 1) - y", "y": "1"}, []),
        ({"x": "sin(y)**2 + cos(y)**2 + z", "y": "1", "z": "2"}, [("z", "x")]),
        ({"x": "(1 + y**2)*(x - z) == 0", "y": "1", "z": "2"}, [("z", "x")]),
        ({"x": "y*(x - z) == 0", "y": "1", "z": "2"}, [("x", "x"), ("y", "x"), ("z", "x")]),
        ({"x": "0.5*x + y", "y": "1"}, [("y", "x")]),
        ({"x": "x + y", "y": "1"}, [("x", "x"), ("y", "x")]),
        ({"x": "3*x + y == 2", "y": "1"}, [("y", "x")]),
        ({"x": "x**3 == y", "y": "1"}, [("y", "x")]),
        ({"x": "x**3 + one*x == y", "y": "1"}, [("y", "x")]),
        ({"x": "x**3 - one*x == y", "y": "1"}, [("x", "x"), ("y", "x")]),
        ({"x": "x**2 == y", "y": "1"}, [("x", "x"), ("y", "x")]),
        ({"x": "exp(x) == y", "y": "1"}, [("x", "x"), ("y", "x")]),
        ({"x": "sinh(x) == y", "y": "1"}, [("y", "x")]),
        ({"x": "max(0, y - 1000)", "y": "1"}, [("y", "x")]),
        ({"x": "zero*y", "y": "one*x"}, [("x", "y")]),
        ({"x": "one*x + y == 0", "y": "zero*y + x"}, [("x", "y"), ("y", "x")]),
        ({"x": "y == 3", "y": "x"}, [("x", "x"), ("y", "x"), ("x", "y")]),
    ],
)
def test_parents_are_what_the_mechanism_means(mechanisms, directed):
    graph = SCM(mechanisms, parameters={"zero": 0, "one": 1}).graph()
    assert graph == MixedGraph(directed, nodes=mechanisms)


def test_the_market_has_a_self_cycle_at_the_price():
    pairs = [("P", "D"), ("P", "S"), ("D", "P"), ("S", "P")]
    assert MARKET.graph() == MixedGraph([*pairs, ("P", "P")])
    assert MARKET.do(P=1).graph() == MixedGraph(pairs[:2])


def test_shared_noise_makes_bidirected_edges():
    model = SCM({"x": "e + f", "y": "x + k*e", "z": "y + f*0", "w": "m"},
                exogenous={"e": Normal(0, 1), "f": Normal(0, 1)},
                parameters={"k": 1, "m": "3*e"})  # fmt: skip
    assert model.graph() == MixedGraph(
        [("x", "y"), ("y", "z")], [("x", "y"), ("x", "w"), ("y", "w")]
    )
    assert model.do(SetParameter(k=0)).graph().bidirected == {("w", "x")}


def test_random_parameters_are_hidden_causes_and_constants_are_none():
    def graph(value):
        return SCM({"x": "k", "y": "k + x"}, parameters={"k": value}).graph()

    assert graph(2.0).bidirected == frozenset()
    assert graph(Normal(0, 1)).bidirected == graph([1.0, 2.0]).bidirected == {("x", "y")}


@given(HOLDS)
def test_holding_removes_the_edges_into_the_variable(holds):
    before, after = MARKET.graph(), MARKET.do(**holds).graph()
    assert after.directed == {edge for edge in before.directed if edge[1] not in holds}


def test_given_values_that_are_no_mapping_are_refused():
    with pytest.raises(InvalidValue, match="exogenous is `5`; give a mapping"):
        SCM({"x": "1"}).solve(5)
