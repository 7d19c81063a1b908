"""Which equation determines which unknown: matchings in the graph of who reads whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping


def matched(
    reads: Mapping[str, Collection[str]], unknowns: Iterable[str], start: Mapping[str, str]
) -> dict[str, str]:
    """Return an equation of its own for as many unknowns as can have one, earlier ones first.

    Augmenting paths (Kuhn 1955): an unknown that has an equation may change it, not lose it.

    Args:
        reads: the unknowns that each equation could determine.
        unknowns: those without an equation so far.
        start: a matching of others to begin with.

    >>> matched({"f": {"x", "y"}, "g": {"x"}}, ["x", "y"], {})
    {'y': 'f', 'x': 'g'}
    """
    owner = {equation: unknown for unknown, equation in start.items()}

    def augmented(unknown: str, seen: set[str]) -> bool:
        options = [e for e, names in reads.items() if unknown in names and e not in seen]
        for equation in sorted(options, key=lambda e: e in owner):
            if equation in seen:
                continue
            seen.add(equation)
            if equation not in owner or augmented(owner[equation], seen):
                owner[equation] = unknown
                return True
        return False

    for unknown in unknowns:
        augmented(unknown, set())
    return {unknown: equation for equation, unknown in owner.items()}
