"""Are the effects and the perfect adaptations that the causal ordering predicts the ones seen?

Question: of every model of the zoo, and of BioModels where the files are present, that has a
causal ordering: which inputs and equations, changed by one percent, move which variables at rest,
and which move them on the way alone? `input_effects` answers by simulation. Of each adaptation to
an input `benchmarks.second_opinion.adapts` then says whether it is so.

Models that oscillate as they are get other numbers, under which they rest: an adaptation is a
matter of the equations, not of the numbers in them. `python -m benchmarks.verdicts` puts the tables
into docs/verdicts.md.

Run: python -m benchmarks.effects [--kind zoo | biomodels] [NAME ...]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from benchmarks import second_opinion as second
from benchmarks.second_opinion import Flow, Opinion
from benchmarks.tables import markdown, models
from physcm.abstraction import InputEffects, input_effects
from physcm.mechanism import NoEquilibrium, NotSolvable, Unsupported
from physcm.sim import System, steady_states

AT_REST = {
    "lorenz": {"r": 10.0},
    "5": {"Reaction1_k6": 0.1},
    "12": {"ps_0": 0.05},
    "35": {"Reaction4_deltaR": 0.05},
}
"""Numbers at which models that oscillate come to rest."""

STEP = 0.01
EFFECTS_HEAD = (
    "model", "pairs", "effects", "not seen", "absences", "false", "adaptations", "too small to see",
)  # fmt: skip
ADAPTED_HEAD = ("model", "input", "variables that adapt", "second opinion")


@dataclass(frozen=True)
class Effects:
    """What was predicted of a model, and what was seen.

    Attributes:
        model: its name, with the numbers that differ from its own.
        found: by `input_effects`.
        groups: inputs, the variables that adapt to each of them, and a second opinion.
    """

    model: str
    found: InputEffects
    groups: list[tuple[list[str], tuple[str, ...], Opinion]]

    @property
    def unconfirmed(self) -> int:
        """How many groups of adaptations the second opinion does not confirm."""
        return sum(not opinion.holds for _, _, opinion in self.groups)

    @property
    def row(self) -> tuple[str, ...]:
        """The counts, as cells."""
        known = np.isfinite(self.found.table.change)
        effects = int((known & self.found.table.effect).sum())
        predicted = [p for p in self.found.ordering.adapted if p[0] in self.found.table.cause]
        counts = (
            self.found.tested, effects, len(self.found.misses), self.found.tested - effects,
            len(self.found.false_claims), len(predicted),
            len({*predicted} - {*self.found.adapted}),
        )  # fmt: skip
        return (self.model, *(f"{count:,}" for count in counts))

    @property
    def adapted_rows(self) -> list[tuple[str, ...]]:
        """Who adapts to what, as cells: a row per set of variables, the model in the first."""
        states = {*self.found.ordering.reduced.source.state_of.values()}
        rows: list[tuple[str, ...]] = []
        for inputs, names, opinion in self.groups:
            listed = [name for name in names if name in states]
            rest = len(names) - len(listed)
            more = [f"{rest} derived variables" if rest > 1 else names[-1]] if rest else []
            text = opinion.text if opinion.holds else f"**NOT CONFIRMED**: {opinion.text}"
            if opinion.holds and len(inputs) > 1:
                text += f" (the first of {len(inputs)}; all are confirmed)"
            lead = "" if rows else self.model
            rows.append((lead, ", ".join(inputs), ", ".join([*listed, *more]), text))
        return rows


def effects(name: str, system: System) -> Effects | None:
    """Return what is predicted and seen of a model, or None where it has no ordering or no rest."""
    numbers = AT_REST.get(name, {})
    shown = ", ".join(f"{key} = {value:g}" for key, value in numbers.items())
    changed = system.replace(parameters={**system.parameters, **numbers})
    try:
        found = input_effects(changed, step=STEP)
    except (NoEquilibrium, NotSolvable, Unsupported):
        return None
    rest = np.array([steady_states(changed)[state].item() for state in changed.states])
    adapted: dict[str, list[str]] = {}
    for cause, variable in found.ordering.adapted:
        if cause in found.ordering.inputs:
            adapted.setdefault(cause, []).append(variable)
    together: dict[tuple[str, ...], list[str]] = {}
    for cause, names in adapted.items():
        together.setdefault(tuple(names), []).append(cause)
    before = Flow.of(changed)
    groups = [
        (causes, names, weakest([
            second.adapts(before, Flow.of(with_step(changed, cause)), rest, names)
            for cause in causes
        ]))
        for names, causes in together.items()
    ]  # fmt: skip
    return Effects(f"{name} ({shown})" if shown else name, found, groups)


def weakest(opinions: Sequence[Opinion]) -> Opinion:
    """Return the first opinion, or the first that does not hold."""
    return next((opinion for opinion in opinions if not opinion.holds), opinions[0])


def with_step(system: System, cause: str) -> System:
    """Return a system with one input changed by the step."""
    given = system.parameters if cause in system.parameters else system.initial
    name = cause if cause in system.parameters else cause.removesuffix("(0)")
    value = given[name]
    assert not isinstance(value, sp.Basic)
    changed = {**given, name: value * (1 + STEP) if value else STEP}
    return (
        system.replace(parameters=changed)
        if given is system.parameters
        else system.replace(initial=changed)
    )


def main(arguments: Sequence[str] | None = None) -> None:
    reader = argparse.ArgumentParser()
    reader.add_argument("names", nargs="*")
    reader.add_argument("--kind", choices=("zoo", "biomodels"), action="append")
    options = reader.parse_args(arguments)
    print(markdown(EFFECTS_HEAD))
    for _, name, system in models(options.kind or ("zoo", "biomodels"), options.names):
        found = effects(name, system)
        if found:
            print(markdown(found.row), *map(markdown, found.adapted_rows), sep="\n", flush=True)


if __name__ == "__main__":
    main()
