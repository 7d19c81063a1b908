"""The picture of a plan in the plant: trajectories, targets, and what is broken on the way.

One panel for each condition of the target and each constraint shows what stands left in it over
time, with the part that the condition rules out shaded, the imagined value as a dashed line, the
time of arrival, and the first time at which a constraint is broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import sympy as sp
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physcm.abstraction.planning.conditions import Conditions
from physcm.abstraction.reporting.plot import AGREE, DIFFER, INK, MUTED, plain
from physcm.mechanism.codegen import Floats
from physcm.mechanism.expression import to_text

if TYPE_CHECKING:
    from physcm.abstraction.planning.check import Check

_MOST = 20
_ROOM = 0.12


def picture(check: Check) -> Figure:
    """Return the figure, one panel below the other."""
    panels = _panels(check)
    figure = Figure(figsize=(7, 0.9 + 1.9 * len(panels)), dpi=150, layout="constrained")
    every = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, parts in zip(every, panels, strict=True):
        _draw(axes, check, parts)
    every[-1].set_xlim(0, _until(check))
    every[-1].set_xlabel("time since the plan began", color=INK)
    verdict, color = ("works", AGREE) if check.ok else ("fails", DIFFER)
    title = f"{plain(str(check.plan), 60)} {verdict} in the plant"
    figure.suptitle(title, color=color, fontsize=11, x=0.01, ha="left")
    return figure


def _panels(check: Check) -> list[list[_Part]]:
    """Return what is asked of each left side, targets first."""
    both = ((check.plan.target, True), (check.constraints, False))
    parts = [_Part(part, wanted) for conditions, wanted in both for part in conditions.parts]
    return [[p for p in parts if p.left == left] for left in dict.fromkeys(p.left for p in parts)]


class _Part(NamedTuple):
    """An inequality of the target, or a constraint."""

    relation: sp.Rel
    wanted: bool

    @property
    def left(self) -> sp.Expr:
        """What is drawn: the left side where the right one is a number, else the margin."""
        plainly = self.relation.rhs.is_number
        return self.relation.lhs if plainly else self.relation.gts - self.relation.lts

    @property
    def bound(self) -> float:
        """The value that it must not cross."""
        return float(self.relation.rhs) if self.relation.rhs.is_number else 0.0

    @property
    def is_upper(self) -> bool:
        """Whether it has to stay below."""
        return bool(self.relation.rhs.is_number and self.relation.lhs == self.relation.lts)


def _draw(axes: Axes, check: Check, parts: list[_Part]) -> None:
    """Draw a left side over time, and what is asked of it."""
    conditions = Conditions(tuple(part.relation for part in parts))
    left = Conditions((sp.Ge(parts[0].left, 0, evaluate=False),))
    shown = check.runs.time.values <= _until(check)
    times, runs = check.runs.time.values[shown], left.sides(check.runs)[0][0][:_MOST, shown]
    for run, good in zip(runs, check.reached, strict=False):
        axes.plot(times, run, color=AGREE if good else DIFFER, linewidth=1.2, zorder=3)
    levels = [part.bound for part in parts]
    imagined = float("nan")
    if {*left.names} <= {*check.plan.imagined.data_vars}:
        imagined = float(np.median(left.sides(check.plan.imagined)[0]))
        axes.axhline(imagined, color=INK, linestyle="--", linewidth=1, label="imagined", zorder=2)
    _limit(axes, np.concatenate([runs.ravel(), levels, [imagined]]))
    _shade(axes, parts)
    if any(part.wanted for part in parts) and check.reached.any():
        arrival = float(np.nanmedian(check.arrival))
        label = f"reached, t = {arrival:.3g}"
        axes.axvline(arrival, color=AGREE, linestyle=":", linewidth=1.2, label=label)
    texts = conditions.texts()
    for breach in check.breaches:
        if breach.condition in texts and not parts[texts.index(breach.condition)].wanted:
            bound = parts[texts.index(breach.condition)].bound
            label = f"first broken, t = {breach.first:.3g}"
            axes.plot(
                breach.first,
                bound,
                "X",
                color=DIFFER,
                markersize=8,
                label=label,
                zorder=4,
                clip_on=False,
            )
    axes.set_ylabel(plain(to_text(parts[0].left), 24), color=INK)
    axes.tick_params(colors=MUTED)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7.5, labelcolor=INK, loc="center left",
                bbox_to_anchor=(1.0, 0.5))  # fmt: skip


def _shade(axes: Axes, parts: list[_Part]) -> None:
    """Shade what the target asks for, and what constraints rule out."""
    low, high = axes.get_ylim()
    for wanted, color, label in ((True, AGREE, "target"), (False, DIFFER, "ruled out")):
        own = [part for part in parts if part.wanted is wanted]
        if not own:
            continue
        upper = min((part.bound for part in own if part.is_upper), default=high)
        lower = max((part.bound for part in own if not part.is_upper), default=low)
        strips = [(lower, upper)] if wanted else [(low, lower), (upper, high)]
        for ends in strips:
            if ends[0] < ends[1]:
                axes.axhspan(*ends, color=color, alpha=0.12, linewidth=0, label=label, zorder=0)
                label = "_" + label


def _limit(axes: Axes, values: Floats) -> None:
    """Leave room around all that is shown."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = _ROOM * ((high - low) or abs(high) or 1.0)
    axes.set_ylim(low - room, high + room)


def _until(check: Check) -> float:
    """Return the time up to which something happens."""
    end = float(check.runs.time.values[-1])
    if not check.reached.all():
        return end
    last = max([float(check.arrival.max()), *(breach.at for breach in check.breaches)])
    return min(end, 2 * last) or end
