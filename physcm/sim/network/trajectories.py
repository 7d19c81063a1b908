"""Simulated trajectories of a network as a labelled dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

import physcm
from physcm.mechanism.codegen import Floats
from physcm.sim.instants import Instants
from physcm.sim.network.column import Column
from physcm.sim.network.graph import acting
from physcm.sim.network.names import labelled
from physcm.sim.network.network import Network
from physcm.sim.network.plan import NetworkPlan
from physcm.sim.network.schedule import brought
from physcm.sim.status import RunStatus, flags
from physcm.sim.trouble import LIMITS, limit, listed


@dataclass(frozen=True, eq=False)
class Piece:
    """Some samples of a run.

    Attributes:
        plan: of these samples.
        full: the full vectors, (variables * nodes, samples, times).
        ended: how each sample ended.
        instants: what was done to samples at once; None if nothing could be.
        why: why each ended early, as far as it is known.
    """

    plan: NetworkPlan
    full: Floats
    ended: Sequence[RunStatus]
    instants: Instants | None
    why: Sequence[str]

    @property
    def variables(self) -> Floats:
        """All variables, (variables, samples, times, nodes)."""
        shape = self.plan.network.structure.evolving.shape
        return np.moveaxis(self.full.reshape(*shape, *self.full.shape[1:]), 1, 3)


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
    drawn = [piece.plan.view().field.values for piece in pieces]
    variables |= {k: ("sample", _whole(k, pieces)) for k in network.parameters}
    variables |= {
        name: _column(column, [v.nodes[name] for v in drawn], "node")
        for name, column in network.node_parameters.items()
        if not name.endswith("(0)")
    }
    variables |= {
        name: _column(column, [piece.plan.brought[name] for piece in pieces], "node")
        for name, column in brought(network).items()
    }
    variables |= {
        name: ("sample", np.concatenate([piece.plan.amounts[name] for piece in pieces]))
        for name in pieces[0].plan.amounts
    }
    variables |= {
        name: _column(column.keep(acts), [v.edges[name][acts] for v in drawn], "edge")
        for name, column in network.edge_parameters.items()
    }
    ended = [status for piece in pieces for status in piece.ended]
    variables["status"] = flags(ended, RunStatus)
    if network.schedule:
        variables |= _instants(network, [piece.instants for piece in pieces])
    nodes, samples = np.array(network.nodes), np.concatenate([p.plan.samples for p in pieces])
    coordinates = {
        "sample": samples,
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
    why = [text for piece in pieces for text in piece.why]
    told = {int(samples[k]): why[k] or _lost(network, times, values[:, k], ended[k]) for k in bad}
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


def _instants(network: Network, instants: Sequence[Instants | None]) -> dict[str, Any]:
    """Return when something was done, and each variable before and after, (sample, instant, node).

    Samples with fewer instants are filled up with NaN.
    """
    size = network.structure.evolving.size
    parts = [own.over_samples(size) for own in instants if own is not None]
    most = max(when.shape[1] for when, *_ in parts)
    when, *sides = (
        np.concatenate([_filled(values, most) for values in side], axis=-2)
        for side in zip(*parts, strict=True)
    )
    columns: dict[str, Any] = {"instant_time": (("sample", "instant"), when)}
    for side, values in zip(("before", "after"), sides, strict=True):
        rows = values.reshape(*network.structure.evolving.shape, *when.shape)
        for name, row in zip(network.variables, np.moveaxis(rows, 1, 3), strict=True):
            columns[f"{side}({name})"] = ("sample", "instant", "node"), row
    return columns


def _filled(values: Floats, length: int) -> Floats:
    """Return values with NaN behind, so that their last axis has a length."""
    behind = np.full((*values.shape[:-1], length - values.shape[-1]), np.nan)
    return np.concatenate([values, behind], axis=-1)


def _whole(name: str, pieces: Sequence[Piece]) -> Floats:
    parts = [(piece.plan.view().field.values.whole[name], (len(piece.ended),)) for piece in pieces]
    return np.concatenate([np.broadcast_to(values, shape) for values, shape in parts])


def _column(column: Column, drawn: Sequence[Floats], dimension: str) -> tuple[Any, Floats]:
    """Return values over their items, and over `sample` where samples differ."""
    if not column.random:
        return dimension, drawn[0][:, 0]
    return ("sample", dimension), np.concatenate(drawn, axis=1).T
