"""The equilibria of a stack of columns, all together; what is left needs a closer look.

flow from the start   comes to rest          next to a stable equilibrium: reached
                      goes on moving         Newton's method from its average, then
   that is stable:    followed for longer    at rest: reached; else found
   that is not:                              found, and the flow moves on
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.certified import Certified
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.fused.certificates import certified_together
from physcm.sim.fused.rest import ROUGH, Paths, followed, sought
from physcm.sim.fused.transient import MOVES, RESTS
from physcm.sim.stacked import Stack
from physcm.sim.status import RestStatus

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
UNKNOWN = -1
"""The status of a column that is still to be looked at."""

_STEPS, _MORE_STEPS = 64, 1000
_STABLE, _UNSTABLE = "stable", "unstable"


@dataclass(frozen=True, eq=False)
class Answers:
    """What is known of some columns.

    Attributes:
        x: the equilibria, (states, columns), NaN where none is known.
        eigenvalues: on the conserved subspace, largest real part first, (columns, states);
            NaN where there are fewer.
        stability: "stable", "unstable", "marginal" or "".
        status: a `RestStatus`, or UNKNOWN.
        end: where a flow rests that is still to be looked at, in the form of `x`.
        scale: the largest value that each state took along the flow, in the form of `x`.
        time: how long the flow was followed, (columns,).
    """

    x: Floats
    eigenvalues: NDArray[np.complex128]
    stability: NDArray[np.str_]
    status: NDArray[np.int64]
    end: Floats
    scale: Floats
    time: Floats

    @classmethod
    def none(cls, states: int, columns: int) -> Answers:
        """Return answers in which nothing is known."""
        return cls(
            np.full((states, columns), np.nan),
            np.full((columns, states), complex(np.nan, np.nan)),
            np.full(columns, "", dtype="<U8"),
            np.full(columns, UNKNOWN),
            np.full((states, columns), np.nan),
            np.zeros((states, columns)),
            np.zeros(columns),
        )

    def take(
        self, columns: Integers, found: Certified, status: RestStatus,
        states: slice | list[int] = slice(None),
    ) -> None:  # fmt: skip
        """Adopt what was found of some columns, in which `states` are those that move."""
        self.x[np.arange(len(self.x))[states][:, np.newaxis], columns] = found.x
        self.eigenvalues[columns, : found.eigenvalues.shape[1]] = found.eigenvalues
        self.stability[columns] = found.stability
        self.status[columns] = status


def resting(stack: Stack, threads: int, rtol: float = ROUGH, *, spectra: bool = True) -> Answers:
    """Return the equilibria of a stack's columns, as far as they are found all together.

    Args:
        stack: the columns.
        threads: how many run at once.
        rtol: with which the flow is followed.
        spectra: whether eigenvalues are wanted; if not, a bound on their real parts may stand in
            the first place, and NaN for the others.

    Raises:
        Unsupported: for a function that lanes do not have.
    """
    return _Search(stack, threads, rtol, spectra).run()


class _Search:
    """A stack and the answers so far."""

    def __init__(self, stack: Stack, threads: int, rtol: float, spectra: bool) -> None:
        self.stack, self.threads, self.rtol, self.spectra = stack, threads, rtol, spectra
        self.name, self.rates, self.p = stack.system.name, stack.rates, stack.parameters
        self.answers = Answers.none(*stack.x0.shape)
        self.equations = [
            EquilibriumEquations(stack.system, held, stack.varied) for held, _ in stack.patterns
        ]
        self.pattern = np.zeros(stack.columns.size, dtype=np.int64)
        for i, (_, columns) in enumerate(stack.patterns):
            self.pattern[columns] = i

    def run(self) -> Answers:
        going, x = np.arange(self.stack.columns.size), self.stack.x0
        for most_steps in (_STEPS, _MORE_STEPS) if self.rtol >= ROUGH else (_MORE_STEPS,):
            paths = self.reach(going, x, most_steps)
            moving = paths.status == MOVES
            self.seek(going, paths, moving & (self.answers.status[going] == UNKNOWN))
            moving &= self.answers.stability[going] != _UNSTABLE
            going, x = going[moving], paths.x[:, moving]
        return self.answers

    def reach(self, columns: Integers, x: Floats, most_steps: int) -> Paths:
        """Follow the flow, and adopt the stable equilibria that it reaches.

        A start that does not move stays, stable or not.
        """
        paths = followed(
            self.name, self.rates, x, self.p[:, columns], most_steps=most_steps,
            threads=self.threads, rtol=self.rtol,
        )  # fmt: skip
        answers = self.answers
        answers.scale[:, columns] = np.fmax(answers.scale[:, columns], paths.scale)
        answers.time[columns] += paths.time
        at_rest = paths.status == RESTS
        self.answers.end[:, columns] = np.where(at_rest, paths.x, np.nan)
        stays = (paths.x == self.stack.x0[:, columns]).all(axis=0)

        def accept(found: Certified, which: Integers) -> Flags:
            return np.asarray((found.stability == _STABLE) | stays[which])

        self.adopt(columns, self.answers.end[:, columns], paths.scale, RestStatus.REACHED, accept)
        return paths

    def seek(self, columns: Integers, paths: Paths, which: Flags) -> None:
        """Adopt what Newton's method finds from the averages of some of the paths."""
        columns = columns[which]
        ends = sought(
            self.name, self.rates, paths.mean[:, which], self.p[:, columns],
            self.equations[0].bounds, paths.time[which], threads=self.threads,
        )  # fmt: skip
        scale = np.fmax(paths.scale[:, which], np.abs(ends))
        self.adopt(columns, ends, scale, RestStatus.FOUND, lambda found, _: ~found.degenerate)

    def adopt(
        self, columns: Integers, x: Floats, scale: Floats, status: RestStatus,
        accept: Callable[[Certified, Integers], Flags],
    ) -> None:  # fmt: skip
        """Make points exact, and adopt those that are equilibria and acceptable."""
        finite, pattern = np.isfinite(x).all(axis=0), self.pattern[columns]
        for i, equations in enumerate(self.equations):
            which = np.flatnonzero(finite & (pattern == i))
            if which.size:
                self.certify(equations, columns, which, x, scale, status, accept)

    def certify(
        self, equations: EquilibriumEquations, columns: Integers, which: Integers, x: Floats,
        scale: Floats, status: RestStatus, accept: Callable[[Certified, Integers], Flags],
    ) -> None:  # fmt: skip
        """Do that for columns in which the same states are held."""
        own, start = columns[which], self.stack.x0[:, columns[which]]
        found = certified_together(
            self.rates, equations, x[:, which], self.p[:, own], equations.conserved(start),
            scale[:, which], threads=self.threads, spectra=self.spectra,
        )  # fmt: skip
        good = (found.stability != "") & accept(found, which)
        self.answers.take(own[good], found.at(good), status)
