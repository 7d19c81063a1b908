"""Opaque expressions: Python and PyTorch functions as parts of a mechanism.

What a function does inside is not known, only what it reads: its value is computed by calling
it, on arrays of all samples at once, and its derivatives are central differences, or those of
automatic differentiation where it is a function of PyTorch tensors. Everything else about an
expression that contains one works as for any other, but for files and generated machine code.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.parser import Expression, parse

_STEP = 6e-6
"""About the cube root of the rounding error, which balances it against truncation."""


class Opaque(sp.Function):  # type: ignore[misc]
    """The base class of all opaque functions; each has its own subclass.

    Attributes:
        evaluate: the function of arrays.
        slope: returns the function of arrays that is the derivative by one argument.
    """

    evaluate: Callable[..., Any]
    slope: Callable[[int], Callable[..., Any]]

    def _eval_is_real(self) -> bool:
        return True

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        if not all(argument.is_number for argument in self.args):
            return None
        return sp.Float(float(type(self).evaluate(*map(float, self.args))), prec)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Return the derivative by one of the arguments."""
        slope = type(self).slope(argindex - 1)
        name = f"{type(self).__name__}_{argindex}"
        return _kind(slope, name, len(self.args), False)(*self.args)


def opaque(
    function: Callable[..., Any], *arguments: Expression, name: str = "", tensors: bool = False
) -> sp.Expr:
    """Return a call of a function as an expression, which depends on all its arguments.

    Args:
        function: takes one array, or number, per argument and returns one value for each of
            their entries; it must depend on nothing else.
        arguments: what it is called with: names of variables, or expressions.
        name: how it is written; its own name unless told.
        tensors: whether it takes PyTorch tensors (double precision) instead of arrays.

    Raises:
        InvalidValue: for what cannot be called or has no hash, or without arguments.

    >>> opaque(np.hypot, "x", "2*e") + 1
    hypot(x, 2*e) + 1
    """
    if not callable(function) or not isinstance(function, Hashable) or not arguments:
        raise InvalidValue(
            f"`{function!r}` with {len(arguments)} arguments is no mechanism; give a function and "
            "the names that it reads"
        )
    name = name or getattr(function, "__name__", type(function).__name__)
    label = "".join(c if c.isalnum() else "_" for c in name).strip("_") or "opaque"
    return _kind(function, label, len(arguments), tensors)(*(parse(a) for a in arguments))


@lru_cache(maxsize=4096)
def _kind(function: Callable[..., Any], name: str, count: int, tensors: bool) -> Any:
    """Return the class of a function: one for all its calls, so that equal calls are equal."""
    evaluate = _on_tensors(function) if tensors else _on_arrays(function)
    slope = _by_autograd(function) if tensors else _by_differences(evaluate)
    members = {"evaluate": staticmethod(evaluate), "slope": staticmethod(slope), "nargs": (count,)}
    return type(name, (Opaque,), members)


def _on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    def evaluate(*arguments: Any) -> Any:
        shape = np.broadcast_shapes(*map(np.shape, arguments))
        with np.errstate(all="ignore"):
            values = np.asarray(function(*arguments), dtype=float)
        if np.broadcast_shapes(values.shape, shape) != shape:
            raise InvalidValue(
                f"`{function!r}` returns the shape `{values.shape}` for arguments of shape "
                f"`{shape}`; let it return one value for each entry"
            )
        return values

    return evaluate


def _by_differences(evaluate: Callable[..., Any]) -> Callable[[int], Callable[..., Any]]:
    @lru_cache(maxsize=64)
    def slope(place: int) -> Callable[..., Any]:
        def derivative(*arguments: Any) -> Any:
            x = np.asarray(arguments[place], dtype=float)
            step = _STEP * np.maximum(np.abs(x), 1.0)
            up, down = x + step, x - step
            ends = (
                evaluate(*arguments[:place], end, *arguments[place + 1 :]) for end in (up, down)
            )
            high, low = ends
            return (high - low) / (up - down)

        return derivative

    return slope


def _on_tensors(function: Callable[..., Any]) -> Callable[..., Any]:
    def evaluate(*arguments: Any) -> Any:
        import torch

        rows = np.broadcast_arrays(*arguments)
        with torch.no_grad():
            return function(*(torch.as_tensor(row.astype(float)) for row in rows)).numpy()

    return _on_arrays(evaluate)


def _by_autograd(function: Callable[..., Any]) -> Callable[[int], Callable[..., Any]]:
    @lru_cache(maxsize=64)
    def slope(place: int) -> Callable[..., Any]:
        def derivative(*arguments: Any) -> Any:
            import torch

            rows = np.broadcast_arrays(*arguments)
            inputs = [torch.as_tensor(row.astype(float)) for row in rows]
            inputs[place].requires_grad_(True)
            total = function(*inputs).sum()
            if not total.requires_grad:
                return np.zeros(rows[place].shape)
            (gradient,) = torch.autograd.grad(total, inputs[place])
            return gradient.numpy()

        return derivative

    return slope
