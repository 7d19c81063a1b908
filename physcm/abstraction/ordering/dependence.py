"""Equations that follow from others: linear combinations that vanish identically, found exactly.

The combinations c with c . f = 0 are the left null space of the values of f at generic points,
in exact arithmetic modulo a large prime (see `physcm.sim.modular`). If the f are drifts, c . X is
conserved (see `physcm.sim.conservation`). Where the gradients of f at one point are linearly
independent there are none, and no combination is a constant either; that is quickly seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.expression import derivative, symbol
from physcm.sim.modular import Values, left_null_space

_RANK = 1e-8


def are_independent(
    expressions: Sequence[sp.Expr], variables: Sequence[str], known: Mapping[sp.Symbol, sp.Expr]
) -> bool:
    """Say whether the gradients of some expressions are independent at a generic point.

    >>> x, y = sp.symbols("x y", real=True)
    >>> are_independent([x * y, x - y], "xy", {}), are_independent([x, 2 * x], "xy", {})
    (True, False)
    """
    return _are_independent(tuple(expressions), tuple(variables), tuple(known.items()))


@lru_cache(maxsize=64)
def _are_independent(
    expressions: tuple[sp.Expr, ...],
    variables: tuple[str, ...],
    known: tuple[tuple[sp.Symbol, sp.Expr], ...],
) -> bool:
    with np.errstate(all="ignore"):
        gradients = _gradients(expressions, variables, dict(known))
        gradients = gradients / np.abs(gradients).max(axis=1, keepdims=True, initial=0.0)
    if not np.isfinite(gradients).all():
        return False
    return bool(np.linalg.matrix_rank(gradients, tol=_RANK) == len(expressions))


def _gradients(
    expressions: Sequence[sp.Expr], variables: Sequence[str], known: Mapping[sp.Symbol, sp.Expr]
) -> Floats:
    """Return the gradients (expressions, variables) at one random point."""
    place = {symbol(name): j for j, name in enumerate(variables)}
    entries = [(i, x) for i, e in enumerate(expressions) for x in e.free_symbols & place.keys()]
    slopes = tuple(derivative(expressions[i], x) for i, x in entries)
    read = frozenset[sp.Symbol]().union(*(slope.free_symbols for slope in slopes))
    names = tuple(sorted(s.name for s in read))
    drawn = np.exp(np.random.default_rng(0).normal(size=(len(names), 1)))
    for row, name in zip(drawn, names, strict=True):
        row[:] = float(known.get(symbol(name), row[0]))
    values = Program.over((), names, {}, slopes).vector(0.0, np.empty((0, 1)), drawn)
    gradients = np.zeros((len(expressions), len(variables)))
    gradients[[i for i, _ in entries], [place[x] for _, x in entries]] = values[:, 0]
    return gradients


def vanishing_combinations(
    expressions: Sequence[sp.Expr],
    variables: Sequence[str],
    definitions: Mapping[sp.Symbol, sp.Expr],
) -> list[tuple[int, ...]]:
    """Return which expressions take part in the linear combinations that vanish identically.

    The first member of a combination is in no other one.

    Args:
        expressions: over variables, defined names and constants. Constants have generic values,
            on which the weights may depend.
        variables: the names that are not constant.
        definitions: of further names, each after those that its definition reads.

    >>> x, y, k = sp.symbols("x y k", real=True)
    >>> vanishing_combinations([k * x - y, x, y - k * x], ["x", "y"], {})
    [(0, 2)]
    """
    values = Values(1, len(expressions) + 4, variables)
    for name, expression in definitions.items():
        values.known[name] = values.of(expression)
    rows = left_null_space([values.row(f) for f in expressions])
    return [tuple(i for i, weight in enumerate(row) if weight) for row in rows]
