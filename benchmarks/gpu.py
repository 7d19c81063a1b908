"""How much faster is the torch engine on a GPU than machine code on all cores?

Question: how long do a million samples of the network of 8 states with tanh couplings and
additive noise take (1,000 steps, 100 saved times, double precision), by torchsde on the device,
noise included, and by the engine for CPUs on all cores of the same machine? The two runs are the
same to rounding, which is checked on a part.

Run: python -m benchmarks.gpu [device] [samples]   (by default `cuda`, 1,000,000)

There is no result yet: no GPU was at hand. Arithmetic in double precision apart, what limits the
device is memory: each operation of PyTorch reads and writes all samples, some 80 times for the
draws of two steps and 40 for the rates; a kernel that fuses a step would do so once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import torch
import xarray as xr

from benchmarks.sde_ensemble import SAVED, STEPS, H, tanh_network
from benchmarks.timing import best, machine, table
from physcm.sim import simulate
from physcm.sim.torch_engine import Torch

CHECKED = 1_000


def main(device: str = "cuda", samples: int = 1_000_000) -> None:
    """Print both times, or why there are none."""
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU here; name another device to try the benchmark: cpu")
    system, times = tanh_network()[0], np.linspace(0, STEPS * H, SAVED + 1)

    def run(engine: str | Torch) -> Callable[..., xr.Dataset]:
        return lambda n=samples: simulate(system, times, n=n, step=H, engine=engine)

    ours, on_device = run("euler-maruyama"), run(Torch("euler", device=device))
    xr.testing.assert_allclose(
        ours(CHECKED)[[*system.states]], on_device(CHECKED)[[*system.states]]
    )
    per = 1e9 / (samples * len(system.states) * STEPS)
    name = torch.cuda.get_device_name() if device == "cuda" else device
    table(
        f"{samples:,} samples; {machine()}",
        per * best(ours, 2)[1],
        {f"torch on {name}": per * best(on_device, 2)[1]},
        "ns per state and step",
    )


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
