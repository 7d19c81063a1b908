"""The method for stiff systems, against order conditions, closed forms and published numbers."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
import pytest

from physcm.mechanism import Impulse
from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes import implicit as lanes_implicit
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import compiled
from physcm.mechanism.lanes.implicit import implicit
from physcm.sim import Scipy, System, simulate
from physcm.sim.fused import adaptive, progress
from physcm.sim.fused.numba_engine import Numba
from physcm.sim.fused.rosenbrock import rodas5p
from physcm.sim.fused.steppers import stiff


@dataclass
class Run:
    """What the kernel leaves behind: states (states, samples, times) and how samples ended."""

    out: Floats
    status: Floats
    steps: Floats
    x: Floats


def march(
    system: System, times: Floats, rtol: float, atol: Floats | float, p: Floats | None = None,
    *, first: float = 0.0, longest: float = np.inf, chunk: int | None = None,
) -> Run:  # fmt: skip
    """Run the kernel itself, on samples with parameters p (parameters, samples)."""
    x0, own = system.draw(np.arange(1), 0)
    p = np.ascontiguousarray(own if p is None else p)
    stepper, count = stiff(system.name, system.rates), p.shape[1] if p.size else 1
    x = np.repeat(x0, count, axis=1)
    begin, end = np.full(count, times[0]), np.full(count, times[-1])
    inside = np.array([np.nextafter(begin, end), np.nextafter(end, begin)])
    out = np.full((len(x), count, len(times)), np.nan)
    out[:, :, 0] = x
    tolerance = np.broadcast_to(atol, len(x)).reshape(-1, 1).copy()
    status, steps = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for low in range(0, count, chunk or count):
        adaptive.run(
            stepper, tolerance, rtol, begin, end, inside, x, p, longest, np.full(count, first),
            status, steps, times[np.newaxis], out, low, min(low + (chunk or count), count),
            100_000, np.zeros(1, np.int64), None, np.zeros((0, count)), np.zeros(count),
        )  # fmt: skip
    return Run(out, status, steps, x)


ROBERTSON = System(
    {"A": "-k1*A + k3*B*C", "B": "k1*A - k3*B*C - k2*B**2", "C": "k2*B**2"},
    parameters={"k1": 0.04, "k2": 3e7, "k3": 1e4},
    initial={"A": 1, "B": 0, "C": 0},
    name="Robertson",
)
VAN_DER_POL = System(
    {"x": "y", "y": "mu*(1 - x**2)*y - x"},
    parameters={"mu": 1000},
    initial={"x": 2, "y": 0},
    name="van der Pol",
)
HIRES = System(
    {
        "a": "-1.71*a + 0.43*b + 8.32*c + 0.0007",
        "b": "1.71*a - 8.75*b",
        "c": "-10.03*c + 0.43*d + 0.035*e",
        "d": "8.32*b + 1.71*c - 1.12*d",
        "e": "-1.745*e + 0.43*f + 0.43*g",
        "f": "-280*f*h + 0.69*d + 1.71*e - 0.43*f + 0.69*g",
        "g": "280*f*h - 1.81*g",
        "h": "-280*f*h + 1.81*g",
    },
    initial=dict.fromkeys("bcdefg", 0) | {"a": 1, "h": 0.0057},
    name="HIRES",
)
OREGONATOR = System(
    {"x": "77.27*(y + x*(1 - 8.375e-6*x - y))", "y": "(z - (1 + x)*y)/77.27", "z": "0.161*(x - z)"},
    initial={"x": 1, "y": 2, "z": 3},
    name="Oregonator",
)
# The states at the end, as of Mazzia & Magherini, Test Set for Initial Value Problem Solvers,
# release 2.4, 2008; its van der Pol equation has the time t / mu.
PUBLISHED = {
    "Robertson": (
        ROBERTSON, 1e11, [2.083340149701255e-8, 8.333360770334713e-14, 0.999999979166505],
    ),
    "van der Pol": (VAN_DER_POL, 2000.0, [1.706167732170483, -8.928097010247975e-4]),
    "HIRES": (
        HIRES,
        321.8122,
        [
            7.371312573325668e-4, 1.442485726316185e-4, 5.888729740967575e-5,
            1.175651343283149e-3, 2.386356198831331e-3, 6.238968252742796e-3,
            2.849998395185769e-3, 2.850001604814231e-3,
        ],
    ),
    "Oregonator": (OREGONATOR, 360.0, [1.000814870318523, 1228.178521549917, 132.0554942846706]),
}  # fmt: skip


def hairer_wanner() -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return alpha, gamma, b, and the embedded b, of the form with products of J with vectors."""
    m = rodas5p()
    inverse = np.eye(8) / m.gamma - m.couplings
    gamma = np.linalg.inv(inverse)
    return m.a @ gamma, gamma, m.b @ gamma, (m.b - m.error) @ gamma, m.c


def conditions(order: int) -> list[tuple[float, float]]:
    """Return sums of the coefficients, and what they must be (Hairer & Wanner, table IV.7.1)."""
    alpha, gamma, b, embedded, _ = hairer_wanner()
    beta = alpha + gamma
    a, e = alpha.sum(axis=1), beta.sum(axis=1)
    sums = {
        1: [(np.ones(8), 1)],
        2: [(e, 2)],
        3: [(a**2, 3), (beta @ e, 6)],
        4: [(a**3, 4), (a * (alpha @ e), 8), (beta @ a**2, 12), (beta @ beta @ e, 24)],
        5: [
            (a**4, 5), (a**2 * (alpha @ e), 10), (a * (alpha @ a**2), 15),
            (a * (alpha @ beta @ e), 30), ((alpha @ e) ** 2, 20), (beta @ a**3, 20),
            (beta @ (a * (alpha @ e)), 40), (beta @ beta @ a**2, 60),
            (beta @ beta @ beta @ e, 120),
        ],
    }  # fmt: skip
    weights = b if order == 5 else embedded
    return [(weights @ s, 1 / n) for k in range(1, order + 1) for s, n in sums[k]]


@pytest.mark.parametrize("order", [4, 5])
def test_the_coefficients_fulfil_the_order_conditions(order):
    found, expected = np.transpose(conditions(order))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-13)


def test_the_method_is_consistent_in_time_and_stiffly_accurate():
    alpha, gamma, b, _, c = hairer_wanner()
    np.testing.assert_allclose(alpha.sum(axis=1), c, atol=1e-13)
    np.testing.assert_allclose(gamma.sum(axis=1), rodas5p().d, atol=1e-13)
    np.testing.assert_allclose((alpha + gamma)[-1], b, atol=1e-13)


def test_the_method_is_l_stable():
    alpha, gamma, b, _, _ = hairer_wanner()
    beta, one = alpha + gamma, np.ones(8)

    def growth(z: complex) -> float:
        return abs(1 + z * b @ np.linalg.solve(np.eye(8) - z * beta, one))

    imaginary = [growth(1j * y) for y in np.logspace(-2, 4, 2000)]
    assert max(imaginary) <= 1 + 1e-12
    assert growth(-1e8) < 1e-6


AUTONOMOUS = System({"x": "-x**2"}, initial={"x": 1}, name="autonomous")
DRIVEN = System(
    {"x": "v", "y": "-y*cos(t)"}, algebraic={"v": "t**3*y"}, initial={"x": 0, "y": 1}, name="driven"
)


def driven(t: Floats) -> Floats:
    from scipy.integrate import quad

    def x(end: float) -> float:
        return quad(lambda s: s**3 * np.exp(-np.sin(s)), 0, end, epsabs=1e-14)[0]

    return np.array([[x(end) for end in t], np.exp(-np.sin(t))])


@pytest.mark.parametrize(
    ("system", "exact"),
    [(AUTONOMOUS, lambda t: 1 / (1 + t)[np.newaxis]), (DRIVEN, driven)],
    ids=["autonomous", "driven"],
)
def test_fixed_steps_converge_with_order_5_and_between_them_with_order_4(system, exact):
    times = np.linspace(0, 2, 10)
    errors = []
    for count in (16, 32, 64):
        run = march(system, times, 1.0, 1e9, first=2 / count, longest=2 / count)
        assert run.steps.tolist() == [count]
        gap = np.abs(run.out[:, 0] - exact(times)).max(axis=0)
        errors.append([gap[-1], gap.max()])
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (orders[:, 0] > 4.6).all()
    assert (orders[:, 1] > 3.6).all()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_numbers_are_met(name):
    system, end, published = PUBLISHED[name]
    atol = 1e-10 * 1e-3 * np.abs(published)
    run = march(system, np.array([0.0, end]), 1e-10, atol)
    assert run.status.tolist() == [progress.ARRIVED]
    np.testing.assert_allclose(run.out[:, 0, -1], published, rtol=3e-8)


@pytest.mark.parametrize("name", PUBLISHED)
def test_errors_follow_the_tolerance(name):
    system, end, published = PUBLISHED[name]
    errors = []
    tolerances = 10.0 ** -np.arange(3, 10)
    for rtol in tolerances:
        run = march(system, np.array([0.0, end]), rtol, 1e-3 * rtol * np.abs(published))
        errors.append(np.abs(run.out[:, 0, -1] / published - 1).max())
    ratios = np.array(errors) / tolerances
    assert (ratios < 100).all()


@pytest.mark.parametrize("rate", [-1.0, -1e3, -1e6, -1e9])
@pytest.mark.parametrize("clock", ["t", "a state"])
def test_a_stiff_driven_equation_follows_its_closed_form(rate, clock):
    """Prothero & Robinson, Math. Comp. 28, 1974: x' = lambda (x - sin t) + cos t."""
    drift = {"x": "k*(x - sin(t)) + cos(t)"}
    if clock == "a state":
        drift = {"x": "k*(x - sin(s)) + cos(s)", "s": "1"}
    system = System(
        drift, parameters={"k": rate}, initial=dict.fromkeys(drift, 0), name="Prothero-Robinson"
    )
    times = np.linspace(0, 10, 41)
    for rtol in (1e-4, 1e-8):
        run = march(system, times, rtol, rtol)
        assert np.abs(run.out[0, 0] - np.sin(times)).max() < 20 * rtol
        assert run.steps[0] < 1500


def test_models_from_biology_agree_with_an_independent_solver(shared_data):
    system = System.from_sbml(shared_data / "biomodels" / "BIOMD0000000009.xml")
    times = np.linspace(0, 150, 31)
    run = march(system, times, 1e-9, 1e-14)
    reference = simulate(system, times, engine=Scipy("LSODA"), rtol=1e-11, atol=1e-15)
    for i, name in enumerate(system.states):
        np.testing.assert_allclose(run.out[i, 0], reference[name][0], rtol=1e-7, atol=1e-12)


RATES = np.array([[0.04], [3e7], [1e4]]) * 10.0 ** np.random.default_rng(0).uniform(-1, 1, (3, 53))


def test_results_depend_neither_on_order_nor_on_neighbors():
    times = np.array([0.0, 1e-3, 1.0, 1e3])
    whole = march(ROBERTSON, times, 1e-6, 1e-12, RATES)
    order = np.random.default_rng(1).permutation(RATES.shape[1])
    shuffled = march(ROBERTSON, times, 1e-6, 1e-12, RATES[:, order])
    pieces = march(ROBERTSON, times, 1e-6, 1e-12, RATES, chunk=5)
    alone = march(ROBERTSON, times, 1e-6, 1e-12, RATES[:, 17:18])
    np.testing.assert_array_equal(shuffled.out, whole.out[:, order])
    np.testing.assert_array_equal(pieces.out, whole.out)
    np.testing.assert_array_equal(alone.out[:, 0], whole.out[:, 17])
    np.testing.assert_array_equal(shuffled.steps, whole.steps[order])


def test_states_may_differ_in_size_by_many_orders():
    """In units that are powers of two, 2^10 and 2^-53, rounding is the same."""
    small, large = 2.0**-53, 2.0**10
    scaled = System(
        {
            "A": f"-k1*A + k3*B/{small}*C/{large}",
            "B": f"{small}*(k1*A - k3*B/{small}*C/{large} - k2*(B/{small})**2)",
            "C": f"{large}*k2*(B/{small})**2",
        },
        parameters={"k1": 0.04, "k2": 3e7, "k3": 1e4},
        initial={"A": 1, "B": 0, "C": 0},
        name="scaled",
    )
    times = np.array([0.0, 1e-3, 1.0, 1e3])
    units = np.array([1.0, small, large])
    run = march(scaled, times, 1e-6, 1e-12 * units)
    plain = march(ROBERTSON, times, 1e-6, 1e-12)
    np.testing.assert_allclose(run.out[:, 0] / units[:, np.newaxis], plain.out[:, 0], rtol=1e-5)
    assert abs(run.steps[0] - plain.steps[0]) <= 2


GROWTH = System({"x": "4*x"}, initial={"x": 1}, name="growth")


def test_a_pivot_that_vanishes_leaves_no_solution():
    made = implicit("growth", GROWTH.rates)
    code = compiled(made.text)
    s, zero, q, u = np.full(LANES, 0.25), np.zeros(LANES), np.empty((1, LANES)), np.ones(LANES)
    f = np.empty((1, LANES))
    _call(code.address("prepare"), zero, np.ones((1, LANES)), zero, s, f, q)
    _call(code.address("solve"), s, zero, f, q, u)
    assert not np.isfinite(u).any()


def test_a_pivot_that_all_but_vanishes_shortens_the_step():
    first = 0.25 / rodas5p().gamma
    assert abs(1 - 4 * rodas5p().gamma * first) < 1e-15
    run = march(GROWTH, np.array([0.0, 2.0]), 1e-8, 1e-8, first=first)
    assert run.status.tolist() == [progress.ARRIVED]
    assert run.out[0, 0, -1] == pytest.approx(np.exp(8), rel=1e-6)


@pytest.mark.parametrize("written", [10**6, -1], ids=["written out", "in loops"])
@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_sparse_equations_are_solved_as_dense_ones(size, written, monkeypatch):
    monkeypatch.setattr(lanes_implicit, "_MOST_WRITTEN", written)
    random = np.random.default_rng(size)
    matrix = np.where(random.random((size, size)) < 0.15, random.normal(size=(size, size)), 0)
    slope = np.where(random.random(size) < 0.5, random.normal(size=size), 0)
    drift = {
        f"x{i}": " + ".join([f"{a}*x{j}" for j, a in enumerate(row) if a] + [f"({s})*t"])
        for i, (row, s) in enumerate(zip(matrix, slope, strict=True))
    }
    system = System(drift, initial=dict.fromkeys(drift, 0), name="linear")
    made = implicit("linear", system.rates)
    code = compiled(made.text)
    x, right, rates = random.normal(size=(3, size, LANES))
    t, s, d = random.uniform(0.1, 0.5, (3, LANES))
    q, none, u = np.full((made.rows, LANES), np.nan), np.zeros(LANES), right.copy()
    _call(code.address("prepare"), t, x, none, s, rates, q)
    _call(code.address("solve"), s, d, rates, q, u)
    np.testing.assert_allclose(rates, matrix @ x + slope[:, np.newaxis] * t, rtol=0, atol=1e-13)
    for k in range(LANES):
        given = s[k] * rates[:, k] + right[:, k] + d[k] * slope
        expected = np.linalg.solve(np.eye(size) - s[k] * matrix, given)
        np.testing.assert_allclose(u[:, k], expected, rtol=1e-10, atol=1e-12)


def _call(address: int, *arrays: Floats) -> None:
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(arrays))
    kind(address)(*(a.ctypes.data for a in arrays))


@pytest.mark.parametrize("method", ["auto", "dormand-prince-5", "rodas5p"])
def test_simulate_goes_on_by_the_stiff_method_where_samples_turn_out_to_be_stiff(method):
    times = np.linspace(0, 2000, 21)
    system = VAN_DER_POL.replace(parameters={"mu": np.array([1.0, 1000.0])})
    run = simulate(system, times, n=2, engine=Numba(method), rtol=1e-7)
    reference = simulate(system, times, n=2, engine=Scipy("LSODA"), rtol=1e-9)
    assert run.status.values.tolist() == [0, 0]
    np.testing.assert_allclose(run.x[1], reference.x[1], atol=1e-4)
    np.testing.assert_allclose(run.x[0, :3], reference.x[0, :3], atol=1e-3)


def test_samples_that_are_all_stiff_go_on_after_something_is_done_to_them():
    fast = System({"x": "1e5*(y - x)", "y": "-y"}, initial={"x": 1, "y": 1})
    run = simulate(fast.do(Impulse("y", 1, at=2)), [0, 1, 3], n=3, engine="numba")
    np.testing.assert_allclose(run.y[:, 1], np.exp(-1), rtol=1e-6)
    np.testing.assert_allclose(run.y[:, 2], np.exp(-3) + np.exp(-1), rtol=1e-6)
