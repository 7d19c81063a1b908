"""How fast is a feedback loop solved, for many samples?

Question: how long does it take per sample to solve a non-linear SCM of 20 variables in one
strongly connected component,

    x_i = sum_j w_ij tanh(x_j) + e_i,   three j for each i,   sum_j |w_ij| = 0.9,

for 100,000 samples, and to say that each solution is the only one? physcm draws the noise e in
that time. Peers are given e, the same residual and its Jacobian, and start from zero: a loop of
`scipy.optimize.root` (hybr, on a part of the samples), and Newton's method in NumPy on all
samples at once, undamped, until the largest step is below 1e-10. Neither says anything about
other solutions.

Run: python -m benchmarks.scm_cycles

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, beside little other work):

    physcm                     1.2 us
    scipy.optimize.root       83   us  71x
    Newton in NumPy           23   us  20x

Of the 1.2 us Newton's method takes 0.7; the rest draws, proves and judges.
"""

from __future__ import annotations

import numpy as np
import scipy.optimize

from benchmarks.timing import best, machine, table
from physcm.mechanism import Normal
from physcm.mechanism.codegen import Floats
from physcm.scm import SCM, SolutionStatus

SIZE, PARENTS, GAIN = 20, 3, 0.9
SAMPLES, PART = 100_000, 500


def weights() -> Floats:
    """Draw a ring with further edges, (effect, cause)."""
    rng = np.random.default_rng(1)
    W = np.zeros((SIZE, SIZE))
    for i in range(SIZE):
        others = [j for j in range(SIZE) if j not in (i, (i - 1) % SIZE)]
        causes = [(i - 1) % SIZE, *rng.choice(others, PARENTS - 1, replace=False)]
        W[i, causes] = rng.uniform(0.3, 1, PARENTS) * rng.choice([-1, 1], PARENTS)
    return W * GAIN / np.abs(W).sum(axis=1, keepdims=True)


def loop(W: Floats) -> SCM:
    mechanisms = {
        f"x{i}": " + ".join([f"({W[i, j]})*tanh(x{j})" for j in np.flatnonzero(W[i])] + [f"e{i}"])
        for i in range(SIZE)
    }
    return SCM(mechanisms, {f"e{i}": Normal(0, 1) for i in range(SIZE)})


def by_root(W: Floats, e: Floats) -> Floats:
    one = np.eye(SIZE)
    return np.array(
        [
            scipy.optimize.root(
                lambda x, own=own: x - W @ np.tanh(x) - own,
                np.zeros(SIZE),
                jac=lambda x: one - W * (1 - np.tanh(x) ** 2),
                tol=1e-10,
            ).x
            for own in e.T
        ]
    ).T


def by_newton(W: Floats, e: Floats) -> Floats:
    x, one = np.zeros(e.shape), np.eye(SIZE)
    step = np.ones(1)
    while np.abs(step).max() > 1e-10:
        y = np.tanh(x)
        J = one - W * (1 - y.T**2)[:, np.newaxis, :]
        step = np.linalg.solve(J, (x - W @ y - e).T[:, :, np.newaxis])[:, :, 0].T
        x -= step
    return x


def main() -> None:
    print(machine())
    W = weights()
    model = loop(W)
    ours, seconds = best(lambda: model.sample(SAMPLES))
    e, found = (np.array([ours[f"{name}{i}"].values for i in range(SIZE)]) for name in "ex")
    assert (ours.status == SolutionStatus.UNIQUE).all()
    rooted, slow = best(lambda: by_root(W, e[:, :PART]))
    newton, batched = best(lambda: by_newton(W, e))
    assert np.allclose(rooted, found[:, :PART], rtol=0, atol=1e-8)
    assert np.allclose(newton, found, rtol=0, atol=1e-10)
    peers = {
        "scipy.optimize.root": slow / PART * 1e6,
        "Newton in NumPy": batched / SAMPLES * 1e6,
    }
    table("microseconds per sample", seconds / SAMPLES * 1e6, peers, "us")


if __name__ == "__main__":
    main()
