"""The search for the intervention under which two models disagree most.

Random interventions are tried first, of all kinds that both models can perform, and then such as
lie near the worst ones, round by round, as in the cross-entropy method (Rubinstein, 1999). One that
makes the models disagree is worse than one that does not; among the former the difference counts,
and among the latter, where differences are rounding, how slowly disturbances of the equilibrium die
out: a system about to lose its stability is about to leave its causal model.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from physcm.abstraction.family import clipped, key, rounded
from physcm.abstraction.outcome import Outcome
from physcm.abstraction.random_family import KINDS, random_interventions
from physcm.abstraction.reporting.report import Report, Row
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
        report = abstraction.commutes(fresh.values(), seed=seed, **options)
        rows = zip(fresh.items(), report.rows[1:], strict=True)
        tried |= {k: (do, row) for (k, do), row in rows}
        worst = sorted(tried.values(), key=lambda pair: badness(pair[1]), reverse=True)[:_KEPT]
        trial = [_moved(abstraction.low, worst[k % len(worst)][0], rng) for k in range(each)]
    assert report is not None
    ordered = sorted((row for _, row in tried.values()), key=badness, reverse=True)
    return replace(report, rows=(report.rows[0], *ordered))


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
