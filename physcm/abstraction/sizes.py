"""How large the variables of the causal model are along the runs, by which differences count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physcm.abstraction.population.samples import values_of
from physcm.abstraction.tau import Tau
from physcm.mechanism.codegen import Floats
from physcm.sim import System


def reached(low: System, tau: Tau, scale: Floats, p: Floats) -> Floats:
    """Return tau of the sizes (states, runs) that the states took along the runs, the largest."""
    sizes = np.abs(tau.of(values_of(low, scale, p))).max(axis=1, initial=0.0)
    return np.where(np.isfinite(sizes), sizes, 0.0)


def carried(low: System, tau: Tau, x: Floats, p: Floats, settled: NDArray[np.bool_]) -> Floats:
    """Return sum |d tau/dX| |X| at the limits (states, runs), the largest where runs settled.

    Of a function nothing is known.
    """
    if tau.function is not None:
        return np.zeros(len(tau.names))
    x = x[:, settled]
    slopes = np.abs(low.program(tau.expressions).jacobian.batch(0.0, x, p[:, settled]))
    with np.errstate(invalid="ignore"):
        sizes = (slopes @ np.abs(x).T[:, :, np.newaxis])[..., 0]
    largest: Floats = np.where(np.isfinite(sizes), sizes, 0.0).max(axis=0, initial=0.0)
    return largest
