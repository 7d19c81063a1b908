"""Stochastic networks by the Euler-Maruyama method (Kloeden & Platen 1992, section 10.2).

    x_i(t + h) = x_i + f_i h + sum_s g_is dW_s

with one source s of noise per variable and node, or as `noise` says. dW over a whole step is
sqrt(h) Z, and Z depends on (seed, sample, step, `W(x[gene7])`) alone, as in
`physcm.sim.stochastic`, where also what happens inside a step is dealt with.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.draws import keys, normals
from physcm.sim.network.names import labelled
from physcm.sim.network.plan import NetworkPlan, NetworkView
from physcm.sim.network.structure import Structure
from physcm.sim.network.wiring import Places
from physcm.sim.stochastic.motion import Motion
from physcm.sim.stochastic.wiener import Wiener
from physcm.sim.transitions import Jump


class NetworkMotion(Motion[NetworkView]):
    """The motion of a network by the Euler-Maruyama method."""

    def __init__(self, plan: NetworkPlan, step: float) -> None:
        """Take steps of one length."""
        self.plan, self.structure = plan, plan.network.structure
        names = (name for _, names in _sources(self.structure) for name in names)
        self.sources = {name: place for place, name in enumerate(dict.fromkeys(names))}
        self.wiener = Wiener(
            plan.seed, tuple(self.sources), plan.samples, step, areas=False, known=self._whole
        )
        self.pair, self.draws = -1, (np.empty((0, 0)), np.empty((0, 0)))
        self.rows: dict[int, list[tuple[Places, Places]]] = {}

    @property
    def jumps(self) -> Mapping[str, Jump]:
        """Return nothing: networks have no jumps at random times."""
        return MappingProxyType({})

    def step(
        self, view: NetworkView, columns: Places, t: float, x: Floats, k: int, begin: float,
        end: float,
    ) -> Floats:  # fmt: skip
        """Return the states after a step, or a part of it."""
        h, w = self.wiener.step, self.wiener.piece(k, columns, begin, end).w
        drift, amplitudes = view.field.of(columns).moves(t + begin * h, x)
        y = x + (end - begin) * h * drift
        flattened = [row for group in amplitudes for row in group]
        for (at, own), amplitude in zip(self._rows(view), flattened, strict=True):
            y[at] += amplitude * w[own]
        return y

    def why(self, view: NetworkView, column: int, t: float, x: Floats, grew: bool) -> str:
        """Return nothing: that is told from the values."""
        return ""

    @cached_property
    def _keys(self) -> NDArray[np.uint64]:
        return keys(self.plan.seed, (f"W({name})" for name in self.sources))

    def _whole(self, k: int, columns: Places) -> Floats:
        """Return the increments over base step k, (sources, columns)."""
        h, compiled, samples = self.wiener.step, self.structure.compiled, self.plan.samples
        if compiled is None:
            return np.asarray(np.sqrt(h) * normals(self._keys, samples[columns], k))
        if self.pair != k // 2:
            self.pair, self.draws = k // 2, compiled.normals(self._keys, samples, k // 2)
        return np.asarray(np.sqrt(h) * self.draws[k % 2][:, columns])

    def _rows(self, view: NetworkView) -> list[tuple[Places, Places]]:
        """Return for each coefficient its states and their sources."""
        if id(view) not in self.rows:
            self.rows[id(view)] = [
                (at, np.array([self.sources[name] for name in names]))
                for at, names in _sources(view.field.structure)
            ]
        return self.rows[id(view)]


def _sources(structure: Structure) -> list[tuple[Places, list[str]]]:
    """Return for each coefficient of each group its states and the names of their sources."""
    network = structure.network
    return [
        (
            structure.rank[network.variables.index(state), group.nodes],
            [labelled(source, network.nodes[i]) for i in group.nodes],
        )
        for group in structure.groups
        for state, source in group.form.noise
    ]
