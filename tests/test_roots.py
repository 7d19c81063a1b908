"""Newton's method on many starts: what counts as a root, at any scale."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from physcm.mechanism.codegen import Program
from physcm.mechanism.expression import symbol
from physcm.mechanism.magnitude import size_of_terms
from physcm.mechanism.parser import parse
from physcm.mechanism.roots import distinct, in_continuum, inside, newton

SCALES = st.integers(-25, 25).map(lambda power: 10.0**power)


class Problem:
    """Equations as text, in the form that `newton` takes."""

    def __init__(self, *equations, unknowns="xy"):
        unknowns = tuple(unknowns[: len(equations)])
        residuals = tuple(parse(equation) for equation in equations)
        names = sorted({s.name for r in residuals for s in r.free_symbols} - {*unknowns})
        self.program = Program.over(unknowns, names, {}, residuals)
        self.sizes = Program.over(unknowns, names, {}, tuple(map(size_of_terms, residuals)))

    def solve(self, starts, parameters=(), **options):
        starts = np.array(starts, dtype=float)
        return newton(*self.functions(), starts, parameters=self.p(parameters, starts), **options,
                      magnitude=lambda x, p: self.sizes.vector(0.0, x, p))  # fmt: skip

    def functions(self):
        return (
            lambda x, p: self.program.vector(0.0, x, p),
            lambda x, p: self.program.jacobian.batch(0.0, x, p),
        )

    def p(self, parameters, starts):
        return np.tile(np.array(parameters, dtype=float).reshape(-1, 1), starts.shape[1])


def test_a_start_is_a_problem_of_its_own():
    starts = [[0.3, 7.0, -2.0, 1e9], [1.0, -4.0, 0.2, 3.0]]
    problem = Problem("x**2 + y**2 - 5", "x*y - 2")
    together = problem.solve(starts)
    for k in range(4):
        alone = problem.solve(np.array(starts)[:, [k]])
        assert alone.x.tobytes() == together.x[:, [k]].tobytes()
        assert alone.converged[0] == together.converged[k]


def test_each_start_can_have_its_own_parameters():
    residual, jacobian = Problem("x**2 - a").functions()
    roots = newton(residual, jacobian, np.ones((1, 3)), parameters=np.array([[4.0, 9.0, -1.0]]),
                   magnitude=lambda x, p: x**2 + np.abs(p))  # fmt: skip
    assert roots.converged.tolist() == [True, True, False]
    np.testing.assert_allclose(roots.x[0, :2], [2, 3])


@given(SCALES, SCALES)
def test_units_do_not_matter(a, b):
    roots = Problem("x**2/a**2 + y/b - 5", "x*y/(a*b) - 4").solve(
        [[1.1 * a], [3.8 * b]], parameters=[a, b]
    )
    assert roots.converged[0]
    np.testing.assert_allclose(roots.x[:, 0], [a, 4 * b], rtol=1e-12)


def test_tiny_roots_are_told_from_zero():
    roots = Problem("x*(x - a)").solve([[1.0, 1e-15, -1.0, 0.0]], parameters=[1e-16])
    assert roots.converged.all()
    assert roots.x[0].tolist() == [1e-16, 1e-16, 0.0, 0.0]


def test_a_root_that_cancels_to_zero_is_zero():
    roots = Problem("x - y + a", "y - 3*a").solve([[5.0], [1.0]], parameters=[0.1])
    assert roots.converged[0]
    assert roots.x[0, 0] == pytest.approx(0.2)
    zero = Problem("x - y + 3*a", "y - 3*a").solve([[5.0], [1.0]], parameters=[0.1])
    assert zero.converged[0]
    assert abs(zero.x[0, 0]) <= 1e-15


@pytest.mark.parametrize("equation", ["x**2 + 1", "exp(x)", "1/x", "x**2 - 2*x + 1.001"])
def test_what_is_no_root_does_not_count(equation):
    starts = np.concatenate([np.logspace(-20, 20, 41), -np.logspace(-20, 20, 41)])
    assert not Problem(equation).solve([starts]).converged.any()


def test_terms_too_small_for_floating_point_prove_nothing():
    assert not Problem("exp(x)").solve([[-1e4]]).converged.any()


@pytest.mark.parametrize(
    ("equation", "root"),
    [
        ("(x - 1)**2", 1),
        ("(x - 1)**3", 1),
        ("x**2", 0),
        ("x**4", 0),
        ("x**7", 0),
        ("x**2 - 2*x + 1", 1),
    ],
)
def test_multiple_roots_are_found(equation, root):
    roots = Problem(equation).solve([[3.0, 0.4, -2.0]])
    assert roots.converged.all()
    np.testing.assert_allclose(roots.x[0], root, atol=2e-5)


def test_iterates_stay_inside_and_roots_on_the_boundary_are_reached():
    visited = []
    residual, jacobian = Problem("x*(x - 1)*(x + 2)").functions()

    def watched(x, p):
        visited.extend(x[0])
        return residual(x, p)

    starts = np.array([[0.1, 0.4, 5.0, 100.0]])
    roots = newton(watched, jacobian, starts, magnitude=lambda x, p: np.abs(x) * (x**2 + 2),
                   lower=0.0, parameters=np.empty((0, 4)))  # fmt: skip
    assert min(visited) >= 0
    assert roots.converged.all()
    assert set(roots.x[0].round(9)) == {0.0, 1.0}


def test_a_start_without_a_value_fails_alone():
    roots = Problem("sqrt(x) - 2").solve([[-1.0, 1.0, np.nan, np.inf]])
    assert roots.converged.tolist() == [False, True, False, False]


@given(st.integers(1, 6), st.integers(0, 1000))
def test_linear_equations_take_few_steps(n, seed):
    rng = np.random.default_rng(seed)
    matrix, target = rng.normal(size=(n, n)) + 3 * n * np.eye(n), rng.normal(size=(n, 1))
    roots = newton(
        lambda x: matrix @ (x - target),
        lambda x: np.repeat(matrix[np.newaxis], x.shape[1], axis=0),
        target + rng.normal(size=(n, 2)),
        magnitude=lambda x: np.abs(matrix) @ (np.abs(x) + np.abs(target)),
    )
    assert roots.converged.all()
    np.testing.assert_allclose(roots.x, np.repeat(target, 2, axis=1), rtol=1e-9)


def test_a_regular_root_at_zero_is_zero_where_rounding_hides_its_neighbours():
    """Of 1/(1 + exp(1 - x)) - 1/(1 + e) nothing is left at x = 1e-30."""
    problem = Problem("(1/(1 + exp(1 - x - y)) - 1/(1 + exp(1))) - 3*x", "y - x/2")
    roots = problem.solve([[1e-30, -1e-40, 1e-3], [1e-30, -1e-41, 1e-3]])
    assert roots.converged.all()
    assert not roots.x.any()
    assert not roots.singular.any()


def test_a_double_root_at_zero_is_no_line_of_roots():
    """At (0, 0) the Jacobian of a linear exchange is singular; only the squares say where."""
    problem = Problem("y - 2*x + x**2", "2*x - y + y**2")
    roots = problem.solve([[1e-22, 1e-17, 3e-12], [2e-22, 2e-17, 6e-12]])
    assert roots.converged.all()
    assert not roots.x.any()


# fmt: off
def test_a_continuum_is_told_from_a_multiple_root():
    for equations, expected in [
        (("x - y**2", "y**2 - x"), True),
        (("x*y - 1", "2 - 2*x*y"), True),
        (("x - y**2", "x"), False),
        (("(x - 1)**2", "y - x"), False),
    ]:
        problem = Problem(*equations)
        roots = problem.solve([[3.0], [2.0]])
        assert roots.converged[0]
        parameters = problem.p((), roots.x)
        where = in_continuum(*problem.functions(), roots.x, parameters=parameters,
                             magnitude=lambda x, p, q=problem: q.sizes.vector(0.0, x, p))
        assert where[0] == expected, equations


# fmt: on
def test_equal_roots_are_merged_per_problem():
    x = np.array([[[1.0, 1.0 + 1e-9, 2.0], [1e-16, 0.0, 1e-16]]])
    assert distinct(x, np.abs(x)).tolist() == [[True, False, True], [True, True, False]]
    valid = np.array([[False, True, True], [True, True, True]])
    assert distinct(x, np.abs(x), valid=valid)[0].tolist() == [False, True, True]


def test_a_step_out_of_the_range_stops_short():
    end = inside(np.array([[1.0]]), np.array([[-5.0]]), np.zeros((1, 1)), np.full((1, 1), np.inf))
    assert end[0, 0] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "text",
    ["x*(1 - y) - 3", "exp(-x)*y", "log(x)/y**2", "sqrt(x*y) - max(x, y)", "x**y", "sin(x) + y",
     "1/(1 + x**2)", "where(x < y, x - 1, y)", "abs(x - y)", "floor(x)*y", "mod(x, y)"],
)  # fmt: skip
def test_the_size_of_terms_bounds_the_expression(text):
    expression = parse(text)
    size = size_of_terms(expression)
    for point in ((0.3, 2.1), (4.2, 0.7), (1.0, 1.0)):
        at = dict(zip(map(symbol, "xy"), map(sp.Float, point), strict=True))
        assert abs(float(expression.subs(at))) <= float(size.subs(at)) * (1 + 1e-12)


def test_the_size_of_terms_does_not_cancel():
    x = symbol("x")
    assert size_of_terms(x - 3).subs(x, 3) == 6
    assert size_of_terms(x * (x - 3)).subs(x, 3) == 18
