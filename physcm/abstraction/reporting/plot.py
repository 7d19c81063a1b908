"""The picture of the square: simulated against predicted, per intervention.

One panel has a point for every variable under every intervention, relative to the largest size
that the variable takes; on the diagonal the two ways round the square meet. The other has a
line per intervention: the largest relative difference on a logarithmic axis, with the tolerance,
and beside it what happened where there is no single state to compare.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import ScaledTranslation

from physcm.abstraction.population.outcome import PopulationOutcome

if TYPE_CHECKING:
    from physcm.abstraction.outcome import Outcome
    from physcm.abstraction.reporting.report import Report, Row

# Blue and vermilion of Okabe & Ito (2008), which all kinds of color vision tell apart.
AGREE, DIFFER = "#0072b2", "#c8500a"
INK, MUTED, RULE, PAPER = "#1b2733", "#5b6977", "#cfd6dc", "#ffffff"

_WIDTH, _COLUMN, _SIDE = 12.4, 6.2, 4.4  # inches: the figure, one of two columns, the square
_TOP, _AXIS = 0.55, 0.75  # room above a panel for its title, below it for its axis
_TWO_LINES = 0.26  # the room that a row needs for them
_FLOOR, _FLOOR_IN_LAW = 1e-16, 1e-4
_DECILES = np.linspace(0.1, 0.9, 9)
_MOST_COLUMNS, _MOST_LABELS, _MOST_POINTS = 12, 5, 4000


class _Point(NamedTuple):
    """One variable in one run under one intervention, relative to its largest size."""

    intervention: str
    name: str
    predicted: float
    simulated: float
    agree: bool


def square(report: Report, *, titled: bool = True) -> Figure:
    """Return the square as a figure: simulated against predicted, per intervention.

    The axes carry the labels "states" and "differences".

    Args:
        report: what to draw.
        titled: write the system's name and the verdict above.
    """
    head = _headline(report) if titled else []
    top = 0.62 + 0.2 * len(head) if titled else 0.0
    columns = _columns(report.rows)
    block = _TOP + _SIDE + _AXIS + 0.55
    heights = [_TOP + len(rows) * _pitch(report.rows) + _AXIS for rows in columns]
    total = top + max(block + (heights[0] if columns[0] else 0), heights[1])
    figure = Figure(figsize=(_WIDTH, total), dpi=150, facecolor=PAPER)
    if titled:
        _write_head(figure, report, head)
    _draw_states(_axes(figure, "states", 0.95, top + _TOP, _SIDE, _SIDE), report)
    limits = _limits(report)
    places = [(0.0, top + block), (_COLUMN, top)]
    for rows, (left, upper) in zip(columns, places, strict=True):
        if rows:
            height = len(rows) * _pitch(report.rows)
            box = (left + 1.75, upper + _TOP, _panel_width(report), height)
            axes = _axes(figure, "differences", *box)
            _draw_differences(axes, rows, limits, _pitch(report.rows))
            continued = ", continued" if rows[0] is not report.rows[0] else ""
            subtitle = "largest difference over variables and runs"
            _title(axes, f"Interventions{continued}", subtitle)
    return figure


def _columns(rows: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
    """Return the rows below the square and those beside it, so that both columns end alike."""
    block = _TOP + _SIDE + _AXIS + 0.55
    height = len(rows) * _pitch(rows)
    if height <= 1.5 * block:
        return (), rows
    below = round((height - block) / 2 / _pitch(rows))
    return rows[:below], rows[below:]


def _pitch(rows: Sequence[Row]) -> float:
    """Return the height of a line, in inches: what fits beside the square, within reason."""
    return float(np.clip(_SIDE / len(rows), 0.165, 0.65))


def _axes(figure: Figure, name: str, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at a place given in inches from the upper left corner."""
    total = figure.get_figheight()
    box = (left / _WIDTH, 1 - (top + height) / total, width / _WIDTH, height / total)
    axes = figure.add_axes(box, label=name, facecolor="none")
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=8, length=3)
    for side, spine in axes.spines.items():
        spine.set_color(RULE)
        spine.set_visible(side in ("left", "bottom"))
    return axes


def _headline(report: Report) -> list[str]:
    mark = "\N{CHECK MARK}" if report.ok else "\N{MULTIPLICATION X}"
    verdict = plain(report.verdict.replace("`", ""))
    return textwrap.wrap(f"{mark} {verdict}", 145, max_lines=4, placeholder=" …")


def _write_head(figure: Figure, report: Report, head: list[str]) -> None:
    total = figure.get_figheight()
    name = plain(textwrap.shorten(report.low.name or "The square", 90, placeholder=" …"))
    color = AGREE if report.ok else DIFFER
    title = {"fontsize": 14.0, "weight": "bold", "color": INK}
    verdict = {"fontsize": 9.5, "linespacing": 1.35, "color": color}
    for down, text, font in ((0.2, name, title), (0.55, "\n".join(head), verdict)):
        figure.text(0.3 / _WIDTH, 1 - down / total, text, font, va="top")


def _draw_states(axes: Axes, report: Report) -> None:
    """Draw a point per variable and intervention, with the diagonal on which the two agree."""
    points = list(_points(report))
    values = [value for point in points for value in (point.predicted, point.simulated)]
    low = -1.1 if min(values, default=0) < -0.01 else -0.05
    axes.plot([low, 1.1], [low, 1.1], color=RULE, linewidth=1, zorder=1)
    rasterized = len(points) > _MOST_POINTS
    for agree, marker, color in ((True, "o", AGREE), (False, "X", DIFFER)):
        x, y = np.array([p[2:4] for p in points if p.agree == agree]).reshape(-1, 2).T
        size = 20 if agree or x.size > 50 else 42
        if x.size:
            axes.scatter(
                x, y, s=size, marker=marker, color=color, alpha=0.65 if agree else 1,
                linewidths=0, zorder=2 + (not agree), rasterized=rasterized,
            )  # fmt: skip
    axes.set(xlim=(low, 1.1), ylim=(low, 1.1), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    in_law = isinstance(report.rows[0].outcome, PopulationOutcome)
    axes.set_xlabel("predicted (causal model)", color=INK, fontsize=9)
    axes.set_ylabel("model below" if in_law else "simulated (long run)", color=INK, fontsize=9)
    what = (
        ("Deciles", "of each variable, relative to its largest")
        if in_law
        else ("States", "each variable relative to its largest size")
    )
    _title(axes, *what)
    _label_worst(axes, [point for point in points if not point.agree])
    if not points:
        text = "no intervention has both\na simulated and a predicted state"
        axes.text(0.06, 0.88, text, color=MUTED, fontsize=9, transform=axes.transAxes)
    _legend(axes, report)


def _points(report: Report) -> Iterator[_Point]:
    """Yield what was simulated beside what was predicted, for each variable in each row."""
    size: dict[str, float] = {}
    found = []
    for row in report.rows:
        outcome = row.outcome
        pairs = _deciles(outcome) if isinstance(outcome, PopulationOutcome) else _rests(outcome)
        for name, predicted, simulated, scale, close in pairs:
            size[name] = max(size.get(name, 0.0), scale)
            found.append((row.intervention, name, predicted, simulated, close))
    for intervention, name, predicted, simulated, close in found:
        unit = size[name]
        yield _Point(intervention, name, predicted / unit, simulated / unit, close)


_Pair: TypeAlias = tuple[str, float, float, float, bool]


def _rests(outcome: Outcome) -> Iterator[_Pair]:
    """Yield simulated states beside the attracting solutions, in some runs."""
    for column in _chosen(outcome):
        for which in np.flatnonzero(outcome.attracting[column]):
            solution = outcome.solutions[:, column, which]
            for i, name in enumerate(outcome.names):
                pair = float(solution[i]), float(outcome.simulated[i, column])
                close = abs(pair[0] - pair[1]) <= outcome.tolerance * outcome.scale[i]
                yield name, *pair, float(outcome.scale[i]), bool(close)


def _deciles(outcome: PopulationOutcome) -> Iterator[_Pair]:
    """Yield the deciles of each entry of the lists of values below beside those above."""
    for part in outcome.strata:
        for name, below, above in zip(part.names, part.below, part.above, strict=True):
            pair = np.quantile(below, _DECILES), np.quantile(above, _DECILES)
            scale = float(np.abs(pair).max()) or 1.0
            for simulated, predicted in zip(*pair, strict=True):
                yield name, float(predicted), float(simulated), scale, outcome.agree


def _chosen(outcome: Outcome) -> list[int]:
    """Return some of the runs that settled, always with one that disagrees if there is one."""
    settled = np.flatnonzero(outcome.settled)
    chosen = settled[:: max(1, settled.size // _MOST_COLUMNS)]
    wrong = np.flatnonzero(outcome.settled & ~outcome.agrees)[:1]
    return sorted({*chosen.tolist(), *wrong.tolist()})


def _label_worst(axes: Axes, points: Sequence[_Point]) -> None:
    """Name the points that lie farthest from the diagonal, as far as there is room."""
    placed: list[float] = []
    low, high = axes.get_xlim()
    for point in sorted(points, key=lambda p: -abs(p.predicted - p.simulated)):
        if len(placed) == _MOST_LABELS:
            return
        if any(abs(point.simulated - y) < 0.07 * (high - low) for y in placed):
            continue
        placed.append(point.simulated)
        across = (point.predicted - low) / (high - low)
        right = across < (0.4 if point.simulated > point.predicted else 0.85)
        label = axes.annotate(
            f"{plain(point.name, 14)}, {plain(point.intervention, 24)}",
            (point.predicted, point.simulated),
            (7 if right else -7, 0),
            textcoords="offset points", ha="left" if right else "right", va="center",
            fontsize=7.5, color=DIFFER, zorder=4,
        )  # fmt: skip
        label.set_path_effects([withStroke(linewidth=2.5, foreground=PAPER)])


def _legend(axes: Axes, report: Report) -> None:
    """Explain the symbols that occur, below the states."""

    def mark(marker: str, color: str, label: str, face: str | None = None) -> Line2D:
        return Line2D(
            [], [], linestyle="", marker=marker, markersize=6, color=color, label=label,
            markerfacecolor=face or color, markeredgewidth=1 if face else 0,
        )  # fmt: skip

    agree = any(row.agree and not _is_restless(row) for row in report.rows)
    marks = [mark("o", AGREE, "agree")] if agree else []
    if any(row.agree and _is_restless(row) for row in report.rows):
        marks.append(mark("o", AGREE, "agree: neither has a state of rest", "none"))
    if not all(row.agree for row in report.rows):
        marks.append(mark("X", DIFFER, "disagree"))
    marks.append(Line2D([], [], color=RULE, label="simulated = predicted"))
    in_law = isinstance(report.rows[0].outcome, PopulationOutcome)
    bar = "shift found with 95 % power" if in_law else "tolerance"
    marks.append(Line2D([], [], color=INK, linestyle=(0, (4, 2)), lw=1, label=bar))
    at = (-0.12, -0.66 / _SIDE)
    axes.legend(
        handles=marks, loc="upper left", bbox_to_anchor=at, ncols=3, frameon=False, fontsize=8,
        labelcolor=INK, handletextpad=0.4, columnspacing=1.4, borderaxespad=0,
    )  # fmt: skip


def _draw_differences(
    axes: Axes, rows: Sequence[Row], limits: tuple[float, float], pitch: float
) -> None:
    """Draw a line per intervention: how far the two ways round the square lie apart."""
    tolerance = rows[0].outcome.tolerance
    axes.set(xscale="log", xlim=limits, ylim=(len(rows) - 0.5, -0.5))
    _draw_groups(axes, rows)
    axes.axvspan(tolerance, limits[1], color=DIFFER, alpha=0.07, linewidth=0, zorder=0.5)
    axes.axvline(tolerance, color=INK, linestyle=(0, (4, 2)), linewidth=1, zorder=1)
    for y, row in enumerate(rows):
        color = AGREE if row.agree else DIFFER
        if not math.isnan(row.difference):
            x = max(row.difference, limits[0])
            axes.plot([limits[0], x], [y, y], color=color, linewidth=1, alpha=0.35, zorder=2)
            axes.scatter(x, y, s=26 if row.agree else 40, marker="o" if row.agree else "X",
                         color=color, linewidths=0, zorder=3, clip_on=False)  # fmt: skip
        if _fate(row, pitch):
            _write_fate(axes, y, row, pitch)
    axes.set_yticks(range(len(rows)), [plain(row.intervention, 28) for row in rows], fontsize=7.5)
    for text, row in zip(axes.get_yticklabels(), rows, strict=True):
        text.set_color(INK if row.agree else DIFFER)
    axes.tick_params(axis="y", length=0)
    low, high = round(math.log10(limits[0])), math.log10(limits[1])
    ticks = 10.0 ** np.arange(low, high + 0.5, 4 if high - low > 8 else 1)
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(_power))
    axes.minorticks_off()
    in_law = isinstance(rows[0].outcome, PopulationOutcome)
    unit = "distance in standard deviations" if in_law else "relative difference"
    axes.set_xlabel(unit, color=INK, fontsize=9)


def _draw_groups(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw a line between rows that intervene on different names."""
    for y, (above, row) in enumerate(pairwise(rows)):
        if _target(above.intervention) != _target(row.intervention):
            axes.axhline(y + 0.5, color=RULE, linewidth=0.6, zorder=0)


def _write_fate(axes: Axes, y: float, row: Row, pitch: float) -> None:
    """Say beside a row what happened, with a symbol where there is no difference."""
    across = axes.get_yaxis_transform()
    color = AGREE if row.agree else DIFFER
    if math.isnan(row.difference):
        beside = across + ScaledTranslation(0.09, 0, axes.figure.dpi_scale_trans)
        axes.scatter(
            1, y, s=30 if row.agree else 40, marker="o" if row.agree else "X",
            facecolors="none" if row.agree else color, edgecolors=color,
            linewidths=1 if row.agree else 0, transform=beside, clip_on=False,
        )  # fmt: skip
    axes.annotate(
        _fate(row, pitch), (1, y), (14, 0), xycoords=across, textcoords="offset points",
        va="center", fontsize=7, color=MUTED if row.agree else DIFFER,
    )  # fmt: skip


def _fate(row: Row, pitch: float) -> str:
    """Return what happened where a difference alone does not tell, on two lines if they fit."""
    if row.agree and not _is_restless(row):
        return ""
    if pitch < _TWO_LINES:
        return plain(f"{row.simulation} / {row.prediction}", 44)
    return f"{plain(row.simulation, 40)}\n{plain(row.prediction, 40)}"


def _is_restless(row: Row) -> bool:
    return not bool(row.outcome.settled.all())


def _panel_width(report: Report) -> float:
    """Return the width of the differences, in inches: what the words beside them leave."""
    fates = [_fate(row, _pitch(report.rows)) for row in report.rows]
    longest = max(len(line) for fate in fates for line in fate.split("\n"))
    return 4.1 - (0.15 + 0.049 * longest if longest else 0.0)


def _limits(report: Report) -> tuple[float, float]:
    """Return the range of differences: from what is as good as none to beyond the largest."""
    known = [row.difference for row in report.rows if not math.isnan(row.difference)]
    largest = max([*known, report.rows[0].outcome.tolerance])
    in_law = isinstance(report.rows[0].outcome, PopulationOutcome)
    return _FLOOR_IN_LAW if in_law else _FLOOR, 10.0 ** (math.floor(math.log10(largest)) + 1)


def _power(x: float, _: int) -> str:
    exponent = round(math.log10(x))
    return rf"$\leq 10^{{{exponent}}}$" if x <= _FLOOR else rf"$10^{{{exponent}}}$"


def _title(axes: Axes, title: str, subtitle: str) -> None:
    axes.annotate(title, (0, 1), (0, 19), "axes fraction", "offset points",
                  fontsize=10.5, weight="bold", color=INK)  # fmt: skip
    axes.annotate(subtitle, (0, 1), (0, 7), "axes fraction", "offset points",
                  fontsize=8, color=MUTED)  # fmt: skip


def _target(intervention: str) -> str:
    """Return what is intervened on, without the values.

    >>> _target("do(S = 1.5), k = 2")
    'do(S), k'
    """
    return re.sub(r" = [^,)]*", "", intervention)


def plain(text: str, most: int = 10_000) -> str:
    """Return text that matplotlib writes as it stands, on one line, shortened in its middle.

    What the font does not have becomes a question mark; a dollar sign starts no mathematics.

    >>> plain("do(a_long_name = 0.25)", 15)
    'do(a_l… = 0.25)'
    """
    font = get_font(findfont(FontProperties()))
    text = "".join(c if font.get_char_index(ord(c)) else "?" for c in " ".join(text.split()))
    if len(text) > most:
        text = f"{text[: most - 9]}…{text[-8:]}"
    return text.replace("$", r"\$")
