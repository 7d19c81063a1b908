"""A picture of the whole zoo: a panel per model, each line over time by its largest size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physcm.abstraction.reporting.plot import INK, MUTED, RULE, plain
from physcm.cli.files import check_file, written_whole
from physcm.cli.interventions import read_interventions
from physcm.cli.output import say
from physcm.cli.simulate import Run, schedule
from physcm.mechanism.codegen import Floats
from physcm.mechanism.interventions import label
from physcm.mechanism.parser import parse
from physcm.sim import simulate, zoo

_COLUMNS, _MOST_LINES, _PER_ROW = 5, 8, 4
_POINTS = 801


@dataclass(frozen=True, eq=False)
class Panel:
    """What is drawn of one model.

    Attributes:
        title: the model and what is done to it.
        times: shape (times,).
        lines: what is drawn, by label, each (times,).
    """

    title: str
    times: Floats
    lines: Mapping[str, Floats]


def run(out: Path) -> None:
    """Simulate every model of the zoo, and write the picture."""
    check_file(out, (".png", ".pdf", ".svg"))
    figure = draw([panel(name) for name in zoo.names()])
    with written_whole(out) as scratch:
        figure.savefig(scratch, format=out.suffix[1:].lower())
    say(f"wrote {out}")


def draw(shown: list[Panel]) -> Figure:
    """Return the picture of some panels."""
    rows = math.ceil(len(shown) / _COLUMNS)
    figure = Figure(figsize=(3.2 * _COLUMNS, 0.6 + 2.3 * rows), dpi=120, layout="constrained")
    figure.suptitle("The zoo over time, each line by its largest size", color=INK, fontsize=13)
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for one, axes in zip(shown, panels, strict=False):
        _draw(axes, one)
    for axes in panels[len(shown) :]:
        axes.remove()
    return figure


def _draw(axes: Axes, one: Panel) -> None:
    for name, values in one.lines.items():
        size = np.nanmax(np.abs(values), initial=0.0)
        scaled = values / size if size else values
        axes.plot(one.times, scaled, lw=1.0, label=plain(name, 20))
    axes.grid(color=RULE, linewidth=0.5)
    axes.tick_params(colors=MUTED, labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        fontsize=6, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=_PER_ROW,
        borderaxespad=0, handlelength=1.2, columnspacing=1.0,
    )  # fmt: skip
    rows = math.ceil(len(one.lines) / _PER_ROW)
    axes.set_title(plain(one.title, 36), fontsize=10, color=INK, pad=4 + 11 * rows)


def panel(name: str) -> Panel:
    """Return what is drawn of a model: its run as `physcm simulate` or its scene has it."""
    system, scene = zoo.load(name), zoo.scene(name)
    interventions = read_interventions([scene.do] if scene.do else [], system)
    system = system.do(*interventions)
    wanted = Run(scene.until, _POINTS, samples=1, seed=0, step=None)
    times, step = schedule(system, wanted)
    data = simulate(system, times, step=step)
    lines = scene.lines or {state: state for state in system.states[:_MOST_LINES]}
    known = {*system.variables, *system.parameters}
    outputs = tuple(parse(text, known, f"gallery of `{name}`") for text in lines.values())
    states = np.array([data[state].values[0] for state in system.states])
    values = system.program(outputs).vector(times, states, system.draw(np.array([0]), 0)[1])
    title = f"{name}, {label(interventions)}" if interventions else name
    return Panel(title, times, dict(zip(lines, values, strict=True)))
