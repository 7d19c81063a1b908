"""What happened under one intervention, in numbers, as HTML."""

from __future__ import annotations

from html import escape

import numpy as np

from physcm.abstraction.outcome import Outcome
from physcm.abstraction.population.outcome import PopulationOutcome
from physcm.abstraction.reporting.html import cell, count, difference, mark, number, table, tone
from physcm.sim.status import LimitStatus

_MOST_RUNS = 12


def numbers_of(outcome: Outcome | PopulationOutcome) -> str:
    """Return the tables of an outcome."""
    if isinstance(outcome, PopulationOutcome):
        return _margins(outcome) + _tests(outcome)
    return _states(outcome) + _runs(outcome)


def runs_text(outcome: Outcome | PopulationOutcome) -> str:
    """Say how many runs there are, such as "1 sample × 3 initial states"."""
    if isinstance(outcome, PopulationOutcome):
        return f"{count(outcome.simulated.shape[1], 'sample')} of each model"
    samples = len(outcome.answers) // outcome.starts
    return f"{count(samples, 'sample')} × {count(outcome.starts, 'initial state')}"


def _margins(outcome: PopulationOutcome) -> str:
    """Return the table of the law of each variable on its own."""
    head = ("variable", "mean below", "above", "sd below", "above ", "distance in sd", "found from")
    body = []
    for i, name in enumerate(outcome.names):
        sides = outcome.simulated[i], outcome.predicted[i]
        known = [side[np.isfinite(side)] for side in sides]
        figures = [number(float(part.mean())) if part.size else "none" for part in known]
        figures += [number(float(part.std())) if part.size else "none" for part in known]
        figures += [difference(outcome.difference[i]), difference(outcome.detectable[i])]
        body.append(f"<tr>{cell(name, 'name')}{''.join(cell(f, 'number') for f in figures)}</tr>")
    return f'<div class="scroll">{table(head, body, numbers={*head[1:]})}</div>'


def _tests(outcome: PopulationOutcome) -> str:
    """Return the table of tests; none is needed where both sides agree draw by draw."""
    if outcome.test is None:
        return ""
    rows = [(f"{name}", value, outcome.test.p_values[name])
            for name, value in outcome.test.statistics.items()]  # fmt: skip
    body = [
        f"<tr>{cell(name)}{cell(f'{value:.3g}', 'number')}{cell(f'{p:.2g}', 'number')}</tr>"
        for name, value, p in rows
    ]
    whole = (
        f'<p class="note">All together p = {outcome.test.p_value:.2g}; as many values on both '
        f"sides: p = {outcome.fates_p_value:.2g}; corrected for {count(outcome.tests, 'row')}: "
        f"p = {outcome.p_value:.2g}.</p>"
    )
    head = ("test", "statistic", "p")
    return (
        f'<h3>Tests</h3><div class="scroll">{table(head, body, numbers={*head[1:]})}</div>{whole}'
    )


def _states(outcome: Outcome) -> str:
    """Return the table of variables in one run: the first that disagrees, else the first."""
    column = int(outcome.agrees.argmin())
    which = np.flatnonzero(outcome.kinds[column] != "")
    kinds = [str(kind) for kind in outcome.kinds[column, which]]
    predicted = [f"predicted ({kind})" for kind in kinds] or ["predicted"]
    head = ("variable", "simulated", *predicted, "largest difference over runs")
    body = []
    for i, name in enumerate(outcome.names):
        solutions = [number(value) for value in outcome.solutions[i, column, which]] or ["none"]
        figures = (number(outcome.simulated[i, column]), *solutions)
        wrong = outcome.difference[i] > outcome.tolerance
        cells = "".join(cell(figure, "number") for figure in figures)
        body.append(
            f'<tr class="{"differ" * bool(wrong)}">{cell(name, "name")}{cells}'
            f"{cell(difference(outcome.difference[i]), 'number')}</tr>"
        )
    where = f'<p class="note">{escape(_run_name(outcome, column))}, in numbers:</p>'
    return where + f'<div class="scroll">{table(head, body, numbers={*head[1:]})}</div>'


def _runs(outcome: Outcome) -> str:
    """Return the table of runs, those that disagree first."""
    runs = len(outcome.limits)
    order = np.argsort(outcome.agrees, kind="stable")[:_MOST_RUNS]
    body = []
    for column in map(int, order):
        limit, agree = outcome.limits[column], bool(outcome.agrees[column])
        ended = LimitStatus(limit.status).name.lower().replace("_", " ")
        if limit.status is LimitStatus.PERIODIC:
            ended += f", T = {limit.period:.4g}"
        solutions = count(int((outcome.kinds[column] != "").sum()), "solution")
        texts = (_run_name(outcome, column), ended, f"{limit.time:.4g}", solutions)
        cells = "".join(map(cell, texts))
        answer = cell(f"{mark(agree)} {'yes' if agree else 'NO'}", "answer")
        body.append(f'<tr class="{tone(agree)}">{cells}{answer}</tr>')
    head = ("run", "simulation", "followed to t", "causal model", "agree")
    more = f'<p class="note">and {runs - _MOST_RUNS} more</p>' if runs > _MOST_RUNS else ""
    return f'<h3>Runs</h3><div class="scroll">{table(head, body)}</div>{more}'


def _run_name(outcome: Outcome, column: int) -> str:
    sample, start = divmod(column, outcome.starts)
    return f"sample {sample}, initial state {start}"
