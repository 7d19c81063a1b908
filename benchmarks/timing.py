"""What all benchmarks share: the best time of several runs, the machine, and a table."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any


def best(action: Callable[[], Any], repeats: int = 3) -> tuple[Any, float]:
    """Return a result and the best time of several runs, in seconds."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = action()
        times.append(time.perf_counter() - begin)
    return result, min(times)


def machine() -> str:
    """Return the processor, the number of cores in use and the version of Python."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        name = models[0] if models else name
    except OSError:
        pass
    return f"{name}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"


def table(title: str, ours: float, peers: Mapping[str, float], unit: str) -> None:
    """Print one line per peer, with how many times as long it takes as we do."""
    print(f"\n{title}\n  {'physcm':28}{ours:12.3f} {unit}")
    for name, value in peers.items():
        if math.isnan(value):
            print(f"  {name:28}   not reached")
            continue
        print(f"  {name:28}{value:12.3f} {unit}   {value / ours:8.1f} times physcm")
