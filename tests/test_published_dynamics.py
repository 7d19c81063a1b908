"""Published dynamical systems, from simulation to causal model, against their known answers."""

from __future__ import annotations

import json

import pytest

from physcm.abstraction import commutes, equilibrate
from physcm.mechanism import Hold
from physcm.sim import System, settle, simulate


def masses(count: int, *, forces: bool = False) -> System:
    """Mooij, Janzing & Schölkopf (2013), section 2: masses on springs, at their rest lengths.

    The last spring is two longer than at rest, so that the others begin to move one by one.
    """
    numbers = range(1, count + 1)
    places = ["0", *(f"Q{i}" for i in numbers), f"{count + 3}"]
    springs = {f"F{i}": f"{places[i + 1]} - {places[i]} - l" for i in range(count + 1)}
    drift = {}
    for i in numbers:
        left, right = (f"F{j}" if forces else f"({springs[f'F{j}']})" for j in (i - 1, i))
        drift |= {f"Q{i}": f"P{i}", f"P{i}": f"{right} - {left} - P{i}"}
    return System(
        drift,
        parameters={"l": 1},
        initial={f"Q{i}": i for i in numbers} | {f"P{i}": 0 for i in numbers},
        algebraic=springs if forces else {},
        held_together=[(f"Q{i}", f"P{i}") for i in numbers],
    )  # fmt: skip


@pytest.mark.parametrize("forces", [False, True])
def test_masses_that_start_in_balance_come_to_equal_distances(forces: bool) -> None:
    limit = settle(masses(10, forces=forces))
    found = [float(limit[f"Q{i}"][0]) for i in range(1, 11)]
    assert found == pytest.approx([13 / 11 * i for i in range(1, 11)], rel=1e-6)


@pytest.mark.parametrize("engine", ["numba", "scipy"])
@pytest.mark.parametrize("forces", [False, True])
def test_no_tolerance_is_below_the_rounding_of_forces_that_cancel(
    engine: str, forces: bool
) -> None:
    run = simulate(masses(6, forces=forces), [0, 1e-3, 2e-3], engine=engine)
    assert min(json.loads(run.attrs["atol"])) > 2**-53
    pulled = 2 * (1e-3) ** 2 / 2  # Q6'' = 2 at first
    assert float(run.Q6[0, 1]) - 6 == pytest.approx(pulled, rel=1e-3)


def test_the_causal_model_of_masses_that_start_in_balance_commutes() -> None:
    system = masses(3)
    assert commutes(system, equilibrate(system), [Hold("Q2", 2.5), Hold("Q1", 0.5)]).ok
