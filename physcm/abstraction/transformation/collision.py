"""Two interventions below that are one above, and yet do not do the same: no omega helps them.

Total cholesterol is LDL + HDL, and the risk b1 LDL - b2 HDL: those who set LDL to 1 and HDL to 2
set the total to 3, as do those who set LDL to 2 and HDL to 1, and the risk is another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from physcm.abstraction.transformation.laws import LEVEL, Difference, Law, difference
from physcm.abstraction.transformation.omega import Image, same
from physcm.abstraction.transformation.order import named
from physcm.mechanism.interventions import Interventions, label


@dataclass(frozen=True)
class Collision:
    """A pair of interventions that nothing above can tell apart.

    Attributes:
        first: the one intervention below.
        second: the other.
        image: what both are above.
        difference: what they do differently.
    """

    first: Interventions
    second: Interventions
    image: Image
    difference: Difference

    def __str__(self) -> str:
        return (
            f"{label(self.first)} and {label(self.second)} are both {named(self.image)} above, but "
            f"the {self.difference}"
        )


def collisions(
    below: Sequence[Interventions], images: Sequence[Image], laws: Sequence[Law]
) -> tuple[Collision, ...]:
    """Return the pairs with one image and two laws.

    Args:
        below: interventions.
        images: what they are above.
        laws: of the variables above, under each.
    """
    rows = list(zip(below, images, laws, strict=True))
    pairs = [(a, b) for a, b in combinations(rows, 2) if same(a[1], b[1])]
    level = LEVEL / max(1, len(pairs))
    found = ((a, b, difference(a[2], b[2], level)) for a, b in pairs)
    return tuple(Collision(a[0], b[0], a[1], gap) for a, b, gap in found if gap is not None)
