"""Both ways round the square with samples of both sides, intervention by intervention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from physcm.abstraction.population.coupling import Coupling
from physcm.abstraction.population.outcome import PopulationOutcome, compared, corrected
from physcm.abstraction.population.samples import High, Low, population
from physcm.abstraction.population.sets import Sets, same_draw_by_draw
from physcm.abstraction.tau import Tau
from physcm.mechanism.errors import InvalidValue
from physcm.sim import System

FEWEST = 50
LEVEL = 0.05
_ANOTHER = 2**31


def populations(
    squares: Sequence[tuple[Low, High]], tau: Tau, *, n: int, seed: int,
    step: float | None = None, tests: int = 0, done: Callable[[int], None] = lambda _: None,
) -> list[PopulationOutcome]:  # fmt: skip
    """Sample both sides of each square and compare their laws.

    Where both sides are structural models they are first sampled with the same draws: what
    agrees draw by draw agrees in law. The test takes draws of their own for the side above.

    Args:
        squares: a low and a high model that carry the same intervention.
        tau: takes values below to values above.
        n: number of samples of each side.
        seed: of all draws.
        step: as `simulate` takes it.
        tests: how many interventions there are in all, where that is more.
        done: called with the number of samples each time that an intervention is done.

    Raises:
        InvalidValue: for fewer samples than a comparison needs.
    """
    if n < FEWEST:
        raise InvalidValue(
            f"n is `{n}`; laws are compared by samples, of which at least {FEWEST} are needed"
        )
    outcomes = []
    tests = max(tests, len(squares))
    for low, high in squares:
        outcomes.append(_outcome(low, high, tau, n, seed, step, tests))
        done(n)
    return corrected(outcomes, tests)


def _outcome(
    low: Low, high: High, tau: Tau, n: int, seed: int, step: float | None, tests: int
) -> PopulationOutcome:
    """Compare both sides; of a system's causal model those solutions count that attract."""
    attracting = isinstance(low, System)
    below = Sets.of(population(low, n, seed, step), tau)

    def drawn(seed: int) -> Sets:
        return Sets.of(population(high, n, seed, step, attracting=attracting), tau, above=True)

    shared = drawn(seed)
    above = shared if same_draw_by_draw(below, shared) else drawn(seed + _ANOTHER)
    found = compared(below, above, level=LEVEL, tests=tests, seed=seed)
    return replace(found, step=step, coupling=Coupling.of(below, shared, above))
