"""A block whose one solution is a formula that undoes functions, as atanh does tanh.

Where what must not vanish in it does, the formula decides nothing. Where an inverse function
is asked for a value of what its function never takes, as log is for -1, there is no solution.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.expression import symbol
from physcm.mechanism.linearization import EPSILON, Flags
from physcm.mechanism.magnitude import size_of_terms
from physcm.scm.block import Answer, Block, certified
from physcm.scm.closed_form import ClosedForm, closed_form

_NEGLIGIBLE = 1e-12
_ROUNDING = 64 * EPSILON


def solve(block: Block, p: Floats) -> tuple[Answer, Flags] | None:
    """Return the solution of each column, and which columns the formula decides; None without one.

    >>> x, y = symbol("x"), symbol("y")
    >>> block = Block(("x",), (sp.tanh(x) - y,), (None,), ((-np.inf, np.inf),), (np.nan,))
    >>> answer, decided = solve(block, np.array([[0.5, 2.0]]))
    >>> answer.x.round(4), answer.unfound, decided
    (array([[0.5493]]), array([False, False]), array([ True,  True]))
    """
    form = closed_form(block)
    if form is None:
        return None
    with np.errstate(all="ignore"):
        rows = _program(block.known, form, block.unknowns).vector(0.0, np.empty((0, p.shape[1])), p)
    counts = np.cumsum([len(block.unknowns), *[len(form.pivots)] * 2, len(form.ranges)])
    x, pivots, pivot_sizes, taken, sizes = np.split(rows, counts)
    decided = np.asarray((np.abs(pivots) > _NEGLIGIBLE * pivot_sizes).all(axis=0))
    low, high = (np.array([ends[i] for ends in form.ranges]).reshape(-1, 1) for i in (1, 2))
    slack = _ROUNDING * sizes
    missed = ((taken < low - slack) | (taken > high + slack)).any(axis=0)
    column = np.flatnonzero(np.isfinite(x).all(axis=0) & decided & ~missed)
    answer = certified(block, x[:, column], column, p).by("formula")
    outside = ((x < block.lower[:, None]) | (x > block.upper[:, None])).any(axis=0)
    return replace(answer, unfound=~(answer.solved() | missed | outside)), decided


@lru_cache(maxsize=256)
def _cached(known: tuple[str, ...], outputs: tuple[sp.Expr, ...]) -> Program:
    return Program.over((), known, {}, outputs)


def _program(known: tuple[str, ...], form: ClosedForm, unknowns: tuple[str, ...]) -> Program:
    """Return the solution, the pivots with their sizes, and what is in ranges with its sizes."""
    taken = tuple(what for what, _, _ in form.ranges)
    outputs = (
        *(form.solution[symbol(name)] for name in unknowns),
        *form.pivots, *map(size_of_terms, form.pivots),
        *taken, *map(size_of_terms, taken),
    )  # fmt: skip
    return _cached(known, outputs)
