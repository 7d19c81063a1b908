"""Programs evaluated over lanes at many points, by all cores."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.module import module
from physcm.mechanism.lanes.native import Kernel, invoke
from physcm.mechanism.lanes.pool import cores, share


def evaluated(name: str, program: Program, x: Floats, p: Floats) -> Floats:
    """Return the outputs of a program without time, (outputs, points).

    Args:
        name: what the program is of.
        program: what to compute.
        x: (variables, points).
        p: (parameters, points).

    Raises:
        Unsupported: for a function that lanes do not have.

    >>> import sympy as sp
    >>> a, b = sp.symbols("a b", real=True)
    >>> program = Program(("a",), ("b",), (), (a * b, a + b))
    >>> evaluated("a and b", program, np.array([[2.0, 3.0]]), np.array([[4.0, 5.0]]))
    array([[ 8., 15.],
           [ 6.,  8.]])
    """
    code = _code(name, program)
    x, p = np.ascontiguousarray(x), np.ascontiguousarray(p)
    outputs = np.empty((len(program.outputs), x.shape[1]))
    address = code.address("outputs")

    def work(low: int, high: int, stop: NDArray[np.int64]) -> None:
        evaluate(address, x, p, outputs, low, high, stop)

    share(work, x.shape[1], threads=cores(), grain=LANES)
    return outputs


@lru_cache(maxsize=256)
def _code(name: str, program: Program) -> Code:
    return compiled(module(name, {"outputs": program}))


@Kernel
def evaluate(address: int, x: Any, p: Any, outputs: Any, low: int, high: int, stop: Any) -> None:
    """Evaluate a function at the points low, ..., high - 1.

    Args:
        address: of the function f(t, x, p, outputs) of blocks.
        x: (variables, points).
        p: (parameters, points).
        outputs: what is written, (outputs, points).
        low: the first point.
        high: the first beyond.
        stop: the work breaks off when this is not 0, (1).
    """
    t, own_x = np.zeros(LANES), np.zeros((x.shape[0], LANES))
    own_p, own = np.zeros((p.shape[0], LANES)), np.zeros((outputs.shape[0], LANES))
    for first in range(low, high, LANES):
        if stop[0] != 0:
            break
        count = min(LANES, high - first)
        own_x[:, :count] = x[:, first : first + count]
        own_p[:, :count] = p[:, first : first + count]
        pointers = t.ctypes.data, own_x.ctypes.data, own_p.ctypes.data, own.ctypes.data
        invoke(address, pointers)
        outputs[:, first : first + count] = own[:, :count]
