"""How fast are ensembles of stochastic differential equations, beside the peers?

Question: what does one Euler-Maruyama step of one state of one sample cost, in nanoseconds,
for 20,000 samples with 1,000 steps and 100 saved times, in double precision on all cores?

- a network of 8 states with tanh couplings and additive noise,
- a network of 20 genes with Hill functions and noise in proportion to the state,
- Lorenz-96 with 40 states and additive noise.

Peers: torchsde, diffrax, vectorized NumPy, and for the first system a kernel that was fused by
hand with Numba. The time to compile is printed apart. Peers take fewer steps where they are
slow, which does not change what one step costs.

Run: python -m benchmarks.sde_ensemble   (needs the extras `dev` and `bench`)

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, no other work of ours): 3.1, 1.5
and 1.3 ns; NumPy takes 4.1, 8.9 and 8.3 times as long, torchsde 13, 25 and 26 times, diffrax 3.4,
6.9 and 7.0 times, the kernel fused by hand 3.9 times. The first system varies with the machine: the
same code took 2.2 ns on another day, when NumPy took 6.3 times as long, torchsde 18, diffrax 6.7
and the kernel fused by hand 5.7.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.fused_by_hand import by_hand
from benchmarks.timing import best, machine, table
from physcm.sim import System, simulate

SAMPLES, STEPS, SAVED, H = 20_000, 1_000, 100, 0.01
Drift = Callable[..., object]


def tanh_network() -> tuple[System, Drift, Drift]:
    """Return 8 states with tanh couplings: the system, its drift and its diffusion."""
    n, s = 8, 0.3
    A = np.random.default_rng(0).normal(size=(n, n)).round(2)
    inputs = [" + ".join(f"{A[i, j]}*x{j}" for j in range(n)) for i in range(n)]
    system = System(
        {f"x{i}": f"-x{i} + tanh({inputs[i]})" for i in range(n)},
        noise={f"x{i}": "s" for i in range(n)},
        parameters={"s": s},
        initial={f"x{i}": 0.1 for i in range(n)},
        name="tanh network",
    )
    return system, lambda lib, x: -x + lib.tanh(x @ lib.asarray(A.T)), lambda lib, x: s + 0 * x


def hill_network() -> tuple[System, Drift, Drift]:
    """Return 20 genes, each repressed by one and activated by another."""
    n, a = 20, 2.0
    system = System(
        {
            f"x{i}": f"a*x{(i + 7) % n}**2/(1 + x{(i + 7) % n}**2)/(1 + x{i - 1}**4) - x{i}"
            if i
            else f"a*x7**2/(1 + x7**2)/(1 + x{n - 1}**4) - x0"
            for i in range(n)
        },
        noise={f"x{i}": f"s*x{i}" for i in range(n)},
        parameters={"a": a, "s": 0.1},
        initial={f"x{i}": 0.5 for i in range(n)},
        name="Hill network",
    )

    def drift(lib: object, x: object) -> object:
        up, down = lib.roll(x, -7, -1), lib.roll(x, 1, -1)  # type: ignore[attr-defined]
        return a * up**2 / (1 + up**2) / (1 + down**4) - x  # type: ignore[operator]

    return system, drift, lambda lib, x: 0.1 * x


def lorenz_96() -> tuple[System, Drift, Drift]:
    """Return Lorenz-96 with 40 states."""
    n = 40
    system = System(
        {f"x{i}": f"(x{(i + 1) % n} - x{(i - 2) % n})*x{(i - 1) % n} - x{i} + F" for i in range(n)},
        noise={f"x{i}": "s" for i in range(n)},
        parameters={"F": 8, "s": 0.5},
        initial={f"x{i}": 8 + 0.01 * (i == 0) for i in range(n)},
        name="Lorenz-96",
    )

    def drift(lib: object, x: object) -> object:
        roll = lib.roll  # type: ignore[attr-defined]
        return (roll(x, -1, -1) - roll(x, 2, -1)) * roll(x, 1, -1) - x + 8.0

    return system, drift, lambda lib, x: 0.5 + 0 * x


def with_numpy(n: int, drift: Drift, diffusion: Drift, steps: int) -> None:
    """Take the steps with vectorized NumPy."""
    random, x = np.random.default_rng(0), np.full((SAMPLES, n), 0.5)
    saved = np.empty((SAVED, SAMPLES, n))
    for k in range(steps):
        noise = np.sqrt(H) * random.standard_normal(x.shape)
        x = x + H * drift(np, x) + diffusion(np, x) * noise
        if k % (STEPS // SAVED) == 0:
            saved[k // (STEPS // SAVED)] = x


def with_torchsde(n: int, drift: Drift, diffusion: Drift, steps: int) -> None:
    """Take the steps with torchsde."""
    import torch
    import torchsde

    class Library:
        tanh, roll = torch.tanh, staticmethod(lambda x, k, d: torch.roll(x, k, d))
        asarray = staticmethod(lambda a: torch.tensor(a))

    class Equation(torch.nn.Module):
        sde_type, noise_type = "ito", "diagonal"

        def f(self, t: object, x: object) -> object:
            return drift(Library, x)

        def g(self, t: object, x: object) -> object:
            return diffusion(Library, x)

    torch.set_num_threads(2)
    times = torch.linspace(0, steps * H, steps * SAVED // STEPS + 1, dtype=torch.float64)
    with torch.no_grad():
        torchsde.sdeint(
            Equation(), torch.full((SAMPLES, n), 0.5, dtype=torch.float64), times, dt=H,
            method="euler",
        )  # fmt: skip


def with_diffrax(n: int, drift: Drift, diffusion: Drift, steps: int) -> Callable[[], object]:
    """Return a compiled function that takes the steps with diffrax."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    times = jnp.linspace(0, steps * H, steps * SAVED // STEPS + 1)

    def one(key: object) -> object:
        path = diffrax.UnsafeBrownianPath(shape=(n,), key=key)
        terms = diffrax.MultiTerm(
            diffrax.ODETerm(lambda t, x, _: drift(jnp, x)),
            diffrax.ControlTerm(
                lambda t, x, _: __import__("lineax").DiagonalLinearOperator(diffusion(jnp, x)), path
            ),
        )
        return diffrax.diffeqsolve(
            terms, diffrax.Euler(), 0, steps * H, dt0=H, y0=jnp.full(n, 0.5),
            saveat=diffrax.SaveAt(ts=times), max_steps=steps + 1,
            adjoint=diffrax.DirectAdjoint(),
        ).ys  # fmt: skip

    run = jax.jit(jax.vmap(one))
    keys = jax.random.split(jax.random.key(0), SAMPLES)
    return lambda: run(keys).block_until_ready()


def compare(title: str, system: System, drift: Drift, diffusion: Drift) -> None:
    """Print what one step of one state costs with each."""
    n = len(system.states)
    times = np.linspace(0, STEPS * H, SAVED + 1)

    def ours(samples: int = SAMPLES) -> object:
        return simulate(system, times, n=samples, step=H, engine="euler-maruyama")

    begin = time.perf_counter()
    ours(16)
    first = time.perf_counter() - begin
    per = 1e9 / (SAMPLES * n)
    cost = best(ours)[1] * per / STEPS
    peers, few = {}, STEPS // 10
    peers["NumPy"] = best(lambda: with_numpy(n, drift, diffusion, few), 2)[1] * per / few
    if "torchsde" not in sys.argv:
        peers["torchsde"] = best(lambda: with_torchsde(n, drift, diffusion, few), 2)[1] * per / few
    run = with_diffrax(n, drift, diffusion, STEPS)
    _, compiling = best(run, 1)
    peers["diffrax"] = best(run, 2)[1] * per / STEPS
    if n == 8:
        by_hand(16, STEPS, SAVED, H)
        peers["fused by hand (Numba)"] = (
            best(lambda: by_hand(SAMPLES, STEPS, SAVED, H))[1] * per / STEPS
        )
    table(title, cost, peers, "ns per state and step")
    print(
        f"  (first run of 16 samples: physcm {first:.2f} s; compiling in diffrax {compiling:.2f} s)"
    )


if __name__ == "__main__":
    print(machine())
    for name, make in {
        "8 states, tanh, additive noise": tanh_network,
        "20 genes, Hill functions, multiplicative noise": hill_network,
        "Lorenz-96, 40 states, additive noise": lorenz_96,
    }.items():
        compare(name, *make())
