"""What rounding alone does to a state: no absolute tolerance may be below it.

The forces on a mass at rest between two springs cancel up to 2^-52 of their size. Asked to be
right to a fraction of where that takes the mass from 0, an integrator finds no step short
enough: the error shrinks with the step as the state does.
"""

from __future__ import annotations

import numpy as np

from physcm.mechanism.codegen import Floats, Program
from physcm.sim.system import System

_EPSILON = float(np.finfo(float).eps)
_FAINT = 1e-6


def fastest_time(system: System, t: float, x: Floats, p: Floats) -> float:
    """Return the shortest time scale at a state, 1 where no state acts on itself.

    >>> decay = System({"x": "-4*x"}, initial={"x": 1})
    >>> fastest_time(decay, 0.0, np.ones(1), np.empty(0))
    0.25
    """
    with np.errstate(all="ignore"):
        rates = np.abs(np.array(system.own_slopes.scalar(t, x, p)))
    fastest = np.nanmax(rates, initial=0.0)
    return float(1.0 / fastest) if 0 < fastest < np.inf else 1.0


def rounding(system: System, t: float, x: Floats, p: Floats) -> Floats:
    """Return how far rounding of the drift takes each state in the shortest time scale.

    >>> mass = System({"q": "p", "p": "5 - q - p"}, initial={"q": 5, "p": 0})
    >>> rounding(mass, 0.0, np.array([5.0, 0.0]), np.empty(0)) / 2**-52
    array([ 0., 10.])
    """
    return _rounded(system.sizes, t, x, p) * fastest_time(system, t, x, p)


def least_moves(system: System, t: float, x: Floats, p: Floats) -> Floats:
    """Return `rounding` of the states that rest at 0 at the start of a run, 0 for the others.

    >>> mass = System({"q": "p", "p": "5 - q - p"}, initial={"q": 5, "p": 0})
    >>> least_moves(mass, 0.0, np.array([5.0, 0.0]), np.empty(0)) / 2**-52
    array([ 0., 10.])
    >>> least_moves(mass, 0.0, np.array([4.0, 0.0]), np.empty(0))
    array([0., 0.])
    """
    moved = np.abs(system.rates.scalar(t, x, p))
    large = max(np.abs(x).max(initial=0.0), np.nanmax(moved, initial=0.0))
    resting = np.maximum(np.abs(x), moved) <= _FAINT * large
    least = np.zeros(x.size)
    if resting.any():
        names = (system.states[i] for i in np.flatnonzero(resting))
        least[resting] = _rounded(system.sizes_of(names), t, x, p)
    return least * fastest_time(system, t, x, p) if least.any() else least


def _rounded(sizes: Program, t: float, x: Floats, p: Floats) -> Floats:
    with np.errstate(all="ignore"):
        moved = _EPSILON * np.array(sizes.scalar(t, x, p))
    return np.nan_to_num(moved, nan=0.0, posinf=0.0)
