"""JSON, physcm's own format for graphs: versioned, lossless, and data only.

    {"format": "physcm.graph", "version": 1,
     "nodes": ["x", "y"], "directed": [["x", "y"]], "bidirected": [["x", "y"]]}

Directed edges run cause -> effect; `nodes` names every node, in the order of display.
"""

from __future__ import annotations

import json
from typing import Any

from physcm.mechanism.errors import InvalidFile, InvalidValue
from physcm.scm.graph import MixedGraph

_FORMAT, _VERSION = "physcm.graph", 1
_EDGES = ("directed", "bidirected")
_KEYS = {"format", "version", "nodes", *_EDGES}


def to_json(graph: MixedGraph) -> str:
    """Return a graph as JSON.

    >>> print(to_json(MixedGraph([("x", "y")])))
    {"format": "physcm.graph", "version": 1, "nodes": ["x", "y"],
     "directed": [["x", "y"]], "bidirected": []}
    """
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "nodes": graph.nodes,
        "directed": sorted(graph.directed),
        "bidirected": sorted(graph.bidirected),
    }
    return json.dumps(content, ensure_ascii=False)


def from_json(text: str) -> MixedGraph:
    """Return the graph in a JSON text.

    Raises:
        InvalidFile: for text that is no JSON, has another format or version, lacks a key, has an
            unknown one, or has an edge at an undeclared node.

    >>> from_json(to_json(MixedGraph([("x", "y")], nodes=["z"])))
    MixedGraph(x -> y, z)
    """
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidFile(f"the text is not JSON: `{error}`; give the text of to_json") from error
    _check(content)
    try:
        graph = MixedGraph(content["directed"], content["bidirected"], content["nodes"])
    except (InvalidValue, TypeError) as error:
        raise InvalidFile(f"the graph is malformed: {error}") from error
    if list(graph.nodes) != content["nodes"]:
        raise InvalidFile(
            f"the nodes are `{content['nodes']}`, and the edges say `{list(graph.nodes)}`; "
            "name every node once"
        )
    return graph


def _check(content: Any) -> None:
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise InvalidFile(f'the text is not a graph of physcm; its "format" must be `{_FORMAT}`')
    if content.get("version") != _VERSION:
        raise InvalidFile(
            f"the version is `{content.get('version')}`, and this physcm reads {_VERSION}; "
            "upgrade physcm"
        )
    for key in _KEYS ^ content.keys():
        problem = "is missing" if key in _KEYS else "is unknown"
        raise InvalidFile(f"the key `{key}` {problem}; the keys are {', '.join(sorted(_KEYS))}")
    for key in ("nodes", *_EDGES):
        if not isinstance(content[key], list):
            raise InvalidFile(f"`{key}` is `{content[key]}`; give a list")
