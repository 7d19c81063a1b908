"""The direct method in machine code, on all cores.

What happens is what `direct` does. Where its arithmetic is ordered otherwise, the time of a
firing may differ in the last digits.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.pool import cores, share
from physcm.mechanism.randomness import key
from physcm.sim.agendas import Agendas
from physcm.sim.gillespie import direct
from physcm.sim.gillespie.code import End, Layout, Row, module
from physcm.sim.gillespie.firing import Firings
from physcm.sim.gillespie.front import SOURCE, Integers, Record
from physcm.sim.modes import SystemView
from physcm.sim.status import RunStatus


@dataclass(frozen=True)
class FastMethod:
    """The reactions of one mode, firing; as `direct.DirectMethod`.

    Attributes:
        firings: the reactions.
        record: of all samples.
        agendas: of the samples.
        text: of the machine code.
    """

    firings: Firings
    record: Record
    agendas: Agendas[SystemView]
    text: str

    @classmethod
    def of(cls, firings: Firings, record: Record, agendas: Agendas[SystemView]) -> FastMethod:
        """Return the method for the reactions of a mode.

        Raises:
            Unsupported: for a function that machine code lacks.
        """
        return cls(firings, record, agendas, module(firings))

    def advance(self, columns: Integers, edges: Floats) -> None:
        """Fire until all times of a sample are saved, or something is to be done to it.

        Args:
            columns: which samples.
            edges: when their agendas have something next, (samples,).

        Raises:
            InvalidValue: for a negative propensity.
        """
        state = self._state(columns, edges)
        going = np.arange(columns.size)
        while going.size:
            end = self._run(state, going, columns)
            self._stop(state, columns, going[end == 0], RunStatus.TIME_LIMIT)
            self._stop(state, columns, going[end == End.BROKEN], RunStatus.DIVERGED)
            self._stop(state, columns, going[end == End.TIRED], RunStatus.STEP_LIMIT)
            going = self._undisturbed(state, columns, going[end == End.TURNED])
        self._put_back(state, columns)

    @cached_property
    def _layout(self) -> Layout:
        return Layout.of(self.firings)

    @cached_property
    def _code(self) -> Code:
        return compiled(self.text)

    def _state(self, columns: Integers, edges: Floats) -> Floats:
        """Return what the samples keep, in rows as a block has them."""
        view, record, layout = self.firings.view, self.record, self._layout
        state = np.zeros((layout.kept, columns.size))
        for row, values in (
            (Row.NOW, record.now), (Row.LEFT, record.left), (Row.PICK, record.pick),
            (Row.NUMBER, record.number), (Row.REACHED, record.reached),
            (Row.MOST, record.number + direct.MOST_FIRINGS),
            (Row.NEXT, record.times[record.reached]),
        ):  # fmt: skip
            state[row] = values[columns]
        state[Row.EDGE] = edges
        state[Row.SAMPLE] = record.modes.samples[columns].view(np.float64)
        p = view.p[:, columns]
        x = record.values[view.rows[:, np.newaxis], columns]
        parts = *self.firings.lattice.place(x, p), p
        state[layout.x0 : layout.truth] = np.concatenate(parts)
        return state

    def _run(self, state: Floats, going: Integers, columns: Integers) -> Floats:
        """Run samples until they leave the loop; return why they did (`End`)."""
        from physcm.sim.gillespie.kernel import run

        state[Row.END, going] = 0
        layout, record, system = self._layout, self.record, self.firings.view.system
        code = tuple(map(self._code.address, ("look", "fire", "outputs")))
        # The same 64 bits, as a signed integer.
        word = int(np.uint64(key(record.modes.seed, SOURCE)).astype(np.int64))
        shape = (
            layout.truth, layout.seen, layout.seen, layout.x, len(system.states), layout.out,
            len(system.derived), layout.rows,
        )  # fmt: skip

        def work(low: int, high: int, stop: NDArray[np.int64]) -> None:
            run(
                code, word, shape, state, going, columns, record.times, self.firings.view.order,
                record.saved, direct.MOST_FIRINGS, low, high, stop,
            )  # fmt: skip

        seconds = record.deadline - time.monotonic()
        share(work, going.size, threads=cores(), grain=LANES, seconds=seconds)
        return np.asarray(state[Row.END, going])

    def _undisturbed(self, state: Floats, columns: Integers, turned: Integers) -> Integers:
        """Take note of conditions that have turned; return where nothing is to be done."""
        seen = state[self._layout.seen : self._layout.kept, turned] > 0
        return np.asarray(turned[~self.agendas.notice(columns[turned], seen)])

    def _stop(self, state: Floats, columns: Integers, which: Integers, status: RunStatus) -> None:
        """End samples early, unless it is for a negative propensity, which is refused."""
        negative = which[state[Row.LEAST, which] < 0]
        if negative.size:
            those = columns[negative]
            propensities = self.firings.propensities.vector(
                0.0, self._states(state)[:, negative], self.firings.view.p[:, those]
            )
            samples = self.record.modes.samples[those]
            self.firings.refuse_negative(propensities, state[Row.NOW, negative], samples)
        self.record.status[columns[which]] = status
        state[Row.REACHED, which] = self.record.times.size - 1

    def _states(self, state: Floats) -> Floats:
        layout = self._layout
        x0, unit, count = np.split(state[layout.x0 : layout.p], 3)
        return np.asarray(x0 + unit * count)

    def _put_back(self, state: Floats, columns: Integers) -> None:
        record = self.record
        record.now[columns], record.left[columns] = state[Row.NOW], state[Row.LEFT]
        record.pick[columns], record.number[columns] = state[Row.PICK], state[Row.NUMBER]
        record.reached[columns] = state[Row.REACHED]
        full = self.firings.view.completed(state[Row.NOW], self._states(state), columns)
        record.values[:, columns] = full
