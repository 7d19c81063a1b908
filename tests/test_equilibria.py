"""What systems do in the long run, against closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy
import sympy as sp
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.mechanism import SetParameter, Uniform, Unsupported
from physcm.sim import System, equilibria, settle, zoo

AMOUNT = (0, float("inf"))


def outcome(system: System, **options: Any) -> list[str]:
    return named(settle(system, **options))


def named(settled: xr.Dataset) -> list[str]:
    words = settled.status.attrs["flag_meanings"].split()
    return [words[int(s)] for s in settled.status]


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


@pytest.mark.parametrize("held", [{}, {"S": 2.0}, {"S": 1e-3}, {"E": 0.3}, {"P": 3.0}])
def test_the_enzyme_settles_at_its_closed_form(
    held: dict[str, float], enzyme_at_rest: Callable[..., dict[str, float]]
) -> None:
    settled = settle(enzyme().do(**held))
    assert named(settled) == ["settled"]
    for name, value in enzyme_at_rest(**held).items():
        assert float(settled[name][0]) == pytest.approx(value, rel=1e-5)


def test_the_enzyme_with_its_complex_held_has_no_equilibrium() -> None:
    assert outcome(enzyme().do(C=0.2)) == ["diverged"]
    assert equilibria(enzyme().do(C=0.2)).sizes["equilibrium"] == 0


def test_the_equilibria_of_the_enzyme_keep_its_total(
    enzyme_at_rest: Callable[..., dict[str, float]],
) -> None:
    found = equilibria(enzyme())
    assert found.sizes["equilibrium"] == 1
    assert float(found.S[0]) == pytest.approx(enzyme_at_rest()["S"], rel=1e-9)
    assert found.eigenvalue_real.shape == (1, 3)


@pytest.mark.parametrize("distance", [5e-6, 1e-4, 1e-3])
def test_a_focus_that_is_spiralled_into_slowly_is_no_cycle(distance: float) -> None:
    neuron = zoo.load("fitzhugh_nagumo").do(SetParameter(I=1.42))  # next to its Hopf point
    rest = equilibria(neuron)
    start = {"v": float(rest.v[0]) + distance, "w": float(rest.w[0])}
    assert outcome(neuron.replace(initial=start)) == ["settled"]


def lotka_volterra() -> System:
    return System(
        {"x": "x*(1 - y)", "y": "-y*(1 - x)"}, initial={"x": 2, "y": 1},
        bounds={"x": AMOUNT, "y": AMOUNT},
    )  # fmt: skip


def test_lotka_volterra_circles_for_ever() -> None:
    settled = settle(lotka_volterra())
    assert named(settled) == ["periodic"]
    assert float(settled.period[0]) == pytest.approx(6.6, abs=0.1)
    assert np.isnan(settled.x[0])
    found = equilibria(lotka_volterra())
    assert found.stability.values.tolist() == ["unstable", "marginal"]


@pytest.mark.parametrize(("y", "fate"), [(2.0, "settled"), (0.5, "diverged"), (1.0, "settled")])
def test_prey_under_a_held_predator_dies_or_grows(y: float, fate: str) -> None:
    assert outcome(lotka_volterra().do(y=y)) == [fate]


def test_a_toggle_switch_has_two_stable_equilibria_and_one_that_is_not() -> None:
    toggle = System(
        {"u": "4/(1 + v**2) - u", "v": "4/(1 + u**2) - v"},
        initial={"u": 1, "v": 0},
        bounds={"u": AMOUNT, "v": AMOUNT},
    )
    found = equilibria(toggle)
    low, high = 2 - np.sqrt(3), 2 + np.sqrt(3)
    np.testing.assert_allclose(found.u, [low, 1.378797, high], rtol=1e-6)
    assert found.stability.values.tolist() == ["stable", "unstable", "stable"]


def test_a_repressilator_is_periodic_about_an_unstable_equilibrium() -> None:
    ring = System(
        {f"p{i}": f"10/(1 + p{(i + 1) % 3}**4) - p{i}" for i in range(3)},
        initial={"p0": 1, "p1": 1.5, "p2": 2},
    )
    assert outcome(ring) == ["periodic"]
    found = equilibria(ring.replace(bounds=dict.fromkeys(ring.states, AMOUNT)))
    assert found.stability.values.tolist() == ["unstable"]


def test_an_oscillation_that_dies_out_slowly_has_settled() -> None:
    assert outcome(System({"q": "p", "p": "-q - 0.01*p"}, initial={"q": 1, "p": 0})) == ["settled"]


@pytest.mark.parametrize("damping", [0.2, 0.002, 2e-5])
@pytest.mark.parametrize("push", [1e-18, 1e-12, 1e-6])
def test_a_damped_body_next_to_its_rest_has_settled(damping: float, push: float) -> None:
    body = System({"x": "v", "v": f"1 - x - {damping}*v"}, initial={"x": 1, "v": push})
    assert outcome(body) == ["settled"]


def test_small_oscillations_about_a_far_center_are_still_periodic() -> None:
    body = System({"x": "v", "v": "1 - x"}, initial={"x": 1, "v": 1e-4})
    settled = settle(body)
    assert named(settled) == ["periodic"]
    assert float(settled.period[0]) == pytest.approx(2 * np.pi, rel=1e-6)


def test_a_steady_drift_of_something_large_is_no_equilibrium() -> None:
    tank = System(
        {"level": "1e-3 + z", "z": "-z"}, initial={"level": 1e6, "z": 1e-6}, bounds={"z": AMOUNT}
    )
    assert outcome(tank) == ["diverged"]
    assert equilibria(tank).sizes["equilibrium"] == 0
    rossler = zoo.load("roessler").do(y=1.2)  # x' = -1.2 - z, z' = 0.2 + z (x - 5.7)
    found = equilibria(rossler)
    np.testing.assert_allclose([found.x[0], found.z[0]], [5.7 + 0.2 / 1.2, -1.2])
    assert found.sizes["equilibrium"] == 1


def test_a_growing_oscillation_has_diverged() -> None:
    assert outcome(System({"q": "p", "p": "-q + 0.1*p"}, initial={"q": 1, "p": 0})) == ["diverged"]


def test_linear_growth_has_diverged() -> None:
    assert outcome(System({"x": "2", "y": "1 - y"}, initial={"x": 1, "y": 0})) == ["diverged"]


def test_spikes_much_shorter_than_the_period_are_timed() -> None:
    """Field & Noyes (1974); the period is by SciPy's Radau method in the logarithms."""
    oregonator = System(
        {
            "X": "k1*A*Y - k2*X*Y + k3*A*X - 2*k4*X**2",
            "Y": "-k1*A*Y - k2*X*Y + f*k5*Z",
            "Z": "k3*A*X - k5*Z",
        },
        parameters={"k1": 1.34, "k2": 1.6e9, "k3": 8e3, "k4": 4e7, "k5": 1, "A": 0.06, "f": 1},
        initial={"X": 5e-11, "Y": 3e-7, "Z": 2.4e-8},
        bounds={"X": AMOUNT, "Y": AMOUNT, "Z": AMOUNT},
    )
    run = settle(oregonator)
    assert named(run) == ["periodic"]
    assert float(run.period[0]) == pytest.approx(48.75129, rel=1e-6)


def receptor(**held: float) -> System:
    """Edelstein et al. (Biological Cybernetics 75, 1996), figure 3; times from 20 us to an hour."""
    rates = {
        ("B", "BL"): (3e3, 8e3), ("BL", "BLL"): (1.5e3, 1.6e4), ("BLL", "ALL"): (3e4, 700),
        ("A", "AL"): (3e3, 8.64), ("AL", "ALL"): (1.5e3, 17.28), ("B", "A"): (0.54, 1.08e4),
        ("BL", "AL"): (130, 2740), ("I", "IL"): (3e3, 4), ("IL", "ILL"): (1.5e3, 8),
        ("A", "I"): (19.7, 3.74), ("AL", "IL"): (19.85, 1.74), ("ALL", "ILL"): (20, 0.81),
        ("D", "DL"): (3e3, 4), ("DL", "DLL"): (1.5e3, 8), ("I", "D"): (0.05, 1.2e-3),
        ("IL", "DL"): (0.05, 1.2e-3), ("ILL", "DLL"): (0.05, 1.2e-3),
    }  # fmt: skip
    names = ("B", "BL", "BLL", "A", "AL", "ALL", "I", "IL", "ILL", "D", "DL", "DLL")
    system = System.from_reactions(
        {
            f"{a}_{b}": (f"{forth}*{a} - {back}*{b}", {a: -1, b: 1})
            for (a, b), (forth, back) in rates.items()
        },
        initial={name: float(name == "B") for name in names},
        bounds=dict.fromkeys(names, AMOUNT),
    )
    return system.do(**held)


@pytest.mark.parametrize("held", [{"IL": 1e-4}, {"BL": 1e-4}, {"BLL": 4e-5}, {"AL": 5e-6}])
def test_a_stiff_relaxation_is_followed_to_its_end_from_anywhere(held: dict[str, float]) -> None:
    starts = tuple(np.random.default_rng(1).uniform(0, 1, 12))
    system = receptor(**held)
    names = [name for name in system.states if name != "B"]
    system = system.replace(initial={**system.initial, **dict.fromkeys(names, starts)})
    assert outcome(system, n=12) == ["settled"] * 12


def test_two_incommensurate_oscillations_neither_settle_nor_repeat() -> None:
    torus = System(
        {"a": "b", "b": "-a", "c": "d", "d": "-2*c"}, initial={"a": 1, "b": 0, "c": 1, "d": 0}
    )
    assert outcome(torus) == ["still_moving"]


@pytest.mark.parametrize("drive", [1.1, -1.5])
def test_a_phase_that_slips_is_periodic_with_the_period_of_adler(drive: float) -> None:
    settled = settle(System({"a": f"{drive} - sin(a)"}, initial={"a": 0}))
    assert named(settled) == ["periodic"]
    period = 2 * np.pi / np.sqrt(drive**2 - 1)
    assert float(settled.period[0]) == pytest.approx(period, rel=1e-5)


def test_locked_phases_that_go_round_together_are_periodic_once_a_turn() -> None:
    pair = System(
        {"a": "1 + 0.5*sin(b - a)", "b": "1.3 + 0.5*sin(a - b)"}, initial={"a": 0, "b": 1}
    )
    settled = settle(pair)
    assert named(settled) == ["periodic"]
    assert float(settled.period[0]) == pytest.approx(2 * np.pi / 1.15, rel=1e-6)


def test_a_pendulum_that_goes_round_has_the_period_of_its_elliptic_integral() -> None:
    pendulum = System({"a": "w", "w": "-sin(a)"}, initial={"a": 0, "w": 2.5})
    settled = settle(pendulum)
    assert named(settled) == ["periodic"]
    m = (2 / 2.5) ** 2  # a turn takes 2 sqrt(m) K(m), with w(0) = 2 / sqrt(m)
    period = 2 * np.sqrt(m) * scipy.special.ellipk(m)
    assert float(settled.period[0]) == pytest.approx(period, rel=1e-5)


def brusselator() -> System:
    """Nicolis & Prigogine, Self-Organization in Nonequilibrium Systems, 1977, chapter 7."""
    return System(
        {"X": "A - (B + 1)*X + X**2*Y", "Y": "B*X - X**2*Y"},
        parameters={"A": Uniform(0.8, 1.2), "B": Uniform(1.5, 3.5)},
        initial={"X": 1, "Y": 1},
        bounds={"X": AMOUNT, "Y": AMOUNT},
    )


def test_just_the_brusselators_past_their_hopf_point_are_periodic() -> None:
    settled = settle(brusselator(), n=100)
    past = settled.B > 1 + settled.A**2
    expected = np.where(past, "periodic", "settled").tolist()
    assert {*expected} == {"periodic", "settled"}
    assert named(settled) == expected


def test_samples_that_are_followed_together_end_as_each_does_alone() -> None:
    system = brusselator()
    settled = settle(system, n=12)
    for k in range(12):
        values = {name: float(settled[name][k]) for name in ("A", "B")}
        alone = settle(system.do(SetParameter(values)))
        assert named(alone)[0] == named(settled)[k]
        for name in ("X", "Y", "period"):
            np.testing.assert_allclose(alone[name][0], settled[name][k], rtol=1e-9)


def test_three_competitors_rest_or_take_turns_as_may_and_leonard_found() -> None:
    """SIAM J. Appl. Math. 29, 1975: all live if a + b < 2; one wins if both exceed 1."""
    system = System(
        {"x": "x*(1 - x - a*y - b*z)", "y": "y*(1 - y - a*z - b*x)", "z": "z*(1 - z - a*x - b*y)"},
        parameters={"a": Uniform(0.5, 1.5), "b": Uniform(0.3, 1.2)},
        initial={"x": 0.3, "y": 0.5, "z": 0.2},
        bounds=dict.fromkeys("xyz", AMOUNT),
    )
    settled = settle(system, n=100)
    rests = (settled.a + settled.b < 2) | ((settled.a > 1) & (settled.b > 1))
    assert int((~rests).sum()) > 0
    assert named(settled) == np.where(rests, "settled", "still_moving").tolist()


def test_phases_that_slip_at_incommensurate_rates_do_not_repeat() -> None:
    pair = System({"a": "1.5 - sin(a)", "b": "2 - sin(b)"}, initial={"a": 0, "b": 1})
    assert outcome(pair) == ["still_moving"]


def test_a_long_wait_before_the_move_is_not_taken_for_rest() -> None:
    late = System({"x": "x*(1 - x)"}, initial={"x": 1e-12}, bounds={"x": AMOUNT})
    assert float(settle(late).x[0]) == pytest.approx(1)


@pytest.mark.parametrize("S", [0.3, 0.9, 1.0])
def test_what_all_but_dies_out_between_outbreaks_returns_and_settles(S: float) -> None:
    """Infections fall below 1e-30 between epidemics, where no absolute error is small enough."""
    start = {"S": S, "E": 5e-3, "I": 3e-3, "R": 0.3}
    settled = settle(zoo.load("seir").replace(initial=start))
    assert named(settled) == ["settled"]
    assert float(settled.S[0]) == pytest.approx(1 / 17, rel=1e-5)


def test_amounts_of_1e_16_beside_1e3_settle_accurately() -> None:
    tiny = System(
        {"a": "k - a*b", "b": "1e3 - b"}, parameters={"k": 1e-13}, initial={"a": 0, "b": 1}
    )
    assert float(settle(tiny).a[0]) == pytest.approx(1e-16, rel=1e-5)


def test_each_sample_settles_at_its_own_parameters() -> None:
    tank = System({"h": "q - k*h"}, parameters={"q": Uniform(1, 2), "k": 2}, initial={"h": 0})
    settled = settle(tank, n=5, seed=3)
    np.testing.assert_allclose(settled.h, settled.q / 2, rtol=1e-5)


def test_a_negative_amount_is_no_equilibrium() -> None:
    square = System({"x": "4 - x**2"}, initial={"x": 1}, bounds={"x": AMOUNT})
    assert equilibria(square).x.values.tolist() == pytest.approx([2])
    assert equilibria(square.replace(bounds={})).sizes["equilibrium"] == 2


def test_a_continuum_of_equilibria_keeps_those_that_runs_reach() -> None:
    epidemic = System(
        {"S": "-2*S*I", "I": "2*S*I - I", "R": "I"},
        initial={"S": 0.99, "I": 0.01, "R": 0},
        bounds=dict.fromkeys("SIR", AMOUNT),
    )
    found = equilibria(epidemic)
    assert set(found.found_by.values) == {"integration"}
    assert set(found.stability.values) <= {"marginal"}


def test_noise_and_explicit_time_are_refused_with_the_reason() -> None:
    with pytest.raises(Unsupported, match="has noise in `x`"):
        settle(System({"x": "-x"}, initial={"x": 1}, noise={"x": 1}))
    with pytest.raises(Unsupported, match="reads time `t`"):
        equilibria(System({"x": "sin(t) - x"}, initial={"x": 1}))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(0, 10_000))
def test_a_hurwitz_linear_system_settles_where_its_equations_say(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, n))
    a -= (np.linalg.eigvals(a).real.max() + 0.5) * np.eye(n)
    b = rng.normal(size=n)
    drift = {
        f"x{i}": " + ".join(f"({a[i, j]!r})*x{j}" for j in range(n)).replace("np.float64", "")
        + f" + ({float(b[i])!r})"
        for i in range(n)
    }
    system = System(drift, initial=dict.fromkeys(drift, 1))
    exact = np.linalg.solve(a, -b)
    settled = settle(system)
    assert named(settled) == ["settled"]
    found = np.array([float(settled[f"x{i}"][0]) for i in range(n)])
    np.testing.assert_allclose(found, exact, atol=1e-4 * (1 + np.abs(exact).max()))
    assert equilibria(system).sizes["equilibrium"] == 1


def test_an_orbit_that_closes_after_many_turns_does_not_repeat_after_one() -> None:
    torus = System(
        {"a": "b", "b": "-a", "c": "d/38", "d": "-c/38"}, initial={"a": 1, "b": 0, "c": 1, "d": 0}
    )
    assert float(settle(torus).period[0]) == pytest.approx(38 * 2 * np.pi, rel=1e-5)


def test_near_returns_of_a_chaotic_orbit_are_no_repetition() -> None:
    roessler = zoo.load("roessler")
    start = {name: Uniform(0.5, 1.5) for name in roessler.states}
    assert outcome(roessler.replace(initial=start), n=16) == ["still_moving"] * 16


def test_a_sample_fares_alone_as_among_others() -> None:
    """Some samples repeat, stiffly or not, and some settle."""
    oscillator = System(
        {"x": "y", "y": "mu*(1 - x**2)*y - x"},
        parameters={"mu": Uniform(-2, 40)},
        initial={"x": Uniform(0.1, 1), "y": 0},
    )
    many, few = settle(oscillator, n=40, seed=2), settle(oscillator, n=3, seed=2)
    assert {"periodic", "settled"} <= set(named(many))
    xr.testing.assert_identical(many.isel(sample=slice(3)).drop_attrs(), few.drop_attrs())


def test_what_machine_code_lacks_is_followed_by_the_reference_engine() -> None:
    """The digamma function is 1 at 3.2031714..."""
    settled = settle(
        System({"x": 1 - sp.polygamma(0, sp.Symbol("x"))}, initial={"x": 1}, bounds={"x": AMOUNT})
    )
    assert float(settled.x[0]) == pytest.approx(scipy.optimize.brentq(_below_one, 1, 10))


def _below_one(x: float) -> float:
    return float(scipy.special.digamma(x)) - 1


def test_equilibria_that_are_whole_turns_apart_are_given_once_next_to_zero() -> None:
    pendulums = System(
        {
            "a": "u",
            "u": "-sin(a) - u/2 + 0.3*sin(b - a)",
            "b": "v",
            "v": "-sin(b) - v/2 + 0.3*sin(a - b)",
        },
        initial={"a": 7, "u": 0, "b": 1, "v": 0},
    )
    found = equilibria(pendulums)
    pairs = sorted(zip(found.a.values.round(9), found.b.values.round(9), strict=True))
    np.testing.assert_allclose(pairs, [(0, 0), (0, np.pi), (np.pi, 0), (np.pi, np.pi)], atol=1e-6)
    assert found.stability.values.tolist().count("stable") == 1
    assert found.found_by.values[found.stability == "stable"] == ["integration"]
    assert found.a.attrs["turn"] == found.b.attrs["turn"] == pytest.approx(2 * np.pi)


def test_an_angle_that_is_also_wound_up_has_an_equilibrium_in_every_turn() -> None:
    spring = System({"a": "w", "w": "-4*sin(a) - 0.1*a - w"}, initial={"a": 7, "w": 0})
    found = equilibria(spring)
    assert found.sizes["equilibrium"] > 2
    np.testing.assert_allclose(4 * np.sin(found.a) + 0.1 * found.a, 0, atol=1e-9)
    assert "turn" not in found.a.attrs


@pytest.mark.parametrize("start", [0.5, 1.0, 2.0, 3.5])
def test_a_double_root_attracts_from_one_side_so_that_linearization_cannot_tell(
    start: float,
) -> None:
    found = equilibria(System({"x": "-(x - 1)**2*(x - 3)"}, initial={"x": start}))
    np.testing.assert_allclose(found.x, [1, 3], rtol=1e-5)
    assert found.stability.values.tolist() == ["marginal", "stable"]


@pytest.mark.parametrize("r", [1e-6, 1e-10, -1e-6])
def test_roots_next_to_a_fold_are_told_apart(r: float) -> None:
    found = equilibria(System({"x": "r - (x - 1)**2"}, parameters={"r": r}, initial={"x": 1.5}))
    expected = [1 - np.sqrt(r), 1 + np.sqrt(r)] if r > 0 else []
    np.testing.assert_allclose(found.x, expected, atol=1e-9)
    assert found.stability.values.tolist() == ["unstable", "stable"][: 2 * (r > 0)]


def whirl(damping: float, frequency: float = 1.0) -> System:
    """A damped turn about (0, 0), next to something faster."""
    return System(
        {"x": "-d*x - w*y", "y": "w*x - d*y", "z": "x - 5*z"},
        parameters={"d": damping, "w": frequency},
        initial={"x": 1, "y": 0, "z": 1},
    )


@pytest.mark.parametrize(("damping", "frequency"), [(1e-5, 1), (1e-6, 1), (1, 1e6)])
def test_what_is_hardly_damped_does_not_repeat_and_is_told_when_it_settles(
    damping: float, frequency: float
) -> None:
    limit = settle(whirl(damping, frequency))
    assert named(limit) == ["still_moving"]
    assert float(limit.expected_time[0]) == pytest.approx(np.log(1e6) / damping, rel=0.02)


def test_what_is_not_damped_repeats() -> None:
    limit = settle(whirl(0.0))
    assert named(limit) == ["periodic"]
    assert np.isnan(limit.expected_time[0])


@pytest.mark.parametrize("damping", [1e-2, 1e-3])
def test_light_damping_is_waited_for(damping: float) -> None:
    well = System(
        {"q": "p", "p": "q - q**3 - d*p"}, parameters={"d": damping}, initial={"q": 2, "p": 0}
    )
    limit = settle(well)
    assert named(limit) == ["settled"]
    assert abs(float(limit.q[0])) == pytest.approx(1, rel=1e-6)


def test_a_relaxation_oscillator_has_the_period_of_dorodnitsyn() -> None:
    """(3 - 2 log 2) mu + 7.01432 mu^(-1/3) + O(log(mu)/mu); jumps take a millionth of it."""
    jumps = System({"x": "y", "y": "1000*(1 - x**2)*y - x"}, initial={"x": 2, "y": 0})
    limit = settle(jumps)
    assert named(limit) == ["periodic"]
    assert float(limit.period[0]) == pytest.approx((3 - 2 * np.log(2)) * 1e3 + 0.701432, rel=1e-5)


def test_a_cart_that_may_stand_anywhere_is_listed_once_where_runs_leave_it() -> None:
    """Of its seven ends, apart by the errors of integration, each was an equilibrium."""
    found = equilibria(zoo.load("cart_pendulum"))
    assert found.sizes["equilibrium"] == 1
    np.testing.assert_allclose([found.x, found.theta], 0, atol=1e-6)
