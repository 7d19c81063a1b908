"""Work shared out among threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import numpy as np
from numpy.typing import NDArray

_LOOK = 0.1
_PER_THREAD = 8

Work = Callable[[int, int, NDArray[np.int64]], None]


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(
    work: Work,
    count: int,
    *,
    threads: int,
    grain: int,
    seconds: float = np.inf,
    done: Callable[[int], None] = lambda _: None,
) -> bool:
    """Do all of 0, ..., count - 1 on several threads; return whether there was time for it.

    Args:
        work: called with a range (low, high) and an array (1,), which turns from 0 to 1 when
            the work is to break off: when time is up, and on Ctrl-C.
        count: how much there is to do.
        threads: how many at once.
        grain: ranges hold a multiple of so many.
        seconds: how long all of it may take.
        done: called with the size of each range that is done.
    """
    stop = np.zeros(1, dtype=np.int64)
    size = -(-count // (threads * _PER_THREAD * grain)) * grain
    deadline = time.monotonic() + seconds
    with ThreadPoolExecutor(threads, thread_name_prefix="physcm") as pool:
        ranges = [(low, min(low + size, count)) for low in range(0, count, size)]
        waiting = {pool.submit(work, low, high, stop): high - low for low, high in ranges}
        try:
            while waiting and time.monotonic() < deadline:
                for future in wait(waiting, _LOOK, FIRST_COMPLETED).done:
                    future.result()
                    done(waiting.pop(future))
        finally:
            stop[0] = bool(waiting)
            for future in waiting:
                future.cancel()
    return not waiting
