"""The fast engine: its results do not depend on how it is run, and are those of the reference."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import DOP853, RK45

from physcm.mechanism import Hold, Normal, NotCompiled, SetParameter, Uniform
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.lanes import compiler
from physcm.mechanism.lanes.compiler import compiled
from physcm.mechanism.lanes.native import Kernel
from physcm.mechanism.lanes.pool import share
from physcm.mechanism.randomness import step_normals
from physcm.sim import Numba, System, simulate, zoo
from physcm.sim.fused import order_8
from physcm.sim.fused.runge_kutta import RungeKutta, _row, dormand_prince_5, dormand_prince_8
from physcm.sim.modes import Modes
from physcm.sim.plan import SystemPlan
from physcm.sim.status import RunStatus
from physcm.sim.stochastic.run import run

RING = System(
    {f"x{i}": f"a/(1 + x{i - 1 if i else 4}**n) - x{i}" for i in range(5)},
    parameters={"a": Uniform(2, 4), "n": 3.5},
    initial={f"x{i}": Normal(1 + 0.1 * i, 0.1) for i in range(5)},
    algebraic={"total": "x0 + x1 + x2 + x3 + x4"},
    name="ring",
)
NOISY = RING.replace(noise={f"x{i}": f"0.1*x{i}" for i in range(5)})
TIMES = np.linspace(0, 20, 41)


def states(run: Any) -> np.ndarray:
    return np.array([run[name].values for name in RING.variables])


@pytest.mark.parametrize("method", ["dormand-prince-5", "dormand-prince-8"])
def test_runs_agree_with_the_reference_to_the_tolerance(method: str) -> None:
    exact = states(simulate(RING, TIMES, n=40, engine="scipy", rtol=1e-12))
    for rtol in (1e-4, 1e-6, 1e-8):
        run = simulate(RING, TIMES, n=40, engine=Numba(method), rtol=rtol)
        assert abs(states(run) - exact).max() < 200 * rtol


@pytest.mark.parametrize(
    ("method", "scipys"), [(dormand_prince_5(), RK45), (dormand_prince_8(), DOP853)]
)
def test_runge_kutta_methods_are_those_of_scipy(method: RungeKutta, scipys: Any) -> None:
    stages = len(method.a)
    for row, other in zip(method.a, [*scipys.A[1:], scipys.B], strict=True):
        assert row.tolist() == other[: row.size].tolist()
    assert method.c.tolist() == [*scipys.C[1:], 1.0]
    errors = [scipys.E] if scipys is RK45 else [scipys.E5, scipys.E3]
    assert [own.tolist() for own in method.errors] == [other.tolist() for other in errors]
    state, weights = np.append(method.a[-1], [0.0] * (len(method.weights) - stages)), method.weights
    np.testing.assert_allclose(weights.sum(axis=1), state, atol=1e-12)
    if scipys is RK45:
        assert weights.tolist() == scipys.P.tolist()
    else:
        extra = [row[: 13 + i].tolist() for i, row in enumerate(scipys.A_EXTRA)]
        assert [row.tolist() for row in method.extra] == extra
        assert method.extra_c.tolist() == scipys.C_EXTRA.tolist()
        assert np.array([_row(row, 16) for row in order_8.DENSE]).tolist() == scipys.D.tolist()


@pytest.mark.parametrize(("system", "options"), [(RING, {}), (NOISY, {"step": 0.01})])
def test_a_sample_of_a_larger_run_is_that_of_a_smaller_one(system: System, options: Any) -> None:
    many, few = (states(simulate(system, TIMES, n=n, **options)) for n in (333, 7))
    assert many[:, :7].tobytes() == few.tobytes()


def test_the_number_of_threads_changes_nothing() -> None:
    runs = [simulate(RING, TIMES, n=100, engine=Numba(threads=n)) for n in (1, 2, 5)]
    assert runs[0].identical(runs[1])
    assert runs[0].identical(runs[2])


def test_no_thread_stays_after_a_run() -> None:
    before = threading.active_count()
    simulate(RING, TIMES, n=100)
    assert threading.active_count() == before


def test_the_number_of_threads_changes_no_noise() -> None:
    runs = [simulate(NOISY, TIMES, n=100, step=0.01, engine=Numba(threads=n)) for n in (1, 2, 5)]
    assert runs[0].identical(runs[1])
    assert runs[0].identical(runs[2])


@pytest.mark.parametrize("scheme", ["euler-maruyama", "milstein"])
def test_a_sample_alone_has_the_noise_of_that_sample(scheme: str) -> None:
    def values(samples: np.ndarray) -> np.ndarray:
        return run(SystemPlan(Modes(NOISY, samples, 3)), TIMES, 0.01, scheme).values

    assert values(np.array([41])).tobytes() == values(np.arange(60))[:, [41]].tobytes()


@pytest.mark.parametrize("scheme", ["euler-maruyama", "milstein", "sra1"])
def test_stretches_of_steps_give_what_single_steps_in_numpy_give(scheme: str) -> None:
    system = NOISY.replace(parameters={**RING.parameters, "n": 4})  # finite below 0, too
    system = system.do(Hold("x1", 0.5, during=(3.005, 7)), SetParameter(a=3, during=(5, 6)))
    if scheme == "sra1":
        system = system.replace(noise={"x0": "0.1*cos(t)", ("x1", "x0"): 0.2, "x3": "a/10"})
    times = np.array([0, 0.005, 1, 3.0049, 3.1, 5, 6.5, 7, 20])
    plans = [SystemPlan(Modes(system, np.arange(20), 0)) for _ in range(2)]
    fast, slow = (
        run(plan, times, 0.01, scheme, fast=fast).values
        for plan, fast in zip(plans, (True, False), strict=True)
    )
    np.testing.assert_allclose(fast, slow, rtol=1e-10, atol=1e-12)


def test_an_intervened_run_shares_its_noise_up_to_the_intervention() -> None:
    plain = simulate(NOISY, TIMES, n=20, step=0.01)
    held = simulate(NOISY.do(Hold("x2", 1, during=(10, 15))), TIMES, n=20, step=0.01)
    before, after = plain.time.values < 10, plain.time.values > 10.5
    assert (states(plain)[..., before] == states(held)[..., before]).all()
    assert (plain.x3.values != held.x3.values)[:, after].all()


def test_the_normals_are_normal_out_to_five_sigma() -> None:
    z = step_normals(0, "W(x)", np.arange(2_000_000)[:, np.newaxis], np.arange(2)).ravel()
    assert abs(z.mean()) < 5 / math.sqrt(z.size)
    assert abs(z.var() - 1) < 5 * math.sqrt(2 / z.size)
    assert abs((z**3).mean()) < 5 * math.sqrt(15 / z.size)
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96 / z.size)
    assert stats.kstest(z[:200_000], "norm").pvalue > 1e-3
    for sigma in (3, 4, 4.5, 5):
        expected = 2 * z.size * stats.norm.sf(sigma)
        assert abs((abs(z) > sigma).sum() - expected) < 5 * math.sqrt(expected) + 3


def test_the_normals_of_different_samples_steps_and_sources_are_unrelated() -> None:
    samples, steps = np.arange(500), np.arange(1000)
    z = step_normals(0, "W(x)", samples[:, np.newaxis], steps)
    other = step_normals(0, "W(y)", samples[:, np.newaxis], steps)
    bound = 5 / math.sqrt(z.size)
    pairs = [(z[1:], z[:-1]), (z[:, 1:], z[:, :-1]), (z[:, 2:], z[:, :-2]), (z, other)]
    for a, b in [*pairs, (z**2 - 1, other), (z[:, 1:] ** 2 - 1, z[:, :-1] ** 2 - 1)]:
        assert abs((a * b).mean()) < 2 * bound


SMOOTH = [
    name
    for name in zoo.names()
    if not (s := zoo.load(name)).noise and not s.jumps and not s.events and not s.schedule
]


@pytest.mark.parametrize("name", SMOOTH)
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_zoo_runs_as_on_the_reference_engine_under_interventions(name: str, data: Any) -> None:
    system = zoo.load(name)
    x0, p = system.draw(np.arange(1), 0)
    jacobian = system.rates.jacobian.dense(0.0, x0[:, 0], p[:, 0])
    end = min(10 / max(np.abs(jacobian).sum(axis=1).max(), 1e-3), 100.0)
    held = data.draw(st.sets(st.sampled_from(system.states), max_size=1))
    for state in held:
        value = float(x0[system.states.index(state), 0]) * data.draw(st.sampled_from([0.5, 1, 1.5]))
        system = system.do(Hold(state, value))
    times = np.linspace(0, end, 11)
    ours = simulate(system, times, n=2, engine="numba", rtol=1e-8)
    reference = simulate(system, times, n=2, engine="scipy", rtol=1e-10)
    assert (ours.status == reference.status).all()
    for variable in system.variables:
        a, b = ours[variable].values, reference[variable].values
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6 * np.nanmax(abs(b)) + 1e-300)


def test_a_function_that_lanes_lack_runs_on_the_reference_engine_unless_told() -> None:
    system = System({"x": -sp.polygamma(0, sp.Symbol("x"))}, initial={"x": 2})
    assert simulate(system, [0, 1]).attrs["engine"] == "scipy"
    with pytest.raises(Unsupported, match="the numba engine has no function"):
        simulate(system, [0, 1], engine="numba")


def test_code_that_does_not_compile_runs_on_the_reference_engine_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("PHYSCM_CACHE_DIR", str(tmp_path))
    compiled.cache_clear()

    def refuse(*_: Any) -> bytes:
        raise NotCompiled("LLVM refuses generated code")

    monkeypatch.setattr(compiler, "_emit", refuse)
    system = System({"x": "-3.25*x"}, initial={"x": 1}, name="refused")
    with pytest.warns(UserWarning, match="the reference engine runs instead"):
        run = simulate(system, [0, 1])
    assert float(run.x[0, -1]) == pytest.approx(math.exp(-3.25))
    compiled.cache_clear()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("euler",), "`euler` is no method of the numba engine"),
        (("auto", 0), "threads is `0`"),
        (("auto", 1.5), "threads is `1.5`"),
        (("auto", "two"), "threads is `'two'`"),
    ],
)
def test_misuse_of_the_engine_is_named(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        Numba(*arguments)


def test_growth_without_bound_ends_as_diverged() -> None:
    run = simulate(System({"x": "x**2"}, initial={"x": 1}), [0, 0.5, 2], n=3)
    assert run.status.values.tolist() == [RunStatus.DIVERGED] * 3
    assert run.x.values[:, 1] == pytest.approx(2)
    assert np.isnan(run.x.values[:, 2]).all()


def test_two_processes_may_share_a_cache(tmp_path: Any) -> None:
    code = (
        "import numpy as np\nfrom physcm.sim import System, simulate\n"
        "s = System({'x': '-x + tanh(y)', 'y': '-y'}, initial={'x': 1, 'y': 2})\n"
        "print(repr(float(simulate(s, [0, 1], n=20).x[7, 1])))\n"
    )
    environment = {"PHYSCM_CACHE_DIR": str(tmp_path), "PATH": "", "HOME": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
        for _ in range(2)
    ]
    first, second = (process.communicate(timeout=120)[0] for process in processes)
    assert first == second != b""


def test_threads_that_call_a_kernel_at_once_have_it_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def made(self: Kernel, arguments: Any) -> Any:
        calls.append(arguments)
        time.sleep(0.1)
        return self.function

    monkeypatch.setattr(Kernel, "_made", made)
    calls: list[Any] = []
    double = Kernel(lambda x: 2 * x)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(double, range(4))) == [0, 2, 4, 6]
    assert len(calls) == 1


def test_a_damaged_cache_of_kernels_does_not_matter(tmp_path: Any) -> None:
    code = (
        "from physcm.sim import System, simulate\n"
        "print(float(simulate(System({'x': '-x'}, initial={'x': 1}), [0, 1]).x[0, 1]))\n"
    )
    environment = {"PHYSCM_CACHE_DIR": str(tmp_path), "PATH": "", "HOME": str(tmp_path)}

    def answer() -> str:
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True,
            check=True, timeout=120,
        ).stdout  # fmt: skip

    expected = answer()
    for file in tmp_path.rglob("*.nb*"):
        file.write_bytes(b"damaged")
    assert answer() == expected
    assert answer() == expected
    kept = list(tmp_path.rglob("*.nb*"))
    assert kept
    assert all(file.read_bytes() != b"damaged" for file in kept)


def test_without_kernels_everything_runs_on_the_reference_with_a_warning(tmp_path: Any) -> None:
    code = (
        "import networkx as nx, warnings\nfrom physcm.sim import System, simulate\n"
        "warnings.simplefilter('always')\n"
        "s = System({'x': '-x'}, initial={'x': 1})\n"
        "print(simulate(s, [0, 1]).attrs['engine'])\n"
        "print(simulate(s.replace(noise={'x': 0.1}), [0, 1], step=0.5).status.item())\n"
        "graph = nx.cycle_graph(2000)\n"
        "net = System.from_network({'v': 'inputs - v'}, 'v_cause', graph, initial={'v': 1})\n"
        "print(simulate(net, [0, 1]).status.item())\n"
    )
    environment = {"PHYSCM_CACHE_DIR": str(tmp_path), "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.split() == ["scipy", "0", "0"]
    told = re.findall(r"`NUMBA_DISABLE_JIT` forbids kernels; unset it; (.*) instead", done.stderr)
    assert told == [
        "the reference engine runs",
        "NumPy takes the steps",
        "NumPy evaluates the network",
    ]


def test_a_break_is_heard_while_a_kernel_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(self: Kernel, arguments: Any) -> Any:
        assert threading.current_thread() is threading.main_thread()
        return self.function

    monkeypatch.setattr(Kernel, "_made", made)
    sums: list[int] = []
    kernel = Kernel(lambda low, high, stop: sums.append(high - low))
    share(kernel, 10, threads=2, grain=1)
    assert sum(sums) == 10


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
