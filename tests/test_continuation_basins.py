"""Shares of initial states, against basins whose borders are known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from physcm.mechanism import InvalidValue, Normal, UnknownVariable, Unsupported
from physcm.sim import System, basins, settle, simulate, zoo

AMOUNT = (0, float("inf"))


def double_well() -> System:
    """x' = x - x^3: a start below 0 comes to -1, one above 0 to 1."""
    return System({"x": "x - x**3"}, initial={"x": 0})


def test_shares_are_those_of_the_known_border() -> None:
    found = basins(double_well(), {"x": (-1, 3)}, n=1000, confidence=0.999)
    right = found.table.isel(attractor=0)
    assert float(right.x) == pytest.approx(1, rel=1e-9)
    assert float(right.low) < 0.75 < float(right.high)
    assert int(found.table["count"].sum()) == 1000


def test_every_start_is_assigned_to_its_own_side() -> None:
    found = basins(double_well(), {"x": Normal(0.3, 1)}, n=300)
    ends = found.table.x.values[found.starts.attractor.values]
    np.testing.assert_allclose(ends, np.sign(found.starts.x.values), rtol=1e-9)


def test_intervals_are_those_of_clopper_and_pearson() -> None:
    found = basins(double_well(), {"x": (-1, 3)}, n=200, confidence=0.9)
    for k in range(2):
        row = found.table.isel(attractor=k)
        count = int(row["count"])
        low = scipy.stats.beta.ppf(0.05, count, 200 - count + 1)
        high = scipy.stats.beta.ppf(0.95, count + 1, 200 - count)
        assert (float(row.low), float(row.high)) == pytest.approx((low, high))


def test_what_diverges_has_a_share_of_its_own() -> None:
    found = basins(System({"x": "x*(x - 1)"}, initial={"x": 0.5}), {"x": (0, 2)}, n=400)
    assert sorted(found.table.kind.values) == ["diverged", "equilibrium"]
    assert (found.table.low < 0.5).all()
    assert (found.table.high > 0.5).all()


def test_a_cycle_is_an_attractor_with_a_period() -> None:
    neuron = zoo.load("fitzhugh_nagumo")
    found = basins(neuron, {"v": (-2, 2), "w": (-1, 2)}, n=40)
    assert found.table.kind.values.tolist() == ["cycle"]
    assert float(found.table.period[0]) == pytest.approx(float(settle(neuron).period[0]), rel=1e-3)


def test_the_basins_of_the_symmetric_toggle_switch_are_halves() -> None:
    found = basins(zoo.load("toggle_switch"), {"u": (0, 4), "v": (0, 4)}, n=500, confidence=0.99)
    assert found.table.sizes["attractor"] == 2
    assert ((found.table.low < 0.5) & (found.table.high > 0.5)).all()


def test_drawn_states_are_brought_to_the_conserved_totals() -> None:
    enzyme = zoo.load("basic_enzyme")
    found = basins(enzyme, {"E": (0, 2), "S": (0, 2)}, n=30)
    start = simulate(enzyme, [0, 1]).isel(time=0)
    total = float(start.E[0] + start.C[0])
    np.testing.assert_allclose(found.starts.E + found.starts.C, total)
    assert found.table.sizes["attractor"] == 1


def test_the_text_names_each_attractor_with_its_interval() -> None:
    text = str(basins(double_well(), {"x": (-1, 3)}, n=100))
    assert "100 initial states, shares with 95 % intervals" in text
    assert "equilibrium at x = -1" in text


def test_draws_that_make_no_sense_are_refused_with_a_remedy() -> None:
    with pytest.raises(InvalidValue, match="would be the same; say how to draw one"):
        basins(double_well())
    with pytest.raises(UnknownVariable, match="`y` is no state"):
        basins(double_well(), {"y": (0, 1)})
    with pytest.raises(InvalidValue, match=r"within of `x` is `3`; give \(low, high\)"):
        basins(double_well(), {"x": 3})
    with pytest.raises(InvalidValue, match="confidence is `2`"):
        basins(double_well(), {"x": (0, 1)}, confidence=2)
    with pytest.raises(Unsupported, match="noise"):
        basins(zoo.load("double_well"), {"x": (0, 1)})
