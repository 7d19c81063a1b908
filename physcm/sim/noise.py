"""Stochastic systems by the Euler-Maruyama method (Kloeden & Platen 1992, section 10.2).

    X_{k+1} = X_k + f(X_k) h + sum_s g_s(X_k) sqrt(h) Z_{k,s}

with standard normal Z that depend on (seed, sample, step, source) alone, so that an
intervened run shares its noise with the observational one. A Stratonovich system is first
brought to Ito form: f_i + 1/2 sum_{j,s} g_js dg_is/dx_j.
"""

from __future__ import annotations

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import derivative, substitute, symbol
from physcm.mechanism.randomness import normals
from physcm.sim.system import System


def euler_maruyama(
    system: System, times: Floats, x0: Floats, p: Floats, samples: NDArray[np.int64],
    seed: int, step: float,
) -> Floats:  # fmt: skip
    """Return the states at the saved times, shape (states, samples, times).

    Raises:
        InvalidValue: if a saved time is not a whole number of steps from the start.
    """
    saved = _on_grid(times, step)
    drift, coefficients = _programs(system)
    keys = list(system.noise)
    rows = [system.states.index(state) for state, _ in keys]
    sources = sorted({source for _, source in keys})
    states = np.empty((len(x0), samples.size, len(times)))
    x = x0.copy()
    states[:, :, 0] = x
    for k in range(saved[-1]):
        t = times[0] + k * step
        z = {s: np.sqrt(step) * normals(seed, f"W({s})", samples, k) for s in sources}
        g = coefficients.vector(t, x, p)
        x = x + step * drift.vector(t, x, p)
        for row, (_, source), amplitude in zip(rows, keys, g, strict=True):
            x[row] += amplitude * z[source]
        states[:, :, saved == k + 1] = x[:, :, np.newaxis]
    return states


def _on_grid(times: Floats, step: float) -> NDArray[np.int64]:
    steps = (times - times[0]) / step
    saved: NDArray[np.int64] = np.rint(steps).astype(np.int64)
    off = np.abs(steps - saved) > 1e-6
    if off.any():
        raise InvalidValue(
            f"the saved time `{times[off][0]}` is not a whole number of steps of `{step}` "
            f"from the start {times[0]}; choose times on that grid, or another step"
        )
    return saved


def _programs(system: System) -> tuple[Program, Program]:
    """Return the Ito drift and the diffusion coefficients."""
    drift = dict(system.drift)
    if system.calculus == "stratonovich":
        order = list(system.derived)
        g = {key: substitute(e, system.derived, order) for key, e in system.noise.items()}
        for (state, source), coefficient in g.items():
            drift[state] += sp.Rational(1, 2) * sp.Add(
                *(
                    other * derivative(coefficient, symbol(name))
                    for (name, its_source), other in g.items()
                    if its_source == source
                )
            )
    return system.program(tuple(drift.values())), system.program(tuple(system.noise.values()))
