"""How fast are ensembles of smooth, non-stiff systems at equal accuracy, beside the peers?

Question: how long do 1,000 samples with parameters of their own and 101 saved points take on all
cores, at an achieved error of 1e-4, ..., 1e-9? The error is the largest over 10 samples, all
states and all saved times, against SciPy's DOP853 at a tolerance of 1e-13, in units of the
largest value of the state. Systems: rings of 5 and 6 genes with Hill functions, Lorenz (t = 5),
and a chain of 5 masses between walls.

Peers: heyoka (Taylor series, batch mode, threads), diffrax (Dopri8, compiled and vectorized),
SciPy's solve_ivp (DOP853, in a loop over fewer samples). Each runs at a range of tolerances;
times at equal error are read off its work-precision line. Compile times are left out here and
printed apart. The plot goes to benchmarks/results/ode_ensemble.png.

Run: python -m benchmarks.ode_ensemble   (needs the extras `dev` and `bench`)

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, no other work of ours; the ranges
are those of two runs): times of the peers over ours, at errors of 1e-4, 1e-6 and 1e-8

                       heyoka                       diffrax                  SciPy
    ring of 5 genes    1.5-2.5  2.1-2.2  1.3-1.4    16-18  21-22  26-28      1,500 to 2,000
    ring of 6 genes    1.9-2.1  1.2-1.5  1.4-1.6    8-9    8      9-11         640 to 960
    Lorenz             1.9      1.5-1.7  1.4-1.5    19-26  26-36  38-52      2,300 to 4,800
    chain of masses    1.9-2.2  1.7-2.0  1.8        18-19  28-37  62-66      1,800 to 4,200
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp

from benchmarks.timing import best, machine, table
from physcm.mechanism.distributions import Uniform
from physcm.mechanism.lanes.pool import cores
from physcm.sim import System, simulate

SAMPLES, CHECKED, POINTS = 1_000, 10, 101
TOLERANCES = [10.0**-k for k in range(3, 13)]
ERRORS = [10.0**-k for k in range(4, 10)]
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Case:
    """A system, its right-hand side for other libraries, and the time to the end."""

    name: str
    system: System
    rates: Callable[[Sequence[object], object], list[object]]
    end: float

    @property
    def times(self) -> np.ndarray:
        return np.linspace(0, self.end, POINTS)

    def samples(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return initial states (states, samples) and the parameter of each sample."""
        x, p = self.system.draw(np.arange(count), 0)
        return x, p[0]


def ring(n: int) -> Case:
    system = System(
        {f"x{i}": f"a/(1 + x{i - 1 if i else n - 1}**4) - x{i}" for i in range(n)},
        parameters={"a": Uniform(2.5, 3.5)},
        initial={f"x{i}": 0.1 + 0.2 * i for i in range(n)},
        name=f"ring of {n} genes",
    )
    rates = lambda x, a: [a / (1 + x[i - 1] ** 4) - x[i] for i in range(n)]  # noqa: E731
    return Case(f"ring of {n} genes", system, rates, 50.0)


def lorenz() -> Case:
    system = System(
        {"x": "10*(y - x)", "y": "x*(r - z) - y", "z": "x*y - 8/3*z"},
        parameters={"r": Uniform(20, 30)},
        initial={"x": 1, "y": 1, "z": 20},
        name="Lorenz",
    )

    def rates(x: Sequence[object], r: object) -> list[object]:
        return [10 * (x[1] - x[0]), x[0] * (r - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]

    return Case("Lorenz", system, rates, 5.0)


def masses(n: int = 5) -> Case:
    def force(i: int) -> str:
        left = f"q{i - 1}" if i else "0"
        right = f"q{i + 1}" if i < n - 1 else "0"
        return f"k*({right} - 2*q{i} + {left}) - 0.1*v{i}"

    drift = {f"q{i}": f"v{i}" for i in range(n)} | {f"v{i}": force(i) for i in range(n)}
    system = System(
        drift,
        parameters={"k": Uniform(0.5, 1.5)},
        initial={name: 0.1 * j for j, name in enumerate(drift)},
        name="masses",
    )

    def rates(x: Sequence[object], k: object) -> list[object]:
        q, v = [0, *x[:n], 0], x[n:]
        pull = [k * (q[i + 2] - 2 * q[i + 1] + q[i]) - 0.1 * v[i] for i in range(n)]
        return [*v, *pull]

    return Case("chain of 5 masses", system, rates, 50.0)


def exact(case: Case) -> np.ndarray:
    """Return the first samples at a tolerance of 1e-13, (states, samples, times)."""
    x, p = case.samples(CHECKED)
    runs = [
        solve_ivp(
            lambda t, y, a=p[k]: case.rates(y, a), (0, case.end), x[:, k], method="DOP853",
            t_eval=case.times, rtol=1e-13, atol=1e-15,
        ).y
        for k in range(CHECKED)
    ]  # fmt: skip
    return np.stack(runs, axis=1)


def ours(case: Case) -> Callable[[float], np.ndarray]:
    def run(tolerance: float) -> np.ndarray:
        data = simulate(case.system, case.times, n=SAMPLES, rtol=tolerance, engine="numba")
        return np.array([data[s].values[:CHECKED] for s in case.system.states])

    return run


def with_scipy(case: Case, count: int = CHECKED) -> Callable[[float], np.ndarray]:
    x, p = case.samples(count)

    def run(tolerance: float) -> np.ndarray:
        runs = [
            solve_ivp(
                lambda t, y, a=p[k]: case.rates(y, a), (0, case.end), x[:, k], method="DOP853",
                t_eval=case.times, rtol=tolerance, atol=1e-3 * tolerance,
            ).y
            for k in range(count)
        ]  # fmt: skip
        return np.stack(runs, axis=1)

    return run


def with_diffrax(case: Case) -> Callable[[float], np.ndarray]:
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    x, p = case.samples(SAMPLES)
    term = diffrax.ODETerm(lambda t, y, a: jnp.stack(case.rates(y, a)))
    times = jnp.asarray(case.times)

    @jax.jit
    def solve(x: object, p: object, tolerance: object) -> object:
        def one(x0: object, a: object) -> object:
            return diffrax.diffeqsolve(
                term, diffrax.Dopri8(), 0.0, case.end, None, x0, args=a,
                saveat=diffrax.SaveAt(ts=times), max_steps=100_000, throw=False,
                stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=1e-3 * tolerance),
                adjoint=diffrax.DirectAdjoint(),
            ).ys  # fmt: skip

        return jax.vmap(one)(x, p)

    def run(tolerance: float) -> np.ndarray:
        ys = np.asarray(solve(x.T, p, tolerance).block_until_ready())
        return np.moveaxis(ys[:CHECKED], (0, 1, 2), (1, 2, 0))

    return run


def with_heyoka(case: Case) -> Callable[[float], np.ndarray]:
    import heyoka as hy

    names = case.system.states
    x, p = case.samples(SAMPLES)
    width = hy.recommended_simd_size()
    variables = hy.make_vars(*names)
    right = case.rates(list(variables), hy.par[0])
    system = list(zip(variables, [r + 0.0 * variables[0] for r in right], strict=True))
    integrators: dict[float, list[object]] = {}
    batches = -(-SAMPLES // width)
    order = np.minimum(np.arange(batches * width), SAMPLES - 1).reshape(batches, width)

    def run(tolerance: float) -> np.ndarray:
        if tolerance not in integrators:
            first = hy.taylor_adaptive_batch(
                system, np.zeros((len(names), width)), pars=np.zeros((1, width)), tol=tolerance
            )
            integrators[tolerance] = [first, *(copy.deepcopy(first) for _ in range(cores() - 1))]
        grid = np.repeat(case.times[:, np.newaxis], width, axis=1)
        saved = np.empty((batches, POINTS, len(names), width))

        def work(own: int) -> None:
            ta = integrators[tolerance][own]
            for i in range(own, batches, cores()):
                ta.set_time(0.0)
                ta.state[:] = x[:, order[i]]
                ta.pars[:] = p[order[i]]
                saved[i] = ta.propagate_grid(grid)[1]

        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(work, range(cores())))
        states = np.concatenate(saved[: -(-CHECKED // width)], axis=2)
        return np.moveaxis(states[:, :, :CHECKED], (0, 1, 2), (2, 0, 1))

    return run


def line(
    run: Callable[[float], np.ndarray], truth: np.ndarray, per: float, repeats: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return achieved errors and times for all samples, over a range of tolerances."""
    scale = np.abs(truth).max(axis=(1, 2), keepdims=True)
    errors, times = [], []
    for tolerance in TOLERANCES:
        run(tolerance)
        result, seconds = best(lambda tolerance=tolerance: run(tolerance), repeats)
        errors.append(max(np.abs((result - truth) / scale).max(), 1e-16))
        times.append(seconds * per)
    return np.array(errors), np.array(times)


def at(error: float, errors: np.ndarray, times: np.ndarray) -> float:
    """Return the time at an error, between neighbors on the work-precision line."""
    falling = np.minimum.accumulate(errors)
    where = np.log(falling[::-1])
    return float(np.exp(np.interp(np.log(error), where, np.log(times)[::-1])))


def compare(case: Case, axes: object) -> None:
    truth = exact(case)
    begin = time.perf_counter()
    ours(case)(1e-6)
    print(f"\n{case.name}: first run {time.perf_counter() - begin:.2f} s")
    lines = {"physcm": line(ours(case), truth, 1.0, 3)}
    makers = {"heyoka": with_heyoka, "diffrax": with_diffrax}
    for name, make in makers.items():
        try:
            lines[name] = line(make(case), truth, 1.0, 2)
        except ImportError as error:
            print(f"  {name} is left out: {error}")
    lines["SciPy DOP853"] = line(with_scipy(case), truth, SAMPLES / CHECKED, 1)
    for error in ERRORS:
        per = {name: 1e6 / SAMPLES * at(error, *own) for name, own in lines.items()}
        table(f"{case.name}, error {error:.0e}", per.pop("physcm"), per, "us per sample")
    for name, (errors, times) in lines.items():
        axes.loglog(errors, times / SAMPLES * 1e6, "o-", label=name, markersize=3)
    axes.set_title(case.name)
    axes.set_xlabel("largest relative error")
    axes.set_ylabel("µs per sample")
    axes.invert_xaxis()
    axes.legend(frameon=False, fontsize=8)


if __name__ == "__main__":
    print(machine())
    figure = Figure(figsize=(10, 8), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    for case, panel in zip([ring(5), ring(6), lorenz(), masses()], panels, strict=True):
        compare(case, panel)
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / "ode_ensemble.png", dpi=120)
