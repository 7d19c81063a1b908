"""The classical systems of the zoo do what their sources say.

Expected values are closed forms, published numbers, or roots found by SciPy alone.
"""

from __future__ import annotations

import inspect
import itertools
import math
import tomllib
from typing import Any

import networkx as nx
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.stats import cauchy

from physcm.mechanism import InvalidFile, InvalidValue, Replace, SetParameter
from physcm.sim import System, conservation_laws, equilibria, settle, simulate, zoo
from physcm.sim.zoo import random_networks
from physcm.sim.zoo.family import expand

NAMES = (
    "bergman_minimal cart_pendulum chemostat double_well energy_balance_climate fitzhugh_nagumo "
    "fitzhugh_nagumo_noisy four_tanks goodwin_oscillator hodgkin_huxley kuramoto lorenz lorenz_96 "
    "random_gene_network random_linear_network rc_ladder roessler seir sir thermostat wilson_cowan"
).split()
SIZED: dict[str, list[dict[str, int]]] = {
    "kuramoto": [{"oscillators": 2}, {"oscillators": 3}],
    "lorenz_96": [{"sites": 4}, {"sites": 12}],
    "rc_ladder": [{"sections": 1}, {"sections": 9}],
    "random_linear_network": [{"nodes": 1}, {"nodes": 9, "links": 3, "seed": 4}],
    "random_gene_network": [{"nodes": 1}, {"nodes": 9, "links": 3, "seed": 4}],
}
MODELS = [(n, sizes) for n in NAMES for sizes in ({}, *SIZED.get(n, []))]
every_model = pytest.mark.parametrize(("name", "sizes"), MODELS, ids=str)
STEPS = {"double_well": 0.01, "fitzhugh_nagumo_noisy": 0.001}

Numbers = dict[str, float]
Floats = NDArray[np.float64]


def numbers(system: System) -> Numbers:
    _, values = system.draw(np.arange(1), 0)
    return dict(zip(system.parameters, values[:, 0].tolist(), strict=True))


def starts(system: System) -> Floats:
    x0, _ = system.draw(np.arange(1), 0)
    return np.asarray(x0[:, 0])


def slopes(system: System, x: Floats) -> Floats:
    _, p = system.draw(np.arange(1), 0)
    return np.asarray(system.rates.vector(0.0, np.asarray(x, dtype=float)[:, None], p)[:, 0])


def jacobian(system: System, x: Floats) -> Floats:
    _, p = system.draw(np.arange(1), 0)
    return np.asarray(system.rates.jacobian.dense(0.0, np.asarray(x, dtype=float), p[:, 0]))


def growth(system: System, x: Any) -> complex:
    """Return the eigenvalue with the largest real part, at a point that must be an equilibrium."""
    np.testing.assert_allclose(slopes(system, x), 0, atol=1e-9)
    values = np.linalg.eigvals(jacobian(system, x))
    return complex(values[np.argmax(values.real)])


def rests(system: System) -> list[tuple[str, Numbers]]:
    """Return the equilibria found, with their stability, by the first state."""
    found = equilibria(system)
    return [
        (str(kind), {name: float(found[name][k]) for name in system.states})
        for k, kind in enumerate(found.stability.values)
    ]


def only_rest(system: System) -> Numbers:
    [(kind, rest)] = rests(system)
    assert kind == "stable"
    return rest


def outcome(system: System) -> str:
    settled = settle(system)
    return str(settled.status.attrs["flag_meanings"].split()[int(settled.status[0])])


def period(system: System) -> float:
    assert outcome(system) == "periodic"
    return float(settle(system).period[0])


def crossings(values: xr.DataArray, level: float) -> int:
    above = values.values[0] > level
    return int((~above[:-1] & above[1:]).sum())


# What holds of every model


def test_these_are_the_models() -> None:
    assert set(NAMES) < set(zoo.names())


@every_model
def test_a_model_survives_a_toml_file(name: str, sizes: dict[str, int]) -> None:
    system = zoo.load(name, **sizes)
    assert System.from_dict(tomllib.loads(system.to_toml())) == system


@every_model
def test_a_model_runs_with_finite_values_inside_of_its_bounds(
    name: str, sizes: dict[str, int]
) -> None:
    system = zoo.load(name, **sizes)
    run = simulate(system, np.linspace(0, 2, 21), step=STEPS.get(name))
    assert run.status.values.tolist() == [0]
    for variable in system.variables:
        assert np.isfinite(run[variable].values).all()
        low, high = map(float, system.bounds.get(variable, (-np.inf, np.inf)))
        assert low - 1e-9 <= float(run[variable].min()) <= float(run[variable].max()) <= high + 1e-9


def edges_between_states(system: System) -> set[tuple[str, str]]:
    """Return the edges of the graph, paths by way of derived variables written as one."""
    graph, edges = system.graph(), set()
    for cause in system.states:
        passed = graph.subgraph([cause, *system.derived])
        for node in {cause, *nx.descendants(passed, cause)}:
            edges |= {(cause, effect) for effect in graph.successors(node)}
    return {(cause, effect) for cause, effect in edges if effect in system.states}


def generic_points(system: System, count: int) -> Floats:
    x0 = starts(system)
    low = [float(system.bounds.get(name, (-np.inf, 0))[0]) for name in system.states]
    scale = np.maximum(np.abs(x0), 0.5)
    away = np.random.default_rng(1).uniform(-0.5, 0.5, size=(count, len(x0)))
    return np.maximum(x0 + scale * away, np.array(low) + 0.03 * scale)


@every_model
def test_the_graph_is_the_pattern_of_the_jacobian(name: str, sizes: dict[str, int]) -> None:
    """A cause is what changes a drift when it alone is changed; so say the derivatives, too."""
    system = zoo.load(name, **sizes).replace(events={})
    moved = np.zeros((len(system.states),) * 2, dtype=bool)
    sloped = moved.copy()
    for x in generic_points(system, 4):
        before, shifts = slopes(system, x), np.diag(0.2 * np.maximum(np.abs(x), 0.1))
        after = np.array([slopes(system, x + shift) for shift in shifts]).T
        size = np.abs(after) + np.abs(before)[:, None]
        moved |= np.abs(after - before[:, None]) > 1e-12 * size
        sloped |= jacobian(system, x) != 0
    places = np.argwhere(moved)
    expected = edges_between_states(system)
    assert {(system.states[j], system.states[i]) for i, j in places} == expected
    np.testing.assert_array_equal(moved, sloped)


@pytest.mark.parametrize(
    ("name", "edges"),
    [
        ("lorenz", "x>x y>x x>y y>y z>y x>z y>z z>z"),
        ("roessler", "y>x z>x x>y y>y x>z z>z"),
        ("goodwin_oscillator", "X>X Z>X X>Y Y>Y Y>Z Z>Z"),
        ("four_tanks", "h1>h1 h3>h1 h2>h2 h4>h2 h3>h3 h4>h4"),
        ("bergman_minimal", "G>G X>G X>X I>X G>I I>I"),
        ("sir", "S>S I>S S>I I>I I>R"),
        ("thermostat", "temperature>temperature heater>temperature temperature>heater"),
    ],
)
def test_the_graph_is_that_of_the_textbook(name: str, edges: str) -> None:
    expected = {tuple(edge.split(">")) for edge in edges.split()}
    assert set(zoo.load(name).graph().edges) == expected


# Sums in families


def test_a_sum_is_written_out() -> None:
    template = {
        "family": {"n": 3},
        "drift": {
            "x{1..n}": "sum{j=1..n}(k{i}*(x{j} - x{i})) - x{i}",
            "y": "sum{j=2..1}(x{j}) + sum{k=1..2}(sum{j=1..k}(x{10*k + j}))",
        },
    }
    assert expand(template, {"n": 2}, "test")["drift"] == {
        "x1": "((k1*(x1 - x1)) + (k1*(x2 - x1))) - x1",
        "x2": "((k2*(x1 - x2)) + (k2*(x2 - x2))) - x2",
        "y": "(0) + ((((x11))) + (((x21) + (x22))))",
    }


def test_a_sum_that_is_not_closed_is_refused() -> None:
    template = {"family": {"n": 3}, "drift": {"x": "sum{j=1..n}(x{j}"}}
    with pytest.raises(InvalidFile, match=r"drift `x`: the sum in .* is not closed; add `\)`"):
        expand(template, {}, "test")


# Chaos


def test_lorenz_has_its_three_equilibria_all_unstable_at_28() -> None:
    system = zoo.load("lorenz")
    p = numbers(system)
    side = math.sqrt(p["b"] * (p["r"] - 1))
    for x in ([0, 0, 0], [side, side, p["r"] - 1], [-side, -side, p["r"] - 1]):
        assert growth(system, x).real > 0


@pytest.mark.parametrize(("r", "is_stable"), [(0.9, True), (1.1, False)])
def test_lorenz_s_convection_begins_at_1(r: float, is_stable: bool) -> None:
    assert (growth(zoo.load("lorenz").do(SetParameter(r=r)), [0, 0, 0]).real < 0) == is_stable


def test_lorenz_s_rolls_lose_stability_at_the_published_number() -> None:
    """Lorenz 1963: r = sigma (sigma + b + 3)/(sigma - b - 1) = 24.74."""
    critical = 10 * (10 + 8 / 3 + 3) / (10 - 8 / 3 - 1)
    assert critical == pytest.approx(24.7368, abs=1e-4)
    for r, sign in ((critical - 0.1, -1), (critical + 0.1, 1)):
        side = math.sqrt(8 / 3 * (r - 1))
        system = zoo.load("lorenz").do(SetParameter(r=r))
        assert np.sign(growth(system, [side, side, r - 1]).real) == sign


def test_lorenz_s_motion_stays_bounded_and_visits_both_sides() -> None:
    run = simulate(zoo.load("lorenz"), np.linspace(0, 60, 3001))
    assert float(np.abs(run.x).max()) < 20
    assert 0 <= float(run.z.min()) <= float(run.z.max()) < 50
    assert min(crossings(run.x, 8), crossings(-run.x, 8)) > 5


def test_lorenz_forgets_where_it_started() -> None:
    system = zoo.load("lorenz")
    near = system.replace(initial={"x": 0, "y": 1 + 1e-6, "z": 0})
    times = np.linspace(0, 40, 401)
    gap = np.abs(simulate(system, times).x - simulate(near, times).x).values[0]
    assert gap[:50].max() < 1e-3
    assert gap[200:].max() > 1


@pytest.mark.slow
def test_lorenz_s_largest_lyapunov_exponent_is_the_published_one() -> None:
    """0.9056 (Sprott, Chaos and Time-Series Analysis, 2003): the mean growth of a small gap."""
    system, turns = zoo.load("lorenz"), 300
    p = [float(value) for value in system.parameters.values()]

    def rates(t: float, z: NDArray[np.float64]) -> NDArray[np.float64]:
        slope = system.rates.jacobian.dense(t, z[:3], p) @ z[3:]
        return np.concatenate([system.rates.scalar(t, z[:3], p), slope])

    on_it = simulate(system, [0, 20])
    z = np.array([*(float(on_it[name][0, 1]) for name in "xyz"), 1, 0, 0])
    growth = 0.0
    for _ in range(turns):
        z = solve_ivp(rates, (0, 1), z, rtol=1e-6, atol=1e-8).y[:, -1]
        size = float(np.linalg.norm(z[3:]))
        growth += math.log(size)
        z[3:] /= size
    assert growth / turns == pytest.approx(0.9056, abs=0.02)


@pytest.mark.parametrize(
    ("held", "end"),
    [({"x": 3}, "settled"), ({"y": 3}, "settled"), ({"z": 26}, "diverged"), ({"z": 28}, "settled")],
)
def test_what_lorenz_does_when_held(held: dict[str, float], end: str) -> None:
    assert outcome(zoo.load("lorenz").do(**held)) == end


def test_roessler_has_its_two_equilibria_both_unstable() -> None:
    system = zoo.load("roessler")
    p = numbers(system)
    for sign in (-1, 1):
        z = (p["c"] + sign * math.sqrt(p["c"] ** 2 - 4 * p["a"] * p["b"])) / (2 * p["a"])
        assert growth(system, [p["a"] * z, -z, z]).real > 0


def test_roessler_stays_bounded_and_folds_by_z() -> None:
    run = simulate(zoo.load("roessler"), np.linspace(0, 200, 4001))
    late = run.isel(time=slice(1000, None))
    assert float(np.abs(late.x).max()) < 13
    assert float(late.z.max()) > 15
    assert float(late.z.min()) > 0


@pytest.mark.parametrize(("held", "end"), [({"z": 0}, "diverged"), ({"x": 2}, "diverged")])
def test_roessler_held_is_bounded_no_more(held: dict[str, float], end: str) -> None:
    assert outcome(zoo.load("roessler").do(**held)) == end


@pytest.mark.parametrize("sites", [4, 5, 12])
def test_lorenz_96_loses_its_uniform_state_as_the_waves_say(sites: int) -> None:
    """The eigenvalues at x = F are -1 + F (w - w^-2) over the roots w of w^sites = 1."""
    for force in (0.5, 8.0):
        system = zoo.load("lorenz_96", sites=sites).do(SetParameter(F=force))
        w = np.exp(2j * np.pi * np.arange(sites) / sites)
        expected = (-1 + force * (w - w**-2)).real.max()
        assert growth(system, np.full(sites, force)).real == pytest.approx(expected)
        assert (expected > 0) == (force == 8.0)


def test_lorenz_96_never_leaves_the_ball_of_its_energy_balance() -> None:
    """The advection conserves sum x^2, so that d/dt sum x^2/2 = -sum x^2 + F sum x."""
    system = zoo.load("lorenz_96", sites=12)
    for x in np.random.default_rng(0).normal(size=(5, 12)):
        assert x @ slopes(system, x) == pytest.approx(8 * x.sum() - x @ x)
    run = simulate(system, np.linspace(0, 30, 601))
    x = np.array([run[name].values[0] for name in system.states])
    assert np.linalg.norm(x, axis=0).max() <= 8 * math.sqrt(12) + 0.1
    assert x[:, 300:].std() > 2


# Neurons


def test_fitzhugh_nagumo_rests_where_its_cubic_says() -> None:
    for current in (0.0, 0.5, 2.0):
        system = zoo.load("fitzhugh_nagumo").do(SetParameter(I=current))
        v = brentq(lambda v, i=current: v - v**3 / 3 - (v + 0.7) / 0.8 + i, -4, 4)
        assert growth(system, [v, (v + 0.7) / 0.8]).real != 0


def test_fitzhugh_nagumo_fires_between_its_two_hopf_points() -> None:
    """The trace 1 - v^2 - b phi is 0 at v = +-sqrt(1 - 0.064), which fixes I."""
    edge = math.sqrt(1 - 0.08 * 0.8)
    low, high = (v**3 / 3 - v + (v + 0.7) / 0.8 for v in (-edge, edge))
    assert (low, high) == pytest.approx((0.3313, 1.4187), abs=1e-4)
    for current, sign in ((low - 0.01, -1), (low + 0.01, 1), (high - 0.01, 1), (high + 0.01, -1)):
        system = zoo.load("fitzhugh_nagumo").do(SetParameter(I=current))
        v = brentq(lambda v, i=current: v - v**3 / 3 - (v + 0.7) / 0.8 + i, -4, 4)
        assert np.sign(growth(system, [v, (v + 0.7) / 0.8]).real) == sign


def test_fitzhugh_nagumo_fires_periodically_at_its_input_and_rests_without() -> None:
    system = zoo.load("fitzhugh_nagumo")
    assert period(system) == pytest.approx(39.474, rel=1e-3)
    assert outcome(system.do(SetParameter(I=0))) == "settled"
    assert outcome(system.do(w=0.5)) == "settled"


def test_only_noise_makes_the_excitable_neuron_fire() -> None:
    system = zoo.load("fitzhugh_nagumo_noisy")
    quiet = system.replace(noise={})
    a = numbers(system)["a"]
    value = growth(quiet, [-a, a**3 / 3 - a])
    assert value.real == pytest.approx((1 - a**2) / 0.01 / 2, rel=1e-9)
    assert outcome(quiet) == "settled"
    run = simulate(system, np.linspace(0, 8, 801), step=0.001, seed=1)
    assert crossings(run.x, 1) >= 2


def test_hodgkin_huxley_rests_near_minus_65() -> None:
    rest = only_rest(zoo.load("hodgkin_huxley"))
    assert rest["V"] == pytest.approx(-65, abs=0.05)
    gates = [rest[gate] for gate in "mhn"]
    assert gates == pytest.approx([0.0529, 0.5961, 0.3177], abs=5e-4)


def test_a_gate_s_rate_has_its_limit_where_it_is_0_over_0() -> None:
    system = zoo.load("hodgkin_huxley")
    for voltage in (-40.0, -55.0):
        at = [slopes(system, np.array([voltage + d, 0.1, 0.4, 0.4])) for d in (-1e-4, 0.0, 1e-4)]
        np.testing.assert_allclose(at[1], (at[0] + at[2]) / 2, rtol=1e-6, atol=1e-8)


def test_a_current_makes_hodgkin_huxley_fire() -> None:
    driven = zoo.load("hodgkin_huxley").do(SetParameter(I=10))
    assert period(driven) == pytest.approx(14.64, abs=0.1)
    run = simulate(driven, np.linspace(0, 100, 2001))
    assert 30 < float(run.V.max()) < 50
    assert crossings(run.V, 0) in (7, 8)
    resting = simulate(zoo.load("hodgkin_huxley"), np.linspace(0, 100, 2001))
    assert crossings(resting.V, 0) == 0


@pytest.mark.parametrize(("current", "spikes"), [(2, 0), (2.5, 1), (6, 2), (6.5, 17)])
def test_hodgkin_huxley_fires_once_above_2_and_for_ever_above_6(
    current: float, spikes: int
) -> None:
    """Periodic firing begins at 6.26 (Rinzel & Miller, Math. Biosci. 49, 27-59, 1980)."""
    driven = zoo.load("hodgkin_huxley").do(SetParameter(I=current))
    assert crossings(simulate(driven, np.linspace(0, 300, 6001)).V, 0) == spikes


def test_the_voltage_clamp_lets_each_gate_settle_by_itself() -> None:
    clamped = zoo.load("hodgkin_huxley").do(V=0)
    rest = only_rest(clamped)
    alpha, beta = 0.1 * 40 / (1 - math.exp(-4)), 4 * math.exp(-65 / 18)
    assert rest["m"] == pytest.approx(alpha / (alpha + beta))
    assert edges_between_states(clamped) == {(gate, gate) for gate in "mhn"}


def order(system: System, until: float) -> float:
    """Return the order parameter in the long run."""
    run = simulate(system, np.linspace(0, until, 201), rtol=1e-6)
    return float(run.r[0, 100:].mean())


def test_kuramoto_is_the_sum_over_pairs() -> None:
    system = zoo.load("kuramoto", oscillators=6)
    p, theta = numbers(system), np.random.default_rng(3).uniform(0, 6, 6)
    omega = np.array([p[f"omega{i}"] for i in range(1, 7)])
    pairs = np.sin(theta[None, :] - theta[:, None]).sum(axis=1)
    np.testing.assert_allclose(slopes(system, theta), omega + p["K"] / 6 * pairs)
    np.testing.assert_allclose(omega, cauchy.ppf((np.arange(6) + 0.5) / 6, scale=p["gamma"]))


def test_kuramoto_synchronizes_above_its_critical_coupling() -> None:
    """Kuramoto 1975: r = sqrt(1 - Kc/K) above Kc = 2 gamma, and 0 below, as N grows."""
    crowd = zoo.load("kuramoto", oscillators=60)
    for coupling in (2.0, 4.0):
        expected = math.sqrt(1 - 1 / coupling)
        found = order(crowd.do(SetParameter(K=coupling)), 30)
        assert found == pytest.approx(expected, abs=0.04)
    assert order(crowd.do(SetParameter(K=0.5)), 30) < 0.25


def test_two_like_oscillators_lock_at_the_closed_form_angle() -> None:
    """The difference of two phases obeys d' = (omega2 - omega1) - K sin d."""
    system = zoo.load("kuramoto", oscillators=2)
    gap = numbers(system)["omega2"] - numbers(system)["omega1"]
    for coupling, locks in ((1.25 * gap, True), (0.8 * gap, False)):
        run = simulate(system.do(SetParameter(K=coupling)), np.linspace(0, 60, 601))
        angle = (run.theta2 - run.theta1).values[0]
        drift = angle[-1] - angle[-100]
        assert (abs(drift) < 1e-6) == locks
        if locks:
            assert math.sin(angle[-1]) == pytest.approx(1 / 1.25, abs=1e-6)


def test_wilson_cowan_without_input_rests_at_0() -> None:
    system = zoo.load("wilson_cowan").do(SetParameter(P=0))
    assert growth(system, [0, 0]).real < 0
    assert outcome(system) == "settled"


def test_wilson_cowan_cycles_with_the_input_of_figure_11() -> None:
    [(kind, _)] = rests(zoo.load("wilson_cowan"))
    assert kind == "unstable"
    assert period(zoo.load("wilson_cowan")) == pytest.approx(5.003, abs=0.01)


def test_wilson_cowan_is_bistable_with_the_weights_of_figure_4() -> None:
    weights = {"c1": 12, "c2": 4, "c3": 13, "c4": 11, "P": 0}
    slopes_and_thresholds = {"a_e": 1.2, "theta_e": 2.8, "a_i": 1, "theta_i": 4}
    system = zoo.load("wilson_cowan").do(SetParameter(weights | slopes_and_thresholds))
    found = rests(system)
    assert [kind for kind, _ in found] == ["stable", "unstable", "stable"]
    assert found[0][1] == pytest.approx({"E": 0, "I": 0}, abs=1e-9)


# Populations and chemistry


def test_an_epidemic_ends_by_the_final_size_equation() -> None:
    system = zoo.load("sir")
    p, start = numbers(system), starts(system)[0]
    ratio = p["beta"] / p["gamma"]
    left = brentq(lambda s: s - start * math.exp(-ratio * (1 - s)), 0, 1 / ratio)
    run = simulate(system, np.linspace(0, 300, 301))
    assert float(run.S[0, -1]) == pytest.approx(left, rel=1e-6)
    np.testing.assert_allclose(run.S + run.I + run.R, 1, rtol=1e-9)
    assert {str(law) for law in conservation_laws(system)} == {"I + R + S"}


def test_an_epidemic_peaks_when_s_is_1_over_r0() -> None:
    run = simulate(zoo.load("sir"), np.linspace(0, 100, 10001))
    assert float(run.S[0, run.I.values[0].argmax()]) == pytest.approx(0.4, abs=1e-3)
    fading = simulate(zoo.load("sir").do(SetParameter(beta=0.19)), np.linspace(0, 100, 101))
    assert (np.diff(fading.I.values[0]) < 0).all()


def test_held_infection_infects_everybody() -> None:
    held = zoo.load("sir").do(I=0.1)
    assert not conservation_laws(held)
    assert float(simulate(held, [0, 400]).S[0, -1]) == pytest.approx(0, abs=1e-6)


def test_a_disease_stays_where_r0_is_above_1() -> None:
    system = zoo.load("seir")
    p = numbers(system)
    ratio = p["beta"] * p["sigma"] / ((p["sigma"] + p["mu"]) * (p["gamma"] + p["mu"]))
    assert ratio == pytest.approx(p["R0"]) == pytest.approx(17)
    found = {kind: rest for kind, rest in rests(system)}
    assert found["stable"]["S"] == pytest.approx(1 / 17)
    assert found["stable"]["I"] == pytest.approx(p["mu"] * (17 - 1) / p["beta"])
    assert found["unstable"] == pytest.approx({"S": 1, "E": 0, "I": 0, "R": 0}, abs=1e-9)
    gone = only_rest(system.do(SetParameter(R0=0.9)))
    assert gone == pytest.approx({"S": 1, "E": 0, "I": 0, "R": 0}, abs=1e-9)


def test_measles_comes_back_every_two_years_or_so() -> None:
    p = numbers(zoo.load("seir"))
    infected = p["mu"] * (17 - 1) / p["beta"]
    exposed = (p["gamma"] + p["mu"]) * infected / p["sigma"]
    rest = [1 / 17, exposed, infected, p["gamma"] * infected / p["mu"]]
    value = growth(zoo.load("seir"), rest)
    values = np.linalg.eigvals(jacobian(zoo.load("seir"), np.array(rest)))
    swings = values[values.imag > 0]
    assert value.real < 0
    assert 2 * math.pi / swings.imag[0] == pytest.approx(2, abs=0.3)


def test_goodwin_oscillates_by_the_secant_condition() -> None:
    """Griffith 1968: with equal degradation unstable where n Z^n/(1 + Z^n) > 8."""
    for n, swings in ((12, True), (10, True), (8, False), (4, False)):
        system = zoo.load("goodwin_oscillator").do(SetParameter(n=n))
        z = brentq(lambda z, n=n: 0.125 * z * (1 + z**n) - 5, 0, 10)
        value = growth(system, [0.25 * z, 0.5 * z, z])
        assert (n * z**n / (1 + z**n) > 8) == (value.real > 0) == swings
    assert period(zoo.load("goodwin_oscillator")) == pytest.approx(8.221, rel=1e-3)
    assert outcome(zoo.load("goodwin_oscillator").do(SetParameter(n=6))) == "settled"
    assert outcome(zoo.load("goodwin_oscillator").do(Y=1)) == "settled"


@pytest.mark.parametrize("dilution", [0.1, 0.3, 0.8, 0.9])
def test_a_chemostat_is_washed_out_above_the_growth_rate_that_its_feed_allows(
    dilution: float,
) -> None:
    """Bacteria stay where D < mu_max S_in/(K + S_in) = 5/6, at S = K D/(mu_max - D)."""
    system = zoo.load("chemostat").do(SetParameter(D=dilution))
    [rest] = [rest for kind, rest in rests(system) if kind == "stable"]
    if dilution < 5 / 6:
        s = 2 * dilution / (1 - dilution)
        assert rest == pytest.approx({"S": s, "X": 0.5 * (10 - s)})
    else:
        assert rest == pytest.approx({"S": 10, "X": 0}, abs=1e-9)


def test_the_substrate_in_a_chemostat_is_adapted_to_the_feed() -> None:
    found = [
        next(
            rest
            for kind, rest in rests(zoo.load("chemostat").do(SetParameter(S_in=feed)))
            if kind == "stable"
        )
        for feed in (10, 20)
    ]
    assert found[0]["S"] == pytest.approx(found[1]["S"])
    assert found[1]["X"] > 2 * found[0]["X"]


def test_glucose_and_insulin_go_back_to_their_basal_values() -> None:
    basal = {"G": 92, "X": 0, "I": 7.3}
    assert only_rest(zoo.load("bergman_minimal")) == pytest.approx(basal, abs=1e-9)
    run = simulate(zoo.load("bergman_minimal"), np.linspace(0, 1000, 1001))
    for name, value in basal.items():
        assert float(run[name][0, -1]) == pytest.approx(value, rel=1e-3, abs=1e-6)
    assert float(run.G.min()) < 92  # insulin overshoots


def test_an_insulin_clamp_lowers_glucose_by_the_insulin_sensitivity() -> None:
    """With I held, X = p3 (I - Ib)/p2 and G = p1 Gb/(p1 + X)."""
    rest = only_rest(zoo.load("bergman_minimal").do(I=50))
    effect = 1.062e-5 * (50 - 7.3) / 0.02093
    assert rest == pytest.approx({"X": effect, "G": 0.03082 * 92 / (0.03082 + effect)})


# Machines and circuits


def test_four_tanks_rest_by_torricelli_s_law() -> None:
    p = numbers(zoo.load("four_tanks"))

    def level(inflow: float, tank: int) -> float:
        return (inflow / p[f"a{tank}"]) ** 2 / (2 * p["g"])

    flow1, flow2 = p["k1"] * p["v1"], p["k2"] * p["v2"]
    across3, across4 = (1 - p["gamma2"]) * flow2, (1 - p["gamma1"]) * flow1
    expected = {
        "h1": level(p["gamma1"] * flow1 + across3, 1),
        "h2": level(p["gamma2"] * flow2 + across4, 2),
        "h3": level(across3, 3),
        "h4": level(across4, 4),
    }
    rest = only_rest(zoo.load("four_tanks"))
    assert rest == pytest.approx(expected)
    published = {"h1": 12.4, "h2": 12.7, "h3": 1.8, "h4": 1.4}
    assert rest == pytest.approx(published, rel=0.1)


def test_four_tanks_are_slow_by_their_published_time_constants() -> None:
    """Johansson 2000, table of the minimum-phase case: T = 62, 90, 23, 30 seconds."""
    at = np.array([12.4, 12.7, 1.8, 1.4])
    times = -1 / np.diag(jacobian(zoo.load("four_tanks"), at))
    assert times == pytest.approx([62, 90, 23, 30], abs=1)


def test_the_thermostat_keeps_to_its_band_with_the_closed_form_period() -> None:
    """Cooling toward 0 from 21 to 19, then heating toward 50 back to 21."""
    run = simulate(zoo.load("thermostat"), np.linspace(0, 10, 2001))
    assert 19 - 1e-6 < float(run.temperature.min()) < 19.01
    assert 20.99 < float(run.temperature.max()) < 21 + 1e-6
    assert set(np.unique(run.heater)) == {0, 1}
    switched = run.instant_time.values[0]
    cycle = 10 * math.log(21 / 19) + 10 * math.log(31 / 29)
    assert switched[0] == pytest.approx(10 * math.log(20 / 19))
    assert np.diff(switched[::2]) == pytest.approx(cycle)


@pytest.mark.parametrize(("heater", "temperature"), [(0, 0), (1, 50)])
def test_a_held_heater_lets_the_room_settle(heater: float, temperature: float) -> None:
    run = simulate(zoo.load("thermostat").do(heater=heater), [0, 200])
    assert float(run.temperature[0, -1]) == pytest.approx(temperature, abs=1e-5)


@pytest.mark.parametrize("sections", [1, 2, 7])
def test_a_ladder_rests_at_the_source_and_has_its_rates_in_closed_form(sections: int) -> None:
    """With R = C = 1 the rates are 4 sin^2((2k - 1) pi/(4 n + 2)), k = 1, ..., n."""
    system = zoo.load("rc_ladder", sections=sections)
    assert only_rest(system.do(SetParameter(V0=3))) == pytest.approx(
        dict.fromkeys(system.states, 3)
    )
    k = np.arange(1, sections + 1)
    expected = -4 * np.sin((2 * k - 1) * np.pi / (4 * sections + 2)) ** 2
    values = np.linalg.eigvals(jacobian(system, np.ones(sections)))
    np.testing.assert_allclose(np.sort(values.real), np.sort(expected), atol=1e-12)


def test_a_ladder_s_mean_delay_is_elmore_s() -> None:
    values = {"R1": 1, "R2": 2, "R3": 0.5, "C1": 0.3, "C2": 1, "C3": 2}
    system = zoo.load("rc_ladder", sections=3).do(SetParameter(values))
    run = simulate(system, np.linspace(0, 120, 24001))
    delay = np.trapezoid(1 - run.V3.values[0], run.time.values)
    assert delay == pytest.approx(1 * (0.3 + 1 + 2) + 2 * (1 + 2) + 0.5 * 2, rel=1e-4)


def energy(run: xr.Dataset, p: Numbers) -> Floats:
    tip = p["l"] * run.omega
    sideways, upward = run.v + tip * np.cos(run.theta), tip * np.sin(run.theta)
    kinetic = p["M"] * run.v**2 / 2 + p["m"] * (sideways**2 + upward**2) / 2
    return np.asarray((kinetic - p["m"] * p["g"] * p["l"] * np.cos(run.theta)).values[0])


@pytest.mark.parametrize("place", [0.0, 3.0])
def test_a_pendulum_hangs_and_does_not_stand(place: float) -> None:
    system = zoo.load("cart_pendulum")
    assert growth(system, [place, 0, math.pi, 0]).real > 0
    hanging = np.array([place, 0, 0, 0])
    np.testing.assert_allclose(slopes(system, hanging), 0, atol=1e-12)
    values = np.sort(np.linalg.eigvals(jacobian(system, hanging)).real)
    assert values[-1] == pytest.approx(0, abs=1e-12)  # the cart may stand anywhere
    assert values[-2] < 0


def test_friction_takes_the_energy_and_nothing_else_does() -> None:
    """The energy falls at the rate c v^2 + d omega^2."""
    system, times = zoo.load("cart_pendulum"), np.linspace(0, 20, 4001)
    run = simulate(system, times)
    level = energy(run, numbers(system))
    assert (np.diff(level) < 0).all()
    power = (1.0 * run.v**2 + 0.1 * run.omega**2).values[0]
    assert level[0] - level[-1] == pytest.approx(np.trapezoid(power, times), rel=1e-4)
    free = system.do(SetParameter(c=0, d=0))
    np.testing.assert_allclose(energy(simulate(free, times), numbers(free)), level[0], rtol=1e-6)


def test_holding_the_cart_leaves_a_pendulum() -> None:
    held = zoo.load("cart_pendulum").do(x=0)
    assert set(held.held) == {"x", "v"}
    value = growth(held, [0, 0])
    assert value.real == pytest.approx(-0.1)  # d/(2 m l^2)
    assert abs(value) == pytest.approx(math.sqrt(9.81))
    assert growth(held, [math.pi, 0]).real > 0


# Two states at rest


def test_a_double_well_has_two_stable_equilibria_and_one_between() -> None:
    found = rests(zoo.load("double_well").replace(noise={}))
    assert [kind for kind, _ in found] == ["stable", "unstable", "stable"]
    assert [rest["x"] for _, rest in found] == pytest.approx([-1, 0, 1], abs=1e-9)


def test_noise_makes_the_double_well_stay_in_both_wells_by_its_stationary_density() -> None:
    run = simulate(zoo.load("double_well"), np.linspace(0, 60, 601), n=400, step=0.02, seed=2)
    hops = [crossings(run.x[[k]], 0.5) for k in range(50)]
    assert np.mean(hops) > 1
    late = run.x.values[:, 400:].ravel()
    x = np.linspace(-4, 4, 4001)
    density = np.exp(-2 * (x**4 / 4 - x**2 / 2) / 0.7**2)
    expected = np.trapezoid(x**2 * density, x) / np.trapezoid(density, x)
    assert np.mean(late > 0) == pytest.approx(0.5, abs=0.1)
    assert np.mean(late**2) == pytest.approx(expected, rel=0.05)


def test_the_climate_has_today_s_and_a_frozen_equilibrium_and_one_between() -> None:
    def balance(t: float) -> float:
        return 342 * (0.5 + 0.2 * math.tanh((t - 265) / 10)) - 0.6 * 5.67e-8 * t**4

    expected = [brentq(balance, *ends) for ends in ((200, 250), (250, 275), (275, 320))]
    found = rests(zoo.load("energy_balance_climate"))
    assert [rest["T"] for _, rest in found] == pytest.approx(expected)
    assert [kind for kind, _ in found] == ["stable", "unstable", "stable"]
    assert expected == pytest.approx([234, 264, 289], abs=1)


def test_a_weak_sun_leaves_only_the_frozen_climate() -> None:
    assert only_rest(zoo.load("energy_balance_climate").do(SetParameter(Q=280)))["T"] < 240


def test_a_constant_albedo_leaves_one_climate() -> None:
    rest = only_rest(zoo.load("energy_balance_climate").do(Replace("albedo", 0.3)))
    assert rest["T"] == pytest.approx((342 * 0.7 / (0.6 * 5.67e-8)) ** 0.25)


# Random networks


@pytest.mark.parametrize("seed", range(5))
def test_a_random_linear_network_is_stable_whatever_is_held(seed: int) -> None:
    system = zoo.load("random_linear_network", nodes=8, links=3, seed=seed)
    a = jacobian(system, np.zeros(8))
    for held in itertools.combinations(range(8), 2):
        rest = [i for i in range(8) if i not in held]
        assert np.linalg.eigvals(a[np.ix_(rest, rest)]).real.max() < 0
    b = slopes(system, np.zeros(8))
    expected = dict(zip(system.states, np.linalg.solve(a, -b), strict=True))
    assert only_rest(system) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["random_linear_network", "random_gene_network"])
def test_the_graph_of_a_random_network_is_its_coefficients(name: str) -> None:
    system = zoo.load(name, nodes=7, links=2, seed=5)
    letter = "a" if "linear" in name else "K"
    written = {
        tuple(parameter[1:].split("_")) for parameter in system.parameters if letter in parameter
    }
    edges = {(f"x{j}", f"x{i}") for i, j in written}
    assert {(c, e) for c, e in system.graph().edges if c != e} == edges
    assert set(dict(system.graph().in_degree()).values()) == {3}


@pytest.mark.parametrize("name", ["random_linear_network", "random_gene_network"])
def test_a_random_network_is_the_same_for_the_same_sizes_and_seed_alone(name: str) -> None:
    sizes = {"nodes": 6, "links": 2}
    assert zoo.load(name, **sizes, seed=3) == zoo.load(name, **sizes, seed=3)
    assert zoo.load(name, **sizes, seed=3) != zoo.load(name, **sizes, seed=4)
    assert zoo.load(name) == zoo.load(name, **random_networks.SIZES)
    assert len(zoo.load(name, nodes=20).states) == 20


def test_a_random_network_is_the_same_on_every_machine() -> None:
    parameters = zoo.load("random_linear_network", nodes=2, links=1, seed=0).parameters
    assert dict(parameters) == {"b1": 0.126, "b2": -0.09, "a1_2": -0.32, "a2_1": 0.695}


@pytest.mark.parametrize("seed", range(5))
def test_a_random_gene_network_has_an_equilibrium_and_keeps_to_its_bounds(seed: int) -> None:
    system = zoo.load("random_gene_network", nodes=6, links=2, seed=seed)
    p = numbers(system)
    run = simulate(system, np.linspace(0, 50, 51))
    for i, name in enumerate(system.states, 1):
        assert float(run[name].min()) >= 0
        assert float(run[name].max()) <= max(4 * p[f"V{i}"] / p[f"d{i}"], starts(system)[i - 1])
    assert rests(system)


def test_a_seed_may_be_0_and_no_less() -> None:
    for name in ("random_linear_network", "random_gene_network"):
        assert zoo.load(name, seed=0) == zoo.load(name)
        with pytest.raises(InvalidValue, match="`seed` is `-1`; give a whole number from 0 on"):
            zoo.load(name, seed=-1)
        with pytest.raises(InvalidValue, match="`nodes` is `0`; give a whole number from 1 on"):
            zoo.load(name, nodes=0)
        with pytest.raises(InvalidValue, match="no size `node`; did you mean `nodes`"):
            zoo.load(name, node=3)


def test_every_maker_of_networks_takes_the_sizes() -> None:
    for make in random_networks.NETWORKS.values():
        assert set(inspect.signature(make).parameters) == set(random_networks.SIZES)
