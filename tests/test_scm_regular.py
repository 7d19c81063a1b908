"""Interval bounds that prove that there is at most one solution, and where they prove nothing."""

import numpy as np
import pytest
import scipy
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.mechanism import Normal, Uniform
from physcm.mechanism.enclosure import Enclosures, Range
from physcm.mechanism.expression import symbol
from physcm.mechanism.parser import parse
from physcm.scm import SCM, SolutionStatus
from physcm.scm.regular import inverse_bound, solve

X, Y = symbol("x"), symbol("y")
THOUSANDTHS = st.integers(-2999, 2999).map(lambda k: k / 1000)


def proved(model):
    """Whether bounds prove that the first block has at most one solution at any known values."""
    block = model.blocks[0]
    known = [Range.of([-9.0], [9.0])] * len(block.known)
    return not np.isnan(inverse_bound(block, known)).any()


def loop(weights, function="tanh"):
    """x_i = sum_j w_ij f(x_j) + e_i."""
    n = len(weights)
    mechanisms = {
        f"x{i}": " + ".join(f"({weights[i][j]!r})*{function}(x{j})" for j in range(n)) + f" + e{i}"
        for i in range(n)
    }
    return SCM(mechanisms, {f"e{i}": Normal(0, 2) for i in range(n)})


# Intervals


@pytest.mark.parametrize(
    "text",
    [
        "x + y", "x - y", "x*y", "x*x", "x**3 - y", "1/(1 + x**2)", "exp(x - y)", "tanh(3*x)*y",
        "sin(2*x) + cos(y)", "sqrt(x**2 + 1)", "log(2 + x**2)", "abs(x)*y", "max(x, y, 0.5)",
        "min(x, y)", "cosh(x)", "sinh(y)", "atan(x)", "asinh(x*y)", "x**-2", "(2 + x**2)**y",
    ],
)  # fmt: skip
@settings(max_examples=50, deadline=None)
@given(
    ends=st.lists(st.floats(-4, 4), min_size=4, max_size=4),
    inside=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_range_holds_every_value(text, ends, inside):
    expression = parse(text, {"x", "y"}, "here")
    boxes = {X: sorted(ends[:2]), Y: sorted(ends[2:])}
    found = Enclosures({name: Range.of(*box) for name, box in boxes.items()}).of(expression)
    at = {
        name: sp.Float(np.clip(low + share * (high - low), low, high), 30)
        for share, (name, (low, high)) in zip(inside, boxes.items(), strict=True)
    }
    value = expression.subs(at)
    if np.isnan(found.low):
        assert text == "x**-2"
        assert boxes[X][0] <= 1e-100  # whose square is zero
        assert boxes[X][1] >= -1e-100
    else:
        assert found.low <= value <= found.high


@pytest.mark.parametrize(
    "text", ["1/x", "floor(x)", "sign(x)", "where(x > 0, 1, x)", "log(x)", "tan(x)"]
)
def test_what_may_jump_or_be_undefined_has_no_range(text):
    assert np.isnan(Enclosures({X: Range.of(-1, 1)}).of(parse(text, {"x"}, "here")).low)


def test_a_range_without_repeated_symbols_is_exact():
    found = Enclosures({X: Range.of(-1, 2), Y: Range.of(3, 4)}).of(X**2 * Y + 1)
    assert (found.low, found.high) == pytest.approx((1, 17))


# Certificates


@pytest.mark.parametrize(
    ("mechanisms", "domains", "certain"),
    [
        ({"x": "tanh(y)/2 + e", "y": "sin(x)"}, {}, True),
        ({"x": "3*y + tanh(x)/9 + e", "y": "2*x + cos(y)/9"}, {}, True),  # regular, no contraction
        ({"x": "max(0, y)/2 + e", "y": "-abs(x)/2"}, {}, True),
        ({"x": "0.9/(1 + exp(-y)) + e", "y": "0.9/(1 + exp(-x))"}, {}, True),
        ({"x": "tanh(2*y) + e", "y": "tanh(x)"}, {}, False),
        ({"x": "x**2 + e"}, {}, False),
        ({"x": "x**2/8 + e"}, {"x": (-1, 1)}, True),
        ({"x": "floor(y)/9 + e", "y": "tanh(x)"}, {}, False),
        ({"x": "1/y + e", "y": "tanh(x)"}, {"y": (-1, 9)}, False),
    ],
)
def test_what_is_certain(mechanisms, domains, certain):
    assert proved(SCM(mechanisms, {"e": 0}, domains=domains)) == certain


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), function=st.sampled_from(["tanh", "sin", "atan", "sqrt_"]))
def test_random_contractions_have_the_root_that_scipy_finds(seed, function):
    weights = np.random.default_rng(seed).uniform(-1, 1, (3, 3))
    weights *= 0.9 / np.abs(weights).sum(axis=1, keepdims=True)
    model = loop(weights.tolist(), "asinh" if function == "sqrt_" else function)
    f = {"tanh": np.tanh, "sin": np.sin, "atan": np.arctan, "sqrt_": np.arcsinh}[function]
    assert proved(model)
    data = model.sample(5, seed=1)
    assert (data.status == SolutionStatus.UNIQUE).all()
    for k in range(5):
        e = np.array([data[f"e{i}"].values[k] for i in range(3)])
        root = scipy.optimize.root(lambda x, e=e: x - weights @ f(x) - e, e, tol=1e-12)
        ours = [data[f"x{i}"].values[k] for i in range(3)]
        assert ours == pytest.approx(root.x, rel=1e-9, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(a=THOUSANDTHS, b=THOUSANDTHS, e=THOUSANDTHS)
def test_what_is_certain_is_the_one_solution_of_a_polynomial(a, b, e):
    mechanisms = {"x": "a*y**2/8 + e", "y": "b*x/2 + x**2/64"}
    model = SCM(
        mechanisms, domains={"x": (-1, 1), "y": (-1, 1)}, parameters={"a": a, "b": b, "e": e}
    )
    x = np.roots([a / 32768, a * b / 512, a * b**2 / 32, -1, e])
    x = x[np.abs(x.imag) < 1e-9].real
    inside = (np.abs(x) <= 1) & (np.abs(b * x / 2 + x**2 / 64) <= 1)
    block = model.blocks[0]
    answer = solve(block, np.array([[model.parameters[name]] for name in block.known]))
    if answer.column.size:
        assert inside.sum() == 1
        assert answer.x[block.unknowns.index("x"), 0] == pytest.approx(x[inside][0], abs=1e-9)


def test_no_sample_depends_on_those_beside_it():
    model = loop([[0, 0.5], [-0.4, 0]])
    few, many = model.sample(3), model.sample(1000)
    assert (few.x0.values == many.x0.values[:3]).all()


def test_samples_that_are_certain_stand_beside_others():
    """x = a tanh(x) has three roots for a > 1 and one for a < 1."""
    model = SCM({"x": "a*tanh(y)", "y": "x + 0*tanh(x)"}, {"a": [0.5, 2.0, -3.0]})
    data = model.solve(n=3)
    assert data["count"].values.tolist() == [1, 3, 1]
    root = scipy.optimize.brentq(lambda x: 2 * np.tanh(x) - x, 1, 3)
    assert data.x.values[1] == pytest.approx([-root, 0, root], abs=1e-9)


@pytest.mark.parametrize("n", [20, 60])
def test_large_loops_are_solved(n):
    rng = np.random.default_rng(n)
    mechanisms = {f"x{i}": f"0.8*tanh(x{(i - 1) % n} + x{rng.integers(n)})/2 + e" for i in range(n)}
    model = SCM(mechanisms, {"e": Uniform(-1, 1)})
    data = model.sample(200)
    assert (data.status == SolutionStatus.UNIQUE).all()
    at = {name: data[name].values for name in (*model.variables, "e")}
    for name, h in model.mechanisms.items():
        right = sp.lambdify(sorted(h.free_symbols, key=str), h, "numpy")
        value = right(*(at[str(s)] for s in sorted(h.free_symbols, key=str)))
        assert at[name] == pytest.approx(value, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(
    ("mechanisms", "how"),
    [
        ({"x": "e", "y": "x + 1"}, ""),
        ({"x": "y/2 + e", "y": "x/2"}, "x, y: linear algebra"),
        ({"x": "tanh(y)/2 + e", "y": "x/2"}, "x, y: interval bounds"),
        ({"x": "x**3 + e"}, "x: roots of a polynomial"),
        ({"x": "exp(x) - 3 + e"}, "x: search on a line"),
        ({"x": "exp(x) == 3 + e"}, "x: formula"),
        ({"x": "max(0, 1 - 2*y)", "y": "max(e, 1 - 2*x)"}, "x, y: cases, linear algebra"),
        ({"x": "tanh(2*y) + e", "y": "tanh(x)", "z": "z/2"},
         "x, y: search on a line; z: linear algebra"),
    ],
)  # fmt: skip
def test_the_dataset_says_how_loops_were_solved(mechanisms, how):
    assert SCM(mechanisms, {"e": 0.1}).sample(2).solved_by == how


def test_ways_that_differ_between_samples_are_all_named():
    model = SCM({"x": "a*tanh(y)", "y": "x/2 + x/2"}, {"a": [0.5, 2.0]})
    assert model.sample(2).solved_by == "x, y: interval bounds, search on a line"
