"""Equations of which nothing is known but the names in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sympy as sp

from physcm.abstraction.ordering.bipartite import BipartiteGraph
from physcm.mechanism.errors import InvalidValue
from physcm.scm.graph.mixed import Names, listed


def is_structure(given: Mapping[str, Any]) -> bool:
    """Say whether a mapping tells names instead of equations."""
    kinds = {isinstance(value, str | int | float | sp.Basic) for value in given.values()}
    if len(kinds) > 1:
        raise InvalidValue(
            "some equations are given as texts and others as collections of names; give all in "
            "one way"
        )
    return kinds == {False}


def structure_of(
    given: Mapping[str, Any],
    variables: Names | None,
    parameters: Mapping[str, Any] | None,
    bounds: Mapping[str, Any] | None,
    zero: Names,
) -> tuple[BipartiteGraph, dict[str, tuple[str, ...]]]:
    """Return which variable occurs in which equation, and in which equations each input occurs.

    Raises:
        InvalidValue: for options that need equations, and for what tells no names.

    >>> structure, inputs = structure_of({"f1": "IO", "f2": "OPK"}, ["O", "P"], None, None, ())
    >>> dict(structure.occurs), inputs
    ({'f1': ('O',), 'f2': ('O', 'P')}, {'I': ('f1',), 'K': ('f2',)})
    """
    if parameters is not None or bounds is not None or zero:
        raise InvalidValue(
            "`parameters`, `bounds` and `zero` need equations, and only names are given; write the "
            "equations as texts, or leave them out"
        )
    for label, names in given.items():
        if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
            raise InvalidValue(f"`{label}` is `{names!r}`; give a text, or the names in it")
    occurs = {label: dict.fromkeys(names) for label, names in given.items()}
    all_names = dict.fromkeys(name for names in occurs.values() for name in names)
    chosen = all_names if variables is None else dict.fromkeys(listed(variables))
    inputs: dict[str, list[str]] = {name: [] for name in all_names if name not in chosen}
    for label, names in occurs.items():
        for name in names:
            if name in inputs:
                inputs[name].append(label)
    kept = {label: [n for n in names if n in chosen] for label, names in occurs.items()}
    return BipartiteGraph(kept, chosen), {name: tuple(found) for name, found in inputs.items()}
