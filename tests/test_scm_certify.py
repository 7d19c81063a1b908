"""How many solutions a box holds, as interval arithmetic proves it."""

import numpy as np
import pytest
import scipy
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.mechanism import InvalidValue, Normal, Uniform, UnknownVariable
from physcm.mechanism.enclosure import Enclosures, Range
from physcm.mechanism.expression import symbol
from physcm.scm import SCM

SWITCH = SCM({"u": "a/(1 + v**2)", "v": "a/(1 + u**2)"}, {"a": 3})
WAVE = SCM({"x": "tanh(y)/2 + e", "y": "tanh(x)/2"}, {"e": Normal(0, 1)})
TENTHS = st.integers(-30, 30).map(lambda k: k / 10)
THOUSANDTHS = st.integers(-2999, 2999).map(lambda k: k / 1000)


def holds(box, at):
    return all(low <= at[name] <= high for name, (low, high) in box.items())


# Known roots


@settings(max_examples=40, deadline=None)
@given(roots=st.sets(TENTHS, min_size=1, max_size=5), low=THOUSANDTHS, width=st.floats(0.1, 4))
def test_the_roots_of_a_polynomial_in_an_interval_are_counted(roots, low, width):
    text = "*".join(f"(x - ({r!r}))" for r in sorted(roots))
    low, high = low + 0.0123456, low + 0.0123456 + width
    inside = sorted(r for r in roots if low < r < high)
    found = SCM({"x": f"{text} == 0"}).certify({"x": (low, high)})
    near = any(abs(r - end) < 1e-6 for r in roots for end in (low, high))
    assert found.count == (None if near and found.count is None else len(inside))
    if found.count is not None:
        assert all(holds(b, {"x": r}) for b, r in zip(found.solutions, inside, strict=True))


@settings(max_examples=40, deadline=None)
@given(a=THOUSANDTHS, b=THOUSANDTHS, e=THOUSANDTHS, half=st.sampled_from([0.7, 3.0, 20.0]))
def test_the_solutions_of_two_quadratic_equations_are_those_of_their_resultant(a, b, e, half):
    """With y = b x/2 + x^2/64 in x = a y^2/8 + e, x is a root of a polynomial of degree 4."""
    model = SCM({"x": "a*y**2/8 + e", "y": "b*x/2 + x**2/64"}, parameters={"a": a, "b": b, "e": e})
    found = model.certify({"x": (-half, half), "y": (-half, half)})
    x = np.roots([a / 32768, a * b / 512, a * b**2 / 32, -1, e])
    x = np.sort(x[np.abs(x.imag) < 1e-7].real)
    y = b * x / 2 + x**2 / 64
    inside = [{"x": s, "y": t} for s, t in zip(x, y, strict=True) if max(abs(s), abs(t)) < half]
    if found.count is None:
        size = np.abs(np.concatenate([x, y])) - half
        assert (np.abs(size) < 1e-6).any() or (np.diff(x) < 1e-4).any()
        return
    assert found.count == len(inside)
    for box, at in zip(found.solutions, inside, strict=True):
        middle = {name: sum(ends) / 2 for name, ends in box.items()}
        assert middle == pytest.approx(at, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_solutions_of_random_loops_are_those_that_scipy_finds(seed):
    rng = np.random.default_rng(seed)
    weights = rng.uniform(-2, 2, (3, 3)).round(2)
    model = SCM(
        {f"x{i}": " + ".join(f"({weights[i, j]})*tanh(x{j})" for j in range(3)) for i in range(3)}
    )
    half = np.abs(weights).sum(axis=1).max() + 0.1
    found = model.certify({name: (-half, half) for name in model.variables}, effort=50_000)
    roots = set()
    for start in rng.uniform(-half, half, (300, 3)):
        root = scipy.optimize.root(lambda x: x - weights @ np.tanh(x), start, tol=1e-13)
        if root.success and np.abs(root.fun).max() < 1e-12:
            roots.add(tuple(root.x.round(6) + 0.0))
    assert found.count == len(roots)
    for root in roots:
        middles = [[sum(ends) / 2 for ends in box.values()] for box in found.solutions]
        assert np.abs(np.array(middles) - root).max(axis=1).min() < 2e-6


def test_the_solution_is_in_its_interval_to_the_last_digit():
    (box,) = SCM({"x": "x**2 == 2"}).certify({"x": (1, 2)}).solutions
    low, high = (sp.Rational(end) for end in box["x"])
    assert low**2 <= 2 <= high**2
    assert high - low < 1e-14


def test_slow_contractions_are_followed_to_the_end():
    """Goodwin's loop, whose slopes are steep: K contracts by a millionth at a time."""
    goodwin = SCM({"x": "10/(1 + z**12)", "y": "2*x", "z": "2*y"})
    (box,) = goodwin.certify({"x": (0.11, 0.57), "y": (0.32, 1.03), "z": (0.73, 1.97)}).solutions
    assert max(high - low for low, high in box.values()) < 1e-13


def test_the_switch_has_the_three_states_that_solve_finds():
    found = SWITCH.certify({"u": (0, 3), "v": (0, 3)})
    listed = SWITCH.solve()
    assert found.count == 3
    assert [sum(b["u"]) / 2 for b in found.solutions] == pytest.approx(listed.u.values[0].tolist())


# What is proved


def test_a_certificate_is_true_if_there_is_exactly_one():
    assert WAVE.certify({"x": (-2, 2), "y": (-2, 2)}, {"e": 0.3})
    assert not SWITCH.certify({"u": (0, 3), "v": (0, 3)})
    assert not SWITCH.certify({"u": (2.9, 3), "v": (2.9, 3)})


@pytest.mark.parametrize(
    ("mechanism", "box", "text"),
    [
        ("tanh(x)/2 + 0.1", (-1, 1), "exactly one solution: Krawczyk's operator maps a box"),
        ("x**2 + 1", (-1, 1), "no solution: interval bounds on"),
        ("x**3", (-2, 2), "exactly 3 solutions: Krawczyk's operator maps a box about x = -1 and"),
        ("x + x**2", (-1, 1), "undecided: several solutions, or none, may lie at x in"),
        ("x", (-1, 1), "undecided: 63 boxes were not enough; x in"),
        ("x**2", (-1, 1), "undecided, at least 1: a solution lies on the border of the box, at"),
    ],
)
def test_a_certificate_says_what_it_rests_on(mechanism, box, text):
    effort = 40 if mechanism == "x" else 5000
    found = SCM({"x": mechanism}).certify({"x": box}, effort=effort)
    assert str(found).startswith(text)


def test_bisection_decides_where_one_enclosure_is_too_wide():
    model, box = SCM({"x": "x**2 - 2*x + 1.01 == 0"}), (-1.0, 3.0)
    naive = Enclosures({symbol("x"): Range.of(*box)}).of(model.residuals["x"])
    assert naive.low < 0 < naive.high
    assert model.certify({"x": box}).count == 0


def test_corners_are_allowed():
    found = SCM({"x": "abs(y)/2 + 1", "y": "max(0, x)/2 - 1"}).certify({"x": (-5, 5), "y": (-5, 5)})
    assert found
    middle = {name: sum(ends) / 2 for name, ends in found.solutions[0].items()}
    assert middle == pytest.approx({"x": 1.2, "y": -0.4}, abs=1e-4)


def test_a_solution_next_to_a_jump_is_not_decided():
    found = SCM({"x": "floor(x)/2 + 0.2"}).certify({"x": (-1, 1)})
    assert found.count is None
    assert "the equations may jump, or be undefined, at x in [" in str(found)


# Intervals of what is known


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0, 1))
def test_a_certificate_holds_for_every_value_of_an_interval(share):
    model = SCM({"x": "exp(-x) + e - 1"}, {"e": 1})
    found = model.certify({"x": (0, 2)}, {"e": (0.9, 1.2)})
    e = 0.9 + share * 0.3
    root = scipy.optimize.brentq(lambda x: np.exp(-x) + e - 1 - x, 0, 2, xtol=1e-13)
    assert found
    assert holds(found.solutions[0], {"x": root})


def test_noise_is_anywhere_in_its_support():
    model = SCM({"x": "x**2 == e"}, {"e": Uniform(1, 1.2)})
    assert model.certify({"x": (0, 2)})
    assert model.certify({"x": (1.01, 2)}).count is None
    assert "`e` can be any number: give it in `exog" in str(
        WAVE.certify({"x": (0, 1), "y": (0, 1)})
    )


# Variables beside the box


def test_variables_beside_the_box_are_computed():
    model = SCM({"c": "2*e", "x": "y**2 + c", "y": "x/4", "z": "1/x"}, {"e": -0.5})
    found = model.certify({"x": (-3, 3)})
    assert found
    (x,) = (sum(ends) / 2 for ends in found.solutions[0].values())
    assert x == pytest.approx(8 - np.sqrt(80))


@pytest.mark.parametrize(("domain", "count"), [((0, 9), 1), ((1, 9), 0), ((-9, 9), 1)])
def test_variables_beside_the_box_keep_to_their_domains(domain, count):
    model = SCM({"x": "y", "y": "(x + 1)/2 - 0.3"}, domains={"y": domain})
    assert model.certify({"x": (-2, 2)}).count == count


def test_the_box_takes_the_place_of_domains():
    model = SCM({"x": "x*(1 - x) == 0"}, domains={"x": (0, 9)})
    assert model.certify({"x": (-1, 2)}).count == 2


@pytest.mark.parametrize(
    ("box", "given_", "error", "message"),
    [
        ({"u": (0, np.inf)}, {}, InvalidValue, r"box of `u` is `\(0, inf\)`; give two finite"),
        ({"u": (1, 0)}, {}, InvalidValue, r"box of `u` is `\(1, 0\)`; give two numbers"),
        ({"q": (0, 1)}, {}, UnknownVariable, "`q` is no variable of the model"),
        ({}, {}, InvalidValue, "`box` is empty; give an interval"),
        (3, {}, InvalidValue, "box is `3`; give a mapping"),
        ({"w": (0, 1)}, {}, InvalidValue, "`u, v` form a loop without a variable in the box"),
        ({"u": (0, 1)}, {"b": 1}, UnknownVariable, "`b` is no exogenous variable"),
        ({"r": (0, 1)}, {}, InvalidValue, "`s` is given by an equation and not in the box"),
    ],
)
def test_what_cannot_be_asked_is_refused(box, given_, error, message):
    more = {"w": "u + v", "r": "s", "s": "s**2 == 2"}
    model = SWITCH.replace(mechanisms={**SWITCH.mechanisms, **more})
    with pytest.raises(error, match=message):
        model.certify(box, given_)
