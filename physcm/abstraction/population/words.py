"""What a comparison of two laws means, in words."""

from __future__ import annotations

import numpy as np

from physcm.abstraction.population.outcome import PopulationOutcome


def simulation_text(outcome: PopulationOutcome) -> str:
    """Say what became of the samples below."""
    return outcome.fates[0].in_words


def prediction_text(outcome: PopulationOutcome) -> str:
    """Say what became of the samples above, and how far they lie from those below."""
    if outcome.paired:
        return "equal draw by draw"
    return f"{outcome.fates[1].in_words}, p = {outcome.p_value:.2g}"


def why(outcome: PopulationOutcome) -> str:
    """Say why the laws count as equal or not, with the evidence."""
    if outcome.paired:
        return "Both sides have the same value in every draw."
    if outcome.test is None:
        return (
            "There are too few values to compare: below "
            f"{outcome.fates[0].in_words}, above {outcome.fates[1].in_words}."
        )
    if outcome.agree:
        return _why_alike(outcome)
    if outcome.fates_p_value < outcome.test.p_value:
        below, above = (_share(side) for side in (outcome.simulated, outcome.predicted))
        return (
            f"Below {below:.1%} of the samples have a value and above {above:.1%} (Fisher's exact "
            f"test, p = {outcome.fates_p_value:.2g})."
        )
    return _why_apart(outcome)


def _why_alike(outcome: PopulationOutcome) -> str:
    worst = np.nanmax(outcome.detectable, initial=0.0)
    name = outcome.names[int(np.nanargmax(outcome.detectable))] if worst else outcome.names[0]
    others = ", of another variable by less," if len(outcome.names) > 1 else ""
    return (
        f"No test tells the two laws apart (p = {outcome.p_value:.2g}, corrected); a shift of "
        f"`{name}` by {worst:.2g} of its standard deviations{others} would have been found with a "
        "probability of 95 %."
    )


def _why_apart(outcome: PopulationOutcome) -> str:
    assert outcome.test is not None
    values = outcome.test.p_values
    first = min(values, key=lambda name: values[name])
    worst = int(np.nanargmax(outcome.difference))
    by = "Kolmogorov and Smirnov's test" if first in outcome.names else f"the {first}"
    texts = [
        f"mean {np.nanmean(side[worst]):.4g}, standard deviation {np.nanstd(side[worst]):.4g}"
        for side in (outcome.simulated, outcome.predicted)
    ]
    return (
        f"The laws differ (p = {outcome.p_value:.2g}, corrected), by {by} most clearly; the margin "
        f"of `{outcome.names[worst]}` is farthest apart: {texts[0]} below, {texts[1]} above"
        f"{_correlations(outcome, worst)}."
    )


def _correlations(outcome: PopulationOutcome, worst: int) -> str:
    """Say which correlation differs most, where that is larger than any difference of margins."""
    if len(outcome.names) < 2:
        return ""
    with np.errstate(invalid="ignore", divide="ignore"):
        below, above = (np.atleast_2d(np.corrcoef(side[:, np.isfinite(side).all(axis=0)]))
                        for side in (outcome.simulated, outcome.predicted))  # fmt: skip
    gap = np.nan_to_num(np.abs(below - above))
    i, j = np.unravel_index(int(gap.argmax()), gap.shape)
    if gap[i, j] <= outcome.difference[worst]:
        return ""
    first, second = outcome.names[int(i)], outcome.names[int(j)]
    return (
        f"; more than that, `{first}` and `{second}` are correlated by {below[i, j]:.3g} below and "
        f"{above[i, j]:.3g} above"
    )


def _share(side: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(np.isfinite(side).all(axis=0).mean())
