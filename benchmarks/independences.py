"""Do the independences that the causal ordering predicts hold in simulated equilibria?

Question: with every positive number of a model drawn at random, five percent around its value,
which independences between these numbers and the states that move does the Markov ordering graph
claim, and which of them do partial correlations of logarithms deny? Which dependences that the
graph allows do they not see? Each question has up to one variable given where there are few
variables, none where there are many. Derived variables and states that never move are functions
of what is shown, and left out.

Run: python -m benchmarks.independences [--kind zoo | biomodels] [NAME ...]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from benchmarks.effects import AT_REST
from benchmarks.tables import markdown, models
from physcm.abstraction import causal_ordering
from physcm.mechanism import LogNormal, NotSolvable, Unsupported
from physcm.mechanism.values import Value
from physcm.scm.graph import latent_projection
from physcm.scm.independence import test_separations as separations_in
from physcm.sim import System, steady_states

SAMPLES, SPREAD, FEW = 1000, 0.05, 24
HEAD = ("model", "states", "inputs", "samples", "claims", "false", "dependences", "not seen")


def independences(name: str, system: System, samples: int = SAMPLES) -> tuple[str, ...] | None:
    """Return the counts of a model as cells, or None where it has no ordering or seldom rests."""
    numbers = AT_REST.get(name, {})
    parameters = spread({**system.parameters, **numbers})
    drawn = system.replace(parameters=parameters, initial=spread(system.initial))
    try:
        ordering = causal_ordering(drawn)
        rest = steady_states(drawn, n=samples)
    except (NotSolvable, Unsupported):
        return None
    states = [name for name, f in drawn.drift.items() if f != 0]
    x, p = drawn.draw(np.arange(samples), 0)
    values = dict(zip(drawn.parameters, p, strict=True))
    values |= {f"{state}(0)": row for state, row in zip(drawn.states, x, strict=True)}
    inputs = ordering.inputs_at_random
    data = rest[states].assign({i: ("sample", values[i]) for i in inputs})
    positive = (data.to_array() > 0).all("variable").values & (rest.status.values == 0)
    count = int(positive.sum())
    if 2 * count < samples:
        return None
    logs = np.log(data.isel(sample=positive))
    shown = {*states, *inputs}
    graph = ordering.markov_ordering()
    graph = latent_projection(graph, [node for node in graph.nodes if node not in shown])
    given = 1 if len(graph.nodes) <= FEW else 0
    found = separations_in(graph, logs, sigma=False, largest_given=given)
    counts = (
        len(states), len(inputs), count,
        found.claims, found.false_claims, found.connections, found.missed,
    )  # fmt: skip
    return (name, *(f"{value:,}" for value in counts))


def spread(given: dict[str, Value]) -> dict[str, Value]:
    """Return values with all positive numbers at random."""
    return {
        name: LogNormal(np.log(value), SPREAD) if isinstance(value, float) and value > 0 else value
        for name, value in given.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    reader = argparse.ArgumentParser()
    reader.add_argument("names", nargs="*")
    reader.add_argument("--kind", choices=("zoo", "biomodels"), action="append")
    reader.add_argument("--samples", type=int, default=SAMPLES)
    options = reader.parse_args(arguments)
    print(markdown(HEAD))
    for _, name, system in models(options.kind or ("zoo", "biomodels"), options.names):
        row = independences(name, system, options.samples)
        if row:
            print(markdown(row), flush=True)


if __name__ == "__main__":
    main()
