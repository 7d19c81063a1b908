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
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program, derivatives
from physcm.mechanism.declarations import Interval, require_finite, require_scale
from physcm.mechanism.expression import TIME, derivative, names_in, ordered, symbol
from physcm.mechanism.interventions import Intervention, is_permanent, listed
from physcm.mechanism.magnitude import size_of_terms
from physcm.mechanism.values import Value, draw
from physcm.sim import validation
from physcm.sim.intervene import intervene
from physcm.sim.reactions import reaction_arguments
from physcm.sim.schedule import check as check_schedule
from physcm.sim.transitions import Event, Jump

if TYPE_CHECKING:
    import networkx as nx

    from physcm.sim.network import Network


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
        reactions: what one firing of a reaction adds to each state; its rate is the derived
            variable of the same name.
        events: what happens at the instant at which a condition turns true, by name.
        jumps: jumps at random times, by name.
        reflected: the states that noise pushes back into their bounds.
        schedule: interventions that do not act at all times; `do` writes these.
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
    reactions: Mapping[str, Mapping[str, sp.Expr]]
    events: Mapping[str, Event]
    jumps: Mapping[str, Jump]
    reflected: tuple[str, ...]
    schedule: tuple[Intervention, ...]
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
        reactions: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        events: Mapping[str, Event] = MappingProxyType({}),
        jumps: Mapping[str, Jump] = MappingProxyType({}),
        reflected: Iterable[str] = (),
        schedule: Iterable[Intervention] = (),
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
            reactions=reactions,
            events=events,
            jumps=jumps,
            reflected=reflected,
            schedule=schedule,
        )
        given = checked | {"name": name, "description": description, "source": source}
        for field, value in given.items():
            frozen = MappingProxyType(value) if isinstance(value, dict) else value
            object.__setattr__(self, field, frozen)
        check_schedule(self)

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

    @classmethod
    def from_network(
        cls, node: Mapping[str, Any], edge: Any, adjacency: Any, **options: Any
    ) -> Network:
        """Return a network of nodes of one form (see `physcm.sim.network.from_network`)."""
        from physcm.sim.network import from_network

        return from_network(node, edge, adjacency, **options)

    @classmethod
    def from_reactions(
        cls,
        reactions: Mapping[str, tuple[Any, Mapping[str, Any]]],
        *,
        initial: Mapping[str, Any],
        parameters: Mapping[str, Any] = MappingProxyType({}),
        algebraic: Mapping[str, Any] = MappingProxyType({}),
        **more: Any,
    ) -> System:
        """Return the system of some reactions (see `physcm.sim.reactions`).

        The drift of a state is the sum over the reactions of its change times their rate.

        Args:
            reactions: by name the rate, and what one firing adds to each state.
            initial: the value of each state at the start.
            parameters: as of a `System`.
            algebraic: derived variables besides the rates.
            more: other arguments of a `System`.

        >>> System.from_reactions(
        ...     {"birth": ("b", {"X": 1}), "death": ("d*X", {"X": -1})},
        ...     parameters={"b": 20, "d": 1},
        ...     initial={"X": 0},
        ... ).drift["X"]
        birth - death
        """
        given = reaction_arguments(reactions, initial=initial, algebraic=algebraic)
        return cls(**given, parameters=parameters, **more)

    def to_toml(self, path: str | Path | None = None) -> str:
        """Return the system as TOML text, which `from_toml` reads back; write it if asked."""
        from physcm.sim.toml import write

        if path is not None:
            write(self._text, Path(path))
        return self._text

    @cached_property
    def _text(self) -> str:
        """The TOML text, which every dataset carries."""
        from physcm.sim.toml import to_text

        return to_text(self)

    def replace(self, **changes: Any) -> System:
        """Return a system with some constructor arguments changed."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        return System(**(kept | changes))

    @property
    def in_words(self) -> str:
        """What messages call it.

        >>> System({"x": "-x"}, initial={"x": 1}, name="decay").in_words
        'the system `decay`'
        """
        return f"the system `{self.name}`" if self.name else "the system"

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
    def sizes(self) -> Program:
        """The size of the terms of each drift, by which a zero is judged (`size_of_terms`).

        Terms inside derived variables count: a force k (y - x) of 0 has the size k (|y| + |x|).
        """
        return Program.over(*self._sized(self.drift.values()))

    def sizes_of(self, states: Iterable[str]) -> Program:
        """The same for some states, for a look or two."""
        return Program.as_written(*self._sized(self.drift[name] for name in states))

    def _sized(self, drifts: Iterable[sp.Expr]) -> tuple[Any, ...]:
        inside = {sp.Abs(symbol(name)): symbol(f"size({name})") for name in self.derived}
        sizes = {
            inside[sp.Abs(symbol(name))].name: size_of_terms(definition).xreplace(inside)
            for name, definition in self.derived.items()
        }
        outputs = tuple(size_of_terms(f).xreplace(inside) for f in drifts)
        return self.states, tuple(self.parameters), {**self.derived, **sizes}, outputs

    @cached_property
    def own_slopes(self) -> Program:
        """The slope of each drift by its own state, through derived variables."""
        definitions: dict[str, sp.Expr] = {}
        slopes = [derivative(f, symbol(state)) for state, f in self.drift.items()]
        if self.derived:
            written = self.rates.written or self.rates
            definitions, entries = derivatives(written, self.states)
            own = {row: slope for row, column, slope in entries if row == column}
            slopes = [own.get(row, sp.S.Zero) for row in range(len(slopes))]
        return Program.as_written(self.states, tuple(self.parameters), definitions, slopes)

    @cached_property
    def outputs(self) -> Program:
        """The derived variables as functions of (t, x, p)."""
        return self.program(tuple(symbol(name) for name in self.derived))

    @cached_property
    def switches(self) -> Program:
        """The times at which mechanisms switch by the clock (see `physcm.sim.switching`)."""
        from physcm.sim.switching import switches

        return switches(self)

    def program(self, outputs: tuple[sp.Expr, ...]) -> Program:
        """Return the program of some expressions over the states and parameters."""
        return Program.over(self.states, tuple(self.parameters), self.derived, outputs)

    def draw(self, samples: NDArray[np.int64], seed: int) -> tuple[Floats, Floats]:
        """Return the states at the start and the parameters, each (names, samples).

        Raises:
            InvalidValue: if a value per sample has too few entries, or one is not finite, and for
                a negative factor of noise.
        """
        starts = {f"{name}(0)": value for name, value in self.initial.items()}
        drawn = draw({**self.parameters, **starts}, samples, seed)
        require_finite(drawn)
        for name in self.parameters:
            if name.startswith("scale("):
                require_scale(name, drawn[name])
        x = np.array([drawn[f"{name}(0)"] for name in self.states])
        p = np.array([drawn[name] for name in self.parameters])
        return x.reshape(len(self.states), samples.size), p.reshape(-1, samples.size)

    def do(self, *interventions: Intervention, **holds: Any) -> System:
        """Return the system under interventions; the keywords are `Hold`s.

        They are done in the order given, the keywords last. What acts at all times changes the
        mechanisms here and now; from the first one on that does not (a window, an impulse, a
        trigger), interventions are kept in `schedule` for the simulation to carry out.

        Raises:
            UnknownVariable: for a name that the system does not define.
            Infeasible: for a held value that the variable cannot physically take.
            InvalidValue: for a parameter that is held, or a group held at odds with itself.
        """
        system = self
        for intervention in listed(interventions, holds):
            if not system.schedule and is_permanent(intervention):
                system = intervene(system, intervention)
            else:
                system = system.replace(schedule=(*system.schedule, intervention))
        return system

    def graph(self) -> nx.DiGraph:
        """Return the graph of the mechanisms as written, cause -> effect, self-loops included.

        Events and jumps are mechanisms too: of the states that they change.
        """
        import networkx as nx  # more than a tenth of a second and 14 MB, which no run needs

        graph = nx.DiGraph()
        graph.add_nodes_from(self.variables)
        read = [(name, names_in(f)) for name, f in {**self.drift, **self.derived}.items()]
        read += [edge for event in self.events.values() for edge in event.reads()]
        read += [edge for jump in self.jumps.values() for edge in jump.reads()]
        for name, causes in read:
            graph.add_edges_from((cause, name) for cause in self.variables if cause in causes)
        return graph
