"""Newton steps in arithmetic with so many digits that no difference of doubles is lost.

In doubles 1 - x is 0 as soon as x is within 2^-53 of 1, however large a factor it has: the
residuals of

    -x + k (1 - x) exp(T) = 0,   c k (1 - x) exp(T) - T = 0

are below the rounding of their terms at (1, T) for every large T. The Newton step from there,

    J(x) d = -F(x),

leads far away, though, where F and J are computed with more digits than lie between the largest
double and the smallest one. Numbers in the equations are taken as the doubles that they are.

Reference: Rump, Verification methods: rigorous results using floating-point arithmetic, Acta
Numerica 19 (2010), section 1.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TypeAlias

import mpmath
import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program, generated
from physcm.mechanism.source import SCALAR, Target

Exact: TypeAlias = NDArray[np.object_]
"""Arrays of numbers with many digits."""

_DIGITS, _NOTHING = 700, -650

_NAMES = "sqrt exp log sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh atan2 floor"
PRECISE = Target(
    lambda: (
        {name: getattr(mpmath, name) for name in (*_NAMES.split(), "gamma", "polygamma", "power")}
        | {
            "ceiling": mpmath.ceil,
            "Abs": abs,
            "sign": mpmath.sign,
            "minimum": min,
            "maximum": max,
            "Mod": lambda a, b: a % b,
            "nan": mpmath.nan,
            "inf": mpmath.inf,
        }
    ),
    SCALAR.cases,
    SCALAR.words,
)


def linearized(program: Program, x: Floats, p: Floats) -> tuple[Exact, Exact]:
    """Return the outputs (outputs,) of a program without time, and their slopes.

    The slopes are (outputs, variables). To be called, as `solved`, within `many_digits()`.

    Raises:
        Unsupported: for a function that is not known with many digits.
        ArithmeticError, ValueError, TypeError: where one has no real value.
    """
    point, numbers = exact(x).tolist(), exact(p).tolist()
    slopes = program.jacobian
    matrix = exact(np.zeros(slopes.shape))
    matrix[slopes.rows, slopes.columns] = generated(slopes.program, PRECISE)(0.0, point, numbers)
    return np.array(generated(program, PRECISE)(0.0, point, numbers), dtype=object), matrix


def exact(values: Floats) -> Exact:
    """Return the same numbers with many digits."""
    return np.array([mpmath.mpf(v) for v in values.flat], dtype=object).reshape(values.shape)


def many_digits() -> AbstractContextManager[None]:
    """Compute with more digits than lie between the largest double and the smallest one."""
    digits: AbstractContextManager[None] = mpmath.workdps(_DIGITS)
    return digits


def solved(matrix: Exact, side: Exact, scale: Floats) -> Floats:
    """Return a solution z of M z = side; of as many equations as M has rank where it loses some.

    What the equations leave free is 0. Elimination with complete pivoting; a row of which no
    digit is left counts as lost.

    Args:
        matrix: (equations, unknowns).
        side: (equations,).
        scale: the size of each unknown, (unknowns,).

    >>> with many_digits():
    ...     line = exact(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    ...     solved(line, exact(np.array([3.0, -3.0])), np.ones(2))
    array([3., 0.])
    """
    table = np.column_stack([matrix * scale, side])
    largest = np.abs(table[:, :-1]).max(axis=1, initial=0)
    table = table / np.where(largest > 0, largest, 1)[:, np.newaxis]
    pivots: list[int] = []
    for k in range(min(matrix.shape)):
        rest = np.abs(table[k:, :-1])
        i, j = divmod(int(rest.argmax()), rest.shape[1])
        if rest[i, j] <= mpmath.mpf(10) ** _NOTHING:
            break
        pivots.append(j)
        table[[k, k + i]] = table[[k + i, k]]
        table[k] = table[k] / table[k, j]
        others = np.flatnonzero(table[:, j])
        others = others[others != k]
        table[others] -= table[others, j, np.newaxis] * table[k]
    z = np.zeros(matrix.shape[1])
    z[pivots] = table[: len(pivots), -1].astype(float)
    return z * scale
