"""Explicit mechanisms, one after the other: X = h(what is known by then).

All are evaluated on a piece of the samples before the next piece, which keeps what they read
and write in the cache, and the pieces are shared out among threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.lanes.pool import in_pieces
from physcm.mechanism.lanes.vectors import WIDTH
from physcm.mechanism.linearization import EPSILON, Flags
from physcm.mechanism.magnitude import size_of_terms
from physcm.scm.block import Block, confined

if TYPE_CHECKING:
    from physcm.mechanism.lanes.formulas import Formula

_MANY = 65_536
"""From how many columns on compiling takes less time than it saves."""


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
) -> tuple[dict[str, Floats], Flags]:
    """Return the values of explicit mechanisms, of which later ones may read earlier ones.

    Args:
        blocks: one mechanism each.
        values: what is known, by name, (columns) each.
        columns: how many.

    Returns:
        The values by name, (columns) each, and in which columns all are solutions.
    """
    new = {block.unknowns[0]: np.empty(columns) for block in blocks}
    rows, sound = {**values, **new}, np.ones(columns, bool)
    steps = [*_steps(blocks, rows)] if columns >= _MANY else [partial(_in_numpy, blocks, rows)]

    def work(piece: slice) -> None:
        for step in steps:
            sound[piece] &= step(piece)

    in_pieces(work, columns)
    return new, sound


def _steps(
    blocks: Sequence[Block], rows: Mapping[str, Floats]
) -> Iterator[Callable[[slice], Flags]]:
    """Yield what evaluates mechanisms in turn, those in machine code that are the same there."""
    from physcm.mechanism.lanes.formulas import Formulas, formula  # brings the compiler

    def code(block: Block) -> Formula | None:
        confined = np.isfinite(block.domains[0]).any()
        return None if confined else formula(_programs(block)[0])

    for coded, part in groupby(blocks, lambda block: code(block) is not None):
        run = list(part)
        step = partial(_in_numpy, run, rows)
        if coded:
            formulas = {block.unknowns[0]: own for block in run if (own := code(block))}
            step = partial(_in_machine_code, Formulas(formulas, rows), step)
        yield step


def _in_machine_code(
    coded: Callable[[slice], Flags], other: Callable[[slice], Flags], piece: slice
) -> Flags:
    """Write the values of whole vectors of samples in machine code, and of the rest otherwise."""
    middle = piece.stop - (piece.stop - piece.start) % WIDTH
    sound = coded(slice(piece.start, middle))
    if middle == piece.stop:
        return sound
    return np.concatenate([sound, other(slice(middle, piece.stop))])


def _in_numpy(blocks: Sequence[Block], rows: Mapping[str, Floats], piece: slice) -> Flags:
    """Write the values of some samples; return where all are solutions."""
    sound = np.ones(piece.stop - piece.start, bool)
    for block in blocks:
        p = np.array([rows[name][piece] for name in block.known])
        (x,), fine = evaluated(block, p.reshape(len(block.known), sound.size))
        rows[block.unknowns[0]][piece] = x
        sound &= fine
    return sound
