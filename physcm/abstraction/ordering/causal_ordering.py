"""Causal ordering: what causes what, according to which equations can determine which variables.

Simon (1953) solves equations as far as they can be solved: the smallest sets of equations that
contain as many variables as equations come first, and what they determine is a cause of what
is determined next. With a perfect matching of equations F and variables V this is one pass
(Nayak 1995; Blom, van Diepen & Mooij, JMLR 22, 2021, section 2): orient f -> v where matched and
v -> f elsewhere; the strongly connected components are the *clusters*; the *causal ordering
graph* has an edge from v to a cluster where v lies outside of it and occurs in an f in it.
It does not depend on the matching.

A soft intervention on f changes, generically, the variables in f's cluster and those of its
descendants, and no others. This can differ from who reads whom over time: a variable that an
input reaches in time and not in the ordering is perfectly adapted to it (Blom & Mooij, J.
Causal Inference 11, 2023).

do(f : X = x) replaces the equation f by X = x. It is feasible, generically, iff a perfect
matching is left. Which equation is replaced matters, so that do(X = x) alone means something
only where X's own equation, if it has one, determines X (Mooij, Bipartite Graphical Causal
Models, UAI 2026).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from physcm.abstraction.ordering.adaptation import adapted
from physcm.abstraction.ordering.bipartite import BipartiteGraph, reached
from physcm.abstraction.ordering.clusters import Cluster, clusters_of
from physcm.abstraction.ordering.decomposition import Decomposition, decompose
from physcm.abstraction.ordering.equations import (
    Equations,
    equations_of_mapping,
    equations_of_system,
)
from physcm.abstraction.ordering.intervention import intervened
from physcm.abstraction.ordering.plot import plot_ordering
from physcm.abstraction.ordering.reduction import Reduced, reduce
from physcm.abstraction.ordering.sensitivity import Responses
from physcm.abstraction.ordering.solution import executable
from physcm.abstraction.ordering.structure import is_structure, structure_of
from physcm.abstraction.requirements import require_system
from physcm.mechanism.declarations import require_mapping
from physcm.mechanism.errors import InvalidValue, NotSolvable, UnknownVariable
from physcm.mechanism.expression import held_symbol
from physcm.mechanism.parser import closest
from physcm.mechanism.values import Value
from physcm.scm import SCM, MixedGraph
from physcm.scm.graph.mixed import Names, listed
from physcm.sim import Network, System

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 50


@dataclass(frozen=True)
class CausalOrdering:
    """The causal ordering of labelled equations.

    Attributes:
        structure: which variable occurs in which equation.
        inputs: for each input (parameter, exogenous variable, initial value) the equations in
            which it occurs.
        reduced: the equations themselves, unless only their structure was given.
    """

    structure: BipartiteGraph
    inputs: Mapping[str, tuple[str, ...]]
    reduced: Reduced | None = None

    @classmethod
    def of(cls, equations: Equations) -> CausalOrdering:
        """Return the causal ordering of labelled equations as they are written."""
        reduced = reduce(equations)
        reads = {f: reduced.reads[f] for f in reduced.residuals}
        occurs = {f: [name for name in equations.variables if name in reads[f]] for f in reads}
        inputs = sorted(frozenset().union(*reads.values()) - {*equations.variables})
        return cls(
            BipartiteGraph(occurs, equations.variables),
            {name: tuple(f for f in reads if name in reads[f]) for name in inputs},
            reduced,
        )

    @property
    def equations(self) -> tuple[str, ...]:
        """The labels of the equations, those left out aside."""
        return self.structure.equations

    @property
    def variables(self) -> tuple[str, ...]:
        """What the equations are to determine."""
        return self.structure.variables

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the equations as written, and where they are degenerate."""
        degenerate = (
            f"{_listed(c.equations)} do not determine {_listed(c.variables)}, though as many: "
            "generically they have no solution, or infinitely many"
            for c in self.singular
        )
        return (*(self.reduced.notes if self.reduced else ()), *degenerate)

    @property
    def positive(self) -> tuple[str, ...]:
        """The variables assumed to be not zero, where equations allow both."""
        return self.reduced.positive if self.reduced else ()

    @cached_property
    def decomposition(self) -> Decomposition:
        """What too many, enough and too few equations determine (Dulmage-Mendelsohn)."""
        return decompose(self.structure)

    @property
    def is_determined(self) -> bool:
        """Whether there is a perfect matching of equations and variables."""
        return self.structure.is_matched

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        """The clusters of the determined part, causes before effects."""
        return clusters_of(self.structure, self.decomposition.well.equations, self.inputs)

    @cached_property
    def edges(self) -> tuple[tuple[str, Cluster], ...]:
        """The causal ordering graph: edges from a variable or input to a cluster."""
        return tuple((name, cluster) for cluster in self.clusters for name in cluster.parents)

    def markov_ordering(self, exogenous: Names | None = None) -> MixedGraph:
        """Return the Markov ordering graph: the causal ordering graph with clusters opened.

        v -> w iff v -> the cluster of w. Where inputs are random and independent, and the
        equations of each cluster determine its variables, d-separation in it tells independences
        (Blom, van Diepen & Mooij 2021, section 4).

        Args:
            exogenous: the inputs to show; without it those that are random, or all if none is
                known to be. Inputs that are not shown are taken as constants: to hide random
                ones use `latent_projection`.

        Raises:
            UnknownVariable: for a name that is no input.
            NotSolvable: if there is no perfect matching.

        >>> bathtub = causal_ordering({"f1": "I - O", "f2": "K*P - O"}, variables=["O", "P"])
        >>> bathtub.markov_ordering()
        MixedGraph(O -> P, I -> O, K -> P)
        """
        self._require_determined()
        shown = (
            (self.inputs_at_random or tuple(self.inputs))
            if exogenous is None
            else listed(exogenous)
        )
        for name in shown:
            if name not in self.inputs:
                raise UnknownVariable(f"`{name}` is no input; {closest(name, self.inputs)}")
        nodes = (*self.variables, *shown)
        edges = ((p, v) for p, cluster in self.edges for v in cluster.variables)
        return MixedGraph((edge for edge in edges if edge[0] in {*nodes}), nodes=nodes)

    def effects(self, name: str) -> tuple[str, ...]:
        """Return the variables that change, generically, with an equation or an input.

        Args:
            name: the label of an equation that a soft intervention acts on, or an input.

        Raises:
            UnknownVariable: for what is neither.
            NotSolvable: if there is no perfect matching.

        >>> bathtub = causal_ordering({"f1": "I - O", "f2": "K*P - O"}, variables=["O", "P"])
        >>> bathtub.effects("f1"), bathtub.effects("K")
        (('O', 'P'), ('P',))
        """
        self._require_determined()
        equations = self.inputs[name] if name in self.inputs else (self._known(name),)
        solved = reached(equations, self._following)
        return self.structure.in_order({self.structure.matching[f] for f in solved})

    @cached_property
    def cancelled(self) -> tuple[tuple[str, str], ...]:
        """The (equation or input, variable) pairs whose effect is predicted and cancels exactly.

        The ordering looks at where variables occur; these cancel because of what the equations
        are (see `physcm.abstraction.ordering.sensitivity`).
        """
        if self.responses is None:
            return ()
        gone = self.responses.vanishing()
        causes = (*self.equations, *self.inputs)
        return tuple((c, v) for c in causes for v in self.effects(c) if (c, v) in gone)

    @cached_property
    def singular(self) -> tuple[Cluster, ...]:
        """The clusters whose equations, being what they are, do not determine their variables."""
        found = self.responses
        if found is None:
            return ()
        return tuple(c for c in self.clusters if found.is_singular(c.equations, c.variables))

    @cached_property
    def adapted(self) -> tuple[tuple[str, str], ...]:
        """The (equation or input, variable) pairs of a system that show perfect adaptation.

        What reaches a variable over time and has no effect on it at equilibrium, by the ordering
        or because it cancels exactly; see `physcm.abstraction.ordering.adaptation`.

        >>> from physcm.sim import zoo
        >>> [pair for pair in causal_ordering(zoo.load("viral_infection")).adapted if "s" in pair]
        [('s', 'I')]
        """
        return adapted(self)

    def do(self, *equations: str, **holds: Any) -> CausalOrdering:
        """Return the ordering after an intervention that names equations and holds variables.

        do(f : X = x) replaces the equation f by X = x. Without an equation, do(X = x) replaces
        X's own, that of its drift or definition, where that is in X's cluster; else it is refused.

        Args:
            equations: which equations are replaced, one per hold.
            holds: the values at which variables are held.

        Raises:
            Infeasible: if the remaining equations cannot determine the remaining variables.
            NotUnique: if no equation is named and X's own equation does not determine it.
            UnknownVariable, InvalidValue: for names and values that are none.

        >>> tub = {"f1": "I - O", "f2": "K*sqrt(P) - O", "f3": "g*D - P"}
        >>> ordering = causal_ordering(tub, variables=["D", "P", "O"])
        >>> print(ordering.do("f1", D=2))
        do(D) -> D   by f1
        g, D -> P   by f3
        K, P -> O   by f2
        """
        return intervened(self, equations, holds)

    @property
    def inputs_at_random(self) -> tuple[str, ...]:
        """The inputs that differ between samples."""
        values = self.reduced.source.values if self.reduced else {}
        return tuple(k for k in self.inputs if not isinstance(values.get(k), float | None))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the equations as written, those left out included."""
        return tuple(self.reduced.source.residuals) if self.reduced else self.equations

    def replaced(self, equation: str, name: str, value: Value) -> CausalOrdering:
        """Return the ordering with X = x for an equation, whether or not that is feasible."""
        if self.reduced:
            return CausalOrdering.of(self.reduced.source.with_hold(equation, name, value))
        inputs = {k: tuple(f for f in found if f != equation) for k, found in self.inputs.items()}
        occurs = {**self.structure.occurs, equation: (name,)}
        return CausalOrdering(
            BipartiteGraph(occurs, self.variables), {**inputs, held_symbol(name).name: (equation,)}
        )

    def scm(self) -> SCM:
        """Return the ordering as an executable model (see `physcm.abstraction.ordering.solution`).

        Raises:
            NotSolvable: if there is no perfect matching.
            Unsupported: if only the structure of the equations was given.
            InvalidValue: for an input without a value.
        """
        self._require_determined()
        return executable(self)

    def plot(self) -> Figure:
        """Return a picture of the causal ordering graph: clusters as boxes."""
        return plot_ordering(self)

    def __str__(self) -> str:
        lines = [str(cluster) for cluster in self.clusters]
        if not self.is_determined:
            lines.append(str(self.decomposition))
        return "\n".join([*lines, *(f"Note: {note}" for note in (*self.notes, *self._exceptions))])

    __repr__ = __str__

    @property
    def _exceptions(self) -> tuple[str, ...]:
        """The effects of inputs that the ordering promises and that cancel, in small systems."""
        if not self.is_determined or len(self.variables) > _SHOWN:
            return ()
        gone: dict[tuple[str, ...], list[str]] = {}
        for name in self.inputs:
            left = tuple(v for cause, v in self.cancelled if cause == name)
            gone.setdefault(left, []).append(name)
        return tuple(
            f"the effect of {_listed(names)} on {_listed(left)} cancels exactly"
            for left, names in gone.items()
            if left
        )

    @cached_property
    def responses(self) -> Responses | None:
        """The derivatives of the variables by equations and inputs, at a generic solution."""
        if self.reduced is None:
            return None
        blocks = ((c.equations, c.variables) for c in self.clusters)
        return Responses(self.reduced, blocks, tuple(self.inputs))

    def _following(self, equation: str) -> Iterable[str]:
        """Return the equations in which the variable that an equation determines occurs."""
        return self.structure.found_in[self.structure.matching[equation]]

    def _known(self, equation: str) -> str:
        if not isinstance(equation, str):
            raise InvalidValue(f"`{equation!r}` is no label of an equation; give its text")
        if equation in self.structure.occurs:
            return equation
        if self.reduced and equation in self.reduced.source.residuals:
            raise InvalidValue(
                f"`{equation}` follows from other equations and is left out: changed alone, it "
                "would contradict them; change one of the others, or an input"
            )
        remedy = closest(equation, [*self.equations, *self.inputs])
        if equation in self.variables:
            remedy = "it is a variable; name the equation that is changed, see `equations`"
        raise UnknownVariable(f"`{equation}` is no equation and no input; {remedy}")

    def _require_determined(self) -> None:
        if not self.is_determined:
            raise NotSolvable(
                f"the equations have no causal ordering, being {self.decomposition}; "
                "`decomposition` has all of them: add what is missing, or take out what is too much"
            )


def causal_ordering(
    system_or_equations: System | Mapping[str, Any],
    *,
    variables: Names | None = None,
    parameters: Mapping[str, Any] | None = None,
    bounds: Mapping[str, Any] | None = None,
    zero: Names = (),
) -> CausalOrdering:
    """Return the causal ordering of a system at rest, or of labelled equations.

    Which variable occurs in which equation is a matter of meaning, not of letters (see
    `physcm.abstraction.ordering.reduction`); `notes` says what was done to get there.

    Args:
        system_or_equations: a system, whose state X has the equation `f_X`, 0 = drift, and whose
            derived variable v the equation `f_v`, v = its definition; or a mapping of labels to
            equations, each an expression that vanishes or `left == right`; or a mapping of labels
            to the names that occur in each, where nothing else is known.
        variables: what the equations are to determine; all other names are inputs. Without it
            all names but those of parameters.
        parameters: inputs with values: numbers, distributions, or one number per sample.
        bounds: what variables can take, such as (0, inf) for an amount.
        zero: the variables that are zero on the branch looked at, where equations allow both.
            (The last four belong to a mapping, but for `zero`; a system has its own.)

    Raises:
        ParseError: for text that the safe parser does not accept.
        UnknownVariable: for a name that is not defined.
        InvalidValue: for what is neither a system nor equations, and options that do not fit.
        NotSolvable: for an equation that cannot hold, or equations that contradict each other.
        Unsupported: for a system with noise or explicit time.

    >>> from physcm.sim import zoo
    >>> bathtub = causal_ordering(zoo.load("filling_bathtub"))
    >>> print(bathtub)
    U_I -> I   by f_I
    I -> O   by f_D
    U_K -> K   by f_K
    U5, O, K -> P   by f_O
    U3, g, P -> D   by f_P
    >>> bathtub.effects("U_K")
    ('D', 'P', 'K')
    """
    if isinstance(system_or_equations, System):
        if variables is not None or parameters is not None or bounds is not None:
            raise InvalidValue(
                f"{system_or_equations.in_words} has `variables`, `parameters` and `bounds` of its "
                "own; leave them out, or change the system"
            )
        return CausalOrdering.of(equations_of_system(system_or_equations, zero))
    if isinstance(system_or_equations, Network):
        require_system(system_or_equations)
    if not isinstance(system_or_equations, Mapping):
        kind = type(system_or_equations).__name__
        raise InvalidValue(
            f"a `{kind}` is neither a System nor a mapping of labels to equations; give for "
            'example {"f1": "I - O", "f2": "K*P - O"}'
        )
    for label in system_or_equations:
        if not isinstance(label, str):
            raise InvalidValue(f"`{label!r}` is no label of an equation; give a text")
    if not isinstance(variables, Iterable | None):
        raise InvalidValue(f"variables is `{variables!r}`; give a name or several")
    if is_structure(system_or_equations):
        return CausalOrdering(
            *structure_of(system_or_equations, variables, parameters, bounds, zero)
        )
    for kind, given in (("parameters", parameters), ("bounds", bounds)):
        require_mapping(kind, {} if given is None else given)
    return CausalOrdering.of(
        equations_of_mapping(system_or_equations, variables, parameters or {}, bounds or {}, zero)
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
