"""The equations of a system apart from physcm: SymPy for what is exact, SciPy for runs.

Equilibria and eigenvalues are those on the subspace that the linear conservation laws leave.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import null_space

from physcm.sim import System

Floats = NDArray[np.float64]

RTOL = 1e-9
ITERATIONS = 100
EVALUATIONS = 200_000


class Opinion(NamedTuple):
    """Whether a claim holds, and the numbers that say so."""

    holds: bool
    text: str


class TooLong(Exception):
    """A run takes more evaluations than anyone would wait for; the argument is the time reached."""


def patient(function: Callable[..., Opinion]) -> Callable[..., Opinion]:
    """Make an opinion say so where a run takes too long, or what was claimed cannot be followed."""

    @wraps(function)
    def asked(*arguments: Any) -> Opinion:
        try:
            with np.errstate(all="ignore"):
                return function(*arguments)
        except TooLong:
            return Opinion(False, f"LSODA takes more than {EVALUATIONS:,} evaluations")

    return asked


@dataclass(frozen=True, eq=False)
class Flow:
    """The equations x' = f(x) of one sample of a system.

    Attributes:
        states: the symbols of x.
        drift: f, over the states alone.
        terms: f, with derived variables (such as rates of reactions) as symbols of their own.
        derived: the derived variables, over the states alone.
        x0: where the sample starts.
    """

    states: tuple[sp.Symbol, ...]
    drift: tuple[sp.Expr, ...]
    terms: tuple[sp.Expr, ...]
    derived: dict[str, sp.Expr]
    x0: Floats

    @classmethod
    def of(cls, system: System, seed: int = 0) -> Flow:
        x0, p = system.draw(np.array([0]), seed)
        numbers = zip(system.parameters, p[:, 0].tolist(), strict=True)
        known: dict[sp.Basic, sp.Basic] = {symbol_of(n): sp.Rational(value) for n, value in numbers}
        full = dict(known)
        for name, definition in system.derived.items():
            full[symbol_of(name)] = definition.xreplace(full)
        drifts = system.drift.values()
        return cls(
            tuple(map(symbol_of, system.states)),
            tuple(f.xreplace(full) for f in drifts),
            tuple(f.xreplace(known) for f in drifts),
            {name: full[symbol_of(name)] for name in system.derived},
            x0[:, 0],
        )

    @cached_property
    def rates(self) -> Callable[[Floats], Floats]:
        return self._compiled(sp.Matrix(self.drift), (-1,))

    @cached_property
    def jacobian(self) -> Callable[[Floats], Floats]:
        n = len(self.states)
        return self._compiled(sp.Matrix(self.drift).jacobian(self.states), (n, n))

    def _compiled(self, matrix: Any, shape: tuple[int, ...]) -> Callable[[Floats], Floats]:
        call = sp.lambdify([list(self.states)], list(matrix), "scipy", cse=True, dummify=True)
        return lambda x: np.array(call(x), dtype=float).reshape(shape)

    @cached_property
    def laws(self) -> Floats:
        """The vectors c with c . f = 0, (laws, states): those that annihilate all terms of f."""
        rows = [sp.expand(f).as_coefficients_dict() for f in self.terms]
        terms = sorted({term for row in rows for term in row}, key=str)
        found = sp.Matrix([[row[term] for row in rows] for term in terms]).nullspace()
        return np.array([list(c) for c in found], dtype=float).reshape(-1, len(self.states))

    def free(self, scale: Floats) -> Floats:
        """Return an orthonormal basis (states, free) of the directions that keep all laws."""
        return null_space(self.laws * scale) if len(self.laws) else np.eye(len(scale))

    def eigenvalues(self, x: Floats) -> NDArray[np.complex128]:
        """Return the eigenvalues at an equilibrium, of disturbances that keep all laws."""
        scale = size(x)
        basis = self.free(scale)
        return np.linalg.eigvals(basis.T @ self.scaled_jacobian(x, scale) @ basis)

    def equilibrium(self, near: Floats) -> Floats | None:
        """Return an equilibrium near a state, with its conserved totals, or None.

        Newton's method; where equilibria are not isolated each step is the shortest one.
        """
        x = np.array(near, dtype=float)
        scale = size(x)
        basis = self.free(scale)
        for _ in range(ITERATIONS):
            slopes = basis.T @ self.scaled_jacobian(x, scale) @ basis
            rows = size(np.abs(slopes).max(axis=1, initial=0.0))
            f = basis.T @ (self.rates(x) / scale)
            step = np.linalg.lstsq(slopes / rows[:, None], f / rows, rcond=1e-10)[0]
            x = x - scale * (basis @ step)
            if not np.isfinite(x).all() or np.abs(step).max(initial=0.0) < 1e-12:
                break
        return x if np.isfinite(x).all() and np.abs(step).max(initial=0.0) < 1e-8 else None

    def scaled_jacobian(self, x: Floats, scale: Floats) -> Floats:
        return self.jacobian(x) / scale[:, None] * scale

    def run(self, start: Floats, end: float, **options: Any) -> Any:
        """Follow the flow by LSODA."""
        size = np.maximum(1e-3 * np.abs(start), 1e-6 * np.abs(start).max(initial=0.0) + 1e-15)
        return lsoda(self.rates, start, end, rtol=RTOL, atol=RTOL * size, **options)


def lsoda(rates: Callable[[Floats], Floats], start: Floats, end: float, **options: Any) -> Any:
    """Follow x' = rates(x) from time 0 to an end.

    Raises:
        TooLong: after `EVALUATIONS` evaluations.
    """
    left = iter(range(EVALUATIONS))

    def counted(t: float, x: Floats) -> Floats:
        if next(left, None) is None:
            raise TooLong(t)
        return rates(x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return solve_ivp(counted, (0, end), start, "LSODA", **options)


def numbers(system: System) -> dict[sp.Symbol, float]:
    _, p = system.draw(np.array([0]), 0)
    return dict(zip(map(symbol_of, system.parameters), p[:, 0].tolist(), strict=True))


def symbol_of(name: str) -> sp.Symbol:
    return sp.Symbol(name, real=True)


def size(x: Floats) -> Floats:
    return np.where(x != 0, np.abs(x), 1.0)


def apart(a: Floats, b: Floats) -> float:
    return float((np.abs(a - b) / size(np.maximum(np.abs(a), np.abs(b)))).max())


def fastest(flow: Flow, x: Floats) -> float:
    """Return the shortest time scale at a state."""
    fastest = np.abs(np.linalg.eigvals(flow.jacobian(x))).max(initial=0.0)
    return 1 / fastest if fastest > 0 else 1.0
