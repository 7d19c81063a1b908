"""What happens on a step along a curve of equilibria, located exactly.

Between two points a and b of the curve some function changes its sign:

    fold                  t_p, the tangent's component along the swept number
    branch point          det [F_u; t]: another branch crosses (Kuznetsov 2004, section 10.2)
    Hopf                  the real part of a pair of complex eigenvalues
    kink                  g, where a case of min, max, |x| or a piecewise mechanism is decided
    bound                 a state comes to the end of what it can physically take
    range                 the swept number comes to the end of its range

The points between a and b are those at a part of the arclength, so that each sign change is a
scalar equation, solved by Brent's method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.bifurcation.crossing import exact_crossing
from physcm.sim.bifurcation.curve import Curve, Point

ENDINGS = ("range", "bound", "kink")
"""The kinds of event that a smooth piece of a curve ends at."""

_MARGINAL = 1e-10
_OUTSIDE = 1e-9
_HIDDEN = 1e-14
_TURNING = 1e-7


@dataclass(frozen=True, eq=False)
class Event:
    """Something on a step.

    Attributes:
        kind: as above.
        at: the arclength from the step's start.
        u: the point.
        what: the coordinate of a bound, or the boundary of a kink.
        omega: the angular frequency at a Hopf point, else NaN.
    """

    kind: str
    at: float
    u: Floats
    what: int = -1
    omega: float = np.nan

    @property
    def crosses(self) -> bool:
        """Whether another branch passes here."""
        return self.kind == "branch point"


class Step:
    """A step from a to b on one smooth piece."""

    def __init__(self, curve: Curve, a: Point, b: Point, length: float) -> None:
        self.curve, self.a, self.b, self.length = curve, a, b, length

    def between(self, at: float) -> Floats:
        """Return the point of the curve at a part of the arclength."""
        if at in (0, self.length):
            return self.b.u if at else self.a.u
        share = at / self.length
        guess = self.a.u + share * (self.b.u - self.a.u)
        found, _ = self.curve.ahead(self.a, at, guess)
        return guess if found is None else found

    def located(self, test: Callable[[Floats], float]) -> float | None:
        """Return where a function of the point changes sign; None where the ends agree."""
        ends = test(self.a.u), test(self.b.u)
        if not ends[0] * ends[1] < 0:
            return self.length if ends[0] and ends[1] == 0 else None
        xtol = _HIDDEN * self.length
        return float(
            scipy.optimize.brentq(lambda s: test(self.between(s)), 0, self.length, xtol=xtol)
        )

    def events(self, *, smooth: bool) -> list[Event]:
        """Return what happens on the step, in order, up to what ends it.

        Args:
            smooth: whether the curve has no corner, whatever boundaries it crosses.
        """
        ends = [*self._ends(), *(() if smooth else self._kinks())]
        ends.sort(key=lambda event: event.at)
        last = ends[0].at if ends else self.length
        found = [e for e in self._passings() if e.at <= last + 1e-5 * self.length]
        return [*sorted(found, key=lambda event: event.at), *ends[:1]]

    def _passings(self) -> Iterator[Event]:
        yield from self._folds()
        yield from self._crossings()
        yield from self._hopf_points()

    def _ends(self) -> Iterator[Event]:
        """Yield where the swept number or a state comes to its end."""
        sweep, (low, high) = self.curve.sweep, self.curve.sweep.equations.bounds
        lows, highs = np.append(low, sweep.low), np.append(high, sweep.high)
        slack = _OUTSIDE * self.a.size
        for i in np.flatnonzero((self.b.u < lows - slack) | (self.b.u > highs + slack)).tolist():
            end = lows[i] if self.b.u[i] < lows[i] else highs[i]
            at = self.located(partial(_above, i, float(end))) or 0.0
            kind = "range" if i == len(low) else "bound"
            yield Event(kind, at, self._snapped(self.between(at), i, end), i)

    def _kinks(self) -> Iterator[Event]:
        """Yield where boundaries of the piece are crossed."""
        for i in np.flatnonzero(self.curve.piece.beyond(self.b.u)).tolist():
            at = self.located(partial(self._boundary, i)) or 0.0
            yield Event("kink", at, self.between(at), i)

    def _boundary(self, which: int, u: Floats) -> float:
        return float(self.curve.piece.boundary(u)[0][which])

    def _growth(self, which: int, u: Floats) -> float:
        return float(self.curve.eigenvalues(u).real[which])

    def _snapped(self, u: Floats, i: int, end: float) -> Floats:
        """Return the point with a coordinate exactly at its end."""
        snapped = u.copy()
        snapped[i] = end
        exact = self.curve.where(i, end, snapped)
        near = exact is not None and self.a.distance(exact) <= 2 * self.length
        return exact if near and exact is not None else snapped

    def _folds(self) -> Iterator[Event]:
        at = self.located(lambda u: float(self.curve.point(u, self.a.direction).tangent[-1]))
        if at is not None:
            yield Event("fold", at, self.between(at))

    def _crossings(self) -> Iterator[Event]:
        sign, size = np.linalg.slogdet(self.a.bordered)
        if not sign:
            return

        def determinant(u: Floats) -> float:
            way, log = np.linalg.slogdet(self.curve.point(u, self.a.direction).bordered)
            return float(way * sign * np.exp(min(log - size, 100.0)))

        at = self.located(determinant)
        if at is not None:
            yield Event("branch point", at, exact_crossing(self.curve, self.between(at)))

    def _hopf_points(self) -> Iterator[Event]:
        """Yield where a complex pair crosses; the k-th largest real part is continuous."""
        a, b = (_decided(point.eigenvalues) for point in (self.a, self.b))
        passed, fastest = -1.0, float(np.abs(self.a.eigenvalues).max(initial=0.0))
        for k in np.flatnonzero(a * b < 0).tolist():
            at = self.located(partial(self._growth, k))
            if at is None or abs(at - passed) <= 1e-6 * self.length:
                continue
            u = self.between(at)
            omega = float(abs(self.curve.eigenvalues(u)[k].imag))
            if omega > _TURNING * fastest:
                passed = at
                yield Event("Hopf", at, u, omega=omega)


def decides(a: Point, b: Point) -> bool:
    """Say whether every sign of a real part that is known at one point is known at the other."""
    before, after = _decided(a.eigenvalues), _decided(b.eigenvalues)
    return bool(((after != 0) | (before == 0)).all())


def _above(coordinate: int, end: float, u: Floats) -> float:
    return float(u[coordinate]) - end


def _decided(eigenvalues: NDArray[np.complex128]) -> Floats:
    """Return real parts, with 0 for those that rounding makes of zero."""
    slack = _MARGINAL * np.abs(eigenvalues).max(initial=0.0)
    return np.where(np.abs(eigenvalues.real) <= slack, 0.0, eigenvalues.real)
