"""Which variable occurs in which equation, and which equation may determine which variable.

The bipartite graph of labelled equations F and variables V has an edge v - f if v occurs in f.
A matching gives equations variables of their own; it is perfect if every equation and every
variable has its partner (Blom, van Diepen & Mooij, JMLR 22, 2021, section 2).

The maximum matching is that of scipy.sparse.csgraph (Hopcroft & Karp 1973).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import scipy


@dataclass(frozen=True, init=False)
class BipartiteGraph:
    """Equations, variables, and which of these occur in which of those.

    Args:
        occurs: for each equation the variables that occur in it.
        variables: all variables, in the order of display; those that occur nowhere too.

    >>> graph = BipartiteGraph({"f": ["x"], "g": ["x", "y"]}, ["x", "y"])
    >>> dict(graph.matching)
    {'f': 'x', 'g': 'y'}
    """

    occurs: Mapping[str, tuple[str, ...]]
    variables: tuple[str, ...]

    def __init__(self, occurs: Mapping[str, Iterable[str]], variables: Iterable[str]) -> None:
        names = {f: tuple(dict.fromkeys(found)) for f, found in occurs.items()}
        object.__setattr__(self, "occurs", MappingProxyType(names))
        object.__setattr__(self, "variables", tuple(dict.fromkeys(variables)))

    @property
    def equations(self) -> tuple[str, ...]:
        """The labels of the equations."""
        return tuple(self.occurs)

    @cached_property
    def found_in(self) -> Mapping[str, tuple[str, ...]]:
        """For each variable the equations in which it occurs."""
        found: dict[str, list[str]] = {name: [] for name in self.variables}
        for equation, names in self.occurs.items():
            for name in names:
                found[name].append(equation)
        return {name: tuple(equations) for name, equations in found.items()}

    def in_order(self, variables: Iterable[str]) -> tuple[str, ...]:
        """Return some variables in the order of display."""
        return tuple(sorted(variables, key=self._place.__getitem__))

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return {name: i for i, name in enumerate(self.variables)}

    @cached_property
    def matching(self) -> Mapping[str, str]:
        """A largest matching: the variable of each equation that has one."""
        if not self.occurs or not self.variables:
            return {}
        columns = [self._place[name] for names in self.occurs.values() for name in names]
        ends = np.cumsum([0, *map(len, self.occurs.values())])
        edges = scipy.sparse.csr_array(
            (np.ones(len(columns), dtype=np.int8), columns, ends),
            shape=(len(self.occurs), len(self.variables)),
        )
        partner = scipy.sparse.csgraph.maximum_bipartite_matching(edges, perm_type="column")
        pairs = zip(self.occurs, partner.tolist(), strict=True)
        return {equation: self.variables[i] for equation, i in pairs if i >= 0}

    @property
    def is_matched(self) -> bool:
        """Whether there is a perfect matching."""
        return len(self.matching) == len(self.occurs) == len(self.variables)


def reached(start: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    """Return what can be reached by steps, the start included.

    >>> sorted(reached(["a"], {"a": "b", "b": "a", "c": "d"}.__getitem__))
    ['a', 'b']
    """
    found = set(start)
    waiting = list(found)
    while waiting:
        new = set(following(waiting.pop())) - found
        found |= new
        waiting += new
    return found
