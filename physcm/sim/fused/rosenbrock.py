"""Rosenbrock methods as data.

With J and f_t at (t, x), each stage takes one system of linear equations,

    (1 - g h J) u_i = g h f(t + c_i h, x + sum_j a_ij u_j) + g sum_j C_ij u_j + g h^2 d_i f_t,

all with the same matrix, and x' = x + sum_j b_j u_j. Between t and t + h the solution is
x + sum_j w_j(theta) u_j with polynomials w_j.

References: Hairer & Wanner, Solving Ordinary Differential Equations II, 1996, section IV.7;
Steinebach, BIT Numerical Mathematics 63, 2023, for Rodas5P.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from physcm.mechanism.codegen import Floats


@dataclass(frozen=True, eq=False)
class Rosenbrock:
    """A Rosenbrock method in the form without products of J with vectors.

    Attributes:
        name: of the method.
        gamma: g.
        a: a_ij, (stages, stages), below the diagonal.
        couplings: C_ij, in the same form.
        c: where in the step each stage is evaluated.
        d: d_i.
        b: the new state.
        error: of an estimate of its error, sum_j e_j u_j.
        weights: coefficients of theta, theta^2, ... in w_j, (stages, degree).
        order: of the error estimate.
    """

    name: str
    gamma: float
    a: Floats
    couplings: Floats
    c: Floats
    d: Floats
    b: Floats
    error: Floats
    weights: Floats
    order: int


@cache
def rodas5p() -> Rosenbrock:
    """Return the L-stable, stiffly accurate method of order 5 by Steinebach.

    The last two stages and the new state go on from the state of the stage before by its u, so
    that the last u is an estimate of the error.
    """
    final = [-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256,
             0.030198172008377946]  # fmt: skip
    a = _lower([
        [3.0],
        [2.849394379747939, 0.45842242204463923],
        [-6.954028509809101, 2.489845061869568, -10.358996098473584],
        [2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641],
        final,
        [*final, 1.0],
        [*final, 1.0, 1.0],
    ])  # fmt: skip
    couplings = _lower([
        [-14.155112264123755],
        [-17.97296035885952, -2.859693295451294],
        [147.12150275711716, -1.41221402718213, 71.68940251302358],
        [165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306],
        [24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125,
         -0.6610691825249471],
        [30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783,
         -19.097331116725623, -28.087943162872662],
        [37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047,
         -40.06618937091002, -54.66780262877968, -9.48861652309627],
    ])  # fmt: skip
    c = [0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1, 1, 1]
    d = [0.21193756319429014, -0.42387512638858027, -0.3384627126235924, 1.8046452872882734,
         2.325825639765069, 0, 0, 0]  # fmt: skip
    inside = np.array([
        [25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022685204,
         0.524948541321073, 1.1241088310450404, 0.4272876194431874, -0.17202221070155493],
        [-9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796,
         20.176138334709044, 15.98066361424651, -6.789040303419874, -6.710236069923372],
        [11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834622643,
         -52.072871366152654, -59.78993625266729, -0.15582684282751913, 4.883087185713722],
    ])  # fmt: skip
    b = np.array([*final, 1.0, 1.0, 1.0])
    return Rosenbrock(
        "Rodas5P", 0.21193756319429014, a, couplings, np.array(c, float), np.array(d), b,
        np.eye(8)[7], _weights(b, inside), 4,
    )  # fmt: skip


def _lower(rows: list[list[float]]) -> Floats:
    """Return a square matrix whose first row vanishes, from the others left of the diagonal."""
    matrix = np.zeros((len(rows) + 1, len(rows) + 1))
    for i, row in enumerate(rows, start=1):
        matrix[i, :i] = row
    return matrix


def _weights(b: Floats, inside: Floats) -> Floats:
    """Return w = theta b + theta (1 - theta) (h_2 + theta h_3 + theta^2 h_4), the h as rows."""
    weights = np.zeros((len(b), len(inside) + 1))
    weights[:, 0] = b
    weights[:, :-1] += inside.T
    weights[:, 1:] -= inside.T
    return weights
