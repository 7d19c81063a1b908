"""A system is a set of labelled mechanisms, checked when made and closed under intervention."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from physcm.mechanism import (
    CyclicDefinition,
    Hold,
    Impulse,
    Infeasible,
    InvalidFile,
    InvalidValue,
    MissingInitialValue,
    Normal,
    ParseError,
    Replace,
    SetParameter,
    Shift,
    UnknownVariable,
)
from physcm.mechanism.expression import symbol
from physcm.mechanism.parser import parse
from physcm.sim import Event, Jump, System, simulate


def chain(**changes: Any) -> System:
    arguments: dict[str, Any] = {
        "drift": {"x": "k - x", "y": "total - y", "z": "y - 2*z"},
        "parameters": {"k": 2.0, "twice": "2*k", "noise": Normal(0, 1)},
        "initial": {"x": 1.0, "y": "twice", "z": 0.5},
        "algebraic": {"total": "x + noise"},
        "bounds": {"x": (0, 10)},
        "name": "chain",
    }
    return System(**(arguments | changes))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"drift": {"x": "k - q", "y": "1", "z": "1"}}, UnknownVariable, "drift of `x`: .*`q`"),
        ({"drift": {"x": "k -", "y": "1", "z": "1"}}, ParseError, "drift of `x`: .*column 4"),
        ({"drift": {"x": "x < 1", "y": "1", "z": "1"}}, InvalidValue, "is a condition"),
        ({"drift": {"2x": "1"}}, InvalidValue, "`2x` in drift is not a name"),
        ({"drift": {"t": "1"}}, InvalidValue, "`t` in drift is reserved; call it `t_`"),
        ({"initial": {"x": 1, "y": 1}}, MissingInitialValue, "`z` has no initial value"),
        ({"initial": {"x": 1, "y": 1, "z": 1, "w": 1}}, UnknownVariable, "no such state"),
        ({"initial": {"x": "y", "y": "x", "z": 1}}, CyclicDefinition, "values `.*x.*` are defined"),
        ({"initial": {"x": np.nan, "y": 1, "z": 1}}, InvalidValue, "initial value of `x`.*`nan`"),
        ({"initial": {"x": [[1, 2]], "y": 1, "z": 1}}, InvalidValue, "shape `\\(1, 2\\)`"),
        (
            {"parameters": {"k": float("inf"), "noise": 1, "twice": 1}},
            InvalidValue,
            "parameter `k`: .* finite",
        ),
        ({"parameters": {"k": "2*", "noise": 1}}, ParseError, "parameter `k`"),
        (
            {"parameters": {"k": None, "noise": 1, "twice": 1}},
            InvalidValue,
            "parameter `k`: `None` is neither",
        ),
        ({"parameters": {"x": 1}}, InvalidValue, "`x` stands in drift and in parameters"),
        ({"algebraic": {"total": "b", "b": "total"}}, CyclicDefinition, "derived variables"),
        ({"noise": {"w": "1"}}, UnknownVariable, "noise of `w`"),
        ({"calculus": "none"}, InvalidValue, "use one of ito, stratonovich"),
        ({"held_together": [[3]]}, InvalidValue, r"`\[3\]` is no group of names; write one"),
        ({"held_together": ["xy"]}, InvalidValue, "`'xy'` is no group of names; write one"),
        ({"noise": {"x": "sqrt(-1)"}}, InvalidValue, r"noise of .*`sqrt\(-1\)` is not a real"),
        ({"algebraic": {"period": "1"}}, InvalidValue, "`period` in algebraic is reserved"),
        ({"held_together": [["x", "w"]]}, UnknownVariable, "held_together: no variable `w`"),
        ({"bounds": {"x": (1, 0)}}, InvalidValue, "bounds of `x`"),
        ({"bounds": {"w": (0, 1)}}, UnknownVariable, "bounds of `w`"),
    ],
)
def test_a_malformed_system_is_refused_by_name(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        chain(**changes)


def test_a_system_cannot_be_changed_in_place() -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        chain().drift["x"] = 0  # type: ignore[index]
    with pytest.raises(AttributeError, match="cannot assign"):
        chain().name = "other"  # type: ignore[misc]


def test_holding_replaces_the_mechanism_and_leaves_every_other_one() -> None:
    held = chain().do(x=3)
    assert "x" not in held.drift
    assert held.held["x"] == symbol("do(x)")
    assert held.parameters["do(x)"] == 3.0
    assert {n: held.drift[n] for n in ("y", "z")} == {n: chain().drift[n] for n in ("y", "z")}
    assert float(simulate(held, [0, 1]).x.max()) == 3.0


def test_a_held_value_may_read_time_and_other_variables() -> None:
    held = chain().do(x="1 + z*t")
    run = simulate(held, [0, 0.5, 1])
    np.testing.assert_allclose(run.x, 1 + run.z * run.time)


def test_events_and_jumps_are_mechanisms_of_the_graph() -> None:
    system = System(
        {"x": "-x", "y": "0", "z": "0"},
        initial={"x": 1, "y": 0, "z": 0},
        events={"e": Event("x < 0.5", {"y": "z"})},
        jumps={"j": Jump("y", {"z": 1})},
    )
    assert set(system.graph().edges) == {("x", "x"), ("x", "y"), ("z", "y"), ("y", "z")}


@pytest.mark.parametrize(
    "drift",
    [
        "((x - y)/k - (y - z)/3)/k", "-(x - y)*(y - z)", "0.07*((1 - x)*exp(-y))", "-(x - 1)/y",
        "x/(3*(y**2 + 1))", "where(x < 1, 2, where(y < 1, 3, where(z < 1, 4, nan)))",
        "where(where(x < 1, y, z) > 1, x, 1)", "where(2*where(x < y, z, nan) > y, x, 1)",
    ],
)  # fmt: skip
def test_every_form_of_a_drift_survives_toml(drift: str) -> None:
    system = chain().replace(drift={**chain().drift, "x": drift})
    assert System.from_dict(tomllib.loads(system.to_toml())) == system


def test_what_is_derived_from_states_is_not_held_but_defined_anew() -> None:
    with pytest.raises(InvalidValue, match="`total` is derived from .*`x` and has no dynamics"):
        chain().do(total=7)
    run = simulate(chain().do(Replace("total", 7)), [0, 50])
    assert float(run.y[0, -1]) == pytest.approx(7)


def test_a_held_value_reaches_the_initial_values_that_read_it() -> None:
    system = System({"x": "-x", "y": "0"}, initial={"x": 1, "y": "2*x"})
    assert float(simulate(system.do(x=5), [0, 1]).y[0, 0]) == 10


def test_changing_a_parameter_moves_all_that_is_computed_from_it() -> None:
    run = simulate(chain().do(SetParameter(k=5)), [0, 1])
    assert float(run.twice[0]) == 10
    assert float(run.y[0, 0]) == 10


def test_a_computed_parameter_keeps_the_value_that_it_is_set_to() -> None:
    run = simulate(chain().do(SetParameter(twice=1), SetParameter(k=5)), [0, 1])
    assert float(run.twice[0]) == 1


@pytest.mark.parametrize(
    ("do", "error", "message"),
    [
        ({"w": 1}, UnknownVariable, "`w` is no variable of the system `chain`"),
        ({"k": 1}, InvalidValue, r"`k` is a parameter.*SetParameter\(k=\.\.\.\)"),
        ({"x": -1}, Infeasible, "`x` cannot be held at `-1`: it lies between 0 and 10"),
        ({"x": "q"}, UnknownVariable, r"do\(x\): unknown name `q`"),
        ({"x": np.nan}, InvalidValue, r"do\(x\): `nan`"),
        ({"x": "x + 1"}, UnknownVariable, r"do\(x\): unknown name `x`"),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused(
    do: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        chain().do(**do)


def test_setting_what_is_no_parameter_is_refused_with_the_remedy() -> None:
    with pytest.raises(UnknownVariable, match=r"it is a variable: use Hold\('x', \.\.\.\)"):
        chain().do(SetParameter(x=1))
    with pytest.raises(UnknownVariable, match="did you mean `twice`"):
        chain().do(SetParameter(twise=1))


def oscillator() -> System:
    return System(
        {"q": "p/m", "p": "-q - p"},
        parameters={"m": 2},
        initial={"q": 1, "p": 0.5},
        held_together=[("q", "p")],
    )


def test_holding_a_position_holds_the_momentum_at_zero() -> None:
    held = oscillator().do(q=3)
    assert held.parameters["do(q)"], held.parameters["do(p)"] == (3, 0)
    assert not held.drift


def test_holding_a_momentum_at_zero_holds_the_position_where_it_starts() -> None:
    run = simulate(oscillator().do(p=0), [0, 1])
    assert run.q.values.tolist() == [[1, 1]]


def test_a_group_held_at_odds_with_itself_is_refused() -> None:
    for do in ({"p": 1}, {"q": 1, "p": 2}, {"q": "t"}):
        with pytest.raises(InvalidValue, match="`q` and `p` are held together"):
            oscillator().do(**do)


holds = st.dictionaries(st.sampled_from("xyz"), st.floats(0, 10), max_size=3)


@given(holds, holds)
def test_of_two_interventions_the_later_wins(first: Any, second: Any) -> None:
    assert chain().do(**first).do(**second) == chain().do(**{**first, **second})


@given(holds)
def test_interventions_on_disjoint_targets_commute(do: Any) -> None:
    hold = [Hold(name, value) for name, value in do.items()]
    forward, backward = chain(), chain()
    for one in hold:
        forward = forward.do(one)
    for one in reversed(hold):
        backward = backward.do(one)
    assert forward == backward


@given(holds)
def test_a_system_survives_a_toml_file(do: Any) -> None:
    system = chain(noise={("z", "w"): "0.1*z"}, held_together=[["x", "y"]], bounds={})
    system = system.replace(held_together=()).do(**do)
    import tomllib

    assert System.from_dict(tomllib.loads(system.to_toml())) == system


def test_a_file_is_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "chain.toml"
    chain().to_toml(path)
    assert System.from_toml(path) == chain()
    assert [p.name for p in tmp_path.iterdir()] == ["chain.toml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[drift\nx = 1", "not valid TOML: .*line 1"),
        ("name = 'x'", r"there is no table \[drift\]"),
        ("[drift]\nx='-x'\n[inital]\nx=1", "unknown key `inital`; did you mean `initial`"),
        ("drift = 3", "`drift` is `3`; write it as a table"),
        ("name = 3\n[drift]\nx='-x'", "`name` is `3`; write it as a string"),
        ("schedule = 3\n[drift]\nx='-x'", "`schedule` is `3`; write it as a list"),
        (
            "schedule = [{Hold = {name=3, value=1}}]\n[drift]\nx='-x'",
            "entry 1: `name` is `3`; write it as text",
        ),
        (
            "schedule = [{Hold = {name='x', value=1, during=3}}]\n[drift]\nx='-x'",
            "entry 1: `during` is `3`; write it as two times",
        ),
        (
            "[drift]\nx='-x'\n[events.e]\ntrigger='x<1'\nassign=3",
            "events `e`: `assign` is `3`; write it as a table",
        ),
        ("[drift]\nx='k'\n[initial]\nx=1\n[parameters]\nk={Norml={mean=0,sd=1}}", "`Norml`"),
    ],
)
def test_a_malformed_file_is_refused_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InvalidFile, match="bad.toml: ") as caught:
        System.from_toml(path)
    caught.match(message)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="absent.toml: No such file"):
        System.from_toml(tmp_path / "absent.toml")


def test_the_graph_runs_from_cause_to_effect() -> None:
    edges = set(chain().graph().edges)
    assert edges == {("x", "x"), ("x", "total"), ("total", "y"), ("y", "y"), ("y", "z"), ("z", "z")}
    assert parse("x + noise") == chain().algebraic["total"]


@pytest.mark.parametrize("word", ["and", "or", "not", "if", "else", "True", "False"])
def test_a_variable_called_like_a_word_of_the_text_form_survives_toml(
    word: str, tmp_path: Path
) -> None:
    decay = System({"x": symbol(word) - symbol("x")}, parameters={word: 3}, initial={"x": 1})
    decay.to_toml(tmp_path / "model.toml")
    assert System.from_toml(tmp_path / "model.toml").drift == decay.drift


@pytest.mark.parametrize(
    "system",
    [
        System({"x": sp.pi * sp.Symbol("pi")}, parameters={"pi": 2}, initial={"x": 0}),
        System({"x": sp.sin(sp.pi * sp.Symbol("x"))}, parameters={"pi": 2}, initial={"x": 0}),
        System({"x": "-x"}, initial={"x": sp.pi}, algebraic={"pi": "x"}),
        System({"x": "-x", "pi": "x"}, initial={"x": 1, "pi": 0}).do(Shift("x", sp.pi)),
        System({"x": "-x"}, parameters={"pi": 3}, initial={"x": 0}).do(
            Impulse("x", sp.pi * sp.Symbol("pi"), at=1)
        ),
        System({"and": -sp.Symbol("and"), "x": "-x"}, initial={"and": 1, "x": "2*'and(0)'"}),
        System({"or": "1", "x": "-'or'"}, initial={"or": 1, "x": 0}).do(Hold("or", 2)),
    ],
    ids=["both", "number", "initial", "shift", "impulse", "start", "held"],
)
def test_names_like_words_and_constants_survive_a_file(system: System, tmp_path: Path) -> None:
    system.to_toml(tmp_path / "model.toml")
    assert System.from_toml(tmp_path / "model.toml") == system
