"""Networks: sums over edges and rates at nodes, in loops that nothing is expanded for.

`LANES` pairs of an edge and a sample, or of a node and a sample, are taken at a time. What they
read is gathered into the rows of a block, and the code of their form runs on all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.native import Kernel, invoke


@Kernel
def couple(
    code: int, t: float, x: Any, variables: Any, ends: Any, p: Any, order: Any, effects: Any,
    low: int, high: int, received: Any,
) -> None:  # fmt: skip
    """Add what the edges order[low], ..., order[high - 1] contribute to the inputs of nodes.

    Args:
        code: the address of the code of an edge.
        t: the time.
        x: all variables, (variables, nodes, samples).
        variables: which of them each row of an edge reads, (rows).
        ends: and at which node, (rows, edges).
        p: parameters of edges, (parameters, edges, samples or 1).
        order: the edges, sorted by their effects.
        effects: the node that each edge ends at.
        low: a position in the order.
        high: the first position beyond.
        received: the inputs, (inputs, nodes, samples).
    """
    many, wide = x.shape[2], p.shape[2] > 1
    now = np.full(LANES, t)
    rows, q = np.zeros((variables.size, LANES)), np.zeros((p.shape[0], LANES))
    out = np.zeros((received.shape[0], LANES))
    edge, sample = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    place, s = low, 0
    while place < high:
        filled = 0
        while filled < LANES and place < high:
            edge[filled], sample[filled] = order[place], s
            filled += 1
            s += 1
            if s == many:
                place, s = place + 1, 0
        for r in range(variables.size):
            for i in range(filled):
                rows[r, i] = x[variables[r], ends[r, edge[i]], sample[i]]
        for r in range(p.shape[0]):
            for i in range(filled):
                q[r, i] = p[r, edge[i], sample[i] if wide else 0]
        invoke(code, (now.ctypes.data, rows.ctypes.data, q.ctypes.data, out.ctypes.data))
        for r in range(received.shape[0]):
            for i in range(filled):
                received[r, effects[edge[i]], sample[i]] += out[r, i]


@Kernel
def at_nodes(
    code: int, t: float, x: Any, received: Any, states: Any, nodes: Any, p: Any, low: int,
    high: int, out: Any,
) -> None:  # fmt: skip
    """Write what the code gives for the nodes nodes[low], ..., nodes[high - 1].

    Args:
        code: the address of the code of a node, over its states and inputs.
        t: the time.
        x: all variables, (variables, nodes, samples).
        received: all inputs, (inputs, nodes, samples).
        states: which variables its states are.
        nodes: those of one form.
        p: their parameters, (parameters, nodes of the form, samples or 1).
        low: a position among the nodes.
        high: the first position beyond.
        out: (outputs, nodes of the form, samples).
    """
    many, wide, first = x.shape[2], p.shape[2] > 1, states.size
    now = np.full(LANES, t)
    rows, q = np.zeros((first + received.shape[0], LANES)), np.zeros((p.shape[0], LANES))
    result = np.zeros((out.shape[0], LANES))
    own, sample = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    place, s = low, 0
    while place < high:
        filled = 0
        while filled < LANES and place < high:
            own[filled], sample[filled] = place, s
            filled += 1
            s += 1
            if s == many:
                place, s = place + 1, 0
        for r in range(first):
            for i in range(filled):
                rows[r, i] = x[states[r], nodes[own[i]], sample[i]]
        for r in range(received.shape[0]):
            for i in range(filled):
                rows[first + r, i] = received[r, nodes[own[i]], sample[i]]
        for r in range(p.shape[0]):
            for i in range(filled):
                q[r, i] = p[r, own[i], sample[i] if wide else 0]
        invoke(code, (now.ctypes.data, rows.ctypes.data, q.ctypes.data, result.ctypes.data))
        for r in range(out.shape[0]):
            for i in range(filled):
                out[r, own[i], sample[i]] = result[r, i]


@Kernel
def draw_pair(normals: int, keys: Any, samples: Any, pair: int, even: Any, odd: Any) -> None:
    """Draw normals for two steps.

    Args:
        normals: the address of the code of normal draws.
        keys: of the sources, (sources).
        samples: their numbers, (samples).
        pair: half the number of the even step.
        even: the draws of that step, (sources, samples).
        odd: those of the step after it.
    """
    key, number = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    draws = np.zeros((2, LANES))
    first, second = draws[0].ctypes.data, draws[1].ctypes.data
    total = keys.size * samples.size
    for begin in range(0, total, LANES):
        filled = min(LANES, total - begin)
        for i in range(filled):
            source, column = divmod(begin + i, samples.size)
            key[i], number[i] = keys[source], samples[column]
        invoke(normals, (key.ctypes.data, number.ctypes.data, pair, first, second))
        for i in range(filled):
            source, column = divmod(begin + i, samples.size)
            even[source, column], odd[source, column] = draws[0, i], draws[1, i]
