"""`basins`: to which attractor initial states lead, and how large a share of them.

Initial states are drawn, each is followed until its fate is known, and the shares are counted.
Of n independent draws k lead to an attractor; its share has the exact binomial interval of
Clopper & Pearson (1934). Every draw is counted: what oscillates, diverges or is still moving has a
share of its own (basin stability: Menck, Heitzig, Marwan & Kurths, Nature Physics 9, 2013).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.distributions import Distribution, Uniform
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.parser import closest
from physcm.mechanism.roots import distinct
from physcm.sim.equilibrium import EquilibriumEquations, brought_to_totals
from physcm.sim.long_run import Limit, long_runs
from physcm.sim.options import positive_count
from physcm.sim.provenance import provenance
from physcm.sim.settle import require_autonomous
from physcm.sim.status import LimitStatus
from physcm.sim.system import System

_SAME, _SAME_PERIOD = 1e-5, 1e-3


@dataclass(frozen=True, eq=False)
class Basins:
    """Shares of initial states, by what they lead to.

    Attributes:
        table: over `attractor`: its `kind` (equilibrium, cycle, or what else the flow does:
            diverged, still_moving, broken_off), `count`, `share` with its interval `low` and
            `high`, the state of an equilibrium, the `period` of a cycle; largest share first.
        starts: over `sample`: each initial state, and the `attractor` that it leads to.
    """

    table: xr.Dataset
    starts: xr.Dataset

    def __str__(self) -> str:
        n, level = self.starts.sizes["sample"], self.table.attrs["confidence"]
        lines = [f"{n} initial states, shares with {100 * level:g} % intervals"]
        names = [name for name in self.starts.data_vars if name in self.table]
        for k in range(self.table.sizes["attractor"]):
            row = self.table.isel(attractor=k)
            kind = str(row.kind.values)
            what = ", ".join(f"{name} = {float(row[name]):.6g}" for name in names)
            more = {"equilibrium": f" at {what}", "cycle": f" of period {float(row.period):.6g}"}
            share = f"{float(row.share):.3f} [{float(row.low):.3f}, {float(row.high):.3f}]"
            lines.append(f"  {share}  {kind.replace('_', ' ')}{more.get(kind, '')}")
        return "\n".join(lines)

    __repr__ = __str__


def basins(
    system: System,
    within: Mapping[str, Any] = MappingProxyType({}),
    *,
    n: int = 1000,
    seed: int = 0,
    sample: int = 0,
    confidence: float = 0.95,
) -> Basins:
    """Return to which attractors drawn initial states lead.

    Conserved totals are those of the system's own initial state, to which drawn states are
    brought, so that all have the same equilibria to choose from.

    Args:
        system: autonomous and without noise.
        within: how to draw the initial value of a state: a distribution, or (low, high) for a
            uniform one. The others are as the system has them.
        n: number of initial states.
        seed: as in `simulate`.
        sample: whose parameters to take, if they are random.
        confidence: the level of the intervals.

    Raises:
        UnknownVariable: for a name in `within` that is no state.
        InvalidValue: where every draw would be the same, or a state cannot have the totals.
        Unsupported: for a system with noise or explicit time.

    >>> switch = System({"x": "x - x**3"}, initial={"x": 0})
    >>> found = basins(switch, {"x": (-1, 3)}, n=400)
    >>> found.table.x.values.round(6).tolist(), abs(float(found.table.share[0]) - 0.75) < 0.1
    ([1.0, -1.0], True)
    """
    require_autonomous(system)
    n = positive_count(n, "n")
    if not 0 < confidence < 1:
        raise InvalidValue(f"confidence is `{confidence}`; give a number between 0 and 1")
    own, p = system.draw(np.array([sample]), seed)
    equations = EquilibriumEquations(system)
    x = _drawn(system, within, p[:, 0], n, seed)
    x = brought_to_totals(equations, x, np.repeat(equations.weights @ own, n, axis=1))
    _require_totals(equations, x, own[:, 0])
    (limits,) = long_runs([(equations, x, np.repeat(p, n, axis=1))])
    table, which = _classified(equations, limits, p[:, 0], own[:, 0], confidence)
    starts = {name: ("sample", row) for name, row in zip(system.states, x, strict=True)}
    settings = {"seed": int(seed), "sample": int(sample), "confidence": float(confidence)}
    return Basins(
        table.assign_attrs(provenance(system), **settings),
        xr.Dataset(starts).assign(attractor=("sample", which)),
    )


def _drawn(system: System, within: Mapping[str, Any], p: Floats, n: int, seed: int) -> Floats:
    """Return initial states, shape (states, n), with parameters fixed."""
    for name in within:
        if name not in system.states:
            raise UnknownVariable(
                f"`{name}` is no state of {system.in_words}; {closest(name, system.states)}"
            )
    fixed = dict(zip(system.parameters, map(float, p), strict=True))
    laws = {name: _law(name, given) for name, given in within.items()}
    x, _ = system.replace(parameters=fixed, initial={**system.initial, **laws}).draw(
        np.arange(n), seed
    )
    if n > 1 and (x == x[:, :1]).all():
        raise InvalidValue(
            f"every initial state of {system.in_words} would be the same; say how to draw one, as "
            f"in basins(system, {{{system.states[0]!r}: (0, 1)}})"
        )
    return x


def _law(name: str, given: Any) -> Any:
    """Return a distribution from what a user wrote."""
    if isinstance(given, tuple | list) and len(given) == 2:
        return Uniform(*given)
    if isinstance(given, Distribution) or hasattr(given, "rvs"):
        return given
    raise InvalidValue(f"within of `{name}` is `{given}`; give (low, high) or a distribution")


def _require_totals(equations: EquilibriumEquations, x: Floats, own: Floats) -> None:
    misses = np.flatnonzero(~equations.meets(x, equations.weights @ own))
    if misses.size:
        law = ", ".join(f"`{law}`" for law in equations.laws)
        raise InvalidValue(
            f"{misses.size} of the initial states cannot have the conserved totals {law} of "
            f"{equations.system.in_words} within its bounds; draw from a smaller range"
        )


def _classified(
    equations: EquilibriumEquations, limits: list[Limit], p: Floats, own: Floats, level: float
) -> tuple[xr.Dataset, Any]:
    """Return the attractors, largest share first, and which one each limit is."""
    system, n = equations.system, len(limits)
    keys = _keys(equations, limits, p, own)
    ranked = sorted(set(keys), key=lambda key: -keys.count(key))
    counts = np.array([keys.count(key) for key in ranked])
    tests = [scipy.stats.binomtest(int(count), n) for count in counts]
    ends = [test.proportion_ci(level, method="exact") for test in tests]
    states = np.array([
        key[1] if key[0] == "equilibrium" else (np.nan,) * len(system.states) for key in ranked
    ]).T.reshape(len(system.states), len(ranked))  # fmt: skip
    derived = system.outputs.vector(0.0, states, np.repeat(p[:, np.newaxis], len(ranked), axis=1))
    data: dict[str, Any] = {"kind": ("attractor", np.array([key[0] for key in ranked], dtype=str))}
    data |= {"count": ("attractor", counts), "share": ("attractor", counts / n)}
    data["low"] = ("attractor", np.array([end.low for end in ends]))
    data["high"] = ("attractor", np.array([end.high for end in ends]))
    for name, row in zip(system.variables, (*states, *derived), strict=True):
        data[name] = ("attractor", row)
    periods = [key[1][0] if key[0] == "cycle" else np.nan for key in ranked]
    data["period"] = ("attractor", np.array(periods))
    return xr.Dataset(data), np.array([ranked.index(key) for key in keys])


Key = tuple[str, tuple[float, ...]]


def _keys(
    equations: EquilibriumEquations, limits: list[Limit], p: Floats, own: Floats
) -> list[Key]:
    """Return what tells attractors apart: the state of an equilibrium, the period of a cycle."""
    settled = [k for k, limit in enumerate(limits) if limit.status is LimitStatus.SETTLED]
    keys: list[Key] = [(limit.status.name.lower(), ()) for limit in limits]
    if settled:
        ends = np.array([limits[k].state for k in settled]).T
        roots, good = equations.roots(ends, p, equations.weights @ own)
        scale = np.max([limit.scale for limit in limits], axis=0)
        near = np.abs(roots - ends) <= 1e-3 * scale[:, np.newaxis]
        states = np.where(good & near.all(axis=0), roots, ends)
        for k, state in zip(settled, _merged(states, scale).T, strict=True):
            keys[k] = ("equilibrium", tuple(state.tolist()))
    cycles = [k for k, limit in enumerate(limits) if limit.status is LimitStatus.PERIODIC]
    if cycles:
        periods = np.array([[limits[k].period for k in cycles]])
        merged = _merged(periods, periods.max(axis=1), _SAME_PERIOD)
        for k, period in zip(cycles, merged[0], strict=True):
            keys[k] = ("cycle", (float(period),))
    return keys


def _merged(x: Floats, scale: Floats, rtol: float = _SAME) -> Floats:
    """Return each column replaced by the first one that it agrees with."""
    first = x[:, distinct(x, scale[:, np.newaxis], rtol)]
    gaps = (
        np.abs(x[:, :, np.newaxis] - first[:, np.newaxis])
        / np.maximum(scale, 1e-300)[:, None, None]
    )
    return np.asarray(first[:, gaps.max(axis=0, initial=0.0).argmin(axis=1)])
