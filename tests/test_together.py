"""Many interventions at once: the same answers as one at a time, and nothing claimed besides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.abstraction import Abstraction, commutes, compare, equilibrium_model
from physcm.mechanism import Hold, Normal, SetParameter, Uniform
from physcm.scm import SCM
from physcm.scm.together import solve_together
from physcm.sim import System, zoo

NAMES = ("a", "b", "c", "d")
values = st.floats(-2, 2).map(lambda x: round(x, 2))


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_columns_under_different_holds_have_the_solutions_of_models_of_their_own(
    data: st.DataObject,
) -> None:
    weights = data.draw(st.lists(st.floats(-0.4, 0.4), min_size=12, max_size=12))
    pairs = [(i, j) for i in NAMES for j in NAMES if i != j]
    terms: dict[str, list[str]] = {name: [f"e_{name}"] for name in NAMES}
    for (i, j), weight in zip(pairs, weights, strict=True):
        terms[i].append(f"({weight:.3f})*tanh({j})")
    mechanisms: dict[str, Any] = {name: " + ".join(parts) for name, parts in terms.items()}
    mechanisms["d"] = f"d + tanh(d)/2 == {mechanisms['d']}"
    model = SCM(mechanisms, {f"e_{name}": Normal(0, 1) for name in NAMES})
    holds = data.draw(
        st.lists(
            st.dictionaries(st.sampled_from(NAMES), values, max_size=3), min_size=1, max_size=5
        )
    )
    held = {name: np.array([own.get(name, np.nan) for own in holds]) for name in NAMES}
    noise = {f"e_{name}": np.linspace(-1, 1, len(holds)) for name in NAMES}
    found = solve_together(model, held, noise)
    assert found.known.all()
    for k, own in enumerate(holds):
        alone = model.do(**own).solve({name: [row[k]] for name, row in noise.items()})
        for name in NAMES:
            assert found.values[name][k] == pytest.approx(float(alone[name][0, 0]), abs=1e-9)


def test_a_solution_that_a_search_alone_gives_is_not_known() -> None:
    model = SCM({"x": "3*tanh(y) + e/10", "y": "3*tanh(x - z) + e", "z": "2*tanh(x + y)"}, {"e": 0})
    found = solve_together(model, {"x": np.array([np.nan])}, {"e": np.zeros(1)})
    assert not found.known.any()


def both(system: System, family: Any, **options: Any) -> Any:
    """The report with all interventions at once, and that with one at a time."""
    model = equilibrium_model(system)
    square = Abstraction(system, model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "_MANY", 1)
        together = square.commutes(family, **options)
        patch.setattr(compare, "_MANY", 10**9)
        return together, square.commutes(family, **options)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("generalized_lotka_volterra", [Hold("x1", 0.3), Hold("x2", 3), SetParameter(r1=0.2)]),
        ("coupled_oscillators", [SetParameter(k1=2), Hold("Q1", 0.5)]),
        ("toggle_switch", [Hold("u", 1), SetParameter(alpha1=1)]),
        ("goodwin_oscillator", [Hold("x", 1)]),
        ("four_tanks", [Hold("h1", 5), SetParameter(a3=0.05)]),
        ("basic_enzyme", [Hold("S", 2)]),
    ],
)
def test_reports_say_the_same_either_way(name: str, family: list[Any]) -> None:
    system = zoo.load(name)
    family = [one for one in family if _can_be_done(system, one)]
    together, alone = both(system, family, n=2)
    assert together.ok == alone.ok
    for one, other in zip(together.rows, alone.rows, strict=True):
        assert (one.intervention, one.agree) == (other.intervention, other.agree)
        assert one.simulation == other.simulation
    if alone.ok:
        xs, ys = (report.table.predicted.values[..., 0] for report in (together, alone))
        np.testing.assert_allclose(xs, ys, rtol=1e-8, atol=1e-10)


def _can_be_done(system: System, one: Any) -> bool:
    names = [one.name] if isinstance(one, Hold) else list(one.values)
    return all(name in {*system.states, *system.parameters} for name in names)


def test_random_parameters_are_shared_sample_by_sample() -> None:
    system = System(
        {"x": "k - x + tanh(y)/2", "y": "x/2 - y"},
        parameters={"k": Uniform(0, 2)}, initial={"x": Normal(0, 1), "y": 0},
    )  # fmt: skip
    together, alone = both(system, [Hold("y", 1), SetParameter(k=3)], n=20)
    assert together.ok
    np.testing.assert_allclose(
        together.table.predicted.values[:, :, :, 0], alone.table.predicted.values[:, :, :, 0],
        rtol=1e-9,
    )  # fmt: skip


def test_what_omega_sets_above_is_what_the_causal_model_has() -> None:
    tank = System({"h": "q - h"}, parameters={"q": 1}, initial={"h": 0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "_MANY", 1)
        deaf = Abstraction(tank, equilibrium_model(tank), omega=lambda do: ())
        assert [row.agree for row in deaf.commutes([SetParameter(q=3)]).rows] == [True, False]


def test_thousands_of_runs_agree() -> None:
    loop = System(
        {"x": "k - x + tanh(y)/2", "y": "x/2 - y"},
        parameters={"k": Uniform(0, 2)}, initial={"x": 0, "y": 0},
    )  # fmt: skip
    family = [Hold(name, value / 10) for name in "xy" for value in range(10)]
    report = commutes(loop, equilibrium_model(loop), family, n=200)
    assert report.ok
    assert report.table.sizes["sample"] == 200
