"""Published models that are bistable or oscillate, with the values that their papers give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy

from physcm.sim import Continuation, System, basins, continuation, hysteresis


def model(shared_data: Path, number: int) -> System:
    path = shared_data / "biomodels" / f"BIOMD{number:010d}.xml"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the shared data")
    return System.from_sbml(path)


def folds(found: Continuation) -> list[float]:
    return [point.value for point in found.points if point.kind == "fold"]


def hopf(found: Continuation) -> list[tuple[float, str]]:
    return [(p.value, p.criticality) for p in found.points if p.kind == "Hopf"]


def stable(found: Continuation) -> list[int]:
    return [interval.stable for interval in found.intervals]


def test_the_lac_operon_is_bistable_where_yildirim_and_mackey_say(shared_data: Path) -> None:
    # Yildirim & Mackey 2003, at the growth rate of the file: 0.027 to 0.062 mM of lactose.
    found = continuation(model(shared_data, 65), "L_e", (0.001, 0.2))
    assert folds(found) == pytest.approx([0.027, 0.062], rel=0.03)
    assert stable(found) == [1, 2, 1]


@pytest.mark.parametrize(
    ("number", "over", "between"),
    [(27, "MAPKK", (5, 150)), (203, "A", (0, 200)), (310, "S", (0, 5)), (258, "r24", (0.5, 2))],
)
def test_bistable_models_jump_at_two_folds(
    shared_data: Path, number: int, over: str, between: tuple[float, float]
) -> None:
    system = model(shared_data, number)
    found = continuation(system, over, between)
    assert stable(found) == [1, 2, 1]
    low, high = folds(found)
    for value, count in ((0.999 * low, 1), ((low + high) / 2, 3), (1.001 * high, 1)):
        assert found.at(value).sizes["equilibrium"] == count


def test_the_cell_cycle_of_tyson_runs_between_two_hopf_points(shared_data: Path) -> None:
    # Tyson 1991, figure 3: steady at small and at large k6, oscillating about k6 = 1.
    found = continuation(model(shared_data, 5), "Reaction1_k6", (0.1, 4))
    (begin, _), (end, _) = hopf(found)
    assert begin < 1 < end
    assert [interval.fate for interval in found.intervals] == ["", "periodic", ""]


@pytest.mark.parametrize(
    ("number", "over", "between", "side"),
    [(10, "J0_V1", (0.1, 5), "high"), (12, "n", (1, 3), "high"), (12, "tau_prot", (1, 100), "low")],
)
def test_oscillating_models_begin_at_a_supercritical_hopf_point(
    shared_data: Path, number: int, over: str, between: tuple[float, float], side: str
) -> None:
    found = continuation(model(shared_data, number), over, between)
    ((value, criticality),) = hopf(found)
    assert criticality == "supercritical"
    fates = [interval.fate for interval in found.intervals]
    assert fates == (["", "periodic"] if side == "high" else ["periodic", ""])
    assert between[0] < value < between[1]


def test_the_repressilator_starts_where_elowitz_and_leibler_derive(shared_data: Path) -> None:
    # Elowitz & Leibler 2000, box 1: (beta + 1)^2/beta = 3 X^2/(4 + 2 X), X the loop's slope.
    found = continuation(model(shared_data, 12), "n", (1, 3))
    ((n, _),) = hopf(found)
    beta = 2 / 10
    alpha, alpha0 = 0.5 * 20 * 10 * 60 / np.log(2), 0.0005 * 20 * 10 * 60 / np.log(2)
    alpha, alpha0 = (alpha - alpha0) / 40, alpha0 / 40
    p = float(scipy.optimize.brentq(lambda p: alpha / (1 + p**n) + alpha0 - p, 0, alpha + alpha0))
    slope = -alpha * n * p ** (n - 1) / (1 + p**n) ** 2
    assert (beta + 1) ** 2 / beta == pytest.approx(3 * slope**2 / (4 + 2 * slope), rel=1e-6)


def test_the_lac_operon_switches_on_and_off_at_its_folds(shared_data: Path) -> None:
    sweep = hysteresis(model(shared_data, 65), "L_e", np.geomspace(0.005, 0.2, 12))
    assert [jump.way for jump in sweep.jumps] == ["up", "down"]
    assert [jump.value for jump in sweep.jumps] == pytest.approx(folds(sweep.found)[::-1], rel=1e-3)


def test_the_basins_of_the_mapk_cascade_keep_its_totals(shared_data: Path) -> None:
    # Markevich, Hoek & Kholodenko 2004: two stable states at the values of the file.
    states = {"M": (0, 500), "Mp": (0, 500), "Mpp": (0, 500)}
    found = basins(model(shared_data, 27), states, n=40)
    assert found.table.kind.values.tolist() == ["equilibrium", "equilibrium"]
    np.testing.assert_allclose(found.table.M + found.table.Mp + found.table.Mpp, 500)
