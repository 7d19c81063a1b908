"""The order in which to eliminate the unknowns of sparse linear equations, and what fills in.

Pivots are taken from the diagonal, so that the order depends on the pattern alone. The next is
the one with the least (r - 1)(c - 1), of r entries left in its row and c in its column: at most
so many zeros fill in (H. M. Markowitz, Management Science 3, 1957).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

Place = tuple[int, int]


@dataclass(frozen=True)
class Elimination:
    """An order of elimination and the pattern of the factors A = L U.

    Attributes:
        order: the unknowns in the order of their elimination.
        lower: the columns of each row of L, in that order, without the diagonal.
        upper: the columns of each row of U, in that order, without the diagonal.
    """

    order: tuple[int, ...]
    lower: tuple[tuple[int, ...], ...]
    upper: tuple[tuple[int, ...], ...]

    @cached_property
    def rows(self) -> dict[Place, int]:
        """All places of L and U, numbered row by row in the order of elimination."""
        places = [(i, j) for i in self.order for j in (*self.lower[i], i, *self.upper[i])]
        return {place: number for number, place in enumerate(places)}

    @property
    def updates(self) -> int:
        """How many products elimination takes."""
        return sum(len(self.upper[k]) for row in self.lower for k in row)


def elimination(size: int, entries: Iterable[Place]) -> Elimination:
    """Return how to eliminate the unknowns of equations with entries at some places.

    An arrow that points the right way does not fill in:

    >>> arrow = [(0, 1), (0, 2), (1, 0), (2, 0)]
    >>> elimination(3, arrow).order
    (1, 0, 2)
    >>> len(elimination(3, arrow).rows)
    7
    """
    rows: list[set[int]] = [set() for _ in range(size)]
    columns: list[set[int]] = [set() for _ in range(size)]
    for i, j in entries:
        if i != j:
            rows[i].add(j)
            columns[j].add(i)
    order: list[int] = []
    lower: list[list[int]] = [[] for _ in range(size)]
    upper: list[set[int]] = [set() for _ in range(size)]
    left = dict.fromkeys(range(size))
    while left:
        pivot = min(left, key=lambda i: len(rows[i]) * len(columns[i]))
        del left[pivot]
        order.append(pivot)
        upper[pivot] = rows[pivot]
        for i in columns[pivot]:
            lower[i].append(pivot)
            rows[i].discard(pivot)
            rows[i] |= rows[pivot] - {i}
        for j in rows[pivot]:
            columns[j].discard(pivot)
            columns[j] |= columns[pivot] - {j}
    place = {i: k for k, i in enumerate(order)}
    return Elimination(
        tuple(order),
        tuple(map(tuple, lower)),
        tuple(tuple(sorted(row, key=place.__getitem__)) for row in upper),
    )
