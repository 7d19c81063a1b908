"""`physcm demo`: four models that show what can happen to the square."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from physcm.abstraction import CausalConstraintsModel, Report
from physcm.cli.files import check_folder
from physcm.cli.models import load_model
from physcm.cli.output import say
from physcm.cli.verify import show, verified, write
from physcm.scm import SCM


@dataclass(frozen=True)
class Example:
    """A model and what is known of it.

    Attributes:
        model: its name in the zoo.
        claim: what is expected, in words.
        holds: whether a report says so.
    """

    model: str
    claim: str
    holds: Callable[[Report], bool]


def commutes_with_constraints(report: Report) -> bool:
    """Say whether the square commutes, and only with constraints on conserved totals."""
    return report.ok and isinstance(report.high, CausalConstraintsModel)


def commutes_with_scm(report: Report) -> bool:
    """Say whether the square commutes with a structural causal model."""
    return report.ok and isinstance(report.high, SCM)


def is_refused(report: Report) -> bool:
    """Say whether the report denies that there is an equilibrium SCM."""
    return not report.rows[0].has_equilibrium and not report.ok


EXAMPLES = (
    Example(
        "basic_enzyme",
        "commutes, with constraints: where it rests depends on the conserved enzyme",
        commutes_with_constraints,
    ),
    Example("coupled_oscillators", "commutes: a cyclic SCM", commutes_with_scm),
    Example("lotka_volterra", "is refused: the populations never come to rest", is_refused),
    Example("feedback_pathway", "commutes: a model read from an SBML file", commutes_with_scm),
)


def run(out: Path) -> int:
    """Verify each example, print and write its report; return 0 if all came out as expected."""
    check_folder(out)
    begun = time.monotonic()
    surprises = [example for example in EXAMPLES if not _as_expected(example, out)]
    seconds = time.monotonic() - begun
    say(f"{len(EXAMPLES)} models in {seconds:.1f} s. Pages: {out}/*.html")
    for example in surprises:
        say(f"Not as expected: {example.model} {example.claim}", "bold red")
    return 1 if surprises else 0


def _as_expected(example: Example, out: Path) -> bool:
    say(f"=== {example.model} {example.claim}\n", "bold cyan")
    report = verified(load_model(example.model))
    show(report)
    say(f"wrote {write(report, out, example.model)}\n")
    return example.holds(report)
