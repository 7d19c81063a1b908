"""Base steps in NumPy, where there is no machine code for what is asked.

All samples of a mode take a step together. A sample to which something happens on the way (a
window edge, an impulse, a located trigger, a random jump) takes it in pieces that end exactly
there. A saved time inside a step is reached by a step to the side, of which the run itself takes
no notice.

Where a condition is another at the end of a piece than at its beginning, the piece is halved, and
the first half searched if it is another at the middle already, else the second. The places at
which the path is asked are those at which the Brownian bridge is built. An intensity of jumps
counts as constant within a piece.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.agendas import Agendas
from physcm.sim.status import RunStatus
from physcm.sim.stochastic.ensemble import Ensemble
from physcm.sim.stochastic.grid import MOST_PIECES, SNAP
from physcm.sim.stochastic.motion import ItsView
from physcm.sim.stochastic.wiener import between

Columns = NDArray[np.int64]
Mask = NDArray[np.bool_]


def take_step(e: Ensemble[ItsView], k: int) -> None:
    """Take one base step with all samples."""
    going, groups, before = e.going, list(e.agendas.by_mode(e.going)), e.full.copy()
    for view, columns in groups:
        e.save_inside(k, view, columns, before[:, columns], 0.0, 1.0)
        e.full[:, columns] = e.advanced(k, view, columns, before[:, columns], 0.0, 1.0)
    late = e.due <= e.grid.time(k + 1) + SNAP * e.grid.step
    busy = (late | _disturbed(e, k, groups, before)) & ~e.lost
    for column in np.flatnonzero(busy):
        e.full[:, column] = before[:, column]
        take_in_pieces(e, k, int(column))
    note_losses(e, k, groups, before)
    e.at[going] = k + 1
    e.save_edges(going, k + 1)


def note_losses(
    e: Ensemble[ItsView], k: int, groups: list[tuple[ItsView, Columns]], before: Floats
) -> None:
    """Take note of samples that are lost in a step."""
    for view, columns in groups:
        gone = columns[~np.isfinite(e.full[np.ix_(e.rows, columns)]).all(axis=0)]
        e.losses.note(view, gone, e.grid.time(k), before[np.ix_(view.rows, gone)])
        e.lose(gone)


def _disturbed(
    e: Ensemble[ItsView], k: int, groups: list[tuple[ItsView, Columns]], before: Floats
) -> Mask:
    """Mark the samples that a trigger or a random jump interrupts in a step."""
    marks, begin, end = np.zeros(e.lost.size, dtype=bool), e.grid.time(k), e.grid.time(k + 1)
    for view, columns in groups:
        p = view.everything[:, columns]
        if e.plan.triggers:
            truth = e.plan.watch.vector(end, e.full[:, columns], p) > 0
            marks[columns] = (truth != e.agendas.seen(columns)).any(axis=0)
        if e.motion.jumps:
            rates = e.clocks.rates(begin, before[:, columns], p)
            marks[columns] |= (e.clocks.left[:, columns] <= rates * e.grid.step).any(axis=0)
            quiet = ~marks[columns] & (e.due[columns] > end + SNAP * e.grid.step)
            e.clocks.run(rates[:, quiet], e.grid.step, columns[quiet])
    return marks


def take_in_pieces(e: Ensemble[ItsView], k: int, column: int, position: float = 0.0) -> None:
    """Take (the rest of) a base step with one sample to which something happens on the way."""
    one = np.array([column])
    for _ in range(MOST_PIECES):
        ((view, _),) = e.agendas.by_mode(one)
        rates = e.clocks.rates(
            float(e.grid.time(k) + position * e.grid.step), e.full[:, one], view.everything[:, one]
        )
        end, ring = _piece_end(e, k, column, position, rates)
        reached = _piece(e, k, view, one, position, end)
        e.clocks.run(rates, (reached - position) * e.grid.step, one)
        position, now = reached, np.array([e.grid.time(k) + reached * e.grid.step])
        if not np.isfinite(e.full[e.rows, column]).all():
            return
        if ring >= 0 and reached == end:
            e.jump(ring, one, now)
        e.act(one, now)
        if position >= 1.0 or e.lost[column]:
            return
    e.losses.status[column] = RunStatus.STEP_LIMIT
    e.lose(one)


def _piece_end(
    e: Ensemble[ItsView], k: int, column: int, position: float, rates: Floats
) -> tuple[float, int]:
    """Return the fraction at which the next piece ends, and which jump ends it, if any."""
    end, ring = float(e.due[column] - e.grid.time(k)) / e.grid.step, -1
    end = 1.0 if end > 1.0 - SNAP else max(end, position)
    if e.motion.jumps:
        wait, which = e.clocks.first(rates[:, 0], column)
        if position + wait / e.grid.step < end:
            end, ring = position + max(wait, 0.0) / e.grid.step, which
    return end, ring


def _piece(
    e: Ensemble[ItsView], k: int, view: ItsView, one: Columns, begin: float, end: float
) -> float:
    """Go from one fraction of a base step to another, or to where a trigger fires before."""
    start = e.full[:, one]

    def at(place: float) -> Floats:
        return e.advanced(k, view, one, start, begin, place) if place > begin else start

    def truth(place: float) -> Mask:
        t, p = e.grid.time(k) + place * e.grid.step, view.everything[:, one]
        return np.asarray(e.plan.watch.vector(t, at(place), p) > 0)

    if e.plan.triggers and end > begin:
        end = _first_call(e.agendas, one, truth, begin, end)
    e.save_inside(k, view, one, start, begin, end)
    e.full[:, one] = at(end)
    return end


def _first_call(
    agendas: Agendas[ItsView], one: Columns, truth: Callable[[float], Mask], low: float,
    end: float,
) -> float:  # fmt: skip
    """Return where a piece ends: where a condition changes such that anything is to be done.

    Changes that call for nothing are noted and passed over.
    """

    def changed(place: float) -> bool:
        return bool((truth(place) != agendas.seen(one)).any())

    while changed(end):
        reached = end
        while reached - low > SNAP:
            middle = between(low, reached)
            low, reached = (low, middle) if changed(middle) else (middle, reached)
        if reached >= end or agendas.notice(one, truth(reached))[0]:
            return reached
        low = reached
    return end
