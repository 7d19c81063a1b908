"""Adjustment sets: what to control for, to read the effect of x on y from observations.

Z is an adjustment set for the effect of X on Y iff in every model with the graph
p(y | do(x)) = ∫ p(y | x, z) p(z) dz.

For acyclic graphs the adjustment criterion decides this, with hidden causes as bidirected edges
(Shpitser, VanderWeele & Robins, UAI 2010; Perković, Textor, Kalisch & Maathuis, JMLR 2018): no
node of Z is a descendant of a node, outside X, on a proper causal path from X to Y, and Z blocks
every proper path from X to Y that is not causal, that is, d-separates X and Y in the proper
back-door graph (van der Zander, Liśkiewicz & Textor 2019).

With cycles the back-door criterion with sigma-separation is used (Forré & Mooij, UAI 2019, rules
2 and 3): with an intervention node I -> x for each x in X, no node of Z is a descendant of X, and
X and Z together sigma-separate Y from the intervention nodes. It holds for all simple SCMs, and
is sufficient: a set that it refuses may still adjust in some models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from physcm.mechanism.errors import InvalidValue
from physcm.scm.graph.acyclification import acyclification
from physcm.scm.graph.mixed import MixedGraph, Names
from physcm.scm.graph.moralization import moralize
from physcm.scm.graph.separation import d_separated, question
from physcm.scm.graph.separators import minimal_separators

MOST_SETS = 100_000


def is_adjustment_set(graph: MixedGraph, x: Names, y: Names, given: Names) -> bool:
    """Return whether controlling for `given` gives the effect of x on y.

    Args:
        graph: any mixed graph; see above for the criterion with and without cycles.
        x: the causes.
        y: the effects.
        given: the names controlled for; may be empty.

    Raises:
        UnknownVariable: for a name that is no node.
        InvalidValue: if x or y is empty, or if sets overlap.

    >>> confounded = MixedGraph([("z", "x"), ("z", "y"), ("x", "y")])
    >>> is_adjustment_set(confounded, "x", "y", "z"), is_adjustment_set(confounded, "x", "y", ())
    (True, False)
    """
    causes, effects, chosen = question(graph, x, y, given)
    return _criterion(graph, causes, effects).holds(chosen)


def adjustment_sets(
    graph: MixedGraph,
    x: Names,
    y: Names,
    *,
    minimal: bool = True,
    candidates: Names | None = None,
) -> tuple[tuple[str, ...], ...]:
    """Return the sets to control for, to get the effect of x on y; the small ones first.

    No set at all, (), says that adjustment cannot give the effect; one empty set, ((),), that
    nothing needs to be controlled for.

    Args:
        graph: any mixed graph; see above for the criterion with and without cycles.
        x: the causes.
        y: the effects.
        minimal: only the sets of which no proper subset is one, or else all sets.
        candidates: the names that are measured and so may be controlled for; x and y in it are
            passed over. Without it, all nodes.

    Raises:
        UnknownVariable: for a name that is no node.
        InvalidValue: if x or y is empty, if they overlap, or if there are more than MOST_SETS
            (100,000) sets to list or to try.

    >>> confounded = MixedGraph([("z", "x"), ("z", "y"), ("x", "y"), ("w", "z")])
    >>> adjustment_sets(confounded, "x", "y")
    (('z',),)
    >>> adjustment_sets(confounded, "x", "y", minimal=False)
    (('z',), ('z', 'w'))
    >>> adjustment_sets(confounded, "x", "y", candidates="w")
    ()
    """
    causes, effects, _ = question(graph, x, y, ())
    measured = graph.select(graph.nodes if candidates is None else candidates)
    criterion = _criterion(graph, causes, effects)
    allowed = measured - causes - effects - criterion.forbidden
    found = criterion.minimal(allowed) if minimal else criterion.all(allowed)
    place = {name: i for i, name in enumerate(graph.nodes)}
    ordered = (tuple(sorted(names, key=place.__getitem__)) for names in found)
    return tuple(sorted(ordered, key=lambda names: (len(names), [place[n] for n in names])))


@dataclass(frozen=True)
class _Criterion:
    """Z adjusts iff no node of it is forbidden and, with the required ones, it d-separates."""

    graph: MixedGraph
    x: frozenset[str]
    y: frozenset[str]
    forbidden: frozenset[str]
    required: frozenset[str]

    def holds(self, names: frozenset[str]) -> bool:
        return self.forbidden.isdisjoint(names) and d_separated(
            self.graph, self.x, self.y, names | self.required
        )

    def all(self, allowed: frozenset[str]) -> list[frozenset[str]]:
        if 2 ** len(allowed) > MOST_SETS:
            raise InvalidValue(
                f"there are 2^`{len(allowed)}` sets to try, more than {MOST_SETS}; name fewer "
                "`candidates`, or ask for minimal sets"
            )
        sizes = range(len(allowed) + 1)
        subsets = (frozenset(s) for size in sizes for s in combinations(allowed, size))
        return [names for names in subsets if self.holds(names)]

    def minimal(self, allowed: frozenset[str]) -> Iterator[frozenset[str]]:
        # Minimal separators consist of ancestors alone (van der Zander et al. 2019).
        moral = moralize(self.graph.subgraph(self.graph.ancestors(self.x | self.y | self.required)))
        moral.remove_nodes_from(self.required)
        for count, names in enumerate(minimal_separators(moral, self.x, self.y, allowed)):
            if count == MOST_SETS:
                raise InvalidValue(
                    f"there are more than `{MOST_SETS}` minimal sets; name fewer `candidates`"
                )
            yield names


def _criterion(graph: MixedGraph, x: frozenset[str], y: frozenset[str]) -> _Criterion:
    return (_adjustment if graph.is_acyclic else _sigma_back_door)(graph, x, y)


def _adjustment(graph: MixedGraph, x: frozenset[str], y: frozenset[str]) -> _Criterion:
    """The adjustment criterion, by the proper back-door graph."""
    without_out = MixedGraph((e for e in graph.directed if e[0] not in x), nodes=graph.nodes)
    causal = (graph.do(x).descendants(x) - x) & without_out.ancestors(y)
    back_door = MixedGraph(
        (e for e in graph.directed if not (e[0] in x and e[1] in causal)),
        graph.bidirected,
        graph.nodes,
    )
    return _Criterion(back_door, x, y, graph.descendants(causal), frozenset())


def _sigma_back_door(graph: MixedGraph, x: frozenset[str], y: frozenset[str]) -> _Criterion:
    """The back-door criterion with sigma-separation, by the acyclification."""
    intervention = {name: f"do({name})" for name in x}
    while not set(graph.nodes).isdisjoint(intervention.values()):
        intervention = {name: f"{node}'" for name, node in intervention.items()}
    arrows = [(node, name) for name, node in intervention.items()]
    extended = acyclification(MixedGraph([*graph.directed, *arrows], graph.bidirected, graph.nodes))
    return _Criterion(extended, frozenset(intervention.values()), y, graph.descendants(x), x)
