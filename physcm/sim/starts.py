"""Alternative initial states, to see whether a long-run limit depends on where a run starts."""

from __future__ import annotations

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats
from physcm.mechanism.declarations import require_finite
from physcm.mechanism.randomness import normals, uniforms
from physcm.mechanism.values import Value, draw
from physcm.sim.equilibrium import EquilibriumEquations, brought_to_totals

_HALVINGS = 40


def spread_starts(
    equations: EquilibriumEquations, n: int, seed: int, starts: int
) -> tuple[Floats, Floats]:
    """Return initial states and parameters of n samples, each begun from several states.

    Columns run over samples, then over starts; the first start of each sample is its own
    initial state. The others lie up to a decade below or above, or, for a variable that
    takes both signs, around it. They keep the sample's conserved totals wherever they can, so
    that what they show is a choice between equilibria and not another total, and stay where
    the mechanisms have finite values.

    Returns:
        The states, shape (states, n * starts), and the parameters, (parameters, n * starts).

    >>> from physcm.sim import System
    >>> decay = System({"x": "1 - x"}, initial={"x": 2}, bounds={"x": (0, 10)})
    >>> spread_starts(EquilibriumEquations(decay), 1, 0, 3)[0].shape
    (1, 3)
    """
    system = equations.system
    x0, p = system.draw(np.arange(n), seed)
    others = (_moved(equations, x0, seed, m) for m in range(1, starts))
    begins = np.stack([x0, *(_admissible(equations, x0, x, p) for x in others)], axis=2)
    values: dict[str, Value] = {}
    for (name, value), row in zip(system.parameters.items(), p, strict=True):
        values[name] = value if isinstance(value, sp.Basic) else tuple(np.repeat(row, starts))
    for name, rows in zip(system.states, begins, strict=True):
        values[f"{name}(0)"] = tuple(rows.ravel())
    drawn = draw(values, np.arange(n * starts), seed)
    require_finite(drawn)
    x = np.array([drawn[f"{name}(0)"] for name in system.states])
    q = np.array([drawn[name] for name in system.parameters])
    return x.reshape(len(system.states), n * starts), q.reshape(-1, n * starts)


def _moved(equations: EquilibriumEquations, x0: Floats, seed: int, start: int) -> Floats:
    """Return other initial states of all samples, within their bounds and with their totals."""
    sizes = np.abs(x0[x0 != 0])
    typical = float(np.median(sizes)) if sizes.size else 1.0
    samples = np.arange(x0.shape[1])
    low, high = (end[:, np.newaxis] for end in equations.bounds)
    size = np.where(x0 != 0, np.abs(x0), typical)
    names = [f"start of {name}" for name in equations.system.states]
    factor = [10.0 ** (2 * uniforms(seed, name, samples, start) - 1) for name in names]
    shift = [normals(seed, name, samples, start) for name in names]
    around = x0 + size * np.reshape(shift, x0.shape)
    moved = np.where(low >= 0, size * np.reshape(factor, x0.shape), around)
    return brought_to_totals(equations, np.clip(moved, low, high), equations.weights @ x0)


def _admissible(equations: EquilibriumEquations, x0: Floats, x: Floats, p: Floats) -> Floats:
    """Draw initial states towards the samples' own until all mechanisms are finite there.

    Points between two states lie within the same bounds and have the same totals.
    """
    programs = (equations.system.rates, equations.system.outputs)
    for _ in range(_HALVINGS):
        values = np.concatenate([program.vector(0.0, x, p) for program in programs])
        x = np.where(np.isfinite(values).all(axis=0), x, (x0 + x) / 2)
    return x
