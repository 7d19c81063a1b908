"""The machine code of one mode of a stochastic system, and the noise that drives it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.module import module
from physcm.mechanism.lanes.normals import normals_code
from physcm.mechanism.lanes.pool import share
from physcm.mechanism.randomness import key
from physcm.sim.modes import SystemView
from physcm.sim.stochastic.ensemble import Ensemble
from physcm.sim.stochastic.motion import SystemMotion
from physcm.sim.triggers import watched

Integers = NDArray[np.int64]


class Stretch:
    """Base steps of the samples of a run while they are in one mode."""

    def __init__(
        self, ensemble: Ensemble[SystemView], motion: SystemMotion, view: SystemView, threads: int
    ) -> None:
        """Compile the steps, the conditions that are watched and the intensities of jumps.

        Raises:
            Unsupported: for a function that lanes do not have.
        """
        e, system = ensemble, view.system
        jumps = tuple(jump.rate for jump in motion.jumps.values())
        self.e, self.view, self.threads, self.wiener = e, view, threads, motion.wiener
        self.code = _code(
            system.name, motion.scheme(view).program,
            system.program(tuple(watched(e.plan.triggers))), system.program(jumps),
        )  # fmt: skip
        self.has_jumps, self.normals = bool(jumps), normals_code()
        self.keys = np.array([self._keys(form) for form in ("W({})", "Z({})")])
        self.inner_keys = np.ascontiguousarray(self._keys("W({})/bridge")[:, 0])
        nothing = np.empty((len(motion.wiener.sources), e.lost.size, 0))
        self.given = nothing if motion.noise is None else np.ascontiguousarray(motion.noise)

    def walk(
        self, columns: Integers, until: Integers, first: int, slots: Integers, seconds: float
    ) -> tuple[Floats, Floats, Integers, Integers]:
        """Take whole base steps, as `fused.walk.walk` does.

        Returns:
            The states of the samples, what is left on the clocks of their jumps, the step that
            each takes next, and how each walk ended.
        """
        from physcm.sim.fused.walk import walk

        e, rows, (step, watch, rates) = self.e, self.view.rows, self._addresses()
        code = step, self.normals.address("normals_each"), watch, rates
        keys = np.concatenate(self.keys) if self.wiener.areas else self.keys[0]
        p, truth, left = self._parameters(columns), e.agendas.seen(columns), e.clocks.left
        shape = len(p), len(truth), len(left)
        state = np.concatenate([p, truth, left[:, columns], e.full[np.ix_(rows, columns)]])
        at, status = e.at[columns], np.zeros(columns.size, dtype=np.int64)
        own = np.array([at, until, status, columns, e.plan.samples[columns]])

        def work(low: int, high: int, stop: Integers) -> None:
            walk(
                code, keys, shape, state, own, rows, self.given, e.grid.begin, e.grid.step, first,
                slots, e.saved, low, high, stop,
            )  # fmt: skip

        share(work, columns.size, threads=self.threads, grain=LANES, seconds=seconds)
        x, (at, _, status, *_) = len(state) - rows.size, own
        return state[x:], state[x - len(left) : x], at, status

    def go_on(
        self, columns: Integers, x: Floats, position: Floats, status: Integers, armed: Floats,
        truth: Floats, left: Floats, seconds: float,
    ) -> None:  # fmt: skip
        """Go on inside a base step in place, as `fused.inside.go_on` does."""
        from physcm.mechanism.lanes.native import library_function
        from physcm.sim.fused.inside import go_on

        e = self.e
        samples, p = e.plan.samples[columns], self._parameters(columns)
        quantile = library_function("ndtri")
        either = np.array([trigger.either for trigger in e.plan.triggers], dtype=bool)

        def work(low: int, high: int, stop: Integers) -> None:
            go_on(
                self._addresses(), self.normals.address("normals"), quantile, self.keys,
                self.inner_keys, samples, columns, self.view.rows, x, p, self.given, e.grid.begin,
                e.grid.step, self.wiener.areas, e.at[columns], position, e.due[columns], either,
                armed, truth, left, e.grid.inside, e.grid.inside_slots, e.saved, status, low,
                high, stop,
            )  # fmt: skip

        share(work, columns.size, threads=self.threads, grain=1, seconds=seconds)

    def _addresses(self) -> tuple[int, int, int]:
        address, watches = self.code.address, bool(self.e.plan.triggers)
        return (
            address("step"),
            address("watch") if watches else 0,
            address("rates") if self.has_jumps else 0,
        )

    def _parameters(self, columns: Integers) -> Floats:
        """Return the parameters of samples, and at last the length of a step."""
        return np.concatenate(
            [self.view.p[:, columns], np.full((1, columns.size), self.e.grid.step)]
        )

    def _keys(self, form: str) -> Integers:
        """Return the key of each source in all lanes, (sources, LANES)."""
        seed, sources = self.wiener.seed, self.wiener.sources
        keys = np.array([key(seed, form.format(source)) for source in sources], np.uint64)
        return np.repeat(keys.view(np.int64)[:, np.newaxis], LANES, axis=1)


@lru_cache(maxsize=256)
def _code(name: str, step: Program, watch: Program, rates: Program) -> Code:
    others = {"watch": watch, "rates": rates}
    some = {k: program for k, program in others.items() if program.outputs}
    return compiled(module(name, {"step": step, **some}))
