"""Effects at equilibrium and perfect adaptation: what the ordering predicts, and what is seen."""

from pathlib import Path

import numpy as np
import pytest

from physcm.abstraction import InputEffects, causal_ordering, comparative_statics, input_effects
from physcm.mechanism import InvalidValue, LogNormal, NoEquilibrium, Normal, NotUnique
from physcm.scm.graph import latent_projection
from physcm.scm.independence import test_separations as separations_in
from physcm.sim import System, steady_states, zoo

SETTLING = (
    "basic_enzyme chemostat coupled_oscillators energy_balance_climate feedback_pathway "
    "filling_bathtub four_tanks generalized_lotka_volterra hodgkin_huxley mapk_cascade "
    "mapk_single negative_feedback_buffer random_gene_network random_linear_network "
    "rc_ladder toggle_switch torricelli_bathtub viral_infection"
).split()
DEGENERATE = {"bergman_minimal": 18, "seir": 3}
"""Systems that rest where some responses vanish although the equations do not say so by form."""


# Perfect adaptation


def test_outflow_of_the_bathtub_adapts_to_the_drain() -> None:
    effects = input_effects(zoo.load("filling_bathtub"))
    assert ("U_K", "O") in effects.adapted
    at = effects.table.sel(cause="U_K")
    assert float(at.transient.sel(variable="O")) > 1e-3
    assert float(at.change.sel(variable="O")) < 1e-12
    assert float(at.change.sel(variable="P")) == pytest.approx(1 - 1 / 1.01)
    assert "adapted: U_K on O" in str(effects)


def test_infected_cells_adapt_to_the_supply_of_targets() -> None:
    ordering = causal_ordering(zoo.load("viral_infection"))
    assert [v for cause, v in ordering.adapted if cause == "s"] == ["I"]
    effects = input_effects(zoo.load("viral_infection"))
    assert {*ordering.adapted} == {*effects.adapted}


def test_output_of_the_buffered_feedback_adapts_in_the_saturated_limit_alone() -> None:
    system = zoo.load("negative_feedback_buffer")
    saturated = system.replace(drift={**system.drift, "B": "C*kCB - FB*kFB"})
    assert ("U", "C") in input_effects(saturated).adapted
    assert ("U", "C") not in input_effects(system).adapted


def test_substrate_of_the_chemostat_adapts_to_what_is_fed() -> None:
    effects = input_effects(zoo.load("chemostat"))
    assert ("S_in", "S") in effects.adapted
    assert ("S_in", "X") not in effects.adapted


def test_product_of_the_enzyme_adapts_to_how_much_enzyme_there_is_by_cancellation() -> None:
    """The product S E cancels from the equations: P knows the inflow alone (Blom et al. 2019)."""
    ordering = causal_ordering(zoo.load("basic_enzyme"))
    assert "P" in ordering.effects("e0")
    assert ("e0", "P") in ordering.cancelled
    assert ("e0", "P") in input_effects(zoo.load("basic_enzyme")).adapted


def test_masses_and_frictions_do_not_reach_oscillators_at_rest() -> None:
    ordering = causal_ordering(zoo.load("coupled_oscillators"))
    assert {("m1", "Q1"), ("b1", "Q2")} <= {*ordering.cancelled}
    assert not {cause for cause, _ in ordering.adapted} & {"m1", "b1"}
    assert ("l1", "P1") in ordering.adapted


def test_integral_feedback_rejects_a_constant_disturbance() -> None:
    """x' = u + d - x, u' = k (r - x): x = r whatever d."""
    system = System(
        {"x": "u + d - x", "u": "k*(r - x)"},
        parameters={"d": 1, "k": 0.5, "r": 2},
        initial={"x": 0, "u": 0},
    )
    assert causal_ordering(system).adapted == (("f_x", "x"), ("d", "x"))
    assert input_effects(system).adapted == (("f_x", "x"), ("d", "x"))


def test_sniffer_of_tyson_2003_adapts_to_its_signal() -> None:
    """R' = k1 S - k2 X R, X' = k3 S - k4 X: R = k1 k4/(k2 k3) whatever S (figure 1d)."""
    sniffer = System(
        {"R": "k1*S - k2*X*R", "X": "k3*S - k4*X"},
        parameters={"S": 1, "k1": 2, "k2": 2, "k3": 1, "k4": 1},
        initial={"R": 1, "X": 1},
    )
    assert [pair for pair in causal_ordering(sniffer).adapted if "S" in pair] == [("S", "R")]
    effects = input_effects(sniffer)
    assert ("S", "R") in effects.adapted
    assert {*effects.adapted} == {*effects.ordering.adapted}


def test_volume_that_cancels_reaches_no_concentration() -> None:
    """S' = (feed - r)/V with feed = V a and r = V k S does not depend on V at any time."""
    system = System(
        {"S": "(feed - r)/V"},
        algebraic={"feed": "V*a", "r": "V*k*S", "amount": "V*S"},
        parameters={"V": 2, "a": 1, "k": 3},
        initial={"S": 1},
    )
    ordering = causal_ordering(system)
    assert ("V", "S") in ordering.cancelled
    assert [pair for pair in ordering.adapted if "V" in pair] == []
    assert {*ordering.adapted} == {*input_effects(system).adapted}


def test_amount_of_what_never_moves_does_not_answer_to_the_volume_it_starts_in() -> None:
    system = System(
        {"A": "0", "B": "A - B"},
        algebraic={"amount": "V*A"},
        parameters={"V": 2, "n": 3},
        initial={"A": "n/V", "B": 0},
    )
    assert ("V", "amount") in causal_ordering(system).cancelled
    assert causal_ordering(system).adapted == ()


def test_errors_of_integration_alone_are_no_answer() -> None:
    """Momenta rest at 0, so that no tolerance relative to them is met; each is seen to adapt."""
    effects = input_effects(zoo.load("coupled_oscillators"))
    assert np.isfinite(effects.table.transient.values).all()
    assert {*effects.adapted} == {*effects.ordering.adapted}


def test_what_cancels_is_said() -> None:
    equations = {"f1": "S*E - a", "f2": "S*E - b - C", "f3": "S - E*k"}
    ordering = causal_ordering(equations, variables=["S", "E", "C"])
    assert "Note: the effect of `k` on `C` cancels exactly" in str(ordering)


def test_holding_enzyme_complex_leaves_dependent_equations_and_says_so() -> None:
    ordering = causal_ordering(zoo.load("basic_enzyme")).do("f_C", C=0.2)
    assert [c.variables for c in ordering.singular] == [("S", "E")]
    assert any("do not determine `S`, `E`, though as many" in note for note in ordering.notes)


# Predictions and simulations


def confirmed(system: System) -> InputEffects:
    """Check that no effect is seen that is not predicted, and just the predicted adaptations."""
    effects = input_effects(system)
    assert effects.false_claims == ()
    changed = {*effects.table.cause.values}
    predicted = {(cause, v) for cause, v in effects.ordering.adapted if cause in changed}
    assert {*effects.adapted} == predicted
    return effects


def no_false_claims(name: str) -> int:
    """Check a system of the zoo, every miss by the derivative at rest; return how many."""
    system = zoo.load(name)
    effects = confirmed(system)
    assert effects.tested == effects.table.change.size
    if effects.misses:
        found = comparative_statics(system)
        rest = steady_states(system)
        first = system.states[0]
        away = abs(found[first] - rest[first][0].item())
        place = int(away.argmin("equilibrium"))
        control = found.derivative.isel(equilibrium=place)
        for cause, variable in effects.misses:
            if cause in control.cause:
                assert abs(float(control.sel(cause=cause, effect=variable))) < 1e-9
    return len(effects.misses)


@pytest.mark.parametrize("name", ["filling_bathtub", "rc_ladder", "toggle_switch"])
def test_all_predicted_effects_and_no_others_are_seen(name: str) -> None:
    assert no_false_claims(name) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTLING)
def test_all_predicted_effects_and_no_others_are_seen_over_the_zoo(name: str) -> None:
    assert no_false_claims(name) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", DEGENERATE)
def test_misses_are_responses_that_vanish_at_this_state_of_rest(name: str) -> None:
    assert no_false_claims(name) == DEGENERATE[name]


@pytest.mark.slow
@pytest.mark.parametrize("number", [23, 26, 27, 38, 62, 65, 203, 258, 310])
def test_no_effect_is_seen_that_is_not_predicted_in_biomodels(
    shared_data: Path, number: int
) -> None:
    system = System.from_sbml(shared_data / "biomodels" / f"BIOMD{number:010}.xml")
    effects = confirmed(system)
    assert effects.tested > 300


WITHOUT_LABELS = {"chemostat", "filling_bathtub", "torricelli_bathtub", "viral_infection"}
"""Systems of which some equations at rest determine another variable than their own."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTLING)
def test_plain_holds_that_are_not_refused_agree_with_simulations(name: str) -> None:
    system = zoo.load(name)
    rest, ordering = steady_states(system), causal_ordering(system)
    followers = {state for _, *group in system.held_together for state in group}
    refused = False
    for state in (x for x in system.states if x not in followers):
        value = min(1.05 * float(rest[state][0]), system.bounds.get(state, (0, np.inf))[1])
        try:
            model = ordering.do(**{state: value}).scm()
        except NotUnique:
            refused = True
            continue
        held = steady_states(system.do(**{state: value}))
        if int(held.status[0]) == 0:
            found = model.solve().isel(sample=0)[list(ordering.variables)].to_array().values
            seen = held.isel(sample=0)[list(ordering.variables)].to_array().values[:, np.newaxis]
            away = np.abs(found - seen) / (np.abs(seen) + 1e-6)
            assert np.nanmin(away.max(axis=0)) < 1e-5
    assert refused == (name in WITHOUT_LABELS)


# Independences


def spread(system: System) -> System:
    """Draw every positive parameter at random, five percent around its value."""
    random = {
        name: LogNormal(np.log(value), 0.05)
        for name, value in system.parameters.items()
        if isinstance(value, float) and value > 0
    }
    return system.replace(parameters={**system.parameters, **random})


@pytest.mark.parametrize(
    ("name", "hidden", "claims", "dependences"),
    [("filling_bathtub", ["I"], 5, 19), ("torricelli_bathtub", [], 1, 5)],
)
def test_predicted_independences_hold_in_simulated_equilibria(
    name: str, hidden: list[str], claims: int, dependences: int
) -> None:
    """Of logarithms, which make products sums; I, of which O is a copy, is hidden."""
    system = spread(zoo.load(name))
    ordering = causal_ordering(system)
    graph = latent_projection(ordering.markov_ordering(), [*ordering.inputs_at_random, *hidden])
    data = np.log(steady_states(system, n=500)[list(graph.nodes)])
    report = separations_in(graph, data, sigma=False)
    assert (report.claims, report.false_claims) == (claims, 0)
    assert (report.connections, report.missed) == (dependences, 0)


@pytest.mark.slow
def test_predicted_independences_hold_in_random_linear_equations() -> None:
    """Thirty sets of six equations with random structure, weights and a noise each."""
    claims = false = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        names = [f"x{i}" for i in range(6)]
        equations = {}
        for i, own in enumerate(rng.permutation(6)):
            used = {int(own), *rng.choice(6, 1).tolist()}
            terms = (f"{rng.uniform(0.5, 2) * rng.choice([-1, 1]):.3f}*x{j}" for j in sorted(used))
            equations[f"f{i}"] = " + ".join((*terms, f"e{i}"))
        noise = {f"e{i}": Normal(0, 1) for i in range(6)}
        ordering = causal_ordering(equations, variables=names, parameters=noise)
        graph = latent_projection(ordering.markov_ordering(), [*noise])
        report = separations_in(graph, ordering.scm().sample(400, seed), sigma=False, alpha=1e-3)
        claims, false = claims + report.claims, false + report.false_claims
    assert claims > 1000
    assert false == 0


def test_the_size_of_a_tank_has_an_effect_through_what_is_conserved() -> None:
    tanks = System(
        {"h": "k*(l - h)/A", "l": "k*(h - l)/B"},
        parameters={"k": 1, "A": 2, "B": 3},
        initial={"h": 4, "l": 1},
    )
    assert "total(A*h + B*l)" in causal_ordering(tanks).equations
    effects = input_effects(tanks)
    assert effects.ok
    assert effects.adapted == (("k", "h"), ("k", "l"))
    size = effects.table.change.sel(cause="A", variable="h").item()
    exact = (2.02 * 4 + 3 * 1) / 5.02 - (2 * 4 + 3 * 1) / 5
    assert size == pytest.approx(exact / 2.2, rel=1e-5)


# Misuse


def test_a_system_that_does_not_settle_is_refused() -> None:
    with pytest.raises(NoEquilibrium, match="does not settle from its initial state"):
        input_effects(zoo.load("lotka_volterra"))


@pytest.mark.parametrize("step", [0, 1, float("nan"), "a"])
def test_a_step_that_is_none_is_refused(step: object) -> None:
    with pytest.raises(InvalidValue, match="give a number between 0 and 1"):
        input_effects(zoo.load("rc_ladder"), step=step)  # type: ignore[arg-type]


def test_what_happens_over_time_is_asked_of_systems_alone() -> None:
    with pytest.raises(InvalidValue, match="make the ordering of a System"):
        causal_ordering({"f": "x - a"}, variables=["x"]).adapted  # noqa: B018
    with pytest.raises(InvalidValue, match="`3` is no System"):
        input_effects(3)  # type: ignore[arg-type]
