"""Python and PyTorch functions as mechanisms."""

import importlib.util

import numpy as np
import pytest

from physcm.mechanism import InvalidValue, Normal, Replace, Unsupported, opaque
from physcm.scm import SCM, MixedGraph
from physcm.sim import System, simulate

NOISE = {"e": Normal(0, 1), "f": Normal(0, 1)}


def bend(x, e):
    return np.tanh(x) / 2 + e


def cube(x):
    return np.asarray(x) ** 3


def test_a_function_gives_what_the_expression_gives():
    written = SCM({"x": "f", "y": "tanh(x)/2 + e"}, NOISE).sample(50)
    called = SCM({"x": "f", "y": opaque(bend, "x", "e")}, NOISE).sample(50)
    np.testing.assert_allclose(called.y, written.y, rtol=1e-12)


def test_its_arguments_are_its_parents():
    model = SCM(
        {"x": "f", "z": "1", "y": opaque(cube, "2*x + 0*z"), "w": opaque(bend, "y", "e")}, NOISE
    )
    assert model.graph() == MixedGraph([("x", "y"), ("y", "w")], nodes=["x", "z", "y", "w"])


def test_a_cycle_through_functions_is_solved_as_the_written_one():
    written = SCM({"x": "tanh(y)/2 + e", "y": "tanh(x)/2 + f"}, NOISE)
    called = SCM({"x": opaque(bend, "y", "e"), "y": opaque(bend, "x", "f")}, NOISE)
    one, other = written.sample(30), called.sample(30)
    assert (other.status == 0).all()
    np.testing.assert_allclose(other.x, one.x, rtol=1e-9)


def test_interventions_twins_and_counterfactuals_go_through_functions():
    model = SCM({"x": "f", "y": opaque(bend, "x", "0") + 3 * opaque(cube, "e")}, NOISE)
    data = model.twin().do(x_twin=2).sample(20)
    np.testing.assert_allclose(data.y_twin - data.y, np.tanh(2) / 2 - np.tanh(data.x) / 2)
    doubled = model.do(Replace("y", "2*natural(y)")).sample(20)
    np.testing.assert_allclose(doubled.y, 2 * model.sample(20).y)
    seen = model.sample(20)[["x", "y"]]
    np.testing.assert_allclose(model.counterfactual(seen, x=2).y, data.y_twin, rtol=1e-6)


def test_equal_calls_are_equal_and_models_compare():
    assert opaque(bend, "x", "e") == opaque(bend, "x", "e") != opaque(bend, "e", "x")
    assert SCM({"x": opaque(cube, "e")}, NOISE) == SCM({"x": opaque(cube, "e")}, NOISE)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_a_network_of_pytorch_is_a_mechanism_with_exact_gradients():
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    ).double()

    def forward(x, e):
        return net(torch.stack([x, e], dim=-1))[..., 0]

    model = SCM({"x": "y/4 + f", "y": opaque(forward, "x", "e", tensors=True)}, NOISE)
    data = model.sample(20)
    assert (data.status == 0).all()
    x, e = (torch.as_tensor(data[name].values) for name in ("x", "e"))
    np.testing.assert_allclose(data.y, forward(x, e).detach().numpy(), rtol=1e-9)
    step = 1e-6
    gradient = model.blocks[0].equations.jacobian(
        np.array([data.x, data.y]), np.array([data[name] for name in model.blocks[0].known])
    )[:, 1, 0]
    ends = [forward(x + sign * step, e).detach().numpy() for sign in (1, -1)]
    np.testing.assert_allclose(-gradient, (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: opaque(3, "x"), "`3` with 1 arguments is no mechanism; give a function"),
        (lambda: opaque(cube), "with 0 arguments is no mechanism"),
        (lambda: SCM({"x": opaque(lambda e: np.outer(e, e), "e")}, NOISE).sample(3),
         r"returns the shape `\(3, 3\)` for arguments of shape `\(3,\)`"),
        (lambda: SCM({"x": opaque(cube, "e")}, NOISE).to_json(), "has no form in files"),
    ],
)  # fmt: skip
def test_what_is_no_mechanism_is_refused(call, message):
    with pytest.raises(InvalidValue, match=message):
        call()


def test_machine_code_cannot_call_python():
    system = System({"x": opaque(cube, "x")}, initial={"x": 1})
    with pytest.raises(Unsupported, match=r"has no function for `cube\(x\)`; use engine='scipy'"):
        simulate(system, [0, 1], engine="numba")
