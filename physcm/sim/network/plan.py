"""The plan of a network and its modes, as `physcm.sim.plan` wants them.

The full vector holds all variables of all nodes, the first variable of each node first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program, Vector
from physcm.mechanism.expression import TIME, names_in
from physcm.mechanism.interventions import EdgeIntervention, Impulse, Intervention, Replace, When
from physcm.mechanism.values import draw as draw_values
from physcm.sim.modes import View
from physcm.sim.network import ode
from physcm.sim.network.field import Field
from physcm.sim.network.names import labelled
from physcm.sim.network.network import Network
from physcm.sim.network.schedule import brought, form_at, in_full, meet, own_names
from physcm.sim.network.scope import edge_place, parts
from physcm.sim.network.values import draw, drawn
from physcm.sim.network.wiring import Places, Wiring
from physcm.sim.plan import Plan
from physcm.sim.schedule import impulse_values, impulses, unwrapped
from physcm.sim.status import RunStatus
from physcm.sim.stepping import Path, Solver
from physcm.sim.triggers import Trigger, scheduled_triggers, watched


@dataclass(frozen=True, eq=False)
class NetworkView(View):
    """One mode of a network.

    Attributes:
        field: of all samples.
        places: the place of each variable in the full vector, by name.
    """

    field: Field
    places: Mapping[str, int]

    def evolves(self, name: str) -> bool:
        """Say whether a variable of a node has a drift."""
        return bool(self.field.structure.evolving.flat[self.places[name]])

    def folded(self, name: str, value: sp.Expr) -> sp.Expr:
        """Return the value: no node is reflected."""
        return value

    def completed(self, t: float | Floats, x: Floats, columns: Places) -> Floats:
        """Return the full vector, with held and derived variables."""
        return self.field.of(columns).variables(t, x).reshape(len(self.places), x.shape[1])

    def steps(
        self, solver: Solver, column: int, t: float, x: Floats, stop: float
    ) -> Iterator[tuple[float, float, Path]]:
        """Yield the steps that SciPy takes."""
        return ode.steps(self._one(column), solver, t, x, stop)

    def integrated(
        self, solver: Solver, column: int, grid: Floats, x: Floats
    ) -> tuple[Floats, bool]:
        """Return the states as read off the interpolants of these steps."""
        return ode.integrated(self._one(column), solver, grid, x)

    def trouble(self, column: int, t: float, x: Floats, stop: float, status: RunStatus) -> str:
        """Name the first state that has no finite value, if one has none."""
        bad = np.flatnonzero(~np.isfinite(x))
        if not bad.size:
            return ""
        name = list(self.places)[self.rows[bad[0]]]
        return f"at t = {t:.6g} `{name}` has no finite value"

    def _one(self, column: int) -> Field:
        return self.field.of(np.array([column]))


@dataclass(frozen=True, eq=False)
class Picked:
    """A program over some of the full vector.

    Attributes:
        program: over what it reads.
        rows: the places of that in the full vector.
    """

    program: Program
    rows: Places

    @property
    def outputs(self) -> tuple[sp.Expr, ...]:
        """The expressions."""
        return self.program.outputs

    @property
    def scalar(self) -> Callable[[float, Vector, Vector], list[float]]:
        """Their values at one point."""
        return lambda t, full, p: self.program.scalar(t, np.asarray(full)[self.rows], p)

    @property
    def vector(self) -> Callable[[float | Floats, Floats, Floats], Floats]:
        """Their values at many points."""
        return lambda t, full, p: self.program.vector(t, full[self.rows], p)


class NetworkPlan(Plan[NetworkView]):
    """The plan of a network.

    Attributes:
        network: with its schedule.
    """

    def __init__(self, network: Network, samples: NDArray[np.int64], seed: int) -> None:
        """Plan some samples, by their numbers, of a network under a seed."""
        self.network, self._samples, self._seed = network, samples, seed

    @property
    def samples(self) -> NDArray[np.int64]:
        """The numbers of the samples."""
        return self._samples

    @property
    def seed(self) -> int:
        """The seed of all draws."""
        return self._seed

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The variables of all nodes, `x[gene7]`."""
        network = self.network
        return tuple(labelled(v, node) for v in network.variables for node in network.nodes)

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each variable in the full vector."""
        return {name: place for place, name in enumerate(self.names)}

    @property
    def schedule(self) -> tuple[Intervention | EdgeIntervention, ...]:
        """The schedule of the network."""
        return self.network.schedule

    @cached_property
    def triggers(self) -> tuple[Trigger, ...]:
        """The triggers on the schedule."""
        return scheduled_triggers(self.schedule)

    @cached_property
    def impulses(self) -> dict[int, tuple[str, sp.Expr]]:
        """The impulses on the schedule."""
        return impulses(self._in_full, ())

    @cached_property
    def derived(self) -> dict[str, sp.Expr]:
        """Held and derived variables of the nodes that conditions read."""
        conditions = watched(self.triggers)
        read = frozenset().union(*map(names_in, conditions)) & self.places.keys()
        nodes = {found[1] for name in read if (found := parts(name))}
        return {
            labelled(name, node): mechanism.xreplace(own_names(self.network, node))
            for node in nodes
            for name, mechanism in form_at(self.network, node).derived.items()
        }

    def view(self, acting: Iterable[int] = ()) -> NetworkView:
        """Return a mode of the network."""
        places = tuple(acting)
        if places not in self._views:
            self._views[places] = self._view(self.network.mode(places))
        return self._views[places]

    def program(self, outputs: list[sp.Expr]) -> Picked:
        """Return expressions over the full vector and the parameters that the schedule reads."""
        read = sorted(frozenset().union(*map(names_in, outputs)) & self.places.keys())
        rows = np.array([self.places[name] for name in read], dtype=np.int64)
        return Picked(Program.over(read, self.parameters, {}, outputs), rows)

    def meet(self, one: int, other: int) -> bool:
        """Say whether two scheduled interventions have a target in common."""
        return meet(self.network, one, other)

    def start(self, t: float) -> Floats:
        """Return the full vectors at the start."""
        view, everyone = self.view(), np.arange(self.samples.size)
        return view.completed(t, view.field.start(everyone.size), everyone)

    @property
    def kinds(self) -> Places:
        """The positions of the variables that evolve at any node, now or in a mode."""
        acts = map(unwrapped, self.schedule)
        replaced = {a.name.partition("[")[0] for a in acts if isinstance(a, Replace)}
        evolving = self.network.structure.evolving.any(axis=1)
        return np.flatnonzero(evolving | np.isin(self.network.variables, list(replaced)))

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that conditions, times and impulses read."""
        expressions = [*watched(self.triggers), *(amount for _, amount in self.impulses.values())]
        for entry in self.schedule:
            acts = unwrapped(entry)
            times = (acts.at,) if isinstance(acts, Impulse) else acts.during or ()
            expressions += [time for time in times if isinstance(time, sp.Basic)]
        read = frozenset().union(*map(names_in, expressions))
        return tuple(sorted(read - self.places.keys() - {TIME.name}))

    @cached_property
    def brought(self) -> dict[str, Floats]:
        """The values that scheduled interventions bring to nodes, (nodes, samples or 1)."""
        return drawn(brought(self.network), self.network.nodes, self.samples, self.seed)

    @cached_property
    def amounts(self) -> dict[str, Floats]:
        """The amounts of impulses that are drawn or differ between samples."""
        return draw_values(impulse_values(self._in_full, ()), self.samples, self.seed)

    @cached_property
    def _in_full(self) -> list[Any]:
        """The schedule, its impulses with amounts that read the whole network."""
        full = []
        for entry in self.schedule:
            acts = unwrapped(entry)
            if isinstance(acts, Impulse):
                acts = in_full(self.network, acts)
                entry = replace(entry, intervention=acts) if isinstance(entry, When) else acts
            full.append(entry)
        return full

    @cached_property
    def _views(self) -> dict[tuple[int, ...], NetworkView]:
        return {}

    def _view(self, mode: Network) -> NetworkView:
        field = Field(mode.structure, draw(mode, self.samples, self.seed))
        everything = np.empty((len(self.parameters), self.samples.size))
        for row, name in enumerate(self.parameters):
            everything[row] = self._value(field, name)
        return NetworkView(everything, mode.structure.states, field, self.places)

    def _value(self, field: Field, name: str) -> Floats:
        """Return the values of a parameter by its full name, (samples) or (1)."""
        if name in self.amounts:
            return self.amounts[name]
        values, found = field.values, parts(name)
        if found is None:
            return np.asarray(values.whole[name])
        stem, item = found
        if stem in values.nodes:
            return np.asarray(values.nodes[stem][self.network.wiring.nodes.place(item)])
        wiring, place = self.network.wiring, edge_place(self.network, stem, item)
        now = field.structure.network.wiring.find(*_ends(wiring, place))[0]
        base = self.view().field.values
        return np.asarray(base.edges[stem][place] if now < 0 else values.edges[stem][now])


def _ends(wiring: Wiring, place: int) -> tuple[Places, Places]:
    return wiring.causes[[place]], wiring.effects[[place]]
