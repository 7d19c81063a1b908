"""Perfect adaptation: a variable that answers to an input for a while, and not at equilibrium.

Graphical test: there is a directed path from the input to the variable in the dynamic graph, and
none in the causal ordering of the equilibrium equations (Blom & Mooij, J. Causal Inference 11,
2023). A system at rest is moved only by what disturbs an equation that is solved: a factor that
divides out multiplies zero, as does a friction at velocity 0. So a path begins at the states
whose equations the input disturbs, and has edges from what occurs in the reduced equation of a
state to the state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import names_in
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
    source = ordering.reduced.source if ordering.reduced else None
    own = {**source.state_of, **source.defined_by} if source else {}
    if ordering.reduced is None or source is None or not own:
        raise InvalidValue(
            "equations alone do not tell what happens over time; make the ordering of a System"
        )
    reads, responses = ordering.reduced.reads, ordering.responses
    edges = [(v, name) for f, name in own.items() for v in reads[f] & {*ordering.variables}]
    graph = MixedGraph(edges, nodes=ordering.variables)
    starts: dict[str, set[str]] = {f: {own[f]} for f in ordering.equations if f in own}
    for name in ordering.inputs:
        starts[name] = {
            own[f]
            for f in own
            if name in reads[f]
            and (f not in ordering.equations or responses is None or responses.drives(name, f))
        }
        starts[name] |= {
            state
            for f in ordering.inputs[name]
            for state in reads[f] & source.starts.keys()
            if f not in own and name in names_in(source.starts[state])
        }
    return {
        cause: tuple(v for v in ordering.variables if v in graph.descendants(start))
        for cause, start in starts.items()
    }
