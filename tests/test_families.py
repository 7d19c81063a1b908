"""Runs under many interventions followed together are what each is on its own."""

from __future__ import annotations

import numpy as np
import pytest

from physcm.abstraction import Report, commutes, compare, equilibrium_model
from physcm.mechanism import Hold, SetParameter, Uniform
from physcm.mechanism.interventions import Family
from physcm.sim import System

TOGGLE = System(
    {"x": "a/(1 + y**2) - x", "y": "b/(1 + x**2) - y", "z": "x - z"},
    parameters={"a": Uniform(2.5, 4), "b": Uniform(2.5, 4)},
    initial={"x": Uniform(0, 3), "y": Uniform(0, 3), "z": 0},
)
ENZYME = System(
    {"S": "k - E*S + C", "E": "2*C - E*S", "C": "E*S - 2*C"},
    parameters={"k": Uniform(0.5, 1.5)}, initial={"S": 1, "E": 1, "C": Uniform(0.2, 0.6)},
)  # fmt: skip
WELL = System({"x": "r*x - x**3"}, parameters={"r": Uniform(-1, 1)}, initial={"x": 1})


def both_ways(
    monkeypatch: pytest.MonkeyPatch, low: System, high: System, family: Family
) -> tuple[Report, Report]:
    reports = []
    for many in (1, 10**9):
        monkeypatch.setattr(compare, "_MANY", many)
        reports.append(commutes(low, equilibrium_model(high), family, n=12, starts=2))
    return reports[0], reports[1]


@pytest.mark.parametrize(
    ("low", "high", "family"),
    [
        (TOGGLE, TOGGLE, [Hold("z", 1), Hold("x", 1), SetParameter(a=3)]),
        (TOGGLE, TOGGLE.replace(drift={**TOGGLE.drift, "z": "x - 2*z"}), [Hold("x", 1)]),
        (ENZYME, ENZYME, [Hold("S", 1), Hold("E", 0.5), SetParameter(k=5)]),
        (WELL, WELL, [Hold("x", 1), SetParameter(r=-0.5)]),
    ],
    ids=["bistable", "wrong", "conserved", "partly bistable"],
)
def test_runs_followed_together_end_as_they_do_alone(
    monkeypatch: pytest.MonkeyPatch, low: System, high: System, family: Family
) -> None:
    together, alone = both_ways(monkeypatch, low, high, family)
    for one, other in zip(together.rows, alone.rows, strict=True):
        assert one.cells[:3] == other.cells[:3]
        assert one.agree == other.agree
    table, expected = together.table, alone.table
    np.testing.assert_allclose(table.simulated, expected.simulated, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(table.predicted, expected.predicted, rtol=1e-9, atol=1e-12)
    assert (table.simulated_status == expected.simulated_status).all()
