"""Generated code computes what the expressions mean, with exact derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given
from hypothesis import strategies as st

from physcm.mechanism.codegen import Program
from physcm.mechanism.errors import Unsupported
from physcm.mechanism.expression import symbol
from physcm.mechanism.parser import parse

TEXTS = [
    "k*x*y/(1 + x)",
    "x**2 + y**3 - x**-1",
    "exp(-x**2)*sin(y) + cos(k*x)",
    "sqrt(1 + x**2) + log(2 + y**2)",
    "tanh(x) + atan(y) + asinh(x*y) + sinh(y) + cosh(x)",
    "max(x, y, 0.3) + min(x, k) + abs(x - y)",
    "where(x < y, x**2, y) + where(x > 0 and y > 0, 1, 2)",
    "floor(3*x) + ceil(y) + sign(x - y)",
    "mod(x, 0.7) + (1 + x**2)**0.3 + (2 + y**2)**k",
    "gamma(2 + x**2) + factorial(2 + y**2) + atan2(y, x)",
    "sec(0.1*x) + coth(2 + y**2) + acoth(3 + y**2) + asech(0.5)",
]
TORCH_TEXTS = [
    "k*x*y/(1 + x) + x**-1 + exp(-x**2)*sin(y) + sqrt(1 + x**2) + log(2 + y**2) + 2**x",
    "tanh(x) + atan(y) + asinh(x*y) + max(x, y, 0.3) + min(x, k) + abs(x - y) + log(2)",
    "where(x < y, x**2, y) + where(x > 0 and not y > 0, 1/3, 1/7) + where(x > 1 or y > 1, x, t)",
    "floor(3*x) + ceil(y) + sign(x - y) + mod(x, 0.7) + mod(y, -0.3) + (2 + y**2)**k",
    "gamma(2 + x**2) + factorial(y**2) + gamma(x) + atan2(y, x) + sec(x) + acoth(3 + y**2)",
    "where(x > 0, x**k/(1 + x**k), 0) + where(y > 0, y*x**2/(1 + abs(x)**k), 5)",
    "3",
]
values = st.floats(-2, 2).filter(lambda v: abs(v) > 1e-3)


def program(*texts: str, definitions: dict[str, str] | None = None) -> Program:
    parsed = {name: parse(text) for name, text in (definitions or {}).items()}
    return Program.over(("x", "y"), ("k",), parsed, [parse(text) for text in texts])


@given(values, values, values)
def test_scalar_and_vector_code_agree_with_sympy(x: float, y: float, k: float) -> None:
    assume(abs(1 + x) > 1e-3)
    code = program(*TEXTS)
    point = {symbol("x"): x, symbol("y"): y, symbol("k"): k}
    expected = [float(parse(text).subs(point).evalf(30)) for text in TEXTS]
    assume(abs(x - y) > 1e-3 and abs(3 * x - round(3 * x)) > 1e-6)
    np.testing.assert_allclose(code.scalar(0.0, [x, y], [k]), expected, rtol=1e-9)
    columns = code.vector(0.0, np.array([[x, 1.0], [y, 1.5]]), np.array([[k, 1.0]]))
    np.testing.assert_allclose(columns[:, 0], expected, rtol=1e-9)


@given(values, values)
def test_the_jacobian_agrees_with_central_differences(x: float, y: float) -> None:
    smooth = [TEXTS[i] for i in (0, 1, 2, 3, 4, 9)]
    assume(min(abs(1 + x), abs(x), abs(y)) > 0.05)
    code = program(*smooth)
    exact = code.jacobian.dense(0.0, [x, y], [1.3])
    step = 1e-6
    for column, (dx, dy) in enumerate([(step, 0.0), (0.0, step)]):
        up = np.array(code.scalar(0.0, [x + dx, y + dy], [1.3]))
        down = np.array(code.scalar(0.0, [x - dx, y - dy], [1.3]))
        scale = 1 + np.abs(exact[:, column]) + np.abs(up)
        assert (np.abs((up - down) / (2 * step) - exact[:, column]) / scale < 1e-5).all()


def test_conditions_may_occur_twice_and_hold_conditions_themselves() -> None:
    twice = program("where(x < 1, x, 2)*where(x < 1 and y > 0, y, 3)")
    np.testing.assert_allclose(twice.jacobian.dense(0.0, [0.5, 7.0], [0.0]), [[7, 0.5]])
    nested = program("where(where(x < 1, y, k) > min(x, 2), x*y, 0)")
    np.testing.assert_allclose(nested.jacobian.dense(0.0, [0.5, 7.0], [0.0]), [[7, 0.5]])
    assert nested.scalar(0.0, [5.0, 7.0], [1.0]) == [0]


def test_the_chain_rule_runs_through_definitions() -> None:
    nested = program("v*w + x", definitions={"v": "x*y + k", "w": "exp(v)"})
    flat = program("(x*y + k)*exp(x*y + k) + x")
    point = (0.0, [0.3, -0.7], [0.2])
    np.testing.assert_allclose(nested.jacobian.dense(*point), flat.jacobian.dense(*point))


def test_only_the_definitions_that_are_needed_are_computed() -> None:
    code = program("v", definitions={"v": "x", "unused": "1/y"})
    assert "unused" not in dict(code.definitions)


def test_a_shared_subexpression_is_computed_once() -> None:
    code = program("exp(x*y) + 1", "exp(x*y)*2")
    assert sum(e.has(sp.exp) for _, e in code.definitions) == 1
    assert not any(output.has(sp.exp) for output in code.outputs)


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("log(x)", -1.0, math.nan),
        ("x**0.5", -1.0, math.nan),
        ("x**k", -8.0, math.nan),
        ("1/x", 0.0, math.inf),
        ("exp(x)", 1e4, math.inf),
        ("where(x > 0, log(x), 0)", -1.0, 0.0),
    ],
)
def test_a_point_outside_of_the_domain_has_its_ieee_value(
    text: str, x: float, expected: float
) -> None:
    assert program(text).scalar(0.0, [x, 1.0], [1 / 3]) == pytest.approx([expected], nan_ok=True)


def test_a_function_without_code_is_named() -> None:
    unknown = sp.Function("mystery", real=True)(symbol("x"))
    with pytest.raises(Unsupported, match="`mystery` is not known"):
        Program.over(("x",), (), {}, [unknown]).scalar(0.0, [1.0], [])


def test_generated_code_holds_no_name_of_the_model() -> None:
    name = "x); import os; ("
    hostile = Program.over((name,), (), {}, [symbol(name) + 1])
    assert hostile.scalar(0.0, [2.0], []) == [3.0]


def test_torch_code_agrees_with_vector_code() -> None:
    torch = pytest.importorskip("torch", reason='needs pip install "physcm[torch]"')
    code = Program.over(("x", "y"), ("k",), {}, [parse(text) for text in TORCH_TEXTS])
    x, p = np.random.default_rng(0).uniform(-2, 2, (2, 500)), np.linspace(-1.5, 2, 500)[None]
    computed = code.torch(0.3, torch.tensor(x), torch.tensor(p))
    np.testing.assert_allclose(computed, code.vector(0.3, x, p), rtol=1e-11, atol=1e-12)
    assert code.torch(0.3, torch.tensor(x).float(), torch.tensor(p).float()).dtype == torch.float32


def test_the_branch_not_taken_has_no_slope() -> None:
    torch = pytest.importorskip("torch", reason='needs pip install "physcm[torch]"')
    texts = ["where(x > 0, h, 0)", "where(x > 0, y*h, 2*y)", "where(x > 0, sqrt(x)/x, x)"]
    hill = {"h": parse("x**n/(1 + x**n)")}
    code = Program.over(("x", "y"), ("n",), hill, [parse(text) for text in texts])
    x = torch.tensor([[0.0, 1.0, -1.0], [1.0, 2.0, 3.0]], requires_grad=True)
    n = torch.tensor([[0.5]], requires_grad=True)
    code.torch(0.0, x, n).sum().backward()
    np.testing.assert_allclose(x.grad, [[1, 0.125 + 0.25 - 0.5, 1], [2, 0.5, 2]], rtol=1e-6)
    assert torch.isfinite(n.grad).all()
