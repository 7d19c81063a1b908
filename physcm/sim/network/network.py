"""A `Network`: many nodes of few forms, coupled along the edges of a graph.

    dx_i = f(x_i, I_i, k_i, p, t) dt + g(x_i, I_i, k_i, p, t) dW_i,
    I_i = sum over the edges j -> i of h(x_j, x_i, w_ji, p, t),

with the variables x_i and parameters k_i of node i, the parameters w_ji of the edge from the
cause j to the effect i, and parameters p of the whole. A network is written with one f, g and h
(or a few: types of nodes, several inputs), and stays so: thousands of edges are arrays, never
expressions.

The mechanisms f and g of one form are kept as a small `System` in which inputs and parameters
are constants to be filled in. Intervening on a node is intervening on its form: the node moves to
the form that results, and every other node stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sympy as sp

from physcm.mechanism.interventions import EdgeIntervention, Intervention, Mode, listed
from physcm.mechanism.values import Value
from physcm.sim.network import plain
from physcm.sim.network.column import Column
from physcm.sim.network.expand import expand
from physcm.sim.network.graph import graph
from physcm.sim.network.intervene import intervene
from physcm.sim.network.schedule import mode, numbers, scheduled
from physcm.sim.network.structure import Structure
from physcm.sim.network.wiring import Places, Wiring
from physcm.sim.system import System

if TYPE_CHECKING:
    import networkx as nx
    from typing_extensions import TypeIs


@dataclass(frozen=True, eq=False)
class Network:
    """A dynamical system of many alike nodes, immutable; `System.from_network` makes one.

    Attributes:
        wiring: the nodes, and the edges between them.
        variables: the variables of each node, evolving or derived; `x[gene7]` is one node's.
        forms: the mechanisms of a node, in each of the forms that occur.
        form: which of them each node has, shape (nodes,).
        edge: what an edge contributes to each input of its effect.
        node_parameters: what differs between nodes: parameters, initial values `x(0)`, and the
            values that `do` brought, such as `do(x)`.
        edge_parameters: what differs between edges, `weight` among them.
        parameters: constants of the whole network, as in a `System`.
        types: the type of each node, if types were given.
        schedule: interventions that do not act at all times; `do` writes these.
        name: what the network is called in tables and files.
    """

    wiring: Wiring
    variables: tuple[str, ...]
    forms: tuple[System, ...]
    form: Places
    edge: Mapping[str, sp.Expr]
    node_parameters: Mapping[str, Column]
    edge_parameters: Mapping[str, Column]
    parameters: Mapping[str, Value]
    types: tuple[str, ...] | None = None
    name: str = ""
    schedule: tuple[Intervention | EdgeIntervention, ...] = ()

    @property
    def nodes(self) -> tuple[int | str, ...]:
        """The names of the nodes."""
        return self.wiring.nodes.names

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what a node receives along its edges."""
        return tuple(self.edge)

    @cached_property
    def structure(self) -> Structure:
        """The generated programs, and where each state stands."""
        return Structure(self)

    def do(self, *interventions: Intervention | EdgeIntervention, **holds: Any) -> Network:
        """Return the network under interventions, done in the order given.

        A variable or parameter of one node is written `x[gene7]`, a parameter of one edge
        `weight[a -> b]`; a parameter without brackets is that of all nodes, of all edges or of
        the whole. Edges are cut by `CutEdge` and rescaled by `RescaleEdge`. What is done at a
        node is read in the terms of that node, where `x` is its own; conditions and times write
        `x[gene7]`.

        What acts at all times changes the mechanisms here and now; from the first one on that
        does not (a window, an impulse, a trigger), interventions are kept in `schedule` for the
        simulation to carry out.

        Raises:
            UnknownVariable: for a node, edge, variable or parameter that is not there.
            InvalidValue: for a value that makes no sense.

        >>> from physcm.mechanism import Hold
        >>> import networkx as nx
        >>> from physcm.sim.network import from_network
        >>> chain = from_network({"x": "inputs - x"}, "x_cause", nx.path_graph(3), initial={"x": 1})
        >>> sorted(chain.do(Hold("x[1]", 2)).graph(of="nodes").edges)
        [(0, 0), (1, 0), (1, 2), (2, 2)]
        >>> chain.do(Hold("x[1]", 2, during=(0, 5))).schedule
        (Hold('x[1]', 2.0, during=(0.0, 5.0)),)
        """
        given = listed(interventions, holds)
        always: list[tuple[Mode | EdgeIntervention, None]] = []
        for entry in given:
            if self.schedule or not _acts_always(entry):
                break
            always.append((entry, None))
        return scheduled(intervene(self, always), given[len(always) :])

    def mode(self, acting: tuple[int, ...]) -> Network:
        """Return the network in which scheduled interventions of some places act at all times.

        >>> from physcm.mechanism import Hold
        >>> import networkx as nx
        >>> from physcm.sim.network import from_network
        >>> chain = from_network({"x": "inputs - x"}, "x_cause", nx.path_graph(3), initial={"x": 1})
        >>> held = chain.do(Hold("x[1]", 2, during=(0, 5)))
        >>> len(held.graph().edges), len(held.mode((0,)).graph().edges)
        (7, 4)
        """
        if acting not in self._modes:
            self._modes[acting] = mode(self, acting)
        return self._modes[acting]

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The number of each scheduled intervention among those of its kind, as in `do(x, 2)`."""
        return numbers(self)

    @cached_property
    def _modes(self) -> dict[tuple[int, ...], Network]:
        return {}

    def graph(self, of: str = "variables") -> nx.DiGraph:
        """Return the graph of the mechanisms as written, cause -> effect, self-loops included.

        Args:
            of: "variables" for the graph of all `x[gene7]`, or "nodes" for that of the nodes,
                in which one acts on another where any variable of it does.

        The schedule is no part of it: see `mode`.
        """
        return graph(self, of)

    def expanded(self, n: int | None = None, seed: int = 0) -> System:
        """Return the network as a system with one expression per variable and node.

        The variable `x[gene7]` is called `x_gene7` there, and `weight[a -> b]` `weight_a_b`.
        Wiener processes are shared. What is scheduled for an edge becomes a change of a factor
        on what it contributes, `factor_a_b_0` for the first intervention.

        Args:
            n: unless given, random values of nodes and edges are drawn anew, by their new
                names; given, they are those of the samples 0 to n - 1 of the network.
            seed: the seed of these samples.

        Raises:
            InvalidValue: for nodes whose names would become the same.
        """
        return expand(self, n, seed)

    def to_json(self) -> str:
        """Return the network as text, which `from_json` reads back."""
        return plain.write(self)

    @classmethod
    def from_json(cls, text: str) -> Network:
        """Return the network that `to_json` wrote."""
        fields = plain.fields(text)
        return scheduled(cls(**fields | {"schedule": ()}), fields["schedule"])


def _acts_always(entry: Intervention | EdgeIntervention) -> TypeIs[Mode | EdgeIntervention]:
    return isinstance(entry, Mode | EdgeIntervention) and entry.during is None
