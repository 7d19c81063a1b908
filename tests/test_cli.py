"""The command line: what it prints, how it exits, and what it leaves behind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from physcm.cli import gallery, main
from physcm.scm import SCM
from physcm.sim import zoo


def run(*arguments: str) -> int:
    """Return the exit status of `physcm ARGUMENTS`."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    code = ended.value.code
    return code if isinstance(code, int) else 0


BAD_FILES = {
    "malformed.toml": ("[drift\nx = 1", "malformed.toml: not valid TOML"),
    "malformed.xml": ("<sbml><model>", "malformed.xml, line 1"),
    "undefined.toml": ("[drift]\nx='k*x'\n[initial]\nx=1", "undefined.toml: drift of `x`: .*`k`"),
    "text.toml": (
        "[drift]\nx='-x'\n[initial]\nx='abc'",
        "text.toml: initial value of `x`: .*`abc`",
    ),
    "nan.toml": ("[drift]\nx='-k'\n[initial]\nx=1\n[parameters]\nk=nan", "parameter `k`: `nan`"),
    "inf.toml": ("[drift]\nx='-k'\n[initial]\nx=1\n[parameters]\nk=inf", "parameter `k`: `inf`"),
    "python.toml": (
        "[drift]\nx='''__import__(\"os\").system(\"touch pwned\")'''\n[initial]\nx=1",
        "drift of `x`: only functions can be called, at column 1",
    ),
    "attribute.toml": ("[drift]\nx='x.__class__'\n[initial]\nx=1", "attributes are not allowed"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_ends_with_status_2_and_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text, message = BAD_FILES[name]
    (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    for command in ("verify", "simulate", "equilibria"):
        out = ["--out", "out"] if command == "verify" else []
        assert run(command, name, *out) == 2
        printed = capsys.readouterr().err
        assert printed.startswith("error: ")
        assert re.search(message, printed)
        assert "Traceback" not in printed
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ("X=1", "no variable or parameter `X`"),
        ("E", "not of the form name=value"),
        ("E=", "not of the form name=value|is empty"),
        ("E=abc", "unknown name `abc`"),
        ("E=1,E=2", "`E` is given twice"),
        ("E=-1", "`E` cannot be held at `-1.0`"),
        ("E=nan", "`nan` is not a finite number"),
        ("k0=inf", "`inf` is not a finite number"),
        ("E=().__class__", "not allowed|only functions"),
    ],
)
def test_a_bad_intervention_ends_with_status_2(
    do: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", "basic_enzyme", "--do", do) == 2
    printed = capsys.readouterr().err
    assert re.search(message, printed), printed


def test_an_unknown_model_is_refused_with_the_closest_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("verify", "basic_enzime") == 2
    assert "`basic_enzyme`" in capsys.readouterr().err


def test_a_path_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "absent.toml") == 2
    assert "absent.toml: there is no such file" in capsys.readouterr().err


def test_abstract_shows_the_causal_model_and_its_ordering(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.json"
    assert run("abstract", "filling_bathtub", "--do", "K=2", "--stability", "--out", str(out)) == 0
    printed = capsys.readouterr().out
    assert "P = D*U3*g" in printed
    assert "U3, g, P -> D   by f_P" in printed
    assert "the equation labelled `D` determines not `D` but another variable" in printed
    assert "Routh-Hurwitz: " in printed
    assert SCM.from_json(out.read_text()).mechanisms.keys() == {"D", "P", "O", "I", "K"}


def test_abstract_refuses_a_model_with_noise(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("abstract", "double_well") == 2
    assert "has noise in `x`" in capsys.readouterr().err


def test_verify_ends_with_status_0_if_the_square_commutes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert (
        run("verify", "basic_enzyme", "--do", "S=2", "--do", "k0=0.5,E=1", "--out", str(out)) == 0
    )
    printed = capsys.readouterr().out
    assert "do(S = 2)" in printed
    assert "do(E = 1), k0 = 0.5" in printed
    assert "The square commutes" in printed
    names = {path.name for path in out.iterdir()}
    assert names == {f"basic_enzyme.{suffix}" for suffix in ("html", "png", "csv", "txt")}


@pytest.mark.parametrize("model", ["lotka_volterra", "ornstein_uhlenbeck_network"])
def test_verify_ends_with_status_1_if_there_is_no_equilibrium_model(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", model, *(["--do", "X1=1"] if model.startswith("l") else [])) == 1
    assert "No equilibrium SCM exists" in capsys.readouterr().out


def test_verify_searches_for_the_worst_intervention(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "generalized_lotka_volterra", "--search", "6") == 0
    printed = capsys.readouterr().out
    assert "6 interventions" in printed
    assert run("verify", "basic_enzyme", "--search", "6", "--do", "S=1") == 2
    assert "--search 6 makes up interventions" in capsys.readouterr().err


def test_verify_refuses_a_place_to_write_before_it_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run("verify", "basic_enzyme", "--out", str(tmp_path / "file")) == 2
    assert "error: " in capsys.readouterr().err


def test_a_zoo_model_may_have_a_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("equilibria", "coupled_oscillators:masses=2") == 0
    assert "stable" in capsys.readouterr().out


def test_equilibria_lists_states_and_conservation_laws(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("equilibria", "basic_enzyme") == 0
    printed = capsys.readouterr().out
    assert "stable" in printed
    assert "C + E" in printed


def test_a_pendulum_has_two_equilibria_per_turn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "pendulum.toml"
    model.write_text(
        "[drift]\ntheta='omega'\nomega='-sin(theta) - omega/2'\n[initial]\ntheta=7\nomega=0\n"
    )
    assert run("equilibria", str(model)) == 0
    printed = capsys.readouterr().out
    assert "\n2 equilibria" in printed
    assert "repeat in theta with the period 6.28319" in printed
    run("verify", str(model))
    assert "repeat in `theta` with the period 6.28319" in capsys.readouterr().out


def test_the_zoo_is_listed_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("zoo") == 0
    assert "toggle_switch" in capsys.readouterr().out
    assert run("zoo", "toggle_switch") == 0
    assert "Gardner" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "line", "times"),
    [
        ("thermostat", "temperature in band", 4),
        ("cart_pendulum", "theta", 10),
        ("kuramoto", "drifting pair", 10),
        ("hodgkin_huxley", "V", 4),
        ("lotka_volterra", "X1", 4),
    ],
)
def test_the_gallery_shows_what_goes_up_and_down_a_few_times(
    name: str, line: str, times: int
) -> None:
    values = gallery.panel(name).lines[line]
    above = values > (values.min() + values.max()) / 2
    assert times <= np.count_nonzero(np.diff(above)) <= 60


def test_the_gallery_shows_oscillators_that_lock() -> None:
    locked = gallery.panel("kuramoto").lines["locked pair"]
    assert np.ptp(locked[:200]) > 10 * np.ptp(locked[-200:])


@pytest.mark.slow
def test_the_gallery_has_a_panel_for_each_model(tmp_path: Path) -> None:
    path = tmp_path / "zoo.svg"
    assert run("zoo", "--gallery", str(path)) == 0
    text = path.read_text()
    assert all(f"<!-- {name}" in text for name in zoo.names())


def test_a_system_with_events_is_simulated_without_a_last_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("simulate", "thermostat") == 0
    assert "1 complete" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", ["csv", "png", "nc"])
def test_simulate_writes_what_the_suffix_says(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"run.{suffix}"
    assert run("simulate", "basic_enzyme", "--until", "5", "--do", "S=2", "--out", str(path)) == 0
    assert path.stat().st_size > 100


def test_simulate_follows_systems_with_noise(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("simulate", "ornstein_uhlenbeck_network", "--until", "1", "--samples", "3") == 0
    assert "x1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more", ["[events.e]\ntrigger='x<0.5'\nassign={x=1}", "[jumps.j]\nrate=1\nchanges={x=1}"]
)
def test_simulate_follows_events_and_jumps(more: str, tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(f"[initial]\nx = 1\n[drift]\nx = '-x'\n{more}\n")
    assert run("simulate", str(path)) == 0


def test_help_is_there_before_the_numerical_libraries_are() -> None:
    code = (
        "import sys; from physcm.cli.app import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: sys.exit('sympy' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "verify" in done.stdout


@pytest.mark.slow
def test_the_demo_shows_its_four_outcomes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("demo", "--out", str(tmp_path)) == 0
    assert len(list(tmp_path.glob("*.html"))) == 4
    assert capsys.readouterr().out.count("The square commutes") == 3
