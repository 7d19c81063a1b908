"""`physcm equilibria`: where a model can rest, and what it does in the long run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.cli.interventions import read_interventions
from physcm.cli.models import load_model
from physcm.cli.output import counted, number, say, show_table, working
from physcm.mechanism.codegen import Floats
from physcm.mechanism.interventions import label
from physcm.sim import System, conservation_laws, equilibria, settle
from physcm.sim.conservation import totals
from physcm.sim.periodicity import free_angles
from physcm.sim.status import LimitStatus

_SAME = 1e-5
_STYLES = {"stable": "green", "unstable": "red", "marginal": "yellow"}


def run(model: str, do: Sequence[str], seed: int) -> None:
    """Print the equilibria of a model, its conserved totals and its long run."""
    original = load_model(model)
    interventions = read_interventions(do, original)
    system = original.do(*interventions)
    with working("searching equilibria"):
        turns = free_angles(system)
        found = equilibria(system, seed=seed)
        limit = settle(system, seed=seed)
        conserved = _conserved(system, seed)
    say(f"{system.name}, {label(interventions)}" if do else system.name, "bold")
    count = found.sizes["equilibrium"]
    say(counted(count, "equilibrium", "equilibria") if count else "No equilibrium was found.")
    if count:
        say()
        _show(found, system)
    for name, period in turns.items():
        say(
            f"The equations repeat in {name} with the period {number(period)}: each equilibrium "
            "stands for infinitely many, of which the one nearest to 0 is shown."
        )
    say()
    for line in conserved:
        say(f"Conserved: {line}")
    say(f"Long run from the initial state: {_long_run(limit, found, system, turns)}")


def _same(a: Floats, b: Floats, system: System, turns: Mapping[str, float]) -> NDArray[np.bool_]:
    """Say which states (states, ...) agree, whole turns aside."""
    gaps = np.abs(a - b)
    for row, name in enumerate(system.states):
        if name in turns:
            gaps[row] = np.abs(gaps[row] - turns[name] * np.round(gaps[row] / turns[name]))
    axes = tuple(range(1, gaps.ndim))
    scale = np.maximum(np.abs(a).max(axis=axes), np.abs(b).max(axis=axes))
    return np.asarray((gaps <= _SAME * scale.reshape(-1, *[1] * len(axes))).all(axis=0))


def _show(found: xr.Dataset, system: System) -> None:
    """Print a column per equilibrium; the rows are what is known of it."""
    count = found.sizes["equilibrium"]
    rows = [("", *(f"({i + 1})" for i in range(count)))]
    kinds = found["stability"].values.tolist()
    described = [
        ("stability", *kinds),
        ("leading eigenvalue", *(_leading(found.isel(equilibrium=i)) for i in range(count))),
        ("found by", *found["found_by"].values.tolist()),
    ]
    values = [(name, *map(number, found[name].values)) for name in system.variables]
    show_table(rows[0], [*values, *described])


def _leading(equilibrium: xr.Dataset) -> str:
    if not equilibrium.sizes["mode"]:
        return "-"
    real = float(equilibrium["eigenvalue_real"][0])
    imaginary = abs(float(equilibrium["eigenvalue_imag"][0]))
    return f"{real:.4g}" + (f" ± {imaginary:.4g}i" if imaginary else "")


def _conserved(system: System, seed: int) -> list[str]:
    laws = conservation_laws(system)
    start, _ = system.draw(np.array([0]), seed)
    levels = totals(laws, dict(zip(system.states, start, strict=True)))
    return [f"{law} = {number(float(level[0]))}" for law, level in zip(laws, levels, strict=True)]


def _long_run(
    limit: xr.Dataset, found: xr.Dataset, system: System, turns: Mapping[str, float]
) -> str:
    time = float(limit["settling_time"][0])
    status = LimitStatus(int(limit["status"][0]))
    return {
        LimitStatus.SETTLED: f"settles{_where(limit, found, system, turns)} by t = {time:.3g}.",
        LimitStatus.PERIODIC: f"repeats with period {float(limit['period'][0]):.4g}, never rests.",
        LimitStatus.DIVERGED: "grows without bound.",
        LimitStatus.STILL_MOVING: f"is still moving at t = {time:.3g}{_expected(limit)}.",
        LimitStatus.BROKEN_OFF: f"breaks off after t = {time:.3g}, where the mechanisms have no "
        "finite value.",
    }[status]


def _expected(limit: xr.Dataset) -> str:
    time = float(limit["expected_time"][0])
    return "" if np.isnan(time) else f", so lightly damped that it settles by about t = {time:.2g}"


def _where(limit: xr.Dataset, found: xr.Dataset, system: System, turns: Mapping[str, float]) -> str:
    """Name the equilibrium that a run settles at, if it is in the table."""
    if not system.states:
        return ""
    ends = np.array([limit[name].values for name in system.states])
    roots = np.array([found[name].values for name in system.states])
    near = _same(roots, ends, system, turns) if roots.size else np.zeros(0, bool)
    return f" at ({int(near.argmax()) + 1})" if near.any() else ""
