"""Stochastic differential equations by torchsde, driven by physcm's counter-based noise.

With the step h and s = (t - t0)/h the system

    dX_i = f_i dt + sum_k g_ik dW_k     becomes     dX_i = h f_i ds + sum_k sqrt(h) g_ik dB_k,

on the grid s = 0, 1, 2, ..., whose points are exact, and the increment of B_k over the step from
s to s + 1 is the standard normal of (seed, sample, step s, source `W(k)`). So Euler-Maruyama
computes what the reference engine computes. Second-order methods also need the area between the
Wiener process and its chord (Foster, Lyons & Oberhauser 2020): over a unit step it is normal
with variance 1/12, and drawn from the source `Z(k)`.

Li, Wong, Chen & Duvenaud, Scalable gradients for stochastic differential equations, AISTATS 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchsde import BaseBrownian, sdeint

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import names_in, substitute
from physcm.mechanism.tensors import TensorFunction
from physcm.sim.system import System
from physcm.sim.torch_noise import StepNormals

_HIGHER_ORDER = ("milstein", "srk")


def solve(
    system: System, times: Floats, x: Tensor, p: Tensor, method: str, step: float,
    samples: NDArray[np.int64], seed: int,
) -> Tensor:  # fmt: skip
    """Return the states (states, samples, times) from x at the first time.

    Args:
        system: the dynamics, with noise.
        times: increasing, (times,), each a whole number of steps from the first.
        x: (states, samples).
        p: (parameters, samples).
        method: a method of torchsde.
        step: the step.
        samples: the numbers of the samples.
        seed: the seed of the noise.

    Raises:
        InvalidValue: for a saved time off the grid, and for a method of higher order where the
            noise is general.

    >>> walk = System({"x": "0"}, initial={"x": 0}, noise={"x": 1})
    >>> x = torch.zeros(1, 3, dtype=torch.float64)
    >>> solve(walk, np.array([0.0, 1.0]), x, x[:0], "euler", 1.0, np.arange(3), 0)[0, :, 1]
    tensor([...], dtype=torch.float64)
    """
    grid = _on_grid(times, step)
    if len(times) == 1:
        return x[..., None]
    kind, channels = structure(system, method)
    if kind == "general" and method in _HIGHER_ORDER:
        raise InvalidValue(
            f"`{method}` is for diagonal, scalar or additive noise, and that of the system "
            f"(`{', '.join(map(str, channels))}`) is none of these; use 'auto'"
        )
    equation = _Equation(system, p, float(times[0]), step, kind, channels)
    states: Tensor = sdeint(
        equation,
        x.T,
        torch.as_tensor(grid, dtype=torch.float64),
        bm=_Wiener(channels, samples, seed, x),
        method=method,
        dt=1.0,
        # torchsde 0.2.6 transposes a Jacobian in its Milstein method with derivatives.
        options={"grad_free": True} if method == "milstein" else {},
    )
    return states.permute(2, 1, 0)


def structure(system: System, method: str) -> tuple[str, tuple[str | None, ...]]:
    """Return the kind of the noise in torchsde's terms, and the source of each channel.

    - diagonal: each state has at most one source, of its own, and a coefficient that reads no
      other state; there is one channel per state;
    - additive: no coefficient reads a state, and, where the noise is diagonal too, the method has
      formulas of its own for that;
    - scalar: there is one source;
    - general: anything else.

    >>> structure(System({"x": "0", "y": "0"}, initial={"x": 0, "y": 0}, noise={"x": "x"}), "euler")
    ('diagonal', ('x', None))
    """
    order = list(system.derived)
    reads = {
        key: names_in(substitute(g, system.derived, order)) & set(system.states)
        for key, g in system.noise.items()
    }
    sources = tuple(sorted({source for _, source in system.noise}))
    own, constant = dict(system.noise.keys()), not any(reads.values())
    separate = len(own) == len(sources) == len(reads)
    separate = separate and all(r <= {k[0]} for k, r in reads.items())
    if separate and not (constant and method in _HIGHER_ORDER):
        return "diagonal", tuple(own.get(state) for state in system.states)
    if constant:
        return "additive", sources
    return ("scalar" if len(sources) == 1 else "general"), sources


def _on_grid(times: Floats, step: float) -> NDArray[np.int64]:
    steps = (times - times[0]) / step
    whole: NDArray[np.int64] = np.rint(steps).astype(np.int64)
    off = np.abs(steps - whole) > 1e-6
    if off.any():
        raise InvalidValue(
            f"the saved time `{times[off][0]}` is not a whole number of steps of `{step}` "
            f"from the start {times[0]}; choose times on that grid, or another step"
        )
    return whole


class _Equation:
    """Drift and diffusion as torchsde wants them, (samples, states), in units of the step."""

    def __init__(
        self, system: System, p: Tensor, start: float, step: float, kind: str,
        channels: Sequence[str | None],
    ) -> None:  # fmt: skip
        self.sde_type, self.noise_type = system.calculus, kind
        self.rates: TensorFunction = system.rates.torch
        self.coefficients = system.program(tuple(system.noise.values())).torch
        self.p, self.start, self.step = p, start, step
        self.rows = [system.states.index(state) for state, _ in system.noise]
        self.columns = [channels.index(source) for _, source in system.noise]
        self.width = len(channels)

    def f(self, s: Tensor, x: Tensor) -> Tensor:
        return self.step * self.rates(self.start + float(s) * self.step, x.T, self.p).T

    def g(self, s: Tensor, x: Tensor) -> Tensor:
        g = self.coefficients(self.start + float(s) * self.step, x.T, self.p)
        amplitudes = math.sqrt(self.step) * g.T
        if self.noise_type == "diagonal":
            matrix = torch.zeros_like(x)
            matrix[:, self.rows] = amplitudes
        else:
            matrix = x.new_zeros((*x.shape, self.width))
            matrix[:, self.rows, self.columns] = amplitudes
        return matrix


class _Wiener(BaseBrownian):  # type: ignore[misc]
    """The increments of Wiener processes over unit steps, (samples, channels)."""

    def __init__(
        self, channels: Sequence[str | None], samples: NDArray[np.int64], seed: int, like: Tensor
    ) -> None:
        sources = [source for source in channels if source is not None]
        self._noisy = [source is not None for source in channels]
        self._like, self._samples = like, samples.size
        # Metal has no double precision.
        where = torch.device("cpu") if like.device.type == "mps" else like.device
        numbers = torch.as_tensor(samples, device=where)
        self._draws = {
            letter: StepNormals(seed, [f"{letter}({name})" for name in sources], numbers)
            for letter in "WZ"
        }

    def __call__(
        self, ta: Any, tb: Any = None, return_U: bool = False, return_A: bool = False
    ) -> Any:
        step = round(float(ta))
        w = self._of("W", step)
        return (w, w / 2 + self._of("Z", step) / math.sqrt(12)) if return_U else w

    def _of(self, letter: str, step: int) -> Tensor:
        draws = self._draws[letter].of(step).to(self._like)
        if all(self._noisy):
            return draws
        every = draws.new_zeros(self.shape)
        every[:, self._noisy] = draws
        return every

    @property
    def dtype(self) -> torch.dtype:
        return self._like.dtype

    @property
    def device(self) -> torch.device:
        return self._like.device

    @property
    def shape(self) -> tuple[int, int]:
        return self._samples, len(self._noisy)

    @property
    def levy_area_approximation(self) -> str:
        return "space-time"

    def __repr__(self) -> str:
        return f"_Wiener{self.shape}"
