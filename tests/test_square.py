"""Imagining an intervention and performing it agree, or the report says why they do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.abstraction import (
    Abstraction,
    CausalConstraintsModel,
    commutes,
    equilibrate,
    equilibrium_model,
    hold_each,
)
from physcm.mechanism import (
    Hold,
    Infeasible,
    InvalidValue,
    NoEquilibrium,
    NotConverged,
    NotStable,
    NotUnique,
    SetParameter,
    Uniform,
    UnknownVariable,
    Unsupported,
)
from physcm.scm import SCM
from physcm.sim import System, settle

AMOUNT = (0, float("inf"))


def oscillators(masses: int, seed: int = 0) -> System:
    """THEORY section 2: damped masses between walls at 0 and L, generic springs."""
    rng = np.random.default_rng(seed)
    d = masses
    parameters = {"Q0": 0.0, f"Q{d + 1}": 10.0}
    parameters |= {f"k{i}": rng.uniform(0.5, 2) for i in range(d + 1)}
    parameters |= {f"l{i}": rng.uniform(0.5, 2) for i in range(d + 1)}
    parameters |= {f"b{i}": rng.uniform(0.5, 1) for i in range(1, d + 1)}
    parameters |= {f"m{i}": rng.uniform(0.5, 2) for i in range(1, d + 1)}
    drift = {f"Q{i}": f"P{i}/m{i}" for i in range(1, d + 1)}
    drift |= {
        f"P{i}": f"k{i}*(Q{i + 1} - Q{i} - l{i}) - k{i - 1}*(Q{i} - Q{i - 1} - l{i - 1})"
        f" - b{i}*P{i}/m{i}"
        for i in range(1, d + 1)
    }
    return System(
        drift,
        parameters=parameters,
        initial={name: (float(name[1:]) if name[0] == "Q" else 0.0) for name in drift},
        held_together=[(f"Q{i}", f"P{i}") for i in range(1, d + 1)],
        name="oscillators",
    )


def at_rest(system: System, held: dict[str, float]) -> dict[str, float]:
    """Solve the oscillators' force balance by linear algebra, independently."""
    p: Any = system.parameters
    d = len(system.states) // 2
    a, b = np.zeros((d, d)), np.zeros(d)
    for i in range(1, d + 1):
        if f"Q{i}" in held:
            a[i - 1, i - 1], b[i - 1] = 1, held[f"Q{i}"]
            continue
        k, k_left = p[f"k{i}"], p[f"k{i - 1}"]
        a[i - 1, i - 1] = k + k_left
        b[i - 1] = -k * p[f"l{i}"] + k_left * p[f"l{i - 1}"]
        for j, stiffness in ((i + 1, k), (i - 1, k_left)):
            if 1 <= j <= d:
                a[i - 1, j - 1] -= stiffness
            else:
                b[i - 1] += stiffness * p[f"Q{j}"]
    q = np.linalg.solve(a, b)
    return {f"Q{i + 1}": q[i] for i in range(d)}


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 4), st.integers(0, 99))
def test_coupled_oscillators_commute_and_rest_where_forces_balance(d: int, seed: int) -> None:
    system = oscillators(d, seed)
    report = commutes(system, equilibrate(system), [Hold("Q1", 3.0)], starts=2)
    assert report.ok
    table = report.table.isel(sample=0, start=0)
    for row, held in enumerate(({}, {"Q1": 3.0})):
        for name, value in at_rest(system, held).items():
            for key in ("simulated", "predicted"):
                found = float(table[key].isel(intervention=row).sel(variable=name))
                assert found == pytest.approx(value, rel=1e-4, abs=1e-4)


def test_neighbouring_masses_form_a_two_cycle() -> None:
    system = oscillators(3)
    model = equilibrate(system)
    assert isinstance(model, SCM)
    positions = {(a, b) for a, b in model.graph().directed if a[0] == b[0] == "Q"}
    assert positions >= {("Q1", "Q2"), ("Q2", "Q1"), ("Q2", "Q3"), ("Q3", "Q2")}
    assert ("Q1", "Q3") not in positions


def enzyme() -> System:
    return System(
        {
            "S": "k0 - k1*E*S + m*C",
            "E": "-k1*E*S + (m + k2)*C",
            "C": "k1*E*S - (m + k2)*C",
            "P": "k2*C - k3*P",
        },
        parameters={"k0": 1, "k1": 2, "m": 0.5, "k2": 1.5, "k3": 0.7},
        initial={"S": 1, "E": 1, "C": 0.5, "P": 0},
        bounds=dict.fromkeys("SECP", AMOUNT),
        name="enzyme",
    )


def test_the_enzyme_needs_causal_constraints_and_then_commutes() -> None:
    model = equilibrate(enzyme())
    assert isinstance(model, CausalConstraintsModel)
    report = commutes(enzyme(), model, [*hold_each(enzyme()), SetParameter(k0=0.5)])
    assert report.ok
    rows = {row.intervention: row for row in report.rows}
    assert rows["do(C = 0.333333)"].simulation == "diverged"
    assert rows["do(C = 0.333333)"].prediction == "no solution"


def test_the_conservation_law_is_lifted_when_a_member_is_held() -> None:
    model = equilibrate(enzyme())
    assert isinstance(model, CausalConstraintsModel)
    law = model.constraints[-1]
    assert str(law) == "C + E = C(0) + E(0)   unless C or E is held"
    assert law in model.do(S=1).active
    assert law not in model.do(E=1).active


@pytest.mark.parametrize("held", [{"S": 2.0}, {"E": 0.3}, {"P": 3.0}])
def test_the_enzyme_model_has_the_published_solutions(
    held: dict[str, float], enzyme_at_rest: Callable[..., dict[str, float]]
) -> None:
    solved = equilibrate(enzyme()).do(**held).sample(1)
    for name, value in enzyme_at_rest(**held).items():
        assert float(solved[name][0]) == pytest.approx(value, rel=1e-9)


def test_an_enzyme_fed_too_fast_has_no_equilibrium() -> None:
    with pytest.raises(NoEquilibrium, match="no solution.*grows without bound"):
        equilibrate(enzyme().do(SetParameter(k0=3)))


def lotka_volterra() -> System:
    return System(
        {"prey": "prey*(a - b*predator)", "predator": "-predator*(c - d*prey)"},
        parameters={"a": 1, "b": 1.5, "c": 1, "d": 0.5},
        initial={"prey": 3, "predator": 1},
        bounds={"prey": AMOUNT, "predator": AMOUNT},
        name="Lotka-Volterra",
    )


def test_lotka_volterra_is_refused_because_it_circles() -> None:
    with pytest.raises(NoEquilibrium, match="marginal .*repeats with period"):
        equilibrate(lotka_volterra())
    report = commutes(lotka_volterra(), equilibrium_model(lotka_volterra()), [])
    assert not report.ok
    assert report.verdict.startswith("No equilibrium SCM exists.")


def test_two_incommensurate_oscillations_are_refused_as_undecided() -> None:
    torus = System(
        {"a": "b", "b": "-a", "c": "d", "d": "-2*c"}, initial={"a": 1, "b": 0, "c": 1, "d": 0}
    )
    with pytest.raises(NotConverged, match=r"not known to have an .* had not come to rest by"):
        equilibrate(torus)


def test_a_repressilator_is_refused_because_its_equilibrium_repels() -> None:
    ring = System(
        {f"p{i}": f"10/(1 + p{(i + 1) % 3}**4) - p{i}" for i in range(3)},
        initial={"p0": 1, "p1": 1.5, "p2": 2},
        bounds={f"p{i}": AMOUNT for i in range(3)},
    )
    with pytest.raises(NotStable, match="unstable.*repeats with period"):
        equilibrate(ring)


def toggle() -> System:
    return System(
        {"u": "4/(1 + v**2) - u", "v": "4/(1 + u**2) - v"},
        initial={"u": 1, "v": 0.5},
        bounds={"u": AMOUNT, "v": AMOUNT},
        name="toggle",
    )


def test_a_toggle_switch_is_refused_because_two_states_attract() -> None:
    with pytest.raises(NotUnique, match="2 stable equilibria coexist"):
        equilibrate(toggle())
    report = commutes(toggle(), equilibrium_model(toggle()), [Hold("u", 1.0)], starts=8)
    free, held = report.rows
    assert free.simulation.startswith("2 limits (")
    assert free.prediction == "3 solutions, 2 stable"
    assert not free.agree
    assert held.agree


def test_a_state_that_attracts_from_one_side_is_not_called_an_error_of_the_model() -> None:
    """x = 0 attracts all that start above, as solving x' = -x**2 by hand shows; -1 the others."""
    system = System({"x": "-x**2 * (x + 1)"}, initial={"x": 0.5})
    report = commutes(system, equilibrium_model(system), [])
    assert not report.ok
    assert "at a marginal solution, beside the one stable solution" in report.rows[0].why


def test_an_epidemic_is_refused_because_its_limit_depends_on_the_start() -> None:
    epidemic = System(
        {"S": "-2*S*I", "I": "2*S*I - I"}, initial={"S": 0.99, "I": 0.01},
        bounds={"S": AMOUNT, "I": AMOUNT},
    )  # fmt: skip
    with pytest.raises(NotUnique, match="continuum of states|depends on where it starts"):
        equilibrate(epidemic)


def competition(*growth: float) -> System:
    """THEORY section 2: generalised Lotka-Volterra with self-limitation."""
    a = [[-2.0, -0.5, 0.3], [-0.4, -1.5, -0.6], [0.2, -0.7, -1.0]]
    return System(
        {
            f"x{i}": f"x{i}*({growth[i]} " + "".join(f"+ ({a[i][j]})*x{j}" for j in range(3)) + ")"
            for i in range(3)
        },
        initial={f"x{i}": 0.5 for i in range(3)},
        bounds={f"x{i}": AMOUNT for i in range(3)},
        name="competition",
    )


def test_competing_species_commute_through_the_extinction_branch() -> None:
    system = competition(1.0, 1.2, 1.1)
    model = equilibrate(system)
    assert isinstance(model, SCM)
    assert str(model.mechanisms["x0"]).startswith("Max(0,")
    report = commutes(system, model, [Hold("x1", v) for v in (0.1, 1.0, 2.5, 5.0)])
    assert report.ok
    last = report.table.isel(intervention=-1, sample=0, start=0)
    assert float(last.simulated.sel(variable="x0")) == pytest.approx(0, abs=1e-5)
    assert float(last.predicted.sel(variable="x0")) == 0


def bathtub(**parameters: float) -> System:
    """THEORY section 5."""
    given = {"U1": 0.05, "U2": 1, "U3": 0.2, "U4": 2, "U5": 0.3, "g": 9.8, "K": 0.7, "I": 5}
    return System(
        {"D": "U1*(I - O)", "P": "U2*(g*U3*D - P)", "O": "U4*(U5*K*P - O)"},
        parameters=given | parameters,
        initial={"D": 10, "P": 20, "O": 4},
        name="bathtub",
    )


def test_the_bathtub_rests_at_the_published_levels() -> None:
    solved = equilibrate(bathtub()).sample(1)
    assert float(solved.D[0]) == pytest.approx(12.1477, abs=1e-4)
    assert float(solved.P[0]) == pytest.approx(23.8095, abs=1e-4)
    assert float(solved.O[0]) == pytest.approx(5)


def test_the_bathtub_with_equal_rates_oscillates_and_grows() -> None:
    with pytest.raises(NotStable, match="unstable.*grows without bound"):
        equilibrate(bathtub(U1=1, U2=1, U3=1, U4=1, U5=1))


def test_holding_the_pressure_leaves_the_bathtub_no_equilibrium_on_either_side() -> None:
    report = commutes(bathtub(), equilibrate(bathtub()), [Hold("P", 10.0), Hold("D", 3.0)])
    assert report.ok
    assert report.rows[1].simulation == "diverged"
    assert report.rows[1].prediction == "no solution"


def test_random_parameters_are_compared_sample_by_sample() -> None:
    tank = System(
        {"h": "q - k*h", "out": "k*h - out"},
        parameters={"q": Uniform(1, 2), "k": Uniform(0.5, 1)},
        initial={"h": Uniform(0, 1), "out": 0},
    )
    report = commutes(tank, equilibrate(tank), [Hold("h", 2.0)], n=5, seed=4)
    assert report.ok
    predicted = report.table.predicted.sel(variable="h").isel(intervention=0, start=0)
    assert len(set(predicted.values.round(6))) == 5


def test_a_wrong_model_is_found_out_and_the_variable_named() -> None:
    tank = System(
        {"h": "q - k*h", "v": "h - v"}, parameters={"q": 1, "k": 2}, initial={"h": 0, "v": 0}
    )
    wrong = SCM({"h": "q/k", "v": "h + 0.001"}, parameters={"q": 1, "k": 2})
    report = commutes(tank, wrong, [])
    assert not report.ok
    assert "`v`, simulated 0.5 and predicted 0.501" in report.rows[0].why


def test_a_dependence_that_only_an_intervention_shows_is_found_out() -> None:
    tank = System({"h": "1 - h", "v": "h - v"}, initial={"h": 0, "v": 0})
    blind = SCM({"h": "1", "v": "1"})
    report = commutes(tank, blind, [Hold("h", 2.0)])
    assert [row.agree for row in report.rows] == [True, False]


def test_an_abstraction_maps_interventions_upward() -> None:
    tank = System({"h": "1 - h", "v": "h - v"}, initial={"h": 0, "v": 0})
    model = SCM({"h": "1", "v": "h"})
    doubled = Abstraction(
        tank, model, omega=lambda do: tuple(Hold(h.name, 2 * h.value) for h in do)
    )
    assert not doubled.commutes([Hold("h", 2.0)]).ok
    assert doubled.commutes([]).all_agree


def test_an_intervention_that_loses_stability_is_named() -> None:
    loop = System({"x": "-x + k*y", "y": "-y - k*x"}, parameters={"k": 1}, initial={"x": 1, "y": 0})
    equilibrate(loop)
    lost = System({"x": "a*x - y", "y": "x - y"}, parameters={"a": 0.5}, initial={"x": 1, "y": 0})
    with pytest.raises(NotStable, match=r"under do\(y = 1\)"):
        equilibrate(lost, [Hold("y", 1.0)])


def test_a_run_that_is_given_up_while_moving_is_not_said_to_lie_outside_of_a_basin() -> None:
    """A torus about a stable rest: its frequencies 1 and sqrt(2) never come back together."""
    wide = System(
        {
            "a": "b - a*grip", "b": "-a - b*grip", "c": "d - c*grip", "d": "-2*c - d*grip",
        },
        algebraic={"grip": "where(a**2 + b**2 < 0.25, 0.5, 0)"},
        initial={"a": 1, "b": 0, "c": 1, "d": 0},
    )  # fmt: skip
    row = commutes(wide, equilibrium_model(wide), [], starts=1).rows[0]
    assert row.simulation == "still moving"
    assert not row.agree
    assert "basin" not in row.why
    assert "die out as exp(-0.5 t), by a factor of a million in t = 27.6" in row.why


def test_a_net_flux_is_judged_by_the_fluxes_that_it_is_the_difference_of() -> None:
    """At rest both fluxes are 6.8e5, and what runs leave of the net one is rounding."""
    filling = System(
        {"B": "flux"},
        parameters={"A": 1000},
        algebraic={"flux": "forth - back", "forth": "680*A", "back": "680*B"},
        initial={"B": tuple(np.linspace(990, 1010, 20))},
        bounds={"B": AMOUNT},
    )
    report = commutes(filling, equilibrium_model(filling), [], n=20, starts=1)
    assert report.all_agree
    assert np.abs(report.table.simulated.sel(variable="flux")).max() > 0
    assert not commutes(filling, SCM({"flux": "-68"}), [], n=20, starts=1).all_agree


def test_noise_is_refused_with_the_reason() -> None:
    noisy = System({"x": "-x"}, initial={"x": 1}, noise={"x": 1})
    with pytest.raises(Unsupported, match="has noise in `x`"):
        equilibrate(noisy)


@pytest.mark.parametrize(
    ("drift", "do", "message"),
    [
        ("sin(t) - x", Hold("x", 1), "reads time `t` in a mechanism"),
        ("1 - x", Hold("x", "sin(t)"), "reads time `t` in a mechanism"),
        ("1 - x", Hold("x", 1, during=(0, 2)), "has interventions over time"),
    ],
)
def test_what_changes_with_time_is_refused(drift: str, do: Hold, message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        commutes(System({"x": drift}, initial={"x": 0}), SCM({"x": "1"}), [do])


def test_an_intervention_on_an_unknown_or_infeasible_value_is_refused() -> None:
    model = equilibrate(enzyme())
    with pytest.raises(UnknownVariable, match="`X` is no variable"):
        commutes(enzyme(), model, [Hold("X", 1.0)])
    with pytest.raises(Infeasible, match="`E` cannot be held at `-1.0`"):
        commutes(enzyme(), model, [Hold("E", -1.0)])


def test_the_text_is_verdict_then_evidence_then_how_to_repeat_it() -> None:
    report = commutes(enzyme(), equilibrate(enzyme()), [Hold("S", 2.0)])
    text = str(report)
    assert text.startswith(f"enzyme\n\n{report.verdict}\n\nintervention")
    assert text.index("do(S = 2)") < text.index("Repeat: ")
    (call,) = re.findall(r"Repeat: (commutes\(low, high, .*\))  # ", text)
    names = {"commutes": commutes, "low": enzyme(), "high": equilibrate(enzyme()), "Hold": Hold}
    twice = eval(call, names)
    assert str(twice) == text


def test_the_table_has_the_errors_of_every_run() -> None:
    tank = System({"h": "q - k*h"}, parameters={"q": Uniform(1, 2), "k": 2}, initial={"h": 1})
    table = commutes(tank, equilibrate(tank), [Hold("h", 4.0)], n=3).table
    gap = abs(table.simulated - table.predicted)
    np.testing.assert_array_equal(table.absolute_error, gap)
    assert table.absolute_error.sizes == {"intervention": 2, "variable": 1, "sample": 3, "start": 3}
    size = abs(table.predicted).max(("sample", "start"))
    np.testing.assert_allclose(table.relative_error, gap / size, rtol=1e-6, atol=1e-15)


def test_an_equation_without_its_own_variable_is_noted() -> None:
    report = commutes(bathtub(), equilibrate(bathtub()), [])
    (note,) = report.notes
    assert "equation of `D` determines not `D` but another variable" in note
    assert note in str(report)


def test_an_equation_of_one_variable_alone_determines_it() -> None:
    decay = System({"x": "r*x"}, parameters={"r": -1}, initial={"x": 1})
    assert not commutes(decay, equilibrate(decay), [], starts=1).notes


def test_masses_have_their_natural_labels_as_a_group() -> None:
    assert not commutes(oscillators(2), equilibrate(oscillators(2)), [], starts=1).notes


def cascade() -> System:
    return System({"x": "u - x", "y": "x - y"}, parameters={"u": 1}, initial={"x": 0, "y": 0})


def test_tau_may_summarize_the_states_of_the_system() -> None:
    total = SCM({"total": "2*u"}, parameters={"u": 1})
    coarse = Abstraction(cascade(), total, tau={"total": "x + y"})
    assert coarse.commutes([SetParameter(u=3)]).ok
    assert not Abstraction(cascade(), total, tau={"total": "x + 2*y"}).commutes([]).all_agree


def test_tau_names_variables_that_exist_on_both_sides() -> None:
    total = SCM({"total": "2"})
    with pytest.raises(UnknownVariable, match="tau: the causal model has no variable `sum`"):
        Abstraction(cascade(), total, tau={"sum": "x + y"}).commutes([])
    with pytest.raises(UnknownVariable, match="tau of `total`: unknown name `z`"):
        Abstraction(cascade(), total, tau={"total": "x + z"}).commutes([])
    with pytest.raises(InvalidValue, match="name no variable in common; say by `tau`"):
        commutes(cascade(), total, [])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (["h=1"], {}, "`'h=1'` is not"),
        ([Hold("h", 1), None], {}, "`None` is not an intervention"),
        (None, {}, "`None` is not a list of interventions"),
        ([], {"tolerance": 0}, "tolerance is `0`"),
        ([], {"tolerance": float("nan")}, "tolerance is `nan`"),
        ([], {"n": 1.5}, "n is `1.5`"),
        ([], {"starts": 0}, "starts is `0`"),
    ],
)
def test_what_cannot_be_asked_is_named(arguments: Any, options: Any, message: str) -> None:
    tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    with pytest.raises(InvalidValue, match=message):
        commutes(tank, equilibrium_model(tank), arguments, **options)


def test_sides_that_are_no_models_are_named() -> None:
    tank: Any = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    with pytest.raises(InvalidValue, match="`high` is a `System`; give the System or"):
        commutes(equilibrium_model(tank), tank, [])
    with pytest.raises(InvalidValue, match="`'tank'` is no System"):
        equilibrate("tank")


def test_a_single_intervention_needs_no_list() -> None:
    tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    report = commutes(tank, equilibrate(tank, Hold("h", 1)), Hold("h", 1))
    assert [row.intervention for row in report.rows] == ["nothing", "do(h = 1)"]


def test_what_is_compared_is_where_the_run_ended() -> None:
    """At a distance below 1e-6, by which a run is broken off, and not at the root next to it."""
    relax = System({"x": "1 - x"}, initial={"x": 0})
    row = commutes(relax, equilibrate(relax), [Hold("x", 2)]).rows[0]
    assert 1e-13 < row.difference < 1e-6


def test_a_velocity_is_followed_to_rest_like_all_else_unless_it_is_hardly_damped() -> None:
    """Of what light damping leaves, integration alone keeps the velocity from 0."""
    for damping, followed in ((0.5, True), (1e-3, False)):
        spring = System(
            {"q": "v", "v": "1 - q - d*v"}, parameters={"d": damping}, initial={"q": 2, "v": 0}
        )
        end = settle(spring)
        assert (float(end.v[0]) != 0) == followed
        assert abs(float(end.v[0])) < 1e-9
        assert 0 < abs(float(end.q[0]) - 1) < 1e-6


def test_the_shares_of_runs_that_differ_for_several_reasons_add_up() -> None:
    """u rests at 1 or -1; x comes to 0 from below 1 and explodes from above."""
    system = System({"u": "u - u**3", "x": "x**2 - x"}, initial={"u": 0.5, "x": Uniform(0.5, 1.5)})
    report = commutes(system, equilibrium_model(system), [Hold("x", 0)], n=40, starts=1)
    above = int((system.draw(np.arange(40), 0)[0][1] > 1).sum())
    shares = dict(
        re.findall(r"In ([\d.]+)% of the runs: (A|2) stable equilibri", report.rows[0].why)
    )
    found = {kind: float(share) for share, kind in shares.items()}
    assert found == {"A": 100 * above / 40, "2": 100 * (40 - above) / 40}


def test_periods_of_several_samples_are_told_from_the_shortest_to_the_longest() -> None:
    """Angular frequencies of a harmonic oscillator."""
    system = System(
        {"q": "w*p", "p": "-w*q"}, parameters={"w": Uniform(1, 2)}, initial={"q": 1, "p": 0}
    )
    report = commutes(system, equilibrium_model(system), [Hold("q", 1)], n=5, starts=1)
    w = system.draw(np.arange(5), 0)[1][0]
    shortest, longest = 2 * np.pi / w.max(), 2 * np.pi / w.min()
    assert report.rows[0].simulation == f"periodic, T = {shortest:.4g} to {longest:.4g}"


def test_states_that_are_whole_turns_apart_are_one_state() -> None:
    """A damped pendulum hangs at sin(theta) = u, however often it went round before."""
    pendulum = System(
        {"theta": "omega", "omega": "u - sin(theta) - omega/2"},
        parameters={"u": 0.2},
        initial={"theta": Uniform(-20, 20), "omega": 0},
    )
    report = commutes(pendulum, equilibrium_model(pendulum), [SetParameter(u=0.5)], n=8)
    assert report.ok
    assert [row.prediction for row in report.rows] == ["2 solutions, 1 stable"] * 2
    hanging = np.sin(report.table.predicted.sel(variable="theta").values)
    np.testing.assert_allclose(hanging[:, :, 0], np.repeat([[0.2], [0.5]], 8, axis=1), rtol=1e-9)
