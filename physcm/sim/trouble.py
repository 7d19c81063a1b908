"""Why a run ended early: which mechanism has no finite value, where and when."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import scipy
import sympy as sp

from physcm.mechanism.codegen import Floats
from physcm.mechanism.expression import names_in, to_text
from physcm.sim.status import RunStatus
from physcm.sim.system import System

LIMITS = {RunStatus.TIME_LIMIT: "time", RunStatus.STEP_LIMIT: "step"}
MOST_TOLD = 10
_MOST_STEPS = 1000


def troubles(
    system: System, times: Floats, states: Floats, p: Floats, ended: Sequence[RunStatus]
) -> dict[int, str]:
    """Say of the first samples that ended early where that was, and why.

    Args:
        system: what was run, without anything that happens at once.
        times: the saved times.
        states: (states, samples, times), NaN from where a run ended.
        p: the parameters, (parameters, samples).
        ended: how each sample ended.
    """
    early = [k for k, status in enumerate(ended) if status is not RunStatus.COMPLETE]
    return {
        k: _of_sample(system, times, states[:, k], p[:, k], ended[k]) for k in early[:MOST_TOLD]
    }


def limit(status: RunStatus, t: float) -> str:
    """Say which limit ended a run, and after which time.

    >>> limit(RunStatus.STEP_LIMIT, 2.0)
    'the step limit was reached after t = 2'
    """
    return f"the {LIMITS[status]} limit was reached after t = {t:.6g}"


def listed(told: Mapping[int, str]) -> str:
    """Return one line for each of the first samples of which something is told.

    >>> listed({1: "x is lost"})
    'sample 1: x is lost'
    """
    return "\n".join(f"sample {k}: {told[k]}" for k in sorted(told)[:MOST_TOLD])


def _of_sample(system: System, times: Floats, states: Floats, p: Floats, status: RunStatus) -> str:
    good = int(np.isfinite(states).all(axis=0).sum())
    last, stop = max(good - 1, 0), times[min(good, len(times) - 1)]
    return trouble(system, times[last], states[:, last], p, stop, status)


def trouble(system: System, t: float, x: Floats, p: Floats, stop: float, status: RunStatus) -> str:
    """Say why the run of one sample ended early.

    Args:
        system: the dynamics at the end.
        t: the last saved time at which all was well.
        x: the states there.
        p: the parameters.
        stop: the next time that was not reached.
        status: how the run ended.
    """
    bad = [name for name, value in zip(system.states, x, strict=True) if not np.isfinite(value)]
    if bad:
        return f"at t = {t:.6g} `{bad[0]}` has no finite value"
    if status in LIMITS:
        return limit(status, t)
    if status is RunStatus.DIVERGED:
        largest = system.states[int(np.argmax(np.abs(x)))]
        return f"after t = {t:.6g} the state grows without bound, `{largest}` the most"
    for when, where, rates in _calls(system, t, x, p, stop):
        drifts = [(f"drift of `{name}`", drift) for name, drift in system.drift.items()]
        told = _valueless(system, when, where, drifts, rates)
        if told:
            return told
    return f"after t = {t:.6g} the solver finds no step that it can take"


def broken(system: System, t: float, x: Floats, p: Floats) -> str:
    """Say which drift or noise has no finite value at a point; nothing where all have.

    >>> root = System({"x": "-1"}, initial={"x": 0}, noise={"x": "sqrt(x)"})
    >>> broken(root, 3.0, np.array([-1.0]), np.empty(0))
    'at t = 3 the noise of `x` from `x`, `sqrt(x)`, has no finite value (x = -1)'
    """
    terms = [(f"drift of `{name}`", drift) for name, drift in system.drift.items()]
    terms += [
        (f"noise of `{state}` from `{source}`", g) for (state, source), g in system.noise.items()
    ]
    program = system.program(tuple(expression for _, expression in terms))
    values = program.vector(t, x[:, np.newaxis], p[:, np.newaxis])[:, 0]
    return _valueless(system, t, x, terms, values)


def _valueless(
    system: System, t: float, x: Floats, terms: list[tuple[str, sp.Expr]], values: Floats
) -> str:
    """Name the first term without a finite value, and the states that it reads."""
    for (what, expression), value in zip(terms, values, strict=True):
        if not np.isfinite(value):
            read = [s for s in system.states if s in names_in(expression)]
            at = ", ".join(f"{s} = {x[system.states.index(s)]:.6g}" for s in read)
            told = f"at t = {t:.6g} the {what}, `{to_text(expression)}`, has no finite value"
            return told + (f" ({at})" if at else "")
    return ""


def _calls(
    system: System, t: float, x: Floats, p: Floats, stop: float
) -> Iterator[tuple[float, Floats, Floats]]:
    """Yield the times, states and rates at which the solver looks, up to where it gives up."""
    seen: list[tuple[float, Floats, Floats]] = []
    values = p.tolist()

    def rates(t: float, x: Floats) -> Floats:
        f = np.array(system.rates.scalar(t, x, values))
        if not np.isfinite(f).all():
            seen.append((float(t), x.copy(), f))
        return f

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        rates(t, x)
        if not seen:
            solver = scipy.integrate.LSODA(
                rates, t, x, stop, rtol=1e-6, atol=1e-9 * np.abs(x) + 1e-30
            )
            for _ in range(_MOST_STEPS):
                if seen or solver.status != "running":
                    break
                solver.step()
    yield from seen
