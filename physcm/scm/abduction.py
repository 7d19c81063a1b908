"""Abduction: which values of the noise an observation speaks for, and how much.

The equations of the model, with what was seen put in, are solved for noise and for what was not
seen. Every equation determines one of these, by a matching; noise with a density that no
equation is left for is *free*. Then

- nothing is free: the noise is what solves the equations, exactly;
- discrete noise is gone through value by value, if there are not too many combinations;
- free noise is drawn from its prior (importance sampling), and the rest solved for; where that
  leaves few effective draws (less than 100, and than 5 %) they are tempered, see
  `physcm.scm.tempering`.

A setting u = (free, solved) of the noise under which o is seen has the weight

    p(free) p(solved) |d solved / d o| = p(free) p(solved) |det F_x| / |det F_z|

with F = 0 the equations, x what is unknown in them when the model is run (what was seen among
it) and z what they are solved for here. An equation that determines nothing has to hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.scm.block import Ints
from physcm.scm.evidence import units
from physcm.scm.seen import Columns, SeenModel
from physcm.scm.solve import Solutions
from physcm.scm.status import SolutionStatus
from physcm.scm.subsets import reading
from physcm.scm.tempering import tempered

if TYPE_CHECKING:
    from physcm.scm.scm import SCM

_PROBES = 500
_FEW, _SHARE = 100, 0.05
_CORNERS = (sp.Max, sp.Min, sp.Abs, sp.Piecewise)


@dataclass(frozen=True)
class Settings:
    """Settings of the noise that fit the evidence, by unit.

    Attributes:
        unit: the unit that each setting belongs to, ascending.
        draw: its number within the unit.
        values: all values of the model but computed ones, over the settings.
        weight: how much the evidence speaks for each; the sum over a unit is 1.
        status: what is known of each unit: `UNIQUE` if any setting fits.
        drawn: whether the settings are draws, so that there may be others.
    """

    unit: Ints
    draw: Ints
    values: Mapping[str, Floats]
    weight: Floats
    status: NDArray[np.int8]
    drawn: bool

    @property
    def size(self) -> Floats:
        """The effective sample size of each unit, 1 / sum w^2; 0 where no setting fits."""
        squares = np.bincount(self.unit, self.weight**2, minlength=self.status.size)
        return np.where(squares > 0, 1 / np.where(squares > 0, squares, 1.0), 0.0)

    def poor(self, n: int) -> Ints:
        """Return the units whose draws, n of each, are too few in effect to be believed."""
        few = (self.size > 0) & (self.size < min(_SHARE * n, _FEW))
        return np.flatnonzero(few) if self.drawn else np.zeros(0, np.int64)

    def of(self, which: Ints) -> Settings:
        """Return the settings of some units."""
        place = np.full(self.status.size, -1)
        place[which] = np.arange(which.size)
        own = place[self.unit] >= 0
        rows = {name: row[own] for name, row in self.values.items()}
        return Settings(
            place[self.unit[own]], self.draw[own], rows, self.weight[own], self.status[which],
            self.drawn,
        )  # fmt: skip

    @classmethod
    def joined(cls, count: int, parts: Sequence[tuple[Ints, Settings]]) -> Settings:
        """Return the settings of all units from those of some of them."""
        unit = np.concatenate([which[part.unit] for which, part in parts])
        order = np.argsort(unit, kind="stable")
        status = np.zeros(count, np.int8)
        for which, part in parts:
            status[which] = part.status
        rows = {
            name: np.concatenate([part.values[name] for _, part in parts])[order]
            for name in parts[0][1].values
        }
        draw, weight = (
            np.concatenate([getattr(part, field) for _, part in parts])[order]
            for field in ("draw", "weight")
        )
        drawn = any(part.drawn for _, part in parts)
        return cls(unit[order], draw, rows, weight, status, drawn)


def abduct(model: SCM, seen: Mapping[str, Floats], n: int, seed: int) -> Settings:
    """Return settings of the noise that fit what was seen.

    Args:
        model: of which something was seen.
        seen: variables or random values, (units,) each.
        n: how many settings to draw for a unit where noise is free.
        seed: for the draws.

    Raises:
        Unsupported: if the equations cannot be solved for what was not seen, and for solved
            noise whose density is not known.
    """
    parts: list[tuple[Ints, Settings]] = []
    for flat, which in _by_flatness(model, seen, seed).items():
        own = {name: row[which] for name, row in seen.items()}
        settings = _abduct(SeenModel(model, own, flat, which), n, seed)
        poor = settings.poor(n)
        if poor.size:
            few = SeenModel(model, {k: row[poor] for k, row in own.items()}, flat, which[poor])
            reached, better = _tempered(few, n, seed)
            rest = np.setdiff1d(np.arange(which.size), poor[reached])
            parts.append((which[poor[reached]], better))
            settings, which = settings.of(rest), which[rest]
        parts.append((which, settings))
    return Settings.joined(units(seen), parts)


def _abduct(problem: SeenModel, n: int, seed: int) -> Settings:
    columns = problem.columns(n, seed)
    found, given, weight = problem.weighed(columns)
    unit = columns.unit[found.sample]
    total = np.full(columns.count, -np.inf)
    np.logaddexp.at(total, unit, weight)
    possible = np.isfinite(weight)
    values = {
        name: given[name][possible]
        for name, value in problem.values.items()
        if not isinstance(value, sp.Basic)
    }
    unit = unit[possible]
    status = _status(columns, found, total, certain=not columns.drawn)
    share = np.exp(weight[possible] - total[unit])
    return Settings(unit, _rank(unit), values, share, status, columns.drawn)


def _tempered(problem: SeenModel, n: int, seed: int) -> tuple[Ints, Settings]:
    """Return which units tempering gives draws for, and these; equal draws are one setting."""
    draws = tempered(problem, n, seed)
    reached = np.flatnonzero(draws.reached)
    unit, place, weight = [], [], []
    for k, own in enumerate(reached):
        _, first, times = np.unique(draws.z[own], axis=0, return_index=True, return_counts=True)
        order = np.argsort(first)
        unit.append(np.full(first.size, k))
        place.append(first[order])
        weight.append(times[order] / n)
    which = np.concatenate([np.zeros(0, int), *unit]), np.concatenate([np.zeros(0, int), *place])
    values = {
        name: draws.values[name][reached[which[0]], which[1]]
        for name, value in problem.values.items()
        if not isinstance(value, sp.Basic)
    }
    status = np.full(reached.size, SolutionStatus.UNIQUE, np.int8)
    return reached, Settings(
        which[0], _rank(which[0]), values, np.concatenate([np.zeros(0), *weight]), status, True
    )


def _by_flatness(model: SCM, seen: Mapping[str, Floats], seed: int) -> dict[frozenset[str], Ints]:
    """Return the units by the equations that tell nothing but their own variable.

    Where a variable has a value with positive probability, as max(0, y) has 0, some equation
    with corners on the way to it does not change with its noise, which no value of the variable
    tells then. Such values occur twice among a few draws, and no others do.
    """
    count = units(seen)
    flat: list[set[str]] = [set() for _ in range(count)]
    cornered = {label for label, r in model.residuals.items() if r.has(*_CORNERS)}
    observed = [name for name in seen if name in model.mechanisms] if cornered else []
    prior = model.sample(_PROBES, seed) if observed else {}
    graph = reading(model.mechanisms)
    for name in observed:
        values, times = np.unique(prior[name].values, return_counts=True)
        labels = cornered & {name, *nx.ancestors(graph, name)}
        for place in np.flatnonzero(np.isin(seen[name], values[times > 1])):
            flat[place] |= labels
    groups: dict[frozenset[str], list[int]] = {}
    for unit, found in enumerate(flat):
        groups.setdefault(frozenset(found), []).append(unit)
    return {found: np.array(which) for found, which in groups.items()}


def _rank(unit: Ints) -> Ints:
    return np.arange(unit.size) - np.searchsorted(unit, unit)


def _status(
    columns: Columns, found: Solutions, total: Floats, *, certain: bool
) -> NDArray[np.int8]:
    status = np.full(columns.count, SolutionStatus.NONE if certain else SolutionStatus.NOT_FOUND)
    for doubt in (SolutionStatus.NOT_FOUND, SolutionStatus.CONTINUUM):
        status[columns.unit[found.status == doubt]] = doubt
    status[np.isfinite(total)] = SolutionStatus.UNIQUE
    return status.astype(np.int8)
