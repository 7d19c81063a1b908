"""Equilibria of a system at one draw of its parameters: where f(X) = 0, and whether it attracts.

A linear conservation law c . X = c . X(0) makes the Jacobian of f singular. In Newton's
equations it takes the place of the drift of the state that it determines, which is a
combination of the others, so that the equations are regular again. On the conserved subspace
X = Z Y + const, with Y the states that no law determines, the Jacobian is that of Y' = f_Y;
its eigenvalues decide the stability (Lyapunov's indirect method).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.mechanism.expression import substitute, symbol
from physcm.mechanism.linearization import Linearized, Problem, inverses
from physcm.mechanism.roots import newton
from physcm.sim.conservation import (
    ConservationLaw,
    conservation_laws,
    law_matrix,
    under_holds,
)
from physcm.sim.extension import extended
from physcm.sim.hurwitz import decay_rates
from physcm.sim.periodicity import periods
from physcm.sim.system import System

NEGLIGIBLE, _BLUR = 1e-9, 1e-6
_SWEEPS = 60
STEEP = 1e6
FEW_MODES = 64
"""Up to so many, eigenvalues are found faster than it is proved where they are."""


@dataclass(frozen=True)
class EquilibriumEquations:
    """The equations f(X) = 0 of a system, with conservation laws in place of dependent rows.

    Attributes:
        system: the dynamics.
        held: states that are kept where they are; each is conserved on its own.
        varied: parameters that may have other values than the system gives.
    """

    system: System
    held: tuple[str, ...] = ()
    varied: frozenset[str] = frozenset()

    @cached_property
    def laws(self) -> tuple[ConservationLaw, ...]:
        """The linear conservation laws."""
        return under_holds(conservation_laws(self.system, self.varied), self.held)

    @cached_property
    def extended(self) -> System:
        """The dynamics going on beyond the bounds of states; see `physcm.sim.extension`."""
        return extended(self.system)

    @cached_property
    def weights(self) -> Floats:
        """The laws as a matrix (laws, states)."""
        return law_matrix(self.laws, self.system.states)

    @cached_property
    def dependent(self) -> NDArray[np.int64]:
        """The positions of the states that the laws determine."""
        states = self.system.states
        return np.array([states.index(law.determines) for law in self.laws], dtype=np.int64)

    @cached_property
    def free(self) -> NDArray[np.int64]:
        """The positions of the other states."""
        return np.delete(np.arange(len(self.system.states)), self.dependent)

    @cached_property
    def lift(self) -> Floats:
        """How all states change with the others while the totals stay, (states, others)."""
        matrix = np.eye(len(self.system.states))[:, self.free]
        determined = np.diag(self.weights[:, self.dependent])[:, np.newaxis]
        matrix[self.dependent] = -self.weights[:, self.free] / determined
        return np.ascontiguousarray(matrix)

    @cached_property
    def bounds(self) -> Floats:
        """What each state can physically take, shape (2, states)."""
        everything = (-np.inf, np.inf)
        pairs = [self.system.bounds.get(name, everything) for name in self.system.states]
        return np.ascontiguousarray(np.array(pairs, dtype=float).reshape(-1, 2).T)

    @cached_property
    def stay_at_zero(self) -> NDArray[np.bool_]:
        """Which states have no rate where they are 0, whatever the others are, shape (states,)."""
        system = self.system
        drift = {
            name: substitute(f, system.derived, system.derived) for name, f in system.drift.items()
        }
        return np.array([f.xreplace({symbol(name): sp.S.Zero}) == 0 for name, f in drift.items()])

    @cached_property
    def turns(self) -> Floats:
        """The periods of the states that are angles, NaN for the others, shape (states,)."""
        found = periods(self.system)
        return np.array([found.get(name, np.nan) for name in self.system.states], dtype=float)

    def residual(self, x: Floats, p: Floats, total: Floats) -> Floats:
        """Return the equations' left sides, shape (states, points)."""
        f = self.system.rates.vector(0.0, x, p)
        f[self.dependent] = self.conserved(x) - total
        return f

    def jacobian(self, x: Floats, p: Floats) -> Floats:
        """Return the equations' derivatives, shape (points, states, states)."""
        matrices = self.system.rates.jacobian.batch(0.0, x, p)
        matrices[:, self.dependent, :] = self.weights
        return matrices

    def magnitude(self, x: Floats, p: Floats, total: Floats) -> Floats:
        """Return the sizes of the equations' terms, shape (states, points)."""
        sizes = self.system.sizes.vector(0.0, x, p)
        sizes[self.dependent] = self.conserved(np.abs(x), np.abs(self.weights)) + np.abs(total)
        return sizes

    def conserved(self, x: Floats, weights: Floats | None = None) -> Floats:
        """Return the conserved totals (laws, points) at states, or the sums by other weights.

        Each point is summed alone, in one order, whatever stands beside it.
        """
        weights = self.weights if weights is None else weights
        sums = np.zeros((len(weights), x.shape[1]))
        for law, state in np.argwhere(weights):
            sums[law] += weights[law, state] * x[state]
        return sums

    def problem(self, p: Floats, total: Floats) -> Problem:
        """Return the equations at points with parameters and conserved totals of their own.

        Args:
            p: shape (parameters, points).
            total: shape (laws, points).
        """
        rows = len(p)
        return Problem(
            lambda x, q: self.residual(x, q[:rows], q[rows:]),
            lambda x, q: self.jacobian(x, q[:rows]),
            lambda x, q: self.magnitude(x, q[:rows], q[rows:]),
            np.vstack([p, total]),
        )

    def roots(self, starts: Floats, p: Floats, total: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return where Newton's method leads from each start, and whether that is a root.

        Args:
            starts: shape (states, starts).
            p: shape (parameters,) or, where each start has its own, (parameters, starts).
            total: the conserved totals, shape (laws,) or (laws, starts).
        """
        count, (low, high) = starts.shape[1], self.bounds
        each = [np.broadcast_to(v.T, (count, len(v))).T for v in (p, total)]
        problem = self.problem(*each)
        found = newton(
            problem.function, problem.derivative, starts, magnitude=problem.magnitude,
            lower=low, upper=high, parameters=problem.parameters,
        )  # fmt: skip
        return found.x, found.converged

    def uncertainty(self, x: Floats, p: Floats, total: Floats) -> Floats:
        """Return by how much rounding of the equations may shift a root, (states,).

        Along directions in which they lose rank, as at a multiple root, by a millionth.

        Args:
            x: the root, shape (states,).
            p: shape (parameters,).
            total: the conserved totals, shape (laws,).
        """
        problem = self.problem(p[:, np.newaxis], total[:, np.newaxis])
        local = Linearized.at(problem, x[:, np.newaxis])
        if not np.isfinite(local.matrix).all():
            return np.zeros(len(x))
        (inverse,), lost, _ = inverses(local.matrix)
        along = np.abs(lost[:, :, 0]).max(axis=1, initial=0.0)
        shifts = np.abs(inverse) @ local.noise[:, 0] + _BLUR * along
        return np.asarray(shifts * local.column[:, 0])

    def eigenvalues(self, x: Floats, p: Floats, scale: Floats) -> NDArray[np.complex128]:
        """Return the eigenvalues of the dynamics on the conserved subspace, largest first.

        Args:
            x: an equilibrium, shape (states,).
            p: shape (parameters,).
            scale: the size of each state, which balances the matrix.
        """
        slopes = self.system.rates.jacobian.batch(0.0, x[:, np.newaxis], p[:, np.newaxis])
        (values,) = self.spectra(slopes, scale[:, np.newaxis])
        return np.asarray(values)

    def spectra(self, slopes: Floats, scale: Floats) -> NDArray[np.complex128]:
        """Return the eigenvalues of Jacobians on the conserved subspace, largest first.

        A slope that is infinite, as that of sqrt at 0, counts as a million times the others.

        Args:
            slopes: df/dX, (points, states, states), of which the rows of dependent states are
                not looked at.
            scale: the size of each state, (states, points), which balances the matrices.
        """
        return _eigenvalues(self.reduced(slopes, scale))

    def leading(self, slopes: Floats, scale: Floats) -> NDArray[np.complex128]:
        """Return the same as far as it takes to tell whether a point attracts.

        Where all eigenvalues of a large matrix are proved to have real parts below 0, such a
        bound stands in the first place, and the others are NaN.
        """
        matrices = self.reduced(slopes, scale)
        if self.free.size <= FEW_MODES:
            return _eigenvalues(matrices)
        values = np.full(matrices.shape[:2], complex(np.nan, np.nan))
        values[:, 0] = -decay_rates(matrices)
        unproved = np.isnan(values[:, 0])
        values[unproved] = _eigenvalues(matrices[unproved])
        return values

    def reduced(self, slopes: Floats, scale: Floats) -> Floats:
        """Return the balanced Jacobians on the conserved subspace, (points, modes, modes)."""
        rows = _bounded(slopes[:, self.free])
        reduced = rows[:, :, self.free] + rows[:, :, self.dependent] @ self.lift[self.dependent]
        balance = scale[self.free].T
        return np.asarray(reduced * balance[:, np.newaxis] / balance[:, :, np.newaxis])

    def meets(self, x: Floats, total: Floats) -> NDArray[np.bool_]:
        """Say which points (states, points) have the conserved totals, rounding aside."""
        sizes = np.abs(self.weights) @ np.abs(x) + np.abs(total)[:, np.newaxis]
        misses = np.abs(self.weights @ x - total[:, np.newaxis])
        return np.asarray((misses <= NEGLIGIBLE * sizes).all(axis=0))

    def is_feasible(self, x: Floats, scale: Floats) -> bool:
        """Say whether every variable lies within its bounds, rounding aside."""
        return bool(self.are_feasible(x[:, np.newaxis], scale[:, np.newaxis])[0])

    def are_feasible(self, x: Floats, scale: Floats) -> NDArray[np.bool_]:
        """Say at which points (states, points) that is so."""
        low, high = self.bounds[:, :, np.newaxis]
        slack = NEGLIGIBLE * scale
        return np.asarray(((x >= low - slack) & (x <= high + slack)).all(axis=0))

    def rests(self, x: Floats, p: Floats, total: Floats) -> bool:
        """Say whether x solves the equations up to rounding."""
        x, p, total = x[:, np.newaxis], p[:, np.newaxis], total[:, np.newaxis]
        residual = np.abs(self.residual(x, p, total))
        return bool((residual <= NEGLIGIBLE * self.magnitude(x, p, total)).all())


def stability(eigenvalues: NDArray[np.complex128]) -> str:
    """Return "stable", "unstable" or, where the linearization cannot tell, "marginal".

    >>> stability(np.array([-1 + 2j, -1 - 2j]))
    'stable'
    """
    return str(stabilities(eigenvalues[np.newaxis])[0])


def stabilities(eigenvalues: NDArray[np.complex128]) -> NDArray[np.str_]:
    """Return the same for many points, whose eigenvalues are (points, any), largest first.

    Those that are NaN are not looked at.
    """
    if not eigenvalues.shape[1]:
        return np.full(len(eigenvalues), "stable")
    slack = 1e-10 * np.fmax.reduce(np.abs(eigenvalues), axis=1)
    largest = eigenvalues[:, 0].real
    decided = np.where(largest > slack, "unstable", "stable")
    return np.where(np.abs(largest) <= slack, "marginal", decided)


def _eigenvalues(matrices: Floats) -> NDArray[np.complex128]:
    """Return the eigenvalues of matrices, (points, modes), largest first."""
    values = np.linalg.eigvals(matrices).astype(np.complex128)
    return np.take_along_axis(values, np.argsort(-values.real, axis=1), axis=1)


def _bounded(matrices: Floats) -> Floats:
    """Return matrices with large entries in place of infinite ones, such as sqrt has at 0."""
    if np.isfinite(matrices).all():
        return matrices
    sizes = np.where(np.isfinite(matrices), np.abs(matrices), 0.0)
    steep = STEEP * np.maximum(1.0, sizes.max(axis=(1, 2), initial=0.0))[:, None, None]
    infinite = np.where(np.isinf(matrices), np.sign(matrices) * steep, matrices)
    return np.where(np.isnan(infinite), 0.0, infinite)


def brought_to_totals(equations: EquilibriumEquations, x: Floats, totals: Floats) -> Floats:
    """Bring points (states, points) to conserved totals (laws, points), as far as bounds allow.

    Laws that share states are met in turn, over and over (iterative proportional fitting).
    """
    x = x.copy()
    for _ in range(_SWEEPS if len(equations.laws) else 0):
        before = x.copy()
        for weights, level in zip(equations.weights, totals, strict=True):
            x = _brought_to(x, weights, level, *equations.bounds)
        if np.array_equal(before, x, equal_nan=True):
            break
    return x


def _brought_to(x: Floats, weights: Floats, level: Floats, low: Floats, high: Floats) -> Floats:
    """Bring points to one total: by a common factor for amounts, else by one state."""
    members = np.flatnonzero(weights)
    if (low[members] >= 0).all() and (np.outer(weights[members], level) >= 0).all():
        sums = weights @ x
        x[members] *= np.divide(level, sums, out=np.ones_like(sums), where=sums != 0)
    else:
        i = members[0]
        x[i] = np.clip(x[i] + (level - weights @ x) / weights[i], low[i], high[i])
    return x
