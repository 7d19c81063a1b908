"""Plans of least cost: against linear programs and closed forms, and what becomes of them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from physcm.abstraction import commutes, equilibrium_model
from physcm.abstraction.planning import Action, check, plan
from physcm.abstraction.planning.least import least
from physcm.mechanism import Normal, SetParameter
from physcm.mechanism.errors import (
    Infeasible,
    InvalidValue,
    NotUnique,
    ParseError,
    PhyscmError,
    UnknownVariable,
    Unsupported,
)
from physcm.scm import SCM, LinearSCM
from physcm.sim import System, zoo

CHAIN = SCM({"x": "a", "y": "2*x + b"}, parameters={"a": 1, "b": 1})
TANK = System({"h": "q - k*h"}, parameters={"q": 1, "k": 0.5}, initial={"h": 0})
QUIET = zoo.load("fitzhugh_nagumo").do(SetParameter(I=0))


def program(effects, prices, bounds, box):
    """The least sum of prices times |u| with effects @ u >= bounds, by linear programming."""
    both = np.hstack([effects, -effects])
    ends = [(0, high) for _, high in box] + [(0, -low) for low, _ in box]
    return linprog([*prices, *prices], A_ub=-both, b_ub=-np.array(bounds), bounds=ends)


numbers = st.floats(-2, 2).map(lambda x: round(x, 2))
prices = st.floats(0.5, 3).map(lambda x: round(x, 2))


@settings(max_examples=30, deadline=None)
@given(st.lists(numbers, min_size=6, max_size=6), st.lists(prices, min_size=3, max_size=3),
       st.lists(numbers, min_size=2, max_size=2))  # fmt: skip
def test_the_optimum_is_that_of_the_linear_program(effects, costs, bounds):
    effects, box = np.array(effects).reshape(2, 3), [(-2.0, 2.0)] * 3

    def evaluate(u):
        return np.array(costs) @ np.abs(u), effects @ u - np.array(bounds)[:, np.newaxis]

    best, expected = least(evaluate, box, [0.0] * 3), program(effects, costs, bounds, box)
    if expected.status == 2:
        assert best.violation > 0
    else:
        assert best.violation == 0
        assert best.cost == pytest.approx(expected.fun, abs=1e-5)


@settings(max_examples=12, deadline=None)
@given(st.lists(numbers, min_size=4, max_size=4), st.lists(prices, min_size=2, max_size=2),
       st.lists(numbers, min_size=2, max_size=2))  # fmt: skip
def test_plans_of_a_linear_loop_cost_what_the_linear_program_says(loop, costs, bounds):
    coefficients = 0.2 * np.array([[0, loop[0]], [loop[1], 0]])
    inputs = np.array([[1, loop[2]], [loop[3], 1]])
    model = SCM(
        {
            "x": f"{coefficients[0, 1]}*y + a + {inputs[0, 1]}*b",
            "y": f"{coefficients[1, 0]}*x + {inputs[1, 0]}*a + b",
        },
        parameters={"a": 0, "b": 0},
    )
    actions = [Action(k, (-2, 2), cost=c) for k, c in zip("ab", costs, strict=True)]
    plans = plan(model, f"x >= {bounds[0]} and y >= {bounds[1]}", actions)
    effects = np.linalg.solve(np.eye(2) - coefficients, inputs)
    expected = program(effects, costs, bounds, [(-2, 2)] * 2)
    if expected.status == 2:
        assert not plans.plans
    else:  # one more action is worth it from a thousandth of the cost on
        assert -1e-5 <= plans.best.cost - expected.fun <= 1e-5 + 1e-3 * expected.fun
        done = model.do(*plans.best.interventions).sample(1)
        assert done.x[0] >= bounds[0] - 1e-5
        assert done.y[0] >= bounds[1] - 1e-5


@pytest.mark.parametrize(
    ("words", "signs"),
    [
        ("y between 2 and 3, x below 1", "2 <= y <= 3 and x < 1"),
        ("x above -1 and x + y between 2 and 3", "x > -1 and 2 <= x + y <= 3"),
        ("max(x, y) between 2 and 3, x <= 1", "2 <= max(x, y) <= 3 and x <= 1"),
    ],
)
def test_a_target_may_be_told_in_words(words: str, signs: str):
    assert plan(CHAIN, words).target == plan(CHAIN, signs).target


def test_the_multiplier_of_spending_is_that_of_samuelson():
    """Foundations of Economic Analysis (1947): Y = C + I + G, C = a + c Y, dY/dG = 1/(1 - c)."""
    income = SCM({"Y": "C + I + G", "C": "10 + 0.8*Y", "I": "5", "G": "3"})
    best = plan(income, "Y between 100 and 110", [Action("G", (0, 20))]).best
    assert best.cost == pytest.approx((100 - 90) * (1 - 0.8), rel=1e-6)


def test_quadratic_costs_share_the_work():
    model = SCM({"y": "a + b"}, parameters={"a": 0, "b": 0})
    a = Action("a", (-5, 5), cost="(value - natural)**2")
    b = Action("b", (-5, 5), cost="3*(value - natural)**2")
    best = plan(model, "y >= 2", [a, b]).best
    assert best.values == pytest.approx((1.5, 0.5), abs=1e-5)
    assert best.cost == pytest.approx(3, abs=1e-6)


def test_the_chemostat_is_planned_as_by_hand():
    # S = K D/(mu_max - D) and X = Y (S_in - S) at rest: S does not depend on the medium.
    model = equilibrium_model(zoo.load("chemostat"))
    medium = plan(model, "X >= 5.5", [Action("S_in", (5, 30))]).best
    assert medium.values == pytest.approx((11 + 2 * 0.3 / 0.7,))
    (unmet,) = plan(model, "S <= 0.8", [Action("S_in", (5, 30))]).unmet
    assert unmet.nearest == pytest.approx(2 * 0.3 / 0.7)


def test_a_fixed_cost_can_make_the_steeper_price_the_cheaper_plan():
    x, b = Action("x", (0, 9), fixed=2), Action("b", (0, 9))
    assert [str(p) for p in plan(CHAIN, "y >= 6", [x, b])] == ["b = 4", "do(x = 2.5)"]
    assert [p.cost for p in plan(CHAIN, "y >= 6", [x, b])] == pytest.approx([3, 3.5])


def test_several_actions_are_planned_where_one_is_not_enough():
    model = SCM({"x": "a", "y": "b"}, parameters={"a": 1, "b": 1})
    plans = plan(model, "x >= 2 and y >= 3", [Action("a", (0, 9)), Action("b", (0, 9))])
    assert [str(one) for one in plans] == ["a = 2, b = 3"]
    assert not plan(model, "x >= 2 and y >= 3", [Action("a", (0, 9))]).plans


def test_nothing_is_the_plan_where_nothing_need_be_done():
    plans = plan(CHAIN, "y <= 4", [Action("a", (0, 9))])
    assert [str(one) for one in plans] == ["nothing"]
    assert plans.best.cost == 0


def test_actions_unless_told_are_all_that_the_target_does_not_name():
    assert [str(one) for one in plan(CHAIN, "y >= 6")] == ["do(x = 2.5)", "a = 2.5", "b = 4"]


def test_actions_of_a_model_with_dynamics_are_holds_of_its_states():
    plans = plan(equilibrium_model(zoo.load("chemostat")), "X >= 5", most=1)
    assert {action.name for one in plans for action in one.actions} == {"S_in", "Y"}  # not growth


def test_a_total_can_be_set_where_a_plant_starts_and_not_where_it_runs():
    cascade = zoo.load("mapk_single")
    best = plan(equilibrium_model(cascade), "Erk_p >= 100", most=1).best
    assert str(best) == "N_Erk = 114"  # and not Erk(0), which is no action unless told
    assert best.check(cascade, from_rest=False).ok
    assert "has other conserved totals than the plant" in str(best.check(cascade))


def test_a_linear_model_is_planned_on_as_well():
    model = LinearSCM({"x": {}, "y": {"x": 2}})
    assert plan(model, "y >= 6", [Action("x", (0, 9))]).best.values == pytest.approx((3,))


def test_the_nearest_value_names_the_condition_that_cannot_be_met():
    plans = plan(CHAIN, "y >= 6 and x <= 5", [Action("x", (0, 2))])
    assert not plans.plans
    (unmet,) = plans.unmet
    assert unmet.condition == "y >= 6"
    assert unmet.nearest == pytest.approx(5)
    assert unmet.by == "do(x = 2)"
    with pytest.raises(Infeasible, match="y = 5 is the nearest, by do.x = 2.; give other actions"):
        _ = plans.best


def test_conditions_that_can_only_be_met_one_by_one_are_said_to_be_so():
    model = SCM({"x": "a", "y": "3 - a"}, parameters={"a": 1})
    plans = plan(model, "x >= 2 and y >= 2", [Action("a", (0, 9))])
    assert plans.together
    assert "though each condition can be on its own" in str(plans)
    assert [one.nearest for one in plans.unmet] == pytest.approx([1.5, 1.5], abs=1e-3)


def test_where_no_action_leaves_a_solution_there_is_no_nearest_value():
    model = SCM({"x": "x**2 == a"}, parameters={"a": -1})
    plans = plan(model, "x >= 1", [Action("a", (-2, -0.5))])
    assert "no action leaves a solution" in str(plans)


def test_the_target_is_met_by_as_many_samples_as_are_asked_for():
    model = SCM({"y": "a + e"}, {"e": Normal(0, 1)}, {"a": 0})
    best = plan(model, "y >= 0", [Action("a", (0, 9))], probability=0.9, n=400).best
    draws = np.sort(-model.sample(400).e.values)
    assert best.values[0] == pytest.approx(draws[359], abs=1e-6)  # 360 of 400 are met
    share, low, high = best.probability
    exact = 0.5 * math.erfc(-draws[359] / math.sqrt(2))
    assert low < exact < high
    assert low < share < high
    assert "of fresh samples" in str(plan(model, "y >= 0", [Action("a", (0, 9))]))


def switch_solutions(alpha):
    """The number of solutions of the toggle switch with alpha1 = 4, by the roots of a quintic."""
    square = np.polynomial.Polynomial([1, 0, 1]) ** 2
    u = np.polynomial.Polynomial([0, 1])
    roots = (u * (square + alpha**2) - 4 * square).roots()
    return int(((np.abs(roots.imag) < 1e-6) & (roots.real > 0)).sum())


def test_every_solution_has_to_meet_the_target_unless_one_is_enough():
    model = equilibrium_model(zoo.load("toggle_switch"))
    (sure,) = plan(model, "u >= 3", [Action("alpha2", (0.4, 4))])
    assert switch_solutions(sure.values[0] * (1 - 1e-4)) == 1  # the other state is gone
    assert switch_solutions(sure.values[0] * (1 + 1e-4)) == 3
    hopeful = plan(model, "u >= 3", [Action("alpha2", (0.4, 4))], every=False).best
    assert hopeful.cost == 0
    assert any("2 solutions, and not all" in caveat for caveat in hopeful.caveats)


def test_a_hopeful_plan_ends_in_the_other_attractor():
    switch = zoo.load("toggle_switch")
    hopeful = plan(equilibrium_model(switch), "v >= 3", [Action("alpha2", (3, 4))], every=False)
    done = hopeful.best.check(switch)
    assert not done.ok
    assert "attracts, but not from this start" in str(done)


def test_a_hold_needs_a_natural_value_to_count_costs_from():
    model = equilibrium_model(zoo.load("toggle_switch"))
    with pytest.raises(NotUnique, match="without any action `u` has no single value"):
        plan(model, "v >= 3", [Action("u", (0, 1))])
    best = plan(model, "v >= 3", [Action("u", (0, 1), natural=3)]).best
    assert best.values[0] == pytest.approx(math.sqrt(1 / 3), abs=1e-6)  # 4/(1 + u^2) = 3


def test_a_plan_can_rest_on_conserved_totals():
    enzyme = zoo.load("basic_enzyme")
    p = dict(enzyme.parameters)
    n = p["e0"] + p["c0"]
    best = plan(equilibrium_model(enzyme), f"C >= {0.8 * n}", [Action("S", (0, 100))]).best
    expected = 0.8 * n * (p["km1"] + p["k2"]) / (p["k1"] * 0.2 * n)
    assert best.values[0] == pytest.approx(expected, rel=1e-6)
    assert best.check(enzyme).ok


def test_a_model_with_dynamics_plans_no_unstable_rest():
    # The rest state of FitzHugh-Nagumo repels between v = -sqrt(1 - b phi) and its mirror image.
    plans = plan(equilibrium_model(QUIET), "-0.9 <= v <= 0.9", [Action("I", (0, 3))])
    edge = math.sqrt(1 - 0.8 * 0.08)
    assert min(abs(abs(one.nearest) - edge) for one in plans.unmet) < 1e-5


def test_what_keeps_a_state_of_rest_stable_is_planned_as_well():
    # With v = -0.5 the trace 1 - v^2 - b phi is 0 at phi = 0.75/0.8, the Hopf point.
    current, drug = Action("I", (0, 3)), Action("phi", (0.08, 2))
    model = equilibrium_model(QUIET)
    edge = plan(model, "-0.5 <= v <= 0", [current, drug]).best
    assert edge.values == pytest.approx((0.85 / 1.2, 0.9375), abs=1e-5)
    inside = "-0.5 <= v <= 0 and 1 - v**2 - b*phi <= -0.2"  # conditions read parameters as well
    best = plan(model, inside, [current, drug]).best
    assert best.values == pytest.approx((0.85 / 1.2, 1.1875), abs=1e-5)
    assert best.check(QUIET, "v < 1").ok


def test_a_naive_plan_fails_in_the_plant_and_the_report_says_why():
    naive = equilibrium_model(QUIET).replace(dynamics=None)
    best = plan(naive, "-0.5 <= v <= 0", [Action("I", (0, 3))]).best
    assert "does not tell whether this is stable" in best.caveats[0]
    done = best.check(QUIET)
    assert not done.ok
    assert "oscillates" in str(done)
    assert "an equilibrium that repels" in str(done)
    assert np.isnan(done.arrival).all()


def test_the_drain_of_the_bathtub_overflows_on_the_way():
    tub = zoo.load("filling_bathtub")
    best = plan(equilibrium_model(tub), "D <= 8", [Action("U_K", (0.1, 3))]).best
    assert best.values[0] == pytest.approx(5 / (0.3 * 0.2 * 9.8 * 8))
    done = best.check(tub, "O < 6 and D > 1")
    assert done.reached.all()
    assert not done.ok
    (breach,) = done.breaches
    assert breach.condition == "O < 6"
    assert breach.worst == pytest.approx(float(done.runs.O.max()) - 6)
    assert done.plot().get_axes()[1].get_ylabel() == "O"


def test_a_decay_arrives_when_the_exponential_says():
    best = plan(equilibrium_model(TANK), "h >= 6", [Action("q", (0, 9))]).best
    done = best.check(TANK, "h < 4")
    assert done.ok is False
    assert done.arrival[0] == pytest.approx(-math.log(0.02) / 0.5, rel=1e-4)
    (breach,) = done.breaches
    assert breach.first == pytest.approx(math.log(2) / 0.5, rel=1e-4)  # from 2 halfway to 6
    assert breach.worst == pytest.approx(2, rel=1e-5)
    assert done.cost == pytest.approx(2)


def test_an_overshoot_is_measured_as_the_closed_form_says():
    ratio = 0.2
    spring = System(
        {"x": "v", "v": "f - x - 2*z*v"}, parameters={"f": 1, "z": ratio}, initial={"x": 0, "v": 0}
    )
    best = plan(equilibrium_model(spring), "x >= 2", [Action("f", (0, 5))]).best
    done = best.check(spring, "x < 2.1")
    root = math.sqrt(1 - ratio**2)
    (breach,) = done.breaches
    assert breach.worst == pytest.approx(math.exp(-math.pi * ratio / root) - 0.1, abs=1e-3)
    assert breach.at == pytest.approx(math.pi / root, rel=2e-3)


def test_a_plant_that_runs_away_is_reported_and_drawn():
    runaway = System({"x": "a - x + b*x**2"}, parameters={"a": 0.1, "b": 1}, initial={"x": 0})
    hasty = SCM({"x": "a"}, parameters={"a": 0.1, "b": 1})  # linear: right for small a alone
    done = plan(hasty, "x >= 1", [Action("a", (0, 2))]).best.check(runaway, "x < 2")
    assert "the plant grows without bound" in str(done)
    assert "is no equilibrium of the plant" in str(done)
    assert done.breaches[0].condition == "x < 2"
    assert done.plot().get_axes()


def test_a_constraint_can_be_broken_from_the_start():
    best = plan(equilibrium_model(TANK), "h >= 6", [Action("q", (0, 9))]).best
    (breach,) = best.check(TANK, "h > 4").breaches
    assert (breach.first, breach.at, breach.worst) == pytest.approx((0, 0, 2))


def test_a_system_with_all_states_held_is_where_it_is_held():
    doubled = TANK.replace(algebraic={"y": "2*h"})
    best = plan(equilibrium_model(doubled), "y >= 6", [Action("h", (0, 9))]).best
    done = best.check(doubled)
    assert done.ok
    assert done.arrival[0] == pytest.approx(0, abs=1e-3)


def test_what_a_plan_leaves_alone_stays_at_rest():
    masses = zoo.load("coupled_oscillators")
    done = plan(equilibrium_model(masses), "Q1 >= 1.3", most=1).best.check(masses, "Q2 < 3.2")
    assert str(done.plan) == "nothing"
    assert done.ok


def test_what_arrives_too_slowly_is_not_said_to_go_elsewhere():
    at_the_edge = plan(
        equilibrium_model(QUIET), "-0.5 <= v <= 0", [Action("I", (0, 3)), Action("phi", (0.08, 2))]
    ).best
    assert "too slowly to be seen to arrive" in str(at_the_edge.check(QUIET))


def test_a_system_that_starts_elsewhere_is_followed_from_there_if_asked():
    best = plan(equilibrium_model(TANK), "h >= 6", [Action("q", (0, 9))]).best
    assert "from rest at h = 2" in str(best.check(TANK))
    assert "from the initial state at h = 0" in str(best.check(TANK, from_rest=False))


def test_runs_are_counted_one_by_one():
    tanks = TANK.replace(parameters={"q": 1, "k": Normal(0.5, 0.05)})
    best = plan(equilibrium_model(tanks), "h >= 6", [Action("q", (0, 9))], probability=0.9).best
    done = check(best, tanks, n=200)
    assert done.ok == (done.reached.mean() >= 0.9)
    assert done.reached.mean() == pytest.approx(best.probability[0], abs=0.1)
    assert f"({done.reached.sum()} of 200 runs)" in str(done)


def test_what_is_planned_can_be_walked_round_the_square():
    model = equilibrium_model(TANK)
    assert commutes(TANK, model, [list(plan(model, "h >= 6").best.interventions)]).ok


@pytest.mark.parametrize(
    ("attempt", "error", "message"),
    [
        (lambda: plan(TANK, "h > 1"), InvalidValue, "derive one by equilibrium_model"),
        (lambda: plan(CHAIN, "z > 1"), UnknownVariable, "unknown name `z`"),
        (lambda: plan(CHAIN, "y >"), ParseError, "target: "),
        (lambda: plan(CHAIN, "y + 1"), InvalidValue, "`y . 1` is no inequality; write"),
        (lambda: plan(CHAIN, "y == 1"), InvalidValue, "is no inequality"),
        (lambda: plan(CHAIN, "y > 1 or x > 1"), InvalidValue, "is no inequality"),
        (lambda: plan(CHAIN, "1 < 2"), InvalidValue, "is always true"),
        (lambda: plan(CHAIN, "y > 1", []), InvalidValue, "left without actions; give one"),
        (lambda: plan(CHAIN, "y > 1", ["x"]), InvalidValue, "`'x'` is no action; write Action"),
        (lambda: plan(CHAIN, "y > 1", [Action("z", (0, 1))]), UnknownVariable, "has no `z`"),
        (lambda: plan(CHAIN, "y > 1", 2 * [Action("x", (0, 1))]), InvalidValue, "several actions"),
        (lambda: plan(CHAIN, "y > 1", most=0), InvalidValue, "most"),
        (lambda: plan(CHAIN, "y > 1", n=0), InvalidValue, "n is `0`"),
        (lambda: plan(CHAIN, "y > 1", probability=1.5), InvalidValue, "probability is `1.5`"),
        (lambda: Action("x", (1, 1)), InvalidValue, "within `.1, 1.`; give a finite lowest"),
        (lambda: Action("x", (0, math.inf)), InvalidValue, "give a finite lowest"),
        (lambda: Action("x", (0, 1), cost=0), InvalidValue, "costs `0`; give a positive cost"),
        (lambda: Action("x", (0, 1), cost="v"), UnknownVariable, "cost of `x`: unknown name `v`"),
        (lambda: Action("x", (0, 1), fixed=-1), InvalidValue, "fixed cost `-1`; give 0 or more"),
        (
            lambda: plan(CHAIN, "y > 1", [Action("x", (0, 9), cost="-value")]),
            InvalidValue,
            "give a cost that is nowhere negative",
        ),
        (
            lambda: plan(equilibrium_model(zoo.load("chemostat")), "X > 1", [Action("S", (-1, 1))]),
            Infeasible,
            "`-1",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_refused(attempt, error: type[PhyscmError], message):
    with pytest.raises(error, match=message):
        attempt()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"constraints": "z < 1"}, "unknown name `z`"),
        ({"constraints": "h"}, "`h` is no inequality"),
        ({"within": 0}, "within is `0`; give a share between 0 and 1"),
        ({"n": 0}, "n is `0`"),
    ],
)
def test_what_cannot_be_checked_is_refused(options, message):
    best = plan(equilibrium_model(TANK), "h >= 6", [Action("q", (0, 9))]).best
    with pytest.raises(PhyscmError, match=message):
        best.check(TANK, **options)


def test_a_noisy_plant_never_rests_and_is_refused():
    best = plan(equilibrium_model(TANK), "h >= 6", [Action("q", (0, 9))]).best
    with pytest.raises(Unsupported, match="its states never rest"):
        best.check(TANK.replace(noise={"h": 1}))
