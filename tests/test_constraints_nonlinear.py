"""Nonlinear laws among the equations of rest: which states they select, and what they exclude."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.abstraction import commutes, constraints_model, equilibrate, scm_exists
from physcm.mechanism import Hold, NotUnique
from physcm.mechanism.expression import symbol
from physcm.sim import System, settle, zoo


def amounts(drift: dict[str, str], initial: dict[str, float], **parameters: float) -> System:
    bounds = dict.fromkeys(drift, (0, np.inf))
    return System(drift, parameters=parameters, initial=initial, bounds=bounds)


def epidemic(S: float = 0.99, I: float = 0.01) -> System:
    return amounts({"S": "-b*S*I", "I": "b*S*I - g*I"}, {"S": S, "I": I}, b=0.5, g=0.2)


def closed_seir() -> System:
    drift = {"S": "-b*S*I", "E": "b*S*I - s*E", "I": "s*E - g*I", "R": "g*I"}
    return amounts(drift, {"S": 0.9, "E": 0.05, "I": 0.05, "R": 0}, b=0.5, s=0.3, g=0.2)


def burning() -> System:
    """Return A + 2 B -> B + C, in which A + B C + C^2/2 is conserved beside B + C."""
    drift = {"A": "-k*A*B**2", "B": "-k*A*B", "C": "k*A*B"}
    return amounts(drift, {"A": 1, "B": 3, "C": 0}, k=1)


def sleigh() -> System:
    return System({"v": "w**2", "w": "-v*w"}, initial={"v": 1, "w": 1})


def final_size(S: float, I: float) -> float:
    """Return what an epidemic leaves: S_end = -W(-R S e^(-R (S + I)))/R with R = b/g."""
    R = 0.5 / 0.2
    return float((-scipy.special.lambertw(-R * S * np.exp(-R * (S + I))) / R).real)


def at_start(system: System, expression: sp.Expr) -> float:
    values = {**system.parameters, **{f"{k}(0)": v for k, v in system.initial.items()}}
    return float(expression.xreplace({symbol(k): v for k, v in values.items()}).evalf())


class TestAnswers:
    def test_the_final_size_of_an_epidemic_is_that_of_lamberts_function(self) -> None:
        answer = constraints_model(epidemic(), degree=2).answer()
        assert answer.conditions == ()
        assert answer.solution["I"] == 0
        for S, I in ((0.99, 0.01), (0.5, 0.3), (3.0, 0.001)):
            told = at_start(epidemic(S, I), answer.solution["S"])
            assert told == pytest.approx(final_size(S, I), rel=1e-9)

    def test_those_exposed_count_like_those_infected(self) -> None:
        answer = constraints_model(closed_seir(), degree=2).answer().solution
        left = final_size(0.9, 0.1)
        assert at_start(closed_seir(), answer["S"]) == pytest.approx(left, rel=1e-9)
        assert at_start(closed_seir(), answer["R"]) == pytest.approx(1 - left, rel=1e-9)

    def test_prey_that_a_dying_predator_leaves(self) -> None:
        """x' = -c x y, y' = -d y:  x_end = x(0) exp(-y(0) c/d)."""
        hunt = amounts({"x": "-c*x*y", "y": "-d*y"}, {"x": 1, "y": 2}, c=0.7, d=0.4)
        answer = constraints_model(hunt, degree=2).answer().solution
        x, y, c, d = map(symbol, ("x(0)", "y(0)", "c", "d"))
        assert sp.simplify(answer["x"] - x * sp.exp(-y * c / d)) == 0

    def test_what_is_left_of_a_catalyst_that_is_used_up(self) -> None:
        """dA/dB = B: B_end^2 = B(0)^2 - 2 A(0), while A lasts."""
        answer = constraints_model(burning(), degree=2).answer().solution
        A, B = map(symbol, ("A(0)", "B(0)"))
        assert answer["A"] == 0
        assert sp.expand(answer["B"] ** 2 - (B**2 - 2 * A)) == 0

    def test_of_two_ways_to_rest_the_one_that_is_reached_is_told(self) -> None:
        """A + B <-> 2 B: B = 0 repels, and k A = r B attracts."""
        drift = {"A": "r*B**2 - k*A*B", "B": "k*A*B - r*B**2"}
        answer = constraints_model(amounts(drift, {"A": 1, "B": 0.1}, k=1, r=0.3)).answer()
        A, B, k, r = map(symbol, ("A(0)", "B(0)", "k", "r"))
        assert sp.simplify(answer.solution["B"] - k * (A + B) / (k + r)) == 0


class TestSolutions:
    @pytest.mark.parametrize("system", [epidemic(), closed_seir(), burning(), sleigh()])
    def test_the_square_commutes_with_nonlinear_laws(self, system: System) -> None:
        first = system.states[0]
        report = commutes(system, constraints_model(system, degree=2), [Hold(first, 0.1)])
        assert report.ok, str(report)

    def test_of_two_states_of_rest_on_a_level_one_attracts(self) -> None:
        found = constraints_model(epidemic(), degree=2).solve()
        assert found.S.values[0] == pytest.approx([final_size(0.99, 0.01), 1.006685], rel=1e-5)
        assert found.stability.values.tolist() == [["stable", "unstable"]]

    def test_numbers_by_initial_state_agree_with_lamberts_function(self) -> None:
        S = np.linspace(0.5, 3, 6)
        found = constraints_model(epidemic(), degree=2).solve({"S(0)": S})
        told = np.where(found.stability == "stable", found.S, np.nan)
        expected = [final_size(s, 0.01) for s in S]
        np.testing.assert_allclose(np.nanmax(told, axis=1), expected, rtol=1e-8)

    def test_a_sample_is_the_solution_that_attracts(self) -> None:
        model = constraints_model(sleigh(), degree=2)
        assert np.isnan(model.sample(1).v[0])
        assert float(model.sample(1, stable=True).v[0]) == pytest.approx(np.sqrt(2))

    @pytest.mark.parametrize(
        ("system", "degree"),
        [
            (System({"x": "v", "v": "-x"}, initial={"x": 1, "v": 0}), 2),
            (System({"x": "v", "v": "x - x**3"}, initial={"x": 1.2, "v": 0.1}), 4),
            (zoo.load("lotka_volterra"), 2),
        ],
        ids=["spring", "duffing", "predator_and_prey"],
    )
    def test_a_level_without_a_state_of_rest_proves_that_nothing_comes_to_rest(
        self, system: System, degree: int
    ) -> None:
        model = constraints_model(system, degree)
        assert model.solve().status.values.tolist() == [1]
        assert commutes(system, model, []).rows[0].agree

    def test_a_run_that_starts_at_rest_stays(self) -> None:
        duffing = System({"x": "v", "v": "x - x**3"}, initial={"x": 1, "v": 0})
        found = constraints_model(duffing, degree=4).solve()
        assert set(found.x.values[0]) == {-1.0, 1.0}

    @settings(max_examples=10, deadline=None)
    @given(st.floats(0.2, 3), st.floats(0.2, 3), st.integers(1, 3))
    def test_a_level_selects_the_state_where_a_run_ends(
        self, rate: float, start: float, power: int
    ) -> None:
        system = amounts(
            {"x": f"-x*y**{power}", "y": "-r*y"}, {"x": 1.0, "y": start}, r=round(rate, 2)
        )
        found = constraints_model(system, degree=max(2, power)).sample(1, stable=True)
        assert float(found.x[0]) == pytest.approx(float(settle(system).x[0]), rel=1e-4)
        exact = np.exp(-(start**power) / (power * round(rate, 2)))
        assert float(found.x[0]) == pytest.approx(exact, rel=1e-7)


class TestWords:
    def test_a_report_names_the_law_that_its_model_does_not_read(self) -> None:
        report = commutes(epidemic(), constraints_model(epidemic()), [])
        assert not report.ok
        assert "On the way I + S - g*log(S)/b keeps its initial value." in report.rows[0].why

    def test_equilibrate_names_it_and_reads_it_when_told(self) -> None:
        with pytest.raises(
            NotUnique, match=r"g\*log\(S\)/b keeps its .*; give `degree=3`, so that"
        ):
            equilibrate(epidemic())
        model = equilibrate(epidemic(), degree=3)
        assert model.variables == ("S", "I")

    def test_the_two_runs_that_rule_out_an_scm_are_told_apart_by_it(self) -> None:
        pair = scm_exists(epidemic()).pair
        assert pair is not None
        (values,) = pair.laws.values()
        assert [*pair.laws] == ["I + S - g*log(S)/b"]
        for value, start in zip(values, pair.starts, strict=True):
            expected = start["I"] + start["S"] - 0.4 * np.log(start["S"])
            assert value == pytest.approx(expected, rel=1e-12)


class TestBoundaries:
    @pytest.mark.parametrize("seed", range(6))
    def test_of_the_recovered_too_the_final_size_is_found_from_every_start(self, seed: int) -> None:
        """I = N - S - R comes to 0 as a difference of large numbers, S to as little as 1e-22."""
        S, I, R = np.array([0.99, 0.01, 0.5]) * 10 ** np.random.default_rng(seed).uniform(
            -1.5, 1.5, 3
        )
        drift = {"S": "-b*S*I", "I": "b*S*I - g*I", "R": "g*I"}
        system = amounts(drift, {"S": S, "I": I, "R": R}, b=0.5, g=0.2)
        found = constraints_model(system, degree=2).sample(1, stable=True)
        assert float(found.S[0]) == pytest.approx(final_size(S, I), rel=1e-7)

    def test_a_law_holds_where_all_its_logarithms_are_of_nothing(self) -> None:
        """A + B -> P, A + C -> Q: C^k1/B^k2 stays, and A in excess leaves neither B nor C."""
        drift = {"A": "-k1*A*B - k2*A*C", "B": "-k1*A*B", "C": "-k2*A*C"}
        system = amounts(drift, {"A": 3, "B": 1, "C": 1}, k1=1, k2=2)
        model = constraints_model(system, degree=2)
        assert [str(law) for law in model.curved] == ["-k1*log(C) + k2*log(B)"]
        assert [float(model.sample(1)[x][0]) for x in "ABC"] == pytest.approx([1, 0, 0], abs=1e-12)
        A, B, C = (symbol(f"{x}(0)") for x in "ABC")
        assert sp.expand(model.answer().solution["A"] - (A - B - C)) == 0

    def test_what_holds_do_to_the_laws_of_an_epidemic_is_told_in_its_parameters(self) -> None:
        drift = {"S": "-b*S*I", "I": "b*S*I - g*I", "R": "g*I"}
        system = amounts(drift, {"S": 0.99, "I": 0.01, "R": 0}, b=0.5, g=0.2)
        changes = [str(change) for change in constraints_model(system, degree=2).law_changes()]
        assert changes[1] == "do(I): keeps R*b + g*log(S); lifts I + R + S"
        assert changes[0].endswith("brings I*g - R*(b*do(S) - g)")

    def test_a_law_that_a_hold_brings_is_told_by_the_held_value(self) -> None:
        """With S held at s, I' = (b s - g) I and R' = g I conserve g I - (b s - g) R."""
        drift = {"S": "-b*S*I", "I": "b*S*I - g*I", "R": "g*I"}
        system = amounts(drift, {"S": 0.99, "I": 0.01, "R": 0}, b=0.5, g=0.2)
        (new,) = constraints_model(system).breaks(S=0.7071067811865476).new
        I, R, b, g, s = map(symbol, ("I", "R", "b", "g", "do(S)"))
        assert sp.cancel(new / (g * I - (b * s - g) * R)).is_number
