"""The mathematics of SBML has the values that its specification and IEEE 754 give it."""

from __future__ import annotations

import math

import libsbml
import pytest
import sympy as sp

from physcm.mechanism import InvalidFile, UnknownVariable, Unsupported
from physcm.mechanism.expression import TIME, symbol
from physcm.sim.sbml.mathml import Scope, to_sympy


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2^-1 + 1e-3 + (1/3)", 0.5 + 0.001 + 1 / 3),
        ("root(3, 8) + sqrt(x) + log10(x) + ln(x)", 2 + 2**0.5 + math.log10(2) + math.log(2)),
        ("log(2, 8) + exponentiale + pi + avogadro*0", 3 + math.e + math.pi),
        ("arctan(x) + sec(x) + arccoth(x)", math.atan(2) + 1 / math.cos(2) + math.atanh(0.5)),
        ("factorial(3) + ceil(x/3) + floor(x/3) + abs(-x)", 9),
        ("max(x, y, 1) + min(x, y, 1)", 2 - 3),
        ("rem(7, y) + 10*rem(-7, x)", 1 - 10),
        ("quotient(7, y) + 100*quotient(-7, x)", -2 - 300),
        ("piecewise(1, x < 1, 2, x < 2, 3)", 3),
        ("piecewise(1, x < 1)", math.nan),
        ("piecewise(1, piecewise(2, x < y) > 0, 3) + (piecewise(2, x > y) != 2)", 3),
        ("(1 < x) + (x == 2) + (x != 2) + (x >= 2)", 3),
        ("lt(y, 1, x) + 10*geq(3, x, x) + 100*gt(3, x, x)", 11),
        ("xor(true, x > 1, true) + 10*implies(x > 1, x > 3) + 100*implies(false, false)", 101),
        ("and(1, x) + or(0, 0) + not(0) + piecewise(1, x - 2, 5)", 7),
        ("piecewise(1, piecewise(false, x > 1, true), 2)", 2),
        ("plus() + times() + and() + or()", 2),
        ("1/0 - 1", math.inf),
        ("-1/0", -math.inf),
        ("0/0", math.nan),
        ("notanumber == notanumber", 0),
        ("notanumber < 1", 0),
        ("ln(-1)", math.nan),
        ("ln(0)", -math.inf),
        ("(-8)^(1/3)", math.nan),
        ("arccos(2)", math.nan),
        ("y^3", -27),
        ("9^9^9 - 9^-9^9 + factorial(1e9)", math.inf),
        ("(-9)^(9^9)", -math.inf),
    ],
)
def test_formulas_have_the_value_of_the_specification(text: str, value: float) -> None:
    names = {name: symbol(name) for name in "xy"}
    point = {symbol("x"): sp.Integer(2), symbol("y"): sp.Integer(-3)}
    node = libsbml.parseL3Formula(text)
    assert node is not None, libsbml.getLastParseL3Error()
    result = to_sympy(node, Scope(names)).xreplace(point)
    assert float(result) == pytest.approx(value, nan_ok=True)


def test_decimals_stay_exact() -> None:
    assert to_sympy(libsbml.parseL3Formula("0.1 + 2e-20"), Scope({})) == sp.Rational(
        5 * 10**18 + 1, 5 * 10**19
    )


def test_time_is_the_symbol_of_the_simulation() -> None:
    assert to_sympy(libsbml.parseL3Formula("2*time"), Scope({})) == 2 * TIME


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("kk*x", UnknownVariable, "law reads `kk`, which .* define; did you mean `k`"),
        ("f(x)", UnknownVariable, "law calls `f`, which .* no names are defined here"),
        ("delay(x, 1)", Unsupported, "law uses `delay`, a value from the past .*; rewrite"),
        ("lambda(x, x)", InvalidFile, r"law holds `lambda\(x, x\)`, which is no formula of SBML"),
    ],
)
def test_a_formula_that_means_nothing_is_an_error_that_names_it(
    text: str, error: type[Exception], message: str
) -> None:
    node = libsbml.parseL3Formula(text)
    with pytest.raises(error, match=message):
        to_sympy(node, Scope({name: symbol(name) for name in "xk"}, place="law"))


RATE = (
    '<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/rateOf">d</csymbol>'
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{RATE}<apply><exp/><ci>x</ci></apply>", r"law: rateOf is asked of `exp\(x\)`; give it"),
        (
            "<sin/><ci>x</ci><ci>x</ci>",
            r"law: the function in `sin\(x, x\)` takes 1 arguments, not 2; ",
        ),
        ("<minus/>" + "<ci>x</ci>" * 3, "takes 1 or 2 arguments, not 3"),
        ("<gt/><ci>x</ci>", "takes 2 or more arguments, not 1"),
        ("<divide/><ci>x</ci>", "takes 2 arguments, not 1; correct its <math>"),
    ],
)
def test_mathml_that_is_not_well_formed_is_an_error(content: str, message: str) -> None:
    math = f'<math xmlns="http://www.w3.org/1998/Math/MathML"><apply>{content}</apply></math>'
    node = libsbml.readMathMLFromString(math)
    with pytest.raises(InvalidFile, match=message):
        to_sympy(node, Scope({"x": symbol("x")}, place="law"))
