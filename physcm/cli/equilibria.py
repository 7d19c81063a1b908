"""`physcm equilibria`: where a model can rest, and what it does in the long run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from physcm.cli.interventions import read_interventions
from physcm.cli.models import load_model
from physcm.cli.output import counted, number, say, show_table, working
from physcm.mechanism.interventions import label
from physcm.sim import System, conservation_laws, equilibria, settle
from physcm.sim.conservation import totals
from physcm.sim.status import LimitStatus

_STYLES = {"stable": "green", "unstable": "red", "marginal": "yellow"}


def run(model: str, do: Sequence[str], seed: int) -> None:
    """Print the equilibria of a model, its conserved totals and its long run."""
    original = load_model(model)
    interventions = read_interventions(do, original)
    system = original.do(*interventions)
    with working("searching equilibria"):
        found = equilibria(system, seed=seed)
        limit = settle(system, seed=seed)
        conserved = _conserved(system, seed)
    say(f"{system.name}, {label(interventions)}" if do else system.name, "bold")
    count = found.sizes["equilibrium"]
    say(counted(count, "equilibrium", "equilibria") if count else "No equilibrium was found.")
    if count:
        say()
        _show(found, system)
    say()
    for line in conserved:
        say(f"Conserved: {line}")
    say(f"Long run from the initial state: {_long_run(limit, found, system)}")


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


def _long_run(limit: xr.Dataset, found: xr.Dataset, system: System) -> str:
    time = float(limit["settling_time"][0])
    status = LimitStatus(int(limit["status"][0]))
    return {
        LimitStatus.SETTLED: f"settles{_where(limit, found, system)} by t = {time:.3g}.",
        LimitStatus.PERIODIC: f"repeats with period {float(limit['period'][0]):.4g}, never rests.",
        LimitStatus.DIVERGED: "grows without bound.",
        LimitStatus.STILL_MOVING: f"is still moving at t = {time:.3g}.",
        LimitStatus.BROKEN_OFF: f"breaks off after t = {time:.3g}, where the mechanisms have no "
        "finite value.",
    }[status]


def _where(limit: xr.Dataset, found: xr.Dataset, system: System) -> str:
    """Name the equilibrium that a run settles at, if it is in the table."""
    names = list(system.states)
    if not names:
        return ""
    ends = np.array([limit[name].values[0] for name in names])[:, np.newaxis]
    roots = np.array([found[name].values for name in names])
    scale = np.abs(np.concatenate([ends, roots], axis=1)).max(axis=1, keepdims=True)
    near = (np.abs(roots - ends) <= 1e-5 * scale).all(axis=0)
    return f" at ({int(near.argmax()) + 1})" if near.any() else ""
