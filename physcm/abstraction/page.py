"""The report as one self-contained page, in light and dark and on paper.

Nothing is loaded from elsewhere: the picture is part of the page. Names and texts come from
files of others, so that all text is escaped on its way into the page.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import sympy as sp

import physcm
from physcm.abstraction import plot
from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.mechanism.errors import PhyscmError
from physcm.mechanism.expression import to_text
from physcm.sim import System, conservation_laws
from physcm.sim.status import LimitStatus
from physcm.sim.toml import write

if TYPE_CHECKING:
    from physcm.abstraction.outcome import Outcome
    from physcm.abstraction.report import Report, Row

_MOST_RUNS = 12
_MOST_DETAILS = 400
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
    system = report.low
    return Template(_beside("page.html")).substitute(
        title=escape(system.name or "A system without a name"),
        style=_beside("page.css"),
        description=_description(system),
        tone=_tone(report.ok),
        mark=_mark(report.ok),
        word=_word(report),
        verdict=_prose(report.verdict),
        notes="\n".join(f"<p>{_prose(note)}</p>" for note in report.notes),
        facts=_facts(report),
        figure=_figure(report),
        interventions=_interventions(report.rows),
        details="\n".join(_details(report.rows)),
        models=_models(report),
        footer=escape(_made_by(report)),
        toml=escape(_toml(system)),
    )


def _beside(name: str) -> str:
    return files("physcm.abstraction").joinpath(name).read_text(encoding="utf-8")


def _word(report: Report) -> str:
    if report.ok:
        return "Yes."
    return "No." if report.rows[0].has_equilibrium else "Refused."


def _description(system: System) -> str:
    texts = (system.description, f"Source: {system.source}" if system.source else "")
    return "\n".join(f'<p class="description">{escape(text)}</p>' for text in texts if text)


def _facts(report: Report) -> str:
    known = [row.difference for row in report.rows if not math.isnan(row.difference)]
    first = report.rows[0].outcome
    facts = {
        "interventions that agree": f"{sum(r.agree for r in report.rows)} of {len(report.rows)}",
        "largest measured difference": f"{max(known):.1e}" if known else "nothing to compare",
        "tolerance": f"{first.tolerance:.1e}",
        "runs per intervention": _runs_text(first),
        "variables": str(report.table.sizes["variable"]),
    }
    return "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(fact)}</dd></div>" for name, fact in facts.items()
    )


def _runs_text(outcome: Outcome) -> str:
    samples = len(outcome.answers) // outcome.starts
    return f"{_count(samples, 'sample')} × {_count(outcome.starts, 'initial state')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


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
        f'<tr class="{_tone(row.agree)}">'
        + _cell(f"{_mark(row.agree)} {'yes' if row.agree else 'NO'}", "answer")
        + _cell(row.intervention, "name")
        + _cell(row.simulation)
        + _cell(row.prediction)
        + _cell(_difference(row.difference), "number")
        + f"<td>{_prose(row.why)}</td></tr>"
        for row in rows
    )
    return _table(head, body, numbers={"difference"})


def _details(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a fold per intervention; the first that disagrees is open."""
    first_wrong = next((row for row in rows if not row.agree), None)
    for row in rows[:_MOST_DETAILS]:
        yield (
            f'<details class="{_tone(row.agree)}"{" open" * (row is first_wrong)}><summary>'
            f'<span class="mark">{_mark(row.agree)}</span>'
            f'<span class="name">{escape(row.intervention)}</span>'
            f'<span class="note">{escape(row.simulation)} / {escape(row.prediction)}</span>'
            f"</summary><div>{_states(row.outcome)}{_runs(row.outcome)}</div></details>"
        )
    if len(rows) > _MOST_DETAILS:
        yield f'<p class="note">{len(rows) - _MOST_DETAILS} more are in the table above.</p>'


def _states(outcome: Outcome) -> str:
    """Return the table of variables in one run: the first that disagrees, else the first."""
    column = int(outcome.agrees.argmin())
    which = np.flatnonzero(outcome.kinds[column] != "")
    kinds = [str(kind) for kind in outcome.kinds[column, which]]
    predicted = [f"predicted ({kind})" for kind in kinds] or ["predicted"]
    head = ("variable", "simulated", *predicted, "largest difference over runs")
    body = []
    for i, name in enumerate(outcome.names):
        solutions = [_number(value) for value in outcome.solutions[i, column, which]] or ["none"]
        numbers = (_number(outcome.simulated[i, column]), *solutions)
        wrong = outcome.difference[i] > outcome.tolerance
        cells = "".join(_cell(number, "number") for number in numbers)
        body.append(
            f'<tr class="{"differ" * bool(wrong)}">{_cell(name, "name")}{cells}'
            f"{_cell(_difference(outcome.difference[i]), 'number')}</tr>"
        )
    where = f'<p class="note">{escape(_run_name(outcome, column))}, in numbers:</p>'
    return where + f'<div class="scroll">{_table(head, body, numbers={*head[1:]})}</div>'


def _runs(outcome: Outcome) -> str:
    """Return the table of runs, those that disagree first."""
    count = len(outcome.limits)
    order = np.argsort(outcome.agrees, kind="stable")[:_MOST_RUNS]
    body = []
    for column in map(int, order):
        limit, agree = outcome.limits[column], bool(outcome.agrees[column])
        ended = LimitStatus(limit.status).name.lower().replace("_", " ")
        if limit.status is LimitStatus.PERIODIC:
            ended += f", T = {limit.period:.4g}"
        solutions = _count(int((outcome.kinds[column] != "").sum()), "solution")
        texts = (_run_name(outcome, column), ended, f"{limit.time:.4g}", solutions)
        cells = "".join(map(_cell, texts))
        answer = _cell(f"{_mark(agree)} {'yes' if agree else 'NO'}", "answer")
        body.append(f'<tr class="{_tone(agree)}">{cells}{answer}</tr>')
    head = ("run", "simulation", "followed to t", "causal model", "agree")
    more = f'<p class="note">and {count - _MOST_RUNS} more</p>' if count > _MOST_RUNS else ""
    return f'<h3>Runs</h3><div class="scroll">{_table(head, body)}</div>{more}'


def _run_name(outcome: Outcome, column: int) -> str:
    sample, start = divmod(column, outcome.starts)
    return f"sample {sample}, initial state {start}"


def _models(report: Report) -> str:
    """Return the equations of both models, and the numbers that they share."""
    low, high = report.low, report.high
    dynamics = {f"d{name}/dt": f for name, f in low.drift.items()} | {**low.derived}
    structure = high.scm if isinstance(high, CausalConstraintsModel) else high
    bounds = {name: f"{a:g} to {b:g}" for name, (a, b) in low.bounds.items()}
    left = [_titled("Dynamics", _formulas(dynamics)), _titled("Conserved", _laws(report))]
    right = [_titled("Causal model (SCM)", f"<pre>{escape(str(structure))}</pre>")]
    if isinstance(high, CausalConstraintsModel):
        right.insert(0, _titled("Causal constraints", _constraints(high)))
        right[1] = right[1].replace("Causal model (SCM)", "The active constraints, as an SCM")
    values = [
        _titled("Initial values", _formulas({f"{k}(0)": v for k, v in low.initial.items()})),
        _titled("Physical range", _formulas(bounds, "from")),
    ]
    return (
        f'<div class="pair"><div>{"".join(left)}</div><div>{"".join(right)}</div></div>'
        f'<div class="pair"><div>{_titled("Parameters", _formulas(low.parameters))}</div>'
        f"<div>{''.join(values)}</div></div>"
    )


def _titled(title: str, content: str) -> str:
    return f"<h3>{escape(title)}</h3>{content}" if content else ""


def _formulas(entries: Mapping[str, object], relation: str = "=") -> str:
    body = [
        f"<tr>{_cell(name, 'name')}{_cell(f'{relation} {_value(value)}', 'formula')}</tr>"
        for name, value in entries.items()
    ]
    return f"<table>{''.join(body)}</table>" if body else ""


def _value(value: object) -> str:
    if isinstance(value, sp.Basic):
        return to_text(value)
    if isinstance(value, tuple):
        return f"{len(value)} values, one per sample, from {min(value):.6g} to {max(value):.6g}"
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)


def _laws(report: Report) -> str:
    """Return the conserved totals of the system without interventions."""
    if isinstance(report.high, CausalConstraintsModel):
        laws = report.high.generic
    else:
        try:
            laws = conservation_laws(report.low)
        except PhyscmError as error:
            return f'<p class="note">{_prose(str(error))}</p>'
    if not laws:
        return '<p class="note">no linear combination of the states</p>'
    return f"<pre>{escape(chr(10).join(f'{law} = constant' for law in laws))}</pre>"


def _constraints(model: CausalConstraintsModel) -> str:
    active = set(model.active)
    body = []
    for constraint in model.constraints:
        is_active = constraint in active
        sides = f"{to_text(constraint.equation.lhs)} = {to_text(constraint.equation.rhs)}"
        lifted = ", ".join(sorted(constraint.lifted_by))
        cells = _cell(sides, "formula") + _cell(lifted, "name")
        answer = _cell("active" if is_active else "lifted", "" if is_active else "off")
        body.append(f"<tr>{cells}{answer}</tr>")
    head = ("constraint", "lifted by holding", "doing nothing")
    return f'<div class="scroll">{_table(head, body)}</div>'


def _made_by(report: Report) -> str:
    first = report.rows[0].outcome
    return (
        f"physcm {physcm.__version__}; {_runs_text(first)} per intervention; "
        f"tolerance {first.tolerance:g}, relative to the size of each variable."
    )


def _toml(system: System) -> str:
    try:
        return system.to_toml()
    except PhyscmError as error:
        return f"# {error}"


def _table(head: Iterable[str], body: Iterable[str], numbers: Iterable[str] = ()) -> str:
    right = set(numbers)
    cells = "".join(
        f'<th scope="col"{" class=number" * (text in right)}>{escape(text)}</th>' for text in head
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>\n" + "\n".join(body) + "</tbody></table>"


def _cell(text: str, kind: str = "") -> str:
    return f'<td class="{kind}">{escape(text)}</td>' if kind else f"<td>{escape(text)}</td>"


def _prose(text: str) -> str:
    """Return text as HTML, what stands in backticks as code.

    >>> _prose("`x` < 1")
    '<code>x</code> &lt; 1'
    """
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _number(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.8g}"


def _difference(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1e}"


def _tone(good: bool) -> str:
    return "agree" if good else "differ"


def _mark(good: bool) -> str:
    return "\N{CHECK MARK}" if good else "\N{MULTIPLICATION X}"
