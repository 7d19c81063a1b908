"""Answers to questions of existence and uniqueness, with the ground on which they rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Verdict:
    """Whether a model is uniquely solvable with respect to some variables, and why.

    A verdict is true or false like its `holds`.

    Attributes:
        holds: the answer.
        proved: whether it is certain; otherwise it is what many points suggest.
        reason: the ground, in a sentence.
        names: the variables that the reason speaks of.
        at: values of the other variables at which unique solvability fails, where it does.

    >>> bool(Verdict(False, True, "x = x + 1 has no solution", ("x",)))
    False
    """

    holds: bool
    proved: bool
    reason: str
    names: tuple[str, ...]
    at: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        answer = "yes" if self.holds else "no"
        return f"{answer}{'' if self.proved else ', as far as seen'}: {self.reason}"
