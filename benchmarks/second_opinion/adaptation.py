"""Claims about perfect adaptation: a variable answers to an input, and comes back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from benchmarks.second_opinion.flow import RTOL, Floats, Flow, Opinion, patient, size

MOVED, BACK, RATES = 1e-7, 1e-9, 30
TIMES, ATOL = 2000, 1e-11


@patient
def adapts(before: Flow, after: Flow, near: Floats, names: Sequence[str]) -> Opinion:
    """From rest, a changed flow moves variables, and brings each back to where it was.

    Args:
        before: the flow as it is.
        after: the flow with an input changed; a changed initial value is added to the state.
        near: the claimed state of rest.
        names: of the variables.
    """
    x = before.equilibrium(near)
    y = None if x is None else after.equilibrium(x + after.x0 - before.x0)
    if x is None or y is None:
        return Opinion(False, "no equilibrium near the claimed one")
    rates = -after.eigenvalues(y).real
    if rates.min(initial=np.inf) <= 0:
        return Opinion(False, "the equilibrium does not attract")
    times = np.append(0, np.geomspace(1e-3 / rates.max(), RATES / rates.min(), TIMES))
    start = x + after.x0 - before.x0
    atol = ATOL * np.abs(start).max(initial=0.0)
    run = solve_ivp(
        lambda t, x: after.rates(x), (0, times[-1]), start, "Radau", times,
        rtol=RTOL, atol=atol, jac=lambda t, x: after.jacobian(x),
    )  # fmt: skip
    rest, path, last = (
        _values(flow, names, at) for flow, at in ((before, x), (after, run.y), (after, y))
    )
    away = np.abs(path - rest[:, None]).max(axis=1)
    scale = size(np.maximum(np.abs(rest), away))
    moved, left = away / scale, np.abs(last - rest) / scale
    ends = np.abs(path[:, -1] - rest) / scale
    seen = moved > MOVED
    holds = bool(run.success and (left < BACK).all() and (ends[seen] < 1e-2 * moved[seen]).all())
    missing = f"; {(~seen).sum()} of {seen.size} by less" if not seen.all() else ""
    least = moved[seen].min(initial=1.0)
    text = f"Radau goes off by {least:.0e} or more{missing}, roots differ by {left.max():.0e}"
    return Opinion(holds and bool(seen.any()), text)


def _values(flow: Flow, names: Sequence[str], x: Floats) -> Floats:
    """Return variables at states (states, ...), derived ones included."""
    expressions = [flow.derived.get(name, sp.Symbol(name, real=True)) for name in names]
    call = sp.lambdify(flow.states, expressions, "scipy", cse=True, dummify=True)
    shape = x.shape[1:]
    return np.array([np.broadcast_to(value, shape) for value in call(*x)], dtype=float)
