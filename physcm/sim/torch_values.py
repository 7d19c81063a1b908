"""Parameters and initial values as tensors: given, drawn, or computed from the others.

A given tensor takes the place of a value, and all that is computed from it follows and carries
its gradient: expressions are evaluated by the same code generator as the mechanisms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from physcm.mechanism.codegen import Program
from physcm.mechanism.declarations import require_finite, require_within
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.expression import names_in, ordered
from physcm.mechanism.parser import closest
from physcm.mechanism.values import Value, draw
from physcm.sim.system import System

Given = Mapping[str, Any]


@dataclass(frozen=True)
class TensorValues:
    """The values of a system's parameters and, as `X(0)`, of its states at the start.

    Attributes:
        system: whose values.
        like: a tensor of the wanted floating type and device.

    >>> decay = System({"x": "-k*x"}, parameters={"k": 2, "m": "3*k"}, initial={"x": "m"})
    >>> k = torch.tensor(5.0, requires_grad=True)
    >>> TensorValues(decay, torch.empty(0)).assigned({"k": k}, np.arange(1), 0)["x(0)"]
    tensor([15.], grad_fn=<...>)
    """

    system: System
    like: Tensor

    @cached_property
    def values(self) -> dict[str, Value]:
        """All values, by name."""
        starts = {f"{name}(0)": value for name, value in self.system.initial.items()}
        return {**self.system.parameters, **starts}

    @cached_property
    def formulas(self) -> dict[str, Program]:
        """The values that are expressions, each after those that it reads."""
        expressions = {k: v for k, v in self.values.items() if isinstance(v, sp.Expr)}
        return {
            name: Program.over((), sorted(names_in(expressions[name])), {}, [expressions[name]])
            for name in ordered(expressions, "values")
        }

    def named(self, parameters: Given, initial: Given, held: Given) -> dict[str, Any]:
        """Return what is given by the name of its value: `k`, `X(0)`, `do(X)`.

        Raises:
            UnknownVariable: for what the system does not have.
            InvalidValue: for a variable that is not held at a value.
            Infeasible: for a held value that the variable cannot physically take.
        """
        _require_known(parameters, self.system.parameters, "parameter")
        _require_known(initial, self.system.states, "state")
        for name, raw in held.items():
            if f"do({name})" not in self.system.parameters:
                raise InvalidValue(
                    f"`{name}` is not held at a value; hold it first, as in system.do({name}=1.0)"
                )
            if name in self.system.bounds:
                for value in torch.as_tensor(raw).detach().flatten().tolist():
                    require_within(self.system.bounds[name], name, value)
        starts = {f"{name}(0)": value for name, value in initial.items()}
        return {**parameters, **starts, **{f"do({name})": v for name, v in held.items()}}

    def assigned(self, given: Given, samples: NDArray[np.int64], seed: int) -> dict[str, Tensor]:
        """Return all values, each over the samples.

        Args:
            given: values that take the place of the system's own: numbers or tensors, one or
                one per sample.
            samples: the numbers of the samples.
            seed: the seed of the draws.

        Raises:
            InvalidValue: for a tensor of another shape, and for values that are not finite.
        """
        tensors = {name: self._spread(name, raw, samples) for name, raw in given.items()}
        rest = {k: v for k, v in self.values.items() if k not in {*given, *self.formulas}}
        for name, drawn in draw(rest, samples, seed).items():
            tensors[name] = torch.as_tensor(drawn).to(self.like)
        for name, program in self.formulas.items():
            if name not in given:
                reads = self._rows([tensors[read] for read in program.parameters], samples)
                tensors[name] = program.torch(0.0, reads[:0], reads)[0]
        require_finite({k: v.detach().cpu().numpy() for k, v in tensors.items()})
        return tensors

    def stacked(
        self, tensors: Mapping[str, Tensor], samples: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """Return the states at the start and the parameters, each (names, samples)."""
        x = [tensors[f"{name}(0)"] for name in self.system.states]
        p = [tensors[name] for name in self.system.parameters]
        return self._rows(x, samples), self._rows(p, samples)

    def _spread(self, name: str, raw: Any, samples: NDArray[np.int64]) -> Tensor:
        tensor = torch.as_tensor(raw).to(self.like)
        if tensor.shape not in ((), (1,), samples.shape):
            raise InvalidValue(
                f"`{name}` has the shape `{tuple(tensor.shape)}` for {samples.size} samples; give "
                "one number, or one per sample"
            )
        return tensor.expand(samples.shape)

    def _rows(self, tensors: list[Tensor], samples: NDArray[np.int64]) -> Tensor:
        return torch.stack(tensors) if tensors else self.like.new_empty((0, samples.size))


def _require_known(given: Given, known: Any, kind: str) -> None:
    for name in given:
        if name not in known:
            raise UnknownVariable(f"`{name}` is no {kind} of the system; {closest(name, known)}")
