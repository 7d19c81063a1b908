"""Draws from distributions in machine code: uniform draws, and quantile functions of them.

A row of uniform draws is made from the key of its source and the numbers of the samples, and
passes through the quantile function in place while it is in the cache. (Both in one loop need
more constants than there are registers, and take longer than one after the other.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ctypes import CFUNCTYPE, c_int64
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism import quantiles, randomness
from physcm.mechanism.codegen import Floats
from physcm.mechanism.lanes.blocks import LANES, LOOP, loop, over_rows
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.module import assembled
from physcm.mechanism.lanes.tracing import traced
from physcm.mechanism.lanes.uniforms import uniform_pair
from physcm.mechanism.lanes.vectors import WORDS, Vectors
from physcm.mechanism.quantiles import Law

_PARAMETERS = 2
_FUNCTIONS: Mapping[Callable[..., Any], int] = MappingProxyType(
    {
        quantiles.plain: 0, quantiles.standard_normal: 0, quantiles.normal: 2,
        quantiles.log_normal: 2, quantiles.uniform: 2, quantiles.exponential: 1,
        quantiles.bernoulli: 1,
    }
)  # fmt: skip
"""The quantile functions that there is code for, and how many parameters they have."""


class Draws:
    """Rows of draws, of one source and law each, over one set of samples.

    >>> rows = np.empty((2, 40))
    >>> laws = {"a": (quantiles.plain, ()), "b": (quantiles.normal, (0.0, 2.0))}
    >>> Draws(laws, list(rows), np.arange(40), seed=0)(slice(0, 40))
    >>> bool((rows[1] == 2 * randomness.normals(0, "b", np.arange(40))).all())
    True
    """

    def __init__(
        self,
        laws: Mapping[str, Law],
        rows: Sequence[Floats],
        samples: NDArray[np.int64],
        seed: int,
    ) -> None:
        """Take the law of each source, the rows to write, (samples) each, and the samples."""
        self.laws, self.rows, self.seed = laws, rows, seed
        self.samples = np.ascontiguousarray(samples, np.int64)
        keys = np.array([randomness.key(seed, name) for name in laws], np.uint64)
        self._given = _given([parameters for _, parameters in laws.values()], keys)
        self._functions = np.array([_address(function) for function, _ in laws.values()])
        self._places = np.array([row.ctypes.data for row in rows], np.int64)

    def __call__(self, piece: slice) -> None:
        """Write the draws of some samples."""
        size = (piece.stop - piece.start) // LANES
        if size and self.laws:
            places = self._places + 8 * piece.start
            blocks = self._functions, self._given, self.samples[piece.start :], places
            _call("draws", size, len(self.laws), *(block.ctypes.data for block in blocks))
        rest = slice(piece.start + size * LANES, piece.stop)
        if rest.start == rest.stop:
            return
        for row, (name, (function, parameters)) in zip(self.rows, self.laws.items(), strict=True):
            u = randomness.uniforms(self.seed, name, self.samples[rest])
            row[rest] = function(quantiles.ARRAYS, u, *parameters)


def quantile(law: Law, u: Floats) -> Floats:
    """Return the quantiles of uniform draws, (draws).

    >>> quantile((quantiles.exponential, (2.0,)), np.array([0.0, 0.5])).round(4).tolist()
    [0.0, 0.3466]
    """
    function, parameters = law
    x = np.array(u)
    size = x.size // LANES
    if size:
        given = _given([parameters], np.zeros(1, np.uint64))
        _call(f"quantile_{function.__name__}", size, given.ctypes.data, x.ctypes.data)
    with np.errstate(all="ignore"):
        x[size * LANES :] = function(quantiles.ARRAYS, x[size * LANES :], *parameters)
    return x


def _given(parameters: Sequence[tuple[float, ...]], keys: NDArray[np.uint64]) -> Any:
    """Return what the functions read, (sources, 1 + parameters): keys and bits of parameters."""
    given = np.zeros((len(parameters), 1 + _PARAMETERS), np.uint64)
    given[:, 0] = keys
    for row, numbers in zip(given, parameters, strict=True):
        row[1 : 1 + len(numbers)] = np.array(numbers, float).view(np.uint64)
    return given


def _call(name: str, *arguments: int) -> None:
    """Call a function of integers and pointers, beside other threads."""
    CFUNCTYPE(None, *[c_int64] * len(arguments))(_code().address(name))(*arguments)


def _address(function: Callable[..., Any]) -> int:
    return _code().address(f"quantile_{function.__name__}")


@lru_cache(maxsize=1)
def _code() -> Code:
    """Return the code of `quantile_f` for each function f, of `uniforms` and of `draws`."""
    declarations: set[str] = set()
    bodies = [_quantiles(f, count, declarations) for f, count in _FUNCTIONS.items()]
    bodies += [_uniforms(declarations), _all_sources()]
    return compiled(assembled("draws", bodies, declarations))


def _quantiles(function: Callable[..., Any], count: int, declarations: set[str]) -> str:
    """Return `quantile_f(n, given, x)`, in which f(x) takes the place of x."""

    def write(v: Vectors, place: str, lane: int) -> None:
        numbers = [v.floats(_number(v, 1 + i)) for i in range(count)]
        value = traced(function)(v, v.load("%x", 0, place, LANES), *numbers)
        v.store(value, "%x", 0, place, LANES)

    return over_rows(f"quantile_{function.__name__}", "given x", write, declarations)


def _uniforms(declarations: set[str]) -> str:
    """Return `uniforms(n, given, samples, draws)`."""

    def write(v: Vectors, place: str, lane: int) -> None:
        sample = v.load("%samples", 0, place, LANES, kind=WORDS)
        drawn, _ = uniform_pair(v, _number(v, 0), sample, v.word(0))
        v.store(drawn, "%draws", 0, place, LANES)

    return over_rows("uniforms", "given samples draws", write, declarations)


def _all_sources() -> str:
    """Return `draws(n, sources, functions, given, samples, rows)`, which draws n blocks each."""
    v = Vectors(set(), LOOP)
    function, row = (
        v.emit(f"load ptr, ptr {v.emit(f'getelementptr ptr, ptr %{name}, i64 %i')}")
        for name in ("functions", "rows")
    )
    own = v.emit(f"getelementptr [{1 + _PARAMETERS} x i64], ptr %given, i64 %i")
    v.lines += [
        f"  call void @uniforms(i64 %n, ptr {own}, ptr %samples, ptr {row})",
        f"  call void {function}(i64 %n, ptr {own}, ptr {row})",
    ]
    arguments = "i64 %n, i64 %sources, ptr %functions, ptr %given, ptr %samples, ptr %rows"
    return loop("draws", arguments, v, "%i", 1, "%sources")


def _number(v: Vectors, place: int) -> str:
    at = v.emit(f"getelementptr i64, ptr %given, i64 {place}")
    return v.spread(v.emit(f"load i64, ptr {at}"))
