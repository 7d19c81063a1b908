"""The equilibrium of every sample under every intervention, against closed forms and long runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import root

from physcm.mechanism import (
    Hold,
    InvalidValue,
    Normal,
    Replace,
    SetParameter,
    Shift,
    Uniform,
    UnknownVariable,
    Unsupported,
)
from physcm.sim import System, conservation_laws, steady_states, zoo
from physcm.sim.conservation import law_matrix, under_holds
from physcm.sim.system import System as Dynamics

AMOUNT = (0, float("inf"))


def words(found: xr.Dataset) -> list[str]:
    meanings = found.status.attrs["flag_meanings"].split()
    return [meanings[int(s)] for s in found.status.values.ravel()]


def kinds(found: xr.Dataset) -> list[str]:
    return [str(kind) for kind in found.stability.values.ravel()]


def switch(start: Any) -> System:
    return System({"x": "x - x**3"}, initial={"x": start}, name="switch")


def three_boxes(**rates: float) -> System:
    return System(
        {"A": "-k1*A + k2*B", "B": "k1*A - k2*B - k3*B + k4*C", "C": "k3*B - k4*C"},
        parameters={"k1": 1, "k2": 2, "k3": 3, "k4": 4} | rates,
        initial={"A": 6, "B": 0, "C": 5},
        bounds=dict.fromkeys("ABC", AMOUNT),
        name="three boxes",
    )


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


def test_linear_systems_rest_where_linear_algebra_says() -> None:
    random = np.random.default_rng(0)
    a = random.normal(size=(4, 4)) - 4 * np.eye(4)
    b = random.normal(size=(4, 50))
    drift = {f"x{i}": f"b{i}" + "".join(f"+ ({a[i, j]})*x{j}" for j in range(4)) for i in range(4)}
    system = System(
        drift,
        parameters={f"b{i}": tuple(b[i]) for i in range(4)},
        initial=dict.fromkeys(drift, 1.0),
    )
    found = steady_states(system, n=50)
    x = np.array([found[name].values for name in drift])
    np.testing.assert_allclose(x, -np.linalg.solve(a, b), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(
        found.eigenvalue_real[0], np.sort(np.linalg.eigvals(a).real)[::-1], rtol=1e-9
    )
    assert set(words(found)) == {"reached"}


def test_each_start_rests_in_its_own_basin() -> None:
    starts = (-3.0, -1e-3, 1e-3, 0.4, 5.0)
    found = steady_states(switch(starts), n=5)
    assert found.x.values.tolist() == pytest.approx(np.sign(starts).tolist(), rel=1e-12)
    assert set(words(found)) == {"reached"}


def test_a_start_that_does_not_move_is_reached_though_it_repels() -> None:
    found = steady_states(switch(0.0))
    assert (words(found), kinds(found), found.x.item()) == (["reached"], ["unstable"], 0.0)


def test_what_goes_round_for_ever_has_the_equilibrium_in_its_middle() -> None:
    system = System(
        {"x": "a*x - b*x*y", "y": "c*x*y - d*y"},
        parameters={"a": 1.1, "b": 0.4, "c": 0.1, "d": 0.4},
        initial={"x": 10, "y": 10},
        bounds={"x": AMOUNT, "y": AMOUNT},
    )
    found = steady_states(system)
    assert (words(found), kinds(found)) == (["found"], ["marginal"])
    assert (found.x.item(), found.y.item()) == pytest.approx((0.4 / 0.1, 1.1 / 0.4), rel=1e-12)


def test_a_limit_cycle_has_an_unstable_equilibrium_inside() -> None:
    found = steady_states(
        System(
            {"x": "a + x**2*y - b*x - x", "y": "b*x - x**2*y"},
            parameters={"a": 1, "b": Uniform(2.5, 4)},
            initial={"x": 1.2, "y": 3.5},
            bounds={"x": AMOUNT, "y": AMOUNT},
            name="brusselator",
        ),
        n=20,
    )
    assert set(words(found)) == {"found"}
    assert set(kinds(found)) == {"unstable"}
    np.testing.assert_allclose(found.x, 1.0, rtol=1e-12)


@pytest.mark.parametrize("held", [{}, {"S": 2.0}, {"S": 1e-3}, {"E": 0.3}, {"P": 3.0}])
def test_the_enzyme_rests_at_its_closed_form(
    held: dict[str, float], enzyme_at_rest: Callable[..., dict[str, float]]
) -> None:
    found = steady_states(enzyme(), [[Hold(name, value) for name, value in held.items()]])
    assert (words(found), kinds(found)) == (["reached"], ["stable"])
    for name, value in enzyme_at_rest(**held).items():
        assert found[name].item() == pytest.approx(value, rel=1e-12)


def test_a_flow_without_an_equilibrium_is_told_by_what_it_does() -> None:
    found = steady_states(enzyme(), [Hold("C", 0.2), Hold("S", 2.0)])
    assert words(found) == ["diverged", "reached"]
    assert np.isnan(found.P.values[0, 0])
    assert kinds(found) == ["", "stable"]


def test_searches_without_success_are_the_same_together_as_one_by_one() -> None:
    holds = [Hold("C", 0.2), Hold("C", 0.4), Hold("S", 2.0), Hold("C", 0.1)]
    together = steady_states(enzyme(), holds)
    names = ["status", *enzyme().variables]
    for k, hold in enumerate(holds):
        alone = steady_states(enzyme(), [hold])
        assert together.isel(intervention=[k])[names].identical(alone[names])


def test_totals_are_those_of_the_start() -> None:
    found = steady_states(three_boxes())
    a, b, c = (found[name].item() for name in "ABC")
    assert (a, b, c) == pytest.approx((11 * 8 / 15, 11 * 4 / 15, 11 * 3 / 15), rel=1e-14)


def test_a_rate_of_zero_leaves_more_conserved() -> None:
    found = steady_states(three_boxes(), SetParameter(k3=0, k4=0))
    assert (words(found), kinds(found)) == (["reached"], ["stable"])
    assert [found[name].item() for name in "ABC"] == pytest.approx([4, 2, 5], rel=1e-12)


def test_what_dies_out_is_zero() -> None:
    found = steady_states(
        System({"x": "-x", "y": "x - y + 1"}, initial={"x": 3, "y": 0}, bounds={"x": AMOUNT})
    )
    assert (found.x.item(), found.y.item()) == (0.0, 1.0)


def test_special_functions_take_the_reference_engine() -> None:
    found = steady_states(System({"x": "gamma(x + 1) - 2*x"}, initial={"x": 0.5}))
    x = found.x.item()
    assert words(found) == ["reached"]
    assert math.gamma(x + 1) == pytest.approx(2 * x, rel=1e-12)


FAMILY = [
    Hold("A", 2),
    SetParameter(k2=0.5),
    [Hold("C", 1), SetParameter(k1=3, k2=1)],
    Shift("A", "1 - A"),
    Replace("C", "B - 2*C"),
    Hold("B", "2*k4"),
    Hold("B", Uniform(1, 2)),
    SetParameter(k4=Normal(4, 0.1)),
    [Hold("A", 2), Hold("B", 1)],
    [],
]


def test_interventions_together_are_interventions_one_by_one() -> None:
    system = three_boxes().replace(initial={"A": Uniform(1, 2), "B": 1, "C": Uniform(0, 3)})
    together = steady_states(system, FAMILY, n=3, seed=5)
    for place, entry in enumerate(FAMILY):
        family = entry if isinstance(entry, list) else [entry]
        own = steady_states(system.do(*family), n=3, seed=5)
        assert words(together.isel(intervention=place)) == words(own)
        for name in "ABC":
            np.testing.assert_allclose(
                together[name].values[place], own[name].values, rtol=1e-11, atol=1e-14
            )


def test_interventions_are_named() -> None:
    found = steady_states(three_boxes(), [Hold("A", 2), SetParameter(k2=0.5)])
    assert found.intervention.values.tolist() == ["do(A = 2)", "k2 = 0.5"]
    assert found.A.dims == ("intervention", "sample")


def rough() -> System:
    """A system with all kinds of functions, some of whose samples go round for ever."""
    return System(
        {
            "x": "exp(-z) - d*x + tanh(y)/(1 + x**1.7)",
            "y": "a*x**h/(1 + x**h) - y + sqrt(x + 1)",
            "z": "y*log(1 + y) - z",
        },
        parameters={"a": Uniform(0, 4), "h": Uniform(1, 8), "d": Uniform(0.1, 2)},
        initial={"x": Uniform(0, 3), "y": 0, "z": 0.5},
        bounds=dict.fromkeys("xyz", AMOUNT),
        name="rough",
    )


def test_results_do_not_depend_on_threads_or_on_other_samples() -> None:
    many = steady_states(rough(), n=700, threads=2)
    xr.testing.assert_identical(many, steady_states(rough(), n=700, threads=1))
    few = steady_states(rough(), n=3)
    for name in (*"xyz", "status", "eigenvalue_real"):
        np.testing.assert_array_equal(few[name].values, many[name].values[:3])


def test_a_sample_under_an_intervention_is_the_same_whatever_else_is_done() -> None:
    holds = [Hold("x", value) for value in np.linspace(0.1, 3, 40).tolist()]
    together = steady_states(rough(), [*holds, Hold("y", 1.0)], n=2)
    alone = steady_states(rough(), [holds[7], Hold("y", 1.0)], n=2)
    np.testing.assert_array_equal(together.z.values[[7, 40]], alone.z.values)


def settles(system: Dynamics, x0: np.ndarray[Any, Any], p: np.ndarray[Any, Any]) -> Any:
    """Return where LSODA comes to rest, None if it goes on moving."""

    def rates(t: float, x: Any) -> Any:
        return system.rates.vector(t, x[:, np.newaxis], p[:, np.newaxis])[:, 0]

    with np.errstate(all="ignore"):
        run = solve_ivp(rates, (0, 5000), x0, method="LSODA", rtol=1e-9, atol=1e-12)
    end = run.y[:, -1]
    rests = run.success and np.abs(rates(0, end)).max() < 1e-8 * max(1.0, np.abs(end).max())
    return root(lambda x: rates(0, x), end, method="hybr", tol=1e-13).x if rests else None


def network(kind: str, size: int, seed: int) -> System:
    """Return a random generalized Lotka-Volterra system, or a random network of Hill functions."""
    random = np.random.default_rng(seed)
    names = [f"x{i}" for i in range(size)]
    if kind == "Lotka-Volterra":
        a = random.normal(-0.3, 0.5, (size, size))
        a[np.diag_indices(size)] = -1 - np.abs(a).sum(axis=1)
        growth = random.uniform(0.2, 1, size)
        drift = {
            x: f"{x}*({g!r}"
            + "".join(f" + ({w!r})*{y}" for y, w in zip(names, row, strict=True))
            + ")"
            for x, g, row in zip(names, growth.tolist(), a.tolist(), strict=True)
        }
    else:
        drift = {}
        for x in names:
            cause, k, h = random.choice(names), random.uniform(0.3, 2), random.integers(1, 5)
            top = f"{cause}**{h}" if random.random() < 0.5 else f"{k**h}"
            production = f"0.05 + {random.uniform(1, 3)}*{top}/({k**h} + {cause}**{h})"
            drift[x] = f"{production} - {random.uniform(0.3, 1.5)}*{x}"
    starts = random.uniform(0.05, 2, (size, 4))
    return System(
        drift,
        initial=dict(zip(names, map(tuple, starts.tolist()), strict=True)),
        bounds=dict.fromkeys(names, AMOUNT),
        name=kind,
    )


@settings(max_examples=25)
@given(
    kind=st.sampled_from(["Lotka-Volterra", "Hill"]),
    size=st.integers(2, 6),
    seed=st.integers(0, 2**31),
)
def test_the_flow_of_a_random_network_rests_where_lsoda_takes_it(
    kind: str, size: int, seed: int
) -> None:
    system = network(kind, size, seed)
    found = steady_states(system, n=4)
    x0, p = system.draw(np.arange(4), 0)
    for k in range(4):
        end = settles(system, x0[:, k], p[:, k])
        if end is not None:
            assert words(found)[k] == "reached"
            x = [found[name].values[k] for name in system.states]
            np.testing.assert_allclose(x, end, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["basic_enzyme", "seir", "toggle_switch", "hodgkin_huxley"])
@pytest.mark.parametrize("seed", range(2))
def test_zoo_systems_rest_where_their_long_run_ends(name: str, seed: int) -> None:
    system = zoo.load(name)
    found = steady_states(system, seed=seed)
    x0, p = system.draw(np.array([0]), seed)
    end = settles(system, x0[:, 0], p[:, 0])
    if end is not None:
        np.testing.assert_allclose([found[x].item() for x in system.states], end, rtol=1e-6)


@pytest.mark.parametrize("held", [("A",), ("B",), ("A", "C"), ("A", "B", "C")])
def test_holds_break_the_laws_that_they_take_part_in(held: tuple[str, ...]) -> None:
    system = System(
        {"A": "-A*B + C", "B": "-A*B + C", "C": "A*B - C", "D": "-D + E", "E": "D - E"},
        initial=dict.fromkeys("ABCDE", 1.0),
    )
    left = under_holds(conservation_laws(system), held)
    exact = conservation_laws(system.do(**dict.fromkeys(held, 1.0)))
    assert {str(law) for law in left} == {*map(str, exact), *held}


def test_noise_time_and_unknown_names_are_refused() -> None:
    with pytest.raises(Unsupported, match="noise"):
        steady_states(System({"x": "-x"}, noise={"x": 1}, initial={"x": 1}))
    with pytest.raises(Unsupported, match="time"):
        steady_states(System({"x": "sin(t) - x"}, initial={"x": 1}))
    with pytest.raises(UnknownVariable, match="`D`"):
        steady_states(three_boxes(), [Hold("A", 1), Hold("D", 1)])
    with pytest.raises(InvalidValue, match="list of interventions"):
        steady_states(three_boxes(), "A = 1")
    with pytest.raises(InvalidValue, match="n is `0`"):
        steady_states(three_boxes(), n=0)
    with pytest.raises(InvalidValue, match="threads"):
        steady_states(three_boxes(), threads=0)


REACHED, FOUND = "reached", "found"
BIOMODELS = {
    5: (FOUND, "unstable"),
    9: (REACHED, "stable"),
    10: (FOUND, "unstable"),
    12: (FOUND, "unstable"),
    23: (REACHED, "stable"),
    26: (REACHED, "stable"),
    27: (REACHED, "stable"),
    35: (FOUND, "unstable"),
    38: (REACHED, "stable"),
    52: (REACHED, "marginal"),
    62: (REACHED, "stable"),
    64: (REACHED, "stable"),
    65: (REACHED, "stable"),
    203: (REACHED, "stable"),
    258: (REACHED, "stable"),
    310: (REACHED, "stable"),
}
"""Models 5, 10, 12 and 35 were published as oscillators, 26 and 27 as bistable; in 52 the sugar
is used up, and what its acids leave is a continuum."""


@pytest.mark.slow
@pytest.mark.parametrize("number", BIOMODELS)
def test_every_biomodel_has_a_true_answer(number: int, shared_data: Path) -> None:
    system = System.from_sbml(shared_data / "biomodels" / f"BIOMD{number:010}.xml")
    found = steady_states(system)
    assert (words(found)[0], kinds(found)[0]) == BIOMODELS[number]
    x = np.array([found[name].item() for name in system.states])
    x0, p = system.draw(np.array([0]), 0)
    rates = system.rates.vector(0.0, x[:, np.newaxis], p)[:, 0]
    slope = np.abs(system.rates.jacobian.dense(0.0, x, p[:, 0])) @ np.abs(x)
    assert (np.abs(rates) <= 1e-12 * slope + 1e-15 * np.abs(x).max()).all()
    weights = law_matrix(conservation_laws(system), system.states)
    sizes = np.abs(weights) @ np.abs(x)
    assert (np.abs(weights @ (x - x0[:, 0])) <= 1e-12 * sizes).all()
    if BIOMODELS[number][0] == REACHED and (x != x0[:, 0]).any():
        slowest = -found.eigenvalue_real.values[found.eigenvalue_real < -1e-9].max()
        run = solve_ivp(
            lambda t, y: system.rates.scalar(t, y, p[:, 0].tolist()),
            (0, 50 / slowest), x0[:, 0], method="LSODA", rtol=1e-8,
            atol=1e-10 * np.abs(x).max(),
            jac=lambda t, y: system.rates.jacobian.dense(t, y, p[:, 0]),
        )  # fmt: skip
        np.testing.assert_allclose(run.y[:, -1], x, rtol=1e-4, atol=1e-6 * np.abs(x).max())


@pytest.mark.slow
@pytest.mark.parametrize("number", [10, 23, 27, 38, 203, 258])
def test_libroadrunner_finds_the_same_steady_state(number: int, shared_data: Path) -> None:
    roadrunner = pytest.importorskip("roadrunner")
    path = shared_data / "biomodels" / f"BIOMD{number:010}.xml"
    system = System.from_sbml(path)
    found = steady_states(system)
    runner = roadrunner.RoadRunner(str(path))
    runner.conservedMoietyAnalysis = True
    runner.steadyState()
    for name in runner.model.getFloatingSpeciesIds():
        theirs = runner[f"[{name}]"]
        assert found[f"concentration({name})"].item() == pytest.approx(theirs, rel=1e-6, abs=1e-9)
