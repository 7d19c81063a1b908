"""Explicit Runge-Kutta methods as data.

    k_s = f(t + c_s h, x + h sum_j a_sj k_j),   x' = x + h sum_j b_j k_j,   k_last = f(t + h, x')

Between t and t + h the solution is x + h sum_j w_j(theta) k_j with polynomials w_j, which the
further stages of `extra` may enter.

References: Dormand & Prince, J. Comput. Appl. Math. 6, 1980, of order 5, with the interpolant of
Shampine 1986; Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, 1993, section
II.10, of order 8. Their coefficients are those that SciPy publishes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.integrate import DOP853, RK45

from physcm.mechanism.codegen import Floats


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
    stages = [RK45.A[i, :i] for i in range(1, 6)]
    return RungeKutta(
        "Dormand-Prince 5(4)",
        (*stages, RK45.B),
        np.append(RK45.C[1:], 1.0),
        (RK45.E,),
        RK45.P,
        (),
        np.empty(0),
        4,
        3.25,
    )


@cache
def dormand_prince_8() -> RungeKutta:
    """Return the method of order 8 by Dormand and Prince, as of Hairer, Norsett and Wanner."""
    stages = [DOP853.A[i, :i] for i in range(1, 12)]
    return RungeKutta(
        "Dormand-Prince 8(5,3)",
        (*stages, DOP853.B),
        np.append(DOP853.C[1:12], 1.0),
        (DOP853.E5, DOP853.E3),
        _nested(DOP853.B, DOP853.D),
        tuple(DOP853.A_EXTRA[i, : 13 + i] for i in range(3)),
        DOP853.C_EXTRA,
        7,
        6.1,
    )


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
