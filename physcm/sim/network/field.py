"""The vector field of a network for some samples, evaluated for all nodes and edges at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import InvalidValue
from physcm.sim.network.names import labelled
from physcm.sim.network.structure import Group, Structure
from physcm.sim.network.values import Values
from physcm.sim.network.wiring import Places

Block = tuple[Places, Places, Floats]

_PARTS = 16
"""So many choices of samples are kept for when they are asked for again."""


@dataclass(frozen=True, eq=False)
class Field:
    """dy/dt = f(t, y), and the noise, with parameters filled in.

    Arrays of states have shape (states, samples), those of variables (variables, nodes,
    samples), those of inputs (inputs, nodes, samples).

    Attributes:
        structure: the programs of the network.
        values: the numbers of the samples.
    """

    structure: Structure
    values: Values

    def of(self, columns: NDArray[np.int64]) -> Field:
        """Return the field of some samples, by their positions; one alone may be repeated."""
        if self.values.are_shared:
            return self
        if columns.size != 1 and (columns == columns[:1]).all():
            return self.of(np.append(columns, 0)[:1])
        key = columns.tobytes()
        if key not in self._parts:
            if len(self._parts) == _PARTS:
                self._parts.clear()
            self._parts[key] = Field(self.structure, self.values.of(columns))
        return self._parts[key]

    @cached_property
    def _parts(self) -> dict[bytes, Field]:
        return {}

    def start(self, samples: int) -> Floats:
        """Return the states at the start.

        Raises:
            InvalidValue: if one is not finite.
        """
        y = np.empty((self.structure.states.size, samples))
        for group, values in zip(self.structure.groups, self.of_groups, strict=True):
            starts = [self.values.nodes[name][group.nodes] for name in group.given]
            p = _stacked([*values, *starts], group.nodes.size)
            x = group.starts.vector(0.0, np.empty((0, group.nodes.size, 1)), p)
            y[self._ranks(group)] = np.broadcast_to(x, (*x.shape[:2], samples))
        self._require_finite(y)
        return y

    def variables(self, t: float | Floats, y: Floats) -> Floats:
        """Return all variables, states and derived."""
        shape = self.structure.evolving.shape
        x = np.empty((shape[0] * shape[1], y.shape[1]))
        x[self.structure.states] = y
        x = x.reshape(*shape, y.shape[1])
        for group, p in zip(self.structure.groups, self.of_groups, strict=True):
            if group.derived.size:
                own = x[np.ix_(group.states, group.nodes)]
                x[np.ix_(group.derived, group.nodes)] = group.outputs.vector(t, own, p)
        return x

    def inputs(self, t: float, x: Floats) -> Floats:
        """Return I = B h(x_cause, x_effect)."""
        if self.structure.compiled:
            return self.structure.compiled.inputs(t, x, self.of_edges)
        contributions = self.structure.coupling.vector(t, self._at_ends(x), self.of_edges)
        sums = [self.structure.incidence @ h for h in contributions]
        return np.array(sums).reshape(len(sums), *x.shape[1:])

    def rates(self, t: float, y: Floats) -> Floats:
        """Return dy/dt, or the drift in Ito's sense."""
        return self._drift(t, *self._seen(t, y))

    def moves(self, t: float, y: Floats) -> tuple[Floats, list[Floats]]:
        """Return the drift, and the diffusion coefficients (noises, nodes, samples) per group."""
        x, received = self._seen(t, y)
        amplitudes = [
            self._at_nodes(group, group.amplitudes, t, x, received, p)
            for group, p in zip(self.structure.groups, self.of_groups, strict=True)
        ]
        return self._drift(t, x, received), amplitudes

    def jacobian(self, t: float, y: Floats) -> scipy.sparse.csr_array:
        """Return the derivatives df/dy of one sample, (states, states).

        Args:
            t: the time.
            y: shape (states,).
        """
        x, received = self._seen(t, y[:, np.newaxis])
        own, through = [], []
        for group, p in zip(self.structure.groups, self.of_groups, strict=True):
            slopes = group.rates.jacobian
            values = slopes.program.vector(t, _read(group, x, received), p)
            for row, column, value in zip(slopes.rows, slopes.columns, values, strict=True):
                rows = self.structure.rank[group.states[row], group.nodes]
                source = column - group.states.size
                if source < 0:
                    columns = self.structure.rank[group.states[column], group.nodes]
                    own.append((rows, columns, value))
                else:
                    through.append((rows, source * x.shape[1] + group.nodes, value))
        states, items = self.structure.states.size, received.shape[0] * received.shape[1]
        by_inputs = _matrix(through, (states, items))
        inputs = self._input_slopes(t, x, (items, x.shape[0] * x.shape[1]))
        variables = self._variable_slopes(t, y)
        return _matrix(own, (states, states)) + by_inputs @ inputs @ variables

    def _input_slopes(self, t: float, x: Floats, shape: tuple[int, int]) -> scipy.sparse.csr_array:
        """Return dI/dX."""
        structure, slopes = self.structure, self.structure.coupling.jacobian
        values = slopes.program.vector(t, self._at_ends(x), self.of_edges)
        blocks = []
        for row, column, value in zip(slopes.rows, slopes.columns, values, strict=True):
            read = structure.reads[column]
            variable = structure.network.variables.index(read.what)
            rows = row * x.shape[1] + structure.network.wiring.effects
            blocks.append((rows, variable * x.shape[1] + structure.ends(read.end), value))
        return _matrix(blocks, shape)

    def _variable_slopes(self, t: float, y: Floats) -> scipy.sparse.csr_array:
        """Return dX/dy."""
        structure = self.structure
        count = structure.states.size
        blocks = [(structure.states, np.arange(count), np.ones(count))]
        nodes = structure.evolving.shape[1]
        for group, p in zip(structure.groups, self.of_groups, strict=True):
            slopes = group.outputs.jacobian
            own = y[structure.rank[np.ix_(group.states, group.nodes)]][..., np.newaxis]
            values = slopes.program.vector(t, own, p)
            for row, column, value in zip(slopes.rows, slopes.columns, values, strict=True):
                rows = group.derived[row] * nodes + group.nodes
                columns = structure.rank[group.states[column], group.nodes]
                blocks.append((rows, columns, value))
        return _matrix(blocks, (structure.evolving.size, count))

    def _seen(self, t: float, y: Floats) -> tuple[Floats, Floats]:
        x = self.variables(t, y)
        return x, self.inputs(t, x)

    def _drift(self, t: float, x: Floats, received: Floats) -> Floats:
        rates = np.empty((self.structure.states.size, x.shape[2]))
        for group, p in zip(self.structure.groups, self.of_groups, strict=True):
            rates[self._ranks(group)] = self._at_nodes(group, group.rates, t, x, received, p)
        return rates

    def _at_nodes(
        self, group: Group, program: Program, t: float, x: Floats, received: Floats, p: Floats
    ) -> Floats:
        """Return what a program of a group's nodes gives, (outputs, nodes, samples)."""
        if self.structure.compiled:
            return self.structure.compiled.at_nodes(group, program, t, x, received, p)
        return program.vector(t, _read(group, x, received), p)

    def _ranks(self, group: Group) -> Places:
        return self.structure.rank[np.ix_(group.states, group.nodes)]

    def _at_ends(self, x: Floats) -> Floats:
        """Return what edges read of the variables, (reads, edges, samples)."""
        names = self.structure.network.variables
        gathered = np.empty(
            (len(self.structure.reads), self.structure.incidence.shape[1], x.shape[2])
        )
        for row, read in enumerate(self.structure.reads):
            gathered[row] = x[names.index(read.what)][self.structure.ends(read.end)]
        return gathered

    @cached_property
    def of_groups(self) -> tuple[Floats, ...]:
        """The parameters that each group reads, (parameters, nodes, samples or 1)."""
        return tuple(
            _stacked(
                [
                    self.values.nodes[name][group.nodes]
                    if name in self.values.nodes
                    else self.values.whole[name][np.newaxis]
                    for name in group.parameters
                ],
                group.nodes.size,
            )
            for group in self.structure.groups
        )

    @cached_property
    def of_edges(self) -> Floats:
        """The parameters that edges read, (parameters, edges, samples or 1)."""
        structure, values = self.structure, self.values
        ends = [values.nodes[r.what][structure.ends(r.end)] for r in structure.edge_reads]
        own = [
            values.edges[name] if name in values.edges else values.whole[name][np.newaxis]
            for name in structure.edge_parameters
        ]
        return _stacked([*ends, *own], structure.incidence.shape[1])

    def _require_finite(self, y: Floats) -> None:
        bad = np.argwhere(~np.isfinite(y))
        if bad.size:
            network = self.structure.network
            row, node = divmod(int(self.structure.states[bad[0, 0]]), len(network.nodes))
            name = labelled(f"{network.variables[row]}(0)", network.nodes[node])
            raise InvalidValue(
                f"`{name}` is `{y[tuple(bad[0])]}`; check its definition and the values it reads"
            )


def _read(group: Group, x: Floats, received: Floats) -> Floats:
    """Return the states and inputs of a group, (states + inputs, nodes, samples)."""
    return np.concatenate([x[np.ix_(group.states, group.nodes)], received[:, group.nodes]])


def _stacked(rows: Iterable[Floats], items: int) -> Floats:
    arrays = list(rows)
    samples = max((array.shape[1] for array in arrays), default=1)
    stacked = np.empty((len(arrays), items, samples))
    for i, array in enumerate(arrays):
        stacked[i] = array
    return stacked


def _matrix(blocks: Iterable[Block], shape: tuple[int, int]) -> scipy.sparse.csr_array:
    """Return the sparse matrix of (rows, columns, values); what falls on one place is added."""
    nothing = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    parts = zip(nothing, *blocks, strict=True)
    rows, columns, values = (np.concatenate([a.ravel() for a in part]) for part in parts)
    return scipy.sparse.csr_array((values, (rows, columns)), shape=shape)
