"""States of rest move as comparative statics says, which metabolic control analysis knows too."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.abstraction import comparative_statics, constraints_model, equilibrium_model
from physcm.mechanism import InvalidValue, Normal, SetParameter, Shift
from physcm.scm import SCM
from physcm.sim import System, settle, zoo


def the_stable_one(found: xr.Dataset) -> xr.Dataset:
    (which,) = np.flatnonzero(found.stability == "stable")
    return found.isel(equilibrium=which)


def moved_by(system: System, name: str, value: float, step: float) -> dict[str, float]:
    """Return the central difference of simulated limits by a parameter."""
    ends = [settle(system.do(SetParameter({name: value + sign * step}))) for sign in (1, -1)]
    return {x: float(ends[0][x][0] - ends[1][x][0]) / (2 * step) for x in system.states}


def test_the_enzyme_moves_as_its_solution_by_hand_says() -> None:
    k0, k1, km1, k2, k3, n = 1.0, 2.0, 0.5, 1.5, 0.7, 1.5
    found = comparative_statics(zoo.load("basic_enzyme")).isel(equilibrium=0).derivative
    E, load = n - k0 / k2, k0 + km1 * k0 / k2
    expected = {
        ("C", "k0"): 1 / k2, ("C", "k1"): 0, ("P", "k3"): -k0 / k3**2, ("P", "k2"): 0,
        ("E", "k2"): k0 / k2**2, ("E", "C(0) + E(0)"): 1, ("E", "e0"): 1, ("C", "e0"): 0,
        ("S", "k1"): -load / (k1**2 * E), ("S", "km1"): k0 / k2 / (k1 * E),
        ("S", "C(0) + E(0)"): -load / (k1 * E**2), ("S", "c0"): -load / (k1 * E**2),
    }  # fmt: skip
    for (effect, cause), slope in expected.items():
        assert found.sel(effect=effect, cause=cause).item() == pytest.approx(slope, abs=1e-12)


def test_a_held_substrate_moves_the_complex_by_the_slope_of_michaelis_and_menten() -> None:
    k1, km1, k2, n, s = 2.0, 0.5, 1.5, 1.5, 2.0
    found = comparative_statics(zoo.load("basic_enzyme").do(S=s)).isel(equilibrium=0)
    slope = k1 * n * (km1 + k2) / (k1 * s + km1 + k2) ** 2
    assert found.derivative.sel(effect="C", cause="do(S)").item() == pytest.approx(slope)
    assert found.derivative.sel(effect="S", cause="do(S)").item() == 1


@pytest.mark.parametrize(
    "name",
    ["basic_enzyme", "mapk_cascade", "filling_bathtub", "four_tanks", "viral_infection"],
)
def test_simulated_soft_interventions_move_the_limit_by_the_derivative(name: str) -> None:
    system = zoo.load(name)
    found = the_stable_one(comparative_statics(system)).derivative
    size = {x: abs(float(settle(system)[x][0])) for x in system.states}
    for cause, value in system.parameters.items():
        if isinstance(value, float) and value:
            moved = moved_by(system, cause, value, 1e-3 * abs(value))
            for effect, slope in moved.items():
                error = abs(found.sel(effect=effect, cause=cause).item() - slope) * abs(value)
                assert error < 1e-4 * max(size[effect], abs(slope * value)), (effect, cause)


def test_another_total_at_the_start_moves_the_limit_by_its_derivative() -> None:
    system = zoo.load("mapk_single")
    found = comparative_statics(system).isel(equilibrium=0).derivative
    totals = [str(cause) for cause in found.cause.values if "(0)" in str(cause)]
    assert totals
    for total in totals:
        name = total.split("(0)")[0].split(" ")[-1]
        (start,) = system.draw(np.array([0]), 0)[0][system.states.index(name)]
        ends = [settle(system.replace(initial={**system.initial, name: start + step}))
                for step in (1e-3, -1e-3)]  # fmt: skip
        for effect in system.states:
            slope = float(ends[0][effect][0] - ends[1][effect][0]) / 2e-3
            assert found.sel(effect=effect, cause=total).item() == pytest.approx(slope, abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.floats(-0.4, 0.4).map(lambda w: round(w, 3)), min_size=9, max_size=9),
    st.lists(st.floats(0.2, 3), min_size=3, max_size=3),
)
def test_random_saturating_networks_move_as_simulated(
    weights: list[float], inputs: list[float]
) -> None:
    names = "xyz"
    drift = {
        name: f"u{i} - {name} + " + " + ".join(f"w{i}{j}*tanh({names[j]})" for j in range(3))
        for i, name in enumerate(names)
    }
    values = {f"w{i}{j}": weights[3 * i + j] for i in range(3) for j in range(3)}
    values |= {f"u{i}": inputs[i] for i in range(3)}
    system = System(drift, parameters=values, initial=dict.fromkeys(names, 0.5))
    found = the_stable_one(comparative_statics(system)).derivative
    for cause in ("u0", "w12"):
        for effect, slope in moved_by(system, cause, values[cause], 1e-3).items():
            assert found.sel(effect=effect, cause=cause).item() == pytest.approx(slope, abs=1e-5)


@pytest.mark.parametrize(
    "name",
    ["basic_enzyme", "mapk_single", "toggle_switch", "hodgkin_huxley", "bergman_minimal", "seir"],
)
def test_the_causal_model_has_the_derivatives_of_the_system(name: str) -> None:
    system = zoo.load(name)
    below = comparative_statics(system)
    above = comparative_statics(equilibrium_model(system))
    names = {"effect": list(system.states), "cause": list(system.parameters)}
    above = above.sel(names)
    for k in np.flatnonzero(below.stability == "stable"):
        here = below.isel(equilibrium=k)
        gaps = [
            sum(abs(float(above[x][j] - here[x])) for x in system.states)
            for j in range(above.sizes["solution"])
        ]
        there = above.derivative.isel(solution=int(np.argmin(gaps)))
        np.testing.assert_allclose(there, here.derivative.sel(names), rtol=1e-9, atol=1e-9)


def reversible_chain(**initial: float) -> System:
    """Return S -> X -> Y -> P by reversible enzymes between two pools."""
    return System(
        {"X": "v1 - v2", "Y": "v2 - v3"},
        algebraic={
            "v1": "e1*(S - X/4)/(1 + S + X)",
            "v2": "e2*(2*X - Y)/(1 + X/2 + Y)",
            "v3": "e3*(Y - P/3)/(1 + Y + P)",
        },
        parameters={"S": 5, "P": 0.2, "e1": 1, "e2": 0.7, "e3": 2},
        initial={"X": 1, "Y": 1} | initial,
        bounds=dict.fromkeys("XY", (0, np.inf)),
    )


def test_flux_control_adds_up_to_one_and_control_of_concentrations_to_zero() -> None:
    """The summation theorem (Kacser & Burns 1973; Heinrich & Rapoport 1974)."""
    control = the_stable_one(comparative_statics(reversible_chain())).control
    sums = control.sel(cause=["e1", "e2", "e3"]).sum("cause")
    np.testing.assert_allclose(sums.sel(effect=["v1", "v2", "v3"]), 1, atol=1e-12)
    np.testing.assert_allclose(sums.sel(effect=["X", "Y"]), 0, atol=1e-12)


def test_flux_control_is_shared_by_the_connectivity_theorem() -> None:
    """Around X the elasticities weigh the flux control of its two neighbors to zero."""
    system = reversible_chain()
    found = the_stable_one(comparative_statics(system))
    at = {name: float(found[name]) for name in ("X", "Y")} | {"e1": 1.0, "e2": 0.7, "S": 5.0}

    def v1(X: float) -> float:
        return at["e1"] * (at["S"] - X / 4) / (1 + at["S"] + X)

    def v2(X: float) -> float:
        return at["e2"] * (2 * X - at["Y"]) / (1 + X / 2 + at["Y"])

    step = 1e-6 * at["X"]
    elasticity = [(v(at["X"] + step) - v(at["X"] - step)) / (2e-6 * v(at["X"])) for v in (v1, v2)]
    control = found.control.sel(effect="v1", cause=["e1", "e2"]).values
    assert float(control @ elasticity) == pytest.approx(0, abs=1e-8)


def test_libroadrunner_finds_the_same_control_with_a_conserved_total(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    roadrunner = pytest.importorskip("roadrunner")
    values = {"k0": 1.0, "k1": 2.0, "km1": 0.5, "k2": 1.5, "k3": 0.7}
    model = roadrunner.RoadRunner(3, 2)
    model.addCompartment("cell", 1.0, True)
    for name, start in {"S": 1.0, "E": 1.0, "C": 0.5, "P": 0.1}.items():
        model.addSpeciesConcentration(name, "cell", start, False, False, "", False)
    for name, value in values.items():
        model.addParameter(name, value, False)
    model.addReaction("feed", [], ["S"], "k0", False)
    model.addReaction("bind", ["E", "S"], ["C"], "k1*E*S - km1*C", False)
    model.addReaction("free", ["C"], ["E", "P"], "k2*C", False)
    model.addReaction("drain", ["P"], [], "k3*P", True)
    model.conservedMoietyAnalysis = True
    path = tmp_path_factory.mktemp("sbml") / "enzyme.xml"
    path.write_text(model.getCurrentSBML())
    control = the_stable_one(comparative_statics(System.from_sbml(path))).control
    model.steadyState()
    for effect in ("S", "E", "C", "P", "bind", "drain"):
        for cause in values:
            own = control.sel(effect=effect, cause=cause).item()
            assert own == pytest.approx(model.getCC(effect, cause), abs=1e-4), (effect, cause)


def test_a_force_that_breaks_a_conservation_law_has_no_derivative() -> None:
    enzyme = zoo.load("basic_enzyme").do(Shift("E", 0.0), Shift("S", 0.0))
    derivative = comparative_statics(enzyme).isel(equilibrium=0).derivative
    assert derivative.sel(cause="shift(E)").isnull().all()
    feed = derivative.sel(cause="k0") - derivative.sel(cause="shift(S)")
    np.testing.assert_allclose(feed, 0, atol=1e-12)


def test_the_weights_of_a_law_move_with_a_parameter_that_they_read() -> None:
    system = System(
        {"A": "-k*A", "B": "m*A"}, parameters={"k": 2, "m": 3}, initial={"A": 1, "B": 1}
    )
    derivative = comparative_statics(system).isel(equilibrium=0).derivative.sel(effect="B")
    assert derivative.sel(cause="k").item() == pytest.approx(-3 / 4)  # B = B(0) + m/k A(0)
    assert derivative.sel(cause="m").item() == pytest.approx(1 / 2)


def test_a_parameter_acts_through_all_that_is_computed_from_it() -> None:
    system = System(
        {"x": "a - b*x"}, parameters={"b": "2*c", "a": 3, "c": "d**2", "d": 2}, initial={"x": 1}
    )
    slopes = comparative_statics(system).isel(equilibrium=0).derivative.sel(effect="x")
    assert slopes.sel(cause="d").item() == pytest.approx(-3 / 8)  # x = a/(2 d^2)
    assert slopes.sel(cause="c").item() == pytest.approx(-3 / 32)
    assert slopes.sel(cause="b").item() == pytest.approx(-3 / 64)


def test_units_of_any_size_leave_control_coefficients_alone() -> None:
    def control(unit: float) -> xr.DataArray:
        small = System(
            {"A": "q - k*A*B", "B": "k*A*B - d*B**2"},
            parameters={"q": unit, "k": 1 / unit, "d": 2 / unit},
            initial={"A": unit, "B": unit},
            bounds={"A": (0, np.inf), "B": (0, np.inf)},
        )
        return the_stable_one(comparative_statics(small)).control

    np.testing.assert_allclose(control(1e-15), control(1.0), atol=1e-9)


def test_each_sample_has_derivatives_at_its_own_draw() -> None:
    model = SCM({"x": "a*e", "y": "x**2"}, {"e": Normal(0, 1)}, {"a": 2})
    e = float(model.sample(3, seed=4).e[2])
    slopes = comparative_statics(model, seed=4, sample=2).derivative.isel(solution=0)
    assert slopes.sel(effect="y", cause="e").item() == pytest.approx(8 * e)
    assert slopes.sel(effect="x", cause="a").item() == pytest.approx(e)


def test_where_states_of_rest_are_not_isolated_there_is_no_derivative() -> None:
    rest = comparative_statics(System({"x": "y - x", "y": "x*y - y**2"}, initial={"x": 1, "y": 2}))
    assert rest.derivative.isnull().all()


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(InvalidValue, match="`3` is no model; give a System, an SCM"):
        comparative_statics(3)  # type: ignore[arg-type]


# Conservation laws whose weights are parameters


def capacitors() -> System:
    """Two capacitors joined by a resistor: the charge C1 v1 + C2 v2 stays."""
    return System(
        {"v1": "(v2 - v1)/(R*C1)", "v2": "(v1 - v2)/(R*C2)"},
        parameters={"R": 2, "C1": 1, "C2": 3},
        initial={"v1": 5, "v2": 0},
    )


@pytest.mark.parametrize("kind", ["system", "causal model"])
def test_the_weights_of_a_law_move_with_the_capacities_that_they_are(kind: str) -> None:
    """At rest v = (C1 v1(0) + C2 v2(0))/(C1 + C2)."""
    system = capacitors()
    found = comparative_statics(system if kind == "system" else constraints_model(system))
    at = found.derivative.isel({found.derivative.dims[0]: 0}).sel(effect="v1")
    assert at.sel(cause="C1").item() == pytest.approx(3 * 5 / 4**2)
    assert at.sel(cause="C2").item() == pytest.approx(-5 / 4**2)
    assert at.sel(cause="R").item() == pytest.approx(0, abs=1e-12)


def test_the_equations_of_a_model_with_other_capacities_are_those_of_that_system() -> None:
    changed = SetParameter(C1=2.5)
    model = constraints_model(capacitors()).scm.do(changed)
    expected = float(settle(capacitors().do(changed)).v1[0])
    assert float(model.sample(1).v1[0]) == pytest.approx(expected, rel=1e-6)
    assert expected == pytest.approx(2.5 * 5 / 5.5, rel=1e-6)


def test_there_is_no_derivative_by_what_breaks_a_law_of_special_values() -> None:
    """B stays where k1 = k2 alone."""
    tuned = System(
        {"A": "k1*C - k2*A*B", "B": "B*C*(k2 - k1)", "C": "k2*A*B - k1*C", "D": "q*A - D"},
        parameters={"k1": 2, "k2": 2, "q": 3},
        initial={"A": 1, "B": 1, "C": 0.5, "D": 0},
    )
    found = comparative_statics(constraints_model(tuned)).derivative.isel(solution=0)
    assert np.isnan(found.sel(cause=["k1", "k2"])).all()
    assert found.sel(effect="D", cause="q").item() == pytest.approx(0.75)


# Theorems of metabolic control analysis


def pathway() -> System:
    """X0 -> A -> B -> , each step by an enzyme of its own activity (Kacser & Burns 1973)."""
    return System(
        {"A": "e1*(X0 - A/q) - e2*A/(1 + A + B/K)", "B": "e2*A/(1 + A + B/K) - e3*B/(M + B)"},
        parameters={"e1": 1.3, "e2": 2.1, "e3": 1.7, "X0": 1, "q": 2, "K": 0.8, "M": 0.6},
        algebraic={"J": "e3*B/(M + B)"},
        initial={"A": 0.5, "B": 0.5},
        bounds={"A": (0, np.inf), "B": (0, np.inf)},
    )


def test_control_of_flux_sums_to_one_and_of_concentrations_to_zero() -> None:
    control = the_stable_one(comparative_statics(pathway())).control.sel(cause=["e1", "e2", "e3"])
    sums = control.sum("cause")
    assert sums.sel(effect="J").item() == pytest.approx(1, rel=1e-10)
    assert sums.sel(effect=["A", "B"]).values == pytest.approx([0, 0], abs=1e-10)


def test_control_and_elasticities_cancel() -> None:
    """sum_i C_i eps_iS = 0 for flux, and -1 for S itself (Kacser & Burns; Westerhoff & Chen)."""
    found = the_stable_one(comparative_statics(pathway()))
    p = {k: float(v) for k, v in pathway().parameters.items()}
    rest = {x: float(found[x]) for x in "AB"}

    def rates(A: float, B: float) -> np.ndarray:
        steps = [p["e1"] * (p["X0"] - A / p["q"]), p["e2"] * A / (1 + A + B / p["K"])]
        return np.log([*steps, p["e3"] * B / (p["M"] + B)])

    for x in "AB":
        up, down = ({**rest, x: rest[x] * np.exp(h)} for h in (1e-5, -1e-5))
        elasticity = (rates(**up) - rates(**down)) / 2e-5
        for effect, expected in {"J": 0, "A": -(x == "A"), "B": -(x == "B")}.items():
            control = found.control.sel(effect=effect, cause=["e1", "e2", "e3"]).values
            assert control @ elasticity == pytest.approx(expected, abs=1e-7)


def test_control_of_flux_sums_to_one_with_a_conserved_cofactor() -> None:
    """The sum over enzymes is 1 whatever totals are conserved (Reder 1988)."""
    cycle = System(
        {"S": "e1*X*N - e2*S*M", "N": "e2*S*M - e1*X*N", "M": "e1*X*N - e2*S*M"},
        parameters={"e1": 1.2, "e2": 0.7, "X": 2},
        algebraic={"J": "e2*S*M"},
        initial={"S": 0.4, "N": 0.8, "M": 0.3},
        bounds=dict.fromkeys("SNM", (0, np.inf)),
    )
    found = the_stable_one(comparative_statics(cycle)).control
    assert found.sel(effect="J", cause=["e1", "e2"]).sum().item() == pytest.approx(1, rel=1e-10)
    assert found.sel(effect="S", cause=["e1", "e2"]).sum().item() == pytest.approx(0, abs=1e-10)
