"""The forms of a node and of an edge, read and checked.

A form of node is a small `System` over the variables of one node, in which inputs and
parameters are constants with the placeholder 0. That makes it subject to the same checks and
interventions as any system.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sympy as sp

from physcm.mechanism.declarations import check_names
from physcm.mechanism.errors import InvalidValue, UnknownVariable, Unsupported
from physcm.mechanism.expression import RESERVED, TIME, names_in
from physcm.mechanism.parser import closest, parse
from physcm.sim.network.structure import ENDS
from physcm.sim.system import System

INPUT = "inputs"
RESCALED = "rescale"
"""The edge parameter that `RescaleEdge` introduces: a factor on all that an edge does."""

_TAKEN = RESERVED | {"node", "edge", "cause", "effect", "type", RESCALED}


def node_forms(
    node: Mapping[str, Any],
    placeholders: Iterable[str],
    inputs: Collection[str],
    **options: Any,
) -> dict[str, System]:
    """Return the form of each type of node; a single form is that of the type "".

    Args:
        node: the drift of each variable; or, for each type, such a mapping.
        placeholders: the names of inputs and parameters.
        inputs: the names of inputs.
        options: `initial`, `noise`, `algebraic` and `calculus`, as in a `System`; each mapping
            may be one per type.

    Raises:
        InvalidValue: for types with different variables, and inputs where they cannot be read.
        As a `System` does.
    """
    typed = bool(node) and all(isinstance(drift, Mapping) for drift in node.values())
    types = list(node) if typed else [""]
    constants = dict.fromkeys(placeholders, 0.0)
    forms = {}
    for kind in types:
        chosen = {name: _of_type(option, kind, types) for name, option in options.items()}
        drift = node[kind] if typed else node
        forms[kind] = System(drift, parameters=constants, **chosen)
        check_inputs(forms[kind], inputs)
    first = next(iter(forms.values()))
    for kind, form in forms.items():
        strangers = {*form.variables} ^ {*first.variables}
        if strangers:
            raise InvalidValue(
                f"`{min(strangers)}` is not a variable of every type of node; give the others "
                f"the drift 0 (see type `{kind}`)"
            )
    return forms


def check_inputs(form: System, inputs: Collection[str]) -> None:
    """Refuse derived variables and initial values that read inputs.

    Edges read these variables, so that inputs would be defined in terms of themselves.
    """
    starts = {f"{k}(0)": v for k, v in form.initial.items() if isinstance(v, sp.Basic)}
    if form.calculus == "stratonovich":
        starts |= {f"noise of {state}": g for (state, _), g in form.noise.items()}
    for name, mechanism in {**form.derived, **starts}.items():
        for read in sorted(names_in(mechanism) & {*inputs}):
            raise Unsupported(
                f"`{name}` reads the input `{read}`; only drift and noise can: let it read "
                "variables and parameters of the node"
            )


def edge_forms(
    edge: Mapping[str, Any],
    at_nodes: Iterable[str],
    others: Iterable[str],
) -> dict[str, sp.Expr]:
    """Return the contribution of an edge to each input.

    Args:
        edge: an expression for each input.
        at_nodes: variables and parameters of nodes, read as `x_cause` and `x_effect`.
        others: parameters of edges and of the whole.
    """
    at_ends = ends(at_nodes)
    forms = {}
    for name, text in edge.items():
        try:
            form = parse(text, {*at_ends, *others, TIME.name}, f"edge form `{name}`")
        except UnknownVariable as error:
            raise UnknownVariable(
                f"{error}; what is at the two ends of an edge is written `{at_ends[0]}` and "
                f"`{at_ends[1]}`"
            ) from None
        if isinstance(form, sp.logic.boolalg.Boolean) and not isinstance(form, sp.Symbol):
            raise InvalidValue(f"edge form `{name}`: `{text}` is a condition; write where(c, a, b)")
        if form.has(sp.oo, -sp.oo, sp.zoo, sp.nan):
            raise InvalidValue(f"edge form `{name}`: `{text}` is not finite; give a finite one")
        forms[name] = form
    return forms


def ends(names: Iterable[str]) -> list[str]:
    """Return what edges call the quantities at their two ends.

    >>> ends(["x"])
    ['x_cause', 'x_effect']
    """
    return [f"{name}_{end}" for name in names for end in ENDS]


def check_scope(
    variables: Collection[str],
    inputs: Collection[str],
    node_parameters: Collection[str],
    edge_parameters: Collection[str],
    parameters: Collection[str],
) -> None:
    """Refuse what is no name, is reserved, or stands for two things."""
    kinds = {
        "node": variables,
        "edge": inputs,
        "node_parameters": node_parameters,
        "edge_parameters": edge_parameters,
        "parameters": parameters,
        "the ends of an edge": ends([*variables, *node_parameters]),
    }
    check_names(_TAKEN, **{kind: dict.fromkeys(names, 0) for kind, names in kinds.items()})
    for kind, names in kinds.items():
        for name in names:
            if not name.isidentifier():
                raise InvalidValue(
                    f"`{name}` in {kind} is not a name; use letters, digits and underscores"
                )


def check_types(types: Iterable[Any], forms: Collection[str]) -> None:
    """Refuse types of nodes without a form."""
    for kind in types:
        if kind not in forms:
            raise UnknownVariable(f"type `{kind}` has no form; {closest(str(kind), forms)}")


def _of_type(option: Any, kind: str, types: list[str]) -> Any:
    """Return one type's part of an option that may be given per type."""
    if not kind or not isinstance(option, Mapping) or not any(name in types for name in option):
        return option
    for name in option:
        if name not in types:
            raise UnknownVariable(f"type `{name}` has no form; {closest(str(name), types)}")
    return option.get(kind, {})
