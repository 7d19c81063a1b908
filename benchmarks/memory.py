"""How much memory does a run take beside its output?

Question: by how much does the peak of the process, Python and all libraries included, exceed
the saved output of 100,000 samples of 8 states at 101 times, in memory and written to a zarr
store?

Each run is a process of its own, after one of a single sample that fills the cache of code.

Run: python -m benchmarks.memory   (on Linux)

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, code in the cache): 275 MB over
the dataset for smooth systems, 291 with noise and 299 with a window, of which the process itself
is 250 (NumPy, SymPy, xarray and Numba; 20 to 50 more where kernels are compiled first); 410 in all
where a store is written.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.timing import machine

SAMPLES, STATES, POINTS = 100_000, 8, 101
RUN = """
import resource
import tempfile
import numpy as np
from physcm.mechanism import Hold, Uniform
from physcm.sim import System, simulate
n = {states}
system = System(
    {{f"x{{i}}": f"a*tanh(x{{(i + 1) % n}}) - x{{i}}" for i in range(n)}},
    parameters={{"a": Uniform(1, 2)}},
    initial={{f"x{{i}}": 0.1 * i for i in range(n)}},
    noise={{f"x{{i}}": 0.1 for i in range(n)}} if {noise} else {{}},
).do({change})
options = {{"step": 0.01}} if {noise} else {{}}
with tempfile.TemporaryDirectory() as folder:
    to = folder + "/run.zarr" if {stored} else None
    data = simulate(system, np.linspace(0, 10, {points}), n={samples}, to=to, **options)
print(data.nbytes / 1e6, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)
"""
CASES = {
    "smooth": {"noise": False, "change": "", "stored": False},
    "noise": {"noise": True, "change": "", "stored": False},
    "window": {"noise": False, "change": "Hold('x0', 1, during=(2, 3))", "stored": False},
    "smooth, to zarr": {"noise": False, "change": "", "stored": True},
    "noise, to zarr": {"noise": True, "change": "", "stored": True},
}


def sizes(case: dict[str, object], samples: int) -> tuple[float, float]:
    """Return the size of the dataset and the largest of the process, in MB."""
    code = RUN.format(samples=samples, states=STATES, points=POINTS, **case)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    output, peak = map(float, done.stdout.split())
    return output, peak


if __name__ == "__main__":
    print(machine())
    for title, case in CASES.items():
        sizes(case, 1)
        output, most = sizes(case, SAMPLES)
        over = most if case["stored"] else most - output
        print(f"{title:18} peak {most:6.0f} MB, beside the output in memory {over:6.0f} MB")
