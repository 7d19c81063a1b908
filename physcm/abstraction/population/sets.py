"""Random sets of values: what samples with none, one or several solutions have in common.

A finite set of points is known by the list of its points in lexical order, and its law by the
probability of each number of points and the laws of the lists of each length (Daley & Vere-Jones,
An Introduction to the Theory of Point Processes, 2003, section 5.3). A sample without values has no
list, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from physcm.abstraction.population.samples import (
    ENDLESS,
    STATIONARY,
    UNFOUND,
    Population,
    shares_in_words,
)
from physcm.abstraction.tau import Tau
from physcm.mechanism.codegen import Floats

SAME, ROUNDING = 1e-9, 1e-12
"""The differences up to which values are the same: relative to how far a variable varies, and
relative to its size."""

NOTHING = "no value"
_UNDEFINED = "tau has no value"
_UNTOLD = (ENDLESS, UNFOUND, _UNDEFINED, "broken off", "stopped", "time limit", "step limit")


@dataclass(frozen=True, eq=False)
class Sets:
    """One set of points per sample.

    Attributes:
        names: the variables.
        points: (variables, samples, solutions), in lexical order, NaN where there are fewer.
        fates: what became of each sample, (samples,).
        time: at which a system with noise was read, else 0.
        searched: whether there may be more than were found.
    """

    names: tuple[str, ...]
    points: Floats
    fates: NDArray[np.str_]
    time: float = 0.0
    searched: bool = False

    @classmethod
    def of(cls, population: Population, tau: Tau, *, above: bool = False) -> Sets:
        """Return tau of a population below, or what it names of one above.

        Points that are the same in all variables are one point.
        """
        present = population.present
        if above:
            points = np.array([population.values[name] for name in tau.names])
        else:
            flat = {name: rows.ravel() for name, rows in population.values.items()}
            points = tau.of(flat).reshape(-1, *present.shape)
        points = np.where(present, points, np.nan)
        defined = (np.isfinite(points).all(axis=0) | ~present).all(axis=1)
        points = np.where(defined[:, np.newaxis], points, np.nan)
        fates = np.where(defined, population.fates, _UNDEFINED)
        found = cls(tau.names, _distinct(points), fates, population.time, population.searched)
        merged = defined & (found.counts < present.sum(axis=1))
        return replace(found, fates=np.where(merged, found.kinds, fates))

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many points each sample has."""
        return np.asarray(np.isfinite(self.points).all(axis=0).sum(axis=1))

    @cached_property
    def kinds(self) -> NDArray[np.str_]:
        """How many values each sample has, or in which of the ways it has none.

        Where nothing rests and where nothing solves the equations there is no value; that is not
        the same as infinitely many, or as some that are not told.
        """
        none = np.where(np.isin(self.fates, _UNTOLD), self.fates, NOTHING)
        counted = [values_text(k) for k in self.counts.tolist()]
        return np.where(self.counts > 0, counted, none)

    @property
    def in_words(self) -> str:
        """Say what became of the samples, such as "settled 98%, diverged 2%"."""
        text = shares_in_words(self.fates)
        return f"{text} by t = {self.time:.3g}" if text == STATIONARY else text

    @property
    def counts_in_words(self) -> str:
        """Say how many samples have how many values."""
        return shares_in_words(self.kinds)

    def lists(self, count: int) -> Floats:
        """Return the lists of sets of so many points, (count * variables, samples)."""
        some = self.points[:, self.counts == count, :count]
        return some.transpose(2, 0, 1).reshape(count * len(self.names), -1)

    @property
    def alone(self) -> Floats:
        """The value of each sample that has just one, (variables, samples), NaN for others."""
        return np.where(self.counts == 1, self.points[:, :, 0], np.nan)


def values_text(number: int) -> str:
    """Say how many values there are.

    >>> values_text(1), values_text(3)
    ('1 value', '3 values')
    """
    return f"{number} value{'s' * (number != 1)}"


def same_draw_by_draw(first: Sets, second: Sets) -> bool:
    """Say whether two sides have the same set in every sample, up to rounding."""
    return bool(draws_alike(first, second).all())


def draws_alike(first: Sets, second: Sets) -> NDArray[np.bool_]:
    """Say in which samples two sides have the same set, up to rounding."""
    most = int(min(side.points.shape[2] for side in (first, second)))
    x, y = (side.points[:, :, :most] for side in (first, second))
    gap = np.nan_to_num(np.abs(x - y)).max(axis=2, initial=0.0)
    close = gap <= (SAME * _spans(x) + ROUNDING * sizes(x))[:, np.newaxis]
    return np.asarray(close.all(axis=0) & (first.kinds == second.kinds))


def _spans(values: Floats) -> Floats:
    """Return how far each variable varies."""
    rows = values.reshape(len(values), -1)
    if not rows.size:
        return np.zeros(len(rows))
    span: Floats = np.fmax.reduce(rows, axis=1) - np.fmin.reduce(rows, axis=1)
    return np.nan_to_num(span)


def sizes(values: Floats) -> Floats:
    """Return the largest size of each variable, 1 where all is 0."""
    size = np.nanmax(np.abs(values).reshape(len(values), -1), axis=1, initial=0.0)
    return np.where(size > 0, size, 1.0)


def _distinct(points: Floats) -> Floats:
    """Return the points of each sample without repetition, in lexical order.

    Variables that differ by rounding alone leave the order to the others.

    >>> _distinct(np.array([[[2.0, 1.0, 2.0]]])).tolist()
    [[[1.0, 2.0, nan]]]
    """
    if points.shape[2] < 2:
        return points
    points, keys = _sorted(points)
    repeats = (keys[:, :, 1:] == keys[:, :, :-1]).all(axis=0)
    points[:, :, 1:][:, repeats] = np.nan
    return _sorted(points)[0]


def _sorted(points: Floats) -> tuple[Floats, Floats]:
    """Return points (variables, samples, solutions) in order, and what they are ordered by."""
    scale = sizes(points)[:, np.newaxis, np.newaxis]
    keys = np.nan_to_num(np.round(points / scale / SAME), nan=np.inf)
    order = np.lexsort(keys[::-1], axis=-1)[np.newaxis]
    return tuple(np.take_along_axis(part, np.broadcast_to(order, part.shape), axis=2)
                 for part in (points, keys))  # type: ignore[return-value]  # fmt: skip
