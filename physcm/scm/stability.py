"""Which solutions attract, where a model came from dynamics.

A model of equilibria may know the dynamics whose rest it describes: X_S' = f(X) for some
variables S, while all others follow at once from their own equations r_A(X) = 0. A solution
attracts what starts next to it if all eigenvalues of

    J = f_S - f_A (r_A)^-1 r_S,   subscripts denoting derivatives by X_S and X_A,

have negative real parts, and repels some if one has a positive one (Lyapunov's indirect
method). A held variable has no dynamics: its row is gone. What changes a mechanism otherwise
says nothing of dynamics, and the model forgets them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import Unsupported
from physcm.scm.solve import Solutions
from physcm.scm.status import SolutionStatus

if TYPE_CHECKING:
    from physcm.scm.scm import SCM

_SLACK = 1e-10


def stability(model: SCM, solutions: Solutions, given: Mapping[str, Floats]) -> NDArray[np.str_]:
    """Return "stable", "unstable" or, where the linearization cannot tell, "marginal".

    Args:
        model: one with dynamics.
        solutions: of the model.
        given: exogenous variables and parameters, over the samples.

    Raises:
        Unsupported: for a model without dynamics.
    """
    if model.dynamics is None:
        raise Unsupported(
            f"{model.in_words} does not tell which solutions are stable, as it knows no dynamics; "
            "give `dynamics`, or derive it by equilibrate from a system under the interventions"
        )
    largest, size = growth(
        model, solutions.values, {name: row[solutions.sample] for name, row in given.items()}
    )
    told = np.where(largest > _SLACK * size, "unstable", "marginal").astype("<U8")
    return np.where(largest < -_SLACK * size, "stable", told)


def growth(
    model: SCM, values: Mapping[str, Floats], given: Mapping[str, Floats]
) -> tuple[Floats, Floats]:
    """Return how fast what is next to solutions grows, and the size of the fastest rate.

    The one is the largest real part of the eigenvalues of a solution, negative if it attracts;
    the other the largest modulus. Both are NaN where the Jacobian has no value.

    Args:
        model: one with dynamics.
        values: each variable over the solutions.
        given: exogenous variables and parameters, over the solutions.
    """
    dynamics = model.dynamics or {}
    moving = tuple(dynamics)
    others = tuple(name for name in model.variables if name not in moving)
    names = (*moving, *others)
    columns = len(next(iter(values.values())))
    if not moving:
        return np.full(columns, -1.0), np.ones(columns)
    equations = (*dynamics.values(), *(model.residuals[name] for name in others))
    x = np.array([values[name] for name in names]).reshape(len(names), columns)
    p = np.array([*given.values()]).reshape(len(given), columns)
    slopes = Program.over(names, tuple(given), {}, equations).jacobian.batch(0.0, x, p)
    size = np.where(x != 0, np.abs(x), 1.0).T
    return _fastest(slopes * size[:, np.newaxis, :] / size[:, :, np.newaxis], len(moving))


def stable_ones(solutions: Solutions, kinds: NDArray[np.str_]) -> Solutions:
    """Return the solutions that are stable, with the statuses as they are."""
    kept = kinds == "stable"
    sample = solutions.sample[kept]
    return replace(
        solutions,
        values={name: row[kept] for name, row in solutions.values.items()},
        sample=sample,
        count=np.bincount(sample, minlength=solutions.status.size),
    )


def only_ones(solutions: Solutions) -> dict[str, Floats]:
    """Return each variable over the samples, NaN unless exactly one solution is left."""
    told = (solutions.count == 1) & (solutions.status != SolutionStatus.CONTINUUM)
    place = told[solutions.sample]
    values = {}
    for name, found in solutions.values.items():
        values[name] = np.full(told.size, np.nan)
        values[name][told] = found[place]
    return values


def _fastest(slopes: Floats, moving: int) -> tuple[Floats, Floats]:
    """Return growth and size of Jacobians (points, n, n) whose first rows and columns move."""
    largest, size = np.full((2, len(slopes)), np.nan)
    sound = np.asarray(np.isfinite(slopes).all(axis=(1, 2)))
    inner = slopes[:, moving:, moving:]
    sound[sound] = np.linalg.slogdet(inner[sound]).sign != 0
    A, B, C, D = _parts(slopes[sound], moving)
    values = np.linalg.eigvals(A - B @ np.linalg.solve(D, C))
    largest[sound], size[sound] = values.real.max(axis=1), np.abs(values).max(axis=1)
    return largest, size


def _parts(matrices: Floats, first: int) -> tuple[Floats, Floats, Floats, Floats]:
    above, below = matrices[:, :first], matrices[:, first:]
    return above[..., :first], above[..., first:], below[..., :first], below[..., first:]
