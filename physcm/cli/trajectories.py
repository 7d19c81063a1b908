"""Trajectories as a picture: a panel per variable, each on its own scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import xarray as xr
from matplotlib.figure import Figure

from physcm.abstraction.reporting.plot import AGREE, INK, MUTED, RULE, plain

_COLUMNS, _MOST_PANELS, _MOST_LINES = 3, 30, 100


def draw(data: xr.Dataset, variables: Sequence[str]) -> Figure:
    """Return the picture of some variables of a simulation over time.

    Args:
        data: as `simulate` returns it.
        variables: what to draw; of more than thirty the first thirty.
    """
    shown = variables[:_MOST_PANELS]
    columns = max(1, min(_COLUMNS, len(shown)))
    rows = max(1, math.ceil(len(shown) / columns))
    size = (1 + 3.4 * columns, 1.0 + 2.1 * rows)
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    figure.suptitle(plain(_title(data, variables), 34 * columns), color=INK, fontsize=12)
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    lines = data.isel(sample=slice(0, _MOST_LINES))
    opacity = max(0.15, 1 / math.sqrt(lines.sizes["sample"]))
    for name, axes in zip(shown, panels, strict=False):
        axes.plot(data["time"], lines[name].values.T, color=AGREE, lw=1.2, alpha=opacity)
        axes.set_title(plain(name, 32), fontsize=10, color=INK)
        axes.grid(color=RULE, linewidth=0.5)
        axes.tick_params(colors=MUTED, labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(shown) :]:
        axes.remove()
    figure.supxlabel("time", color=INK, fontsize=10)
    return figure


def _title(data: xr.Dataset, variables: Sequence[str]) -> str:
    more = len(variables) - _MOST_PANELS
    left_out = f" (and {more} more variables)" if more > 0 else ""
    return f"{data.attrs['title']}{left_out}"
