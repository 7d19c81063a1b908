"""How long does it take to walk the square?

Question: how long does the check take on every zoo model that can rest (under holds of each state
at three values, three starts each), and on a sparse network of 50 variables under 200 interventions
that hold one to three of them, with 1,000 samples of its random inputs and one start each? The
machine code is at hand from an earlier run in the zoo, and made in the run for the network; imports
are left aside.

Run: python -m benchmarks.verify [zoo | network]

Last result (two cores of a cloud machine, AMD EPYC, beside little other work): 31 zoo models in
25 s, all but three below 1.5 s, the longest kuramoto (9.7 s), lorenz_96 (3.8 s) and cart_pendulum
(1.5 s); the network in 56 s, all 201 rows in agreement.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from benchmarks.timing import machine
from physcm.abstraction import commutes, equilibrium_model, hold_each
from physcm.mechanism import Hold, PhyscmError, Uniform
from physcm.sim import System, zoo

SIZE, CAUSES, INTERVENTIONS, SAMPLES = 50, 3, 200, 1000


def network() -> System:
    """Return dx_i = b_i - x_i + the sum of w_ij tanh(x_j) over three causes."""
    rng = np.random.default_rng(0)
    drift = {}
    for i in range(SIZE):
        causes = rng.choice([j for j in range(SIZE) if j != i], CAUSES, replace=False)
        weights = rng.uniform(-0.6, 0.6, CAUSES)
        terms = [f"({w:.3f})*tanh(x{j})" for w, j in zip(weights, causes, strict=True)]
        drift[f"x{i}"] = " + ".join([f"b{i} - x{i}", *terms])
    inputs = {f"b{i}": Uniform(-1, 1) for i in range(SIZE)}
    return System(drift, parameters=inputs, initial={f"x{i}": 0 for i in range(SIZE)})


def family() -> list[list[Hold]]:
    """Return holds of one to three variables at random values."""
    rng = np.random.default_rng(1)
    return [
        [
            Hold(f"x{j}", float(rng.normal()))
            for j in rng.choice(SIZE, rng.integers(1, 4), replace=False)
        ]
        for _ in range(INTERVENTIONS)
    ]


def seconds_of(system: System, interventions: list[Hold] | list[list[Hold]], **options: int) -> str:
    """Return the time of one check, with its result."""
    begin = time.perf_counter()
    report = commutes(system, equilibrium_model(system), interventions, **options)
    agree = sum(row.agree for row in report.rows)
    return f"{time.perf_counter() - begin:.2f} s, {agree} of {len(report.rows)} agree"


def main() -> None:
    chosen = sys.argv[1:] or ["zoo", "network"]
    print(machine())
    if "zoo" in chosen:
        for name in zoo.names():
            system = zoo.load(name)
            try:
                family_ = hold_each(system)
                seconds_of(system, family_)
                print(f"{name:28}{seconds_of(system, family_)}", flush=True)
            except PhyscmError as error:
                print(f"{name:28}{error}")
    if "network" in chosen:
        system = network()
        print(f"{SIZE} variables, {INTERVENTIONS} interventions, {SAMPLES} samples:")
        print(seconds_of(system, family(), n=SAMPLES, starts=1))


if __name__ == "__main__":
    main()
