"""Claims about motion that does not come to rest."""

from __future__ import annotations

import numpy as np
import sympy as sp
from scipy.optimize import minimize_scalar

from benchmarks.second_opinion.flow import (
    Floats,
    Flow,
    Opinion,
    TooLong,
    fastest,
    lsoda,
    patient,
    size,
)

APPROACH, CYCLES, POINTS = 10, 11, 4000
LEAVES, RETURNS = 0.2, 1e-2
SEGMENTS, TIMES, LONGER, DRIFT_TIMES = 40, 4000, (1, 4, 16), 300
FAR = 1e4


@patient
def repeats(flow: Flow, state: Floats, period: float) -> Opinion:
    """A run beside a state first comes back after the period, and does so ten times.

    It begins ten periods on, when what is left of the approach has died out. A state
    after whose full turn all rates are what they were is back after any number of turns.
    """
    times = np.linspace(0, CYCLES * period, CYCLES * POINTS + 1)
    approach = flow.run(state, APPROACH * period)
    run = flow.run(approach.y[:, -1], times[-1], dense_output=True)
    if not (approach.success and run.success):
        return Opinion(False, "LSODA breaks off")
    path = run.sol(times)
    swing, turns = np.ptp(path, axis=1), _angles(flow)
    moving = swing > 1e-6 * size(np.abs(path).max(axis=1))
    if not moving.any():
        return Opinion(False, "LSODA comes to rest")
    swing[turns] = np.minimum(swing[turns], 2 * np.pi)

    def away_from_start(x: Floats) -> Floats:
        apart = x - path[:, :1]
        apart[turns] -= 2 * np.pi * np.round(apart[turns] / (2 * np.pi))
        return np.asarray((np.abs(apart) / size(swing)[:, None])[moving].max(axis=0))

    def gap(t: float) -> float:
        return float(away_from_start(run.sol([t]))[0])

    gaps = away_from_start(path)
    away = int(np.argmax(gaps > LEAVES))
    lows = [
        i for i in range(max(away, 1), len(times) - 1)
        if gaps[i] <= min(gaps[i - 1], gaps[i + 1]) and gaps[i] < LEAVES
    ]  # fmt: skip
    for i in lows:
        found = minimize_scalar(gap, bounds=(times[i - 1], times[i + 1]), method="bounded")
        if found.fun < RETURNS:
            far = gap(min(10 * found.x, times[-1]))
            holds = abs(found.x / period - 1) < 1e-3 and far < 5 * RETURNS
            return Opinion(
                holds, f"LSODA returns after {found.x:.5g}, to {far:.0e} after ten times"
            )
    return Opinion(False, "LSODA does not return")


def _angles(flow: Flow) -> list[int]:
    """Return the states after whose full turn all rates are what they were."""
    turned = [[f.xreplace({s: s + 2 * sp.pi}) for f in flow.drift] for s in flow.states]
    return [
        i for i, fs in enumerate(turned)
        if all(sp.expand(f - g) == 0 for f, g in zip(fs, flow.drift, strict=True))
    ]  # fmt: skip


def first_integral(flow: Flow) -> sp.Expr | None:
    """Return H with dH/dt = 0 of a planar flow x' = p(x) q(y), y' = r(x) s(y), or None.

    H = integral of r/p dx - integral of q/s dy.
    """
    if len(flow.states) != 2:
        return None
    x, y = flow.states
    ratio = sp.separatevars(sp.factor(flow.drift[1] / flow.drift[0]), (x, y), dict=True)
    if ratio is None:
        return None
    h = ratio["coeff"] * sp.integrate(ratio[x], x) - sp.integrate(1 / ratio[y], y)
    slope = sum(sp.diff(h, z) * f for z, f in zip((x, y), flow.drift, strict=True))
    return h if sp.simplify(slope) == 0 else None


@patient
def conserves(flow: Flow, start: Floats, time: float) -> Opinion:
    """A first integral in closed form stays constant along a run."""
    h = first_integral(flow)
    if h is None:
        return Opinion(False, "no first integral found")
    value = sp.lambdify(flow.states, h)
    path = value(*flow.run(start, time).y)
    off = float(np.ptp(path) / abs(path[0]))
    return Opinion(off < 1e-6, f"first integral in closed form, constant to {off:.0e} along LSODA")


@patient
def grows(flow: Flow, start: Floats) -> Opinion:
    """A run outgrows its start ten thousandfold, or breaks off on the way to infinity."""
    size = np.abs(start).max(initial=0.0) or 1.0
    bound = FAR * size

    def far(t: float, x: Floats) -> float:
        return float(np.abs(x).max() - bound)

    far.terminal = True  # type: ignore[attr-defined]
    run = flow.run(start, 1e12 * fastest(flow, start), events=far)
    reached = np.abs(run.y).max() / size
    return Opinion(reached >= 0.99 * FAR, f"LSODA grows {reached:.3g}-fold by t = {run.t[-1]:.3g}")


@patient
def breaks_off(flow: Flow, start: Floats, time: float) -> Opinion:
    """A run comes to where the drift has no finite value, before a given time has doubled."""
    if not np.isfinite(flow.rates(start)).all():
        return Opinion(True, "the drift has no finite value at the start")
    try:
        run = flow.run(start, 2 * time)
    except TooLong as stuck:
        (last,) = stuck.args
        return Opinion(bool(time < 1.01 * last), f"LSODA does not get past t = {last:.3g}")
    finite = np.isfinite(run.y).all(axis=0)
    last = float(run.t[finite][-1])
    holds = not (run.success and finite.all()) and time < 1.01 * last
    return Opinion(holds, f"LSODA breaks off after t = {last:.3g}")


@patient
def drifts(flow: Flow, state: Floats) -> Opinion:
    """A state runs on at a steady mean speed, so that nothing ever rests."""
    time = DRIFT_TIMES * fastest(flow, state)
    run = flow.run(state, time, t_eval=np.linspace(0, time, POINTS))
    first, middle, last = run.y[:, 0], run.y[:, POINTS // 2], run.y[:, -1]
    speeds = np.array([middle - first, last - middle]) / (time / 2)
    wobble = np.ptp(run.y - np.linspace(first, last, POINTS, axis=1), axis=1)
    steady = np.abs(speeds[0] - speeds[1]) < 0.05 * np.abs(speeds[1])
    gone = np.abs(last - first)
    which = int(np.argmax(np.where(steady, gone / size(wobble), 0)))
    holds = bool(steady[which] and gone[which] > 20 * wobble[which])
    speed, name = speeds[1, which], flow.states[which]
    return Opinion(holds, f"{name} runs on at {speed:.3g} per time, by {gone[which]:.3g} in all")


@patient
def chaotic(flow: Flow, state: Floats) -> Opinion:
    """The largest Lyapunov exponent, of the exact tangent flow, is positive."""
    n, span = len(state), TIMES * fastest(flow, state) / SEGMENTS

    def both(z: Floats) -> Floats:
        return np.concatenate([flow.rates(z[:n]), flow.jacobian(z[:n]) @ z[n:]])

    x, v = state, np.ones(n) / np.sqrt(n)
    for longer in LONGER:  # the fastest time here may be that of a spike
        growth = []
        for _ in range(SEGMENTS):
            run = lsoda(both, np.concatenate([x, v]), longer * span, rtol=1e-8, atol=1e-10)
            x, v = run.y[:n, -1], run.y[n:, -1]
            growth.append(np.log(np.linalg.norm(v)) / (longer * span))
            v = v / np.linalg.norm(v)
        rest = np.array(growth[SEGMENTS // 5 :])
        mean, error = rest.mean(), rest.std(ddof=1) / np.sqrt(len(rest))
        if mean > 4 * error:
            break
    text = f"largest Lyapunov exponent {mean:.3g} ± {error:.1g}"
    return Opinion(bool(mean > 4 * error), text)
