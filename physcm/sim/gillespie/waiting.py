"""How long a state at rest waits where propensities read time.

With the sum a(s, X) of the propensities, the next reaction fires after the wait tau with

    integral of a(s, X) over t < s < t + tau  =  E,    E ~ Exp(1),

and it is reaction r with probability a_r / a at t + tau (Gillespie, Markov Processes, 1992;
Anderson, J. Chem. Phys. 127, 2007, section V). The integral is taken panel by panel: a
polynomial through eight Gauss points, in terms of Legendre polynomials, whose last coefficients
tell its error. A panel is halved until the integral is right to 1e-10 of the mean of E, and the
end of the wait is a root of the integrated polynomial. No panel goes over a time at which a
condition in a propensity switches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.expression import substitute, symbol
from physcm.sim.stepping import FEWEST_STEPS
from physcm.sim.switching import comparisons_with_time, crossing
from physcm.sim.system import System

Mask = NDArray[np.bool_]

_ERROR = 1e-10
_SHORTEST = 1e-14
_MOST_ITERATIONS = 100
_NODES, _WEIGHTS = legendre.leggauss(8)
_DEGREES = np.arange(_NODES.size)
_PROJECTION = legendre.legvander(_NODES, _NODES.size - 1).T * _WEIGHTS * (_DEGREES[:, None] + 0.5)


@dataclass(frozen=True)
class Waiting:
    """Propensities that read time, of samples whose states are at rest.

    Attributes:
        system: whose they are.
        propensities: (reactions, samples).
        span: of the whole run, of which a panel is no more than a hundredth.
    """

    system: System
    propensities: Program
    span: float

    def ends(
        self, now: Floats, left: Floats, stop: Floats, x: Floats, p: Floats
    ) -> tuple[Floats, Floats, Mask]:
        """Return when each wait ends, what of `left` is used up, and where it cannot go on.

        Args:
            now: when it begins, (samples,).
            left: the integral at which it ends.
            stop: up to when it is of interest; a wait that is longer ends at infinity.
            x: the states.
            p: the parameters.

        Returns:
            The last is true where some propensity is negative or no number at the end.
        """
        due, used = np.full(now.shape, np.inf), np.zeros(now.shape)
        broken, reached = np.zeros(now.shape, dtype=bool), now.copy()
        with np.errstate(all="ignore"):
            guess = 2 * left / np.add.accumulate(self.propensities.vector(now, x, p))[-1]
        longest = self.span / FEWEST_STEPS
        length = np.where(guess < longest, guess, longest)
        going = np.flatnonzero(now < stop)
        while going.size:
            begin, own = reached[going], (x[:, going], p[:, going])
            end = np.minimum(begin + length[going], self._limit(begin, stop[going], *own))
            c, error, sound = self._panel(begin, end, *own)
            tiny = end - begin <= _SHORTEST * (np.abs(begin) + self.span)
            whole = 2 * c[0]
            fine = sound & ((error <= _ERROR) | tiny)
            last = fine & (used[going] + whole >= left[going])
            if last.any():
                target = left[going[last]] - used[going[last]]
                share = 0.5 * (1 + _root(c[:, last], target))
                due[going[last]] = begin[last] + share * (end - begin)[last]
                used[going[last]] = left[going[last]]
            on = fine & ~last
            used[going[on]] += whole[on]
            reached[going[on]] = end[on]
            stuck = ~sound & tiny
            due[going[stuck]], broken[going[stuck]] = end[stuck], True
            length[going] = np.where(
                fine, np.minimum(2 * (end - begin), longest), (end - begin) / 2
            )
            going = going[~(last | stuck)]
            going = going[reached[going] < stop[going]]
        return due, used, broken

    @cached_property
    def _switches(self) -> Program:
        """When conditions in the propensities switch by the clock while the state is at rest."""
        system, order = self.system, list(self.system.derived)
        written = [substitute(symbol(r), system.derived, order) for r in system.reactions]
        crossings = map(crossing, comparisons_with_time(written, system.derived))
        return system.program(tuple(dict.fromkeys(time for time in crossings if time is not None)))

    def _limit(self, now: Floats, stop: Floats, x: Floats, p: Floats) -> Floats:
        """Return up to when nothing switches."""
        if not self._switches.outputs:
            return stop
        times = self._switches.vector(now, x, p)
        return np.asarray(np.minimum(stop, np.where(times > now, times, np.inf).min(axis=0)))

    def _panel(
        self, begin: Floats, end: Floats, x: Floats, p: Floats
    ) -> tuple[Floats, Floats, Mask]:
        """Return the sum of the propensities times half the panel, in Legendre polynomials.

        Returns:
            The coefficients (degrees, samples), their error (samples,), and whether all
            propensities are numbers and none is negative (samples,).
        """
        half = 0.5 * (end - begin)
        nodes = begin + half * (1 + _NODES[:, np.newaxis])
        propensities = self.propensities.vector(nodes, x, p)
        total = np.add.accumulate(propensities)[-1] * half
        sound = (propensities >= 0).all(axis=(0, 1)) & np.isfinite(total).all(axis=0)
        c = np.zeros_like(total)
        for column, value in zip(_PROJECTION.T, total, strict=True):
            c += column[:, np.newaxis] * np.where(sound, value, 0.0)
        return c, np.abs(c[-2:]).sum(axis=0), sound


def _root(c: Floats, target: Floats) -> Floats:
    """Return where in (-1, 1) the integral of Legendre series (degrees, samples) is a target.

    >>> _root(np.array([[1.0], [0.0]]), np.array([0.5]))
    array([-0.5])
    """
    integral = legendre.legint(c, lbnd=-1)
    low, high = np.full(target.shape, -1.0), np.full(target.shape, 1.0)
    s, moving = target / c[0] - 1, np.ones(target.shape, dtype=bool)
    for _ in range(_MOST_ITERATIONS):
        miss = legendre.legval(s, integral, tensor=False) - target
        low, high = np.where(miss < 0, s, low), np.where(miss < 0, high, s)
        with np.errstate(all="ignore"):
            new = s - miss / legendre.legval(s, c, tensor=False)
        new = np.where((new > low) & (new < high), new, 0.5 * (low + high))
        moving &= (np.abs(miss) > _SHORTEST * target) & (high > low)
        if not moving.any():
            break
        s = np.where(moving, new, s)
    return np.asarray(s)
