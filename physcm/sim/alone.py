"""One sample's equilibrium, looked for with all that there is.

Its conservation laws are those of its own numbers: a rate that is set to 0, or a variable that is
held, may leave more states conserved than the mechanisms tell in general. What the flow does in
the long run is known, and Newton's method sets out from many points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.sim.certified import Certified, certified
from physcm.sim.equilibrium import EquilibriumEquations, scatter, stability
from physcm.sim.long_run import Limit
from physcm.sim.status import LimitStatus, RestStatus

_STARTS = 64
_FATES = {
    LimitStatus.PERIODIC: RestStatus.PERIODIC,
    LimitStatus.DIVERGED: RestStatus.DIVERGED,
    LimitStatus.STILL_MOVING: RestStatus.STILL_MOVING,
    LimitStatus.BROKEN_OFF: RestStatus.BROKEN_OFF,
}


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample of a system.

    Attributes:
        equations: the equilibrium equations.
        x0: its start, (states, 1).
        p: its parameters, (parameters, 1).
    """

    equations: EquilibriumEquations
    x0: Floats
    p: Floats

    @cached_property
    def total(self) -> Floats:
        """The conserved totals, (laws, 1)."""
        return self.equations.conserved(self.x0)

    def next_to(self, x: Floats, scale: Floats) -> Certified:
        """Return the equilibrium next to a state, both (states, 1)."""
        return certified(self.equations, x, self.p, self.total, scale)

    def rests_at(self, end: Floats) -> Certified | None:
        """Return the stable equilibrium next to the end of a flow, (states,), if there is one."""
        state = end[:, np.newaxis]
        found = self.next_to(state, np.maximum(np.abs(self.x0), np.abs(state)))
        return found if found.stability[0] == "stable" else None

    def explained(self, limit: Limit) -> tuple[Certified, RestStatus]:
        """Return the equilibrium, and how it was found or why there is none.

        Args:
            limit: what the flow does in the long run.
        """
        state = limit.state[:, np.newaxis]
        scale = np.where(limit.scale > 0, limit.scale, 1.0)[:, np.newaxis]
        if limit.status is LimitStatus.SETTLED:
            found = self.next_to(state, scale)
            exact = found if found.stability[0] else self.as_it_is(state, scale)
            return exact, RestStatus.REACHED
        spread = scatter(self.equations, scale[:, 0], self.total[:, 0], _STARTS)
        points = np.column_stack([state, self.x0, spread])
        roots, converged = self.equations.roots(points, self.p[:, 0], self.total[:, 0])
        fits = converged & self.equations.are_feasible(roots, scale)
        if fits.any():
            root = roots[:, fits][:, :1]
            return self.as_it_is(root, np.maximum(scale, np.abs(root))), RestStatus.FOUND
        return _nowhere(len(state)), _FATES[limit.status]

    def as_it_is(self, x: Floats, scale: Floats) -> Certified:
        """Return what is known of an equilibrium, (states, 1), that is taken as it is."""
        values = self.equations.eigenvalues(x[:, 0], self.p[:, 0], scale[:, 0])[np.newaxis]
        return Certified(x, values, np.array([stability(values[0])]), np.zeros(1, dtype=bool))


def _nowhere(states: int) -> Certified:
    """Return the absence of an equilibrium."""
    nothing, none = np.full((states, 1), np.nan), np.empty((1, 0), dtype=np.complex128)
    return Certified(nothing, none, np.array([""]), np.zeros(1, dtype=bool))
