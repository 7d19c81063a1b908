"""The bifurcation diagram: equilibria against what is swept, with their stability.

Solid lines are stable, dashed ones unstable. Special points carry a symbol each, explained once;
where no equilibrium is stable the ground is shaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.errors import UnknownVariable
from physcm.mechanism.parser import closest

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from physcm.sim.bifurcation.found import Continuation
    from physcm.sim.bifurcation.hysteresis import Hysteresis, Jump

# Colors of Okabe & Ito (2008), which all kinds of color vision tell apart.
STABLE, UNSTABLE, INK, SHADE = "#0072b2", "#8a8f98", "#1b2733", "#f3ede4"
_MARKS = {
    "fold": ("o", "#c8500a"),
    "Hopf": ("D", "#009e73"),
    "transcritical": ("X", "#8e5ea2"),
    "pitchfork": ("P", "#8e5ea2"),
    "line": ("_", "#8e5ea2"),
    "branch point": ("s", "#8e5ea2"),
    "kink": ("^", "#1b2733"),
    "bound": ("|", "#1b2733"),
    "lost": ("x", "#1b2733"),
    "stopped": ("x", "#1b2733"),
}
_LINES = ("stable", "unstable")
_MOST_PANELS = 6
_MOST_LABELS = 8


def diagram(
    found: Continuation, names: Sequence[str] = (), cycles: xr.Dataset | None = None
) -> Figure:
    """Return the bifurcation diagram, one panel for each variable.

    Args:
        found: what to draw.
        names: the variables; unless given, up to six states that move.
        cycles: limit cycles, whose ends are drawn.

    Raises:
        UnknownVariable: for a name that the system does not define.
    """
    from matplotlib.figure import Figure

    shown = _chosen(found, names)
    figure = Figure(figsize=(5.2, 0.7 + 2.4 * len(shown)), dpi=150, layout="constrained")
    every: list[Axes] = list(figure.subplots(len(shown), sharex=True, squeeze=False)[:, 0])
    for axes, name in zip(every, shown, strict=True):
        _draw_ground(axes, found)
        _draw_branches(axes, found, name)
        _draw_points(axes, found, name)
        if cycles is not None:
            axes.plot(
                cycles.value, cycles[name].values.T, "o", color="#009e73", markersize=3.5,
                markerfacecolor="white", zorder=2.5, label="ends of a cycle",
            )  # fmt: skip
        axes.set_ylabel(name, color=INK)
        axes.set_xlim(found.sweep.low, found.sweep.high)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    every[-1].set_xlabel(found.name, color=INK)
    _legend(figure, every)
    return figure


def hysteresis_loop(sweep: Hysteresis, names: Sequence[str] = ()) -> Figure:
    """Return the bifurcation diagram with a sweep up and down drawn over it."""
    figure = diagram(sweep.found, names)
    shown = _chosen(sweep.found, names)
    for axes, name in zip(figure.axes, shown, strict=True):
        for way, marker, color in (("up", "^", "#d55e00"), ("down", "v", "#e69f00")):
            rests = sweep.table[name].sel(way=way)
            axes.plot(
                sweep.table.value, rests, marker, color=color, markersize=4, markeredgewidth=0,
                linestyle="", label=f"swept {way}", zorder=3.5,
            )  # fmt: skip
        for jump in sweep.jumps:
            rests = sweep.table[name].sel(way=jump.way)
            before, after = (rests.sel(value=end).item() for end in _around(sweep, jump))
            if not np.isfinite([before, after]).all():
                continue
            axes.annotate(
                "", (jump.value, after), (jump.value, before),
                arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1, "shrinkA": 0, "shrinkB": 0},
                zorder=3.2,
            )  # fmt: skip
    figure.legends.clear()
    _legend(figure, figure.axes)
    return figure


def _around(sweep: Hysteresis, jump: Jump) -> tuple[float, float]:
    """Return the values of a sweep before and after a jump, in the order of its way."""
    values = sweep.table.value.values
    above = int(np.searchsorted(values, jump.value))
    low, high = float(values[above - 1]), float(values[above])
    return (low, high) if jump.way == "up" else (high, low)


def _chosen(found: Continuation, names: Sequence[str]) -> list[str]:
    """Return the variables to draw."""
    variables = found.sweep.system.variables
    for name in names:
        if name not in variables:
            raise UnknownVariable(
                f"`{name}` is no variable of {found.sweep.system.in_words}; "
                f"{closest(name, variables)}"
            )
    states = found.sweep.system.states
    moving = [n for n in states if any(np.ptp(branch[n].values) > 0 for branch in found.branches)]
    return list(names) or (moving or list(states))[:_MOST_PANELS]


def _draw_ground(axes: Axes, found: Continuation) -> None:
    """Shade the values at which no equilibrium is stable."""
    label = "no stable equilibrium"
    for interval in found.intervals:
        if not interval.stable:
            axes.axvspan(interval.low, interval.high, color=SHADE, linewidth=0, label=label)
            label = "_" + label


def _draw_branches(axes: Axes, found: Continuation, name: str) -> None:
    """Draw the branches, stretch by stretch of one stability."""
    for branch in found.branches:
        x, y = branch[found.name].values, branch[name].values
        for stable, first, last in _stretches(branch.stability.values):
            own = slice(first, last + 1)
            if stable:
                axes.plot(x[own], y[own], color=STABLE, linewidth=1.8, label="stable", zorder=3)
            else:
                axes.plot(
                    x[own], y[own], color=UNSTABLE, linewidth=1.3, linestyle=(0, (4, 2)),
                    label="unstable", zorder=2,
                )  # fmt: skip


def _stretches(stability: NDArray[np.str_]) -> list[tuple[bool, int, int]]:
    """Return (whether stable, first point, last point) of each stretch, which share their ends.

    A special point is marginal, and belongs to both sides.

    >>> _stretches(np.array(["stable", "stable", "marginal", "unstable"]))
    [(True, 0, 2), (False, 2, 3)]
    """
    kinds = ["unstable" not in pair and "stable" in pair for pair in pairwise(stability)]
    out, first = [], 0
    for stable, group in groupby(kinds):
        last = first + len(list(group))
        out.append((stable, first, last))
        first = last
    return out


def _draw_points(axes: Axes, found: Continuation, name: str) -> None:
    """Mark the special points, and write beside some where they are."""
    from matplotlib.patheffects import withStroke

    points = [point for point in found.points if point.kind in _MARKS]
    for point in points:
        marker, color = _MARKS[point.kind]
        axes.plot(
            point.value, point.state[name], marker, color=color, markersize=7, zorder=4,
            markeredgecolor="white" if marker in "oDXPs^" else color, markeredgewidth=0.7,
            linestyle="", label=point.kind, clip_on=False,
        )  # fmt: skip
    for point in points if len(points) <= _MOST_LABELS else ():
        axes.annotate(
            f"{point.value:.4g}", (point.value, point.state[name]), (5, 5),
            textcoords="offset points", fontsize=7, color=_MARKS[point.kind][1], zorder=5,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip


def _legend(figure: Figure, every: Sequence[Axes]) -> None:
    """Explain every line and symbol once, above the panels."""
    found: dict[str, Artist] = {}
    for axes in every:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    labels = sorted(found, key=lambda label: (label not in _LINES, label))
    handles = [found[label] for label in labels]
    figure.legend(
        handles=handles, labels=labels, loc="outside upper center", ncols=4, frameon=False,
        fontsize=8,
    )  # fmt: skip
