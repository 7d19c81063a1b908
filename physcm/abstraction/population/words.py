"""What a comparison of two laws means, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physcm.abstraction.population.outcome import PopulationOutcome
from physcm.abstraction.population.samples import share
from physcm.abstraction.population.sets import NOTHING
from physcm.abstraction.population.strata import Stratum


def simulation_text(outcome: PopulationOutcome) -> str:
    """Say what became of the samples below."""
    return outcome.below.in_words


def prediction_text(outcome: PopulationOutcome) -> str:
    """Say what became of the samples above, and how far they lie from those below."""
    if outcome.paired:
        return "equal draw by draw"
    return f"{outcome.above.in_words}, p = {outcome.p_value:.2g}"


def why(outcome: PopulationOutcome) -> str:
    """Say why the laws count as equal or not, with the evidence."""
    return f"{_why(outcome)}{_doubt(outcome)}"


def evidence(outcomes: Sequence[object]) -> str:
    """Say on what it rests that laws count as equal in all rows."""
    rows = [outcome for outcome in outcomes if isinstance(outcome, PopulationOutcome)]
    tested = [outcome for outcome in rows if not outcome.paired]
    if len({outcome.paired for outcome in rows}) == 1 and (len(rows) == 1 or not tested):
        return why(rows[0])
    same = len(rows) - len(tested)
    begin = f"Both sides are the same draw by draw in {_rows(same)}. " if same else ""
    shift = max(outcome.tolerance for outcome in tested)
    return (
        f"{begin}No test tells the laws of {_rows(len(tested))} apart (smallest p = "
        f"{min(outcome.p_value for outcome in tested):.2g}, corrected), and a shift of any "
        f"variable by {shift:.2g} of its standard deviations would have been found with a "
        f"probability of 95 %.{_other_shares(tested)}{_same_draws(tested)}{_doubt(tested[0])}"
    )


def _rows(number: int) -> str:
    return f"{number} row{'s' * (number != 1)}"


def _why(outcome: PopulationOutcome) -> str:
    if outcome.paired and outcome.decided:
        return _why_paired(outcome)
    if not outcome.decided:
        return (
            "There are too few values to compare: below "
            f"{outcome.below.in_words}, above {outcome.above.in_words}."
        )
    if outcome.agree:
        return _why_alike(outcome) if outcome.strata else _why_nothing(outcome)
    if outcome.shares_p_value < outcome.lists_p_value:
        return _why_shares(outcome)
    return _why_apart(outcome)


def _why_paired(outcome: PopulationOutcome) -> str:
    if not outcome.strata:
        return _why_nothing(outcome)
    if outcome.below.counts.max() > 1:
        return f"Both sides have the same set of values in every draw ({outcome.below.in_words})."
    return "Both sides have the same value in every draw."


def _why_nothing(outcome: PopulationOutcome) -> str:
    return (
        f"Neither side has values: below {outcome.below.in_words}, above "
        f"{outcome.above.in_words}.{_other_shares([outcome])}"
    )


def _other_shares(outcomes: Sequence[PopulationOutcome]) -> str:
    """Say which difference of shares would have been found, where shares are tested."""
    found = max(outcome.detectable_share for outcome in outcomes)
    if not 0 < found < np.inf:
        return ""
    return (
        f" A difference of {100 * found:.2g}% in how many samples have one value, none or several "
        "would have been found with a probability of 95 %."
    )


def _why_shares(outcome: PopulationOutcome) -> str:
    """Name the number of values, or the way to have none, that one side has more often."""
    kind = min(outcome.shares, key=lambda kind: outcome.shares[kind])
    below, above = (
        share(int((side.kinds == kind).sum()), side.kinds.size)
        for side in (outcome.below, outcome.above)
    )
    left_open = outcome.below.counts.max() < 2 <= outcome.above.counts.max()
    return (
        f"Below {below} of the samples have {_have(kind)} and above {above} (Fisher's exact test, "
        f"p = {outcome.shares[kind]:.2g})"
        f"{'; which of several values it is the causal model leaves open' * bool(left_open)}."
    )


def _have(kind: str) -> str:
    return kind if kind.split()[0].isdigit() or kind == NOTHING else f"the fate `{kind}`"


def _why_alike(outcome: PopulationOutcome) -> str:
    """Say what was compared, and which difference would have been found."""
    if not any(stratum.test for stratum in outcome.strata):
        return _why_nothing(outcome)
    what, sets = "", outcome.below.counts.max() > 1
    if sets or len(outcome.shares) > 1:
        kinds = outcome.below.counts_in_words
        what = f" The shares of samples with {kinds} are alike, and so are the values of each kind"
        what += ", as lists in ascending order." if sets else "."
    worst = np.nanmax(outcome.detectable, initial=0.0)
    name = outcome.names[int(np.nanargmax(outcome.detectable))] if worst else outcome.names[0]
    others = ", of another variable by less," if len(outcome.names) > 1 else ""
    return (
        f"No test tells the two laws apart (p = {outcome.p_value:.2g}, corrected).{what} A shift "
        f"of `{name}` by {worst:.2g} of its standard deviations{others} would have been found "
        f"with a probability of 95 %.{_other_shares([outcome])}{_same_draws([outcome])}"
    )


def _same_draws(outcomes: Sequence[PopulationOutcome]) -> str:
    """Say of how many samples with the same draws the models differ, where most are the same."""
    found = {o.coupling.differing: o.below.fates.size for o in outcomes if o.coupling}
    worst = max(found, default=0)
    if not worst:
        return ""
    return (
        f" But with the same draws {worst} of {found[worst]} samples differ, and the others are "
        "the same: there the equations are not, be it too rarely to be seen in the laws."
    )


def _why_apart(outcome: PopulationOutcome) -> str:
    """Name the test that tells the lists apart, and the entry that is farthest apart."""
    tested = [(part, part.test) for part in outcome.strata if part.test]
    part, test = min(tested, key=lambda pair: pair[1].p_value)
    first = min(test.p_values, key=lambda name: test.p_values[name])
    worst = int(np.nanargmax(part.shifts))
    by = "Kolmogorov and Smirnov's test" if first in part.names else f"the {first}"
    texts = [
        f"mean {side[worst].mean():.4g}, standard deviation {side[worst].std():.4g}"
        for side in (part.below, part.above)
    ]
    among = "" if part.count == 1 else f" of samples with {part.count} values"
    return (
        f"The laws{among} differ (p = {outcome.p_value:.2g}, corrected), by {by} most clearly; the "
        f"margin of `{part.names[worst]}` is farthest apart: {texts[0]} below, {texts[1]} above"
        f"{_correlations(part, worst)}."
    )


def _correlations(part: Stratum, worst: int) -> str:
    """Say which correlation differs most, where that is larger than any difference of margins."""
    if len(part.names) < 2:
        return ""
    with np.errstate(invalid="ignore", divide="ignore"):
        below, above = (np.atleast_2d(np.corrcoef(side)) for side in (part.below, part.above))
    gap = np.nan_to_num(np.abs(below - above))
    i, j = np.unravel_index(int(gap.argmax()), gap.shape)
    if gap[i, j] <= part.shifts[worst]:
        return ""
    first, second = part.names[int(i)], part.names[int(j)]
    return (
        f"; more than that, `{first}` and `{second}` are correlated by {below[i, j]:.3g} below and "
        f"{above[i, j]:.3g} above"
    )


def _doubt(outcome: PopulationOutcome) -> str:
    """Say which values were not compared, and where there may be more than were found."""
    text = ""
    if outcome.agree and any(outcome.uncompared):
        below, above = outcome.uncompared
        text = (
            f" Of {below} samples below and {above} above the values are not compared, as on the "
            "other side too few have equally many; their shares are."
        )
    sides = {"below": outcome.below, "above": outcome.above}
    searched = [name for name, side in sides.items() if side.searched]
    if searched:
        text += f" Solutions {' and '.join(searched)} were searched for: there may be more."
    return text
