"""Bifurcations of textbooks and papers, at their published values.

S stands for Strogatz, Nonlinear Dynamics and Chaos, 2nd ed., Westview 2015.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from physcm.sim import Continuation, System, continuation, zoo

AMOUNT = (0, math.inf)


def followed(
    drift: Mapping[str, str], over: str, between: tuple[float, float], *, amounts: bool = False,
    start: float = 0.5, **parameters: float,
) -> Continuation:  # fmt: skip
    system = System(
        drift,
        parameters={over: between[0], **parameters},
        initial=dict.fromkeys(drift, start),
        bounds=dict.fromkeys(drift, AMOUNT) if amounts else {},
    )
    return continuation(system, over, between)


def seen(found: Continuation) -> list[tuple[str, float]]:
    """Kinds and values of all special points, a symmetric pair once."""
    return sorted({(point.kind, round(point.value, 6)) for point in found.points})


def test_josephson_junction_has_one_fold_in_the_current_whatever_the_number_of_turns() -> None:
    """S section 4.6: below the critical current a junction rests, above it turns."""
    found = followed({"phi": "I - sin(phi)"}, "I", (0, 2), start=0)
    (fold,) = found.points
    assert (fold.kind, fold.value) == ("fold", pytest.approx(1, rel=1e-9))
    assert fold.state["phi"] == pytest.approx(math.pi / 2, rel=1e-6)
    assert [(i.stable, i.unstable) for i in found.intervals] == [(1, 1), (0, 0)]
    assert found.intervals[1].fate == "periodic"
    assert "the equations repeat in `phi` with the period 6.28319" in str(found)


def test_a_phase_that_follows_another_round_and_round_is_one_branch_of_each_kind() -> None:
    found = followed({"theta": "sin(phi - theta)"}, "phi", (0, 15))
    assert not found.points
    assert [(i.stable, i.unstable) for i in found.intervals] == [(1, 1)]


def test_bead_on_a_rotating_hoop_leaves_the_bottom_by_a_supercritical_pitchfork() -> None:
    """S section 3.5: at gamma = r omega^2/g = 1."""
    found = followed({"phi": "sin(phi)*(gamma*cos(phi) - 1)"}, "gamma", (0.1, 3))
    assert seen(found) == [("pitchfork", 1)]
    assert found.points[0].criticality == "supercritical"
    assert [(i.stable, i.unstable) for i in found.intervals] == [(1, 1), (2, 2)]


def test_subcritical_pitchfork_has_hysteresis_between_its_folds_and_zero() -> None:
    """S section 3.4: x' = r x + x^3 - x^5 jumps at 0 and comes back at -1/4."""
    found = followed({"x": "r*x + x**3 - x**5"}, "r", (-0.5, 0.5))
    assert seen(found) == [("fold", -0.25), ("pitchfork", 0)]
    assert found.points[-1].criticality == "subcritical"
    assert "leaves its neighborhood" in found.switches[-1].effect
    assert [(i.stable, i.unstable) for i in found.intervals] == [(1, 0), (3, 2), (2, 1)]


def test_lorenz_convection_begins_by_a_supercritical_pitchfork() -> None:
    """S section 9.2: at r = 1."""
    first = continuation(zoo.load("lorenz"), "r", (0.5, 5)).points[0]
    assert (first.kind, first.value) == ("pitchfork", pytest.approx(1, rel=1e-9))
    assert first.criticality == "supercritical"


def test_maxwell_bloch_laser_has_a_line_of_equilibria_at_threshold() -> None:
    """S exercise 3.3.2: at lambda = 0 any E = P with D = 1 is at rest."""
    found = followed(
        {"E": "kappa*(P - E)", "P": "g1*(E*D - P)", "D": "g2*(lam + 1 - D - lam*E*P)"},
        "lam", (-1, 2), kappa=1, g1=1, g2=1,
    )  # fmt: skip
    assert seen(found) == [("line", 0)]
    assert not found.complete
    assert [(i.stable, i.unstable) for i in found.intervals] == [(1, 2), (2, 1)]
    assert found.switches[0].effect.startswith("equilibria fill a line")


def test_griffith_gene_needs_slow_decay_to_be_bistable() -> None:
    """S section 8.1: x' = -a x + y, y' = x^2/(1 + x^2) - b y has its fold at a b = 1/2, x = 1."""
    found = followed(
        {"x": "-a*x + y", "y": "x**2/(1 + x**2) - b*y"}, "a", (0.1, 1.2), amounts=True, b=0.8
    )
    (fold,) = found.points
    assert (fold.kind, fold.value) == ("fold", pytest.approx(1 / 1.6, rel=1e-9))
    assert fold.state["x"] == pytest.approx(1, rel=1e-6)
    assert [i.stable for i in found.intervals] == [2, 1]


def test_glycolysis_oscillates_between_two_hopf_points() -> None:
    """S section 7.3, equation 4: b^2 = (1 - 2a +- sqrt(1 - 8a))/2."""
    a = 0.08
    found = followed(
        {"x": "-x + a*y + x**2*y", "y": "b - a*y - x**2*y"}, "b", (0.1, 1.2), amounts=True, a=a
    )
    root = math.sqrt(1 - 8 * a)
    expected = [math.sqrt((1 - 2 * a + sign * root) / 2) for sign in (-1, 1)]
    assert [point.value for point in found.points] == pytest.approx(expected, rel=1e-9)
    assert {point.criticality for point in found.points} == {"supercritical"}


def test_chlorine_dioxide_iodine_reaction_oscillates_below_its_hopf_point() -> None:
    """S section 8.3 (Lengyel & Epstein 1990): b_c = 3a/5 - 25/a at x = a/5, y = 1 + x^2."""
    found = followed(
        {"x": "a - x - 4*x*y/(1 + x**2)", "y": "b*x*(1 - y/(1 + x**2))"}, "b", (1, 6),
        amounts=True, start=1, a=10,
    )  # fmt: skip
    (hopf,) = found.points
    assert (hopf.kind, hopf.value) == ("Hopf", pytest.approx(3.5, rel=1e-9))
    assert (hopf.state["x"], hopf.state["y"]) == pytest.approx((2, 5), rel=1e-6)
    assert hopf.criticality == "supercritical"
    assert found.intervals[0].fate == "periodic"


def test_bogdanov_takens_unfolding_has_its_fold_and_its_hopf_point_beside_a_runaway_start() -> None:
    """Kuznetsov (2004), equation 8.51 with s = -1: a fold at b2^2/4, a Hopf point at 0."""
    drift = {"x": "y", "y": "b1 + b2*x + x**2 - x*y"}
    found = followed(drift, "b1", (-0.5, 0.2), start=2, b2=-0.5)
    assert seen(found) == [("Hopf", 0), ("fold", 0.0625)]
    assert found.points[0].criticality == "supercritical"
    assert [(i.stable, i.unstable) for i in found.intervals] == [(0, 2), (1, 1), (0, 0)]
    assert found.intervals[0].fate == "diverged"


def test_at_the_bogdanov_takens_point_nothing_turns() -> None:
    found = followed({"x": "y", "y": "b1 + x**2 - x*y"}, "b1", (-0.5, 0.2))
    assert seen(found) == [("fold", 0)]


def test_stirred_tank_reactor_has_the_folds_and_the_hopf_point_of_uppal_ray_and_poore() -> None:
    """Chemical Engineering Science 29 (1974): with no end of activation energy.

    Folds at 1/(x (1 - x)) = B/(1 + beta), the Hopf point at B x - (1 + beta) = 1/(1 - x), all
    with Da = x/(1 - x) exp(-B x/(1 + beta)).
    """
    B, beta = 14, 2

    def damkoehler(x: float) -> float:
        return x / (1 - x) * math.exp(-B * x / (1 + beta))

    root = math.sqrt(1 - 4 * (1 + beta) / B)
    hopf = (B + 1 + beta + math.sqrt((B - 1 - beta) ** 2 - 4 * B)) / (2 * B)
    expected = sorted(
        [
            ("fold", round(damkoehler((1 - root) / 2), 6)),
            ("fold", round(damkoehler((1 + root) / 2), 6)),
            ("Hopf", round(damkoehler(hopf), 6)),
        ]
    )
    found = followed(
        {"x": "-x + Da*(1 - x)*exp(T)", "T": "-T + B*Da*(1 - x)*exp(T) - beta*T"},
        "Da", (0.01, 0.3), start=0.1, B=B, beta=beta,
    )  # fmt: skip
    assert seen(found) == expected


def test_a_neuron_of_class_one_loses_its_rest_in_a_fold_and_one_of_class_two_in_a_hopf_point() -> (
    None
):
    """Morris & Lecar with the numbers of Rinzel & Ermentrout (1998), table 7.1 and section 7.4."""
    current = "I - gCa*(1 + tanh((V + 1.2)/18))/2*(V - 120) - 8*w*(V + 84) - 2*(V + 60)"
    opening = "phi*((1 + tanh((V - V3)/V4))/2 - w)*cosh((V - V3)/(2*V4))"
    drift = {"V": f"({current})/20", "w": opening}
    one = followed(drift, "I", (0, 80), start=0.1, gCa=4, V3=12, V4=17.4, phi=1 / 15)
    assert one.switches[0].cause.kind == "fold"
    assert one.switches[0].value == pytest.approx(39.96, abs=0.01)
    two = followed(drift, "I", (0, 150), start=0.1, gCa=4.4, V3=2, V4=30, phi=0.04)
    (hopf,) = two.points
    assert (hopf.kind, hopf.value) == ("Hopf", pytest.approx(93.86, abs=0.01))
    assert hopf.criticality == "subcritical"
    assert {one.intervals[1].fate, two.intervals[1].fate} == {"periodic"}
