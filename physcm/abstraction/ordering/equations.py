"""Labelled equations, as they are written: what a causal ordering is made from.

For a system, the drift of each state X gives the equation `f_X`: 0 = drift, and each derived
variable v the equation `f_v`: v = its definition. Parameters and initial values that are
computed from others are written out, so that the inputs that are left are those that one can
set; the total of a conservation law reads initial values, `X(0)`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp

from physcm.mechanism.declarations import Interval, as_interval, check_names
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.expression import (
    exact,
    held_symbol,
    initial_symbol,
    names_in,
    ordered,
    substitute,
    symbol,
)
from physcm.mechanism.parser import closest, parse_mechanism
from physcm.mechanism.values import Value, as_value
from physcm.scm.graph.mixed import Names, listed
from physcm.sim import System
from physcm.sim.settle import require_autonomous


@dataclass(frozen=True)
class Equations:
    """Equations 0 = r, each with a label, over variables and inputs.

    Attributes:
        residuals: what vanishes, by label.
        variables: what the equations are to determine.
        values: what is known of inputs: numbers, distributions, or one number per sample.
        bounds: the lowest and highest value of variables.
        state_of: of which state an equation is the drift.
        defined_by: of which derived variable an equation is the definition.
        zero: variables that are zero on the branch looked at.
        starts: the initial values of states, in terms of inputs.
        groups: states that are held together, whose equations may be exchanged.
        name: of the system.
    """

    residuals: Mapping[str, sp.Expr]
    variables: tuple[str, ...]
    values: Mapping[str, Value] = field(default_factory=dict)
    bounds: Mapping[str, Interval] = field(default_factory=dict)
    state_of: Mapping[str, str] = field(default_factory=dict)
    defined_by: Mapping[str, str] = field(default_factory=dict)
    zero: tuple[str, ...] = ()
    starts: Mapping[str, sp.Expr] = field(default_factory=dict)
    groups: tuple[tuple[str, ...], ...] = ()
    name: str = ""

    @property
    def definitions(self) -> dict[str, sp.Expr]:
        """The derived variables, each after those that its definition reads."""
        given = {
            name: symbol(name) - self.residuals[label] for label, name in self.defined_by.items()
        }
        return {name: given[name] for name in ordered(given, "derived variables")}

    @property
    def known(self) -> dict[sp.Symbol, sp.Expr]:
        """The inputs that are numbers, as exact ones; what a variable is held at is generic."""
        held = {held_symbol(name).name for name in self.variables}
        return {
            symbol(k): exact(v)
            for k, v in self.values.items()
            if isinstance(v, float) and k not in held
        }

    def own_equations(self, name: str) -> tuple[str, ...]:
        """Return the equation of a variable's drift or definition; those of its group, if any."""
        group = next((group for group in self.groups if name in group), (name,))
        owner = {**self.state_of, **self.defined_by}
        return tuple(label for label in self.residuals if owner.get(label) in group)

    def written_out(self) -> Equations:
        """Return the equations with the definitions of derived variables put in their places."""
        definitions = self.definitions
        return replace(
            self,
            residuals={
                label: substitute(residual, definitions, definitions)
                for label, residual in self.residuals.items()
                if label not in self.defined_by
            },
            variables=tuple(name for name in self.variables if name not in definitions),
            defined_by={},
        )

    def with_hold(self, equation: str, name: str, value: Value) -> Equations:
        """Return the equations with X = x in the place of one of them."""
        held = held_symbol(name)
        return replace(
            self,
            residuals={**self.residuals, equation: symbol(name) - held},
            values={**self.values, held.name: value},
            state_of={k: v for k, v in self.state_of.items() if k != equation},
            defined_by={k: v for k, v in self.defined_by.items() if k != equation},
            zero=tuple(z for z in self.zero if z != name),
        )


def label_of(name: str) -> str:
    """Return the label of the equation of a state or derived variable of a system.

    >>> label_of("D")
    'f_D'
    """
    return f"f_{name}"


def equations_of_system(system: System, zero: Names = ()) -> Equations:
    """Return the equations of a system at rest.

    Raises:
        Unsupported: for a system with noise, explicit time, events or a schedule.
        UnknownVariable: for a name in `zero` that is no variable.
    """
    require_autonomous(system)
    starts = {f"{name}(0)": value for name, value in system.initial.items()}
    given: dict[str, Value] = {**system.parameters, **starts}
    computed = {k: v for k, v in given.items() if isinstance(v, sp.Basic)}
    order = ordered(computed, "parameters")
    mechanisms = {**system.drift, **system.derived}
    residuals = {
        label_of(name): substitute(f if name in system.drift else symbol(name) - f, computed, order)
        for name, f in mechanisms.items()
    }
    return Equations(
        residuals,
        system.variables,
        {k: v for k, v in given.items() if k not in computed},
        system.bounds,
        {label_of(name): name for name in system.drift},
        {label_of(name): name for name in system.derived},
        _selected(system.variables, zero),
        {name: substitute(initial_symbol(name), computed, order) for name in system.initial},
        system.held_together,
        system.name,
    )


def equations_of_mapping(
    given: Mapping[str, Any],
    variables: Names | None,
    parameters: Mapping[str, Any],
    bounds: Mapping[str, Any],
    zero: Names = (),
) -> Equations:
    """Return equations that are written by hand, as texts or SymPy expressions.

    An expression is what vanishes; an equation has two sides, `left == right`.
    """
    residuals = {label: _residual(label, raw) for label, raw in given.items()}
    names = sorted(frozenset().union(*map(names_in, residuals.values())))
    if variables is None:
        variables = [name for name in names if name not in parameters]
    variables = tuple(dict.fromkeys(listed(variables)))
    check_names(variables=dict.fromkeys(variables), parameters=parameters)
    inputs = {*parameters, *names} - {*variables}
    return Equations(
        residuals,
        variables,
        {k: as_value(v, (), f"parameter `{k}`") for k, v in parameters.items()},
        {k: as_interval(k, pair, {*variables, *inputs}, "bounds") for k, pair in bounds.items()},
        zero=_selected(variables, zero),
    )


def _residual(label: str, raw: Any) -> sp.Expr:
    read = parse_mechanism(raw, None, f"equation `{label}`")
    if isinstance(read, sp.Eq):
        return read.lhs - read.rhs
    if isinstance(read, sp.logic.boolalg.Boolean) and not isinstance(read, sp.Symbol):
        raise InvalidValue(
            f"equation `{label}`: `{raw}` is a condition; give what vanishes, or `left == right`"
        )
    return read


def _selected(variables: Collection[str], names: Names) -> tuple[str, ...]:
    chosen = listed(names)
    for name in chosen:
        if name not in variables:
            raise UnknownVariable(f"`{name}` in zero is no variable; {closest(name, variables)}")
    return chosen
