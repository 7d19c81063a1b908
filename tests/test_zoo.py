"""Every model of the zoo loads, survives a file, and has the equilibria of its source.

Expected values are closed forms of THEORY.md sections 2, 4, 5 and 9, or numbers computed with
SciPy alone from the printed equations (solve_ivp with LSODA at rtol 1e-10, and fsolve).
"""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_continuous_lyapunov

from physcm.mechanism import InvalidFile, InvalidValue, SetParameter, UnknownVariable
from physcm.sim import System, conservation_laws, equilibria, settle, simulate, zoo
from physcm.sim.zoo.family import expand

Numbers = Mapping[str, float]

MODELS = (
    "basic_enzyme bergman_minimal cart_pendulum chemostat coupled_oscillators double_well "
    "energy_balance_climate feedback_pathway filling_bathtub fitzhugh_nagumo fitzhugh_nagumo_noisy "
    "four_tanks generalized_lotka_volterra goodwin_oscillator hodgkin_huxley kuramoto lorenz "
    "lorenz_96 lotka_volterra mapk_cascade mapk_single negative_feedback_buffer "
    "ornstein_uhlenbeck_network random_gene_network random_linear_network rc_ladder repressilator "
    "roessler seir sir thermostat toggle_switch torricelli_bathtub viral_infection wilson_cowan"
).split()


def parameters(system: System) -> dict[str, float]:
    _, values = system.draw(np.arange(1), 0)
    return dict(zip(system.parameters, values[:, 0].tolist(), strict=True))


def slopes(system: System, at: Numbers) -> dict[str, float]:
    """Evaluate the mechanisms as written, by substitution alone."""
    numbers, derived = {**parameters(system), **at}, system.derived

    def value(expression: sp.Expr) -> float:
        names = {s: s.name for s in expression.free_symbols}
        known = {s: n for s, n in names.items() if n in numbers}
        rest = {s: sp.Float(value(derived[n])) for s, n in names.items() if s not in known}
        return float(
            expression.xreplace(rest | {s: sp.Float(numbers[n]) for s, n in known.items()})
        )

    return {name: value(drift) for name, drift in system.drift.items()}


def outcome(system: System) -> str:
    settled = settle(system)
    return str(settled.status.attrs["flag_meanings"].split()[int(settled.status[0])])


def stable(system: System) -> list[dict[str, float]]:
    found = equilibria(system)
    attracting = found.isel(equilibrium=found.stability.values == "stable")
    return [
        {name: float(attracting[name][k]) for name in system.states}
        for k in range(attracting.sizes["equilibrium"])
    ]


def started_at(system: System, state: Numbers) -> System:
    return system.replace(initial=dict(state))


# The catalog


def test_the_zoo_has_these_models() -> None:
    assert list(zoo.names()) == MODELS


@pytest.mark.parametrize("name", MODELS)
def test_a_model_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    system = zoo.load(name)
    assert system.name
    assert len(system.description) > 100
    assert any(character.isdigit() for character in system.source)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_survives_a_toml_file(name: str) -> None:
    system = zoo.load(name)
    assert System.from_dict(tomllib.loads(system.to_toml())) == system


def test_an_unknown_model_is_refused_with_the_closest_and_all_names() -> None:
    with pytest.raises(UnknownVariable, match="`basic_enzime`.*did you mean `basic_enzyme`"):
        zoo.load("basic_enzime")
    with pytest.raises(UnknownVariable, match=r"no model `\.\./toml` in the zoo; The zoo has `bas"):
        zoo.load("../toml")


@pytest.mark.parametrize("size", [0, -1, 2.0, "3", True, None, math.nan])
def test_a_size_that_is_no_whole_number_is_refused(size: Any) -> None:
    with pytest.raises(InvalidValue, match="`masses` is `.*give a whole number from 1 on"):
        zoo.load("coupled_oscillators", masses=size)


def test_a_size_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidValue, match="no size `mass`; did you mean `masses`"):
        zoo.load("coupled_oscillators", mass=3)
    for name in ("basic_enzyme", "feedback_pathway"):
        with pytest.raises(InvalidValue, match=f"`{name}` has no size `n`; load it without sizes"):
            zoo.load(name, n=3)


# Families


def test_a_range_stands_for_one_entry_per_number() -> None:
    template = {
        "family": {"n": 2},
        "held_together": [["a", "b"], ["q{1..n}", "p{i}"]],
        "drift": {"q{1..n}": "p{i} - {n - i}*x{i+1}", "a": "x{n // 2}"},
        "noise": {"q{0..0}": {"w{i}": "{7 % 4}"}},
        "bounds": {"q{2..1}": [0, 1], "a": [0, 1]},
        "name": "{as it is}",
    }
    assert expand(template, {}, "test") == {
        "held_together": [["a", "b"], ["q1", "p1"], ["q2", "p2"]],
        "drift": {"q1": "p1 - 1*x2", "q2": "p2 - 0*x3", "a": "x1"},
        "noise": {"q0": {"w0": "3"}},
        "bounds": {"a": [0, 1]},
        "name": "{as it is}",
    }


@pytest.mark.parametrize(
    "braces",
    [
        "j",
        "i.real",
        "i**2",
        "i/2",
        "1.5",
        "True",
        "'x'",
        "__import__('os')",
        "1//0",
        "i +",
        "",
        "[i]",
    ],
)
def test_braces_compute_whole_numbers_and_nothing_else(braces: str) -> None:
    template = {"family": {"n": 2}, "drift": {"x{1..n}": f"x{{{braces}}}"}}
    with pytest.raises(InvalidFile, match=r"test: drift `x\{1\.\.n\}`: cannot compute .*`n`, `i`"):
        expand(template, {}, "test")


@pytest.mark.parametrize(
    ("drift", "message"),
    [
        ({"x{1..n}": "x{i - 2}"}, "`{i - 2}` is `-1`; names are numbered from 0"),
        ({"x{1..n}{1..2}": "0"}, "has 2 ranges; write one"),
        ({"x{1..n}": "0", "x2": "1"}, "`x2` gives `x2` a second time"),
        ({"x{1..n}y": "0", "x{i}": "0"}, "cannot compute `{i}`"),
        ({"x{a..n}": "0"}, "cannot compute `{a}`"),
    ],
)
def test_a_template_that_makes_no_sense_is_refused(drift: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        expand({"family": {"n": 2}, "drift": drift}, {}, "test")


def stiffness(p: Numbers, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return K and c of the forces c - K Q between walls, spring by spring."""
    matrix, load = np.zeros((d, d)), np.zeros(d)
    for spring in range(d + 1):
        stretch, shift = np.zeros(d), -p[f"l{spring}"]
        for end, sign in ((spring, -1), (spring + 1, 1)):
            if 1 <= end <= d:
                stretch[end - 1] = sign
            else:
                shift += sign * p[f"Q{end}"]
        matrix += p[f"k{spring}"] * np.outer(stretch, stretch)
        load -= p[f"k{spring}"] * shift * stretch
    return matrix, load


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(0, 1000))
def test_oscillators_of_any_number_have_the_matrix_form(d: int, seed: int) -> None:
    system = zoo.load("coupled_oscillators", masses=d)
    p = parameters(system)
    masses = np.array([p[f"m{i}"] for i in range(1, d + 1)])
    friction = np.array([p[f"b{i}"] for i in range(1, d + 1)])
    matrix, load = stiffness(p, d)
    position, momentum = np.random.default_rng(seed).normal(size=(2, d))
    names = [f"{letter}{i}" for letter in "QP" for i in range(1, d + 1)]
    state = dict(zip(names, [*position, *momentum], strict=True))
    expected = [*momentum / masses, *load - matrix @ position - friction * momentum / masses]
    found = slopes(system, state)
    assert list(found) == names
    np.testing.assert_allclose(list(found.values()), expected, atol=1e-12)


@settings(max_examples=20)
@given(st.integers(1, 40))
def test_a_family_has_as_many_members_as_asked_for(d: int) -> None:
    system = zoo.load("coupled_oscillators", masses=np.int64(d))
    assert len(system.states) == 2 * d
    assert system.held_together == tuple((f"Q{i}", f"P{i}") for i in range(1, d + 1))
    numbers = parameters(system)
    assert numbers[f"Q{d + 1}"] == numbers["L"] == 1.5 * (d + 1)
    assert zoo.load("coupled_oscillators", masses=3) == zoo.load("coupled_oscillators")


# Where each model rests: THEORY.md's formulas as functions of the parameters and what is held


def oscillators_rest(p: Numbers, held: Numbers) -> Numbers:
    d = sum(name.startswith("m") for name in p)
    matrix, load = stiffness(p, d)
    free = [i for i in range(d) if f"Q{i + 1}" not in held]
    position = np.array([held.get(f"Q{i + 1}", 0.0) for i in range(d)])
    rhs = load[free] - matrix[free] @ position
    position[free] = np.linalg.solve(matrix[np.ix_(free, free)], rhs)
    return {f"Q{i + 1}": q for i, q in enumerate(position)} | {f"P{i + 1}": 0.0 for i in range(d)}


def enzyme_rest(p: Numbers, held: Numbers) -> Numbers:
    """THEORY section 4."""
    n, c = p["e0"] + p["c0"], p["k0"] / p["k2"]
    if "S" in held:
        s = held["S"]
        c = p["k1"] * s * n / (p["k1"] * s + p["km1"] + p["k2"])
        return {"S": s, "C": c, "E": n - c, "P": p["k2"] * c / p["k3"]}
    e = held.get("E", n - c)
    s = (p["k0"] + p["km1"] * c) / (p["k1"] * e)
    return {"S": s, "E": e, "C": c, "P": held.get("P", p["k0"] / p["k3"])}


def filling_rest(p: Numbers, held: Numbers) -> Numbers:
    inflow, drain = held.get("I", p["U_I"]), held.get("K", p["U_K"])
    if "D" in held:
        pressure = p["g"] * p["U3"] * held["D"]
        return {"D": held["D"], "P": pressure, "O": p["U5"] * drain * pressure}
    pressure = inflow / (p["U5"] * drain)
    return {"O": inflow, "P": pressure, "D": pressure / (p["g"] * p["U3"])}


def torricelli_rest(p: Numbers, held: Numbers) -> Numbers:
    if "D" in held:
        pressure = p["g"] * held["D"]
        return {"D": held["D"], "P": pressure, "O": p["K"] * math.sqrt(pressure)}
    pressure = p["I"] ** 2 / p["K"] ** 2
    return {"O": p["I"], "P": pressure, "D": pressure / p["g"]}


def viral_rest(p: Numbers, held: Numbers) -> Numbers:
    if "E" in held:
        target = (p["dI"] + p["k"] * held["E"]) / (p["f"] * p["beta"])
        infected = (p["s"] - p["dT"] * target) / (p["beta"] * target)
        return {"T": target, "I": infected, "E": held["E"]}
    infected = p["dE"] / p["a"]
    target = p["s"] / (p["dT"] + p["beta"] * infected)
    return {"I": infected, "T": target, "E": (p["f"] * p["beta"] * target - p["dI"]) / p["k"]}


def glv_rest(p: Numbers, held: Numbers) -> Numbers:
    """Find the one branch whose species are positive and whose absent ones cannot invade."""
    r = np.array([p[f"r{i}"] for i in (1, 2, 3)])
    a = np.array([[p[f"A{i}{j}"] for j in (1, 2, 3)] for i in (1, 2, 3)])
    free = [i for i in range(3) if f"x{i + 1}" not in held]
    branches = []
    for size in range(len(free) + 1):
        for alive in map(list, itertools.combinations(free, size)):
            x = np.array([held.get(f"x{i}", 0.0) for i in (1, 2, 3)])
            x[alive] = np.linalg.solve(a[np.ix_(alive, alive)], -(r + a @ x)[alive])
            absent = [i for i in free if i not in alive]
            if (x >= 0).all() and ((r + a @ x)[absent] < 0).all():
                branches.append(x)
    assert len(branches) == 1
    return {f"x{i + 1}": value for i, value in enumerate(branches[0])}


def double_rest(p: Numbers, held: Numbers) -> Numbers:
    """THEORY section 2: N u^2/(1 + u + u^2), and N u/(1 + u) for Raf."""
    u = p["Ras"] * p["kon_Raf"] / p["koff_Raf"]
    active = held.get("Raf_p", p["N_Raf"] * u / (1 + u))
    rest = {"Raf": active / u, "Raf_p": active}
    for kinase in ("Mek", "Erk"):
        u = active * p[f"kon_{kinase}"] / p[f"koff_{kinase}"]
        active = held.get(f"{kinase}_pp", p[f"N_{kinase}"] * u**2 / (1 + u + u**2))
        rest |= {f"{kinase}_pp": active, f"{kinase}_p": active / u, kinase: active / u**2}
    return rest


def single_rest(p: Numbers, held: Numbers) -> Numbers:
    rest, active = {}, p["Ras"]
    for kinase in ("Raf", "Mek", "Erk"):
        u = active * p[f"kon_{kinase}"] / p[f"koff_{kinase}"]
        active = held.get(f"{kinase}_p", p[f"N_{kinase}"] * u / (1 + u))
        rest |= {f"{kinase}_p": active, kinase: active / u}
    return rest


def pathway_rest(p: Numbers, held: Numbers) -> Numbers:
    """B + B^3 = 10 has the one real root 2."""
    if "A" in held:
        return {"A": held["A"], "B": held["A"] / 2}
    b = held.get("B", 2.0)
    return {"A": 20 / (1 + b**2), "B": b}


Rest = Callable[[Numbers, Numbers], Numbers]
RESTS: dict[str, tuple[Rest, list[dict[str, float]]]] = {
    "coupled_oscillators": (oscillators_rest, [{"Q1": 3.0}, {"Q2": 1.0}, {"Q1": 2.0, "Q3": 2.0}]),
    "basic_enzyme": (enzyme_rest, [{"S": 2.0}, {"E": 0.3}, {"E": 5.0}, {"P": 3.0}]),
    "filling_bathtub": (filling_rest, [{"D": 20.0}, {"I": 3.0}, {"K": 0.35}, {"D": 3.0, "K": 1.0}]),
    "torricelli_bathtub": (torricelli_rest, [{"D": 6.0}, {"D": 0.1}]),
    "viral_infection": (viral_rest, [{"E": 2.0}, {"E": 0.5}]),
    "generalized_lotka_volterra": (
        glv_rest,
        [{"x1": 0.6}, {"x1": 0.0}, {"x1": 2.0}, {"x2": 0.0}, {"x2": 2.0}, {"x3": 0.0}, {"x3": 3.0}],
    ),
    "mapk_cascade": (double_rest, [{"Raf_p": 20.0}, {"Mek_pp": 10.0}, {"Erk_pp": 1.0}]),
    "mapk_single": (single_rest, [{"Raf_p": 20.0}, {"Mek_p": 10.0}, {"Erk_p": 1.0}]),
    "feedback_pathway": (pathway_rest, [{"A": 1.0}, {"B": 3.0}, {"B": 0.5}]),
}
CONSERVING = ("basic", "mapk", "kuramoto", "sir", "thermostat")
HOLDS = [(name, held) for name, (_, holds) in RESTS.items() for held in ({}, *holds)]


@pytest.mark.parametrize(("name", "held"), HOLDS, ids=str)
def test_the_published_rest_solves_the_equations_and_is_where_runs_end(
    name: str, held: dict[str, float]
) -> None:
    model = zoo.load(name)
    system = model.do(**held)
    rest = RESTS[name][0](parameters(model), held)
    slope = slopes(system, {n: x for n, x in rest.items() if n in system.states})
    np.testing.assert_allclose(list(slope.values()), 0, atol=1e-10)
    assert outcome(system) == "settled"
    settled = settle(system)
    for variable, value in rest.items():
        assert float(settled[variable][0]) == pytest.approx(value, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", RESTS)
def test_the_published_rest_is_the_only_stable_equilibrium(name: str) -> None:
    system = zoo.load(name)
    [found] = stable(system)
    rest = RESTS[name][0](parameters(system), {})
    assert found == pytest.approx(dict(rest), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "held", "end"),
    [
        ("basic_enzyme", {"C": 0.3}, "diverged"),
        ("lotka_volterra", {}, "periodic"),
        ("lotka_volterra", {"X2": 3.0}, "settled"),  # the prey dies out
        ("lotka_volterra", {"X2": 1.0}, "diverged"),
        ("lotka_volterra", {"X2": 2.0}, "settled"),  # a/b: the prey stays where it is
        ("lotka_volterra", {"X1": 4.0}, "diverged"),
        ("filling_bathtub", {"O": 4.0}, "diverged"),
        ("filling_bathtub", {"P": 20.0}, "diverged"),
        ("torricelli_bathtub", {"O": 4.0}, "diverged"),
        ("torricelli_bathtub", {"P": 60.0}, "diverged"),
        ("viral_infection", {"I": 0.6}, "diverged"),
        ("viral_infection", {"I": 0.4}, "settled"),  # the response dies out
        ("viral_infection", {"T": 12.0}, "periodic"),
        ("repressilator", {}, "periodic"),
        ("repressilator", {"p_cI": 5.0}, "settled"),
        ("toggle_switch", {"u": 1.0}, "settled"),
    ],
)
def test_an_intervention_may_take_the_equilibrium_away(
    name: str, held: dict[str, float], end: str
) -> None:
    assert outcome(zoo.load(name).do(**held)) == end


@pytest.mark.parametrize(
    ("name", "laws"),
    [
        ("basic_enzyme", {"C + E"}),
        ("mapk_single", {"Raf + Raf_p", "Mek + Mek_p", "Erk + Erk_p"}),
        ("mapk_cascade", {"Raf + Raf_p", "Mek + Mek_p + Mek_pp", "Erk + Erk_p + Erk_pp"}),
        ("kuramoto", {" + ".join(f"theta{i}" for i in range(1, 9))}),  # frequencies add up to 0
        ("sir", {"I + R + S"}),
        ("thermostat", {"heater"}),
        *((name, set()) for name in MODELS if name.split("_")[0] not in CONSERVING),
    ],
)
def test_conserved_totals(name: str, laws: set[str]) -> None:
    assert {str(law) for law in conservation_laws(zoo.load(name))} == laws


# What each model is there to show


def test_masses_and_friction_do_not_enter_the_rest() -> None:
    system = zoo.load("coupled_oscillators", masses=4)
    [plain] = stable(system)
    [heavy] = stable(system.do(SetParameter(m1=5, m3=0.2, b2=0.3)))
    assert plain == pytest.approx(heavy)
    [stiff] = stable(system.do(SetParameter(k1=5)))
    assert stiff["Q1"] != pytest.approx(plain["Q1"], rel=1e-2)


def test_lotka_volterra_circles_around_its_equilibrium() -> None:
    system = zoo.load("lotka_volterra")
    found = equilibria(system)
    assert sorted(found.X1.values) == pytest.approx([0, 3], abs=1e-9)
    assert sorted(found.X2.values) == pytest.approx([0, 2], abs=1e-9)
    assert sorted(found.stability.values) == ["marginal", "unstable"]
    assert float(settle(system).period[0]) == pytest.approx(8.00164, rel=1e-5)


def test_every_hold_of_the_competing_species_has_one_limit() -> None:
    p = parameters(zoo.load("generalized_lotka_volterra"))
    a = np.array([[p[f"A{i}{j}"] for j in (1, 2, 3)] for i in (1, 2, 3)])
    assert np.linalg.eigvalsh(a + a.T).max() < 0


def test_without_its_main_prey_the_predator_dies_out() -> None:
    settled = settle(zoo.load("generalized_lotka_volterra").do(x1=0))
    assert float(settled.x3[0]) == pytest.approx(0, abs=1e-4)
    assert float(settled.x2[0]) == pytest.approx(0.82, rel=1e-3)


def test_an_enzyme_fed_faster_than_it_works_has_no_equilibrium() -> None:
    system = zoo.load("basic_enzyme").do(SetParameter(k0=3))
    assert equilibria(system).sizes["equilibrium"] == 0
    assert outcome(system) == "diverged"


def test_the_enzyme_s_rest_depends_on_its_initial_total_and_the_product_s_does_not() -> None:
    system = zoo.load("basic_enzyme")
    [scarce], [plenty] = stable(system), stable(system.do(SetParameter(e0=3)))
    assert plenty["S"] == pytest.approx(0.8 * 0.8333333 / 2.8333333, rel=1e-6)
    assert plenty["P"] == pytest.approx(scarce["P"])


def test_the_bathtub_has_the_worked_numbers() -> None:
    [rest] = stable(zoo.load("filling_bathtub"))
    assert rest == pytest.approx({"D": 12.1477, "P": 23.8095, "O": 5}, abs=5e-5)


def test_the_drain_moves_pressure_and_depth_and_not_the_outflow() -> None:
    system = zoo.load("filling_bathtub")
    [before], [after] = stable(system), stable(system.do(SetParameter(U_K=0.35)))
    assert after == pytest.approx({"D": 2 * before["D"], "P": 2 * before["P"], "O": before["O"]})
    run = simulate(started_at(system, before).do(SetParameter(U_K=0.35)), np.linspace(0, 20, 41))
    assert float(run.O.min()) < 0.8 * before["O"]


def test_the_bathtub_with_all_rates_1_keeps_its_equilibrium_and_loses_its_stability() -> None:
    ones = SetParameter(U1=1, U2=1, U3=1, U4=1, U5=1)
    system = zoo.load("filling_bathtub").do(ones)
    found = equilibria(system)
    rest = filling_rest(parameters(system), {})
    assert {n: found[n].item() for n in system.states} == pytest.approx(dict(rest))
    assert found.stability.values.tolist() == ["unstable"]
    assert float(found.eigenvalue_real[0, 0]) == pytest.approx(0.30928, abs=1e-5)
    assert abs(float(found.eigenvalue_imag[0, 0])) == pytest.approx(1.58874, abs=1e-5)
    assert outcome(system) == "diverged"


def test_torricelli_s_tub_has_the_worked_solution() -> None:
    [rest] = stable(zoo.load("torricelli_bathtub"))
    assert rest == pytest.approx({"D": 5.20616, "P": 51.0204, "O": 5}, rel=1e-5)


def test_the_supply_of_target_cells_moves_the_infection_only_for_a_while() -> None:
    system = zoo.load("viral_infection")
    [before], [after] = stable(system), stable(system.do(SetParameter(s=6)))
    assert before == pytest.approx({"T": 10, "I": 0.5, "E": 1})
    assert after == pytest.approx({"T": 20, "I": 0.5, "E": 7 / 3})
    run = simulate(started_at(system, before).do(SetParameter(s=6)), np.linspace(0, 10, 41))
    assert float(run.I.max()) > 1.2 * before["I"]


def test_the_buffered_output_adapts_to_its_input() -> None:
    system = zoo.load("negative_feedback_buffer")
    rests = [stable(system.do(SetParameter(U=u))) for u in (0.2, 0.5, 1.0, 1.5)]
    assert [len(found) for found in rests] == [1, 1, 1, 1]
    target = 0.4  # FB kFB/kCB
    assert [rest["C"] for [rest] in rests] == pytest.approx([target] * 4, rel=0.01)
    assert [rest["A"] for [rest] in rests] == sorted(rest["A"] for [rest] in rests)
    assert rests[3][0]["B"] > 3 * rests[0][0]["B"]
    run = simulate(started_at(system, rests[1][0]).do(SetParameter(U=1.5)), np.linspace(0, 20, 201))
    assert float(run.C.max()) > 1.1 * target
    assert float(run.C[0, -1]) == pytest.approx(target, rel=0.01)


def test_the_buffered_network_rests_where_scipy_says() -> None:
    [rest] = stable(zoo.load("negative_feedback_buffer"))
    assert rest == pytest.approx({"A": 0.5, "B": 0.428645, "C": 0.3997675}, abs=1e-6)


def test_the_cascade_has_the_numbers_of_its_source() -> None:
    """Ness et al. observe Raf 49.998, Mek 64.101, Erk 84.721 near equilibrium."""
    [rest] = stable(zoo.load("mapk_cascade"))
    active = [rest[name] for name in ("Raf_p", "Mek_pp", "Erk_pp")]
    assert active == pytest.approx([50, 64.10256, 84.72164], rel=1e-6)
    [rest] = stable(zoo.load("mapk_single"))
    active = [rest[name] for name in ("Raf_p", "Mek_p", "Erk_p")]
    assert active == pytest.approx([50, 71.42857, 87.71930], rel=1e-6)


@pytest.mark.parametrize("name", ["mapk_cascade", "mapk_single"])
def test_the_totals_are_those_of_the_initial_state(name: str) -> None:
    [rest] = stable(zoo.load(name).do(SetParameter(N_Mek=40)))
    assert sum(x for form, x in rest.items() if form.startswith("Mek")) == pytest.approx(40)


def test_holding_a_kinase_leaves_everything_upstream_alone() -> None:
    system = zoo.load("mapk_cascade")
    [free], [held] = stable(system), stable(system.do(Mek_pp=10))
    assert held["Raf_p"] == pytest.approx(free["Raf_p"])
    assert held["Erk_pp"] == pytest.approx(100 / 3)


def test_the_toggle_switch_rests_high_or_low_by_its_start() -> None:
    system, high, low = zoo.load("toggle_switch"), 2 + math.sqrt(3), 2 - math.sqrt(3)
    found = equilibria(system)
    assert sorted(found.u.values) == pytest.approx([low, 1.3787967, high])
    assert sorted(found.stability.values) == ["stable", "stable", "unstable"]
    np.testing.assert_allclose(found.u * found.v, [1, 1.3787967**2, 1], rtol=1e-6)
    for start, end in (({"u": 2, "v": 1}, high), ({"u": 1, "v": 2}, low)):
        assert float(settle(started_at(system, start)).u[0]) == pytest.approx(end, rel=1e-4)


def test_without_cooperativity_the_switch_has_one_position() -> None:
    [rest] = stable(zoo.load("toggle_switch").do(SetParameter(beta=1, gamma=1)))
    level = (math.sqrt(17) - 1) / 2
    assert rest == pytest.approx({"u": level, "v": level})


def test_the_repressilator_has_its_published_parameters() -> None:
    p = parameters(zoo.load("repressilator"))
    assert (p["alpha"], p["alpha0"], p["beta"]) == pytest.approx((216.19, 0.21640, 0.2), rel=1e-4)
    assert p["alpha0"] / (p["alpha"] + p["alpha0"]) == pytest.approx(1e-3)


def test_the_repressilator_oscillates_by_the_criterion_of_its_source() -> None:
    """Elowitz & Leibler, box 1: unstable where (beta + 1)^2/beta < 3 X^2/(4 + 2 X)."""
    system = zoo.load("repressilator")
    found, p = equilibria(system), parameters(zoo.load("repressilator"))
    assert found.stability.values.tolist() == ["unstable"]
    level, n = float(found.p_cI[0]), p["n"]
    assert level == pytest.approx(6.0205566, rel=1e-6)
    slope = -p["alpha"] * n * level ** (n - 1) / (1 + level**n) ** 2
    assert (p["beta"] + 1) ** 2 / p["beta"] < 3 * slope**2 / (4 + 2 * slope)
    assert float(settle(system).period[0]) == pytest.approx(43.44, rel=1e-3)


def coefficients(system: System) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A, m and S of dx = A (x - m) dt + S dW, read from the mechanisms."""
    at = {sp.Symbol(name, real=True): value for name, value in parameters(system).items()}
    at |= {sp.Symbol(name, real=True): value.subs(at) for name, value in system.derived.items()}
    states = [sp.Symbol(name, real=True) for name in system.states]
    matrix, load = sp.linear_eq_to_matrix([f.subs(at) for f in system.drift.values()], states)
    a, c = np.array(matrix, dtype=float), np.array(load, dtype=float)[:, 0]
    s = np.diag([float(system.noise[name, name].subs(at)) for name in system.states])
    return a, np.linalg.solve(a, c), s


def test_the_network_is_hurwitz_with_one_cycle() -> None:
    a, mean, s = coefficients(zoo.load("ornstein_uhlenbeck_network"))
    assert np.linalg.eigvals(a).real.max() == pytest.approx(-0.685579, abs=1e-6)
    assert mean == pytest.approx([1, -0.5, 2, 0.5])
    assert {(j + 1, i + 1) for i, j in np.argwhere(a) if i != j} == {(1, 2), (2, 3), (3, 1), (3, 4)}
    assert (np.diag(s) > 0).all()


def test_holding_a_node_of_the_network_is_not_conditioning_on_it() -> None:
    """THEORY section 9: the rest has its own Lyapunov equation."""
    system = zoo.load("ornstein_uhlenbeck_network")
    a, _, s = coefficients(system)
    g = solve_continuous_lyapunov(a, -s @ s.T)
    held_a, _, held_s = coefficients(system.do(x3=2))
    held = solve_continuous_lyapunov(held_a, -held_s @ held_s.T)
    rest = [0, 1, 3]
    conditional = g[np.ix_(rest, rest)] - np.outer(g[rest, 2], g[2, rest]) / g[2, 2]
    assert np.diag(held) == pytest.approx([0.125, 0.0969697, 0.225])
    assert np.diag(conditional) == pytest.approx([0.1282359, 0.0753581, 0.2396686], abs=1e-6)


def test_the_network_s_runs_have_its_stationary_law() -> None:
    system = zoo.load("ornstein_uhlenbeck_network")
    a, mean, s = coefficients(system)
    run = simulate(system, [0, 12], n=4000, step=0.02, seed=1)
    x = np.array([run[name].values[:, -1] for name in system.states])
    np.testing.assert_allclose(x.mean(axis=1), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(x), solve_continuous_lyapunov(a, -s @ s.T), atol=0.02)


def test_the_pathway_s_middle_step_moves_only_what_it_drains() -> None:
    system = zoo.load("feedback_pathway")
    [rest] = stable(system.do(SetParameter(convert_k1=1)))
    assert rest == pytest.approx({"A": 2, "B": 2})
    assert float(settle(system)["amount(A)"][0]) == pytest.approx(8, rel=1e-5)
