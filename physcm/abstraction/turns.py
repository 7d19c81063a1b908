"""Solutions that are whole turns of an angle apart are one state of the system.

Where full turns of an angle change no equation, solutions come in infinitely many copies. Each is
given next to where the simulation ended, or next to 0 where it did not end, and once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physcm.abstraction.tau import Tau
from physcm.mechanism.codegen import Floats
from physcm.mechanism.expression import symbol
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.periodicity import free_angles

_SAME = 1e-6


def turns_above(equations: EquilibriumEquations, tau: Tau) -> Floats:
    """Return the periods of the angles that tau hands on as they are, NaN for all else."""
    if not np.isfinite(equations.turns).any():
        return np.full(len(tau.names), np.nan)
    turns = {symbol(name): turn for name, turn in free_angles(equations.system).items()}
    return np.array([turns.get(expression, np.nan) for expression in tau.expressions])


def repeated(solutions: Floats, turns: Floats) -> NDArray[np.bool_]:
    """Say which solutions, (variables, columns, solutions), are an earlier one, turns aside.

    >>> repeated(np.array([[[1.0, 3.0, 1.0, -3.0]]]), np.array([6.0]))
    array([[False, False,  True,  True]])
    """
    angles = np.isfinite(turns)[:, np.newaxis]
    size = np.nanmax(np.abs(solutions), axis=(1, 2), initial=0.0)
    scale = np.where(angles[:, 0], turns, np.where(size > 0, size, 1.0))
    found = np.zeros(solutions.shape[1:], dtype=bool)
    for column, several in enumerate(np.moveaxis(solutions / scale[:, None, None], 1, 0)):
        kept = np.empty((len(several), 0))
        for k in np.flatnonzero(np.isfinite(several).all(axis=0)):
            gaps = kept - several[:, [k]]
            gaps -= np.where(angles, np.round(gaps), 0.0)
            found[column, k] = (np.abs(gaps) <= _SAME).all(axis=0).any()
            if not found[column, k]:
                kept = np.column_stack([kept, several[:, k]])
    return found
