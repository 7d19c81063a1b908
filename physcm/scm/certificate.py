"""How many solutions there are in a box, as far as intervals prove it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Box = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Certificate:
    """A proof of how many solutions a box holds, or why there is none.

    A certificate is true if it proves that there is exactly one.

    Attributes:
        count: the number of solutions; None where it is undecided.
        reason: the ground, in a sentence.
        solutions: intervals that hold one solution each, which is proved also where others are
            undecided.

    >>> bool(Certificate(1, "one equation gives it", ({"x": (1.0, 1.0)},)))
    True
    """

    count: int | None
    reason: str
    solutions: tuple[Box, ...] = ()

    def __bool__(self) -> bool:
        return self.count == 1

    def __str__(self) -> str:
        known = len(self.solutions)
        if self.count is None:
            answer = f"undecided, at least {known}" if known else "undecided"
        else:
            answer = {0: "no solution", 1: "exactly one solution"}.get(
                self.count, f"exactly {self.count} solutions"
            )
        return f"{answer}: {self.reason}"
