"""Is omega a map between orders of interventions, and onto those above?

An exact transformation needs omega to preserve the order, i <= j => omega(i) <= omega(j), and to
reach every intervention above (Rubenstein et al., UAI 2017, definition 3): then doing more below
never means doing less above, and there is nothing above that nothing below is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from physcm.abstraction.transformation.omega import Image, Omega, Undefined, part_of, same
from physcm.mechanism.interventions import Interventions, label


@dataclass(frozen=True)
class OmegaCheck:
    """What omega does with a family of interventions. True if all is as it should be.

    Attributes:
        images: interventions below and what they are above.
        broken: pairs i <= j of the family whose images are not in this order.
        unreached: interventions above that are the image of none.
    """

    images: tuple[tuple[Interventions, Image], ...]
    broken: tuple[tuple[Interventions, Interventions], ...]
    unreached: tuple[Interventions, ...]

    @property
    def undefined(self) -> tuple[tuple[Interventions, Undefined], ...]:
        """The interventions below that are nothing above, and why."""
        return tuple((do, to) for do, to in self.images if isinstance(to, Undefined))

    @property
    def preserves_order(self) -> bool:
        """Whether doing more below is never doing less above."""
        return not self.broken

    @property
    def is_surjective(self) -> bool:
        """Whether every intervention above is what some intervention below is."""
        return not self.unreached

    def __bool__(self) -> bool:
        return self.preserves_order and self.is_surjective and not self.undefined

    def __str__(self) -> str:
        lines = [
            f"omega breaks the order: {label(first)} is part of {label(second)}, but "
            f"{named(self._image(first))} is not part of {named(self._image(second))}"
            for first, second in self.broken
        ]
        lines += [f"no intervention below is {label(to)} above" for to in self.unreached]
        lines += [f"{label(do)} is {to}" for do, to in self.undefined]
        good = f"omega preserves the order of {len(self.images)} interventions and reaches"
        return "\n".join(lines) or f"{good} all that were asked for above"

    def _image(self, do: Interventions) -> Image:
        return next(to for one, to in self.images if one is do)


def check_order(
    omega: Omega, below: Sequence[Interventions], above: Sequence[Interventions]
) -> OmegaCheck:
    """Hold omega's images of some interventions against their order, and against those above.

    >>> from physcm.mechanism import Hold
    >>> both = (Hold("x", 1), Hold("y", 2))
    >>> print(check_order(lambda do: do[:1] if len(do) < 2 else (), [(), both[:1], both], []))
    omega breaks the order: do(x = 1) is part of do(x = 1, y = 2), but do(x = 1) is not part of ...
    """
    images = tuple((do, omega(do)) for do in below)
    broken = tuple(
        (first, second)
        for (first, one), (second, two) in permutations(images, 2)
        if part_of(first, second) and not in_order(one, two)
    )
    unreached = tuple(to for to in above if not any(same(image, to) for _, image in images))
    return OmegaCheck(images, broken, unreached)


def in_order(first: Image, second: Image) -> bool:
    """Say whether two images are in order; what is undefined breaks none."""
    if isinstance(first, Undefined) or isinstance(second, Undefined):
        return True
    return part_of(first, second)


def named(image: Image) -> str:
    """Return an image in the notation of the field.

    >>> named(())
    'nothing'
    """
    return str(image) if isinstance(image, Undefined) else label(image)
