"""The report as one self-contained page, in light and dark and on paper.

Nothing is loaded from elsewhere: the picture is part of the page. Names and texts come from
files of others, so that all text is escaped on its way into the page.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import matplotlib as mpl

import physcm
from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.population.outcome import PopulationOutcome
from physcm.abstraction.population.samples import Low
from physcm.abstraction.reporting import plot
from physcm.abstraction.reporting.html import cell, difference, mark, prose, table, tone
from physcm.abstraction.reporting.models import models
from physcm.abstraction.reporting.runs import numbers_of, runs_text
from physcm.mechanism.errors import PhyscmError
from physcm.scm import LinearSCM
from physcm.sim import System
from physcm.sim.toml import write

if TYPE_CHECKING:
    from physcm.abstraction.reporting.report import Report, Row

_MOST_DETAILS = 400
_CAPTIONS = {
    False: "The system is simulated under each intervention until it rests; the causal model is "
    "solved under the same intervention. A difference is relative to the size of its variable.",
    True: "Both models are sampled under each intervention. On the left the deciles of each "
    "variable; on the right its Wasserstein distance in standard deviations, of which the dashed "
    "line would have been found with a probability of 95 %.",
}
_COLORS = {
    plot.AGREE: "--agree",
    plot.DIFFER: "--differ",
    plot.INK: "--ink",
    plot.MUTED: "--muted",
    plot.RULE: "--rule",
    plot.PAPER: "--paper",
}


def write_page(report: Report, path: Path) -> None:
    """Write a report as one self-contained page, whole or not at all.

    Raises:
        InvalidFile: if it cannot be written there.
    """
    write(page(report), path)


def page(report: Report) -> str:
    """Return the page of a report as text."""
    low = report.low
    return Template(_beside("page.html")).substitute(
        title=escape(low.name or "A system without a name"),
        style=_beside("page.css"),
        description=_description(low),
        tone=tone(report.ok),
        mark=mark(report.ok),
        word=_word(report),
        verdict=prose(report.verdict),
        notes="\n".join(f"<p>{prose(note)}</p>" for note in report.notes),
        facts=_facts(report),
        figure=_figure(report),
        interventions=_interventions(report.rows),
        details="\n".join(_details(report.rows)),
        models=models(report),
        footer=escape(_made_by(report)),
        repeat=escape(report.repeat),
        caption=_CAPTIONS[isinstance(report.rows[0].outcome, PopulationOutcome)],
        below=f"The {'system' if isinstance(low, System) else 'model below'} as a "
        f"{'TOML' if isinstance(low, System) else 'JSON'} file",
        file=escape(_text(low)),
        above=_above(report),
    )


def _beside(name: str) -> str:
    return files("physcm.abstraction.reporting").joinpath(name).read_text(encoding="utf-8")


def _word(report: Report) -> str:
    if report.ok:
        return "Yes."
    if report.is_observational and report.rows[0].has_equilibrium and report.all_agree:
        return "Not shown."
    in_law = isinstance(report.rows[0].outcome, PopulationOutcome)
    return "No." if in_law or report.rows[0].has_equilibrium else "Refused."


def _description(low: Low) -> str:
    if not isinstance(low, System):
        return ""
    texts = (low.description, f"Source: {low.source}" if low.source else "")
    return "\n".join(f'<p class="description">{escape(text)}</p>' for text in texts if text)


def _facts(report: Report) -> str:
    known = [row.difference for row in report.rows if not math.isnan(row.difference)]
    first = report.rows[0].outcome
    in_law = isinstance(first, PopulationOutcome)
    facts = {
        "interventions that agree": f"{sum(r.agree for r in report.rows)} of {len(report.rows)}",
        "largest measured difference": f"{max(known):.1e}" if known else "nothing to compare",
        "shift that would be found" if in_law else "tolerance": f"{first.tolerance:.1e}",
        "runs per intervention": runs_text(first),
        "variables": str(report.table.sizes["variable"]),
    }
    return "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(fact)}</dd></div>" for name, fact in facts.items()
    )


def _figure(report: Report) -> str:
    """Return the picture as SVG whose colors follow those of the page."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "physcm"}):
        plot.square(report, titled=False).savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg[svg.index("<svg") :], count=2)
    svg = re.sub("|".join(_COLORS), lambda color: f"var({_COLORS[color[0]]})", svg)
    text = "Simulated against predicted states, and their difference per intervention"
    return svg.replace("<svg", f'<svg role="img" aria-label="{text}"', 1)


def _interventions(rows: Sequence[Row]) -> str:
    head = ("agree", "intervention", "simulation", "prediction", "difference", "why")
    body = (
        f'<tr class="{tone(row.agree)}">'
        + cell(f"{mark(row.agree)} {'yes' if row.agree else 'NO'}", "answer")
        + cell(row.intervention, "name")
        + cell(row.simulation)
        + cell(row.prediction)
        + cell(difference(row.difference), "number")
        + f"<td>{prose(row.why)}</td></tr>"
        for row in rows
    )
    return table(head, body, numbers={"difference"})


def _details(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a fold per intervention; the first that disagrees is open."""
    first_wrong = next((row for row in rows if not row.agree), None)
    for row in rows[:_MOST_DETAILS]:
        yield (
            f'<details class="{tone(row.agree)}"{" open" * (row is first_wrong)}><summary>'
            f'<span class="mark">{mark(row.agree)}</span>'
            f'<span class="name">{escape(row.intervention)}</span>'
            f'<span class="note">{escape(row.simulation)} / {escape(row.prediction)}</span>'
            f"</summary><div>{numbers_of(row.outcome)}</div></details>"
        )
    if len(rows) > _MOST_DETAILS:
        yield f'<p class="note">{len(rows) - _MOST_DETAILS} more are in the table above.</p>'


def _made_by(report: Report) -> str:
    first = report.rows[0].outcome
    measure = f"tolerance {first.tolerance:g}, relative to the size of each variable"
    if isinstance(first, PopulationOutcome):
        measure = f"at most {first.level:.0%} false alarms over all interventions"
    return f"physcm {physcm.__version__}; {runs_text(first)} per intervention; {measure}."


def _above(report: Report) -> str:
    """Return the causal model as a file; a constraints model is made of the system."""
    if isinstance(report.high, CausalConstraintsModel):
        return ""
    return (
        "<details><summary>The causal model as a JSON file</summary>\n"
        f"<pre>{escape(_text(report.high))}</pre>\n</details>"
    )


def _text(low: Low) -> str:
    """Return the model below as text from which it can be made again."""
    try:
        if isinstance(low, System):
            return low.to_toml()
        return (low.to_scm() if isinstance(low, LinearSCM) else low).to_json()
    except PhyscmError as error:
        return f"# {error}"
