"""Plans for published systems, held against what is known of these by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy

from physcm.abstraction import Action, equilibrium_model, plan
from physcm.mechanism import LogNormal
from physcm.scm import SCM
from physcm.sim import System, zoo

AMOUNT = (0, math.inf)

# Rosenzweig & MacArthur (American Naturalist 97, 1963): prey rest at N = m/(a (e - m h)) = 1 and
# predators at P = r/a (1 - N/K) (1 + a h N) = 2 (1 - 1/K), which repels beyond K = 2 N + 1/(a h)
# = 3: the paradox of enrichment (Rosenzweig, Science 171, 1971).
ENRICHED = System(
    {"N": "r*N*(1 - N/K) - a*N*P/(1 + a*h*N)", "P": "e*a*N*P/(1 + a*h*N) - m*P"},
    parameters={"r": 1, "K": 2.5, "a": 1, "h": 1, "e": 1, "m": 0.5},
    initial={"N": 1, "P": 0.5},
    bounds={"N": AMOUNT, "P": AMOUNT},
)
FOOD = [Action("K", (1.5, 8))]


def test_more_food_makes_more_predators_up_to_the_paradox_of_enrichment() -> None:
    model = equilibrium_model(ENRICHED)
    best = plan(model, "P >= 1.3", FOOD).best
    assert best.values == pytest.approx((1 / (1 - 1.3 / 2),), rel=1e-6)
    (unmet,) = plan(model, "P >= 1.5", FOOD).unmet
    assert unmet.nearest == pytest.approx(2 * (1 - 1 / 3), rel=1e-4)
    assert unmet.by == "K = 3"


def test_enrichment_planned_without_dynamics_makes_the_plant_oscillate() -> None:
    naive = SCM(
        {"N": "m/(a*(e - m*h))", "P": "r/a*(1 - N/K)*(1 + a*h*N)"},
        parameters=dict(ENRICHED.parameters),
    )
    best = plan(naive, "P >= 1.5", FOOD).best
    assert best.values == pytest.approx((4,))
    done = best.check(ENRICHED, "N > 0.2")
    assert not done.ok
    assert "the plant oscillates" in str(done)
    assert "an equilibrium that repels" in str(done)
    assert [one.condition for one in done.breaches] == ["N > 0.2"]


# A stirred tank with an exothermic reaction (Uppal, Ray & Poore, Chemical Engineering Science 29,
# 1974, in the numbers of Seborg, Edgar & Mellichamp, Process Dynamics and Control).
TANK = System(
    {
        "c": "q*(1 - c) - k*c*exp(-E/T)",
        "T": "q*(T0 - T) + H*k*c*exp(-E/T) - u*(T - Tc)",
    },
    parameters={"q": 1, "k": 7.2e10, "E": 8750, "T0": 350, "H": 209, "u": 2.09, "Tc": 300},
    initial={"c": 0.5, "T": 350},
    bounds={"c": (0, 1), "T": (200, 1000)},
)


def test_a_reactor_planned_at_rest_runs_hot_on_the_way() -> None:
    """The state that repels is left out, up to the Hopf point, and ignition overshoots."""
    best = plan(equilibrium_model(TANK), "c <= 0.5, T <= 450", [Action("Tc", (280, 330))]).best
    (coolant,) = best.values
    p = {name: float(value) for name, value in TANK.parameters.items()}  # type: ignore[arg-type]

    def drift(_: float, x: np.ndarray) -> list[float]:
        c, t = x
        burnt = p["k"] * c * math.exp(-p["E"] / t)
        cooled = p["u"] * (t - coolant)
        return [p["q"] * (1 - c) - burnt, p["q"] * (p["T0"] - t) + p["H"] * burnt - cooled]

    imagined = [float(best.imagined[name][0]) for name in ("c", "T")]
    np.testing.assert_allclose(drift(0, np.array(imagined)), 0, atol=1e-5)
    slopes = scipy.optimize.approx_fprime(imagined, lambda x: drift(0, x))
    assert float(np.trace(slopes)) == pytest.approx(0, abs=0.02)  # the Hopf point
    done = best.check(TANK, "T < 440")
    assert done.reached.all()
    start = [float(done.before[name][0]) for name in ("c", "T")]
    hottest = scipy.integrate.solve_ivp(drift, (0, 20), start, "LSODA", rtol=1e-9, max_step=0.01)
    (breach,) = done.breaches
    assert breach.worst == pytest.approx(hottest.y[1].max() - 440, abs=0.2)


def test_vaccination_up_to_the_threshold_ends_an_endemic_disease() -> None:
    """Of S' = mu (1 - v) - beta S I - mu S, I' = beta S I - (g + mu) I: 1 - v = 1/R0."""
    endemic = System(
        {"S": "mu*(1 - v) - beta*S*I - mu*S", "I": "beta*S*I - (g + mu)*I"},
        parameters={"mu": 0.02, "v": 0, "beta": 2, "g": 0.4},
        initial={"S": 0.9, "I": 0.1},
        bounds={"S": (0, 1), "I": (0, 1)},
    )
    model = equilibrium_model(endemic)
    best = plan(model, "I <= 0", [Action("v", (0, 1))]).best
    assert best.values == pytest.approx((1 - 0.42 / 2,), rel=1e-6)
    done = best.check(endemic)
    assert done.reached.all(), done  # what is left of the disease is rounding, here as there
    (unmet,) = plan(model, "I <= 0.001", [Action("v", (0, 0.5))]).unmet
    assert unmet.nearest == pytest.approx(0.02 * (0.5 - 0.21) / 0.42, rel=1e-6)


def test_what_one_of_several_solutions_meets_is_said_where_not_every_one_does() -> None:
    switch = equilibrium_model(zoo.load("toggle_switch"))
    inputs = [Action("alpha2", (3.5, 4))]
    plans = plan(switch, "u >= 3", inputs)
    assert not plans.plans
    assert "by nothing one of several solutions meets it: allow that by every=False" in str(plans)
    assert plan(switch, "u >= 3", inputs, every=False).best.cost == 0
    never = plan(switch, "u >= 3 and v >= 3", inputs)
    assert "every=False" not in str(never)


def test_a_share_of_plants_that_no_action_brings_into_a_range_is_named() -> None:
    """Torricelli: h = (q/k)^2 with log-normal k spreads by a factor of 3, and the range by 1.5."""
    tanks = SCM({"h": "(q/k)**2"}, parameters={"q": 1, "k": LogNormal(0, 0.3)})
    inflow = [Action("q", (0, 4))]
    never = plan(tanks, "2 <= h <= 3", inflow)
    assert "is not met by any action in 95% of samples, though each" in str(never)
    best = plan(tanks, "2 <= h <= 3", inflow, probability=0.15).best
    inside = np.log(best.values[0] / np.sqrt([3, 2]))
    exact = scipy.stats.norm.cdf(inside / 0.3)
    share, low, high = best.probability
    assert low <= exact[1] - exact[0] <= high
    assert share >= 0.1
