"""What a simulation is asked for, checked before it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue
from physcm.sim.engine import Scipy
from physcm.sim.fused.numba_engine import Numba

Item = TypeVar("Item")


def checked_times(t: ArrayLike) -> Floats:
    """Return times to save as an array.

    Raises:
        InvalidValue: if they are not numbers in a row, finite and increasing.

    >>> checked_times([0, 2, 1])
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: the times do not increase at entry 2, `1.0`; sort them
    """
    try:
        times = np.asarray(t, dtype=float)
    except (TypeError, ValueError):
        raise InvalidValue(f"the times `{t!r}` are not numbers; give increasing times") from None
    if times.ndim != 1 or times.size == 0:
        raise InvalidValue(f"the times have shape `{times.shape}`; give a row of times")
    wrong = np.flatnonzero(~(np.diff(times) > 0))
    if not np.isfinite(times).all() or wrong.size:
        place = int(wrong[0]) + 1 if wrong.size else 0
        raise InvalidValue(
            f"the times do not increase at entry {place}, `{times[place]}`; sort them"
        )
    return times


def positive_count(n: int, name: str) -> int:
    """Return a whole number of at least 1, or say what should have been one."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InvalidValue(f"{name} is `{n!r}`; give a whole number of at least 1")
    return int(n)


def positive_number(value: float, name: str) -> float:
    """Return a positive finite number, or say what should have been one."""
    if not (isinstance(value, int | float | np.number) and 0 < value < np.inf):
        raise InvalidValue(f"{name} is `{value!r}`; give a positive number")
    return float(value)


def positive_step(step: float | None, model: str) -> float:
    """Return the step of a stochastic simulation, or say that one is needed."""
    number = isinstance(step, int | float | np.number)
    if step is None or not (number and 0 < step < np.inf):
        raise InvalidValue(f"step is `{step}` and the {model} has noise; give a positive time step")
    return float(step)


def checked_tolerances(atol: float | Sequence[float], count: int) -> Floats:
    """Return absolute tolerances, one each for `count` variables."""
    try:
        given = np.broadcast_to(np.asarray(atol, dtype=float), (count,))
    except (TypeError, ValueError):
        raise InvalidValue(f"atol is `{atol!r}`; give a number, or {count} of them") from None
    if not (given >= 0).all():
        raise InvalidValue(f"atol is `{atol!r}`; give numbers that are not negative")
    return given


def ode_engine(engine: str | Scipy | Numba) -> Scipy | Numba:
    """Return the engine that is asked for by name or value; "auto" is the numba engine."""
    if isinstance(engine, Scipy | Numba):
        return engine
    named: dict[str, Scipy | Numba] = {"auto": Numba(), "numba": Numba(), "scipy": Scipy()}
    if engine not in named:
        raise InvalidValue(
            f"engine is `{engine!r}`; use 'auto', 'numba', 'scipy', Numba(method) or Scipy(method)"
        )
    return named[engine]


def scipy_method(engine: str | Scipy) -> str | None:
    """Return the method of the scipy engine that is asked for, `None` for any."""
    if isinstance(engine, Scipy):
        return engine.method
    if engine not in ("auto", "scipy"):
        raise InvalidValue(f"engine is `{engine!r}`; use 'auto', 'scipy' or Scipy(method)")
    return None


@contextmanager
def counted(
    total: int, progress: bool, doing: str = "simulating"
) -> Iterator[Callable[[int], None]]:
    """Yield what is to be called with the number of samples done, under a bar if asked for."""
    if not progress:
        yield lambda _: None
        return
    from rich.progress import Progress

    with Progress(transient=True) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda count: bar.advance(task, count)


def tracked(items: Sequence[Item], progress: bool) -> Iterable[Item]:
    """Return the items, under a progress bar if one is asked for."""
    if not progress:
        return items
    from rich.progress import track

    return track(items, description="simulating", transient=True)
