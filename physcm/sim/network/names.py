"""The names of nodes, and of what belongs to one node or one edge.

    x[gene7]          the variable or parameter x of the node gene7
    weight[a -> b]    the parameter `weight` of the edge from a, the cause, to b, the effect

The stem takes the brackets: `do(x[gene7])`, `x[gene7](0)`. Where nodes have texts for names,
`x[7]` is the node at position 7, counted from 0, unless one is called "7".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.parser import closest

Node: TypeAlias = "int | str"

ARROW = " -> "
_STEM = re.compile(r"((?:do|shift|scale|impulse)\()?([^\W\d]\w*)")
_BRACKETS = re.compile(r"([^\W\d]\w*)\[(.*)\]", re.DOTALL)


@dataclass(frozen=True)
class Nodes:
    """The nodes of a network by name, in the order in which they are counted.

    >>> Nodes(("a", "b")).place("b"), Nodes(("a", "b")).place(0), Nodes((10, 20)).place("20")
    (1, 0, 1)
    """

    names: tuple[Node, ...]

    @classmethod
    def of(cls, names: Iterable[Any]) -> Nodes:
        """Return nodes with checked names.

        Raises:
            InvalidValue: for names that are neither all texts nor all integers, or not unique.
        """
        given = tuple(name.item() if isinstance(name, np.generic) else name for name in names)
        kind = str if any(isinstance(name, str) for name in given) else int
        for name in given:
            if not isinstance(name, kind) or isinstance(name, bool):
                raise InvalidValue(
                    f"`{name!r}` is no name of a node beside `{given[0]!r}`; name all nodes by "
                    "texts or all by integers, for example with "
                    "networkx.convert_node_labels_to_integers(graph)"
                )
        if len(set(given)) < len(given):
            twice = next(name for name in given if given.count(name) > 1)
            raise InvalidValue(f"two nodes are called `{twice}`; give each a name of its own")
        return cls(given)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def places(self) -> dict[Node, int]:
        """The position of each node."""
        return {name: i for i, name in enumerate(self.names)}

    def place(self, node: Any) -> int:
        """Return the position of a node, given by name or, where names are texts, by position.

        Raises:
            UnknownVariable: for a node that is not there.
        """
        if isinstance(node, np.generic):
            node = node.item()
        if isinstance(node, int | str) and node in self.places:
            return self.places[node]
        number = int(node) if str(node).isdecimal() else -1
        if number in self.places:
            return self.places[number]
        if self.names and isinstance(self.names[0], str) and 0 <= number < len(self):
            return number
        raise UnknownVariable(f"there is no node `{node}`; {closest(str(node), self.texts)}")

    @property
    def texts(self) -> list[str]:
        """The names as texts."""
        return [str(name) for name in self.names]


def labelled(name: str, item: Any) -> str:
    """Return the name of what belongs to one node or edge.

    >>> labelled("k", "gene7"), labelled("do(x)", "gene7"), labelled("x(0)", 3)
    ('k[gene7]', 'do(x[gene7])', 'x[3](0)')
    """
    return _STEM.sub(lambda m: f"{m[1] or ''}{m[2]}[{item}]", name, count=1)


def flat(name: str, *items: Any) -> str:
    """Return the same as one identifier, for a system without nodes.

    >>> flat("do(x)", "gene 7"), flat("weight", "a", "b")
    ('do(x_gene_7)', 'weight_a_b')
    """
    tail = re.sub(r"\W", "_", "_".join(str(item) for item in items))
    return _STEM.sub(lambda m: f"{m[1] or ''}{m[2]}_{tail}", name, count=1)


def split(text: str, known: Sequence[str], example: Node) -> tuple[str, str]:
    """Return the name and the node of a text such as `x[gene7]`.

    Raises:
        InvalidValue: for a text of another form.
        UnknownVariable: for a name that is not known.

    >>> split("x[gene7]", ["x"], "gene0")
    ('x', 'gene7')
    """
    found = _BRACKETS.fullmatch(text)
    if found is None:
        stem = text if text in known else known[0]
        raise InvalidValue(f"`{text}` does not say which node; write `{labelled(stem, example)}`")
    if found[1] not in known:
        raise UnknownVariable(
            f"`{text}`: there is no `{found[1]}` at a node; {closest(found[1], known)}"
        )
    return found[1], found[2]


def has_brackets(text: str) -> bool:
    """Say whether a name is that of one node's or edge's.

    >>> has_brackets("k[gene7]"), has_brackets("k")
    (True, False)
    """
    return _BRACKETS.fullmatch(text) is not None
