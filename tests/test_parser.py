"""The safe parser accepts arithmetic and conditions, and nothing else."""

from __future__ import annotations

import contextlib

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from physcm.mechanism.errors import InvalidValue, ParseError, UnknownVariable
from physcm.mechanism.expression import compared, derivative, exact, normalize, symbol, to_text
from physcm.mechanism.parser import parse

x, y, k = map(symbol, "xyk")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k*x/(y + x)", k * x / (y + x)),
        ("0.1*x", x / 10),
        ("1e-16*x", sp.Rational(1, 10**16) * x),
        ("x**0.5", sp.sqrt(x)),
        ("-x - -y", y - x),
        ("max(0, x)", sp.Max(0, x)),
        ("where(x < 1, x, y)", sp.Piecewise((x, x < 1), (y, True))),
        ("x if x < 1 else y", sp.Piecewise((x, x < 1), (y, True))),
        ("lambda + in", symbol("lambda") + symbol("in")),
        ("X(0) + do(X)", symbol("X(0)") + symbol("do(X)")),
        ("amount(S)/concentration(S)", symbol("amount(S)") / symbol("concentration(S)")),
        ("log(x, 10)", sp.log(x) / sp.log(10)),
        ("2*\n  x", 2 * x),
    ],
)
def test_text_becomes_the_expression_it_denotes(text: str, expected: sp.Expr) -> None:
    assert parse(text) == expected


def test_a_declared_name_shadows_a_constant() -> None:
    assert parse("pi", names={"pi"}) == symbol("pi")
    assert parse("pi") == sp.pi


def test_a_sum_of_a_thousand_terms_is_read() -> None:
    assert parse(" + ".join(["x"] * 1000)) == 1000 * x


@pytest.mark.parametrize(
    ("text", "problem", "column"),
    [
        ("x + y.real", "attributes are not allowed", 5),
        ("__import__('os').system('ls')", "only functions can be called", 1),
        ("open('f')", "`open` is not a function", 1),
        ("x + [1]", "Lists are not allowed", 5),
        ("x[0]", "subscripts are not allowed", 1),
        ("(x := 3)", "NamedExprs are not allowed", 2),
        ("x ^ 2", "powers are written", 1),
        ("sin(x, y)", "takes 1 arguments, not 2", 1),
        ("sin(x=1)", "plain arguments only", 1),
        ("x + 'a'", "not a real number", 5),
        ("x + 1j", "not a real number", 5),
        ("x + 1e999", "too large", 5),
        ("10**10**10", "too large", 1),
        ("x + factorial(10**9)", "too large", 5),
        ("x +", "invalid syntax", 4),
        ("1/0", "division by zero", 3),
        ("(x < y) + 1", "a condition stands where a number is needed", 2),
        ("x and y", "a number stands where a condition is needed", 1),
        ("", "is empty", 1),
        ("é + x.y", "attributes are not allowed", 5),
    ],
)
def test_anything_else_is_refused_with_its_column(text: str, problem: str, column: int) -> None:
    with pytest.raises(ParseError, match=problem) as caught:
        parse(text)
    assert abs(caught.value.column - column) <= 1


def test_an_unknown_name_is_refused_with_the_closest_known_one() -> None:
    with pytest.raises(UnknownVariable, match=r"`sped` at column 3 .*did you mean `speed`"):
        parse("2*sped", names={"speed", "mass"})


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    with pytest.raises(ParseError, match="nested|parentheses"):
        parse("(" * 3000 + "x" + ")" * 3000)


@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}])
def test_what_is_no_expression_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue, match="neither a number nor an expression"):
        parse(value)  # type: ignore[arg-type]


numbers = st.integers(-99, 99).map(lambda n: exact(n / 10)) | st.floats(
    1e-12, 1e12, allow_nan=False
).map(exact)


def cases_of_cases(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    return sp.Piecewise((1, compared(sp.Gt, a, b)), (b, x > k))


expressions = st.recursive(
    st.sampled_from([x, y, k]) | numbers,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda ab: ab[0] + ab[1]),
        st.tuples(inner, inner).map(lambda ab: ab[0] * ab[1]),
        st.tuples(inner, st.sampled_from([2, -1, sp.Rational(1, 2), sp.Rational(3, 10)])).map(
            lambda ab: (ab[0] ** 2 + 1) ** ab[1]
        ),
        inner.filter(lambda e: e.free_symbols).map(sp.exp),
        inner.filter(lambda e: e.free_symbols).map(sp.tanh),
        st.tuples(inner, inner).map(lambda ab: sp.Max(*ab)),
        st.tuples(inner, inner).map(lambda ab: sp.Piecewise((ab[0], x < y), (ab[1], True))),
        st.tuples(inner, inner).map(lambda ab: cases_of_cases(*ab)),
        st.tuples(inner, inner).map(lambda ab: k / (3 * (ab[0] ** 2 + ab[1]))),
    ),
    max_leaves=8,
)


@given(expressions)
def test_the_text_of_an_expression_reads_back_to_it(expression: sp.Expr) -> None:
    expression = normalize(expression)
    assert parse(to_text(expression)) == expression


@given(st.text(alphabet="xy0123456789.+-*/()<>=!, '[]{}:_abcdefgl", max_size=25))
def test_arbitrary_text_never_raises_anything_but_our_errors(text: str) -> None:
    with contextlib.suppress(ParseError, UnknownVariable):
        parse(text, names={"x", "y"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abs(x)", "sign(x)"),
        ("floor(x)*x", "floor(x)"),
        ("mod(x, 3)", "1"),
        ("exp(2*x)", "2*exp(2*x)"),
    ],
)
def test_derivatives_hold_almost_everywhere(text: str, expected: str) -> None:
    assert derivative(parse(text), x) == parse(expected)
