"""The least cost under conditions, over a box.

The box is cut where the cost has its kink, at the natural values. In each part low-discrepancy
points are looked at. Of a single action a grid closes in on the best of them; of several,
sequential quadratic programming goes downhill from there (SLSQP: Kraft, DFVLR-FB 88-28, 1988),
which is exact where costs and conditions are smooth. Where that meets points at which nothing is
defined, for want of a solution, the grid goes along one action after the other.

Of two points the one that breaks the conditions less is better, and of two that meet them the
cheaper one (Deb, Comput. Methods Appl. Mech. Eng. 186, 311-338, 2000).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TypeAlias

import numpy as np
from scipy.optimize import minimize
from scipy.stats import qmc

from physcm.mechanism.codegen import Floats

Evaluate: TypeAlias = Callable[[Floats], tuple[Floats, Floats]]
"""From points (actions, points) to costs (points,) and margins (conditions, points).

Margins are relative to the size of a condition, and -inf where nothing is defined."""

SLACK = 1e-7
"""A condition that is broken by less, relative to its size, is met."""

_POINTS = 5
_STEP = 1e-7
_GRID, _CLOSE = 17, 1e-9
_FAR = 1e3


@dataclass(frozen=True)
class Optimum:
    """The best point that was found.

    Attributes:
        point: a value per action.
        cost: its cost.
        violation: by how much it breaks the condition that it breaks most, relative to its size;
            0 if it meets them all, infinite if nothing is defined anywhere.
    """

    point: Floats
    cost: float
    violation: float

    @property
    def rank(self) -> tuple[float, float]:
        """What is smaller for a better point."""
        return self.violation, self.cost


def least(evaluate: Evaluate, box: Sequence[tuple[float, float]], cuts: Sequence[float]) -> Optimum:
    """Return the cheapest point of a box that meets the conditions, or the one next to that.

    Args:
        evaluate: costs and margins.
        box: the lowest and the highest value of each action.
        cuts: where the cost of each may have a kink.

    >>> def plane(x):
    ...     return x[0] + 3 * abs(x[1]), np.array([x[0] + x[1] - 2])
    >>> least(plane, [(0, 1.5), (-1, 1)], [0, 0]).point.round(9)
    array([1.5, 0.5])
    """
    if not box:
        return best(np.empty((0, 1)), *evaluate(np.empty((0, 1))))
    sides = [_cut(*ends, at) for ends, at in zip(box, cuts, strict=True)]
    parts = [np.array(part).T for part in product(*sides)]
    many = _POINTS + 2 * (len(box) - 1) - (len(parts) - 1).bit_length()
    unit = qmc.Sobol(len(box), scramble=False).random_base2(many).T
    unit = np.hstack([unit, np.ones((len(box), 1))])
    points = np.hstack([low[:, None] + (high - low)[:, None] * unit for low, high in parts])
    costs, margins = evaluate(points)
    seen = np.array_split(np.arange(points.shape[1]), len(parts))
    found = []
    for (low, high), own in zip(parts, seen, strict=True):
        start = best(points[:, own], costs[own], margins[:, own])
        if np.isfinite(start.violation):
            found.append(_improved(evaluate, start, low, high))
        else:
            found.append(start)
    return min(found, key=lambda optimum: optimum.rank)


def best(points: Floats, costs: Floats, margins: Floats) -> Optimum:
    """Return the best of some points."""
    violation = np.maximum(-margins, 0).max(axis=0, initial=0.0)
    violation[violation <= SLACK] = 0.0
    first = int(np.lexsort((costs, violation))[0])
    return Optimum(points[:, first], float(costs[first]), float(violation[first]))


def _cut(low: float, high: float, at: float) -> list[tuple[float, float]]:
    return [(low, at), (at, high)] if low < at < high else [(low, high)]


def _improved(evaluate: Evaluate, start: Optimum, low: Floats, high: Floats) -> Optimum:
    """Go downhill from a point, within a part of the box."""
    optimum, smooth = _downhill(evaluate, start, low, high) if len(low) > 1 else (start, False)
    if not smooth:
        for i in range(len(low)):
            optimum = _closed_in(evaluate, optimum, i, low, high)
    return optimum


def _downhill(
    evaluate: Evaluate, start: Optimum, low: Floats, high: Floats
) -> tuple[Optimum, bool]:
    """Follow slopes, and say whether that came to an end where there are no more."""
    slopes = _Slopes(evaluate, low, high, abs(start.cost) or 1.0)
    conditions = {"type": "ineq", "fun": slopes.margins, "jac": slopes.margins_by_x}
    try:
        ended = minimize(
            slopes.cost, (start.point - low) / (high - low), jac=slopes.cost_by_x, method="SLSQP",
            bounds=[(0, 1)] * len(low), constraints=[conditions],
            options={"ftol": 1e-12, "maxiter": 50},
        ).success  # fmt: skip
    except _Undefined:
        ended = False
    return min([start, *slopes.seen], key=lambda one: one.rank), ended


def _closed_in(evaluate: Evaluate, optimum: Optimum, i: int, low: Floats, high: Floats) -> Optimum:
    """Close in on the best value of one action, the others as they are."""
    reach = (high[i] - low[i]) / 2 ** (_POINTS - 1)
    while reach > _CLOSE * (high[i] - low[i]):
        points = np.repeat(optimum.point[:, np.newaxis], _GRID, axis=1)
        points[i] = np.clip(optimum.point[i] + np.linspace(-reach, reach, _GRID), low[i], high[i])
        optimum = min(optimum, best(points, *evaluate(points)), key=lambda one: one.rank)
        reach *= 2 / (_GRID - 1)
    return optimum


class _Undefined(Exception):
    """There is no solution where a slope is asked for."""


@dataclass
class _Slopes:
    """Costs and margins with their slopes by differences, over the unit box.

    All that an iteration asks about one point is computed together, once.
    """

    evaluate: Evaluate
    low: Floats
    high: Floats
    unit: float
    seen: list[Optimum] = field(default_factory=list)
    _last: tuple[Floats, Floats, Floats] | None = None

    def cost(self, x: Floats) -> float:
        return float(self._of(x)[0][0])

    def cost_by_x(self, x: Floats) -> Floats:
        costs, _ = self._of(x)
        return np.asarray((costs[1:] - costs[0]) / self._steps(x))

    def margins(self, x: Floats) -> Floats:
        return self._of(x)[1][:, 0]

    def margins_by_x(self, x: Floats) -> Floats:
        _, margins = self._of(x)
        if (margins == -_FAR).any():
            raise _Undefined
        return (margins[:, 1:] - margins[:, :1]) / self._steps(x)

    def _steps(self, x: Floats) -> Floats:
        return np.where(x + _STEP <= 1, _STEP, -_STEP)

    def _of(self, x: Floats) -> tuple[Floats, Floats]:
        if self._last is None or (x != self._last[0]).any():
            inside = np.clip(x, 0, 1)
            every = np.column_stack([inside, inside[:, np.newaxis] + np.diag(self._steps(inside))])
            points = self.low[:, np.newaxis] + (self.high - self.low)[:, np.newaxis] * every
            costs, margins = self.evaluate(points)
            self.seen.append(best(points[:, :1], costs[:1], margins[:, :1]))
            told = np.where(np.isfinite(margins), margins, -_FAR)
            self._last = x.copy(), costs / self.unit, told
        return self._last[1:]
