"""How fast is an acyclic SCM sampled?

Question: how long does it take per value to draw a million samples of 100 variables, each linear
in three earlier ones with standard normal noise? physcm returns the noise as well, the draw of
a sample depends on the seed, its number and the name of the noise only, and every sample has a
status. Peers, where they are installed: the structural causal models of DoWhy gcm, with linear
regressors that are given the coefficients, and `LGANM` of sempler, which multiplies the noise by
the inverse of 1 - W.

Run: python -m benchmarks.scm_sampling [samples]

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, beside little other work):
nanoseconds per value, and beside it the least of processor time in an earlier run, of which physcm
can use both cores

    physcm        3.6     6.5
    sempler      15.6    35      4.4 times physcm
    DoWhy gcm    23.0    45      6.4 times physcm

Of the processor time, draws take 2.5 (uniform draws of a counter-based generator 1.1, the normal
quantile the rest), mechanisms 1, and the operating system 2.5, to hand out the memory of 200
columns.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable

import networkx as nx
import numpy as np

from benchmarks.timing import best, machine, table
from physcm.mechanism import Normal
from physcm.mechanism.codegen import Floats
from physcm.scm import SCM

SIZE, PARENTS = 100, 3

Sampler = Callable[[int], object]


def weights() -> Floats:
    """Draw the coefficients, (cause, effect)."""
    rng = np.random.default_rng(0)
    W = np.zeros((SIZE, SIZE))
    for i in range(1, SIZE):
        causes = rng.choice(i, min(PARENTS, i), replace=False)
        W[causes, i] = rng.uniform(-0.5, 0.5, causes.size)
    return W


def physcm(W: Floats) -> Sampler:
    mechanisms = {
        f"x{i}": " + ".join([f"({W[j, i]})*x{j}" for j in np.flatnonzero(W[:, i])] + [f"e{i}"])
        for i in range(SIZE)
    }
    return SCM(mechanisms, {f"e{i}": Normal(0, 1) for i in range(SIZE)}).sample


def sempler(W: Floats) -> Sampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of parts that need R
        import sempler as package
    model = package.LGANM(W, np.zeros(SIZE), np.ones(SIZE))
    return model.sample  # type: ignore[no-any-return]


def dowhy(W: Floats) -> Sampler:
    from dowhy import gcm
    from dowhy.graph import get_ordered_predecessors
    from scipy.stats import norm
    from sklearn.linear_model import LinearRegression

    graph = nx.DiGraph()
    graph.add_nodes_from(f"x{i}" for i in range(SIZE))
    graph.add_edges_from((f"x{j}", f"x{i}") for j, i in zip(*np.nonzero(W), strict=True))
    model = gcm.StructuralCausalModel(graph)
    for i in range(SIZE):
        name, noise = f"x{i}", gcm.ScipyDistribution(norm, loc=0, scale=1)
        causes = get_ordered_predecessors(graph, name)
        mechanism = noise
        if causes:
            fitted = LinearRegression()
            fitted.coef_ = np.array([[W[int(cause[1:]), i] for cause in causes]])
            fitted.intercept_, fitted.n_features_in_ = np.zeros(1), len(causes)
            mechanism = gcm.AdditiveNoiseModel(gcm.ml.SklearnRegressionModel(fitted), noise)
        model.set_causal_mechanism(name, mechanism)
        graph.nodes[name]["parents_during_fit"] = causes
    return lambda n: gcm.draw_samples(model, n)


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(machine())
    W = weights()
    times = {}
    for name, make in {"physcm": physcm, "dowhy": dowhy, "sempler": sempler}.items():
        if name != "physcm" and importlib.util.find_spec(name) is None:
            print(f"{name} is left out, since it is not installed: pip install {name}")
            continue
        sample = make(W)
        sample(10)
        times[name] = best(lambda sample=sample: sample(n))[1] / n / SIZE * 1e9
    table("nanoseconds per value", times.pop("physcm"), times, "ns")


if __name__ == "__main__":
    main()
