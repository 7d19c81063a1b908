"""Is tau exact? For every intervention i of a family, tau of the law below = the law at omega(i).

Rubenstein et al., UAI 2017, definition 3. Linear models with normal noise and linear tau are
decided in rational numbers: a normal law is its mean and covariance. All else is sampled.

Agreement on observations alone is no evidence for a causal model, so that a family has to hold
an intervention, and each variable below is perturbed with tau's image of the perturbation fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from physcm.abstraction.family import families_of
from physcm.abstraction.transformation.collision import Collision, collisions
from physcm.abstraction.transformation.laws import SAMPLES, Law, difference, gap, sides
from physcm.abstraction.transformation.linear import GaussianLaw
from physcm.abstraction.transformation.omega import Image, Undefined
from physcm.abstraction.transformation.order import OmegaCheck, check_order, named
from physcm.abstraction.transformation.perturbation import DRAWS, Perturbations, perturb
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.interventions import Family, Interventions, each_of, label

if TYPE_CHECKING:
    from physcm.abstraction.abstraction import Abstraction


@dataclass(frozen=True)
class Agreement:
    """What one intervention comes to on both sides.

    Attributes:
        do: the intervention below.
        image: what it is above.
        holds: whether both laws are equal.
        why: how that was decided, or what differs.
    """

    do: Interventions
    image: Image
    holds: bool
    why: str

    def __str__(self) -> str:
        answer = "yes" if self.holds else "NO"
        return f"{label(self.do)} -> {named(self.image)}: {answer}, {self.why}"


@dataclass(frozen=True)
class Exactness:
    """Whether tau is exact for a family of interventions. True if it is.

    Attributes:
        rows: one per intervention, doing nothing first.
        sampled: why the answer rests on samples; empty where it rests on algebra.
        order: whether omega preserves the order of these interventions, and what it reaches.
        collisions: pairs of interventions that no omega can do justice.
        perturbations: what was perturbed with tau's image fixed, None if that was not asked for.
    """

    rows: tuple[Agreement, ...]
    sampled: str
    order: OmegaCheck
    collisions: tuple[Collision, ...]
    perturbations: Perturbations | None

    @property
    def failed(self) -> tuple[Agreement, ...]:
        """The rows that do not hold."""
        return tuple(row for row in self.rows if not row.holds)

    def __bool__(self) -> bool:
        blind = self.perturbations is not None and bool(self.perturbations.relevant)
        in_order = self.order.preserves_order and self.order.is_surjective
        return not self.failed and in_order and not blind

    @property
    def verdict(self) -> str:
        """The result in a sentence or two."""
        ground = "by samples" if self.sampled else "by algebra"
        done = f"{len(self.rows) - 1} intervention{'s' * (len(self.rows) > 2)} and doing nothing"
        if self.failed:
            return f"Not exact: of {done}, {len(self.failed)} disagree, {ground}."
        known = f"Exact under {done}, {ground}."
        if not (self.order.preserves_order and self.order.is_surjective):
            return f"Not exact: {ground}, all agree, but {self.order}."
        if self.perturbations is None:
            return known
        if self.perturbations.relevant:
            first_blind = self.perturbations.relevant[0]
            return f"Not exact beyond the interventions given. {known} But {first_blind}."
        return f"{known} {self.perturbations}"

    def __str__(self) -> str:
        lines = [self.verdict, "", *map(str, self.rows)]
        if self.collisions:
            lines += ["", "No omega makes tau exact:", *(f"  {pair}" for pair in self.collisions)]
        if self.perturbations is not None and self.perturbations.relevant:
            lines += ["", str(self.perturbations)]
        if self.sampled:
            lines += ["", f"Compared by samples, since {self.sampled}."]
        return "\n".join(lines)


def exactness(
    abstraction: Abstraction, interventions: Family,
    *, n: int | None = None, seed: int = 0, step: float | None = None, perturbed: bool = True,
    above: Family = (),
) -> Exactness:  # fmt: skip
    """Decide exactness; see `Abstraction.is_exact`."""
    family = families_of(interventions)
    if len(family) < 2:
        raise InvalidValue(
            "the family of interventions is `[]`; give some, since agreement on observations "
            "alone says nothing about what interventions do"
        )
    images = [abstraction.image(do) for do in family]
    both = sides(abstraction, family, images, n=n or SAMPLES, seed=seed, step=step)
    if both.sampled:
        rows = _by_samples(abstraction, family, images, n, seed, step)
    else:
        laws = zip(family, images, both.below, both.above, strict=True)
        rows = [_by_algebra(*row) for row in laws]
    blind = perturb(abstraction, n=n or DRAWS, seed=seed, step=step) if perturbed else None
    order = check_order(abstraction.image, family, each_of(above))
    pairs = collisions(family, images, both.below)
    return Exactness(tuple(rows), both.sampled, order, pairs, blind)


def _by_algebra(do: Interventions, image: Image, below: Law, above: Law | None) -> Agreement:
    if above is None:
        return Agreement(do, image, False, _NOTHING)
    found = difference(below, above)
    if found is not None:
        return Agreement(do, image, False, f"the {found} above")
    assert isinstance(below, GaussianLaw)
    assert isinstance(above, GaussianLaw)
    if below == above:
        return Agreement(do, image, True, "mean and covariance are equal, exactly")
    size = gap(below, above)
    return Agreement(do, image, True, f"mean and covariance are equal up to rounding ({size:.1e})")


def _by_samples(
    abstraction: Abstraction, family: Sequence[Interventions], images: Sequence[Image],
    n: int | None, seed: int, step: float | None,
) -> list[Agreement]:  # fmt: skip
    defined = [do for do, to in zip(family, images, strict=True) if not isinstance(to, Undefined)]
    found = iter(abstraction.commutes(defined, n=n, seed=seed, step=step).rows)
    rows = []
    for do, image in zip(family, images, strict=True):
        if isinstance(image, Undefined):
            rows.append(Agreement(do, image, False, _NOTHING))
        else:
            row = next(found)
            rows.append(Agreement(do, image, row.agree, row.why))
    return rows


_NOTHING = "there is nothing above to compare with"
