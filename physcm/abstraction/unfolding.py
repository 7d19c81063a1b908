"""Nonlinear conservation laws among the equations of rest, by multipliers.

Where a law H has grad H . f = 0 identically, the equations f(X) = 0 and H(X) = H(X(0)) are more
than there are unknowns. None can be left out: where the gradient of H vanishes, the law tells less
than the equation that it would replace. Instead every law brings an unknown of its own,

    f(X) + sum_k l_k grad H_k(X) = 0,    H_k(X) = H_k(X(0)).

At any solution the sum is a combination of gradients and, being -f, orthogonal to all of them:
it is 0. So the X that solve this are the states of rest with the values of the laws at the start,
no more and no fewer. (So periodic orbits of conservative systems are continued: Munoz-Almaraz,
Freire, Galan, Doedel & Vanderbauwhede, Physica D 181, 2003.) Where they are isolated and the
gradients independent, the equations are regular.

Linear laws are met by leaving out the equation of the state that each determines; the gradients
are then taken on the subspace of these laws, over the other states.

At a state of rest the gradients are left null vectors of the Jacobian of f: each independent one
accounts for an eigenvalue of 0, and the others decide whether what starts with the same values of
the laws is attracted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.expression import derivative, symbol
from physcm.mechanism.magnitude import size_of_terms
from physcm.sim import ConservationLaw, FirstIntegral, System

_INDEPENDENT = 1e-9


def multiplier(place: int) -> str:
    """Return what the unknown of a law is called.

    >>> multiplier(0)
    'multiplier_1'
    """
    return f"multiplier_{place + 1}"


def unfolded(
    system: System, linear: Sequence[ConservationLaw], curved: Sequence[FirstIntegral]
) -> dict[str, sp.Basic]:
    """Return the equations of the members of nonlinear laws, and one for each multiplier.

    >>> sleigh = System({"v": "w**2", "w": "-v*w"}, initial={"v": 1, "w": 1})
    >>> energy = FirstIntegral(symbol("v") ** 2 + symbol("w") ** 2)
    >>> for name, equation in unfolded(sleigh, (), [energy]).items():
    ...     print(f"{name}: {equation}")
    v: Eq(2*multiplier_1*v + w**2, 0)
    w: Eq(2*multiplier_1*w - v*w, 0)
    multiplier_1: Eq(v**2 - v(0)**2 + w**2 - w(0)**2, 0)
    """
    terms: dict[str, list[sp.Expr]] = {}
    for place, law in enumerate(curved):
        for name, slope in _gradient(law.level, system, linear).items():
            terms.setdefault(name, []).append(symbol(multiplier(place)) * slope)
    equations = {
        name: sp.Eq(sp.Add(system.drift[name], *added), 0, evaluate=False)
        for name, added in terms.items()
    }
    laws = {multiplier(k): sp.Eq(law.level, 0, evaluate=False) for k, law in enumerate(curved)}
    return equations | laws


def independent(
    system: System,
    linear: Sequence[ConservationLaw],
    curved: Sequence[FirstIntegral],
    x: Floats,
    x0: Floats,
    p: Floats,
) -> NDArray[np.int64]:
    """Return how many nonlinear laws have independent gradients at states, (points,).

    Args:
        system: the system.
        linear: its linear laws.
        curved: its nonlinear laws.
        x: the states, (states, points).
        x0: the states where the laws have their values from, (states, points).
        p: the parameters, (parameters, points).

    >>> sleigh = System({"v": "w**2", "w": "-v*w"}, initial={"v": 1, "w": 1})
    >>> energy = FirstIntegral(symbol("v") ** 2 + symbol("w") ** 2)
    >>> x = np.array([[1.0, 0], [0, 0]])
    >>> independent(sleigh, (), [energy], x, np.ones((2, 2)), np.empty((0, 2)))
    array([1, 0])
    """
    names, count = system.states, len(curved)
    gradients = [_gradient(law.level, system, linear) for law in curved]
    slopes = [gradient.get(name, sp.S.Zero) for gradient in gradients for name in names]
    sizes = [size_of_terms(law.level) for law in curved]
    read = (*(f"{name}(0)" for name in names), *system.parameters)
    program = Program.over(names, read, {}, (*slopes, *sizes))
    values = program.vector(0.0, x, np.concatenate([x0, p]))
    moved = values[: len(slopes)].reshape(count, len(names), -1) * np.where(x != 0, np.abs(x), 1.0)
    relative = moved / np.where(values[len(slopes) :] > 0, values[len(slopes) :], 1.0)[:, None]
    sound = np.nan_to_num(np.moveaxis(relative, -1, 0), posinf=0.0, neginf=0.0)
    return np.asarray(np.linalg.matrix_rank(sound, tol=_INDEPENDENT))


def without_conserved(
    spectra: NDArray[np.complex128], ranks: NDArray[np.int64]
) -> NDArray[np.complex128]:
    """Return spectra (points, any), largest first, without what laws account for.

    That many eigenvalues nearest to 0 are left out; the one that decays fastest stands in for them.

    >>> without_conserved(np.array([[0, -1 + 0j]]), np.array([1]))
    array([[-1.+0.j, -1.+0.j]])
    """
    place = np.argsort(np.argsort(np.abs(spectra), axis=1), axis=1)
    conserved = place < ranks[:, np.newaxis]
    others = np.where(conserved, np.inf, spectra.real).argmin(axis=1)
    fastest = np.take_along_axis(spectra, others[:, np.newaxis], axis=1)
    left = np.where(conserved, fastest, spectra)
    return np.take_along_axis(left, np.argsort(-left.real, axis=1, kind="stable"), axis=1)


def _gradient(
    level: sp.Expr, system: System, linear: Sequence[ConservationLaw]
) -> dict[str, sp.Expr]:
    """Return the slopes of a law by the states that no linear law determines, but those of 0."""
    full = {name: derivative(level, symbol(name)) for name in system.states}
    for law in linear:
        (first, weight), *others = law.coefficients
        for name, c in others:
            full[name] -= sp.Rational(str(c / weight)) * full[first]
    determined = {law.determines for law in linear}
    return {name: e for name, e in full.items() if e != 0 and name not in determined}
