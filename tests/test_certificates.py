"""Certificates in compiled code: the same as in NumPy, and as linear algebra has it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physcm.sim import System
from physcm.sim.certified import Certified, certified
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.fused import certificates
from physcm.sim.fused.certificates import certified_together

POINTS = 21
AMOUNT = (0, math.inf)


def together(
    equations: EquilibriumEquations, x: np.ndarray, p: np.ndarray, total: np.ndarray,
    scale: np.ndarray, threads: int = 1,
) -> Certified:  # fmt: skip
    rates = equations.system.rates
    return certified_together(rates, equations, x, p, total, scale, threads=threads)


def linear(size: int) -> EquilibriumEquations:
    """Return x' = A x + 1 with each entry of A a parameter."""
    names = [f"x{i}" for i in range(size)]
    drift = {
        names[i]: "1" + "".join(f" + a{i}_{j}*{names[j]}" for j in range(size)) for i in range(size)
    }
    rates = {f"a{i}_{j}": 1.0 for i in range(size) for j in range(size)}
    start = dict.fromkeys(names, 0.0)
    system = System(drift, parameters=rates, initial=start, name="linear")
    return EquilibriumEquations(system, varied=frozenset(rates))


LINEAR = {size: linear(size) for size in (1, 2, 3, 6)}


def chain(size: int) -> EquilibriumEquations:
    """Return a chain of boxes that exchange what they hold with their neighbors and outside."""
    drift = {f"x{i}": f"1 - k*x{i}" for i in range(size)}
    for i in range(size - 1):
        drift[f"x{i}"] += f" + x{i + 1} - 2*x{i}"
        drift[f"x{i + 1}"] += f" + 2*x{i} - x{i + 1}"
    start = dict.fromkeys(drift, 1.0)
    return EquilibriumEquations(System(drift, parameters={"k": 1}, initial=start, name="chain"))


def binding() -> EquilibriumEquations:
    """Return A + B <-> C with two conserved totals, and D that decays as its root."""
    system = System(
        {
            "A": "-k*A*B + m*C",
            "B": "-k*A*B + m*C",
            "C": "k*A*B - m*C",
            "D": "C - g*sqrt(D)",
        },
        parameters={"k": 1, "m": 1, "g": 1},
        initial={"A": 1, "B": 1, "C": 0, "D": 0},
        bounds=dict.fromkeys("ABCD", AMOUNT),
        name="binding",
    )
    return EquilibriumEquations(system)


BINDING = binding()


def near_binding(
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return points, parameters, totals and sizes of states, near equilibria and at their edge."""
    k, m, g = p = 10.0 ** random.uniform(-2, 2, size=(3, POINTS))
    a, b = 10.0 ** random.uniform(-2, 2, size=(2, POINTS))
    a[:3], p[:2, 3:6] = 0.0, 0.0
    k, m, g = p
    c = np.where(m > 0, k * a * b / np.where(m > 0, m, 1.0), 1.0)
    x = np.array([a, b, c, (c / g) ** 2])
    total = BINDING.conserved(x)
    moved = x * (1 + 10.0 ** random.uniform(-14, -3, size=POINTS) * random.normal(size=x.shape))
    return moved, p, total, np.maximum(x, 10.0 ** random.uniform(-2, 6, size=(4, 1)))


@pytest.mark.parametrize("size", LINEAR)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), decades=st.floats(0, 3))
def test_eigenvalues_and_equilibria_are_those_of_linear_algebra(
    size: int, seed: int, decades: float
) -> None:
    random = np.random.default_rng(seed)
    rows = 10.0 ** random.uniform(-decades, decades, size=(POINTS, size, 1))
    a = random.normal(size=(POINTS, size, size)) * rows
    x = -np.linalg.solve(a, np.ones((POINTS, size, 1)))[:, :, 0].T
    none, scale = np.zeros((0, POINTS)), np.ones(x.shape)
    found = together(LINEAR[size], x, a.reshape(POINTS, -1).T, none, scale)
    near = found.stability != ""
    assert near.mean() > 0.5
    np.testing.assert_allclose(found.x[:, near], x[:, near], rtol=1e-4)
    for matrix, own in zip(a[near], found.eigenvalues[near], strict=True):
        error = np.abs(np.poly(own) - np.poly(matrix))
        assert (error <= 1e-12 * np.abs(np.poly(np.full(size, -np.linalg.norm(matrix))))).all()
        assert (np.diff(own.real) <= 0).all()


@pytest.mark.parametrize("size", [2, 3, 6])
def test_the_eigenvalues_of_a_cycle_are_roots_of_unity(size: int) -> None:
    """Shifts by the last two rows alone leave such a matrix as it is."""
    cycle = np.roll(np.eye(size), 1, axis=0).reshape(-1, 1)
    x = -np.ones((size, 1))
    found = together(LINEAR[size], x, cycle, np.zeros((0, 1)), np.ones(x.shape))
    expected = np.eye(size + 1)[0] - np.eye(size + 1)[size]
    np.testing.assert_allclose(np.poly(found.eigenvalues[0]), expected, atol=1e-13)


@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_certified_together_is_what_numpy_certifies(seed: int) -> None:
    points = near_binding(np.random.default_rng(seed))
    own, other = together(BINDING, *points), certified(BINDING, *points)
    assert own.stability.tolist() == other.stability.tolist()
    near = other.stability != ""
    np.testing.assert_allclose(own.x, other.x, rtol=1e-9, atol=1e-300)
    assert own.degenerate[near].tolist() == other.degenerate[near].tolist()
    sizes = np.abs(other.eigenvalues[near]).max(axis=1, keepdims=True)
    assert (np.abs(own.eigenvalues[near] - other.eigenvalues[near]) <= 1e-9 * sizes).all()


def test_large_systems_are_certified_as_by_numpy() -> None:
    equations, random = chain(70), np.random.default_rng(0)
    assert len(equations.free) > certificates.FEW_MODES
    p = random.uniform(0.5, 2, size=(1, POINTS))
    x = np.repeat(1 / p, 70, axis=0)
    roots, good = equations.roots(x, p, np.zeros((0, POINTS)))
    points = roots, p, np.zeros((0, POINTS)), np.ones(x.shape)
    own, other = together(equations, *points), certified(equations, *points)
    assert good.all()
    assert own.stability.tolist() == other.stability.tolist() == ["stable"] * POINTS
    np.testing.assert_allclose(own.x, other.x, rtol=1e-12)
    np.testing.assert_allclose(own.eigenvalues.real, other.eigenvalues.real, rtol=1e-9)


def test_a_point_is_judged_the_same_whatever_stands_beside_it() -> None:
    points = near_binding(np.random.default_rng(1))
    whole, shared = together(BINDING, *points), together(BINDING, *points, threads=2)
    for k in range(POINTS):
        x, p, total, scale = (array[:, k : k + 1] for array in points)
        alone = together(BINDING, x, p, total, scale)
        for found in (whole, shared):
            np.testing.assert_array_equal(found.x[:, k], alone.x[:, 0])
            np.testing.assert_array_equal(found.eigenvalues[k], alone.eigenvalues[0])
            assert found.stability[k] == alone.stability[0]
