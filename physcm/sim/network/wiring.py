"""Who acts on whom: the edges of a network, cause -> effect, with a number for each.

An adjacency is

- a `networkx.DiGraph`, whose edges run from cause to effect; a `networkx.Graph` has edges both
  ways. The attribute `weight` is the number, 1 where it is absent;
- an `xarray.DataArray` with dimensions `cause` and `effect`, their coordinates the names;
- a NumPy array or a `scipy.sparse` matrix A, in which A[i, j] != 0 is an edge from i, the
  cause, to j, the effect (`rows="effect"`: to i, from j, as in sum_j A[i, j] x_j).

An edge with the number 0 is no edge.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.sim.network.names import ARROW, Nodes

if TYPE_CHECKING:
    import networkx as nx

Places: TypeAlias = NDArray[np.int64]

_SIDES = ("cause", "effect")


@dataclass(frozen=True, eq=False)
class Wiring:
    """The edges among some nodes, ordered by effect and then by cause.

    Attributes:
        nodes: the nodes.
        causes: the position of each edge's cause, shape (edges,).
        effects: the position of each edge's effect, shape (edges,).
    """

    nodes: Nodes
    causes: Places
    effects: Places

    def __len__(self) -> int:
        return self.causes.size

    @property
    def incidence(self) -> scipy.sparse.csr_array:
        """The matrix (nodes, edges) that sums over the edges into each node."""
        nodes, edges = len(self.nodes), len(self)
        ends = np.searchsorted(self.effects, np.arange(nodes + 1))
        return scipy.sparse.csr_array(
            (np.ones(edges), np.arange(edges), ends), shape=(nodes, edges)
        )

    @property
    def texts(self) -> list[str]:
        """The edges as texts, `a -> b`."""
        names = self.nodes.names
        pairs = zip(self.causes.tolist(), self.effects.tolist(), strict=True)
        return [f"{names[i]}{ARROW}{names[j]}" for i, j in pairs]

    def keep(self, kept: NDArray[np.bool_]) -> Wiring:
        """Return the wiring with some of the edges."""
        return Wiring(self.nodes, self.causes[kept], self.effects[kept])

    def place(self, cause: Any, effect: Any) -> int:
        """Return the position of an edge.

        Raises:
            UnknownVariable: for a node or an edge that is not there.
        """
        i, j = self.nodes.place(cause), self.nodes.place(effect)
        found = self.find(np.array([i]), np.array([j]))[0]
        if found >= 0:
            return int(found)
        reverse = self.find(np.array([j]), np.array([i]))[0] >= 0
        names = self.nodes.names
        into = [f"`{names[k]}`" for k in self.causes[self.effects == j][:20]]
        known = f"edges into `{names[j]}` come from {', '.join(into)}" if into else "it has none"
        raise UnknownVariable(
            f"there is no edge `{names[i]}{ARROW}{names[j]}`; "
            + (f"did you mean `{names[j]}{ARROW}{names[i]}`?" if reverse else known)
        )

    def find(self, causes: Places, effects: Places) -> Places:
        """Return the positions of edges, -1 for those that are not there."""
        keys = self.effects * len(self.nodes) + self.causes
        wanted = effects * len(self.nodes) + causes
        if not keys.size:
            return np.full(wanted.shape, -1)
        places = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        return np.where(keys[places] == wanted, places, -1)


def read(
    adjacency: Any, names: Iterable[Any] | None = None, rows: str = "cause"
) -> tuple[Wiring, Floats]:
    """Return the edges of an adjacency, and the number on each.

    Args:
        adjacency: as in the module's docstring.
        names: the names of the nodes of a bare matrix; 0, 1, ... unless given.
        rows: what the rows of a bare matrix are, "cause" or "effect".

    Raises:
        InvalidValue: for something else, and for numbers that are not finite.

    >>> wiring, weights = read(np.array([[0, 2.0], [0, 0]]), ["a", "b"])
    >>> wiring.texts, weights.tolist()
    (['a -> b'], [2.0])
    """
    import networkx as nx  # slow to import

    if rows not in _SIDES:
        raise InvalidValue(f"rows is `{rows}`; use 'cause' or 'effect'")
    if names is not None and isinstance(adjacency, nx.Graph | xr.DataArray):
        raise InvalidValue(f"nodes is `{names!r}`, but the adjacency names them; leave out `nodes`")
    if isinstance(adjacency, nx.Graph):
        nodes, matrix = _from_graph(adjacency)
    elif isinstance(adjacency, xr.DataArray):
        nodes, matrix = _from_array(adjacency)
    else:
        matrix = as_matrix(adjacency, "adjacency")
        nodes = Nodes.of(range(matrix.shape[0]) if names is None else names)
        matrix = matrix if rows == "cause" else matrix.T
    return _wired(nodes, scipy.sparse.csc_array(matrix))


def as_matrix(raw: Any, place: str) -> scipy.sparse.csc_array:
    """Return a square matrix as a sparse one, or say what is wrong with it."""
    try:
        array = raw if scipy.sparse.issparse(raw) else np.asarray(raw, dtype=float)
        matrix = scipy.sparse.csc_array(array, dtype=float) if array.ndim == 2 else None
    except (TypeError, ValueError):
        matrix = None
    if matrix is None:
        raise InvalidValue(
            f"{place}: `{type(raw).__name__}` is no matrix of numbers; give a networkx graph, an "
            "xarray.DataArray over cause and effect, or a square NumPy or scipy.sparse matrix"
        )
    if matrix.shape[0] != matrix.shape[1]:
        raise InvalidValue(
            f"{place}: the matrix has shape `{matrix.shape}`; give one row and column per node"
        )
    return matrix


def _wired(nodes: Nodes, matrix: scipy.sparse.csc_array) -> tuple[Wiring, Floats]:
    if len(nodes) != matrix.shape[0]:
        raise InvalidValue(
            f"`{len(nodes)}` names for {matrix.shape[0]} nodes; give one name per node"
        )
    if not len(nodes):
        raise InvalidValue("the adjacency has `0` nodes; give at least one")
    matrix.sum_duplicates()
    edges = matrix.tocoo()
    present = edges.data != 0
    causes, effects, weights = (a[present] for a in (edges.row, edges.col, edges.data))
    order = np.lexsort((causes, effects))
    wiring = Wiring(nodes, causes[order].astype(np.int64), effects[order].astype(np.int64))
    bad = np.flatnonzero(~np.isfinite(weights[order]))
    if bad.size:
        raise InvalidValue(
            f"the weight of `{wiring.texts[bad[0]]}` is `{weights[order][bad[0]]}`; give a finite "
            "number, 0 for no edge"
        )
    return wiring, weights[order]


def _from_graph(graph: nx.Graph) -> tuple[Nodes, scipy.sparse.csc_array]:
    if graph.is_multigraph():
        raise InvalidValue(
            f"the adjacency is a `{type(graph).__name__}`, with several edges between two nodes; "
            "give a DiGraph"
        )
    nodes = Nodes.of(graph.nodes)
    directed = graph if graph.is_directed() else graph.to_directed(as_view=True)
    edges = directed.edges(data="weight", default=1)
    ends = [(nodes.places[i], nodes.places[j], weight) for i, j, weight in edges]
    try:
        rows, columns, weights = np.array(ends, dtype=float).reshape(-1, 3).T
    except (TypeError, ValueError):
        wrong = next(weight for *_, weight in ends if not isinstance(weight, int | float))
        raise InvalidValue(
            f"the attribute `weight` of an edge is `{wrong!r}`; give numbers"
        ) from None
    places = rows.astype(np.int64), columns.astype(np.int64)
    return nodes, scipy.sparse.coo_array((weights, places), shape=(len(nodes), len(nodes)))


def _from_array(array: xr.DataArray) -> tuple[Nodes, scipy.sparse.csc_array]:
    square = oriented(array, "adjacency")
    labels = [square.coords[side].values for side in _SIDES if side in square.coords]
    return Nodes.of(labels[0] if labels else range(len(square))), as_matrix(
        square.values, "adjacency"
    )


def oriented(array: xr.DataArray, place: str) -> xr.DataArray:
    """Return a labelled matrix with rows for causes and columns for effects, in one order."""
    if set(array.dims) != set(_SIDES):
        raise InvalidValue(
            f"{place}: the dimensions are `{', '.join(map(str, array.dims))}`; call them cause and "
            "effect"
        )
    labels = [array.coords[side].values if side in array.coords else None for side in _SIDES]
    if labels[0] is not None and labels[1] is not None:
        strangers = set(labels[0].tolist()) ^ set(labels[1].tolist())
        if strangers or len(labels[0]) != len(labels[1]):
            raise InvalidValue(
                f"{place}: `{min(strangers, key=str, default=labels[0][0])}` is not once among the "
                "causes and once among the effects; give both the same coordinates"
            )
        array = array.sel(effect=labels[0])
    return array.transpose(*_SIDES)
