"""What does the check say of every model, and is the reason that it gives true?

Question: under which holds does each model of the zoo, and each model of BioModels where the files
are present, have the equilibria that its causal model says? Where it has not, what is the cause,
and does a computation that shares no solver with the check (`benchmarks.second_opinion`) confirm
it? And are the effects, adaptations and independences that the causal ordering predicts the ones
that are seen (`benchmarks.effects`, `benchmarks.independences`)? The exit status is the number of
causes and adaptations that are not confirmed.

Run: python -m benchmarks.verdicts [--write] [--kind zoo | biomodels] [NAME ...]
(BioModels: ../shared/data/biomodels beside the checkout; --write puts the tables into
docs/verdicts.md, which holds the last result)
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import second_opinion as second
from benchmarks.effects import ADAPTED_HEAD, EFFECTS_HEAD, effects
from benchmarks.independences import HEAD as CLAIMS_HEAD
from benchmarks.independences import independences
from benchmarks.second_opinion import Floats, Flow, Opinion
from benchmarks.tables import PAGE, markdown, models, written
from benchmarks.timing import machine
from physcm.abstraction import (
    CausalConstraintsModel,
    Report,
    Row,
    commutes,
    equilibrium_model,
    hold_each,
)
from physcm.abstraction.outcome import Outcome
from physcm.mechanism import Unsupported
from physcm.sim import System
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import Limit
from physcm.sim.starts import spread_starts
from physcm.sim.status import LimitStatus

HEAD = ("model", "verdict", "cause", "under", "second opinion", "s")
NOT_CONFIRMED = "NOT CONFIRMED"


@dataclass(frozen=True)
class Finding:
    """Why there is an equilibrium or none under an intervention, and a second opinion on it."""

    cause: str
    opinion: Opinion


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        model: its name.
        verdict: commutes, does not commute under k of m, or no equilibrium SCM.
        findings: by intervention, of the undisturbed system and of all that disagree.
        seconds: that the check took.
    """

    model: str
    verdict: str
    findings: dict[str, Finding]
    seconds: float

    @property
    def groups(self) -> dict[str, list[str]]:
        """The interventions of each cause."""
        found: dict[str, list[str]] = {}
        for intervention, finding in self.findings.items():
            found.setdefault(finding.cause, []).append(intervention)
        return found

    @property
    def unconfirmed(self) -> list[str]:
        return [do for do, finding in self.findings.items() if not finding.opinion.holds]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The cells of the table: a row per cause, the model named in the first."""
        found: list[tuple[str, ...]] = []
        for cause, dos in self.groups.items():
            lead, time = ("", ""), ""
            if not found:
                lead, time = (self.model, self.verdict), f"{self.seconds:.1f}"
            found.append((*lead, cause, targets(dos), self.said(dos), time))
        return found

    def said(self, dos: Sequence[str]) -> str:
        """Return the opinion on the first of some interventions, and how many it holds for."""
        holding = [do for do in dos if self.findings[do].opinion.holds]
        text = self.findings[(holding or list(dos))[0]].opinion.text
        if len(holding) < len(dos):
            missing = [do for do in dos if do not in holding]
            text = self.findings[missing[0]].opinion.text
            return f"**{NOT_CONFIRMED}** for {', '.join(missing)}: {text}"
        return text if len(dos) == 1 else f"{text} (the first of {len(dos)}; all are confirmed)"


def targets(dos: Sequence[str]) -> str:
    """Return what some interventions hold.

    >>> targets(["nothing", "do(x = 1)", "do(x = 2)"])
    'nothing, do(x) (2)'
    """
    names = Counter(do.split(" = ")[0] + ")" * do.startswith("do(") for do in dos)
    return ", ".join(name if count == 1 else f"{name} ({count})" for name, count in names.items())


def line(name: str, system: System) -> Line:
    """Check a system, and ask for a second opinion on what keeps it from commuting."""
    begin = time.perf_counter()
    try:
        holds = hold_each(system)
        report = commutes(system, equilibrium_model(system), holds)
    except Unsupported:
        found = {"nothing": restless(system)}
        return Line(name, "no equilibrium SCM", found, time.perf_counter() - begin)
    seconds = time.perf_counter() - begin
    systems = [system, *(system.do(hold) for hold in holds)]
    findings = {
        row.intervention: Case.of(report, row, done).finding()
        for row, done in zip(report.rows, systems, strict=True)
        if row is report.rows[0] or not row.agree
    }
    return Line(name, verdict(report), findings, seconds)


def verdict(report: Report) -> str:
    """Return the verdict in a few words."""
    failed = sum(not row.agree for row in report.rows)
    if not report.rows[0].has_equilibrium:
        return "no equilibrium SCM"
    if failed:
        return f"does not commute under {failed} of {len(report.rows)}"
    if isinstance(report.high, CausalConstraintsModel):
        return "commutes, with a constraints model"
    return "commutes"


def restless(system: System) -> Finding:
    """Say what the check refuses a system for."""
    if system.noise:
        return Finding("noise", second.noisy(system))
    if system.events:
        return Finding("switches by events", second.switches(system))
    return Finding("refused", Opinion(False, "no second opinion on such systems"))


@dataclass(frozen=True, eq=False)
class Case:
    """One run under one intervention whose end is to be explained.

    Attributes:
        flow: the intervened system.
        outcome: of the check.
        column: the run, the first that disagrees if any does.
        start: where it starts.
    """

    flow: Flow
    outcome: Outcome
    column: int
    start: Floats
    conserving: bool

    @classmethod
    def of(cls, report: Report, row: Row, done: System) -> Case:
        outcome = row.outcome
        assert isinstance(outcome, Outcome)
        column = int(np.argmin(outcome.agrees))
        starts, _ = spread_starts(EquilibriumEquations(done), 1, outcome.seed, outcome.starts)
        conserving = isinstance(report.high, CausalConstraintsModel)
        return cls(Flow.of(done), outcome, column, starts[:, column], conserving)

    @property
    def limit(self) -> Limit:
        return self.outcome.limits[self.column]

    def solutions(self, kind: str) -> list[Floats]:
        """Return the predicted states of a kind."""
        rows = [self.outcome.names.index(state.name) for state in self.flow.states]
        which = np.flatnonzero(self.outcome.kinds[self.column] == kind)
        return [self.outcome.solutions[rows, self.column, k] for k in which]

    def finding(self) -> Finding:
        """Return the cause, and what the second opinion is."""
        status, attracting = self.limit.status, self.solutions("stable")
        if self.outcome.answers[self.column] == "continuum":
            return Finding(
                "a continuum of equilibria", second.continuum(self.flow, self.limit.state)
            )
        if len(attracting) > 1:
            return Finding("several stable equilibria", second.several(self.flow, attracting))
        if status is LimitStatus.SETTLED:
            return self.at_rest()
        if status is LimitStatus.STILL_MOVING and attracting:
            late = second.rests(self.flow, self.limit.state, attracting[0])
            if late.holds:
                return Finding("comes to rest after the check gave up", late)
        cause, motion = self.motion()
        if attracting:
            near = second.attracts(self.flow, attracting[0])
            return Finding(f"{cause} beside a stable equilibrium", both(motion, near))
        repelling = self.solutions("unstable")
        if repelling and not self.solutions("marginal"):
            motion = both(motion, second.repels(self.flow, repelling))
        return Finding(cause, motion)

    def motion(self) -> tuple[str, Opinion]:
        """Say how a run goes on that does not come to rest."""
        flow, limit = self.flow, self.limit
        if limit.status is LimitStatus.PERIODIC:
            closed = second.repeats(flow, limit.state, limit.period)
            if not self.solutions("marginal"):
                return "oscillates", closed
            kept = second.conserves(flow, limit.state, 10 * limit.period)
            return "closed orbits", both(closed, kept)
        if limit.status is LimitStatus.DIVERGED:
            return "diverges", second.grows(flow, self.start)
        if limit.status is LimitStatus.BROKEN_OFF:
            return "breaks off", second.breaks_off(flow, self.start, limit.time)
        adrift = second.drifts(flow, limit.state)
        if adrift.holds:
            return "runs on", adrift
        return "chaotic", second.chaotic(flow, limit.state)

    def at_rest(self) -> Finding:
        """Say why a run comes to rest, and whether at what was predicted."""
        if self.outcome.agrees[self.column]:
            opinion = second.rests(self.flow, self.start, self.limit.state)
            if not self.conserving:
                return Finding("one stable equilibrium", opinion)
            kept = Opinion(len(self.flow.laws) > 0, f"{len(self.flow.laws)} exact linear laws")
            return Finding("conserved totals", both(kept, opinion))
        found = second.attracts(self.flow, self.limit.state)
        return Finding("rests at an equilibrium that the search missed", found)


def both(*opinions: Opinion) -> Opinion:
    return Opinion(all(o.holds for o in opinions), "; ".join(o.text for o in opinions))


def main(arguments: Sequence[str] | None = None) -> int:
    reader = argparse.ArgumentParser()
    reader.add_argument("names", nargs="*")
    reader.add_argument("--kind", choices=("zoo", "biomodels"), action="append")
    reader.add_argument("--write", action="store_true")
    options = reader.parse_args(arguments)
    if options.write and options.names:
        reader.error("--write is for all models; leave out the names")
    print(machine())
    tables: dict[str, list[str]] = {}
    unconfirmed = 0
    for kind, name, system in models(options.kind or ("zoo", "biomodels"), options.names):
        found, moved = line(name, system), effects(name, system)
        unconfirmed += len(found.unconfirmed) + (moved.unconfirmed if moved else 0)
        claims = independences(name, system)
        parts = {
            kind: (HEAD, found.rows),
            f"{kind} effects": (EFFECTS_HEAD, [moved.row] if moved else []),
            f"{kind} adaptation": (ADAPTED_HEAD, moved.adapted_rows if moved else []),
            f"{kind} independences": (CLAIMS_HEAD, [claims] if claims else []),
        }
        for place, (head, rows) in parts.items():
            cells = [markdown(row) for row in rows]
            table = tables.setdefault(place, [markdown(head), markdown(["---"] * len(head))])
            table += cells
            print(*cells, sep="\n", flush=True)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        for place, lines in tables.items():
            page = written(page, place, lines)
        PAGE.write_text(page, encoding="utf-8")
    return unconfirmed


if __name__ == "__main__":
    sys.exit(main())
