"""Conservation laws are found exactly, all of them and nothing else."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.mechanism import Normal, Unsupported
from physcm.sim import System, conservation_laws


def laws(system: System) -> list[str]:
    return [str(law) for law in conservation_laws(system)]


def starting_at_one(drift: dict[str, str], **arguments: object) -> System:
    return System(drift, initial=dict.fromkeys(drift, 1), **arguments)  # type: ignore[arg-type]


def test_the_enzyme_conserves_its_total() -> None:
    enzyme = starting_at_one(
        {
            "S": "k0 - k1*E*S + m*C",
            "E": "-k1*E*S + (m + k2)*C",
            "C": "k1*E*S - (m + k2)*C",
            "P": "k2*C - k3*P",
        },
        parameters={"k0": 0.1, "k1": 2.3, "m": 0.7, "k2": 1e-9, "k3": 1e7},
    )
    assert laws(enzyme) == ["C + E"]
    assert laws(enzyme.do(S=1)) == ["C + E"]
    assert laws(enzyme.do(E=1)) == []


def test_a_law_is_found_through_derived_fluxes_and_volumes() -> None:
    system = starting_at_one(
        {"A": "-flux/V", "B": "flux/W"},
        algebraic={"flux": "k*A/(K + A) - tanh(B)"},
        parameters={"V": 2e-15, "W": 5e-15, "k": 1, "K": 3},
    )
    (law,) = conservation_laws(system)
    assert law.coefficients == (("A", Fraction(2)), ("B", Fraction(5)))


def test_a_law_holds_when_functions_cancel_between_equations() -> None:
    system = starting_at_one({"A": "exp(B) - max(A, 1)", "B": "max(1, A) - exp(B)", "C": "-C"})
    assert laws(system) == ["A + B"]


def test_a_state_without_dynamics_is_a_law_of_its_own() -> None:
    (law,) = conservation_laws(starting_at_one({"A": "0", "B": "A - B"}))
    assert law.is_trivial
    assert str(law) == "A"


def test_a_law_that_holds_for_these_parameters_alone_is_found() -> None:
    system = starting_at_one({"A": "-k*A", "B": "m*A"}, parameters={"k": 2, "m": 3})
    assert laws(system) == ["3*A + 2*B"]


def test_no_law_is_made_up_where_nothing_is_conserved() -> None:
    assert laws(starting_at_one({"x": "x*(1 - y)", "y": "-y*(1 - x)"})) == []


def test_weights_that_depend_on_a_random_parameter_are_refused() -> None:
    system = starting_at_one({"A": "-A", "B": "k*A"}, parameters={"k": Normal(1, 0.1)})
    with pytest.raises(Unsupported, match="weights that depend on parameters drawn at random"):
        conservation_laws(system)


matrices = st.integers(2, 6).flatmap(
    lambda n: st.lists(st.lists(st.integers(-2, 2), min_size=n, max_size=n), min_size=1, max_size=6)
)


@settings(max_examples=60)
@given(matrices)
def test_the_laws_of_a_reaction_network_are_the_left_null_space(columns: list[list[int]]) -> None:
    n = len(columns[0])
    rates = [f"(x{i % n} + {i + 1})*x{(i + 1) % n}**{i + 1}" for i in range(len(columns))]
    drift = {
        f"x{s}": " + ".join(f"({c[s]})*{rate}" for c, rate in zip(columns, rates, strict=True))
        for s in range(n)
    }
    found = conservation_laws(starting_at_one(drift))
    stoichiometry = sp.Matrix(columns).T
    assert len(found) == n - stoichiometry.rank()
    for law in found:
        row = sp.zeros(1, n)
        for name, weight in law.coefficients:
            row[int(name[1:])] = sp.Rational(weight.numerator, weight.denominator)
        assert row * stoichiometry == sp.zeros(1, len(columns))


def test_thirty_states_take_less_than_two_seconds() -> None:
    import time

    drift = {f"x{i}": f"k*x{(i - 1) % 30}**2 - k*x{i}**2" for i in range(30)}
    begin = time.perf_counter()
    (law,) = conservation_laws(starting_at_one(drift, parameters={"k": 0.3}))
    assert time.perf_counter() - begin < 2
    assert np.all([weight == 1 for _, weight in law.coefficients])
