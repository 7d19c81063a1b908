"""Networks as JSON text, out and in without loss."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import numpy as np

from physcm.mechanism.errors import InvalidFile
from physcm.mechanism.expression import to_text
from physcm.mechanism.parser import parse
from physcm.mechanism.values import as_value, from_plain, to_plain
from physcm.sim.network.column import Column
from physcm.sim.network.names import Nodes
from physcm.sim.network.wiring import Wiring
from physcm.sim.plain import intervention_record, read_intervention
from physcm.sim.system import System

if TYPE_CHECKING:
    from physcm.sim.network.network import Network


def write(network: Network) -> str:
    """Return a network as JSON text."""
    wiring = network.wiring
    return json.dumps(
        {
            "name": network.name,
            "nodes": wiring.nodes.names,
            "causes": wiring.causes.tolist(),
            "effects": wiring.effects.tolist(),
            "variables": network.variables,
            "forms": [form.to_toml() for form in network.forms],
            "form": network.form.tolist(),
            "edge": {name: to_text(form) for name, form in network.edge.items()},
            "node_parameters": dict(network.node_parameters),
            "edge_parameters": dict(network.edge_parameters),
            "parameters": {k: to_plain(value) for k, value in network.parameters.items()},
            "types": network.types,
            "schedule": [intervention_record(entry) for entry in network.schedule],
        },
        default=Column.plain,
    )


def fields(text: str) -> dict[str, Any]:
    """Return the fields of the network that `write` wrote, its schedule as a user writes one.

    Raises:
        InvalidFile: for text that `write` did not write.
    """
    try:
        plain = json.loads(text, object_hook=_column)
        nodes = Nodes.of(plain["nodes"])
        parameters = {k: from_plain(value) for k, value in plain["parameters"].items()}
        return {
            "wiring": Wiring(
                nodes, np.array(plain["causes"], np.int64), np.array(plain["effects"], np.int64)
            ),
            "variables": tuple(plain["variables"]),
            "forms": tuple(System.from_dict(tomllib.loads(form)) for form in plain["forms"]),
            "form": np.array(plain["form"], np.int64),
            "edge": {name: parse(form) for name, form in plain["edge"].items()},
            "node_parameters": plain["node_parameters"],
            "edge_parameters": plain["edge_parameters"],
            "parameters": {
                k: as_value(value, parameters, f"parameter `{k}`")
                for k, value in parameters.items()
            },
            "types": None if plain["types"] is None else tuple(plain["types"]),
            "name": plain["name"],
            "schedule": tuple(
                read_intervention(entry, f"schedule, entry {i + 1}")
                for i, entry in enumerate(plain["schedule"])
            ),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidFile(
            f"`{text[:40]}` is not the text of a network ({error}); give what to_json wrote"
        ) from None


def _column(mapping: dict[str, Any]) -> Any:
    return Column.from_plain(mapping) if mapping.keys() == {"numbers", "random"} else mapping
