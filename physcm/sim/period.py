"""Periodic motion, told from a damped or growing one by its returns.

The variable that varies most is watched crossing its mean upward. A motion may be periodic
when the returns come after equal times (or every second, third, fourth of them); it is when
over many periods the state at a return comes back to where an earlier return left it.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from physcm.mechanism.codegen import Floats

_FEWEST_RETURNS = 6
_MOST_CROSSINGS = 4
_EVEN = 1e-2
_CLOSED = 1e-3
_NO_MOTION = 1e-6


def period_of(times: Floats, states: Floats, scale: Floats) -> float | None:
    """Return the time after which a motion seems to repeat, or None.

    Args:
        times: increasing, shape (times,).
        states: shape (states, times).
        scale: the size of each state.

    >>> t = np.linspace(0, 100, 2000)
    >>> round(period_of(t, np.array([np.sin(t)]), np.ones(1)), 3)
    6.283
    """
    watched = _most_moving(states, scale)
    if watched is None:
        return None
    lengths = np.diff(_returns(times, watched))
    if len(lengths) + 1 < _FEWEST_RETURNS:
        return None
    for stride in range(1, _MOST_CROSSINGS + 1):
        gaps = lengths[len(lengths) % stride :].reshape(-1, stride).sum(axis=1)
        if len(gaps) >= 3 and np.ptp(gaps) < _EVEN * gaps.mean():
            return float(gaps.mean())
    return None


def is_closed(times: Floats, states: Floats, scale: Floats) -> bool:
    """Say whether a motion over many periods ends on the orbit on which it began.

    >>> t = np.linspace(0, 250, 8000)
    >>> is_closed(t, np.array([np.sin(t), np.cos(t)]), np.ones(2))
    True
    >>> is_closed(t, np.exp(-t / 1e4) * np.array([np.sin(t), np.cos(t)]), np.ones(2))
    False
    """
    watched = _most_moving(states, scale)
    if watched is None:
        return False
    at = _returns(times, watched)
    if len(at) < _FEWEST_RETURNS:
        return False
    seen = CubicSpline(times, states, axis=1)(at)
    swing = np.ptp(states, axis=1)
    moving = swing > _NO_MOTION * scale
    misses = np.abs(seen[:, :_MOST_CROSSINGS] - seen[:, -1:])[moving] / swing[moving, np.newaxis]
    return bool(misses.max(axis=0).min() < _CLOSED)


def _most_moving(states: Floats, scale: Floats) -> Floats | None:
    """Return the state that swings most, about its middle; None where nothing moves."""
    swings = np.ptp(states, axis=1) / scale
    watched = states[int(np.argmax(swings))]
    return watched - watched.mean() if swings.max() > _NO_MOTION else None


def _returns(times: Floats, watched: Floats) -> Floats:
    """Return the times of upward crossings of zero, to third order."""
    at = np.flatnonzero((watched[:-1] < 0) & (watched[1:] >= 0))
    guess = times[at] - watched[at] * np.diff(times)[at] / np.diff(watched)[at]
    spline = CubicSpline(times, watched)
    refined = guess - spline(guess) / spline(guess, 1)
    inside = (refined >= times[at]) & (refined <= times[at + 1])
    return np.where(inside, refined, guess)
