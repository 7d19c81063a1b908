"""The search for the intervention under which two models disagree most.

Random interventions are tried first, and then such as lie near the worst ones, round by round, as
in the cross-entropy method (Rubinstein, 1999). One that makes the models disagree is worse than
one that does not; among the former the difference counts, and among the latter, where differences
are rounding, how slowly disturbances of the equilibrium die out: a system about to lose its
stability is about to leave its causal model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from physcm.abstraction.family import clipped, random_interventions, rounded
from physcm.abstraction.outcome import Outcome
from physcm.abstraction.reporting.report import Report, Row
from physcm.mechanism.interventions import Hold, Interventions, SetParameter, label
from physcm.sim.options import positive_count

if TYPE_CHECKING:
    from physcm.abstraction.abstraction import Abstraction
    from physcm.abstraction.population.samples import Low

_ROUNDS = 3
_KEPT = 6
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
    trial = random_interventions(abstraction.low, -(-count // 2), most=most, seed=seed)
    each = max(1, (count - len(trial)) // _ROUNDS)
    tried: dict[str, tuple[Interventions, Row]] = {}
    report = None
    while len(tried) < count:
        fresh = [do for do in trial if label(do) not in tried][: count - len(tried)]
        if not fresh:
            break
        report = abstraction.commutes(fresh, seed=seed, **options)
        tried |= {
            row.intervention: (do, row) for do, row in zip(fresh, report.rows[1:], strict=True)
        }
        worst = sorted(tried.values(), key=lambda pair: badness(pair[1]), reverse=True)[:_KEPT]
        trial = [_moved(abstraction.low, worst[k % len(worst)][0], rng) for k in range(each)]
    assert report is not None
    rows = sorted((row for _, row in tried.values()), key=badness, reverse=True)
    return Report(report.low, report.high, (report.rows[0], *rows))


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
        case SetParameter(values=values):
            return SetParameter({name: rounded(factor * value) for name, value in values.items()})
    return one
