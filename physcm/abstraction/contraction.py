"""Certificates over a whole box: all trajectories meet, or there is at most one equilibrium.

Contraction. Let [J] hold the Jacobian everywhere in a convex set that no trajectory leaves, and

    M_ii = largest J_ii,    M_ij = largest |J_ij|.

If M w < 0 for some w > 0, the logarithmic norm of J in max_i |x_i|/w_i is negative everywhere, all
trajectories approach each other exponentially, and there is exactly one equilibrium, which attracts
them all (Lohmiller & Slotine, Automatica 34, 1998; Soderlind, BIT 46, 2006). Diagonal dominance is
the case w = 1. So it is where J^T P + P J < 0 in the whole of [J], with P from Lyapunov's equation
for its middle; for a linear system that decides. It is enough that each strongly connected
component contracts by itself (`physcm.abstraction.triangular`). No trajectory leaves the bounds if
no drift points outward on them (Nagumo 1942).

Uniqueness. Where every matrix in [J] is invertible (the interval Newton operator over the box as a
whole, `physcm.scm.regular`) the equations have at most one root.

The box is that of the physical bounds; in a law with positive weights each member is bounded by
what the total leaves it. With conservation laws J is taken on the conserved subspace.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy
import sympy as sp

from physcm.abstraction.routh import reduced_jacobian
from physcm.abstraction.signs import Signs
from physcm.abstraction.triangular import diagonal_blocks
from physcm.mechanism.codegen import Floats
from physcm.mechanism.enclosure import Enclosures, Range
from physcm.mechanism.expression import exact, substitute, symbol
from physcm.scm.block import Block
from physcm.scm.regular import inverse_bound
from physcm.sim import System
from physcm.sim.equilibrium import EquilibriumEquations

_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class Box:
    """All states that a system can take, given the conserved totals of its start.

    Attributes:
        equations: its equilibrium equations.
        p: the parameters, (parameters,).
        total: the conserved totals, (laws,).
    """

    equations: EquilibriumEquations
    p: Floats
    total: Floats

    @property
    def system(self) -> System:
        """The system."""
        return self.equations.system

    @cached_property
    def ends(self) -> Floats:
        """The lowest and highest value of each state, (2, states)."""
        low, high = self.equations.bounds.copy()
        for weights, total in zip(self.equations.weights, self.total, strict=True):
            members = np.flatnonzero(weights)
            if (weights[members] > 0).all() and np.isfinite(low[members]).all():
                left = total - weights @ np.where(weights != 0, low, 0.0)
                most = low[members] + max(left, 0.0) / weights[members] * (1 + _SLACK)
                high[members] = np.minimum(high[members], most)
        return np.stack([low, high])

    @property
    def numbers(self) -> dict[sp.Symbol, float]:
        """The parameters by symbol."""
        return dict(zip(map(symbol, self.system.parameters), self.p.tolist(), strict=True))

    @cached_property
    def ranges(self) -> dict[sp.Symbol, Range]:
        """The ranges of states and parameters."""
        states = zip(self.system.states, *self.ends, strict=True)
        ranges = {symbol(name): Range.of([low], [high]) for name, low, high in states}
        return ranges | {name: Range.of([p], [p]) for name, p in self.numbers.items()}

    @cached_property
    def drift(self) -> dict[str, sp.Expr]:
        """The drift of each state with derived variables written out."""
        derived = self.system.derived
        return {name: substitute(f, derived, derived) for name, f in self.system.drift.items()}

    @cached_property
    def slopes(self) -> sp.Matrix:
        """The Jacobian on the conserved subspace."""
        return reduced_jacobian(self.system)

    @cached_property
    def jacobian(self) -> tuple[Floats, Floats]:
        """Bounds on the Jacobian on the conserved subspace, NaN where the drift may jump."""
        matrix = self.slopes
        values, slopes = Enclosures(self.ranges), Enclosures(self.ranges, slopes=True)
        entries = [slopes.of(e) for e in matrix]
        low, high = (
            np.array([float(np.ravel(end)[0]) for end in side]).reshape(matrix.shape)
            for side in ([e.low for e in entries], [e.high for e in entries])
        )
        smooth = all(not np.isnan(values.of(f).low).any() for f in self.drift.values())
        return (low, high) if smooth else (low * np.nan, high * np.nan)

    @property
    def is_linear(self) -> bool:
        """Whether the Jacobian is the same everywhere, so that bounds do not matter."""
        return not self.slopes.free_symbols & set(map(symbol, self.system.states))

    def contraction_rate(self) -> float | None:
        """Return a rate at which all trajectories approach each other, None if none is proved.

        >>> pair = System(
        ...     {"x": "1 - 2*x + tanh(y)", "y": "tanh(x) - 3*y"}, initial={"x": 0, "y": 0}
        ... )
        >>> box = Box(EquilibriumEquations(pair), np.array([]), np.array([]))
        >>> round(box.contraction_rate(), 2)
        1.25
        """
        low, high = self.jacobian
        if not low.size or not np.isfinite([low, high]).all():
            return None
        if not self.is_linear and not self.is_kept():
            return None
        rates = [
            _dominated(*block) or _quadratic(*block)
            for rows in diagonal_blocks(self.slopes)
            for block in [(low[np.ix_(rows, rows)], high[np.ix_(rows, rows)])]
        ]
        proved = [rate for rate in rates if rate is not None]
        return min(proved) * (1 - _SLACK) if len(proved) == len(rates) else None

    def is_kept(self) -> bool:
        """Say whether it is proved that no trajectory leaves the bounds."""
        low, high = self.equations.bounds
        return all(
            self._points(name, end, inward)
            for name, *ends in zip(self.system.states, low, high, strict=True)
            for end, inward in zip(ends, (1, -1), strict=True)
            if np.isfinite(end)
        )

    def _points(self, name: str, end: float, inward: int) -> bool:
        """Say whether a drift points inward, or along, where its state is at one end."""
        there = sp.expand(inward * self.drift[name].xreplace({symbol(name): exact(end)}))
        if Signs.of(self.system, self.numbers).known(there).is_nonnegative:
            return True
        return bool((Enclosures(self.ranges).of(there).low >= 0).all())

    def has_one_root_at_most(self) -> bool:
        """Say whether it is proved that there is no second equilibrium with the same totals.

        >>> switch = System({"x": "x - x**3"}, initial={"x": 1}, bounds={"x": (0.6, 5)})
        >>> Box(EquilibriumEquations(switch), np.array([]), np.array([])).has_one_root_at_most()
        True
        """
        residuals = dict(self.drift)
        for law, total in zip(self.equations.laws, self.total, strict=True):
            residuals[law.determines] = law.expression - exact(float(total))
        numbers = {name: exact(value) for name, value in self.numbers.items()}
        names = self.system.states
        equations = tuple(residuals[name].xreplace(numbers) for name in names)
        domains = tuple(zip(*self.ends.tolist(), strict=True))
        block = Block(names, equations, (None,) * len(names), domains, (np.nan,) * len(names))
        return bool(names) and not np.isnan(inverse_bound(block, [])).any()


def _dominated(low: Floats, high: Floats) -> float | None:
    """Return a rate at which distances in max_i |x_i|/w_i shrink, for some w > 0."""
    M = np.maximum(np.abs(low), np.abs(high))
    np.fill_diagonal(M, np.diag(high))
    try:
        w = np.linalg.solve(-M, np.ones(len(M)))
    except np.linalg.LinAlgError:
        return None
    if (w <= 0).any():
        return None
    rate = float((-(M @ w) / w).min())
    return rate * (1 - _SLACK) if rate > _SLACK * np.abs(M).max() else None


def _quadratic(low: Floats, high: Floats) -> float | None:
    """Return a rate at which distances x^T P x shrink, with P from Lyapunov's equation."""
    middle, radius = (low + high) / 2, (high - low) / 2
    if np.linalg.eigvals(middle).real.max() >= 0:
        return None
    P = scipy.linalg.solve_continuous_lyapunov(middle.T, -np.eye(len(middle)))
    if np.linalg.eigvalsh(P).min() <= 0:
        return None
    spread = np.abs(P) @ radius
    noise = _SLACK * np.abs(P).max() * np.abs(middle).max() * len(P)
    decay = middle.T @ P + P @ middle
    worst = np.linalg.eigvalsh(decay).max() + np.linalg.norm(spread + spread.T, 2) + noise
    return float(-worst / (2 * np.linalg.eigvalsh(P).max())) if worst < 0 else None
