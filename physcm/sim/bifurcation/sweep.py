"""A system in which one number is swept: a parameter, or what an intervention sets.

Everything that is computed from the number moves with it: other parameters, initial values and
with them the conserved totals. The linear conservation laws must hold at all values alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.distributions import Uniform
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.expression import initial_symbol, symbol
from physcm.mechanism.interventions import Hold, Mode, SetParameter, Shift
from physcm.mechanism.parser import closest
from physcm.mechanism.values import Value, draw
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.periodicity import free_angles
from physcm.sim.settle import require_autonomous
from physcm.sim.system import System


@dataclass(frozen=True, eq=False)
class Sweep:
    """A system and the number that is swept in it, for one sample.

    Attributes:
        system: in which the number is a parameter that has no single value.
        name: that parameter: `k`, `do(X)` or `shift(X)`.
        low: the least value.
        high: the largest value.
        seed: of the draw of everything else.
        sample: whose draw.
    """

    system: System
    name: str
    low: float
    high: float
    seed: int
    sample: int

    @cached_property
    def equations(self) -> EquilibriumEquations:
        """The equilibrium equations, with conservation laws in place of dependent rows."""
        return EquilibriumEquations(self.system)

    @cached_property
    def turns(self) -> Floats:
        """The period of each state, infinite where the equations do not repeat, (states,)."""
        angles = free_angles(self.system)
        return np.array([angles.get(name, np.inf) for name in self.system.states])

    @cached_property
    def given(self) -> dict[str, float]:
        """The numbers that stay: parameters and initial values `X(0)` that are not computed."""
        drawn = draw(self._values, np.array([self.sample]), self.seed)
        kept = [k for k, v in self._values.items() if not isinstance(v, sp.Basic)]
        return {name: float(drawn[name][0]) for name in kept if name != self.name}

    @cached_property
    def computed(self) -> dict[str, sp.Expr]:
        """The parameters and initial values that are computed from others."""
        return {k: v for k, v in self._values.items() if isinstance(v, sp.Basic)}

    @cached_property
    def left_sides(self) -> tuple[sp.Expr, ...]:
        """The equilibrium equations as expressions: drifts, and laws for dependent states."""
        rows = dict(self.system.drift)
        for law in self.equations.laws:
            start = {symbol(name): initial_symbol(name) for name, _ in law.coefficients}
            rows[law.determines] = law.expression - law.expression.xreplace(start)
        return tuple(rows.values())

    def at(self, value: float) -> tuple[Floats, Floats]:
        """Return the initial state (states,) and the parameters (parameters,) at a value."""
        out = self._numbers.vector(0.0, np.array([[value]]), self.column)[:, 0]
        return out[: len(self.system.states)], out[len(self.system.states) :]

    def parameters(self, values: Floats) -> Floats:
        """Return the parameters (parameters, values) at many values."""
        out = self._numbers.vector(0.0, values[np.newaxis], self.column)
        return np.asarray(out[len(self.system.states) :])

    @cached_property
    def column(self) -> Floats:
        """The given numbers, shape (given, 1)."""
        return np.array(list(self.given.values())).reshape(-1, 1)

    @cached_property
    def _numbers(self) -> Program:
        names = [f"{x}(0)" for x in self.system.states] + list(self.system.parameters)
        outputs = [symbol(name) for name in names]
        return Program.over((self.name,), tuple(self.given), self.computed, outputs)

    @property
    def _values(self) -> dict[str, Value]:
        starts = {f"{name}(0)": value for name, value in self.system.initial.items()}
        return {**self.system.parameters, **starts}


def swept(system: System, over: str, between: tuple[float, float], seed: int, sample: int) -> Sweep:
    """Return the sweep of a parameter or an intervention.

    Raises:
        InvalidValue: for values that are no range, and for a name that cannot be swept.
        Unsupported: for a system with noise or explicit time.
        Infeasible: for values at which the variable cannot be held.

    >>> decay = System(
    ...     {"x": "1 - k*x", "y": "x - y"}, parameters={"k": 1}, initial={"x": 1, "y": 0}
    ... )
    >>> swept(decay, "x", (0, 1), 0, 0).name
    'do(x)'
    """
    try:
        low, high = (float(end) for end in between)
    except (TypeError, ValueError):
        low = high = np.nan
    if not -np.inf < low < high < np.inf:
        raise InvalidValue(f"`{between}` is no range; give two numbers, the lower first")
    require_autonomous(system)
    for end in (low, high):
        system.do(_done(system, over, end)[1])
    name, intervention = _done(system, over, Uniform(low, high))
    changed = system.do(intervention)
    if not changed.states:
        raise Unsupported(
            f"{system.in_words} has no state left that moves when `{over}` is set; sweep another"
        )
    return Sweep(changed, name, low, high, int(seed), int(sample))


def _done(system: System, over: str, value: object) -> tuple[str, Mode]:
    """Return the name of the parameter that an intervention sets, and the intervention."""
    if over in system.parameters:
        return over, SetParameter({over: value})
    written = re.fullmatch(r"(do|shift)\((.+)\)", str(over))
    verb, name = written.groups() if written else ("do", over)
    if name not in system.variables:
        remedy = closest(str(name), (*system.parameters, *system.variables))
        raise InvalidValue(
            f"`{over}` is neither a parameter nor a variable of {system.in_words}, so that it "
            f"cannot be swept; give `k`, `do(X)` or `shift(X)`; {remedy}"
        )
    if verb == "shift":
        return f"shift({name})", Shift(name, value)
    return f"do({name})", Hold(name, value)
