"""What rounding alone makes a root is none; multiple roots, folds and lines of roots stay."""

from __future__ import annotations

import numpy as np
import pytest

from physcm.sim import System, equilibria, settle, steady_states
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.root_nearby import has_root_nearby


def is_root(system: System, *x: float) -> bool:
    x0, p = system.draw(np.array([0]), 0)
    equations = EquilibriumEquations(system)
    total = equations.conserved(x0)[:, 0]
    return has_root_nearby(equations, np.array(x), p[:, 0], total, np.ones(len(x)))


def stirred_tank(**initial: float) -> System:
    """Uppal, Ray & Poore, Chem. Eng. Sci. 29 (1974), with the reaction's exponential as it is."""
    return System(
        {"x": "-x + Da*(1 - x)*exp(T)", "T": "-T + 14*Da*(1 - x)*exp(T) - 2*T"},
        parameters={"Da": 0.3},
        initial={"x": 0, "T": 0, **initial},
    )


@pytest.mark.parametrize("temperature", [48.233, 171.6, 439.1, 581.6])
def test_the_stirred_tank_does_not_rest_burnt_out_at_any_temperature(temperature: float) -> None:
    assert not is_root(stirred_tank(), 1.0, temperature)


@pytest.mark.parametrize("temperature", [0.0, 171.6, 300.0])
def test_the_stirred_tank_has_one_equilibrium_wherever_it_starts(temperature: float) -> None:
    found = equilibria(stirred_tank(T=temperature))
    assert found.sizes["equilibrium"] == 1
    assert float(found["T"][0]) == pytest.approx(14 / 3 * float(found.x[0]), rel=1e-9)
    assert float(steady_states(stirred_tank(T=temperature)).x[0]) == pytest.approx(0.96429352)


def test_a_false_root_is_refused_though_its_eigenvalues_look_stable() -> None:
    tank = System(
        {"x": "0.3*(1 - y)*exp(T) - x", "y": "1 - y", "T": "4.2*(1 - y)*exp(T) - 3*T"},
        initial={"x": 0, "y": 0, "T": 171.6},
    )
    assert not is_root(tank, 0.0, 1.0, 171.6)
    found = equilibria(tank)
    np.testing.assert_allclose([found.x, found.y, found["T"]], [[0], [1], [0]], atol=1e-9)


@pytest.mark.parametrize(
    ("drift", "root"),
    [
        ("(x - 1)**2", 1 + 1e-9),
        ("x**2 - 2*x + 1", 1.0),
        ("(x - 3)**3", 3 - 1e-6),
        ("-x**5", 0.0),
        ("2/(3*sqrt(3)) + x - x**3", -1 / np.sqrt(3)),
        ("r - x - exp(-x)", 0.0),
        ("x*(1 - x)*(x - 1)", 1.0),
    ],
)
def test_multiple_roots_and_folds_are_roots(drift: str, root: float) -> None:
    assert is_root(System({"x": drift}, parameters={"r": 1}, initial={"x": 0}), root)


def test_lines_of_roots_are_roots() -> None:
    circle = System(
        {"x": "-y - x*(x**2 + y**2 - 2) + y", "y": "y*(2 - x**2 - y**2)"},
        initial={"x": 1, "y": 0},
    )
    assert is_root(circle, 1.0, 1.0)
    assert is_root(circle, np.sqrt(2) * np.cos(0.3), np.sqrt(2) * np.sin(0.3))
    healthy = System(
        {"S": "-0.4*S*I", "I": "0.4*S*I - 0.1*I", "R": "0.1*I"}, initial={"S": 1, "I": 0, "R": 0}
    )
    assert is_root(healthy, 0.7, 0.0, 0.3)


@pytest.mark.parametrize("temperature", [20.0, 30.0])
def test_a_run_does_not_settle_where_rounding_hides_that_it_cools(temperature: float) -> None:
    """At x = 1 the reaction of exp(44) (1 - x) is lost, and T waits 1e13 times longer than x."""
    limit = settle(stirred_tank(T=temperature))
    assert float(limit["T"][0]) == pytest.approx(4.50003644, rel=1e-6)


def test_what_is_slow_is_waited_for_however_fast_the_rest_is() -> None:
    lag = System({"x": "-1e14*(x - y)", "y": "0.1*(1 - y)"}, initial={"x": 1, "y": 0.5})
    assert float(settle(lag).y[0]) == pytest.approx(1, rel=1e-6)
