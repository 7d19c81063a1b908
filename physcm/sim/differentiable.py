"""Gradients: a system as a function of its parameters, initial values and held values.

    d X_i(t) / d k,    d X_i(t) / d X_j(0),    d X_i(t) / d do(X_j)

come by automatic differentiation through the steps of the torch engine, on CPU or GPU.

Gradients are those of the mechanisms almost everywhere: how the instant at which a mechanism
jumps moves with a state does not enter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.sim.engine import tolerances
from physcm.sim.options import checked_times, checked_tolerances, positive_count, positive_step
from physcm.sim.switching import switch_parameters
from physcm.sim.system import System
from physcm.sim.torch_engine import Torch

if TYPE_CHECKING:
    from torch import Tensor

    from physcm.sim.torch_values import TensorValues

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def differentiable(system: System, engine: Torch | None = None) -> Differentiable:
    """Return a system as a differentiable function of its values.

    Args:
        system: what to solve.
        engine: the method, device and floating type; `Torch()` unless told.

    Raises:
        Unsupported: for a system with a schedule, events, jumps or reflected states, for a
            function that PyTorch lacks, and where PyTorch is not installed.
        InvalidValue: for a method that is not for the system, and for a device that is not there.

    >>> import torch
    >>> decay = System({"x": "-k*x"}, parameters={"k": 2}, initial={"x": 1})
    >>> k = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    >>> differentiable(decay)([0, 1], parameters={"k": k})["x"][0, -1].backward()
    >>> k.grad.item()  # the slope of exp(-k)
    -0.13533528
    """
    engine = engine or Torch()
    engine.method_for(system)
    _require_supported(system)
    empty = engine.empty()
    from physcm.sim.torch_values import TensorValues

    _ = system.rates.torch, system.outputs.torch
    return Differentiable(system, engine, TensorValues(system, empty))


def simulate_torch(
    system: System,
    times: ArrayLike,
    n: int = 1,
    seed: int = 0,
    engine: Torch | None = None,
    *,
    rtol: float | None = None,
    atol: float | Sequence[float] | None = None,
    step: float | None = None,
) -> Floats:
    """Return the states (states, samples, times) of a simulation, without gradients.

    The arguments, and what is refused, are those of `differentiable` and of its result. A
    sample that diverges is NaN from the first time that it does not reach.

    >>> decay = System({"x": "-k*x"}, parameters={"k": 2}, initial={"x": 1})
    >>> simulate_torch(decay, [0, 1])
    array([[[1.        , 0.13533528]]])
    """
    solver, settings = differentiable(system, engine), _Settings(rtol, atol, step)
    grid, samples = checked_times(times), np.arange(positive_count(n, "n"))
    import torch

    with torch.no_grad():
        states, _ = solver.states(grid, {}, samples, seed, settings)
    result: Floats = states.double().cpu().numpy()
    return result


@dataclass(frozen=True)
class Differentiable:
    """A system as a function with gradients, as `differentiable` makes it.

    Attributes:
        system: what is solved.
        engine: how.
        values: its parameters and initial values, as tensors.
    """

    system: System
    engine: Torch
    values: TensorValues

    def __call__(
        self,
        t: ArrayLike,
        *,
        parameters: Mapping[str, Any] = _NOTHING,
        initial: Mapping[str, Any] = _NOTHING,
        held: Mapping[str, Any] = _NOTHING,
        n: int = 1,
        seed: int = 0,
        rtol: float | None = None,
        atol: float | Sequence[float] | None = None,
        step: float | None = None,
    ) -> dict[str, Tensor]:
        """Return each state and derived variable, (samples, times), with its gradients.

        Numbers and tensors, one or one per sample, take the place of the system's own values,
        and all that is computed from those follows. What is not given is drawn per sample, as
        `simulate` draws it. A sample that diverges is NaN from the first time that it does not
        reach.

        Args:
            t: times to save, increasing; the run starts at the first.
            parameters: values of parameters, by name.
            initial: values of states at the start, by the name of the state.
            held: values at which `system.do` holds variables, by the name of the variable; the
                same as the parameter `do(X)`.
            n: number of samples.
            seed: the seed; (seed, sample, step, name) determine each draw.
            rtol: relative tolerance of each step; unless told 1e-8, or 1e-5 for float32.
            atol: absolute tolerance of each step, one number or one per state; unless told a
                thousandth of rtol times the largest value of each state in a rough run.
            step: the step of methods for noise; needed where there is noise.

        Raises:
            UnknownVariable: for a parameter or state that the system does not have.
            InvalidValue: for a tensor of another shape, a variable that is not held, values that
                are not finite, and options outside of their range.
            Infeasible: for a held value that the variable cannot physically take.
            NotConverged: for a system too stiff for an explicit method.
            Unsupported: for a gradient with respect to when a mechanism switches.

        >>> import torch
        >>> chain = System({"x": "-x", "y": "x - y"}, initial={"x": 1, "y": 0}).do(x=2)
        >>> x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
        >>> differentiable(chain)([0, 1], held={"x": x})["y"][0, -1].backward()
        >>> x.grad.item()  # y = (1 - exp(-t)) do(x)
        0.63212056
        """
        given = self.values.named(parameters, initial, held)
        times, samples = checked_times(t), np.arange(positive_count(n, "n"))
        states, p = self.states(times, given, samples, seed, _Settings(rtol, atol, step))
        now = states.new_tensor(times)
        derived = self.system.outputs.torch(now, states, p[..., None])
        return dict(zip(self.system.variables, (*states, *derived), strict=True))

    def states(
        self, times: Floats, given: Mapping[str, Any], samples: NDArray[np.int64], seed: int,
        settings: _Settings,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Return the states (states, samples, times) and the parameters (parameters, samples)."""
        from physcm.sim import torch_ode, torch_sde

        method = self.engine.method_for(self.system)
        values = self.values.assigned(given, samples, seed)
        _require_fixed_switches(self.system, values)
        x, p = self.values.stacked(values, samples)
        if self.system.noise:
            step = positive_step(settings.step, "system")
            states = torch_sde.solve(self.system, times, x, p, method, step, samples, seed)
        else:
            rtol = self.engine.relative(settings.rtol)
            atol = settings.absolute(self.system, times, x, p, rtol)
            states = torch_ode.solve(self.system, times, x, p, method, rtol, atol)
        return states, p


@dataclass(frozen=True)
class _Settings:
    """What the caller has asked for."""

    rtol: float | None
    atol: float | Sequence[float] | None
    step: float | None

    def absolute(self, system: System, times: Floats, x: Tensor, p: Tensor, rtol: float) -> Floats:
        if self.atol is None:
            x0, p0 = (a[:, 0].detach().double().cpu().numpy() for a in (x, p))
            return tolerances(system, times, x0, p0, rtol)
        given = checked_tolerances(self.atol, len(system.states))
        if not (given > 0).all():
            raise InvalidValue(f"atol is `{self.atol!r}`; give positive numbers")
        return given


def _require_supported(system: System) -> None:
    kinds: dict[str, Sequence[Any]] = {
        "an intervention that does not act at all times": system.schedule,
        "an event": tuple(system.events),
        "a jump": tuple(system.jumps),
        "a reflected state": system.reflected,
    }
    for kind, elements in kinds.items():
        if elements:
            raise Unsupported(
                f"`{elements[0]}` is {kind}, which the torch engine cannot carry out; "
                "use engine='scipy', or a system without it"
            )


def _require_fixed_switches(system: System, values: Mapping[str, Tensor]) -> None:
    for name in sorted(switch_parameters(system)):
        if values[name].requires_grad:
            raise Unsupported(
                f"a mechanism switches at a time that is computed from `{name}`, which requires a "
                "gradient that `torch` cannot give; detach it, or write a smooth switch, such as "
                "1/(1 + exp(-s*(t - t1)))"
            )
