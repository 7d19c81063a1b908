"""What an outcome means, in words: what simulation did, what the model said, and why."""

from __future__ import annotations

from collections import Counter

import numpy as np

from physcm.abstraction.outcome import CONTINUUM, UNKNOWN, Outcome
from physcm.abstraction.population.samples import share as percent
from physcm.sim.status import LimitStatus

_DID = {
    LimitStatus.SETTLED: "settled",
    LimitStatus.PERIODIC: "periodic",
    LimitStatus.DIVERGED: "diverged",
    LimitStatus.STILL_MOVING: "still moving",
    LimitStatus.BROKEN_OFF: "broken off",
}

_TOLD = 3
"""So many different answers or reasons are told one by one."""


def simulation_text(outcome: Outcome) -> str:
    """Say what simulation did over all samples and initial states."""
    shares = dict(Counter(LimitStatus(s) for s in outcome.statuses).most_common())
    if len(shares) > 1:
        total = len(outcome.limits)
        return ", ".join(f"{_DID[status]} {percent(k, total)}" for status, k in shares.items())
    (status,) = shares
    if status is LimitStatus.PERIODIC:
        ends = sorted({f"{limit.period:.4g}" for limit in outcome.limits}, key=float)
        return f"periodic, T = {ends[0]}{f' to {ends[-1]}' if len(ends) > 1 else ''}"
    if status is LimitStatus.SETTLED and not outcome.agrees.all():
        return _limits_text(outcome)
    return _DID[status]


def _limits_text(outcome: Outcome) -> str:
    """Say whether it depends on the initial state where runs settle."""
    samples = len(outcome.limits) // outcome.starts
    shares = [limit_shares(outcome, sample) for sample in range(samples)]
    several = sum(len(own) > 1 for own in shares)
    if not several:
        return "settled"
    if samples == 1:
        return f"{len(shares[0])} limits ({', '.join(f'{g:.0%}' for g in shares[0])})"
    return f"settled, several limits in {percent(several, samples)} of the samples"


def prediction_text(outcome: Outcome) -> str:
    """Say how many solutions the causal model has, and how many of them attract."""
    texts = Counter(_answer(outcome, column) for column in range(len(outcome.answers)))
    if len(texts) == 1:
        return next(iter(texts))
    total, told = texts.total(), texts.most_common(_TOLD if len(texts) > _TOLD + 1 else None)
    parts = [f"{text} in {percent(count, total)}" for text, count in told]
    if len(told) < len(texts):
        others = total - sum(count for _, count in told)
        parts.append(f"{len(texts) - len(told)} other answers in {percent(others, total)}")
    return "; ".join(parts)


def _answer(outcome: Outcome, column: int) -> str:
    answer = outcome.answers[column]
    if answer in _ANSWERS:
        return _ANSWERS[answer]
    kinds = Counter(str(kind) for kind in outcome.kinds[column] if kind)
    if kinds in ({"stable": 1}, {UNKNOWN: 1}):
        return "one solution"
    if kinds[UNKNOWN]:
        return f"{kinds[UNKNOWN]} solutions"
    if kinds.total() == 1:
        return f"one solution, {next(iter(kinds))}"
    marginal = f", {kinds['marginal']} marginal" if kinds["marginal"] else ""
    return f"{kinds.total()} solutions, {kinds['stable']} stable{marginal}"


_ANSWERS = {
    "none": "no solution",
    CONTINUUM: "infinitely many",
    "not_found": "none found",
}


def limit_shares(outcome: Outcome, sample: int = 0) -> list[float]:
    """Return the shares of the distinct limits within a sample's initial states."""
    columns = slice(sample * outcome.starts, (sample + 1) * outcome.starts)
    first = outcome.simulated[:, columns] / outcome.scale[:, np.newaxis]
    groups: list[list[int]] = []
    for column in range(first.shape[1]):
        for group in groups:
            if (np.abs(first[:, column] - first[:, group[0]]) <= 10 * outcome.tolerance).all():
                group.append(column)
                break
        else:
            groups.append([column])
    return sorted((len(group) / first.shape[1] for group in groups), reverse=True)


def why(outcome: Outcome) -> str:
    """Say why simulation and model agree or not, as a physicist would."""
    if outcome.agrees.all():
        return _why_agree(outcome)
    kinds: dict[tuple[str, int, int], list[int]] = {}
    for column in np.flatnonzero(~outcome.agrees).tolist():
        attracting = int(outcome.attracting[column].sum())
        kind = outcome.answers[column], attracting, int(outcome.statuses[column])
        kinds.setdefault(kind, []).append(column)
    runs = len(outcome.limits)
    if max(map(len, kinds.values())) == runs:
        return reason_for(outcome, 0)
    groups = sorted(kinds.values(), key=len, reverse=True)
    told = groups[: _TOLD if len(groups) > _TOLD + 1 else None]
    reasons = [
        f"In {percent(len(columns), runs)} of the runs: {reason_for(outcome, columns[0])}"
        for columns in told
    ]
    if len(told) < len(groups):
        others = sum(map(len, groups[_TOLD:]))
        reasons.append(f"In {percent(others, runs)} of the runs, {len(groups) - _TOLD} more kinds.")
    return " ".join(reasons)


def reason_for(outcome: Outcome, column: int) -> str:
    """Say of one run why it agrees with the model or not."""
    if not outcome.agrees[column]:
        return _why_differ(outcome, column)
    return "It settles as predicted." if outcome.settled[column] else _why_neither(outcome, column)


def _why_agree(outcome: Outcome) -> str:
    if outcome.settled.all():
        if outcome.starts > 1 and len(limit_shares(outcome)) > 1:
            return "Each run settles at the state that its conserved totals and inputs select."
        return "Every run settles at the predicted state."
    if outcome.settled.any():
        return "Runs settle where a stable solution exists and nowhere else."
    return _why_neither(outcome, 0)


def _why_neither(outcome: Outcome, column: int) -> str:
    did = _motion(outcome, column)
    found = int((outcome.kinds[column] != "").sum())
    if outcome.answers[column] == "not_found":
        return (
            f"The simulation {did}, and iteration finds no solution of the equations (which is "
            "no proof that there is none): no equilibrium."
        )
    if not found:
        return f"The equations have no solution, and the simulation {did}: no equilibrium."
    names = {1: "The only solution is", 2: "Both solutions are"}
    which = names.get(found, f"All {found} solutions are")
    return f"{which} unstable, and the simulation {did}: no stable equilibrium."


def _motion(outcome: Outcome, column: int) -> str:
    limit = outcome.limits[column]
    return {
        LimitStatus.SETTLED: "settles",
        LimitStatus.PERIODIC: f"repeats with period {limit.period:.4g} and never rests",
        LimitStatus.DIVERGED: "grows without bound",
        LimitStatus.STILL_MOVING: f"is still moving at t = {limit.time:.3g}",
        LimitStatus.BROKEN_OFF: f"breaks off after t = {limit.time:.3g}",
    }[limit.status]


def _why_differ(outcome: Outcome, column: int) -> str:
    attracting = int(outcome.attracting[column].sum())
    answer = outcome.answers[column]
    if answer == CONTINUUM:
        return _why_continuum(outcome)
    if not outcome.settled[column]:
        return _why_restless(outcome, column, attracting)
    if answer == "not_found":
        return "The simulation settles, but iteration found no solution of the equations."
    if attracting > 1:
        return (
            f"{attracting} stable equilibria coexist; the initial state selects one, "
            "which equations without time cannot do."
        )
    if attracting == 0:
        return _why_unexpected_rest(outcome, column)
    return _why_elsewhere(outcome, column)


def _why_continuum(outcome: Outcome) -> str:
    left = (
        "The equilibrium equations leave a continuum of states: where the system rests depends on "
        "where it starts, which equations without time do not tell"
    )
    if not outcome.selecting:
        return f"{left}."
    laws = " and ".join(outcome.selecting)
    keep = "keeps its" if len(outcome.selecting) == 1 else "keep their"
    return f"{left}. On the way {laws} {keep} initial value."


def _why_restless(outcome: Outcome, column: int, attracting: int) -> str:
    did = _motion(outcome, column)
    kinds = set(outcome.kinds[column])
    if outcome.limits[column].status is LimitStatus.BROKEN_OFF:
        return (
            f"The simulation {did}: from this initial state it comes to where the mechanisms "
            "have no finite value, or the solver no step that it can take."
        )
    if outcome.answers[column] == "not_found":
        return f"The simulation {did}, and iteration found no solution: nothing is decided."
    if outcome.limits[column].status is LimitStatus.STILL_MOVING:
        return _why_not_yet(outcome, column)
    if "stable" in kinds:
        return (
            f"A stable equilibrium exists, but from this initial state the simulation {did}: "
            "it lies outside of the basin of attraction."
        )
    if attracting > 1:
        return f"The simulation {did}; {attracting} marginal equilibria attract nothing."
    return (
        f"The predicted equilibrium is marginal (no eigenvalue pulls towards it), and the "
        f"simulation {did}: the system does not come to rest."
    )


def _why_not_yet(outcome: Outcome, column: int) -> str:
    """Say what is known of a run that had to be given up while it moved."""
    time = f"by t = {outcome.limits[column].time:.3g}, when the run was given up"
    slowest = np.min(outcome.rates[column], where=outcome.kinds[column] == "stable", initial=np.inf)
    if not np.isfinite(slowest):
        return (
            f"The simulation had not come to rest {time}; no eigenvalue of the predicted "
            "equilibrium says whether and when it would."
        )
    return (
        f"A stable equilibrium exists, but the simulation had not come to rest {time}. Near the "
        f"equilibrium disturbances die out as exp(-{slowest:.3g} t), by a factor of a million in "
        f"t = {np.log(1e6) / slowest:.3g}; whether this run leads there is not decided."
    )


def _why_elsewhere(outcome: Outcome, column: int) -> str:
    kind = outcome.kinds[column, outcome.attracting[column].argmax()]
    if "marginal" in outcome.kinds[column, outcome.matches[column]]:
        return (
            f"The simulation comes to rest at a marginal solution, beside the one {kind} solution: "
            "it attracts some initial states, which equations without time cannot tell."
        )
    which = "the one solution" if kind == UNKNOWN else f"the one {kind} solution"
    if len(limit_shares(outcome, column // outcome.starts)) > 1:
        reason = "the limit depends on the initial state"
    else:
        reason = "the limit is the same from all initial states tried, and the causal model errs"
    return (
        f"The simulation settles elsewhere than {which}: they differ most in "
        f"{_worst(outcome, column)}; {reason}."
    )


def _why_unexpected_rest(outcome: Outcome, column: int) -> str:
    if outcome.matches[column].any():
        return (
            "The run starts exactly at an unstable equilibrium and stays there; "
            "the slightest disturbance would take it away."
        )
    return "The simulation settles at a state that is not among the solutions that were found."


def _worst(outcome: Outcome, column: int) -> str:
    which = int(outcome.attracting[column].argmax())
    row = int(np.nanargmax(outcome.distances[:, column, which]))
    simulated = outcome.simulated[row, column]
    predicted = outcome.solutions[row, column, which]
    return f"`{outcome.names[row]}`, simulated {simulated:.6g} and predicted {predicted:.6g}"
