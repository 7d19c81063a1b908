"""Work shared out among threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats

_LOOK = 0.1
_PER_THREAD = 8
_PIECE = 16384

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
            the work is to break off: when time is up, and on Ctrl-C. The first range is empty.
        count: how much there is to do.
        threads: how many at once.
        grain: ranges hold a multiple of so many.
        seconds: how long all of it may take.
        done: called with the size of each range that is done.
    """
    stop = np.zeros(1, dtype=np.int64)
    size = -(-count // (threads * _PER_THREAD * grain)) * grain
    ranges = iter([(low, min(low + size, count)) for low in range(0, count, size or 1)])
    finished: list[int] = []
    failures: list[BaseException] = []

    def some() -> None:
        try:
            for low, high in ranges:
                if stop[0]:
                    break
                work(low, high, stop)
                finished.append(high - low)
        except BaseException as error:
            failures.append(error)

    if count:
        work(0, 0, stop)  # Kernels are compiled by this thread, which hears Ctrl-C.
    deadline, late = time.monotonic() + seconds, False
    workers: list[Thread] = []
    try:
        for _ in range(min(threads, -(-count // grain))):
            worker = Thread(target=some, name="physcm")
            worker.start()
            workers.append(worker)
        while not late and (running := [w for w in workers if w.is_alive()]):
            running[0].join(min(_LOOK, seconds))
            _tell(finished, done)
            late = time.monotonic() >= deadline
    finally:
        stop[0] = 1
        for worker in workers:
            worker.join()
    if failures:
        raise failures[0]
    _tell(finished, done)
    return not late


def in_pieces(work: Callable[[slice], None], count: int) -> None:
    """Do work on all of 0, ..., count - 1 in pieces that fit the cache, on all cores.

    >>> squares = np.arange(10)
    >>> def square(piece: slice) -> None:
    ...     squares[piece] **= 2
    >>> in_pieces(square, 10)
    >>> squares.tolist()
    [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
    """

    def some(low: int, high: int, stop: NDArray[np.int64]) -> None:
        for first in range(low, high, _PIECE):
            if not stop[0]:
                work(slice(first, min(first + _PIECE, high)))

    if count <= _PIECE:
        work(slice(0, count))
    else:
        share(some, count, threads=cores(), grain=_PIECE)


def missing(shape: tuple[int, ...]) -> Floats:
    """Return an array of NaN, (variables, samples, ...).

    Memory is slow to touch for the first time, so that all cores do it, and Ctrl-C is heard.
    """
    values = np.empty(shape)
    in_pieces(lambda own: values[:, own].fill(np.nan), shape[1])
    return values


def _tell(finished: list[int], done: Callable[[int], None]) -> None:
    while finished:
        done(finished.pop())
