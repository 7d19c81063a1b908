"""Polynomial first integrals are found exactly, and nothing that is not conserved."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.mechanism import InvalidValue, Normal, Unsupported
from physcm.mechanism.expression import symbol
from physcm.sim import System, conservation_laws, first_integrals, simulate, zoo
from physcm.sim.conservation import known_parameters
from physcm.sim.integrals import is_conserved


def starting_at_one(drift: dict[str, str], **parameters: object) -> System:
    return System(drift, parameters=parameters, initial=dict.fromkeys(drift, 1))


def rate_of(system: System, expression: sp.Expr) -> sp.Expr:
    """Return grad c . f by symbolic differentiation, an independent way."""
    known = known_parameters(system)
    terms = (sp.diff(expression, symbol(x)) * f.xreplace(known) for x, f in system.drift.items())
    return sp.cancel(sp.together(sp.Add(*terms)))


RIGID_BODY = {"a": "(I2 - I3)/I1*b*c", "b": "(I3 - I1)/I2*c*a", "c": "(I1 - I2)/I3*a*b"}
SLEIGH = {"v": "a*w**2", "w": "-m*a/(I + m*a**2)*v*w"}


def test_an_oscillator_conserves_its_energy() -> None:
    (law,) = first_integrals(starting_at_one({"x": "v/m", "v": "-k*x"}, m=2.5, k=3))
    energy = 3 * symbol("x") ** 2 + symbol("v") ** 2 * sp.Rational("0.4")
    assert sp.cancel(law.expression / energy).is_number


def test_a_free_rigid_body_conserves_energy_and_momentum_and_no_more() -> None:
    body = starting_at_one(RIGID_BODY, I1=1, I2=2, I3=3.5)
    laws = first_integrals(body, degree=3)
    assert len(laws) == 2
    squares = [symbol(x) ** 2 for x in "abc"]
    found = sp.Matrix([[law.expression.coeff(s) for s in squares] for law in laws])
    energy, momentum = [1, 2, sp.Rational("3.5")], [1, 4, sp.Rational("12.25")]
    assert found.col_join(sp.Matrix([energy, momentum])).rank() == 2


def test_a_sleigh_conserves_its_energy_while_it_stops_turning() -> None:
    """The Chaplygin sleigh (1911): (I + m a^2) w^2 + m v^2."""
    (law,) = first_integrals(starting_at_one(SLEIGH, a=0.5, m=2, I=0.3))
    energy = 2 * symbol("v") ** 2 + sp.Rational("0.8") * symbol("w") ** 2
    assert sp.cancel(law.expression / energy).is_number


def test_a_law_with_a_quartic_term_that_no_force_has_needs_degree_four() -> None:
    """z alone drives x and y, along 2 x^2 + y^4."""
    system = starting_at_one({"x": "-y**3*z", "y": "x*z", "z": "-z"})
    assert first_integrals(system, degree=3) == ()
    (law,) = first_integrals(system, degree=4)
    assert str(law) == "2*x**2 + y**4"


MECHANICAL = {
    "pendulum": {"x": "v", "v": "-a*sin(x)"},
    "duffing": {"x": "v", "v": "x - x**3"},
    "planet": {"x": "u", "y": "v", "u": "-a*x/(x**2 + y**2)**1.5", "v": "-a*y/(x**2 + y**2)**1.5"},
    "toda": {
        "q1": "p1", "q2": "p2", "q3": "p3",
        "p1": "-exp(q1 - q2)", "p2": "exp(q1 - q2) - exp(q2 - q3)", "p3": "exp(q2 - q3)",
    },
    "henon_heiles": {"x": "p", "y": "q", "p": "-x - 2*x*y", "q": "-y - x**2 + y**2"},
    "morse": {"x": "p/m", "p": "-2*a*b*(1 - exp(-b*(x - 1)))*exp(-b*(x - 1))"},
    "bead_on_a_hoop": {"x": "v", "v": "sin(x)*(b**2*cos(x) - a)"},
    "swinging_spring": {
        "r": "u", "th": "w/(m*r**2)",
        "u": "w**2/(m**2*r**3) + a*cos(th) - b*(r - 1)/m", "w": "-m*a*r*sin(th)",
    },
    "soft_spring": {"x": "v", "v": "-tanh(b*x)"},
    "coupled_quartic": {"x": "p", "y": "q", "p": "-x**3 - a*x*y**2", "q": "-y**3 - a*x**2*y"},
}  # fmt: skip


@pytest.mark.parametrize("name", MECHANICAL)
def test_a_mechanical_system_conserves_its_energy_at_degree_two(name: str) -> None:
    """dH/dt = 0 symbolically; and H stays in a run that knows nothing of it."""
    drift = MECHANICAL[name]
    start = {x: 0.7 + 0.1 * k for k, x in enumerate(drift)}
    system = System(drift, parameters={"a": 1.3, "b": 0.7, "m": 2}, initial=start)
    laws = [law.expression for law in first_integrals(system)]
    (energy,) = (e for e in laws if e.has(*(symbol(x) ** 2 for x in ("u", "v", "p", "p1"))))
    assert sp.simplify(rate_of(system, energy)) == 0
    run = simulate(system, np.linspace(0, 3, 20), rtol=1e-11, atol=1e-13)
    states = [symbol(x) for x in drift]
    kept = sp.lambdify(states, energy)(*(run[s.name].values for s in states))
    assert np.ptp(kept) < 1e-8 * max(1, np.abs(kept).max())
    assert len(first_integrals(system, degree=3)) == len(first_integrals(system))


@pytest.mark.parametrize("name", ["coupled_oscillators", "cart_pendulum", "hodgkin_huxley"])
def test_what_is_no_law_of_a_system_with_friction_is_not_made_of_its_forces(name: str) -> None:
    assert first_integrals(zoo.load(name)) == ()


def test_what_is_constant_is_no_law() -> None:
    """sin^2 and cos^2 of the angle are integrals of forces, and their sum is no law."""
    drift = {"x": "v", "v": "-sin(x)*cos(x)", "y": "w", "w": "sin(2*y)"}
    laws = [law.expression for law in first_integrals(starting_at_one(drift))]
    assert len(laws) == 2
    assert all(
        e.free_symbols in ({symbol("x"), symbol("v")}, {symbol("y"), symbol("w")}) for e in laws
    )


def test_friction_leaves_no_energy() -> None:
    assert first_integrals(starting_at_one({"x": "v", "v": "-sin(x) - d*v"}, d=0.1)) == ()


def test_a_predator_that_is_sated_has_the_law_of_its_factors() -> None:
    """d log(1 + x) - c log x + b log(1 + y) - a log y."""
    drift = {"x": "x*(a - b*y/(1 + y))", "y": "y*(d*x/(1 + x) - c)"}
    system = starting_at_one(drift, a=1, b=2, c=0.5, d=1.5)
    (law,) = first_integrals(system)
    x, y = symbol("x"), symbol("y")
    expected = 3 * sp.log(1 + x) - sp.log(x) + 4 * sp.log(1 + y) - 2 * sp.log(y)
    assert law.expression == expected


def test_predator_and_prey_have_the_logarithmic_law_of_volterra() -> None:
    """Volterra (1926): d x - c log x + b y - a log y, of the rates in the zoo."""
    (law,) = first_integrals(zoo.load("lotka_volterra"), degree=4)
    prey, predator = map(symbol, ("X1", "X2"))
    expected = prey + 2 * predator - 3 * sp.log(prey) - 4 * sp.log(predator)
    assert sp.simplify(law.expression / expected).is_number


def test_an_epidemic_has_the_law_of_its_final_size() -> None:
    """Kermack & McKendrick (1927): S + I - (g/b) log S."""
    S, I = map(symbol, "SI")
    (law,) = first_integrals(starting_at_one({"S": "-b*S*I", "I": "b*S*I - g*I"}, b=0.5, g=0.2))
    assert sp.expand(law.expression / 5) == S + I - sp.Rational(2, 5) * sp.log(S)


def test_a_product_of_amounts_is_told_as_a_product_and_not_as_its_logarithm() -> None:
    """Rock, paper and scissors conserve x y z."""
    game = {"x": "x*(y - z)", "y": "y*(z - x)", "z": "z*(x - y)"}
    for degree in (2, 3, 4):
        assert [str(law) for law in first_integrals(starting_at_one(game), degree)] == ["x*y*z"]


def test_logarithms_are_of_amounts_alone() -> None:
    system = System({"x": "-x*y", "y": "-y"}, initial={"x": -1, "y": 1})
    assert first_integrals(system) == ()
    assert len(first_integrals(system.replace(initial={"x": 1, "y": 1}))) == 1


def test_a_level_reaches_to_where_logarithms_have_no_value() -> None:
    """A = A(0) exp(-t), B = B(0) exp(-2 t) come to nothing, and B A(0)^2 = A^2 B(0) on the way."""
    decay = System({"A": "-A", "B": "-2*B"}, initial={"A": 3, "B": 1})
    (law,) = first_integrals(decay)
    A, B = map(symbol, "AB")
    assert law.level.xreplace({A: sp.S.Zero, B: sp.S.Zero}) == 0
    run = simulate(decay, np.linspace(0, 3, 10), rtol=1e-10, atol=1e-13)
    start = {symbol("A(0)"): 3, symbol("B(0)"): 1}
    for a, b in zip(run.A.values[0], run.B.values[0], strict=True):
        assert float(law.level.xreplace(start | {A: a, B: b})) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("name", ["basic_enzyme", "mapk_cascade", "seir"])
def test_products_of_linear_laws_are_no_new_laws(name: str) -> None:
    assert first_integrals(zoo.load(name)) == ()


def test_products_of_a_quadratic_and_a_linear_law_are_no_new_laws() -> None:
    system = starting_at_one({"x": "v", "v": "-x", "A": "-A*x", "B": "A*x"})
    assert [str(law) for law in first_integrals(system, 3)] == ["v - log(A)", "v**2 + x**2"]


def test_a_law_of_a_rational_drift_is_found() -> None:
    system = starting_at_one({"A": "-A*B**2", "B": "-A*B**2/(1 + B)", "C": "A*B**2"})
    laws = first_integrals(system)
    assert len(laws) == 1
    assert rate_of(system, laws[0].expression) == 0


def test_laws_with_weights_of_many_decimals_are_found() -> None:
    system = starting_at_one({"x": "p*v", "v": "-q*x"}, p=3.14159265358979, q=2.71828182845905)
    (law,) = first_integrals(system)
    assert rate_of(system, law.expression) == 0


weights = st.lists(st.integers(-3, 3), min_size=6, max_size=6)


@settings(max_examples=25, deadline=None)
@given(weights, st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_a_skew_flow_conserves_the_quadratic_form_that_it_is_made_for(
    skew: list[int], masses: list[int]
) -> None:
    pairs = [(i, j) for i in range(4) for j in range(i)]
    terms: list[list[str]] = [["0"] for _ in range(4)]
    for weight, (i, j) in zip(skew, pairs, strict=True):
        terms[i].append(f"({weight})*x{j}*x{(i + j) % 4}*{masses[j]}")
        terms[j].append(f"(-({weight}))*x{i}*x{(i + j) % 4}*{masses[i]}")
    system = starting_at_one({f"x{i}": " + ".join(terms[i]) for i in range(4)})
    form = sp.Add(*(m * symbol(f"x{i}") ** 2 for i, m in enumerate(masses)))
    assert rate_of(system, form) == 0
    assert is_conserved(system, form)
    assert all(rate_of(system, law.expression) == 0 for law in first_integrals(system))
    if not conservation_laws(system):
        others = first_integrals(system, beyond=[form])
        assert len(others) == len(first_integrals(system)) - 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=12, max_size=12))
def test_what_is_found_of_any_quadratic_flow_is_conserved(coefficients: list[int]) -> None:
    monomials = ["x*y", "x**2", "y", "x"]
    rows = [coefficients[:4], coefficients[4:8], coefficients[8:]]
    drift = {
        name: " + ".join(f"({c})*{m}" for c, m in zip(row, monomials, strict=True))
        for name, row in zip("xyz", rows, strict=True)
    }
    system = starting_at_one(drift)
    for law in first_integrals(system):
        assert rate_of(system, law.expression) == 0


def test_a_law_stays_what_it_was_in_a_simulation() -> None:
    body = starting_at_one(RIGID_BODY, I1=1, I2=2, I3=3.5)
    run = simulate(body, np.linspace(0, 20, 50), rtol=1e-10, atol=1e-12)
    for law in first_integrals(body):
        kept = sp.lambdify(sorted(law.states), law.expression)(*(run[x] for x in law.states))
        assert float(abs(kept - kept[0, 0]).max()) < 1e-8


def test_what_is_not_conserved_is_not_claimed() -> None:
    assert not is_conserved(starting_at_one({"x": "v", "v": "-x"}), symbol("x") ** 2)


def test_coefficients_that_depend_on_a_random_parameter_are_refused() -> None:
    system = starting_at_one({"x": "v", "v": "-k*x"}, k=Normal(4, 1))
    with pytest.raises(Unsupported, match="drawn at random; give those parameters fixed values"):
        first_integrals(system)


def test_a_degree_below_two_is_refused() -> None:
    with pytest.raises(InvalidValue, match="degree is `1`; give a whole number of at least 2"):
        first_integrals(starting_at_one({"x": "-x"}), degree=1)


def test_too_many_monomials_are_refused() -> None:
    ring = {f"x{i}": f"x{(i + 1) % 30} - x{i}" for i in range(30)}
    with pytest.raises(Unsupported, match="30 states, and thus `495` monomials"):
        first_integrals(starting_at_one(ring))
