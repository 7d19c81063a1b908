"""Slow sweeps up and down, against the folds of closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from physcm.mechanism import InvalidValue
from physcm.sim import System, continuation, hysteresis, zoo

AMOUNT = (0, float("inf"))


def one(form: str, start: float, **parameters: float) -> System:
    return System({"x": form}, parameters=parameters, initial={"x": start})


def test_the_cusp_jumps_at_its_two_folds() -> None:
    sweep = hysteresis(one("r + x - x**3", -1, r=0), "r", np.linspace(-1, 1, 21))
    fold = 2 / np.sqrt(27)
    assert [jump.way for jump in sweep.jumps] == ["up", "down"]
    assert [jump.value for jump in sweep.jumps] == pytest.approx([fold, -fold], abs=1e-4)
    assert all(jump.cause is not None and jump.cause.kind == "fold" for jump in sweep.jumps)
    assert sweep.depends_on_past


def test_up_and_down_rest_on_the_branches_that_continuation_finds() -> None:
    system = one("r + x - x**3", -1, r=0)
    sweep = hysteresis(system, "r", np.linspace(-1, 1, 9))
    found = continuation(system, "r", (-1, 1))
    for value in sweep.table.value.values:
        at = found.at(float(value))
        stable = at.x.values[at.stability.values == "stable"]
        for way in ("up", "down"):
            x = float(sweep.table.x.sel(way=way, value=value))
            assert np.abs(stable - x).min() < 1e-6


@pytest.mark.parametrize(
    ("form", "between"), [("r*x - x**3", (-1, 1)), ("r*x - x**2", (-1, 1)), ("r - x", (0, 1))]
)
def test_what_moves_continuously_does_not_jump(form: str, between: tuple[float, float]) -> None:
    system = System({"x": form}, parameters={"r": 0}, initial={"x": 0.1}, bounds={"x": AMOUNT})
    sweep = hysteresis(system, "r", np.linspace(*between, 8))
    assert sweep.jumps == ()
    assert not sweep.depends_on_past


def test_a_subcritical_pitchfork_is_left_at_zero_and_reached_at_its_fold() -> None:
    sweep = hysteresis(one("r*x + x**3 - x**5", 0, r=-1), "r", np.linspace(-0.5, 0.5, 12))
    assert [jump.value for jump in sweep.jumps] == pytest.approx([0, -0.25], abs=1e-4)


def test_the_climate_freezes_and_thaws_at_different_sunlight() -> None:
    sweep = hysteresis(zoo.load("energy_balance_climate"), "Q", np.linspace(250, 450, 21))
    thaw, freeze = sweep.jumps
    for jump in (thaw, freeze):
        assert jump.cause is not None
        assert jump.value == pytest.approx(jump.cause.value, abs=0.01)
    assert thaw.value > freeze.value + 100


def test_a_neuron_loses_its_rest_at_the_hopf_points() -> None:
    sweep = hysteresis(zoo.load("fitzhugh_nagumo"), "I", np.linspace(0, 2, 9))
    assert [(jump.way, jump.status) for jump in sweep.jumps] == [
        ("up", "periodic"),
        ("down", "periodic"),
    ]
    for jump in sweep.jumps:
        assert jump.cause is not None
        assert jump.value == pytest.approx(jump.cause.value, abs=1e-3)


def test_the_loop_is_drawn_with_its_jumps() -> None:
    sweep = hysteresis(one("r + x - x**3", -1, r=0), "r", np.linspace(-1, 1, 9))
    (axes,) = sweep.plot().axes
    assert axes.get_ylabel() == "x"
    assert {"swept up", "swept down"} <= set(axes.get_legend_handles_labels()[1])
    assert "the state depends on the past" in str(sweep)


def test_a_single_value_is_no_sweep() -> None:
    with pytest.raises(InvalidValue, match="too few values; give at least two"):
        hysteresis(one("r - x", 0, r=0), "r", [1, 1])
