"""The machine code of a network's forms, and loops over its edges and nodes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import NotCompiled, Unsupported
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.module import module
from physcm.mechanism.lanes.normals import normals_code

if TYPE_CHECKING:
    from physcm.sim.network.structure import Group, Structure

Places = NDArray[np.int64]


def compiled_forms(structure: Structure) -> Compiled | None:
    """Return the machine code of a network's forms, None where NumPy has to do."""
    try:
        return Compiled(structure)
    except Unsupported:
        return None
    except NotCompiled as error:
        warnings.warn(f"{error}; NumPy evaluates the network instead", stacklevel=2)
        return None


@dataclass(frozen=True, eq=False)
class Compiled:
    """The same sums and rates as `Field` takes in NumPy.

    Attributes:
        structure: of the network.

    Raises:
        Unsupported: for a function that lanes do not have.
        NotCompiled: where this machine's compiler refuses the code.
    """

    structure: Structure

    def __post_init__(self) -> None:
        """Compile all forms."""
        from physcm.mechanism.lanes.native import require_kernels  # brings Numba

        require_kernels()
        _ = self._coupling, [self._code(group.rates) for group in self.structure.groups]

    def inputs(self, t: float, x: Floats, p: Floats) -> Floats:
        """Return I = B h(x_cause, x_effect), (inputs, nodes, samples)."""
        from physcm.sim.fused.couplings import couple

        received = np.zeros((len(self.structure.network.inputs), *x.shape[1:]))
        couple(
            self._coupling.address("f"), t, x, self._variables, self._ends, p, self._order,
            self.structure.network.wiring.effects, 0, self._order.size, received,
        )  # fmt: skip
        return received

    def at_nodes(
        self, group: Group, program: Program, t: float, x: Floats, received: Floats, p: Floats
    ) -> Floats:
        """Return what a program of the nodes of a form gives, (outputs, nodes, samples)."""
        from physcm.sim.fused.couplings import at_nodes

        values = np.empty((len(program.outputs), group.nodes.size, x.shape[2]))
        at_nodes(
            self._code(program).address("f"), t, x, received, group.states, group.nodes, p,
            0, group.nodes.size, values,
        )  # fmt: skip
        return values

    def normals(
        self, keys: NDArray[np.uint64], samples: NDArray[np.int64], pair: int
    ) -> tuple[Floats, Floats]:
        """Return the normal draws of sources for the steps 2 pair and 2 pair + 1.

        Each is (sources, samples); keys are (sources, 1).
        """
        from physcm.sim.fused.couplings import draw_pair

        even, odd = np.empty((2, keys.size, samples.size))
        words = keys[:, 0].view(np.int64)
        draw_pair(normals_code().address("normals"), words, samples, pair, even, odd)
        return even, odd

    def _code(self, program: Program) -> Code:
        return _compiled(program, self.structure.network.name)

    @cached_property
    def _coupling(self) -> Code:
        return self._code(self.structure.coupling)

    @cached_property
    def _variables(self) -> Places:
        names = self.structure.network.variables
        return np.array([names.index(r.what) for r in self.structure.reads], dtype=np.int64)

    @cached_property
    def _ends(self) -> Places:
        ends = [self.structure.ends(read.end) for read in self.structure.reads]
        return np.array(ends, dtype=np.int64).reshape(len(ends), self._order.size)

    @cached_property
    def _order(self) -> Places:
        return np.argsort(self.structure.network.wiring.effects, kind="stable")


@lru_cache(maxsize=256)
def _compiled(program: Program, name: str) -> Code:
    return compiled(module(name, {"f": program}))
