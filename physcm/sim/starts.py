"""Alternative initial states, to see whether a long-run limit depends on where a run starts."""

from __future__ import annotations

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats
from physcm.mechanism.randomness import normals, uniforms
from physcm.mechanism.values import Value, draw
from physcm.sim.system import System
from physcm.sim.validation import require_finite


def spread_starts(system: System, n: int, seed: int, starts: int) -> tuple[Floats, Floats]:
    """Return initial states and parameters of n samples, each begun from several states.

    Columns run over samples, then over starts; the first start of each sample is its own
    initial state. The others lie up to a decade below or above, or, for a variable that
    takes both signs, around it. States without dynamics keep their value, which is an input.

    Returns:
        The states, shape (states, n * starts), and the parameters, (parameters, n * starts).

    >>> decay = System({"x": "1 - x"}, initial={"x": 2}, bounds={"x": (0, 10)})
    >>> spread_starts(decay, 1, 0, 3)[0].shape
    (1, 3)
    """
    samples = np.arange(n)
    x0, p = system.draw(samples, seed)
    sizes = np.abs(x0[x0 != 0])
    typical = float(np.median(sizes)) if sizes.size else 1.0
    values: dict[str, Value] = {}
    for name, value, row in zip(system.parameters, system.parameters.values(), p, strict=True):
        values[name] = value if isinstance(value, sp.Basic) else tuple(np.repeat(row, starts))
    for name, row in zip(system.states, x0, strict=True):
        columns = [row, *(_moved(system, name, row, typical, seed, m) for m in range(1, starts))]
        values[f"{name}(0)"] = tuple(np.array(columns).T.ravel())
    drawn = draw(values, np.arange(n * starts), seed)
    require_finite(drawn)
    x = np.array([drawn[f"{name}(0)"] for name in system.states])
    q = np.array([drawn[name] for name in system.parameters])
    return x.reshape(len(system.states), n * starts), q.reshape(-1, n * starts)


def _moved(system: System, name: str, row: Floats, typical: float, seed: int, start: int) -> Floats:
    """Return another initial value of one state, within its bounds."""
    if system.drift[name] == 0:
        return row
    low, high = system.bounds.get(name, (-np.inf, np.inf))
    samples = np.arange(row.size)
    size = np.where(row != 0, np.abs(row), typical)
    if low >= 0:
        factor = 10.0 ** (2 * uniforms(seed, f"start of {name}", samples, start) - 1)
        return np.clip(size * factor, low, high)
    return np.clip(row + size * normals(seed, f"start of {name}", samples, start), low, high)
