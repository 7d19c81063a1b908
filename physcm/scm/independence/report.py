"""What tests of a graph's claims have found: counts, and the claims behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.scm.graph import Separation
from physcm.scm.independence.holm import holm


@dataclass(frozen=True)
class SeparationReport:
    """The outcome of the tests of a graph's claims.

    Attributes:
        table: over the dimension `question`: `x`, `y`, `given` (a text), `separated` (what the
            graph claims), `p_value`, `adjusted` (the p-value after Holm's correction among the
            claims of its kind) and `dependent` (whether it is at most alpha).
        alpha: the level of the tests.
    """

    table: xr.Dataset
    alpha: float

    @property
    def claims(self) -> int:
        """How many independences the graph claims."""
        return int(self.table.separated.sum())

    @property
    def false_claims(self) -> int:
        """How many of them the data reject."""
        return int((self.table.separated & self.table.dependent).sum())

    @property
    def connections(self) -> int:
        """How many dependences the graph allows."""
        return int((~self.table.separated).sum())

    @property
    def missed(self) -> int:
        """How many of them the data do not show."""
        return int((~self.table.separated & ~self.table.dependent).sum())

    @property
    def ok(self) -> bool:
        """Whether no claimed independence is rejected."""
        return self.false_claims == 0

    def __str__(self) -> str:
        lines = [
            f"{_counted(self.claims, 'independence')} claimed, {self.false_claims} of them false; "
            f"{_counted(self.connections, 'dependence')}, {self.missed} of them missed"
        ]
        table = self.table
        for i in np.flatnonzero(table.separated & table.dependent):
            row = table.isel(question=i)
            given = f" | {row.given.item()}" if row.given.item() else ""
            claim = f"{row.x.item()} ⊥ {row.y.item()}{given}"
            lines.append(f"  false: {claim}, p = {row.adjusted.item():.1e}")
        return "\n".join(lines)


def report(questions: Sequence[Separation], p_values: Floats, alpha: float) -> SeparationReport:
    """Return the report on questions and their p-values, corrected for their number."""
    separated = np.array([question.separated for question in questions], dtype=bool)
    adjusted = np.ones(len(questions))
    for kind in (separated, ~separated):
        adjusted[kind] = holm(p_values[kind])
    columns = {
        "x": np.array([question.x for question in questions], dtype=str),
        "y": np.array([question.y for question in questions], dtype=str),
        "given": np.array([", ".join(question.given) for question in questions], dtype=str),
        "separated": separated,
        "p_value": p_values,
        "adjusted": adjusted,
        "dependent": adjusted <= alpha,
    }
    return SeparationReport(
        xr.Dataset({name: ("question", values) for name, values in columns.items()}), alpha
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
