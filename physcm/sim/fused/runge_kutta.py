"""Explicit Runge-Kutta methods as data.

    k_s = f(t + c_s h, x + h sum_j a_sj k_j),   x' = x + h sum_j b_j k_j,   k_last = f(t + h, x')

Between t and t + h the solution is x + h sum_j w_j(theta) k_j with polynomials w_j, which the
further stages of `extra` may enter.

References: Dormand & Prince, J. Comput. Appl. Math. 6, 1980, of order 5, with the interpolant of
Shampine 1986; Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, 1993, section
II.10, of order 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.sim.fused import order_8


@dataclass(frozen=True, eq=False)
class RungeKutta:
    """An explicit method whose last stage is the first of the next step.

    Attributes:
        name: of the method.
        a: coefficients of the stages after the first, the last of which is the new state.
        c: where in the step each of them is evaluated.
        errors: coefficients of the error estimates, one or two.
        weights: coefficients of theta, theta^2, ... in w_j, (stages, degree).
        extra: coefficients of the stages that only interpolation needs.
        extra_c: where these are evaluated.
        order: of the error estimate.
        stability: how far |h lambda| may reach on the negative real axis.
    """

    name: str
    a: tuple[Floats, ...]
    c: Floats
    errors: tuple[Floats, ...]
    weights: Floats
    extra: tuple[Floats, ...]
    extra_c: Floats
    order: int
    stability: float


@cache
def dormand_prince_5() -> RungeKutta:
    """Return the method of order 5 by Dormand and Prince."""
    a = (
        {0: 1 / 5},
        {0: 3 / 40, 1: 9 / 40},
        {0: 44 / 45, 1: -56 / 15, 2: 32 / 9},
        {0: 19372 / 6561, 1: -25360 / 2187, 2: 64448 / 6561, 3: -212 / 729},
        {0: 9017 / 3168, 1: -355 / 33, 2: 46732 / 5247, 3: 49 / 176, 4: -5103 / 18656},
        {0: 35 / 384, 2: 500 / 1113, 3: 125 / 192, 4: -2187 / 6784, 5: 11 / 84},
    )
    error = {
        0: -71 / 57600,
        2: 71 / 16695,
        3: -71 / 1920,
        4: 17253 / 339200,
        5: -22 / 525,
        6: 1 / 40,
    }
    weights = np.array([
        [1, -8048581381 / 2820520608, 8663915743 / 2820520608, -12715105075 / 11282082432],
        [0, 0, 0, 0],
        [0, 131558114200 / 32700410799, -68118460800 / 10900136933, 87487479700 / 32700410799],
        [0, -1754552775 / 470086768, 14199869525 / 1410260304, -10690763975 / 1880347072],
        [0, 127303824393 / 49829197408, -318862633887 / 49829197408, 701980252875 / 199316789632],
        [0, -282668133 / 205662961, 2019193451 / 616988883, -1453857185 / 822651844],
        [0, 40617522 / 29380423, -110615467 / 29380423, 69997945 / 29380423],
    ])  # fmt: skip
    return RungeKutta(
        "Dormand-Prince 5(4)", _stages(a, 1), np.array([1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1]),
        (_row(error, 7),), weights, (), np.empty(0), 4, 3.25,
    )  # fmt: skip


@cache
def dormand_prince_8() -> RungeKutta:
    """Return the method of order 8 by Dormand and Prince, as of Hairer, Norsett and Wanner."""
    a, errors = _stages(order_8.A, 1), tuple(_row(error, 13) for error in order_8.ERRORS)
    dense = np.array([_row(row, 16) for row in order_8.DENSE])
    return RungeKutta(
        "Dormand-Prince 8(5,3)", a, np.array(order_8.C), errors, _nested(a[-1], dense),
        _stages(order_8.EXTRA, 13), np.array(order_8.EXTRA_C), 7, 6.1,
    )  # fmt: skip


def _stages(rows: Sequence[Mapping[int, float]], first: int) -> tuple[Floats, ...]:
    """Return rows that grow longer by one each."""
    return tuple(_row(row, size) for size, row in enumerate(rows, start=first))


def _row(entries: Mapping[int, float], size: int) -> Floats:
    row = np.zeros(size)
    row[list(entries)] = list(entries.values())
    return row


def _nested(b: Floats, d: Floats) -> Floats:
    """Return w_j of the interpolant F_0 theta + F_1 theta (1 - theta) + F_2 theta^2 (1 - theta) ...

    F_0 = x' - x, F_1 = h f - F_0, F_2 = 2 F_0 - h (f + f'), and further F_i = h sum_j d_ij k_j.
    """
    stages = d.shape[1]
    rows = np.zeros((3 + len(d), stages))
    rows[0, : len(b)] = b
    rows[1] = -rows[0]
    rows[1, 0] += 1
    rows[2] = 2 * rows[0]
    rows[2, [0, len(b)]] -= 1
    rows[3:] = d
    weights, basis = np.zeros((stages, len(rows))), np.array([1.0])
    for i, row in enumerate(rows):
        # Times theta, then times 1 - theta, in turn; powers of theta ascend.
        basis = np.append(0, basis) if i % 2 == 0 else np.append(basis, 0) - np.append(0, basis)
        weights[:, : len(basis) - 1] += np.outer(row, basis[1:])
    return weights
