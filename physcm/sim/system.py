"""A `System`: labelled differential mechanisms, closed under intervention.

    dX_i = f_i(X, p, t) dt + sum_k g_ik(X, p, t) dW_k,   X(0) given or random,

with parameters p that are constant in time, given or random (one draw per sample). Derived
variables are written by algebraic mechanisms. `do` returns a system again: holding X
replaces its mechanism by a value that every other mechanism reads (Mooij, Janzing &
Schölkopf, UAI 2013; for noise Hansen & Sokol, EJP 2014).

What follows when a parameter is changed: everything computed from it. A parameter or an
initial value written as an expression is computed anew for each run, and derived variables
at each instant. Setting a computed parameter replaces its expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import networkx as nx
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.declarations import Interval, require_finite, require_within
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.expression import TIME, held_symbol, initial_symbol, names_in, ordered, symbol
from physcm.mechanism.interventions import Intervention, collect
from physcm.mechanism.parser import closest
from physcm.mechanism.values import Value, as_value, draw
from physcm.sim import validation


@dataclass(frozen=True, init=False)
class System:
    """A dynamical system, immutable and checked when made.

    Args:
        drift: the mechanism f_i of each state, an expression.
        parameters: constants: numbers, expressions in other parameters and in initial values
            `X(0)`, distributions, or one number per sample.
        initial: the value of each state at the start, written like a parameter.
        noise: the diffusion coefficient of a state (with a Wiener process of its own) or of a
            (state, source) pair; states that name the same source share its process.
        calculus: how noise is to be read, "ito" or "stratonovich".
        algebraic: derived variables, each an expression in states, parameters and time.
        held_together: groups such as ("Q", "P"), position first: holding the position at a
            constant holds the other members at 0.
        bounds: what a variable can physically take, such as (0, inf) for an amount.
        held: variables held at an expression; `do` writes these.
        name: what the system is called in tables and files.
        description: what it shows.
        source: where it comes from.

    Raises:
        ParseError: for text that the safe parser does not accept.
        UnknownVariable: for a name that is not defined.
        MissingInitialValue: for a state without one.
        CyclicDefinition: for derived variables or values that read each other in a circle.
        InvalidValue: for values that are not finite, and for names given twice.

    >>> decay = System({"x": "-k*x"}, parameters={"k": 2}, initial={"x": 1})
    >>> decay.do(x=3).held
    mappingproxy({'x': do(x)})
    """

    drift: Mapping[str, sp.Expr]
    parameters: Mapping[str, Value]
    initial: Mapping[str, Value]
    noise: Mapping[tuple[str, str], sp.Expr]
    calculus: str
    algebraic: Mapping[str, sp.Expr]
    held_together: tuple[tuple[str, ...], ...]
    bounds: Mapping[str, Interval]
    held: Mapping[str, sp.Expr]
    name: str
    description: str
    source: str

    def __init__(
        self,
        drift: Mapping[str, Any],
        *,
        parameters: Mapping[str, Any] = MappingProxyType({}),
        initial: Mapping[str, Any] = MappingProxyType({}),
        noise: Mapping[Any, Any] = MappingProxyType({}),
        calculus: str = "ito",
        algebraic: Mapping[str, Any] = MappingProxyType({}),
        held_together: Iterable[Iterable[str]] = (),
        bounds: Mapping[str, Any] = MappingProxyType({}),
        held: Mapping[str, Any] = MappingProxyType({}),
        name: str = "",
        description: str = "",
        source: str = "",
    ) -> None:
        checked = validation.check(
            drift=drift,
            parameters=parameters,
            initial=initial,
            noise=noise,
            calculus=calculus,
            algebraic=algebraic,
            held_together=held_together,
            bounds=bounds,
            held=held,
        )
        given = checked | {"name": name, "description": description, "source": source}
        for field, value in given.items():
            frozen = MappingProxyType(value) if isinstance(value, dict) else value
            object.__setattr__(self, field, frozen)

    @classmethod
    def from_toml(cls, path: str | Path) -> System:
        """Return the system that a TOML file describes (see `physcm.sim.toml`)."""
        from physcm.sim.toml import read_toml

        return cls(**read_toml(path))

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], place: str = "model") -> System:
        """Return the system of a plain mapping laid out as in a TOML file."""
        from physcm.sim.toml import constructor_arguments

        return cls(**constructor_arguments(mapping, place))

    @classmethod
    def from_sbml(cls, path: str | Path) -> System:
        """Return the system of an SBML file (see `physcm.sim.sbml`)."""
        from physcm.sim.sbml import read_sbml

        return cls(**read_sbml(path))

    def to_toml(self, path: str | Path | None = None) -> str:
        """Return the system as TOML text, which `from_toml` reads back; write it if asked."""
        from physcm.sim.toml import to_text, write

        text = to_text(self)
        if path is not None:
            write(text, Path(path))
        return text

    def replace(self, **changes: Any) -> System:
        """Return a system with some constructor arguments changed."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        return System(**(kept | changes))

    @property
    def states(self) -> tuple[str, ...]:
        """The variables that evolve: those with a drift."""
        return tuple(self.drift)

    @cached_property
    def derived(self) -> Mapping[str, sp.Expr]:
        """Held and algebraic variables, each after those that its definition reads."""
        definitions = {**self.held, **self.algebraic}
        order = ordered(definitions, "derived variables")
        return MappingProxyType({name: definitions[name] for name in order})

    @property
    def variables(self) -> tuple[str, ...]:
        """States, then held and derived variables."""
        return (*self.drift, *self.derived)

    @cached_property
    def is_autonomous(self) -> bool:
        """Whether no mechanism reads time."""
        mechanisms = (*self.drift.values(), *self.derived.values(), *self.noise.values())
        return not any(TIME in mechanism.free_symbols for mechanism in mechanisms)

    @cached_property
    def rates(self) -> Program:
        """The drift f(t, x, p) of all states, and its Jacobian."""
        return self.program(tuple(self.drift.values()))

    @cached_property
    def outputs(self) -> Program:
        """The derived variables as functions of (t, x, p)."""
        return self.program(tuple(symbol(name) for name in self.derived))

    def program(self, outputs: tuple[sp.Expr, ...]) -> Program:
        """Return the program of some expressions over the states and parameters."""
        return Program.over(self.states, tuple(self.parameters), self.derived, outputs)

    def draw(self, samples: NDArray[np.int64], seed: int) -> tuple[Floats, Floats]:
        """Return the states at the start and the parameters, each (names, samples).

        Raises:
            InvalidValue: if a value per sample has too few entries, or one is not finite.
        """
        starts = {f"{name}(0)": value for name, value in self.initial.items()}
        drawn = draw({**self.parameters, **starts}, samples, seed)
        require_finite(drawn)
        x = np.array([drawn[f"{name}(0)"] for name in self.states])
        p = np.array([drawn[name] for name in self.parameters])
        return x.reshape(len(self.states), samples.size), p.reshape(-1, samples.size)

    def do(self, *interventions: Intervention, **holds: Any) -> System:
        """Return the system under interventions; the keywords are `Hold`s.

        Raises:
            UnknownVariable: for a name that the system does not define.
            Infeasible: for a held value that the variable cannot physically take.
            InvalidValue: for a parameter that is held, or a group held at odds with itself.
        """
        held, changed = collect(interventions, holds)
        for name in changed.keys() - self.parameters.keys():
            raise UnknownVariable(self._not_a_parameter(name))
        system = self.replace(parameters={**self.parameters, **changed}) if changed else self
        for name, value in system._with_groups(held).items():
            system = system._hold(name, value)
        return system

    def graph(self) -> nx.DiGraph:
        """Return the graph of the mechanisms as written, cause -> effect, self-loops included."""
        graph = nx.DiGraph()
        graph.add_nodes_from(self.variables)
        for name, mechanism in {**self.drift, **self.derived}.items():
            graph.add_edges_from(
                (cause, name) for cause in self.variables if cause in names_in(mechanism)
            )
        return graph

    def _hold(self, name: str, value: Any) -> System:
        self._check_can_hold(name, value)
        names = {*self.variables, *self.parameters, TIME.name} - {name}
        held_value = as_value(value, names, f"do({name})")
        start: sp.Expr = held_symbol(name)
        mechanism, parameters = start, {**self.parameters, f"do({name})": held_value}
        if isinstance(held_value, sp.Basic):
            del parameters[f"do({name})"]
            mechanism = held_value
            start = mechanism.xreplace({TIME: sp.S.Zero}).xreplace(
                {symbol(state): initial_symbol(state) for state in self.drift}
            )

        def without(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
            return {k: v for k, v in mapping.items() if k != name}

        def restarted(value: Value) -> Value:
            if not isinstance(value, sp.Basic):
                return value
            return value.xreplace({initial_symbol(name): start})

        return self.replace(
            drift=without(self.drift),
            noise={key: g for key, g in self.noise.items() if key[0] != name},
            algebraic=without(self.algebraic),
            initial={k: restarted(v) for k, v in without(self.initial).items()},
            parameters={k: restarted(v) for k, v in parameters.items()},
            held={**self.held, name: mechanism},
        )

    def _check_can_hold(self, name: str, value: Any) -> None:
        if name in self.parameters:
            raise InvalidValue(
                f"`{name}` is a parameter, not a variable; use SetParameter({name}=...)"
            )
        if name.startswith(("amount(", "concentration(")):
            species = name.partition("(")[2][:-1]
            raise InvalidValue(f"`{name}` is computed from `{species}`; hold `{species}` instead")
        if name not in self.variables:
            raise UnknownVariable(
                f"`{name}` is no variable of the system{self._named()}; "
                f"{closest(name, self.variables)}"
            )
        require_within(self.bounds.get(name, (-np.inf, np.inf)), name, value)

    def _with_groups(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """Complete the held variables of each group: a fixed position has velocity 0."""
        complete = dict(held)
        for leader, *followers in self.held_together:
            touched = [name for name in (leader, *followers) if name in held]
            if not touched:
                continue
            value = as_value(held.get(leader, 0.0), None, f"do({leader})")
            moving = isinstance(value, sp.Basic)
            for name in followers:
                if moving or held.get(name, 0) != 0:
                    raise InvalidValue(
                        f"`{leader}` and `{name}` are held together: `{leader}` at a constant "
                        f"and `{name}` at 0, not do({_written(held, touched)}); "
                        f"hold `{leader}` at a number"
                    )
                complete[name] = 0.0
            if leader not in held and leader in self.initial:
                complete[leader] = self.initial[leader]
        return complete

    def _not_a_parameter(self, name: str) -> str:
        remedy = closest(name, self.parameters)
        if name in self.variables:
            remedy = f"it is a variable: use Hold({name!r}, ...)"
        return f"`{name}` is no parameter of the system{self._named()}; {remedy}"

    def _named(self) -> str:
        return f" `{self.name}`" if self.name else ""


def _written(held: Mapping[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name} = {held[name]}" for name in names)
