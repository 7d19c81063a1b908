"""Runs that go wrong end, say how, and count for nothing from there on."""

from __future__ import annotations

import re
from typing import Any

import networkx as nx
import numpy as np
import pytest
import xarray as xr

from physcm.mechanism import Hold, Impulse, Shift, Unsupported
from physcm.sim import Event, Jump, Scipy, System, engine, hybrid, simulate
from physcm.sim.fused import ensemble
from physcm.sim.status import RunStatus

TIMES = [0, 0.5, 1.5, 2, 3]
BLOWUP = System({"x": "x**2", "y": "-y"}, initial={"x": 1, "y": 1})
LOGARITHM = System({"x": "-1", "y": "log(x)"}, initial={"x": 1.75, "y": 1})
BALL = System(
    {"h": "v", "v": "-9.81"},
    initial={"h": 1, "v": 0},
    events={"bounce": Event("h < 0", {"v": "-0.5*v", "h": 0})},
)
GRAPH = nx.path_graph(3)


def with_event(system: System) -> System:
    return system.replace(events={"e": Event("t > 0.3", {"y": "y + 1"})})


ENGINES: dict[str, tuple[Any, dict[str, Any]]] = {
    "smooth": (lambda s: s, {}),
    "RK45": (lambda s: s, {"engine": Scipy("RK45")}),
    "Radau": (lambda s: s, {"engine": Scipy("Radau")}),
    "window": (lambda s: s.do(Shift("y", 1, during=(0.2, 0.4))), {}),
    "event": (with_event, {}),
    "event RK45": (with_event, {"engine": Scipy("RK45")}),
    "time limit": (lambda s: s, {"time_limit": 60}),
}


def columns(run: xr.Dataset) -> np.ndarray:
    return np.stack([run[name].values for name in ("x", "y")])


@pytest.mark.parametrize("engine", ENGINES)
def test_what_grows_without_bound_has_diverged_and_counts_for_nothing_afterwards(
    engine: str,
) -> None:
    change, options = ENGINES[engine]
    run = simulate(change(BLOWUP), TIMES, **options)
    assert run.status.values.tolist() == [1]
    np.testing.assert_array_equal(np.isnan(columns(run)[:, 0]), [[False] * 2 + [True] * 3] * 2)
    # x is infinite at t = 1, and was last saved at t = 0.5.
    told = r"sample 0: after t = (0\.5|1) the state grows without bound, `x`"
    assert re.match(told, run.attrs["trouble"])


@pytest.mark.parametrize("engine", ENGINES)
def test_what_leaves_the_domain_is_reported_with_sample_time_and_variable(engine: str) -> None:
    change, options = ENGINES[engine]
    run = simulate(change(LOGARITHM), TIMES, **options)
    assert run.status.values.tolist() == [2]
    assert np.isnan(columns(run)[:, 0, 3:]).all()
    assert "sample 0: at t = 1.75" in run.attrs["trouble"]
    assert "the drift of `y`, `log(x)`, has no finite value (x = -" in run.attrs["trouble"]


@pytest.mark.parametrize(
    ("system", "status", "why"),
    [
        (BLOWUP, RunStatus.DIVERGED, r"after t = 1\.\d+ the state grows without bound, `x` the m"),
        (
            LOGARITHM,
            RunStatus.STOPPED,
            r"at t = 1\.7\d* the drift of `y`, `log\(x\)`, has no finite",
        ),
    ],
    ids=["grows", "leaves"],
)
@pytest.mark.parametrize(
    "change",
    [
        lambda s: s,
        lambda s: s.do(Shift("y", 1, during=(0.2, 0.415))),
        lambda s: s.replace(jumps={"j": Jump(1, {"y": 0.1})}),
    ],
    ids=["alone", "window", "jumps"],
)
def test_with_noise_a_lost_sample_is_missing_from_there_on_and_reported(
    system: System, status: RunStatus, why: str, change: Any
) -> None:
    run = simulate(change(system.replace(noise={"y": 0.01})), TIMES, step=0.01, n=2)
    assert (run.status == status).all()
    missing = np.isnan(columns(run))
    assert (missing == missing[0]).all()
    assert missing[..., -1].all()
    assert not missing[..., 0].any()
    assert re.search(f"sample 1: {why}", run.attrs["trouble"])


@pytest.mark.parametrize("options", [{}, {"step": 0.01}], ids=["ODE", "SDE"])
def test_on_torch_a_lost_sample_ends_as_on_the_reference(options: dict[str, Any]) -> None:
    noise = {"y": 0.01} if options else {}
    for system in (BLOWUP, LOGARITHM):
        torch, reference = (
            simulate(system.replace(noise=noise), [0, 0.5, 3], n=2, engine=engine, **options)
            for engine in ("torch", "auto")
        )
        np.testing.assert_array_equal(torch.status, reference.status)
        told = [re.sub(r"-?\d\.?\S*", "#", run.attrs["trouble"]) for run in (torch, reference)]
        assert told[0] == told[1]


CHANGES: dict[str, System] = {
    "event": LOGARITHM.replace(events={"e": Event("t > 0.7", {"y": "log(-y)"})}),
    "impulse": LOGARITHM.do(Impulse("y", "log(-y)", at=0.7)),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_to_no_number_is_reported(kind: str) -> None:
    run = simulate(CHANGES[kind], TIMES)
    assert run.status.values.tolist() == [2]
    assert run.attrs["trouble"] == "sample 0: at t = 0.7 `y` has no finite value"


def test_a_derived_variable_without_a_value_is_reported() -> None:
    run = simulate(System({"x": "-1"}, initial={"x": 1}, algebraic={"w": "log(x)"}), TIMES)
    assert run.status.values.tolist() == [0]
    assert run.attrs["trouble"] == "sample 0: at t = 1.5 `w` has no finite value"


def test_a_trajectory_that_is_held_counts_for_nothing_after_the_end_either() -> None:
    run = simulate(LOGARITHM.do(Hold("x", "log(1 - t)")), TIMES)
    assert np.isnan(columns(run)[:, 0, 2:]).all()


def test_a_run_in_which_all_is_well_reports_no_trouble() -> None:
    assert "trouble" not in simulate(BLOWUP, [0, 0.5]).attrs


@pytest.mark.parametrize("engine", ["numba", "scipy", Scipy("RK45")], ids=str)
def test_a_ball_that_bounces_ever_faster_meets_the_step_limit_at_its_rest(engine: Any) -> None:
    run = simulate(BALL, [0, 1, 2, 3], engine=engine)
    rest = np.sqrt(2 / 9.81) * (1 + 2 * 0.5 / (1 - 0.5))
    assert run.status.item() == RunStatus.STEP_LIMIT
    assert run.instant_time.max() == pytest.approx(rest, rel=1e-6)
    assert np.isnan(run.h[0, 2:]).all()
    assert "again and again without end" in run.attrs["trouble"]


WAVE = System({"x": "sin(50*t)", "y": "-y"}, initial={"x": 0, "y": 1})
WINDOW = Shift("y", 1, during=(0.2, 0.4))


@pytest.mark.parametrize(
    "system", [WAVE, WAVE.do(WINDOW), with_event(WAVE)], ids=["", "window", "event"]
)
@pytest.mark.parametrize("kind", ["numba", "scipy", Scipy("RK45"), Scipy("Radau")], ids=str)
def test_a_run_that_takes_too_many_steps_says_so(
    system: System, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble, "_MOST_STEPS", 150)
    monkeypatch.setattr(engine.integrate, "__defaults__", ("LSODA", 150))
    monkeypatch.setattr(hybrid.Settings.__init__, "__defaults__", (np.inf, 150, 1000))
    run = simulate(system, [0, 0.1, 60], engine=kind)
    assert run.status.item() == RunStatus.STEP_LIMIT
    assert np.isnan(run.x[0]).values.tolist() == [False, False, True]
    assert "sample 0: the step limit was reached after t = " in run.attrs["trouble"]


def test_a_network_that_takes_too_many_steps_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hybrid.Settings.__init__, "__defaults__", (np.inf, 150, 1000))
    network = System.from_network({"x": "sin(50*t) + inputs"}, "0", GRAPH, initial={"x": 1})
    run = simulate(network, [0, 0.1, 60])
    assert run.status.item() == RunStatus.STEP_LIMIT
    assert "sample 0: the step limit was reached after t = 0.1" in run.attrs["trouble"]


def test_jumps_without_end_within_a_step_meet_the_step_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("physcm.sim.fused.stochastic.MOST_PIECES", 50)
    system = System(
        {"x": "0"}, initial={"x": 0}, jumps={"j": Jump("where(t > 1, 1e6, 0)", {"x": 1})}
    )
    run = simulate(system, [0, 1, 2], step=0.1)
    assert run.status.item() == RunStatus.STEP_LIMIT
    assert run.attrs["trouble"] == "sample 0: the step limit was reached after t = 1"


@pytest.mark.parametrize("events", [{}, {"e": Event("t > 2", {"x": "x + 1"})}], ids=["", "event"])
@pytest.mark.parametrize("kind", ["numba", pytest.param("scipy", marks=pytest.mark.slow)])
def test_steps_that_lead_nowhere_come_to_an_end(kind: str, events: dict[str, Event]) -> None:
    system = System({"x": "where(x > 1, -1, 1)"}, initial={"x": 0}, events=events)
    run = simulate(system, [0, 0.5, 3], engine=kind)
    assert run.status.item() == RunStatus.STEP_LIMIT
    assert np.isnan(run.x[0]).values.tolist() == [False, False, True]


def ring(**options: Any) -> Any:
    return System.from_network(
        {"x": "-1 + log(x) + inputs/1000"}, "x_cause", GRAPH, initial={"x": 1}, **options
    )


@pytest.mark.parametrize("options", [{}, {"noise": {"x": 0.01}}])
def test_a_node_that_leaves_the_domain_is_reported_by_name(options: dict[str, Any]) -> None:
    run = simulate(ring(**options), [0, 5], step=0.01 if options else None)
    assert (run.status > 0).all()
    assert np.isnan(run.x[0, 1]).all()
    assert "sample 0: at t = 5 `x[0]` has no finite value" in run.attrs["trouble"]


def test_every_engine_keeps_its_time_limit_or_refuses_it() -> None:
    firing = System.from_reactions({"tick": ("1e7", {"N": 1})}, initial={"N": 0})
    still = {"x": "-x + inputs"}
    noisy = System.from_network(still, "x_cause", GRAPH, initial={"x": 1}, noise={"x": 0.1})
    quick = System({"x": "-x"}, initial={"x": 1})
    network = System.from_network(still, "x_cause", GRAPH, initial={"x": 1})
    late = [
        simulate(firing, [0, 10], n=3, engine="gillespie", time_limit=0.1),
        simulate(noisy, [0, 10], n=3, step=1e-5, time_limit=0.1),
        simulate(network, [0, 10], n=3, time_limit=1e-9),
        simulate(quick, [0, 10], n=3, engine="scipy", time_limit=1e-9),
        simulate(with_event(BLOWUP), [0, 10], n=3, time_limit=1e-9),
        simulate(quick.replace(noise={"x": 0.1}), [0, 10], n=3, step=1e-4, time_limit=1e-9),
    ]
    assert [run.status.values.tolist() for run in late] == [[3] * 3] * len(late)
    with pytest.raises(Unsupported, match="torch engine has no time limit; leave out"):
        simulate(quick, [0, 1], engine="torch", time_limit=1)
