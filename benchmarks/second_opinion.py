"""A second opinion on what a system does in the long run, which shares no solver with the first.

The equations are read off a `System` as SymPy expressions. From there on everything is SymPy
(exact Jacobian, conservation laws, first integrals) and SciPy (LSODA): none of the machine code,
solvers and searches of physcm. Every function takes a claim and returns an `Opinion`: whether the
claim holds, and the numbers that say so.

Equilibria and eigenvalues are those on the subspace that the linear conservation laws leave.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import null_space
from scipy.optimize import minimize_scalar

from physcm.sim import System

Floats = NDArray[np.float64]

RTOL = 1e-9
SAME = 1e-4
DOUBLINGS, ITERATIONS = 8, 100
CYCLES, POINTS = 11, 4000
LEAVES, RETURNS = 0.2, 1e-2
SEGMENTS, TIMES, DRIFT_TIMES, SLOW_TIMES = 40, 4000, 300, 5000
FAR = 1e4
EVALUATIONS = 200_000
SWITCHES = 24


class Opinion(NamedTuple):
    """Whether a claim holds, and the numbers that say so."""

    holds: bool
    text: str


class TooLong(Exception):
    """A run takes more evaluations than anyone would wait for; the argument is the time reached."""


def patient(function: Callable[..., Opinion]) -> Callable[..., Opinion]:
    """Make an opinion say so where a run takes too long, or what was claimed cannot be followed."""

    @wraps(function)
    def asked(*arguments: Any) -> Opinion:
        try:
            with np.errstate(all="ignore"):
                return function(*arguments)
        except TooLong:
            return Opinion(False, f"LSODA takes more than {EVALUATIONS:,} evaluations")

    return asked


@dataclass(frozen=True, eq=False)
class Flow:
    """The equations x' = f(x) of one sample of a system.

    Attributes:
        states: the symbols of x.
        drift: f, over the states alone.
        terms: f, with derived variables (such as rates of reactions) as symbols of their own.
        x0: where the sample starts.
    """

    states: tuple[sp.Symbol, ...]
    drift: tuple[sp.Expr, ...]
    terms: tuple[sp.Expr, ...]
    x0: Floats

    @classmethod
    def of(cls, system: System, seed: int = 0) -> Flow:
        x0, p = system.draw(np.array([0]), seed)
        numbers = zip(system.parameters, p[:, 0].tolist(), strict=True)
        known: dict[sp.Basic, sp.Basic] = {_symbol(n): sp.Rational(value) for n, value in numbers}
        full = dict(known)
        for name, definition in system.derived.items():
            full[_symbol(name)] = definition.xreplace(full)
        drifts = system.drift.values()
        return cls(
            tuple(map(_symbol, system.states)),
            tuple(f.xreplace(full) for f in drifts),
            tuple(f.xreplace(known) for f in drifts),
            x0[:, 0],
        )

    @cached_property
    def rates(self) -> Callable[[Floats], Floats]:
        return self._compiled(sp.Matrix(self.drift), (-1,))

    @cached_property
    def jacobian(self) -> Callable[[Floats], Floats]:
        n = len(self.states)
        return self._compiled(sp.Matrix(self.drift).jacobian(self.states), (n, n))

    def _compiled(self, matrix: Any, shape: tuple[int, ...]) -> Callable[[Floats], Floats]:
        call = sp.lambdify([list(self.states)], list(matrix), "scipy", cse=True, dummify=True)
        return lambda x: np.array(call(x), dtype=float).reshape(shape)

    @cached_property
    def laws(self) -> Floats:
        """The vectors c with c . f = 0, (laws, states): those that annihilate all terms of f."""
        rows = [sp.expand(f).as_coefficients_dict() for f in self.terms]
        terms = sorted({term for row in rows for term in row}, key=str)
        found = sp.Matrix([[row[term] for row in rows] for term in terms]).nullspace()
        return np.array([list(c) for c in found], dtype=float).reshape(-1, len(self.states))

    def free(self, scale: Floats) -> Floats:
        """Return an orthonormal basis (states, free) of the directions that keep all laws."""
        return null_space(self.laws * scale) if len(self.laws) else np.eye(len(scale))

    def eigenvalues(self, x: Floats) -> NDArray[np.complex128]:
        """Return the eigenvalues at an equilibrium, of disturbances that keep all laws."""
        scale = _size(x)
        basis = self.free(scale)
        return np.linalg.eigvals(basis.T @ self._scaled_jacobian(x, scale) @ basis)

    def equilibrium(self, near: Floats) -> Floats | None:
        """Return an equilibrium near a state, with its conserved totals, or None.

        Newton's method; where equilibria are not isolated each step is the shortest one.
        """
        x = np.array(near, dtype=float)
        scale = _size(x)
        basis = self.free(scale)
        for _ in range(ITERATIONS):
            slopes = basis.T @ self._scaled_jacobian(x, scale) @ basis
            rows = _size(np.abs(slopes).max(axis=1, initial=0.0))
            f = basis.T @ (self.rates(x) / scale)
            step = np.linalg.lstsq(slopes / rows[:, None], f / rows, rcond=1e-10)[0]
            x = x - scale * (basis @ step)
            if not np.isfinite(x).all() or np.abs(step).max(initial=0.0) < 1e-12:
                break
        return x if np.isfinite(x).all() and np.abs(step).max(initial=0.0) < 1e-8 else None

    def _scaled_jacobian(self, x: Floats, scale: Floats) -> Floats:
        return self.jacobian(x) / scale[:, None] * scale

    def run(self, start: Floats, end: float, **options: Any) -> Any:
        """Follow the flow by LSODA."""
        size = np.maximum(1e-3 * np.abs(start), 1e-6 * np.abs(start).max(initial=0.0) + 1e-15)
        return lsoda(self.rates, start, end, rtol=RTOL, atol=RTOL * size, **options)


def lsoda(rates: Callable[[Floats], Floats], start: Floats, end: float, **options: Any) -> Any:
    """Follow x' = rates(x) from time 0 to an end.

    Raises:
        TooLong: after `EVALUATIONS` evaluations.
    """
    left = iter(range(EVALUATIONS))

    def counted(t: float, x: Floats) -> Floats:
        if next(left, None) is None:
            raise TooLong(t)
        return rates(x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return solve_ivp(counted, (0, end), start, "LSODA", **options)


@patient
def rests(flow: Flow, start: Floats, claimed: Floats) -> Opinion:
    """A run from the start ends at a claimed state, which is an equilibrium that attracts."""
    x = flow.equilibrium(claimed)
    if x is None:
        return Opinion(False, "no equilibrium near the claimed one")
    leading = flow.eigenvalues(x).real.max(initial=-np.inf)
    apart = _ends_at(flow, start, x, leading)
    text = f"largest Re λ = {leading:.3g}; LSODA ends there to {apart:.0e}"
    return Opinion(leading < 0 and apart < SAME, text)


def _ends_at(flow: Flow, start: Floats, x: Floats, leading: float) -> float:
    """Return how far from an equilibrium, relative, runs of doubled length end at the least."""
    time, apart, seen = 20 / abs(leading), np.inf, np.abs(start)
    for _ in range(DOUBLINGS):
        run = flow.run(start, time)
        start, seen = run.y[:, -1], np.maximum(seen, np.abs(run.y).max(axis=1))
        apart = float((np.abs(start - x) / _size(np.maximum(np.abs(x), 1e-2 * seen))).max())
        if apart < SAME or not run.success:
            break
        time *= 2
    return apart


@patient
def attracts(flow: Flow, claimed: Floats) -> Opinion:
    """A claimed state is an equilibrium that attracts a run begun near it."""
    x = flow.equilibrium(claimed)
    if x is None:
        return Opinion(False, "no equilibrium near the claimed one")
    scale = _size(x)
    basis = flow.free(scale)
    beside = x + 1e-3 * scale * (basis @ (basis.T @ np.ones(len(x))))
    leading = flow.eigenvalues(x).real.max(initial=-np.inf)
    patience = SLOW_TIMES * _fastest(flow, x)
    if leading < 0 and 20 / -leading > patience:
        return _comes_nearer(flow, beside, x, leading, patience)
    found = rests(flow, beside, x)
    return Opinion(found.holds, f"an equilibrium attracts: {found.text}")


def _comes_nearer(flow: Flow, start: Floats, x: Floats, leading: float, time: float) -> Opinion:
    """Of an equilibrium that attracts too slowly for a run to end there."""
    run = flow.run(start, time)
    gaps = (np.abs(run.y - x[:, np.newaxis]) / _size(x)[:, np.newaxis]).max(axis=0)
    early, late = gaps[run.t < time / 5].max(), gaps[run.t > time * 4 / 5].max()
    text = f"an equilibrium attracts: largest Re λ = {leading:.3g}; LSODA comes nearer"
    return Opinion(bool(late < 0.95 * early), f"{text}, from {early:.2g} to {late:.2g}")


@patient
def several(flow: Flow, claimed: Sequence[Floats]) -> Opinion:
    """At least two of the claimed states are equilibria apart that attract runs begun near them."""
    found: list[Floats] = []
    for near in claimed:
        if all(_apart(near, other) > SAME for other in found) and attracts(flow, near).holds:
            found.append(near)
        if len(found) == 2:
            gap = _apart(*found)
            rates = [flow.eigenvalues(x).real.max(initial=-np.inf) for x in found]
            text = f"two roots {gap:.2g} apart, largest Re λ {rates[0]:.3g} and {rates[1]:.3g}"
            return Opinion(True, f"{text}; each attracts a run of LSODA")
    return Opinion(False, f"{len(found)} equilibria that attract")


@patient
def continuum(flow: Flow, near: Floats) -> Opinion:
    """Beside an equilibrium lies another one with the same conserved totals."""
    x = flow.equilibrium(near)
    if x is None:
        return Opinion(False, "no equilibrium found")
    scale = np.maximum(np.abs(x), 1e-2 * np.abs(x).max(initial=0.0)) + 1e-12
    basis = flow.free(scale)
    _, sizes, rows = np.linalg.svd(basis.T @ flow._scaled_jacobian(x, scale) @ basis)
    flat = int((sizes <= 1e-9 * sizes.max(initial=1e-300)).sum())
    other = flow.equilibrium(x + 0.01 * scale * (basis @ rows[-1]))
    apart = 0.0 if other is None else float((np.abs(other - x) / scale).max())
    text = (
        f"exact Jacobian: kernel of dimension {flat} beside {len(flow.laws)} exact linear laws; "
        f"another root {apart:.1g} away"
    )
    return Opinion(flat > 0 and apart > 1e-3, text)


@patient
def repeats(flow: Flow, state: Floats, period: float) -> Opinion:
    """A run from a state first comes back to it after the period, and does so ten times."""
    times = np.linspace(0, CYCLES * period, CYCLES * POINTS + 1)
    run = flow.run(state, times[-1], dense_output=True)
    if not run.success:
        return Opinion(False, "LSODA breaks off")
    path = run.sol(times)
    swing = np.ptp(path, axis=1)
    moving = swing > 1e-6 * _size(np.abs(path).max(axis=1))

    def gap(t: float) -> float:
        return float((np.abs(run.sol(t) - path[:, 0]) / _size(swing))[moving].max())

    gaps = (np.abs(path - path[:, :1]) / _size(swing)[:, None])[moving].max(axis=0)
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


@patient
def repels(flow: Flow, claimed: Sequence[Floats]) -> Opinion:
    """All claimed states are equilibria, each with an eigenvalue to the right."""
    found = [flow.equilibrium(x) for x in claimed]
    if any(x is None for x in found):
        return Opinion(False, "a claimed equilibrium is none")
    leading = [flow.eigenvalues(x).real.max() for x in found if x is not None]
    listed = ", ".join(f"{value:.3g}" for value in leading[:3])
    return Opinion(min(leading) > 0, f"exact Jacobian: largest Re λ = {listed} > 0")


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
    run = flow.run(start, 1e12 * _fastest(flow, start), events=far)
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
    time = DRIFT_TIMES * _fastest(flow, state)
    run = flow.run(state, time, t_eval=np.linspace(0, time, POINTS))
    first, middle, last = run.y[:, 0], run.y[:, POINTS // 2], run.y[:, -1]
    speeds = np.array([middle - first, last - middle]) / (time / 2)
    wobble = np.ptp(run.y - np.linspace(first, last, POINTS, axis=1), axis=1)
    steady = np.abs(speeds[0] - speeds[1]) < 0.05 * np.abs(speeds[1])
    gone = np.abs(last - first)
    which = int(np.argmax(np.where(steady, gone / _size(wobble), 0)))
    holds = bool(steady[which] and gone[which] > 20 * wobble[which])
    speed, name = speeds[1, which], flow.states[which]
    return Opinion(holds, f"{name} runs on at {speed:.3g} per time, by {gone[which]:.3g} in all")


@patient
def chaotic(flow: Flow, state: Floats) -> Opinion:
    """The largest Lyapunov exponent, of the exact tangent flow, is positive."""
    n, span = len(state), TIMES * _fastest(flow, state) / SEGMENTS

    def both(z: Floats) -> Floats:
        return np.concatenate([flow.rates(z[:n]), flow.jacobian(z[:n]) @ z[n:]])

    x, v, growth = state, np.ones(n) / np.sqrt(n), []
    for _ in range(SEGMENTS):
        run = lsoda(both, np.concatenate([x, v]), span, rtol=1e-8, atol=1e-10)
        x, v = run.y[:n, -1], run.y[n:, -1]
        growth.append(np.log(np.linalg.norm(v)) / span)
        v = v / np.linalg.norm(v)
    rest = np.array(growth[SEGMENTS // 5 :])
    mean, error = rest.mean(), rest.std(ddof=1) / np.sqrt(len(rest))
    text = f"largest Lyapunov exponent {mean:.3g} ± {error:.1g}"
    return Opinion(bool(mean > 4 * error), text)


@patient
def noisy(system: System) -> Opinion:
    """Where the drift vanishes the noise does not."""
    flow = Flow.of(system.replace(noise={}, reflected=()))
    x = flow.equilibrium(flow.x0)
    if x is None:
        return Opinion(False, "no root of the drift found")
    here = _numbers(system) | dict(zip(flow.states, x.tolist(), strict=True))
    derived = {_symbol(name): value for name, value in system.derived.items()}
    size = max(abs(float(g.subs(derived).subs(here))) for g in system.noise.values())
    return Opinion(size > 0, f"noise of size {size:.3g} where the drift vanishes")


@patient
def switches(system: System) -> Opinion:
    """Two events follow each other for ever, a cycle of the two after equal times."""
    numbers = _numbers(system)
    flow = Flow.of(system.replace(events={}))
    events = list(system.events.values())
    guards = [_guard(event.trigger.xreplace(numbers), flow.states) for event in events]
    x, times = flow.x0, [0.0]
    for _ in range(SWITCHES):
        run = solve_ivp(lambda t, x: flow.rates(x), (0, 1e4), x, events=guards, rtol=RTOL)
        if run.status != 1:
            return Opinion(False, f"no event after t = {times[-1]:.3g}")
        times.append(times[-1] + run.t[-1])
        x = run.y[:, -1].copy()
        event = next(e for e, when in zip(events, run.t_events, strict=True) if when.size)
        for name, value in event.assign.items():
            x[system.states.index(name)] = float(sp.sympify(value).xreplace(numbers))
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


def _numbers(system: System) -> dict[sp.Symbol, float]:
    _, p = system.draw(np.array([0]), 0)
    return dict(zip(map(_symbol, system.parameters), p[:, 0].tolist(), strict=True))


def _symbol(name: str) -> sp.Symbol:
    return sp.Symbol(name, real=True)


def _size(x: Floats) -> Floats:
    return np.where(x != 0, np.abs(x), 1.0)


def _apart(a: Floats, b: Floats) -> float:
    return float((np.abs(a - b) / _size(np.maximum(np.abs(a), np.abs(b)))).max())


def _fastest(flow: Flow, x: Floats) -> float:
    """Return the shortest time scale at a state."""
    fastest = np.abs(np.linalg.eigvals(flow.jacobian(x))).max(initial=0.0)
    return 1 / fastest if fastest > 0 else 1.0
