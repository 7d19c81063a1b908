"""An SBML file that cannot be simulated is refused with file, line, element and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import libsbml
import pytest

from physcm.mechanism import (
    CyclicDefinition,
    InvalidFile,
    InvalidValue,
    MissingInitialValue,
    PhyscmError,
    UnknownVariable,
    Unsupported,
)
from physcm.sim import System

DECAY = """
    <compartment id="V" size="2" constant="false"/>
    <species id="A" compartment="V" initialAmount="8" {flags}/>
    <parameter id="k" value="3" constant="false"/>
    <parameter id="p" constant="false"/>
    <parameter id="s" constant="false"/>
    <reaction id="r" reversible="false">
      <listOfReactants><speciesReference species="A" stoichiometry="1" constant="true"/>
      </listOfReactants><kineticLaw>{k*A}</kineticLaw></reaction>
"""
FLAGS = 'hasOnlySubstanceUnits="false" boundaryCondition="false" constant="false"'
LISTS = {
    "functionDefinition": "FunctionDefinitions",
    "compartment": "Compartments",
    "species": "Species",
    "parameter": "Parameters",
    "initialAssignment": "InitialAssignments",
    "Rule": "Rules",
    "reaction": "Reactions",
    "event": "Events",
}


def document(elements: str = "", *, header: str = "", version: int = 2) -> str:
    """Return an SBML file in which A decays, and some more elements; {x + y} is a formula."""
    text = re.sub(r"\{(.+?)\}", lambda m: formula(m[1]), DECAY.replace("{flags}", FLAGS) + elements)
    lists = ""
    for tag, name in LISTS.items():
        pattern = rf"<(\w*{tag})\b[^>]*?(?:/>|(?<!/)>.*?</\1>)"
        found = "\n".join(m[0] for m in re.finditer(pattern, text, flags=re.DOTALL))
        lists += f"<listOf{name}>\n{found}\n</listOf{name}>\n" if found else ""
    uri = f"http://www.sbml.org/sbml/level3/version{version}/core"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<sbml xmlns="{uri}" level="3" version="{version}" {header}>\n'
        f"<model>{lists}</model></sbml>"
    )


def formula(text: str) -> str:
    return libsbml.writeMathMLToString(libsbml.parseL3Formula(text)).split("?>")[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.xml"


def refusal(path: Path, content: str, error: type[PhyscmError]) -> str:
    """Return the message of the error that reading raises; it begins with the file."""
    path.write_text(content, encoding="utf-8")
    with pytest.raises(error, match=f"^{re.escape(str(path))}[,:] ") as caught:
        System.from_sbml(path)
    return str(caught.value)


def rule(kind: str, variable: str, text: str) -> str:
    return f'<{kind}Rule variable="{variable}">{{{text}}}</{kind}Rule>'


def start(variable: str, text: str) -> str:
    return f'<initialAssignment symbol="{variable}">{{{text}}}</initialAssignment>'


def function(name: str, text: str) -> str:
    return f'<functionDefinition id="{name}">{{{text}}}</functionDefinition>'


def change(species: str, law: str = "<kineticLaw>{1}</kineticLaw>") -> str:
    product = f'<speciesReference species="{species}" stoichiometry="1" constant="true"/>'
    return (
        f'<reaction id="q" reversible="false"><listOfProducts>{product}</listOfProducts>'
        f"{law}</reaction>"
    )


def event(variable: str, text: str) -> str:
    return (
        '<event id="pulse" useValuesFromTriggerTime="true">'
        '<trigger initialValue="true" persistent="true">{time > 1}</trigger>'
        f'<listOfEventAssignments><eventAssignment variable="{variable}">{{{text}}}'
        "</eventAssignment></listOfEventAssignments></event>"
    )


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (
            "<algebraicRule>{A - k}</algebraicRule>",
            r"line \d+: algebraic rule without id is not supported; solve it for a variable",
        ),
        (
            rule("assignment", "p", "delay(k, 2)"),
            "assignment rule of `p` uses `delay`, .*; rewrite",
        ),
        (
            change("A", law=""),
            "reaction `q` changes `A` but has no kinetic law; add a <kineticLaw>",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(path: Path, element: str, message: str) -> None:
    assert re.search(message, refusal(path, document(element), Unsupported))


def test_fast_reactions_are_refused(path: Path) -> None:
    text = document(version=1).replace("<reaction ", '<reaction fast="true" ')
    message = refusal(path, text, Unsupported)
    assert re.search(r'line \d+: fast reaction `r` is not supported; set fast="false"', message)


@pytest.mark.parametrize("package", ["comp", "spatial", "unheard"])
def test_packages_that_change_the_mathematics_are_refused(path: Path, package: str) -> None:
    uri = f"http://www.sbml.org/sbml/level3/version1/{package}/version1"
    header = f'xmlns:{package}="{uri}" {package}:required="true"'
    message = refusal(path, document(header=header), Unsupported)
    assert re.search(f"needs the SBML package `.*{package}.*`.*; export the model", message)


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (rule("rate", "q", "1"), r"line \d+: rate rule of `q`: there is no such variable"),
        (rule("rate", "r", "1"), "rate rule of `r`: there is no such variable; known names: `A`"),
        (rule("rate", "p", "kk"), "rate rule of `p` reads `kk`, .*; did you mean `k`"),
        (rule("rate", "p", "f(1)"), "rate rule of `p` calls `f`, which the model does not define"),
        (function("f", "lambda(x, x*k)") + rule("rate", "k", "f(1)"), "function `f` reads `k`"),
        (event("nobody", "1"), "event `pulse` assigns to `nobody`, which is no variable; "),
        (change("C"), "reaction `q` changes `C`, which is no species of the model; .*`A`"),
        (f'<species id="C" compartment="W" {FLAGS}/>', "`C` is in compartment `W`, .*: `V`"),
        (
            f'<species id="C" compartment="V" conversionFactor="c" {FLAGS}/>',
            "`C` has the conversion factor `c`, which the model does not define",
        ),
    ],
)
def test_an_undefined_name_is_an_error(path: Path, element: str, message: str) -> None:
    assert re.search(message, refusal(path, document(element), UnknownVariable))


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (rule("rate", "A", "1"), 'changes `A`, which has a rule .*boundaryCondition="true"'),
        (rule("rate", "p", "1") * 2, "rate rule of `p` is its second rule; keep one"),
        (
            rule("assignment", "p", "1") + event("p", "1"),
            "event `pulse` assigns to `p`, which has an assignment rule; remove one",
        ),
        ('<parameter id="A" constant="false"/>', "identifier `A` is already taken; give one"),
        (
            '<parameter id="z" value="three" constant="true"/>',
            "Attribute type mismatch in `.*three",
        ),
        ('<parameter id="2z" constant="true"/>', "Invalid syntax for an 'id' .*`.*2z"),
        (function("f", "lambda(x, f(x))") + rule("rate", "k", "f(1)"), "`f` calls itself"),
        (
            function("f", "lambda(x, x)") + rule("rate", "k", "f(1, 2)"),
            "`f` takes 1 arguments, not 2; ",
        ),
    ],
)
def test_a_contradiction_is_an_error(path: Path, element: str, message: str) -> None:
    assert re.search(message, refusal(path, document(element), InvalidFile))


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (rule("assignment", "p", "p + 1"), "`p` are defined in terms of each other"),
        (start("p", "s") + start("s", "p"), "values at the start .*`[ps]`, `[ps]` are defined"),
        (rule("assignment", "V", "A"), r"`rateOf\(A\)`, `rateOf\(V\)` are defined in terms"),
    ],
)
def test_a_circle_of_definitions_is_an_error(path: Path, element: str, message: str) -> None:
    assert re.search(message, refusal(path, document(element), CyclicDefinition))


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (rule("rate", "p", "1"), 'parameter `p` has no value, and .*; add value="..."'),
        (rule("rate", "k", "s"), "parameter `s` has no value"),
        (
            f'<species id="C" compartment="V" {FLAGS}/>' + change("C"),
            'species `C` has no value, .*; add initialAmount="..." or an initial assignment',
        ),
        (
            '<reaction id="q" reversible="true"><kineticLaw>{c}<listOfLocalParameters>'
            '<localParameter id="c"/></listOfLocalParameters></kineticLaw></reaction>',
            "parameter `c` of reaction `q` has no value",
        ),
        (
            '<parameter id="z" value="NaN" constant="true"/>' + rule("rate", "k", "z"),
            "parameter `z` has no value",
        ),
    ],
)
def test_a_value_that_is_needed_must_be_given(path: Path, element: str, message: str) -> None:
    assert re.search(message, refusal(path, document(element), MissingInitialValue))


def test_a_value_that_is_computed_with_must_be_finite(path: Path) -> None:
    element = '<parameter id="z" value="INF" constant="true"/>' + rule("rate", "k", "z")
    message = refusal(path, document(element), InvalidValue)
    assert re.search("parameter `z` is `oo`, and the model computes .*; give a finite", message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "Badly formed XML"),
        ("not XML at all", "Badly formed XML"),
        ("<html/>", "Document does not conform to the SBML XML schema"),
        (document()[:-30], "correct the file there"),
        (document().replace("</kineticLaw>", "</kinetic>"), "correct the file there"),
    ],
)
def test_a_malformed_file_is_an_error_with_its_line(path: Path, content: str, message: str) -> None:
    assert re.search(rf", line \d+: .*{message}", refusal(path, content, InvalidFile))


def test_a_file_without_a_model_is_an_error(path: Path) -> None:
    empty = re.sub("<model.*</model>", "", document(), flags=re.DOTALL)
    assert "there is no <model>; add one inside <sbml>" in refusal(path, empty, InvalidFile)


def test_an_absent_file_is_named() -> None:
    with pytest.raises(
        InvalidFile, match=r"nowhere.xml: No such file or directory; check the path"
    ):
        System.from_sbml("nowhere.xml")
