"""Constraints models: what interventions do to laws, answers by initial state, and no SCM."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

from physcm.abstraction import commutes, constraints_model, scm_exists
from physcm.mechanism import Hold, InvalidValue, NoEquilibrium, NotSolvable, Unsupported, parse
from physcm.mechanism.expression import symbol
from physcm.sim import System, first_integrals, settle, zoo

K0, K1, KM1, K2, K3, N = 1.0, 2.0, 0.5, 1.5, 0.7, 1.5
"""The parameters of the basic enzyme reaction in the zoo, and its total E + C."""


def enzyme() -> System:
    return zoo.load("basic_enzyme")


PROVED = {
    "enzyme": (
        zoo.load("basic_enzyme"),
        lambda t, x: (
            1 - 2 * x[1] * x[0] + 0.5 * x[2],
            -2 * x[1] * x[0] + 2 * x[2],
            2 * x[1] * x[0] - 2 * x[2],
            1.5 * x[2] - 0.7 * x[3],
        ),
    ),
    "futile cycle": (
        System(
            {"A": "b*B/(L + B) - a*A/(K + A)", "B": "a*A/(K + A) - b*B/(L + B)"},
            parameters={"a": 1.3, "K": 0.5, "b": 1, "L": 0.3},
            initial={"A": 2, "B": 0.5},
            bounds=dict.fromkeys("AB", (0, np.inf)),
        ),
        lambda t, x: np.array([1, -1]) * (x[1] / (0.3 + x[1]) - 1.3 * x[0] / (0.5 + x[0])),
    ),
    "capacitors": (
        System({"v": "(w - v)/2", "w": "(v - w)/6"}, initial={"v": 5, "w": 0}),
        lambda t, x: ((x[1] - x[0]) / 2, (x[0] - x[1]) / 6),
    ),
}
"""Systems, and their right-hand sides by hand."""


def sleigh(**initial: float) -> System:
    """Return the Chaplygin sleigh: forward speed v, and turning w, which dies out."""
    return System(
        {"v": "a*w**2", "w": "-m*a/(I + m*a**2)*v*w"},
        parameters={"a": 0.5, "m": 2, "I": 0.3},
        initial={"v": 1, "w": 1} | initial,
        name="sleigh",
    )


def dimer() -> System:
    """Return 2 A <-> B, which conserves A + 2 B."""
    return System(
        {"A": "2*b*B - 2*a*A**2", "B": "a*A**2 - b*B"},
        parameters={"a": 1, "b": 2},
        initial={"A": 3, "B": 0.5},
        bounds=dict.fromkeys("AB", (0, np.inf)),
    )


def equal(expression: sp.Expr, text: str) -> bool:
    return sp.simplify(expression - parse(text)) == 0


class TestWhatHoldsDoToLaws:
    def test_only_a_hold_of_enzyme_or_complex_lifts_their_total(self) -> None:
        changes = constraints_model(enzyme()).law_changes()
        assert [str(change) for change in changes] == [
            "do(S): keeps C + E",
            "do(E): lifts C + E",
            "do(C): lifts C + E",
            "do(P): keeps C + E",
        ]

    def test_the_one_complex_at_which_there_is_rest_brings_a_new_law(self) -> None:
        model = constraints_model(enzyme())
        assert str(model.breaks(Hold("C", "k0/k2"))).endswith("lifts C + E; brings E - S")
        assert not model.breaks(C=0.5).new

    def test_what_two_laws_share_beside_a_held_member_is_kept(self) -> None:
        system = System(
            {"A": "C - A*B", "B": "C - A*B", "C": "A*B - C"}, initial=dict.fromkeys("ABC", 1)
        )
        change = constraints_model(system).breaks(C=2)
        (kept,) = change.kept
        assert equal(kept, "A - B")
        assert len(change.lifted) == 2

    def test_a_hold_that_leaves_a_state_without_dynamics_brings_its_value(self) -> None:
        switch = System({"x": "-x", "y": "x*y"}, initial={"x": 1, "y": 1})
        assert str(constraints_model(switch).breaks(x=0)) == "do(x = 0): brings y"

    @pytest.mark.parametrize("name", ["coupled_oscillators", "negative_feedback_buffer", "seir"])
    def test_groups_and_bounds_are_respected(self, name: str) -> None:
        system = zoo.load(name)
        followers = sum(len(group) - 1 for group in system.held_together)
        assert len(constraints_model(system).law_changes()) == len(system.states) - followers

    @pytest.mark.parametrize("name", ["v", "w"])
    def test_a_hold_lifts_the_energy_of_a_sleigh(self, name: str) -> None:
        (change,) = (
            change
            for change in constraints_model(sleigh(), degree=2).law_changes()
            if change.intervention == f"do({name})"
        )
        assert list(map(str, change.lifted)) == ["m*v**2 + w**2*(I + a**2*m)"]
        assert not change.kept

    def test_a_nonlinear_law_of_other_states_is_kept(self) -> None:
        system = System({"x": "v", "v": "-x", "z": "x - z"}, initial=dict.fromkeys("xvz", 1))
        model = constraints_model(system, degree=2)
        assert str(model.breaks(z=1)) == "do(z = 1): keeps v**2 + x**2"

    def test_a_hold_can_bring_a_nonlinear_law(self) -> None:
        system = System({"x": "v", "v": "-x - d*v", "d": "1 - d"}, initial=dict.fromkeys("xvd", 1))
        model = constraints_model(system, degree=2)
        assert str(model.breaks(d=0)) == "do(d = 0): brings v**2 + x**2"

    def test_a_law_that_holds_for_special_values_alone_says_so(self) -> None:
        tuned = System(
            {"A": "-k*B", "B": "l*B + C*(k - l)", "C": "-C"},
            parameters={"k": 2, "l": 2},
            initial=dict.fromkeys("ABC", 1),
        )
        assert "for these values of the parameters alone" in str(constraints_model(tuned))

    def test_a_multiplier_is_not_seen_in_the_graph(self) -> None:
        assert {*constraints_model(sleigh(), degree=2).graph().nodes} == {"v", "w"}

    def test_a_nonlinear_law_is_listed_with_what_lifts_it(self) -> None:
        constraint = constraints_model(sleigh(), degree=2).constraints[-1]
        assert constraint.lifted_by == {"v", "w"}


class TestAnswersByTheInitialState:
    """THEORY's basic enzyme reaction (Blom, Bongers & Mooij, UAI 2019), all five cases."""

    n = "(C(0) + E(0))"

    def test_with_nothing_held(self) -> None:
        answer = constraints_model(enzyme()).answer()
        assert equal(answer.solution["C"], "k0/k2")
        assert equal(answer.solution["P"], "k0/k3")
        assert equal(answer.solution["E"], f"{self.n} - k0/k2")
        assert equal(answer.solution["S"], f"(k0 + km1*k0/k2)/(k1*({self.n} - k0/k2))")
        (condition,) = answer.conditions
        assert equal(condition.lhs, f"k2*{self.n} - k0")
        assert condition.rel_op == ">"

    def test_with_the_substrate_held(self) -> None:
        answer = constraints_model(enzyme()).do(S=2).answer().solution
        C = f"k1*do(S)*{self.n}/(k1*do(S) + km1 + k2)"
        assert equal(answer["C"], C)
        assert equal(answer["E"], f"{self.n} - {C}")
        assert equal(answer["P"], f"k2*{C}/k3")

    def test_with_the_enzyme_held(self) -> None:
        answer = constraints_model(enzyme()).do(E=0.3).answer().solution
        assert equal(answer["C"], "k0/k2")
        assert equal(answer["S"], "(k0 + km1*k0/k2)/(k1*do(E))")
        assert equal(answer["P"], "k0/k3")

    def test_with_the_product_held(self) -> None:
        free, held = (constraints_model(enzyme()).do(*d).answer() for d in ((), (Hold("P", 3),)))
        assert {x: held.solution[x] for x in "SEC"} == {x: free.solution[x] for x in "SEC"}

    def test_with_the_complex_held_there_is_none(self) -> None:
        with pytest.raises(NoEquilibrium, match=r"does not come to rest .* `diverged`"):
            constraints_model(enzyme()).do(C=0.4).answer()

    def test_but_for_the_one_value_that_balances_the_feed(self) -> None:
        """E S = (k0 + km1 k0/k2)/k1 on the line E - S = E(0) - S(0)."""
        answer = constraints_model(enzyme()).do(Hold("C", "k0/k2")).answer().solution
        assert equal(answer["E"] * answer["S"], "(k0 + km1*k0/k2)/k1")
        assert equal(answer["E"] - answer["S"], "E(0) - S(0)")

    def test_the_printed_answer_is_where_other_initial_states_come_to_rest(self) -> None:
        answer = constraints_model(dimer()).answer().solution
        for A, B in ((0.2, 0.0), (5.0, 2.0)):
            system = dimer().replace(initial={"A": A, "B": B})
            values = {"a": 1, "b": 2, "A(0)": A, "B(0)": B}
            numbers = {symbol(name): value for name, value in values.items()}
            for name in "AB":
                expected = float(answer[name].xreplace(numbers))
                assert float(settle(system)[name][0]) == pytest.approx(expected, rel=1e-5)

    def test_tanks_that_drain_by_roots_of_their_levels_have_a_closed_form(self) -> None:
        """Johansson (2000), two tanks in a row: k sqrt(h1) = q = l sqrt(h2)."""
        tanks = System(
            {"h1": "(q - k*sqrt(h1))/A", "h2": "(k*sqrt(h1) - l*sqrt(h2))/B"},
            parameters={"q": 1, "k": 1.3, "l": 0.5, "A": 1, "B": 2},
            initial={"h1": 1, "h2": 1},
            bounds=dict.fromkeys(("h1", "h2"), (0, np.inf)),
        )
        answer = constraints_model(tanks).answer()
        assert str(answer) == "h1 = q**2/k**2\nh2 = q**2/l**2"

    def test_long_conditions_are_told_by_the_variable_that_they_are_of(self) -> None:
        """A futile cycle: the root of a quadratic, whose sign is that of A."""
        cycle = PROVED["futile cycle"][0]
        assert str(constraints_model(cycle).answer()).endswith("if A >= 0\nif B >= 0")

    def test_what_a_state_is_divided_by_is_asked_once(self) -> None:
        """Monod's chemostat: growth beyond dilution, m > D, and food enough."""
        answer = constraints_model(zoo.load("chemostat")).answer()
        assert len(answer.conditions) == 2
        assert all(sp.count_ops(condition) < 8 for condition in answer.conditions)

    def test_the_final_speed_of_a_sleigh_is_that_of_its_energy(self) -> None:
        answer = constraints_model(sleigh(), degree=2).answer().solution
        assert answer["w"] == 0
        assert equal(answer["v"] ** 2, "v(0)**2 + (I/m + a**2)*w(0)**2")
        other = settle(sleigh(v=-1.0, w=0.5))
        assert float(other.v[0]) == pytest.approx(np.sqrt(1 + 0.4 * 0.25), rel=1e-5)

    def test_numbers_by_initial_state_agree_with_the_closed_form(self) -> None:
        totals = np.linspace(0.8, 3, 5)
        solved = constraints_model(enzyme()).solve({"E(0)": totals - 0.5})
        np.testing.assert_allclose(solved.E[:, 0], totals - K0 / K2, rtol=1e-12)

    def test_without_a_closed_form_numbers_are_advised(self) -> None:
        system = System({"x": "1 - x - x**5/(1 + exp(x))"}, initial={"x": 0})
        with pytest.raises(NotSolvable, match="no closed form that was found; solve them for"):
            constraints_model(system).answer()


class TestExistence:
    def test_two_totals_of_an_enzyme_prove_that_there_is_no_scm(self) -> None:
        verdict = scm_exists(enzyme())
        assert not verdict
        assert verdict.even_with_totals
        pair = verdict.pair
        assert pair is not None
        for start, end in zip(pair.starts, pair.ends, strict=True):
            n = start["E"] + start["C"]
            assert pair.laws["C + E"][pair.starts.index(start)] == pytest.approx(n)
            assert end["E"] == pytest.approx(n - K0 / K2, rel=1e-5)
            assert end["S"] == pytest.approx((K0 + KM1 * K0 / K2) / (K1 * end["E"]), rel=1e-5)
            assert end["P"] == pytest.approx(K0 / K3, rel=1e-5)
        assert pair.difference["E"] == pytest.approx(0.375, rel=1e-4)
        assert verdict.restless == ("do(C = 0.333333)", "do(C = 0.733333)", "do(C = 1.33333)")

    def test_the_two_runs_can_be_repeated(self) -> None:
        pair = scm_exists(enzyme()).pair
        assert pair is not None
        for start, end in zip(pair.starts, pair.ends, strict=True):
            again = settle(enzyme().replace(initial=start))
            for name in "SECP":
                assert float(again[name][0]) == pytest.approx(end[name], rel=1e-5)

    def test_the_verdict_reads_as_an_argument(self) -> None:
        text = str(scm_exists(enzyme()))
        assert text.startswith("No SCM on S, E, C, P can have the states of rest of this system.")
        assert "What tells them apart is C + E, which stays 1.5 and 1.875." in text
        assert "Nor can an SCM that reads C + E as exogenous" in text

    def test_a_law_can_show_under_an_intervention_alone(self) -> None:
        """Under do(a = 0) the leak is shut and the total counts."""
        system = System(
            {"A": "B - A + 1 - a*A", "B": "A - B - 1", "a": "1 - a"},
            initial={"A": 1, "B": 1, "a": 1},
        )
        assert scm_exists(system, [])
        verdict = scm_exists(system, [Hold("a", 0)])
        assert not verdict
        assert verdict.pair is not None
        assert verdict.pair.intervention == "do(a = 0)"

    def test_a_state_that_nothing_moves_is_an_input_that_an_scm_may_read(self) -> None:
        fed = System({"x": "u - x", "u": "0"}, initial={"x": 1, "u": 2})
        assert scm_exists(fed)

    def test_two_speeds_of_a_free_body_prove_that_it_has_no_scm(self) -> None:
        """It rests in its own frame at any speed about an axis, and comes to rest from nowhere."""
        drift = {"a": "(I - J)/H*b*c", "b": "(J - H)/I*c*a", "c": "(H - I)/J*a*b"}
        body = System(drift, parameters={"H": 1, "I": 2, "J": 3.5}, initial=dict.fromkeys("abc", 1))
        verdict = scm_exists(body, degree=2)
        assert not verdict
        assert verdict.pair is not None
        assert verdict.pair.starts == verdict.pair.ends
        assert len(verdict.pair.laws) == 2
        for start in verdict.pair.starts:
            assert sum(value != 0 for value in start.values()) == 1

    def test_a_pendulum_that_rests_in_two_places_alone_has_no_such_proof(self) -> None:
        pendulum = System({"x": "v", "v": "-sin(x)"}, initial={"x": 1, "v": 0})
        with pytest.raises(NoEquilibrium, match="comes to rest under none of"):
            scm_exists(pendulum, [])

    def test_what_dies_out_is_told_as_zero(self) -> None:
        system = System(
            {"S": "-b*S*I", "I": "b*S*I - g*I"},
            parameters={"b": 0.5, "g": 0.2},
            initial={"S": 0.99, "I": 0.01},
            bounds=dict.fromkeys("SI", (0, np.inf)),
        )
        assert "I = 0;" in str(scm_exists(system))

    @pytest.mark.parametrize("name", ["enzyme", "futile cycle", "capacitors"])
    def test_another_integrator_comes_to_the_two_ends(self, name: str) -> None:
        """LSODA, of a right-hand side written by hand, from both starts.

        Long runs end within the tolerance of the check, 1e-5 of a state.
        """
        system, rates = PROVED[name]
        pair = scm_exists(system).pair
        assert pair is not None
        assert pair.intervention == "nothing"
        for start, end in zip(pair.starts, pair.ends, strict=True):
            begin = [start[x] for x in system.states]
            run = solve_ivp(rates, (0, 400), begin, method="LSODA", rtol=1e-10, atol=1e-12)
            assert run.y[:, -1] == pytest.approx([end[x] for x in system.states], rel=1e-5)
        assert max(map(abs, pair.difference.values())) > 1e-2

    def test_energy_proves_that_a_sleigh_has_no_scm(self) -> None:
        verdict = scm_exists(sleigh(), degree=2)
        assert verdict.pair is not None
        assert list(verdict.pair.laws) == ["m*v**2 + w**2*(I + a**2*m)"]
        for start, end in zip(verdict.pair.starts, verdict.pair.ends, strict=True):
            speed = np.sqrt(start["v"] ** 2 + 0.4 * start["w"] ** 2)
            assert end["v"] == pytest.approx(speed, rel=1e-5)

    @pytest.mark.parametrize("name", ["filling_bathtub", "four_tanks", "coupled_oscillators"])
    def test_nothing_is_said_against_a_system_that_has_one(self, name: str) -> None:
        system = zoo.load(name)
        verdict = scm_exists(system)
        assert verdict
        assert str(verdict).startswith("Nothing seen rules out an SCM on ")

    def test_two_attractors_are_told_from_two_totals(self) -> None:
        verdict = scm_exists(zoo.load("toggle_switch"))
        assert not verdict
        assert verdict.pair is not None
        assert not verdict.pair.laws
        assert not verdict.even_with_totals
        assert "several states attract" in str(verdict)

    def test_active_kinases_alone_have_an_scm_that_reads_the_totals(self) -> None:
        """On fewer variables than the verdict is about: Raf_p -> Mek_p -> Erk_p."""
        from physcm.abstraction import Abstraction
        from physcm.scm import SCM

        cascade = zoo.load("mapk_single")
        assert not scm_exists(cascade)
        above = SCM(
            {
                f"{name}_p": f"n_{name}*{up}*kon_{name}/(koff_{name} + {up}*kon_{name})"
                for up, name in (("Ras", "Raf"), ("Raf_p", "Mek"), ("Mek_p", "Erk"))
            },
            exogenous={f"n_{name}": 100 for name in ("Raf", "Mek", "Erk")},
            parameters={k: v for k, v in cascade.parameters.items() if k[:2] in ("ko", "Ra")},
        )
        holds = [Hold("Raf_p", 20), Hold("Mek_p", 30), Hold("Erk_p", 10)]
        tau = {name: name for name in ("Raf_p", "Mek_p", "Erk_p")}
        assert Abstraction(cascade, above, tau=tau).commutes(holds).ok

    def test_what_never_rests_has_nothing_to_be_a_model_of(self) -> None:
        spring = System({"x": "v", "v": "-x"}, initial={"x": 1, "v": 0})
        with pytest.raises(NoEquilibrium, match="comes to rest under none of `1` interventions"):
            scm_exists(spring, [])

    def test_noise_is_refused(self) -> None:
        with pytest.raises(Unsupported, match="has noise in `x`"):
            constraints_model(zoo.load("double_well"))


def test_the_constraints_model_commutes_where_no_scm_does() -> None:
    report = commutes(
        enzyme(),
        constraints_model(enzyme()),
        [Hold("S", 2), Hold("E", 0.3), Hold("C", 0.4), Hold("P", 0.5)],
    )
    assert report.ok


@pytest.mark.parametrize("degree", [0, -1, 1.5, "two"])
@pytest.mark.parametrize("ask", [constraints_model, first_integrals])
def test_a_degree_is_a_whole_number(ask: Callable[..., object], degree: object) -> None:
    with pytest.raises(InvalidValue, match=f"degree is `{degree!r}`; give a whole number"):
        ask(enzyme(), degree=degree)
