"""The search for the intervention under which two models disagree most.

Random interventions are tried first, of all kinds that both models can perform, and then such as
lie near the worst ones, round by round, as in the cross-entropy method (Rubinstein, 1999). Where
samples with the same draws differ here and there, variables are held where they differ. One that
makes the models disagree is worse than one that does not; among the former the difference counts,
and among the latter, where differences are rounding, how slowly disturbances of the equilibrium die
out: a system about to lose its stability is about to leave its causal model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from physcm.abstraction.family import clipped, families_of, key, rounded
from physcm.abstraction.outcome import Outcome
from physcm.abstraction.population.outcome import PopulationOutcome, corrected
from physcm.abstraction.population.samples import population
from physcm.abstraction.random_family import KINDS, random_interventions
from physcm.abstraction.reporting.report import Report, Row
from physcm.abstraction.square import walk
from physcm.mechanism.errors import InvalidValue, PhyscmError
from physcm.mechanism.interventions import (
    Hold,
    Interventions,
    ScaleNoise,
    SetParameter,
    Shift,
    label,
)
from physcm.sim.options import positive_count

if TYPE_CHECKING:
    from physcm.abstraction.abstraction import Abstraction
    from physcm.abstraction.population.samples import Low

_ROUNDS = 3
_KEPT = 6
_PROBES = 50
_WIDTH = 0.5
_NONE = (0, 0.0)


def search(
    abstraction: Abstraction, count: int, *, most: int = 2, seed: int = 0, **options: Any
) -> Report:
    """Return a report on the worst interventions found, the worst one first after doing nothing.

    Args:
        abstraction: what to find fault with.
        count: how many interventions to try.
        most: the largest number of them at once.
        seed: of the interventions and of all draws.
        options: as `Abstraction.commutes` takes them.
    """
    count, most = positive_count(count, "count"), positive_count(most, "most")
    rng = np.random.default_rng((seed, count))
    first = -(-count // 2)
    trial = _performable(abstraction, first, most=most, seed=seed)
    each = max(1, (count - first) // _ROUNDS)
    tried: dict[str, tuple[Interventions, Row]] = {}
    report = None
    while len(tried) < count:
        new = {key(do): do for do in trial}
        fresh = {k: do for k, do in new.items() if k not in tried}
        fresh = dict(islice(fresh.items(), count - len(tried)))
        if not fresh:
            break
        families = families_of(fresh.values())
        report = walk(abstraction, families, seed=seed, tests=count + 1, **options)
        rows = zip(fresh.items(), report.rows[1:], strict=True)
        tried |= {k: (do, row) for (k, do), row in rows}
        worst = sorted(tried.values(), key=lambda pair: badness(pair[1]), reverse=True)[:_KEPT]
        leads = [pair for pair in worst if badness(pair[1]) != _NONE]
        if leads:
            trial = [_moved(abstraction.low, leads[k % len(leads)][0], rng) for k in range(each)]
        else:
            trial = _performable(abstraction, each, most=most, seed=seed + len(tried))
        for do, row in (worst[0], ((), report.rows[0])):
            trial = [*_witnessed(abstraction, do, row), *trial]
    assert report is not None
    nothing, *others = _judged_together([report.rows[0], *(row for _, row in tried.values())])
    return replace(report, rows=(nothing, *sorted(others, key=badness, reverse=True)))


def _judged_together(rows: Sequence[Row]) -> list[Row]:
    """Return rows of several rounds with p-values for all of them."""
    outcomes = [row.outcome for row in rows if isinstance(row.outcome, PopulationOutcome)]
    if not outcomes:
        return [*rows]
    return [Row.of(row.do, one) for row, one in zip(rows, corrected(outcomes), strict=True)]


def _performable(
    abstraction: Abstraction, count: int, *, most: int, seed: int
) -> list[Interventions]:
    """Return random interventions that both models can perform.

    Raises:
        InvalidValue: if there are none among many.
    """
    low = abstraction.low
    probes = random_interventions(low, _PROBES, most=1, seed=seed, kinds=KINDS)
    done = [one for do in probes if _is_done_by_both(abstraction, do) for one in do]
    kinds = [kind for kind in KINDS if any(isinstance(one, kind) for one in done)] or KINDS
    drawn = random_interventions(low, count, most=most, seed=seed, kinds=kinds)
    found = [do for do in drawn if _is_done_by_both(abstraction, do)]
    if not found:
        raise InvalidValue(
            f"of {count} random interventions such as {label(drawn[0])} none can be performed by "
            "both models; give an Abstraction whose `omega` says what they are above"
        )
    return found


def _witnessed(abstraction: Abstraction, do: Interventions, row: Row) -> list[Interventions]:
    """Return holds of each variable where it is in the sample that, of the same draws, differs.

    There the models have other equations, which may be too rare to be met by chance.
    """
    outcome = row.outcome
    if not row.agree or not isinstance(outcome, PopulationOutcome):
        return []
    if outcome.coupling is None or not outcome.coupling.differing:
        return []
    low, size = abstraction.low, outcome.below.fates.size
    values = population(low.do(*do), size, outcome.seed, outcome.step).alone
    at = {name: float(values[name][outcome.coupling.witness]) for name in low.variables}
    holds = [(Hold(name, clipped(low, name, x)),) for name, x in at.items() if math.isfinite(x)]
    return [one for one in holds if _is_done_by_both(abstraction, one)]


def _is_done_by_both(abstraction: Abstraction, do: Interventions) -> bool:
    try:
        abstraction.low.do(*do)
        abstraction.causal_model.do(*abstraction.defined_image(do))
    except PhyscmError:
        return False
    return True


def badness(row: Row) -> tuple[int, float]:
    """Return what an intervention is sorted by: disagreement, then difference or slowness."""
    outcome = row.outcome
    difference = row.difference if math.isfinite(row.difference) else math.inf
    if isinstance(outcome, PopulationOutcome) and outcome.coupling:
        difference = 0.0 if outcome.paired else outcome.coupling.distance
    if not row.agree or not isinstance(outcome, Outcome):
        return int(not row.agree), difference
    rates = outcome.rates[outcome.kinds == "stable"]
    return 0, -float(rates.min()) if rates.size else -math.inf


def _moved(low: Low, do: Interventions, rng: np.random.Generator) -> Interventions:
    """Return interventions on the same targets with values moved by a random factor."""
    return tuple(_one_moved(low, one, float(np.exp(_WIDTH * rng.normal()))) for one in do)


def _one_moved(low: Low, one: Any, factor: float) -> Any:
    match one:
        case Hold(name, value):
            return Hold(name, clipped(low, name, factor * value))
        case Shift(name, amount):
            return Shift(name, rounded(factor * amount))
        case ScaleNoise(name, scale):
            return ScaleNoise(name, rounded(factor * scale))
        case SetParameter(values=values):
            return SetParameter({name: rounded(factor * value) for name, value in values.items()})
    return one
