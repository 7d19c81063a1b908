"""How fast are equilibria under many interventions, beside libroadrunner?

Question: what does one equilibrium cost under 1,000 interventions, each of which multiplies one
rate of the MAPK models 10 (Kholodenko: oscillates, so that its equilibrium repels) and 27
(Markevich: two stable equilibria) of BioModels by a random factor? What does it cost under holds
of one species at a time, which in libroadrunner are another model each?

libroadrunner runs as in the loop of a user who knows it well: conserved moieties are found ahead
of time, then `reset`, one parameter, `steadyState` and the concentrations, on one core. As it is
installed it finds moieties anew in each call, which compiles the model anew. physcm takes all
interventions in one call, on all cores and on one. Its "solver alone" goes from arrays of
parameters to equilibria that are certified by their Newton steps and eigenvalues, and that the
flow was followed to, which libroadrunner does not look at; "whole call" is `steady_states` with a
list of interventions and a dataset, "as samples" the same for one system with a number per
sample. Compile time is apart. The residual is the largest rate of change,
relative to the sum of the absolute values of its terms.

Run: python -m benchmarks.equilibria [FOLDER OF SBML FILES]
(default: ../shared/data/biomodels beside the checkout; needs the extra `dev`)

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, no other work;
docs/notes/equilibria.md): libroadrunner on its one core takes, times as long as physcm on two,

                           model 10   model 27
    solver alone             3.2        5.8
    whole call               2.4        3.2

and as long as physcm on one core 2.5 and 6.4 times, 1.9 and 3.1, and 2.2 and 4.6 where the numbers
are samples of one system. As it is installed it takes several thousand times as long. Of model 27
it leaves a quarter unsolved.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import roadrunner
from numpy.typing import NDArray

from benchmarks.stiff_ensemble import promoted
from benchmarks.timing import best, machine, table
from physcm.mechanism import Hold, SetParameter
from physcm.mechanism.lanes.pool import cores
from physcm.sim import System, steady_states
from physcm.sim.resting import resting
from physcm.sim.stacked import Stack, stacked

COUNT, AS_INSTALLED, REPEATS = 1000, 3, 15
MODELS = (10, 27)
Floats = NDArray[np.float64]


def changes(system: System) -> list[SetParameter]:
    """Return interventions that multiply one rate each, the volume aside."""
    random = np.random.default_rng(0)
    names = [name for name in system.parameters if name != "uVol"]
    factors = np.exp(0.5 * random.normal(size=COUNT))
    return [
        SetParameter({name: float(system.parameters[name]) * factor})
        for name, factor in zip(names * COUNT, factors, strict=False)
    ]


def as_samples(system: System, interventions: list[SetParameter]) -> System:
    """Return a system each sample of which has the numbers of one intervention."""
    values = {name: [float(v)] * COUNT for name, v in system.parameters.items()}
    for k, intervention in enumerate(interventions):
        for name, value in intervention.values.items():
            values[name][k] = value
    return system.replace(parameters={name: tuple(own) for name, own in values.items()})


def holds(system: System, found: Floats) -> list[Hold]:
    """Return holds of one species each, in turn, between half and twice its equilibrium."""
    random = np.random.default_rng(1)
    moving = np.flatnonzero([drift != 0 for drift in system.drift.values()])
    chosen = moving[np.arange(COUNT) % moving.size]
    values = found[chosen] * 2.0 ** random.uniform(-1, 1, COUNT)
    return [Hold(system.states[i], float(v)) for i, v in zip(chosen, values, strict=True)]


class Roadrunner:
    """A model in libroadrunner."""

    def __init__(self, path: Path, system: System) -> None:
        self.runner = roadrunner.RoadRunner(promoted(path))
        self.species = [f"[{name}]" for name in system.states]
        self.defaults = {name: float(value) for name, value in system.parameters.items()}

    def states(self, interventions: list[SetParameter]) -> Floats:
        """Return the steady states (states, interventions), NaN where there is an error."""
        columns = []
        for intervention in interventions:
            ((name, value),) = intervention.values.items()
            self.runner.reset()
            self.runner[name] = value
            try:
                self.runner.steadyState()
                columns.append([self.runner[species] for species in self.species])
            except RuntimeError:
                columns.append([np.nan] * len(self.species))
            self.runner[name] = self.defaults[name]
        return np.array(columns).T


def residual(stack: Stack, x: Floats) -> Floats:
    """Return the largest relative rate of change of each column."""
    rates = stack.system.rates.vector(0.0, x, stack.p)
    sizes = stack.system.sizes.vector(0.0, x, stack.p)
    return np.max(np.abs(rates) / np.where(sizes > 0, sizes, 1.0), axis=0)


def in_turn(actions: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Return the best time and processor time of each action, in microseconds per intervention.

    They run in turn, so that other work on the machine meets all of them.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for _ in range(REPEATS):
        for name, action in actions.items():
            begin = time.perf_counter(), time.process_time()
            action()
            times[name].append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    best_of = {
        name: [min(column) for column in zip(*own, strict=True)] for name, own in times.items()
    }
    return {name: (1e6 * t / COUNT, 1e6 * cpu / COUNT) for name, (t, cpu) in best_of.items()}


def compare(number: int, folder: Path) -> None:
    """Print the tables of one model."""
    path = folder / f"BIOMD{number:010d}.xml"
    system = System.from_sbml(path)
    begin = time.perf_counter()
    steady_states(system)
    first = time.perf_counter() - begin
    given = changes(system)
    (stack,) = stacked(system, [(change,) for change in given], 1, 0)
    ours = resting(stack, cores())
    samples = as_samples(system, given)
    runner = Roadrunner(path, system)
    installed = 1e6 * best(lambda: runner.states(given[:AS_INSTALLED]), 1)[1] / AS_INSTALLED
    runner.runner.conservedMoietyAnalysis = True
    theirs = runner.states(given)
    times = in_turn({
        "solver alone": lambda: resting(stack, cores()),
        "solver alone on one core": lambda: resting(stack, 1),
        "whole call": lambda: steady_states(system, given),
        "whole call on one core": lambda: steady_states(system, given, threads=1),
        "as samples on one core": lambda: steady_states(samples, n=COUNT, threads=1),
        "libroadrunner": lambda: runner.states(given),
    })  # fmt: skip
    theirs_took = times.pop("libroadrunner")
    for what, took in times.items():
        for clock, ours_us, theirs_us in zip(
            ("", ", processor time"), took, theirs_took, strict=True
        ):
            peers = {"libroadrunner, moieties known": theirs_us}
            table(f"Model {number}, one rate changed, {what}{clock}", ours_us, peers, "us")
    print(f"  libroadrunner as installed: {installed:.0f} us")
    print(f"  first call in the process: {first:.2f} s")
    for name, x in (("physcm", ours.x), ("libroadrunner", theirs)):
        found = np.isfinite(x).all(axis=0)
        print(f"  {name}: {found.sum()} found, residual {residual(stack, x)[found].max():.0e}")
    kinds, counts = np.unique(ours.stability, return_counts=True)
    print(f"  of ours {dict(zip(kinds.tolist(), counts.tolist(), strict=True))}")
    held = holds(system, np.nanmedian(ours.x, axis=1))
    (stack,) = stacked(system, [(hold,) for hold in held], 1, 0)
    found = int((resting(stack, cores()).stability != "").sum())
    ((cost, _),) = in_turn({"": lambda: resting(stack, cores())}).values()
    print(f"  holds: {cost:.1f} us, {found} of {COUNT} found without a closer look")


def main() -> None:
    """Print the tables of all models."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "biomodels"
    print(machine())
    for number in MODELS:
        compare(number, Path(sys.argv[1]) if len(sys.argv) > 1 else default)


if __name__ == "__main__":
    main()
