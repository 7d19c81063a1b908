"""Perfect adaptation: a variable that answers to an input for a while, and not at equilibrium.

Graphical test: there is a directed path from the input to the variable in the dynamic graph, and
none in the causal ordering of the equilibrium equations (Blom & Mooij, J. Causal Inference 11,
2023). A system at rest is moved only by what disturbs an equation that is solved: a factor that
divides out multiplies zero, as does a friction at velocity 0. So a path begins at the states
whose equations the input disturbs, and has edges from what occurs in the reduced equation of a
state to the state. Derived variables answer at once: a path leads through them only where what
they read does not cancel (see `physcm.abstraction.ordering.written_out`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from physcm.abstraction.ordering.written_out import Mechanisms
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import derivative, names_in, symbol
from physcm.scm import MixedGraph

if TYPE_CHECKING:
    from physcm.abstraction.ordering.causal_ordering import CausalOrdering


def adapted(ordering: CausalOrdering) -> tuple[tuple[str, str], ...]:
    """Return the (equation or input, variable) pairs that show perfect adaptation."""
    gone = {*ordering.cancelled}
    return tuple(
        (cause, name)
        for cause, names in reached(ordering).items()
        for name in names
        if name not in ordering.effects(cause) or (cause, name) in gone
    )


def reached(ordering: CausalOrdering) -> dict[str, tuple[str, ...]]:
    """Return the variables that each equation and input reaches over time, from rest.

    Raises:
        InvalidValue: for equations that are not those of a system.
    """
    reduced, responses = ordering.reduced, ordering.responses
    if reduced is None or responses is None or not reduced.source.state_of:
        raise InvalidValue(
            "equations alone do not tell what happens over time; make the ordering of a System"
        )
    source, mechanisms = reduced.source, Mechanisms.of(reduced)
    slopes, disturbed = mechanisms.generic_slopes(), mechanisms.slopes(responses.value)
    totals = mechanisms.conserved(slopes)
    edges = (
        (v, x)
        for x, found in slopes.items()
        for v in found.keys() & {*ordering.variables}
        if x not in totals
    )
    graph = MixedGraph(edges, nodes=ordering.variables)
    own = {**source.state_of, **source.defined_by}
    starts = {f: mechanisms.answering(own[f]) for f in ordering.equations if f in own}
    conserved = {state for law in reduced.laws.values() for state in law.states}
    weighed = weighing(ordering)
    for name in ordering.inputs:
        moved = {x for x in conserved if name in names_in(source.starts[x])}
        moved |= weighed.get(name, set())
        moved |= {x for x in totals if not moved.isdisjoint(slopes[x])}
        starts[name] = moved | {x for x in slopes if name in slopes[x] and name in disturbed[x]}
    return {
        cause: tuple(v for v in ordering.variables if v in graph.descendants(start))
        for cause, start in starts.items()
    }


def weighing(ordering: CausalOrdering) -> dict[str, set[str]]:
    """Return the inputs that are in the weights of conserved totals, with the states they weigh.

    Such an input, as the size of a tank, moves the state of rest unless the system starts at rest.

    >>> from physcm.abstraction import causal_ordering
    >>> from physcm.sim import System
    >>> tanks = System(
    ...     {"h": "(l - h)/A", "l": "h - l"}, parameters={"A": 2}, initial={"h": 1, "l": 0}
    ... )
    >>> weighing(causal_ordering(tanks))
    {'A': {'h'}}
    """
    found: dict[str, set[str]] = {}
    reduced = ordering.reduced
    if reduced is None:
        return found
    for label, law in reduced.laws.items():
        for x in law.states:
            for name in names_in(derivative(reduced.residuals[label], symbol(x))):
                found.setdefault(name, set()).add(x)
    return found
