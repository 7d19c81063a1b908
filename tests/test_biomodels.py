"""The whole path on models of BioModels: the verdicts, and the second opinion of libroadrunner.

What is expected of each model was established apart from the check: by libroadrunner's steady
states and long runs, and from the papers (models 5, 10, 12 and 35 were published as oscillators,
26 and 27 as bistable).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from physcm.abstraction import Report, Row, commutes, equilibrium_model, hold_each
from physcm.sim import System, settle
from physcm.sim.status import LimitStatus

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Expected:
    """What the report on a model has to say: its verdict, and under what it disagrees."""

    verdict: str
    disagree: frozenset[str] = frozenset()


OSCILLATES = "No equilibrium SCM exists. The only solution is unstable, and the simulation repeats"
BISTABLE = "No equilibrium SCM exists. 2 stable equilibria coexist"
COMMUTES = "The square commutes"
FAILS = "The square does not commute"

EXPECTED = {
    5: Expected(f"{OSCILLATES} with period 35.6 "),
    9: Expected(FAILS, frozenset({"K", "KKPase_PP_KK", "KPase_PP_K"})),
    10: Expected(f"{OSCILLATES} with period 1300 "),
    12: Expected(f"{OSCILLATES} with period 125.4 "),
    23: Expected(COMMUTES),
    26: Expected(BISTABLE),
    27: Expected(BISTABLE),
    35: Expected(f"{OSCILLATES} with period 25.56 "),
    38: Expected(COMMUTES),
    52: Expected("No equilibrium SCM exists. The equilibrium equations leave a continuum"),
    62: Expected(COMMUTES),
    64: Expected(FAILS, frozenset({"GLCi", "P", "SUM_P"})),
    65: Expected(FAILS, frozenset({"B", "L", "I2", "L_e"})),
    203: Expected(COMMUTES),
    258: Expected(FAILS, frozenset({"alpha"})),
    310: Expected(FAILS, frozenset({"S"})),
}


@pytest.mark.parametrize("number", EXPECTED)
def test_the_report_on_a_biomodel_is_true(number: int, shared_data: Path) -> None:
    path = shared_data / "biomodels" / f"BIOMD{number:010}.xml"
    system = System.from_sbml(path)
    report = commutes(system, equilibrium_model(system), hold_each(system))
    expected = EXPECTED[number]
    assert report.verdict.startswith(expected.verdict)
    if not expected.verdict.startswith("No"):
        assert {held(row) for row in report.rows if not row.agree} == expected.disagree
    require_rest_in_libroadrunner(report, path)


def require_rest_in_libroadrunner(report: Report, path: Path) -> None:
    """Put libroadrunner into each predicted state; the species that are not held must rest."""
    roadrunner = pytest.importorskip("roadrunner")
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_CRITICAL)
    runner = roadrunner.RoadRunner(str(path))
    stoichiometry = runner.getFullStoichiometryMatrix()
    species = list(stoichiometry.rownames)

    def flows() -> Any:
        return np.asarray(stoichiometry) * np.asarray(runner.model.getReactionRates())

    slow = 1e-9 * np.abs(flows()).max()
    predicted = report.table.predicted.isel(sample=0, start=0)
    for row, state in zip(report.rows, predicted, strict=True):
        if row.simulation != "settled" or not row.agree or held(row) not in {"", *species}:
            continue
        put_into(runner, report.low, dict(zip(state["variable"].values, state.values, strict=True)))
        rates, sizes = np.abs(flows().sum(axis=1)), np.abs(flows()).sum(axis=1)
        free = np.array([name != held(row) for name in species])
        assert (rates <= 1e-6 * sizes + slow)[free].all(), f"{path.stem} under {row.intervention}"


def held(row: Row) -> str:
    """The variable that a row holds; empty where nothing is held."""
    return "" if row.intervention == "nothing" else row.intervention[3:].partition(" = ")[0]


def put_into(runner: Any, system: System, state: dict[str, float]) -> None:
    """Give libroadrunner the values of our states."""
    species = {*runner.model.getFloatingSpeciesIds(), *runner.model.getBoundarySpeciesIds()}
    for name in (*system.states, *system.held):
        if name in species:
            runner[f"[{name}]"] = state[f"concentration({name})"]
        elif name in state:
            runner[name] = state[name]


def test_a_gene_that_is_never_shut_off_makes_protein_without_bound(shared_data: Path) -> None:
    # With DA held, DAp, MA and A form a linear loop of positive gain: exponential growth.
    vilar = System.from_sbml(shared_data / "biomodels" / "BIOMD0000000035.xml")
    assert settle(vilar.do(DA=1.08719)).status.values == [LimitStatus.DIVERGED]
