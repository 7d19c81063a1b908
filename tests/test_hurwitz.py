"""Decay rates that are proved without eigenvalues, against eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physcm.abstraction import commutes, equilibrium_model
from physcm.abstraction.selection import level_kinds
from physcm.mechanism import Hold, Uniform
from physcm.sim import System
from physcm.sim.equilibrium import FEW_MODES, EquilibriumEquations
from physcm.sim.hurwitz import decay_rates


def slowest(matrices: np.ndarray) -> np.ndarray:
    return np.asarray(-np.linalg.eigvals(matrices).real.max(axis=1))


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 8), shift=st.floats(-1, 6))
def test_no_more_is_proved_than_is_true(seed: int, size: int, shift: float) -> None:
    matrices = np.random.default_rng(seed).normal(size=(20, size, size)) - shift * np.eye(size)
    rates, true = decay_rates(matrices), slowest(matrices)
    proved = np.isfinite(rates)
    assert (rates[proved] > 0).all()
    assert (rates[proved] <= true[proved] * (1 + 1e-9)).all()


@pytest.mark.parametrize("excess", [-1e-3, 1e-3])
def test_a_positive_loop_is_proved_just_where_its_gain_is_below_one(excess: float) -> None:
    """x_i' = -x_i + g x_(i-1) has the largest eigenvalue g - 1 (Perron and Frobenius)."""
    loop = (1 + excess) * np.roll(np.eye(5), 1, axis=0) - np.eye(5)
    (rate,) = decay_rates(loop[np.newaxis])
    if excess < 0:
        assert 0 < rate <= -excess * (1 + 1e-9)
    else:
        assert np.isnan(rate)


def test_masses_on_springs_are_proved_by_the_lyapunov_function_of_one_of_them() -> None:
    """No weights make the matrix of positions and velocities dominant: its diagonal has zeros."""
    masses, random = 20, np.random.default_rng(0)
    stiff = 2 * np.eye(masses) - np.eye(masses, k=1) - np.eye(masses, k=-1)
    zero, one = np.zeros((masses, masses)), np.eye(masses)
    matrices = np.array([
        np.block([[zero, one], [-stiff - 0.1 * np.diag(random.uniform(size=masses)), -0.3 * one]])
        for _ in range(10)
    ])  # fmt: skip
    rates = decay_rates(matrices)
    assert np.isfinite(rates).all()
    assert (rates <= slowest(matrices)).all()


def ring(size: int, gain: float) -> System:
    """Return a positive feedback loop, whose state of rest at 0 is stable for a gain below 1."""
    drift = {f"x{i}": f"b - x{i} + {gain}*tanh(x{(i - 1) % size})" for i in range(size)}
    return System(
        drift, parameters={"b": Uniform(-1, 1)}, initial=dict.fromkeys(drift, 0), name="ring"
    )


@pytest.mark.parametrize("gain", [0.9, 1.1])
def test_a_large_ring_is_judged_as_its_eigenvalues_say(gain: float) -> None:
    system = ring(FEW_MODES + 6, gain).replace(parameters={"b": 0})
    equations = EquilibriumEquations(system)
    rest = np.zeros((len(system.states), 1))
    kinds, rates = level_kinds(equations, (), rest, rest, np.zeros((1, 1)))
    assert kinds.tolist() == ["stable" if gain < 1 else "unstable"]
    assert rates[0] <= 1 - gain + 1e-9
    assert (rates[0] > 0) == (gain < 1)


def test_a_large_network_is_verified_without_eigenvalues(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system = ring(FEW_MODES + 6, 0.9)
    model = equilibrium_model(system)

    def refuse(matrices: np.ndarray) -> np.ndarray:
        assert not len(matrices)
        return matrices[:, :, 0]

    monkeypatch.setattr("physcm.sim.equilibrium._eigenvalues", refuse)
    report = commutes(system, model, [Hold("x0", 1), Hold("x3", -1)], n=20)
    assert report.ok
    assert len(report.rows) == 3
