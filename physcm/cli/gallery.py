"""A picture of the whole zoo: a panel per model, each state over time by its largest size."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physcm.abstraction.plot import INK, MUTED, RULE, plain
from physcm.cli.files import check_file, written_whole
from physcm.cli.output import say
from physcm.cli.simulate import Run, schedule
from physcm.sim import simulate, zoo

_COLUMNS, _MOST_LINES = 5, 8
_WANTED = Run(until=None, points=401, samples=1, seed=0, step=None)


def run(out: Path) -> None:
    """Simulate every model of the zoo as `physcm simulate` does, and write the picture."""
    check_file(out, (".png", ".pdf", ".svg"))
    figure = draw({name: _simulated(name) for name in zoo.names()})
    with written_whole(out) as scratch:
        figure.savefig(scratch, format=out.suffix[1:].lower())
    say(f"wrote {out}")


def draw(runs: dict[str, xr.Dataset]) -> Figure:
    """Return the picture of some runs, of each the variables that it names as `shown`."""
    rows = math.ceil(len(runs) / _COLUMNS)
    figure = Figure(figsize=(3.2 * _COLUMNS, 0.6 + 2.2 * rows), dpi=120, layout="constrained")
    figure.suptitle("The zoo: each state over time, by its largest size", color=INK, fontsize=13)
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for (name, data), axes in zip(runs.items(), panels, strict=False):
        _panel(axes, name, data)
    for axes in panels[len(runs) :]:
        axes.remove()
    return figure


def _panel(axes: Axes, name: str, data: xr.Dataset) -> None:
    for state in data.attrs["shown"]:
        values = data[state].values[0]
        size = np.nanmax(np.abs(values), initial=0.0)
        axes.plot(data["time"], values / size if size else values, lw=1.0, label=plain(state, 12))
    axes.set_title(plain(name, 30), fontsize=10, color=INK)
    axes.grid(color=RULE, linewidth=0.5)
    axes.tick_params(colors=MUTED, labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=6, frameon=False, loc="best", ncols=2)


def _simulated(name: str) -> xr.Dataset:
    system = zoo.load(name)
    times, step = schedule(system, _WANTED)
    data = simulate(system, times, step=step)
    return data.assign_attrs(shown=system.states[:_MOST_LINES])
