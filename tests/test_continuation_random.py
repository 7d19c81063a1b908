"""Laws that hold for every continuation, on random systems."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.mechanism import SetParameter
from physcm.sim import Continuation, System, continuation, equilibria

AMOUNT = (0, float("inf"))


def cubic(seed: int) -> System:
    """Every state with a cubic brake of its own, so that none escapes."""
    random, n = np.random.default_rng(seed), 1 + seed % 3
    drift = {}
    for i in range(n):
        linear = " + ".join(f"({random.normal():.2f})*x{j}" for j in range(n))
        push, bent, rest = random.normal(size=3).round(2)
        drift[f"x{i}"] = f"k*({push}) + ({rest}) + {linear} + ({bent})*x{i}**2 - x{i}**3"
    return System(drift, parameters={"k": 0}, initial=dict.fromkeys(drift, 0.1))


def competition(seed: int) -> System:
    """Lotka-Volterra with self-limitation: up to 2^n equilibria, most with something extinct."""
    random, n = np.random.default_rng(seed), 1 + seed % 3
    drift = {}
    for i in range(n):
        others = " + ".join(f"({random.normal():.2f})*x{j}" for j in range(n) if j != i) or "0"
        growth, push = random.normal(size=2).round(2)
        drift[f"x{i}"] = f"x{i}*(({growth}) + k*({push}) - x{i} + 0.5*({others}))"
    return System(drift, parameters={"k": 0}, initial=dict.fromkeys(drift, 0.1),
                  bounds=dict.fromkeys(drift, AMOUNT))  # fmt: skip


def regulation(seed: int) -> System:
    """Genes that switch each other on, with Hill functions."""
    random, n = np.random.default_rng(seed), 1 + seed % 3
    drift = {}
    for i in range(n):
        on, off, power = random.integers(n), random.integers(n), random.integers(1, 5)
        most, least, push = random.uniform((1, 0, 0), (5, 0.3, 0.5)).round(2)
        drift[f"x{i}"] = (
            f"{least} + k*{push} - x{i} + "
            f"{most}*x{on}**{power}/(1 + x{on}**{power})/(1 + x{off}**2)"
        )
    return System(drift, parameters={"k": 0}, initial=dict.fromkeys(drift, 0.1),
                  bounds=dict.fromkeys(drift, AMOUNT))  # fmt: skip


def saturation(seed: int) -> System:
    """Mechanisms with corners."""
    random, n = np.random.default_rng(seed), 1 + seed % 3
    drift = {}
    for i in range(n):
        j = random.integers(n)
        a, b, c, d, push = random.normal(size=5).round(2)
        drift[f"x{i}"] = (
            f"k*({push}) + ({a})*max({b}, x{j}) + ({c})*min(x{j}, {d})"
            f" - {abs(a) + abs(c) + 0.5:.2f}*x{i}"
        )
    return System(drift, parameters={"k": 0}, initial=dict.fromkeys(drift, 0.1))


RANGES: dict[Callable[[int], System], tuple[float, float]] = {
    cubic: (-2, 2), competition: (-2, 2), regulation: (0, 2), saturation: (-2, 2),
}  # fmt: skip
few, many = st.integers(0, 5), st.integers(6, 2**20)
every = pytest.mark.parametrize("make", list(RANGES), ids=lambda make: make.__name__)


@lru_cache
def found(make: Callable[[int], System], seed: int) -> Continuation:
    return continuation(make(seed), "k", RANGES[make])


def coordinates(branch: object, system: System) -> np.ndarray:  # type: ignore[type-arg]
    return np.array([branch[name].values for name in system.states])  # type: ignore[index]


@every
@given(seed=few)
@settings(max_examples=6)
def test_every_point_is_an_equilibrium(make: Callable[[int], System], seed: int) -> None:
    result = found(make, seed)
    system = result.sweep.system
    for branch in result.branches:
        x, k = coordinates(branch, system), branch["k"].values[np.newaxis]
        drift = system.rates.vector(0.0, x, k)
        assert np.abs(drift).max() < 1e-8 * max(1.0, np.abs(x).max() ** 3)


@every
@given(seed=few)
@settings(max_examples=6)
def test_special_points_are_special(make: Callable[[int], System], seed: int) -> None:
    result = found(make, seed)
    system = result.sweep.system
    for point in result.points:
        x = np.array([[point.state[name]] for name in system.states])
        slopes = system.rates.jacobian.batch(0.0, x, np.array([[point.value]]))[0]
        values = np.linalg.eigvals(slopes)
        size = max(1.0, np.abs(values).max())
        if point.kind in ("fold", "transcritical", "pitchfork"):
            assert np.abs(values).min() < 1e-6 * size
        if point.kind == "Hopf":
            assert np.abs(values.real[values.imag != 0]).min() < 1e-6 * size


@every
@given(seed=few)
@settings(max_examples=6)
def test_stability_changes_at_special_points_only(make: Callable[[int], System], seed: int) -> None:
    result = found(make, seed)
    for branch, curve in zip(result.branches, result.curves, strict=True):
        kinds = list(zip(branch.stability.values, branch.special.values, strict=True))
        for (before, after), (a, b) in zip(pairwise(kinds), pairwise(curve.points), strict=True):
            at_a_corner = bool((a.u == b.u).all())
            plain = not (before[1] or after[1] or at_a_corner)
            assert not plain or before[0] == after[0]


@every
@given(seed=few)
@settings(max_examples=6)
def test_what_equilibria_finds_lies_on_a_branch(make: Callable[[int], System], seed: int) -> None:
    result = found(make, seed)
    low, high = RANGES[make]
    for value in np.random.default_rng(seed).uniform(low, high, 2):
        known = result.at(value)
        expected = equilibria(make(seed).do(SetParameter(k=value)))
        x = np.array([known[name].values for name in result.sweep.system.states])
        for k in range(expected.sizes["equilibrium"]):
            one = np.array([[float(expected[name][k])] for name in result.sweep.system.states])
            assert np.abs(x - one).max(axis=0).min() < 1e-6 * max(1.0, np.abs(one).max())


@given(seed=many)
@settings(max_examples=6)
def test_the_equilibria_of_a_polynomial_are_its_real_roots(seed: int) -> None:
    a, b, c = np.random.default_rng(seed).normal(size=3).round(2)
    system = System({"x": f"k + ({a}) + ({b})*x + ({c})*x**2 - x**3"}, parameters={"k": 0},
                    initial={"x": 0})  # fmt: skip
    result = continuation(system, "k", (-3, 3))
    for value in np.linspace(-2.9, 2.7, 5):
        roots = np.roots([-1, c, b, value + a])
        real = np.sort(roots.real[np.abs(roots.imag) < 1e-9])
        np.testing.assert_allclose(result.at(value).x.values, real, atol=1e-7)


@pytest.mark.slow
@every
@given(seed=many)
@settings(max_examples=30)
def test_all_of_this_holds_for_many_systems(make: Callable[[int], System], seed: int) -> None:
    for law in (
        test_every_point_is_an_equilibrium,
        test_special_points_are_special,
        test_stability_changes_at_special_points_only,
        test_what_equilibria_finds_lies_on_a_branch,
    ):
        law.hypothesis.inner_test(make, seed)  # type: ignore[attr-defined]
