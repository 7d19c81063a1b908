"""Ordinary differential equations by torchdiffeq: all samples in one batch, with gradients.

dX/dt = f(t, X, p) by an explicit Runge-Kutta method with an adaptive step that all samples
share: the largest error over states and samples meets the tolerance (Dormand & Prince 1980;
Chen, Rubanova, Bettencourt & Duvenaud, NeurIPS 2018). Gradients are those of the steps taken,
by automatic differentiation through the solver.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchdiffeq import odeint

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NotConverged
from physcm.mechanism.tensors import TensorFunction
from physcm.sim.switching import switches
from physcm.sim.system import System

_FEWEST_STEPS = 100
_MOST_STEPS = 100_000
_COARSE_BETWEEN = ("dopri8",)  # its interpolant is of order 4: it steps to each saved time instead


class _BrokenOff(Exception):
    """The step has shrunk to nothing: some sample runs away, or leaves its domain."""


@dataclass
class _Field:
    """The right-hand side, which watches the steps that the solver takes."""

    rates: TensorFunction
    p: Tensor
    method: str
    steps: int = field(default=0)

    def __call__(self, t: Tensor, x: Tensor) -> Tensor:
        return self.rates(t, x, self.p)

    def callback_step(self, t: Tensor, x: Tensor, step: Tensor) -> None:
        """Torchdiffeq calls this before each step."""
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise NotConverged(
                f"`{self.method}` has taken {_MOST_STEPS} steps up to the time {float(t)}: the "
                "system is stiff, and `torch` has explicit methods only; use engine='scipy'"
            )
        if not (t + step > t and bool(torch.isfinite(x).all())):
            raise _BrokenOff


@dataclass(frozen=True)
class _Problem:
    """What one batch takes to solve."""

    rates: TensorFunction
    times: Tensor
    method: str
    rtol: float
    atol: Tensor
    options: dict[str, Any]

    def solved(self, x: Tensor, p: Tensor) -> Tensor:
        """Return the states (states, samples, times).

        Where a sample breaks the batch off, both halves are solved on their own, down to it.
        """
        try:
            return self.tried(x, p)
        except _BrokenOff:
            half = x.shape[1] // 2
        if half:
            parts = self.solved(x[:, :half], p[:, :half]), self.solved(x[:, half:], p[:, half:])
            return torch.cat(parts, dim=1)
        return self.as_far_as_it_goes(x, p)

    def tried(self, x: Tensor, p: Tensor) -> Tensor:
        states: Tensor = odeint(
            _Field(self.rates, p, self.method),
            x,
            self.times,
            rtol=self.rtol,
            atol=self.atol,
            method=self.method,
            options=self.options,
        )
        return states.movedim(0, -1)

    def as_far_as_it_goes(self, x: Tensor, p: Tensor) -> Tensor:
        """Return the states of one sample, NaN from the first saved time not reached."""
        states = [x]
        for between in itertools.pairwise(self.times):
            try:
                piece = replace(self, times=torch.stack(between)).tried(states[-1], p)
            except _BrokenOff:
                break
            states.append(piece[..., -1])
        missing = len(self.times) - len(states)
        return torch.stack([*states, *[torch.full_like(x, torch.nan)] * missing], dim=-1)


def solve(
    system: System, times: Floats, x: Tensor, p: Tensor, method: str, rtol: float, atol: Floats
) -> Tensor:
    """Return the states (states, samples, times) from x at the first time.

    Args:
        system: the dynamics, without noise.
        times: increasing, (times,).
        x: (states, samples).
        p: (parameters, samples).
        method: a method of torchdiffeq with an adaptive step.
        rtol: relative tolerance of each step.
        atol: absolute tolerance of each step, per state.

    Raises:
        NotConverged: for a system too stiff for an explicit method.

    >>> decay = System({"x": "-k*x"}, parameters={"k": 2}, initial={"x": 1})
    >>> x, p = torch.ones(1, 1, dtype=torch.float64), torch.full((1, 1), 2.0, dtype=torch.float64)
    >>> solve(decay, np.array([0.0, 1.0]), x, p, "dopri5", 1e-8, np.array([1e-11]))[0, 0, 1].item()
    0.13533528
    """
    if not system.states or len(times) == 1:
        return x[..., None].expand(*x.shape, len(times))
    span = times[-1] - times[0]
    options: dict[str, Any] = {"norm": lambda error: error.abs().max()}
    jumps = np.empty(0)
    if not system.is_autonomous:
        jumps = _switches(system, times, p)
        options["max_step"] = span / _FEWEST_STEPS
        options["jump_t"] = torch.as_tensor(jumps)
    if method in _COARSE_BETWEEN:
        options["step_t"] = torch.as_tensor(np.setdiff1d(times[1:], jumps))
    problem = _Problem(
        system.rates.torch,
        torch.as_tensor(times, device=x.device),
        method,
        rtol,
        torch.as_tensor(atol, device=x.device)[:, None],
        options,
    )
    return problem.solved(x, p)


def _switches(system: System, times: Floats, p: Tensor) -> Floats:
    """Return when mechanisms switch by the clock in any sample, for the solver to step there."""
    numbers = p.detach().double().cpu().numpy()
    instants = np.unique(switches(system).vector(0.0, numbers[:0], numbers))
    return np.asarray(instants[(instants > times[0]) & (instants < times[-1])])
