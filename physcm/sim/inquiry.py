"""Questions about motions, asked about many samples at once.

An inquiry is written as for one sample: a generator that yields the motion that it wants to see
next, is sent it, and returns what it found. Those about many samples go on together, so that one
machine code follows all the motions that they want to see.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from physcm.mechanism.codegen import Floats

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Motion:
    """A motion that is asked for: X(t) at some times from some states X(0).

    Attributes:
        times: increasing from 0, shape (times,).
        x: the states at 0, which may have further rows behind them, (rows, starts).
        rtol: the relative tolerance with which to follow it.
        turns: the periods of the states, NaN for what is no angle; the answer then has their
            sines and cosines behind the states (`physcm.sim.periodicity.on_circles`).
    """

    times: Floats
    x: Floats
    rtol: float = 1e-8
    turns: Floats | None = None


Inquiry: TypeAlias = Generator[Motion, Any, Found]
"""Yields motions, is sent their states (rows, starts, times), and returns a finding."""


def findings(
    inquiries: Sequence[Inquiry[Found]],
    follow: Callable[[Mapping[int, Motion]], Mapping[int, Floats]],
) -> list[Found]:
    """Return what each inquiry finds.

    Args:
        inquiries: none of them begun.
        follow: answers motions by their states; both by the place of the inquiry.

    >>> import numpy as np
    >>> def doubling():
    ...     states = yield Motion(np.array([0.0, 1.0]), np.ones((1, 1)))
    ...     return float(states[0, 0, 1])
    >>> findings([doubling()], lambda asked: {0: 2.0 ** asked[0].times[np.newaxis, np.newaxis]})
    [2.0]
    """
    found: dict[int, Found] = {}
    sent: Mapping[int, Floats | None] = dict.fromkeys(range(len(inquiries)))
    while sent:
        asked: dict[int, Motion] = {}
        for place, states in sent.items():
            try:
                asked[place] = inquiries[place].send(states)
            except StopIteration as end:
                found[place] = end.value
        sent = follow(asked) if asked else {}
    return [found[place] for place in range(len(inquiries))]
