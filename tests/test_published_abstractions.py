"""Published abstractions beyond the worked examples of the theory, with answers derived by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

from physcm.abstraction import Abstraction, FromTau, Undefined
from physcm.mechanism import (
    Bernoulli,
    Categorical,
    Hold,
    InvalidValue,
    Normal,
    SetParameter,
    Shift,
    Uniform,
)
from physcm.mechanism.interventions import Interventions
from physcm.scm import SCM, LinearSCM
from physcm.sim import Jump, System

Floats = NDArray[np.float64]

# Finite models.

STATES = FromTau(values={"X": range(4), "Y": range(4)})
GROUPS = {"X": "1 if X > 2 else 0", "Y": "1 if Y > 2 else 0"}
START = {"x": Categorical([0, 1, 2, 3], [0.25] * 4), "u": Uniform(0, 1)}
HOLDS = [Hold("X", k) for k in range(4)]


def test_states_that_mix_among_themselves_are_one_state_of_a_coarser_chain() -> None:
    """Hoel, Albantakis & Tononi (PNAS 110, 2013): three states of a chain mix, the fourth stays."""
    fine = SCM({"X": "x", "Y": "min(floor(3*u), 2) if X < 3 else 3"}, START)
    coarse = SCM({"X": "x", "Y": "X"}, {"x": Bernoulli(0.25)})
    square = Abstraction(fine, coarse, GROUPS, STATES)
    assert [square.image(do) for do in HOLDS] == [*3 * [(Hold("X", 0.0),)], (Hold("X", 1.0),)]
    found = square.is_exact(HOLDS, n=150)
    assert found, str(found)
    assert found.perturbations is not None
    assert found.perturbations.tested == ("X", "Y")


def test_states_that_leave_their_group_at_different_rates_are_not_one_state() -> None:
    """Kemeny & Snell, Finite Markov Chains (1960), theorem 6.3.2, is not met by state 0."""
    leaves = "min(floor(4*u), 3) if X < 1 else (min(floor(3*u), 2) if X < 3 else 3)"
    coarse = SCM({"X": "x", "Y": "1 if X + u > 11/12 else 0"},
                 {"x": Bernoulli(0.25), "u": Uniform(0, 1)})  # fmt: skip
    found = Abstraction(SCM({"X": "x", "Y": leaves}, START), coarse, GROUPS, STATES).is_exact(
        HOLDS, n=150, perturb=False
    )
    assert found.rows[0].holds  # right for the mixture of states that is seen
    pairs = {(pair.first[0].value, pair.second[0].value) for pair in found.collisions}  # type: ignore[union-attr]
    assert pairs == {(0, 1), (0, 2)}


def ballots(voters: list[str], groups: dict[str, list[str]]) -> tuple[SCM, SCM]:
    """Voters who follow an advertisement A, or not (Beckers & Halpern, AAAI 2019, example 1)."""
    noise = {"a": Bernoulli(0.5), **{f"u{v}": Uniform(0, 1.6) for v in voters}}
    vote = {v: f"1 if A + u{v} > 1 else 0" for v in voters}
    counts = {g: " + ".join(f"({vote[v]})" for v in own) for g, own in groups.items()}
    return SCM({"A": "a", **vote}, noise), SCM({"A": "a", **counts}, noise)


def test_groups_of_voters_are_a_constructive_abstraction_of_voters() -> None:
    groups = {"left": ["v0", "v1"], "right": ["v2", "v3", "v4"]}
    voters = [v for own in groups.values() for v in own]
    low, high = ballots(voters, groups)
    tau = {"A": "A", **{g: " + ".join(own) for g, own in groups.items()}}
    ranges = FromTau(values=dict.fromkeys(["A", *voters], (0, 1)))
    square = Abstraction(low, high, tau, ranges)
    assert square.is_constructive
    assert square.image([Hold("A", 1), Hold("v0", 1), Hold("v1", 0)]) == (
        Hold("A", 1.0), Hold("left", 1.0),
    )  # fmt: skip
    assert isinstance(square.image([Hold("v0", 1), Hold("v2", 0)]), Undefined)
    do = [
        Hold("A", 1),
        [Hold("v0", 1), Hold("v1", 1)],
        [Hold(v, k % 2) for k, v in enumerate(voters)],
    ]
    assert square.is_exact(do, n=100)


def test_the_winner_beside_the_counts_follows_them_where_a_group_decides() -> None:
    """What determines the winner alone is one intervention on both, as the definition says."""
    groups = {"left": ["v0", "v1", "v2"], "right": ["v3", "v4"]}
    voters = [v for own in groups.values() for v in own]
    low, high = ballots(voters, groups)
    high = SCM({**high.mechanisms, "won": "1 if left + right > 2 else 0"}, high.exogenous)
    total = " + ".join(voters)
    tau = {"A": "A", **{g: " + ".join(own) for g, own in groups.items()},
           "won": f"1 if {total} > 2 else 0"}  # fmt: skip
    square = Abstraction(low, high, tau, FromTau(values=dict.fromkeys(["A", *voters], (0, 1))))
    all_left = square.image([Hold(v, 1) for v in groups["left"]])
    assert all_left == (Hold("left", 3.0), Hold("won", 1.0))
    assert square.image([Hold(v, 1) for v in groups["right"]]) == (Hold("right", 2.0),)
    assert not square.is_constructive


@pytest.mark.parametrize(("chance", "exact"), [(0.5, True), (0.2, False)])
def test_a_transformation_can_be_exact_for_one_law_of_the_noise_alone(
    chance: float, exact: bool
) -> None:
    """Beckers & Halpern (AAAI 2019), section 3: such a transformation is exact, not uniform.

    X2 copies X1 with errors; as often wrong as right it looks as if nothing were copied.
    """
    low = SCM({"X1": "a", "X2": "mod(X1 + b, 2)"}, {"a": Bernoulli(0.5), "b": Bernoulli(chance)})
    high = SCM({"X1": "c", "X2": "d"}, {"c": Bernoulli(0.5), "d": Bernoulli(0.5)})
    square = Abstraction(low, high, omega=FromTau(values={"X1": (0, 1), "X2": (0, 1)}))
    found = square.is_exact([Hold("X1", 0), Hold("X1", 1), Hold("X2", 1)], n=250)
    assert bool(found) == exact
    assert [row.holds for row in found.rows] == [exact, exact, exact, True]


def test_the_causal_partition_of_pictures_passes_and_the_observational_one_does_not() -> None:
    """Chalupka, Perona & Eberhardt (UAI 2015): a picture has a cause of the behavior, and a bit
    that only shares a hidden cause with it."""
    behaves = "1 if u < (0.1 if {cause} < 1 else 0.4) + 0.45*h else 0"
    noise = {"h": Bernoulli(0.5), "r": Bernoulli(0.5), "u": Uniform(0, 1)}
    low = SCM({"I": "2*r + h", "T": behaves.format(cause="floor(I/2)")}, noise)
    ranges = FromTau(values={"I": range(4), "T": (0, 1)})
    high = SCM({"C": "r", "T": behaves.format(cause="C")}, noise)
    pictures = [Hold("I", k) for k in range(4)]
    causal = Abstraction(low, high, {"C": "floor(I/2)", "T": "T"}, ranges)
    assert causal.is_exact(pictures, n=150)
    seen = SCM({"C": "h", "T": "1 if u < 0.1 + 0.3*r + 0.45*C else 0"}, noise)
    found = Abstraction(low, seen, {"C": "mod(I, 2)", "T": "T"}, ranges).is_exact(pictures, n=150)
    assert found.rows[0].holds
    assert not found
    assert [pair.image for pair in found.collisions] == [(Hold("C", 0.0),), (Hold("C", 1.0),)]
    assert found.perturbations is not None
    assert [one.variable for one in found.perturbations.relevant] == ["I"]


def test_the_error_of_a_wrong_probability_is_its_root() -> None:
    """Smoking, tar and cancer: W^2 of Bernoulli laws is the difference of their probabilities."""
    low = SCM(
        {"S": "s", "T": "v if S > 0.5 else 0", "C": "c if T > 0.5 else b"},
        {"s": Bernoulli(0.2), "v": Bernoulli(0.8), "b": Bernoulli(0.1), "c": Bernoulli(0.4)},
    )
    high = SCM(
        {"S": "s", "C": "d if S > 0.5 else f"},
        {"s": Bernoulli(0.2), "f": Bernoulli(0.2), "d": Bernoulli(0.8 * 0.4 + 0.2 * 0.1)},
    )
    found = Abstraction(low, high).errors([Hold("S", 0), Hold("S", 1), Hold("C", 0)], n=4000)
    truth = [math.sqrt(0.1), 0, 0]
    for one, expected in zip(found.errors, truth, strict=True):
        assert one.interval[0] <= expected <= one.interval[1]
    assert found.largest.value == pytest.approx(truth[0], abs=0.06)


# Linear models.

FINE = LinearSCM(
    {"x1": {}, "x2": {"x1": 0.5}, "x3": {"x1": 1, "x2": 2}, "x4": {"x3": 0.5}},
    {f"x{i}": Normal(0, 1) for i in range(1, 5)},
)
COARSE = SCM({"Y": "u", "Z": "Y + v"}, {"u": Normal(0, 8**0.5), "v": Normal(0, 1)})
BLOCKS = {"Y": "x1 + 2*x2", "Z": "x3"}


def soft(do: Interventions) -> list[Shift]:
    """Shifts of the noise by d are shifts by S d above, in T (I - W)^-1 = (I - M)^-1 S."""
    noise_map = Abstraction(FINE, COARSE, BLOCKS).linear_criterion().noise_map
    shifts = [one for one in do if isinstance(one, Shift)]
    totals = {
        y: sum(float(noise_map.sel(cause=one.name, effect=y)) * one.amount for one in shifts)
        for y in BLOCKS
    }
    return [Shift(y, amount) for y, amount in totals.items() if amount]


def test_soft_interventions_on_a_linear_abstraction_are_mapped_by_its_noise_map() -> None:
    """Massidda et al., Learning causal abstractions of linear structural causal models (2024)."""
    square = Abstraction(FINE, COARSE, BLOCKS, soft)
    do = [Shift("x1", 1), [Shift("x2", 0.5), Shift("x3", -1)], Shift("x4", 3)]
    assert [square.image(one) for one in do] == [
        (Shift("Y", 2.0),), (Shift("Y", 1.0), Shift("Z", -1.0)), (),
    ]  # fmt: skip
    found = square.is_exact(do)
    assert found, str(found)
    assert found.sampled == ""
    half = Abstraction(FINE, COARSE, BLOCKS, lambda do: [Shift("Y", one.amount) for one in do])
    assert half.errors([Shift("x1", 1)]).errors[0].value == pytest.approx(math.sqrt(2))


def test_a_sum_and_a_difference_are_reached_by_holding_all_that_they_read() -> None:
    low = LinearSCM({"x": {}, "y": {"x": 1}}, {"x": Normal(0, 1), "y": Normal(0, 1)})
    high = SCM({"s": "a", "d": "b"}, {"a": Normal(0, 5**0.5), "b": Normal(0, 1)})
    square = Abstraction(low, high, {"s": "x + y", "d": "y - x"}, "from tau")
    both = [Hold("x", 1), Hold("y", 2)]
    assert square.image(both) == (Hold("s", 3.0), Hold("d", 1.0))
    found = square.is_exact([both], above=[Hold("s", 3)])
    assert [row.holds for row in found.rows] == [False, True]  # cov(x + y, y - x) = 1
    assert [*found.order.unreached] == [(Hold("s", 3),)]  # not a strong abstraction


# Dynamical systems.


def compartments(rates: Floats) -> System:
    drift = {
        f"x{i}": f"b{i} + " + " + ".join(f"({rates[i, j]})*x{j}" for j in range(3))
        for i in range(3)
    }
    inputs = {"b0": Uniform(0, 2), "b1": 1, "b2": 0.3}
    return System(drift, parameters=inputs, initial=dict.fromkeys(drift, 0))


LUMPABLE = np.array([[-3, 1, 0.5], [1, -3, 0.5], [2, 2, -1.5]])
LUMPED = SCM(
    {"A": "(b0 + b1 + B)/2", "B": "(b2 + 2*A)/1.5"},
    parameters={"b0": Uniform(0, 2), "b1": 1, "b2": 0.3},
)
LUMPS = {"A": "x0 + x1", "B": "x2"}
SAME_SUM = [[Hold("x0", 1), Hold("x1", 2)], [Hold("x0", 2), Hold("x1", 1)]]


def test_compartments_that_are_lumped_exactly_are_an_exact_abstraction() -> None:
    """Wei & Kuo (Ind. Eng. Chem. Fundam. 8, 1969): M K = L M with the lumping matrix M."""
    lumping = np.array([[1, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(lumping @ LUMPABLE, np.array([[-2, 1], [2, -1.5]]) @ lumping)
    square = Abstraction(compartments(LUMPABLE), LUMPED, LUMPS, "from tau")
    found = square.is_exact([*SAME_SUM, Hold("x2", 2), SetParameter(b1=2)], n=10)
    assert found, str(found)
    assert square.image([SAME_SUM[0][0], SAME_SUM[0][1], SetParameter(b1=2)]) == (
        Hold("A", 3.0), SetParameter(b1=2),
    )  # fmt: skip


def test_compartments_that_cannot_be_lumped_name_the_holds_that_tell_them_apart() -> None:
    spoilt = LUMPABLE.copy()
    spoilt[2, 0] = 2.5
    square = Abstraction(compartments(spoilt), LUMPED, LUMPS, "from tau")
    found = square.is_exact(SAME_SUM, n=3)
    (pair,) = found.collisions
    at_rest = [(0.3 + 2.5 * x0 + 2 * x1) / 1.5 for x0, x1 in ((1, 2), (2, 1))]
    assert pair.difference.what == "mean"
    assert [pair.difference.first, pair.difference.second] == pytest.approx(at_rest, rel=1e-6)
    assert {one.variable for one in square.dropped().relevant} == {"x0", "x1"}
    predicted = (0.3 + 2 * 3) / 1.5
    errors = [one.value for one in square.errors(SAME_SUM, n=60).errors]
    assert errors == pytest.approx([b - predicted for b in at_rest], rel=1e-5)


def test_the_quasi_steady_state_of_an_enzyme_errs_in_proportion_to_the_time_scale() -> None:
    """The complex also decays, by g C, which the fast balance leaves out (Segel & Slemrod, 1989).

    With S = 1 held: C = k1 e/(k1 + km1 + k2 + g eps) against e/(1 + (km1 + k2)/k1).
    """
    numbers = {"k1": 2, "km1": 0.5, "k2": 1.5, "e": 1, "d": 0.2}
    supply = {"k0": Uniform(0.5, 1)}
    slow = "k0 - k1*(e - C)*S + km1*C - d*S"
    reduced = SCM(
        {"S": f"{slow} == 0", "C": "e*S/(S + (km1 + k2)/k1)"},
        parameters={**supply, **numbers}, domains={"S": (0, 100)},
    )  # fmt: skip

    def errors(eps: float) -> list[float]:
        full = System(
            {"S": slow, "C": "(k1*(e - C)*S - (km1 + k2)*C)/eps - g*C"},
            parameters={**supply, **numbers, "g": 1, "eps": eps}, initial={"S": 1, "C": 0},
        )  # fmt: skip
        found = Abstraction(full, reduced).errors([[], Hold("S", 1), Hold("C", 0.3)], n=40)
        return [one.value for one in found.errors]

    coarse, fine = errors(0.05), errors(0.025)
    assert coarse[1] == pytest.approx(2 / 4 - 2 / (4 + 0.05), rel=1e-4)
    assert coarse[2] == fine[2] == 0
    assert [coarse[k] / fine[k] for k in (0, 1)] == pytest.approx([2, 2], rel=0.03)


def network(size: int, spread: float) -> tuple[System, dict[str, str]]:
    rng = np.random.default_rng(0)
    names = [f"x{i}" for i in range(size)]
    mean = f"({' + '.join(names)})/{size}"
    own = spread * scipy.stats.zscore(rng.normal(size=size))
    drift = {x: f"-{x} + tanh({mean}/2 + a + ({h}))" for x, h in zip(names, own, strict=True)}
    start = dict.fromkeys(names, 0.1)
    return System(drift, parameters={"a": Uniform(0.1, 0.5)}, initial=start), {"m": mean}


def test_units_that_are_alike_are_their_mean_field_and_others_are_not() -> None:
    """Amari (Kybernetik 14, 1974): the mean of units coupled by their mean."""
    field = SCM({"m": "tanh(m/2 + a)"}, parameters={"a": Uniform(0.1, 0.5)})
    alike, mean = network(4, 0)
    every = [Hold(f"x{i}", 0.1 * i) for i in range(4)]
    square = Abstraction(alike, field, mean, "from tau")
    assert square.is_exact([every, SetParameter(a=0.4)], n=20)
    one = square.is_exact([Hold("x0", 0.3)], n=20, perturb=False)
    assert square.image(Hold("x0", 0.3)) == ()
    assert [row.holds for row in one.rows] == [True, False]  # one unit is not nothing
    errors = []
    for spread in (0.1, 0.2):
        unlike, mean = network(4, spread)
        errors.append(Abstraction(unlike, field, mean).errors([[]], n=60).errors[0].value)
    assert errors[1] / errors[0] == pytest.approx(4, rel=0.15)  # half tanh'' times the variance


def test_a_market_in_equilibrium_is_exact_but_for_whose_quantity_a_held_price_moves() -> None:
    """At rest demand is supply; under a price control they differ, and tau has to say which."""
    numbers = {"a": Normal(10, 1), "b": 1, "c": Normal(1, 0.5), "d": 0.5}
    market = System(
        {"p": "r*(D - S)"}, parameters={**numbers, "r": 0.3}, initial={"p": 1},
        algebraic={"D": "a - b*p", "S": "c + d*p"},
    )  # fmt: skip
    sold = SCM({"p": "(a - c)/(b + d)", "Q": "a - b*p"}, parameters=numbers)
    by_demand = Abstraction(market, sold, {"p": "p", "Q": "D"})
    assert by_demand.is_exact([Hold("p", 3), SetParameter(a=12)], n=20)
    by_supply = Abstraction(market, sold, {"p": "p", "Q": "S"}).is_exact([Hold("p", 3)], n=20)
    assert [row.holds for row in by_supply.rows] == [True, False]
    with pytest.raises(InvalidValue, match="r = 3 is undefined: the causal model has no `r`; lea"):
        by_demand.commutes([SetParameter(r=3)])


# Noise.


def test_common_noise_gives_the_covariance_of_lyapunov_s_equation() -> None:
    """Two states share a source of noise: no model with noise of its own per equation has it."""
    low = System(
        {"x": "-x + 0.5*y", "y": "e - 2*y"}, parameters={"e": 1}, initial={"x": 0, "y": 0},
        noise={("x", "W"): 0.6, ("y", "W"): 0.8, ("y", "V"): 0.3},
    )  # fmt: skip
    flow, load = np.array([[-1, 0.5], [0, -2]]), np.array([[0.6, 0], [0.8, 0.3]])
    cov = scipy.linalg.solve_continuous_lyapunov(flow, -load @ load.T)
    root, noise = np.linalg.cholesky(cov), {"a": Normal(0, 1), "b": Normal(0, 1)}
    law = SCM({"x": f"1/4 + {root[0, 0]}*a", "y": f"1/2 + {root[1, 0]}*a + {root[1, 1]}*b"}, noise)
    right = Abstraction(low, law).commutes([], n=500)
    assert right.all_agree, right
    apart = SCM({"y": f"1/2 + {cov[1, 1] ** 0.5}*b", "x": f"y/2 + {0.18**0.5}*a"}, noise)
    found = Abstraction(low, apart).commutes([Hold("y", 1)], n=500)
    assert [row.agree for row in found.rows] == [False, True]  # dW drives both
    assert "are correlated by" in found.rows[0].why


@pytest.mark.slow
def test_molecules_come_closer_to_their_rate_equation_as_their_number_grows() -> None:
    """Kurtz (J. Chem. Phys. 57, 1972): births and deaths in a volume V are Poisson(k V/g), so that
    the concentration is sqrt(k/(g V)) from its rate equation."""
    rate = SCM({"c": "k/g"}, parameters={"k": 2, "g": 1})
    for volume in (2, 8):
        low = System(
            {"X": "0"}, parameters={"k": 2, "g": 1, "V": volume}, initial={"X": 2 * volume},
            jumps={"birth": Jump("k*V", {"X": 1}), "death": Jump("g*X", {"X": -1})},
        )  # fmt: skip
        (one,) = Abstraction(low, rate, {"c": "X/V"}).errors([[]], n=200).errors
        assert one.interval[0] <= math.sqrt(2 / volume) <= one.interval[1]


# Composition.


def test_errors_of_two_coarse_grainings_bound_that_of_both() -> None:
    """Rischel & Weichwald (UAI 2021): errors of abstractions compose, as a triangle does."""
    low = SCM({f"x{i}": f"e{i}" for i in range(4)}, {f"e{i}": Uniform(0, 1) for i in range(4)})
    middle = SCM({"y0": "e + f + 0.1", "y1": "g + h"},
                 {name: Uniform(0, 1) for name in "efgh"})  # fmt: skip
    high = SCM({"z": "s"}, {"s": Normal(2, 1 / 3**0.5)})  # the sum of four by its two moments
    first = Abstraction(low, middle, {"y0": "x0 + x1", "y1": "x2 + x3"}, "from tau")
    second = Abstraction(middle, high, {"z": "y0 + y1"}, "from tau")
    do: list[Any] = [[], [Hold(f"x{i}", 0.5) for i in range(4)]]
    bound = first.error_bound(second, do)
    assert bound.lipschitz == pytest.approx(math.sqrt(2))
    for row in bound.rows:
        assert row.error.value <= row.bound
    assert bound.rows[0].first.value == pytest.approx(0.1, abs=0.05)
    assert bound.rows[1].bound == bound.rows[1].error.value == 0


def test_a_bound_by_samples_holds_where_all_three_laws_are_the_same() -> None:
    """By chance the errors come out as 0, 0 and more than that: the bound is at upper ends."""
    models = [SCM({v: e}, {e: Uniform(0, 1)}) for v, e in (("x", "e"), ("y", "f"), ("z", "g"))]
    first = Abstraction(models[0], models[1], {"y": "x"})
    second = Abstraction(models[1], models[2], {"z": "y"})
    for seed in range(20):
        (row,) = first.error_bound(second, [[]], n=200, seed=seed).rows
        assert row.error.value <= row.bound


def test_the_energy_at_rest_reads_a_random_stiffness_and_nothing_is_still_nothing() -> None:
    """Bongers & Mooij (2018): parameters drawn once; at rest E = F^2/(2 k), draw by draw."""
    random = {"k": Uniform(1, 2), "F": Normal(1, 0.3)}
    spring = System(
        {"q": "p", "p": "F - k*q - c*p"}, parameters={**random, "c": Uniform(0.3, 1)},
        initial={"q": Normal(0, 1), "p": 0}, held_together=[("q", "p")],
    )  # fmt: skip
    energy = SCM({"E": "F**2/(2*k)"}, parameters=random)
    square = Abstraction(spring, energy, {"E": "k*q**2/2 + p**2/2"}, "from tau")
    assert square.image([]) == ()
    assert square.is_exact([SetParameter(F=3)], n=20)
    assert "tau reads `k`" in str(square.image(Hold("q", 1)))
    assert isinstance(square.image(SetParameter(k=2)), Undefined)  # tau itself would change
