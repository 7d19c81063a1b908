"""All roots of the equilibrium equations that Newton's method finds from many starts.

The first starts are spread over six decades around the size of each state: half of them each
state on its own, half all states by nearly one factor, since where states feed each other they
are large or small together. The next lie about the roots that these led to (see
`physcm.mechanism.multistart`), over and over until that brings nothing new, with some starts
spread around the largest roots known, angles aside.
"""

from __future__ import annotations

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.mechanism.multistart import about, uniforms
from physcm.mechanism.roots import distinct
from physcm.sim.equilibrium import EquilibriumEquations, brought_to_totals
from physcm.sim.long_run import Limit
from physcm.sim.status import LimitStatus

_DECADES, _BELOW = 6.0, 4.0
_MOST_ROUNDS, _PATIENCE = 16, 4


def every_root(
    equations: EquilibriumEquations, begin: Floats, p: Floats, total: Floats, scale: Floats,
    starts: int,
) -> Floats:  # fmt: skip
    """Return the feasible roots that Newton's method finds, each once, (states, roots).

    One root alone is believed after one more round, several after four that bring nothing new.

    Args:
        equations: the equilibrium equations.
        begin: where to begin besides, (states, any).
        p: the parameters, (parameters,).
        total: the conserved totals, (laws,).
        scale: the size of each state, (states,).
        starts: how many points to set out from at a time.

    >>> from physcm.sim import System
    >>> five = System({"x": "-(x - 5)*(x - 4)*(x - 3)*(x - 2)*(x - 1)"}, initial={"x": 0})
    >>> equations = EquilibriumEquations(five)
    >>> none = np.empty(0)
    >>> np.sort(every_root(equations, np.zeros((1, 1)), none, none, np.ones(1), 20)).round(6)
    array([[1., 2., 3., 4., 5.]])
    """
    points, roots, barren = scatter(equations, scale, total, starts), np.empty((len(scale), 0)), 0
    points, straight = np.column_stack([begin, points]), np.isnan(equations.turns)
    low, high = equations.bounds
    for again in range(_MOST_ROUNDS):
        known = roots.shape[1]
        found, converged = equations.roots(points, p, total)
        roots = _once(equations, np.column_stack([roots, found[:, converged]]), scale)
        barren = barren + 1 if roots.shape[1] == known else 0
        if not 0 < roots.shape[1] <= starts // 2:  # so many are hardly isolated
            break
        if barren >= (1 if known == 1 else _PATIENCE):
            break
        near = about(roots, low, high, scale, starts, again + 1)
        near = brought_to_totals(equations, near, total[:, np.newaxis])
        size = np.where(straight, np.maximum(scale, np.abs(roots).max(axis=1)), scale)
        points = np.column_stack([near, scatter(equations, size, total, starts // 2, again + 1)])
    return roots


def size_of_states(x0: Floats, limit: Limit) -> Floats:
    """Return the size of each state, from where it starts and ends, or how far it goes if moving.

    What diverges ends nowhere.
    """
    ends = {LimitStatus.SETTLED: np.abs(limit.state), LimitStatus.DIVERGED: np.abs(x0)}
    sizes = np.maximum(np.abs(x0), ends.get(limit.status, limit.scale))
    typical = np.median(sizes[sizes > 0]) if (sizes > 0).any() else 1.0
    return np.where(sizes > 0, sizes, typical)


def scatter(
    equations: EquilibriumEquations, scale: Floats, total: Floats, count: int, again: int = 0
) -> Floats:
    """Return points (states, count) spread over six decades around the size of each state.

    States that may be negative take both signs. Of the points, those that can be brought to
    the conserved totals come first.
    """
    size = len(scale)
    if size == 0:
        return np.zeros((0, 1))
    low, high = equations.bounds
    draws = uniforms(2 * size + 2, count, again)
    common, spread = draws[2 * size :]
    share = np.where(np.arange(count) % 2, 1.0, spread**2)
    decades = np.clip(common + share * (draws[:size] - common), 0.0, 1.0)
    sign = np.where((draws[size : 2 * size] < 0.5) & (low < 0)[:, None], -1.0, 1.0)
    starts = sign * scale[:, None] * 10.0 ** (_DECADES * decades - _BELOW)
    starts = np.clip(starts, low[:, None], high[:, None])
    starts = brought_to_totals(equations, starts, total[:, np.newaxis])
    meets = equations.meets(starts, total)
    return np.concatenate([starts[:, meets], starts[:, ~meets]], axis=1)


def _once(equations: EquilibriumEquations, roots: Floats, scale: Floats) -> Floats:
    """Return each feasible root once."""
    roots = roots[:, equations.are_feasible(roots, scale[:, np.newaxis])]
    return roots[:, distinct(roots, np.maximum(np.abs(roots), scale[:, np.newaxis]))]
