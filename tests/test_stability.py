"""Structural stability: verdicts with their grounds, certificates that are never wrong."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from physcm.abstraction import structural_stability
from physcm.abstraction.contraction import Box
from physcm.abstraction.routh import (
    hurwitz_conditions,
    reduced_jacobian,
    routh_conditions,
)
from physcm.mechanism import Hold, InvalidValue, SetParameter, Unsupported, parse
from physcm.mechanism.expression import symbol
from physcm.sim import System, equilibria, simulate, zoo
from physcm.sim.equilibrium import EquilibriumEquations

ALL_ONE = SetParameter({f"U{i}": 1 for i in range(1, 6)})


def box_of(system: System) -> Box:
    x0, p = system.draw(np.array([0]), 0)
    equations = EquilibriumEquations(system)
    return Box(equations, p[:, 0], equations.weights @ x0[:, 0])


def condition(text: str) -> sp.Expr:
    return sp.expand(parse(text))


class TestRouth:
    def test_a_long_condition_is_told_by_its_name_and_kept_as_an_expression(self) -> None:
        ring = {"a": "k/(1 + d) - g*a", "b": "a - h*b", "c": "b - u*c", "d": "c - v*d"}
        system = System(
            ring,
            parameters={"k": 5, "g": 0.5, "h": 0.6, "u": 0.7, "v": 0.8},
            initial=dict.fromkeys("abcd", 1),
            bounds=dict.fromkeys("abcd", (0, np.inf)),
        )
        row = structural_stability(system, [], starts=1).rows[0]
        assert row.conditions is not None
        (condition,) = row.conditions
        assert str(condition) == "Hurwitz determinant 3 of a, b, c, d > 0 (holds)"
        assert condition.expression.has(*(symbol(x) for x in "kghuv"))

    @settings(max_examples=60)
    @given(st.lists(st.integers(-5, 5), min_size=1, max_size=16))
    def test_conditions_hold_exactly_where_all_eigenvalues_are_negative(
        self, entries: list[int]
    ) -> None:
        n = int(np.sqrt(len(entries)))
        matrix = np.reshape(entries[: n * n], (n, n))
        largest = np.linalg.eigvals(matrix).real.max()
        assume(abs(largest) > 1e-6)
        positive = hurwitz_conditions(sp.Matrix(matrix.tolist()))
        assert all(c > 0 for c in positive) == (largest < 0)

    def test_the_bathtub_is_stable_where_one_inequality_says_so(self) -> None:
        """THEORY section 5: U = 0.05, 1, 0.2, 2, 0.3 is stable, all U = 1 is not."""
        report = structural_stability(zoo.load("filling_bathtub"), [ALL_ONE])
        free, unstable = report.rows
        for row, holds in ((free, True), (unstable, False)):
            assert row.conditions is not None
            (one,) = row.conditions
            assert one.expression == condition("U2 + U4 - U1*U3*U5*g*U_K")
            assert one.holds is holds
            assert row.rests_on == ("certificate",)
        assert (free.verdict, unstable.verdict) == ("stable", "unstable")

    @pytest.mark.parametrize("U1", [0.5, 7.2, 7.4, 20])
    def test_the_inequality_of_the_bathtub_predicts_what_a_simulation_does(self, U1: float) -> None:
        """U1 < (U2 + U4)/(U3 U5 g K) = 7.29."""
        bathtub = zoo.load("filling_bathtub").do(SetParameter(U1=U1))
        started = bathtub.replace(initial={"D": 13, "P": 23.8, "O": 5}, bounds={})
        run = simulate(started, np.linspace(0, 300, 3001))
        excursion = abs(run.P[0] - 5 / (0.3 * 0.7))
        shrinks = float(excursion[-500:].max()) < float(excursion[:500].max())
        assert shrinks == (U1 < 3 / (0.2 * 0.3 * 9.8 * 0.7))

    def test_signs_alone_make_every_state_of_the_enzyme_attract_its_neighbors(self) -> None:
        (row,) = structural_stability(zoo.load("basic_enzyme"), []).rows
        assert row.conditions == ()
        assert row.exact
        assert "Routh-Hurwitz: granted by signs" in row.evidence

    def test_a_chain_of_springs_has_the_conditions_of_each(self) -> None:
        """Six states, of which two at a time feed back into each other: k_i > 0 and d_i > 0."""
        drift = {}
        for i in range(3):
            drift |= {f"x{i}": f"v{i}", f"v{i}": f"-k{i}*x{i} - (d{i} - e)*v{i}"}
        drift["v1"] += " + x0*v0"
        drift["v2"] += " + x1**2"
        chain = System(
            drift,
            parameters={"k0": 1, "k1": 2, "k2": 3, "d0": 1, "d1": 2, "d2": 3, "e": 0.5},
            initial=dict.fromkeys(drift, 0.1),
        )
        numbers = {symbol(name): value for name, value in chain.parameters.items()}
        at_rest = dict.fromkeys(map(symbol, drift), sp.S.Zero)
        conditions = routh_conditions(chain, at_rest, numbers)
        assert conditions is not None
        expected = {condition(f"d{i} - e") for i in range(3)}
        assert {c.expression for c in conditions} == expected

    def test_conditions_at_an_equilibrium_in_closed_form_are_in_the_parameters(self) -> None:
        brusselator = System(
            {"x": "a + x**2*y - b*x - x", "y": "b*x - x**2*y"},
            parameters={"a": 1, "b": 1.5},
            initial={"x": 1, "y": 1},
            bounds=dict.fromkeys("xy", (0, np.inf)),
        )
        report = structural_stability(brusselator, [SetParameter(b=2.5)])
        for row, holds in zip(report.rows, (True, False), strict=True):
            assert row.exact
            assert row.conditions is not None
            (one,) = row.conditions
            assert one.expression == condition("1 + a**2 - b")  # Prigogine & Lefever 1968
            assert one.holds is holds
        assert [row.verdict for row in report.rows] == ["stable", "unstable"]

    @pytest.mark.parametrize("name", ["basic_enzyme", "mapk_cascade", "seir"])
    def test_the_reduced_jacobian_has_the_eigenvalues_of_the_equilibrium(self, name: str) -> None:
        system = zoo.load(name)
        found = equilibria(system).isel(equilibrium=0)
        names = [*system.states, *system.parameters]
        _, p = system.draw(np.array([0]), 0)
        values = [*(float(found[x]) for x in system.states), *p[:, 0].tolist()]
        matrix = reduced_jacobian(system)
        symbols = [parse(name) for name in names]
        numbers = np.array(sp.lambdify(symbols, matrix)(*values), dtype=float)
        np.testing.assert_allclose(
            np.sort(np.linalg.eigvals(numbers).real), np.sort(found.eigenvalue_real), rtol=1e-6
        )


# What underflows when squared is as good as 0 to a search, and not to a proof.
NUMBERS = st.floats(-2, 2).map(lambda number: round(number, 3))


class TestContraction:
    @pytest.mark.parametrize(
        "name", ["mapk_single", "rc_ladder", "random_linear_network", "coupled_oscillators"]
    )
    def test_no_two_runs_approach_more_slowly_than_the_certified_rate_for_long(
        self, name: str
    ) -> None:
        system = zoo.load(name)
        rate = box_of(system).contraction_rate()
        assert rate is not None
        found = equilibria(system)
        assert found.sizes["equilibrium"] == 1
        assert -float(found.eigenvalue_real[0].max()) >= rate * (1 - 1e-9)

    weights = st.lists(st.floats(-0.6, 0.6).map(lambda w: round(w, 3)), min_size=9, max_size=9)

    @settings(max_examples=15, deadline=None)
    @given(weights)
    def test_a_certified_network_has_one_equilibrium_and_all_starts_meet(
        self, weights: list[float]
    ) -> None:
        drift = {
            f"x{i}": f"1 - x{i} + "
            + " + ".join(f"({weights[3 * i + j]})*tanh(x{j})" for j in range(3))
            for i in range(3)
        }
        system = System(drift, initial=dict.fromkeys(drift, 0.3))
        rate = box_of(system).contraction_rate()
        assume(rate is not None and rate > 0.05)
        starts = {name: (3.0, -2.0, 0.1) for name in drift}
        run = simulate(system.replace(initial=starts), [0, 20 / rate], n=3)
        for name in drift:
            assert float(run[name][:, -1].max() - run[name][:, -1].min()) < 1e-4

    @settings(max_examples=25, deadline=None)
    @given(st.lists(NUMBERS, min_size=4, max_size=4), NUMBERS)
    @example([0.0, 0.0, 1.0, 5e-324], 0.0)
    def test_where_uniqueness_is_certified_no_search_finds_a_second_equilibrium(
        self, weights: list[float], push: float
    ) -> None:
        a, b, c, d = weights
        drift = {"x": f"({push}) + ({a})*x + ({b})*y - x**3/3", "y": f"({c})*sin(x) + ({d})*y"}
        system = System(drift, initial={"x": 0.1, "y": 0.2}, bounds=dict.fromkeys("xy", (-2, 2)))
        assume(box_of(system).has_one_root_at_most())
        assert equilibria(system, starts=60).sizes["equilibrium"] <= 1

    @pytest.mark.parametrize("push", [1, 1000])
    def test_what_drives_without_feedback_may_push_as_hard_as_it_likes(self, push: float) -> None:
        """Each of two damped springs contracts, and with them the one that drives the other."""
        springs = System(
            {"x": "v", "v": "-x - v", "y": "w", "w": "-y - w + c*tanh(x)"},
            parameters={"c": push},
            initial=dict.fromkeys("xvyw", 1),
        )
        alone = System({"x": "v", "v": "-x - v"}, initial={"x": 1, "v": 1})
        rate = box_of(alone).contraction_rate()
        assert box_of(springs).contraction_rate() == pytest.approx(rate)
        runs = [
            simulate(springs.replace(initial=dict.fromkeys("xvyw", start)), [0, 60], rtol=1e-9)
            for start in (1, -2)
        ]
        assert max(abs(float(runs[0][x][0, -1] - runs[1][x][0, -1])) for x in "yw") < 1e-6 * push

    def test_a_bistable_switch_is_never_certified(self) -> None:
        box = box_of(zoo.load("toggle_switch"))
        assert box.contraction_rate() is None
        assert not box.has_one_root_at_most()

    def test_a_contraction_that_leaves_its_bounds_is_not_certified(self) -> None:
        falling = System({"x": "-2 - x/(1 + x)"}, initial={"x": 1}, bounds={"x": (0, 5)})
        assert not box_of(falling).is_kept()
        assert box_of(falling).contraction_rate() is None

    def test_a_marginal_system_is_not_certified(self) -> None:
        spring = System({"x": "v", "v": "-x"}, initial={"x": 1, "v": 0})
        assert box_of(spring).contraction_rate() is None

    def test_bounds_that_a_total_implies_are_used(self) -> None:
        """k A (n - A) contracts for A in [0, n] only."""
        system = System(
            {"A": "q*B - k*A - A*B/5", "B": "k*A - q*B + A*B/5"},
            parameters={"k": 2, "q": 1},
            initial={"A": 1, "B": 2},
            bounds=dict.fromkeys("AB", (0, np.inf)),
        )
        box = box_of(system)
        np.testing.assert_allclose(box.ends[1], 3)
        assert box.contraction_rate() is not None


class TestReport:
    def test_each_row_says_on_what_it_rests(self) -> None:
        cascade = structural_stability(zoo.load("mapk_single"), [Hold("Raf_p", 20)])
        assert cascade
        assert {row.rests_on for row in cascade.rows} == {("certificate",)}
        tanks = structural_stability(zoo.load("four_tanks"), [])
        assert tanks
        assert tanks.rows[0].rests_on == ("eigenvalues", "starts")

    def test_several_attractors_are_counted(self) -> None:
        (row,) = structural_stability(zoo.load("toggle_switch"), []).rows
        assert row.verdict == "several"
        assert sorted(e.stability for e in row.equilibria) == ["stable", "stable", "unstable"]

    def test_an_oscillation_is_no_stability(self) -> None:
        (row,) = structural_stability(zoo.load("repressilator"), []).rows
        assert row.verdict == "unstable"
        assert "starts: 8 periodic" in row.evidence

    def test_a_center_attracts_nothing(self) -> None:
        (row,) = structural_stability(zoo.load("lotka_volterra"), []).rows
        assert row.verdict == "unstable"

    def test_a_hold_can_take_all_rest_away(self) -> None:
        report = structural_stability(zoo.load("basic_enzyme"), [Hold("C", 0.4), Hold("S", 2)])
        assert [row.verdict for row in report.rows] == ["stable", "none", "stable"]
        assert not report

    def test_the_default_family_holds_each_state(self) -> None:
        tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
        report = structural_stability(tank, starts=2)
        assert [row.intervention for row in report.rows][1:] == [
            "do(h = 0.25)", "do(h = 0.55)", "do(h = 1)",
        ]  # fmt: skip
        assert report

    def test_the_table_has_a_row_per_intervention(self) -> None:
        table = structural_stability(zoo.load("filling_bathtub"), [ALL_ONE], starts=3).table
        assert table.verdict.values.tolist() == ["stable", "unstable"]
        assert table.settled.values.tolist() == [1, 0]
        assert (table.largest_real_part.values < 0).tolist() == [True, False]

    def test_each_sample_is_judged_by_its_own_draw(self) -> None:
        decay = System({"x": "1 - k*x"}, parameters={"k": (2.0, -1.0)}, initial={"x": 1.5})
        rows = [structural_stability(decay, [], sample=k, starts=3).rows[0] for k in (0, 1)]
        assert [row.verdict for row in rows] == ["stable", "unstable"]
        assert [row.conditions == () for row in rows] == [True, False]

    def test_no_starts_are_refused(self) -> None:
        with pytest.raises(InvalidValue, match="starts"):
            structural_stability(zoo.load("rc_ladder"), [], starts=0)

    def test_noise_is_refused(self) -> None:
        with pytest.raises(Unsupported, match="has noise in `x`"):
            structural_stability(zoo.load("double_well"))
