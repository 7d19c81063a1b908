"""What happens at once to stochastic systems: in machine code, in NumPy, alone and together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from physcm.mechanism import Hold, Impulse, Normal, SetParameter, Uniform, When
from physcm.sim import Jump, System
from physcm.sim.modes import Modes
from physcm.sim.one_by_one import OneByOne
from physcm.sim.plan import SystemPlan
from physcm.sim.stochastic.run import run

RING = System(
    {f"x{i}": f"a/(1 + x{i - 1 if i else 4}**4) - x{i}" for i in range(5)},
    parameters={"a": Uniform(2, 4)},
    initial={f"x{i}": Normal(1 + 0.1 * i, 0.1) for i in range(5)},
    noise={f"x{i}": f"0.1*x{i}" for i in range(5)},
    algebraic={"total": "x0 + x1 + x2 + x3 + x4"},
)

WINDOWED = RING.do(
    Hold("x1", 0.5, during=(0.2, 0.555)),
    Impulse("x2", 1, at=0.3),
    Hold("x3", Normal(1, 0.1), during=("0.1*a", 0.9)),
    SetParameter(a=3, during=(0.31, 0.71)),
    Impulse("x2", "x1/2", at=0.3),
    Impulse("x4", 1, at="a/5"),
)
CLOCKED = System(
    {"c": "w", "x": "-x + sin(y)", "y": "-y"},
    parameters={"w": Uniform(0.9, 1.1)},
    initial={"c": 0, "x": 1, "y": 0},
    noise={("x", "a"): "0.3*x", ("y", "a"): 0.2, ("y", "b"): 0.5},
    algebraic={"z": "x*y"},
    jumps={"up": Jump("2 + c**2", {"x": Normal(0, 1)}), "down": Jump("w", {"y": "-y/2"})},
).do(
    When("c > 0.3", Impulse("c", "-c"), rearm=0),
    When("c > 0.2", Hold("y", "x/2", during=(0.017, 0.04)), rearm="c < 0.1"),
    When("c > 0.3 and z < 0.1", SetParameter(w=1.3, during=(0, 0.1)), rearm=0),
    Impulse("x", 1, at="w/2"),
)
"""Its triggers are set off by a state that no noise moves."""


def _run(system: System, times: Any, n: int = 20, **options: Any) -> Any:
    plan = SystemPlan(Modes(system, np.arange(n), 0))
    scheme = options.pop("scheme", "euler-maruyama")
    return run(plan, np.array(times), options.pop("step", 0.01), scheme, **options)


def _assert_alike(one: Any, other: Any, rtol: float) -> None:
    assert one.ended == other.ended
    np.testing.assert_allclose(one.values, other.values, rtol=rtol, atol=rtol)
    variables = len(one.values)
    sides = one.instants.over_samples(variables), other.instants.over_samples(variables)
    for ours, theirs in zip(*sides, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("system", [WINDOWED, CLOCKED], ids=["windows", "triggers and jumps"])
def test_what_happens_to_all_samples_together_happens_as_to_each(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [0, 0.005, 0.1, 0.1234, 0.3, 0.5, 0.999, 1]
    together = _run(system, times)
    monkeypatch.setattr("physcm.sim.stochastic.ensemble.agendas", OneByOne)
    _assert_alike(together, _run(system, times), 1e-9)


@pytest.mark.parametrize("scheme", ["euler-maruyama", "milstein"])
@pytest.mark.parametrize("times", [[0, 0.5, 2], np.linspace(0, 2, 37)], ids=["few", "inside"])
def test_what_happens_inside_steps_happens_in_machine_code_as_in_numpy(
    scheme: str, times: Any
) -> None:
    if scheme == "milstein":
        noise = {("x", "a"): "0.3*x", ("c", "b"): 0}
        system = CLOCKED.replace(noise=noise)
    else:
        system = CLOCKED
    fast, slow = (_run(system, times, scheme=scheme, fast=fast) for fast in (True, False))
    _assert_alike(fast, slow, 1e-9)


NEURON = System(
    {"v": "I - v"}, parameters={"I": Uniform(1.2, 2)}, initial={"v": 0}, noise={"v": 0.1}
)
FIRING = NEURON.do(When("v > 1", Impulse("v", "-v"), rearm=0))


def test_a_noisy_crossing_is_found_in_machine_code_where_numpy_finds_it() -> None:
    fast, slow = (_run(FIRING, [0, 1, 3], n=8, step=0.05, fast=fast) for fast in (True, False))
    one, other = (result.instants.over_samples(1)[0][:, 0] for result in (fast, slow))
    np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("system", [FIRING, CLOCKED], ids=["neuron", "clocked"])
def test_a_sample_to_which_things_happen_is_the_same_alone_and_on_any_number_of_threads(
    system: System,
) -> None:
    times = np.linspace(0, 2, 31)
    many = _run(system, times, n=50, step=0.02, threads=3).values
    few = _run(system, times, n=50, step=0.02, threads=1).values
    plan = SystemPlan(Modes(system, np.array([17]), 0))
    alone = run(plan, times, 0.02, "euler-maruyama").values
    assert many.tobytes() == few.tobytes()
    assert many[:, [17]].tobytes() == alone.tobytes()


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "done",
    [Impulse("x", "log(-1 - y**2)", at=0.123), Hold("x", "log(-1 - y**2)", during=(0.123, 1))],
)
def test_a_state_that_loses_its_value_inside_a_step_is_named(fast: bool, done: Any) -> None:
    system = System({"y": "-y", "x": "-x"}, noise={"x": 0.1, "y": 0.1}, initial={"x": 1, "y": 1})
    result = _run(system.do(done, Hold("y", 2, during=(0.3, 0.4))), [0, 0.1, 1], n=2, fast=fast)
    assert [status.name for status in result.ended] == ["STOPPED", "STOPPED"]
    assert result.why[1] == "at t = 0.123 `x` has no finite value"
    assert np.isfinite(result.values[:, :, 1]).all()
    assert np.isnan(result.values[:, :, 2]).all()
