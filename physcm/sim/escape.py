"""Escape in finite time: x' = x^2 from x(0) = 1 is 1/(1 - t), and there is no t = 1.

A solver breaks off there, as it does where a mechanism has no finite value, such as the square
root of a negative number. What tells the two apart is the state just before: on the way to
infinity it grows many times over within a small fraction of the run, as far as time can be
resolved; on the way to a place without a value it has a finite limit.
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy

from physcm.mechanism.codegen import Floats
from physcm.sim.system import System

_GREW = 3.0
_MOST_STEPS = 5_000
_RTOL = 1e-6


def escapes(system: System, x: Floats, p: Floats, within: float) -> bool:
    """Say whether an autonomous system leaves every bound within a short time.

    Args:
        system: the dynamics.
        x: a state shortly before a run broke off, shape (states,).
        p: the parameters, shape (parameters,).
        within: a time by which it had.

    >>> square = System({"x": "x**2"}, initial={"x": 1})
    >>> escapes(square, np.array([100.0]), np.array([]), 0.011)
    True
    >>> root = System({"x": "-sqrt(x) - 1"}, initial={"x": 1})
    >>> escapes(root, np.array([1e-3]), np.array([]), 0.011)
    False
    """
    parameters = p.tolist()
    furthest = np.abs(x)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        solver = scipy.integrate.Radau(
            lambda t, y: np.array(system.rates.scalar(t, y, parameters)),
            0.0,
            x,
            within,
            rtol=_RTOL,
            atol=_RTOL * np.abs(x) + 1e-300,
            jac=lambda t, y: system.rates.jacobian.dense(t, y, parameters),
        )
        for _ in range(_MOST_STEPS):
            try:
                solver.step()
            except ValueError:  # a matrix that is not finite
                break
            if solver.status != "running" or not np.isfinite(solver.y).all():
                break
            furthest = np.abs(solver.y)
    return bool(furthest.max() > _GREW * np.abs(x).max())
