"""Deterministic networks by SciPy's solvers, one sample at a time, with an exact Jacobian.

Small networks go to LSODA, which switches between stiff and non-stiff formulas. Larger ones go
to DOP853 (Hairer, Nørsett & Wanner 1993, section II.5) where the time span times the norm of
the Jacobian at the start is moderate, so that stability does not hold up an explicit method, and
else to BDF, whose linear systems are sparse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import scipy

from physcm.mechanism.codegen import Floats
from physcm.sim.network.clock import is_autonomous, switch_times
from physcm.sim.network.field import Field
from physcm.sim.stepping import FEWEST_STEPS, Path, Solver, read_off

_SMALL = 200
_STIFF = 1e4


def steps(
    field: Field, solver: Solver, t: float, x: Floats, stop: float
) -> Iterator[tuple[float, float, Path]]:
    """Yield the steps of one sample from states x at time t on, as `Solver.through` does."""
    return solver.through(partial(_begun, field, solver), switch_times(field), t, x, stop)


def integrated(field: Field, solver: Solver, grid: Floats, x: Floats) -> tuple[Floats, bool]:
    """Return the states of one sample on a grid of times, from x at the first on.

    The last says whether the solver came to the limit of steps.
    """
    solver = replace(solver, most_steps=solver.most_steps * (grid.size - 1))
    states, count = read_off(steps(field, solver, grid[0], x, grid[-1]), grid, x)
    return states, count > solver.most_steps


def _begun(field: Field, solver: Solver, t: float, x: Floats, stop: float) -> Any:
    options: dict[str, Any] = {"rtol": solver.rtol, "atol": solver.atol}
    if not is_autonomous(field.structure):
        options["max_step"] = (stop - t) / FEWEST_STEPS
    if solver.method in ("Radau", "BDF"):
        options["jac"] = lambda t, x: scipy.sparse.csc_array(_finite(field, t, x))
    if solver.method == "LSODA":
        options["jac"] = lambda t, x: _finite(field, t, x).toarray()
    kind = getattr(scipy.integrate, solver.method)
    with np.errstate(all="ignore"):
        return kind(lambda t, x: field.rates(t, x[:, np.newaxis])[:, 0], t, x, stop, **options)


def chosen_method(field: Field, times: Floats) -> str:
    """Return the method that suits a network."""
    y = field.start(1)[:, 0]
    if y.size <= _SMALL:
        return "LSODA"
    stiffness = scipy.sparse.linalg.norm(field.jacobian(times[0], y), np.inf) * (
        times[-1] - times[0]
    )
    return "DOP853" if stiffness < _STIFF else "BDF"


def _finite(field: Field, t: float, y: Floats) -> Any:
    slopes = field.jacobian(t, y)
    if not np.isfinite(slopes.data).all():
        raise FloatingPointError
    return slopes
