"""How long does it take to walk the square?

Question: how long does the check take on every zoo model that can rest (under holds of each state
at three values, three starts each), and on a sparse network of 50 variables under 200 interventions
that hold one to three of them, with 1,000 samples of its random inputs and one start each? How does
that grow with the variables, the interventions and the samples? The machine code is at hand from an
earlier run in the zoo, and made in the run for networks; imports are left aside.

Run: python -m benchmarks.verify [zoo | network | growth]
(the plot of the growth goes to benchmarks/results/verify_growth.png)

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, no other work): 31 zoo models
in 19 s, the longest kuramoto (4.2 s), lorenz_96 (3.2 s) and cart_pendulum (2.4 s), the others at
most 1.4 s; the network in 27 s, all 201 rows in agreement. Linear in the interventions, less than
that in the samples. A hundred variables under 50 interventions with 100 samples take 6.9 s, fifty
1.7 s; they took 22 s before stability was proved without eigenvalues where it can be.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.timing import machine
from physcm.abstraction import commutes, equilibrium_model, hold_each
from physcm.mechanism import Hold, PhyscmError, Uniform
from physcm.sim import System, zoo

SIZE, CAUSES, INTERVENTIONS, SAMPLES = 50, 3, 200, 1000
SMALL = {"variables": 25, "interventions": 50, "samples": 100}
SWEEPS = {
    "variables": (12, 25, 50, 100),
    "interventions": (25, 50, 100, 200, 400),
    "samples": (50, 100, 200, 400, 800),
}


def network(size: int = SIZE) -> System:
    """Return dx_i = b_i - x_i + the sum of w_ij tanh(x_j) over three causes."""
    rng = np.random.default_rng(0)
    drift = {}
    for i in range(size):
        causes = rng.choice([j for j in range(size) if j != i], CAUSES, replace=False)
        weights = rng.uniform(-0.6, 0.6, CAUSES)
        terms = [f"({w:.3f})*tanh(x{j})" for w, j in zip(weights, causes, strict=True)]
        drift[f"x{i}"] = " + ".join([f"b{i} - x{i}", *terms])
    inputs = {f"b{i}": Uniform(-1, 1) for i in range(size)}
    return System(drift, parameters=inputs, initial={f"x{i}": 0 for i in range(size)})


def family(count: int = INTERVENTIONS, size: int = SIZE) -> list[list[Hold]]:
    """Return holds of one to three variables at random values."""
    rng = np.random.default_rng(1)
    return [
        [
            Hold(f"x{j}", float(rng.normal()))
            for j in rng.choice(size, rng.integers(1, 4), replace=False)
        ]
        for _ in range(count)
    ]


def seconds_of(system: System, interventions: list[Hold] | list[list[Hold]], **options: int) -> str:
    """Return the time of one check, with its result."""
    begin = time.perf_counter()
    report = commutes(system, equilibrium_model(system), interventions, **options)
    agree = sum(row.agree for row in report.rows)
    return f"{time.perf_counter() - begin:.2f} s, {agree} of {len(report.rows)} agree"


def growth() -> None:
    """Print and plot how the time grows with one number while the others stay."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for panel, (what, numbers) in zip(figure.subplots(1, 3), SWEEPS.items(), strict=True):
        seconds = []
        for number in numbers:
            of = SMALL | {what: number}
            holds, begin = family(of["interventions"], of["variables"]), time.perf_counter()
            system = network(of["variables"])
            commutes(system, equilibrium_model(system), holds, n=of["samples"], starts=1)
            seconds.append(time.perf_counter() - begin)
            print(f"{number} {what}: {seconds[-1]:.2f} s", flush=True)
        panel.loglog(numbers, seconds, "o-", markersize=3, label="check")
        line = seconds[-1] * np.array(numbers) / numbers[-1]
        panel.loglog(numbers, line, "--", color="0.6", linewidth=1, label="slope 1", zorder=0)
        panel.set_xticks(numbers, [str(number) for number in numbers])
        panel.set_xticks([], minor=True)
        panel.set_xlabel(f"number of {what}")
        panel.set_ylabel("seconds")
        panel.legend(frameon=False, fontsize=8)
    figure.savefig(Path(__file__).parent / "results" / "verify_growth.png", dpi=120)


def main() -> None:
    chosen = sys.argv[1:] or ["zoo", "network", "growth"]
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
    if "growth" in chosen:
        growth()


if __name__ == "__main__":
    main()
