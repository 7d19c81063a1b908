"""Published dynamical systems, from simulation to causal model, against their known answers."""

from __future__ import annotations

import json

import pytest

from physcm.abstraction import (
    causal_ordering,
    commutes,
    equilibrate,
    equilibrium_model,
    structural_stability,
)
from physcm.mechanism import Hold, NotStable
from physcm.sim import System, continuation, settle, simulate


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


def may_leonard(first: float, second: float, third: float) -> System:
    """May & Leonard (SIAM J. Appl. Math. 29, 1975), alpha + beta > 2: three compete in a circle."""
    drift = {
        "a": "a*(1 - a - 0.8*b - 1.3*c)",
        "b": "b*(1 - b - 0.8*c - 1.3*a)",
        "c": "c*(1 - c - 0.8*a - 1.3*b)",
    }
    amounts = dict.fromkeys(drift, (0, float("inf")))
    return System(drift, initial={"a": first, "b": second, "c": third}, bounds=amounts)


def test_three_competitors_in_a_circle_pass_each_other_by_for_ever() -> None:
    system = may_leonard(0.5, 0.3, 0.2)
    limit = settle(system)
    assert limit.status.attrs["flag_meanings"].split()[int(limit.status[0])] == "still_moving"
    (row,) = structural_stability(system, []).rows
    assert "no equilibrium attracts" in str(row)
    with pytest.raises(NotStable, match="unstable"):
        equilibrate(system)


def test_of_two_of_the_three_one_wins() -> None:
    limit = settle(may_leonard(0.5, 0.3, 0))
    assert [float(limit[x][0]) for x in "abc"] == pytest.approx([1, 0, 0], abs=1e-7)


def test_results_show_themselves_as_they_print() -> None:
    """A prompt shows a result by `repr`, where all of a continuation's numbers are no answer."""
    system = System({"x": "d + x - x**3"}, parameters={"d": 0}, initial={"x": 0.5})
    for result in (continuation(system, "d", (-1, 1)), causal_ordering(system)):
        assert repr(result) == str(result)
    assert repr(commutes(system, equilibrium_model(system), [])).startswith("No equilibrium SCM")
