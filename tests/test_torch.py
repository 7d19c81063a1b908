"""The torch engine computes what the reference engine computes, and its slopes are true slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from physcm.mechanism import Normal, SetParameter, Uniform, Unsupported
from physcm.mechanism.randomness import step_normals
from physcm.sim import System, simulate, zoo
from physcm.sim.differentiable import differentiable, simulate_torch
from physcm.sim.torch_engine import Torch

torch = pytest.importorskip("torch", reason='needs pip install "physcm[torch]"')
torch_sde = pytest.importorskip("physcm.sim.torch_sde", reason="needs torchsde")
torch_noise = pytest.importorskip("physcm.sim.torch_noise", reason="needs PyTorch")

TIMES = np.linspace(0, 2, 5)
pair = {"x": 1, "y": 0.5}
NOISY = {
    "additive": System(
        {"x": "-x + y", "y": "-k*y"}, parameters={"k": 2, "s": Uniform(0.1, 1)}, initial=pair,
        noise={("x", "a"): "s", ("x", "b"): "s*cos(t)", ("y", "a"): 0.2},
    ),
    "diagonal": System(
        {"x": "-k*x", "y": "x*z", "z": "x - z"}, parameters={"k": Normal(1, 0.1), "s": 0.3},
        initial={**pair, "z": "y(0)"}, noise={"x": "s*x", "z": "s*sqrt(1 + z**2)"},
    ),
    "scalar": System(
        {"x": "-k*x", "y": "x - y"}, parameters={"k": 1, "s": 0.3}, initial=pair,
        noise={("x", "w"): "s*y", ("y", "w"): "s*x*level"}, algebraic={"level": "1 + t"},
    ),
    "general": System(
        {"x": "-k*x", "y": "x - y"}, parameters={"k": 1, "s": 0.3}, initial=pair,
        noise={("x", "v"): "s*y", ("x", "w"): "s*x", ("y", "w"): "s"},
    ),
}  # fmt: skip

SHARED = {("x", "w"): "w", ("w", "w"): 1}


def held(system: System) -> System:
    """Hold a state a little off its initial value, one that is held alone if there is one."""
    alone = [x for x in system.states if not any(x in group for group in system.held_together)]
    name = (*alone, *system.states)[0]
    x0, _ = system.draw(np.arange(1), 0)
    return system.do(**{name: 0.99 * x0[system.states.index(name), 0] or 0.1})


@pytest.mark.parametrize("change", [lambda system: system, held], ids=["free", "held"])
@pytest.mark.parametrize("name", zoo.names())
def test_every_system_of_the_zoo_runs_as_on_the_reference_engine(
    name: str, change: Callable[[System], System]
) -> None:
    system = change(zoo.load(name))
    if system.events or system.jumps or system.reflected:
        with pytest.raises(Unsupported, match="cannot carry out"):
            differentiable(system)
        return
    exact = {"step": 0.05} if system.noise else {"rtol": 1e-10}
    engine = "euler-maruyama" if system.noise else "auto"
    expected = simulate(system, TIMES / 2, n=2, seed=1, engine=engine, **exact)
    computed = differentiable(system)(TIMES / 2, n=2, seed=1, **exact)
    assert computed.keys() == {*system.states, *system.derived}
    for variable, values in computed.items():
        scale = np.abs(expected[variable]).max()
        np.testing.assert_allclose(values, expected[variable], rtol=1e-6, atol=1e-6 * scale)
    states = simulate_torch(system, TIMES / 2, 2, 1, **exact)
    for row, variable in zip(states, system.states, strict=True):
        np.testing.assert_allclose(row, computed[variable], rtol=1e-12)


def slopes(function: Callable[[dict[str, Any]], Any], at: dict[str, float]) -> dict[str, float]:
    """Central differences of the reference engine."""
    found = {}
    for name, value in at.items():
        step = 1e-4 * max(1.0, abs(value))
        up, down = (function({**at, name: value + sign * step}) for sign in (1, -1))
        found[name] = (up - down) / (2 * step)
    return found


def reached(system: System, **options: Any) -> float:
    """The sum of all states at the end of a run of the reference engine."""
    run = simulate(system, TIMES, **options)
    return sum(float(run[name][0, -1]) for name in system.states)


def assert_slopes(
    system: System, kind: str, at: dict[str, float], changed: Callable[[dict[str, Any]], System]
) -> None:
    tensors = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in at.items()}
    computed = differentiable(system)(TIMES, rtol=1e-9, **{kind: tensors})
    sum(computed[name][0, -1] for name in system.states).backward()
    expected = slopes(lambda values: reached(changed(values), rtol=1e-11), at)
    largest = max(map(abs, expected.values()))
    for name, tensor in tensors.items():
        assert tensor.grad is not None, name
        assert float(tensor.grad) == pytest.approx(expected[name], rel=2e-5, abs=1e-6 * largest)


SMOOTH = (
    "basic_enzyme coupled_oscillators lotka_volterra mapk_single repressilator toggle_switch "
    "torricelli_bathtub viral_infection"
).split()


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_with_respect_to_parameters_are_true(name: str) -> None:
    system = zoo.load(name)
    plain = {k: float(v) for k, v in system.parameters.items() if not isinstance(v, sp.Expr)}
    assert_slopes(system, "parameters", plain, lambda v: system.do(SetParameter(**v)))


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_with_respect_to_initial_values_are_true(name: str) -> None:
    system = zoo.load(name)
    x0, _ = system.draw(np.arange(1), 0)
    start = dict(zip(system.states, x0[:, 0].tolist(), strict=True))
    assert_slopes(
        system.replace(initial=start), "initial", start, lambda v: system.replace(initial=v)
    )


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_with_respect_to_held_values_are_true(name: str) -> None:
    system, first = zoo.load(name), zoo.load(name).states[0]
    at = {first: float(held(system).parameters[f"do({first})"])}
    assert_slopes(held(system), "held", at, lambda v: system.do(**v))


@given(
    seed=st.integers(0, 2**70),
    first=st.integers(0, 2**62),
    step=st.integers(0, 2**62),
    sources=st.lists(st.text(max_size=5), min_size=1, max_size=3),
)
def test_draws_on_a_device_are_those_of_the_counter(
    seed: int, first: int, step: int, sources: list[str]
) -> None:
    samples = first + np.arange(5)
    drawn = torch_noise.StepNormals(seed, sources, torch.as_tensor(samples)).of(step)
    expected = np.stack([step_normals(seed, name, samples, step) for name in sources], axis=1)
    np.testing.assert_allclose(drawn, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("kind", "method", "scheme"),
    [*((kind, "euler", "euler-maruyama") for kind in NOISY), ("additive", "srk", "sra1")],
)
def test_noise_is_that_of_the_reference_engine(kind: str, method: str, scheme: str) -> None:
    system = NOISY[kind]
    assert torch_sde.structure(system, "srk")[0] == kind
    expected = simulate(system, TIMES, n=4, seed=3, step=0.01, engine=scheme)
    computed = differentiable(system, Torch(method))(TIMES, n=4, seed=3, step=0.01)
    for variable, values in computed.items():
        np.testing.assert_allclose(values, expected[variable], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("kind", NOISY)
def test_gradients_along_a_noisy_path_are_true(kind: str) -> None:
    system = NOISY[kind].do(SetParameter(k=1.3, s=0.4))
    at = {"k": 1.3, "s": 0.4}
    tensors = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in at.items()}
    computed = differentiable(system)(TIMES, parameters=tensors, seed=2, step=0.05)
    sum(computed[name][0, -1] for name in system.states).backward()
    same = {"seed": 2, "step": 0.05, "engine": "euler-maruyama"}
    expected = slopes(lambda v: reached(system.do(SetParameter(**v)), **same), at)
    assert {k: float(v.grad) for k, v in tensors.items()} == pytest.approx(expected, rel=1e-5)


def geometric(calculus: str) -> System:
    """dX = X dW beside W itself: X = exp(W), in Ito's sense exp(W - t/2)."""
    return System(
        {"x": "0", "w": "0"}, initial={"x": 1, "w": 0}, calculus=calculus,
        noise={("x", "w"): "x", ("w", "w"): 1},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("calculus", "method", "order"),
    [
        ("ito", "euler", 0.5),
        ("ito", "milstein", 1),
        ("ito", "srk", 1.5),
        ("stratonovich", "auto", 1),
        ("stratonovich", "midpoint", 1),
        ("stratonovich", "euler_heun", 1),
        ("stratonovich", "milstein", 1),
        ("stratonovich", "reversible_heun", 0.5),
    ],
)
def test_methods_converge_pathwise_with_their_order(
    calculus: str, method: str, order: float
) -> None:
    errors = []
    for step in (1 / 16, 1 / 256):
        solver = differentiable(geometric(calculus), Torch(method))
        run = solver([0, 1], n=400, seed=1, step=step)
        exact = torch.exp(run["w"][:, -1] - (0.5 if calculus == "ito" else 0))
        errors.append(float((run["x"][:, -1] - exact).square().mean().sqrt()))
    assert np.log(errors[0] / errors[1]) / np.log(16) > 0.8 * order


@pytest.mark.parametrize("method", ["milstein", "srk"])
def test_an_iterated_integral_is_exact_where_one_source_drives_two_states(method: str) -> None:
    area = System({"x": "0", "w": "0"}, initial=dict.fromkeys("xw", 0), noise=SHARED)
    run = differentiable(area, Torch(method))([0, 1], n=10, step=0.125)
    np.testing.assert_allclose(run["x"][:, -1], (run["w"][:, -1] ** 2 - 1) / 2, atol=1e-12)


def test_stratonovich_noise_agrees_with_the_converted_reference() -> None:
    system = geometric("stratonovich")
    run = differentiable(system)([0, 1], n=20_000, step=0.05)
    assert float(run["x"][:, -1].mean()) == pytest.approx(np.exp(0.5), rel=0.03)
    path, reference = (
        differentiable(system)([0, 1], n=50, step=0.001)["x"],
        simulate(system, [0, 1], n=50, step=0.001, engine="euler-maruyama").x,
    )
    np.testing.assert_allclose(path, reference, rtol=0.2)


def test_what_is_computed_from_a_parameter_follows_and_carries_its_slope() -> None:
    system = System(
        {"x": "-rate*x"}, parameters={"k": Uniform(1, 2), "rate": "2*k", "m": 1},
        initial={"x": "rate*m"},
    )  # fmt: skip
    k = torch.tensor([1.0, 3.0], dtype=torch.float64, requires_grad=True)
    x = differentiable(system)([0, 0.5], parameters={"k": k}, n=2)["x"]
    np.testing.assert_allclose(x[:, 1].detach(), 2 * np.array([1, 3]) * np.exp([-1, -3]), rtol=1e-7)
    x[:, 1].sum().backward()
    np.testing.assert_allclose(k.grad, 2 * (1 - np.array([1, 3])) * np.exp([-1, -3]), atol=1e-6)
    fixed = differentiable(system)([0, 0.5], parameters={"k": 1.0, "rate": 0.0})["x"]
    assert fixed.tolist() == [[0, 0]]


def test_a_sample_that_diverges_is_nan_and_leaves_the_others_alone() -> None:
    system = System({"x": "x**2"}, initial={"x": [-1.0, 1.0, 0.5, -2.0]})
    times, n = np.linspace(0, 1.6, 4), 4  # the second is infinite at t = 1, and none at these
    expected = simulate(system, times, n=n).x
    np.testing.assert_allclose(differentiable(system)(times, n=n)["x"], expected, rtol=1e-6)
    assert np.isnan(expected[1, -2:]).all()


def test_a_short_pulse_is_never_stepped_over() -> None:
    pulse = System(
        {"x": "where(t >= a and t < a + 0.01, k, 0)"},
        parameters={"a": [0.5, 37.03, 99], "k": 100}, initial={"x": 0},
    )  # fmt: skip
    k = torch.tensor(100.0, dtype=torch.float64, requires_grad=True)
    x = differentiable(pulse)([0, 120], parameters={"k": k}, n=3)["x"][:, 1]
    np.testing.assert_allclose(x.detach(), 1, rtol=1e-6)
    x.sum().backward()
    assert float(k.grad) == pytest.approx(0.03)
    with pytest.raises(Unsupported, match="switches at a time that is computed from `a`, which"):
        differentiable(pulse)([0, 120], parameters={"a": k})


@pytest.mark.parametrize("method", ["dopri5", "dopri8"])
def test_every_method_follows_the_closed_form(method: str) -> None:
    times = np.linspace(0, 3, 7)
    x = differentiable(System({"x": "-2*x"}, initial={"x": 3}), Torch(method))(times)["x"]
    np.testing.assert_allclose(x[0], 3 * np.exp(-2 * times), rtol=1e-7)


def test_single_precision_keeps_its_type_and_its_tolerance() -> None:
    decay = System({"x": "-x"}, initial={"x": 1}, algebraic={"twice": "2*x"})
    run = differentiable(decay, Torch(dtype="float32"))([0, 1])
    assert {values.dtype for values in run.values()} == {torch.float32}
    assert float(run["twice"][0, -1]) == pytest.approx(2 * np.exp(-1), rel=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU here")
@pytest.mark.parametrize("kind", ["ode", "additive", "general"])
def test_a_gpu_gives_the_values_and_slopes_of_the_cpu(kind: str) -> None:
    system = NOISY[kind] if kind in NOISY else zoo.load("repressilator")
    name, step = ("k", 0.05) if kind in NOISY else ("n", None)
    results = []
    for device in ("cpu", "cuda"):
        value = torch.tensor(1.7, dtype=torch.float64, device=device, requires_grad=True)
        solver = differentiable(system, Torch(device=device))
        run = solver(TIMES, parameters={name: value}, n=3, step=step)
        assert {values.device.type for values in run.values()} == {device}
        sum(values[:, -1].sum() for values in run.values()).backward()
        rows = [values.detach().cpu().numpy().ravel() for values in run.values()]
        results.append(np.concatenate([*rows, [float(value.grad)]]))
    np.testing.assert_allclose(*results, rtol=1e-7, atol=1e-9)
