"""Simulated trajectories of a network as a labelled dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

import physcm
from physcm.mechanism.codegen import Floats
from physcm.sim.network.column import Column
from physcm.sim.network.field import Field
from physcm.sim.network.graph import acting
from physcm.sim.network.names import labelled
from physcm.sim.network.network import Network
from physcm.sim.network.values import Values
from physcm.sim.status import RunStatus, flags
from physcm.sim.trouble import LIMITS, limit, listed


@dataclass(frozen=True, eq=False)
class Piece:
    """Some samples of a run.

    Attributes:
        values: their parameters.
        variables: shape (variables, samples, times, nodes).
        ended: how each of them ended.
    """

    values: Values
    variables: Floats
    ended: Sequence[RunStatus]


def completed(field: Field, times: Floats, states: Floats) -> Floats:
    """Return all variables, (variables, samples, times, nodes), from (states, samples, times)."""
    rows, nodes = field.structure.evolving.shape
    variables = np.empty((rows, states.shape[1], times.size, nodes))
    for k, t in enumerate(times):
        variables[:, :, k] = field.variables(t, states[:, :, k]).transpose(0, 2, 1)
    return variables


def as_dataset(
    network: Network, times: Floats, pieces: Sequence[Piece], settings: Mapping[str, Any]
) -> xr.Dataset:
    """Return the dataset of a run.

    Args:
        network: what was simulated.
        times: the saved times.
        pieces: the samples, in their order.
        settings: what it takes to repeat the run, besides the network.
    """
    values = np.concatenate([piece.variables for piece in pieces], axis=1)
    variables: dict[str, Any] = {
        name: (("sample", "time", "node"), rows)
        for name, rows in zip(network.variables, values, strict=True)
    }
    acts = acting(network)
    drawn = [piece.values for piece in pieces]
    variables |= {k: ("sample", _whole(k, pieces)) for k in network.parameters}
    variables |= {
        name: _column(column, [v.nodes[name] for v in drawn], "node")
        for name, column in network.node_parameters.items()
        if not name.endswith("(0)")
    }
    variables |= {
        name: _column(column.keep(acts), [v.edges[name][acts] for v in drawn], "edge")
        for name, column in network.edge_parameters.items()
    }
    ended = [status for piece in pieces for status in piece.ended]
    variables["status"] = flags(ended, RunStatus)
    nodes = np.array(network.nodes)
    coordinates = {
        "sample": np.arange(values.shape[1]),
        "time": times,
        "node": nodes,
        "cause": ("edge", nodes[network.wiring.causes[acts]]),
        "effect": ("edge", nodes[network.wiring.effects[acts]]),
    }
    if network.types is not None:
        coordinates["type"] = ("node", np.array(network.types))
    attributes = {
        "title": network.name,
        "network": network.to_json(),
        "physcm_version": physcm.__version__,
        **settings,
    }
    bad = np.flatnonzero(~np.isfinite(values).all(axis=(0, 2, 3)))
    told = {int(k): _lost(network, times, values[:, k], ended[k]) for k in bad}
    if told:
        attributes["trouble"] = listed(told)
    return xr.Dataset(variables, coords=coordinates, attrs=attributes)


def _lost(network: Network, times: Floats, values: Floats, status: RunStatus) -> str:
    """Say which variable first has no finite value, where and when, or what limit was met.

    The values are (variables, times, nodes).
    """
    bad = ~np.isfinite(values)
    at = int(bad.any(axis=(0, 2)).argmax())
    if status in LIMITS:
        return limit(status, times[max(at - 1, 0)])
    variable, node = np.argwhere(bad[:, at])[0]
    name = labelled(network.variables[variable], network.nodes[node])
    return f"at t = {times[at]:.6g} `{name}` has no finite value"


def _whole(name: str, pieces: Sequence[Piece]) -> Floats:
    parts = [(piece.values.whole[name], (len(piece.ended),)) for piece in pieces]
    return np.concatenate([np.broadcast_to(values, shape) for values, shape in parts])


def _column(column: Column, drawn: Sequence[Floats], dimension: str) -> tuple[Any, Floats]:
    """Return values over their items, and over `sample` where samples differ."""
    if not column.random:
        return dimension, drawn[0][:, 0]
    return ("sample", dimension), np.concatenate(drawn, axis=1).T
