"""Points of a curve F(u) = 0, u = (x, p), and steps along it by pseudo-arclength (Keller 1977).

    F(u) = 0,   t . (u - v) / w = s

t is the tangent at a point v: the null vector of [F_x F_p]. The size w of each coordinate makes
everything near 1. The plane across the tangent cuts the curve where the parameter alone may
not, so that the Jacobian with t as its last row is regular at folds as well.

References: Keller, in Applications of Bifurcation Theory, Academic Press 1977; Seydel, Practical
Bifurcation and Stability Analysis, 3rd ed., Springer 2010, chapter 4; Kuznetsov, Elements of
Applied Bifurcation Theory, 3rd ed., Springer 2004, chapter 10.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.bifurcation.pieces import Piece
from physcm.sim.bifurcation.sweep import Sweep
from physcm.sim.equilibrium import stability

_ITERATIONS = 8
_CLOSE, _NEARLY = 1e-10, 1e-6
_NEAR_ZERO = 0.1
_LEAST_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Units:
    """The sizes that coordinates and their differences are measured by.

    Attributes:
        typical: how large the states are, and how long the range of the swept number is,
            shape (states + 1,).
        floor: below which a coordinate counts as small, shape (states + 1,).
    """

    typical: Floats
    floor: Floats

    @classmethod
    def of(cls, sweep: Sweep, typical: Floats) -> Units:
        """Return the units of a sweep in which states are typically so large."""
        span = sweep.high - sweep.low
        return cls(np.append(typical, span), np.append(_NEAR_ZERO * typical, _LEAST_SHARE * span))

    def at(self, u: Floats) -> Floats:
        """Return the sizes at a point: relative, down to the floor.

        States share a length of 1, so that a step has the same length whatever their number.
        """
        size = np.maximum(np.abs(u), self.floor)
        size[:-1] *= np.sqrt(len(u) - 1)
        size[-1] = min(size[-1], self.typical[-1])
        return size


@dataclass(frozen=True, eq=False)
class Point:
    """A point of the curve.

    Attributes:
        u: states and the swept number.
        size: the units there.
        tangent: the direction in which the curve goes on, of length 1 in these units.
        matrix: the Jacobian in these units, its rows scaled to be near 1.
        eigenvalues: of the dynamics on the conserved subspace, largest real part first.
        piece: the smooth piece of the equations that it is on.
        special: what happens there, if anything: "fold", "Hopf" or "branch point".
    """

    u: Floats
    size: Floats
    tangent: Floats
    matrix: Floats
    eigenvalues: NDArray[np.complex128]
    piece: Piece
    special: str = ""

    @property
    def stability(self) -> str:
        """Stable, unstable, or marginal where the linearization cannot tell."""
        return "marginal" if self.special else stability(self.eigenvalues)

    @property
    def direction(self) -> Floats:
        """The tangent in the coordinates' own units."""
        return self.tangent * self.size

    @property
    def bordered(self) -> Floats:
        """The Jacobian with the tangent as its last row; singular where branches cross."""
        return np.vstack([self.matrix, self.tangent])

    def goes_on_like(self, other: Point, within: float) -> bool:
        """Say whether two pieces meet here without a corner, up to a relative difference."""
        turned = np.linalg.norm(self.tangent - other.tangent)
        moved = np.abs(self.eigenvalues - other.eigenvalues).max(initial=0.0)
        largest = np.abs(self.eigenvalues).max(initial=0.0)
        return bool(turned <= within and moved <= within * largest)

    def reversed(self) -> Point:
        """Return the point from which the curve goes on the other way."""
        return replace(self, tangent=-self.tangent)

    def distance(self, u: Floats) -> float:
        """Return how far another point is, in the units here."""
        return float(np.linalg.norm((u - self.u) / self.size))


@dataclass(frozen=True, eq=False)
class Curve:
    """The equilibria of one smooth piece, as a curve.

    Attributes:
        sweep: the system and what is swept.
        piece: the equations.
        units: what coordinates are measured by.
    """

    sweep: Sweep
    piece: Piece
    units: Units

    def linearized(self, u: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the units at a point, the factor of each row, and the Jacobian in both.

        A row is measured by the size of its terms around the point, which tells a slope of 0
        from one that is only small.
        """
        size = self.units.at(u)
        around = np.where(u < 0, -1.0, 1.0) * np.maximum(np.abs(u), self.units.floor)
        with np.errstate(all="ignore"):
            slopes = self.piece.jacobian(u) * size
            steepest = np.abs(slopes).max(axis=1, initial=0.0)
            terms = np.fmax(self.piece.size(around), steepest)
        row = 1 / np.where(np.isfinite(terms) & (terms > 0), terms, 1.0)
        return size, row, slopes * row[:, np.newaxis]

    def point(self, u: Floats, direction: Floats) -> Point:
        """Return a point of the curve with its tangent on the side of a direction."""
        size, _, matrix = self.linearized(u)
        ahead = direction / size
        ahead /= np.linalg.norm(ahead)
        side = np.append(np.zeros(len(u) - 1), 1.0)
        tangent = _solved(np.vstack([matrix, ahead]), side)
        tangent /= np.linalg.norm(tangent)
        return Point(u, size, tangent, matrix, self.eigenvalues(u), self.piece)

    def start(self, u: Floats, direction: Floats) -> Point:
        """Return a point of the curve whose tangent is known."""
        size, _, matrix = self.linearized(u)
        tangent = direction / size / np.linalg.norm(direction / size)
        return Point(u, size, tangent, matrix, self.eigenvalues(u), self.piece)

    def eigenvalues(self, u: Floats) -> NDArray[np.complex128]:
        """Return the eigenvalues at a point."""
        slopes = self.piece.jacobian(u)[np.newaxis, :, :-1]
        equations = self.sweep.equations
        (values,) = equations.spectra(slopes, self.units.at(u)[:-1, np.newaxis])
        return np.asarray(values)

    def stability(self, u: Floats) -> str:
        """Return the stability at a point."""
        return stability(self.eigenvalues(u))

    def along(self, point: Point) -> Point | None:
        """Return the point of this curve where another one passes; None if it does not."""
        u, _ = self.ahead(point, 0.0, point.u)
        near = u is not None and point.distance(u) <= _NEARLY
        return self.point(u, point.direction) if u is not None and near else None

    def ahead(self, point: Point, length: float, guess: Floats) -> tuple[Floats | None, int]:
        """Return the point of the curve at some arclength from another, near a guess."""
        return self.corrected(guess, point.tangent / point.size, length + _along(point, point.u))

    def where(self, coordinate: int, level: float, guess: Floats) -> Floats | None:
        """Return the point of the curve at which a coordinate has a value, near a guess."""
        plane = np.zeros(len(guess))
        plane[coordinate] = 1 / self.units.at(guess)[coordinate]
        found, _ = self.corrected(guess, plane, level * plane[coordinate])
        if found is not None:
            found[coordinate] = level
        return found

    def corrected(self, guess: Floats, plane: Floats, level: float) -> tuple[Floats | None, int]:
        """Return where Newton's method leads on a plane, and after how many steps.

        F(u) = 0,   plane . u = level
        """
        u, before = guess.copy(), np.inf
        for iteration in range(1, _ITERATIONS + 1):
            size, row, matrix = self.linearized(u)
            across = plane * size
            gap = np.append(-row * self.piece.residual(u), level - plane @ u)
            step = _solved(np.vstack([matrix, across]), gap)
            length = float(np.linalg.norm(step))
            if not np.isfinite(length):
                break
            u = u + step * size
            if length <= _CLOSE or (length <= _NEARLY and length > before / 4):
                return u, iteration
            before = length
        return None, _ITERATIONS


def _along(point: Point, u: Floats) -> float:
    return float((point.tangent / point.size) @ u)


def _solved(matrix: Floats, side: Floats) -> Floats:
    """Return the solution of a linear system; NaN where there is none."""
    if not (np.isfinite(matrix).all() and np.isfinite(side).all()):
        return np.full(len(side), np.nan)
    try:
        return np.asarray(np.linalg.solve(matrix, side))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, side)[0])
