"""What is computed once for a network: programs per form, and where everything stands.

With the states y of all nodes in one vector, X the variables of all nodes (states and derived)
and I the inputs,

    X = X(y),    I = B h(X_cause, X_effect),    dy/dt = f(y, I),

where B, of shape (nodes, edges), sums over the edges into a node. Its Jacobian is sparse:

    J = df/dy + df/dI  dI/dX  dX/dy.

Derivatives are symbolic, per form of node and of edge, and evaluated for all nodes and edges at
once; nothing is ever written out per node or edge.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Program
from physcm.mechanism.expression import names_in, symbol
from physcm.sim.network.compiled import Compiled, compiled_forms
from physcm.sim.network.wiring import Places
from physcm.sim.stochastic.structure import ito_drift
from physcm.sim.system import System

if TYPE_CHECKING:
    from physcm.sim.network.network import Network

ENDS = ("cause", "effect")


@dataclass(frozen=True, eq=False)
class Group:
    """The nodes of one form, and its programs.

    Attributes:
        form: the mechanisms.
        nodes: the positions of the nodes that have it.
        variables: all variables of a node.
        inputs: what a node receives.
    """

    form: System
    nodes: Places
    variables: tuple[str, ...]
    inputs: tuple[str, ...]

    @cached_property
    def states(self) -> Places:
        """The positions of the evolving variables among the variables."""
        return np.array([self.variables.index(v) for v in self.form.states], dtype=np.int64)

    @cached_property
    def derived(self) -> Places:
        """The positions of held and derived variables among the variables."""
        return np.array([self.variables.index(v) for v in self.form.derived], dtype=np.int64)

    @property
    def mechanisms(self) -> tuple[sp.Expr, ...]:
        """The drift, the derived variables and the noise."""
        form = self.form
        return (*form.drift.values(), *form.derived.values(), *form.noise.values())

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The parameters, of nodes and of the whole, that the node reads."""
        starts = [v for v in self.form.initial.values() if isinstance(v, sp.Basic)]
        read = set().union(*map(names_in, (*self.mechanisms, *starts)))
        known = self.form.parameters
        return tuple(name for name in known if name in read and name not in self.inputs)

    @cached_property
    def rates(self) -> Program:
        """The drift f(t, (y, I), k) of the states, in Ito's sense."""
        return self._program(ito_drift(self.form).values())

    @cached_property
    def amplitudes(self) -> Program:
        """The diffusion coefficients g(t, (y, I), k), in the order of the form's noise."""
        return self._program(self.form.noise.values())

    @cached_property
    def outputs(self) -> Program:
        """The held and derived variables (t, y, k)."""
        return Program.over(
            self.form.states,
            self.parameters,
            self.form.derived,
            [symbol(name) for name in self.form.derived],
        )

    @cached_property
    def given(self) -> tuple[str, ...]:
        """The initial values that are columns of the network, `x(0)`, not expressions."""
        values = self.form.initial.items()
        return tuple(f"{name}(0)" for name, v in values if not isinstance(v, sp.Basic))

    @cached_property
    def starts(self) -> Program:
        """The states at the start, from the parameters and the columns `given`."""
        definitions = {
            f"{name}(0)": value
            for name, value in self.form.initial.items()
            if isinstance(value, sp.Basic)
        }
        outputs = [symbol(f"{name}(0)") for name in self.form.states]
        return Program.over((), (*self.parameters, *self.given), definitions, outputs)

    def _program(self, outputs: Iterable[sp.Expr]) -> Program:
        variables = (*self.form.states, *self.inputs)
        return Program.over(variables, self.parameters, self.form.derived, tuple(outputs))


@dataclass(frozen=True)
class Read:
    """What an edge form reads at one of its ends: `x_cause` is x at the cause.

    Attributes:
        name: as it is written.
        what: the variable or parameter of a node.
        end: "cause" or "effect".
    """

    name: str
    what: str
    end: str


@dataclass(frozen=True, eq=False)
class Structure:
    """The programs of a network and the places of its states."""

    network: Network

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The forms with the nodes that have them."""
        network = self.network
        members = (np.flatnonzero(network.form == k) for k in range(len(network.forms)))
        return tuple(
            Group(form, nodes, network.variables, network.inputs)
            for form, nodes in zip(network.forms, members, strict=True)
            if nodes.size
        )

    @cached_property
    def evolving(self) -> NDArray[np.bool_]:
        """Which variables evolve at which nodes, (variables, nodes)."""
        mask = np.zeros((len(self.network.variables), len(self.network.nodes)), dtype=bool)
        for group in self.groups:
            mask[np.ix_(group.states, group.nodes)] = True
        return mask

    @cached_property
    def states(self) -> Places:
        """The position of each state among all variables of all nodes, (states,)."""
        return np.flatnonzero(self.evolving)

    @cached_property
    def kinds(self) -> Places:
        """The positions of the variables that evolve at any node, (kinds,)."""
        return np.flatnonzero(self.evolving.any(axis=1))

    @cached_property
    def kind_of_state(self) -> Places:
        """The position of each state's variable among the kinds, (states,)."""
        variables = self.states // self.evolving.shape[1]
        return np.asarray(np.searchsorted(self.kinds, variables), dtype=np.int64)

    @cached_property
    def rank(self) -> Places:
        """The position among the states, (variables, nodes); -1 for what does not evolve."""
        counted = np.cumsum(self.evolving).reshape(self.evolving.shape) - 1
        return np.where(self.evolving, counted, -1)

    @cached_property
    def incidence(self) -> scipy.sparse.csr_array:
        """The matrix B."""
        return self.network.wiring.incidence

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """What edge forms read of node variables."""
        return tuple(self._reads(self.network.variables))

    @cached_property
    def edge_reads(self) -> tuple[Read, ...]:
        """What edge forms read of node parameters."""
        return tuple(self._reads(self.network.node_parameters))

    @cached_property
    def edge_parameters(self) -> tuple[str, ...]:
        """What edge forms read of the edges and of the whole."""
        network = self.network
        return tuple(
            name
            for name in (*network.edge_parameters, *network.parameters)
            if name in self._edge_names
        )

    @cached_property
    def coupling(self) -> Program:
        """The contribution h of an edge to each input."""
        variables = tuple(read.name for read in self.reads)
        parameters = (*(read.name for read in self.edge_reads), *self.edge_parameters)
        return Program.over(variables, parameters, {}, tuple(self.network.edge.values()))

    @cached_property
    def compiled(self) -> Compiled | None:
        """The machine code of the forms, None where NumPy has to do."""
        return compiled_forms(self)

    @cached_property
    def edge_form(self) -> System:
        """The edge forms as a system, in which all that they read is a parameter."""
        names = (*self.coupling.variables, *self.coupling.parameters)
        inputs = dict.fromkeys(self.network.inputs, 0.0)
        parameters = dict.fromkeys(names, 0.0)
        return System(self.network.edge, parameters=parameters, initial=inputs)

    @cached_property
    def _edge_names(self) -> frozenset[str]:
        return frozenset().union(*map(names_in, self.network.edge.values()))

    def _reads(self, names: Iterable[str]) -> Iterable[Read]:
        for name in names:
            for end in ENDS:
                if f"{name}_{end}" in self._edge_names:
                    yield Read(f"{name}_{end}", name, end)

    def ends(self, end: str) -> Places:
        """Return the position of each edge's cause or effect."""
        wiring = self.network.wiring
        return wiring.causes if end == "cause" else wiring.effects
