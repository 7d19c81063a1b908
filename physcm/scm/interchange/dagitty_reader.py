"""The grammar of dagitty's text.

graph = ("dag" | "digraph") [name] group;  group = "{" statement* "}"
statement = operand (edge operand)* ["[" attributes "]"] | name "=" value | ";"
operand = name | group;  edge = "->" | "<-" | "<->"

An edge between groups joins every pair. A name is a word, or any text in double quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product

from physcm.mechanism.errors import ParseError, Unsupported
from physcm.scm.graph.mixed import Edge

MARKS = {
    "latent": "latent unobserved l u",
    "exposure": "exposure source e",
    "outcome": "outcome target o",
    "adjusted": "adjusted a",
    "selected": "selected s",
}
"""The roles of nodes, and the words for each."""

RESERVED = ("graph", "node", "edge", "subgraph")
"""The words that dagitty keeps for itself."""

_MEANING = {word: mark for mark, words in MARKS.items() for word in words.split()}
_EDGES = ("->", "<-", "<->")
_HEADER = re.compile(r"\s*(?:strict\s+)?(dag|digraph)(?:\s+[\w.]+)?\s*(?=\{)", re.IGNORECASE)
_OTHER_KIND = re.compile(r"\s*(?:strict\s+)?(mag|pdag|pag|graph)\b", re.IGNORECASE)
_TOKEN = re.compile(r'\s*("[^"]*"|<->|->|<-@|<-|--@?|@-+[@>]?|[\w.]+|[-+][\d.]+|[][{}=,;])')


@dataclass
class Content:
    """What a text says.

    Attributes:
        nodes: every node with its marks.
        directed: (cause, effect) pairs.
        bidirected: pairs.
    """

    nodes: dict[str, set[str]] = field(default_factory=dict)
    directed: list[Edge] = field(default_factory=list)
    bidirected: list[Edge] = field(default_factory=list)


def read(text: str) -> Content:
    """Return the content of a text.

    Raises:
        ParseError: for text that is not dagitty's.
        Unsupported: for undirected or open-ended edges, and for kinds of graphs that have them.

    >>> read("dag { x -> {y z} }").directed
    [('x', 'y'), ('x', 'z')]
    """
    header = _HEADER.match(text)
    if header is None:
        kind = _OTHER_KIND.match(text)
        if kind is None:
            raise ParseError(text, 1, "the text does not begin with `dag {` or `digraph {`")
        raise Unsupported(
            f"a `{kind[1]}` may leave directions open; orient its edges in a `dag` or `digraph`"
        )
    reader = _Reader(text, header.end())
    try:
        reader.group()
    except RecursionError:
        raise reader.error("braces are nested too deep") from None
    if reader.peek():
        raise reader.error("the text goes on after its closing brace")
    return reader.content


class _Reader:
    """The tokens of one text, and the place reached in them."""

    def __init__(self, text: str, start: int) -> None:
        self.text, self.at, self.content = text, 0, Content()
        self.tokens: list[tuple[str, int]] = []
        while text[start:].strip():
            match = _TOKEN.match(text, start)
            if match is None:
                column = start + len(text[start:]) - len(text[start:].lstrip())
                raise ParseError(text, column + 1, f"`{text[column]}` is not understood")
            self.tokens.append((match[1], match.start(1)))
            start = match.end()

    def group(self) -> list[str]:
        """Read statements in braces; return the nodes that they mention."""
        self.expect("{")
        mentioned: list[str] = []
        while self.peek() != "}":
            mentioned += self.statement()
        self.expect("}")
        return list(dict.fromkeys(mentioned))

    def statement(self) -> list[str]:
        """Read a statement; return the nodes that it mentions."""
        if self.peek() in (";", ","):
            self.take()
            return []
        if self.peek(1) == "=":  # a setting of the whole graph, such as bb="0,0,1,1"
            self.at += 3
            return []
        mentioned = operand = self.operand()
        while self.peek() in _EDGES or self.is_open_edge():
            edge, before = self.take(), operand
            operand = self.operand()
            self.join(before, edge, operand)
            mentioned = mentioned + operand
        marks = self.attributes()
        if mentioned is operand:  # else they are about the edge
            for name in mentioned:
                self.content.nodes[name] |= marks
        return mentioned

    def operand(self) -> list[str]:
        if self.peek() == "{":
            return self.group()
        token = self.take()
        if not re.match(r'["\w.]', token) or token in _EDGES or token in RESERVED:
            self.at -= 1
            raise self.error(f"`{token}` stands where a node should")
        name = token.strip('"')
        self.content.nodes.setdefault(name, set())
        return [name]

    def attributes(self) -> set[str]:
        """Read the words in brackets, if there are any; return the marks among them."""
        marks: set[str] = set()
        if self.peek() != "[":
            return marks
        self.take()
        while self.peek() != "]":
            word = self.take()
            if self.peek() == "=":
                self.at += 2
            elif word.lower() in _MEANING:
                marks.add(_MEANING[word.lower()])
        self.take()
        return marks

    def join(self, first: list[str], edge: str, second: list[str]) -> None:
        if edge not in _EDGES:
            raise Unsupported(
                f"the edge `{edge}` leaves its direction open; write `->`, `<-` or `<->`"
            )
        if edge == "<->":
            self.content.bidirected += product(first, second)
        else:
            pairs = product(first, second) if edge == "->" else product(second, first)
            self.content.directed += pairs

    def is_open_edge(self) -> bool:
        return self.peek().startswith(("--", "@", "<-@"))

    def peek(self, ahead: int = 0) -> str:
        """Return a token without taking it, "" after the end."""
        place = self.at + ahead
        return self.tokens[place][0] if place < len(self.tokens) else ""

    def take(self) -> str:
        if not self.peek():
            raise self.error("the text ends too early: a closing brace or bracket is missing")
        self.at += 1
        return self.tokens[self.at - 1][0]

    def expect(self, token: str) -> None:
        if self.peek() != token:
            raise self.error(f"`{token}` is missing")
        self.take()

    def error(self, problem: str) -> ParseError:
        place = self.tokens[self.at][1] if self.at < len(self.tokens) else len(self.text)
        return ParseError(self.text, place + 1, problem)
