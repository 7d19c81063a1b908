"""What can be done, within which limits, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import symbol
from physcm.mechanism.parser import parse

_READS = ("value", "natural")


@dataclass(frozen=True)
class Action:
    """A variable that can be held, or a parameter that can be set.

    Attributes:
        name: of the variable or parameter.
        within: the lowest and the highest value.
        cost: a price per unit of change, so that it is price |value - natural|, or an expression
            in `value` and `natural`, the value without any action.
        fixed: what it costs besides to act at all.
        natural: the value without any action, where the model does not tell it.

    Raises:
        InvalidValue: for an empty range, and a cost that is not positive.

    >>> Action("x", (0, 5), cost=2, fixed=1).total(np.array([3.0]), natural=1.0)
    array([5.])
    >>> Action("x", (0, 5), cost="(value - natural)**2").total(np.array([3.0]), natural=1.0)
    array([4.])
    """

    name: str
    within: tuple[float, float]
    cost: Any = field(default=1.0, kw_only=True)
    fixed: float = field(default=0.0, kw_only=True)
    natural: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check the range and the costs."""
        low, high = self.within
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InvalidValue(
                f"action on `{self.name}` within `({low}, {high})`; give a finite lowest value "
                "and a higher one"
            )
        if isinstance(self.cost, int | float) and not (math.isfinite(self.cost) and self.cost > 0):
            raise InvalidValue(f"action on `{self.name}` costs `{self.cost}`; give a positive cost")
        if not (math.isfinite(self.fixed) and self.fixed >= 0):
            raise InvalidValue(
                f"action on `{self.name}` has the fixed cost `{self.fixed}`; give 0 or more"
            )
        _ = self._program  # reads the expression

    def total(self, values: Floats, natural: float) -> Floats:
        """Return what it costs to act with some values.

        Raises:
            InvalidValue: where an expression gives a negative cost, or no number.
        """
        points = np.array([values, np.full_like(values, natural)])
        costs = self._program.vector(0.0, np.empty((0, values.size)), points)[0]
        wrong = ~(costs >= 0)
        if wrong.any():
            raise InvalidValue(
                f"action on `{self.name}` costs `{costs[wrong][0]:.6g}` at "
                f"{values[wrong][0]:.6g}; give a cost that is nowhere negative"
            )
        return np.asarray(self.fixed + costs)

    @cached_property
    def _program(self) -> Program:
        price = self.cost
        if isinstance(price, int | float):
            price = parse(price) * abs(symbol("value") - symbol("natural"))
        expression = parse(price, _READS, f"cost of `{self.name}`")
        return Program.over((), _READS, {}, (expression,))
