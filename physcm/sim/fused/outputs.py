"""Derived variables of whole ensembles, in blocks of samples and times."""

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
from physcm.mechanism.lanes.pool import share
from physcm.sim.system import System


def complete(system: System, times: Floats, values: Floats, p: Floats, threads: int) -> None:
    """Fill in the derived variables below the states.

    Args:
        system: whose variables they are.
        times: of the last axis.
        values: all variables, (variables, samples, times).
        p: the parameters, (parameters, samples).
        threads: how many run at once.

    Raises:
        Unsupported: for a function that lanes do not have.
    """
    if len(values) == len(system.states):
        return
    code, parameters = _code(system.outputs, system.name), np.ascontiguousarray(p)

    def work(low: int, high: int, stop: NDArray[np.int64]) -> None:
        evaluate(
            code.address("outputs"), times, parameters, len(system.states), values, low, high, stop
        )

    share(work, values.shape[1], threads=threads, grain=1)


@lru_cache(maxsize=256)
def _code(outputs: Program, name: str) -> Code:
    return compiled(module(name, {"outputs": outputs}))


@Kernel
def evaluate(
    code: int, times: Any, p: Any, states: int, values: Any, low: int, high: int, stop: Any
) -> None:
    """Evaluate code over the states of the samples low, ..., high - 1 at all times.

    Args:
        code: its address.
        times: of the last axis.
        p: (parameters, samples).
        states: how many of the variables are states.
        values: (variables, samples, times).
        low: the first sample.
        high: the first beyond.
        stop: the work breaks off when this is not 0, (1).
    """
    derived = values.shape[0] - states
    t, x, out = np.zeros(LANES), np.zeros((states, LANES)), np.zeros((derived, LANES))
    q = np.zeros((p.shape[0], LANES))
    for s in range(low, high):
        if stop[0] != 0:
            return
        for r in range(p.shape[0]):
            for i in range(LANES):
                q[r, i] = p[r, s]
        for begin in range(0, times.size, LANES):
            filled = min(LANES, times.size - begin)
            for i in range(filled):
                t[i] = times[begin + i]
            for r in range(states):
                for i in range(filled):
                    x[r, i] = values[r, s, begin + i]
            invoke(code, (t.ctypes.data, x.ctypes.data, q.ctypes.data, out.ctypes.data))
            for r in range(derived):
                for i in range(filled):
                    values[states + r, s, begin + i] = out[r, i]
