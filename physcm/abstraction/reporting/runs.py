"""What happened under one intervention, in numbers, as HTML."""

from __future__ import annotations

from html import escape

import numpy as np

from physcm.abstraction.outcome import Outcome
from physcm.abstraction.population.outcome import PopulationOutcome
from physcm.abstraction.population.samples import share
from physcm.abstraction.population.sets import values_text
from physcm.abstraction.reporting.html import cell, count, difference, mark, number, table, tone
from physcm.sim.status import LimitStatus

_MOST_RUNS = 12


def numbers_of(outcome: Outcome | PopulationOutcome) -> str:
    """Return the tables of an outcome."""
    if isinstance(outcome, PopulationOutcome):
        return _shares(outcome) + _margins(outcome) + _tests(outcome)
    return _states(outcome) + _runs(outcome)


def runs_text(outcome: Outcome | PopulationOutcome) -> str:
    """Say how many runs there are, such as "1 sample × 3 initial states"."""
    if isinstance(outcome, PopulationOutcome):
        return f"{count(outcome.simulated.shape[1], 'sample')} of each model"
    samples = len(outcome.answers) // outcome.starts
    return f"{count(samples, 'sample')} × {count(outcome.starts, 'initial state')}"


def _shares(outcome: PopulationOutcome) -> str:
    """Return the table of how many values samples have, where these are not all alike."""
    if len(outcome.shares) < 2:
        return ""
    sides = outcome.below, outcome.above
    body = []
    for kind, p in outcome.shares.items():
        figures = [share(int((side.kinds == kind).sum()), side.kinds.size) for side in sides]
        cells = "".join(cell(f, "number") for f in (*figures, f"{p:.2g}"))
        body.append(f"<tr>{cell(kind, 'name')}{cells}</tr>")
    head = ("samples with", "below", "above", "p")
    title = "<h3>How many values a sample has</h3>"
    return (
        f'{title}<div class="scroll">{table(head, body, numbers={*head[1:]})}</div><h3>Values</h3>'
    )


def _margins(outcome: PopulationOutcome) -> str:
    """Return the table of the law of each entry of the lists of values on its own."""
    head = ("variable", "mean below", "above", "sd below", "above ", "distance in sd", "found from")
    body = []
    for part in outcome.strata:
        detectable = part.detectable(outcome.level_of_lists, outcome.seed)
        for i, name in enumerate(part.names):
            sides = part.below[i], part.above[i]
            figures = [number(float(side.mean())) for side in sides]
            figures += [number(float(side.std())) for side in sides]
            figures += [difference(part.shifts[i]), difference(detectable[i])]
            cells = "".join(cell(f, "number") for f in figures)
            body.append(f"<tr>{cell(name, 'name')}{cells}</tr>")
    if not body:
        return '<p class="note">No sample of both sides has equally many values.</p>'
    return f'<div class="scroll">{table(head, body, numbers={*head[1:]})}</div>'


def _tests(outcome: PopulationOutcome) -> str:
    """Return the table of tests; none is needed where both sides agree draw by draw."""
    tested = [(part, part.test) for part in outcome.strata if part.test]
    if not tested:
        return ""
    several = len(outcome.strata) > 1
    body = [
        f"<tr>{cell(name + f', {values_text(part.count)}' * several)}"
        f"{cell(f'{value:.3g}', 'number')}{cell(f'{test.p_values[name]:.2g}', 'number')}</tr>"
        for part, test in tested
        for name, value in test.statistics.items()
    ]
    whole = (
        f'<p class="note">All values together p = {outcome.lists_p_value:.2g}; as many values on '
        f"both sides: p = {outcome.shares_p_value:.2g}; corrected for "
        f"{count(outcome.tests, 'row')}: p = {outcome.p_value:.2g}.</p>"
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
