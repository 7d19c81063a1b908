"""The report of a check: one row per intervention, a verdict, a table, a picture, a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from physcm import __version__
from physcm.abstraction import explain
from physcm.abstraction.compare import Causal
from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.equations import without_natural_label
from physcm.abstraction.outcome import Outcome
from physcm.abstraction.population import words
from physcm.abstraction.population.outcome import PopulationOutcome
from physcm.abstraction.population.samples import Low
from physcm.mechanism.codegen import Floats
from physcm.mechanism.interventions import Intervention, Interventions, label
from physcm.sim import System
from physcm.sim.periodicity import periods

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST = 400
SIDES = ("simulated", "predicted")
OBSERVATIONS_ONLY = (
    "Observations agree, and nothing else was compared: that is no evidence for a causal model. "
    "Give interventions."
)
COLUMNS = ("intervention", "simulation", "prediction", "difference", "agree")


@dataclass(frozen=True)
class Row:
    """What happened under one intervention.

    Attributes:
        intervention: in the notation of the field.
        simulation: what simulation did, or the samples of the model below.
        prediction: what the causal model said.
        agree: whether the two agree for every sample and initial state, or in law.
        why: the reason, in a sentence.
        outcome: the numbers behind it.
        do: the interventions themselves.
    """

    intervention: str
    simulation: str
    prediction: str
    agree: bool
    why: str
    outcome: Outcome | PopulationOutcome
    do: Interventions = ()

    @classmethod
    def of(cls, do: Sequence[Intervention], outcome: Outcome | PopulationOutcome) -> Row:
        """Put an outcome into words."""
        if isinstance(outcome, PopulationOutcome):
            texts = words.simulation_text(outcome), words.prediction_text(outcome)
            return cls(label(do), *texts, outcome.agree, words.why(outcome), outcome, tuple(do))
        texts = explain.simulation_text(outcome), explain.prediction_text(outcome)
        agree = bool(outcome.agrees.all())
        return cls(label(do), *texts, agree, explain.why(outcome), outcome, tuple(do))

    @property
    def difference(self) -> float:
        """The largest relative difference over variables, NaN where nothing can be compared."""
        known = self.outcome.difference[np.isfinite(self.outcome.difference)]
        return float(known.max()) if known.size else np.nan

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of `COLUMNS`."""
        difference = "-" if np.isnan(self.difference) else f"{self.difference:.1e}"
        agree = "yes" if self.agree else "NO"
        return self.intervention, self.simulation, self.prediction, difference, agree

    @property
    def has_equilibrium(self) -> bool:
        """Whether a run from the model's own initial state came to what was predicted."""
        if isinstance(self.outcome, PopulationOutcome):
            return self.outcome.has_equilibrium
        own = slice(None, None, self.outcome.starts)
        return bool((self.outcome.settled & self.outcome.agrees)[own].any())


@dataclass(frozen=True)
class Report:
    """Whether the square commutes.

    Attributes:
        low: the model below, simulated.
        high: the causal model above, solved.
        rows: one per intervention, the undisturbed system first.
        maps: which of the maps `tau` and `omega` were given.
    """

    low: Low
    high: Causal
    rows: tuple[Row, ...]
    maps: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        low: Low,
        high: Causal,
        interventions: Sequence[Sequence[Intervention]],
        outcomes: Sequence[Outcome] | Sequence[PopulationOutcome],
        maps: tuple[str, ...] = (),
    ) -> Report:
        """Put outcomes into words."""
        return cls(low, high, tuple(map(Row.of, interventions, outcomes)), maps)

    @property
    def ok(self) -> bool:
        """Whether the undisturbed system has the predicted equilibrium and all rows agree.

        Doing nothing alone is not enough: that observations agree says nothing of interventions.
        """
        return not self.is_observational and self.rows[0].has_equilibrium and self.all_agree

    @property
    def all_agree(self) -> bool:
        """Whether all rows agree."""
        return all(row.agree for row in self.rows)

    @property
    def is_observational(self) -> bool:
        """Whether nothing was done in any row."""
        return len(self.rows) == 1

    @property
    def verdict(self) -> str:
        """The result in a sentence or two."""
        first, failed = self.rows[0], [row for row in self.rows if not row.agree]
        done = len(self.rows) - 1
        count = f"{done} intervention{'s' * (done != 1)}"
        if isinstance(first.outcome, Outcome) and not first.has_equilibrium:
            return f"No equilibrium SCM exists. {explain.reason_for(first.outcome, 0)}"
        if failed:
            names = ", ".join(row.intervention for row in failed[:3])
            more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
            return (
                f"The square does not commute: of doing nothing and {count}, {len(failed)} "
                f"disagree ({names}{more}). {failed[0].why}"
            )
        if not first.has_equilibrium:
            return f"There is nothing to compare before anything is done. {first.why}"
        if self.is_observational:
            return f"{OBSERVATIONS_ONLY} {first.why}"
        if isinstance(first.outcome, PopulationOutcome):
            evidence = words.evidence([row.outcome for row in self.rows])
            return f"The square commutes under doing nothing and {count}, in law. {evidence}"
        model = "an equilibrium SCM"
        if isinstance(self.high, CausalConstraintsModel):
            model = "a causal constraints model (equilibria depend on conserved totals)"
        restless = float(np.mean(~first.outcome.settled))
        aside = (
            f" In {restless:.0%} of the undisturbed runs neither finds rest." if restless else ""
        )
        return f"The square commutes under doing nothing and {count}, with {model}.{aside}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What the equations give away before anything is run."""
        if not isinstance(self.low, System):
            return ()
        unlabeled = (
            f"At equilibrium the equation of `{name}` determines not `{name}` but another "
            f"variable, which holding `{name}` sets free."
            for name in without_natural_label(self.low)
        )
        turning = (
            f"The equations repeat in `{name}` with the period {period:.6g}: a solution stands for "
            "all that are whole turns away."
            for name, period in periods(self.low).items()
        )
        return (*unlabeled, *turning)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The lines of text below the table: why rows disagree, the notes, how to repeat it."""
        reasons = [f"  {', '.join(names)}: {why}" for why, names in self._reasons.items()]
        notes = [f"Note: {note}" for note in self.notes]
        return (
            *(["Why not:", *reasons, ""] if reasons else []),
            *([*notes, ""] if notes else []),
            f"Repeat: {self._repeat(self.interventions if self._is_short else 'interventions')}",
            *(() if self._is_short else ("  with those of `report.interventions`",)),
        )

    @property
    def _reasons(self) -> dict[str, list[str]]:
        """Why rows disagree, with the interventions under which it is so."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            if not row.agree:
                found.setdefault(row.why, []).append(row.intervention)
        return found

    @property
    def interventions(self) -> list[Intervention | Interventions]:
        """What was done, for `commutes` to do again."""
        return [row.do[0] if len(row.do) == 1 else row.do for row in self.rows[1:]]

    @property
    def _is_short(self) -> bool:
        return len(repr(self.interventions)) <= _LONGEST

    @property
    def repeat(self) -> str:
        """The call that gives this report again, but for the models and maps."""
        return self._repeat(self.interventions)

    def _repeat(self, interventions: object) -> str:
        outcome = self.rows[0].outcome
        samples = outcome.simulated.shape[1] // outcome.starts
        options = [f"n={samples}", f"seed={outcome.seed}"]
        if isinstance(outcome, Outcome):
            options += [f"starts={outcome.starts}", f"tolerance={outcome.tolerance:g}"]
        elif outcome.step is not None:
            options.append(f"step={outcome.step}")
        given = f"{interventions}, {', '.join(options)})  # {__version__}"
        if not self.maps:
            return f"commutes(low, high, {given}"
        maps = ", ".join(f"{name}={name}" for name in self.maps)
        return f"Abstraction(low, high, {maps}).commutes({given}"

    @cached_property
    def table(self) -> xr.Dataset:
        """All numbers, with the rows' words.

        Over intervention, variable, sample and start: `simulated`, `predicted`, their
        `absolute_error`, and the `relative_error` in units of the variable's size under that
        intervention (or of its standard deviation, where laws are compared). Over intervention
        and variable: `difference`, the largest relative error, or the distance of the laws. Over
        intervention, sample and start: `simulated_status` and `predicted_status`, in words. Where
        there is more than one value all are in `simulated_set` and `predicted_set`, with the
        dimension `solution`.
        """
        names = tuple(dict.fromkeys(name for row in self.rows for name in row.outcome.names))
        starts = self.rows[0].outcome.starts
        runs = self.rows[0].outcome.simulated.shape[1] // starts, starts
        shape = (len(self.rows), len(names), *runs)
        numbers = {key: np.full(shape, np.nan) for key in SIDES}
        difference, units = np.full(shape[:2], np.nan), np.full(shape[:2], np.nan)
        for i, row in enumerate(self.rows):
            at = [names.index(name) for name in row.outcome.names]
            for key, values in numbers.items():
                values[i, at] = getattr(row.outcome, key).reshape(len(at), *runs)
            difference[i, at] = row.outcome.difference
            units[i, at] = row.outcome.scale
        dims = ("intervention", "variable", "sample", "start")
        words = {
            key: ("intervention", [getattr(row, key) for row in self.rows])
            for key in ("simulation", "prediction", "agree", "why")
        }
        numbers["absolute_error"] = np.abs(numbers["simulated"] - numbers["predicted"])
        numbers["relative_error"] = numbers["absolute_error"] / units[:, :, np.newaxis, np.newaxis]
        fates = zip(*(row.outcome.fates for row in self.rows), strict=True)
        statuses = {
            f"{key}_status": (
                ("intervention", *dims[2:]),
                np.reshape(side, (len(self.rows), *runs)),
            )
            for key, side in zip(SIDES, fates, strict=True)
        }
        sets = {
            f"{key}_set": ((*dims, "solution"), values)
            for k, key in enumerate(SIDES)
            if (values := self._sets(k, names, shape)).shape[-1] > 1
        }
        return xr.Dataset(
            {key: (dims, values) for key, values in numbers.items()}
            | {"difference": (dims[:2], difference)}
            | statuses
            | sets
            | words,
            coords={
                "intervention": [row.intervention for row in self.rows],
                "variable": list(names),
            },
            attrs={
                "title": self.low.name,
                "verdict": self.verdict,
                "ok": int(self.ok),
                "repeat": self.repeat,
            },
        )

    def _sets(self, side: int, names: Sequence[str], shape: tuple[int, ...]) -> Floats:
        """Return all values of a side, NaN where there are fewer."""
        most = max(row.outcome.sets[side].shape[-1] for row in self.rows)
        if most < 2:
            return np.empty((*shape, most))
        values = np.full((*shape, most), np.nan)
        for i, row in enumerate(self.rows):
            at = [names.index(name) for name in row.outcome.names]
            own = row.outcome.sets[side]
            values[i, at, ..., : own.shape[-1]] = own.reshape(len(at), *shape[2:], -1)
        return values

    def __str__(self) -> str:
        """The report as text: the verdict, the evidence, the reasons."""
        cells = [COLUMNS, *(row.cells for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
        lines.insert(1, "  ".join("-" * w for w in widths))
        text = [self.low.name, "", self.verdict, "", *(line.rstrip() for line in lines), ""]
        return "\n".join([*text, *self.remarks]).lstrip("\n")

    __repr__ = __str__

    def plot(self) -> Figure:
        """Return the square as a figure: simulated against predicted, per intervention."""
        from physcm.abstraction.reporting.plot import square

        return square(self)

    def to_html(self, path: str | Path) -> None:
        """Write the report as one self-contained page."""
        from physcm.abstraction.reporting.page import write_page

        write_page(self, Path(path))
