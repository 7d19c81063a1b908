"""`physcm simulate`: trajectories as a table on screen, as data or as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from physcm.cli.files import check_file, written_whole
from physcm.cli.horizon import horizon
from physcm.cli.interventions import read_interventions
from physcm.cli.models import load_model
from physcm.cli.output import counted, is_watched, say, show_table, working
from physcm.cli.trajectories import draw
from physcm.mechanism import InvalidValue
from physcm.mechanism.codegen import Floats
from physcm.mechanism.interventions import label
from physcm.sim import System, simulate
from physcm.sim.status import RunStatus

_STEPS = 10_000


@dataclass(frozen=True)
class Run:
    """What to simulate.

    Attributes:
        until: the last time, chosen by what the system does if None.
        points: the number of saved times.
        samples: the number of samples.
        seed: the seed of all draws.
        step: the step where there is noise, chosen if None.
    """

    until: float | None
    points: int
    samples: int
    seed: int
    step: float | None


def run(model: str, do: Sequence[str], out: Path | None, wanted: Run) -> None:
    """Simulate a model, then print a summary or write a file."""
    system = load_model(model)
    interventions = read_interventions(do, system)
    if out is not None:
        check_file(out, (".nc", ".zarr", ".csv", ".png"))
    system = system.do(*interventions)
    times, step = schedule(system, wanted)
    store = out if out is not None and out.suffix.lower() == ".zarr" else None
    data = _simulated(system, times, step, wanted, store)
    say(f"{system.name}, {label(interventions)}" if do else system.name, "bold")
    say(_header(data))
    if "trouble" in data.attrs:
        say(data.attrs["trouble"], "red")
    if out is None:
        _summarize(data, system)
    else:
        if store is None:
            write(data, system.variables, out)
        say(f"wrote {out}")


def _simulated(
    system: System, times: Floats, step: float | None, wanted: Run, store: Path | None
) -> xr.Dataset:
    n, seed = wanted.samples, wanted.seed
    if n > 1 and (store or not _needs_step(system)):
        return simulate(system, times, n=n, seed=seed, step=step, to=store, progress=is_watched())
    with working("simulating"):
        return simulate(system, times, n=n, seed=seed, step=step, to=store)


def schedule(system: System, wanted: Run) -> tuple[Floats, float | None]:
    """Return the times to save, and the step of which they are multiples, where one is needed.

    Raises:
        InvalidValue: for times and steps that are not positive, or do not go together.
    """
    _require_positive(until=wanted.until, step=wanted.step)
    until = wanted.until
    if until is None:
        with working("looking how long to simulate"):
            until = horizon(system, wanted.seed)
    times = np.linspace(0.0, until, wanted.points)
    if not _needs_step(system):
        if wanted.step is not None:
            raise InvalidValue(f"--step is for noise, and `{system.name}` has none; leave it out")
        return times, None
    if wanted.step is None:
        return times, until / (wanted.points - 1) / math.ceil(_STEPS / (wanted.points - 1))
    steps = np.unique(np.rint(times / wanted.step))
    if steps.size < 2:
        raise InvalidValue(f"--step is `{wanted.step:g}` and the run ends at {until:g}; shorten it")
    return steps * wanted.step, wanted.step


def _needs_step(system: System) -> bool:
    return bool(system.noise or system.jumps)


def write(data: xr.Dataset, variables: Sequence[str], path: Path) -> None:
    """Write trajectories as NetCDF, as a table of samples and times, or as a picture."""
    with written_whole(path) as scratch:
        if path.suffix.lower() == ".nc":
            data.to_netcdf(scratch)
        elif path.suffix.lower() == ".csv":
            data[list(variables)].to_dataframe(["sample", "time"]).to_csv(scratch)
        else:
            draw(data, variables).savefig(scratch)


def _header(data: xr.Dataset) -> str:
    statuses, counts = np.unique(data["status"], return_counts=True)
    parts = [f"{n} {RunStatus(int(s)).name.lower()}" for s, n in zip(statuses, counts, strict=True)]
    last = float(data["time"][-1])
    return f"{counted(data.sizes['sample'], 'sample')}, t = 0 to {last:g}: {', '.join(parts)}"


def _summarize(data: xr.Dataset, system: System) -> None:
    several = " (mean)" if data.sizes["sample"] > 1 else ""
    rows: list[tuple[str | float, ...]] = []
    for name in system.variables:
        values = data[name].values
        first, last = values[:, 0].mean(), values[:, -1].mean()
        seen = values[np.isfinite(values)]
        low, high = (seen.min(), seen.max()) if seen.size else (math.nan, math.nan)
        rows.append((name, *map(float, (first, last, low, high))))
    show_table(("variable", f"first{several}", f"last{several}", "lowest", "highest"), rows)


def _require_positive(**options: float | None) -> None:
    for name, value in options.items():
        if value is not None and not 0 < value < math.inf:
            raise InvalidValue(f"--{name} is `{value}`; give a positive number")
