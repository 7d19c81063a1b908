"""Stretches of base steps in which nothing happens but the steps, in blocks of samples."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.module import module
from physcm.mechanism.lanes.normals import normals_code
from physcm.mechanism.randomness import key
from physcm.sim.fused.pool import share
from physcm.sim.stochastic.schemes import Scheme
from physcm.sim.stochastic.wiener import Wiener


class Stretch:
    """The machine code of one mode, and the noise that drives it."""

    def __init__(self, scheme: Scheme, wiener: Wiener, name: str) -> None:
        """Compile the steps of a scheme.

        Raises:
            Unsupported: for a function that lanes do not have.
        """
        self.code, self.normals = _step_code(scheme.program, name), normals_code()
        self.wiener = wiener
        self.keys = [self._keys(letter) for letter in ("WZ" if scheme.areas else "W")]

    def _keys(self, letter: str) -> NDArray[np.int64]:
        """Return the key of each source in all lanes, (sources, LANES)."""
        seed, sources = self.wiener.seed, self.wiener.sources
        keys = np.array([key(seed, f"{letter}({source})") for source in sources], np.uint64)
        return np.repeat(keys.view(np.int64)[:, np.newaxis], LANES, axis=1)

    def go(
        self, x: Floats, p: Floats, samples: NDArray[np.int64], begin: float, first: int,
        last: int, slots: NDArray[np.int64], out: Floats, seconds: float, threads: int,
    ) -> bool:  # fmt: skip
        """Take base steps first, ..., last - 1 in place; return whether there was time for it.

        Args:
            x: (states, samples).
            p: (parameters, samples).
            samples: their numbers.
            begin: the time of step 0.
            first: the first step.
            last: the first beyond.
            slots: where to save the state after each step in `out`, -1 for nowhere.
            out: (states, samples, times).
            seconds: how long it may take.
            threads: how many run at once.
        """
        from physcm.sim.fused.walk import walk

        h = self.wiener.step
        rows = np.concatenate([p, np.full((1, x.shape[1]), h)])
        keys, areas = self.keys[0], self.keys[1] if len(self.keys) == 2 else self.keys[0][:0]

        def work(low: int, high: int, stop: NDArray[np.int64]) -> None:
            walk(
                self.code.address("step"), self.normals.address("normals"), keys, areas, samples,
                x, rows, begin, h, first, last, slots, out, low, high, stop,
            )  # fmt: skip

        return share(work, x.shape[1], threads=threads, grain=LANES, seconds=seconds)


@lru_cache(maxsize=256)
def _step_code(program: Program, name: str) -> Code:
    return compiled(module(name, {"step": program}))
