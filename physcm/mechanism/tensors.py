"""Expressions in the spelling of PyTorch, for gradients and for GPUs.

Generated code mixes tensors with plain numbers, which take the floating type and the device of
the tensors beside them. Gradients are those of the expressions almost everywhere: `floor`,
`sign` and conditions count as constant, and of a corner one side (or the mean of both) is taken.

A choice differentiates only the branch taken. In

    where(x > 0, sqrt(x), 0)

the branch not taken has an infinite slope at x = 0, and 0 * inf would be NaN. So each branch
reads its variables through a choice of its own, whose backward pass selects and does not
multiply, and the slope is 0 there. Definitions are computed anew within the branch for that,
but for those that are choices themselves.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from physcm.mechanism.errors import Unsupported
from physcm.mechanism.source import VECTOR, Target

if TYPE_CHECKING:
    from torch import Tensor

TensorFunction: TypeAlias = "Callable[[float | Tensor, Tensor, Tensor], Tensor]"
"""A function of time, variables (variables, samples) and parameters (parameters, samples)."""

_SAME = "sqrt exp log sin cos tan sinh cosh tanh floor asin acos atan asinh acosh atanh sign"


def require(*packages: str) -> None:
    """Refuse to go on without some packages of the extra `torch`.

    Raises:
        Unsupported: for the first that is not installed.

    >>> require("numpy", "flashlight")
    Traceback (most recent call last):
    physcm.mechanism.errors.Unsupported: `flashlight` is not installed; pip install "physcm[torch]"
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise Unsupported(f'`{package}` is not installed; pip install "physcm[torch]"')


def stacked(compiled: Callable[[Any, Any, Any], Sequence[Any]]) -> TensorFunction:
    """Return generated code as a function whose outputs are one tensor (outputs, samples)."""
    import torch

    def evaluate(t: float | Tensor, x: Tensor, p: Tensor) -> Tensor:
        now = torch.as_tensor(t, dtype=x.dtype, device=x.device)
        shape = np.broadcast_shapes(now.shape, x.shape[1:], p.shape[1:])
        rows = [_tensor(value, now).expand(shape) for value in compiled(now, x, p)]
        return torch.stack(rows) if rows else x.new_empty((0, *shape))

    return evaluate


def _functions() -> Mapping[str, Any]:
    require("torch")
    import torch

    same = {name: getattr(torch, name) for name in _SAME.split()}
    others = {
        "ceiling": torch.ceil,
        "Abs": torch.abs,
        "atan2": torch.atan2,
        "minimum": torch.minimum,
        "maximum": torch.maximum,
        "power": torch.pow,
        "Mod": torch.remainder,
        "gamma": _gamma,
    }
    return {name: _mixed(name, function) for name, function in (same | others).items()} | {
        "polygamma": lambda order, x: torch.special.polygamma(int(order), x),
        "where": _where,
        "negation": lambda a: not a if isinstance(a, bool) else ~a,
        "nan": np.nan,
        "inf": np.inf,
    }


TORCH = Target(
    _functions,
    "where({condition}, lambda {reads}: {value}, lambda {reads}: {otherwise}, [{reads}], t)",
    {"and": "({} & {})", "or": "({} | {})", "not": "negation({})"},
    has_branches=True,
)


def _mixed(name: str, function: Callable[..., Tensor]) -> Callable[..., Any]:
    """Let a function of tensors take plain numbers too; of those alone it is a number."""
    import torch

    def call(*arguments: Any) -> Any:
        like = next((a for a in arguments if isinstance(a, torch.Tensor)), None)
        if like is not None:
            return function(*(_tensor(a, like) for a in arguments))
        with np.errstate(all="ignore"):
            return float(VECTOR.functions[name](*arguments))

    return call


def _tensor(value: Any, like: Tensor) -> Tensor:
    import torch

    return value if isinstance(value, torch.Tensor) else like.new_full((), float(value))


def _gamma(x: Tensor) -> Tensor:
    """The gamma function by its logarithm; its sign alternates between the poles below 0."""
    import torch

    odd = torch.remainder(torch.floor(x), 2) != 0
    return torch.where((x < 0) & odd, -1.0, 1.0).to(x.dtype) * torch.exp(torch.lgamma(x))


def _where(
    condition: Any,
    value: Callable[..., Any],
    otherwise: Callable[..., Any],
    reads: Sequence[Any],
    like: Tensor,
) -> Any:
    """Choose between two branches; see the module's docstring."""
    import torch

    if isinstance(condition, bool):
        return (value if condition else otherwise)(*reads)

    def branch(function: Callable[..., Any], taken: Tensor) -> Tensor:
        return _tensor(function(*(_where_taken(taken, read) for read in reads)), like)

    return torch.where(condition, branch(value, condition), branch(otherwise, ~condition))


def _where_taken(taken: Tensor, read: Any) -> Any:
    """Return a value unchanged, with no gradient where the branch is not taken."""
    import torch

    if not isinstance(read, torch.Tensor) or not read.requires_grad:
        return read
    return torch.where(taken, read, read.detach())
