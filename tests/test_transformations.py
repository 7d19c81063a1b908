"""Transformations between models: the examples of the literature, with their known answers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from physcm.abstraction import Abstraction, FromTau, Undefined, equilibrate
from physcm.mechanism import (
    Bernoulli,
    Hold,
    InvalidValue,
    Normal,
    SetParameter,
    Uniform,
    UnknownVariable,
    Unsupported,
)
from physcm.mechanism.interventions import Interventions
from physcm.scm import SCM, LinearSCM
from physcm.sim import System, zoo

Floats = NDArray[np.float64]

# Cholesterol: LDL and HDL do opposite things, and their sum is no cause (Spirtes & Scheines, 2004).
B1, B2 = 2.0, 3.0
LIPIDS = SCM(
    {"LDL": "e", "HDL": "f", "risk": f"{B1}*LDL - {B2}*HDL + g"},
    {"e": Normal(3, 1), "f": Normal(1, 0.5), "g": Normal(0, 1)},
)
# Regression of risk on total: as good as it gets, and exact for observations.
SLOPE = (B1 * 1 - B2 * 0.25) / 1.25
TOTAL = SCM(
    {"total": "a", "risk": f"3 + {SLOPE}*(total - 4) + b"},
    {"a": Normal(4, 1.25**0.5), "b": Normal(0, (4 * 1 + 9 * 0.25 + 1 - SLOPE**2 * 1.25) ** 0.5)},
)
CHOLESTEROL = Abstraction(LIPIDS, TOTAL, {"total": "LDL + HDL", "risk": "risk"}, "from tau")


def diets(*pairs: tuple[float, float]) -> list[list[Hold]]:
    return [[Hold("LDL", x), Hold("HDL", y)] for x, y in pairs]


def values(do: Interventions) -> dict[str, float]:
    return {one.name: one.value for one in do if isinstance(one, Hold)}


def test_total_cholesterol_is_not_exact_and_the_diets_that_collide_are_named() -> None:
    found = CHOLESTEROL.is_exact(diets((1, 2), (2, 1), (0, 5)), perturb=False)
    assert not found
    assert found.rows[0].holds  # observations agree
    assert found.sampled == ""
    (pair,) = found.collisions
    assert str(pair) == (
        "do(LDL = 1, HDL = 2) and do(LDL = 2, HDL = 1) are both do(total = 3) above, but the mean "
        f"of `risk` {B1 * 1 - B2 * 2:g} against {B1 * 2 - B2 * 1:g}"
    )
    assert "No omega makes tau exact" in str(found)


def test_no_omega_makes_total_cholesterol_exact() -> None:
    found = CHOLESTEROL.find_omega(diets((1, 2), (2, 1)), [Hold("total", 3), Hold("total", 4)])
    assert not found
    assert found.candidates[0] == ((),)
    assert "do(LDL = 1, HDL = 2) is none of the 3 above" in str(found)
    with pytest.raises(InvalidValue, match="no omega makes tau exact.*try other interventions"):
        _ = found.omega


def test_agreement_on_observations_alone_never_passes() -> None:
    with pytest.raises(InvalidValue, match="agreement on observations alone"):
        CHOLESTEROL.is_exact([])
    # Neither does a family that happens to agree: the diet at which the regression line is right.
    at = 4.0
    x = (3 + SLOPE * (at - 4) + B2 * at) / (B1 + B2)
    mean_only = SCM(
        {"total": "a", "risk": f"3 + {SLOPE}*(total - 4) + b"},
        {"a": Normal(4, 1.25**0.5), "b": Normal(0, 1)},
    )
    lucky = Abstraction(LIPIDS, mean_only, CHOLESTEROL.tau, "from tau")
    found = lucky.is_exact(diets((x, at - x)))
    assert found.rows[1].holds
    assert found.perturbations is not None
    assert {one.variable for one in found.perturbations.relevant} == {"LDL", "HDL"}
    assert not found


def test_the_effect_of_what_total_cholesterol_averages_out_is_b1_plus_b2_per_unit() -> None:
    for one in CHOLESTEROL.dropped().relevant:
        before, after = values(one.first), values(one.second)
        assert sum(before.values()) == pytest.approx(sum(after.values()), abs=1e-12)
        assert one.fixed["total"] == pytest.approx(sum(before.values()))
        assert one.output == "risk"
        assert one.shift == pytest.approx((B1 + B2) * (after["LDL"] - before["LDL"]))
        assert one.relative == pytest.approx(one.size / math.sqrt(4 + 9 / 4 + 1), rel=0.1)


def test_with_equal_and_opposite_effects_total_cholesterol_is_exact() -> None:
    """With b1 = -b2 only the sum matters."""
    low = SCM(
        {"LDL": "e", "HDL": "f", "risk": "2*LDL + 2*HDL + g"},
        {"e": Normal(3, 1), "f": Normal(1, 1), "g": Normal(0, 1)},
    )
    high = SCM({"total": "a", "risk": "2*total + b"}, {"a": Normal(4, 2**0.5), "b": Normal(0, 1)})
    found = Abstraction(low, high, CHOLESTEROL.tau, "from tau").is_exact(diets((1, 2), (2, 1)))
    assert found, str(found)
    assert "Moving LDL, HDL with tau's image fixed moves nothing above" in found.verdict
    assert found.rows[1].why == "mean and covariance are equal, exactly"
    assert "up to rounding" in found.rows[0].why  # 2**0.5 is no decimal


# Micro and macro (Rubenstein et al., UAI 2017): Z = A W + F, means of W and Z.
N, M = 3, 2


def micro_macro(a: Floats) -> Abstraction:
    low = LinearSCM(
        {f"w{i}": {} for i in range(N)}
        | {f"z{j}": {f"w{i}": float(a[j, i]) for i in range(N)} for j in range(M)},
        {f"w{i}": Normal(i, 1) for i in range(N)} | {f"z{j}": Normal(j, 2) for j in range(M)},
    )
    total = float(a[:, 0].sum())
    high = SCM(
        {"W": "u", "Z": f"({total}/{M})*{N}*W + v"},
        {"u": Normal((N - 1) / 2, N**-0.5), "v": Normal((M - 1) / 2, 2 * M**-0.5)},
    )
    tau = {
        "W": f"({' + '.join(f'w{i}' for i in range(N))})/{N}",
        "Z": f"({' + '.join(f'z{j}' for j in range(M))})/{M}",
    }
    return Abstraction(low, high, tau, "from tau")


EQUAL = np.array([[1.0, 0.5, -1.0], [0.5, 1.0, 2.5]])
UNEQUAL = np.array([[1.0, 0.5, -1.0], [0.5, 1.0, 3.0]])
ALL_W = [[Hold(f"w{i}", v) for i, v in enumerate(values)] for values in ((1, 2, 3), (3, 3, 0))]


def test_means_are_exact_for_interventions_on_all_w_if_columns_have_one_sum() -> None:
    square = micro_macro(EQUAL)
    assert square.is_exact(ALL_W), str(square.is_exact(ALL_W))
    assert square.linear_criterion()
    assert square.is_constructive
    assert square.image(ALL_W[0]) == (Hold("W", 2.0),)


def test_means_are_not_exact_if_columns_have_different_sums() -> None:
    square = micro_macro(UNEQUAL)
    found = square.is_exact(ALL_W)
    assert not found
    assert [pair.image for pair in found.collisions] == [(Hold("W", 2.0),)]
    assert {one.variable for one in square.dropped().relevant} == {"w0", "w1", "w2"}
    criterion = square.linear_criterion()
    assert not criterion
    assert "the equation of `Z` reads the noise of `w2` by 0.25, which holding `W`" in str(
        criterion
    )


def test_holding_one_w_means_nothing_above_and_is_found_not_to_be_nothing() -> None:
    square = micro_macro(EQUAL)
    assert square.image(Hold("w0", 5)) == ()
    found = square.is_exact([Hold("w0", 5)], perturb=False)
    assert [row.holds for row in found.rows] == [True, False]


# Time series and equilibrium (Rubenstein et al., UAI 2017): X(t+1) = A X(t) + E.
A = np.array([[0.5, 0.2], [-0.3, 0.25]])
MEANS = np.array([1.0, -1.0])


def unrolled(steps: int) -> Abstraction:
    """The model of finitely many steps from 0, one draw of E, and that of its equilibrium."""
    mechanisms = {f"x{i}_0": "0" for i in range(2)}
    for t in range(steps):
        for i in range(2):
            terms = " + ".join(f"({A[i, j]})*x{j}_{t}" for j in range(2))
            mechanisms[f"x{i}_{t + 1}"] = f"{terms} + e{i}"
    noise = {f"e{i}": Normal(MEANS[i], 1) for i in range(2)}
    high = SCM(
        {f"y{i}": f"(({A[i, 1 - i]})*y{1 - i} + e{i})/(1 - {A[i, i]})" for i in range(2)}, noise
    )

    def omega(do: Interventions) -> list[Hold]:
        return [Hold(f"y{k[1]}", x) for k, x in values(do).items() if k.endswith("_0")]

    return Abstraction(
        SCM(mechanisms, noise), high, {f"y{i}": f"x{i}_{steps}" for i in range(2)}, omega
    )


def sustained(steps: int, held: dict[int, float]) -> list[Hold]:
    return [Hold(f"x{i}_{t}", x) for i, x in held.items() for t in range(steps + 1)]


@pytest.mark.parametrize("held", [{}, {0: 2.0}, {1: -1.0}, {0: 1.0, 1: 3.0}])
def test_the_error_of_a_finite_time_series_is_the_closed_form_and_dies_out(
    held: dict[int, float],
) -> None:
    errors = []
    for steps in (3, 6):
        free = [i for i in range(2) if i not in held]
        found = unrolled(steps).errors([sustained(steps, held)])
        own = A[np.ix_(free, free)]
        fixed = np.array([held.get(i, 0.0) for i in range(2)])
        drive = MEANS[free] + A[free] @ np.where(np.isin([0, 1], free), 0, fixed)
        maps = [sum(np.linalg.matrix_power(own, k) for k in range(steps)) @ np.eye(len(free)),
                np.linalg.inv(np.eye(len(free)) - own)]  # fmt: skip
        means = [m @ drive for m in maps]
        roots = [np.real(_root(m @ m.T)) for m in maps]
        cross = np.trace(_root(roots[0] @ maps[1] @ maps[1].T @ roots[0])) if free else 0.0
        bures = sum(np.trace(m @ m.T) for m in maps) - 2 * cross
        expected = math.sqrt(max(0.0, float(((means[0] - means[1]) ** 2).sum() + bures)))
        assert found.errors[0].value == pytest.approx(expected, abs=1e-7)
        errors.append(found.errors[0].value)
    assert errors[1] <= 0.5 * errors[0]


def _root(matrix: Floats) -> Floats:
    import scipy.linalg

    return np.real(scipy.linalg.sqrtm(matrix)) if matrix.size else matrix


def test_the_long_run_of_a_time_series_is_exact_under_every_sustained_do() -> None:
    """The equilibrium of X(t+1) = A X(t) + E is that of X' = A X + E - X."""
    low = System(
        {f"x{i}": f"({A[i, 0]})*x0 + ({A[i, 1]})*x1 + e{i} - x{i}" for i in range(2)},
        parameters={f"e{i}": Normal(MEANS[i], 1) for i in range(2)},
        initial={"x0": 0, "x1": 0},
    )
    high = SCM(
        {f"x{i}": f"(({A[i, 1 - i]})*x{1 - i} + e{i})/(1 - {A[i, i]})" for i in range(2)},
        parameters={f"e{i}": Normal(MEANS[i], 1) for i in range(2)},
    )
    found = Abstraction(low, high).is_exact([Hold("x0", 2), Hold("x1", -1)], n=20, perturb=False)
    assert found, str(found)
    assert found.sampled


# Voting (after Beckers & Halpern, AAAI 2019): ballots and what they come to.
VOTERS = [f"v{i}" for i in range(4)]
BALLOTS = SCM({v: f"u{v}" for v in VOTERS}, {f"u{v}": Bernoulli(0.5) for v in VOTERS})
COUNT = {"ayes": " + ".join(VOTERS)}
COUNTED = SCM({"ayes": " + ".join(f"u{v}" for v in VOTERS)}, dict(BALLOTS.exogenous))
RANGES = dict.fromkeys(VOTERS, (0, 1))


def test_one_ballot_is_no_intervention_on_the_count_and_all_ballots_are() -> None:
    square = Abstraction(BALLOTS, COUNTED, COUNT, FromTau(values=RANGES))
    one = square.image(Hold("v0", 1))
    assert isinstance(one, Undefined)
    assert one.reason == "with v0 = 1 the state ayes = 0 cannot come about"
    assert square.image([Hold(v, k % 2) for k, v in enumerate(VOTERS)]) == (Hold("ayes", 2.0),)
    assert square.image([]) == ()
    with pytest.raises(InvalidValue, match="is undefined: with v0 = 1 .*; leave it out"):
        square.commutes([Hold("v0", 1)])


def test_a_ballot_is_an_intervention_on_its_own_group_of_voters_only() -> None:
    groups = {"left": "v0 + v1", "right": "v2 + v3"}
    high = SCM({"left": "uv0 + uv1", "right": "uv2 + uv3"}, dict(BALLOTS.exogenous))
    square = Abstraction(BALLOTS, high, groups, FromTau(values=RANGES))
    left = [Hold("v0", 1), Hold("v1", 1)]
    assert square.image(left) == (Hold("left", 2.0),)
    assert square.is_constructive
    family = [[], *([Hold("v0", a), Hold("v1", b)] for a, b in product((0, 1), repeat=2))]
    family += [[*do, Hold("v2", 0), Hold("v3", 1)] for do in family]
    wanted = [[], *([Hold("left", a)] for a in range(3)), [Hold("right", 1)]]
    assert square.check_omega(family, wanted)
    missing = square.check_omega(family, [[Hold("right", 2)]])
    assert str(missing) == "no intervention below is do(right = 2) above"
    assert square.is_exact(family[1:], n=400, perturb=False)


def test_the_majority_drops_who_won_by_how_much() -> None:
    """What follows depends on the count, and the majority alone does not say it."""
    low = SCM({**{v: f"u{v}" for v in VOTERS}, "tax": " + ".join(VOTERS)}, dict(BALLOTS.exogenous))
    high = SCM({"won": "a", "tax": "1 + 2*won"}, {"a": Bernoulli(5 / 16)})

    def tau(values: Mapping[str, Floats]) -> dict[str, Floats]:
        count = sum(values[v] for v in VOTERS)
        return {"won": (np.asarray(count) > 2).astype(float), "tax": values["tax"]}

    found = Abstraction(low, high, tau).dropped()
    assert {one.variable for one in found.relevant} == {*VOTERS}
    assert all(abs(one.shift) >= 1 for one in found.relevant)
    assert all({*values(one.second).values()} <= {0, 1} for one in found.relevant)


# Dropped variables.


def test_a_mediator_that_tau_drops_is_found_with_its_effect() -> None:
    low = SCM({"x": "e", "d": "2*x", "y": "3*d + f"}, {"e": Normal(0, 1), "f": Normal(0, 1)})
    high = SCM({"x": "e", "y": "6*x + f"}, {"e": Normal(0, 1), "f": Normal(0, 1)})
    square = Abstraction(low, high, omega="from tau")
    assert square.is_exact([Hold("x", 1)], perturb=False)
    found = square.is_exact([Hold("x", 1)])
    assert not found
    assert "Not exact beyond the interventions given" in found.verdict
    (one,) = square.dropped().relevant
    before, after = values(one.first), values(one.second)
    assert (one.variable, one.output) == ("d", "y")
    assert one.shift == pytest.approx(3 * (after["d"] - before["d"]))
    assert square.image(Hold("d", 1)) == ()


def test_a_variable_without_effect_may_be_dropped() -> None:
    low = SCM({"x": "e", "leaf": "2*x", "y": "3*x"}, {"e": Normal(0, 1)})
    high = SCM({"x": "e", "y": "3*x"}, {"e": Normal(0, 1)})
    found = Abstraction(low, high).dropped()
    assert (found.relevant, found.tested, found.unmoved) == ((), ("leaf",), ("x", "y"))


def test_what_a_nonlinear_tau_averages_out_is_found_on_its_level_set() -> None:
    low = SCM({"a": "1 + e**2", "b": "2 + f**2", "y": "a"}, {"e": Normal(0, 1), "f": Normal(0, 1)})
    square = Abstraction(low, SCM({"p": "1", "y": "1"}), {"p": "a*b", "y": "y"})
    for one in square.dropped().relevant:
        before, after = values(one.first), values(one.second)
        assert before["a"] * before["b"] == pytest.approx(after["a"] * after["b"], rel=1e-8)
        assert one.shift == pytest.approx(after["a"] - before["a"])
    assert {one.variable for one in square.dropped().relevant} == {"a", "b"}


def test_what_a_stochastic_system_drops_is_found_in_law() -> None:
    low = System(
        {"d": "-d", "y": "d - y", "leaf": "y - leaf"},
        initial={"d": 0, "y": 0, "leaf": 0},
        noise={"d": 1, "y": 0.5, "leaf": 1},
    )
    found = Abstraction(low, SCM({"y": "e"}, {"e": Normal(0, 1)})).dropped(n=300)
    assert [one.variable for one in found.relevant] == ["d"]
    assert {*found.tested} == {"d", "leaf"}


# omega from tau: ranges, ties, what tau does not map.


def test_a_hold_that_ties_variables_above_is_undefined() -> None:
    low = SCM({"x": "e", "y": "f"}, {"e": Normal(0, 1), "f": Normal(0, 1)})
    high = SCM({"X": "e", "S": "X + f"}, dict(low.exogenous))
    square = Abstraction(low, high, {"X": "x", "S": "x + y"}, "from tau")
    assert square.image(Hold("x", 2)) == (Hold("X", 2.0),)
    tied = square.image(Hold("y", 2))
    assert isinstance(tied, Undefined)
    assert "1 degrees of freedom of 2" in tied.reason
    assert not square.is_constructive


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (SetParameter(k=2), "holds no variable at a number"),
        (Hold("x", "2*y"), "holds no variable at a number"),
        (Hold("z", 1), "`z` is no variable of the model below"),
    ],
)
def test_interventions_that_tau_does_not_map_are_undefined(do: Hold, reason: str) -> None:
    low = SCM({"x": "1", "y": "k"}, parameters={"k": 1})
    image = Abstraction(low, SCM({"S": "2"}), {"S": "x + y"}, "from tau").image(do)
    assert isinstance(image, Undefined)
    assert reason in image.reason


def test_an_amount_cannot_bring_a_total_below_itself() -> None:
    low = System({"x": "1 - x", "y": "1 - y"}, initial={"x": 0, "y": 0},
                 bounds={"x": (0, np.inf), "y": (0, np.inf)})  # fmt: skip
    square = Abstraction(low, SCM({"S": "2"}), {"S": "x + y"}, "from tau")
    image = square.image(Hold("x", 1))
    assert (
        str(image) == "undefined: with x = 1, `S` goes over [1, inf] and not over all of [0, inf]"
    )
    assert square.image([Hold("x", 1), Hold("y", 2)]) == (Hold("S", 3.0),)


def test_a_product_is_fixed_by_a_zero_factor() -> None:
    low = SCM({"x": "e", "y": "f"}, {"e": Normal(0, 1), "f": Normal(0, 1)})
    square = Abstraction(low, SCM({"P": "0"}), {"P": "x*y"}, "from tau")
    assert square.image(Hold("x", 0)) == (Hold("P", 0.0),)
    assert square.image(Hold("x", 2)) == ()
    vague = Abstraction(low, SCM({"P": "0"}), {"P": "x**2 + y**2"}, "from tau").image(Hold("x", 2))
    assert "cannot be decided; give finite ranges" in str(vague)


def test_ranges_of_what_is_no_variable_are_refused() -> None:
    rule = FromTau(values={"w": (0, 1)})
    with pytest.raises(InvalidValue, match="gives `w` the values `\\[0, 1\\]`; give variables"):
        Abstraction(BALLOTS, COUNTED, COUNT, rule).image(Hold("v0", 1))


# omega given, its order and its reach.


def test_an_omega_that_does_less_for_more_is_named() -> None:
    both = [Hold("LDL", 1), Hold("HDL", 2)]
    square = Abstraction(
        LIPIDS, TOTAL, CHOLESTEROL.tau, [(Hold("LDL", 1), Hold("total", 1)), (both, [])]
    )
    found = square.check_omega([Hold("LDL", 1), both], [Hold("total", 1), Hold("total", 7)])
    assert not found
    assert (found.preserves_order, found.is_surjective) == (False, False)
    assert str(found).splitlines() == [
        "omega breaks the order: do(LDL = 1) is part of do(LDL = 1, HDL = 2), but do(total = 1) is "
        "not part of nothing",
        "no intervention below is do(total = 7) above",
    ]


def test_a_mapping_is_an_omega_and_what_it_does_not_list_is_undefined() -> None:
    square = Abstraction(LIPIDS, TOTAL, CHOLESTEROL.tau, {Hold("LDL", 1): Hold("total", 1)})
    assert square.image(Hold("LDL", 1.0)) == (Hold("total", 1),)
    assert "omega lists nothing for do(LDL = 2)" in str(square.image(Hold("LDL", 2)))
    assert square.image([]) == ()
    found = square.is_exact([Hold("LDL", 2)], perturb=False)
    assert found.rows[1].why == "there is nothing above to compare with"


def test_an_omega_that_is_none_is_refused() -> None:
    square = Abstraction(LIPIDS, TOTAL, CHOLESTEROL.tau, [Hold("LDL", 1)])  # type: ignore[list-item]
    with pytest.raises(InvalidValue, match="give a function, a mapping or a list of pairs"):
        square.image(Hold("LDL", 1))


def test_omega_is_found_among_finitely_many_interventions() -> None:
    square = micro_macro(EQUAL)
    above = [Hold("W", 2), Hold("W", 3)]
    found = square.find_omega(ALL_W, above)
    assert found, str(found)
    assert found.omega[1:] == [(tuple(ALL_W[0]), (above[0],)), (tuple(ALL_W[1]), (above[0],))]
    assert found.check.unreached == ((above[1],),) or found.check.is_surjective
    again = Abstraction(square.low, square.high, square.tau, found.omega)
    assert again.is_exact(ALL_W)


def test_omega_is_found_by_samples_where_laws_are_not_normal() -> None:
    low = SCM({"x": "e", "y": "f"}, {"e": Uniform(0, 1), "f": Uniform(0, 1)})
    high = SCM({"s": "e + f"}, dict(low.exogenous))
    found = Abstraction(low, high, {"s": "x + y"}).find_omega(
        [[Hold("x", 1), Hold("y", 1)], Hold("x", 0.5)], [Hold("s", 2), Hold("s", "f + 1/2")], n=1500
    )
    assert found, str(found)
    assert [to for _, to in found.omega] == [(), (Hold("s", 2),), (Hold("s", "f + 1/2"),)]
    assert "is not normal" in found.sampled


# Exactness, decided which way.


def test_thirds_are_equal_exactly_where_they_are_written_as_fractions() -> None:
    low = SCM({"x": "e", "y": "x/3"}, {"e": Normal(1, 3)})
    high = SCM({"y": "e/3"}, low.exogenous)
    found = Abstraction(low, high, omega=lambda do: ()).is_exact([Hold("x", 1)], perturb=False)
    assert found.rows[0].why == "mean and covariance are equal, exactly"
    assert not found.rows[1].holds


def test_a_tiny_difference_of_a_large_mean_s_spread_is_a_difference() -> None:
    low = SCM({"y": "e"}, {"e": Normal(1e7, 1)})
    high = SCM({"y": "e"}, {"e": Normal(1e7, 1.0001)})
    found = Abstraction(low, high).is_exact([Hold("y", 1)], perturb=False)
    assert [row.holds for row in found.rows] == [False, True]


def test_laws_that_are_not_normal_are_compared_by_samples_and_it_is_said() -> None:
    low = SCM({"x": "e", "y": "x**2"}, {"e": Normal(0, 1)})
    square = Abstraction(low, SCM({"x": "e", "y": "x**2"}, {"e": Normal(0, 1)}))
    found = square.is_exact([Hold("x", 2)], n=100)
    assert found
    assert "by samples" in found.verdict
    assert "`-x**2 + y` is not linear" in str(found)


def test_blocks_that_overlap_have_no_linear_criterion() -> None:
    low = SCM({"x": "e", "y": "f"}, {"e": Normal(0, 1), "f": Normal(0, 1)})
    high = SCM({"X": "e", "S": "X + f"}, dict(low.exogenous))
    with pytest.raises(Unsupported, match="`X` and `S` read the same variable below"):
        Abstraction(low, high, {"X": "x", "S": "x + y"}).linear_criterion()


def test_exactness_needs_an_omega_in_order_and_onto_what_it_has_to_reach() -> None:
    low = SCM({"x": "0", "y": "0"})
    both, one = (Hold("x", 0), Hold("y", 0)), (Hold("x", 0),)
    square = Abstraction(low, low, omega=[(one, Hold("y", 0)), (both, Hold("x", 0))])
    found = square.is_exact([one, both], perturb=False)
    assert all(row.holds for row in found.rows)
    assert not found
    assert "omega breaks the order: do(x = 0) is part of do(x = 0, y = 0)" in found.verdict
    same = Abstraction(low, low)
    assert same.is_exact([one, both], perturb=False, above=[both])
    missed = same.is_exact([one], perturb=False, above=[both])
    assert "no intervention below is do(x = 0, y = 0) above" in missed.verdict


# Systems from the zoo.


def test_positions_are_exact_and_velocities_follow_them() -> None:
    springs = zoo.load("coupled_oscillators")
    first = springs.states[0]
    found = Abstraction(springs, equilibrate(springs)).is_exact([Hold(first, 1.0)])
    assert found, str(found)
    assert "tau drops nothing" in found.verdict


def test_a_constraints_model_has_no_error_where_it_commutes() -> None:
    enzyme = zoo.load("basic_enzyme")
    found = Abstraction(enzyme, equilibrate(enzyme)).errors([Hold("S", 2), Hold("E", 0.3)])
    assert found.largest.value == 0
    assert found.table.error.values.tolist() == [0, 0]
    assert found.table.intervention.values.tolist() == ["do(S = 2)", "do(E = 0.3)"]


def test_the_substrate_that_an_abstraction_to_the_product_drops_is_found() -> None:
    """P = k2 C/k3 with C = k1 s n/(k1 s + km1 + k2) where S is held at s."""
    enzyme = zoo.load("basic_enzyme")
    found = Abstraction(enzyme, SCM({"P": "1"}), {"P": "P"}).dropped(["S"])
    (one,) = found.relevant
    k = {name: value for name, value in enzyme.parameters.items() if isinstance(value, float)}
    total = k["e0"] + k["c0"]

    def product(s: float) -> float:
        return k["k2"] / k["k3"] * k["k1"] * s * total / (k["k1"] * s + k["km1"] + k["k2"])

    before, after = values(one.first)["S"], values(one.second)["S"]
    assert one.shift == pytest.approx(product(after) - product(before), rel=1e-5)
    assert "otherwise it is constant" in str(one)


def test_what_is_not_below_cannot_be_perturbed() -> None:
    with pytest.raises(
        UnknownVariable, match="`HLD` cannot be held on its own below; did you mean `LDL`"
    ):
        CHOLESTEROL.dropped(["HLD"])


def test_sides_that_are_no_models_are_refused_at_once() -> None:
    with pytest.raises(InvalidValue, match="`low` is a `int`; give the System or the finer SCM"):
        Abstraction(3, TOTAL)  # type: ignore[arg-type]


@pytest.mark.parametrize("omega", [5, "from taus", [1, 2], [(Hold("x", 1),)]])
def test_an_omega_that_is_no_map_is_an_error(omega: Any) -> None:
    model = SCM({"x": "1"})
    with pytest.raises(InvalidValue, match=re.escape(f"omega is `{omega!r}`; give a function")):
        Abstraction(model, model, omega=omega).commutes([Hold("x", 1)], n=60)


def test_what_the_causal_model_does_not_name_is_undefined_unless_omega_says_what_it_is() -> None:
    square = Abstraction(LIPIDS, TOTAL, CHOLESTEROL.tau)
    assert str(square.image(Hold("LDL", 2))) == "undefined: the causal model has no `LDL`"
    assert square.image(Hold("risk", 2)) == (Hold("risk", 2),)


def test_a_parameter_that_both_models_have_is_set_in_both_unless_tau_reads_it() -> None:
    low = SCM({"x": "k*e", "y": "f"}, {"e": Normal(0, 1), "f": Normal(0, 1)}, {"k": 1, "c": 1})
    high = SCM({"S": "(k**2 + 1)**0.5*u"}, {"u": Normal(0, 1)}, {"k": 1, "c": 1})
    square = Abstraction(low, high, {"S": "x + y + c - 1"}, "from tau")
    assert square.image([Hold("x", 1), SetParameter(k=2)]) == (SetParameter(k=2),)
    assert square.is_exact([SetParameter(k=2)], perturb=False)
    assert isinstance(square.image(SetParameter(c=2)), Undefined)
