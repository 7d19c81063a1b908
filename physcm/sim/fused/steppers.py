"""One-step methods made for a system: what `physcm.sim.fused.adaptive` runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Program
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.implicit import implicit
from physcm.mechanism.lanes.module import module
from physcm.mechanism.lanes.series import expansion
from physcm.sim.fused import explicit_code, rosenbrock_code, taylor_code
from physcm.sim.fused.rosenbrock import rodas5p
from physcm.sim.fused.runge_kutta import RungeKutta

METHOD = ("begin", "attempt", "extend", "shape", "mix", "save", "commit", "advance")
"""The functions of a method, in the order of `Stepper.method`."""


@dataclass(frozen=True, eq=False)
class Stepper:
    """Machine code that steps a system, in the order in which `adaptive.run` takes it.

    Attributes:
        codes: the code, which lives as long as this object.
        method: addresses of the method's functions.
        system: addresses of the system's functions that the method calls.
        stages: how many stages of the method are kept.
        storage: how many rows of its own the method needs.
    """

    codes: tuple[Code, Code]
    method: NDArray[np.int64]
    system: NDArray[np.int64]
    stages: int
    storage: int

    @classmethod
    def of(
        cls, method: Code, system: Code, functions: tuple[str, ...], stages: int, storage: int
    ) -> Stepper:
        """Return the stepper of a method's code and a system's, of which it calls functions."""
        addresses = _addresses(method, METHOD), _addresses(system, functions)
        return cls((method, system), *addresses, stages, storage)


@lru_cache(maxsize=256)
def explicit(name: str, rates: Program, method: RungeKutta) -> Stepper:
    """Return a Runge-Kutta method for a system of some name and rates.

    Raises:
        Unsupported: for a function that lanes do not have.
    """
    system = compiled(module(name, {"drift": rates}))
    code = compiled(explicit_code.method_code(method))
    return Stepper.of(code, system, ("drift",), len(method.weights), 0)


@lru_cache(maxsize=256)
def taylor(name: str, rates: Program) -> Stepper:
    """Return the Taylor method for a system of some name and rates.

    Raises:
        Unsupported: for rates that are not analytic.
    """
    system = compiled(expansion(rates, taylor_code.ORDER).module(name))
    code = compiled(taylor_code.method_code())
    return Stepper.of(code, system, ("drift", "series"), taylor_code.STAGES, 0)


@lru_cache(maxsize=256)
def stiff(name: str, rates: Program, *, inside: bool = True) -> Stepper:
    """Return the Rosenbrock method Rodas5P for a system of some name and rates.

    Args:
        name: of the system.
        rates: of its states.
        inside: whether steps are to be accurate inside as well, and not at their ends alone.

    Raises:
        Unsupported: for a function that lanes do not have.
    """
    method, equations = rodas5p(), implicit(name, rates)
    code = compiled(rosenbrock_code.method_code(method, inside))
    stages = rosenbrock_code.stages(method)
    functions = ("drift", "prepare", "solve")
    return Stepper.of(code, compiled(equations.text), functions, stages, equations.rows)


def _addresses(code: Code, functions: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([code.address(function) for function in functions])
