"""The reference engine: SciPy, one sample at a time, any method, any tolerance.

LSODA (Petzold 1983; Hindmarsh's ODEPACK) switches between Adams and BDF formulas as the
problem turns stiff; it is called with the exact Jacobian.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.sim.rounding import least_moves
from physcm.sim.status import RunStatus
from physcm.sim.stepping import FEWEST_STEPS, METHODS, MOST_STEPS, Solver, grown, read_off
from physcm.sim.switching import switch_times
from physcm.sim.system import System

ROUGH = 1e-5
"""The relative tolerance of a run that only looks how large variables become."""


@dataclass(frozen=True)
class Scipy:
    """Integrate with SciPy.

    Attributes:
        method: LSODA, RK45, RK23, DOP853, Radau or BDF.

    >>> Scipy("Radau")
    Scipy(method='Radau')
    """

    method: str = "LSODA"

    def __post_init__(self) -> None:
        """Check the method's name."""
        if self.method not in METHODS:
            raise InvalidValue(
                f"`{self.method}` is no method of the scipy engine; use {', '.join(METHODS)}"
            )


@dataclass(frozen=True)
class Trajectory:
    """One sample's states at the saved times, NaN from where the run ended early.

    Attributes:
        states: shape (states, times).
        status: how the run ended.
        steps: how many steps it took, as far as the solver tells.
    """

    states: Floats
    status: RunStatus
    steps: int = 0


def integrate(
    system: System, times: Floats, x0: Floats, p: Floats, rtol: float, atol: Floats,
    method: str = "LSODA", most_steps: int = MOST_STEPS,
) -> Trajectory:  # fmt: skip
    """Return the solution of X' = f(t, X, p) from X(times[0]) = x0.

    Args:
        system: the dynamics.
        times: increasing, shape (times,).
        x0: shape (states,).
        p: shape (parameters,).
        rtol: relative tolerance of each step.
        atol: absolute tolerance of each step, per state.
        method: as in `Scipy`.
        most_steps: between two saved times.
    """
    if not system.states or len(times) == 1:
        states = np.repeat(x0[:, np.newaxis], len(times), axis=1)
        return Trajectory(states, RunStatus.COMPLETE)
    parameters = p.tolist()

    if method != "LSODA":
        solver = Solver(rtol, atol, method, most_steps * (len(times) - 1))
        return ended(*_stepped(system, times, x0, parameters, solver))

    def run(saved: Floats, begin: Floats) -> tuple[Floats, int, bool]:
        return _lsoda(system, saved, begin, parameters, rtol, atol, most_steps)

    switches = switch_times(system, parameters)
    between = switches[(switches > times[0]) & (switches < times[-1])]
    return ended(*(_in_pieces(run, times, between, x0) if between.size else run(times, x0)))


def _in_pieces(
    run: Callable[[Floats, Floats], tuple[Floats, int, bool]], times: Floats, between: Floats,
    x: Floats,
) -> tuple[Floats, int, bool]:  # fmt: skip
    """Start anew at each switch, so that no step carries over what was before it."""
    states = np.full((len(x), len(times)), np.nan)
    edges = np.concatenate([times[:1], between, times[-1:]])
    total, worn = 0, False
    for begin, end in itertools.pairwise(edges):
        grid = np.unique([begin, *times[(times > begin) & (times < end)], end])
        piece, steps, worn = run(grid, x)
        total += steps
        states[:, (times >= begin) & (times <= end)] = piece[:, np.isin(grid, times)]
        x = piece[:, -1]
        if not np.isfinite(x).all():
            break
    return states, total, worn


def tolerances(system: System, times: Floats, x0: Floats, p: Floats, rtol: float) -> Floats:
    """Return an absolute tolerance per state: a thousandth of rtol on the state's own scale.

    Real models carry amounts of 1e-16 beside 1e3. The scale of a state is what it takes in a
    rough run, so that neither is computed to the other's accuracy.
    """
    scale, least = np.abs(x0), least_moves(system, times[0], x0, p)
    grid = np.union1d(times, np.linspace(times[0], times[-1], 50))
    run = integrate(system, grid, x0, p, ROUGH, roughly(scale, least))
    return scaled(run.states, scale, rtol, least)


def roughly(scale: Floats, least: Floats | float = 0.0) -> Floats:
    """Return absolute tolerances of a run that only looks how large each row becomes.

    Args:
        scale: of each row at the start.
        least: what rounding makes of each.
    """
    return np.maximum(np.where(scale > 0, 1e-9 * scale, 1e-30), least)


def scaled(rough: Floats, scale: Floats, rtol: float, least: Floats | float = 0.0) -> Floats:
    """Return a thousandth of rtol times the size of each row of a rough run, or more.

    The size is the median, so that what grows by decades is accurate while it is small. For
    what decays it is no less than a millionth of the largest value in the first half.

    Args:
        rough: the run, (rows, times).
        scale: of each row at its start.
        rtol: relative tolerance.
        least: what rounding makes of each row.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        sizes = np.abs(rough) if rough.size else scale[:, np.newaxis]
        early = np.nanmax(sizes[:, : (sizes.shape[1] + 1) // 2], axis=1)
        median = np.median if np.isfinite(sizes).all() else np.nanmedian
        size = np.fmax(median(sizes, axis=1), 1e-6 * early)
        size = np.where(size > 0, size, np.nanmax(sizes, axis=1))
    size = np.where(np.isfinite(size) & (size > 1e-300), size, 1.0)
    return np.maximum(1e-3 * rtol * size, least)


def _lsoda(
    system: System, times: Floats, x0: Floats, p: list[float], rtol: float, atol: Floats,
    most_steps: int,
) -> tuple[Floats, int, bool]:  # fmt: skip
    """Run LSODA, a second time with a step of its own where its first guess leads nowhere.

    Begun in the middle of a stiff decay, its Adams formula can creep on with tiny steps
    without ever noticing the stiffness; a larger first step makes it notice at once.
    """
    for first_step in (0.0, 1e-6 * (times[-1] - times[0])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", scipy.integrate.ODEintWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            states, details = scipy.integrate.odeint(
                system.rates.scalar,
                x0,
                times,
                args=(p,),
                Dfun=system.rates.jacobian.dense,
                tfirst=True,
                rtol=rtol,
                atol=atol,
                h0=first_step,
                hmax=0.0 if system.is_autonomous else (times[-1] - times[0]) / FEWEST_STEPS,
                mxstep=most_steps,
                full_output=True,
            )
        if details["message"] == "Integration successful.":
            return states.T, int(details["nst"][-1]), False
    reached = np.logical_and.accumulate([True, *(details["tcur"] >= times[1:])])
    broke_at = states[int(reached.sum())]
    states = np.where(reached[:, np.newaxis], states, np.nan)
    if grown(x0, broke_at):
        states[int(reached.sum())] = np.inf
    steps = most_steps + int(details["nst"][reached[1:]].max(initial=0))
    return states.T, steps, details["message"].startswith("Excess work")


def _stepped(
    system: System, times: Floats, x0: Floats, p: list[float], solver: Solver
) -> tuple[Floats, int, bool]:
    """Run any other method step by step, and read the saved times off its interpolants."""
    states, count = read_off(solver.steps(system, p, times[0], x0, times[-1]), times, x0)
    return states, count, count > solver.most_steps


def ended(states: Floats, steps: int, worn: bool) -> Trajectory:
    """Say how a run ended; from the first value that is not finite on, nothing counts.

    Args:
        states: at the saved times; infinite where the solver saw them grow without bound.
        steps: how many it took.
        worn: whether it came to the limit of steps.
    """
    finite = np.logical_and.accumulate(np.isfinite(states).all(axis=0))
    if finite.all():
        return Trajectory(states, RunStatus.COMPLETE, steps)
    reached = states[:, finite]
    grew = np.isinf(states).any() or (finite[0] and grown(reached[:, 0], reached[:, -1]))
    states = np.where(finite, states, np.nan)
    why = RunStatus.STEP_LIMIT if worn else RunStatus.STOPPED
    return Trajectory(states, RunStatus.DIVERGED if grew else why, steps)
