"""What the torch engine cannot do is said at once, and it is imported only when asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

from physcm.mechanism import (
    Hold,
    Infeasible,
    InvalidValue,
    NotConverged,
    PhyscmError,
    UnknownVariable,
    Unsupported,
    tensors,
)
from physcm.mechanism.expression import symbol
from physcm.sim import Event, Jump, System
from physcm.sim.differentiable import differentiable, simulate_torch
from physcm.sim.torch_engine import Torch

pytest.importorskip("torch", reason='needs pip install "physcm[torch]"')
torch_ode = pytest.importorskip("physcm.sim.torch_ode", reason="needs torchdiffeq")
pytest.importorskip("physcm.sim.torch_sde", reason="needs torchsde")

decay = System({"x": "-k*x"}, parameters={"k": 1}, initial={"x": 1}, bounds={"x": (0, 5)})
noisy = decay.replace(noise={"x": "x"})
crossed = System(
    {"x": "0", "y": "0"}, initial={"x": 1, "y": 1}, noise={("x", "v"): "y", ("y", "w"): "x"}
)
strange = System({"x": sp.Function("mystery", real=True)(symbol("x"))}, initial={"x": 1})


@pytest.mark.parametrize(
    ("system", "message"),
    [
        (decay.do(Hold("x", 1, during=(0, 1))), r"`Hold\(.*` is an intervention that does not act"),
        (decay.replace(events={"e": Event("x < 0.5", {"x": 1})}), "`e` is an event, which"),
        (decay.replace(jumps={"j": Jump(1, {"x": 1})}), "`j` is a jump, which"),
        (noisy.replace(reflected=("x",)), "`x` is a reflected state, which"),
        (strange, "the function `mystery` is not known"),
    ],
)
def test_a_system_beyond_the_engine_is_refused(system: System, message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        differentiable(system)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"t": [0, 0]}, InvalidValue, "the times do not increase at entry 1, `0.0`"),
        ({"t": []}, InvalidValue, "the times have shape"),
        ({"n": 0}, InvalidValue, "n is `0`"),
        ({"rtol": 1e-15}, InvalidValue, "rtol is `1e-15`; give at least 1e-13 for float64"),
        ({"atol": 0}, InvalidValue, "atol is `0`"),
        ({"seed": -1, "system": noisy, "step": 1}, InvalidValue, "the seed `-1`"),
        ({"system": noisy}, InvalidValue, "step is `None` and the system has noise"),
        ({"system": noisy, "step": 0.3}, InvalidValue, "time `1.0` is not a whole number of steps"),
        ({"parameters": {"m": 1}}, UnknownVariable, "`m` is no parameter of the system"),
        ({"initial": {"k": 1}}, UnknownVariable, "`k` is no state of the system"),
        ({"held": {"x": 1}}, InvalidValue, "`x` is not held at a value; hold it first"),
        ({"held": {"x": 9}, "system": decay.do(x=1)}, Infeasible, "`x` cannot be held at `9"),
        ({"parameters": {"k": [1, 2]}}, InvalidValue, r"`k` has the shape `\(2,\)` for 1 samples"),
        ({"parameters": {"k": np.nan}}, InvalidValue, "`k` is `nan` in sample 0"),
    ],
)
def test_options_out_of_range_are_refused(
    options: dict[str, Any], error: type[PhyscmError], message: str
) -> None:
    arguments = {"system": decay, "t": [0, 1]} | options
    with pytest.raises(error, match=message):
        differentiable(arguments.pop("system"))(arguments.pop("t"), **arguments)


@pytest.mark.parametrize(
    ("system", "engine", "message"),
    [
        (decay, {"method": "lsoda"}, "`lsoda` is no method of the torch engine"),
        (decay, {"method": "euler"}, "the method is `euler` and the system has no noise"),
        (noisy, {"method": "heun"}, "is `heun` and the system has noise read as ito; use euler"),
        (crossed, {"method": "milstein"}, "`milstein` is for diagonal, scalar or additive noise"),
        (decay, {"dtype": "float16"}, "dtype is `float16`"),
        (decay, {"device": "abacus"}, "the device `abacus` cannot be used"),
    ],
)
def test_an_engine_that_does_not_fit_is_refused(
    system: System, engine: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidValue, match=message):
        simulate_torch(system, [0, 1], engine=Torch(**engine), step=0.1)


def test_a_stiff_system_is_said_to_be_stiff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_ode, "_MOST_STEPS", 500)
    stiff = System({"x": "-1e6*(x - cos(t))"}, initial={"x": 0})
    with pytest.raises(NotConverged, match="`dopri5` has taken 500 steps .* the system is stiff"):
        differentiable(stiff)([0, 1])


def test_an_absent_torch_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unsupported, match=r'`torch` is not installed; pip install "physcm\[torch'):
        differentiable(System({"x": "-x"}, initial={"x": 1}))


def test_nothing_imports_torch_before_it_is_asked_for(tmp_path: Path) -> None:
    code = (
        "import sys, physcm.scm, physcm.sim.differentiable as d; sys.exit('torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
