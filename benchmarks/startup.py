"""How long until the first result, in a new process, and until a large system is compiled?

Question: how many seconds does the first `simulate` of 8 coupled states take after the imports,
with an empty cache and with the cache that the first run left; how long does
`import physcm.sim` take; and how long do 500 equations take to their first result?

Each number comes from a process of its own.

Run: python -m benchmarks.startup

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, no other work): 8 states 1.6 s
cold and 0.39 s warm, with noise 2.1 and 0.41 s, 500 states 3.4 and 0.87 s, the import 0.57 s.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from benchmarks.timing import machine

IMPORT = """
import time
begin = time.perf_counter()
import physcm.sim
print(time.perf_counter() - begin)
"""
FIRST = """
import time
import numpy as np
from physcm.sim import System, simulate
n = {n}
system = System(
    {{f"x{{i}}": f"-x{{i}} + tanh(2*x{{(i + 1) % n}} - x{{(i - 1) % n}})" for i in range(n)}},
    initial={{f"x{{i}}": 0.1 * (i % 7) for i in range(n)}},
    noise={{f"x{{i}}": 0.1 for i in range(n)}} if {noise} else {{}},
)
options = {{"step": 0.01}} if {noise} else {{}}
begin = time.perf_counter()
simulate(system, np.linspace(0, 10, 101), n=16, **options)
print(time.perf_counter() - begin)
"""


def seconds(code: str, cache: str) -> float:
    """Return what a program prints in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PHYSCM_CACHE_DIR": cache},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def cold_and_warm(code: str, repeats: int = 3) -> tuple[float, float]:
    """Return the best of several runs with empty caches, and with those that they left."""
    cold, warm = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(seconds(code, cache))
            warm.append(seconds(code, cache))
    return min(cold), min(warm)


if __name__ == "__main__":
    print(machine())
    print(f"import physcm.sim       {min(seconds(IMPORT, '') for _ in range(5)):6.2f} s")
    cases = [
        ("8 states", 8, False, 3),
        ("8 states with noise", 8, True, 3),
        ("500 states", 500, False, 1),
    ]
    for title, n, noise, repeats in cases:
        cold, warm = cold_and_warm(FIRST.format(n=n, noise=noise), repeats)
        print(f"{title:24}{cold:6.2f} s cold {warm:6.2f} s warm")
