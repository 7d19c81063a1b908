"""Equilibria along a parameter, against closed forms and published bifurcation points."""

from __future__ import annotations

import numpy as np
import pytest

from physcm.mechanism import (
    Hold,
    Infeasible,
    InvalidValue,
    SetParameter,
    Shift,
    Uniform,
    UnknownVariable,
    Unsupported,
)
from physcm.sim import Continuation, System, continuation, equilibria, simulate, zoo

AMOUNT = (0, float("inf"))


def kinds(found: Continuation) -> list[str]:
    return [point.kind for point in found.points]


def values(found: Continuation, kind: str) -> list[float]:
    return [point.value for point in found.points if point.kind == kind]


def logistic() -> System:
    """Logistic growth with harvest: x = 1 - h, or extinct."""
    return System({"x": "x*(1 - x) - h*x"}, parameters={"h": 0.1}, initial={"x": 0.1},
                  bounds={"x": AMOUNT})  # fmt: skip


def cubic(form: str, **parameters: float) -> System:
    return System({"x": form}, parameters=parameters, initial={"x": 0.1})


def test_the_saddle_node_is_at_zero() -> None:
    found = continuation(cubic("r + x**2", r=-1), "r", (-2, 1))
    (fold,) = found.points
    assert fold.kind == "fold"
    assert fold.value == pytest.approx(0, abs=1e-12)
    assert fold.state["x"] == pytest.approx(0, abs=1e-9)
    assert [interval.stable for interval in found.intervals] == [1, 0]
    assert found.intervals[1].fate == "diverged"


def test_the_cusp_has_its_folds_at_plus_and_minus_two_over_the_root_of_27() -> None:
    found = continuation(cubic("r + x - x**3", r=0), "r", (-1, 1))
    expected = 2 / np.sqrt(27)
    assert values(found, "fold") == pytest.approx([-expected, expected], rel=1e-12)
    assert [interval.stable for interval in found.intervals] == [1, 2, 1]
    assert [switch.cause.kind for switch in found.switches] == ["fold", "fold"]
    assert "jumps" in found.switches[0].effect


def test_the_pitchfork_is_found_and_its_arms_are_followed() -> None:
    found = continuation(cubic("r*x - x**3", r=1), "r", (-1, 1))
    assert kinds(found) == ["pitchfork"]
    assert found.points[0].value == pytest.approx(0, abs=1e-12)
    at = found.at(0.49)
    np.testing.assert_allclose(np.sort(at.x.values), [-0.7, 0, 0.7], atol=1e-12)
    assert dict(zip(at.x.values.round(6), at.stability.values, strict=True)) == {
        -0.7: "stable", 0.0: "unstable", 0.7: "stable",
    }  # fmt: skip


def test_arms_of_a_pitchfork_at_the_end_of_the_range_are_followed() -> None:
    found = continuation(cubic("r*x - x**3", r=1), "r", (0, 1))
    assert found.at(0.25).sizes["equilibrium"] == 3


def test_an_imperfect_pitchfork_is_a_fold() -> None:
    h = 0.1  # r x - x^3 + h has a fold at r = 3 (h/2)^(2/3)
    found = continuation(cubic("r*x - x**3 + h", r=1, h=h), "r", (-1, 1))
    assert kinds(found) == ["fold"]
    assert found.points[0].value == pytest.approx(3 * (h / 2) ** (2 / 3), rel=1e-12)


def test_harvest_takes_the_logistic_to_extinction_by_a_transcritical_crossing() -> None:
    found = continuation(logistic(), "h", (0, 2))
    (crossing,) = found.points
    assert crossing.kind == "transcritical"
    assert (crossing.value, crossing.state["x"]) == pytest.approx((1, 0), abs=1e-12)
    assert found.at(0.3).x.values.round(12).tolist() == [0, 0.7]
    assert found.at(1.5).x.values.tolist() == [0]
    assert [branch.attrs["ends"] for branch in found.branches] == ["range", "bound"]


def test_the_branch_that_amounts_cannot_follow_ends_at_its_bound() -> None:
    drained = System({"x": "1 - k - x + 0.1*y", "y": "x - y"}, parameters={"k": 0},
                     initial={"x": 1, "y": 0}, bounds={"x": AMOUNT})  # fmt: skip
    found = continuation(drained, "k", (0, 2))
    assert kinds(found) == ["bound"]
    assert found.points[0].what == "x"
    assert found.points[0].value == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("a", [0.7, 1.0, 1.5])
def test_the_brusselator_turns_at_one_plus_a_squared(a: float) -> None:
    brusselator = System(
        {"x": "a - (b + 1)*x + x**2*y", "y": "b*x - x**2*y"},
        parameters={"a": a, "b": 1}, initial={"x": 1, "y": 1},
    )  # fmt: skip
    found = continuation(brusselator, "b", (0.5, 4))
    (hopf,) = found.points
    assert hopf.kind == "Hopf"
    assert hopf.value == pytest.approx(1 + a**2, rel=1e-10)
    assert hopf.period == pytest.approx(2 * np.pi / a, rel=1e-9)
    assert hopf.criticality == "supercritical"
    assert found.intervals[1].fate == "periodic"


def test_the_lyapunov_coefficient_predicts_the_size_of_the_cycle() -> None:
    brusselator = System(
        {"x": "1 - (b + 1)*x + x**2*y", "y": "b*x - x**2*y"},
        parameters={"b": 2}, initial={"x": 1.1, "y": 2},
    )  # fmt: skip
    (hopf,) = continuation(brusselator, "b", (1, 3)).points
    # x = 1 + 2 Re(z q), |z|^2 = -Re(mu)/(omega l1), Re(mu) = (b - 2)/2, |q_x|^2 = 1/3.
    radius = 2 * np.sqrt(0.005 / -hopf.first_lyapunov / 3)
    times = np.append(0, np.linspace(3000, 3020, 1001))
    run = simulate(brusselator.do(SetParameter(b=2.01)), times)
    assert float(np.ptp(run.x.values[0, 1:])) / 2 == pytest.approx(radius, rel=0.01)


@pytest.mark.parametrize(("sign", "criticality"), [(-1, "supercritical"), (1, "subcritical")])
def test_the_normal_form_has_its_lyapunov_coefficient(sign: int, criticality: str) -> None:
    normal = System(
        {"x": "k*x - w*y + s*x*(x**2 + y**2)", "y": "w*x + k*y + s*y*(x**2 + y**2)"},
        parameters={"k": -1, "w": 2, "s": sign}, initial={"x": 0.1, "y": 0},
    )  # fmt: skip
    found = continuation(normal, "k", (-1, 1))
    (hopf,) = found.points
    # The state is sqrt(2) Re(z (1, -i)), where z' = (k + i w) z + 2 s z |z|^2: l1 = 2 s/w.
    assert hopf.first_lyapunov == pytest.approx(2 * sign / 2, rel=1e-9)
    assert hopf.criticality == criticality


def test_cycles_have_the_radius_and_the_period_of_the_normal_form() -> None:
    normal = System(
        {"x": "k*x - w*y - x*(x**2 + y**2)", "y": "w*x + k*y - y*(x**2 + y**2)"},
        parameters={"k": -1, "w": 2}, initial={"x": 0.1, "y": 0}, algebraic={"twice": "2*x"},
    )  # fmt: skip
    found = continuation(normal, "k", (-1, 1)).cycles([-0.5, 0.25, 0.81])
    np.testing.assert_allclose(found.x.sel(end="high"), [np.nan, 0.5, 0.9], rtol=1e-4)
    np.testing.assert_allclose(found.twice.sel(end="low"), [np.nan, -1, -1.8], rtol=1e-4)
    np.testing.assert_allclose(found.period, [np.nan, np.pi, np.pi], rtol=1e-4)


def test_a_linear_center_is_a_degenerate_hopf_point() -> None:
    linear = System({"x": "k*x - y", "y": "x + k*y"}, parameters={"k": -1},
                    initial={"x": 1, "y": 0})  # fmt: skip
    (hopf,) = continuation(linear, "k", (-1, 1)).points
    assert hopf.first_lyapunov == 0
    assert hopf.criticality == "degenerate"


def test_lorenz_has_its_pitchfork_and_its_subcritical_hopf_points() -> None:
    # Sparrow 1982: r = 1, and r = sigma (sigma + b + 3)/(sigma - b - 1) = 24.7368.
    sigma, b = 10, 8 / 3
    found = continuation(zoo.load("lorenz"), "r", (0, 30))
    assert kinds(found) == ["pitchfork", "Hopf", "Hopf"]
    expected = sigma * (sigma + b + 3) / (sigma - b - 1)
    assert values(found, "Hopf") == pytest.approx([expected] * 2, rel=1e-10)
    omega = np.sqrt(2 * sigma * (sigma + 1) * b / (sigma - b - 1))
    assert found.points[1].period == pytest.approx(2 * np.pi / omega, rel=1e-8)
    assert {point.criticality for point in found.points[1:]} == {"subcritical"}
    assert [interval.stable for interval in found.intervals] == [1, 2, 0]
    assert len(found.switches) == 2


def test_lotka_volterra_has_centers_and_so_no_hopf_point() -> None:
    found = continuation(zoo.load("lotka_volterra"), "a", (0.5, 2))
    assert kinds(found) == []
    assert {"marginal", "unstable"} >= {str(s) for b in found.branches for s in b.stability.values}


def test_a_minimum_turns_the_answer_where_it_saturates() -> None:
    found = continuation(cubic("k - min(x, 2) - 0.1*x", k=1), "k", (0, 5))
    (kink,) = found.points
    assert (kink.kind, kink.what) == ("kink", "x - 2")
    assert (kink.value, kink.state["x"]) == pytest.approx((2.2, 2), rel=1e-12)
    assert float(found.at(3.2).x[0]) == pytest.approx(12, rel=1e-12)
    assert "slope" in found.switches[0].effect


def test_branches_meet_and_vanish_at_a_corner() -> None:
    found = continuation(cubic("k - abs(x)", k=1), "k", (-1, 1))
    assert [(p.kind, p.value) for p in found.points] == [("kink", pytest.approx(0, abs=1e-12))]
    assert [interval.stable for interval in found.intervals] == [0, 1]
    assert found.at(0.5).x.values.tolist() == pytest.approx([-0.5, 0.5])


def test_a_filled_in_quotient_is_no_kink() -> None:
    assert kinds(continuation(zoo.load("hodgkin_huxley"), "I", (20, 40))) == []


def test_an_island_of_equilibria_is_found_inside_the_range() -> None:
    found = continuation(cubic("(k - 1)**2 + (x - 2)**2 - 0.16", k=1), "k", (0, 3))
    assert values(found, "fold") == pytest.approx([0.6, 1.4], rel=1e-12)
    assert found.branches[0].attrs["ends"] == "closed"


def test_a_branch_without_bound_says_so() -> None:
    found = continuation(cubic("1 - k*x", k=1), "k", (-1, 1))
    assert "unbounded" in kinds(found)
    assert [interval.stable for interval in found.intervals][-1] == 1


def test_conserved_totals_are_kept_and_move_with_the_number() -> None:
    swap = System({"A": "-k*A + B", "B": "k*A - B"}, parameters={"k": 2, "T": 3},
                  initial={"A": "T", "B": 0})  # fmt: skip
    found = continuation(swap, "k", (1, 5)).at(2.0)
    assert (float(found.A[0]), float(found.B[0])) == pytest.approx((1, 2))
    assert found.eigenvalue_real.shape == (1, 1)
    assert float(continuation(swap, "T", (1, 5)).at(4.5).B[0]) == pytest.approx(3)


def test_what_is_computed_from_the_number_moves_with_it() -> None:
    system = System({"x": "m - x"}, parameters={"k": 1, "m": "k**2"}, initial={"x": 0})
    assert float(continuation(system, "k", (0, 3)).at(2.0).x[0]) == pytest.approx(4)


@pytest.mark.parametrize("over", ["x2", "do(x2)"])
def test_a_held_variable_drives_others_extinct_where_the_closed_form_says(over: str) -> None:
    # x1 (r1 - x1 - 0.5 x2 - 0.4 x3) with x1 = 0 and x3 = (r3 + 0.4 x2)/0.5.
    found = continuation(zoo.load("generalized_lotka_volterra"), over, (0, 3))
    (switch,) = found.switches
    assert switch.cause.kind == "transcritical"
    assert switch.value == pytest.approx((0.96 + 0.4 * 0.34 / 0.5) / (0.5 + 0.4 * 0.4 / 0.5))
    assert found.name == "do(x2)"


def test_a_shift_is_swept_like_a_parameter() -> None:
    found = continuation(cubic("x - x**3"), "shift(x)", (-1, 1))
    assert values(found, "fold") == pytest.approx([-2 / np.sqrt(27), 2 / np.sqrt(27)], rel=1e-12)


def test_a_position_is_held_with_its_velocity_at_zero() -> None:
    oscillators = zoo.load("coupled_oscillators", masses=3)
    found = continuation(oscillators, "Q2", (0.5, 2)).at(1.0)
    expected = equilibria(oscillators.do(Hold("Q2", 1.0)))
    for name in expected.data_vars.keys() & {"Q1", "Q2", "Q3", "P1", "P2", "P3"}:
        np.testing.assert_allclose(found[name].values, expected[name].values, atol=1e-9)


def test_each_sample_has_its_own_folds() -> None:
    system = System({"x": "r + a*x - x**3"}, parameters={"r": 0, "a": Uniform(0.5, 2)},
                    initial={"x": 0})  # fmt: skip
    for sample in (0, 1):
        a = float(system.draw(np.array([sample]), 5)[1][1, 0])
        folds = values(continuation(system, "r", (-3, 3), seed=5, sample=sample), "fold")
        assert folds[1] == pytest.approx(2 * (a / 3) ** 1.5, rel=1e-10)


@pytest.mark.parametrize(
    ("name", "over", "between"),
    [
        ("energy_balance_climate", "Q", (200, 600)),
        ("toggle_switch", "alpha1", (1, 8)),
        ("wilson_cowan", "P", (-1, 3)),
    ],
)
def test_equilibria_at_a_value_are_those_that_equilibria_finds(
    name: str, over: str, between: tuple[float, float]
) -> None:
    system = zoo.load(name)
    found = continuation(system, over, between)
    for share in (0.2, 0.5, 0.8):
        value = between[0] + share * (between[1] - between[0])
        expected = equilibria(system.do(SetParameter({over: value})))
        for state in system.states:
            np.testing.assert_allclose(
                np.sort(found.at(value)[state]), np.sort(expected[state]), rtol=1e-6, atol=1e-9
            )


def test_the_spruce_budworm_has_its_outbreak_where_ludwig_says() -> None:
    # Ludwig, Jones & Holling 1978: r = 2 x^3/(1 + x^2)^2, q = 2 x^3/(x^2 - 1) at a fold.
    q = 20.0
    budworm = System({"N": "r*N*(1 - N/q) - N**2/(1 + N**2)"}, parameters={"r": 0.5, "q": q},
                     initial={"N": 1}, bounds={"N": AMOUNT})  # fmt: skip
    found = continuation(budworm, "r", (0.1, 0.8))
    x = np.roots([2, -q, 0, q])
    x = x[(np.abs(x.imag) < 1e-12) & (x.real > 1)].real
    assert values(found, "fold") == pytest.approx(sorted(2 * x**3 / (1 + x**2) ** 2), rel=1e-10)
    assert [interval.stable for interval in found.intervals] == [1, 2, 1]


def test_fitzhugh_nagumo_fires_between_its_hopf_points() -> None:
    # v^2 = 1 - b phi at the Hopf points, of which the closed form follows.
    found = continuation(zoo.load("fitzhugh_nagumo"), "I", (0, 2))
    a, b, phi = 0.7, 0.8, 0.08
    v = np.sqrt(1 - b * phi) * np.array([-1, 1])
    assert values(found, "Hopf") == pytest.approx((v + a) / b - v + v**3 / 3, rel=1e-9)
    assert [interval.fate for interval in found.intervals] == ["", "periodic", ""]


def test_hodgkin_huxley_fires_where_rinzel_and_miller_say() -> None:
    # Rinzel & Miller 1980, Hassard 1978: subcritical at 9.78, supercritical at 154.5 uA/cm2.
    found = continuation(zoo.load("hodgkin_huxley"), "I", (0, 200))
    assert values(found, "Hopf") == pytest.approx([9.78, 154.5], rel=1e-3)
    criticality = [point.criticality for point in found.points if point.kind == "Hopf"]
    assert criticality == ["subcritical", "supercritical"]


def test_the_climate_is_bistable_between_its_folds() -> None:
    found = continuation(zoo.load("energy_balance_climate"), "Q", (200, 600))
    for fold in found.points:
        branch = found.branches[fold.branches[0]]
        place = int(np.argmin(np.abs(branch["T"].values - fold.state["T"])))
        assert str(branch.special.values[place]) == "fold"
        assert abs(branch.eigenvalue_real.values[place, 0]) < 1e-8
    assert [interval.stable for interval in found.intervals] == [1, 2, 1]


def test_the_text_says_it_all() -> None:
    text = str(continuation(cubic("r + x - x**3", r=0), "r", (-1, 1)))
    assert "fold at x = 0.57735" in text
    assert "-0.3849 < r < 0.3849: 2 stable equilibria, 1 unstable" in text
    assert "the state jumps to another one" in text


def test_the_diagram_draws_each_variable_once_with_a_legend() -> None:
    found = continuation(zoo.load("toggle_switch"), "alpha1", (1, 8))
    figure = found.plot()
    assert [axes.get_ylabel() for axes in figure.axes] == ["u", "v"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["stable", "unstable", "fold"]
    with pytest.raises(UnknownVariable, match="`w` is no variable"):
        found.plot(["w"])


def test_equilibria_that_are_not_isolated_are_not_followed_and_said_so() -> None:
    epidemic = zoo.load("sir")
    found = continuation(epidemic, "beta", (0.2, 1))
    assert not found.complete
    assert "not isolated" in str(found)
    assert continuation(logistic(), "h", (0, 2)).complete


def test_what_cannot_be_swept_is_refused_with_a_remedy() -> None:
    system = logistic()
    with pytest.raises(
        InvalidValue, match="`q` is neither a parameter nor a variable.*known names"
    ):
        continuation(system, "q", (0, 1))
    with pytest.raises(InvalidValue, match="is no range; give two numbers, the lower first"):
        continuation(system, "h", (1, 0))
    with pytest.raises(Infeasible, match="`x` cannot be held at `-1"):
        continuation(logistic().replace(drift={"x": "-x", "y": "x - y"},
                     initial={"x": 1, "y": 0}), "x", (-1, 1))  # fmt: skip
    with pytest.raises(Unsupported, match="no state left that moves"):
        continuation(system, "x", (0, 1))
    with pytest.raises(Unsupported, match="noise"):
        continuation(zoo.load("double_well"), "a", (0, 1))
    with pytest.raises(InvalidValue, match="is outside of .*sweep a longer range"):
        continuation(system, "h", (0, 1)).at(2)


def test_a_law_that_depends_on_the_number_is_refused() -> None:
    system = System({"A": "-A*B", "B": "-k*A*B"}, parameters={"k": 2}, initial={"A": 1, "B": 1})
    with pytest.raises(Unsupported, match="weights that depend on"):
        continuation(system, "k", (1, 2))


def test_an_intervened_system_is_swept_as_it_is() -> None:
    shifted = cubic("r + x - x**3", r=0).do(Shift("x", 0.1))
    folds = values(continuation(shifted, "r", (-1, 1)), "fold")
    assert folds == pytest.approx([-2 / np.sqrt(27) - 0.1, 2 / np.sqrt(27) - 0.1], rel=1e-10)
