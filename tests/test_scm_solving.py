"""Solving cyclic equations: all solutions, and the right answer where there is not one."""

import itertools
import math
import time
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from physcm.mechanism import Normal, Uniform
from physcm.mechanism.expression import symbol
from physcm.scm import SCM, SolutionStatus
from physcm.scm.block import Block
from physcm.scm.cases import cases
from physcm.scm.elimination import reduced
from physcm.scm.linear import linear_form
from physcm.scm.polynomial import real_roots

POSITIVE = (0, np.inf)


def solutions(model, **exogenous):
    """The solutions of the first sample, one row each, and what is known about them."""
    data = model.solve(exogenous)
    rows = np.array([data[name].values[0] for name in model.variables]).T
    status = SolutionStatus(int(data.status[0]))
    return rows[: int(data["count"][0])], status


def satisfied(model, row, rtol=1e-9):
    """Whether a solution meets every equation, beside the sizes of its terms."""
    numbers = {**model.exogenous, **model.parameters}
    at = {symbol(k): sp.Float(v, 30) for k, v in numbers.items()}
    at |= {symbol(k): sp.Float(v, 30) for k, v in zip(model.variables, row, strict=True)}
    for residual in model.residuals.values():
        terms = [abs(term.subs(at)) for term in sp.Add.make_args(residual)]
        if abs(residual.subs(at)) > rtol * sum(terms):
            return False
    return True


# Three different answers, and the others


@pytest.mark.parametrize(
    ("mechanisms", "status"),
    [
        ({"x": "y", "y": "x"}, SolutionStatus.CONTINUUM),
        ({"x": "y + 1", "y": "x"}, SolutionStatus.NONE),
        ({"x": "y + 1e-13", "y": "x"}, SolutionStatus.NONE),
        ({"x": "x + 1"}, SolutionStatus.NONE),
        ({"x": "x"}, SolutionStatus.CONTINUUM),
        ({"x": "x - x == 0*x"}, SolutionStatus.CONTINUUM),
        ({"x": "x - x == 1"}, SolutionStatus.NONE),
        ({"x": "1 == 1"}, SolutionStatus.CONTINUUM),
        ({"x": "where(x > 0, 2, -2) == x"}, SolutionStatus.SEVERAL),
        ({"x": "x**2 == x"}, SolutionStatus.SEVERAL),
        ({"x": "x**2 + 1 == 0"}, SolutionStatus.NONE),
        ({"x": "x**2 - 2*x + 1 == 0"}, SolutionStatus.UNIQUE),
        ({"x": "(x - 1)**3 == 0"}, SolutionStatus.UNIQUE),
        ({"x": "y**2", "y": "x**2"}, SolutionStatus.SEVERAL),
        ({"x": "y**2 == x", "y": "x == y**2"}, SolutionStatus.CONTINUUM),
        ({"x": "x*y == 1", "y": "2*x*y == 2"}, SolutionStatus.CONTINUUM),
        ({"x": "x*y*z == 1", "y": "x*y*z == 1", "z": "x + y*z"}, SolutionStatus.CONTINUUM),
        ({"x": "exp(-x)"}, SolutionStatus.UNIQUE),
        ({"x": "x + exp(x)"}, SolutionStatus.NOT_FOUND),
        ({"x": "x + exp(y)", "y": "sin(x)"}, SolutionStatus.NONE),
        ({"x": "sqrt(y)", "y": "-1"}, SolutionStatus.NONE),
        ({"x": "1/y", "y": "0*x"}, SolutionStatus.NONE),
        ({"x": "max(0, 1 - 2*y)", "y": "max(0, 1 - 2*x)"}, SolutionStatus.SEVERAL),
        ({"x": "abs(x) + 1"}, SolutionStatus.NONE),
        ({"x": "max(a*x, b*x) - 1"}, SolutionStatus.SEVERAL),
        ({"x": "abs(x)"}, SolutionStatus.CONTINUUM),
        ({"x": "where(x < 0, 1, -1)"}, SolutionStatus.NONE),
    ],
)
def test_what_is_known_about_the_solutions(mechanisms, status):
    assert solutions(SCM(mechanisms, parameters={"a": 2, "b": -1}))[1] == status


def test_each_sample_has_its_own_answer():
    model = SCM({"x": "a*y + b", "y": "x"}, exogenous={"a": 0, "b": 0})
    data = model.solve({"a": [0.5, 1, 1, 1 / 3], "b": [1, 0, 1e-9, 1e-20]})
    assert data.status.values.tolist() == [0, 3, 1, 0]
    np.testing.assert_allclose(data.x[[0, 3], 0], [2, 1.5e-20])
    assert np.isnan(data.x[1:3]).all()


def test_an_answer_that_cannot_be_told_spoils_only_what_reads_it():
    loose = {"x": "y", "y": "x", "z": "x + 1"}
    assert solutions(SCM({**loose, "w": "2"}))[1] == SolutionStatus.CONTINUUM
    assert solutions(SCM({**loose, "w": "w + 1"}))[1] == SolutionStatus.NONE
    lost = {"x": "x + exp(x)", "z": "x"}
    assert solutions(SCM({**lost, "w": "w + 1"}))[1] == SolutionStatus.NONE
    assert solutions(SCM({**lost, "w": "w**2 == 1"}))[1] == SolutionStatus.NOT_FOUND


def test_a_guess_finds_the_solution_that_iteration_from_afar_does_not():
    needle = {
        "x": "exp(-(x - 301)**2 - (y - 203)**2) == 0.5",
        "y": "exp(-(x - 301.5)**2 - (y - 203.2)**2) == 0.5",
    }
    assert SCM(needle).sample(1).status == SolutionStatus.NOT_FOUND
    found = SCM(needle, guesses={"x": 301, "y": 203}).do().solve()
    assert found["count"] >= 1
    assert math.hypot(found.x[0, 0] - 301, found.y[0, 0] - 203) == pytest.approx(
        math.sqrt(math.log(2))
    )


def test_branches_multiply_and_end():
    model = SCM({"x": "x**2 == 4", "y": "y**2 == x", "z": "z**2 == 9*y**2"})
    rows, status = solutions(model)
    assert status == SolutionStatus.SEVERAL
    root = np.sqrt(2)
    expected = [(2, y, z) for y in (-root, root) for z in (-3 * root, 3 * root)]
    np.testing.assert_allclose(rows, expected)


def test_solutions_come_in_order():
    data = SCM({"x": "x**3 - e*x == 0"}, {"e": 1}).solve({"e": [4, -1, 1]})
    np.testing.assert_allclose(data.x[0], [-2, 0, 2], atol=1e-12)
    np.testing.assert_allclose(data.x[1], [0, np.nan, np.nan], atol=1e-12)
    assert data["count"].values.tolist() == [3, 1, 3]
    assert dict(data.sizes) == {"sample": 3, "solution": 3}


# Worked examples


def test_a_loop_with_gain_in_closed_form():
    model = SCM({"x3": "x1*x4 + e3", "x4": "x2*x3 + e4"},
                exogenous={"e3": Normal(0, 1), "e4": Normal(0, 1)},
                parameters={"x1": 0.5, "x2": -2})  # fmt: skip
    data = model.sample(100)
    np.testing.assert_allclose(data.x3, (0.5 * data.e4 + data.e3) / 2)
    np.testing.assert_allclose(data.x4, (-2 * data.e3 + data.e4) / 2)
    for x1, x2 in [(0.5, 2), (0.1, 10), (49, 1 / 49)]:
        singular = model.replace(parameters={"x1": x1, "x2": x2}).sample(100)
        assert (singular.status == SolutionStatus.NONE).all()


def test_what_defeats_fixed_point_iteration():
    model = SCM({"x": "2*y + e1", "y": "2*x + e2"}, exogenous={"e1": 0, "e2": 0})
    rows, status = solutions(model, e1=1, e2=1)
    assert status == SolutionStatus.UNIQUE
    np.testing.assert_allclose(rows, [[-1, -1]])


@pytest.mark.parametrize("masses", [1, 2, 5, 40])
def test_coupled_oscillators_rest_where_the_springs_balance(masses):
    rng = np.random.default_rng(masses)
    k, length = rng.uniform(0.5, 2, masses + 1), rng.uniform(0.1, 1, masses + 1)
    mechanisms = {"Q0": "0", f"Q{masses + 1}": "L"}
    for i in range(1, masses + 1):
        mechanisms[f"Q{i}"] = (
            f"(k{i}*(Q{i + 1} - l{i}) + k{i - 1}*(Q{i - 1} + l{i - 1}))/(k{i} + k{i - 1})"
        )
    parameters = {f"k{i}": float(v) for i, v in enumerate(k)}
    parameters |= {f"l{i}": float(v) for i, v in enumerate(length)}
    model = SCM(mechanisms, parameters={**parameters, "L": 10.0})
    matrix = np.diag(k[:-1] + k[1:]) - np.diag(k[1:-1], 1) - np.diag(k[1:-1], -1)
    side = k[:-1] * length[:-1] - k[1:] * length[1:]
    side[-1] += k[-1] * 10
    data = model.sample(1)
    positions = [data[f"Q{i}"].item() for i in range(1, masses + 1)]
    np.testing.assert_allclose(positions, np.linalg.solve(matrix, side))
    held = model.do(Q1=3).sample(1)
    assert held.Q1.item() == 3
    if masses == 2:
        assert held.Q2.item() == pytest.approx(
            (k[2] * (10 - length[2]) + k[1] * (3 + length[1])) / (k[1] + k[2])
        )


def test_the_mapk_cascade_has_its_closed_form():
    mechanisms = {"Raf": "on*S*(N - Raf) - off*Raf == 0"}
    for kinase, above in (("Mek", "Raf"), ("Erk", "Mek")):
        mechanisms |= {
            f"{kinase}0": f"N - {kinase}1 - {kinase}",
            f"{kinase}1": f"on*{above}*({kinase}0 - {kinase}1) + off*({kinase} - {kinase}1) == 0",
            kinase: f"on*{above}*{kinase}1 == off*{kinase}",
        }
    values = {"on": Uniform(1, 3), "off": Uniform(0.5, 2), "N": Uniform(1, 5), "S": 0.7}
    data = SCM(mechanisms, parameters=values).sample(50)

    def active(stimulus):
        u = stimulus * data.on / data.off
        return data.N * u**2 / (1 + u + u**2)

    u = data.S * data.on / data.off
    np.testing.assert_allclose(data.Raf, data.N * u / (1 + u))
    np.testing.assert_allclose(data.Mek, active(data.Raf))
    np.testing.assert_allclose(data.Erk, active(data.Mek))
    held = SCM(mechanisms, parameters=values).do(Mek=0.3).sample(50)
    np.testing.assert_allclose(held.Erk, active(0.3))


def test_the_toggle_switch_has_three_equilibria():
    model = SCM({"x": "a/(1 + y**2)", "y": "a/(1 + x**2)"}, parameters={"a": 4})
    rows, status = solutions(model)
    assert status == SolutionStatus.SEVERAL
    side = 2 - np.sqrt(3), 2 + np.sqrt(3)
    middle = np.real(np.roots([1, 0, 1, -4])[-1])
    np.testing.assert_allclose(rows, [side, (middle, middle), side[::-1]], rtol=1e-9)
    assert solutions(model.replace(parameters={"a": 1}))[1] == SolutionStatus.UNIQUE
    assert solutions(model.do(y=1))[1] == SolutionStatus.UNIQUE


def test_a_fractional_exponent_is_no_obstacle():
    toggle = {"x": "a/(1 + y**n)", "y": "a/(1 + x**n)"}
    model = SCM(toggle, parameters={"a": 4, "n": 2.5}, domains={"x": POSITIVE, "y": POSITIVE})
    rows, _ = solutions(model)
    assert len(rows) == 3
    assert all(satisfied(model, row) for row in rows)


@pytest.mark.parametrize("n", [1, 3, 6])
def test_every_combination_of_species_that_can_live_together_is_found(n):
    rng = np.random.default_rng(n)
    effects = rng.uniform(0, 0.2, (n, n)) + np.eye(n)
    mechanisms = {
        f"x{i}": f"x{i}*(1 - " + " - ".join(f"{a}*x{j}" for j, a in enumerate(row)) + ") == 0"
        for i, row in enumerate(effects)
    }
    rows, _ = solutions(SCM(mechanisms))
    assert len(rows) == 2**n
    growth = 1 - rows @ effects.T
    np.testing.assert_allclose(rows * growth, 0, atol=1e-12)
    positive = SCM(mechanisms, domains={name: POSITIVE for name in mechanisms})
    assert len(solutions(positive)[0]) == (rows >= 0).all(axis=1).sum()


def test_species_that_die_out_are_a_branch_of_their_own():
    mechanisms = {
        "a": "max(0, 1 - 1.5*b - 0.2*c)",
        "b": "max(0, 1 - 1.5*a - 0.2*c)",
        "c": "max(0, 1 - 0.2*a - 0.2*b)",
    }
    rows, status = solutions(SCM(mechanisms))
    assert status == SolutionStatus.SEVERAL
    one = 1 - 0.2 * 0.8 / 0.96, 0, 0.8 / 0.96
    coexisting = np.linalg.solve([[1, 1.5, 0.2], [1.5, 1, 0.2], [0.2, 0.2, 1]], np.ones(3))
    np.testing.assert_allclose(
        rows, sorted([one, (0, one[0], one[2]), tuple(coexisting)]), atol=1e-12
    )
    assert solutions(SCM(mechanisms).do(a=2))[0].tolist() == [[2, 0, pytest.approx(0.6)]]


# Scales and domains


def test_amounts_of_any_size_live_in_one_model():
    parameters = {"k": 1e-16, "K": 3e-16, "V": 1e3}
    model = SCM({"s": "k*p/V", "p": "V*s/(K + s) == p/2"}, parameters=parameters)
    rows, status = solutions(model)
    assert status == SolutionStatus.SEVERAL or len(rows) == 1
    s = 2 * 1e-16 - 3e-16
    assert all(satisfied(model, row) for row in rows)
    np.testing.assert_allclose(sorted(row[0] for row in rows), [s, 0], rtol=1e-9, atol=1e-30)


@given(st.integers(-20, 12), st.integers(-20, 12))
def test_roots_of_very_different_sizes_are_all_found(first, second):
    assume(first != second)
    a, b = 10.0**first, 10.0**second
    rows, _ = solutions(SCM({"x": "(x - a)*(x - b)*(x + a) == 0"}, parameters={"a": a, "b": b}))
    np.testing.assert_allclose(rows[:, 0], sorted([a, b, -a]), rtol=1e-9)


def test_a_root_outside_of_the_domain_is_no_solution():
    mechanisms = {"x": "x**2 == y", "y": "4"}
    assert len(solutions(SCM(mechanisms))[0]) == 2
    rows, status = solutions(SCM(mechanisms, domains={"x": POSITIVE}))
    np.testing.assert_allclose(rows, [[2, 4]])
    assert status == SolutionStatus.UNIQUE
    for domain in ((-1, 1), (3, np.inf)):
        assert solutions(SCM(mechanisms, domains={"x": domain}))[1] == SolutionStatus.NONE
    assert solutions(SCM({"x": "-1"}, domains={"x": POSITIVE}))[1] == SolutionStatus.NONE
    assert solutions(SCM({"x": "y - 3", "y": "x/2 + 1"}, domains={"x": POSITIVE}))[1] == 1


def test_rounding_does_not_push_a_root_out_of_its_domain():
    for parameters in ({"a": 0.3}, {"a": 3e-17}, {"a": 3e5}):
        explicit = SCM({"x": "a - 0.1*a - 0.2*a - 0.7*a"}, {}, parameters, domains={"x": POSITIVE})
        linear = SCM({"x": "y - 0.3*a", "y": "x + 0.1*a + 0.2*a + x"}, {}, parameters,
                     domains={"x": POSITIVE})  # fmt: skip
        for model in (explicit, linear):
            rows, status = solutions(model)
            assert status == SolutionStatus.UNIQUE
            assert 0 <= rows[0, 0] <= 1e-15 * parameters["a"]


# Against independent computations


@given(st.integers(2, 12), st.integers(0, 10_000))
def test_linear_models_solve_as_the_inverse_of_i_minus_b(n, seed):
    rng = np.random.default_rng(seed)
    b = rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.5)
    np.fill_diagonal(b, 0)
    assume(np.linalg.cond(np.eye(n) - b) < 1e6)
    mechanisms = {
        f"x{i}": " + ".join([f"e{i}", *(f"({b[i, j]})*x{j}" for j in range(n) if b[i, j])])
        for i in range(n)
    }
    model = SCM(mechanisms, exogenous={f"e{i}": Normal(0, 1) for i in range(n)})
    data = model.sample(3, seed)
    noise = np.array([data[f"e{i}"] for i in range(n)])
    found = np.array([data[f"x{i}"] for i in range(n)])
    np.testing.assert_allclose(found, np.linalg.solve(np.eye(n) - b, noise), rtol=1e-8, atol=1e-9)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=6), st.integers(1, 9))
def test_polynomial_roots_are_all_found(roots, leading):
    x = sp.Symbol("x")
    expanded = sp.expand(leading * sp.prod(x - root for root in roots))
    rows, _ = solutions(SCM({"x": sp.Eq(expanded, 0)}))
    most = max(map(roots.count, roots))
    np.testing.assert_allclose(rows[:, 0], sorted({*roots}), atol={1: 1e-6, 2: 1e-4}.get(most, 0.1))


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=6))
def test_real_roots_agree_with_numpy(coefficients):
    assume(coefficients[0] and coefficients[-1])
    expected = np.roots(coefficients)
    real = expected[np.abs(expected.imag) < 1e-9 * np.abs(expected)].real
    found, _ = real_roots(np.array(coefficients[::-1], float)[:, np.newaxis])
    for root in real:
        assert np.abs(found - root).min() < 1e-6 * abs(root)


@settings(max_examples=40)
@given(st.integers(2, 4), st.integers(0, 10_000))
def test_planted_roots_of_polynomial_systems_are_found(n, seed):
    rng = np.random.default_rng(seed)
    planted = rng.uniform(-2, 2, n)
    names = [f"x{i}" for i in range(n)]
    mechanisms = {}
    for i, name in enumerate(names):
        j, k = rng.integers(n, size=2)
        a, b = rng.uniform(-2, 2, 2)
        rest = planted[i] ** 2 * a + planted[j] * planted[k] * b + planted[(i + 1) % n]
        mechanisms[name] = (
            f"({a})*{name}**2 + ({b})*{names[j]}*{names[k]} + {names[(i + 1) % n]} == {rest}"
        )
    model = SCM(mechanisms)
    rows, _ = solutions(model)
    assert all(satisfied(model, row, 1e-8) for row in rows)
    gaps = np.abs(rows - planted).max(axis=1)
    assert gaps.min(initial=np.inf) < 1e-6


@pytest.mark.parametrize(
    ("mechanisms", "expected"),
    [
        ({"x": "x**2 + y**2 == 25", "y": "x*y == 12"}, [(-4, -3), (-3, -4), (3, 4), (4, 3)]),
        ({"x": "y**2 - 2", "y": "x**2 - 2"}, None),
        ({"x": "(y**2 - 1)/(y - 1)", "y": "x/2"}, []),
        ({"x": "y*z", "y": "z**2 - 1", "z": "x + y"}, None),
    ],
)
def test_polynomial_blocks_agree_with_sympy(mechanisms, expected):
    model = SCM(mechanisms)
    rows, _ = solutions(model)
    if expected is None:
        names = [symbol(name) for name in model.variables]
        found = (
            sp.solve_poly_system(
                [sp.numer(sp.together(r)) for r in model.residuals.values()], *names
            )
            if len(names) == 3
            else sp.solve(list(model.residuals.values()), names)
        )
        values = [tuple(complex(sp.N(v, 20)) for v in solution) for solution in found]
        real = {
            tuple(round(v.real, 8) for v in s) for s in values if max(abs(v.imag) for v in s) < 1e-9
        }
        expected = sorted(real)
    np.testing.assert_allclose(rows, np.array(expected).reshape(-1, len(mechanisms)), atol=1e-6)


@settings(max_examples=40)
@given(st.floats(0.5, 5), st.floats(1.5, 6), st.floats(0.1, 1))
def test_one_unknown_is_scanned_for_all_roots(a, n, leak):
    """The equilibria of x' = leak + a x^n/(1 + x^n) - x, against a fine scan."""
    model = SCM({"x": f"{leak} + {a}*x**{n}/(1 + x**{n})"}, domains={"x": POSITIVE})
    x = np.linspace(1e-6, a + leak + 1, 400_000)
    excess = leak + a * x**n / (1 + x**n) - x
    crossings = int((np.diff(np.sign(excess)) != 0).sum())
    assume(np.abs(excess).min() < 1e-4)
    touching = np.abs(np.gradient(excess, x))[np.abs(excess) < 1e-3]
    assume(touching.min() > 1e-2)
    rows, _ = solutions(model)
    assert len(rows) == crossings
    assert all(satisfied(model, row) for row in rows)


def test_oscillating_equations_have_all_their_roots():
    rows, _ = solutions(SCM({"x": "sin(x) == 0.5"}, domains={"x": (0, 20)}))
    expected = [np.arcsin(0.5) + 2 * np.pi * k for k in range(4)]
    expected += [np.pi - np.arcsin(0.5) + 2 * np.pi * k for k in range(3)]
    np.testing.assert_allclose(rows[:, 0], sorted(expected))


# The pieces


def block(*residuals, names="xyz"):
    names = tuple(names[: len(residuals)])
    read = tuple(map(sp.sympify, residuals))
    real = {s: symbol(s.name) for r in read for s in r.free_symbols}
    nothing = (None,) * len(names)
    everything = ((-np.inf, np.inf),) * len(names)
    guess = (np.nan,) * len(names)
    return Block(names, tuple(r.xreplace(real) for r in read), nothing, everything, guess)


def test_linear_forms_are_recognized_as_written():
    x, y, k = map(symbol, "xyk")
    assert linear_form(k * (x - 2 * y) / 3 + k**2, {x, y}) == ({x: k / 3, y: -2 * k / 3}, k**2)
    assert linear_form(x * y, {x}) == ({x: y}, 0)
    for nonlinear in (x * y, x**2, sp.exp(x), 1 / x, sp.Max(x, 0)):
        assert linear_form(nonlinear, {x, y}) is None


def test_elimination_leaves_few_unknowns_and_loses_no_root():
    chain = reduced(block("x - k*y**2", "y - z", "z**3 + x - 1"))
    assert len(chain.tears) == 1
    assert chain.pivots == ()
    divided = reduced(block("k*x - y**2", "x**2 + y**2 - 1"))
    assert divided.pivots in ((symbol("k"),), ())
    model = SCM({"x": "k*x == y**2", "y": "x**2 + y**2 == 1"}, parameters={"k": 0})
    rows, _ = solutions(model)
    assert sorted(rows.round(9).tolist()) == [[-1, 0], [1, 0]]


def test_a_coefficient_that_may_vanish_is_not_divided_by():
    rows, _ = solutions(SCM({"x": "x*y == 0", "y": "x + y == 1"}))
    np.testing.assert_allclose(rows, [[0, 1], [1, 0]], atol=1e-12)


def test_corners_give_one_block_per_case():
    smooth = cases(block("x - Max(0, 1 - y)", "y - Abs(x)"))
    assert len(smooth) == 4
    assert cases(block("x - y", "y - x**2")) is None
    assert cases(block("x*(x - y)", "y - x**2")) is None
    factors = cases(block("x**2*(x - y)", "y - 1"))
    assert [str(case.residuals[0]) for case in factors] == ["x", "x - y"]
    assert cases(block(" + ".join(f"Max(x, {i})" for i in range(7)))) is None


# Speed, with much to spare


def test_a_large_linear_cycle_is_solved_for_ten_thousand_samples_in_seconds():
    n = 50
    b = np.random.default_rng(0).normal(size=(n, n)) / 10
    mechanisms = {
        f"x{i}": " + ".join([f"e{i}", *(f"({b[i, j]})*x{j}" for j in range(n) if i != j)])
        for i in range(n)
    }
    model = SCM(mechanisms, exogenous={f"e{i}": Normal(0, 1) for i in range(n)})
    start = time.process_time()
    data = model.sample(10_000)
    assert time.process_time() - start < 20
    np.fill_diagonal(b, 0)
    noise = np.array([data[f"e{i}"] for i in range(n)])
    found = np.array([data[f"x{i}"] for i in range(n)])
    np.testing.assert_allclose(found, np.linalg.solve(np.eye(n) - b, noise), atol=1e-9)


def test_a_hundred_reactions_are_solved_for_one_sample_in_seconds():
    """A ring of Michaelis-Menten conversions with feedback, a block of 100 unknowns."""
    n = 50
    mechanisms = {f"v{i}": f"V*s{i}/(K + s{i})*(1 + s{(i + 7) % n}/K)" for i in range(n)}
    for i in range(n):
        mechanisms[f"s{i}"] = f"v{(i - 1) % n} - v{i} + {0.01 * (i + 1)} - d*s{i}**1.5 == 0"
    domains = {f"s{i}": POSITIVE for i in range(n)}
    model = SCM(mechanisms, parameters={"V": 2, "K": 0.5, "d": 0.3}, domains=domains)
    start = time.process_time()
    rows, status = solutions(model)
    assert time.process_time() - start < 60
    assert status != SolutionStatus.NOT_FOUND
    (large,) = model.blocks
    known = np.array([[model.parameters[name]] for name in large.known])
    x = rows.T[[model.variables.index(name) for name in large.unknowns]]
    relative = large.equations.residual(x, known) / large.equations.size(x, known)
    assert np.abs(relative).max() < 1e-12


@pytest.mark.parametrize(
    ("mechanism", "expected"),
    [
        ("floor(x/2) + 1", [1, 2]),
        ("ceil(x/2)", [0, 1]),
        ("2*sign(x) + 0.5", [-1.5, 2.5]),
        ("mod(x, 3)/2 + 1", [2]),
    ],
)
def test_a_mechanism_with_steps_is_solved_where_the_steps_keep_their_values(
    mechanism: str, expected: list[float]
) -> None:
    rows, _ = solutions(SCM({"x": mechanism}))
    np.testing.assert_allclose(rows[:, 0], expected, atol=1e-12)


@given(st.integers(-7, 7), st.integers(1, 4), st.integers(-20, 20))
@settings(max_examples=60, deadline=None)
def test_a_staircase_meets_the_diagonal_where_exact_arithmetic_says(
    tenths: int, width: int, shift: int
) -> None:
    """x = a floor(x/b) + c in rational numbers, by trying every floor; |a| < 0.8 b."""
    a, c = Fraction(tenths, 10), Fraction(shift, 10)
    expected = [a * n + c for n in range(-500, 500) if (a * n + c) // width == n]
    rows, _ = solutions(SCM({"x": f"{tenths}/10*floor(x/{width}) + {shift}/10"}))
    np.testing.assert_allclose(rows.ravel(), sorted(map(float, expected)), atol=1e-12)


# Formulas


@pytest.mark.parametrize(
    ("equation", "inverse"),
    [
        ("exp(2*x - 1) == y", lambda y: (np.log(y) + 1) / 2),
        ("3*tanh(x) == y", lambda y: np.arctanh(y / 3)),
        ("sinh(x)**3 == y", lambda y: np.arcsinh(np.cbrt(y))),
        ("log(x) == y", np.exp),
    ],
)
def test_an_unknown_that_stands_once_is_found_by_a_formula(equation, inverse):
    y = np.linspace(-5, 5, 201)
    data = SCM({"x": equation}, {"y": y}).sample(y.size)
    with np.errstate(all="ignore"):
        expected = inverse(y)
    exists = np.isfinite(expected)
    assert data.solved_by == "x: formula"
    assert data.status.values[exists].tolist() == [SolutionStatus.UNIQUE] * exists.sum()
    assert data.x.values[exists] == pytest.approx(expected[exists], rel=1e-9, abs=1e-9)


def test_a_value_that_a_function_never_takes_proves_that_there_is_no_solution():
    data = SCM({"x": "exp(x) == y"}, {"y": (-1.0, 0.0, 1.0)}).sample(3)
    missing = SolutionStatus.NONE, SolutionStatus.NOT_FOUND  # at the end of the range: not told
    assert tuple(data.status.values.tolist()) == (*missing, SolutionStatus.UNIQUE)


def test_where_its_divisor_vanishes_a_formula_decides_nothing():
    model = SCM({"x": "k*exp(x) == y"}, {"k": (1.0, 0.0, 0.0), "y": (1.0, 1.0, 0.0)})
    assert model.sample(3).status.values[:2].tolist() == [0, SolutionStatus.NONE]
    assert model.sample(3).solved_by == "x: formula, search on a line"  # then by intervals


def test_a_formula_that_leads_out_of_the_domain_is_no_solution():
    model = SCM({"x": "exp(x) == y"}, {"y": (0.5, 2.0)}, domains={"x": (0, 9)})
    assert model.sample(2).status.values.tolist() == [SolutionStatus.NONE, SolutionStatus.UNIQUE]


@pytest.mark.parametrize("alpha", [5.79, 5.796, 5.796018, 5.796019, 5.79602, 5.7961])
def test_a_search_on_a_line_finds_both_roots_next_to_a_fold(alpha: float) -> None:
    toggle = SCM(
        {"u": "4/(v**beta + 1)", "v": "alpha/(u**beta + 1)"},
        parameters={"alpha": alpha, "beta": 2},
    )
    one = np.poly1d([1, 0, 1])  # 1 + u^2, so that u ((1 + u^2)^2 + alpha^2) = 4 (1 + u^2)^2
    roots = (np.poly1d([1, 0]) * (one**2 + alpha**2) - 4 * one**2).roots
    expected = np.sort(roots.real[np.abs(roots.imag) < 1e-9])
    np.testing.assert_allclose(toggle.solve({}).u.values[0], expected, rtol=1e-6)


# Many solutions


def test_weakly_coupled_bistable_units_have_every_combination_of_their_states():
    """x_i^3 = x_i with a small coupling: by the implicit function theorem 3^5 solutions."""
    units = {f"x{i}": f"x{i}**3 - x{i} == 0.03*(x{(i + 1) % 5} - x{i})" for i in range(5)}
    model = SCM(units)
    rows, status = solutions(model)
    assert len(rows) == 3**5
    assert status is SolutionStatus.SEVERAL
    assert len({tuple(np.round(row).tolist()) for row in rows}) == 3**5


@pytest.mark.parametrize("toggles", [2, 3])
def test_weakly_coupled_toggle_switches_have_every_combination_of_their_states(toggles):
    genes = {}
    for i in range(toggles):
        j = (i + 1) % toggles
        genes |= {f"x{i}": f"4/(1 + y{i}**3) + 0.02*x{j}", f"y{i}": f"4/(1 + x{i}**3) + 0.02*y{j}"}
    rows, _ = solutions(SCM(genes, domains=dict.fromkeys(genes, POSITIVE)))
    order = np.sign(np.round((rows[:, ::2] - rows[:, 1::2]) / 3))
    assert sorted(map(tuple, order)) == sorted(itertools.product((-1, 0, 1), repeat=toggles))


@pytest.mark.parametrize(("n", "known"), [(3, 6), (4, 12), (6, 32)])
def test_the_equations_of_magnets_have_all_their_real_solutions(n, known):
    """Katsura's spin model: as many as 2,500 runs of `scipy.optimize.root` come to."""

    def u(i):
        return f"u{abs(i)}"

    fields = {
        u(m): " + ".join(f"{u(k)}*{u(m - k)}" for k in range(-n, n + 1) if abs(m - k) <= n)
        + f" == {u(m)}"
        for m in range(n)
    }
    fields[u(n)] = "u0 + " + " + ".join(f"2*{u(i)}" for i in range(1, n + 1)) + " == 1"
    rows, _ = solutions(SCM(fields))
    assert len(rows) == known


def test_a_long_cascade_in_a_positive_loop_has_its_three_states_in_seconds():
    """Written out in one unknown the loop has 2^30 terms; the fixed points are iterated by hand."""

    def step(x):
        return 0.02 + 1.3 * x**2 / (0.2 + x**2)

    length = 30
    loop = {f"x{i}": f"0.02 + 1.3*x{i - 1}**2/(0.2 + x{i - 1}**2)" for i in range(1, length)}
    loop["x0"] = f"0.02 + 1.3*x{length - 1}**2.0000001/(0.2 + x{length - 1}**2.0000001)"
    rows, _ = solutions(SCM(loop, domains=dict.fromkeys(loop, POSITIVE)))
    found = sorted(rows[:, 0])
    grid = np.linspace(0, 2, 20_001)
    middle = 0.5 * (grid[1:] + grid[:-1])[np.diff(np.sign(step(grid) - grid)) != 0]
    assert found == pytest.approx(middle, abs=2e-4)
    assert len(found) == 3


def test_the_search_answers_one_sample_as_it_answers_many():
    toggle = {"x": "k/(1 + y**2.5)", "y": "k/(1 + x**2.5) + 0*x", "z": "x + tanh(z*y)"}
    model = SCM(toggle, {"k": Uniform(1, 6)}, domains=dict.fromkeys(toggle, POSITIVE))
    many = model.solve(n=20)
    for k in (0, 7, 19):
        alone = model.solve({"k": float(many.k[k])})
        count = int(many["count"][k])
        assert int(alone["count"][0]) == count
        np.testing.assert_array_equal(alone.x.values[0, :count], many.x.values[k, :count])
