"""Claims about systems that have no equilibrium equations: noise and events."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from benchmarks.second_opinion.flow import RTOL, Floats, Flow, Opinion, numbers, patient, symbol_of
from physcm.sim import System

SWITCHES = 24


@patient
def noisy(system: System) -> Opinion:
    """Where the drift vanishes the noise does not."""
    flow = Flow.of(system.replace(noise={}, reflected=()))
    x = flow.equilibrium(flow.x0)
    if x is None:
        return Opinion(False, "no root of the drift found")
    here = numbers(system) | dict(zip(flow.states, x.tolist(), strict=True))
    derived = {symbol_of(name): value for name, value in system.derived.items()}
    size = max(abs(float(g.subs(derived).subs(here))) for g in system.noise.values())
    return Opinion(size > 0, f"noise of size {size:.3g} where the drift vanishes")


@patient
def switches(system: System) -> Opinion:
    """Two events follow each other for ever, a cycle of the two after equal times."""
    known = numbers(system)
    flow = Flow.of(system.replace(events={}))
    events = list(system.events.values())
    guards = [_guard(event.trigger.xreplace(known), flow.states) for event in events]
    x, times = flow.x0, [0.0]
    for _ in range(SWITCHES):
        run = solve_ivp(lambda t, x: flow.rates(x), (0, 1e4), x, events=guards, rtol=RTOL)
        if run.status != 1:
            return Opinion(False, f"no event after t = {times[-1]:.3g}")
        times.append(times[-1] + run.t[-1])
        x = run.y[:, -1].copy()
        event = next(e for e, when in zip(events, run.t_events, strict=True) if when.size)
        for name, value in event.assign.items():
            x[system.states.index(name)] = float(sp.sympify(value).xreplace(known))
    cycles = np.diff(times[2::2])
    holds = bool(np.ptp(cycles) < 1e-5 * cycles.mean())
    return Opinion(holds, f"SciPy's events: {SWITCHES} switches, a cycle of {cycles.mean():.5g}")


def _guard(trigger: Any, states: tuple[sp.Symbol, ...]) -> Any:
    """Return a function for SciPy that passes 0 where a condition turns true."""
    edge = sp.lambdify([list(states)], trigger.lhs - trigger.rhs)

    def guard(t: float, x: Floats) -> float:
        return float(edge(x))

    guard.terminal = True  # type: ignore[attr-defined]
    guard.direction = 1.0 if trigger.rel_op in (">", ">=") else -1.0  # type: ignore[attr-defined]
    return guard
