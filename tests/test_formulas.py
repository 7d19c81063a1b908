"""Formulas in machine code are NumPy's to the last bit, or there is no code for them."""

import numpy as np
import pytest
import sympy as sp

from physcm.mechanism.codegen import Program
from physcm.mechanism.lanes.formulas import Formulas, formula
from physcm.mechanism.parser import parse

COUNT = 1200
"""More than two chunks, and a multiple of 8."""
RANDOM = np.random.default_rng(1)
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, 1e308, -1e308, 2.5, -2.5]
A = np.append(np.repeat(SPECIAL, len(SPECIAL)), RANDOM.normal(size=COUNT - len(SPECIAL) ** 2))
B = np.append(np.tile(SPECIAL, len(SPECIAL)), RANDOM.normal(size=COUNT - len(SPECIAL) ** 2))

TEXTS = [
    "3", "a", "a + b", "a - b", "0.1*a - 0.7*b + 2/3", "a*b/3", "a/b", "1/(a*b)", "a**3 - b**2",
    "sqrt(a)", "a**2*sqrt(2)", "abs(a)", "floor(a) + ceil(b)", "sign(a)*b", "max(a, b)",
    "min(a, b, 0.5)", "where(a > b, a, 2*b)", "where(a <= 0.5 or b == 1, a, b)",
    "where(a < 1 and not (b >= 0), 1, where(a != b, 2, 3))", "(a + b)*(a + b + 1)*sqrt(a - b)",
    "exp(1)*a + log(2)",
]  # fmt: skip


def program(text):
    return Program.over((), ("a", "b"), {}, (sp.sympify(parse(text, {"a", "b"})),))


@pytest.mark.parametrize("text", TEXTS)
def test_a_formula_in_machine_code_is_that_in_numpy(text):
    own, rows = program(text), {"a": A, "b": B, "c": np.empty(COUNT)}
    expected = own.vector(0.0, np.empty((0, COUNT)), np.array([A, B]))[0]
    finite = Formulas({"c": formula(own)}, rows)(slice(0, COUNT))
    assert np.array_equal(rows["c"], expected, equal_nan=True)
    assert (finite == np.isfinite(expected)).all()


@pytest.mark.parametrize("text", ["exp(a)", "a**b", "a**5", "sin(a) + b", "mod(a, b)", "a*tanh(b)"])
def test_what_libraries_round_differently_has_no_code(text):
    assert formula(program(text)) is None


def test_linear_formulas_share_their_code():
    assert formula(program("0.1*a + 3*b")).text == formula(program("-7*a + 2*b")).text
    assert formula(program("0.1*a + 3*b")).text != formula(program("0.1*a + b")).text


def test_a_piece_leaves_other_samples_alone():
    rows = {"a": A, "b": B, "c": np.full(COUNT, 7.0)}
    Formulas({"c": formula(program("a/2"))}, rows)(slice(80, 160))
    kept = np.append(rows["c"][:80], rows["c"][160:])
    assert (kept == 7).all()
    assert np.array_equal(rows["c"][80:160], A[80:160] / 2, equal_nan=True)
