"""Causal orderings and perfect adaptation of published models, against what their papers say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from physcm.abstraction import causal_ordering, equilibrate, input_effects
from physcm.mechanism import NoEquilibrium, Normal, NotUnique
from physcm.scm import MixedGraph, d_separated
from physcm.sim import System

AMOUNT = (0, math.inf)


def pathway(*, feedback: bool = True, saturated: bool = True) -> System:
    """Ras, Raf, Mek and Erk of Blom & Mooij (J. Causal Inference 11, 2023), section 4.1."""
    inhibited = "/(1 + (Xe/Ke)**1.5)" if feedback else ""
    drift = {
        "Xs": f"I*(1 - Xs)/(2 - Xs){inhibited} - Fs*Xs/(0.9 + Xs)",
        "Xr": "Xs*(1 - Xr)/(2 - Xr) - Fr*Xr/(0.9 + Xr)",
        "Xm": "Xr*(1 - Xm)/(2 - Xm) - Fm*Xm/(0.9 + Xm)",
        "Xe": "Xm*ke - Fe" if saturated else "Xm*ke*(1 - Xe)/(1.5 - Xe) - Fe*Xe/(0.1 + Xe)",
    }
    parameters = {"I": 1, "Fs": 1, "Fr": 0.3, "Fm": 0.2, "ke": 1, "Fe": 0.35}
    return System(
        drift,
        parameters=parameters | ({"Ke": 1.1} if feedback else {}),
        initial={"Xs": 0.09, "Xr": 0.14, "Xm": 0.35, "Xe": 2.9},
        bounds={"Xs": (0, 1), "Xr": (0, 1), "Xm": (0, 1), "Xe": AMOUNT if saturated else (0, 1)},
        name="pathway",
    )


def test_saturation_turns_the_order_of_a_pathway_with_feedback_around() -> None:
    ordering = causal_ordering(pathway())
    graph = MixedGraph([("Xm", "Xr"), ("Xr", "Xs"), ("Xs", "Xe")])
    assert ordering.markov_ordering(()) == graph
    assert ordering.effects("I") == ("Xe",)
    assert ordering.effects("Fe") == ("Xs", "Xr", "Xm", "Xe")


def test_without_saturation_the_feedback_is_one_cluster_and_without_feedback_a_chain() -> None:
    (cluster,) = causal_ordering(pathway(saturated=False)).clusters
    assert cluster.variables == ("Xs", "Xr", "Xm", "Xe")
    chain = causal_ordering(pathway(saturated=False, feedback=False))
    graph = MixedGraph([("Xs", "Xr"), ("Xr", "Xm"), ("Xm", "Xe")])
    assert chain.markov_ordering(()) == graph


def test_saturation_without_feedback_leaves_a_pathway_overdetermined() -> None:
    ordering = causal_ordering(pathway(feedback=False))
    assert not ordering.is_determined
    assert ordering.decomposition.over.variables == ("Xs", "Xr", "Xm")
    assert ordering.decomposition.under.variables == ("Xe",)


def test_the_pathway_but_for_its_end_adapts_perfectly_to_the_signal() -> None:
    found = input_effects(pathway())
    assert found.ok
    assert {v for cause, v in found.adapted if cause == "I"} == {"Xs", "Xr", "Xm"}


def test_a_start_from_which_a_state_of_rest_is_not_reached_is_told_where_that_is() -> None:
    with pytest.raises(NoEquilibrium, match=r"state of rest `Xs = .*, Xm = 0\.35, .*start nearer"):
        input_effects(pathway().replace(initial=dict.fromkeys(pathway().states, 0.1)))


def test_incoherent_feedforward_adapts_in_its_limit() -> None:
    """Ma et al. (Cell 138, 2009), figure 4: B follows A, and C their ratio."""
    system = System(
        {"A": "I*(1 - A) - 2*A", "B": "2*A - 4*B", "C": "A*(1 - C) - 10*B*C"},
        parameters={"I": 1}, initial={"A": 0.1, "B": 0.1, "C": 0.1},
    )  # fmt: skip
    ordering = causal_ordering(system)
    assert "C" in ordering.effects("I")  # by where variables occur
    assert ("I", "C") in ordering.cancelled
    assert ("I", "C") in input_effects(system).adapted


def test_antithetic_feedback_sets_its_output_by_two_rates_alone() -> None:
    """Briat, Gupta & Khammash (Cell Systems 2, 2016): x2 = mu/theta in one cluster of four."""
    system = System(
        {
            "x1": "k*z1 - g1*x1",
            "x2": "c*x1 - g2*x2",
            "z1": "mu - eta*z1*z2",
            "z2": "theta*x2 - eta*z1*z2",
        },
        parameters={"k": 1, "g1": 1, "c": 1, "g2": 1, "mu": 1, "eta": 10, "theta": 2},
        initial={"x1": 0, "x2": 0, "z1": 0, "z2": 0},
        bounds=dict.fromkeys(["x1", "x2", "z1", "z2"], AMOUNT),
    )
    (cluster,) = causal_ordering(system).clusters
    assert len(cluster.variables) == 4
    found = input_effects(system)
    assert found.ok
    adapting = {cause for cause, v in found.adapted if v == "x2" and cause in system.parameters}
    assert adapting == {"k", "g1", "c", "g2", "eta"}
    solved = equilibrate(system).sample(1)
    assert float(solved.x2[0]) == pytest.approx(1 / 2)


def test_methylation_makes_the_activity_of_receptors_blind_to_the_ligand() -> None:
    """Barkai & Leibler (Nature 387, 1997), with the demethylation of active receptors alone."""
    system = System(
        {"E": "-R + b*A", "M": "R - b*A"},
        algebraic={"A": "M/(1 + l/K)"},
        parameters={"R": 0.1, "b": 1, "l": 1, "K": 1},
        initial={"E": 5, "M": 5},
        bounds={"E": AMOUNT, "M": AMOUNT},
    )
    ordering = causal_ordering(system)
    assert ordering.effects("l") == ("E", "M")
    assert ordering.markov_ordering(()) == MixedGraph([("A", "M"), ("M", "E")])
    assert ("l", "A") in input_effects(system).adapted


def test_proportional_integral_control_rejects_disturbances_and_follows_its_set_point() -> None:
    system = System(
        {"x": "-a*x + u + d", "z": "r - x"},
        algebraic={"u": "kp*(r - x) + ki*z"},
        parameters={"a": 1, "d": 0.5, "r": 2, "kp": 1, "ki": 1},
        initial={"x": 0, "z": 0},
    )
    ordering = causal_ordering(system)
    assert ordering.markov_ordering(()) == MixedGraph([("x", "u"), ("x", "z"), ("u", "z")])
    found = input_effects(system)
    assert {cause for cause, v in found.adapted if v == "x"} >= {"a", "d", "ki"}
    assert ("r", "x") not in found.adapted


def test_price_supply_and_demand_are_one_cluster_and_a_hold_must_say_what_it_replaces() -> None:
    """Blom, van Diepen & Mooij (JMLR 22, 2021), section 5.1, with the law of supply and demand."""
    market = causal_ordering(
        {"demand": "D == -1.5*P + uD", "supply": "S == 0.5*P + uS", "clearing": "D == S"},
        variables=["D", "S", "P"], parameters={"uD": Normal(3, 1), "uS": Normal(1, 1)},
    )  # fmt: skip
    assert len(market.clusters) == 1
    with pytest.raises(NotUnique, match="demand"):
        market.do(S=2)
    rationed = market.do("supply", S=2).scm().solve({"uD": 3}).isel(sample=0, solution=0)
    assert (float(rationed.P), float(rationed.D)) == pytest.approx((2 / 3, 2))
    tariff = market.do("clearing", P=1).scm().solve({"uD": 3, "uS": 1}).isel(sample=0, solution=0)
    assert (float(tariff.D), float(tariff.S)) == pytest.approx((1.5, 1.5))


def test_variables_of_a_cluster_separate_what_is_before_from_what_is_after_it() -> None:
    """Blom, van Diepen & Mooij (2021), figures 3 and 5: clusters opened, without edges inside."""
    ordering = causal_ordering(
        {
            "f1": "v1 - w1",
            "f2": "v2 + v3 - v1 + w2",
            "f3": "v2 - v3 + w3",
            "f4": "v4 + v5 - v2 + w4",
            "f5": "v4 - v5 + w5*v3",
        },
        variables=[f"v{i}" for i in range(1, 6)],
        parameters={f"w{i}": Normal(1, 1) for i in range(1, 6)},
    )
    assert [c.variables for c in ordering.clusters] == [("v1",), ("v2", "v3"), ("v4", "v5")]
    graph = ordering.markov_ordering()
    assert not graph.directed & {("v2", "v3"), ("v3", "v2")}
    assert d_separated(graph, "v1", "v4", ["v2", "v3"])
    assert not d_separated(graph, "v1", "v4", ["v2"])
    assert not d_separated(graph, "v2", "v3", ["v1"])  # they share the noise of their equations
    sample = ordering.scm().sample(20_000)
    left = np.array([sample[name].values for name in ("v1", "v4", "v2", "v3")])
    precision = np.linalg.inv(np.corrcoef(left))
    partial = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
    assert abs(partial) < 0.03
