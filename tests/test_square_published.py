"""The square on published models beyond the worked examples of the theory."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import brentq

from physcm.abstraction import commutes, equilibrate, equilibrium_model, hold_each
from physcm.mechanism import Hold, NotUnique, SetParameter
from physcm.scm import SCM
from physcm.sim import System, equilibria, settle

AMOUNT = (0, math.inf)


def chemostat(dilution: float) -> System:
    """Monod (1950): biomass X on a substrate S; it is washed out where D > mu S/(K + S)."""
    return System(
        {"X": "X*(mu*S/(K + S) - D)", "S": "D*(Sin - S) - X*mu*S/(K + S)/Y"},
        parameters={"mu": 0.5, "K": 0.2, "D": dilution, "Sin": 5, "Y": 0.5},
        initial={"X": 0.1, "S": 5},
        bounds={"X": AMOUNT, "S": AMOUNT},
        name="chemostat",
    )


def duffing() -> System:
    """Duffing (1918): a damped double well with minima at q = -1 and 1."""
    return System(
        {"q": "v", "v": "q - q**3 - c*v"},
        parameters={"c": 0.5},
        initial={"q": 1, "v": 0.3},
        held_together=[("q", "v")],
        name="double well",
    )


def wilson_cowan() -> System:
    """Wilson & Cowan (Biophysical Journal 12, 1972), figure 4: hysteresis about a rest at 0."""
    sigmoid = "(1/(1 + exp(-{a}*({x} - {b}))) - 1/(1 + exp({a}*{b})))"
    e = sigmoid.format(a="aE", b="bE", x="(12*E - 4*I + P)")
    i = sigmoid.format(a="aI", b="bI", x="(13*E - 11*I)")
    return System(
        {"E": f"-E + (1 - E)*{e}", "I": f"-I + (1 - I)*{i}"},
        parameters={"aE": 1.2, "bE": 2.8, "aI": 1, "bI": 4, "P": 0},
        initial={"E": 0.05, "I": 0.05},
        name="Wilson-Cowan",
    )


def selkov() -> System:
    """Selkov (European Journal of Biochemistry 4, 1968), stable here."""
    return System(
        {"x": "-x + a*y + x**2*y", "y": "b - a*y - x**2*y"},
        parameters={"a": 0.08, "b": 1.2},
        initial={"x": 1, "y": 1},
        bounds={"x": AMOUNT, "y": AMOUNT},
        name="glycolysis",
    )


def test_a_chemostat_commutes_across_the_loss_of_its_population() -> None:
    system = chemostat(0.6)
    report = commutes(system, equilibrate(system), [SetParameter(D=0.3), SetParameter(D=0.45)])
    assert report.ok, report
    for row, dilution in ((1, 0.3), (2, 0.45)):
        substrate = dilution * 0.2 / (0.5 - dilution)
        np.testing.assert_allclose(report.table.predicted[row].sel(variable="S"), substrate)


def test_holding_the_place_of_a_mass_in_a_double_well_stops_it() -> None:
    system = duffing()
    model = equilibrium_model(system)
    assert float(model.do(q=0.5).sample(1).v[0]) == 0
    rows = commutes(system, model, [Hold("q", 0.5), Hold("q", 2), Hold("v", 0)]).rows
    assert [row.agree for row in rows] == [False, True, True, True]


def test_a_velocity_need_not_stand_alone_in_its_equation() -> None:
    """A relativistic oscillator, q' = v/sqrt(1 + v^2)."""
    system = System(
        {"q": "v/sqrt(1 + v**2)", "v": "-k*q - c*v"},
        parameters={"k": 2, "c": 0.5},
        initial={"q": 1, "v": 0.3},
        held_together=[("q", "v")],
    )
    assert commutes(system, equilibrate(system), [Hold("q", 0.5), Hold("v", 0)]).ok


def test_a_state_of_rest_at_zero_is_one_root_among_three() -> None:
    """Where sigmoids saturate, rounding makes all of |E| < 1e-17 look like roots."""
    system = wilson_cowan()
    solved = equilibrium_model(system).solve()
    assert int(solved["count"][0]) == 3
    assert float(solved.E[0, 0]) == 0
    with pytest.raises(NotUnique, match="2 stable equilibria coexist"):
        equilibrate(system)


def test_the_excitatory_population_under_a_held_inhibitory_one_has_the_roots_of_its_curve() -> None:
    system = wilson_cowan()
    found = equilibrium_model(system).do(I=0.1).solve().E.values[0]

    def drift(e: float) -> float:
        firing = 1 / (1 + math.exp(-1.2 * (12 * e - 0.4 - 2.8))) - 1 / (1 + math.exp(1.2 * 2.8))
        return -e + (1 - e) * firing

    grid = np.linspace(-1, 1, 2001)
    signs = [drift(a) * drift(b) < 0 for a, b in pairwise(grid)]
    expected = [brentq(drift, grid[i], grid[i + 1]) for i in np.flatnonzero(signs)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("drift", ["x**2", "x**3 - x", "k*exp(x) - x", "x**5"])
def test_escape_in_finite_time_is_divergence(drift: str) -> None:
    system = System({"x": drift}, parameters={"k": 0.5}, initial={"x": 2})
    assert settle(system).status.values == [2]


@pytest.mark.parametrize("drift", ["-sqrt(x) - 1", "-1/x", "1/(2 - x)"])
def test_the_end_of_where_a_mechanism_has_values_is_no_divergence(drift: str) -> None:
    assert settle(System({"x": drift}, initial={"x": 1})).status.values == [4]


def test_a_held_product_makes_its_autocatalytic_substrate_escape() -> None:
    """x' = a y + x^2 y - x has no root where 4 a y^2 > 1, and is left upwards in finite time."""
    system = selkov()
    high = math.sqrt(1 / (4 * 0.08)) * 1.1
    row = commutes(system, equilibrate(system), [Hold("y", high)]).rows[1]
    assert (row.simulation, row.prediction, row.agree) == ("diverged", "no solution", True)


def test_a_slow_approach_to_a_marginal_equilibrium_commutes() -> None:
    """x' = -x^3 comes to rest at 0 like t^(-1/2): stable, though no eigenvalue says so."""
    system = System({"x": "-x**3"}, initial={"x": 1}, bounds={"x": AMOUNT})
    row = commutes(system, equilibrate(system), []).rows[0]
    assert (row.simulation, row.prediction) == ("settled", "one solution, marginal")
    assert row.agree


def test_what_moves_slowly_after_a_fast_transient_has_not_settled() -> None:
    """Robertson's reactions with A held: C grows like t^(1/3) once B has relaxed."""
    system = System(
        {"B": "0.04*A - 1e4*B*C - 3e7*B**2", "C": "3e7*B**2"},
        parameters={"A": 0.5},
        initial={"B": 4, "C": 0.75},
        bounds={"B": AMOUNT, "C": AMOUNT},
    )
    assert settle(system).status.values != [0]


def test_what_dies_out_is_held_at_its_initial_size() -> None:
    """The last 1e-14 of a population says nothing about how large to make it."""
    infected = System(
        {"S": "-b*S*I", "I": "b*S*I - g*I"},
        parameters={"b": 0.5, "g": 0.2},
        initial={"S": 0.99, "I": 0.01},
        bounds={"S": AMOUNT, "I": AMOUNT},
    )
    assert [hold.value for hold in hold_each(infected) if hold.name == "I"] == [0.005, 0.011, 0.02]


def test_a_model_that_errs_is_not_excused_by_the_initial_state() -> None:
    tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    row = commutes(tank, SCM({"h": "2*q/k"}, parameters={"q": 1, "k": 2}), []).rows[0]
    assert "simulated 0.5 and predicted 1" in row.why
    assert "the same from all initial states" in row.why


def test_extinction_is_a_root_of_a_hill_function_whatever_its_exponent() -> None:
    """x = 3 x^n/(1 + x^n) at n = 2: 0, and the roots of x^2 - 3 x + 1."""
    roots = [0, (3 - math.sqrt(5)) / 2, (3 + math.sqrt(5)) / 2]
    for exponent in ("n", "2"):
        mechanisms = {"x": f"3*y**{exponent}/(1 + y**{exponent})", "y": "x"}
        found = SCM(mechanisms, parameters={"n": 2}, domains={"x": AMOUNT}).solve()
        np.testing.assert_allclose(found.x[0], roots, rtol=1e-9)


def test_growth_by_a_surface_has_its_root_at_zero_too() -> None:
    """Von Bertalanffy (1938): x' = a x^(2/3) - b x rests at 0, where it repels, and at (a/b)^3."""
    system = System(
        {"x": "a*x**(2/3) - b*x"},
        parameters={"a": 3, "b": 1},
        initial={"x": 1},
        bounds={"x": AMOUNT},
    )
    found = equilibria(system)
    np.testing.assert_allclose(found.x, [0, 27], atol=1e-12)
    assert found.stability.values.tolist() == ["unstable", "stable"]
    assert commutes(system, equilibrate(system), [SetParameter(a=5)]).ok


def test_a_tank_that_runs_dry_in_finite_time_has_settled() -> None:
    """Torricelli: h' = q - k sqrt(h) without inflow is dry at t = 2 sqrt(h(0))/k, and stays so."""
    tank = System(
        {"h": "q - k*sqrt(h)"},
        parameters={"q": 1, "k": 2},
        initial={"h": 1},
        bounds={"h": AMOUNT},
    )
    report = commutes(tank, equilibrate(tank), [SetParameter(q=0), SetParameter(q=2)])
    assert report.ok, report
    np.testing.assert_allclose(report.table.simulated[:, 0, 0, 0], [0.25, 0, 1], atol=1e-6)


def test_a_marginal_state_that_no_run_comes_to_does_not_count_beside_a_stable_one() -> None:
    """Growth by pairs, x' = x^2 - x^3: 0 is marginal and repels, 1 attracts."""
    system = System({"x": "x**2 - x**3"}, initial={"x": 0.1}, bounds={"x": AMOUNT})
    row = commutes(system, equilibrate(system), []).rows[0]
    assert row.prediction == "2 solutions, 1 stable, 1 marginal"
    assert row.agree


def receptor_and_phospholipase() -> System:
    """Kholodenko et al. (Journal of Biological Chemistry 274, 1999): EGF receptor and PLC-gamma."""
    changes: dict[str, tuple[str, dict[str, int]]] = {
        "v1": ("k1*R*EGF - km1*Ra", {"R": -1, "Ra": 1}),
        "v2": ("k2*Ra**2 - km2*R2", {"Ra": -2, "R2": 1}),
        "v3": ("k3*R2 - km3*RP", {"R2": -1, "RP": 1}),
        "v4": ("V4*RP/(K4 + RP)", {"RP": -1, "R2": 1}),
        "v5": ("k5*RP*PLCg - km5*RPL", {"RP": -1, "PLCg": -1, "RPL": 1}),
        "v6": ("k6*RPL - km6*RPLP", {"RPL": -1, "RPLP": 1}),
        "v7": ("k7*RPLP - km7*RP*PLCgP", {"RPLP": -1, "RP": 1, "PLCgP": 1}),
        "v8": ("V8*PLCgP/(K8 + PLCgP)", {"PLCgP": -1, "PLCg": 1}),
    }
    initial = {"R": 100, "Ra": 0, "R2": 0, "RP": 0, "PLCg": 105, "RPL": 0, "RPLP": 0, "PLCgP": 0}
    return System.from_reactions(
        changes,
        parameters={
            "EGF": 680, "k1": 0.003, "km1": 0.06, "k2": 0.01, "km2": 0.1, "k3": 1, "km3": 0.01,
            "V4": 450, "K4": 50, "k5": 0.06, "km5": 0.2, "k6": 1, "km6": 0.05, "k7": 0.3,
            "km7": 0.006, "V8": 1, "K8": 100,
        },
        initial=initial,
        bounds=dict.fromkeys(initial, AMOUNT),
        name="EGF receptor",
    )  # fmt: skip


def test_net_fluxes_that_vanish_at_rest_leave_no_line_of_states() -> None:
    """v1 = 2 v2 = 0 at rest, which rounding leaves at 1e-15 of the fluxes that balance."""
    system = receptor_and_phospholipase()
    tried = [Hold("R", 1.00075), Hold("PLCg", 3.51376), Hold("PLCg", 6.38865), Hold("Ra", 8.5064)]
    report = commutes(system, equilibrium_model(system), tried)
    assert report.ok, report
    assert {row.prediction for row in report.rows} == {"one solution"}
