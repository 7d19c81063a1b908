"""Periodic motion, told from a damped or growing one by its returns.

A state that varies much is watched crossing its mean upward (a Poincaré section). A motion may
be periodic when the returns come after equal times (or every second, third, fourth of them); it
is when over many periods all of these returns come to one and the same state. A chaotic motion
comes close to where it was before now and then, and leaves again.
Returns are located by following the motion again between the saved times that enclose them, so
that spikes much shorter than the time between saved points, as relaxation oscillations have,
are timed as well as smooth ones.
"""

from __future__ import annotations

from collections.abc import Callable
from math import lcm
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.inquiry import Inquiry, Motion

_FEWEST_RETURNS = 6
_MOST_CROSSINGS = 4
_COMMON = lcm(*range(1, _MOST_CROSSINGS + 1))
_EVEN = 1e-2
_CLOSED, _NEARBY, _DRIFT = 1e-3, 0.1, 1e-5
_NO_MOTION = 1e-6
_AS_MUCH = 0.1
_ZOOMS, _MOST_ZOOMS, _ZOOM = 2, 5, 64
_STRAIGHT = 1e-3

Ask: TypeAlias = Callable[[Floats, Floats], Motion]
"""From times, the first one 0, and states at 0, (states, starts), to how to ask for the motion."""


def period_of(times: Floats, states: Floats, scale: Floats, ask: Ask) -> Inquiry[float | None]:
    """Find the time after which a motion seems to repeat, or None.

    Args:
        times: increasing, shape (times,).
        states: shape (states, times).
        scale: the size of each state.
        ask: for more of the motion.

    >>> from physcm.sim.inquiry import findings
    >>> t = np.linspace(0, 100, 2000)
    >>> def circle(t, x):
    ...     (a, b), cos, sin = x[:, :, np.newaxis], np.cos(t), np.sin(t)
    ...     return np.array([a * cos + b * sin, b * cos - a * sin])
    >>> inquiry = period_of(t, circle(t, np.array([[1], [0]]))[:, 0], np.ones(2), Motion)
    >>> follow = lambda asked: {place: circle(one.times, one.x) for place, one in asked.items()}
    >>> findings([inquiry], follow)
    [6.283185...]
    """
    section = _section(states, scale)
    if section is None or len(section[2]) < _FEWEST_RETURNS:
        return None
    row, level, before = section
    last = before[-(3 * _MOST_CROSSINGS + 1) :]
    at, _ = yield from _returns(times, states, last, row, level, ask)
    lengths = np.diff(at)
    for stride in range(1, _MOST_CROSSINGS + 1):
        gaps = lengths[len(lengths) % stride :].reshape(-1, stride).sum(axis=1)
        if len(gaps) >= 3 and np.ptp(gaps) < _EVEN * gaps.mean():
            return float(gaps.mean())
    return None


class Returns(NamedTuple):
    """What a motion does that comes back to where it was, or near there, over many periods.

    Attributes:
        period: the time from one return to the next.
        spirals: whether it misses itself, always to the same side.
    """

    period: float
    spirals: bool


def closed_period(
    times: Floats, states: Floats, scale: Floats, ask: Ask
) -> Inquiry[Returns | None]:
    """Find the period of a motion over many periods that all but stays on one orbit, or None.

    >>> from physcm.sim.inquiry import findings
    >>> t = np.linspace(0, 250, 8000)
    >>> def spiral(t, x, rate):
    ...     (a, b), cos, sin = x[:, :, np.newaxis], np.cos(t), np.sin(t)
    ...     return np.exp(-rate * t) * np.array([a * cos + b * sin, b * cos - a * sin])
    >>> def period(rate):
    ...     states = spiral(t, np.array([[1], [0]]), rate)[:, 0]
    ...     inquiry = closed_period(t, states, np.ones(2), Motion)
    ...     return findings(
    ...         [inquiry], lambda a: {k: spiral(one.times, one.x, rate) for k, one in a.items()}
    ...     )
    >>> period(1e-2), period(0), period(1e-6)
    ([None], [Returns(period=6.28..., spirals=False)], [Returns(period=6.28..., spirals=True)])
    """
    section = _section(states, scale)
    if section is None or len(section[2]) <= _COMMON:
        return None
    row, level, before = section
    at, seen = yield from _returns(times, states, before, row, level, ask)
    swing = np.ptp(states, axis=1)
    # A state that swings less than the watched one counts as well: that one returns in any case.
    moving = swing / scale > min(_NO_MOTION, _AS_MUCH * (swing / scale).max())
    misses = (np.abs(seen - seen[:, -1:])[moving] / swing[moving, np.newaxis]).max(axis=0)
    first = (before.size - 1) % _COMMON  # all strides come by this return
    for stride in range(1, _MOST_CROSSINGS + 1):
        own = slice(first, None, stride)
        if misses[own].max() < _NEARBY:
            spirals = _spirals(seen[moving][:, own] / swing[moving, np.newaxis])
            if spirals or misses[own].max() < _CLOSED:
                return Returns(float(np.diff(at[own]).mean()), spirals)
    return None


def _spirals(returns: Floats) -> bool:
    """Say whether some state, (states, returns), moves one way from each return to the next."""
    moves = np.diff(returns, axis=1)
    one_way = (moves > 0).all(axis=1) | (moves < 0).all(axis=1)
    return bool((one_way & (np.abs(moves.sum(axis=1)) > _DRIFT)).any())


def _section(states: Floats, scale: Floats) -> tuple[int, float, NDArray[np.int64]] | None:
    """Return which state to watch, its mean, and the points before it crosses that upward.

    Of the states that swing about as much as any, it is the one that spends the most even time
    above and below its mean, so that saved points miss none of its returns.
    """
    swings = np.ptp(states, axis=1) / scale
    if not swings.max(initial=0.0) > _NO_MOTION:
        return None
    above = (states > states.mean(axis=1, keepdims=True)).mean(axis=1)
    even = np.where(swings > swings.max() / 2, np.minimum(above, 1 - above), -1.0)
    row = int(np.argmax(even))
    level = float(states[row].mean())
    return row, level, _upward(states[row] - level)


def _upward(values: Floats) -> NDArray[np.int64]:
    return np.flatnonzero((values[:-1] < 0) & (values[1:] >= 0))


def _returns(
    times: Floats, states: Floats, before: NDArray[np.int64], row: int, level: float, ask: Ask
) -> Inquiry[tuple[Floats, Floats]]:
    """Find when a watched state crosses a level upward after some points, and the states then.

    NaN where following the motion again does not show it. The saved times are equally spaced;
    jumps between them are looked at ever more closely, until the states hardly move.
    """
    start, length, x = times[before], times[1] - times[0], states[:, before]
    each, found = np.arange(before.size), np.ones(before.size, dtype=bool)
    swing = np.ptp(states, axis=1)[:, np.newaxis]
    for zoom in range(1, _MOST_ZOOMS + 1):
        grid = np.linspace(0.0, length, _ZOOM + 1)
        near = yield ask(grid, x)
        crossed = (near[row, :, :-1] < level) & (near[row, :, 1:] >= level)
        found &= crossed.any(axis=1)
        k = crossed.argmax(axis=1)
        start, length, x = start + grid[k], grid[1], near[:, each, k]
        ahead = near[:, each, k + 1]
        if zoom >= _ZOOMS and (np.abs(ahead - x) <= _STRAIGHT * swing)[:, found].all():
            break
    part = (level - x[row]) / np.where(found, ahead[row] - x[row], np.nan)
    return start + part * length, x + part * (ahead - x)
