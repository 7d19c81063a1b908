"""Why samples of a run on PyTorch ended early: the reference engines tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.engine import integrate
from physcm.sim.modes import Modes
from physcm.sim.plan import SystemPlan
from physcm.sim.status import RunStatus
from physcm.sim.stochastic.run import run
from physcm.sim.system import System
from physcm.sim.trouble import troubles

Ended = tuple[list[RunStatus], dict[int, str]]
_RTOL = 1e-6


def losses(
    system: System, times: Floats, states: Floats, samples: NDArray[np.int64], seed: int,
    step: float | None,
) -> Ended:  # fmt: skip
    """Return how samples ended and, of the first few, why.

    A sample that is lost goes on from its last saved state on the reference engine, which sees
    what becomes of it; with noise it does so from the start, by steps of Euler-Maruyama with
    the same noise.

    Args:
        system: the dynamics.
        times: the saved times.
        states: (states, samples, times), not finite from where a sample ended.
        samples: the numbers of the samples.
        seed: of all draws.
        step: the step where there is noise.
    """
    ended = [RunStatus.COMPLETE] * samples.size
    lost = np.flatnonzero(~np.isfinite(states).all(axis=(0, 2)))
    if not lost.size:
        return ended, {}
    if system.noise and step is not None:
        result = run(SystemPlan(Modes(system, samples[lost], seed)), times, step, "euler-maruyama")
        found, why = list(result.ended), dict(result.why)
    else:
        p = system.draw(samples[lost], seed)[1]
        found = [_fate(system, times, states[:, k], q) for k, q in zip(lost, p.T, strict=True)]
        why = troubles(system, times, states[:, lost], p, found)
    for i, k in enumerate(lost):
        ended[k] = found[i] or RunStatus.STOPPED
    return ended, {int(lost[i]): text for i, text in why.items()}


def _fate(system: System, times: Floats, states: Floats, p: Floats) -> RunStatus:
    """Return how a sample ends that goes on from the last saved time at which all was well."""
    last = max(int(np.logical_and.accumulate(np.isfinite(states).all(axis=0)).sum()) - 1, 0)
    x = states[:, last]
    atol = 1e-3 * _RTOL * np.abs(x) + 1e-30
    return integrate(system, times[last : last + 2], x, p, _RTOL, atol).status or RunStatus.STOPPED
