"""One model under many interventions as one set of equations, so that one code solves them all.

With a switch s_i per variable, 1 where it is free and 0 where it is held at v_i,

    0 = s_i r_i(X, E) + (1 - s_i) (X_i - v_i)

is the equation of X_i, whatever is held. Switches and values differ from column to column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.expression import symbol
from physcm.scm.solve import blocks, solve
from physcm.scm.status import SolutionStatus

if TYPE_CHECKING:
    from physcm.scm.scm import SCM

SEARCH = "search"


@dataclass(frozen=True, eq=False)
class Together:
    """What is known of each column.

    Attributes:
        values: each variable over the columns, NaN where nothing is known.
        known: the columns that have exactly one solution for a reason, not by a search alone.
    """

    values: Mapping[str, Floats]
    known: NDArray[np.bool_]


def solve_together(model: SCM, held: Mapping[str, Floats], given: Mapping[str, Floats]) -> Together:
    """Return the solutions of columns that differ in what is held.

    Args:
        model: the structural equations.
        held: the value of each variable that is held in some column, NaN where it is free.
        given: the exogenous variables and parameters over the columns.

    >>> from physcm.scm import SCM
    >>> loop = SCM({"x": "y/2 + 1", "y": "x/2"})
    >>> found = solve_together(loop, {"y": np.array([np.nan, 4.0])}, {})
    >>> found.values["x"].round(4).tolist(), found.known.tolist()
    ([1.3333, 3.0], [True, True])
    """
    mechanisms, columns = dict(model.mechanisms), dict(given)
    count = len(next(iter((*held.values(), *given.values()))))
    for name, values in held.items():
        free = np.isnan(values)
        switch, value = symbol(f"free({name})"), symbol(f"do({name})")
        mechanisms[name] = _switched(symbol(name), mechanisms[name], switch, value)
        columns |= {switch.name: free.astype(float), value.name: np.where(free, 0.0, values)}
    found = solve(blocks(mechanisms, model.domains, model.guesses), columns, count)
    unique = found.status == SolutionStatus.UNIQUE
    if any(SEARCH in way for ways in found.ways.values() for way in ways):
        unique[:] = False
    return Together(found.unique(), unique)


def _switched(x: sp.Symbol, mechanism: sp.Basic, switch: sp.Symbol, value: sp.Symbol) -> sp.Basic:
    """Return the equation of a variable that may be held."""
    if isinstance(mechanism, sp.Eq):
        free = mechanism.lhs - mechanism.rhs
        return sp.Eq(switch * free + (1 - switch) * (x - value), 0, evaluate=False)
    return switch * mechanism + (1 - switch) * value
