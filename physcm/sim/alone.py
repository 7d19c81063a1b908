"""The equilibria of single samples, looked for with all that there is.

The conservation laws of a sample are those of its own numbers: a rate that is set to 0, or a
variable that is held, may leave more states conserved than the mechanisms tell in general. What
the flow does in the long run is known, and Newton's method sets out from many points, those of
all samples that share their equations together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.sim.certified import Certified, certified
from physcm.sim.equilibrium import EquilibriumEquations, stability
from physcm.sim.long_run import Limit
from physcm.sim.multistart import scatter, size_of_states
from physcm.sim.root_nearby import has_root_nearby
from physcm.sim.status import LimitStatus, RestStatus

_STARTS, _AT_ONCE = 64, 2**22
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
        """Return the stable equilibrium next to the end of a flow, (states,), if there is one.

        An end that is NaN is none.
        """
        if np.isnan(end).any():
            return None
        state = end[:, np.newaxis]
        found = self.next_to(state, np.maximum(np.abs(self.x0), np.abs(state)))
        return found if found.stability[0] == "stable" else None

    def settled(self, limit: Limit) -> Certified:
        """Return the equilibrium in which the flow settles."""
        state, scale = limit.state[:, np.newaxis], _scale(limit)
        found = self.next_to(state, scale)
        return found if found.stability[0] else self.as_it_is(state, scale)

    def starts(self, limit: Limit) -> Floats:
        """Return points from which Newton's method is to set out, (states, points)."""
        spread = scatter(
            self.equations, size_of_states(self.x0[:, 0], limit), self.total[:, 0], _STARTS
        )
        return np.column_stack([limit.state, self.x0, spread])

    def first(self, roots: Floats, limit: Limit) -> Certified | None:
        """Return the first of some roots, (states, any), that is feasible, if there is one."""
        scale = _scale(limit)
        for root in roots[:, self.equations.are_feasible(roots, scale)].T:
            size = np.maximum(scale[:, 0], np.abs(root))
            if has_root_nearby(self.equations, root, self.p[:, 0], self.total[:, 0], size):
                return self.as_it_is(root[:, np.newaxis], size[:, np.newaxis])
        return None

    def as_it_is(self, x: Floats, scale: Floats) -> Certified:
        """Return what is known of an equilibrium, (states, 1), that is taken as it is."""
        values = self.equations.eigenvalues(x[:, 0], self.p[:, 0], scale[:, 0])[np.newaxis]
        return Certified(x, values, np.array([stability(values[0])]), np.zeros(1, dtype=bool))


def explained(
    samples: Sequence[Sample], limits: Sequence[Limit]
) -> list[tuple[Certified, RestStatus]]:
    """Return the equilibrium of each sample, and how it was found or why there is none.

    Args:
        samples: of any systems.
        limits: what the flow of each does in the long run.
    """
    answers = {
        k: (one.settled(limit), RestStatus.REACHED)
        for k, (one, limit) in enumerate(zip(samples, limits, strict=True))
        if limit.status is LimitStatus.SETTLED
    }
    for group in _alike(samples, [k for k in range(len(samples)) if k not in answers]):
        roots = _roots([samples[k] for k in group], [limits[k] for k in group])
        for k, own in zip(group, roots, strict=True):
            found = samples[k].first(own, limits[k])
            missing = _nowhere(len(own)), _FATES[limits[k].status]
            answers[k] = missing if found is None else (found, RestStatus.FOUND)
    return [answers[k] for k in range(len(samples))]


def _alike(samples: Sequence[Sample], which: Sequence[int]) -> Iterator[list[int]]:
    """Yield samples that share their equations, as many at once as memory should hold."""
    groups: dict[object, list[int]] = {}
    for k in which:
        equations = samples[k].equations
        groups.setdefault((id(equations.system.rates), equations.laws), []).append(k)
    for group in groups.values():
        many = max(1, _AT_ONCE // (_STARTS * len(samples[group[0]].x0) ** 2))
        for low in range(0, len(group), many):
            yield group[low : low + many]


def _roots(samples: Sequence[Sample], limits: Sequence[Limit]) -> list[Floats]:
    """Return what Newton's method finds for each of some samples that share their equations."""
    starts = [one.starts(limit) for one, limit in zip(samples, limits, strict=True)]
    counts = [points.shape[1] for points in starts]

    def each(values: Sequence[Floats]) -> Floats:
        return np.repeat(np.concatenate(values, axis=1), counts, axis=1)

    p, total = each([one.p for one in samples]), each([one.total for one in samples])
    roots, converged = samples[0].equations.roots(np.concatenate(starts, axis=1), p, total)
    ends = np.cumsum(counts)[:-1]
    parts = zip(np.split(roots, ends, axis=1), np.split(converged, ends), strict=True)
    return [own[:, good] for own, good in parts]


def _scale(limit: Limit) -> Floats:
    """Return the size of each state on the way, (states, 1)."""
    return np.asarray(np.where(limit.scale > 0, limit.scale, 1.0)[:, np.newaxis])


def _nowhere(states: int) -> Certified:
    """Return the absence of an equilibrium."""
    nothing, none = np.full((states, 1), np.nan), np.empty((1, 0), dtype=np.complex128)
    return Certified(nothing, none, np.array([""]), np.zeros(1, dtype=bool))
