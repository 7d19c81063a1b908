"""Where samples come to rest: pseudo-transient continuation, and Newton's method.

Continuation follows the flow by Rodas5P, unless told with a rough tolerance. As a sample comes to
rest its error vanishes and its steps grow; since the method is L-stable, long steps are steps of
Newton's method, and the end is approached faster than exponentially. What keeps moving, on a cycle
for instance, is given up after a number of steps; its time average is where Newton's method sets
out. Both keep all linear combinations of states that the flow keeps, up to rounding, so that no
conservation law need be known here.

Reference: Kelley & Keyes, Convergence analysis of pseudo-transient continuation, SIAM J. Numer.
Anal. 35, 1998.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.pool import share
from physcm.sim.fused import steppers
from physcm.sim.fused.newton import seek
from physcm.sim.fused.transient import follow

ROUGH = 1e-3
"""A relative tolerance with which the flow is followed."""


@dataclass(frozen=True, eq=False)
class Paths:
    """Samples on their way, the last axis of each array over them.

    Attributes:
        x: where they are, (states, samples).
        mean: the average over at least the last half of the time, in the same form.
        scale: the largest value that each state took, in the same form.
        time: how long they have been followed.
        status: what became of them; 0 where that was not looked at.
    """

    x: Floats
    mean: Floats
    scale: Floats
    time: Floats
    status: NDArray[np.int64]


def followed(
    name: str, rates: Program, x0: Floats, p: Floats, *, most_steps: int, threads: int,
    rtol: float = ROUGH,
) -> Paths:  # fmt: skip
    """Follow an autonomous flow from each sample's state until it rests.

    Args:
        name: of the system.
        rates: of its states, one at least.
        x0: (states, samples).
        p: (parameters, samples).
        most_steps: how many steps a sample may try.
        threads: how many run at once.
        rtol: the relative tolerance.

    Raises:
        Unsupported: for a function that lanes do not have.
    """
    stepper, count = steppers.stiff(name, rates, inside=False), x0.shape[1]
    x, p = np.array(x0, order="C"), np.ascontiguousarray(p)
    paths = Paths(x, x.copy(), np.abs(x), np.zeros(count), np.zeros(count, np.int64))

    def work(low: int, high: int, stop: NDArray[np.int64]) -> None:
        follow(
            stepper, p, paths.x, paths.mean, paths.scale, paths.time, paths.status, low, high,
            most_steps, rtol, stop,
        )  # fmt: skip

    if count:
        share(work, count, threads=threads, grain=LANES)
    return paths


def sought(
    name: str, rates: Program, x0: Floats, p: Floats, bounds: Floats, s: Floats, *, threads: int
) -> Floats:
    """Return where Newton's method leads from each sample's state, NaN where nowhere.

    Args:
        name: of the system.
        rates: of its states, one at least.
        x0: (states, samples).
        p: (parameters, samples).
        bounds: between which each state stays, (2, states).
        s: the length of the first step in time.
        threads: how many run at once.
    """
    stepper = steppers.stiff(name, rates, inside=False)
    x, p, s = np.array(x0, order="C"), np.ascontiguousarray(p), np.ascontiguousarray(s)

    def work(low: int, high: int, stop: NDArray[np.int64]) -> None:
        seek(stepper, p, x, bounds, s, low, high, stop)

    if s.size:
        share(work, s.size, threads=threads, grain=LANES)
    return x
