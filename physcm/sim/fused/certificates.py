"""Points made exact and judged as `physcm.sim.certified` does it, block by block without Python.

The system's machine code gives f and J at a block of points, LAPACK solves Newton's equations
of each, and the eigenvalues on the conserved subspace are found side by side.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import compiled
from physcm.mechanism.lanes.implicit import implicit
from physcm.mechanism.lanes.module import module
from physcm.mechanism.lanes.native import Kernel, block, lapack_function, part
from physcm.mechanism.lanes.pool import share
from physcm.mechanism.linearization import RIDGE, WILD
from physcm.sim.certified import NEAR, NEAR_ZERO, RESIDUAL, STEP, Certified
from physcm.sim.equilibrium import FEW_MODES, NEGLIGIBLE, STEEP, EquilibriumEquations
from physcm.sim.fused.local import (
    evaluate,
    holds,
    lapack_space,
    linearize,
    load,
    local_space,
    no_longer,
    reduce,
    solve,
    sort,
    spectrum,
    within,
)
from physcm.sim.fused.spectra import reflections, spectra

_AT_ONCE = 2**22
_LIMITS = (NEAR, STEP, NEAR_ZERO, RESIDUAL, NEGLIGIBLE, WILD, RIDGE, STEEP)


def certified_together(
    rates: Program, equations: EquilibriumEquations, x: Floats, p: Floats, total: Floats,
    scale: Floats, *, threads: int, spectra: bool = True,
) -> Certified:  # fmt: skip
    """Return the equilibria next to some points, as `certified` does.

    Args:
        rates: of the states.
        equations: the equilibrium equations.
        x: the points, (states, points), finite.
        p: what `rates` reads, the parameters of the system first, (any, points).
        total: the conserved totals of each, (laws, points).
        scale: the size of each state, (states, points).
        threads: how many run at once.
        spectra: whether eigenvalues are wanted where a proof of stability is at hand without.

    Raises:
        Unsupported: for a function that lanes do not have.
    """
    listed = spectra or equations.free.size <= FEW_MODES
    code = _code(equations.system.name, rates, equations.system.sizes)
    laws = equations.weights, equations.dependent, equations.free, equations.lift
    x, near = np.array(x, order="C"), np.zeros(x.shape[1], dtype=bool)
    real, imaginary = np.full((2, x.shape[1], equations.free.size), np.nan)
    library = np.array([lapack_function(name) for name in ("dgesv", "dgeev")])
    p, total, scale = map(np.ascontiguousarray, (p, total, scale))

    def work(low: int, high: int, stop: NDArray[np.int64]) -> None:
        certify(
            code.functions, library, code.places, code.storage, laws, equations.bounds, _LIMITS,
            p, total, scale, x, near, real, imaginary, low, high, stop, listed,
        )  # fmt: skip

    share(work, x.shape[1], threads=threads, grain=LANES)
    eigenvalues = real + 1j * imaginary
    if not listed:
        _write_leading(equations, x, p, scale, near, eigenvalues)
    return Certified.judged(x, near, eigenvalues)


def _write_leading(
    equations: EquilibriumEquations, x: Floats, p: Floats, scale: Floats,
    near: NDArray[np.bool_], eigenvalues: NDArray[np.complex128],
) -> None:  # fmt: skip
    """Write what is known of the eigenvalues at equilibria, few enough at once for memory."""
    rates, places = equations.system.rates, np.flatnonzero(near)
    own, balance = p[: len(rates.parameters)], np.where(scale > 0, scale, 1.0)
    for some in np.array_split(places, 1 + places.size * len(x) ** 2 // _AT_ONCE):
        slopes = rates.jacobian.batch(0.0, x[:, some], own[:, some])
        eigenvalues[some] = equations.leading(slopes, balance[:, some])


class _Code:
    """The machine code of a system's rates, slopes and sizes of terms.

    Attributes:
        codes: the code, which lives as long as this object.
        functions: addresses of `slopes`, `sizes`, `reflector` and `reflect`.
        places: the row and column of each slope, and where `slopes` writes it, (slopes, 3).
        storage: how many rows `slopes` needs.
    """

    def __init__(self, name: str, rates: Program, sizes: Program) -> None:
        equations = implicit(name, rates)
        terms = compiled(module(name, {"sizes": sizes}))
        self.codes = compiled(equations.text), terms, reflections()
        names = (("slopes",), ("sizes",), ("reflector", "reflect"))
        codes = zip(self.codes, names, strict=True)
        self.functions = np.array([code.address(name) for code, own in codes for name in own])
        self.storage = equations.rows
        places = [(i, j, row) for (i, j), row in equations.places.items()]
        self.places = np.array(places, dtype=np.int64).reshape(-1, 3)


@lru_cache(maxsize=256)
def _code(name: str, rates: Program, sizes: Program) -> _Code:
    return _Code(name, rates, sizes)


def certify(
    functions: Any, library: Any, places: Any, storage: int, laws: Any, bounds: Any, limits: Any,
    parameters: Any, totals: Any, scale: Any, state: Any, near: Any, real: Any, imaginary: Any,
    low: int, high: int, stop: Any, listed: bool,
) -> None:  # fmt: skip
    """Make the points low, ..., high - 1 exact and judge them.

    Args:
        functions: addresses of `slopes`, `sizes`, `reflector` and `reflect`.
        library: addresses of dgesv and dgeev.
        places: the row and column of each slope, and where it is written, (slopes, 3).
        storage: how many rows `slopes` needs.
        laws: weights (laws, states), the states that they determine, the others, and the lift
            (states, others).
        bounds: between which each state stays, (2, states).
        limits: the thresholds, in the order of `_LIMITS`.
        parameters: (parameters, points).
        totals: conserved, (laws, points).
        scale: the size of each state, (states, points).
        state: at first and then at the end, (states, points).
        near: whether each is an equilibrium, (points).
        real: of the eigenvalues, the largest first, (points, modes).
        imaginary: in the same form.
        low: the first point.
        high: the first beyond.
        stop: the work breaks off when this is not 0, (1).
        listed: whether the eigenvalues are looked for.
    """
    n, modes = len(state), laws[2].size
    few = modes if modes <= FEW_MODES else 0
    points = block(n), block(n), block(len(parameters))
    values = block(n), block(storage), block(n), *block(2)
    room = np.zeros((few + 1, few + 1, LANES)), np.zeros((2, few, LANES))
    _certify(
        functions, library, places, laws, bounds, limits, parameters, totals, scale, state, near,
        real, imaginary, low, high, stop, listed, points, values, local_space(n),
        lapack_space(n, modes), room,
    )  # fmt: skip


@Kernel
def _certify(
    functions: Any, library: Any, places: Any, laws: Any, bounds: Any, limits: Any,
    parameters: Any, totals: Any, scale: Any, state: Any, near: Any, real: Any, imaginary: Any,
    low: int, high: int, stop: Any, listed: bool, points: Any, values: Any, local: Any, work: Any,
    room: Any,
) -> None:  # fmt: skip
    n, modes = state.shape[0], laws[2].size
    x, cleared, p = points
    matrices, parts = room
    given = functions, library, places, laws, limits, totals, scale, p, values, local, work
    for first in range(low, high, LANES):
        if stop[0] != 0:
            break
        many = min(LANES, high - first)
        for i in range(many):
            load(x, p, state, parameters, i, first + i)
        if _step(given, x, cleared, near, first, many):
            _let_die(given, x, cleared, first, many)
        _judge(given, bounds, x, near, real, imaginary, matrices, first, many, listed)
        if modes <= FEW_MODES:
            failed = spectra(functions[2:], matrices, parts[0], parts[1])
            for i in range(many):
                near[first + i] = near[first + i] and not failed[i]
                for r in range(modes):
                    real[first + i, r], imaginary[first + i, r] = parts[0, r, i], parts[1, r, i]
        for i in range(many):
            sort(real[first + i], imaginary[first + i])
            for r in range(n):
                state[r, first + i] = x[r, i] if near[first + i] else np.nan


@part
def _step(given: Any, x: Any, cleared: Any, near: Any, first: int, many: int) -> bool:
    """Make a Newton step where it is short; say whether some state is next to nothing there."""
    functions, library, places, laws, limits, totals, scale, p, values, local, work = given
    close, _, least, _, _, wild, ridge, _ = limits
    evaluate(functions, x, p, values)
    dying = False
    for i in range(many):
        k = first + i
        linearize(places, laws, totals, values, x, i, k, local)
        solve(library[0], local, wild, ridge, work)
        near[k] = no_longer(local, close, least, scale, x, i, k)
        for r in range(x.shape[0]):
            x[r, i] += local[5][r] if near[k] else 0.0
            dead = abs(x[r, i]) <= least * scale[r, k]
            cleared[r, i] = 0.0 if dead else x[r, i]
            dying = dying or cleared[r, i] != x[r, i]
    return dying


@part
def _let_die(given: Any, x: Any, cleared: Any, first: int, many: int) -> None:
    """Let states be 0 that are next to nothing, where the equations hold with that."""
    functions, _, places, laws, limits, totals, _, p, values, local, _ = given
    evaluate(functions, cleared, p, values)
    for i in range(many):
        linearize(places, laws, totals, values, cleared, i, first + i, local)
        if holds(local, limits[3]):
            for r in range(x.shape[0]):
                x[r, i] = cleared[r, i]


@part
def _judge(
    given: Any, bounds: Any, x: Any, near: Any, real: Any, imaginary: Any, matrices: Any,
    first: int, many: int, listed: bool,
) -> None:  # fmt: skip
    """Say which points are equilibria; write their Jacobians, or eigenvalues of large ones."""
    functions, library, places, laws, limits, totals, scale, p, values, local, work = given
    _, closer, least, residual, slack, wild, ridge, steep = limits
    modes = laws[2].size
    evaluate(functions, x, p, values)
    for i in range(many):
        k = first + i
        linearize(places, laws, totals, values, x, i, k, local)
        near[k] = near[k] and holds(local, residual)
        if near[k]:
            solve(library[0], local, wild, ridge, work)
            near[k] = no_longer(local, closer, least, scale, x, i, k)
            near[k] = near[k] and within(bounds, slack, scale, x, i, k)
        if near[k] and listed:
            reduce(local[0], laws, steep, scale, k, work)
            if modes > FEW_MODES:
                near[k] = spectrum(library[1], work, real[k], imaginary[k])
        if modes <= FEW_MODES:
            for r in range(modes):
                for c in range(modes):
                    matrices[r, c, i] = work[0][c, r] if near[k] else 0.0
