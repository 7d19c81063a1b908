"""All equilibria are found, against systems whose number of equilibria is known."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

from physcm.sim import System, equilibria, zoo

AMOUNT = (0, float("inf"))


def product(name: str, roots: tuple[float, ...]) -> str:
    return "*".join(f"({name} - ({root}))" for root in roots)


@pytest.mark.parametrize(
    ("own", "mixing"),
    [
        ((-2.7, -1.1, 0.4, 0.9, 2.3), 0.0),
        ((-2.7, -1.1, 0.4, 0.9, 2.3), 0.4),
        ((0.01, 0.3, 2.0, 40.0), -0.3),
    ],
)
def test_a_pair_of_mixed_polynomials_has_every_combination_of_their_roots(
    own: tuple[float, ...], mixing: float
) -> None:
    f, g = product("x", own), product("y", own)
    system = System(
        {"x": f"-({f}) - {mixing}*({g})", "y": f"-({g}) + {mixing}*({f})"},
        initial={"x": 0.5, "y": 0.5},
    )
    found = equilibria(system)
    expected = sorted(itertools.product(own, own))
    pairs = sorted(zip(found.x.values.round(6), found.y.values.round(6), strict=True))
    np.testing.assert_allclose(pairs, expected, atol=1e-6)


@pytest.mark.parametrize("genes", [6, 10])
def test_a_ring_of_genes_that_feed_each_other_has_the_roots_of_its_cubic(genes: int) -> None:
    system = System(
        {
            f"x{i}": f"0.01 + 2*x{i - 1 if i else genes - 1}**2"
            f"/(1 + x{i - 1 if i else genes - 1}**2) - 0.9*x{i}"
            for i in range(genes)
        },
        initial={f"x{i}": 0 for i in range(genes)},
        bounds={f"x{i}": AMOUNT for i in range(genes)},
    )
    cubic = [-0.9, 2.01, -0.9, 0.01]  # (0.01 - 0.9 x)(1 + x^2) + 2 x^2, all genes alike
    found = equilibria(system)
    np.testing.assert_allclose(found.x0, np.sort(np.roots(cubic).real), rtol=1e-6)
    assert found.stability.values.tolist() == ["stable", "unstable", "stable"]


def test_switches_that_do_not_feel_each_other_have_three_to_the_power_of_their_number() -> None:
    cells = {f"x{i}": f"x{i} - x{i}**3" for i in range(4)}
    found = equilibria(System(cells, initial=dict.fromkeys(cells, 0.1)))
    assert found.sizes["equilibrium"] == 3**4


@pytest.mark.parametrize(
    ("drift", "roots"),
    [
        ("0.5 - abs(x - 2)", [1.5, 2.5]),
        ("min(x, 1) - x/2", [0, 2]),
        ("max(-1, min(1, 3*x)) - x/4", [-4, 0, 4]),
        ("where(x < 3, 1, 4) - x", [1, 4]),
    ],
)
def test_roots_on_all_sides_of_corners_and_steps_are_found(drift: str, roots: list[float]) -> None:
    found = equilibria(System({"x": drift}, initial={"x": 0.7}))
    np.testing.assert_allclose(found.x, roots, atol=1e-9)


@pytest.mark.parametrize("x", [-3.0, 40.0])
def test_a_start_from_which_the_flow_grows_without_bound_hides_no_equilibrium(x: float) -> None:
    found = equilibria(System({"x": "x**3 - x", "y": "x - y"}, initial={"x": x, "y": 1}))
    np.testing.assert_allclose(found.x, [-1, 0, 1], atol=1e-9)


@pytest.mark.parametrize("held", [59.5, 65.0, 73.36, 87.0])
def test_the_stem_cell_switch_is_bistable_between_its_folds(held: float, shared_data: Path) -> None:
    path = shared_data / "biomodels" / "BIOMD0000000203.xml"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the shared data")
    found = equilibria(System.from_sbml(path).do(A=held))
    assert found.stability.values.tolist() == ["stable", "unstable", "stable"]


@pytest.mark.parametrize(("held", "value"), [("x3", 8.0), ("x4", 9.6), ("x8", 2.0)])
def test_lorenz_96_with_one_variable_held_has_nine_equilibria(held: str, value: float) -> None:
    found = equilibria(zoo.load("lorenz_96").do(**{held: value}))
    assert found.sizes["equilibrium"] == 9  # as Newton's method from 60,000 random points
    leading = found.eigenvalue_real.values + 1j * found.eigenvalue_imag.values
    index = np.sign((-leading).prod(axis=1).real)
    assert index.sum() == 1  # Poincare and Hopf: what stays in a ball


def test_a_chaotic_flow_has_both_of_its_equilibria_though_one_lies_far_from_where_it_was() -> None:
    a, b, c = 0.2, 0.2, 5.7
    found = equilibria(zoo.load("roessler"))
    z = (c + np.array([-1, 1]) * np.sqrt(c**2 - 4 * a * b)) / (2 * a)
    np.testing.assert_allclose(found.z, z, rtol=1e-6)


def test_a_state_far_above_the_others_is_found_from_the_one_between() -> None:
    """A switch of lactose uptake, off at A = 0.0023 and on at 240, both by SciPy's brentq."""
    induced = "0.1*(1 + 100*A**2)/(100 + A**2)"
    operon = System(
        {"M": f"{induced} - M", "A": "2.5*M - 0.1*A - A/(1 + A)"},
        initial={"M": 0.1, "A": 0.1},
        bounds={"M": AMOUNT, "A": AMOUNT},
    )

    def balance(a: float) -> float:
        return 0.25 * (1 + 100 * a**2) / (100 + a**2) - 0.1 * a - a / (1 + a)

    ends = [0, 0.1, 10, 1000]
    roots = [brentq(balance, low, high) for low, high in itertools.pairwise(ends)]
    found = equilibria(operon)
    np.testing.assert_allclose(found.A, roots, rtol=1e-6)
    assert found.stability.values.tolist() == ["stable", "unstable", "stable"]
