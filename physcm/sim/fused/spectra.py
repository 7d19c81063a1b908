"""Eigenvalues of small real matrices, one per lane of a block, by implicit double shifts.

The matrix is balanced and brought to Hessenberg form, zero below its subdiagonal. Sweeps of
reflections, begun with the first column of (H - s)(H - s') for the eigenvalues s, s' of the last
two rows, then take the subdiagonal to 0. All lanes go through the same instructions; a
reflection that a lane has no use for is the identity there. For a few rows this takes a fifth of
the time of calling LAPACK for each matrix, which suits larger ones.

Reference: Golub & Van Loan, Matrix Computations, 4th ed., 2013, sections 7.4.3, 7.5 and 7.5.7.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from physcm.mechanism.lanes.blocks import LANES, LOOP, loop, over_lanes, typed
from physcm.mechanism.lanes.compiler import Code, compiled
from physcm.mechanism.lanes.module import assembled
from physcm.mechanism.lanes.native import invoke, part
from physcm.mechanism.lanes.vectors import WIDTH, Vectors

_EPSILON = 2.0**-52
_SWEEPS, _STUCK, _PASSES = 30, 10, 10
_WORTHWHILE = 0.9


@part
def spectra(code: Any, a: Any, real: Any, imaginary: Any) -> Any:
    """Write the eigenvalues, and return in which lanes not all were found.

    Args:
        code: addresses of the functions of `reflections`.
        a: the matrices, of finite numbers, with a row and a column of zeros besides,
            (modes + 1, modes + 1, LANES); they are overwritten.
        real: of the eigenvalues, in any order, (modes, LANES).
        imaginary: in the same form.
    """
    modes = real.shape[0]
    v = np.zeros((3, LANES))
    _balance(a, modes)
    _to_hessenberg(code, a, modes, v)
    low, high = np.zeros(LANES, np.int64), np.full(LANES, modes - 1)
    tally = np.zeros(LANES, np.int64)
    for _ in range(_SWEEPS * modes):
        first, last = modes, -1
        for i in range(LANES):
            before = high[i]
            low[i], high[i] = _split(a, real, imaginary, high[i], i)
            tally[i] = tally[i] + 1 if high[i] == before else 0
            first, last = min(first, low[i]), max(last, high[i])
        if last < 0:
            break
        for k in range(first, last):
            for i in range(LANES):
                if low[i] < k < high[i]:
                    v[0, i], v[1, i] = a[k, k - 1, i], a[k + 1, k - 1, i]
                    v[2, i] = a[k + 2, k - 1, i] if k + 1 < high[i] else 0.0
                elif low[i] == k:
                    _begin(a, v, k, high[i], tally[i], i)
                else:
                    v[0, i], v[1, i], v[2, i] = 0.0, 0.0, 0.0
            before = max(k - 1, first)
            _reflect(code, a, v, k, before, last, first, min(k + 3, last))
            if k > first:
                for i in range(LANES):
                    a[k + 1, k - 1, i], a[k + 2, k - 1, i] = 0.0, 0.0
    return high >= 0


@part
def _balance(a: Any, modes: int) -> None:
    """Bring rows and columns to like sizes by scaling unknowns."""
    row, column = np.zeros(LANES), np.zeros(LANES)
    for _ in range(_PASSES):
        changed = False
        for k in range(modes):
            row[:], column[:] = 0.0, 0.0
            for j in range(modes):
                if j != k:
                    for i in range(LANES):
                        row[i] += abs(a[k, j, i])
                        column[i] += abs(a[j, k, i])
            for i in range(LANES):
                mean = np.sqrt(row[i] * column[i])
                worth = mean > 0.0 and 2.0 * mean < _WORTHWHILE * (row[i] + column[i])
                changed = changed or worth
                row[i] = row[i] / mean if worth else 1.0
            for j in range(modes):
                if j != k:
                    for i in range(LANES):
                        a[k, j, i] /= row[i]
                        a[j, k, i] *= row[i]
        if not changed:
            break


@part
def _to_hessenberg(code: Any, a: Any, modes: int, v: Any) -> None:
    """Bring matrices to Hessenberg form, row by row from below."""
    for k in range(modes - 2):
        for r in range(modes - 1, k + 1, -1):
            for i in range(LANES):
                v[0, i], v[1, i], v[2, i] = a[r - 1, k, i], a[r, k, i], 0.0
            _reflect(code, a, v, r - 1, k, modes - 1, 0, modes - 1)
            for i in range(LANES):
                a[r, k, i] = 0.0


@part
def _split(a: Any, real: Any, imaginary: Any, high: int, lane: int) -> Any:
    """Write the eigenvalues that stand alone at the end; return the rows that do not, or -1, -1."""
    while high >= 0:
        low = high
        while low > 0:
            size = abs(a[low - 1, low - 1, lane]) + abs(a[low, low, lane])
            if abs(a[low, low - 1, lane]) <= _EPSILON * size:
                a[low, low - 1, lane] = 0.0
                break
            low -= 1
        if low == high:
            real[high, lane], imaginary[high, lane] = a[high, high, lane], 0.0
            high -= 1
        elif low == high - 1:
            _pair(a, real, imaginary, low, lane)
            high -= 2
        else:
            return low, high
    return real.shape[0], -1


@part
def _pair(a: Any, real: Any, imaginary: Any, k: int, lane: int) -> None:
    """Write the eigenvalues of the rows k and k + 1."""
    mean = 0.5 * (a[k, k, lane] - a[k + 1, k + 1, lane])
    product, last = a[k, k + 1, lane] * a[k + 1, k, lane], a[k + 1, k + 1, lane]
    square = mean * mean + product
    root = np.sqrt(abs(square))
    if square >= 0.0:
        further = mean + np.copysign(root, mean)
        real[k, lane] = last + further
        real[k + 1, lane] = last - product / further if further != 0.0 else last
        imaginary[k, lane], imaginary[k + 1, lane] = 0.0, 0.0
    else:
        real[k, lane], real[k + 1, lane] = last + mean, last + mean
        imaginary[k, lane], imaginary[k + 1, lane] = root, -root


@part
def _begin(a: Any, v: Any, low: int, high: int, tally: int, lane: int) -> None:
    """Write the first column of (H - s)(H - s'), up to a factor."""
    one, two = a[high, high, lane], a[high - 1, high - 1, lane]
    product = a[high, high - 1, lane] * a[high - 1, high, lane]
    if tally > 0 and tally % _STUCK == 0:
        size = abs(a[high, high - 1, lane]) + abs(a[high - 1, high - 2, lane])
        one, two, product = one + 0.75 * size, one + 0.75 * size, -0.4375 * size * size
    head, below = a[low, low, lane], a[low + 1, low, lane]
    v[0, lane] = ((head - one) * (head - two) - product) / below + a[low, low + 1, lane]
    v[1, lane] = (a[low + 1, low + 1, lane] - one) + (head - two)
    v[2, lane] = a[low + 2, low + 1, lane]


@part
def _reflect(
    code: Any, a: Any, v: Any, k: int, column: int, last_column: int, row: int, last_row: int
) -> None:
    """Reflect rows and columns k, k + 1 and k + 2, from and up to a column and a row."""
    width, start, at = a.shape[1] * LANES, a.ctypes.data, v.ctypes.data
    invoke(code[0], (at,))
    x = start + 8 * (k * width + column * LANES)
    invoke(code[1], (last_column + 1 - column, LANES, x, x + 8 * width, x + 16 * width, at))
    x = start + 8 * (row * width + k * LANES)
    invoke(code[1], (last_row + 1 - row, width, x, x + 8 * LANES, x + 16 * LANES, at))


@cache
def reflections() -> Code:
    """Return the machine code of `reflector(v)` and of `reflect(n, stride, x, y, z, v)`.

    The first turns v into (tau, q, r) of the reflection 1 - tau (1, q, r)' (1, q, r) that takes v
    to its first axis; the second applies it to n blocks of vectors (x, y, z).
    """
    d: set[str] = set()
    bodies = [over_lanes("reflector", "v", _reflector, d), _reflection(d)]
    return compiled(assembled("reflections", bodies, d))


def _reflector(v: Vectors, lane: int) -> None:
    given = [v.load("%v", i, str(lane), LANES) for i in range(3)]
    size = v.add(*(v.intrinsic("fabs", value) for value in given))
    some, nothing = v.compare(">", size, v.number(0.0)), v.number(0.0)
    share = v.div(v.number(1.0), size)
    p, q, r = (v.mul(value, share) for value in given)
    root = v.intrinsic("sqrt", v.add(*(v.mul(value, value) for value in (p, q, r))))
    norm = v.intrinsic("copysign", root, p)
    whole = v.add(p, norm)
    for i, value in enumerate((v.div(whole, norm), v.div(q, whole), v.div(r, whole))):
        v.store(v.select(some, value, nothing), "%v", i, str(lane), LANES)


def _reflection(d: set[str]) -> str:
    v = Vectors(d, LOOP)
    first = v.emit("mul i64 %index, %stride")
    for lane in range(0, LANES, WIDTH):
        at = v.emit(f"add i64 {first}, {lane}")
        tau, q, r = (v.load("%v", i, str(lane), LANES) for i in range(3))
        x, y, z = (v.load(pointer, 0, at, 1) for pointer in ("%x", "%y", "%z"))
        s = v.mul(tau, v.fma(r, z, v.fma(q, y, x)))
        v.store(v.sub(x, s), "%x", 0, at, 1)
        v.store(v.fma(v.negative(s), q, y), "%y", 0, at, 1)
        v.store(v.fma(v.negative(s), r, z), "%z", 0, at, 1)
    return loop("reflect", f"i64 %n, i64 %stride, {typed('x y z v')}", v, "%index", 1, "%n")
