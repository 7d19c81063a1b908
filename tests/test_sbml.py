"""Each feature of SBML means what its specification says."""

from __future__ import annotations

import math
import time
import tomllib
from pathlib import Path

import libsbml
import numpy as np
import pytest
import sympy as sp
import xarray as xr

from physcm.mechanism import (
    SetParameter,
)
from physcm.mechanism.expression import symbol
from physcm.sim import System, simulate

TIMES = np.linspace(0, 2, 5)


def formula(text: str) -> str:
    return libsbml.writeMathMLToString(libsbml.parseL3Formula(text)).split("?>")[1]


def one(tag: str, text: str = "", **attributes: object) -> str:
    """Return an element with its formula; a trailing underscore keeps clear of keywords."""
    given = " ".join(f'{k.rstrip("_")}="{v}"' for k, v in attributes.items())
    return f"<{tag} {given}>{formula(text) if text else ''}</{tag}>"


def many(tag: str, *elements: str) -> str:
    return f"<{tag}>{''.join(elements)}</{tag}>" if elements else ""


def compartment(name: str = "V", **given: object) -> str:
    return one("compartment", **{"id": name, "spatialDimensions": 3, "constant": "false"} | given)


def species(name: str, **given: object) -> str:
    plain = {"id": name, "compartment": "V", "constant": "false"}
    plain |= {"hasOnlySubstanceUnits": "false", "boundaryCondition": "false"}
    return one("species", **plain | given)


def parameter(name: str, **given: object) -> str:
    return one("parameter", **{"id": name, "constant": "false"} | given)


def taking(name: str, stoichiometry: float = 1, **given: object) -> str:
    plain = {"species": name, "stoichiometry": stoichiometry, "constant": "false"}
    return one("speciesReference", **plain | given)


def reaction(
    name: str, law: str, *, of: tuple[str, ...] = (), to: tuple[str, ...] = (), local: str = ""
) -> str:
    kinetics = many(
        "kineticLaw", formula(law), many("listOfLocalParameters", *[local] * bool(local))
    )
    sides = many("listOfReactants", *of) + many("listOfProducts", *to)
    return f'<reaction id="{name}" reversible="false">{sides}{kinetics}</reaction>'


LISTS = {
    "functionDefinition": "FunctionDefinitions",
    "compartment": "Compartments",
    "species": "Species",
    "parameter": "Parameters",
    "initialAssignment": "InitialAssignments",
    "assignmentRule": "Rules",
    "rateRule": "Rules",
    "algebraicRule": "Rules",
    "constraint": "Constraints",
    "reaction": "Reactions",
    "event": "Events",
}


def document(*elements: str, header: str = "", model: str = "") -> str:
    """Return an SBML file, each element in the list that it belongs to, in the right order."""
    grouped: dict[str, str] = dict.fromkeys(LISTS.values(), "")
    for element in elements:
        grouped[LISTS[element[1:].split()[0].rstrip(">")]] += element + "\n"
    lists = "".join(f"<listOf{k}>\n{v}</listOf{k}>\n" for k, v in grouped.items() if v)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2" '
        f'{header}>\n<model id="m" {model}>\n{lists}</model></sbml>'
    )


class Folder:
    """Writes SBML into a folder of its own and reads it back."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "model.xml"

    def system(self, *elements: str, header: str = "", model: str = "") -> System:
        self.path.write_text(document(*elements, header=header, model=model), encoding="utf-8")
        return System.from_sbml(self.path)

    def run(self, *elements: str, model: str = "") -> xr.Dataset:
        return simulate(self.system(*elements, model=model), TIMES).isel(sample=0)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def close(values: xr.DataArray, exact: object) -> None:
    np.testing.assert_allclose(values, np.broadcast_to(exact, values.shape), 1e-6, 1e-9)


def decay(**of: object) -> list[str]:
    """Return species A in V = 2, which decays with rate constant k = 3 times its symbol."""
    return [
        compartment(size=2),
        species("A", **{"initialAmount": 8} | of),
        parameter("k", value=3),
        reaction("r", "k*A", of=(taking("A"),)),
    ]


def test_a_species_is_its_concentration_and_its_amount_goes_by_the_volume(folder: Folder) -> None:
    run = folder.run(*decay())
    close(run.A, 4 * np.exp(-3 * TIMES / 2))
    close(run["amount(A)"], 2 * run.A)
    close(run["concentration(A)"], run.A)
    close(run.r, 3 * run.A)


def test_a_species_with_only_substance_units_is_its_amount(folder: Folder) -> None:
    run = folder.run(*decay(hasOnlySubstanceUnits="true"))
    close(run.A, 8 * np.exp(-3 * TIMES))
    close(run["concentration(A)"], run.A / 2)


def test_a_species_at_a_point_is_its_amount(folder: Folder) -> None:
    point = one("compartment", id="V", spatialDimensions=0, constant="true")
    run = folder.run(point, *decay()[1:])
    close(run.A, 8 * np.exp(-3 * TIMES))
    assert "concentration(A)" not in run


@pytest.mark.parametrize("given", [{"boundaryCondition": "true"}, {"constant": "true"}])
def test_a_boundary_species_is_a_state_that_reactions_leave_alone(
    folder: Folder, given: dict[str, str]
) -> None:
    system = folder.system(*decay(**given))
    assert system.drift["A"] == 0
    close(simulate(system.do(A=5), TIMES).r[0], 15)


def test_the_drift_is_linear_in_the_symbols_of_the_reactions(folder: Folder) -> None:
    two = reaction("s", "k", to=(taking("A", 0.5), taking("A", 2)))
    system = folder.system(*decay(), two)
    r, s, volume = map(symbol, ("r", "s", "V"))
    assert sp.expand(system.drift["A"] * volume - (sp.Rational(5, 2) * s - r)) == 0
    assert system.bounds["A"] == (0, math.inf)


def test_a_growing_compartment_dilutes(folder: Folder) -> None:
    inert = [compartment(size=2), species("A", initialAmount=8)]
    for rule in (one("rateRule", "1", variable="V"), one("assignmentRule", "2+time", variable="V")):
        run = folder.run(*inert, rule)
        close(run.A, 8 / (2 + TIMES))
        close(run["amount(A)"], 8)


def test_a_rate_rule_is_about_the_symbol_and_not_diluted(folder: Folder) -> None:
    rules = one("rateRule", "1", variable="V"), one("rateRule", "-A", variable="A")
    run = folder.run(compartment(size=2), species("A", initialAmount=8), *rules)
    close(run.A, 4 * np.exp(-TIMES))
    close(run["amount(A)"], run.A * (2 + TIMES))


def test_conversion_factors_turn_extent_into_amount(folder: Folder) -> None:
    laws = [compartment(size=1), parameter("f", value=10), parameter("g", value=100)]
    made = reaction("r", "1", to=(taking("A"), taking("B")))
    own = species("A", initialAmount=0, conversionFactor="g"), species("B", initialAmount=0)
    run = folder.run(*laws, *own, made, model='conversionFactor="f"')
    close(run.A, 100 * TIMES)
    close(run.B, 10 * TIMES)


def test_a_stoichiometry_with_an_identifier_can_vary(folder: Folder) -> None:
    made = reaction("r", "1", to=(taking("A", id="n"), taking("B", 3, id="m")))
    rule = one("assignmentRule", "time", variable="n")
    start = one("initialAssignment", "m0*2", symbol="m")
    both = [species("A", initialAmount=0), species("B", initialAmount=0), parameter("m0", value=4)]
    run = folder.run(compartment(size=1), *both, made, rule, start)
    close(run.A, TIMES**2 / 2)
    close(run.B, 8 * TIMES)


def test_local_parameters_shadow_and_are_named_after_their_reaction(folder: Folder) -> None:
    local = one("localParameter", id="k", value=5)
    other = reaction("q", "k*A", of=(taking("A"),), local=local)
    system = folder.system(*decay(), parameter("q_k", value=1), other)
    assert (system.parameters["k"], system.parameters["q_k_"]) == (3, 5)
    assert system.algebraic["q"] == symbol("q_k_") * symbol("A")


def test_reserved_names_get_an_underscore(folder: Folder) -> None:
    names = [parameter(name, value=2) for name in ("t", "t_", "time")]
    system = folder.system(*names, one("assignmentRule", "t*t_", variable="time"))
    assert dict(system.algebraic) == {"time_": symbol("t__") * symbol("t_")}
    words = [parameter(name, value=2) for name in ("mode", "period", "lambda", "exp")]
    rule = one("assignmentRule", "period*lambda*exp(exp)", variable="class")
    system = folder.system(*words, parameter("class"), rule)
    assert [*system.parameters] == ["mode_", "period_", "lambda", "exp"]
    assert System.from_dict(tomllib.loads(system.to_toml())) == system


def test_functions_are_written_out_and_their_arguments_shadow(folder: Folder) -> None:
    def function(name: str, text: str) -> str:
        return one("functionDefinition", text, id=name)

    functions = [function("f", "lambda(k, x, k - x)"), function("g", "lambda(x, f(x, 1)*2)")]
    rule = one("assignmentRule", "g(k) + f(1, k)", variable="y")
    system = folder.system(*functions, parameter("k", value=3), parameter("y"), rule)
    k = symbol("k")
    assert sp.expand(system.algebraic["y"] - (2 * (k - 1) + 1 - k)) == 0


def test_all_that_is_computed_from_a_parameter_follows_it(folder: Folder) -> None:
    starts = [
        one("initialAssignment", "b*time + y", symbol="A"),
        one("initialAssignment", "k + 1", symbol="b"),
    ]
    rule = one("assignmentRule", "b*2 + time", variable="y")
    system = folder.system(*decay(), parameter("b"), parameter("y"), *starts, rule)
    for k in (3, 7):
        run = simulate(system.do(SetParameter(k=k)), [0, 1]).isel(sample=0)
        assert (run.b, run.y[0], run.A[0]) == (k + 1, 2 * k + 2, 2 * k + 2)


def test_what_has_no_value_at_the_start_may_be_assigned_later(folder: Folder) -> None:
    rules = [
        one("assignmentRule", "1/time", variable="a"),
        one("assignmentRule", "piecewise(1, a < 1, 2)", variable="b"),
    ]
    system = folder.system(parameter("a"), parameter("b"), *rules)
    close(simulate(system, [0.5, 2]).b[0], [2, 1])


def test_the_rate_of_a_variable_can_be_read(folder: Folder) -> None:
    rules = [
        one("rateRule", "2", variable="x"),
        one("assignmentRule", "x^2", variable="y"),
        one("assignmentRule", "rateOf(x) + rateOf(A) + rateOf(k)", variable="z"),
    ]
    run = folder.run(*decay(), parameter("x", value=1), parameter("y"), parameter("z"), *rules)
    close(run.z, 2 - 3 * run.A / 2)


def test_elements_without_formula_state_nothing(folder: Folder) -> None:
    empty = [one("initialAssignment", symbol="p"), one("rateRule", variable="q")]
    empty += [one("functionDefinition", id="f"), one("constraint")]
    still = '<reaction id="r" reversible="false"><kineticLaw/></reaction>'
    system = folder.system(parameter("p", value=1), parameter("q", value=2), still, *empty)
    assert dict(system.parameters) == {"p": 1, "q": 2}
    close(simulate(system, TIMES).r, 0)


def test_a_value_that_nothing_reads_may_be_absent(folder: Folder) -> None:
    idle = parameter("p"), species("E", boundaryCondition="true"), compartment("W")
    system = folder.system(*decay(), *idle)
    assert not {"p", "E", "W"} & {*system.parameters, *system.variables}


def test_every_level_means_the_same(folder: Folder) -> None:
    expected = folder.run(*decay())
    for level, version in ((1, 2), (2, 1), (2, 4), (2, 5), (3, 1)):
        converted = libsbml.readSBMLFromFile(str(folder.path))
        assert converted.setLevelAndVersion(level, version, False)
        other = folder.path.with_name(f"{level}{version}.xml")
        assert libsbml.writeSBMLToFile(converted, str(other))
        run = simulate(System.from_sbml(other), TIMES).isel(sample=0)
        close(run["amount(A)"], expected["amount(A)"])


def test_a_package_that_changes_no_mathematics_is_passed_over(folder: Folder) -> None:
    layout = "http://www.sbml.org/sbml/level3/version1/layout/version1"
    system = folder.system(*decay(), header=f'xmlns:layout="{layout}" layout:required="false"')
    assert system.states == ("A",)


def test_a_file_with_hundreds_of_reactions_is_read_within_seconds(folder: Folder) -> None:
    pools = [species(f"S{i}", initialAmount=i) for i in range(200)]
    law = "V*(k*S{0}*S{1}/(1 + S{0}) - k*S{2})"
    reactions = []
    for i in range(300):
        a, b, c = i % 200, (7 * i + 1) % 200, (11 * i + 2) % 200
        sides = {"of": (taking(f"S{a}"), taking(f"S{b}")), "to": (taking(f"S{c}"),)}
        reactions.append(reaction(f"r{i}", law.format(a, b, c), **sides))
    began = time.perf_counter()
    folder.system(compartment(size=1), parameter("k", value=1), *pools, *reactions)
    assert time.perf_counter() - began < 10
