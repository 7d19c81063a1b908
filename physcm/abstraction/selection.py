"""Of the solutions of equilibrium equations, those where nonlinear laws have their initial values.

Isolated solutions of f(X) = 0 need no further equations: what is left of them are those that have
H(X) = H(X(0)), and what starts with another value of H does not come to rest there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.abstraction.unfolding import independent, without_conserved
from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.magnitude import size_of_terms
from physcm.scm.status import SolutionStatus, flags
from physcm.sim import FirstIntegral
from physcm.sim.equilibrium import EquilibriumEquations, stabilities

_NEGLIGIBLE = 1e-8
_SEARCHED = "search"


def selected(
    found: xr.Dataset, equations: EquilibriumEquations, curved: Sequence[FirstIntegral]
) -> xr.Dataset:
    """Return solutions that have the values of nonlinear laws at the start, with their stability.

    Args:
        found: all solutions, as `SCM.solve` returns them, and beside them the initial values of
            all members of the laws.
        equations: the equilibrium equations.
        curved: the laws.
    """
    sample, _ = there = np.nonzero(_counted(found, found["count"].values))
    x = _rows(found, equations.system.states, there)
    x0 = _initial(found, equations, sample)
    kept = np.zeros(_shape(found), dtype=bool)
    p = _rows(found, tuple(equations.system.parameters), sample)
    kept[there] = on_levels(equations, curved, x, x0, p)
    count = kept.sum(axis=1)
    lost = count < found["count"].values
    order = np.argsort(~kept, axis=1, kind="stable")[:, : max(1, int(count.max(initial=0)))]
    columns: dict[str, Any] = {}
    for name, values in found.data_vars.items():
        if "solution" in values.dims:
            moved = np.take_along_axis(values.values, order, axis=1)
            empty = "" if moved.dtype.kind == "U" else np.nan
            moved = np.where(np.arange(order.shape[1]) < count[:, np.newaxis], moved, empty)
            columns[str(name)] = (values.dims, moved)
    columns["count"] = ("sample", count)
    columns["status"] = flags(np.where(lost, _status(found, count), found.status.values))
    left = found.drop_dims("solution").assign(columns)
    return left.assign(stability=(("sample", "solution"), _kinds(left, equations, curved)))


def only_solution(found: xr.Dataset, *, stable: bool) -> xr.Dataset:
    """Return the one solution of each sample, NaN unless there is one only, as `SCM.sample` does.

    Args:
        found: all solutions, as `selected` returns them.
        stable: of the solutions only those are looked at that are stable.
    """
    there = _counted(found, found["count"].values)
    there &= (found.stability.values == "stable") if stable else True
    told = (there.sum(axis=1) == 1) & (found.status.values != SolutionStatus.CONTINUUM)
    place = there.argmax(axis=1)
    columns = {}
    for name, values in found.drop_vars("stability").data_vars.items():
        if "solution" in values.dims:
            first = np.take_along_axis(values.values, place[:, np.newaxis], axis=1)[:, 0]
            columns[str(name)] = ("sample", np.where(told, first, np.nan))
    return found.drop_dims("solution").drop_vars("count").assign(columns)


def level_kinds(
    equations: EquilibriumEquations, curved: Sequence[FirstIntegral], x: Floats, x0: Floats,
    p: Floats,
) -> tuple[NDArray[np.str_], Floats]:  # fmt: skip
    """Return the stability of states of rest among all with the same values of the laws.

    Args:
        equations: the equilibrium equations.
        curved: the nonlinear laws.
        x: the states, (states, points).
        x0: where the laws have their values from, (states, points).
        p: the parameters, (parameters, points).

    Returns:
        The kinds, and the rates at which the slowest disturbances die out, at least.
    """
    slopes = equations.system.rates.jacobian.batch(0.0, x, p)
    scale = np.where(x != 0, np.abs(x), 1.0)
    if curved and x.size:
        ranks = independent(equations.system, equations.laws, curved, x, x0, p)
        values = without_conserved(equations.spectra(slopes, scale), ranks)
    else:
        values = equations.leading(slopes, scale)
    return stabilities(values), -np.fmax.reduce(values.real, axis=1, initial=-np.inf)


def on_levels(
    equations: EquilibriumEquations, curved: Sequence[FirstIntegral], x: Floats, x0: Floats,
    p: Floats, tolerance: float = _NEGLIGIBLE,
) -> NDArray[np.bool_]:  # fmt: skip
    """Say at which states all laws have the values that they have at others (states, points).

    A state that is less than a part `tolerance` of what it is at the others may count as 0: it
    may be what rounding leaves of nothing, or as little as a logarithm in a law says.
    """
    faint = np.abs(x) <= tolerance * np.abs(x0)
    names = equations.system.states
    read = (*(f"{name}(0)" for name in names), *equations.system.parameters)
    levels = [law.level for law in curved]
    program = Program.over(names, read, {}, (*levels, *map(size_of_terms, levels)))

    def met(x: Floats) -> NDArray[np.bool_]:
        values = program.vector(0.0, x, np.concatenate([x0, p]))
        gap, size = values.reshape(2, len(levels), x.shape[1])
        return np.asarray((np.abs(gap) <= tolerance * np.nan_to_num(size)).all(axis=0))

    return met(x) | met(np.where(faint, 0.0, x))


def _kinds(
    found: xr.Dataset, equations: EquilibriumEquations, curved: Sequence[FirstIntegral]
) -> NDArray[np.str_]:
    kinds = np.full(_shape(found), "", dtype="<U8")
    sample, _ = there = np.nonzero(_counted(found, found["count"].values))
    if sample.size:
        p = _rows(found, tuple(equations.system.parameters), sample)
        x, x0 = _rows(found, equations.system.states, there), _initial(found, equations, sample)
        kinds[there] = level_kinds(equations, curved, x, x0, p)[0]
    return kinds


def _status(found: xr.Dataset, count: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return the statuses of samples with so many solutions left.

    Where the solutions were searched for, that none is left does not prove that there is none.
    """
    none = SolutionStatus.NOT_FOUND if _SEARCHED in found.solved_by else SolutionStatus.NONE
    status = np.where(count == 0, none, SolutionStatus.UNIQUE)
    return np.where(count > 1, SolutionStatus.SEVERAL, status).astype(np.int8)


def _shape(found: xr.Dataset) -> tuple[int, int]:
    return found.sizes["sample"], found.sizes.get("solution", 1)


def _counted(found: xr.Dataset, count: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say where there is a solution, (samples, solutions)."""
    return np.asarray(np.arange(_shape(found)[1]) < count[:, np.newaxis])


def _rows(found: xr.Dataset, names: Sequence[str], there: Any) -> Floats:
    rows = [found[name].values[there] for name in names]
    return np.array(rows).reshape(len(names), len(np.atleast_2d(there)[0]))


def _initial(
    found: xr.Dataset, equations: EquilibriumEquations, sample: NDArray[np.int64]
) -> Floats:
    """Return initial values of solutions' samples (states, points), 0 where no law reads any."""
    zero = np.zeros(found.sizes["sample"])
    names = [f"{name}(0)" for name in equations.system.states]
    rows = [found[name].values if name in found else zero for name in names]
    return np.array(rows).reshape(len(names), len(zero))[:, sample]
