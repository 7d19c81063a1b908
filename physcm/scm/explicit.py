"""Explicit mechanisms, one after the other: X = h(what is known by then).

All are evaluated on a piece of the samples before the next piece, which keeps what they read
and write in the cache, and the pieces are shared out among threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.lanes.pool import in_pieces
from physcm.mechanism.linearization import EPSILON, Flags
from physcm.mechanism.magnitude import size_of_terms
from physcm.scm.block import Block, confined


def is_explicit(block: Block) -> bool:
    """Say whether a block is one mechanism that does not read its own variable."""
    return len(block.unknowns) == 1 and block.explicit[0] is not None


def evaluated(block: Block, p: Floats) -> tuple[Floats, Flags]:
    """Return the values of an explicit mechanism, (1, columns), and which are solutions.

    Values that are not finite and those outside of the domain are none.
    """
    nothing = np.empty((0, p.shape[1]))
    value, sizes = _programs(block)
    x = value.vector(0.0, nothing, p)
    if np.isinf(block.domains[0]).all():
        return x, np.isfinite(x[0])
    error = EPSILON * np.nan_to_num(sizes.vector(0.0, nothing, p), posinf=0.0)
    x, inside = confined(block, x, error)
    return x, inside & np.isfinite(x[0])


@lru_cache(maxsize=1024)
def _programs(block: Block) -> tuple[Program, Program]:
    """Return what computes the mechanism, and the sizes of its terms."""
    h = block.explicit[0]
    value, size = (Program.over((), block.known, {}, (e,)) for e in (h, size_of_terms(h)))
    return value, size


def followed(
    blocks: Sequence[Block], values: Mapping[str, Floats], columns: int
) -> tuple[Floats, Flags]:
    """Return the values of explicit mechanisms, of which later ones may read earlier ones.

    Args:
        blocks: one mechanism each.
        values: what is known, by name, (columns) each.
        columns: how many.

    Returns:
        The values, (blocks, columns), and in which columns all are solutions.
    """
    x, sound = np.empty((len(blocks), columns)), np.ones(columns, bool)
    read = {name for block in blocks for name in block.known} & values.keys()

    def work(piece: slice) -> None:
        own = {name: values[name][piece] for name in read}
        for row, block in enumerate(blocks):
            p = np.array([own[name] for name in block.known])
            p = p.reshape(len(block.known), sound[piece].size)
            (x[row, piece],), fine = evaluated(block, p)
            sound[piece] &= fine
            own[block.unknowns[0]] = x[row, piece]

    in_pieces(work, columns)
    return x, sound
