"""Equilibria of many samples made exact and judged, all samples together.

One step of Newton's method, with conservation laws in place of dependent rows, takes a point next
to an equilibrium to rounding; a second one, no longer than that, certifies it. The eigenvalues
of the Jacobian on the conserved subspace tell whether it attracts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.linearization import EPSILON, Linearized, Problem
from physcm.sim.equilibrium import EquilibriumEquations, stabilities

NEAR, NEAR_ZERO = 1e-5, 1e-9
RESIDUAL, STEP, _FLAT = 1e-9, 1e-8, 1e-9


@dataclass(frozen=True, eq=False)
class Certified:
    """Points that were judged; the last axis of `x`, and the first of the others, is over them.

    Attributes:
        x: the equilibria, (states, points), NaN where a point is next to none.
        eigenvalues: on the conserved subspace, largest real part first, (points, any); or, where
            that suffices, a bound on all real parts, and NaN.
        stability: "stable", "unstable", "marginal", or "" where there is no equilibrium.
        degenerate: whether an eigenvalue vanishes, so that others may lie next to it.
    """

    x: Floats
    eigenvalues: NDArray[np.complex128]
    stability: NDArray[np.str_]
    degenerate: NDArray[np.bool_]

    @classmethod
    def judged(
        cls, x: Floats, near: NDArray[np.bool_], eigenvalues: NDArray[np.complex128]
    ) -> Certified:
        """Return points that are equilibria where `near`, with their eigenvalues."""
        sizes = np.abs(eigenvalues)
        flat = (sizes <= _FLAT * np.fmax.reduce(sizes, axis=1, keepdims=True, initial=0.0)).any(
            axis=1
        )
        kinds = np.where(near, stabilities(eigenvalues), "")
        return cls(np.where(near, x, np.nan), eigenvalues, kinds, np.asarray(flat))

    def at(self, which: NDArray[np.bool_]) -> Certified:
        """Return some of the points."""
        return Certified(
            self.x[:, which], self.eigenvalues[which], self.stability[which],
            self.degenerate[which],
        )  # fmt: skip


def certified(
    equations: EquilibriumEquations, x: Floats, p: Floats, total: Floats, scale: Floats
) -> Certified:
    """Return the equilibria next to some points.

    Args:
        equations: the equilibrium equations.
        x: the points, (states, points).
        p: the parameters of each, (parameters, points).
        total: the conserved totals of each, (laws, points).
        scale: the size of each state, (states, points).
    """
    problem = equations.problem(p, total)
    with np.errstate(all="ignore"):
        local = Linearized.at(problem, x)
        step = local.step() * local.column
        near = _no_longer(step, NEAR, x, scale)
        x = _cleared(problem, np.where(near, x + step, x), scale)
        local = Linearized.at(problem, x)
        near &= _solves(local) & _no_longer(local.step() * local.column, STEP, x, scale)
        near &= equations.are_feasible(x, scale)
    values = equations.spectra(local.slopes, np.where(scale > 0, scale, 1.0))
    return Certified.judged(x, near, values)


def _no_longer(step: Floats, share: float, x: Floats, scale: Floats) -> NDArray[np.bool_]:
    """Say where steps are small beside the point, or beside what a state was at its largest."""
    return np.asarray((np.abs(step) <= share * np.abs(x) + NEAR_ZERO * scale).all(axis=0))


def _solves(local: Linearized) -> NDArray[np.bool_]:
    """Say where the equations hold, up to a small part of their terms."""
    return np.asarray((np.abs(local.residual) <= RESIDUAL / EPSILON * local.noise).all(axis=0))


def _cleared(problem: Problem, x: Floats, scale: Floats) -> Floats:
    """Return points with 0 in place of what has all but died out, where the equations allow it."""
    cleared = np.where(np.abs(x) <= NEAR_ZERO * scale, 0.0, x)
    which = np.flatnonzero((cleared != x).any(axis=0))
    if which.size:
        holds = _solves(Linearized.at(problem.of(which), cleared[:, which]))
        x = x.copy()
        x[:, which[holds]] = cleared[:, which[holds]]
    return x
