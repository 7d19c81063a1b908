"""What conditions and times read: anything in the network, by its full name.

    x[gene7] > 1 and t > tau        a variable of a node, and a parameter of the whole
    (k[gene7], 2*k[gene7])          a parameter of a node; of an edge it is `weight[a -> b]`

`x[gene7]` is a symbol of that name. What is done *to* a node is read in the terms of that node
instead, where `x` is its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sympy as sp

from physcm.mechanism.errors import InvalidValue, ParseError, UnknownVariable
from physcm.mechanism.expression import TIME, symbol
from physcm.mechanism.parser import closest, parse
from physcm.sim.network.names import ARROW, labelled

if TYPE_CHECKING:
    from physcm.sim.network.network import Network

_ITEM = re.compile(r"([^\W\d]\w*)\[([^\]]*)\]")


def read(network: Network, text: Any, place: str, variables: bool = True) -> sp.Basic:
    """Return an expression in what belongs to nodes, to edges and to the whole.

    Args:
        network: the network.
        text: the expression; in one of SymPy the names are those of symbols.
        place: where it stands, to begin error messages with.
        variables: whether it may read variables and time, or parameters alone.

    Raises:
        ParseError, UnknownVariable: for what cannot be read.
        InvalidValue: for what does not say which node or edge.
    """
    whole = {*network.parameters, *([TIME.name] if variables else [])}
    if isinstance(text, sp.Basic):
        given = [s.name for s in text.free_symbols if _ITEM.fullmatch(s.name)]
        full = {symbol(name): symbol(full_name(network, name, variables)) for name in given}
        return _parsed(network, text, {*whole, *given}, place, {}).xreplace(full)
    if not isinstance(text, str):
        return parse(text, whole, place)
    marks: dict[str, str] = {}

    def mark(found: re.Match[str]) -> str:
        """Put an identifier of the same length in the place of `x[gene7]`."""
        name = f"_{len(marks)}".ljust(len(found[0]), "_")
        marks[name] = found[0]
        return name

    marked = _ITEM.sub(mark, text)
    full = {symbol(k): symbol(full_name(network, v, variables)) for k, v in marks.items()}
    return _parsed(network, marked, {*whole, *marks}, place, marks).xreplace(full)


def full_name(network: Network, name: str, variables: bool = True) -> str:
    """Return the name of what belongs to one node or edge, with the node's own name.

    Raises:
        UnknownVariable: for a name, node or edge that is not there.
        InvalidValue: for a variable where parameters alone are read.
    """
    found = _ITEM.fullmatch(name)
    stem, item = (found[1], found[2]) if found else (name, "")
    if stem in network.edge_parameters:
        return labelled(stem, network.wiring.texts[edge_place(network, stem, item)])
    own = [k for k in network.node_parameters if k.isidentifier()]
    if stem not in (*network.variables, *own):
        known = [*network.variables, *own, *network.edge_parameters]
        raise UnknownVariable(f"`{name}`: there is no `{stem}` at a node; {closest(stem, known)}")
    if stem in network.variables and not variables:
        raise InvalidValue(f"`{name}` changes with time; a time is computed from parameters alone")
    return labelled(stem, network.nodes[network.wiring.nodes.place(item)])


def edge_place(network: Network, stem: str, item: str) -> int:
    """Return the position of an edge that is written `a -> b`."""
    cause, arrow, effect = item.partition(ARROW)
    if not arrow:
        raise InvalidValue(
            f"`{labelled(stem, item)}` does not say which edge; write "
            f"`{labelled(stem, f'cause{ARROW}effect')}`"
        )
    return network.wiring.place(cause, effect)


def parts(name: str) -> tuple[str, str] | None:
    """Return the name and the node or edge of `x[gene7]`, nothing for what is of the whole.

    >>> parts("x[gene7]"), parts("weight[a -> b]"), parts("tau")
    (('x', 'gene7'), ('weight', 'a -> b'), None)
    """
    found = _ITEM.fullmatch(name)
    return (found[1], found[2]) if found else None


def _parsed(
    network: Network, text: Any, names: set[str], place: str, marks: dict[str, str]
) -> sp.Basic:
    """Parse a text in which marks stand for names in brackets; messages show the names."""
    try:
        return parse(text, names, place)
    except (ParseError, UnknownVariable) as error:
        message = str(error)
        for mark, name in marks.items():
            message = message.replace(mark, name)
        for name in (*network.variables, *network.node_parameters):
            if f"unknown name `{name}`" in message:
                message += f"; write `{labelled(name, network.nodes[0])}` for that of a node"
        error.args = (message,)
        raise
