"""Stochastic networks by the Euler-Maruyama method (Kloeden & Platen 1992, section 10.2).

    x_i(t + h) = x_i + f_i h + sum_s g_is sqrt(h) Z_is

with one source s of noise per variable and node, or as `noise` says. Z depends on (seed, sample,
step, `W(x[gene7])`) alone, as in `physcm.sim.stochastic`.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.sim.network.draws import keys, normals
from physcm.sim.network.field import Field
from physcm.sim.network.names import labelled
from physcm.sim.network.wiring import Places


def euler_maruyama(
    field: Field,
    times: Floats,
    samples: NDArray[np.int64],
    seed: int,
    step: float,
    deadline: float,
) -> Floats:
    """Return the states at the saved times, shape (states, samples, times).

    From the deadline on, a time on the monotonic clock, they are NaN.

    Raises:
        InvalidValue: if a saved time is not a whole number of steps from the start.
    """
    saved = _on_grid(times, step)
    of_sources, rows = _sources(field, seed)
    y, compiled = field.start(samples.size), field.structure.compiled
    states = np.full((*y.shape, len(times)), np.nan)
    states[:, :, 0] = y
    for k in range(saved[-1]):
        if time.monotonic() > deadline:
            break
        drift, amplitudes = field.moves(times[0] + k * step, y)
        if compiled and k % 2 == 0:
            draws = compiled.normals(of_sources, samples, k // 2)
        z = np.sqrt(step) * (draws[k % 2] if compiled else normals(of_sources, samples, k))
        y = y + step * drift
        for (at, sources), amplitude in zip(rows, _flattened(amplitudes), strict=True):
            y[at] += amplitude * z[sources]
        states[:, :, saved == k + 1] = y[:, :, np.newaxis]
    return states


def _sources(field: Field, seed: int) -> tuple[NDArray[np.uint64], list[tuple[Places, Places]]]:
    """Return the keys of all sources, and for each coefficient its states and their sources."""
    structure = field.structure
    places: dict[str, int] = {}
    rows = []
    for group in structure.groups:
        for state, source in group.form.noise:
            names = [f"W({labelled(source, structure.network.nodes[i])})" for i in group.nodes]
            own = np.array([places.setdefault(name, len(places)) for name in names])
            at = structure.rank[structure.network.variables.index(state), group.nodes]
            rows.append((at, own))
    return keys(seed, places), rows


def _flattened(amplitudes: list[Floats]) -> list[Floats]:
    return [row for group in amplitudes for row in group]


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
