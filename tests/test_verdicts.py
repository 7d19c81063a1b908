"""The table of verdicts: its second opinion can tell true claims from false ones, and it is up to
date.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from physcm.sim import System, zoo


@pytest.fixture(scope="module")
def second(checkout: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(checkout))
        yield importlib.import_module("benchmarks.second_opinion")


@pytest.fixture(scope="module")
def verdicts(second: Any) -> Any:
    return importlib.import_module("benchmarks.verdicts")


PITCHFORK = System({"x": "x - x**3"}, initial={"x": 0.5})
CIRCLE = System({"x": "y", "y": "-x"}, initial={"x": 1, "y": 0})
LIMIT_CYCLE = System(
    {"x": "y + x*(1 - x**2 - y**2)", "y": "-x + y*(1 - x**2 - y**2)"}, initial={"x": 1, "y": 0}
)
ENZYME = System(
    {"S": "-k*S*E + m*C", "E": "-k*S*E + (m + n)*C", "C": "k*S*E - (m + n)*C", "P": "n*C"},
    parameters={"k": 2.1, "m": 0.3, "n": 0.7},
    initial={"S": 1, "E": 1, "C": 0, "P": 0},
)
DECAY = System({"x": "1 - 2*x"}, initial={"x": 3})
LORENZ = System(
    {"x": "10*(y - x)", "y": "x*(28 - z) - y", "z": "x*y - 8*z/3"},
    initial={"x": 1, "y": 1, "z": 20},
)


def at(*values: float) -> Any:
    return np.array(values, dtype=float)


def test_a_run_ends_at_the_one_equilibrium_and_nowhere_else(second: Any) -> None:
    flow = second.Flow.of(DECAY)
    assert second.rests(flow, at(3), at(0.5)).holds
    pitchfork = second.Flow.of(PITCHFORK)
    assert second.rests(pitchfork, at(0.5), at(1)).holds
    assert not second.rests(pitchfork, at(0.5), at(-1)).holds  # an equilibrium of other runs
    assert not second.rests(pitchfork, at(0.5), at(0)).holds  # one that repels


def test_of_three_equilibria_two_attract(second: Any) -> None:
    flow = second.Flow.of(PITCHFORK)
    assert second.several(flow, [at(0), at(-1.01), at(0.99)]).holds
    assert not second.several(flow, [at(0), at(1)]).holds
    assert not second.several(flow, [at(1), at(1.00001)]).holds  # twice the same


def test_eigenvalues_tell_which_equilibria_repel(second: Any) -> None:
    flow = second.Flow.of(PITCHFORK)
    assert second.repels(flow, [at(0)]) == (True, "exact Jacobian: largest Re λ = 1 > 0")
    assert not second.repels(flow, [at(0), at(1)]).holds


def test_the_period_of_a_circle_is_two_pi_and_not_twice_that(second: Any) -> None:
    for system in (CIRCLE, LIMIT_CYCLE):
        flow = second.Flow.of(system)
        assert second.repeats(flow, flow.x0, 2 * np.pi).holds
        assert not second.repeats(flow, flow.x0, 4 * np.pi).holds
    assert not second.repeats(second.Flow.of(DECAY), at(3), 1.0).holds


def test_a_first_integral_is_found_where_orbits_are_closed_and_not_on_a_limit_cycle(
    second: Any,
) -> None:
    prey = second.Flow.of(zoo.load("lotka_volterra"))
    assert second.conserves(prey, prey.x0, 30.0).holds
    assert second.first_integral(second.Flow.of(CIRCLE)) is not None
    assert second.first_integral(second.Flow.of(LIMIT_CYCLE)) is None


def test_growth_is_told_from_rest(second: Any) -> None:
    assert second.grows(second.Flow.of(System({"x": "x"}, initial={"x": 1})), at(1)).holds
    assert second.grows(second.Flow.of(System({"x": "x**2"}, initial={"x": 1})), at(1)).holds
    assert not second.grows(second.Flow.of(DECAY), at(3)).holds


def test_a_run_breaks_off_where_a_root_of_a_negative_number_is_taken(second: Any) -> None:
    # x falls from 1 at unit speed, so that its square root ends at t = 1.
    falling = second.Flow.of(System({"x": "-1", "y": "sqrt(x)"}, initial={"x": 1, "y": 0}))
    assert second.breaks_off(falling, at(1, 0), 1.0).holds
    assert not second.breaks_off(falling, at(1, 0), 0.4).holds
    assert not second.breaks_off(falling, at(1, 0), 1.5).holds
    assert second.breaks_off(falling, at(-1, 0), 0.0).holds  # broken from the start


def test_conservation_laws_are_those_of_the_stoichiometry(second: Any) -> None:
    laws = second.Flow.of(ENZYME).laws
    assert np.linalg.matrix_rank(laws) == 2
    for law in ([0, 1, 1, 0], [1, 0, 1, 1]):  # enzyme; substrate in all its forms
        assert np.linalg.matrix_rank(np.vstack([laws, law])) == 2


def test_a_continuum_is_more_than_conserved_totals_explain(second: Any) -> None:
    # Of S, I with S' = -S I, I' = S I - I every state without I rests.
    epidemic = System({"S": "-S*I", "I": "S*I - I"}, initial={"S": 2, "I": 0.1})
    assert second.continuum(second.Flow.of(epidemic), at(0.4, 0)).holds
    assert not second.continuum(second.Flow.of(ENZYME), at(0, 1, 0, 1)).holds
    assert not second.continuum(second.Flow.of(DECAY), at(0.5)).holds


def test_a_rotation_runs_on_and_a_limit_cycle_does_not(second: Any) -> None:
    rotor = System({"theta": "2 + sin(theta)"}, initial={"theta": 0})
    found = second.drifts(second.Flow.of(rotor), at(0))
    assert found.holds
    assert f"{np.sqrt(3):.3g}" in found.text  # mean speed sqrt(2**2 - 1)
    assert not second.drifts(second.Flow.of(LIMIT_CYCLE), at(1, 0)).holds


def test_the_lorenz_system_is_chaotic_and_a_limit_cycle_is_not(second: Any) -> None:
    found = second.chaotic(second.Flow.of(LORENZ), at(1, 1, 20))
    assert found.holds
    assert float(found.text.split()[3]) == pytest.approx(0.906, abs=0.15)  # Sprott 2003
    assert not second.chaotic(second.Flow.of(LIMIT_CYCLE), at(1, 0)).holds


def test_of_the_sniffer_the_response_adapts_and_the_other_species_does_not(second: Any) -> None:
    """R' = S - X R, X' = S - X rests at X = S, R = 1 (Tyson, Chen & Novak 2003, figure 1d)."""
    sniffer = System(
        {"R": "S - X*R", "X": "S - X"},
        algebraic={"rate": "X*R"},
        parameters={"S": 1},
        initial={"R": 1, "X": 1},
    )
    before, after = (second.Flow.of(sniffer.replace(parameters={"S": S})) for S in (1, 1.01))
    assert second.adapts(before, after, at(1, 1), ["R"]).holds
    assert not second.adapts(before, after, at(1, 1), ["X"]).holds
    assert not second.adapts(before, after, at(1, 1), ["R", "rate"]).holds
    assert not second.adapts(before, before, at(1, 1), ["R"]).holds  # nothing moves it


def test_noise_that_vanishes_with_the_drift_is_told_from_noise_that_does_not(second: Any) -> None:
    for noise, expected in (("0.3", True), ("x - 0.5", False)):
        assert second.noisy(DECAY.replace(noise={"x": noise})).holds is expected


def test_a_thermostat_switches_after_the_times_of_its_two_exponentials(second: Any) -> None:
    cycle = 10 * (np.log((50 - 19) / (50 - 21)) + np.log(21 / 19))
    found = second.switches(zoo.load("thermostat"))
    assert found.holds
    assert f"a cycle of {cycle:.5g}" in found.text


CAUSES = {
    "basic_enzyme": {"nothing": "conserved totals"},
    "energy_balance_climate": {"nothing": "several stable equilibria"},
    "lotka_volterra": {"nothing": "closed orbits"},
    "toggle_switch": {"nothing": "several stable equilibria"},
    "double_well": {"nothing": "noise"},
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_of_a_verdict_is_confirmed(verdicts: Any, name: str) -> None:
    line = verdicts.line(name, zoo.load(name))
    assert {do: finding.cause for do, finding in line.findings.items()} == CAUSES[name]
    assert not line.unconfirmed


def test_a_line_says_what_is_not_confirmed(verdicts: Any, second: Any) -> None:
    true, false = second.Opinion(True, "grows"), second.Opinion(False, "does not")
    findings = {
        "nothing": verdicts.Finding("diverges", true),
        "do(x = 1)": verdicts.Finding("diverges", false),
    }
    line = verdicts.Line("model", "verdict", findings, 1.0)
    assert line.unconfirmed == ["do(x = 1)"]
    assert "**NOT CONFIRMED** for do(x = 1): does not" in line.rows[0]


def test_a_table_replaces_what_is_between_its_markers(verdicts: Any) -> None:
    page = "a\n<!-- zoo: begin -->\nold\n<!-- zoo: end -->\nb"
    assert verdicts.written(page, "zoo", ["new"]) == page.replace("old", "new")


def lines_of(page: Path, kind: str) -> dict[str, list[str]]:
    """The cells of a table in the page by model."""
    table = page.read_text(encoding="utf-8").split(f"<!-- {kind}: begin -->")[1]
    rows = table.split(f"<!-- {kind}: end -->")[0].strip().splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {name: rest for name, *rest in cells if name}


def test_the_page_has_every_model_of_the_zoo_and_nothing_unconfirmed(checkout: Path) -> None:
    page = checkout / "docs" / "verdicts.md"
    assert list(lines_of(page, "zoo")) == list(zoo.names())
    assert "**NOT CONFIRMED**" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["zoo", "biomodels"])
def test_the_page_has_no_effect_that_was_not_predicted(checkout: Path, kind: str) -> None:
    rows = lines_of(checkout / "docs" / "verdicts.md", f"{kind} effects")
    assert len(rows) > 10
    assert {name: row[4] for name, row in rows.items() if row[4] != "0"} == {}


def require_up_to_date(line: Any, written: list[str]) -> None:
    """Numbers of the second opinion, and holds at states of a chaotic run, vary by machine."""
    verdict, cause, *_ = written
    assert line.verdict == verdict
    assert next(iter(line.groups)) == cause
    assert not line.unconfirmed


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_the_page_says_what_the_check_says_of_the_zoo(
    checkout: Path, verdicts: Any, name: str
) -> None:
    require_up_to_date(
        verdicts.line(name, zoo.load(name)),
        lines_of(checkout / "docs" / "verdicts.md", "zoo")[name],
    )


NUMBERS = (5, 9, 10, 12, 23, 26, 27, 35, 38, 52, 62, 64, 65, 203, 258, 310)


@pytest.mark.slow
@pytest.mark.parametrize("number", NUMBERS)
def test_the_page_says_what_the_check_says_of_biomodels(
    checkout: Path, shared_data: Path, verdicts: Any, number: int
) -> None:
    system = System.from_sbml(shared_data / "biomodels" / f"BIOMD{number:010}.xml")
    written = lines_of(checkout / "docs" / "verdicts.md", "biomodels")[str(number)]
    require_up_to_date(verdicts.line(str(number), system), written)
