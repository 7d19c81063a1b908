"""The Dulmage-Mendelsohn decomposition: what too many, enough and too few equations determine.

With a largest matching, the over-determined part is what alternating paths reach from the
equations without a variable, the under-determined part what they reach from the variables
without an equation, and the rest is determined: it is perfectly matched. None of the three
depends on the matching (Dulmage & Mendelsohn, Canad. J. Math. 10, 1958; Blom, van Diepen &
Mooij, JMLR 22, 2021, section 2.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from physcm.abstraction.ordering.bipartite import BipartiteGraph, reached

_SHOWN = 6


@dataclass(frozen=True)
class Part:
    """Some equations and the variables that they determine, or fail to."""

    equations: tuple[str, ...]
    variables: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.equations or self.variables)


@dataclass(frozen=True)
class Decomposition:
    """The three parts of a bipartite graph.

    Attributes:
        over: more equations than variables: generically without solution.
        well: as many equations as variables, which they determine.
        under: more variables than equations: generically with infinitely many solutions.
    """

    over: Part
    well: Part
    under: Part

    @property
    def is_determined(self) -> bool:
        """Whether every equation has its variable and every variable its equation."""
        return not self.over and not self.under

    def __str__(self) -> str:
        """What is wrong, in words, or that nothing is."""
        sentences = []
        if self.over:
            sentences.append(
                f"over-determined: {_counted(self.over.equations, 'equation')} for "
                f"{_counted(self.over.variables, 'variable')}"
            )
        if self.under:
            sentences.append(
                f"under-determined: {_counted(self.under.equations, 'equation')} for "
                f"{_counted(self.under.variables, 'variable')}"
            )
        return "; ".join(sentences) or "every equation determines a variable"


def decompose(graph: BipartiteGraph) -> Decomposition:
    """Return the Dulmage-Mendelsohn decomposition of a bipartite graph.

    >>> parts = decompose(BipartiteGraph({"f": ["x"], "g": ["x"], "h": ["y", "z"]}, "xyz"))
    >>> print(parts)
    over-determined: 2 equations (`f`, `g`) for 1 variable (`x`); under-determined: 1 equation
    (`h`) for 2 variables (`y`, `z`)
    """
    variable_of = graph.matching
    equation_of = {variable: equation for equation, variable in variable_of.items()}
    over = reached(
        (f for f in graph.equations if f not in variable_of),
        lambda f: (equation_of[v] for v in graph.occurs[f]),
    )
    loose = reached(
        (v for v in graph.variables if v not in equation_of),
        lambda v: (variable_of[f] for f in graph.found_in[v]),
    )
    too_many = {v for f in over for v in graph.occurs[f]}
    too_few = {equation_of[v] for v in loose if v in equation_of}
    return Decomposition(
        Part(*_split(graph, over, too_many)),
        Part(
            *_split(
                graph,
                {*graph.equations} - over - too_few,
                {*graph.variables} - too_many - loose,
            )
        ),
        Part(*_split(graph, too_few, loose)),
    )


def _split(
    graph: BipartiteGraph, equations: set[str], variables: set[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (
        tuple(f for f in graph.equations if f in equations),
        tuple(v for v in graph.variables if v in variables),
    )


def _counted(names: tuple[str, ...], noun: str) -> str:
    if not names:
        return f"no {noun}"
    listed = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} {noun}{'s' * (len(names) != 1)} ({listed}{more})"
