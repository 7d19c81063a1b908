"""Models that others wrote: the SBML Test Suite at its own tolerances, and BioModels.

A case of the suite is a folder with model.xml, settings.txt and results.csv. It passes where
|result - expected| <= absolute + relative * |expected| for every variable and time.
"""

from __future__ import annotations

import csv
import os
import random
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libsbml
import numpy as np
import pytest
import sympy as sp
import xarray as xr

from physcm.mechanism.expression import symbol
from physcm.sim import System, simulate
from physcm.sim.sbml.mathml import Scope, to_sympy

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
DATA = Path(os.environ.get("PHYSCM_SHARED_DATA", SHARED)).resolve()

EXCEPTIONS: dict[str, str] = {}
"""Cases that do not pass, by number, each with the reason."""

LONG = {"00952", "00966", "01591", "01626", "01627"}
"""Cases with tens of thousands of events, which toss a coin for the order of each pair."""


def found(pattern: str) -> list[Any]:
    """Return the shared files that match; one parameter that skips where there are none."""
    paths = sorted(DATA.glob(pattern))
    if not paths:
        reason = f"no {pattern} in {DATA}; PHYSCM_SHARED_DATA can name another folder"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="absent")]
    return [
        _parameter(path, path.parent.name if path.stem == "model" else path.stem) for path in paths
    ]


def _parameter(path: Path, name: str) -> Any:
    marks = [pytest.mark.xfail(reason=EXCEPTIONS[name])] if name in EXCEPTIONS else []
    marks += [pytest.mark.slow] if name in LONG else []
    return pytest.param(path, id=name, marks=marks)


@dataclass(frozen=True)
class Settings:
    """What settings.txt asks for."""

    times: np.ndarray
    columns: dict[str, str]
    absolute: float
    relative: float

    @classmethod
    def of(cls, case: Path) -> Settings:
        text = (case / "settings.txt").read_text(encoding="utf-8")
        lines = (line.partition(":") for line in text.splitlines())
        given = {key.strip(): value.strip() for key, _, value in lines}
        columns = {name: name for name in re.findall(r"\w+", given["variables"])}
        for measure in ("amount", "concentration"):
            columns |= {name: f"{measure}({name})" for name in re.findall(r"\w+", given[measure])}
        start, duration, steps = (float(given[k]) for k in ("start", "duration", "steps"))
        times = np.linspace(start, start + duration, int(steps) + 1)
        return cls(times, columns, float(given["absolute"]), float(given["relative"]))


def expected_results(case: Path) -> dict[str, np.ndarray]:
    with (case / "results.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = [row for row in csv.reader(file) if row]
    table = np.array(rows, dtype=float).T
    return dict(zip(map(str.strip, head), table, strict=True))


def column(run: xr.Dataset, name: str, settings: Settings) -> np.ndarray:
    """Return a variable over time; amounts of compartments are listed, but have no other name."""
    labelled = settings.columns[name]
    values = run[labelled if labelled in run else name].isel(sample=0).values
    return np.broadcast_to(values, settings.times.shape)


def check(case: Path) -> None:
    settings, expected = Settings.of(case), expected_results(case)
    run = simulate(System.from_sbml(case / "model.xml"), settings.times)
    for name in settings.columns:
        result = column(run, name, settings)
        np.testing.assert_allclose(
            result, expected[name], settings.relative, settings.absolute, err_msg=name
        )


@pytest.mark.parametrize("model", found("sbml-test-suite/*/model.xml"))
def test_the_case_passes_at_its_own_tolerances(model: Path) -> None:
    check(model.parent)


@pytest.mark.parametrize("model", found("sbml-events/*/model.xml"))
def test_a_case_with_events_passes_at_its_own_tolerances(model: Path) -> None:
    check(model.parent)


@pytest.mark.parametrize("model", found("biomodels/*.xml"))
def test_a_biomodel_is_read_within_seconds_and_written_without_loss(
    model: Path, tmp_path: Path
) -> None:
    began = time.perf_counter()
    system = System.from_sbml(model)
    assert time.perf_counter() - began < 5
    system.to_toml(tmp_path / "model.toml")
    assert System.from_toml(tmp_path / "model.toml") == system


@pytest.mark.parametrize("model", found("biomodels/*.xml"))
def test_a_biomodel_moves_as_in_libroadrunner(model: Path) -> None:
    roadrunner = pytest.importorskip("roadrunner")
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_CRITICAL)
    system = System.from_sbml(model)
    times = np.concatenate([[0], np.sort(np.random.default_rng(0).uniform(0, 20, 5))])
    run = simulate(system, times).isel(sample=0)
    other = roadrunner.RoadRunner(str(model))
    other.integrator.setValue("absolute_tolerance", 1e-14)
    other.integrator.setValue("relative_tolerance", 1e-10)
    species = [name for name in system.states if f"amount({name})" in run]
    reactions = list(other.model.getReactionIds())
    other.timeCourseSelections = ["time", *species, *(f"[{s}]" for s in species), *reactions]
    theirs = np.asarray(other.simulate(times=times.tolist())).T[1:]
    ours = [
        *(f"amount({s})" for s in species),
        *(f"concentration({s})" for s in species),
        *reactions,
    ]
    assert species
    for name, values in zip(ours, theirs, strict=True):
        scale = np.abs(values).max()
        np.testing.assert_allclose(run[name], values, 1e-5, 1e-6 * scale, err_msg=name)


@pytest.mark.parametrize("model", found("biomodels/*.xml"))
def test_kinetic_laws_have_the_value_that_sbmlmath_gives_them(model: Path) -> None:
    sbmlmath = pytest.importorskip("sbmlmath")
    document = libsbml.readSBMLFromFile(str(model))
    source = document.getModel()
    functions = {f.getId(): f for f in source.getListOfFunctionDefinitions()}
    parser = sbmlmath.SBMLMathMLParser(
        document.getLevel(),
        document.getVersion(),
        ignore_units=True,
        symbol_kwargs={"real": True},
        evaluate=True,
    )
    names = _names(source)
    for reaction in source.getListOfReactions():
        law = reaction.getKineticLaw().getMath()
        ours = to_sympy(law, Scope(names, functions, reaction.getId()))
        libsbml.SBMLTransforms.replaceFD(law, source.getListOfFunctionDefinitions())
        theirs = parser.parse_str(libsbml.writeMathMLToString(law))
        point = {s: sp.Float(random.Random(s.name).uniform(0.5, 2)) for s in names.values()}
        assert float(ours.xreplace(point)) == pytest.approx(float(theirs.xreplace(point)), rel=1e-9)


def _names(model: Any) -> dict[str, sp.Symbol]:
    """Return the symbol of each name that a kinetic law can read, local parameters included."""
    laws = [reaction.getKineticLaw() for reaction in model.getListOfReactions()]
    elements = [
        *model.getListOfSpecies(),
        *model.getListOfCompartments(),
        *model.getListOfParameters(),
        *(parameter for law in laws for parameter in law.getListOfParameters()),
    ]
    return {element.getId(): symbol(element.getId()) for element in elements}
