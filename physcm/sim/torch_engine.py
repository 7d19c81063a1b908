"""The torch engine as a value: which method of torchdiffeq or torchsde, on what device.

Ordinary differential equations are solved by explicit Runge-Kutta methods of torchdiffeq, which
are not for stiff systems; stochastic ones by methods of torchsde on a fixed grid, with the noise
of the reference engine. PyTorch is imported at the first use, and is an extra:
pip install "physcm[torch]".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.tensors import require
from physcm.sim.system import System

if TYPE_CHECKING:
    from torch import Tensor

_ODE = ("dopri5", "dopri8")  # torchdiffeq's other methods miss their tolerance a hundredfold
_SDE = {
    "ito": ("euler", "milstein", "srk"),
    "stratonovich": ("heun", "midpoint", "euler_heun", "milstein", "reversible_heun"),
}
_METHODS = tuple(dict.fromkeys(("auto", *_ODE, *_SDE["ito"], *_SDE["stratonovich"])))
_RTOL = {"float64": 1e-8, "float32": 1e-5}
_FINEST = {"float64": 1e-13, "float32": 1e-6}


@dataclass(frozen=True)
class Torch:
    """Integrate with torchdiffeq, or with torchsde where there is noise.

    Attributes:
        method: a method by its name, or "auto" for the first of its kind: dopri5 and dopri8
            without noise; euler, milstein and srk for noise read as Ito; heun, midpoint,
            euler_heun, milstein and reversible_heun as Stratonovich.
        device: "cpu", "cuda" or another device of PyTorch.
        dtype: "float64" or "float32".

    Raises:
        InvalidValue: for a method or a floating type that there is not.

    >>> Torch("dopri8")
    Torch(method='dopri8', device='cpu', dtype='float64')
    """

    method: str = "auto"
    device: str = "cpu"
    dtype: str = "float64"

    def __post_init__(self) -> None:
        """Check the names."""
        if self.method not in _METHODS:
            raise InvalidValue(
                f"`{self.method}` is no method of the torch engine; use {', '.join(_METHODS)}"
            )
        if self.dtype not in _RTOL:
            raise InvalidValue(f"dtype is `{self.dtype}`; use {' or '.join(_RTOL)}")

    def method_for(self, system: System) -> str:
        """Return the method for a system.

        Raises:
            InvalidValue: for a method that is not for its kind of noise.

        >>> Torch().method_for(System({"x": "-x"}, initial={"x": 1}))
        'dopri5'
        """
        fitting = _SDE[system.calculus] if system.noise else _ODE
        if self.method not in ("auto", *fitting):
            kind = f"noise read as {system.calculus}" if system.noise else "no noise"
            raise InvalidValue(
                f"the method is `{self.method}` and the system has {kind}; use {', '.join(fitting)}"
            )
        return fitting[0] if self.method == "auto" else self.method

    def relative(self, rtol: float | None) -> float:
        """Return the relative tolerance, unless told 1e-8, or 1e-5 for float32.

        Raises:
            InvalidValue: for one that the floating type cannot resolve.

        >>> Torch(dtype="float32").relative(None)
        1e-05
        """
        if rtol is None:
            return _RTOL[self.dtype]
        finest = _FINEST[self.dtype]
        if not finest <= rtol < float("inf"):
            raise InvalidValue(f"rtol is `{rtol!r}`; give at least {finest} for {self.dtype}")
        return float(rtol)

    def empty(self) -> Tensor:
        """Return an empty tensor of the floating type on the device.

        Raises:
            Unsupported: where PyTorch is not installed.
            InvalidValue: for a device that is not there.

        >>> Torch(dtype="float32").empty()
        tensor([])
        """
        require("torch", "torchdiffeq", "torchsde")
        import torch

        try:
            return torch.empty(0, dtype=getattr(torch, self.dtype), device=self.device)
        except (RuntimeError, AssertionError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise InvalidValue(
                f"the device `{self.device}` cannot be used with {self.dtype} ({reason}); use 'cpu'"
            ) from error
