"""A column: one value for each node, or for each edge.

A value is a number, a distribution (one draw per item and sample, by the name of the item), or
a tuple with one number per sample. An item without a value has NaN; whoever reads it says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.distributions import Distribution, as_distribution
from physcm.mechanism.draws import uniforms
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.values import as_value, finite, from_plain, to_plain
from physcm.sim.network.names import Nodes
from physcm.sim.network.wiring import Places, Wiring, as_matrix, oriented

Datum = float | Distribution | tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Column:
    """One value per item.

    Attributes:
        numbers: shape (items,); NaN where an item has no number.
        random: distributions and tuples, each with the positions of the items that have it.

    >>> column = Column.constant(2.0, items=3).put(1, (5.0, 6.0))
    >>> column.draw(["a", "b", "c"], np.arange(2), seed=0).tolist()
    [[2.0, 2.0], [5.0, 6.0], [2.0, 2.0]]
    """

    numbers: Floats
    random: tuple[tuple[Distribution | tuple[float, ...], Places], ...] = ()

    @classmethod
    def constant(cls, value: Datum, items: int) -> Column:
        """Return a column with one value for all items; a distribution is drawn for each."""
        if isinstance(value, float):
            return cls(np.full(items, value))
        return cls(np.full(items, np.nan), ((value, np.arange(items)),) if items else ())

    @classmethod
    def empty(cls, items: int) -> Column:
        """Return a column without values."""
        return cls(np.full(items, np.nan))

    def put(self, place: int, value: Datum) -> Column:
        """Return the column with another value for one item."""
        numbers = self.numbers.copy()
        numbers[place] = value if isinstance(value, float) else np.nan
        others = ((v, places[places != place]) for v, places in self.random)
        random = tuple((v, places) for v, places in others if places.size)
        if not isinstance(value, float):
            random = (*random, (value, np.array([place])))
        return Column(numbers, random)

    def scale(self, place: int, factor: float) -> Column:
        """Return the column with one number multiplied."""
        return self.put(place, float(self.numbers[place]) * factor)

    def keep(self, kept: NDArray[np.bool_]) -> Column:
        """Return the column of some of the items."""
        renumbered = np.cumsum(kept) - 1
        random = tuple((v, renumbered[places[kept[places]]]) for v, places in self.random)
        return Column(self.numbers[kept], tuple((v, p) for v, p in random if p.size))

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where there is no value."""
        absent: NDArray[np.bool_] = np.isnan(self.numbers)
        for _, places in self.random:
            absent[places] = False
        return absent

    def values(self) -> list[Datum | None]:
        """Return the value of each item, `None` where there is none."""
        listed: list[Any] = [None if np.isnan(v) else v for v in self.numbers.tolist()]
        for value, places in self.random:
            for place in places.tolist():
                listed[place] = value
        return listed

    def draw(self, sources: Sequence[str], samples: NDArray[np.int64], seed: int) -> Floats:
        """Return the numbers, (items, samples), or (items, 1) where all samples share them.

        Args:
            sources: the name of each item's value.
            samples: the numbers of the samples.
            seed: the seed.

        Raises:
            InvalidValue: if a value per sample has too few entries.
        """
        columns = self.numbers[:, np.newaxis]
        if not self.random:
            return columns
        columns = np.repeat(columns, samples.size, axis=1)
        for value, places in self.random:
            if isinstance(value, Distribution):
                chosen = [sources[place] for place in places.tolist()]
                columns[places] = value.quantile(uniforms(seed, chosen, samples))
            else:
                columns[places] = _per_sample(value, sources[places[0]], samples)
        return columns

    def plain(self) -> dict[str, Any]:
        """Return the column as lists and texts, as `from_plain` reads them."""
        numbers = [None if np.isnan(v) else v for v in self.numbers.tolist()]
        return {
            "numbers": numbers,
            "random": [[to_plain(value), places.tolist()] for value, places in self.random],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Column:
        """Return the column that `plain` wrote.

        >>> Column.from_plain(Column.constant((1.0, 2.0), items=2).plain()).values()
        [(1.0, 2.0), (1.0, 2.0)]
        """
        random = (
            (as_datum(from_plain(v), "value"), np.array(p, np.int64)) for v, p in plain["random"]
        )
        return cls(np.array(plain["numbers"], dtype=float), tuple(random))  # type: ignore[arg-type]


def at_nodes(raw: Any, nodes: Nodes, place: str) -> Column:
    """Return a column over nodes from what a user wrote.

    Args:
        raw: a number or distribution for all, a mapping from names, a sequence in the order of
            the nodes, or a DataArray over `node`; a row in place of a number is one per sample.
        nodes: the nodes.
        place: what the values are for, to begin error messages with.

    Raises:
        InvalidValue: for a sequence of another length, and values that are none.
        UnknownVariable: for a node that is not there.

    >>> at_nodes({"b": 2}, Nodes(("a", "b")), "k").values()
    [None, 2.0]
    """
    if isinstance(raw, xr.DataArray):
        raw = _labelled(raw, place)
    if isinstance(raw, Mapping):
        return _column(
            [(nodes.place(name), value) for name, value in raw.items()], len(nodes), place
        )
    values = raw.tolist() if isinstance(raw, np.ndarray) else raw
    if isinstance(values, Sequence) and not isinstance(values, str):
        if len(values) != len(nodes):
            raise InvalidValue(
                f"{place}: `{len(values)}` values for {len(nodes)} nodes; give one per node, or a "
                "mapping from names"
            )
        return _column(list(enumerate(values)), len(nodes), place)
    return Column.constant(as_datum(raw, place), len(nodes))


def at_edges(raw: Any, wiring: Wiring, place: str) -> Column:
    """Return a column over edges from what a user wrote.

    Args:
        raw: a number or distribution for all, a mapping from pairs (cause, effect), or a matrix,
            bare with rows for causes, or a DataArray over `cause` and `effect`.
        wiring: the edges.
        place: what the values are for, to begin error messages with.

    Raises:
        InvalidValue: for values that are none, and for a row, since edges have no order.
        UnknownVariable: for an edge that is not there.
    """
    if isinstance(raw, Mapping):
        entries = [(wiring.place(*_pair(ends, place)), value) for ends, value in raw.items()]
        return _column(entries, len(wiring), place)
    if isinstance(raw, xr.DataArray):
        square = oriented(raw, place)
        if "cause" in square.coords:
            names = list(wiring.nodes.names)
            square = square.reindex(cause=names, effect=names)
        raw = square.values
    if scipy.sparse.issparse(raw) or np.ndim(raw) > 0:
        return _from_matrix(raw, wiring, place)
    return Column.constant(as_datum(raw, place), len(wiring))


def as_datum(raw: Any, place: str) -> Datum:
    """Return one value from what a user wrote: a number, a distribution, numbers per sample."""
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return finite(raw, place)
    distribution = as_distribution(raw)
    if distribution is not None:
        return distribution
    return as_value(raw, (), place)


def _from_matrix(raw: Any, wiring: Wiring, place: str) -> Column:
    if not scipy.sparse.issparse(raw) and np.ndim(raw) != 2:
        raise InvalidValue(
            f"{place}: values of shape `{np.shape(raw)}`, but edges have no order; give a matrix, "
            "or a mapping from pairs (cause, effect)"
        )
    matrix = as_matrix(raw, place)
    if matrix.shape[0] != len(wiring.nodes):
        raise InvalidValue(
            f"{place}: a matrix of shape `{matrix.shape}` for {len(wiring.nodes)} nodes; give one "
            "row and column per node"
        )
    numbers = np.asarray(scipy.sparse.csr_array(matrix)[wiring.causes, wiring.effects], dtype=float)
    return _column(list(enumerate(numbers.tolist())), len(wiring), place)


def _column(entries: list[tuple[int, Any]], items: int, place: str) -> Column:
    numbers = np.full(items, np.nan)
    random: dict[Any, list[int]] = {}
    for item, raw in entries:
        value = as_datum(raw, place)
        if isinstance(value, float):
            numbers[item] = value
        else:
            random.setdefault(value, []).append(item)
    return Column(numbers, tuple((value, np.array(places)) for value, places in random.items()))


def _labelled(array: xr.DataArray, place: str) -> dict[Any, Any] | list[Any]:
    if array.dims != ("node",):
        raise InvalidValue(
            f"{place}: the dimensions are `{', '.join(map(str, array.dims))}`; give values over "
            "node"
        )
    values: list[Any] = array.values.tolist()
    if "node" not in array.coords:
        return values
    return dict(zip(array.coords["node"].values.tolist(), values, strict=True))


def _pair(ends: Any, place: str) -> tuple[Any, Any]:
    if not isinstance(ends, tuple) or len(ends) != 2:
        raise InvalidValue(f"{place}: `{ends!r}` is no edge; write (cause, effect)")
    return ends


def _per_sample(values: tuple[float, ...], source: str, samples: NDArray[np.int64]) -> Floats:
    if samples.size and samples.max() >= len(values):
        raise InvalidValue(
            f"`{source}` has values for {len(values)} samples, but sample {samples.max()} is asked "
            f"for; give as many values as there are samples, or ask for n={len(values)}"
        )
    return np.array(values)[samples]
