"""Models as JSON and LaTeX."""

import json

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from physcm.mechanism import (
    Categorical,
    InvalidFile,
    InvalidValue,
    Normal,
    ParseError,
    Replace,
    ScaleNoise,
    Shift,
    UnknownVariable,
)
from physcm.scm import SCM

MODEL = SCM(
    {
        "x": "max(0, a*y + e)",
        "y": "y**3 + y == x/3",
        "z": "where(x > 1, 2*z, 0.1)",
        "w": "x - x == 1",
    },
    {
        "e": Normal(0.1, 1 / 3),
        "f": stats.gamma(2.5),
        "c": Categorical([1, 2], [0.25, 0.75]),
        "g": "2*e",
    },
    {"a": 0.1, "b": [1.0, 1e-300], "k": "a**2"},
    "a model",
    domains={"x": (0, np.inf), "y": (-np.inf, 3)},
    guesses={"y": 0.5},
)


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        MODEL.do(z=1).do(Shift("x", Normal(0, 1)), Shift("x", 2), ScaleNoise("x", 0.5)),
        MODEL.do(Replace("y", "natural(y)/2")),
        MODEL.twin(),
        SCM({"or": "'not' + 1", "not": "2"}),
    ],
)
def test_json_is_read_back_to_an_equal_model(model):
    again = SCM.from_json(model.to_json())
    assert again == model
    assert again.to_json() == model.to_json()
    assert json.loads(model.to_json())["version"] == 1


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e300, 1e300))
def test_numbers_survive_to_the_last_bit(a, b):
    model = SCM({"x": "a + e"}, {"e": b}, {"a": a})
    assert SCM.from_json(model.to_json()) == model


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda c: "{", InvalidFile, "the text is no JSON"),
        (lambda c: [1], InvalidFile, "has not the format `physcm.scm`"),
        (lambda c: c | {"format": "other"}, InvalidFile, "has not the format"),
        (lambda c: c | {"version": 2}, InvalidFile, "version `2`, and this physcm reads 1"),
        (lambda c: c | {"extra": 2}, InvalidFile, "`extra` is no part of a model; remove it"),
        (lambda c: c | {"mechanisms": 2}, InvalidFile, "`mechanisms` is missing or no table"),
        (lambda c: c | {"domains": {"x": 2}}, InvalidFile, "domain of `x` is `2`; give two"),
        (lambda c: c | {"mechanisms": {"x": "__import__('os')"}}, ParseError, "only|is not a func"),
        (lambda c: c | {"mechanisms": {"x": "q"}}, UnknownVariable, "unknown name `q`"),
        (lambda c: c | {"exogenous": {"e": {"Normal": {"mean": 0, "sd": -1}}}}, InvalidValue, "sd"),
    ],
)  # fmt: skip
def test_a_broken_file_says_what_is_wrong(change, error, message):
    changed = change(json.loads(MODEL.to_json()))
    with pytest.raises(error, match=message):
        SCM.from_json(changed if isinstance(changed, str) else json.dumps(changed))


def test_latex_writes_equations_labels_and_interventions():
    text = MODEL.do(z=1).to_latex()
    assert text.startswith("\\begin{align*}\nx &= \\max\\left(0, ")
    assert "y^{3} + y &= \\frac{x}{3} && (y)" in text
    assert "z &= \\operatorname{do}(z)" in text
    assert text.count("\\\\\n") == 3
    shifted = SCM({"x_1": "sqrt(theta)"}, {}, {"theta": 2}).do(Shift("x_1", 1), Shift("x_1", 2))
    assert "\\sqrt{\\theta}" in shifted.to_latex()
    assert "\\operatorname{shift}(x_{1}, 2)" in shifted.to_latex()


def test_a_distribution_of_your_own_has_no_form_in_files():
    class Own(Normal):
        pass

    with pytest.raises(InvalidValue, match="has no form in files"):
        SCM({"x": "e"}, {"e": Own(0, 1)}).to_json()


def test_a_model_made_of_sympy_has_the_same_json():
    x, a = sp.symbols("x a")
    assert (
        SCM({"x": sp.Eq(a * x**2, 3)}, {}, {"a": 1}).to_json()
        == SCM({"x": "a*x**2 == 3"}, {}, {"a": 1}).to_json()
    )
