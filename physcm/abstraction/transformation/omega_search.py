"""omega searched: which interventions above can stand for those below?

For each intervention below all above are tried whose law is that which tau gives. omega chooses
among them so that the order is preserved; one that reaches every intervention above is preferred.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from physcm.abstraction.family import families_of
from physcm.abstraction.transformation.laws import LEVEL, SAMPLES, Law, difference, sides
from physcm.abstraction.transformation.omega import listed_omega, part_of
from physcm.abstraction.transformation.order import OmegaCheck, check_order
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.interventions import Family, Interventions, label

if TYPE_CHECKING:
    from physcm.abstraction.abstraction import Abstraction

_MOST_TRIED = 10_000


@dataclass(frozen=True)
class OmegaSearch:
    """What was found. True if an omega makes tau exact and preserves the order.

    Attributes:
        below: the interventions below, doing nothing first.
        above: those that were tried above, doing nothing first.
        candidates: per intervention below, those above whose law is the one that tau gives.
        chosen: one of them each, in order; None if that is not possible.
        sampled: why laws were compared by samples; empty where they are exact.
        unmatched: what keeps an intervention without candidates from being any of those above.
    """

    below: tuple[Interventions, ...]
    above: tuple[Interventions, ...]
    candidates: tuple[tuple[Interventions, ...], ...]
    chosen: tuple[Interventions, ...] | None
    sampled: str
    unmatched: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.chosen is not None

    @property
    def omega(self) -> list[tuple[Interventions, Interventions]]:
        """Pairs of interventions, as `Abstraction` takes them.

        Raises:
            InvalidValue: if no omega was found.
        """
        if self.chosen is None:
            raise InvalidValue(f"{self}; try other interventions above, or another tau")
        return list(zip(self.below, self.chosen, strict=True))

    @property
    def check(self) -> OmegaCheck:
        """Whether the omega found reaches all interventions above."""
        table = self.omega
        return check_order(listed_omega(table), self.below, self.above)

    def __str__(self) -> str:
        ground = f"by samples, since {self.sampled}" if self.sampled else "by algebra"
        if self.chosen is not None:
            pairs = "; ".join(f"{label(one)} -> {label(to)}" for one, to in self.omega)
            return f"an omega makes tau exact, {ground}: {pairs}"
        if self.unmatched:
            return f"no omega makes tau exact, {ground}: {'; '.join(self.unmatched)}"
        return f"no choice of omega preserves the order of interventions, {ground}"


def search_omega(
    abstraction: Abstraction, below: Family, above: Family,
    *, n: int = SAMPLES, seed: int = 0, step: float | None = None,
) -> OmegaSearch:  # fmt: skip
    """Search omega among finitely many interventions above; see `Abstraction.find_omega`."""
    low, high = families_of(below), families_of(above)
    both = sides(abstraction, low, high, n=n, seed=seed, step=step)
    level = LEVEL / (len(low) * len(high))
    laws = [(to, law) for to, law in zip(high, both.above, strict=True) if law is not None]
    found = [
        tuple(to for to, other in laws if difference(law, other, level) is None)
        for law in both.below
    ]
    unmatched = tuple(
        _why_none(do, law, laws)
        for do, law, matches in zip(low, both.below, found, strict=True)
        if not matches
    )
    chosen = None if unmatched else _best(low, high, found)
    return OmegaSearch(tuple(low), tuple(high), tuple(found), chosen, both.sampled, unmatched)


def _why_none(do: Interventions, law: Law, laws: Sequence[tuple[Interventions, Law]]) -> str:
    gaps = [(to, difference(law, other)) for to, other in laws]
    to, gap = min(gaps, key=lambda item: item[1].size if item[1] else 0.0)
    return f"{label(do)} is none of the {len(laws)} above, least unlike {label(to)} (the {gap})"


def _best(
    below: Sequence[Interventions], above: Sequence[Interventions],
    candidates: Sequence[Sequence[Interventions]],
) -> tuple[Interventions, ...] | None:  # fmt: skip
    first = None
    for chosen in islice(_ordered(below, candidates, ()), _MOST_TRIED):
        first = first or chosen
        if all(any(to is one for one in chosen) for to in above):
            return chosen
    return first


def _ordered(
    below: Sequence[Interventions], candidates: Sequence[Sequence[Interventions]],
    chosen: tuple[Interventions, ...],
) -> Iterator[tuple[Interventions, ...]]:  # fmt: skip
    """Yield all ways to choose that preserve the order, by backtracking."""
    if len(chosen) == len(below):
        yield chosen
        return
    new = below[len(chosen)]
    for to in candidates[len(chosen)]:
        pairs = zip(below, chosen, strict=False)
        if all(_alike(old, new, image, to) for old, image in pairs):
            yield from _ordered(below, candidates, (*chosen, to))


def _alike(old: Interventions, new: Interventions, image: Interventions, to: Interventions) -> bool:
    upwards = not part_of(old, new) or part_of(image, to)
    return upwards and (not part_of(new, old) or part_of(to, image))
