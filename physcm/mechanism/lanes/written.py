"""Sparse linear equations of few unknowns, written out instruction by instruction: A u = b.

A = L U is factored in place in a block q of rows, one for each place of `Elimination.rows`, as
l_ij, 1 / l_ii and -u_ij; U has a unit diagonal. Pivots are not searched for: one that vanishes
leaves infinities or NaN in the solution, which no step with an estimate of its error survives.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from physcm.mechanism.lanes.blocks import LANE, LANES, in_parts
from physcm.mechanism.lanes.elimination import Elimination, Place
from physcm.mechanism.lanes.vectors import Vectors


def equations(
    elimination: Elimination,
    given: Collection[Place],
    right: Callable[[Vectors, int], str],
    declarations: set[str],
) -> list[str]:
    """Return the functions `factor(q)` and `solve(s, d, f, q, u)`.

    Args:
        elimination: the pattern and the order.
        given: the places of A that do not vanish.
        right: writes b_i from s, d, f, q and u, in which the solution takes its place.
        declarations: the declarations of the module.
    """
    order = elimination.order
    factoring = (_row(elimination, given, i) for i in order)
    return [
        *in_parts("factor", "q", factoring, declarations),
        *in_parts("solve", "s d f q u", _solving(elimination, right), declarations),
    ]


def _row(e: Elimination, given: Collection[Place], i: int) -> Callable[[Vectors], None]:
    def write(v: Vectors) -> None:
        lower, upper = e.lower[i], e.upper[i]
        a = {j: _load(v, e, i, j) for j in (*lower, i, *upper) if (i, j) in given}
        for k in lower:
            for j in e.upper[k]:
                u = _load(v, e, k, j)
                a[j] = v.fma(a[k], u, a[j]) if j in a else v.mul(a[k], u)
            _store(v, e, a[k], i, k)
        inverse = v.div(v.number(1.0), a[i])
        _store(v, e, inverse, i, i)
        for j in upper:
            _store(v, e, v.mul(a[j], v.negative(inverse)), i, j)

    return write


def _solving(
    e: Elimination, right: Callable[[Vectors, int], str]
) -> Iterator[Callable[[Vectors], None]]:
    def forward(i: int) -> Callable[[Vectors], None]:
        def write(v: Vectors) -> None:
            value = right(v, i)
            for k in e.lower[i]:
                value = v.sub(value, v.mul(_load(v, e, i, k), v.load("%u", k, LANE, LANES)))
            v.store(v.mul(value, _load(v, e, i, i)), "%u", i, LANE, LANES)

        return write

    def backward(i: int) -> Callable[[Vectors], None]:
        def write(v: Vectors) -> None:
            value = v.load("%u", i, LANE, LANES)
            for j in e.upper[i]:
                value = v.fma(_load(v, e, i, j), v.load("%u", j, LANE, LANES), value)
            v.store(value, "%u", i, LANE, LANES)

        return write

    yield from map(forward, e.order)
    yield from map(backward, (i for i in reversed(e.order) if e.upper[i]))


def _load(v: Vectors, e: Elimination, i: int, j: int) -> str:
    return v.load("%q", e.rows[i, j], LANE, LANES, f"a_{i}_{j}_")


def _store(v: Vectors, e: Elimination, value: str, i: int, j: int) -> None:
    v.store(value, "%q", e.rows[i, j], LANE, LANES)
